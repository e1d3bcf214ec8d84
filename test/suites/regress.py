"""PostgreSQL's own regression driver over test/pg/sql, or its isolation tester over test/pg/specs."""

import glob
import os
import re
import sys

from harness import Postgres, Redis, TOP, pg_config, report, run

INPUT = os.path.join(TOP, "test/pg")
DRIVERS = {"regress": ("regress/pg_regress", "sql/*.sql"),
           "isolation": ("isolation/pg_isolation_regress", "specs/*.spec")}


def main(kind):
    driver, pattern = DRIVERS[kind]
    names = sorted(os.path.splitext(os.path.basename(path))[0]
                   for path in glob.glob(os.path.join(glob.escape(INPUT), pattern)))
    names = [name for name in names if os.environ.get("TEST", "") in name]
    if not names:
        return 0
    if kind == "regress":
        with open(os.path.join(INPUT, "schedule")) as file:
            order = re.findall(r"^test: (\S+)$", file.read(), re.M)
        names = [name for name in order if name in names or name == "setup"]
    output = os.path.join(TOP, "build/test", kind)
    os.makedirs(output, exist_ok=True)
    redis = Redis(config=("--enable-debug-command", "local"))
    server = Postgres(redis.url)
    tests = os.path.join(os.path.dirname(pg_config("--pgxs")), "../test", driver)
    env = server.environment()
    for unset in ("PGDATABASE", "PGOPTIONS", "LC_ALL"):
        env.pop(unset)
    code, said = run([tests, "--inputdir=" + INPUT, "--outputdir=" + output,
                      "--bindir=" + pg_config("--bindir"), "--host=" + server.host,
                      "--port=%d" % server.port, "--user=" + server.name,
                      "--dbname=sqlredis_" + kind, "--load-extension=sqlredis",
                      "--max-concurrent-tests=1"] + names,
                     check=False, env=dict(env, REDIS_URL=redis.url, REDIS_PORT=str(redis.port)),
                     cwd=output)
    return lines(kind, names, code, said, output)


def lines(kind, names, code, said, output):
    """pg_regress's report, one line a test (its form changed in PostgreSQL 16)."""
    good = True
    for name in names:
        passed = re.search(r"^(?:ok \d+ +[-+] %s |(?:test|     ) *%s +\.\.\. ok)" % (name, name),
                           said, re.M)
        problem = None
        if not passed:
            problem = part_of_diffs(output, name) or said
        good = report("%s.%s" % (kind, name), problem) and good
    if code != 0 and good:
        good = report(kind, said)
    return 0 if good and code == 0 else 1


def part_of_diffs(output, name):
    try:
        with open(os.path.join(output, "regression.diffs"), errors="replace") as file:
            parts = re.split(r"(?m)^(?=diff )", file.read())
    except OSError:
        return ""
    return "".join(part for part in parts if "/%s.out" % name in part)[:6000]


if __name__ == "__main__":
    sys.exit(main("regress"))
