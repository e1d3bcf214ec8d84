/*
 * test_rows.c - rows of whole replies and of scans, against the Redis that SR_TEST_URL or REDIS_URL
 * names (it may be flushed).
 */
#include "command.h"
#include "rowset.h"
#include "test.h"

#include <stdio.h>

static sr_settings options;

static void test_nulls(sr_client *c)
{
	uint64_t before;

	lua(c, "redis.call('HSET', 'h', 'a', '1', 'b', '')");
	before = sent(c);
	CHECK(is(ROWS(c, "redis_hgetall", NONE), ""), "a NULL key: no rows");
	CHECK(is(ROWS(c, "redis_hscan", NONE, TEXT("*")), ""), "of a scan");
	CHECK(is(ROWS(c, "redis_lrange", NONE), "") && is(ROWS(c, "redis_xread", TEXT("s"), NONE), ""),
		  "of a range");
	CHECK(is(ROWS(c, "redis_sinter", TEXT("a"), NONE, TEXT("b")), ""), "a NULL among the keys");
	CHECK(is(row_text(c, "redis_sinter", 0, NULL), ""), "no keys at all");
	CHECK(is(ROWS(c, "redis_hmget", TEXT("h")), ""), "no fields at all");
	CHECK(is(ROWS(c, "redis_hmget", NONE, TEXT("a")), ""), "fields of a NULL key");
	CHECK(is(ROWS(c, "redis_hmget", TEXT("h"), NONE, NONE), "~|~,~|~"), "only NULL fields");
	CHECK(sent(c) == before, "nothing was sent");
	CHECK(is(ROWS(c, "redis_hmget", TEXT("h"), NONE, TEXT("b"), TEXT("none"), NONE, TEXT("a")),
			 "~|~,b|,none|~,~|~,a|1"),
		  "a NULL field has a row of NULLs in its place");
	CHECK(is(ROWS(c, "redis_hmget", TEXT("h"), TEXT("a"), TEXT("a")), "a|1,a|1"), "a field twice");
	CHECK(is(ROWS(c, "redis_hmget", TEXT("none"), TEXT("a")), "a|~"),
		  "of a hash that is not there");
	CHECK(sent(c) == before + 3, "one command each");
}

static void test_whole_replies(sr_client *c)
{
	lua(c, "redis.call('HSET', 'h', 'a', '1', 'b', '')"
		   "redis.call('SADD', 's', 'x') redis.call('SADD', 't', 'x', 'y')"
		   "redis.call('ZADD', 'z', '-inf', 'low', '0', 'zero', 0.1, 'tenth', 'inf', 'high')"
		   "redis.call('GEOADD', 'g', 13.361389, 38.115556, 'Palermo')"
		   "redis.call('GEOADD', 'g', 15.087269, 37.502669, 'Catania')");
	CHECK(is(ROWS(c, "redis_hgetall", TEXT("h")), "a|1,b|"), "pairs of a flat array");
	CHECK(is(ROWS(c, "redis_hkeys", TEXT("h")), "a,b"), "one column");
	CHECK(is(ROWS(c, "redis_hgetall", TEXT("none")), ""), "no such key");
	CHECK(is(ROWS(c, "redis_sinter", TEXT("s"), TEXT("t")), "x"), "several keys");
	CHECK(is(ROWS(c, "redis_zpopmin", TEXT("z"), INT(2)), "low|-inf,zero|0"), "-inf");
	CHECK(is(ROWS(c, "redis_zpopmax", TEXT("z")), "high|inf"), "inf");
	CHECK(is(ROWS(c, "redis_zpopmin", TEXT("z"), NONE), "tenth|0.1"), "a fraction");
	CHECK(is(ROWS(c, "redis_zpopmin", TEXT("z"), INT(0)), ""), "none asked for, none there");
	CHECK(is(ROWS(c, "redis_geosearch", TEXT("g"), FLOAT(15), FLOAT(37), FLOAT(200000)),
			 "Catania|56441.2579,Palermo|190442.4298"),
		  "an array of arrays");
	CHECK(has(ROWS(c, "redis_hgetall", TEXT("s")), "wrong type: WRONGTYPE"), "WRONGTYPE");
	CHECK(has(ROWS(c, "redis_hmget", TEXT("s"), TEXT("a")), "wrong type: WRONGTYPE"), "of HMGET");
	CHECK(has(ROWS(c, "redis_hscan", TEXT("s")), " wrong type: WRONGTYPE"), "of HSCAN");
	CHECK(has(ROWS(c, "redis_zpopmin", TEXT("z"), INT(-1)), "redis: ERR"), "an argument refused");
}

/* A reply of any shape, made by a script, as rows of two columns. */
static const char *shape(sr_client *c, const char *script, sr_type type)
{
	static char		text[200];
	sr_command		cmd = {.name = "shape",
						   .redis = "EVAL",
						   .args = {{"script", SR_ARG_TEXT, 0, NULL, NULL, NULL},
									{"keys", SR_ARG_INTEGER, 0, NULL, NULL, NULL}},
						   .shape = SR_SHAPE_ROWS,
						   .columns = {{"a", SR_TYPE_TEXT, 0}, {"b", type, 0}}};
	sr_value		args[] = {TEXT(script), INT(0)};
	sr_err			err = {0};
	sr_rows		   *rows = sr_rows_open(c, &cmd, 2, args, &err);
	const sr_value *cells;
	int				got = -1;
	size_t			used = 0;

	text[0] = '\0';
	while (rows != NULL && (got = sr_rows_next(rows, &cells, &err)) > 0)
		used += (size_t) snprintf(text + used, sizeof(text) - used, "%s|%g|%lld,",
								  cells[0].type == SR_TYPE_TEXT ? cells[0].data : "~", cells[1].d,
								  (long long) cells[1].i);
	if (got < 0)
		snprintf(text + used, sizeof(text) - used, "%s: %s", sr_class_word(err.cls), err.msg);
	sr_rows_close(rows);
	return text;
}

static void test_shapes(sr_client *c)
{
	CHECK(is(shape(c, "return {'x', '1.5'}", SR_TYPE_DOUBLE), "x|1.5|0,"), "a double");
	CHECK(is(shape(c, "return {'x', '-0'}", SR_TYPE_DOUBLE), "x|-0|0,"), "-0");
	CHECK(is(shape(c, "return {'x', 2}", SR_TYPE_DOUBLE), "x|2|0,"), "an integer as a double");
	CHECK(is(shape(c, "return {'x', '-9223372036854775808', 'y', 7}", SR_TYPE_INTEGER),
			 "x|0|-9223372036854775808,y|0|7,"),
		  "integers");
	CHECK(is(shape(c, "return {{'x', '1'}, {false, false}}", SR_TYPE_DOUBLE), "x|1|0,~|0|0,"),
		  "rows of their own, nil");
	CHECK(is(shape(c, "return false", SR_TYPE_DOUBLE), ""), "nil: no rows");
	CHECK(is(shape(c, "return {}", SR_TYPE_DOUBLE), ""), "none");
	CHECK(is(shape(c, "return {'x', '1', 'y'}", SR_TYPE_DOUBLE),
			 "x|1|0,protocol: unexpected type of reply to EVAL"),
		  "an odd number");
	CHECK(has(shape(c, "return {{'x'}}", SR_TYPE_DOUBLE), "protocol: unexpected"), "a short row");
	CHECK(has(shape(c, "return {{'x', '1', '2'}}", SR_TYPE_DOUBLE), "protocol: "), "a long row");
	CHECK(has(shape(c, "return {'x', 'y'}", SR_TYPE_DOUBLE), "unexpected as a b"), "no number");
	CHECK(has(shape(c, "return {'x', ''}", SR_TYPE_DOUBLE), "protocol: "), "nothing as a number");
	CHECK(has(shape(c, "return {'x', '9223372036854775808'}", SR_TYPE_INTEGER), "protocol: "),
		  "an integer too large");
	CHECK(has(shape(c, "return {'x', {}}", SR_TYPE_TEXT), "protocol: "), "an array as a text");
	CHECK(has(shape(c, "return 7", SR_TYPE_TEXT), "protocol: unexpected"), "no array");
	CHECK(has(shape(c, "return {'x', redis.error_reply('WRONGTYPE inside')}", SR_TYPE_TEXT),
			  "wrong type: WRONGTYPE inside"),
		  "an error within");
}

/* Every one of n elements once? Sizes around the page's. */
static void test_scan_size(sr_client *c, int n)
{
	char	 script[400], name[64];
	sr_err	 err = {0};
	sr_rows *rows;

	ask(c, "FLUSHDB");
	snprintf(script, sizeof(script),
			 "for i = 1, %d do redis.call('SET', 'k' .. i, i) redis.call('HSET', '{x}h', i, -i) "
			 "redis.call('SADD', '{x}s', 'm' .. i) end",
			 n);
	lua(c, script);
	rows = OPEN(c, "redis_scan", &err, TEXT("k*"));
	snprintf(name, sizeof(name), "SCAN of %d keys", n);
	CHECK(read_rows(&rows, -1, &err) == n, name);
	rows = OPEN(c, "redis_hscan", &err, TEXT("{x}h"));
	snprintf(name, sizeof(name), "HSCAN of %d fields", n);
	CHECK(read_rows(&rows, -1, &err) == n, name);
	rows = OPEN(c, "redis_sscan", &err, TEXT("{x}s"));
	snprintf(name, sizeof(name), "SSCAN of %d members", n);
	CHECK(read_rows(&rows, -1, &err) == n, name);
}

static void test_scans(sr_client *c)
{
	const sr_value *cells;
	sr_err			err = {0};
	sr_rows		   *rows;
	uint64_t		before;
	bool			good = true;

	ask(c, "FLUSHDB");
	CHECK(is(ROWS(c, "redis_scan", TEXT("none:*")), ""), "nothing to scan");
	CHECK(is(ROWS(c, "redis_hscan", TEXT("none")), "") &&
			  is(ROWS(c, "redis_sscan", TEXT("no")), ""),
		  "nor in a key");
	ask(c, "HSET h name Ann age 41 n%1 x");
	CHECK(is(ROWS(c, "redis_hscan", TEXT("h"), TEXT("a*")), "age|41"), "a pattern of fields");
	CHECK(is(ROWS(c, "redis_hscan", TEXT("h"), TEXT("n[a]*")), "name|Ann"), "a class in it");
	ask(c, "SADD s ann bob");
	CHECK(is(ROWS(c, "redis_sscan", TEXT("s"), TEXT("a*")), "ann"), "a pattern of members");
	CHECK(is(ROWS(c, "redis_scan", NONE, TEXT("set")), "s"), "keys of a type");
	CHECK(is(ROWS(c, "redis_scan", TEXT("h*"), TEXT("set")), ""), "of a type and a pattern");
	CHECK(has(ROWS(c, "redis_scan", TEXT("*"), TEXT("no such type")), ""), "of no type there is");
	test_scan_size(c, 1);
	test_scan_size(c, 499);
	test_scan_size(c, 500);
	test_scan_size(c, 501);
	test_scan_size(c, 20000);
	before = sent(c);
	rows = OPEN(c, "redis_hscan", &err, TEXT("{x}h"));
	CHECK(sent(c) == before, "nothing is sent before a row is asked for");
	CHECK(read_rows(&rows, 10, &err) == 10 && sent(c) == before + 1, "ten rows: one page");
	sr_rows_close(rows);
	rows = OPEN(c, "redis_hscan", &err, TEXT("{x}h"));
	while (rows != NULL && sr_rows_next(rows, &cells, &err) > 0)
		good = good && cells[1].len == cells[0].len + 1 && cells[1].data[0] == '-' &&
			   memcmp(cells[1].data + 1, cells[0].data, cells[0].len) == 0 &&
			   is(ask(c, "PING"), "\"PONG\"");
	CHECK(good, "each field with its value, whatever is asked between two rows");
	sr_rows_close(rows);
}

static void test_prefix(void)
{
	sr_settings s = settings(server);
	sr_client  *plain = client(&s), *c;

	s.key_prefix = "a*[p]:";
	c = client(&s);
	ask(plain, "FLUSHDB");
	ask(plain, "MSET a*[p]:one 1 a*[p]:two 2 axp:three 3 other 4");
	CHECK(has(ROWS(c, "redis_scan", NONE), "one") && has(ROWS(c, "redis_scan", NONE), "two") &&
			  strlen(ROWS(c, "redis_scan", NONE)) == 7,
		  "the prefix's keys, without it; it is no pattern");
	CHECK(is(ROWS(c, "redis_scan", TEXT("t*")), "two"), "a pattern within the prefix");
	ask(plain, "HSET a*[p]:h a*[p]:f v");
	CHECK(is(ROWS(c, "redis_hscan", TEXT("h")), "a*[p]:f|v"), "fields have no prefix");
	CHECK(is(ROWS(c, "redis_hscan", TEXT("h"), TEXT("a\\*\\[p]*")), "a*[p]:f|v"), "nor patterns");
	CHECK(is(ROWS(c, "redis_hgetall", TEXT("h")), "a*[p]:f|v"), "a plain command's key has");
	CHECK(is(ROWS(c, "redis_hmget", TEXT("h"), TEXT("a*[p]:f")), "a*[p]:f|v"), "HMGET's key, too");
	sr_client_free(c);
	sr_client_free(plain);
}

/* What is held while a large collection is read: a page of it, however many there are. */
static void test_memory(sr_client *c)
{
	const sr_value *cells;
	sr_err			err = {0};
	sr_rows		   *rows;
	size_t			start, most = 0;
	long			n = 0;

	ask(c, "FLUSHDB");
	lua(c, "for i = 1, 200000 do redis.call('HSET', 'h', 'field:' .. i, string.rep('v', 100)) end");
	ask(c, "PING");
	start = allocated();
	rows = OPEN(c, "redis_hscan", &err, TEXT("h"));
	while (rows != NULL && sr_rows_next(rows, &cells, &err) > 0)
		if (++n % 100 == 0 && allocated() - start > most)
			most = allocated() - start;
	sr_rows_close(rows);
	printf("# %ld fields, at most %zu bytes\n", n, most);
	CHECK(n >= 200000 && (start == 0 || (most > 10000 && most < 1000000)), "a page at a time");
	ask(c, "FLUSHDB");
}

static void test_interrupt(sr_client *c)
{
	sr_err	 err = {0};
	sr_rows *rows;

	lua(c, "for i = 1, 20000 do redis.call('SADD', 's', i) end");
	rows = OPEN(c, "redis_sscan", &err, TEXT("s"));
	CHECK(read_rows(&rows, 100, &err) == 100, "a scan begins");
	state.interrupt = 1;
	CHECK(read_rows(&rows, -1, &err) == -1 && err.cls == SR_E_INTERRUPTED, "and is interrupted");
	CHECK(is(ask(c, "DEL s"), "1"), "the connection is none the worse");
}

int main(void)
{
	sr_client *c;

	if (!find_server())
		return 1;
	c = fresh(&options);
	test_nulls(c);
	test_whole_replies(c);
	test_shapes(c);
	test_scans(c);
	test_memory(c);
	test_interrupt(c);
	sr_client_free(c);
	test_prefix();
	return test_result();
}
