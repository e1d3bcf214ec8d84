/*
 * xact.c - the queue of keys that this transaction will delete, and what the transaction's end does
 * with it. The callbacks are registered once a backend and return at once when nothing is queued.
 *
 * XACT_EVENT_COMMIT comes after the commit is visible and before locks are released, with interrupts
 * held. What runs there allocates no PostgreSQL memory, waits no longer than sqlredis.commit_timeout
 * without progress, and raises nothing: an ERROR would be a PANIC.
 */
#include "pg_sqlredis.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"

static sr_inval *queue;
static bool		 dialled; /* in this transaction */
static sr_buf	 prefixed;

const sr_inval *pg_queue(void)
{
	return queue;
}

/*
 * Make sure of a connection: COMMIT does not dial. A Redis that is away is no reason to fail the
 * statement. limit: ms; 0: connect_timeout alone.
 */
static void dial(sr_client *client, int limit)
{
	sr_err err = {0};
	bool   ok;

	dialled = true;
	pg_host_give_up_after(limit);
	ok = sr_client_connect(client, 0, &err);
	pg_host_give_up_after(0);
	/* Also when it worked: an interrupt may have come during an optional step. */
	pg_host_rethrow();
	if (!ok)
		pg_log(DEBUG1, &err);
}

/* key as Redis shall see it; lives until the next call. */
static const char *whole_key(sr_client *client, const char *key, size_t *len)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(client, &prefix_len);

	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
	{
		const char *converted = pg_server_to_any(key, (int) *len, PG_UTF8);

		if (converted != key)
			*len = strlen(converted);
		key = converted;
	}
	if (prefix_len == 0)
		return key;
	prefixed.len = 0;
	if (!sr_buf_add(&prefixed, prefix, prefix_len) || !sr_buf_add(&prefixed, key, *len))
		return NULL;
	*len = prefixed.len;
	return prefixed.data;
}

bool pg_queue_key(const char *key, size_t len)
{
	sr_client *client = pg_client_for_queue();
	sr_push	   pushed = SR_PUSH_NO_MEMORY;

	if (queue == NULL)
		queue = sr_inval_new();
	if (queue != NULL)
	{
		if (!dialled)
			dial(client, 0);
		key = whole_key(client, key, &len);
		if (key != NULL)
			pushed = sr_inval_push(queue, key, len, GetCurrentTransactionNestLevel());
		if (prefixed.cap > PG_KEEP_BYTES)
			sr_buf_free(&prefixed);
	}
	if (pushed == SR_PUSH_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("no memory for one more key to invalidate"),
				 errdetail("%zu keys are queued in this transaction.",
						   queue != NULL ? sr_inval_count(queue) : 0),
				 errhint("Commit in smaller pieces.")));
	if (pushed == SR_PUSH_NEW)
		sr_client_count_queued(client);
	return pushed == SR_PUSH_NEW;
}

/*
 * A client's encoding that lacks a character, or want of memory, makes the report itself an ERROR.
 * It is caught here; nothing was begun that an abort would have to clean up.
 */
static void warn_at_commit(sr_flush_result *flushed)
{
	size_t				  failed = flushed->kept + flushed->lost;
	MemoryContext		  context = CurrentMemoryContext;
	ErrorContextCallback *callbacks = error_context_stack;
	uint32				  held = InterruptHoldoffCount;

	pg_err_to_ascii(&flushed->err);
	/* Names and texts of the functions that led here are not ours to translate now. */
	error_context_stack = NULL;
	PG_TRY();
	{
		ereport(WARNING, (errcode(ERRCODE_WARNING),
						  errmsg_plural("%zu key was not invalidated: %s",
										"%zu keys were not invalidated: %s", failed, failed,
										flushed->err.msg),
						  flushed->lost == 0
							  ? errdetail("What is not sent is kept, and sent when Redis is back.")
							  : errdetail("%zu kept, to be sent when Redis is back; %zu lost.",
										  flushed->kept, flushed->lost),
						  flushed->err.hint[0] != '\0' ? errhint("%s", flushed->err.hint) : 0));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		InterruptHoldoffCount = held;
	}
	PG_END_TRY();
	error_context_stack = callbacks;
}

static void flush_at_commit(void)
{
	sr_client	   *client = pg_client_if_any();
	sr_flush_result flushed;

	pg_host_set_uninterruptible(true);
	sr_flush(client, queue, SR_FLUSH_COMMIT, &flushed);
	pg_host_set_uninterruptible(false);
	if (pg_client_refusal() != NULL)
		flushed.err = *pg_client_refusal();
	if (flushed.kept + flushed.lost > 0)
		warn_at_commit(&flushed);
}

static void refuse_prepare(void)
{
	if (sr_inval_count(queue) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has queued keys to invalidate"),
				 errdetail("Another session may commit it, and would not know the keys."),
				 errhint("Use COMMIT, or change tables without redis_invalidate triggers.")));
}

static void on_xact(XactEvent event, void *arg)
{
	(void) arg;
	dialled = false;
	if (queue == NULL || sr_inval_count(queue) == 0)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			/*
			 * The connection may have broken since the first key. Not for longer than COMMIT itself
			 * would wait: a failure here opens the breaker, and COMMIT then does not wait at all.
			 */
			dial(pg_client_for_queue(), pg_setting_commit_timeout);
			break;
		case XACT_EVENT_COMMIT: flush_at_commit(); break;
		case XACT_EVENT_PRE_PREPARE: refuse_prepare(); break;
		case XACT_EVENT_ABORT: sr_inval_clear(queue); break;
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_PRE_COMMIT: break;
	}
}

static void on_subxact(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
					   void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	(void) mine;
	(void) parent;
	(void) arg;
	if (queue == NULL || sr_inval_count(queue) == 0)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		sr_inval_release(queue, level - 1);
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		sr_inval_rollback_to(queue, level - 1);
}

void pg_xact_init(void)
{
	RegisterXactCallback(on_xact, NULL);
	RegisterSubXactCallback(on_subxact, NULL);
}
