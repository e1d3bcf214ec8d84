"""redis-cli kept open on a pipe: commands in, its human-readable replies read back exactly.

With --no-raw a string is quoted and escaped, so that nothing of a reply is lost or ambiguous.
"""

import re

from harness import Shell

_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "a": b"\a", "b": b"\b", "\\": b"\\", '"': b'"'}


class Status(str):
    """A status reply, +OK."""


class Error(str):
    """An error reply, in Redis's words."""


def quoted(word):
    """A word as redis-cli reads it."""
    data = word if isinstance(word, bytes) else str(word).encode()
    return '"%s"' % "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else "\\x%02x" % b
                            for b in data)


def unquoted(text):
    """A quoted string of redis-cli's as bytes."""
    out = bytearray()
    for part in re.finditer(r"\\x([0-9a-f]{2})|\\(.)|([^\\]+)", text[1:-1]):
        if part.group(1):
            out.append(int(part.group(1), 16))
        elif part.group(2):
            out += _ESCAPES[part.group(2)]
        else:
            out += part.group(3).encode()
    return bytes(out)


def _scalar(text):
    if text.startswith('"'):
        return unquoted(text)
    if text == "(nil)":
        return None
    if text.startswith("(integer) "):
        return int(text[len("(integer) "):])
    if text.startswith("(error) "):
        return Error(text[len("(error) "):])
    if text in ("(empty array)", "(empty list or set)"):
        return []
    return Status(text)


class _Lines:
    def __init__(self, lines):
        self.lines, self.at = lines, 0

    def parse(self, column):
        """The reply that begins in this line at this column; leaves at behind it."""
        first = self.lines[self.at][column:]
        if not re.match(r" *1\) ", first):
            self.at += 1
            return _scalar(first)
        items = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            blank = items and line[:column].strip()  # a line of a list further out
            number = re.match(r" *(\d+)\) ", line[column:])
            if blank or not number or int(number.group(1)) != len(items) + 1:
                break
            items.append(self.parse(column + number.end()))
        return items


def parse(text):
    """The replies in what redis-cli printed; it adds how long a slow one took."""
    lines = _Lines([line for line in text.split("\n") if not re.fullmatch(r"\(\d+\.\d\ds\)", line)])
    replies = []
    while lines.at < len(lines.lines):
        replies.append(lines.parse(0))
    return replies


class Cli(Shell):
    """One database of a server through redis-cli."""

    def __init__(self, redis, database):
        super().__init__(["redis-cli", "--no-raw", "-s", redis.socket, "-n", str(database)],
                         "ECHO %s")

    def _mark(self):
        return '"%s"' % super()._mark()

    def many(self, commands, most=30000):
        """The replies to several commands, sent some at a time: what a pipe holds, so that writing never
        waits for a redis-cli that waits to be read."""
        replies, lines, size = [], [], 0
        for words in commands:
            lines.append(" ".join(map(quoted, words)))
            size += len(lines[-1])
            if size > most:
                replies += parse(self.run("\n".join(lines)))
                lines, size = [], 0
        if lines:
            replies += parse(self.run("\n".join(lines)))
        if len(replies) != len(commands):
            raise AssertionError("redis-cli answered %.500r with %.500r" % (commands, replies))
        return replies

    def transaction(self, commands):
        """The same between MULTI and EXEC: nothing else may be sent in there."""
        return self.many([["MULTI"], *commands, ["EXEC"]], most=1 << 60)

    def __call__(self, *words):
        return self.many([words])[0]
