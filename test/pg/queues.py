"""Queues: jobs come with the rows that made them, through the outbox if need be; consumers are interrupted."""

from harness import (Postgres, Redis, SqlError, Wire, contains, end, equal, main, test, true,
                     wait_for)

redis = Redis()
SETTINGS = {"sqlredis.commit_timeout": "200", "sqlredis.connect_timeout": "500",
            "sqlredis.command_timeout": "500", "synchronous_commit": "on"}
TABLES = """
CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN PERFORM redis_enqueue('mail', NEW.name); RETURN NEW; END $$;
CREATE TRIGGER welcome AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION welcome();
"""


def make(settings=None):
    made = Postgres(redis.url, dict(SETTINGS, **(settings or {})))
    made.database("d")
    made.sql(TABLES, "d")
    return made


server = make()


def session(settings="", of=None):
    redis("FLUSHALL")
    shell = (of or server).session("d")
    shell.run("TRUNCATE users; SELECT redis_ping();" + settings)
    return shell


def length(queue="mail"):
    return redis("LLEN", "queue:" + queue)


def payloads(shell, queue="mail"):
    """All that wait, taken out."""
    taken = []
    while True:
        row = shell.run("SELECT payload FROM redis_dequeue('%s');" % queue)
        if not row:
            return taken
        taken.append(row)


def pid_of(shell):
    return int(shell.run("SELECT pg_backend_pid();"))


def waits(pid):
    return server.sql("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %d" % pid) == "Extension"


@test
def no_job_without_its_row():
    shell = session()
    shell.run("BEGIN; INSERT INTO users VALUES (1, 'ann'), (2, 'bob');")
    equal(length(), 0)
    shell.run("SAVEPOINT s; INSERT INTO users VALUES (3, 'cid'); ROLLBACK TO s;")
    shell.run("SAVEPOINT s; INSERT INTO users VALUES (4, 'dan'); RELEASE s;")
    contains(shell.run("DO $$ BEGIN INSERT INTO users VALUES (5, 'eve'); PERFORM 1/0; "
                       "EXCEPTION WHEN others THEN RAISE NOTICE 'caught'; END $$;"), "caught")
    equal(length(), 0)
    shell.run("COMMIT;")
    equal(length(), 3)
    shell.run("BEGIN; INSERT INTO users VALUES (6, 'fay'); ROLLBACK;")
    shell.run("INSERT INTO users VALUES (7, 'gil'), (1, 'again');")
    equal(payloads(shell), ["ann", "bob", "dan"])
    shell.close()


@test
def what_is_pending():
    shell = session()
    shell.run("BEGIN; SELECT redis_invalidate('k'); SELECT redis_enqueue('mail', 'hello'), "
              "redis_enqueue('mail', 'you'); SAVEPOINT s; SELECT redis_idempotent('once');")
    rows = [row.split("|") for row in shell.run("SELECT kind, depth, key FROM redis_pending();").split("\n")]
    equal([row[:2] for row in rows], [["key", "0"], ["script", "0"], ["script", "0"], ["script", "1"]])
    for row, words in zip(rows[1:], (("enqueue", "queue:mail", "hello"), ("enqueue", "queue:mail", "you"),
                                     ("confirm", "idem:once"))):
        for word in words:
            contains(row[2], word)
    shell.run("ROLLBACK;")
    equal(shell.run("SELECT count(*) FROM redis_pending();"), "0")
    shell.close()


def redis_is_away_at_commit(of, settings="", drained_by=None):
    """Jobs of a commit wait in the outbox, and are delivered once."""
    shell = session(settings, of)
    redis.stop()
    said = shell.run("INSERT INTO users VALUES (1, 'ann'), (2, 'bob');")
    if "async" not in settings:
        contains(said, "1 effect did not reach Redis")
    shell.run("BEGIN; INSERT INTO users VALUES (3, 'cid'); SAVEPOINT s; INSERT INTO users VALUES (4, 'dan'); "
              "ROLLBACK TO s; COMMIT;")
    shell.run("BEGIN; INSERT INTO users VALUES (5, 'eve'); ROLLBACK;")
    equal(shell.run("SELECT count(*) FROM users;"), "3")
    keys = shell.run("SELECT string_agg(keys::text, ' ') FROM redis_outbox();")
    for word in ("enqueue", "queue:mail", "ann", "cid"):
        contains(keys, word)
    redis.start()
    if drained_by:
        drained_by()
    wait_for("delivery", lambda: length() == 3)
    wait_for("an empty outbox", lambda: shell.run("SELECT count(*) FROM redis_outbox();") == "0")
    shell.run("SELECT redis_outbox_drain(); CREATE TABLE x (i int); DROP TABLE x;")
    wait_for("Redis", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal(sorted(payloads(shell)), ["ann", "bob", "cid"])
    shell.close()


@test
def away_at_commit_and_drained_by_another_session():
    redis_is_away_at_commit(server, drained_by=lambda: server.sql("SELECT redis_outbox_drain()", "d"))


@test
def away_at_commit_with_the_launcher():
    preloaded = make({"shared_preload_libraries": "'sqlredis'"})
    redis_is_away_at_commit(preloaded)
    redis_is_away_at_commit(preloaded, "SET sqlredis.commit_mode = async;")
    # and when Redis is there
    shell = session("SET sqlredis.commit_mode = async;", preloaded)
    shell.run("INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 1000) i;")
    wait_for("the launcher", lambda: length() == 1000)
    equal(shell.run("SELECT payload FROM redis_dequeue('mail');"), "user 1")
    shell.close()
    preloaded.stop()


@test
def a_crash_after_the_commit_delivers_once():
    other = make()
    shell = session("SET sqlredis.commit_timeout = 30000; SET sqlredis.command_timeout = 30000;", other)
    redis.freeze()
    shell.send("INSERT INTO users VALUES (1, 'ann');")
    wait_for("the commit to be visible", lambda: other.sql("SELECT count(*) FROM users", "d") == "1")
    other.crash()
    redis.thaw()
    end(shell.process)
    # the kernel had what was sent: it may be run
    wait_for("Redis", lambda: redis("PING") == "PONG")
    other.start()
    shell = other.session("d")
    wait_for("the outbox", lambda: shell.run("SELECT redis_outbox_drain();") == "0")
    equal(payloads(shell), ["ann"])
    shell.close()
    other.stop()


@test
def taken_in_a_transaction():
    shell, other = session(), server.session("d")
    shell.run("SELECT redis_enqueue('mail', 'one'); SELECT redis_enqueue('mail', 'two');")
    equal(shell.run("BEGIN; SELECT payload, attempts FROM redis_dequeue('mail');"), "one|1")
    equal(other.run("SELECT redis_queue_len('mail'), redis_queue_len('mail', 'reserved');"), "1|1")
    shell.run("ROLLBACK;")
    equal(other.run("SELECT redis_queue_len('mail');"), "2")
    shell.run("BEGIN; SAVEPOINT s;")
    equal(shell.run("SELECT payload, attempts FROM redis_dequeue('mail');"), "one|2")
    shell.run("ROLLBACK TO s;")
    # acknowledged by the transaction that took it, and so if that commits
    equal(shell.run("SELECT redis_ack('mail', id), payload, attempts FROM redis_dequeue('mail');"), "t|one|3")
    equal(other.run("SELECT redis_queue_len('mail'), redis_queue_len('mail', 'reserved');"), "1|1")
    shell.run("ROLLBACK;")
    equal(shell.run("BEGIN; SELECT redis_ack('mail', id), payload FROM redis_dequeue('mail'); COMMIT;"), "t|one")
    equal(other.run("SELECT redis_queue_len('mail'), redis_queue_len('mail', 'reserved');"), "1|0")
    # as bytes, in a list, and of a queue that is empty
    equal(shell.run("SELECT payload, (SELECT count(*) FROM redis_dequeue('empty')) FROM redis_dequeue_bytea('mail');"),
          "\\x74776f|0")
    shell.run("SELECT redis_enqueue('mail', 'three');")
    contains(shell.run("BEGIN; SELECT payload FROM redis_dequeue('mail'); PREPARE TRANSACTION 'x';"), "0A000")
    equal(shell.run("SELECT payload, attempts FROM redis_dequeue('mail');"), "three|2")
    # what is only queued goes with it
    equal(shell.run("BEGIN; INSERT INTO users VALUES (1, 'ann'); PREPARE TRANSACTION 'x';"), "")
    equal(length(), 0)
    shell.run("COMMIT PREPARED 'x'; SELECT redis_outbox_drain();")
    equal(payloads(shell), ["ann"])
    shell.close()
    other.close()


@test
def a_terminated_consumer_gives_its_job_back():
    shell = session()
    shell.run("SELECT redis_enqueue('mail', 'one');")
    # idle in its transaction, and while it waits for the next one
    for waiting in (False, True):
        consumer = server.session("d")
        pid = pid_of(consumer)
        contains(consumer.run("BEGIN; SELECT payload FROM redis_dequeue('mail', 0, 3600);"), "one")
        if waiting:
            consumer.send("SELECT redis_dequeue('mail', 60);")
            wait_for("its waiting", lambda: waits(pid))  # pylint: disable=cell-var-from-loop
        equal(length(), 0)
        server.sql("SELECT pg_terminate_backend(%d)" % pid)
        wait_for("the job", lambda: length() == 1)
        end(consumer.process)
    equal(payloads(shell), ["one"])
    shell.close()


@test
def a_consumer_is_interrupted():
    shell = session()
    pid = pid_of(shell)
    shell.send("SELECT payload FROM redis_dequeue('mail', 3600);")
    wait_for("its waiting", lambda: waits(pid))
    server.sql("SELECT pg_cancel_backend(%d)" % pid)
    contains(shell.result(), "57014")
    contains(shell.run("SET statement_timeout = 200; SELECT payload FROM redis_dequeue('mail', 3600);"), "57014")
    shell.run("SET statement_timeout = 0; SELECT redis_enqueue('mail', 'one');")
    equal(shell.run("SELECT payload FROM redis_dequeue('mail');"), "one", "nothing was lost in a wait")
    # one that comes while it waits is served at once
    shell.send("SELECT payload FROM redis_dequeue('mail', 60);")
    wait_for("its waiting", lambda: waits(pid))
    server.sql("SELECT redis_enqueue('mail', 'two')", "d")
    equal(shell.result(), "two")
    # the next one that fails gives it back
    shell.run("SELECT redis_enqueue('mail', 'three');")
    contains(shell.run("SELECT payload, 1 / (attempts - 1) FROM redis_dequeue('mail');"), "22012")
    equal(shell.run("SELECT payload, attempts FROM redis_dequeue('mail');"), "three|2")
    shell.close()


@test
def settings_and_transactions_that_cannot_be_used():
    shell = session()
    equal(shell.run("BEGIN READ ONLY; SELECT redis_enqueue('mail', 'read only') IS NOT NULL; COMMIT;"), "t")
    equal(payloads(shell), ["read only"])
    # settings that cannot be used fail no row's change
    for number, setting in enumerate(("url = ''", "passfile = '/nonexistent'")):
        shell.run("BEGIN; SET LOCAL sqlredis.%s; INSERT INTO users VALUES (%d, 'ida');" % (setting, number))
        contains(shell.run("COMMIT;"), "outbox")
        shell.run("SELECT redis_ping();")
        wait_for("its delivery", lambda: length() == 1)
        equal(payloads(shell), ["ida"])
        contains(shell.run("BEGIN; SET LOCAL sqlredis.%s; SELECT redis_reserve('a', 'b', 1);" % setting), "22023")
        shell.run("ROLLBACK;")
    # plain payloads, for those who use LPUSH and BRPOP
    equal(shell.run("SET sqlredis.queue_mode = list; SELECT redis_enqueue('plain', 'p');"), "NULL")
    equal(redis("LRANGE", "queue:plain", 0, -1), [b"p"])
    shell.run("SET sqlredis.queue_prefix = 'q/'; SELECT redis_enqueue('plain', 'p');")
    equal(redis("LRANGE", "q/plain", 0, -1), [b"p"])
    shell.close()


@test
def a_thousand_jobs_of_one_statement():
    consumer = Wire(server.host, server.port, server.name, "d")
    redis("FLUSHALL")
    consumer.run("SELECT count(redis_enqueue('many', 'job ' || i)) FROM generate_series(1, 1000) i")
    equal(length("many"), 1000)
    taken = [consumer.value("SELECT payload FROM redis_dequeue('many')") for _ in range(1000)]
    equal(taken, ["job %d" % i for i in range(1, 1001)])
    try:
        consumer.run("SELECT redis_enqueue('many', 'x', 0, -1)")
    except SqlError as error:
        equal(error.state, "22023")
    consumer.close()


main()
