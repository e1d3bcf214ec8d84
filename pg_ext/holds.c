/*
 * holds.c - what this transaction took in Redis at once, and the functions that do so (SR_BOUND). What it
 * will do when it commits is the queue's: xact.c.
 *
 * Claims and stock are made sure of before the commit, while it can still be refused. What runs after it, and
 * in a rollback, raises nothing, allocates no PostgreSQL memory, does not dial, and waits no longer than
 * sqlredis.commit_timeout: whatever Redis cannot be told then runs out by itself.
 */
#include "pg_sqlredis.h"

#include "access/xact.h"

static sr_holds *holds;

bool pg_holds_any(void)
{
	return holds != NULL && sr_holds_count(holds) > 0;
}

bool pg_holds_lock(void)
{
	return pg_holds_any() && sr_holds_find(holds, SR_HOLD_LOCK, NULL, 0, NULL);
}

/* ---- the calls ---- */

/* What the call queues and takes is this transaction's. May raise. */
static void bind(sr_client *client, sr_bound *bound)
{
	if (holds == NULL)
		holds = sr_holds_new();
	bound->queue = pg_queue_for_call();
	bound->holds = holds;
	bound->depth = GetCurrentTransactionNestLevel();
	if (holds == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	sr_client_bind(client, bound);
}

/* The core is never longjmped through: no TRY. */
bool pg_invoke(sr_client *client, const sr_command *cmd, const pg_arguments *arguments,
			   sr_result *out, sr_err *err)
{
	sr_bound bound;
	bool	 ok;

	if (!(cmd->flags & SR_BOUND))
		return sr_invoke(client, cmd, arguments->count, arguments->values, out, err);
	bind(client, &bound);
	ok = sr_invoke(client, cmd, arguments->count, arguments->values, out, err);
	sr_client_bind(client, NULL);
	return ok;
}

sr_rows *pg_rows_open(sr_client *client, const sr_command *cmd, const pg_arguments *arguments,
					  sr_err *err)
{
	sr_bound bound;
	sr_rows *rows;

	if (!(cmd->flags & SR_BOUND))
		return sr_rows_open(client, cmd, arguments->count, arguments->values, err);
	bind(client, &bound);
	rows = sr_rows_open(client, cmd, arguments->count, arguments->values, err);
	sr_client_bind(client, NULL);
	return rows;
}

int pg_rows_next(sr_client *client, const sr_command *cmd, sr_rows *rows, const sr_value **cells,
				 sr_err *err)
{
	sr_bound bound;
	int		 more;

	if (!(cmd->flags & SR_BOUND))
		return sr_rows_next(rows, cells, err);
	bind(client, &bound);
	more = sr_rows_next(rows, cells, err);
	sr_client_bind(client, NULL);
	return more;
}

/* ---- before the commit ---- */

void pg_holds_before_commit(void)
{
	sr_err err = {0};

	if (!pg_holds_any() || sr_holds_keep(holds, pg_client_for_queue(), &err))
		return;
	pg_raise(&err);
}

/* Who commits it, or when, is not known: nobody would keep the holds until then, or give them back. */
void pg_holds_before_prepare(void)
{
	if (!pg_holds_any())
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		 errmsg("cannot PREPARE a transaction that holds something in Redis"),
		 errdetail("redis_xact_lock, redis_idempotent, redis_reserve and redis_dequeue take things "
				   "that this session gives back should the transaction be rolled back."),
		 errhint("Use COMMIT; or call them in a transaction of their own.")));
}

/* ---- at the end ---- */

void pg_holds_committed(void)
{
	if (!pg_holds_any())
		return;
	pg_host_set_uninterruptible(true);
	sr_holds_commit(holds, pg_client_if_any());
	pg_host_set_uninterruptible(false);
}

void pg_holds_released(int level)
{
	if (pg_holds_any())
		sr_holds_release(holds, level);
}

void pg_holds_rolled_back(int level)
{
	if (!pg_holds_any())
		return;
	pg_host_set_uninterruptible(true);
	sr_holds_rollback_to(holds, pg_client_if_any(), level);
	pg_host_set_uninterruptible(false);
}

void pg_holds_at_exit(void)
{
	if (!pg_holds_any())
		return;
	(void) sr_client_connect(pg_client_if_any(), 0, NULL);
	sr_holds_rollback_to(holds, pg_client_if_any(), 0);
}

/*
 * Who waits for Redis and is interrupted gives the connection up, and a rollback does not dial. So that it has
 * one, and things that others wait for do not stay away until they run out.
 */
void pg_holds_connect(void)
{
	sr_client *client = pg_client_if_any();
	sr_err	   err = {0};

	if (!pg_holds_any() || client == NULL || sr_client_connected(client) ||
		sr_client_is_away(client))
		return;
	pg_host_set_uninterruptible(true);
	pg_host_give_up_after(pg_setting_commit_timeout);
	(void) sr_client_connect(client, 0, &err);
	pg_host_give_up_after(0);
	pg_host_set_uninterruptible(false);
}
