/*
 * test_hold.c - what a transaction takes in Redis before it commits: redis_idempotent and redis_reserve, at
 * every end that a transaction can have. Redis is the one that SR_TEST_URL or REDIS_URL names, or a test's own.
 */
#include "redis.h"
#include "test.h"
#include "transaction.h"

#include <stdlib.h>
#include <string.h>

#define FIRST(t, key)	  IN((t), "redis_idempotent", TEXT(key))
#define RESERVE(t, f, n)  IN((t), "redis_reserve", TEXT("stock"), TEXT(f), INT(n))
#define LEAVE(t, key, to) IN((t), "redis_idempotent_result", TEXT(key), TEXT(to))
#define LEFT(c, key)	  CALL((c), "redis_idempotent_result", TEXT(key))

/* Until Redis says so; its clock, not ours, decides. */
static bool becomes(sr_client *c, const char *words, const char *expected)
{
	int64_t until = host_now(&state) + 30000;

	while (strcmp(ask(c, words), expected) != 0)
		if (host_now(&state) > until)
			return is(ask(c, words), expected);
	return true;
}

static void test_once(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s), *other = client(&s);
	transaction t = tx_begin(c), u = tx_begin(other);

	CHECK(is(FIRST(&t, "pay"), "1"), "the first time");
	CHECK(is(FIRST(&t, "pay"), "0"), "is not again in the same transaction");
	CHECK(is(FIRST(&u, "pay"), "0"), "nor in another one");
	CHECK(is(LEFT(other, "pay"), "~"), "which finds no result");
	CHECK(is(LEAVE(&t, "pay", "receipt 7"), "receipt 7"), "a result is left");
	CHECK(has(LEAVE(&u, "pay", "mine"), "invalid: redis_idempotent was not true for this key"),
		  "by the first only");
	CHECK(is(LEFT(c, "pay"), "~"), "and is not there before the commit");
	CHECK(has(ask(c, "GET idem:pay"), "pending:"), "the key is pending");
	CHECK(is(tx_commit(&t), ""), "commit");
	CHECK(is(ask(c, "GET idem:pay"), "\"done:receipt 7\"") && is(LEFT(other, "pay"), "receipt 7"),
		  "then it is for all");
	CHECK(is(FIRST(&u, "pay"), "0") && is(ALONE(c, "redis_idempotent", TEXT("pay")), "0"),
		  "and never again the first time");
	CHECK(atol(ask(c, "PTTL idem:pay")) > 86300000, "for a day");
	CHECK(is(IN(&u, "redis_idempotent", TEXT("short"), FLOAT(0.5)), "1") && is(tx_commit(&u), ""),
		  "or for as long as one likes");
	CHECK(is(ask(c, "GET idem:short"), "\"done\"") && becomes(c, "GET idem:short", "null"),
		  "and then it is over");
	CHECK(is(ALONE(c, "redis_idempotent", TEXT("alone")), "1") &&
			  is(ask(c, "GET idem:alone"), "\"done\"") && atol(ask(c, "PTTL idem:alone")) > 0,
		  "outside a transaction for good");
	ask(c, "SET idem:theirs x");
	CHECK(is(ALONE(c, "redis_idempotent", TEXT("theirs")), "0"), "somebody's SET NX counts");
	CHECK(has(ALONE(c, "redis_idempotent", TEXT("z"), INT(0)), "invalid: ttl must be more than 0"),
		  "no time is refused");
	CHECK(has(ALONE(c, "redis_idempotent_result", TEXT("alone"), TEXT("x")), "invalid: "),
		  "no result outside a transaction");
	sr_client_free(other);
	sr_client_free(c);
}

static void test_stock(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = tx_begin(c);

	ask(c, "HSET stock a 5 text x big 9223372036854775807 none -3");
	CHECK(is(RESERVE(&t, "a", 2), "3") && is(RESERVE(&t, "a", 3), "0"), "taken off");
	CHECK(is(RESERVE(&t, "a", 1), "~") && is(ask(c, "HGET stock a"), "\"0\""), "never below zero");
	CHECK(is(ask(c, "ZCARD stock:holds{stock}"), "2"), "what is held is beside it");
	CHECK(is(RESERVE(&t, "missing", 1), "~") && is(ask(c, "HEXISTS stock missing"), "0"),
		  "a missing field has too little");
	CHECK(is(RESERVE(&t, "none", 1), "~"), "a negative one, too");
	CHECK(is(RESERVE(&t, "text", 1), "redis: ERR hash value is not an integer | "),
		  "text is no quantity");
	CHECK(has(RESERVE(&t, "a", 0), "invalid: quantity must be 1 or more") &&
			  has(RESERVE(&t, "a", -5), "invalid: quantity must be 1 or more"),
		  "a quantity is 1 or more");
	CHECK(is(RESERVE(&t, "big", 9007199254740993), "9214364837600034814"), "exactly");
	CHECK(is(RESERVE(&t, "big", INT64_MAX), "~") &&
			  is(ask(c, "HGET stock big"), "\"9214364837600034814\""),
		  "not below zero, however large");
	ask(c, "HSET stock big 9007199254740992");
	CHECK(is(RESERVE(&t, "big", 9007199254740993), "~") &&
			  is(ask(c, "HGET stock big"), "\"9007199254740992\""),
		  "nor by one that a double does not tell");
	ask(c, "HSET stock big 9214364837600034814");
	CHECK(sr_holds_count(t.holds) == 3, "three are held");
	CHECK(is(tx_commit(&t), ""), "commit");
	CHECK(is(ask(c, "HMGET stock a big"), "[\"0\",\"9214364837600034814\"]") &&
			  is(ask(c, "EXISTS stock:holds{stock}"), "0"),
		  "it is sold");
	ask(c, "HSET stock a 5");
	CHECK(is(ALONE(c, "redis_reserve", TEXT("stock"), TEXT("a"), INT(4)), "1") &&
			  is(ALONE(c, "redis_reserve", TEXT("stock"), TEXT("a"), INT(4)), "~") &&
			  is(ask(c, "EXISTS stock:holds{stock}"), "0"),
		  "outside a transaction at once");
	t = tx_begin(c);
	ask(c, "SET word x");
	CHECK(has(IN(&t, "redis_reserve", TEXT("word"), TEXT("a"), INT(1)), "wrong type: WRONGTYPE"),
		  "a key that is no hash");
	RESERVE(&t, "a", 1);
	ask(c, "PEXPIRE stock 100000");
	RESERVE(&t, "a", 1);
	tx_rollback(&t);
	CHECK(is(ask(c, "HGET stock a"), "\"1\""), "a rollback gives back");
	sr_client_free(c);
}

static void test_levels(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = tx_begin(c);

	ask(c, "HSET stock a 100 b 100");
	FIRST(&t, "1");
	RESERVE(&t, "a", 1);
	tx_savepoint(&t);
	FIRST(&t, "2");
	RESERVE(&t, "a", 10);
	tx_savepoint(&t);
	FIRST(&t, "3");
	RESERVE(&t, "b", 20);
	tx_release(&t);
	CHECK(is(ask(c, "EXISTS idem:1 idem:2 idem:3"), "3"),
		  "a savepoint that is released gives nothing back");
	CHECK(sr_holds_find(t.holds, SR_HOLD_CLAIM, "idem:3", 6, NULL) &&
			  !sr_holds_find(t.holds, SR_HOLD_STOCK, "idem:3", 6, NULL),
		  "what is held is found");
	tx_savepoint(&t);
	RESERVE(&t, "b", 7);
	tx_rollback_to(&t);
	CHECK(is(ask(c, "HMGET stock a b"), "[\"89\",\"80\"]"), "the inner one, rolled back");
	tx_rollback_to(&t);
	CHECK(is(ask(c, "EXISTS idem:1"), "1") && is(ask(c, "EXISTS idem:2 idem:3"), "0") &&
			  is(ask(c, "HMGET stock a b"), "[\"99\",\"100\"]"),
		  "the outer one, with what was released into it");
	CHECK(is(FIRST(&t, "2"), "1") && sr_holds_count(t.holds) == 3, "it can be taken again");
	tx_savepoint(&t);
	RESERVE(&t, "b", 50);
	tx_release(&t);
	ask(c, "SCRIPT FLUSH");
	CHECK(is(tx_commit(&t), ""), "commit, the scripts flushed before");
	CHECK(is(ask(c, "MGET idem:1 idem:2 idem:3"), "[\"done\",\"done\",null]") &&
			  is(ask(c, "HMGET stock a b"), "[\"99\",\"50\"]") &&
			  is(ask(c, "EXISTS stock:holds{stock}"), "0"),
		  "what is left is for good");
	t = tx_begin(c);
	FIRST(&t, "4");
	RESERVE(&t, "a", 9);
	ask(c, "SCRIPT FLUSH");
	tx_rollback(&t);
	CHECK(is(ask(c, "EXISTS idem:4 stock:holds{stock}"), "0") &&
			  is(ask(c, "HGET stock a"), "\"99\""),
		  "a rollback of all");
	sr_client_free(c);
}

/* The commit is refused, and what is held still is given back. */
static void lost(const char *words, const char *said)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = tx_begin(c);

	ask(c, "HSET stock a 5");
	FIRST(&t, "before");
	FIRST(&t, "pay");
	RESERVE(&t, "a", 5);
	FIRST(&t, "after");
	ask(c, words);
	CHECK(has(tx_commit(&t), said), words);
	CHECK(is(ask(c, "EXISTS idem:before idem:after"), "0"), "the rest is given back");
	sr_client_free(c);
}

static void test_kept(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = tx_begin(c);
	sr_err		err;

	lost("DEL idem:pay",
		 "no longer held: the claim to \"idem:pay\" is no longer this transaction's");
	lost("SET idem:pay done", "no longer held: the claim to \"idem:pay\"");
	lost("RENAME stock idem:pay", "wrong type: WRONGTYPE");
	lost("DEL stock:holds{stock}", "no longer held: what was reserved of \"stock\"");
	FIRST(&t, "pay");
	ask(c, "SET idem:pay pending:another");
	tx_rollback(&t);
	CHECK(is(ask(c, "GET idem:pay"), "\"pending:another\""), "another's claim is not given back");
	t = tx_begin(c);
	ask(c, "DEL idem:pay");
	s.recipes.hold = 100000;
	sr_client_configure(c, &s, &err);
	ask(c, "HSET stock a 5");
	FIRST(&t, "pay");
	RESERVE(&t, "a", 1);
	CHECK(atol(ask(c, "PTTL idem:pay")) <= 100000, "a hold lasts as long as is set");
	CHECK(sr_holds_keep(t.holds, c, &err), "it is kept for the commit");
	CHECK(atol(ask(c, "PTTL idem:pay")) > SR_HOLD_COMMITTED - 90000, "and then much longer");
	CHECK(atol(ask(c, "EVAL return(redis.call('ZRANGE',KEYS[1],0,0,'WITHSCORES')[2]-redis.call("
					  "'TIME')[1]*1000) 1 stock:holds{stock}")) > SR_HOLD_COMMITTED - 90000,
		  "the stock, too");
	tx_rollback(&t);
	CHECK(is(ask(c, "EXISTS idem:pay stock:holds{stock}"), "0") &&
			  is(ask(c, "HGET stock a"), "\"5\""),
		  "a commit that fails afterwards gives it back");
	t = tx_begin(c);
	CHECK(is(tx_commit(&t), ""), "nothing held, nothing asked");
	sr_client_free(c);
}

static void test_killed(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s), *other;
	transaction t;

	s.recipes.hold = 50;
	other = client(&s);
	t = tx_begin(other);
	ask(c, "HSET stock a 5");
	FIRST(&t, "pay");
	RESERVE(&t, "a", 5);
	tx_die(&t);
	CHECK(becomes(c, "GET idem:pay", "null"), "the claim of one that was killed runs out");
	t = tx_begin(c);
	for (int64_t until = host_now(&state) + 30000;
		 strcmp(RESERVE(&t, "a", 1), "4") != 0 && host_now(&state) < until;)
		;
	CHECK(is(last_scalar(), "4"), "and its stock is given back to the next one who asks");
	CHECK(is(FIRST(&t, "pay"), "1") && is(tx_commit(&t), ""), "who may have it");

	other = client(&s);
	t = tx_begin(other);
	FIRST(&t, "late");
	CHECK(becomes(c, "GET idem:late", "null") &&
			  has(tx_commit(&t), "no longer held: the claim to \"idem:late\""),
		  "one that took too long does not commit");
	t = tx_begin(other);
	RESERVE(&t, "a", 4);
	for (int64_t until = host_now(&state) + 30000;
		 strcmp(ALONE(c, "redis_reserve", TEXT("stock"), TEXT("a"), INT(1)), "3") != 0 &&
		 host_now(&state) < until;)
		;
	CHECK(has(tx_commit(&t), "no longer held: what was reserved of \"stock\""),
		  "when somebody else has the stock");
	CHECK(is(ask(c, "HGET stock a"), "\"3\""), "which is given back once");
	sr_client_free(other);
	sr_client_free(c);
}

/* Effects that come so late that Redis gave back what they settle. */
static void test_late(void)
{
	sr_settings		s;
	sr_client	   *c = fresh(&s);
	transaction		t = tx_begin(c);
	sr_flush_result r;
	sr_err			err;

	ask(c, "HSET stock a 5");
	FIRST(&t, "pay");
	LEAVE(&t, "pay", "x");
	RESERVE(&t, "a", 2);
	sr_holds_keep(t.holds, c, &err);
	ask(c, "DEL idem:pay");
	ask(c, "EVAL return(redis.call('ZADD',KEYS[1],0,redis.call('ZRANGE',KEYS[1],0,0)[1])) 1 "
		   "stock:holds{stock}");
	CHECK(is(ALONE(c, "redis_reserve", TEXT("stock"), TEXT("a"), INT(4)), "1"),
		  "given back, and sold");
	sr_flush(c, t.queue, SR_FLUSH_COMMIT, &r);
	CHECK(flushed(&r, 2, 0, 0) && is(ask(c, "GET idem:pay"), "\"done:x\"") &&
			  is(ask(c, "HGET stock a"), "\"-1\""),
		  "what was committed counts, and a stock that is owed says so");
	tx_rollback(&t);
	sr_client_free(c);
}

static void test_names(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t;
	sr_err		err;

	s.key_prefix = "app:";
	s.recipes.idempotent_prefix = "once:";
	sr_client_configure(c, &s, &err);
	ask(c, "HSET app:{eu}:stock a 5");
	ask(c, "HSET app:stock a 5");
	t = tx_begin(c);
	IN(&t, "redis_reserve", TEXT("{eu}:stock"), TEXT("a"), INT(1));
	RESERVE(&t, "a", 1);
	FIRST(&t, "pay");
	CHECK(is(ask(c, "EXISTS app:{eu}:stock:holds app:stock:holds{app:stock} app:once:pay"), "3"),
		  "prefixes, and one hash slot");
	CHECK(is(tx_commit(&t), "") && is(ask(c, "GET app:once:pay"), "\"done\""), "commit");
	sr_client_free(c);
}

int main(void)
{
	if (!find_server())
		return 1;
	test_once();
	test_stock();
	test_levels();
	test_kept();
	test_killed();
	test_late();
	test_names();
	return test_result();
}
