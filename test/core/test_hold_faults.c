/*
 * test_hold_faults.c - what a transaction holds when the connection breaks, Redis is away or answers too late;
 * and in a cluster. Redis is the test's own.
 */
#include "peer.h"
#include "redis.h"
#include "test.h"
#include "transaction.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One hold of each kind, over a stock of 5. */
static transaction take_all(sr_client *c)
{
	transaction t = tx_begin(c);

	ask(c, "HSET stock a 5");
	IN(&t, "redis_xact_lock", TEXT("job"));
	IN(&t, "redis_idempotent", TEXT("pay"));
	IN(&t, "redis_reserve", TEXT("stock"), TEXT("a"), INT(2));
	return t;
}

/* As another client sees it. One key at a time: they need not be in one slot. */
static bool given_back(sr_client *other)
{
	return is(ask(other, "EXISTS job"), "0") && is(ask(other, "EXISTS idem:pay"), "0") &&
		   is(ask(other, "EXISTS stock:holds{stock}"), "0") &&
		   is(ask(other, "HGET stock a"), "\"5\"");
}

static void test_broken(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s), *other = client(&s);
	transaction t = take_all(c);

	kill_others();
	tx_rollback(&t);
	CHECK(is(ask(other, "EXISTS job idem:pay stock:holds{stock}"), "3"),
		  "a rollback does not dial");
	ask(c, "PING");
	CHECK(given_back(other), "what it could not give back is given back by the next call");

	t = take_all(c);
	kill_others();
	tx_rollback(&t);
	t = tx_begin(c);
	CHECK(is(IN(&t, "redis_xact_lock", TEXT("job")), "1") &&
			  is(IN(&t, "redis_idempotent", TEXT("pay")), "1") &&
			  is(IN(&t, "redis_reserve", TEXT("stock"), TEXT("a"), INT(5)), "0"),
		  "and so the same transaction succeeds when it is done again");
	kill_others();
	CHECK(is(tx_commit(&t), ""), "a commit replaces a connection that was closed");
	CHECK(is(ask(other, "GET idem:pay"), "\"done\"") && is(ask(other, "HGET stock a"), "\"0\"") &&
			  is(ask(other, "EXISTS job"), "0"),
		  "and all is as it should be");

	t = tx_begin(c);
	IN(&t, "redis_xact_lock", TEXT("job"));
	kill_others();
	CHECK(is(tx_commit(&t), "") && is(ask(other, "EXISTS job"), "1"),
		  "locks alone are not asked about, nor is Redis dialled to release them");
	ask(c, "PING");
	CHECK(is(ask(other, "EXISTS job"), "0"), "until the next call");
	sr_client_free(other);
	sr_client_free(c);
}

/* Redis can be asked, but cannot write. */
static void test_read_only(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = take_all(c);
	int64_t		until = host_now(&state) + 30000;

	ask(c, "REPLICAOF 127.0.0.1 1");
	CHECK(has(tx_commit(&t), "read only: "), "a commit that cannot be kept is refused");
	CHECK(sr_client_backlog(c) == 3, "what cannot be given back is owed");
	ask(c, "REPLICAOF NO ONE");
	while (sr_client_backlog(c) > 0 && host_now(&state) < until)
		ask(c, "PING");
	CHECK(given_back(c), "and given back later");
	sr_client_free(c);
}

static void test_away(redis *r)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = take_all(c);

	redis_stop(r);
	CHECK(has(tx_commit(&t), "connection"), "without Redis nothing commits that it holds");
	t = tx_begin(c);
	CHECK(has(IN(&t, "redis_xact_lock", TEXT("job")), "connection: ") &&
			  has(IN(&t, "redis_idempotent", TEXT("pay")), "connection: ") &&
			  has(IN(&t, "redis_reserve", TEXT("stock"), TEXT("a"), INT(2)), "connection: "),
		  "nothing is to be had");
	CHECK(sr_holds_count(t.holds) == 0 && sr_inval_count(t.queue) == 0, "nor held");
	CHECK(is(tx_commit(&t), ""), "so that the transaction may commit");
	sr_client_free(c);
}

/* A call interrupted at any of its waits takes nothing, whatever Redis has done. */
static void test_interrupted(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	size_t		owed = 0;

	for (int i = 0; i < 12; i++)
	{
		sr_client  *other = client(&s);
		transaction t = tx_begin(other);
		const char *got;

		ask(c, "HSET stock a 5");
		if (i % 2 == 0)
			ask(other, "PING");
		state.interrupt = i / 4;
		got = i / 2 % 2 == 0 ? IN(&t, "redis_idempotent", TEXT("pay"))
							 : IN(&t, "redis_reserve", TEXT("stock"), TEXT("a"), INT(2));
		if (state.interrupt == -1)
			CHECK(has(got, "interrupted: ") && sr_holds_count(t.holds) == 0 &&
					  sr_inval_count(t.queue) == 0,
				  "interrupted");
		state.interrupt = -1;
		owed += sr_client_backlog(other);
		tx_rollback(&t);
		ask(other, "PING");
		if (!given_back(c))
			CHECK(false, "nothing is left behind");
		sr_client_free(other);
	}
	CHECK(owed > 1, "what an interrupted call may have taken is given back by the next one");
	sr_client_free(c);
}

/* What is owed may have been sent, and its answer lost: what is owed later is given back all the same. */
static void test_owed_later(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s), *other = client(&s);
	int64_t		until = host_now(&state) + 30000;
	transaction t = take_all(c);

	kill_others();
	tx_rollback(&t);
	ask(c, "PING"); /* Redis knows the script, and runs it at once from now on */
	t = tx_begin(c);
	IN(&t, "redis_reserve", TEXT("stock"), TEXT("a"), INT(1));
	tx_savepoint(&t);
	IN(&t, "redis_reserve", TEXT("stock"), TEXT("a"), INT(2));
	kill_others();
	tx_rollback_to(&t);
	CHECK(sr_client_connect(c, 0, NULL) && sr_client_backlog(c) == 1, "one is owed");
	state.interrupt = 0;
	CHECK(has(ask(c, "PING"), "interrupted: ") && sr_client_backlog(c) == 1, "and sent");
	state.interrupt = -1;
	while (!is(ask(other, "HGET stock a"), "\"4\"") && host_now(&state) < until)
		;
	tx_rollback(&t);
	while (sr_client_backlog(c) > 0 && host_now(&state) < until)
		ask(c, "PING");
	CHECK(given_back(other), "each is given back once");
	sr_client_free(other);
	sr_client_free(c);
}

/* Before it can answer a script it is gone, and nobody is there any more. */
static const char *vanish(void *ctx, const char *command)
{
	if (strncmp(command, "EVALSHA", 7) != 0)
		return "+OK\r\n";
	unlink(ctx);
	return NULL;
}

/* Sent, and not to be asked again: Redis may have done it. */
static void test_vanished(void)
{
	for (int i = 0; i < 4; i++)
	{
		char		path[64], url[80];
		peer	   *p;
		sr_settings s;
		sr_client  *c;
		transaction t;
		const char *got;

		snprintf(path, sizeof(path), "/tmp/sqlredis-peer-%d-%d", (int) getpid(), i);
		snprintf(url, sizeof(url), "redis+unix://%s", path);
		p = peer_start_at(path, vanish, path);
		s = settings(url);
		c = client(&s);
		t = tx_begin(c);
		got = i == 0   ? CALL(c, "redis_lock", TEXT("job"), INT(3600))
			  : i == 1 ? IN(&t, "redis_xact_lock", TEXT("job"))
			  : i == 2 ? IN(&t, "redis_idempotent", TEXT("pay"))
					   : IN(&t, "redis_reserve", TEXT("stock"), TEXT("a"), INT(2));
		if (!has(got, "connection") || sr_client_backlog(c) != 1)
			CHECK(false, "what Redis may have given before it vanished is owed");
		tx_rollback(&t);
		sr_client_free(c);
		unlink(path);
		peer_stop(p);
	}
	CHECK(true, "what Redis may have given before it vanished is owed");
}

/* A server that hangs: a rollback waits for commit_timeout and no longer. */
static void test_hung(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s), *other;
	transaction t;
	int64_t		until = host_now(&state) + 30000;

	s.commit_timeout = 50;
	other = client(&s);
	t = take_all(other);
	ask(c, "CLIENT PAUSE 500 ALL");
	tx_rollback(&t);
	CHECK(sr_client_backlog(other) == 3, "a rollback does not wait for long");
	ask(c, "PING");
	while (!is(ask(other, "PING"), "\"PONG\"") && host_now(&state) < until)
		;
	CHECK(given_back(c), "given back once, though Redis heard of it twice");
	sr_client_free(other);
	sr_client_free(c);
}

/* More than a rollback has time for: the rest is given back later. */
static void test_many(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = tx_begin(c);
	char		key[32];
	int64_t		until = host_now(&state) + 30000;
	int			taken = 0;

	s.commit_timeout = 1;
	sr_client_configure(c, &s, NULL);
	ask(c, "HSET stock a 1000000");
	for (int i = 0; i < 5000; i++)
	{
		snprintf(key, sizeof(key), "many%d", i);
		taken += strcmp(IN(&t, "redis_idempotent", TEXT(key)), "1") == 0;
		taken += strcmp(IN(&t, "redis_reserve", TEXT("stock"), TEXT("a"), INT(1)), "~") != 0;
	}
	tx_rollback(&t);
	CHECK(taken == 10000 && sr_client_backlog(c) > 0, "a rollback takes no longer than it may");
	while (sr_client_backlog(c) > 0 && host_now(&state) < until)
		ask(c, "PING");
	CHECK(is(ask(c, "HGET stock a"), "\"1000000\"") &&
			  is(ask(c, "EXISTS stock:holds{stock}"), "0") && is(ask(c, "KEYS idem:*"), "[]"),
		  "all of it is given back");
	sr_client_free(c);
}

#define SLOTS 16384

/* This server alone is the cluster. */
static bool make_cluster(sr_client *c)
{
	static char		   text[SLOTS][8];
	static const char *argv[SLOTS + 2] = {"CLUSTER", "ADDSLOTS"};
	static size_t	   lengths[SLOTS + 2] = {7, 8};
	sr_argv			   cmd = {SLOTS + 2, argv, lengths};
	int64_t			   until = host_now(&state) + 30000;

	for (int i = 0; i < SLOTS; i++)
	{
		lengths[i + 2] = (size_t) snprintf(text[i], sizeof(text[i]), "%d", i);
		argv[i + 2] = text[i];
	}
	sr_reply_free(sr_client_call(c, &cmd, 0, 0, NULL));
	while (strcmp(ask(c, "SET ready 1"), "\"OK\"") != 0)
		if (host_now(&state) > until)
			return is(ask(c, "SET ready 1"), "\"OK\"");
	return true;
}

/* Keys of different slots in one command or script, and keys that a script does not name, are refused. */
static void test_cluster(void)
{
	redis	   *r = redis_start((const char *const[]){"--cluster-enabled", "yes", NULL});
	sr_settings s = settings(redis_url(r));
	sr_client  *c = client(&s);
	transaction t;
	char		token[64];

	CHECK(make_cluster(c), "a cluster");
	t = take_all(c);
	CHECK(sr_holds_count(t.holds) == 3, "everything can be held");
	tx_rollback(&t);
	CHECK(given_back(c), "and given back");
	t = take_all(c);
	IN(&t, "redis_idempotent_result", TEXT("pay"), TEXT("x"));
	CHECK(is(tx_commit(&t), "") && is(ask(c, "GET idem:pay"), "\"done:x\"") &&
			  is(ask(c, "HGET stock a"), "\"3\"") && sr_client_backlog(c) == 0,
		  "and settled");
	snprintf(token, sizeof(token), "%s", CALL(c, "redis_lock", TEXT("job"), INT(30)));
	CHECK(atoll(CALL(c, "redis_lock_fence", TEXT("job"), TEXT(token))) > 0, "a fence");
	CHECK(is(CALL(c, "redis_lock_extend", TEXT("job"), TEXT(token), INT(60)), "1") &&
			  is(CALL(c, "redis_unlock", TEXT("job"), TEXT(token)), "1"),
		  "a lock");
	t = take_all(c);
	ask(c, "CLIENT KILL TYPE normal SKIPME no");
	tx_rollback(&t);
	ask(c, "DEL idem:pay");
	CHECK(is(ask(c, "EXISTS job"), "0") && is(ask(c, "HGET stock a"), "\"5\""),
		  "what is owed, too");
	sr_client_free(c);
	redis_stop(r);
}

int main(void)
{
	redis *r;

	if (!find_server())
		return 1;
	r = redis_start(NULL);
	if (r == NULL)
		return 1;
	server = redis_url(r);
	test_broken();
	test_read_only();
	test_interrupted();
	test_owed_later();
	test_vanished();
	test_hung();
	test_many();
	test_cluster();
	test_away(r);
	return test_result();
}
