/*
 * txn.c - how SQLite tells us what becomes of a transaction: a virtual table in temp, which is taken
 * into every transaction that queues keys and is never read or written.
 *
 * Neither sqlite3_commit_hook nor sqlite3_update_hook is used: there is one of each, it is the
 * application's, and they know nothing of savepoints. The module is not eponymous: such a table lives
 * in main, and writing to it takes main's write lock.
 *
 * No statement on the table is kept: a prepared statement of ours would make the application's
 * sqlite3_close fail.
 */
#include "sqlredis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutation.h"

typedef struct txn_table
{
	sqlite3_vtab base;
	sq_db		*st;
} txn_table;

static sq_db *state(sqlite3_vtab *vtab)
{
	return ((txn_table *) vtab)->st;
}

/* ---- taking part ---- */

#define CREATE_TABLE "CREATE VIRTUAL TABLE IF NOT EXISTS temp." SQ_TXN_TABLE " USING " SQ_TXN_TABLE
#define DROP_TABLE	 "DROP TABLE temp." SQ_TXN_TABLE
#define CREATE_SPARE "CREATE TABLE IF NOT EXISTS temp." SQ_TXN_TABLE "_spare(x)"
#define CREATE_INDEX                                                                               \
	"CREATE INDEX IF NOT EXISTS temp." SQ_TXN_TABLE "_index ON " SQ_TXN_TABLE "_spare(x)"
#define BEGIN_WRITE "DELETE FROM temp." SQ_TXN_TABLE " WHERE 0"

static bool is_writing(sqlite3 *db)
{
	for (sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL); stmt != NULL;
		 stmt = sqlite3_next_stmt(db, stmt))
		if (sqlite3_stmt_busy(stmt) && !sqlite3_stmt_readonly(stmt))
			return true;
	return false;
}

bool sq_txn_running(const sq_db *st)
{
	return st->enlisted || !sqlite3_get_autocommit(st->db) || is_writing(st->db);
}

/*
 * CREATE VIRTUAL TABLE expires every statement, and a running one that is expired and opens another
 * table ends with "abort due to ROLLBACK". CREATE INDEX expires them too, but lets running ones go
 * on, and has the last word: so an index is created as well, on a table that nothing else uses.
 */
static bool create_tables(sq_db *st, sr_err *err)
{
	return sq_exec(st->db, err, CREATE_TABLE) && sq_exec(st->db, err, CREATE_SPARE) &&
		   sq_exec(st->db, err, CREATE_INDEX);
}

/*
 * SQLite announces the end of no savepoint whose begin it did not announce, and of those that were
 * there when the table was created it announced none: one more makes it catch up.
 */
static bool learn_depth(sq_db *st)
{
	return sq_exec(st->db, NULL, "SAVEPOINT sqlredis_depth") &&
		   sq_exec(st->db, NULL, "RELEASE sqlredis_depth");
}

/* Does the statement's program open no table of a file? Then being expired does not end it. */
static bool opens_nothing(sqlite3 *db, sqlite3_stmt *running)
{
	const char	 *sql = sqlite3_sql(running);
	sqlite3_stmt *program = sql != NULL ? sq_prepare(db, NULL, "EXPLAIN %s", sql) : NULL;
	bool		  nothing = program != NULL;

	while (nothing && sqlite3_step(program) == SQLITE_ROW)
	{
		const char *opcode = (const char *) sqlite3_column_text(program, 1);

		nothing = opcode != NULL && strcmp(opcode, "OpenRead") != 0 &&
				  strcmp(opcode, "OpenWrite") != 0 && strcmp(opcode, "ReopenIdx") != 0;
	}
	sqlite3_finalize(program);
	return nothing;
}

/*
 * Creating the table anew takes it into the transaction without touching a counter. The index is
 * there by now and cannot be dropped while a statement runs, so this is only for a caller that being
 * expired does no harm to, like `SELECT redis_invalidate('key')`.
 */
static bool enlist_by_create(sq_db *st)
{
	for (sqlite3_stmt *stmt = sqlite3_next_stmt(st->db, NULL); stmt != NULL;
		 stmt = sqlite3_next_stmt(st->db, stmt))
		if (sqlite3_stmt_busy(stmt) && !opens_nothing(st->db, stmt))
			return false;
	return sq_exec(st->db, NULL, DROP_TABLE) && sq_exec(st->db, NULL, CREATE_TABLE) &&
		   learn_depth(st);
}

static bool explain(sr_err *err)
{
	if (err->hint[0] == '\0')
		snprintf(err->hint, sizeof err->hint,
				 "sqlredis learns from a table in temp how the transaction ends.");
	return false;
}

/*
 * There are two ways in. Writing to the table, without changing it, is the cheap one; it locks
 * nothing but temp and leaves total_changes() and last_insert_rowid() alone, but sets changes() to 0.
 * A statement that writes sets that again when it ends. Between statements the application may still
 * ask for changes(), and creating the table leaves it alone.
 */
bool sq_txn_enlist(sq_db *st, sr_err *err)
{
	bool was_begun = st->begun, done = false, writing;

	if (st->enlisted)
		return true;
	if (st->instances == 0 && !create_tables(st, err))
		return explain(err);
	writing = is_writing(st->db);
	if (st->begun && !was_begun && !writing)
		done = learn_depth(st);
	else if (!writing && sqlite3_changes(st->db) != 0)
		done = enlist_by_create(st);
	/* The table may be gone although somebody still holds its object. */
	if (!done && !sq_exec(st->db, NULL, BEGIN_WRITE) &&
		!(create_tables(st, err) && sq_exec(st->db, err, BEGIN_WRITE)))
		return explain(err);
	if (!st->begun)
		return sr_fail(err, SR_E_OPTION, "Is temp." SQ_TXN_TABLE " another table?",
					   "SQLite does not tell when this transaction ends");
	st->enlisted = true;
	return true;
}

/* ---- the outcome (every callback may come more than once: a table that a rollback removed and the
 * one created after it can both be part of a transaction) ---- */

static void forget(sq_db *st)
{
	st->enlisted = false;
	st->begun = false;
	st->dialled = false;
	st->depth = 0;
}

static int begin(sqlite3_vtab *vtab)
{
	state(vtab)->begun = true;
	return SQLITE_OK;
}

/*
 * About to commit. SQLite calls this again when COMMIT was refused (SQLITE_BUSY) and is said again, and in
 * between anything may have been rolled back to a savepoint: all is done anew each time. A transaction
 * whose effects cannot be written down does not commit; "durable" would be a lie. Nor does one that has lost what
 * it holds in Redis. That is asked last, as those who were told "yes" must not wait for the answer to come true
 * longer than need be; SQLite rolls the transaction back, and roll_back gives back what is left.
 */
static int before_commit(sqlite3_vtab *vtab)
{
	sq_db *st = state(vtab);
	sr_err err = {0};
	int	   rc = SQLITE_OK;

	sq_courier_after_fork(st);
	sq_holds_after_fork(st);
	st->outboxed = false;
	if (sr_inval_count(st->queue) > 0)
	{
		sq_outbox_look(st, true);
		rc = sq_outbox_write(st, &st->outboxed, &err);
	}
	else
		sq_outbox_rolled_back(st);
	if (rc == SQLITE_OK && (sr_inval_count(st->queue) > 0 || sq_is_holding(st)))
	{
		sq_prepare_delivery(st);
		rc = sq_holds_keep(st, &err) ? SQLITE_OK : SQLITE_ERROR;
	}
	if (rc != SQLITE_OK)
	{
		sqlite3_free(vtab->zErrMsg);
		vtab->zErrMsg = err.cls != SR_OK ? sq_error_text(&err) : NULL;
	}
	else if (sr_without(AFTER_COMMIT) && sr_inval_count(st->queue) > 0)
		sq_deliver(st, st->outboxed);
	return rc;
}

/* The commit is visible and its locks are free. */
static int commit_done(sqlite3_vtab *vtab)
{
	sq_db	*st = state(vtab);
	uint64_t number = 0;

	forget(st);
	if (sr_inval_count(st->queue) > 0)
		number = sq_deliver(st, st->outboxed);
	sq_outbox_committed(st, number);
	st->outboxed = false;
	sq_holds_committed(st);
	assert(sr_inval_count(st->queue) == 0 && !sq_is_holding(st));
	return SQLITE_OK;
}

/*
 * Also called by an sqlite3_close that then fails because of an unfinished statement: the transaction
 * goes on, but we are no longer part of it. SQLite rolls the files back first, so a write that is
 * still open in temp gives it away. The keys stay, as a key too many does no harm, and so does what is held: the
 * next redis_invalidate enlists again, and a call after the transaction sends them.
 */
static int roll_back(sqlite3_vtab *vtab)
{
	sq_db *st = state(vtab);

	forget(st);
	sq_outbox_rolled_back(st);
	if (sqlite3_txn_state(st->db, "temp") == SQLITE_TXN_WRITE)
		return SQLITE_OK;
	if (!sr_without(ROLLBACK))
		sr_inval_clear(st->queue);
	sq_holds_rolled_back(st, -1);
	return SQLITE_OK;
}

static int savepoint(sqlite3_vtab *vtab, int n)
{
	assert(n >= 0);
	state(vtab)->depth = n + 1;
	return SQLITE_OK;
}

static int release(sqlite3_vtab *vtab, int n)
{
	sq_db *st = state(vtab);

	assert(n >= 0);
	sr_inval_release(st->queue, n);
	sq_holds_released(st, n);
	st->depth = n;
	return SQLITE_OK;
}

/* The savepoint stays; -1 is the one that began the transaction. */
static int rollback_to(sqlite3_vtab *vtab, int n)
{
	sq_db *st = state(vtab);

	assert(n >= -1);
	if (sr_without(DEPTH_TAGS))
		sr_inval_clear(st->queue);
	else if (!sr_without(ROLLBACK))
		sr_inval_rollback_to(st->queue, n);
	sq_holds_rolled_back(st, n);
	st->depth = n + 1;
	return SQLITE_OK;
}

/* ---- the table ---- */

static int attach_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
						sqlite3_vtab **out, char **error)
{
	const sq_function *f = aux;
	txn_table		  *t;
	int				   rc;

	if (argc != 3 || sqlite3_stricmp(argv[1], "temp") != 0 ||
		sqlite3_stricmp(argv[2], SQ_TXN_TABLE) != 0)
	{
		*error = sqlite3_mprintf("%s is internal to sqlredis", SQ_TXN_TABLE);
		return SQLITE_ERROR;
	}
	rc = sqlite3_declare_vtab(db, "CREATE TABLE x(unused)");
	if (rc != SQLITE_OK)
		return rc;
	t = calloc(1, sizeof *t);
	if (t == NULL)
		return SQLITE_NOMEM;
	t->st = f->st;
	f->st->instances++;
	*out = &t->base;
	return SQLITE_OK;
}

/* A table that is created is part of the transaction from then on, without an xBegin. */
static int create_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
						sqlite3_vtab **out, char **error)
{
	int rc = attach_table(db, aux, argc, argv, out, error);

	if (rc == SQLITE_OK)
		((const sq_function *) aux)->st->begun = true;
	return rc;
}

static int disconnect(sqlite3_vtab *vtab)
{
	state(vtab)->instances--;
	free(vtab);
	return SQLITE_OK;
}

/* While keys are queued, dropping the table would lose them. */
static int destroy(sqlite3_vtab *vtab)
{
	if (state(vtab)->enlisted)
		return SQLITE_LOCKED;
	return disconnect(vtab);
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	(void) vtab;
	(void) info;
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
	(void) vtab;
	*out = calloc(1, sizeof **out);
	return *out != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
	free(cursor);
	return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *cursor, int number, const char *text, int argc,
				  sqlite3_value **argv)
{
	(void) cursor;
	(void) number;
	(void) text;
	(void) argc;
	(void) argv;
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *cursor)
{
	(void) cursor;
	return SQLITE_OK;
}

static int at_eof(sqlite3_vtab_cursor *cursor)
{
	(void) cursor;
	return 1;
}

static int column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int i)
{
	(void) cursor;
	(void) i;
	sqlite3_result_null(ctx);
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out)
{
	(void) cursor;
	*out = 0;
	return SQLITE_OK;
}

/* What makes the table writable, and so part of transactions. */
static int update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid_out)
{
	(void) argc;
	(void) argv;
	(void) rowid_out;
	vtab->zErrMsg = sqlite3_mprintf("%s is internal to sqlredis", SQ_TXN_TABLE);
	return SQLITE_READONLY;
}

static const sqlite3_module module = {
	.iVersion = 2,
	.xCreate = create_table,
	.xConnect = attach_table,
	.xBestIndex = best_index,
	.xDisconnect = disconnect,
	.xDestroy = destroy,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = filter,
	.xNext = next,
	.xEof = at_eof,
	.xColumn = column,
	.xRowid = rowid,
	.xUpdate = update,
	.xBegin = begin,
	.xSync = before_commit,
	.xCommit = commit_done,
	.xRollback = roll_back,
	.xSavepoint = savepoint,
	.xRelease = release,
	.xRollbackTo = rollback_to,
};

int sq_register_txn(sq_db *st)
{
	sq_function *f = sq_function_new(st, NULL);

	if (f == NULL)
		return SQLITE_NOMEM;
	return sqlite3_create_module_v2(st->db, SQ_TXN_TABLE, &module, f, sq_function_free);
}
