"""Templates that are queries, among other sessions: what they see, what they leave behind."""

from harness import Postgres, Redis, SqlError, Wire, equal, main, test, true, wait_for

redis = Redis()
server = Postgres(redis.url)
server.database("d")


def wire():
    return Wire(server.host, server.port, server.name, "d")


def keys(session):
    return sorted(row[0] for row in session.run("SELECT key FROM redis_pending()"))


def fresh():
    """Two users, one of them in a team; the sessions of two clients."""
    server.sql("DROP TABLE IF EXISTS members, users CASCADE; CREATE TABLE users (id int PRIMARY KEY, name text);"
               "CREATE TABLE members (user_id int REFERENCES users ON DELETE CASCADE, team int);"
               "INSERT INTO users VALUES (1), (2); INSERT INTO members VALUES (1, 10);"
               "SELECT redis_invalidate_on('users', 'SELECT ''team:'' || team FROM members WHERE user_id = {id}')", "d")
    redis("FLUSHALL")
    return wire(), wire()


@test
def what_others_commit_is_seen_at_every_isolation_level():
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        writer, other = fresh()
        writer.run("BEGIN ISOLATION LEVEL %s; SELECT count(*) FROM members; INSERT INTO members VALUES (1, 11)" % level)
        other.run("INSERT INTO members VALUES (1, 12)")
        other.run("BEGIN; INSERT INTO members VALUES (1, 13)")
        writer.run("UPDATE users SET name = 'x' WHERE id = 1")
        equal(keys(writer), ["team:10", "team:11", "team:12"], level)
        writer.run("ROLLBACK")
        other.run("ROLLBACK")


@test
def a_row_that_waited_to_be_deleted():
    writer, other = fresh()
    other.run("BEGIN; INSERT INTO members VALUES (1, 12)")
    redis("MSET", "team:10", "v", "team:12", "v")
    writer.send("DELETE FROM users WHERE id = 1")
    wait_for("the DELETE", lambda: server.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1")
    other.run("COMMIT")
    writer.result()
    # the member that came while the statement waited has gone with the user
    equal(server.sql("SELECT count(*) FROM members", "d"), "0")
    equal(redis("EXISTS", "team:10", "team:12"), 0)


@test
def one_that_reads_what_the_statement_changes():
    writer = wire()
    writer.run("CREATE TABLE mails (id int, mail text); CREATE TABLE mails_2 () INHERITS (mails); INSERT INTO mails VALUES (1, 'old'); INSERT INTO mails_2 VALUES (2, 'old');"
               "CREATE VIEW seen AS SELECT * FROM mails; CREATE FUNCTION mail_of(n int) RETURNS text LANGUAGE sql STABLE AS 'SELECT mail FROM mails WHERE id = n'")
    for query in ("SELECT mail FROM mails WHERE id = {id}", "SELECT mail FROM seen WHERE id = {id}", "SELECT mail_of({id})"):
        writer.run("SELECT redis_invalidate_on('mails', '%s')" % query.replace("'", "''"))
        for n in (1, 2):
            writer.run("BEGIN; UPDATE mails SET mail = 'new' WHERE id = %d" % n)
            equal(keys(writer), ["new", "old"], query)
            writer.run("ROLLBACK")
    writer.run("DROP TABLE mails CASCADE; DROP FUNCTION mail_of")


@test
def what_it_reads_changes_its_shape():
    writer, other = fresh()
    writer.run("UPDATE users SET name = 'x'")
    for change in ("ALTER TABLE members ADD COLUMN note text", "CREATE INDEX ON members (user_id)", "ALTER TABLE members ALTER team TYPE bigint",
                   "ALTER TABLE members ALTER team TYPE text", "ALTER TABLE users ADD more int", "ALTER TABLE users ALTER name TYPE varchar(10)",
                   "ANALYZE members, users", "VACUUM FULL members"):
        other.run(change)
        writer.run("BEGIN; UPDATE users SET name = 'y' WHERE id = 1")
        equal(keys(writer), ["team:10"], change)
        writer.run("ROLLBACK")
    # both in one transaction
    writer.run("BEGIN; ALTER TABLE members RENAME TO old_members; CREATE TABLE members AS SELECT 1 AS user_id, 77 AS team;"
               "UPDATE users SET name = 'z' WHERE id = 1")
    equal(keys(writer), ["team:77"])
    writer.run("ROLLBACK; BEGIN; UPDATE users SET name = 'z' WHERE id = 1")
    equal(keys(writer), ["team:10"])
    writer.run("ROLLBACK")


@test
def one_that_is_cancelled_or_fails_works_the_next_time():
    writer, other = fresh()
    server.sql("SELECT redis_invalidate_on('users', 'SELECT ''team:'' || team FROM members, pg_advisory_xact_lock_shared(7) WHERE user_id = {id}',"
               "'SELECT 1 / {id}')", "d")
    other.run("SELECT pg_advisory_lock(7)")
    writer.send("UPDATE users SET name = 'x' WHERE id = 1")
    wait_for("the lookup", lambda: server.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1")
    server.sql("SELECT pg_cancel_backend(%d)" % writer.pid)
    try:
        writer.result()
        raise AssertionError("not cancelled")
    except SqlError as error:
        equal(error.state, "57014")
    other.run("SELECT pg_advisory_unlock(7)")
    writer.run("BEGIN; SAVEPOINT s")
    try:
        writer.run("INSERT INTO users VALUES (0)")
        raise AssertionError("no error")
    except SqlError as error:
        equal(error.state, "22012")
    writer.run("ROLLBACK TO s; SELECT current_setting('search_path'), current_setting('row_security')")
    equal(writer.run("SELECT current_setting('row_security'), current_user"), [["on", server.name]])
    other.run("ALTER TABLE members ADD more int")
    writer.run("UPDATE users SET name = 'x' WHERE id = 1")
    equal(keys(writer), ["1", "team:10"])
    writer.run("COMMIT")


@test
def a_writer_cannot_be_made_to_do_what_the_owner_wants():
    server.sql("CREATE ROLE owner LOGIN; GRANT CREATE ON SCHEMA public TO owner; CREATE TABLE loot (who text)", "d")
    server.sql("CREATE TABLE trap (id int);"
               "CREATE FUNCTION public.grab() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.loot VALUES (current_user);"
               " RETURN 'x'; END $$; CREATE FUNCTION public.leave() RETURNS text LANGUAGE plpgsql AS"
               " $$ BEGIN EXECUTE 'CREATE TEMP TABLE left_behind AS SELECT 1'; RETURN 'x'; END $$", "d", "owner")
    server.sql("GRANT EXECUTE ON FUNCTION redis_invalidate(), redis_invalidate_on(regclass, text[]) TO owner", "d")
    writer = wire()
    for function in ("grab", "leave"):
        server.sql("SELECT redis_invalidate_on('trap', 'SELECT %s()')" % function, "d", "owner")
        try:
            writer.run("INSERT INTO trap VALUES (1)")
            raise AssertionError("no error")
        except SqlError as error:
            equal(error.state, "42501", str(error))
    equal(server.sql("SELECT count(*) FROM loot", "d"), "0")
    # nor are the writer's settings the owner's to change
    server.sql("CREATE FUNCTION public.set_up() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 'nowhere', false),"
               " set_config('work_mem', '77kB', false); RETURN 'x'; END $$; SELECT redis_invalidate_on('trap', 'SELECT set_up()')", "d", "owner")
    before = writer.run("SELECT current_setting('search_path'), current_setting('work_mem')")
    writer.run("INSERT INTO trap VALUES (1)")
    equal(writer.run("SELECT current_setting('search_path'), current_setting('work_mem')"), before)
    server.sql("DROP FUNCTION set_up; DROP TABLE trap, loot; DROP FUNCTION grab, leave; DROP OWNED BY owner; DROP ROLE owner", "d")


@test
def a_query_has_the_rights_of_who_wrote_it():
    server.sql("CREATE ROLE author LOGIN; GRANT CREATE ON SCHEMA public TO author; CREATE TABLE ran_as (who text); GRANT INSERT ON ran_as TO PUBLIC;"
               "GRANT EXECUTE ON FUNCTION redis_invalidate(), redis_invalidate_on(regclass, text[]) TO author;"
               "CREATE TABLE writable (id int); GRANT INSERT, TRIGGER ON writable TO author;"
               "CREATE TABLE whole (id int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF whole DEFAULT;"
               "ALTER TABLE part OWNER TO author; SELECT redis_invalidate_on('whole', 'whole:{id}'); INSERT INTO whole VALUES (1);"
               "CREATE TABLE parent (id int); ALTER TABLE parent OWNER TO author", "d")
    server.sql("CREATE FUNCTION note() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ran_as VALUES (current_user); RETURN 'x'; END $$;"
               "SELECT redis_invalidate_on('parent', 'SELECT note()')", "d", "author")
    shell = server.session("d", "author")
    # on a table that one may only put triggers on, whatever one has set
    for setting in ("on", "off"):
        said = shell.run("SET check_function_bodies = %s; CREATE TRIGGER t AFTER INSERT ON writable FOR EACH ROW"
                         " EXECUTE FUNCTION redis_invalidate('w:{id}', 'SELECT note()');" % setting)
        true("42501" in said and "must be owner" in said, said)
    shell.run("CREATE TRIGGER t AFTER INSERT ON writable FOR EACH ROW EXECUTE FUNCTION redis_invalidate('w:{id}'); INSERT INTO writable VALUES (1);")
    equal(server.sql("SELECT count(*) FROM ran_as", "d"), "0")
    # in place of the trigger that goes with somebody else's
    shell.run("DROP TRIGGER sqlredis_truncate ON part; CREATE TRIGGER sqlredis_truncate BEFORE TRUNCATE ON part"
              " EXECUTE FUNCTION redis_invalidate('SELECT note()'); TRUNCATE part;")
    # from a table that somebody else's inherits from
    server.sql("CREATE TABLE child () INHERITS (parent); GRANT INSERT, TRUNCATE ON child TO author", "d")
    shell.run("INSERT INTO child VALUES (1); TRUNCATE child;")
    equal(server.sql("SELECT who, count(*) FROM ran_as GROUP BY 1", "d"), "author|3")
    # nor when it is taken away there
    shell.run("DROP TRIGGER sqlredis_invalidate ON parent; DROP TRIGGER sqlredis_truncate ON parent; INSERT INTO child VALUES (1); TRUNCATE child;")
    server.sql("ALTER TABLE child NO INHERIT parent; INSERT INTO child VALUES (1)", "d")
    shell.close()
    equal(server.sql("SELECT who, count(*) FROM ran_as GROUP BY 1", "d"), "author|3")
    server.sql("DROP TABLE whole, writable, parent, child, ran_as; DROP OWNED BY author; DROP ROLE author", "d")


@test
def the_table_that_it_was_named_for_changes():
    writer, other = wire(), wire()
    other.run("CREATE TABLE top (id int); CREATE TABLE middle () INHERITS (top); CREATE TABLE bottom () INHERITS (middle);"
              "SELECT redis_invalidate_on('top', 'SELECT ''top:'' || {id}', 'plain:{id}')")
    for change, expected in (("SELECT 1", ["plain:1", "top:1"]), ("ALTER TABLE top RENAME TO summit", ["plain:1", "top:1"]),
                             ("ALTER TABLE middle NO INHERIT summit; DROP TABLE summit", ["plain:1"])):
        other.run(change)
        writer.run("BEGIN; INSERT INTO bottom VALUES (1)")
        equal(keys(writer), expected, change)
        writer.run("ROLLBACK")
    other.run("DROP TABLE middle CASCADE")


@test
def plans_go_with_their_tables():
    writer = wire()
    writer.run("""
        CREATE TABLE stays (id int); SELECT redis_invalidate_on('stays', 'SELECT ''s:'' || {id}');
        DO $$ BEGIN
            FOR i IN 1..300 LOOP
                INSERT INTO stays VALUES (i);
                CREATE TEMP TABLE comes (id int);
                PERFORM redis_invalidate_on('comes', 'SELECT ''c:'' || {id}');
                EXECUTE format('INSERT INTO comes VALUES (%s)', i);
                DROP TABLE comes;
            END LOOP;
            ASSERT (SELECT count(*) FROM redis_pending()) = 600;
        END $$""")
    true(int(writer.value("SELECT count(*) FROM pg_backend_memory_contexts WHERE name IN ('sqlredis template', 'CachedPlanSource', 'SPI Plan')")) < 600)
    # one that is refused leaves nothing
    writer.run("CREATE ROLE unread; CREATE TABLE hidden (id int); ALTER TABLE hidden OWNER TO unread")
    contexts = "SELECT count(*) FROM pg_backend_memory_contexts"
    refused = ("DO $$ BEGIN FOR i IN 1..%d LOOP BEGIN PERFORM redis_invalidate_on('hidden', 'SELECT 1 FROM public.stays');"
               " EXCEPTION WHEN insufficient_privilege THEN NULL; END; END LOOP; END $$")
    writer.run(refused % 1)
    before = int(writer.value(contexts))
    writer.run(refused % 100)
    true(int(writer.value(contexts)) - before < 50)
    writer.run("DROP TABLE hidden; DROP ROLE unread")
    # a row costs no memory that stays
    writer.run("INSERT INTO stays SELECT generate_series(1, 20000)")
    before = int(writer.value("SELECT sum(used_bytes) FROM pg_backend_memory_contexts"))
    writer.run("BEGIN; UPDATE stays SET id = id; ROLLBACK")
    after = int(writer.value("SELECT sum(used_bytes) FROM pg_backend_memory_contexts"))
    true(after - before < 1000000, "%d bytes" % (after - before))
    writer.run("DROP TABLE stays")


if __name__ == "__main__":
    main()
