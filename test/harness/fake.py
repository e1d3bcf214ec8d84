"""Servers that misbehave on purpose.

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
        self.listener.listen(128)
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
            self._closed(connection)

    def _closed(self, connection):
        connection.close()
        if connection in self.open:
            self.open.remove(connection)

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


def refused_port():
    """A port nobody listens on."""
    return process.free_port()
