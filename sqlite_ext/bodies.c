/*
 * bodies.c - what a trigger does with a changed row: the keys that the templates make of it, as SQL.
 *
 * The statements call redis_invalidate, or, in mode outbox, write rows of sqlredis_outbox and call no
 * function of ours at all. A key that is NULL is none.
 */
#include "sqlredis.h"

#include <string.h>

/* The row that a BEFORE trigger found */
#define VICTIM "sqlredis_victim"

#define INTO_OUTBOX "INSERT INTO " SQ_OUTBOX "(kind, data) SELECT 'key', k FROM "

/* ---- the keys of a template ---- */

static const char *row_name(char row)
{
	return row == 'N' ? "NEW" : row == 'O' ? "OLD" : VICTIM;
}

/* May the column hold a BLOB as it is declared? (affinity BLOB: https://sqlite.org/datatype3.html) */
static bool may_be_blob(const sq_column *column)
{
	return *column->type == '\0' || sqlite3_strlike("%BLOB%", column->type, 0) == 0 ||
		   sqlite3_stricmp(column->type, "ANY") == 0;
}

/* A column as text: numbers as SQLite writes them, bytes as \x and hexadecimal digits. */
static void add_text(sqlite3_str *sql, const sq_column *column, char row)
{
	const char *name = row_name(row);

	if (may_be_blob(column))
		sqlite3_str_appendf(
			sql,
			"CASE typeof(%s.\"%w\") WHEN 'blob' THEN '\\x' || lower(hex(%s.\"%w\")) "
			"ELSE CAST(%s.\"%w\" AS TEXT) END",
			name, column->name, name, column->name, name, column->name);
	else
		sqlite3_str_appendf(sql, "CAST(%s.\"%w\" AS TEXT)", name, column->name);
}

/*
 * A template is expanded with a mark for each column: a NUL, which no template holds, and the column's
 * number. What is between two marks is literal.
 */
#define MARK_SIZE 3

static bool expand_marks(const sr_template *t, sr_buf *out)
{
	int		 n = sr_template_columns(t);
	sr_text *marks = sqlite3_malloc64((sqlite3_uint64) (n + 1) * sizeof *marks);
	char	*bytes = sqlite3_malloc64((sqlite3_uint64) (n + 1) * MARK_SIZE);
	bool	 ok = marks != NULL && bytes != NULL;

	for (int i = 0; ok && i < n; i++)
	{
		char *mark = bytes + (size_t) i * MARK_SIZE;

		mark[0] = '\0';
		mark[1] = (char) (i >> 8);
		mark[2] = (char) i;
		marks[i] = (sr_text){.data = mark, .len = MARK_SIZE};
	}
	ok = ok && sr_template_expand(t, marks, out) == SR_EXPANDED;
	sqlite3_free(marks);
	sqlite3_free(bytes);
	return ok;
}

static bool add_key(sqlite3_str *sql, const sq_plan *plan, const sr_template *t, char row)
{
	sr_buf		marked = {0};
	const char *p, *end;
	bool		ok = expand_marks(t, &marked);

	p = marked.data;
	end = ok ? p + marked.len : p;
	for (const char *start = p; p < end; start = p)
	{
		if (p > marked.data)
			sqlite3_str_appendall(sql, " || ");
		while (p < end && *p != '\0')
			p++;
		if (p > start)
			sqlite3_str_appendf(sql, "%.*Q", (int) (p - start), start);
		else
		{
			int			n = (unsigned char) p[1] << 8 | (unsigned char) p[2];
			const char *column = sr_template_column(t, n);

			add_text(sql, &plan->relation->columns[sq_relation_column(plan->relation, column)],
					 row);
			p += MARK_SIZE;
		}
	}
	sr_buf_free(&marked);
	return ok;
}

/* "(NEW.a IS NOT OLD.a OR ...)", byte by byte whatever the column's collation */
static void add_changed(sqlite3_str *sql, const char *const *columns, int count)
{
	for (int i = 0; i < count; i++)
		sqlite3_str_appendf(sql, "%sNEW.\"%w\" IS NOT OLD.\"%w\" COLLATE BINARY",
							i == 0 ? "(" : " OR ", columns[i], columns[i]);
	sqlite3_str_appendall(sql, ")");
}

/* Are equal values of the column equal as text? Not so 1 and 1.0 in a column without a type. */
static bool equal_as_text(const sq_column *column)
{
	return sqlite3_strlike("%INT%", column->type, 0) == 0 ||
		   sqlite3_strlike("%CHAR%", column->type, 0) == 0 ||
		   sqlite3_strlike("%TEXT%", column->type, 0) == 0;
}

/*
 * Most updates leave a key's columns alone: then OLD's key is NEW's, and comparing the columns is far
 * cheaper than making the key again. Adds the condition when the columns can tell.
 */
static bool add_key_changed(sqlite3_str *sql, const sq_plan *plan, const sr_template *t)
{
	const sq_relation *r = plan->relation;
	int				   n = sr_template_columns(t);

	for (int i = 0; i < n; i++)
		if (!equal_as_text(&r->columns[sq_relation_column(r, sr_template_column(t, i))]))
			return false;
	sqlite3_str_appendall(sql, "CASE WHEN ");
	for (int i = 0; i < n; i++)
	{
		const char *column = r->columns[sq_relation_column(r, sr_template_column(t, i))].name;

		sqlite3_str_appendall(sql, i == 0 ? "" : " OR ");
		add_changed(sql, &column, 1);
	}
	sqlite3_str_appendall(sql, " THEN ");
	return true;
}

/* The key of a row; NULL when it is the one that OLD has. */
static bool add_new_key(sqlite3_str *sql, const sq_plan *plan, const sr_template *t,
						const char *rows, char row)
{
	bool conditional = row == 'N' && *rows == 'O' && add_key_changed(sql, plan, t);

	if (!add_key(sql, plan, t, row))
		return false;
	sqlite3_str_appendall(sql, conditional ? " END" : "");
	return true;
}

/* ---- the row that stands in the way ---- */

/* FROM the table, by its own name only: a trigger of a file must not name the file's schema. */
static void add_from(sqlite3_str *sql, const sq_plan *plan)
{
	sqlite3_str_appendall(sql, " FROM ");
	if (plan->mode == SQ_MODE_TEMP)
		sqlite3_str_appendf(sql, "\"%w\".", plan->relation->schema);
	sqlite3_str_appendf(sql, "\"%w\" AS " VICTIM " WHERE ", plan->relation->name);
}

/* An UPDATE that leaves the index's columns as they are evicts nobody through it. */
static void add_if_changed(sqlite3_str *sql, const char *const *columns, int count)
{
	add_changed(sql, columns, count);
	sqlite3_str_appendall(sql, " AND ");
}

/* NEW's column as it will be stored: OR REPLACE replaces a NULL where there must be none. */
static void add_stored(sqlite3_str *sql, const sq_relation *r, const char *name)
{
	int i = sq_relation_column(r, name);

	if (i >= 0 && r->columns[i].fallback != NULL)
		sqlite3_str_appendf(sql, "coalesce(NEW.\"%w\", %s)", name, r->columns[i].fallback);
	else
		sqlite3_str_appendf(sql, "NEW.\"%w\"", name);
}

/* " FROM the table WHERE ...": the row that u keeps NEW from being written beside; u NULL: the rowid. */
static void add_victim(sqlite3_str *sql, const sq_plan *plan, const sq_unique *u, bool update)
{
	const sq_relation *r = plan->relation;

	add_from(sql, plan);
	if (u == NULL)
	{
		if (update)
			add_if_changed(sql, &r->rowid, 1);
		sqlite3_str_appendf(sql, VICTIM ".%s = NEW.%s", r->rowid, r->rowid);
		return;
	}
	if (update)
		add_if_changed(sql, (const char *const *) u->columns, u->count);
	for (int j = 0; j < u->count; j++)
	{
		sqlite3_str_appendf(sql, "%s" VICTIM ".\"%w\" = ", j == 0 ? "" : " AND ", u->columns[j]);
		add_stored(sql, r, u->columns[j]);
		sqlite3_str_appendf(sql, " COLLATE \"%w\"", u->collations[j]);
	}
}

/* ---- key templates ---- */

typedef struct victim
{
	const sq_unique *unique; /* NULL: the rowid */
	bool			 update;
} victim;

/* One for each key of each row: each row of a statement that INSERT copies from needs a WHERE. */
static bool add_inserts(sqlite3_str *sql, const sq_plan *plan, const char *rows, const victim *v)
{
	for (int i = 0; i < plan->template_count; i++)
		for (const char *row = rows; *row != '\0'; row++)
		{
			const sr_template *t = plan->templates[i].key;

			if (t == NULL || (row > rows && sr_template_columns(t) == 0))
				continue;
			sqlite3_str_appendall(sql, INTO_OUTBOX "(SELECT ");
			if (!add_new_key(sql, plan, t, rows, *row))
				return false;
			sqlite3_str_appendall(sql, " AS k");
			if (v != NULL)
				add_victim(sql, plan, v->unique, v->update);
			sqlite3_str_appendall(sql, ") WHERE k IS NOT NULL; ");
		}
	return true;
}

/* "SELECT redis_invalidate(...), ..." for every template and row; a key without columns once. */
static bool add_calls(sqlite3_str *sql, const sq_plan *plan, const char *rows, const victim *v)
{
	bool first = true;

	for (int i = 0; i < plan->template_count; i++)
		for (const char *row = rows; *row != '\0'; row++)
		{
			const sr_template *t = plan->templates[i].key;

			if (t == NULL || (row > rows && sr_template_columns(t) == 0))
				continue;
			sqlite3_str_appendall(sql, first ? "SELECT redis_invalidate(" : ", redis_invalidate(");
			if (!add_new_key(sql, plan, t, rows, *row))
				return false;
			sqlite3_str_appendall(sql, ")");
			first = false;
		}
	if (first)
		return true;
	if (v != NULL)
		add_victim(sql, plan, v->unique, v->update);
	sqlite3_str_appendall(sql, "; ");
	return true;
}

static bool add_keys(sqlite3_str *sql, const sq_plan *plan, const char *rows, const victim *v)
{
	if (plan->mode == SQ_MODE_OUTBOX)
		return add_inserts(sql, plan, rows, v);
	return add_calls(sql, plan, rows, v);
}

bool sq_body_keys(sqlite3_str *sql, const sq_plan *plan, const char *rows)
{
	return add_keys(sql, plan, rows, NULL);
}

/* ---- queries ---- */

typedef struct query_row
{
	const sq_plan  *plan;
	const sr_query *query;
	char			row;
	const victim   *victim; /* of row V */
} query_row;

/* A subquery in FROM does not see the tables beside it: a victim's column is looked up where it is used. */
static bool write_column(void *ctx, int i, sr_buf *out)
{
	const query_row	  *q = ctx;
	const sq_relation *r = q->plan->relation;
	const char		  *name = r->columns[sq_relation_column(r, sr_query_column(q->query, i))].name;
	sqlite3_str		  *sql = sqlite3_str_new(NULL);
	char			  *text;
	bool			   ok;

	if (q->victim == NULL)
		sqlite3_str_appendf(sql, "%s.\"%w\"", row_name(q->row), name);
	else
	{
		sqlite3_str_appendf(sql, "(SELECT " VICTIM ".\"%w\"", name);
		add_victim(sql, q->plan, q->victim->unique, q->victim->update);
		sqlite3_str_appendall(sql, ")");
	}
	text = sqlite3_str_finish(sql);
	ok = text != NULL && sr_buf_str(out, text);
	sqlite3_free(text);
	return ok;
}

/*
 * "(SELECT NULL AS k WHERE 0 UNION ALL SELECT * FROM (query))": its first column is called k, whatever it
 * says itself. WITH k(...) AS would do so too, but ALTER TABLE does not look into it.
 */
static bool add_source(sqlite3_str *sql, const sq_template *t, query_row *row)
{
	sr_buf text = {0};
	bool   ok = sr_query_text(t->query, write_column, row, &text);

	sqlite3_str_appendall(sql, "(SELECT NULL AS k");
	for (int i = 1; i < t->width; i++)
		sqlite3_str_appendall(sql, ", NULL");
	/* The query may end in a comment. */
	sqlite3_str_appendf(sql, " WHERE 0 UNION ALL SELECT * FROM (%s\n))", ok ? text.data : "");
	sr_buf_free(&text);
	return ok;
}

static bool add_query(sqlite3_str *sql, const sq_plan *plan, const sq_template *t, char row,
					  const victim *v)
{
	query_row q = {.plan = plan, .query = t->query, .row = row, .victim = v};

	sqlite3_str_appendall(sql, plan->mode == SQ_MODE_OUTBOX
								   ? "INSERT INTO " SQ_OUTBOX
									 "(kind, data) SELECT 'key', k || '' FROM "
								   : "SELECT redis_invalidate(k) FROM ");
	if (!add_source(sql, t, &q))
		return false;
	sqlite3_str_appendall(sql, " WHERE k IS NOT NULL");
	if (v != NULL)
	{
		sqlite3_str_appendall(sql, " AND EXISTS (SELECT 1");
		add_victim(sql, plan, v->unique, v->update);
		sqlite3_str_appendall(sql, ")");
	}
	sqlite3_str_appendall(sql, "; ");
	return true;
}

static bool add_queries(sqlite3_str *sql, const sq_plan *plan, char row, const victim *v)
{
	for (int i = 0; i < plan->template_count; i++)
		if (plan->templates[i].query != NULL && !add_query(sql, plan, &plan->templates[i], row, v))
			return false;
	return true;
}

bool sq_body_queries(sqlite3_str *sql, const sq_plan *plan, char row)
{
	return add_queries(sql, plan, row, NULL);
}

/* ---- victims ---- */

static bool add_row_in_the_way(sqlite3_str *sql, const sq_plan *plan, const sq_unique *u,
							   bool update)
{
	const victim v = {.unique = u, .update = update};

	return add_keys(sql, plan, "V", &v) && add_queries(sql, plan, 'V', &v);
}

bool sq_body_victims(sqlite3_str *sql, const sq_plan *plan, bool update)
{
	const sq_relation *r = plan->relation;

	if (r->rowid != NULL && !add_row_in_the_way(sql, plan, NULL, update))
		return false;
	for (int i = 0; i < r->unique_count; i++)
		if (!r->uniques[i].opaque && !add_row_in_the_way(sql, plan, &r->uniques[i], update))
			return false;
	return true;
}
