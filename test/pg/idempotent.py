"""redis_idempotent: first for one transaction, given back by a rollback; a COMMIT that is refused."""

import os
import random
import signal

from harness import (Gone, Postgres, Redis, SqlError, Wire, contains, end, equal, main, test,
                     true, wait_for)

redis = Redis()
# A hold is long enough for a slow machine, and short enough to wait for.
SETTINGS = {"sqlredis.commit_timeout": "300", "sqlredis.command_timeout": "500",
            "sqlredis.connect_timeout": "500", "synchronous_commit": "on"}
server = Postgres(redis.url, SETTINGS)
server.database("d")
server.sql("CREATE TABLE paid (key text)", "d")


def wire():
    return Wire(server.host, server.port, server.name, "d")


def session(settings=""):
    shell = server.session("d")
    shell.run("SELECT redis_ping();" + settings)
    return shell


def state(key):
    """What Redis has: done..., pending, or nothing."""
    value = redis("GET", "idem:" + key)
    return None if value is None else value.decode().split(":")[0]


def rows(key):
    return server.sql("SELECT count(*) FROM paid WHERE key = '%s'" % key, "d")


def is_up():
    """Not in the recovery that follows a kill -9."""
    try:
        Wire(server.host, server.port, server.name, "d").close()
        return True
    except Gone:
        return False


@test
def once_for_those_that_commit():
    shell, other = session(), session()
    equal(shell.run("BEGIN; SELECT redis_idempotent('a', 3600), redis_idempotent('a', 3600);"), "t|f")
    equal(state("a"), "pending")
    equal(other.run("SELECT redis_idempotent('a');"), "f")
    equal(shell.run("COMMIT;"), "")
    equal(state("a"), "done")
    true(3500000 < redis("PTTL", "idem:a") <= 3600000)
    equal(other.run("SELECT redis_idempotent('a');"), "f")
    equal(shell.run("SELECT redis_idempotent('b');"), "t")
    equal(state("b"), "done", "a statement is a transaction")
    shell.close()
    other.close()


@test
def given_back_by_a_rollback():
    shell, other = session(), session()
    for begin, back in (("BEGIN;", "ROLLBACK;"), ("BEGIN;", "SELECT 1/0; ROLLBACK;"),
                        ("BEGIN; SAVEPOINT s;", "ROLLBACK TO s;"),
                        ("BEGIN; SAVEPOINT s; SAVEPOINT u;", "RELEASE u; ROLLBACK TO s; COMMIT;")):
        equal(shell.run(begin + "SELECT redis_idempotent('r');"), "t")
        equal(other.run("SELECT redis_idempotent('r');"), "f")
        shell.run(back)
        equal(state("r"), None, back)
        shell.run("ROLLBACK;")
    equal(other.run("SELECT redis_idempotent('r');"), "t")
    equal(state("r"), "done")
    # released, and so kept
    equal(shell.run("BEGIN; SAVEPOINT s; SELECT redis_idempotent('s'); RELEASE s; COMMIT;"), "t")
    equal(state("s"), "done")
    shell.close()
    other.close()


@test
def two_that_race():
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed %d" % seed)
    chance = random.Random(seed)
    pair = [wire(), wire()]
    for number in range(1000):
        text = "BEGIN; SELECT redis_idempotent('race:%d'); %s" % (number, "%s")
        # one that commits, and one that may not: then it is the other one's if that asked later
        endings = ["COMMIT", chance.choice(("COMMIT", "ROLLBACK"))]
        chance.shuffle(endings)
        order = chance.sample((0, 1), 2)
        for i in order:
            pair[i].send(text % endings[i])
        said = [p.result()[0][0] for p in pair]
        committed = [i for i in (0, 1) if endings[i] == "COMMIT"]
        true(said.count("t") >= 1, "%d: nobody was first: %r %r" % (number, said, endings))
        first = [i for i in committed if said[i] == "t"]
        true(len(first) <= 1, "%d: both were first: %r" % (number, said))
        equal(state("race:%d" % number), "done" if first else None)
    for p in pair:
        p.close()


@test
def results_are_seen_after_the_commit():
    shell, other = session(), session()
    equal(shell.run("BEGIN; SELECT redis_idempotent('p'), redis_idempotent_result('p', 'receipt 7');"),
          "t|receipt 7")
    equal(other.run("SELECT redis_idempotent('p'), redis_idempotent_result('p');"), "f|NULL")
    shell.run("COMMIT;")
    equal(other.run("SELECT redis_idempotent('p'), redis_idempotent_result('p');"), "f|receipt 7")
    # who did not claim it has nothing to say
    contains(other.run("SELECT redis_idempotent_result('p', 'mine');"), "ERROR")
    equal(other.run("SELECT redis_idempotent_result('p');"), "receipt 7")
    equal(shell.run("BEGIN; SELECT redis_idempotent('q'), redis_idempotent_result('q', 'x'); ROLLBACK; "
                    "SELECT redis_idempotent_result('q');"), "t|x\nNULL")
    shell.close()
    other.close()


@test
def a_killed_backend_lets_it_run_out():
    shell = session("SET sqlredis.hold = 2000; BEGIN; SELECT redis_idempotent('k');")
    equal(state("k"), "pending")
    os.kill(int(shell.run("SELECT pg_backend_pid();")), signal.SIGKILL)
    end(shell.process)
    true(redis("PTTL", "idem:k") <= 2000)
    wait_for("its time", lambda: state("k") is None)
    # all backends are started anew
    wait_for("the recovery", is_up)
    shell = session()
    equal(shell.run("SELECT redis_idempotent('k');"), "t")
    shell.close()


@test
def a_commit_is_refused_when_redis_cannot_be_asked():
    for how in (redis.stop, redis.freeze):
        shell = session("BEGIN; INSERT INTO paid VALUES ('refused'); SELECT redis_idempotent('refused');")
        how()
        said = shell.run("COMMIT;", patience=20)
        true("ERROR:  08" in said or "ERROR:  40001" in said, said)
        equal(rows("refused"), "0")
        redis.thaw()
        if redis.process.poll() is not None:
            redis.start()
        wait_for("the breaker", lambda: shell.run("SELECT redis_ping();") == "PONG")  # pylint: disable=cell-var-from-loop
        # given back as soon as it can be
        equal(state("refused"), None)
        equal(shell.run("BEGIN; INSERT INTO paid VALUES ('refused'); SELECT redis_idempotent('refused'); "
                        "COMMIT;"), "t")
        equal(rows("refused"), "1")
        server.sql("DELETE FROM paid", "d")
        redis("DEL", "idem:refused")
        shell.close()
    true("PANIC" not in server.log_text())


@test
def a_commit_is_refused_when_the_hold_ran_out():
    shell, other = session(), wire()
    shell.run("SET sqlredis.hold = 1000; BEGIN; INSERT INTO paid VALUES ('late'); "
              "SELECT redis_idempotent('late');")
    wait_for("its time", lambda: state("late") is None)
    contains(shell.run("COMMIT;"), "ERROR:  40001")
    equal(rows("late"), "0")
    shell.run("BEGIN; INSERT INTO paid VALUES ('late'); SELECT redis_idempotent('late');")
    redis("DEL", "idem:late")
    equal(other.value("SELECT redis_idempotent('late')"), "t")
    contains(shell.run("COMMIT;"), "ERROR:  40001")
    equal(rows("late"), "0")
    equal(state("late"), "done", "the other one's")
    # a deferred constraint fails after that: what was kept is given back
    shell.run("CREATE TABLE u (i int UNIQUE DEFERRABLE INITIALLY DEFERRED); RESET sqlredis.hold;")
    contains(shell.run("BEGIN; INSERT INTO u VALUES (1), (1); SELECT redis_idempotent('u'); COMMIT;"), "23505")
    equal(state("u"), None)
    # a serialization failure comes after everything else, even after the hold was made to last
    shell.run("CREATE TABLE s (i int); INSERT INTO s VALUES (1), (2);")
    shell.run("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(i) FROM s; INSERT INTO s VALUES (3);")
    other.run("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(i) FROM s; INSERT INTO s VALUES (4)")
    shell.run("SELECT redis_idempotent('ser');")
    other.run("COMMIT")
    contains(shell.run("COMMIT;"), "40001")
    equal(state("ser"), None)
    shell.close()
    other.close()


@test
def redis_goes_away_when_the_commit_is_past_refusing():
    """It waits for a standby that is none: the row of the outbox, and the claim, are there already."""
    shell = session()
    shell.run("SET synchronous_commit = on;")
    server.reload({"synchronous_standby_names": "'none'"})
    pid = shell.run("SELECT pg_backend_pid();")
    shell.send("BEGIN; INSERT INTO paid VALUES ('past'); SELECT redis_idempotent('past', 3600), "
               "redis_idempotent_result('past', 'receipt'); COMMIT;")
    wait_for("its waiting", lambda: server.sql("SELECT wait_event FROM pg_stat_activity WHERE pid = "
                                               + pid) == "SyncRep")
    equal(state("past"), "pending")
    true(redis("PTTL", "idem:past") > 500000, "as long as it may take to deliver what is in the outbox")
    redis.stop()
    server.sql("SELECT pg_cancel_backend(%s)" % pid)
    contains(shell.result(), "is in the outbox")
    server.reload({"synchronous_standby_names": "''"})
    equal(rows("past"), "1")
    redis.start()
    equal(state("past"), None, "Redis forgot everything")
    other = session()
    equal(other.run("SELECT redis_outbox_drain();"), "1")
    equal(other.run("SELECT redis_idempotent('past'), redis_idempotent_result('past');"), "f|receipt")
    shell.close()
    other.close()


@test
def prepare_is_refused_and_read_only_is_not():
    shell = session()
    contains(shell.run("BEGIN; SELECT redis_idempotent('x'); PREPARE TRANSACTION 'x';"), "0A000")
    equal(state("x"), None)
    equal(shell.run("BEGIN READ ONLY; SELECT redis_idempotent('ro'); COMMIT;"), "t")
    equal(state("ro"), "done")
    equal(shell.run("SET sqlredis.durability = memory; BEGIN; SELECT redis_idempotent('m'); COMMIT;"), "t")
    equal(state("m"), "done")
    shell.close()


@test
def what_it_costs_when_many_are_taken():
    """Kept and confirmed together, however many."""
    session_ = wire()
    equal(session_.value("SELECT count(*) FROM generate_series(1, 2000) i WHERE redis_idempotent('many:' || i)"),
          "2000")
    equal(state("many:2000"), "done")
    try:
        session_.run("SELECT count(redis_idempotent('some:' || i) AND 1 / (500 - i) >= 0) "
                     "FROM generate_series(1, 500) i")
    except SqlError as error:
        equal(error.state, "22012")
    equal(redis("KEYS", "idem:some:*"), [])
    session_.close()


main()
