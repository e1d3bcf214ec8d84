"""`make bench`: what sqlredis costs, as ratios of things measured in the same run, interleaved.

Writes results.md, results.json and (with matplotlib) results.png into build/bench/. It never fails
for being slow: whether a goal was met is printed.
"""

import os
import subprocess
import sys

import coherence
import many
from harness import Postgres, Redis, TOP, free_port, run, sqlite, start, temp_dir, wait_for
from harness.process import unprivileged_user
from measure import interleaved, machine, plot, record, record_amount, timed, write

ROWS, GETS = 100000, 50000


# ---- one GET ------------------------------------------------------------------------------------------


def raw(host, port):
    return float(run([os.path.join(TOP, "build/test/bench/raw"), host, str(port), "k", str(GETS)]))


def gets(redis, server):
    redis("SET", "k", "x" * 100)
    for kind, url, where, goal in (("TCP", redis.url, ("127.0.0.1", redis.port), 1.05),
                                   ("unix socket", redis.unix_url, (redis.socket, 0), 1.15)):
        postgres, lite = server.session("bench"), sqlite.session(url)
        postgres.run("SET sqlredis.url = '%s';" % url)
        times = interleaved(
            7,
            raw=lambda where=where: raw(*where),
            pg=lambda shell=postgres: timed(
                shell, "SELECT count(redis_get('k')) FROM generate_series(1, %d);" % GETS,
                str(GETS)),
            sqlite=lambda shell=lite: timed(
                shell, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
                "i < %d) SELECT count(redis_get('k')) FROM n;" % GETS, str(GETS)))
        record("redis_get, %s, PostgreSQL / hiredis loop" % kind, times["pg"], times["raw"], goal)
        record("redis_get, %s, SQLite / hiredis loop" % kind, times["sqlite"], times["raw"], goal)
        postgres.close()
        lite.close()


# ---- UPDATE of many rows ------------------------------------------------------------------------------


def fill_redis(redis):
    """item:1 ... item:ROWS, so that the deletions have something to delete."""
    redis("FLUSHALL")
    client = redis.client()
    for begin in range(1, ROWS + 1, 5000):
        client.socket.sendall(b"".join(
            b"*3\r\n$3\r\nSET\r\n$%d\r\nitem:%d\r\n$1\r\nx\r\n" % (len("item:%d" % i), i)
            for i in range(begin, begin + 5000)))
        for _ in range(5000):
            client.file.readline()
    client.close()


def gone(redis):
    left = redis("DBSIZE")
    if left:
        sys.exit("bench: %d keys are left when the statement has returned" % left)


def memcached():
    """pgmemcache's server, on a free port; None when it is not installed."""
    try:
        port = free_port()
        user = unprivileged_user()
        process = start(["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0"], user=user,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    wait_for("memcached", lambda: process.poll() is not None or _listening(port))
    return None if process.poll() is not None else port


def _listening(port):
    import socket
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def updates_postgres(redis, server, size, peer):
    shell = server.session("bench")
    tables = ["plain", "keyless", "tracked"] + (["memcache"] if peer else [])
    for table in tables:
        shell.run("""DROP TABLE IF EXISTS %(t)s;
            CREATE TABLE %(t)s (id integer PRIMARY KEY, n integer, pad text, nothing integer)
                WITH (fillfactor = 100);
            INSERT INTO %(t)s SELECT i, 0, repeat('x', %(pad)d) FROM generate_series(1, %(rows)d) i;
            """ % {"t": table, "pad": max(1, size - 12), "rows": ROWS}, 600)
    shell.run("SELECT redis_invalidate_on('tracked', 'item:{id}'),"
              " redis_invalidate_on('keyless', '{nothing}');")
    if peer:
        shell.run("CREATE TRIGGER del AFTER UPDATE ON memcache FOR EACH ROW "
                  "EXECUTE FUNCTION delete_from_memcache();")

    def update(table):
        shell.run("VACUUM FREEZE %s;\nCHECKPOINT;" % table, 600)
        if table == "tracked":
            fill_redis(redis)
        took = timed(shell, "UPDATE %s SET n = n + 1;" % table)
        if table == "tracked":
            gone(redis)
        return took

    times = interleaved(5, **{table: (lambda table=table: update(table)) for table in tables})
    label = "UPDATE of 100,000 rows of %d bytes, PostgreSQL, " % size
    record(label + "tracked / plain", times["tracked"], times["plain"], 1.3)
    record(label + "keyless / plain", times["keyless"], times["plain"],
           note="the same trigger, all of whose keys are NULL: PostgreSQL's own part")
    if peer:
        record(label + "pgmemcache / plain", times["memcache"], times["plain"],
               note="the peer: a row trigger that deletes")
    shell.close()


def updates_sqlite(redis, size):
    shell = sqlite.session(redis.url, os.path.join(temp_dir("bench"), "bench.db"))
    for table in ("plain", "noop", "tracked"):
        shell.run("""CREATE TABLE %(t)s (id integer PRIMARY KEY, n integer, pad text);
            INSERT INTO %(t)s WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s
                WHERE i < %(rows)d) SELECT i, 0, printf('%%.*c', %(pad)d, 'x') FROM s;
            """ % {"t": table, "pad": max(1, size - 12), "rows": ROWS}, 600)
    shell.run("CREATE TRIGGER noop_update AFTER UPDATE ON noop BEGIN SELECT abs(NEW.id); END;\n"
              "SELECT redis_invalidate_on('tracked', 'item:{id}');")

    def update(table):
        if table == "tracked":
            fill_redis(redis)
        took = timed(shell, "UPDATE %s SET n = n + 1;" % table, "")
        if table == "tracked":
            gone(redis)
        return took

    times = interleaved(5, **{t: (lambda t=t: update(t)) for t in ("plain", "noop", "tracked")})
    label = "UPDATE of 100,000 rows of %d bytes, SQLite, " % size
    record(label + "tracked / no-op trigger", times["tracked"], times["noop"], 3.0)
    record(label + "no-op trigger / plain", times["noop"], times["plain"])
    shell.close()


# ---- memory -------------------------------------------------------------------------------------------


def resident(pid):
    with open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024.0
    return 0.0


def memory(name, shell, pid, series):
    before = resident(pid)
    timed(shell, "BEGIN;\nSELECT count(redis_invalidate('user:' || i)) FROM %s;" % series,
          "1000000")
    record_amount("memory of 1,000,000 queued keys, " + name, resident(pid) - before, "MB", 100)
    shell.run("ROLLBACK;")
    shell.close()


def memory_of_a_queue(redis, server):
    shell = server.session("bench")
    shell.run("SELECT redis_ping();")
    pid = int(shell.run("SELECT pg_backend_pid();"))
    memory("PostgreSQL", shell, pid, "generate_series(1, 1000000) i")
    shell = sqlite.session(redis.url)
    shell.run("SELECT redis_ping();")
    memory("SQLite", shell, shell.process.pid,
           "(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 1000000) "
           "SELECT i FROM s)")


def main():
    redis = Redis()
    peer = memcached()
    server = Postgres(redis.url, settings={
        "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on",
        "shared_buffers": "'256MB'", "autovacuum": "off",
        **({"shared_preload_libraries": "'pgmemcache'",
            "pgmemcache.default_servers": "'127.0.0.1:%d'" % peer} if peer else {})})
    server.database("bench")
    if peer:
        server.sql("""CREATE EXTENSION pgmemcache;
            CREATE FUNCTION delete_from_memcache() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM memcache_delete('item:' || OLD.id); RETURN NULL; END $$;""", "bench")
    where = machine(redis, server)
    print("On: %s\n" % where)
    gets(redis, server)
    many.keys(redis, server, peer)
    many.scans(redis, server)
    many.loading()
    for size in (20, 500):
        updates_postgres(redis, server, size, peer)
        updates_sqlite(redis, size)
    memory_of_a_queue(redis, server)
    server.stop()
    coherence.main(redis, peer)
    write(where)
    plot(where)
    print("\nwritten: build/bench/results.md, results.json, results.png")


main()
