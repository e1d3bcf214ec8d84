"""Many keys at once, against redis-benchmark and pgmemcache; scans that stop early; loading."""

import statistics
import sys

from harness import run, sqlite
from measure import interleaved, record, record_amount, record_rate, timed

KEYS, SCANS = 100000, 200
VALUE = "x" * 20
SERIES = "(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)"
LOAD = """
import sqlite3, sys, time
db = sqlite3.connect(":memory:")
db.execute("SELECT 1").fetchall()
db.enable_load_extension(True)
begun = time.perf_counter()
db.load_extension(sys.argv[1])
print((time.perf_counter() - begun) * 1000)
"""


def benchmark(redis, test):
    """Seconds that redis-benchmark, one connection with pipelines of 100, takes for KEYS keys."""
    said = run(["redis-benchmark", "-s", redis.socket, "-P", "100", "-c", "1", "-d",
                str(len(VALUE)), "-r", str(KEYS), "-n", str(4 * KEYS), "-t", test, "--csv"])
    for line in said.splitlines():
        if line.lower().startswith('"%s"' % test):
            return KEYS / float(line.split(",")[1].strip('"'))
    return sys.exit("bench: redis-benchmark said: " + said)


def keys(redis, server, peer):
    """The keys are redis-benchmark's own: key:000000000000 and on."""
    redis("FLUSHALL")
    postgres, lite = server.session("bench"), sqlite.session(redis.unix_url)
    postgres.run("SET sqlredis.url = '%s';" % redis.unix_url)
    table = ("CREATE %s TABLE pairs AS SELECT %s AS k, '" + VALUE + "' AS v FROM %s;")
    postgres.run(table % ("TEMP", "'key:' || lpad(i::text, 12, '0')",
                          "generate_series(0, %d) i" % (KEYS - 1)) + "ANALYZE pairs;", 60)
    lite.run(table % ("", "printf('key:%012d', i - 1)", SERIES % KEYS), 60)
    count = str(KEYS)
    tasks = {
        "set": lambda: benchmark(redis, "set"),
        "pg_mset": lambda: timed(postgres, "SELECT redis_mset(k, v) FROM pairs;", count),
        "lite_mset": lambda: timed(lite, "SELECT redis_mset(k, v) FROM pairs;", count),
        "get": lambda: benchmark(redis, "get"),
        "pg_mget": lambda: timed(postgres, "SELECT count(value) FROM redis_mget(VARIADIC "
                                 "(SELECT array_agg(k) FROM pairs));", count),
        "pg_batch": lambda: timed(postgres, "SELECT count(v) FROM (SELECT redis_get_batch(k) "
                                  "OVER () AS v FROM pairs) s;", count),
        "lite_mget": lambda: timed(lite, "SELECT count(value) FROM redis_mget WHERE key IN "
                                   "(SELECT k FROM pairs);", count),
    }
    if peer:
        timed(postgres, "SELECT count(memcache_set(k, v)) FROM pairs;", count)
        # one call with 100,000 keys takes it a hundred times as long
        for size in (100, 1000):
            tasks["memcache_%d" % size] = lambda size=size: timed(
                postgres, "SELECT count(value) FROM (SELECT array_agg(k) AS ks FROM (SELECT k, "
                "row_number() OVER () / %d AS n FROM pairs) s GROUP BY n) a, "
                "LATERAL memcache_get_multi(ks) m;" % size, count)
    times = interleaved(7, **tasks)
    for task, engine in (("pg_mset", "PostgreSQL"), ("lite_mset", "SQLite")):
        record_rate("redis_mset of 100,000 rows, %s / redis-benchmark -P 100 SET" % engine,
                    times[task], times["set"], 0.7, KEYS)
    for task, what in (("pg_mget", "redis_mget of 100,000 keys, PostgreSQL"),
                       ("pg_batch", "redis_get_batch over 100,000 rows, PostgreSQL"),
                       ("lite_mget", "redis_mget of 100,000 keys, SQLite")):
        record_rate(what + " / redis-benchmark -P 100 GET", times[task], times["get"], 0.7, KEYS)
    for size in (100, 1000) if peer else ():
        record_rate("redis_mget of 100,000 keys, PostgreSQL / memcache_get_multi, %d a call" % size,
                    times["pg_mget"], times["memcache_%d" % size], 3, KEYS)
    postgres.close()
    lite.close()
    redis("FLUSHALL")


def scans(redis, server):
    """LIMIT 10 of a hash of 1,000,000 fields and of 1,000."""
    postgres, lite = server.session("bench"), sqlite.session(redis.unix_url)
    postgres.run("SET sqlredis.url = '%s';" % redis.unix_url)
    for size in (1000, 1000000):
        redis("EVAL", "for i = 1, ARGV[1] do redis.call('HSET', KEYS[1], 'field:' .. i, i) end", 1,
              "hash:%d" % size, size)

    def pg(size):
        return timed(postgres, "SELECT count(*) FROM generate_series(1, %d) g, LATERAL (SELECT "
                     "redis_hscan('hash:%d' || left(g::text, 0)) LIMIT 10) h;" % (SCANS, size),
                     str(SCANS * 10))

    def lite_(size):
        one = "SELECT count(*) FROM (SELECT * FROM redis_hscan('hash:%d') LIMIT 10);" % size
        return timed(lite, one * SCANS, "\n".join(["10"] * SCANS))

    times = interleaved(5, pg_big=lambda: pg(1000000), pg_small=lambda: pg(1000),
                        lite_big=lambda: lite_(1000000), lite_small=lambda: lite_(1000))
    label = "redis_hscan LIMIT 10 of 1,000,000 fields / of 1,000, "
    record(label + "PostgreSQL", times["pg_big"], times["pg_small"], 1.1)
    record(label + "SQLite", times["lite_big"], times["lite_small"], 1.1)
    postgres.close()
    lite.close()
    redis("FLUSHALL")


def loading():
    taken = [float(run([sys.executable, "-c", LOAD, sqlite.EXTENSION])) for _ in range(21)]
    record_amount("loading the SQLite extension into a new process", statistics.median(taken), "ms",
                  2)
