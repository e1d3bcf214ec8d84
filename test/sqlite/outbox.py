"""The outbox of a SQLite file: what a transaction owes Redis commits with it, whatever becomes of the
process, of Redis, and of COMMIT itself."""

import os
import sqlite3

from harness import equal, main, sqlite, temp_dir, test, true
from harness.sqlite_outbox import TABLE, connect, fill, left, new_file, refused, rows, value


# ---- the row ------------------------------------------------------------------------------------


@test
def a_transaction_writes_one_row_and_deletes_the_one_before():
    path = new_file()
    db = connect(path)
    fill("t:1", "t:2")
    equal(rows(path), [])
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    equal((rows(path), left()), ([("effects", b"t:1")], ["t:2"]))
    equal(db.execute("SELECT * FROM redis_outbox").fetchall(), [], "it is delivered")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 2")
    db.execute("UPDATE t SET v = 1 WHERE id = 3")
    db.execute("COMMIT")
    equal(rows(path)[0][1][:3], b"t:2")
    equal((len(rows(path)), left()), (1, []))
    equal(value(db, "SELECT redis_outbox_drain()"), 0, "nothing waits")
    equal(rows(path), [], "and what was delivered is deleted, too")
    db.close()


@test
def in_memory_mode_there_is_none():
    path = new_file()
    db = connect(path)
    value(db, "SELECT redis_config('durability', 'memory')")
    fill("t:1")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    equal((rows(path), left()), ([], []))
    db.close()


@test
def a_database_in_memory_or_in_temp_has_none():
    for database in ":memory:", "":
        db = connect(database)
        db.executescript(TABLE)
        value(db, "SELECT redis_invalidate_on('t', 't:{id}')")
        db.execute("CREATE TEMP TABLE u (id)")
        value(db, "SELECT redis_invalidate_on('temp.u', 'u:{id}')")
        fill("t:1", "u:1")
        db.execute("UPDATE t SET v = 1 WHERE id = 1")
        db.execute("INSERT INTO u VALUES (1)")
        equal(left(), [])
        equal(db.execute("SELECT * FROM redis_outbox").fetchall(), [])
        db.close()


@test
def a_read_only_file_is_refused():
    path = os.path.join(temp_dir("sqlite"), "plain.db")
    sqlite3.connect(path).executescript(TABLE)
    db = connect("file:%s?mode=ro" % path, uri=True)
    refused(db, "SELECT redis_invalidate_on('t', 't:{id}')", "read")
    db.close()


@test
def every_attached_file_has_its_own():
    for pragma in "PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL":
        first, second, third = (new_file("%s.db" % name, pragma) for name in "abc")
        db = connect(first)
        db.execute("ATTACH ? AS b", (second,))
        db.execute("ATTACH ? AS c", (third,))
        fill("t:1", "t:2", "t:3")
        db.execute("BEGIN")
        db.execute("UPDATE main.t SET v = 1 WHERE id = 1")
        db.execute("UPDATE b.t SET v = 1 WHERE id = 2")
        db.execute("COMMIT")
        equal(left(), ["t:3"])
        equal([len(rows(path)) for path in (first, second, third)], [1, 1, 0])
        equal(rows(first), rows(second), "nobody knows whose key is whose")
        db.execute("UPDATE c.t SET v = 1 WHERE id = 3")
        equal([len(rows(path)) for path in (first, second, third)], [1, 1, 1])
        db.execute("DETACH b")
        db.execute("ATTACH ? AS b", (third.replace("c.db", "d.db"),))
        db.execute("UPDATE main.t SET v = 2 WHERE id = 1")
        equal([len(rows(path)) for path in (first, second, third)], [1, 1, 1])
        db.execute("DETACH b")
        db.execute("ATTACH ? AS b", (second,))
        equal(value(db, "SELECT redis_outbox_drain()"), 0, "all was delivered")
        equal([len(rows(path)) for path in (first, second, third)], [0, 0, 0])
        db.close()


@test
def in_every_journal_mode_and_under_an_exclusive_lock():
    for mode in "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF", "WAL":
        for locking in "NORMAL", "EXCLUSIVE":
            path = new_file()
            db = connect(path)
            db.execute("PRAGMA locking_mode = " + locking).fetchall()
            db.execute("PRAGMA journal_mode = " + mode).fetchall()
            fill("t:1", "t:2")
            for key in 1, 2:
                db.execute("UPDATE t SET v = 1 WHERE id = ?", (key,))
                equal(value(db, "SELECT count(*) FROM sqlredis_outbox"), 1, mode)
            equal(left(), [])
            db.close()
            os.remove(path)


@test
def a_large_transaction_has_many_rows():
    path = new_file()
    db = connect(path)
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    value(db, "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 20000) "
          "SELECT sum(redis_invalidate(printf('%01000d', i))) FROM s")
    db.execute("COMMIT")
    equal(value(db, "SELECT count(*) FROM sqlredis_outbox"), 3)
    true(value(db, "SELECT max(length(data)) FROM sqlredis_outbox") <= 8 << 20, "8 MB each")
    db.execute("UPDATE t SET v = 2 WHERE id = 1")
    equal([(kind, data[:9]) for kind, data in rows(path)], [("effects", b"t:1")])
    db.close()


# ---- what the application sees --------------------------------------------------------------------


@test
def counters_are_the_applications():
    path = new_file()
    db = connect(path)
    db.execute("INSERT INTO t VALUES (70, 1), (71, 1)")
    equal(db.execute("SELECT changes(), last_insert_rowid()").fetchone(), (2, 71))
    total = db.total_changes
    db.execute("UPDATE t SET v = 5 WHERE id < 3")
    equal(db.execute("SELECT changes(), last_insert_rowid()").fetchone(), (2, 71))
    equal(db.total_changes - total, 4, "the outbox's own: one row in, one row out")
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (80, 1)")
    db.execute("COMMIT")
    equal(db.execute("SELECT changes(), last_insert_rowid()").fetchone(), (1, 80))
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    db.execute("UPDATE t SET v = 1 WHERE id = 12345")
    db.execute("COMMIT")
    equal(db.execute("SELECT changes(), last_insert_rowid()").fetchone(), (0, 80),
          "nothing does not become something")
    db.close()


@test
def an_authorizer_sees_it_and_what_it_denies_is_no_silent_loss():
    path = new_file()
    for answer, word in (sqlite3.SQLITE_DENY, "outbox"), (sqlite3.SQLITE_IGNORE, "outbox"):
        db = connect(path)
        fill("t:1")
        value(db, "SELECT redis_exists('t:1')")
        seen = []

        def judge(action, first, *_):
            if first == "sqlredis_outbox" and action == sqlite3.SQLITE_INSERT:
                seen.append(action)
                return answer
            return sqlite3.SQLITE_OK
        db.set_authorizer(judge)
        refused(db, "UPDATE t SET v = 9 WHERE id = 1", word, "durability")
        true(seen, "it was asked")
        equal((left(), value(db, "SELECT count(*) FROM t WHERE v = 9")), (["t:1"], 0))
        value(db, "SELECT redis_config('durability', 'memory')")
        db.execute("UPDATE t SET v = 8 WHERE id = 1")
        equal(left(), [])
        db.set_authorizer(None)
        db.close()


@test
def an_update_hook_and_a_trace_see_it():
    path = new_file()
    db = connect(path)
    said = []
    db.set_trace_callback(said.append)
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    true(any("sqlredis_outbox" in sql for sql in said), "in a trace")
    db.close()


# ---- COMMIT that does not ---------------------------------------------------------------------------


@test
def busy_at_commit_and_rolled_back_to_a_savepoint_and_committed():
    path = new_file()
    reader, db = connect(path), connect(path, timeout=0)
    for undo in False, True:
        fill("t:1", "t:2", "t:3")
        held = reader.execute("SELECT * FROM t")
        held.fetchone()
        db.execute("BEGIN")
        db.execute("UPDATE t SET v = 1 WHERE id = 1")
        db.execute("SAVEPOINT s")
        db.execute("UPDATE t SET v = 1 WHERE id = 2")
        for _ in range(2):
            refused(db, "COMMIT", "locked")
        if undo:
            db.execute("ROLLBACK TO s")
        db.execute("UPDATE t SET v = 1 WHERE id = 3")
        refused(db, "COMMIT", "locked")
        held.close()
        db.execute("COMMIT")
        equal(left(), ["t:2"] if undo else [])
        kept = rows(path)
        equal(len(kept), 1)
        equal([key in kept[0][1] for key in (b"t:1", b"t:2", b"t:3")], [True, not undo, True])
    db.close()
    reader.close()


@test
def what_was_all_rolled_back_leaves_no_row():
    path = new_file()
    reader, db = connect(path), connect(path, timeout=0)
    fill("t:1")
    held = reader.execute("SELECT * FROM t")
    held.fetchone()
    db.execute("BEGIN")
    db.execute("SAVEPOINT s")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    refused(db, "COMMIT", "locked")
    db.execute("ROLLBACK TO s")
    held.close()
    db.execute("COMMIT")
    equal((left(), rows(path)), (["t:1"], []))
    # an id that was given and rolled back is given again: it must not count as ours
    plain = sqlite3.connect(path, isolation_level=None)
    plain.execute("INSERT INTO sqlredis_outbox (kind, data) VALUES ('key', 't:1')")
    db.execute("UPDATE t SET v = 1 WHERE id = 2")
    equal([kind for kind, _ in rows(path)], ["key", "effects"])
    plain.close()
    db.close()
    reader.close()


@test
def autocommit_that_is_busy_leaves_no_row():
    path = new_file()
    reader, db = connect(path), connect(path, timeout=0)
    fill("t:1")
    held = reader.execute("SELECT * FROM t")
    held.fetchone()
    refused(db, "UPDATE t SET v = 1 WHERE id = 1", "locked")
    held.close()
    equal((left(), rows(path)), (["t:1"], []))
    db.close()
    reader.close()


@test
def or_fail_keeps_what_it_changed_and_its_keys():
    path = new_file()
    db = connect(path)
    db.executescript("CREATE UNIQUE INDEX u ON t (v) WHERE v > 100")
    fill("t:1", "t:2")
    value(db, "SELECT redis_outbox_drain()")
    refused(db, "UPDATE OR FAIL t SET v = 101 WHERE id < 3", "UNIQUE")
    equal(value(db, "SELECT count(*) FROM t WHERE v = 101"), 1)
    true("t:1" not in left(), "its row did change")
    equal(len(rows(path)), 1)
    db.close()


@test
def a_deferred_foreign_key_fails_at_commit():
    path = new_file()
    db = connect(path)
    db.executescript("PRAGMA foreign_keys = ON; CREATE TABLE c (id REFERENCES t (id) DEFERRABLE "
                     "INITIALLY DEFERRED)")
    fill("t:1")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    db.execute("INSERT INTO c VALUES (99)")
    refused(db, "COMMIT", "FOREIGN KEY")
    equal((left(), rows(path)), (["t:1"], []))
    db.execute("DELETE FROM c")
    db.execute("COMMIT")
    equal((left(), len(rows(path))), ([], 1))
    db.close()


@test
def a_full_disk_at_the_outbox_rolls_back_and_says_so():
    path = new_file()
    db = connect(path)
    fill("t:1")
    pages = value(db, "PRAGMA page_count")
    value(db, "PRAGMA max_page_count = %d" % pages)
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 7 WHERE id = 1")
    value(db, "SELECT redis_invalidate(printf('%010000d', 1))")
    refused(db, "COMMIT", "full")
    equal((db.in_transaction, left(), value(db, "SELECT count(*) FROM t WHERE v = 7")),
          (False, ["t:1"], 0))
    refused(db, "UPDATE t SET v = redis_invalidate(printf('%010000d', 2)) WHERE id = 1", "full")
    equal((left(), value(db, "SELECT count(*) FROM redis_pending")), (["t:1"], 0))
    value(db, "PRAGMA max_page_count = 100000")
    db.execute("UPDATE t SET v = 7 WHERE id = 1")
    equal((left(), len(rows(path))), ([], 1))
    db.close()


@test
def an_outbox_that_is_dropped_is_none():
    path = new_file()
    db = connect(path)
    fill("t:1", "t:2")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    db.execute("DROP TABLE sqlredis_outbox")
    db.execute("COMMIT")
    db.execute("UPDATE t SET v = 1 WHERE id = 2")
    equal(left(), [])
    db.close()


@test
def connections_of_a_shared_cache():
    path = new_file()
    uri = "file:%s?cache=shared" % path
    db, other = connect(uri, uri=True), connect(uri, uri=True)
    fill("t:1", "t:2")
    db.execute("BEGIN")
    db.execute("UPDATE t SET v = 1 WHERE id = 1")
    held = other.execute("SELECT * FROM sqlredis_outbox UNION ALL "
                         "VALUES (1, 2, 3, 4, 5), (1, 2, 3, 4, 6), (1, 2, 3, 4, 7)")
    held.fetchone()
    refused(db, "COMMIT", "locked")
    true(db.in_transaction, "it can be tried again")
    held.close()
    db.execute("COMMIT")
    equal(left(), ["t:2"])
    other.execute("UPDATE t SET v = 1 WHERE id = 2")
    equal(left(), [])
    db.close()
    other.close()


main()
