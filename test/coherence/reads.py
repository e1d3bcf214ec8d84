"""How a reader reads. Each looks up what was promised first, and then says what it saw.

The naps make the time between a snapshot, a lease, a query and its fill long enough for writers to
come in between.
"""

from . import schema
from .sessions import AWAY, SqlError, literal


class Violation(Exception):
    """A promise was broken."""


class Reader:
    """session: a new one after each loss. rng: this worker's."""

    def __init__(self, ledger, counters, events, rng):
        self.ledger, self.counters, self.events, self.rng = ledger, counters, events, rng
        self.session = None
        self.naive = False
        self.ways = [(self.cached, 30), (self.cached_late, 6), (self.cached_in_snapshot, 6),
                     (self.got, 12), (self.got_in_one_statement, 5), (self.team, 10), (self.group, 12),
                     (self.hand, 10), (self.plain, 6)]

    def step(self):
        way = self.rng.choices([w for w, _ in self.ways], [n for _, n in self.ways])[0]
        self.counters.reads += 1
        way()

    # ---- judging

    def judge(self, how, row, text, floor):
        """text: what a read that began when floor was promised has given for row."""
        self.counters.checked += 1
        version = int(text.split(":", 1)[0]) if text else 0
        self.events("read", how, "row=%d" % row, "floor=%d" % floor, text)
        if version < floor:
            raise Violation("%s of row %d gave %r, but version %d had been acknowledged before"
                            % (how, row, text, floor))

    def judge_list(self, how, text, floors):
        seen = dict(part.split("=", 1) for part in (text or "").split(",") if part)
        for row, floor in floors.items():
            self.judge(how, row, seen.get(str(row)), floor)

    def happened(self, how, table, row, text):
        """What was read must have been committed: the table has it, or something later."""
        now = self.session.value("SELECT version || ':' || nonce FROM %s WHERE id = %d" % (table, row))
        old, new = int(text.split(":", 1)[0]), int(now.split(":", 1)[0])
        if new < old or (new == old and now != text):
            raise Violation("%s of row %d gave %r, which was never committed: the table has %r"
                            % (how, row, text, now))

    # ---- reading

    def nap(self):
        return self.rng.choice([0, 0, 0.001, 0.002, 0.005, 0.02])

    def query(self, text):
        query, nap = text % self.session.parameter, self.nap()
        return self.session.napping(query, nap) if nap else query

    def read_through(self, key, query, argument, source=""):
        if self.naive:
            return self._read_naively(key, query, argument)
        ttl = self.rng.choice([schema.TTL, schema.TTL, 1])
        return self.session.value("SELECT redis_cached(%s, %d, %s, %d)%s" % (
            literal(key), ttl, literal(query), argument, source))

    def _read_naively(self, key, query, argument):
        """What applications do without this: the campaign must find it out."""
        text = self.session.value("SELECT redis_get(%s)" % literal(key))
        if text is None:
            text = self.session.value(query.replace(self.session.parameter, str(argument)))
            self.session.value("SELECT redis_set(%s, %s)" % (literal(key), literal(text)))
        return text

    def cached(self):
        row = self.rng.choice(schema.ITEMS)
        floor = self.ledger.floor(row)
        text = self.read_through("item:%d" % row, self.query(schema.ITEM), row)
        self.judge("redis_cached", row, text, floor)
        if self.rng.random() < 0.1:
            self.happened("redis_cached", "items", row, text)

    def cached_late(self):
        """The calling statement's snapshot is older than the lease."""
        row = self.rng.choice(schema.ITEMS)
        source = " FROM pg_sleep(0.003)" if self.session.name == "pg" else " WHERE nap(0.003) = 0"
        floor = self.ledger.floor(row)
        text = self.read_through("item:%d" % row, self.query(schema.ITEM), row, source)
        self.judge("redis_cached late in a statement", row, text, floor)

    def cached_in_snapshot(self):
        row = self.rng.choice(schema.ITEMS)
        floor = self.ledger.floor(row)
        self.session.begin_snapshot()
        self.session.value("SELECT pg_sleep(0.01)" if self.session.name == "pg" else "SELECT nap(0.01)")
        text = self.read_through("item:%d" % row, self.query(schema.ITEM), row)
        self.session.run("COMMIT")
        self.judge("redis_cached in an older snapshot", row, text, floor)

    def _got(self, key, query, tag=None):
        """What redis_cache_get has, or the query has; filled where that is allowed."""
        session = self.session
        value, lease = session.run("SELECT value, lease FROM redis_cache_get(%s)" % literal(key))[0]
        if value is not None:
            return value
        value = session.value(query)
        try:
            filled = session.value("SELECT redis_cache_fill(%s, %s, %s, %d%s)" % (
                literal(key), literal(lease), literal(value), schema.TTL,
                ", " + literal(tag) if tag else ""))
            self.counters.fills += filled in ("t", "1")
        except SqlError as error:
            if error.state not in AWAY:
                raise
        return value

    def _direct(self, text, row):
        query, nap = text % row, self.nap()
        return self.session.napping(query, nap) if nap else query

    def got(self):
        row = self.rng.choice(schema.ITEMS)
        floor = self.ledger.floor(row)
        text = self._got("got:%d" % row, self._direct(schema.ITEM, row))
        self.judge("redis_cache_get", row, text, floor)
        if self.rng.random() < 0.1:
            self.happened("redis_cache_get", "items", row, text)

    def got_in_one_statement(self):
        """The value's snapshot is the statement's, and so older than the lease: it must not be filled.
        What the statement itself gives may be old; what it left behind, others judge."""
        row = self.rng.choice(schema.ITEMS)
        try:
            self.session.run(
                "SELECT redis_cache_fill(%s, g.lease, (%s), %d) FROM redis_cache_get(%s) AS g "
                "WHERE g.lease IS NOT NULL" % (literal("got:%d" % row), self._direct(schema.ITEM, row),
                                               schema.TTL, literal("got:%d" % row)))
        except SqlError as error:
            if error.state not in AWAY:
                raise

    def team(self):
        team = self.rng.choice(schema.TEAMS)
        floors = {row: self.ledger.floor(row) for row in schema.rows_of_team(team)}
        query = schema.team_query(self.session.name, team)
        nap = self.nap()
        text = self._got("list:%d" % team, self.session.napping(query, nap) if nap else query,
                         "team:%d" % team)
        self.judge_list("a tagged list", text, floors)

    def group(self):
        group = self.rng.choice(schema.GROUPS)
        floors = {row: self.ledger.floor(row) for row in schema.ITEMS if group in schema.groups_of(row)}
        query = schema.group_query(self.session.name, self.session.parameter)
        text = self.read_through("group:%d" % group, query, group)
        self.judge_list("a list by lookup", text, floors)

    def hand(self):
        row = self.rng.choice(schema.HAND)
        floor = self.ledger.floor(row)
        text = self.read_through("hand:%d" % row, self.query(schema.HANDMADE), row)
        self.judge("redis_cached by hand", row, text, floor)
        if self.rng.random() < 0.2:
            self.happened("redis_cached by hand", "hand", row, text)

    def outer(self):
        row = self.rng.choice(schema.OUTER)
        floor = self.ledger.floor(row)
        text = self.read_through("outer:%d" % row, self.query(schema.OUTSIDE), row)
        self.judge("redis_cached of a plain outbox", row, text, floor)

    def plain(self):
        """A plain key that is there is no older than the last acknowledged deletion."""
        row = self.rng.choice(schema.ITEMS)
        floor = self.ledger.floor(row)
        try:
            text = self.session.value("SELECT redis_get(%s)" % literal("plain:%d" % row))
        except SqlError as error:
            if error.state not in AWAY:
                raise
            return
        if text is not None and not self.ledger.get("lossy") and not self.ledger.tainted(row):
            self.counters.plain += 1
            self.judge("redis_get", row, text, floor)
