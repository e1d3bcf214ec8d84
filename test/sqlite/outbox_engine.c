/*
 * outbox_engine.c - what becomes of an outbox when SQLite itself fails: a disk that gives errors at every
 * possible write, a connection that is a zombie, a defensive one. The extension is the first argument,
 * REDIS_URL names the server.
 */
#include "../core/test.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *extension;

/* ---- a VFS whose n-th write, sync or truncation fails ---- */

typedef struct failing_file
{
	sqlite3_file	   base;
	sqlite3_file	  *real;
	sqlite3_io_methods methods;
} failing_file;

static sqlite3_vfs failing, *real_vfs;
static int		   fail_at, calls;

static int fails(void)
{
	return fail_at > 0 && ++calls == fail_at;
}

static sqlite3_file *real(sqlite3_file *file)
{
	return ((failing_file *) file)->real;
}

static int close_file(sqlite3_file *file)
{
	int rc = real(file)->pMethods->xClose(real(file));

	free(real(file));
	return rc;
}

static int read_file(sqlite3_file *file, void *to, int size, sqlite3_int64 at)
{
	return real(file)->pMethods->xRead(real(file), to, size, at);
}

static int write_file(sqlite3_file *file, const void *from, int size, sqlite3_int64 at)
{
	return fails() ? SQLITE_IOERR_WRITE : real(file)->pMethods->xWrite(real(file), from, size, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
	return fails() ? SQLITE_IOERR_TRUNCATE : real(file)->pMethods->xTruncate(real(file), size);
}

static int sync_file(sqlite3_file *file, int flags)
{
	return fails() ? SQLITE_IOERR_FSYNC : real(file)->pMethods->xSync(real(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
	return real(file)->pMethods->xFileSize(real(file), out);
}

static int lock_file(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xLock(real(file), level);
}

static int unlock_file(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xUnlock(real(file), level);
}

static int check_lock(sqlite3_file *file, int *out)
{
	return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int control(sqlite3_file *file, int op, void *arg)
{
	return real(file)->pMethods->xFileControl(real(file), op, arg);
}

static int sector_size(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int characteristics(sqlite3_file *file)
{
	return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	failing_file *f = (failing_file *) file;
	int			  rc;

	(void) vfs;
	f->base.pMethods = NULL;
	f->real = calloc(1, (size_t) real_vfs->szOsFile);
	rc = real_vfs->xOpen(real_vfs, name, f->real, flags, out);
	f->methods = (sqlite3_io_methods){.iVersion = 1,
									  .xClose = close_file,
									  .xRead = read_file,
									  .xWrite = write_file,
									  .xTruncate = truncate_file,
									  .xSync = sync_file,
									  .xFileSize = file_size,
									  .xLock = lock_file,
									  .xUnlock = unlock_file,
									  .xCheckReservedLock = check_lock,
									  .xFileControl = control,
									  .xSectorSize = sector_size,
									  .xDeviceCharacteristics = characteristics};
	if (rc == SQLITE_OK)
		f->base.pMethods = &f->methods;
	else
		free(f->real);
	return rc;
}

static void register_vfs(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	failing = *real_vfs;
	failing.zName = "failing";
	failing.szOsFile = (int) sizeof(failing_file);
	failing.xOpen = open_file;
	sqlite3_vfs_register(&failing, 0);
}

/* ---- */

static sqlite3 *open_loaded(const char *file, const char *vfs)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs) != SQLITE_OK)
		exit(1);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
	if (sqlite3_load_extension(db, extension, NULL, NULL) != SQLITE_OK)
		exit(1);
	return db;
}

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static long long value(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	long long	  result = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		result = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return result;
}

#define MAKE                                                                                       \
	"CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 0), (2, 0);"             \
	"SELECT redis_invalidate_on('t', 't:{id}');"

/*
 * An error at the n-th write of a transaction, for every n: what did not commit is not sent and owes
 * nothing, what committed is sent, and nothing of it spoils the next transaction.
 */
static void check_errors(const char *begin, const char *update, const char *commit)
{
	bool failed = true;

	for (int n = 1; failed; n++)
	{
		sqlite3	 *db = open_loaded("errors.db", "failing");
		long long before = value(db, "SELECT v FROM t WHERE id = 1"), after;

		run(db, "SELECT redis_outbox_drain(), redis_set('t:1', 'stale')");
		run(db, begin);
		fail_at = n;
		calls = 0;
		failed = run(db, update) != SQLITE_OK;
		failed = run(db, commit) != SQLITE_OK || failed;
		fail_at = 0;
		if (!sqlite3_get_autocommit(db))
			run(db, "ROLLBACK");
		after = value(db, "SELECT v FROM t WHERE id = 1");
		CHECK(after == before + !failed, "it committed or it did not");
		CHECK(value(db, "SELECT redis_exists('t:1')") == failed, "and so did its key");
		CHECK(value(db, "SELECT count(*) FROM redis_pending") == 0, "nothing is left in the queue");
		CHECK(value(db, "SELECT count(*) FROM redis_outbox") == 0, "nothing is owed");
		CHECK(run(db, "UPDATE t SET v = v + 0 WHERE id = 2") == SQLITE_OK, "the next one is well");
		CHECK(value(db, "SELECT count(*) FROM sqlredis_outbox") == 1, "with a row of its own");
		CHECK(value(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1,
			  "and the file is whole");
		CHECK(sqlite3_close(db) == SQLITE_OK, "close");
		CHECK(n < 200, "it ends");
		if (n >= 200)
			return;
	}
}

static void test_errors(void)
{
	sqlite3 *db;

	unlink("errors.db");
	db = open_loaded("errors.db", "failing");
	run(db, MAKE);
	sqlite3_close(db);
	check_errors("SELECT 1", "UPDATE t SET v = v + 1 WHERE id = 1", "SELECT 1");
	check_errors("BEGIN", "UPDATE t SET v = v + 1 WHERE id = 1", "COMMIT");
}

/* The application closes while a statement lives: the connection goes on until that is finalized. */
static void test_zombie(void)
{
	sqlite3		 *db = open_loaded("zombie.db", NULL);
	sqlite3_stmt *last = NULL;

	run(db, "SELECT redis_config('commit_mode', 'async');" MAKE "SELECT redis_set('t:1', 1)");
	sqlite3_prepare_v2(db, "SELECT v FROM t", -1, &last, NULL);
	sqlite3_step(last);
	run(db, "UPDATE t SET v = 1 WHERE id = 1");
	CHECK(sqlite3_close_v2(db) == SQLITE_OK, "close_v2");
	CHECK(sqlite3_step(last) == SQLITE_ROW, "the statement goes on");
	CHECK(sqlite3_finalize(last) == SQLITE_OK, "and ends");
	db = open_loaded("zombie.db", NULL);
	CHECK(value(db, "SELECT redis_exists('t:1')") == 0, "what was committed was delivered");
	sqlite3_close(db);
}

static void test_defensive(void)
{
	sqlite3 *db = open_loaded("defensive.db", NULL);

	run(db, MAKE "SELECT redis_set('t:1', 1)");
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	CHECK(run(db, "UPDATE t SET v = 1 WHERE id = 1") == SQLITE_OK, "a defensive connection");
	CHECK(value(db, "SELECT count(*) FROM sqlredis_outbox") == 1, "writes its row");
	CHECK(value(db, "SELECT redis_exists('t:1')") == 0, "and delivers");
	sqlite3_close(db);
}

/* The application interrupts COMMIT: it is rolled back or it is not, never half. */
static int interrupt_now(void *db)
{
	sqlite3_interrupt(db);
	return 0;
}

static void test_interrupt(void)
{
	sqlite3 *db = open_loaded("interrupt.db", NULL);

	run(db, MAKE "SELECT redis_set('t:1', 1); BEGIN; UPDATE t SET v = 5 WHERE id = 1");
	sqlite3_progress_handler(db, 1, interrupt_now, db);
	run(db, "COMMIT");
	sqlite3_progress_handler(db, 0, NULL, NULL);
	if (!sqlite3_get_autocommit(db))
		run(db, "ROLLBACK");
	CHECK(value(db, "SELECT v = 5 FROM t WHERE id = 1") == !value(db, "SELECT redis_exists('t:1')"),
		  "key and row agree");
	CHECK(value(db, "SELECT count(*) FROM redis_pending") == 0, "nothing is left");
	sqlite3_close(db);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	extension = argv[1];
	register_vfs();
	test_errors();
	test_zombie();
	test_defensive();
	test_interrupt();
	return test_result();
}
