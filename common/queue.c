/*
 * queue.c - job queues: redis_enqueue, redis_dequeue and their kin. What a queue is in Redis, and what happens
 * to its jobs there, is queue_scripts.c's; here arguments are checked, and a consumer waits.
 *
 * To put in and to acknowledge are effects of the transaction; to take, and to give back, is done at once, and
 * a job that was taken is a hold: a rollback gives it back.
 */
#include "queue.h"
#include "command.h"
#include "recipe_scripts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISIBILITY_MS	 30000
#define HIGHEST_PRIORITY 9007199254740992 /* what a score tells apart from its neighbours */

/* Nobody wakes a consumer that waits for a time it does not know of, because another one was killed. */
#define SLICE_MS 5000

/* Without BLMOVE (before Redis 6.2). */
#define PAUSE_FIRST_MS	 10
#define PAUSE_LONGEST_MS 250

static const char *const side_keys[] = SR_QUEUE_SIDE_KEYS;

_Static_assert(SR_QUEUE_KEYS == 1 + sizeof side_keys / sizeof side_keys[0], "the list and its own");

/* ---- keys and arguments ---- */

static bool add_side_key(sr_line *line, const char *word, sr_err *err)
{
	sr_buf key = {0};

	if (sr_side_key(line->argv.argv[0], line->argv.argvlen[0], word, &key))
		return sr_line_keep(line, key.data, err) && sr_line_add(line, key.data, key.len, err);
	sr_buf_free(&key);
	return sr_fail_memory(err);
}

/* All of the queue's keys, as queue.h has them: the line's first words. */
static bool add_keys(sr_line *line, sr_client *c, const sr_value *name, sr_err *err)
{
	bool ok = sr_line_recipe_key(line, sr_client_recipes(c)->queue_prefix, name, err);

	for (size_t i = 0; ok && i + 1 < SR_QUEUE_KEYS; i++)
		ok = add_side_key(line, side_keys[i], err);
	return ok;
}

/* Seconds that may be left out, in ms: at least least of them. */
static bool optional_ms(const sr_command *cmd, int n, const sr_value *args, int i, int64_t least,
						int64_t *out, sr_err *err)
{
	const sr_arg *arg = &cmd->args[i];

	if (sr_given(n, args, i) && !sr_value_ms(arg, &args[i], out, err))
		return false;
	return *out >= least ||
		   sr_fail(err, SR_E_OPTION, "Times are in seconds; fractions are allowed.",
				   "%s must be %s", arg->name, least > 0 ? "more than 0" : "0 or more");
}

/* A queue's script with what stands in the line behind its keys. */
static sr_reply *run(sr_client *c, const char *script, const sr_line *line, unsigned flags,
					 sr_err *err)
{
	return sr_script_call(c, script, SR_QUEUE_KEYS, &line->argv, flags, err);
}

static sr_argv words_of(const sr_line *line, int at, int n)
{
	return (sr_argv){n, line->argv.argv + at, line->argv.argvlen + at};
}

/* Queue the line's words behind its keys as an item. */
static bool queue_item(sr_client *c, const char *script, const sr_line *line, sr_err *err)
{
	sr_argv keys = words_of(line, 0, SR_QUEUE_KEYS);
	sr_argv item = words_of(line, SR_QUEUE_KEYS, line->argv.argc - SR_QUEUE_KEYS);

	return sr_bound_queue(c, script, &keys, &item, err);
}

/* ---- redis_enqueue ---- */

/* Not 0: a priority was given. */
static bool read_priority(const sr_command *cmd, int n, const sr_value *args, int64_t *out,
						  sr_err *err)
{
	*out = 0;
	if (sr_given(n, args, 2) && !sr_value_integer(&cmd->args[2], &args[2], out, err))
		return false;
	return (*out >= 0 && *out <= HIGHEST_PRIORITY) ||
		   sr_fail(err, SR_E_OPTION, "1 is served first, 0 is none.",
				   "%s must be between 0 and %lld", cmd->args[2].name,
				   (long long) HIGHEST_PRIORITY);
}

/* A plain list has nothing but payloads, and they must not look like anything else. */
static bool check_plain(const sr_value *payload, int64_t priority, int64_t delay, sr_err *err)
{
	size_t len = sizeof SR_QUEUE_WORD - 1;

	if (priority > 0 || delay > 0)
		return sr_fail(err, SR_E_OPTION, "The setting queue_mode must be job for that.",
					   "plain lists have neither priorities nor delays");
	if (payload->len >= len && memcmp(payload->data, SR_QUEUE_WORD, len) == 0)
		return sr_fail(err, SR_E_OPTION, "The setting queue_mode must be job for that.",
					   "in a plain list a payload cannot begin with " SR_QUEUE_WORD);
	return true;
}

static bool add_job(sr_line *line, const char *id, int64_t priority, int64_t delay, sr_err *err)
{
	return sr_line_word(line, id, err) &&
		   (priority > 0 ? sr_line_integer(line, priority, err) : sr_line_word(line, "-", err)) &&
		   sr_line_integer(line, delay, err);
}

bool sr_enqueue(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				sr_err *err)
{
	bool	plain = sr_client_recipes(c)->queue_lists;
	char	id[SR_TOKEN_TEXT];
	int64_t priority, delay = 0;
	sr_line line;
	bool	ok;

	if (!read_priority(cmd, n, args, &priority, err) ||
		!optional_ms(cmd, n, args, 3, 0, &delay, err) ||
		(plain ? !check_plain(&args[1], priority, delay, err) : !sr_token(id, err)))
		return false;
	sr_line_init(&line, c);
	ok = add_keys(&line, c, &args[0], err) && sr_line_add(&line, args[1].data, args[1].len, err) &&
		 (plain || add_job(&line, id, priority, delay, err)) &&
		 queue_item(c, "enqueue", &line, err);
	sr_line_free(&line);
	if (!ok || plain)
		return ok;
	out->text = strdup(id);
	if (out->text == NULL)
		return sr_fail_memory(err);
	sr_cell_text(&out->value, out->text, strlen(out->text));
	return true;
}

/* ---- redis_dequeue ---- */

typedef struct consumer
{
	sr_rows	  base;
	sr_reply *reply; /* id, payload, attempts; NULL: nothing came */
} consumer;

typedef struct waiting
{
	sr_client *client;
	sr_line	   line; /* of the script; its first word is the list */
	int64_t	   deadline;
	bool	   polls; /* there is no BLMOVE */
	int64_t	   pause;
} waiting;

static void consumer_close(sr_rows *rows)
{
	sr_reply_free(((consumer *) rows)->reply);
	free(rows);
}

static int consumer_next(sr_rows *rows, sr_err *err)
{
	consumer *s = (consumer *) rows;

	if (s->reply == NULL || rows->cells[0].type != SR_TYPE_NULL)
		return 0;
	for (size_t i = 0; i < 3; i++)
		if (!sr_cell_reply(&rows->cells[i], &rows->cmd->columns[i], s->reply->items[i], err))
			return -1;
	return 1;
}

static bool pause_a_bit(waiting *w, int64_t until, sr_err *err)
{
	const sr_host *host = sr_client_host(w->client);
	int64_t		   jitter = (int64_t) (sr_client_random(w->client) % (uint64_t) (w->pause / 2 + 1));
	int64_t		   next = sr_now(host) + w->pause / 2 + jitter;

	w->pause = w->pause * 2 < PAUSE_LONGEST_MS ? w->pause * 2 : PAUSE_LONGEST_MS;
	return sr_sleep(host, next < until ? next : until, err);
}

/*
 * Until there is an element in the list, ms at most. It is moved to where it is, which is how to wait without
 * taking it: whoever is killed here has lost nothing.
 */
static bool wait_for_element(waiting *w, int64_t ms, sr_err *err)
{
	const char *list = w->line.argv.argv[0];
	size_t		len = w->line.argv.argvlen[0];
	char		seconds[32];
	sr_line		line;
	sr_reply   *reply = NULL;

	snprintf(seconds, sizeof seconds, "%lld.%03d", (long long) (ms / 1000), (int) (ms % 1000));
	sr_line_init(&line, w->client);
	if (sr_line_word(&line, "BLMOVE", err) && sr_line_add(&line, list, len, err) &&
		sr_line_add(&line, list, len, err) && sr_line_word(&line, "RIGHT", err) &&
		sr_line_word(&line, "RIGHT", err) && sr_line_word(&line, seconds, err))
		reply = sr_client_call(w->client, &line.argv, SR_SAFE_TO_RESEND, ms, err);
	sr_line_free(&line);
	if (reply == NULL && err->cls == SR_E_REPLY && strstr(err->msg, "unknown command") != NULL)
		w->polls = true;
	sr_reply_free(reply);
	return reply != NULL || w->polls;
}

/* 1: *out is a job. 0: none came until the deadline. -1: err */
static int take(waiting *w, sr_reply **out, sr_err *err)
{
	const sr_host *host = sr_client_host(w->client);
	int			   flag = w->line.argv.argc - 1; /* the last word */
	int64_t		   now = sr_now(host);

	for (bool waited = false;; waited = true)
	{
		int64_t until = w->deadline < now + SLICE_MS ? w->deadline : now + SLICE_MS;

		w->line.argv.argv[flag] = waited && now >= w->deadline ? "1" : "0";
		*out = run(w->client, sr_queue_take_script, &w->line, 0, err);
		if (*out == NULL || (*out)->kind == SR_ARRAY)
			return *out == NULL ? -1 : 1;
		if ((*out)->integer > 0 && (*out)->integer < until - now)
			until = now + (*out)->integer;
		sr_reply_free(*out);
		*out = NULL;
		if (now >= w->deadline)
			return 0;
		if (w->polls ? !pause_a_bit(w, until, err) : !wait_for_element(w, until - now, err))
			return -1;
		now = sr_now(host);
	}
}

/* A rollback gives it back, if it is still in hand from this time. */
static bool hold(sr_client *c, const sr_line *keys, const sr_reply *job, const char *limit,
				 sr_err *err)
{
	const sr_bound *bound = sr_client_bound(c);
	char			attempts[24];
	const char	   *words[] = {job->items[0]->str, attempts, limit};
	size_t			lengths[] = {job->items[0]->len, 0, strlen(limit)};
	sr_argv			whole = words_of(keys, 0, SR_QUEUE_KEYS);
	sr_argv			args = {3, words, lengths};

	if (bound == NULL || bound->holds == NULL)
		return true;
	snprintf(attempts, sizeof attempts, "%lld", job->items[2]->integer);
	lengths[1] = strlen(attempts);
	return sr_holds_add(bound->holds, SR_HOLD_JOB, &whole, &args, bound->depth) ||
		   sr_fail_memory(err);
}

static bool is_job(const sr_reply *reply)
{
	return reply->count == 3 && reply->items[0]->kind == SR_BULK &&
		   reply->items[1]->kind == SR_BULK && reply->items[2]->kind == SR_INTEGER;
}

/* false: err. *job stays NULL when none came. */
static bool dequeue(sr_client *c, const sr_command *cmd, const sr_value *name, int64_t timeout,
					int64_t visibility, sr_reply **job, sr_err *err)
{
	waiting w = {
		.client = c, .deadline = sr_now(sr_client_host(c)) + timeout, .pause = PAUSE_FIRST_MS};
	char id[SR_TOKEN_TEXT], limit[24];
	int	 got = -1;

	snprintf(limit, sizeof limit, "%lld", (long long) sr_client_recipes(c)->queue_attempts);
	sr_line_init(&w.line, c);
	if (sr_token(id, err) && add_keys(&w.line, c, name, err) &&
		sr_line_integer(&w.line, visibility, err) && sr_line_word(&w.line, limit, err) &&
		sr_line_word(&w.line, id, err) && sr_line_word(&w.line, "0", err))
		got = take(&w, job, err);
	if (got > 0 &&
		(is_job(*job) ? !hold(c, &w.line, *job, limit, err) : !sr_fail_unexpected(cmd, err)))
		got = -1;
	sr_line_free(&w.line);
	return got >= 0;
}

sr_rows *sr_dequeue_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						 sr_err *err)
{
	int64_t	  timeout = 0, visibility = VISIBILITY_MS;
	consumer *s;

	if (!optional_ms(cmd, n, args, 1, 0, &timeout, err) ||
		!optional_ms(cmd, n, args, 2, 1, &visibility, err))
		return NULL;
	s = calloc(1, sizeof *s);
	if (s == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	s->base.next = consumer_next;
	s->base.close = consumer_close;
	if (dequeue(c, cmd, &args[0], timeout, visibility, &s->reply, err))
		return &s->base;
	consumer_close(&s->base);
	return NULL;
}

/* ---- what becomes of a job in hand ---- */

static void set_boolean(sr_result *out, bool value)
{
	out->value.type = SR_TYPE_BOOLEAN;
	out->value.i = value;
}

/* 1 it is, 0 it is not, -1 err */
static int is_in_hand(sr_client *c, const sr_line *keys, const sr_value *id, sr_err *err)
{
	const char *key = keys->argv.argv[SR_QUEUE_RESERVED];
	sr_reply   *reply = NULL;
	sr_line		line;
	int			is;

	sr_line_init(&line, c);
	if (sr_line_word(&line, "ZSCORE", err) &&
		sr_line_add(&line, key, keys->argv.argvlen[SR_QUEUE_RESERVED], err) &&
		sr_line_add(&line, id->data, id->len, err))
		reply = sr_client_call(c, &line.argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(&line);
	is = reply == NULL ? -1 : reply->kind == SR_BULK;
	sr_reply_free(reply);
	return is;
}

bool sr_queue_ack(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				  sr_err *err)
{
	sr_line line;
	int		is = -1;

	(void) cmd;
	(void) n;
	sr_line_init(&line, c);
	if (add_keys(&line, c, &args[0], err))
		is = is_in_hand(c, &line, &args[1], err);
	if (is > 0 &&
		!(sr_line_add(&line, args[1].data, args[1].len, err) && queue_item(c, "ack", &line, err)))
		is = -1;
	sr_line_free(&line);
	set_boolean(out, is > 0);
	return is >= 0;
}

bool sr_queue_nack(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				   sr_err *err)
{
	int64_t delay = 0;
	sr_line line;

	if (!optional_ms(cmd, n, args, 2, 0, &delay, err))
		return false;
	sr_line_init(&line, c);
	if (add_keys(&line, c, &args[0], err) && sr_line_add(&line, args[1].data, args[1].len, err) &&
		sr_line_integer(&line, delay, err) &&
		sr_line_integer(&line, sr_client_recipes(c)->queue_attempts, err))
		out->reply = run(c, sr_queue_nack_script, &line, 0, err);
	sr_line_free(&line);
	if (out->reply == NULL)
		return false;
	set_boolean(out, out->reply->kind == SR_INTEGER && out->reply->integer == 1);
	return true;
}

const char *sr_job_return_script(void)
{
	return sr_queue_return_script;
}

/* ---- redis_queue_len ---- */

bool sr_queue_len(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				  sr_err *err)
{
	sr_line line;

	sr_line_init(&line, c);
	if (add_keys(&line, c, &args[0], err) &&
		(sr_given(n, args, 1) ? sr_line_choice(&line, &cmd->args[1], &args[1], err)
							  : sr_line_word(&line, "waiting", err)))
		out->reply = run(c, sr_queue_len_script, &line, SR_SAFE_TO_RESEND, err);
	sr_line_free(&line);
	if (out->reply == NULL)
		return false;
	if (out->reply->kind != SR_INTEGER)
		return sr_fail_unexpected(cmd, err);
	out->value.type = SR_TYPE_INTEGER;
	out->value.i = out->reply->integer;
	return true;
}
