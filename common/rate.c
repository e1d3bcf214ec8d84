/*
 * rate.c - rate limits: redis_rate_limit and its kin. One round trip each; who may come when is said by the
 * scripts of rate_scripts.c. What this file decides is what a limit says when Redis cannot be asked.
 *
 * A key's state is kept under the key prefix, rate_limit_prefix and the key; its limit of its own, in
 * the side key "limit" of that.
 */
#include "rate.h"

#include "conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_WORD "limit"

typedef struct answer
{
	bool		allowed;
	const char *reason;
	bool		asked; /* the rest is known */
	bool		never; /* too much at any time: there is no retry_after */
	int64_t		remaining;
	double		retry_after, reset_at; /* seconds */
} answer;

/* ---- keys ---- */

static bool state_key(sr_client *c, const char *key, size_t len, sr_buf *out)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(c, &prefix_len);

	return sr_buf_add(out, prefix, prefix_len) &&
		   sr_buf_str(out, sr_client_recipes(c)->rate_limit_prefix) && sr_buf_add(out, key, len);
}

static bool limit_key(sr_client *c, const char *key, size_t len, sr_buf *out)
{
	sr_buf state = {0};
	bool ok = state_key(c, key, len, &state) && sr_side_key(state.data, state.len, LIMIT_WORD, out);

	sr_buf_free(&state);
	return ok;
}

/* Both; the caller frees the buffers, which the line points into. */
static bool add_keys(sr_client *c, const char *key, size_t len, sr_buf *state, sr_buf *limit,
					 sr_line *line, sr_err *err)
{
	if (!state_key(c, key, len, state) || !sr_side_key(state->data, state->len, LIMIT_WORD, limit))
		return sr_fail_memory(err);
	return sr_line_add(line, state->data, state->len, err) &&
		   sr_line_add(line, limit->data, limit->len, err);
}

/* ---- asking ---- */

static bool number(const sr_reply *item, int64_t *out)
{
	char *end;

	if (item->kind != SR_BULK)
		return false;
	*out = strtoll(item->str, &end, 10);
	return item->len > 0 && *end == '\0';
}

static bool read_answer(const sr_reply *reply, answer *a, sr_err *err)
{
	int64_t wait = 0, full = 0;

	if (reply->kind != SR_ARRAY || reply->count != 4 || reply->items[0]->kind != SR_INTEGER ||
		!number(reply->items[1], &a->remaining) ||
		(reply->items[2]->kind != SR_NIL && !number(reply->items[2], &wait)) ||
		!number(reply->items[3], &full))
		return sr_fail(err, SR_E_PROTOCOL, "Is this a Redis server?",
					   "unexpected reply to the script of a rate limit");
	a->asked = true;
	a->allowed = reply->items[0]->integer == 1;
	a->never = !a->allowed && reply->items[2]->kind == SR_NIL;
	a->reason = a->allowed ? "ok" : "limit";
	a->retry_after = (double) wait / 1e6;
	a->reset_at = (double) full / 1e6;
	return true;
}

static bool ask_redis(sr_client *c, const char *key, size_t len, const sr_rate *rate, answer *out,
					  sr_err *err)
{
	sr_line	  line;
	sr_buf	  state = {0}, limit = {0};
	sr_reply *reply = NULL;
	bool	  ok = false;

	sr_line_init(&line, c);
	if (add_keys(c, key, len, &state, &limit, &line, err) &&
		sr_line_integer(&line, rate->max, err) &&
		sr_line_integer(&line, rate->period * 1000, err) &&
		sr_line_integer(&line, rate->cost, err) && sr_line_word(&line, rate->peek ? "1" : "0", err))
		reply = sr_script_call(c, sr_rate_script(rate->algorithm), 2, &line.argv,
							   rate->peek ? SR_SAFE_TO_RESEND : 0, err);
	if (reply != NULL)
		ok = read_answer(reply, out, err);
	sr_reply_free(reply);
	sr_line_free(&line);
	sr_buf_free(&state);
	sr_buf_free(&limit);
	return ok;
}

/* Redis is away, or there but unable to count: full, or a replica since a moment ago. */
static bool cannot_count(sr_class cls)
{
	return sr_class_is_outage(cls) || cls == SR_E_MEMORY || cls == SR_E_READONLY;
}

/* Once an outage: a limit is asked with every request. */
static void warn(sr_client *c, bool open, const sr_err *err)
{
	char text[sizeof err->msg + 80];

	if (c->rate_warned != SR_OK)
		return;
	c->rate_warned = err->cls;
	snprintf(text, sizeof text, "rate limits are not counted, every request is %s: %s",
			 open ? "allowed" : "refused", err->msg);
	c->host.log(c->host.ctx, SR_LOG_WARNING, text);
}

static bool ask(sr_client *c, const char *key, size_t len, const sr_rate *rate, answer *out,
				sr_err *err)
{
	sr_unasked mode = sr_client_recipes(c)->rate_limit_on_error;
	sr_err	   why = {0};

	memset(out, 0, sizeof *out);
	if (ask_redis(c, key, len, rate, out, &why))
	{
		/* A Redis that is full still answers what it need not write for. */
		if (sr_class_is_outage(c->rate_warned) || (out->allowed && !rate->peek))
			c->rate_warned = SR_OK;
		return true;
	}
	if (mode == SR_UNASKED_ERROR || !cannot_count(why.cls))
	{
		*err = why;
		return false;
	}
	out->allowed = mode == SR_UNASKED_OPEN;
	out->reason = out->allowed ? "fail_open" : "fail_closed";
	warn(c, out->allowed, &why);
	return true;
}

/* ---- arguments ---- */

static bool in_range(const char *name, int64_t i, int64_t lowest, sr_err *err)
{
	return (i >= lowest && i <= SR_RATE_MAX) ||
		   sr_fail(err, SR_E_OPTION, "", "%s must be from %" PRId64 " to %" PRId64, name, lowest,
				   SR_RATE_MAX);
}

/* max and period are the arguments after the key. */
static bool read_limit(const sr_command *cmd, const sr_value *args, sr_rate *out, sr_err *err)
{
	if (!sr_value_integer(&cmd->args[1], &args[1], &out->max, err) ||
		!in_range(cmd->args[1].name, out->max, 0, err) ||
		!sr_value_ms(&cmd->args[2], &args[2], &out->period, err))
		return false;
	if (out->period > 0 && out->period <= SR_RATE_LONGEST)
		return true;
	return sr_fail(err, SR_E_OPTION, "Times are in seconds; fractions are allowed.",
				   "%s must be more than 0 and at most a hundred years", cmd->args[2].name);
}

bool sr_rate_cost(const sr_command *cmd, int n, const sr_value *args, int i, sr_rate *out,
				  sr_err *err)
{
	out->cost = 1;
	return !sr_given(n, args, i) || (sr_value_integer(&cmd->args[i], &args[i], &out->cost, err) &&
									 in_range(cmd->args[i].name, out->cost, -SR_RATE_MAX, err));
}

static bool read_algorithm(const sr_arg *arg, const sr_value *v, sr_rate *out, sr_err *err)
{
	int which = SR_RATE_FIXED;

	for (const char *word = arg->words;; word++, which++)
	{
		size_t len = strcspn(word, "|");

		if (v->len == len && sr_same_word(v->data, word, len))
		{
			out->algorithm = (sr_rate_algorithm) which;
			return true;
		}
		word += len;
		if (*word == '\0')
			return sr_fail(err, SR_E_OPTION, "", "%s must be one of %s", arg->name, arg->words);
	}
}

/* ---- the functions ---- */

typedef struct row
{
	sr_rows base;
	answer	answer;
	bool	given;
} row;

static void row_close(sr_rows *rows)
{
	free(rows);
}

static int row_next(sr_rows *rows, sr_err *err)
{
	row			 *r = (row *) rows;
	const answer *a = &r->answer;
	sr_value	 *cells = rows->cells;

	(void) err;
	if (r->given)
		return 0;
	r->given = true;
	cells[0] = (sr_value){.type = SR_TYPE_BOOLEAN, .i = a->allowed};
	if (a->asked)
	{
		cells[1] = (sr_value){.type = SR_TYPE_INTEGER, .i = a->remaining};
		if (!a->never)
			cells[2] = (sr_value){.type = SR_TYPE_DOUBLE, .d = a->retry_after};
		cells[3] = (sr_value){.type = SR_TYPE_DOUBLE, .d = a->reset_at};
	}
	sr_cell_text(&cells[4], a->reason, strlen(a->reason));
	return 1;
}

sr_rows *sr_rate_ask(sr_client *c, const char *key, size_t len, const sr_rate *rate, sr_err *err)
{
	row *r = calloc(1, sizeof *r);

	if (r == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	r->base.next = row_next;
	r->base.close = row_close;
	if (ask(c, key, len, rate, &r->answer, err))
		return &r->base;
	free(r);
	return NULL;
}

sr_rows *sr_rate_limit_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
							sr_err *err)
{
	sr_rate rate = {.algorithm = SR_RATE_SLIDING};

	if (!read_limit(cmd, args, &rate, err) || !sr_rate_cost(cmd, n, args, 3, &rate, err) ||
		(sr_given(n, args, 4) && !read_algorithm(&cmd->args[4], &args[4], &rate, err)))
		return NULL;
	return sr_rate_ask(c, args[0].data, args[0].len, &rate, err);
}

sr_rows *sr_rate_limit_peek_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
								 sr_err *err)
{
	sr_rate rate = {.algorithm = SR_RATE_SLIDING, .cost = 1, .peek = true};

	if (!read_limit(cmd, args, &rate, err) ||
		(sr_given(n, args, 3) && !read_algorithm(&cmd->args[3], &args[3], &rate, err)))
		return NULL;
	return sr_rate_ask(c, args[0].data, args[0].len, &rate, err);
}

bool sr_allow(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
			  sr_err *err)
{
	sr_rate rate = {.algorithm = SR_RATE_SLIDING};
	answer	a;

	if (!read_limit(cmd, args, &rate, err) || !sr_rate_cost(cmd, n, args, 3, &rate, err) ||
		!ask(c, args[0].data, args[0].len, &rate, &a, err))
		return false;
	out->value = (sr_value){.type = SR_TYPE_BOOLEAN, .i = a.allowed};
	return true;
}

/* A command of the words and the key; whether Redis said OK, or more than 0. */
static bool change(sr_client *c, const char *word, const sr_buf *key, const int64_t *value,
				   sr_result *out, sr_err *err)
{
	sr_line line;

	sr_line_init(&line, c);
	if (sr_line_word(&line, word, err) && sr_line_add(&line, key->data, key->len, err) &&
		(value == NULL || sr_line_integer(&line, *value, err)))
		out->reply = sr_client_call(c, &line.argv, 0, 0, err);
	sr_line_free(&line);
	if (out->reply == NULL)
		return false;
	out->value.type = SR_TYPE_BOOLEAN;
	out->value.i = out->reply->kind == SR_STATUS || out->reply->integer > 0;
	return true;
}

bool sr_rate_limit_reset(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						 sr_result *out, sr_err *err)
{
	sr_buf key = {0};
	bool ok = state_key(c, args[0].data, args[0].len, &key) ? change(c, "DEL", &key, NULL, out, err)
															: sr_fail_memory(err);

	(void) cmd;
	(void) n;
	sr_buf_free(&key);
	return ok;
}

bool sr_rate_limit_override(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
							sr_result *out, sr_err *err)
{
	bool	given = sr_given(n, args, 1), ok;
	int64_t max = 0;
	sr_buf	key = {0};

	if (given && (!sr_value_integer(&cmd->args[1], &args[1], &max, err) ||
				  !in_range(cmd->args[1].name, max, 0, err)))
		return false;
	if (limit_key(c, args[0].data, args[0].len, &key))
		ok = change(c, given ? "SET" : "DEL", &key, given ? &max : NULL, out, err);
	else
		ok = sr_fail_memory(err);
	sr_buf_free(&key);
	return ok;
}
