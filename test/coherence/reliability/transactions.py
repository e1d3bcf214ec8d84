"""What a transaction's end is, in every form it has: commits that are tried twice, rolled back to, prepared, or
of which nobody hears again."""

import json
import subprocess
import sys

from coherence.places import Place, drained, places
from coherence.sessions import SqliteSession, SqlError
from harness import Redis, equal, main, test, true, wait_for

# The process dies right after its COMMIT: only its row can tell what it changed.
TRIED_TWICE = """
import json, os, sys
from coherence.sessions import SqliteSession, SqlError
path, settings = json.loads(sys.argv[1])
reader = SqliteSession(path, settings, journal="DELETE")
writer = SqliteSession(path, settings, journal="DELETE")
writer.db.execute("PRAGMA busy_timeout = 0")
writer.value("SELECT redis_ping()")
rows = reader.db.execute("SELECT * FROM items")
rows.fetchone()
writer.run("BEGIN")
writer.run("UPDATE items SET version = version + 1 WHERE id = 1")
try:
    writer.run("COMMIT")
    sys.exit("COMMIT was not refused")
except SqlError as error:
    assert error.state == "busy", error
writer.run("UPDATE items SET version = version + 1 WHERE id = 2")
rows.fetchall()
rows.close()
print("ready", flush=True)
sys.stdin.readline()
writer.run("COMMIT")
os.kill(os.getpid(), 9)
"""


def end(session, how):
    for statement in how:
        try:
            session.run(statement)
        except SqlError:
            pass


@test
def a_commit_that_is_refused_and_tried_again_with_more():
    redis = Redis()
    place = Place("sqlite", redis, journal="DELETE")
    for key in ("plain:1", "plain:2"):
        redis("SET", key, "old")
    settings = dict(place.settings, commit_timeout=100, command_timeout=100, connect_timeout=100)
    for session in (place.session, place.one, place.two):
        session.close()
    child = subprocess.Popen([sys.executable, "-c", TRIED_TWICE, json.dumps([place.where, settings])],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        equal(child.stdout.readline(), "ready\n")
        place.proxy.down()
        child.stdin.write("\n")
        child.stdin.flush()
        child.wait(60)
    finally:
        child.kill()
        child.communicate()
    place.proxy.up()
    place.session = SqliteSession(place.where, place.settings, journal="DELETE")
    equal(place.session.run("SELECT id, version FROM items WHERE id IN (1, 2) ORDER BY id"), [["1", "2"], ["2", "2"]])
    wait_for("the drain", lambda: drained(place))
    equal((redis("GET", "plain:1"), redis("GET", "plain:2")), (None, None))


@test
def rolled_back_in_every_form():
    """The value stays; nothing was sent, nothing waits."""
    redis = Redis()
    update, command = "UPDATE items SET version = version + 1 WHERE id = 1", "SELECT redis_on_commit('SET', 'told', 'yes')"
    fails = "INSERT INTO items VALUES (NULL, NULL, NULL, NULL)"
    forms = [["BEGIN", update, command, "ROLLBACK"],
             ["BEGIN", "SAVEPOINT a", update, command, "ROLLBACK TO SAVEPOINT a", "COMMIT"],
             ["BEGIN", "SAVEPOINT a", "SAVEPOINT b", update, command, "RELEASE SAVEPOINT b", "ROLLBACK TO SAVEPOINT a", "COMMIT"],
             ["BEGIN", "SAVEPOINT a", update, command, "RELEASE SAVEPOINT a", "ROLLBACK"],
             ["BEGIN", update, command, fails, "ROLLBACK"],
             ["UPDATE items SET version = CASE id WHEN 7 THEN NULL ELSE version + 1 END"]]
    for place in places(redis):
        for form in forms:
            version = place.filled()
            redis("SET", "plain:1", "kept")
            place.session.run(update.replace("id = 1", "id = 3"))
            end(place.one, form)
            equal(place.one.in_transaction, False)
            equal(redis("GET", "plain:1"), b"kept", "%s: %s" % (place.engine, form))
            equal(redis("GET", "told"), None, "%s: %s" % (place.engine, form))
            equal(place.one.value("SELECT count(*) FROM redis_pending()"), "0")
            equal(place.read(), version, "%s: %s" % (place.engine, form))
            true(place.is_hit(), "%s: %s voided the entry" % (place.engine, form))


@test
def half_rolled_back():
    """What was done before the savepoint is sent, what was done after it is not."""
    redis = Redis()
    for place in places(redis):
        for row in (1, 2, 4):
            redis("SET", "plain:%d" % row, "old")
        for statement in ("BEGIN", "UPDATE items SET version = version + 1 WHERE id = 1", "SAVEPOINT a",
                          "UPDATE items SET version = version + 1 WHERE id = 2", "ROLLBACK TO SAVEPOINT a",
                          "UPDATE items SET version = version + 1 WHERE id = 4", "COMMIT"):
            place.one.run(statement)
        equal([redis("GET", "plain:%d" % row) for row in (1, 2, 4)], [None, b"old", None], place.engine)


@test
def the_last_word_of_a_transaction_holds():
    redis = Redis()
    for place in places(redis):
        place.one.run("BEGIN")
        place.one.value("SELECT redis_invalidate('said')")
        place.one.value("SELECT redis_on_commit('SET', 'said', 'no')")
        place.one.value("SELECT redis_invalidate('said')")
        place.one.run("COMMIT")
        equal(redis("GET", "said"), None, place.engine)
        place.one.run("BEGIN")
        place.one.value("SELECT redis_invalidate('said')")
        place.one.value("SELECT redis_on_commit('SET', 'said', 'yes')")
        place.one.run("COMMIT")
        equal(redis("GET", "said"), b"yes", place.engine)


@test
def prepared_here_committed_there():
    """Another session commits, the first one is gone; the worker hears of it."""
    redis = Redis()
    place = Place("pg", redis)
    for how, expected in (("COMMIT", None), ("ROLLBACK", b"old")):
        redis("SET", "plain:1", "old")
        version = place.filled()
        place.one.run("BEGIN")
        place.one.run("UPDATE items SET version = version + 1 WHERE id = 1")
        place.one.run("PREPARE TRANSACTION 'both'")
        place.one.close()
        place.one = place.open()
        equal((redis("GET", "plain:1"), place.read()), (b"old", version))
        place.one.run("%s PREPARED 'both'" % how)
        wait_for("an empty outbox", lambda: place.session.value("SELECT count(*) FROM sqlredis_outbox") == "0")
        equal(redis("GET", "plain:1"), expected, how)
        equal(place.read(), version + (how == "COMMIT"))
    place.end()


@test
def a_lease_is_taken_before_the_snapshot():
    """Also when the calling statement began long before."""
    redis = Redis()
    place = Place("pg", redis)
    place.one.wire.send("SELECT redis_cached('item:1', 3600, 'SELECT version || '':'' || nonce FROM items WHERE id = $1', 1) "
                        "FROM pg_sleep(0.5)")
    wait_for("the statement", lambda: place.two.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != "0")
    place.write(session=place.session)
    place.one.wire.result()
    equal(place.read(), 2)
    place.end()


if __name__ == "__main__":
    main()
