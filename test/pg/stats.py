"""redis_stat: what all sessions and workers did with Redis, summed in shared memory."""

import os
import signal
import time

from harness import HarnessError, Postgres, Redis, contains, equal, main, test, true, wait_for

redis = Redis()
server = Postgres(redis.url, {"shared_preload_libraries": "'sqlredis'"})
server.database("d")
server.sql("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);"
           "INSERT INTO t SELECT generate_series(1, 100); SELECT redis_invalidate_on('t', 't:{id}');"
           "CREATE ROLE agent LOGIN; GRANT pg_monitor TO agent; CREATE ROLE nobody_special LOGIN", "d")


def stat(name, database="d", of=None, role=None):
    return float((of or server).sql("SELECT value FROM redis_stat WHERE name = '%s'" % name, database, role))


def stats(of=None):
    rows = (of or server).sql("SELECT name, value FROM redis_stat", "d")
    return {name: float(value) for name, value in (row.split("|") for row in rows.splitlines())}


def reset(of=None):
    equal((of or server).sql("SELECT redis_stats_reset()", "d"), "t")


def sessions(n):
    return [server.session("d") for _ in range(n)]


def close(shells):
    before = stat("sessions")
    for shell in shells:
        shell.close()
    wait_for("the sessions to end", lambda: stat("sessions") == before - len(shells))


def reads(shell, hits, misses):
    shell.run("SELECT count(redis_get('there')) FROM generate_series(1, %d);" % hits if hits else "SELECT;")
    shell.run("SELECT count(redis_get('missing')) FROM generate_series(1, %d);" % misses if misses else "SELECT;")


@test
def a_sum_over_sessions():
    redis("SET", "there", "1")
    reset()
    shells = sessions(4)
    for i, shell in enumerate(shells):
        reads(shell, 10 * (i + 1), 10)
        shell.run("SELECT redis_incr('there');" if i else "SELECT redis_lpush('there', 'x');")
    seen = stats()
    equal((seen["hits"], seen["misses"], seen["hit_rate"]), (100, 40, 100 / 140))
    equal((seen["errors"], seen["errors_wrong_type"], seen["connects"]), (1, 1, 4))
    # each: CLIENT SETNAME, the reads, and one more
    equal(seen["commands"], 4 + 140 + 4)
    equal(seen["round_trips"], seen["commands"])
    true(0 < seen["latency_p50_ms"] <= seen["latency_p99_ms"] < 1000, repr(seen))
    equal(seen["preloaded"], 1)
    close(shells)


@test
def a_session_that_ends_stays_in_the_sum():
    reset()
    base = stat("sessions")
    shells = sessions(3)
    for shell in shells:
        reads(shell, 0, 7)
    equal((stat("misses"), stat("sessions")), (21, base + 3))
    close(shells[:2])
    equal((stat("misses"), stat("sessions")), (21, base + 1))
    # another session in the same place begins with nothing
    more = sessions(2)
    for shell in more:
        reads(shell, 0, 1)
        equal(shell.run("SELECT value FROM redis_stats() WHERE name = 'misses';"), "1")
    equal(stat("misses"), 23)
    close(shells[2:] + more)
    equal(stat("misses"), 23)


@test
def a_session_that_is_terminated_too():
    reset()
    shell = sessions(1)[0]
    reads(shell, 0, 5)
    pid = shell.run("SELECT pg_backend_pid();")
    before = stat("sessions")
    server.sql("SELECT pg_terminate_backend(%s)" % pid)
    wait_for("its end", lambda: stat("sessions") == before - 1)
    equal(stat("misses"), 5)
    shell.process.kill()


@test
def sessions_that_only_look_do_not_count():
    base = stat("sessions")
    shells = sessions(3)
    for shell in shells:
        equal(shell.run("SELECT count(*) > 50 FROM redis_stat;"), "t")
    equal(stat("sessions"), base)
    for shell in shells:
        shell.close()


@test
def a_reset_begins_anew_and_leaves_the_sessions_own():
    shell = sessions(1)[0]
    reads(shell, 0, 3)
    begun = time.time()
    reset()
    true(begun - 1 < stat("stats_reset") < time.time() + 1)
    seen = stats()
    equal((seen["commands"], seen["misses"], seen["latency_p99_ms"], seen["hit_rate"]), (0, 0, 0, 0))
    true(seen["commands_today"] > 0, "the day goes on")
    equal(shell.run("SELECT value FROM redis_stats() WHERE name = 'misses';"), "3")
    reads(shell, 0, 2)
    equal(stat("misses"), 2)
    close([shell])
    equal(stat("misses"), 2)


@test
def many_sessions_come_and_go_and_nothing_is_lost():
    reset()
    script = "".join("SELECT redis_get('missing%d');\n" % i for i in range(20))
    base = stat("sessions")
    for _ in range(5):
        shells = sessions(8)
        for shell in shells:
            shell.send(script)
        looks = [stat("misses") for _ in range(5)]
        equal(looks, sorted(looks), "a sum that shrinks")
        for shell in shells:
            shell.result()
            shell.close()
    wait_for("the sessions to end", lambda: stat("sessions") == base)
    equal(stat("misses"), 5 * 8 * 20)


@test
def the_worker_counts():
    reset()
    shell = sessions(1)[0]
    shell.run("SET sqlredis.commit_mode = async;\nSELECT redis_ping();\nUPDATE t SET n = n + 1 WHERE id < 6;")
    wait_for("the launcher", lambda: stat("invalidations_sent") == 5)
    equal(shell.run("SELECT value FROM redis_stats() WHERE name = 'invalidations_sent';"), "0")
    equal(stat("invalidations_queued"), 5)
    close([shell])


@test
def all_databases_are_summed():
    server.database("other")
    reset()
    server.sql("SELECT redis_get('missing')", "other")
    wait_for("the sum", lambda: stat("misses") == 1)
    equal(stat("misses", "other"), 1)


@test
def the_outbox_of_this_database():
    shell = sessions(1)[0]
    shell.run("SELECT redis_ping();")
    redis.stop()
    try:
        shell.run("SET sqlredis.commit_timeout = 50;\nUPDATE t SET n = n + 1 WHERE id = 1;")
        equal((stat("outbox_rows"), stat("outbox_rows", "other")), (1, 0))
        first = stat("outbox_age")
        wait_for("it to grow older", lambda: stat("outbox_age") > first > 0)
        wait_for("the breaker", lambda: shell.run("SELECT redis_get('k');") and stat("breakers_open") == 1)
        true(stat("connect_failures") > 0)
    finally:
        redis.start()
    wait_for("the drainer", lambda: stat("outbox_rows") == 0 and stat("outbox_age") == 0)
    wait_for("the breaker", lambda: shell.run("SELECT redis_ping();") == "PONG" and stat("breakers_open") == 0)
    close([shell])


@test
def who_may_look():
    true(stat("commands", role="agent") > 0)
    true(server.sql("SELECT count(*) FROM redis_stats_total()", "d", "agent") != "0")
    for sql, role in (("SELECT count(*) FROM redis_stat", "nobody_special"),
                      ("SELECT count(*) FROM redis_stats_total()", "nobody_special"),
                      ("SELECT redis_stats_reset()", "nobody_special"),
                      ("SELECT redis_stats_reset()", "agent"),
                      ("SELECT redis_get('k')", "agent")):
        shell = server.session("d", role)
        contains(shell.run(sql + ";"), "42501")
        shell.close()
    # the group of functions that read has it, too; the view is the monitors'
    server.sql("SELECT redis_grant('read', 'nobody_special')", "d")
    true(server.sql("SELECT count(*) FROM redis_stats_total()", "d", "nobody_special") != "0")


@test
def a_dump_leaves_the_monitors_rights_to_the_extension():
    dump = os.popen("PGHOST=%s PGUSER=%s %s/pg_dump d" % (
        server.host, server.name, server.client_bindir)).read()
    contains(dump, "CREATE EXTENSION IF NOT EXISTS sqlredis")
    true("redis_stat " not in dump and "pg_monitor" not in dump, "the extension grants it itself")


@test
def it_works_where_nothing_can_be_written():
    shell = sessions(1)[0]
    equal(shell.run("BEGIN READ ONLY;\nSELECT count(*) > 50 FROM redis_stat;\nSELECT redis_stats_reset();\nCOMMIT;"),
          "t\nt")
    shell.close()


@test
def a_crash_begins_anew():
    shell = sessions(1)[0]
    reads(shell, 0, 9)
    true(stat("misses") >= 9)
    os.kill(int(shell.run("SELECT pg_backend_pid();")), signal.SIGKILL)

    def begun_anew():
        try:
            return stat("misses") == 0
        except HarnessError:  # it recovers
            return False

    wait_for("a new sum", begun_anew)
    shell.process.kill()


# ---- the day and its quota ----


def within_a_day():
    """What follows must not go on past midnight UTC."""
    wait_for("midnight to be over", lambda: time.time() % 86400 < 86400 - 50)


def quota_cluster(**settings):
    made = Postgres(redis.url, dict({"shared_preload_libraries": "'sqlredis'"}, **settings))
    made.database("d")
    return made


@test
def the_quota_warns_once_a_day_whichever_session_it_is():
    within_a_day()
    made = quota_cluster(**{"sqlredis.daily_quota": "200", "sqlredis.quota_warning": "75"})
    shells = [made.session("d") for _ in range(4)]
    said = []
    for _ in range(20):
        for shell in shells:
            said.append(shell.run("SELECT redis_get('missing'), redis_get('missing'), redis_get('missing');"))
            true("ERROR" not in said[-1], said[-1])
            said.append(shell.run("SELECT redis_eval('return 1'), (SELECT redis_mset('k' || n, n) FROM generate_series(1, 2) n);"))
            true("ERROR" not in said[-1], said[-1])
    warnings = [text for text in said if "WARNING" in text]
    equal(len(warnings), 2, repr(warnings))
    contains(warnings[0], "daily_quota are used")
    contains(warnings[1], "daily_quota is used up")
    seen = stats(made)
    equal((seen["quota"], seen["quota_used"]), (200, seen["commands_today"] / 200))
    equal(seen["commands_today"], seen["commands"], "every command, pipelined ones and scripts included")
    log = made.log_text()
    equal((log.count("daily_quota are used"), log.count("daily_quota is used up")), (1, 1))
    own = dict(row.split("|") for row in shells[0].run("SELECT name, value FROM redis_stats();").splitlines())
    equal((float(own["commands_today"]), own["quota"]), (seen["commands_today"], "200"))
    equal(own["quota_used"], "%.3f" % seen["quota_used"])
    for shell in shells:
        shell.close()
    made.stop()


@test
def a_warning_within_a_commit_does_no_harm():
    within_a_day()
    made = quota_cluster(**{"sqlredis.daily_quota": "40"})
    made.sql("CREATE TABLE t (id int); SELECT redis_invalidate_on('t', 't:{id}')", "d")
    shell = made.session("d")
    said = "".join(shell.run("INSERT INTO t VALUES (%d);" % i) for i in range(60))
    equal((said.count("are used"), said.count("is used up"), said.count("WARNING")), (1, 1, 2), said)
    equal(shell.run("SELECT count(*), (SELECT count(*) FROM redis_outbox()) FROM t;"), "60|0")
    shell.close()
    made.stop()


@test
def without_preloading_it_is_the_session_alone():
    within_a_day()
    made = Postgres(redis.url, {"sqlredis.daily_quota": "10"})
    made.database("d")
    one, other = made.session("d"), made.session("d")
    for shell in (one, other):
        equal(shell.run("SELECT redis_get('missing');"), "NULL")
    other.run("SELECT redis_get('missing');")
    values = "SELECT value FROM redis_stat WHERE name IN ('preloaded', 'sessions', 'misses', 'commands_today') ORDER BY name;"
    equal(one.run(values).split("\n"), ["2", "1", "0", "1"])
    equal(other.run(values).split("\n"), ["3", "2", "0", "1"])
    equal(other.run("SELECT redis_stats_reset();\n" + values).split("\n"), ["t", "3", "0", "0", "1"])
    equal(other.run("SELECT value FROM redis_stats() WHERE name = 'misses';"), "2")
    said = [shell.run("SELECT redis_get('missing');\n" * 10) for shell in (one, other)]
    equal([text.count("WARNING") for text in said], [2, 2], "each its own day")
    equal(made.sql("SELECT value FROM redis_stat WHERE name IN ('preloaded', 'sessions', 'commands')", "d"), "0\n0\n0")
    made.stop()


main()
