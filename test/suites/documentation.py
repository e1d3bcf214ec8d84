"""The examples of Redis's own documentation, in both engines, give the documented replies.

test/documentation/*.txt has them in SQL, each with the page it is from.
"""

import glob
import os
import re

from harness import Postgres, Redis, TOP, examples, report

# Commands whose pages show no example, or one of no fixed reply.
WITHOUT = {"redis_dbsize", "redis_flushdb", "redis_publish", "redis_info"}


def of_redis():
    """The functions that stand for a command, whose documentation is Redis's."""
    with open(os.path.join(TOP, "common/commands.def")) as file:
        return set(re.findall(r'(?m)^FUNCTION\((\w+), "', file.read())) | {
            "redis_call", "redis_eval", "redis_pipeline", "redis_multi"}


def main():
    found, wanted = [], os.environ.get("TEST", "")
    for path in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/documentation/*.txt"))):
        found += examples.read(path)
    shown = {name for example in found for sql, _ in example.steps
             for name in re.findall(r"\bredis_\w+", sql)}
    missing = sorted(of_redis() - shown - WITHOUT)
    good = report("documentation.every_command_has_an_example",
                  "without: " + ", ".join(missing) if missing else None)
    unsourced = [example.name for example in found if not example.source.startswith("https://redis.io/")]
    good = report("documentation.every_example_has_its_source",
                  ", ".join(unsourced) if unsourced else None) and good
    redis = Redis()
    runner = examples.Runner(redis, Postgres(redis.url))
    for example in found:
        for engine in example.engines:
            name = "documentation.%s.%s" % (example.name, engine)
            if wanted in name:
                good = report(name, runner.run(example, engine)) and good
    return 0 if good else 1


raise SystemExit(main())
