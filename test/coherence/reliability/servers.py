"""What Redis may do to what it acknowledged: come back from an older copy, be replaced by a replica that had not
heard of a deletion, refuse, forget. Entries are void then; no read gives the past. In both engines."""

import os
import shutil

from coherence.places import ENGINES, Place, drained, places
from coherence.sessions import literal
from harness import Proxy, Redis, equal, main, temp_dir, test, true, wait_for

def files(redis):
    return [os.path.join(redis.directory, name) for name in os.listdir(redis.directory)
            if name not in ("redis.sock", "redis.log")]


@test
def restored_from_an_older_copy():
    redis = Redis(config=["--appendonly", "yes", "--appendfsync", "no"])
    copy = temp_dir("copy")
    for place in places(redis):
        version = place.filled()
        for path in files(redis):
            shutil.copytree(path, os.path.join(copy, os.path.basename(path)), dirs_exist_ok=True)
        equal(place.write(), False)
        redis.kill()
        for path in files(redis):
            shutil.rmtree(path)
        for name in os.listdir(copy):
            shutil.copytree(os.path.join(copy, name), os.path.join(redis.directory, name))
        redis.start()
        true(redis("KEYS", "*item:1:sqlredis*"), "the old entry is not there again: nothing is tested")
        equal(wait_for("a read", lambda p=place: p.read()), version + 1, place.engine)
        redis("FLUSHALL")


def replica_of(port):
    replica = Redis(config=["--replicaof", "127.0.0.1 %d" % port, "--repl-diskless-sync-delay", "0"])
    follow(replica)
    return replica


def follow(replica):
    wait_for("the replica", lambda: b"master_link_status:up" in replica("INFO", "replication"))


def switch(place, redis):
    place.proxy.down()
    place.proxy.redirect(redis)
    place.proxy.up()


@test
def promoted_with_a_lost_deletion():
    for engine in ENGINES:
        master = Redis(config=["--repl-diskless-sync-delay", "0"])
        link = Proxy(master)
        place = Place(engine, master)
        replica = replica_of(link.port)
        version = place.filled()
        wait_for("the entry on the replica", lambda: replica("KEYS", "*item:1:sqlredis*"))
        link.hold()
        equal(place.write(), False, engine)
        link.down()
        link.close()
        replica("REPLICAOF", "NO", "ONE")
        switch(place, replica)
        true(replica("KEYS", "*item:1:sqlredis*"), "the old entry is not there: nothing is tested")
        equal(place.read(), version + 1, engine)
        place.end()
        master.kill()
        replica.kill()


@test
def to_a_replica_and_back():
    """The first server again, by its run_id, with what had been deleted."""
    for engine in ENGINES:
        first = Redis(config=["--repl-diskless-sync-delay", "0"])
        link = Proxy(first)
        place = Place(engine, first)
        second = replica_of(link.port)
        version = place.filled()
        wait_for("the entry on the replica", lambda: second("KEYS", "*item:1:sqlredis*"))
        link.hold()
        equal(place.write(), False, engine)
        link.down()
        link.close()
        second("REPLICAOF", "NO", "ONE")
        place.proxy.down()
        first("REPLICAOF", "127.0.0.1", second.port)
        follow(first)
        first("REPLICAOF", "NO", "ONE")
        place.proxy.up()
        true(first("KEYS", "*item:1:sqlredis*"), "the old entry is not there: nothing is tested")
        equal(place.read(), version + 1, engine)
        place.end()
        first.kill()
        second.kill()


@test
def who_refuses_invalidations_gives_no_hits():
    redis = Redis()
    for place in places(redis):
        version = place.filled()
        redis("CONFIG", "SET", "min-replicas-to-write", 1)
        try:
            equal(place.write(), True, place.engine)
            equal(place.read(), version + 1, place.engine)
        finally:
            redis("CONFIG", "SET", "min-replicas-to-write", 0)


@test
def a_demoted_server_gives_no_hits():
    redis = Redis()
    for place in places(redis):
        version = place.filled()
        redis("CONFIG", "SET", "replica-serve-stale-data", "yes")
        redis("REPLICAOF", "127.0.0.1", 1)  # nobody there: it keeps what it has
        equal(place.write(), True, place.engine)
        equal(place.read(), version + 1, place.engine)
        redis("REPLICAOF", "NO", "ONE")
        redis("FLUSHALL")


@test
def flushed_and_scripts_forgotten():
    redis = Redis()
    for place in places(redis):
        version = place.filled()
        redis("FLUSHALL")
        equal(place.read(), version)
        redis("SCRIPT", "FLUSH")
        redis("FLUSHALL")
        equal(place.read(), version)
        true(place.is_hit(), "%s: no hit after SCRIPT FLUSH" % place.engine)
        place.session.run("BEGIN")
        place.session.value("SELECT redis_on_commit('SET', 'told', 'yes')")
        redis("SCRIPT", "FLUSH")
        place.session.run("COMMIT")
        equal(redis("GET", "told"), b"yes", place.engine)


@test
def evicting_everything():
    """Every write evicts something: leases, entries, tag records. Slower, never wrong."""
    redis = Redis()
    for place in places(redis):
        used = int(redis("INFO", "memory").decode().split("used_memory:")[1].split("\r")[0])
        redis("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", used)
        for version in range(2, 20):
            place.write()
            equal(place.read(), version, place.engine)
        redis("CONFIG", "SET", "maxmemory", 0)


@test
def the_reply_is_lost_after_the_deletion():
    redis = Redis()
    for place in places(redis):
        version = place.filled()
        place.proxy.swallow()
        equal(place.write(), True, place.engine)
        place.proxy.release()
        place.proxy.cut()
        equal(place.read(), version + 1, place.engine)
        wait_for("the drain", lambda p=place: drained(p))
        equal(place.read(), version + 1, place.engine)


@test
def a_command_whose_reply_was_lost_runs_once():
    redis = Redis()
    for place in places(redis):
        redis("DEL", "counter")
        place.proxy.swallow()
        place.one.run("BEGIN")
        place.one.value("SELECT redis_on_commit('INCR', 'counter')")
        place.one.run("UPDATE items SET version = version + 1 WHERE id = 1")
        place.one.run("COMMIT")
        true(place.one.warnings, "%s: nobody was told" % place.engine)
        equal(redis("GET", "counter"), b"1", place.engine)
        place.proxy.release()
        place.proxy.cut()
        wait_for("the drain", lambda p=place: drained(p))
        equal(redis("GET", "counter"), b"1", place.engine)


@test
def a_deletion_that_arrives_late_spoils_nothing():
    """What was asked before a timeout arrives after the entry was filled again: a needless miss, no more."""
    redis = Redis()
    for place in places(redis):
        version = place.filled()
        place.proxy.block()
        equal(place.write(), True, place.engine)
        place.proxy.unblock()
        wait_for("the drain", lambda p=place: drained(p))
        equal(place.read(), version + 1, place.engine)


@test
def a_frozen_server_costs_no_answer():
    redis = Redis()
    for place in places(redis):
        version = place.filled()
        redis.freeze()
        try:
            equal(place.write(), True, place.engine)
            equal(place.read(), version + 1, place.engine)
        finally:
            redis.thaw()
        wait_for("the drain", lambda p=place: drained(p))
        equal(place.read(), version + 1, place.engine)


@test
def a_lost_lease_is_not_filled():
    """Whose process was stopped for longer than its lease fills nothing afterwards."""
    redis = Redis()
    for place in places(redis):
        (value, lease), = place.one.run("SELECT value, lease FROM redis_cache_get('got:1')")
        equal(value, None)
        true(lease)
        redis("DEL", *redis("KEYS", "*got:1:sqlredis*"))  # it expired
        (_, second), = place.two.run("SELECT value, lease FROM redis_cache_get('got:1')")
        true(second and second != lease, place.engine)
        place.write(session=place.session)
        (_, third), = place.two.run("SELECT value, lease FROM redis_cache_get('got:1')")
        for late in (lease, second):
            true(place.one.value("SELECT redis_cache_fill('got:1', %s, 'old', 60)" % literal(late)) in ("f", "0"),
                 "%s: filled under a lease that was gone" % place.engine)
        true(place.two.value("SELECT redis_cache_fill('got:1', %s, 'new', 60)" % literal(third)) in ("t", "1"),
             place.engine)


if __name__ == "__main__":
    main()
