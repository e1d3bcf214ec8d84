/*
 * cached.c - redis_cached: the cached answer of a query, or the query's, which it caches.
 *
 * An entry may be filled only by who took its lease before the query's snapshot. SQLite opens a snapshot
 * when a statement that reads a table begins, and keeps it to the end of the transaction: so a call may
 * fill when the connection has no snapshot yet and no transaction is open. Any other call answers from
 * what is cached, or from the database, and takes no lease.
 *
 * Redis only makes it faster: one that is away costs no answer.
 */
#include "sqlredis.h"

#include <string.h>

#include "command.h"
#include "mutation.h"
#include "outbox.h"

/* A query may call redis_cached; one that does so with itself would not end. */
#define DEEPEST 16

typedef struct call
{
	sq_db		   *st;
	sr_client	   *client;
	const char	   *key, *sql;
	size_t			key_len, sql_len;
	int64_t			ttl; /* ms */
	int				n;
	sqlite3_value **args; /* the query's */
} call;

/* ---- what may be cached ---- */

/* Plain triggers write keys into the outbox, past the queue. What cannot be looked at may name it. */
static bool outbox_names(sqlite3 *db, const char *schema, const char *key, size_t len)
{
	sqlite3_stmt *stmt;
	bool		  named;

	if (sqlite3_txn_state(db, schema) != SQLITE_TXN_WRITE || !sq_has_outbox(db, schema))
		return false;
	stmt = sq_prepare(db, NULL,
					  "SELECT 1 FROM \"%w\"." SQ_OUTBOX
					  " WHERE kind = 'key' AND CAST(data AS BLOB) = ?1",
					  schema);
	named = stmt == NULL || sqlite3_bind_blob64(stmt, 1, key, len, SQLITE_STATIC) != SQLITE_OK ||
			sqlite3_step(stmt) == SQLITE_ROW;
	return sqlite3_finalize(stmt) != SQLITE_OK || named;
}

static bool written_key(sqlite3 *db, const char *key, size_t len)
{
	const char *schema;

	if (sqlite3_txn_state(db, NULL) != SQLITE_TXN_WRITE)
		return false;
	for (int i = 0; (schema = sq_schema(db, i)) != NULL; i++)
		if (outbox_names(db, schema, key, len))
			return true;
	return false;
}

bool sq_will_invalidate(sq_db *st, const char *key, size_t len)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(st->client, &prefix_len);

	if (sr_without(QUEUED_RULE))
		return false;
	/* Which entries a tag or a pattern names, only Redis knows. */
	if (sr_inval_count_of(st->queue, SR_EFFECT_TAG) > 0 ||
		sr_inval_count_of(st->queue, SR_EFFECT_PATTERN) > 0)
		return true;
	if (sr_inval_count(st->queue) > 0)
	{
		st->scratch.len = 0;
		if (!sr_buf_add(&st->scratch, prefix, prefix_len) || !sr_buf_add(&st->scratch, key, len) ||
			sr_inval_contains(st->queue, st->scratch.data, st->scratch.len))
			return true;
	}
	return written_key(st->db, key, len);
}

/* Would a snapshot that the query takes now be newer than a lease that is taken now? */
static bool may_fill(const sq_db *st, sr_unfilled *why)
{
	switch (sqlite3_txn_state(st->db, NULL))
	{
		case SQLITE_TXN_WRITE: *why = SR_UNFILLED_OWN_WRITES; return sr_without(OWN_WRITES_RULE);
		case SQLITE_TXN_READ: *why = SR_UNFILLED_ISOLATION; return sr_without(SNAPSHOT_ORDER);
		default: *why = SR_UNFILLED_ISOLATION; return sqlite3_get_autocommit(st->db) != 0;
	}
}

void sq_note_cache(sq_db *st, const sr_err *err)
{
	if (err->cls != SR_OK && !st->warned)
		sqlite3_log(SQLITE_WARNING,
					"sqlredis: the cache cannot be used, the database answers: %s: %s",
					sr_class_word(err->cls), err->msg);
	st->warned = err->cls != SR_OK;
}

/* *out is what the cache says. A lease in it is to be filled or released. false: err ends the call. */
static bool look_up(const call *c, sr_cached *out, sr_err *err)
{
	unsigned char epoch[SR_EPOCH_SIZE];
	sr_unfilled	  why = SR_UNFILLED_QUEUED;
	bool		  fills;

	memset(out, 0, sizeof *out);
	out->found = SR_CACHE_MISSED;
	if (sq_will_invalidate(c->st, c->key, c->key_len) || !sq_epoch(c->st, epoch, &why))
	{
		sr_client_count_unfilled(c->client, why);
		return true;
	}
	fills = may_fill(c->st, &why);
	if (!sr_cache_lookup(c->client, epoch, c->key, c->key_len,
						 fills ? SR_CACHE_LEASE | SR_CACHE_WAIT : 0, out, err))
		return false;
	/* It only looked, and what it looked for was not there. */
	if (out->found == SR_CACHE_MISSED && out->reason == SR_UNFILLED_REASONS)
		sr_client_count_unfilled(c->client, why);
	sq_note_cache(c->st, err);
	return true;
}

/* ---- the database's answer ---- */

void sq_lease_release(sq_db *st, const char *key, size_t len, const char *lease)
{
	const sr_host host = sq_host(st);

	if (sr_client_busy(st->client))
		return;
	/* Those who wait for the fill shall not, also when this wait would end at once. */
	st->no_sql = true;
	st->give_up_at = host.now_ms(st) + st->settings.commit_timeout;
	sr_cache_release(st->client, key, len, lease);
	st->give_up_at = 0;
	st->no_sql = false;
}

/* What Redis does not take is answered all the same. */
static bool fill(const call *c, const sr_cached *cached, const sq_answer *answer, sr_err *err)
{
	bool filled, ok;

	if (answer->writes)
	{
		sq_lease_release(c->st, c->key, c->key_len, cached->lease);
		sr_client_count_unfilled(c->client, SR_UNFILLED_OWN_WRITES);
		return true;
	}
	ok = sr_cache_fill(c->client, c->key, c->key_len, cached->lease, strlen(cached->lease),
					   &answer->value, c->ttl, 0, NULL, &filled, err);
	if (ok)
		sq_note_cache(c->st, err);
	return ok;
}

static void raise(sqlite3_context *ctx, const sr_err *err, int code)
{
	if (code == 0 || err->cls == SR_E_LOCAL_MEMORY)
	{
		sq_result_error(ctx, err);
		return;
	}
	sqlite3_result_error(ctx, err->msg, -1);
	sqlite3_result_error_code(ctx, code);
}

static void ask_database(sqlite3_context *ctx, const call *c, const sr_cached *cached)
{
	sq_answer answer;
	sr_err	  err = {0};
	bool	  leased = cached->found == SR_CACHE_LEASED, ok;

	if (leased && sq_pragma_is_on(c->st->db, "read_uncommitted"))
	{
		leased = false;
		sq_lease_release(c->st, c->key, c->key_len, cached->lease);
		sr_client_count_unfilled(c->client, SR_UNFILLED_ISOLATION);
	}
	c->st->cached_depth++;
	ok = sq_answer_query(c->st->db, c->sql, c->sql_len, c->n, c->args, &answer, &err);
	c->st->cached_depth--;
	if (!ok && leased)
	{
		sq_lease_release(c->st, c->key, c->key_len, cached->lease);
		sr_client_count_unfilled(c->client, SR_UNFILLED_FAILED);
	}
	if (ok && leased)
		ok = fill(c, cached, &answer, &err);
	if (ok)
		sq_result_value(ctx, &answer.value);
	else
		raise(ctx, &err, answer.code);
	sq_answer_free(&answer);
}

/* ---- redis_cached ---- */

static bool read_call(call *c, const sq_function *f, int argc, sqlite3_value **argv, sr_err *err)
{
	sr_value ttl;

	c->st = f->st;
	c->key = sq_bytes(argv[0], &c->key_len);
	c->sql = (const char *) sqlite3_value_text(argv[2]);
	c->sql_len = (size_t) sqlite3_value_bytes(argv[2]);
	c->n = argc - 3;
	c->args = argv + 3;
	if (c->key == NULL || c->sql == NULL || !sq_value_in(argv[1], &f->cmd->args[1], &ttl))
		return sr_fail_memory(err);
	if (!sr_value_ms(&f->cmd->args[1], &ttl, &c->ttl, err))
		return false;
	if (c->ttl <= 0)
		return sr_fail(err, SR_E_OPTION, "", "ttl must be more than 0 seconds");
	if (c->st->cached_depth >= DEEPEST)
		return sr_fail(err, SR_E_OPTION, "Does the query call redis_cached with itself?",
					   "redis_cached runs inside itself %d times", DEEPEST);
	c->client = sq_client(c->st, err);
	return c->client != NULL;
}

void sq_cached(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	call	  c;
	sr_cached cached = {0};
	sr_err	  err = {0};

	for (int i = 0; i < 3; i++)
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			return;
	if (!read_call(&c, sqlite3_user_data(ctx), argc, argv, &err) || !look_up(&c, &cached, &err))
		sq_result_error(ctx, &err);
	else if (cached.found == SR_CACHE_HIT)
		sq_result_value(ctx, &cached.value);
	else
		ask_database(ctx, &c, &cached);
	sr_cached_free(&cached);
}
