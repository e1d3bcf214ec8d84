/*
 * batch.c - the rows of an aggregate (redis_mset, redis_del_agg): one command each, sent in batches.
 *
 * Owns the client's queue, which all its batches share: a million groups of one row have a million
 * small sr_batch, and one buffer. Every entry knows the batch it belongs to, and a failure is the
 * business of that batch alone. The queue is sent when it is full, and when a batch is finished; each
 * time to the last reply, because the next row's arguments may come from calls over the same
 * connection. Nothing is sent twice once bytes went out.
 */
#include "command.h"
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FULL_COUNT ((size_t) 2000)
#define FULL_BYTES ((size_t) 256 * 1024)
#define KEEP_BYTES ((size_t) 1024 * 1024) /* a larger buffer, for a large value, is given back */
#define KEY_SHOWN  48					  /* bytes of a key in a message */

typedef enum fate
{
	FATE_REFUSED, /* Redis answered with an error */
	FATE_UNSENT,  /* there was no connection */
	FATE_UNKNOWN  /* it was sent, and no answer came */
} fate;

struct sr_failure
{
	fate   fate;
	sr_err err;
	char   key[KEY_SHOWN * 4 + 4];
};

typedef struct entry
{
	sr_batch *owner; /* NULL: dropped */
	size_t	  at;	 /* in the pack */
	size_t	  prefix;
	bool	  sent; /* given to the wire, at least in part */
	bool	  answered;
} entry;

struct sr_queue
{
	sr_pack pack;
	entry  *entries; /* FULL_COUNT */
	size_t	count;
	size_t	asked, answered; /* how far commands went out and replies came in */
	pid_t	pid;			 /* who gathered them */
};

/* A failure there was no memory to note; never freed. */
static const struct sr_failure no_memory = {
	.fate = FATE_UNKNOWN,
	.err = {.cls = SR_E_LOCAL_MEMORY, .msg = "out of memory"},
};

/* ---- the queue ---- */

static sr_queue *the_queue(sr_client *c)
{
	sr_queue *q = c->queue;

	if (q != NULL)
		return q;
	q = calloc(1, sizeof *q);
	if (q == NULL)
		return NULL;
	q->entries = malloc(FULL_COUNT * sizeof *q->entries);
	if (q->entries == NULL)
	{
		free(q);
		return NULL;
	}
	c->queue = q;
	return q;
}

static void empty(sr_queue *q)
{
	for (size_t i = 0; i < q->count; i++)
		if (q->entries[i].owner != NULL)
			q->entries[i].owner->waiting = 0;
	q->count = 0;
	q->asked = q->answered = 0;
	q->pack.buf.len = 0;
	if (q->pack.buf.cap > KEEP_BYTES)
		sr_pack_free(&q->pack);
}

void sr_queue_free(sr_queue *q)
{
	if (q == NULL)
		return;
	empty(q);
	sr_pack_free(&q->pack);
	free(q->entries);
	free(q);
}

static bool is_full(const sr_queue *q)
{
	return q->count == FULL_COUNT || q->pack.buf.len >= FULL_BYTES;
}

/* ---- failures ---- */

/* In ASCII, whatever the key holds: a message is shown in encodings that the core does not know. */
static void show_key(const char *key, size_t len, char *out)
{
	size_t shown = len > KEY_SHOWN ? KEY_SHOWN : len;

	for (size_t i = 0; i < shown; i++)
	{
		unsigned char ch = (unsigned char) key[i];

		if (ch >= ' ' && ch < 0x7F)
			*out++ = key[i];
		else
			out += snprintf(out, 5, "\\x%02x", ch);
	}
	memcpy(out, len > shown ? "..." : "", len > shown ? 4 : 1);
}

/* How many words of its command precede a row's first argument, the key. */
static int words_before_key(const sr_command *cmd)
{
	int words = 1;

	for (const char *p = cmd->redis; *p != '\0' && *p != '.'; p++)
		words += p[0] == ' ' && p[1] != '.';
	return words;
}

/* The first failure of e's batch; later ones are not told. */
static void fail(sr_queue *q, const entry *e, fate f, const sr_err *why)
{
	struct sr_failure *failure;
	size_t			   at = e->at;
	int				   key = words_before_key(e->owner->cmd);
	sr_argv			   line;

	if (e->owner->failure != NULL)
		return;
	failure = malloc(sizeof *failure);
	if (failure == NULL)
	{
		e->owner->failure = (struct sr_failure *) &no_memory;
		return;
	}
	failure->fate = f;
	failure->err = *why;
	sr_pack_read(&q->pack, &at, &line);
	show_key(line.argv[key] + e->prefix, line.argvlen[key] - e->prefix, failure->key);
	e->owner->failure = failure;
}

static bool report(const sr_batch *b, sr_err *err)
{
	static const char *const rest[] = {
		[FATE_REFUSED] = "",
		[FATE_UNSENT] = ", the rest was not sent",
		[FATE_UNKNOWN] = ", whether the rest did is unknown",
	};
	const struct sr_failure *f = b->failure;

	if (f == NULL)
		return true;
	return sr_fail(err, f->err.cls, f->err.hint, "%s: key \"%s\" failed: %.200s; %llu succeeded%s",
				   b->cmd->name, f->key, f->err.msg, (unsigned long long) b->answered,
				   rest[f->fate]);
}

/* ---- sending ---- */

/* After an error nothing more of its batch is sent. */
static int next_command(void *ctx, sr_argv *out)
{
	sr_queue *q = ctx;

	while (q->asked < q->count)
	{
		entry *e = &q->entries[q->asked++];
		size_t at = e->at;

		if (e->owner == NULL || e->owner->failure != NULL)
			continue;
		e->sent = true;
		return sr_pack_read(&q->pack, &at, out) ? 1 : 0;
	}
	return 0;
}

/* A status is one thing done, an integer says how many; false: no such reply belongs to the command. */
static bool add_to_total(sr_batch *b, const sr_reply *reply)
{
	int64_t done = reply->kind == SR_STATUS ? 1 : reply->integer;

	return (reply->kind == SR_STATUS || reply->kind == SR_INTEGER) && done >= 0 &&
		   !__builtin_add_overflow(b->total, done, &b->total);
}

static void on_reply(void *ctx, const sr_reply *reply)
{
	sr_queue *q = ctx;
	entry	 *e;
	sr_err	  why;

	while (!q->entries[q->answered].sent)
		q->answered++;
	e = &q->entries[q->answered++];
	e->answered = true;
	if (e->owner == NULL)
		return;
	if (reply->kind == SR_ERROR)
	{
		sr_fail_reply(&why, reply->str, reply->len);
		fail(q, e, FATE_REFUSED, &why);
		return;
	}
	if (!add_to_total(e->owner, reply))
	{
		sr_fail_unexpected(e->owner->cmd, &why);
		fail(q, e, FATE_REFUSED, &why);
		return;
	}
	e->owner->answered++;
}

/* No more answers will come: every batch that waits for one has failed. */
static void fail_rest(sr_queue *q, size_t bytes_sent, const sr_err *why)
{
	for (size_t i = 0; i < q->count; i++)
	{
		const entry *e = &q->entries[i];

		if (e->owner != NULL && !e->answered)
			fail(q, e, e->sent && bytes_sent > 0 ? FATE_UNKNOWN : FATE_UNSENT, why);
	}
}

/* Send all that waits, whoever's it is. How it went is noted in each batch. */
static void flush(sr_client *c)
{
	sr_queue   *q = c->queue;
	sr_pipeline p = {.ctx = q, .next = next_command, .reply = on_reply};
	sr_err		why;
	bool		ok = false;

	if (q->pid != getpid())
		sr_fail(&why, SR_E_LOST, "Each process must gather its own rows.",
				"the process was forked while rows were being gathered");
	else
		ok = sr_client_pipeline(c, &p, 0, &why);
	if (!ok && why.cls == SR_E_LOST && p.sent == 0 && q->asked > 0)
	{
		/* the connection broke before, and nobody has seen anything of it */
		for (size_t i = 0; i < q->count; i++)
			q->entries[i].sent = false;
		q->asked = q->answered = 0;
		ok = sr_client_pipeline(c, &p, 0, &why);
	}
	if (!ok)
		fail_rest(q, p.sent, &why);
	empty(q);
}

void sr_queue_send(sr_client *c)
{
	if (c->queue != NULL && c->queue->count > 0)
		flush(c);
}

/* ---- batches ---- */

void sr_batch_init(sr_batch *b, sr_client *c, const sr_command *cmd)
{
	*b = (sr_batch){.client = c, .cmd = cmd};
}

static bool any_null(const sr_command *cmd, int n, const sr_value *args)
{
	for (int i = 0; i < n; i++)
		if (args[i].type == SR_TYPE_NULL && !(cmd->args[i].flags & SR_OPTIONAL))
			return true;
	return false;
}

static bool push(sr_queue *q, sr_batch *b, int n, const sr_value *args, sr_err *err)
{
	entry	e = {.owner = b, .at = q->pack.buf.len};
	sr_line line;
	bool	ok;

	sr_line_init(&line, b->client);
	e.prefix = line.prefix_len;
	ok = sr_line_command(&line, b->cmd, n, args, err) && sr_pack_add(&q->pack, &line.argv, err);
	sr_line_free(&line);
	if (!ok)
		return false;
	if (q->count == 0)
		q->pid = getpid();
	q->entries[q->count++] = e;
	b->waiting++;
	return true;
}

bool sr_batch_add(sr_batch *b, int n, const sr_value *args, sr_err *err)
{
	sr_client *c = b->client;
	sr_queue  *q;

	if (!report(b, err))
		return false;
	if (any_null(b->cmd, n, args))
		return true;
	/* the queue must not change while it is being sent; and why gather for nobody? */
	if (!sr_client_enter(c, err))
		return false;
	sr_client_leave(c);
	q = the_queue(c);
	if (q == NULL)
		return sr_fail_memory(err);
	if (!push(q, b, n, args, err))
		return false;
	if (is_full(q))
		flush(c);
	return report(b, err);
}

bool sr_batch_finish(sr_batch *b, int64_t *total, sr_err *err)
{
	if (b->waiting > 0)
	{
		if (!sr_client_enter(b->client, err))
			return false;
		sr_client_leave(b->client);
		flush(b->client);
	}
	*total = b->total;
	return report(b, err);
}

/* Dropped entries at the end of the queue make room. */
static void trim(sr_queue *q)
{
	while (q->count > 0 && q->entries[q->count - 1].owner == NULL)
		q->pack.buf.len = q->entries[--q->count].at;
	if (q->count == 0)
		empty(q);
}

void sr_batch_drop(sr_batch *b)
{
	sr_queue *q = b->waiting > 0 ? b->client->queue : NULL;

	/* its entries are the youngest, as a rule */
	for (size_t i = q != NULL ? q->count : 0; i-- > 0 && b->waiting > 0;)
	{
		if (q->entries[i].owner != b)
			continue;
		q->entries[i].owner = NULL;
		b->waiting--;
	}
	if (q != NULL && !sr_client_busy(b->client))
		trim(q);
	if (b->failure != &no_memory)
		free(b->failure);
	memset(b, 0, sizeof *b);
}
