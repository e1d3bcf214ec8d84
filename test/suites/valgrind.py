"""The core's unit tests and the SQLite extension under valgrind: no error, no leak."""

import glob
import os

from harness import Redis, TOP, report, run, sqlite, temp_dir

VALGRIND = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full",
            "--show-leak-kinds=definite,indirect,possible", "--errors-for-leak-kinds=definite,indirect,possible",
            "--child-silent-after-fork=yes"]

# the suite `sqlite` lets every allocation fail, this one every seventh
OPTIONS = {"memory": ["7"]}


def check(name, argv, **options):
    if os.environ.get("TEST", "") not in name:
        return True
    code, said = run(VALGRIND + argv, check=False, **options)
    bad = code == 99 or code < 0 or "ERROR SUMMARY" in said
    return report("valgrind." + name, "exit %d\n%s" % (code, said) if bad else None)


def main():
    redis, good = Redis(), True
    env = dict(os.environ, REDIS_URL=redis.url, REDIS_UNIX_URL=redis.unix_url)
    for source in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/core/test_*.c"))):
        name = os.path.basename(source)[:-2]
        good = check(name, [os.path.join(TOP, "build/test/plain", name)], env=env) and good
    for source in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/sqlite/*.c"))):
        name = os.path.basename(source)[:-2]
        redis("FLUSHALL")
        good = check("sqlite." + name + " (program)",
                     [os.path.join(TOP, "build/test/sqlite", name), sqlite.EXTENSION] +
                     OPTIONS.get(name, []),
                     env=sqlite.environment(redis.url), cwd=temp_dir("valgrind")) and good
    for script in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/sqlite/*.sql")) +
                         glob.glob(os.path.join(glob.escape(TOP), "test/parity/*.sql"))):
        name = os.path.basename(script)[:-4]
        redis("FLUSHALL")
        with open(script) as file:
            text = sqlite.prologue(redis.url) + file.read()
        good = check("sqlite." + name, ["sqlite3", "-batch", ":memory:"], input=text,
                     env=sqlite.environment(redis.url), cwd=temp_dir("valgrind")) and good
    return 0 if good else 1


raise SystemExit(main())
