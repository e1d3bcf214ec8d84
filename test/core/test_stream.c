/*
 * test_stream.c - XRANGE and XREAD, page by page, against the Redis that SR_TEST_URL or REDIS_URL
 * names (it may be flushed).
 */
#include "command.h"
#include "rowset.h"
#include "test.h"

#include <inttypes.h>
#include <stdio.h>

static sr_settings options;

/* A stream s of 1-0, 2-0 ... */
static void fill(sr_client *c, int size)
{
	char script[200];

	ask(c, "FLUSHDB");
	snprintf(script, sizeof(script),
			 "for i = 1, %d do redis.call('XADD', 's', i .. '-0', 'n', i - 1) end", size);
	lua(c, script);
}

/* The entries of a stream filled with fill(): how many, and are they first, first + 1 ...? */
static long entries(sr_client *c, const char *name, int n, const sr_value *args, int64_t first)
{
	sr_err			err = {0};
	sr_rows		   *rows = open_rows(c, name, n, args, &err);
	const sr_value *cells;
	long			count = 0;
	int				got = -1;
	char			id[48], fields[48];

	while (rows != NULL && (got = sr_rows_next(rows, &cells, &err)) > 0)
	{
		snprintf(id, sizeof(id), "%" PRId64 "-0", first + count);
		snprintf(fields, sizeof(fields), "{\"n\":\"%" PRId64 "\"}", first + count - 1);
		if (cells[0].len != strlen(id) || memcmp(cells[0].data, id, cells[0].len) != 0 ||
			cells[1].type != SR_TYPE_JSON || cells[1].len != strlen(fields) ||
			memcmp(cells[1].data, fields, cells[1].len) != 0)
			break;
		count++;
	}
	if (got != 0)
		printf("# after %ld: %s\n", count, err.msg);
	sr_rows_close(rows);
	return got == 0 ? count : -1;
}

#define XRANGE(c, first, ...)                                                                      \
	entries((c), "redis_xrange", (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),     \
			(sr_value[]){__VA_ARGS__}, (first))
#define XREAD(c, first, ...)                                                                       \
	entries((c), "redis_xread", (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),      \
			(sr_value[]){__VA_ARGS__}, (first))

static void test_size(sr_client *c, int size)
{
	char name[64];

	fill(c, size);
	snprintf(name, sizeof(name), "a stream of %d entries", size);
	CHECK(same_count(XRANGE(c, 1, TEXT("s")), size) &&
			  same_count(XRANGE(c, 1, TEXT("s"), TEXT("-"), TEXT("+"), INT(INT64_MAX)), size) &&
			  same_count(XREAD(c, 1, TEXT("s"), TEXT("0")), size) &&
			  same_count(XREAD(c, 1, TEXT("s"), TEXT("0-0"), INT(size + 1)), size) &&
			  same_count(XREAD(c, 2, TEXT("s"), TEXT("1-0")), size - 1),
		  name);
}

static void test_streams(sr_client *c)
{
	uint64_t before;

	test_size(c, 1);
	test_size(c, 999);
	test_size(c, 1000);
	test_size(c, 1001);
	test_size(c, 2500);
	CHECK(same_count(XRANGE(c, 3, TEXT("s"), TEXT("3"), TEXT("2400")), 2398), "incomplete ids");
	CHECK(same_count(XRANGE(c, 4, TEXT("s"), TEXT("(3-0"), TEXT("(2400-0")), 2396), "excluded ids");
	CHECK(same_count(XRANGE(c, 1, TEXT("s"), NONE, TEXT("1500")), 1500), "to an id");
	CHECK(same_count(XRANGE(c, 9, TEXT("s"), TEXT("9"), TEXT("3")), 0), "to one before it");
	CHECK(same_count(XRANGE(c, 1, TEXT("s"), NONE, NONE, INT(1000)), 1000), "a page wanted");
	CHECK(same_count(XRANGE(c, 1, TEXT("s"), NONE, NONE, INT(1001)), 1001), "and one more");
	CHECK(same_count(XRANGE(c, 1, TEXT("s"), NONE, NONE, INT(2000)), 2000), "two");
	CHECK(same_count(XREAD(c, 11, TEXT("s"), TEXT("10"), INT(2000)), 2000), "XREAD of two");
	before = sent(c);
	CHECK(same_count(XRANGE(c, 1, TEXT("s"), NONE, NONE, INT(0)), 0) &&
			  same_count(XREAD(c, 1, TEXT("s"), TEXT("0"), INT(-3)), 0) && sent(c) == before,
		  "none wanted, none asked for");
	CHECK(same_count(XREAD(c, 1, TEXT("s"), TEXT("$")), 0), "$: what comes next, and nothing does");
	CHECK(has(ROWS(c, "redis_xread", TEXT("s"), TEXT(">")), "redis: ERR"), "> is for groups");
	CHECK(has(ROWS(c, "redis_xread", TEXT("s"), TEXT("x")), "redis: ERR Invalid stream ID"),
		  "no id");
	CHECK(has(ROWS(c, "redis_xrange", TEXT("s"), TEXT("5-")), "redis: ERR Invalid stream ID"),
		  "half an id");
	lua(c, "for i = 1000, 1100 do redis.call('XDEL', 's', i .. '-0') end");
	CHECK(has(ROWS(c, "redis_xrange", TEXT("s")), "999-0|{\"n\":\"998\"},1101-0|"),
		  "entries deleted where the page ends");
}

static void test_ids(sr_client *c)
{
	ask(c, "FLUSHDB");
	lua(c, "for i = 616, 1615 do redis.call('XADD', 's', '5-1844674407370955' .. i, 'n', i) end "
		   "redis.call('XADD', 's', '6-0', 'n', 'six') "
		   "redis.call('XADD', 's', '18446744073709551615-18446744073709551615', 'n', 'last')");
	CHECK(has(ROWS(c, "redis_xrange", TEXT("s")), "6-0|{\"n\":\"six\"},18446744073709551615-18"),
		  "the number of an id overflows into its time");
	ask(c, "DEL s");
	lua(c, "for i = 616, 1615 do redis.call('XADD', 's', '18446744073709551615-1844674407370955' "
		   ".. i, "
		   "'n', i) end");
	CHECK(has(ROWS(c, "redis_xrange", TEXT("s")), ",18446744073709551615-18446744073709551615|"),
		  "the last id of all ends a full page");
	CHECK(has(ROWS(c, "redis_xread", TEXT("s"), TEXT("0")), "-18446744073709551615|"), "of XREAD");
}

static void test_fields(sr_client *c)
{
	ask(c, "FLUSHDB");
	lua(c, "redis.call('XADD', 's', '1-1', 'b', '1', 'a', '\"\\\\\\n', 'b', '', '', 'x\\0y', 'é', "
		   "'\\1')");
	CHECK(is(ROWS(c, "redis_xrange", TEXT("s")),
			 "1-1|{\"b\":\"1\",\"a\":\"\\\"\\\\\\n\",\"b\":\"\",\"\":\"x\\u0000y\",\"é\":"
			 "\"\\u0001\"}"),
		  "fields in their order, twice when they are, escaped");
	lua(c, "redis.call('XADD', 's', '1-2', 'a', '\\255')");
	CHECK(has(ROWS(c, "redis_xrange", TEXT("s")),
			  " encoding: an entry of the stream holds bytes that are not UTF-8"),
		  "bytes that are not UTF-8");
}

static void test_errors(sr_client *c)
{
	ask(c, "FLUSHDB");
	ask(c, "SET k v");
	CHECK(has(ROWS(c, "redis_xrange", TEXT("k")), " wrong type: WRONGTYPE"), "XRANGE of a string");
	CHECK(has(ROWS(c, "redis_xread", TEXT("k"), TEXT("0")), " wrong type: WRONGTYPE"), "XREAD");
	CHECK(is(ROWS(c, "redis_xrange", TEXT("none")), "") &&
			  is(ROWS(c, "redis_xread", TEXT("none"), TEXT("0")), ""),
		  "no such key: no rows");
	CHECK(has(ROWS(c, "redis_xrange", TEXT("none"), NONE, NONE, FLOAT(1.5)),
			  "invalid: max_rows must be an integer"),
		  "no integer");
}

/* What others change between two pages. */
static void test_changes(sr_client *c)
{
	const char *xadd = "for i = 1, 20 do redis.call('XADD', 's', '*', 'a', 1) end";
	long		got;

	fill(c, 2500);
	CHECK(same_count(DISTURBED(c, "redis_xrange", "redis.call('DEL', 's')", TEXT("s")), 1000),
		  "a stream deleted");
	fill(c, 2500);
	CHECK(same_count(
			  DISTURBED(c, "redis_xrange", "redis.call('XTRIM', 's', 'MAXLEN', 1000)", TEXT("s")),
			  2000),
		  "a stream trimmed: what is left follows");
	fill(c, 1500);
	CHECK(same_count(DISTURBED(c, "redis_xread", "redis.call('XADD', 's', '9999-0', 'n', 1)",
							   TEXT("s"), TEXT("0")),
					 1501),
		  "an entry added before the second page is asked for");
	CHECK(same_count(DISTURBED(c, "redis_xread", "redis.call('XADD', 's', '19999-0', 'n', 1)",
							   TEXT("s"), TEXT("1000")),
					 501),
		  "one behind the last page");
	fill(c, 1500);
	got = GROWING(c, "redis_xrange", xadd, TEXT("s"));
	CHECK(got > 1500 && got < 6000, "a stream that grows faster than it is read");
	fill(c, 1500);
	got = GROWING(c, "redis_xread", xadd, TEXT("s"), TEXT("0"));
	CHECK(got > 1500 && got < 6000, "read on, too");
}

static void test_prefix(void)
{
	sr_client *c, *plain;

	options = settings(server);
	plain = client(&options);
	options.key_prefix = "p:";
	c = client(&options);
	fill(plain, 2500);
	ask(plain, "RENAME s p:s");
	CHECK(same_count(XRANGE(c, 1, TEXT("s")), 2500) &&
			  same_count(XREAD(c, 1, TEXT("s"), TEXT("0")), 2500),
		  "a key prefix");
	ask(plain, "FLUSHDB");
	sr_client_free(c);
	sr_client_free(plain);
}

int main(void)
{
	sr_client *c;

	if (!find_server())
		return 1;
	options = settings(server);
	c = client(&options);
	test_streams(c);
	test_ids(c);
	test_fields(c);
	test_errors(c);
	test_changes(c);
	sr_client_free(c);
	test_prefix();
	return test_result();
}
