/*
 * test_session.c - sessions, against the Redis that SR_TEST_URL or REDIS_URL names.
 */
#include "scalar.h"
#include "test.h"

#include <stdlib.h>

static bool lives(sr_client *c, const char *key, long long least, long long most)
{
	char	  words[64];
	long long ms;

	snprintf(words, sizeof words, "PTTL %s", key);
	ms = strtoll(ask(c, words), NULL, 10);
	if (ms < least || ms > most)
		printf("# %lld ms\n", ms);
	return ms >= least && ms <= most;
}

static void test_sessions(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	sr_err		err;

	CHECK(is(CALL(c, "redis_session_get", TEXT("a")), "~") &&
			  is(CALL(c, "redis_session_destroy", TEXT("a")), "0"),
		  "there is none");
	CHECK(
		is(CALL(c, "redis_session_set", TEXT("a"), TEXT(" {\"n\": 1.10, \"s\": \"\\u0000\\n\"} ")),
		   "1") &&
			is(CALL(c, "redis_session_get", TEXT("a")), " {\"n\": 1.10, \"s\": \"\\u0000\\n\"} "),
		"a document comes back as it was written");
	CHECK(lives(c, "session:a", 86000000, 86400000), "for a day");
	CHECK(is(CALL(c, "redis_session_get", TEXT("a"), FLOAT(100)), last_scalar()) &&
			  lives(c, "session:a", 50000, 100000),
		  "or from now on");
	CALL(c, "redis_session_set", TEXT("a"), TEXT("[]"), INT(5));
	CHECK(lives(c, "session:a", 1, 5000) && is(CALL(c, "redis_session_get", TEXT("a")), "[]") &&
			  lives(c, "session:a", 1, 5000),
		  "as long as was asked for, and reading it changes nothing");
	CHECK(is(CALL(c, "redis_session_destroy", TEXT("a")), "1") && is(ask(c, "DBSIZE"), "0"),
		  "and ends");
	CALL(c, "redis_session_set", TEXT("a"), TEXT("123456789012345678901234567890"));
	CHECK(is(CALL(c, "redis_session_get", TEXT("a")), "123456789012345678901234567890"),
		  "any JSON");
	CHECK(has(CALL(c, "redis_session_set", TEXT("a"), TEXT("{")), "invalid: data must be JSON: ") &&
			  has(CALL(c, "redis_session_set", TEXT("a"), TEXT("")),
				  "invalid: data must be JSON: ") &&
			  has(CALL(c, "redis_session_set", TEXT("a"), TEXT("{} {}")),
				  "invalid: data must be JSON: ") &&
			  has(CALL(c, "redis_session_set", TEXT("a"), TEXT("\"\xFF\"")),
				  "invalid: data must be JSON: ") &&
			  has(CALL(c, "redis_session_set", TEXT("a"), INT(5)), "invalid: data must be JSON"),
		  "and nothing else");
	CHECK(has(CALL(c, "redis_session_set", TEXT("a"), TEXT("{}"), INT(0)),
			  "ttl must be more than 0") &&
			  has(CALL(c, "redis_session_get", TEXT("a"), INT(-1)), "ttl must be more than 0") &&
			  is(CALL(c, "redis_session_get", TEXT("a")), "123456789012345678901234567890"),
		  "a time that is none");
	ask(c, "SET session:b plain");
	CHECK(has(CALL(c, "redis_session_get", TEXT("b")),
			  "encoding: what is stored as the session is not JSON"),
		  "what is no JSON is not given out as such");
	ask(c, "LPUSH session:c x");
	CHECK(has(CALL(c, "redis_session_get", TEXT("c")), "wrong type") &&
			  has(CALL(c, "redis_session_get", TEXT("c"), INT(5)), "wrong type"),
		  "a key that is no string");
	s.key_prefix = "app:";
	s.recipes.session_prefix = "login:";
	sr_client_configure(c, &s, &err);
	CALL(c, "redis_session_set", TEXT("a"), TEXT("{}"));
	CHECK(is(ask(c, "GET app:login:a"), "\"{}\""), "prefixes");
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_sessions();
	return test_result();
}
