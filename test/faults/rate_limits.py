"""Rate limits when Redis is away, by each setting of rate_limit_on_error; and named ones, by theirs."""

import time

from harness import Both, Redis, equal, main, refused_port, test, true

both = Both()
redis = Redis()

LIMIT = "redis_rate_limit('k', 3, 3000000000)"
WARNING = "rate limits are not counted"


@test
def away_the_setting_decides():
    for mode, answer, reason in (("open", "1", "fail_open"), ("closed", "0", "fail_closed")):
        for engine in both("redis://127.0.0.1:%d" % refused_port(), rate_limit_on_error=mode):
            for source in (LIMIT, "redis_rate_limit_peek('k', 3, 60)",
                           "redis_rate_limit_tier('strict', '192.0.2.1')"):
                said = engine.sql("SELECT CAST(allowed AS integer), remaining, retry_after, "
                                  "reset_at, reason FROM %s;" % source).splitlines()[-1]
                equal(said, "%s|NULL|NULL|NULL|%s" % (answer, reason), engine.name)
            equal(engine.value("SELECT CAST(redis_allow('k', 3, 60) AS integer)"), answer)


@test
def away_it_may_be_an_error():
    for engine in both("redis://127.0.0.1:%d" % refused_port(), rate_limit_on_error="error"):
        engine.fails("SELECT allowed FROM " + LIMIT, "connection")
        engine.fails("SELECT redis_allow('k', 3, 60)", "connection")


@test
def what_is_not_asked_as_a_limit_is_an_error_always():
    for engine in both("redis://127.0.0.1:%d" % refused_port()):
        engine.fails("SELECT redis_rate_limit_reset('k')", "connection")
        engine.fails("SELECT redis_rate_limit_override('k', 1)", "connection")


@test
def warned_once_an_outage():
    for engine in both(redis.url, connect_timeout=1000):
        if engine.name == "SQLite":
            engine.sql(".log stdout")
        for _ in range(2):
            deadline = time.monotonic() + 30
            while "|ok" not in engine.sql("SELECT allowed, reason FROM " + LIMIT + ";"):
                engine.sql("SELECT redis_rate_limit_reset('k');")
                true(time.monotonic() < deadline, "no way back to Redis")
            redis.stop()
            said = [engine.sql("SELECT reason FROM %s;" % LIMIT) for _ in range(3)]
            equal([WARNING in text for text in said], [True, False, False], repr(said))
            equal([text.splitlines()[-1] for text in said], ["fail_open"] * 3)
            redis.start()


@test
def a_redis_that_hangs_is_away():
    for engine in both(redis.url, connect_timeout=300, command_timeout=300):
        equal(engine.value("SELECT reason FROM " + LIMIT), "ok")
        redis.freeze()
        try:
            for _ in range(2):
                said = engine.sql("SELECT reason FROM %s;" % LIMIT).splitlines()[-1]
                equal(said, "fail_open", engine.name)
        finally:
            redis.thaw()
        redis("FLUSHALL")


@test
def tiers_and_buckets_are_settings():
    for engine in both(redis.url):
        redis("FLUSHALL")
        left = "SELECT remaining FROM redis_rate_limit_tier('%s', '192.0.2.1')"
        equal([engine.value(left % tier) for tier in ("strict", "moderate", "generous")],
              ["9", "59", "119"])
        engine.fails(left % "login", "invalid", "login", "rate_limit_buckets")
        engine.config("rate_limit_buckets", "login=strict search=wide")
        equal(engine.value(left % "login"), "9")
        engine.fails(left % "search", "invalid", "search", "wide")
        engine.config("rate_limit_tiers", "strict=2/3000000000 wide=5/0.5")
        equal(engine.value(left % "search"), "4")
        equal(engine.value(left % "strict"), "1", "another period starts anew")
        engine.fails(left % "moderate", "invalid", "moderate")


@test
def malformed_ones_are_refused_where_they_are_set():
    for engine in both(redis.url):
        redis("FLUSHALL")
        for setting, value in (("rate_limit_tiers", "strict"), ("rate_limit_tiers", "a=1/0"),
                               ("rate_limit_tiers", "a=1/1 a=2/2"),
                               ("rate_limit_buckets", "login"), ("rate_limit_buckets", "a:b=c"),
                               ("rate_limit_on_error", "maybe")):
            engine.config_fails(setting, value, "invalid", setting)
        equal(engine.value("SELECT remaining FROM redis_rate_limit_tier('strict', 'a')"), "9")


@test
def both_engines_count_the_same_limit():
    redis("FLUSHALL")
    for number, engine in enumerate(both(redis.url)):
        left = engine.value("SELECT remaining FROM redis_rate_limit('shared', 4, 3e9, 2, 'gcra')")
        equal(left, str(2 - 2 * number))


main()
