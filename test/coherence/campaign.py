"""Rounds of writers, readers and faults; the check of every value once it is quiet; and the report.

    campaign.py [--engines pg,sqlite] [--seed N] [--rounds N] [--operations N] [--no-preload] [--calm]

COHERENCE_KEEP names a directory for the events of all processes, to be read afterwards.

A round is so many operations long, however long they take. Nothing is decided by time but that a campaign
which stands still has failed.
"""

import argparse
import collections
import os
import random
import sys
import time

from coherence import faults, ledger as shared, schema
from coherence.sessions import AWAY, Gone, SqlError, literal
from coherence.world import World
from harness import HarnessError, process, wait_for

PATIENCE = 30.0  # seconds without an operation, or until what was left behind has been delivered


class Campaign:
    """wanted: names of faults, or None for all. lossy: whether Redis may lose what it acknowledged."""

    def __init__(self, seed, engines=("pg", "sqlite"), preload=True, wanted=None, lossy=None, roles=None,
                 modes=None, naive=False):
        self.rng = random.Random(seed)
        self.seed, self.preload, self.wanted, self.lossy = seed, preload, wanted, lossy
        self.modes = modes or [shared.SYNC, shared.ASYNC]
        self.world = World(seed, engines, preload, roles, naive)
        self.ledger, self.engines = self.world.ledger, engines
        self.violations, self.faults = [], collections.Counter()
        self.rounds, self.begun = 0, time.monotonic()
        self.last_lossy = 0
        self.seen_violations, self.undelivered = 0, None
        self.world.start_workers()

    # ---- a round

    def operations(self):
        return self.ledger.total("beat")

    def round(self, operations, many):
        """many: how many faults."""
        world, rng = self.world, self.rng
        self.rounds += 1
        self.ledger.set("round", self.rounds)
        lossy = self.lossy if self.lossy is not None else rng.random() < 0.5
        mode = self.modes[(self.rounds + self.seed) % len(self.modes)]
        if mode == shared.ASYNC and not self.preload and "pg" in self.engines and len(self.engines) == 1:
            mode = shared.SYNC
        self.ledger.set("commit_mode", mode)
        self.ledger.set("prepared", int(rng.random() < 0.7))
        self.ledger.set("lossy", 0)
        plan = [(int(operations * (i + rng.random()) / many), rng.random()) for i in range(many)]
        begun = self.operations()
        world.go_on()
        try:
            for at, kind_seed in plan:
                self.run_until(begun + at)
                if self.violations:
                    return
                self.strike(random.Random(kind_seed), lossy)
            self.run_until(begun + operations)
        finally:
            world.pause()
        if self.new_violations() or self.violations:
            return
        self.quiesce()
        if self.ledger.get("lossy"):
            self.last_lossy = self.rounds
        self.check_everything(lossy=self.ledger.get("lossy"))
        self.reset()

    def run_until(self, operations):
        """Lets the workers work. Now and then they rest, so that an empty outbox can be seen."""
        last, moved = self.operations(), time.monotonic()
        rest = last + 400
        while self.operations() < operations and not self.new_violations():
            time.sleep(0.02)
            self.world.revive()
            now = self.operations()
            if now != last:
                last, moved = now, time.monotonic()
            elif time.monotonic() - moved > PATIENCE:
                raise HarnessError("the campaign stands still")
            self.world.observe()
            if now > rest and self.ledger.get("commit_mode") == shared.ASYNC:
                self.world.pause()
                self.world.observe()
                self.world.go_on()
                rest = self.operations() + 400

    def strike(self, rng, lossy):
        """One fault, or two that overlap; each lasts for a while or so many operations."""
        first = faults.draw(rng, self.engines, lossy, self.wanted)
        if first is None:
            return
        kinds = [first]
        if rng.random() < 0.3:
            second = faults.draw(rng, self.engines, lossy, self.wanted, without=[first.group])
            kinds += [second] if second else []
        struck = []
        if any(kind.lossy for kind in kinds):
            self.ledger.set("lossy", 1)
        for kind in kinds:
            fault = kind(self.world, rng)
            self.world.events("fault", kind.name)
            fault.begin()
            struck.append(fault)
            self.faults[kind.name] += 1
        lasting = time.monotonic() + rng.choice([0.05, 0.2, 0.5, 1.5])
        enough = self.operations() + 300
        while time.monotonic() < lasting and self.operations() < enough:
            time.sleep(0.01)
        for fault in reversed(struck):
            fault.end()
            self.world.events("over", fault.name)

    # ---- when it is quiet

    def quiesce(self):
        for engine in self.engines:
            if engine == "pg":
                wait_for("PostgreSQL", self.settle_prepared, PATIENCE)
            try:
                wait_for("%s to deliver what it owes" % engine, lambda e=engine: self.drained(e), PATIENCE)
            except HarnessError as error:
                self.violation("%s; last: %s" % (error, self.undelivered))
        self.world.observe()

    def settle_prepared(self):
        try:
            session = self.world.session("pg")
        except Gone:  # it recovers
            return False
        for (gid,) in session.run("SELECT gid FROM pg_prepared_xacts"):
            session.run("COMMIT PREPARED %s" % literal(gid))
        session.close()
        return True

    def drained(self, engine):
        """Nothing waits any more. PostgreSQL's worker must do that by itself; what was delivered already may
        stand in the outbox until somebody writes."""
        try:
            session = self.world.session(engine)
            if engine == "pg" and self.preload and not self.stale(session, engine):
                time.sleep(0.05)
            if not (engine == "pg" and self.preload) or not self.stale(session, engine):
                session.value("SELECT redis_outbox_drain()")
                left = int(session.value("SELECT count(*) FROM sqlredis_outbox"))
                self.undelivered = "%d rows, first %s" % (left, session.run(
                    "SELECT * FROM redis_outbox() LIMIT 2"))
                session.close()
                return left == 0
            else:
                self.undelivered = "stale: %s" % self.stale(session, engine)
            session.close()
        except (Gone, SqlError) as error:
            self.undelivered = str(error)
            if isinstance(error, SqlError) and error.state not in AWAY | {"busy"}:
                raise
        time.sleep(0.05)
        return False

    def entries(self, session, engine):
        """(key, what the cache answers, what the database has) of everything that is cached."""
        def direct(sql):
            return session.value(sql)

        def cached(key, query, argument):
            return session.value("SELECT redis_cached(%s, %d, %s, %d)" % (
                literal(key), schema.TTL, literal(query % session.parameter), argument))

        for row in schema.ITEMS:
            now = direct(schema.ITEM % row)
            yield "item:%d" % row, cached("item:%d" % row, schema.ITEM, row), now
            yield "got:%d" % row, cached("got:%d" % row, schema.ITEM, row), now
        for row in schema.HAND:
            yield "hand:%d" % row, cached("hand:%d" % row, schema.HANDMADE, row), direct(
                schema.HANDMADE % row)
        for row in schema.OUTER:
            yield "outer:%d" % row, cached("outer:%d" % row, schema.OUTSIDE, row), direct(
                schema.OUTSIDE % row)
        for group in schema.GROUPS:
            yield "group:%d" % group, in_order(session.value("SELECT redis_cached(%s, %d, %s, %d)" % (
                literal("group:%d" % group), schema.TTL,
                literal(schema.group_query(engine, session.parameter)), group))), in_order(
                    direct(schema.group_query(engine, group)))
        for team in schema.TEAMS:
            value = session.run("SELECT value FROM redis_cache_get(%s)" % literal("list:%d" % team))[0][0]
            if value is not None:
                yield "list:%d" % team, in_order(value), in_order(direct(schema.team_query(engine, team)))

    def stale(self, session, engine):
        return [entry for entry in self.entries(session, engine) if entry[1] != entry[2]]

    def check_everything(self, lossy):
        for engine in self.engines:
            session = self.world.session(engine)
            for key, got, now in self.entries(session, engine):
                if got != now:
                    self.violation("at rest %s of %s is %r, the database has %r" % (key, engine, got, now))
            if not lossy:
                self.check_promised(session, engine)
            session.close()

    def check_promised(self, session, engine):
        """What Redis has not been made to lose: plain keys are gone or right, commands ran once each."""
        ledger = self.world.ledgers[engine]
        for row in schema.ITEMS:
            now, plain = session.value(schema.ITEM % row), self.world.redis("GET", "%s:plain:%d" % (engine, row))
            if plain is not None and plain.decode() != now and not ledger.tainted(row):
                self.violation("at rest the plain key of row %d of %s is %r, the database has %r"
                               % (row, engine, plain.decode(), now))
        done = {nonce for (nonce,) in session.run("SELECT nonce FROM done")}
        reply = self.world.redis("HGETALL", engine + ":done")
        ran = {reply[i].decode(): int(reply[i + 1]) for i in range(0, len(reply), 2)}
        for nonce in sorted(done - set(ran)):
            self.violation("the command of transaction %s of %s never ran" % (nonce, engine))
        # The ids of what ran before Redis lost something may be lost, too: a repeat runs again.
        for nonce in sorted(n for n in set(ran) - done if int(n.split("-")[-2]) > self.last_lossy):
            self.violation("the command of transaction %s of %s ran, but it was rolled back" % (nonce, engine))
        for nonce, times in ran.items():
            if times != 1 and nonce in done:
                self.violation("the command of transaction %s of %s ran %d times" % (nonce, engine, times))
        late = [key for key in self.world.redis("KEYS", engine + ":order:*") if b":sqlredis" not in key]
        if late:
            self.violation("%r: set by a command that a deletion followed in its transaction" % late)

    def reset(self):
        """Plain keys and commands begin anew."""
        for engine in self.engines:
            session = self.world.session(engine)
            session.run("DELETE FROM done")
            session.run("DELETE FROM noise")
            session.close()
            doomed = self.world.redis("KEYS", engine + ":order:*") + [engine + ":done"] + [
                "%s:plain:%d" % (engine, row) for row in schema.ITEMS]
            self.world.redis("DEL", *doomed)

    # ---- violations

    def violation(self, text):
        self.violations.append("%.6f %s\n%s" % (time.monotonic(), text, self.context(text)))

    def new_violations(self):
        """What workers have reported since."""
        path = os.path.join(self.world.directory, "violations")
        if self.ledger.total("violations") == self.seen_violations or not os.path.exists(path):
            return False
        with open(path) as file:
            for line in file.read().splitlines()[len(self.violations):]:
                self.violations.append(line + "\n" + self.context(line.split(" ", 1)[1]))
        self.seen_violations = self.ledger.total("violations")
        return True

    def context(self, text, seconds=3.0, most=40):
        """What happened to that row before."""
        row = text.split("row ")[1].split(" ")[0].rstrip(":,") if "row " in text else None
        lines = []
        for line in shared.recent(self.world.directory, time.monotonic() - seconds):
            if row is None or "row=%s " % row in line or "{%s:" % row in line or " %s: " % row in line or \
                    any(word in line for word in ("fault", "over", "gone", "error", "VIOLATION")):
                lines.append("    " + line)
        return "\n".join(lines[-most:])

    # ---- the end

    def finish(self):
        self.new_violations()
        self.world.stop()
        if self.world.pg is not None and "PANIC" in self.world.pg.log_text():
            self.violation("PostgreSQL panicked: " + [line for line in self.world.pg.log_text().splitlines()
                                                      if "PANIC" in line][0])
        return not self.violations

    def report(self):
        total = self.ledger.total
        yield "seed %s, %s, %s, %d rounds, %.0f s" % (
            self.seed, "+".join(self.engines), "preloaded" if self.preload else "not preloaded", self.rounds,
            time.monotonic() - self.begun)
        yield "commits %d: acknowledged %d, reported undelivered or async %d, broken off %d; rolled back %d" % (
            total("commits"), total("acknowledged"), total("unacknowledged"), total("unknown"),
            total("rollbacks"))
        yield "reads %d, values checked %d, hits %d, fills %d, bypassed %d, plain keys %d; sessions lost %d" % (
            total("reads"), total("checked"), total("hits"), total("fills"), total("bypassed"),
            total("plain"), total("outages"))
        yield "faults %d: %s" % (sum(self.faults.values()), ", ".join(
            "%s %d" % item for item in sorted(self.faults.items())))
        yield "violations %d" % len(self.violations)


def in_order(text):
    return ",".join(sorted((text or "").split(",")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engines", default="pg,sqlite")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--operations", type=int, default=3000)
    parser.add_argument("--faults", type=int, default=6)
    parser.add_argument("--only")
    parser.add_argument("--lossless", action="store_true")
    parser.add_argument("--sync", action="store_true")
    parser.add_argument("--no-preload", action="store_true")
    parser.add_argument("--naive", action="store_true", help="readers that fill without a lease: to be caught")
    options = parser.parse_args()
    print("seed %d" % options.seed, flush=True)
    campaign = Campaign(options.seed, tuple(options.engines.split(",")), not options.no_preload,
                        options.only.split(",") if options.only else None,
                        False if options.lossless else None, modes=[shared.SYNC] if options.sync else None, naive=options.naive)
    try:
        for _ in range(options.rounds):
            campaign.round(options.operations, options.faults)
            if campaign.violations:
                break
    finally:
        good = campaign.finish()
        with open(os.path.join(campaign.world.directory, "output"), errors="replace") as file:
            said = file.read()
        print(said, end="")
        print("\n".join(campaign.violations[:5]))
        print("\n".join(campaign.report()), flush=True)
        process.clean_up()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
