/*
 * test_inval.c - the queue of keys against a model that is too simple to be wrong, and at size.
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
		const char *key = sr_inval_effect(q, i, &(sr_effect){0}, &len, &depth);
		size_t		at = strlen(text);

		snprintf(text + at, sizeof text - at, "%s%.*s@%d", i ? " " : "", (int) len, key, depth);
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

/* ---- the model: an array, searched from the start ---- */

typedef struct model
{
	int	   key[4096], depth[4096];
	size_t count;
} model;

static void model_push(model *m, int key, int depth)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->key[i] == key)
			return;
	m->key[m->count] = key;
	m->depth[m->count++] = depth;
}

static void model_rollback(model *m, int n)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->count; i++)
		if (m->depth[i] <= n)
		{
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
	if (m->count != sr_inval_count(q))
		return false;
	for (size_t i = 0; i < m->count; i++)
	{
		size_t		len;
		int			depth;
		const char *key = sr_inval_effect(q, i, &(sr_effect){0}, &len, &depth);

		if (depth != m->depth[i] || len != sizeof(int) || memcmp(key, &m->key[i], len) != 0)
			return false;
	}
	return true;
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
		int key = (int) (random() % 600), what = (int) (random() % 100);

		if (what < 80)
		{
			sr_inval_push(q, (char *) &key, sizeof key, depth);
			model_push(m, key, depth);
		}
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
		good = same(m, q);
	}
	CHECK(good, "twenty thousand random steps agree with the model");
	free(m);
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
	sr_inval_free(q);
}

int main(void)
{
	test_savepoints();
	test_random();
	test_size();
	return test_result();
}
