"""`make mutation [ONLY=FLAG,...]`: the tree built once without each protection of common/mutation.h. The
campaign or a named test must fail on every one of them. Writes docs/mutations.md.

A copy of the tree is under build/mutation/FLAG, with the objects that do not know mutation.h.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import time

from harness import TOP

SEEDS = (1, 2, 3)
ROUNDS, OPERATIONS, FAULTS = 3, 3000, 6
PG, SQLITE, BOTH = "pg", "sqlite", "pg,sqlite"
LIMIT = 240  # seconds for a program

KILLS, SERVERS, TRANSACTIONS = ("test/coherence/reliability/%s.py" % name
                                for name in ("kills", "servers", "transactions"))
# Which engines' campaigns are asked, and which named tests: a file and a part of their names. A program of
# test/core is named without its directory.
PLAN = {
    "NOTHING": (BOTH, []),
    "LEASE": (BOTH, [(SERVERS, "a_lost_lease")]),
    "AFTER_COMMIT": (BOTH, [("test/sqlite/transactions.py", "busy_at_commit")]),
    "OUTBOX": (BOTH, [(KILLS, "without_the_worker"), (KILLS, "commit_wal")]),
    "SERVER_EPOCH": (BOTH, [(SERVERS, "restored"), (SERVERS, "promoted"), (SERVERS, "and_back")]),
    "DATABASE_EPOCH": ("", [(KILLS, "took_back"), ("test/sqlite/epoch.py", "")]),
    "ISOLATION_RULE": (PG, [("test/pg/cached.py", "an_older_snapshot")]),
    "OWN_WRITES_RULE": (BOTH, [("test/pg/cached.py", "own_writes"), ("test/sqlite/cached.py", "that_has_written")]),
    "STATEMENT_RULE": (BOTH, [("test/sqlite/leases.py", "statement")]),
    "SNAPSHOT_ORDER": (BOTH, [(TRANSACTIONS, "a_lease_is_taken"), ("test/sqlite/cached.py", "a_snapshot_that_is_older")]),
    "RECOVERY_RULE": ("", [("test/pg/epochs.py", "standby")]),
    "QUEUED_RULE": (BOTH, [("test/pg/cached.py", "no_hit"), ("test/sqlite/cached.py", "own_writes")]),
    "IDEMPOTENT_SYNC": ("", [(TRANSACTIONS, "tried_again")]),
    "DEPTH_TAGS": (BOTH, [(TRANSACTIONS, "half_rolled_back")]),
    "ROLLBACK": (BOTH, [(TRANSACTIONS, "rolled_back_in_every_form")]),
    "DEDUPE": (BOTH, [(SERVERS, "runs_once")]),
    "TAG_ORDER": (BOTH, [("test_cache_tags", "")]),
    "EVICTED_TAG": ("", [("test_cache_tags", "")]),
    "FRESH_TOKEN": ("", [("test_cache_network", "")]),
    "WRITE_GUARD": (BOTH, [(SERVERS, "refuses"), (SERVERS, "demoted")]),
    "ENTRY_KEY": (BOTH, [(SERVERS, "a_lost_lease")]),
    "PREPARED": (PG, [(TRANSACTIONS, "prepared_here")]),
    "RING_FALLBACK": (PG, [("test/pg/worker.py", "ring")]),
    "COMMAND_ORDER": (BOTH, [(TRANSACTIONS, "the_last_word")]),
}


def flags():
    with open(os.path.join(TOP, "common/mutation.h")) as file:
        found = re.findall(r"^\tSR_WITHOUT_(\w+),?\s*/\* (.*?) \*/", file.read(), re.M)
    return found


def copy_tree(name):
    """A copy that make takes to be up to date but for the objects that the flag changes."""
    root = os.path.join(TOP, "build/mutation", name)
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    for part in ("Makefile", "common", "pg_ext", "sqlite_ext", "sql", "test", "build/common", "build/sqlite",
                 "build/sqlite_ext", "build/pg"):
        os.makedirs(os.path.dirname(os.path.join(root, part)), exist_ok=True)
        subprocess.run(["cp", "-a", os.path.join(TOP, part), os.path.join(root, part)], check=True)
    for path in glob.glob(os.path.join(glob.escape(root), "build/*/*.d")):
        with open(path) as file:
            if "mutation.h" in file.read() and uses(root, path):
                os.remove(path[:-2] + ".o")
    for path in ("common/libsqlredis.a", "sqlite/sqlredis.so", "pg/sqlredis.so"):
        os.remove(os.path.join(root, "build", path))
    return root


def uses(root, dependencies):
    """core.h brings mutation.h everywhere: what counts is whether the source asks."""
    name = os.path.basename(dependencies)[:-2] + ".c"
    directory = os.path.basename(os.path.dirname(dependencies))
    with open(os.path.join(root, {"pg": "pg_ext"}.get(directory, directory), name)) as file:
        return "sr_without" in file.read()


def build(name):
    root = copy_tree(name)
    flag = "-DSR_WITHOUT=SR_WITHOUT_" + name
    done = subprocess.run(["make", "-s", "-j2", "sqlite", "pg"], cwd=root, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, CPPFLAGS=flag, COPT=flag, MAKEFLAGS=""))
    if done.returncode != 0:
        raise SystemExit("%s does not build:\n%s" % (name, done.stdout))
    return root


def run(root, argv, **env):
    """(something was found, seconds, what it said). A program that fails for another reason found nothing."""
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-u"] + argv, cwd=root, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               env=dict(os.environ, PYTHONPATH=os.path.join(root, "test"), **env))
    try:
        said = process.communicate(timeout=LIMIT)[0]
    except subprocess.TimeoutExpired:
        process.terminate()
        said = process.communicate()[0] + "\nno end after %d s" % LIMIT
    found = re.search(r"^not ok|^violations [1-9]|FAIL", said, re.M) is not None
    if process.returncode != 0 and not found:
        print(said, flush=True)
    return found and process.returncode != 0, time.monotonic() - begun, said


def why(said):
    """The first thing that was found, in a line."""
    for line in said.splitlines():
        found = re.match(r"\d+\.\d+ (.*)|not ok (\S+)", line)
        if found:
            return (found.group(1) or found.group(2))[:160]
    return said.strip().splitlines()[-1][:160] if said.strip() else ""


def named(root, path, part):
    if path.endswith(".py"):
        return run(root, [path], TEST=part)
    flag = "-DSR_WITHOUT=SR_WITHOUT_" + os.path.basename(root)
    subprocess.run(["make", "-s", "-j2", "build/test/plain/" + path], cwd=root, check=True,
                   env=dict(os.environ, CPPFLAGS=flag, MAKEFLAGS=""))
    return run(root, ["-c", WITH_REDIS % path])


WITH_REDIS = """
import os, subprocess, sys
from harness import Redis
redis = Redis()
sys.exit(subprocess.call(["build/test/plain/%s"], env=dict(os.environ, REDIS_URL=redis.url,
                                                          REDIS_UNIX_URL=redis.unix_url)))
"""


def campaign(root, engines):
    """(caught, seconds, why)"""
    spent = 0.0
    for seed in SEEDS:
        failed, seconds, said = run(root, ["test/coherence/campaign.py", "--engines", engines, "--seed",
                                           str(seed), "--rounds", str(ROUNDS), "--operations",
                                           str(OPERATIONS), "--faults", str(FAULTS)])
        spent += seconds
        with open(os.path.join(root, "campaign.log"), "a") as file:
            file.write(said)
        if failed:
            return True, spent, why(said)
    return False, spent, ""


def try_flag(name):
    """[(what, caught, seconds, why)]"""
    engines, tests = PLAN[name]
    root, results = build(name), []
    for engine in engines.split(",") if engines else []:
        results.append(("campaign, " + engine,) + campaign(root, engine))
    for path, part in tests:
        failed, seconds, said = named(root, path, part)
        with open(os.path.join(root, "named.log"), "a") as file:
            file.write(said)
        results.append(((path.replace("test/", "", 1) + " " + part).strip(), failed, seconds, why(said)))
    return results


def main():
    only = [w for w in os.environ.get("ONLY", "").split(",") if w]
    lines, missed = [], []
    if not only or "NOTHING" in only:  # with everything in its place nobody must complain
        for what, found, seconds, reason in try_flag("NOTHING"):
            print("%-20s %-6s %-40s %6.1f s  %s" % ("NOTHING", "FAILED" if found else "-", what, seconds, reason),
                  flush=True)
            if found:
                sys.exit(1)
    for name, meaning in flags():
        if only and name not in only:
            continue
        results = try_flag(name)
        caught = [r for r in results if r[1]]
        if not caught:
            missed.append(name)
        for what, found, seconds, reason in results:
            print("%-20s %-6s %-40s %6.1f s  %s" % (name, "caught" if found else "-", what, seconds, reason),
                  flush=True)
        lines.append("| `%s` | %s | %s | %s |" % (
            name, meaning, "<br>".join(r[0] for r in caught) or "**nothing**",
            "<br>".join("%.0f" % r[2] for r in caught)))
        if caught:
            shutil.rmtree(os.path.join(TOP, "build/mutation", name))
    if not only:
        with open(os.path.join(TOP, "docs/mutations.md"), "w") as file:
            file.write(HEAD + "\n".join(lines) + "\n")
    print("%d mutations, %d not caught%s" % (len(lines), len(missed), ": " + " ".join(missed) if missed else ""))
    sys.exit(1 if missed else 0)


HEAD = """# Every protection, removed

`make mutation` builds sqlredis once without each protection that common/mutation.h names, and runs against that build the
campaign of [test/coherence](../test/coherence/__init__.py) with fixed seeds and the named tests that should notice. Each must
fail. Seconds are those until it did, servers started from nothing included.

| without | what is missing | caught by | seconds |
|---|---|---|---|
"""

main()
