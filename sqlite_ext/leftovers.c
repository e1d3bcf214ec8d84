/*
 * leftovers.c - the rows of an outbox that no running transaction has anything to do with: what crashed
 * processes left, what plain SQL wrote, what Redis could not be told. Looks for them, lists and drains them.
 *
 * A file may come from anywhere, and so may what stands in its outbox. What it may do to Redis is what
 * redis_invalidate in one of its triggers may: name keys, within redis_config('invalidate_keys'), and tags.
 * Commands and patterns are sent for the process that queued them; from a file only after
 * redis_config('trigger_commands', 1).
 */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS	   1000 /* at least between two looks */
#define LOOK_ROWS  4096
#define LOOK_BYTES ((size_t) 8 << 20)

static double now_unix(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* ---- what a row says ---- */

static bool append(sr_inval *to, const sr_inval *from, sr_err *err)
{
	for (size_t i = 0; i < sr_inval_count(from); i++)
	{
		sr_effect	kind;
		size_t		len;
		const char *data = sr_inval_effect(from, i, &kind, &len, NULL);

		if (sr_inval_push_effect(to, kind, data, len, 0) == SR_PUSH_NO_MEMORY)
			return sr_fail_memory(err);
	}
	return true;
}

/* A key of plain SQL, which knows no prefix. */
static bool add_key(sq_db *st, const char *key, size_t len, sr_inval *into, sr_err *err)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(st->client, &prefix_len);

	if (len > SR_INVAL_MAX_KEY || prefix_len > SR_INVAL_MAX_KEY - len)
		return sr_fail(err, SR_E_SIZE, "", "a key in the outbox is too large for Redis");
	st->scratch.len = 0;
	if (!sr_buf_add(&st->scratch, prefix, prefix_len) || !sr_buf_add(&st->scratch, key, len) ||
		sr_inval_push(into, st->scratch.data, st->scratch.len, 0) == SR_PUSH_NO_MEMORY)
		return sr_fail_memory(err);
	return true;
}

bool sq_read_row(sq_db *st, sqlite3_stmt *row, sr_inval *into, sr_err *err)
{
	const char *kind = (const char *) sqlite3_column_text(row, 2);
	const void *data = sqlite3_column_blob(row, 3);
	size_t		len = (size_t) sqlite3_column_bytes(row, 3);

	if (sqlite3_column_type(row, 3) == SQLITE_NULL)
		return true; /* a key of a NULL column is none */
	if (kind != NULL && strcmp(kind, "key") == 0)
		return add_key(st, data != NULL ? data : "", len, into, err);
	if (kind != NULL && strcmp(kind, "effects") == 0)
		return sr_effects_unpack(into, data, len, err);
	return sr_fail(err, SR_E_OPTION, "Kinds are 'key' and 'effects'.",
				   "a row of " SQ_OUTBOX " has an unknown kind");
}

static bool may_do(sq_db *st, sr_effect kind, const char *data, size_t len, sr_err *err)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(st->client, &prefix_len);
	bool		prefixed = len >= prefix_len && memcmp(data, prefix, prefix_len) == 0;

	if (sr_effect_is_group(kind) || kind == SR_EFFECT_PATTERN)
		return st->settings.trigger_commands != 0 ||
			   sr_fail(err, SR_E_PERMISSION,
					   "redis_config('trigger_commands', 1), if you trust the file.",
					   "commands, patterns and jobs that stand in a file's outbox are not sent");
	if (!prefixed)
		return sr_fail(err, SR_E_PERMISSION, "It belongs to a connection with that key_prefix.",
					   "a key in the outbox does not begin with \"%.100s\"", prefix);
	return kind == SR_EFFECT_TAG ||
		   sq_key_allowed(&st->settings, data + prefix_len, len - prefix_len, &st->scratch, err);
}

bool sq_may_deliver(sq_db *st, const sr_inval *effects, sr_err *err)
{
	for (size_t i = 0; i < sr_inval_count(effects); i++)
	{
		sr_effect	kind;
		size_t		len;
		const char *data = sr_inval_effect(effects, i, &kind, &len, NULL);

		if (!may_do(st, kind, data, len, err))
			return false;
	}
	return true;
}

/* ---- reading them in order ---- */

bool sq_leftovers_begin(sq_leftovers *l, sq_db *st, const char *schema, sr_err *err)
{
	*l = (sq_leftovers){.st = st, .box = sq_box_find(st, schema)};
	l->found = sr_inval_new();
	l->one = sr_inval_new();
	return (l->box != NULL && l->found != NULL && l->one != NULL) || sr_fail_memory(err);
}

void sq_leftovers_end(sq_leftovers *l)
{
	sr_inval_free(l->found);
	sr_inval_free(l->one);
}

/* The row is no leftover, or may not be delivered: the range before it ends. */
void sq_leftovers_pass(sq_leftovers *l)
{
	if (l->first == 0)
		return;
	l->ranges[l->range_count].first = l->first;
	l->ranges[l->range_count++].last = l->last;
	l->first = 0;
}

void sq_leftovers_include(sq_leftovers *l, sqlite3_int64 id)
{
	l->first = l->first != 0 ? l->first : id;
	l->last = id;
}

/* Is there room for this row's end of a range, too? */
bool sq_leftovers_full(const sq_leftovers *l, size_t rows)
{
	return l->rows >= rows || l->bytes >= LOOK_BYTES || l->range_count + 2 >= SQ_RANGES;
}

bool sq_leftovers_add(sq_leftovers *l, sqlite3_stmt *row, sr_err *err)
{
	sr_err why = {0};

	sr_inval_clear(l->one);
	if (sq_read_row(l->st, row, l->one, &why) && sq_may_deliver(l->st, l->one, &why))
	{
		if (!append(l->found, l->one, err))
			return false;
		sq_leftovers_include(l, sqlite3_column_int64(row, 0));
		l->rows++;
		l->bytes += (size_t) sqlite3_column_bytes(row, 3);
		return true;
	}
	if (why.cls == SR_E_LOCAL_MEMORY)
		return sr_fail_memory(err);
	if (l->refused++ == 0)
		l->refusal = why;
	sq_leftovers_pass(l);
	return true;
}

/* ---- a look ---- */

/*
 * Rows younger than a commit may take are left to the process that wrote them. The clock may have been
 * put back since.
 */
static bool is_young(const sq_db *st, double created_at)
{
	double age = now_unix() - created_at;

	return age >= -60 && age < 2e-3 * (double) st->settings.commit_timeout;
}

/*
 * Rows of the transaction that runs are nobody's to deliver yet: what they name would be filled anew before
 * the commit, and after a rollback their ids belong to others. Who writes here sees its own, and who reads
 * uncommitted those of others; the ids up to one that was committed are all of transactions that ended.
 */
static sqlite3_int64 last_committed(const sq_leftovers *l, const char *schema)
{
	sqlite3 *db = l->st->db;

	return sqlite3_txn_state(db, schema) == SQLITE_TXN_WRITE ||
				   sq_pragma_is_on(db, "read_uncommitted")
			   ? l->box->committed
			   : INT64_MAX;
}

/* *horizon: the last id that need not be looked at again. */
static bool collect(sq_leftovers *l, const char *schema, sqlite3_int64 *horizon, sr_err *err)
{
	sqlite3_int64 last = last_committed(l, schema);
	sqlite3_stmt *rows = sq_prepare(l->st->db, err, SQ_ROWS_OF, schema, l->box->horizon, LOOK_ROWS);
	bool		  ok = rows != NULL;

	while (ok && !sq_leftovers_full(l, LOOK_ROWS) && sqlite3_step(rows) == SQLITE_ROW)
	{
		sqlite3_int64 id = sqlite3_column_int64(rows, 0);

		if (id > last)
			break;
		if (sq_box_has(l->box, id))
			sq_leftovers_pass(l);
		else if (is_young(l->st, sqlite3_column_double(rows, 1)))
			break;
		else
			ok = sq_leftovers_add(l, rows, err);
		*horizon = id;
	}
	sq_leftovers_pass(l);
	sqlite3_finalize(rows);
	return ok;
}

/* Where there is no thread, only where one may wait for Redis. */
static uint64_t hand_over(sq_leftovers *l, bool in_sync)
{
	sq_db		   *st = l->st;
	uint64_t		number = sq_courier_give(st, l->found, true);
	sr_flush_result result;

	if (number != 0 || in_sync)
		return number != 0 ? number : SQ_UNTAKEN;
	sr_flush(st->client, l->found, SR_FLUSH_LEAVE | SR_FLUSH_ONLY, &result);
	return result.kept == 0 ? 0 : SQ_UNTAKEN;
}

static void look_at(sq_db *st, const char *schema, bool in_sync)
{
	sq_leftovers  l;
	sr_err		  err = {0};
	sqlite3_int64 horizon = 0;
	uint64_t	  number = 0;

	if (sq_leftovers_begin(&l, st, schema, &err) && collect(&l, schema, &horizon, &err))
	{
		if (l.rows > 0)
			number = hand_over(&l, in_sync);
		for (int i = 0; number != SQ_UNTAKEN && i < l.range_count; i++)
			if (!sq_box_take(l.box, l.ranges[i].first, l.ranges[i].last, number))
				number = SQ_UNTAKEN;
		if (number != SQ_UNTAKEN && horizon != 0)
			l.box->horizon = horizon;
		if (l.refused > 0 && number != SQ_UNTAKEN)
			sq_log(&l.refusal);
	}
	sq_leftovers_end(&l);
}

/*
 * A read of ours must not keep a lock that others wait for. A commit has that of the file that it writes, and
 * will write to the outbox anyway. Elsewhere a transaction would keep ours to its end, which in a shared cache
 * is one of the outbox. Outside of one, a statement that reads has the file's lock; and where nothing has
 * one, ours is gone when our statement ends, but it may have to wait for it: only once, at the first call.
 */
static bool may_read(const sq_db *st, const char *schema, bool first, bool in_sync)
{
	int state = sqlite3_txn_state(st->db, schema);

	if (in_sync)
		return state == SQLITE_TXN_WRITE;
	return sqlite3_get_autocommit(st->db) &&
		   (state == SQLITE_TXN_READ ||
			(first && sqlite3_txn_state(st->db, NULL) == SQLITE_TXN_NONE));
}

void sq_outbox_look(sq_db *st, bool in_sync)
{
	const sr_host host = sq_host(st);
	int64_t		  now = host.now_ms(st);
	bool		  first = st->outbox->next_look == 0 && !in_sync;
	const char	 *schema;

	if (st->outbox->looking || now < st->outbox->next_look || sr_client_url(st->client) == NULL ||
		sq_courier_behind(st) || sr_client_backlog(st->client) > 0 ||
		strcmp(sr_client_breaker_state(st->client), "open") == 0)
		return;
	st->outbox->next_look = now + LOOK_MS;
	st->outbox->looking = true;
	for (int i = 0; (schema = sq_schema(st->db, i)) != NULL; i++)
		if (i != 1 && may_read(st, schema, first, in_sync) && sq_has_outbox(st->db, schema))
			look_at(st, schema, in_sync);
	st->outbox->looking = false;
}

void sq_outbox_look_again(sq_db *st)
{
	sq_outbox *o = st->outbox;

	o->next_look = 0;
	for (int i = 0; i < o->count; i++)
		o->boxes[i]->horizon = 0;
}
