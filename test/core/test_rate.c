/*
 * test_rate.c - rate limits: what the functions count, and under which keys; named limits; and what is said
 * when Redis cannot count. That each algorithm decides as others do, at any time, is shown by
 * test/interop/rate_limits.py, which has a clock to set.
 */
#include "redis.h"
#include "scalar.h"
#include "test.h"

#include <stdlib.h>

/* No window ends while a test runs, and nothing comes back. */
#define LONG FLOAT(3000000000.0)

static const char *const algorithms[] = {"fixed", "sliding", "token_bucket", "gcra"};

#define ALGORITHMS (sizeof algorithms / sizeof algorithms[0])

/* Settings as usual, or these; the database empty. */
static sr_client *empty(const sr_settings *given)
{
	sr_settings usual = settings(server);
	sr_client  *c = client(given != NULL ? given : &usual);

	ask(c, "FLUSHDB");
	return c;
}

/*
 * The row without what depends on the time: "t 2 ok", "f 1 limit later", "f 1 limit never", an
 * unknown number as "~"; or the error.
 */
static const char *limited(sr_client *c, const char *name, int n, const sr_value *args)
{
	static char		text[600];
	sr_err			err = {0};
	const sr_value *cells;
	sr_rows		   *rows = open_rows(c, name, n, args, &err);
	char			remaining[24] = "~";

	if (rows == NULL || sr_rows_next(rows, &cells, &err) != 1)
		snprintf(text, sizeof text, "%s: %s", sr_class_word(err.cls), err.msg);
	else
	{
		bool known = cells[1].type == SR_TYPE_INTEGER;

		if (known)
			snprintf(remaining, sizeof remaining, "%lld", (long long) cells[1].i);
		snprintf(text, sizeof text, "%s %s %.*s%s%s", cells[0].i ? "t" : "f", remaining,
				 (int) cells[4].len, cells[4].data,
				 !known || cells[0].i			 ? ""
				 : cells[2].type == SR_TYPE_NULL ? " never"
												 : " later",
				 known == (cells[3].type == SR_TYPE_DOUBLE) ? "" : ", reset_at?");
		if (sr_rows_next(rows, &cells, &err) != 0)
			snprintf(text, sizeof text, "more than one row");
	}
	sr_rows_close(rows);
	return text;
}
#define LIMIT(c, name, ...)                                                                        \
	limited((c), (name), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),             \
			(sr_value[]){__VA_ARGS__})

/* Of three: so much, by the algorithm. */
static const char *take(sr_client *c, const char *algorithm, int64_t cost)
{
	return LIMIT(c, "redis_rate_limit", TEXT("k"), INT(3), LONG, INT(cost), TEXT(algorithm));
}

static const char *peek(sr_client *c, const char *algorithm)
{
	return LIMIT(c, "redis_rate_limit_peek", TEXT("k"), INT(3), LONG, TEXT(algorithm));
}

static void test_counting(const char *algorithm)
{
	sr_client *c = empty(NULL);

	printf("# %s\n", algorithm);
	CHECK(is(peek(c, algorithm), "t 3 ok") && is(lua(c, "return redis.call('DBSIZE')"), "0"),
		  "a look leaves nothing");
	CHECK(is(take(c, algorithm, -1), "t 3 ok") && is(lua(c, "return redis.call('DBSIZE')"), "0"),
		  "neither does giving back what nobody took");
	CHECK(is(take(c, algorithm, 1), "t 2 ok"), "one");
	CHECK(is(take(c, algorithm, 3), "f 2 limit later") && is(peek(c, algorithm), "t 2 ok"),
		  "too much for now costs nothing");
	CHECK(is(take(c, algorithm, 4), "f 2 limit never"), "too much for ever");
	CHECK(is(take(c, algorithm, 2), "t 0 ok"), "the rest at once");
	CHECK(is(take(c, algorithm, 1), "f 0 limit later") && is(peek(c, algorithm), "f 0 limit later"),
		  "no more");
	CHECK(is(take(c, algorithm, 0), "t 0 ok"), "nothing at all is allowed");
	CHECK(is(take(c, algorithm, -1), "t 1 ok") && is(take(c, algorithm, -9), "t 3 ok"),
		  "giving back, more than there was");
	CHECK(is(lua(c, "local t = redis.call('PTTL', 'rl:k') return t == -1 and 'for ever' or 'ends'"),
			 "\"ends\""),
		  "it has an end");
	sr_client_free(c);
}

/* Another algorithm or period starts anew; another max does not. */
static void test_changes(void)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
	{
		const char *here = algorithms[i], *there = algorithms[(i + 1) % ALGORITHMS];
		sr_client  *c = empty(NULL);
		bool		good = is(take(c, here, 3), "t 0 ok") && is(take(c, there, 1), "t 2 ok") &&
					is(LIMIT(c, "redis_rate_limit", TEXT("k"), INT(3), FLOAT(2000000000.0), INT(1),
							 TEXT(there)),
					   "t 2 ok");

		CHECK(good, "another algorithm, another period");
		good = is(take(c, here, 3), "t 0 ok") &&
			   is(LIMIT(c, "redis_rate_limit_peek", TEXT("k"), INT(1), LONG, TEXT(here)),
				  "f 0 limit later") &&
			   is(LIMIT(c, "redis_rate_limit_peek", TEXT("k"), INT(0), LONG, TEXT(here)),
				  "f 0 limit never") &&
			   is(take(c, here, 1), "f 0 limit later");
		CHECK(good, "another max");
		sr_client_free(c);
	}
}

static void test_arguments(void)
{
	sr_client *c = empty(NULL);

	CHECK(has(LIMIT(c, "redis_rate_limit", TEXT("k"), INT(-1), INT(60)), "max must be from 0"),
		  "max");
	CHECK(has(LIMIT(c, "redis_rate_limit", TEXT("k"), INT(((int64_t) 1 << 53) + 1), INT(60)),
			  "to 9007199254740992") &&
			  is(LIMIT(c, "redis_rate_limit", TEXT("k"), INT((int64_t) 1 << 53), INT(60)),
				 "t 9007199254740991 ok"),
		  "the largest max");
	CHECK(
		has(LIMIT(c, "redis_rate_limit", TEXT("k"), INT(1), INT(0)), "period must be more") &&
			has(LIMIT(c, "redis_rate_limit", TEXT("k"), INT(1), INT(-1)), "period must be more") &&
			has(LIMIT(c, "redis_rate_limit_peek", TEXT("k"), INT(1), FLOAT(4e9)), "hundred years"),
		"period");
	CHECK(has(LIMIT(c, "redis_rate_limit", TEXT("k"), INT(1), INT(1), INT(INT64_MIN)),
			  "cost must be from -9007199254740992"),
		  "cost");
	CHECK(has(take(c, "leaky", 1), "algorithm must be one of fixed|sliding|token_bucket|gcra") &&
			  is(take(c, "GCRA", 1), "t 2 ok"),
		  "algorithm");
	CHECK(is(CALL(c, "redis_allow", TEXT("a"), INT(1), LONG), "1") &&
			  is(CALL(c, "redis_allow", TEXT("a"), INT(1), LONG), "0") &&
			  is(CALL(c, "redis_allow", TEXT("a"), INT(1), LONG, INT(-1)), "1") &&
			  is(LIMIT(c, "redis_rate_limit_peek", TEXT("a"), INT(1), LONG), "t 1 ok"),
		  "redis_allow is sliding");
	CHECK(is(CALL(c, "redis_rate_limit_reset", TEXT("k")), "1") &&
			  is(CALL(c, "redis_rate_limit_reset", TEXT("k")), "0"),
		  "reset");
	sr_client_free(c);
}

static void test_override(void)
{
	sr_client *c = empty(NULL);
	uint64_t   before;

	CHECK(is(CALL(c, "redis_rate_limit_override", TEXT("k"), INT(5)), "1") &&
			  is(take(c, "sliding", 4), "t 1 ok") && is(peek(c, "sliding"), "t 1 ok"),
		  "a limit of its own");
	before = sent(c);
	CHECK(is(take(c, "sliding", 1), "t 0 ok") && sent(c) == before + 1, "in one command");
	CHECK(is(CALL(c, "redis_rate_limit_reset", TEXT("k")), "1") && is(take(c, "gcra", 5), "t 0 ok"),
		  "a reset leaves it");
	CHECK(is(CALL(c, "redis_rate_limit_override", TEXT("k")), "1") &&
			  is(CALL(c, "redis_rate_limit_override", TEXT("k"), NONE), "0") &&
			  is(take(c, "sliding", 4), "f 3 limit never"),
		  "taken away");
	CHECK(is(CALL(c, "redis_rate_limit_override", TEXT("k"), INT(0)), "1") &&
			  is(take(c, "sliding", 1), "f 0 limit never"),
		  "locked out");
	CHECK(has(CALL(c, "redis_rate_limit_override", TEXT("k"), INT(-1)), "max must be"), "negative");
	lua(c, "return redis.call('SET', 'rl:k:limit{rl:k}', '1e3')");
	CHECK(has(take(c, "sliding", 1), "the key's limit of its own is no number"), "no number");
	lua(c, "redis.call('DEL', 'rl:k:limit{rl:k}') redis.call('SADD', 'rl:k:limit{rl:k}', 1)");
	CHECK(has(take(c, "fixed", 1), "wrong type: WRONGTYPE"), "no string");
	lua(c, "redis.call('FLUSHALL')");
	CALL(c, "redis_allow", TEXT("k:limit{rl:k}"), INT(1), LONG);
	CHECK(is(lua(c, "return redis.call('TYPE', 'rl:k:limit{rl:k}').ok"), "\"hash\"") &&
			  is(take(c, "sliding", 1), "t 2 ok"),
		  "a key that is called like another's limit");
	lua(c, "redis.call('FLUSHALL') redis.call('SET', 'rl:k', 1)");
	CHECK(has(take(c, "gcra", 1), "wrong type: WRONGTYPE"), "no hash");
	sr_client_free(c);
}

static void test_keys(void)
{
	sr_settings s = settings(server);
	sr_client  *c;

	s.key_prefix = "app:";
	s.recipes.rate_limit_prefix = "limits/";
	c = empty(&s);
	CALL(c, "redis_rate_limit_override", TEXT("k"), INT(5));
	CALL(c, "redis_allow", TEXT("k"), INT(1), LONG);
	CALL(c, "redis_rate_limit_override", TEXT("{u}1"), INT(5));
	CALL(c, "redis_allow", TEXT("{u}1"), INT(1), LONG);
	CHECK(is(lua(c, "local k = redis.call('KEYS', '*') table.sort(k) return k"),
			 "[\"app:limits/k\",\"app:limits/k:limit{app:limits/k}\",\"app:limits/{u}1\","
			 "\"app:limits/{u}1:limit\"]"),
		  "prefixes, and one slot");
	sr_client_free(c);
}

/* ---- tiers ---- */

static bool refused(const char *tiers, const char *buckets, const char *why)
{
	sr_err err = {0};

	return !sr_tiers_check(tiers, buckets, &err) && err.cls == SR_E_OPTION && has(err.msg, why) &&
		   err.hint[0] != '\0';
}

static void test_tiers_check(void)
{
	CHECK(sr_tiers_check(NULL, NULL, NULL) && sr_tiers_check("", " \t", NULL), "none");
	CHECK(sr_tiers_check("strict=10/60 moderate=60/60 generous=120/60",
						 "login=strict, search=no_tier_yet\napi=generous", NULL) &&
			  sr_tiers_check("a=0/0.5,b=9007199254740992/3153600000", NULL, NULL),
		  "well-formed");
	CHECK(refused("strict", NULL, "\"strict\"") && refused("a=1/1 =1/1", NULL, "\"=1/1\"") &&
			  refused("a=", NULL, "malformed") && refused("a=10", NULL, "malformed") &&
			  refused("a=/60", NULL, "malformed") && refused("a=10/", NULL, "malformed"),
		  "parts missing");
	CHECK(refused("a=-1/60", NULL, "malformed") && refused("a=1/0", NULL, "malformed") &&
			  refused("a=1/-1", NULL, "malformed") && refused("a=1/x", NULL, "malformed") &&
			  refused("a=1.5/60", NULL, "malformed") && refused("a=1/60/2", NULL, "malformed") &&
			  refused("a=9007199254740993/60", NULL, "malformed") &&
			  refused("a=1/1e11", NULL, "malformed"),
		  "no numbers, or none that fit");
	CHECK(refused("a=1/1 b=1/1 a=2/1", NULL, "names \"a\" twice") &&
			  refused(NULL, "a=b a=b", "rate_limit_buckets names \"a\" twice"),
		  "a name twice");
	CHECK(refused("a:b=1/1", NULL, "malformed") && refused(NULL, "a:b=c", "malformed") &&
			  refused(NULL, "a=b=c", "malformed") && refused(NULL, "a=b:c", "malformed"),
		  "names that would be misread");
}

static const char *tier(sr_client *c, const char *bucket, const char *id, int64_t cost)
{
	return LIMIT(c, "redis_rate_limit_tier", TEXT(bucket), TEXT(id), INT(cost));
}

static void test_tiers(void)
{
	sr_settings s = settings(server);
	sr_client  *c = empty(NULL);

	CHECK(is(tier(c, "strict", "a", 1), "t 9 ok") && is(tier(c, "moderate", "a", 1), "t 59 ok") &&
			  is(tier(c, "generous", "a", 1), "t 119 ok"),
		  "as shipped");
	CHECK(has(tier(c, "login", "a", 1), "there is no bucket or tier \"login\"") &&
			  has(tier(c, "stric", "a", 1), "no bucket") && has(tier(c, "", "a", 1), "no bucket"),
		  "one that nobody named");
	sr_client_free(c);

	s.recipes.rate_limit_tiers = "two=2/3000000000 strict=1/3000000000";
	s.recipes.rate_limit_buckets = "login=two typo=tow strict=two";
	c = empty(&s);
	CHECK(is(tier(c, "login", "192.0.2.1", 1), "t 1 ok") &&
			  is(tier(c, "login", "192.0.2.2", 2), "t 0 ok") &&
			  is(tier(c, "login", "192.0.2.1", 2), "f 1 limit later") &&
			  is(tier(c, "login", "192.0.2.1", -1), "t 2 ok"),
		  "a bucket's tier, for each id");
	CHECK(is(tier(c, "two", "192.0.2.1", 1), "t 1 ok") && is(tier(c, "strict", "x", 1), "t 1 ok"),
		  "a tier's own name, and a bucket's before it");
	CHECK(is(LIMIT(c, "redis_rate_limit_peek", TEXT("strict:x"), INT(2), LONG), "t 1 ok") &&
			  is(CALL(c, "redis_rate_limit_override", TEXT("strict:x"), INT(7)), "1") &&
			  is(tier(c, "strict", "x", 1), "t 5 ok"),
		  "the key is bucket:id");
	CHECK(has(tier(c, "typo", "x", 1), "has the tier \"tow\", which does not exist"),
		  "no such tier");
	sr_client_free(c);
}

/* ---- when Redis cannot count ---- */

static const char nowhere[] = "redis://127.0.0.1:1";

static sr_client *with_mode(const char *url, sr_unasked mode)
{
	sr_settings s = settings(url);

	s.recipes.rate_limit_on_error = mode;
	return client(&s);
}

static void test_modes(void)
{
	sr_client *open = with_mode(nowhere, SR_UNASKED_OPEN);
	sr_client *closed = with_mode(nowhere, SR_UNASKED_CLOSED);
	sr_client *error = with_mode(nowhere, SR_UNASKED_ERROR);

	CHECK(is(take(open, "fixed", 1), "t ~ fail_open") && is(peek(open, "gcra"), "t ~ fail_open") &&
			  is(tier(open, "strict", "a", 1), "t ~ fail_open") &&
			  is(CALL(open, "redis_allow", TEXT("k"), INT(1), LONG), "1"),
		  "open");
	CHECK(is(take(closed, "fixed", 1), "f ~ fail_closed") &&
			  is(peek(closed, "gcra"), "f ~ fail_closed") &&
			  is(tier(closed, "strict", "a", 1), "f ~ fail_closed") &&
			  is(CALL(closed, "redis_allow", TEXT("k"), INT(1), LONG), "0"),
		  "closed");
	CHECK(has(take(error, "fixed", 1), ": ") && has(peek(error, "gcra"), ": ") &&
			  has(CALL(error, "redis_allow", TEXT("k"), INT(1), LONG), ": "),
		  "error");
	sr_client_free(open);
	sr_client_free(closed);
	sr_client_free(error);
}

static void test_away(void)
{
	redis	   *r = redis_start(NULL);
	sr_settings s;
	sr_client  *c;

	if (!CHECK(r != NULL, "a server of its own"))
		return;
	s = settings(redis_url(r));
	c = client(&s);
	CHECK(is(take(c, "sliding", 1), "t 2 ok") && state.logged == 0, "while it is there");
	redis_stop(r);
	CHECK(is(take(c, "sliding", 1), "t ~ fail_open") && is(take(c, "gcra", 1), "t ~ fail_open") &&
			  state.logged == 1,
		  "a warning");
	CHECK(has(CALL(c, "redis_rate_limit_reset", TEXT("k")), "connection: "), "a reset is an error");
	test_modes();
	state.logged = 0;
	s.url = server;
	CHECK(sr_client_configure(c, &s, NULL) && is(peek(c, "sliding"), "t 3 ok"), "back again");
	s.url = nowhere;
	CHECK(sr_client_configure(c, &s, NULL) && is(take(c, "sliding", 1), "t ~ fail_open") &&
			  is(take(c, "sliding", 1), "t ~ fail_open") && state.logged == 1,
		  "the next outage, once more");
	sr_client_free(c);
}

/* It answers, but cannot count. */
static void test_unable(void)
{
	redis	  *r = redis_start(NULL);
	sr_client *c = r != NULL ? with_mode(redis_url(r), SR_UNASKED_OPEN) : NULL, *closed;

	if (!CHECK(c != NULL, "a server of its own"))
		return;
	ask(c, "CONFIG SET maxmemory 1");
	CHECK(is(take(c, "sliding", 1), "t ~ fail_open"), "a full one");
	CHECK(is(peek(c, "sliding"), "t 3 ok") && is(take(c, "sliding", 1), "t ~ fail_open") &&
			  state.logged == 1,
		  "which answers a look, and warns no more for that");
	closed = with_mode(redis_url(r), SR_UNASKED_CLOSED);
	CHECK(is(take(closed, "sliding", 1), "f ~ fail_closed"), "closed");
	sr_client_free(closed);
	ask(c, "CONFIG SET maxmemory 0");
	CHECK(is(take(c, "sliding", 1), "t 2 ok"), "room again");
	ask(c, "REPLICAOF 127.0.0.1 1");
	CHECK(is(take(c, "sliding", 1), "t ~ fail_open"), "a replica");
	CHECK(is(LIMIT(c, "redis_rate_limit_peek", TEXT("j"), INT(3), LONG), "t 3 ok"),
		  "may be looked at");
	sr_client_free(c);
	redis_stop(r);
}

/* What is no outage is an error. */
static void test_errors(void)
{
	sr_settings s = settings(NULL);
	sr_client  *c = client(&s);

	CHECK(has(take(c, "sliding", 1), "no Redis URL is set"), "not configured");
	sr_client_free(c);
	c = empty(NULL);
	peek(c, "sliding");
	state.interrupt = 0;
	CHECK(has(take(c, "sliding", 1), "interrupted"), "interrupted");
	state.interrupt = -1;
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	for (size_t i = 0; i < ALGORITHMS; i++)
		test_counting(algorithms[i]);
	test_changes();
	test_arguments();
	test_override();
	test_keys();
	test_tiers_check();
	test_tiers();
	test_away();
	test_unable();
	test_errors();
	return test_result();
}
