"""The database's side of the epoch: whose entries are whose."""

import os
import shutil
import sqlite3

from harness import Redis, equal, main, sqlite, temp_dir, test
from harness.sqlite_cache import Change, QUERY, row, tracked_file, value

redis = Redis()


def connect(database=":memory:", url=None, **options):
    return sqlite.connect(url or redis.url, database, **options)


@test
def a_file_that_was_put_back_has_another_epoch():
    path, db = tracked_file(redis)
    copy = path + ".copy"
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    shutil.copy(path, copy)
    db = connect(path)
    db.execute("UPDATE t SET v = 'new'")
    equal(value(db, QUERY), "new")
    db.close()
    os.replace(copy, path)
    for _ in range(2):
        db = connect(path)
        equal(value(db, QUERY), "old")
        db.close()
    db = connect(path)
    equal(value(db, "SELECT redis_cached('t:1', 60, 'SELECT ''not the cached one''')"), "old")
    db.execute("UPDATE sqlredis_epoch SET epoch = randomblob(16)")
    db.close()
    db = connect(path)
    equal(value(db, "SELECT redis_cached('t:1', 60, 'SELECT ''a new epoch''')"), "a new epoch")
    db.close()


@test
def who_still_reads_a_file_that_was_replaced_leaves_the_cache_alone():
    path, db = tracked_file(redis)
    db.execute("PRAGMA journal_mode = DELETE").fetchall()
    shutil.copy(path, path + ".copy")
    os.replace(path + ".copy", path)
    change = Change(db)
    equal(value(db, QUERY), "old")
    other = connect(path)
    other.execute("UPDATE t SET v = 'new'")
    equal(value(other, QUERY), "new")
    equal(value(db, QUERY), "old")
    equal(row(db, "SELECT value, lease FROM redis_cache_get('t:1')"), (None, None))
    equal(change(), {"unfilled_no_epoch": 3})
    other.close()
    db.close()


@test
def what_is_not_committed_is_not_filled_by_who_may_read_it():
    path = os.path.join(temp_dir("sqlite"), "shared.db")
    uri = "file:%s?cache=shared" % path
    writer, reader = connect(uri, uri=True), connect(uri, uri=True)
    writer.execute("CREATE TABLE t (id, v)")
    writer.execute("INSERT INTO t VALUES (1, 'old')")
    redis("FLUSHALL")
    reader.execute("PRAGMA read_uncommitted = ON")
    writer.execute("BEGIN")
    writer.execute("UPDATE t SET v = 'uncommitted'")
    change = Change(reader)
    equal(value(reader, QUERY), "uncommitted")
    equal(row(reader, "SELECT value, lease FROM redis_cache_get('k')"), (None, None))
    equal(change(), {"misses": 2, "unfilled_isolation": 2})
    writer.execute("ROLLBACK")
    reader.execute("PRAGMA read_uncommitted = OFF")
    equal(value(reader, QUERY), "old")
    writer.close()
    reader.close()


@test
def two_processes_with_one_file_share_what_is_cached_and_databases_in_memory_do_not():
    path, db = tracked_file(redis)
    value(db, QUERY)
    other = connect("file:%s?mode=ro" % path, uri=True)
    change = Change(other)
    equal(value(other, QUERY), "old")
    equal(change(), {"hits": 1})
    other.close()
    for database in ":memory:", "":
        memory = connect(database)
        memory.execute("CREATE TABLE t (id, v)")
        memory.execute("INSERT INTO t VALUES (1, 'mine')")
        equal(value(memory, QUERY), "mine")
        equal(value(memory, "SELECT redis_cached('t:1', 60, 'SELECT ''not cached''')"), "mine")
        memory.close()
    db.close()


@test
def a_new_file_under_an_old_name_has_another_epoch():
    path = os.path.join(temp_dir("sqlite"), "again.db")
    for content in "first", "second", "third":
        db = connect(path)
        db.execute("CREATE TABLE t (id, v)")
        db.execute("INSERT INTO t VALUES (1, ?)", (content,))
        equal(value(db, QUERY), content, "without the extension's tables")
        db.close()
        os.remove(path)


@test
def an_epoch_that_somebody_else_made_is_not_read():
    endless = "WITH RECURSIVE w(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w) SELECT sum(x) AS epoch FROM w"
    for ddl in ("CREATE VIEW sqlredis_epoch AS " + endless, "CREATE TABLE sqlredis_epoch (a)",
                "CREATE TABLE sqlredis_epoch (id INTEGER PRIMARY KEY, epoch AS (zeroblob(900000000)))",
                "CREATE VIRTUAL TABLE sqlredis_epoch USING fts5(id, epoch)",
                "CREATE TABLE sqlredis_epoch (id INTEGER PRIMARY KEY CHECK (id = 1), epoch BLOB NOT NULL); "
                "INSERT INTO sqlredis_epoch VALUES (1, zeroblob(300000000))",
                "CREATE TABLE sqlredis_epoch (id INTEGER PRIMARY KEY CHECK (id = 1), epoch BLOB NOT NULL); "
                "INSERT INTO sqlredis_epoch VALUES (1, 'sixteen letters.')"):
        path = os.path.join(temp_dir("sqlite"), "hostile.db")
        author = sqlite3.connect(path)
        author.executescript(ddl + "; CREATE TABLE t (id, v); INSERT INTO t VALUES (1, 'v')")
        author.close()
        redis("FLUSHALL")
        db = connect(path)
        equal(value(db, QUERY), "v")
        change = Change(db)
        equal(value(db, QUERY), "v")
        equal(change(), {"hits": 1})
        db.close()
        os.remove(path)


if __name__ == "__main__":
    main()
