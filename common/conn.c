/*
 * conn.c - a client: its settings, its one connection, and calls over it.
 *
 * Owns when a connection is used, replaced or thrown away, and what is sent a second time: nothing
 * whose effect could happen twice. How bytes move is exchange.c's, how a connection comes
 * to be is dial.c's, whether the server may be tried is breaker.c's.
 */
#include "core.h"
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEEK_AFTER 1000 /* ms idle: the server may have closed it since */

/* ---- the connection ---- */

void sr_client_drop(sr_client *c, bool orderly)
{
	sr_stream *stream = c->stream;

	c->stream = NULL;
	c->busy = false;
	sr_identity_forget(c);
	sr_reader_free(c->reader);
	c->reader = NULL;
	if (stream != NULL)
		stream->close(stream, orderly && sr_owner_is_this_process(&c->owner));
}

static void discard_unusable(sr_client *c)
{
	if (c->stream == NULL)
		return;
	if (!sr_owner_is_this_process(&c->owner)) /* the parent's: not a byte over it */
		sr_client_drop(c, false);
	else if (c->busy)
		sr_client_drop(c, false);
	else if (sr_now(&c->host) - c->last_used > PEEK_AFTER && !sr_net_idle(c->stream))
		sr_client_drop(c, false);
}

bool sr_client_ready(sr_client *c, unsigned flags, sr_err *err)
{
	bool ok;

	discard_unusable(c);
	if (!sr_breaker_allow(c, flags, err))
		return false;
	if (c->stream != NULL)
		return true;
	if (flags & SR_NO_DIAL)
	{
		sr_fail(err, SR_E_LOST, NULL, "there is no connection to Redis at %s", c->where);
		sr_breaker_report(c, err);
		err->cls = SR_E_CONNECT;
		return false;
	}
	ok = sr_dial(c, err);
	sr_breaker_report(c, ok ? NULL : err);
	return ok;
}

bool sr_client_enter(sr_client *c, sr_err *err)
{
	if (c->active)
		return sr_fail(err, SR_E_BUSY, "Let the function that is running return first.",
					   "Redis is being asked already, by the call that led to this one");
	if (!c->configured)
	{
		*err = c->refused;
		return false;
	}
	c->active = true;
	return true;
}

void sr_client_leave(sr_client *c)
{
	c->active = false;
}

void sr_client_abandon(sr_client *c)
{
	if (c->busy)
		sr_client_drop(c, false);
	c->active = false;
	c->bound = NULL;
}

void sr_client_count_error(sr_client *c, const sr_err *err)
{
	if ((unsigned) err->cls < SR_CLASSES)
		c->stats->errors[err->cls]++;
}

bool sr_client_connect(sr_client *c, unsigned flags, sr_err *err)
{
	sr_err own;
	bool   ok;

	if (err == NULL)
		err = &own;
	ok = sr_client_enter(c, err);
	if (ok)
	{
		ok = sr_client_ready(c, flags, err);
		sr_client_leave(c);
	}
	if (!ok)
		sr_client_count_error(c, err);
	return ok;
}

/* ---- one command ---- */

typedef struct single
{
	const sr_argv *cmd; /* NULL: given */
	sr_reply	  *reply;
} single;

static int next_single(void *ctx, sr_argv *out)
{
	single *s = ctx;

	if (s->cmd == NULL)
		return 0;
	*out = *s->cmd;
	s->cmd = NULL;
	return 1;
}

static void on_single_reply(void *ctx, sr_reply *reply)
{
	single *s = ctx;

	s->reply = reply;
}

/* Say what is known of the command's effect. */
static void explain(const sr_client *c, const sr_argv *cmd, unsigned flags, size_t sent,
					sr_err *err)
{
	int			len = cmd->argvlen[0] > 32 ? 32 : (int) cmd->argvlen[0];
	const char *name = cmd->argv[0];
	bool		unknown = sent > 0 && !(flags & SR_SAFE_TO_RESEND);
	sr_err		was = *err;
	char		hint[sizeof(was.hint)];

	if (err->cls == SR_E_LOST && unknown)
		sr_fail(err, SR_E_LOST, "Look whether it did before it is repeated.",
				"connection to Redis at %s lost after %.*s was sent; whether it took effect is "
				"unknown",
				c->where, len, name);
	else if (err->cls == SR_E_LOST)
		sr_fail(err, SR_E_LOST, was.hint, "connection to Redis lost during %.*s: %s", len, name,
				was.msg);
	else if (unknown && (err->cls == SR_E_TIMEOUT || err->cls == SR_E_INTERRUPTED))
	{
		snprintf(hint, sizeof(hint), "Whether %.*s took effect is unknown. %.200s", len, name,
				 was.hint);
		sr_fail(err, was.cls, hint, "%s", was.msg);
	}
}

/* Backlog first: what an earlier transaction owes comes before what this call asks. */
bool sr_client_ready_and_flushed(sr_client *c, unsigned flags, sr_err *err)
{
	if (!sr_client_ready(c, flags, err))
		return false;
	if (sr_client_backlog(c) == 0)
		return true;
	return sr_flush_backlog(c, err) && (c->stream != NULL || sr_client_ready(c, flags, err));
}

/* Error replies are replies here. */
static sr_reply *call(sr_client *c, const sr_argv *cmd, unsigned flags, int64_t extra_wait,
					  sr_err *err)
{
	for (int attempt = 0;; attempt++)
	{
		single		s = {.cmd = cmd};
		sr_exchange x = {.ctx = &s,
						 .next = next_single,
						 .reply = on_single_reply,
						 .idle = c->command_timeout + extra_wait,
						 .waits = extra_wait > 0};
		bool		ok;

		ok = attempt == 0 ? sr_client_ready_and_flushed(c, flags, err)
						  : sr_client_ready(c, flags, err);
		if (!ok)
			return NULL;
		ok = sr_exchange_run(c, &x, err);
		sr_breaker_report(c, ok ? NULL : err);
		/* an error came while the command was on its way, and the server closed: it is the answer */
		if (ok || (s.reply != NULL && s.reply->kind == SR_ERROR && err->cls == SR_E_LOST))
			return s.reply;
		sr_reply_free(s.reply);
		if (err->cls == SR_E_LOST && attempt == 0 &&
			(x.sent == 0 || (flags & SR_SAFE_TO_RESEND) != 0))
		{
			c->resent = c->resent || x.sent > 0;
			continue;
		}
		explain(c, cmd, flags, x.sent, err);
		return NULL;
	}
}

static sr_reply *call_and_count(sr_client *c, const sr_argv *cmd, unsigned flags,
								int64_t extra_wait, sr_err *err)
{
	sr_reply *reply = NULL;

	if (sr_client_enter(c, err))
	{
		reply = call(c, cmd, flags, extra_wait, err);
		sr_client_leave(c);
	}
	if (reply == NULL)
		sr_client_count_error(c, err);
	return reply;
}

/* Turn an error reply into an error. */
static sr_reply *checked(sr_client *c, sr_reply *reply, sr_err *err)
{
	if (reply == NULL || reply->kind != SR_ERROR)
		return reply;
	sr_fail_reply(err, reply->str, reply->len);
	sr_client_count_error(c, err);
	sr_reply_free(reply);
	return NULL;
}

sr_reply *sr_client_call(sr_client *c, const sr_argv *cmd, unsigned flags, int64_t extra_wait,
						 sr_err *err)
{
	sr_err own;

	if (err == NULL)
		err = &own;
	c->resent = false;
	return checked(c, call_and_count(c, cmd, flags, extra_wait, err), err);
}

static bool is_noscript(const sr_reply *reply)
{
	return reply != NULL && reply->kind == SR_ERROR && reply->len >= 8 &&
		   memcmp(reply->str, "NOSCRIPT", 8) == 0;
}

sr_reply *sr_client_eval(sr_client *c, const char *script, const char *sha1, int nkeys,
						 const sr_argv *keys_and_args, unsigned flags, sr_err *err)
{
	size_t		 n = (size_t) keys_and_args->argc;
	const char **argv = malloc((n + 3) * sizeof(*argv));
	size_t		*lengths = malloc((n + 3) * sizeof(*lengths));
	sr_argv		 cmd = {.argc = (int) n + 3, .argv = argv, .argvlen = lengths};
	char		 count[16];
	sr_reply	*reply = NULL;
	sr_err		 own;

	if (err == NULL)
		err = &own;
	if (argv == NULL || lengths == NULL)
	{
		sr_fail_memory(err);
		goto done;
	}
	snprintf(count, sizeof(count), "%d", nkeys);
	argv[0] = "EVALSHA";
	argv[1] = sha1;
	argv[2] = count;
	for (size_t i = 0; i < 3; i++)
		lengths[i] = strlen(argv[i]);
	for (size_t i = 0; i < n; i++)
	{
		argv[i + 3] = keys_and_args->argv[i];
		lengths[i + 3] = keys_and_args->argvlen[i];
	}
	c->resent = false;
	reply = call_and_count(c, &cmd, flags, 0, err);
	if (is_noscript(reply))
	{
		sr_reply_free(reply);
		argv[0] = "EVAL";
		argv[1] = script;
		lengths[0] = strlen(argv[0]);
		lengths[1] = strlen(argv[1]);
		reply = call_and_count(c, &cmd, flags, 0, err);
	}
	reply = checked(c, reply, err);
done:
	free(argv);
	free(lengths);
	return reply;
}

/* ---- many commands ---- */

typedef struct many
{
	sr_client	*c;
	sr_pipeline *p;
} many;

static int next_of_many(void *ctx, sr_argv *out)
{
	const many *m = ctx;

	return m->p->next(m->p->ctx, out);
}

static void on_reply_of_many(void *ctx, sr_reply *reply)
{
	const many *m = ctx;

	if (reply->kind == SR_ERROR)
	{
		sr_err why;

		sr_fail_reply(&why, reply->str, reply->len);
		sr_client_count_error(m->c, &why);
	}
	m->p->reply(m->p->ctx, reply);
	sr_reply_free(reply);
}

bool sr_client_pipeline(sr_client *c, sr_pipeline *p, unsigned flags, sr_err *err)
{
	many		m = {.c = c, .p = p};
	sr_exchange x = {.ctx = &m, .next = next_of_many, .reply = on_reply_of_many};
	sr_err		own;
	bool		ok;

	if (err == NULL)
		err = &own;
	ok = sr_client_enter(c, err);
	if (ok)
	{
		ok = sr_client_ready_and_flushed(c, flags, err);
		if (ok)
		{
			x.idle = p->idle_timeout > 0 ? p->idle_timeout : c->command_timeout;
			x.until = p->total_timeout > 0 ? sr_now(&c->host) + p->total_timeout : 0;
			ok = sr_exchange_run(c, &x, err);
			sr_breaker_report(c, ok ? NULL : err);
		}
		sr_client_leave(c);
	}
	p->sent = x.sent;
	p->all_sent = x.sent == x.written;
	if (!ok)
		sr_client_count_error(c, err);
	return ok;
}
