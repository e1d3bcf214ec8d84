/*
 * test_cache_servers.c - the coherent cache and the server's identity: other servers, replicas,
 * promotions, servers that do not say who they are, and servers that lack GETEX.
 */
#include "cached.h"
#include "redis.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* Ask until the answer holds part; false: never. */
static bool comes_to(sr_client *c, const char *words, const char *part)
{
	for (int i = 0; i < 3000; i++)
	{
		if (strstr(ask(c, words), part) != NULL)
			return true;
		pause_a_little();
	}
	return has(ask(c, words), part);
}

static void replicate(sr_client *c, const redis *of)
{
	char words[64];

	snprintf(words, sizeof(words), "REPLICAOF 127.0.0.1 %d", redis_port(of));
	ask(c, words);
	CHECK(comes_to(c, "INFO replication", "master_link_status:up"), "a replica in touch");
}

/* ---- copies ---- */

static sr_reply *raw(sr_client *c, int argc, const char *const *words, const sr_reply *last)
{
	const char *argv[8];
	size_t		lengths[8];
	sr_argv		cmd = {argc, argv, lengths};
	sr_err		err;
	sr_reply   *reply;

	for (int i = 0; i < argc; i++)
	{
		argv[i] = words[i] != NULL ? words[i] : last->str;
		lengths[i] = words[i] != NULL ? strlen(words[i]) : last->len;
	}
	reply = sr_client_call(c, &cmd, 0, 0, &err);
	if (reply == NULL)
		printf("# %s\n", err.msg);
	return reply;
}

static void test_copy(const redis *a, const redis *b)
{
	sr_client *here = usual_client(redis_url(a));
	sr_client *there = usual_client(redis_url(b));
	sr_reply  *dump, *bytes;

	look(here, "k");
	fill(here, "k", "v", NULL);
	dump = raw(here, 2, (const char *const[]){"DUMP", entry_of("k")}, NULL);
	bytes = raw(here, 2, (const char *const[]){"GET", entry_of("k")}, NULL);
	sr_reply_free(
		raw(there, 4, (const char *const[]){"RESTORE", entry_of("k"), "60000", NULL}, dump));
	CHECK(is(ask(there, "DBSIZE"), "1") && is(look_flags(there, "k", 0), "missed"),
		  "an entry restored into another server is none there");
	CHECK(is(look(there, "k"), "leased"), "but in the way of nobody");
	sr_reply_free(raw(there, 3, (const char *const[]){"SET", entry_of("k"), NULL}, bytes));
	CHECK(is(look(there, "k"), "leased"), "nor is a copy of its bytes");
	CHECK(is(look(here, "k"), "hit v"), "at home it is");
	sr_reply_free(dump);
	sr_reply_free(bytes);
	ask(here, "FLUSHALL");
	ask(there, "FLUSHALL");
	sr_client_free(here);
	sr_client_free(there);
}

/* ---- replicas and promotions ---- */

static void test_replica(const redis *a, const redis *b)
{
	sr_client *primary = usual_client(redis_url(a));
	sr_client *replica = usual_client(redis_url(b));
	sr_client *admin = usual_client(redis_url(b));

	look(primary, "k");
	fill(primary, "k", "v", NULL);
	look(primary, "tagged");
	fill(primary, "tagged", "v", "red");
	replicate(admin, a);
	CHECK(comes_to(admin, "DBSIZE", "3"), "which has the entries");
	CHECK(is(look(replica, "k"), "missed replica") && cache_err.cls == SR_E_READONLY &&
			  unfilled(replica, SR_UNFILLED_REPLICA) == 1,
		  "a replica gives no hits");
	CHECK(is(look_flags(replica, "tagged", 0), "missed replica") &&
			  is(fill(replica, "k", "w", NULL), "unfilled"),
		  "in no case");
	ask(admin, "REPLICAOF NO ONE");
	time_passes();
	CHECK(is(look_flags(replica, "k", 0), "missed") &&
			  is(look_flags(replica, "tagged", 0), "missed"),
		  "what it copied is void when it is promoted");
	CHECK(is(look(replica, "k"), "leased") && is(fill(replica, "k", "new", NULL), "filled") &&
			  is(look(replica, "k"), "hit new"),
		  "and can be filled anew");
	ask(admin, "FLUSHALL");
	ask(primary, "FLUSHALL");
	sr_client_free(primary);
	sr_client_free(replica);
	sr_client_free(admin);
}

/*
 * A is demoted, copies from B what B had copied from A before a key was deleted there, and is
 * promoted again: the same process, the same connections, and the deleted key is back.
 */
static void test_there_and_back(const redis *a, const redis *b)
{
	sr_client *reader = usual_client(redis_url(a));
	sr_client *at_a = usual_client(redis_url(a));
	sr_client *at_b = usual_client(redis_url(b));
	uint64_t   connects;
	char	   lease[sizeof(last_lease)];
	char	   words[64];

	look(reader, "tagged");
	fill(reader, "tagged", "stale", "red");
	look(reader, "leased");
	memcpy(lease, last_lease, sizeof(lease));
	look(reader, "k");
	fill(reader, "k", "stale", NULL);
	replicate(at_b, a);
	CHECK(comes_to(at_b, "DBSIZE", "4"), "with everything");
	ask(at_b, "REPLICAOF NO ONE");
	time_passes();
	CHECK(is(look(reader, "k"), "hit stale"), "before");
	connects = sr_client_stats(reader)->connects;
	snprintf(words, sizeof(words), "UNLINK %s", entry_of("k"));
	ask(at_a, words);
	replicate(at_a, b);
	ask(at_a, "REPLICAOF NO ONE");
	snprintf(words, sizeof(words), "EXISTS %s", entry_of("k"));
	CHECK(is(ask(at_a, words), "1"), "the deleted entry is back");
	time_passes();
	CHECK(is(look_flags(reader, "k", 0), "missed") && is(look_flags(reader, "tagged", 0), "missed"),
		  "and void");
	CHECK(sr_client_stats(reader)->connects == connects, "over the same connection");
	memcpy(last_lease, lease, sizeof(lease));
	CHECK(is(fill(reader, "leased", "stale", NULL), "unfilled"),
		  "nor does the lease that came back count");
	CHECK(is(look(reader, "leased"), "leased"), "which nobody waits for");
	ask(at_a, "FLUSHALL");
	ask(at_b, "FLUSHALL");
	sr_client_free(reader);
	sr_client_free(at_a);
	sr_client_free(at_b);
}

/* ---- servers that do not say who they are ---- */

static sr_client *restricted(const redis *a)
{
	char url[160];

	/* the user's name and password stand before the path */
	snprintf(url, sizeof(url), "redis+unix://limited:pw@%s", strstr(redis_url(a), "://") + 3);
	return usual_client(url);
}

static const char *health_error(sr_client *c)
{
	static char		text[1024];
	const sr_value *cells;
	sr_err			err;
	sr_rows		   *rows = sr_rows_open(c, sr_command_find("redis_health"), 0, NULL, &err);

	snprintf(text, sizeof(text), "no row");
	if (rows != NULL && sr_rows_next(rows, &cells, &err) == 1)
		snprintf(text, sizeof(text), "%s %.*s", cells[0].i ? "well" : "ill",
				 cells[6].type == SR_TYPE_NULL ? 4 : (int) cells[6].len,
				 cells[6].type == SR_TYPE_NULL ? "NULL" : cells[6].data);
	sr_rows_close(rows);
	return text;
}

static void test_no_info(const redis *a)
{
	sr_client *admin = usual_client(redis_url(a));
	sr_client *c;
	uint64_t   trips;

	ask(admin, "ACL SETUSER limited on >pw ~* +@all -info");
	c = restricted(a);
	CHECK(is(look(c, "k"), "missed no_identity") && unfilled(c, SR_UNFILLED_IDENTITY) == 1 &&
			  has(cache_err.msg, "NOPERM"),
		  "INFO is refused: no leases, and it is said why");
	trips = sr_client_stats(c)->round_trips;
	CHECK(is(look(c, "k"), "missed no_identity") && has(cache_err.msg, "NOPERM") &&
			  sr_client_stats(c)->round_trips == trips && is(ask(admin, "DBSIZE"), "0"),
		  "for a moment it is not asked again");
	CHECK(has(health_error(c), "well the coherent cache is not used") &&
			  is(health_error(admin), "well NULL"),
		  "which redis_health says");
	look(admin, "k");
	fill(admin, "k", "v", NULL);
	state.skew += 2000;
	CHECK(is(look(c, "k"), "missed no_identity"), "nor hits");
	ask(admin, "ACL SETUSER limited +info");
	state.skew += 2000;
	CHECK(is(look(c, "k"), "hit v"), "until it may");
	ask(admin, "ACL SETUSER limited -info");
	time_passes();
	CHECK(is(look(c, "k"), "missed no_identity"), "and no longer than that");
	ask(admin, "ACL SETUSER limited +info -getex");
	state.skew += 2000;
	CHECK(is(look(c, "k"), "missed failed") && cache_err.cls == SR_E_PERMISSION,
		  "a user who may not use GETEX");
	ask(admin, "ACL DELUSER limited");
	ask(admin, "FLUSHALL");
	sr_client_free(c);
	sr_client_free(admin);
}

/* ---- servers that are busy ---- */

static void test_busy(const redis *a)
{
	sr_settings s = settings(redis_url(a));
	sr_client  *c = client(&s);
	sr_client  *admin = client(&s);
	sr_client  *loop;

	s.command_timeout = 100;
	loop = client(&s);
	look(c, "k");
	CHECK(is(fill(c, "k", "v", NULL), "filled"), "an entry");
	ask(admin, "CONFIG SET lua-time-limit 1");
	ask(loop, "EVAL while\ttrue\tdo\tend 0");
	CHECK(comes_to(admin, "PING", "BUSY"), "a script that does not end");
	time_passes();
	CHECK(is(look(c, "k"), "missed away") && is(look(c, "k"), "missed away") &&
			  has(cache_err.msg, "BUSY"),
		  "a server that is busy is away");
	ask(admin, "SCRIPT KILL");
	CHECK(comes_to(admin, "PING", "PONG") && is(look(c, "k"), "hit v"), "and there again at once");
	ask(admin, "FLUSHALL");
	sr_client_free(c);
	sr_client_free(admin);
	sr_client_free(loop);
}

/* ---- servers before 6.2 ---- */

static void test_no_getex(void)
{
	redis	  *old = redis_start((const char *const[]){"--rename-command", "GETEX", "", NULL});
	sr_client *c, *other;
	uint64_t   trips;
	sr_inval  *q = sr_inval_new();

	sr_flush_result r;

	if (!CHECK(old != NULL, "a server without GETEX"))
		return;
	c = usual_client(redis_url(old));
	other = usual_client(redis_url(old));
	CHECK(is(look(c, "k"), "leased") && is(fill(c, "k", "v", NULL), "filled"), "leases");
	CHECK(is(look(other, "k"), "hit v"), "hits");
	trips = sr_client_stats(other)->round_trips;
	CHECK(is(look(other, "k"), "hit v") && is(look_flags(other, "none", 0), "missed") &&
			  sr_client_stats(other)->round_trips == trips + 2,
		  "in one round trip, too");
	sr_inval_push(q, "k", 1, 0);
	ask(c, "CONFIG SET min-replicas-to-write 1");
	sr_flush(other, q, 0, &r);
	ask(c, "CONFIG SET min-replicas-to-write 0");
	CHECK(r.kept == 1 && is(look(other, "k"), "missed away"), "not while invalidations wait");
	state.skew += 2000;
	CHECK(is(look_flags(other, "k", 0), "missed"), "which go first");
	look(c, "k");
	fill(c, "k", "v", NULL);
	look(c, "tagged");
	CHECK(is(fill(c, "tagged", NULL, "red"), "filled") && is(look(other, "tagged"), "hit NULL"),
		  "tags");
	time_passes();
	ask(c, "REPLICAOF 127.0.0.1 1");
	CHECK(is(look(other, "k"), "missed replica") &&
			  is(look_flags(c, "tagged", 0), "missed replica"),
		  "and nothing from a replica");
	sr_inval_free(q);
	sr_client_free(c);
	sr_client_free(other);
	redis_stop(old);
}

int main(void)
{
	redis *a = redis_start(NULL);
	redis *b = redis_start(NULL);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (a == NULL || b == NULL)
		return 1;
	test_copy(a, b);
	test_replica(a, b);
	test_there_and_back(a, b);
	test_no_info(a);
	test_busy(a);
	test_no_getex();
	redis_stop(a);
	redis_stop(b);
	return test_result();
}
