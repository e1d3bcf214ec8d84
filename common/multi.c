/*
 * multi.c - redis_multi: a Redis transaction, whole, in one pipeline.
 *
 * The connection must never stay in a transaction: it is closed unless Redis said that it is out. And the
 * commands must never run without one: where MULTI is refused, those that follow in the same pipeline
 * would. So an empty transaction goes ahead once for each connection.
 */
#include "many.h"
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HINT_NO_ROLLBACK "Redis has no rollback: the commands that succeeded took effect."

typedef struct multi
{
	sr_many		m; /* first: sr_many_next's ctx */
	const char *word;
	size_t		len;
	bool		opened; /* MULTI was accepted */
	bool		closed; /* EXEC was answered: the connection is out of the transaction */
	bool		ran;	/* and the commands have run */
	sr_err		why;	/* MULTI or EXEC were refused, or the result cannot be given */
	char	   *json;	/* the result; malloc'ed */
	size_t		json_len;
} multi;

static int next_command(void *ctx, sr_argv *out)
{
	multi	*t = ctx;
	sr_many *m = &t->m;

	if (m->asked > 0 && m->asked <= m->count)
		return sr_many_next(m, out);
	if (m->asked == m->count + 2)
		return 0;
	t->word = m->asked == 0 ? "MULTI" : "EXEC";
	t->len = strlen(t->word);
	*out = (sr_argv){1, &t->word, &t->len};
	m->asked++;
	return 1;
}

/* What Redis puts before the reason, if the reason is not that a command was refused. */
#define BECAUSE "EXECABORT Transaction discarded because of: "

static void note(multi *t, const sr_reply *reply, const char *word)
{
	if (t->why.cls != SR_OK)
		return;
	if (reply->kind == SR_ERROR)
	{
		size_t skip =
			strncmp(reply->str, BECAUSE, sizeof BECAUSE - 1) == 0 ? sizeof BECAUSE - 1 : 0;

		sr_fail_reply(&t->why, reply->str + skip, reply->len - skip);
	}
	else
		sr_fail(&t->why, SR_E_PROTOCOL, "Is this a Redis server?", "unexpected type of reply to %s",
				word);
}

/* What the commands gave, or why they did not run. */
static void on_exec(multi *t, const sr_reply *reply)
{
	sr_many *m = &t->m;

	t->ran = reply->kind == SR_ARRAY && reply->count == m->count;
	t->closed = t->ran || (reply->kind == SR_ERROR && strncmp(reply->str, "EXECABORT", 9) == 0);
	if (!t->ran)
	{
		note(t, reply, "EXEC");
		return;
	}
	for (size_t i = 0; i < reply->count; i++)
	{
		m->succeeded += reply->items[i]->kind != SR_ERROR;
		if (reply->items[i]->kind == SR_ERROR)
			sr_many_note(m, i + 1, reply->items[i]);
	}
	if (m->failed == 0)
		t->json = sr_reply_json(reply, &t->json_len, &t->why);
}

static void on_reply(void *ctx, const sr_reply *reply)
{
	multi	*t = ctx;
	sr_many *m = &t->m;
	size_t	 at = m->answered++;

	if (at == m->count + 1)
		on_exec(t, reply);
	else if (at > 0 && reply->kind == SR_ERROR)
		sr_many_note(m, at, reply);
	else if (at == 0)
	{
		t->opened = reply->kind == SR_STATUS;
		if (!t->opened)
			note(t, reply, "MULTI");
	}
}

static bool fail_lost(const multi *t, const sr_pipeline *p, sr_err *err)
{
	sr_err		was = *err;
	const char *what = "EXEC was not sent, so that nothing was done";

	if (p->sent == 0)
		return false;
	if (t->m.asked == t->m.count + 2 && p->all_sent)
		what = "whether the transaction took effect is unknown";
	return sr_fail(err, was.cls, was.hint, "%.350s; %s", was.msg, what);
}

/* Send t's commands. The connection is out of the transaction when this returns, or closed. */
static bool exchange(multi *t, sr_err *err)
{
	sr_pipeline p = {.next = next_command, .reply = on_reply};

	if (!sr_many_send(&t->m, &p, err))
		return fail_lost(t, &p, err);
	if (t->opened && !t->closed)
		sr_client_drop(t->m.c, false);
	return true;
}

static bool judge(multi *t, sr_err *err)
{
	sr_many *m = &t->m;

	if (!t->opened)
		return sr_fail(err, t->why.cls, t->why.hint, "%.400s; MULTI was refused%s", t->why.msg,
					   m->count > 0 ? ", and the commands ran one by one" : "");
	if (!t->ran && m->failed != 0)
		return sr_many_fail(m, "was refused", m->err.hint, "nothing was done", err);
	if (!t->ran)
		return sr_fail(err, t->why.cls, t->why.hint, "%.400s; nothing was done", t->why.msg);
	if (m->failed != 0)
	{
		char hint[sizeof m->err.hint];

		snprintf(hint, sizeof hint, HINT_NO_ROLLBACK "%s%.200s", m->err.hint[0] != '\0' ? " " : "",
				 m->err.hint);
		return sr_many_fail_count(m, hint, err);
	}
	if (t->json == NULL)
		return sr_fail(err, t->why.cls, t->why.hint, "%.400s; the commands took effect",
					   t->why.msg);
	return true;
}

/* May this user do transactions? Asked once a connection, before anything is entrusted to one. */
static bool allowed(sr_client *c, sr_err *err)
{
	multi t = {.m = {.c = c}};
	bool  ok;

	if (!sr_client_connect(c, 0, err))
		return false;
	if (c->multi_allowed == c->stats->connects)
		return true;
	ok = exchange(&t, err) && judge(&t, err);
	free(t.json);
	if (ok)
		c->multi_allowed = c->stats->connects;
	return ok;
}

bool sr_run_multi(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				  sr_err *err)
{
	multi t = {.m = {.c = c}};
	bool  ok = sr_many_read(&t.m, cmd, args, err);

	(void) n;
	t.m.wait = 0; /* in a transaction nothing blocks */
	if (ok && t.m.count == 0)
		ok = sr_many_nothing(out, err);
	else if (ok)
	{
		ok = allowed(c, err) && exchange(&t, err) && judge(&t, err);
		out->text = t.json;
		if (ok)
			out->value = (sr_value){.type = SR_TYPE_JSON, .data = out->text, .len = t.json_len};
	}
	sr_many_free(&t.m);
	return ok;
}
