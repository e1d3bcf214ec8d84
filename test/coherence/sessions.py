"""Both engines behind one face: one statement at a time, what it warned of, and what kind of failure it was."""

import ctypes
import os
import sqlite3
import time

from harness.process import TOP
from harness.wire import Gone, SqlError, Wire, literal

__all__ = ["Gone", "PgSession", "SqlError", "SqliteSession", "literal"]

# What may happen to any statement while things break: locks, cancels.
PASSING = {"40001", "40P01", "57014", "55P03", "busy", "interrupted"}
# What a function that has to reach Redis may answer while Redis is away or refuses.
AWAY = {"08000", "08001", "08003", "08006", "25006", "53200", "57P03", "38000",
        "connection", "connection lost", "timeout", "read only", "out of memory", "redis"}

TIMES = {"connect_timeout": 300, "command_timeout": 300, "commit_timeout": 100,
         "cache_lease": 1000, "cache_wait": 200}  # ms


class PgSession:
    """where: (host, port, user, database)."""

    name = "pg"
    parameter = "$1"

    def __init__(self, where, settings):
        self.wire = Wire(*where)
        self.backend = self.wire.pid
        for name, value in settings.items():
            self.run("SET sqlredis.%s = %s" % (name, literal(str(value))))

    @property
    def warnings(self):
        return self.wire.warnings

    @property
    def in_transaction(self):
        return self.wire.status != b"I"

    def run(self, sql):
        return self.wire.run(sql)

    def value(self, sql):
        return self.wire.value(sql)

    def begin(self):
        self.run("BEGIN")

    def begin_snapshot(self):
        """A transaction that goes on reading what is there now."""
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self.run("SELECT count(*) FROM items")

    def close(self):
        self.wire.close()

    @staticmethod
    def napping(query, seconds):
        """The query takes that long, after its snapshot."""
        return query.replace(" WHERE ", ", pg_sleep(%g) WHERE " % seconds, 1)


_logged = []
_log_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)


@_log_type
def _log(_context, code, text):
    if code & 0xff in (28, 27):  # SQLITE_WARNING, SQLITE_NOTICE
        _logged.append(text.decode(errors="replace"))


def _listen():
    """SQLite's log comes here. That can be said only before the library is initialised, so it is once more."""
    library = ctypes.CDLL("libsqlite3.so.0")
    library.sqlite3_shutdown()
    if library.sqlite3_config(16, _log, None) != 0 or library.sqlite3_initialize() != 0:  # SQLITE_CONFIG_LOG
        raise RuntimeError("SQLite keeps its log to itself")


_listen()


class SqliteSession:
    """where: the file. extension: whether this process has it. journal: its mode."""

    name = "sqlite"
    parameter = "?1"
    def __init__(self, where, settings, extension=True, journal="WAL"):
        self.backend = os.getpid()
        self.warnings = []
        try:
            self.db = sqlite3.connect(where, timeout=10, isolation_level=None)
            self.db.create_function("nap", 1, lambda seconds: time.sleep(seconds) or 0)
            self.run("PRAGMA journal_mode = " + journal)
            self.run("PRAGMA synchronous = NORMAL")
            if extension:
                self.db.enable_load_extension(True)
                self.db.load_extension(os.path.join(TOP, "build/sqlite/sqlredis.so"))
                self.db.enable_load_extension(False)
                for name, value in settings.items():
                    self.run("SELECT redis_config(%s, %s)" % (literal(name), literal(str(value))))
        except sqlite3.Error as error:
            raise self._problem(error) from None

    def _problem(self, error):
        text = str(error)
        if "locked" in text:
            return SqlError("busy", text)
        return SqlError(text.split(":", 1)[0] if ":" in text else text, text)

    @property
    def in_transaction(self):
        return self.db.in_transaction

    def run(self, sql):
        del _logged[:]
        try:
            rows = self.db.execute(sql).fetchall()
        except sqlite3.Error as error:
            raise self._problem(error) from None
        finally:
            self.warnings = list(_logged)
        return [[None if v is None else str(v) for v in row] for row in rows]

    def value(self, sql):
        rows = self.run(sql)
        return rows[0][0] if rows else None

    def begin(self):
        self.run("BEGIN IMMEDIATE")

    def begin_snapshot(self):
        self.run("BEGIN")
        self.run("SELECT count(*) FROM items")

    def close(self):
        self.db.close()

    @staticmethod
    def napping(query, seconds):
        return query.replace(" WHERE ", " WHERE nap(%g) = 0 AND " % seconds, 1)
