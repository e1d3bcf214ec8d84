/*
 * scan.c - SCAN, HSCAN and SSCAN, page by page: only one page is held, and none is fetched before a
 * row of it is asked for.
 *
 * What Redis promises holds here: an element that is there during the whole scan appears at least
 * once, and may appear twice. https://redis.io/docs/latest/commands/scan/
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

/*
 * Elements a step asks for: few at first, for those who want few, then twice as many with each step up to
 * what is still well under a millisecond of Redis's time.
 */
#define FIRST_COUNT 64
#define MOST_COUNT	1024

typedef struct scan
{
	sr_rows	  base;
	sr_value *args;
	char	  cursor[64];
	size_t	  cursor_len;
	int64_t	  count;
	bool	  started;
	sr_reply *page; /* [cursor, [element ...]] */
	size_t	  at;
} scan;

static void scan_close(sr_rows *rows)
{
	scan *s = (scan *) rows;

	sr_reply_free(s->page);
	free(s->args);
	free(s);
}

/* HSCAN and SSCAN walk one key, SCAN all of them. */
static bool walks_key(const scan *s)
{
	return s->base.cmd->args[0].kind == SR_ARG_KEY;
}

/* The options given, each behind its word; with a key prefix, SCAN always has a pattern. */
static bool scan_options(scan *s, sr_line *line, sr_err *err)
{
	const sr_arg *arg = s->base.cmd->args;
	bool		  ok = true;

	for (int i = walks_key(s) ? 1 : 0; ok && arg[i].name != NULL; i++)
	{
		const sr_value *v = &s->args[i];
		bool			given = v->type != SR_TYPE_NULL;

		if (!given && (arg[i].kind != SR_ARG_PATTERN || line->prefix_len == 0))
			continue;
		ok = sr_line_word(line, arg[i].before, err);
		if (!ok)
			break;
		if (arg[i].kind == SR_ARG_PATTERN)
			ok = sr_line_pattern(line, given ? v->data : "*", given ? v->len : 1, err);
		else
			ok = sr_line_add(line, v->data, v->len, err);
	}
	return ok;
}

static bool scan_line(scan *s, sr_line *line, sr_err *err)
{
	return sr_line_word(line, s->base.cmd->redis, err) &&
		   (!walks_key(s) || sr_line_key(line, s->args[0].data, s->args[0].len, err)) &&
		   sr_line_add(line, s->cursor, s->cursor_len, err) && sr_line_word(line, "COUNT", err) &&
		   sr_line_integer(line, s->count, err) && scan_options(s, line, err);
}

/* [cursor, [element ...]], the elements of HSCAN in pairs */
static bool is_page(const scan *s, const sr_reply *page)
{
	size_t columns = s->base.cmd->columns[1].name != NULL ? 2 : 1;

	return page->kind == SR_ARRAY && page->count == 2 && page->items[0]->kind == SR_BULK &&
		   page->items[0]->len <= sizeof s->cursor && page->items[1]->kind == SR_ARRAY &&
		   page->items[1]->count % columns == 0;
}

/* Fetch the next page into s->page. */
static bool scan_page(scan *s, sr_err *err)
{
	sr_line	  line;
	sr_reply *page = NULL;

	sr_reply_free(s->page);
	s->page = NULL;
	s->at = 0;
	sr_line_init(&line, s->base.client);
	if (scan_line(s, &line, err))
		page = sr_client_call(s->base.client, &line.argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(&line);
	if (page == NULL)
		return false;
	if (!is_page(s, page))
	{
		sr_reply_free(page);
		return sr_fail_unexpected(s->base.cmd, err);
	}
	s->page = page;
	s->cursor_len = page->items[0]->len;
	memcpy(s->cursor, page->items[0]->str, s->cursor_len);
	s->started = true;
	s->count = s->count < MOST_COUNT ? s->count * 2 : MOST_COUNT;
	return true;
}

/* The caller knows his keys without the prefix. */
static void strip_prefix(sr_client *c, sr_value *key)
{
	size_t		len;
	const char *prefix = sr_client_prefix(c, &len);

	if (key->len < len || memcmp(key->data, prefix, len) != 0)
		return;
	key->data += len;
	key->len -= len;
}

static int scan_next(sr_rows *rows, sr_err *err)
{
	scan *s = (scan *) rows;

	while (s->page == NULL || s->at == s->page->items[1]->count)
	{
		if (s->started && s->cursor_len == 1 && s->cursor[0] == '0')
			return 0;
		if (!scan_page(s, err))
			return -1;
	}
	for (int i = 0; rows->cmd->columns[i].name != NULL; i++)
		if (!sr_cell_reply(&rows->cells[i], &rows->cmd->columns[i],
						   s->page->items[1]->items[s->at++], err))
			return -1;
	if (!walks_key(s) && rows->cells[0].type == SR_TYPE_TEXT)
		strip_prefix(rows->client, &rows->cells[0]);
	return 1;
}

sr_rows *sr_scan_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	scan *s = calloc(1, sizeof *s);

	(void) c;
	(void) cmd;
	if (s == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	s->base.next = scan_next;
	s->base.close = scan_close;
	s->cursor[0] = '0';
	s->cursor_len = 1;
	s->count = FIRST_COUNT;
	s->args = sr_values_copy(n, args, err);
	if (s->args != NULL)
		return &s->base;
	scan_close(&s->base);
	return NULL;
}
