"""Measuring: tasks run in turn, ratios of rounds, and the report with its plot."""

import json
import os
import platform
import statistics
import sys
import time

from harness import TOP, run

OUT = os.path.join(TOP, "build/bench")
results = []


def verdict(met, goal):
    return "  goal %s: %s" % (goal, "met" if met else "MISSED")


def record(name, times, baseline, goal=None, note=""):
    """times, baseline: seconds of the same rounds. The ratio is the median of the rounds' ratios."""
    ratio = statistics.median(t / b for t, b in zip(times, baseline))
    results.append({"name": name, "ratio": ratio, "goal": goal, "note": note,
                    "met": goal is None or ratio <= goal,
                    "seconds": statistics.median(times), "baseline": statistics.median(baseline)})
    print("%-72s %6.2fx  (%.3f s against %.3f s)%s" % (
        name, ratio, statistics.median(times), statistics.median(baseline),
        "" if goal is None else verdict(ratio <= goal, "%.2f" % goal)), flush=True)


def record_rate(name, times, baseline, goal, count):
    """The same, as a rate of the baseline's: the more the better, goal at least."""
    ratio = statistics.median(b / t for t, b in zip(times, baseline))
    results.append({"name": name, "rate": ratio, "goal": goal, "met": goal is None or ratio >= goal,
                    "per_second": count / statistics.median(times),
                    "baseline_per_second": count / statistics.median(baseline)})
    print("%-72s %6.2f   (%.0f /s against %.0f /s)%s" % (
        name, ratio, count / statistics.median(times), count / statistics.median(baseline),
        "" if goal is None else verdict(ratio >= goal, "at least %.2f" % goal)), flush=True)


def record_amount(name, amount, unit, goal):
    results.append({"name": name, "amount": amount, "unit": unit, "goal": goal,
                    "met": goal is None or amount <= goal})
    print("%-72s %6.2f %s%s" % (name, amount, unit, "" if goal is None else verdict(amount <= goal, goal)),
          flush=True)


def interleaved(rounds, **tasks):
    """Run every task once a round, in turn; a first round warms up. Seconds by name."""
    times = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            seconds = task()
            if number:
                times[name].append(seconds)
    return times


def timed(shell, sql, expect=None):
    begun = time.monotonic()
    said = shell.run(sql, 600)
    took = time.monotonic() - begun
    if "rror" in said or (expect is not None and said.strip() != expect):
        sys.exit("bench: %s\nsaid: %s" % (sql, said))
    return took


def machine(redis, server):
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return "%s, %d cores; Linux %s; %s; SQLite %s; Redis %s" % (
        model, os.cpu_count(), platform.release(),
        server.sql("SELECT split_part(version(), ' (', 1)"),
        run(["sqlite3", "--version"]).split()[0],
        redis("INFO", "server").decode().split("redis_version:")[1].split()[0])


def write(where):
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "results.json"), "w") as file:
        json.dump({"machine": where, "results": results}, file, indent=1)
    with open(os.path.join(OUT, "results.md"), "w") as file:
        file.write("Measured on: %s.\n\n| what | measured | goal |\n|---|---|---|\n" % where)
        for r in results:
            if "ratio" in r:
                value, goal = "%.2f times" % r["ratio"], r["goal"]
            elif "rate" in r:
                value = "%.2f of the rate" % r["rate"]
                goal = None if r["goal"] is None else "at least %g" % r["goal"]
            else:
                value, goal = "%.2f %s" % (r["amount"], r["unit"]), r["goal"]
            file.write("| %s | %s | %s%s |\n" % (r["name"], value, "" if goal is None else goal,
                                                 "" if r["met"] else " (missed)"))


def plot(where):
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot
    shown = [r for r in results if "ratio" in r][::-1]  # rates and amounts are in the table only
    figure, axes = pyplot.subplots(figsize=(11, 0.45 * len(shown) + 1.6))
    colours = ["#8a8a8a" if r["goal"] is None else
               "#2e7d4f" if r["met"] else "#b5402f" for r in shown]
    axes.barh(range(len(shown)), [r["ratio"] for r in shown], color=colours, height=0.6)
    for y, r in enumerate(shown):
        near = r["goal"] is not None and 0.8 < r["ratio"] / r["goal"] < 1
        beyond = r["goal"] if near else r["ratio"]
        axes.text(beyond * 1.02, y, "%.2f" % r["ratio"], va="center", fontsize=8)
        if r["goal"] is not None:
            axes.plot([r["goal"]] * 2, [y - 0.4, y + 0.4], color="black", linewidth=1.5)
    axes.set_yticks(range(len(shown)))
    axes.set_yticklabels([r["name"] for r in shown], fontsize=8)
    axes.set_xscale("log")
    ticks = [0.5, 1, 2, 3, 5, 10, 20]
    axes.set_xticks(ticks)
    axes.set_xticklabels(["%g" % t for t in ticks])
    axes.set_xlim(0.5, max(3.5, 1.3 * max(r["ratio"] for r in shown)))
    axes.minorticks_off()
    axes.axvline(1, color="#cccccc", linewidth=1, zorder=0)
    axes.set_xlabel("times the baseline (log scale; black: the goal)\n" + where, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(os.path.join(OUT, "results.png"), dpi=130)
