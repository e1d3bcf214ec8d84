/*
 * statement.c - small statements of our own, prepared from a format, run once and finalized: one that
 * is kept would make the application's sqlite3_close fail. Knows nothing of what they are for.
 */
#include "sqlredis.h"

#include <stdarg.h>

static sqlite3_stmt *prepare_list(sqlite3 *db, sr_err *err, const char *fmt, va_list args)
{
	char		 *sql = sqlite3_vmprintf(fmt, args);
	sqlite3_stmt *stmt = NULL;

	if (sql == NULL)
		sr_fail_memory(err);
	else if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		sq_fail_sqlite(err, db, "SQLite");
	sqlite3_free(sql);
	return stmt;
}

sqlite3_stmt *sq_prepare(sqlite3 *db, sr_err *err, const char *fmt, ...)
{
	sqlite3_stmt *stmt;
	va_list		  args;

	va_start(args, fmt);
	stmt = prepare_list(db, err, fmt, args);
	va_end(args);
	return stmt;
}

bool sq_exec(sqlite3 *db, sr_err *err, const char *fmt, ...)
{
	sqlite3_stmt *stmt;
	va_list		  args;

	va_start(args, fmt);
	stmt = prepare_list(db, err, fmt, args);
	va_end(args);
	if (stmt == NULL)
		return false;
	while (sqlite3_step(stmt) == SQLITE_ROW)
		;
	if (sqlite3_finalize(stmt) == SQLITE_OK)
		return true;
	return sq_fail_sqlite(err, db, "SQLite");
}

char *sq_column_copy(sqlite3_stmt *stmt, int i)
{
	const char *text = (const char *) sqlite3_column_text(stmt, i);

	return sqlite3_mprintf("%s", text != NULL ? text : "");
}

bool sq_pragma_is_on(sqlite3 *db, const char *name)
{
	sqlite3_stmt *stmt = sq_prepare(db, NULL, "PRAGMA %s", name);
	bool on = stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0);

	sqlite3_finalize(stmt);
	return on;
}
