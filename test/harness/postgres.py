"""A private PostgreSQL cluster that has the extension without its being installed.

PostgreSQL finds its libraries and its extensions relative to its own binary. So the tree that
pg_config describes is laid out again in a temporary directory: copies of the binaries, links to
everything else, and the extension put beside them. The cluster listens on a unix socket only.
"""

import glob
import os
import shutil
import signal
import subprocess

from . import process

SETTINGS = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "jit": "off",
    "shared_buffers": "'64MB'", "max_connections": "40", "timezone": "'UTC'",
    "listen_addresses": "''", "wal_level": "logical", "max_prepared_transactions": "10",
    "max_wal_size": "'2GB'", "log_min_messages": "warning", "log_line_prefix": "'%m [%p] '",
}


def pg_config(option):
    return process.run([process.PG_CONFIG, option]).strip()


def lay_out_tree(root, extension=True):
    """The server's tree under root; returns where its binaries are."""
    bindir, sharedir, pkglibdir = map(pg_config, ("--bindir", "--sharedir", "--pkglibdir"))
    for directory in (bindir, sharedir + "/extension", pkglibdir):
        os.makedirs(root + directory)
    for name in ("postgres", "initdb"):
        shutil.copy(os.path.join(bindir, name), root + bindir)
    for source, target in ((sharedir, sharedir), (sharedir + "/extension", sharedir + "/extension"),
                           (pkglibdir, pkglibdir)):
        for name in os.listdir(source):
            place = "%s%s/%s" % (root, target, name)
            if not os.path.lexists(place) and not name.startswith("sqlredis"):
                os.symlink(os.path.join(source, name), place)
    if extension:
        for source, target in (
                ("build/pg/sqlredis.so", pkglibdir), ("pg_ext/sqlredis.control", None),
                *((path, None) for path in glob.glob(glob.escape(process.TOP) +
                                                     "/sql/sqlredis--*.sql"))):
            shutil.copy(os.path.join(process.TOP, source),
                        root + (target or sharedir + "/extension"))
    process.run(["chmod", "-R", "a+rX", root])
    return root + bindir


class Postgres:
    """settings: added to postgresql.conf. url: sqlredis.url, or None to leave it unset."""

    def __init__(self, url=None, settings=None, env=None, extension=True):
        self.directory = process.temp_dir("pg")
        self.user = process.unprivileged_user()
        self.name = "postgres"
        self.data = os.path.join(self.directory, "data")
        self.host = os.path.join(self.directory, "run")
        self.log = os.path.join(self.directory, "postgres.log")
        self.port = 5432  # names the socket file; no TCP port is opened
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("PG") and k != "REDIS_URL"}
        self.env.update(env or {}, LC_ALL="C")
        self.process = None
        self.bindir = lay_out_tree(os.path.join(self.directory, "root"), extension)
        self.client_bindir = pg_config("--bindir")
        for path in (self.data, self.host):
            os.mkdir(path, 0o700 if path == self.data else 0o755)
            process.give_to(self.user, path)
        process.run([self.bindir + "/initdb", "-D", self.data, "-A", "trust", "-U", self.name,
                     "--no-sync", "-E", "UTF8", "--locale=C"], user=self.user, env=self.env)
        self.configure(dict(SETTINGS, unix_socket_directories="'%s'" % self.host,
                            **({"sqlredis.url": "'%s'" % url} if url else {}), **(settings or {})))
        self.start()

    def configure(self, settings):
        """Append to postgresql.conf; the last word wins."""
        with open(self.data + "/postgresql.conf", "a") as file:
            for name, value in settings.items():
                file.write("%s = %s\n" % (name, value))

    def start(self):
        log = open(self.log, "ab")
        self.process = process.start([self.bindir + "/postgres", "-D", self.data], user=self.user,
                                     death_signal=signal.SIGINT, stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, env=self.env)
        log.close()
        process.wait_for("PostgreSQL", self._up_or_dead)
        if self.process.poll() is not None:
            raise process.HarnessError("PostgreSQL does not start:\n" + self.log_text())

    def _up_or_dead(self):
        return self.process.poll() is not None or subprocess.run(
            self.psql_argv("postgres") + ["-c", "SELECT 1"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode == 0

    def log_text(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def stop(self):
        process.end(self.process, signal.SIGINT, 30)

    def crash(self):
        """Stopped at once, as by a power failure that the disk survived; start() recovers."""
        process.end(self.process, signal.SIGQUIT, 30)

    def restart(self, settings=None):
        self.stop()
        self.configure(settings or {})
        self.start()

    def reload(self, settings):
        """New settings without a restart; waits until a new session sees them."""
        self.configure(settings)
        before = self.sql("SELECT pg_conf_load_time()", "postgres")
        self.process.send_signal(signal.SIGHUP)
        process.wait_for("the reload", lambda: self.sql("SELECT pg_conf_load_time()",
                                                        "postgres") != before)

    def environment(self, database="postgres"):
        """For clients: psql, pg_regress."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        env.update(PGHOST=self.host, PGPORT=str(self.port), PGUSER=self.name, PGDATABASE=database,
                   LC_ALL="C", PGOPTIONS="")
        return env

    def psql_argv(self, database="postgres", role=None):
        return [self.client_bindir + "/psql", "-X", "-q", "-A", "-t", "-h", self.host, "-p",
                str(self.port), "-U", role or self.name, "-d", database]

    def sql(self, text, database="postgres", role=None):
        """Statements that must succeed; what they print."""
        return process.run(self.psql_argv(database, role) + ["-v", "ON_ERROR_STOP=1", "-f", "-"],
                           input=text).rstrip("\n")

    def session(self, database="postgres", role=None, terse=False):
        """A psql kept open. Errors carry their SQLSTATE unless terse; NULL prints as NULL."""
        shell = process.Shell(self.psql_argv(database, role), "\\echo '%s'",
                              dict(self.environment(), LC_ALL="C.UTF-8"))
        shell.run("\\set VERBOSITY %s\n\\pset null NULL" % ("terse" if terse else "verbose"))
        return shell

    def database(self, name, extension=True):
        self.sql("CREATE DATABASE %s" % name)
        if extension:
            self.sql("CREATE EXTENSION sqlredis", name)
        return name
