"""What the tests of the outbox in SQLite share, and their Redis."""

import os
import socket
import sqlite3
import subprocess
import sys
import time

from . import sqlite
from .process import temp_dir
from .redis import Redis
from .testing import true

redis = Redis()
SILENT = socket.create_server(("127.0.0.1", 0), backlog=100)  # takes connections and says nothing
SILENT_URL = "redis://127.0.0.1:%d" % SILENT.getsockname()[1]
NOBODY_URL = "redis://127.0.0.1:1"
TABLE = """CREATE TABLE t (id INTEGER PRIMARY KEY, v);
    INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0);"""


def connect(path, url=None, commit_timeout=5000, **options):
    """Rows of other processes count as left over after twice commit_timeout."""
    db = sqlite.connect(url or redis.url, path, **options)
    value(db, "SELECT redis_config('commit_timeout', ?)", commit_timeout)
    return db


def value(db, sql, *arguments):
    return db.execute(sql, arguments).fetchone()[0]


def new_file(name="test.db", pragma="SELECT 1"):
    path = os.path.join(temp_dir("sqlite"), name)
    db = connect(path)
    db.execute(pragma).fetchall()
    db.executescript(TABLE)
    value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
    db.close()
    return path


def fill(*keys):
    redis("FLUSHALL")
    for key in keys:
        redis("SET", key, "x")


def left():
    """The keys in Redis, but for the ids of commands that were run."""
    return sorted(key.decode() for key in redis("KEYS", "*") if b"sqlredis:done:" not in key)


def rows(path):
    """What anybody sees who has not loaded the extension."""
    db = sqlite3.connect(path, isolation_level=None)
    found = db.execute("SELECT kind, CAST(data AS BLOB) FROM sqlredis_outbox ORDER BY id").fetchall()
    db.close()
    return [(kind, b"".join(data.split(b"\x01K\x00\x00\x00\x03")) if kind == "effects" else data)
            for kind, data in found]


def refused(db, sql, *words):
    try:
        db.execute(sql).fetchall()
    except sqlite3.Error as error:
        for word in words:
            true(word in str(error), "%r is not in %r" % (word, str(error)))
        return str(error)
    raise AssertionError("not refused: " + sql)


def until(holds, what):
    deadline = time.monotonic() + 60
    while not holds():
        true(time.monotonic() < deadline, what)
        time.sleep(0.01)


def process(path, url, *statements):
    """A process that runs statements, prints a line after each, and waits to be killed."""
    program = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.enable_load_extension(True)
db.load_extension(sys.argv[2])
for sql in sys.argv[3:]:
    db.execute(sql).fetchall()
    print("done", flush=True)
sys.stdin.read()
"""
    return subprocess.Popen([sys.executable, "-c", program, path, sqlite.EXTENSION, *statements],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env=sqlite.environment(url))
