"""Servers that fail in every way the protocol knows: each has its class, its hint, and the session
goes on afterwards with a correct next answer."""

import time

from harness import Both, FakeServer, Redis, contains, equal, main, read_command, silent, test, true
from harness.fake import HANDSHAKE

both = Both()
redis = Redis()
QUICK = {"connect_timeout": 1500, "command_timeout": 400}


def goes_on(engine):
    """After a fault: another server, and the right answer to the right question."""
    engine.config("url", redis.url)
    redis("SET", "after", engine.name)
    equal(engine.value("SELECT redis_get('after')"), engine.name)


def fails_at_once(engine, statement):
    """The breaker is open; on a slow machine its time may be over already, and is doubled then."""
    for _ in range(6):
        begun = time.monotonic()
        try:
            return engine.fails(statement, "connection")
        except AssertionError:
            if time.monotonic() - begun < QUICK["command_timeout"] / 1000:
                raise
    raise AssertionError("every call waits for its timeout")


def replies(word, reply, *parts):
    """A command answered with an error reply; a GET is safe, a SET is not."""
    for engine in both(**QUICK):
        with FakeServer(reply) as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_get('k')", word, *parts)
            engine.fails("SELECT redis_set('k', 'v')", word, *parts)
            equal(len(server.commands), 2, "an answered command is not sent again")
        goes_on(engine)


@test
def out_of_memory():
    replies("out of memory", b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "OOM command not allowed", "maxmemory-policy")


@test
def loading():
    replies("busy", b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING", "again")


@test
def busy_with_a_script():
    replies("busy", b"-BUSY Redis is busy running a script.\r\n", "SCRIPT KILL")


@test
def read_only_replica():
    replies("read only", b"-READONLY You can't write against a read only replica.\r\n", "primary")


@test
def noauth():
    replies("authentication", b"-NOAUTH Authentication required.\r\n", "password")


@test
def noperm():
    replies("permission", b"-NOPERM this user has no permissions to run the 'get' command\r\n",
            "ACL SETUSER")


@test
def quotas_of_a_service():
    replies("quota", b"-ERR max daily request limit exceeded. Limit: 10000\r\n", "plan")
    replies("too large", b"-ERR max request size exceeded. Limit: 1048576 bytes\r\n")
    replies("too many clients", b"-ERR max concurrent connections exceeded\r\n")


@test
def an_unknown_error_keeps_its_words():
    replies("redis", b"-ODD something nobody has heard of\r\n", "ODD something nobody has heard of")


@test
def max_clients_of_a_real_server():
    small = Redis(config=["--maxclients", "1"])
    holder = small.client()
    try:
        for engine in both(small.url, **QUICK):
            engine.fails("SELECT redis_ping()", "too many clients", "max number of clients",
                         "maxclients")
            goes_on(engine)
    finally:
        holder.close()
        small.stop()


@test
def max_clients_said_before_closing():
    def refuse(connection):
        connection.sendall(b"-ERR max number of clients reached\r\n")
        connection.recv(65536)

    for engine in both(**QUICK):
        with FakeServer(serve=refuse) as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_ping()", "too many clients", "maxclients")
        goes_on(engine)


@test
def oom_of_a_real_server():
    full = Redis()
    full("SET", "big", "x" * 3000000)
    full("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "2mb")
    for engine in both(full.url):
        engine.fails("SELECT redis_set('k', 'v')", "out of memory", "OOM", "maxmemory")
        equal(engine.value("SELECT redis_strlen('big')"), "3000000")
    full.stop()


@test
def wrong_passwords():
    locked = Redis(password="right")
    for engine in both():
        engine.config("url", "redis://:wrong@127.0.0.1:%d" % locked.port)
        problem = engine.fails("SELECT redis_ping()", "authentication", "user")
        true("wrong@" not in problem.message, problem.message)
        engine.config("url", locked.url)
        engine.fails("SELECT redis_ping()", "authentication", "password")
        engine.config("url", "redis://nobody:right@127.0.0.1:%d" % locked.port)
        engine.fails("SELECT redis_ping()", "authentication")
        engine.config("url", "redis://:right@127.0.0.1:%d" % locked.port)
        equal(engine.value("SELECT redis_ping()"), "PONG")
        engine.config("url", "redis://default:right@127.0.0.1:%d" % locked.port)
        equal(engine.value("SELECT redis_ping()"), "PONG")
    locked.stop()


@test
def a_password_nobody_asked_for():
    for engine in both("redis://:needless@127.0.0.1:%d" % redis.port):
        engine.fails("SELECT redis_ping()", "authentication", "no password")


@test
def a_password_for_a_server_without_auth():
    plain = Redis(config=["--rename-command", "AUTH", "OTHER"])
    for engine in both():
        for user in ("", "somebody"):
            engine.config("url", "redis://%s:hunter2@127.0.0.1:%d" % (user, plain.port))
            problem = engine.fails("SELECT redis_ping()", "authentication", "unknown command")
            true("hunter2" not in problem.message, problem.message)
        error = engine.value("SELECT error FROM redis_health()")
        true("AUTH" in error and "hunter2" not in error, error)
    plain.stop()
    for engine in both(**QUICK):
        with FakeServer(handshake=b"-ERR I do not like hunter2\r\n") as server:
            engine.config("url", "redis://:hunter2@127.0.0.1:%d" % server.port)
            problem = engine.fails("SELECT redis_ping()", "authentication", "refused")
            true("hunter2" not in problem.message, problem.message)


@test
def acl_of_a_real_server():
    redis("ACL", "SETUSER", "reader", "on", ">pw:1/@", "~pub:*", "+get")
    for engine in both("redis://reader:pw%%3A1%%2F%%40@127.0.0.1:%d" % redis.port):
        equal(engine.value("SELECT redis_get('pub:x')"), "NULL")
        engine.fails("SELECT redis_set('pub:x', 'v')", "permission", "NOPERM", "ACL SETUSER")
        engine.fails("SELECT redis_get('private')", "permission", "NOPERM")
        equal(engine.value("SELECT redis_get('pub:x')"), "NULL")


@test
def wrong_type():
    redis("DEL", "list")
    redis("LPUSH", "list", "x")
    for engine in both(redis.url):
        engine.fails("SELECT redis_get('list')", "wrong type", "WRONGTYPE", "redis_type")
        equal(engine.value("SELECT redis_type('list')"), "list")


@test
def a_stream_named_like_an_option():
    redis("DEL", "BLOCK")
    redis("XADD", "BLOCK", "5-1", "a", "b")
    redis("XGROUP", "CREATE", "BLOCK", "BLOCK", "0")
    for engine in both(redis.url, command_timeout=1000):
        for words in ("'XREAD', 'COUNT', '10', 'STREAMS', 'BLOCK', '0'",
                      "'XREADGROUP', 'GROUP', 'BLOCK', '0', 'STREAMS', 'BLOCK', '>'",
                      "'XREADGROUP', 'GROUP', 'BLOCK', '0', 'STREAMS', 'BLOCK', '0'"):
            redis("XGROUP", "SETID", "BLOCK", "BLOCK", "0")
            contains(engine.value("SELECT redis_call(%s)" % words), "5-1")
        equal(engine.value("SELECT redis_call('XREAD', 'BLOCK', '10', 'BLOCK', '0', 'STREAMS', "
                           "'nothing', '0')"), "NULL")
        equal(engine.value("SELECT redis_call('XREAD', 'COUNT', '1', 'BLOCK', '0', 'STREAMS', "
                           "'nothing', '0')"), "NULL")
    redis("DEL", "BLOCK")


@test
def accepts_and_never_answers():
    for engine in both(**QUICK):
        with FakeServer(serve=silent) as server:
            engine.config("url", server.url)
            begun = time.monotonic()
            engine.fails("SELECT redis_get('k')", "timeout", "127.0.0.1:%d" % server.port)
            true(time.monotonic() - begun < 10, "a timeout is kept")
            fails_at_once(engine, "SELECT redis_get('k')")
        goes_on(engine)


@test
def stops_answering_later():
    for engine in both(redis.url, **QUICK):
        equal(engine.value("SELECT redis_ping()"), "PONG")
        redis.freeze()
        try:
            engine.fails("SELECT redis_set('late', 'x')", "timeout", "400 ms")
        finally:
            redis.thaw()
    # whatever Redis answered too late must not be taken for a later answer
    for engine in both(redis.url):
        goes_on(engine)


@test
def takes_a_large_command_and_never_answers():
    for engine in both(**QUICK):
        with FakeServer(None) as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_set('k', '%s')" % ("x" * 200000), "timeout", "400 ms")
            equal(len(server.commands), 1)
        goes_on(engine)


@test
def refuses_a_large_value_and_closes():
    small = Redis(config=["--proto-max-bulk-len", "1mb"])
    for url in (small.url, small.unix_url):
        for engine in both(url):
            equal(engine.value("SELECT redis_ping()"), "PONG")
            engine.fails("SELECT redis_set('k', '%s')" % ("x" * 8000000), "too large",
                         "proto-max-bulk-len")
            equal(engine.value("SELECT redis_exists('k')"), "0")
    small.stop()


@test
def dies_mid_reply():
    for engine in both(**QUICK):
        with FakeServer(b"$100\r\nonly this", close=True) as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_set('k', 'v')", "connection lost", "unknown")
            equal([c[0] for c in server.commands], [b"SET"], "a SET is not sent twice")
            engine.fails("SELECT redis_get('k')", "connection lost")
        goes_on(engine)


@test
def dies_before_a_reply():
    for engine in both(**QUICK):
        with FakeServer(None, close=True) as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_incr('k')", "connection lost", "unknown")
            equal([c[0] for c in server.commands], [b"INCRBY"], "an INCR is not sent twice")
        goes_on(engine)


@test
def garbage():
    for garbage_bytes in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff\xfe garbage\r\n",
                          b"$abc\r\n", b"*-5\r\n", b"%2\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"):
        for engine in both(**QUICK):
            with FakeServer(garbage_bytes) as server:
                engine.config("url", server.url)
                engine.fails("SELECT redis_get('k')", "protocol")
            with FakeServer(handshake=garbage_bytes, answer=garbage_bytes) as server:
                engine.config("url", server.url)
                engine.fails("SELECT redis_get('k')", "protocol")
            goes_on(engine)


@test
def one_reply_too_many():
    for engine in both(**QUICK):
        with FakeServer(b"$1\r\na\r\n$5\r\nbogus\r\n") as server:
            engine.config("url", server.url)
            try:
                first = engine.value("SELECT redis_get('k')")
            except AssertionError:
                first = "a"
            equal(first, "a")
            true(engine.sql("SELECT redis_get('k');") != "bogus", "a stray reply was believed")
        goes_on(engine)


@test
def the_wrong_kind_of_reply():
    for engine in both(**QUICK):
        with FakeServer(b"*1\r\n$1\r\nx\r\n") as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_get('k')", "protocol", "GET")
        goes_on(engine)


def announces(beginning, rest, statement):
    """A reply that says it is huge, and is: refused once max_reply is reached, not collected."""
    def serve(connection):
        file = connection.makefile("rb")
        while read_command(file)[0].upper() in HANDSHAKE:
            connection.sendall(b"+OK\r\n")
        connection.sendall(beginning)
        for _ in range(8192):
            connection.sendall(rest)

    for engine in both(**QUICK):
        with FakeServer(serve=serve) as server:
            engine.config("url", server.url)
            engine.config("max_reply", "1MB" if engine.name == "PostgreSQL" else 1048576)
            engine.fails(statement, "too large", "max_reply")
        goes_on(engine)


@test
def an_announced_bulk_of_512_mb():
    announces(b"$536870912\r\n", b"x" * 65536, "SELECT redis_get('k')")


@test
def an_announced_array_of_a_billion():
    announces(b"*1000000000\r\n", b":1\r\n" * 16384, "SELECT redis_call('LRANGE', 'k', 0, -1)")


@test
def an_announced_bulk_that_never_comes():
    for engine in both(**QUICK):
        with FakeServer(b"$536870912\r\nx") as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_get('k')", "timeout", "400 ms")
        goes_on(engine)


@test
def a_reply_nested_without_end():
    for engine in both(**QUICK):
        with FakeServer(b"*1\r\n" * 100) as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_call('X')", "protocol", "nested")
        goes_on(engine)


@test
def a_stream_without_end():
    def flood(connection):
        connection.recv(65536)
        try:
            for _ in range(4096):
                connection.sendall(b"x" * 65536)
        except OSError:
            pass

    for engine in both(**QUICK):
        with FakeServer(serve=flood) as server:
            engine.config("url", server.url)
            engine.fails("SELECT redis_get('k')", "protocol")
        goes_on(engine)


@test
def reads_fail_open_when_asked_to():
    for engine in both(**QUICK):
        with FakeServer(serve=silent) as server:
            engine.config("url", server.url)
            engine.config("on_error", "null")
            said = engine.sql("SELECT redis_get('k');").splitlines()
            equal(said[-1], "NULL")
            fails_at_once(engine, "SELECT redis_set('k', 'v')")
        goes_on(engine)


@test
def health_never_fails():
    for engine in both(**QUICK):
        with FakeServer(serve=silent) as server:
            engine.config("url", server.url)
            said = engine.value("SELECT error FROM redis_health()")
            true("127.0.0.1:%d" % server.port in said, said)
            equal(engine.value("SELECT CAST(ok AS integer) FROM redis_health()"), "0")
        goes_on(engine)
        equal(engine.value("SELECT CAST(ok AS integer) FROM redis_health()"), "1")


main()
