/*
 * dispatch.c - how effects leave a connection: sent by itself, or given to the courier. Nothing here runs
 * SQL, and nothing is lost that an outbox does not have.
 *
 * A commit sends what it owes and waits commit_timeout for Redis; what Redis could not be told the courier
 * goes on with. It may be overtaken: a commit that returns without a word has been answered for. While Redis
 * is away the connection's own breaker spares commits the wait. commit_mode async gives the courier everything.
 */
#include "courier.h"

#include <string.h>

#define SLICE_MS	  50
#define PAUSE_BUSY_MS 250 /* between two tries at least, when new work comes in */

/* ---- the courier ---- */

uint64_t sq_courier_give(sq_db *st, sr_inval *effects, bool safe)
{
	sq_courier *c = sq_courier_start(st);
	size_t		count = sr_inval_count(effects), before;
	uint64_t	number = 0;

	if (c == NULL)
		return 0;
	pthread_mutex_lock(&c->lock);
	before = sr_inval_count(c->incoming);
	if (count + c->held <= (size_t) st->settings.pending_max &&
		sq_courier_merge(c->incoming, effects))
	{
		c->held += sr_inval_count(c->incoming) - before;
		number = atomic_load(&c->given) + 1;
		atomic_store(&c->given, number);
		if (!safe)
			c->unsafe = number;
		if (c->retry_at > c->last_try + PAUSE_BUSY_MS)
			c->retry_at = c->last_try + PAUSE_BUSY_MS;
	}
	pthread_mutex_unlock(&c->lock);
	if (number > 0)
		sq_courier_wake(c);
	return number;
}

bool sq_courier_settled(const sq_db *st, uint64_t number)
{
	const sq_courier *c = sq_courier_ours(st);

	return c != NULL && number <= atomic_load(&c->settled);
}

bool sq_courier_behind(const sq_db *st)
{
	const sq_courier *c = sq_courier_ours(st);

	return c != NULL && atomic_load(&c->settled) != atomic_load(&c->given);
}

/* With the lock. As long as a commit would wait, or until the statement is interrupted. */
static void wait_for_courier(const sq_db *st, sq_courier *c)
{
	int64_t now = sq_courier_now(), deadline = now + st->settings.commit_timeout;
	bool	interrupted = false;

	while (now < deadline && !interrupted &&
		   !sq_courier_wait(c, deadline - now < SLICE_MS ? deadline : now + SLICE_MS))
	{
		pthread_mutex_unlock(&c->lock);
		interrupted = !st->no_sql && sq_interrupted(st);
		pthread_mutex_lock(&c->lock);
		now = sq_courier_now();
	}
}

/*
 * Everything that it could not deliver, in order, back into an empty queue. A delivery under way is waited
 * for, unless Redis is known to be away. false: there is nothing, or it cannot be had now.
 */
static bool take_back(const sq_db *st, sr_inval *into, bool *safe)
{
	sq_courier *c = sq_courier_ours(st);
	bool		got;

	if (c == NULL)
		return false;
	pthread_mutex_lock(&c->lock);
	if (strcmp(sr_client_breaker_state(st->client), "open") != 0)
		wait_for_courier(st, c);
	got = !c->busy && atomic_load(&c->settled) != atomic_load(&c->given);
	*safe = c->unsafe <= atomic_load(&c->settled);
	if (got)
	{
		sr_client_swap_backlog(c->client, into);
		got = sq_courier_merge(into, c->work) && sq_courier_merge(into, c->incoming);
		if (!got)
			sq_courier_merge(c->incoming, into);
		c->held = 0;
	}
	pthread_mutex_unlock(&c->lock);
	return got;
}

/* What was taken back is delivered. */
static void settle(const sq_db *st)
{
	sq_courier *c = sq_courier_ours(st);

	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	atomic_store(&c->settled, atomic_load(&c->given));
	c->attempts = 0;
	c->retry_at = 0;
	c->pause = SQ_COURIER_PAUSE;
	pthread_mutex_unlock(&c->lock);
}

/* The thread itself calls nothing of SQLite's, so not its log. */
void sq_courier_tell(const sq_db *st)
{
	sq_courier *c = sq_courier_ours(st);
	size_t		refused;
	sr_err		why;

	if (c == NULL || atomic_load(&c->refused) == 0)
		return;
	pthread_mutex_lock(&c->lock);
	refused = atomic_exchange(&c->refused, 0);
	why = c->refusal;
	pthread_mutex_unlock(&c->lock);
	sqlite3_log(SQLITE_WARNING, "sqlredis: %llu effects did not reach Redis, and are lost: %s: %s",
				(unsigned long long) refused, sr_class_word(why.cls), why.msg);
}

size_t sq_courier_held(const sq_db *st)
{
	sq_courier *c = sq_courier_ours(st);
	size_t		held;

	if (c == NULL)
		return 0;
	pthread_mutex_lock(&c->lock);
	held = c->held;
	pthread_mutex_unlock(&c->lock);
	return held;
}

uint64_t sq_courier_sent(const sq_db *st)
{
	sq_courier *c = sq_courier_ours(st);

	return c != NULL ? atomic_load(&c->sent) : 0;
}

uint64_t sq_courier_attempts(const sq_db *st, sr_err *failure)
{
	sq_courier *c = sq_courier_ours(st);
	uint64_t	attempts = 0;

	if (c == NULL)
		return 0;
	pthread_mutex_lock(&c->lock);
	attempts = c->attempts;
	*failure = c->failure;
	pthread_mutex_unlock(&c->lock);
	return attempts;
}

/* ---- sending ---- */

static void flush_into(sq_db *st, sr_inval *effects, unsigned flags, sr_flush_result *result)
{
	bool was = st->no_sql;

	/* SQL inside a commit would leave a write transaction open behind it. */
	st->no_sql = was || (flags & SR_FLUSH_COMMIT) != 0;
	sr_flush(st->client, effects, flags, result);
	st->no_sql = was;
}

/* All that waits is counted, also what the courier has. */
static void tell(const sq_db *st, const sr_flush_result *result, bool outboxed)
{
	bool	 stay = outboxed && result->lost > 0 && sr_class_is_outage(result->err.cls);
	uint64_t kept = result->kept + sq_courier_held(st);

	if (kept + result->lost == 0)
		return;
	sqlite3_log(SQLITE_WARNING,
				"sqlredis: %llu %s (%llu are kept and sent when Redis is back, %llu %s): %s: %s",
				(unsigned long long) kept + result->lost, sr_flush_words(result, 2),
				(unsigned long long) kept, (unsigned long long) result->lost,
				stay ? "stay in the outbox" : "are lost", sr_class_word(result->err.cls),
				result->err.msg);
}

/* While Redis is away, an asynchronous commit says so, too. */
static void tell_kept(const sq_db *st)
{
	sr_flush_result result = {.kept = 0};

	if (sq_courier_attempts(st, &result.err) > 0)
		tell(st, &result, false);
}

/* Redis has just answered: the courier need not wait for its next try. */
static void encourage(const sq_db *st)
{
	sq_courier *c = sq_courier_ours(st);

	if (c == NULL || !sq_courier_behind(st))
		return;
	pthread_mutex_lock(&c->lock);
	c->retry_at = 0;
	pthread_mutex_unlock(&c->lock);
	sq_courier_wake(c);
}

uint64_t sq_hand_over(sq_db *st, bool safe)
{
	uint64_t number;

	sr_client_swap_backlog(st->client, st->spare);
	number = sq_courier_give(st, st->spare, safe);
	if (number == 0)
		sr_client_swap_backlog(st->client, st->spare);
	return number;
}

void sq_catch_up(sq_db *st)
{
	sr_flush_result result;
	bool			safe;

	sq_courier_tell(st);
	if (!sq_courier_behind(st) || !take_back(st, st->spare, &safe))
		return;
	flush_into(st, st->spare, 0, &result);
	if (sr_client_backlog(st->client) == 0)
		settle(st);
	else
		sq_hand_over(st, safe);
}

void sq_send(sq_db *st)
{
	sr_flush_result result;

	sq_catch_up(st);
	flush_into(st, st->queue, 0, &result);
	if (result.kept + result.lost > 0)
		tell(st, &result, false);
	if (sr_client_backlog(st->client) > 0)
		sq_hand_over(st, false);
}

/*
 * The effects of a transaction that is committed. outboxed: a file has them, too; then what finds no room
 * is left to whoever looks there. The number by which to ask for them; 0: all is done.
 */
uint64_t sq_deliver(sq_db *st, bool outboxed)
{
	sr_flush_result result;
	uint64_t		number = 0;

	if (sq_is_async(st))
	{
		number = sq_courier_give(st, st->queue, outboxed);
		if (number == 0 && outboxed && sq_courier_behind(st))
		{
			sr_inval_clear(st->queue);
			return SQ_UNTAKEN;
		}
	}
	if (number != 0)
	{
		tell_kept(st);
		return number;
	}
	flush_into(st, st->queue, SR_FLUSH_COMMIT, &result);
	if (result.kept + result.lost > 0)
		tell(st, &result, outboxed);
	else
		encourage(st);
	if (sr_client_backlog(st->client) > 0)
		number = sq_hand_over(st, outboxed);
	if (number == 0 && (result.kept > 0 || (result.lost > 0 && sr_class_is_outage(result.err.cls))))
		return SQ_UNTAKEN;
	return number;
}

/*
 * The connection may have broken since the first key: xCommit does not dial. Not for longer than xCommit
 * itself would wait, and a failure here leaves it nothing to wait for.
 */
void sq_prepare_delivery(sq_db *st)
{
	const sr_host host = sq_host(st);
	sr_err		  ignored = {0};

	if (sq_is_async(st))
		return;
	st->no_sql = true;
	st->give_up_at = host.now_ms(st) + st->settings.commit_timeout;
	sr_client_connect(st->client, 0, &ignored);
	st->give_up_at = 0;
	st->no_sql = false;
}
