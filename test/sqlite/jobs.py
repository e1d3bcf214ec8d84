"""Queues and BullMQ in transactions of SQLite: what is queued at commit, who may queue it, and how often a
table-valued function that takes a job is run."""

import json

from harness import equal, main, test, true
from harness.sqlite_outbox import (NOBODY_URL, SILENT_URL, connect, new_file, process, redis, refused, rows, until,
                                   value)


def fill(*payloads):
    redis("FLUSHALL")
    for payload in payloads:
        redis("LPUSH", "queue:q", payload)


def waiting(db, queue="q"):
    return value(db, "SELECT redis_queue_len(?)", queue)


@test
def jobs_of_a_transaction_come_with_its_commit():
    for path in ":memory:", new_file():
        db = connect(path)
        redis("FLUSHALL")
        db.execute("BEGIN")
        first = value(db, "SELECT redis_enqueue('q', 'one')")
        db.execute("SAVEPOINT s")
        value(db, "SELECT redis_enqueue('q', 'never')")
        equal(len(db.execute("SELECT * FROM redis_pending").fetchall()), 2)
        db.execute("ROLLBACK TO s")
        value(db, "SELECT redis_enqueue('q', x'00ff')")
        shown = db.execute("SELECT key, depth FROM redis_pending").fetchall()
        equal(len(shown), 2, "%r" % shown)
        true("one" in shown[0][0] and "never" not in "%r" % shown, "%r" % shown)
        equal(redis("KEYS", "queue:*"), [])
        db.execute("COMMIT")
        equal(waiting(db), 2)
        equal(db.execute("SELECT id, payload, attempts FROM redis_dequeue('q')").fetchall(), [(first, "one", 1)])
        equal(value(db, "SELECT payload FROM redis_dequeue('q')"), b"\x00\xff")
        db.execute("BEGIN")
        value(db, "SELECT redis_enqueue('q', 'x')")
        db.execute("ROLLBACK")
        equal(waiting(db), 0)
        db.close()


@test
def a_job_is_acknowledged_with_the_commit():
    db = connect(new_file())
    fill("a", "b")
    for end, reserved in ("ROLLBACK", 0), ("COMMIT", 0):
        db.execute("BEGIN")
        job, payload = db.execute("SELECT id, payload FROM redis_dequeue('q')").fetchone()
        equal(payload, "a")
        equal(value(db, "SELECT redis_ack('q', ?)", job), 1)
        db.execute("INSERT OR REPLACE INTO t VALUES (10, ?)", (payload,))
        equal(value(db, "SELECT redis_queue_len('q', 'reserved')"), 1, "until the commit")
        db.execute(end)
        equal(value(db, "SELECT redis_queue_len('q', 'reserved')"), reserved)
    equal((value(db, "SELECT redis_ack('q', ?)", job), waiting(db)), (0, 1))
    db.close()


@test
def jobs_come_back_in_their_order():
    db = connect(":memory:")
    fill("a", "b", "c")
    db.execute("BEGIN")
    equal(value(db, "SELECT payload FROM redis_dequeue('q')"), "a")
    db.execute("SAVEPOINT s")
    for payload in "b", "c":
        equal(value(db, "SELECT payload FROM redis_dequeue('q')"), payload)
    db.execute("ROLLBACK TO s")
    equal(db.execute("SELECT payload, attempts FROM redis_dequeue('q')").fetchone(), ("b", 2))
    db.execute("ROLLBACK")
    for payload in "a", "b", "c":
        equal(value(db, "SELECT payload FROM redis_dequeue('q')"), payload)
    db.close()


@test
def a_job_is_taken_only_where_it_is_written():
    """Neither by planning nor by explaining, and not by a row that is not asked for."""
    db = connect(new_file())
    sql = "SELECT t.id, d.payload FROM t, redis_dequeue('q') d WHERE t.id <= 3 ORDER BY t.id"

    def took(statement, *arguments):
        fill("a", "b", "c", "d", "e")
        db.execute(statement, arguments).fetchall()
        return 5 - waiting(db)

    equal(took("EXPLAIN " + sql), 0)
    equal(took("EXPLAIN QUERY PLAN " + sql), 0)
    equal(took("SELECT 1 WHERE 0 AND EXISTS (SELECT 1 FROM redis_dequeue('q'))"), 0)
    equal(took("SELECT * FROM redis_dequeue('q') WHERE 0"), 0)
    equal(took("SELECT * FROM redis_dequeue(NULL)"), 0)
    equal(took("CREATE TEMP VIEW jobs AS SELECT * FROM redis_dequeue('q')"), 0)
    equal(took("SELECT * FROM jobs"), 1)
    equal(took("SELECT * FROM redis_dequeue('q')"), 1)
    equal(took("SELECT * FROM redis_dequeue('q') ORDER BY payload DESC LIMIT 5"), 1)
    equal(took("SELECT count(*), max(payload) FROM redis_dequeue('q', 0, 60)"), 1)
    equal(took("SELECT * FROM redis_dequeue WHERE queue = 'q' AND attempts > 5"), 1)
    equal(took("SELECT * FROM t, redis_dequeue('q') WHERE t.id <= 3"), 1, "once, and not once a row")
    equal(took("SELECT id, (SELECT payload FROM redis_dequeue('q')) FROM t WHERE id <= 3"), 1)
    equal(took("SELECT t.id, d.payload FROM t LEFT JOIN redis_dequeue('q') d WHERE t.id <= 3"), 3,
          "a loop that is the user's")
    equal(took("WITH d AS MATERIALIZED (SELECT * FROM redis_dequeue('q')) "
               "SELECT t.id, d.payload FROM t LEFT JOIN d WHERE t.id <= 3"), 1)
    # the first of a transaction creates the table by which SQLite tells of its end
    fresh = connect(new_file())
    fresh.execute("BEGIN")
    equal(fresh.execute("SELECT t.id, d.payload IS NOT NULL FROM redis_dequeue('q') d, t WHERE t.id < 3")
          .fetchall(), [(1, 1), (2, 1)])
    fresh.execute("ROLLBACK")
    fresh.close()
    db.close()


@test
def a_worker_in_one_statement():
    """It takes a job, and keeps what came of it: both or neither."""
    db = connect(new_file())
    fill("a", "b")
    db.execute("INSERT INTO t SELECT 100, payload || redis_ack('q', id) FROM redis_dequeue('q')")
    equal(value(db, "SELECT v FROM t WHERE id = 100"), "a1")
    equal(value(db, "SELECT redis_queue_len('q', 'reserved')"), 0)
    refused(db, "INSERT INTO t SELECT 100, payload || redis_ack('q', id) FROM redis_dequeue('q')", "UNIQUE")
    equal((waiting(db), value(db, "SELECT redis_queue_len('q', 'reserved')")), (1, 0), "given back at once")
    db.close()


# ---- who may ----------------------------------------------------------------------------------------

ENQUEUE = "SELECT redis_enqueue('q', 'row ' || NEW.id)"
BULL = "SELECT redis_bullmq_add('mail', 'welcome', '{\"id\": ' || NEW.id || '}')"


def jobs_of(statement):
    if statement == ENQUEUE:
        return redis("LLEN", "queue:q")
    return redis("LLEN", "bull:mail:wait")


@test
def triggers_of_a_file_need_trust():
    for statement in ENQUEUE, BULL:
        redis("FLUSHALL")
        db = connect(new_file())
        db.execute("CREATE TRIGGER tell AFTER INSERT ON t BEGIN %s; END" % statement)
        refused(db, "INSERT INTO t VALUES (10, 0)", "permission", "trigger_commands")
        equal((value(db, "SELECT count(*) FROM t WHERE id = 10"), jobs_of(statement)), (0, 0))
        value(db, "SELECT redis_config('trigger_commands', 1)")
        db.execute("BEGIN")
        db.execute("INSERT INTO t VALUES (10, 0), (11, 0)")
        equal(jobs_of(statement), 0)
        db.execute("COMMIT")
        equal(jobs_of(statement), 2)
        db.execute("BEGIN")
        db.execute("INSERT INTO t VALUES (12, 0)")
        db.execute("ROLLBACK")
        refused(db, "INSERT INTO t VALUES (13, 0), (10, 0)", "UNIQUE")
        equal(jobs_of(statement), 2)
        db.close()


@test
def temp_triggers_may_always():
    for statement in ENQUEUE, BULL:
        redis("FLUSHALL")
        db = connect(new_file())
        db.execute("CREATE TEMP TRIGGER tell AFTER INSERT ON t BEGIN %s; END" % statement)
        db.execute("INSERT INTO t VALUES (10, 0), (11, 0)")
        equal(jobs_of(statement), 2)
        refused(db, "INSERT INTO t VALUES (12, 0), (10, 0)", "UNIQUE")
        equal(jobs_of(statement), 2)
        db.close()


@test
def a_file_may_do_nothing_else():
    redis("FLUSHALL")
    redis("HSET", "stock", "seat", 5)
    db = connect(new_file())
    value(db, "SELECT redis_config('trigger_commands', 1)")
    for call in ("redis_xact_lock('l')", "redis_idempotent('k')", "redis_reserve('stock', 'seat', 1)",
                 "redis_ack('q', 'x')", "redis_session_set('s', '{}')", "redis_allow('k', 1, 60)"):
        db.execute("CREATE TRIGGER bad AFTER INSERT ON t BEGIN SELECT %s; END" % call)
        refused(db, "INSERT INTO t VALUES (10, 0)", "unsafe use of")
        db.execute("DROP TRIGGER bad")
    equal((redis("KEYS", "*"), redis("HGET", "stock", "seat")), ([b"stock"], b"5"))
    db.close()


@test
def jobs_that_a_crash_left_in_the_outbox():
    """A file is not believed what it says of jobs, unless somebody says so."""
    path = new_file()
    redis("FLUSHALL")
    child = process(path, SILENT_URL, "SELECT redis_config('commit_timeout', 60000)", "BEGIN",
                    "INSERT INTO t VALUES (10, 0)", "SELECT redis_enqueue('q', 'hello')", "COMMIT")
    try:
        until(lambda: any(b"hello" in data for _, data in rows(path)), "the child has committed")
    finally:
        child.kill()
        child.wait()
    db = connect(path, commit_timeout=1)
    (shown, why), = db.execute("SELECT keys, last_error FROM redis_outbox").fetchall()
    true("hello" in json.loads(shown)[-1] and "not sent" in why, "%r %r" % (shown, why))
    refused(db, "SELECT redis_outbox_drain()", "trigger_commands")
    equal(redis("EXISTS", "queue:q"), 0)
    value(db, "SELECT redis_config('trigger_commands', 1)")
    equal((value(db, "SELECT redis_outbox_drain()"), waiting(db)), (1, 1))
    equal(value(db, "SELECT payload FROM redis_dequeue('q')"), "hello")
    db.close()


@test
def jobs_of_a_commit_while_redis_is_away():
    """redis_enqueue asks nothing of Redis: the job waits in the outbox, and the thread delivers it."""
    path = new_file()
    redis("FLUSHALL")
    for mode in "sync", "async":
        db = connect(path, NOBODY_URL)
        value(db, "SELECT redis_config('commit_mode', ?)", mode)
        db.execute("BEGIN")
        db.execute("UPDATE t SET v = v + 1")
        true(len(value(db, "SELECT redis_enqueue('q', ?)", mode)) == 32)
        db.execute("COMMIT")
        equal(redis("EXISTS", "queue:q"), 0)
        value(db, "SELECT redis_config('url', ?)", redis.url)
        until(lambda db=db: waiting(db) == 1, "it is delivered")
        equal(value(db, "SELECT payload FROM redis_dequeue('q')"), mode)
        db.close()


@test
def statements_of_their_own():
    """Outside of a transaction a job goes at once."""
    redis("FLUSHALL")
    db = connect(":memory:")
    job = value(db, "SELECT redis_enqueue('q', 'x')")
    equal((waiting(db), db.execute("SELECT * FROM redis_pending").fetchall()), (1, []))
    equal(db.execute("SELECT id, payload FROM redis_dequeue('q')").fetchall(), [(job, "x")])
    equal(value(db, "SELECT redis_ack('q', ?)", job), 1)
    equal(value(db, "SELECT redis_queue_len('q', 'reserved')"), 0)
    equal(value(db, "SELECT redis_enqueue(NULL, 'x')"), None)
    refused(db, "SELECT redis_enqueue('q', 'x', 'soon')", "priority")
    value(db, "SELECT redis_config('queue_mode', 'list')")
    equal(value(db, "SELECT redis_enqueue('plain', 'x')"), None)
    equal(redis("LRANGE", "queue:plain", 0, -1), [b"x"])
    db.close()


@test
def json_is_json():
    redis("FLUSHALL")
    db = connect(":memory:")
    value(db, "SELECT redis_session_set('s', json_object('user', 1, 'tags', json_array('a')))")
    equal(value(db, "SELECT json_extract(json_array(redis_session_get('s')), '$[0].tags[0]')"), "a",
          "not a text inside JSON")
    equal(value(db, "SELECT json_extract(redis_session_get('s', 60), '$.user')"), 1)
    refused(db, "SELECT redis_session_set('s', 'no json')")
    db.close()


@test
def limits_fail_open_or_closed():
    redis("FLUSHALL")
    db = connect(":memory:", NOBODY_URL)
    ask = "SELECT allowed, reason FROM redis_rate_limit('k', 1, 60)"
    equal(db.execute(ask).fetchall(), [(1, "fail_open")])
    value(db, "SELECT redis_config('rate_limit_on_error', 'closed')")
    equal(db.execute(ask).fetchall(), [(0, "fail_closed")])
    value(db, "SELECT redis_config('rate_limit_on_error', 'error')")
    refused(db, ask, "connection")
    value(db, "SELECT redis_config('url', ?)", redis.url)
    equal(db.execute(ask).fetchall(), [(1, "ok")])
    value(db, "SELECT redis_config('rate_limit_buckets', 'login=few')")
    value(db, "SELECT redis_config('rate_limit_tiers', 'few=1/60')")
    equal([value(db, "SELECT allowed FROM redis_rate_limit_tier('login', 'ann')") for _ in range(2)], [1, 0])
    refused(db, "SELECT * FROM redis_rate_limit_tier('nosuch', 'ann')", "nosuch")
    db.close()


main()
