"""PostgreSQL's protocol over a unix socket: one session, simple queries.

For tests that need thousands of statements from many processes and every word the server says about
each: rows as text, warnings, SQLSTATEs, and which backend it was. Trust authentication only.
"""

import socket
import struct


class SqlError(Exception):
    """The server refused a statement; the session goes on."""

    def __init__(self, state, message):
        super().__init__("%s: %s" % (state, message))
        self.state, self.message = state, message


class Gone(Exception):
    """The connection broke: what the last statement did is unknown."""


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


class Wire:
    """One session. After Gone it is of no more use."""

    def __init__(self, host, port, user, database, patience=60.0):
        self.pid = None
        self.status = b"I"
        self.warnings = []  # of the last statement
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        try:
            self.socket.connect("%s/.s.PGSQL.%d" % (host, port))
            self.file = self.socket.makefile("rb")
            words = ["user", user, "database", database, "client_encoding", "UTF8", ""]
            body = struct.pack("!i", 196608) + b"\0".join(w.encode() for w in words) + b"\0"
            self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
            self._until_ready()
        except (OSError, SqlError, Gone) as error:
            self.close()
            raise Gone(str(error)) from None

    def close(self):
        self.socket.close()

    def send(self, sql):
        """Begin a statement without waiting for what it says: result() does."""
        body = sql.encode() + b"\0"
        try:
            self.socket.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
        except OSError as error:
            raise Gone(str(error)) from None

    def result(self):
        """The rows of the last statement that returned any, each a list of texts."""
        try:
            return self._until_ready()
        except OSError as error:
            raise Gone(str(error)) from None

    def run(self, sql):
        self.send(sql)
        return self.result()

    def value(self, sql):
        rows = self.run(sql)
        return rows[0][0] if rows else None

    def _message(self):
        head = self.file.read(5)
        if len(head) < 5:
            raise Gone("the server closed the connection")
        size = struct.unpack("!i", head[1:])[0] - 4
        body = self.file.read(size)
        if len(body) < size:
            raise Gone("the server closed the connection")
        return head[:1], body

    def _until_ready(self):
        rows, problem, self.warnings = [], None, []
        while True:
            kind, body = self._message()
            if kind == b"D":
                rows.append(self._row(body))
            elif kind == b"T":
                rows = []
            elif kind == b"E":
                fields = self._fields(body)
                problem = SqlError(fields.get("C", ""), self._text(fields))
                if fields.get("S") in ("FATAL", "PANIC"):
                    raise Gone(str(problem))
            elif kind == b"N":
                fields = self._fields(body)
                if fields.get("S") == "WARNING":
                    self.warnings.append(self._text(fields))
            elif kind == b"K":
                self.pid = struct.unpack("!ii", body)[0]
            elif kind == b"Z":
                self.status = body
                if problem is not None:
                    raise problem
                return rows

    @staticmethod
    def _row(body):
        row, at = [], 2
        for _ in range(struct.unpack_from("!h", body)[0]):
            size = struct.unpack_from("!i", body, at)[0]
            at += 4
            row.append(None if size < 0 else body[at:at + size].decode())
            at += max(size, 0)
        return row

    @staticmethod
    def _fields(body):
        return {part[:1].decode(): part[1:].decode(errors="replace")
                for part in body.split(b"\0") if part}

    @staticmethod
    def _text(fields):
        return " ".join(fields[name] for name in "MDH" if name in fields)
