"""Many keys at once: plans, one trip, LIMIT, memory, and statements that fail half-way."""

import os
import sqlite3

from harness import Redis, equal, free_port, main, sqlite, temp_dir, test, true

MILLION = 1000000
GROWTH = 64 * 1024  # kB
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
redis = Redis()


def connect(path=":memory:"):
    redis("FLUSHALL")
    db = sqlite.connect(redis.url, path)
    db.execute("SELECT redis_ping()").fetchall()
    return db


def value(db, sql, *arguments):
    return db.execute(sql, arguments).fetchone()[0]


def plan(db, sql):
    return " / ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + sql))


def fails(db, sql, why):
    try:
        db.execute(sql).fetchall()
    except sqlite3.Error as problem:
        true(why in str(problem), str(problem))
        return
    raise AssertionError("did not fail: " + sql)


def trips(db, sql):
    """How many round trips the statement makes, and its rows."""
    ask = "SELECT value FROM redis_stats WHERE name = 'round_trips'"
    before = value(db, ask)
    rows = db.execute(sql).fetchall()
    return float(value(db, ask)) - float(before), rows


@test
def as_many_arguments_as_a_lowered_limit_leaves():
    db = connect()
    redis("SADD", "s", "x", "y")
    redis("SADD", "t", "y")
    db.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, 20)
    equal(db.execute("SELECT * FROM redis_sdiff('s', 't')").fetchall(), [("x",)])
    fails(db, "SELECT * FROM redis_sdiff(%s)" % ", ".join(["'s'"] * 20), "max 19")


# ---- plans ----


@test
def a_set_of_keys_is_one_plan():
    if sqlite3.sqlite_version_info < (3, 38):
        return
    db = connect()
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT)")
    for condition in ("key IN ('a', 'b')", "key IN (SELECT k FROM t)",
                      "key IN (SELECT 'user:' || id FROM t) AND value IS NOT NULL"):
        true("keys at once" in plan(db, "SELECT * FROM redis_mget WHERE " + condition), condition)
    true("keys at once" in plan(db, "SELECT * FROM redis_hmget('h') WHERE field IN ('a', 'b')"))
    for sql in ("SELECT * FROM redis_mget WHERE key = 'a'",
                "SELECT * FROM redis_mget WHERE key IN ('a', 'b') AND key = 'a'",
                "SELECT * FROM t JOIN redis_mget m ON m.key = t.k"):
        said = plan(db, sql)
        true(said.endswith(":key"), said)
    said = plan(db, "SELECT * FROM redis_mget('a', 'b') WHERE key IN ('a', 'c')")
    true("key" not in said.split("INDEX")[1], said)
    db.close()


@test
def a_collection_is_read_once_and_rows_are_looked_up():
    db = connect()
    db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
    db.execute("CREATE TABLE other (k TEXT)")
    said = plan(db, "SELECT u.name, s.score FROM redis_zrange('board', 0, 9, true) s "
                    "JOIN users u ON u.id = s.member")
    true(said.startswith("SCAN s VIRTUAL") and "SEARCH u USING INTEGER PRIMARY KEY" in said, said)
    for function in "redis_zrange('board')", "redis_zpopmin('board', 5)":
        said = plan(db, "SELECT * FROM other o JOIN %s s ON o.k = s.member" % function)
        true(said.startswith("SCAN s VIRTUAL"), said)
    said = plan(db, "SELECT * FROM other o JOIN redis_mget m ON m.key = o.k "
                    "WHERE m.key IN (SELECT k FROM other)")
    true(said.startswith("SCAN m VIRTUAL"), said)
    db.close()


@test
def what_takes_rows_away_runs_once():
    db = connect()
    db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
    db.execute(NUMBERS % 100 + "INSERT INTO users SELECT i, 'u' || i FROM n")
    value(db, NUMBERS % 50 + "SELECT count(redis_zadd('board', i, 'u' || i)) FROM n")
    rows = db.execute("SELECT s.member FROM users u JOIN redis_zpopmin('board', 3) s "
                      "ON u.name = s.member ORDER BY s.score").fetchall()
    equal(rows, [("u1",), ("u2",), ("u3",)])
    equal(redis("ZCARD", "board"), 47)
    db.close()


# ---- trips ----


@test
def a_set_of_keys_is_one_trip():
    db = connect()
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT)")
    db.execute(NUMBERS % 200 + "INSERT INTO t SELECT i, 'k' || i FROM n")
    equal(trips(db, "SELECT redis_mset(k, id) FROM t"), (1.0, [(200,)]))
    expected = {("k%d" % i, str(i)) for i in range(1, 201)}
    count, rows = trips(db, "SELECT key, value FROM redis_mget WHERE key IN (SELECT k FROM t)")
    equal(set(rows), expected)
    equal(count, 1.0 if sqlite3.sqlite_version_info >= (3, 38) else 200.0)
    count, rows = trips(db, "SELECT key, value FROM redis_mget_json("
                            "(SELECT json_group_array(k) FROM t))")
    equal((set(rows), count), (expected, 1.0))
    count, rows = trips(db, "SELECT key, value FROM redis_mget(%s)"
                        % ", ".join("'k%d'" % i for i in range(1, 101)))
    equal((rows, count), ([("k%d" % i, str(i)) for i in range(1, 101)], 1.0))
    equal(trips(db, "SELECT redis_del_agg(k) FROM t"), (1.0, [(200,)]))
    equal(trips(db, "SELECT redis_mset(k, 1), redis_del_agg(k) FROM t WHERE 0"), (0.0, [(0, 0)]))
    equal(trips(db, "SELECT * FROM redis_mget WHERE key IN (SELECT k FROM t WHERE 0)"), (0.0, []))
    equal(trips(db, "SELECT * FROM redis_mget WHERE key = NULL"), (0.0, []))
    db.close()


@test
def a_limit_ends_the_reading():
    db = connect()
    value(db, NUMBERS % 20000 + "SELECT redis_mset('k' || i, i) FROM n")
    value(db, NUMBERS % 20000 + "SELECT count(redis_rpush('list', i)) FROM n")
    value(db, NUMBERS % 20000 + "SELECT count(redis_hset('hash', i, i)) FROM n")
    for source in ("redis_scan", "redis_lrange('list')", "redis_hscan('hash')",
                   "redis_mget WHERE key IN (%s SELECT 'k' || i FROM n)" % (NUMBERS % 20000)):
        count, rows = trips(db, "SELECT * FROM %s LIMIT 3" % source)
        equal(len(rows), 3, source)
        true(count <= 2, "%s LIMIT 3: %g trips" % (source, count))
        count, rows = trips(db, "SELECT count(*) FROM " + source)
        true(rows[0][0] >= 20000 and count > 2, source)
    db.close()


# ---- values ----


@test
def keys_of_a_set_keep_their_bytes():
    db = connect()
    db.execute("CREATE TABLE t (k)")
    keys = ["", "a", "ü", "with space", b"\xff\x00", b"\x00", b"", b"blob", 7, -1.5, "x" * 100000]
    db.executemany("INSERT INTO t VALUES (?)", [(key,) for key in keys] + [(None,)])
    redis("SET", b"\xff\x00", "bytes")
    redis("SET", "blob", "text")
    redis("SET", "", "empty")
    redis("SET", "7", "seven")
    redis("SET", "x" * 100000, "long")
    rows = db.execute("SELECT key, value FROM redis_mget WHERE key IN (SELECT k FROM t)").fetchall()
    found = {key if isinstance(key, bytes) else key.encode(): got for key, got in rows}
    equal(found, {b"": "empty", b"a": None, "ü".encode(): None, b"with space": None,
                  b"\xff\x00": "bytes", b"\x00": None, b"blob": "text", b"7": "seven",
                  b"-1.5": None, b"x" * 100000: "long"})
    joined = db.execute("SELECT value FROM t JOIN redis_mget m ON m.key = t.k "
                        "WHERE value IS NOT NULL ORDER BY t.rowid").fetchall()
    equal([row[0] for row in joined], ["empty", "bytes", "empty", "text", "seven", "long"])
    db.close()


@test
def the_key_prefix_is_not_seen():
    db = connect()
    value(db, "SELECT redis_config('key_prefix', 'app:')")
    equal(value(db, "SELECT redis_mset(column1, column2) FROM (VALUES ('a', 1), ('b', 2))"), 2)
    equal(redis("MGET", "app:a", "app:b"), [b"1", b"2"])
    equal(db.execute("SELECT * FROM redis_mget WHERE key IN ('a', 'b')").fetchall(),
          [("a", "1"), ("b", "2")])
    equal(value(db, "SELECT redis_del_agg(key) FROM redis_scan"), 2)
    db.close()


# ---- memory ----


def growth(work):
    """By how many kB the process grew at most while work ran."""
    def status(name):
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name))

    before = status("VmRSS:")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew
    work()
    return status("VmHWM:") - before


@test
def a_million_rows_fit_in_little_memory():
    db = connect(os.path.join(temp_dir("sqlite"), "million.db"))
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT)")
    db.execute(NUMBERS % MILLION + "INSERT INTO t SELECT i, 'user:' || i FROM n")

    def grows(sql, *expected):
        grown = growth(lambda: equal(db.execute(sql).fetchone(), expected))
        true(grown <= GROWTH, "%s: grew by %d kB" % (sql, grown))

    grows("SELECT redis_mset(k, 'the value of user ' || id) FROM t", MILLION)
    grows("SELECT redis_mset(k, redis_get('user:1'), 600) FROM t WHERE id <= 20000", 20000)
    grows("SELECT count(*), count(value), min(value) FROM redis_mget WHERE key IN (SELECT k FROM t)",
          MILLION, MILLION, "the value of user 1")
    grows("SELECT count(*), sum(n) FROM (SELECT redis_mset(k, id) AS n FROM t WHERE id <= 30000 "
          "GROUP BY id)", 30000, 30000)
    grows("SELECT redis_del_agg(k) FROM t", MILLION)
    equal(redis("DBSIZE"), 0)
    db.close()


@test
def large_values_fit_in_little_memory():
    db = connect()
    sql = NUMBERS % 3000 + "SELECT redis_mset('big:' || i, zeroblob(100000)) FROM n"
    grown = growth(lambda: equal(value(db, sql), 3000))
    true(grown <= GROWTH, "redis_mset grew by %d kB" % grown)
    sql = NUMBERS % 3000 + ("SELECT sum(length(value)) FROM redis_mget "
                           "WHERE key IN (SELECT 'big:' || i FROM n)")
    grown = growth(lambda: equal(value(db, sql), 300000000))
    true(grown <= GROWTH, "redis_mget grew by %d kB" % grown)
    db.close()


# ---- statements that fail half-way ----


def prepare_failing():
    """Ten rows, fewer than a batch has; boom(5) raises and stop(5) interrupts."""
    db = connect()
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT)")
    db.execute(NUMBERS % 10 + "INSERT INTO t SELECT i, 'k' || i FROM n")

    def stop(number):
        if number == 5:
            db.interrupt()
        return number

    db.create_function("stop", 1, stop)
    return db


@test
def an_interrupted_aggregate_does_not_send_what_it_still_holds():
    db = prepare_failing()
    fails(db, "SELECT redis_mset(k, stop(id)) FROM t", "interrupted")
    equal(redis("DBSIZE"), 0)
    equal(value(db, "SELECT redis_mset(k, id) FROM t"), 10, "the next one works")
    fails(db, "SELECT redis_del_agg(k) FROM t WHERE stop(id)", "interrupted")
    equal(redis("DBSIZE"), 10)
    # groups that were complete have been sent
    fails(db, "SELECT redis_del_agg(k) FROM t WHERE stop(id) GROUP BY id", "interrupted")
    true(redis("DBSIZE") >= 5)
    db.close()


@test
def after_its_own_error_an_aggregate_sends_nothing():
    db = prepare_failing()
    fails(db, "SELECT redis_mset(k, id, CASE id WHEN 5 THEN 'soon' ELSE 60 END) FROM t",
          "ttl must be a number")
    equal(redis("DBSIZE"), 0)
    fails(db, "SELECT redis_mset(k, id, CASE id WHEN 3 THEN -1 ELSE 60 END) FROM t",
          'redis_mset: key "k3" failed: ERR invalid expire time')
    equal(redis("DBSIZE"), 9, "the others of the batch were on their way")
    equal(value(db, "SELECT redis_mset(k, id) FROM t"), 10)
    db.close()


@test
def an_abandoned_statement_has_sent_its_complete_groups_only():
    db = prepare_failing()
    cursor = db.execute("SELECT id, redis_mset(k, id) FROM t GROUP BY id")
    equal(cursor.fetchone(), (1, 1))
    cursor.close()
    true(redis("DBSIZE") <= 2)
    equal(value(db, "SELECT redis_mset(k, id) FROM t"), 10)
    db.close()


@test
def without_a_redis():
    db = prepare_failing()
    value(db, "SELECT redis_config('url', ?)", "redis://127.0.0.1:%d" % free_port())
    fails(db, "SELECT redis_mset(k, id) FROM t", 'connection: redis_mset: key "k1" failed')
    fails(db, "SELECT * FROM redis_mget WHERE key IN (SELECT k FROM t)", "connection: ")
    value(db, "SELECT redis_config('on_error', 'null')")
    equal(db.execute("SELECT * FROM redis_mget WHERE key IN (SELECT k FROM t)").fetchall(), [])
    equal(db.execute("SELECT id, value FROM t LEFT JOIN redis_mget m ON m.key = t.k "
                     "WHERE id < 3").fetchall(), [(1, None), (2, None)])
    fails(db, "SELECT redis_mset(k, id) FROM t", 'connection: redis_mset: key "k1" failed')
    value(db, "SELECT redis_config('url', ?)", redis.url)
    equal(value(db, "SELECT redis_mset(k, id) FROM t"), 10)
    equal(value(db, "SELECT count(value) FROM redis_mget WHERE key IN (SELECT k FROM t)"), 10)
    db.close()


@test
def aggregates_within_one_another_do_not_mix():
    db = prepare_failing()
    rows = db.execute("SELECT redis_mset('outer:' || k, (SELECT redis_mset('inner:' || t.k || i, i) "
                      "FROM (SELECT 1 AS i UNION ALL SELECT 2))), redis_mset('more:' || k, 1), "
                      "redis_mset('short:' || k, 1, CASE id WHEN 4 THEN NULL ELSE 60 END) FROM t")
    equal(rows.fetchall(), [(10, 10, 10)])
    equal(redis("DBSIZE"), 50)
    equal(redis("GET", "outer:k7"), b"2")
    equal(redis("TTL", "short:k4"), -1)
    fails(db, "SELECT redis_mset('a:' || k, 1), redis_mset('b:' || k, 1, -1) FROM t",
          'redis_mset: key "b:k1" failed')
    equal(redis("EXISTS", "a:k1", "b:k1"), 1)
    db.close()


@test
def a_join_with_what_was_materialised_fetches_once():
    """The statements of docs/sqlite.md."""
    db = connect()
    db.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, cache_key TEXT UNIQUE)")
    db.execute(NUMBERS % 300 + "INSERT INTO users SELECT i, 'user:' || i FROM n")
    db.execute("SELECT redis_mset(cache_key, id) FROM users").fetchall()
    redis("SADD", "a", *range(300))
    redis("SADD", "b", *range(100, 400))
    for sql, rows in (
            ("WITH m AS MATERIALIZED (SELECT key, value FROM redis_mget WHERE key IN "
             "(SELECT 'user:' || id FROM users)) "
             "SELECT u.id, m.value FROM users u LEFT JOIN m ON m.key = 'user:' || u.id", 300),
            ("WITH b AS MATERIALIZED (SELECT member FROM redis_smembers('b')) "
             "SELECT member FROM redis_smembers('a') JOIN b USING (member)", 200),
            ("SELECT u.id, m.value FROM redis_mget m JOIN users u ON u.cache_key = m.key "
             "WHERE m.key IN (SELECT cache_key FROM users)", 300)):
        if "m.key" in sql and sqlite3.sqlite_version_info < (3, 38):
            continue
        took, got = trips(db, sql)
        equal(len(got), rows, sql)
        true(took <= 4, "%s: %d round trips" % (sql, took))
    db.close()


@test
def an_argument_that_is_missing_is_refused_when_the_statement_runs():
    db = connect()
    db.execute("SELECT redis_hset('h', 'a', 1, 'b', 2)").fetchall()
    fails(db, "SELECT * FROM redis_hgetall WHERE field = 'a'", "redis_hgetall needs its argument key")
    took, got = trips(db, "SELECT * FROM redis_hgetall('h') WHERE field = 'a' OR field = 'b'")
    equal((sorted(got), took <= 2), ([("a", "1"), ("b", "2")], True), "%d round trips" % took)
    db.close()


if __name__ == "__main__":
    main()
