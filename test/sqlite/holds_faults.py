"""What becomes of what a transaction holds in Redis when a process dies, forks or races another, and when
Redis is away."""

import os
import signal
import subprocess
import sys
import sqlite3
import threading
import time

from harness import Proxy, Redis, equal, main, sqlite, test, true
from harness.sqlite_outbox import connect, new_file, process, redis, refused, until, value

HOLD = "SELECT redis_config('hold', 1000)"
TAKE = ("SELECT redis_xact_lock('lock', 1), redis_idempotent('claim'), redis_reserve('stock', 'seat', 3)",
        "SELECT * FROM redis_dequeue('jobs', 0, 1)")


def fill(server=redis):
    server("FLUSHALL")
    server("HSET", "stock", "seat", 10)
    server("LPUSH", "queue:jobs", "a job")


def take(db):
    value(db, HOLD)
    db.execute("BEGIN")
    for sql in TAKE:
        db.execute(sql).fetchall()
    db.execute("INSERT INTO t VALUES (10, 0)")


def is_free(db):
    """Can somebody else have all of it?"""
    db.execute("BEGIN")
    try:
        got = db.execute("SELECT redis_xact_lock('lock'), redis_idempotent('claim'), redis_reserve('stock', "
                         "'seat', 10), (SELECT payload FROM redis_dequeue('jobs'))").fetchone()
    except sqlite3.OperationalError as problem:
        true("connection" in str(problem), str(problem))
        got = None
    db.execute("ROLLBACK")
    return got == (1, 1, 0, "a job")


@test
def killed_before_the_commit():
    fill()
    child = process(new_file(), redis.url, HOLD, "BEGIN", *TAKE, "INSERT INTO t VALUES (10, 0)")
    try:
        for _ in range(5):
            child.stdout.readline()
        db = connect(":memory:")
        true(not is_free(db))
    finally:
        child.kill()
        child.wait()
    until(lambda: is_free(db), "all of it runs out")
    db.close()


STEPPER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.enable_load_extension(True)
db.load_extension(sys.argv[2])
for line in sys.stdin:
    db.execute(line).fetchall()
    print("done", flush=True)
"""


def say(child, sql):
    child.stdin.write(sql + "\n")
    child.stdin.flush()


@test
def killed_between_the_commit_and_the_sending():
    """The outbox has what the commit promised; for whoever trusts the file."""
    fill()
    way, path = Proxy(redis), new_file()
    child = subprocess.Popen([sys.executable, "-c", STEPPER, path, sqlite.EXTENSION], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=sqlite.environment(way.url))
    db = connect(path, commit_timeout=1)
    try:
        for sql in (HOLD, "SELECT redis_config('commit_timeout', 60000)", "BEGIN", TAKE[0],
                    "INSERT INTO t VALUES (10, 0)", "SELECT redis_enqueue('mail', 'hello')"):
            say(child, sql)
            equal(child.stdout.readline(), "done\n", sql)
        way.hold()
        say(child, "COMMIT")
        until(lambda: redis("PTTL", "idem:claim") > 1000, "it asks whether the claim is its own")
        way.block()
        way.release()
        until(lambda: value(db, "SELECT count(*) FROM t WHERE id = 10") == 1, "the child has committed")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    true(redis("GET", "idem:claim").startswith(b"pending:"))
    true(redis("PTTL", "idem:claim") > 500000, "kept while it is under way")
    refused(db, "SELECT redis_outbox_drain()", "trigger_commands")
    value(db, "SELECT redis_config('trigger_commands', 1)")
    equal(value(db, "SELECT redis_outbox_drain()"), 1)
    equal(value(db, "SELECT redis_idempotent('claim')"), 0)
    equal((redis("GET", "idem:claim"), redis("HGET", "stock", "seat")), (b"done", b"7"))
    equal(value(db, "SELECT payload FROM redis_dequeue('mail')"), "hello")
    equal(value(db, "SELECT count(*) FROM redis_dequeue('mail')"), 0)
    until(lambda: redis("EXISTS", "lock") == 0, "the lock runs out")
    db.close()


RACER = """
import sqlite3, sys, time
db = sqlite3.connect(":memory:", isolation_level=None)
db.enable_load_extension(True)
db.load_extension(sys.argv[1])
print("ready", flush=True)
begin = float(sys.stdin.readline())
won = 0
for i in range(int(sys.argv[2])):
    while time.time() < begin + i / 1000:
        pass
    db.execute("BEGIN")
    first = db.execute("SELECT redis_idempotent('race:' || ?)", (i,)).fetchone()[0]
    db.execute("COMMIT" if first else "ROLLBACK")
    won += first
print(won)
"""


@test
def two_processes_race_for_a_key():
    redis("FLUSHALL")
    keys = 500
    racers = [subprocess.Popen([sys.executable, "-c", RACER, sqlite.EXTENSION, str(keys)], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=sqlite.environment(redis.url)) for _ in range(2)]
    for racer in racers:
        racer.stdout.readline()
    begin = time.time()
    for racer in racers:
        racer.stdin.write("%f\n" % begin)
        racer.stdin.flush()
    won = [int(racer.communicate(timeout=300)[0]) for racer in racers]
    equal(sum(won), keys, "%r" % won)


@test
def threads_of_a_process_sell_what_there_is():
    """Each with a connection of its own; every second transaction thinks better of it."""
    redis("FLUSHALL")
    redis("HSET", "stock", "seat", 400)
    sold, lock, problems = [0], threading.Lock(), []

    def sell():
        db = connect(":memory:")
        mine, n = 0, 0
        try:
            while True:
                db.execute("BEGIN")
                left = value(db, "SELECT redis_reserve('stock', 'seat', 1)")
                n += 1
                if left is None and redis_now() == 0:
                    break
                mine += left is not None and n % 2
                db.execute("COMMIT" if n % 2 else "ROLLBACK")
            db.execute("ROLLBACK")
            db.close()
        except Exception as problem:  # pylint: disable=broad-except
            problems.append(problem)
        with lock:
            sold[0] += mine

    def redis_now():
        client = redis.client()
        held = client("ZCARD", "stock:holds{stock}") + int(client("HGET", "stock", "seat"))
        client.close()
        return held

    threads = [threading.Thread(target=sell) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    equal((problems, sold[0], redis("HGET", "stock", "seat")), ([], 400, b"0"))


@test
def redis_is_stopped_between_a_call_and_the_commit():
    for mode in "sync", "async":
        own = Redis()
        fill(own)
        path = new_file()
        db = connect(path, own.url)
        value(db, "SELECT redis_config('commit_mode', ?)", mode)
        take(db)
        own.stop()
        refused(db, "COMMIT", "connection")
        equal((db.in_transaction, value(db, "SELECT count(*) FROM t WHERE id = 10")), (False, 0))
        own.start()
        fill(own)
        until(lambda db=db: is_free(db), "as ever")
        db.close()


@test
def redis_hangs_between_a_call_and_the_commit():
    own = Redis()
    fill(own)
    db = connect(new_file(), own.url, commit_timeout=200)
    take(db)
    own.freeze()
    refused(db, "COMMIT", "timeout: no reply from Redis within commit_timeout")
    equal((db.in_transaction, value(db, "SELECT count(*) FROM t WHERE id = 10")), (False, 0))
    own.thaw()
    other = connect(":memory:", own.url)
    until(lambda: is_free(other), "given back, or run out")
    db.close()
    other.close()


@test
def only_locks_do_not_hold_up_a_commit():
    """A lock is over at the commit anyway: whether it is held still need not be known."""
    own = Redis()
    db = connect(new_file(), own.url, commit_timeout=200)
    db.execute("BEGIN")
    equal(value(db, "SELECT redis_xact_lock('lock', 600)"), 1)
    db.execute("INSERT INTO t VALUES (10, 0)")
    own.freeze()
    db.execute("COMMIT")
    own.thaw()
    equal(value(db, "SELECT count(*) FROM t WHERE id = 10"), 1)
    until(lambda: own("EXISTS", "lock") == 0, "released when Redis is back, not after ten minutes")
    db.close()


@test
def a_rollback_is_told_to_a_redis_that_comes_back():
    way = Proxy(redis)
    fill()
    db = connect(new_file(), way.url, commit_timeout=200)
    db.execute("BEGIN")
    for sql in TAKE[0].replace(", 1)", ", 600)"), :
        value(db, sql)
    way.down()
    db.execute("ROLLBACK")
    equal(redis("EXISTS", "lock", "idem:claim"), 2)
    way.up()
    until(lambda: redis("EXISTS", "lock", "idem:claim") == 0 and redis("HGET", "stock", "seat") == b"10",
          "by itself, without another call")
    db.close()


@test
def a_call_after_it_finds_everything_given_back():
    way = Proxy(redis)
    fill()
    db = connect(":memory:", way.url, commit_timeout=200)
    for _ in range(3):
        db.execute("BEGIN")
        value(db, TAKE[0].replace(", 1)", ", 600)"))
        way.cut()
        db.execute("ROLLBACK")
    until(lambda: is_free(db), "given back")
    db.close()


@test
def a_child_holds_nothing_of_its_parents():
    fill()
    for ending in "db.close()", "db.execute('ROLLBACK')", "db.execute('COMMIT')", "value(db, 'SELECT redis_ping()')":
        db = connect(":memory:")
        db.execute("BEGIN")
        equal(value(db, "SELECT redis_xact_lock('lock')"), 1)
        child = os.fork()
        if child == 0:
            try:
                exec(ending)  # pylint: disable=exec-used
                os._exit(0)
            finally:
                os._exit(1)
        equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, ending)
        equal(redis("EXISTS", "lock"), 1, ending)
        db.execute("ROLLBACK")
        equal(redis("EXISTS", "lock"), 0)
        db.close()


@test
def a_child_that_takes_part_has_its_own():
    fill()
    db = connect(":memory:")
    db.execute("BEGIN")
    equal(value(db, "SELECT redis_xact_lock('lock')"), 1)
    child = os.fork()
    if child == 0:
        good = value(db, "SELECT redis_xact_lock('lock')") == 0
        good = good and value(db, "SELECT redis_xact_lock('another')") == 1
        db.execute("ROLLBACK")
        os._exit(0 if good and redis.client()("EXISTS", "lock", "another") == 1 else 1)
    equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
    equal(redis("EXISTS", "lock"), 1)
    db.execute("COMMIT")
    equal(redis("EXISTS", "lock"), 0)
    db.close()


@test
def an_interrupted_wait_for_a_lock():
    redis("FLUSHALL")
    redis("SET", "lock", "somebody")
    db = connect(":memory:", check_same_thread=False)
    db.execute("BEGIN")
    equal(value(db, "SELECT redis_xact_lock('mine')"), 1)
    timer = threading.Timer(0.2, db.interrupt)
    timer.start()
    refused(db, "SELECT redis_xact_lock('lock', 30, 60)", "interrupted")
    timer.join()
    equal((redis("EXISTS", "mine"), redis("GET", "lock")), (1, b"somebody"))
    db.execute("ROLLBACK")
    equal((redis("EXISTS", "mine"), redis("GET", "lock")), (0, b"somebody"))
    db.close()


main()
