"""`make demo`: the whole story in both engines, with real shells, real servers and real data.

Starts a private redis-server and a private PostgreSQL cluster in temporary directories and leaves
neither behind, however it ends. Exits with an error when anything shown is not as told.
"""

import os
import re
import sys

from harness import Postgres, Redis, Shell, run, sqlite, temp_dir, wait_for

ISO_CODES = "/usr/share/iso-codes/json/iso_3166-2.json"
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
NAMES = ("subdivision:NL-BQ1", "country:NL:subdivisions", "country:BQ:subdivisions")


def paint(code, text):
    return "\033[%sm%s\033[0m" % (code, text) if COLOUR else text


def chapter(title):
    print("\n" + paint("1", "== " + title + " ") + "=" * max(4, 92 - len(title)), flush=True)


def say(text):
    print(paint("36", "-- " + text), flush=True)


class Door:
    """A shell whose conversation is shown: what is typed after its prompt, then what it answers."""

    def __init__(self, prompt, shell):
        self.prompt, self.shell = prompt + " ", shell
        self.more = ("   ...>" if prompt == "sqlite>" else prompt.replace("=#", "-#")) + " "

    def __call__(self, typed, expect=None, hidden=None):
        """expect: a pattern that must be in the answer. hidden: what is really typed."""
        typed = typed.strip() + ("" if typed.lstrip()[0] in ".\\" else ";")
        for number, line in enumerate(typed.split("\n")):
            print(paint("32", self.more if number else self.prompt) + line)
        answer = self.shell.run(hidden or typed)
        if answer:
            print(answer + ("\n" if "\n" in answer else ""), flush=True)
        if expect is not None and not re.search(expect, answer, re.S):
            sys.exit("demo: this is not what should have been answered (expected: %s)" % expect)
        return answer

    def quiet(self, typed):
        return self.shell.run(typed)


def open_sqlite(redis, directory):
    shell = Shell(["sqlite3", "-batch", os.path.join(directory, "demo.db")], ".print '%s'",
                  sqlite.environment())
    door = Door("sqlite>", shell)
    door.quiet(".mode box\n.nullvalue NULL")
    say("the extension is one shared library; this connection is told where Redis is")
    door(".load build/sqlite/sqlredis", "^$", '.load "%s"' % sqlite.EXTENSION)
    door("SELECT redis_config('url', '%s') AS url" % redis.url)
    return door


def open_postgres(server):
    shell = Shell([server.client_bindir + "/psql", "-X", "-h", server.host, "-U", server.name, "-d",
                   "demo"], "\\echo '%s'", dict(server.environment(), LC_ALL="C.UTF-8"))
    door = Door("demo=#", shell)
    door.quiet("\\pset null NULL\n\\pset footer off")
    say("the server's configuration says where Redis is: sqlredis.url")
    door("CREATE EXTENSION sqlredis", "CREATE EXTENSION")
    return door


CREATE = """CREATE TABLE subdivisions (
    code text PRIMARY KEY, country text NOT NULL, name text NOT NULL, type text NOT NULL)"""

LOAD = {
    "sqlite": """INSERT INTO subdivisions
    SELECT value->>'code', substr(value->>'code', 1, 2), value->>'name', value->>'type'
    FROM json_each(readfile('%s'), '$."3166-2"')""" % ISO_CODES,
    "pg": """INSERT INTO subdivisions
    SELECT code, left(code, 2), name, type
    FROM json_to_recordset(:'iso'::json->'3166-2') AS x(code text, name text, type text)""",
}
CACHE = {
    "sqlite": """SELECT redis_mset('subdivision:' || code,
    json_object('code', code, 'country', country, 'name', name), 3600) AS rows_cached
    FROM subdivisions""",
    "pg": """SELECT redis_mset('subdivision:' || code, to_json(s)::text, 3600) AS rows_cached
    FROM subdivisions s""",
}
LISTS = """SELECT redis_mset('country:' || country || ':subdivisions', codes, 3600) AS lists_cached
    FROM (SELECT country, %s AS codes FROM subdivisions GROUP BY country) c"""
AGGREGATE = {"sqlite": "json_group_array(code)", "pg": "json_agg(code)::text"}
BATCH = {
    "sqlite": """WITH m AS MATERIALIZED (SELECT key, value FROM redis_mget
    WHERE key IN (SELECT 'subdivision:' || code FROM subdivisions WHERE country = 'NL'))
    SELECT s.name, length(m.value) AS bytes
    FROM m JOIN subdivisions s ON m.key = 'subdivision:' || s.code ORDER BY s.name LIMIT 3""",
    "pg": """SELECT name, length(redis_get_batch('subdivision:' || code) OVER ()) AS bytes
    FROM subdivisions WHERE country = 'NL' ORDER BY name LIMIT 3""",
}
BOARD = """SELECT sum(redis_zadd('subdivisions', n, country)) AS countries
    FROM (SELECT country, count(*) AS n FROM subdivisions GROUP BY country) c"""
TOP_THREE = """SELECT s.rank, s.member AS country, s.score, min(t.name) AS the_first_of_them
    FROM redis_zrange('subdivisions', 0, 2, true) s JOIN subdivisions t ON t.country = s.member
    GROUP BY s.rank, s.member, s.score ORDER BY s.rank"""
THERE = """SELECT %s""" % ",\n       ".join(
    "redis_exists('%s') AS %s" % (name, column)
    for name, column in zip(NAMES, ("the_row", "list_of_nl", "list_of_bq")))


def there(door, row, dutch, caribbean):
    door(THERE, r"%d\D+%d\D+%d\D*$" % (row, dutch, caribbean))


def invalidation(engine, door):
    """Rows that change take their cache keys with them: at commit, and only then."""
    say("5,000 provinces, states and islands of the world (Debian's iso-codes)")
    door(CREATE)
    if engine == "pg":
        door("\\set iso `cat %s`" % ISO_CODES)
    door(LOAD[engine])
    say("every row goes into Redis as JSON, for an hour, in one pipeline; and one list for each country")
    door(CACHE[engine], r"\d{4}")
    door(LISTS % AGGREGATE[engine], r"\d{3}")
    say("many keys come back in one trip, each to its row")
    door(BATCH[engine], "Aruba")
    say("every Redis type is there, and collections are rows: a sorted set, joined")
    door(BOARD, r"\d{3}")
    door(TOP_THREE, r"\b2\b")
    door("SELECT redis_get('subdivision:NL-BQ1') AS cached, redis_ttl('subdivision:NL-BQ1') AS ttl",
         "Bonaire")
    if engine == "sqlite" and "1" not in door.quiet("PRAGMA trusted_schema;"):
        say("this shell distrusts triggers that call functions of extensions: these are our own")
        door("PRAGMA trusted_schema = ON")
    say("from now on, a row that changes takes these keys with it")
    door("""SELECT redis_invalidate_on('subdivisions',
    'subdivision:{code}', 'country:{country}:subdivisions') AS templates""", r"\b2\b")

    say("before the commit nothing has left: others still see the old row, and its cached copy")
    door("BEGIN")
    door("UPDATE subdivisions SET name = 'Boneiru' WHERE code = 'NL-BQ1'")
    there(door, 1, 1, 1)
    say("ROLLBACK: nothing happened, so nothing is deleted")
    door("ROLLBACK")
    there(door, 1, 1, 1)
    say("the same for a savepoint: what is rolled back does not count")
    door("BEGIN")
    door("SAVEPOINT before_update")
    door("UPDATE subdivisions SET name = 'Boneiru' WHERE code = 'NL-BQ1'")
    door("ROLLBACK TO before_update")
    door("COMMIT")
    there(door, 1, 1, 1)
    say("now it is meant: Bonaire moves from the Netherlands' list to Caribbean Netherlands' own")
    door("BEGIN")
    door("UPDATE subdivisions SET country = 'BQ' WHERE code = 'NL-BQ1'")
    say("what this transaction will delete, the lists of the old and of the new country")
    door("SELECT * FROM redis_pending()", "NL:subdiv.*BQ:subdiv|BQ:subdiv.*NL:subdiv")
    door("COMMIT")
    say("COMMIT: gone, all three; the neighbours' keys are as they were")
    there(door, 0, 0, 0)
    door("SELECT redis_exists('subdivision:NL-UT', 'country:FR:subdivisions') AS neighbours", "2")


def coherent(door):
    """A query's answer that is cached, and void when its rows change."""
    count = """SELECT redis_cached('country:FR:subdivisions', 3600,
    'SELECT count(*) FROM subdivisions WHERE country = $1', 'FR') AS subdivisions_of_france"""
    say("a query's answer, cached: the first call runs it, the second one is a hit")
    before = int(re.search(r"\d+", door(count, r"\d+").split("france")[-1]).group())
    door(count, r"\b%d\b" % before)
    say("a row that changes takes the answer along, because it belongs to a key of its templates")
    door("UPDATE subdivisions SET country = 'FR' WHERE code = 'BE-WLX'")
    door(count, r"\b%d\b" % (before + 1))
    door("""SELECT name, value FROM redis_stats()
    WHERE name IN ('cache_hits', 'cache_misses', 'cache_fills') ORDER BY name""",
         r"fills\D+2.*hits\D+1.*misses\D+2")


def together(lite, postgres):
    chapter("One lock, two databases")
    token = lite("SELECT redis_lock('nightly-report', 30) AS token", "[0-9a-f]{32}")
    token = re.search("[0-9a-f]{32}", token).group()
    say("PostgreSQL asks for the same lock, and is told that somebody has it")
    postgres("SELECT redis_lock('nightly-report', 30) AS token", "NULL")
    say("only the token unlocks")
    lite("SELECT redis_unlock('nightly-report', '%s') AS unlocked" % token, "1")
    postgres("SELECT redis_lock('nightly-report', 30) AS token", "[0-9a-f]{32}")
    chapter("One counter, two databases")
    lite("SELECT redis_incr('visitors') AS visitors", "1")
    postgres("SELECT redis_incr('visitors') AS visitors", "2")
    lite("SELECT redis_incr('visitors') AS visitors", "3")


def tickets(lite, postgres):
    chapter("Three tickets, one payment, one job")
    postgres("SELECT redis_hset('tickets', 'concert', 3) AS fields", "1")
    say("a purchase that rolls back: the payment's key and the tickets are given back, and there is no job")
    for statement, expect in (
            ("BEGIN", None), ("SELECT redis_idempotent('payment:7f3a') AS first", "t"),
            ("SELECT redis_reserve('tickets', 'concert', 2) AS tickets_left", "1"),
            ("SELECT redis_enqueue('mail', '{\"order\": 7}') IS NOT NULL AS queued", "t"), ("ROLLBACK", None),
            ("SELECT redis_hget('tickets', 'concert') AS tickets, redis_queue_len('mail') AS jobs", r"3\D+0")):
        postgres(statement, expect)
    say("and one from SQLite that commits")
    for statement, expect in (
            ("BEGIN", None), ("SELECT redis_idempotent('payment:7f3a') AS first", "1"),
            ("SELECT redis_reserve('tickets', 'concert', 2) AS tickets_left", "1"),
            ("SELECT redis_enqueue('mail', '{\"order\": 7}') IS NOT NULL AS queued", "1"), ("COMMIT", None)):
        lite(statement, expect)
    say("the same payment again, from elsewhere; and a consumer")
    postgres("SELECT redis_idempotent('payment:7f3a') AS first", "f")
    postgres("SELECT payload, attempts, redis_ack('mail', id) AS done FROM redis_dequeue('mail')", r"order.*1.*t")
    say("ten requests a minute: the tier called strict")
    postgres("SELECT allowed, remaining, reason FROM redis_rate_limit_tier('strict', '192.0.2.1')", r"t\D+9.*ok")


def outage(redis, lite, postgres):
    chapter("Redis is down")
    say("a row is cached again, Redis saves its data to disk, and goes away")
    postgres("""SELECT redis_set('subdivision:NL-BQ1', to_json(s)::text)
    FROM subdivisions s WHERE code = 'NL-BQ1'""", "t")
    redis("SAVE")
    redis.stop()
    say("redis-server has been stopped; a question gets an error, with a way out, at once")
    lite("SELECT redis_get('visitors')", "[Ee]rror")
    postgres("SELECT redis_get('visitors')", "ERROR.*HINT")
    say("a commit succeeds all the same, and has written down what it owes Redis: in the outbox")
    postgres("UPDATE subdivisions SET name = 'Boneiru' WHERE code = 'NL-BQ1'", "WARNING.*UPDATE 1")
    lite.quiet(".log stdout")
    lite("UPDATE subdivisions SET name = 'Boneiru' WHERE code = 'NL-BQ1'", "2 keys")
    lite.quiet(".log off")
    for door in (postgres, lite):
        door("SELECT keys FROM redis_outbox()", "NL-BQ1")
    redis.start()
    say("redis-server is back with the data it had saved; what is owed is delivered in the background")
    for door in (lite, postgres):
        wait_for("the way back to Redis",
                 lambda door=door: "PONG" in door.quiet("SELECT redis_ping();") and " 0" in
                 door.quiet("SELECT sum(CAST(value AS integer)) FROM redis_stats() "
                            "WHERE name IN ('invalidations_waiting', 'outbox_rows');"))
        door("SELECT name, value FROM redis_stats() WHERE name LIKE 'invalidations%'",
             r"invalidations_sent\D+[1-9].*waiting\D+0")
    say("and so the copy of the old row, which Redis had brought back, is gone")
    postgres("SELECT redis_get('subdivision:NL-BQ1') AS cached", "NULL")


def main():
    if not os.path.exists(ISO_CODES):
        sys.exit("demo: %s is missing (Debian: iso-codes)" % ISO_CODES)
    chapter("A private redis-server, a private PostgreSQL")
    redis = Redis()
    server = Postgres(redis.url, settings={"shared_preload_libraries": "'sqlredis'"})
    server.sql("CREATE DATABASE demo")
    say("%s on %s" % (run(["redis-server", "--version"]).split(" sha")[0], redis.url))
    say(server.sql("SELECT split_part(version(), ' on ', 1)"))

    chapter("SQLite")
    lite = open_sqlite(redis, temp_dir("demo"))
    invalidation("sqlite", lite)
    coherent(lite)
    chapter("PostgreSQL")
    redis("FLUSHALL")
    postgres = open_postgres(server)
    invalidation("pg", postgres)
    coherent(postgres)
    together(lite, postgres)
    tickets(lite, postgres)
    outage(redis, lite, postgres)
    chapter("That was it; the private servers are being stopped")


main()
