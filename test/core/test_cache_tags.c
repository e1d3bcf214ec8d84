/*
 * test_cache_tags.c - entries of the coherent cache with tags.
 */
#include "cached.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sr_client *admin, *one, *two;

static void begin(void)
{
	sr_settings s = settings(server);

	admin = client(&s);
	one = client(&s);
	two = client(&s);
	ask(admin, "FLUSHALL");
}

static void end(void)
{
	sr_client_free(admin);
	sr_client_free(one);
	sr_client_free(two);
}

static const char *record_of(const char *tag)
{
	static char out[128];
	sr_buf		buf = {0};

	sr_tag_key("", 0, tag, strlen(tag), &buf);
	snprintf(out, sizeof(out), "%s", buf.data);
	sr_buf_free(&buf);
	return out;
}

static const char *command(const char *format, const char *tag)
{
	char words[256];

	snprintf(words, sizeof(words), format, record_of(tag));
	return ask(admin, words);
}

static void invalidate(const char *tag)
{
	sr_inval	   *q = sr_inval_new();
	const char	   *record = record_of(tag);
	sr_flush_result r;

	sr_inval_push_effect(q, SR_EFFECT_TAG, record, strlen(record), 0);
	sr_flush(two, q, 0, &r);
	if (r.sent != 1)
		printf("# sent %zu, kept %zu, lost %zu: %s\n", r.sent, r.kept, r.lost, r.err.msg);
	sr_inval_free(q);
}

static void test_entries(void)
{
	begin();
	look(one, "k");
	CHECK(is(fill(one, "k", "v", "red blue red"), "filled"),
		  "an entry with tags, one of them twice");
	CHECK(is(look(two, "k"), "hit v") && is(look_flags(two, "k", 0), "hit v"), "is a hit");
	look(one, "null");
	CHECK(is(fill(one, "null", NULL, "red"), "filled") && is(look(two, "null"), "hit NULL"),
		  "and so is NULL");
	look(one, "empty");
	CHECK(is(fill(one, "empty", "", "blue"), "filled") && is(look(two, "empty"), "hit "),
		  "and nothing");
	CHECK(strtol(command("PTTL %s", "red"), NULL, 10) > 60000, "a record outlives its entries");
	invalidate("blue");
	CHECK(is(look_flags(two, "k", 0), "missed") && is(look(two, "k"), "leased"),
		  "a tag's invalidation voids them");
	CHECK(is(look(two, "null"), "hit NULL"), "and no others");
	CHECK(is(fill(two, "k", "w", "red blue"), "filled") && is(look(one, "k"), "hit w"),
		  "they can be filled again");
	invalidate("green");
	CHECK(is(look(one, "k"), "hit w"), "a tag that nobody uses");
	end();
}

static void test_order(void)
{
	begin();
	invalidate("red");
	CHECK(is(look(one, "k"), "leased") && is(fill(one, "k", "v", "red"), "filled"),
		  "invalidated before the lease");
	look(one, "late");
	invalidate("red");
	CHECK(is(fill(one, "late", "v", "blue red"), "unfilled") &&
			  unfilled(one, SR_UNFILLED_TAG) == 1 && unfilled(one, SR_UNFILLED_LOST) == 0,
		  "invalidated after the lease: no fill");
	CHECK(is(look(two, "late"), "leased") && is(fill(two, "late", "w", "blue red"), "filled"),
		  "the lease is given up, and the next is young enough");
	look(one, "new");
	invalidate("new");
	CHECK(is(fill(one, "new", "v", "new"), "unfilled"), "also when there was no record before");
	end();
}

static void test_records(void)
{
	begin();
	look(one, "k");
	fill(one, "k", "old", "red");
	command("UNLINK %s", "red");
	CHECK(is(look_flags(two, "k", 0), "missed"), "a record that went voids its entries");
	look(one, "other");
	CHECK(is(fill(one, "other", "v", "red"), "filled") && is(look_flags(two, "k", 0), "missed"),
		  "and one that comes revives none");
	look(one, "k");
	command("UNLINK %s", "red");
	command("SET %s junk", "red");
	CHECK(is(fill(one, "k", "v", "red"), "unfilled"), "one that is no version");
	invalidate("red");
	CHECK(is(look(one, "k"), "leased") && is(fill(one, "k", "v", "red"), "filled"),
		  "until it is one again");
	command("DEL %s", "red");
	command("HSET %s a b", "red");
	CHECK(is(look_flags(one, "k", 0), "missed"), "of another type");
	look(one, "k");
	CHECK(is(fill(one, "k", "v", "red"), "unfilled") && cache_err.cls == SR_E_WRONGTYPE &&
			  is(look(two, "k"), "leased"),
		  "cannot be filled under, is said, and nobody waits");
	end();
}

/* A lease's tag is invalidated and the record of it evicted, before the fill. */
static void test_eviction(void)
{
	begin();
	ask(admin, "CONFIG SET maxmemory 1gb");
	ask(admin, "CONFIG SET maxmemory-policy allkeys-lru");
	look(one, "k");
	invalidate("red");
	command("UNLINK %s", "red");
	CHECK(is(fill(one, "k", "stale", "red green"), "unfilled") &&
			  unfilled(one, SR_UNFILLED_TAG) == 1,
		  "where records may be evicted, a missing one is no proof");
	CHECK(is(look(one, "k"), "leased") && is(fill(one, "k", "v", "red green"), "filled") &&
			  is(look(two, "k"), "hit v"),
		  "the next lease is younger than the new one");
	ask(admin, "CONFIG SET maxmemory-policy noeviction");
	look(one, "other");
	CHECK(is(fill(one, "other", "v", "new"), "filled"), "where they may not, it is");
	ask(admin, "CONFIG SET maxmemory 0");
	end();
}

int main(void)
{
	if (!find_server())
		return 1;
	test_entries();
	test_order();
	test_records();
	test_eviction();
	return test_result();
}
