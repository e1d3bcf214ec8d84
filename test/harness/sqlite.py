"""The sqlite3 shell with the extension loaded, and SQLite inside Python."""

import os
import sqlite3

from . import process

EXTENSION = os.path.join(process.TOP, "build/sqlite/sqlredis.so")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def prologue(url=None):
    """What a script begins with: lists separated by |, NULL shown, the extension loaded. Shells from
    SQLite 3.42 on switch trusted_schema off, which everywhere else is on by default."""
    lines = ["PRAGMA trusted_schema = ON;", ".mode list", ".separator |", ".nullvalue NULL",
             '.load "%s"' % EXTENSION]
    if url:
        lines.append(".output /dev/null\nSELECT redis_config('url', %s);\n.output" % quoted(url))
    return "\n".join(lines) + "\n"


def environment(url=None):
    env = {k: v for k, v in os.environ.items() if k != "REDIS_URL"}
    env["HOME"] = "/nonexistent"  # no ~/.sqliterc
    if url:
        env["REDIS_URL"] = url
    return env


def session(url=None, database=":memory:"):
    """A sqlite3 shell kept open."""
    shell = process.Shell(["sqlite3", "-batch", database], ".print '%s'", environment())
    said = shell.run(prologue(url))
    if said:
        raise process.HarnessError("the sqlite3 shell did not load the extension: " + said)
    return shell


def script(text, url=None, database=":memory:"):
    """Run a script to its end; stdout and stderr in the order they were written."""
    return process.run(["stdbuf", "-oL", "sqlite3", "-batch", database], check=False,
                       input=prologue(url) + text, env=environment())[1]


def connect(url=None, database=":memory:", **options):
    """A Python connection with the extension loaded; no transactions behind one's back."""
    options.setdefault("isolation_level", None)
    db = sqlite3.connect(database, **options)
    db.enable_load_extension(True)
    db.load_extension(EXTENSION)
    db.enable_load_extension(False)
    if url:
        db.execute("SELECT redis_config('url', ?)", (url,)).fetchall()
    return db
