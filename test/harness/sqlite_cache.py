"""What the tests of the cache in SQLite share."""

import os
import sqlite3

from . import sqlite
from .process import temp_dir
from .testing import contains

QUERY = "SELECT redis_cached('t:1', 60, 'SELECT v FROM t WHERE id = $1', 1)"


def value(db, sql, *arguments):
    return db.execute(sql, arguments).fetchall()[0][0]


def row(db, sql, *arguments):
    return db.execute(sql, arguments).fetchall()[0]


def refused(db, sql, *parts):
    try:
        db.execute(sql).fetchall()
    except sqlite3.Error as problem:
        for part in parts:
            contains(str(problem), part)
        return problem
    raise AssertionError("not refused: " + sql)


class Change:
    """What redis_stats counted of the cache since."""

    def __init__(self, db):
        self.db = db
        self.before = self._read()

    def _read(self):
        return {name[6:]: int(number) for name, number in self.db.execute(
            "SELECT name, value FROM redis_stats WHERE name LIKE 'cache%'").fetchall()}

    def __call__(self):
        return {name: number - self.before[name] for name, number in self._read().items()
                if number != self.before[name]}


def tracked_file(redis, tracked=True):
    """An empty Redis, and a file with t(1, 'old'): its path, and a connection."""
    redis("FLUSHALL")
    path = os.path.join(temp_dir("sqlite"), "test.db")
    db = sqlite.connect(redis.url, path)
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    db.execute("INSERT INTO t VALUES (1, 'old')")
    if tracked:
        value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
    return path, db
