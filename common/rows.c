/*
 * rows.c - functions that give rows: SCAN page by page, INFO and the client's own counters.
 *
 * Every source does whole exchanges: when a call returns, the connection is free for whatever the
 * statement does with the row.
 */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys a SCAN step asks for: well under a millisecond of Redis's time. */
#define SCAN_COUNT "500"

void sr_cell_text(sr_value *cell, const char *data, size_t len)
{
	*cell =
		(sr_value){.type = data != NULL ? SR_TYPE_TEXT : SR_TYPE_NULL, .data = data, .len = len};
}

static int no_rows(sr_rows *rows, sr_err *err)
{
	(void) rows;
	(void) err;
	return 0;
}

static void free_rows(sr_rows *rows)
{
	free(rows);
}

sr_rows *sr_rows_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	const sr_arg *arg = cmd->args;
	sr_rows		 *rows;

	for (int i = 0; i < n && arg->name != NULL; i++, arg++)
	{
		if (args[i].type != SR_TYPE_NULL || (arg->flags & SR_OPTIONAL))
			continue;
		rows = calloc(1, sizeof *rows);
		if (rows == NULL)
		{
			sr_fail_memory(err);
			return NULL;
		}
		rows->next = no_rows;
		rows->close = free_rows;
		return rows;
	}
	rows = (cmd->rows != NULL ? cmd->rows : sr_collect_open)(c, cmd, n, args, err);
	if (rows != NULL)
	{
		rows->client = c;
		rows->cmd = cmd;
	}
	return rows;
}

int sr_rows_next(sr_rows *rows, const sr_value **cells, sr_err *err)
{
	*cells = rows->cells;
	return rows->next(rows, err);
}

void sr_rows_close(sr_rows *rows)
{
	if (rows != NULL)
		rows->close(rows);
}

/* ---- redis_scan ---- */

typedef struct scan
{
	sr_rows	  base;
	sr_buf	  pattern, type;
	char	  cursor[24];
	bool	  started;
	sr_reply *page;
	size_t	  at;
} scan;

static void scan_close(sr_rows *rows)
{
	scan *s = (scan *) rows;

	sr_reply_free(s->page);
	sr_buf_free(&s->pattern);
	sr_buf_free(&s->type);
	free(s);
}

static bool scan_line(scan *s, sr_line *line, sr_err *err)
{
	bool ok = sr_line_word(line, "SCAN", err) && sr_line_word(line, s->cursor, err) &&
			  sr_line_word(line, "COUNT", err) && sr_line_word(line, SCAN_COUNT, err);

	if (ok && (s->pattern.data != NULL || line->prefix_len > 0))
		ok = sr_line_word(line, "MATCH", err) &&
			 sr_line_pattern(line, s->pattern.data != NULL ? s->pattern.data : "*",
							 s->pattern.data != NULL ? s->pattern.len : 1, err);
	if (ok && s->type.data != NULL)
		ok = sr_line_word(line, "TYPE", err) && sr_line_add(line, s->type.data, s->type.len, err);
	return ok;
}

/* Fetch the next page into s->page. */
static bool scan_page(scan *s, sr_err *err)
{
	sr_line line;

	sr_reply_free(s->page);
	s->page = NULL;
	s->at = 0;
	sr_line_init(&line, s->base.client);
	if (scan_line(s, &line, err))
		s->page = sr_client_call(s->base.client, &line.argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(&line);
	if (s->page == NULL)
		return false;
	if (s->page->kind != SR_ARRAY || s->page->count != 2 || s->page->items[0]->kind != SR_BULK ||
		s->page->items[0]->len >= sizeof s->cursor || s->page->items[1]->kind != SR_ARRAY)
		return sr_fail(err, SR_E_PROTOCOL, "", "unexpected type of reply to SCAN");
	memcpy(s->cursor, s->page->items[0]->str, s->page->items[0]->len + 1);
	s->started = true;
	return true;
}

static int scan_next(sr_rows *rows, sr_err *err)
{
	scan		   *s = (scan *) rows;
	const sr_reply *key;
	size_t			prefix;

	while (s->page == NULL || s->at == s->page->items[1]->count)
	{
		if (s->started && strcmp(s->cursor, "0") == 0)
			return 0;
		if (!scan_page(s, err))
			return -1;
	}
	key = s->page->items[1]->items[s->at++];
	if (key->kind != SR_BULK)
	{
		sr_fail(err, SR_E_PROTOCOL, "", "unexpected type of reply to SCAN");
		return -1;
	}
	sr_client_prefix(rows->client, &prefix);
	if (prefix > key->len)
		prefix = key->len;
	sr_cell_text(&rows->cells[0], key->str + prefix, key->len - prefix);
	return 1;
}

static bool keep(sr_buf *b, int n, const sr_value *args, int i)
{
	if (i >= n || args[i].type == SR_TYPE_NULL)
		return true;
	return sr_buf_add(b, args[i].len > 0 ? args[i].data : "", args[i].len) && sr_buf_reserve(b, 1);
}

sr_rows *sr_scan_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	scan *s = calloc(1, sizeof *s);

	(void) c;
	(void) cmd;
	if (s != NULL && keep(&s->pattern, n, args, 0) && keep(&s->type, n, args, 1))
	{
		s->base.next = scan_next;
		s->base.close = scan_close;
		memcpy(s->cursor, "0", 2);
		return &s->base;
	}
	if (s != NULL)
		scan_close(&s->base);
	sr_fail_memory(err);
	return NULL;
}

/* ---- redis_info ---- */

typedef struct info
{
	sr_rows		base;
	sr_reply   *reply;
	const char *at, *section;
	size_t		section_len;
} info;

static void info_close(sr_rows *rows)
{
	sr_reply_free(((info *) rows)->reply);
	free(rows);
}

static int info_next(sr_rows *rows, sr_err *err)
{
	info *s = (info *) rows;

	(void) err;
	while (*s->at != '\0')
	{
		const char *line = s->at;
		size_t		len = strcspn(line, "\r\n");
		const char *colon = memchr(line, ':', len);

		s->at = line + len + strspn(line + len, "\r\n");
		if (len > 2 && line[0] == '#')
		{
			s->section = line + 2;
			s->section_len = len - 2;
		}
		else if (colon != NULL)
		{
			sr_cell_text(&rows->cells[0], s->section, s->section_len);
			sr_cell_text(&rows->cells[1], line, (size_t) (colon - line));
			sr_cell_text(&rows->cells[2], colon + 1, len - (size_t) (colon + 1 - line));
			return 1;
		}
	}
	return 0;
}

sr_rows *sr_info_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	info   *s = calloc(1, sizeof *s);
	sr_line line;

	if (s == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	s->base.next = info_next;
	s->base.close = info_close;
	sr_line_init(&line, c);
	if (sr_line_word(&line, cmd->redis, err) && sr_line_args(&line, cmd, n, args, err))
		s->reply = sr_client_call(c, &line.argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(&line);
	if (s->reply != NULL && s->reply->kind == SR_BULK)
	{
		s->at = s->reply->str;
		return &s->base;
	}
	if (s->reply != NULL)
		sr_fail(err, SR_E_PROTOCOL, "", "unexpected type of reply to INFO");
	info_close(&s->base);
	return NULL;
}
