"""test/sqlite/*.sql through the sqlite3 shell against *.out, and the C programs of test/sqlite.

A script's directory is empty and its own; REDIS_URL names the server. Programs get the extension's
path as their argument, REDIS_URL likewise, and fail by their exit code.
"""

import difflib
import glob
import os
import re

from harness import Redis, TOP, report, run, sqlite, temp_dir

RESULTS = os.path.join(TOP, "build/test/sqlite-results")


def script(path, redis):
    name = os.path.basename(path)[:-4]
    redis("FLUSHALL")
    with open(path) as file:
        text = sqlite.prologue() + file.read()
    _, got = run(["stdbuf", "-oL", "sqlite3", "-batch", ":memory:"], check=False, input=text,
                 env=sqlite.environment(redis.url), cwd=temp_dir("sqlite"))
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, name + ".out"), "w") as file:
        file.write(got)
    try:
        with open(path[:-4] + ".out") as file:
            expected = file.read()
    except OSError:
        expected = ""
    # what the shell says before the message differs between its versions
    expected, got = (re.sub(r"(?m)^(?:Runtime |Parse )?[Ee]rror (near line .*?)(?: \(\d+\))?$",
                            r"Error \1", text) for text in (expected, got))
    diff = list(difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected", "got",
                                     lineterm=""))
    return report("sqlite." + name, "\n".join(diff) if diff else None)


def program(path, redis):
    name = os.path.basename(path)[:-2]
    redis("FLUSHALL")
    code, said = run([os.path.join(TOP, "build/test/sqlite", name), sqlite.EXTENSION], check=False,
                     env=sqlite.environment(redis.url), cwd=temp_dir("sqlite"))
    return report("sqlite.%s (program)" % name,
                  None if code == 0 else "exit %d\n%s" % (code, said))


def main():
    redis, good, wanted = Redis(), True, os.environ.get("TEST", "")
    for suffix, runner in (("sql", script), ("c", program)):
        for path in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/sqlite/*." + suffix))):
            if wanted in os.path.basename(path):
                good = runner(path, redis) and good
    return 0 if good else 1


raise SystemExit(main())
