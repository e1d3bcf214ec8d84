"""What a script of one shell cannot do: several connections, files under locks, a Redis that goes away,
Python's own transactions, a fork."""

import os
import sqlite3
import time

from harness import Redis, equal, main, sqlite, temp_dir, test, true, wait_for

redis = Redis()


def connect(database=":memory:", **options):
    return sqlite.connect(redis.url, database, **options)


def value(db, sql, *arguments):
    return db.execute(sql, arguments).fetchone()[0]


def pending(db):
    return [key for (key,) in db.execute("SELECT key FROM redis_pending")]


def fill(*keys):
    redis("FLUSHALL")
    for key in keys:
        redis("SET", key, "x")


def left():
    return sorted(key.decode() for key in redis("KEYS", "*"))


def new_file(name="test.db", rows=4, wal=False):
    """A file with a tracked table t(id, v), its keys t:1 ... in Redis."""
    path = os.path.join(temp_dir("sqlite"), name)
    db = connect(path)
    if wal:
        db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    db.execute("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?) "
               "INSERT INTO t SELECT i, 0 FROM s", (rows,))
    value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
    db.close()
    return path


@test
def a_read_only_file():
    path = new_file()
    db = connect("file:%s?mode=ro" % path, uri=True)
    fill("a", "b", "c")
    equal(value(db, "SELECT redis_invalidate('a') + count(*) FROM t"), 5)
    equal(left(), ["b", "c"])
    db.execute("BEGIN")
    equal(value(db, "SELECT redis_invalidate('b') + count(*) FROM t"), 5)
    equal((pending(db), left()), (["b"], ["b", "c"]))
    db.execute("COMMIT")
    equal(left(), ["c"])
    db.execute("BEGIN")
    value(db, "SELECT redis_invalidate('c')")
    db.execute("ROLLBACK")
    equal(left(), ["c"])
    db.close()


@test
def a_connection_that_may_only_read():
    db = connect()
    fill("a", "b")
    db.execute("PRAGMA query_only = ON")
    equal(value(db, "SELECT redis_invalidate('a')"), 1, "outside a transaction there is nothing to write")
    equal(left(), ["b"])
    db.execute("BEGIN")
    try:
        value(db, "SELECT redis_invalidate('b')")
        true(False, "a key that could not be dropped by a rollback was queued")
    except sqlite3.OperationalError as error:
        true("readonly" in str(error) and "how the transaction ends" in str(error), str(error))
    db.execute("COMMIT")
    equal(left(), ["b"])
    db.close()


@test
def under_another_writer():
    for wal in (False, True):
        path = new_file(wal=wal)
        writer, db = connect(path), connect(path, timeout=0)
        fill("a", "b", "t:1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE t SET v = 1 WHERE id = 1")
        value(db, "SELECT redis_invalidate('a') FROM t LIMIT 1")
        equal(left(), ["b", "t:1"])
        db.execute("BEGIN")
        value(db, "SELECT redis_invalidate('b') + count(*) FROM t")
        db.execute("COMMIT")
        equal(left(), ["t:1"])
        writer.execute("COMMIT")
        equal(left(), [])
        db.close()
        writer.close()


@test
def busy_at_commit_then_again():
    path = new_file()
    reader, db = connect(path), connect(path, timeout=0)
    fill("t:1", "t:2")
    rows = reader.execute("SELECT * FROM t")
    rows.fetchone()
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    for _ in range(2):
        try:
            db.execute("COMMIT")
            true(False, "COMMIT was not refused")
        except sqlite3.OperationalError as error:
            equal(str(error), "database is locked")
        equal((left(), pending(db)), (["t:1", "t:2"], ["t:1"]))
    rows.fetchall()
    rows.close()
    db.execute("COMMIT")
    equal((left(), pending(db)), (["t:2"], []))
    # the same in autocommit: the statement is undone, and so are its keys
    rows = reader.execute("SELECT * FROM t")
    rows.fetchone()
    try:
        db.execute("UPDATE t SET v = 1 WHERE id = 2")
        true(False, "the statement was not refused")
    except sqlite3.OperationalError as error:
        equal(str(error), "database is locked")
    equal((left(), pending(db)), (["t:2"], []))
    rows.close()
    db.execute("UPDATE t SET v = 2 WHERE id = 2")
    equal(left(), [])
    reader.close()
    db.close()


@test
def busy_at_commit_then_rolled_back():
    path = new_file()
    reader, db = connect(path), connect(path, timeout=0)
    fill("t:1")
    rows = reader.execute("SELECT * FROM t")
    rows.fetchone()
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    try:
        db.execute("COMMIT")
        true(False, "COMMIT was not refused")
    except sqlite3.OperationalError:
        pass
    db.execute("ROLLBACK")
    rows.close()
    equal((left(), pending(db)), (["t:1"], []))
    reader.close()
    db.close()
    equal(left(), ["t:1"])


@test
def connections_keep_to_themselves():
    first, second = connect(new_file(wal=True)), connect(new_file(wal=True))
    fill("t:1", "t:2", "x")
    first.execute("BEGIN")
    second.execute("BEGIN")
    first.execute("UPDATE t SET v = 1 WHERE id = 1")
    second.execute("UPDATE t SET v = 1 WHERE id = 2")
    value(second, "SELECT redis_config('key_prefix', 'other:')")
    equal((pending(first), len(pending(second))), (["t:1"], 1))
    second.execute("ROLLBACK")
    equal((pending(first), pending(second)), (["t:1"], []))
    first.execute("COMMIT")
    equal(left(), ["t:2", "x"])
    equal(value(first, "SELECT redis_get('x')"), "x")
    equal(value(second, "SELECT redis_get('x')"), None)
    first.close()
    second.execute("UPDATE t SET v = 1 WHERE id = 2")
    equal(left(), ["t:2", "x"])
    second.close()


@test
def a_hundred_thousand_rows():
    db = connect(new_file(rows=100000))
    redis("FLUSHALL")
    equal(value(db, "SELECT count(redis_set('t:' || id, 1)) FROM t"), 100000)
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1")
    equal(value(db, "SELECT count(*) FROM redis_pending"), 100000)
    db.execute("SAVEPOINT s")
    db.execute("DELETE FROM t")
    db.execute("ROLLBACK TO s")
    equal(value(db, "SELECT count(*) FROM redis_pending"), 100000)
    db.execute("ROLLBACK")
    equal((redis("DBSIZE"), pending(db)), (100000, []))
    db.execute("UPDATE t SET v = 2")
    equal(redis("DBSIZE"), 0)
    db.close()


@test
def a_savepoint_for_every_row():
    db = connect(new_file(rows=1))
    fill("kept")
    db.execute("BEGIN")
    for number in range(20000):
        db.execute("SAVEPOINT s")
        value(db, "SELECT redis_invalidate(?)", "k%d" % number)
        db.execute("RELEASE s" if number % 2 else "ROLLBACK TO s")
    equal(value(db, "SELECT count(*) FROM redis_pending"), 10000)
    db.execute("COMMIT")
    equal(left(), ["kept"])
    db.close()


@test
def pythons_own_transactions():
    path = new_file()
    db = connect(path, isolation_level="")
    fill("t:1", "t:2", "t:3", "t:4", "t:9")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    true(db.in_transaction)
    db.rollback()
    equal(len(left()), 5)
    with db:
        db.execute("UPDATE t SET v = 1 WHERE id = 1")
    equal(left(), ["t:2", "t:3", "t:4", "t:9"])
    try:
        with db:
            db.execute("UPDATE t SET v = 1 WHERE id = 2")
            raise KeyError
    except KeyError:
        pass
    equal(left(), ["t:2", "t:3", "t:4", "t:9"])
    cursor = db.executemany("INSERT OR REPLACE INTO t VALUES (?, ?)", [(3, 1), (9, 1)])
    equal(cursor.rowcount, 2)
    equal(db.execute("INSERT INTO t VALUES (77, 7)").lastrowid, 77)
    db.commit()
    equal(left(), ["t:2", "t:4"])
    # closed in the middle of a transaction: it never happened
    db.execute("UPDATE t SET v = 1 WHERE id = 2")
    db.close()
    equal(left(), ["t:2", "t:4"])


@test
def other_statements_run_on():
    """Taking part in a transaction must not stop statements that are being read."""
    db = connect(new_file())
    fill("a", "b", "c")
    db.execute("CREATE TABLE u (id INTEGER PRIMARY KEY)")
    for _ in range(3):
        db.execute("BEGIN")
        db.execute("UPDATE t SET v = v + 1")
        rows = db.execute("SELECT id, (SELECT count(*) FROM u WHERE u.id > t.id), redis_exists('a') "
                          "FROM t ORDER BY id")
        seen = [rows.fetchone()[0]]
        for key in ("a", "b"):
            value(db, "SELECT redis_invalidate(?)", key)
            seen.append(rows.fetchone()[0])
        seen += [row[0] for row in rows]
        equal(seen, [1, 2, 3, 4])
        db.execute("COMMIT")
    equal(left(), ["c"])
    db.execute("BEGIN")
    db.execute("INSERT INTO u VALUES (1), (2), (3)")
    returned = db.execute("UPDATE t SET v = 9 RETURNING id, redis_invalidate('x:' || id)")
    equal(returned.fetchone(), (1, 1))
    value(db, "SELECT redis_invalidate('y')")
    equal(len(returned.fetchall()), 3)
    equal(len(pending(db)), 9)
    db.execute("COMMIT")
    db.close()


@test
def a_script_loaded_inside_a_transaction_that_rolls_back():
    path = new_file()
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.execute("BEGIN")
    db.load_extension(sqlite.EXTENSION)
    value(db, "SELECT redis_config('url', ?)", redis.url)
    fill("t:1", "t:2")
    db.execute("SAVEPOINT s")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    db.execute("ROLLBACK TO s")
    equal(pending(db), [])
    db.execute("ROLLBACK")
    db.load_extension(sqlite.EXTENSION)
    db.execute("REPLACE INTO t VALUES (1, 1), (2, 2)")
    equal(left(), [])
    # a second load, while keys are queued, leaves them and the settings alone
    fill("t:1")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    db.load_extension(sqlite.EXTENSION)
    equal(pending(db), ["t:1"])
    equal(value(db, "SELECT redis_config('url')"), redis.url)
    db.execute("COMMIT")
    equal(left(), [])
    db.close()


@test
def redis_is_down_and_the_log_says_so():
    own = Redis()
    own("SET", "t:1", "x")
    path = new_file(rows=3)
    shell = sqlite.session(own.url, path)
    shell.run(".log stdout")
    equal(shell.run("SELECT redis_ping();"), "PONG")
    own.stop()
    said = shell.run("UPDATE t SET v = 1;")
    true("3 keys were not invalidated (3 are kept and sent when Redis is back, 0 are lost)" in said,
         said)
    equal(shell.run("SELECT count(*) FROM t WHERE v = 1;"), "3")
    equal(shell.run("SELECT value FROM redis_stats WHERE name = 'invalidations_waiting';"), "3")
    said = shell.run("BEGIN; SELECT redis_invalidate('by hand'); COMMIT;")
    true("4 keys were not invalidated" in said, said)
    said = shell.run("SELECT redis_invalidate('at once');")
    true("5 keys were not invalidated" in said, said)
    own.start()
    deadline = time.monotonic() + 30
    while shell.run("UPDATE t SET v = 2 WHERE id = 1;"):
        true(time.monotonic() < deadline, "no way back to Redis")
    wait_for("those of before to be sent", lambda: shell.run(
        "SELECT value FROM redis_stats WHERE name = 'invalidations_waiting';") == "0")
    sent = int(shell.run("SELECT value FROM redis_stats WHERE name = 'invalidations_sent';"))
    true(sent >= 5, sent)
    true(b"cmdstat_unlink" in own("INFO", "commandstats"), "nothing was deleted")
    shell.close()


@test
def a_connection_lost_before_the_commit_is_made_anew():
    db = connect()
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    db.execute("SELECT redis_invalidate_on('t', 't:{id}')").fetchall()
    fill("t:1")
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (1, 'x')")
    redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    time.sleep(1.1)  # a connection that was used within a second is taken to be alive
    db.execute("COMMIT")
    equal(left(), [])
    db.close()


@test
def kept_keys_go_at_close():
    own = Redis()
    path = new_file(rows=3)
    db = sqlite.connect(own.url, path)
    value(db, "SELECT redis_ping()")
    own.stop()
    db.execute("UPDATE t SET v = 1 WHERE id < 3")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 2 WHERE id = 3")
    own.start()
    for key in ("t:1", "t:2", "t:3"):
        own("SET", key, "stale")
    db.close()
    equal([own("EXISTS", key) for key in ("t:1", "t:2", "t:3")], [0, 0, 1],
          "what was committed went; what was not, did not")
    # and with Redis still away, or silent, closing does not wait for long
    db = sqlite.connect(own.url, path)
    value(db, "SELECT redis_ping()")
    own.freeze()
    db.execute("UPDATE t SET v = 3")
    begun = time.monotonic()
    db.close()
    took = time.monotonic() - begun
    own.thaw()
    true(took < 1.5, "closing took %.1f s" % took)


@test
def a_fork():
    db = connect(new_file())
    fill("parent", "child")
    redis("SET", "parent", "p")
    redis("SET", "child", "c")
    equal(value(db, "SELECT redis_get('parent')"), "p")
    child = os.fork()
    if child == 0:
        good = all(value(db, "SELECT redis_get('child')") == "c" for _ in range(100))
        os._exit(0 if good else 1)
    good = all(value(db, "SELECT redis_get('parent')") == "p" for _ in range(100))
    equal((good, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])), (True, 0))
    equal(value(db, "SELECT redis_get('parent')"), "p")
    db.close()


main()
