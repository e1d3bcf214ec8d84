/*
 * test_script_effects.c - items for scripts, from the transaction's queue to the Redis that SR_TEST_URL or
 * REDIS_URL names.
 */
#include "client.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

/* The keys of a queue, whose scripts are used here. */
static const char *const side[] = {"jobs", "priority", "delayed", "reserved", "dead", "returned"};

typedef struct words
{
	sr_argv		argv;
	const char *pointers[16];
	size_t		lengths[16];
	char		keys[7][64];
} words;

static const sr_argv *of_keys(words *w, const char *queue)
{
	w->argv = (sr_argv){7, w->pointers, w->lengths};
	for (int i = 0; i < 7; i++)
	{
		if (i == 0)
			snprintf(w->keys[i], sizeof w->keys[i], "%s", queue);
		else
			snprintf(w->keys[i], sizeof w->keys[i], "%s:%s{%s}", queue, side[i - 1], queue);
		w->pointers[i] = w->keys[i];
		w->lengths[i] = strlen(w->keys[i]);
	}
	return &w->argv;
}

static sr_push push(sr_inval *q, const char *script, const char *queue, const char *item, int depth)
{
	words		keys, text;
	const char *at = item;

	text.argv = (sr_argv){0, text.pointers, text.lengths};
	while (*at != '\0')
	{
		size_t len = strcspn(at, " ");

		text.pointers[text.argv.argc] = at;
		text.lengths[text.argv.argc++] = len;
		at += len + (at[len] == ' ');
	}
	return sr_inval_push_script(q, script, of_keys(&keys, queue), &text.argv, depth);
}

static size_t items(const sr_inval *q, size_t i)
{
	sr_effect	kind;
	size_t		len;
	const char *data = sr_inval_effect(q, i, &kind, &len, NULL);

	return kind == SR_EFFECT_SCRIPT ? sr_effects_commands(kind, data, len) : 0;
}

/* ---- in the queue ---- */

static void test_groups(void)
{
	sr_inval *q = sr_inval_new();

	push(q, "enqueue", "a", "one", 1);
	push(q, "enqueue", "a", "two", 1);
	push(q, "enqueue", "b", "three", 1);
	push(q, "enqueue", "a", "four", 1);
	push(q, "ack", "a", "five", 1);
	CHECK(sr_inval_count(q) == 4 && items(q, 0) == 2 && items(q, 1) == 1 && items(q, 3) == 1,
		  "items of one script and one queue are a group");
	push(q, "ack", "a", "six", 2);
	sr_inval_push_command(q, &(sr_argv){1, (const char *[]){"PING"}, (size_t[]){4}}, 2);
	push(q, "ack", "a", "seven", 2);
	push(q, "ack", "a", "eight", 2);
	CHECK(sr_inval_count(q) == 7 && items(q, 4) == 1 && items(q, 6) == 2 &&
			  sr_inval_count_of(q, SR_EFFECT_SCRIPT) == 6,
		  "of one depth, and with nothing in between");
	sr_inval_rollback_to(q, 1);
	CHECK(sr_inval_count(q) == 4 && sr_inval_count_of(q, SR_EFFECT_SCRIPT) == 4 &&
			  sr_inval_count_of(q, SR_EFFECT_COMMANDS) == 0,
		  "a savepoint's are dropped");
	for (int i = 0; i < 200; i++)
		push(q, "enqueue", "c", "x", 1);
	CHECK(sr_inval_count(q) == 8 && items(q, 4) == 64 && items(q, 7) == 8, "64 at most");
	sr_inval_push(q, "key", 3, 1);
	push(q, "enqueue", "c", "x", 1);
	sr_inval_push(q, "key", 3, 1);
	CHECK(sr_inval_count(q) == 11 && sr_inval_count_of(q, SR_EFFECT_KEY) == 2,
		  "a key queued behind one stays behind it");
	sr_inval_free(q);
}

static void test_limits(void)
{
	sr_inval   *q = sr_inval_new();
	const char *pointers[SR_SCRIPT_KEYS + 1];
	size_t		lengths[SR_SCRIPT_KEYS + 1];
	char	   *large = calloc(1, 40000);
	sr_argv		keys = {SR_SCRIPT_KEYS, pointers, lengths}, item = {1, pointers, lengths};

	for (int i = 0; i <= SR_SCRIPT_KEYS; i++)
	{
		pointers[i] = "k";
		lengths[i] = 1;
	}
	CHECK(sr_inval_push_script(q, "s", &keys, &item, 1) == SR_PUSH_NEW, "as many keys as can be");
	keys.argc++;
	CHECK(sr_inval_push_script(q, "s", &keys, &item, 1) == SR_PUSH_NO_MEMORY, "one more");
	keys.argc = 0;
	CHECK(sr_inval_push_script(q, "s", &keys, &item, 1) == SR_PUSH_NO_MEMORY, "none");
	keys.argc = 1;
	item.argc = 0;
	CHECK(sr_inval_push_script(q, "s", &keys, &item, 1) == SR_PUSH_NO_MEMORY, "an empty item");
	item = (sr_argv){1, (const char *[]){large}, (size_t[]){40000}};
	CHECK(sr_inval_push_script(q, "s", &keys, &item, 1) == SR_PUSH_NEW &&
			  sr_inval_push_script(q, "s", &keys, &item, 1) == SR_PUSH_NEW && items(q, 1) == 1 &&
			  items(q, 2) == 1,
		  "a large one is a group of its own");
	free(large);
	sr_inval_free(q);
}

static void test_words(void)
{
	sr_inval   *q = sr_inval_new(), *copy = sr_inval_new();
	sr_buf		packed = {0}, out = {0};
	sr_err		err;
	sr_effect	kind;
	size_t		len, at = 0, pos = 0;
	const char *data;
	bool		whole;

	push(q, "enqueue", "mail", "hello id - 0", 1);
	push(q, "enqueue", "mail", "again id2 - 0", 1);
	data = sr_inval_effect(q, 0, &kind, &len, NULL);
	CHECK(sr_effects_line(kind, data, len, &pos, &out) == 1 &&
			  strcmp(out.data, "enqueue mail hello id - 0") == 0,
		  "a line has the script, the first key and the item");
	out.len = 0;
	CHECK(sr_effects_line(kind, data, len, &pos, &out) == 1 &&
			  strcmp(out.data, "enqueue mail again id2 - 0") == 0 &&
			  sr_effects_line(kind, data, len, &pos, &out) == 0,
		  "the next one, and no more");
	CHECK(strcmp(sr_effect_name(kind), "script") == 0, "its kind has a name");
	sr_effects_pack(q, &at, SIZE_MAX, &packed);
	out.len = 0;
	CHECK(sr_effects_json(packed.data, packed.len, 9, &out, &err) &&
			  strcmp(out.data, "[\"enqueue mail hello id - 0\\nenqueue mail again id2 - 0\"]") == 0,
		  "in the view of an outbox");
	CHECK(sr_effects_unpack(copy, packed.data, packed.len, &err) && sr_inval_count(copy) == 1 &&
			  items(copy, 0) == 2,
		  "what is packed comes back");
	push(copy, "enqueue", "mail", "third", 0);
	CHECK(sr_inval_count(copy) == 2, "and nothing joins it");
	/* every beginning of it is refused, and so is a head without an item */
	whole = true;
	for (size_t n = 1; n < packed.len; n++)
	{
		char *cut = malloc(n);

		memcpy(cut, packed.data, n);
		whole = whole && (n == 1) == sr_effects_unpack(copy, cut, n, &err);
		free(cut);
	}
	CHECK(whole, "what is cut short is refused");
	CHECK(!sr_effects_unpack(copy,
							 "\1S\0\0\0\x26"
							 "0123456789abcdef"
							 "\0\0\0\2\0\0\0\1a\0\0\0\1k"
							 "\0\0\0\0",
							 43, &err) &&
			  !sr_effects_unpack(copy,
								 "\1S\0\0\0\x1E"
								 "0123456789abcdef"
								 "\0\0\0\2\0\0\0\1a\0\0\0\1k",
								 35, &err) &&
			  !sr_effects_unpack(copy,
								 "\1S\0\0\0\x22"
								 "0123456789abcdef"
								 "\0\0\0\1\0\0\0\1a\0\0\0\1\0\0\0\1i",
								 39, &err),
		  "and one without items, or without keys");
	sr_buf_free(&packed);
	sr_buf_free(&out);
	sr_inval_free(q);
	sr_inval_free(copy);
}

/* ---- to Redis ---- */

static void test_delivery(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new(), *copy = sr_inval_new();
	sr_buf			packed = {0};
	size_t			at = 0;
	uint64_t		trips;
	sr_flush_result r;
	sr_err			err;

	ask(c, "FLUSHALL");
	ask(c, "SCRIPT FLUSH");
	ask(c, "SET k 1");
	push(q, "enqueue", "q", "one", 1);
	push(q, "enqueue", "q", "two", 1);
	push(q, "enqueue", "{t}q", "three", 1);
	sr_inval_push(q, "k", 1, 1);
	push_command(q, "SET k 2");
	sr_effects_pack(q, &at, SIZE_MAX, &packed);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 4, 0, 0) && is(ask(c, "LRANGE q 0 -1"), "[\"two\",\"one\"]") &&
			  is(ask(c, "LRANGE {t}q 0 -1"), "[\"three\"]") && is(ask(c, "GET k"), "\"2\""),
		  "a Redis that does not know the script is given it");
	CHECK(sr_client_stats(c)->commands_sent == 4 && sr_client_stats(c)->commands_failed == 0,
		  "each item counts");
	CHECK(is(ask(c, "EVAL return#redis.call('keys','sqlredis:done:????????????????????????????????"
					"{q}') 0"),
			 "1") &&
			  is(ask(c, "EVAL return#redis.call('keys','sqlredis:done:*{t}') 0"), "1"),
		  "what Redis remembers is in the slot of the keys");
	sr_effects_unpack(copy, packed.data, packed.len, &err);
	sr_flush(c, copy, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 4, 0, 0) && is(ask(c, "LLEN q"), "2") && is(ask(c, "LLEN {t}q"), "1"),
		  "a repeat does nothing");
	for (int i = 0; i < 1000; i++)
		push(q, "enqueue", i % 2 ? "q" : "p", "x", 1);
	sr_inval_push(q, "k", 1, 1);
	trips = sr_client_stats(c)->round_trips;
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 1001, 0, 0) && is(ask(c, "LLEN p"), "500") && is(ask(c, "LLEN q"), "502") &&
			  sr_client_stats(c)->round_trips == trips + 3,
		  "a thousand groups go in one exchange");
	ask(c, "SET p string");
	push(q, "enqueue", "p", "one", 1);
	push(q, "enqueue", "p", "two", 1);
	push(q, "enqueue", "q", "last", 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 1, 0, 1) && r.err.cls == SR_E_WRONGTYPE &&
			  has(r.err.msg, "enqueue, queued for the commit, failed: WRONGTYPE") &&
			  has(r.err.msg, ", and 1 more failed") && is(ask(c, "LINDEX q 0"), "\"last\""),
		  "what Redis refuses is told of, and holds nothing back");
	sr_buf_free(&packed);
	sr_inval_free(q);
	sr_inval_free(copy);
	sr_client_free(c);
}

/* Redis was restarted: it is given a script's text once, however many groups there are. */
static void test_texts(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;

	ask(c, "FLUSHALL");
	ask(c, "SCRIPT FLUSH");
	for (int i = 0; i < 1000; i++)
		push(q, "enqueue", i % 2 ? "q" : "p", "x", 1);
	ask(c, "CONFIG RESETSTAT");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 1000, 0, 0) && is(ask(c, "LLEN p"), "500") && is(ask(c, "LLEN q"), "500"),
		  "all groups arrive at a Redis that does not know their script");
	CHECK(has(ask(c, "INFO commandstats"), "cmdstat_eval:calls=1,"), "its text is sent once");
	ask(c, "SCRIPT FLUSH");
	push(q, "ack", "q", "x", 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	ask(c, "SET p:reserved{p} text");
	push(q, "enqueue", "q", "y", 1);
	push(q, "ack", "p", "x", 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(r.lost == 1 && r.kept == 0 && r.err.cls == SR_E_WRONGTYPE &&
			  sr_client_stats(c)->commands_sent == 1002 &&
			  sr_client_stats(c)->commands_failed == 1 && is(ask(c, "LLEN q"), "501"),
		  "what failed behind one that Redis did not know is told of");
	sr_inval_free(q);
	sr_client_free(c);
}

static void test_unknown(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;

	ask(c, "FLUSHALL");
	ask(c, "MSET a 1 b 1");
	sr_inval_push(q, "a", 1, 1);
	push(q, "enqueue", "q", "one", 1);
	push(q, "of tomorrow", "q", "x", 1);
	push(q, "of tomorrow", "q", "y", 1);
	push(q, "enqueue", "q", "two", 1);
	push_command(q, "SET c 1");
	push(q, "of tomorrow", "q", "z", 1);
	sr_inval_push(q, "b", 1, 1);
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 5, 0, 2) && r.err.cls == SR_E_OPTION &&
			  has(r.err.msg, "no script is called \"of tomorrow\"") &&
			  sr_client_stats(c)->commands_failed == 3,
		  "what a later version queued is lost, and told of");
	CHECK(is(ask(c, "LRANGE q 0 -1"), "[\"two\",\"one\"]") &&
			  is(ask(c, "MGET a b c"), "[null,null,\"1\"]"),
		  "all else is done");
	push(q, "of tomorrow", "q", "x", 1);
	sr_flush(c, q, 0, &r);
	CHECK(flushed(&r, 0, 0, 1) && sr_client_backlog(c) == 0, "alone, too");
	sr_inval_free(q);
	sr_client_free(c);
}

/* The answer is lost when Redis has the items, or does not know the script: they are owed, and run once. */
static void test_lost_reply(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = sr_inval_new();
	sr_flush_result r;
	bool			kept = false;

	ask(c, "FLUSHALL");
	for (int n = 0; n < 40; n++)
	{
		ask(c, "MSET k 1 l 1");
		if (n % 2)
			ask(c, "SCRIPT FLUSH");
		sr_inval_push(q, "l", 1, 1);
		push(q, "enqueue", "q", "x", 1);
		push(q, "enqueue", "p", "x", 1);
		sr_inval_push(q, "k", 1, 1);
		state.interrupt = n / 2 % 5;
		sr_flush(c, q, SR_FLUSH_COMMIT, &r);
		kept = kept || r.kept > 0;
		state.interrupt = -1;
		sr_flush(c, NULL, 0, &r);
		if (r.kept > 0 || r.lost > 0)
			printf("# %s\n", r.err.msg);
	}
	CHECK(kept && is(ask(c, "LLEN q"), "40") && is(ask(c, "LLEN p"), "40") &&
			  is(ask(c, "EXISTS k l"), "0") && sr_client_backlog(c) == 0,
		  "items whose answer is lost are sent again and run once");
	sr_inval_free(q);
	sr_client_free(c);
}

static void test_full(void)
{
	sr_settings		s = settings(server);
	sr_client	   *c = client(&s);
	sr_inval	   *q = queue("early", 1);
	sr_flush_result r;

	ask(c, "FLUSHALL");
	ask(c, "CONFIG SET maxmemory-policy noeviction");
	ask(c, "MSET early 1 late 1");
	push(q, "enqueue", "q", "one", 1);
	push(q, "enqueue", "p", "two", 1);
	sr_inval_push(q, "late", 4, 1);
	push(q, "enqueue", "q", "three", 1);
	ask(c, "CONFIG SET maxmemory 1");
	sr_flush(c, q, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 1, 4, 0) && r.err.cls == SR_E_MEMORY && is(ask(c, "EXISTS early q p"), "0"),
		  "a full Redis runs nothing: it and what follows is kept");
	ask(c, "CONFIG SET maxmemory 0");
	ask(c, "SET late again");
	sr_flush(c, NULL, 0, &r);
	CHECK(flushed(&r, 4, 0, 0) && is(ask(c, "LRANGE q 0 -1"), "[\"three\",\"one\"]") &&
			  is(ask(c, "EXISTS late"), "0"),
		  "and delivered in its order");
	sr_inval_free(q);
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_groups();
	test_limits();
	test_words();
	test_delivery();
	test_texts();
	test_unknown();
	test_lost_reply();
	test_full();
	return test_result();
}
