"""Processes, ports and temporary directories of a test run.

Everything started here is ended by its pid when the run ends, however it ends: orderly, by an
exception, by SIGINT/SIGTERM/SIGHUP, and (Linux's parent-death signal) even by SIGKILL. Nothing is
ever ended by name. Start processes from the main thread only: the parent-death signal is tied to
the thread that forked.
"""

import atexit
import ctypes
import os
import pwd
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PG_CONFIG = os.environ.get("PG_CONFIG", "pg_config")

_processes = []
_directories = []
_libc = ctypes.CDLL(None, use_errno=True)


class HarnessError(Exception):
    """The surroundings of a test failed, not what it tests."""


def unprivileged_user():
    """The user that servers refusing to run as root run under; None: this one."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise HarnessError("no unprivileged user to run PostgreSQL under")


def temp_dir(name):
    """A new directory that other users may enter, gone when the run ends.

    Not under build/: a checkout may be where the unprivileged user cannot go. Short: it holds unix
    sockets, whose paths end at 107 bytes.
    """
    base = tempfile.gettempdir()
    if len(base) > 40:
        base = "/tmp"
    path = tempfile.mkdtemp(prefix="sqlredis-%s-" % name, dir=base)
    os.chmod(path, 0o755)
    _directories.append(path)
    return path


def give_to(user, path):
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _in_child(death_signal):
    def prepare():
        os.setpgid(0, 0)
        _libc.prctl(1, death_signal)  # PR_SET_PDEATHSIG
    return prepare


def start(argv, user=None, death_signal=signal.SIGKILL, **options):
    """Popen in a process group of its own that dies with this process."""
    if user is not None:
        options.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        options.setdefault("cwd", "/")
    process = subprocess.Popen(argv, preexec_fn=_in_child(death_signal), **options)
    _processes.append((process, death_signal))
    return process


def run(argv, user=None, check=True, **options):
    """Run to the end; stdout and stderr together as text. Fails with them in the message."""
    options.setdefault("timeout", 600)
    if user is not None:
        options.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        options.setdefault("cwd", "/")
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", stdin=options.pop("stdin", subprocess.DEVNULL)
                          if "input" not in options else None, **options)
    if check and done.returncode != 0:
        raise HarnessError("%s: exit %d\n%s" % (" ".join(map(str, argv)), done.returncode,
                                                done.stdout))
    return done.stdout if check else (done.returncode, done.stdout)


def end(process, how=signal.SIGTERM, patience=10.0):
    """End one process by its pid, gently and then not."""
    for number in (how, signal.SIGKILL):
        if process.poll() is not None:
            break
        try:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            break
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            try:
                stream.close()
            except OSError:
                pass


def clean_up():
    while _processes:
        process, how = _processes.pop()
        end(process, how)
    while _directories:
        shutil.rmtree(_directories.pop(), ignore_errors=True)


def _stopped(number, _frame):
    sys.exit(128 + number)


atexit.register(clean_up)
for _number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(_number, _stopped)


def free_port():
    """A loopback port nobody listens on, below the range that outgoing connections use."""
    for _ in range(200):
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise HarnessError("no free loopback port")


def wait_for(what, condition, patience=60.0):
    """Poll until condition() is true; the one way to wait for something outside."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise HarnessError("gave up waiting for " + what)
        time.sleep(0.01)


class Shell:
    """A database shell (psql, sqlite3) kept open: several statements in one session."""

    def __init__(self, argv, echo, env=None):
        self.echo = echo
        self.count = 0
        self.pending = b""
        self.process = start(["stdbuf", "-oL"] + argv, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0, env=env)

    def send(self, text):
        """Start statements; result() waits for what they print."""
        self.count += 1
        self.process.stdin.write(("%s\n%s\n" % (text, self.echo % self._mark())).encode())

    def _mark(self):
        return "--- done %d" % self.count

    def result(self, patience=60.0):
        mark = (self._mark() + "\n").encode()
        deadline = time.monotonic() + patience
        while mark not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise HarnessError("the shell did not answer; so far: %r" % self.pending)
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise HarnessError("the shell ended; it said: %r" % self.pending)
            self.pending += data
        text, self.pending = self.pending.split(mark, 1)
        return text.decode(errors="replace").rstrip("\n")

    def run(self, text, patience=60.0):
        self.send(text)
        return self.result(patience)

    def close(self):
        """End of input: the shell leaves by itself. Returns what it still said."""
        self.process.stdin.close()
        rest = self.pending + self.process.stdout.read()
        self.process.wait(60)
        return rest.decode(errors="replace")
