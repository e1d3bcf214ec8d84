"""Killed with kill -9 at every step between a statement and the end of its deletion: what was committed is
delivered by somebody, what was not leaves no trace."""

import json
import os
import signal
import sys

from coherence.places import Place, drained
from coherence.sessions import Gone, literal
from harness import Postgres, Proxy, Redis, Wire, equal, main, process, run, temp_dir, test, true, wait_for

STEPS = 60  # more than there are

CHILD = """
import ctypes, json, sys
from coherence.sessions import SqliteSession
path, settings, how, step = json.loads(sys.argv[1])
library = ctypes.CDLL(None)
session = SqliteSession(path, settings, journal=how)
session.value("SELECT redis_ping()")
session.run("BEGIN IMMEDIATE")
session.run("SAVEPOINT s")
session.run("UPDATE items SET version = version + 1 WHERE id = 1")
session.run("RELEASE s")
session.value("SELECT redis_on_commit('INCR', 'counter')")
library.kill_at(ctypes.c_long(step))
session.run("COMMIT")
session.value("SELECT count(*) FROM items")
library.kill_at(ctypes.c_long(-1))
print("done")
"""


def library():
    path = os.path.join(temp_dir("kill"), "kill_at.so")
    run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", path,
         os.path.join(os.path.dirname(os.path.abspath(__file__)), "kill_at.c"), "-ldl"])
    return path


def at_every_step(how, **settings):
    """COMMIT of a process that is killed before its n-th write, for each n."""
    redis, preload = Redis(), library()
    place = Place("sqlite", redis, journal=how, **settings)
    committed = delivered = ran = 0
    for step in range(STEPS):
        before = place.filled()
        redis("SET", "plain:1", "old")
        redis("DEL", "counter")
        child = process.start([sys.executable, "-c", CHILD, json.dumps([place.where, place.settings, how, step])],
                              stdin=process.subprocess.DEVNULL, stdout=process.subprocess.PIPE,
                              stderr=process.subprocess.STDOUT, env=dict(os.environ, LD_PRELOAD=preload))
        said = child.communicate(timeout=60)[0].decode()
        survived = child.returncode == 0
        true(survived or child.returncode == -signal.SIGKILL, "%d: %s" % (child.returncode, said))
        now = int(place.session.value("SELECT version FROM items WHERE id = 1"))
        committed += now != before
        if now == before:
            equal(redis("GET", "plain:1"), b"old", "step %d: deleted, but never committed" % step)
            equal(redis("GET", "counter"), None, "step %d: told, but never committed" % step)
        else:
            delivered += redis("GET", "plain:1") is None
        wait_for("the drain after step %d" % step, lambda: drained(place))
        equal(place.read(), now, "step %d" % step)
        equal(redis("GET", "plain:1"), b"old" if now == before else None, "step %d" % step)
        equal(redis("GET", "counter"), None if now == before else b"1", "step %d" % step)
        if survived:
            break
        ran += 1
    true(survived, "it never came to its end")
    true(ran >= 3 and committed > 1 and committed > delivered and ran >= committed,
         "%d steps, %d committed, %d delivered: the interesting ones are missing" % (ran, committed, delivered))
    place.end()


@test
def a_process_at_every_step_of_a_commit_wal():
    at_every_step("WAL")


@test
def a_process_at_every_step_of_a_commit_journal():
    at_every_step("DELETE")


class Cluster:
    """PostgreSQL with one tracked row, its Redis behind a proxy."""

    def __init__(self, preload):
        self.redis, self.preload = Redis(), preload
        self.proxy = Proxy(self.redis)
        settings = {"sqlredis.url": "'redis://127.0.0.1:%d'" % self.proxy.port, "synchronous_commit": "on",
                    "sqlredis.commit_timeout": "1000", "sqlredis.command_timeout": "1000"}
        if preload:
            settings["shared_preload_libraries"] = "'sqlredis'"
        self.server = Postgres(settings=settings)
        self.server.database("kills")
        self.server.sql("CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 1); "
                        "SELECT redis_invalidate_on('t', 't:{id}')", "kills")

    def session(self):
        return Wire(self.server.host, self.server.port, self.server.name, "kills")

    def version(self):
        session = self.session()
        value = int(session.value("SELECT v FROM t"))
        session.close()
        return value

    def starts(self):
        return self.server.log_text().count("ready to accept connections")

    def update(self, sql="COMMIT"):
        """A transaction whose last statement is on its way."""
        session = self.session()
        session.value("SELECT redis_ping()")
        session.run("BEGIN")
        session.run("UPDATE t SET v = v + 1")
        session.value("SELECT redis_on_commit('INCR', 'counter')")
        if sql:
            session.send(sql)
        return session

    def delivered(self):
        """Without a worker somebody has to call."""
        if not self.preload:
            session = self.session()
            session.value("SELECT redis_outbox_drain()")
            session.close()
        return self.redis("GET", "t:1") is None

    def kill(self, session, name):
        starts = self.starts()
        os.kill(session.pid, signal.SIGKILL)
        try:
            session.result()
        except Gone:
            pass
        session.close()
        wait_for("the recovery from a kill " + name, lambda: self.starts() > starts)


def backend_killed(preload):
    cluster = Cluster(preload)
    redis, proxy = cluster.redis, cluster.proxy

    def ready():
        proxy.cut()
        proxy.heal()
        redis("SET", "t:1", "old")
        redis("DEL", "counter")
        return cluster.version()

    version = ready()
    cluster.kill(cluster.update(None), "before the commit")
    equal((cluster.version(), redis("GET", "t:1"), redis("GET", "counter")), (version, b"old", None))

    for name, stop in (("before it was sent", proxy.block), ("before the reply", proxy.hold)):
        version = ready()
        session = cluster.update(None)
        stop()
        session.send("COMMIT")
        wait_for("the commit to be visible", lambda v=version: cluster.version() == v + 1)
        cluster.kill(session, name)
        proxy.cut()
        proxy.heal()
        wait_for("the deletion, killed " + name, cluster.delivered)
        wait_for("the command, killed " + name, lambda: redis("GET", "counter") == b"1")

    version = ready()
    session = cluster.update()
    session.result()
    equal(redis("GET", "t:1"), None)
    cluster.kill(session, "after the commit")
    wait_for("an empty outbox", lambda: cluster.delivered() and not int(
        cluster.server.sql("SELECT count(*) FROM sqlredis_outbox", "kills")))
    equal(redis("GET", "counter"), b"1")

    version = ready()
    session = cluster.update(None)
    proxy.block()
    session.send("COMMIT")
    wait_for("the commit to be visible", lambda: cluster.version() == version + 1)
    cluster.server.crash()
    session.close()
    proxy.cut()
    proxy.heal()
    cluster.server.start()
    wait_for("the deletion after an immediate stop", cluster.delivered)
    wait_for("the command after an immediate stop", lambda: redis("GET", "counter") == b"1")
    cluster.server.stop()


@test
def a_backend_between_statement_and_flush_with_the_worker():
    backend_killed(True)


@test
def a_backend_between_statement_and_flush_without_the_worker():
    backend_killed(False)


@test
def what_a_crash_took_back_is_not_cached():
    """With synchronous_commit off others see, and cache, what a crash takes back."""
    redis = Redis()
    server = Postgres(redis.url, settings={"synchronous_commit": "off", "autovacuum": "off"})
    server.database("lost")
    server.sql("CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 1); "
               "SELECT redis_invalidate_on('t', 't:{id}')", "lost")
    server.sql("CHECKPOINT", "lost")
    read = "SELECT redis_cached('t:1', 3600, 'SELECT v FROM t WHERE id = 1')"
    equal(server.sql(read, "lost"), "1")
    writer = int(server.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"))
    os.kill(writer, signal.SIGSTOP)
    server.sql("UPDATE t SET v = 2", "lost")
    equal(server.sql(read, "lost"), "2")
    true(redis("KEYS", "t:1:sqlredis*"), "nothing is cached: nothing is tested")
    os.kill(server.process.pid, signal.SIGQUIT)
    os.kill(writer, signal.SIGKILL)
    server.crash()
    server.start()
    equal(server.sql("SELECT v FROM t", "lost"), "1", "nothing was lost: nothing is tested")
    equal(server.sql(read, "lost"), "1")
    server.stop()


@test
def an_epoch_survives_a_rollback_and_an_orderly_restart():
    redis = Redis()
    server = Postgres(redis.url)
    server.database("kept")
    server.sql("CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 1); "
               "SELECT redis_invalidate_on('t', 't:{id}')", "kept")
    read = "SELECT redis_cached('t:1', 3600, %s)" % literal("SELECT v FROM t WHERE id = 1")
    server.sql("BEGIN; %s; ROLLBACK" % read, "kept")
    server.sql(read, "kept")
    (key,) = redis("KEYS", "t:1:sqlredis*")
    entry = redis("GET", key)
    server.restart()
    equal(server.sql(read, "kept"), "1")
    equal(redis("GET", key), entry, "an orderly restart voided the cache")
    server.stop()


if __name__ == "__main__":
    main()
