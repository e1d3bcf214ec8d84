"""Many keys at once: their price, ended from outside, in parallel plans, in other encodings."""

from harness import Postgres, Proxy, Redis, contains, equal, main, test, true, wait_for

redis = Redis()
server = Postgres(redis.url, {"sqlredis.command_timeout": "'60s'"})
server.database("d")

MSET = "SELECT redis_mset('m:' || i, 'value ' || i) FROM generate_series(1, 100000) i;"
FETCHES = ("SELECT count(*) FROM redis_mget(VARIADIC ARRAY(SELECT 'm:' || i "
           "FROM generate_series(1, 100000) i));",
           "SELECT count(v) FROM (SELECT redis_get_batch('m:' || i) OVER () AS v "
           "FROM generate_series(1, 100000) i) s;")


def session(settings=""):
    shell = server.session("d")
    return shell, shell.run(settings + "SELECT pg_backend_pid();")


def waits_for_redis(pid):
    return server.sql("SELECT wait_event_type FROM pg_stat_activity WHERE pid = " + pid) == "Extension"


def sleeps(pid):
    return server.sql("SELECT wait_event FROM pg_stat_activity WHERE pid = " + pid) == "PgSleep"


def ended(pid):
    return server.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid) == "0"


def nothing_crashed():
    true("terminated by signal" not in server.log_text(), server.log_text()[-2000:])


def round_trips(shell):
    return int(shell.run("SELECT value FROM redis_stats() WHERE name = 'round_trips';"))


def calls(command):
    return int(server.sql("SELECT coalesce(max(substring(value FROM 'calls=(\\d+)')::bigint), 0) FROM "
                          "redis_info('commandstats') WHERE name = 'cmdstat_%s'" % command, "d"))


@test
def a_hundred_thousand_rows_take_one_pass():
    shell, _ = session()
    for statement, most in (MSET, 400), (FETCHES[0], 100), (FETCHES[1], 100):
        before, gets = round_trips(shell), calls("get")
        equal(shell.run(statement), "100000")
        took = round_trips(shell) - before
        true(took <= most, "%d round trips for %s" % (took, statement))
        equal(calls("get"), gets)
    shell.close()


@test
def a_cancel_in_the_middle():
    shell, pid = session()
    redis("HSET", "h", *(str(i) for i in range(10000)))
    shell.run("BEGIN; DECLARE c CURSOR FOR SELECT redis_hscan('h'); SAVEPOINT s; FETCH 1 FROM c;")
    redis.freeze()
    try:
        for statement in (MSET, *FETCHES, "MOVE ALL FROM c;"):
            shell.send(statement)
            wait_for(statement, lambda: waits_for_redis(pid))
            server.sql("SELECT pg_cancel_backend(%s)" % pid)
            contains(shell.result(), "57014")
            shell.run("ROLLBACK TO s; SET statement_timeout = 100;")
            # what failed in the middle of its rows is no cursor any more
            contains(shell.run(statement), "55000" if "MOVE" in statement else "57014")
            shell.run("ROLLBACK TO s;")
    finally:
        redis.thaw()
    shell.run("ROLLBACK;")
    # the answers to what was cancelled are nobody's, and what was not sent stays unsent
    redis("FLUSHALL")
    equal(shell.run("SELECT redis_mset('after', 'wards'); SELECT redis_get_batch('after') OVER ();"), "1\nwards")
    equal(redis("KEYS", "*"), [b"after"])
    shell.close()


@test
def a_session_that_ends_with_rows_unsent():
    redis("FLUSHALL")
    # the client goes first, the portals of the transaction after it
    slept = "(SELECT 'm:' || i FROM pg_sleep(CASE i WHEN 50 THEN 600 ELSE 0 END))"
    for statement in ("SELECT redis_mset(%s, i) FROM generate_series(1, 100) i;" % slept,
                      "SELECT redis_get_batch(%s) OVER () FROM generate_series(1, 100) i;" % slept,
                      "SELECT m, pg_sleep(600) FROM redis_hscan('h') m, redis_mget('a', 'b');"):
        redis("HSET", "h", "f", "v")
        shell, pid = session("BEGIN; DECLARE c CURSOR FOR SELECT redis_hscan('h'), "
                             "redis_mget('a', 'b'); MOVE 1 FROM c;")
        shell.send(statement)
        wait_for(statement, lambda: sleeps(pid))
        equal(server.sql("SELECT pg_terminate_backend(%s, 5000)" % pid), "t")
        wait_for("the end", lambda: ended(pid))
        shell.process.kill()
    nothing_crashed()
    equal(redis("EXISTS", "m:1"), 0)


@test
def a_connection_lost_in_the_middle():
    with Proxy(redis) as proxy:
        shell, _ = session("SET sqlredis.url = '%s';" % proxy.url)
        equal(shell.run("SELECT redis_ping();"), "PONG")
        proxy.lose(after=5 * 1000)
        said = shell.run("SELECT redis_mset('lost:' || i, i) FROM generate_series(1, 100000) i;")
        contains(said, "08006")
        contains(said, " succeeded")
        contains(said, 'key "lost:')
        equal(shell.run("SELECT redis_mset('found', 1);"), "1")
        # reads are asked again
        redis("MSET", "r:1", "a" * 3000, "r:2", "b" * 3000)
        proxy.lose(after=4000)
        equal(shell.run("SELECT length(redis_get_batch('r:' || i) OVER ()) "
                        "FROM generate_series(1, 2) i;"), "3000\n3000")
        shell.close()


@test
def what_runs_where_in_a_parallel_plan():
    server.sql("CREATE TABLE big AS SELECT i FROM generate_series(1, 20000) i; ANALYZE big", "d")
    shell, _ = session("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
                       "SET min_parallel_table_scan_size = 0;")
    true("Gather" not in shell.run("EXPLAIN SELECT redis_mset('p:' || i, i) FROM big;"), "a worker may write")
    equal(shell.run("SELECT redis_mset('p:' || i, i) FROM big;"), "20000")
    query = ("SELECT count(*) FROM (SELECT i, redis_get_batch('p:' || i) OVER () AS v FROM big) s "
             "WHERE v = i::text;")
    plan = shell.run("EXPLAIN " + query)
    true(plan.index("WindowAgg") < plan.index("Gather"), plan)
    equal(shell.run(query), "20000")
    for query in (query, "SELECT redis_mset('p:' || i, i) FROM big GROUP BY i % 100;",
                  "SELECT * FROM redis_mget('p:1', 'p:2') JOIN big ON i::text = value;"):
        said = shell.run("EXPLAIN (ANALYZE, VERBOSE) " + query)
        true("ERROR" not in said and "Execution Time" in said, said)
    shell.close()


@test
def other_encodings():
    coffee, euro = "caf\u00e9", "\u20ac"
    for name, encoding in (("latin1", "LATIN1"), ("ascii", "SQL_ASCII")):
        server.sql("CREATE DATABASE %s ENCODING '%s' TEMPLATE template0" % (name, encoding))
        server.sql("CREATE EXTENSION sqlredis", name)
    redis("FLUSHALL")

    shell = server.session("latin1")
    shell.run("SET client_encoding = 'UTF8';")
    equal(shell.run("SELECT redis_mset('%s' || i, 'na\u00efve ' || i) FROM generate_series(1, 2) i;"
                    % coffee), "2")
    equal(redis("GET", (coffee + "2").encode()), "na\u00efve 2".encode())
    for rows in ("SELECT * FROM redis_mget('%s1', '%s2')",
                 "SELECT * FROM redis_mget(VARIADIC ARRAY['%s1', '%s2'])",
                 "SELECT k, redis_get_batch(k) OVER () FROM unnest(ARRAY['%s1', '%s2']) k",
                 "SELECT * FROM redis_mget_json('[\"%s1\", \"%s2\"]')"):
        equal(shell.run(rows.replace("%s", coffee) + ";"),
              "%s1|na\u00efve 1\n%s2|na\u00efve 2".replace("%s", coffee))
    equal(shell.run("SELECT redis_hset('h', '%s', '\u00fc'), redis_rpush('l', '\u00e4', 1);"
                    % coffee), "1|2")
    equal(redis("HGET", "h", coffee.encode()), "\u00fc".encode())
    equal(shell.run("SELECT * FROM redis_hgetall('h');"), coffee + "|\u00fc")
    equal(shell.run("SELECT redis_hset_json('j', '{\"%s\": \"\u00fc\"}');" % coffee), "1")
    equal(shell.run("SELECT * FROM redis_hgetall('j');"), "%s|\u00fc" % coffee)
    shell.run("SELECT redis_xadd('x', '%s', '\u00fc');" % coffee)
    equal(shell.run("SELECT fields->>'%s' FROM redis_xrange('x');" % coffee), "\u00fc")
    equal(shell.run("SELECT redis_eval('return ARGV', args => ARRAY['%s'])->>0;" % coffee), coffee)
    # what the database has no character for
    redis("SET", "euro", euro.encode())
    redis("RPUSH", "euros", "1", euro.encode())
    redis("XADD", "euro:x", "*", "f", euro.encode())
    for statement in ("SELECT redis_get('euro')", "SELECT * FROM redis_lrange('euros')",
                      "SELECT * FROM redis_mget('euro')", "SELECT * FROM redis_xrange('euro:x')",
                      "SELECT redis_get_batch('euro') OVER ()"):
        contains(shell.run(statement + ";"), "22P05")
    equal(shell.run("SELECT value FROM redis_lrange_bytea('euros') OFFSET 1;"), "\\xe282ac")
    # an error of Redis's that names what was sent
    contains(shell.run("SELECT redis_mset('wrong%s', 'x', -1);" % coffee), "38000")
    shell.close()

    # bytes as they are
    shell = server.session("ascii")
    equal(shell.run("SELECT redis_mset(E'\\xff' || i, E'\\xfe' || i) "
                    "FROM generate_series(1, 2) i;"), "2")
    equal(redis("GET", b"\xff1"), b"\xfe1")
    equal(shell.run("SELECT encode(value::bytea, 'hex') FROM redis_mget(E'\\xff2');"), "fe32")
    equal(shell.run("SELECT encode((redis_get_batch(E'\\xff' || i) OVER ())::bytea, 'hex') "
                    "FROM generate_series(1, 2) i;"), "fe31\nfe32")
    shell.close()


if __name__ == "__main__":
    main()
