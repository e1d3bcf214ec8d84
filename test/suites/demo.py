"""The demo tells what it should, and leaves nothing behind, also when it is stopped half-way."""

import os
import signal
import subprocess
import sys

from harness import TOP, case, contains, equal, run, temp_dir, true, wait_for

DEMO = [sys.executable, "-u", os.path.join(TOP, "test/demo.py")]


def table():
    """Every process: (pid, start time) and its parent's pid."""
    found = {}
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open("/proc/%s/stat" % pid) as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                found[(int(pid), fields[19])] = int(fields[1])
    return found


def descendants(pid):
    """What a process has started, and what those have."""
    everybody, found, parents = table(), set(), {pid}
    while True:
        more = {process for process, parent in everybody.items()
                if parent in parents and process not in found}
        if not more:
            return found
        found |= more
        parents = {process[0] for process in more}


def environment(directory):
    return dict(os.environ, TMPDIR=directory)


def it_runs_to_its_end():
    directory = temp_dir("demo")
    said = run(DEMO, env=environment(directory))
    contains(said, "That was it")
    equal(os.listdir(directory), [])


def stopped(number):
    directory = temp_dir("demo")
    process = subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env=environment(directory), start_new_session=True)
    for line in process.stdout:
        if "== PostgreSQL ==" in line:
            break
    started = descendants(process.pid)
    true(len(started) > 3, "nothing was running")
    process.send_signal(number)
    process.stdout.read()
    process.wait(60)
    wait_for("its servers to end", lambda: not started & set(table()))
    if number != signal.SIGKILL:
        equal(os.listdir(directory), [])


def main():
    good = True
    for name, function, arguments in (
            ("it_runs_to_its_end", it_runs_to_its_end, ()),
            ("stopped_by_ctrl_c", stopped, (signal.SIGINT,)),
            ("stopped_by_sigterm", stopped, (signal.SIGTERM,)),
            ("killed", stopped, (signal.SIGKILL,))):
        if os.environ.get("TEST", "") in name:
            good = case("demo." + name, function, *arguments) and good
    return 0 if good else 1


raise SystemExit(main())
