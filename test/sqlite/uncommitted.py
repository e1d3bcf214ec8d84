"""Whose a row of an outbox is: one that plain SQL wrote is nobody's before it is committed, not even for the
connection that sees it; and an id says nothing once the outbox is another one."""

import os
import sqlite3
import time

from harness import Redis, contains, equal, main, sqlite, temp_dir, test, true

redis = Redis()


def value(db, sql, *arguments):
    return db.execute(sql, arguments).fetchall()[0][0]


def connect(path, **options):
    db = sqlite.connect(redis.url, path, **options)
    value(db, "SELECT redis_config('commit_timeout', 1)")  # rows are left over at once
    return db


def new_file():
    """Triggers of t write rows in plain SQL, those of u call redis_invalidate."""
    path = os.path.join(temp_dir("sqlite"), "test.db")
    db = connect(path)
    db.executescript("""
        CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 0), (2, 0);
        CREATE TABLE u (id INTEGER PRIMARY KEY, v); INSERT INTO u VALUES (1, 0);""")
    value(db, "SELECT redis_config('trigger_mode', 'outbox')")
    value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
    value(db, "SELECT redis_config('trigger_mode', 'main')")
    value(db, "SELECT redis_invalidate_on('u', 'u:{id}')")
    db.close()
    return path


def fill(*keys):
    redis("FLUSHALL")
    for key in keys:
        redis("SET", key, "x")


def left():
    return sorted(key.decode() for key in redis("KEYS", "*"))


def age(db):
    """Old enough to be left over."""
    db.execute("UPDATE sqlredis_outbox SET created_at = 0")


def settled(db):
    """The thread has done what it was given."""
    deadline = time.monotonic() + 60
    while value(db, "SELECT value FROM redis_stats WHERE name = 'invalidations_waiting'") != "0":
        true(time.monotonic() < deadline, "the thread is slow")
        time.sleep(0.01)


def commits_until(db, holds):
    """A connection looks once a second, in its commits."""
    deadline = time.monotonic() + 60
    while not holds():
        true(time.monotonic() < deadline, "what was left is delivered by commits")
        db.execute("UPDATE u SET v = v + 1")
        time.sleep(0.05)


@test
def a_call_in_the_transaction_delivers_nothing_of_it():
    path = new_file()
    db = connect(path)
    fill("t:1")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    age(db)
    value(db, "SELECT redis_exists('t:1')")
    settled(db)
    equal(left(), ["t:1"], "not committed")
    db.execute("COMMIT")
    commits_until(db, lambda: left() == [])
    db.close()


@test
def nor_does_its_own_commit():
    path = new_file()
    db = connect(path)
    fill("t:1")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    age(db)
    db.execute("UPDATE u SET v = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM t").fetchall()
    try:
        db.execute("COMMIT")
        raise AssertionError("nobody holds up the commit")
    except sqlite3.OperationalError:
        pass
    settled(db)
    equal(left(), ["t:1"], "COMMIT was busy")
    other.execute("COMMIT")
    db.execute("COMMIT")
    commits_until(db, lambda: left() == [])
    db.close()
    other.close()


@test
def an_id_that_was_rolled_back_is_anothers():
    path = new_file()
    db = connect(path)
    fill("t:2")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    age(db)
    value(db, "SELECT redis_exists('t:1')")
    db.execute("UPDATE u SET v = 1")
    db.execute("ROLLBACK")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE t SET v = 2 WHERE id = 2")
    age(other)
    other.close()
    commits_until(db, lambda: left() == [])
    db.close()


@test
def others_uncommitted_rows_of_a_shared_cache_neither():
    path = new_file()
    shared = "file:%s?cache=shared" % path
    writer, reader = connect(shared, uri=True), connect(shared, uri=True)
    fill("t:1")
    reader.execute("PRAGMA read_uncommitted = ON")
    writer.execute("BEGIN")
    writer.execute("UPDATE t SET v = 1 WHERE id = 1")
    age(writer)
    value(reader, "SELECT redis_exists('t:1') FROM t")
    settled(reader)
    equal(left(), ["t:1"])
    writer.execute("ROLLBACK")
    reader.close()
    writer.close()


@test
def a_drain_is_refused_where_the_transaction_has_written():
    path = new_file()
    db = connect(path)
    fill("t:1")
    db.execute("BEGIN")
    equal(value(db, "SELECT redis_outbox_drain()"), 0)
    db.execute("COMMIT")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    try:
        value(db, "SELECT redis_outbox_drain()")
        raise AssertionError("not refused")
    except sqlite3.OperationalError as problem:
        contains(str(problem), "outside of transactions")
    equal(left(), ["t:1"])
    db.execute("COMMIT")
    equal(value(db, "SELECT redis_outbox_drain()"), 1)
    equal(left(), [])
    db.close()


@test
def ids_of_an_outbox_that_is_gone_mean_nothing():
    for gone in "file", "table":
        path = new_file()
        db = connect(":memory:")
        db.execute("ATTACH ? AS f", (path,))
        for _ in range(5):
            db.execute("UPDATE f.u SET v = v + 1")
        if gone == "file":
            db.execute("DETACH f")
            copy = new_file()
            os.remove(path)
            os.rename(copy, path)
            db.execute("ATTACH ? AS f", (path,))
        else:
            db.execute("DROP TABLE f.sqlredis_outbox")
            value(db, "SELECT redis_invalidate_on('f.u', 'u:{id}')")
        keys = ["k:%d" % i for i in range(9)]
        fill(*keys)
        other = sqlite3.connect(path, isolation_level=None)
        for key in keys:
            other.execute("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES ('key', ?, 0)", (key,))
        other.close()
        deadline = time.monotonic() + 60
        while left():
            true(time.monotonic() < deadline, "delivered: " + gone)
            db.execute("UPDATE f.u SET v = v + 1")
            time.sleep(0.05)
        db.close()


@test
def a_transaction_that_only_reads_locks_no_outbox():
    path = new_file()
    shared = "file:%s?cache=shared" % path
    reader, writer = connect(shared, uri=True), connect(shared, uri=True)
    for call in "redis_exists('t:1')", "redis_cached('t:1', 60, 'SELECT v FROM t')":
        reader.execute("BEGIN")
        value(reader, "SELECT %s FROM t LIMIT 1" % call.replace("FROM t", "FROM t LIMIT 1"))
        writer.execute("UPDATE u SET v = v + 1")
        reader.execute("COMMIT")
    reader.close()
    writer.close()


main()
