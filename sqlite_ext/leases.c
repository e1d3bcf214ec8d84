/*
 * leases.c - redis_cache_get and redis_cache_fill: the cache for a caller that computes the value itself, in
 * a statement between the two.
 *
 * A table-valued function is called when the snapshot of its statement is open already, so a lease is older
 * than a value only if that value is computed once the statement has ended, by another one. Therefore:
 * no lease where another statement keeps a snapshot open, or where the statement reads a table of its own;
 * no fill while the statement that took the lease runs; and a lease is given back when somebody read a table
 * before that statement had ended.
 */
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "mutation.h"

/* The one row of redis_cache_get. */
typedef struct sq_lease
{
	sq_rows			 base;
	sq_db			*st;
	bool			 given; /* the row */
	sr_cached		 cached;
	sr_value		 cells[2];
	sr_buf			 key;
	int64_t			 pages; /* that the connection had looked at when the lease was taken */
	struct sq_lease *next;	/* in st->leases */
} sq_lease;

/* ---- who may have a lease ---- */

/* Grows whenever a statement of the connection looks at a table or an index. */
static int64_t pages_seen(sqlite3 *db)
{
	int hits = 0, misses = 0, unused;

	sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_HIT, &hits, &unused, 0);
	sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_MISS, &misses, &unused, 0);
	return (int64_t) hits + misses;
}

/* The statement that runs; NULL: there are several. */
static sqlite3_stmt *only_statement(sqlite3 *db)
{
	sqlite3_stmt *only = NULL;

	for (sqlite3_stmt *stmt = sqlite3_next_stmt(db, NULL); stmt != NULL;
		 stmt = sqlite3_next_stmt(db, stmt))
	{
		if (!sqlite3_stmt_busy(stmt))
			continue;
		if (only != NULL)
			return NULL;
		only = stmt;
	}
	return only;
}

static bool may_lease(sqlite3 *db, sr_unfilled *why)
{
	*why = SR_UNFILLED_ISOLATION;
	if (sqlite3_txn_state(db, NULL) == SQLITE_TXN_WRITE)
	{
		*why = SR_UNFILLED_OWN_WRITES;
		return sr_without(OWN_WRITES_RULE);
	}
	return sr_without(STATEMENT_RULE) || (sqlite3_get_autocommit(db) && only_statement(db) != NULL);
}

/* Does it read anything but this one function? It could put a value beside the lease that is older. */
static bool reads_more(sqlite3 *db, sqlite3_stmt *running)
{
	const char	 *sql = running != NULL ? sqlite3_sql(running) : NULL;
	sqlite3_stmt *program = sql != NULL ? sq_prepare(db, NULL, "EXPLAIN %s", sql) : NULL;
	int			  opened = program != NULL ? 0 : 2;

	while (opened < 2 && sqlite3_step(program) == SQLITE_ROW)
	{
		const char *opcode = (const char *) sqlite3_column_text(program, 1);

		if (opcode == NULL || strcmp(opcode, "OpenRead") == 0 || strcmp(opcode, "ReopenIdx") == 0)
			opened = 2;
		else
			opened += strcmp(opcode, "VOpen") == 0;
	}
	return sqlite3_finalize(program) != SQLITE_OK || opened > 1;
}

/* ---- redis_cache_get ---- */

static void hold(sq_lease *l)
{
	l->pages = pages_seen(l->st->db);
	l->next = l->st->leases;
	l->st->leases = l;
}

/* The statement has ended, or this row of it has. */
static void let_go(sq_lease *l)
{
	sq_lease **at = &l->st->leases;

	while (*at != NULL && *at != l)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = l->next;
	if (pages_seen(l->st->db) != l->pages && !sr_without(STATEMENT_RULE))
		sq_lease_release(l->st, l->key.data, l->key.len, l->cached.lease);
}

static bool look_up(sq_lease *l, sr_client *client, sr_err *err)
{
	unsigned char epoch[SR_EPOCH_SIZE];
	sr_unfilled	  why = SR_UNFILLED_QUEUED;
	bool		  leases;

	l->cached.found = SR_CACHE_MISSED;
	if (sq_will_invalidate(l->st, l->key.data, l->key.len) || !sq_epoch(l->st, epoch, &why))
	{
		sr_client_count_unfilled(client, why);
		return true;
	}
	leases = may_lease(l->st->db, &why);
	if (!sr_cache_lookup(client, epoch, l->key.data, l->key.len, leases ? SR_CACHE_LEASE : 0,
						 &l->cached, err))
		return false;
	if (l->cached.found == SR_CACHE_LEASED && !sr_without(STATEMENT_RULE) &&
		(reads_more(l->st->db, only_statement(l->st->db)) ||
		 sq_pragma_is_on(l->st->db, "read_uncommitted")))
	{
		sq_lease_release(l->st, l->key.data, l->key.len, l->cached.lease);
		sr_client_count_unfilled(client, SR_UNFILLED_ISOLATION);
		l->cached.found = SR_CACHE_MISSED;
	}
	else if (l->cached.found == SR_CACHE_MISSED && l->cached.reason == SR_UNFILLED_REASONS)
		sr_client_count_unfilled(client, why);
	sq_note_cache(l->st, err);
	return true;
}

static int lease_next(sq_rows *rows, const sr_value **cells, sr_err *err)
{
	sq_lease *l = (sq_lease *) rows;

	(void) err;
	if (l->given)
		return 0;
	l->given = true;
	*cells = l->cells;
	return 1;
}

static void lease_close(sq_rows *rows)
{
	sq_lease *l = (sq_lease *) rows;

	let_go(l);
	sr_cached_free(&l->cached);
	sr_buf_free(&l->key);
	free(l);
}

static bool open_lease(sq_lease *l, const sr_value *key, sr_err *err)
{
	sr_client *client = sq_client(l->st, err);

	if (client == NULL)
		return false;
	if (!sr_buf_add(&l->key, key->data, key->len))
		return sr_fail_memory(err);
	if (!look_up(l, client, err))
		return false;
	if (l->cached.found == SR_CACHE_HIT)
		l->cells[0] = l->cached.value;
	if (l->cached.found == SR_CACHE_LEASED)
	{
		l->cells[1] = (sr_value){
			.type = SR_TYPE_TEXT, .data = l->cached.lease, .len = strlen(l->cached.lease)};
		hold(l);
	}
	return true;
}

/* A key that is NULL has no row, as in every function that gives rows. */
sq_rows *sq_cache_get_open(sq_db *st, const sr_value *key, sr_err *err)
{
	sq_lease *l = calloc(1, sizeof *l);

	if (l == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	l->base.next = lease_next;
	l->base.close = lease_close;
	l->st = st;
	l->given = key->type == SR_TYPE_NULL;
	if (l->given || open_lease(l, key, err))
		return &l->base;
	lease_close(&l->base);
	return NULL;
}

/* ---- redis_cache_fill ---- */

/* Does a value that is given now to fill under the lease come from after it? */
static bool may_fill(const sq_db *st, const char *lease, size_t len, sr_unfilled *why)
{
	*why = SR_UNFILLED_OWN_WRITES;
	if (sqlite3_txn_state(st->db, NULL) == SQLITE_TXN_WRITE)
		return sr_without(OWN_WRITES_RULE);
	*why = SR_UNFILLED_ISOLATION;
	for (const sq_lease *l = st->leases; l != NULL; l = l->next)
		if (strlen(l->cached.lease) == len && memcmp(l->cached.lease, lease, len) == 0)
			return sr_without(STATEMENT_RULE);
	return true;
}

/* Key, lease, value, ttl, tag ... as the core takes them. */
static bool read_args(const sq_function *f, int argc, sqlite3_value **argv, sr_value *args,
					  sr_err *err)
{
	for (int i = 0; i < argc; i++)
		if (!sq_value_in(argv[i], &f->cmd->args[i < 4 ? i : 4], &args[i]))
			return sr_fail_memory(err);
	return true;
}

/* A value that must not be filled now is none to fill later, either. */
static void refuse(sq_db *st, const sr_value *key, const sr_value *lease, sr_unfilled why)
{
	char text[sizeof((sr_cached *) NULL)->lease];

	sr_client_count_unfilled(st->client, why);
	if (lease->len >= sizeof text)
		return;
	memcpy(text, lease->data, lease->len);
	text[lease->len] = '\0';
	sq_lease_release(st, key->data, key->len, text);
}

static void fill(sqlite3_context *ctx, const sq_function *f, int argc, const sr_value *args)
{
	const sr_value *key = &args[0], *lease = &args[1];
	sr_err			err = {0};
	sr_client	   *client = sq_client(f->st, &err);
	sr_unfilled		why;
	int64_t			ttl = 0;
	bool			filled = false;

	if (client == NULL || !sr_value_ms(&f->cmd->args[3], &args[3], &ttl, &err))
		sq_result_error(ctx, &err);
	else if (ttl <= 0)
	{
		sr_fail(&err, SR_E_OPTION, "", "ttl must be more than 0 seconds");
		sq_result_error(ctx, &err);
	}
	else if (lease->type == SR_TYPE_NULL)
		sqlite3_result_int(ctx, 0);
	else if (!may_fill(f->st, lease->data, lease->len, &why))
	{
		refuse(f->st, key, lease, why);
		sqlite3_result_int(ctx, 0);
	}
	else if (sr_cache_fill(client, key->data, key->len, lease->data, lease->len, &args[2], ttl,
						   argc - 4, args + 4, &filled, &err))
	{
		sq_note_cache(f->st, &err);
		sqlite3_result_int(ctx, filled);
	}
	else
		sq_result_error(ctx, &err);
}

void sq_cache_fill(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const sq_function *f = sqlite3_user_data(ctx);
	sr_value		  *args;
	sr_err			   err = {0};

	/* A lease that is NULL fills nothing; a value that is NULL is one to cache. */
	for (int i = 0; i < argc; i++)
		if (i != 1 && i != 2 && sqlite3_value_type(argv[i]) == SQLITE_NULL)
			return;
	args = sqlite3_malloc64((sqlite3_uint64) argc * sizeof *args);
	if (args == NULL)
	{
		sqlite3_result_error_nomem(ctx);
		return;
	}
	if (read_args(f, argc, argv, args, &err))
		fill(ctx, f, argc, args);
	else
		sq_result_error(ctx, &err);
	sqlite3_free(args);
}
