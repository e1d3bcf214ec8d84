"""Random calls of every function of the table: a new row is called like the others."""

import json

from .engines import Call
from .values import ALL_KEYS, MEMBERS, Values

# What is no matter of commands and replies, and where else it is tested.
ELSEWHERE = {
    "redis_invalidate": "at commit: test/parity, test/pg, test/sqlite",
    "redis_invalidate_on": "at commit", "redis_invalidate_off": "at commit",
    "redis_invalidations": "at commit", "redis_pending": "at commit", "redis_invalidate_tag": "at commit",
    "redis_invalidate_pattern": "at commit", "redis_on_commit": "at commit", "redis_outbox": "at commit",
    "redis_outbox_drain": "at commit", "redis_cached": "test/coherence", "redis_cache_get": "test/coherence",
    "redis_cache_fill": "test/coherence",
    "redis_health": "about the server: test/parity/operations.sql", "redis_info": "about the server",
    "redis_stats": "about the session", "redis_url": "about the session",
    "redis_version": "about the library", "redis_config": "about the session",
    "redis_grant": "about roles: test/pg", "redis_revoke": "about roles",
    "redis_stats_total": "about all sessions: test/pg", "redis_stats_reset": "about all sessions",
    # no command of Redis that one could compare with
    **dict.fromkeys(("redis_lock", "redis_lock_fence", "redis_xact_lock"), "test/core, test/interop/locks.py"),
    **dict.fromkeys(("redis_rate_limit", "redis_rate_limit_peek", "redis_rate_limit_reset", "redis_rate_limit_override",
                     "redis_rate_limit_tier", "redis_allow"), "test/interop/rate_limits.py"),
    **dict.fromkeys(("redis_idempotent", "redis_idempotent_result", "redis_reserve"), "at commit"),
    **dict.fromkeys(("redis_enqueue", "redis_dequeue", "redis_ack", "redis_nack", "redis_queue_len"),
                    "test/core, test/faults/queue_kills.py"),
    "redis_bullmq_add": "test/interop/bullmq.py",
    **dict.fromkeys(("redis_session_set", "redis_session_get", "redis_session_destroy"), "test/core"),
}
SELDOM = {"redis_flushdb": 0.05, "redis_blpop": 0.3, "redis_brpop": 0.3, "redis_dbsize": 0.3, "redis_ping": 0.2,
          "redis_publish": 0.3}
OFTEN = 3.0  # writes that make what the others read, and what can do anything
MAKERS = {"redis_call", "redis_pipeline", "redis_multi", "redis_eval",
          "redis_set", "redis_hset", "redis_rpush", "redis_lpush", "redis_sadd", "redis_zadd", "redis_xadd",
          "redis_mset", "redis_geoadd", "redis_pfadd"}
# Replies that no two databases share, or that wait, or would end the test.
NOT_IN_PIPELINES = {"SPOP", "SRANDMEMBER", "XADD", "FLUSHDB", "PUBLISH", "SCAN", "HSCAN", "SSCAN", "DBSIZE",
                    "HGETALL", "HKEYS", "HVALS", "SMEMBERS", "SUNION", "SDIFF", "SINTER", "PTTL", "PING"}
CANNED = [words.split() for words in (
    "GET", "NOSUCHCOMMAND x", "OBJECT ENCODING none", "ECHO ä", "LRANGE list1 0", "GEOPOS geo a b 1",
    "XRANGE stream - + COUNT 3", "XREAD STREAMS stream hash1 0 0", "SMISMEMBER set1 a b",
    "BITFIELD k1 INCRBY i5 100 1 GET u4 0", "LMPOP 2 list1 list2 LEFT COUNT 3", "ZMSCORE zset1 a b",
    "SORT list1 ALPHA", "GETSET k1 new", "LPOS list1 a COUNT 0", "ZADD zset1 INCR 1 a", "XADD stream 5-* a b",
    "ZRANGE zset1 0 -1 WITHSCORES", "EXPIRE k2 100 NX", "INCRBY n 4503599627370497", "OBJECT FREQ k1", "SET k1 x GET", "GETEX k2 PERSIST")]


class Generator:
    def __init__(self, rng, functions, engine, model):
        self.rng, self.engine, self.model = rng, engine, model
        self.values = Values(rng, engine.bytes_keys)
        self.functions = [f for f in functions if engine.can(f) and f.name not in ELSEWHERE]
        self.weights = [SELDOM.get(f.name, OFTEN if f.name in MAKERS else 1) for f in self.functions]
        self.first = rng.sample(self.functions, len(self.functions))  # each once, then at random
        self.plain = [f for f in functions if f.plain and f.command and not f.aggregate and not f.engine
                      and f.command[0] not in NOT_IN_PIPELINES]

    def __call__(self):
        function = self.first.pop() if self.first else self.rng.choices(self.functions, self.weights)[0]
        own = getattr(self, function.name, None)
        if own:
            return own(function)
        if function.aggregate or function.window:
            return self.over_rows(function)
        return self.dressed(Call(function, self.values.arguments(function)))

    def dressed(self, call):
        """The same call as other people write it."""
        rng, function, pg = self.rng, call.function, self.engine.name == "PostgreSQL"
        if pg and len([arg for arg in function.args if arg.kind == "VALUE"]) > 1:
            self.of_one_type(call)
        if pg and function.binary and rng.random() < (1 if function.name in ("redis_spop", "redis_srandmember")
                                                      else 0.6):
            call.twin = True
        if not pg:
            call.args = [self.number_as_written(call.argument(i), value) for i, value in enumerate(call.args)]
        if pg and function.variadic:
            rest = call.args[len(function.args) - 1:]
            call.array = all(isinstance(v, str) for v in rest) and rng.random() < 0.3
            if call.array and rng.random() < 0.1:
                call.args.insert(rng.randrange(len(function.args) - 1, len(call.args) + 1), None)
        elif pg:
            call.named = rng.random() < 0.2
        if function.shape == "ROWS" and rng.random() < 0.15:
            call.limit = rng.choice([1, 2, 5])
            call.listed = pg and rng.random() < 0.5 and function.read
        if function.shape == "ROWS" and not call.listed and rng.random() < 0.15:
            call.beside = rng.choice(ALL_KEYS)
        if not pg and function.name == "redis_mget":
            call.lookup = call.limit is None and call.beside is None and all(isinstance(v, str) for v in call.args) and \
                rng.random() < 0.4
        return call

    def number_as_written(self, arg, value):
        """SQLite takes a number for an integer argument however it is written."""
        if arg.kind == "INTEGER" and isinstance(value, int) and self.rng.random() < 0.1:
            return self.rng.choice([str(value), float(value) if abs(value) < 2 ** 53 else value])
        return value

    @staticmethod
    def of_one_type(call):
        """PostgreSQL has two values of one type, whatever it is, or texts in their place."""
        typed = {type(value) for value in call.args[1:] if isinstance(value, (bytes, int, float))}
        if len(typed) > 1:
            call.args = [str(v) if isinstance(v, (int, float)) else v for v in call.args]

    def over_rows(self, function):
        rows = []
        for _ in range(self.rng.choice([1, 2, 5, 20]) if self.rng.random() < 0.97 else 2500):
            row = [self.values.one(function, arg) for arg in function.args if not arg.optional]
            if isinstance(row[0], bytes):
                row[0] = "k1"
            rows.append(row)
        if any(arg.optional for arg in function.args) and self.rng.random() < 0.4:
            for row in rows:
                row.append(self.rng.choice([None, 100, 3600.5, 60] * 3 + ([-1] if len(rows) < 6 else [])))
        for i in range(1, len(rows[0])):  # one type a column
            if len({type(row[i]) for row in rows if row[i] is not None}) > 1 and i == 1:
                for row in rows:
                    if row[i] is not None and not isinstance(row[i], bytes):
                        row[i] = str(row[i])
        twin = self.engine.name == "PostgreSQL" and function.binary and self.rng.random() < 0.6
        return Call(function, None, rows, twin=twin)

    # ---- any command ----

    def command(self):
        """The words of a random plain command, as texts."""
        while True:
            if self.rng.random() < 0.25:
                return list(self.rng.choice(CANNED))
            function = self.rng.choice(self.plain)
            args = self.values.arguments(function)
            call = Call(function, args)
            if self.model.is_null(call) or self.model.refused(call):
                continue
            try:
                words = [w.decode() if isinstance(w, bytes) else str(w)
                         for w in self.model.words(function, args)]
            except UnicodeDecodeError:
                continue
            if not any("\0" in word for word in words):
                return words

    def redis_call(self, function):
        words = self.command()
        if self.rng.random() < 0.05:
            words[self.rng.randrange(len(words))] = None
        return Call(function, words, array=self.engine.name == "PostgreSQL" and len(words) > 1 and
                    self.rng.random() < 0.3)

    def of_large(self, key, size):
        """A call that reads a key with that many elements, 0 to size - 1 or that many ids."""
        letter = {"list1": "L", "set1": "S", "zset1": "Z", "hash1": "H", "stream": "X"}[key]
        function = self.rng.choice([
            f for f in self.functions if f.read and f.shape == "ROWS" and f.args and f.args[0].kind == "KEY"
            and f.command[0].startswith(letter) and f.command[0] != "SCAN"])
        call = self.dressed(Call(function, self.values.arguments(function)))
        if call.lookup or not call.args:
            return call
        call.args[0] = key
        for i, value in enumerate(call.args[1:], 1):
            arg = call.argument(i)
            if value is None:
                continue
            if arg.kind == "INTEGER":
                call.args[i] = self.rng.choice([0, -1, 1, 998, 999, 1000, 1001, 1002, 2000, 2001, -1000, -1001,
                                                size - 1, size, -size, self.rng.randrange(-size, size)])
            elif arg.kind == "BOUND":
                half = (i - 1) * size // 8  # the lower and the upper half of the scores
                at = half + self.rng.choice([0, 1, 3, self.rng.randrange(size // 8), 2.5])
                end = float("inf" if i > 1 else "-inf")
                call.args[i] = self.rng.choice([end, end, "(%g" % at, at, at])
            elif arg.name.endswith("_id"):
                call.args[i] = self.rng.choice(["-", "+", "0", "%d-%d" % (self.rng.randrange(size // 3), 1),
                                                "%d" % self.rng.randrange(size // 3), "(5-1"])
        if call.limit is not None:
            call.limit = self.rng.choice([3, 999, 1000, 1001, 1500])
        return call

    def many(self, function):
        commands = [self.command() for _ in range(self.rng.choice([0, 1, 2, 3, 3, 10]))]

        def element(word):
            plain_number = word.lstrip("-").isdigit() and (word == "0" or word.lstrip("-")[0] != "0")
            return word if plain_number and self.rng.random() < 0.5 else \
                json.dumps(word, ensure_ascii=self.rng.random() < 0.5)
        text = "[%s]" % ", ".join("[%s]" % ",".join(map(element, words)) for words in commands)
        return Call(function, [text], commands=commands)

    redis_multi = many

    def redis_pipeline(self, function):
        call = self.many(function)
        call.args += self.rng.choice([[], [None], ["return"], ["return"], ["raise"]])
        return call

    def redis_lock_extend(self, function):
        return Call(function, [self.rng.choice(ALL_KEYS), self.rng.choice(MEMBERS),
                               self.rng.choice([100, 1000.25])])
