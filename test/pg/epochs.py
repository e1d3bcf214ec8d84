"""redis_cached and the epoch: crashes, copies, standbys, and the row that says which database it is."""

import os
import shutil
import signal

from harness import Postgres, Redis, Wire, equal, main, run, temp_dir, test, true, wait_for
from harness.process import give_to

redis = Redis()
server = Postgres(redis.url, settings={"sqlredis.cache_wait": "'30s'", "sqlredis.cache_lease": "'60s'"})
server.database("d")
server.sql("CREATE TABLE t (v int); INSERT INTO t VALUES (1); SELECT redis_invalidate_on('t', 'k')", "d")

READ = "SELECT redis_cached('k', 600, 'SELECT v FROM t')"
ENTRY = "k:sqlredis{k}"


def wire(cluster=server, database="d"):
    return Wire(cluster.host, cluster.port, cluster.name, database)


def counter(session, name):
    return int(session.value("SELECT value FROM redis_stats() WHERE name = 'cache_%s'" % name))


def set_value(v, cluster=server):
    cluster.sql("UPDATE t SET v = %d" % v, "d")


class Copy(Postgres):
    """A cluster that was copied from another one, with sockets of its own."""

    def __init__(self, origin, data, settings=None):  # pylint: disable=super-init-not-called
        self.__dict__.update(origin.__dict__)
        self.directory = temp_dir("copy")
        self.host = os.path.join(self.directory, "run")
        self.log = os.path.join(self.directory, "postgres.log")
        os.mkdir(self.host)
        give_to(self.user, self.host)
        self.data = data
        self.configure(dict({"unix_socket_directories": "'%s'" % self.host}, **(settings or {})))
        self.start()


def base_backup(*options):
    place = temp_dir("backup")
    give_to(server.user, place)
    data = place + "/data"
    run([server.client_bindir + "/pg_basebackup", "-h", server.host, "-p", str(server.port), "-U", server.name, "-D", data, "-c", "fast"]
        + list(options), user=server.user, env=server.env)
    return data


def cached_before(cluster=server, database="d"):
    """Is a cached answer still one?"""
    return cluster.sql("SELECT redis_cached('epoch', 600, 'SELECT ''no''')", database) == "yes"


def cache(cluster=server, database="d"):
    redis("FLUSHALL")
    equal(cluster.sql("SELECT redis_cached('epoch', 600, 'SELECT ''yes''')", database), "yes")
    true(cached_before(cluster, database))


@test
def a_restart_keeps_and_a_crash_voids():
    cache()
    server.restart()
    true(cached_before())
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait()
    server.start()
    true(not cached_before())
    # a backend that is killed takes the others with it
    cache()
    session = wire()
    os.kill(session.pid, signal.SIGKILL)
    wait_for("the crash", lambda: "all server processes terminated; reinitializing" in server.log_text())
    wait_for("recovery", server._up_or_dead)  # pylint: disable=protected-access
    true(not cached_before())


@test
def a_database_made_from_another_is_another():
    cache()
    for strategy in ("wal_log", "file_copy"):
        cache()
        server.sql("CREATE DATABASE clone_%s TEMPLATE d STRATEGY %s" % (strategy, strategy))
        true(not cached_before(server, "clone_" + strategy))
        cache(server, "clone_" + strategy)
        true(not cached_before())
    equal(server.sql("SELECT count(*) FROM sqlredis_epoch", "clone_wal_log"), "2")


@test
def the_row_is_made_once_and_is_no_write():
    server.database("fresh")
    sessions = [wire(database="fresh") for _ in range(20)]
    for session in sessions:
        session.run("BEGIN")
    for i, session in enumerate(sessions):
        session.send("SELECT redis_cached('fresh', 600, 'SELECT %d'), redis_cached('fresh', 600, 'SELECT %d')" % (i, i))
    answers = {value for session in sessions for value in session.result()[0]}
    equal(len(answers), 1)
    equal(sum(counter(session, "fills") for session in sessions), 1)
    for session in sessions:
        equal(session.value("SELECT txid_current_if_assigned()"), None)
        session.run("ROLLBACK")
    equal(server.sql("SELECT count(*), min(length(epoch)) FROM sqlredis_epoch", "fresh"), "1|16")
    # in the very first transaction, which is rolled back
    server.database("rolled")
    equal(server.sql("BEGIN; SELECT redis_cached('rolled', 600, 'SELECT 1'); ROLLBACK; SELECT redis_cached('rolled', 600, 'SELECT 2')", "rolled"), "1\n1")
    # while it is being looked at and vacuumed
    server.sql("VACUUM sqlredis_epoch; VACUUM FULL sqlredis_epoch", "rolled")
    equal(server.sql("SELECT redis_cached('rolled', 600, 'SELECT 3')", "rolled"), "1")
    # emptied by hand: what was cached is void, also for sessions that knew it
    session = wire(database="rolled")
    equal(session.value("SELECT redis_cached('rolled', 600, 'SELECT 3')"), "1")
    server.sql("TRUNCATE sqlredis_epoch", "rolled")
    equal(session.value("SELECT redis_cached('rolled', 600, 'SELECT 4')"), "4")
    # locked: nobody waits
    server.sql("TRUNCATE sqlredis_epoch", "rolled")
    holder = wire(database="rolled")
    holder.run("BEGIN; LOCK TABLE sqlredis_epoch")
    equal(session.value("SELECT redis_cached('rolled', 600, 'SELECT 5')"), "5")
    equal(counter(session, "unfilled_no_epoch"), 1)
    holder.run("ROLLBACK")
    # one that would survive a crash does not count
    server.sql("ALTER TABLE sqlredis_epoch SET LOGGED", "rolled")
    equal(session.value("SELECT redis_cached('rolled', 600, 'SELECT 6')"), "6")
    equal(counter(session, "unfilled_no_epoch"), 2)
    # an extension that comes again
    server.sql("DROP EXTENSION sqlredis; CREATE EXTENSION sqlredis", "rolled")
    equal(session.value("SELECT redis_cached('rolled', 600, 'SELECT 7')"), "7")
    equal(session.value("SELECT redis_cached('rolled', 600, 'SELECT 8')"), "7")


@test
def a_standby_answers_and_its_promotion_voids():
    set_value(1)
    standby = Copy(server, base_backup("-R"))
    try:
        cache()
        # behind: it must not fill what it has
        standby.sql("SELECT pg_wal_replay_pause()")
        wait_for("the pause", lambda: standby.sql("SELECT pg_get_wal_replay_pause_state()") == "paused")
        set_value(2)
        reader = wire(standby)
        equal(reader.value(READ), "1")
        equal(reader.run("SELECT * FROM redis_cache_get('k')"), [[None, None]])
        standby.sql("SELECT pg_wal_replay_resume()")
        wait_for("the standby", lambda: standby.sql("SELECT v FROM t", "d") == "2")
        equal(reader.value(READ), "2")
        true(counter(reader, "unfilled_recovery") >= 2)
        lease = wire().value("SELECT lease FROM redis_cache_get('k')")
        equal(reader.value("SELECT redis_cache_fill('k', '%s', 'x', 600)" % lease), "f")
        redis("DEL", ENTRY)
        # promoted: nothing of the old primary's counts, and what it fills itself does
        cache()
        standby.sql("SELECT pg_promote()")
        true(not cached_before(standby))
        cache(standby)
        equal(reader.value("SELECT redis_cached('epoch', 600, 'nonsense')"), "yes")
    finally:
        standby.stop()


@test
def copies_and_old_copies_of_the_files():
    cache()
    restored = Copy(server, base_backup("-X", "stream"))
    try:
        true(not cached_before(restored))
    finally:
        restored.stop()
    # of a stopped cluster: nothing in the database tells, but where its files are does
    cache()
    server.stop()
    place = temp_dir("cold")
    run(["cp", "-a", server.data, place + "/data"])
    run(["chmod", "755", place])
    server.start()
    true(cached_before())
    cold = Copy(server, place + "/data")
    try:
        true(not cached_before(cold))
        cache()
        true(not cached_before(cold))
    finally:
        cold.stop()
    # put back in its place
    cache()
    server.stop()
    shutil.rmtree(server.data)
    run(["cp", "-a", place + "/data", server.data])
    server.configure({"unix_socket_directories": "'%s'" % server.host})
    server.start()
    true(not cached_before())


if __name__ == "__main__":
    main()
