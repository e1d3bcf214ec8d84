/*
 * bound.c - the transaction as the core's functions see it that take part in one (SR_BOUND): where they queue
 * what is due at commit, and what this connection holds in Redis until its transaction ends. txn.c says when
 * that is. Knows nothing of what is held, nor of what is queued.
 *
 * A forked child has its parent's memory and nothing of what that holds: it gives nothing back.
 */
#include "sqlredis.h"

/* ---- a call ---- */

static sr_holds *holds_to_add_to(sq_db *st, sr_err *err)
{
	if (st->holds == NULL)
		st->holds = sr_holds_new();
	if (st->holds == NULL)
		sr_fail_memory(err);
	else if (sr_holds_count(st->holds) == 0)
		sr_owner_set(&st->holder);
	return st->holds;
}

bool sq_bind(sq_db *st, sq_binding *b, sr_err *err)
{
	*b = (sq_binding){.before = sr_client_bound(st->client)};
	if (!sq_prepare_queue(st, &b->send_now, err))
		return false;
	b->bound.queue = st->queue;
	b->bound.depth = st->depth;
	if (!b->send_now)
	{
		b->bound.holds = holds_to_add_to(st, err);
		if (b->bound.holds == NULL)
			return false;
	}
	sr_client_bind(st->client, &b->bound);
	return true;
}

void sq_unbind(sq_db *st, const sq_binding *b, bool done)
{
	sr_client_bind(st->client, b->before);
	if (!b->send_now || sr_inval_count(st->queue) == 0)
		return;
	if (done)
		sq_send(st);
	else
		sr_inval_clear(st->queue);
}

/* ---- what is held ---- */

bool sq_is_holding(const sq_db *st)
{
	return st->holds != NULL && sr_holds_count(st->holds) > 0;
}

void sq_holds_after_fork(sq_db *st)
{
	if (!sq_is_holding(st) || sr_owner_is_this_process(&st->holder))
		return;
	sr_holds_free(st->holds);
	st->holds = NULL;
}

bool sq_holds_keep(sq_db *st, sr_err *err)
{
	const sr_host host = sq_host(st);
	bool		  kept;

	if (!sq_is_holding(st))
		return true;
	st->no_sql = true;
	st->give_up_at = host.now_ms(st) + st->settings.commit_timeout;
	kept = sr_holds_keep(st->holds, st->client, err);
	st->give_up_at = 0;
	st->no_sql = false;
	if (!kept && err->cls == SR_E_INTERRUPTED)
		sr_fail(
			err, SR_E_TIMEOUT, "Is Redis overloaded? redis_config('commit_timeout', ...).",
			"no reply from Redis within commit_timeout: what this transaction holds there may be "
			"lost");
	return kept;
}

/*
 * In a commit, a rollback or close: nothing may be asked of SQLite. What Redis could not be told is in the
 * client's backlog, and the courier goes on: at the latest it runs out by itself. A connection that closes
 * (nothing of it is registered any more) sees to its backlog itself.
 */
static void end_some(sq_db *st, bool committed, int n)
{
	bool   was = st->no_sql;
	size_t before = sr_client_backlog(st->client);

	sq_holds_after_fork(st);
	if (!sq_is_holding(st))
		return;
	st->no_sql = true;
	if (committed)
		sr_holds_commit(st->holds, st->client);
	else
		sr_holds_rollback_to(st->holds, st->client, n);
	st->no_sql = was;
	if (before == 0 && sr_client_backlog(st->client) > 0 && st->refs > 0)
		sq_hand_over(st, true);
}

void sq_holds_committed(sq_db *st)
{
	end_some(st, true, 0);
}

void sq_holds_rolled_back(sq_db *st, int n)
{
	end_some(st, false, n);
}

void sq_holds_released(sq_db *st, int n)
{
	if (sq_is_holding(st))
		sr_holds_release(st->holds, n);
}

void sq_holds_free(sq_db *st)
{
	if (st->holds != NULL)
		sr_holds_free(st->holds);
	sr_owner_free(&st->holder);
}
