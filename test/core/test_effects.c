/*
 * test_effects.c - effects as bytes that rows keep, and as words.
 */
#include "core.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void effect(sr_inval *q, sr_effect kind, const char *data)
{
	sr_inval_push_effect(q, kind, data, strlen(data), 1);
}

/* A command of words without spaces. */
static void command(sr_inval *q, const char *words, int depth)
{
	const char *argv[16];
	size_t		lengths[16];
	sr_argv		cmd = {0, argv, lengths};

	while (*words != '\0')
	{
		size_t len = strcspn(words, " ");

		argv[cmd.argc] = words;
		lengths[cmd.argc++] = len;
		words += len + (words[len] == ' ');
	}
	sr_inval_push_command(q, &cmd, depth);
}

static bool same(const sr_inval *a, const sr_inval *b)
{
	bool good = sr_inval_count(a) == sr_inval_count(b);

	for (size_t i = 0; good && i < sr_inval_count(a); i++)
	{
		sr_effect	kind[2];
		size_t		len[2];
		const char *x = sr_inval_effect(a, i, &kind[0], &len[0], NULL);
		const char *y = sr_inval_effect(b, i, &kind[1], &len[1], NULL);

		good = kind[0] == kind[1] && len[0] == len[1] && memcmp(x, y, len[0]) == 0;
	}
	return good;
}

static sr_inval *some(void)
{
	sr_inval *q = sr_inval_new();

	effect(q, SR_EFFECT_KEY, "user:1");
	effect(q, SR_EFFECT_KEY, "");
	effect(q, SR_EFFECT_TAG, "app:sqlredis:tag:team:5");
	effect(q, SR_EFFECT_PATTERN, "user:*");
	command(q, "PUBLISH news hello", 1);
	command(q, "SET a 1", 2);
	effect(q, SR_EFFECT_KEY, "user:1");
	return q;
}

static void test_format(void)
{
	static const char expected[] = "\1K\0\0\0\1aT\0\0\0\1bP\0\0\1\2*?";
	sr_inval		 *q = sr_inval_new();
	sr_buf			  out = {0};
	size_t			  at = 0;
	char			  pattern[259];

	effect(q, SR_EFFECT_KEY, "a");
	effect(q, SR_EFFECT_TAG, "b");
	memset(pattern, '?', sizeof pattern - 1);
	pattern[0] = '*';
	pattern[258] = '\0';
	effect(q, SR_EFFECT_PATTERN, pattern);
	CHECK(sr_effects_pack(q, &at, SIZE_MAX, &out) && at == 3 && out.len == 1 + 6 + 6 + 5 + 258 &&
			  memcmp(out.data, expected, sizeof expected - 1) == 0,
		  "the bytes that rows have had since version 1");
	sr_inval_clear(q);
	out.len = at = 0;
	command(q, "SET k", 1);
	CHECK(sr_effects_pack(q, &at, SIZE_MAX, &out) && out.len == 1 + 5 + 16 + 4 + 7 + 5 &&
			  memcmp(out.data + 1, "C\0\0\0\40", 5) == 0 &&
			  memcmp(out.data + 22, "\0\0\0\2\0\0\0\3SET\0\0\0\1k", 16) == 0,
		  "and those of commands");
	sr_buf_free(&out);
	sr_inval_free(q);
}

static void test_round_trip(void)
{
	sr_inval *q = some(), *copy = sr_inval_new();
	sr_buf	  out = {0};
	size_t	  at = 0, chunks = 0;
	sr_err	  err;
	bool	  good = true;

	CHECK(sr_effects_pack(q, &at, SIZE_MAX, &out) && at == sr_inval_count(q) &&
			  sr_effects_unpack(copy, out.data, out.len, &err) && same(q, copy),
		  "what is packed comes back");
	CHECK(sr_effects_unpack(copy, out.data, out.len, &err) && sr_inval_count(copy) == 13,
		  "twice: what stands before a command, commands and what stands behind them");
	sr_inval_clear(copy);
	for (at = 0; good && at < sr_inval_count(q); chunks++)
	{
		out.len = 0;
		good = sr_effects_pack(q, &at, 24, &out) && (out.len <= 24 || chunks > 0) &&
			   sr_effects_unpack(copy, out.data, out.len, &err);
	}
	CHECK(good && chunks == 6 && same(q, copy), "in chunks of which each holds at least one");
	sr_buf_free(&out);
	out.max = 3;
	at = 0;
	CHECK(!sr_effects_pack(q, &at, SIZE_MAX, &out) && at == 0 && out.len == 0, "no room");
	sr_buf_free(&out);
	sr_inval_free(q);
	sr_inval_free(copy);
}

static bool described(sr_effect kind, const char *data, size_t len, const char *expected)
{
	sr_buf out = {0};
	bool   good;

	sr_buf_str(&out, "");
	good = sr_effect_describe(kind, data, len, &out) && strcmp(out.data, expected) == 0;
	if (!good)
		printf("# got %s\n", out.data);
	sr_buf_free(&out);
	return good;
}

static bool line_described(const char *const *words, int n, const char *expected)
{
	sr_inval   *q = sr_inval_new();
	size_t		lengths[8], len;
	sr_argv		cmd = {n, (const char **) (uintptr_t) words, lengths};
	sr_effect	kind;
	const char *data;
	bool		good;

	for (int i = 0; i < n; i++)
		lengths[i] = strlen(words[i]);
	sr_inval_push_command(q, &cmd, 1);
	data = sr_inval_effect(q, 0, &kind, &len, NULL);
	good = described(kind, data, len, expected);
	sr_inval_free(q);
	return good;
}

static void test_words(void)
{
	CHECK(described(SR_EFFECT_KEY, "user:\xC3\xA9 1", 9, "user:\xC3\xA9 1"), "a key as it is");
	CHECK(described(SR_EFFECT_KEY, "a\0\xFF\n\xC3", 5, "a\\x00\\xff\\x0a\\xc3"), "of any bytes");
	CHECK(described(SR_EFFECT_TAG, "app:sqlredis:tag:t", 18, "t"), "a tag by its name");
	CHECK(described(SR_EFFECT_TAG, "other", 5, "other"), "or by what it is");
	CHECK(described(SR_EFFECT_PATTERN, "*", 1, "*"), "a pattern");
	CHECK(line_described((const char *const[]){"SET", "a b", "", "it\"s", "\\", "\n", "\xFF"}, 7,
						 "SET \"a b\" \"\" \"it\\\"s\" \"\\\\\" \"\\x0a\" \"\\xff\""),
		  "a command as redis-cli takes it");
	CHECK(described(SR_EFFECT_COMMANDS, "short", 5, ""), "no commands at all");
}

/* Who lists an outbox need not wait for megabytes in words. */
static void test_long(sr_buf *packed)
{
	static char word[100001];
	const char *args[] = {"SET", word, word};
	sr_inval   *q = sr_inval_new();
	sr_buf		out = {0};
	size_t		at = 0;
	sr_err		err;

	memset(word, '\xff', sizeof word - 1);
	for (int i = 0; i < 60; i++)
		command(q, "SET a-key-that-is-not-so-short and-a-value", 0);
	effect(q, SR_EFFECT_KEY, word);
	sr_inval_push_command(
		q, &(sr_argv){.argv = args, .argvlen = (size_t[]){3, 100000, 100000}, .argc = 3}, 0);
	packed->len = 0;
	sr_effects_pack(q, &at, SIZE_MAX, packed);
	CHECK(sr_effects_json(packed->data, packed->len, 100, &out, &err) && out.len < 20000 &&
			  sr_is_utf8(out.data, out.len) && strstr(out.data, "...\",\"\\\\xff") != NULL &&
			  strstr(out.data, "SET \\\"\\\\xff\\\\xff") != NULL &&
			  strstr(out.data, " ...\"]") != NULL,
		  "the beginnings of long ones");
	sr_buf_free(&out);
	sr_inval_free(q);
}

static void test_json(void)
{
	sr_inval *q = some();
	sr_buf	  packed = {0}, out = {0};
	size_t	  at = 0;
	sr_err	  err;

	effect(q, SR_EFFECT_KEY, "\"\\");
	command(q, "X 1", 1);
	command(q, "Y 2", 1);
	sr_effects_pack(q, &at, SIZE_MAX, &packed);
	CHECK(sr_effects_json(packed.data, packed.len, 100, &out, &err) &&
			  strcmp(out.data, "[\"user:1\",\"\",\"team:5\",\"user:*\",\"PUBLISH news hello\","
							   "\"SET a 1\",\"user:1\",\"\\\"\\\\\",\"X 1\\nY 2\"]") == 0,
		  "a JSON array");
	out.len = 0;
	CHECK(sr_effects_json(packed.data, packed.len, 2, &out, &err) &&
			  strcmp(out.data, "[\"user:1\",\"\",\"... 7 more\"]") == 0,
		  "cut");
	out.len = 0;
	CHECK(!sr_effects_json("\2", 1, 2, &out, &err) && out.len == 0 &&
			  strstr(err.msg, "version") != NULL,
		  "of something else");
	test_long(&packed);
	sr_buf_free(&packed);
	sr_buf_free(&out);
	sr_inval_free(q);
}

static bool named(bool (*name)(const char *, size_t, sr_buf *), const char *key,
				  const char *expected)
{
	sr_buf out = {0};
	bool   good = name(key, strlen(key), &out) && strcmp(out.data, expected) == 0;

	if (!good)
		printf("# got %s\n", out.data);
	sr_buf_free(&out);
	return good;
}

static bool tag_key(const char *tag, size_t len, sr_buf *out)
{
	return sr_tag_key("app:", 4, tag, len, out);
}

static void test_names(void)
{
	CHECK(named(sr_entry_key, "user:1", "user:1:sqlredis{user:1}"), "an entry's key");
	CHECK(named(sr_entry_key, "{user}:1", "{user}:1:sqlredis"), "in its key's slot");
	CHECK(named(sr_entry_key, "{}a", "{}a:sqlredis{{}a}") &&
			  named(sr_entry_key, "a{b", "a{b:sqlredis{a{b}") &&
			  named(sr_entry_key, "}a{", "}a{:sqlredis{}a{}") &&
			  named(sr_entry_key, "", ":sqlredis{}"),
		  "of keys with other braces");
	CHECK(named(tag_key, "team:5", "app:sqlredis:tag:team:5"), "a tag's record");
}

/* Bytes that a row may hold although we did not write them. */
static void test_refused(void)
{
	static const struct
	{
		const char *bytes;
		size_t		len;
	} wrong[] = {
		{"", 0},
		{"\0", 1},
		{"\2K\0\0\0\1a", 7},
		{"\1K", 2},
		{"\1K\0\0\0", 5},
		{"\1K\0\0\0\2a", 7},
		{"\1K\377\377\377\377a", 7},
		{"\1X\0\0\0\1a", 7},
		{"\1K\0\0\0\1aK", 8},
		{"\1C\0\0\0\0", 6},
		{"\1C\0\0\0\x10iiiiiiiiiiiiiiii", 22},
		{"\1C\0\0\0\x14iiiiiiiiiiiiiiii\0\0\0\0", 26},
		{"\1C\0\0\0\x14iiiiiiiiiiiiiiii\0\0\0\1", 26},
		{"\1C\0\0\0\x14iiiiiiiiiiiiiiii\377\377\377\377", 26},
		{"\1C\0\0\0\x1Aiiiiiiiiiiiiiiii\0\0\0\1\0\0\0\1xy", 32},
	};
	sr_inval *q = sr_inval_new();
	sr_err	  err;
	bool	  good = true;

	for (size_t i = 0; good && i < sizeof wrong / sizeof wrong[0]; i++)
	{
		/* where ASan sees the end */
		char *bytes = malloc(wrong[i].len > 0 ? wrong[i].len : 1);

		memcpy(bytes, wrong[i].bytes, wrong[i].len);
		good = !sr_effects_unpack(q, bytes, wrong[i].len, &err) && err.cls == SR_E_OPTION &&
			   sr_inval_count(q) == 0;
		if (!good)
			printf("# number %zu was taken\n", i);
		free(bytes);
	}
	CHECK(good, "what sr_effects_pack does not make");
	CHECK(!sr_effects_unpack(q, "\1K\0\0\0\1aK\0\0\0\2a", 13, &err) && sr_inval_count(q) == 0,
		  "all or nothing");
	CHECK(sr_effects_unpack(q, "\1", 1, &err) && sr_inval_count(q) == 0, "nothing");
	sr_inval_free(q);
}

/* Valid bytes with a few changed: taken or not, in bounds; and what is taken packs to the same. */
static void test_random(void)
{
	const char *given = getenv("SR_TEST_SEED");
	unsigned	seed = given ? (unsigned) strtoul(given, NULL, 10) : (unsigned) time(NULL);
	sr_inval   *q = some(), *copy = sr_inval_new();
	sr_buf		packed = {0}, out = {0};
	size_t		at = 0, taken = 0;
	bool		good = true;

	printf("# seed %u\n", seed);
	srandom(seed);
	sr_effects_pack(q, &at, SIZE_MAX, &packed);
	for (int n = 0; n < 100000 && good; n++)
	{
		size_t len = random() % 2 ? packed.len : (size_t) random() % (packed.len + 1);
		char  *bytes = malloc(len > 0 ? len : 1);

		memcpy(bytes, packed.data, len);
		for (long changes = random() % 4; changes > 0 && len > 0; changes--)
			bytes[(size_t) random() % len] = (char) (random() % 3 ? random() % 8 : random());
		sr_inval_clear(copy);
		out.len = at = 0;
		sr_effects_json(bytes, len, 3, &out, NULL);
		out.len = 0;
		if (sr_effects_unpack(copy, bytes, len, NULL))
		{
			taken++;
			sr_effects_pack(copy, &at, SIZE_MAX, &out);
			good = out.len <= len; /* less when a change made duplicates */
		}
		else
			good = sr_inval_count(copy) == 0;
		free(bytes);
	}
	CHECK(good && taken > 100, "a hundred thousand changes");
	sr_buf_free(&packed);
	sr_buf_free(&out);
	sr_inval_free(q);
	sr_inval_free(copy);
}

int main(void)
{
	test_format();
	test_round_trip();
	test_words();
	test_json();
	test_names();
	test_refused();
	test_random();
	return test_result();
}
