/*
 * drain.c - redis_outbox, redis_outbox_drain, and what redis_stats says of the outboxes: what an operator
 * asks for. Nothing else of ours takes a write lock by itself.
 */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DRAIN_ROWS	1000
#define SHOWN_KEYS	100
#define SHOWN_BYTES ((size_t) 1000) /* of a key */

/* ---- redis_stats ---- */

void sq_outbox_note(sq_db *st)
{
	uint64_t		rows = 0;
	double			oldest = 0;
	struct timespec now;
	const char	   *schema;

	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 0; (schema = sq_schema(st->db, i)) != NULL; i++)
	{
		const sq_box *box = sq_has_outbox(st->db, schema) ? sq_box_find(st, schema) : NULL;
		sqlite3_stmt *row = NULL;

		if (box != NULL)
			row = sq_prepare(st->db, NULL, "SELECT id, created_at FROM \"%w\"." SQ_OUTBOX, schema);
		while (row != NULL && sqlite3_step(row) == SQLITE_ROW)
		{
			double created_at = sqlite3_column_double(row, 1);

			if (sq_box_delivered(st, box, sqlite3_column_int64(row, 0)))
				continue;
			oldest = rows++ == 0 || created_at < oldest ? created_at : oldest;
		}
		sqlite3_finalize(row);
	}
	oldest = rows > 0 ? (double) now.tv_sec + (double) now.tv_nsec / 1e9 - oldest : 0;
	sr_client_note_outbox(st->client, rows, oldest > 0 ? oldest : 0);
	sr_client_note_other(st->client, sq_courier_held(st), sq_courier_sent(st));
}

/* ---- redis_outbox ---- */

typedef struct owed
{
	sq_rows		  base;
	sq_db		 *st;
	int			  schema;
	const sq_box *box;
	sqlite3_stmt *rows;
	sr_inval	 *effects, *bare;
	sr_buf		  packed, json;
	sr_err		  why;
	sr_value	  cells[5];
} owed;

/* The effects without the key prefix, as everything else shows keys; a key of megabytes is cut. */
static bool strip(const owed *o, sr_err *err)
{
	sr_inval_clear(o->bare);
	for (size_t i = 0; i < sr_inval_count(o->effects); i++)
	{
		sr_effect	kind;
		size_t		len, prefix;
		const char *data = sr_inval_effect(o->effects, i, &kind, &len, NULL);

		prefix = sq_prefix_of(o->st, kind, data, len);
		if (!sr_effect_is_group(kind) && len - prefix > SHOWN_BYTES)
			len = prefix + SHOWN_BYTES;
		if (sr_inval_push_effect(o->bare, kind, data + prefix, len - prefix, 0) ==
			SR_PUSH_NO_MEMORY)
			return sr_fail_memory(err);
	}
	return true;
}

static bool describe(owed *o, sr_err *err)
{
	size_t at = 0;

	o->packed.len = o->json.len = 0;
	if (!strip(o, err))
		return false;
	if (sr_inval_count(o->bare) == 0)
		return sr_buf_str(&o->json, "[]") || sr_fail_memory(err);
	return (sr_effects_pack(o->bare, &at, SIZE_MAX, &o->packed) || sr_fail_memory(err)) &&
		   sr_effects_json(o->packed.data, o->packed.len, SHOWN_KEYS, &o->json, err);
}

/* A row that this connection delivers waits for Redis; another one's owner is not known here. */
static bool fill(owed *o, sr_err *err)
{
	sqlite3_int64 id = sqlite3_column_int64(o->rows, 0);
	bool		  readable;
	uint64_t	  attempts = 0;

	o->why = (sr_err){0};
	sr_inval_clear(o->effects);
	readable = sq_read_row(o->st, o->rows, o->effects, &o->why);
	if (readable && !describe(o, err))
		return false;
	if (sq_box_has(o->box, id))
		attempts = sq_courier_attempts(o->st, &o->why);
	else if (readable)
		sq_may_deliver(o->st, o->effects, &o->why);
	o->cells[0] = (sr_value){.type = SR_TYPE_INTEGER, .i = id};
	o->cells[1] = (sr_value){
		.type = readable ? SR_TYPE_TEXT : SR_TYPE_NULL, .data = o->json.data, .len = o->json.len};
	o->cells[2] = (sr_value){.type = SR_TYPE_DOUBLE, .d = sqlite3_column_double(o->rows, 1)};
	o->cells[3] = (sr_value){.type = SR_TYPE_INTEGER, .i = (int64_t) attempts};
	o->cells[4] = (sr_value){.type = SR_TYPE_NULL};
	if (o->why.cls != SR_OK && (attempts > 0 || !sq_box_has(o->box, id)))
		o->cells[4] =
			(sr_value){.type = SR_TYPE_TEXT, .data = o->why.msg, .len = strlen(o->why.msg)};
	return true;
}

/* 1: rows is the next schema's, 0: there are no more, -1: err */
static int next_schema(owed *o, sr_err *err)
{
	const char *schema;

	while ((schema = sq_schema(o->st->db, o->schema++)) != NULL)
	{
		if (!sq_has_outbox(o->st->db, schema))
			continue;
		o->box = sq_box_find(o->st, schema);
		if (o->box == NULL)
		{
			sr_fail_memory(err);
			return -1;
		}
		o->rows = sq_prepare(o->st->db, err, SQ_ROWS_OF, schema, (sqlite3_int64) 0, -1);
		return o->rows != NULL ? 1 : -1;
	}
	return 0;
}

static int owed_next(sq_rows *rows, const sr_value **cells, sr_err *err)
{
	owed *o = (owed *) rows;

	for (;;)
	{
		int rc = o->rows != NULL ? sqlite3_step(o->rows) : SQLITE_DONE;

		if (rc == SQLITE_ROW)
		{
			if (sq_box_delivered(o->st, o->box, sqlite3_column_int64(o->rows, 0)))
				continue;
			*cells = o->cells;
			return fill(o, err) ? 1 : -1;
		}
		rc = sqlite3_finalize(o->rows);
		o->rows = NULL;
		if (rc != SQLITE_OK)
		{
			sq_fail_sqlite(err, o->st->db, "SQLite");
			return -1;
		}
		rc = next_schema(o, err);
		if (rc <= 0)
			return rc;
	}
}

static void owed_close(sq_rows *rows)
{
	owed *o = (owed *) rows;

	sqlite3_finalize(o->rows);
	sr_inval_free(o->effects);
	sr_inval_free(o->bare);
	sr_buf_free(&o->packed);
	sr_buf_free(&o->json);
	free(o);
}

sq_rows *sq_outbox_open(sq_db *st, sr_err *err)
{
	owed *o = calloc(1, sizeof *o);

	if (o == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	sq_courier_after_fork(st);
	sq_configure(st);
	o->base.next = owed_next;
	o->base.close = owed_close;
	o->st = st;
	o->effects = sr_inval_new();
	o->bare = sr_inval_new();
	if (o->effects != NULL && o->bare != NULL)
		return &o->base;
	owed_close(&o->base);
	sr_fail_memory(err);
	return NULL;
}

/* ---- redis_outbox_drain ---- */

/* Delivered rows are deleted with the others. */
static bool collect(sq_leftovers *l, const char *schema, sqlite3_int64 *after, bool *more,
					sr_err *err)
{
	sqlite3		 *db = l->st->db;
	sqlite3_stmt *rows = sq_prepare(db, err, SQ_ROWS_OF, schema, *after, DRAIN_ROWS);
	bool		  ok = rows != NULL;

	*more = false;
	while (ok && !*more && sqlite3_step(rows) == SQLITE_ROW)
	{
		*after = sqlite3_column_int64(rows, 0);
		if (sq_box_delivered(l->st, l->box, *after))
			sq_leftovers_include(l, *after);
		else
			ok = sq_leftovers_add(l, rows, err);
		*more = sq_leftovers_full(l, DRAIN_ROWS);
	}
	sq_leftovers_pass(l);
	if (sqlite3_finalize(rows) != SQLITE_OK && ok)
		return sq_fail_sqlite(err, db, "SQLite");
	return ok;
}

static bool send(sq_leftovers *l, sr_err *err)
{
	sr_flush_result result;

	sr_flush(l->st->client, l->found, SR_FLUSH_LEAVE | SR_FLUSH_ONLY, &result);
	if (result.kept > 0)
	{
		*err = result.err;
		return false;
	}
	if (result.lost > 0)
		sq_log(&result.err);
	return true;
}

/* The file is ours from the first DELETE on: between these ids there is nothing but what was sent. */
static bool take_some(sq_leftovers *l, const char *schema, sqlite3_int64 *after, bool *more,
					  sr_err *err)
{
	sqlite3 *db = l->st->db;

	if (!sq_exec(db, err, "DELETE FROM \"%w\"." SQ_OUTBOX " WHERE 0", schema) ||
		!collect(l, schema, after, more, err) || !send(l, err))
		return false;
	for (int i = 0; i < l->range_count; i++)
		if (!sq_exec(db, err, "DELETE FROM \"%w\"." SQ_OUTBOX " WHERE id BETWEEN %lld AND %lld",
					 schema, l->ranges[i].first, l->ranges[i].last))
			return false;
	return true;
}

/* How many rows; -1: err. *refused: of rows that this connection may not deliver. */
static int64_t drain(sq_db *st, const char *schema, sr_err *refused, sr_err *err)
{
	int64_t		  rows = 0;
	sqlite3_int64 after = 0;
	bool		  more = true;

	while (more)
	{
		sq_leftovers l;
		bool		 ok = sq_leftovers_begin(&l, st, schema, err) &&
				  sq_exec(st->db, err, "SAVEPOINT sqlredis_drain");

		if (ok)
		{
			ok = take_some(&l, schema, &after, &more, err) &&
				 sq_exec(st->db, err, "RELEASE sqlredis_drain");
			if (!ok)
			{
				sq_exec(st->db, NULL, "ROLLBACK TO sqlredis_drain");
				sq_exec(st->db, NULL, "RELEASE sqlredis_drain");
			}
		}
		rows += (int64_t) l.rows;
		if (l.refused > 0)
			*refused = l.refusal;
		sq_leftovers_end(&l);
		if (!ok)
			return -1;
	}
	return rows;
}

/* What a transaction wrote is owed once it is committed. */
static bool may_drain(sqlite3 *db, const char *schema, sr_err *err)
{
	return sqlite3_txn_state(db, schema) != SQLITE_TXN_WRITE ||
		   sr_fail(
			   err, SR_E_OPTION, "Call it outside of transactions.",
			   "redis_outbox_drain cannot tell what of the outbox \"%.100s\" is committed: this "
			   "transaction has written there",
			   schema);
}

void sq_outbox_drain(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	sq_db	   *st = ((const sq_function *) sqlite3_user_data(ctx))->st;
	sr_err		err = {0}, refused = {0};
	int64_t		rows = 0;
	const char *schema;
	bool		ok = sq_client_to_queue(st, &err) != NULL;

	(void) argc;
	(void) argv;
	/* no look of the connection's own, which would have the thread deliver some of it meanwhile */
	if (ok)
		sq_catch_up(st);
	for (int i = 0; ok && (schema = sq_schema(st->db, i)) != NULL; i++)
	{
		int64_t some;

		/* a file that cannot be written owes what somebody else has to deliver */
		if (!sq_has_outbox(st->db, schema) || sqlite3_db_readonly(st->db, schema) == 1)
			continue;
		some = may_drain(st->db, schema, &err) ? drain(st, schema, &refused, &err) : -1;
		ok = some >= 0;
		rows += some;
	}
	if (ok && refused.cls != SR_OK)
	{
		err = refused;
		ok = false;
	}
	if (ok)
		sqlite3_result_int64(ctx, rows);
	else
		sq_result_error(ctx, &err);
}
