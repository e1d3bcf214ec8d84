"""redis_cached and its kin: who may fill, and with which snapshot."""

from harness import Postgres, Redis, SqlError, Wire, contains, equal, main, test, true, wait_for

redis = Redis()
server = Postgres(redis.url, settings={"max_connections": "140", "sqlredis.cache_wait": "'30s'", "sqlredis.cache_lease": "'60s'"})
server.database("d")
server.sql("CREATE TABLE t (v int); INSERT INTO t VALUES (1); CREATE TABLE u (v int);"
           "SELECT redis_invalidate_on('t', 'k')", "d")

READ = "SELECT redis_cached('k', 600, 'SELECT v FROM t')"
LOCK = "SELECT pg_advisory_lock(7)"
UNLOCK = "SELECT pg_advisory_unlock(7)"
ENTRY = "k:sqlredis{k}"


def wire(cluster=server, database="d"):
    return Wire(cluster.host, cluster.port, cluster.name, database)


def counter(session, name):
    return int(session.value("SELECT value FROM redis_stats() WHERE name = 'cache_%s'" % name))


def waiting_for_lock():
    return int(server.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


def set_value(v, cluster=server):
    cluster.sql("UPDATE t SET v = %d" % v, "d")


class During:
    """A statement is stopped in the middle of its work: with During(session, sql) as running: ... running.result()"""

    def __init__(self, session, statement):
        self.session = session
        self.holder = wire()
        self.holder.run(LOCK)
        session.send(statement)
        wait_for("the statement", lambda: waiting_for_lock() == 1)

    def __enter__(self):
        return self

    def go_on(self):
        self.holder.run(UNLOCK)
        return self.session.result()

    def __exit__(self, *exception):
        self.holder.close()


# ---- snapshots ----

@test
def the_query_sees_what_was_committed_before_the_lease():
    session, other = wire(), wire()
    set_value(1)
    with During(session, "SELECT redis_cached('k' || l::text, 600, 'SELECT v FROM t') FROM pg_advisory_xact_lock(7) l") as running:
        set_value(2)
        equal(running.go_on(), [["2"]])
    equal(other.value(READ), "2")
    equal(counter(other, "hits"), 1)


@test
def what_is_committed_while_the_query_runs_voids_the_lease():
    session, other = wire(), wire()
    set_value(1)
    with During(session, "SELECT redis_cached('k', 600, 'SELECT v FROM t, pg_advisory_xact_lock(7)')") as running:
        set_value(2)
        equal(running.go_on(), [["1"]])
    equal(counter(session, "unfilled_lease_lost"), 1)
    equal(other.value(READ), "2")


@test
def a_statement_does_not_fill_what_it_saw_before_its_lease():
    session, other = wire(), wire()
    fill = ("SELECT redis_cache_fill('k', g.lease, (SELECT v FROM t)::text, 600) FROM pg_advisory_xact_lock(7) l,"
            " LATERAL redis_cache_get('k' || l::text) g")
    set_value(1)
    with During(session, fill) as running:
        set_value(2)
        equal(running.go_on(), [["f"]])
    equal(counter(session, "unfilled_isolation"), 1)
    equal(other.value(READ), "2")
    # the lease is given back
    equal(counter(other, "waits"), 0)
    # a transaction that was there before, and is not any more
    redis("FLUSHALL")
    writer = wire()
    writer.run("BEGIN; UPDATE t SET v = 3")
    with During(session, fill) as running:
        writer.run("COMMIT")
        equal(running.go_on(), [["f"]])
    # one that goes on does not matter, nor does nothing at all
    redis("FLUSHALL")
    writer.run("BEGIN; UPDATE u SET v = 3; SELECT txid_current()")
    with During(session, fill) as running:
        equal(running.go_on(), [["t"]])
    writer.run("ROLLBACK")
    equal(other.value(READ), "3")


GET_FILL = """
CREATE OR REPLACE FUNCTION report() RETURNS text LANGUAGE plpgsql %s AS $$
DECLARE
    got record;
    computed text;
    filled boolean;
BEGIN
    PERFORM pg_advisory_lock(7);
    SELECT * INTO got FROM redis_cache_get('k');
    PERFORM pg_advisory_unlock(7);
    computed := (SELECT v FROM t);
    filled := redis_cache_fill('k', got.lease, computed, 600);
    RETURN computed || filled;
END $$"""


@test
def a_function_that_gets_computes_and_fills():
    session, other = wire(), wire()
    set_value(1)
    session.run(GET_FILL % "VOLATILE")
    with During(session, "SELECT report()") as running:
        set_value(2)
        equal(running.go_on(), [["2true"]])
    equal(other.value(READ), "2")
    # a STABLE one computes with the snapshot of its caller
    redis("FLUSHALL")
    session.run(GET_FILL % "STABLE")
    with During(session, "SELECT report()") as running:
        set_value(3)
        equal(running.go_on(), [["2false"]])
    equal(other.value(READ), "3")
    # in one transaction, and across several
    redis("FLUSHALL")
    session.run("BEGIN")
    lease = session.value("SELECT lease FROM redis_cache_get('k')")
    set_value(4)
    redis("FLUSHALL")
    lease = session.value("SELECT lease FROM redis_cache_get('k')")
    equal(session.value("SELECT redis_cache_fill('k', '%s', v::text, 600) FROM t" % lease), "t")
    session.run("COMMIT")
    equal(other.value(READ), "4")


@test
def an_older_snapshot_answers_and_does_not_fill():
    session, other = wire(), wire()
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        set_value(1)
        session.run("BEGIN ISOLATION LEVEL %s; SELECT v FROM t" % level)
        set_value(2)
        equal(session.value(READ), "1")
        equal(session.run("SELECT * FROM redis_cache_get('k')"), [[None, None]])
        lease = other.value("SELECT lease FROM redis_cache_get('k')")
        equal(session.value("SELECT redis_cache_fill('k', '%s', '1', 600)" % lease), "f")
        session.run("COMMIT")
        equal(other.value(READ), "2")
        # a hit is a hit
        session.run("BEGIN ISOLATION LEVEL %s" % level)
        equal(session.value("SELECT redis_cached('k', 600, 'nonsense')"), "2")
        session.run("COMMIT")


@test
def own_writes_are_not_filled():
    session, other = wire(), wire()
    redis("FLUSHALL")
    session.run("BEGIN; UPDATE u SET v = 1; INSERT INTO u VALUES (99)")
    equal(session.value("SELECT redis_cached('own', 600, 'SELECT max(v) FROM u')"), "99")
    equal(session.run("SELECT * FROM redis_cache_get('own')"), [[None, None]])
    session.run("ROLLBACK")
    equal(other.value("SELECT redis_cached('own', 600, 'SELECT coalesce(max(v), 0) FROM u')"), "0")
    # written by the query itself, in a savepoint, by a function
    for query in ("INSERT INTO u VALUES (5) RETURNING v", "SELECT txid_current() * 0 + 5",
                  "WITH w AS (INSERT INTO u VALUES (5) RETURNING v) SELECT v FROM w"):
        session.run("BEGIN")
        equal(session.value("SELECT redis_cached('own2', 600, '%s')" % query), "5")
        session.run("ROLLBACK")
        equal(redis("EXISTS", "own2:sqlredis{own2}"), 0, query)
    lease = session.value("SELECT lease FROM redis_cache_get('own3')")
    session.run("BEGIN; SAVEPOINT s; INSERT INTO u VALUES (6); ROLLBACK TO s")
    equal(session.value("SELECT redis_cache_fill('own3', '%s', '6', 600)" % lease), "f")
    session.run("ROLLBACK")


@test
def what_this_transaction_invalidates_is_no_hit():
    session, other = wire(), wire()
    set_value(1)
    equal(other.value(READ), "1")
    session.run("BEGIN; UPDATE t SET v = 2")
    equal(session.value(READ), "2")
    equal(other.value(READ), "1")
    equal(session.run("SELECT * FROM redis_cache_get('k')"), [[None, None]])
    session.run("SAVEPOINT s; SELECT redis_invalidate('other')")
    session.run("ROLLBACK")
    equal(session.value(READ), "1")
    equal(counter(session, "hits"), 1)
    # without a write: the query still sees what it should, and nobody else does
    session.run("BEGIN; SELECT redis_invalidate('k')")
    equal(session.value("SELECT redis_cached('k', 600, 'SELECT 5')"), "5")
    session.run("SAVEPOINT s; SELECT redis_invalidate('j')")
    lease = other.value("SELECT lease FROM redis_cache_get('j')")
    equal(session.value("SELECT redis_cache_fill('j', '%s', 'x', 600)" % lease), "f")
    session.run("ROLLBACK TO s")
    session.run("COMMIT")
    equal(other.value(READ), "1")


@test
def a_read_only_transaction_fills():
    session, other = wire(), wire()
    redis("FLUSHALL")
    session.run("SET default_transaction_read_only = on")
    equal(session.value(READ), other.value(READ))
    equal(counter(other, "hits"), 1)


@test
def what_row_security_hides_from_some_is_not_filled():
    server.sql("CREATE ROLE one LOGIN; CREATE ROLE two LOGIN; CREATE TABLE secrets (v text, of text); INSERT INTO secrets VALUES ('1', 'one'), ('2', 'two');"
               "ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON secrets USING (of = current_user); GRANT SELECT ON secrets TO one, two;"
               "CREATE FUNCTION inlined() RETURNS SETOF secrets LANGUAGE sql STABLE AS 'SELECT * FROM public.secrets';"
               "CREATE FUNCTION inlined(int) RETURNS SETOF secrets LANGUAGE sql STABLE AS 'SELECT * FROM public.secrets WHERE $1 = 1';"
               "CREATE VIEW of_function WITH (security_invoker) AS SELECT * FROM inlined(1); GRANT SELECT ON of_function TO one, two;"
               "SELECT redis_grant('read', 'one'), redis_grant('read', 'two');"
               "GRANT EXECUTE ON FUNCTION redis_cached(text, double precision, text), redis_cached(text, double precision, text, VARIADIC \"any\") TO one, two", "d")
    for rest in ("'SELECT v FROM secrets'", "'SELECT v FROM inlined()'", "'SELECT v FROM inlined($1)', 1", "'SELECT max(v) FROM generate_series(1, 2), inlined()'",
                 "'SELECT (SELECT v FROM inlined($1))', 1", "'WITH f AS MATERIALIZED (SELECT v FROM inlined()) SELECT v FROM f'", "'SELECT v FROM of_function'"):
        redis("FLUSHALL")
        for role, v in (("one", "1"), ("two", "2")):
            equal(server.sql("SELECT redis_cached('secret', 600, %s)" % rest, "d", role), v, rest)
    # a function that does not read what is hidden is as good as a table
    session = wire()
    session.run("SELECT redis_cached('open', 600, 'SELECT g FROM generate_series(1, 1) g')")
    equal(counter(session, "fills"), 1)
    server.sql("DROP VIEW of_function; DROP FUNCTION inlined(), inlined(int); DROP TABLE secrets; DROP OWNED BY one, two; DROP ROLE one, two", "d")


@test
def what_is_made_of_a_hit_is_as_old():
    session, other = wire(), wire()
    outer = "SELECT redis_cached('outer', 600, 'SELECT redis_cached(''k'', 600, ''SELECT v FROM t'')')"
    set_value(1)
    redis("FLUSHALL")
    # made of what was read under the lease
    equal((session.value(outer), counter(session, "fills")), ("1", 2))
    # a commit's deletions arrive one after the other
    entry = redis("GET", ENTRY)
    set_value(2)
    redis("SET", ENTRY, entry)
    redis("DEL", "outer:sqlredis{outer}")
    equal(session.value(outer), "1")
    redis("DEL", ENTRY)
    equal(other.value(outer), "2")
    equal(counter(session, "unfilled_isolation"), 1)
    # two levels down; and what comes after it is not concerned
    redis("FLUSHALL")
    equal(session.value("SELECT redis_cached('k', 600, 'SELECT 5')"), "5")
    equal(session.value("SELECT redis_cached('third', 600, $$SELECT redis_cached('second', 600, $q$SELECT redis_cached('k', 600, 'x')$q$)$$)"), "5")
    equal(redis("DBSIZE"), 1)
    equal(session.value("SELECT redis_cached('next', 600, 'SELECT 6')"), "6")
    equal(redis("DBSIZE"), 2)


# ---- many ----

@test
def many_that_miss_at_once_run_the_query_once():
    redis("FLUSHALL")
    sessions = [wire() for _ in range(100)]
    holder = wire()
    holder.run(LOCK)
    for session in sessions:
        session.send("SELECT redis_cached('once', 600, 'SELECT redis_incr(''runs'') FROM pg_advisory_xact_lock_shared(7)')")
    # one runs the query, the others wait for it
    wait_for("all of them", lambda: int(server.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event_type IN ('Lock', 'Extension')")) == 100)
    equal(waiting_for_lock(), 1)
    holder.run(UNLOCK)
    equal({tuple(session.result()[0]) for session in sessions}, {("1",)})
    equal(redis("GET", "runs"), b"1")
    equal(sum(counter(session, "fills") for session in sessions), 1)
    equal(sum(counter(session, "hits") for session in sessions), 99)
    for session in sessions + [holder]:
        session.close()


@test
def who_waits_too_long_answers_without_filling():
    session, other = wire(), wire()
    redis("FLUSHALL")
    set_value(1)
    true(other.value("SELECT lease FROM redis_cache_get('k')"))
    session.run("SET sqlredis.cache_wait = '30ms'")
    equal(session.value(READ), "1")
    equal((counter(session, "waits"), counter(session, "unfilled_waited"), counter(session, "fills")), (1, 1, 0))
    # the wait can be cancelled
    session.run("SET sqlredis.cache_wait = '60s'")
    session.send(READ)
    wait_for("the wait", lambda: server.sql("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %d" % session.pid) == "Extension")
    server.sql("SELECT pg_cancel_backend(%d)" % session.pid)
    try:
        session.result()
        raise AssertionError("not cancelled")
    except SqlError as error:
        equal(error.state, "57014")
    redis("FLUSHALL")
    equal(session.value(READ), "1")


@test
def a_query_that_fails_gives_its_lease_back():
    session, other = wire(), wire()
    redis("FLUSHALL")
    for setting, query, state in (("", "SELECT 1 / 0", "22012"), ("", "SELECT nonsense", "42703"),
                                  ("SET statement_timeout = '50ms'", "SELECT 1 FROM pg_sleep(60)", "57014")):
        session.run(setting or "SELECT 1")
        try:
            session.run("SELECT redis_cached('fails', 600, '%s')" % query)
            raise AssertionError("no error")
        except SqlError as error:
            equal(error.state, state)
        session.run("RESET statement_timeout")
        equal(redis("EXISTS", "fails:sqlredis{fails}"), 0, query)
    equal(counter(session, "unfilled_failed"), 3)
    with During(session, "SELECT redis_cached('fails', 600, 'SELECT 1 FROM pg_advisory_xact_lock(7)')"):
        equal(redis("EXISTS", "fails:sqlredis{fails}"), 1)
        server.sql("SELECT pg_cancel_backend(%d)" % session.pid)
        try:
            session.result()
            raise AssertionError("not cancelled")
        except SqlError as error:
            equal(error.state, "57014")
        equal(redis("EXISTS", "fails:sqlredis{fails}"), 0)
    # caught by the caller, the connection is as good as before
    equal(session.run("DO $$ BEGIN PERFORM redis_cached('fails', 600, 'SELECT 1 / 0'); EXCEPTION WHEN division_by_zero THEN NULL; END $$;"
                      "SELECT redis_cached('fails', 600, 'SELECT 5')"), [["5"]])
    equal(other.value("SELECT redis_cached('fails', 600, 'nonsense')"), "5")


# ---- outages ----

@test
def without_redis_the_database_answers():
    session = wire()
    set_value(1)
    equal(session.value(READ), "1")
    redis.stop()
    try:
        said = []
        for _ in range(3):
            equal(session.value(READ), "1")
            said += session.warnings
            equal(session.run("SELECT * FROM redis_cache_get('k')"), [[None, None]])
            equal(session.value("SELECT redis_cache_fill('k', '%s', 'v', 600)" % ("0" * 64)), "f")
            said += session.warnings
        equal(len(said), 1, said)
        contains(said[0], "the cache cannot be used, the database answers")
        true(counter(session, "unfilled_away") >= 3)
        equal(session.value("SELECT redis_cached('other', 600, 'SELECT 1')"), "1")
        try:
            session.run("SELECT redis_cached('k', 600, 'SELECT 1 / 0')")
            raise AssertionError("no error")
        except SqlError as error:
            equal(error.state, "22012")
    finally:
        redis.start()
    wait_for("Redis", lambda: session.value("SELECT ok FROM redis_health()") == "t")
    equal(session.value(READ), "1")
    hits = counter(session, "hits")
    equal(session.value(READ), "1")
    equal(counter(session, "hits"), hits + 1)
    # another outage is another warning
    redis.stop()
    try:
        session.run(READ)
        equal(len(session.warnings), 1)
    finally:
        redis.start()


@test
def redis_goes_while_the_query_runs():
    session = wire()
    redis("FLUSHALL")
    try:
        with During(session, "SELECT redis_cached('k', 600, 'SELECT v FROM t, pg_advisory_xact_lock(7)')") as running:
            redis.stop()
            equal(running.go_on(), [["1"]])
        equal(len(session.warnings), 1)
    finally:
        redis.start()


@test
def settings_that_cannot_be_used_are_errors():
    session = wire()
    session.run("SET sqlredis.url = ''")
    for call in (READ, "SELECT * FROM redis_cache_get('k')", "SELECT redis_cache_fill('k', 'l', 'v', 1)"):
        try:
            session.run(call)
            raise AssertionError("no error")
        except SqlError as error:
            equal(error.state, "22023")


if __name__ == "__main__":
    main()
