"""What a call should answer: the command that its row describes, sent with redis-cli, and the reply as
SQL. Nothing here is taken from the implementation but the table itself.

Random and clock-made replies (SPOP, XADD's id, a lock's token) are adopted: the engine is asked first,
and the reference is told to do the same.
"""

import json

from . import cli
from .engines import Json, Text



class NotUtf8(Exception):
    """The reply cannot be text."""


def number(value):
    """A double as Redis is to get it: the shortest text that is that double."""
    text = repr(float(value))
    return text[:-2] if text.endswith(".0") else text


def as_bytes(value):
    if isinstance(value, bytes):
        return value
    return (number(value) if isinstance(value, float) and value == int(value) else str(value)).encode()


def as_json(reply):
    if isinstance(reply, cli.Error):
        return {"error": str(reply)}
    if isinstance(reply, cli.Status):
        return str(reply)
    if isinstance(reply, bytes):
        try:
            return reply.decode()
        except UnicodeDecodeError:
            raise NotUtf8 from None
    return [as_json(item) for item in reply] if isinstance(reply, list) else reply


class Model:
    """One engine's counterpart. reference: redis-cli. prefix: the engine's key_prefix."""

    def __init__(self, reference, prefix, engine):
        self.redis, self.prefix, self.engine = reference, prefix.encode(), engine
        self.sent = []

    def ask(self, *words):
        self.sent.append(words)
        return self.redis(*words)

    # ---- a call as a command ----

    def word(self, arg, value):
        """One argument as a word, or None when it adds none."""
        if arg.kind == "KEY":
            return self.prefix + as_bytes(value)
        if arg.kind == "PATTERN":
            escaped = b"".join(b"\\" + bytes([c]) if c in b"*?[]\\^-" else bytes([c]) for c in self.prefix)
            return escaped + as_bytes(value)
        if arg.kind in ("TTL", "AT"):
            ms = int(abs(value) * 1000 + 0.5) * (1 if value >= 0 else -1)
            return b"%d" % (ms or (1 if value > 0 else 0))
        if arg.kind == "FLAG":
            return arg.words[0].encode() if value else None
        if arg.kind == "WORD":
            return next(word for word in arg.words if word.lower() == value.lower()).encode()
        if arg.kind == "INTEGER":
            return b"%d" % int(value)
        if arg.kind == "DOUBLE" or arg.kind == "BOUND" and not isinstance(value, str):
            return number(value).encode()
        return as_bytes(value)

    def words(self, function, args):
        """The whole command of a plain row."""
        pieces = [[] for _ in function.args]
        early = []
        for i, arg in enumerate(function.args):
            given = list(args[i:]) if arg.variadic else args[i:i + 1]
            piece = early if arg.early else pieces[i]
            if not given or given == [None]:
                if arg.dflt is not None:
                    piece += [w for w in (arg.before, arg.dflt) if w is not None]
                continue
            if arg.before is not None:
                piece.append(arg.before)
            piece += [word for word in (self.word(arg, value) for value in given) if word is not None]
        if pieces:
            pieces[0] += early
        return function.command + [word for piece in pieces for word in piece] + function.rest

    # ---- what is known before Redis is asked ----

    @staticmethod
    def is_null(call):
        """A NULL where there must be none."""
        for i, value in enumerate(call.args):
            arg = call.argument(i)
            if value is None and (arg.variadic and not call.function.nulls or
                                  not arg.variadic and not arg.optional):
                return True
        return False

    @staticmethod
    def refused(call):
        """What the library itself refuses: (class, part of the message), or None."""
        for i, value in enumerate(call.args):
            arg = call.argument(i)
            if arg.kind == "WORD" and value is not None and \
                    value.lower() not in [word.lower() for word in arg.words]:
                return "invalid", arg.name
        return None

    # ---- replies as SQL ----

    def text(self, reply, twin=False):
        """A bulk or status as the engine shows it."""
        if reply is None:
            return None
        data = str(reply).encode() if isinstance(reply, str) else reply
        if twin:
            return data
        try:
            good = "\0" not in data.decode()
        except UnicodeDecodeError:
            good = False
        if good:
            return Text(data)
        if self.engine.name == "PostgreSQL":
            raise NotUtf8
        return data

    def json(self, reply):
        if reply is None:
            return None
        return Json(json.dumps(as_json(reply), ensure_ascii=False).encode())

    def scalar(self, call, reply):
        shape = call.function.shape
        if shape == "TEXT":
            return self.text(reply, call.twin)
        if shape == "OK":
            return reply is not None
        if shape == "JSON":
            return self.json(reply)
        if reply is None:
            return None
        if shape == "TYPE":
            return None if reply == "none" else Text(reply.encode())
        if shape == "SECONDS":
            return None if reply == -2 else -1.0 if reply == -1 else reply / 1000.0
        if shape == "DOUBLE":
            return float(reply)
        return bool(reply) if shape == "BOOLEAN" else reply

    def cell(self, call, column, item):
        if item is None:
            return None
        if column.type == "JSON":
            return self.fields(item)
        if column.type == "TEXT":
            return self.text(item, call.twin and column.data)
        return float(item) if column.type == "DOUBLE" else int(item)

    @staticmethod
    def fields(items):
        """A stream entry's fields: an object in their order, twice what is there twice."""
        texts = [as_json(item) for item in items]
        members = ["%s:%s" % (json.dumps(name, ensure_ascii=False), json.dumps(value, ensure_ascii=False))
                   for name, value in zip(texts[::2], texts[1::2])]
        return Json(("{%s}" % ",".join(members)).encode())

    def rows(self, call, items):
        """The elements of a reply, cut into rows."""
        columns = call.function.columns
        if len(columns) > 1 and items and isinstance(items[0], list):
            cut = items
        else:
            cut = [items[i:i + len(columns)] for i in range(0, len(items or []), len(columns))]
        return [tuple(self.cell(call, column, item) for column, item in zip(columns, row)) for row in cut]

    # ---- the answer expected ----

    def expect(self, call, got):
        """As an engine's answer; an error's class may be None (any)."""
        self.sent = []
        expected = self.answer(call, got)
        if expected[0] == "rows" and call.beside is not None:
            there = self.ask("EXISTS", self.prefix + call.beside.encode())
            expected = "rows", [row + (there,) for row in expected[1]]
        return expected

    def answer(self, call, got):
        function = call.function
        try:
            own = getattr(self, function.name, None)
            if call.args is not None and self.is_null(call):
                return ("rows", []) if function.shape == "ROWS" else ("value", None)
            if own is not None:
                return own(call, got)
            refused = self.refused(call)
            if refused:
                return ("error",) + refused
            reply = self.ask(*self.words(function, call.args))
            if isinstance(reply, cli.Error):
                return self.error(reply)
            if function.shape == "ROWS":
                return "rows", self.rows(call, reply)
            return "value", self.scalar(call, reply)
        except NotUtf8:
            return "error", "encoding", ""

    @staticmethod
    def error(reply):
        word = {"WRONGTYPE": "wrong type"}.get(reply.split(" ")[0])
        return "error", word, reply.split(" script: ")[0][:150]
