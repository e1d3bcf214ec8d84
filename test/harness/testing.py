"""Tests as functions: `@test` marks them, main() runs them in order and prints a line for each.

The lines are what test/run.py counts: "ok NAME", "not ok NAME" (followed by why, indented).
"""

import os
import sys
import time
import traceback

_tests = []


def test(function):
    _tests.append((function.__name__, function, ()))
    return function


def report(name, problem=None, seconds=None):
    """One result line; problem: why it failed."""
    took = "" if seconds is None else " (%.1f s)" % seconds
    sys.stdout.write("%s %s%s\n" % ("not ok" if problem is not None else "ok", name, took))
    for line in (problem or "").splitlines():
        sys.stdout.write("    " + line + "\n")
    sys.stdout.flush()
    return problem is None


def case(name, function, *arguments):
    """Run one test now and report it."""
    begun = time.monotonic()
    try:
        function(*arguments)
    except Exception:  # pylint: disable=broad-except
        return report(name, traceback.format_exc(), time.monotonic() - begun)
    return report(name, None, time.monotonic() - begun)


def main():
    """Run the file's tests, or those whose name contains $TEST."""
    wanted = os.environ.get("TEST", "")
    prefix = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    good = True
    for name, function, arguments in _tests:
        name = prefix + "." + name
        if wanted in name:
            good = case(name, function, *arguments) and good
    sys.exit(0 if good else 1)


def true(value, message="not true"):
    if not value:
        raise AssertionError(message)


def equal(got, expected, message=""):
    if got != expected:
        raise AssertionError("%s\n     got: %r\nexpected: %r" % (message, got, expected))


def contains(text, part):
    if part not in text:
        raise AssertionError("%r\ndoes not contain %r" % (text, part))
