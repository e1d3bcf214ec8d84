/*
 * courier.c - a thread of each connection that delivers what a commit could not send, or did not want to
 * wait for. It has a client of its own and never calls SQLite: not to read the outbox, not to log.
 *
 * Started when there is something to deliver for the first time, joined when the connection closes or
 * its settings change. All its waits end at a write to an eventfd, so joining it waits for no timeout. A
 * forked child has no such thread, and a mutex that may be locked for ever: it leaves all of it alone.
 *
 * What it was given has a number, which never decreases; settled says up to which number everything has
 * been delivered (or refused for good).
 */
#include "courier.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_LONGEST_MS 5000
#define WAIT_MOST		 32 /* descriptors */
#define SLICE_MS		 50

int64_t sq_courier_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t now_ms(void *ctx)
{
	(void) ctx;
	return sq_courier_now();
}

/* ---- the thread ---- */

/* A sleep or a wait of the client; ended by stop. Other wakes are noticed when it is over. */
static sr_wait wait_for(void *ctx, struct pollfd *fds, unsigned nfds, int64_t deadline)
{
	sq_courier	 *c = ctx;
	struct pollfd all[WAIT_MOST + 1];
	bool		  few = nfds <= WAIT_MOST;

	for (;;)
	{
		int64_t	 left = deadline - now_ms(ctx);
		int		 n;
		uint64_t ignored;

		if (atomic_load(&c->stop))
			return SR_WAIT_INTERRUPTED;
		left = left < 0 ? 0 : left > 3600000 ? 3600000 : left;
		if (few && nfds > 0)
			memcpy(all, fds, nfds * sizeof *fds);
		all[few ? nfds : 0] = (struct pollfd){.fd = c->wake, .events = POLLIN};
		n = few ? poll(all, nfds + 1, (int) left)
				: poll(fds, nfds, (int) (left < SLICE_MS ? left : SLICE_MS));
		if (n < 0 && errno != EINTR)
			return SR_WAIT_TIMEOUT;
		if (n > 0 && few && (all[nfds].revents & POLLIN))
		{
			if (read(c->wake, &ignored, sizeof ignored) > 0)
				n--;
			if (nfds == 0)
				return SR_WAIT_READY;
		}
		if (few && nfds > 0)
			memcpy(fds, all, nfds * sizeof *fds);
		if (n > 0)
			return SR_WAIT_READY;
		if (now_ms(ctx) >= deadline)
			return SR_WAIT_TIMEOUT;
	}
}

static void log_nothing(void *ctx, sr_level level, const char *msg)
{
	(void) ctx;
	(void) level;
	(void) msg;
}

/* Without the lock. */
static void deliver(sq_courier *c, sr_flush_result *result)
{
	sr_err failure = {0};

	memset(result, 0, sizeof *result);
	/* its own pauses are enough: it need not wait for the breaker */
	if (!sr_client_connected(c->client) && !sr_client_connect(c->client, SR_PROBE, &failure))
		result->err = failure;
	else
		sr_flush(c->client, c->work, 0, result);
}

/* With the lock. */
static void note_result(sq_courier *c, uint64_t number, const sr_flush_result *result)
{
	size_t left = sr_inval_count(c->work) + sr_client_backlog(c->client);

	c->held = left + sr_inval_count(c->incoming);
	atomic_fetch_add(&c->sent, result->sent);
	if (result->lost > 0)
	{
		atomic_fetch_add(&c->refused, result->lost);
		c->refusal = result->err;
	}
	if (left == 0)
	{
		atomic_store(&c->settled, number);
		c->attempts = 0;
		c->pause = SQ_COURIER_PAUSE;
		c->retry_at = 0;
		return;
	}
	c->attempts++;
	c->failure = result->err;
	c->last_try = sq_courier_now();
	/* not all that were cut off together come back together */
	c->retry_at =
		c->last_try + c->pause / 2 + (int64_t) (sr_client_random(c->client) % (uint64_t) c->pause);
	c->pause = c->pause * 2 < PAUSE_LONGEST_MS ? c->pause * 2 : PAUSE_LONGEST_MS;
}

bool sq_courier_merge(sr_inval *to, sr_inval *from)
{
	if (sr_inval_count(to) == 0)
	{
		sr_inval_swap(to, from);
		sr_inval_release(to, 0);
		return true;
	}
	for (size_t i = 0; i < sr_inval_count(from); i++)
	{
		sr_effect	kind;
		size_t		len;
		const char *data = sr_inval_effect(from, i, &kind, &len, NULL);

		if (sr_inval_push_effect(to, kind, data, len, 0) == SR_PUSH_NO_MEMORY)
			return false;
	}
	sr_inval_clear(from);
	return true;
}

/* When there is something to do; INT64_MAX: not before somebody says so. With the lock. */
static int64_t next_turn(const sq_courier *c)
{
	if (sr_inval_count(c->incoming) + sr_inval_count(c->work) + sr_client_backlog(c->client) == 0)
		return INT64_MAX;
	return c->retry_at;
}

static void *run(void *ctx)
{
	sq_courier *c = ctx;

	pthread_mutex_lock(&c->lock);
	while (!atomic_load(&c->stop))
	{
		int64_t			turn = next_turn(c);
		sr_flush_result result;
		uint64_t		number = atomic_load(&c->given);

		if (turn > sq_courier_now())
		{
			pthread_mutex_unlock(&c->lock);
			wait_for(c, NULL, 0, turn);
			pthread_mutex_lock(&c->lock);
			continue;
		}
		if (!sq_courier_merge(c->work, c->incoming))
			number = atomic_load(&c->settled);
		c->busy = true;
		c->busy_since = sq_courier_now();
		pthread_mutex_unlock(&c->lock);
		deliver(c, &result);
		pthread_mutex_lock(&c->lock);
		c->busy = false;
		note_result(c, number, &result);
		pthread_cond_broadcast(&c->done);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* ---- its life ---- */

static void free_courier(sq_courier *c)
{
	if (c->client != NULL)
		sr_client_free(c->client);
	sr_inval_free(c->incoming);
	sr_inval_free(c->work);
	if (c->wake >= 0)
		close(c->wake);
	pthread_cond_destroy(&c->done);
	pthread_mutex_destroy(&c->lock);
	sr_owner_free(&c->owner);
	free(c);
}

static bool init_locks(sq_courier *c)
{
	pthread_condattr_t attributes;
	bool			   ok;

	if (pthread_mutex_init(&c->lock, NULL) != 0)
		return false;
	ok = pthread_condattr_init(&attributes) == 0;
	if (ok)
	{
		ok = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
			 pthread_cond_init(&c->done, &attributes) == 0;
		pthread_condattr_destroy(&attributes);
	}
	if (!ok)
		pthread_mutex_destroy(&c->lock);
	return ok;
}

static sq_courier *new_courier(sq_db *st)
{
	sq_courier *c = calloc(1, sizeof *c);
	sr_host		host = {.ctx = c, .wait = wait_for, .now_ms = now_ms, .log = log_nothing};

	if (c == NULL || !init_locks(c))
	{
		free(c);
		return NULL;
	}
	c->pause = SQ_COURIER_PAUSE;
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->client = sr_client_new(&host);
	c->incoming = sr_inval_new();
	c->work = sr_inval_new();
	sr_owner_set(&c->owner);
	if (c->wake >= 0 && c->client != NULL && c->incoming != NULL && c->work != NULL)
	{
		sq_configure_client(st, c->client, true);
		return c;
	}
	free_courier(c);
	return NULL;
}

sq_courier *sq_courier_ours(const sq_db *st)
{
	return st->courier != NULL && sr_owner_is_this_process(&st->courier->owner) ? st->courier
																				: NULL;
}

void sq_courier_after_fork(sq_db *st)
{
	if (st->courier == NULL || sq_courier_ours(st) != NULL)
		return;
	/* its memory is the parent's thread's: as it was at some moment */
	st->courier = NULL;
	sq_outbox_forget(st);
}

/* No signal of the application's is for this thread. */
static bool start(sq_courier *c)
{
	sigset_t all, were;

	if (c->running)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &were);
	c->running = pthread_create(&c->thread, NULL, run, c) == 0;
	pthread_sigmask(SIG_SETMASK, &were, NULL);
	return c->running;
}

void sq_courier_wake(sq_courier *c)
{
	const uint64_t one = 1;
	ssize_t		   written = write(c->wake, &one, sizeof one);

	(void) written; /* full: it is awake */
}

sq_courier *sq_courier_start(sq_db *st)
{
	sq_courier *c = sq_courier_ours(st);

	if (c == NULL)
	{
		if (sqlite3_threadsafe() == 0 || sr_client_url(st->client) == NULL)
			return NULL;
		c = st->courier = new_courier(st);
	}
	return c != NULL && start(c) ? c : NULL;
}

static void stop(sq_courier *c)
{
	if (!c->running)
		return;
	atomic_store(&c->stop, true);
	sq_courier_wake(c);
	pthread_join(c->thread, NULL);
	c->running = false;
	atomic_store(&c->stop, false);
}

bool sq_courier_wait(sq_courier *c, int64_t deadline)
{
	const struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = deadline % 1000 * 1000000};

	while (c->busy || (next_turn(c) <= sq_courier_now() && c->running))
		if (pthread_cond_timedwait(&c->done, &c->lock, &until) != 0)
			return false;
	return true;
}

void sq_courier_configure(sq_db *st)
{
	sq_courier *c = sq_courier_ours(st);

	if (c == NULL)
		return;
	stop(c);
	sq_configure_client(st, c->client, true);
	c->retry_at = 0;
	if (sq_courier_behind(st))
		start(c);
}

/*
 * A delivery under way may go on as long as the commit it belongs to would have waited for it. What could
 * not be delivered gets one more chance; not when Redis did not answer at all and an outbox has it for the
 * next process, as that would take long.
 */
void sq_courier_close(sq_db *st)
{
	sq_courier *c = sq_courier_ours(st);
	int64_t		most = st->settings.commit_timeout;

	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	if (c->attempts > 0 && (c->unsafe > atomic_load(&c->settled) || c->failure.cls != SR_E_TIMEOUT))
	{
		c->retry_at = 0;
		sq_courier_wake(c);
		sq_courier_wait(c, sq_courier_now() + most);
	}
	else if (c->attempts == 0)
		sq_courier_wait(c, (c->busy ? c->busy_since : sq_courier_now()) + most);
	pthread_mutex_unlock(&c->lock);
	stop(c);
	sq_courier_tell(st);
	if (c->unsafe > atomic_load(&c->settled))
		sqlite3_log(SQLITE_WARNING,
					"sqlredis: %llu effects did not reach Redis, and are lost: %s: %s",
					(unsigned long long) c->held, sr_class_word(c->failure.cls), c->failure.msg);
	free_courier(c);
	st->courier = NULL;
}
