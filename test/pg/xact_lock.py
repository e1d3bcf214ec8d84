"""redis_xact_lock: held until the transaction ends, however that happens; and what COMMIT does about holds."""

import contextlib
import os
import signal

from harness import (Gone, Postgres, Redis, Wire, contains, end, equal, main, test, true,
                     wait_for)

redis = Redis()
server = Postgres(redis.url, {"sqlredis.commit_timeout": "300", "sqlredis.command_timeout": "1000"})
server.database("d")
server.sql("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0); INSERT INTO t VALUES (1);"
           "SELECT redis_invalidate_on('t', 't:{id}')", "d")


def session(settings=""):
    shell = server.session("d")
    shell.run("SELECT redis_ping();" + settings)
    return shell


def held(name="l"):
    return redis("EXISTS", name) == 1


def pid_of(shell):
    return int(shell.run("SELECT pg_backend_pid();"))


def waits(pid, event="Extension"):
    """In a wait for Redis; the sleep between two attempts is one, too."""
    return server.sql("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %d" % pid) == event


def ended(pid):
    return server.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = %d" % pid) == "0"


@contextlib.contextmanager
def stopped_launcher():
    """It is there, and sends nothing for the sessions."""
    server.restart({"shared_preload_libraries": "'sqlredis'"})
    launcher = int(server.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sqlredis launcher'"))
    os.kill(launcher, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(launcher, signal.SIGCONT)


def is_up():
    """Not in the recovery that follows a kill -9."""
    try:
        Wire(server.host, server.port, server.name, "d").close()
        return True
    except Gone:
        return False


@test
def until_the_transaction_ends():
    shell, other = session(), session()
    for how in ("COMMIT", "ROLLBACK", "SELECT 1/0; COMMIT"):
        equal(shell.run("BEGIN; SELECT redis_xact_lock('l');"), "t")
        true(held())
        equal(shell.run("SELECT redis_xact_lock('l');"), "t", "it has it already")
        equal(other.run("SELECT redis_xact_lock('l'), redis_lock('l') IS NULL;"), "f|t")
        shell.run(how + ";")
        true(not held(), how)
    equal(shell.run("SELECT redis_xact_lock('l');"), "t")
    true(not held(), "a statement is a transaction")
    shell.close()
    other.close()


@test
def another_one_waits_for_it():
    shell, other = session(), session()
    pid = pid_of(other)
    shell.run("BEGIN; SELECT redis_xact_lock('l');")
    other.send("BEGIN; SELECT redis_xact_lock('l', 30, 50);")
    wait_for("its waiting", lambda: waits(pid))
    shell.run("COMMIT;")
    equal(other.result(), "t")
    true(held())
    other.run("COMMIT;")
    true(not held())
    shell.close()
    other.close()


@test
def savepoints():
    shell = session()
    shell.run("BEGIN; SAVEPOINT a; SELECT redis_xact_lock('l');")
    true(held())
    shell.run("ROLLBACK TO a;")
    true(not held(), "taken after the savepoint")
    shell.run("SELECT redis_xact_lock('l'); RELEASE a;")
    true(held(), "the savepoint is released, the lock is not")
    shell.run("SAVEPOINT b; SELECT redis_xact_lock('m'); SAVEPOINT c; SELECT redis_xact_lock('n'); "
              "RELEASE c;")
    true(held("m") and held("n"))
    shell.run("SAVEPOINT c; ROLLBACK TO c;")
    true(held("m") and held("n"))
    shell.run("ROLLBACK TO b;")
    true(not held("m") and not held("n"))
    true(held(), "taken before it")
    shell.run("COMMIT;")
    true(not held())
    shell.close()


@test
def an_exception_block_is_a_savepoint():
    shell = session()
    contains(shell.run("""DO $$ BEGIN
        PERFORM redis_xact_lock('outer');
        BEGIN PERFORM redis_xact_lock('l'); PERFORM 1/0; EXCEPTION WHEN others THEN NULL; END;
        RAISE NOTICE 'l %, outer %', redis_exists('l'), redis_exists('outer');
        BEGIN PERFORM redis_xact_lock('l'); EXCEPTION WHEN others THEN NULL; END;
        RAISE NOTICE 'now l %', redis_exists('l'); END $$;"""), "l 0, outer 1")
    true(not held() and not held("outer"))
    # what fails within the core, too: the lock of another type's key
    redis("SADD", "a set", "x")
    shell.run("BEGIN; SELECT redis_xact_lock('l'); SAVEPOINT s; SELECT redis_xact_lock('m');")
    contains(shell.run("SELECT redis_get('a set');"), "42804")
    shell.run("ROLLBACK TO s;")
    true(held() and not held("m"))
    shell.run("ROLLBACK;")
    true(not held())
    shell.close()


@test
def the_end_of_a_session():
    for statement, waiting in ((None, None), ("SELECT pg_sleep(60);", "Timeout"),
                               # between two attempts, and while Redis has been asked
                               ("SELECT redis_xact_lock('taken', 30, 60);", "Extension"),
                               ("SELECT redis_brpop('nothing', 60);", "Extension")):
        redis("SET", "taken", "somebody")
        shell = session("BEGIN; SELECT redis_xact_lock('l'); SAVEPOINT s; SELECT redis_xact_lock('m');")
        pid = pid_of(shell)
        if statement:
            shell.send(statement)
            wait_for("its waiting", lambda: waits(pid, waiting))  # pylint: disable=cell-var-from-loop
        true(held() and held("m"))
        server.sql("SELECT pg_terminate_backend(%d)" % pid)
        wait_for("its end", lambda: ended(pid))  # pylint: disable=cell-var-from-loop
        true(not held() and not held("m"), statement)
        end(shell.process)
    # the client is gone
    shell = session("BEGIN; SELECT redis_xact_lock('l');")
    pid = pid_of(shell)
    end(shell.process, signal.SIGKILL)
    wait_for("its end", lambda: ended(pid))
    true(not held())
    equal(redis("GET", "taken"), b"somebody")


@test
def cancelled_while_it_waits_for_another_one():
    redis("SET", "taken", "somebody")
    shell = session()
    pid = pid_of(shell)
    for statement in ("SELECT redis_xact_lock('taken', 30, 60);", "SELECT redis_brpop('nothing', 60);"):
        shell.run("BEGIN; SELECT redis_xact_lock('l');")
        shell.send(statement)
        wait_for("its waiting", lambda: waits(pid))
        true(held())
        server.sql("SELECT pg_cancel_backend(%d)" % pid)
        contains(shell.result(), "57014")
        true(not held(), "the transaction is aborted, and not only when ROLLBACK says so")
        shell.run("ROLLBACK; BEGIN; SELECT redis_xact_lock('l'); SET LOCAL statement_timeout = 100;")
        contains(shell.run(statement), "57014")
        true(not held())
        shell.run("ROLLBACK;")
    # back to a savepoint, and on
    shell.run("BEGIN; SELECT redis_xact_lock('l'); SAVEPOINT s; SELECT redis_xact_lock('m'); "
              "SET LOCAL statement_timeout = 100;")
    contains(shell.run("SELECT redis_brpop('nothing', 60);"), "57014")
    shell.run("ROLLBACK TO s;")
    true(held() and not held("m"))
    shell.run("COMMIT;")
    true(not held())
    shell.close()


@test
def a_killed_backend_keeps_it_for_its_time():
    shell = session("BEGIN; SELECT redis_xact_lock('l', 2), redis_xact_lock('long', 3600);")
    pid = pid_of(shell)
    os.kill(pid, signal.SIGKILL)
    end(shell.process)
    true(redis("PTTL", "long") > 3000000)
    wait_for("its time", lambda: not held())
    redis("DEL", "long")
    wait_for("the recovery", is_up)


@test
def somebody_elses_is_not_released():
    shell = session()
    shell.run("BEGIN; SELECT redis_xact_lock('l');")
    redis("SET", "l", "another token")
    equal(shell.run("COMMIT;"), "")
    equal(redis("GET", "l"), b"another token")
    redis("DEL", "l")
    # nor is a lock that ran out a reason not to commit
    shell.run("BEGIN; SELECT redis_xact_lock('l'); UPDATE t SET n = 5;")
    redis("DEL", "l")
    equal(shell.run("COMMIT; SELECT n FROM t;"), "5")
    shell.close()


@test
def redis_hangs_or_is_away_at_the_end():
    for how, ending in ((redis.freeze, "COMMIT"), (redis.freeze, "ROLLBACK"), (redis.stop, "COMMIT"),
                        (redis.stop, "ROLLBACK")):
        shell = session("BEGIN; UPDATE t SET n = 7; SELECT redis_xact_lock('l', 3600);")
        how()
        said = shell.run(ending + ";", patience=20)
        true("ERROR" not in said, said)
        redis.thaw()
        if redis.process.poll() is not None:
            redis.start()
        equal(shell.run("SELECT n FROM t;"), "7" if ending == "COMMIT" else "5")
        # told, or given back as soon as Redis is asked again
        wait_for("the breaker", lambda: shell.run("SELECT redis_ping();") == "PONG")  # pylint: disable=cell-var-from-loop
        wait_for("the lock's end", lambda: not held())
        shell.run("UPDATE t SET n = 5;")
        shell.close()
    true("PANIC" not in server.log_text())


@test
def prepare_is_refused():
    shell = session()
    contains(shell.run("BEGIN; SELECT redis_xact_lock('l'); PREPARE TRANSACTION 'x';"),
             "0A000: cannot PREPARE a transaction that holds something in Redis")
    true(not held())
    # given back before it: nothing is held
    equal(shell.run("BEGIN; SAVEPOINT s; SELECT redis_xact_lock('l'); ROLLBACK TO s; "
                    "PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x';"), "t")
    equal(shell.run("SELECT count(*) FROM pg_prepared_xacts;"), "0")
    shell.close()


@test
def effects_come_before_the_release_also_in_async_mode():
    with stopped_launcher():
        shell = session("SET sqlredis.commit_mode = async;")
        equal(shell.run("SHOW sqlredis.commit_mode;"), "async")
        for text in ("BEGIN; SELECT redis_xact_lock('l'); UPDATE t SET n = n + 1; COMMIT;",
                     "BEGIN; UPDATE t SET n = n + 1; SELECT redis_xact_lock('l'); COMMIT;"):
            redis("SET", "t:1", "old")
            equal(shell.run(text), "t")
            equal(redis("EXISTS", "l", "t:1"), 0)
        shell.close()


@test
def effects_come_before_the_release_also_very_many_and_patterns():
    """A drainer sends these otherwise."""
    with stopped_launcher():
        shell = session()
        for effects in ("count(redis_invalidate('e' || n)) FROM generate_series(1, 6000) n",
                        "redis_invalidate_pattern('e*') IS NOT NULL"):
            redis("MSET", "e1", "old", "e6000", "old")
            shell.run("BEGIN; SELECT redis_xact_lock('l'); SELECT %s; COMMIT;" % effects)
            equal(redis("EXISTS", "l", "e1", "e6000"), 0, effects)
        shell.close()


@test
def redis_closed_the_connection_in_a_long_transaction():
    """As its setting timeout has it for clients that ask nothing."""
    shell = session()
    shell.run("BEGIN; SELECT redis_xact_lock('l', 600);")
    redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    shell.run("SELECT pg_sleep(1.1); COMMIT;")
    true(not held())
    shell.close()


@test
def read_only_transactions_and_procedures():
    shell = session()
    equal(shell.run("BEGIN READ ONLY; SELECT redis_xact_lock('l');"), "t")
    true(held())
    shell.run("COMMIT;")
    true(not held())
    said = shell.run("""DO $$ BEGIN
        PERFORM redis_xact_lock('l'); COMMIT; RAISE NOTICE 'first %', redis_exists('l');
        PERFORM redis_xact_lock('l'); ROLLBACK; RAISE NOTICE 'second %', redis_exists('l'); END $$;""")
    contains(said, "first 0")
    contains(said, "second 0")
    shell.close()


main()
