"""What a writer does in a transaction, and when it may believe that others will not see the past."""

import time

from . import ledger as shared
from . import schema
from .reads import Reader, Violation
from .sessions import AWAY, Gone, SqlError, literal


class Writer(Reader):
    """number: its place in the ledger; name: unique over all processes there have been."""

    def __init__(self, ledger, number, name, counters, events, rng):
        super().__init__(ledger, counters, events, rng)
        self.number, self.name, self.count = number, name, 0
        self.intended, self.nonce, self.deferred = {}, None, False
        self.common = [(self.one_statement, 20), (self.one_row, 15), (self.savepoints, 12), (self.many_rows, 8),
                       (self.delete_and_insert, 6), (self.rolled_back, 8), (self.own_read, 8),
                       (self.by_hand, 12), (self.read_before_invalidating, 6), (self.command_order, 2)]

    def step(self):
        ways = self.common + (self.of_postgres() if self.session.name == "pg" else self.of_sqlite())
        way = self.rng.choices([w for w, _ in ways], [n for _, n in ways])[0]
        self.count += 1
        self.intended, self.nonce, self.deferred = {}, "%s-%d-%d" % (self.name, self.ledger.get("round"), self.count), False
        if self.session.name == "sqlite":
            time.sleep(self.rng.choice([0, 0.001, 0.003]))  # its commits are fast: let somebody read
        way()

    def of_postgres(self):
        return [(self.two_phases, 6 if self.ledger.get("prepared") else 0)]

    def of_sqlite(self):
        return [(self.replace, 10), (self.outer_savepoint, 6)]

    # ---- the parts of a transaction

    def begin(self):
        self.session.begin()

    def change(self, row, table="items"):
        """One more version of a row; nothing when it is gone for the moment."""
        version = self.session.value(
            "UPDATE %s SET version = version + 1, nonce = %s WHERE id = %d RETURNING version"
            % (table, literal(self.nonce), row))
        if version is not None:
            self.intended[row] = int(version)
        return version

    def counted(self):
        """A command that must run exactly once if this transaction commits."""
        self.session.value("INSERT INTO done VALUES (%s) RETURNING 1" % literal(self.nonce))
        self.session.value("SELECT redis_on_commit('HINCRBY', %s, %s, '1')"
                           % (literal(self.session.name + ":done"), literal(self.nonce)))

    def committed(self, warnings, sql):
        self.counters.commits += 1
        if warnings or self.deferred or self.ledger.get("commit_mode") != shared.SYNC:
            self.counters.unacknowledged += 1
            self.events("committed", self.nonce, self.intended, warnings)
            return
        self.counters.acknowledged += 1
        for row, version in self.intended.items():
            self.ledger.acknowledge(self.number, row, version)
        self.events("acknowledged", self.nonce, self.intended, sql)

    def last(self, sql):
        """The statement that commits. When the session breaks in it, nobody knows."""
        self.events("commits", self.nonce, self.intended)
        try:
            self.session.run(sql)
        except Gone:
            self.counters.unknown += 1
            raise
        self.committed(self.session.warnings, sql)

    def commit(self):
        if self.rng.random() < 0.3:
            self.counted()
        self.last("COMMIT")

    def rollback(self, sql="ROLLBACK"):
        self.session.run(sql)
        self.counters.rollbacks += 1
        self.events("rolled back", self.nonce, self.intended)
        self.intended = {}

    def item(self):
        return self.rng.choice(schema.ITEMS)

    # ---- transactions

    def one_statement(self):
        row = self.item()
        version = self.session.value(
            "UPDATE items SET version = version + 1, nonce = %s WHERE id = %d RETURNING version"
            % (literal(self.nonce), row))
        if version is not None:
            self.intended[row] = int(version)
            self.committed(self.session.warnings, "UPDATE")

    def one_row(self):
        """Also writes the plain key, with what the row is before: nobody else can while it is locked. After a
        rollback it stays, and is right, until another transaction's commit."""
        row = self.item()
        self.begin()
        lock = " FOR UPDATE" if self.session.name == "pg" else ""
        before = self.session.value("SELECT version || ':' || nonce FROM items WHERE id = %d%s" % (row, lock))
        if before is None:
            self.rollback()
            return
        self.ledger.taint(self.number, row, True)
        try:
            self.session.value("SELECT redis_set(%s, %s)" % (literal("plain:%d" % row), literal(before)))
        except SqlError as error:
            if error.state not in AWAY:
                raise
            self.rollback()
            return
        self.ledger.taint(self.number, row, False)
        self.change(row)
        if self.rng.random() < 0.5:
            self.commit()
        else:
            self.rollback()

    def savepoints(self):
        kept, dropped, later = self.rng.sample(list(schema.ITEMS), 3)
        self.begin()
        if self.rng.random() < 0.5:
            self.change(kept)
            self.session.run("SAVEPOINT a")
            self.change(dropped)
            before = dict(self.intended)
            self.session.run("SAVEPOINT b")
            self.change(later)
            self.session.run("ROLLBACK TO SAVEPOINT b")
            self.intended = before
            self.session.run("RELEASE SAVEPOINT a")
        else:
            self.session.run("SAVEPOINT a")
            self.change(kept)
            before = dict(self.intended)
            self.session.run("SAVEPOINT b")
            self.change(dropped)
            self.session.run("RELEASE SAVEPOINT b")
            self.session.run("SAVEPOINT c")
            self.session.run("ROLLBACK TO SAVEPOINT c")
            if self.rng.random() < 0.5:
                self.session.run("ROLLBACK TO SAVEPOINT a")
                before = {}
                self.intended = before
            self.change(later)
        self.commit()

    def many_rows(self):
        rows = sorted(self.rng.sample(list(schema.ITEMS), 4))
        self.begin()
        for row in rows:
            self.change(row)
        self.commit()

    def delete_and_insert(self):
        row = self.item()
        self.begin()
        deleted = self.session.run("DELETE FROM items WHERE id = %d RETURNING version, slot" % row)
        if not deleted:
            self.rollback()
            return
        self.insert(row, int(deleted[0][0]) + 1, int(deleted[0][1]))
        self.commit()

    def insert(self, row, version, slot, how="INSERT"):
        self.session.run("%s INTO items VALUES (%d, %d, %s, %d)" % (
            how, row, version, literal(self.nonce), slot))
        self.intended[row] = version

    def rolled_back(self):
        self.begin()
        self.change(self.item())
        if self.rng.random() < 0.5:
            self.counted()
        if self.rng.random() < 0.5:
            try:
                self.session.run("INSERT INTO items VALUES (NULL, NULL, NULL, NULL)")
            except SqlError as error:
                if error.state in ("57014", "busy"):
                    raise
        self.rollback()

    def own_read(self):
        """A transaction reads its own writes, and what it read is nobody else's unless it commits."""
        row = self.item()
        self.begin()
        if self.change(row) is not None:
            text = self.read_through("item:%d" % row, self.query(schema.ITEM), row)
            own = "%d:%s" % (self.intended[row], self.nonce)
            if text != own:
                raise Violation("a transaction that wrote %r to row %d read %r" % (own, row, text))
            text = self._got("got:%d" % row, schema.ITEM % row)
            if text != own:
                raise Violation("a transaction that wrote %r to row %d got %r" % (own, row, text))
        if self.rng.random() < 0.5:
            self.commit()
        else:
            self.rollback()

    def invalidate(self, row):
        if self.rng.random() < 0.15:
            self.deferred = True  # a worker may scan later
            self.session.value("SELECT redis_invalidate_pattern('hand:*')")
        else:
            self.session.value("SELECT redis_invalidate(%s)" % literal("hand:%d" % row))
        self.session.value("SELECT redis_invalidate_tag(%s)" % literal("team:%d" % schema.team_of(row)))

    def by_hand(self):
        row = self.rng.choice(schema.HAND)
        self.begin()
        self.change(row, "hand")
        self.invalidate(row)
        self.commit()

    def read_before_invalidating(self):
        """The row is written, its key is not queued yet: what is read here must not be filled."""
        row = self.rng.choice(schema.HAND)
        self.begin()
        if self.change(row, "hand") is not None:
            self.read_through("hand:%d" % row, schema.HANDMADE % self.session.parameter, row)
            self.invalidate(row)
        if self.rng.random() < 0.5:
            self.commit()
        else:
            self.rollback()

    def command_order(self):
        """The last word of a transaction is its last one in Redis."""
        key = literal("order:%s" % self.name)
        self.begin()
        self.session.value("SELECT redis_invalidate(%s)" % key)
        self.session.value("SELECT redis_on_commit('SET', %s, 'late')"
                           % literal("%s:order:%s" % (self.session.name, self.name)))
        self.session.value("SELECT redis_invalidate(%s)" % key)
        self.change(self.item())
        self.commit()

    # ---- PostgreSQL alone

    def two_phases(self):
        """Committed by another session, which knows nothing of the keys."""
        name = literal("%d-%s" % (self.number, self.nonce))
        self.begin()
        self.change(self.item())
        if self.rng.random() < 0.3:
            self.counted()
        self.events("prepares", self.nonce, self.intended)
        self.session.run("PREPARE TRANSACTION %s" % name)
        self.other.run("%s PREPARED %s" % (self.rng.choice(["COMMIT", "COMMIT", "ROLLBACK"]), name))
        self.counters.commits += 1
        self.counters.unacknowledged += 1

    other = None

    # ---- SQLite alone

    def replace(self):
        """INSERT OR REPLACE takes another row's slot, and evicts it."""
        row, victim = self.rng.sample(list(schema.ITEMS), 2)
        self.begin()
        old = {int(r[0]): (int(r[1]), int(r[2])) for r in self.session.run(
            "SELECT id, version, slot FROM items WHERE id IN (%d, %d)" % (row, victim))}
        self.insert(row, old[row][0] + 1, old[victim][1], "INSERT OR REPLACE")
        self.insert(victim, old[victim][0] + 1, old[row][1])
        self.commit()

    def outer_savepoint(self):
        """A savepoint is the transaction; rolled back to, it goes on."""
        first, second = self.rng.sample(list(schema.ITEMS), 2)
        self.session.run("SAVEPOINT outermost")
        self.change(first)
        if self.rng.random() < 0.5:
            self.session.run("ROLLBACK TO outermost")
            self.intended = {}
            self.change(second)
        self.last("RELEASE outermost")


class OutsideWriter(Writer):
    """A process without the extension: plain SQL triggers write the outbox for it."""

    def step(self):
        self.count += 1
        self.intended, self.nonce = {}, "%s-%d-%d" % (self.name, self.ledger.get("round"), self.count)
        time.sleep(self.rng.uniform(0, 0.02))  # there is one of it, and nobody answers for its speed
        self.begin()
        self.session.value("UPDATE outer_items SET version = version + 1, nonce = %s WHERE id = %d RETURNING 1"
                           % (literal(self.nonce), self.rng.choice(schema.OUTER)))
        if self.rng.random() < 0.2:
            self.rollback()
        else:
            self.session.run("COMMIT")
            self.counters.commits += 1
            self.counters.unacknowledged += 1
