/*
 * tables.c - the functions that give rows, as eponymous-only table-valued functions.
 *
 * A module's columns are those of its row in sr_commands, followed by its arguments as hidden
 * columns: `SELECT * FROM redis_scan('user:*')` is a constraint on the first hidden column. They are
 * SQLITE_VTAB_DIRECTONLY, like the scalar functions. Rows are fetched page by page, each in one whole
 * exchange, so that a statement may call other functions between two rows.
 */
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

typedef struct table
{
	sqlite3_vtab	   base;
	const sq_function *f;
	int				   columns; /* visible; the arguments follow */
} table;

typedef struct cursor
{
	sqlite3_vtab_cursor base;
	sr_rows			   *rows; /* of the core, or */
	sq_rows			   *own;  /* of the adapter */
	const sr_value	   *cells;
	sqlite3_int64		row;
	bool				eof;
} cursor;

static const char *type_name(sr_type type)
{
	switch (type)
	{
		case SR_TYPE_BOOLEAN:
		case SR_TYPE_INTEGER: return "INTEGER";
		case SR_TYPE_DOUBLE: return "REAL";
		case SR_TYPE_TEXT:
		case SR_TYPE_JSON: return "TEXT";
		case SR_TYPE_NULL:
		case SR_TYPE_BYTES: break;
	}
	return "";
}

static bool is_column(const sr_command *cmd, const char *name)
{
	for (const sr_column *column = cmd->columns; column->name != NULL; column++)
		if (strcmp(column->name, name) == 0)
			return true;
	return false;
}

/* "CREATE TABLE x(key TEXT, pattern HIDDEN)"; an argument named like a column gets arg_ before it. */
static char *declaration(const sr_command *cmd)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);

	sqlite3_str_appendall(sql, "CREATE TABLE x(");
	for (const sr_column *column = cmd->columns; column->name != NULL; column++)
		sqlite3_str_appendf(sql, "%s\"%w\" %s", column == cmd->columns ? "" : ", ", column->name,
							type_name(column->type));
	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
		sqlite3_str_appendf(sql, ", \"%s%w\" HIDDEN", is_column(cmd, arg->name) ? "arg_" : "",
							arg->name);
	sqlite3_str_appendall(sql, ")");
	return sqlite3_str_finish(sql);
}

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
						 sqlite3_vtab **out, char **error)
{
	const sq_function *f = aux;
	char			  *sql = declaration(f->cmd);
	table			  *t = calloc(1, sizeof *t);
	int				   rc = SQLITE_NOMEM;

	(void) argc;
	(void) argv;
	(void) error;
	if (sql != NULL && t != NULL)
		rc = sqlite3_declare_vtab(db, sql);
	sqlite3_free(sql);
	if (rc == SQLITE_OK)
		rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	if (rc != SQLITE_OK)
	{
		free(t);
		return rc;
	}
	t->f = f;
	while (f->cmd->columns[t->columns].name != NULL)
		t->columns++;
	*out = &t->base;
	return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *vtab)
{
	free(vtab);
	return SQLITE_OK;
}

/* The argument that a constraint gives a value to, or -1. */
static int argument_of(const table *t, const struct sqlite3_index_constraint *constraint)
{
	if (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ || constraint->iColumn < t->columns)
		return -1;
	return constraint->iColumn - t->columns;
}

/*
 * idxNum is the set of arguments that xFilter gets, in their order. A required one that nobody gives
 * is an error; one whose value this plan does not know yet makes the plan unusable.
 */
static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	const table		 *t = (const table *) vtab;
	const sr_command *cmd = t->f->cmd;
	int				  given = 0, constraint_of[SR_MAX_ARGS];
	int				  position = 0;

	for (int i = 0; i < SR_MAX_ARGS; i++)
		constraint_of[i] = -1;
	for (int i = 0; i < info->nConstraint; i++)
	{
		int arg = argument_of(t, &info->aConstraint[i]);

		if (arg < 0)
			continue;
		if (!info->aConstraint[i].usable)
			return SQLITE_CONSTRAINT;
		constraint_of[arg] = i;
		given |= 1 << arg;
	}
	for (int i = 0; cmd->args[i].name != NULL; i++)
	{
		if (constraint_of[i] >= 0)
		{
			info->aConstraintUsage[constraint_of[i]].argvIndex = ++position;
			info->aConstraintUsage[constraint_of[i]].omit = 1;
		}
		else if (!(cmd->args[i].flags & SR_OPTIONAL))
		{
			vtab->zErrMsg =
				sqlite3_mprintf("invalid: %s needs its argument %s", cmd->name, cmd->args[i].name);
			return SQLITE_ERROR;
		}
	}
	info->idxNum = given;
	info->estimatedCost = 1000;
	info->estimatedRows = 1000;
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
	cursor *c = calloc(1, sizeof *c);

	(void) vtab;
	if (c == NULL)
		return SQLITE_NOMEM;
	c->eof = true;
	*out = &c->base;
	return SQLITE_OK;
}

static void close_rows(cursor *c)
{
	sr_rows_close(c->rows);
	if (c->own != NULL)
		c->own->close(c->own);
	c->rows = NULL;
	c->own = NULL;
	c->eof = true;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
	close_rows((cursor *) base);
	free(base);
	return SQLITE_OK;
}

/* Give SQLite the error, or end the rows here when reads fail open. */
static int failed(cursor *c, const sr_err *err)
{
	table *t = (table *) c->base.pVtab;

	close_rows(c);
	if (sq_forgive(t->f->st, t->f->cmd, err))
		return SQLITE_OK;
	if (err->cls == SR_E_LOCAL_MEMORY)
		return SQLITE_NOMEM;
	if (err->cls == SR_E_INTERRUPTED)
		return SQLITE_INTERRUPT;
	sqlite3_free(t->base.zErrMsg);
	t->base.zErrMsg = sq_error_text(err);
	return SQLITE_ERROR;
}

static int next_row(sqlite3_vtab_cursor *base)
{
	cursor *c = (cursor *) base;
	sr_err	err = {0};
	int		got;

	if (c->own != NULL)
		got = c->own->next(c->own, &c->cells, &err);
	else
		got = sr_rows_next(c->rows, &c->cells, &err);
	c->row++;
	c->eof = got == 0;
	return got < 0 ? failed(c, &err) : SQLITE_OK;
}

static bool open_own(cursor *c, const sq_function *f, sr_err *err)
{
	if (strcmp(f->cmd->name, "redis_pending") == 0)
		c->own = sq_pending_open(f->st, err);
	else
		c->own = sq_tracked_open(f->st, err);
	return c->own != NULL;
}

static int filter(sqlite3_vtab_cursor *base, int given, const char *idx, int argc,
				  sqlite3_value **argv)
{
	cursor			  *c = (cursor *) base;
	const sq_function *f = ((table *) base->pVtab)->f;
	sr_value		   args[SR_MAX_ARGS] = {{.type = SR_TYPE_NULL}};
	sr_client		  *client;
	sr_err			   err = {0};
	int				   n = 0, count = 0;

	(void) idx;
	(void) argc;
	close_rows(c);
	c->row = 0;
	for (; f->cmd->args[count].name != NULL; count++)
		if (given & (1 << count) && !sq_value_in(argv[n++], &f->cmd->args[count], &args[count]))
			return SQLITE_NOMEM;
	if (f->cmd->flags & SR_ENGINE)
	{
		if (!open_own(c, f, &err))
			return failed(c, &err);
		return next_row(base);
	}
	client = sq_client(f->st, &err);
	if (client != NULL)
		c->rows = sr_rows_open(client, f->cmd, count, args, &err);
	if (c->rows == NULL)
		return failed(c, &err);
	return next_row(base);
}

static int at_eof(sqlite3_vtab_cursor *base)
{
	return ((cursor *) base)->eof;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
	const cursor *c = (const cursor *) base;

	if (i < ((const table *) base->pVtab)->columns)
		sq_result_value(ctx, &c->cells[i]);
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
	*out = ((cursor *) base)->row;
	return SQLITE_OK;
}

/* Without xCreate: the table exists by the module's name, and no other can be created. */
static const sqlite3_module module = {
	.iVersion = 2,
	.xConnect = connect_table,
	.xBestIndex = best_index,
	.xDisconnect = disconnect_table,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = filter,
	.xNext = next_row,
	.xEof = at_eof,
	.xColumn = column,
	.xRowid = rowid,
};

int sq_register_tables(sq_db *st)
{
	for (size_t i = 0; i < sr_command_count; i++)
	{
		const sr_command *cmd = &sr_commands[i];
		sq_function		 *f;
		int				  rc;

		if (cmd->shape != SR_SHAPE_ROWS || (cmd->flags & SR_PG_ONLY))
			continue;
		f = sq_function_new(st, cmd);
		if (f == NULL)
			return SQLITE_NOMEM;
		rc = sqlite3_create_module_v2(st->db, cmd->name, &module, f, sq_function_free);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}
