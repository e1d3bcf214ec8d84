"""What was promised and what was seen, in memory that all processes of a campaign share.

A floor is the highest version of a row whose invalidation was acknowledged: the COMMIT that wrote it
returned without a warning, or a snapshot showed it beside an empty outbox. Each writer raises only its
own floors, so there is nothing to lock and nothing to clean up after one that was killed.
"""

import mmap
import os
import struct
import time

WORKERS = 24
ROWS = 32  # sixteen of each engine
OFFSET = {"pg": 0, "sqlite": 16}
MONITOR = WORKERS - 1  # the campaign's own place
FIELDS = ("phase", "quiet", "round", "commit_mode", "lossy", "prepared")
COUNTERS = ("beat", "idle", "backend", "commits", "acknowledged", "unacknowledged", "unknown", "rollbacks",
            "reads", "checked", "hits", "fills", "bypassed", "plain", "outages", "violations")

IDLE, RUN, STOP = range(3)
SYNC, ASYNC = range(2)

_WORDS = len(FIELDS) + WORKERS * (len(COUNTERS) + 2 * ROWS)


class Counters:
    """One worker's own numbers; survive it."""

    def __init__(self, words, base):
        object.__setattr__(self, "_words", words)
        object.__setattr__(self, "_at", {name: base + i for i, name in enumerate(COUNTERS)})

    def __getattr__(self, name):
        return self._words[self._at[name]]

    def __setattr__(self, name, value):
        self._words[self._at[name]] = value


class Ledger:
    """directory: where the memory and the event logs are. engine: whose rows are meant."""

    def __init__(self, directory, engine="pg", create=False):
        self.directory, self.offset = directory, OFFSET[engine]
        path = os.path.join(directory, "ledger")
        if create:
            with open(path, "wb") as file:
                file.write(bytes(8 * _WORDS))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * _WORDS)
        self._words = memoryview(self._map).cast("q")
        self._fields = {name: i for i, name in enumerate(FIELDS)}
        base = len(FIELDS)
        self.workers = []
        for _ in range(WORKERS):
            self.workers.append(Counters(self._words, base))
            base += len(COUNTERS)
        self._floors, self._tainted = base, base + WORKERS * ROWS

    def get(self, name):
        return self._words[self._fields[name]]

    def set(self, name, value):
        self._words[self._fields[name]] = value

    def acknowledge(self, worker, row, version):
        at = self._floors + worker * ROWS + self.offset + row
        if self._words[at] < version:
            self._words[at] = version

    def floor(self, row):
        first = self._floors + self.offset + row
        return max(self._words[first + w * ROWS] for w in range(WORKERS))

    def taint(self, worker, row, tainted):
        """A plain key's SET is under way: nothing is promised of it, nor later in this round should it fail."""
        self._words[self._tainted + worker * ROWS + self.offset + row] = self.get("round") if tainted else 0

    def tainted(self, row):
        now = self.get("round")
        return any(self._words[self._tainted + w * ROWS + self.offset + row] == now for w in range(WORKERS))

    def total(self, name):
        return sum(getattr(worker, name) for worker in self.workers)


class Events:
    """What one worker did, in order, for whoever has to explain a violation. Only whole lines."""

    LIMIT = 4 << 20  # bytes; then the older half is gone

    def __init__(self, directory, name):
        self.name = name
        self.path = os.path.join(directory, "events-" + name)
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.size = os.fstat(self.file).st_size

    def __call__(self, what, *details):
        line = ("%.6f %s %s %s\n" % (time.monotonic(), self.name, what,
                                    " ".join(str(d) for d in details))).encode()
        os.write(self.file, line)
        self.size += len(line)
        if self.size > self.LIMIT:
            os.close(self.file)
            os.replace(self.path, self.path + ".old")
            self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            self.size = 0


def recent(directory, since):
    """Every worker's events after a time, merged."""
    lines = []
    for name in os.listdir(directory):
        if name.startswith("events-"):
            with open(os.path.join(directory, name), errors="replace") as file:
                lines += [line.rstrip("\n") for line in file
                          if line[:1].isdigit() and float(line.split(" ", 1)[0]) >= since]
    return sorted(lines, key=lambda line: float(line.split(" ", 1)[0]))


assert struct.calcsize("q") == 8
