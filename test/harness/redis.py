"""A private redis-server, and a client of a few lines to look at it with."""

import os
import shutil
import signal
import socket
import subprocess

from . import process


class RedisError(Exception):
    """An error reply."""


class Client:
    """RESP2 over a blocking socket: enough to set up and to check, independent of what is tested."""

    def __init__(self, server, password=None, user=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(server.socket)
        self.file = self.socket.makefile("rb")
        if password:
            self("AUTH", *([user] if user else []), password)

    def __call__(self, *args):
        parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        out = b"*%d\r\n" % len(parts)
        for part in parts:
            out += b"$%d\r\n%s\r\n" % (len(part), part)
        self.socket.sendall(out)
        return self._reply()

    def _reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        raise ConnectionError("not RESP: %r" % line)

    def close(self):
        self.file.close()
        self.socket.close()


class Redis:
    """redis-server on a free loopback port and a unix socket.

    tls: a Certificates; a second port speaks TLS then. The tcp port stays the same over restarts.
    clock: a Clock, the server's.
    """

    def __init__(self, directory=None, password=None, tls=None, tls_clients="no", config=(),
                 clock=None):
        self.directory = directory or process.temp_dir("redis")
        self.socket = os.path.join(self.directory, "redis.sock")
        self.log = os.path.join(self.directory, "redis.log")
        self.password = password
        self.tls = tls
        self.tls_clients = tls_clients
        self.config = list(config)
        self.clock = clock
        self.process = None
        self.port = self.tls_port = None
        self.start()

    @property
    def url(self):
        return "redis://127.0.0.1:%d" % self.port

    @property
    def unix_url(self):
        return "redis+unix://" + self.socket

    def _arguments(self):
        words = ["--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket,
                 "--unixsocketperm", "777",
                 "--dir", self.directory, "--save", "", "--appendonly", "no", "--daemonize", "no",
                 "--logfile", self.log]
        if self.password:
            words += ["--requirepass", self.password]
        if self.tls:
            words += ["--tls-port", self.tls_port, "--tls-cert-file", self.tls.server_cert,
                      "--tls-key-file", self.tls.server_key, "--tls-ca-cert-file", self.tls.ca_cert,
                      "--tls-auth-clients", self.tls_clients]
        return [str(w) for w in words + self.config]

    def begin(self, more=()):
        """Its process, which need not serve yet; more: further words of its command line."""
        program = shutil.which("redis-server")
        if not program:
            raise process.HarnessError("redis-server is not installed")
        return process.start([program] + self._arguments() + list(more), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                             env=self.clock.environment() if self.clock else None)

    def start(self):
        """Start, or start again on the same port."""
        fresh = self.port is None
        for _ in range(10):
            if fresh:
                self.port = process.free_port()
                self.tls_port = process.free_port() if self.tls else None
            self.process = self.begin()
            process.wait_for("redis-server", self._up_or_dead)
            if self.process.poll() is None:
                return self
        raise process.HarnessError("redis-server does not start:\n" + self.log_text())

    def _up_or_dead(self):
        if self.process.poll() is not None:
            return True
        try:
            client = Client(self, self.password)
            try:
                client("PING")
                return client("INFO", "server").decode().find(
                    "process_id:%d\r" % self.process.pid) >= 0
            finally:
                client.close()
        except (OSError, RedisError):
            return False

    def log_text(self):
        try:
            with open(self.log, errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def stop(self):
        """An orderly end; connections are closed."""
        process.end(self.process, signal.SIGTERM)

    def kill(self):
        process.end(self.process, signal.SIGKILL)

    def freeze(self):
        """The kernel goes on accepting and acknowledging; nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def client(self, password=None, user=None):
        return Client(self, password or self.password, user)

    def __call__(self, *args):
        """One command over a connection of its own."""
        client = self.client()
        try:
            return client(*args)
        finally:
            client.close()
