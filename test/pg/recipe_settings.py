"""The recipes' settings and rights: refused where they are wrong, the admin's where they matter."""

from harness import Postgres, Redis, contains, equal, main, run, test, true, wait_for

redis = Redis()
server = Postgres(redis.url)
server.database("d")
server.sql("CREATE ROLE writer LOGIN; SELECT redis_grant('write', 'writer')", "d")


def session(role=None):
    shell = server.session("d", role)
    shell.run("SELECT redis_version();")
    return shell


@test
def defaults():
    shell = session()
    for name, value in (("rate_limit_prefix", "rl:"), ("idempotent_prefix", "idem:"),
                        ("queue_prefix", "queue:"), ("session_prefix", "session:"),
                        ("bullmq_prefix", "bull"), ("rate_limit_buckets", ""),
                        ("rate_limit_tiers", "strict=10/60 moderate=60/60 generous=120/60"),
                        ("rate_limit_on_error", "open"), ("hold", "30s"), ("queue_attempts", "5"),
                        ("queue_mode", "job"), ("daily_quota", "0"), ("quota_warning", "80")):
        equal(shell.run("SHOW sqlredis.%s;" % name), value, name)
    shell.close()


@test
def wrong_ones_are_refused_where_they_are_set():
    shell = session()
    for setting in ("rate_limit_tiers = 'strict'", "rate_limit_tiers = 'strict=10'",
                    "rate_limit_tiers = 'strict=x/60'", "rate_limit_tiers = 'a=1/1 a=2/1'",
                    "rate_limit_buckets = 'login'", "hold = 999", "hold = '2h'",
                    "queue_mode = 'heap'", "rate_limit_on_error = 'maybe'", "queue_attempts = -1",
                    "quota_warning = 101"):
        contains(shell.run("SET sqlredis.%s;" % setting), "ERROR:  22023")
    said = shell.run("SET sqlredis.rate_limit_tiers = 'strict=10';")
    contains(said, "malformed")
    contains(said, "HINT:  Tiers are written as")
    # either may be set first; what does not fit shows when it is used
    equal(shell.run("SET sqlredis.rate_limit_buckets = 'login=tight'; SET sqlredis.rate_limit_tiers = 'tight=1/60';"
                    "SELECT allowed FROM redis_rate_limit_tier('login', 'me');"
                    "SELECT allowed FROM redis_rate_limit_tier('login', 'me');"), "t\nf")
    contains(shell.run("SELECT allowed FROM redis_rate_limit_tier('strict', 'me');"), "ERROR:  22023")
    shell.close()
    # postgresql.conf: the server starts, and says what it does not like
    server.reload({"sqlredis.rate_limit_tiers": "'nonsense'"})
    shell = session()
    equal(shell.run("SHOW sqlredis.rate_limit_tiers;"), "strict=10/60 moderate=60/60 generous=120/60")
    contains(server.log_text(), "malformed")
    shell.close()
    server.reload({"sqlredis.rate_limit_tiers": "'low=2/60'"})
    shell = session()
    equal(shell.run("SELECT remaining FROM redis_rate_limit_tier('low', 'x');"), "1")
    shell.close()


@test
def who_may_set_what():
    shell = session("writer")
    for setting in ("rate_limit_prefix = 'x'", "idempotent_prefix = 'x'", "queue_prefix = 'x'",
                    "session_prefix = 'x'", "bullmq_prefix = 'x'", "rate_limit_tiers = 'a=1/1'",
                    "rate_limit_buckets = ''", "hold = 1000", "queue_attempts = 1", "daily_quota = 1",
                    "quota_warning = 1"):
        contains(shell.run("SET sqlredis.%s;" % setting), "ERROR:  42501")
    equal(shell.run("SET sqlredis.queue_mode = list; SET sqlredis.rate_limit_on_error = closed;"), "")
    shell.close()


@test
def prefixes_are_read_at_every_call():
    shell = session()
    shell.run("SET sqlredis.key_prefix = 'app:';")
    for setting, call, key in (
            ("idempotent", "redis_idempotent('k')", "app:%sk"),
            ("queue", "redis_enqueue('k', 'v')", "app:%sk"),
            ("session", "redis_session_set('k', '{}')", "app:%sk"),
            ("rate_limit", "redis_allow('k', 1, 60)", "app:%sk")):
        shell.run("SELECT %s; SET sqlredis.%s_prefix = 'own/'; SELECT %s; SET sqlredis.%s_prefix = ''; SELECT %s;"
                  % (call, setting, call, setting, call))
        for prefix in (shell.run("SELECT boot_val FROM pg_settings WHERE name = 'sqlredis.%s_prefix';" % setting),
                       "own/", ""):
            equal(redis("EXISTS", key % prefix), 1, key % prefix)
        redis("FLUSHALL")
    shell.run("SET sqlredis.bullmq_prefix = 'mine'; SELECT redis_bullmq_add('q', 'n', '{}');")
    equal(redis("EXISTS", "app:mine:q:1"), 1)
    redis("FLUSHALL")
    shell.close()


@test
def closed_and_error_when_redis_is_away():
    shell = session("writer")
    redis.stop()
    contains(shell.run("SELECT allowed, reason FROM redis_rate_limit('k', 1, 60);"), "t|fail_open")
    equal(shell.run("SET sqlredis.rate_limit_on_error = closed; SELECT redis_allow('k', 1, 60);"), "f")
    contains(shell.run("SET sqlredis.rate_limit_on_error = error; SELECT redis_allow('k', 1, 60);"), "ERROR:  08")
    redis.start()
    wait_for("the breaker", lambda: "ERROR" not in shell.run("SELECT redis_allow('other', 1, 60);"))
    shell.close()


@test
def rights():
    server.sql("CREATE ROLE reader LOGIN; CREATE ROLE nobody LOGIN; SELECT redis_grant('read', 'reader')", "d")
    calls = {"redis_xact_lock('x')": "t", "redis_idempotent('x')": "t", "redis_reserve('x', 'y', 1)": "NULL",
             "redis_ack('x', 'y')": "f", "redis_allow('x', 1, 60)": "t", "redis_session_get('none')": "NULL"}
    for role, may in (("nobody", False), ("reader", False), ("writer", True)):
        shell = session(role)
        for call, value in calls.items():
            said = shell.run("BEGIN; SELECT %s; ROLLBACK;" % call)
            if may:
                equal(said, value)
            else:
                contains(said, "ERROR:  42501")
        said = shell.run("SELECT redis_queue_len('x');")
        if role != "reader":
            contains(said, "ERROR:  42501")
        else:
            equal(said, "0")
        shell.close()
    # what writes may not run in a parallel plan
    equal(server.sql("SELECT string_agg(DISTINCT proparallel::text, '') FROM pg_proc WHERE proname IN "
                     "('redis_xact_lock', 'redis_idempotent', 'redis_reserve', 'redis_enqueue', 'redis_dequeue', "
                     "'redis_dequeue_bytea', 'redis_ack', 'redis_bullmq_add', 'redis_idempotent_result')", "d"), "u")
    equal(server.sql("SELECT count(*) FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' "
                     "WHERE proname ~ '^redis_(lock|xact|unlock|rate|allow|idem|reserve|queue|enqueue|dequeue|ack|nack|"
                     "bullmq|session)' AND has_function_privilege('nobody', p.oid, 'EXECUTE')", "d"), "0")


@test
def sessions_hold_json():
    shell = session()
    equal(shell.run("SELECT redis_session_set('s', '{\"a\": [1, \"\u00e4\"]}'), redis_session_set('t', jsonb '{\"b\": 2}');"),
          "t|t")
    equal(shell.run("SELECT redis_session_get('s') -> 'a' ->> 1, redis_session_get('t') ->> 'b', redis_session_get('u');"),
          "\u00e4|2|NULL")
    for value in ("no json", "{\"a\": ", "{\"a\": nan}", "", "{\"a\": \"\\u00zz\"}"):
        redis("SET", "session:bad", value)
        said = shell.run("SELECT redis_session_get('bad');")
        contains(said, "ERROR:")
        true("JSON" in said or "json" in said, said)
    redis("SET", "session:bad", b"{\"a\": \"\xff\"}")
    contains(shell.run("SELECT redis_session_get('bad');"), "ERROR:")
    shell.close()


@test
def a_dump_is_restored():
    text = run([server.client_bindir + "/pg_dump", "-h", server.host, "-p", str(server.port), "-U", server.name, "d"],
               env=server.env)
    true("CREATE FUNCTION" not in text, "the functions are the extension's; what was granted is said")
    server.database("copy", extension=False)
    server.sql(text, "copy")
    equal(server.sql("SELECT redis_idempotent('copied')", "copy"), "t")


main()
