"""The functions that are more than one plain command: what redis-cli is asked for them."""

import json

from . import cli
from .engines import Text
from .model import Model, NotUtf8, as_bytes, as_json

IF_HELD = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call(%s) else return 0 end"


def written(text):
    """A JSON document whose numbers stay as they are written; objects as lists of pairs."""
    def word(value):
        return ("word", value)
    return json.loads(text, parse_int=word, parse_float=word, object_pairs_hook=lambda pairs: ("object", pairs))


class Reference(Model):
    """A Model of every function. unsure: the states may differ now, for a reason."""

    unsure = False

    def key(self, key):
        return self.prefix + as_bytes(key)

    # ---- ranges and streams: one command where the library fetches pages ----

    def _range(self, call, length, *options):
        key, start, stop = (list(call.args[:3]) + [None, None])[:3]
        start, stop = 0 if start is None else int(start), -1 if stop is None else int(stop)
        reply = self.ask(call.function.command[0], self.key(key), start, stop, *options)
        if isinstance(reply, cli.Error) or not reply:
            return reply, 0
        return reply, start if start >= 0 else max(0, start + self.ask(length, self.key(key)))

    def redis_lrange(self, call, _got):
        reply, first = self._range(call, "LLEN")
        if isinstance(reply, cli.Error):
            return self.error(reply)
        return "rows", [(first + i, self.text(item, call.twin)) for i, item in enumerate(reply)]

    def redis_zrange(self, call, _got):
        rev = len(call.args) > 3 and call.args[3]
        reply, first = self._range(call, "ZCARD", *(["REV"] if rev else []), "WITHSCORES")
        if isinstance(reply, cli.Error):
            return self.error(reply)
        return "rows", [(first + i, self.text(member, call.twin), float(score))
                        for i, (member, score) in enumerate(zip(reply[::2], reply[1::2]))]

    @staticmethod
    def _most(call, at):
        given = call.args[at] if len(call.args) > at else None
        return None if given is None else int(given)

    def _limited(self, call, words, rows_at, limit):
        """words with the limit behind them; no rows when it is none or less."""
        most = self._most(call, rows_at)
        if most is not None and most <= 0:
            return []
        return self.ask(*words, *([] if most is None else limit + [most]))

    def _rows_of(self, call, reply):
        if isinstance(reply, cli.Error):
            return self.error(reply)
        return "rows", self.rows(call, reply)

    def redis_zrangebyscore(self, call, _got):
        bounds = [self.word(arg, value) for arg, value in zip(call.function.args[1:3], call.args[1:3])]
        return self._rows_of(call, self._limited(
            call, ["ZRANGEBYSCORE", self.key(call.args[0]), *bounds, "WITHSCORES"], 3, ["LIMIT", 0]))

    def redis_xrange(self, call, _got):
        first, last = [given if given is not None else default for given, default in zip(
            (list(call.args[1:3]) + [None, None])[:2], "-+")]
        return self._rows_of(call, self._limited(
            call, ["XRANGE", self.key(call.args[0]), first, last], 3, ["COUNT"]))

    def redis_xread(self, call, _got):
        most = self._most(call, 2)
        if most is not None and most <= 0:
            return "rows", []
        reply = self.ask("XREAD", *([] if most is None else ["COUNT", most]), "STREAMS",
                         self.key(call.args[0]), call.args[1])
        if isinstance(reply, list):
            reply = reply[0][1]
        return self._rows_of(call, reply)

    # ---- scans ----

    def _scan(self, command, key, options):
        cursor, found = b"0", []
        while True:
            reply = self.ask(command, *key, cursor, *options, "COUNT", 5000)
            if isinstance(reply, cli.Error):
                return reply
            found += reply[1]
            cursor = reply[0]
            if cursor == b"0":
                return found

    def redis_scan(self, call, _got):
        pattern, kind = (list(call.args) + [None, None])[:2]
        options = []
        if pattern is not None or self.prefix:
            options += ["MATCH", self.word(call.function.args[0], "*" if pattern is None else pattern)]
        reply = self._scan("SCAN", [], options + ([] if kind is None else ["TYPE", kind]))
        if isinstance(reply, list):
            reply = [key[len(self.prefix):] for key in reply]
        return self._rows_of(call, reply)

    def redis_hscan(self, call, _got):
        pattern = call.args[1] if len(call.args) > 1 else None
        return self._rows_of(call, self._scan(call.function.command[0], [self.key(call.args[0])],
                                              [] if pattern is None else ["MATCH", pattern]))

    redis_sscan = redis_hscan

    # ---- many at once ----

    def _values(self, keys):
        """An iterator over the values of those that are not NULL."""
        return iter(self.redis.many([["MGET", self.key(key)] for key in keys if key is not None]))

    def _mget(self, call, keys):
        values = self._values(keys)
        rows = [(None, None) if key is None else
                (self.text(as_bytes(key)), self.text(next(values)[0], call.twin)) for key in keys]
        return "rows", sorted({row for row in rows if row[0] is not None}) if call.lookup else rows

    def redis_mget(self, call, _got):
        return self._mget(call, call.args)

    def redis_mget_json(self, call, _got):
        keys = written(call.args[0])
        return self._mget(call, [key[1] if isinstance(key, tuple) else key for key in keys])

    def redis_hmget(self, call, _got):
        fields = [field for field in call.args[1:] if field is not None]
        reply = self.ask("HMGET", self.key(call.args[0]), *map(as_bytes, fields)) if fields else []
        if isinstance(reply, cli.Error):
            return self.error(reply)
        values = iter(reply)
        return "rows", [(None, None) if field is None else
                        (self.text(as_bytes(field)), self.text(next(values), call.twin))
                        for field in call.args[1:]]

    def redis_get_batch(self, call, _got):
        values = self._values([key for key, in call.rows])
        return "rows", [(None if key is None else self.text(next(values)[0], call.twin),)
                        for key, in call.rows]

    def _each(self, call, commands):
        """An aggregate's commands. After a failure it is a matter of time which others were sent."""
        self.sent = commands[-3:]
        replies = self.redis.many(commands)
        failed = [reply for reply in replies if isinstance(reply, cli.Error)]
        if failed:
            self.unsure = True
            return self.error(failed[0])
        return "value", sum(reply if isinstance(reply, int) else 1 for reply in replies)

    def redis_mset(self, call, _got):
        return self._each(call, [self.words(call.function, row) for row in call.rows
                                 if row[0] is not None and row[1] is not None])

    def redis_del_agg(self, call, _got):
        return self._each(call, [["DEL", self.key(key)] for key, in call.rows if key is not None])

    def _replies(self, replies, wanted="raise"):
        """The first that failed is named, or, before it, the first that no JSON can hold."""
        for i, reply in enumerate(replies):
            word, part = "encoding", ""
            if isinstance(reply, cli.Error):
                if wanted == "return":
                    continue
                word, part = self.error(reply)[1:]
            elif not self.unreadable(reply):
                continue
            return "error", word, "command %d of %d" % (i + 1, len(replies)), part
        return "value", self.json(replies)

    @staticmethod
    def unreadable(reply):
        try:
            as_json(reply)
        except NotUtf8:
            return True
        return False

    def redis_pipeline(self, call, _got):
        self.sent += call.commands
        return self._replies(self.redis.many(call.commands), call.args[1] if len(call.args) > 1 else "raise")

    def redis_multi(self, call, _got):
        if not call.commands:
            return "value", self.json([])
        self.sent += call.commands
        replies = self.redis.transaction(call.commands)
        if isinstance(replies[-1], cli.Error):
            return "error", None, str(next(r for r in replies if isinstance(r, cli.Error)))[:150]
        if any(isinstance(reply, cli.Error) for reply in replies[-1]):  # Redis's own errors come first
            return self._replies([None if self.unreadable(reply) else reply for reply in replies[-1]])
        return self._replies(replies[-1])

    # ---- JSON, scripts, anything ----

    def _members(self, text):
        """The fields and values of a JSON object, null ones left out."""
        words = []
        for name, value in written(text)[1]:
            if value is None:
                continue
            if isinstance(value, bool):
                value = "true" if value else "false"
            elif isinstance(value, tuple) and value[0] == "word":
                value = value[1]
            elif not isinstance(value, str):  # as it is written
                value = '[1, {"a": null}]' if isinstance(value, list) else "{}"
            words += [name, value]
        return words

    def redis_hset_json(self, call, _got):
        words = self._members(call.args[1])
        if not words:
            return "value", 0
        reply = self.ask("HSET", self.key(call.args[0]), *words)
        return self.error(reply) if isinstance(reply, cli.Error) else ("value", reply)

    def _xadd(self, call, got, words):
        made = got[1].decode() if got[0] == "value" and got[1] is not None else "*"
        reply = self.ask("XADD", self.key(call.args[0]), made, *words)
        return self.error(reply) if isinstance(reply, cli.Error) else ("value", Text(reply))

    def redis_xadd_json(self, call, got):
        words = self._members(call.args[1])
        return self._xadd(call, got, words) if words else ("value", None)

    def redis_xadd(self, call, got):
        return self._xadd(call, got, [as_bytes(value) for value in call.args[1:]])

    def redis_eval(self, call, _got):
        script, keys, args = (list(call.args) + [None, None])[:3]
        keys, args = keys or [], args or []
        for name, given in (("keys", keys), ("args", args)):
            if None in given:
                return "error", "invalid", name
        reply = self.ask("EVAL", script, len(keys), *map(self.key, keys), *args)
        return self.error(reply) if isinstance(reply, cli.Error) else ("value", self.json(reply))

    def redis_call(self, call, _got):
        reply = self.ask(*map(as_bytes, call.args))
        return self.error(reply) if isinstance(reply, cli.Error) else ("value", self.json(reply))

    # ---- what is random, waits, or is made by the clock ----

    def _popped(self, call, reply):
        if isinstance(reply, cli.Error):
            return self.error(reply)
        return "value", self.text(reply[1] if reply else None, call.twin)

    def redis_blpop(self, call, _got):
        return self._popped(call, self.ask(*self.words(call.function, call.args)))

    redis_brpop = redis_blpop

    def _chosen(self, call, got, confirm):
        """A random member: any will do that is there."""
        if got[0] == "value" and got[1] is not None:
            if self.ask(confirm, self.key(call.args[0]), bytes(got[1])) == 1:
                return "value", self.text(bytes(got[1]), call.twin)
            return "value", "a member of the set"
        reply = self.ask(call.function.command[0], self.key(call.args[0]))
        return self.error(reply) if isinstance(reply, cli.Error) else ("value", self.text(reply, call.twin))

    def redis_spop(self, call, got):
        return self._chosen(call, got, "SREM")

    def redis_srandmember(self, call, got):
        return self._chosen(call, got, "SISMEMBER")

    def redis_unlock(self, call, _got):
        reply = self.ask("EVAL", IF_HELD % "'del', KEYS[1]", 1, self.key(call.args[0]), call.args[1])
        return self.error(reply) if isinstance(reply, cli.Error) else ("value", bool(reply))

    def redis_lock_extend(self, call, _got):
        reply = self.ask("EVAL", IF_HELD % "'pexpire', KEYS[1], ARGV[2]", 1, self.key(call.args[0]),
                         call.args[1], int(call.args[2] * 1000))
        return self.error(reply) if isinstance(reply, cli.Error) else ("value", bool(reply))

