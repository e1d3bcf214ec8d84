"""`make soak MINUTES=30 [SEED=n]`: campaigns one after another, each with servers of its own.

Ends at the first violation, with what led to it. A campaign is repeated by its seed alone:
`PYTHONPATH=test python3 test/coherence/campaign.py --seed N ...` as printed.
"""

import collections
import os
import random
import sys
import time

from coherence.campaign import Campaign
from coherence.ledger import COUNTERS
from harness import process

ROUNDS, OPERATIONS, FAULTS = 8, 6000, 10


def main():
    minutes = float(os.environ.get("MINUTES") or "30")
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 30))
    until = time.monotonic() + 60 * minutes
    totals, faults, good, campaigns = collections.Counter(), collections.Counter(), True, 0
    begun = time.monotonic()
    while good and time.monotonic() < until:
        preload = campaigns % 3 != 2
        print("--seed %d --rounds %d --operations %d --faults %d%s" % (
            seed + campaigns, ROUNDS, OPERATIONS, FAULTS, "" if preload else " --no-preload"), flush=True)
        campaign = Campaign(seed + campaigns, preload=preload)
        try:
            for _ in range(ROUNDS):
                campaign.round(OPERATIONS, FAULTS)
                if campaign.violations or time.monotonic() > until:
                    break
        finally:
            good = campaign.finish()
            print("\n".join(campaign.violations[:3] + ["  " + line for line in campaign.report()]), flush=True)
        campaigns += 1
        for name in COUNTERS:
            totals[name] += campaign.ledger.total(name)
        totals["rounds"] += campaign.rounds
        faults.update(campaign.faults)
        totals["violations found"] += len(campaign.violations)
        process.clean_up()
    print("\nsoak: seeds %d..%d, %d campaigns, %d rounds, %.1f minutes" % (
        seed, seed + campaigns - 1, campaigns, totals["rounds"], (time.monotonic() - begun) / 60))
    print("commits %d (acknowledged %d), rollbacks %d, reads %d, values checked %d, hits %d, fills %d, plain keys %d" % tuple(
        totals[name] for name in ("commits", "acknowledged", "rollbacks", "reads", "checked", "hits", "fills",
                                  "plain")))
    print("faults %d: %s" % (sum(faults.values()), ", ".join("%s %d" % item for item in sorted(faults.items()))))
    print("violations %d" % totals["violations found"])
    sys.exit(0 if good else 1)


main()
