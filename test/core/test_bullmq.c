/*
 * test_bullmq.c - the options of a BullMQ job: what is stored of them, what is read of them, and what is
 * refused. That BullMQ stores the same is test/interop/bullmq.py's to show.
 */
#include "bullmq.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 1024

/* "stored id delay priority timestamp size lifo", or the error. The text is followed by nothing readable. */
static const char *read_text(const char *text, size_t len)
{
	static char out[SHOWN];
	sr_value	v = {.type = SR_TYPE_TEXT, .data = memcpy(malloc(len + 1), text, len), .len = len};
	sr_bullmq_options o = {0};
	sr_err			  err = {0};

	if (sr_bullmq_options_read(&o, &v, &err))
		snprintf(out, sizeof out, "%s %s %lld %lld %lld %lld %d", o.json.data,
				 o.id != NULL ? o.id : "-", (long long) o.delay, (long long) o.priority,
				 (long long) o.timestamp, (long long) o.size_limit, o.lifo);
	else
		snprintf(out, sizeof out, "%s: %s", sr_class_word(err.cls), err.msg);
	sr_bullmq_options_free(&o);
	free((char *) v.data);
	return out;
}

#define READ(text)			   read_text((text), sizeof(text) - 1)
#define GIVES(text, expected)  (strcmp(READ(text), (expected)) == 0)
#define REFUSES(text, message) (strcmp(READ(text), "invalid: the option " message) == 0)

static void test_stored(void)
{
	sr_bullmq_options none = {0};
	sr_err			  err;

	CHECK(sr_bullmq_options_read(&none, NULL, &err) &&
			  strcmp(none.json.data, "{\"attempts\":0}") == 0,
		  "no options");
	sr_bullmq_options_free(&none);
	CHECK(GIVES("{}", "{\"attempts\":0} - 0 0 0 0 0") &&
			  GIVES(" { } ", "{\"attempts\":0} - 0 0 0 0 0"),
		  "an empty object");
	CHECK(GIVES("{\"delay\" : 10, \"priority\":3,\"attempts\":7,\"lifo\":true,\"timestamp\":5,"
				"\"sizeLimit\":9,\"jobId\":\"a\\\"\\u00e9\"}",
				"{\"delay\":10,\"priority\":3,\"attempts\":7,\"lifo\":true,\"timestamp\":5,"
				"\"sizeLimit\":9,\"jobId\":\"a\\\"\\u00e9\"} a\"\xc3\xa9 10 3 5 9 1"),
		  "those that are read");
	CHECK(GIVES("{\"backoff\":1.50}",
				"{\"backoff\":{\"type\":\"fixed\",\"delay\":1.50},\"attempts\":0} - 0 0 0 0 0") &&
			  GIVES("{\"backoff\":{ \"type\":\"x\",\"jitter\":1,\"delay\":null}}",
					"{\"backoff\":{ \"type\":\"x\",\"jitter\":1,\"delay\":null},\"attempts\":0} - "
					"0 0 0 0 0"),
		  "backoff");
	CHECK(
		GIVES("{\"keepLogs\":1,\"failParentOnFailure\":true,\"telemetry\":{\"x\":1,\"metadata\":"
			  "\"m\","
			  "\"omitContext\":false},\"\\u006deins\" : [\"\\\"\",{}]}",
			  "{\"kl\":1,\"fpof\":true,\"tm\":\"m\",\"omc\":false,\"\\u006deins\" : [\"\\\"\",{}],"
			  "\"attempts\":0} - 0 0 0 0 0"),
		"short names, and the others as they are written");
	CHECK(
		GIVES("{\"delay\":null,\"attempts\":null,\"parent\":null,\"own\":null}", "{} - 0 0 0 0 0"),
		"null is left out");
	CHECK(GIVES("{\"delay\":1,\"delay\":2.2,\"jobId\":\"a\",\"jobId\":\"b\"}",
				"{\"delay\":1,\"delay\":2.2,\"jobId\":\"a\",\"jobId\":\"b\",\"attempts\":0} b 3 0 "
				"0 0 0"),
		  "the last one of a name; a part of a millisecond makes one more");
	CHECK(GIVES("{\"jobId\":\"\"}", "{\"jobId\":\"\",\"attempts\":0} - 0 0 0 0 0"),
		  "an empty id is none");
}

static void test_refused(void)
{
	CHECK(strncmp(READ("[]"), "invalid: opts must be a JSON object", 35) == 0 &&
			  strncmp(READ("{\"delay\":}"), "invalid: opts must be", 21) == 0,
		  "what is no object");
	CHECK(REFUSES("{\"priority\":2097152}",
				  "priority of a BullMQ job must be a whole number from 0 to 2097151") &&
			  GIVES("{\"priority\":2097151}",
					"{\"priority\":2097151,\"attempts\":0} - 0 2097151 0 0 0") &&
			  GIVES("{\"priority\":2e0}", "{\"priority\":2e0,\"attempts\":0} - 0 2 0 0 0"),
		  "a priority that is out of range");
	CHECK(
		REFUSES(
			"{\"delay\":-0.5}",
			"delay of a BullMQ job must be a number of milliseconds, 0 or more, up to 100 years") &&
			strncmp(READ("{\"delay\":\"1\"}"), "invalid", 7) == 0 &&
			strncmp(READ("{\"delay\":1e400}"), "invalid", 7) == 0 &&
			strncmp(
				READ(
					"{\"delay\":0.00000000000000000000000000000000000000000000000000000000000001}"),
				"invalid", 7) == 0,
		"a delay that is none");
	CHECK(REFUSES("{\"jobId\":\"a:b\"}", "jobId of a BullMQ job must be a text without ':'") &&
			  REFUSES("{\"jobId\":\"a\\u0000b\"}",
					  "jobId of a BullMQ job must be a text without ':'") &&
			  REFUSES(
				  "{\"jobId\":\"-12\"}",
				  "jobId of a BullMQ job must be other than a number and than BullMQ's own keys") &&
			  REFUSES(
				  "{\"jobId\":\"meta\"}",
				  "jobId of a BullMQ job must be other than a number and than BullMQ's own keys") &&
			  GIVES("{\"jobId\":\"-\"}", "{\"jobId\":\"-\",\"attempts\":0} - 0 0 0 0 0"),
		  "an id that is a number or a key");
	CHECK(REFUSES("{\"deduplication\":{}}", "deduplication of a BullMQ job is not supported") &&
			  REFUSES("{\"de\":{}}", "de of a BullMQ job is not supported") &&
			  REFUSES("{\"r\\u0065peat\":{}}", "repeat of a BullMQ job is not supported"),
		  "what needs BullMQ itself");
	CHECK(strncmp(READ("{\"backoff\":{\"type\":1}}"), "invalid", 7) == 0 &&
			  strncmp(READ("{\"backoff\":{\"type\":\"fixed\",\"delay\":\"1\"}}"), "invalid", 7) ==
				  0 &&
			  strncmp(READ("{\"backoff\":[1]}"), "invalid", 7) == 0 &&
			  strncmp(READ("{\"telemetry\":[]}"), "invalid", 7) == 0,
		  "objects that are not as they should be");
}

int main(void)
{
	test_stored();
	test_refused();
	return test_result();
}
