"""redis_cached, redis_cache_get and redis_cache_fill: what they answer, and when they may fill.

A lease must be older than the snapshot of the value that is filled under it. The tests that show it let
another connection write at the moment in question: by a function of their own within the statement.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

from harness import Redis, contains, equal, main, refused_port, sqlite, temp_dir, test, true

redis = Redis()


def connect(database=":memory:", url=None, **options):
    return sqlite.connect(url or redis.url, database, **options)


def value(db, sql, *arguments):
    rows = db.execute(sql, arguments).fetchall()
    return rows[0][0]


def row(db, sql, *arguments):
    return db.execute(sql, arguments).fetchall()[0]


def stats(db):
    return {name: int(number) for name, number in
            db.execute("SELECT name, value FROM redis_stats WHERE name LIKE 'cache%'").fetchall()}


class Change:
    """What redis_stats counted since."""

    def __init__(self, db):
        self.db, self.before = db, stats(db)

    def __call__(self):
        now = stats(self.db)
        return {name[6:]: now[name] - self.before[name] for name in now if now[name] != self.before[name]}


def new_file(tracked=True, **options):
    redis("FLUSHALL")
    path = os.path.join(temp_dir("sqlite"), "test.db")
    db = connect(path, **options)
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    db.execute("INSERT INTO t VALUES (1, 'old')")
    if tracked:
        value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
    return path, db


QUERY = "SELECT redis_cached('t:1', 60, 'SELECT v FROM t WHERE id = $1', 1)"


def refused(db, sql, *parts):
    try:
        db.execute(sql).fetchall()
    except sqlite3.Error as problem:
        for part in parts:
            contains(str(problem), part)
        return problem
    raise AssertionError("not refused: " + sql)


def cannot_be_cached(db, query, *parts):
    problem = refused(db, "SELECT redis_cached('wrong', 60, %s)" % sqlite.quoted(query), *parts)
    equal(redis("EXISTS", "wrong:sqlredis{wrong}"), 0, "a lease was left behind")
    return problem


# ---- redis_cached ----


@test
def a_miss_fills_and_a_hit_is_one_trip():
    _, db = new_file()
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
    path, db = new_file()
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
    path, db = new_file()
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
    _, db = new_file()
    change = Change(db)
    for name in "a", "b":
        equal(value(db, "SELECT redis_cached('w', 60, 'INSERT INTO t (v) VALUES ($1) RETURNING v', ?)", name), name)
    equal(value(db, "SELECT count(*) FROM t"), 3)
    equal(change()["unfilled_own_writes"], 2)
    equal(redis("EXISTS", "w:sqlredis{w}"), 0)
    db.close()


@test
def a_transaction_that_has_written_fills_nothing():
    path, db = new_file(tracked=False)
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
    path, db = new_file()
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
    _, db = new_file()
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
    _, db = new_file()
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
    _, db = new_file()
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


# ---- many at once ----


def together(n, work):
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@test
def many_that_miss_at_once_run_the_query_once():
    path, db = new_file()
    runs, answers, n = [], [], 100
    ready = threading.Barrier(n)

    def slow(text):
        runs.append(text)
        time.sleep(0.3)
        return text

    def one(_):
        mine = connect(path, check_same_thread=False)
        mine.create_function("slow", 1, slow)
        value(mine, "SELECT redis_config('cache_wait', 60000)")
        value(mine, "SELECT redis_get('warm')")
        ready.wait()
        answers.append(value(mine, "SELECT redis_cached('t:1', 60, 'SELECT slow(v) FROM t')"))
        mine.close()

    together(n, one)
    equal((len(runs), answers), (1, ["old"] * n))
    db.close()


MISSER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.enable_load_extension(True)
db.load_extension(sys.argv[2])
db.execute("SELECT redis_config('url', ?), redis_config('cache_wait', 60000)", (sys.argv[3],)).fetchall()
db.create_function("counted", 1, lambda text: db.execute("SELECT redis_incr('runs')").fetchall() and text)
db.execute("SELECT redis_get('warm')").fetchall()
sys.stdin.readline()
print(db.execute("SELECT redis_cached('t:1', 60, 'SELECT counted(v) FROM t')").fetchall()[0][0])
"""


@test
def many_processes_that_miss_at_once_run_the_query_once():
    path, db = new_file()
    processes = [subprocess.Popen([sys.executable, "-c", MISSER, path, sqlite.EXTENSION, redis.url], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(12)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    equal([process.communicate()[0] for process in processes], ["old\n"] * 12)
    equal(redis("GET", "runs"), b"1")
    db.close()


@test
def who_waits_too_long_answers_without_filling():
    path, db = new_file()
    lease = row(db, "SELECT value, lease FROM redis_cache_get('t:1')")[1]
    other = connect(path)
    value(other, "SELECT redis_config('cache_wait', 20)")
    change = Change(other)
    equal(value(other, QUERY), "old")
    equal(change(), {"misses": 1, "unfilled_waited": 1, "waits": 1})
    equal(value(db, "SELECT redis_cache_fill('t:1', ?, 'given', 60)", lease), 1)
    equal(value(other, QUERY), "given")
    db.close()
    other.close()


@test
def an_interrupt_ends_the_wait_for_another_and_the_query():
    path, db = new_file()
    holder = connect(path)
    equal(len(row(holder, "SELECT value, lease FROM redis_cache_get('t:1')")[1]), 64)
    value(db, "SELECT redis_config('cache_wait', 600000)")
    for sql in (QUERY, "SELECT redis_cached('endless', 60, 'WITH RECURSIVE w(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
                       "FROM w) SELECT sum(x) FROM w')"):
        problems = []

        def run(statement=sql, seen=problems):
            try:
                db.execute(statement).fetchall()
            except sqlite3.OperationalError as problem:
                seen.append(str(problem))

        db.close()
        db = connect(path, check_same_thread=False)
        value(db, "SELECT redis_config('cache_wait', 600000)")
        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive():
            time.sleep(0.05)
            db.interrupt()
        equal(len(problems), 1)
        contains(problems[0], "interrupted")
    equal(redis("EXISTS", "endless:sqlredis{endless}"), 0, "those who wait for it shall not")
    db.close()
    holder.close()


# ---- leases of the caller's ----


@test
def get_and_fill():
    _, db = new_file()
    given, lease = row(db, "SELECT value, lease FROM redis_cache_get('k')")
    equal((given, len(lease)), (None, 64))
    equal(row(db, "SELECT value, lease FROM redis_cache_get('k')"), (None, None), "somebody is at it")
    equal(value(db, "SELECT redis_cache_fill('k', ?, 'wrong', 60)", "0" * 64), 0)
    for wrong in None, "", "x", "0" * 1000, b"\0" * 32:
        equal(value(db, "SELECT redis_cache_fill('k', ?, 'wrong', 60)", wrong), 0)
    equal(value(db, "SELECT redis_cache_fill('k', ?, 'v', 60)", lease), 1)
    equal(row(db, "SELECT value, lease FROM redis_cache_get('k')"), ("v", None))
    equal(value(db, "SELECT redis_cache_fill('k', ?, 'v', 60)", lease), 0, "it is used up")
    lease = value(db, "SELECT lease FROM redis_cache_get('n')")
    equal(value(db, "SELECT redis_cache_fill('n', ?, NULL, 60)", lease), 1)
    equal(row(db, "SELECT value, lease FROM redis_cache_get('n')"), (None, None))
    equal(value(db, "SELECT redis_cached('n', 60, 'SELECT 1')"), None, "a cached NULL")
    lease = value(db, "SELECT lease FROM redis_cache_get('b')")
    equal(value(db, "SELECT redis_cache_fill('b', ?, x'00ff', 60)", lease), 1)
    equal(value(db, "SELECT value FROM redis_cache_get('b')"), b"\x00\xff")
    equal(db.execute("SELECT * FROM redis_cache_get(NULL)").fetchall(), [])
    equal(row(db, "SELECT redis_cache_fill(NULL, 'x', 'v', 60), redis_cache_fill('k', 'x', 'v', NULL), "
                  "redis_cache_fill('k', 'x', 'v', 60, NULL)"), (None, None, None))
    refused(db, "SELECT redis_cache_fill('k', 'x', 'v', 0)", "ttl must be more than 0")
    refused(db, "SELECT redis_cache_fill('k', 'x', 'v')", "at least 4 arguments")
    db.close()


@test
def an_invalidation_takes_the_lease_away():
    path, db = new_file()
    lease = value(db, "SELECT lease FROM redis_cache_get('t:1')")
    computed = value(db, "SELECT v FROM t")
    other = connect(path)
    other.execute("UPDATE t SET v = 'new'")
    change = Change(db)
    equal(value(db, "SELECT redis_cache_fill('t:1', ?, ?, 60)", lease, computed), 0)
    equal(change(), {"unfilled_lease_lost": 1})
    db.close()
    other.close()


@test
def tags_void_what_was_filled_under_them():
    _, db = new_file()
    lease = value(db, "SELECT lease FROM redis_cache_get('k')")
    equal(value(db, "SELECT redis_cache_fill('k', ?, 'v', 60, 'red', 'blue')", lease), 1)
    equal(value(db, "SELECT value FROM redis_cache_get('k')"), "v")
    equal(value(db, "SELECT redis_invalidate_tag('blue')"), 1)
    given, lease = row(db, "SELECT value, lease FROM redis_cache_get('k')")
    equal((given, len(lease)), (None, 64))
    value(db, "SELECT redis_invalidate_tag('red')")
    change = Change(db)
    equal(value(db, "SELECT redis_cache_fill('k', ?, 'v', 60, 'red')", lease), 0, "invalidated after the lease")
    equal(change(), {"unfilled_tag": 1})
    db.close()


@test
def a_value_of_the_statement_that_took_the_lease_is_not_filled():
    path, db = new_file()
    other = connect(path)

    def meanwhile():
        other.execute("UPDATE t SET v = 'new'")
        return 1

    db.create_function("meanwhile", 0, meanwhile)
    change = Change(db)
    equal(value(db, "SELECT redis_cache_fill('t:1', lease, 'const', 60) FROM redis_cache_get('t:1')"), 0)
    equal(change()["unfilled_isolation"], 1)
    equal(value(db, "SELECT redis_cache_fill('t:1', lease, (SELECT v FROM t), 60) FROM redis_cache_get('t:1')"), 0)
    lease, computed = row(db, "SELECT lease, (SELECT v FROM t) FROM redis_cache_get('t:1')")
    equal((lease, computed), (None, "old"), "no lease beside a value that is older than it")
    equal(value(db, "SELECT redis_cache_fill('t:1', lease, (SELECT v FROM t), 60) "
                    "FROM (SELECT meanwhile() AS m) CROSS JOIN redis_cache_get('t:1') WHERE m"), 0)
    equal(value(other, QUERY), "new")
    db.close()
    other.close()


@test
def a_value_read_while_that_statement_still_runs_is_not_filled():
    path, db = new_file()
    statement = db.execute("SELECT lease FROM redis_cache_get('t:1') UNION ALL SELECT 'more'")
    lease = statement.fetchone()[0]
    computed = value(db, "SELECT v FROM t")
    statement.close()
    equal(value(db, "SELECT redis_cache_fill('t:1', ?, ?, 60)", lease, computed), 0)
    statement = db.execute("SELECT lease FROM redis_cache_get('t:1') UNION ALL SELECT 'more'")
    lease = statement.fetchone()[0]
    equal(len(lease), 64)
    statement.close()
    equal(value(db, "SELECT redis_cache_fill('t:1', ?, ?, 60)", lease, value(db, "SELECT v FROM t")), 1)
    db.close()


@test
def no_lease_in_a_transaction_or_beside_an_open_statement():
    _, db = new_file()
    change = Change(db)
    db.execute("BEGIN")
    equal(row(db, "SELECT value, lease FROM redis_cache_get('k')"), (None, None))
    db.execute("UPDATE t SET v = 'x'")
    equal(row(db, "SELECT value, lease FROM redis_cache_get('k')"), (None, None))
    db.execute("ROLLBACK")
    equal(change(), {"misses": 2, "unfilled_isolation": 1, "unfilled_own_writes": 1})
    rows = db.execute("SELECT v FROM t UNION ALL SELECT v FROM t")
    rows.fetchone()
    equal(row(db, "SELECT value, lease FROM redis_cache_get('k')"), (None, None))
    rows.close()
    equal(redis("EXISTS", "k:sqlredis{k}"), 0)
    equal(len(value(db, "SELECT lease FROM redis_cache_get('k')")), 64)
    db.close()


@test
def no_fill_in_a_transaction_that_has_written():
    path, db = new_file()
    lease = value(db, "SELECT lease FROM redis_cache_get('k')")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 'uncommitted'")
    computed = value(db, "SELECT v FROM t")
    change = Change(db)
    equal(value(db, "SELECT redis_cache_fill('k', ?, ?, 60)", lease, computed), 0)
    equal(change(), {"unfilled_own_writes": 1})
    db.execute("ROLLBACK")
    equal(value(db, "SELECT redis_cache_fill('k', ?, ?, 60)", lease, computed), 0, "nor later")
    db.close()


# ---- the epoch ----


@test
def a_file_that_was_put_back_has_another_epoch():
    path, db = new_file()
    copy = path + ".copy"
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    shutil.copy(path, copy)
    db = connect(path)
    db.execute("UPDATE t SET v = 'new'")
    equal(value(db, QUERY), "new")
    db.close()
    os.replace(copy, path)
    for _ in range(2):
        db = connect(path)
        equal(value(db, QUERY), "old")
        db.close()
    db = connect(path)
    equal(value(db, "SELECT redis_cached('t:1', 60, 'SELECT ''not the cached one''')"), "old")
    db.execute("UPDATE sqlredis_epoch SET epoch = randomblob(16)")
    db.close()
    db = connect(path)
    equal(value(db, "SELECT redis_cached('t:1', 60, 'SELECT ''a new epoch''')"), "a new epoch")
    db.close()


@test
def who_still_reads_a_file_that_was_replaced_leaves_the_cache_alone():
    path, db = new_file()
    db.execute("PRAGMA journal_mode = DELETE").fetchall()
    shutil.copy(path, path + ".copy")
    os.replace(path + ".copy", path)
    change = Change(db)
    equal(value(db, QUERY), "old")
    other = connect(path)
    other.execute("UPDATE t SET v = 'new'")
    equal(value(other, QUERY), "new")
    equal(value(db, QUERY), "old")
    equal(row(db, "SELECT value, lease FROM redis_cache_get('t:1')"), (None, None))
    equal(change(), {"unfilled_no_epoch": 3})
    other.close()
    db.close()


@test
def what_is_not_committed_is_not_filled_by_who_may_read_it():
    path = os.path.join(temp_dir("sqlite"), "shared.db")
    uri = "file:%s?cache=shared" % path
    writer, reader = connect(uri, uri=True), connect(uri, uri=True)
    writer.execute("CREATE TABLE t (id, v)")
    writer.execute("INSERT INTO t VALUES (1, 'old')")
    redis("FLUSHALL")
    reader.execute("PRAGMA read_uncommitted = ON")
    writer.execute("BEGIN")
    writer.execute("UPDATE t SET v = 'uncommitted'")
    change = Change(reader)
    equal(value(reader, QUERY), "uncommitted")
    equal(row(reader, "SELECT value, lease FROM redis_cache_get('k')"), (None, None))
    equal(change(), {"misses": 2, "unfilled_isolation": 2})
    writer.execute("ROLLBACK")
    reader.execute("PRAGMA read_uncommitted = OFF")
    equal(value(reader, QUERY), "old")
    writer.close()
    reader.close()


@test
def two_processes_with_one_file_share_what_is_cached_and_databases_in_memory_do_not():
    path, db = new_file()
    value(db, QUERY)
    other = connect("file:%s?mode=ro" % path, uri=True)
    change = Change(other)
    equal(value(other, QUERY), "old")
    equal(change(), {"hits": 1})
    other.close()
    for database in ":memory:", "":
        memory = connect(database)
        memory.execute("CREATE TABLE t (id, v)")
        memory.execute("INSERT INTO t VALUES (1, 'mine')")
        equal(value(memory, QUERY), "mine")
        equal(value(memory, "SELECT redis_cached('t:1', 60, 'SELECT ''not cached''')"), "mine")
        memory.close()
    db.close()


@test
def a_new_file_under_an_old_name_has_another_epoch():
    path = os.path.join(temp_dir("sqlite"), "again.db")
    for content in "first", "second", "third":
        db = connect(path)
        db.execute("CREATE TABLE t (id, v)")
        db.execute("INSERT INTO t VALUES (1, ?)", (content,))
        equal(value(db, QUERY), content, "without the extension's tables")
        db.close()
        os.remove(path)


@test
def an_epoch_that_somebody_else_made_is_not_read():
    endless = "WITH RECURSIVE w(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w) SELECT sum(x) AS epoch FROM w"
    for ddl in ("CREATE VIEW sqlredis_epoch AS " + endless, "CREATE TABLE sqlredis_epoch (a)",
                "CREATE TABLE sqlredis_epoch (id INTEGER PRIMARY KEY, epoch AS (zeroblob(900000000)))",
                "CREATE VIRTUAL TABLE sqlredis_epoch USING fts5(id, epoch)",
                "CREATE TABLE sqlredis_epoch (id INTEGER PRIMARY KEY CHECK (id = 1), epoch BLOB NOT NULL); "
                "INSERT INTO sqlredis_epoch VALUES (1, zeroblob(300000000))",
                "CREATE TABLE sqlredis_epoch (id INTEGER PRIMARY KEY CHECK (id = 1), epoch BLOB NOT NULL); "
                "INSERT INTO sqlredis_epoch VALUES (1, 'sixteen letters.')"):
        path = os.path.join(temp_dir("sqlite"), "hostile.db")
        author = sqlite3.connect(path)
        author.executescript(ddl + "; CREATE TABLE t (id, v); INSERT INTO t VALUES (1, 'v')")
        author.close()
        redis("FLUSHALL")
        db = connect(path)
        equal(value(db, QUERY), "v")
        change = Change(db)
        equal(value(db, QUERY), "v")
        equal(change(), {"hits": 1})
        db.close()
        os.remove(path)


# ---- Redis is away, settings ----


@test
def a_redis_that_is_away_costs_no_answer():
    path, _ = new_file()
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
