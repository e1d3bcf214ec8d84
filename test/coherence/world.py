"""The servers, proxies and processes of a campaign."""

import json
import os
import shutil
import signal
import sqlite3
import sys

from coherence import ledger as shared
from coherence import schema
from coherence.sessions import TIMES, Gone, PgSession, SqliteSession
from harness import Postgres, Redis, process, temp_dir, wait_for
from harness.proxy import Proxy

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# With commit_delay a commit takes that long between its last callback before it is visible and the first after.
SETTINGS = {"fsync": "on", "synchronous_commit": "on", "commit_delay": "2000", "commit_siblings": "0",
            "max_connections": "60", "max_prepared_transactions": "20", "deadlock_timeout": "'50ms'",
            "restart_after_crash": "on", "wal_level": "replica"}
ROLES = {"pg": ["writer"] * 3 + ["reader"] * 4,
         "sqlite": ["writer"] * 2 + ["reader"] * 3 + ["outside"]}
# Appended to its file before an answer goes out: a kill loses nothing that was acknowledged.
REDIS = ["--appendonly", "yes", "--appendfsync", "no", "--repl-diskless-sync-delay", "0",
         "--enable-debug-command", "yes"]


class World:
    """engines: "pg", "sqlite". preload: PostgreSQL has the worker. roles: as ROLES. naive: readers fill
    without a lease."""

    redis_config = REDIS

    def __init__(self, seed, engines, preload, roles=None, naive=False):
        self.seed, self.engines, self.roles = seed, engines, roles or ROLES
        self.naive = naive
        self.directory = os.environ.get("COHERENCE_KEEP") or temp_dir("coherence")
        self.copy = os.path.join(self.directory, "copy")
        self.ledger = shared.Ledger(self.directory, create=True)
        self.ledgers = {engine: shared.Ledger(self.directory, engine) for engine in engines}
        self.events = shared.Events(self.directory, "campaign")
        self.redis = Redis(config=REDIS)
        self.proxies = {engine: Proxy(self.redis) for engine in engines}
        self.pg, self.workers = None, {}
        self.where, self.settings = {}, {}
        for engine, proxy in self.proxies.items():
            self.settings[engine] = dict(TIMES, url="redis://127.0.0.1:%d" % proxy.port,
                                         key_prefix=engine + ":")
            if engine == "sqlite":
                self.settings[engine]["trigger_commands"] = 1  # the file is trusted
        if "pg" in engines:
            self._postgres(preload)
        if "sqlite" in engines:
            self.where["sqlite"] = os.path.join(self.directory, "hot.db")
        for engine in engines:
            session = self.session(engine)
            for statement in schema.tables(engine):
                session.run(statement)
            session.close()

    def _postgres(self, preload):
        # The worker has no session: it reads these from the file.
        settings = {"sqlredis.%s" % name: "'%s'" % value for name, value in self.settings["pg"].items()}
        if preload:
            settings["shared_preload_libraries"] = "'sqlredis'"
        self.pg = Postgres(settings=dict(SETTINGS, **settings))
        self.pg.database("hot")
        self.where["pg"] = (self.pg.host, self.pg.port, self.pg.name, "hot")


    def session(self, engine):
        """Without the proxy's faults on its own statements; settings are the campaign's."""
        if engine == "pg":
            return PgSession(self.where["pg"], {})
        return SqliteSession(self.where["sqlite"], self.settings["sqlite"])

    # ---- workers

    def start_workers(self):
        number = 0
        for engine in self.engines:
            for role in self.roles[engine]:
                self.workers[number] = [None, engine, role]
                number += 1
        assert number < shared.MONITOR
        self.revive()

    def revive(self):
        """Start those that have never been, or were killed."""
        for number, entry in self.workers.items():
            running, engine, role = entry
            if running is not None and running.poll() is None:
                continue
            if running is not None:
                process.end(running)
            setup = {"engine": engine, "where": self.where[engine], "settings": self.settings[engine],
                     "parent": os.getpid(), "naive": self.naive}
            with open(os.path.join(self.directory, "output"), "ab") as output:
                entry[0] = process.start(
                    [sys.executable, os.path.join(TEST, "coherence", "worker.py"), self.directory,
                     str(number), role, str(self.seed), json.dumps(setup)],
                    stdin=process.subprocess.DEVNULL, stdout=output, stderr=output,
                    env=dict(os.environ, PYTHONPATH=TEST, PYTHONDONTWRITEBYTECODE="1"))

    def backends(self, engine):
        """Processes that work in the database for the workers."""
        if engine == "sqlite":
            return [entry[0].pid for entry in self.workers.values()
                    if entry[1] == engine and entry[0].poll() is None]
        found = []
        for number, entry in self.workers.items():
            pid = self.ledger.workers[number].backend
            if entry[1] == engine and pid and parent_of(pid) == self.pg.process.pid:
                found.append(pid)
        return found

    def pause(self, patience=60.0):
        """All workers quiet."""
        self.ledger.set("quiet", self.ledger.get("quiet") + 1)
        self.ledger.set("phase", shared.IDLE)
        ticket = self.ledger.get("quiet")

        def quiet():
            self.revive()
            return all(self.ledger.workers[number].idle == ticket for number in self.workers)
        wait_for("the workers to pause", quiet, patience)

    def go_on(self):
        self.ledger.set("phase", shared.RUN)

    def stop(self):
        self.ledger.set("phase", shared.STOP)
        for entry in self.workers.values():
            process.end(entry[0], signal.SIGTERM, 5)
        for proxy in self.proxies.values():
            proxy.close()

    # ---- Redis's files

    def _files(self):
        return [name for name in os.listdir(self.redis.directory)
                if name not in ("redis.sock", "redis.log")]

    def copy_redis(self):
        shutil.rmtree(self.copy, ignore_errors=True)
        os.mkdir(self.copy)
        for name in self._files():
            path = os.path.join(self.redis.directory, name)
            (shutil.copytree if os.path.isdir(path) else shutil.copy)(path, os.path.join(self.copy, name))

    def put_back_redis(self):
        for name in self._files():
            path = os.path.join(self.redis.directory, name)
            (shutil.rmtree if os.path.isdir(path) else os.remove)(path)
        for name in os.listdir(self.copy):
            path = os.path.join(self.copy, name)
            (shutil.copytree if os.path.isdir(path) else shutil.copy)(
                path, os.path.join(self.redis.directory, name))

    # ---- what a snapshot shows

    def snapshot(self, engine):
        """(rows of the outbox, {row: (version, nonce)}), both as of one moment; None: not to be had now."""
        sql = ("SELECT -1, (SELECT count(*) FROM sqlredis_outbox), '' UNION ALL " + schema.VERSIONS)
        try:
            if engine == "pg":
                session = PgSession(self.where["pg"], {})
                rows = session.run(sql)
                session.close()
            else:
                db = sqlite3.connect(self.where["sqlite"], timeout=5)
                rows = db.execute(sql).fetchall()
                db.close()
        except (Gone, sqlite3.Error):
            return None
        versions = {int(row): (int(version), nonce) for row, version, nonce in rows}
        return versions.pop(-1)[0], versions

    def observe(self):
        """What a snapshot shows beside an empty outbox has been delivered."""
        for engine in self.engines:
            seen = self.snapshot(engine)
            if seen is not None and seen[0] == 0:
                for row, (version, _) in seen[1].items():
                    self.ledgers[engine].acknowledge(shared.MONITOR, row, version)


def parent_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except (OSError, ValueError):
        return None
