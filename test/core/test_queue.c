/*
 * test_queue.c - queues in transactions, and jobs that come again, against the Redis that SR_TEST_URL or
 * REDIS_URL names.
 */
#include "jobs.h"
#include "test.h"

#include <stdlib.h>

/* ---- order and transactions ---- */

static void test_order(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);

	put(c, "a");
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("second"), INT(2));
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("first"), INT(1));
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("first again"), INT(1));
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("b"), INT(0));
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("last"), INT(9007199254740992));
	CHECK(lengths(c, "6 0 0 0"), "what waits is counted, and markers are not");
	CHECK(is(next(c, 30), "a|1") && is(next(c, 30), "b|1") && is(next(c, 30), "first|1") &&
			  is(next(c, 30), "first again|1") && is(next(c, 30), "second|1") &&
			  is(next(c, 30), "last|1") && is(next(c, 30), ""),
		  "in order, those with a priority after those without");
	CHECK(lengths(c, "0 0 6 0") && ack(c) && lengths(c, "0 0 5 0") && !ack(c),
		  "what is acknowledged is no longer in hand");
	sr_client_free(c);
}

static void test_transactions(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = tx_begin(c);
	const char *id = IN(&t, "redis_enqueue", TEXT("q"), TEXT("a"));

	CHECK(strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32, "an id");
	tx_savepoint(&t);
	IN(&t, "redis_enqueue", TEXT("q"), TEXT("never"));
	tx_rollback_to(&t);
	tx_savepoint(&t);
	IN(&t, "redis_enqueue", TEXT("q"), TEXT("b"));
	tx_release(&t);
	CHECK(is(next(c, 30), "") && lengths(c, "0 0 0 0"), "nothing before the commit");
	tx_commit(&t);
	t = tx_begin(c);
	IN(&t, "redis_enqueue", TEXT("q"), TEXT("never"));
	tx_rollback(&t);
	CHECK(lengths(c, "2 0 0 0"), "nothing of what was rolled back");

	t = tx_begin(c);
	CHECK(is(next_in(&t), "a|1") && is(IN(&t, "redis_ack", TEXT("q"), TEXT(last_id)), "1"),
		  "taken");
	tx_rollback(&t);
	CHECK(lengths(c, "2 0 0 0"), "and given back by a rollback");
	t = tx_begin(c);
	CHECK(is(next_in(&t), "a|2") && is(next_in(&t), "b|1") && is(next_in(&t), ""), "first, again");
	tx_savepoint(&t);
	tx_rollback_to(&t);
	CHECK(lengths(c, "0 0 2 0"), "a savepoint after it changes nothing");
	tx_rollback(&t);
	t = tx_begin(c);
	CHECK(is(next_in(&t), "a|3") && is(IN(&t, "redis_ack", TEXT("q"), TEXT(last_id)), "1") &&
			  lengths(c, "1 0 1 0"),
		  "in its order, with what was taken after it");
	tx_commit(&t);
	CHECK(is(next(c, 30), "b|2") && ack(c) && nothing_left(c), "a commit acknowledges");
	sr_client_free(c);
}

/* A rollback does not take from somebody else what was in hand here before. */
static void test_given_to_another(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s), *other = client(&s);
	transaction t = tx_begin(c);
	sr_bound	bound = {.queue = t.queue, .holds = t.holds, .depth = 1};

	put(other, "a");
	CHECK(is(take(c, &bound, 0, 0.001), "a|1") && is(wait_for(other, 5), "a|2"),
		  "a job that is not acknowledged in time is handed out again");
	tx_rollback(&t);
	CHECK(lengths(c, "0 0 1 0") && is(next(c, 30), ""), "and is not the first one's to give back");
	CHECK(ack(other) && nothing_left(c), "the second one acknowledges it");

	put(c, "b");
	t = tx_begin(c);
	next_in(&t);
	CALL(c, "redis_nack", TEXT("q"), TEXT(last_id));
	CHECK(is(next(other, 30), "b|2"), "given back, and taken by another");
	tx_rollback(&t);
	CHECK(lengths(c, "0 0 1 0"), "who keeps it");
	sr_client_free(c);
	sr_client_free(other);
}

/* ---- again and again ---- */

static void test_attempts(void)
{
	sr_client  *c = limited(2, false);
	transaction t;

	put(c, "late");
	CHECK(is(next(c, 0.001), "late|1") && is(wait_for(c, 5), "late|2"), "handed out twice");
	CHECK(is(CALL(c, "redis_nack", TEXT("q"), TEXT(last_id)), "1") && is(next(c, 30), "") &&
			  lengths(c, "0 0 0 1"),
		  "and no third time");
	put(c, "given back");
	for (int i = 0; i < 2; i++)
	{
		t = tx_begin(c);
		next_in(&t);
		tx_rollback(&t);
	}
	CHECK(lengths(c, "0 0 0 2"), "a rollback counts");
	put(c, "forgotten");
	next(c, 0.001);
	CHECK(is(wait_for(c, 5), "forgotten|2"), "handed out twice");
	CALL(c, "redis_nack", TEXT("q"), TEXT(last_id), FLOAT(0.001));
	CHECK(is(ask(c, "LRANGE " KEY("dead") " 0 -1"), "[\"forgotten\",\"given back\",\"late\"]") &&
			  is(ask(c, "KEYS queue:*"), "[\"" KEY("dead") "\"]"),
		  "the dead are payloads in a list, and all there is");
	sr_client_free(c);
	c = limited(0, false);
	put(c, "immortal");
	for (int i = 0; i < 50; i++)
	{
		next(c, 30);
		CALL(c, "redis_nack", TEXT("q"), TEXT(last_id));
	}
	CHECK(is(next(c, 30), "immortal|51"), "without a limit there are none");
	sr_client_free(c);
}

static void test_nack(void)
{
	sr_client *c = limited(5, false);

	put(c, "a");
	put(c, "b");
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("p"), INT(1));
	next(c, 30);
	CHECK(is(CALL(c, "redis_nack", TEXT("q"), TEXT(last_id)), "1") &&
			  is(CALL(c, "redis_nack", TEXT("q"), TEXT(last_id)), "0") && is(next(c, 30), "a|2"),
		  "given back once, to be the next");
	CHECK(is(CALL(c, "redis_nack", TEXT("q"), TEXT(last_id), FLOAT(60)), "1") &&
			  lengths(c, "2 1 0 0") && is(next(c, 30), "b|1"),
		  "later");
	CHECK(is(next(c, 30), "p|1") &&
			  is(CALL(c, "redis_nack", TEXT("q"), TEXT(last_id), NONE), "1") &&
			  is(next(c, 30), "p|2"),
		  "one with a priority, too");
	CHECK(is(CALL(c, "redis_nack", TEXT("q"), TEXT("nobody's")), "0"), "one that nobody has");
	sr_client_free(c);
}

/* Acknowledged in time, but the commit came when the job was waiting, or in hand, again. */
static void test_late_commit(void)
{
	sr_client  *c = limited(5, false);
	transaction t;

	for (int round = 0; round < 4; round++)
	{
		ALONE(c, "redis_enqueue", TEXT("q"), TEXT("a"), INT(round == 1));
		put(c, "z");
		next(c, 30); /* a, or z before the one with a priority */
		if (round == 1)
			next(c, 30);
		t = tx_begin(c);
		IN(&t, "redis_ack", TEXT("q"), TEXT(last_id));
		CALL(c, "redis_nack", TEXT("q"), TEXT(last_id), FLOAT(round == 2 ? 60 : 0));
		if (round == 3)
			CHECK(is(next(c, 30), "a|2"), "in hand again");
		tx_commit(&t);
		if (round == 1)
			CHECK(lengths(c, "0 0 1 0"), "with a priority");
		else
			CHECK(lengths(c, "1 0 0 0") && is(next(c, 30), "z|1"), "it is not done again");
		ask(c, "FLUSHDB");
	}
	sr_client_free(c);
}

/* ---- plain lists ---- */

static void test_lists(void)
{
	sr_client  *c = limited(3, true);
	char		id[64];
	transaction t;

	CHECK(is(ALONE(c, "redis_enqueue", TEXT("q"), TEXT("a")), "~") &&
			  is(ask(c, "RPOP queue:q"), "\"a\""),
		  "a plain payload has no id");
	ask(c, "LPUSH queue:q a b a");
	CHECK(is(next(c, 30), "a|1") && strlen(last_id) == 32 && lengths(c, "2 0 1 0"),
		  "until it is taken");
	snprintf(id, sizeof id, "%s", last_id);
	next(c, 30);
	CALL(c, "redis_nack", TEXT("q"), TEXT(last_id));
	CHECK(is(next(c, 30), "b|2") && strcmp(id, last_id) != 0, "what comes back is counted");
	CALL(c, "redis_nack", TEXT("q"), TEXT(last_id));
	CHECK(is(ask(c, "LRANGE queue:q 0 -1"), "[\"a\",\"b\"]") && is(next(c, 30), "b|3"),
		  "and a plain payload for all others");
	CALL(c, "redis_nack", TEXT("q"), TEXT(last_id));
	CHECK(lengths(c, "1 0 1 1") && is(ask(c, "LRANGE " KEY("dead") " 0 -1"), "[\"b\"]"),
		  "until it is dead");
	t = tx_begin(c);
	next_in(&t);
	tx_rollback(&t);
	CHECK(is(next(c, 30), "a|2") && ack(c), "a rollback's, too");
	snprintf(last_id, sizeof last_id, "%s", id);
	ask(c, "DEL " KEY("dead"));
	CHECK(ack(c) && nothing_left(c), "nothing stays of what is done");
	CHECK(
		has(ALONE(c, "redis_enqueue", TEXT("q"), TEXT("a"), INT(1)),
			"neither priorities nor delays") &&
			has(ALONE(c, "redis_enqueue", TEXT("q"), TEXT("a"), NONE, FLOAT(1)),
				"neither priorities") &&
			has(ALONE(c, "redis_enqueue", TEXT("q"), TEXT("sqlredis:job:x")), "cannot begin with"),
		"what a plain list cannot hold is refused");
	CALL(c, "redis_nack", TEXT("q"), TEXT("x"));
	ask(c, "LPUSH queue:q delayed");
	next(c, 30);
	CALL(c, "redis_nack", TEXT("q"), TEXT(last_id), FLOAT(0.001));
	CHECK(is(wait_for(c, 5), "delayed|2") && ack(c) && nothing_left(c), "given back for later");
	sr_client_free(c);
}

static void test_bytes(void)
{
	static const char bytes[] = "\0 1 2\r\n\xFF%s 3 {}";
	sr_settings		  s;
	sr_client		 *c = fresh(&s);
	sr_value		  value = {.type = SR_TYPE_BYTES, .data = bytes, .len = sizeof bytes};
	char			 *large = malloc(3000001);

	ALONE(c, "redis_enqueue", TEXT("q"), value);
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT(""));
	memset(large, 'x', 3000000);
	large[3000000] = '\0';
	put(c, large);
	next(c, 30);
	CHECK(taken.len == sizeof bytes + 2 && memcmp(taken.data, bytes, sizeof bytes) == 0,
		  "any bytes");
	CALL(c, "redis_nack", TEXT("q"), TEXT(last_id));
	next(c, 30);
	CHECK(taken.len == sizeof bytes + 2 && memcmp(taken.data, bytes, sizeof bytes) == 0, "again");
	CHECK(is(next(c, 30), "|1") && strlen(next(c, 30)) == 3000002, "none, and many");
	free(large);
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_order();
	test_transactions();
	test_given_to_another();
	test_attempts();
	test_nack();
	test_late_commit();
	test_lists();
	test_bytes();
	return test_result();
}
