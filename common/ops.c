/*
 * ops.c - what an operator asks: is Redis well, what did this session do with it, which one is it.
 */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- redis_stats ---- */

#define STATS_MAX (40 + SR_CLASSES + SR_UNFILLED_REASONS)

typedef struct stats
{
	sr_rows base;
	int		count, at;
	struct
	{
		char name[48];
		char value[32];
	} row[STATS_MAX];
} stats;

static void stat_text(stats *s, const char *name, const char *value)
{
	if (s->count == STATS_MAX)
		return;
	snprintf(s->row[s->count].name, sizeof s->row[0].name, "%s", name);
	snprintf(s->row[s->count++].value, sizeof s->row[0].value, "%s", value);
}

static void stat_count(stats *s, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	stat_text(s, name, text);
}

static void stat_fraction(stats *s, const char *name, double value)
{
	char text[32];

	sr_number_print(text, sizeof text, "%.3f", value);
	stat_text(s, name, text);
}

/* errors and, by class, errors_wrong_type and the like; classes with one word are added up. */
static void stat_errors(stats *s, const sr_stats *from)
{
	uint64_t total = 0;

	for (int cls = 1; cls < SR_CLASSES; cls++)
		total += from->errors[cls];
	stat_count(s, "errors", total);
	for (int cls = 1; cls < SR_CLASSES; cls++)
	{
		const char *word = sr_class_word((sr_class) cls);
		uint64_t	count = 0;
		char		name[48];

		for (int other = 1; other < SR_CLASSES; other++)
		{
			if (strcmp(word, sr_class_word((sr_class) other)) != 0)
				continue;
			if (other < cls)
				break;
			count += from->errors[other];
		}
		if (count == 0)
			continue;
		snprintf(name, sizeof name, "errors_%s", word);
		for (char *p = name; *p != '\0'; p++)
			if (*p == ' ')
				*p = '_';
		stat_count(s, name, count);
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

static void stat_cache(stats *s, const sr_stats *from)
{
	static const char *const reasons[] = {
#define X(id, name) [id] = "cache_unfilled_" name,
		SR_UNFILLED_MAP(X)
#undef X
	};

	stat_count(s, "cache_hits", from->cache_hits);
	stat_count(s, "cache_misses", from->cache_misses);
	stat_count(s, "cache_fills", from->cache_fills);
	stat_count(s, "cache_waits", from->cache_waits);
	for (int i = 0; i < SR_UNFILLED_REASONS; i++)
		stat_count(s, reasons[i], from->cache_unfilled[i]);
}

static void collect(stats *s, sr_client *c)
{
	const sr_stats *from = sr_client_stats(c);
	const sr_noted *noted = sr_client_noted(c);
	uint64_t		reads = from->reads_hit + from->reads_missed;

	stat_count(s, "commands", from->commands);
	stat_count(s, "round_trips", from->round_trips);
	stat_count(s, "hits", from->reads_hit);
	stat_count(s, "misses", from->reads_missed);
	stat_fraction(s, "hit_rate", reads > 0 ? (double) from->reads_hit / (double) reads : 0);
	stat_fraction(s, "latency_p50_ms", percentile(from, 0.50));
	stat_fraction(s, "latency_p99_ms", percentile(from, 0.99));
	stat_count(s, "connects", from->connects);
	stat_count(s, "reconnects", from->reconnects);
	stat_count(s, "connect_failures", from->connect_failures);
	stat_text(s, "breaker", sr_client_breaker_state(c));
	stat_count(s, "invalidations_queued", from->invalidations_queued);
	stat_count(s, "invalidations_sent", from->invalidations_sent + noted->sent_elsewhere);
	stat_count(s, "invalidations_failed", from->invalidations_failed);
	stat_count(s, "invalidations_waiting", sr_client_backlog(c) + noted->kept_elsewhere);
	stat_count(s, "commands_queued", from->commands_queued);
	stat_count(s, "commands_sent", from->commands_sent);
	stat_count(s, "commands_failed", from->commands_failed);
	stat_count(s, "outbox_rows", noted->outbox_rows);
	stat_fraction(s, "outbox_age", noted->outbox_age);
	stat_cache(s, from);
	stat_errors(s, from);
}

static int stats_next(sr_rows *rows, sr_err *err)
{
	stats *s = (stats *) rows;

	(void) err;
	if (s->at == s->count)
		return 0;
	sr_cell_text(&rows->cells[0], s->row[s->at].name, strlen(s->row[s->at].name));
	sr_cell_text(&rows->cells[1], s->row[s->at].value, strlen(s->row[s->at].value));
	s->at++;
	return 1;
}

static void free_rows(sr_rows *rows)
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
	s->base.close = free_rows;
	collect(s, c);
	return &s->base;
}

/* ---- redis_health ---- */

typedef struct health
{
	sr_rows base;
	bool	given;
	char	server[320], version[32], role[16];
	sr_err	err;
} health;

static sr_reply *ask_info(sr_client *c, const char *section, sr_err *err)
{
	const char *argv[] = {"INFO", section};
	size_t		lengths[] = {4, strlen(section)};
	sr_argv		line = {.argc = 2, .argv = argv, .argvlen = lengths};

	return sr_client_call(c, &line, SR_SAFE_TO_RESEND, 0, err);
}

/* An ACL may refuse INFO. That is not ill health, but there is no coherent cache then: said in err. */
static void identify(health *h, sr_client *c)
{
	sr_reply *server = ask_info(c, "server", &h->err);
	sr_reply *replication = server != NULL ? ask_info(c, "replication", &h->err) : NULL;
	char	  run_id[64], replid[64];

	(void) sr_info_value(server, "redis_version", h->version, sizeof h->version);
	(void) sr_info_value(replication, "role", h->role, sizeof h->role);
	if (h->err.cls != SR_E_INTERRUPTED)
		(void) sr_info_identity(server, replication, h->err.cls != SR_OK ? h->err.msg : NULL,
								run_id, replid, sizeof run_id, &h->err);
	sr_reply_free(server);
	sr_reply_free(replication);
}

static double microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static void optional_text(sr_value *cell, const char *text)
{
	sr_cell_text(cell, *text != '\0' ? text : NULL, strlen(text));
}

static void examine(health *h, sr_client *c)
{
	const char	 *argv[] = {"PING"};
	size_t		  lengths[] = {4};
	sr_argv		  ping = {.argc = 1, .argv = argv, .argvlen = lengths};
	const sr_url *url = sr_client_url(c);
	sr_value	 *cells = h->base.cells;
	sr_reply	 *reply = NULL;
	double		  start;

	if (sr_client_connect(c, SR_PROBE, &h->err))
	{
		start = microseconds();
		reply = sr_client_call(c, &ping, SR_SAFE_TO_RESEND | SR_PROBE, 0, &h->err);
		cells[1] = (sr_value){.type = SR_TYPE_DOUBLE, .d = (microseconds() - start) / 1000};
	}
	cells[0] = (sr_value){.type = SR_TYPE_BOOLEAN, .i = reply != NULL};
	if (reply != NULL)
		identify(h, c);
	else
		cells[1].type = SR_TYPE_NULL;
	if (url != NULL)
	{
		sr_url_where(url, h->server, sizeof h->server);
		cells[5] = (sr_value){.type = SR_TYPE_BOOLEAN, .i = url->tls};
	}
	optional_text(&cells[2], h->server);
	optional_text(&cells[3], h->version);
	optional_text(&cells[4], h->role);
	optional_text(&cells[6], h->err.msg);
	sr_reply_free(reply);
}

/* The row exists before it is asked for; only an interrupt is an error. */
static int health_next(sr_rows *rows, sr_err *err)
{
	health *h = (health *) rows;

	(void) err;
	if (h->given)
		return 0;
	h->given = true;
	return 1;
}

sr_rows *sr_health_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						sr_err *err)
{
	health *h = calloc(1, sizeof *h);

	(void) cmd;
	(void) n;
	(void) args;
	if (h == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	h->base.next = health_next;
	h->base.close = free_rows;
	examine(h, c);
	if (h->err.cls == SR_E_INTERRUPTED)
	{
		*err = h->err;
		free(h);
		return NULL;
	}
	return &h->base;
}

/* ---- redis_url, redis_version ---- */

bool sr_url_function(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					 sr_result *out, sr_err *err)
{
	const char *text = sr_client_url_text(c);

	(void) cmd;
	(void) n;
	(void) args;
	if (text == NULL)
		return true;
	out->text = sr_url_redact(text);
	if (out->text == NULL)
		return sr_fail_memory(err);
	sr_cell_text(&out->value, out->text, strlen(out->text));
	return true;
}

bool sr_version_function(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						 sr_result *out, sr_err *err)
{
	(void) c;
	(void) cmd;
	(void) n;
	(void) args;
	(void) err;
	sr_cell_text(&out->value, SR_VERSION, strlen(SR_VERSION));
	return true;
}
