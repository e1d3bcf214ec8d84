/*
 * test_stats.c - where a client counts, sums of several, the commands of a day and what is said of a quota. Needs
 * the Redis that SR_TEST_URL or REDIS_URL names.
 */
#include "conn.h"
#include "client.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DAY_BITS  40 /* as in stats.c: a day's number is above them */
#define PROCESSES 4
#define COMMANDS  500

static uint64_t today(void)
{
	return (uint64_t) time(NULL) / 86400;
}

/* The value that redis_stats gives; -1: it has no such row. */
static double stat_of(sr_client *c, const char *name)
{
	sr_err			err = {0};
	sr_rows		   *rows = sr_rows_open(c, sr_command_find("redis_stats"), 0, NULL, &err);
	const sr_value *cells;
	double			value = -1;

	while (rows != NULL && sr_rows_next(rows, &cells, &err) == 1)
		if (cells[0].len == strlen(name) && memcmp(cells[0].data, name, cells[0].len) == 0)
			value = atof(cells[1].data);
	sr_rows_close(rows);
	return value;
}

static void test_place(void)
{
	sr_settings s = settings(server);
	sr_stats	place = {0};
	sr_stats	other = {0};
	sr_client  *c = client(&s);

	(void) ask(c, "PING");
	CHECK(sr_client_stats(c)->commands == 2, "a client counts for itself");
	s.stats = &place;
	CHECK(sr_client_configure(c, &s, NULL) && place.commands == 2 && place.connects == 1,
		  "what it has counted comes along to another place");
	(void) ask(c, "PING");
	CHECK(place.commands == 3 && sr_client_stats(c) == &place, "where it goes on");
	(void) ask(c, "NOSUCH");
	CHECK(place.errors[SR_E_REPLY] == 1 && stat_of(c, "errors_redis") == 1 &&
			  stat_of(c, "errors_timeout") == -1,
		  "errors, too");
	sr_stats_add(&other, &place);
	sr_stats_add(&other, &place);
	CHECK(other.commands == 2 * place.commands && other.errors[SR_E_REPLY] == 2, "a sum");
	sr_stats_since(&other, &place);
	CHECK(memcmp(&other, &place, sizeof other) == 0, "and what came since");
	place.commands = 0;
	sr_stats_since(&place, &other);
	CHECK(place.commands == 0, "which is never less than nothing");
	sr_client_free(c);
}

static uint64_t measured(const sr_client *c)
{
	uint64_t n = 0;

	for (int b = 0; b < SR_LATENCY_BUCKETS; b++)
		n += sr_client_stats(c)->latency[b];
	return n;
}

/* A consumer that waits for work says nothing about how quick Redis is. */
static void test_latency(void)
{
	const char *words[] = {"BLPOP", "nothing", "0.001"};
	size_t		lengths[] = {5, 7, 5};
	sr_settings s = settings(server);
	sr_client  *c = client(&s);
	sr_argv		wait = {3, words, lengths};
	sr_err		err = {0};
	uint64_t	before;

	(void) ask(c, "PING");
	before = measured(c);
	(void) ask(c, "PING");
	CHECK(measured(c) == before + 1, "a call is measured");
	sr_reply_free(sr_client_call(c, &wait, 0, 1, &err));
	CHECK(err.cls == SR_OK && measured(c) == before + 1, "one that waits is not");
	sr_client_free(c);
}

static void test_list(void)
{
	sr_stats	  counts = {.reads_hit = 3, .reads_missed = 1};
	sr_stat_list  few = {0}, all = {0};
	const double *rate = NULL;

	counts.latency[10] = 98;
	counts.latency[20] = 2;
	for (int cls = 1; cls < SR_CLASSES; cls++)
		counts.errors[cls] = (uint64_t) cls;
	sr_stats_list(&all, &counts, true);
	memset(counts.errors, 0, sizeof counts.errors);
	sr_stats_list(&few, &counts, false);
	CHECK(few.count < all.count && all.count < SR_STATS_MAX, "classes that occurred");
	for (int i = 0; i < few.count; i++)
	{
		const sr_stat *st = &few.stat[i];

		if (strcmp(st->name, "hit_rate") == 0)
			rate = &st->value;
		if (strcmp(st->name, "latency_p50_ms") == 0)
			CHECK(st->value == sr_latency_edge(10) / 1000, "half of the round trips");
		if (strcmp(st->name, "latency_p99_ms") == 0)
			CHECK(st->value == sr_latency_edge(20) / 1000, "nearly all of them");
	}
	CHECK(rate != NULL && *rate == 0.75, "the hit rate");
	for (int i = 0, sum = 0, total = 0; i < all.count; i++)
	{
		const sr_stat *st = &all.stat[i];

		for (int j = 0; j < i; j++)
			if (strcmp(st->name, all.stat[j].name) == 0)
				CHECK(false, st->name);
		if (strcmp(st->name, "errors") == 0)
			total = (int) st->value;
		else if (strncmp(st->name, "errors_", 7) == 0)
			sum += (int) st->value;
		if (i == all.count - 1)
			CHECK(sum == total && total > 0, "each class's errors once");
	}
}

static void test_day(void)
{
	sr_settings s = settings(server);
	sr_day		day = {.commands = ((today() - 1) << DAY_BITS) + 900,
					   .warned = ((today() - 1) << DAY_BITS) + 2};
	sr_client  *c;

	s.day = &day;
	s.recipes.daily_quota = 10;
	s.recipes.quota_warning = 50;
	c = client(&s);
	CHECK(stat_of(c, "commands_today") == 0 && stat_of(c, "quota_used") == 0,
		  "yesterday's commands are not today's");
	(void) ask(c, "PING");
	CHECK(stat_of(c, "commands_today") == 2 && stat_of(c, "quota") == 10 &&
			  stat_of(c, "quota_used") == 0.2,
		  "a new day begins with the first command, the greeting counts");
	(void) ask(c, "PING");
	(void) ask(c, "PING");
	CHECK(state.logged == 0, "less than half");
	(void) ask(c, "PING");
	CHECK(state.logged == 1, "half of it: a warning");
	for (int i = 0; i < 4; i++)
		(void) ask(c, "PING");
	CHECK(state.logged == 1, "only one");
	for (int i = 0; i < 4; i++)
		(void) ask(c, "PING");
	CHECK(state.logged == 2 && stat_of(c, "quota_used") == 1.3, "and one when it is used up");
	s.recipes.daily_quota = 0;
	(void) sr_client_configure(c, &s, NULL);
	CHECK(stat_of(c, "quota") == -1 && stat_of(c, "commands_today") == 13, "no quota");
	/* as if the clock had been set back */
	day.commands = ((today() + 1) << DAY_BITS) + 5;
	(void) ask(c, "PING");
	CHECK(stat_of(c, "commands_today") == 6, "days do not go backwards");
	sr_client_free(c);
}

/* Processes that begin a day together: nothing is lost, and one of them says each thing. */
static void test_processes(void)
{
	sr_settings s = settings(server);
	sr_day	   *day =
		mmap(NULL, sizeof *day, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t begun = today();
	int		 warnings = 0;

	if (day == MAP_FAILED)
		abort();
	day->commands = ((begun - 1) << DAY_BITS) + 77;
	s.day = day;
	s.recipes.daily_quota = PROCESSES * COMMANDS;
	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0)
		{
			sr_client *c = client(&s);

			for (int j = 1; j < COMMANDS; j++)
				(void) ask(c, "PING");
			sr_client_free(c);
			_exit(state.logged);
		}
	for (int i = 0; i < PROCESSES; i++)
	{
		int status = 0;

		(void) wait(&status);
		warnings += WIFEXITED(status) ? WEXITSTATUS(status) : 100;
	}
	CHECK(today() != begun || sr_day_commands(day) == PROCESSES * COMMANDS, "all are counted");
	CHECK(today() != begun || warnings == 2, "a warning at 80 per cent, and one at the end");
	munmap(day, sizeof *day);
}

int main(void)
{
	uint64_t begun;

	if (!find_server())
		return 1;
	test_place();
	test_latency();
	test_list();
	do
	{
		begun = today();
		test_day();
	} while (today() != begun);
	test_processes();
	return test_result();
}
