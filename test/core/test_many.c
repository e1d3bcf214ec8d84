/*
 * test_many.c - pipelines, transactions, scripts, and any other command, of the Redis that SR_TEST_URL or
 * REDIS_URL names (it may be flushed), and of servers that stop answering.
 */
#include "command.h"
#include "peer.h"
#include "scalar.h"
#include "test.h"

#include <semaphore.h>
#include <stdlib.h>

#define PIPELINE(c, commands) CALL((c), "redis_pipeline", TEXT(commands))
#define RETURN(c, commands)	  CALL((c), "redis_pipeline", TEXT(commands), TEXT("return"))
#define MULTI(c, commands)	  CALL((c), "redis_multi", TEXT(commands))

static const char hint[] = "Each command is an array of strings and numbers";

static void test_pipeline(sr_client *c)
{
	sr_buf all = {0};

	ask(c, "FLUSHDB");
	CHECK(is(PIPELINE(
				 c, "[[\"SET\", \"a\", 1.50], [\"GET\", \"a\"], [\"GET\", \"none\"], "
					"[\"RPUSH\", \"l\", \"\\\"\", \"\\u00e9\", \"\"], [\"LRANGE\", \"l\", 0, -1]]"),
			 "[\"OK\",\"1.50\",null,3,[\"\\\"\",\"\xc3\xa9\",\"\"]]"),
		  "commands and their replies");
	CHECK(has(PIPELINE(c,
					   "[[\"SET\",\"n\",1],[\"LPUSH\",\"n\",2],[\"INCR\",\"l\"],[\"INCR\",\"n\"]]"),
			  "wrong type: command 2 of 4 (LPUSH) failed: WRONGTYPE ") &&
			  has(PIPELINE(c, "[[\"LPUSH\",\"n\",2],[\"INCR\",\"n\"]]"),
				  "; 1 succeeded | The key holds another kind"),
		  "the first error");
	CHECK(is(ask(c, "GET n"), "\"3\""), "the others are done");
	CHECK(is(RETURN(c, "[[\"INCR\",\"l\"],[\"INCR\",\"n\"]]"),
			 "[{\"error\":\"WRONGTYPE Operation against a key holding the wrong kind of "
			 "value\"},4]"),
		  "errors in their places");
	CHECK(is(CALL(c, "redis_pipeline", TEXT("[[\"ECHO\",\"x\"]]"), TEXT("RAISE")), "[\"x\"]") &&
			  is(CALL(c, "redis_pipeline", TEXT("[[\"ECHO\",\"x\"]]"), NONE), "[\"x\"]"),
		  "errors 'raise', and none");
	CHECK(has(CALL(c, "redis_pipeline", TEXT("[]"), TEXT("ignore")),
			  "invalid: errors must be one of raise|return"),
		  "another word");
	lua(c, "redis.call('SET', 'bin', '\\255')");
	CHECK(has(PIPELINE(c, "[[\"SET\",\"a\",1],[\"GET\",\"bin\"],[\"SET\",\"b\",1]]"),
			  "encoding: command 2 of 3 (GET) failed: the reply of Redis holds bytes") &&
			  is(ask(c, "EXISTS b"), "1"),
		  "a reply that is no text");
	for (int i = 0; i < 50000; i++)
		sr_buf_fmt(&all, "%c[\"INCR\",\"many\"]", i == 0 ? '[' : ',');
	sr_buf_str(&all, "]");
	CHECK(has(PIPELINE(c, all.data), ",49999,50000]"), "fifty thousand commands");
	sr_buf_free(&all);
}

static void test_refused(sr_client *c)
{
	uint64_t before = sent(c);

	CHECK(is(PIPELINE(c, "[]"), "[]") && is(MULTI(c, " [ ] "), "[]"), "no commands");
	CHECK(is(CALL(c, "redis_pipeline", NONE), "~") && is(CALL(c, "redis_multi", NONE), "~"),
		  "NULL");
	CHECK(has(PIPELINE(c, "{}"), "invalid: commands must be a JSON array"), "an object");
	CHECK(
		has(PIPELINE(c, "[[\"SET\",\"a\",1], \"GET\"]"), "invalid: command 2 is a string | Each") &&
			has(PIPELINE(c, "[null]"), "command 1 is null") &&
			has(PIPELINE(c, "[{\"a\": 1}]"), "command 1 is an object") &&
			has(MULTI(c, "[7]"), "command 1 is a number"),
		"commands that are none");
	CHECK(has(PIPELINE(c, "[[\"SET\",\"a\",1], []]"), "invalid: command 2 is empty"),
		  "an empty one");
	CHECK(has(PIPELINE(c, "[[\"SET\",\"a\",null]]"), "command 1: element 3 is null") &&
			  has(MULTI(c, "[[\"SET\",\"a\",1],[\"SET\",true,1]]"),
				  "command 2: element 2 is true or false") &&
			  has(MULTI(c, "[[\"SET\",[\"a\"],1]]"), "command 1: element 2 is an array") &&
			  has(MULTI(c, "[[\"SET\",{},1]]"), hint),
		  "arguments that are none");
	CHECK(has(PIPELINE(c, "[[\"SET\",\"a\",1],[\"multi\"]]"),
			  "invalid: command 2: MULTI is refused here") &&
			  has(MULTI(c, "[[\"EXEC\"]]"), "command 1: EXEC is refused here") &&
			  has(MULTI(c, "[[\"CLIENT\",\"reply\",\"OFF\"]]"), "CLIENT REPLY is refused"),
		  "commands that would corrupt the connection");
	CHECK(sent(c) == before, "nothing was sent");
}

static void test_blocking(sr_client *c)
{
	sr_settings s = settings(server);

	ask(c, "DEL empty");
	s.command_timeout = 300;
	sr_client_configure(c, &s, NULL);
	CHECK(is(PIPELINE(c, "[[\"BLPOP\",\"empty\",0.4],[\"BLPOP\",\"empty\",0],[\"ECHO\",\"x\"]]"),
			 "[null,null,\"x\"]"),
		  "commands that wait, none for ever");
	CHECK(is(MULTI(c, "[[\"BLPOP\",\"empty\",0],[\"ECHO\",\"x\"]]"), "[null,\"x\"]"),
		  "in a transaction nothing waits");
	CHECK(is(CALL(c, "redis_blpop", TEXT("empty"), FLOAT(0.5)), "~") &&
			  is(CALL(c, "redis_brpop", TEXT("empty"), INT(0)), "~"),
		  "no element came");
	ask(c, "RPUSH list a b c");
	CHECK(is(CALL(c, "redis_blpop", TEXT("list"), INT(1)), "a") &&
			  is(CALL(c, "redis_brpop", TEXT("list"), INT(1)), "c"),
		  "an element");
	CHECK(has(CALL(c, "redis_blpop", TEXT("list"), INT(-1)), "redis: ERR timeout is negative"),
		  "Redis's errors");
	s = settings(server);
	sr_client_configure(c, &s, NULL);
}

static void test_multi(sr_client *c)
{
	uint64_t before;

	ask(c, "FLUSHDB");
	CHECK(
		is(MULTI(c, "[[\"INCR\",\"a\"],[\"INCRBY\",\"b\",10],[\"GET\",\"none\"]]"), "[1,10,null]"),
		"a transaction");
	before = sent(c);
	CHECK(is(MULTI(c, "[[\"INCR\",\"a\"]]"), "[2]") && sent(c) == before + 3, "MULTI, it, EXEC");
	CHECK(has(MULTI(c, "[[\"INCR\",\"a\"],[\"NOSUCH\",1],[\"GET\"]]"),
			  "redis: command 2 of 3 (NOSUCH) was refused: ERR unknown command") &&
			  has(MULTI(c, "[[\"INCR\",\"a\"],[\"GET\"]]"), "; nothing was done | "),
		  "a command that Redis does not accept");
	CHECK(is(ask(c, "GET a"), "\"2\""), "cancels all");
	CHECK(has(MULTI(c, "[[\"INCR\",\"a\"],[\"LPUSH\",\"a\",1],[\"INCR\",\"a\"]]"),
			  "wrong type: command 2 of 3 (LPUSH) failed: WRONGTYPE ") &&
			  has(MULTI(c, "[[\"LPUSH\",\"a\",1],[\"INCR\",\"a\"]]"),
				  "; 1 succeeded | Redis has no rollback"),
		  "one that fails when it runs");
	CHECK(is(ask(c, "GET a"), "\"5\""), "leaves the others done");
	lua(c, "redis.call('SET', 'bin', '\\255')");
	CHECK(has(MULTI(c, "[[\"INCR\",\"a\"],[\"GET\",\"bin\"]]"),
			  "encoding: the reply of Redis holds bytes that are not UTF-8; the commands took"),
		  "a reply that is no text");
	ask(c, "SET a x");
	kill_others();
	state.skew += 5000;
	CHECK(is(MULTI(c, "[[\"GET\",\"a\"]]"), "[\"x\"]"), "over a new connection");
}

/* Users who may not do transactions must not have their commands run without one. */
static void test_multi_forbidden(sr_client *c)
{
	const char *words[] = {"multi", "exec"};
	const char *at = strstr(server, "://");

	ask(c, "SET a 1");
	for (int i = 0; i < 2; i++)
	{
		char		rule[128], url[512];
		sr_settings s;
		sr_client  *u;

		snprintf(rule, sizeof(rule), "ACL SETUSER limited on >secret ~* +@all -%s", words[i]);
		ask(c, rule);
		snprintf(url, sizeof(url), "%.*s://limited@%s", (int) (at - server), server, at + 3);
		s = settings(url);
		s.password = "secret";
		u = client(&s);
		CHECK(has(MULTI(u, "[[\"INCR\",\"a\"]]"), "permission: NOPERM "), words[i]);
		CHECK(is(ask(u, "GET a"), "\"1\""), "nothing ran, and the connection is as it was");
		sr_client_free(u);
		ask(c, "ACL DELUSER limited");
	}
}

/* An older server, which refuses EXEC and stays in the transaction. */
static const char *no_exec(void *ctx, const char *command)
{
	(void) ctx;
	return strcmp(command, "EXEC") == 0 ? "-NOPERM no permissions to run EXEC\r\n" : "+OK\r\n";
}

static void test_stuck(void)
{
	peer	   *p = peer_start(no_exec, NULL);
	sr_settings s = settings(peer_url(p));
	sr_client  *c = client(&s);

	ask(c, "PING");
	CHECK(has(MULTI(c, "[[\"INCR\",\"a\"]]"), "permission: NOPERM ") &&
			  has(last_scalar(), "; nothing was done"),
		  "EXEC is refused");
	CHECK(!sr_client_connected(c), "a connection that is in a transaction is closed");
	sr_client_free(c);
	peer_stop(p);
}

/* A peer that answers so many commands, then no more; or that then stops reading, too. */
typedef struct few
{
	int	  left;
	sem_t reads; /* to be posted when it shall go on */
	bool  stops;
} few;

static const char *a_few(void *ctx, const char *command)
{
	few *f = ctx;

	if (f->left == 0 && f->stops)
		sem_wait(&f->reads);
	if (f->left-- <= 0)
		return "";
	return strcmp(command, "MULTI") == 0  ? "+OK\r\n"
		   : strcmp(command, "EXEC") == 0 ? "*0\r\n"
										  : "+QUEUED\r\n";
}

static void test_silence(void)
{
	few			f = {.left = 1};
	peer	   *p = peer_start(a_few, &f);
	sr_settings s = settings(peer_url(p));
	sr_client  *c;
	sr_buf		large = {0};

	s.command_timeout = 200;
	c = client(&s);
	CHECK(has(PIPELINE(c, "[[\"INCR\",\"a\"],[\"INCR\",\"b\"],[\"INCR\",\"c\"]]"),
			  "timeout: no reply from Redis at ") &&
			  has(last_scalar(), "; 1 of 3 commands were answered, whether the others took effect "
								 "is unknown"),
		  "no reply to a command");
	sr_client_free(c);
	f.left = 4; /* an empty transaction, MULTI, INCR */
	c = client(&s);
	CHECK(
		has(MULTI(c, "[[\"INCR\",\"a\"],[\"INCR\",\"b\"]]"), "timeout: no reply from Redis at ") &&
			has(last_scalar(), "; whether the transaction took effect is unknown"),
		"no reply to EXEC");
	sr_client_free(c);
	sem_init(&f.reads, 0, 0);
	f.left = 2; /* an empty transaction; MULTI finds it deaf */
	f.stops = true;
	sr_buf_str(&large, "[[\"SET\",\"a\",\"");
	while (large.len < (size_t) 30 << 20)
		sr_buf_str(&large,
				   "0123456789012345678901234567890123456789012345678901234567890123456789");
	sr_buf_str(&large, "\"],[\"INCR\",\"a\"]]");
	c = client(&s);
	CHECK(has(MULTI(c, large.data), "timeout: no reply from Redis at ") &&
			  has(last_scalar(), "; EXEC was not sent, so that nothing was done"),
		  "a peer that does not read");
	sr_buf_free(&large);
	sr_client_free(c);
	sem_post(&f.reads);
	peer_stop(p);
	sem_destroy(&f.reads);
}

static void test_lost(sr_client *c)
{
	ask(c, "FLUSHDB");
	ask(c, "PING");
	kill_others();
	if (strstr(server, "unix://") != NULL)
		CHECK(is(PIPELINE(c, "[[\"INCR\",\"a\"]]"), "[1]"), "nothing went out: sent again");
	else
		CHECK(has(PIPELINE(c, "[[\"INCR\",\"a\"]]"),
				  "; 0 of 1 commands were answered, whether the others took effect is unknown"),
			  "what went out is not sent again");
	ask(c, "PING");
	kill_others();
	state.skew += 5000;
	CHECK(is(PIPELINE(c, "[[\"EXISTS\",\"none\"]]"), "[0]"), "the next one is well");
}

static void test_eval(sr_client *c)
{
	const char *script = "return {KEYS, ARGV}";
	sr_value	keys[] = {TEXT("k1"), {.type = SR_TYPE_BYTES, .data = "k2", .len = 2}};
	sr_value	list = {.type = SR_TYPE_LIST, .items = keys, .len = 2};
	sr_value	nothing = {.type = SR_TYPE_LIST, .items = keys, .len = 0};
	sr_settings s = settings(server);
	uint64_t	before;

	ask(c, "SCRIPT FLUSH");
	before = sent(c);
	CHECK(is(CALL(c, "redis_eval", TEXT(script), list, TEXT("[\"a\\\"\", 1.0, \"\"]")),
			 "[[\"k1\",\"k2\"],[\"a\\\"\",\"1.0\",\"\"]]") &&
			  sent(c) == before + 2,
		  "a script that Redis does not know");
	CHECK(is(CALL(c, "redis_eval", TEXT(script), nothing, list), "[[],[\"k1\",\"k2\"]]") &&
			  sent(c) == before + 3,
		  "and now does");
	CHECK(is(CALL(c, "redis_eval", TEXT("return false")), "~") &&
			  is(CALL(c, "redis_eval", TEXT("return 1"), NONE, TEXT("[]")), "1") &&
			  is(CALL(c, "redis_eval", NONE, list), "~"),
		  "NULL");
	CHECK(
		has(CALL(c, "redis_eval", TEXT("return redis.call('INCR', KEYS[1], 1)"), list), "redis: "),
		"a script that fails");
	before = sent(c);
	keys[1] = NONE;
	CHECK(has(CALL(c, "redis_eval", TEXT(script), list),
			  "invalid: keys must not hold NULL: element 2 does") &&
			  has(CALL(c, "redis_eval", TEXT(script), NONE, TEXT("[null]")),
				  "invalid: args must not hold NULL: element 1 does"),
		  "a NULL among them");
	CHECK(has(CALL(c, "redis_eval", TEXT(script), TEXT("[[1]]")),
			  "keys must not hold anything but strings and numbers") &&
			  has(CALL(c, "redis_eval", TEXT(script), INT(1)), "keys must be a JSON array") &&
			  has(CALL(c, "redis_eval", TEXT(script), TEXT("k1")), "keys must be a JSON array"),
		  "what is no list");
	CHECK(has(CALL(c, "redis_eval", ((sr_value){SR_TYPE_TEXT, .data = "a\0b", .len = 3})),
			  "script must not hold a zero byte"),
		  "a script with a zero byte");
	CHECK(sent(c) == before, "nothing was sent");
	s.key_prefix = "p:";
	sr_client_configure(c, &s, NULL);
	CHECK(is(CALL(c, "redis_eval", TEXT(script), TEXT("[\"k\"]"), TEXT("[\"k\"]")),
			 "[[\"p:k\"],[\"k\"]]"),
		  "the key prefix");
	s.key_prefix = NULL;
	sr_client_configure(c, &s, NULL);
}

/* What redis_call may send again after the connection broke under it: what the table knows to read. */
static void test_call(sr_client *c)
{
	bool tcp = strstr(server, "unix://") == NULL;

	ask(c, "FLUSHDB");
	ask(c, "SET a 1");
	CHECK(is(CALL(c, "redis_call", TEXT("object"), TEXT("encoding"), TEXT("a")), "\"int\"") &&
			  is(CALL(c, "redis_call", TEXT("get"), TEXT("none")), "~"),
		  "any command");
	kill_others();
	CHECK(is(CALL(c, "redis_call", TEXT("get"), TEXT("a")), "\"1\""), "a read");
	kill_others();
	CHECK(is(CALL(c, "redis_call", TEXT("GEOSEARCH"), TEXT("g"), TEXT("FROMLONLAT"), TEXT("0"),
				  TEXT("0"), TEXT("BYRADIUS"), TEXT("1"), TEXT("m")),
			 "[]"),
		  "a read whose row has words behind the arguments");
	kill_others();
	CHECK(has(CALL(c, "redis_call", TEXT("SET"), TEXT("a"), TEXT("2")), tcp ? "unknown" : "OK"),
		  "a write");
	ask(c, "PING");
	kill_others();
	CHECK(has(CALL(c, "redis_call", TEXT("DEL"), TEXT("none")), tcp ? "unknown" : "0"),
		  "a write that an aggregate has too");
	state.skew += 5000;
	CHECK(has(CALL(c, "redis_call", TEXT("Select"), TEXT("1")), "invalid: SELECT is refused here"),
		  "what is refused");
}

int main(void)
{
	sr_settings s;
	sr_client  *c;

	if (!find_server())
		return 1;
	s = settings(server);
	c = client(&s);
	test_pipeline(c);
	test_refused(c);
	test_blocking(c);
	test_multi(c);
	test_multi_forbidden(c);
	s = settings(server);
	test_stuck();
	test_silence();
	test_lost(c);
	test_eval(c);
	test_call(c);
	ask(c, "FLUSHDB");
	sr_client_free(c);
	return test_result();
}
