"""TLS with certificates made for this run: verified by default, and clear about what is wrong."""

import os

from harness import Both, Certificates, FakeServer, Redis, equal, main, silent, test

both = Both()
certificates = Certificates()
redis = Redis(tls=certificates)
QUICK = {"connect_timeout": 1500, "command_timeout": 1000}


def url(host="127.0.0.1", port=None, **options):
    words = "&".join("%s=%s" % pair for pair in options.items())
    return "rediss://%s:%d/?%s" % (host, port or redis.tls_port, words)


def answers(text):
    for engine in both(text, **QUICK):
        equal(engine.value("SELECT redis_ping()"), "PONG", engine.name)
        equal(engine.value("SELECT CAST(tls AS integer) FROM redis_health()"), "1")


def refuses(text, *parts, word="tls"):
    for engine in both(text, **QUICK):
        engine.fails("SELECT redis_ping()", word, *parts)


@test
def a_host_name():
    answers(url("localhost", tls_ca=certificates.ca_cert))


@test
def an_address_named_in_the_certificate():
    answers(url("127.0.0.1", tls_ca=certificates.ca_cert))


@test
def large_values_pass():
    for engine in both(url(tls_ca=certificates.ca_cert), **QUICK):
        redis("SET", "big", "0123456789" * 200000)
        equal(engine.value("SELECT length(redis_get('big'))"), "2000000")
        engine.value("SELECT redis_set('copy', redis_get('big'))")
        equal(redis("GET", "copy"), b"0123456789" * 200000)


@test
def an_unknown_authority():
    refuses(url(), "certificate", "tls_ca")
    refuses(url(tls_ca=certificates.other_ca_cert), "certificate", "tls_ca")


@test
def another_hosts_certificate():
    elsewhere = (certificates.elsewhere_cert, certificates.elsewhere_key)
    with FakeServer(b"+PONG\r\n", tls=elsewhere) as server:
        refuses(url(port=server.port, tls_ca=certificates.ca_cert), "certificate", "127.0.0.1")
        refuses(url("localhost", server.port, tls_ca=certificates.ca_cert), "certificate",
                "localhost")
        # the chain alone is good
        for engine in both(url(port=server.port, tls_ca=certificates.ca_cert, tls_verify="ca")):
            equal(engine.value("SELECT redis_ping()"), "PONG")


@test
def an_expired_certificate():
    expired = (certificates.expired_cert, certificates.expired_key)
    with FakeServer(b"+PONG\r\n", tls=expired) as server:
        refuses(url(port=server.port, tls_ca=certificates.ca_cert), "expired")


@test
def verification_can_be_switched_off_in_so_many_words():
    for engine in both(url(tls_verify="none"), **QUICK):
        equal(engine.sql("SELECT redis_ping();").splitlines()[-1], "PONG")


@test
def tls_to_a_plain_port():
    # Redis takes the greeting for the beginning of a command and waits for the rest of it
    refuses(url(port=redis.port, tls_ca=certificates.ca_cert), "redis://", word="timeout")
    with FakeServer(serve=lambda connection: connection.sendall(b"-ERR unknown\r\n")) as server:
        refuses(url(port=server.port, tls_ca=certificates.ca_cert), "plain", "redis://")


@test
def plain_to_a_tls_port():
    for engine in both("redis://127.0.0.1:%d" % redis.tls_port, **QUICK):
        problem = None
        try:
            engine.value("SELECT redis_ping()")
        except AssertionError as error:
            problem = error
        # Redis closes such a connection, or sends a TLS alert: a class of its own for each
        assert problem is not None and problem.state in (
            "08006", "08P01", "08001", "connection lost", "protocol", "tls", "connection"), problem
        assert "rediss://" in problem.message, problem.message


@test
def a_server_that_never_shakes_hands():
    with FakeServer(serve=silent) as server:
        refuses(url(port=server.port, tls_ca=certificates.ca_cert), "handshake", word="timeout")


@test
def a_server_that_closes_in_the_handshake():
    with FakeServer(serve=lambda connection: connection.recv(100)) as server:
        refuses(url(port=server.port, tls_ca=certificates.ca_cert), "handshake", word="connection")


@test
def client_certificates():
    strict = Redis(tls=certificates, tls_clients="yes")
    for engine in both(**QUICK):
        engine.config("url", url(port=strict.tls_port, tls_ca=certificates.ca_cert))
        engine.fails("SELECT redis_ping()", "tls", "tls_cert")
        engine.config("url", url(port=strict.tls_port, tls_ca=certificates.ca_cert,
                                 tls_cert=certificates.client_cert,
                                 tls_key=certificates.client_key))
        equal(engine.value("SELECT redis_ping()"), "PONG")
    strict.stop()


@test
def files_that_cannot_be_used():
    missing = os.path.join(certificates.directory, "missing.crt")
    for text, option in ((url(tls_ca=missing), "tls_ca"),
                         (url(tls_ca=certificates.ca_key), "tls_ca"),
                         (url(tls_ca=certificates.ca_cert, tls_cert=missing), "tls_cert")):
        for engine in both(**QUICK):
            try:
                engine.config("url", text)
                engine.value("SELECT redis_ping()")
            except AssertionError as problem:
                assert option in problem.message, problem.message
            else:
                raise AssertionError(engine.name + ": taken")


main()
