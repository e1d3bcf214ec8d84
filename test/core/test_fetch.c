/*
 * test_fetch.c - the values of many keys, from the Redis that SR_TEST_URL or REDIS_URL names (it may be
 * flushed), and from a server that refuses to answer for many at once.
 */
#include "command.h"
#include "peer.h"
#include "rowset.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static sr_settings options;

static bool add(sr_fetch *f, const char *key)
{
	return sr_fetch_add(f, key, key != NULL ? strlen(key) : 0, NULL);
}

/* Is the i-th key's value text (NULL: none)? */
static bool value_is(sr_fetch *f, size_t i, const char *text)
{
	const sr_value *v = sr_fetch_value(f, i, NULL);

	if (text == NULL || v->type == SR_TYPE_NULL)
		return text == NULL && v->type == SR_TYPE_NULL;
	return v->len == strlen(text) && memcmp(v->data, text, v->len) == 0;
}

static void test_round(sr_client *c)
{
	sr_fetch *f = sr_fetch_new(c);
	sr_err	  err = {0};
	uint64_t  before = sent(c);

	sr_fetch_begin(f);
	CHECK(sr_fetch_run(f, &err), "no keys");
	CHECK(add(f, NULL) && sr_fetch_run(f, &err) && value_is(f, 0, NULL) && sent(c) == before,
		  "only a NULL: nothing is sent");
	lua(c, "redis.call('MSET', 'a', '1', 'b', '', 'bin\\0ary', 'x\\255\\0y') "
		   "redis.call('LPUSH', 'list', '1')");
	sr_fetch_begin(f);
	CHECK(add(f, "b") && add(f, NULL) && add(f, "none") && add(f, "list") && add(f, "a") &&
			  add(f, "a") && sr_fetch_add(f, "bin\0ary", 7, &err) && add(f, ""),
		  "keys");
	before = sent(c);
	CHECK(sr_fetch_run(f, &err) && sent(c) == before + 1, "one command");
	CHECK(value_is(f, 0, "") && value_is(f, 1, NULL) && value_is(f, 2, NULL) &&
			  value_is(f, 3, NULL) && value_is(f, 4, "1") && value_is(f, 5, "1") &&
			  value_is(f, 7, NULL),
		  "each its own value");
	CHECK(sr_fetch_value(f, 6, NULL)->len == 4 &&
			  memcmp(sr_fetch_value(f, 6, NULL)->data, "x\xff\0y", 4) == 0,
		  "bytes");
	CHECK(sr_fetch_key(f, 4)->len == 1 && *sr_fetch_key(f, 4)->data == 'a' &&
			  sr_fetch_key(f, 1)->type == SR_TYPE_NULL,
		  "and its key");
	sr_fetch_free(f);
}

/* Random keys, some of them there, against what was written. */
static void test_random(sr_client *c)
{
	unsigned  seed = (unsigned) time(NULL);
	sr_fetch *f = sr_fetch_new(c);
	sr_err	  err = {0};
	size_t	  wrong = 0;

	printf("# seed %u\n", seed);
	srand(seed);
	lua(c, "for i = 0, 9999, 3 do redis.call('SET', 'key:' .. i, 'value ' .. i) end");
	for (int round = 0; round < 8; round++)
	{
		size_t count = (size_t) rand() % 9000;
		int	  *ids = calloc(count + 1, sizeof(*ids));
		char   key[32], value[32];

		sr_fetch_begin(f);
		for (size_t i = 0; i < count; i++)
		{
			ids[i] = rand() % 11000 - 1000;
			snprintf(key, sizeof(key), "key:%d", ids[i]);
			wrong += !add(f, ids[i] < -900 ? NULL : key);
		}
		wrong += !sr_fetch_run(f, &err);
		for (size_t i = 0; i < count; i++)
		{
			bool there = ids[i] >= 0 && ids[i] < 10000 && ids[i] % 3 == 0;

			snprintf(value, sizeof(value), "value %d", ids[i]);
			snprintf(key, sizeof(key), "key:%d", ids[i]);
			wrong += sr_fetch_key(f, i)->type != SR_TYPE_NULL &&
					 memcmp(sr_fetch_key(f, i)->data, key, strlen(key)) != 0;
			wrong += !value_is(f, i, there ? value : NULL);
		}
		free(ids);
	}
	CHECK(wrong == 0, "every key its own value");
	sr_fetch_free(f);
}

static void run_round(sr_fetch *f, const char *key)
{
	size_t room = sr_fetch_room(f);

	sr_fetch_begin(f);
	for (size_t i = 0; i < room; i++)
		add(f, key);
	sr_fetch_run(f, NULL);
}

static void test_room(sr_client *c)
{
	sr_fetch *f = sr_fetch_new(c);
	size_t	  first = sr_fetch_room(f);

	lua(c, "redis.call('SET', 'small', '1') redis.call('SET', 'large', string.rep('x', 100000)) "
		   "redis.call('SET', 'huge', string.rep('x', 5000000))");
	run_round(f, "small");
	CHECK(sr_fetch_room(f) == 2 * first, "small values: the next round is larger");
	for (int i = 0; i < 10; i++)
		run_round(f, "small");
	CHECK(sr_fetch_room(f) == 4096, "up to 4096 keys");
	sr_fetch_begin(f);
	for (int i = 0; i < 100; i++)
		add(f, "large");
	sr_fetch_run(f, NULL);
	CHECK(sr_fetch_room(f) == 41, "large values: about 4 MB of them");
	run_round(f, "huge");
	CHECK(sr_fetch_room(f) == 1, "at least one");
	run_round(f, "huge");
	CHECK(sr_fetch_value(f, 0, NULL)->len == 5000000, "however large");
	sr_fetch_free(f);
}

/* Values that are suddenly much larger than all before: 400 MB in one round. */
static void test_sudden(sr_client *c)
{
	sr_fetch *f = sr_fetch_new(c);
	size_t	  before, most = 0, wrong = 0;

	lua(c, "redis.call('SET', 'small', '1') redis.call('SET', 'large', string.rep('x', 100000))"
		   "redis.call('SET', 'other', string.rep('y', 100000))");
	while (sr_fetch_room(f) < 4096)
		run_round(f, "small");
	before = allocated();
	sr_fetch_begin(f);
	for (int i = 0; i < 4096; i++)
		add(f, i % 7 == 0 ? NULL : i % 2 == 0 ? "large" : "other");
	wrong += !sr_fetch_run(f, NULL);
	for (size_t i = 0; i < 4096; i++)
	{
		const sr_value *v = sr_fetch_value(f, i, NULL);

		if (i % 7 == 0)
			wrong += v->type != SR_TYPE_NULL;
		else
			wrong += v->len != 100000 || v->data[i] != (i % 2 == 0 ? 'x' : 'y');
		if (allocated() - before > most)
			most = allocated() - before;
	}
	printf("# %zu kB at a time\n", most / 1024);
	CHECK(wrong == 0, "each its own value");
	CHECK(most < (size_t) 48 << 20, "in bounded memory");
	sr_fetch_free(f);
}

/* Each is below max_reply, but together they are not. */
static void test_max_reply(sr_client *c)
{
	sr_fetch *f;
	size_t	  wrong = 0;
	sr_err	  err = {0};

	options.max_reply = 150000;
	sr_client_configure(c, &options, NULL);
	f = sr_fetch_new(c);
	sr_fetch_begin(f);
	for (int i = 0; i < 100; i++)
		add(f, i % 3 == 0 ? "small" : "large");
	wrong += !sr_fetch_run(f, &err);
	for (size_t i = 0; i < 100; i++)
		wrong += sr_fetch_value(f, i, &err) == NULL ||
				 sr_fetch_value(f, i, NULL)->len != (size_t) (i % 3 == 0 ? 1 : 100000);
	CHECK(wrong == 0, "values that are too much for one reply");
	ask(c, "SETRANGE large 200000 x");
	CHECK(has(ROWS(c, "redis_mget", TEXT("small"), TEXT("large")), "small|1 too large: "),
		  "a value that is too much by itself");
	sr_fetch_free(f);
	options.max_reply = settings(server).max_reply;
	sr_client_configure(c, &options, NULL);
}

static void test_prefix(sr_client *c)
{
	options.key_prefix = "p:";
	sr_client_configure(c, &options, NULL);
	ask(c, "SET p:a 1");
	CHECK(is(ROWS(c, "redis_mget", TEXT("a"), TEXT("p:a")), "a|1,p:a|~"), "a key prefix");
	options.key_prefix = NULL;
	sr_client_configure(c, &options, NULL);
}

static void test_lost(sr_client *c)
{
	sr_stats before = *sr_client_stats(c);

	ask(c, "SET a 1");
	kill_others();
	CHECK(is(ROWS(c, "redis_mget", TEXT("a")), "a|1"), "a read is sent again");
	CHECK(sr_client_stats(c)->reads_hit == before.reads_hit + 1 &&
			  sr_client_stats(c)->reconnects > before.reconnects,
		  "and counted once");
}

/* A user who may GET but not MGET, and only some keys. */
static void test_acl(sr_client *c)
{
	sr_client *u;

	ask(c, "SET ok:1 one");
	ask(c, "LPUSH ok:list x");
	ask(c, "ACL SETUSER reader on >secret ~ok:* +get +mget +select +client");
	ask(c, "ACL SETUSER slow on >secret ~ok:* +get +select +client");
	options.password = "secret";
	for (int slow = 0; slow < 2; slow++)
	{
		char		url[512];
		const char *at = strstr(server, "://");

		snprintf(url, sizeof(url), "%.*s://%s@%s", (int) (at - server), server,
				 slow ? "slow" : "reader", at + 3);
		options.url = url;
		u = client(&options);
		CHECK(is(ROWS(u, "redis_mget", TEXT("ok:1"), TEXT("ok:none"), NONE, TEXT("ok:list")),
				 "ok:1|one,ok:none|~,~|~,ok:list|~"),
			  slow ? "MGET is forbidden: key by key" : "MGET is allowed");
		CHECK(has(ROWS(u, "redis_mget", TEXT("ok:1"), TEXT("secret:1")), "permission: NOPERM"),
			  "a forbidden key");
		sr_client_free(u);
	}
	options = settings(server);
	ask(c, "ACL DELUSER reader slow");
}

static const char *cluster(void *ctx, const char *command)
{
	int *gets = ctx;

	if (strncmp(command, "MGET ", 5) == 0)
		return "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
	++*gets;
	if (strcmp(command, "GET list") == 0)
		return "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
	return strcmp(command, "GET a") == 0 ? "$1\r\n1\r\n" : "$-1\r\n";
}

static const char *nonsense(void *ctx, const char *command)
{
	(void) ctx;
	return strcmp(command, "MGET a b") == 0 ? "*1\r\n$1\r\n1\r\n" : "+OK\r\n";
}

static void test_peer(void)
{
	int			gets = 0;
	peer	   *p = peer_start(cluster, &gets);
	sr_settings s = settings(peer_url(p));
	sr_client  *c = client(&s);

	CHECK(is(ROWS(c, "redis_mget", TEXT("a"), TEXT("list"), NONE, TEXT("b"), TEXT("a")),
			 "a|1,list|~,~|~,b|~,a|1"),
		  "keys of different slots: key by key");
	CHECK(gets == 4, "each once");
	sr_client_free(c);
	peer_stop(p);
	p = peer_start(nonsense, NULL);
	s = settings(peer_url(p));
	c = client(&s);
	CHECK(has(ROWS(c, "redis_mget", TEXT("a"), TEXT("b")), "protocol: unexpected type of reply"),
		  "too few values");
	CHECK(has(ROWS(c, "redis_mget", TEXT("a")), "protocol: unexpected type of reply"), "none");
	sr_client_free(c);
	peer_stop(p);
}

static void test_json_keys(sr_client *c)
{
	uint64_t before = sent(c);

	CHECK(is(ROWS(c, "redis_mget_json", TEXT("[]")), "") &&
			  is(row_text(c, "redis_mget", 0, NULL), "") &&
			  is(ROWS(c, "redis_mget_json", NONE), ""),
		  "no keys, no rows");
	CHECK(has(ROWS(c, "redis_mget_json", TEXT("[\"a\", true]")),
			  "invalid: keys: element 2 is neither a string nor a number"),
		  "true is no key");
	CHECK(has(ROWS(c, "redis_mget_json", TEXT("[[\"a\"]]")), "element 1 is neither"),
		  "an array is no key");
	CHECK(has(ROWS(c, "redis_mget_json", TEXT("\"a\"")), "keys must be a JSON array"),
		  "a string is no array");
	CHECK(sent(c) == before, "nothing was sent");
	lua(c, "redis.call('MSET', 'a', '1', '12', 'twelve', '\"', 'quote')");
	CHECK(is(ROWS(c, "redis_mget_json", TEXT("[\"a\", 12, null, \"\\\"\", \"none\"]")),
			 "a|1,12|twelve,~|~,\"|quote,none|~"),
		  "strings, numbers, null");
}

/* A hundred thousand keys: all their values, and never many of them at once. */
static void test_memory(sr_client *c)
{
	sr_buf			list = {0};
	sr_rows		   *rows;
	sr_err			err = {0};
	const sr_value *cells;
	size_t			before, most = 0;
	long			n = 0;

	lua(c, "for i = 0, 999 do redis.call('SET', 'k' .. i, string.rep('x', 1000)) end");
	for (int i = 0; i < 100000; i++)
		sr_buf_fmt(&list, "%c\"k%d\"", i == 0 ? '[' : ',', i % 1000);
	sr_buf_str(&list, "]");
	before = allocated();
	rows = OPEN(c, "redis_mget_json", &err,
				((sr_value){SR_TYPE_TEXT, .data = list.data, .len = list.len}));
	while (rows != NULL && sr_rows_next(rows, &cells, &err) > 0)
	{
		n += cells[1].len == 1000;
		if (n % 1000 == 0 && allocated() - before > most)
			most = allocated() - before;
	}
	sr_rows_close(rows);
	sr_buf_free(&list);
	printf("# 100 MB of values, %zu kB at a time\n", most / 1024);
	CHECK(n == 100000, "a hundred thousand keys");
	CHECK(most < (size_t) 16 << 20, "in bounded memory");
}

int main(void)
{
	sr_client *c;

	if (!find_server())
		return 1;
	c = fresh(&options);
	test_round(c);
	test_random(c);
	test_room(c);
	test_sudden(c);
	test_max_reply(c);
	test_prefix(c);
	test_lost(c);
	test_json_keys(c);
	test_memory(c);
	test_acl(c);
	test_peer();
	ask(c, "FLUSHDB");
	sr_client_free(c);
	return test_result();
}
