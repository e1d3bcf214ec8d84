/*
 * exchange.c - commands out and replies in, over one connection.
 *
 * Owns the loop that writes and reads at the same time: written all first, a batch whose replies
 * nobody reads fills both sides' buffers and stops for ever. Memory on our side is bounded, by one
 * output buffer, one input buffer and the reply under construction. It neither dials nor retries.
 *
 * The connection is poisoned (busy) from before the first byte until after the last reply. On any
 * failure it is closed: what is still under way must never be taken for the next call's reply.
 */
#include "core.h"
#include "conn.h"
#include "hiredis_compat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Small: Redis works at the first commands while the next ones are being written down. */
#define OUT_SIZE ((size_t) 8 * 1024)
#define FEED	 ((size_t) 16 * 1024)
#define STEP	 ((size_t) 16 * 1024) /* bytes moved that count as progress */

/* What is on its way out, and when to give up. */
typedef struct wire
{
	sr_client	*c;
	sr_exchange *x;
	bool		 more;	/* next may have more commands */
	bool		 again; /* the last read filled its buffer: do not wait for the next */
	short		 extra; /* events TLS wants beyond the usual */
	char		*large; /* a formatted command that does not fit into c->out, or NULL */
	size_t		 large_len;
	const char	*data; /* being written: c->out or large */
	size_t		 len, pos;
	int64_t		 begun;
	int64_t		 deadline; /* of the next progress */
	size_t		 moved;	   /* bytes since the last one */
} wire;

static void progress(wire *w)
{
	w->deadline = sr_now(&w->c->host) + w->x->idle;
	w->moved = 0;
}

static void moved(wire *w, size_t n)
{
	w->moved += n;
	if (w->moved >= STEP)
		progress(w);
}

static bool fail_lost(const wire *w, sr_err *err)
{
	if (w->c->fresh)
		return sr_fail(err, SR_E_LOST, w->c->stream->peer_hint,
					   "Redis at %s closed the connection before it answered", w->c->where);
	return sr_fail(
		err, SR_E_LOST,
		"Redis was restarted, or closed it (timeout, CLIENT KILL, an output buffer limit): "
		"its log tells.",
		"Redis at %s closed the connection", w->c->where);
}

/* ---- out ---- */

/* Format a command; the caller frees *text with redisFreeCommand. */
static bool format(const sr_argv *cmd, char **text, size_t *len, sr_err *err)
{
	size_t	  total = 0;
	long long n;

	for (int i = 0; i < cmd->argc; i++)
	{
		total += cmd->argvlen[i] + 32;
		if (total > SR_HIREDIS_MAX_COMMAND || cmd->argvlen[i] > SR_HIREDIS_MAX_COMMAND)
			return sr_fail(err, SR_E_SIZE, "Redis itself takes values of up to 512 MB.",
						   "a command of more than %zu bytes", SR_HIREDIS_MAX_COMMAND);
	}
	n = redisFormatCommandArgv(text, cmd->argc, cmd->argv, cmd->argvlen);
	if (n < 0)
		return sr_fail_memory(err);
	*len = (size_t) n;
	return true;
}

/* Put commands into c->out until it is full; one that does not fit waits in large. */
static bool gather(wire *w, sr_err *err)
{
	sr_buf *out = &w->c->out;

	while (w->more && w->large == NULL && out->len < OUT_SIZE)
	{
		sr_argv cmd;
		char   *text = NULL;
		size_t	len = 0;

		if (w->x->next(w->x->ctx, &cmd) == 0)
		{
			w->more = false;
			break;
		}
		if (!format(&cmd, &text, &len, err))
			return false;
		w->x->asked++;
		w->x->written += len;
		if (out->len + len <= OUT_SIZE && sr_buf_add(out, text, len))
			redisFreeCommand(text);
		else
		{
			w->large = text;
			w->large_len = len;
		}
	}
	return true;
}

/* Everything before is written: what comes next? */
static bool refill(wire *w, sr_err *err)
{
	if (w->data != NULL && w->data == w->large)
	{
		redisFreeCommand(w->large);
		w->large = NULL;
	}
	w->c->out.len = 0;
	w->pos = w->len = 0;
	w->data = NULL;
	if (w->large == NULL && !gather(w, err))
		return false;
	if (w->c->out.len > 0)
	{
		w->data = w->c->out.data;
		w->len = w->c->out.len;
	}
	else if (w->large != NULL)
	{
		w->data = w->large;
		w->len = w->large_len;
	}
	return true;
}

static bool write_some(wire *w, sr_err *err)
{
	while (w->pos < w->len)
	{
		size_t n;

		switch (w->c->stream->write(w->c->stream, w->data + w->pos, w->len - w->pos, &n, err))
		{
			case SR_IO_OK:
				w->pos += n;
				w->x->sent += n;
				moved(w, n);
				break;
			case SR_IO_WANT_READ: return true; /* which is always waited for */
			case SR_IO_WANT_WRITE: w->extra |= POLLOUT; return true;
			case SR_IO_EOF: return fail_lost(w, err);
			case SR_IO_ERROR: return false;
		}
	}
	return true;
}

/* ---- in ---- */

static bool is_tls_alert(const char *data, size_t len)
{
	return len >= 2 && data[0] == 0x15 && data[1] == 0x03;
}

static bool take_replies(wire *w, sr_err *err)
{
	sr_reply *reply;
	bool	  any = false;

	while (sr_reader_next(w->c->reader, &reply, err))
	{
		if (reply == NULL)
		{
			if (any && (w->more || w->x->answered < w->x->asked))
				progress(w);
			return true;
		}
		if (w->x->answered == w->x->asked)
		{
			sr_reply_free(reply);
			return sr_fail(err, SR_E_PROTOCOL, NULL, "Redis at %s sent a reply nobody asked for",
						   w->c->where);
		}
		any = true;
		w->x->answered++;
		w->c->fresh = false;
		w->x->reply(w->x->ctx, reply);
	}
	return false;
}

static bool consume(wire *w, const char *data, size_t len, sr_err *err)
{
	if (w->c->fresh && !w->c->url.tls && is_tls_alert(data, len))
		return sr_fail(err, SR_E_PROTOCOL, w->c->stream->peer_hint, "Redis at %s answers in TLS",
					   w->c->where);
	while (len > 0)
	{
		size_t n = len < FEED ? len : FEED;

		if (!sr_reader_feed(w->c->reader, data, n, err) || !take_replies(w, err))
			return false;
		data += n;
		len -= n;
	}
	return true;
}

static bool read_some(wire *w, sr_err *err)
{
	sr_client *c = w->c;
	size_t	   n;

	w->again = false;
	switch (c->stream->read(c->stream, c->in, sizeof(c->in), &n, err))
	{
		case SR_IO_OK:
			moved(w, n);
			w->again = n == sizeof(c->in);
			return consume(w, c->in, n, err);
		case SR_IO_WANT_READ: return true;
		case SR_IO_WANT_WRITE: w->extra |= POLLOUT; return true;
		case SR_IO_EOF: return fail_lost(w, err);
		case SR_IO_ERROR: return false;
	}
	return false;
}

/* ---- the loop ---- */

static bool fail_timeout(const wire *w, sr_err *err)
{
	static const char hint[] = "Redis may be overloaded or stopped, or the command slow: see its "
							   "log and SLOWLOG; command_timeout sets the wait.";

	int64_t waited = w->x->idle;

	if (w->x->until != 0 && w->x->until <= w->deadline)
	{
		waited = w->x->until - w->begun;
		if (w->x->answered > 0)
			return sr_fail(err, SR_E_TIMEOUT, hint,
						   "Redis at %s did not answer everything within %lld ms", w->c->where,
						   (long long) waited);
	}
	return sr_fail(err, SR_E_TIMEOUT, hint, "no reply from Redis at %s within %lld ms", w->c->where,
				   (long long) waited);
}

static bool wait_some(wire *w, sr_err *err)
{
	short	events = (short) (POLLIN | w->extra);
	int64_t until = w->deadline;

	if (w->x->until != 0 && w->x->until < until)
		until = w->x->until;
	w->extra = 0;
	switch (sr_net_wait(&w->c->host, w->c->stream->fd, events, until))
	{
		case SR_WAIT_READY: return true;
		case SR_WAIT_TIMEOUT: return fail_timeout(w, err);
		case SR_WAIT_INTERRUPTED: return sr_fail_interrupted(err);
	}
	return true;
}

/* While data keeps flowing nothing waits, but the total time holds. */
static bool overdue(const wire *w)
{
	return w->x->until != 0 && sr_now(&w->c->host) >= w->x->until;
}

static bool loop(wire *w, sr_err *err)
{
	for (;;)
	{
		if (w->pos == w->len && (w->more || w->large != NULL) && !refill(w, err))
			return false;
		if (w->pos == w->len && !w->more && w->large == NULL && w->x->answered == w->x->asked)
			return true;
		if (!write_some(w, err))
		{
			sr_err why;

			/*
			 * A server that refuses a client or a command says why before it closes. But what it said
			 * before any of this went out answers nothing.
			 */
			if (err->cls == SR_E_LOST && (w->x->sent > 0 || w->c->fresh) && !read_some(w, &why) &&
				why.cls != SR_E_LOST)
				*err = why;
			return false;
		}
		if (w->pos == w->len && (w->more || w->large != NULL))
			w->again = true; /* there may be more to write: look for replies without waiting */
		if (w->again ? overdue(w) : !wait_some(w, err))
			return w->again && fail_timeout(w, err);
		if (!read_some(w, err))
			return false;
	}
}

/* ---- latency ---- */

static uint64_t microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

/* Bucket b ends at sqrt(2)^(b+1) microseconds. */
static int bucket(uint64_t us)
{
	int power, b;

	if (us < 1)
		return 0;
	if (us >= (uint64_t) 1 << 31)
		return SR_LATENCY_BUCKETS - 1;
	power = 63 - __builtin_clzll(us);
	b = 2 * power + ((us * us) >> (2 * power + 1) != 0);
	return b < SR_LATENCY_BUCKETS ? b : SR_LATENCY_BUCKETS - 1;
}

double sr_latency_edge(int b)
{
	double edge = b % 2 == 0 ? 1.4142135623730951 : 2;

	return edge * (double) ((uint64_t) 1 << (b / 2));
}

bool sr_exchange_run(sr_client *c, sr_exchange *x, sr_err *err)
{
	wire	 w = {.c = c, .x = x, .more = true};
	uint64_t start = microseconds();
	bool	 ok;

	x->sent = x->written = x->asked = x->answered = 0;
	progress(&w);
	w.begun = w.deadline - x->idle;
	c->last_used = w.begun;
	c->busy = true;
	ok = loop(&w, err);
	if (w.large != NULL)
		redisFreeCommand(w.large);
	sr_client_count_sent(c, x->asked);
	if (!ok)
	{
		sr_client_drop(c, false);
		return false;
	}
	if (x->asked == 1 && !x->waits)
		c->stats->latency[bucket(microseconds() - start)]++;
	/* bytes beyond the last reply: leave it poisoned, the next call starts afresh */
	c->busy = sr_reader_buffered(c->reader) != 0;
	return true;
}
