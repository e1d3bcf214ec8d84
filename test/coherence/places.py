"""A database with tracked rows and sessions of short patience, in either engine: where the named tests happen."""

import os

from coherence import schema
from coherence.sessions import AWAY, TIMES, PgSession, SqliteSession, SqlError, literal
from harness import Postgres, Proxy, temp_dir, wait_for

ENGINES = ("pg", "sqlite")
ITEM = {"pg": schema.ITEM % "$1", "sqlite": schema.ITEM % "?1"}
_server = []


def postgres():
    if not _server:
        _server.append(Postgres(settings={"shared_preload_libraries": "'sqlredis'", "synchronous_commit": "on"}))
    return _server[0]


class Place:
    """A database of its own with one tracked row, behind a proxy. Its sessions have short timeouts."""

    count = 0

    def __init__(self, engine, redis, journal="WAL", **settings):
        self.engine, self.redis, self.proxy, self.journal = engine, redis, Proxy(redis), journal
        self.settings = dict(TIMES, cache_lease=10000, command_timeout=500, commit_timeout=500,
                             url="redis://127.0.0.1:%d" % self.proxy.port, **settings)
        if engine == "sqlite":
            self.settings["trigger_commands"] = 1  # the file is trusted: what it says may command Redis
        if engine == "pg":
            server = postgres()
            Place.count += 1
            name = server.database("place%d" % Place.count)
            for setting, value in self.settings.items():
                server.sql("ALTER DATABASE %s SET sqlredis.%s = %s" % (name, setting, literal(str(value))))
            self.where = (server.host, server.port, server.name, name)
        else:
            self.where = os.path.join(temp_dir("place"), "place.db")
        self.session = self.open()
        for statement in schema.tables(engine):
            self.session.run(statement)
        self.one, self.two = self.open(), self.open()
        for session in (self.one, self.two):
            session.value("SELECT redis_ping()")

    def open(self):
        return PgSession(self.where, {}) if self.engine == "pg" else SqliteSession(
            self.where, self.settings, journal=self.journal)

    def read(self, row=1, session=None):
        """The version that redis_cached gives."""
        return int((session or self.two).value("SELECT redis_cached('item:%d', 3600, %s, %d)" % (
            row, literal(ITEM[self.engine]), row)).split(":")[0])

    def is_hit(self, session=None):
        """Whether this read was answered by Redis: it is the row as it is in nobody's table."""
        session = session or self.two
        before = self.hits(session)
        self.read(1, session)
        return self.hits(session) > before

    @staticmethod
    def hits(session):
        return int(session.value("SELECT value FROM redis_stats() WHERE name = 'cache_hits'"))

    def write(self, row=1, session=None):
        """One more version; whether COMMIT said that it could not be delivered."""
        session = session or self.one
        session.run("UPDATE items SET version = version + 1 WHERE id = %d" % row)
        return bool(session.warnings)

    def filled(self):
        """The row is cached, and hit."""
        version = self.read()
        wait_for("a hit", self.is_hit)
        return version

    def end(self):
        for session in (self.session, self.one, self.two):
            session.close()
        self.proxy.close()


def places(redis, **settings):
    for engine in ENGINES:
        place = Place(engine, redis, **settings)
        yield place
        place.end()


def drained(place):
    try:
        place.session.value("SELECT redis_outbox_drain()")
    except SqlError as error:
        if error.state not in AWAY:
            raise
        return False
    return place.session.value("SELECT count(*) FROM sqlredis_outbox") == "0"
