/*
 * tables.c - the functions that give rows, as eponymous-only table-valued functions (arguments.c has
 * their columns and plans).
 *
 * They are SQLITE_VTAB_DIRECTONLY, like the scalar functions. Rows are fetched page by page, each in
 * one whole exchange, so that a statement may call other functions between two rows, and a LIMIT ends
 * the reading.
 */
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

typedef struct cursor
{
	sqlite3_vtab_cursor base;
	sr_rows			   *rows; /* of the core, or */
	sq_rows			   *own;  /* of the adapter */
	const sr_value	   *cells;
	sqlite3_int64		row;
	bool				eof;
	bool				by_key;	 /* the key column names the rows */
	sqlite3_value	   *given[]; /* the arguments, NULL: left out; the hidden columns show them */
} cursor;

/*
 * Is it the table that exists by the module's name? `CREATE VIRTUAL TABLE users USING redis_zpopmin`
 * cannot be said, but it can stand in a file, and would run where the application reads its users.
 */
static bool is_our_name(const sq_function *f, int argc, const char *const *argv, char **error)
{
	if (argc > 2 && sqlite3_stricmp(argv[2], f->cmd->name) == 0)
		return true;
	*error = sqlite3_mprintf("%s is a function: no table can be made of it", f->cmd->name);
	return false;
}

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
						 sqlite3_vtab **out, char **error)
{
	sq_table *t;
	char	 *sql;
	int		  rc = SQLITE_NOMEM;

	if (!is_our_name(aux, argc, argv, error))
		return SQLITE_ERROR;
	t = calloc(1, sizeof *t);
	if (t == NULL)
		return SQLITE_NOMEM;
	sq_table_init(t, aux);
	sql = sq_table_declaration(t);
	if (sql != NULL)
		rc = sqlite3_declare_vtab(db, sql);
	sqlite3_free(sql);
	if (rc == SQLITE_OK)
		rc = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	if (rc == SQLITE_OK)
		*out = &t->base;
	else
		free(t);
	return rc;
}

static int disconnect_table(sqlite3_vtab *vtab)
{
	free(vtab);
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
	const sq_table *t = (const sq_table *) vtab;
	cursor		   *c = calloc(1, sizeof *c + (size_t) t->arguments * sizeof c->given[0]);

	if (c == NULL)
		return SQLITE_NOMEM;
	c->eof = true;
	*out = &c->base;
	return SQLITE_OK;
}

static void close_rows(cursor *c)
{
	const sq_table *t = (const sq_table *) c->base.pVtab;

	sr_rows_close(c->rows);
	if (c->own != NULL)
		c->own->close(c->own);
	c->rows = NULL;
	c->own = NULL;
	c->eof = true;
	for (int i = 0; i < t->arguments; i++)
	{
		sqlite3_value_free(c->given[i]);
		c->given[i] = NULL;
	}
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
	sq_table *t = (sq_table *) c->base.pVtab;

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

/* A function that takes part in the transaction does so at each row: between two of them it may have ended. */
static int next_of_core(cursor *c, sr_err *err)
{
	const sq_function *f = ((const sq_table *) c->base.pVtab)->f;
	sq_binding		   binding;
	int				   got;

	if (!(f->cmd->flags & SR_BOUND))
		return sr_rows_next(c->rows, &c->cells, err);
	if (!sq_bind(f->st, &binding, err))
		return -1;
	got = sr_rows_next(c->rows, &c->cells, err);
	sq_unbind(f->st, &binding, got >= 0);
	return got;
}

static int next_row(sqlite3_vtab_cursor *base)
{
	cursor *c = (cursor *) base;
	sr_err	err = {0};
	int		got;

	if (c->own != NULL)
		got = c->own->next(c->own, &c->cells, &err);
	else
		got = next_of_core(c, &err);
	c->row++;
	c->eof = got == 0;
	return got < 0 ? failed(c, &err) : SQLITE_OK;
}

static bool open_own(cursor *c, const sq_function *f, const sr_value *args, sr_err *err)
{
	if (strcmp(f->cmd->name, "redis_pending") == 0)
		c->own = sq_pending_open(f->st, err);
	else if (strcmp(f->cmd->name, "redis_outbox") == 0)
		c->own = sq_outbox_open(f->st, err);
	else if (strcmp(f->cmd->name, "redis_cache_get") == 0)
		c->own = sq_cache_get_open(f->st, &args[0], err);
	else
		c->own = sq_tracked_open(f->st, err);
	return c->own != NULL;
}

static bool null_has_rows(const sq_table *t, const sr_arg *arg)
{
	return (arg->flags & SR_OPTIONAL) ||
		   ((arg->flags & SR_VARIADIC) && (t->f->cmd->flags & SR_NULLS));
}

/*
 * Keep the arguments: a hidden column shows its argument, and so passes the comparison that SQLite makes
 * where it cannot leave it out. A NULL would not.
 */
static bool keep_arguments(cursor *c, int plan, sqlite3_value **argv, sr_value *args, sr_err *err)
{
	const sq_table *t = (const sq_table *) c->base.pVtab;
	int				variadic = SQ_PLAN_VARIADIC(plan), compared = (plan >> SQ_PLAN_COMPARED) - 1;
	int				n = 0;

	for (int i = 0; i < t->fixed + variadic; i++)
	{
		const sr_arg *arg = sq_argument(t, i);

		args[i] = (sr_value){.type = SR_TYPE_NULL};
		if (i < t->fixed && !(plan & 1 << i))
			continue;
		c->given[i] = sqlite3_value_dup(argv[n++]);
		if (c->given[i] == NULL || !sq_value_in(c->given[i], arg, &args[i]))
			return sr_fail_memory(err);
		if (compared >= 0 && i >= compared && args[i].type == SR_TYPE_NULL && null_has_rows(t, arg))
			return sr_fail(
				err, SR_E_OPTION,
				"SQLite would drop its row: leave it out, or put it among the first arguments.",
				"%s: argument %d must not be NULL", t->f->cmd->name, i + 1);
	}
	return true;
}

static sr_rows *open_core(const sq_function *f, sr_client *client, int n, const sr_value *args,
						  sr_err *err)
{
	sq_binding binding;
	sr_rows	  *rows;

	if (!(f->cmd->flags & SR_BOUND))
		return sr_rows_open(client, f->cmd, n, args, err);
	if (!sq_bind(f->st, &binding, err))
		return NULL;
	rows = sr_rows_open(client, f->cmd, n, args, err);
	sq_unbind(f->st, &binding, rows != NULL);
	return rows;
}

/* The rows of a call; argv's last value belongs to the key column where plan says so. */
static bool open_rows(cursor *c, int plan, int argc, sqlite3_value **argv, sr_err *err)
{
	const sq_table	  *t = (const sq_table *) c->base.pVtab;
	const sq_function *f = t->f;
	sr_value		   args[SQ_MAX_ARGUMENTS];
	sr_client		  *client;

	if (!keep_arguments(c, plan, argv, args, err))
		return false;
	if (f->cmd->flags & SR_ENGINE)
		return open_own(c, f, args, err);
	if (c->by_key)
	{
		c->own = sq_keys_open(f, t->fixed, args, argv[argc - 1], (plan & SQ_PLAN_SET) != 0, err);
		return c->own != NULL;
	}
	client = sq_client(f->st, err);
	if (client != NULL && strcmp(f->cmd->name, "redis_stats") == 0)
		sq_outbox_note(f->st);
	if (client != NULL)
		c->rows = open_core(f, client, t->fixed + SQ_PLAN_VARIADIC(plan), args, err);
	return c->rows != NULL;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *shown, int argc,
				  sqlite3_value **argv)
{
	cursor *c = (cursor *) base;
	sr_err	err = {0};

	close_rows(c);
	if (plan == SQ_PLAN_REFUSED)
	{
		sqlite3_free(base->pVtab->zErrMsg);
		base->pVtab->zErrMsg = sqlite3_mprintf("%s", shown);
		return SQLITE_ERROR;
	}
	c->row = 0;
	c->by_key = (plan & (SQ_PLAN_KEY | SQ_PLAN_SET)) != 0;
	return open_rows(c, plan, argc, argv, &err) ? next_row(base) : failed(c, &err);
}

static int at_eof(sqlite3_vtab_cursor *base)
{
	return ((cursor *) base)->eof;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
	const cursor *c = (const cursor *) base;
	int			  visible = ((const sq_table *) base->pVtab)->columns;

	if (i < visible)
		sq_result_value(ctx, &c->cells[i]);
	else if (c->given[i - visible] != NULL)
		sqlite3_result_value(ctx, c->given[i - visible]);
	return SQLITE_OK;
}

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return hash ^ hash >> 29;
}

/*
 * The branches of `key = 'a' OR key = 'b'` are calls of their own, and SQLite keeps one row of each
 * rowid: so it tells what the row is. A row that its key names is that key's, in any call with the same
 * fixed arguments; any other is the n-th of the call with these arguments.
 */
static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
	const cursor   *c = (const cursor *) base;
	const sq_table *t = (const sq_table *) base->pVtab;
	uint64_t		hash = 0;

	for (int i = 0; i < t->arguments; i++)
	{
		size_t		len = 0;
		const char *data;

		if (c->given[i] == NULL || sqlite3_value_type(c->given[i]) == SQLITE_NULL)
			continue;
		data = sq_bytes(c->given[i], &len);
		if (data == NULL)
			return SQLITE_NOMEM;
		hash = mix(mix(mix(hash, &i, sizeof i), &len, sizeof len), data, len);
	}
	if (c->by_key)
		hash = mix(hash, c->cells[t->key_column].data, c->cells[t->key_column].len);
	else
		hash += (uint64_t) c->row;
	*out = (sqlite3_int64) hash;
	return SQLITE_OK;
}

/* Without xCreate: the table exists by the module's name, and no other can be created. */
static const sqlite3_module module = {
	.iVersion = 2,
	.xConnect = connect_table,
	.xBestIndex = sq_best_index,
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
