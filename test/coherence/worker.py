"""One process of a campaign: reads or writes until it is told to stop, or killed.

    worker.py DIRECTORY NUMBER ROLE SEED SETUP      (SETUP: JSON, from campaign.py)
"""

import json
import os
import random
import sys
import time
import traceback

from coherence import ledger as shared
from coherence.reads import Reader, Violation
from coherence.sessions import PASSING, Gone, PgSession, SqliteSession, SqlError, literal
from coherence.writes import OutsideWriter, Writer

ROLES = {"reader": Reader, "writer": Writer, "outside": OutsideWriter}


class Worker:
    def __init__(self, directory, number, role, seed, setup):
        self.ledger = shared.Ledger(directory, setup["engine"])
        self.counters = self.ledger.workers[number]
        self.setup, self.role, self.number = setup, role, number
        name = "%s%d-%s-%d" % (setup["engine"], number, role, os.getpid())
        self.events = shared.Events(directory, name)
        rng = random.Random("%s-%d-%d" % (seed, number, self.counters.commits + self.counters.reads))
        arguments = [self.counters, self.events, rng]
        self.actor = (Reader(self.ledger, *arguments) if role == "reader" else
                      ROLES[role](self.ledger, number, name, *arguments))
        if setup["naive"]:
            self.actor.naive = True
            self.actor.ways = [(self.actor.cached, 1)]
        elif role == "reader" and setup["engine"] == "sqlite":
            self.actor.ways.append((self.actor.outer, 10))
        self.mode, self.seen = None, {}

    # ---- sessions

    def connect(self):
        setup = self.setup
        if setup["engine"] == "pg":
            session = PgSession(setup["where"], setup["settings"])
            if self.role == "writer":
                for (gid,) in session.run("SELECT gid FROM pg_prepared_xacts WHERE gid LIKE '%d-%%'"
                                          % self.number):
                    session.run("COMMIT PREPARED %s" % literal(gid))
                self.actor.other = PgSession(setup["where"], setup["settings"])
        else:
            session = SqliteSession(setup["where"], setup["settings"], self.role != "outside")
        self.actor.session, self.mode, self.seen = session, None, {}
        self.counters.backend = session.backend

    def adopt_mode(self):
        mode = self.ledger.get("commit_mode")
        if mode == self.mode or self.role == "outside":
            return
        word = "async" if mode == shared.ASYNC else "sync"
        for session in (self.actor.session, getattr(self.actor, "other", None)):
            if isinstance(session, PgSession):
                session.run("SET sqlredis.commit_mode = %s" % word)
            elif session is not None:
                session.run("SELECT redis_config('commit_mode', '%s')" % word)
        self.mode = mode

    def lose(self):
        self.counters.outages += 1
        self.counters.backend = 0
        for session in (self.actor.session, getattr(self.actor, "other", None)):
            if session is not None:
                session.close()
        self.actor.session = None

    # ---- life

    def step(self):
        actor = self.actor
        if actor.session is None:
            self.connect()
        self.adopt_mode()
        try:
            actor.step()
        except SqlError as error:
            actor.events("error", error)
            if error.state not in PASSING:
                raise Violation("a statement failed that should not: %s" % error) from error
        finally:
            if actor.session is not None and actor.session.in_transaction:
                actor.rollback() if self.role != "reader" else actor.session.run("ROLLBACK")

    def violation(self, text):
        self.counters.violations += 1
        self.actor.events("VIOLATION", text.replace("\n", " | "))
        path = os.path.join(self.ledger.directory, "violations")
        with open(path, "a") as file:
            file.write("%.6f %s\n" % (time.monotonic(), text.replace("\n", " | ")))

    def count(self):
        """The session's own statistics, as far as they have moved."""
        rows = self.actor.session.run("SELECT name, value FROM redis_stats() WHERE name LIKE 'cache%'")
        for name, value in rows:
            moved = float(value or 0) - self.seen.get(name, 0)
            self.seen[name] = float(value or 0)
            if name == "cache_hits":
                self.counters.hits += int(moved)
            elif name == "cache_fills":
                self.counters.fills += int(moved)
            elif name.startswith("cache_unfilled"):
                self.counters.bypassed += int(moved)

    def settle(self):
        """Quiet now. A writing transaction more, for what waits for this session's next one."""
        if self.actor.session is None:
            return
        if self.role == "writer":
            for _ in range(3 if self.mode == shared.ASYNC else 1):
                self.actor.session.run("INSERT INTO noise VALUES (%d)" % self.number)
                time.sleep(0.01)
        if self.role != "outside":
            self.count()

    def guarded(self, function):
        try:
            function()
        except Gone as error:
            self.actor.events("gone", error)
            self.lose()
            time.sleep(0.02)
        except SqlError as error:
            self.actor.events("error", error)
        except Violation as problem:
            self.violation(str(problem))
        except Exception:  # pylint: disable=broad-except
            self.violation("\n".join(traceback.format_exc().splitlines()[::-1]))
            self.lose()
            time.sleep(0.1)

    def run(self):
        while self.ledger.get("phase") != shared.STOP and os.getppid() == self.setup["parent"]:
            if self.ledger.get("phase") == shared.IDLE:
                ticket = self.ledger.get("quiet")
                if self.counters.idle != ticket:
                    self.guarded(self.settle)
                    self.counters.idle = ticket
                time.sleep(0.003)
                continue
            self.counters.beat += 1
            self.guarded(self.step)
        self.guarded(self.settle)


def main():
    directory, number, role, seed, setup = sys.argv[1:]
    Worker(directory, int(number), role, seed, json.loads(setup)).run()


main()
