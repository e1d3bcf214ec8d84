/*
 * templates.c - the templates that redis_invalidate_on is given: keys with columns in braces, and queries.
 *
 * Everything that can be wrong with them is found out before a trigger changes.
 */
#include "sqlredis.h"

#include <string.h>

/* ---- reading ---- */

static bool check_column(const sq_relation *r, const char *name, sr_err *err)
{
	sr_buf known = {0};

	if (sq_relation_column(r, name) >= 0)
		return true;
	for (int j = 0; j < r->column_count; j++)
		if (!sr_buf_fmt(&known, "%s%s", j == 0 ? "Its columns: " : ", ", r->columns[j].name))
			break;
	sr_fail(err, SR_E_OPTION, known.data != NULL ? known.data : "",
			"table \"%.100s\" has no column \"%.100s\"", r->name, name);
	sr_buf_free(&known);
	return false;
}

static bool compile_key(const sq_relation *r, const char *text, size_t len, sq_template *out,
						sr_err *err)
{
	out->key = sr_template_compile(text, len, err);
	if (out->key == NULL)
		return false;
	for (int i = 0; i < sr_template_columns(out->key); i++)
		if (!check_column(r, sr_template_column(out->key, i), err))
			return false;
	return true;
}

/* Within a trigger it is an expression: without the semicolon that it may end in. */
static bool compile_query(const sq_relation *r, const char *text, size_t len, sq_template *out,
						  sr_err *err)
{
	while (len > 0 && strchr("; \t\r\n\f", text[len - 1]) != NULL)
		len--;
	out->query = sr_query_compile(text, len, err);
	if (out->query == NULL)
		return false;
	for (int i = 0; i < sr_query_columns(out->query); i++)
		if (!check_column(r, sr_query_column(out->query, i), err))
			return false;
	return true;
}

/* JSON that may stand in a comment: a slash is escaped, so that no comment ends in it. */
static void add_json_string(sqlite3_str *json, const char *text)
{
	static const char plain[] = "\"\\/\b\f\n\r\t", escaped[] = "\"\\/bfnrt";

	sqlite3_str_appendchar(json, 1, '"');
	for (; *text != '\0'; text++)
	{
		const char *special = strchr(plain, *text);

		if (special != NULL)
			sqlite3_str_appendf(json, "\\%c", escaped[special - plain]);
		else if ((unsigned char) *text < 0x20)
			sqlite3_str_appendf(json, "\\u%04x", *text);
		else
			sqlite3_str_appendchar(json, 1, *text);
	}
	sqlite3_str_appendchar(json, 1, '"');
}

static char *to_json(int n, sqlite3_value **argv)
{
	sqlite3_str *json = sqlite3_str_new(NULL);

	for (int i = 0; i < n; i++)
	{
		sqlite3_str_appendall(json, i == 0 ? "[" : ", ");
		add_json_string(json, (const char *) sqlite3_value_text(argv[i]));
	}
	sqlite3_str_appendchar(json, 1, ']');
	return sqlite3_str_finish(json);
}

bool sq_templates_compile(sq_plan *plan, sqlite3_value **argv, sr_err *err)
{
	sqlite3_uint64 size = (sqlite3_uint64) plan->template_count * sizeof *plan->templates;

	plan->templates = sqlite3_malloc64(size);
	if (plan->templates == NULL)
		return sr_fail_memory(err);
	memset(plan->templates, 0, (size_t) size);
	for (int i = 0; i < plan->template_count; i++)
	{
		const char *text = (const char *) sqlite3_value_text(argv[i]);
		size_t		len = (size_t) sqlite3_value_bytes(argv[i]);

		if (text == NULL)
			return sr_fail_memory(err);
		if (memchr(text, '\0', len) != NULL)
			return sr_fail(err, SR_E_OPTION, "", "a key template must not hold a NUL");
		if (!(sr_is_query(text, len) ? compile_query : compile_key)(plan->relation, text, len,
																	&plan->templates[i], err))
			return false;
	}
	plan->json = to_json(plan->template_count, argv);
	return plan->json != NULL ? true : sr_fail_memory(err);
}

void sq_templates_free(sq_plan *plan)
{
	for (int i = 0; plan->templates != NULL && i < plan->template_count; i++)
	{
		sr_template_free(plan->templates[i].key);
		sr_query_free(plan->templates[i].query);
	}
	sqlite3_free(plan->templates);
	sqlite3_free(plan->json);
}

/* ---- what a query gives ---- */

#define CHECK "sqlredis_check"

static bool write_null(void *ctx, int i, sr_buf *out)
{
	(void) ctx;
	(void) i;
	return sr_buf_str(out, "NULL");
}

/* As a view of the triggers' schema, the query finds the names that it will find in a trigger. */
static bool create_view(sqlite3 *db, const char *schema, const sr_query *query, sr_err *err)
{
	sr_buf text = {0};
	bool   ok;

	ok = sr_query_text(query, write_null, NULL, &text)
			 ? sq_exec(db, err, "CREATE VIEW \"%w\"." CHECK " AS %s", schema, text.data)
			 : sr_fail_memory(err);
	sr_buf_free(&text);
	return ok;
}

static int schema_number(sqlite3 *db, const char *schema)
{
	sqlite3_stmt *stmt = sq_prepare(
		db, NULL, "SELECT seq FROM pragma_database_list WHERE name = %Q COLLATE NOCASE", schema);
	int number =
		stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : -1;

	sqlite3_finalize(stmt);
	return number;
}

/* A TEMP trigger looks names up in temp and main first, also those of a table in an attached file. */
static bool check_schema(sqlite3 *db, const sq_relation *r, sr_err *err)
{
	int			  number = schema_number(db, r->schema);
	sqlite3_stmt *stmt = sq_prepare(db, err, "EXPLAIN SELECT * FROM temp." CHECK);
	bool		  same = true;

	if (stmt == NULL)
		return false;
	while (same && sqlite3_step(stmt) == SQLITE_ROW)
	{
		const char *opcode = (const char *) sqlite3_column_text(stmt, 1);

		same = opcode == NULL || strcmp(opcode, "OpenRead") != 0 ||
			   sqlite3_column_int(stmt, 4) == number;
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK && same)
		return sq_fail_sqlite(err, db, "the query");
	if (same)
		return true;
	return sr_fail(
		err, SR_E_OPTION,
		"A TEMP trigger looks names up in temp and main first: write \"schema\".\"table\".",
		"the query reads a table that is not in the database \"%.100s\" of table "
		"\"%.100s\"",
		r->schema, r->name);
}

static bool measure(sqlite3 *db, const sq_plan *plan, sq_template *t, sr_err *err)
{
	bool		  temp = plan->mode == SQ_MODE_TEMP;
	const char	 *schema = temp ? "temp" : plan->relation->schema;
	sqlite3_stmt *stmt;

	if (!create_view(db, schema, t->query, err))
		return false;
	stmt = sq_prepare(db, err, "SELECT * FROM \"%w\"." CHECK, schema);
	if (stmt == NULL)
		return false;
	t->width = sqlite3_column_count(stmt);
	sqlite3_finalize(stmt);
	return (!temp || check_schema(db, plan->relation, err)) &&
		   sq_exec(db, err, "DROP VIEW \"%w\"." CHECK, schema);
}

bool sq_templates_measure(sqlite3 *db, sq_plan *plan, sr_err *err)
{
	for (int i = 0; i < plan->template_count; i++)
		if (plan->templates[i].query != NULL && !measure(db, plan, &plan->templates[i], err))
			return false;
	return true;
}
