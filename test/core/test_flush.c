/*
 * test_flush.c - what a flush delivers and what it keeps, to the Redis that SR_TEST_URL or REDIS_URL names.
 */
#include "client.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	printf("# 100,000 keys in %lld ms\n", (long long) (host_now(&state) - begun));
	CHECK(flushed(&r, 100000, 0, 0) && sr_inval_count(q) == 0, "a hundred thousand keys");
	CHECK(is(ask(c, "KEYS *"), "[\"other\"]"), "are gone");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 0, 0), "nothing to do");
	sr_flush(c, NULL, SR_FLUSH_COMMIT, &r);
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

	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 1000, 0) && r.err.cls == SR_E_CONNECT, "in a COMMIT nobody dials");
	CHECK(sr_inval_count(q) == 0 && sr_client_backlog(c) == 1000, "the keys are kept");
	sr_inval_push(q, "b", 1, 3);
	sr_inval_push(q, "a:5", 3, 3);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 1001, 0), "more join them, once each");
	ask(c, "SET late 1");
	CHECK(sr_client_backlog(c) == 0 && sr_client_stats(c)->invalidations_sent == 1001,
		  "the next call delivers them");
	kill_others();
	sr_inval_push(q, "late", 4, 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 1, 0), "a connection that broke is not replaced in a COMMIT");
	sr_flush(c, NULL, 0, &r);
	CHECK(flushed(&r, 1, 0, 0) && is(ask(c, "GET late"), "null"), "outside it is");
	ask(c, "PING");
	kill_others();
	sr_inval_push(q, "late", 4, 1);
	sr_flush(c, q, 0, &r);
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
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 30, 70), "what is beyond pending_max is lost, and counted");
	sr_inval_push(q, "one more", 8, 0);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
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
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
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
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 20000, 0) && r.err.cls == SR_E_READONLY, "a replica refuses: kept");
	commands = sr_client_stats(c)->commands;
	CHECK(has(ask(c, "SET x 1"), "read only: READONLY") &&
			  sr_client_stats(c)->commands == commands + 1,
		  "not tried before every call");
	ask(c, "REPLICAOF NO ONE");
	sr_flush(c, NULL, 0, &r);
	CHECK(flushed(&r, 20000, 0, 0) && is(ask(c, "GET a:7"), "null"), "delivered later");
	sr_inval_free(q);
	sr_client_free(c);
}

/* A backlog with a pattern, before other calls and in a COMMIT. */
static void test_waiting_pattern(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("k", 1);
	sr_flush_result r;
	uint64_t		commands;

	push_effect(q, SR_EFFECT_PATTERN, "z:*");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 2, 0), "no connection: kept");
	ask(c, "MSET z:1 1 k 1");
	CHECK(sr_client_backlog(c) == 1, "a call delivers the key and leaves the pattern");
	commands = sr_client_stats(c)->commands;
	CHECK(is(ask(c, "GET z:1"), "\"1\"") && sr_client_stats(c)->commands == commands + 1,
		  "and so does the next");
	sr_inval_push(q, "k", 1, 1);
	sr_flush(c, q, SR_FLUSH_ONLY, &r);
	CHECK(flushed(&r, 1, 1, 0), "only what is new");
	sr_flush(c, NULL, 0, &r);
	CHECK(flushed(&r, 1, 0, 0) && is(ask(c, "EXISTS z:1"), "0"), "asked for, it is carried out");
	sr_inval_free(q);
	sr_client_free(c);
}

static void late(void)
{
	state.skew += 100;
}

/* More keys than there is time for. */
static void test_long_pattern(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;
	uint64_t		commands;

	ask(c, "FLUSHALL");
	ask(c, "EVAL for\ti=1,20000\tdo\tredis.call('set','p:'..i,i)end 0");
	push_effect(q, SR_EFFECT_PATTERN, "p:*");
	push_command(q, "SET p:new 1");
	state.inside = late;
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	state.inside = NULL;
	CHECK(flushed(&r, 0, 2, 0) && r.err.cls == SR_E_TIMEOUT && sr_client_connected(c) &&
			  is(sr_client_breaker_state(c), "closed"),
		  "a COMMIT does not wait for its end, and Redis is not away");
	ask(c, "PING");
	commands = sr_client_stats(c)->commands;
	sr_flush(c, NULL, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 2, 0) && sr_client_stats(c)->commands == commands,
		  "nor does the next one try");
	sr_flush(c, NULL, 0, &r);
	CHECK(flushed(&r, 2, 0, 0) && is(ask(c, "DBSIZE"), "2") && is(ask(c, "GET p:new"), "\"1\""),
		  "asked for, it is carried out, and what waited for it after it");
	sr_inval_free(q);
	sr_client_free(c);
}

static sr_client *admin;

/* The time is nearly over when Redis becomes slow. */
static void late_and_slow(void)
{
	late();
	if (state.skew < 1900)
		return;
	state.inside = NULL;
	ask(admin, "CLIENT PAUSE 200");
}

/* More commands than there is time for, each group a round trip. */
static void test_out_of_time(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;

	admin = client(&s);
	ask(admin, "FLUSHALL");
	ask(c, "PING");
	for (int i = 0; i < 50; i++)
	{
		push_command(q, "INCR n");
		sr_inval_push(q, "k", 1, 1);
	}
	state.inside = late_and_slow;
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(r.kept > 50 && r.sent + r.kept == 100 && r.err.cls == SR_E_TIMEOUT &&
			  sr_client_connected(c) && is(sr_client_breaker_state(c), "closed"),
		  "a COMMIT asks for no more when its time is over, and Redis is not away");
	sr_flush(c, NULL, 0, &r);
	CHECK(r.kept == 0 && is(ask(c, "GET n"), "\"50\""), "the rest is done later");
	sr_inval_free(q);
	sr_client_free(admin);
	sr_client_free(c);
}

static void test_leave(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("a:%d", 10);
	sr_flush_result r;

	sr_flush(c, q, SR_FLUSH_COMMIT | SR_FLUSH_LEAVE, &r);
	CHECK(flushed(&r, 0, 10, 0) && sr_client_backlog(c) == 0 && sr_inval_count(q) == 0,
		  "what is safe elsewhere does not join the backlog");
	sr_inval_push(q, "mine", 4, 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	sr_inval_push(q, "a:1", 3, 1);
	sr_flush(c, q, SR_FLUSH_COMMIT | SR_FLUSH_LEAVE, &r);
	CHECK(flushed(&r, 0, 1, 0) && sr_client_backlog(c) == 1, "what waits already stays there");
	ask(c, "PING");
	sr_inval_push(q, "a:1", 3, 1);
	sr_flush(c, q, SR_FLUSH_COMMIT | SR_FLUSH_LEAVE, &r);
	CHECK(flushed(&r, 1, 0, 0), "delivered, nothing is the caller's");
	sr_inval_free(q);
	sr_client_free(c);
}

static void test_address(void)
{
	static const char *const urls[] = {"redis://h:1/0",		"redis://h:2/0",	"redis://h:1/1",
									   "redis://i:1/0",		"redis://u:@h:1/0", "redis://u:p@h:1/0",
									   "redis://p:u@h:1/0", "rediss://h:1/0",	"redis+unix:///h"};
	const size_t			 n = sizeof urls / sizeof urls[0];
	uint64_t				 address[sizeof urls / sizeof urls[0]];
	sr_settings				 s = settings(NULL);
	sr_client				*c = client(&s);
	bool					 good = sr_client_address(c) == 0;

	for (size_t i = 0; i < n; i++)
	{
		s.url = urls[i];
		sr_client_configure(c, &s, NULL);
		address[i] = sr_client_address(c);
		good = good && address[i] != 0;
		for (size_t j = 0; j < i; j++)
			good = good && address[i] != address[j];
	}
	CHECK(good, "another server, database, user or password is another address");
	s.url = urls[4];
	s.password = "p";
	s.key_prefix = "x:";
	sr_client_configure(c, &s, NULL);
	CHECK(sr_client_address(c) == address[5], "the same is the same");
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_flush();
	test_backlog();
	test_pending_max();
	test_refused_keys();
	test_not_now();
	test_waiting_pattern();
	test_long_pattern();
	test_out_of_time();
	test_leave();
	test_address();
	return test_result();
}
