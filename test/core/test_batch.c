/*
 * test_batch.c - the rows of aggregates, to the Redis that SR_TEST_URL or REDIS_URL names (it may be
 * flushed), and to servers that stop answering.
 */
#include "command.h"
#include "peer.h"
#include "scalar.h"
#include "test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static sr_err err;

static bool add(sr_batch *b, const char *key, const char *value)
{
	sr_value args[2] = {TEXT(key), TEXT(value)};

	return sr_batch_add(b, 2, args, &err);
}

/* Rows format 0 to count - 1, until one fails; how many were taken. */
static int add_many(sr_batch *b, const char *format, int count)
{
	char key[64];

	for (int i = 0; i < count; i++)
	{
		snprintf(key, sizeof(key), format, i);
		if (!add(b, key, "value"))
			return i;
	}
	return count;
}

/* The total as text, or the error; the batch is dropped. */
static const char *finish(sr_batch *b)
{
	static char text[1024];
	int64_t		total = -1;

	if (sr_batch_finish(b, &total, &err))
		snprintf(text, sizeof(text), "%lld", (long long) total);
	else
		snprintf(text, sizeof(text), "%s: %s", sr_class_word(err.cls), err.msg);
	sr_batch_drop(b);
	return text;
}

static void start(sr_batch *b, sr_client *c, const char *name)
{
	sr_batch_init(b, c, sr_command_find(name));
}

static void test_rows(sr_client *c)
{
	sr_batch b;
	uint64_t before = sent(c);

	start(&b, c, "redis_mset");
	CHECK(is(finish(&b), "0") && sent(c) == before, "no rows: nothing is sent");
	start(&b, c, "redis_mset");
	CHECK(add(&b, "a", "1") && add(&b, "b", "") && add(&b, "", "2"), "rows");
	CHECK(sr_batch_add(&b, 2, (sr_value[]){TEXT("c"), NONE}, &err) &&
			  sr_batch_add(&b, 2, (sr_value[]){NONE, TEXT("c")}, &err) &&
			  sr_batch_add(&b, 3, (sr_value[]){TEXT("d"), TEXT("4"), NONE}, &err) &&
			  sr_batch_add(&b, 3, (sr_value[]){TEXT("e"), TEXT("5"), FLOAT(60)}, &err),
		  "NULLs, and a time to live");
	CHECK(sent(c) == before, "wait for others");
	CHECK(is(finish(&b), "5"), "how many");
	CHECK(is(ask(c, "MGET a b c d e"), "[\"1\",\"\",null,\"4\",\"5\"]") &&
			  is(ask(c, "TTL d"), "-1") && is(ask(c, "TTL e"), "60"),
		  "what became of them");
	start(&b, c, "redis_del_agg");
	CHECK(sr_batch_add(&b, 1, (sr_value[]){TEXT("a")}, &err) &&
			  sr_batch_add(&b, 1, (sr_value[]){TEXT("none")}, &err) &&
			  sr_batch_add(&b, 1, (sr_value[]){TEXT("b")}, &err) && is(finish(&b), "2"),
		  "a sum of integers");
	start(&b, c, "redis_mset");
	CHECK(!sr_batch_add(&b, 3, (sr_value[]){TEXT("a"), TEXT("1"), TEXT("x")}, &err) &&
			  is(err.msg, "ttl must be a number") && is(finish(&b), "0"),
		  "an argument that is wrong");
}

static void test_many(sr_client *c)
{
	sr_batch b;
	sr_value large = {.type = SR_TYPE_TEXT, .data = calloc(1, 10000000), .len = 10000000};
	size_t	 before;
	int		 taken;

	ask(c, "FLUSHDB");
	start(&b, c, "redis_mset");
	CHECK(add_many(&b, "k%d", 100000) == 100000, "a hundred thousand rows");
	before = allocated();
	CHECK(add_many(&b, "k%d", 100000) == 100000 && allocated() < before + 100000,
		  "need no more memory than some");
	CHECK(is(finish(&b), "200000") && is(ask(c, "DBSIZE"), "100000"), "are all set");
	start(&b, c, "redis_mset");
	before = allocated();
	CHECK(sr_batch_add(&b, 2, (sr_value[]){TEXT("large"), large}, &err) &&
			  is(ask(c, "STRLEN large"), "10000000"),
		  "a large value goes at once");
	CHECK(allocated() < before + 1000000, "and its memory is given back");
	for (taken = 0; taken < 50 && sr_batch_add(&b, 2, (sr_value[]){TEXT("l"), large}, &err);)
		taken++;
	CHECK(taken == 50 && is(finish(&b), "51"), "many large ones");
	free((char *) large.data);
	ask(c, "FLUSHDB");
}

/* Rows of many groups, and calls of the same connection in between. */
static void test_groups(sr_client *c)
{
	enum
	{
		GROUPS = 10000
	};
	sr_batch *groups = calloc(GROUPS, sizeof(*groups));
	int		  wrong = 0;
	char	  key[32];
	size_t	  before = allocated();

	for (int i = 0; i < GROUPS; i++)
		start(&groups[i], c, "redis_mset");
	for (int row = 0; row < 5 * GROUPS; row++)
	{
		snprintf(key, sizeof(key), "g%d", row);
		wrong += !add(&groups[row % GROUPS], key, "x");
		if (row % 1000 == 0)
			wrong += !is(ask(c, "ECHO other"), "\"other\"");
	}
	CHECK(allocated() < before + 1000000, "ten thousand groups have one buffer");
	for (int i = 0; i < GROUPS; i++)
		wrong += !is(finish(&groups[i]), "5");
	CHECK(wrong == 0 && is(ask(c, "DBSIZE"), "50000"), "and five rows each");
	free(groups);
	ask(c, "FLUSHDB");
}

static void test_refused(sr_client *c)
{
	sr_batch a, b;
	char	 text[32];
	sr_value bad[3] = {TEXT("k\n\"\xc3\xa9"), TEXT("v"), INT(0)}; /* no time to live at all */

	start(&a, c, "redis_mset");
	start(&b, c, "redis_mset");
	CHECK(add_many(&a, "a%d", 10) == 10 && add_many(&b, "b%d", 10) == 10, "two batches");
	CHECK(sr_batch_add(&a, 3, bad, &err), "a row that Redis will not take");
	bad[0] = TEXT("second");
	CHECK(add_many(&a, "more%d", 5) == 5 && sr_batch_add(&a, 3, bad, &err), "and others");
	CHECK(is(finish(&b), "10"), "one is finished: its rows");
	CHECK(!add(&a, "late", "x") &&
			  has(err.msg, "redis_mset: key \"k\\x0a\"\\xc3\\xa9\" failed: "
						   "ERR invalid expire time") &&
			  has(err.msg, "; 15 succeeded") && err.cls == SR_E_REPLY,
		  "the other one has failed, says which row, and how many succeeded");
	CHECK(has(finish(&a), "; 15 succeeded") && is(ask(c, "EXISTS late a9 more4"), "2"),
		  "and sends no more");
	start(&a, c, "redis_mset");
	bad[0] = TEXT("0123456789012345678901234567890123456789012345678901234567890123456789");
	CHECK(sr_batch_add(&a, 3, bad, &err) &&
			  has(finish(&a), "key \"012345678901234567890123456789012345678901234567...\" failed"),
		  "a long key is cut");
	start(&a, c, "redis_mset");
	bad[0] = TEXT("bad");
	ask(c, "FLUSHDB");
	CHECK(sr_batch_add(&a, 3, bad, &err) && add_many(&a, "a%d", 5000) == 1998 &&
			  has(err.msg, "key \"bad\" failed"),
		  "a failure is told when the buffer is full");
	snprintf(text, sizeof(text), "%llu", (unsigned long long) a.answered);
	CHECK(is(ask(c, "DBSIZE"), text) && has(strstr(err.msg, "; "), text),
		  "and so many rows are there as it says");
	sr_batch_drop(&a);
}

static void test_drop(sr_client *c)
{
	sr_batch a, b;
	uint64_t before;

	ask(c, "FLUSHDB");
	before = sent(c);
	start(&a, c, "redis_mset");
	start(&b, c, "redis_mset");
	add_many(&a, "a%d", 10);
	add_many(&b, "b%d", 10);
	add_many(&a, "c%d", 10);
	sr_batch_drop(&a);
	sr_batch_drop(&a);
	CHECK(sent(c) == before, "dropping sends nothing");
	CHECK(is(finish(&b), "10") && is(ask(c, "DBSIZE"), "10"), "nor does what follows");
	start(&a, c, "redis_mset");
	for (int i = 0; i < 10000; i++)
	{
		add(&a, "dropped", "x");
		sr_batch_drop(&a);
		start(&a, c, "redis_mset");
	}
	before = sent(c);
	CHECK(is(finish(&a), "0") && sent(c) == before, "what is dropped leaves the buffer");
	start(&a, c, "redis_mset");
	start(&b, c, "redis_mset");
	add(&b, "kept", "x");
	for (int i = 0; i < 10000; i++)
	{
		add(&a, "dropped", "x");
		sr_batch_drop(&a);
		start(&a, c, "redis_mset");
	}
	CHECK(is(finish(&b), "1") && is(ask(c, "EXISTS kept dropped"), "1"),
		  "also when others stay in it");
	sr_batch_drop(&a);
}

static void test_prefix(void)
{
	sr_settings s = settings(server);
	sr_client  *c;
	sr_batch	b;

	s.key_prefix = "p:";
	c = client(&s);
	start(&b, c, "redis_mset");
	add(&b, "k", "1");
	CHECK(is(finish(&b), "1") && is(ask(c, "GET p:k"), "\"1\""), "a key prefix");
	start(&b, c, "redis_mset");
	sr_batch_add(&b, 3, (sr_value[]){TEXT("k"), TEXT("v"), INT(0)}, &err);
	CHECK(has(finish(&b), "key \"k\" failed"), "which the error does not show");
	sr_client_free(c);
}

/* ---- connections ---- */

static void test_away(void)
{
	sr_settings s = settings("redis://127.0.0.1:1");
	sr_client  *c = client(&s);
	sr_batch	b;

	start(&b, c, "redis_mset");
	CHECK(add_many(&b, "k%d", 10) == 10 &&
			  has(finish(&b), "connection: redis_mset: key \"k0\" failed: "),
		  "nobody there");
	CHECK(has(err.msg, "; 0 succeeded, the rest was not sent") && err.hint[0] != '\0',
		  "nothing was sent");
	sr_client_free(c);
	s = settings(NULL);
	c = client(&s);
	start(&b, c, "redis_mset");
	CHECK(!add(&b, "k", "v") && has(err.msg, "no Redis URL is set") && is(finish(&b), "0"),
		  "no URL");
	sr_client_free(c);
}

static void test_killed(sr_client *c)
{
	sr_batch b;

	ask(c, "FLUSHDB");
	start(&b, c, "redis_mset");
	add_many(&b, "k%d", 10);
	kill_others();
	state.skew += 5000;
	CHECK(is(finish(&b), "10"), "a connection that was closed while rows were gathered");
	start(&b, c, "redis_mset");
	ask(c, "PING");
	add_many(&b, "k%d", 10);
	kill_others();
	if (strstr(server, "unix://") != NULL)
		CHECK(is(finish(&b), "10"), "nothing went out: sent again");
	else
		CHECK(has(finish(&b), "connection lost: redis_mset: key \"k0\" failed: ") &&
				  has(err.msg, "; 0 succeeded, whether the rest did is unknown"),
			  "what went out is not sent again");
}

static const char *a_few(void *ctx, const char *command)
{
	int *left = ctx;

	(void) command;
	return (*left)-- > 0 ? "+OK\r\n" : "";
}

static void test_silence(void)
{
	int			left = 7;
	peer	   *p = peer_start(a_few, &left);
	sr_settings s = settings(peer_url(p));
	sr_client  *c;
	sr_batch	a, b;

	s.command_timeout = 200;
	c = client(&s);
	start(&a, c, "redis_mset");
	start(&b, c, "redis_mset");
	add_many(&a, "a%d", 5);
	add_many(&b, "b%d", 5);
	CHECK(is(finish(&a), "5"), "a batch that was answered");
	CHECK(has(finish(&b), "timeout: redis_mset: key \"b2\" failed: no reply from Redis") &&
			  has(err.msg, "; 2 succeeded, whether the rest did is unknown"),
		  "one that was not");
	sr_client_free(c);
	peer_stop(p);
}

static const char *in_turn(void *ctx, const char *command)
{
	const char ***next = ctx;

	(void) command;
	return *(*next)++;
}

/* A server that answers what no SET or DEL does: nothing of it is taken for success. */
static void test_unexpected(void)
{
	const char	*answers[] = {"$2\r\nOK\r\n", ":1\r\n",	 ":9223372036854775807\r\n",
							  ":-1\r\n",	  "$-1\r\n", "*0\r\n"};
	const char **next = answers;
	peer		*p = peer_start(in_turn, (void *) &next);
	sr_settings	 s = settings(peer_url(p));
	sr_client	*c = client(&s);
	sr_batch	 b;

	start(&b, c, "redis_mset");
	add(&b, "k", "v");
	CHECK(is(finish(&b), "protocol: redis_mset: key \"k\" failed: unexpected type of reply to SET; "
						 "0 succeeded"),
		  "a value is no status");
	start(&b, c, "redis_del_agg");
	sr_batch_add(&b, 1, (sr_value[]){TEXT("a")}, &err);
	sr_batch_add(&b, 1, (sr_value[]){TEXT("b")}, &err);
	CHECK(is(finish(&b), "protocol: redis_del_agg: key \"b\" failed: unexpected type of reply to "
						 "DEL; 1 succeeded"),
		  "a count that overflows");
	start(&b, c, "redis_del_agg");
	sr_batch_add(&b, 1, (sr_value[]){TEXT("a")}, &err);
	CHECK(has(finish(&b), "unexpected type of reply to DEL; 0 succeeded"), "a negative count");
	sr_client_free(c);
	peer_stop(p);
}

static void test_interrupted(sr_client *c)
{
	sr_batch b;

	ask(c, "PING");
	start(&b, c, "redis_mset");
	add_many(&b, "k%d", 10);
	state.interrupt = 0;
	CHECK(has(finish(&b), "interrupted: redis_mset: key \"k0\" failed: ") &&
			  is(ask(c, "ECHO hello"), "\"hello\""),
		  "interrupted");
}

static sr_batch *inner;
static bool		 inner_ok;

static void add_inside(void)
{
	state.inside = NULL;
	inner_ok = add(inner, "inside", "x");
}

static void test_reentered(sr_client *c)
{
	sr_batch a, b;

	start(&a, c, "redis_mset");
	start(&b, c, "redis_mset");
	add_many(&a, "k%d", 10);
	inner = &b;
	inner_ok = true;
	state.inside = add_inside;
	CHECK(is(finish(&a), "10") && !inner_ok, "a row within a wait is refused");
	sr_batch_drop(&b);
}

static void test_fork(sr_client *c)
{
	sr_batch b;
	pid_t	 child;
	int		 status = -1;

	ask(c, "FLUSHDB");
	start(&b, c, "redis_mset");
	add_many(&b, "k%d", 10);
	child = fork();
	if (child == 0)
	{
		bool good = has(finish(&b), "connection lost: redis_mset: key \"k0\" failed: ") &&
					has(err.msg, "forked") && has(err.msg, "0 succeeded, the rest was not sent");

		start(&b, c, "redis_mset");
		add(&b, "child", "x");
		good = is(finish(&b), "1") && good;
		sr_client_free(c);
		_exit(good ? 0 : 1);
	}
	waitpid(child, &status, 0);
	CHECK(status == 0 && is(ask(c, "DBSIZE"), "1"), "a child does not send its parent's rows");
	CHECK(is(finish(&b), "10") && is(ask(c, "DBSIZE"), "11"), "the parent does");
}

/* The client goes first. */
static void test_client_freed(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);
	sr_batch	b;

	start(&b, c, "redis_mset");
	add_many(&b, "k%d", 10);
	sr_client_free(c);
	CHECK(b.waiting == 0, "a client that goes takes the rows along");
	sr_batch_drop(&b);
}

int main(void)
{
	sr_settings s;
	sr_client  *c;

	if (!find_server())
		return 1;
	s = settings(server);
	c = client(&s);
	ask(c, "FLUSHDB");
	test_rows(c);
	test_many(c);
	test_groups(c);
	test_refused(c);
	test_drop(c);
	test_prefix();
	test_killed(c);
	test_interrupted(c);
	test_reentered(c);
	test_fork(c);
	test_client_freed();
	test_away();
	test_silence();
	test_unexpected();
	ask(c, "FLUSHDB");
	sr_client_free(c);
	return test_result();
}
