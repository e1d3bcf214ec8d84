"""A thousand that miss at once run the query once: one fills, all have its answer."""

import os
import resource
import threading

from coherence import schema
from coherence.sessions import SqliteSession
from harness import Postgres, Redis, Wire, equal, main, temp_dir, test, wait_for

MANY = 1000
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@test
def a_thousand_sessions_of_postgresql():
    redis = Redis()
    server = Postgres(redis.url, settings={"max_connections": MANY + 20, "sqlredis.cache_wait": "60000",
                                           "sqlredis.command_timeout": "60000", "sqlredis.connect_timeout": "60000",
                                           "sqlredis.cache_lease": "60000"})
    server.database("many")

    def wire():
        return Wire(server.host, server.port, server.name, "many")

    holder = wire()
    holder.run("SELECT pg_advisory_lock(7)")
    sessions = []
    for _ in range(MANY):
        sessions.append(wire())
        sessions[-1].send("SELECT redis_cached('once', 600, "
                          "'SELECT redis_incr(''runs'') FROM pg_advisory_xact_lock_shared(7)')")
    wait_for("all of them", lambda: holder.value(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%once%' "
        "AND pid <> pg_backend_pid()") == str(MANY))
    holder.run("SELECT pg_advisory_unlock(7)")
    equal({session.result()[0][0] for session in sessions}, {"1"})
    equal(redis("GET", "runs"), b"1")
    for session in sessions:
        session.close()
    server.stop()


@test
def a_thousand_connections_of_sqlite():
    redis = Redis()
    path = os.path.join(temp_dir("many"), "many.db")
    settings = {"url": redis.url, "cache_wait": 60000, "command_timeout": 60000, "connect_timeout": 60000,
                "cache_lease": 60000}
    first = SqliteSession(path, settings)
    for statement in schema.tables("sqlite"):
        first.run(statement)
    ready, answers = threading.Barrier(MANY), []

    def one():
        session = SqliteSession(path, settings)
        ready.wait()
        answers.append(session.value("SELECT redis_cached('once', 600, 'SELECT redis_incr(''runs'') "
                                     "FROM (SELECT 1) WHERE nap(1) = 0')"))
        session.close()

    threads = [threading.Thread(target=one) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal((len(answers), set(answers)), (MANY, {"1"}))
    equal(redis("GET", "runs"), b"1")
    first.close()


if __name__ == "__main__":
    main()
