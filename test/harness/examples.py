"""Examples as documents show them, run in psql and in sqlite3, each in an empty Redis and a new schema.

    SELECT redis_set('a', 1), redis_exists('a', 'b');
      t|1

A statement ends with a line that ends with ";" (outside $$); what it prints follows, indented by two
more spaces, as psql -At prints it. "ERROR: words" is an error whose message has these words.
"""

import re

from . import sqlite
from .engines import PgEngine, SqliteEngine

ENGINES = ("PostgreSQL", "SQLite")


class Example:
    """name: of the test. source: whose words these are. steps: (statement, what it prints).
    engines: where it is run."""

    def __init__(self, name, lines, source="", engines=ENGINES):
        self.name, self.source, self.engines = name, source, engines
        self.steps = steps(lines)


def steps(lines):
    found, statement = [], []
    for line in lines:
        if not statement and line.startswith("  "):
            found[-1][1].append(line[2:])
            continue
        statement.append(line)
        if line.rstrip().endswith(";") and "\n".join(statement).count("$$") % 2 == 0:
            found.append(("\n".join(statement), []))
            statement = []
    if statement:
        raise AssertionError("a statement without its end: " + "\n".join(statement))
    return [(sql, "\n".join(output)) for sql, output in found]


def read(path):
    """The examples of a file: "== name [PostgreSQL|SQLite] source" begins one, "#" a comment."""
    made, header, lines = [], None, []
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines() + ["== end"]:
            if line.startswith("== "):
                if header:
                    name, only, source = re.fullmatch(
                        r"(\S+)(?: \[(PostgreSQL|SQLite)\])? ?(.*)", header).groups()
                    made.append(Example(name, lines, source, (only,) if only else ENGINES))
                header, lines = line[3:], []
            elif line.strip() and not line.startswith("#"):
                lines.append(line)
    return made


# ---- what an engine answers, against what is expected ----


def _cell_agrees(got, expected, engine):
    if got == expected:
        return True
    if engine == "PostgreSQL":
        return False
    if (expected, got) in (("t", "1"), ("f", "0"), ("Infinity", "Inf"), ("-Infinity", "-Inf")):
        return True
    return got == expected + ".0" and re.fullmatch(r"-?\d+", expected) is not None


def agrees(got, expected, engine, problem):
    """Did the engine say it? SQLite's 1, 0 and 1.0 are psql's t, f and 1."""
    if expected.startswith("ERROR: "):
        return problem is not None and expected[len("ERROR: "):] in problem.message
    if problem is not None:
        return False
    got, expected = got.split("\n"), expected.rstrip("\n").split("\n")
    if len(got) != len(expected):
        return False
    for got_line, expected_line in zip(got, expected):
        cells, wanted = got_line.split("|"), expected_line.split("|")
        if len(cells) != len(wanted) or not all(
                _cell_agrees(g, w, engine) for g, w in zip(cells, wanted)):
            return False
    return True


class Runner:
    """Runs examples. null: how NULL is written in them."""

    def __init__(self, redis, server, database="examples", null="NULL"):
        self.redis, self.null = redis, null
        self.postgres = PgEngine(server, server.database(database), redis.url)
        self.postgres.sql("\\pset null '%s'\nSET client_min_messages = warning;" % null)

    def _open(self, engine):
        if engine == "SQLite":
            lite = SqliteEngine(self.redis.url)
            lite.sql(".nullvalue %s" % sqlite.quoted(self.null))
            return lite
        self.postgres.sql("ROLLBACK;\nDROP SCHEMA IF EXISTS example CASCADE;\n"
                          "CREATE SCHEMA example;\nSET search_path = example, public;")
        return self.postgres

    def run(self, example, engine):
        """What is wrong with it in that engine, or None."""
        self.redis("FLUSHALL")
        door = self._open(engine)
        try:
            for sql, expected in example.steps:
                got = door.sql(sql)
                problem = door.problem(got)
                if not agrees(got, expected, engine, problem):
                    return "%s\n%s\nexpected: %s\n     got: %s" % (example.source, sql, expected, got)
            return None
        finally:
            if door is not self.postgres:
                door.close()
