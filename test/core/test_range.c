/*
 * test_range.c - ranges of lists and sorted sets, page by page, against the Redis that
 * SR_TEST_URL or REDIS_URL names (it may be flushed). What one command gives is the reference.
 */
#include "command.h"
#include "rowset.h"
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static sr_settings options;

/* A list l of e0, e1 ... and a sorted set z of m0, m1 ... with scores 0, 1 ... */
static void fill(sr_client *c, int size)
{
	char script[400];

	ask(c, "FLUSHDB");
	snprintf(script, sizeof(script),
			 "for i = 0, %d do redis.call('RPUSH', 'l', 'e' .. i) "
			 "redis.call('ZADD', 'z', i, 'm' .. i) end",
			 size - 1);
	if (size > 0)
		lua(c, script);
}

/* ---- by position ---- */

typedef enum order
{
	LIST,
	ASCENDING,
	DESCENDING
} order;

/* Are the rows those that Redis's documentation promises for positions start to stop of size? */
static bool right_rows(sr_client *c, order o, int64_t size, int64_t start, int64_t stop)
{
	const char *name = o == LIST ? "redis_lrange" : "redis_zrange";
	sr_value	args[] = {TEXT(o == LIST ? "l" : "z"), INT(start), INT(stop), INT(o == DESCENDING)};
	sr_err		err = {0};
	sr_rows	   *rows = open_rows(c, name, o == LIST ? 3 : 4, args, &err);
	const sr_value *cells;
	int64_t			at = start < 0 ? (start < -size ? 0 : size + start) : start;
	int64_t			end = stop < 0 ? (stop < -size ? -1 : size + stop) : stop;
	char			expected[32];
	int				got = -1;

	if (end > size - 1)
		end = size - 1;
	while (rows != NULL && (got = sr_rows_next(rows, &cells, &err)) > 0)
	{
		int64_t i = o == DESCENDING ? size - 1 - at : at;

		snprintf(expected, sizeof(expected), "%c%" PRId64, o == LIST ? 'e' : 'm', i);
		if (at > end || cells[0].i != at || cells[1].len != strlen(expected) ||
			memcmp(cells[1].data, expected, cells[1].len) != 0 ||
			(o != LIST && cells[2].d != (double) i))
			break;
		at++;
	}
	sr_rows_close(rows);
	if (got == 0 && (at > end || end < 0))
		return true;
	printf("# size %" PRId64 ", %" PRId64 " to %" PRId64 ", order %d: stopped at %" PRId64 " %s\n",
		   size, start, stop, (int) o, at, err.msg);
	return false;
}

static void test_positions(sr_client *c, int size)
{
	const int64_t ends[] = {0,	1,	  998,	 999,	1000,  1001,  2000,		 2500,	   -1,
							-2, -999, -1000, -1001, -2500, -2501, INT64_MAX, INT64_MIN};
	size_t		  count = sizeof(ends) / sizeof(ends[0]);
	bool		  good = true;
	char		  name[64];

	fill(c, size);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			for (int o = LIST; o <= DESCENDING; o++)
				good = right_rows(c, (order) o, size, ends[i], ends[j]) && good;
	snprintf(name, sizeof(name), "every range of %d elements", size);
	CHECK(good, name);
}

/* How many commands it takes. */
static bool costs(sr_client *c, const char *name, const char *key, sr_value start, sr_value stop,
				  uint64_t commands)
{
	sr_value args[] = {TEXT(key), start, stop};
	uint64_t before = sent(c);

	row_text(c, name, 3, args);
	if (sent(c) - before != commands)
		printf("# %s: %" PRIu64 " commands\n", name, sent(c) - before);
	return sent(c) - before == commands;
}

static void test_cost(sr_client *c)
{
	fill(c, 2500);
	CHECK(costs(c, "redis_lrange", "l", INT(0), INT(9), 1), "a page is one command");
	CHECK(costs(c, "redis_lrange", "l", INT(0), INT(999), 1), "a whole page, too");
	CHECK(costs(c, "redis_lrange", "l", INT(0), INT(1000), 2), "one more is a second one");
	CHECK(costs(c, "redis_lrange", "l", INT(1600), INT(-1), 1), "to the end, when that is near");
	CHECK(costs(c, "redis_lrange", "l", NONE, NONE, 4),
		  "2500: three pages, and how many there are");
	CHECK(costs(c, "redis_lrange", "l", INT(-10), INT(-1), 2), "counted from the end: the length");
	CHECK(costs(c, "redis_lrange", "l", INT(5), INT(2), 1), "an empty range is asked for");
	CHECK(costs(c, "redis_zrange", "z", INT(0), INT(9), 1), "a sorted set's page");
	CHECK(costs(c, "redis_zrange", "z", NONE, NONE, 4), "its pages");
	CHECK(costs(c, "redis_zrangebyscore", "z", INT(0), INT(900), 1), "scores that fit one page");
	CHECK(costs(c, "redis_zrangebyscore", "z", TEXT("-inf"), TEXT("inf"), 5),
		  "2500: three pages, and where they stand");
	fill(c, 999);
	CHECK(costs(c, "redis_lrange", "l", NONE, NONE, 1), "999: one command");
}

static void test_range_errors(sr_client *c)
{
	ask(c, "FLUSHDB");
	ask(c, "SET k v");
	CHECK(has(ROWS(c, "redis_lrange", TEXT("k")), " wrong type: WRONGTYPE"), "LRANGE of a string");
	CHECK(has(ROWS(c, "redis_lrange", TEXT("k"), INT(-5)), " wrong type: "), "from its end");
	CHECK(has(ROWS(c, "redis_lrange", TEXT("k"), INT(5), INT(2)), " wrong type: "), "an empty one");
	CHECK(has(ROWS(c, "redis_zrange", TEXT("k")), " wrong type: WRONGTYPE"), "ZRANGE");
	CHECK(has(ROWS(c, "redis_zrangebyscore", TEXT("k"), INT(0), INT(1)), " wrong type: "),
		  "scores");
	CHECK(is(ROWS(c, "redis_lrange", TEXT("none")), "") &&
			  is(ROWS(c, "redis_zrange", TEXT("none"), INT(-3), INT(-1), INT(1)), "") &&
			  is(ROWS(c, "redis_zrangebyscore", TEXT("none"), INT(0), INT(1)), ""),
		  "no such key: no rows");
	CHECK(
		has(ROWS(c, "redis_lrange", TEXT("none"), TEXT("x")), "invalid: start must be an integer"),
		"no number");
	CHECK(has(ROWS(c, "redis_lrange", TEXT("none"), FLOAT(1.5)), "invalid: start must be"),
		  "no integer");
	lua(c, "redis.call('ZADD', 'z', '-0', string.rep('long', 20), 'inf', 'top', '-inf', 'low',"
		   "'9007199254740993', 'even', '0.1', 'tenth')");
	CHECK(is(ROWS(c, "redis_zrangebyscore", TEXT("z"), TEXT("(-inf"), FLOAT(0)),
			 "longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong|-0"),
		  "-0");
	CHECK(is(ROWS(c, "redis_zrange", TEXT("z"), INT(0), INT(0)), "0|low|-inf"), "-inf");
	CHECK(is(ROWS(c, "redis_zrange", TEXT("z"), INT(0), INT(0), INT(1)), "0|top|inf"), "inf");
}

/* ---- by score ---- */

static long count_scores(sr_client *c, sr_value min, sr_value max, sr_value max_rows)
{
	sr_value args[] = {TEXT("z"), min, max, max_rows};
	sr_err	 err = {0};
	sr_rows *rows = open_rows(c, "redis_zrangebyscore", 4, args, &err);
	long	 n = rows != NULL ? read_rows(&rows, -1, &err) : -1;

	if (n < 0)
		printf("# %s\n", err.msg);
	return n;
}

/* Are the rows of min to max exactly what one ZRANGEBYSCORE gives? */
static bool same_scores(sr_client *c, const char *min, const char *max)
{
	char	  script[300];
	sr_value  args[] = {TEXT("z"), TEXT(min), TEXT(max)};
	char	 *ours = strdup(row_text(c, "redis_zrangebyscore", 3, args));
	sr_buf	  theirs = {0};
	sr_argv	  cmd = {5, (const char *[]){"ZRANGEBYSCORE", "z", min, max, "WITHSCORES"},
					 (size_t[]){13, 1, strlen(min), strlen(max), 10}};
	sr_err	  err = {0};
	sr_reply *reply = sr_client_call(c, &cmd, 0, 0, &err);
	bool	  good;

	sr_buf_str(&theirs, "");
	for (size_t i = 0; reply != NULL && i < reply->count; i += 2)
		sr_buf_fmt(&theirs, "%s%s|%.15g", i > 0 ? "," : "", reply->items[i]->str,
				   strtod(reply->items[i + 1]->str, NULL));
	if (reply == NULL)
		sr_buf_fmt(&theirs, " %s: %s", sr_class_word(err.cls), err.msg);
	good = strcmp(ours, theirs.data) == 0;
	snprintf(script, sizeof(script), "# %s to %s: %zu bytes, not %zu\n", min, max, strlen(ours),
			 theirs.len);
	if (!good)
		fputs(script, stdout);
	free(ours);
	sr_buf_free(&theirs);
	sr_reply_free(reply);
	return good;
}

static void test_scores(sr_client *c, int size)
{
	static const char *const bounds[] = {"-inf", "(-inf", "0",	   "(0",   "0.5", "(1",	  "999",
										 "(999", "1000",  "(1000", "1500", "inf", "+inf", "(inf",
										 "1e3",	 "",	  "(",	   "-5",   "nan", "x",	  "((1"};
	size_t					 count = sizeof(bounds) / sizeof(bounds[0]);
	bool					 good = true;
	char					 name[64];

	fill(c, size);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			good = same_scores(c, bounds[i], bounds[j]) && good;
	snprintf(name, sizeof(name), "every range of scores of %d members", size);
	CHECK(good, name);
}

static void test_score_limits(sr_client *c)
{
	static const struct
	{
		int64_t max_rows;
		long	expected;
	} cases[] = {{1, 1},	   {999, 999},	 {1000, 1000},	{1001, 1001},
				 {2000, 2000}, {2001, 2001}, {2500, 2500},	{INT64_MAX, 2500},
				 {0, 0},	   {-1, 0},		 {INT64_MIN, 0}};
	uint64_t before;
	bool	 good = true;

	fill(c, 2500);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		good = same_count(count_scores(c, TEXT("-inf"), TEXT("inf"), INT(cases[i].max_rows)),
						  cases[i].expected) &&
			   good;
	CHECK(good, "max_rows");
	before = sent(c);
	CHECK(count_scores(c, TEXT("-inf"), TEXT("inf"), INT(0)) == 0 && sent(c) == before,
		  "none wanted, none asked for");
	CHECK(same_count(count_scores(c, INT(0), INT(2499), NONE), 2500), "bounds that are integers");
	CHECK(same_count(count_scores(c, FLOAT(0.5), FLOAT(2498.5), NONE), 2498), "or doubles");
	lua(c, "for i = 1, 2500 do redis.call('ZADD', 'z', 7, 'same' .. i) end");
	CHECK(same_count(count_scores(c, INT(7), INT(7), NONE), 2501), "many of one score");
	CHECK(same_count(count_scores(c, TEXT("(6"), TEXT("(8"), NONE), 2501), "between two");
}

/* ---- what others change between two pages ---- */

static void test_changes(sr_client *c)
{
	fill(c, 2500);
	CHECK(same_count(DISTURBED(c, "redis_lrange", "redis.call('DEL', 'l')", TEXT("l")), 1000),
		  "a list deleted between pages");
	CHECK(same_count(DISTURBED(c, "redis_zrange", "redis.call('DEL', 'z')", TEXT("z")), 1000),
		  "a sorted set");
	fill(c, 2500);
	CHECK(same_count(DISTURBED(c, "redis_lrange", "redis.call('LTRIM', 'l', 0, 1499)", TEXT("l")),
					 1500),
		  "a list cut");
	CHECK(same_count(DISTURBED(c, "redis_lrange", "redis.call('SET', 'l', 'v')", TEXT("l")), -1),
		  "a key that is no list any more");
	CHECK(same_count(DISTURBED(c, "redis_zrangebyscore", "redis.call('ZREM', 'z', 'm0')", TEXT("z"),
							   INT(0), INT(5000)),
					 2499),
		  "the first member gone: by position, one is missed");
	fill(c, 2500);
	CHECK(same_count(DISTURBED(c, "redis_zrangebyscore",
							   "redis.call('ZREMRANGEBYSCORE', 'z', 0, 1499)", TEXT("z"), INT(500),
							   INT(1999)),
					 1000),
		  "all of the first page gone");
}

/* Between two pages, by position, others may be in the place of a range of scores. */
static void test_never_other_scores(sr_client *c)
{
	sr_value		args[] = {TEXT("z"), INT(1000), INT(3500)};
	sr_err			err = {0};
	sr_rows		   *rows;
	const sr_value *cells;
	bool			good = true;
	long			n = 0;

	fill(c, 5000);
	rows = open_rows(c, "redis_zrangebyscore", 3, args, &err);
	while (rows != NULL && sr_rows_next(rows, &cells, &err) > 0)
	{
		/* within the second page, whose successor now starts elsewhere */
		if (++n == 1500)
			lua(c, "redis.call('ZREMRANGEBYRANK', 'z', 0, 900)");
		good = good && cells[1].d >= 1000 && cells[1].d <= 3500;
	}
	sr_rows_close(rows);
	CHECK(good && n == 2000, "a row's score is always one that was asked for");
}

/* A writer that adds two elements a row must not make the range endless. */
static void test_endless(sr_client *c)
{
	const char *zadd = "for i = 1, 20 do redis.call('ZADD', 'z', redis.call('ZCARD', 'z'), "
					   "'m' .. redis.call('ZCARD', 'z')) end";
	const char *rpush = "for i = 1, 20 do redis.call('RPUSH', 'l', 1) end";
	long		got;

	fill(c, 1500);
	got = GROWING(c, "redis_lrange", rpush, TEXT("l"));
	CHECK(got > 1500 && got < 6000, "a list that grows faster than it is read");
	got = GROWING(c, "redis_zrange", zadd, TEXT("z"));
	CHECK(got > 1500 && got < 6000, "a sorted set");
	fill(c, 1500);
	got = GROWING(c, "redis_zrangebyscore", zadd, TEXT("z"), INT(0), TEXT("inf"));
	CHECK(got > 1500 && got < 6000, "its scores");
}

static void test_prefix(void)
{
	sr_client *c, *plain = fresh(&options);

	options.key_prefix = "p:";
	c = client(&options);
	fill(plain, 2500);
	lua(plain, "redis.call('RENAME', 'l', 'p:l') redis.call('RENAME', 'z', 'p:z') "
			   "redis.call('RENAME', 's', 'p:s')");
	CHECK(right_rows(c, LIST, 2500, 0, -1) && right_rows(c, LIST, 2500, -2000, -2),
		  "a list's prefix");
	CHECK(right_rows(c, DESCENDING, 2500, 0, -1), "a sorted set's");
	CHECK(same_count(count_scores(c, INT(0), TEXT("inf"), NONE), 2500), "by score, too");
	sr_client_free(c);
	sr_client_free(plain);
}

int main(void)
{
	static const int sizes[] = {0, 1, 5, 999, 1000, 1001, 2500};
	sr_client		*c;

	if (!find_server())
		return 1;
	c = fresh(&options);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		test_positions(c, sizes[i]);
	test_cost(c);
	test_range_errors(c);
	for (size_t i = 3; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		test_scores(c, sizes[i]);
	test_score_limits(c);
	test_changes(c);
	test_never_other_scores(c);
	test_endless(c);
	ask(c, "FLUSHDB");
	sr_client_free(c);
	test_prefix();
	return test_result();
}
