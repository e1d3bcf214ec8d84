/*
 * test_breaker.c - a server that is away, or never answers; the breaker shared by several clients.
 */
#include "client.h"
#include "test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static sr_client *entered;
static char		  inner[1024];

/* Within a probe, what another client is told. */
static void ask_meanwhile(void)
{
	state.inside = NULL;
	snprintf(inner, sizeof(inner), "%s", ask(entered, "PING"));
}

/* What cannot be sent waits, once, as long as there is room. */
static void test_full_backlog(void)
{
	int				fd;
	char			url[64];
	sr_settings		s;
	sr_client	   *c;
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;

	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", closed_port(&fd));
	s = settings(url);
	s.pending_max = 1;
	c = client(&s);
	for (int i = 0; i < 3; i++)
	{
		sr_inval_push(q, i < 2 ? "same" : "other", i < 2 ? 4 : 5, 1);
		sr_flush(c, q, 0, &r);
		CHECK(r.kept == 1 && r.lost == (i == 2), i == 0	  ? "a key is kept"
												 : i == 1 ? "the same key again takes no more room"
														  : "another one finds none");
	}
	sr_inval_free(q);
	sr_client_free(c);
	close(fd);
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

int main(void)
{
	if (!find_server())
		return 1;
	test_away();
	test_full_backlog();
	test_mute();
	return test_result();
}
