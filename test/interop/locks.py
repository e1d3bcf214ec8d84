"""Locks are redis-py's and @upstash/lock's: one taken there is respected, extended and released here, and
the reverse."""

import redis as redis_py

from harness import Both, Redis, equal, main, test, true
from harness.node import Node

both = Both()
server = Redis()
client = redis_py.Redis(unix_socket_path=server.socket)


def fence(engine, token):
    return engine.value("SELECT redis_lock_fence('job', '%s')" % token)


def extends(engine, token, seconds):
    return engine.value("SELECT CAST(redis_lock_extend('job', '%s', %d) AS integer)" % (token, seconds))


def unlocks(engine, token):
    return engine.value("SELECT CAST(redis_unlock('job', '%s') AS integer)" % token)


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
        equal(unlocks(engine, "not the token"), "0")
        equal(extends(engine, token, 60), "1")
        true(client.ttl("job") > 50)
        equal(unlocks(engine, token), "1")
        true(not lock.locked())


@test
def a_transaction_respects_what_is_taken_there():
    for engine in both(server.url):
        lock = client.lock("job", timeout=30)
        true(lock.acquire(blocking=False))
        equal(engine.value("SELECT CAST(redis_xact_lock('job') AS integer)"), "0")
        lock.release()
        equal(engine.value("SELECT CAST(redis_xact_lock('job') AS integer)"), "1")
        true(lock.acquire(blocking=False), "the transaction's end did not release it")
        lock.release()


@test
def the_fence_grows_whoever_takes_the_lock():
    for engine in both(server.url):
        last = 0
        for turn in range(12):
            lock = client.lock("job", timeout=30)
            if turn % 3 == 0:
                token = engine.value("SELECT redis_lock('job', 30)")
            else:
                true(lock.acquire(blocking=False))
                token = lock.local.token.decode()
            number = int(fence(engine, token))
            true(number > last, "%d after %d" % (number, last))
            equal(fence(engine, token), str(number))
            equal(fence(engine, "not the token"), "NULL")
            last = number
            if turn % 3 == 0:
                equal(unlocks(engine, token), "1")
            else:
                lock.release()
            if turn % 4 == 0:
                true(client.delete("job:fence{job}") == 1)
        equal(fence(engine, token), "NULL")


def whoever(upstash, engine):
    """Takes the lock here or there: the token."""
    yield "here", engine.value("SELECT redis_lock('job', 30)")
    yield "there", upstash("acquire", "job", 30000, None)
    yield "there, with a token of one's own", upstash("acquire", "job", 30000, "a token")


@test
def upstash_lock_and_this_one_are_the_same_lock():
    upstash = Node("locks.mjs", server.port)
    for engine in both(server.url):
        for where, token in whoever(upstash, engine):
            equal((where, engine.value("SELECT redis_lock('job', 30)")), (where, "NULL"))
            equal((where, upstash("acquire", "job", 30000, "another")), (where, None))
            upstash("adopt", "job", token)
            equal(upstash("status", "job"), "ACQUIRED")
            true(int(fence(engine, token)) > 0)
            equal(extends(engine, token, 100), "1")
            true(client.ttl("job") > 90)
            true(upstash("extend", "job", 100000), "it does not extend what was taken " + where)
            true(client.ttl("job") > 190)
            equal(client.get("job").decode(), token)
            if where == "here":
                true(upstash("release", "job"), "it does not release what was taken here")
                equal(unlocks(engine, token), "0")
            else:
                equal(unlocks(engine, token), "1")
                true(not upstash("release", "job"))
            equal(upstash("status", "job"), "FREE")
            equal(client.exists("job"), 0)
    upstash.close()


@test
def values_are_the_same_bytes():
    for engine in both(server.url):
        client.set("k", "Grüße ☃")
        equal(engine.value("SELECT redis_get('k')"), "Grüße ☃")
        engine.value("SELECT redis_set('k2', 'Grüße ☃')")
        equal(client.get("k2").decode(), "Grüße ☃")


main()
