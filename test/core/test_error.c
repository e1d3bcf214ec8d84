/*
 * test_error.c - Redis's texts and those of services like Upstash, classified; and what a hostile
 * server may not put into a message.
 */
#include "core.h"
#include "test.h"

#include <locale.h>
#include <string.h>

static bool classified(const char *text, sr_class cls, const char *hint)
{
	sr_err err = {0};
	bool   good;

	sr_fail_reply(&err, text, strlen(text));
	good = err.cls == cls && strcmp(err.msg, text) == 0 && (hint == NULL || strstr(err.hint, hint));
	if (!good)
		printf("# '%s': class %s, hint '%s'\n", text, sr_class_word(err.cls), err.hint);
	return good;
}

static void test_redis(void)
{
	CHECK(classified("WRONGTYPE Operation against a key holding the wrong kind of value",
					 SR_E_WRONGTYPE, "redis_type"),
		  "WRONGTYPE");
	CHECK(classified("NOAUTH Authentication required.", SR_E_AUTH, "password"), "NOAUTH");
	CHECK(classified("WRONGPASS invalid username-password pair or user is disabled.", SR_E_AUTH,
					 "user name"),
		  "WRONGPASS");
	CHECK(classified("ERR AUTH <password> called without any password configured for the default "
					 "user. Are you sure your configuration is correct?",
					 SR_E_AUTH, "take the password out"),
		  "AUTH without need");
	CHECK(classified("NOPERM this user has no permissions to run the 'get' command",
					 SR_E_PERMISSION, "ACL SETUSER"),
		  "NOPERM");
	CHECK(classified("ERR The user executing the script can't run this command or subcommand",
					 SR_E_PERMISSION, "ACL SETUSER") &&
			  classified("ERR The user executing the script can't access at least one of the keys "
						 "mentioned in the command arguments",
						 SR_E_PERMISSION, "ACL SETUSER"),
		  "what Redis 7.0 says instead in a script");
	CHECK(classified("OOM command not allowed when used memory > 'maxmemory'.", SR_E_MEMORY,
					 "maxmemory"),
		  "OOM");
	CHECK(classified("ERR max number of clients reached", SR_E_CLIENTS, "maxclients"),
		  "too many clients");
	CHECK(classified("ERR max number of clients + cluster connections reached", SR_E_CLIENTS, NULL),
		  "too many clients of a cluster");
	CHECK(classified("READONLY You can't write against a read only replica.", SR_E_READONLY,
					 "primary"),
		  "READONLY");
	CHECK(classified("LOADING Redis is loading the dataset in memory", SR_E_BUSY, "again"),
		  "LOADING");
	CHECK(classified("BUSY Redis is busy running a script. You can only call SCRIPT KILL or "
					 "SHUTDOWN NOSAVE.",
					 SR_E_BUSY, "SCRIPT KILL"),
		  "BUSY");
	CHECK(classified("BUSYGROUP Consumer Group name already exists", SR_E_REPLY, NULL),
		  "BUSYGROUP is not BUSY");
	CHECK(classified("TRYAGAIN Multiple keys request during rehashing of slot", SR_E_BUSY, NULL),
		  "TRYAGAIN");
	CHECK(classified("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
					 "'no'.",
					 SR_E_BUSY, "primary"),
		  "MASTERDOWN");
	CHECK(classified("CLUSTERDOWN The cluster is down", SR_E_BUSY, "CLUSTER INFO"), "CLUSTERDOWN");
	CHECK(classified("MISCONF Errors writing to the AOF file: No space left on device",
					 SR_E_READONLY, "disk"),
		  "MISCONF");
	CHECK(
		classified("CROSSSLOT Keys in request don't hash to the same slot", SR_E_REPLY, "hash tag"),
		"CROSSSLOT");
	CHECK(classified("MOVED 3999 127.0.0.1:6381", SR_E_REPLY, "cluster mode"), "MOVED");
	CHECK(classified("ERR DB index is out of range", SR_E_OPTION, "URL"), "database");
	CHECK(classified("NOSCRIPT No matching script. Please use EVAL.", SR_E_REPLY, NULL),
		  "NOSCRIPT");
	CHECK(classified("NOPROTO unsupported protocol version", SR_E_REPLY, NULL), "NOPROTO");
	CHECK(classified("ERR unknown command 'FOO', with args beginning with: ", SR_E_REPLY, "old"),
		  "unknown command");
	CHECK(classified("ERR value is not an integer or out of range", SR_E_REPLY, "number"),
		  "not an integer");
	CHECK(classified("MYCODE something of a script's own", SR_E_REPLY, NULL), "anything else");
	CHECK(classified("", SR_E_REPLY, NULL), "nothing at all");
}

static void test_services(void)
{
	CHECK(classified("ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.",
					 SR_E_QUOTA, "plan"),
		  "daily requests");
	CHECK(classified("ERR max requests limit exceeded. Limit: 500000, Usage: 500000.", SR_E_QUOTA,
					 "plan"),
		  "requests");
	CHECK(classified("ERR DB capacity quota exceeded", SR_E_QUOTA, "full"), "capacity");
	CHECK(classified("ERR max request size exceeded. Limit: 1048576 bytes", SR_E_SIZE, "split"),
		  "request size");
	CHECK(classified("ERR max key size exceeded. Limit: 32768 bytes", SR_E_SIZE, "key"),
		  "key size");
	CHECK(classified("ERR max single record size exceeded. Limit: 104857600", SR_E_SIZE, "split"),
		  "record size");
	CHECK(classified("ERR max concurrent connections exceeded. Limit: 1000", SR_E_CLIENTS,
					 "connections"),
		  "connections");
	CHECK(classified("ERR Max Daily Request Limit Exceeded", SR_E_QUOTA, NULL), "in any case");
}

static void test_hostile(void)
{
	sr_err err = {0};
	char   big[2000];

	sr_fail_reply(&err, "ERR a\x1b[31m\r\nb\0c\x7f\xc2\x9b", 18);
	CHECK(strcmp(err.msg, "ERR a [31m  b c   ") == 0, "control characters become spaces");
	sr_fail_reply(&err, "ERR \xff\xc3\x28 caf\xc3\xa9 \xed\xa0\x80", 17);
	CHECK(strcmp(err.msg, "ERR ?"
						  "?( caf\xc3\xa9 ?"
						  "?"
						  "?") == 0,
		  "what is not UTF-8 becomes ?");
	memset(big, 'x', sizeof(big));
	sr_fail_reply(&err, big, sizeof(big));
	CHECK(strlen(err.msg) == sizeof(err.msg) - 1, "cut to size");
	for (size_t i = 1; i + 1 < sizeof(big); i += 2)
		memcpy(big + i, "\xc3\xa9", 2);
	sr_fail_reply(&err, big, sizeof(big));
	CHECK(sr_is_utf8(err.msg, strlen(err.msg)) && strchr(err.msg, '?') == NULL,
		  "but not within a character");
	sr_fail(&err, SR_E_OPTION, err.msg, "%s!", err.msg);
	CHECK(err.cls == SR_E_OPTION && strlen(err.msg) > 500, "arguments may lie in the error itself");
	CHECK(!sr_fail(NULL, SR_E_LOST, NULL, "x") && !sr_fail_reply(NULL, "x", 1) &&
			  !sr_fail_memory(NULL),
		  "no error wanted");
}

static void test_classes(void)
{
	bool good = true;

	for (int i = 0; i < SR_CLASSES; i++)
		good = good && sr_class_word((sr_class) i)[0] != '\0' &&
			   strlen(sr_class_sqlstate((sr_class) i)) == 5;
	CHECK(good, "every class has a word and a SQLSTATE");
	CHECK(strcmp(sr_class_sqlstate(SR_E_AUTH), "28P01") == 0, "28P01");
	CHECK(sr_is_utf8("\xf4\x8f\xbf\xbf", 4) && !sr_is_utf8("\xf4\x90\x80\x80", 4) &&
			  !sr_is_utf8("\xc0\x80", 2) && !sr_is_utf8("\xe2\x82", 2) && sr_is_utf8("a\0b", 3),
		  "UTF-8, strictly");
}

/* In Turkish the lower case of I is no i: a refused command must not pass as `multi` there. */
static void check_words(void)
{
	static const char *const locales[] = {"C", "tr_TR.UTF-8", "az_AZ.UTF-8", "tr_TR"};

	for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]); i++)
	{
		if (setlocale(LC_ALL, locales[i]) == NULL)
			continue;
		CHECK(sr_same_word("MULTI", "multi", 5), locales[i]);
		CHECK(sr_same_word("aZ@[`{", "Az@[`{", 6), "ASCII letters only");
		CHECK(!sr_same_word("@", "`", 1) && !sr_same_word("[", "{", 1), "and nothing beside them");
		CHECK(!sr_same_word("\xC3\x84", "\xC3\xA4", 2), "nor beyond");
	}
	setlocale(LC_ALL, "C");
}

int main(void)
{
	check_words();
	test_redis();
	test_services();
	test_hostile();
	test_classes();
	return test_result();
}
