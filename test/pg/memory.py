"""A million rows grow a backend by no more than 64 MB, whatever is done with them."""

from harness import Postgres, Redis, equal, main, test, true

LIMIT = 64 * 1024  # kB
ROWS = 1000000

redis = Redis()
# what a backend touches of shared memory counts as its own here: little of it
server = Postgres(redis.url, {"shared_buffers": "'2MB'", "work_mem": "'4MB'"})
server.database("d")
server.sql("CREATE TABLE keys AS SELECT array_agg('m:' || i ORDER BY i) AS keys "
           "FROM generate_series(1, %d) i" % ROWS, "d")


def memory(pid, field):
    with open("/proc/%s/status" % pid) as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise AssertionError(field)


def grown(statement, expected, settings=""):
    """Run it in a new session; its resident memory at the highest against what it was before."""
    shell = server.session("d")
    pid = shell.run("SELECT pg_backend_pid();")
    # what every session needs once: the catalogue's caches, the library, the connection
    shell.run(settings + "SELECT redis_mset('w', 'w'), redis_get('w'); SELECT redis_del('w');"
              "SELECT redis_get_batch('w') OVER (); SELECT * FROM redis_mget('w');")
    before = memory(pid, "VmRSS")
    equal(shell.run(statement + ";", 600), expected)
    growth = memory(pid, "VmHWM") - before
    shell.close()
    print("    %d MB: %s" % (growth // 1024, statement), flush=True)
    true(growth <= LIMIT, "%d kB for %s" % (growth, statement))


@test
def redis_mset():
    grown("SELECT redis_mset('m:' || i, 'the value of ' || i) FROM generate_series(1, %d) i" % ROWS,
          str(ROWS))
    equal(redis("DBSIZE"), ROWS)
    equal(redis("GET", "m:777777"), b"the value of 777777")


@test
def redis_get_batch():
    for over in ("()", "(PARTITION BY i % 10)", "(ORDER BY i)"):
        grown("SELECT count(v), bool_and(v = 'the value of ' || i) FROM (SELECT i, "
              "redis_get_batch('m:' || i) OVER %s AS v FROM generate_series(1, %d) i) s"
              % (over, ROWS), "%d|t" % ROWS)


@test
def redis_mget():
    # the array is the caller's, and so is its memory
    grown("SELECT count(value), bool_and(key = 'm:' || o AND value = 'the value of ' || o) "
          "FROM redis_mget(VARIADIC (SELECT keys FROM keys)) WITH ORDINALITY m(key, value, o)",
          "%d|t" % ROWS)
    grown("SELECT count(*) FROM (SELECT redis_mget(VARIADIC keys) FROM keys OFFSET 0) s", str(ROWS))


@test
def scans():
    grown("SELECT count(*) > %d FROM redis_scan('m:*')" % (ROWS - 1), "t")
    redis("EVAL", "for i = 1, %d do redis.call('HSET', 'h', i, i); redis.call('ZADD', 'z', i, i); "
          "redis.call('RPUSH', 'l', i) end" % ROWS, 0)
    for rows in ("redis_hscan('h')", "redis_zrange('z')", "redis_lrange('l')",
                 "redis_zrangebyscore('z', '-inf', 'inf')"):
        grown("SELECT count(*) FROM " + rows, str(ROWS))
        grown("SELECT count(*) FROM (SELECT %s OFFSET 0) s" % rows, str(ROWS))
    redis("DEL", "h", "z", "l")


@test
def a_million_groups():
    query = ("SELECT sum(n), count(*) FROM (SELECT i, redis_mset('m:' || i, i) AS n "
             "FROM generate_series(1, %d) i GROUP BY i) s")
    grown(query % ROWS, "%d|%d" % (ROWS, ROWS), "SET enable_sort = off;")
    # each sorted group is finished, and so sent, before the next begins
    few = ROWS // 20
    grown(query % few, "%d|%d" % (few, few), "SET enable_hashagg = off;")


@test
def redis_del_agg():
    grown("SELECT redis_del_agg('m:' || i) FROM generate_series(1, %d) i" % ROWS, str(ROWS))
    equal(redis("DBSIZE"), 0)


if __name__ == "__main__":
    main()
