"""A proxy that misbehaves on purpose, before a real Redis."""

import random
import socket
import threading
import time

from .fake import FakeServer


class Proxy(FakeServer):
    """Passes bytes to a real Redis, and can hold, cut, delay or lose what comes back, or goes there.

    hold()/release(): replies wait. block()/unblock(): requests wait. lose(n): after n more bytes of
    replies have passed, the connection breaks; what the server did stands. delay(a, b): each piece
    waits so many seconds. swallow(): replies are read and dropped until release(). cut(): every
    connection breaks now. down()/up(): new connections break at once. redirect(): another server,
    for new connections.
    """

    def __init__(self, redis):
        self.redis = redis
        self.flowing, self.asking = threading.Event(), threading.Event()
        self.flowing.set()
        self.asking.set()
        self.left = self.pause = None
        self.swallowing = self.refusing = False
        self.lock = threading.Lock()
        super().__init__(serve=self._forward)

    def hold(self):
        self.flowing.clear()

    def release(self):
        self.swallowing = False
        self.flowing.set()

    def block(self):
        self.asking.clear()

    def unblock(self):
        self.asking.set()

    def lose(self, after=0):
        with self.lock:
            self.left = after

    def delay(self, low=0.0, high=0.0):
        self.pause = (low, high) if high else None

    def swallow(self):
        self.swallowing = True

    def cut(self):
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def down(self):
        self.refusing = True
        self.cut()

    def up(self):
        self.refusing = False

    def redirect(self, redis):
        self.redis = redis

    def heal(self):
        """No fault any more; a reply that was to be lost is not."""
        self.delay()
        self.unblock()
        self.release()
        self.up()
        with self.lock:
            self.left = None

    def _forward(self, connection):
        if self.refusing:
            return
        upstream = socket.create_connection(("127.0.0.1", self.redis.port))
        self.open.append(upstream)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._replies, args=(upstream, connection), daemon=True)
        back.start()
        try:
            while True:
                data = connection.recv(65536)
                if not data:
                    break
                self.asking.wait()
                upstream.sendall(data)
        finally:
            try:
                upstream.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            back.join()
            self._closed(upstream)

    def _replies(self, upstream, connection):
        try:
            while True:
                data = upstream.recv(65536)
                if not data:
                    break
                if self.pause:
                    time.sleep(random.uniform(*self.pause))
                self.flowing.wait()
                if self.swallowing:
                    continue
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
