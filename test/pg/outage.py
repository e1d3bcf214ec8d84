"""Redis away, hung or back again while PostgreSQL commits; and what a session's end does."""

import os
import re
import signal
import time

from harness import (Postgres, Redis, Proxy, contains, equal, main, temp_dir, test, true,
                     wait_for)

redis = Redis()
server = Postgres(redis.url)
server.database("outage")
server.sql("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);"
           "INSERT INTO t SELECT generate_series(1, 1000);"
           "SELECT redis_invalidate_on('t', 't:{id}');", "outage")


def session():
    return server.session("outage")


def stat(shell, name):
    return shell.run("SELECT value FROM redis_stats() WHERE name = '%s';" % name)


def cached(shell, *ids):
    return shell.run("SELECT count(redis_set('t:' || i, 'v')) FROM unnest(ARRAY[%s]) i;"
                     % ",".join(map(str, ids)))


@test
def down_at_commit_the_commit_succeeds_and_keys_follow():
    shell = session()
    cached(shell, 1, 2, 3)
    redis.stop()
    said = shell.run("UPDATE t SET n = n + 1 WHERE id IN (1, 2, 3);")
    contains(said, "3 keys were not invalidated")
    contains(said, "in the outbox, and sent when Redis is back")
    equal(shell.run("SELECT n FROM t WHERE id = 1;"), "1")
    equal(stat(shell, "invalidations_waiting"), "3")
    equal(stat(shell, "invalidations_sent"), "0")
    redis.start()
    # what was cached before is back too: an RDB was restored, say
    with_cache = redis.client()
    for key in ("t:1", "t:2", "t:3", "t:4"):
        with_cache("SET", key, "old")
    wait_for("the breaker", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal(shell.run("SELECT redis_exists('t:1', 't:2', 't:3'), redis_exists('t:4');"), "0|1")
    equal(stat(shell, "invalidations_waiting"), "0")
    equal(stat(shell, "invalidations_sent"), "3")
    equal(stat(shell, "breaker"), "closed")
    shell.close()


@test
def the_log_has_an_outage_once():
    shell = session()
    shell.run("SET sqlredis.durability = memory; SELECT redis_ping();")
    redis.stop()
    before = server.log_text().count("not invalidated")
    for number in range(21, 26):
        contains(shell.run("UPDATE t SET n = n + 1 WHERE id = %d;" % number), "not invalidated")
    equal(server.log_text().count("not invalidated") - before, 1)
    redis.start()
    wait_for("Redis", lambda: shell.run("SELECT redis_ping();") == "PONG")
    shell.close()


@test
def the_next_commit_sends_what_was_kept():
    shell = session()
    cached(shell, 5)
    redis.stop()
    contains(shell.run("UPDATE t SET n = n + 1 WHERE id = 5;"), "1 key was not invalidated")
    redis.start()
    redis.client()("SET", "t:5", "old")

    def gone():
        shell.run("UPDATE t SET n = n + 1 WHERE id = 6;")
        return redis.client()("EXISTS", "t:5") == 0
    wait_for("the key to go", gone)
    shell.close()


@test
def a_session_that_ends_sends_what_it_kept():
    shell = session()
    shell.run("SELECT redis_ping();")
    redis.stop()
    contains(shell.run("UPDATE t SET n = n + 1 WHERE id = 7;"), "1 key was not invalidated")
    redis.start()
    redis.client()("SET", "t:7", "old")
    time.sleep(0.3)  # the breaker's first pause
    shell.close()
    wait_for("the key to go", lambda: redis.client()("EXISTS", "t:7") == 0)


@test
def hung_at_commit_costs_commit_timeout():
    shell = session()
    shell.run("SELECT redis_ping();")
    redis.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        said = shell.run("UPDATE t SET n = n + 1 WHERE id < 500;")
        took = time.monotonic() - begun
        contains(said, "499 keys were not invalidated")
        true(0.2 < took < 1.2, "the commit took %.2f s" % took)
        # the breaker is open: no second wait
        begun = time.monotonic()
        contains(shell.run("UPDATE t SET n = n + 1 WHERE id = 600;"), "not invalidated")
        true(time.monotonic() - begun < 0.25, "the second commit waited too")
    finally:
        redis.process.send_signal(signal.SIGCONT)
    wait_for("the keys to go", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal(stat(shell, "invalidations_waiting"), "0")
    shell.close()


@test
def a_rollback_sends_nothing_later_either():
    shell = session()
    cached(shell, 8)
    redis.stop()
    shell.run("BEGIN; UPDATE t SET n = n + 1 WHERE id = 8; ROLLBACK;")
    redis.start()
    redis.client()("SET", "t:8", "kept")
    wait_for("the breaker", lambda: shell.run("SELECT redis_ping();") == "PONG")
    shell.run("UPDATE t SET n = n + 1 WHERE id = 9;")
    equal(redis.client()("GET", "t:8"), b"kept")
    shell.close()


@test
def cancelled_while_redis_hangs():
    shell = session()
    shell.run("SELECT redis_set('right', 'answer'); SET statement_timeout = '300ms';")
    redis.process.send_signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        said = shell.run("SELECT redis_get('wrong');")
        took = time.monotonic() - begun
    finally:
        redis.process.send_signal(signal.SIGCONT)
    contains(said, "57014")
    true(took < 0.4, "cancelled after %.3f s" % took)
    # the late answer is nobody's
    equal(shell.run("SELECT redis_get('right');"), "answer")
    equal(shell.run("SELECT redis_get('right'), redis_get('wrong') IS NULL;"), "answer|t")
    shell.close()


@test
def hung_and_a_statement_timeout():
    """Statements shall not fail one after the other because Redis hangs."""
    shell = session()
    shell.run("SET statement_timeout = '200ms'; SET sqlredis.connect_timeout = '30s';")
    redis.process.send_signal(signal.SIGSTOP)
    try:
        for number in range(11, 16):
            true("57014" not in shell.run("UPDATE t SET n = n + 1 WHERE id = %d;" % number))
    finally:
        redis.process.send_signal(signal.SIGCONT)
    shell.close()


@test
def the_catalogue_could_not_be_read():
    """An error while the outbox is looked for does not mean that there is none."""
    blocker, shell = session(), session()
    shell.run("SET lock_timeout = '50ms'; SELECT redis_ping();")
    blocker.run("BEGIN; LOCK TABLE pg_depend IN ACCESS EXCLUSIVE MODE;")
    contains(shell.run("SELECT redis_invalidate('t:1');"), "55P03")
    blocker.run("COMMIT;")
    redis.stop()
    contains(shell.run("SELECT redis_invalidate('t:1');"), "is in the outbox")
    redis.start()
    wait_for("Redis", lambda: shell.run("SELECT redis_ping();") == "PONG")
    shell.close()
    blocker.close()


@test
def terminated_in_a_commit_that_waits():
    shell = server.session("outage")
    shell.run("SELECT redis_ping(); SET sqlredis.commit_timeout = '2s';")
    pid = shell.run("SELECT pg_backend_pid();")
    redis.process.send_signal(signal.SIGSTOP)
    try:
        shell.send("UPDATE t SET n = 77 WHERE id = 10;")
        wait_for("the commit", lambda: server.sql("SELECT n FROM t WHERE id = 10", "outage") == "77")
        server.sql("SELECT pg_terminate_backend(%s)" % pid, "outage")
        wait_for("the backend to go", lambda: server.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid, "outage") == "0")
    finally:
        redis.process.send_signal(signal.SIGCONT)
    equal(server.sql("SELECT n FROM t WHERE id = 10", "outage"), "77")
    true("PANIC" not in server.log_text(), server.log_text()[-2000:])


@test
def redis_refuses_some_keys_and_not_others():
    admin = redis.client()
    admin("ACL", "SETUSER", "limited", "on", ">pw", "~t:*", "+@all", "-info")
    limited = Postgres(settings={"shared_preload_libraries": "'sqlredis'",
                                 "sqlredis.url": "'redis://limited:pw@127.0.0.1:%d'" % redis.port})
    limited.database("acl")
    shell = limited.session("acl")
    admin("SET", "t:1", "v")
    admin("SET", "other", "v")
    said = shell.run("SELECT redis_invalidate('t:1', 'other', 't:2');")
    contains(said, "1 key was not invalidated")
    contains(said, "0 kept, to be sent when Redis is back; 1 lost")
    contains(said, "NOPERM")
    equal(admin("EXISTS", "t:1"), 0)
    equal(admin("EXISTS", "other"), 1)
    equal(shell.run("SELECT value FROM redis_stats() WHERE name = 'invalidations_waiting';"), "0")
    # INFO is refused to this user: health is still good, but the coherent cache cannot be
    equal(shell.run("SELECT ok, version IS NULL FROM redis_health();"), "t|t")
    contains(shell.run("SELECT error FROM redis_health();"), "the coherent cache is not used")
    contains(shell.run("SELECT redis_get('other');"), "42501")
    shell.close()
    limited.stop()


@test
def a_warning_that_the_client_could_not_read():
    """An ERROR in COMMIT would be a PANIC: also one for want of a character in an encoding."""
    path = os.path.join(temp_dir("odd"), "\u65e5\u672c")
    os.symlink(redis.socket, path)
    os.chmod(os.path.dirname(path), 0o755)
    name = "\u6771"
    server.sql("CREATE PROCEDURE %s() LANGUAGE plpgsql AS $$ BEGIN"
               " PERFORM redis_invalidate('odd:1'); COMMIT; END $$" % name, "outage")
    shell = session()
    shell.run("SET sqlredis.url = 'redis+unix://%s';" % path)
    # what the session before owed when it was terminated would be counted, too
    shell.run("SELECT redis_outbox_drain();")
    equal(shell.run("SELECT redis_ping();"), "PONG")
    redis.stop()
    said = shell.run("SET client_encoding = 'LATIN1'; SELECT redis_invalidate('odd:2');")
    contains(said, "1 key was not invalidated")
    contains(said, "??????")
    shell.run("SET client_encoding = 'UTF8';")
    said = shell.run("DO $$ BEGIN SET client_encoding = 'LATIN1'; CALL %s(); END $$;" % name)
    contains(said, "2 keys were not invalidated")
    true("PANIC" not in server.log_text(), server.log_text()[-2000:])
    redis.start()
    shell.run("SET client_encoding = 'UTF8';")
    wait_for("Redis", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal(stat(shell, "invalidations_waiting"), "0")
    shell.close()


@test
def a_warning_of_the_core_in_a_commit():
    """What Redis refuses of an entry is warned about, and the names of procedures do not fit either."""
    admin = redis.client()
    server.sql("CREATE PROCEDURE \u897f() LANGUAGE plpgsql AS $$ BEGIN"
               " PERFORM redis_invalidate('odd:3'); COMMIT; END $$", "outage")
    shell = session()
    redis("SET", "odd:3", "old")
    admin("ACL", "SETUSER", "default", "resetkeys", "~odd:?")
    try:
        equal(shell.run("SELECT redis_ping();"), "PONG")
        said = shell.run("DO $$ BEGIN SET client_encoding = 'LATIN1'; CALL \u897f(); END $$;")
    finally:
        admin("ACL", "SETUSER", "default", "allkeys")
    contains(said, "but not what redis_cached keeps beside them")
    equal(redis("EXISTS", "odd:3"), 0)
    true("PANIC" not in server.log_text(), server.log_text()[-2000:])
    shell.close()
    admin.close()


@test
def keys_wait_for_settings_that_can_be_used():
    shell = session()
    client = redis.client()
    shell.run("SET sqlredis.key_prefix = 'app:'; SET sqlredis.passfile = '/nonexistent';")
    client("MSET", "app:t:11", "v", "t:11", "v")
    said = shell.run("UPDATE t SET n = n + 1 WHERE id = 11;")
    contains(said, "1 key was not invalidated: cannot use sqlredis.passfile")
    contains(said, "What is not sent is in the outbox")
    shell.run("RESET sqlredis.passfile; SELECT redis_ping();")
    equal(client("EXISTS", "app:t:11"), 0)
    equal(client("EXISTS", "t:11"), 1)
    shell.close()


@test
def more_keys_than_are_kept():
    shell = session()
    shell.run("SELECT redis_ping(); SET sqlredis.pending_max = 100;")
    redis.stop()
    said = shell.run("UPDATE t SET n = n + 1;")
    contains(said, "1000 keys were not invalidated")
    contains(said, "What is not sent is in the outbox")
    redis.start()
    wait_for("the breaker", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal(stat(shell, "invalidations_waiting"), "0")
    shell.close()


@test
def reads_fail_open_when_told_to():
    shell = session()
    shell.run("SELECT redis_ping(); SET sqlredis.on_error = 'null';")
    redis.stop()
    said = shell.run("SELECT redis_get('k') IS NULL;")
    contains(said, "Redis is away, reads give NULL")
    contains(said, "t")
    equal(shell.run("SELECT redis_get('k') IS NULL, count(*) FROM redis_scan();"), "t|0")
    contains(shell.run("SELECT redis_set('k', 'v');"), "08001")
    redis.start()
    wait_for("Redis", lambda: "t" == shell.run("SELECT redis_set('k', 'v');"))
    equal(shell.run("SELECT redis_get('k');"), "v")
    contains(shell.run("SELECT redis_incr('k');"), "not an integer")
    shell.close()


@test
def a_connection_lost_before_the_commit_is_made_anew():
    shell = session()
    client = redis.client()
    client("SET", "t:1", "v")
    shell.run("BEGIN; UPDATE t SET n = n + 1 WHERE id = 1;")
    client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    # after a second of idleness, or a broken exchange, that is noticed
    contains(shell.run("SELECT redis_incr('broken');") + shell.run("ROLLBACK;"), "08006")
    shell.run("BEGIN; UPDATE t SET n = n + 1 WHERE id = 1;")
    client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    time.sleep(1.1)
    equal(shell.run("COMMIT;"), "")
    equal(client("EXISTS", "t:1"), 0)
    shell.close()


@test
def the_breaker_is_shared_when_preloaded():
    server.restart({"shared_preload_libraries": "'sqlredis'"})
    first, second = session(), session()
    equal(first.run("SELECT redis_ping();"), "PONG")
    equal(second.run("SELECT redis_ping();"), "PONG")
    redis.process.send_signal(signal.SIGSTOP)
    try:
        first.run("SET sqlredis.command_timeout = '300ms'; SELECT redis_ping();")
        begun = time.monotonic()
        said = second.run("SELECT redis_ping();")
        true(time.monotonic() - begun < 0.25, "the second session waited itself")
        true(re.search("08001|57P0", said), said)
    finally:
        redis.process.send_signal(signal.SIGCONT)
    wait_for("Redis", lambda: second.run("SELECT redis_ping();") == "PONG")
    wait_for("Redis", lambda: first.run("SELECT redis_ping();") == "PONG")
    first.close()
    second.close()


@test
def a_reply_cut_in_the_middle():
    shell = session()
    with Proxy(redis) as proxy:
        shell.run("SET sqlredis.url = 'redis://127.0.0.1:%d';" % proxy.port)
        equal(shell.run("SELECT redis_set('whole', repeat('x', 100000));"), "t")
        # a read is asked again over a new connection
        proxy.lose(50000)
        equal(shell.run("SELECT length(redis_get('whole'));"), "100000")
        # a write is not, and says so
        proxy.lose()
        contains(shell.run("SELECT redis_incr('counter');"), "08006")
        equal(shell.run("SELECT redis_get('counter');"), "1")
    shell.close()


if __name__ == "__main__":
    main()
