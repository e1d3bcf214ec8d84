"""redis_health answers whatever is wrong with Redis, in a row that says what, within its deadline; and only
an interrupt is an error."""

import os
import random
import signal
import time

from harness import (Both, Certificates, FakeServer, PgEngine, Postgres, Redis, SqliteEngine, contains, equal,
                     main, process, refused_port, silent, test, true, wait_for)
from harness import sqlite

TIMEOUTS = {"connect_timeout": 700, "command_timeout": 400}
# The two together, and what a busy machine may take for a statement. A deadline that does not hold is missed
# by far more: what answers slowly here would do so for a minute.
PATIENCE = 1.1 + 20

both = Both()
redis = Redis()


def ask(engine):
    """ok, latency_ms, server, version, role, tls, error; NULL is None."""
    begun = time.monotonic()
    said = engine.value("SELECT CAST(ok AS integer), latency_ms, server, version, role, "
                        "CAST(tls AS integer), error FROM redis_health()")
    took = time.monotonic() - begun
    true(took < PATIENCE, "%s: an answer after %.1f s" % (engine.name, took))
    cells = [None if cell == "NULL" else cell for cell in said.split("|")]
    equal(len(cells), 7, said)
    return cells


def is_ill(engine, *parts):
    cells = ask(engine)
    equal(cells[0], "0", "%s: %r" % (engine.name, cells))
    equal(cells[1], None, "no latency without an answer")
    for part in parts:
        contains(cells[6].lower(), part.lower())
    return cells


def is_well(engine):
    cells = ask(engine)
    equal(cells[0], "1", "%s: %r" % (engine.name, cells))
    true(float(cells[1]) >= 0)
    return cells


@test
def up():
    for engine in both(redis.url, **TIMEOUTS):
        cells = is_well(engine)
        equal(cells[2:3] + cells[4:], ["127.0.0.1:%d" % redis.port, "master", "0", None])
        true(cells[3][0].isdigit(), cells[3])


@test
def hung():
    """The kernel accepts for it; a connection that was in use is no better than a new one."""
    own = Redis()
    for engine in both(own.url, **TIMEOUTS):
        for connected in (False, True):
            if connected:
                is_well(engine)
            own.freeze()
            is_ill(engine, "within")
            is_ill(engine, "127.0.0.1:%d" % own.port)
            own.thaw()
        wait_for("health", lambda e=engine: ask(e)[0] == "1")
    own.stop()


@test
def hung_within_a_command():
    """A script keeps it busy: first it does not answer, then it answers BUSY."""
    own = Redis(config=["--lua-time-limit", "100"])
    for engine in both(own.url, **TIMEOUTS):
        is_well(engine)
        caller = own.client()
        caller.socket.sendall(b"*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n")
        wait_for("a busy server", lambda e=engine: "BUSY" in (ask(e)[6] or ""))
        is_ill(engine, "BUSY")
        own("SCRIPT", "KILL")
        caller.close()
        wait_for("health", lambda e=engine: ask(e)[0] == "1")
    own.stop()


@test
def refusing():
    port = refused_port()
    for engine in both("redis://127.0.0.1:%d" % port, **TIMEOUTS):
        cells = is_ill(engine, "refused")
        equal(cells[2:6], ["127.0.0.1:%d" % port, None, None, "0"])
        is_ill(engine, "refused")  # not: the breaker is open


@test
def gone_and_back():
    """Well again in the first row after it came back, although the breaker is open."""
    own = Redis()
    for engine in both(own.url, **TIMEOUTS):
        is_well(engine)
        own.stop()
        is_ill(engine)
        engine.fails("SELECT redis_get('k')", "connection")
        own.start()
        is_well(engine)
        equal(engine.value("SELECT redis_ping()"), "PONG")
    own.stop()


@test
def restarted_while_the_connection_was_idle():
    own = Redis()
    for engine in both(own.url, **TIMEOUTS):
        is_well(engine)
        own.stop()
        own.start()
        is_well(engine)
    own.stop()


@test
def no_password_and_a_wrong_one():
    own = Redis(password="right")
    for engine in both(own.url, **TIMEOUTS):
        is_ill(engine, "NOAUTH")
        engine.config("url", "redis://:wr0ng@127.0.0.1:%d" % own.port)
        cells = is_ill(engine, "WRONGPASS")
        true("wr0ng" not in "".join(filter(None, cells)), repr(cells))
        engine.config("url", "redis://:right@127.0.0.1:%d" % own.port)
        is_well(engine)
    own.stop()


@test
def a_user_without_rights():
    redis("ACL", "SETUSER", "noinfo", "on", ">p", "~*", "+@all", "-info")
    redis("ACL", "SETUSER", "noping", "on", ">p", "~*", "+@all", "-ping")
    redis("ACL", "SETUSER", "nothing", "on", ">p", "-@all")
    place = "p@127.0.0.1:%d" % redis.port
    for engine in both("redis://noinfo:" + place, **TIMEOUTS):
        contains(is_well(engine)[6], "the coherent cache is not used")
        engine.config("url", "redis://noping:" + place)
        equal(is_ill(engine, "NOPERM", "ping")[4], "master", "it says who it is all the same")
        engine.config("url", "redis://nothing:" + place)
        is_ill(engine, "NOPERM")


@test
def loading():
    """A real one, with enough to read, and slowly."""
    own = Redis()
    own("EVAL", "for i = 1, 20000 do redis.call('SET', i, i) end", "0")
    own("SAVE")
    own.stop()
    loader = own.begin(["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"])
    try:
        for engine in both("redis://127.0.0.1:%d" % own.port, **TIMEOUTS):
            wait_for("the server", lambda e=engine: "LOADING" in (ask(e)[6] or ""))
            equal(is_ill(engine, "LOADING")[4], "master", "it says who it is all the same")
    finally:
        process.end(loader, signal.SIGKILL)


@test
def not_configured():
    for engine in both(**TIMEOUTS):
        cells = is_ill(engine, "no Redis URL is set")
        equal(cells[2:6], [None] * 4)


@test
def a_malformed_url():
    """Not refused where it is set: from the environment."""
    server = Postgres(env={"REDIS_URL": "redis://:s3cr3t@host:port"})
    server.database("d")
    lite = sqlite.environment("redis://:s3cr3t@host:port")
    shell = process.Shell(["sqlite3", "-batch"], ".print '%s'", lite)
    shell.run(sqlite.prologue())
    for said in (server.sql("SELECT ok, error FROM redis_health()", "d"),
                 shell.run("SELECT ok, error FROM redis_health();")):
        true(said.startswith(("f|", "0|")), said)
        contains(said, "port")
        true("s3cr3t" not in said, said)
    shell.close()
    server.stop()


@test
def a_password_file_that_cannot_be_used():
    engine = PgEngine(both.server, "faults", redis.url)
    directory = process.temp_dir("pass")
    wide = os.path.join(directory, "wide")
    with open(wide, "w") as file:
        file.write("secret\n")
    os.chmod(wide, 0o644)
    for path, why in ((directory + "/missing", "No such file"), (directory, "passfile"),
                      (wide, "another user" if os.geteuid() == 0 else "group or others")):
        engine.config("passfile", path)
        is_ill(engine, "passfile", why)
    engine.config("passfile", "")
    is_well(engine)
    engine.close()


@test
def tls_to_a_plain_port():
    for engine in both("rediss://127.0.0.1:%d" % redis.port, **TIMEOUTS):
        equal(is_ill(engine)[5], "1")


@test
def plain_to_a_tls_port():
    certificates = Certificates()
    own = Redis(tls=certificates)
    for engine in both("redis://127.0.0.1:%d" % own.tls_port, **TIMEOUTS):
        is_ill(engine)
        engine.config("url", "rediss://127.0.0.1:%d?tls_ca=%s" % (own.tls_port, certificates.ca_cert))
        equal(is_well(engine)[5], "1")
    own.stop()


@test
def too_many_clients():
    own = Redis(config=["--maxclients", "1"])
    holder = own.client()
    for engine in both(own.url, **TIMEOUTS):
        is_ill(engine, "max number of clients")
    holder.close()
    own.stop()


def trickle(connection):
    """PING's answer, and then a byte at a time, for as long as anybody listens."""
    connection.recv(65536)
    connection.sendall(b"+OK\r\n$100000000\r\n")
    while True:
        connection.sendall(b"x" * 40000)
        time.sleep(0.05)


@test
def answers_of_no_redis():
    answers = {"silence": silent, "a close": lambda c: c.recv(1), "no RESP": b"HTTP/1.1 400 Bad Request\r\n",
               "no end": trickle, "bytes that are no text": b"-ERR \xff\xfe gr\xc3\r\n",
               "an error of many bytes": b"-ERR " + "ü".encode() * 5000 + b"\r\n",
               "text that a database may lack": "-ERR → ☃\r\n".encode()}
    for name, answer in answers.items():
        for engine in both(**TIMEOUTS):
            how = {"serve": answer} if callable(answer) else {"answer": answer}
            with FakeServer(**how) as server:
                engine.config("url", server.url)
                equal(ask(engine)[0], "0", "%s: %s" % (engine.name, name))


@test
def what_it_says_of_itself_need_not_be_text():
    def info(words):
        if words[0] == b"PING":
            return b"+PONG\r\n"
        text = b"redis_version:7\xff\xe2\x82\r\nrole:\xc3\r\nrun_id:x\r\nmaster_replid:y\r\n"
        return b"$%d\r\n%s\r\n" % (len(text), text)

    for engine in both(**TIMEOUTS):
        with FakeServer(info) as server:
            engine.config("url", server.url)
            equal(is_well(engine)[3:5], ["7???", "?"])


@test
def in_every_encoding_of_a_database():
    both.server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    both.server.sql("CREATE EXTENSION sqlredis", "latin")
    with FakeServer("-ERR → ☃\r\n".encode()) as server:
        engine = PgEngine(both.server, "latin", server.url)
        is_ill(engine, "ERR ")
        engine.close()


@test
def random_bytes_in_its_answers():
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 30))
    print("# SEED=%d" % seed)
    rng = random.Random(seed)

    def garbage(_words):
        reply = bytearray(b"$41\r\n# Server\r\nredis_version:7.0\r\nrole:master\r\n\r\n")
        for _ in range(rng.randrange(4)):
            reply[rng.randrange(len(reply))] = rng.randrange(256)
        return bytes(reply)

    with FakeServer(garbage) as server:
        for engine in both(**dict(TIMEOUTS, connect_timeout=200, command_timeout=50)):
            engine.config("url", server.url)
            for _ in range(60):
                ask(engine)


@test
def what_waits_to_be_sent_does_not_delay_it():
    """Keys of an earlier commit are not sent first. (SQLite sends them as soon as the statement ends.)"""
    own = Redis()
    for engine in both(own.url, **TIMEOUTS):
        engine.config("durability", "memory")
        is_well(engine)
        own.stop()
        engine.sql("BEGIN;\nSELECT count(redis_invalidate('k' || n)) FROM (WITH RECURSIVE r(n) AS (SELECT 1 "
                   "UNION ALL SELECT n + 1 FROM r WHERE n < 2000) SELECT n FROM r) x;\nCOMMIT;")
        own.start()
        is_well(engine)
        if engine.name == "PostgreSQL":
            equal(engine.value("SELECT value FROM redis_stats() WHERE name = 'invalidations_waiting'"), "2000")
        engine.value("SELECT redis_ping()")
        equal(engine.value("SELECT value FROM redis_stats() WHERE name = 'invalidations_waiting'"), "0")
    own.stop()


@test
def only_an_interrupt_is_an_error():
    with FakeServer(serve=silent) as server:
        engine = PgEngine(both.server, "faults", server.url)
        engine.sql("SET statement_timeout = 100;")
        engine.fails("SELECT ok FROM redis_health()", "interrupted", "statement timeout")
        engine.sql("SET statement_timeout = 0;\nSET sqlredis.on_error = 'null';")
        engine.shell.send("SELECT ok FROM redis_health();")
        wait_for("the call", lambda: both.server.sql(
            "SELECT pg_cancel_backend(%d) FROM pg_stat_activity WHERE pid = %d AND wait_event_type = "
            "'Extension'" % (engine.pid, engine.pid)) == "t")
        contains(engine.shell.result(), "57014")
        engine.config("url", redis.url)
        is_well(engine)
        engine.close()
        lite = SqliteEngine(server.url)
        lite.config("command_timeout", 300)
        equal(ask(lite)[0], "0")
        lite.close()


main()
