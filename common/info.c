/*
 * info.c - redis_info: the text that INFO answers, a row a line; and one value of it.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

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

bool sr_info_value(const sr_reply *reply, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);

	*out = '\0';
	if (reply == NULL || reply->kind != SR_BULK)
		return false;
	for (const char *line = reply->str; *line != '\0'; line += strspn(line, "\r\n"))
	{
		size_t n = strcspn(line, "\r\n");

		if (n > len && memcmp(line, name, len) == 0 && line[len] == ':')
		{
			n -= len + 1;
			if (n == 0 || n >= size)
				return false;
			memcpy(out, line + len + 1, n);
			out[n] = '\0';
			return true;
		}
		line += n;
	}
	return false;
}
