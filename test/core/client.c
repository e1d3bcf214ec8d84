/*
 * client.c - see client.h.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

host_state	state;
const char *server;

bool find_server(void)
{
	server = getenv("SR_TEST_URL");
	if (server == NULL)
		server = getenv("REDIS_URL");
	if (server == NULL)
		printf("not ok: neither SR_TEST_URL nor REDIS_URL is set\n");
	setvbuf(stdout, NULL, _IOLBF, 0);
	return server != NULL;
}

int64_t host_now(void *ctx)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000 + ((host_state *) ctx)->skew;
}

static sr_wait host_wait(void *ctx, struct pollfd *fds, unsigned nfds, int64_t deadline)
{
	host_state *s = ctx;
	int64_t		left = deadline - host_now(ctx);
	int			n;

	s->waits++;
	if (s->inside != NULL)
		s->inside();
	if (s->interrupt == 0)
	{
		s->interrupt = -1;
		return SR_WAIT_INTERRUPTED;
	}
	if (s->interrupt > 0)
		s->interrupt--;
	n = poll(fds, nfds, left < 0 ? 0 : (int) left);
	return n == 0 ? SR_WAIT_TIMEOUT : SR_WAIT_READY;
}

static void host_log(void *ctx, sr_level level, const char *msg)
{
	(void) level;
	((host_state *) ctx)->logged++;
	printf("# log: %s\n", msg);
}

static bool host_opened(void *ctx, int fd)
{
	((host_state *) ctx)->opened += fd >= 0;
	((host_state *) ctx)->last_opened = fd;
	return true;
}

static void host_closing(void *ctx, int fd)
{
	((host_state *) ctx)->closed++;
	((host_state *) ctx)->last_closed = fd;
}

static const sr_host host = {&state, host_wait, host_now, host_log, host_opened, host_closing};

sr_settings settings(const char *url)
{
	state = (host_state){.interrupt = -1};
	return (sr_settings){.url = url,
						 .client_name = "test conn", /* refused by Redis for its space */
						 .connect_timeout = 2000,
						 .command_timeout = 2000,
						 .commit_timeout = 500,
						 .retries = 1,
						 .pending_max = 1000000,
						 .max_reply = (size_t) 64 << 20};
}

sr_client *client(const sr_settings *s)
{
	sr_client *c = sr_client_new(&host);
	sr_err	   err;

	if (!sr_client_configure(c, s, &err))
		printf("# %s\n", err.msg);
	return c;
}

const char *ask_flags(sr_client *c, unsigned flags, const char *words)
{
	static char		   text[1024];
	static char		   copy[1024];
	static const char *argv[16];
	static size_t	   lengths[16];
	sr_argv			   cmd = {0, argv, lengths};
	sr_err			   err = {0};
	sr_reply		  *reply;
	char			  *json;
	size_t			   len;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
	{
		argv[cmd.argc] = w;
		lengths[cmd.argc++] = strlen(w);
	}
	reply = sr_client_call(c, &cmd, flags, 0, &err);
	if (reply == NULL)
	{
		snprintf(text, sizeof(text), "%s: %s | %s", sr_class_word(err.cls), err.msg, err.hint);
		return text;
	}
	json = sr_reply_json(reply, &len, &err);
	snprintf(text, sizeof(text), "%s", json != NULL ? json : err.msg);
	free(json);
	sr_reply_free(reply);
	return text;
}

const char *ask(sr_client *c, const char *words)
{
	return ask_flags(c, 0, words);
}

bool is(const char *got, const char *expected)
{
	if (strcmp(got, expected) != 0)
		printf("# expected %s, got %s\n", expected, got);
	return strcmp(got, expected) == 0;
}

bool has(const char *got, const char *part)
{
	if (strstr(got, part) == NULL)
		printf("# expected ...%s..., got %s\n", part, got);
	return strstr(got, part) != NULL;
}

void kill_others(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);

	ask(c, "CLIENT KILL TYPE normal SKIPME yes");
	sr_client_free(c);
}

/* ---- effects ---- */

sr_inval *queue(const char *format, int n)
{
	sr_inval *q = sr_inval_new();
	char	  key[64];

	for (int i = 0; i < n; i++)
		sr_inval_push(q, key, (size_t) snprintf(key, sizeof(key), format, i), 1);
	return q;
}

bool flushed(const sr_flush_result *r, size_t sent, size_t kept, size_t lost)
{
	bool good = r->sent == sent && r->kept == kept && r->lost == lost;

	if (!good)
		printf("# sent %zu, kept %zu, lost %zu, %s\n", r->sent, r->kept, r->lost, r->err.msg);
	return good;
}

void push_effect(sr_inval *q, sr_effect kind, const char *data)
{
	sr_inval_push_effect(q, kind, data, strlen(data), 1);
}

void push_command(sr_inval *q, const char *words)
{
	char		copy[256];
	const char *argv[16];
	size_t		lengths[16];
	sr_argv		cmd = {0, argv, lengths};

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
	{
		argv[cmd.argc] = w;
		lengths[cmd.argc++] = strlen(w);
	}
	sr_inval_push_command(q, &cmd, 1);
}
