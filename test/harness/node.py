"""Real clients of npm, for tests: node runs a script of test/interop that imports what test/npm names.

The packages are installed once, into build/test/npm, and again when test/npm changes. Exactly the
versions of the lock file, checked by its hashes; no script of a package runs.
"""

import fcntl
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import time

from . import process

SOURCE = os.path.join(process.TOP, "test", "npm")
PLACE = os.path.join(process.TOP, "build", "test", "npm")
FILES = ("package.json", "package-lock.json", ".npmrc")
OLDEST = 18  # what the packages' "engines" ask for, and what Debian 12 has

_node = None


def _program(name):
    found = shutil.which(name)
    if not found:
        raise process.HarnessError("%s is not installed (test/install-deps check)" % name)
    return found


def _digest():
    digest = hashlib.sha256()
    for name in FILES:
        with open(os.path.join(SOURCE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _installed(stamp):
    try:
        with open(stamp) as file:
            return file.read() == _digest()
    except OSError:
        return False


def _install():
    """Installs what is not there yet; of several processes one does it, the others wait."""
    os.makedirs(PLACE, exist_ok=True)
    stamp = os.path.join(PLACE, ".installed")
    with open(PLACE + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _installed(stamp):
            return
        if os.path.exists(stamp):
            os.unlink(stamp)
        for name in FILES:
            shutil.copy(os.path.join(SOURCE, name), os.path.join(PLACE, name))
        process.run([_program("npm"), "ci", "--prefer-offline"], cwd=PLACE)
        link = os.path.join(PLACE, "interop")
        if not os.path.islink(link):
            os.symlink(os.path.join("..", "..", "..", "test", "interop"), link)
        with open(stamp, "w") as file:
            file.write(_digest())


def _command(script, arguments):
    """Imports resolve from where the link to the script is: beside node_modules."""
    global _node  # pylint: disable=global-statement
    if _node is None:
        program = _program("node")
        version = process.run([program, "--version"]).strip()
        major = re.match(r"v(\d+)\.", version)
        if not major or int(major.group(1)) < OLDEST:
            raise process.HarnessError("node %s is too old: %d is needed" % (version, OLDEST))
        _install()
        _node = program
    return [_node, "--preserve-symlinks", "--preserve-symlinks-main",
            "--require", os.path.join(SOURCE, "globals.cjs"),
            os.path.join(PLACE, "interop", script)] + [str(a) for a in arguments]


def run(script, *arguments, patience=120.0, **options):
    """A script of test/interop to its end: what it printed; HarnessError when it failed."""
    return process.run(_command(script, arguments), timeout=patience, **options)


class Node:
    """A script kept running, which answers every line of JSON on its standard input with one on its
    standard output: {"ok": value} or {"error": text}. What it says on standard error is seen as is."""

    def __init__(self, script, *arguments):
        self.pending = b""
        self.process = process.start(_command(script, arguments), stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, bufsize=0)

    def __call__(self, *question, patience=120.0):
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        answer = json.loads(self._line(time.monotonic() + patience))
        if "error" in answer:
            raise AssertionError("%r: %s" % (question, answer["error"]))
        return answer["ok"]

    def _line(self, deadline):
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise process.HarnessError("node did not answer; so far: %r" % self.pending)
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise process.HarnessError("node ended; it said: %r" % self.pending)
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return line

    def close(self):
        process.end(self.process)
