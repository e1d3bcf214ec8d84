/*
 * generate.c - from a table and its templates to the triggers that call redis_invalidate.
 *
 * Three AFTER triggers queue the keys of the rows that a statement wrote. INSERT OR REPLACE and
 * UPDATE OR REPLACE also delete the rows that stand in their way, and fire no delete trigger for those
 * unless recursive_triggers is on; so two BEFORE triggers look them up, by every unique index, as the
 * index compares: with its collations. They cannot know whether the statement says OR REPLACE, so an
 * upsert or a refused insert invalidates the row it met: a key too many, never one too few.
 *
 * A template whose column is NULL gives a NULL key, which redis_invalidate ignores; therefore one call
 * for each key.
 */
#include "sqlredis.h"

#include <string.h>

/* The row that a BEFORE trigger found */
#define VICTIM "sqlredis_victim"

typedef struct trigger
{
	const char *suffix;
	const char *event;
	const char *rows; /* whose keys: N(EW), O(LD), V(ictim) */
} trigger;

static const trigger triggers[] = {
	{"ai", "AFTER INSERT", "N"},  {"au", "AFTER UPDATE", "ON"}, {"ad", "AFTER DELETE", "O"},
	{"bi", "BEFORE INSERT", "V"}, {"bu", "BEFORE UPDATE", "V"},
};

static bool has_victims(const sq_relation *r)
{
	if (r->rowid != NULL)
		return true;
	for (int i = 0; i < r->unique_count; i++)
		if (!r->uniques[i].opaque)
			return true;
	return false;
}

int sq_generate_count(const sq_plan *plan)
{
	return has_victims(plan->relation) ? 5 : 3;
}

/* ---- keys ---- */

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
static void add_column(sqlite3_str *sql, const sq_column *column, char row)
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

			add_column(sql, &plan->relation->columns[sq_relation_column(plan->relation, column)],
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

static bool add_call(sqlite3_str *sql, const sq_plan *plan, const sr_template *t, const char *rows,
					 char row)
{
	bool conditional = row == 'N' && *rows == 'O' && add_key_changed(sql, plan, t);

	sqlite3_str_appendall(sql, "redis_invalidate(");
	if (!add_key(sql, plan, t, row))
		return false;
	sqlite3_str_appendall(sql, conditional ? ") END" : ")");
	return true;
}

/* "SELECT redis_invalidate(...), ..." for every template and row; a key without columns once. */
static bool add_calls(sqlite3_str *sql, const sq_plan *plan, const char *rows)
{
	bool first = true;

	for (int i = 0; i < plan->template_count; i++)
		for (const char *row = rows; *row != '\0'; row++)
		{
			if (row > rows && sr_template_columns(plan->templates[i]) == 0)
				continue;
			sqlite3_str_appendall(sql, first ? "SELECT " : ", ");
			if (!add_call(sql, plan, plan->templates[i], rows, *row))
				return false;
			first = false;
		}
	return true;
}

/* ---- victims ---- */

/* FROM the table, by its own name only: a trigger of a file must not name the file's schema. */
static void add_from(sqlite3_str *sql, const sq_plan *plan)
{
	sqlite3_str_appendall(sql, " FROM ");
	if (plan->temp)
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

static bool add_victims(sqlite3_str *sql, const sq_plan *plan, bool update)
{
	const sq_relation *r = plan->relation;

	if (r->rowid != NULL)
	{
		if (!add_calls(sql, plan, "V"))
			return false;
		add_from(sql, plan);
		if (update)
			add_if_changed(sql, &r->rowid, 1);
		sqlite3_str_appendf(sql, VICTIM ".%s = NEW.%s; ", r->rowid, r->rowid);
	}
	for (int i = 0; i < r->unique_count; i++)
	{
		const sq_unique *u = &r->uniques[i];

		if (u->opaque)
			continue;
		if (!add_calls(sql, plan, "V"))
			return false;
		add_from(sql, plan);
		if (update)
			add_if_changed(sql, (const char *const *) u->columns, u->count);
		for (int j = 0; j < u->count; j++)
		{
			sqlite3_str_appendf(sql, "%s" VICTIM ".\"%w\" = ", j == 0 ? "" : " AND ",
								u->columns[j]);
			add_stored(sql, r, u->columns[j]);
			sqlite3_str_appendf(sql, " COLLATE \"%w\"", u->collations[j]);
		}
		sqlite3_str_appendall(sql, "; ");
	}
	return true;
}

/* A generated column changes when any column does. */
static bool any_generated(const sq_relation *r)
{
	for (int i = 0; i < r->column_count; i++)
		if (r->columns[i].hidden > 1)
			return true;
	return false;
}

/* " OF" every column whose change can evict, under every name that SET may use for it. */
static void add_of(sqlite3_str *sql, const sq_relation *r)
{
	bool first = true;

	if (any_generated(r))
		return;
	if (r->rowid != NULL)
	{
		sqlite3_str_appendall(sql, " OF rowid, _rowid_, oid");
		first = false;
		for (int i = 0; i < r->column_count; i++)
			if (sqlite3_stricmp(r->columns[i].type, "INTEGER") == 0)
				sqlite3_str_appendf(sql, ", \"%w\"", r->columns[i].name);
	}
	for (int i = 0; i < r->unique_count; i++)
		for (int j = 0; j < r->uniques[i].count && !r->uniques[i].opaque; j++)
		{
			sqlite3_str_appendf(sql, "%s\"%w\"", first ? " OF " : ", ", r->uniques[i].columns[j]);
			first = false;
		}
}

/* ---- a trigger ---- */

static void add_schema_hex(sqlite3_str *sql, const sq_plan *plan)
{
	if (!plan->temp)
	{
		sqlite3_str_appendall(sql, "-");
		return;
	}
	for (const char *p = plan->relation->schema; *p != '\0'; p++)
		sqlite3_str_appendf(sql, "%02x", (unsigned char) *p);
}

static void add_head(sqlite3_str *sql, const sq_plan *plan, const trigger *t)
{
	const sq_relation *r = plan->relation;

	sqlite3_str_appendf(sql, "CREATE TRIGGER \"%w\".\"%w_%s\" %s", plan->temp ? "temp" : r->schema,
						plan->stem, t->suffix, t->event);
	if (strcmp(t->suffix, "bu") == 0)
		add_of(sql, r);
	sqlite3_str_appendall(sql, " ON ");
	if (plan->temp)
		sqlite3_str_appendf(sql, "\"%w\".", r->schema);
	sqlite3_str_appendf(sql, "\"%w\" FOR EACH ROW " SQ_MARKER "%d %016llx ", r->name,
						sq_generate_count(plan), (unsigned long long) sq_relation_fingerprint(r));
	add_schema_hex(sql, plan);
	sqlite3_str_appendf(sql, " %s */ ", plan->json);
}

char *sq_generate(const sq_plan *plan, int n, sr_err *err)
{
	const trigger *t = &triggers[n];
	sqlite3_str	  *sql;
	char		  *text;
	bool		   ok;

	if (n >= sq_generate_count(plan))
		return NULL;
	sql = sqlite3_str_new(NULL);
	add_head(sql, plan, t);
	if (*t->rows == 'V')
		ok = add_victims(sql, plan, strcmp(t->suffix, "bu") == 0);
	else
	{
		ok = add_calls(sql, plan, t->rows);
		sqlite3_str_appendall(sql, "; ");
	}
	sqlite3_str_appendall(sql, "END");
	ok = ok && sqlite3_str_errcode(sql) == SQLITE_OK;
	text = sqlite3_str_finish(sql);
	if (ok && text != NULL)
		return text;
	sqlite3_free(text);
	sr_fail_memory(err);
	return NULL;
}
