"""Are two answers, and two databases, the same?"""

import json
import math
from collections import Counter

from .engines import Json, Text

UNORDERED = {"redis_hgetall", "redis_hkeys", "redis_hvals", "redis_smembers", "redis_sinter", "redis_sunion",
             "redis_sdiff"}
SCANS = {"redis_scan", "redis_hscan", "redis_sscan"}  # unordered, and a row may come twice
NO_TEXT = ("encoding", "22P05")  # PostgreSQL tells a NUL byte from other bytes that are no text
TTL_TOLERANCE = 20.0  # seconds; expiries that matter are a hundred at least


def canonical(value):
    """Comparable and hashable, and different whenever the values are: -0.0 is not 0.0, nor text bytes."""
    if isinstance(value, Json):
        return "json", repr(json.loads(value, object_pairs_hook=tuple, parse_float=str))
    if isinstance(value, float):
        return "double", value, math.copysign(1, value)
    return type(value).__name__, value


def rows_differ(name, got, expected, limit):
    got, expected = ([tuple(map(canonical, row)) for row in rows] for rows in (got, expected))
    if limit is not None and len(got) > limit:
        return True
    if name in SCANS:
        return not set(got) <= set(expected) or \
            (len(set(got)) < len(set(expected)) if limit is None else len(got) < min(limit, len(set(expected))))
    if name in UNORDERED:
        return bool(Counter(got) - Counter(expected)) or \
            len(got) != (len(expected) if limit is None else min(limit, len(expected)))
    return got != (expected if limit is None else expected[:limit])


def differ(call, got, expected):
    """Is this not the answer that was expected?"""
    name = call.function.name
    if expected[0] == "error":
        if expected[1] == "encoding" and call.limit is not None and got[0] != "error":
            return False  # the row that cannot be text may lie beyond the LIMIT
        if expected[1] == "encoding":
            return got[0] != "error" or got[1] not in NO_TEXT
        return got[0] != "error" or expected[1] not in (None, got[1]) or \
            not all(part.lower() in got[2].lower() for part in expected[2:])
    if got[0] == "error":
        return True
    if call.listed:
        return got[1] > len(expected[1]) and name not in SCANS or \
            got[1] < min(call.limit, len(set(map(repr, expected[1]))))
    if expected[0] == "rows":
        if call.lookup:
            got = ("rows", sorted(got[1]))
        return got[0] != "rows" or rows_differ(name, got[1], expected[1], call.limit)
    if call.function.shape == "SECONDS" and isinstance(expected[1], float) and expected[1] > 0:
        return not isinstance(got[1], float) or abs(got[1] - expected[1]) > TTL_TOLERANCE
    return canonical(got[1]) != canonical(expected[1])


# ---- states ----

READERS = {"string": ("GET",), "list": ("LRANGE", 0, -1), "set": ("SMEMBERS",), "hash": ("HGETALL",),
           "zset": ("ZRANGE", 0, -1, "WITHSCORES"), "stream": ("XRANGE", "-", "+")}


def state(client):
    """{key: (type, content, ms to live)} of the client's database."""
    cursor, keys = b"0", set()
    while True:
        cursor, page = client("SCAN", cursor, "COUNT", 1000)
        keys |= set(page)
        if cursor == b"0":
            break
    found = {}
    for key in keys:
        kind = client("TYPE", key)
        if kind == "none":  # it expired meanwhile
            continue
        reader = READERS[kind]
        content = client(reader[0], key, *reader[1:])
        if kind == "set":
            content = sorted(content)
        elif kind == "hash":
            content = sorted(zip(content[::2], content[1::2]))
        elif kind == "stream":
            about = client("XINFO", "STREAM", key)
            content = (content, about[about.index(b"last-generated-id") + 1])
        found[key] = (kind, content, client("PTTL", key))
    return found


def states_differ(engine, reference):
    """What is different, in words; "" when nothing is."""
    out = []
    for key in sorted(set(engine) | set(reference)):
        ours, theirs = engine.get(key), reference.get(key)
        if ours is None or theirs is None:
            out.append("%r: only %s has it: %.300r" % (key, "redis-cli" if ours is None else "the engine",
                                                      ours or theirs))
        elif ours[:2] != theirs[:2]:
            out.append("%r: engine %.600r\n   redis-cli %.600r" % (key, ours, theirs))
        elif (ours[2] < 0 or theirs[2] < 0) and ours[2] != theirs[2] or \
                abs(ours[2] - theirs[2]) > TTL_TOLERANCE * 1000:
            out.append("%r: expires in %d and %d ms" % (key, ours[2], theirs[2]))
    return "\n".join(out)


__all__ = ["Text", "differ", "state", "states_differ"]
