"""The launcher and its drainers: too few processes, settings that cannot be used, shutdowns, standbys."""

import os
import signal
import time

from harness import Postgres, Redis, contains, end, equal, main, process, test, true, wait_for
from harness.workers import TABLE, cluster, commit_without_redis, drained, gone, redis, redis_comes_back, server, workers


@test
def no_worker_is_left():
    full = cluster({"max_worker_processes": "2", "max_logical_replication_workers": "0"})
    # the launcher has one; the other one is taken
    shell = full.session("d")
    shell.run("CREATE TABLE big AS SELECT generate_series(1, 100000) AS i; ANALYZE big;"
              "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"
              "SET force_parallel_mode = on; SET max_parallel_workers_per_gather = 1;")
    shell.send("SELECT count(pg_sleep(0.002)) FROM big WHERE i < 20000;")
    wait_for("a parallel worker", lambda: full.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'") == "1")
    commit_without_redis(1, of=full)
    wait_for("the launcher to say so", lambda: "no background worker left" in full.log_text())
    other = full.session("d")

    def taken_over():
        other.run("UPDATE t SET n = n + 1 WHERE id = 500;")
        return redis("EXISTS", "t:1") == 0
    wait_for("sessions to see to it", taken_over)
    equal(full.log_text().count("no background worker left"), 1, "it is said once")
    full.stop()


@test
def no_launcher():
    none = cluster({"max_worker_processes": "0", "max_logical_replication_workers": "0"})
    equal(workers(of=none), "")
    shell = commit_without_redis(1, of=none)
    equal(shell.run("SET sqlredis.commit_mode = async; SELECT redis_ping();"), "PONG")
    redis("SET", "t:2", "old")
    shell.run("UPDATE t SET n = n + 1 WHERE id = 2;")
    equal(redis("EXISTS", "t:2"), 0)
    equal(redis("EXISTS", "t:1"), 0, "it kept what it could not send")
    none.stop()


def processor_time(pid):
    with open("/proc/%s/stat" % pid) as file:
        words = file.read().rsplit(")", 1)[1].split()
    return int(words[11]) + int(words[12])


@test
def settings_that_cannot_be_used_while_something_waits():
    """The launcher does not ask all the time whether they can be."""
    other = Redis()
    alone = cluster(url=other.url)
    shell = alone.session("d")
    shell.run("SET sqlredis.commit_mode = async; SET sqlredis.durability = memory;")
    other.stop()
    shell.run("UPDATE t SET n = n + 1 WHERE id = 1;")
    wait_for("the launcher to fail", lambda: "sqlredis: " in alone.log_text())
    path = os.path.join(alone.data, "open")
    with open(path, "w") as file:
        file.write("secret")
    os.chmod(path, 0o644)
    alone.reload({"sqlredis.passfile": "'%s'" % path})
    before = processor_time(workers(of=alone))
    time.sleep(2)
    used = processor_time(workers(of=alone)) - before
    true(used < 20, "%d ticks in two seconds" % used)
    other.start()
    other("SET", "t:1", "old")
    alone.reload({"sqlredis.passfile": "''"})
    wait_for("the key to go", lambda: other("EXISTS", "t:1") == 0)
    shell.close()
    alone.stop()
    other.stop()


@test
def no_server_is_configured():
    alone = cluster(url=None)
    shell = alone.session("d")
    contains(shell.run("UPDATE t SET n = n + 1 WHERE id = 1;"), "no Redis URL is set")
    redis("SET", "t:1", "old")
    alone.reload({"sqlredis.url": "'%s'" % redis.url})
    gone("t:1")
    drained(of=alone)
    alone.stop()


@test
def what_is_in_the_ring_is_sent_before_a_shutdown():
    mine = cluster()
    shell = mine.session("d")
    shell.run("SET sqlredis.commit_mode = async; SET sqlredis.durability = memory;")
    redis("SET", "t:1", "old")
    launcher = int(workers(of=mine))
    os.kill(launcher, signal.SIGSTOP)
    shell.run("UPDATE t SET n = n + 1 WHERE id = 1;")
    equal(redis("EXISTS", "t:1"), 1)
    shell.close()
    mine.process.send_signal(signal.SIGINT)
    wait_for("the shutdown", lambda: "received fast shutdown request" in mine.log_text())
    os.kill(launcher, signal.SIGCONT)
    mine.process.wait(30)
    equal(mine.process.returncode, 0)
    equal(redis("EXISTS", "t:1"), 0)


def stops(how):
    mine = cluster({"sqlredis.command_timeout": "'60s'"})
    shell = mine.session("d")
    shell.run("SELECT redis_ping();")
    redis.freeze()
    shell.run("SET sqlredis.command_timeout = 500; UPDATE t SET n = n + 1 WHERE id = 1;")
    shell.close()
    wait_for("a drainer that hangs", lambda: mine.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sqlredis drainer' "
        "AND query LIKE 'delivering%'") == "1")
    begun = time.monotonic()
    mine.process.send_signal(how)
    mine.process.wait(30)
    took = time.monotonic() - begun
    redis.thaw()
    equal(mine.process.returncode, 0)
    true(took < 20, "the shutdown waited for Redis: %.1f s" % took)
    wait_for("Redis", lambda: redis("PING") == "PONG")
    redis("SET", "t:1", "old")
    mine.start()
    gone("t:1")
    mine.stop()


@test
def a_fast_shutdown_does_not_wait_for_redis():
    stops(signal.SIGINT)


@test
def a_smart_shutdown_does_not_wait_for_redis():
    stops(signal.SIGTERM)


@test
def a_standby_that_is_promoted():
    primary = cluster({"max_wal_senders": "4", "wal_level": "replica"})
    primary.sql("SELECT 1")
    shell = primary.session("d")
    shell.run("SELECT redis_ping();")
    redis.stop()
    shell.run("UPDATE t SET n = 3 WHERE id = 1;")
    standby = copy_of(primary)
    wait_for("the row", lambda: standby.sql("SELECT n FROM t WHERE id = 1", "d") == "3")
    equal(workers(of=standby), "", "nobody drains in recovery")
    equal(standby.sql("SELECT count(*) FROM redis_outbox()", "d"), "1")
    end(primary.process, signal.SIGQUIT)  # before its own drainer has somebody to tell
    redis.start()
    redis("SET", "t:9", "old")
    equal(standby.sql("SELECT redis_invalidate('t:9')", "d"), "1")
    equal(redis("EXISTS", "t:9"), 0)
    # what a transaction holds, and what it queues without an outbox to write to
    equal(standby.sql("BEGIN; SELECT redis_xact_lock('l'), redis_idempotent('i'); SAVEPOINT s; SELECT "
                      "redis_idempotent('j'); ROLLBACK TO s; SELECT redis_enqueue('q', 'x') IS NOT NULL; COMMIT",
                      "d"), "t|t\nt\nt")
    equal((redis("EXISTS", "l", "idem:j"), redis("GET", "idem:i"), redis("LLEN", "queue:q")), (0, b"done", 1))
    redis("SET", "t:1", "old")
    standby.sql("SELECT pg_promote()")
    wait_for("the launcher", lambda: workers(of=standby))
    gone("t:1")
    drained(of=standby)
    standby.stop()


def copy_of(primary):
    """A standby by pg_basebackup, streaming."""
    standby = Postgres.__new__(Postgres)
    standby.__dict__.update(primary.__dict__)
    standby.directory = process.temp_dir("pg")
    standby.data = os.path.join(standby.directory, "data")
    standby.host = os.path.join(standby.directory, "run")
    standby.log = os.path.join(standby.directory, "postgres.log")
    process.run([primary.client_bindir + "/pg_basebackup", "-D", standby.data, "-h", primary.host,
                 "-U", primary.name, "-R", "-X", "stream", "-c", "fast"], env=primary.env)
    os.mkdir(standby.host, 0o755)
    for path in [standby.host] + [os.path.join(base, name) for base, directories, names in
                                  os.walk(standby.data) for name in directories + names] + [standby.data]:
        process.give_to(standby.user, path)
    standby.configure({"unix_socket_directories": "'%s'" % standby.host})
    standby.start()
    return standby


@test
def logical_apply_is_drained_too():
    publisher = Postgres(None, {"synchronous_commit": "on"})
    publisher.database("d", extension=False)
    publisher.sql("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);"
                  "INSERT INTO t SELECT generate_series(1, 10); CREATE PUBLICATION p FOR TABLE t", "d")
    server.database("sub")
    server.sql("CREATE TABLE t (id int PRIMARY KEY, n int); SELECT redis_invalidate_on('t', 't:{id}')", "sub")
    server.sql("CREATE SUBSCRIPTION s CONNECTION 'host=%s port=%d user=postgres dbname=d' PUBLICATION p"
               " WITH (two_phase = true)" % (publisher.host, publisher.port), "sub")
    wait_for("the first copy", lambda: server.sql("SELECT count(*) FROM t", "sub") == "10")
    redis.stop()
    publisher.sql("UPDATE t SET n = 1 WHERE id < 4", "d")
    wait_for("the change", lambda: server.sql("SELECT count(*) FROM t WHERE n = 1", "sub") == "3")
    redis_comes_back("t:1", "t:2", "t:3")
    gone("t:1", "t:2", "t:3")
    drained("sub")
    # nobody's session commits what was prepared there
    wait_for("two_phase", lambda: server.sql(
        "SELECT subtwophasestate FROM pg_subscription WHERE subname = 's'") == "e")
    redis("SET", "t:4", "old")
    publisher.sql("BEGIN; UPDATE t SET n = 2 WHERE id = 4; PREPARE TRANSACTION 'x'", "d")
    wait_for("what is prepared", lambda: server.sql("SELECT count(*) FROM pg_prepared_xacts") == "1")
    publisher.sql("COMMIT PREPARED 'x'", "d")
    gone("t:4")
    server.sql("DROP SUBSCRIPTION s", "sub")
    publisher.stop()


@test
def nothing_was_wrong():
    log = server.log_text()
    true("PANIC" not in log, log[-3000:])
    true("TRAP" not in log, log[-3000:])


main()
