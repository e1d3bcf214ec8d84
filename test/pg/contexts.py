"""Where functions and triggers run: interrupts, dumps, foreign partitions, isolation, many tables."""

import time

from harness import Postgres, Redis, contains, equal, main, run, test, true, wait_for

redis = Redis()
server = Postgres(redis.url)
server.database("d")
server.sql("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 10);"
           "SELECT redis_invalidate_on('t', 't:{id}')", "d")


def session():
    shell = server.session("d")
    return shell, shell.run("SELECT pg_backend_pid();")


def ended(pid):
    return server.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid) == "0"


def waits_for_redis(pid):
    return server.sql("SELECT wait_event_type FROM pg_stat_activity WHERE pid = " + pid) == "Extension"


def interrupt(shell, pid, statement, how):
    """What the session says to statement, which waits for Redis when it is interrupted."""
    shell.send(statement)
    wait_for("the statement", lambda: waits_for_redis(pid))
    server.sql("SELECT %s(%s)" % (how, pid))
    return shell.result()


@test
def cancelled_in_every_kind_of_wait():
    shell, pid = session()
    redis("MSET", "right", "answer", "held", "by somebody")
    shell.run("SET sqlredis.command_timeout = '30s'; SET sqlredis.connect_timeout = '30s';")
    contains(interrupt(shell, pid, "SELECT redis_lock('held', 30, 30);", "pg_cancel_backend"), "57014")
    equal(shell.run("SELECT redis_get('right');"), "answer")
    redis.freeze()
    try:
        for statement in ("SELECT redis_get('wrong');", "SELECT * FROM redis_scan();",
                          "SELECT ok FROM redis_health();",
                          "SET sqlredis.on_error = 'null'; SELECT redis_get('wrong');",
                          # the first key of a transaction dials
                          "UPDATE t SET id = id;"):
            contains(interrupt(shell, pid, statement, "pg_cancel_backend"), "57014")
        said = interrupt(shell, pid, "DO $$ BEGIN PERFORM redis_get('wrong'); EXCEPTION "
                         "WHEN query_canceled THEN RAISE NOTICE 'caught'; END $$;",
                         "pg_cancel_backend")
        contains(said, "caught")
    finally:
        redis.thaw()
    shell.run("RESET sqlredis.on_error;")
    wait_for("Redis", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal(shell.run("SELECT redis_get('right'), redis_get('wrong') IS NULL;"), "answer|t")
    equal(shell.run("SELECT count(*) FROM redis_pending();"), "0")
    shell.close()


@test
def a_session_ended_in_a_wait():
    for how in ("terminated", "gone"):
        shell, pid = session()
        shell.run("SELECT redis_set('t:1', 'v'); SET sqlredis.command_timeout = '30s';"
                  "SET client_connection_check_interval = '100ms';")
        redis.freeze()
        try:
            shell.send("BEGIN; UPDATE t SET id = id; SELECT redis_get('x');")
            wait_for("the statement", lambda: waits_for_redis(pid))
            if how == "terminated":
                server.sql("SELECT pg_terminate_backend(%s)" % pid)
            else:
                shell.process.kill()
            wait_for("the backend's end", lambda: ended(pid))
        finally:
            redis.thaw()
        equal(redis("GET", "t:1"), b"v")
    true("PANIC" not in server.log_text() and "terminated by signal" not in server.log_text(),
         server.log_text()[-2000:])


@test
def a_session_that_ends_says_what_it_could_not_send():
    shell, pid = session()
    shell.run("SELECT redis_ping(); SET sqlredis.command_timeout = '30s';")
    redis.freeze()
    try:
        contains(shell.run("UPDATE t SET id = id;"), "10 keys were not invalidated")
        begun = time.monotonic()
        server.sql("SELECT pg_terminate_backend(%s)" % pid)
        wait_for("the backend's end", lambda: ended(pid))
        true(time.monotonic() - begun < 2, "it took %.1f s" % (time.monotonic() - begun))
    finally:
        redis.thaw()
    contains(server.log_text(), "10 keys were not invalidated when the session ended")


@test
def idle_in_a_transaction_for_too_long():
    shell, pid = session()
    shell.run("SELECT redis_set('t:1', 'v'); SET idle_in_transaction_session_timeout = '100ms';"
              "BEGIN; UPDATE t SET id = id;")
    wait_for("the backend's end", lambda: ended(pid))
    equal(redis("GET", "t:1"), b"v")


@test
def dumped_and_restored():
    server.sql("CREATE SCHEMA other; CREATE SCHEMA \"Odd\";"
               "CREATE TABLE \"Odd\".\"Parts\" (id int, r text) PARTITION BY LIST (r);"
               "CREATE TABLE \"Odd\".p_a PARTITION OF \"Odd\".\"Parts\" FOR VALUES IN ('a');"
               "SELECT redis_invalidate_on('\"Odd\".\"Parts\"', 'p:{id}', E'it''s \\\\ {{{r}}}');"
               "INSERT INTO \"Odd\".\"Parts\" VALUES (1, 'a');", "d")
    dump = run([server.client_bindir + "/pg_dump", "-h", server.host, "-p", str(server.port),
                "-U", server.name, "d"], env=server.environment("d"))
    server.database("restored", extension=False)
    # loading the rows sends nothing: the triggers come last
    redis("SET", "p:1", "v")
    server.sql(dump, "restored")
    equal(redis("EXISTS", "p:1"), 1)
    query = ("SELECT relation, templates, mode FROM redis_invalidations() ORDER BY 1;"
             "SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger"
             " WHERE tgname LIKE 'sqlredis%' ORDER BY tgrelid::regclass::text, 2")
    equal(server.sql(query, "restored"), server.sql(query, "d"))
    contains(server.sql(query, "restored"), '"Odd".p_a|sqlredis_invalidate|A')
    redis("MSET", "p:1", "v", "it's \\ {a}", "v", "t:1", "v")
    server.sql("UPDATE \"Odd\".p_a SET id = 2; DELETE FROM t WHERE id = 1", "restored")
    equal(redis("EXISTS", "p:1", "it's \\ {a}", "t:1"), 0)
    # the schema of the extension is its own
    server.database("elsewhere", extension=False)
    server.sql("CREATE SCHEMA \"Ext 1\"; CREATE EXTENSION sqlredis SCHEMA \"Ext 1\"; CREATE TABLE u (id int);"
               "SELECT \"Ext 1\".redis_invalidate_on('u', 'u:{id}')", "elsewhere")
    redis("SET", "u:5", "v")
    server.sql("INSERT INTO u VALUES (5)", "elsewhere")
    equal(redis("EXISTS", "u:5"), 0)


@test
def foreign_partitions():
    server.sql("CREATE EXTENSION postgres_fdw; CREATE TABLE far (x text, id int);"
               "CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', dbname 'd');"
               "CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user 'postgres');"
               "CREATE TABLE f (id int, x text) PARTITION BY LIST (id);"
               "CREATE TABLE f2 PARTITION OF f FOR VALUES IN (2);"
               "CREATE FOREIGN TABLE f1 PARTITION OF f FOR VALUES IN (1) SERVER loop"
               " OPTIONS (table_name 'far');"
               "SELECT redis_invalidate_on('f', 'f:{id}', 'x:{x}')" % server.host, "d")
    shell, _ = session()
    redis("MSET", "f:1", "v", "x:a", "v", "x:b", "v", "f:2", "v")
    shell.run("INSERT INTO f VALUES (1, 'a');")
    equal(redis("EXISTS", "f:1", "x:a", "x:b", "f:2"), 2)
    shell.run("UPDATE f SET x = 'b' WHERE id = 1; INSERT INTO f VALUES (2, 'c');")
    equal(redis("EXISTS", "x:b", "f:2"), 0)
    redis("MSET", "f:2", "v", "x:c", "v")
    contains(shell.run("TRUNCATE f;"), "rows of foreign table \"f1\" are not invalidated")
    equal(redis("EXISTS", "f:2", "x:c"), 0)
    contains(shell.run("SELECT redis_invalidate_on('f1', 'f:{id}');"), "42809")
    shell.run("DROP TABLE f, far; DROP EXTENSION postgres_fdw CASCADE;")
    shell.close()


@test
def held_cursors_deferred_triggers_and_a_dropped_extension():
    server.database("own")
    server.sql("CREATE TABLE t (id int); CREATE TABLE u (id int);"
               "SELECT redis_invalidate_on('u', 'u:{id}');"
               "CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY"
               " DEFERRED FOR EACH ROW EXECUTE FUNCTION redis_invalidate('t:{id}')", "own")
    redis("MSET", "t:1", "v", "t:2", "v", "h:1", "v", "u:1", "v")
    # all of these are queued while COMMIT is under way
    equal(server.sql("BEGIN; INSERT INTO t VALUES (1); SELECT count(*) FROM redis_pending();"
                     "DECLARE c CURSOR WITH HOLD FOR SELECT redis_invalidate('h:1'); COMMIT", "own"), "0")
    equal(redis("EXISTS", "t:1", "h:1"), 0)
    server.sql("BEGIN; SAVEPOINT s; UPDATE t SET id = 2; SET CONSTRAINTS ALL IMMEDIATE; "
               "ROLLBACK TO s; COMMIT", "own")
    equal(redis("EXISTS", "t:2"), 1)
    server.sql("BEGIN; INSERT INTO u VALUES (1); DROP EXTENSION sqlredis CASCADE; COMMIT", "own")
    equal(redis("EXISTS", "u:1"), 0)


@test
def truncate_sees_rows_that_the_snapshot_does_not():
    shell, _ = session()
    redis("MSET", "r:1", "v", "r:2", "v")
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        server.sql("CREATE TABLE r (id int); INSERT INTO r VALUES (1);"
                   "SELECT redis_invalidate_on('r', 'r:{id}')", "d")
        shell.run("BEGIN ISOLATION LEVEL %s; SELECT count(*) FROM t;" % level)
        server.sql("INSERT INTO r VALUES (2)", "d")
        redis("MSET", "r:1", "v", "r:2", "v")
        shell.run("TRUNCATE r; COMMIT;")
        equal(redis("EXISTS", "r:1", "r:2"), 0)
        server.sql("DROP TABLE r", "d")
    shell.close()


@test
def tables_that_come_and_go_leave_no_memory():
    shell, _ = session()
    said = shell.run("""
        CREATE TABLE stays (id int);
        SELECT redis_invalidate_on('stays', 's:{id}') \\g /dev/null
        DO $$ BEGIN
            FOR i IN 1..300 LOOP
                INSERT INTO stays VALUES (i);
                CREATE TEMP TABLE comes (id int);
                PERFORM redis_invalidate_on('comes', 'c:{id}');
                EXECUTE format('INSERT INTO comes VALUES (%s)', i);
                DROP TABLE comes;
            END LOOP;
            ASSERT (SELECT count(*) FROM redis_pending()) = 600;
        END $$;
        SELECT count(*) < 150 FROM pg_backend_memory_contexts WHERE name = 'sqlredis template';
        DROP TABLE stays;""")
    equal(said, "t")
    shell.close()


@test
def functions_where_expressions_are():
    redis("SET", "1", "one")
    shell, _ = session()
    said = shell.run("""
        CREATE FUNCTION cached(k text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN public.redis_get(k); END';
        CREATE TABLE e (id int CHECK (redis_exists('1') = 1), g text GENERATED ALWAYS AS (cached('1')) STORED,
            d text DEFAULT redis_get('1'));
        CREATE INDEX ON e (cached(id::text));
        INSERT INTO e VALUES (1);
        SELECT * FROM e WHERE cached(id::text) = 'one';
        ANALYZE e;
        PREPARE p (text) AS SELECT redis_get($1) FROM e;
        EXECUTE p('1'); EXECUTE p('1'); EXECUTE p('1'); EXECUTE p('1'); EXECUTE p('1'); EXECUTE p('1');
        ALTER TABLE e ADD more int;
        EXECUTE p('1');
        SELECT redis_set(redis_get('1'), redis_get(redis_get('1') || '?') || 'x') IS NULL;
        SELECT redis_invalidate(redis_get('1')) + (SELECT count(*) FROM redis_pending());
        EXPLAIN (COSTS OFF) SELECT redis_incr('explained');
        SELECT redis_get('explained') IS NULL;
        DROP TABLE e;""")
    equal(said.split("\n"), ["1|one|one"] + ["one"] * 7 + ["t", "2", "Result", "t"])
    shell.close()


@test
def a_statement_that_uses_the_table_it_tracks():
    shell, _ = session()
    contains(shell.run("SELECT redis_invalidate_on('t', 'other:{id}') FROM t;"), "55006")
    equal(shell.run("SELECT templates FROM redis_invalidations() WHERE relation = 't';"),
          '["t:{id}"]')
    shell.close()


@test
def without_a_postmaster():
    alone = Postgres(redis.url)
    alone.database("d")
    alone.stop()
    redis("DEL", "k")
    redis("SET", "held", "by somebody")
    said = run([alone.bindir + "/postgres", "--single", "-D", alone.data, "d"], user=alone.user,
               env=alone.env, input="SELECT redis_set('k', 'v')\nSELECT redis_lock('held', 9, 0.1)\n"
               "SELECT redis_mset('m' || i, i) FROM generate_series(1, 5000) i\nCREATE TABLE t (id int)\n"
               "SELECT redis_invalidate_on('t', 'm{id}')\nINSERT INTO t VALUES (7)\n")
    true("ERROR" not in said, said)
    contains(said, 'redis_mset = "5000"')
    equal(redis("MGET", "k", "m5000", "m7"), [b"v", b"5000", None])


if __name__ == "__main__":
    main()
