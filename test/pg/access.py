"""Who may call what: every function of the extension, found in the catalogue."""

import glob
import os
import re

from harness import TOP, Postgres, Redis, contains, equal, main, test, true

redis = Redis()
server = Postgres(redis.url)
server.database("d")

MEMBERS = """
    FROM pg_proc p
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
    WHERE e.extname = 'sqlredis'"""


def rows(text):
    return [line.split("|") for line in server.sql(text, "d").splitlines()]


def groups():
    """The table's access groups by function name."""
    text = "".join(open(path).read() for path in sorted(glob.glob(os.path.join(TOP, "common/*.def"))))
    rest = r"(?:NULL|\w+), (?:NULL|\w+), \"[\d.]+\",\n"
    found = dict(re.findall(r"^FUNCTION\((\w+), .*?(PUBLIC|READ|WRITE|ADMIN), " + rest, text,
                            re.M | re.S))
    equal(sorted(found), sorted(re.findall(r"^FUNCTION\((\w+)", text, re.M)))
    return found


def group_of(name, table=groups()):
    return table.get(name) or table.get(re.sub("_bytea$", "", name))


def members():
    """(oid, signature, name, kind, the variadic argument's element or "-", the arguments' types)"""
    found = []
    for oid, signature, name, kind, variadic, types in rows(
            "SELECT p.oid, p.oid::regprocedure, p.proname, p.prokind, p.provariadic::regtype, "
            "array_to_string(p.proargtypes::regtype[], ',')" + MEMBERS + " ORDER BY 2"):
        found.append((oid, signature, name, kind, variadic, types.split(",") if types else []))
    true(len(found) > 150, "%d functions" % len(found))
    return found


def call(name, kind, variadic, types):
    """A call with NULLs; None for what SQL cannot call."""
    if "internal" in types:
        return None
    arguments = []
    for i, type_name in enumerate(types):
        last = i == len(types) - 1
        if type_name == '"any"':
            arguments.append("NULL::integer")
        elif type_name == "anynonarray":
            arguments.append("NULL::integer")
        elif last and variadic != "-":
            arguments.append("VARIADIC NULL::" + type_name)
        else:
            arguments.append("NULL::" + type_name)
    return "SELECT %s(%s)%s;" % (name, ", ".join(arguments), " OVER ()" if kind == "w" else "")


def commands_processed():
    return int(re.search(rb"total_commands_processed:(\d+)", redis("INFO", "stats")).group(1))


@test
def nobody_may_call_what_reaches_redis():
    server.sql("CREATE ROLE nobody_special LOGIN", "d")
    shell = server.session("d", "nobody_special")
    before = commands_processed()
    called = 0
    for oid, signature, name, kind, variadic, types in members():
        may = server.sql("SELECT has_function_privilege('nobody_special', %s, 'EXECUTE')" % oid,
                         "d")
        equal(may, "t" if group_of(name) == "PUBLIC" else "f", signature)
        statement = call(name, kind, variadic, types)
        if statement is None or signature == "redis_invalidate()":
            continue
        said = shell.run(statement)
        called += 1
        if group_of(name) == "PUBLIC":
            true("ERROR" not in said, signature + ": " + said)
        else:
            contains(said, "42501")
            contains(said, "permission denied for %s %s" % (
                "aggregate" if kind == "a" else "function", name))
    true(called > 150, "%d were called" % called)
    equal(commands_processed() - before, 1, "commands reached Redis besides the two that ask")
    # a trigger function is called by its trigger, which who has no right to it cannot make
    contains(shell.run("CREATE TEMP TABLE t (id int); CREATE TRIGGER t AFTER INSERT ON t "
                       "FOR EACH ROW EXECUTE FUNCTION redis_invalidate('t');"), "42501")
    shell.close()


@test
def a_group_is_granted_with_one_statement_and_no_more():
    everything = members()
    # the steps of the aggregates are the aggregates' own, the trigger function is a writer's
    table = {signature: group_of(name) for _, signature, name, *_ in everything}
    table["redis_invalidate()"] = "WRITE"
    for group in ("READ", "WRITE", "ADMIN"):
        role = "only_" + group.lower()
        server.sql("CREATE ROLE %s LOGIN; SELECT redis_grant('%s', '%s')"
                   % (role, group.lower(), role), "d")
        has = MEMBERS + " AND has_function_privilege('%s', p.oid, 'EXECUTE')" % role
        may = {signature for signature, in rows("SELECT p.oid::regprocedure" + has)}
        equal(sorted(may), sorted(s for s, g in table.items() if g in (group, "PUBLIC")), group)
        shell = server.session("d", role)
        for _, signature, name, kind, variadic, types in everything:
            statement = call(name, kind, variadic, types)
            if statement is None or signature == "redis_invalidate()" or name == "redis_flushdb":
                continue
            said = shell.run(statement)
            equal("permission denied for" in said, table[signature] not in (group, "PUBLIC"),
                  "%s %s: %s" % (role, signature, said))
        shell.close()
        server.sql("SELECT redis_revoke('%s', '%s')" % (group.lower(), role), "d")
        equal(server.sql("SELECT count(*)" + has, "d"), str(list(table.values()).count("PUBLIC")))


@test
def what_is_granted_works_without_more():
    server.sql("CREATE ROLE worker LOGIN; SELECT redis_grant('read', 'worker'), "
               "redis_grant('write', 'worker')", "d")
    shell = server.session("d", "worker")
    # an aggregate's steps run with its owner's rights
    equal(shell.run("SELECT redis_mset('w' || i, i, 60) FROM generate_series(1, 3) i;"), "3")
    equal(shell.run("SELECT redis_get_batch('w' || i) OVER () FROM generate_series(1, 2) i;"), "1\n2")
    equal(shell.run("SELECT value FROM redis_mget('w3');"), "3")
    equal(shell.run("SELECT redis_del_agg('w' || i) FROM generate_series(1, 4) i;"), "3")
    equal(shell.run("CREATE TEMP TABLE t (id int); CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW "
                    "EXECUTE FUNCTION redis_invalidate('t:{id}'); INSERT INTO t VALUES (1);"), "")
    # no such function for these types, or no value of type internal: PostgreSQL's minor releases differ
    said = shell.run("SELECT redis_mset_step(NULL, 'k'::text, 'v'::text);")
    true("42883" in said or "0A000" in said, said)
    contains(shell.run("SELECT redis_call('GET', 'w3');"), "42501")
    contains(shell.run("SELECT redis_grant('admin', 'worker');"), "42501")
    # the right to grant is not the right to call what was not granted to the grantor
    server.sql("SELECT redis_grant('admin', 'worker')", "d")
    contains(shell.run("CREATE ROLE other;"), "42501")
    server.sql("CREATE ROLE other", "d")
    contains(shell.run("SELECT redis_grant('read', 'other');"), "no privileges were granted")
    equal(server.sql("SELECT has_function_privilege('other', 'redis_get(text)', 'EXECUTE')", "d"),
          "f")
    shell.close()


if __name__ == "__main__":
    main()
