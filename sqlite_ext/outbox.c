/*
 * outbox.c - the tables sqlredis_outbox and sqlredis_epoch of a database file.
 *
 * A row of the outbox says what a transaction of the file owes Redis; it commits with the
 * transaction. Plain SQL may write rows, too: INSERT INTO sqlredis_outbox(kind, data) VALUES('key', ...).
 */
#include "sqlredis.h"

#include <string.h>

/*
 * AUTOINCREMENT: an id is never used again, so a row can be deleted by it later on. txn is a
 * transaction's own id, by which it rewrites its rows.
 */
#define CREATE_OUTBOX                                                                              \
	"CREATE TABLE IF NOT EXISTS \"%w\"." SQ_OUTBOX                                                 \
	" (id INTEGER PRIMARY KEY AUTOINCREMENT, txn BLOB UNIQUE, created_at REAL NOT NULL DEFAULT "   \
	"((julianday('now') - 2440587.5) * 86400.0), kind TEXT, data BLOB)"
#define CREATE_EPOCH                                                                               \
	"CREATE TABLE IF NOT EXISTS \"%w\"." SQ_EPOCH                                                  \
	" (id INTEGER PRIMARY KEY CHECK (id = 1), epoch BLOB NOT NULL)"

static bool is_empty(sqlite3 *db, const char *schema, const char *table, bool *empty, sr_err *err)
{
	sqlite3_stmt *stmt = sq_prepare(db, err, "SELECT 1 FROM \"%w\".%s LIMIT 1", schema, table);

	if (stmt == NULL)
		return false;
	*empty = sqlite3_step(stmt) == SQLITE_DONE;
	return sqlite3_finalize(stmt) == SQLITE_OK ? true : sq_fail_sqlite(err, db, "SQLite");
}

bool sq_outbox_create(sqlite3 *db, const char *schema, sr_err *err)
{
	bool empty = false;

	if (sqlite3_db_readonly(db, schema) == 1)
		return sr_fail(err, SR_E_READONLY, "Open it for writing.",
					   "database \"%.100s\" is read-only: it cannot keep what its transactions owe "
					   "Redis",
					   schema);
	return sq_exec(db, err, CREATE_OUTBOX, schema) && sq_exec(db, err, CREATE_EPOCH, schema) &&
		   is_empty(db, schema, SQ_EPOCH, &empty, err) &&
		   (!empty ||
			sq_exec(db, err, "INSERT INTO \"%w\"." SQ_EPOCH " VALUES (1, randomblob(16))", schema));
}
