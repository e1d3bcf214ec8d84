/*
 * test_queue.c - queues in transactions, against the Redis that SR_TEST_URL or REDIS_URL names.
 */
#include "redis.h"
#include "test.h"
#include "transaction.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define KEY(name) "queue:q:" name "{queue:q}"

static char	  last_id[64]; /* of the job that was taken last */
static sr_buf taken;	   /* what take() gave; reachable to the end: no leak */

/* The next job as "payload|attempts", "" when there is none, or "CLASS: message". */
static const char *take(sr_client *c, const sr_bound *bound, double timeout, double visibility)
{
	const sr_command *cmd = sr_command_find("redis_dequeue");
	sr_value		  args[] = {TEXT("q"), FLOAT(timeout), FLOAT(visibility)};
	const sr_value	 *cells;
	sr_err			  err = {0};
	sr_rows			 *rows;
	int				  got = -1;

	taken.len = 0;
	sr_buf_str(&taken, "");
	sr_client_bind(c, bound);
	rows = sr_rows_open(c, cmd, 3, args, &err);
	while (rows != NULL && (got = sr_rows_next(rows, &cells, &err)) > 0)
	{
		snprintf(last_id, sizeof last_id, "%.*s", (int) cells[0].len, cells[0].data);
		add_value(&taken, &cells[1]);
		sr_buf_fmt(&taken, "|%" PRId64, cells[2].i);
	}
	if (got < 0)
		sr_buf_fmt(&taken, "%s: %s", sr_class_word(err.cls), err.msg);
	sr_rows_close(rows);
	sr_client_bind(c, NULL);
	return taken.data;
}

/* Without a transaction: nothing is held. */
static const char *next(sr_client *c, double visibility)
{
	sr_inval   *queue = sr_inval_new();
	sr_bound	bound = {.queue = queue};
	const char *text = take(c, &bound, 0, visibility);

	sr_inval_free(queue);
	return text;
}

static const char *wait_for(sr_client *c, double timeout)
{
	sr_inval   *queue = sr_inval_new();
	sr_bound	bound = {.queue = queue};
	const char *text = take(c, &bound, timeout, 30);

	sr_inval_free(queue);
	return text;
}

static const char *next_in(transaction *t)
{
	sr_bound bound = {.queue = t->queue, .holds = t->holds, .depth = t->depth};

	return take(t->c, &bound, 0, 30);
}

static bool ack(sr_client *c)
{
	return is(ALONE(c, "redis_ack", TEXT("q"), TEXT(last_id)), "1");
}

static void put(sr_client *c, const char *payload)
{
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT(payload));
}

/* waiting, delayed, reserved, dead */
static bool lengths(sr_client *c, const char *expected)
{
	static const char *const states[] = {"waiting", "delayed", "reserved", "dead"};
	char					 got[128] = "";

	for (int i = 0; i < 4; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " " : "",
				 CALL(c, "redis_queue_len", TEXT("q"), TEXT(states[i])));
	return is(got, expected);
}

/* Nothing but what Redis remembers of groups that ran. */
static bool nothing_left(sr_client *c)
{
	return is(ask(c, "KEYS queue:*"), "[]");
}

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

static sr_client *limited(int64_t attempts, bool lists)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	sr_err		err;

	s.recipes.queue_attempts = attempts;
	s.recipes.queue_lists = lists;
	sr_client_configure(c, &s, &err);
	return c;
}

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

/* ---- delays ---- */

static void test_delays(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);

	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("far"), NONE, FLOAT(600));
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("later"), INT(1), FLOAT(300));
	CHECK(is(next(c, 30), "") && lengths(c, "0 2 0 0"), "not yet");
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("soon"), INT(1), FLOAT(0.1));
	CHECK(is(wait_for(c, 20), "soon|1"), "when it is due");
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("soon"), NONE, FLOAT(0.1));
	CHECK(is(wait_for(c, 20), "soon|1") && lengths(c, "0 2 2 0"), "with a priority, and without");
	CHECK(is(wait_for(c, 0.05), ""), "and no longer than was asked for");
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

/* ---- waiting ---- */

static struct
{
	sr_client  *c;
	const char *payload;
	int			priority;
	double		delay;
	bool		plain, interrupt;
	bool		woke;
} other;

static bool is_blocked(void)
{
	return strstr(ask(other.c, "INFO clients"), "blocked_clients:1") != NULL;
}

/* While the consumer waits for an element in the list, and not for an answer. */
static void while_blocked(void)
{
	void (*self)(void) = state.inside;
	bool blocked = false;

	state.inside = NULL;
	for (int i = 0; i < 100 && !blocked; i++)
	{
		blocked = is_blocked();
		if (!blocked)
			usleep(1000);
	}
	if (!blocked)
	{
		state.inside = self;
		return;
	}
	if (other.interrupt)
	{
		state.interrupt = 0;
		return;
	}
	if (other.plain)
		ask(other.c, "LPUSH queue:q plain");
	else
		ALONE(other.c, "redis_enqueue", TEXT("q"), TEXT(other.payload), INT(other.priority),
			  FLOAT(other.delay));
	/* Redis serves who waits before it reads the next command; this process does not go on meanwhile */
	other.woke = !is_blocked();
}

static void test_wake(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);

	other.c = client(&s);
	state.inside = while_blocked;
	other.payload = "fifo";
	CHECK(is(wait_for(c, 60), "fifo|1") && other.woke, "a job wakes");
	state.inside = while_blocked;
	other.payload = "priority";
	other.priority = 3;
	CHECK(is(wait_for(c, 60), "priority|1") && other.woke, "one with a priority does");
	state.inside = while_blocked;
	other.payload = "delayed";
	other.delay = 0.05;
	CHECK(is(wait_for(c, 60), "delayed|1") && other.woke,
		  "and one that is due before the wait would end");
	state.inside = while_blocked;
	other.plain = true;
	CHECK(is(wait_for(c, 60), "plain|1") && other.woke, "a plain payload");
	other.plain = false;
	state.inside = NULL;
	put(other.c, "x");
	next(c, 0.001);
	CHECK(is(wait_for(c, 60), "x|2"), "one whose time in hand is over");
	ask(c, "FLUSHDB");
	other.interrupt = true;
	state.inside = while_blocked;
	CHECK(has(wait_for(c, 60), "interrupted: "), "a wait can be ended");
	state.inside = NULL;
	other.interrupt = false;
	put(other.c, "next");
	CHECK(is(wait_for(c, 60), "next|1"), "and nothing is lost by it");
	sr_client_free(c);
	sr_client_free(other.c);
}

/* A Redis that has no BLMOVE, as before 6.2. */
static void test_polling(void)
{
	static const char *const more[] = {"--rename-command", "BLMOVE", "", NULL};
	redis					*r = redis_start(more);
	sr_settings				 s;
	sr_client				*c;

	if (r == NULL)
		return;
	s = settings(redis_url(r));
	c = client(&s);
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("soon"), NONE, FLOAT(0.1));
	CHECK(is(wait_for(c, 20), "soon|1") && is(wait_for(c, 0.1), ""),
		  "without BLMOVE it asks again");
	sr_client_free(c);
	redis_stop(r);
}

/* ---- what is wrong ---- */

static void test_errors(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);

	CHECK(has(ALONE(c, "redis_enqueue", TEXT("q"), TEXT("a"), INT(-1)),
			  "priority must be between 0") &&
			  has(ALONE(c, "redis_enqueue", TEXT("q"), TEXT("a"), NONE, FLOAT(-1)),
				  "delay must be 0 or more") &&
			  has(take(c, NULL, -1, 30), "timeout must be 0 or more") &&
			  has(take(c, NULL, 0, 0), "visibility must be more than 0") &&
			  has(CALL(c, "redis_nack", TEXT("q"), TEXT("x"), FLOAT(-1)),
				  "delay must be 0 or more") &&
			  has(CALL(c, "redis_queue_len", TEXT("q"), TEXT("lost")), "must be one of waiting|"),
		  "arguments are checked");
	ask(c, "SET queue:q text");
	CHECK(has(next(c, 30), "wrong type: WRONGTYPE") &&
			  has(CALL(c, "redis_queue_len", TEXT("q")), "wrong type: WRONGTYPE") &&
			  has(take(c, NULL, 5, 30), "wrong type: WRONGTYPE"),
		  "a key that is no list");
	ask(c, "DEL queue:q");
	put(c, "a");
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("d"), NONE, FLOAT(0.001));
	ask(c, "RENAME queue:q was");
	ask(c, "SET queue:q text");
	while (is(CALL(c, "redis_queue_len", TEXT("q"), TEXT("delayed")), "1"))
		;
	next(c, 30);
	ask(c, "RENAME was queue:q");
	CHECK(is(wait_for(c, 20), "a|1") && is(wait_for(c, 20), "d|1"), "loses nothing");
	ask(c, "DEL " KEY("reserved"));
	ask(c, "SET " KEY("reserved") " text");
	put(c, "b");
	CHECK(has(next(c, 30), "wrong type") &&
			  has(ALONE(c, "redis_ack", TEXT("q"), TEXT("x")), "wrong type") &&
			  has(CALL(c, "redis_nack", TEXT("q"), TEXT("x")), "wrong type") &&
			  is(ask(c, "LLEN queue:q"), "1"),
		  "nor does another that is not what it should be");
	ask(c, "DEL " KEY("reserved"));
	CHECK(is(next(c, 30), "b|1"), "it is there still");
	sr_client_free(c);
}

static void test_full(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);

	put(c, "a");
	put(c, "b");
	next(c, 30);
	ask(c, "CONFIG SET maxmemory-policy noeviction");
	ask(c, "CONFIG SET maxmemory 1");
	CHECK(has(next(c, 30), "out of memory: OOM") &&
			  has(CALL(c, "redis_nack", TEXT("q"), TEXT(last_id)), "out of memory: OOM") &&
			  lengths(c, "1 0 1 0"),
		  "a full Redis moves no job, and loses none");
	ask(c, "CONFIG SET maxmemory 0");
	CHECK(is(CALL(c, "redis_nack", TEXT("q"), TEXT(last_id)), "1") && is(next(c, 30), "a|2") &&
			  is(next(c, 30), "b|1"),
		  "when there is room again");
	sr_client_free(c);
}

/* One node that has all slots refuses keys of two slots in one script, as any of a cluster does. */
static void test_cluster(void)
{
	static const char *const cluster[] = {"--cluster-enabled", "yes", NULL};
	redis					*r = redis_start(cluster);
	sr_settings				 s;
	sr_client				*c;

	if (r == NULL)
		return;
	s = settings(redis_url(r));
	c = client(&s);
	for (int first = 0; first < 16384; first += 14)
	{
		char line[256] = "CLUSTER ADDSLOTS";

		for (int slot = first; slot < first + 14 && slot < 16384; slot++)
			snprintf(line + strlen(line), sizeof line - strlen(line), " %d", slot);
		ask(c, line);
	}
	for (int i = 0; i < 2000 && strcmp(ask(c, "SET ready 1"), "\"OK\"") != 0; i++)
		usleep(10000);
	put(c, "a");
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT("b"), INT(1));
	CHECK(is(next(c, 30), "a|1") && is(CALL(c, "redis_nack", TEXT("q"), TEXT(last_id)), "1") &&
			  is(wait_for(c, 1), "a|2") && ack(c) && is(wait_for(c, 1), "b|1") && ack(c) &&
			  lengths(c, "0 0 0 0"),
		  "in a cluster");
	sr_client_free(c);
	redis_stop(r);
}

/* ---- at random ---- */

#define JOBS 300

static bool done[JOBS];

static void finish(sr_client *c, const char *job, bool *good)
{
	long n = strtol(job, NULL, 10);

	*good = *good && n >= 0 && n < JOBS && !done[n];
	if (n >= 0 && n < JOBS)
		done[n] = true;
	*good = *good && ack(c);
}

/* Every job is done, once, whatever happened to it before; and nothing stays of it. */
static void test_random(unsigned seed)
{
	sr_client *c = limited(0, false);
	int		   made = 0;
	bool	   good = true, all = true;

	printf("# seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 8 * JOBS; i++)
	{
		char		text[32];
		transaction t = tx_begin(c);
		const char *job;

		if (made < JOBS && rand() % 3 == 0)
		{
			snprintf(text, sizeof text, "%d", made);
			IN(&t, "redis_enqueue", TEXT("q"), TEXT(text), INT(rand() % 3),
			   FLOAT(rand() % 3 == 0 ? rand() % 20 * 0.001 : 0));
			made++;
			tx_commit(&t);
			continue;
		}
		job = next_in(&t);
		snprintf(text, sizeof text, "%s", job);
		switch (*text == '\0' ? 4 : rand() % 4)
		{
			case 0: tx_rollback(&t); continue;
			case 1:
				CALL(c, "redis_nack", TEXT("q"), TEXT(last_id), FLOAT(rand() % 3 * 0.005));
				break;
			case 2: finish(c, text, &good); break;
			case 3:
				IN(&t, "redis_ack", TEXT("q"), TEXT(last_id));
				tx_rollback(&t);
				continue;
			default: break;
		}
		tx_commit(&t);
		if (rand() % 10 == 0 && *next(c, 0.002) != '\0')
			good = good && strlen(last_id) == 32;
	}
	for (int idle = 0; idle < 2;)
	{
		char text[32];

		snprintf(text, sizeof text, "%s", wait_for(c, 0.05));
		if (*text != '\0')
			finish(c, text, &good);
		idle = *text == '\0' ? idle + 1 : 0;
	}
	for (int i = 0; i < made; i++)
		all = all && done[i];
	CHECK(good && all && made > JOBS / 2, "every job is done once");
	CHECK(nothing_left(c), "and nothing stays of it");
	sr_client_free(c);
}

int main(int argc, char **argv)
{
	if (!find_server())
		return 1;
	test_order();
	test_transactions();
	test_given_to_another();
	test_attempts();
	test_nack();
	test_late_commit();
	test_delays();
	test_lists();
	test_bytes();
	test_wake();
	test_polling();
	test_errors();
	test_full();
	test_cluster();
	test_random(argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : (unsigned) time(NULL));
	return test_result();
}
