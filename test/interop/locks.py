"""Locks are redis-py's: one taken there is respected and released here, and the reverse."""

import redis as redis_py

from harness import Both, Redis, equal, main, test, true

both = Both()
server = Redis()
client = redis_py.Redis(unix_socket_path=server.socket)


@test
def taken_here_is_respected_and_released_there():
    for engine in both(server.url):
        token = engine.value("SELECT redis_lock('job', 30)")
        lock = client.lock("job", timeout=30)
        true(not lock.acquire(blocking=False), "redis-py took a lock that is held")
        true(lock.locked())
        lock.local.token = token.encode()
        true(lock.owned())
        lock.extend(10)
        lock.release()
        equal(engine.value("SELECT redis_exists('job')"), "0")


@test
def taken_there_is_respected_and_released_here():
    for engine in both(server.url):
        lock = client.lock("job", timeout=30)
        true(lock.acquire(blocking=False))
        equal(engine.value("SELECT redis_lock('job', 30)"), "NULL")
        token = lock.local.token.decode()
        equal(engine.value("SELECT CAST(redis_unlock('job', 'not the token') AS integer)"), "0")
        equal(engine.value("SELECT CAST(redis_lock_extend('job', '%s', 60) AS integer)" % token),
              "1")
        true(client.ttl("job") > 50)
        equal(engine.value("SELECT CAST(redis_unlock('job', '%s') AS integer)" % token), "1")
        true(not lock.locked())


@test
def values_are_the_same_bytes():
    for engine in both(server.url):
        client.set("k", "Grüße ☃")
        equal(engine.value("SELECT redis_get('k')"), "Grüße ☃")
        engine.value("SELECT redis_set('k2', 'Grüße ☃')")
        equal(client.get("k2").decode(), "Grüße ☃")


main()
