/*
 * health.c - redis_health: is Redis well? One row, whatever is wrong, within connect_timeout and
 * command_timeout together.
 *
 * It asks over the connection that calls use, for that is what its answer is about, but sends nothing of what
 * the backlog owes: who watches must not wait for that.
 */
#include "command.h"
#include "conn.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct health
{
	sr_rows base;
	bool	given;
	char	server[320], version[32], role[16];
	sr_err	err;
} health;

/* ---- asking ---- */

#define MAX_QUESTIONS 2

typedef struct questions
{
	const char *words[MAX_QUESTIONS][2];
	size_t		count, asked, answered;
	sr_reply   *reply[MAX_QUESTIONS];
	const char *argv[2];
	size_t		lengths[2];
} questions;

static int next_question(void *ctx, sr_argv *out)
{
	questions *q = ctx;

	if (q->asked == q->count)
		return 0;
	*out = (sr_argv){.argv = q->argv, .argvlen = q->lengths};
	for (int i = 0; i < 2 && q->words[q->asked][i] != NULL; i++)
	{
		q->argv[i] = q->words[q->asked][i];
		q->lengths[i] = strlen(q->argv[i]);
		out->argc++;
	}
	q->asked++;
	return 1;
}

static void on_answer(void *ctx, sr_reply *reply)
{
	questions *q = ctx;

	q->reply[q->answered++] = reply;
}

/* Over the connection there is. The caller frees the replies, also after a failure. */
static bool ask(sr_client *c, questions *q, int64_t deadline, sr_err *err)
{
	int64_t		until = sr_now(&c->host) + c->command_timeout;
	sr_exchange x = {.ctx = q,
					 .next = next_question,
					 .reply = on_answer,
					 .idle = c->command_timeout,
					 .until = until < deadline ? until : deadline};
	bool		ok = sr_exchange_run(c, &x, err);

	sr_breaker_report(c, ok ? NULL : err);
	return ok;
}

/* An error reply becomes NULL and err. */
static sr_reply *checked(sr_client *c, sr_reply *reply, sr_err *err)
{
	if (reply == NULL || reply->kind != SR_ERROR)
		return reply;
	sr_fail_reply(err, reply->str, reply->len);
	sr_client_count_error(c, err);
	sr_reply_free(reply);
	return NULL;
}

/*
 * An ACL may refuse INFO. That is not ill health, but there is no coherent cache then: said in err. A server
 * that is loading refuses PING and answers INFO.
 */
static void identify(health *h, sr_client *c, int64_t deadline, sr_err *err)
{
	questions q = {.words = {{"INFO", "server"}, {"INFO", "replication"}}, .count = 2};
	sr_err	  why = {0};
	sr_reply *server, *replication;
	char	  run_id[64], replid[64];

	if (!ask(c, &q, deadline, &why))
		sr_client_count_error(c, &why);
	server = checked(c, q.reply[0], &why);
	replication = checked(c, q.reply[1], &why);
	(void) sr_info_value(server, "redis_version", h->version, sizeof h->version);
	(void) sr_info_value(replication, "role", h->role, sizeof h->role);
	if (why.cls == SR_E_INTERRUPTED)
		*err = why;
	else
		(void) sr_info_identity(server, replication, why.cls != SR_OK ? why.msg : NULL, run_id,
								replid, sizeof run_id, err);
	sr_reply_free(server);
	sr_reply_free(replication);
}

static double microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

/* Its answer to PING, an error too; NULL: none. An old connection may have gone: then over a new one. */
static sr_reply *ping(sr_client *c, int64_t deadline, double *ms, sr_err *err)
{
	for (;;)
	{
		uint64_t  connects = c->stats->connects;
		questions q = {.words = {{"PING"}}, .count = 1};
		double	  start;

		if (!sr_client_ready(c, SR_PROBE, err))
			return NULL;
		start = microseconds();
		if (ask(c, &q, deadline, err))
		{
			*ms = (microseconds() - start) / 1000;
			return q.reply[0];
		}
		sr_reply_free(q.reply[0]);
		if (err->cls != SR_E_LOST || c->stats->connects != connects)
			return NULL;
	}
}

/* Is it well, and how fast? Else h->err says why not. */
static bool examine(health *h, sr_client *c, double *ms)
{
	int64_t	  deadline = sr_now(&c->host) + c->connect_timeout + c->command_timeout;
	sr_err	  unsaid;
	sr_reply *answer = ping(c, deadline, ms, &h->err);
	bool	  answered = answer != NULL;
	bool	  ok;

	if (!answered)
		sr_client_count_error(c, &h->err);
	answer = checked(c, answer, &h->err);
	ok = answer != NULL;
	sr_reply_free(answer);
	if (ok)
		h->err.cls = SR_OK;
	if (ok)
		h->err.msg[0] = '\0';
	if (answered && c->stream != NULL)
		identify(h, c, deadline, ok ? &h->err : &unsaid);
	return ok;
}

/* ---- the row ---- */

/* What came over the wire, or quotes it, need not be text that every database can hold. */
static void text_cell(sr_value *cell, char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char) *p >= 0x80)
			*p = '?';
	sr_cell_text(cell, *text != '\0' ? text : NULL, strlen(text));
}

static void fill(health *h, sr_client *c)
{
	const sr_url *url = sr_client_url(c);
	sr_value	 *cells = h->base.cells;
	bool		  ok = false;
	double		  ms = 0;

	if (sr_client_enter(c, &h->err))
	{
		ok = examine(h, c, &ms);
		sr_client_leave(c);
	}
	else
		sr_client_count_error(c, &h->err);
	cells[0] = (sr_value){.type = SR_TYPE_BOOLEAN, .i = ok};
	cells[1] = (sr_value){.type = ok ? SR_TYPE_DOUBLE : SR_TYPE_NULL, .d = ms};
	if (url != NULL)
	{
		sr_url_where(url, h->server, sizeof h->server);
		cells[5] = (sr_value){.type = SR_TYPE_BOOLEAN, .i = url->tls};
	}
	text_cell(&cells[2], h->server);
	text_cell(&cells[3], h->version);
	text_cell(&cells[4], h->role);
	text_cell(&cells[6], h->err.msg);
}

/* The row exists before it is asked for. */
static int health_next(sr_rows *rows, sr_err *err)
{
	health *h = (health *) rows;

	(void) err;
	if (h->given)
		return 0;
	h->given = true;
	return 1;
}

static void health_close(sr_rows *rows)
{
	free(rows);
}

/* Only an interrupt is an error, and want of memory. */
sr_rows *sr_health_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						sr_err *err)
{
	health *h = calloc(1, sizeof *h);

	(void) cmd;
	(void) n;
	(void) args;
	if (h == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	h->base.next = health_next;
	h->base.close = health_close;
	fill(h, c);
	if (h->err.cls == SR_E_INTERRUPTED)
	{
		*err = h->err;
		free(h);
		return NULL;
	}
	return &h->base;
}
