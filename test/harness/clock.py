"""A clock for a redis-server that stands still until the test sets it: Redis(clock=Clock())."""

import mmap
import os
import shlex
import struct

from . import process

SOURCE = os.path.join(process.TOP, "test", "harness", "clock.c")


class Clock:
    """Microseconds since 1970."""

    def __init__(self, now):
        directory = process.temp_dir("clock")
        self.library = os.path.join(directory, "clock.so")
        self.path = os.path.join(directory, "now")
        process.run(shlex.split(os.environ.get("CC", "cc")) +
                    ["-shared", "-fPIC", "-O1", "-o", self.library, SOURCE])
        with open(self.path, "wb") as file:
            file.write(struct.pack("=q", now))
        with open(self.path, "r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)

    @property
    def now(self):
        return struct.unpack("=q", self._shared[:])[0]

    @now.setter
    def now(self, microseconds):
        self._shared[:] = struct.pack("=q", microseconds)

    def environment(self):
        return dict(os.environ, LD_PRELOAD=self.library, SR_TEST_CLOCK=self.path)
