/*
 * flush.c - deliver the effects of a committed transaction, keep what could not be delivered.
 *
 * Owns the backlog, the order and the deadlines. It must not lose an effect silently: each is sent (Redis
 * answered for it), kept (in the backlog, for a later flush, or by the caller) or lost and counted. It
 * raises nothing and survives want of memory, because it runs inside a COMMIT.
 *
 * A list is cut into phases, each with a group at most at its beginning, or scripts that follow each other.
 * Those wait for the answer to everything before them; deletions behind them go out with them, and count only
 * if they were done. What is owed may be sent again at any time: deliver.c sees to that.
 */
#include "deliver.h"

#include <stdio.h>
#include <string.h>

#define PAUSE		 1000				   /* ms before an unasked flush bothers a server again */
#define SWEEP_PAUSE	 30000				   /* ms before a COMMIT tries a pattern again */
#define SCRATCH_KEEP ((size_t) 128 * 1024) /* of the scratch between flushes */

/* ---- how an effect ended ---- */

static void count_lost(sr_client *c, sr_flush_result *out, const sr_inval *list, size_t i)
{
	sr_effect	kind;
	size_t		len;
	const char *data = sr_inval_effect(list, i, &kind, &len, NULL);

	out->lost++;
	out->jobs |= sr_effect_is_group(kind);
	if (sr_effect_is_group(kind))
		c->stats->commands_failed += sr_effects_commands(kind, data, len);
	else
		c->stats->invalidations_failed++;
}

void sr_delivery_note(sr_delivery *d, const sr_err *err)
{
	if ((unsigned) err->cls < SR_CLASSES)
		d->c->stats->errors[err->cls]++;
	if (d->out->err.cls == SR_OK)
		d->out->err = *err;
}

void sr_delivery_sent(sr_delivery *d, sr_effect kind, size_t n)
{
	d->done_any = true;
	d->out->sent += n;
	if (!sr_effect_is_group(kind))
		d->c->stats->invalidations_sent += n;
}

void sr_delivery_lost(sr_delivery *d, size_t i, const sr_err *why)
{
	d->done_any = true;
	if (why != NULL)
		sr_delivery_note(d, why);
	count_lost(d->c, d->out, d->list, i);
}

void sr_delivery_set_aside(sr_delivery *d, sr_inval **to, size_t i)
{
	sr_effect	kind;
	size_t		len;
	const char *data = sr_inval_effect(d->list, i, &kind, &len, NULL);

	if (*to == NULL)
		*to = sr_inval_new();
	if (*to == NULL || sr_inval_push_effect(*to, kind, data, len, 0) == SR_PUSH_NO_MEMORY)
		d->forgot = true;
}

bool sr_is_transient(sr_class cls)
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

/* ---- asking ---- */

bool sr_delivery_in_time(sr_delivery *d)
{
	sr_err err;

	if (d->until == 0 || sr_now(&d->c->host) < d->until)
		return true;
	sr_fail(&err, SR_E_TIMEOUT, NULL, "Redis at %s did not carry out everything in time",
			d->c->where);
	sr_delivery_note(d, &err);
	d->stop = true;
	return false;
}

bool sr_delivery_ready(sr_delivery *d)
{
	sr_err err;

	if (d->stop || !sr_delivery_in_time(d))
		return false;
	if (sr_client_ready(d->c, d->flags, &err))
		return true;
	sr_delivery_note(d, &err);
	d->stop = true;
	return false;
}

bool sr_delivery_exchange(sr_delivery *d, sr_exchange *x, sr_err *err)
{
	bool ok;

	x->idle = d->idle;
	if (d->until != 0)
		x->until = d->until + d->idle; /* what was asked in time is waited for */
	ok = sr_exchange_run(d->c, x, err);
	sr_breaker_report(d->c, ok ? NULL : err);
	return ok;
}

/* ---- one list ---- */

static sr_effect kind_of(const sr_inval *list, size_t i)
{
	sr_effect kind;
	size_t	  len;

	(void) sr_inval_effect(list, i, &kind, &len, NULL);
	return kind;
}

/* The phase that begins at d->start. */
static void cut_phase(sr_delivery *d)
{
	size_t	  total = sr_inval_count(d->list), i = d->start;
	sr_effect first = kind_of(d->list, i);

	if (sr_inval_count_of(d->list, SR_EFFECT_COMMANDS) == 0 &&
		sr_inval_count_of(d->list, SR_EFFECT_SCRIPT) == 0)
		d->groups = i;
	else
	{
		if (sr_effect_is_group(first))
			i++;
		while (first == SR_EFFECT_SCRIPT && i < total && kind_of(d->list, i) == first)
			i++;
		d->groups = i;
		while (i < total && !sr_effect_is_group(kind_of(d->list, i)))
			i++;
		total = i;
	}
	d->end = total;
}

/* The phase's patterns; false: not all of them, and commands must wait for those. */
static bool sweep_phase(sr_delivery *d, bool sweep)
{
	bool all = true;

	if (sr_inval_count_of(d->list, SR_EFFECT_PATTERN) == 0)
		return true;
	for (size_t i = d->start; i < d->end; i++)
		if (kind_of(d->list, i) == SR_EFFECT_PATTERN && (!sweep || d->stop || !sr_sweep(d, i)))
		{
			sr_delivery_set_aside(d, &d->kept, i);
			all = false;
		}
	return all;
}

/* Carry out list; what is still owed is in d->kept, or it is all of the list: true. */
static bool run(sr_delivery *d, const sr_inval *list, bool sweep)
{
	size_t total = sr_inval_count(list);
	bool   go_on = true;

	d->list = list;
	d->done_any = false;
	for (d->start = 0; go_on && d->start < total; d->start = d->end)
	{
		cut_phase(d);
		sr_deliver(d);
		go_on = sweep_phase(d, sweep) && !d->stop;
	}
	/* nothing done: as it is, without copying it */
	if ((!d->done_any && !go_on) || d->forgot)
		return true;
	for (; d->start < total; d->start++)
		sr_delivery_set_aside(d, &d->kept, d->start);
	return d->forgot;
}

/* ---- the backlog ---- */

/* Is there no room for one more? A key that waits already needs none. */
static bool is_full(const sr_client *c, sr_effect kind, const char *data, size_t len)
{
	return sr_inval_count(c->backlog) >= c->settings.pending_max &&
		   (kind != SR_EFFECT_KEY || !sr_inval_contains(c->backlog, data, len));
}

static bool has_groups(const sr_inval *q)
{
	return sr_inval_count_of(q, SR_EFFECT_COMMANDS) + sr_inval_count_of(q, SR_EFFECT_SCRIPT) > 0;
}

/* q's effects join the backlog, and q is empty. */
static void keep(sr_client *c, sr_inval *q, unsigned flags, sr_flush_result *out)
{
	size_t total = sr_inval_count(q);

	out->jobs |= has_groups(q);
	if ((flags & SR_FLUSH_LEAVE) != 0)
		out->kept += total;
	else if (!c->flushing && sr_inval_count(c->backlog) == 0 && total <= c->settings.pending_max)
	{
		sr_inval_release(q, 0);
		sr_inval_swap(c->backlog, q);
	}
	else
		for (size_t i = 0; i < total; i++)
		{
			sr_effect	kind;
			size_t		len;
			const char *data = sr_inval_effect(q, i, &kind, &len, NULL);

			if (c->flushing || is_full(c, kind, data, len) ||
				sr_inval_push_effect(c->backlog, kind, data, len, 0) == SR_PUSH_NO_MEMORY)
				count_lost(c, out, q, i);
		}
	sr_inval_clear(q);
}

static void drop_kept(sr_delivery *d)
{
	sr_inval_free(d->kept);
	d->kept = NULL;
	d->forgot = false;
}

static void flush_backlog(sr_delivery *d, bool sweep)
{
	sr_client *c = d->c;

	/* Redis away: a commit must not pay for all that earlier ones left */
	if (sr_inval_count(c->backlog) == 0 || !sr_delivery_ready(d))
		return;
	c->flushing = true;
	if (!run(d, c->backlog, sweep))
	{
		if (d->kept != NULL)
			sr_inval_swap(c->backlog, d->kept);
		else
			sr_inval_clear(c->backlog);
	}
	drop_kept(d);
	c->flushing = false;
}

static void flush_queue(sr_delivery *d, sr_inval *q, unsigned flags)
{
	bool sweep = (flags & SR_FLUSH_NO_PATTERNS) == 0;

	if (sr_inval_count(q) == 0)
		return;
	if (!sr_delivery_ready(d) || run(d, q, sweep))
		keep(d->c, q, flags, d->out);
	else if (d->kept != NULL)
		keep(d->c, d->kept, flags, d->out);
	sr_inval_clear(q);
	drop_kept(d);
}

/* unasked: before another call */
static void flush(sr_client *c, sr_inval *q, unsigned flags, bool unasked, sr_flush_result *out)
{
	bool		  commit = (flags & SR_FLUSH_COMMIT) != 0;
	sr_batch_line line;
	sr_delivery	  d = {.c = c,
					   .out = out,
					   .line = &line,
					   .flags = commit || unasked ? SR_NO_DIAL : 0,
					   .idle = commit ? c->commit_timeout : c->command_timeout};
	int64_t all = c->command_timeout > c->commit_timeout ? c->command_timeout : c->commit_timeout;
	int64_t now = sr_now(&c->host);
	bool	sweep =
		(flags & SR_FLUSH_NO_PATTERNS) == 0 && !unasked && (!commit || now >= c->sweep_not_before);

	if (commit || unasked)
		d.until = now + all;
	if ((flags & SR_FLUSH_ONLY) == 0)
		flush_backlog(&d, sweep);
	if (q != NULL)
		flush_queue(&d, q, flags);
	if (c->scratch.cap > SCRATCH_KEEP)
		sr_buf_free(&c->scratch);
	/* a server that answers "not now" is left alone for a moment; one that was away is not */
	c->backlog_not_before = 0;
	if (sr_inval_count(c->backlog) > 0 && (c->stream != NULL || !d.stop))
		c->backlog_not_before = sr_now(&c->host) + PAUSE;
	if (commit && sr_inval_count_of(c->backlog, SR_EFFECT_PATTERN) > 0 && sweep)
		c->sweep_not_before = sr_now(&c->host) + SWEEP_PAUSE;
}

static void count_kept(const sr_client *c, unsigned flags, sr_flush_result *out)
{
	if ((flags & SR_FLUSH_LEAVE) != 0)
		return;
	out->kept = sr_inval_count(c->backlog);
	out->jobs |= has_groups(c->backlog);
}

const char *sr_flush_words(const sr_flush_result *result, size_t n)
{
	if (result->jobs)
		return n == 1 ? "effect did not reach Redis" : "effects did not reach Redis";
	return n == 1 ? "key was not invalidated" : "keys were not invalidated";
}

void sr_flush(sr_client *c, sr_inval *q, unsigned flags, sr_flush_result *out)
{
	memset(out, 0, sizeof(*out));
	if (sr_inval_count(c->backlog) == 0 && (q == NULL || sr_inval_count(q) == 0))
		return;
	if (sr_client_enter(c, &out->err))
	{
		flush(c, q, flags, false, out);
		sr_client_leave(c);
	}
	else if (q != NULL)
		keep(c, q, flags, out);
	count_kept(c, flags, out);
}

bool sr_flush_backlog(sr_client *c, sr_err *err)
{
	sr_flush_result out;

	if (sr_now(&c->host) < c->backlog_not_before)
		return true;
	memset(&out, 0, sizeof(out));
	flush(c, NULL, 0, true, &out);
	if (out.lost > 0) /* nobody else hears of it */
	{
		char text[sizeof(out.err.msg) + 96];

		snprintf(text, sizeof(text), "Redis refused %zu effects of committed transactions: %s",
				 out.lost, out.err.msg);
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
