"""Bad URLs and settings, in both engines: refused with the reason, and never with the password."""

from harness import Both, Problem, Redis, equal, main, refused_port, test, true

both = Both()
redis = Redis()

MALFORMED = ["localhost", "http://localhost", "redis:/localhost", "redis://host:port",
             "redis://host:99999", "redis://host:0", "redis://h/notanumber", "redis://h/-1",
             "redis://[::1", "redis://h:1?no_such_option=1", "redis://h?connect_timeout=soon",
             "redis://h?family=5", "rediss://h?tls_verify=perhaps", "redis://%zz@h", "redis+unix://",
             "redis://", "redis://user:%00@h"]


@test
def malformed_urls_are_refused():
    for engine in both():
        for url in MALFORMED:
            engine.config_fails("url", url, "invalid", "url")


@test
def a_refused_url_never_shows_its_password():
    for engine in both():
        for url in ("redis://u:s3cr3t@host:port/0", "redis://:s3cr3t@h?x=1", "s3cr3t@@://:s3cr3t@"):
            problem = engine.config_fails("url", url, "invalid")
            true("s3cr3t" not in problem.message, problem.message)


@test
def https_is_explained():
    for engine in both():
        engine.config_fails("url", "https://x.upstash.io", "invalid", "rediss://")


@test
def no_url_at_all_says_how_to_set_one():
    for engine in both():
        engine.fails("SELECT redis_ping()", "invalid", "url", "REDIS_URL")


@test
def the_password_is_hidden_in_redis_url():
    for engine in both("redis://user:s3cr3t@127.0.0.1:%d/2" % redis.port):
        equal(engine.value("SELECT redis_url()"),
              "redis://user:***@127.0.0.1:%d/2" % redis.port)


@test
def an_unknown_host():
    for engine in both("redis://no-such-host.invalid", connect_timeout=3000):
        engine.fails("SELECT redis_ping()", "connection", "no-such-host.invalid", "host name")


@test
def a_refused_port():
    port = refused_port()
    for engine in both("redis://127.0.0.1:%d" % port):
        engine.fails("SELECT redis_ping()", "connection", "127.0.0.1:%d" % port, "refused")


@test
def a_missing_unix_socket():
    for engine in both("redis+unix:///nonexistent/redis.sock"):
        engine.fails("SELECT redis_ping()", "connection", "/nonexistent/redis.sock")


@test
def a_database_that_is_not_there():
    for engine in both(redis.url + "/99"):
        engine.fails("SELECT redis_ping()", "invalid", "0 to 15")


@test
def addresses_of_every_kind_reach_the_server():
    for engine in both():
        for url in (redis.url, "redis://localhost:%d/0" % redis.port, redis.unix_url,
                    "unix://" + redis.socket, redis.unix_url + "?db=3",
                    redis.url + "/3?command_timeout=500&family=4"):
            engine.config("url", url)
            equal(engine.value("SELECT redis_ping()"), "PONG", url)


@test
def a_second_address_is_tried_when_the_first_refuses():
    # localhost is ::1 and 127.0.0.1; this server listens on the second only.
    for engine in both("redis://localhost:%d" % redis.port):
        equal(engine.value("SELECT redis_ping()"), "PONG")


@test
def databases_are_separate():
    for engine in both(redis.url + "/4"):
        engine.value("SELECT redis_set('in-four', 'x')")
        engine.config("url", redis.url + "/5")
        equal(engine.value("SELECT redis_get('in-four')"), "NULL")


@test
def settings_out_of_range_are_refused():
    for engine in both():
        for name, value in (("connect_timeout", "-1"), ("command_timeout", "soon"),
                            ("on_error", "perhaps"), ("max_reply", "-5")):
            try:
                engine.config(name, value)
            except Problem as problem:
                equal(problem.state in ("22023", "invalid"), True, str(problem))
            else:
                raise AssertionError("%s: %s = %s was taken" % (engine.name, name, value))


@test
def a_key_prefix_is_put_before_keys_and_nothing_else():
    for engine in both(redis.url, key_prefix="app:"):
        redis("FLUSHALL")
        engine.value("SELECT redis_set('k', 'v')")
        equal(redis("GET", "app:k"), b"v", engine.name)
        equal(engine.value("SELECT redis_get('k')"), "v")
        equal(engine.value("SELECT redis_call('EXISTS', 'app:k')"), "1")


main()
