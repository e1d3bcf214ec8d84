"""The table of functions, as build/test/comparison/table prints it from common/commands.def."""

import json
import os
import re

from harness import TOP, run

# common/commands.h, in its order
KINDS = ("KEY", "PATTERN", "VALUE", "TEXT", "INTEGER", "DOUBLE", "TTL", "AT", "WORD", "FLAG", "BOUND",
         "JSON", "KEY_LIST", "LIST", "RELATION")
SHAPES = ("TEXT", "OK", "BOOLEAN", "INTEGER", "DOUBLE", "SECONDS", "TYPE", "JSON", "ROWS")
TYPES = ("NULL", "BOOLEAN", "INTEGER", "DOUBLE", "TEXT", "BYTES", "JSON", "LIST")
ARGUMENT_FLAGS = ("optional", "variadic", "pairs", "early")
FLAGS = ("read", "idempotent", "binary", "engine", "pg_only", "sqlite_only", "aggregate", "window",
         "nulls")


def _flags(target, number, names):
    for bit, name in enumerate(names):
        setattr(target, name, bool(number & 1 << bit))


class Argument:
    def __init__(self, row):
        self.name, self.before, self.dflt = row["name"], row["before"], row["dflt"]
        self.words = row["words"].split("|") if row["words"] else []
        self.kind = KINDS[row["kind"]]
        _flags(self, row["flags"], ARGUMENT_FLAGS)


class Column:
    def __init__(self, row):
        self.name, self.type, self.data = row["name"], TYPES[row["type"]], row["data"]


class Function:
    """A row: what it is called, what it takes, what it gives, and the words it sends."""

    def __init__(self, row):
        self.name, self.plain = row["name"], row["plain"]
        self.shape = SHAPES[row["shape"]]
        _flags(self, row["flags"], FLAGS)
        self.args = [Argument(arg) for arg in row["args"]]
        self.columns = [Column(column) for column in row["columns"]]
        before, _, after = (row["redis"] or "").partition("...")
        self.command, self.rest = before.split(), after.split()

    @property
    def variadic(self):
        return bool(self.args) and self.args[-1].variadic


def read():
    program = os.path.join(TOP, "build/test/comparison/table")
    return [Function(json.loads(line)) for line in run([program]).splitlines()]


def names_in_source():
    """The names in commands.def itself: nothing may be lost on the way."""
    with open(os.path.join(TOP, "common/commands.def")) as file:
        text = file.read()
    for part in re.findall(r'(?m)^#include "(.*)"$', text):
        with open(os.path.join(TOP, "common", part)) as file:
            text = text.replace('#include "%s"' % part, file.read())
    return re.findall(r"(?m)^FUNCTION\((\w+),", text)
