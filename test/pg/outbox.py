"""The outbox without a worker: sessions write it, deliver it, and take over what others left behind."""

import signal

from harness import Postgres, Redis, contains, end, equal, main, test, true, wait_for

redis = Redis()
# Rows are old enough to be taken over after a tenth of a second.
SETTINGS = {"sqlredis.commit_timeout": "50", "sqlredis.connect_timeout": "500",
            "sqlredis.command_timeout": "500", "synchronous_commit": "on"}
server = Postgres(redis.url, SETTINGS)
server.database("d")
server.sql("CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 0);"
           "INSERT INTO t SELECT generate_series(1, 100);"
           "SELECT redis_invalidate_on('t', 't:{id}')", "d")


def rows(shell):
    return shell.run("SELECT count(*) FROM sqlredis_outbox;")


def waiting(shell):
    return shell.run("SELECT count(*) FROM redis_outbox();")


def clean():
    """A session, an empty outbox and an empty Redis."""
    shell = server.session("d")
    shell.run("SELECT redis_outbox_drain();")
    equal(rows(shell), "0")
    redis("FLUSHALL")
    return shell


def left_behind():
    """A session ended without having told Redis of row 1: its process was killed after the commit, or so."""
    shell = server.session("d")
    shell.run("SELECT redis_ping(); SET sqlredis.url = 'redis://127.0.0.1:1';")
    contains(shell.run("UPDATE t SET n = n + 1 WHERE id = 1;"), "is in the outbox")
    pid = shell.run("SELECT pg_backend_pid();")
    server.sql("SELECT pg_terminate_backend(%s)" % pid)
    wait_for("its end", lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
                                           % pid) == "0")
    end(shell.process)
    redis("SET", "t:1", "old")


@test
def a_row_is_written_and_deleted_by_the_next_transaction():
    shell = clean()
    shell.run("UPDATE t SET n = 1 WHERE id < 4;")
    equal(rows(shell), "1")
    equal(waiting(shell), "0", "what was delivered does not wait")
    shell.run("UPDATE t SET n = 2 WHERE id = 9;")
    equal(rows(shell), "1", "the first one's is deleted, the second one's is there")
    shell.run("CREATE TABLE other (i int); DROP TABLE other;")
    equal(rows(shell), "0", "any transaction that writes deletes them")
    shell.run("UPDATE t SET n = 3 WHERE id = 9;")
    equal(shell.close(), "")
    wait_for("the end of the session, which deletes it, too", lambda: server.sql(
        "SELECT count(*) FROM sqlredis_outbox", "d") == "0")


@test
def nothing_remains_of_what_was_rolled_back():
    shell = clean()
    shell.run("UPDATE t SET n = 1 WHERE id = 1;")
    redis("SET", "t:2", "v")
    shell.run("BEGIN; UPDATE t SET n = 1 WHERE id = 2; ROLLBACK;")
    equal(rows(shell), "1")
    # the deletion is rolled back with the transaction: it is done again
    shell.run("CREATE TABLE c (i int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (1);")
    equal(rows(shell), "0")
    shell.run("UPDATE t SET n = 1 WHERE id = 1;")
    equal(redis("EXISTS", "t:2"), 1)
    contains(shell.run("BEGIN; INSERT INTO c VALUES (1); UPDATE t SET n = 2 WHERE id = 2; COMMIT;"),
             "23505")
    equal(rows(shell), "1")
    shell.run("BEGIN; SAVEPOINT s; UPDATE t SET n = 5 WHERE id = 3; ROLLBACK TO s; "
              "UPDATE t SET n = 5 WHERE id = 4; COMMIT; DROP TABLE c;")
    equal(rows(shell), "0")
    shell.close()


@test
def whoever_commits_needs_no_right_on_the_table():
    shell = clean()
    server.sql("CREATE ROLE writer LOGIN; GRANT UPDATE, SELECT ON t TO writer", "d")
    writer = server.session("d", "writer")
    redis("SET", "t:5", "old")
    equal(writer.run("UPDATE t SET n = 7 WHERE id = 5;"), "")
    equal(redis("EXISTS", "t:5"), 0)
    contains(writer.run("SELECT * FROM sqlredis_outbox;"), "42501")
    contains(writer.run("SELECT * FROM redis_outbox();"), "42501")
    writer.close()
    shell.close()


@test
def what_is_left_behind_is_taken_over():
    clean().close()
    left_behind()
    shell = server.session("d")
    equal(waiting(shell), "1")

    def gone():
        shell.run("UPDATE t SET n = n + 1 WHERE id = 50;")
        return redis("EXISTS", "t:1") == 0
    wait_for("a commit to take it over", gone)
    equal(waiting(shell), "0")
    shell.close()
    equal(server.sql("SELECT count(*) FROM sqlredis_outbox", "d"), "0")


@test
def a_rollback_gives_back_what_it_took_over():
    clean().close()
    left_behind()
    shell = server.session("d")
    shell.run("CREATE TABLE c (i int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (1);")
    # fails at its own deferred check, or later in PRE_COMMIT: nothing is taken
    shell.run("BEGIN; UPDATE t SET n = n + 1 WHERE id = 50; INSERT INTO c VALUES (1); COMMIT;")
    equal(waiting(shell), "1")
    shell.run("BEGIN; SELECT redis_outbox_drain(); ROLLBACK;")
    equal(waiting(shell), "1", "delivered, and delivered again")
    equal(redis("EXISTS", "t:1"), 0)
    equal(shell.run("SELECT redis_outbox_drain(); DROP TABLE c;"), "1")
    equal(waiting(shell), "0")
    shell.close()


@test
def a_crash_between_commit_and_delivery():
    clean().close()
    shell = server.session("d")
    shell.run("SELECT redis_ping(); SET sqlredis.commit_timeout = 30000; SET sqlredis.command_timeout = 30000;")
    redis("SET", "t:2", "old")
    redis.freeze()
    shell.send("UPDATE t SET n = 11 WHERE id = 2;")
    wait_for("the commit to be visible", lambda: server.sql("SELECT n FROM t WHERE id = 2", "d") == "11")
    end(server.process, signal.SIGQUIT)
    redis.thaw()
    end(shell.process)
    # the kernel had what was sent: let it be deleted, and cached once more
    wait_for("Redis", lambda: redis("PING") == "PONG")
    redis("SET", "t:2", "old")
    server.start()
    other = server.session("d")
    equal(waiting(other), "1")
    contains(other.run("SELECT keys FROM redis_outbox();"), '["t:2"]')

    def gone():
        other.run("UPDATE t SET n = n + 1 WHERE id = 60;")
        return redis("EXISTS", "t:2") == 0
    wait_for("the next commits to deliver it", gone)
    other.close()


@test
def draining_by_hand():
    shell = clean()
    redis.stop()
    for number in (1, 2, 3):
        contains(shell.run("UPDATE t SET n = n + 1 WHERE id = %d;" % number), "is in the outbox")
    equal(shell.run("SELECT keys, attempts > 0, last_error LIKE '%Redis%', "
                    "abs(extract(epoch FROM now()) - created_at) < 60 FROM redis_outbox();"),
          '["t:1"]|t|t|t\n["t:2"]|t|t|t\n["t:3"]|t|t|t')
    contains(shell.run("SELECT redis_outbox_drain();"), "08001")
    equal(waiting(shell), "3")
    equal(shell.run("SELECT value FROM redis_stats() WHERE name = 'outbox_rows';"), "3")
    redis.start()
    for number in (1, 2, 3):
        redis("SET", "t:%d" % number, "old")
    other = server.session("d")
    equal(other.run("SELECT redis_outbox_drain();"), "3")
    equal(redis("EXISTS", "t:1", "t:2", "t:3"), 0)
    equal(other.run("SELECT redis_outbox_drain();"), "0")
    contains(other.run("BEGIN READ ONLY; SELECT redis_outbox_drain(); ROLLBACK;"), "25006")
    equal(waiting(shell), "0")
    equal(shell.run("SELECT value FROM redis_stats() WHERE name = 'outbox_rows';"), "0")
    shell.close()
    other.close()


@test
def one_takes_a_row_and_the_others_leave_it():
    clean().close()
    left_behind()
    first, second = server.session("d"), server.session("d")
    equal(first.run("BEGIN; SELECT redis_outbox_drain();"), "1")
    redis("SET", "t:1", "new")
    equal(second.run("SELECT redis_outbox_drain();"), "0")
    equal(redis("EXISTS", "t:1"), 1, "not deleted a second time")
    first.run("COMMIT;")
    equal(rows(second), "0")
    first.close()
    second.close()


@test
def commands_are_run_once():
    shell = clean()
    shell.run("SELECT redis_ping();")
    redis.stop()
    shell.run("BEGIN; SELECT redis_on_commit('INCR', 'counter'); SELECT redis_invalidate('k'); COMMIT;")
    redis.start()
    redis("SET", "k", "old")
    other = server.session("d")
    equal(other.run("BEGIN; SELECT redis_outbox_drain(); ROLLBACK;"), "1")
    equal(redis("GET", "counter"), b"1")
    equal(other.run("SELECT redis_outbox_drain();"), "1")
    equal(shell.run("SELECT redis_ping(), redis_get('counter'), redis_exists('k');"), "PONG|1|0")
    shell.close()
    other.close()


@test
def more_than_a_row_holds():
    shell = clean()
    shell.run("SELECT redis_ping();")
    redis.stop()
    # 20,000 keys of a kilobyte: three rows, kept out of line
    shell.run("BEGIN; SELECT count(redis_invalidate(repeat(md5(i::text), 31) || i)) "
              "FROM generate_series(1, 20000) i; COMMIT;")
    equal(shell.run("SELECT count(*), min(length(keys)) > 90000 FROM redis_outbox();"), "3|t")
    redis.start()
    key = shell.run("SELECT repeat(md5('20000'), 31) || 20000;")
    redis("SET", key, "old")
    other = server.session("d")
    equal(other.run("SELECT redis_outbox_drain();"), "3")
    equal(redis("EXISTS", key), 0)
    # this session's own rows, deleted at its next commit
    shell.run("SELECT redis_ping(); SET sqlredis.command_timeout = 5000;")
    shell.run("SELECT count(redis_invalidate(repeat(md5(i::text), 31) || i)) "
              "FROM generate_series(1, 10000) i;")
    equal(rows(shell), "2")
    shell.run("UPDATE t SET n = 3 WHERE id = 3;")
    equal(rows(shell), "1")
    shell.close()
    other.close()


@test
def memory_mode_writes_nothing():
    shell = clean()
    shell.run("SET sqlredis.durability = memory; UPDATE t SET n = 1 WHERE id = 1;")
    equal(rows(shell), "0")
    redis.stop()
    contains(shell.run("UPDATE t SET n = 1 WHERE id = 1;"), "is kept by this session")
    equal(rows(shell), "0")
    redis.start()
    redis("SET", "t:1", "old")
    wait_for("Redis", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal(redis("EXISTS", "t:1"), 0)
    server.sql("CREATE ROLE nobody LOGIN")
    server.sql("GRANT UPDATE, SELECT ON t TO nobody", "d")
    other = server.session("d", "nobody")
    other.run("UPDATE t SET n = 1 WHERE id = 1;")
    contains(other.run("SET sqlredis.durability = memory;"), "42501")
    contains(other.run("SET sqlredis.commit_mode = async;"), "42501")
    other.close()
    shell.close()


@test
def transactions_that_cannot_write():
    shell = clean()
    redis("MSET", "a", "1", "b", "1")
    shell.run("BEGIN READ ONLY; SELECT redis_invalidate('a'); COMMIT;")
    equal(rows(shell), "0")
    equal(redis("EXISTS", "a"), 0)
    # it had written before it was made read-only: what it changed is owed for ever
    shell.run("BEGIN; UPDATE t SET n = 1 WHERE id = 1; SET TRANSACTION READ ONLY; COMMIT;")
    equal(rows(shell), "1")
    shell.close()


@test
def every_isolation_level():
    shell = clean()
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        left_behind()
        for _ in range(3):
            equal(shell.run("BEGIN ISOLATION LEVEL %s; SELECT count(*) > 0 FROM t; "
                            "UPDATE t SET n = n + 1 WHERE id = 70; COMMIT;" % level), "t")
        equal(shell.run("BEGIN ISOLATION LEVEL %s; SELECT count(*) > 0 FROM t; "
                        "SELECT redis_outbox_drain() < 2; COMMIT;" % level), "t\nt")
        equal(redis("EXISTS", "t:1"), 0)
    # two serializable transactions that both write the outbox have nothing to do with each other
    other = server.session("d")
    shell.run("BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE t SET n = 1 WHERE id = 80;")
    other.run("BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE t SET n = 1 WHERE id = 81;")
    equal(shell.run("COMMIT;") + other.run("COMMIT;"), "")
    shell.close()
    other.close()


@test
def the_extension_comes_and_goes():
    server.database("coming", extension=False)
    shell = server.session("coming")
    redis("MSET", "a", "1", "b", "1", "c", "1")
    shell.run("BEGIN; CREATE EXTENSION sqlredis; SELECT redis_invalidate('a'); COMMIT;")
    equal(redis("EXISTS", "a"), 0)
    equal(rows(shell), "1")
    equal(shell.run("BEGIN; SELECT redis_invalidate('b'); DROP EXTENSION sqlredis; COMMIT;"), "1")
    equal(redis("EXISTS", "b"), 0, "memory serves when the outbox is gone")
    # a table of that name is not ours
    shell.run("CREATE EXTENSION sqlredis; SELECT redis_invalidate('c'); "
              "CREATE SCHEMA mine; CREATE TABLE mine.sqlredis_outbox (i int); SET search_path = mine, public;")
    shell.run("SELECT redis_invalidate('d');")
    equal(shell.run("SELECT count(*) FROM mine.sqlredis_outbox;"), "0")
    # rows of this session are pending when another one drops it all
    server.sql("DROP EXTENSION sqlredis; CREATE EXTENSION sqlredis", "coming")
    equal(shell.run("SELECT redis_invalidate('e');"), "1")
    equal(shell.run("SELECT redis_invalidate('f');"), "1")
    equal(shell.run("SELECT count(*) FROM public.sqlredis_outbox;"), "1")
    server.sql("DROP EXTENSION sqlredis", "coming")
    equal(shell.run("CREATE TABLE x (i int);"), "")
    shell.close()


@test
def vacuum_takes_the_place_of_a_row():
    shell = clean()
    shell.run("UPDATE t SET n = 1 WHERE id = 1;")
    # somebody else takes the row and cuts the table off
    server.sql("SELECT redis_outbox_drain()", "d")
    server.sql("VACUUM sqlredis_outbox", "d")
    equal(server.sql("SELECT pg_relation_size('sqlredis_outbox')", "d"), "0")
    equal(shell.run("CREATE TABLE x (i int); DROP TABLE x;"), "")
    # or another row is where this session's was
    shell.run("UPDATE t SET n = 1 WHERE id = 1;")
    server.sql("SELECT redis_outbox_drain()", "d")
    server.sql("VACUUM sqlredis_outbox", "d")
    other = server.session("d")
    other.run("UPDATE t SET n = 1 WHERE id = 2;")
    equal(other.run("SELECT ctid FROM sqlredis_outbox;"), "(0,1)")
    shell.run("UPDATE t SET n = 1 WHERE id = 1;")
    equal(rows(shell), "2", "another one's row stays")
    shell.close()
    other.close()


@test
def the_end_of_a_session_waits_for_nobody():
    shell = clean()
    shell.run("UPDATE t SET n = 1 WHERE id = 1;")
    other = server.session("d")
    other.run("BEGIN; REFRESH MATERIALIZED VIEW sqlredis_outbox;")
    equal(shell.close(), "")
    wait_for("its end", lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'd'") == "1")
    other.run("COMMIT;")
    equal(other.run("SELECT redis_outbox_drain();"), "1", "another session does not know that it is delivered")
    other.close()


@test
def sessions_are_reset_and_cursors_outlive_transactions():
    shell = clean()
    shell.run("UPDATE t SET n = 1 WHERE id = 1;")
    equal(shell.run("DISCARD ALL;"), "")
    shell.run("UPDATE t SET n = 1 WHERE id = 2;")
    equal(rows(shell), "1")
    redis("SET", "held", "old")
    shell.run("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT redis_invalidate('held'); COMMIT;")
    equal(redis("EXISTS", "held"), 0, "it is evaluated when the transaction commits")
    equal(shell.run("FETCH c; CLOSE c;"), "1")
    shell.close()


@test
def replication_sees_nothing_of_it():
    shell = clean()
    shell.run("SELECT pg_create_logical_replication_slot('look', 'test_decoding');")
    shell.run("UPDATE t SET n = 1 WHERE id = 1; UPDATE t SET n = 1 WHERE id = 2;")
    shell.run("SELECT count(redis_invalidate(repeat(md5(i::text), 31) || i)) FROM generate_series(1, 50) i;")
    shell.run("UPDATE t SET n = 1 WHERE id = 3;")
    changes = shell.run("SELECT data FROM pg_logical_slot_get_changes('look', NULL, NULL) "
                        "WHERE data LIKE 'table%';")
    true("INSERT" not in changes, changes)
    shell.run("SELECT pg_drop_replication_slot('look');")
    shell.run("CREATE PUBLICATION everything FOR ALL TABLES;")
    equal(shell.run("SELECT tablename FROM pg_publication_tables WHERE tablename LIKE 'sqlredis%';"), "")
    subscriber = Postgres(extension=False)
    subscriber.database("d", extension=False)
    subscriber.sql("CREATE TABLE t (id int PRIMARY KEY, n int)", "d")
    subscriber.sql("CREATE SUBSCRIPTION s CONNECTION 'host=%s port=%d user=postgres dbname=d' "
                   "PUBLICATION everything" % (server.host, server.port), "d")
    for n in (41, 42):
        shell.run("UPDATE t SET n = %d WHERE id = 1;" % n)
        wait_for("the change", lambda n=n: subscriber.sql("SELECT n FROM t WHERE id = 1", "d") == str(n))
    true("ERROR" not in subscriber.log_text(), subscriber.log_text())
    subscriber.sql("DROP SUBSCRIPTION s", "d")
    shell.run("DROP PUBLICATION everything;")
    subscriber.stop()
    shell.close()


@test
def keys_in_other_encodings():
    server.sql("CREATE DATABASE latin1 ENCODING 'LATIN1' TEMPLATE template0")
    server.sql("CREATE EXTENSION sqlredis", "latin1")
    key = "caf\u00e9".encode()
    redis("SET", key, "old")
    shell = server.session("latin1")
    equal(shell.run("SELECT redis_invalidate('caf' || chr(233));"), "1")
    equal(redis("EXISTS", key), 0)
    equal(shell.run("BEGIN; SELECT redis_invalidate('caf' || chr(233)), redis_invalidate_tag(chr(233)); "
                    "SELECT key = 'caf' || chr(233) OR key = chr(233), kind FROM redis_pending(); COMMIT;"),
          "1|1\nt|key\nt|tag")
    shell.close()


@test
def what_is_pending_and_its_prefix():
    shell = clean()
    shell.run("SET sqlredis.key_prefix = 'app*:';")
    redis("MSET", "app*:a", "1", "app*:b1", "1", "appx:b1", "1", "b1", "1")
    equal(shell.run("BEGIN; SELECT redis_invalidate('a'), redis_invalidate_tag('x', 'y', 'x'), "
                    "redis_invalidate_pattern('b*'), redis_on_commit('SET', 'c', 'two words'), "
                    "redis_invalidate_tag(NULL);"), "1|2|1|1|NULL")
    equal(shell.run("SELECT * FROM redis_pending();"),
          'a|0|key\nx|0|tag\ny|0|tag\nb*|0|pattern\nSET c "two words"|0|command')
    contains(shell.run("SAVEPOINT s; SELECT redis_on_commit('SUBSCRIBE', 'c'); ROLLBACK TO s;"), "22023")
    equal(shell.run("COMMIT;"), "")
    equal(redis("KEYS", "*b1"), [b"appx:b1", b"b1"] if redis("KEYS", "*b1")[0] == b"appx:b1"
          else [b"b1", b"appx:b1"])
    equal(redis("GET", "c"), b"two words")
    equal(redis("EXISTS", "app*:sqlredis:tag:x"), 1)
    shell.close()


@test
def nobody_writes_it_by_sql_and_a_refresh_keeps_it():
    clean().close()
    left_behind()
    shell = server.session("d")
    for statement in ("INSERT INTO sqlredis_outbox VALUES (1, now(), '\\x00');",
                      "DELETE FROM sqlredis_outbox;", "TRUNCATE sqlredis_outbox;"):
        contains(shell.run(statement), "ERROR:  42809")
    before = shell.run("SELECT * FROM sqlredis_outbox;")
    true(before)
    equal(shell.run("REFRESH MATERIALIZED VIEW sqlredis_outbox;"), "")
    equal(shell.run("SELECT * FROM sqlredis_outbox;"), before)
    equal(shell.run("SELECT redis_outbox_drain();"), "1")
    equal(redis("EXISTS", "t:1"), 0)
    shell.close()


main()
