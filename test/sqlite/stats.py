"""redis_stats of a connection: the commands of the day, and a quota of which the log hears once."""

import time

from harness import Redis, contains, equal, main, sqlite, test, true, wait_for

redis = Redis()
wait_for("midnight to be over", lambda: time.time() % 86400 < 86400 - 50)


def stats(shell):
    return dict(row.split("|") for row in shell.run("SELECT name, value FROM redis_stats;").splitlines())


def quota(shell, commands, warning=80):
    shell.run(".log stdout\nSELECT redis_config('daily_quota', %d), redis_config('quota_warning', %d);" % (
        commands, warning))


@test
def the_day_is_counted():
    shell = sqlite.session(redis.url)
    before = int(stats(shell)["commands_today"])
    shell.run("SELECT redis_set('k', 1), redis_get('k');")
    equal(shell.run("SELECT redis_eval('return 1'), redis_eval('return 1'), redis_eval('return 1');"), "1|1|1")
    equal(shell.run("SELECT redis_mset(value, value) FROM json_each('[1,2,3,4]');"), "4")
    equal(shell.run("SELECT redis_pipeline('[[\"PING\"],[\"PING\"],[\"PING\"]]');"),
          '["PONG","PONG","PONG"]')
    seen = stats(shell)
    equal(seen["commands_today"], seen["commands"], "every command, pipelined ones and scripts included")
    true(int(seen["commands_today"]) >= before + 12, repr(seen))
    true("quota" not in seen and "quota_used" not in seen)
    shell.close()


@test
def a_quota_warns_once_and_when_it_is_used_up():
    shell = sqlite.session(redis.url)
    quota(shell, 20, 50)
    said = [shell.run("SELECT redis_get('k');") for _ in range(30)]
    warnings = [text for text in said if "daily_quota" in text]
    equal(len(warnings), 2, repr(said))
    contains(warnings[0], "50 % of daily_quota are used: 10 of 20 commands")
    contains(warnings[1], "daily_quota is used up")
    seen = stats(shell)
    equal((seen["quota"], seen["quota_used"]), ("20", "%.3f" % (int(seen["commands_today"]) / 20)))
    true("errors" in seen and seen["errors"] == "0", "commands are sent all the same")
    shell.close()


@test
def a_commit_that_passes_it_is_none_the_worse():
    shell = sqlite.session(redis.url)
    quota(shell, 5)
    shell.run("CREATE TABLE t (id INTEGER PRIMARY KEY);")
    said = ""
    for i in range(20):
        redis("SET", "t:%d" % i, "old")
        said += shell.run("BEGIN;\nINSERT INTO t VALUES (%d);\nSELECT redis_invalidate('t:%d');\nCOMMIT;" % (i, i))
    equal(said.count("daily_quota is used up"), 1, said)
    equal(redis("KEYS", "t:*"), [])
    equal(shell.run("SELECT count(*) FROM t;"), "20")
    shell.close()


@test
def settings_out_of_range():
    shell = sqlite.session(redis.url)
    for name, value in (("daily_quota", -1), ("quota_warning", 0), ("quota_warning", 101)):
        contains(shell.run("SELECT redis_config('%s', %d);" % (name, value)).lower(), "error")
    shell.close()


main()
