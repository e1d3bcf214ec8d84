"""Random arguments: few keys, shared by all types, and values where bugs live.

An argument is a Python value: None (NULL), str, bytes, int, float, bool, or a list of them for the
kinds that take an array.
"""

import json

KEYS = ["k1", "k2", "a key", "ключ", "it's \"q\"", "", "*"]
BY_COMMAND = (("H", ["hash1", "hash2"]), ("ZR", ["zset1", "zset2"]), ("Z", ["zset1", "zset2", "geo"]),
              ("GEO", ["geo"]), ("X", ["stream"]), ("PF", ["hll1", "hll2"]), ("S", ["set1", "set2"]),
              ("L", ["list1", "list2"]), ("R", ["list1", "list2"]), ("B", ["list1", "list2"]))
STRING_COMMANDS = {"SET", "SETNX", "SETRANGE", "SETBIT", "STRLEN", "RENAME", "BITCOUNT", "SCAN"}
ALL_KEYS = KEYS + sorted({key for _, keys in BY_COMMAND for key in keys})

MEMBERS = ["a", "b", "c", "d", "", "ä€😀", "two words", "1", "-1", "10", "back\\slash", "line\nbreak\r",
           "quote'd \"x\""]
NUMBERS = ["0", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.5", "3.0e3",
           "inf", "-inf", "nan", "-0", " 1", "1e400", "0x10", "007"]
BYTES = [b"\x00", b"\xff\xfe", b"a\x00b", b"\x80abc", "ä".encode()[:1], b"\xf0\x9f\x98", b""]
INTEGERS = [0, 1, 2, 3, 5, -1, -2, -3, 10, 100, -100, 1000, 2147483648, -2147483649,
            9223372036854775807, -9223372036854775808]
DOUBLES = [0.0, 1.0, 2.0, -1.0, 1.5, 0.1, 3.3, 1e20, -1e-7, 1e300, 123456789.123, 5e-324,
           float("inf"), float("-inf"), -0.0, 9007199254740993.0, 2.5, 42]
TTLS = [100, 100.5, 3600, 86400.001, 1e6, 0, -1, 1e14, 9e15]
TIMES = [4102444800, 4102444800.5, 1, 0, -1, 1e12]
PATTERNS = ["*", "k*", "?*", "[abk]*", "*1", "none*", "\\*", "", "h[a-z]s*", "*ö*", "[^k]*"]
IDS = ["0", "-", "+", "0-0", "1-1", "5", "5-2", "9999999999999-5", "18446744073709551615-18446744073709551615",
       "(5-1", "(5", "x", "1-", "-1", "$"]
SCRIPTS = ["return {KEYS[1], ARGV[1]}", "return redis.call('SET', KEYS[1], ARGV[1])",
           "return redis.call('INCR', KEYS[1])", "return redis.error_reply('MINE it is')",
           "return redis.call('LRANGE', KEYS[1], 0, -1)", "return 3.99", "return false", "return nil",
           "return {1, {2, 'x', {}}, false, 'ä'}", "return redis.status_reply('FINE')", "return 'a\\0b'",
           "return redis.pcall('LPUSH', KEYS[1], ARGV[1])", "nonsense", "return #KEYS + 10 * #ARGV",
           "return '\\255'", "return redis.call('HGETALL', KEYS[1])"]
POSITIONS = [(13.361389, 38.115556), (15.087269, 37.502669), (0, 0), (179.9, -85), (15, 37), (-122.5, 37.7),
             (200, 0), (0, 86)]


class Values:
    """The arguments of calls; rng decides. bytes_keys: may a key be bytes (SQLite)?"""

    def __init__(self, rng, bytes_keys):
        self.rng, self.bytes_keys = rng, bytes_keys

    def arguments(self, function):
        """A list of arguments for the function, those left out at the end missing."""
        own = getattr(self, "of_" + function.name, None)
        if own:
            return own()
        out = []
        for arg in function.args:
            if arg.variadic:
                out += self.variadic(function, arg)
            elif arg.optional and self.rng.random() < 0.35:
                out.append(None)
            else:
                out.append(self.one(function, arg))
        while len(out) and out[-1] is None and not function.variadic and \
                function.args[len(out) - 1].optional and self.rng.random() < 0.7:
            out.pop()
        return out

    def variadic(self, function, arg):
        count = self.rng.choice([1, 1, 2, 2, 3, 5])
        if arg.pairs:
            return [self.one(function, arg) for _ in range(2 * min(count, 3))]
        if arg.optional and self.rng.random() < 0.3:
            return []
        return [self.one(function, arg) for _ in range(count)]

    def one(self, function, arg):
        """A value of that argument, rarely NULL."""
        if self.rng.random() < 0.01:
            return None
        particular = getattr(self, "for_" + arg.name, None)
        if particular and arg.kind in ("TEXT", "INTEGER", "DOUBLE"):
            return particular(function)
        return getattr(self, "a_" + arg.kind.lower())(function, arg)

    # ---- by kind ----

    def key(self, function):
        chance = self.rng.random()
        if chance < 0.7:
            word = function.command[0] if function.command else ""
            for prefix, keys in BY_COMMAND:
                if word.startswith(prefix) and word not in STRING_COMMANDS:
                    return self.rng.choice(keys)
            return self.rng.choice(KEYS)
        if chance > 0.97 and self.bytes_keys:
            return self.rng.choice([b"k1", b"\xffkey", b"nul\x00key"])
        return self.rng.choice(ALL_KEYS)

    def a_key(self, function, _arg):
        return self.key(function)

    def a_pattern(self, _function, _arg):
        return self.rng.choice(PATTERNS)

    def a_value(self, _function, _arg):
        chance = self.rng.random()
        if chance < 0.55:
            return self.rng.choice(MEMBERS)
        if chance < 0.7:
            return self.rng.choice(NUMBERS)
        if chance < 0.85:
            return self.rng.choice(BYTES)
        if chance < 0.97:
            return self.rng.choice(INTEGERS + [1.5, -0.25, 100.5])
        return self.rng.choice(["x", "ä", b"\x00"]) * self.rng.choice([100, 5000, 70000])

    def a_text(self, _function, _arg):
        return self.rng.choice(MEMBERS + NUMBERS[:3])

    def a_integer(self, _function, _arg):
        return self.rng.choice(INTEGERS[:9]) if self.rng.random() < 0.7 else self.rng.choice(INTEGERS)

    def a_double(self, _function, _arg):
        return self.rng.choice(DOUBLES)

    def a_ttl(self, _function, _arg):
        return self.rng.choice(TTLS[:5]) if self.rng.random() < 0.8 else self.rng.choice(TTLS)

    def a_at(self, _function, _arg):
        return self.rng.choice(TIMES)

    def a_word(self, _function, arg):
        word = self.rng.choice(arg.words)
        return self.rng.choice([word, word, word.lower(), "nonsense"])

    def a_flag(self, _function, _arg):
        return self.rng.random() < 0.5

    def a_bound(self, _function, _arg):
        if self.rng.random() < 0.5:
            return self.rng.choice(DOUBLES)
        return self.rng.choice(["-inf", "+inf", "inf", "(1", "(1.5", "3", "(-inf", "[1", "x", "", "1e2"])

    def a_json(self, _function, _arg):
        return json.dumps(self.rng.choice([{}, [], ["a"], {"a": 1}]))

    def a_key_list(self, function, _arg):
        return [self.key(function) for _ in range(self.rng.randrange(3))]

    def a_list(self, _function, _arg):
        return [self.rng.choice(MEMBERS) for _ in range(self.rng.randrange(3))]

    # ---- by the name of the argument, where any value of the kind would seldom hit ----

    def for_pattern(self, _function):
        return self.rng.choice(PATTERNS + ["[a-c]", "m1*"])

    def for_type(self, _function):
        return self.rng.choice(["string", "list", "set", "zset", "hash", "stream", "nonsense"])

    def for_id(self, _function):
        return self.rng.choice(IDS)

    for_start_id = for_end_id = for_after_id = for_id

    def for_at(self, _function):  # of a bit: nothing that would allocate half a gigabyte
        return self.rng.choice([0, 1, 7, 8, 100, 5000, -1, 4294967296, 9223372036854775807])

    def for_value(self, function):
        return self.rng.choice([0, 1, 1, 2, -1]) if function.name == "redis_setbit" else self.a_text(None, None)

    def for_start(self, function):
        if function.name == "redis_setrange":
            return self.rng.choice([0, 1, 5, 100, -1, 536870912, 9223372036854775807])
        return self.a_integer(None, None)

    def for_timeout(self, _function):
        return self.rng.choice([0.01, 0.01, 1, -1]) if self.rng.random() < 0.5 else 0.005

    def for_lon(self, _function):
        return self.rng.choice(POSITIONS)[0]

    def for_lat(self, _function):
        return self.rng.choice(POSITIONS)[1]

    def for_radius_m(self, _function):
        return self.rng.choice([0, 1000, 100000, 200000.5, 1e7, 3e7, -1])

    def for_token(self, _function):
        return self.rng.choice(MEMBERS)

    def for_maxlen(self, _function):
        return self.rng.choice([0, 1, 2, 3, 10, -1])

    # ---- functions whose arguments depend on each other ----

    def of_redis_eval(self):
        keys = [self.rng.choice(ALL_KEYS) for _ in range(self.rng.choice([0, 1, 1, 1, 2]))]
        args = [self.rng.choice(MEMBERS) for _ in range(self.rng.choice([0, 1, 1, 2]))]
        if self.rng.random() < 0.05:
            self.rng.choice([keys, args]).append(None)
        return [self.rng.choice(SCRIPTS), keys, args][:self.rng.choice([1, 2, 3, 3, 3])]

    def of_redis_mget_json(self):
        count = self.rng.choice([0, 1, 2, 3, 4, 5, 5, 1000])
        return [self.json([self.rng.choice(ALL_KEYS + [None, 12, 1.50]) for _ in range(count)])]

    def _fields(self):
        """A JSON object as text, its numbers as somebody might write them."""
        members = []
        for _ in range(self.rng.randrange(5)):
            value = self.rng.choice(['"plain"', '"ä \\u00e9 \\ud83d\\ude00 \\n \\""', '"a\\u0000b"', "1", "1.10",
                                     "12345678901234567890", "-0", "1E40", "true", "false", "null", "null",
                                     '[1, {"a": null}]', "{}", '""'])
            members.append("%s%s%s" % (json.dumps(self.rng.choice(MEMBERS)), self.rng.choice([":", " : "]), value))
        return "{%s}" % self.rng.choice([",", ", ", " ,\n"]).join(members)

    def of_redis_hset_json(self):
        return [self.rng.choice(["hash1", "hash2", "k1"]), self._fields()]

    def of_redis_xadd_json(self):
        return [self.rng.choice(["stream", "stream", "k1"]), self._fields()]

    def json(self, value):
        return json.dumps(value, ensure_ascii=self.rng.random() < 0.5)
