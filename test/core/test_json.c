/*
 * test_json.c - JSON arguments, and the functions that set an object's members in the Redis that
 * SR_TEST_URL or REDIS_URL names.
 */
#include "command.h"
#include "scalar.h"
#include "test.h"

#include <stdlib.h>

static const char kinds[] = "nsdwj"; /* null, string, number, word, nested: by sr_json_kind */

/* Every item: "name=kind:text"; items are followed by a semicolon; NULs are shown as ^. */
static const char *walk(const char *text, size_t len, bool object)
{
	static char	 out[1024];
	size_t		 n = 0;
	sr_value	 v = {.type = SR_TYPE_TEXT, .data = memcpy(malloc(len + 1), text, len), .len = len};
	sr_json		 j;
	sr_json_item item;
	sr_err		 err = {0};

	out[0] = '\0';
	if (!sr_json_open(&j, "fields", &v, object, &err))
		snprintf(out, sizeof(out), "%s: %s", sr_class_word(err.cls), err.msg);
	else
		while (sr_json_next(&j, &item, &err) > 0)
		{
			if (object)
				n += (size_t) snprintf(out + n, sizeof(out) - n, "%.*s=", (int) item.name_len,
									   item.name);
			n += (size_t) snprintf(out + n, sizeof(out) - n, "%c:", kinds[item.kind]);
			for (size_t i = 0; i < item.len && n + 2 < sizeof(out); i++)
				out[n++] = (char) (item.text[i] == '\0' ? '^' : item.text[i]);
			n += (size_t) snprintf(out + n, sizeof(out) - n, ";");
			sr_json_item_free(&item);
		}
	free((char *) v.data);
	return out;
}

#define WALK(text, object) walk((text), sizeof(text) - 1, (object))

static void test_walk(void)
{
	CHECK(is(WALK("[]", false), "") && is(WALK(" \n[ \t] ", false), ""), "an empty array");
	CHECK(is(WALK("{}", true), "") && is(WALK("{ }", true), ""), "an empty object");
	CHECK(is(WALK("[1,-0, 1.10 ,12345678901234567890123,1E+2]", false),
			 "d:1;d:-0;d:1.10;d:12345678901234567890123;d:1E+2;"),
		  "numbers as they are written");
	CHECK(is(WALK("[null,true , false]", false), "n:null;w:true;w:false;"), "words");
	CHECK(is(WALK("[\"\", \"a b\", \"[{,:\"]", false), "s:;s:a b;s:[{,:;"), "strings");
	CHECK(is(WALK("[\"\\\"\", \"\\\\\", \"\\\\\\\"]\", \"a\\nb\"]", false),
			 "s:\";s:\\;s:\\\"];s:a\nb;"),
		  "strings with backslashes");
	CHECK(is(WALK("[\"\\u00e9\\ud83d\\ude00\", \"a\\u0000b\", \"\xc3\xa9\"]", false),
			 "s:\xc3\xa9\xf0\x9f\x98\x80;s:a^b;s:\xc3\xa9;"),
		  "characters of any kind, NUL too");
	CHECK(is(WALK("[[1, [2]], {\"a\": [\"]\\\"}\"]} ,[]]", false),
			 "j:[1, [2]];j:{\"a\": [\"]\\\"}\"]};j:[];"),
		  "nested values as they are written");
	CHECK(is(WALK("{\"a\":1, \"\" : \"x\",\"\\u0062\\\"\":null,\"a\":[{}]}", true),
			 "a=d:1;=s:x;b\"=n:null;a=j:[{}];"),
		  "members, one name twice");
}

static void test_errors(void)
{
	CHECK(has(WALK("", false), "invalid: fields must be a JSON array: "), "nothing");
	CHECK(has(WALK("{}", false), "fields must be a JSON array"), "an object for an array");
	CHECK(has(WALK("[]", true), "fields must be a JSON object"), "an array for an object");
	CHECK(has(WALK("3", true), "fields must be a JSON object: "), "a number");
	CHECK(has(WALK("[1,]", false), "invalid: ") && has(WALK("[1", false), "invalid: ") &&
			  has(WALK("[1] x", false), "invalid: ") && has(WALK("[01]", false), "invalid: ") &&
			  has(WALK("['a']", false), "invalid: "),
		  "what is not JSON");
	CHECK(has(WALK("[\"\xff\"]", false), "invalid: "), "bytes that are not UTF-8");
	CHECK(has(WALK("[\"\\ud800\"]", false), "invalid: "), "half a character");
}

static void test_enter(void)
{
	const char	*text = "[[\"a\", 1], {\"b\": [2]}]";
	sr_value	 v = TEXT(text);
	sr_json		 outer, inner;
	sr_json_item item, element;
	sr_err		 err = {0};

	CHECK(sr_json_open(&outer, "x", &v, false, &err) && sr_json_next(&outer, &item, &err) == 1,
		  "an element");
	sr_json_enter(&inner, &item);
	CHECK(sr_json_next(&inner, &element, &err) == 1 && element.len == 1 && *element.text == 'a' &&
			  sr_json_next(&inner, &element, &err) == 1 && *element.text == '1' &&
			  sr_json_next(&inner, &element, &err) == 0,
		  "the elements of an element");
	CHECK(sr_json_next(&outer, &item, &err) == 1, "the next element");
	sr_json_enter(&inner, &item);
	CHECK(sr_json_next(&inner, &element, &err) == 1 && strcmp(element.name, "b") == 0 &&
			  element.kind == SR_JSON_NESTED,
		  "the members of an element");
	sr_json_item_free(&element);
	CHECK(sr_json_next(&outer, &item, &err) == 0, "the end");
}

static void test_set(void)
{
	sr_settings s = settings(server);
	sr_client  *c = client(&s);
	uint64_t	before;

	ask(c, "FLUSHDB");
	CHECK(
		is(CALL(
			   c, "redis_hset_json", TEXT("h"),
			   TEXT("{\"n\": 12345678901234567890.10, \"s\": \"a\\\"b\", \"t\": true, \"x\": null, "
					"\"j\": {\"a\" :[1]}, \"\\n\": \"\"}")),
		   "5"),
		"members of an object");
	CHECK(is(ROWS(c, "redis_hmget", TEXT("h"), TEXT("n"), TEXT("s"), TEXT("t"), TEXT("j"),
				  TEXT("\n"), TEXT("x")),
			 "n|12345678901234567890.10,s|a\"b,t|true,j|{\"a\" :[1]},\n|,x|~"),
		  "what they are in Redis");
	CHECK(has(CALL(c, "redis_xadd_json", TEXT("s"), TEXT("{\"a\": 1}")), "-"), "an entry's id");
	CHECK(has(lua(c, "return redis.call('XRANGE', 's', '-', '+')[1][2]"), "[\"a\",\"1\"]"),
		  "and its fields");
	before = sent(c);
	CHECK(is(CALL(c, "redis_hset_json", TEXT("h"), TEXT("{\"a\": null}")), "0"), "nothing to set");
	CHECK(is(CALL(c, "redis_xadd_json", TEXT("s"), TEXT("{}")), "~"), "nothing to append");
	CHECK(is(CALL(c, "redis_hset_json", TEXT("h"), NONE), "~"), "NULL");
	CHECK(has(CALL(c, "redis_hset_json", TEXT("h"), TEXT("[1]")),
			  "invalid: fields must be a JSON object"),
		  "no object");
	CHECK(has(CALL(c, "redis_hset_json", TEXT("h"), INT(1)), "fields must be a JSON object"),
		  "no text");
	CHECK(sent(c) == before, "nothing was sent");
	ask(c, "SET str x");
	CHECK(has(CALL(c, "redis_hset_json", TEXT("str"), TEXT("{\"a\": 1}")), "wrong type: "),
		  "Redis's errors");
	s.key_prefix = "p:";
	sr_client_configure(c, &s, NULL);
	CHECK(is(CALL(c, "redis_hset_json", TEXT("h"), TEXT("{\"a\": 1}")), "1") &&
			  is(ask(c, "HGET p:h a"), "\"1\""),
		  "the key prefix");
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_walk();
	test_errors();
	test_enter();
	test_set();
	return test_result();
}
