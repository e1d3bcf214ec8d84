"""redis_cache_get and redis_cache_fill; and many that miss at once."""

import sqlite3
import subprocess
import sys
import threading
import time

from harness import Redis, contains, equal, main, sqlite, test
from harness.sqlite_cache import Change, QUERY, refused, row, tracked_file, value

redis = Redis()


def connect(database=":memory:", url=None, **options):
    return sqlite.connect(url or redis.url, database, **options)


@test
def get_and_fill():
    _, db = tracked_file(redis)
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
    path, db = tracked_file(redis)
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
    _, db = tracked_file(redis)
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
    path, db = tracked_file(redis)
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
    path, db = tracked_file(redis)
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
    _, db = tracked_file(redis)
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
    path, db = tracked_file(redis)
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


# ---- many at once ----


def together(n, work):
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@test
def many_that_miss_at_once_run_the_query_once():
    path, db = tracked_file(redis)
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
    path, db = tracked_file(redis)
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
    path, db = tracked_file(redis)
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
    path, db = tracked_file(redis)
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


if __name__ == "__main__":
    main()
