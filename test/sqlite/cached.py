"""redis_cached: what it answers, and when it may fill.

A lease must be older than the snapshot of the value that is filled under it. The tests that show it let
another connection write at the moment in question: by a function of their own within the statement.
"""

import os
import sqlite3
import sys

from harness import Redis, contains, equal, main, refused_port, sqlite, test, true
from harness.sqlite_cache import Change, QUERY, refused, row, tracked_file, value

redis = Redis()


def connect(database=":memory:", url=None, **options):
    return sqlite.connect(url or redis.url, database, **options)


def cannot_be_cached(db, query, *parts):
    problem = refused(db, "SELECT redis_cached('wrong', 60, %s)" % sqlite.quoted(query), *parts)
    equal(redis("EXISTS", "wrong:sqlredis{wrong}"), 0, "a lease was left behind")
    return problem


@test
def a_miss_fills_and_a_hit_is_one_trip():
    _, db = tracked_file(redis)
    change = Change(db)
    equal(value(db, QUERY), "old")
    equal(change(), {"misses": 1, "fills": 1})
    trips = value(db, "SELECT value FROM redis_stats WHERE name = 'round_trips'")
    equal(value(db, QUERY), "old")
    true(float(value(db, "SELECT value FROM redis_stats WHERE name = 'round_trips'")) - float(trips) <= 1)
    equal(change(), {"misses": 1, "fills": 1, "hits": 1})
    true(50000 < redis("PTTL", "t:1:sqlredis{t:1}") <= 60000)
    db.execute("UPDATE t SET v = 'new'")
    equal(redis("EXISTS", "t:1:sqlredis{t:1}"), 0)
    equal(value(db, QUERY), "new")
    db.close()


@test
def values_are_the_same_from_the_cache_and_the_database():
    db = connect()
    redis("FLUSHALL")
    for query, expected in (("SELECT 5", "5"), ("SELECT -1.5", "-1.5"), ("SELECT 'é'", "é"), ("SELECT ''", ""),
                            ("SELECT x'00ff'", b"\x00\xff"), ("SELECT x''", ""), ("SELECT x'6162'", "ab"),
                            ("SELECT NULL", None), ("SELECT 1 WHERE 0", None), ("VALUES ('v')", "v"),
                            ("WITH w AS (SELECT 7 AS x) SELECT x FROM w", "7"),
                            (" -- a comment\n/* and */ select 'x'; -- more\n ;", "x")):
        for _ in range(2):
            equal(value(db, "SELECT redis_cached(?, 60, ?)", "k:" + query, query), expected, query)
        change = Change(db)
        equal(value(db, "SELECT redis_cached(?, 60, 'SELECT 1/0 UNION ALL SELECT 2')", "k:" + query),
              expected)
        equal(change(), {"hits": 1})
    db.close()


@test
def arguments_are_bound():
    db = connect()
    redis("FLUSHALL")
    for i, (query, arguments, expected) in enumerate((
            ("SELECT $2 || '-' || $1", ("a", "b"), "b-a"), ("SELECT ?2 || '-' || ?1", ("a", "b"), "b-a"),
            ("SELECT ? || '-' || ?", ("a", "b"), "a-b"), ("SELECT :x || '-' || @y", ("a", "b"), "a-b"),
            ("SELECT $1 || $1", ("a",), "aa"), ("SELECT $2", ("a", "b"), "b"), ("SELECT typeof($1)", (1,), "integer"),
            ("SELECT typeof($1)", (None,), "null"), ("SELECT typeof($1)", (b"\x00",), "blob"),
            ("SELECT typeof($1)", (1.5,), "real"), ("SELECT $1", ("'; DROP TABLE t; --",), "'; DROP TABLE t; --"),
            ("SELECT $12", tuple("abcdefghijkl"), "l"), ("SELECT 'none'", (), "none"))):
        marks = "".join(", ?" for _ in arguments)
        equal(value(db, "SELECT redis_cached(?, 60, ?%s)" % marks, "k%d" % i, query, *arguments), expected)
    refused(db, "SELECT redis_cached('wrong', 60, 'SELECT $1')", "1 parameter,", "0 arguments")
    refused(db, "SELECT redis_cached('wrong', 60, 'SELECT $1', 1, 2)", "1 parameter,", "2 arguments")
    refused(db, "SELECT redis_cached('wrong', 60, 'SELECT 1', 1)", "0 parameters", "1 argument is")
    refused(db, "SELECT redis_cached('wrong', 60, 'SELECT $99999999999', 1)")
    equal(row(db, "SELECT redis_cached(NULL, 60, 'SELECT 1'), redis_cached('k', NULL, 'SELECT 1'), "
                  "redis_cached('k', 60, NULL)"), (None, None, None))
    refused(db, "SELECT redis_cached('wrong', 0, 'SELECT 1')", "ttl must be more than 0")
    refused(db, "SELECT redis_cached('wrong', 'soon', 'SELECT 1')", "ttl")
    equal(redis("EXISTS", "wrong:sqlredis{wrong}"), 0)
    db.close()


@test
def what_is_no_query_is_refused_and_does_no_harm():
    path, db = tracked_file(redis)
    for word in ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ATTACH 'x' AS x", "DETACH x", "VACUUM",
                 "PRAGMA journal_mode", "PRAGMA journal_mode = DELETE", "CREATE TABLE x (y)", "EXPLAIN SELECT 1",
                 "DROP TABLE t", "ANALYZE", "REINDEX"):
        cannot_be_cached(db, word, word.split()[0] + " cannot be cached")
    for text in "", "  -- nothing", ";SELECT 1", "/* unclosed":
        cannot_be_cached(db, text, "the query is none")
    cannot_be_cached(db, "SELECT 1; SELECT 2", "must be one statement")
    cannot_be_cached(db, "SELECT 1, 2", "one column, not 2", "json_object")
    cannot_be_cached(db, "UPDATE t SET v = 'x'", "one column, not 0", "RETURNING")
    cannot_be_cached(db, "SELECT 1 UNION ALL SELECT 2", "more than one row", "json_group_array")
    equal(str(cannot_be_cached(db, "SELECT nosuch FROM t")), "no such column: nosuch")
    cannot_be_cached(db, "SELEC 1", "SELEC cannot be cached")
    contains(str(cannot_be_cached(db, "SELECT 1 FROM")), "incomplete input")
    contains(str(cannot_be_cached(db, "SELECT abs(-9223372036854775808)")), "integer overflow")
    equal(value(db, "SELECT v FROM t"), "old")
    true(not db.in_transaction)
    change = Change(db)
    cannot_be_cached(db, "SELECT nosuch")
    equal(change(), {"misses": 1, "unfilled_failed": 1})
    db.close()


@test
def sqlites_own_error_keeps_its_code():
    path, db = tracked_file(redis)
    db.execute("PRAGMA journal_mode = DELETE").fetchall()
    other = connect(path, timeout=0)
    equal(value(other, "SELECT v FROM t"), "old")
    db.execute("BEGIN EXCLUSIVE")
    try:
        value(other, "SELECT redis_cached('k', 60, 'SELECT v FROM t')")
        raise AssertionError("not refused")
    except sqlite3.OperationalError as problem:
        equal(str(problem), "database is locked")
        if sys.version_info >= (3, 11):
            equal(problem.sqlite_errorcode, sqlite3.SQLITE_BUSY)
    db.execute("ROLLBACK")
    other.close()
    db.close()


@test
def a_query_that_writes_runs_and_is_never_filled():
    _, db = tracked_file(redis)
    change = Change(db)
    for name in "a", "b":
        equal(value(db, "SELECT redis_cached('w', 60, 'INSERT INTO t (v) VALUES ($1) RETURNING v', ?)", name), name)
    equal(value(db, "SELECT count(*) FROM t"), 3)
    equal(change()["unfilled_own_writes"], 2)
    equal(redis("EXISTS", "w:sqlredis{w}"), 0)
    db.close()


@test
def a_transaction_that_has_written_fills_nothing():
    path, db = tracked_file(redis, tracked=False)
    other = connect(path)
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 'uncommitted'")
    change = Change(db)
    equal(value(db, QUERY), "uncommitted")
    equal(change(), {"misses": 1, "unfilled_own_writes": 1})
    equal(redis("EXISTS", "t:1:sqlredis{t:1}"), 0, "not even a lease")
    db.execute("ROLLBACK")
    equal(value(other, QUERY), "old")
    equal(value(db, QUERY), "old")
    change = Change(db)
    db.execute("UPDATE t SET v = redis_cached('s', 60, 'SELECT v FROM t WHERE id = 1')")
    equal(change()["unfilled_own_writes"], 1)
    db.close()
    other.close()


@test
def a_snapshot_that_is_older_than_the_lease_fills_nothing():
    path, db = tracked_file(redis)
    other = connect(path)

    def meanwhile():
        other.execute("UPDATE t SET v = 'new'")
        return 1

    db.create_function("meanwhile", 0, meanwhile)
    change = Change(db)
    equal(value(db, "SELECT %s FROM t WHERE meanwhile()" % QUERY[7:]), "old", "its own snapshot")
    equal(change(), {"misses": 1, "unfilled_isolation": 1})
    equal(value(other, QUERY), "new")
    other.execute("UPDATE t SET v = 'newer'")
    db.execute("BEGIN")
    equal(value(db, "SELECT v FROM t"), "newer")
    other.execute("UPDATE t SET v = 'newest'")
    equal(value(db, QUERY), "newer")
    db.execute("COMMIT")
    equal(value(other, QUERY), "newest")
    other.execute("UPDATE t SET v = 'last'")
    rows = db.execute("SELECT v FROM t UNION ALL SELECT v FROM t")
    rows.fetchone()
    other.execute("UPDATE t SET v = 'very last'")
    equal(value(db, QUERY), "last", "an unfinished SELECT holds the snapshot")
    rows.close()
    equal(value(other, QUERY), "very last")
    equal(value(db, QUERY), "very last")
    db.close()
    other.close()


@test
def an_open_transaction_reads_the_cache_and_fills_nothing():
    _, db = tracked_file(redis)
    value(db, QUERY)
    db.execute("BEGIN")
    change = Change(db)
    equal(value(db, QUERY), "old")
    equal(change(), {"hits": 1})
    equal(value(db, "SELECT redis_cached('other', 60, 'SELECT 1')"), "1")
    equal(change(), {"hits": 1, "misses": 1, "unfilled_isolation": 1})
    db.execute("COMMIT")
    db.close()


@test
def a_transaction_reads_its_own_writes():
    _, db = tracked_file(redis)
    value(db, QUERY)
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 'mine'")
    change = Change(db)
    equal(value(db, QUERY), "mine")
    equal(change(), {"unfilled_queued": 1})
    equal(row(db, "SELECT value, lease FROM redis_cache_get('t:1')"), (None, None))
    equal(change(), {"unfilled_queued": 2})
    db.execute("SAVEPOINT s")
    value(db, "SELECT redis_invalidate_tag('tag')")
    value(db, "SELECT redis_cached('other', 60, 'SELECT 1')")
    equal(change()["unfilled_queued"], 3, "a tag may be any key's")
    db.execute("ROLLBACK TO s")
    value(db, "SELECT redis_invalidate_pattern('x*')")
    value(db, "SELECT redis_cached('other', 60, 'SELECT 1')")
    equal(change()["unfilled_queued"], 4)
    db.execute("ROLLBACK")
    equal(value(db, QUERY), "old")
    db.close()


@test
def with_a_key_prefix_it_also_reads_its_own_writes():
    _, db = tracked_file(redis)
    value(db, "SELECT redis_config('key_prefix', 'app:')")
    value(db, QUERY)
    equal(redis("EXISTS", "app:t:1:sqlredis{app:t:1}"), 1)
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 'mine'")
    equal(value(db, QUERY), "mine")
    db.execute("COMMIT")
    equal(value(db, QUERY), "mine")
    db.close()


@test
def a_query_may_use_the_cache_itself_but_not_for_ever():
    db = connect()
    redis("FLUSHALL")
    value(db, "SELECT redis_config('cache_wait', 0)")
    equal(value(db, "SELECT redis_cached('outer', 60, 'SELECT redis_cached(''inner'', 60, ''SELECT 5'') || ''!''')"),
          "5!")
    equal(value(db, "SELECT redis_get('x')"), None)
    equal(redis("EXISTS", "outer:sqlredis{outer}", "inner:sqlredis{inner}"), 2)
    db.execute("CREATE TABLE q (sql)")
    db.execute("INSERT INTO q VALUES ('SELECT redis_cached(''again'', 60, sql) FROM q')")
    refused(db, "SELECT redis_cached('again', 60, sql) FROM q", "inside itself")
    equal(value(db, "SELECT redis_cached('fine', 60, 'SELECT 1')"), "1")
    db.close()


# ---- Redis is away, settings ----


@test
def a_redis_that_is_away_costs_no_answer():
    path, _ = tracked_file(redis)
    db = connect(path, "redis://127.0.0.1:%d" % refused_port())
    change = Change(db)
    for _ in range(3):
        equal(value(db, QUERY), "old")
    equal(row(db, "SELECT value, lease FROM redis_cache_get('k')"), (None, None))
    equal(change(), {"misses": 4, "unfilled_away": 4})
    equal(value(db, "SELECT redis_cache_fill('k', ?, 'v', 60)", "0" * 64), 0)
    value(db, "SELECT redis_config('url', ?)", redis.url)
    equal(value(db, QUERY), "old")
    equal(change()["fills"], 1)
    db.close()


@test
def it_is_logged_once_an_outage():
    said = sqlite.script("""
.log stderr
CREATE TABLE t (id INTEGER PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'v');
%s; %s; %s;
""" % (QUERY, QUERY, QUERY), "redis://127.0.0.1:%d" % refused_port())
    equal(said.count("the cache cannot be used"), 1, said)
    equal(said.splitlines().count("v"), 3, said)


@test
def settings_that_cannot_be_used_are_an_error():
    db = sqlite.connect()
    before = os.environ.pop("REDIS_URL", None)
    try:
        refused(db, "SELECT redis_cached('k', 60, 'SELECT 1')", "invalid")
        refused(db, "SELECT * FROM redis_cache_get('k')", "invalid")
        refused(db, "SELECT redis_cache_fill('k', 'x', 'v', 60)", "invalid")
    finally:
        if before is not None:
            os.environ["REDIS_URL"] = before
    db.close()


# ---- who may call ----


@test
def no_schema_reaches_the_cache():
    db = connect()
    db.execute("CREATE TABLE t (id, v)")
    db.execute("CREATE VIEW v1 AS SELECT redis_cached('k', 60, 'DELETE FROM t RETURNING 1')")
    db.execute("CREATE VIEW v2 AS SELECT * FROM redis_cache_get('k')")
    db.execute("CREATE VIEW v3 AS SELECT redis_cache_fill('k', 'x', 'v', 60)")
    for view in "v1", "v2", "v3":
        refused(db, "SELECT * FROM " + view, "unsafe use of")
    db.close()


if __name__ == "__main__":
    main()
