/*
 * main.c - the entry point, and the state that lives as long as the sqlite3* it belongs to.
 *
 * Every registered function and module holds a reference to the state through its xDestroy; SQLite
 * calls those when the connection closes, so that nothing is left behind and nothing is global.
 */
#define SQ_MAIN
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

SQLITE_EXTENSION_INIT1

static void free_parts(sq_db *st)
{
	sr_client_free(st->client);
	sr_inval_free(st->queue);
	sr_inval_free(st->spare);
	sq_holds_free(st);
	sq_outbox_free(st->outbox);
	sr_buf_free(&st->scratch);
	sq_settings_free(&st->settings);
	free(st);
}

static sq_db *state_new(sqlite3 *db)
{
	sq_db  *st = calloc(1, sizeof *st);
	sr_host host;

	if (st == NULL)
		return NULL;
	st->db = db;
	st->refs = 1;
	sq_settings_init(&st->settings);
	host = sq_host(st);
	st->client = sr_client_new(&host);
	st->queue = sr_inval_new();
	st->spare = sr_inval_new();
	st->outbox = sq_outbox_new();
	if (st->client != NULL && st->queue != NULL && st->spare != NULL && st->outbox != NULL)
		return st;
	free_parts(st);
	return NULL;
}

/*
 * SQLite is closing the connection. What is queued belongs to a transaction that will not commit; what is
 * in the backlog or with the courier belongs to some that did, and gets one last, short chance, unless it
 * is known that Redis is away and an outbox has it.
 */
static void state_free(sq_db *st)
{
	sr_err			failure = {0};
	sr_flush_result result;

	st->no_sql = true;
	sr_inval_clear(st->queue);
	sq_holds_rolled_back(st, -1);
	sq_courier_close(st);
	if (sr_client_backlog(st->client) > 0)
	{
		const sr_host host = sq_host(st);

		st->give_up_at = host.now_ms(st) + st->settings.commit_timeout;
		if (sr_client_connect(st->client, SR_PROBE, &failure))
		{
			sr_flush(st->client, NULL, 0, &result);
			failure = result.err;
		}
		if (failure.cls != SR_OK)
			sq_log(&failure);
	}
	free_parts(st);
}

static void state_release(sq_db *st)
{
	if (--st->refs == 0)
		state_free(st);
}

sq_function *sq_function_new(sq_db *st, const sr_command *cmd)
{
	sq_function *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->st = st;
	f->cmd = cmd;
	st->refs++;
	return f;
}

void sq_function_free(void *function)
{
	sq_function *f = function;

	state_release(f->st);
	free(f);
}

sr_client *sq_client_to_queue(sq_db *st, sr_err *err)
{
	if (sr_client_busy(st->client))
	{
		sr_fail(err, SR_E_BUSY, "Do not call Redis functions from a progress handler or logger.",
				"this connection is waiting for Redis already");
		return NULL;
	}
	sq_courier_after_fork(st);
	sq_holds_after_fork(st);
	sq_configure(st);
	/* What a failed sqlite3_close cut off from its transaction, which is over now; nobody said how. */
	if (!st->enlisted && (sr_inval_count(st->queue) > 0 || sq_is_holding(st)) &&
		!sq_txn_running(st))
	{
		sq_send(st);
		sq_holds_committed(st);
	}
	return st->client;
}

sr_client *sq_client(sq_db *st, sr_err *err)
{
	sr_client *client = sq_client_to_queue(st, err);

	if (client != NULL)
	{
		sq_catch_up(st);
		sq_outbox_look(st, false);
	}
	return client;
}

/*
 * A second load on the same connection would replace the functions and lose the first one's state.
 * Asking for the module makes no error entry in the application's log, as preparing a call would.
 */
static bool already_loaded(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	bool		  found = false;

	if (sqlite3_prepare_v2(db, "PRAGMA module_list", -1, &stmt, NULL) != SQLITE_OK)
		return false;
	while (!found && sqlite3_step(stmt) == SQLITE_ROW)
	{
		const char *name = (const char *) sqlite3_column_text(stmt, 0);

		found = name != NULL && strcmp(name, SQ_TXN_TABLE) == 0;
	}
	sqlite3_finalize(stmt);
	return found;
}

__attribute__((visibility("default"))) int sqlite3_sqlredis_init(sqlite3 *db, char **error,
																 const sqlite3_api_routines *api);

int sqlite3_sqlredis_init(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
	sq_db *st;
	int	   rc;

	SQLITE_EXTENSION_INIT2(api);
	if (sqlite3_libversion_number() < 3035000)
	{
		*error = sqlite3_mprintf("sqlredis needs SQLite 3.35 or later, this is %s",
								 sqlite3_libversion());
		return SQLITE_ERROR;
	}
	if (already_loaded(db))
		return SQLITE_OK_LOAD_PERMANENTLY;
	st = state_new(db);
	if (st == NULL)
		return SQLITE_NOMEM;
	rc = sq_register_txn(st);
	if (rc == SQLITE_OK)
		rc = sq_register_functions(st);
	if (rc == SQLITE_OK)
		rc = sq_register_aggregates(st);
	if (rc == SQLITE_OK)
		rc = sq_register_tables(st);
	if (rc != SQLITE_OK)
		*error = sqlite3_mprintf("sqlredis: %s", sqlite3_errmsg(db));
	state_release(st);
	/* Threads and atexit handlers of the libraries below must not outlive their code. */
	return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc;
}
