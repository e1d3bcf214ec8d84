/*
 * reply.c - one RESP2 reply: bytes in, a tree out, JSON from the tree.
 *
 * Owns the reply tree and hiredis's reader. It must not know connections, and must not trust the
 * peer: what a server announces allocates nothing, only what arrives does, and both the bytes
 * and the tree are counted against max_reply.
 *
 * Protocol: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2).
 */
#include "core.h"
#include "conn.h"
#include "hiredis_compat.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* hiredis is fed in pieces: given megabytes at once it moves them again and again. */
#define FEED_SIZE ((size_t) 16 * 1024)
/* A status, error or length line; hiredis searches an endless one from its start every time. */
#define MAX_LINE ((size_t) 64 * 1024)
/* Memory hiredis keeps between replies, instead of freeing and growing it for each piece. */
#define KEEP_BUFFER ((size_t) 128 * 1024)
#define MAX_DEPTH	16
/* What malloc needs round a block, about. */
#define BLOCK_OVERHEAD ((size_t) 16)

#define HINT_NOT_REDIS                                                                             \
	"Check that the URL names a Redis server (RESP2), not another service or its TLS port."

typedef enum failure
{
	FAILURE_NONE,
	FAILURE_SIZE,
	FAILURE_MEMORY,
	FAILURE_RESP3,
	FAILURE_DEPTH
} failure;

struct sr_reader
{
	redisReader				 *hiredis;
	redisReplyObjectFunctions functions; /* per reader: one static table is not const in hiredis */
	size_t					  max;
	size_t					  tree;	  /* bytes of the reply under construction */
	size_t					  fed;	  /* bytes fed since the last whole reply */
	failure					  failed; /* why an object function returned NULL */
};

/* ---- the tree ---- */

void sr_reply_free(sr_reply *reply)
{
	if (reply == NULL)
		return;
	for (size_t i = 0; i < reply->count; i++)
		sr_reply_free(reply->items[i]);
	free(reply->items);
	free(reply); /* str lies behind the node */
}

static void free_object(void *object)
{
	sr_reply_free(object);
}

static bool count_bytes(sr_reader *r, size_t bytes)
{
	if (bytes > r->max || r->tree > r->max - bytes)
	{
		r->failed = FAILURE_SIZE;
		return false;
	}
	r->tree += bytes;
	return true;
}

/* Append child to the array that task's parent builds, growing it as children arrive. */
static bool append(sr_reader *r, const redisReadTask *task, sr_reply *child)
{
	sr_reply *parent;

	if (task->parent == NULL)
		return true;
	parent = task->parent->obj;
	if (parent->count == parent->capacity)
	{
		size_t	   capacity = parent->capacity == 0 ? 4 : parent->capacity * 2;
		sr_reply **items;

		if (!count_bytes(r, (capacity - parent->capacity) * sizeof(*items)))
			return false;
		items = realloc(parent->items, capacity * sizeof(*items));
		if (items == NULL)
		{
			r->failed = FAILURE_MEMORY;
			return false;
		}
		parent->items = items;
		parent->capacity = capacity;
	}
	parent->items[parent->count++] = child;
	return true;
}

/* A node with room for extra bytes behind it, already in its parent. */
static sr_reply *new_node(const redisReadTask *task, sr_reply_kind kind, size_t extra)
{
	sr_reader *r = task->privdata;
	sr_reply  *node;

	if (!count_bytes(r, sizeof(*node) + extra + BLOCK_OVERHEAD))
		return NULL;
	node = malloc(sizeof(*node) + extra);
	if (node == NULL)
	{
		r->failed = FAILURE_MEMORY;
		return NULL;
	}
	memset(node, 0, sizeof(*node));
	node->kind = kind;
	if (!append(r, task, node))
	{
		free(node);
		return NULL;
	}
	return node;
}

static void *refuse(const redisReadTask *task, failure why)
{
	sr_reader *r = task->privdata;

	r->failed = why;
	return NULL;
}

static void *create_string(const redisReadTask *task, char *data, size_t len)
{
	sr_reply_kind kind;
	sr_reply	 *node;

	switch (task->type)
	{
		case REDIS_REPLY_STRING: kind = SR_BULK; break;
		case REDIS_REPLY_STATUS: kind = SR_STATUS; break;
		case REDIS_REPLY_ERROR: kind = SR_ERROR; break;
		default: return refuse(task, FAILURE_RESP3);
	}
	node = new_node(task, kind, len + 1);
	if (node == NULL)
		return NULL;
	node->str = (char *) (node + 1);
	node->len = len;
	memcpy(node->str, data, len);
	node->str[len] = '\0';
	return node;
}

static void *create_array(const redisReadTask *task, sr_hiredis_count announced)
{
	int depth = 0;

	(void) announced; /* a server's promise; memory follows what arrives */
	if (task->type != REDIS_REPLY_ARRAY)
		return refuse(task, FAILURE_RESP3);
	for (const redisReadTask *up = task->parent; up != NULL; up = up->parent)
		depth++;
	if (depth >= MAX_DEPTH)
		return refuse(task, FAILURE_DEPTH);
	return new_node(task, SR_ARRAY, 0);
}

static void *create_integer(const redisReadTask *task, long long value)
{
	sr_reply *node = new_node(task, SR_INTEGER, 0);

	if (node != NULL)
		node->integer = value;
	return node;
}

static void *create_nil(const redisReadTask *task)
{
	if (task->type == REDIS_REPLY_NIL) /* RESP3's own null; RESP2's come as string or array */
		return refuse(task, FAILURE_RESP3);
	return new_node(task, SR_NIL, 0);
}

#if SR_HIREDIS_RESP3
static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
	(void) value;
	(void) text;
	(void) len;
	return refuse(task, FAILURE_RESP3);
}

static void *create_bool(const redisReadTask *task, int value)
{
	(void) value;
	return refuse(task, FAILURE_RESP3);
}
#endif

/* ---- the reader ---- */

sr_reader *sr_reader_new(size_t max_reply)
{
	sr_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->max = max_reply;
	r->functions.createString = create_string;
	r->functions.createArray = create_array;
	r->functions.createInteger = create_integer;
	r->functions.createNil = create_nil;
#if SR_HIREDIS_RESP3
	r->functions.createDouble = create_double;
	r->functions.createBool = create_bool;
#endif
	r->functions.freeObject = free_object;
	r->hiredis = redisReaderCreateWithFunctions(&r->functions);
	if (r->hiredis == NULL)
	{
		free(r);
		return NULL;
	}
	r->hiredis->privdata = r;
	r->hiredis->maxbuf = KEEP_BUFFER;
	return r;
}

void sr_reader_free(sr_reader *r)
{
	if (r == NULL)
		return;
	redisReaderFree(r->hiredis);
	free(r);
}

size_t sr_reader_buffered(const sr_reader *r)
{
	return r->fed;
}

static bool fail_size(const sr_reader *r, sr_err *err)
{
	return sr_fail(err, SR_E_SIZE,
				   "Ask for less at once (a range, a scan, fewer keys), or raise max_reply.",
				   "the reply of Redis is larger than max_reply (%zu bytes)", r->max);
}

static bool fail_reader(const sr_reader *r, sr_err *err)
{
	switch (r->failed)
	{
		case FAILURE_SIZE: return fail_size(r, err);
		case FAILURE_MEMORY: return sr_fail_memory(err);
		case FAILURE_RESP3:
			return sr_fail(err, SR_E_PROTOCOL, HINT_NOT_REDIS,
						   "the server sent a RESP3 reply, which was not asked for");
		case FAILURE_DEPTH: break;
		case FAILURE_NONE: break;
	}
	if (r->failed == FAILURE_DEPTH || strstr(r->hiredis->errstr, "depth") != NULL)
		return sr_fail(err, SR_E_PROTOCOL,
					   "Ask for a flatter reply; hiredis 0.14 reads seven levels, 1.x sixteen.",
					   "the reply of Redis is nested too deeply to be read");
	if (r->hiredis->err == REDIS_ERR_OOM)
		return sr_fail_memory(err);
	return sr_fail(err, SR_E_PROTOCOL, HINT_NOT_REDIS,
				   "the server sent something that is not RESP2 (%s)", r->hiredis->errstr);
}

bool sr_reader_feed(sr_reader *r, const char *data, size_t len, sr_err *err)
{
	if (r->hiredis->err != 0)
		return fail_reader(r, err);
	while (len > 0)
	{
		size_t n = len < FEED_SIZE ? len : FEED_SIZE;

		/* not counting this piece, which may begin other replies: the tree is exact */
		if (r->fed > r->max)
			return fail_size(r, err);
		if (redisReaderFeed(r->hiredis, data, n) != REDIS_OK)
			return fail_reader(r, err);
		r->fed += n;
		data += n;
		len -= n;
	}
	return true;
}

/* No line of RESP that is worth reading is this long; a bulk's announcement ends early. */
static bool line_is_endless(const redisReader *h)
{
	size_t		waiting = h->len - h->pos;
	const char *p = h->buf + h->pos;
	const char *end = p + MAX_LINE;

	if (waiting <= MAX_LINE)
		return false;
	while (p < end && (p = memchr(p, '\r', (size_t) (end - p))) != NULL)
	{
		if (p[1] == '\n')
			return false;
		p++;
	}
	return true;
}

bool sr_reader_next(sr_reader *r, sr_reply **out, sr_err *err)
{
	void *reply = NULL;

	*out = NULL;
	if (redisReaderGetReply(r->hiredis, &reply) != REDIS_OK)
		return fail_reader(r, err);
	if (reply == NULL)
	{
		if (!line_is_endless(r->hiredis))
			return true;
		return sr_fail(err, SR_E_PROTOCOL, HINT_NOT_REDIS,
					   "the server sent a line of more than %zu bytes", MAX_LINE);
	}
	r->tree = 0;
	r->fed = r->hiredis->len - r->hiredis->pos;
	*out = reply;
	return true;
}

/* ---- JSON ---- */

static json_t *to_json(const sr_reply *reply)
{
	json_t *array;

	switch (reply->kind)
	{
		case SR_NIL: return json_null();
		case SR_INTEGER: return json_integer(reply->integer);
		case SR_STATUS:
		case SR_BULK: return json_stringn(reply->str, reply->len);
		case SR_ERROR: return json_pack("{s:o}", "error", json_stringn(reply->str, reply->len));
		case SR_ARRAY: break;
	}
	array = json_array();
	for (size_t i = 0; array != NULL && i < reply->count; i++)
	{
		/* _new takes the child over, also when it fails or the child is NULL */
		if (json_array_append_new(array, to_json(reply->items[i])) != 0)
		{
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static int add_piece(const char *data, size_t len, void *ctx)
{
	return sr_buf_add(ctx, data, len) ? 0 : -1;
}

/* Does every string of the reply hold UTF-8? jansson does not tell this from want of memory. */
static bool is_utf8(const sr_reply *reply)
{
	if (reply->kind == SR_ARRAY)
	{
		for (size_t i = 0; i < reply->count; i++)
			if (!is_utf8(reply->items[i]))
				return false;
		return true;
	}
	return reply->str == NULL || sr_is_utf8(reply->str, reply->len);
}

char *sr_reply_json(const sr_reply *reply, size_t *len, sr_err *err)
{
	sr_buf	out = {0};
	json_t *json;

	if (!is_utf8(reply))
	{
		sr_fail(err, SR_E_ENCODING, "Read such values with a function that gives bytes.",
				"the reply of Redis holds bytes that are not UTF-8");
		return NULL;
	}
	json = to_json(reply);
	if (json == NULL ||
		json_dump_callback(json, add_piece, &out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
	{
		sr_buf_free(&out);
		sr_fail_memory(err);
	}
	json_decref(json);
	*len = out.len;
	return out.data;
}
