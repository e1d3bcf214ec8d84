/*
 * dial.c - from nothing to a connection that may be used: connect, AUTH, SELECT, CLIENT SETNAME.
 *
 * Owns the order of the handshake, which of its refusals matter, and the retries with exponential
 * backoff under connect_timeout. It asks no breaker and knows no caller's command.
 */
#include "core.h"
#include "conn.h"

#include <stdio.h>
#include <string.h>

#define FIRST_PAUSE 8 /* ms */
#define MAX_PAUSE	500

typedef enum step
{
	STEP_AUTH,
	STEP_SELECT,
	STEP_HELLO, /* CLIENT SETNAME, or PING: something that makes the server speak */
	STEPS
} step;

typedef struct greeting
{
	const sr_client *c;
	step			 asked;	   /* the next to send */
	step			 answered; /* the next to be answered */
	char			 db[16];
	const char		*argv[3];
	size_t			 lengths[3];
	sr_err			 refused; /* the first refusal that matters */
} greeting;

static const char *password_of(const sr_client *c)
{
	return c->settings.password != NULL ? c->settings.password : c->url.password;
}

static bool wanted(const sr_client *c, step s)
{
	switch (s)
	{
		case STEP_AUTH: return password_of(c) != NULL || c->url.user != NULL;
		case STEP_SELECT: return c->url.db != 0;
		default: return true;
	}
}

static void put(greeting *g, sr_argv *out, const char *a, const char *b, const char *d)
{
	const char *words[3] = {a, b, d};

	out->argc = 0;
	out->argv = g->argv;
	out->argvlen = g->lengths;
	for (int i = 0; i < 3 && words[i] != NULL; i++)
	{
		g->argv[i] = words[i];
		g->lengths[i] = strlen(words[i]);
		out->argc++;
	}
}

static int next_step(void *ctx, sr_argv *out)
{
	greeting		*g = ctx;
	const sr_client *c = g->c;
	const char		*password = password_of(c) != NULL ? password_of(c) : "";

	while (g->asked < STEPS && !wanted(c, g->asked))
		g->asked++;
	switch (g->asked++)
	{
		case STEP_AUTH:
			if (c->url.user != NULL)
				put(g, out, "AUTH", c->url.user, password);
			else
				put(g, out, "AUTH", password, NULL);
			return 1;
		case STEP_SELECT:
			snprintf(g->db, sizeof(g->db), "%d", c->url.db);
			put(g, out, "SELECT", g->db, NULL);
			return 1;
		case STEP_HELLO:
			if (c->settings.client_name != NULL && c->settings.client_name[0] != '\0')
				put(g, out, "CLIENT", "SETNAME", c->settings.client_name);
			else
				put(g, out, "PING", NULL, NULL);
			return 1;
		default: return 0;
	}
}

/* A name or a PING refused by an ACL is no reason not to work; being refused altogether is. */
static bool matters(step s, const sr_err *err)
{
	if (s != STEP_HELLO)
		return true;
	return err->cls == SR_E_AUTH || err->cls == SR_E_CLIENTS || err->cls == SR_E_CONNECT ||
		   err->cls == SR_E_QUOTA;
}

/* Servers that do not know AUTH, or only its form, repeat in their refusal what they were sent. */
static void fail_auth(const sr_client *c, const sr_reply *reply, sr_err *why)
{
	static const char unknown[] = "ERR unknown command";
	const char		 *password = password_of(c);

	why->cls = SR_E_AUTH;
	if (reply->len >= sizeof(unknown) - 1 && memcmp(reply->str, unknown, sizeof(unknown) - 1) == 0)
		sr_fail(why, SR_E_AUTH, why->hint, "%s 'AUTH'", unknown);
	else if (password != NULL && password[0] != '\0' &&
			 memmem(reply->str, reply->len, password, strlen(password)) != NULL)
		sr_fail(why, SR_E_AUTH, why->hint, "Redis at %s refused AUTH and repeats the password",
				c->where);
}

static void on_step_reply(void *ctx, sr_reply *reply)
{
	greeting *g = ctx;
	step	  s;

	while (g->answered < STEPS && !wanted(g->c, g->answered))
		g->answered++;
	s = g->answered++;
	if (reply->kind == SR_ERROR && g->refused.cls == SR_OK)
	{
		sr_err why;

		sr_fail_reply(&why, reply->str, reply->len);
		if (s == STEP_AUTH && why.cls == SR_E_REPLY)
			fail_auth(g->c, reply, &why);
		if (matters(s, &why))
			g->refused = why;
	}
	sr_reply_free(reply);
}

static bool greet(sr_client *c, int64_t deadline, sr_err *err)
{
	greeting	g = {.c = c};
	sr_exchange x = {.ctx = &g,
					 .next = next_step,
					 .reply = on_step_reply,
					 .idle = c->command_timeout,
					 .until = deadline};
	bool		ok = sr_exchange_run(c, &x, err);

	if (g.refused.cls != SR_OK)
	{
		sr_client_drop(c, true);
		*err = g.refused;
		return false;
	}
	/* nothing of the caller's was sent: to it there simply is no connection */
	if (!ok && err->cls == SR_E_LOST)
		err->cls = SR_E_CONNECT;
	return ok;
}

static bool dial_once(sr_client *c, int64_t deadline, sr_err *err)
{
	if (c->tls == NULL && c->url.tls && (c->tls = sr_tls_cache_new()) == NULL)
		return sr_fail_memory(err);
	c->stream = sr_net_connect(&c->host, &c->url, c->tls, deadline, err);
	if (c->stream == NULL)
		return false;
	c->reader = sr_reader_new(c->settings.max_reply);
	if (c->reader == NULL)
	{
		sr_client_drop(c, false);
		return sr_fail_memory(err);
	}
	sr_owner_set(&c->owner);
	c->fresh = true;
	return greet(c, deadline, err);
}

/* A refused or broken connection may work in a moment; the rest would fail again. */
static bool worth_another(const sr_err *err)
{
	return err->cls == SR_E_CONNECT || err->cls == SR_E_CLIENTS;
}

bool sr_dial(sr_client *c, sr_err *err)
{
	int64_t deadline = sr_now(&c->host) + c->connect_timeout;
	int64_t pause = FIRST_PAUSE;

	for (int retries = c->settings.retries;; retries--)
	{
		int64_t until;

		if (dial_once(c, deadline, err))
		{
			/* another server perhaps, or the same one in another state: what it said is void */
			c->backlog_not_before = 0;
			c->stats->connects++;
			if (c->stats->connects > 1)
				c->stats->reconnects++;
			return true;
		}
		c->stats->connect_failures++;
		until = sr_now(&c->host) + pause / 2 + (int64_t) (sr_client_random(c) % (uint64_t) pause);
		if (retries <= 0 || !worth_another(err) || until >= deadline)
			return false;
		if (!sr_sleep(&c->host, until, err))
			return false;
		pause = pause * 2 < MAX_PAUSE ? pause * 2 : MAX_PAUSE;
	}
}
