"""The core's unit tests, each a program built with ASan and UBSan; they find Redis in REDIS_URL."""

import glob
import os

from harness import Redis, TOP, report, run


def main():
    redis = Redis()
    env = dict(os.environ, REDIS_URL=redis.url, REDIS_UNIX_URL=redis.unix_url,
               ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1")
    good = True
    for source in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/core/test_*.c"))):
        name = os.path.basename(source)[:-2]
        if os.environ.get("TEST", "") not in name:
            continue
        program = os.path.join(TOP, "build/test/core", name)
        code, said = run([program], check=False, env=env)
        good = report(name, None if code == 0 else "exit %d\n%s" % (code, said)) and good
    return 0 if good else 1


raise SystemExit(main())
