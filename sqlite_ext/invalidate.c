/*
 * invalidate.c - redis_invalidate, which triggers call for every changed row, what else can be bound to a
 * commit, and redis_pending.
 *
 * Inside a transaction an effect is queued and txn.c delivers the queue; outside of one it is sent before
 * the function returns. Either way a Redis that is away fails no statement: the courier goes on trying,
 * the log says so, and an outbox has what belongs to a change of a file.
 */
#include "command.h"
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

/*
 * COMMIT does not dial, so the connection is made when the first key is queued; unless the courier's will be
 * used. What an earlier commit could not deliver goes now, while nobody waits for a
 * commit. false: interrupted.
 */
static bool dial_once(sq_db *st, sr_err *err)
{
	sr_err failure = {0};

	if (st->dialled || sq_is_async(st))
		return true;
	st->dialled = true;
	if (sr_client_connect(st->client, 0, &failure))
	{
		sr_flush_result delivered;

		if (sr_client_backlog(st->client) > 0)
			sr_flush(st->client, NULL, 0, &delivered);
		return true;
	}
	if (failure.cls == SR_E_INTERRUPTED)
	{
		*err = failure;
		return false;
	}
	sqlite3_log(SQLITE_NOTICE, "sqlredis: %s: %s", sr_class_word(failure.cls), failure.msg);
	return true;
}

/* 1: new to the queue, 0: there already, -1: err */
static int pushed(sq_db *st, sr_push how, sr_err *err)
{
	if (how == SR_PUSH_NEW)
		sr_client_count_queued(st->client);
	if (how != SR_PUSH_NO_MEMORY)
		return how == SR_PUSH_NEW;
	sr_fail(err, SR_E_SIZE, "Commit in smaller pieces.",
			"no memory for one more effect at commit, %llu are queued in this transaction",
			(unsigned long long) sr_inval_count(st->queue));
	return -1;
}

static int queue_key(sq_db *st, const sr_command *cmd, sqlite3_value *v, sr_err *err)
{
	size_t		prefix_len, len;
	const char *prefix = sr_client_prefix(st->client, &prefix_len);
	const char *key = sq_bytes(v, &len);

	(void) cmd;
	if (prefix_len > 0)
	{
		st->scratch.len = 0;
		if (!sr_buf_add(&st->scratch, prefix, prefix_len) || !sr_buf_add(&st->scratch, key, len))
		{
			sr_fail_memory(err);
			return -1;
		}
		key = st->scratch.data;
		len = st->scratch.len;
	}
	return pushed(st, sr_inval_push(st->queue, key, len, st->depth), err);
}

static int queue_tag(sq_db *st, const sr_command *cmd, sqlite3_value *v, sr_err *err)
{
	size_t		prefix_len, len;
	const char *prefix = sr_client_prefix(st->client, &prefix_len);
	const char *tag = sq_bytes(v, &len);

	(void) cmd;
	st->scratch.len = 0;
	if (tag == NULL || !sr_tag_key(prefix, prefix_len, tag, len, &st->scratch))
	{
		sr_fail_memory(err);
		return -1;
	}
	return pushed(st,
				  sr_inval_push_effect(st->queue, SR_EFFECT_TAG, st->scratch.data, st->scratch.len,
									   st->depth),
				  err);
}

/* The whole pattern, as redis_scan would send it. */
static int queue_pattern(sq_db *st, const sr_command *cmd, sqlite3_value *v, sr_err *err)
{
	sr_line		line;
	size_t		len;
	const char *pattern = sq_bytes(v, &len);
	int			queued = -1;

	(void) cmd;
	sr_line_init(&line, st->client);
	if (pattern == NULL)
		sr_fail_memory(err);
	else if (sr_line_pattern(&line, pattern, len, err))
		queued = pushed(st,
						sr_inval_push_effect(st->queue, SR_EFFECT_PATTERN, line.argv.argv[0],
											 line.argv.argvlen[0], st->depth),
						err);
	sr_line_free(&line);
	return queued;
}

/* All keys are looked at before the first is queued. */
static bool keys_allowed(sq_db *st, int argc, sqlite3_value **argv, sr_err *err)
{
	for (int i = 0; i < argc; i++)
	{
		size_t		len;
		const char *key = sq_bytes(argv[i], &len);

		if (key == NULL)
			return sr_fail_memory(err);
		if (!sq_key_allowed(&st->settings, key, len, &st->scratch, err))
			return false;
	}
	return true;
}

bool sq_prepare_queue(sq_db *st, bool *send_now, sr_err *err)
{
	if (st->enlisted)
		return true;
	*send_now = !sq_txn_running(st);
	if (*send_now)
		return true;
	return dial_once(st, err) && sq_txn_enlist(st, err);
}

static void give(sqlite3_context *ctx, sq_db *st, bool send_now, int64_t queued, const sr_err *err)
{
	if (send_now && queued < 0)
		sr_inval_clear(st->queue);
	else if (send_now)
		sq_send(st);
	if (queued < 0)
		sq_result_error(ctx, err);
	else
		sqlite3_result_int64(ctx, queued);
}

typedef int (*queue_fn)(sq_db *st, const sr_command *cmd, sqlite3_value *v, sr_err *err);

/* A NULL makes it NULL. allowed NULL: anything is. */
static void queue_all(sqlite3_context *ctx, int argc, sqlite3_value **argv, queue_fn queue,
					  bool (*allowed)(sq_db *st, int argc, sqlite3_value **argv, sr_err *err))
{
	const sq_function *f = sqlite3_user_data(ctx);
	sq_db			  *st = f->st;
	sr_err			   err = {0};
	bool			   send_now = false;
	int64_t			   queued = 0;

	for (int i = 0; i < argc; i++)
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			return;
	if (sq_client_to_queue(st, &err) == NULL ||
		(allowed != NULL && !allowed(st, argc, argv, &err)) ||
		!sq_prepare_queue(st, &send_now, &err))
	{
		sq_result_error(ctx, &err);
		return;
	}
	for (int i = 0; queued >= 0 && i < argc; i++)
	{
		int added = queue(st, f->cmd, argv[i], &err);

		queued = added < 0 ? -1 : queued + added;
	}
	give(ctx, st, send_now, queued, &err);
}

void sq_invalidate(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	queue_all(ctx, argc, argv, queue_key, keys_allowed);
}

/* A tag only makes entries void, and so is no more than a key. */
void sq_invalidate_tag(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	queue_all(ctx, argc, argv, queue_tag, NULL);
}

void sq_invalidate_pattern(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	sr_err err = {0};

	if (sq_call_is_trusted(ctx, &err))
		queue_all(ctx, argc, argv, queue_pattern, NULL);
	else
		sq_result_error(ctx, &err);
}

/* ---- redis_on_commit ---- */

static int queue_command(sq_db *st, const sr_command *cmd, int argc, sqlite3_value **argv,
						 sr_err *err)
{
	sr_value args[SQ_MAX_ARGUMENTS];
	sr_line	 line;
	int64_t	 ignored;
	int		 queued = -1;

	for (int i = 0; i < argc; i++)
		if (!sq_value_in(argv[i], &cmd->args[i > 0], &args[i]))
		{
			sr_fail_memory(err);
			return -1;
		}
	sr_line_init(&line, st->client);
	if (sr_line_args(&line, cmd, argc, args, err) &&
		sr_line_admit(st->client, &line, &ignored, err))
		queued = pushed(st, sr_inval_push_command(st->queue, &line.argv, st->depth), err);
	sr_line_free(&line);
	return queued;
}

void sq_on_commit(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const sq_function *f = sqlite3_user_data(ctx);
	sr_err			   err = {0};
	bool			   send_now = false;

	for (int i = 0; i < argc; i++)
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			return;
	if (argc > SQ_MAX_ARGUMENTS)
		sr_fail(&err, SR_E_SIZE, "", "redis_on_commit takes at most %d arguments",
				SQ_MAX_ARGUMENTS);
	else if (sq_call_is_trusted(ctx, &err) && sq_client_to_queue(f->st, &err) != NULL &&
			 sq_prepare_queue(f->st, &send_now, &err))
	{
		give(ctx, f->st, send_now, queue_command(f->st, f->cmd, argc, argv, &err), &err);
		return;
	}
	sq_result_error(ctx, &err);
}

/* ---- redis_pending ---- */

size_t sq_prefix_of(const sq_db *st, sr_effect kind, const char *data, size_t len)
{
	size_t		prefix_len, n = 0;
	const char *prefix = sr_client_prefix(st->client, &prefix_len);

	if (kind != SR_EFFECT_KEY && kind != SR_EFFECT_PATTERN)
		return 0;
	for (size_t i = 0; i < prefix_len; i++, n++)
	{
		/* in a pattern, what would mean something stands behind a backslash */
		if (kind == SR_EFFECT_PATTERN && n < len && data[n] == '\\' && prefix[i] != '\\')
			n++;
		else if (kind == SR_EFFECT_PATTERN && prefix[i] == '\\')
			n++;
		if (n >= len || data[n] != prefix[i])
			return 0;
	}
	return n;
}

typedef struct pending
{
	sq_rows	 base;
	sq_db	*st;
	size_t	 at, end; /* what is queued while the rows are read is not among them */
	size_t	 command; /* of the effect at, where the next one stands */
	sr_buf	 key;
	sr_value cells[3];
} pending;

/* What is to be said of the effect at p->at, which moves on: 1, 0 nothing more, -1 no memory. */
static int describe(pending *p, sr_effect kind, const char *data, size_t len)
{
	size_t prefix = sq_prefix_of(p->st, kind, data, len);
	bool   ok;

	if (sr_effect_is_group(kind))
	{
		int more = sr_effects_line(kind, data, len, &p->command, &p->key);

		if (more == 0)
		{
			p->at++;
			p->command = 0;
		}
		return more;
	}
	p->at++;
	ok = kind == SR_EFFECT_KEY ? sr_buf_add(&p->key, data + prefix, len - prefix)
							   : sr_effect_describe(kind, data + prefix, len - prefix, &p->key);
	return ok ? 1 : -1;
}

/*
 * The queue may change between two rows: each is looked up and copied when it is asked for. A row for each
 * command, whatever is sent together.
 */
static int pending_next(sq_rows *rows, const sr_value **cells, sr_err *err)
{
	pending	 *p = (pending *) rows;
	int		  depth, more = 0;
	sr_effect kind;

	p->key.len = 0;
	while (more == 0)
	{
		size_t		len;
		const char *data;

		if (p->at >= p->end || p->at >= sr_inval_count(p->st->queue))
			return 0;
		data = sr_inval_effect(p->st->queue, p->at, &kind, &len, &depth);
		more = describe(p, kind, data, len);
	}
	if (more < 0)
	{
		sr_fail_memory(err);
		return -1;
	}
	p->cells[0] = (sr_value){.type = SR_TYPE_TEXT, .data = p->key.data, .len = p->key.len};
	p->cells[1] = (sr_value){.type = SR_TYPE_INTEGER, .i = depth};
	p->cells[2] = (sr_value){
		.type = SR_TYPE_TEXT, .data = sr_effect_name(kind), .len = strlen(sr_effect_name(kind))};
	*cells = p->cells;
	return 1;
}

static void pending_close(sq_rows *rows)
{
	sr_buf_free(&((pending *) rows)->key);
	free(rows);
}

sq_rows *sq_pending_open(sq_db *st, sr_err *err)
{
	pending *p = calloc(1, sizeof *p);

	if (p == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	p->base.next = pending_next;
	p->base.close = pending_close;
	p->st = st;
	p->end = sr_inval_count(st->queue);
	return &p->base;
}
