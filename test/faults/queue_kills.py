"""Consumers of a queue, killed at any point by SIGKILL: every job is done and acknowledged all the same, some of
them more than once."""

import os
import random
import sqlite3
import subprocess
import time

from harness import Redis, equal, main, process, sqlite, temp_dir, test, true

JOBS = 1000
CONSUMERS = 4
VISIBILITY = 0.4  # seconds

# In one transaction: what was done, and that it was, or neither.
TOGETHER = """BEGIN;
INSERT INTO done SELECT payload, redis_ack('jobs', id) FROM redis_dequeue('jobs', 1, %(visibility)s);
COMMIT;
"""
# The job in a transaction of its own, as one does whose work takes long.
APART = """CREATE TEMP TABLE IF NOT EXISTS hand (id, payload);
DELETE FROM hand;
INSERT INTO hand SELECT id, payload FROM redis_dequeue('jobs', 1, %(visibility)s);
INSERT INTO done SELECT payload, 1 FROM hand;
SELECT redis_ack('jobs', id) FROM hand;
"""

seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
chance = random.Random(seed)
redis = Redis()
print("# SEED=%d" % seed)


class Consumer:
    """A sqlite3 shell with a database of its own, which takes jobs until it is killed."""

    def __init__(self, directory, number):
        self.database = os.path.join(directory, "%d.db" % number)
        script = os.path.join(directory, "%d.sql" % number)
        work = (TOGETHER if number % 2 else APART) % {"visibility": VISIBILITY}
        with open(script, "w", encoding="utf-8") as file:
            file.write(sqlite.prologue(redis.url) + "PRAGMA synchronous = OFF;\n"
                       "SELECT redis_config('queue_attempts', 0);\n"
                       "CREATE TABLE IF NOT EXISTS done (payload, acknowledged);\n" + work * 2000)
        self.script = script
        self.start()

    def start(self):
        with open(self.script, encoding="utf-8") as script, \
                open(self.script + ".out", "ab") as out:
            self.process = process.start(["sqlite3", "-batch", self.database], stdin=script, stdout=out,
                                         stderr=subprocess.STDOUT, env=sqlite.environment())
        self.until = time.monotonic() + chance.uniform(0, 0.15)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def done(self):
        db = sqlite3.connect(self.database)
        found = db.execute("SELECT payload FROM done").fetchall() if db.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'done'").fetchone() else []
        db.close()
        return [int(payload) for payload, in found]


def lengths(db):
    return db.execute("SELECT redis_queue_len('jobs'), redis_queue_len('jobs', 'delayed'), "
                      "redis_queue_len('jobs', 'reserved'), redis_queue_len('jobs', 'dead')").fetchone()


def produce(db, job):
    """One of each kind; plain payloads, too, as any application pushes them."""
    if job % 4 == 0:
        redis("LPUSH", "queue:jobs", job)
    elif job % 4 == 1:
        db.execute("SELECT redis_enqueue('jobs', ?, ?)", (str(job), 1 + job % 3)).fetchall()
    elif job % 4 == 2:
        db.execute("SELECT redis_enqueue('jobs', ?, NULL, ?)", (str(job), chance.uniform(0, 2))).fetchall()
    else:
        db.execute("SELECT redis_enqueue('jobs', ?)", (str(job),)).fetchall()


def kill_some(consumers):
    kills = 0
    for consumer in consumers:
        if time.monotonic() >= consumer.until:
            kills += consumer.process.poll() is None
            consumer.kill()
            consumer.start()
    return kills


@test
def no_job_is_lost():
    db = sqlite.connect(redis.url)
    directory = temp_dir("queue")
    consumers = [Consumer(directory, number) for number in range(CONSUMERS)]
    made = kills = 0
    deadline = time.monotonic() + 120
    while made < JOBS or lengths(db) != (0, 0, 0, 0):
        true(time.monotonic() < deadline, "jobs are left: %r" % (lengths(db),))
        kills += kill_some(consumers)
        for _ in range(min(2, JOBS - made)):
            produce(db, made)
            made += 1
        time.sleep(0.005)
    for consumer in consumers:
        consumer.kill()
    done = [job for consumer in consumers for job in consumer.done()]
    print("# %d jobs, %d kills, %d done more than once" % (JOBS, kills, len(done) - len(set(done))))
    equal(set(range(JOBS)) - set(done), set(), "jobs that were lost")
    true(kills > 0, "nobody was killed")
    equal([key for key in redis("KEYS", "queue:*") if b":returned{" not in key], [], "what is left in Redis")
    db.close()


main()
