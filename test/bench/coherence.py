"""Part of `make bench`: what a commit costs that invalidates a key, what the coherent cache saves, and how
long a key outlives its commit."""

import os
import re
import statistics
import sys
import time

from harness import Postgres, run, temp_dir, wait_for
from measure import interleaved, record, record_amount, record_rate

ROWS, CLIENTS, TRANSACTIONS = 10000, 8, 1000  # transactions of each client

MODES = {
    "plain": ("plain", ""),
    "async, memory": ("tracked", "-c sqlredis.commit_mode=async -c sqlredis.durability=memory"),
    "async, outbox": ("tracked", "-c sqlredis.commit_mode=async"),
    "sync, memory": ("tracked", "-c sqlredis.durability=memory"),
    "sync, outbox": ("tracked", ""),
    "pgmemcache": ("memcache", ""),
}


def script(name, text):
    path = os.path.join(temp_dir("pgbench"), name.replace(" ", "_"))
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o644)
    os.chmod(os.path.dirname(path), 0o755)
    return path


def update(table):
    return script(table, "\\set id random(1, %d)\nUPDATE %s SET n = n + 1 WHERE id = :id;\n" % (ROWS, table))


def pgbench(server, path, options="", clients=CLIENTS, transactions=TRANSACTIONS):
    """Seconds that the transactions took, without connecting."""
    env = dict(server.environment("bench"), PGOPTIONS=options)
    said = run([os.path.join(server.client_bindir, "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j",
                str(min(clients, 2)), "-t", str(transactions), "-f", path], env=env)
    found = re.search(r"tps = ([\d.]+) \(without initial", said)
    if not found or "number of failed transactions: 0 " not in said:
        sys.exit("bench: pgbench said\n" + said)
    return clients * transactions / float(found.group(1))


def tables(server, peer):
    for table in ["plain", "tracked"] + (["memcache"] if peer else []):
        server.sql("DROP TABLE IF EXISTS %(t)s; CREATE TABLE %(t)s (id integer PRIMARY KEY, n integer NOT NULL, "
                   "pad text) WITH (fillfactor = 50); INSERT INTO %(t)s SELECT i, 0, repeat('x', 100) "
                   "FROM generate_series(1, %(n)d) i; VACUUM FREEZE %(t)s;" % {"t": table, "n": ROWS}, "bench")
    server.sql("SELECT redis_invalidate_on('tracked', 'item:{id}')", "bench")
    if peer:
        server.sql("CREATE TRIGGER del AFTER UPDATE ON memcache FOR EACH ROW EXECUTE FUNCTION "
                   "delete_from_memcache()", "bench")


def commits(server, peer):
    modes = {name: mode for name, mode in MODES.items() if peer or mode[0] != "memcache"}
    times = interleaved(5, **{name: (lambda table=table, options=options: pgbench(server, update(table), options))
                              for name, (table, options) in modes.items()})
    goals = {"async, memory": 0.95, "async, outbox": 0.85}
    for name in modes:
        if name != "plain":
            record_rate("commits of one UPDATE, 8 clients, %s / plain" % name, times[name], times["plain"],
                        goals.get(name), CLIENTS * TRANSACTIONS)


def one_client(redis, server):
    """What a commit that waits for Redis adds, in round trips of a session that writes as much."""
    def after_update(name, call):
        return script(name, "\\set id random(1, %d)\nUPDATE plain SET n = n + 1 WHERE id = :id;\n%s;\n" % (ROWS, call))

    times = interleaved(
        5, plain=lambda: pgbench(server, update("plain"), clients=1, transactions=2000),
        memory=lambda: pgbench(server, update("tracked"), "-c sqlredis.durability=memory", 1, 2000),
        outbox=lambda: pgbench(server, update("tracked"), "", 1, 2000),
        trip=lambda: pgbench(server, after_update("trip", "SELECT redis_unlink('none', 'neither')"), "", 1, 2000),
        nothing=lambda: pgbench(server, after_update("nothing", "SELECT array_length(ARRAY['none', 'neither'], 1)"), "",
                                1, 2000))
    trip = statistics.median(g - n for g, n in zip(times["trip"], times["nothing"]))
    print("a round trip takes %.0f us" % (trip / 2000 * 1e6))
    for name in ("memory", "outbox"):
        more = statistics.median(t - p for t, p in zip(times[name], times["plain"]))
        record_amount("a synchronous commit, %s, more than a plain one" % name, more / trip, "round trips", 1)


def hits(redis, server):
    shell = server.session("bench")
    shell.run("SELECT redis_set('k', repeat('x', 100)); "
              "SELECT redis_cached('c', 3600, 'SELECT repeat(''x'', 100)');")

    def loop(call):
        begun = time.monotonic()
        said = shell.run("SELECT count(%s) FROM generate_series(1, 50000);" % call, 600)
        if said.strip() != "50000":
            sys.exit("bench: " + said)
        return time.monotonic() - begun

    times = interleaved(7, cached=lambda: loop("redis_cached('c', 3600, 'SELECT repeat(''x'', 100)')"),
                        get=lambda: loop("redis_get('k')"))
    record("a hit of redis_cached / redis_get", times["cached"], times["get"], 1.1)
    shell.close()


def mostly_reads(redis, server):
    """A query of about 1 ms, 95 of 100 transactions read."""
    server.sql("CREATE TABLE IF NOT EXISTS parts AS SELECT i AS id, i % 1000 AS item, i AS n "
               "FROM generate_series(1, 8000) i; ANALYZE parts;", "bench")
    server.sql("DROP TABLE IF EXISTS things; CREATE TABLE things (id integer PRIMARY KEY, n integer); "
               "INSERT INTO things SELECT i, 0 FROM generate_series(1, 1000) i;", "bench")
    query = ("SELECT t.n + sum(sqrt(p.n)) FROM things t, parts p WHERE t.id = %s "
             "AND p.n %% 7 <> t.id %% 7 GROUP BY t.n")

    def mixed(read):
        return script("mixed", "\\set id random(1, 1000)\n\\set r random(1, 100)\n\\if :r <= 95\n%s;\n\\else\n"
                      "UPDATE things SET n = n + 1 WHERE id = :id;\n\\endif\n" % read)

    plain = mixed(query % ":id")
    cached = mixed("SELECT redis_cached('thing:' || :id, 3600, '%s', :id)" % (query % "$1"))
    one = pgbench(server, script("one", "\\set id random(1, 1000)\n" + query % ":id" + ";\n"), "", 1, 500) / 500

    def reads(path):
        server.sql("SELECT redis_invalidate_on('things', 'thing:{id}')", "bench")
        return pgbench(server, path, "", 8, 1000)

    pgbench(server, cached, "", 8, 1000)
    times = interleaved(3, cached=lambda: reads(cached), plain=lambda: reads(plain))
    print("the query takes %.2f ms" % (one * 1000))
    record_rate("95 of 100 read by redis_cached / by the query of about 1 ms", times["cached"], times["plain"], 5,
                8 * 1000)


def stopped(redis, server):
    redis.stop()
    shell = server.session("bench")
    shell.run("SET sqlredis.durability = 'outbox';")
    begun = time.monotonic()
    shell.run("UPDATE tracked SET n = n + 1 WHERE id = 1;")
    record_amount("the first commit after Redis was stopped", (time.monotonic() - begun) * 1000, "ms", 250)
    shell.close()
    for name, options in (("memory", "-c sqlredis.durability=memory"), ("outbox", "")):
        times = interleaved(5, plain=lambda: pgbench(server, update("plain")),
                            tracked=lambda options=options: pgbench(
                                server, update("tracked"), options + " -c client_min_messages=error"))
        record_rate("commits while Redis is stopped, %s / plain" % name, times["tracked"], times["plain"], 0.95,
                    CLIENTS * TRANSACTIONS)


def drain(redis, server):
    """Redis is stopped: 100,000 transactions, each with its row, and then it comes back."""
    server.sql("SET client_min_messages = error; SET synchronous_commit = off; DO $$ BEGIN FOR i IN 1 .. 100000 LOOP "
               "UPDATE tracked SET n = n + 1 WHERE id = 1 + i % 10000; COMMIT; END LOOP; END $$;", "bench")
    rows = int(server.sql("SELECT count(*) FROM sqlredis_outbox", "bench"))
    redis.start()
    begun = time.monotonic()
    wait_for("the outbox to be empty", lambda: server.sql(
        "SELECT NOT EXISTS (SELECT FROM sqlredis_outbox)", "bench") == "t", 120)
    record_amount("draining %d rows after Redis came back" % rows, time.monotonic() - begun, "s", 5)


def windows(redis, server):
    """From the commit's timestamp (before its WAL is flushed) to Redis executing the deletion."""
    for mode in ("sync", "async"):
        monitor = redis.client()
        monitor("MONITOR")
        shell = server.session("bench")
        shell.run("SET sqlredis.commit_mode = '%s'; SELECT redis_ping();" % mode)
        commits_at = {}
        for number in range(1, 501):
            said = shell.run("UPDATE tracked SET n = n + 1 WHERE id = %d;\nSELECT extract(epoch FROM "
                             "pg_xact_commit_timestamp(xmin)) FROM tracked WHERE id = %d;" % (number, number))
            commits_at["item:%d" % number] = float(said.splitlines()[-1])
        shell.close()
        found = {}
        while len(found) < 500:
            line = monitor.file.readline().decode(errors="replace")
            at = re.match(r"\+([\d.]+) ", line)
            if at and "UNLINK" in line:
                for key in re.findall(r'"(item:\d+)"', line):
                    found.setdefault(key, float(at.group(1)))
        monitor.close()
        took = sorted((found[key] - commits_at[key]) * 1000 for key in commits_at)
        for name, part in (("p50", 0.5), ("p99", 0.99)):
            record_amount("from commit to key gone, %s, %s" % (mode, name), took[int(part * len(took))], "ms", None)


def main(redis, peer):
    libraries = "'sqlredis%s'" % (", pgmemcache" if peer else "")
    server = Postgres(redis.url, settings={
        "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "shared_buffers": "'256MB'",
        "track_commit_timestamp": "on", "shared_preload_libraries": libraries,
        **({"pgmemcache.default_servers": "'127.0.0.1:%d'" % peer} if peer else {})})
    server.database("bench")
    if peer:
        server.sql("""CREATE EXTENSION pgmemcache;
            CREATE FUNCTION delete_from_memcache() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM memcache_delete('item:' || OLD.id); RETURN NULL; END $$;""", "bench")
    tables(server, peer)
    commits(server, peer)
    one_client(redis, server)
    hits(redis, server)
    mostly_reads(redis, server)
    windows(redis, server)
    stopped(redis, server)
    drain(redis, server)
    server.stop()
