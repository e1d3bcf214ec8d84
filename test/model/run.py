"""Runs the models: every variant must show what is expected of it, `ok` (no counter-example in the whole state
space) or `x` (there is one). Needs spin and a C compiler.

    test/model/run.py [part of a variant's name]     (`make model`)
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))

ALL = ["LEASE", "STAMP", "OUTBOX", "CRASH", "DOWN"]
FAILOVER = ["FAILOVERS=2", "NR=1", "NW=1"]


def without(*names):
    return [name for name in ALL if name not in names]


# name, model, definitions, (check, expected)...
VARIANTS = [
    ("relaxed", "relaxed", ALL, ("P1", "ok"), ("P2", "ok")),
    ("relaxed, commits handed to the sender", "relaxed", ALL + ["ASYNC"], ("P1", "ok"), ("P2", "ok")),
    ("relaxed, the replica promoted twice", "relaxed", ALL + FAILOVER, ("P1", "ok"), ("P2", "ok")),
    ("relaxed, promoted twice, handed to the sender", "relaxed", ALL + FAILOVER + ["ASYNC"], ("P1", "ok"), ("P2", "ok")),
    ("relaxed, promoted once, two readers", "relaxed", ALL + ["FAILOVERS=1", "NW=1", "LOOPS=1"], ("P1", "ok"), ("P2", "ok")),
    ("relaxed, the database loses a commit, new epoch", "relaxed", ALL + ["DBLOSS", "NEWEPOCH", "NR=1"], ("P1", "ok")),
    ("... and no new epoch", "relaxed", ALL + ["DBLOSS", "NR=1"], ("P1", "x")),
    ("deleted before the commit", "relaxed", ["LEASE", "STAMP", "PREDEL"], ("P1", "x"), ("P2", "ok")),
    ("without the lease", "relaxed", without("LEASE"), ("P1", "x"), ("P2", "x")),
    ("without the outbox, a crash", "relaxed", without("OUTBOX", "DOWN"), ("P1", "x"), ("P2", "ok")),
    ("without the outbox, Redis away", "relaxed", without("OUTBOX", "CRASH"), ("P1", "x"), ("P2", "ok")),
    ("without the outbox, the sender dies", "relaxed", without("OUTBOX", "DOWN") + ["ASYNC"], ("P1", "x")),
    ("the row deleted before delivery", "relaxed", ALL + ["ROWFIRST"], ("P1", "x")),
    ("without the stamp, a promotion", "relaxed", without("STAMP") + FAILOVER, ("P1", "x"), ("P2", "x")),
    ("the run_id alone, promoted twice", "relaxed", ALL + FAILOVER + ["RUNID"], ("P1", "x"), ("P2", "x")),
    ("the identity asked for once", "relaxed", ALL + FAILOVER + ["REMEMBER"], ("P2", "x")),
    ("stamped by the server that is filled", "relaxed", ALL + FAILOVER + ["RESTAMP"], ("P1", "x")),
    ("the snapshot older than the lease", "relaxed", ALL + ["SNAPFIRST"], ("P1", "x"), ("P2", "x")),
    ("a standby fills", "relaxed", ALL + ["STANDBY", "LOOPS=1"], ("P1", "x")),
    ("a writer fills with its own row", "relaxed", ALL + ["DIRTY"], ("P1", "x")),
    ("tags", "tags", ["ORDER", "VERSION", "STRICT", "EXPIRE"], ("P1", "ok"), ("P2", "ok")),
    ("tags, a fill ignores the record's time", "tags", ["VERSION", "STRICT"], ("P1", "x")),
    ("tags, an invalidation in the lease's microsecond", "tags", ["ORDER", "VERSION"], ("P1", "x")),
    ("tags, a hit ignores the record", "tags", ["ORDER", "STRICT"], ("P1", "x"), ("P2", "x")),
    ("tags, a record evicted before the fill", "tags", ["ORDER", "VERSION", "STRICT", "EVICT"], ("P1", "x")),
    ("commands", "commands", ["DEDUPE", "OUTBOX", "KEPT"], ("ONCE", "ok")),
    ("commands without the id", "commands", ["OUTBOX", "KEPT"], ("ONCE", "x")),
    ("commands without the outbox", "commands", ["DEDUPE", "KEPT"], ("ONCE", "x")),
    ("commands, the marker expires before the repeat", "commands", ["DEDUPE", "OUTBOX"], ("ONCE", "x")),
]


def verdict(model, definitions, directory):
    """ok or x, and how many states were seen."""
    flags = ["-D" + name for name in definitions]
    subprocess.run(["spin", "-a", *flags, os.path.join(HERE, model + ".pml")], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"],
                   cwd=directory, check=True)
    said = subprocess.run(["./pan", "-m200000"], cwd=directory, capture_output=True, text=True, check=True).stdout
    errors = [line for line in said.splitlines() if "errors: " in line]
    states = [line for line in said.splitlines() if "states, stored" in line]
    if not errors or "max search depth too small" in said or "out of memory" in said:
        raise RuntimeError(said)
    return "ok" if errors[0].rstrip().endswith("errors: 0") else "x", float(states[0].split()[0])


def main():
    if not shutil.which("spin"):
        sys.exit("spin is not installed (Debian: spin)")
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    wrong, begun = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        for name, model, definitions, *checks in VARIANTS:
            for check, expected in checks if wanted in name else ():
                got, states = verdict(model, definitions + [check], directory)
                wrong += got != expected
                print("%-6s %-55s %-4s %-2s  %12.0f states" % (
                    "ok" if got == expected else "not ok", name, check, got, states), flush=True)
    print("%.0f seconds, %d not as expected" % (time.monotonic() - begun, wrong))
    sys.exit(1 if wrong else 0)


main()
