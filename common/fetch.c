/*
 * fetch.c - the values of many keys, round by round: what redis_mget, redis_get_batch and SQLite's
 * `key IN (SELECT ...)` are built on.
 *
 * A round's keys are asked for in one pipeline of MGETs, each small enough for Redis to serve others in
 * between. How many keys at a time follows from how large the values were before; when they turn out
 * much larger, those beyond LIMIT are let go and asked for again when their turn comes. So what is
 * held is bounded, but for a single value that is larger itself.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

#define MGET_KEYS  ((size_t) 256)
#define MGET_BYTES ((size_t) 48 * 1024) /* a few writes */
#define KEY_EXTRA  ((size_t) 16)		/* "$123\r\n" and "\r\n" round a key */
#define MAX_KEYS   ((size_t) 4096)
#define TARGET	   ((size_t) 4 * 1024 * 1024) /* bytes of values at a time, expected */
#define LIMIT	   ((size_t) 8 * 1024 * 1024) /* and when they are larger than expected */

typedef struct item
{
	sr_value key, value;
	size_t	 at;	  /* of the key, prefix and all, in f->keys */
	size_t	 len;	  /* likewise */
	bool	 refused; /* with others, in one MGET: to be asked for alone */
} item;

/* The values of one MGET. */
typedef struct block
{
	struct block *next;
	char		  data[];
} block;

struct sr_fetch
{
	sr_client  *client;
	sr_buf		keys;
	item	   *items;
	size_t		count, capacity;
	size_t		room;
	block	   *blocks;
	size_t		begin, end;		 /* the items whose values are here */
	size_t		until;			 /* of the items being asked for */
	size_t		bytes;			 /* of their values */
	size_t		asked, answered; /* how far commands went out and replies came in */
	bool		alone;			 /* GETs for what was refused, instead of MGETs */
	bool		failed;			 /* err says why; what else arrives is thrown away */
	sr_err		err;
	const char *argv[MGET_KEYS + 1];
	size_t		lengths[MGET_KEYS + 1];
};

sr_fetch *sr_fetch_new(sr_client *c)
{
	sr_fetch *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->client = c;
	f->room = MGET_KEYS;
	return f;
}

static void free_blocks(sr_fetch *f)
{
	while (f->blocks != NULL)
	{
		block *b = f->blocks;

		f->blocks = b->next;
		free(b);
	}
}

void sr_fetch_free(sr_fetch *f)
{
	if (f == NULL)
		return;
	free_blocks(f);
	sr_buf_free(&f->keys);
	free(f->items);
	free(f);
}

size_t sr_fetch_room(const sr_fetch *f)
{
	return f->room;
}

/* ---- the keys of a round ---- */

void sr_fetch_begin(sr_fetch *f)
{
	free_blocks(f);
	f->keys.len = 0;
	f->count = f->begin = f->end = 0;
}

static bool grow(sr_fetch *f)
{
	size_t capacity = f->capacity == 0 ? MGET_KEYS : f->capacity * 2;
	item  *items = realloc(f->items, capacity * sizeof *items);

	if (items == NULL)
		return false;
	f->items = items;
	f->capacity = capacity;
	return true;
}

bool sr_fetch_add(sr_fetch *f, const char *key, size_t len, sr_err *err)
{
	const char *was = f->keys.data;
	const char *prefix; /* asked for each time: settings may change between two keys */
	size_t		prefix_len;
	item	   *it;

	if (f->count == f->capacity && !grow(f))
		return sr_fail_memory(err);
	it = &f->items[f->count];
	memset(it, 0, sizeof *it);
	if (key == NULL)
	{
		f->count++;
		return true;
	}
	prefix = sr_client_prefix(f->client, &prefix_len);
	it->at = f->keys.len;
	it->len = prefix_len + len;
	if (!sr_buf_add(&f->keys, prefix, prefix_len) || !sr_buf_add(&f->keys, key, len))
		return sr_fail_memory(err);
	sr_cell_text(&it->key, f->keys.data + it->at + prefix_len, len);
	/* the buffer moved, and its keys with it */
	for (size_t i = 0; f->keys.data != was && i < f->count; i++)
		if (f->items[i].key.type != SR_TYPE_NULL)
			f->items[i].key.data =
				f->keys.data + f->items[i].at + (f->items[i].len - f->items[i].key.len);
	f->count++;
	return true;
}

const sr_value *sr_fetch_key(const sr_fetch *f, size_t i)
{
	return &f->items[i].key;
}

/* ---- out ---- */

/* Is the key one that the commands under way ask for? */
static bool is_wanted(const sr_fetch *f, const item *it)
{
	return it->key.type != SR_TYPE_NULL && (!f->alone || it->refused);
}

/*
 * The keys of the command that begins at start; the same whenever it is asked. Returns where the next
 * one begins; *n: how many keys, their numbers in wanted.
 */
static size_t command_end(const sr_fetch *f, size_t start, size_t *wanted, size_t *n)
{
	size_t max = f->alone ? 1 : MGET_KEYS;
	size_t bytes = 0;
	size_t i;

	*n = 0;
	for (i = start; i < f->until && *n < max; i++)
	{
		if (!is_wanted(f, &f->items[i]))
			continue;
		bytes += f->items[i].len + KEY_EXTRA;
		if (bytes > MGET_BYTES && *n > 0)
			break;
		wanted[(*n)++] = i;
	}
	return i;
}

static int next_command(void *ctx, sr_argv *out)
{
	sr_fetch *f = ctx;
	size_t	  wanted[MGET_KEYS];
	size_t	  n;

	if (f->failed || f->bytes >= LIMIT)
		return 0;
	f->asked = command_end(f, f->asked, wanted, &n);
	if (n == 0)
		return 0;
	f->argv[0] = f->alone ? "GET" : "MGET";
	f->lengths[0] = strlen(f->argv[0]);
	for (size_t i = 0; i < n; i++)
	{
		f->argv[i + 1] = f->keys.data + f->items[wanted[i]].at;
		f->lengths[i + 1] = f->items[wanted[i]].len;
	}
	*out = (sr_argv){(int) n + 1, f->argv, f->lengths};
	return 1;
}

/* ---- in ---- */

static void fail(sr_fetch *f, const sr_err *err)
{
	if (!f->failed)
		f->err = *err;
	f->failed = true;
}

/* Copy the strings of a reply, all in one piece, to the items that asked for them. */
static void take_values(sr_fetch *f, sr_reply *const *replies, const size_t *wanted, size_t n)
{
	size_t size = 0;
	block *b;
	char  *to;

	for (size_t i = 0; i < n; i++)
		size += replies[i]->kind == SR_BULK ? replies[i]->len + 1 : 0;
	f->bytes += size;
	b = malloc(sizeof *b + size);
	if (b == NULL)
	{
		sr_err why;

		sr_fail_memory(&why);
		fail(f, &why);
		return;
	}
	b->next = f->blocks;
	f->blocks = b;
	to = b->data;
	for (size_t i = 0; i < n; i++)
	{
		const sr_reply *reply = replies[i];

		sr_client_count_read(f->client, reply->kind == SR_BULK);
		if (reply->kind != SR_BULK)
			continue;
		memcpy(to, reply->str, reply->len + 1);
		sr_cell_text(&f->items[wanted[i]].value, to, reply->len);
		to += reply->len + 1;
	}
}

/* Of one MGET. */
static void on_values(sr_fetch *f, const sr_reply *reply, const size_t *wanted, size_t n)
{
	sr_err why;

	f->end = f->answered;
	if (reply->kind == SR_ARRAY && reply->count == n)
	{
		take_values(f, reply->items, wanted, n);
		return;
	}
	if (reply->kind != SR_ERROR)
		sr_fail(&why, SR_E_PROTOCOL, "Is this a Redis server?", "unexpected type of reply to MGET");
	else
	{
		sr_fail_reply(&why, reply->str, reply->len);
		/* one key of many may be forbidden, or elsewhere, or all are too much: a GET each says */
		if (why.cls == SR_E_PERMISSION || why.cls == SR_E_SIZE ||
			strncmp(reply->str, "CROSSSLOT", 9) == 0)
		{
			for (size_t i = 0; i < n; i++)
				f->items[wanted[i]].refused = true;
			return;
		}
	}
	fail(f, &why);
}

/* Of one GET. As MGET has it, a key that holds no string has no value. */
static void on_value(sr_fetch *f, const sr_reply *reply, size_t wanted)
{
	sr_err	  why = {0};
	sr_reply *one = (sr_reply *) reply;

	if (reply->kind == SR_ERROR)
		sr_fail_reply(&why, reply->str, reply->len);
	else if (reply->kind != SR_BULK && reply->kind != SR_NIL)
		sr_fail(&why, SR_E_PROTOCOL, "Is this a Redis server?", "unexpected type of reply to GET");
	if (why.cls != SR_OK && why.cls != SR_E_WRONGTYPE)
		fail(f, &why);
	else
		take_values(f, &one, &wanted, 1);
}

static void on_reply(void *ctx, const sr_reply *reply)
{
	sr_fetch *f = ctx;
	size_t	  wanted[MGET_KEYS];
	size_t	  n;

	f->answered = command_end(f, f->answered, wanted, &n);
	if (f->failed)
		return;
	if (f->bytes >= LIMIT)
		f->end = wanted[0] < f->end ? wanted[0] : f->end;
	else if (f->alone)
		on_value(f, reply, wanted[0]);
	else
		on_values(f, reply, wanted, n);
}

/* ---- a round ---- */

/* Reads may be repeated: a connection that broke is replaced once, for what is still to be asked. */
static bool exchange(sr_fetch *f, sr_err *err)
{
	sr_pipeline p = {.ctx = f, .next = next_command, .reply = on_reply};
	bool		ok = sr_client_pipeline(f->client, &p, SR_SAFE_TO_RESEND, err);

	if (!ok && !f->failed && err->cls == SR_E_LOST)
	{
		f->asked = f->answered;
		ok = sr_client_pipeline(f->client, &p, SR_SAFE_TO_RESEND, err);
	}
	/* an error that was the reply is the reason, if the server closed after it */
	if (f->failed)
		*err = f->err;
	return ok && !f->failed;
}

/* GETs for the keys of those MGETs that were refused; the values before the first one stay. */
static bool ask_alone(sr_fetch *f, sr_err *err)
{
	size_t first = f->begin;

	while (first < f->end && !f->items[first].refused)
		first++;
	if (first == f->end)
		return true;
	f->alone = true;
	f->until = f->end;
	f->asked = f->answered = first;
	f->bytes = 0;
	return exchange(f, err);
}

/* As many keys next as these values let expect to fit, but no sudden growth. */
static void adapt(sr_fetch *f, size_t bytes)
{
	size_t count = f->end - f->begin;
	size_t fits = TARGET / (count > 0 ? bytes / count + 1 : 1);

	if (fits > f->room * 2)
		fits = f->room * 2;
	if (fits > MAX_KEYS)
		fits = MAX_KEYS;
	f->room = fits > 0 ? fits : 1;
}

static bool ask(sr_fetch *f, size_t start, sr_err *err)
{
	size_t first[MGET_KEYS];
	size_t n, bytes;

	free_blocks(f);
	f->begin = f->end = f->asked = f->answered = start;
	f->until = f->count - start < f->room ? f->count : start + f->room;
	f->bytes = 0;
	f->alone = f->failed = false;
	for (size_t i = start; i < f->until; i++)
	{
		f->items[i].value = (sr_value){0};
		f->items[i].refused = false;
	}
	(void) command_end(f, start, first, &n);
	if (n > 0 && !exchange(f, err))
		return false;
	if (f->bytes < LIMIT)
		f->end = f->until;
	bytes = f->bytes;
	if (!ask_alone(f, err))
		return false;
	adapt(f, f->alone && f->bytes > bytes ? f->bytes : bytes);
	return true;
}

/* Have the values from start on, at least one of them. */
static bool load(sr_fetch *f, size_t start, sr_err *err)
{
	if (ask(f, start, err))
		return true;
	/* many values in one reply were more than max_reply: what came before it is good */
	if (err->cls == SR_E_SIZE && f->room > 1 && !f->alone)
	{
		f->room = 1;
		if (f->end > start ? ask_alone(f, err) : ask(f, start, err))
			return true;
	}
	f->begin = f->end = 0;
	return false;
}

bool sr_fetch_run(sr_fetch *f, sr_err *err)
{
	sr_err own;

	return f->count == 0 || load(f, 0, err != NULL ? err : &own);
}

const sr_value *sr_fetch_value(sr_fetch *f, size_t i, sr_err *err)
{
	sr_err own;

	if ((i < f->begin || i >= f->end) && f->items[i].key.type != SR_TYPE_NULL &&
		!load(f, i, err != NULL ? err : &own))
		return NULL;
	return &f->items[i].value;
}
