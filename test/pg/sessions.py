"""Settings, passwords, encodings, replication: what needs clusters of its own."""

import os

from harness import Postgres, Redis, contains, equal, main, test, true, wait_for

redis = Redis()
guarded = Redis(password="s3cret")


@test
def a_password_in_the_url_is_refused_unless_preloaded():
    url = "redis://:s3cret@127.0.0.1:%d" % guarded.port
    server = Postgres(url)
    server.database("d")
    server.sql("CREATE ROLE reader LOGIN; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO reader",
               "d")
    shell = server.session("d", "reader")
    said = shell.run("SELECT redis_ping();")
    contains(said, "sqlredis.url holds a password that every user could read")
    contains(said, "no Redis URL is set")
    true("s3cret" not in said, said)
    shell.close()

    server.restart({"shared_preload_libraries": "'sqlredis'"})
    shell = server.session("d", "reader")
    # before any call of ours
    said = shell.run("SHOW sqlredis.url;")
    true("s3cret" not in said, said)
    contains(said, "42501")
    equal(shell.run("SELECT setting FROM pg_settings WHERE name = 'sqlredis.url';"), "")
    equal(shell.run("SELECT redis_ping();"), "PONG")
    equal(shell.run("SELECT redis_url();"), "redis://:***@127.0.0.1:%d" % guarded.port)
    shell.close()
    # the catalogues that hold these can be read by everybody
    shell = server.session("d")
    for statement in ("ALTER ROLE reader SET sqlredis.url = '%s'",
                      "ALTER DATABASE d SET sqlredis.url = '%s'",
                      "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET sqlredis.url = '%s' AS '0'"):
        said = shell.run(statement % "redis://:0ther@localhost" + ";")
        contains(said, "sqlredis.url holds a password that every user could read")
    shell.run("ALTER ROLE reader SET sqlredis.url = 'redis://localhost/3'; "
              "ALTER ROLE reader RESET sqlredis.url;")
    shell.close()

    server.restart({"shared_preload_libraries": "''", "session_preload_libraries": "'sqlredis'"})
    shell = server.session("d", "reader")
    contains(shell.run("SHOW sqlredis.url;"), "42501")
    equal(shell.run("SELECT redis_ping();"), "PONG")
    shell.close()
    true("s3cret" not in server.log_text().replace(url, ""), "the log holds the password")
    server.stop()


@test
def the_password_comes_from_a_guarded_file_or_the_environment():
    server = Postgres("redis://127.0.0.1:%d" % guarded.port)
    server.database("d")
    path = os.path.join(server.data, "redis.pass")
    with open(path, "w") as file:
        file.write("wrong\n")
    shell = server.session("d")
    said = shell.run("SELECT redis_ping();")
    contains(said, "28P01")
    contains(said, "NOAUTH")
    os.chmod(path, 0o644)
    server.reload({"sqlredis.passfile": "'redis.pass'"})
    if os.geteuid() == 0:
        contains(shell.run("SELECT redis_ping();"), "it belongs to another user")
        owner = os.stat(server.data)
        os.chown(path, owner.st_uid, owner.st_gid)
    contains(shell.run("SELECT redis_ping();"), "group or others have access to it")
    os.chmod(path, 0o600)
    said = shell.run("SELECT redis_ping();")
    contains(said, "28P01")
    true("wrong\n" not in said, said)
    # a rotated password is found by the session that failed
    with open(path, "w") as file:
        file.write("s3cret\n")
    equal(shell.run("SELECT redis_ping();"), "PONG")
    # a password file that is gone does not fail the rows' changes
    shell.run("CREATE TABLE t (id int); SELECT redis_invalidate_on('t', 't:{id}');")
    shell.close()
    os.unlink(path)
    shell = server.session("d")
    said = shell.run("INSERT INTO t VALUES (1);")
    contains(said, "1 key was not invalidated")
    # nor what tells about the session
    contains(shell.run("SELECT redis_ping();"), "22023: cannot use sqlredis.passfile")
    contains(shell.run("SELECT ok, error FROM redis_health();"),
             "f|cannot use sqlredis.passfile \"redis.pass\": No such file")
    equal(shell.run("SELECT redis_version() IS NOT NULL, redis_url(), (SELECT value FROM redis_stats() "
                    "WHERE name = 'breaker');"), "t|NULL|closed")
    equal(shell.run("SELECT count(*) FROM t;"), "1")
    shell.close()
    server.stop()

    server = Postgres(env={"REDIS_URL": "redis://:s3cret@127.0.0.1:%d" % guarded.port})
    server.database("d")
    equal(server.sql("SELECT redis_ping(); SELECT redis_url()", "d"),
          "PONG\nredis://:***@127.0.0.1:%d" % guarded.port)
    server.stop()


@test
def other_encodings():
    server = Postgres(redis.url)
    redis.client()("SET", "caf\u00e9".encode(), "na\u00efve \u20ac".encode())
    for name, encoding in (("latin9", "LATIN9"), ("latin1", "LATIN1"), ("ascii", "SQL_ASCII")):
        server.sql("CREATE DATABASE %s ENCODING '%s' TEMPLATE template0" % (name, encoding))
        server.sql("CREATE EXTENSION sqlredis", name)
    # \u00e9 and the euro sign are one byte each in LATIN9
    equal(server.sql("SELECT encode(convert_to(redis_get('caf' || chr(233)), 'UTF8'), 'hex')",
                     "latin9"), "na\u00efve \u20ac".encode().hex())
    shell = server.session("latin1")
    contains(shell.run("SELECT redis_get('caf' || chr(233));"), "22P05")
    equal(shell.run("SELECT redis_set('k', chr(233)), encode(redis_get_bytea('k'), 'hex');"),
          "t|c3a9")
    shell.close()
    server.sql("CREATE TABLE t (name text); SELECT redis_invalidate_on('t', '{name}')", "latin9")
    server.sql("INSERT INTO t VALUES ('caf' || chr(233))", "latin9")
    equal(redis.client()("EXISTS", "caf\u00e9".encode()), 0)
    # SQL_ASCII: bytes as they are, the one way to keys that are no text
    redis.client()("SET", b"\xff\xfe bin", "v")
    server.sql("CREATE TABLE t (name text); SELECT redis_invalidate_on('t', '{name}')", "ascii")
    equal(server.sql("SELECT redis_get(E'\\xff\\xfe bin')", "ascii"), "v")
    server.sql("INSERT INTO t VALUES (E'\\xff\\xfe bin')", "ascii")
    equal(redis.client()("EXISTS", b"\xff\xfe bin"), 0)
    server.stop()


@test
def logical_apply_invalidates_on_the_subscriber():
    publisher, subscriber = Postgres(redis.url), Postgres(redis.url)
    for server, table in ((publisher, ""), (subscriber, "SELECT redis_invalidate_on('t', 't:{id}')")):
        server.database("d")
        server.sql("CREATE TABLE t (id int PRIMARY KEY, n int);" + table, "d")
    publisher.sql("INSERT INTO t VALUES (1, 0), (2, 0); CREATE PUBLICATION p FOR TABLE t", "d")
    subscriber.sql("CREATE SUBSCRIPTION s CONNECTION 'host=%s port=%d user=postgres dbname=d' "
                   "PUBLICATION p" % (publisher.host, publisher.port), "d")
    wait_for("the first copy", lambda: subscriber.sql("SELECT count(*) FROM t", "d") == "2")
    client = redis.client()
    client("MSET", "t:1", "v", "t:2", "v", "t:3", "v")
    publisher.sql("BEGIN; UPDATE t SET n = 1 WHERE id = 1; ROLLBACK;"
                  "BEGIN; UPDATE t SET n = 1 WHERE id = 2; INSERT INTO t VALUES (3, 0); COMMIT", "d")
    wait_for("the apply worker", lambda: client("EXISTS", "t:2", "t:3") == 0)
    equal(client("EXISTS", "t:1"), 1)
    publisher.sql("TRUNCATE t", "d")
    wait_for("the TRUNCATE", lambda: client("EXISTS", "t:1") == 0)
    subscriber.sql("DROP SUBSCRIPTION s", "d")
    publisher.stop()
    subscriber.stop()


@test
def a_read_only_transaction_and_a_parallel_plan():
    server = Postgres(redis.url)
    server.database("d")
    client = redis.client()
    client("MSET", "a", "1", "b", "2")
    server.sql("BEGIN READ ONLY; SELECT redis_invalidate('a'); COMMIT", "d")
    equal(client("EXISTS", "a"), 0)
    server.sql("CREATE TABLE big AS SELECT generate_series(1, 50000) AS i", "d")
    equal(server.sql("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
                     "SET min_parallel_table_scan_size = 0; ANALYZE big;"
                     "SELECT count(*) FROM big WHERE redis_get('b') = '2' AND i % 25000 = 0", "d"), "2")
    server.stop()


@test
def a_database_cannot_be_entered_through_settings_of_a_user():
    server = Postgres(redis.url)
    server.database("d")
    server.sql("CREATE ROLE reader LOGIN;"
               "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO reader", "d")
    shell = server.session("d", "reader")
    # before the library is loaded the name is a placeholder: what was set must not survive
    shell.run("SET sqlredis.url = 'redis://127.0.0.1:1';")
    said = shell.run("SELECT redis_ping();")
    contains(said, "permission denied to set parameter")
    contains(said, "PONG")
    shell.close()
    server.stop()


if __name__ == "__main__":
    main()
