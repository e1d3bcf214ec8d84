"""The outbox of a SQLite file: what a transaction owes Redis commits with it, whatever becomes of the
process, of Redis, and of COMMIT itself."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

from harness import Proxy, Redis, equal, main, sqlite, temp_dir, test, true

redis = Redis()
SILENT = socket.create_server(("127.0.0.1", 0), backlog=100)  # takes connections and says nothing
SILENT_URL = "redis://127.0.0.1:%d" % SILENT.getsockname()[1]
NOBODY_URL = "redis://127.0.0.1:1"
TABLE = """CREATE TABLE t (id INTEGER PRIMARY KEY, v);
    INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0);"""


def connect(path, url=None, commit_timeout=5000, **options):
    """Rows of other processes count as left over after twice commit_timeout."""
    db = sqlite.connect(url or redis.url, path, **options)
    value(db, "SELECT redis_config('commit_timeout', ?)", commit_timeout)
    return db


def value(db, sql, *arguments):
    return db.execute(sql, arguments).fetchone()[0]


def new_file(name="test.db", pragma="SELECT 1"):
    path = os.path.join(temp_dir("sqlite"), name)
    db = connect(path)
    db.execute(pragma).fetchall()
    db.executescript(TABLE)
    value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
    db.close()
    return path


def fill(*keys):
    redis("FLUSHALL")
    for key in keys:
        redis("SET", key, "x")


def left():
    """The keys in Redis, but for the ids of commands that were run."""
    return sorted(key.decode() for key in redis("KEYS", "*") if b"sqlredis:done:" not in key)


def rows(path):
    """What anybody sees who has not loaded the extension."""
    db = sqlite3.connect(path, isolation_level=None)
    found = db.execute("SELECT kind, CAST(data AS BLOB) FROM sqlredis_outbox ORDER BY id").fetchall()
    db.close()
    return [(kind, b"".join(data.split(b"\x01K\x00\x00\x00\x03")) if kind == "effects" else data)
            for kind, data in found]


def refused(db, sql, *words):
    try:
        db.execute(sql).fetchall()
    except sqlite3.Error as error:
        for word in words:
            true(word in str(error), "%r is not in %r" % (word, str(error)))
        return str(error)
    raise AssertionError("not refused: " + sql)


def until(holds, what):
    deadline = time.monotonic() + 60
    while not holds():
        true(time.monotonic() < deadline, what)
        time.sleep(0.01)


def process(path, url, *statements):
    """A process that runs statements, prints a line after each, and waits to be killed."""
    program = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.enable_load_extension(True)
db.load_extension(sys.argv[2])
for sql in sys.argv[3:]:
    db.execute(sql).fetchall()
    print("done", flush=True)
sys.stdin.read()
"""
    return subprocess.Popen([sys.executable, "-c", program, path, sqlite.EXTENSION, *statements],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env=sqlite.environment(url))


# ---- the row ------------------------------------------------------------------------------------


@test
def a_transaction_writes_one_row_and_deletes_the_one_before():
    path = new_file()
    db = connect(path)
    fill("t:1", "t:2")
    equal(rows(path), [])
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    equal((rows(path), left()), ([("effects", b"t:1")], ["t:2"]))
    equal(db.execute("SELECT * FROM redis_outbox").fetchall(), [], "it is delivered")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 2")
    db.execute("UPDATE t SET v = 1 WHERE id = 3")
    db.execute("COMMIT")
    equal(rows(path)[0][1][:3], b"t:2")
    equal((len(rows(path)), left()), (1, []))
    equal(value(db, "SELECT redis_outbox_drain()"), 0, "nothing waits")
    equal(rows(path), [], "and what was delivered is deleted, too")
    db.close()


@test
def in_memory_mode_there_is_none():
    path = new_file()
    db = connect(path)
    value(db, "SELECT redis_config('durability', 'memory')")
    fill("t:1")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    equal((rows(path), left()), ([], []))
    db.close()


@test
def a_database_in_memory_or_in_temp_has_none():
    for database in ":memory:", "":
        db = connect(database)
        db.executescript(TABLE)
        value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
        db.execute("CREATE TEMP TABLE u (id)")
        value(db, "SELECT redis_invalidate_on('temp.u', 'u:{id}')")
        fill("t:1", "u:1")
        db.execute("UPDATE t SET v = 1 WHERE id = 1")
        db.execute("INSERT INTO u VALUES (1)")
        equal(left(), [])
        equal(db.execute("SELECT * FROM redis_outbox").fetchall(), [])
        db.close()


@test
def a_read_only_file_is_refused():
    path = os.path.join(temp_dir("sqlite"), "plain.db")
    sqlite3.connect(path).executescript(TABLE)
    db = connect("file:%s?mode=ro" % path, uri=True)
    refused(db, "SELECT redis_invalidate_on('t', 't:{id}')", "read")
    db.close()


@test
def every_attached_file_has_its_own():
    for pragma in "PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL":
        first, second, third = (new_file("%s.db" % name, pragma) for name in "abc")
        db = connect(first)
        db.execute("ATTACH ? AS b", (second,))
        db.execute("ATTACH ? AS c", (third,))
        fill("t:1", "t:2", "t:3")
        db.execute("BEGIN")
        db.execute("UPDATE main.t SET v = 1 WHERE id = 1")
        db.execute("UPDATE b.t SET v = 1 WHERE id = 2")
        db.execute("COMMIT")
        equal(left(), ["t:3"])
        equal([len(rows(path)) for path in (first, second, third)], [1, 1, 0])
        equal(rows(first), rows(second), "nobody knows whose key is whose")
        db.execute("UPDATE c.t SET v = 1 WHERE id = 3")
        equal([len(rows(path)) for path in (first, second, third)], [1, 1, 1])
        db.execute("DETACH b")
        db.execute("ATTACH ? AS b", (third.replace("c.db", "d.db"),))
        db.execute("UPDATE main.t SET v = 2 WHERE id = 1")
        equal([len(rows(path)) for path in (first, second, third)], [1, 1, 1])
        db.execute("DETACH b")
        db.execute("ATTACH ? AS b", (second,))
        equal(value(db, "SELECT redis_outbox_drain()"), 0, "all was delivered")
        equal([len(rows(path)) for path in (first, second, third)], [0, 0, 0])
        db.close()


@test
def in_every_journal_mode_and_under_an_exclusive_lock():
    for mode in "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF", "WAL":
        for locking in "NORMAL", "EXCLUSIVE":
            path = new_file()
            db = connect(path)
            db.execute("PRAGMA locking_mode = " + locking).fetchall()
            db.execute("PRAGMA journal_mode = " + mode).fetchall()
            fill("t:1", "t:2")
            for key in 1, 2:
                db.execute("UPDATE t SET v = 1 WHERE id = ?", (key,))
                equal(value(db, "SELECT count(*) FROM sqlredis_outbox"), 1, mode)
            equal(left(), [])
            db.close()
            os.remove(path)


@test
def a_large_transaction_has_many_rows():
    path = new_file()
    db = connect(path)
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    value(db, "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 20000) "
          "SELECT sum(redis_invalidate(printf('%01000d', i))) FROM s")
    db.execute("COMMIT")
    equal(value(db, "SELECT count(*) FROM sqlredis_outbox"), 3)
    true(value(db, "SELECT max(length(data)) FROM sqlredis_outbox") <= 8 << 20, "8 MB each")
    db.execute("UPDATE t SET v = 2 WHERE id = 1")
    equal([(kind, data[:9]) for kind, data in rows(path)], [("effects", b"t:1")])
    db.close()


# ---- what the application sees --------------------------------------------------------------------


@test
def counters_are_the_applications():
    path = new_file()
    db = connect(path)
    db.execute("INSERT INTO t VALUES (70, 1), (71, 1)")
    equal(db.execute("SELECT changes(), last_insert_rowid()").fetchone(), (2, 71))
    total = db.total_changes
    db.execute("UPDATE t SET v = 5 WHERE id < 3")
    equal(db.execute("SELECT changes(), last_insert_rowid()").fetchone(), (2, 71))
    equal(db.total_changes - total, 4, "the outbox's own: one row in, one row out")
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (80, 1)")
    db.execute("COMMIT")
    equal(db.execute("SELECT changes(), last_insert_rowid()").fetchone(), (1, 80))
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    db.execute("UPDATE t SET v = 1 WHERE id = 12345")
    db.execute("COMMIT")
    equal(db.execute("SELECT changes(), last_insert_rowid()").fetchone(), (0, 80),
          "nothing does not become something")
    db.close()


@test
def an_authorizer_sees_it_and_what_it_denies_is_no_silent_loss():
    path = new_file()
    for answer, word in (sqlite3.SQLITE_DENY, "outbox"), (sqlite3.SQLITE_IGNORE, "outbox"):
        db = connect(path)
        fill("t:1")
        value(db, "SELECT redis_exists('t:1')")
        seen = []

        def judge(action, first, *_):
            if first == "sqlredis_outbox" and action == sqlite3.SQLITE_INSERT:
                seen.append(action)
                return answer
            return sqlite3.SQLITE_OK
        db.set_authorizer(judge)
        refused(db, "UPDATE t SET v = 9 WHERE id = 1", word, "durability")
        true(seen, "it was asked")
        equal((left(), value(db, "SELECT count(*) FROM t WHERE v = 9")), (["t:1"], 0))
        value(db, "SELECT redis_config('durability', 'memory')")
        db.execute("UPDATE t SET v = 8 WHERE id = 1")
        equal(left(), [])
        db.set_authorizer(None)
        db.close()


@test
def an_update_hook_and_a_trace_see_it():
    path = new_file()
    db = connect(path)
    said = []
    db.set_trace_callback(said.append)
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    true(any("sqlredis_outbox" in sql for sql in said), "in a trace")
    db.close()


# ---- COMMIT that does not ---------------------------------------------------------------------------


@test
def busy_at_commit_and_rolled_back_to_a_savepoint_and_committed():
    path = new_file()
    reader, db = connect(path), connect(path, timeout=0)
    for undo in False, True:
        fill("t:1", "t:2", "t:3")
        held = reader.execute("SELECT * FROM t")
        held.fetchone()
        db.execute("BEGIN")
        db.execute("UPDATE t SET v = 1 WHERE id = 1")
        db.execute("SAVEPOINT s")
        db.execute("UPDATE t SET v = 1 WHERE id = 2")
        for _ in range(2):
            refused(db, "COMMIT", "locked")
        if undo:
            db.execute("ROLLBACK TO s")
        db.execute("UPDATE t SET v = 1 WHERE id = 3")
        refused(db, "COMMIT", "locked")
        held.close()
        db.execute("COMMIT")
        equal(left(), ["t:2"] if undo else [])
        kept = rows(path)
        equal(len(kept), 1)
        equal([key in kept[0][1] for key in (b"t:1", b"t:2", b"t:3")], [True, not undo, True])
    db.close()
    reader.close()


@test
def what_was_all_rolled_back_leaves_no_row():
    path = new_file()
    reader, db = connect(path), connect(path, timeout=0)
    fill("t:1")
    held = reader.execute("SELECT * FROM t")
    held.fetchone()
    db.execute("BEGIN")
    db.execute("SAVEPOINT s")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    refused(db, "COMMIT", "locked")
    db.execute("ROLLBACK TO s")
    held.close()
    db.execute("COMMIT")
    equal((left(), rows(path)), (["t:1"], []))
    # an id that was given and rolled back is given again: it must not count as ours
    plain = sqlite3.connect(path, isolation_level=None)
    plain.execute("INSERT INTO sqlredis_outbox (kind, data) VALUES ('key', 't:1')")
    db.execute("UPDATE t SET v = 1 WHERE id = 2")
    equal([kind for kind, _ in rows(path)], ["key", "effects"])
    plain.close()
    db.close()
    reader.close()


@test
def autocommit_that_is_busy_leaves_no_row():
    path = new_file()
    reader, db = connect(path), connect(path, timeout=0)
    fill("t:1")
    held = reader.execute("SELECT * FROM t")
    held.fetchone()
    refused(db, "UPDATE t SET v = 1 WHERE id = 1", "locked")
    held.close()
    equal((left(), rows(path)), (["t:1"], []))
    db.close()
    reader.close()


@test
def or_fail_keeps_what_it_changed_and_its_keys():
    path = new_file()
    db = connect(path)
    db.executescript("CREATE UNIQUE INDEX u ON t (v) WHERE v > 100")
    fill("t:1", "t:2")
    value(db, "SELECT redis_outbox_drain()")
    refused(db, "UPDATE OR FAIL t SET v = 101 WHERE id < 3", "UNIQUE")
    equal(value(db, "SELECT count(*) FROM t WHERE v = 101"), 1)
    true("t:1" not in left(), "its row did change")
    equal(len(rows(path)), 1)
    db.close()


@test
def a_deferred_foreign_key_fails_at_commit():
    path = new_file()
    db = connect(path)
    db.executescript("PRAGMA foreign_keys = ON; CREATE TABLE c (id REFERENCES t (id) DEFERRABLE "
                     "INITIALLY DEFERRED)")
    fill("t:1")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    db.execute("INSERT INTO c VALUES (99)")
    refused(db, "COMMIT", "FOREIGN KEY")
    equal((left(), rows(path)), (["t:1"], []))
    db.execute("DELETE FROM c")
    db.execute("COMMIT")
    equal((left(), len(rows(path))), ([], 1))
    db.close()


@test
def a_full_disk_at_the_outbox_rolls_back_and_says_so():
    path = new_file()
    db = connect(path)
    fill("t:1")
    pages = value(db, "PRAGMA page_count")
    value(db, "PRAGMA max_page_count = %d" % pages)
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 7 WHERE id = 1")
    value(db, "SELECT redis_invalidate(printf('%010000d', 1))")
    refused(db, "COMMIT", "full")
    equal((db.in_transaction, left(), value(db, "SELECT count(*) FROM t WHERE v = 7")),
          (False, ["t:1"], 0))
    refused(db, "UPDATE t SET v = redis_invalidate(printf('%010000d', 2)) WHERE id = 1", "full")
    equal((left(), value(db, "SELECT count(*) FROM redis_pending")), (["t:1"], 0))
    value(db, "PRAGMA max_page_count = 100000")
    db.execute("UPDATE t SET v = 7 WHERE id = 1")
    equal((left(), len(rows(path))), ([], 1))
    db.close()


@test
def an_outbox_that_is_dropped_is_none():
    path = new_file()
    db = connect(path)
    fill("t:1", "t:2")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    db.execute("DROP TABLE sqlredis_outbox")
    db.execute("COMMIT")
    db.execute("UPDATE t SET v = 1 WHERE id = 2")
    equal(left(), [])
    db.close()


@test
def connections_of_a_shared_cache():
    path = new_file()
    uri = "file:%s?cache=shared" % path
    db, other = connect(uri, uri=True), connect(uri, uri=True)
    fill("t:1", "t:2")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    held = other.execute("SELECT * FROM sqlredis_outbox UNION ALL "
                         "VALUES (1, 2, 3, 4, 5), (1, 2, 3, 4, 6), (1, 2, 3, 4, 7)")
    held.fetchone()
    refused(db, "COMMIT", "locked")
    true(db.in_transaction, "it can be tried again")
    held.close()
    db.execute("COMMIT")
    equal(left(), ["t:2"])
    other.execute("UPDATE t SET v = 1 WHERE id = 2")
    equal(left(), [])
    db.close()
    other.close()


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


main()
