"""`make bench`: what sqlredis costs, as ratios of things measured in the same run, interleaved.

Writes results.md, results.json and (with matplotlib) results.png into build/bench/. It never fails
for being slow: whether a goal was met is printed.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time

from harness import Postgres, Redis, TOP, free_port, run, sqlite, start, temp_dir, wait_for
from harness.process import unprivileged_user

OUT = os.path.join(TOP, "build/bench")
ROWS, GETS = 100000, 50000
results = []


def record(name, times, baseline, goal=None, note=""):
    """times, baseline: seconds of the same rounds. The ratio is the median of the rounds' ratios."""
    ratio = statistics.median(t / b for t, b in zip(times, baseline))
    results.append({"name": name, "ratio": ratio, "goal": goal, "seconds": statistics.median(times),
                    "baseline": statistics.median(baseline), "note": note})
    verdict = "" if goal is None else "  goal %.2f: %s" % (goal, "met" if ratio <= goal else
                                                          "MISSED")
    print("%-68s %6.2fx  (%.3f s against %.3f s)%s" % (
        name, ratio, statistics.median(times), statistics.median(baseline), verdict), flush=True)


def interleaved(rounds, **tasks):
    """Run every task once a round, in turn; a first round warms up. Seconds by name."""
    times = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            seconds = task()
            if number:
                times[name].append(seconds)
    return times


def timed(shell, sql, expect=None):
    begun = time.monotonic()
    said = shell.run(sql, 600)
    took = time.monotonic() - begun
    if "rror" in said or (expect is not None and said.strip() != expect):
        sys.exit("bench: %s\nsaid: %s" % (sql, said))
    return took


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
    grown = resident(pid) - before
    results.append({"name": "memory of 1,000,000 queued keys, " + name, "megabytes": grown,
                    "goal": 100})
    print("%-68s %6.1f MB  goal 100: %s" % (results[-1]["name"], grown,
                                            "met" if grown <= 100 else "MISSED"), flush=True)
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


# ---- the report ---------------------------------------------------------------------------------------


def machine(redis, server):
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return "%s, %d cores; Linux %s; %s; SQLite %s; Redis %s" % (
        model, os.cpu_count(), platform.release(),
        server.sql("SELECT split_part(version(), ' (', 1)"),
        run(["sqlite3", "--version"]).split()[0],
        redis("INFO", "server").decode().split("redis_version:")[1].split()[0])


def write(where):
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "results.json"), "w") as file:
        json.dump({"machine": where, "results": results}, file, indent=1)
    with open(os.path.join(OUT, "results.md"), "w") as file:
        file.write("Measured on: %s.\n\n| what | ratio | goal |\n|---|---|---|\n" % where)
        for r in results:
            value = "%.2f" % r["ratio"] if "ratio" in r else "%.1f MB" % r["megabytes"]
            file.write("| %s | %s | %s |\n" % (r["name"], value,
                                               "" if r["goal"] is None else r["goal"]))


def plot(where):
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot
    shown = [r for r in results if "ratio" in r][::-1]
    figure, axes = pyplot.subplots(figsize=(11, 0.45 * len(shown) + 1.6))
    colours = ["#8a8a8a" if r["goal"] is None else
               "#2e7d4f" if r["ratio"] <= r["goal"] else "#b5402f" for r in shown]
    axes.barh(range(len(shown)), [r["ratio"] for r in shown], color=colours, height=0.6)
    for y, r in enumerate(shown):
        near = r["goal"] is not None and 0.8 < r["ratio"] / r["goal"] < 1
        beyond = r["goal"] if near else r["ratio"]
        axes.text(beyond * 1.02, y, "%.2f" % r["ratio"], va="center", fontsize=8)
        if r["goal"] is not None:
            axes.plot([r["goal"]] * 2, [y - 0.4, y + 0.4], color="black", linewidth=1.5)
    axes.set_yticks(range(len(shown)))
    axes.set_yticklabels([r["name"] for r in shown], fontsize=8)
    axes.set_xscale("log")
    ticks = [0.5, 1, 2, 3, 5, 10, 20]
    axes.set_xticks(ticks)
    axes.set_xticklabels(["%g" % t for t in ticks])
    axes.set_xlim(0.5, max(3.5, 1.3 * max(r["ratio"] for r in shown)))
    axes.minorticks_off()
    axes.axvline(1, color="#cccccc", linewidth=1, zorder=0)
    axes.set_xlabel("times the baseline (log scale; black: the goal)\n" + where, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(os.path.join(OUT, "results.png"), dpi=130)


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
    for size in (20, 500):
        updates_postgres(redis, server, size, peer)
        updates_sqlite(redis, size)
    memory_of_a_queue(redis, server)
    write(where)
    plot(where)
    print("\nwritten: build/bench/results.md, results.json, results.png")


main()
