"""The two engines behind one face, for tests that ask the same of both."""

import re

from . import postgres, sqlite

# The class word a SQLite message begins with, and PostgreSQL's SQLSTATE for the same.
STATES = {
    "connection": "08001", "connection lost": "08006", "timeout": "08000", "protocol": "08P01",
    "tls": "08001", "authentication": "28P01", "permission": "42501", "wrong type": "42804",
    "out of memory": "53200", "quota": "53400", "too many clients": "53300", "too large": "54000",
    "read only": "25006", "busy": "57P03", "redis": "38000", "invalid": "22023",
    "encoding": "22021", "interrupted": "57014",
}


class Problem(AssertionError):
    """A statement failed. message: what happened and the hint, as the engine shows them."""

    def __init__(self, state, message):
        super().__init__("%s: %s" % (state, message))
        self.state, self.message = state, message


class Engine:
    """A shell kept open. What differs is how it is opened, set, and read: config() and problem()."""

    def fails(self, sql, word, *parts):
        """The statement must fail with that class, its message and hint naming parts."""
        try:
            got = self.value(sql)
        except Problem as problem:
            self._judge(problem, word, parts)
            return problem
        raise AssertionError("%s: no error; got %r from %s" % (self.name, got, sql))

    def _judge(self, problem, word, parts):
        expected = STATES[word] if self.name == "PostgreSQL" else word
        if problem.state != expected:
            raise AssertionError("%s: class %s expected, got %s: %s" % (
                self.name, expected, problem.state, problem.message)) from None
        for part in parts:
            if part.lower() not in problem.message.lower():
                raise AssertionError("%s: %r is not in %r" % (
                    self.name, part, problem.message)) from None

    def sql(self, text):
        """Statements; what they say, warnings included."""
        return self.shell.run(text)

    def value(self, sql, patience=60.0):
        """The one value of a statement as text, NULL as 'NULL'; raises Problem."""
        said = self.shell.run(sql + ";", patience)
        problem = self.problem(said)
        if problem:
            raise problem
        return said

    def close(self):
        self.shell.close()

    def config_fails(self, setting, value, word, *parts):
        """The setting must be refused, when it is made or at the first call after it."""
        try:
            self.config(setting, value)
        except Problem as problem:
            self._judge(problem, word, parts)
            return problem
        return self.fails("SELECT redis_ping()", word, *parts)


class PgEngine(Engine):
    """A psql session."""

    name = "PostgreSQL"

    def __init__(self, server, database, url=None, role=None):
        self.server, self.database = server, database
        self.shell = server.session(database, role)
        self.pid = int(self.shell.run("SELECT pg_backend_pid();"))
        if url is not None:
            self.config("url", url)

    def config(self, name, value):
        said = self.shell.run("SET sqlredis.%s = %s;" % (name, sqlite.quoted(str(value))))
        if said:
            raise self.problem(said) or AssertionError(said)

    @staticmethod
    def problem(text):
        found = re.search(r"^(?:ERROR|FATAL): +(\w{5}): +(.*)", text, re.S | re.M)
        return Problem(found.group(1), found.group(2)) if found else None


class SqliteEngine(Engine):
    """A sqlite3 shell."""

    name = "SQLite"

    def __init__(self, url=None, database=":memory:"):
        self.shell = sqlite.session(None, database)
        if url is not None:
            self.config("url", url)

    def config(self, name, value):
        said = self.shell.run("SELECT redis_config('%s', %s);" % (name, sqlite.quoted(str(value))))
        problem = self.problem(said)
        if problem:
            raise problem

    @staticmethod
    def problem(text):
        found = re.search(r"^(?:(?:Runtime|Parse) e|E)rror near line \d+: (.*)", text, re.S | re.M)
        if not found:
            return None
        message = re.sub(r" \(\d+\)$", "", found.group(1))
        for word in sorted(STATES, key=len, reverse=True):
            if message.startswith(word + ": "):
                return Problem(word, message[len(word) + 2:])
        return Problem("", message)


class Both:
    """A cluster (the library preloaded, so that a URL may hold a password) and a place for SQLite
    databases, for tests that put one question to both engines."""

    def __init__(self, settings=None):
        self.server = postgres.Postgres(settings=dict(
            {"shared_preload_libraries": "'sqlredis'"}, **(settings or {})))
        self.server.database("faults")
        self.opened = []

    def __call__(self, url=None, **config):
        """A new session of each engine, set up; those of the last call are closed."""
        while self.opened:
            self.opened.pop().close()
        for make in (lambda: PgEngine(self.server, "faults"), SqliteEngine):
            engine = make()
            self.opened.append(engine)
            for name, value in config.items():
                engine.config(name, value)
            if url is not None:
                engine.config("url", url)
            yield engine
