/*
 * test_flush.c - the delivery of queued keys, to the Redis that SR_TEST_URL or REDIS_URL names.
 */
#include "client.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
	if (!find_server())
		return 1;
	test_flush();
	test_backlog();
	test_pending_max();
	test_refused_keys();
	test_not_now();
	return test_result();
}
