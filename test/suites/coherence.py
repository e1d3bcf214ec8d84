"""Is anything ever stale? A short campaign in both engines (`make soak` runs long ones), the proof that it
would notice, and the named tests of test/coherence/reliability.

COHERENCE_SEED=n repeats a campaign.
"""

import glob
import os
import random
import subprocess
import sys

sys.path.pop(0)  # this directory, in which this file would be taken for the package

from coherence.campaign import Campaign  # noqa: E402  pylint: disable=wrong-import-position
from harness import TOP, case, process  # noqa: E402  pylint: disable=wrong-import-position

SEED = int(os.environ.get("COHERENCE_SEED") or random.SystemRandom().randrange(1 << 30))


def campaign(rounds, operations, faults, **options):
    """Violations, in words; a fixed number of operations decides when it is over."""
    run = Campaign(SEED, **options)
    try:
        for _ in range(rounds):
            run.round(operations, faults)
            if run.violations:
                break
    finally:
        run.finish()
        for line in run.report():
            print(line, flush=True)
        process.clean_up()
    return run.violations


def never_stale(**options):
    violations = campaign(2, 2500, 5, **options)
    assert not violations, "COHERENCE_SEED=%d\n%s" % (SEED, "\n".join(violations[:3]))


def is_noticed(**options):
    """Readers that fill without a lease, and nothing breaks but the packets' pace."""
    assert campaign(1, 5000, 1, wanted=["Delay"], naive=True, modes=[0], **options), "nobody noticed"


CASES = [
    ("a_fill_without_a_lease_is_noticed.postgresql", is_noticed, {"engines": ("pg",)}),
    ("a_fill_without_a_lease_is_noticed.sqlite", is_noticed, {"engines": ("sqlite",)}),
    ("never_stale.both_engines", never_stale, {}),
    ("never_stale.without_the_worker", never_stale, {"engines": ("pg",), "preload": False}),
]


def main():
    wanted, good = os.environ.get("TEST", ""), True
    for name, function, options in CASES:
        name = "coherence." + name
        if wanted in name:
            good = case(name, lambda f=function, o=options: f(**o)) and good
    for path in sorted(glob.glob(os.path.join(glob.escape(TOP), "test/coherence/reliability/*.py"))):
        good = subprocess.run([sys.executable, "-u", path], stdin=subprocess.DEVNULL).returncode == 0 and good
    return 0 if good else 1


raise SystemExit(main())
