/*
 * stream.c - XRANGE and XREAD, page by page; an entry's fields are a JSON object.
 *
 * The first page is asked for as the caller wrote it; those after it from the last entry's id plus
 * one, which needs no "(" (Redis 6.2). They end with the entry that was the last one when the second
 * page was asked for: a producer faster than the reader must not make it endless.
 */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 1000 /* entries */

#define HINT_UTF8 "JSON holds text only: write such fields in hexadecimal or base64."

/* https://redis.io/docs/latest/develop/data-types/streams/#entry-ids */
typedef struct entry_id
{
	uint64_t ms, seq;
} entry_id;

typedef struct stream
{
	sr_rows	  base;
	sr_value *args;
	sr_reply *reply;
	sr_reply *entries; /* within reply */
	size_t	  at;
	int64_t	  left;	 /* rows wanted beyond the pages fetched */
	bool	  begun; /* a page has been fetched */
	bool	  done;	 /* there is no further page */
	entry_id  next;	 /* the next page starts here */
	bool	  bounded;
	entry_id  last; /* when bounded: the last entry there is */
	sr_buf	  json;
} stream;

static void stream_close(sr_rows *rows)
{
	stream *s = (stream *) rows;

	sr_reply_free(s->reply);
	sr_buf_free(&s->json);
	free(s->args);
	free(s);
}

/* ---- ids ---- */

static bool parse_part(const char *text, uint64_t *out, char **end)
{
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, end, 10);
	return errno == 0;
}

static bool parse_id(const char *text, entry_id *out)
{
	char *end;

	return parse_part(text, &out->ms, &end) && *end == '-' &&
		   parse_part(end + 1, &out->seq, &end) && *end == '\0';
}

static bool id_less(entry_id a, entry_id b)
{
	return a.ms != b.ms ? a.ms < b.ms : a.seq < b.seq;
}

/* The id after it; false: it is the greatest of all. */
static bool id_after(entry_id id, entry_id *out)
{
	*out = (entry_id){id.ms, id.seq + 1};
	if (out->seq == 0)
		out->ms++;
	return out->seq != 0 || out->ms != 0;
}

static bool add_id(sr_line *line, char *text, size_t size, entry_id id, sr_err *err)
{
	int len = snprintf(text, size, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);

	return sr_line_add(line, text, (size_t) len, err);
}

/* [id, [field, value ...]]; an old server may have nil for the fields of an entry deleted. */
static bool is_entry(const sr_reply *entry)
{
	return entry->kind == SR_ARRAY && entry->count == 2 && entry->items[0]->kind == SR_BULK &&
		   (entry->items[1]->kind == SR_NIL ||
			(entry->items[1]->kind == SR_ARRAY && entry->items[1]->count % 2 == 0));
}

/* The id of the last entry of an array. */
static bool last_id(const sr_reply *entries, entry_id *out)
{
	for (size_t i = entries->count; i-- > 0;)
		if (entries->items[i]->kind != SR_NIL)
			return is_entry(entries->items[i]) && parse_id(entries->items[i]->items[0]->str, out);
	return false;
}

/* ---- pages ---- */

static bool is_xread(const stream *s)
{
	return strcmp(s->base.cmd->redis, "XREAD") == 0;
}

static sr_reply *send_line(stream *s, sr_line *line, bool ok, sr_err *err)
{
	sr_reply *reply = NULL;

	if (ok)
		reply = sr_client_call(s->base.client, &line->argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(line);
	return reply;
}

static bool add_key(stream *s, sr_line *line, sr_err *err)
{
	return sr_line_key(line, s->args[0].data, s->args[0].len, err);
}

/* An argument, or what its row sends when it is left out. */
static bool add_given(stream *s, sr_line *line, int i, sr_err *err)
{
	if (s->args[i].type == SR_TYPE_NULL)
		return sr_line_word(line, s->base.cmd->args[i].dflt, err);
	return sr_line_add(line, s->args[i].data, s->args[i].len, err);
}

/* [[key, [entry ...]]], or nil when there are none */
static bool take_xread(stream *s, sr_reply *reply)
{
	const sr_reply *one;

	if (reply->kind != SR_ARRAY || reply->count != 1)
		return false;
	one = reply->items[0];
	if (one->kind != SR_ARRAY || one->count != 2 || one->items[1]->kind != SR_ARRAY)
		return false;
	s->entries = one->items[1];
	return true;
}

static sr_reply *first_page(stream *s, int64_t count, sr_err *err)
{
	sr_line line;
	bool	ok;

	sr_line_init(&line, s->base.client);
	ok = sr_line_word(&line, s->base.cmd->redis, err);
	if (is_xread(s))
		ok = ok && sr_line_word(&line, "COUNT", err) && sr_line_integer(&line, count, err) &&
			 sr_line_word(&line, "STREAMS", err) && add_key(s, &line, err) &&
			 add_given(s, &line, 1, err);
	else
		ok = ok && add_key(s, &line, err) && add_given(s, &line, 1, err) &&
			 add_given(s, &line, 2, err) && sr_line_word(&line, "COUNT", err) &&
			 sr_line_integer(&line, count, err);
	return send_line(s, &line, ok, err);
}

/* Which is the last entry there is, from s->next on? There may be none. */
static bool find_last(stream *s, sr_err *err)
{
	char	  next[48];
	sr_line	  line;
	sr_reply *reply;
	bool	  ok;

	sr_line_init(&line, s->base.client);
	ok = sr_line_word(&line, "XREVRANGE", err) && add_key(s, &line, err) &&
		 (is_xread(s) ? sr_line_word(&line, "+", err) : add_given(s, &line, 2, err)) &&
		 add_id(&line, next, sizeof next, s->next, err) && sr_line_words(&line, "COUNT 1", 7, err);
	reply = send_line(s, &line, ok, err);
	if (reply == NULL)
		return false;
	if (reply->kind == SR_ARRAY && reply->count == 0)
		s->done = true;
	else
	{
		s->bounded = reply->kind == SR_ARRAY && last_id(reply, &s->last);
		ok = s->bounded ? true : sr_fail_unexpected(s->base.cmd, err);
	}
	sr_reply_free(reply);
	return ok;
}

static sr_reply *later_page(stream *s, int64_t count, sr_err *err)
{
	char	next[48], last[48];
	sr_line line;
	bool	ok;

	sr_line_init(&line, s->base.client);
	ok = sr_line_word(&line, "XRANGE", err) && add_key(s, &line, err) &&
		 add_id(&line, next, sizeof next, s->next, err) &&
		 add_id(&line, last, sizeof last, s->last, err) && sr_line_word(&line, "COUNT", err) &&
		 sr_line_integer(&line, count, err);
	return send_line(s, &line, ok, err);
}

/* Is there a page behind this one, and where does it start? */
static bool look_ahead(stream *s, int64_t asked, sr_err *err)
{
	entry_id last;

	s->left -= (int64_t) s->entries->count;
	s->done = (int64_t) s->entries->count < asked || s->left == 0;
	if (s->done)
		return true;
	/* Ids grow, or the same page would come for ever. */
	if (!last_id(s->entries, &last) || (s->bounded && id_less(last, s->next)))
		return sr_fail_unexpected(s->base.cmd, err);
	s->done = !id_after(last, &s->next) || (s->bounded && id_less(s->last, s->next));
	return true;
}

static bool next_page(stream *s, sr_err *err)
{
	int64_t asked = s->left < PAGE ? s->left : PAGE;
	bool	nested = is_xread(s) && !s->begun;

	sr_reply_free(s->reply);
	s->reply = s->entries = NULL;
	s->at = 0;
	if (s->begun && !s->bounded && !find_last(s, err))
		return false;
	if (s->done)
		return true;
	s->reply = s->begun ? later_page(s, asked, err) : first_page(s, asked, err);
	if (s->reply == NULL)
		return false;
	s->begun = true;
	if (nested &&
		(s->reply->kind == SR_NIL || (s->reply->kind == SR_ARRAY && s->reply->count == 0)))
	{
		s->done = true;
		return true;
	}
	if (!nested && s->reply->kind == SR_ARRAY)
		s->entries = s->reply;
	if ((nested && !take_xread(s, s->reply)) || s->entries == NULL ||
		s->entries->count > (size_t) asked)
	{
		s->entries = NULL;
		return sr_fail_unexpected(s->base.cmd, err);
	}
	return look_ahead(s, asked, err);
}

/* ---- rows ---- */

static int add_piece(const char *data, size_t len, void *ctx)
{
	return sr_buf_add(ctx, data, len) ? 0 : -1;
}

static bool add_string(stream *s, const sr_reply *item, sr_err *err)
{
	json_t *text;
	bool	ok;

	if (item->kind != SR_BULK)
		return sr_fail_unexpected(s->base.cmd, err);
	if (!sr_is_utf8(item->str, item->len))
		return sr_fail(err, SR_E_ENCODING, HINT_UTF8,
					   "an entry of the stream holds bytes that are not UTF-8");
	text = json_stringn(item->str, item->len);
	ok = text != NULL && json_dump_callback(text, add_piece, &s->json, JSON_ENCODE_ANY) == 0;
	json_decref(text);
	return ok ? true : sr_fail_memory(err);
}

/* In their order; a field that is there twice is there twice. */
static bool add_fields(stream *s, const sr_reply *fields, sr_err *err)
{
	bool ok = sr_buf_add(&s->json, "{", 1);

	for (size_t i = 0; ok && i < fields->count; i++)
	{
		if (i > 0)
			ok = sr_buf_add(&s->json, i % 2 == 0 ? "," : ":", 1);
		if (ok && !add_string(s, fields->items[i], err))
			return false;
	}
	ok = ok && sr_buf_add(&s->json, "}", 1);
	return ok ? true : sr_fail_memory(err);
}

static int give(stream *s, const sr_reply *entry, sr_err *err)
{
	sr_value	   *cells = s->base.cells;
	const sr_reply *fields;

	if (!is_entry(entry))
	{
		sr_fail_unexpected(s->base.cmd, err);
		return -1;
	}
	fields = entry->items[1];
	sr_cell_text(&cells[0], entry->items[0]->str, entry->items[0]->len);
	cells[1] = (sr_value){.type = SR_TYPE_NULL};
	if (fields->kind == SR_NIL)
		return 1;
	s->json.len = 0;
	if (!add_fields(s, fields, err))
		return -1;
	cells[1] = (sr_value){.type = SR_TYPE_JSON, .data = s->json.data, .len = s->json.len};
	return 1;
}

static int stream_next(sr_rows *rows, sr_err *err)
{
	stream		   *s = (stream *) rows;
	const sr_reply *entry;

	do
	{
		while (s->entries == NULL || s->at == s->entries->count)
		{
			if (s->done)
				return 0;
			if (!next_page(s, err))
				return -1;
		}
		entry = s->entries->items[s->at++];
	} while (entry->kind == SR_NIL); /* an old server's way to say: deleted */
	return give(s, entry, err);
}

/* limit: the number of the argument max_rows. */
static sr_rows *open_stream(const sr_command *cmd, int n, const sr_value *args, int limit,
							sr_err *err)
{
	stream *s = calloc(1, sizeof *s);

	if (s == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	s->base.next = stream_next;
	s->base.close = stream_close;
	s->left = INT64_MAX;
	s->args = sr_values_copy(n, args, err);
	if (s->args != NULL && (s->args[limit].type == SR_TYPE_NULL ||
							sr_value_integer(&cmd->args[limit], &s->args[limit], &s->left, err)))
	{
		s->done = s->left <= 0;
		return &s->base;
	}
	stream_close(&s->base);
	return NULL;
}

sr_rows *sr_stream_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						sr_err *err)
{
	(void) c;
	return open_stream(cmd, n, args, 3, err);
}

sr_rows *sr_stream_read_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
							 sr_err *err)
{
	(void) c;
	return open_stream(cmd, n, args, 2, err);
}
