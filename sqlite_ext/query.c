/*
 * query.c - runs the query that redis_cached was given, on the application's connection, and gives its one
 * value. Knows nothing of the cache.
 *
 * Whatever is no query is refused before it runs: a COMMIT or an ATTACH inside a running statement would do
 * something else than where it is written by itself, and a PRAGMA's answer is no data.
 */
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

#define HINT "The query must be a SELECT, or have a RETURNING clause."

/* ---- what the text is ---- */

/* Behind blanks and comments, as SQLite's tokenizer has them. */
static const char *skip_blanks(const char *p)
{
	for (;;)
	{
		if (*p == ' ' || (*p >= '\t' && *p <= '\r' && *p != '\v'))
			p++;
		else if (p[0] == '-' && p[1] == '-')
			p += strcspn(p, "\n");
		else if (p[0] == '/' && p[1] == '*')
		{
			const char *end = strstr(p + 2, "*/");

			p = end != NULL ? end + 2 : p + strlen(p);
		}
		else
			return p;
	}
}

/* The letters that the text begins with, and how many. */
static const char *first_word(const char *sql, size_t *len)
{
	const char *word = skip_blanks(sql);

	*len = 0;
	while ((word[*len] | 0x20) >= 'a' && (word[*len] | 0x20) <= 'z')
		(*len)++;
	return word;
}

static bool is_query(const char *sql)
{
	static const char *const words[] = {"SELECT", "WITH",	"VALUES", "INSERT",
										"UPDATE", "DELETE", "REPLACE"};
	size_t					 len;
	const char				*word = first_word(sql, &len);

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strlen(words[i]) == len && sr_same_word(word, words[i], len))
			return true;
	return false;
}

/* Is there anything but blanks, comments and semicolons? */
static bool is_empty(const char *sql)
{
	for (sql = skip_blanks(sql); *sql == ';';)
		sql = skip_blanks(sql + 1);
	return *sql == '\0';
}

static bool fail_sqlite(sq_answer *out, sqlite3 *db, int rc, sr_err *err)
{
	out->code = rc;
	if ((rc & 0xff) == SQLITE_NOMEM)
		return sr_fail_memory(err);
	return sr_fail(err, (rc & 0xff) == SQLITE_INTERRUPT ? SR_E_INTERRUPTED : SR_E_REPLY, "", "%s",
				   sqlite3_errmsg(db));
}

static bool refuse(const char *sql, sr_err *err)
{
	size_t		len;
	const char *word = first_word(sql, &len);

	if (len == 0)
		return sr_fail(err, SR_E_OPTION, HINT, "the query is none");
	return sr_fail(err, SR_E_OPTION, HINT, "%.*s cannot be cached", (int) (len < 40 ? len : 40),
				   word);
}

static bool check_columns(sqlite3_stmt *stmt, sr_err *err)
{
	int columns = sqlite3_column_count(stmt);

	if (columns == 1)
		return true;
	return sr_fail(err, SR_E_OPTION,
				   columns == 0 ? HINT : "Make one value of several, for example with json_object.",
				   "the query must give one column, not %d", columns);
}

static bool prepare(sqlite3 *db, const char *sql, size_t len, sqlite3_stmt **stmt, sq_answer *out,
					sr_err *err)
{
	const char *rest = NULL;
	int			rc;

	if (memchr(sql, '\0', len) != NULL)
		return sr_fail(err, SR_E_OPTION, "", "the query must not hold a NUL");
	if (!is_query(sql))
		return refuse(sql, err);
	rc = sqlite3_prepare_v3(db, sql, (int) len + 1, 0, stmt, &rest);
	if (rc != SQLITE_OK)
		return fail_sqlite(out, db, rc, err);
	if (!is_empty(rest))
		return sr_fail(err, SR_E_OPTION, "", "the query must be one statement");
	return check_columns(*stmt, err);
}

/* ---- arguments ---- */

/*
 * Which argument the i-th parameter takes. SQLite numbers $1 like a name, by where it first stands; it
 * means the first argument, as in PostgreSQL.
 */
static int argument_of(sqlite3_stmt *stmt, int i)
{
	const char *name = sqlite3_bind_parameter_name(stmt, i);
	char	   *end;
	long		n;

	if (name == NULL || *name != '$' || name[1] < '0' || name[1] > '9')
		return i;
	n = strtol(name + 1, &end, 10);
	return *end != '\0' ? i : n >= 1 && n <= SQ_MAX_ARGUMENTS ? (int) n : SQ_MAX_ARGUMENTS + 1;
}

static bool bind(sqlite3 *db, sqlite3_stmt *stmt, int n, sqlite3_value **args, sq_answer *out,
				 sr_err *err)
{
	int parameters = sqlite3_bind_parameter_count(stmt), needed = 0;

	for (int i = 1; i <= parameters; i++)
		if (argument_of(stmt, i) > needed)
			needed = argument_of(stmt, i);
	if (needed != n)
		return sr_fail(err, SR_E_OPTION, "Each parameter, $1 or ?1, takes one argument.",
					   "the query has %d parameter%s, and %d argument%s given", needed,
					   needed == 1 ? "" : "s", n, n == 1 ? " is" : "s are");
	for (int i = 1; i <= parameters; i++)
	{
		int rc = sqlite3_bind_value(stmt, i, args[argument_of(stmt, i) - 1]);

		if (rc != SQLITE_OK)
			return fail_sqlite(out, db, rc, err);
	}
	return true;
}

/* ---- the answer ---- */

static bool keep_value(sqlite3_stmt *stmt, sq_answer *out, sr_err *err)
{
	bool		blob = sqlite3_column_type(stmt, 0) == SQLITE_BLOB;
	const void *data;
	size_t		len;

	if (sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		return true;
	data = blob ? sqlite3_column_blob(stmt, 0) : sqlite3_column_text(stmt, 0);
	len = (size_t) sqlite3_column_bytes(stmt, 0);
	/* An empty blob has no pointer. */
	if (data == NULL && (len > 0 || !blob))
		return sr_fail_memory(err);
	if (!sr_buf_add(&out->text, data, len))
		return sr_fail_memory(err);
	out->value =
		(sr_value){.type = SR_TYPE_TEXT, .data = len > 0 ? out->text.data : "", .len = len};
	return true;
}

static bool run(sqlite3 *db, sqlite3_stmt *stmt, sq_answer *out, sr_err *err)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
	{
		if (!keep_value(stmt, out, err))
			return false;
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW)
		return sr_fail(err, SR_E_OPTION,
					   "Make one value of several rows, for example with json_group_array.",
					   "the query gave more than one row");
	return rc == SQLITE_DONE ? true : fail_sqlite(out, db, rc, err);
}

bool sq_answer_query(sqlite3 *db, const char *sql, size_t len, int n, sqlite3_value **args,
					 sq_answer *out, sr_err *err)
{
	sqlite3_stmt *stmt = NULL;
	bool		  ok;

	memset(out, 0, sizeof *out);
	ok = prepare(db, sql, len, &stmt, out, err) && bind(db, stmt, n, args, out, err);
	if (ok)
	{
		out->writes = !sqlite3_stmt_readonly(stmt);
		ok = run(db, stmt, out, err);
	}
	sqlite3_finalize(stmt);
	return ok;
}

void sq_answer_free(sq_answer *answer)
{
	sr_buf_free(&answer->text);
}
