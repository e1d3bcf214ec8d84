"""trigger_mode outbox: triggers of plain SQL, which a process without the extension can run, write what a
process that has it delivers; and what a foreign file's outbox may do."""

import os
import sqlite3
import subprocess
import sys
import time

from harness import Redis, contains, equal, main, sqlite, temp_dir, test, true

redis = Redis()


def connect(database=":memory:", mode="outbox", **options):
    db = sqlite.connect(redis.url, database, **options)
    value(db, "SELECT redis_config('trigger_mode', ?), redis_config('commit_timeout', 1)", mode)
    return db


def value(db, sql, *arguments):
    return db.execute(sql, arguments).fetchall()[0][0]


def refused(db, sql, *parts):
    try:
        db.execute(sql).fetchall()
    except sqlite3.Error as problem:
        for part in parts:
            contains(str(problem), part)
        return
    raise AssertionError("not refused: " + sql)


def fill(*keys):
    redis("FLUSHALL")
    for key in keys:
        redis("SET", key, "x")


def left():
    return sorted(key.decode() for key in redis("KEYS", "*"))


SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name);
CREATE TABLE members (user_id, team_id);
INSERT INTO users VALUES (1, 'ann@x', 'Ann'), (2, 'bob@x', 'Bob');
INSERT INTO members VALUES (1, 10), (2, 20), (2, 21);
"""
TEAMS = "SELECT 'team:' || team_id FROM members WHERE user_id = {id}"


def new_file(*templates, before=""):
    path = os.path.join(temp_dir("sqlite"), "test.db")
    db = connect(path)
    db.executescript(before + SCHEMA)
    marks = ", ?" * len(templates)
    value(db, "SELECT redis_invalidate_on('users'%s)" % marks, *templates)
    db.close()
    return path


def without(path, sql, *settings):
    """A process that has never heard of the extension."""
    program = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    db.execute(statement)
"""
    subprocess.run([sys.executable, "-c", program, path, *settings, sql], check=True)


def rows(path):
    db = sqlite3.connect(path)
    found = db.execute("SELECT kind, data FROM sqlredis_outbox ORDER BY id").fetchall()
    db.close()
    return found


@test
def a_process_without_the_extension_writes_and_one_with_it_delivers():
    path = new_file("user:{id}", "email:{email}", TEAMS)
    for sql, keys in (("UPDATE users SET name = 'x' WHERE id = 1", ["email:ann@x", "team:10", "user:1"]),
                      ("UPDATE users SET email = 'new@x' WHERE id = 2",
                       ["email:bob@x", "email:new@x", "team:20", "team:21", "user:2"]),
                      ("INSERT INTO users VALUES (3, NULL, 'no mail')", ["user:3"]),
                      ("INSERT OR REPLACE INTO users VALUES (4, 'ann@x', 'evicts 1')",
                       ["email:ann@x", "team:10", "user:1", "user:4"]),
                      ("DELETE FROM users WHERE id = 2", ["email:new@x", "team:20", "team:21", "user:2"])):
        fill(*keys, "another")
        without(path, sql, "PRAGMA trusted_schema = OFF")
        equal(sorted({key for _, key in rows(path)}), sorted(keys), sql)
        equal(left(), sorted(keys + ["another"]), "nobody could tell Redis yet")
        db = connect(path)
        true(value(db, "SELECT redis_outbox_drain()") >= len(keys))
        equal(left(), ["another"], sql)
        equal(rows(path), [])
        db.close()


@test
def what_is_found_at_the_first_call_goes_too():
    path = new_file("user:{id}")
    fill("user:1", "user:2")
    without(path, "UPDATE users SET name = 'x' WHERE id = 1")
    time.sleep(0.05)  # older than twice commit_timeout
    db = sqlite.connect(None, path)
    db.execute("SELECT redis_config('commit_timeout', 1), redis_config('url', ?)", (redis.url,)).fetchall()
    deadline = time.monotonic() + 30
    while left() != ["user:2"] and time.monotonic() < deadline:
        value(db, "SELECT redis_get('x')")
        time.sleep(0.02)
    equal(left(), ["user:2"])
    db.close()


@test
def a_transaction_that_rolls_back_writes_nothing():
    path = new_file("user:{id}")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN")
    db.execute("UPDATE users SET name = 'x' WHERE id = 1")
    db.execute("SAVEPOINT s")
    db.execute("UPDATE users SET name = 'x' WHERE id = 2")
    db.execute("ROLLBACK TO s")
    db.execute("COMMIT")
    db.execute("BEGIN")
    db.execute("UPDATE users SET name = 'x' WHERE id = 2")
    db.execute("ROLLBACK")
    db.close()
    equal(rows(path), [("key", "user:1")])


@test
def counters_of_the_application_are_left_alone():
    path = new_file("user:{id}", TEAMS)
    db = sqlite3.connect(path, isolation_level=None)
    equal(db.execute("INSERT INTO users VALUES (7, 'g@x', 'Gus')").lastrowid, 7)
    equal(value(db, "SELECT last_insert_rowid()"), 7)
    equal(db.execute("UPDATE users SET name = 'x'").rowcount, 3)
    db.close()


@test
def the_triggers_name_no_function_of_ours():
    path = new_file("user:{id}", TEAMS)
    db = sqlite3.connect(path)
    for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'"):
        true("redis_" not in sql.split("*/", 1)[1].replace("sqlredis_", ""), sql)
    db.close()
    db = connect(path)
    equal(db.execute("SELECT relation, mode FROM redis_invalidations").fetchall(), [("users", "row, outbox")])
    db.execute("CREATE UNIQUE INDEX more ON users (name)")
    contains(value(db, "SELECT mode FROM redis_invalidations"), "row, outbox, stale")
    value(db, "SELECT redis_invalidate_on('users', 'u:{id}')")
    equal(db.execute("SELECT templates, mode FROM redis_invalidations").fetchall(), [('["u:{id}"]', "row, outbox")])
    value(db, "SELECT redis_config('trigger_mode', 'main')")
    value(db, "SELECT redis_invalidate_on('users', 'u:{id}')")
    equal(db.execute("SELECT mode FROM redis_invalidations").fetchall(), [("row",)])
    value(db, "SELECT redis_config('trigger_mode', 'outbox')")
    value(db, "SELECT redis_invalidate_on('users', 'u:{id}')")
    equal(value(db, "SELECT redis_invalidate_off('users')"), 1)
    equal(value(db, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"), 0)
    db.close()


@test
def a_transaction_reads_its_own_writes_here_too():
    path = new_file("user:{id}")
    redis("FLUSHALL")
    db = connect(path)
    query = "SELECT redis_cached('user:1', 60, 'SELECT name FROM users WHERE id = 1')"
    equal(value(db, query), "Ann")
    db.execute("BEGIN")
    db.execute("UPDATE users SET name = 'mine' WHERE id = 1")
    equal(value(db, query), "mine")
    db.execute("ROLLBACK")
    equal(value(db, query), "Ann")
    db.close()


@test
def every_key_that_a_template_gives_is_written():
    path = os.path.join(temp_dir("sqlite"), "odd.db")
    db = connect(path)
    db.executescript("""CREATE TABLE "a 'b" ("x y" TEXT, b BLOB, r REAL, n);
                        CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID;""")
    value(db, """SELECT redis_invalidate_on('"a ''b"', 'k''{x y}', '{b}', '{r}/{n}', 'fixed', '{{}}')""")
    value(db, "SELECT redis_invalidate_on('w', 'w:{k}')")
    db.close()
    without(path, """INSERT INTO "a 'b" VALUES ('é', x'00ff', 1, 'n'), (NULL, NULL, NULL, NULL)""")
    equal({key for _, key in rows(path)}, {"k'é", "\\x00ff", "1.0/n", "fixed", "{}"})
    without(path, "INSERT INTO w VALUES ('a', 1), ('b', 2)")
    without(path, "REPLACE INTO w VALUES ('a', 3)")
    fill("w:a", "w:b", "fixed")
    db = connect(path)
    value(db, "SELECT redis_outbox_drain()")
    equal(left(), [])
    db.close()


@test
def where_the_outbox_is_made():
    directory = temp_dir("sqlite")
    for mode, durability in ("main", "outbox"), ("temp", "outbox"), ("main", "memory"), ("outbox", "memory"):
        path = os.path.join(directory, mode + durability)
        db = connect(path, mode)
        value(db, "SELECT redis_config('durability', ?)", durability)
        db.execute("ATTACH ? AS aux", (path + ".aux",))
        for schema in "main", "temp", "aux":
            db.execute("CREATE TABLE %s.t (id)" % schema)
        value(db, "SELECT redis_invalidate_on('temp.t', 't:{id}')")
        made = ["sqlredis_epoch", "sqlredis_outbox"] if (mode, durability) != ("main", "memory") else []
        there = "SELECT name FROM %s.sqlite_master WHERE name IN ('sqlredis_outbox', 'sqlredis_epoch') ORDER BY 1"
        for schema in "aux", "main":
            equal(db.execute(there % schema).fetchall(), [])
            value(db, "SELECT redis_invalidate_on(?, 't:{id}')", schema + ".t")
            equal([name for (name,) in db.execute(there % schema)], made, mode + " " + durability)
        equal(db.execute(there % "temp").fetchall(), [])
        db.close()
    db = connect(":memory:")
    db.execute("CREATE TABLE t (id)")
    value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
    equal(db.execute("SELECT mode FROM redis_invalidations").fetchall(), [("row",)])
    fill("t:1")
    db.execute("INSERT INTO t VALUES (1)")
    equal(left(), [])
    refused(db, "SELECT redis_invalidate_on('sqlredis_outbox', 'x')", "sqlredis's own")
    db.close()


@test
def a_read_only_file_is_refused():
    path = new_file("user:{id}")
    for mode in "main", "temp", "outbox":
        db = connect("file:%s?mode=ro" % path, mode, uri=True)
        refused(db, "SELECT redis_invalidate_on('users', 'u:{id}')", "read only: ", "\"main\" is read-only")
        db.close()


@test
def an_untrusted_schema_needs_no_exception():
    path = os.path.join(temp_dir("sqlite"), "untrusted.db")
    db = connect(path)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    value(db, "SELECT redis_invalidate_on('t', 't:{id}', 'SELECT ''all''')")
    db.execute("INSERT INTO t VALUES (1)")
    equal(sorted(rows(path)), [("key", "all"), ("key", "t:1")])
    value(db, "SELECT redis_config('trigger_mode', 'main')")
    refused(db, "SELECT redis_invalidate_on('t', 't:{id}')", "'outbox'")
    db.close()


# ---- a file that somebody else made ----


def hostile(ddl, *more):
    path = os.path.join(temp_dir("sqlite"), "hostile.db")
    if os.path.exists(path):
        os.remove(path)
    author = sqlite3.connect(path, isolation_level=None)
    author.executescript(ddl)
    for sql, arguments in more:
        author.execute(sql, arguments)
    author.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    author.close()
    return path


OUTBOX = """CREATE TABLE sqlredis_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, txn BLOB UNIQUE,
    created_at REAL NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0), kind TEXT, data BLOB);
"""
ENDLESS = "WITH RECURSIVE w(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w) SELECT x FROM w"


def use(path, prepare=()):
    """What an application does with a file; the errors it sees."""
    seen = []
    db = connect(path, "main")
    for sql in (*prepare, "SELECT redis_get('x')", "SELECT redis_cached('t', 60, 'SELECT count(*) FROM t')",
                "SELECT redis_invalidate_on('t', 't:{id}')", "INSERT INTO t VALUES (1, 'a')", "BEGIN",
                "UPDATE t SET v = 'b'", "SELECT redis_cached('t:1', 60, 'SELECT v FROM t')", "COMMIT",
                "SELECT * FROM redis_outbox", "SELECT redis_outbox_drain()", "SELECT * FROM redis_stats",
                "SELECT * FROM redis_invalidations"):
        try:
            db.execute(sql).fetchall()
        except (sqlite3.Error, MemoryError) as problem:
            seen.append("%s: %s" % (sql, problem))
    if db.in_transaction:
        db.execute("ROLLBACK")
    db.close()
    return seen


def packed_commands():
    """An outbox row with a command and a pattern, as a process of ours that crashed leaves one."""
    path = os.path.join(temp_dir("sqlite"), "crashed.db")
    program = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.enable_load_extension(True)
db.load_extension(sys.argv[2])
db.executescript("CREATE TABLE t (id); SELECT redis_invalidate_on('t', 't:{id}'); BEGIN; INSERT INTO t VALUES (1);")
db.execute(sys.argv[3]).fetchall()
db.execute("COMMIT")
os._exit(0)
"""
    found = []
    for sql in ("SELECT redis_on_commit('SET', 'stolen', 'command')", "SELECT redis_invalidate_pattern('*')",
                "SELECT redis_invalidate('secret')"):
        subprocess.run([sys.executable, "-c", program, path, sqlite.EXTENSION, sql], check=True,
                       env=sqlite.environment("redis://127.0.0.1:1"))
        author = sqlite3.connect(path)
        found += author.execute("SELECT kind, data FROM sqlredis_outbox").fetchall()
        author.close()
        os.remove(path)
    return found


@test
def rows_of_a_foreign_file_delete_what_may_be_named_and_command_nothing():
    packed = packed_commands()
    equal([kind for kind, _ in packed], ["effects"] * 3)
    path = hostile(OUTBOX, *[("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES (?, ?, 0)", row)
                             for row in packed],
                   ("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES ('key', ?, 0)", ("user:1",)),
                   ("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES ('key', ?, 0)", ("session:1",)))
    fill("user:1", "session:1", "secret", "other")
    use(path, ["SELECT redis_config('invalidate_keys', 'user:*, t*')"])
    equal(left(), ["other", "secret", "session:1"] + [key for key in left() if key.startswith("t")])
    equal(redis("EXISTS", "stolen"), 0)
    db = connect(path)
    value(db, "SELECT redis_config('invalidate_keys', 'user:*')")
    refused(db, "SELECT redis_outbox_drain()", "permission")
    value(db, "SELECT redis_config('invalidate_keys', '')")
    refused(db, "SELECT redis_outbox_drain()", "trigger_commands")
    equal(redis("EXISTS", "stolen", "session:1", "secret"), 0)
    equal(redis("EXISTS", "other"), 1, "no pattern either")
    value(db, "SELECT redis_config('trigger_commands', 1)")
    value(db, "SELECT redis_outbox_drain()")
    equal(redis("EXISTS", "other"), 0, "now the file is trusted")
    equal(rows(path), [])
    db.close()


@test
def rows_may_hold_anything():
    garbage = [("effects", b""), ("effects", b"\x00" * 100), ("effects", b"\x01" + b"\xff" * 100), ("effects", None),
               ("effects", "text"), ("effects", 5), ("key", None), ("key", b"\x00\xff"), ("key", 5), ("key", 1.5),
               ("key", ""), ("nosuch", "x"), (None, "x"), (b"\xff", "x"), (5, 5), ("KEY", "x"), ("key\x00", "x")]
    path = hostile(OUTBOX, *[("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES (?, ?, ?)",
                              (*row, created)) for row in garbage for created in (0, 1e300, -1e300)],
                   ("INSERT INTO sqlredis_outbox (id, kind, data) VALUES (9223372036854775806, 'key', 'last')", ()))
    fill("last", "5", "other")
    for problem in use(path):
        true("disk image" not in problem, problem)
    equal(left()[0], "other")


@test
def huge_rows_are_no_harm():
    path = hostile(OUTBOX, ("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES ('key', zeroblob(2000000), 0)", ()),
                   ("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES ('effects', zeroblob(2000000), 0)", ()),
                   ("INSERT INTO sqlredis_outbox (kind, data, created_at) VALUES ('key', 'small', 0)", ()))
    fill("small")
    use(path)


@test
def tables_that_only_have_the_name():
    for ddl in ("CREATE VIEW sqlredis_outbox AS %s" % ENDLESS,
                "CREATE VIEW sqlredis_outbox AS SELECT 1 AS id, x'00' AS txn, 0 AS created_at, 'key' AS kind, 'k' AS data; "
                "CREATE TRIGGER i INSTEAD OF INSERT ON sqlredis_outbox BEGIN SELECT redis_invalidate('other'); END",
                "CREATE TABLE sqlredis_outbox (a, b)", "CREATE TABLE sqlredis_outbox (txn)",
                "CREATE TABLE sqlredis_outbox (id, txn, kind, data)",
                "CREATE VIRTUAL TABLE sqlredis_outbox USING fts5(id, txn, created_at, kind, data)",
                "CREATE TABLE sqlredis_outbox (id INTEGER PRIMARY KEY, txn, kind, data AS (zeroblob(900000000)), created_at)",
                "CREATE TABLE sqlredis_outbox (id INTEGER PRIMARY KEY, txn, kind, data CHECK (0), created_at)",
                "CREATE TABLE sqlredis_outbox (txn PRIMARY KEY, id, kind, data, created_at) WITHOUT ROWID",
                "CREATE VIEW sqlredis_epoch AS %s" % ENDLESS,
                "CREATE TABLE sqlredis_epoch (id INTEGER PRIMARY KEY, epoch CHECK (0))",
                "CREATE TABLE sqlredis_epoch (x)"):
        fill("other")
        path = hostile(ddl)
        use(path)
        equal([key for key in left() if key == "other"], ["other"], ddl)


@test
def triggers_on_the_outbox_of_a_foreign_file():
    for event in "AFTER INSERT", "BEFORE INSERT", "AFTER DELETE", "BEFORE DELETE":
        for body in ("SELECT redis_invalidate('more:' || random())", "SELECT redis_invalidate_tag('more:' || random())",
                     "SELECT redis_on_commit('SET', 'stolen', 1)", "SELECT redis_invalidate_pattern('*')",
                     "SELECT RAISE(ROLLBACK, 'hostile')", "SELECT RAISE(FAIL, 'hostile')", "SELECT RAISE(IGNORE)",
                     "DELETE FROM sqlredis_outbox", "INSERT INTO sqlredis_outbox (kind, data) VALUES ('key', 'x')",
                     "INSERT INTO t VALUES (NULL, 'more')", "UPDATE sqlredis_outbox SET id = id + 1000000"):
            fill("other")
            path = hostile(OUTBOX + "CREATE TRIGGER h %s ON sqlredis_outbox BEGIN %s; END;" % (event, body))
            use(path, ["PRAGMA recursive_triggers = ON"])
            equal(redis("EXISTS", "other"), 1, body)
            equal(redis("EXISTS", "stolen"), 0, body)


@test
def a_key_that_no_redis_takes_holds_up_nothing():
    path = new_file("users:{id}")
    db = connect(path)
    fill("user:1")
    db.execute("INSERT INTO sqlredis_outbox(kind, data) VALUES ('key', zeroblob((128 << 20) + 1))")
    db.execute("INSERT INTO sqlredis_outbox(kind, data) "
               "VALUES ('effects', x'014b08000001' || zeroblob((128 << 20) + 1))")
    db.execute("INSERT INTO sqlredis_outbox(kind, data) VALUES ('key', 'user:1')")
    refused(db, "SELECT redis_outbox_drain()", "too large")
    equal(left(), [])
    contains(db.execute("SELECT last_error FROM redis_outbox").fetchall()[0][0], "too large")
    equal(value(db, "SELECT count(*) FROM sqlredis_outbox"), 2)
    db.close()


if __name__ == "__main__":
    main()
