/*
 * collect.c - rows of one reply: of a plain command whose collection Redis gives whole (HGETALL,
 * SINTER, ZPOPMIN, GEOSEARCH), and of HMGET, whose fields are those of the call.
 *
 * The reply is held until the rows are closed; max_reply bounds it.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

/* ---- the reply of a plain command ---- */

typedef struct collection
{
	sr_rows	  base;
	sr_reply *reply;
	size_t	  at;
	size_t	  columns;
} collection;

static void collection_close(sr_rows *rows)
{
	sr_reply_free(((collection *) rows)->reply);
	free(rows);
}

/* The next row's items: an array of their own (GEOSEARCH), or as many of a flat one as are columns. */
static sr_reply **row_items(collection *s)
{
	sr_reply **items = s->reply->items + s->at;

	if (s->columns > 1 && items[0]->kind == SR_ARRAY)
	{
		s->at++;
		return items[0]->count == s->columns ? items[0]->items : NULL;
	}
	if (s->reply->count - s->at < s->columns)
		return NULL;
	s->at += s->columns;
	return items;
}

static int collection_next(sr_rows *rows, sr_err *err)
{
	collection *s = (collection *) rows;
	sr_reply  **items;

	if (s->at >= s->reply->count)
		return 0;
	items = row_items(s);
	if (items == NULL)
	{
		sr_fail_unexpected(rows->cmd, err);
		return -1;
	}
	for (size_t i = 0; i < s->columns; i++)
		if (!sr_cell_reply(&rows->cells[i], &rows->cmd->columns[i], items[i], err))
			return -1;
	return 1;
}

sr_rows *sr_collect_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						 sr_err *err)
{
	collection *s = calloc(1, sizeof *s);
	unsigned	flags = cmd->flags & SR_READ ? SR_SAFE_TO_RESEND : 0;
	sr_line		line;

	if (s == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	s->base.next = collection_next;
	s->base.close = collection_close;
	while (cmd->columns[s->columns].name != NULL)
		s->columns++;
	sr_line_init(&line, c);
	if (sr_line_command(&line, cmd, n, args, err))
		s->reply = sr_client_call(c, &line.argv, flags, 0, err);
	sr_line_free(&line);
	/* nil is no rows: it has no elements */
	if (s->reply != NULL && (s->reply->kind == SR_ARRAY || s->reply->kind == SR_NIL))
		return &s->base;
	if (s->reply != NULL)
		sr_fail_unexpected(cmd, err);
	collection_close(&s->base);
	return NULL;
}

/* ---- redis_hmget ---- */

typedef struct fields
{
	sr_rows	  base;
	sr_value *args; /* the key and the fields */
	int		  n, at;
	sr_reply *reply; /* NULL: every field is NULL, nothing was sent */
	size_t	  item;	 /* of the reply, the next one: NULL fields have none */
} fields;

static void fields_close(sr_rows *rows)
{
	fields *s = (fields *) rows;

	sr_reply_free(s->reply);
	free(s->args);
	free(s);
}

static int fields_next(sr_rows *rows, sr_err *err)
{
	fields			*s = (fields *) rows;
	const sr_value	*field;
	const sr_reply	*item;
	const sr_column *column = &rows->cmd->columns[1];

	if (s->at == s->n)
		return 0;
	memset(rows->cells, 0, 2 * sizeof rows->cells[0]);
	field = &s->args[s->at++];
	if (field->type == SR_TYPE_NULL)
		return 1;
	sr_cell_text(&rows->cells[0], field->data != NULL ? field->data : "", field->len);
	item = s->reply->items[s->item++];
	if (!sr_cell_reply(&rows->cells[1], column, item, err))
		return -1;
	sr_client_count_read(rows->client, item->kind != SR_NIL);
	return 1;
}

/* Ask for the fields that are not NULL, in one command: all values are of the same moment. */
static bool fields_ask(fields *s, sr_client *c, const sr_command *cmd, sr_err *err)
{
	sr_line line;
	size_t	asked = 0;
	bool	ok;

	sr_line_init(&line, c);
	ok = sr_line_word(&line, cmd->redis, err) &&
		 sr_line_key(&line, s->args[0].data, s->args[0].len, err);
	for (int i = 1; ok && i < s->n; i++)
	{
		if (s->args[i].type == SR_TYPE_NULL)
			continue;
		ok = sr_line_add(&line, s->args[i].data, s->args[i].len, err);
		asked++;
	}
	if (ok && asked > 0)
	{
		s->reply = sr_client_call(c, &line.argv, SR_SAFE_TO_RESEND, 0, err);
		ok = s->reply != NULL;
		if (ok && (s->reply->kind != SR_ARRAY || s->reply->count != asked))
			ok = sr_fail_unexpected(cmd, err);
	}
	sr_line_free(&line);
	return ok;
}

sr_rows *sr_hmget_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					   sr_err *err)
{
	fields *s = calloc(1, sizeof *s);

	if (s == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	s->base.next = fields_next;
	s->base.close = fields_close;
	s->n = n;
	s->at = 1;
	s->args = sr_values_copy(n, args, err);
	if (s->args != NULL && fields_ask(s, c, cmd, err))
		return &s->base;
	fields_close(&s->base);
	return NULL;
}
