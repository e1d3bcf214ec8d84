/*
 * test_cache.c - lookups, leases and fills of the coherent cache, in the Redis that SR_TEST_URL or
 * REDIS_URL names. What takes servers of its own is in test_cache_servers.c, tags are in
 * test_cache_tags.c.
 */
#include "cached.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sr_client *admin, *one, *two;

static const char *command(const char *format, const char *key)
{
	char words[512];

	snprintf(words, sizeof(words), format, key);
	return ask(admin, words);
}

static void begin(void)
{
	sr_settings s = settings(server);

	admin = client(&s);
	one = client(&s);
	two = client(&s);
	ask(admin, "FLUSHALL");
}

static void end(void)
{
	state.inside = NULL;
	sr_client_free(admin);
	sr_client_free(one);
	sr_client_free(two);
}

/* ---- hits ---- */

static void test_hit(void)
{
	const sr_stats *stats;
	uint64_t		trips, commands;

	begin();
	stats = sr_client_stats(one);
	CHECK(is(look(one, "k"), "leased"), "nothing there: a lease");
	CHECK(is(fill(one, "k", "value", NULL), "filled"), "under which it is filled");
	trips = stats->round_trips;
	commands = stats->commands;
	CHECK(is(look(one, "k"), "hit value") && stats->round_trips == trips + 1 &&
			  stats->commands == commands + 1,
		  "a hit is one round trip");
	time_passes();
	CHECK(is(look(one, "k"), "hit value") && stats->round_trips == trips + 2 &&
			  stats->commands == commands + 3,
		  "also when the server is asked who it is");
	trips = sr_client_stats(two)->round_trips;
	CHECK(is(look(two, "k"), "hit value") && sr_client_stats(two)->round_trips == trips + 2,
		  "another client's first: the connection's greeting and one more");
	CHECK(stats->cache_hits == 2 && stats->cache_misses == 1 && stats->cache_fills == 1,
		  "counted as such");
	CHECK(is(look_flags(one, "k", 0), "hit value"), "only to look: a hit, too");
	CHECK(is(look_flags(one, "none", 0), "missed") &&
			  is(command("EXISTS %s", entry_of("none")), "0"),
		  "or nothing, and no lease");
	end();
}

static void test_values(void)
{
	sr_value  bytes = {.type = SR_TYPE_BYTES, .data = "a\0b", .len = 3};
	sr_value  large = {.type = SR_TYPE_TEXT, .len = (size_t) 3 << 20};
	char	 *data = malloc(large.len);
	sr_cached cached;
	bool	  filled;

	begin();
	CHECK(is(look(one, "null"), "leased") && is(fill(one, "null", NULL, NULL), "filled") &&
			  is(look(two, "null"), "hit NULL"),
		  "NULL is cached");
	CHECK(is(look(one, "empty"), "leased") && is(fill(one, "empty", "", NULL), "filled") &&
			  is(look(two, "empty"), "hit "),
		  "and so is nothing");
	look(one, "bytes");
	CHECK(sr_cache_fill(one, "bytes", 5, last_lease, 64, &bytes, 60000, 0, NULL, &filled, NULL) &&
			  filled && sr_cache_lookup(two, epoch, "bytes", 5, 0, &cached, NULL) &&
			  cached.value.len == 3 && memcmp(cached.value.data, "a\0b", 3) == 0,
		  "bytes");
	sr_cached_free(&cached);
	memset(data, 'x', large.len);
	large.data = data;
	look(one, "large");
	CHECK(sr_cache_fill(one, "large", 5, last_lease, 64, &large, 60000, 0, NULL, &filled, NULL) &&
			  filled && sr_cache_lookup(two, epoch, "large", 5, 0, &cached, NULL) &&
			  cached.value.len == large.len && memcmp(cached.value.data, data, large.len) == 0,
		  "three million bytes");
	sr_cached_free(&cached);
	free(data);
	end();
}

static void test_keys(void)
{
	sr_settings s = settings(server);

	begin();
	sr_client_free(one);
	s.key_prefix = "app:";
	one = client(&s);
	CHECK(is(look(one, "k"), "leased") && is(fill(one, "k", "mine", NULL), "filled"), "a prefix");
	CHECK(is(ask(admin, "KEYS *"), "[\"app:k:sqlredis{app:k}\"]"), "stands before the key");
	CHECK(is(look(two, "k"), "leased"), "which is another one without it");
	CHECK(is(look(two, "app:k"), "hit mine"), "and the same when it is written out");
	CHECK(is(look(two, "a{b}"), "leased") && is(ask(admin, "EXISTS a{b}:sqlredis"), "1"),
		  "a key with a hash tag keeps it");
	end();
}

/* ---- leases ---- */

static void test_lease(void)
{
	sr_settings s = settings(server);
	long		left;

	begin();
	CHECK(is(look(one, "k"), "leased"), "the first");
	CHECK(is(look(two, "k"), "missed waited") && unfilled(two, SR_UNFILLED_WAITED) == 1 &&
			  cache_err.cls == SR_OK,
		  "is the only one");
	CHECK(is(look_flags(two, "k", SR_CACHE_LEASE), "missed waited"), "also for who would not wait");
	CHECK(is(look_flags(two, "k", 0), "missed") && unfilled(two, SR_UNFILLED_WAITED) == 2,
		  "who only looks counts for nothing");
	command("UNLINK %s", entry_of("k"));
	CHECK(is(fill(one, "k", "stale", NULL), "unfilled") && unfilled(one, SR_UNFILLED_LOST) == 1,
		  "invalidated between lease and fill");
	CHECK(is(command("EXISTS %s", entry_of("k")), "0"), "nothing is filled");
	look(one, "k");
	command("UNLINK %s", entry_of("k"));
	CHECK(is(look(two, "k"), "leased") && is(fill(two, "k", "new", NULL), "filled"), "taken over");
	command("UNLINK %s", entry_of("k"));
	look(one, "k");
	sr_cache_release(two, "k", 1, last_lease);
	CHECK(is(look(two, "k"), "leased"), "a lease can be given up");
	sr_cache_release(one, "k", 1,
					 "00000000000000000000000000000000000000000000000000000000000000ff");
	CHECK(is(fill(two, "k", "kept", NULL), "filled"), "but not by others");
	s.cache_lease = 3600000;
	sr_client_free(one);
	one = client(&s);
	look(one, "long");
	left = strtol(command("PTTL %s", entry_of("long")), NULL, 10);
	CHECK(left > 30000 && left <= 60000, "no lease is longer than a minute");
	look(two, "usual");
	left = strtol(command("PTTL %s", entry_of("usual")), NULL, 10);
	CHECK(left > 1000 && left <= 10000, "ten seconds when nothing is said");
	end();
}

static void test_lease_text(void)
{
	static const char *const others[] = {
		"", "made up", "zz000000000000000000000000000000000000000000000000000000000000000",
		"zz00000000000000000000000000000000000000000000000000000000000000"};
	sr_value v = {.type = SR_TYPE_TEXT, .data = "v", .len = 1};
	bool	 filled = true, good = true;

	begin();
	look(one, "k");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		good = good &&
			   sr_cache_fill(one, "k", 1, others[i], strlen(others[i]), &v, 1000, 0, NULL, &filled,
							 NULL) &&
			   !filled;
	CHECK(good && sr_cache_fill(one, "k", 1, NULL, 0, &v, 1000, 0, NULL, &filled, NULL) &&
			  !filled && unfilled(one, SR_UNFILLED_LOST) == 5,
		  "what is no lease is one that is gone");
	CHECK(!sr_cache_fill(one, "k", 1, last_lease, 64, &v, 0, 0, NULL, &filled, &cache_err) &&
			  cache_err.cls == SR_E_OPTION,
		  "no time to live is an error");
	CHECK(is(fill(two, "k", "v", NULL), "filled"), "a lease's text may be carried elsewhere");
	CHECK(is(fill(one, "k", "w", NULL), "unfilled") && is(look(two, "k"), "hit v"),
		  "and fills once");
	end();
}

static void test_delivered_key(void)
{
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;

	begin();
	look(one, "k");
	ask(admin, "SET k plain");
	sr_inval_push(q, "k", 1, 0);
	sr_flush(two, q, 0, &r);
	CHECK(r.sent == 1 && is(ask(admin, "DBSIZE"), "0"),
		  "a key's invalidation takes the lease along");
	CHECK(is(fill(one, "k", "stale", NULL), "unfilled"), "so that nobody fills under it");
	look(one, "k");
	fill(one, "k", "v", NULL);
	sr_inval_push(q, "k", 1, 0);
	sr_flush(two, q, 0, &r);
	CHECK(is(look(one, "k"), "leased"), "and the entry");
	sr_inval_free(q);
	end();
}

static void test_other_epoch(void)
{
	unsigned char other[SR_EPOCH_SIZE] = "another epoch 1";
	sr_cached	  cached;

	begin();
	look(one, "k");
	fill(one, "k", "old", NULL);
	CHECK(sr_cache_lookup(one, other, "k", 1, SR_CACHE_LEASE, &cached, NULL) &&
			  cached.found == SR_CACHE_LEASED,
		  "an entry of another epoch is none");
	sr_cached_free(&cached);
	CHECK(is(look(one, "k"), "leased"), "nor is its lease one");
	CHECK(sr_cache_lookup(one, other, "k", 1, 0, &cached, NULL) &&
			  is(fill(one, "k", "old", NULL), "unfilled"),
		  "who is in another epoch does not fill for the old one");
	sr_cached_free(&cached);
	end();
}

/* ---- waiting ---- */

static int	waits_left;
static bool inside;

/* The one who holds the lease fills while the other waits. */
static void fill_at_last(void)
{
	if (inside || --waits_left != 0)
		return;
	inside = true;
	fill(one, "k", "at last", NULL);
	inside = false;
}

static void unlink_at_last(void)
{
	if (inside || --waits_left != 0)
		return;
	inside = true;
	ask(admin, "FLUSHALL");
	inside = false;
}

static void test_wait(void)
{
	sr_settings s = settings(server);

	begin();
	sr_client_free(two);
	s.cache_wait = 60000;
	two = client(&s);
	look(one, "k");
	waits_left = 8;
	state.inside = fill_at_last;
	CHECK(is(look(two, "k"), "hit at last"), "another's fill is waited for");
	CHECK(sr_client_stats(two)->cache_waits == 1 && waits_left <= 0, "once");
	state.inside = NULL;
	ask(admin, "FLUSHALL");
	look(one, "k");
	waits_left = 8;
	state.inside = unlink_at_last;
	CHECK(is(look(two, "k"), "leased") && is(fill(two, "k", "v", NULL), "filled"),
		  "a lease that goes meanwhile is taken over");
	state.inside = NULL;
	state.interrupt = 6;
	CHECK(has(look(one, "other"), "leased") && has(look(two, "other"), "interrupted"),
		  "a wait can be interrupted");
	sr_client_free(two);
	s.cache_wait = 20;
	two = client(&s);
	CHECK(is(look(two, "other"), "missed waited"), "and ends");
	sr_client_free(two);
	s.cache_wait = -1;
	two = client(&s);
	waits_left = 8;
	state.inside = unlink_at_last;
	CHECK(is(look(two, "other"), "leased"), "by itself it is more than nothing");
	end();
}

/* ---- what may stand in the way ---- */

static void test_obstacles(void)
{
	char words[256];

	begin();
	look(one, "scripts");
	ask(admin, "SCRIPT FLUSH");
	CHECK(is(fill(one, "scripts", "v", NULL), "filled"), "scripts that Redis forgot");
	ask(admin, "SCRIPT FLUSH");
	CHECK(is(look(one, "more"), "leased") && is(look(one, "scripts"), "hit v"), "are sent again");
	command("HSET %s field value", entry_of("hash"));
	CHECK(is(look(one, "hash"), "missed failed") && cache_err.cls == SR_E_WRONGTYPE &&
			  has(cache_err.msg, "\"hash:sqlredis{hash}\" holds another kind of value"),
		  "another type there is said, and costs no answer");
	CHECK(is(fill(one, "hash", "v", NULL), "unfilled") && cache_err.cls == SR_E_WRONGTYPE &&
			  unfilled(one, SR_UNFILLED_FAILED) == 2,
		  "nor can it be filled");
	snprintf(words, sizeof(words), "SET %s text", entry_of("text"));
	ask(admin, words);
	CHECK(is(look(one, "text"), "leased"), "a string that is no entry is overwritten");
	snprintf(words, sizeof(words), "SET %s V234567890123456value", entry_of("text"));
	ask(admin, words);
	CHECK(is(look(one, "text"), "leased"), "also one that looks like it");
	ask(admin, "FLUSHALL");
	look(one, "k");
	kill_others();
	CHECK(is(fill(one, "k", "v", NULL), "filled"), "a connection that broke before the fill");
	kill_others();
	CHECK(is(look(one, "k"), "hit v"), "or before a look");
	end();
}

static void test_sizes(void)
{
	sr_settings s = settings(server);
	sr_value	v = {.type = SR_TYPE_TEXT, .len = 100000};
	char	   *data = calloc(1, v.len);
	bool		filled = true;

	begin();
	sr_client_free(one);
	s.max_reply = 90000;
	one = client(&s);
	v.data = data;
	look(one, "k");
	CHECK(sr_cache_fill(one, "k", 1, last_lease, 64, &v, 60000, 0, NULL, &filled, &cache_err) &&
			  !filled && cache_err.cls == SR_E_SIZE && unfilled(one, SR_UNFILLED_FAILED) == 1,
		  "a value that no reply may have is not filled");
	CHECK(is(look(two, "k"), "leased"), "and nobody waits for it");
	CHECK(sr_cache_fill(two, "k", 1, last_lease, 64, &v, 60000, 0, NULL, &filled, &cache_err) &&
			  filled && is(look(one, "k"), "missed failed") && cache_err.cls == SR_E_SIZE,
		  "one that another could fill costs no answer");
	free(data);
	end();
}

static void test_no_room(void)
{
	begin();
	look(one, "full");
	fill(one, "full", "v", NULL);
	look(one, "k");
	ask(admin, "CONFIG SET maxmemory 1");
	CHECK(is(fill(one, "k", "v", NULL), "unfilled") && cache_err.cls == SR_E_MEMORY &&
			  is(command("EXISTS %s", entry_of("k")), "0"),
		  "Redis has no room: the lease is given up");
	CHECK(is(look(one, "other"), "missed failed") && cache_err.cls == SR_E_MEMORY,
		  "there are no leases");
	CHECK(is(look(one, "full"), "hit v"), "but hits");
	ask(admin, "CONFIG SET maxmemory 0");
	CHECK(is(look(one, "other"), "leased"), "until it has");
	end();
}

static void test_away(void)
{
	sr_settings s = settings("redis://127.0.0.1:1");
	sr_client  *c = client(&s);
	bool		filled = true;
	sr_value	v = {.type = SR_TYPE_NULL};
	int			waits;

	CHECK(is(look(c, "k"), "missed away") && cache_err.cls == SR_E_CONNECT, "no Redis");
	waits = state.waits;
	CHECK(is(look(c, "k"), "missed away") && state.waits == waits &&
			  is(sr_client_breaker_state(c), "open"),
		  "costs nothing once the breaker is open");
	memset(last_lease, '0', 64);
	CHECK(is(fill(c, "k", "v", NULL), "unfilled") && state.waits == waits &&
			  unfilled(c, SR_UNFILLED_AWAY) == 3,
		  "nor does a fill");
	sr_cache_release(c, "k", 1, last_lease);
	sr_client_free(c);
	s.url = NULL;
	c = client(&s);
	CHECK(has(look(c, "k"), "invalid: no Redis URL is set") &&
			  !sr_cache_fill(c, "k", 1, last_lease, 64, &v, 1, 0, NULL, &filled, &cache_err) &&
			  !filled,
		  "no settings are an error");
	sr_client_free(c);
}

/* What an earlier commit of this client owes is among what a hit would show. */
static void test_backlog(void)
{
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;

	begin();
	look(one, "k");
	fill(one, "k", "old", NULL);
	look(one, "leased");
	ask(two, "CONFIG SET min-replicas-to-write 1");
	sr_inval_push(q, "k", 1, 0);
	sr_flush(one, q, 0, &r);
	CHECK(r.kept == 1 && is(look(two, "k"), "missed away") && has(cache_err.msg, "NOREPLICAS"),
		  "no hits where invalidations are refused");
	ask(two, "CONFIG SET min-replicas-to-write 0");
	CHECK(is(look(two, "k"), "hit old") && is(look(one, "k"), "missed away") &&
			  has(cache_err.msg, "invalidations wait"),
		  "nor for the one who still owes them");
	CHECK(is(fill(one, "leased", "old", NULL), "unfilled") && unfilled(one, SR_UNFILLED_AWAY) == 2,
		  "who may owe just what he would fill");
	state.skew += 2000;
	CHECK(is(look(one, "k"), "leased"), "which go first when they can");
	sr_inval_free(q);
	end();
}

int main(void)
{
	if (!find_server())
		return 1;
	test_hit();
	test_values();
	test_keys();
	test_lease();
	test_lease_text();
	test_delivered_key();
	test_other_epoch();
	test_wait();
	test_obstacles();
	test_sizes();
	test_no_room();
	test_away();
	test_backlog();
	return test_result();
}
