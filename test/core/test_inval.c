/*
 * test_inval.c - the queue of effects against a model that is too simple to be wrong, and at size.
 */
#include "core.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void push(sr_inval *q, const char *key, int depth)
{
	sr_inval_push(q, key, strlen(key), depth);
}

static bool holds(const sr_inval *q, const char *expected)
{
	char   text[512] = "";
	size_t len;
	int	   depth;

	for (size_t i = 0; i < sr_inval_count(q); i++)
	{
		sr_effect	kind;
		const char *data = sr_inval_effect(q, i, &kind, &len, &depth);
		size_t		at = strlen(text);
		sr_buf		words = {0};

		sr_effect_describe(kind, data, len, &words);
		snprintf(text + at, sizeof text - at, "%s%s%s@%d", i ? " " : "",
				 kind == SR_EFFECT_KEY ? "" : sr_effect_name(kind),
				 words.data != NULL ? words.data : "", depth);
		for (char *c = text; *c != '\0'; c++)
			*c = *c == '\n' ? ';' : *c;
		sr_buf_free(&words);
	}
	if (strcmp(text, expected) != 0)
		printf("# expected '%s', got '%s'\n", expected, text);
	return strcmp(text, expected) == 0;
}

static void test_savepoints(void)
{
	sr_inval *q = sr_inval_new();

	push(q, "a", 1);
	push(q, "b", 2);
	push(q, "a", 2);
	CHECK(holds(q, "a@1 b@2"), "a duplicate keeps its smallest depth");
	sr_inval_rollback_to(q, 1);
	CHECK(holds(q, "a@1"), "rollback_to drops what is deeper");
	push(q, "b", 3);
	sr_inval_release(q, 2);
	CHECK(holds(q, "a@1 b@2"), "release lowers the depth");
	sr_inval_release(q, 0);
	CHECK(holds(q, "a@0 b@0"), "one release for many levels");
	push(q, "c", 5);
	sr_inval_release(q, 1);
	push(q, "d", 1);
	CHECK(holds(q, "a@0 b@0 c@1 d@1"), "a released level joins the next key's");
	sr_inval_rollback_to(q, 0);
	CHECK(holds(q, "a@0 b@0"), "and goes with it");
	sr_inval_rollback_to(q, -1);
	CHECK(holds(q, ""), "rollback_to -1 drops all");
	push(q, "e", 4);
	push(q, "f", 2);
	CHECK(holds(q, "e@2 f@2"), "a level closed unannounced joins the one around it");
	push(q, "", 2);
	CHECK(sr_inval_count(q) == 3, "the empty key is a key");
	sr_inval_clear(q);
	CHECK(holds(q, ""), "clear");
	sr_inval_free(q);
}

static sr_push command(sr_inval *q, const char *word, const char *arg, int depth)
{
	const char *argv[] = {word, arg};
	size_t		lengths[] = {strlen(word), strlen(arg)};
	sr_argv		cmd = {2, argv, lengths};

	return sr_inval_push_command(q, &cmd, depth);
}

static void effect(sr_inval *q, sr_effect kind, const char *data, int depth)
{
	sr_inval_push_effect(q, kind, data, strlen(data), depth);
}

static void test_kinds(void)
{
	sr_inval *q = sr_inval_new();

	push(q, "a", 1);
	effect(q, SR_EFFECT_TAG, "a", 1);
	effect(q, SR_EFFECT_PATTERN, "a", 1);
	effect(q, SR_EFFECT_TAG, "a", 1);
	push(q, "a", 1);
	CHECK(holds(q, "a@1 taga@1 patterna@1"), "of each kind one");
	command(q, "X", "1", 1);
	push(q, "a", 1);
	push(q, "a", 1);
	effect(q, SR_EFFECT_PATTERN, "a", 1);
	CHECK(holds(q, "a@1 taga@1 patterna@1 commandX 1@1 a@1 patterna@1"),
		  "what comes after a command is not what came before");
	command(q, "X", "2", 1);
	command(q, "Y", "3 4", 1);
	command(q, "Z", "5", 2);
	push(q, "a", 2);
	CHECK(holds(q, "a@1 taga@1 patterna@1 commandX 1@1 a@1 patterna@1 commandX 2;Y \"3 4\"@1 "
				   "commandZ 5@2 a@2"),
		  "commands of one depth make a group");
	CHECK(sr_inval_count_of(q, SR_EFFECT_KEY) == 3 && sr_inval_count_of(q, SR_EFFECT_TAG) == 1 &&
			  sr_inval_count_of(q, SR_EFFECT_PATTERN) == 2 &&
			  sr_inval_count_of(q, SR_EFFECT_COMMANDS) == 3,
		  "counted");
	sr_inval_rollback_to(q, 1);
	push(q, "a", 1);
	CHECK(holds(q, "a@1 taga@1 patterna@1 commandX 1@1 a@1 patterna@1 commandX 2;Y \"3 4\"@1 a@1"),
		  "a rollback takes its commands, and what comes next knows");
	sr_inval_rollback_to(q, 0);
	CHECK(sr_inval_count_of(q, SR_EFFECT_COMMANDS) == 0 && !sr_inval_contains(q, "a", 1),
		  "all gone");
	push(q, "b", 1);
	effect(q, SR_EFFECT_TAG, "c", 1);
	command(q, "X", "1", 2);
	CHECK(sr_inval_contains(q, "b", 1) && !sr_inval_contains(q, "c", 1), "a tag is no key");
	push(q, "b", 2);
	sr_inval_rollback_to(q, 1);
	CHECK(holds(q, "b@1 tagc@1") && sr_inval_contains(q, "b", 1), "a key that was there twice");
	push(q, "b", 1);
	CHECK(sr_inval_count(q) == 2, "is there once again");
	sr_inval_free(q);
}

static void test_groups(void)
{
	sr_inval   *q = sr_inval_new();
	sr_inval   *copy = sr_inval_new();
	char	   *large = calloc(1, 40000);
	sr_effect	kind;
	size_t		len;
	const char *data;
	char		id[SR_COMMANDS_ID];
	const char *argv[SR_COMMAND_ARGS + 1];
	size_t		lengths[SR_COMMAND_ARGS + 1];
	sr_argv		cmd = {SR_COMMAND_ARGS + 1, argv, lengths};

	for (int i = 0; i < 100; i++)
		command(q, "X", "1", 1);
	data = sr_inval_effect(q, 0, &kind, &len, NULL);
	CHECK(sr_inval_count(q) == 2 && sr_effects_commands(kind, data, len) == 64, "64 in a group");
	memcpy(id, data, sizeof id);
	data = sr_inval_effect(q, 1, &kind, &len, NULL);
	CHECK(sr_effects_commands(kind, data, len) == 36 && memcmp(id, data, sizeof id) != 0,
		  "each has its own id");
	sr_inval_push_effect(copy, kind, data, len, 1);
	command(copy, "Y", "2", 1);
	CHECK(sr_inval_count(copy) == 2, "none joins one that came from elsewhere");
	memset(large, 'x', 39999);
	command(q, "X", large, 1);
	command(q, "X", "1", 1);
	CHECK(sr_inval_count(q) == 4, "a large command is alone");
	sr_inval_release(q, 0);
	command(q, "X", "1", 0);
	CHECK(sr_inval_count(q) == 4, "a released group is still open");
	for (int i = 0; i <= SR_COMMAND_ARGS; i++)
	{
		argv[i] = "x";
		lengths[i] = 1;
	}
	CHECK(sr_inval_push_command(q, &cmd, 0) == SR_PUSH_NO_MEMORY && sr_inval_count(q) == 4,
		  "too many words");
	cmd.argc = 0;
	CHECK(sr_inval_push_command(q, &cmd, 0) == SR_PUSH_NO_MEMORY, "no word");
	free(large);
	sr_inval_free(q);
	sr_inval_free(copy);
}

/* ---- the model: an array, searched from the start ---- */

typedef struct model
{
	int	   kind[4096], key[4096], depth[4096];
	size_t count;
} model;

static void model_push(model *m, int kind, int key, int depth)
{
	size_t i = m->count;

	/* back to the last command, and no further */
	while (kind != SR_EFFECT_COMMANDS && i > 0 && m->kind[i - 1] != SR_EFFECT_COMMANDS)
		if (m->key[--i] == key && m->kind[i] == kind)
			return;
	m->kind[m->count] = kind;
	m->key[m->count] = key;
	m->depth[m->count++] = depth;
}

static void model_rollback(model *m, int n)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->count; i++)
		if (m->depth[i] <= n)
		{
			m->kind[kept] = m->kind[i];
			m->key[kept] = m->key[i];
			m->depth[kept++] = m->depth[i];
		}
	m->count = kept;
}

static void model_release(model *m, int n)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->depth[i] > n)
			m->depth[i] = n;
}

static bool same(const model *m, const sr_inval *q)
{
	size_t counts[SR_EFFECT_COMMANDS + 1] = {0};

	if (m->count != sr_inval_count(q))
		return false;
	for (size_t i = 0; i < m->count; i++)
	{
		size_t		len;
		int			depth;
		sr_effect	kind;
		const char *data = sr_inval_effect(q, i, &kind, &len, &depth);

		counts[kind]++;
		if (depth != m->depth[i] || (int) kind != m->kind[i] || len < sizeof(int) ||
			memcmp(data, &m->key[i], sizeof(int)) != 0)
			return false;
	}
	for (int kind = 0; kind <= SR_EFFECT_COMMANDS; kind++)
		if (counts[kind] != sr_inval_count_of(q, (sr_effect) kind))
			return false;
	return true;
}

/* Is each key found that is there, and no other? */
static bool same_keys(const model *m, const sr_inval *q, int key)
{
	bool there = false;

	for (size_t i = 0; i < m->count; i++)
		there = there || (m->kind[i] == SR_EFFECT_KEY && m->key[i] == key);
	return there == sr_inval_contains(q, (char *) &key, sizeof key);
}

/* Commands come as groups from elsewhere do, so that each is an effect of its own. */
static void push_both(model *m, sr_inval *q, int depth)
{
	int key = (int) (random() % 300), kind = (int) (random() % 40);

	kind = kind == 0 ? SR_EFFECT_COMMANDS : kind % 3;
	sr_inval_push_effect(q, (sr_effect) kind, (char *) &key, sizeof key, depth);
	model_push(m, kind, key, depth);
}

static void test_random(void)
{
	const char *given = getenv("SR_TEST_SEED");
	unsigned	seed = given ? (unsigned) strtoul(given, NULL, 10) : (unsigned) time(NULL);
	sr_inval   *q = sr_inval_new();
	model	   *m = calloc(1, sizeof *m);
	bool		good = true;
	int			depth = 1;

	printf("# seed %u\n", seed);
	srandom(seed);
	for (int step = 0; step < 20000 && good; step++)
	{
		int what = (int) (random() % 100);

		if (what < 80 && m->count < 4096)
			push_both(m, q, depth);
		else if (what < 88)
			depth++;
		else if (depth > 1 && what < 94)
		{
			depth -= 1 + (int) (random() % (depth - 1 > 2 ? 2 : 1));
			sr_inval_release(q, depth);
			model_release(m, depth);
		}
		else if (depth > 1 && what < 99)
		{
			depth--;
			sr_inval_rollback_to(q, depth);
			model_rollback(m, depth);
		}
		else if (what == 99)
		{
			sr_inval_clear(q);
			m->count = 0;
		}
		good = same(m, q) && same_keys(m, q, (int) (random() % 300));
	}
	CHECK(good, "twenty thousand random steps agree with the model");
	free(m);
	sr_inval_free(q);
}

/* What no Redis would take must not stand in the way of the rest for ever. */
static void test_too_large(void)
{
	static const size_t most = SR_INVAL_MAX_KEY;
	sr_inval		   *q = sr_inval_new();
	char			   *large = calloc(1, (size_t) 512 << 20);
	const char		   *argv[] = {"SET", "k", large};
	size_t				lengths[] = {3, 1, (size_t) 512 << 20};
	sr_argv				cmd = {3, argv, lengths};

	CHECK(sr_inval_push(q, large, most + 1, 1) == SR_PUSH_NO_MEMORY &&
			  sr_inval_push_effect(q, SR_EFFECT_TAG, large, most + 1, 1) == SR_PUSH_NO_MEMORY &&
			  sr_inval_push_effect(q, SR_EFFECT_PATTERN, large, most + 1, 1) == SR_PUSH_NO_MEMORY,
		  "a key that is too large");
	CHECK(sr_inval_push_command(q, &cmd, 1) == SR_PUSH_NO_MEMORY && sr_inval_count(q) == 0,
		  "a command that is");
	CHECK(sr_inval_push(q, large, most, 1) == SR_PUSH_NEW, "one that is not quite");
	free(large);
	sr_inval_free(q);
}

static void test_empty(void)
{
	sr_inval *q = sr_inval_new();

	push(q, "", 1);
	push(q, "", 2);
	CHECK(sr_inval_count(q) == 1 && sr_inval_contains(q, "", 0), "a key of no bytes");
	sr_inval_free(q);
}

static void test_size(void)
{
	sr_inval *q = sr_inval_new();
	char	  key[32];
	bool	  good = true;

	for (int i = 0; i < 1000000 && good; i++)
	{
		int len = snprintf(key, sizeof key, "user:%d", i);

		good = sr_inval_push(q, key, (size_t) len, 1) == SR_PUSH_NEW;
	}
	CHECK(good && sr_inval_count(q) == 1000000, "a million keys");
	sr_inval_rollback_to(q, 0);
	/* A loop of savepoints under a long queue: quadratic, this would not end. */
	for (int i = 0; i < 100000; i++)
	{
		int len = snprintf(key, sizeof key, "user:%d", i);

		sr_inval_push(q, key, (size_t) len, 2);
		if (i % 2)
			sr_inval_release(q, 1);
		else
			sr_inval_rollback_to(q, 1);
	}
	CHECK(sr_inval_count(q) == 50000, "a hundred thousand savepoints");
	sr_inval_clear(q);
	/* The same key before each of as many commands: neither must this. */
	for (int i = 0; i < 100000; i++)
	{
		sr_inval_push(q, "list", 4, 1);
		command(q, "PUBLISH", "x", i % 3 == 0 ? 2 : 1);
		if (i % 3 == 0)
			sr_inval_rollback_to(q, 1);
	}
	CHECK(sr_inval_count_of(q, SR_EFFECT_KEY) == 66667 &&
			  sr_inval_count_of(q, SR_EFFECT_COMMANDS) == 66666,
		  "one key before and after a hundred thousand commands");
	while (sr_inval_count(q) > 0 && good)
	{
		good = sr_inval_contains(q, "list", 4);
		sr_inval_rollback_to(q, 0);
	}
	CHECK(good, "and its end");
	sr_inval_free(q);
}

int main(void)
{
	test_savepoints();
	test_kinds();
	test_groups();
	test_random();
	test_size();
	test_too_large();
	test_empty();
	return test_result();
}
