"""A call in each engine: its SQL, and what came back as Python values.

An answer is ("value", v), ("rows", [tuple, ...]) or ("error", class word, message). Text is Text, other
bytes are bytes; numbers, booleans and None are themselves; json is Json.
"""

import json
import sqlite3

from harness import PgEngine, sqlite
from harness.engines import STATES, SqliteEngine

WORDS = {state: word for word, state in STATES.items()}
SCALAR_TYPES = {"OK": "BOOLEAN", "SECONDS": "DOUBLE", "TYPE": "TEXT"}


class Text(bytes):
    """What an engine gave as text."""


class Json(bytes):
    """What an engine gave as JSON."""


class Call:
    """args: of a plain call. rows: a list of them, of an aggregate or a window function. twin: ask the
    _bytea twin (PostgreSQL). named: with argument names (PostgreSQL). array: the variadic ones as one
    array (PostgreSQL). limit: a LIMIT. listed: in the select list, and only counted (PostgreSQL).
    lookup: WHERE key IN (...) (SQLite). beside: each row asks whether this key exists, too."""

    def __init__(self, function, args=None, rows=None, **how):
        self.function, self.args, self.rows = function, args, rows
        self.twin = self.named = self.array = self.listed = self.lookup = False
        self.limit = self.beside = None
        self.__dict__.update(how)
        self.sql = ""

    def argument(self, i):
        args = self.function.args
        return args[min(i, len(args) - 1)]

    def types(self):
        """(expression or column name, type) of what comes back."""
        if self.function.shape == "ROWS":
            return [('"%s"' % c.name, "BYTES" if self.twin and c.data else c.type)
                    for c in self.function.columns] + \
                ([("redis_exists(%s)" % sqlite.quoted(self.beside), "INTEGER")]
                 if self.beside is not None else [])
        kind = SCALAR_TYPES.get(self.function.shape, self.function.shape)
        return [(None, "BYTES" if self.twin and kind == "TEXT" else kind)]



class Postgres:
    """psql. Literals say the type when it would not be seen."""

    name = "PostgreSQL"
    bytes_keys = False

    def __init__(self, server, database, url, prefix):
        self.engine = PgEngine(server, database, url)
        self.engine.config("key_prefix", prefix)
        self.engine.sql("SET extra_float_digits = 1;\nSET client_min_messages = error;")

    def close(self):
        self.engine.close()

    def can(self, function):
        return not function.sqlite_only

    def literal(self, arg, value):
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return "ARRAY[%s]::text[]" % ", ".join(self.literal(None, item) for item in value)
        if isinstance(value, bytes):
            return "'\\x%s'::bytea" % value.hex()
        if isinstance(value, int):
            return "'%d'::bigint" % value
        if isinstance(value, float):
            return "'%r'::float8" % value
        return sqlite.quoted(value) + ("::json" if arg is not None and arg.kind == "JSON" else "")

    def _arguments(self, call):
        words = [self.literal(call.argument(i), value) for i, value in enumerate(call.args)]
        if call.array:
            fixed = len(call.function.args) - 1
            words[fixed:] = ["VARIADIC ARRAY[%s]::text[]" % ", ".join(words[fixed:])]
        elif call.named:
            words = ["%s => %s" % (arg.name, word) for arg, word in zip(call.function.args, words)]
        return ", ".join(words)

    def _values(self, call):
        """The rows of an aggregate: VALUES wants one type a column, so bytes make all of it bytes."""
        columns = list(zip(*call.rows))
        for i, column in enumerate(columns):
            if any(isinstance(value, bytes) for value in column):
                columns[i] = [str(v).encode() if v is not None and not isinstance(v, bytes) else v
                              for v in column]
            elif any(isinstance(value, str) for value in column):
                columns[i] = [v if v is None else str(v) for v in column]
        kinds = {"TTL": "::float8", "KEY": "::text"}
        return "(VALUES %s) s(%s)" % (
            ", ".join("(%s)" % ", ".join(
                self.literal(None, value) + kinds.get(call.function.args[i].kind, "")
                for i, value in enumerate(row)) for row in zip(*columns)),
            ", ".join("c%d" % i for i in range(len(columns))))

    @staticmethod
    def _cell(expression, kind):
        if kind == "BYTES":
            return "encode(%s, 'hex')" % expression
        if kind in ("TEXT", "JSON"):
            return "encode(convert_to((%s)::text, 'UTF8'), 'hex')" % expression
        return "(%s)::text" % expression

    @staticmethod
    def _read(text, kind):
        if text == "NULL":
            return None
        if kind == "BYTES":
            return bytes.fromhex(text)
        if kind in ("TEXT", "JSON"):
            return (Text if kind == "TEXT" else Json)(bytes.fromhex(text))
        if kind == "BOOLEAN":
            return text == "true"
        return int(text) if kind == "INTEGER" else float(text)

    def statement(self, call):
        name = call.function.name + ("_bytea" if call.twin else "")
        limit = "" if call.limit is None else " LIMIT %d" % call.limit
        types = call.types()
        if call.rows is not None:
            columns = ", ".join("c%d" % i for i in range(len(call.rows[0])))
            over = " OVER ()" if call.function.window else ""
            return "SELECT '>', %s FROM %s" % (
                self._cell("%s(%s)%s" % (name, columns, over), types[0][1]), self._values(call))
        source = "%s(%s)" % (name, self._arguments(call))
        if call.function.shape != "ROWS":
            return "SELECT '>', " + self._cell(source, types[0][1])
        if call.listed:
            return "SELECT '>', count(*) FROM (SELECT %s%s) s" % (source, limit)
        return "SELECT '>', %s FROM %s%s" % (
            ", ".join(self._cell(column, kind) for column, kind in types), source, limit)

    def __call__(self, call):
        call.sql = self.statement(call)
        said = self.engine.sql(call.sql + ";")
        problem = self.engine.problem(said)
        if problem:
            return "error", WORDS.get(problem.state, problem.state), problem.message
        kinds = ["INTEGER"] if call.listed else [kind for _, kind in call.types()]
        rows = [tuple(self._read(cell, kind) for cell, kind in zip(line.split("|")[1:], kinds))
                for line in said.split("\n") if line.startswith(">")]
        if call.function.shape == "ROWS" and not call.listed or call.function.window:
            return "rows", rows
        return "value", rows[0][0]


class Lite:
    """SQLite inside Python: arguments are bound, so that every value is exact."""

    name = "SQLite"
    bytes_keys = True

    def __init__(self, url, prefix):
        self.db = sqlite.connect(url)
        self.db.text_factory = Text
        self.db.execute("SELECT redis_config('key_prefix', ?)", (prefix,)).fetchall()

    def close(self):
        self.db.close()

    def can(self, function):
        return not function.pg_only

    @staticmethod
    def _bound(values):
        return [json.dumps(v) if isinstance(v, list) else v for v in values]

    def statement(self, call):
        """The SQL and what is bound."""
        name = call.function.name
        limit = "" if call.limit is None else " LIMIT %d" % call.limit
        if call.rows is not None:
            columns = ", ".join("column%d" % (i + 1) for i in range(len(call.rows[0])))
            values = ", ".join("(%s)" % ", ".join("?" * len(row)) for row in call.rows)
            return ("SELECT %s(%s) FROM (VALUES %s)" % (name, columns, values),
                    [value for row in call.rows for value in row])
        if call.lookup:
            return ("SELECT key, value FROM %s WHERE key IN (VALUES %s)" % (
                name, ", ".join(["(?)"] * len(call.args))), call.args)
        source = "%s(%s)" % (name, ", ".join("?" * len(call.args)))
        if call.function.shape != "ROWS":
            return "SELECT " + source, call.args
        return "SELECT %s FROM %s%s" % (", ".join(column for column, _ in call.types()),
                                        source, limit), call.args

    def __call__(self, call):
        sql, values = self.statement(call)
        call.sql = "%s  -- %r" % (sql, values)
        try:
            rows = self.db.execute(sql, self._bound(values)).fetchall()
        except sqlite3.Error as error:
            problem = SqliteEngine.problem("Error near line 1: " + str(error))
            return "error", problem.state, problem.message
        kinds = [kind for _, kind in call.types()]
        rows = [tuple(self._read(cell, kind) for cell, kind in zip(row, kinds)) for row in rows]
        return ("rows", rows) if call.function.shape == "ROWS" else ("value", rows[0][0])

    @staticmethod
    def _read(cell, kind):
        if kind == "JSON" and isinstance(cell, Text):
            return Json(cell)
        if kind == "BOOLEAN" and cell in (0, 1) and not isinstance(cell, float):
            return bool(cell)
        return cell
