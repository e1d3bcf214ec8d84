"""Every test/parity/*.sql, and every example of sql/examples, through psql and through sqlite3, against one
expected file."""

import difflib
import glob
import os
import re

from harness import Postgres, Redis, TOP, report, run, sqlite
from harness.engines import STATES

RESULTS = os.path.join(TOP, "build/test/parity")
WORDS = "|".join(sorted(STATES, key=len, reverse=True))


def normalise(text):
    """One spelling for both engines' errors; psql's hint goes where SQLite has it."""
    lines = []
    for line in text.splitlines():
        line = re.sub(r"^(?:ERROR: +|(?:(?:Runtime|Parse) e|E)rror near line \d+: (?:(?:%s): )?)" % WORDS,
                      "ERROR: ", line)
        hint = re.match(r"^HINT:  (.*)", line)
        if hint:
            lines[-1] += " (%s)" % hint.group(1)
            continue
        if line.startswith("ERROR: "):
            line = re.sub(r" \(\d+\)$", "", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def compare(name, engine, got, expected_path):
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, "%s.%s.out" % (name, engine)), "w") as file:
        file.write(got)
    try:
        with open(expected_path) as file:
            expected = file.read()
    except OSError:
        expected = ""
    diff = list(difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected", engine,
                                     lineterm=""))
    return report("parity.%s.%s" % (name, engine), "\n".join(diff) if diff else None)


def main():
    redis, good = Redis(), True
    server = Postgres(redis.url)
    env = dict(server.environment(), LC_ALL="C.UTF-8")
    scripts = [script for where in ("test/parity", "sql/examples")
               for script in sorted(glob.glob(os.path.join(glob.escape(TOP), where, "*.sql")))]
    for script in scripts:
        name = os.path.basename(script)[:-4]
        if os.environ.get("TEST", "") not in name:
            continue
        with open(script) as file:
            text = file.read()
        expected = os.path.join(TOP, "test/parity", name + ".out")
        redis("FLUSHALL")
        said = sqlite.script(text, redis.url)
        good = compare(name, "sqlite", normalise(said), expected) and good
        redis("FLUSHALL")
        database = server.database("parity_" + name)
        _, said = run(["stdbuf", "-oL"] + server.psql_argv(database) + [
            "-v", "SHOW_CONTEXT=never", "-P", "null=NULL"], check=False, input=text, env=env)
        good = compare(name, "psql", normalise(said), expected) and good
    return 0 if good else 1


raise SystemExit(main())
