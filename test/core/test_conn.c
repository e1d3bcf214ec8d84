/*
 * test_conn.c - calls, pipelines, flushes and the breaker against the Redis that SR_TEST_URL or
 * REDIS_URL names. It may be flushed; its keys are left clean.
 *
 * The host is poll(), with a clock that can be set forward and waits that can be interrupted.
 */
#include "core.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *server; /* URL */

typedef struct host_state
{
	int64_t skew;	   /* ms the clock is ahead */
	int		interrupt; /* interrupt the wait after so many more; -1: never */
	int		waits;
	int		opened, closed;
	int		last_closed;
	int		logged;
	void (*inside)(void); /* called within a wait */
} host_state;

static host_state state;

static int64_t host_now(void *ctx)
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
	return true;
}

static void host_closing(void *ctx, int fd)
{
	((host_state *) ctx)->closed++;
	((host_state *) ctx)->last_closed = fd;
}

static const sr_host host = {&state, host_wait, host_now, host_log, host_opened, host_closing};

static sr_settings settings(const char *url)
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

static sr_client *client(const sr_settings *s)
{
	sr_client *c = sr_client_new(&host);
	sr_err	   err;

	if (!sr_client_configure(c, s, &err))
		printf("# %s\n", err.msg);
	return c;
}

/* A command in words; its reply as JSON in a static buffer, or "CLASS: message". */
static const char *ask_flags(sr_client *c, unsigned flags, const char *words)
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

static const char *ask(sr_client *c, const char *words)
{
	return ask_flags(c, 0, words);
}

static bool is(const char *got, const char *expected)
{
	if (strcmp(got, expected) != 0)
		printf("# expected %s, got %s\n", expected, got);
	return strcmp(got, expected) == 0;
}

static bool has(const char *got, const char *part)
{
	if (strstr(got, part) == NULL)
		printf("# expected ...%s..., got %s\n", part, got);
	return strstr(got, part) != NULL;
}

/* Let another connection close all others. */
static void kill_others(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);

	ask(c, "CLIENT KILL TYPE normal SKIPME yes");
	sr_client_free(c);
}

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

/* ---- flushing ---- */

static sr_inval *queue(const char *format, int n)
{
	sr_inval *q = sr_inval_new();
	char	  key[64];

	for (int i = 0; i < n; i++)
		sr_inval_push(q, key, (size_t) snprintf(key, sizeof(key), format, i), 1);
	return q;
}

static bool flushed(const sr_flush_result *r, size_t sent, size_t kept, size_t lost)
{
	bool good = r->sent == sent && r->kept == kept && r->lost == lost;

	if (!good)
		printf("# sent %zu, kept %zu, lost %zu, %s\n", r->sent, r->kept, r->lost, r->err.msg);
	return good;
}

static void test_flush(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("flush:%d", 100000);
	sr_flush_result r;
	int64_t			begun;

	ask(c, "FLUSHALL");
	ask(c, "MSET flush:0 a flush:511 b flush:512 c flush:99999 d other e");
	begun = host_now(&state);
	sr_flush(c, q, true, &r);
	printf("# 100,000 keys in %lld ms\n", (long long) (host_now(&state) - begun));
	CHECK(flushed(&r, 100000, 0, 0) && sr_inval_count(q) == 0, "a hundred thousand keys");
	CHECK(is(ask(c, "KEYS *"), "[\"other\"]"), "are gone");
	sr_flush(c, q, true, &r);
	CHECK(flushed(&r, 0, 0, 0), "nothing to do");
	sr_flush(c, NULL, true, &r);
	CHECK(flushed(&r, 0, 0, 0), "no queue at all");
	ask(c, "DEL other");
	sr_inval_free(q);
	sr_client_free(c);
}

static void test_backlog(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("a:%d", 1000);
	sr_flush_result r;

	sr_flush(c, q, true, &r);
	CHECK(flushed(&r, 0, 1000, 0) && r.err.cls == SR_E_CONNECT, "in a COMMIT nobody dials");
	CHECK(sr_inval_count(q) == 0 && sr_client_backlog(c) == 1000, "the keys are kept");
	sr_inval_push(q, "b", 1, 3);
	sr_inval_push(q, "a:5", 3, 3);
	sr_flush(c, q, true, &r);
	CHECK(flushed(&r, 0, 1001, 0), "more join them, once each");
	ask(c, "SET late 1");
	CHECK(sr_client_backlog(c) == 0 && sr_client_stats(c)->invalidations_sent == 1001,
		  "the next call delivers them");
	kill_others();
	sr_inval_push(q, "late", 4, 1);
	sr_flush(c, q, true, &r);
	CHECK(flushed(&r, 0, 1, 0), "a connection that broke is not replaced in a COMMIT");
	sr_flush(c, NULL, false, &r);
	CHECK(flushed(&r, 1, 0, 0) && is(ask(c, "GET late"), "null"), "outside it is");
	ask(c, "PING");
	kill_others();
	sr_inval_push(q, "late", 4, 1);
	sr_flush(c, q, false, &r);
	CHECK(flushed(&r, 1, 0, 0), "and what it lost is sent again");
	sr_inval_free(q);
	sr_client_free(c);
}

static void test_pending_max(void)
{
	sr_settings		s = settings(server);
	sr_inval	   *q = queue("a:%d", 100);
	sr_client	   *c;
	sr_flush_result r;

	s.pending_max = 30;
	c = client(&s);
	sr_flush(c, q, true, &r);
	CHECK(flushed(&r, 0, 30, 70), "what is beyond pending_max is lost, and counted");
	sr_inval_push(q, "one more", 8, 0);
	sr_flush(c, q, true, &r);
	CHECK(flushed(&r, 0, 30, 1), "and so is the next");
	sr_inval_free(q);
	sr_client_free(c);
}

/* A client whose user may touch ok:* only. */
static void test_refused_keys(void)
{
	sr_settings		s = settings(server);
	sr_client	   *admin = client(&s);
	sr_client	   *c;
	sr_inval	   *q = queue("ok:%d", 1000);
	char			url[256];
	const char	   *at = strstr(server, "://");
	sr_flush_result r;

	ask(admin, "ACL SETUSER tconn on >pw ~ok:* +@all");
	ask(admin, "MSET ok:1 a ok:999 b no:1 c");
	snprintf(url, sizeof(url), "%.*s://tconn:pw@%s", (int) (at - server), server,
			 strrchr(server, '@') != NULL ? strrchr(server, '@') + 1 : at + 3);
	s.url = url;
	c = client(&s);
	CHECK(has(ask(c, "GET no:1"), "permission: NOPERM"), "NOPERM");
	sr_inval_push(q, "no:1", 4, 1);
	sr_inval_push(q, "ok:last", 7, 1);
	sr_flush(c, q, true, &r);
	CHECK(flushed(&r, 1001, 0, 1) && r.err.cls == SR_E_PERMISSION,
		  "one forbidden key does not hold the others back");
	CHECK(is(ask(admin, "EXISTS ok:1 ok:999"), "0"), "which are gone");
	ask(admin, "DEL no:1");
	ask(admin, "ACL DELUSER tconn");
	sr_client_free(c);
	c = client(&s);
	CHECK(has(ask(c, "PING"), "authentication: WRONGPASS"), "a wrong user");
	CHECK(is(sr_client_breaker_state(c), "closed"), "does not open the breaker");
	sr_client_free(c);
	sr_client_free(admin);
	sr_inval_free(q);
}

/* Redis answers, but not now: READONLY, through a replica of nowhere. */
static void test_not_now(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("a:%d", 20000);
	sr_flush_result r;
	uint64_t		commands;

	ask(c, "FLUSHALL");
	ask(c, "SET a:7 x");
	ask(c, "REPLICAOF 127.0.0.1 1");
	sr_flush(c, q, true, &r);
	CHECK(flushed(&r, 0, 20000, 0) && r.err.cls == SR_E_READONLY, "a replica refuses: kept");
	commands = sr_client_stats(c)->commands;
	CHECK(has(ask(c, "SET x 1"), "read only: READONLY") &&
			  sr_client_stats(c)->commands == commands + 1,
		  "not tried before every call");
	ask(c, "REPLICAOF NO ONE");
	sr_flush(c, NULL, false, &r);
	CHECK(flushed(&r, 20000, 0, 0) && is(ask(c, "GET a:7"), "null"), "delivered later");
	sr_inval_free(q);
	sr_client_free(c);
}

/* ---- a server that is away ---- */

/* A port nobody listens on: bound, but not listening. */
static int closed_port(int *fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t		   len = sizeof(a);

	*fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(*fd, (struct sockaddr *) &a, sizeof(a)) != 0 ||
		getsockname(*fd, (struct sockaddr *) &a, &len) != 0)
		abort();
	return ntohs(a.sin_port);
}

static void test_away(void)
{
	sr_breaker	slots[2] = {{0}};
	sr_settings s;
	sr_client  *c, *other;
	char		url[64];
	int			fd;
	int			port = closed_port(&fd);

	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
	s = settings(url);
	s.breakers = slots;
	s.breaker_slots = 2;
	c = client(&s);
	other = client(&s);
	CHECK(has(ask(c, "PING"), "connection: cannot connect to Redis at 127.0.0.1:") &&
			  state.opened == 2,
		  "refused, with one retry");
	CHECK(is(sr_client_breaker_state(c), "open"), "open");
	CHECK(has(ask(c, "PING"), "is away (cannot connect") && state.opened == 2, "fails at once");
	CHECK(has(ask(other, "PING"), "is away; next try in") && state.opened == 2,
		  "in other processes too");
	CHECK(has(ask_flags(c, SR_PROBE, "PING"), "cannot connect") && state.opened == 4,
		  "but not for who insists");
	state.skew += 110;
	CHECK(has(ask(other, "PING"), "cannot connect") && slots[0].failures + slots[1].failures == 2,
		  "half-open: one may try, in vain");
	CHECK(has(ask(c, "PING"), "is away"), "open again");
	CHECK(sr_client_stats(c)->connect_failures == 4, "failures are counted");
	state.skew += 20000;
	state.interrupt = 0;
	CHECK(has(ask(other, "PING"), "interrupted") && is(sr_client_breaker_state(c), "half-open"),
		  "a probe that was interrupted leaves it half-open");
	if (listen(fd, 1) != 0)
		abort();
	sr_client_free(c);
	sr_client_free(other);
	close(fd);
	s = settings("redis://no-such-host.invalid");
	c = client(&s);
	CHECK(has(ask(c, "PING"), "connection: the host name \"no-such-host.invalid\""),
		  "an unknown host");
	sr_client_free(c);
	s = settings("redis+unix:///nonexistent/redis.sock");
	c = client(&s);
	CHECK(has(ask(c, "PING"), "connection: cannot connect to Redis at /nonexistent"),
		  "no such socket");
	sr_client_free(c);
}

/* Within a probe, what another client is told. */
static void ask_meanwhile(void)
{
	state.inside = NULL;
	snprintf(inner, sizeof(inner), "%s", ask(entered, "PING"));
}

/* Accepts and never answers. */
static void test_mute(void)
{
	sr_breaker	slot = {0};
	sr_settings s;
	sr_client  *c;
	char		url[64];
	int			fd;
	int			port = closed_port(&fd);

	if (listen(fd, 5) != 0)
		abort();
	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
	s = settings(url);
	s.command_timeout = 100;
	s.breakers = &slot;
	s.breaker_slots = 1;
	c = client(&s);
	CHECK(has(ask(c, "PING"), "timeout: no reply from Redis") && state.opened == 1,
		  "a mute server costs one timeout");
	CHECK(has(ask(c, "PING"), "is away"), "and then none");
	entered = client(&s);
	sr_client_free(c);
	c = client(&s);
	state.skew += 110;
	state.inside = ask_meanwhile;
	CHECK(has(ask(c, "PING"), "timeout: ") && has(inner, "is away"), "one probe at a time");
	sr_client_free(entered);
	sr_client_free(c);
	snprintf(url, sizeof(url), "rediss://127.0.0.1:%d", port);
	s.url = url;
	s.connect_timeout = 100;
	s.breakers = NULL;
	c = client(&s);
	CHECK(has(ask(c, "PING"), "timeout: no answer to the TLS handshake"), "TLS likewise");
	sr_client_free(c);
	close(fd);
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
	server = getenv("SR_TEST_URL");
	if (server == NULL)
		server = getenv("REDIS_URL");
	if (server == NULL)
	{
		printf("not ok conn: neither SR_TEST_URL nor REDIS_URL is set\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_calls();
	test_not_configured();
	test_lost();
	test_timeout();
	test_interrupt();
	test_reentered();
	test_pipeline();
	test_script();
	test_flush();
	test_backlog();
	test_pending_max();
	test_refused_keys();
	test_not_now();
	test_away();
	test_mute();
	test_fork();
	return test_result();
}
