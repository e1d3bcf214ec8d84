"""What breaks. A fault begins, lasts, and ends; lossy ones take from Redis what it had acknowledged, so that
plain keys and commands are promised nothing any more in that round. Coherent entries are.
"""

import os
import signal
import time

from harness import Redis, wait_for
from harness.proxy import Proxy

KINDS = []


def fault(engine=None, lossy=False, weight=2, group="redis"):
    """engine: the one it needs, or None. Two of one group do not happen at once."""
    def mark(kind):
        kind.engine, kind.lossy, kind.weight = engine, lossy, weight
        kind.group, kind.name = engine or group, kind.__name__
        KINDS.append(kind)
        return kind
    return mark


class Fault:
    """world: campaign.World. rng: for whom it hits."""

    def __init__(self, world, rng):
        self.world, self.rng = world, rng

    def begin(self):
        pass

    def end(self):
        pass

    def proxies(self):
        return self.rng.choice([list(self.world.proxies.values())] +
                               [[proxy] for proxy in self.world.proxies.values()])


# ---- between the database and Redis


@fault(group="net")
class Delay(Fault):
    def begin(self):
        high = self.rng.choice([0.005, 0.05, 0.4])
        for proxy in self.world.proxies.values():
            proxy.delay(0, high)

    def end(self):
        for proxy in self.world.proxies.values():
            proxy.delay()


@fault(group="net")
class Cut(Fault):
    def begin(self):
        for proxy in self.proxies():
            proxy.cut()


@fault(group="net")
class Unreachable(Fault):
    def begin(self):
        for proxy in self.proxies():
            proxy.down()

    def end(self):
        for proxy in self.world.proxies.values():
            proxy.up()


@fault(group="net")
class RepliesLost(Fault):
    """What was asked is done; nobody hears of it."""

    def begin(self):
        for proxy in self.proxies():
            proxy.lose(self.rng.choice([0, 3, 40]))


@fault(group="net")
class RepliesDropped(Fault):
    def begin(self):
        for proxy in self.proxies():
            proxy.swallow()

    def end(self):
        for proxy in self.world.proxies.values():
            proxy.release()


@fault(group="net")
class RepliesHeld(Fault):
    def begin(self):
        for proxy in self.proxies():
            proxy.hold()

    def end(self):
        for proxy in self.world.proxies.values():
            proxy.release()


@fault(group="net")
class RequestsHeld(Fault):
    """What was asked arrives late, after those who asked have given up."""

    def begin(self):
        for proxy in self.proxies():
            proxy.block()

    def end(self):
        for proxy in self.world.proxies.values():
            proxy.unblock()


# ---- Redis


@fault()
class RedisFrozen(Fault):
    def begin(self):
        self.world.redis.freeze()

    def end(self):
        self.world.redis.thaw()


@fault()
class RedisKilled(Fault):
    """Everything it acknowledged is in its append-only file."""

    def begin(self):
        self.world.redis.kill()

    def end(self):
        self.world.redis.start()


@fault(lossy=True)
class RedisRestored(Fault):
    """Killed, and started from a copy of its files that was taken some time before."""

    def begin(self):
        self.world.copy_redis()

    def end(self):
        self.world.redis.kill()
        self.world.put_back_redis()
        self.world.redis.start()


@fault(lossy=True)
class Failover(Fault):
    """A replica falls behind, what was deleted meanwhile is still there on it, and it is promoted."""

    link = replica = None

    def begin(self):
        master = self.world.redis
        self.link = Proxy(master)
        self.replica = Redis(config=self.world.redis_config +
                             ["--replicaof", "127.0.0.1 %d" % self.link.port])
        wait_for("the replica", lambda: b"master_link_status:up" in self.replica("INFO", "replication"))
        time.sleep(0.05)
        self.link.hold()

    def end(self):
        world, old = self.world, self.world.redis
        for proxy in world.proxies.values():
            proxy.down()
        self.link.down()
        self.link.close()
        self.replica("REPLICAOF", "NO", "ONE")
        self.replica.config = list(world.redis_config)  # also when it is started again
        world.redis = self.replica
        for proxy in world.proxies.values():
            proxy.redirect(self.replica)
            proxy.up()
        old.kill()


@fault(lossy=True, weight=1)
class FlushAll(Fault):
    def begin(self):
        self.world.redis("FLUSHALL")


@fault(weight=1)
class ScriptFlush(Fault):
    def begin(self):
        self.world.redis("SCRIPT", "FLUSH")


@fault(weight=1)
class ClientsKilled(Fault):
    def begin(self):
        self.world.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


class Configured(Fault):
    settings = ()

    def begin(self):
        for name, value in self.settings:
            self.world.redis("CONFIG", "SET", name, value)

    def end(self):
        for name, value in (("maxmemory", "0"), ("maxmemory-policy", "noeviction"),
                            ("min-replicas-to-write", "0")):
            self.world.redis("CONFIG", "SET", name, value)


@fault(lossy=True)
class Evicting(Configured):
    def begin(self):
        used = self.world.redis("INFO", "memory").decode().split("used_memory:")[1].split("\r")[0]
        self.settings = (("maxmemory-policy", "allkeys-random"), ("maxmemory", int(used)))
        super().begin()


@fault(weight=1)
class Full(Configured):
    settings = (("maxmemory", 1),)


@fault(weight=1)
class WritesRefused(Configured):
    settings = (("min-replicas-to-write", 1),)


# ---- processes of the database


class Backend(Fault):
    pid = None

    def choose(self, engine):
        pids = self.world.backends(engine)
        self.pid = self.rng.choice(pids) if pids else None

    def signal(self, number):
        if self.pid is not None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                self.pid = None


@fault("pg", weight=1)
class BackendKilled(Backend):
    """PostgreSQL ends every session and recovers."""

    def begin(self):
        self.choose("pg")
        self.signal(signal.SIGKILL)


@fault("pg")
class BackendFrozen(Backend):
    """Also for longer than a lease lasts."""

    def begin(self):
        self.choose("pg")
        self.signal(signal.SIGSTOP)

    def end(self):
        self.signal(signal.SIGCONT)


@fault("pg", weight=3)
class BackendTerminated(Backend):
    def begin(self):
        self.choose("pg")
        self.signal(signal.SIGTERM)


@fault("pg")
class BackendCancelled(Backend):
    def begin(self):
        self.choose("pg")
        self.signal(signal.SIGINT)


@fault("pg", weight=1)
class WorkerTerminated(Fault):
    """sqlredis's own processes, where there are any."""

    def begin(self):
        try:
            self.world.pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              "WHERE backend_type LIKE 'sqlredis%'")
        except Exception as error:  # pylint: disable=broad-except
            self.world.events("note", str(error))


@fault("pg", weight=1)
class PostgresCrashed(Fault):
    """Stopped at once and started again."""

    def begin(self):
        self.world.pg.crash()

    def end(self):
        self.world.pg.start()


@fault("sqlite", weight=4)
class ProcessKilled(Backend):
    def begin(self):
        self.choose("sqlite")
        self.signal(signal.SIGKILL)


@fault("sqlite")
class ProcessFrozen(Backend):
    def begin(self):
        self.choose("sqlite")
        self.signal(signal.SIGSTOP)

    def end(self):
        self.signal(signal.SIGCONT)


def draw(rng, engines, lossy_allowed, wanted=None, without=()):
    """A kind, by weight."""
    kinds = [k for k in KINDS if (k.engine is None or k.engine in engines) and
             (lossy_allowed or not k.lossy) and (wanted is None or k.name in wanted) and
             k.group not in without]
    return rng.choices(kinds, [k.weight for k in kinds])[0] if kinds else None
