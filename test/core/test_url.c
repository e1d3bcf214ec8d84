/*
 * test_url.c - URLs, good and bad, and that no password is ever shown.
 */
#include "core.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static bool text_is(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Everything of a URL in one line. */
static bool parsed(const char *text, const char *expected)
{
	sr_url url;
	sr_err err = {0};
	char   got[1024];
	bool   good;

	if (!sr_url_parse(text, &url, &err))
	{
		printf("# %s: %s\n", text, err.msg);
		return false;
	}
	snprintf(got, sizeof(got), "%s|%s|%d|%d|%s|%s|%s", url.host ? url.host : "-",
			 url.path ? url.path : "-", url.port, url.db, url.user ? url.user : "-",
			 url.password ? url.password : "-", url.tls ? "tls" : "plain");
	good = strcmp(got, expected) == 0;
	if (!good)
		printf("# %s: expected %s, got %s\n", text, expected, got);
	sr_url_free(&url);
	return good;
}

static bool refused(const char *text, const char *why)
{
	sr_url url;
	sr_err err = {0};
	bool   good;

	if (sr_url_parse(text, &url, &err))
	{
		printf("# %s: accepted\n", text);
		sr_url_free(&url);
		return false;
	}
	good = err.cls == SR_E_OPTION && strstr(err.msg, why) != NULL && url.host == NULL &&
		   url.password == NULL && strstr(err.msg, "s3cret") == NULL &&
		   strstr(err.hint, "s3cret") == NULL;
	if (!good)
		printf("# %s: %s (%s)\n", text, err.msg, err.hint);
	return good;
}

static bool redacted(const char *text, const char *expected)
{
	char *got = sr_url_redact(text);
	bool  good = text_is(got, expected);

	if (!good)
		printf("# %s: expected %s, got %s\n", text, expected, got);
	free(got);
	return good;
}

static void test_good(void)
{
	CHECK(parsed("redis://localhost", "localhost|-|6379|0|-|-|plain"), "a host");
	CHECK(parsed("redis://localhost/", "localhost|-|6379|0|-|-|plain"), "an empty path");
	CHECK(parsed("REDIS://h:1/15", "h|-|1|15|-|-|plain"), "port, database, scheme in capitals");
	CHECK(
		parsed("rediss://default:pw@x-1.upstash.io:6379", "x-1.upstash.io|-|6379|0|default|pw|tls"),
		"TLS, user and password");
	CHECK(parsed("redis://:pw@h", "h|-|6379|0|-|pw|plain"), "a password alone");
	CHECK(parsed("redis://user@h", "h|-|6379|0|user|-|plain"), "a user alone");
	CHECK(parsed("redis://u:a%40b%3Ac%2Fd%25%20e@h", "h|-|6379|0|u|a@b:c/d% e|plain"),
		  "percent escapes");
	CHECK(parsed("redis://u:p:q@h", "h|-|6379|0|u|p:q|plain"), "a colon in the password");
	CHECK(parsed("redis://u:p@q@h", "h|-|6379|0|u|p@q|plain"), "an @ in the password");
	CHECK(parsed("redis://[::1]:7000/2", "::1|-|7000|2|-|-|plain"), "IPv6");
	CHECK(parsed("redis://[fe80::1%25eth0]", "fe80::1%eth0|-|6379|0|-|-|plain"), "IPv6 with zone");
	CHECK(parsed("redis://my_redis.svc.", "my_redis.svc.|-|6379|0|-|-|plain"), "a rooted name");
	CHECK(parsed("redis+unix:///run/r.sock?db=3", "-|/run/r.sock|6379|3|-|-|plain"), "a socket");
	CHECK(parsed("unix:///run/a%20b.sock", "-|/run/a b.sock|6379|0|-|-|plain"),
		  "redis-py's scheme, a space in the path");
	CHECK(parsed("redis+unix://u:p@/run/r.sock", "-|/run/r.sock|6379|0|u|p|plain"),
		  "user and password at a socket");
	CHECK(parsed("redis://h?db=4", "h|-|6379|4|-|-|plain"), "the database as an option");
	CHECK(parsed("redis://h/4?db=4", "h|-|6379|4|-|-|plain"), "the same database twice");
	CHECK(parsed("redis://h?", "h|-|6379|0|-|-|plain"), "no options");
}

static void test_options(void)
{
	sr_url url;

	if (CHECK(sr_url_parse("rediss://h?connect_timeout=100&command_timeout=200&family=6&"
						   "tls_ca=/a%26b&tls_cert=c.pem&tls_key=k.pem&tls_verify=ca",
						   &url, NULL),
			  "all options"))
	{
		CHECK(url.connect_timeout == 100 && url.command_timeout == 200 && url.family == 6,
			  "numbers");
		CHECK(text_is(url.tls_ca, "/a&b") && text_is(url.tls_cert, "c.pem") &&
				  text_is(url.tls_key, "k.pem"),
			  "files");
		CHECK(url.verify == SR_VERIFY_CA, "verification");
		sr_url_free(&url);
	}
	CHECK(sr_url_parse("rediss://h", &url, NULL) && url.verify == SR_VERIFY_FULL,
		  "verified unless told otherwise");
	sr_url_free(&url);
	CHECK(sr_url_parse("rediss://h?tls_verify=none", &url, NULL) && url.verify == SR_VERIFY_NONE,
		  "tls_verify=none");
	sr_url_free(&url);
}

static void test_bad(void)
{
	CHECK(refused("", "://"), "nothing");
	CHECK(refused("localhost:6379", "://"), "no scheme");
	CHECK(refused("http://h", "REST"), "http");
	CHECK(refused("https://x.upstash.io", "REST"), "https");
	CHECK(refused("postgres://h", "scheme"), "another scheme");
	CHECK(refused("redis://", "no host"), "no host");
	CHECK(refused("redis://:s3cret@", "no host"), "no host behind a password");
	CHECK(refused("redis:///0", "no host"), "no host before a database");
	CHECK(refused("redis://h:", "port"), "empty port");
	CHECK(refused("redis://h:0", "port"), "port 0");
	CHECK(refused("redis://h:65536", "port"), "port 65536");
	CHECK(refused("redis://h:63 79", "space"), "a space");
	CHECK(refused("redis://h:s3cret", "port"), "a password in the port's place");
	CHECK(refused("redis://h:99999999999999999999999", "port"), "a port without end");
	CHECK(refused("redis://::1", "more than one :"), "IPv6 without brackets");
	CHECK(refused("redis://u:s3cret@fe80::1:6379", "more than one :"), "and with a password");
	CHECK(refused("redis://[::1", "no ]"), "an open bracket");
	CHECK(refused("redis://[::1]x", "after the ]"), "text after the bracket");
	CHECK(refused("redis://h/x", "database"), "a database that is no number");
	CHECK(refused("redis://h/-1", "database"), "a negative database");
	CHECK(refused("redis://h/1/2", "database"), "two databases in the path");
	CHECK(refused("redis://h/99999999999", "database"), "a database beyond int");
	CHECK(refused("redis://h/1?db=2", "two different"), "two databases");
	CHECK(refused("redis://u:s3cret%zz@h", "hexadecimal"), "a bad escape");
	CHECK(refused("redis://u:s3cret%4@h", "hexadecimal"), "half an escape");
	CHECK(refused("redis://u:s3cret%@h", "hexadecimal"), "a lone %");
	CHECK(refused("redis://u:s3cret%00@h", "hexadecimal"), "an escaped NUL");
	CHECK(refused("redis://:s3/cret@h", "@"), "a / in the password");
	CHECK(refused("redis://:s3cret?x@h", "@"), "a ? in the password");
	CHECK(refused("redis://:s3cret#x@h", "@"), "a # in the password");
	CHECK(refused("redis://h#x", "#"), "a fragment");
	CHECK(refused("redis://h\nx", "control"), "a newline");
	CHECK(refused("redis://h!x", "neither"), "a host that is no name");
	CHECK(refused("redis://caf\xc3\xa9", "neither"), "a name outside ASCII");
	CHECK(refused("redis://h?nope=1", "\"nope\""), "an unknown option");
	CHECK(refused("redis://h?password=s3cret", "\"password\""), "a password option");
	CHECK(refused("redis://h?db", "database"), "an option without value");
	CHECK(refused("redis://h?family=5", "family"), "family 5");
	CHECK(refused("redis://h?family=4&family=4", "twice"), "an option twice");
	CHECK(refused("redis://h?connect_timeout=0", "connect_timeout"), "no time");
	CHECK(refused("redis://h?command_timeout=2s", "command_timeout"), "a unit");
	CHECK(refused("rediss://h?tls_verify=yes", "tls_verify"), "verify yes");
	CHECK(refused("rediss://h?tls_ca=", "tls_ca"), "no file");
	CHECK(refused("rediss://h?tls_key=k", "without tls_cert"), "a key without certificate");
	CHECK(refused("redis://h?tls_ca=f", "no TLS"), "TLS options without TLS");
	CHECK(refused("redis://h?tls_verify=none", "no TLS"), "verification without TLS");
	CHECK(refused("redis+unix://run/r.sock", "no host"), "two slashes before a socket");
	CHECK(refused("redis+unix://", "no absolute path"), "no socket");
	CHECK(refused("unix:///", "no absolute path"), "a socket named /");
	CHECK(refused("unix:///s?family=4", "family"), "a family at a socket");
}

static void test_shown(void)
{
	sr_url url;
	char   where[64];

	CHECK(redacted("redis://u:s3cret@h:6379/0", "redis://u:***@h:6379/0"), "user and password");
	CHECK(redacted("redis://:s3cret@h", "redis://:***@h"), "a password alone");
	CHECK(redacted("redis://s3cret@h", "redis://***@h"), "a lone word may be a password");
	CHECK(redacted("redis://u:s3@cret@h", "redis://u:***@h"), "an @ in it");
	CHECK(redacted("redis://u:s3/cret@h", "redis://u:***@h"), "a / in it");
	CHECK(redacted("redis://s3?cr:et@h", "redis://***@h"), "a ? in it");
	CHECK(redacted("redis://h:s3cret", "redis://h:***"), "in the port's place");
	CHECK(redacted("redis://h:6379/2?connect_timeout=5", "redis://h:6379/2?connect_timeout=5"),
		  "nothing to hide");
	CHECK(redacted("redis://h?password=s3cret&db=1", "redis://h?password=***&db=1"),
		  "as an option");
	CHECK(redacted("redis://h?s3cret", "redis://h?***"), "as a bare option");
	CHECK(redacted("redis://h#s3cret", "redis://h#***"), "as a fragment");
	CHECK(redacted("s3cret", "***"), "no URL at all");
	CHECK(redacted("s3cret://h", "***://h"), "an unknown scheme");
	CHECK(redacted("redis://[::1]:7/1", "redis://[::1]:7/1"), "IPv6");
	CHECK(redacted("redis+unix://u:s3cret@/run/r.sock?db=1", "redis+unix://u:***@/run/r.sock?db=1"),
		  "a socket");
	CHECK(redacted("redis://h\x1b[m\n", "redis://h?[m?"), "control characters");
	if (sr_url_parse("redis://[::1]:7", &url, NULL))
	{
		sr_url_where(&url, where, sizeof(where));
		CHECK(text_is(where, "[::1]:7"), "an address for messages");
		sr_url_free(&url);
	}
}

int main(void)
{
	test_good();
	test_options();
	test_bad();
	test_shown();
	return test_result();
}
