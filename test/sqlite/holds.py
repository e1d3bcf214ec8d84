"""What a transaction holds in Redis - locks, claims, stock, jobs - and gives back or keeps when it ends, in
whichever of SQLite's ways."""

import os
import random
import time

from harness import equal, main, test, true
from harness.sqlite_outbox import connect, new_file, redis, refused, value

ALL = ("lock", "idem:claim", "stock", "queue:jobs")


def start(stock=10, jobs=0):
    redis("FLUSHALL")
    redis("HSET", "stock", "seat", stock)
    for job in range(jobs):
        redis("LPUSH", "queue:jobs", "job %d" % job)


def seats():
    return int(redis("HGET", "stock", "seat"))


def is_locked(name="lock"):
    return redis("EXISTS", name) == 1


def claim(key="claim"):
    """"pending", "done" or None."""
    said = redis("GET", "idem:" + key)
    return said and said.split(b":")[0].decode()


def take_all(db):
    equal(value(db, "SELECT redis_xact_lock('lock')"), 1)
    equal(value(db, "SELECT redis_idempotent('claim')"), 1)
    equal(value(db, "SELECT redis_reserve('stock', 'seat', 3)"), 7)
    equal(value(db, "SELECT payload FROM redis_dequeue('jobs')"), "job 0")


def all_held():
    return (is_locked(), claim(), seats()) == (True, "pending", 7)


def given_back():
    """Everything is as it was before take_all, which somebody else finds as well."""
    found = is_locked(), claim(), seats(), redis("TTL", "stock")
    other = connect(":memory:")
    other.execute("BEGIN")
    take_all(other)
    other.execute("ROLLBACK")
    other.close()
    return found == (False, None, 10, -1)


def kept():
    return (is_locked(), claim(), seats()) == (False, "done", 7)


@test
def a_commit_keeps_and_a_rollback_gives_back():
    for path in ":memory:", new_file():
        db, other = connect(path), connect(":memory:")
        start(jobs=1)
        for end in "ROLLBACK", "COMMIT":
            db.execute("BEGIN")
            take_all(db)
            true(all_held())
            equal(value(db, "SELECT redis_xact_lock('lock')"), 1, "it has it already")
            equal(value(db, "SELECT redis_idempotent('claim')"), 0, "it was there before")
            equal(value(other, "SELECT redis_xact_lock('lock')"), 0)
            equal(value(other, "SELECT redis_lock('lock')"), None)
            equal(value(other, "SELECT redis_idempotent('claim')"), 0)
            equal(value(other, "SELECT redis_reserve('stock', 'seat', 8)"), None)
            equal(value(other, "SELECT count(*) FROM redis_dequeue('jobs')"), 0)
            db.execute(end)
            true(given_back() if end == "ROLLBACK" else kept(), end)
        equal(value(other, "SELECT redis_idempotent('claim')"), 0)
        equal(value(other, "SELECT count(*) FROM redis_dequeue('jobs')"), 0, "handed out, not acknowledged")
        db.close()
        other.close()


@test
def outside_of_a_transaction_it_is_for_good():
    start(jobs=1)
    db = connect(":memory:")
    take_all(db)
    true(kept())
    equal(value(db, "SELECT redis_queue_len('jobs', 'reserved')"), 1)
    equal(db.execute("SELECT * FROM redis_pending").fetchall(), [])
    db.close()
    true(kept())


@test
def a_statement_is_a_transaction():
    """In autocommit, a statement that writes holds what its functions took until it ends."""
    start()
    db = connect(new_file())
    db.execute("INSERT INTO t SELECT 10, redis_reserve('stock', 'seat', 3) WHERE redis_xact_lock('lock')")
    equal((seats(), is_locked(), value(db, "SELECT v FROM t WHERE id = 10")), (7, False, 7))
    refused(db, "INSERT INTO t SELECT 10, redis_reserve('stock', 'seat', 3) WHERE redis_xact_lock('lock')",
            "UNIQUE")
    equal((seats(), is_locked()), (7, False))
    db.close()


@test
def savepoints():
    start(jobs=1)
    db = connect(":memory:")
    db.execute("SAVEPOINT outermost")
    equal(value(db, "SELECT redis_xact_lock('a')"), 1)
    db.execute("SAVEPOINT s")
    take_all(db)
    db.execute("SAVEPOINT t")
    equal(value(db, "SELECT redis_xact_lock('b')"), 1)
    db.execute("ROLLBACK TO t")
    equal((is_locked("a"), is_locked("b"), all_held()), (True, False, True))
    equal(value(db, "SELECT redis_xact_lock('b')"), 1, "free to be taken again")
    db.execute("RELEASE t")
    true(is_locked("b") and all_held())
    db.execute("ROLLBACK TO s")
    equal((is_locked("a"), is_locked("b")), (True, False))
    true(given_back())
    take_all(db)
    db.execute("RELEASE s")
    true(all_held())
    db.execute("ROLLBACK TO outermost")
    true(not is_locked("a") and given_back())
    take_all(db)
    db.execute("RELEASE outermost")
    true(kept())
    db.close()


@test
def statements_that_fail():
    """What a trigger took in a statement that fails goes back as far as SQLite rolls back."""
    for action, after in (("ABORT", 9), ("ROLLBACK", 10), ("FAIL", 8), ("IGNORE", 8), ("REPLACE", 7)):
        start()
        db = connect(new_file())
        db.execute("CREATE TEMP TRIGGER sell AFTER INSERT ON t BEGIN "
                   "SELECT redis_reserve('stock', 'seat', 1); END")
        db.execute("BEGIN")
        db.execute("INSERT INTO t VALUES (100, 0)")
        equal(seats(), 9)
        sql = "INSERT OR %s INTO t VALUES (101, 0), (100, 0)" % action
        if action in ("IGNORE", "REPLACE"):
            db.execute(sql)
        else:
            refused(db, sql, "UNIQUE")
        equal((seats(), db.in_transaction), (after, action != "ROLLBACK"), action)
        if db.in_transaction:
            db.execute("COMMIT")
        equal(seats(), after, action)
        db.close()


@test
def a_query_that_fails_undoes_nothing():
    """SQLite knows of nothing to undo: what was taken is held to the transaction's end."""
    for end, left in ("ROLLBACK", 10), ("COMMIT", 7):
        start()
        db = connect(new_file())
        db.execute("BEGIN")
        refused(db, "SELECT redis_reserve('stock', 'seat', 3), json('{')", "malformed JSON")
        refused(db, "INSERT INTO t VALUES (1, redis_reserve('stock', 'seat', 1))", "UNIQUE")
        equal(seats(), 7)
        db.execute(end)
        equal(seats(), left, end)
        db.close()


@test
def raise_in_a_trigger():
    start()
    for action, left in (("ABORT", 9), ("ROLLBACK", 10), ("FAIL", 8)):
        db = connect(new_file())
        db.execute("CREATE TEMP TRIGGER sell AFTER INSERT ON t BEGIN "
                   "SELECT redis_reserve('stock', 'seat', 1); SELECT raise(%s, 'no') WHERE NEW.v; END" % action)
        db.execute("BEGIN")
        db.execute("INSERT INTO t VALUES (100, 0)")
        refused(db, "INSERT INTO t VALUES (101, 1)", "no")
        equal((seats(), db.in_transaction), (left, action != "ROLLBACK"), action)
        if db.in_transaction:
            db.execute("ROLLBACK")
        equal(seats(), 10)
        db.close()


@test
def busy_at_commit():
    for end in "COMMIT", "ROLLBACK":
        start(jobs=1)
        path = new_file()
        reader, db = connect(path), connect(path, timeout=0)
        rows = reader.execute("SELECT * FROM t")
        rows.fetchone()
        db.execute("BEGIN")
        take_all(db)
        db.execute("UPDATE t SET v = 1 WHERE id = 1")
        for _ in range(2):
            equal(refused(db, "COMMIT"), "database is locked")
            true(all_held() and db.in_transaction, "still its own")
        rows.close()
        db.execute(end)
        true(kept() if end == "COMMIT" else given_back(), end)
        reader.close()
        db.close()


@test
def a_deferred_foreign_key_at_commit():
    start(jobs=1)
    db = connect(new_file())
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("CREATE TABLE child (id REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    db.execute("BEGIN")
    take_all(db)
    db.execute("INSERT INTO child VALUES (77)")
    refused(db, "COMMIT", "FOREIGN KEY")
    true(all_held() and db.in_transaction)
    db.execute("ROLLBACK")
    true(given_back())
    db.close()


@test
def closed_in_a_transaction():
    start(jobs=1)
    db = connect(new_file())
    db.execute("BEGIN")
    take_all(db)
    db.execute("UPDATE t SET v = 1")
    db.close()
    true(given_back())


@test
def several_connections():
    start()
    first, second = connect(new_file()), connect(":memory:")
    first.execute("BEGIN")
    second.execute("BEGIN")
    equal(value(first, "SELECT redis_xact_lock('a')"), 1)
    equal(value(second, "SELECT redis_xact_lock('b')"), 1)
    equal(value(second, "SELECT redis_xact_lock('a')"), 0)
    first.execute("ROLLBACK")
    equal(value(second, "SELECT redis_xact_lock('a')"), 1)
    equal((is_locked("a"), is_locked("b")), (True, True))
    first.close()
    second.execute("COMMIT")
    equal((is_locked("a"), is_locked("b")), (False, False))
    second.close()


@test
def what_cannot_be_given_back_cannot_be_taken():
    start()
    db = connect(":memory:")
    db.execute("PRAGMA query_only = ON")
    db.execute("BEGIN")
    refused(db, "SELECT redis_xact_lock('lock')", "readonly", "how the transaction ends")
    refused(db, "SELECT * FROM redis_dequeue('jobs')", "readonly", "how the transaction ends")
    db.execute("COMMIT")
    true(not is_locked())
    db.close()


@test
def a_hold_that_ran_out_refuses_the_commit():
    db, other = connect(new_file()), connect(":memory:")
    value(db, "SELECT redis_config('hold', 1000)")
    start()
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (10, 0)")
    equal(value(db, "SELECT redis_idempotent('claim')"), 1)
    deadline = time.monotonic() + 30
    while not value(other, "SELECT redis_idempotent('claim')"):
        true(time.monotonic() < deadline, "the hold runs out")
        time.sleep(0.02)
    refused(db, "COMMIT", "no longer held: ", "idem:claim")
    equal((db.in_transaction, claim(), value(db, "SELECT count(*) FROM t WHERE id = 10")),
          (False, "done", 0), "somebody else's stays")
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (10, 0)")
    equal(value(db, "SELECT redis_reserve('stock', 'seat', 10)"), 0)
    while value(other, "SELECT redis_reserve('stock', 'seat', 4)") is None:
        true(time.monotonic() < deadline, "the hold runs out")
        time.sleep(0.02)
    refused(db, "COMMIT", "no longer held: ", "stock")
    equal((db.in_transaction, seats(), value(db, "SELECT count(*) FROM t WHERE id = 10")), (False, 6, 0))
    db.execute("INSERT INTO t SELECT 10, redis_reserve('stock', 'seat', 6)")
    equal(seats(), 0, "and the connection is as good as ever")
    db.close()
    other.close()


@test
def a_release_that_is_refused():
    """SQLite rolls back, and goes on in a transaction that is empty."""
    start()
    db = connect(new_file())
    db.execute("SAVEPOINT s")
    equal(db.execute("SELECT redis_xact_lock('lock'), redis_idempotent('claim')").fetchone(), (1, 1))
    db.execute("INSERT INTO t VALUES (10, 0)")
    redis("DEL", "idem:claim")
    refused(db, "RELEASE s", "no longer held: ")
    equal((is_locked(), claim(), db.in_transaction), (False, None, True))
    equal(value(db, "SELECT count(*) FROM t WHERE id = 10"), 0)
    equal(value(db, "SELECT redis_xact_lock('lock')"), 1)
    db.execute("ROLLBACK")
    true(not is_locked())
    db.close()


@test
def once_it_is_committed_it_stays():
    """A claim that was kept lasts as long as was asked for, not as long as the hold."""
    start()
    db = connect(":memory:")
    value(db, "SELECT redis_config('hold', 1000)")
    db.execute("BEGIN")
    equal(value(db, "SELECT redis_idempotent('claim', 600), redis_idempotent_result('claim', 'receipt')"), 1)
    true(redis("PTTL", "idem:claim") <= 1000)
    db.execute("COMMIT")
    true(500000 < redis("PTTL", "idem:claim") <= 600000)
    equal(value(db, "SELECT redis_idempotent_result('claim')"), "receipt")
    refused(db, "SELECT redis_idempotent_result('claim', 'another')")
    equal(value(db, "SELECT redis_idempotent_result('claim')"), "receipt")
    db.close()


@test
def asynchronous_commits_that_hold_something_are_synchronous():
    db = connect(new_file())
    value(db, "SELECT redis_config('commit_mode', 'async')")
    for _ in range(100):
        start(jobs=1)
        db.execute("BEGIN")
        take_all(db)
        db.execute("UPDATE t SET v = v + 1")
        db.execute("COMMIT")
        true(kept())
    db.close()


# ---- at random --------------------------------------------------------------------------------------


class Model:
    """What is held, by the savepoint under which it was taken."""

    def __init__(self):
        self.levels = []

    def held(self):
        return [name for level in self.levels for name in level]

    def take(self, name):
        self.levels[-1].append(name)

    def rollback_to(self, n):
        del self.levels[n + 1:]
        self.levels[n] = []

    def release(self, n):
        above = [name for level in self.levels[n:] for name in level]
        del self.levels[n:]
        self.levels[-1] += above


def step(rand, db, model, number):
    """One statement within the transaction."""
    deepest = len(model.levels) - 1
    what = rand.choice(("begin", "begin", "release", "rollback", "take", "take", "take", "fail"))
    if what == "begin" and deepest < 6:
        db.execute("SAVEPOINT s%d" % len(model.levels))
        model.levels.append([])
    elif what in ("release", "rollback") and deepest > 0:
        n = rand.randint(1, deepest)
        db.execute("%s s%d" % ("RELEASE" if what == "release" else "ROLLBACK TO", n))
        (model.release if what == "release" else model.rollback_to)(n)
    elif what == "take":
        name = "l%d" % rand.randint(0, 9)
        equal(value(db, "SELECT redis_xact_lock(?)", name), 1, name)
        if name not in model.held():
            model.take(name)
    elif what == "fail":
        refused(db, "INSERT INTO t SELECT CASE WHEN value = 1 THEN 1000 ELSE 1 END, "
                    "redis_xact_lock('f' || value) FROM json_each('[1, 2]')", "UNIQUE")
    equal(sorted(redis("KEYS", "[lf][0-9]")), sorted(name.encode() for name in model.held()),
          "after %d steps" % number)


@test
def at_random():
    seed = int(os.environ.get("RANDOM_SEED", time.time_ns() % 1000000))
    print("# RANDOM_SEED=%d" % seed, flush=True)
    rand = random.Random(seed)
    db = connect(new_file())
    redis("FLUSHALL")
    for _ in range(60):
        model = Model()
        model.levels.append([])
        db.execute(rand.choice(("BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT s0")))
        for number in range(rand.randint(1, 30)):
            step(rand, db, model, number)
        db.execute(rand.choice(("COMMIT", "ROLLBACK")))
        equal(redis("KEYS", "[lf][0-9]"), [])
    equal(value(db, "SELECT count(*) FROM t WHERE id = 1000"), 0)
    db.close()


main()
