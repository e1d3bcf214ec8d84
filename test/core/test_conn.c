/*
 * test_conn.c - calls, pipelines and scripts against the Redis that SR_TEST_URL or REDIS_URL
 * names. It may be flushed; its keys are left clean.
 */
#include "client.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_calls(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	const sr_stats *stats = sr_client_stats(c);
	int				waits;

	CHECK(is(ask(c, "SET k 1"), "\"OK\""), "SET");
	waits = state.waits;
	CHECK(is(ask(c, "GET k"), "\"1\"") && state.waits == waits + 1, "GET, one wait a round trip");
	CHECK(is(ask(c, "GET nothing"), "null"), "a missing key");
	CHECK(has(ask(c, "LPUSH k 1"), "wrong type: WRONGTYPE"), "an error reply is an error");
	CHECK(has(ask(c, "NOSUCHCOMMAND"), "redis: ERR unknown command"), "an unknown command");
	CHECK(stats->connects == 1 && stats->errors[SR_E_WRONGTYPE] == 1 && stats->commands >= 5,
		  "counted");
	CHECK(sr_client_connected(c) && !sr_client_busy(c), "connected, idle");
	CHECK(is(ask(c, "DEL k"), "1"), "DEL");
	sr_client_free(c);
	CHECK(state.opened == 1 && state.closed == 1, "every descriptor opened was closed");
}

static void test_not_configured(void)
{
	sr_settings s = settings(NULL);
	sr_client  *c = client(&s);
	sr_err		err;

	CHECK(has(ask(c, "PING"), "invalid: no Redis URL is set"), "no URL");
	CHECK(sr_client_url(c) == NULL && sr_client_url_text(c) == NULL, "and none to show");
	s.url = "redis://h:x";
	CHECK(!sr_client_configure(c, &s, &err) && err.cls == SR_E_OPTION, "a malformed URL");
	CHECK(has(ask(c, "PING"), "invalid: malformed"), "stays an error");
	s.url = server;
	CHECK(sr_client_configure(c, &s, &err) && is(ask(c, "EXISTS x"), "0"), "until it is right");
	sr_client_free(c);
}

static void test_lost(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);

	ask(c, "DEL n");
	ask(c, "PING");
	kill_others();
	CHECK(is(ask_flags(c, SR_SAFE_TO_RESEND, "GET n"), "null"), "a read is sent again");
	kill_others();
	/* a unix socket refuses the bytes, which then may go out again */
	if (strstr(server, "unix://") != NULL)
		CHECK(is(ask(c, "INCR n"), "1"), "an INCR that did not go out is sent again");
	else
		CHECK(has(ask(c, "INCR n"), "connection lost: connection to Redis at") &&
				  has(ask(c, "GET n"), "null"),
			  "an INCR is not, and its fate is said to be unknown");
	ask(c, "DEL n");
	kill_others();
	state.skew += 5000;
	CHECK(is(ask(c, "INCR n"), "1"), "an idle connection is looked at before use");
	CHECK(sr_client_stats(c)->reconnects == 3, "reconnects are counted");
	ask(c, "DEL n");
	sr_client_free(c);
}

static void test_timeout(void)
{
	sr_settings s = settings(server);
	sr_client  *c;
	int64_t		begun;

	s.command_timeout = 150;
	c = client(&s);
	ask(c, "PING");
	begun = host_now(&state);
	CHECK(has(ask(c, "BLPOP nothing 10"), "timeout: no reply from Redis"), "no reply in time");
	CHECK(host_now(&state) - begun < 2000, "well before Redis answers");
	CHECK(!sr_client_connected(c), "its connection is not used again");
	CHECK(has(ask(c, "PING"), "is away (no reply from"), "the breaker is open");
	state.skew += 200;
	CHECK(is(sr_client_breaker_state(c), "half-open"), "half-open");
	CHECK(is(ask(c, "ECHO hello"), "\"hello\""), "the next call gets its own reply");
	CHECK(is(sr_client_breaker_state(c), "closed"), "closed");
	sr_client_free(c);
}

static void test_interrupt(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);

	ask(c, "PING");
	state.interrupt = 0;
	CHECK(has(ask(c, "BLPOP nothing 10"), "interrupted: "), "interrupted");
	CHECK(is(ask(c, "ECHO hello"), "\"hello\""), "the next call gets its own reply");
	CHECK(is(sr_client_breaker_state(c), "closed"), "nobody's fault");
	sr_client_free(c);
	c = client(&s);
	state.interrupt = 0;
	CHECK(has(ask(c, "PING"), "interrupted: "), "interrupted while it connects");
	CHECK(is(ask(c, "ECHO hello"), "\"hello\""), "and then connected");
	sr_client_free(c);
}

static sr_client *entered;
static char		  inner[1024];

static void enter_again(void)
{
	state.inside = NULL;
	snprintf(inner, sizeof(inner), "%s", sr_client_busy(entered) ? ask(entered, "PING") : "idle");
}

static void test_reentered(void)
{
	sr_settings s = settings(server);

	entered = client(&s);
	ask(entered, "PING");
	state.inside = enter_again;
	CHECK(is(ask(entered, "ECHO outer"), "\"outer\""), "the outer call goes on");
	CHECK(has(inner, "busy: "), "a call within a call is refused");
	sr_client_free(entered);
}

/* ---- pipelines ---- */

typedef struct batch
{
	size_t		count, asked, answered;
	const char *argv[3];
	size_t		lengths[3];
	char		key[32];
	char	   *value;
	size_t		size;
	bool		good;
} batch;

static int next_echo(void *ctx, sr_argv *out)
{
	batch *b = ctx;

	if (b->asked == b->count)
		return 0;
	memcpy(b->value, &b->asked, sizeof(b->asked));
	b->argv[0] = "ECHO";
	b->lengths[0] = 4;
	b->argv[1] = b->value;
	b->lengths[1] = b->asked % 3 == 0 ? sizeof(b->asked) : b->size;
	*out = (sr_argv){2, b->argv, b->lengths};
	b->asked++;
	return 1;
}

static void on_echo(void *ctx, const sr_reply *reply)
{
	batch *b = ctx;
	size_t size = b->answered % 3 == 0 ? sizeof(b->answered) : b->size;

	b->good = b->good && reply->kind == SR_BULK && reply->len == size &&
			  memcmp(reply->str, &b->answered, sizeof(b->answered)) == 0;
	b->answered++;
}

static bool echoes(sr_client *c, size_t count, size_t size)
{
	batch		b = {.count = count, .size = size, .good = true, .value = calloc(1, size)};
	sr_pipeline p = {.ctx = &b, .next = next_echo, .reply = on_echo};
	sr_err		err = {0};
	bool		ok = sr_client_pipeline(c, &p, 0, &err);

	free(b.value);
	if (!ok)
		printf("# %s\n", err.msg);
	return ok && b.good && b.answered == count;
}

static void test_pipeline(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);

	CHECK(echoes(c, 0, 8), "nothing");
	CHECK(echoes(c, 1, 8), "one");
	CHECK(echoes(c, 100000, 8), "a hundred thousand small ones");
	CHECK(echoes(c, 300, 200000), "60 MB out and 60 MB back at the same time");
	CHECK(echoes(c, 3, (size_t) 16 << 20), "values of 16 MB");
	CHECK(is(ask(c, "ECHO hello"), "\"hello\""), "and then a call");
	sr_client_free(c);
	s.max_reply = 100000;
	c = client(&s);
	CHECK(!echoes(c, 3, 200000), "a reply above max_reply");
	CHECK(is(ask(c, "ECHO hello"), "\"hello\""), "does not reach the next call");
	sr_client_free(c);
}

static void test_script(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);
	const char *argv[2] = {"k", "v"};
	size_t		lengths[2] = {1, 1};
	sr_argv		args = {2, argv, lengths};
	sr_err		err = {0};

	ask(c, "SCRIPT FLUSH");
	for (int i = 0; i < 2; i++)
	{
		sr_reply *r = sr_client_eval(c, "return KEYS[1]..ARGV[1]",
									 "8ab4f2f0ea0e9a1e0c4fd8e0bd8ec1fb01a52ca1", 1, &args, 0, &err);

		CHECK(r != NULL && r->kind == SR_BULK && strcmp(r->str, "kv") == 0,
			  i == 0 ? "a script Redis has not seen" : "a wrong digest falls back to the text");
		sr_reply_free(r);
	}
	CHECK(sr_client_stats(c)->errors[SR_E_REPLY] == 0, "NOSCRIPT is not an error of the caller's");
	sr_client_free(c);
}

static void test_fork(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);
	pid_t		child;
	int			status = -1;

	ask(c, "PING");
	child = fork();
	if (child == 0)
	{
		bool good = is(ask(c, "ECHO child"), "\"child\"") && sr_client_stats(c)->connects == 2;

		sr_client_free(c);
		_exit(good ? 0 : 1);
	}
	waitpid(child, &status, 0);
	CHECK(status == 0, "a forked child dials for itself");
	CHECK(is(ask(c, "ECHO parent"), "\"parent\"") && sr_client_stats(c)->connects == 1,
		  "and leaves the parent's connection alone");
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_calls();
	test_not_configured();
	test_lost();
	test_timeout();
	test_interrupt();
	test_reentered();
	test_pipeline();
	test_script();
	test_fork();
	return test_result();
}
