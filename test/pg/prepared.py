"""PREPARE TRANSACTION: what another session commits is delivered by whoever finds it."""

from harness import Postgres, Redis, contains, equal, main, test, wait_for

redis = Redis()
SETTINGS = {"sqlredis.commit_timeout": "50", "synchronous_commit": "on"}


def make(preloaded):
    server = Postgres(redis.url, dict(SETTINGS, **({"shared_preload_libraries": "'sqlredis'"}
                                                   if preloaded else {})))
    server.database("d")
    server.sql("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);"
               "INSERT INTO t SELECT generate_series(1, 100);"
               "SELECT redis_invalidate_on('t', 't:{id}')", "d")
    redis("FLUSHALL")
    return server


def prepare(server, name, number):
    redis("SET", "t:%d" % number, "old")
    shell = server.session("d")
    equal(shell.run("BEGIN; UPDATE t SET n = n + 1 WHERE id = %d; PREPARE TRANSACTION '%s';"
                    % (number, name)), "")
    equal(redis("EXISTS", "t:%d" % number), 1)
    return shell


@test
def committed_by_another_session_and_found_by_a_third():
    server = make(False)
    prepare(server, "x", 1).close()
    other = server.session("d")
    equal(other.run("SELECT count(*) FROM redis_outbox();"), "0", "not committed yet")
    equal(other.run("COMMIT PREPARED 'x';"), "")
    equal(other.run("SELECT keys FROM redis_outbox();"), '["t:1"]')
    third = server.session("d")

    def gone():
        third.run("UPDATE t SET n = n + 1 WHERE id = 50;")
        return redis("EXISTS", "t:1") == 0
    wait_for("a commit to take it over", gone)
    equal(third.run("SELECT count(*) FROM redis_outbox();"), "0")
    server.stop()


@test
def drained_by_hand_and_rolled_back():
    server = make(False)
    first, second = prepare(server, "x", 1), prepare(server, "y", 2)
    equal(second.run("ROLLBACK PREPARED 'y';"), "")
    equal(first.run("SELECT redis_outbox_drain();"), "0")
    equal(first.run("COMMIT PREPARED 'x'; SELECT redis_outbox_drain();"), "1")
    equal(redis("EXISTS", "t:1"), 0)
    equal(redis("EXISTS", "t:2"), 1)
    # what a session prepared is not sent with its next commit
    third = prepare(server, "z", 3)
    third.run("UPDATE t SET n = n + 1 WHERE id = 4;")
    third.close()
    equal(redis("EXISTS", "t:3"), 1)
    wait_for("its row of that commit to go with it", lambda: first.run("SELECT count(*) FROM sqlredis_outbox;") == "0")
    first.run("ROLLBACK PREPARED 'z';")
    equal(first.run("SELECT redis_outbox_drain();"), "0")
    server.stop()


@test
def prepared_before_a_crash_and_committed_after_it():
    server = make(True)
    prepare(server, "x", 1).close()
    server.process.send_signal(3)  # SIGQUIT: an immediate stop
    server.process.wait(30)
    server.start()
    server.sql("COMMIT PREPARED 'x'", "d")
    wait_for("the drainer", lambda: redis("EXISTS", "t:1") == 0)
    wait_for("an empty outbox",
             lambda: server.sql("SELECT count(*) FROM sqlredis_outbox", "d") == "0")
    server.stop()


@test
def committed_while_redis_is_away():
    server = make(True)
    shell = prepare(server, "x", 1)
    redis.stop()
    equal(shell.run("COMMIT PREPARED 'x';"), "", "nothing is sent, so nothing is said")
    wait_for("an attempt", lambda: shell.run("SELECT attempts > 0 FROM redis_outbox();") == "t")
    contains(shell.run("SELECT last_error FROM redis_outbox();"), "connect")
    redis.start()
    wait_for("the drainer", lambda: shell.run("SELECT count(*) FROM redis_outbox();") == "0")
    contains(redis("INFO", "commandstats").decode(), "cmdstat_unlink")
    server.stop()


@test
def without_the_outbox_it_is_refused():
    server = make(False)
    shell = server.session("d")
    said = shell.run("SET sqlredis.durability = memory; BEGIN; UPDATE t SET n = 1 WHERE id = 1; "
                     "PREPARE TRANSACTION 'x';")
    contains(said, "cannot PREPARE a transaction that has queued keys")
    contains(said, "sqlredis.durability")
    equal(shell.run("SELECT count(*) FROM pg_prepared_xacts;"), "0")
    equal(shell.run("BEGIN; CREATE TABLE x (i int); PREPARE TRANSACTION 'y'; COMMIT PREPARED 'y';"), "")
    server.stop()


main()
