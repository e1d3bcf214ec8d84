/*
 * test_reply.c - replies whole and in single bytes, hostile ones, and JSON.
 */
#include "core.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT ((size_t) 1024 * 1024)

/* One reply fed step bytes at a time, as JSON; NULL when it failed or never ended. */
static char *read_json(const char *data, size_t len, size_t step, size_t max, sr_err *err)
{
	sr_reader *r = sr_reader_new(max);
	sr_reply  *reply = NULL;
	char	  *json = NULL;

	memset(err, 0, sizeof(*err));
	for (size_t i = 0; i < len && reply == NULL; i += step)
		if (!sr_reader_feed(r, data + i, len - i < step ? len - i : step, err) ||
			!sr_reader_next(r, &reply, err))
			break;
	if (reply != NULL)
		json = sr_reply_json(reply, &len, err);
	sr_reply_free(reply);
	sr_reader_free(r);
	return json;
}

static bool gives(const char *data, const char *expected)
{
	bool good = true;

	for (size_t step = 1; step <= strlen(data) && good; step++)
	{
		sr_err err;
		char  *json = read_json(data, strlen(data), step, LIMIT, &err);

		good = json != NULL && strcmp(json, expected) == 0;
		if (!good)
			printf("# step %zu: expected %s, got %s (%s)\n", step, expected, json ? json : "-",
				   err.msg);
		free(json);
	}
	return good;
}

static bool fails(const char *data, size_t len, size_t max, sr_class cls, const char *why)
{
	sr_err err;
	char  *json = read_json(data, len, len, max, &err);
	bool   good = json == NULL && err.cls == cls && strstr(err.msg, why) != NULL;

	if (!good)
		printf("# got %s, class %s: %s\n", json ? json : "-", sr_class_word(err.cls), err.msg);
	free(json);
	return good;
}

static bool fails_text(const char *data, sr_class cls, const char *why)
{
	return fails(data, strlen(data), LIMIT, cls, why);
}

static void test_kinds(void)
{
	CHECK(gives("+OK\r\n", "\"OK\""), "status");
	CHECK(gives(":-9223372036854775808\r\n", "-9223372036854775808"), "the smallest integer");
	CHECK(gives(":9223372036854775807\r\n", "9223372036854775807"), "the largest integer");
	CHECK(gives("$5\r\nhe\r\no\r\n", "\"he\\r\\no\""), "bulk with CRLF in it");
	CHECK(gives("$0\r\n\r\n", "\"\""), "empty bulk");
	CHECK(gives("$-1\r\n", "null"), "nil");
	CHECK(gives("*-1\r\n", "null"), "nil array");
	CHECK(gives("*0\r\n", "[]"), "empty array");
	CHECK(gives("*6\r\n:1\r\n$-1\r\n+a\r\n$1\r\nb\r\n-ERR no\r\n*2\r\n:2\r\n*0\r\n",
				"[1,null,\"a\",\"b\",{\"error\":\"ERR no\"},[2,[]]]"),
		  "everything nested");
	CHECK(gives("*7\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n", "[1,2,3,4,5,6,7]"),
		  "an array that grows");
	CHECK(gives("$6\r\n\xe2\x82\xac\"\\/\r\n", "\"\xe2\x82\xac\\\"\\\\/\""), "UTF-8 and quotes");
	CHECK(gives("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "[[[[[[[1]]]]]]]"),
		  "seven levels");
}

static void test_stream(void)
{
	sr_reader	 *r = sr_reader_new(16384); /* of one reply: a piece may hold the ends of two */
	sr_reply	 *reply;
	sr_err		  err = {0};
	static char	  data[200000];
	size_t		  len = 0;
	int			  seen = 0;
	bool		  good = true;
	unsigned long value = 0;

	while (len + 16 < sizeof(data))
		len += (size_t) snprintf(data + len, 16, ":%lu\r\n", value++);
	for (size_t i = 0; i < len && good; i += 16384)
	{
		good = sr_reader_feed(r, data + i, len - i < 16384 ? len - i : 16384, &err);
		while (good && sr_reader_next(r, &reply, &err) && reply != NULL)
		{
			good = reply->kind == SR_INTEGER && reply->integer == seen++;
			sr_reply_free(reply);
		}
	}
	CHECK(good && (unsigned long) seen == value, "many replies in one stream");
	sr_reader_free(r);
	r = sr_reader_new(LIMIT);
	good = sr_reader_feed(r, "*2\r\n$3\r\nabc\r\n", 13, &err) && sr_reader_next(r, &reply, &err);
	CHECK(good && reply == NULL, "half a reply is none");
	sr_reader_free(r); /* LeakSanitizer looks for the half */
}

static void test_big(void)
{
	size_t len = 900000;
	char  *data = malloc(len + 64);
	int	   head = snprintf(data, 64, "$%zu\r\n", len);
	sr_err err;
	char  *json;

	memset(data + head, 'x', len);
	memcpy(data + head + len, "\r\n", 3);
	json = read_json(data, (size_t) head + len + 2, 5000, LIMIT, &err);
	CHECK(json != NULL && strlen(json) == len + 2, "a bulk just below max_reply");
	free(json);
	CHECK(fails(data, (size_t) head + len + 2, 500000, SR_E_SIZE, "max_reply"), "and above it");
	json = read_json(data, 600000, 5000, 500000, &err);
	CHECK(json == NULL && err.cls == SR_E_SIZE, "even before it has ended");
	free(data);
}

static void test_hostile(void)
{
	sr_err err;
	size_t len = 300000;
	char  *line = malloc(len);
	char  *json;

	CHECK(fails_text("*1000000000\r\n", SR_OK, ""), "an announced billion allocates nothing");
	CHECK(fails_text("$512000000\r\n", SR_OK, ""), "nor do announced 512 MB");
	CHECK(fails_text("HTTP/1.1 400 Bad Request\r\n", SR_E_PROTOCOL, "not RESP2"), "HTTP");
	CHECK(fails_text("\x15\x03\x03\x02", SR_E_PROTOCOL, "not RESP2"), "a TLS alert");
	CHECK(fails_text("$-2\r\n", SR_E_PROTOCOL, "RESP2"), "a negative length");
	CHECK(fails_text("*-7\r\n", SR_E_PROTOCOL, "RESP2"), "a negative count");
	CHECK(fails_text(":12x\r\n", SR_E_PROTOCOL, "RESP2"), "an integer that is none");
	CHECK(fails_text("$99999999999999999999\r\n", SR_E_PROTOCOL, "RESP2"), "a length beyond all");
	CHECK(fails_text("%1\r\n+a\r\n:1\r\n", SR_E_PROTOCOL, "RESP"), "a RESP3 map");
	CHECK(fails_text("~1\r\n+a\r\n", SR_E_PROTOCOL, "RESP"), "a RESP3 set");
	CHECK(fails_text("_\r\n", SR_E_PROTOCOL, "RESP"), "a RESP3 null");
	CHECK(fails_text("#t\r\n", SR_E_PROTOCOL, "RESP"), "a RESP3 boolean");
	CHECK(fails_text(",1.5\r\n", SR_E_PROTOCOL, "RESP"), "a RESP3 double");
	CHECK(fails_text("*2\r\n:1\r\n,1.5\r\n", SR_E_PROTOCOL, "RESP"), "and in an array");
	CHECK(fails_text(">1\r\n+a\r\n", SR_E_PROTOCOL, "RESP"), "a RESP3 push");
	for (size_t i = 0; i + 4 <= len; i += 4)
		memcpy(line + i, "*1\r\n", 4);
	CHECK(fails(line, len, LIMIT, SR_E_PROTOCOL, "nested too deeply"), "nesting without end");
	line[0] = '+';
	memset(line + 1, 'x', len - 1);
	CHECK(fails(line, len, LIMIT, SR_E_PROTOCOL, "a line of more than"), "a line without end");
	memcpy(line, "*100000\r\n", 9);
	for (size_t i = 9; i + 4 <= len; i += 4)
		memcpy(line + i, ":1\r\n", 4);
	json = read_json(line, len, 1000, LIMIT, &err);
	CHECK(json == NULL && err.cls == SR_E_SIZE, "small children are counted with their nodes");
	free(json);
	free(line);
	CHECK(fails("*2\r\n+a\r\n$1\r\n\xff\r\n", 15, LIMIT, SR_E_ENCODING, "UTF-8"), "not UTF-8");
}

int main(void)
{
	test_kinds();
	test_stream();
	test_big();
	test_hostile();
	return test_result();
}
