/*
 * stats.c - what clients did, in numbers: of one of them as the rows of redis_stats, of several as a sum; and
 * the commands of a day, against what the server allows.
 */
#include "command.h"
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- sums ---- */

#define COUNTS (sizeof(sr_stats) / sizeof(uint64_t))

/* Also that the compiler must not tear: whoever counts there does not wait for us. */
static uint64_t read_count(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

void sr_stats_add(sr_stats *to, const sr_stats *from)
{
	uint64_t	   *sum = (uint64_t *) to;
	const uint64_t *counts = (const uint64_t *) from;

	for (size_t i = 0; i < COUNTS; i++)
		sum[i] += read_count(&counts[i]);
}

void sr_stats_since(sr_stats *now, const sr_stats *before)
{
	uint64_t	   *counts = (uint64_t *) now;
	const uint64_t *earlier = (const uint64_t *) before;

	for (size_t i = 0; i < COUNTS; i++)
		counts[i] = counts[i] > earlier[i] ? counts[i] - earlier[i] : 0;
}

/* ---- a day ---- */

/* The day's number is above these bits, what is counted below. */
#define DAY_BITS 40

static uint64_t today(void)
{
	return (uint64_t) time(NULL) / 86400;
}

uint64_t sr_day_commands(const sr_day *day)
{
	uint64_t commands = __atomic_load_n(&day->commands, __ATOMIC_RELAXED);

	return commands >> DAY_BITS < today() ? 0 : commands & (((uint64_t) 1 << DAY_BITS) - 1);
}

static void add_to_day(sr_day *day, uint64_t number, uint64_t n)
{
	uint64_t seen = __atomic_load_n(&day->commands, __ATOMIC_RELAXED);

	while (seen >> DAY_BITS < number)
		if (__atomic_compare_exchange_n(&day->commands, &seen, (number << DAY_BITS) + n, false,
										__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return;
	(void) __atomic_fetch_add(&day->commands, n, __ATOMIC_RELAXED);
}

/* True for one of all who say it on that day. */
static bool is_first_to_warn(sr_day *day, uint64_t number, uint64_t level)
{
	uint64_t seen = __atomic_load_n(&day->warned, __ATOMIC_RELAXED);
	uint64_t wanted = (number << DAY_BITS) + level;

	while (seen < wanted)
		if (__atomic_compare_exchange_n(&day->warned, &seen, wanted, false, __ATOMIC_RELAXED,
										__ATOMIC_RELAXED))
			return true;
	return false;
}

static void warn_of_quota(const sr_client *c, uint64_t number)
{
	const sr_recipes *r = &c->settings.recipes;
	uint64_t		  commands = sr_day_commands(c->day);
	bool			  used_up = commands >= (uint64_t) r->daily_quota;
	char			  text[160];

	if (!used_up && (double) commands * 100 < (double) r->daily_quota * r->quota_warning)
		return;
	if (!is_first_to_warn(c->day, number, used_up ? 2 : 1))
		return;
	if (used_up)
		snprintf(text, sizeof text,
				 "daily_quota is used up: %lld commands since midnight UTC; the service may refuse "
				 "more",
				 (long long) commands);
	else
		snprintf(text, sizeof text, "%d %% of daily_quota are used: %lld of %lld commands",
				 (int) ((double) commands * 100 / (double) r->daily_quota), (long long) commands,
				 (long long) r->daily_quota);
	c->host.log(c->host.ctx, SR_LOG_WARNING, text);
}

void sr_client_count_sent(sr_client *c, uint64_t n)
{
	uint64_t number = today();

	c->stats->commands += n;
	c->stats->round_trips++;
	add_to_day(c->day, number, n);
	if (c->settings.recipes.daily_quota > 0)
		warn_of_quota(c, number);
}

/* ---- in numbers that have names ---- */

static sr_stat *next_stat(sr_stat_list *out, const char *name)
{
	sr_stat *s = &out->stat[out->count];

	if (out->count == SR_STATS_MAX)
		return NULL;
	out->count++;
	*s = (sr_stat){0};
	snprintf(s->name, sizeof s->name, "%s", name);
	return s;
}

void sr_stat_add(sr_stat_list *out, const char *name, double value, bool fraction)
{
	sr_stat *s = next_stat(out, name);

	if (s == NULL)
		return;
	s->value = value;
	s->fraction = fraction;
}

static void add_count(sr_stat_list *out, const char *name, uint64_t value)
{
	sr_stat_add(out, name, (double) value, false);
}

/* errors and, by class, errors_wrong_type and the like; classes with one word are added up. */
static void list_errors(sr_stat_list *out, const sr_stats *from, bool zeros)
{
	uint64_t total = 0;

	for (int cls = 1; cls < SR_CLASSES; cls++)
		total += from->errors[cls];
	add_count(out, "errors", total);
	for (int cls = 1; cls < SR_CLASSES; cls++)
	{
		const char *word = sr_class_word((sr_class) cls);
		uint64_t	count = 0;
		int			first = 0;
		char		name[48];

		for (int other = SR_CLASSES - 1; other > 0; other--)
		{
			if (strcmp(word, sr_class_word((sr_class) other)) != 0)
				continue;
			first = other;
			count += from->errors[other];
		}
		if (first < cls || (count == 0 && !zeros))
			continue;
		snprintf(name, sizeof name, "errors_%s", word);
		for (char *p = name; *p != '\0'; p++)
			if (*p == ' ')
				*p = '_';
		add_count(out, name, count);
	}
}

/* The latency under which a share of the round trips stayed, in ms: the bucket's upper edge. */
static double percentile(const sr_stats *from, double share)
{
	uint64_t total = 0, seen = 0;

	for (int i = 0; i < SR_LATENCY_BUCKETS; i++)
		total += from->latency[i];
	for (int i = 0; i < SR_LATENCY_BUCKETS; i++)
	{
		seen += from->latency[i];
		if (total > 0 && (double) seen >= share * (double) total)
			return sr_latency_edge(i) / 1000;
	}
	return 0;
}

static void list_cache(sr_stat_list *out, const sr_stats *from)
{
	static const char *const reasons[] = {
#define X(id, name) [id] = "cache_unfilled_" name,
		SR_UNFILLED_MAP(X)
#undef X
	};

	add_count(out, "cache_hits", from->cache_hits);
	add_count(out, "cache_misses", from->cache_misses);
	add_count(out, "cache_fills", from->cache_fills);
	add_count(out, "cache_waits", from->cache_waits);
	for (int i = 0; i < SR_UNFILLED_REASONS; i++)
		add_count(out, reasons[i], from->cache_unfilled[i]);
}

void sr_stats_list(sr_stat_list *out, const sr_stats *from, bool zeros)
{
	uint64_t reads = from->reads_hit + from->reads_missed;

	add_count(out, "commands", from->commands);
	add_count(out, "round_trips", from->round_trips);
	add_count(out, "hits", from->reads_hit);
	add_count(out, "misses", from->reads_missed);
	sr_stat_add(out, "hit_rate", reads > 0 ? (double) from->reads_hit / (double) reads : 0, true);
	sr_stat_add(out, "latency_p50_ms", percentile(from, 0.50), true);
	sr_stat_add(out, "latency_p99_ms", percentile(from, 0.99), true);
	add_count(out, "connects", from->connects);
	add_count(out, "reconnects", from->reconnects);
	add_count(out, "connect_failures", from->connect_failures);
	add_count(out, "invalidations_queued", from->invalidations_queued);
	add_count(out, "invalidations_sent", from->invalidations_sent);
	add_count(out, "invalidations_failed", from->invalidations_failed);
	add_count(out, "commands_queued", from->commands_queued);
	add_count(out, "commands_sent", from->commands_sent);
	add_count(out, "commands_failed", from->commands_failed);
	list_cache(out, from);
	list_errors(out, from, zeros);
}

void sr_stats_list_day(sr_stat_list *out, const sr_day *day, int64_t quota)
{
	uint64_t commands = sr_day_commands(day);

	add_count(out, "commands_today", commands);
	if (quota <= 0)
		return;
	add_count(out, "quota", (uint64_t) quota);
	sr_stat_add(out, "quota_used", (double) commands / (double) quota, true);
}

/* ---- redis_stats ---- */

typedef struct stats
{
	sr_rows		 base;
	int			 at;
	sr_stat_list list;
	char		 value[32];
} stats;

static void collect(sr_stat_list *out, sr_client *c)
{
	const sr_noted *noted = sr_client_noted(c);
	sr_stats		counts = *sr_client_stats(c);
	sr_stat		   *breaker = next_stat(out, "breaker");

	if (breaker != NULL)
		breaker->text = sr_client_breaker_state(c);
	counts.invalidations_sent += noted->sent_elsewhere;
	sr_stats_list(out, &counts, false);
	sr_stats_list_day(out, c->day, c->settings.recipes.daily_quota);
	add_count(out, "invalidations_waiting", sr_client_backlog(c) + noted->kept_elsewhere);
	add_count(out, "outbox_rows", noted->outbox_rows);
	sr_stat_add(out, "outbox_age", noted->outbox_age, true);
}

static int stats_next(sr_rows *rows, sr_err *err)
{
	stats		  *s = (stats *) rows;
	const sr_stat *stat = &s->list.stat[s->at];
	const char	  *text = stat->text;

	(void) err;
	if (s->at == s->list.count)
		return 0;
	s->at++;
	if (text == NULL)
	{
		sr_number_print(s->value, sizeof s->value, stat->fraction ? "%.3f" : "%.0f", stat->value);
		text = s->value;
	}
	sr_cell_text(&rows->cells[0], stat->name, strlen(stat->name));
	sr_cell_text(&rows->cells[1], text, strlen(text));
	return 1;
}

static void stats_close(sr_rows *rows)
{
	free(rows);
}

sr_rows *sr_stats_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					   sr_err *err)
{
	stats *s = calloc(1, sizeof *s);

	(void) cmd;
	(void) n;
	(void) args;
	if (s == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	s->base.next = stats_next;
	s->base.close = stats_close;
	collect(&s->list, c);
	return &s->base;
}
