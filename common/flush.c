/*
 * flush.c - deliver the keys of a committed transaction, keep what could not be delivered.
 *
 * Owns the UNLINKs and the backlog. It must not lose a key silently: each is sent (Redis answered
 * for it), kept (in the backlog, for a later flush) or lost and counted. It raises nothing and
 * survives want of memory, because it runs inside a COMMIT.
 */
#include "core.h"
#include "conn.h"

#include <stdio.h>
#include <string.h>

#define BATCH_KEYS	((size_t) 512)
#define BATCH_BYTES ((size_t) 48 * 1024) /* a few writes */
#define KEY_EXTRA	((size_t) 16)		 /* "$123\r\n" and "\r\n" round a key */
#define PAUSE		1000				 /* ms before an unasked flush bothers a server again */

typedef struct flusher
{
	sr_client		*c;
	const sr_inval	*first; /* the keys are those of first, then those of second (or NULL) */
	const sr_inval	*second;
	size_t			 total;
	size_t			 asked, answered; /* how far commands went out and replies came in */
	size_t			 batch_keys;
	int64_t			 until;	  /* absolute ms, for singles too; 0: no end */
	bool			 stop;	  /* Redis is not able to now: ask no more */
	sr_inval		*kept;	  /* answered, but not done; NULL until needed */
	sr_inval		*singles; /* refused with others: each to be asked alone; likewise */
	sr_flush_result *out;
	const char		*argv[BATCH_KEYS + 1];
	size_t			 lengths[BATCH_KEYS + 1];
} flusher;

static const char *key_at(const flusher *f, size_t i, size_t *len)
{
	size_t n = sr_inval_count(f->first);

	sr_effect kind;

	return i < n ? sr_inval_effect(f->first, i, &kind, len, NULL)
				 : sr_inval_effect(f->second, i - n, &kind, len, NULL);
}

/* Where the batch that begins at start ends; the same whenever it is asked. */
static size_t batch_end(const flusher *f, size_t start)
{
	size_t bytes = 0;
	size_t i;

	for (i = start; i < f->total && i - start < f->batch_keys; i++)
	{
		size_t len;

		(void) key_at(f, i, &len);
		bytes += len + KEY_EXTRA;
		if (bytes > BATCH_BYTES && i > start)
			break;
	}
	return i;
}

static int next_batch(void *ctx, sr_argv *out)
{
	flusher *f = ctx;
	size_t	 end;

	if (f->stop || f->asked == f->total)
		return 0;
	end = batch_end(f, f->asked);
	out->argc = 1;
	out->argv = f->argv;
	out->argvlen = f->lengths;
	f->argv[0] = "UNLINK";
	f->lengths[0] = 6;
	for (; f->asked < end; f->asked++, out->argc++)
		f->argv[out->argc] = key_at(f, f->asked, &f->lengths[out->argc]);
	return 1;
}

/* Is there no room for one more? A key that waits already needs none. */
static bool is_full(const sr_inval *q, const char *key, size_t len, size_t max)
{
	return sr_inval_count(q) >= max && !sr_inval_contains(q, key, len);
}

/* Append keys [start, end) to *to, made when it is NULL; what finds no place is lost. */
static void set_aside(flusher *f, sr_inval **to, size_t start, size_t end, size_t max)
{
	if (*to == NULL)
		*to = sr_inval_new();
	for (size_t i = start; i < end; i++)
	{
		size_t		len;
		const char *key = key_at(f, i, &len);

		if (*to == NULL || is_full(*to, key, len, max) ||
			sr_inval_push(*to, key, len, 0) == SR_PUSH_NO_MEMORY)
			f->out->lost++;
	}
}

static void note_error(flusher *f, const sr_err *err)
{
	if ((unsigned) err->cls < SR_CLASSES)
		f->c->stats.errors[err->cls]++;
	if (f->out->err.cls == SR_OK)
		f->out->err = *err;
}

/* Would the same command succeed later, without anybody changing the key? */
static bool is_transient(sr_class cls)
{
	switch (cls)
	{
		case SR_E_CONNECT:
		case SR_E_LOST:
		case SR_E_TIMEOUT:
		case SR_E_PROTOCOL:
		case SR_E_TLS:
		case SR_E_AUTH:
		case SR_E_MEMORY:
		case SR_E_QUOTA:
		case SR_E_CLIENTS:
		case SR_E_READONLY:
		case SR_E_BUSY:
		case SR_E_INTERRUPTED:
		case SR_E_LOCAL_MEMORY: return true;
		default: return false;
	}
}

static void on_batch_reply(void *ctx, sr_reply *reply)
{
	flusher *f = ctx;
	size_t	 start = f->answered;
	size_t	 end = batch_end(f, start);
	sr_err	 err;

	f->answered = end;
	if (reply->kind != SR_ERROR)
		f->out->sent += end - start;
	else
	{
		sr_fail_reply(&err, reply->str, reply->len);
		if (is_transient(err.cls))
		{
			note_error(f, &err);
			f->stop = true;
			set_aside(f, &f->kept, start, end, f->c->settings.pending_max);
		}
		else if (end - start > 1)
			set_aside(f, &f->singles, start, end, SIZE_MAX);
		else
		{
			note_error(f, &err);
			f->out->lost++;
		}
	}
	sr_reply_free(reply);
}

/* Send what f has; UNLINK may be repeated, so a broken connection is replaced once. */
static bool send_all(flusher *f, bool commit, unsigned flags, sr_err *err)
{
	sr_client *c = f->c;

	for (int attempt = 0;; attempt++)
	{
		sr_exchange x = {.ctx = f,
						 .next = next_batch,
						 .reply = on_batch_reply,
						 .idle = commit ? c->commit_timeout : c->command_timeout,
						 .until = f->until};
		bool		ok;

		if (!sr_client_ready(c, flags, err))
			return false;
		ok = sr_exchange_run(c, &x, err);
		sr_breaker_report(c, ok ? NULL : err);
		if (ok)
			return true;
		f->asked = f->answered;
		if (err->cls != SR_E_LOST || attempt > 0 || (flags & SR_NO_DIAL) != 0)
			return false;
	}
}

/* Ask for each key that was refused together with others by itself. */
static void send_singles(flusher *f, bool commit, unsigned flags, bool connected)
{
	flusher one = {.c = f->c,
				   .first = f->singles,
				   .batch_keys = 1,
				   .until = f->until,
				   .kept = f->kept,
				   .out = f->out};
	sr_err	err;

	if (f->singles == NULL)
		return;
	one.total = sr_inval_count(f->singles);
	if (connected && !f->stop && !send_all(&one, commit, flags, &err))
		note_error(f, &err);
	set_aside(&one, &one.kept, one.answered, one.total, f->c->settings.pending_max);
	f->kept = one.kept;
	f->stop = f->stop || one.stop;
	sr_inval_free(f->singles);
	f->singles = NULL;
}

/* Nothing was answered: the backlog stays as it is and q's keys join it. */
static void keep_all(sr_client *c, sr_inval *q, sr_flush_result *out)
{
	flusher f = {.c = c, .first = q, .out = out};

	if (q == NULL)
		return;
	f.total = sr_inval_count(q);
	if (c->flushing)
		out->lost += f.total;
	else if (sr_inval_count(c->backlog) == 0 && f.total <= c->settings.pending_max)
	{
		sr_inval_release(q, 0);
		sr_inval_swap(c->backlog, q);
	}
	else
		set_aside(&f, &c->backlog, 0, f.total, c->settings.pending_max);
	sr_inval_clear(q);
}

/* What was not answered joins what was kept, and that becomes the backlog. */
static void keep_rest(flusher *f, sr_inval *q)
{
	sr_client *c = f->c;

	if (f->answered == 0 && f->kept == NULL)
	{
		keep_all(c, q, f->out);
		return;
	}
	if (f->answered < f->total)
		set_aside(f, &f->kept, f->answered, f->total, c->settings.pending_max);
	if (f->kept != NULL)
	{
		sr_inval_swap(c->backlog, f->kept);
		sr_inval_free(f->kept);
	}
	else
		sr_inval_clear(c->backlog);
	if (q != NULL)
		sr_inval_clear(q);
}

static void flush(sr_client *c, sr_inval *q, bool commit, unsigned flags, sr_flush_result *out)
{
	flusher f = {.c = c, .first = c->backlog, .second = q, .batch_keys = BATCH_KEYS, .out = out};
	int64_t all = c->command_timeout > c->commit_timeout ? c->command_timeout : c->commit_timeout;
	sr_err	err;
	bool	ok;

	if (commit || (flags & SR_NO_DIAL) != 0)
		f.until = sr_now(&c->host) + all;
	f.total = sr_inval_count(c->backlog) + (q != NULL ? sr_inval_count(q) : 0);
	c->flushing = true;
	ok = send_all(&f, commit, flags, &err);
	if (!ok)
		note_error(&f, &err);
	send_singles(&f, commit, flags, ok);
	c->flushing = false;
	keep_rest(&f, q);
	/* a server that answers "not now" is left alone for a moment; one that was away is not */
	c->backlog_not_before = f.stop ? sr_now(&c->host) + PAUSE : 0;
}

static void count(sr_client *c, sr_flush_result *out)
{
	out->kept = sr_inval_count(c->backlog);
	c->stats.invalidations_sent += out->sent;
	c->stats.invalidations_failed += out->lost;
}

void sr_flush(sr_client *c, sr_inval *q, unsigned flags, sr_flush_result *out)
{
	bool commit = (flags & SR_FLUSH_COMMIT) != 0;

	memset(out, 0, sizeof(*out));
	if (sr_inval_count(c->backlog) == 0 && (q == NULL || sr_inval_count(q) == 0))
		return;
	if (sr_client_enter(c, &out->err))
	{
		flush(c, q, commit, commit ? SR_NO_DIAL : 0, out);
		sr_client_leave(c);
	}
	else
		keep_all(c, q, out);
	count(c, out);
}

bool sr_flush_backlog(sr_client *c, sr_err *err)
{
	sr_flush_result out;

	if (sr_now(&c->host) < c->backlog_not_before)
		return true;
	memset(&out, 0, sizeof(out));
	flush(c, NULL, false, SR_NO_DIAL, &out);
	count(c, &out);
	if (out.lost > 0) /* nobody else hears of it */
	{
		char text[sizeof(out.err.msg) + 64];

		snprintf(text, sizeof(text), "%zu keys could not be invalidated: %s", out.lost,
				 out.err.msg);
		c->host.log(c->host.ctx, SR_LOG_WARNING, text);
	}
	if (out.err.cls != SR_E_INTERRUPTED)
		return true;
	*err = out.err;
	return false;
}

size_t sr_client_backlog(const sr_client *c)
{
	return sr_inval_count(c->backlog);
}

void sr_client_swap_backlog(sr_client *c, sr_inval *q)
{
	if (!c->flushing)
		sr_inval_swap(c->backlog, q);
}
