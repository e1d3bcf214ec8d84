"""Statements that are ended from outside while Redis hangs: at once, and the session goes on."""

import os
import signal
import sqlite3
import threading
import time

from harness import (Both, FakeServer, PgEngine, Redis, equal, main, silent, sqlite, test, true,
                     wait_for)

both = Both()
redis = Redis()
server = both.server


def waiting(engine):
    """In the middle of waiting for Redis, by what PostgreSQL itself says."""
    return server.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'active' "
                      "AND wait_event_type = 'Extension'" % engine.pid) == "1"


def session(url, **config):
    engine = PgEngine(server, "faults")
    for name, value in dict({"command_timeout": 60000, "connect_timeout": 60000},
                            **config).items():
        engine.config(name, value)
    engine.config("url", url)
    return engine


def cancelled_within_100_ms(engine, statement):
    other = server.session("postgres")
    other.run("SELECT 1;")
    engine.shell.send(statement)
    wait_for("the statement to hang", lambda: waiting(engine))
    begun = time.monotonic()
    other.send("SELECT pg_cancel_backend(%d);" % engine.pid)
    said = engine.shell.result()
    took = time.monotonic() - begun
    other.result()
    other.close()
    true("57014" in said, said)
    true(took < 0.1, "the cancel took %.0f ms" % (took * 1000))


def goes_on(engine):
    engine.config("url", redis.url)
    redis("SET", "after", "right")
    equal(engine.value("SELECT redis_get('after')"), "right")


@test
def a_cancel_while_waiting_for_a_reply():
    engine = session(redis.url)
    redis("SET", "wrong", "wrong")
    redis("SET", "right", "right")
    equal(engine.value("SELECT redis_ping()"), "PONG")
    redis.freeze()
    try:
        cancelled_within_100_ms(engine, "SELECT redis_get('wrong');")
    finally:
        redis.thaw()
    # the reply to the cancelled statement must not answer the next
    equal(engine.value("SELECT redis_get('right')"), "right")
    engine.close()


@test
def a_cancel_while_connecting():
    with FakeServer(serve=silent) as fake:
        engine = session(fake.url)
        cancelled_within_100_ms(engine, "SELECT redis_get('k');")
        goes_on(engine)
        engine.close()


@test
def a_cancel_while_shaking_hands():
    with FakeServer(serve=silent) as fake:
        engine = session("rediss://127.0.0.1:%d/?tls_verify=none" % fake.port)
        cancelled_within_100_ms(engine, "SELECT redis_get('k');")
        goes_on(engine)
        engine.close()


@test
def a_cancel_while_waiting_for_a_lock():
    redis("SET", "held", "by somebody")
    engine = session(redis.url)
    cancelled_within_100_ms(engine, "SELECT redis_lock('held', 30, 60);")
    equal(engine.value("SELECT redis_get('held')"), "by somebody")
    engine.close()


@test
def a_cancel_in_a_transaction_block():
    engine = session(redis.url)
    engine.sql("BEGIN;")
    engine.value("SELECT redis_invalidate('kept')")
    engine.sql("SAVEPOINT s;")
    redis.freeze()
    try:
        cancelled_within_100_ms(engine, "SELECT redis_get('k');")
    finally:
        redis.thaw()
    redis("SET", "kept", "x")
    engine.sql("ROLLBACK TO s;")
    # the cancel took the connection along: a new one is made before the commit
    equal(engine.sql("COMMIT;"), "")
    equal(redis("EXISTS", "kept"), 0)
    engine.close()


@test
def statement_timeout():
    engine = session(redis.url)
    equal(engine.value("SELECT redis_ping()"), "PONG")
    engine.sql("SET statement_timeout = 200;")
    redis.freeze()
    begun = time.monotonic()
    said = engine.sql("SELECT redis_get('k');")
    took = time.monotonic() - begun
    redis.thaw()
    true("57014" in said, said)
    true(took < 2, "%.1f s" % took)
    engine.sql("SET statement_timeout = 0;")
    equal(engine.value("SELECT redis_ping()"), "PONG")
    engine.close()


@test
def a_terminated_session_ends():
    engine = session(redis.url)
    redis.freeze()
    engine.shell.send("SELECT redis_get('k');")
    wait_for("the statement to hang", lambda: waiting(engine))
    equal(server.sql("SELECT pg_terminate_backend(%d, 5000)" % engine.pid), "t")
    redis.thaw()
    engine.shell.process.kill()


@test
def a_wait_survives_other_signals():
    engine = session(redis.url)
    equal(engine.value("SELECT redis_ping()"), "PONG")
    redis("SET", "patience", "rewarded")
    redis.freeze()
    engine.shell.send("SELECT redis_get('patience');")
    wait_for("the statement to hang", lambda: waiting(engine))
    for _ in range(20):
        os.kill(engine.pid, signal.SIGHUP)
        server.sql("SELECT pg_reload_conf()")
    redis.thaw()
    equal(engine.shell.result(), "rewarded")
    engine.close()


@test
def sqlite_interrupt():
    db = sqlite.connect(redis.url, check_same_thread=False)
    db.execute("SELECT redis_config('command_timeout', '60000')").fetchall()
    redis("SET", "right", "right")
    equal(db.execute("SELECT redis_ping()").fetchone()[0], "PONG")
    redis.freeze()
    begun = []

    def interrupt():
        begun.append(time.monotonic())
        db.interrupt()

    timer = threading.Timer(0.3, interrupt)
    timer.start()
    try:
        db.execute("SELECT redis_get('wrong')").fetchone()
    except sqlite3.OperationalError as problem:
        took = time.monotonic() - begun[0]
        true("interrupt" in str(problem), str(problem))
        true(took < 0.2, "the interrupt took %.0f ms" % (took * 1000))
    else:
        raise AssertionError("not interrupted")
    finally:
        timer.join()
        redis.thaw()
    equal(db.execute("SELECT redis_get('right')").fetchone()[0], "right")
    db.close()


main()
