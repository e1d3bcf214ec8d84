"""The examples of Redis's own documentation, in both engines, give the documented replies.

test/documentation/*.txt has them in SQL, each with the page it is from.
"""

import glob
import os

from harness import Postgres, Redis, TOP, examples, report


def main():
    found, wanted = [], os.environ.get("TEST", "")
    for path in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/documentation/*.txt"))):
        found += examples.read(path)
    unsourced = [example.name for example in found if not example.source.startswith("https://redis.io/")]
    good = report("documentation.every_example_has_its_source",
                  ", ".join(unsourced) if unsourced else None)
    redis = Redis()
    runner = examples.Runner(redis, Postgres(redis.url))
    for example in found:
        for engine in example.engines:
            name = "documentation.%s.%s" % (example.name, engine)
            if wanted in name:
                good = report(name, runner.run(example, engine)) and good
    return 0 if good else 1


raise SystemExit(main())
