/*
 * rows.c - what the sources of rows share: when one is opened at all, its cells, and its copy of the
 * arguments. What is sent, and when, is the business of the sources: collect.c, scan.c, range.c,
 * stream.c, fetch.c, info.c, ops.c.
 *
 * Every source does whole exchanges: when a call returns, the connection is free for whatever the
 * statement does with the row.
 */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- cells ---- */

void sr_cell_text(sr_value *cell, const char *data, size_t len)
{
	*cell =
		(sr_value){.type = data != NULL ? SR_TYPE_TEXT : SR_TYPE_NULL, .data = data, .len = len};
}

/* Redis writes integers and doubles as bulk strings in most arrays. */
static bool cell_integer(sr_value *cell, const char *text, size_t len)
{
	char *end;

	cell->type = SR_TYPE_INTEGER;
	errno = 0;
	cell->i = strtoll(text, &end, 10);
	return len > 0 && end == text + len && errno == 0;
}

static bool cell_double(sr_value *cell, const char *text, size_t len)
{
	char *end;

	cell->type = SR_TYPE_DOUBLE;
	cell->d = sr_number_parse(text, &end);
	return len > 0 && end == text + len;
}

static bool convert(sr_value *cell, const sr_column *column, const sr_reply *item)
{
	bool string = item->kind == SR_BULK || item->kind == SR_STATUS;

	switch (column->type)
	{
		case SR_TYPE_TEXT: sr_cell_text(cell, item->str, item->len); return string;
		case SR_TYPE_INTEGER:
		case SR_TYPE_BOOLEAN:
			cell->type = column->type;
			cell->i = item->integer;
			return item->kind == SR_INTEGER || (string && column->type == SR_TYPE_INTEGER &&
												cell_integer(cell, item->str, item->len));
		case SR_TYPE_DOUBLE:
			cell->type = SR_TYPE_DOUBLE;
			cell->d = (double) item->integer;
			return item->kind == SR_INTEGER || (string && cell_double(cell, item->str, item->len));
		case SR_TYPE_NULL:
		case SR_TYPE_BYTES:
		case SR_TYPE_JSON:
		case SR_TYPE_LIST: break;
	}
	return false;
}

bool sr_cell_reply(sr_value *cell, const sr_column *column, const sr_reply *item, sr_err *err)
{
	memset(cell, 0, sizeof *cell);
	if (item->kind == SR_NIL)
		return true;
	if (item->kind == SR_ERROR)
		return sr_fail_reply(err, item->str, item->len);
	if (convert(cell, column, item))
		return true;
	memset(cell, 0, sizeof *cell);
	return sr_fail(err, SR_E_PROTOCOL, "Is this a Redis server?",
				   "Redis sent something unexpected as a %s", column->name);
}

bool sr_fail_unexpected(const sr_command *cmd, sr_err *err)
{
	const char *rest = strstr(cmd->redis, " ...");

	return sr_fail(
		err, SR_E_PROTOCOL, "Is this a Redis server?", "unexpected type of reply to %.*s",
		(int) (rest != NULL ? (size_t) (rest - cmd->redis) : strlen(cmd->redis)), cmd->redis);
}

/* ---- arguments ---- */

bool sr_given(int n, const sr_value *args, int i)
{
	return i < n && args[i].type != SR_TYPE_NULL;
}

sr_value *sr_values_copy(int n, const sr_value *args, sr_err *err)
{
	size_t	  count = n > SR_MAX_ARGS ? (size_t) n : SR_MAX_ARGS;
	size_t	  size = count * sizeof *args;
	sr_value *copy;
	char	 *at;

	for (int i = 0; i < n; i++)
		size += args[i].data != NULL ? args[i].len + 1 : 0;
	copy = calloc(1, size);
	if (copy == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	at = (char *) (copy + count);
	for (int i = 0; i < n; i++)
	{
		copy[i] = args[i];
		if (args[i].data == NULL)
			continue;
		copy[i].data = memcpy(at, args[i].data, args[i].len);
		at += args[i].len + 1;
	}
	return copy;
}

/* ---- a source ---- */

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

static sr_rows *open_none(sr_err *err)
{
	sr_rows *rows = calloc(1, sizeof *rows);

	if (rows == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	rows->next = no_rows;
	rows->close = free_rows;
	return rows;
}

/* A required argument is NULL, or a variadic one has no element: no rows, and nothing is sent. */
static bool asks_nothing(const sr_command *cmd, int n, const sr_value *args)
{
	const sr_arg *arg = cmd->args;
	int			  required;

	sr_command_arity(cmd, &required);
	if (n < required)
		return true;
	for (int i = 0; i < n && arg->name != NULL; i++)
	{
		bool variadic = (arg->flags & SR_VARIADIC) != 0;
		bool may_be_null = variadic ? (cmd->flags & SR_NULLS) : (arg->flags & SR_OPTIONAL);

		if (args[i].type == SR_TYPE_NULL && !may_be_null)
			return true;
		arg += variadic ? 0 : 1;
	}
	return false;
}

sr_rows *sr_rows_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	sr_rows *rows;

	if (asks_nothing(cmd, n, args))
		rows = open_none(err);
	else
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
