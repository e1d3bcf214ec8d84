"""Servers that misbehave on purpose, and a proxy that does so to a real one.

A real Redis is used wherever it can be made to show the behaviour; these are for what no Redis does
on demand: garbage, silence, a death in the middle of a reply.
"""

import socket
import ssl
import threading

from . import process

HANDSHAKE = {b"CLIENT", b"AUTH", b"SELECT", b"HELLO"}


def _read_line(file):
    line = file.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line.rstrip(b"\r\n")


def read_command(file):
    """One RESP command from a connection's file: a list of bytes; EOFError at the end."""
    line = _read_line(file)
    if not line.startswith(b"*"):
        return [line]
    words = []
    for _ in range(int(line[1:])):
        size = int(_read_line(file)[1:])
        words.append(file.read(size + 2)[:-2])
    return words


class FakeServer:
    """Listens on a loopback port; each connection is served by serve(connection) in a thread.

    Without serve: commands are read, the handshake is answered with +OK, everything else with
    answer (bytes, or a function of the command's words). close: close after the answer.
    commands records every command but the handshake's; connections counts.
    """

    def __init__(self, answer=b"+OK\r\n", serve=None, close=False, tls=None, handshake=b"+OK\r\n"):
        self.answer, self.close_after, self.handshake = answer, close, handshake
        self.serve = serve or self._serve
        self.tls = None
        if tls:  # (certificate, key)
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.commands, self.connections, self.open = [], 0, []
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.url = "%s://127.0.0.1:%d" % ("rediss" if tls else "redis", self.port)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(connection)
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self.open.append(connection)
            self.serve(connection)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            connection.close()

    def _serve(self, connection):
        file = connection.makefile("rb")
        while True:
            words = read_command(file)
            if words[0].upper() in HANDSHAKE:
                connection.sendall(self.handshake)
                continue
            self.commands.append(words)
            answer = self.answer(words) if callable(self.answer) else self.answer
            if answer is not None:
                connection.sendall(answer)
            if self.close_after:
                connection.shutdown(socket.SHUT_RDWR)
                return

    def close(self):
        self.listener.close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def silent(connection):
    """Reads and never answers."""
    while connection.recv(65536):
        pass


class Proxy(FakeServer):
    """Passes bytes to a real Redis, and can hold, cut or lose its replies.

    hold()/release(): replies wait. lose(n): after n more bytes of replies have passed, the
    connection breaks; what the server did stands.
    """

    def __init__(self, redis):
        self.redis = redis
        self.flowing = threading.Event()
        self.flowing.set()
        self.left = None
        self.lock = threading.Lock()
        super().__init__(serve=self._forward)

    def hold(self):
        self.flowing.clear()

    def release(self):
        self.flowing.set()

    def lose(self, after=0):
        with self.lock:
            self.left = after

    def _forward(self, connection):
        upstream = socket.create_connection(("127.0.0.1", self.redis.port))
        self.open.append(upstream)
        back = threading.Thread(target=self._replies, args=(upstream, connection), daemon=True)
        back.start()
        try:
            while True:
                data = connection.recv(65536)
                if not data:
                    break
                upstream.sendall(data)
        finally:
            try:
                upstream.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            back.join()
            upstream.close()

    def _replies(self, upstream, connection):
        try:
            while True:
                data = upstream.recv(65536)
                if not data:
                    break
                self.flowing.wait()
                with self.lock:
                    broken = self.left is not None and len(data) >= self.left
                    if broken:
                        data, self.left = data[:self.left], None
                    elif self.left is not None:
                        self.left -= len(data)
                connection.sendall(data)
                if broken:
                    break
        except OSError:
            pass
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def refused_port():
    """A port nobody listens on."""
    return process.free_port()
