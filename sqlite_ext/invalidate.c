/*
 * invalidate.c - redis_invalidate, which triggers call for every changed row, and redis_pending.
 *
 * Inside a transaction a key is queued and txn.c delivers the queue; outside of one it is sent before
 * the function returns. Either way a Redis that is away fails no statement: the keys wait in the
 * client's backlog, the log says so, and they go with the next call, commit or close.
 */
#include "sqlredis.h"

#include <stdlib.h>

/*
 * COMMIT does not dial, so the connection is made when the first key is queued. What an earlier
 * commit could not deliver goes now, while nobody waits for a commit. false: interrupted.
 */
static bool dial_once(sq_db *st, sr_client *client, sr_err *err)
{
	sr_err failure = {0};

	if (st->dialled)
		return true;
	st->dialled = true;
	if (sr_client_connect(client, 0, &failure))
	{
		sr_flush_result delivered;

		if (sr_client_backlog(client) > 0)
			sr_flush(client, NULL, 0, &delivered);
		return true;
	}
	if (failure.cls == SR_E_INTERRUPTED)
	{
		*err = failure;
		return false;
	}
	sqlite3_log(SQLITE_NOTICE, "sqlredis: %s: %s", sr_class_word(failure.cls), failure.msg);
	return true;
}

/* 1: new to the queue, 0: there already, -1: err */
static int queue_key(sq_db *st, sr_client *client, const char *key, size_t len, sr_err *err)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(client, &prefix_len);
	sr_push		pushed;

	if (prefix_len > 0)
	{
		st->scratch.len = 0;
		if (!sr_buf_add(&st->scratch, prefix, prefix_len) || !sr_buf_add(&st->scratch, key, len))
		{
			sr_fail_memory(err);
			return -1;
		}
		key = st->scratch.data;
		len = st->scratch.len;
	}
	pushed = sr_inval_push(st->queue, key, len, st->depth);
	if (pushed == SR_PUSH_NEW)
		sr_client_count_queued(client);
	if (pushed != SR_PUSH_NO_MEMORY)
		return pushed == SR_PUSH_NEW;
	sr_fail(err, SR_E_SIZE, "Commit in smaller pieces.",
			"no memory for one more key to invalidate, %llu are queued in this transaction",
			(unsigned long long) sr_inval_count(st->queue));
	return -1;
}

/* All keys are looked at before the first is queued. */
static bool keys_allowed(sq_db *st, int argc, sqlite3_value **argv, sr_err *err)
{
	for (int i = 0; i < argc; i++)
	{
		size_t		len;
		const char *key = sq_bytes(argv[i], &len);

		if (key == NULL)
			return sr_fail_memory(err);
		if (!sq_key_allowed(&st->settings, key, len, &st->scratch, err))
			return false;
	}
	return true;
}

static bool prepare_queue(sq_db *st, sr_client *client, bool *send_now, sr_err *err)
{
	if (st->enlisted)
		return true;
	*send_now = !sq_txn_running(st);
	if (*send_now)
		return true;
	return dial_once(st, client, err) && sq_txn_enlist(st, err);
}

void sq_invalidate(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	sq_db	  *st = ((const sq_function *) sqlite3_user_data(ctx))->st;
	sr_client *client;
	sr_err	   err = {0};
	bool	   send_now = false;
	int64_t	   queued = 0;

	for (int i = 0; i < argc; i++)
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			return;
	client = sq_client(st, &err);
	if (client == NULL || !keys_allowed(st, argc, argv, &err) ||
		!prepare_queue(st, client, &send_now, &err))
	{
		sq_result_error(ctx, &err);
		return;
	}
	for (int i = 0; i < argc; i++)
	{
		size_t		len;
		const char *key = sq_bytes(argv[i], &len);
		int			added = queue_key(st, client, key, len, &err);

		if (added < 0)
		{
			if (send_now)
				sr_inval_clear(st->queue);
			sq_result_error(ctx, &err);
			return;
		}
		queued += added;
	}
	if (send_now)
		sq_flush(st, false);
	sqlite3_result_int64(ctx, queued);
}

/* ---- redis_pending ---- */

typedef struct pending
{
	sq_rows	 base;
	sq_db	*st;
	size_t	 at, end; /* what is queued while the rows are read is not among them */
	sr_buf	 key;
	sr_value cells[2];
} pending;

/* The queue may change between two rows: each is looked up and copied when it is asked for. */
static int pending_next(sq_rows *rows, const sr_value **cells, sr_err *err)
{
	pending	   *p = (pending *) rows;
	size_t		len, prefix;
	int			depth;
	const char *key;
	sr_effect	kind;

	if (p->at >= p->end || p->at >= sr_inval_count(p->st->queue))
		return 0;
	key = sr_inval_effect(p->st->queue, p->at++, &kind, &len, &depth);
	sr_client_prefix(p->st->client, &prefix);
	if (prefix > len)
		prefix = len;
	p->key.len = 0;
	if (!sr_buf_add(&p->key, key + prefix, len - prefix))
	{
		sr_fail_memory(err);
		return -1;
	}
	p->cells[0] = (sr_value){.type = SR_TYPE_TEXT, .data = p->key.data, .len = p->key.len};
	p->cells[1] = (sr_value){.type = SR_TYPE_INTEGER, .i = depth};
	*cells = p->cells;
	return 1;
}

static void pending_close(sq_rows *rows)
{
	sr_buf_free(&((pending *) rows)->key);
	free(rows);
}

sq_rows *sq_pending_open(sq_db *st, sr_err *err)
{
	pending *p = calloc(1, sizeof *p);

	if (p == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	p->base.next = pending_next;
	p->base.close = pending_close;
	p->st = st;
	p->end = sr_inval_count(st->queue);
	return &p->base;
}
