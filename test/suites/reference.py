"""The examples of docs/reference.md, run in both engines; every function of the table has one."""

import glob
import os
import re

from harness import Postgres, Redis, TOP, examples, report


def sections(text):
    """(heading, its text) of each function."""
    parts = re.split(r"(?m)^### ", text)[1:]
    return [part.split("\n", 1) for part in parts]


def example_of(heading, body):
    """The indented lines after "Example:"; None when the section has none."""
    found = re.search(r"(?m)^Example:\n\n((?:    .*\n|\n)+)", body + "\n")
    if not found:
        return None
    lines = [line[4:] for line in found.group(1).splitlines() if line.strip()]
    only = re.search(r"(?m)^(PostgreSQL|SQLite) only\.$", body)
    return examples.Example(re.match(r"\w+", heading).group(), lines, heading,
                            (only.group(1),) if only else examples.ENGINES)


def functions():
    """The names in the table, whatever generated the page."""
    found = []
    for path in sorted(glob.glob(os.path.join(TOP, "common/*.def"))):
        with open(path) as file:
            found += re.findall(r"(?m)^FUNCTION\((\w+),", file.read())
    return found


def main():
    with open(os.path.join(TOP, "docs/reference.md"), encoding="utf-8") as file:
        found = {heading: example_of(heading, body) for heading, body in sections(file.read())}
    wanted = os.environ.get("TEST", "")
    redis = Redis()
    runner = examples.Runner(redis, Postgres(redis.url), null="")
    there = {example.name for example in found.values() if example}
    missing = [name for name in functions() if name not in there]
    good = report("reference.every_function_has_an_example",
                  "without: " + ", ".join(missing) if missing else None)
    for example in filter(None, found.values()):
        for engine in example.engines:
            name = "reference.%s.%s" % (example.name, engine)
            if wanted in name:
                good = report(name, runner.run(example, engine)) and good
    return 0 if good else 1


raise SystemExit(main())
