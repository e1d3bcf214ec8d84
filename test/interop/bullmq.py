"""redis_bullmq_add with BullMQ itself, of both majors: what is in Redis is what its Queue.add leaves, and
its Workers complete the jobs and its QueueEvents tell of them."""

import json

from harness import Both, Redis, contains, equal, main, node, test, true, wait_for
from harness.engines import Problem

# ms. A job that is later than this is not slow, even on a busy machine: it was missed. How late they were
# is printed.
LATE = 5000

both = Both()
server = Redis()
client = server.client()
real = {major: node.Node("bullmq.mjs", major, server.port) for major in ("bullmq5", "bullmq6")}
number = [0]


def literal(value):
    return "'" + json.dumps(value, ensure_ascii=False).replace("'", "''") + "'"


def call(queue, name, data, opts=None):
    return "redis_bullmq_add('%s', '%s', %s%s)" % (
        queue, name, literal(data), "" if opts is None else ", " + literal(opts))


def add(engine, queue, name, data, opts=None):
    return engine.value("SELECT " + call(queue, name, data, opts))


def queues(watched=True):
    """Every engine with every major: a queue of their own, which a Queue has announced in meta."""
    for engine in both(server.url):
        for major, bull in real.items():
            number[0] += 1
            queue = "q%d-%s" % (number[0], major)
            bull("open", queue)
            if watched:
                bull("watch", queue)
            yield engine, bull, queue


def pairs(flat):
    return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}


def times(queue):
    """The timestamp of each job of the queue."""
    found = {}
    for key in client("KEYS", "bull:%s:*" % queue):
        if client("TYPE", key) == "hash":
            stamp = client("HGET", key, "timestamp")
            if stamp:
                found[key.decode().rsplit(":", 1)[1]] = int(stamp)
    return found


def content(queue):
    """All of a queue as it is in Redis, times counted from each job's own."""
    stamps, found = times(queue), {}
    for key in client("KEYS", "bull:%s:*" % queue):
        name, kind = key.decode().rsplit(":", 1)[1], client("TYPE", key)
        if kind == "hash":
            found[name] = pairs(client("HGETALL", key))
            if name in stamps:
                del found[name]["timestamp"]
                found[name]["opts"] = json.loads(found[name]["opts"])
                found[name]["opts"].pop("timestamp", None)
        elif kind == "list":
            found[name] = client("LRANGE", key, 0, -1)
        elif kind == "string":
            found[name] = client("GET", key)
        elif kind == "stream":
            found[name] = [pairs(entry[1]) for entry in client("XRANGE", key, "-", "+")]
            for event in found[name]:
                if "delay" in event:
                    event["delay"] = int(event["delay"]) - stamps[event["jobId"]]
        elif kind == "zset":
            found[name] = pairs(client("ZRANGE", key, 0, -1, "WITHSCORES"))
            if name == "delayed":
                found[name] = {job: int(score) - stamps[job] * 4096
                               for job, score in found[name].items()}
            if name == "marker" and "1" in found[name]:
                # the time of the first one that is delayed
                del found[name]["1"]
                first = client("ZRANGE", "bull:%s:delayed" % queue, 0, 0, "WITHSCORES")
                equal(client("ZSCORE", key, "1"), b"%.17g" % (int(first[1]) / 4096))
    return found


def in_redis(queue, name):
    return client("KEYS", "bull:%s:%s" % (queue, name))


CASES = [
    [("plain", {"to": "ann", "list": [1, 2.5, None, True], "nested": {"a": {}}}, None)],
    [("text", "Grüße ☃ \" \\ \n", None), ("number", 7, {}), ("null", None, {}), ("array", [], {})],
    [("delayed", {}, {"delay": 60000}), ("later", {}, {"delay": 3600000}),
     ("never", {}, {"delay": 0})],
    [(name, {}, {"delay": 60000, "timestamp": 2000000000000 - at}) for at in (0, 1, 0)
     for name in ("one", "another")],
    [("low", {}, {"priority": 2097151}), ("high", {}, {"priority": 1}), ("same", {}, {"priority": 1}),
     ("none", {}, {"priority": 0}), ("both", {}, {"priority": 3, "delay": 1000})],
    [("last", {}, {"lifo": True}), ("first", {}, {"lifo": False}), ("top", {}, {"lifo": True})],
    [("retried", {}, {"attempts": 3, "backoff": 250}),
     ("slower", {}, {"attempts": 5, "backoff": {"type": "exponential", "delay": 10, "jitter": 0.5}}),
     ("none", {}, {"attempts": None, "backoff": None})],
    [("long", {}, {"keepLogs": 5, "failParentOnFailure": True, "removeOnComplete": {"count": 3},
                   "removeOnFail": True, "stackTraceLimit": 2, "sizeLimit": 100})],
    [("others", {}, {"continueParentOnFailure": True}), ("third", {}, {"ignoreDependencyOnFailure": True}),
     ("fourth", {}, {"removeDependencyOnFailure": False}), ("own", {}, {"myOption": "é\"\\"})],
    [("traced", {}, {"telemetry": {"metadata": "trace 1", "omitContext": True}})],
    [("named", {"n": 1}, {"jobId": "order-1"}), ("again", {"n": 2}, {"jobId": "order-1"}),
     ("other", {}, {"jobId": "order-2", "delay": 5000})],
]


def same(engine, bull, queue, jobs, prepare=None):
    theirs, ours = queue + "-theirs", queue + "-ours"
    for one in (theirs, ours):
        bull("open", one)
        if prepare:
            prepare(one)
    ids = [bull("add", theirs, *job) for job in jobs]
    equal([add(engine, ours, *job) for job in jobs], ids)
    expected, got = content(theirs), content(ours)
    if any("jobId" in (job[2] or {}) for job in jobs):
        expected.pop("id")  # they count on even then, and nobody looks
    equal(got, expected, "%s, %s: %r" % (engine.name, queue, jobs))


@test
def the_same_is_in_redis():
    for engine, bull, queue in queues(watched=False):
        for at, jobs in enumerate(CASES):
            same(engine, bull, "%s-%d" % (queue, at), jobs)


@test
def the_same_is_in_redis_when_the_queue_is_not_at_rest():
    jobs = CASES[2] + CASES[3] + CASES[4]
    for engine, bull, queue in queues(watched=False):
        same(engine, bull, queue + "-p", jobs, lambda one, bull=bull: bull("pause", one))
        same(engine, bull, queue + "-e", jobs, lambda one: client(
            "HSET", "bull:%s:meta" % one, "opts.maxLenEvents", 3))
        for busy in ("a", ""):
            def crowded(one, busy=busy):
                client("HSET", "bull:%s:meta" % one, "concurrency", 2)
                client("RPUSH", "bull:%s:active" % one, "x", *busy)
            same(engine, bull, queue + "-c" + busy, jobs, crowded)


@test
def workers_complete_what_is_added():
    for engine, bull, queue in queues():
        bull("work", queue, 1)
        data = {"to": "ann", "n": [1, 2.5, None], "text": "Grüße ☃"}
        ids = [add(engine, queue, "plain", data)]
        engine.sql("BEGIN;")
        ids += [add(engine, queue, "late", {}, {"delay": ms}) for ms in (300, 100, 200)]
        ids.append(add(engine, queue, "retried", {"fail": 1}, {
            "attempts": 3, "backoff": {"type": "fixed", "delay": 50}}))
        equal(in_redis(queue, ids[1]), [])
        engine.sql("COMMIT;")
        seen = bull("completed", queue, ids)
        equal(ids, ["1", "2", "3", "4", "5"])
        first = seen["worked"][0]
        equal((first["id"], first["name"], first["data"]), ("1", "plain", data))
        late = [job for job in seen["worked"] if job["name"] == "late"]
        equal([job["id"] for job in late], ["3", "4", "2"])
        for job in late:
            true(0 <= job["late"] < LATE, "%d ms after its time" % job["late"])
        equal([job["attempt"] for job in seen["worked"] if job["name"] == "retried"], [0, 1])
        for at in ids:
            kinds = [event["kind"] for event in seen["events"] if event["jobId"] == at]
            for kind in ("added", "delayed" if at in ids[1:4] else "waiting", "active", "completed"):
                true(kind in kinds, "job %s: no event %s in %r" % (at, kind, kinds))
        equal(bull("job", queue, ids[0])["returnvalue"], {"done": data})


@test
def a_worker_that_sleeps_is_woken():
    for engine, bull, queue in queues():
        bull("work", queue, 1)
        for opts in (None, {"priority": 5}, {"delay": 50}, {"lifo": True}):
            one = add(engine, queue, "one", {}, opts)
            job = bull("completed", queue, [one])["worked"][-1]
            true(0 <= job["late"] < LATE, "%r: %d ms after its time" % (opts, job["late"]))


@test
def order_is_by_priority_and_lifo():
    for engine, bull, queue in queues():
        engine.sql("BEGIN;")
        ids = [add(engine, queue, "job", {}, opts) for opts in (
            {"priority": 2}, {"priority": 10}, {"priority": 2}, {"priority": 1}, None, None,
            {"lifo": True})]
        engine.sql("COMMIT;")
        bull("work", queue, 1)
        order = [job["id"] for job in bull("completed", queue, ids)["worked"]]
        equal(order, ["7", "5", "6", "4", "1", "3", "2"])


@test
def a_job_id_makes_a_repeat_harmless():
    for engine, bull, queue in queues():
        for data in ("first", "second"):
            equal(add(engine, queue, "pay", data, {"jobId": "order-7"}), "order-7")
        engine.sql("BEGIN;")
        for data in ("third", "fourth"):
            add(engine, queue, "pay", data, {"jobId": "order-7"})
        engine.sql("COMMIT;")
        bull("work", queue, 1)
        add(engine, queue, "end", {})
        seen = bull("completed", queue, ["order-7", "1"])
        equal([job["data"] for job in seen["worked"]], ["first", {}])
        equal([event["jobId"] for event in seen["events"] if event["kind"] == "duplicated"],
              ["order-7"] * 3)


@test
def a_paused_queue_waits():
    for engine, bull, queue in queues():
        before = add(engine, queue, "before", {})
        bull("pause", queue)
        bull("work", queue, 1)
        ids = [before, add(engine, queue, "plain", {}), add(engine, queue, "one", {}, {"priority": 1})]
        waiting = "paused" if "bullmq5" in queue else "wait"
        equal(client("LRANGE", "bull:%s:%s" % (queue, waiting), 0, -1), [b"2", b"1"])
        equal(client("EXISTS", "bull:%s:marker" % queue), 0)
        bull("resume", queue)
        equal([job["id"] for job in bull("completed", queue, ids)["worked"]], ids)


@test
def a_paused_queue_of_an_unknown_version_waits():
    for engine, bull, queue in queues():
        bull("pause", queue)
        client("HDEL", "bull:%s:meta" % queue, "version")
        ids = [add(engine, queue, "one", {}), add(engine, queue, "two", {})]
        bull("resume", queue)
        bull("work", queue, 1)
        equal([job["id"] for job in bull("completed", queue, ids)["worked"]], ids)


@test
def a_rollback_adds_nothing():
    for engine, _, queue in queues(watched=False):
        before = content(queue)
        engine.sql("BEGIN;")
        add(engine, queue, "one", {})
        add(engine, queue, "two", {}, {"delay": 10, "jobId": "x"})
        engine.sql("ROLLBACK;")
        engine.sql("BEGIN;")
        add(engine, queue, "kept", {})
        engine.sql("SAVEPOINT s;")
        add(engine, queue, "lost", {})
        engine.sql("ROLLBACK TO s;")
        engine.sql("COMMIT;")
        after = content(queue)
        equal(sorted(set(after) - set(before)), ["3" if "2" not in after else "2", "events", "id",
                                                 "marker", "wait"])
        equal([event["event"] for event in after["events"]], ["added", "waiting"])


@test
def an_id_that_was_counted_twice_is_not_lost():
    for engine, bull, queue in queues():
        engine.sql("BEGIN;")
        equal(add(engine, queue, "ours", {"n": 1}), "1")
        client("DEL", "bull:%s:id" % queue)  # as after a failover
        equal(bull("add", queue, "theirs", {"n": 2}, {}), "1")
        engine.sql("COMMIT;")
        equal(client("HGET", "bull:%s:1" % queue, "name"), b"theirs")
        spare = client("LRANGE", "bull:%s:wait" % queue, 0, 0)[0].decode()
        contains(spare, "sqlredis-")
        bull("work", queue, 1)
        seen = bull("completed", queue, ["1", spare])
        equal([job["data"]["n"] for job in seen["worked"]], [2, 1])


@test
def the_counter_is_never_behind_a_job():
    for engine, bull, queue in queues(watched=False):
        client("SET", "bull:%s:id" % queue, 41)
        engine.sql("BEGIN;")
        equal(add(engine, queue, "ours", {}), "42")
        client("DEL", "bull:%s:id" % queue)
        engine.sql("COMMIT;")
        equal(bull("add", queue, "theirs", {}, {}), "43")


def answers(engine):
    try:
        return engine.value("SELECT redis_ping()")
    except Problem:
        return False


@test
def with_redis_away_the_id_is_random():
    mine = Redis()
    for engine in both(mine.url):
        name = "away-" + engine.name
        equal(add(engine, name, "before", {}), "1")
        mine.stop()
        engine.sql("BEGIN;")
        one = add(engine, name, "meanwhile", {"n": 1})
        contains(one, "sqlredis-")
        engine.sql("COMMIT;")
        mine.start()
        wait_for("Redis to be asked again", lambda: answers(engine))
        equal(add(engine, name, "after", {}), "1")  # nothing was kept of the counter
        equal(mine("LRANGE", "bull:%s:wait" % name, 0, -1), [b"1", one.encode()])
        equal(mine("HGET", "bull:%s:%s" % (name, one), "data"), b'{"n":1}')
    mine.stop()


@test
def types_of_postgresql():
    session = next(both(server.url))
    for at, (data, opts) in enumerate((
            ("jsonb_build_object('n', 1)", ""), ("json_build_object('n', 1)", ""),
            ("jsonb_build_object('n', 1)", ", jsonb_build_object('priority', 1)"),
            ("json_build_object('n', 1)", ", json_build_object('priority', 1)"),
            ("'{\"n\" : 1}'", ", jsonb_build_object('priority', 1)"),
            ("jsonb_build_object('n', 1)", ", '{\"priority\": 1}'"),
            ("'{\"n\" : 1}'::text", ", '{\"priority\": 1}'::text"),
            ("'{\"n\" : 1}'", ", NULL"), ("to_jsonb(1::numeric)", ", opts => '{}'::jsonb"))):
        equal(session.value("SELECT redis_bullmq_add('types', 'job', %s%s)" % (data, opts)), str(at + 1))
        job = pairs(client("HGETALL", "bull:types:%d" % (at + 1)))
        equal(job["data"], '{"n":1}' if at < 8 else "1")
        equal(job["priority"], "1" if "priority" in opts else "0")


@test
def prefixes():
    for engine in both(server.url, key_prefix="app:", bullmq_prefix="{jobs}"):
        name = "prefixed-" + engine.name
        equal(add(engine, name, "one", {}), "1")
        equal(sorted(client("KEYS", "*:%s:*" % name)), sorted(
            ("app:{jobs}:%s:%s" % (name, word)).encode()
            for word in ("1", "events", "id", "marker", "meta", "wait")))


@test
def mistakes_are_errors_of_the_call():
    wrong = [
        ([], "object"), (7, "object"), ({"delay": -1}, "delay"), ({"delay": "1"}, "delay"),
        ({"delay": 1e20}, "delay"), ({"priority": -1}, "priority"), ({"priority": 2097152}, "priority"),
        ({"priority": 1.5}, "priority"), ({"attempts": -1}, "attempts"), ({"attempts": "3"}, "attempts"),
        ({"lifo": 1}, "lifo"), ({"timestamp": "now"}, "timestamp"), ({"jobId": 7}, "jobId"),
        ({"jobId": "7"}, "jobId"), ({"jobId": "-7"}, "jobId"), ({"jobId": "a:b"}, "jobId"),
        ({"jobId": "wait"}, "jobId"), ({"backoff": "fixed"}, "backoff"), ({"backoff": -1}, "backoff"),
        ({"backoff": []}, "backoff"), ({"backoff": {"delay": 1}}, "backoff"),
        ({"backoff": {"type": "fixed", "jitter": 2}}, "backoff"), ({"telemetry": "x"}, "telemetry"),
        ({"parent": {"id": "1", "queue": "bull:q"}}, "parent"), ({"repeat": {"every": 1}}, "repeat"),
        ({"deduplication": {"id": "x"}}, "deduplication"), ({"debounce": {"id": "x"}}, "debounce"),
    ]
    for engine in both(server.url):
        for opts, part in wrong:
            engine.fails("SELECT " + call("mistakes", "job", {}, opts), "invalid", part)
        engine.fails("SELECT " + call("mistakes", "job", "x" * 9, {"sizeLimit": 10}), "too large", "sizeLimit")
        for queue in ("", "a:b"):
            engine.fails("SELECT " + call(queue, "job", {}), "invalid", "queue")
        equal(client("KEYS", "bull:mistakes:*"), [])
        equal(add(engine, "sized", "job", "x" * 8, {"sizeLimit": 10, "jobId": engine.name}), engine.name)


def late_by(engine, bull, queue):
    """How late five delayed jobs began, one after the other, and five of BullMQ's own."""
    ours, theirs = [], []
    bull("watch", queue)
    bull("work", queue, 1)
    for at in range(5):
        opts = {"delay": 100 + 17 * at}
        for into in (ours, theirs):
            one = (add(engine, queue, "late", {}, opts) if into is ours
                   else bull("add", queue, "late", {}, opts))
            job = bull("completed", queue, [one])["worked"][-1]
            equal(job["id"], one)
            true(0 <= job["late"] < LATE, "%d ms after its time" % job["late"])
            into.append(job["late"])
    return sorted(ours), sorted(theirs)


@test
def delayed_jobs_begin_at_their_time():
    # Redis looks this often in a second whether a blocked client has waited long enough.
    for hz in (10, 100):
        mine = Redis(config=["--hz", str(hz)])
        for engine in both(mine.url):
            for major in real:
                bull = node.Node("bullmq.mjs", major, mine.port)
                ours, theirs = late_by(engine, bull, engine.name)
                bull.close()
                print("    hz %d, %s, %s: %r ms late; BullMQ's own: %r" % (
                    hz, engine.name, major, ours, theirs))
        mine.stop()


main()
