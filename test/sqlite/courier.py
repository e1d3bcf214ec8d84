"""What becomes of the rows of a SQLite outbox: leftovers, the thread that delivers, closing, forking, and
what a file may do by its rows."""

import os
import signal
import sqlite3
import threading
import time

from harness import Proxy, Redis, equal, main, test, true
from harness.sqlite_outbox import (NOBODY_URL, SILENT_URL, connect, fill, left, new_file, process,
                                   redis, refused, rows, until, value)


# ---- Redis away, processes that die -----------------------------------------------------------------


@test
def killed_between_commit_and_send():
    path = new_file()
    fill("t:1", "t:2")
    child = process(path, SILENT_URL, "SELECT redis_config('commit_timeout', 60000)",
                    "UPDATE t SET v = 5 WHERE id = 1")
    try:
        until(lambda: len(rows(path)) == 1, "the child has committed")
        equal(left(), ["t:1", "t:2"])
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    db = connect(path, commit_timeout=1)
    value(db, "SELECT redis_ping()")
    until(lambda: left() == ["t:2"], "the first call of the next process delivers")
    equal(db.execute("SELECT * FROM redis_outbox").fetchall(), [])
    db.execute("UPDATE t SET v = 6 WHERE id = 3")
    until(lambda: b"t:1" not in rows(path)[0][1], "and its next transaction deletes the row")
    db.close()


@test
def a_look_takes_no_lock_that_others_would_meet():
    path = new_file()
    plain = sqlite3.connect(path, isolation_level=None, timeout=0)
    plain.execute("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES ('key', 't:1', 0)")
    fill("t:1")
    db = connect(path, commit_timeout=1)
    held = db.execute("SELECT redis_get('t:1')")
    held.fetchone()
    plain.execute("UPDATE sqlredis_outbox SET created_at = 1")
    until(lambda: left() == [], "it was found all the same")
    held.close()
    db.execute("BEGIN")
    value(db, "SELECT redis_get('t:1')")
    plain.execute("UPDATE sqlredis_outbox SET created_at = 2")
    db.execute("COMMIT")
    db.close()


@test
def rows_of_plain_sql_are_delivered_by_whoever_has_the_extension():
    path = new_file()
    plain = sqlite3.connect(path, isolation_level=None)
    for prefix, key in ("", "t:1"), ("app:", "app:t:1"):
        db = connect(path)
        value(db, "SELECT redis_config('key_prefix', ?)", prefix)
        fill(key, "other")
        plain.execute("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES ('key', 't:1', 0), "
                      "('key', NULL, 0)")
        equal([row[1] for row in db.execute("SELECT * FROM redis_outbox")], ['["t:1"]', "[]"])
        equal(value(db, "SELECT redis_outbox_drain()"), 2)
        equal((left(), rows(path)), (["other"], []))
        db.close()
    plain.close()


@test
def redis_is_away_and_comes_back():
    for mode in "sync", "async":
        way = Proxy(redis)
        path = new_file()
        db = connect(path, way.url)
        value(db, "SELECT redis_config('commit_mode', ?)", mode)
        value(db, "SELECT redis_ping()")
        fill("t:1", "t:2", "t:3", "t:4")
        way.down()
        for key in 1, 2, 3:
            db.execute("UPDATE t SET v = v + 1 WHERE id = ?", (key,))
        until(lambda: db.execute("SELECT attempts > 0 AND last_error IS NOT NULL FROM redis_outbox")
              .fetchall() == [(1,)] * 3, "redis_outbox says why")
        equal([row[0] for row in db.execute("SELECT keys FROM redis_outbox")],
              ['["t:1"]', '["t:2"]', '["t:3"]'])
        refused(db, "SELECT redis_outbox_drain()", "onnect")
        equal((len(rows(path)), left()), (3, ["t:1", "t:2", "t:3", "t:4"]))
        stats = dict(db.execute("SELECT * FROM redis_stats"))
        equal((stats["outbox_rows"], stats["invalidations_waiting"]), ("3", "3"))
        way.up()
        until(lambda: left() == ["t:4"], "by itself, without another call")
        until(lambda: db.execute("SELECT * FROM redis_outbox").fetchall() == [], "it knows")
        db.execute("UPDATE t SET v = v + 1 WHERE id = 4")
        equal(len(rows(path)), 1, "the delivered ones are deleted")
        db.close()


@test
def asynchronous_commits_are_read_by_their_own_session():
    path = new_file()
    db = connect(path)
    value(db, "SELECT redis_config('commit_mode', 'async')")
    fill("t:1")
    for i in range(300):
        redis("SET", "t:1", "x")
        db.execute("UPDATE t SET v = ? WHERE id = 1", (i,))
        equal(value(db, "SELECT redis_get('t:1')"), None, "the %d-th time" % i)
    true(len(rows(path)) <= 2, "rows are deleted as they are delivered")
    db.close()


@test
def closing_does_not_wait_for_a_redis_that_hangs():
    path = new_file()
    for mode in "sync", "async":
        own = Redis()
        db = connect(path, own.url, commit_timeout=1)
        value(db, "SELECT redis_config('command_timeout', 3600000), redis_config('connect_timeout', 3600000)")
        value(db, "SELECT redis_config('commit_mode', ?)", mode)
        value(db, "SELECT redis_ping()")
        own.freeze()
        db.execute("UPDATE t SET v = v + 1 WHERE id = 1")
        db.close()  # or it would take an hour
        own.thaw()
        own.stop()
    true(rows(path), "what was not delivered is there")


@test
def a_pool_while_redis_is_away():
    way = Proxy(redis)
    path = new_file(pragma="PRAGMA journal_mode = WAL")
    pool = [connect(path, way.url, timeout=60) for _ in range(50)]
    fill(*("t:%d" % (100 + i) for i in range(50)))
    way.down()
    for i, db in enumerate(pool):
        db.execute("INSERT INTO t VALUES (?, 0)", (100 + i,))
    equal((len(rows(path)), len(left())), (50, 50))
    way.up()
    until(lambda: left() == [], "all of them deliver")
    for db in pool:
        db.execute("UPDATE t SET v = 1 WHERE id = 1")
        db.close()
    equal(len(rows(path)), 50, "each deletes a row when it writes one")


@test
def a_fork_with_a_courier_at_work():
    path = new_file()
    db = connect(path, SILENT_URL, commit_timeout=1)
    value(db, "SELECT redis_config('commit_mode', 'async')")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    child = os.fork()
    if child == 0:
        db.execute("SELECT redis_config('url', ?)", (redis.url,)).fetchall()
        value(db, "SELECT redis_ping()")
        db.close()
        os._exit(0)
    equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
    db.close()


# ---- commands ---------------------------------------------------------------------------------------


@test
def commands_from_a_trigger_of_a_file():
    path = new_file()
    db = connect(path)
    db.execute("CREATE TRIGGER x AFTER UPDATE ON t BEGIN "
               "SELECT redis_on_commit('SET', 'written', NEW.id); END")
    fill("t:1")
    refused(db, "UPDATE t SET v = 1 WHERE id = 1", "trigger_commands")
    refused(db, "SELECT redis_on_commit('SET', 'a', 1)", "trigger_commands")
    equal(left(), ["t:1"])
    value(db, "SELECT redis_config('trigger_commands', 1)")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    equal((left(), redis("GET", "written")), (["written"], b"1"))
    db.execute("DROP TRIGGER x")
    value(db, "SELECT redis_config('trigger_commands', 0)")
    db.execute("CREATE TEMP TRIGGER y AFTER UPDATE ON t BEGIN "
               "SELECT redis_on_commit('SET', 'written', NEW.id + 1); END")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    equal(redis("GET", "written"), b"2")
    for sql in ("CREATE VIEW w AS SELECT redis_invalidate_pattern('*') AS x",):
        db.execute(sql)
        refused(db, "SELECT x FROM w", "trigger_commands")
    db.close()


@test
def commands_that_stand_in_a_file_wait_for_somebody_who_trusts_it():
    path = new_file()
    fill("t:1", "other")
    child = process(path, NOBODY_URL, "BEGIN", "UPDATE t SET v = 5 WHERE id = 1",
                    "SELECT redis_on_commit('SET', 'a', 1), redis_on_commit('INCR', 'n')", "COMMIT")
    for _ in range(4):
        equal(child.stdout.readline(), b"done\n")
    child.kill()
    child.wait()
    db = connect(path)
    value(db, "SELECT redis_ping()")
    refused(db, "SELECT redis_outbox_drain()", "trigger_commands")
    true("not sent" in value(db, "SELECT last_error FROM redis_outbox"), "and it says why")
    equal(left(), ["other", "t:1"])
    value(db, "SELECT redis_config('trigger_commands', 1)")
    copy = sqlite3.connect(path).execute("SELECT kind, data FROM sqlredis_outbox").fetchone()
    equal(value(db, "SELECT redis_outbox_drain()"), 1)
    equal((left()[0], redis("GET", "n")), ("a", b"1"))
    db.execute("INSERT INTO sqlredis_outbox (kind, data) VALUES (?, ?)", copy)
    equal(value(db, "SELECT redis_outbox_drain()"), 1)
    equal(redis("GET", "n"), b"1", "delivered twice, done once")
    db.close()


@test
def tags_patterns_and_commands_at_commit():
    path = new_file()
    db = connect(path)
    value(db, "SELECT redis_config('key_prefix', 'a*b:')")
    fill("a*b:x1", "a*b:y", "aXb:x1")
    db.execute("BEGIN")
    equal(value(db, "SELECT redis_invalidate_pattern('x*')"), 1)
    equal(value(db, "SELECT redis_invalidate_pattern('x*')"), 0)
    equal(value(db, "SELECT redis_invalidate_tag('one', 'two', 'one')"), 2)
    equal(value(db, "SELECT redis_on_commit('LPUSH', 'l', 1, 2.5, x'00ff')"), 1)
    equal(db.execute("SELECT key, kind FROM redis_pending").fetchall(),
          [("x*", "pattern"), ("one", "tag"), ("two", "tag"), ('LPUSH l 1 2.5 "\\x00\\xff"', "command")])
    equal(left(), ["a*b:x1", "a*b:y", "aXb:x1"])
    db.execute("COMMIT")
    true("a*b:x1" not in left() and "aXb:x1" in left(), "the prefix is no pattern")
    equal(redis("LRANGE", "l", "0", "-1"), [b"\x00\xff", b"2.5", b"1"])
    db.execute("BEGIN")
    value(db, "SELECT redis_on_commit('SET', 'never', 1)")
    db.execute("ROLLBACK")
    equal(redis("EXISTS", "never"), 0)
    equal(value(db, "SELECT redis_on_commit('SET', 'now', 1)"), 1)
    equal(redis("EXISTS", "now"), 1, "outside a transaction at once")
    refused(db, "SELECT redis_on_commit('SUBSCRIBE', 'x')", "refused")
    equal(value(db, "SELECT redis_on_commit('SET', NULL, 1)"), None)
    db.close()


@test
def a_wait_for_the_thread_is_interrupted():
    path = new_file()
    db = connect(path, SILENT_URL, 60000, check_same_thread=False)
    value(db, "SELECT redis_config('connect_timeout', 60000), redis_config('command_timeout', 60000)")
    value(db, "SELECT redis_config('commit_mode', 'async')")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    begun = time.monotonic()
    threading.Timer(0.2, db.interrupt).start()
    refused(db, "SELECT redis_exists('t:1')", "interrupted")
    true(time.monotonic() - begun < 30, "it took %.1f s" % (time.monotonic() - begun))
    value(db, "SELECT redis_config('commit_timeout', 1)")
    db.close()


main()
