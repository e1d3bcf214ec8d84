/*
 * test_lock.c - locks: their fence, waiting, and what becomes of one whose answer never came. Redis is the one
 * that SR_TEST_URL or REDIS_URL names.
 */
#include "test.h"
#include "transaction.h"

#include <stdlib.h>
#include <string.h>

#define LOCK(c, name, ...) CALL((c), "redis_lock", TEXT(name), __VA_ARGS__)

static long long fence(sr_client *c, const char *name, const char *token)
{
	const char *got = CALL(c, "redis_lock_fence", TEXT(name), TEXT(token));

	return *got == '~' ? -1 : atoll(got);
}

/* Take the lock as somebody else's client does. */
static void take_plainly(sr_client *c, const char *name, const char *token)
{
	char words[128];

	snprintf(words, sizeof(words), "SET %s %s PX 60000", name, token);
	ask(c, words);
}

static void copy_token(char token[64])
{
	snprintf(token, 64, "%s", last_scalar());
}

static void test_fence(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	char		token[64];
	long long	last = 0;

	for (int i = 0; i < 20; i++)
	{
		long long now;

		LOCK(c, "job", INT(30));
		copy_token(token);
		now = fence(c, "job", token);
		if (now <= last || fence(c, "job", token) != now || fence(c, "job", "other") != -1)
			CHECK(false, "a fence grows");
		last = now;
		ask(c, i % 3 == 0 ? "DEL job job:fence{job}" : "DEL job");
		if (i % 4 == 0)
			ask(c, "SCRIPT FLUSH");
		if (i % 5 == 0)
			ask(c, "LPUSH job:fence{job} x");
		if (i % 2 == 0)
			continue;
		ask(c, "DEL job:fence{job}");
		take_plainly(c, "job", "theirs");
		now = fence(c, "job", "theirs");
		if (now <= last || fence(c, "job", "theirs") != now)
			CHECK(false, "a fence grows");
		last = now;
		ask(c, "DEL job");
	}
	CHECK(last > 1600000000000000,
		  "a fence grows, whoever takes the lock and whatever becomes of it");
	CHECK(fence(c, "job", "theirs") == -1, "nobody's lock has none");
	LOCK(c, "job", FLOAT(0.5));
	CHECK(atol(ask(c, "PTTL job:fence{job}")) > 86300000, "it outlives the lock");
	LOCK(c, "{eu}:job", INT(30));
	CHECK(is(ask(c, "EXISTS {eu}:job {eu}:job:fence"), "2"), "in the same hash slot");
	ask(c, "DEL list");
	ask(c, "LPUSH list x");
	CHECK(is(LOCK(c, "list", INT(30)), "~"), "a key that is no lock is held");
	CHECK(has(CALL(c, "redis_lock_fence", TEXT("list"), TEXT("x")), "wrong type: WRONGTYPE"),
		  "and has no fence");
	sr_client_free(c);
}

static void test_late_fence(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	char		token[64];
	long long	ahead;

	ask(c, "SET job:fence{job} 4000000000000000:older");
	LOCK(c, "job", INT(30));
	copy_token(token);
	ahead = fence(c, "job", token);
	CHECK(ahead == 4000000000000001, "a fence that is ahead of the clock goes on from there");
	sr_client_free(c);
}

static void test_wait(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	uint64_t	before;

	LOCK(c, "job", FLOAT(0.4));
	before = sent(c);
	CHECK(strlen(LOCK(c, "job", INT(30), INT(30))) == 32, "waited for");
	CHECK(sent(c) - before > 1 && sent(c) - before < 40, "with growing pauses");
	before = sent(c) - sr_client_stats(c)->round_trips;
	CHECK(is(LOCK(c, "job", INT(30), FLOAT(0.1)), "~"), "not for ever");
	CHECK(sent(c) - sr_client_stats(c)->round_trips == before, "each retry is one round trip");
	state.interrupt = 5;
	CHECK(has(LOCK(c, "job", INT(30), INT(30)), "interrupted: "), "a wait can be interrupted");
	state.interrupt = -1;
	sr_client_free(c);
}

/* Whatever wait is interrupted, nobody is left with a lock that nobody has. */
static void test_interrupted(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	int			given_back = 0;

	for (int i = 0; i < 6; i++)
	{
		sr_client *other = client(&s);

		if (i % 2 == 0)
			ask(other, "PING");
		state.interrupt = i / 2;
		LOCK(other, "job", INT(30));
		state.interrupt = -1;
		if (strlen(last_scalar()) == 32)
			CALL(other, "redis_unlock", TEXT("job"), TEXT(last_scalar()));
		else if (has(last_scalar(), "interrupted: "))
			given_back += (int) sr_client_backlog(other);
		ask(other, "PING");
		if (!is(ask(c, "EXISTS job"), "0"))
			CHECK(false, "nothing is left behind");
		sr_client_free(other);
	}
	CHECK(given_back > 0, "an interrupted redis_lock is given back by the next call");
	sr_client_free(c);
}

/* Redis answers, but too late. */
static void test_timeout(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s), *slow;
	int64_t		until = host_now(&state) + 30000;

	s.command_timeout = 100;
	slow = client(&s);
	ask(slow, "PING");
	ask(c, "CLIENT PAUSE 400 ALL");
	CHECK(has(LOCK(slow, "job", INT(30)), "timeout: "), "no answer in time");
	ask(c, "PING");
	while (!is(ask(slow, "PING"), "\"PONG\"") && host_now(&state) < until)
		;
	CHECK(is(ask(c, "EXISTS job"), "0") && sr_client_backlog(slow) == 0,
		  "what Redis did then is undone by the next call that reaches it");
	ask(c, "CLIENT PAUSE 400 ALL");
	CHECK(strlen(LOCK(slow, "job", INT(30), INT(30))) == 32, "within the wait it is asked again");
	CHECK(is(LOCK(c, "job", INT(30)), "~"), "and has the lock");
	sr_client_free(slow);
	sr_client_free(c);
}

#define TAKE(t, name, ...) IN((t), "redis_xact_lock", TEXT(name), __VA_ARGS__)

static void test_xact(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s), *other = client(&s);
	transaction t = tx_begin(c), u = tx_begin(other);

	CHECK(is(TAKE(&t, "job", INT(30)), "1") && is(TAKE(&t, "job", INT(60)), "1"),
		  "taken, and again");
	CHECK(sr_holds_count(t.holds) == 1 && atol(ask(c, "PTTL job")) > 50000, "for the longer time");
	CHECK(is(TAKE(&t, "job", INT(1)), "1") && atol(ask(c, "PTTL job")) > 50000,
		  "never a shorter one");
	CHECK(is(TAKE(&u, "job", INT(30)), "0") && sr_holds_count(u.holds) == 0,
		  "others do not get it");
	CHECK(is(LOCK(other, "job", INT(30)), "~"), "with redis_lock neither");
	tx_savepoint(&t);
	TAKE(&t, "inner", INT(30));
	TAKE(&t, "job", INT(30));
	tx_rollback_to(&t);
	CHECK(is(ask(c, "EXISTS job"), "1") && is(ask(c, "EXISTS inner"), "0"),
		  "a savepoint's rollback releases what it took");
	tx_savepoint(&t);
	TAKE(&t, "inner", INT(30));
	tx_release(&t);
	CHECK(is(tx_commit(&t), "") && is(ask(c, "EXISTS job inner"), "0"), "released at commit");
	CHECK(is(TAKE(&u, "job", INT(30)), "1"), "then others get it");
	tx_rollback(&u);
	CHECK(is(ask(c, "EXISTS job"), "0"), "released by a rollback");
	t = tx_begin(c);
	TAKE(&t, "job", INT(30));
	ask(c, "DEL job");
	CHECK(is(TAKE(&t, "job", INT(30)), "1") && is(ask(c, "EXISTS job"), "1"),
		  "lost, and free: it is taken again");
	take_plainly(c, "job", "theirs");
	CHECK(is(TAKE(&t, "job", INT(30)), "0"), "lost to somebody else: it is not ours");
	CHECK(is(tx_commit(&t), "") && is(ask(c, "GET job"), "\"theirs\""), "nor released");
	ask(c, "DEL job");
	CHECK(is(ALONE(c, "redis_xact_lock", TEXT("job")), "1") && is(ask(c, "EXISTS job"), "0"),
		  "outside a transaction it is over at once");
	take_plainly(c, "job", "theirs");
	CHECK(is(ALONE(c, "redis_xact_lock", TEXT("job")), "0"), "or not to be had");
	sr_client_free(other);
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_fence();
	test_late_fence();
	test_wait();
	test_interrupted();
	test_timeout();
	test_xact();
	return test_result();
}
