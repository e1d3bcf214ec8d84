"""The launcher and its drainers: what they deliver, and when."""

import os
import signal
import time

from harness import Redis, contains, end, equal, main, process, test, true, wait_for
from harness.workers import TABLE, cluster, commit_without_redis, drained, gone, redis, redis_comes_back, server, workers


@test
def it_shows_itself():
    wait_for("the launcher", lambda: server.sql(
        "SELECT application_name, state, query, datname IS NULL FROM pg_stat_activity "
        "WHERE backend_type = 'sqlredis launcher'") == "sqlredis launcher|idle|waiting for commits|t")


@test
def what_a_commit_could_not_send_is_drained():
    shell = server.session("d")
    shell.run("SELECT redis_ping();")
    redis.stop()
    contains(shell.run("UPDATE t SET n = n + 1 WHERE id = 1;"), "is in the outbox")
    contains(shell.run("UPDATE t SET n = n + 1 WHERE id = 2;"), "is in the outbox")
    equal(server.log_text().count("is in the outbox"), 1, "the log has it once for an outage")
    wait_for("attempts", lambda: shell.run("SELECT bool_and(attempts > 0 AND last_error LIKE '%connect%') "
                                           "FROM redis_outbox();") == "t")
    equal(shell.run("SELECT value FROM redis_stats() WHERE name = 'invalidations_waiting';"), "0")
    redis_comes_back("t:1", "t:2")
    gone("t:1", "t:2")
    drained()
    redis.stop()
    contains(shell.run("SELECT redis_ping();"), "08")
    redis.start()
    wait_for("Redis", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal(shell.run("UPDATE t SET n = n + 1 WHERE id = 1;"), "")
    shell.close()


@test
def the_session_that_owed_it_may_be_gone():
    commit_without_redis(1, 2, 3).close()
    gone("t:1", "t:2", "t:3")
    drained()
    equal(workers("drainer"), "", "it ends when it is done")


@test
def rows_of_idle_sessions_are_swept_away():
    shell = server.session("d")
    shell.run("UPDATE t SET n = n + 1 WHERE id = 1;")
    equal(shell.run("SELECT count(*) FROM redis_outbox();"), "0")
    other = server.session("d")
    equal(other.run("SELECT count(*) FROM redis_outbox();"), "0", "everybody knows that it was delivered")
    redis("SET", "t:1", "new")
    drained()
    equal(redis("EXISTS", "t:1"), 1, "and nobody delivers it again")
    equal(shell.run("UPDATE t SET n = n + 1 WHERE id = 2;"), "")
    shell.close()
    other.close()


@test
def many_databases():
    names = ["many%d" % i for i in range(6)]
    for name in names:
        server.database(name)
        server.sql(TABLE.replace("t:{id}", name + ":{id}"), name)
    shells = [server.session(name) for name in names]
    for shell in shells:
        shell.run("SELECT redis_ping();")
    redis.stop()
    for shell in shells:
        shell.run("UPDATE t SET n = 1 WHERE id = 1;")
    redis_comes_back(*(name + ":1" for name in names))
    gone(*(name + ":1" for name in names))
    for name, shell in zip(names, shells):
        drained(name)
        shell.close()
        server.sql("DROP DATABASE %s" % name)


@test
def a_hundred_thousand_rows():
    redis.stop()
    server.sql("SET synchronous_commit = off; DO $$ BEGIN FOR i IN 1 .. 100000 LOOP "
               "PERFORM redis_invalidate('many:' || i); COMMIT; END LOOP; END $$", "d")
    equal(server.sql("SELECT count(*) FROM sqlredis_outbox", "d"), "100000")
    redis_comes_back("many:1", "many:50000", "many:100000")
    begun = time.monotonic()
    drained()
    true(time.monotonic() - begun < 30, "it took %.1f s" % (time.monotonic() - begun))
    equal(redis("EXISTS", "many:1", "many:50000", "many:100000"), 0)


@test
def rows_that_somebody_took_and_gave_back():
    shell = server.session("d")
    shell.run("SELECT redis_ping();")
    redis.stop()
    shell.run("UPDATE t SET n = n + 1 WHERE id = 11;")
    wait_for("a drainer to fail", lambda: shell.run(
        "SELECT attempts > 0 FROM redis_outbox();") == "t")
    launcher = int(workers())
    os.kill(launcher, signal.SIGSTOP)
    try:
        wait_for("the drainers to give up", lambda: workers("drainer") == "")
        redis.start()
        equal(shell.run("BEGIN; SELECT redis_outbox_drain();"), "1")
        redis("SET", "t:11", "old")
    finally:
        os.kill(launcher, signal.SIGCONT)
    # a row of its own shows how often a delivery failed: not since it was found empty
    wait_for("a drainer that leaves it", lambda: server.sql(
        "SELECT attempts FROM redis_outbox() LIMIT 1", "d") == "0")
    equal(redis("EXISTS", "t:11"), 1)
    shell.run("ROLLBACK;")
    gone("t:11")
    shell.close()
    drained()


@test
def many_keys_and_patterns_are_left_to_the_drainer():
    shell = server.session("d")
    redis("MSET", "m:1", "old", "m:6000", "old", "p:1", "old")
    contains(shell.run("BEGIN; SELECT sum(redis_invalidate('m:' || i)) FROM generate_series(1, 6000) i; COMMIT;"),
             "6000 keys are left to the drainer")
    gone("m:1", "m:6000")
    contains(shell.run("SELECT redis_invalidate_pattern('p:*');"), "left to the drainer")
    gone("p:1")
    shell.close()
    drained()


@test
def a_database_that_has_to_go_does_not_wait():
    server.database("going")
    server.sql(TABLE, "going")
    server.sql("ALTER DATABASE going SET sqlredis.command_timeout = '60s'")
    shell = server.session("going")
    shell.run("SELECT redis_ping();")
    redis.freeze()
    shell.run("SET sqlredis.command_timeout = 500; UPDATE t SET n = 1 WHERE id = 1;")
    shell.close()
    wait_for("a drainer that hangs", lambda: server.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sqlredis drainer' "
        "AND datname = 'going' AND query LIKE 'delivering%'") == "1")
    server.sql("CREATE DATABASE copied TEMPLATE going")
    server.sql("DROP DATABASE going")
    redis.thaw()
    server.sql("DROP DATABASE copied")


@test
def whoever_may_not_drop_it_keeps_no_drainer_away():
    server.sql("CREATE ROLE visitor LOGIN")
    visitor = server.session("postgres", "visitor")
    contains(visitor.run("DROP DATABASE d;"), "42501")
    contains(visitor.run("CREATE DATABASE copy TEMPLATE d;"), "42501")
    commit_without_redis(31).close()
    launcher_waits = 5  # a database that is left alone is so for ten seconds
    wait_for("the key to go", lambda: redis("EXISTS", "t:31") == 0, launcher_waits)
    visitor.close()
    drained()


@test
def a_database_that_takes_no_connections():
    server.database("closed")
    server.sql(TABLE, "closed")
    shell = server.session("closed")
    shell.run("SELECT redis_ping();")
    redis.stop()
    server.sql("ALTER DATABASE closed ALLOW_CONNECTIONS false")
    shell.run("UPDATE t SET n = 1 WHERE id = 7;")
    redis.start()
    redis("SET", "t:7", "old")
    commit_without_redis(8).close()
    gone("t:8")
    true("sqlredis drainer" not in workers("drainer"))
    equal(shell.run("SELECT count(*) FROM redis_outbox();"), "1")
    server.sql("ALTER DATABASE closed ALLOW_CONNECTIONS true")
    equal(shell.run("SELECT redis_outbox_drain();"), "1")
    shell.close()
    server.sql("DROP DATABASE closed")


@test
def the_extension_comes_and_goes():
    shell = commit_without_redis(11)
    redis.stop()
    shell.run("UPDATE t SET n = 5 WHERE id = 11;")
    server.sql("DROP EXTENSION sqlredis CASCADE", "d")
    redis.start()
    server.sql("CREATE EXTENSION sqlredis; SELECT redis_invalidate_on('t', 't:{id}')", "d")
    shell.close()
    commit_without_redis(12).close()
    gone("t:12")
    drained()


@test
def a_url_that_changes_is_read_again():
    other = Redis()
    shell = server.session("d")
    shell.run("SELECT redis_ping();")
    redis.stop()
    shell.run("UPDATE t SET n = n + 1 WHERE id = 21;")
    wait_for("an attempt", lambda: shell.run("SELECT attempts > 0 FROM redis_outbox();") == "t")
    other("SET", "t:21", "old")
    server.reload({"sqlredis.url": "'%s'" % other.url})
    wait_for("the new server", lambda: other("EXISTS", "t:21") == 0)
    other("SET", "t:22", "old")
    equal(shell.run("SET sqlredis.commit_mode = async; UPDATE t SET n = n + 1 WHERE id = 22;"), "")
    wait_for("the new server", lambda: other("EXISTS", "t:22") == 0)
    redis.start()
    server.reload({"sqlredis.url": "'%s'" % redis.url})
    shell.close()
    other.stop()


@test
def a_launcher_that_ends_is_started_again():
    before = workers()
    shell = server.session("d")
    shell.run("SELECT redis_ping();")
    redis.stop()
    shell.run("UPDATE t SET n = n + 1 WHERE id = 31;")
    server.sql("SELECT pg_terminate_backend(%s)" % before)
    wait_for("another one", lambda: workers() not in ("", before))
    redis_comes_back("t:31")
    gone("t:31")
    shell.close()
    drained()


@test
def a_backend_that_crashes():
    commit = server.session("d")
    commit.run("SELECT redis_ping(); SET sqlredis.commit_timeout = 30000; "
               "SET sqlredis.command_timeout = 30000;")
    pid = int(commit.run("SELECT pg_backend_pid();"))
    redis.freeze()
    commit.send("UPDATE t SET n = 77 WHERE id = 41;")
    wait_for("the commit", lambda: server.sql("SELECT n FROM t WHERE id = 41", "d") == "77")
    os.kill(pid, signal.SIGKILL)
    end(commit.process)
    redis.thaw()
    wait_for("Redis", lambda: redis("PING") == "PONG")
    redis("SET", "t:41", "old")
    gone("t:41")
    wait_for("the cluster", server._up_or_dead)
    drained()


@test
def async_commits():
    shell = server.session("d")
    shell.run("SET sqlredis.commit_mode = async;")
    redis("MSET", "t:51", "old", "t:52", "old")
    equal(shell.run("UPDATE t SET n = n + 1 WHERE id = 51;"), "")
    gone("t:51")
    equal(shell.run("SELECT value FROM redis_stats() WHERE name = 'connects';"), "0",
          "the session itself never connected")
    wait_for("the launcher", lambda: shell.run("SELECT count(*) FROM redis_outbox();") == "0")
    equal(shell.run("SET sqlredis.durability = memory; UPDATE t SET n = n + 1 WHERE id = 52;"), "")
    gone("t:52")
    equal(shell.run("SELECT count(*) FROM sqlredis_outbox;"), "0")
    # commands and patterns take the same way
    redis("MSET", "p:1", "old", "p:2", "old")
    shell.run("RESET sqlredis.durability; BEGIN; SELECT redis_on_commit('INCR', 'async'); "
              "SELECT redis_invalidate_pattern('p:*'); COMMIT;")
    gone("p:1", "p:2")
    wait_for("the command", lambda: redis("GET", "async") == b"1")
    drained()
    equal(redis("GET", "async"), b"1")
    # rolled back
    redis("SET", "t:53", "old")
    shell.run("BEGIN; UPDATE t SET n = n + 1 WHERE id = 53; ROLLBACK; UPDATE t SET n = 1 WHERE id = 54;")
    drained()
    equal(redis("EXISTS", "t:53"), 1)
    shell.close()


@test
def async_while_redis_is_away():
    shell = server.session("d")
    shell.run("SET sqlredis.commit_mode = async;")
    redis.stop()
    for number in range(61, 70):
        equal(shell.run("UPDATE t SET n = n + 1 WHERE id = %d;" % number), "")
    redis_comes_back(*("t:%d" % number for number in range(61, 70)))
    gone(*("t:%d" % number for number in range(61, 70)))
    shell.run("SET sqlredis.durability = memory;")
    redis.stop()
    for number in range(61, 70):
        equal(shell.run("UPDATE t SET n = n + 1 WHERE id = %d;" % number), "")
    redis_comes_back(*("t:%d" % number for number in range(61, 70)))
    gone(*("t:%d" % number for number in range(61, 70)))
    shell.close()
    drained()


@test
def what_the_ring_does_not_take_is_sent_by_the_session():
    """Which has had no reason yet to connect."""
    for durability in ("outbox", "memory"):
        shell = server.session("d")
        shell.run("SET sqlredis.commit_mode = async; SET sqlredis.durability = %s;" % durability)
        redis("SET", "large", "old")
        equal(shell.run("SELECT redis_invalidate('large', repeat('x', 900000));"), "2")
        equal(redis("EXISTS", "large"), 0)
        shell.close()
    drained()


@test
def what_an_async_session_owes_is_sent_with_its_next_transaction():
    shell = server.session("d")
    shell.run("SET sqlredis.commit_mode = async; SET sqlredis.durability = memory;")
    redis.stop()
    contains(shell.run("SELECT redis_invalidate('owed', repeat('x', 900000));"), "kept by this session")
    redis.start()
    redis("MSET", "owed", "old", "t:1", "old")

    def gone_with_the_next():
        shell.run("UPDATE t SET n = n + 1 WHERE id = 1;")
        return redis("EXISTS", "owed", "t:1") == 0

    wait_for("what was owed", gone_with_the_next)
    shell.close()


@test
def a_full_ring_and_a_launcher_that_hangs():
    launcher = int(workers())
    os.kill(launcher, signal.SIGSTOP)
    try:
        shell = server.session("d")
        shell.run("SET sqlredis.commit_mode = async; SELECT redis_ping();")
        keys = ["t:%d" % number for number in range(1, 1001)]
        for _ in range(3):
            redis("MSET", *(word for key in keys for word in (key, "old")))
            # twenty kilobytes each: the ring of a megabyte is full after fifty
            shell.run("DO $$ BEGIN FOR i IN 1 .. 60 LOOP UPDATE t SET n = n + 1; COMMIT; END LOOP; END $$;")
            if redis("EXISTS", *keys) == 0:
                break
        equal(redis("EXISTS", *keys), 0, "the session itself sent what found no room")
        redis("SET", "large", "old")
        equal(shell.run("SELECT redis_invalidate('large', repeat('x', 900000));"), "2")
        equal(redis("EXISTS", "large"), 0, "so is what is too large")
    finally:
        os.kill(launcher, signal.SIGCONT)
    shell.close()
    drained()


@test
def a_session_with_a_server_of_its_own():
    other = Redis()
    shell = server.session("d")
    shell.run("SET sqlredis.url = '%s'; SET sqlredis.commit_mode = async; SELECT redis_ping();" % other.url)
    other("SET", "t:71", "old")
    redis("SET", "t:71", "stays")
    equal(shell.run("UPDATE t SET n = n + 1 WHERE id = 71;"), "")
    equal(other("EXISTS", "t:71"), 0, "when COMMIT returns: the launcher has another server")
    equal(redis("EXISTS", "t:71"), 1)
    shell.close()
    other.stop()
    drained()


@test
def nothing_was_wrong():
    log = server.log_text()
    true("PANIC" not in log, log[-3000:])
    true("TRAP" not in log, log[-3000:])


main()
