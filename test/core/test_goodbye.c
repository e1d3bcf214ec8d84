/*
 * test_goodbye.c - what a server says before it closes an idle connection answers nothing. Over a unix
 * socket the commands that follow do not go out, and so may be sent again over a new one.
 */
#include "command.h"
#include "peer.h"
#include "scalar.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static const char *fine(void *ctx, const char *command)
{
	(void) ctx;
	(void) command;
	return "+OK\r\n";
}

/* How many of ten rows were set; -1: an error. */
static int64_t set_ten(sr_client *c, peer *p, const char *last_words)
{
	sr_batch b;
	int64_t	 total = 0;
	sr_err	 err;
	bool	 ok = true;

	sr_batch_init(&b, c, sr_command_find("redis_mset"));
	for (int i = 0; i < 10; i++)
		ok = ok && sr_batch_add(&b, 2, (sr_value[]){TEXT("k"), TEXT("v")}, &err);
	peer_hang_up(p, last_words);
	ok = ok && sr_batch_finish(&b, &total, &err);
	if (!ok)
		printf("# %s\n", err.msg);
	sr_batch_drop(&b);
	return ok ? total : -1;
}

static void test_goodbye(sr_client *c, peer *p, const char *last_words)
{
	static const char two[] = "[[\"SET\", \"a\", 1], [\"SET\", \"b\", 1]]";

	ask(c, "PING");
	CHECK(same_count(set_ten(c, p, last_words), 10), "rows");
	peer_hang_up(p, last_words);
	CHECK(is(CALL(c, "redis_pipeline", TEXT(two)), "[\"OK\",\"OK\"]"), "a pipeline");
	peer_hang_up(p, last_words);
	CHECK(is(CALL(c, "redis_pipeline", TEXT(two), TEXT("return")), "[\"OK\",\"OK\"]"),
		  "a pipeline whose errors are returned");
	peer_hang_up(p, last_words);
	CHECK(is(ask(c, "INCR n"), "\"OK\""), "a command");
}

int main(void)
{
	char		dir[] = "/tmp/sqlredis-test-XXXXXX";
	char		path[64];
	peer	   *p;
	sr_settings s;
	sr_client  *c;

	if (!CHECK(mkdtemp(dir) != NULL, "a directory"))
		return 1;
	snprintf(path, sizeof(path), "%s/socket", dir);
	p = peer_start_at(path, fine, NULL);
	if (!CHECK(p != NULL, "a server"))
		return 1;
	s = settings(peer_url(p));
	c = client(&s);
	test_goodbye(c, p, "");
	test_goodbye(c, p, "+OK\r\n");
	test_goodbye(c, p, "-ERR idle for too long\r\n");
	sr_client_free(c);
	peer_stop(p);
	unlink(path);
	rmdir(dir);
	return test_result();
}
