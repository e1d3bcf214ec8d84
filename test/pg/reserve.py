"""redis_reserve: many sell the same tickets exactly, whatever becomes of their transactions and sessions."""

import multiprocessing
import os
import random
import signal

from harness import (Gone, Postgres, Redis, SqlError, Wire, contains, end, equal, main, test, true,
                     wait_for)

redis = Redis()
TICKETS, SELLERS = 10000, 16
server = Postgres(redis.url, {"synchronous_commit": "on", "max_connections": "60",
                              "sqlredis.command_timeout": "'30s'", "sqlredis.commit_timeout": "'5s'"})
server.database("d")
server.sql("CREATE TABLE sold (n int, seller int)", "d")


def wire():
    return Wire(server.host, server.port, server.name, "d")


def left(key="tickets"):
    value = redis("HGET", key, "concert")
    return None if value is None else int(value)


def held(key="tickets"):
    """Reservations that are neither sold nor given back."""
    return redis("ZCARD", "%s:holds{%s}" % (key, key))


def sold():
    return int(server.sql("SELECT coalesce(sum(n), 0) FROM sold", "d"))


class Seller:
    """Buys in transactions of its own until there is nothing to be had."""

    def __init__(self, number, seed):
        self.number, self.chance = number, random.Random(seed * 100 + number)
        self.session = wire()
        self.least = TICKETS

    def reserve(self, n):
        value = self.session.value("SELECT redis_reserve('tickets', 'concert', %d)" % n)
        if value is None:
            return 0
        self.least = min(self.least, int(value))
        self.session.run("INSERT INTO sold VALUES (%d, %d)" % (n, self.number))
        return n

    def buy(self):
        """One transaction; False: there was nothing."""
        run, kind = self.session.run, self.chance.random()
        run("BEGIN")
        had = self.reserve(self.chance.choice((1, 1, 2, 3))) or self.reserve(1)
        if kind < 0.15:
            run("SAVEPOINT a")
            self.reserve(self.chance.choice((1, 5)))
            run(self.chance.choice(("ROLLBACK TO a", "RELEASE a")))
        elif kind < 0.2:
            try:
                run("SELECT 1/0")
            except SqlError:
                pass
        elif kind < 0.25:
            # sends the whole in one go
            run("DO $$ BEGIN PERFORM redis_reserve('tickets', 'concert', 2); RAISE 'no'; "
                "EXCEPTION WHEN others THEN NULL; END $$")
        run("ROLLBACK" if 0.25 < kind < 0.35 else "COMMIT")
        return had > 0

    def sell(self, done):
        while not done.is_set():
            try:
                self.buy()
            except SqlError as error:
                # its hold ran out, on a slow machine
                if error.state != "40001":
                    raise
                self.session.run("ROLLBACK")
            except Gone:
                self.session = wire()
        self.session.close()
        return self.least


def work(number, seed, done, results):
    try:
        results.put(Seller(number, seed).sell(done))
    except BaseException as error:  # pylint: disable=broad-except
        results.put(error)


def campaign(seed, meanwhile):
    """All tickets are sold by SELLERS processes; what the least was that any of them saw left."""
    forked = multiprocessing.get_context("fork")  # they use the servers that were started here
    done, results = forked.Event(), forked.Queue()
    sellers = [forked.Process(target=work, args=(i, seed, done, results), daemon=True)
               for i in range(SELLERS)]
    for process in sellers:
        process.start()
    try:
        def finished():
            true(left() >= 0, "negative stock: %d" % left())
            meanwhile()
            return sold() == TICKETS or any(not p.is_alive() for p in sellers)
        wait_for("the sale", finished, 300)
    finally:
        done.set()
        said = [results.get(timeout=60) for _ in sellers]
        for process in sellers:
            process.join(60)
    for one in said:
        if isinstance(one, BaseException):
            raise one
    return min(said)


def begin():
    server.sql("TRUNCATE sold", "d")
    redis("FLUSHALL")
    redis("HSET", "tickets", "concert", TICKETS)
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed %d" % seed)
    return seed


def is_up():
    """Not in the recovery that follows a kill -9."""
    try:
        Wire(server.host, server.port, server.name, "d").close()
        return True
    except Gone:
        return False


@test
def sixteen_sell_ten_thousand_exactly():
    least = campaign(begin(), lambda: None)
    equal((sold(), left(), held(), least), (TICKETS, 0, 0, 0))


@test
def sessions_are_terminated_meanwhile():
    """A session that is terminated gives back what it had; what it was doing is done or not done."""
    seed = begin()
    chance = random.Random(seed)
    count = [0]

    def terminate():
        pids = server.sql("SELECT pid FROM pg_stat_activity WHERE datname = 'd' AND pid <> pg_backend_pid() "
                          "AND backend_type = 'client backend'").split()
        if pids and chance.random() < 0.5:
            server.sql("SELECT pg_terminate_backend(%s)" % chance.choice(pids))
            count[0] += 1
    campaign(seed, terminate)
    true(count[0] > 3, "only %d sessions were terminated" % count[0])
    # a session that was terminated when its COMMIT had been written is delivered by another one
    def settled():
        server.sql("SELECT redis_outbox_drain()", "d")
        return held() == 0
    wait_for("what is owed", settled)
    equal((sold(), left()), (TICKETS, 0))
    true("PANIC" not in server.log_text())


@test
def a_killed_backend_s_reservation_comes_back():
    redis("HSET", "few", "concert", 3)
    shell = server.session("d")
    shell.run("SET sqlredis.hold = 2000;")
    equal(shell.run("BEGIN; SELECT redis_reserve('few', 'concert', 2);"), "1")
    os.kill(int(shell.run("SELECT pg_backend_pid();")), signal.SIGKILL)
    end(shell.process)
    equal((left("few"), held("few")), (1, 1))
    wait_for("the recovery", is_up)
    session = wire()
    # whoever reserves gives back what ran out
    wait_for("its time", lambda: session.value("SELECT redis_reserve('few', 'concert', 3)") == "0")
    equal(left("few"), 0)
    equal(session.value("SELECT redis_reserve('few', 'concert', 1)"), None)
    session.close()


@test
def a_commit_is_refused_when_it_was_given_back():
    redis("HSET", "once", "concert", 1)
    shell, other = server.session("d"), wire()
    shell.run("SET sqlredis.hold = 1000; BEGIN; INSERT INTO sold VALUES (1000000, 0); "
              "SELECT redis_reserve('once', 'concert', 1);")
    wait_for("its time", lambda: other.value("SELECT redis_reserve('once', 'concert', 1)") == "0")
    contains(shell.run("COMMIT;"), "ERROR:  40001")
    true(sold() < 1000000)
    equal((left("once"), held("once")), (0, 0))
    shell.close()
    other.close()


@test
def a_commit_is_refused_when_redis_is_away():
    redis("HSET", "away", "concert", 5)
    shell = server.session("d")
    shell.run("SET sqlredis.command_timeout = 500; BEGIN; INSERT INTO sold VALUES (1000000, 0); "
              "SELECT redis_reserve('away', 'concert', 2);")
    redis.freeze()
    contains(shell.run("COMMIT;", patience=30), "ERROR:  08000")
    redis.thaw()
    true(sold() < 1000000)
    wait_for("the breaker", lambda: shell.run("SELECT redis_ping();") == "PONG")
    equal((left("away"), held("away")), (5, 0))
    # the effect of the lost reply is undone, too
    redis.freeze()
    contains(shell.run("SELECT redis_reserve('away', 'concert', 2);", patience=30), "ERROR:  08000")
    redis.thaw()
    wait_for("the breaker", lambda: shell.run("SELECT redis_ping();") == "PONG")
    wait_for("its being given back", lambda: (left("away"), held("away")) == (5, 0))
    for quantity in ("0", "-1"):
        contains(shell.run("SELECT redis_reserve('away', 'concert', %s);" % quantity), "ERROR:  22023")
    equal(shell.run("SELECT redis_reserve('away', 'nothing', 1), redis_reserve('none', 'concert', 1);"), "NULL|NULL")
    shell.close()


@test
def prepare_is_refused():
    redis("HSET", "two", "concert", 2)
    shell = server.session("d")
    contains(shell.run("BEGIN; SELECT redis_reserve('two', 'concert', 1); PREPARE TRANSACTION 'x';"), "0A000")
    equal((left("two"), held("two")), (2, 0))
    shell.close()


if __name__ == "__main__":
    main()
