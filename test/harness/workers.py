"""What the tests of the launcher and its drainers share: a Redis, and a cluster with sqlredis in
shared_preload_libraries."""

import os
import signal

from .postgres import Postgres
from .process import wait_for
from .redis import Redis

redis = Redis()
SETTINGS = {"shared_preload_libraries": "'sqlredis'", "sqlredis.commit_timeout": "50",
            "sqlredis.connect_timeout": "500", "sqlredis.command_timeout": "500",
            "synchronous_commit": "on"}
TABLE = ("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);"
         "INSERT INTO t SELECT generate_series(1, 1000);"
         "SELECT redis_invalidate_on('t', 't:{id}')")


def cluster(settings=None, url=redis.url):
    made = Postgres(url, dict(SETTINGS, **(settings or {})))
    made.database("d")
    made.sql(TABLE, "d")
    redis("FLUSHALL")
    return made


server = cluster()


def workers(which="launcher", of=None):
    return (of or server).sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sqlredis %s'"
                              % which)


def drained(database="d", of=None):
    wait_for("an empty outbox", lambda: (of or server).sql(
        "SELECT count(*) FROM sqlredis_outbox", database) == "0")


def gone(*keys):
    wait_for("the keys to go", lambda: redis("EXISTS", *keys) == 0)


def redis_comes_back(*keys, of=None):
    """With the keys cached, before any worker notices that it is back."""
    launcher = int(workers(of=of) or 0)
    if launcher:
        os.kill(launcher, signal.SIGSTOP)
        wait_for("the drainers to give up", lambda: workers("drainer", of) == "")
    redis.start()
    for key in keys:
        redis("SET", key, "old")
    if launcher:
        os.kill(launcher, signal.SIGCONT)


def commit_without_redis(*numbers, database="d", of=None):
    """Rows that nobody could send; Redis is back afterwards, with the keys."""
    shell = (of or server).session(database)
    shell.run("SELECT redis_ping();")
    redis.stop()
    for number in numbers:
        shell.run("UPDATE t SET n = n + 1 WHERE id = %d;" % number)
    redis_comes_back(*("t:%d" % number for number in numbers), of=of)
    return shell
