"""Tables that change under their triggers: who changes them, dumps, upgrades, replication's tools."""

import os
import shutil

from harness import Postgres, Redis, contains, equal, main, run, temp_dir, test, true
from harness.process import give_to

redis = Redis()
server = Postgres(redis.url)
server.database("d")

TRIGGERS = ("SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'sqlredis%'"
            " ORDER BY tgrelid::regclass::text COLLATE \"C\", 2")


def triggers(database="d"):
    return server.sql(TRIGGERS, database).split("\n")


def sql(text, role=None):
    return server.sql(text, "d", role)


def fails(text, *parts, role=None):
    shell = server.session("d", role)
    said = shell.run(text)
    shell.close()
    for part in parts:
        contains(said, part)


def cached_and_gone(statement, *keys, role=None):
    redis("FLUSHALL")
    redis("MSET", *(word for key in keys for word in (key, "v")))
    sql(statement, role)
    equal(redis("EXISTS", *keys), 0, statement)


@test
def new_and_attached_partitions():
    sql("CREATE TABLE p (id int, r text) PARTITION BY LIST (r);"
        "CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a'); SELECT redis_invalidate_on('p', 'p:{id}');"
        "CREATE TABLE p_b PARTITION OF p FOR VALUES IN ('b'); CREATE TABLE p_d PARTITION OF p DEFAULT;"
        "CREATE TABLE p_c (r text, id int) PARTITION BY LIST (r);"
        "CREATE TABLE p_c1 PARTITION OF p_c FOR VALUES IN ('c');"
        "ALTER TABLE p ATTACH PARTITION p_c FOR VALUES IN ('c', 'e');"
        "CREATE TABLE p_e PARTITION OF p_c FOR VALUES IN ('e');")
    names = ["p", "p_a", "p_b", "p_c", "p_c1", "p_d", "p_e"]
    equal(triggers(), ["%s|sqlredis_%s|A" % (name, kind) for name in names for kind in ("invalidate", "truncate")])
    sql("INSERT INTO p VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'other'), (5, 'e')")
    for partition, key in (("p_b", "p:2"), ("p_c1", "p:3"), ("p_d", "p:4"), ("p_e", "p:5")):
        cached_and_gone("TRUNCATE " + partition, key)
    # a partition that leaves loses both, and one that comes back has the right ones
    sql("ALTER TABLE p DETACH PARTITION p_c")
    equal([line for line in triggers() if line.startswith("p_c") or line.startswith("p_e")], [])
    sql("CREATE TABLE q (id int, r text) PARTITION BY LIST (r); SELECT redis_invalidate_on('q', 'q:{id}');"
        "ALTER TABLE q ATTACH PARTITION p_c FOR VALUES IN ('c', 'e')")
    cached_and_gone("INSERT INTO p_c1 VALUES ('c', 7)", "q:7")
    cached_and_gone("TRUNCATE p_c1", "q:7")
    sql("ALTER TABLE p DETACH PARTITION p_d")
    sql("ALTER TABLE p DETACH PARTITION p_b CONCURRENTLY")
    equal([line for line in triggers() if line.startswith("p_b")], [])
    sql("DROP TABLE p, q, p_b, p_d")


@test
def inheritance_children():
    sql("CREATE TABLE a (id int); CREATE TABLE b (n int); SELECT redis_invalidate_on('a', 'a:{id}'), redis_invalidate_on('b', 'b:{n}');"
        "CREATE TABLE ab () INHERITS (a, b); CREATE TABLE c (id int); CREATE TABLE cc () INHERITS (c);"
        "SELECT redis_invalidate_on('cc', 'cc:{id}'); ALTER TABLE c INHERIT a; CREATE TABLE later () INHERITS (cc)")
    equal(sql("SELECT relation, templates FROM redis_invalidations() ORDER BY 1").split("\n"),
          ['a|["a:{id}"]', 'ab|["a:{id}", "b:{n}"]', 'b|["b:{n}"]', 'c|["a:{id}"]', 'cc|["cc:{id}", "a:{id}"]',
           'later|["cc:{id}", "a:{id}"]'])
    cached_and_gone("INSERT INTO ab VALUES (1, 2)", "a:1", "b:2")
    cached_and_gone("UPDATE a SET id = 3", "a:1", "a:3")
    cached_and_gone("TRUNCATE ab", "a:3", "b:2")
    cached_and_gone("INSERT INTO later VALUES (4)", "a:4", "cc:4")
    fails("ALTER TABLE a RENAME id TO x;", "2BP01", "named in a key template", "redis_invalidate_off")
    fails("ALTER TABLE b DROP n CASCADE;", "2BP01")
    # made with its schema, or with triggers that others made passed by
    sql("CREATE SCHEMA made CREATE TABLE ac () INHERITS (public.a); SET session_replication_role = replica; CREATE TABLE ad () INHERITS (a)")
    cached_and_gone("INSERT INTO made.ac VALUES (5)", "a:5")
    cached_and_gone("INSERT INTO ad VALUES (6)", "a:6")
    fails("CREATE SCHEMA bad CREATE TABLE t (id int) CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION public.redis_invalidate('{x}');", "42703")
    sql("DROP SCHEMA made CASCADE")
    # one that is there again, or still
    sql("ALTER TABLE b DROP n CASCADE, ADD n text; DROP TABLE ab; CREATE TABLE own (n text) INHERITS (b); SELECT redis_invalidate_on('own', 'own:{n}');"
        "SELECT redis_invalidate_off('b'); SELECT redis_invalidate_on('own', 'own:{n}'); ALTER TABLE b DROP n")
    cached_and_gone("INSERT INTO own VALUES ('x')", "own:x")
    # a parent that is not tracked itself
    sql("CREATE TABLE base (id int); CREATE TABLE kid () INHERITS (base); SELECT redis_invalidate_on('kid', 'k:{id}')")
    fails("ALTER TABLE base RENAME id TO x;", 'relation "kid"', "2BP01")
    sql("DROP TABLE a, b, base CASCADE; DROP TABLE IF EXISTS c")


@test
def triggers_by_hand():
    sql("CREATE TABLE t (id int, n int); CREATE TRIGGER mine AFTER UPDATE ON t FOR EACH ROW"
        " EXECUTE FUNCTION redis_invalidate('t:{id}', 'SELECT ''n:'' || {n}')")
    fails("ALTER TABLE t RENAME id TO x;", "2BP01", "Drop the trigger")
    fails("ALTER TABLE t RENAME COLUMN n TO x;", "2BP01")
    fails("ALTER TABLE IF EXISTS t ADD COLUMN more int, DROP COLUMN n;", "2BP01")
    fails("CREATE TRIGGER bad AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION redis_invalidate('t:{x}');", "42703")
    fails("CREATE CONSTRAINT TRIGGER bad AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION redis_invalidate('SELECT 1 FROM nowhere');", "42P01")
    sql("ALTER TRIGGER mine ON t RENAME TO ours; ALTER TABLE t RENAME TO u; ALTER TABLE u ALTER n TYPE text; ALTER TABLE u RENAME TO t;"
        "ALTER TABLE t DISABLE TRIGGER ours; ALTER TABLE t ENABLE TRIGGER ours; ALTER TABLE t ADD more int; ALTER TABLE t DROP more")
    equal(sql("SELECT tgenabled FROM pg_trigger WHERE tgname = 'ours'"), "O")
    # others' triggers are others' business
    sql("CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER other BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION other('{nope}');"
        "ALTER TABLE t DROP CONSTRAINT IF EXISTS none; DROP TABLE t; DROP FUNCTION other")


@test
def enabled_triggers_stay_always():
    sql("CREATE TABLE e (id int); SELECT redis_invalidate_on('e', 'e:{id}');"
        "CREATE TABLE ep (id int) PARTITION BY LIST (id); CREATE TABLE ep1 PARTITION OF ep DEFAULT; SELECT redis_invalidate_on('ep', 'e:{id}')")
    before = triggers()
    for what in ("ALL", "USER"):
        for table in ("e", "ep", "ep1"):
            sql("ALTER TABLE %s DISABLE TRIGGER %s" % (table, what))
            true("%s|sqlredis_invalidate|D" % table in triggers())
            sql("ALTER TABLE %s ENABLE TRIGGER %s" % (table, what))
        sql("ALTER TABLE ep1 ENABLE TRIGGER " + what)
        equal(triggers(), before)
    sql("ALTER TABLE e DISABLE TRIGGER sqlredis_invalidate; ALTER TABLE e ENABLE TRIGGER sqlredis_invalidate")
    equal(triggers(), before)
    sql("ALTER TABLE e ENABLE REPLICA TRIGGER sqlredis_invalidate")
    true("e|sqlredis_invalidate|R" in triggers())
    sql("DROP TABLE e, ep")


@test
def by_users_without_rights():
    sql("CREATE ROLE plain LOGIN; GRANT CREATE ON SCHEMA public TO plain")
    # what has nothing to do with it
    sql("CREATE TABLE own (id int); ALTER TABLE own ADD n int; ALTER TABLE own RENAME n TO m; CREATE TEMP TABLE tmp (id serial PRIMARY KEY);"
        "ALTER TABLE tmp DROP id; CREATE TABLE made AS SELECT 1 AS one; SELECT 1 AS one INTO made_too; DROP TABLE own, made, made_too;"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE own (id int);"
        "CREATE TRIGGER f BEFORE INSERT ON own FOR EACH ROW EXECUTE FUNCTION f(); ALTER TRIGGER f ON own RENAME TO g; DROP TABLE own; DROP FUNCTION f",
        role="plain")
    # and what has: a child gets its triggers, whoever makes it
    sql("CREATE TABLE parent (id int); ALTER TABLE parent OWNER TO plain; SELECT redis_invalidate_on('parent', 'parent:{id}')")
    sql("CREATE TABLE child () INHERITS (parent)", role="plain")
    cached_and_gone("INSERT INTO child VALUES (1)", "parent:1", role="plain")
    cached_and_gone("TRUNCATE child", "parent:1", role="plain")
    fails("ALTER TABLE parent RENAME id TO x;", "2BP01", role="plain")
    equal(sql("ALTER TABLE parent DISABLE TRIGGER USER; ALTER TABLE parent ENABLE TRIGGER USER; SELECT current_user", role="plain"), "plain")
    true("parent|sqlredis_invalidate|A" in triggers())
    # a function of the extension is still not theirs
    fails("CREATE TABLE mine (id int); CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION redis_invalidate('x');", "42501", role="plain")
    fails("SELECT redis_check_ddl();", "42501", role="plain")
    sql("DROP OWNED BY plain; DROP TABLE IF EXISTS parent CASCADE; DROP ROLE plain")


@test
def no_recursion_into_others_event_triggers():
    sql("CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN"
        " FOR r IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP"
        "  EXECUTE format('ALTER TABLE ddl_log ALTER what SET DEFAULT %L', r.command_tag); END LOOP; END $$;"
        "CREATE TABLE ddl_log (what text); SELECT redis_invalidate_on('ddl_log', 'log:{what}');"
        "CREATE EVENT TRIGGER zz_log ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TRIGGER') EXECUTE FUNCTION log_ddl();"
        "CREATE TABLE more () INHERITS (ddl_log)")
    true("more|sqlredis_truncate|A" in triggers())
    # and what is done in a transaction can be undone with it
    sql("BEGIN; CREATE TABLE undone () INHERITS (ddl_log); SAVEPOINT s; CREATE TABLE undone_too () INHERITS (ddl_log); ROLLBACK TO s; ROLLBACK")
    equal([line for line in triggers() if line.startswith("undone")], [])
    sql("DROP EVENT TRIGGER zz_log; DROP TABLE ddl_log CASCADE; DROP FUNCTION log_ddl")


@test
def others_event_triggers_get_no_rights_by_it():
    sql("CREATE ROLE mallory LOGIN; CREATE SCHEMA m AUTHORIZATION mallory; CREATE TABLE ran_as (who text); GRANT INSERT ON ran_as TO PUBLIC;"
        "CREATE FUNCTION note(text) RETURNS void LANGUAGE sql AS 'SELECT'; CREATE FUNCTION audit() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM note(tg_tag); END $$; CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION audit();"
        "CREATE TABLE theirs (id int); ALTER TABLE theirs OWNER TO mallory; SELECT redis_invalidate_on('theirs', 'theirs:{id}')")
    sql("SET search_path = m, public; CREATE FUNCTION m.note(text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.ran_as VALUES (current_user)';"
        "CREATE TABLE m.child () INHERITS (public.theirs); CREATE TABLE m.late (id int); ALTER TABLE m.late INHERIT public.theirs", role="mallory")
    equal(sql("SELECT DISTINCT who FROM ran_as"), "mallory")
    equal([line for line in triggers() if line.startswith("m.")], ["m.%s|sqlredis_%s|A" % (table, kind) for table in ("child", "late")
                                                                   for kind in ("invalidate", "truncate")])
    sql("DROP EVENT TRIGGER audit; DROP FUNCTION audit, note; DROP TABLE theirs, ran_as CASCADE; DROP OWNED BY mallory; DROP ROLE mallory")


def client(name, *words, **options):
    """A client program of PostgreSQL's against the server."""
    return run([os.path.join(server.client_bindir, name), "-h", server.host, "-p", str(server.port), "-U", server.name]
               + list(words), env=server.environment("d"), **options)


TRACKED = ("CREATE ROLE dumper; CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO dumper;"
           "CREATE TABLE s.users (id int PRIMARY KEY); CREATE TABLE s.members (user_id int, team_id int); GRANT SELECT ON s.members TO dumper;"
           "INSERT INTO s.users VALUES (1); INSERT INTO s.members VALUES (1, 5); ALTER TABLE s.users OWNER TO dumper;"
           "SELECT redis_invalidate_on('s.users', 'user:{id}', 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}');"
           "CREATE TABLE parts (id int, r text) PARTITION BY LIST (r); CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');"
           "SELECT redis_invalidate_on('parts', 'part:{id}', 'SELECT ''r:'' || {r}'); CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b');"
           "CREATE TABLE base (id int); SELECT redis_invalidate_on('base', 'base:{id}'); CREATE TABLE kid () INHERITS (base);"
           "CREATE TRIGGER hand AFTER DELETE ON kid FOR EACH ROW EXECUTE FUNCTION redis_invalidate('hand:{id}')")


@test
def dumps_and_restores():
    sql(TRACKED)
    directory = temp_dir("dump")
    server.database("again", extension=False)
    said = run(server.psql_argv("again") + ["-v", "ON_ERROR_STOP=1", "-f", "-"], input=client("pg_dump", "d"))
    true("ERROR" not in said and "WARNING" not in said, said)
    equal(triggers("again"), triggers())
    server.database("parallel", extension=False)
    client("pg_dump", "-Fd", "-f", directory + "/d", "d")
    said = client("pg_restore", "--exit-on-error", "-j", "3", "-d", "parallel", directory + "/d")
    equal(said, "")
    equal(triggers("parallel"), triggers())
    for database in ("again", "parallel"):
        redis("MSET", "user:1", "v", "team:5", "v", "base:1", "v")
        server.sql("UPDATE s.users SET id = id; INSERT INTO kid VALUES (1)", database)
        equal(redis("EXISTS", "user:1", "team:5", "base:1"), 0)
    # rows alone, into tables that are there: with the triggers disabled and enabled again
    client("pg_dump", "-Fc", "-a", "--disable-triggers", "-f", directory + "/rows", "d")
    server.sql("TRUNCATE s.users, s.members, base, kid, parts", "again")
    redis("SET", "user:1", "v")
    client("pg_restore", "--exit-on-error", "-a", "--disable-triggers", "-d", "again", directory + "/rows")
    equal(redis("EXISTS", "user:1"), 1)
    equal(triggers("again"), triggers())
    # sections, as large restores have them
    server.database("sections", extension=False)
    for section in ("pre-data", "data", "post-data"):
        client("pg_restore", "--exit-on-error", "--section=" + section, "-d", "sections", directory + "/d")
    equal(triggers("sections"), triggers())


@test
def upgraded_with_pg_upgrade():
    new = Postgres(redis.url)
    new.stop()
    expected = triggers()
    server.stop()
    for program in ("pg_controldata", "pg_ctl", "pg_resetwal", "pg_dump", "pg_dumpall", "pg_restore", "psql", "vacuumdb"):
        shutil.copy(os.path.join(server.client_bindir, program), server.bindir)
    try:
        work = temp_dir("upgrade")
        give_to(server.user, work)
        said = run([os.path.join(server.client_bindir, "pg_upgrade"), "-b", server.bindir, "-B", server.bindir, "-d", server.data,
                    "-D", new.data, "-U", server.name, "-s", work], user=server.user, env=server.env, cwd=work, check=False)
        if said[0] != 0:
            raise AssertionError(said[1])
    finally:
        server.start()
    new.start()
    equal(new.sql(TRIGGERS, "d").split("\n"), expected)
    redis("MSET", "user:1", "v", "team:5", "v")
    new.sql("UPDATE s.users SET id = id", "d")
    equal(redis("EXISTS", "user:1", "team:5"), 0)
    # what was cached by the old cluster is void for the new one
    server.sql("SELECT redis_cached('up', 60, 'SELECT 1')", "d")
    equal(server.sql("SELECT redis_cached('up', 60, 'SELECT 2')", "d"), "1")
    equal(new.sql("SELECT redis_cached('up', 60, 'SELECT 3')", "d"), "3")
    new.stop()


if __name__ == "__main__":
    main()
