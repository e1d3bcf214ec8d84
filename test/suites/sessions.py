"""Sessions that pgmemcache and redis_fdw publish, translated: test/sessions/*.txt, each with its source."""

import glob
import os

from harness import Postgres, Redis, TOP, examples, report


def main():
    redis, good, wanted = Redis(), True, os.environ.get("TEST", "")
    runner = examples.Runner(redis, Postgres(redis.url))
    for path in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/sessions/*.txt"))):
        peer = os.path.basename(path)[:-4]
        for example in examples.read(path):
            for engine in example.engines:
                name = "sessions.%s.%s.%s" % (peer, example.name, engine)
                if wanted in name:
                    problem = runner.run(example, engine) if example.source else "it names no source"
                    good = report(name, problem) and good
    return 0 if good else 1


raise SystemExit(main())
