/*
 * sweep.c - delete the keys that match a pattern, and their coherent entries: SCAN, page by page.
 *
 * A page is deleted by the same exchange that fetches the next one: one round trip a page. It takes as
 * long as Redis has keys, so that it ends at the flush's deadline; what is not finished begins anew
 * another time, because a cursor means nothing to another server.
 */
#include "deliver.h"

#include <stdio.h>
#include <string.h>

#define PAGE "1000"

typedef struct sweep
{
	sr_delivery *d;
	const char	*pattern;
	size_t		 len;
	char		 cursor[32];
	bool		 scan;			  /* this exchange fetches a page */
	size_t		 batch;			  /* keys of one UNLINK */
	sr_reply	*page, *next;	  /* whose keys are deleted; fetched meanwhile */
	size_t		 asked, answered; /* keys of page */
	bool		 again;			  /* some were refused together: now one by one */
	bool		 refused;		  /* a key alone, or the scan itself */
} sweep;

static size_t keys(const sweep *s)
{
	return s->page != NULL ? s->page->items[1]->count : 0;
}

static int next_command(void *ctx, sr_argv *out)
{
	sweep		  *s = ctx;
	sr_batch_line *line = s->d->line;
	const char	  *words[] = {"SCAN", s->cursor, "MATCH", s->pattern, "COUNT", PAGE};

	*out = (sr_argv){.argv = line->argv, .argvlen = line->lengths};
	if (s->asked < keys(s))
	{
		line->argv[0] = "UNLINK";
		line->lengths[0] = 6;
		out->argc = 1;
		for (size_t n = 0; n < s->batch && s->asked < keys(s); n++, s->asked++, out->argc++)
		{
			const sr_reply *key = s->page->items[1]->items[s->asked];

			line->argv[out->argc] = key->str;
			line->lengths[out->argc] = key->len;
		}
		return 1;
	}
	if (!s->scan)
		return 0;
	s->scan = false;
	for (; out->argc < 6; out->argc++)
	{
		line->argv[out->argc] = words[out->argc];
		line->lengths[out->argc] = out->argc == 3 ? s->len : strlen(words[out->argc]);
	}
	return 1;
}

static bool is_page(const sr_reply *reply)
{
	if (reply->kind != SR_ARRAY || reply->count != 2 || reply->items[0]->kind != SR_BULK ||
		reply->items[0]->len >= sizeof(((sweep *) 0)->cursor) || reply->items[1]->kind != SR_ARRAY)
		return false;
	for (size_t i = 0; i < reply->items[1]->count; i++)
		if (reply->items[1]->items[i]->kind != SR_BULK)
			return false;
	return true;
}

/* What sqlredis itself remembers stays. */
static void leave_records(sr_reply *found)
{
	size_t n = 0;

	for (size_t i = 0; i < found->count; i++)
		if (sr_is_record(found->items[i]->str, found->items[i]->len))
			sr_reply_free(found->items[i]);
		else
			found->items[n++] = found->items[i];
	found->count = n;
}

static void on_error(sweep *s, const sr_reply *reply, size_t count)
{
	sr_err err;

	if (reply->kind == SR_ERROR)
		sr_fail_reply(&err, reply->str, reply->len);
	else
		sr_fail(&err, SR_E_REPLY, NULL, "unexpected type of reply to SCAN");
	if (sr_is_transient(err.cls))
	{
		s->d->stop = true;
		sr_delivery_note(s->d, &err);
	}
	else if (count > 1)
		s->again = true;
	else
	{
		if (!s->refused)
			sr_delivery_note(s->d, &err);
		s->refused = true;
	}
}

static void on_reply(void *ctx, sr_reply *reply)
{
	sweep *s = ctx;
	size_t left = keys(s) - s->answered;
	size_t count = left < s->batch ? left : s->batch;

	if (left > 0)
	{
		s->answered += count;
		if (reply->kind == SR_ERROR)
			on_error(s, reply, count);
	}
	else if (is_page(reply))
	{
		leave_records(reply->items[1]);
		s->next = reply;
		return;
	}
	else
		on_error(s, reply, 1);
	sr_reply_free(reply);
}

/* One round trip; false: not now. */
static bool step(sweep *s)
{
	sr_exchange x = {.ctx = s, .next = next_command, .reply = on_reply};
	sr_err		err;

	s->asked = s->answered = 0;
	if (!sr_delivery_ready(s->d))
		return false;
	if (sr_delivery_exchange(s->d, &x, &err))
		return !s->d->stop;
	sr_delivery_note(s->d, &err);
	s->d->stop = true;
	return false;
}

/* Delete what page holds and fetch the next one. */
static bool turn(sweep *s, bool more)
{
	bool ok;

	s->scan = more;
	s->again = false;
	ok = step(s);
	if (ok && s->again)
	{
		s->batch = 1;
		ok = step(s);
	}
	sr_reply_free(s->page);
	s->page = s->next;
	s->next = NULL;
	if (s->page != NULL)
		snprintf(s->cursor, sizeof(s->cursor), "%s", s->page->items[0]->str);
	return ok;
}

/* Everything that matches; false: kept. What is refused alone is noted and left. */
static bool sweep_pattern(sweep *s, const char *pattern, size_t len)
{
	bool ok;

	s->pattern = pattern;
	s->len = len;
	snprintf(s->cursor, sizeof(s->cursor), "0");
	do
		ok = turn(s, true);
	while (ok && s->page != NULL && strcmp(s->cursor, "0") != 0);
	if (ok && s->page != NULL)
		ok = turn(s, false);
	sr_reply_free(s->page);
	s->page = NULL;
	return ok;
}

/* What a pattern leaves open at its end. */
typedef struct pattern_end
{
	bool class; /* [ without ], which ends with the pattern */
	bool bare;	/* the last character stands for itself and would not, were something behind it */
	bool star;
} pattern_end;

/* As Redis reads it: in a class even ] ends a range, and - or a lone \ is nothing special at the end. */
static pattern_end read_pattern(const char *pattern, size_t len)
{
	pattern_end e = {0};

	for (size_t i = 0; i < len; i++)
	{
		e.star = !e.class && pattern[i] == '*';
		e.bare = i + 1 == len && (pattern[i] == '\\' || (e.class && pattern[i] != ']'));
		if (pattern[i] == '\\')
			i++;
		else if (pattern[i] == '[' && !e.class)
		{
			e.class = true;
			i += i + 1 < len && pattern[i + 1] == '^';
		}
		else if (pattern[i] == ']')
			e.class = false;
		else if (e.class && i + 2 < len && pattern[i + 1] == '-')
			i += 2;
	}
	return e;
}

/*
 * The pattern of the entries of what a pattern matches: with ":sqlredis*" behind it. What the pattern left
 * open is closed before. Without a change when it ends with * anyway: then it matches the entries itself.
 */
static bool entry_pattern(const char *pattern, size_t len, bool *needed, sr_buf *out)
{
	pattern_end e = read_pattern(pattern, len);
	size_t		last = e.bare ? len - 1 : len;

	*needed = !e.star;
	out->len = 0;
	return e.star || (sr_buf_add(out, pattern, last) && (!e.bare || sr_buf_str(out, "\\")) &&
					  sr_buf_add(out, pattern + last, len - last) &&
					  (!e.class || sr_buf_str(out, "]")) && sr_buf_str(out, ":sqlredis*"));
}

bool sr_sweep(sr_delivery *d, size_t i)
{
	sweep		s = {.d = d, .batch = SR_BATCH};
	sr_effect	kind;
	size_t		len;
	const char *pattern = sr_inval_effect(d->list, i, &kind, &len, NULL);
	sr_buf	   *entries = &d->c->scratch;
	bool		needed;

	if (!entry_pattern(pattern, len, &needed, entries))
	{
		sr_err err;

		sr_fail_memory(&err);
		sr_delivery_note(d, &err);
		return false;
	}
	if (!sweep_pattern(&s, pattern, len))
		return false;
	if (needed && !s.refused && !sweep_pattern(&s, entries->data, entries->len))
		return false;
	if (s.refused)
		sr_delivery_lost(d, i, NULL);
	else
		sr_delivery_sent(d, kind, 1);
	return true;
}
