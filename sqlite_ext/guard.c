/*
 * guard.c - keeps CHECK constraints of a database file from calling functions.
 *
 * SQLITE_DIRECTONLY promises that, but SQLite (3.40, and what was seen of later sources) marks only
 * deterministic functions inside a CHECK as coming from the schema, and ours are not: `CREATE TABLE
 * t(a CHECK (redis_set('k', a)))` runs at every INSERT, and at a PRAGMA integrity_check of a file that
 * somebody sent. Views, triggers, defaults, indexes and generated columns are refused by SQLite.
 *
 * A function does not learn who calls it. So: a call is direct when only reading statements run and
 * one of them names the function; otherwise no table's definition may name it.
 */
#include "sqlredis.h"

#include <string.h>

/* Without regard to case. Runs at every call: the first letter decides most of it. */
static bool mentions(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (; *text != '\0'; text++)
		if ((*text | 0x20) == (*word | 0x20) && sqlite3_strnicmp(text, word, (int) len) == 0)
			return true;
	return false;
}

/* A statement that only reads checks no constraint, unless it is a PRAGMA ..._check. */
static bool surely_direct(sqlite3 *db, const char *name)
{
	bool named = false;

	for (sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL); stmt != NULL;
		 stmt = sqlite3_next_stmt(db, stmt))
	{
		const char *sql;

		if (!sqlite3_stmt_busy(stmt))
			continue;
		sql = sqlite3_sql(stmt);
		if (!sqlite3_stmt_readonly(stmt) || sql == NULL || mentions(sql, "_check"))
			return false;
		named = named || mentions(sql, name);
	}
	return named;
}

/*
 * false: a table of the schema names the function, or it cannot be found out. What is no view and no
 * trigger by its text is a table here: SQLite takes a type written by hand, 'TABLE', for one as well.
 * anything: views and triggers count, too.
 */
static bool schema_is_silent(sqlite3 *db, const char *schema, const char *name, bool anything,
							 sr_err *err)
{
	sqlite3_stmt *stmt =
		sq_prepare(db, err,
				   "SELECT name FROM \"%w\".sqlite_master WHERE instr(lower(sql), %Q) > 0 AND "
				   "(%d OR substr(upper(sql), 1, 12) <> 'CREATE VIEW ' AND "
				   "substr(upper(sql), 1, 15) <> 'CREATE TRIGGER ')",
				   schema, name, (int) anything);
	bool silent;

	if (stmt == NULL)
		return false;
	silent = sqlite3_step(stmt) != SQLITE_ROW;
	if (!silent)
		sr_fail(err, SR_E_PERMISSION,
				anything ? "redis_config('trigger_commands', 1), if you trust the file."
						 : "A CHECK constraint must not call functions that reach Redis.",
				"%s is named in the definition of %s \"%.100s\" of database \"%.100s\"", name,
				anything ? "trigger, view or table" : "table",
				(const char *) sqlite3_column_text(stmt, 0), schema);
	if (sqlite3_finalize(stmt) != SQLITE_OK && silent)
		return sq_fail_sqlite(err, db, "SQLite");
	return silent;
}

static bool files_are_silent(sqlite3 *db, const sr_command *cmd, bool anything, sr_err *err)
{
	sqlite3_stmt *stmt = sq_prepare(db, err, "PRAGMA database_list");
	bool		  silent = true;

	if (stmt == NULL)
		return false;
	while (silent && sqlite3_step(stmt) == SQLITE_ROW)
	{
		const char *schema = (const char *) sqlite3_column_text(stmt, 1);

		/* What is in temp, the application wrote itself. */
		if (schema != NULL && strcmp(schema, "temp") != 0)
			silent = schema_is_silent(db, schema, cmd->name, anything, err);
	}
	sqlite3_finalize(stmt);
	return silent;
}

/*
 * The answer holds for the run of a statement. SQLite keeps what belongs to one and forgets it at the
 * run's end: auxiliary data, whose negative numbers belong to no argument. Should a version not keep
 * it, the answer is found anew.
 */
static int slot_of(const sr_command *cmd)
{
	return -0x73716c00 - (int) (cmd - sr_commands);
}

bool sq_call_is_direct(sqlite3_context *ctx, const sr_command *cmd, sr_err *err)
{
	sqlite3 *db = sqlite3_context_db_handle(ctx);

	if (sqlite3_get_auxdata(ctx, slot_of(cmd)) == cmd)
		return true;
	if (cmd->group != SR_GROUP_PUBLIC && !surely_direct(db, cmd->name) &&
		!files_are_silent(db, cmd, false, err))
		return false;
	sqlite3_set_auxdata(ctx, slot_of(cmd), (void *) cmd, NULL);
	return true;
}

/* Of a function that SQLite does not keep from views and triggers: it must not stand in any file. */
bool sq_call_is_of_no_file(sqlite3_context *ctx, const sr_command *cmd, sr_err *err)
{
	if (sqlite3_get_auxdata(ctx, slot_of(cmd)) == cmd)
		return true;
	if (!files_are_silent(sqlite3_context_db_handle(ctx), cmd, true, err))
		return false;
	sqlite3_set_auxdata(ctx, slot_of(cmd), (void *) cmd, NULL);
	return true;
}

/* A file that somebody sent may name keys, but neither wipe a database nor command Redis. */
bool sq_call_is_trusted(sqlite3_context *ctx, sr_err *err)
{
	const sq_function *f = sqlite3_user_data(ctx);

	return f->st->settings.trigger_commands != 0 || sq_call_is_of_no_file(ctx, f->cmd, err);
}
