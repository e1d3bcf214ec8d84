/*
 * test_hostile.c - rows from a server that answers anything at all: rows or an error, never a crash, a
 * read beyond a reply or a number that overflows (ASan and UBSan see them).
 */
#include "command.h"
#include "peer.h"
#include "rowset.h"
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct anything
{
	uint64_t random;
	sr_buf	 text;
} anything;

static unsigned roll(anything *a, unsigned sides)
{
	a->random = a->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned) (a->random >> 33) % sides;
}

static void add_word(anything *a)
{
	static const char *const words[] = {
		"0",
		"1",
		"a",
		"",
		"5-1",
		"7-7",
		"-1",
		"x",
		"9-9-9",
		"1e309",
		"-",
		"nan",
		"12345-0",
		"\xff",
		"100000000000000000000000000000000000000000000000000000000000000000000000000000000000"};
	const char *word = words[roll(a, sizeof(words) / sizeof(words[0]))];

	sr_buf_fmt(&a->text, "$%zu\r\n%s\r\n", strlen(word), word);
}

static void add_anything(anything *a, int depth)
{
	unsigned kind = roll(a, 16);
	unsigned count = roll(a, 5);

	if (kind < 8 && depth < 4)
	{
		sr_buf_fmt(&a->text, "*%u\r\n", count);
		for (unsigned i = 0; i < count; i++)
			add_anything(a, depth + 1);
	}
	else if (kind == 8)
		sr_buf_fmt(&a->text, ":%d\r\n", (int) roll(a, 5000) - 2000);
	else if (kind == 9)
		sr_buf_str(&a->text, ":9223372036854775807\r\n");
	else if (kind == 10)
		sr_buf_str(&a->text, roll(a, 2) ? "$-1\r\n" : "*-1\r\n");
	else if (kind == 11)
		sr_buf_str(&a->text, depth > 0 || roll(a, 4) == 0 ? "-ERR no\r\n" : "+OK\r\n");
	else
		add_word(a);
}

/* A page, as often as not: what follows a first page is to be reached. */
static const char *answer_anything(void *ctx, const char *command)
{
	anything *a = ctx;
	unsigned  count = strstr(command, "WITHSCORES") != NULL ? 2000 : 1000;

	a->text.len = 0;
	if (roll(a, 3) > 0)
		add_anything(a, 0);
	else if (strstr(command, "SCAN ") != NULL)
	{
		sr_buf_str(&a->text, "*2\r\n");
		add_word(a);
		add_anything(a, 1);
	}
	else if (strchr("XZL", command[0]) != NULL && strstr(command, "RANGE") != NULL)
	{
		sr_buf_fmt(&a->text, "*%u\r\n", count);
		for (unsigned i = 0; i < count; i++)
			if (command[0] != 'X')
				sr_buf_str(&a->text, "$1\r\n1\r\n");
			else if (i + 1 < count || roll(a, 2))
				sr_buf_str(&a->text, "*2\r\n$3\r\n5-1\r\n*0\r\n");
			else
				add_anything(a, 1);
	}
	else
		sr_buf_fmt(&a->text, ":%d\r\n", roll(a, 2) ? 1000 : 5000);
	return a->text.data;
}

/* Some rows of every function that has any; none of it may be more than an error. */
static void call_all(sr_client *c, anything *a)
{
	static const int64_t numbers[] = {0, -1, 5, -5000, 3000, INT64_MAX, INT64_MIN};

	for (size_t i = 0; i < sr_command_count; i++)
	{
		const sr_command *cmd = &sr_commands[i];
		sr_value		  args[SR_MAX_ARGS] = {0};
		int				  n = 0;
		sr_err			  err = {0};
		sr_rows			 *rows;

		if (cmd->shape != SR_SHAPE_ROWS || (cmd->flags & SR_ENGINE) || cmd->redis == NULL ||
			strcmp(cmd->redis, "MGET") == 0)
			continue;
		for (; cmd->args[n].name != NULL; n++)
			args[n] = sr_arg_is_number(&cmd->args[n]) ? INT(numbers[roll(a, 7)]) : TEXT("1");
		rows = open_rows(c, cmd->name, n, args, &err);
		if (rows == NULL || read_rows(&rows, 5000, &err) < 0)
		{
			if (err.cls == SR_OK || err.cls == SR_E_LOST || err.cls == SR_E_TIMEOUT)
				CHECK(false, cmd->name);
		}
		sr_rows_close(rows);
	}
}

static void test_hostile(void)
{
	const char *given = getenv("SEED");
	uint64_t	seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t) host_now(&state);
	anything	theirs = {.random = seed}, ours = {.random = seed + 1};
	sr_settings s;
	sr_client  *c;
	peer	   *p = peer_start(answer_anything, &theirs);

	printf("# SEED=%llu\n", (unsigned long long) seed);
	if (!CHECK(p != NULL, "a server of our own"))
		return;
	s = settings(peer_url(p));
	c = client(&s);
	for (int i = 0; i < 100; i++)
		call_all(c, &ours);
	CHECK(sr_client_stats(c)->errors[SR_E_PROTOCOL] == 0 && sent(c) > 1000,
		  "whatever the server answers, it is an error or rows");
	sr_client_free(c);
	peer_stop(p);
	sr_buf_free(&theirs.text);
}

/*
 * A list of INT64_MAX + 1 elements; a stream that has the same entry again and again, or one entry more
 * than was asked for.
 */
static const char *answer_too_much(void *ctx, const char *command)
{
	sr_buf	   *text = ctx;
	const char *count = strstr(command, "COUNT ");
	int64_t		first, last = 0, n;

	text->len = 0;
	if (sscanf(command, "LRANGE l %" SCNd64 " %" SCNd64, &first, &last) == 2)
		n = last - first + 1;
	else
		n = count != NULL ? atoi(count + 6) + (strstr(command, " more ") != NULL) : 0;
	sr_buf_fmt(text, "*%" PRId64 "\r\n", n);
	for (int64_t i = 0; i < n; i++)
		sr_buf_str(text, command[0] == 'L'			   ? "$1\r\ne\r\n"
						 : strncmp(command, "XREV", 4) ? "*2\r\n$3\r\n5-1\r\n*0\r\n"
													   : "*2\r\n$3\r\n9-9\r\n*0\r\n");
	return strncmp(command, "LLEN", 4) == 0 ? ":9223372036854775807\r\n" : text->data;
}

static void test_too_much(void)
{
	sr_buf		text = {0};
	sr_class	cls;
	sr_settings s;
	sr_client  *c;
	peer	   *p = peer_start(answer_too_much, &text);

	if (!CHECK(p != NULL, "a server that has too much"))
		return;
	s = settings(peer_url(p));
	c = client(&s);
	CHECK(COUNT(c, "redis_lrange", NULL, TEXT("l"), INT(INT64_MAX - 1500), INT(INT64_MAX)) == 1501,
		  "the last positions there can be");
	CHECK(COUNT(c, "redis_lrange", NULL, TEXT("l"), INT(INT64_MAX), NONE) == 1,
		  "the very last one");
	CHECK(COUNT(c, "redis_lrange", NULL, TEXT("l"), INT(INT64_MAX - 2500), NONE) == 2500,
		  "to the end of what LLEN can say");
	CHECK(COUNT(c, "redis_lrange", NULL, TEXT("l"), INT(-2500), INT(-1)) == 2500, "from the end");
	CHECK(COUNT(c, "redis_xrange", &cls, TEXT("same")) == -1 && cls == SR_E_PROTOCOL,
		  "a stream's page that comes again");
	CHECK(COUNT(c, "redis_xrange", &cls, TEXT("more"), NONE, NONE, INT(10)) == -1 &&
			  cls == SR_E_PROTOCOL,
		  "more entries than were asked for");
	sr_client_free(c);
	peer_stop(p);
	sr_buf_free(&text);
}

/* More members below the range than numbers go, and then fewer in it than there were. */
static const char *answer_beyond(void *ctx, const char *command)
{
	sr_buf *text = ctx;

	text->len = 0;
	if (strncmp(command, "ZCOUNT z -inf", 13) == 0)
		return ":9223372036854775807\r\n";
	if (strncmp(command, "ZCOUNT", 6) == 0)
		return ":0\r\n";
	sr_buf_str(text, "*2000\r\n");
	for (int i = 0; i < 2000; i++)
		sr_buf_str(text, "$1\r\n1\r\n");
	return text->data;
}

static void test_beyond(void)
{
	sr_buf		text = {0};
	sr_class	cls = SR_OK;
	peer	   *p = peer_start(answer_beyond, &text);
	sr_settings s = settings(peer_url(p));
	sr_client  *c = client(&s);

	CHECK(COUNT(c, "redis_zrangebyscore", &cls, TEXT("z"), INT(1), INT(2)) == -1 &&
			  cls == SR_E_PROTOCOL,
		  "positions beyond 64 bits");
	sr_client_free(c);
	peer_stop(p);
	sr_buf_free(&text);
}

/* A server that reads a command, does who knows what, and closes. */
static const char *close_after(void *ctx, const char *command)
{
	int *seen = ctx;

	(void) command;
	++*seen;
	return NULL;
}

static sr_value some_argument(const sr_arg *arg)
{
	if (arg->kind == SR_ARG_WORD)
		return (sr_value){
			.type = SR_TYPE_TEXT, .data = arg->words, .len = strcspn(arg->words, "|")};
	if (arg->kind == SR_ARG_JSON)
		return strcmp(arg->name, "fields") == 0 ? TEXT("{\"a\": 1}") : TEXT("[[\"INCR\", \"a\"]]");
	return sr_arg_is_number(arg) ? INT(1) : TEXT("1");
}

/* Call a function with an argument for each of its row's, and one more of a variadic one's. */
static void call_one(sr_client *c, const sr_command *cmd, sr_err *err)
{
	sr_value args[SR_MAX_ARGS + 1];
	int		 n = 0;

	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
	{
		args[n++] = some_argument(arg);
		if (arg->flags & SR_VARIADIC)
			args[n++] = some_argument(arg);
		else if (arg->flags & SR_OPTIONAL && arg->kind != SR_ARG_INTEGER)
			args[n - 1] = NONE;
	}
	if (cmd->shape == SR_SHAPE_ROWS)
		sr_rows_close(open_rows(c, cmd->name, n, args, err));
	else
	{
		sr_result result;

		sr_invoke(c, cmd, n, args, &result, err);
		sr_result_free(&result);
	}
}

/*
 * Those whose script does nothing when it is asked the same again, those that only read what they act on at
 * commit, or read when their optional arguments are left out, and one that leaves out a number of its ids.
 */
static bool may_repeat(const sr_command *cmd)
{
	static const char *const names[] = {"redis_idempotent_result", "redis_ack", "redis_session_get",
										"redis_bullmq_add"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(cmd->name, names[i]) == 0)
			return true;
	return strstr(cmd->name, "lock") != NULL;
}

/* They have an answer without Redis, or ask it nothing. */
static bool need_not_fail(const sr_command *cmd)
{
	return strstr(cmd->name, "rate_limit") != NULL || strcmp(cmd->name, "redis_allow") == 0 ||
		   strcmp(cmd->name, "redis_enqueue") == 0;
}

/* Whoever set the key anew in the meantime would lose what he wrote, and a count would be wrong. */
static void test_not_twice(void)
{
	int			seen = 0;
	peer	   *p = peer_start(close_after, &seen);
	sr_settings s = settings(peer_url(p));
	sr_client  *c = client(&s);
	sr_inval   *effects = sr_inval_new();
	sr_bound	bound = {.queue = effects};

	for (size_t i = 0; i < sr_command_count; i++)
	{
		const sr_command *cmd = &sr_commands[i];
		sr_err			  err = {0};

		if ((cmd->group != SR_GROUP_WRITE && cmd->group != SR_GROUP_ADMIN) ||
			(cmd->flags & (SR_ENGINE | SR_AGGREGATE | SR_READ)) || may_repeat(cmd))
			continue;
		seen = 0;
		sr_client_bind(c, &bound);
		call_one(c, cmd, &err);
		sr_client_bind(c, NULL);
		if (need_not_fail(cmd)
				? seen > 1
				: seen != 1 || err.cls != SR_E_LOST || strstr(err.msg, "unknown") == NULL)
		{
			printf("# %d times: %s\n", seen, err.msg);
			CHECK(false, cmd->name);
		}
	}
	CHECK(true, "nothing that writes is sent twice");
	sr_client_free(c);
	sr_inval_free(effects);
	peer_stop(p);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_hostile();
	test_too_much();
	test_beyond();
	test_not_twice();
	return test_result();
}
