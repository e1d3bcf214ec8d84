"""Run suites of tests, two at a time, and count: `N passed, N failed` is the last line.

    test/run.py [SUITE...]        (`make check SUITE="..." TEST=part-of-a-name`)

A suite is a process: a file of test/suites/, or all the Python files of a test directory. It prints
"ok NAME" and "not ok NAME" lines. A suite that prints none, or leaves with an exit code it did not
explain, has failed: a test that did not run is a failure here, never a skip.
"""

import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)

# The longest first: two run side by side.
SUITES = ["lint", "valgrind", "coherence", "faults", "pg", "regress", "isolation", "sqlite", "differential", "parity",
          "interop", "core", "reference", "documentation", "sessions", "demo", "install"]
DIRECTORIES = {"faults", "pg", "sqlite", "interop"}  # also every .py file of test/NAME/
LIMIT = 1500  # seconds for one process

output = threading.Lock()
results = {"ok": 0, "not ok": 0}
running = set()


def say(text):
    with output:
        print(text, flush=True)


def files(suite):
    """The programs a suite consists of."""
    found = []
    script = os.path.join(HERE, "suites", suite + ".py")
    if os.path.exists(script):
        found.append(script)
    if suite in DIRECTORIES:
        directory = os.path.join(HERE, suite)
        found += [os.path.join(directory, name) for name in sorted(os.listdir(directory))
                  if name.endswith(".py")]
    return found


def count(suite, kind, name):
    with output:
        results[kind] += 1
    say("%-6s %s: %s" % (kind, suite, name))


def run_file(suite, path):
    process = subprocess.Popen([sys.executable, "-u", path], cwd=TOP, stdin=subprocess.DEVNULL,
                               env=dict(os.environ, PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1"),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace")
    running.add(process)
    timer = threading.Timer(LIMIT, process.terminate)
    timer.start()
    seen = {"ok": 0, "not ok": 0}
    failing, tail = False, []
    for line in process.stdout:
        line = line.rstrip("\n")
        tail = (tail + [line])[-40:]
        for kind in ("not ok", "ok"):
            if line.startswith(kind + " "):
                failing = kind == "not ok"
                seen[kind] += 1
                count(suite, kind, line[len(kind) + 1:])
                break
        else:
            if failing:
                say("         " + line.strip("\n"))
    code = process.wait()
    timer.cancel()
    running.discard(process)
    name = os.path.basename(path)
    if code != 0 and not seen["not ok"]:
        count(suite, "not ok", "%s left with exit code %d; it said last:" % (name, code))
        say("\n".join("         " + line for line in tail))
    elif not sum(seen.values()) and not os.environ.get("TEST"):
        count(suite, "not ok", "%s ran no test" % name)


def worker(queue, lock):
    while True:
        with lock:
            if not queue:
                return
            suite, path = queue.pop(0)
        run_file(suite, path)


def stop(number, _frame):
    for process in list(running):
        process.terminate()
    for process in list(running):
        process.wait()
    sys.exit(128 + number)


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    wanted = sys.argv[1:] or SUITES
    queue, lock, begun = [], threading.Lock(), time.monotonic()
    for suite in wanted:
        found = files(suite)
        if not found:
            count(suite, "not ok", "there is no such suite; there are: " + " ".join(SUITES))
        queue += [(suite, path) for path in found]
    threads = [threading.Thread(target=worker, args=(queue, lock), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)
    say("%.0f seconds" % (time.monotonic() - begun))
    if not results["ok"] and not results["not ok"]:
        results["not ok"] = 1
    say("%d passed, %d failed" % (results["ok"], results["not ok"]))
    sys.exit(1 if results["not ok"] else 0)


main()
