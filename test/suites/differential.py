"""Thousands of random calls of every function against redis-cli: replies and states must agree.

One server, two databases an engine: the function is called in one, and redis-cli does in the other what
its row of commands.def says. Keys are few and shared by all types, so that wrong types, missing keys and
overwritten ones are met all the time.

RANDOM_SEED=n RANDOM_CALLS=n repeats a run, or makes a campaign of it; the calls after a difference
begin with empty databases again, so that one bug does not hide the next.
"""

import os
import random

from comparison import calls, check, cli, engines, table
from comparison.reference import Reference
from harness import Postgres, Redis, report

FIXED_SEED = 3
CALLS = int(os.environ.get("RANDOM_CALLS", "4000"))
STATE_EVERY = 20
LARGE_EVERY = 200
BURST = 20  # calls that read what is large
MOST = 12  # differences told
PREFIXES = ["", "", "app:", "a*[b]\\?^-:"]


class Campaign:
    """One seed in one engine."""

    def __init__(self, redis, make, databases, functions, seed):
        self.rng = random.Random(seed)
        self.prefix = self.rng.choice(PREFIXES)
        self.clients = []
        for database in databases:
            client = redis.client()
            client("SELECT", database)
            self.clients.append(client)
        self.engine = make("%s/%d" % (redis.url, databases[0]), self.prefix)
        self.cli = cli.Cli(redis, databases[1])
        self.model = Reference(self.cli, self.prefix, self.engine)
        self.generator = calls.Generator(self.rng, functions, self.engine, self.model)
        self.history, self.called, self.kinds = [], set(), []
        self.found = {}  # the first difference of each kind, and how many of its kind

    def close(self):
        self.engine.close()
        self.cli.close()
        for client in self.clients:
            client.close()

    def reset(self):
        for client in self.clients:
            client("FLUSHDB")

    def many_keys(self):
        """More keys than a page of SCAN has, and what lists and fetches them."""
        size = self.rng.choice([501, 1500, 3000])
        for client in self.clients:
            for begin in range(0, size, 500):
                client("MSET", *[word for i in range(begin, min(begin + 500, size))
                                 for word in (self.prefix + "many:%d" % i, i)])
        self.history.append("-- %d keys" % size)
        scan = next(f for f in self.generator.functions if f.name == "redis_scan")
        for pattern in ([], [None], ["many:*"], ["many:1?"], ["*7"], [None, "string"], [None, "list"]):
            self.judge(engines.Call(scan, pattern, limit=self.rng.choice([None, None, 3, 600])))
        self.reset()

    def fill(self):
        """Collections of more than one page, the same in both databases."""
        size = self.rng.choice([999, 1000, 1001, 2000, 2001, 2500, 3100])
        numbers = [str(i) for i in range(size)]
        if not self.kinds:
            self.kinds = self.rng.sample("LSZHXZ", 6)
        kind = self.kinds.pop()
        name = {"L": "list1", "S": "set1", "Z": "zset1", "H": "hash1", "X": "stream"}[kind]
        key = self.prefix + name
        for client in self.clients:
            client("DEL", key)
            if kind == "X":
                for i in range(1, size + 1):
                    client("XADD", key, "%d-%d" % (i // 3, i % 3), "n", i, "n", "twice")
            elif kind in "HZ":
                client(kind + ("SET" if kind == "H" else "ADD"), key,
                       *[word for i in numbers for word in ((i, "m" + i) if kind == "H" else
                                                            (int(i) // 4, "m" + i))])
            else:
                client({"L": "RPUSH", "S": "SADD"}[kind], key, *["m" + i for i in numbers])
        self.history.append("-- %s: %d elements" % (key, size))
        for _ in range(BURST):
            self.judge(self.generator.of_large(name, size))

    def differs(self, what, kind, detail):
        text = "%s\n%s\nbefore it:\n  %s" % (what, detail, "\n  ".join(self.history[-12:]))
        first, count = self.found.get((what, kind), (text, 0))
        self.found[what, kind] = first, count + 1
        self.history = []
        self.reset()

    def step(self, number):
        if number % LARGE_EVERY == LARGE_EVERY - 1:
            self.rng.choice([self.fill, self.fill, self.fill, self.many_keys])()
        self.judge(self.generator())
        if number % STATE_EVERY == 0:
            difference = check.states_differ(*map(check.state, self.clients))
            if difference:
                self.differs("states", "", difference)

    def judge(self, call):
        """The call in the engine, the reference's answer, and are they the same?"""
        self.called.add(call.function.name)
        got = self.engine(call)
        expected = self.model.expect(call, got)
        self.history.append(call.sql[:300])
        if check.differ(call, got, expected):
            self.differs(call.function.name, got[:2] if got[0] == "error" else got[0], "%s\nsent: %.1000r\nexpected: %.1000r\n     got: %.1000r" % (
                call.sql[:1000], self.model.sent[-3:], expected, got))
        elif self.model.unsure:
            self.reset()
            self.history = []
        self.model.unsure = False

    def run(self, count):
        self.reset()
        for number in range(1, count + 1):
            self.step(number)
            if len(self.found) >= MOST:
                break


def campaign(name, redis, make, databases, functions, seed):
    run = Campaign(redis, make, databases, functions, seed)
    try:
        run.run(CALLS)
    finally:
        run.close()
    problem = None
    if run.found:
        problem = "RANDOM_SEED=%s, prefix %r\n%s" % (seed, run.prefix, "\n\n".join(
            "%d times: %s" % (count, text) for text, count in run.found.values()))
    missing = {f.name for f in run.generator.functions} - run.called
    if missing and not run.found:
        problem = "never called: %s" % sorted(missing)
    return report("%s (seed %s, %d calls)" % (name, seed, CALLS), problem)


def main():
    functions = table.read()
    names = [function.name for function in functions]
    good = report("differential.the_table_is_whole",
                  None if names == table.names_in_source() else "%r" % names)
    redis = Redis()
    server = Postgres(redis.url)
    server.database("differential")
    seed = os.environ.get("RANDOM_SEED")
    seeds = [("given", seed)] if seed else [
        ("the_same_every_time", FIXED_SEED), ("new_ones", random.SystemRandom().randrange(1 << 32))]
    for what, number in seeds:
        for engine, databases, make in (
                ("PostgreSQL", (1, 2), lambda url, prefix: engines.Postgres(server, "differential", url, prefix)),
                ("SQLite", (3, 4), engines.Lite)):
            name = "differential.%s.%s" % (engine, what)
            if os.environ.get("TEST", "") in name:
                good = campaign(name, redis, make, databases, functions, "%s" % number) and good
    return 0 if good else 1


raise SystemExit(main())
