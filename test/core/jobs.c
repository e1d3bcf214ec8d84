/*
 * jobs.c - see jobs.h.
 */
#include "jobs.h"

#include <inttypes.h>
#include <stdio.h>

char   last_id[64];
sr_buf taken; /* reachable to the end: no leak */

const char *take(sr_client *c, const sr_bound *bound, double timeout, double visibility)
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

const char *next(sr_client *c, double visibility)
{
	sr_inval   *queue = sr_inval_new();
	sr_bound	bound = {.queue = queue};
	const char *text = take(c, &bound, 0, visibility);

	sr_inval_free(queue);
	return text;
}

const char *wait_for(sr_client *c, double timeout)
{
	sr_inval   *queue = sr_inval_new();
	sr_bound	bound = {.queue = queue};
	const char *text = take(c, &bound, timeout, 30);

	sr_inval_free(queue);
	return text;
}

const char *next_in(transaction *t)
{
	sr_bound bound = {.queue = t->queue, .holds = t->holds, .depth = t->depth};

	return take(t->c, &bound, 0, 30);
}

bool ack(sr_client *c)
{
	return is(ALONE(c, "redis_ack", TEXT("q"), TEXT(last_id)), "1");
}

void put(sr_client *c, const char *payload)
{
	ALONE(c, "redis_enqueue", TEXT("q"), TEXT(payload));
}

bool lengths(sr_client *c, const char *expected)
{
	static const char *const states[] = {"waiting", "delayed", "reserved", "dead"};
	char					 got[128] = "";

	for (int i = 0; i < 4; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " " : "",
				 CALL(c, "redis_queue_len", TEXT("q"), TEXT(states[i])));
	return is(got, expected);
}

bool nothing_left(sr_client *c)
{
	return is(ask(c, "KEYS queue:*"), "[]");
}

sr_client *limited(int64_t attempts, bool lists)
{
	sr_settings s;
	sr_client  *c = fresh(&s);
	sr_err		err;

	s.recipes.queue_attempts = attempts;
	s.recipes.queue_lists = lists;
	sr_client_configure(c, &s, &err);
	return c;
}
