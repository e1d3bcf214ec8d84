"""A database file whose schema calls functions that reach Redis, in every place but views and triggers.

SQLite up to 3.40 (and some later ones) runs a CHECK constraint although the functions are DIRECTONLY;
newer versions refuse to open the file. Either way nothing may reach Redis.
"""

import os
import sqlite3

from harness import Redis, equal, main, sqlite, temp_dir, test, true

redis = Redis()


def hostile_file(kind="table"):
    """Written by somebody who made functions of these names up."""
    path = os.path.join(temp_dir("sqlite"), "hostile.db")
    author = sqlite3.connect(path)
    author.create_function("redis_set", 2, lambda key, value: 1)
    author.execute("""CREATE TABLE c (a CHECK ("REDIS_SET"('stolen', a)))""")
    author.execute("CREATE TABLE innocent (v)")
    author.execute("PRAGMA writable_schema = ON")
    author.execute("UPDATE sqlite_master SET type = ?", (kind,))
    author.commit()
    author.close()
    return path


def refused(db, sql):
    try:
        db.execute(sql).fetchall()
    except sqlite3.Error as problem:
        true("redis_set" in str(problem).lower() or "logic error" in str(problem), str(problem))
        return
    raise AssertionError("not refused: " + sql)


def nothing_reached_redis():
    equal(redis("EXISTS", "stolen"), 0, "the constraint reached Redis")


def opened(path):
    """None: this SQLite refuses the whole schema."""
    try:
        return sqlite.connect(redis.url, path)
    except sqlite3.DatabaseError as problem:
        true("unsafe use of REDIS_SET()" in str(problem), str(problem))
        return None


@test
def a_check_constraint_does_not_reach_redis():
    for kind in "table", "TABLE":
        check_constraint(kind)


def check_constraint(kind):
    db = opened(hostile_file(kind))
    nothing_reached_redis()
    if db is None:
        return
    refused(db, "INSERT INTO c VALUES (1)")
    nothing_reached_redis()
    try:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("INSERT INTO c VALUES ('caught')")
        db.execute("PRAGMA ignore_check_constraints = OFF")
    except sqlite3.Error:
        pass  # the schema itself is refused
    for check in ("PRAGMA integrity_check", "PRAGMA main.quick_check",
                  "SELECT redis_get('direct'), integrity_check FROM pragma_integrity_check('c')"):
        try:
            db.execute(check).fetchall()
        except sqlite3.Error:
            pass
        nothing_reached_redis()
    db.close()


@test
def the_application_itself_still_may():
    db = sqlite.connect(redis.url)
    db.execute("CREATE TABLE mine (v)")
    try:
        db.execute("ATTACH ? AS file", (hostile_file(),))
    except sqlite3.DatabaseError as problem:
        true("unsafe use of REDIS_SET()" in str(problem), str(problem))
        db.execute("ATTACH ':memory:' AS file")
    equal(db.execute("SELECT redis_set('direct', 1)").fetchone()[0], 1)
    # a statement that writes could run the constraint: it may not name what a table there names
    try:
        db.execute("INSERT INTO mine SELECT redis_set('direct', 2)")
    except sqlite3.Error as problem:
        true("A CHECK constraint must not call" in str(problem), str(problem))
    db.execute("INSERT INTO mine SELECT redis_get('direct')")
    db.execute("DETACH file")
    db.execute("INSERT INTO mine SELECT redis_set('direct', 3)")
    equal(redis("GET", "direct"), b"3")
    db.execute("CREATE TEMP TRIGGER own AFTER INSERT ON mine "
               "BEGIN SELECT redis_set('direct', NEW.v); END")
    db.execute("INSERT INTO mine VALUES (4)")
    equal(redis("GET", "direct"), b"4", "a TEMP trigger is the application's own")
    nothing_reached_redis()
    db.close()


@test
def nothing_else_in_a_schema_reaches_redis():
    db = sqlite.connect(redis.url)
    db.execute("CREATE TABLE t (v)")
    for sql in ("CREATE TABLE g (a, b AS (redis_set('stolen', a)))",
                "CREATE TABLE g (a, b AS (redis_set('stolen', a)) STORED)",
                "CREATE TABLE d (a DEFAULT (redis_set('stolen', 1)))",
                "CREATE INDEX i ON t (redis_set('stolen', v))",
                "CREATE INDEX i ON t (v) WHERE redis_set('stolen', v)"):
        try:
            db.execute(sql)
            db.execute("INSERT INTO d DEFAULT VALUES")
        except sqlite3.Error as problem:
            true("unsafe use of" in str(problem) or "non-deterministic" in str(problem), str(problem))
        else:
            raise AssertionError("not refused: " + sql)
    db.execute("INSERT INTO t VALUES (1)")
    nothing_reached_redis()
    db.close()


@test
def no_table_of_a_file_is_a_table_function():
    """CREATE VIRTUAL TABLE refuses it, but SQLite reads it from a file."""
    redis("ZADD", "board", 1, "ann")
    path = os.path.join(temp_dir("sqlite"), "disguised.db")
    author = sqlite3.connect(path)
    author.execute("CREATE TABLE innocent (v)")
    author.execute("PRAGMA writable_schema = ON")
    for name, module in ("users", "redis_zpopmin"), ("stock", "redis_scan"), ("prices", "redis_mget"):
        author.execute("INSERT INTO sqlite_master VALUES ('table', ?, ?, 0, ?)",
                       (name, name, "CREATE VIRTUAL TABLE %s USING %s" % (name, module)))
    author.commit()
    author.close()
    db = sqlite.connect(redis.url, path)
    for sql in ("SELECT * FROM users WHERE key = 'board'", "SELECT * FROM stock",
                "SELECT * FROM prices WHERE key = 'board'", "SELECT * FROM main.users('board')"):
        try:
            rows = db.execute(sql).fetchall()
        except sqlite3.Error as problem:
            true("no table can be made of it" in str(problem), str(problem))
        else:
            raise AssertionError("not refused: %s gave %s" % (sql, rows))
    equal(redis("ZCARD", "board"), 1, "something was taken away")
    equal(db.execute("SELECT member FROM redis_zpopmin('board')").fetchall(), [("ann",)])
    db.close()


if __name__ == "__main__":
    main()
