/*
 * xact.c - the queue of what this transaction will do to Redis, and what the transaction's end does with it.
 * The callbacks are registered once a backend and return at once when there is nothing to do.
 *
 * Before the commit the effects are written into the outbox, after it they are sent; what could not be sent
 * is then in the outbox, and where there is none (durability memory, a read-only transaction) in this
 * session's backlog.
 *
 * XACT_EVENT_COMMIT comes after the commit is visible and before locks are released, with interrupts
 * held. What runs there allocates no PostgreSQL memory, waits no longer than sqlredis.commit_timeout
 * without progress, and raises nothing: an ERROR would be a PANIC.
 */
#include "pg_sqlredis.h"

#include "access/xact.h"
#include "mutation.h"
#include "shared.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* What others left behind is looked for that often, by sessions that commit (ms). */
#define ADOPT_EVERY 3000
/* And so much of it is taken over at a time. */
#define ADOPT_EFFECTS 1000
/* However little is left of a statement's time, Redis gets that much of it (ms). */
#define DIAL_MIN 5
/* A COMMIT with more is left to the drainer, when there is one. */
#define COMMIT_EFFECTS 5000

static sr_inval *queue;
static bool		 dialled; /* in this transaction */
static sr_buf	 prefixed;

/* What PRE_COMMIT prepared. */
static struct
{
	size_t effects; /* so many; what another module's callback adds later was not prepared */
	bool   durable; /* rows were written */
	bool   async;	/* entry is for the ring */
	sr_buf packed;	/* what entry holds */

	pg_ring_entry entry;
} prepared;

static TimestampTz adopt_at; /* not before */

const sr_inval *pg_queue(void)
{
	return queue;
}

/*
 * Half of what is left of the statement's time, in ms. A Redis that hangs would use up all of it for each
 * statement, and the breaker, which learns nothing from an interrupt, would never spare them that.
 */
static int64 statement_limit(void)
{
	TimestampTz end;

	if (!get_timeout_active(STATEMENT_TIMEOUT))
		return INT_MAX;
	end = get_timeout_finish_time(STATEMENT_TIMEOUT);
	return Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end) / 2, DIAL_MIN);
}

/*
 * Make sure of a connection: COMMIT does not dial. A Redis that is away is no reason to fail the
 * statement. limit: ms, beside connect_timeout.
 */
static void dial(sr_client *client, int limit)
{
	sr_err err = {0};
	bool   ok;

	dialled = true;
	if (sr_client_is_away(client))
		return;
	pg_host_give_up_after(Min(limit, statement_limit()));
	ok = sr_client_connect(client, 0, &err);
	pg_host_give_up_after(0);
	/* Also when it worked: an interrupt may have come during an optional step. */
	pg_host_rethrow();
	if (!ok)
		pg_log(DEBUG1, &err);
}

/* UTF-8 key as Redis shall see it; lives until the next call. NULL: no memory. */
static const char *whole_key(sr_client *client, const char *key, size_t *len)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(client, &prefix_len);

	if (prefix_len == 0)
		return key;
	prefixed.len = 0;
	if (!sr_buf_add(&prefixed, prefix, prefix_len) || !sr_buf_add(&prefixed, key, *len))
		return NULL;
	*len = prefixed.len;
	return prefixed.data;
}

/*
 * Will the launcher send what this transaction does? Then no connection is needed. It does not know what this
 * session still owes, nor what is released in Redis only after the effects.
 */
static bool is_async(const sr_client *client)
{
	return pg_setting_commit_mode == PG_COMMIT_ASYNC && !pg_holds_any() &&
		   sr_client_backlog(client) == 0 && pg_ring_accepts(sr_client_address(client));
}

/* The queue and the client, ready for one more effect. NULL: no memory. */
static sr_client *begin_queueing(void)
{
	sr_client *client = pg_client_for_queue();

	if (queue == NULL)
		queue = sr_inval_new();
	if (queue == NULL)
		return NULL;
	if (!dialled && !is_async(client))
		dial(client, INT_MAX);
	return client;
}

static void raise_full(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("no memory for one more key to invalidate"),
			 errdetail("%zu keys are queued in this transaction.",
					   queue != NULL ? sr_inval_count(queue) : 0),
			 errhint("Commit in smaller pieces.")));
}

sr_inval *pg_queue_for_call(void)
{
	if (begin_queueing() == NULL)
		raise_full();
	return queue;
}

static bool queued(sr_client *client, sr_push pushed)
{
	if (pushed == SR_PUSH_NO_MEMORY)
		raise_full();
	if (pushed == SR_PUSH_NEW)
		sr_client_count_queued(client);
	return pushed == SR_PUSH_NEW;
}

bool pg_queue_key_value(const sr_value *value)
{
	sr_client  *client = begin_queueing();
	sr_push		pushed = SR_PUSH_NO_MEMORY;
	const char *key = value->data;
	size_t		len = value->len;

	if (client != NULL)
	{
		key = whole_key(client, key, &len);
		if (key != NULL)
			pushed = sr_inval_push(queue, key, len, GetCurrentTransactionNestLevel());
		if (prefixed.cap > PG_KEEP_BYTES)
			sr_buf_free(&prefixed);
	}
	return queued(client, pushed);
}

bool pg_queue_key(const char *key, size_t len)
{
	sr_value value;

	pg_value_from_text(&value, key, len);
	return pg_queue_key_value(&value);
}

bool pg_queue_effect(sr_effect kind, const char *data, size_t len)
{
	sr_client *client = begin_queueing();
	sr_push	   pushed = SR_PUSH_NO_MEMORY;

	if (client != NULL)
		pushed = sr_inval_push_effect(queue, kind, data, len, GetCurrentTransactionNestLevel());
	return queued(client, pushed);
}

void pg_queue_command(const sr_argv *cmd)
{
	sr_client *client = begin_queueing();
	sr_push	   pushed = SR_PUSH_NO_MEMORY;

	if (client != NULL)
		pushed = sr_inval_push_command(queue, cmd, GetCurrentTransactionNestLevel());
	if (pushed == SR_PUSH_NO_MEMORY)
		raise_full();
	sr_client_count_command(client);
}

/* ---- before the commit ---- */

/* How long a row's own session may still be busy delivering it (ms). */
static int64 min_age(void)
{
	return (int64) pg_setting_commit_timeout * 2;
}

/*
 * Without anybody whose task it is, sessions take over what others left behind: it is deleted there and
 * written again as their own, in one transaction. Only while Redis is there: else it would wander about.
 */
static void adopt(sr_client *client)
{
	pg_take		take = {.effects = queue, .min_age = min_age(), .max_effects = ADOPT_EFFECTS};
	TimestampTz now = GetCurrentTimestamp();

	if (now < adopt_at || !sr_client_connected(client) || sr_client_backlog(client) > 0 ||
		sr_inval_count(queue) >= ADOPT_EFFECTS || !pg_outbox_may_write())
		return;
	adopt_at = TimestampTzPlusMilliseconds(
		now, ADOPT_EVERY / 2 + (int64) (sr_client_random(client) % ADOPT_EVERY));
	if (pg_outbox_take(&take) && take.more)
		adopt_at = now;
}

/* Everything that COMMIT copies into the ring; false: it has to be sent. */
static bool prepare_entry(void)
{
	size_t at = 0;

	prepared.entry = (pg_ring_entry){.database = MyDatabaseId};
	if (prepared.durable && !pg_outbox_written(&prepared.entry.relation, &prepared.entry.id))
		return false;
	prepared.packed.len = 0;
	if (!sr_effects_pack(queue, &at, PG_KEEP_BYTES, &prepared.packed) || at < sr_inval_count(queue))
		return false;
	prepared.entry.data = prepared.packed.data;
	prepared.entry.len = prepared.packed.len;
	return pg_ring_has_room(prepared.entry.len);
}

static void prepare_queue(void)
{
	sr_client *client = pg_client_for_queue();
	bool	   async = is_async(client);

	/*
	 * The connection may have broken since the first key. Not for longer than COMMIT itself would wait: a
	 * failure here opens the breaker, and COMMIT then does not wait at all.
	 */
	if (!async)
		dial(client, pg_setting_commit_timeout);
	if (pg_setting_durability == PG_DURABILITY_OUTBOX)
	{
		if (!pg_drainers_available())
			adopt(client);
		prepared.durable = pg_outbox_write(queue);
	}
	prepared.async = async && prepare_entry();
	if (async && !prepared.async)
		dial(client, pg_setting_commit_timeout);
	prepared.effects = sr_inval_count(queue);
}

static void before_commit(void)
{
	/* First: nothing was written yet that a refusal would make useless. */
	pg_holds_before_commit();
	if (queue != NULL && sr_inval_count(queue) > 0)
	{
		prepare_queue();
		if (sr_without(AFTER_COMMIT))
		{
			sr_flush_result flushed;

			sr_flush(pg_client_if_any(), queue, 0, &flushed);
		}
	}
	else if (pg_holds_lock())
		/* Redis may have closed the connection since, and the release does not dial. */
		dial(pg_client_for_queue(), pg_setting_commit_timeout);
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		pg_outbox_tidy();
}

/* Another session may commit it: only what is in the outbox goes with it. */
static void before_prepare(void)
{
	pg_holds_before_prepare();
	if (queue == NULL || sr_inval_count(queue) == 0 || sr_without(PREPARED))
		return;
	if (pg_setting_durability == PG_DURABILITY_OUTBOX && pg_outbox_write(queue))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot PREPARE a transaction that has queued keys to invalidate"),
			 errdetail(
				 "Another session may commit it, and would not know the keys without the outbox."),
			 errhint("Set sqlredis.durability to outbox; or use COMMIT.")));
}

/* ---- after it ---- */

static void flush(unsigned flags, sr_flush_result *flushed)
{
	pg_host_set_uninterruptible(true);
	sr_flush(pg_client_if_any(), queue, SR_FLUSH_COMMIT | flags, flushed);
	pg_host_set_uninterruptible(false);
	pg_outbox_note_attempt(&flushed->err);
}

/* Into the ring; false: there is no room, or no launcher. */
static bool hand_over(void)
{
	uint64 position = 0;

	if (!prepared.async || prepared.effects != sr_inval_count(queue))
		return false;
	if (!pg_ring_put(&prepared.entry, &position) && !sr_without(RING_FALLBACK))
		return false;
	sr_inval_clear(queue);
	pg_outbox_committed(PG_OUTCOME_IN_RING, position);
	return true;
}

/*
 * Rows go to the server that the database is configured with: a session that was told another one keeps
 * what it could not send, too.
 */
static bool has_own_server(void)
{
	return !pg_ring_accepts(sr_client_address(pg_client_if_any()));
}

static void send(void)
{
	bool			durable = prepared.durable && prepared.effects == sr_inval_count(queue);
	bool			drained = durable && pg_drainers_available();
	bool			left = drained && !has_own_server();
	bool			now = pg_holds_lock();
	sr_flush_result flushed = {0};

	if (left && !now && prepared.effects > COMMIT_EFFECTS)
	{
		flushed.kept = prepared.effects;
		flushed.jobs = sr_inval_count_of(queue, SR_EFFECT_COMMANDS) +
						   sr_inval_count_of(queue, SR_EFFECT_SCRIPT) >
					   0;
		sr_inval_clear(queue);
	}
	else
		flush(left ? SR_FLUSH_LEAVE | (now ? 0 : SR_FLUSH_NO_PATTERNS) : 0, &flushed);
	if (flushed.kept == 0)
		pg_outbox_committed(PG_OUTCOME_DELIVERED, 0);
	/* What the backlog had no room for is only in the outbox. */
	else
		pg_outbox_committed(left || flushed.lost > 0 ? PG_OUTCOME_LEFT : PG_OUTCOME_IN_BACKLOG, 0);
	if (flushed.kept > 0 && drained)
		pg_database_mark(MyDatabaseId, min_age());
	pg_report_commit(&flushed, durable);
}

static void at_end(void)
{
	dialled = false;
	prepared.durable = false;
	prepared.async = false;
	prepared.effects = 0;
}

static void on_xact(XactEvent event, void *arg)
{
	bool any = queue != NULL && sr_inval_count(queue) > 0;

	(void) arg;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT: before_commit(); break;
		case XACT_EVENT_PRE_PREPARE: before_prepare(); break;
		case XACT_EVENT_COMMIT:
			if (any && !hand_over())
				send();
			else if (!any)
				pg_outbox_committed(PG_OUTCOME_DELIVERED, 0);
			pg_holds_committed();
			at_end();
			break;
		case XACT_EVENT_PREPARE:
			if (any)
				sr_inval_clear(queue);
			pg_outbox_prepared();
			at_end();
			break;
		case XACT_EVENT_ABORT:
			if (any && !sr_without(ROLLBACK))
				sr_inval_clear(queue);
			pg_holds_rolled_back(0);
			pg_outbox_aborted();
			at_end();
			break;
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
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
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		pg_holds_released(level - 1);
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		pg_holds_rolled_back(level - 1);
	if (queue == NULL || sr_inval_count(queue) == 0)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		sr_inval_release(queue, level - 1);
	else if (event == SUBXACT_EVENT_ABORT_SUB && !sr_without(ROLLBACK))
		sr_inval_rollback_to(queue, sr_without(DEPTH_TAGS) ? 0 : level - 1);
}

void pg_xact_init(void)
{
	RegisterXactCallback(on_xact, NULL);
	RegisterSubXactCallback(on_subxact, NULL);
}
