"""Queues are what plain applications push to and pop from, with redis-py and in both engines; and consumers
that wait are woken by whoever puts something there."""

import threading

import redis as redis_py

from harness import Both, PgEngine, Redis, SqliteEngine, equal, main, test, true, wait_for

both = Both()
server = Redis()
client = redis_py.Redis(unix_socket_path=server.socket)


def engines(**config):
    for engine in both(server.url, **config):
        client.flushall()
        yield engine


def another(engine):
    """One more session of the same engine."""
    made = PgEngine(both.server, "faults", server.url) if engine.name == "PostgreSQL" else SqliteEngine(server.url)
    both.opened.append(made)
    return made


def put(engine, payload, more=""):
    return engine.value("SELECT redis_enqueue('mail', '%s'%s)" % (payload, more))


def take(engine, timeout=0, patience=60.0):
    """The payload and the attempts of the next job; "" when there is none."""
    return engine.value("SELECT payload, attempts FROM redis_dequeue('mail', %s)" % timeout, patience)


def blocked():
    return client.info("clients")["blocked_clients"]


@test
def pushed_there_and_taken_here():
    for engine in engines(queue_mode="list"):
        client.lpush("queue:mail", "one", "two")
        equal(take(engine), "one|1")
        equal(engine.value("SELECT payload || redis_nack('mail', id) FROM redis_dequeue('mail')")[:3], "two")
        equal(client.lrange("queue:mail", 0, -1), [b"two"], "given back as it came")
        equal(take(engine), "two|2")
        equal(take(engine), "")


@test
def enqueued_here_and_popped_there():
    for engine in engines(queue_mode="list"):
        popped = []
        waiting = threading.Thread(target=lambda: popped.append(client.brpop("queue:mail", 60)))
        waiting.start()
        wait_for("the client to wait", lambda: blocked() == 1)
        engine.sql("BEGIN;")
        equal(put(engine, "one"), "NULL")
        equal(put(engine, "two"), "NULL")
        equal((blocked(), client.exists("queue:mail")), (1, 0), "before the commit")
        engine.sql("COMMIT;")
        waiting.join(60)
        equal(popped, [(b"queue:mail", b"one")])
        equal(client.rpop("queue:mail"), b"two")
        equal(client.keys("queue:*"), [])


@test
def plain_payloads_are_jobs_in_job_mode():
    for engine in engines():
        client.lpush("queue:mail", "plain")
        true(put(engine, "a job") != "NULL")
        equal(take(engine), "plain|1")
        equal(take(engine), "a job|1")


@test
def a_push_wakes_a_consumer():
    for engine in engines():
        engine.shell.send("SELECT payload, attempts FROM redis_dequeue('mail', 60);")
        wait_for("the consumer to wait", lambda: blocked() == 1)
        client.lpush("queue:mail", "plain")
        equal(engine.shell.result(), "plain|1")


def two_wait(first, second):
    for engine in (first, second):
        engine.shell.send("SELECT payload FROM redis_dequeue('mail', 60);")
    wait_for("both consumers to wait", lambda: blocked() == 2)


@test
def two_consumers_wait():
    """Each job wakes one that takes it: in order, with a priority, due later, and all in one commit."""
    for first in engines():
        second, producer = another(first), another(first)
        for more in "", ", 5", ", 0, 0.1", ", 1, 0.05":
            two_wait(first, second)
            producer.sql("BEGIN;")
            put(producer, "a", more)
            put(producer, "b", more)
            producer.sql("COMMIT;")
            equal(sorted([first.shell.result(), second.shell.result()]), ["a", "b"], more)
            two_wait(first, second)
            put(producer, "c", more)
            put(producer, "d", more)
            equal(sorted([first.shell.result(), second.shell.result()]), ["c", "d"], more)


@test
def one_leaves_and_the_other_goes_on_waiting():
    """What one knew of what is due is not lost with it."""
    for first in engines():
        second, producer = another(first), another(first)
        second.shell.send("SELECT payload FROM redis_dequeue('mail', 60);")
        wait_for("one to wait", lambda: blocked() == 1)
        put(producer, "later", ", NULL, 0.5")
        equal(take(first, 0.1), "")
        equal(second.shell.result(), "later")


@test
def a_rollback_wakes_a_consumer():
    for first in engines():
        second, producer = another(first), another(first)
        put(producer, "a", ", 3")
        first.sql("BEGIN;")
        equal(take(first), "a|1")
        second.shell.send("SELECT payload, attempts FROM redis_dequeue('mail', 60);")
        wait_for("the consumer to wait", lambda: blocked() == 1)
        first.sql("ROLLBACK;")
        equal(second.shell.result(), "a|2")


@test
def keys_of_another_kind():
    for engine in engines():
        client.set("queue:mail", "text")
        for statement in ("SELECT * FROM redis_dequeue('mail')", "SELECT redis_queue_len('mail')"):
            engine.fails(statement, "wrong type", "WRONGTYPE")
        said = engine.sql("SELECT redis_enqueue('mail', 'x');")
        true("WRONGTYPE" in said or engine.name == "SQLite", said)
        equal(client.keys("queue:*"), [b"queue:mail"], "nothing is left of it")


main()
