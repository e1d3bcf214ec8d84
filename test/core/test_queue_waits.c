/*
 * test_queue_waits.c - consumers that wait, what is wrong with a queue, and queues at random, against the
 * Redis that SR_TEST_URL or REDIS_URL names.
 */
#include "jobs.h"
#include "redis.h"
#include "test.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

/* Jobs that are due at one time are served as they came, those of one transaction, too. */
static void test_delays_in_order(void)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	transaction t = tx_begin(c);
	char		text[32];
	bool		good = true;

	for (int i = 0; i < 100; i++)
	{
		snprintf(text, sizeof text, "%d", i);
		IN(&t, "redis_enqueue", TEXT("q"), TEXT(text), NONE, FLOAT(0.1));
	}
	tx_commit(&t);
	for (int i = 0; i < 100; i++)
	{
		snprintf(text, sizeof text, "%d|1", i);
		good = is(wait_for(c, 20), text) && good;
	}
	CHECK(good, "first come, first served, with a delay, too");
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
	test_delays();
	test_delays_in_order();
	test_wake();
	test_polling();
	test_errors();
	test_full();
	test_cluster();
	test_random(argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : (unsigned) time(NULL));
	return test_result();
}
