"""A Redis that is away when a transaction commits: the commit stands, the keys are kept and sent."""

import time

from harness import Both, FakeServer, Proxy, Redis, equal, main, silent, test, true

both = Both()
redis = Redis()


def prepare(engine, keys=3):
    """A tracked table of that many rows, each with its key in Redis."""
    engine.sql("DROP TABLE IF EXISTS items;")
    engine.sql("CREATE TABLE items (id integer PRIMARY KEY, n integer);")
    engine.sql("INSERT INTO items WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s "
               "WHERE i < %d) SELECT i, 0 FROM s;" % keys)
    engine.value("SELECT redis_invalidate_on('items', 'item:{id}')")
    equal(engine.value("SELECT count(redis_set('item:' || id, 'x')) FROM items"), str(keys))


def stat(engine, name):
    return int(engine.value("SELECT value FROM redis_stats() WHERE name = '%s'" % name))


def delivered(engine):
    """Use the session until Redis answers and nothing waits for it any more."""
    deadline = time.monotonic() + 30
    while engine.sql("SELECT redis_ping();") != "PONG" or stat(engine, "invalidations_waiting"):
        true(time.monotonic() < deadline, "the kept keys are not sent")
        time.sleep(0.02)


def committed(engine, value):
    equal(engine.value("SELECT count(*) FROM items WHERE n = %d" % value),
          engine.value("SELECT count(*) FROM items"), "the commit stands")


@test
def down_at_commit_and_back_later():
    for engine in both(redis.url, connect_timeout=1000, command_timeout=1000):
        prepare(engine)
        engine.sql("BEGIN;")
        equal(engine.sql("UPDATE items SET n = 1;"), "")
        redis.stop()
        begun = time.monotonic()
        said = engine.sql("COMMIT;")
        true(time.monotonic() - begun < 1.5, "COMMIT waits no longer than commit_timeout")
        if engine.name == "PostgreSQL":
            true("WARNING" in said and " 3 " in said, "the warning says how many: " + said)
        committed(engine, 1)
        equal(stat(engine, "invalidations_waiting"), 3)
        true(stat(engine, "invalidations_failed") >= 0)
        redis.start()
        redis("SET", "other", "kept")
        delivered(engine)
        equal(redis("EXISTS", "other"), 1)
        true(b"cmdstat_unlink" in redis("INFO", "commandstats"), "kept, and sent then")
        equal(stat(engine, "invalidations_sent"), 3)


def freeze_at_commit(keys):
    for engine in both(redis.url, commit_timeout=250, command_timeout=5000):
        prepare(engine, keys)
        engine.sql("BEGIN;")
        engine.sql("UPDATE items SET n = 2;")
        redis.freeze()
        begun = time.monotonic()
        said = engine.sql("COMMIT;")
        took = time.monotonic() - begun
        redis.thaw()
        true(took < 3, "COMMIT took %.2f s" % took)
        if engine.name == "PostgreSQL":
            true("WARNING" in said, said)
        committed(engine, 2)
        delivered(engine)
        equal(redis("EXISTS", "item:1", "item:2", "item:3", "item:%d" % keys), 0)


@test
def frozen_at_commit():
    freeze_at_commit(3)


@test
def frozen_at_the_commit_of_many_keys():
    freeze_at_commit(20000)


@test
def rolled_back_while_down():
    for engine in both(redis.url, connect_timeout=500):
        prepare(engine)
        redis.stop()
        engine.sql("BEGIN;\nUPDATE items SET n = 3;\nROLLBACK;")
        redis.start()
        delivered(engine)
        equal(stat(engine, "invalidations_waiting"), 0)
        equal(stat(engine, "invalidations_sent"), 0, "nothing of a rolled-back transaction")


@test
def never_reachable():
    with FakeServer(serve=silent) as server:
        for engine in both(server.url, connect_timeout=300, command_timeout=300):
            engine.sql("DROP TABLE IF EXISTS items;")
            engine.sql("CREATE TABLE items (id integer PRIMARY KEY, n integer);")
            engine.sql("INSERT INTO items VALUES (1, 0);")
            engine.value("SELECT redis_invalidate_on('items', 'item:{id}')")
            begun = time.monotonic()
            for number in range(20):
                engine.sql("UPDATE items SET n = %d;" % number)
            took = time.monotonic() - begun
            true(took < 4, "twenty commits pay for one timeout, not for twenty: %.1f s" % took)
            equal(engine.value("SELECT n FROM items"), "19")
            true(stat(engine, "invalidations_waiting") <= 2, "one key, queued often, does not wait twenty times")


@test
def the_reply_is_lost_after_the_deletion():
    proxy = Proxy(redis)
    for engine in both(proxy.url, connect_timeout=1000, command_timeout=1000):
        prepare(engine)
        engine.sql("BEGIN;")
        engine.sql("UPDATE items SET n = 4;")
        proxy.lose(0)
        engine.sql("COMMIT;")
        committed(engine, 4)
        delivered(engine)
        equal(redis("EXISTS", "item:1", "item:2", "item:3"), 0)
    proxy.close()


@test
def keys_refused_by_an_acl_do_not_block_the_others():
    redis("ACL", "SETUSER", "partly", "on", ">pw", "~item:*", "%R~*", "+@all")
    redis("SET", "private:1", "x")
    url = "redis://partly:pw@127.0.0.1:%d" % redis.port
    for engine in both(url):
        prepare(engine)
        engine.sql("BEGIN;")
        engine.sql("SELECT redis_invalidate('private:1', 'item:1', 'item:2');")
        engine.sql("COMMIT;")
        equal(redis("EXISTS", "item:1", "item:2"), 0)
        equal(redis("EXISTS", "private:1"), 1)
        equal(stat(engine, "invalidations_waiting"), 0, "what is refused is not kept for ever")
        equal(engine.value("SELECT redis_ping()"), "PONG")


@test
def a_backlog_has_its_limit():
    for engine in both(redis.url, connect_timeout=500, pending_max=10):
        prepare(engine, 50)
        engine.sql("BEGIN;")
        engine.sql("UPDATE items SET n = 5;")
        redis.stop()
        engine.sql("COMMIT;")
        equal(stat(engine, "invalidations_waiting"), 10)
        true(stat(engine, "invalidations_failed") >= 40)
        redis.start()


@test
def a_hundred_thousand_rows_in_one_statement():
    for engine in both(redis.url):
        redis("FLUSHALL")
        prepare(engine, 100000)
        equal(redis("DBSIZE"), 100000)
        engine.sql("UPDATE items SET n = 6;")
        equal(redis("DBSIZE"), 0, "all keys are gone when the statement returns")
        engine.sql("DROP TABLE items;")


main()
