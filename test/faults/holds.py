"""What a transaction takes in Redis, and the answer is lost: it is taken once, and given back once."""

from harness import Both, Proxy, Redis, equal, main, test, true, wait_for

both = Both()
redis = Redis()
QUICK = {"connect_timeout": 1000, "command_timeout": 1000}


def fresh(engine, proxy):
    """Connected, and nothing in Redis but a stock of five."""
    proxy.heal()
    engine.sql("ROLLBACK;")
    engine.value("SELECT redis_ping()")
    redis("FLUSHALL")
    redis("HSET", "stock", "a", 5)


def stock():
    return int(redis("HGET", "stock", "a")), redis("EXISTS", "stock:holds{stock}")


def integer(engine, call):
    return engine.value("SELECT CAST(%s AS integer)" % call)


TAKE = (("redis_xact_lock('job')", "1"), ("redis_idempotent('pay')", "1"),
        ("redis_reserve('stock', 'a', 2)", "3"))


@test
def the_answer_to_a_lock_is_lost():
    proxy = Proxy(redis)
    for engine in both(proxy.url, **QUICK):
        fresh(engine, proxy)
        proxy.lose(0)
        token = engine.value("SELECT redis_lock('job', 30)")
        equal(redis("GET", "job").decode(), token)
        equal(engine.value("SELECT redis_lock('job', 30)"), "NULL")
        equal(integer(engine, "redis_unlock('job', '%s')" % token), "1")
    proxy.close()


@test
def the_answer_to_what_a_transaction_takes_is_lost():
    proxy = Proxy(redis)
    for engine in both(proxy.url, **QUICK):
        for end, sold in (("COMMIT;", 3), ("ROLLBACK;", 5)):
            fresh(engine, proxy)
            engine.sql("BEGIN;")
            for call, expected in TAKE:
                proxy.lose(0)
                equal((call, integer(engine, call)), (call, expected))
            equal(stock(), (3, 1))
            equal(engine.sql(end), "")
            equal(stock(), (sold, 0))
            equal(redis("EXISTS", "job"), 0)
            equal(redis("GET", "idem:pay"), b"done" if sold == 3 else None)
    proxy.close()


@test
def the_answer_at_the_end_is_lost():
    """A commit asks again, and is not refused; what a rollback does not know is done again later."""
    proxy = Proxy(redis)
    for engine in both(proxy.url, **QUICK):
        for end, sold in (("COMMIT;", 3), ("ROLLBACK;", 5)):
            for passed in (0, 1, 20):
                fresh(engine, proxy)
                engine.sql("BEGIN;")
                for call, expected in TAKE:
                    equal((call, integer(engine, call)), (call, expected))
                proxy.lose(passed)
                engine.sql(end)
                proxy.heal()
                engine.value("SELECT redis_ping()")
                equal((end, passed, stock()), (end, passed, (sold, 0)))
                equal(redis("EXISTS", "job"), 0)
                equal(redis("GET", "idem:pay"), b"done" if sold == 3 else None)
                equal(integer(engine, "redis_idempotent('pay')"), "0" if sold == 3 else "1")
    proxy.close()


@test
def no_answer_in_time():
    """Redis took it; the session gives up, and gives it back when it reaches Redis again."""
    proxy = Proxy(redis)
    for engine in both(proxy.url, connect_timeout=1000, command_timeout=200):
        for call, _ in (("redis_lock('job', 30) IS NULL", None),) + TAKE:
            fresh(engine, proxy)
            engine.value("SELECT CAST(%s AS integer)" % call)  # its script is known from now on
            redis("FLUSHALL")
            redis("HSET", "stock", "a", 5)
            engine.sql("BEGIN;")
            proxy.swallow()
            engine.fails("SELECT CAST(%s AS integer)" % call, "timeout")
            true(redis("DBSIZE") > 1, "Redis took it")
            proxy.heal()
            engine.sql("ROLLBACK;")
            wait_for("Redis", lambda: engine.sql("SELECT redis_ping();") == "PONG")
            equal((call, stock()), (call, (5, 0)))
            equal((call, redis("EXISTS", "job", "idem:pay")), (call, 0))
    proxy.close()


main()
