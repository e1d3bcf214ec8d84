"""Every function and table function that is registered, called from the views and triggers of a database
file: what the catalogue lists is tried, so that a new function cannot be forgotten."""

import os
import sqlite3

from harness import Redis, equal, main, sqlite, temp_dir, test, true

DETERMINISTIC, DIRECT_ONLY, INNOCUOUS = 0x800, 0x80000, 0x200000
# These look for themselves who calls: outbox.py, jobs.py.
FROM_TRIGGERS = {"redis_invalidate", "redis_invalidate_tag", "redis_invalidate_pattern", "redis_on_commit",
                 "redis_enqueue", "redis_bullmq_add"}
redis = Redis()


def database():
    db = sqlite.connect(redis.url, os.path.join(temp_dir("sqlite"), "hostile.db"))
    db.execute("CREATE TABLE t (v)")
    return db


def functions(db):
    """(name, number of arguments, kind, flags) of all that are ours."""
    return db.execute(r"SELECT name, narg, type, flags FROM pragma_function_list "
                      r"WHERE name LIKE 'redis\_%' ESCAPE '\' ORDER BY name, narg").fetchall()


def tables(db):
    return [name for name, in db.execute(r"SELECT name FROM pragma_module_list WHERE name LIKE "
                                         r"'redis\_%' ESCAPE '\' ORDER BY name")]


def refused(db, sql, why):
    try:
        db.execute(sql).fetchall()
    except sqlite3.Error as problem:
        true(why in str(problem), "%s: %s" % (sql, problem))
        return
    raise AssertionError("not refused: " + sql)


def try_everywhere(db, select, why):
    """As a view, in a trigger's body, and in a view that a trigger reads."""
    db.execute("CREATE VIEW hostile AS " + select)
    refused(db, "SELECT * FROM hostile", why)
    for body in (select, "INSERT INTO t " + select + " LIMIT 0", "SELECT * FROM hostile"):
        db.execute("CREATE TRIGGER hostile AFTER INSERT ON t BEGIN %s; END" % body)
        refused(db, "INSERT INTO t VALUES (1)", why)
        db.execute("DROP TRIGGER hostile")
    db.execute("DROP VIEW hostile")


def commands():
    """How many commands Redis has seen; asking is one."""
    return int(redis("INFO", "stats").split(b"total_commands_processed:")[1].split()[0])


@test
def no_function_is_called_from_a_schema():
    db = database()
    db.execute("SELECT redis_ping()").fetchall()
    before, tried, kinds = commands(), 0, set()
    for name, arguments, kind, flags in functions(db):
        true(not flags & (INNOCUOUS | DETERMINISTIC), name + " has flags it must not have")
        equal(bool(flags & DIRECT_ONLY), name not in FROM_TRIGGERS, name)
        kinds.add(kind)
        if name in FROM_TRIGGERS:
            continue
        values = ", ".join(["'k'"] * (arguments if arguments >= 0 else 4))
        try_everywhere(db, "SELECT %s(%s)" % (name, values), "unsafe use of %s()" % name)
        tried += 1
    true(tried > 80, "%d functions tried" % tried)
    equal(kinds, {"s", "a"}, "scalar functions and aggregates")
    equal(commands(), before + 1, "something reached Redis")
    db.close()


@test
def no_table_function_is_read_from_a_schema():
    db = database()
    db.execute("SELECT redis_ping()").fetchall()
    before, tried = commands(), 0
    for name in tables(db):
        hidden = db.execute("SELECT count(*) FROM pragma_table_xinfo(?) WHERE hidden", (name,))
        why = "unsafe use of virtual table \"%s\"" % name
        values = ", ".join(["'k'"] * min(hidden.fetchone()[0], 4))
        try_everywhere(db, "SELECT 1 FROM %s(%s)" % (name, values), why)
        try_everywhere(db, "SELECT 1 FROM " + name, why)
        try_everywhere(db, "SELECT (SELECT 1 FROM %s WHERE key IN ('a', 'b'))" % name, why)
        tried += 1
    true(tried > 20, "%d table functions tried" % tried)
    equal(commands(), before + 1, "something reached Redis")
    db.close()


@test
def aggregates_are_of_no_use_elsewhere_either():
    db = database()
    for sql, why in (("CREATE TABLE c (a CHECK (redis_mset('k', a)))", "misuse of aggregate"),
                     ("CREATE TABLE c (a, b AS (redis_mset('k', a)))", "misuse of aggregate"),
                     ("CREATE INDEX i ON t (redis_del_agg(v))", "misuse of aggregate"),
                     ("SELECT * FROM t WHERE redis_mset('k', v)", "misuse of aggregate"),
                     ("SELECT redis_mset('k', redis_del_agg(v)) FROM t", "misuse of aggregate"),
                     ("SELECT redis_mset(v, v) OVER () FROM t", "may not be used as a window function"),
                     ("SELECT redis_mset(v) FROM t", "wrong number of arguments"),
                     ("SELECT redis_mset(v, v, 1, 2) FROM t", "wrong number of arguments"),
                     ("SELECT redis_del_agg() FROM t", "wrong number of arguments"),
                     ("SELECT redis_mset(DISTINCT v, v) FROM t", "exactly one argument")):
        refused(db, sql, why)
    db.close()


@test
def a_table_that_names_an_aggregate_is_suspect():
    """A CHECK cannot hold one, but the functions' guard is theirs too."""
    db = database()
    db.execute("CREATE TABLE note (v DEFAULT 'redis_mset')")
    refused(db, "INSERT INTO t SELECT redis_mset('k', 1)", "is named in the definition of table")
    equal(db.execute("SELECT redis_mset('k', 1)").fetchone()[0], 1)
    equal(redis("GET", "k"), b"1")
    db.close()


if __name__ == "__main__":
    main()
