"""Random conditions and joins over table functions give what they give over tables that hold the same rows,
whatever plan SQLite chooses. RANDOM_SEED=n repeats a run."""

import os
import random
import sqlite3
import time

from harness import Redis, main, sqlite, test, true

QUERIES = 4000
KEYS = ("a", "b", "c", "1", "2", "A", "none")
LITERALS = ("'a'", "'b'", "'c'", "1", "'1'", "2", "NULL", "'none'", "'A'", "'x'", "(SELECT 'a')")
HASH, PAIRS = ("m.field", "m.value"), ("m.key", "m.value")
SOURCES = (("redis_mget('a', 'b', 'c', '1', '2', 'A', 'none')", "strings", PAIRS),
           ("redis_mget((SELECT 'a'), 'b', 'c', '1', '2', 'A', (SELECT 'none'))", "strings", PAIRS),
           ("redis_mget_json('[\"a\", \"b\", \"c\", 1, 2, \"A\", \"none\"]')", "strings", PAIRS),
           ("redis_hgetall('h')", "hash", HASH), ("redis_hgetall((SELECT 'h'))", "hash", HASH),
           ("redis_hmget('h', 'a', 'b', 'c', '1')", "hash", HASH),
           ("redis_smembers('s')", "members", ("m.member",)))
NAMED = ("m.key IN ('a', 'b', 'c', '1', '2', 'A', 'none')", "m.key IN (SELECT k FROM t)",
          "(m.key = 'a' OR (m.key = 'b' AND m.value <> 'none') OR m.key IN ('1', 'none', 'c'))")
redis = Redis()


def database(rand):
    redis("FLUSHALL")
    db = sqlite.connect(redis.url)
    for key in KEYS[:-1]:
        redis("SET", key, rand.choice("xy1ab"))
    for field in KEYS[:4]:
        redis("HSET", "h", field, rand.choice("xy1ab"))
    redis("SADD", "s", "a", "b", "x", "2")
    for name, source in ("strings", SOURCES[0][0]), ("hash", SOURCES[3][0]), ("members", SOURCES[6][0]):
        db.execute("CREATE TABLE %s AS SELECT * FROM %s" % (name, source))
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT, v TEXT)")
    for _ in range(8):
        db.execute("INSERT INTO t (k, v) VALUES (?, ?)",
                   (rand.choice(KEYS + (None,)), rand.choice(("x", "y", 1, None))))
    if rand.random() < 0.5:
        db.execute("CREATE INDEX t_k ON t (k)")
    if rand.random() < 0.5:
        db.execute("ANALYZE")
    return db


def comparison(rand, columns):
    column, literal = rand.choice(columns), rand.choice(LITERALS)
    return rand.choice((
        "%s = %s" % (column, literal), "%s = %s" % (column, literal), "%s IS %s" % (column, literal),
        "%s = %s" % (column, rand.choice(columns)), "%s IN (%s, 'b')" % (column, literal),
        "%s IN (SELECT k FROM t)" % column, "%s LIKE %s" % (column, literal),
        "%s %s %s" % (column, rand.choice(("<", ">", "<>")), literal), "%s IS NOT NULL" % column,
        "EXISTS (SELECT 1 FROM t q WHERE q.k = %s)" % column))


def condition(rand, columns, depth=0):
    if depth > 2 or rand.random() < 0.4:
        return comparison(rand, columns)
    return "(%s %s %s)" % (condition(rand, columns, depth + 1), rand.choice(("AND", "OR", "OR")),
                           condition(rand, columns, depth + 1))


def statement(rand):
    """The statement with %s for the source, the table function and the table."""
    function, table, columns = rand.choice(SOURCES)
    joins = ["JOIN", "CROSS JOIN"]
    where = []
    if rand.random() < 0.3:
        function, table, columns = "redis_mget", "strings", PAIRS
        where.append(rand.choice(NAMED))
    else:
        joins += ["LEFT JOIN"]
        if sqlite3.sqlite_version_info >= (3, 39):  # RIGHT JOIN forgets arguments in some versions
            joins += ["FULL JOIN"]
    text = "%s m"
    if rand.random() < 0.7:
        columns += ("t.k", "t.v")
        text = rand.choice(("%%s m %s t ON %s", "t %s %%s m ON %s")) % (
            rand.choice(joins), condition(rand, columns))
    where.append(condition(rand, columns) if rand.random() < 0.7 else "1")
    return "SELECT %s FROM %s WHERE %s" % (", ".join(columns), text, " AND ".join(where)), function, table


@test
def a_plan_changes_no_result():
    seed = int(os.environ.get("RANDOM_SEED", time.time_ns() % 1000000))
    print("RANDOM_SEED=%d" % seed)
    rand = random.Random(seed)
    db = database(rand)
    for _ in range(QUERIES):
        text, function, table = statement(rand)
        wanted = sorted(map(repr, db.execute(text % table)))
        try:
            got = sorted(map(repr, db.execute(text % function)))
        except sqlite3.Error as problem:
            raise AssertionError("SEED=%d: %s: %s" % (seed, text % function, problem)) from problem
        true(got == wanted, "SEED=%d: %s\n%s\ninstead of\n%s" % (seed, text % function, got, wanted))
    db.close()


if __name__ == "__main__":
    main()
