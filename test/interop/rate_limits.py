"""Rate limits decide as others do: fixed, sliding and token_bucket as npm's @upstash/ratelimit, gcra as
redis-cell. Time is a Redis server's whose clock the test sets; nothing here waits.

RANDOM_SEED=n repeats a run, RANDOM_ROUNDS=n is a longer one.
"""

import math
import os
import random
from fractions import Fraction

from harness import Clock, Redis, equal, main, node, sqlite, test, true

SECOND = 1_000_000  # all times are microseconds, but for those that the package is told
START = 1_800_000_000 * SECOND

SEED = int(os.environ.get("RANDOM_SEED", random.SystemRandom().randrange(1 << 32)))
ROUNDS = int(os.environ.get("RANDOM_ROUNDS", "30"))
STEPS = 120

clock = Clock(START)
server = Redis(clock=clock)
db = sqlite.connect(server.url)


# ---- what is asked ------------------------------------------------------------------------------

def row(sql, *arguments):
    return db.execute(sql, arguments).fetchone()


def after(seconds):
    """As microseconds; None stays."""
    return None if seconds is None else round(seconds * SECOND)


def ours(key, most, period, cost, algorithm):
    """allowed, remaining, and microseconds: until it will be, until all is there again."""
    allowed, remaining, retry, reset, reason = row(
        "SELECT * FROM redis_rate_limit(?, ?, ?, ?, ?)", key, most, period / SECOND, cost, algorithm)
    equal(reason, "ok" if allowed else "limit")
    return bool(allowed), remaining, after(retry), after(reset) - clock.now


def peek(key, most, period, algorithm):
    allowed, remaining, retry, _, _ = row("SELECT * FROM redis_rate_limit_peek(?, ?, ?, ?)",
                                          key, most, period / SECOND, algorithm)
    return bool(allowed), remaining, after(retry)


class Package:
    """@upstash/ratelimit in a node process."""

    def __init__(self):
        self.node = node.Node("rate_limits.mjs", server.port)

    def __call__(self, key, most, period, cost, algorithm):
        return tuple(self.node(algorithm, most, period // 1000, key, cost, clock.now // 1000))


# ---- what is expected: each algorithm once, with and without the package's habits ----------------

class Model:
    """package: with the two habits of @upstash/ratelimit that ours has not. They are these:

    counts_refused: a request that is refused is counted all the same: every one by fixed, by sliding one
        with a cost above 1 that still finds something left. (Nothing is counted for it here.)
    below_zero: giving back more than was used leaves less than nothing used, and then more than the limit
        is allowed. (Here nothing used is the least.)
    """

    def __init__(self, most, period, package=False):
        self.most, self.period = most, period
        self.counts_refused = self.below_zero = package
        self.habits = 0  # how often one of them made a difference

    def sum(self, used, cost):
        if used + cost < 0:
            self.habits += self.below_zero
            return used + cost if self.below_zero else 0
        return used + cost


class Fixed(Model):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.windows = {}

    def __call__(self, now, cost):
        window = now // self.period
        used = self.windows.get(window, 0)
        allowed = self.sum(used, cost) <= self.most if self.counts_refused else (
            cost <= 0 or used + cost <= self.most)
        if allowed or self.counts_refused:
            self.habits += not allowed
            used = self.windows[window] = self.sum(used, cost)
        return allowed, max(0, self.most - used)

    def can_give_back(self, now):
        return self.windows.get(now // self.period, 0)


class Sliding(Fixed):
    def __call__(self, now, cost):
        window = now // self.period
        used = self.windows.get(window, 0)
        before = math.floor((1 - now % self.period / self.period) *
                            self.windows.get(window - 1, 0))
        if self.counts_refused:
            allowed = cost <= 0 or before + used < self.most
        else:
            allowed = cost <= 0 or before + used + cost <= self.most
        if allowed:
            used = self.windows[window] = self.sum(used, cost)
            if before + used > self.most:
                self.habits += 1
                allowed = False
        elif self.counts_refused:
            return False, 0  # what the package says then
        return allowed, max(0, self.most - before - used)


class TokenBucket(Model):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.interval = Fraction(self.period, self.most)
        self.at = self.ends = None
        self.used = 0

    def refill(self, now):
        if self.at is None or self.ends is not None and now // 1000 > self.ends:
            self.at, self.ends, self.used = None, None, 0
        elif now >= self.at + self.interval:
            refills = (now - self.at) // self.interval
            self.used = max(0, self.used - refills)
            self.at += refills * self.interval

    def __call__(self, now, cost):
        self.refill(now)
        if cost > 0 and cost > self.most - self.used:
            return False, 0 if self.counts_refused else self.most - self.used
        if self.at is None:
            if cost <= 0 and not self.below_zero:
                return True, self.most
            self.at = now
        self.used = self.sum(self.used, cost)
        if self.used > 0:
            self.ends = math.ceil((now + self.used * self.interval) / 1000)
        return True, max(0, self.most - self.used)

    def can_give_back(self, now):
        self.refill(now)
        return self.used


class Gcra(Model):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.interval = Fraction(self.period, self.most)
        self.arrival = 0

    def __call__(self, now, cost):
        arrival = max(self.arrival, now)
        if cost > 0 and arrival + cost * self.interval > now + self.period:
            return False, (now + self.period - arrival) // self.interval
        self.arrival = max(now, arrival + cost * self.interval)
        return True, (now + self.period - self.arrival) // self.interval


MODELS = {"fixed": Fixed, "sliding": Sliding, "token_bucket": TokenBucket, "gcra": Gcra}
PACKAGED = ("fixed", "sliding", "token_bucket")


# ---- sequences ------------------------------------------------------------------------------------

def rounds(name):
    """Random sources, each with a name that no other's keys have; the clock on a whole millisecond."""
    for number in range(ROUNDS):
        clock.now = clock.now // 1000 * 1000
        yield "%s:%d" % (name, number), random.Random("%d/%s/%d" % (SEED, name, number))


def pass_time(rng, period, unit):
    """Often none, sometimes just to the edge of a window, sometimes past everything."""
    kind = rng.randrange(12)
    if kind < 4:
        return
    if kind < 9:
        clock.now += rng.randrange(0, period // 3, unit)
    elif kind < 11:
        clock.now += -clock.now % period // unit * unit + rng.choice((0, 0, unit))
    else:
        clock.now += rng.randrange(0, 3 * period, unit)


def limits(rng, whole):
    """max and period; whole: an interval that the package can write, in ms."""
    most = rng.choice((1, 2, 3, 5, 7, 10, 30))
    period = rng.choice((1, 2, 5, 10, 60)) * SECOND
    if whole:
        period = max(1, period // most // 1000) * 1000 * most
    elif rng.randrange(3) == 0:  # products that no double holds
        most, period = rng.randrange(1 << 40, 1 << 53), rng.randrange(1, 3600_000) * 1000
    return most, period


# ---- against @upstash/ratelimit -------------------------------------------------------------------

@test
def the_package_decides_the_same():
    """Requests that cost 1, and some of them given back: compared with nothing between."""
    package = Package()
    seen = {(algorithm, allowed): 0 for algorithm in PACKAGED for allowed in (True, False)}
    for name, rng in rounds("same"):
        most, period = limits(rng, True)
        states = {}
        refused = {}  # when it last was, by fixed, which the package counts: see Model
        for step in range(STEPS):
            pass_time(rng, period, 1000)
            algorithm = rng.choice(PACKAGED)
            key = "%s:%s:%d" % (name, algorithm, rng.randrange(2))
            state = states.setdefault(key, MODELS[algorithm](most, period))
            window = clock.now // period
            back = rng.randrange(4) == 0 and state.can_give_back(clock.now) > 0
            cost = -1 if back and refused.get(key) != window else 1
            expected = package(key, most, period, cost, algorithm)
            equal(ours(key, most, period, cost, algorithm)[:2], expected,
                  "%s, step %d: %d of %d in %d us" % (key, step, cost, most, period))
            state(clock.now, cost)
            if algorithm == "fixed" and not expected[0]:
                refused[key] = window
            seen[algorithm, expected[0]] += 1
    for (algorithm, allowed), times in seen.items():
        true(times > 0, "%s never was %s" % (algorithm, allowed))
    package.node.close()


@test
def two_habits_are_all_the_package_has_besides():
    """Costs and refunds of any size: ours is the model, the package is the model with its habits."""
    package = Package()
    habits = dict.fromkeys(PACKAGED, 0)
    for name, rng in rounds("habits"):
        most, period = limits(rng, True)
        here, there = {}, {}
        for step in range(STEPS):
            pass_time(rng, period, 1000)
            algorithm = rng.choice(PACKAGED)
            key = "%s:%s:%d" % (name, algorithm, rng.randrange(2))
            cost = rng.choice((1, 1, 1, 2, 3, most, most + 1, -1, -2, -most))
            what = "%s, step %d: %d of %d in %d us" % (key, step, cost, most, period)
            mine = here.setdefault(key, MODELS[algorithm](most, period))
            theirs = there.setdefault(key, MODELS[algorithm](most, period, True))
            equal(ours(key, most, period, cost, algorithm)[:2], mine(clock.now, cost), what)
            before = theirs.habits
            equal(package(key, most, period, cost, algorithm), theirs(clock.now, cost),
                  "the package: " + what)
            habits[algorithm] += theirs.habits - before
    for algorithm in PACKAGED:
        true(habits[algorithm] > 0, algorithm + " never showed one")
    package.node.close()


# ---- against redis-cell ---------------------------------------------------------------------------

def throttle(key, max_burst, count, period, quantity=1):
    """CL.THROTTLE's reply: limited, limit, remaining, seconds until a retry or -1, until all is there."""
    most = max_burst + 1
    allowed, remaining, retry, reset = ours(key, most, period * SECOND * most // count, quantity,
                                            "gcra")
    return [int(not allowed), most, remaining,
            -1 if allowed or retry is None else retry // SECOND, reset // SECOND]


@test
def the_published_call_of_redis_cell():
    """CL.THROTTLE user123 15 30 60 1, and what follows from it."""
    equal(throttle("user123", 15, 30, 60, 1), [0, 16, 15, -1, 2])
    for used in range(2, 17):
        equal(throttle("user123", 15, 30, 60, 1), [0, 16, 16 - used, -1, 2 * used])
    equal(throttle("user123", 15, 30, 60, 1), [1, 16, 0, 2, 32])
    equal(throttle("user123", 15, 30, 60, 16), [1, 16, 0, 32, 32])
    equal(throttle("user123", 15, 30, 60, 17), [1, 16, 0, -1, 32])
    clock.now += 2 * SECOND
    equal(throttle("user123", 15, 30, 60, 1), [0, 16, 0, -1, 32])
    equal(throttle("user123-write-rate", 5, 10, 60), [0, 6, 5, -1, 6])


# Milliseconds from the start, quantity: remaining, milliseconds until all is there and until a retry. Five
# at once and one a second: the cases of redis-cell's own test.
PUBLISHED = (
    (0, 6, 5, 0, None),
    (0, 1, 4, 1000, 0), (0, 1, 3, 2000, 0), (0, 1, 2, 3000, 0), (0, 1, 1, 4000, 0),
    (0, 1, 0, 5000, 0), (0, 1, 0, 5000, 1000),
    (3000, 1, 2, 3000, 0), (3100, 1, 1, 3900, 0), (4000, 1, 1, 4000, 0), (8000, 1, 4, 1000, 0),
    (9500, 1, 4, 1000, 0), (9500, 0, 4, 1000, 0), (9500, 2, 2, 3000, 0), (9500, 5, 2, 3000, 3000),
)


@test
def the_published_cases_of_redis_cell():
    start = clock.now
    for at, quantity, remaining, reset, retry in PUBLISHED:
        clock.now = start + at * 1000
        equal(ours("cases", 5, 5 * SECOND, quantity, "gcra"),
              (retry == 0, remaining, None if retry is None else retry * 1000, reset * 1000),
              "%d ms, %d" % (at, quantity))


class Cell:
    """redis-cell's rate_limit (src/cell/mod.rs), in integer nanoseconds as it has them."""

    def __init__(self, most, period):
        self.interval = period * 1000 // most
        self.tolerance = self.interval * most
        self.arrival = None

    def __call__(self, now, quantity):
        now *= 1000
        if self.arrival is None or self.arrival < now:  # its key has expired
            self.arrival = now
        arrival = self.arrival
        increment = self.interval * quantity
        then = max(now, arrival) + increment
        late = now - (then - self.tolerance)
        retry = -1
        if late < 0:
            if increment <= self.tolerance:
                retry = -late
            left = arrival - now
        else:
            self.arrival = then
            left = then - now
        free = self.tolerance - left
        remaining = free // self.interval if free > -self.interval else 0
        return late >= 0, max(0, remaining), retry, left


@test
def redis_cell_decides_the_same():
    for name, rng in rounds("cell"):
        most, period = limits(rng, True)
        cells = {}
        for step in range(STEPS):
            pass_time(rng, period, 1)
            key = "%s:%d" % (name, rng.randrange(2))
            quantity = rng.choice((1, 1, 1, 1, 2, 3, most, most + 1))
            cell = cells.setdefault(key, Cell(most, period))
            allowed, remaining, retry, left = cell(clock.now, quantity)
            retry = 0 if allowed else None if retry < 0 else retry // 1000
            equal(ours(key, most, period, quantity, "gcra"),
                  (allowed, remaining, retry, max(0, left // 1000)),
                  "%s, step %d: %d of %d in %d us" % (key, step, quantity, most, period))


# ---- what is promised of every algorithm ------------------------------------------------------------

@test
def intervals_that_no_microsecond_ends_with_are_exact():
    """The models count in fractions."""
    for name, rng in rounds("exact"):
        most, period = limits(rng, False)
        states = {}
        for step in range(STEPS):
            pass_time(rng, period, 1)
            algorithm = rng.choice(list(MODELS))
            key = "%s:%s" % (name, algorithm)
            state = states.setdefault(key, MODELS[algorithm](most, period))
            cost = rng.choice((1, 1, 1, 1, 2, most, most + 1, -1, -most, 0, rng.randint(1, most)))
            equal(ours(key, most, period, cost, algorithm)[:2], state(clock.now, cost),
                  "%s, step %d: %d of %d in %d us" % (key, step, cost, most, period))


@test
def what_a_row_says_of_the_future_comes_true():
    """Refused until retry_after and not a microsecond longer; all there at reset_at, not before."""
    seen = 0
    for name, rng in rounds("future"):
        most, period = limits(rng, False)
        for algorithm in MODELS:
            key = "%s:%s" % (name, algorithm)
            for _ in range(STEPS // 8):
                pass_time(rng, period, 1)
                cost = rng.randint(1, most)
                before = peek(key, most, period, algorithm)
                allowed, remaining, retry, reset = ours(key, most, period, cost, algorithm)
                equal(remaining, before[1] - (cost if allowed else 0), "peek saw something else")
                now = clock.now
                server("PERSIST", "rl:" + key)  # the clock comes back: what is forgotten then would stay so
                if reset > 0:
                    clock.now = now + reset - 1
                    true(peek(key, most, period, algorithm)[1] < most, key + ": reset_at is late")
                    clock.now = now + reset
                equal(peek(key, most, period, algorithm), (True, most, 0), key + ": at reset_at")
                clock.now = now
                if allowed:
                    continue
                seen += 1
                clock.now = now + retry - 1
                true(not ours(key, most, period, cost, algorithm)[0], key + ": retry_after is late")
                clock.now = now + retry
                true(ours(key, most, period, cost, algorithm)[0], key + ": refused at retry_after")
            server("DEL", "rl:" + key)
    true(seen > 0, "nothing was refused")


@test
def everything_a_limit_writes_has_an_end():
    row("SELECT redis_rate_limit_override('kept', 3)")
    for algorithm in MODELS:
        for cost, again in ((1, 10), (1, 60), (-1, 60), (-5, 60)):
            key = "ends:" + algorithm
            ours(key, 3, again * SECOND, cost, algorithm)
            true(server("PTTL", "rl:" + key) <= 2 * again * 1000, key)
    for key in server("KEYS", "rl:*"):
        true((server("PTTL", key) > 0) == (b"limit" not in key), "%r has no end" % key)
    clock.now += 10_000 * SECOND
    equal(server("KEYS", "rl:*"), [b"rl:kept:limit{rl:kept}"])


@test
def a_clock_that_goes_back_locks_nobody_out():
    """By less than a period, what was counted stays so; by more, it is forgotten."""
    for algorithm in MODELS:
        key = "back:" + algorithm
        true(ours(key, 2, 10 * SECOND, 2, algorithm)[0])
        for back in (1, SECOND, 3600 * SECOND):
            clock.now -= back
            if back < 10 * SECOND:
                true(not ours(key, 2, 10 * SECOND, 1, algorithm)[0], "%s: %d" % (key, back))
                clock.now += 20 * SECOND
            true(ours(key, 2, 10 * SECOND, 2, algorithm)[0], "%s: %d, later" % (key, back))


@test
def numbers_are_exact_up_to_the_largest():
    most = 1 << 53
    for algorithm in MODELS:
        key = "large:" + algorithm
        # nine thousand million come back with every microsecond, but the clock stands still
        equal(ours(key, most, SECOND, most - 3, algorithm)[:2], (True, 3))
        equal(ours(key, most, SECOND, 4, algorithm)[:2], (False, 3))
        equal(ours(key, most, SECOND, 3, algorithm)[:2], (True, 0))
        equal(ours(key, most, SECOND, -most, algorithm)[:2], (True, most))
        equal(ours(key, most, SECOND, 1, algorithm)[:2], (True, most - 1))
        for field in server("HVALS", "rl:" + key)[1:]:
            true(field.isdigit() or field == algorithm.encode(), "%r" % field)


print("# RANDOM_SEED=%d" % SEED, flush=True)
equal(server("TIME"), [b"%d" % (START // SECOND), b"0"])
main()
