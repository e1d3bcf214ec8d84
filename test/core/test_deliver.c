/*
 * test_deliver.c - how each kind of effect reaches the Redis that SR_TEST_URL or REDIS_URL names.
 */
#include "client.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_entries(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("user:%d", 3);
	sr_flush_result r;

	ask(c, "FLUSHALL");
	ask(c, "MSET user:1 a user:1:sqlredis{user:1} b {x}:2 c {x}:2:sqlredis d");
	sr_inval_push(q, "{x}:2", 5, 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 4, 0, 0) && is(ask(c, "KEYS *"), "[]"), "an entry goes with its key");
	sr_inval_free(q);
	sr_client_free(c);
}

/* A user who may touch plain keys, but not their entries. */
static void test_refused_entries(void)
{
	sr_settings		s = settings(server);
	sr_client	   *admin = client(&s);
	sr_client	   *c;
	sr_inval	   *q = queue("user:%d", 9);
	char			url[256];
	sr_flush_result r;

	ask(admin, "FLUSHALL");
	ask(admin, "ACL SETUSER tconn on >pw ~user:? +@all");
	ask(admin, "MSET user:1 a user:8 b user:8:sqlredis{user:8} c");
	snprintf(url, sizeof(url), "redis://tconn:pw@%s",
			 strrchr(server, '@') != NULL ? strrchr(server, '@') + 1 : strstr(server, "://") + 3);
	s.url = url;
	c = client(&s);
	ask(c, "PING");
	state.logged = 0;
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 9, 0, 0) && r.err.cls == SR_OK && state.logged == 1,
		  "entries that may not be touched are warned about");
	CHECK(is(ask(admin, "KEYS *"), "[\"user:8:sqlredis{user:8}\"]"), "and their keys are gone");
	sr_inval_push(q, "user:1", 6, 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 1, 0, 0) && state.logged == 1, "once a connection");
	ask(admin, "ACL DELUSER tconn");
	sr_client_free(c);
	sr_client_free(admin);
	sr_inval_free(q);
}

static void test_commands(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("k", 1);
	sr_inval	   *copy = sr_inval_new();
	sr_buf			packed = {0};
	size_t			at = 0;
	sr_flush_result r;
	sr_err			err;

	ask(c, "FLUSHALL");
	ask(c, "MSET k old n 1");
	push_command(q, "INCR n");
	push_command(q, "APPEND k new");
	sr_inval_push(q, "n", 1, 1);
	push_command(q, "INCRBY n 7");
	sr_effects_pack(q, &at, SIZE_MAX, &packed);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 4, 0, 0) && is(ask(c, "MGET k n"), "[\"new\",\"7\"]"),
		  "keys and commands in their order");
	sr_effects_unpack(copy, packed.data, packed.len, &err);
	sr_flush(c, copy, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 4, 0, 0) && is(ask(c, "MGET k n"), "[null,null]"),
		  "a repeat deletes the keys again and runs no command");
	CHECK(sr_client_stats(c)->commands_sent == 3 && sr_client_stats(c)->commands_failed == 0 &&
			  sr_client_stats(c)->invalidations_sent == 4,
		  "counted once");
	push_command(q, "SET text x");
	push_command(q, "INCR text");
	push_command(q, "LPUSH text y");
	push_command(q, "SET after 1");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 0, 1) && r.err.cls == SR_E_REPLY &&
			  has(r.err.msg, "INCR, queued for the commit, failed: ERR value is not an integer") &&
			  has(r.err.msg, ", and 1 more failed"),
		  "commands that Redis refuses are told of");
	CHECK(is(ask(c, "GET after"), "\"1\"") && sr_client_stats(c)->commands_failed == 2,
		  "and hold nothing back");
	sr_buf_free(&packed);
	sr_inval_free(q);
	sr_inval_free(copy);
	sr_client_free(c);
}

/* The answer is lost when Redis has the commands: they are owed still, and run once. */
static void test_lost_reply(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("k", 1);
	sr_flush_result r;

	ask(c, "FLUSHALL");
	for (int n = 0; n < 20; n++)
	{
		ask(c, "SET k 1");
		push_command(q, "INCR n");
		sr_inval_push(q, "k", 1, 1);
		state.interrupt = n % 3;
		sr_flush(c, q, SR_FLUSH_COMMIT, &r);
		if (r.err.cls != SR_E_INTERRUPTED && r.kept > 0)
			printf("# %s\n", r.err.msg);
		state.interrupt = -1;
		sr_flush(c, NULL, 0, &r);
	}
	CHECK(is(ask(c, "MGET n k"), "[\"20\",null]") && sr_client_backlog(c) == 0,
		  "commands whose answer is lost are sent again and run once");
	sr_inval_free(q);
	sr_client_free(c);
}

/* Any bytes, and as many words as a command may have. */
static void test_large_command(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	const char	   *argv[SR_COMMAND_ARGS];
	size_t			lengths[SR_COMMAND_ARGS];
	sr_argv			cmd = {SR_COMMAND_ARGS, argv, lengths};
	sr_flush_result r;

	ask(c, "FLUSHALL");
	for (int i = 0; i < SR_COMMAND_ARGS; i++)
	{
		argv[i] = i == 0 ? "RPUSH" : i == 1 ? "list" : i == 2 ? "\0\r\n\xFF" : "x";
		lengths[i] = i == 2 ? 4 : strlen(argv[i]);
	}
	sr_inval_push_command(q, &cmd, 1);
	push_command(q, "STRLEN list");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 1, 0, 1) && has(r.err.msg, "STRLEN, queued"), "as many words as it may have");
	CHECK(is(ask(c, "LLEN list"), "6998") &&
			  is(ask(c, "EVAL return(#redis.call('lindex','list',0)) 0"), "4"),
		  "of any bytes");
	sr_inval_free(q);
	sr_client_free(c);
}

/* What stands behind commands that could not be done is not done either. */
static void test_command_order(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("early", 1);
	sr_flush_result r;

	ask(c, "FLUSHALL");
	ask(c, "CONFIG SET maxmemory-policy noeviction");
	ask(c, "MSET early 1 late 1");
	push_command(q, "SET late 2");
	sr_inval_push(q, "late", 4, 1);
	push_command(q, "SET last 3");
	ask(c, "CONFIG SET maxmemory 1");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 1, 3, 0) && r.err.cls == SR_E_MEMORY && is(ask(c, "GET early"), "null"),
		  "a full Redis runs no command: it and what follows is kept");
	ask(c, "CONFIG SET maxmemory 0");
	ask(c, "SET late again");
	sr_flush(c, NULL, 0, &r);
	CHECK(flushed(&r, 3, 0, 0) && is(ask(c, "MGET late last"), "[null,\"3\"]"),
		  "and delivered in its order");
	sr_inval_free(q);
	sr_client_free(c);
}

static void test_refused_script(void)
{
	sr_settings		s = settings(server);
	sr_client	   *admin = client(&s);
	sr_client	   *c;
	sr_inval	   *q = queue("k", 1);
	char			url[256];
	sr_flush_result r;

	ask(admin, "ACL SETUSER tconn on >pw ~* +@all -eval");
	snprintf(url, sizeof(url), "redis://tconn:pw@%s",
			 strrchr(server, '@') != NULL ? strrchr(server, '@') + 1 : strstr(server, "://") + 3);
	s.url = url;
	c = client(&s);
	ask(c, "PING");
	push_command(q, "SET a 1");
	push_command(q, "SET b 1");
	push_effect(q, SR_EFFECT_TAG, "t1");
	push_effect(q, SR_EFFECT_TAG, "t2");
	sr_inval_push(q, "k", 1, 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 2, 0, 3) && r.err.cls == SR_E_PERMISSION &&
			  sr_client_stats(c)->commands_failed == 2,
		  "a user without scripts loses what needs them, and hears of it");
	ask(admin, "ACL DELUSER tconn");
	sr_client_free(c);
	sr_client_free(admin);
	sr_inval_free(q);
}

static long long as_number(const char *json)
{
	return strtoll(json + (*json == '"'), NULL, 10);
}

static void test_tags(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;
	long long		first, ttl;
	char			tag[64];

	ask(c, "FLUSHALL");
	ask(c, "SET t:old 9000000000000000 PX 900000");
	ask(c, "SET t:forever 5");
	ask(c, "RPUSH t:list x");
	push_effect(q, SR_EFFECT_TAG, "t:new");
	push_effect(q, SR_EFFECT_TAG, "t:old");
	push_effect(q, SR_EFFECT_TAG, "t:forever");
	push_effect(q, SR_EFFECT_TAG, "t:list");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 4, 0, 0), "tags");
	first = as_number(ask(c, "GET t:new"));
	ttl = as_number(ask(c, "PTTL t:new"));
	CHECK(first > 1600000000000000 && ttl > 50000 && ttl <= 60000,
		  "a version is Redis's time, and outlives every lease");
	ttl = as_number(ask(c, "PTTL t:old"));
	CHECK(is(ask(c, "GET t:old"), "\"9000000000000001\"") && ttl > 800000,
		  "it never goes back, nor its time to live");
	CHECK(is(ask(c, "PTTL t:forever"), "-1") && as_number(ask(c, "GET t:forever")) > 5,
		  "which may be for ever");
	CHECK(is(ask(c, "TYPE t:list"), "\"string\""), "a record that is none is replaced");
	ask(c, "CONFIG SET maxmemory 1");
	push_effect(q, SR_EFFECT_TAG, "t:new");
	push_effect(q, SR_EFFECT_TAG, "t:old");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 0, 2, 0) && r.err.cls == SR_E_MEMORY && is(ask(c, "EXISTS t:new"), "0"),
		  "a full Redis: entries are void, leases are seen to later");
	ask(c, "CONFIG SET maxmemory 0");
	sr_flush(c, NULL, 0, &r);
	CHECK(flushed(&r, 2, 0, 0) && as_number(ask(c, "GET t:new")) > first, "when there is room");
	for (int i = 0; i < 10000; i++)
	{
		snprintf(tag, sizeof(tag), "t:%d", i);
		push_effect(q, SR_EFFECT_TAG, tag);
	}
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 10000, 0, 0) && as_number(ask(c, "GET t:9999")) > first, "ten thousand");
	sr_inval_free(q);
	sr_client_free(c);
}

static void test_patterns(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;

	ask(c, "FLUSHALL");
	ask(c, "EVAL for\ti=1,5000\tdo\tredis.call('set','p:'..i,i)end 0");
	ask(c, "MSET p:x:sqlredis{p:x} 1 q:1 1 q:1:sqlredis{q:1} 1 q:22 1 q:22:sqlredis{q:22} 1");
	ask(c, "MSET [a] 1 [a]:sqlredis{[a]} 1 w\\ 1 w\\:sqlredis{w\\} 1");
	push_effect(q, SR_EFFECT_PATTERN, "p:*");
	push_effect(q, SR_EFFECT_PATTERN, "q:?");
	sr_flush(c, q, 0, &r);
	CHECK(flushed(&r, 2, 0, 0) && is(ask(c, "DBSIZE"), "6"), "keys that match, and their entries");
	CHECK(is(ask(c, "EXISTS q:22 q:22:sqlredis{q:22} q:1 q:1:sqlredis{q:1}"), "2"), "and no other");
	push_effect(q, SR_EFFECT_PATTERN, "\\[[a");
	push_effect(q, SR_EFFECT_PATTERN, "w\\");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 2, 0, 0) && is(ask(c, "EXISTS w\\ w\\:sqlredis{w\\}"), "0"),
		  "patterns that end in the middle");
	ask(c, "FLUSHALL");
	ask(c, "MSET a] 1 a]:sqlredis{a]} 1 a 1 a:sqlredis{a} 1");
	push_effect(q, SR_EFFECT_PATTERN, "[ab");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 1, 0, 0) && is(ask(c, "DBSIZE"), "2"), "a class without an end");
	ask(c, "FLUSHALL");
	ask(c, "MSET ka 1 ka:sqlredis{ka} 1 - 1 -:sqlredis{-} 1 s 1 : 1");
	ask(c, "MSET c^ 1 c^:sqlredis{c^} 1");
	push_effect(q, SR_EFFECT_PATTERN, "k[a-]*"); /* from a to ], and no end */
	push_effect(q, SR_EFFECT_PATTERN, "[+-");
	push_effect(q, SR_EFFECT_PATTERN, "c[^-]");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 3, 0, 0) && is(ask(c, "DBSIZE"), "2") && is(ask(c, "EXISTS s :"), "2"),
		  "a range that takes in what looks like its end");
	ask(c, "FLUSHALL");
	ask(c, "MSET z:1 1 y 1");
	push_effect(q, SR_EFFECT_PATTERN, "z:*");
	push_command(q, "SET z:1 2");
	sr_inval_push(q, "y", 1, 1);
	sr_flush(c, q, SR_FLUSH_LEAVE | SR_FLUSH_NO_PATTERNS, &r);
	CHECK(flushed(&r, 0, 3, 0) && sr_client_backlog(c) == 0 && is(ask(c, "GET z:1"), "\"1\""),
		  "commands wait for a pattern that somebody else will see to");
	push_effect(q, SR_EFFECT_PATTERN, "z:*");
	sr_inval_push(q, "y", 1, 1);
	sr_flush(c, q, SR_FLUSH_LEAVE | SR_FLUSH_NO_PATTERNS, &r);
	CHECK(flushed(&r, 1, 1, 0) && is(ask(c, "MGET z:1 y"), "[\"1\",null]"), "keys do not");
	sr_inval_free(q);
	sr_client_free(c);
}

/* Redis says what it thinks of a key that is too large for it, and closes the connection. */
static void test_large_keys(void)
{
	static char		key[1200 * 1024];
	sr_settings		s = settings(server);
	sr_client	   *admin = client(&s);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("a", 1);
	sr_flush_result r;

	memset(key, 'k', sizeof(key));
	ask(admin, "CONFIG SET proto-max-bulk-len 1048576");
	sr_inval_push(q, key, 700 * 1024, 1);
	sr_inval_push(q, "b", 1, 1);
	sr_flush(c, q, 0, &r);
	CHECK(flushed(&r, 3, 0, 0), "a key whose entry is too large to be there");
	ask(admin, "MSET a 1 b 1");
	sr_inval_push(q, "a", 1, 1);
	sr_inval_push(q, key, sizeof(key), 1);
	sr_inval_push(q, "b", 1, 1);
	sr_flush(c, q, 0, &r);
	CHECK(flushed(&r, 2, 0, 1) && r.err.cls == SR_E_SIZE && is(ask(admin, "EXISTS a b"), "0"),
		  "one that is itself");
	ask(admin, "CONFIG SET proto-max-bulk-len 536870912");
	sr_inval_free(q);
	sr_client_free(admin);
	sr_client_free(c);
}

/* What keeps commands from running twice and fills under a tag in order is nobody's to delete. */
static void test_pattern_of_all(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	sr_inval	   *copy = sr_inval_new();
	sr_buf			packed = {0};
	size_t			at = 0;
	sr_flush_result r;

	ask(c, "FLUSHALL");
	ask(c, "MSET a 1 a:sqlredis{a} 1");
	push_effect(q, SR_EFFECT_TAG, "sqlredis:tag:red");
	push_effect(q, SR_EFFECT_TAG, "p:sqlredis:tag:red");
	push_command(q, "INCR kept");
	push_effect(q, SR_EFFECT_PATTERN, "[^k]*");
	sr_effects_pack(q, &at, SIZE_MAX, &packed);
	sr_flush(c, q, 0, &r);
	CHECK(flushed(&r, 4, 0, 0) && is(ask(c, "EXISTS a a:sqlredis{a}"), "0"), "every key");
	CHECK(is(ask(c, "EXISTS sqlredis:tag:red p:sqlredis:tag:red"), "2") &&
			  is(ask(c, "DBSIZE"), "4"),
		  "but not what sqlredis itself remembers");
	sr_effects_unpack(copy, packed.data, packed.len, NULL);
	sr_flush(c, copy, 0, &r);
	CHECK(flushed(&r, 4, 0, 0) && is(ask(c, "GET kept"), "\"1\""),
		  "so that a repeat runs no command");
	sr_buf_free(&packed);
	sr_inval_free(q);
	sr_inval_free(copy);
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_entries();
	test_refused_entries();
	test_commands();
	test_lost_reply();
	test_large_command();
	test_command_order();
	test_refused_script();
	test_tags();
	test_patterns();
	test_pattern_of_all();
	test_large_keys();
	return test_result();
}
