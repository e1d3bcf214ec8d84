/*
 * relation.c - a table as redis_invalidate_on needs to know it: where it is, its columns, and what
 * makes its rows unique. Knows nothing of templates and triggers.
 */
#include "sqlredis.h"

#include <string.h>

/* ---- reading: helpers ---- */

/* Ends a loop over rows: done, or a failure that step reported. */
static bool finish(sqlite3 *db, sqlite3_stmt *stmt, bool ok, sr_err *err)
{
	if (sqlite3_finalize(stmt) != SQLITE_OK)
		return sq_fail_sqlite(err, db, "SQLite");
	return ok ? true : sr_fail_memory(err);
}

/* The array with one more, zeroed element; NULL without memory, and the array stays as it was. */
static void *grow(void *array, int count, size_t size)
{
	char *bigger = sqlite3_realloc64(array, (sqlite3_uint64) (count + 1) * size);

	if (bigger != NULL)
		memset(bigger + (size_t) count * size, 0, size);
	return bigger;
}

/* ---- reading ---- */

void sq_relation_free(sq_relation *r)
{
	for (int i = 0; i < r->column_count; i++)
	{
		sqlite3_free(r->columns[i].name);
		sqlite3_free(r->columns[i].type);
		sqlite3_free(r->columns[i].fallback);
	}
	for (int i = 0; i < r->unique_count; i++)
	{
		sq_unique *u = &r->uniques[i];

		for (int j = 0; j < u->count; j++)
		{
			sqlite3_free(u->columns[j]);
			sqlite3_free(u->collations[j]);
		}
		sqlite3_free(u->columns);
		sqlite3_free(u->collations);
	}
	sqlite3_free(r->columns);
	sqlite3_free(r->uniques);
	sqlite3_free(r->schema);
	sqlite3_free(r->name);
	memset(r, 0, sizeof *r);
}

int sq_relation_column(const sq_relation *r, const char *name)
{
	for (int i = 0; i < r->column_count; i++)
		if (sqlite3_stricmp(r->columns[i].name, name) == 0)
			return i;
	return -1;
}

static bool read_columns(sqlite3 *db, sq_relation *r, sr_err *err)
{
	sqlite3_stmt *stmt =
		sq_prepare(db, err, "PRAGMA \"%w\".table_xinfo(\"%w\")", r->schema, r->name);
	bool ok = true;

	if (stmt == NULL)
		return false;
	while (ok && sqlite3_step(stmt) == SQLITE_ROW)
	{
		sq_column *columns = grow(r->columns, r->column_count, sizeof *columns);
		sq_column *column;

		ok = columns != NULL;
		if (!ok)
			break;
		r->columns = columns;
		column = &columns[r->column_count++];
		column->name = sq_column_copy(stmt, 1);
		column->type = sq_column_copy(stmt, 2);
		column->hidden = sqlite3_column_int(stmt, 6);
		ok = column->name != NULL && column->type != NULL;
		if (sqlite3_column_int(stmt, 3) && sqlite3_column_type(stmt, 4) != SQLITE_NULL)
		{
			column->fallback = sq_column_copy(stmt, 4);
			ok = ok && column->fallback != NULL;
		}
	}
	return finish(db, stmt, ok, err);
}

static bool add_unique_column(sq_unique *u, sqlite3_stmt *stmt)
{
	char **columns = grow(u->columns, u->count, sizeof *columns);
	char **collations = grow(u->collations, u->count, sizeof *collations);

	if (columns != NULL)
		u->columns = columns;
	if (collations != NULL)
		u->collations = collations;
	if (columns == NULL || collations == NULL)
		return false;
	columns[u->count] = sq_column_copy(stmt, 2);
	collations[u->count] = sq_column_copy(stmt, 4);
	u->count++;
	return columns[u->count - 1] != NULL && collations[u->count - 1] != NULL;
}

/*
 * Where OR REPLACE puts a default that is no literal, or computes a column from one, a BEFORE trigger
 * does not see what will be stored.
 */
static bool is_unforeseeable(const sq_relation *r, const char *name)
{
	int i = sq_relation_column(r, name);

	if (i < 0 || r->columns[i].hidden <= 1)
		return i >= 0 && r->columns[i].fallback != NULL && !sq_is_literal(r->columns[i].fallback);
	for (i = 0; i < r->column_count; i++)
		if (r->columns[i].fallback != NULL)
			return true;
	return false;
}

/* The columns of one unique index, with the collations it compares them by. */
static bool read_unique(sqlite3 *db, const sq_relation *r, const char *index, sq_unique *u,
						sr_err *err)
{
	sqlite3_stmt *stmt = sq_prepare(db, err, "PRAGMA \"%w\".index_xinfo(\"%w\")", r->schema, index);
	bool		  ok = true;

	if (stmt == NULL)
		return false;
	while (ok && sqlite3_step(stmt) == SQLITE_ROW)
	{
		if (!sqlite3_column_int(stmt, 5))
			continue; /* not part of the key */
		u->opaque |= sqlite3_column_int(stmt, 1) < 0;
		ok = add_unique_column(u, stmt);
		u->opaque = u->opaque || (ok && is_unforeseeable(r, u->columns[u->count - 1]));
	}
	return finish(db, stmt, ok, err);
}

static bool read_uniques(sqlite3 *db, sq_relation *r, sr_err *err)
{
	sqlite3_stmt *stmt =
		sq_prepare(db, err, "PRAGMA \"%w\".index_list(\"%w\")", r->schema, r->name);
	bool ok = true;

	if (stmt == NULL)
		return false;
	while (ok && sqlite3_step(stmt) == SQLITE_ROW)
	{
		const char *index = (const char *) sqlite3_column_text(stmt, 1);
		sq_unique  *uniques, *u;

		if (!sqlite3_column_int(stmt, 2))
			continue;
		uniques = grow(r->uniques, r->unique_count, sizeof *uniques);
		if (uniques != NULL)
			r->uniques = uniques;
		ok = uniques != NULL && index != NULL;
		if (!ok)
			break;
		u = &uniques[r->unique_count++];
		u->opaque = sqlite3_column_int(stmt, 4) != 0;
		if (!read_unique(db, r, index, u, err))
		{
			sqlite3_finalize(stmt);
			return false;
		}
	}
	return finish(db, stmt, ok, err);
}

/* The rowid is unique too. A WITHOUT ROWID table has none: SQLite does not know the name there. */
static void find_rowid(sqlite3 *db, sq_relation *r)
{
	static const char *const names[] = {"rowid", "_rowid_", "oid"};

	for (int i = 0; i < 3 && r->rowid == NULL; i++)
		if (sq_relation_column(r, names[i]) < 0 &&
			sqlite3_table_column_metadata(db, r->schema, r->name, names[i], NULL, NULL, NULL, NULL,
										  NULL) == SQLITE_OK)
			r->rowid = names[i];
}

bool sq_relation_read(sqlite3 *db, const char *schema, const char *name, sq_relation *out,
					  sr_err *err)
{
	memset(out, 0, sizeof *out);
	out->schema = sqlite3_mprintf("%s", schema);
	out->name = sqlite3_mprintf("%s", name);
	if (out->schema == NULL || out->name == NULL)
		sr_fail_memory(err);
	else if (read_columns(db, out, err) && read_uniques(db, out, err))
	{
		find_rowid(db, out);
		return true;
	}
	sq_relation_free(out);
	return false;
}

/* FNV-1a, with the texts' ends */
static uint64_t mix(uint64_t h, const char *text)
{
	do
		h = (h ^ (unsigned char) *text) * 1099511628211u;
	while (*text++ != '\0');
	return h;
}

uint64_t sq_relation_fingerprint(const sq_relation *r)
{
	uint64_t h = mix(14695981039346656037u, r->rowid != NULL ? r->rowid : "");

	for (int i = 0; i < r->column_count; i++)
	{
		h = mix(mix(h, r->columns[i].name), r->columns[i].type);
		if (r->columns[i].fallback != NULL)
			h = mix(h, r->columns[i].fallback);
	}
	for (int i = 0; i < r->unique_count; i++)
	{
		const sq_unique *u = &r->uniques[i];

		h = mix(h, u->opaque ? "opaque" : "unique");
		for (int j = 0; j < u->count; j++)
			h = mix(mix(h, u->columns[j]), u->collations[j]);
	}
	return h;
}

/* ---- names ---- */

static bool is_plain(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return len > 0 && name[len] == '\0' && (*name < '0' || *name > '9');
}

char *sq_relation_text(const char *schema, const char *name)
{
	sqlite3_str *text = sqlite3_str_new(NULL);

	if (sqlite3_stricmp(schema, "main") != 0)
		sqlite3_str_appendf(text, is_plain(schema) ? "%s." : "\"%w\".", schema);
	sqlite3_str_appendf(text, is_plain(name) ? "%s" : "\"%w\"", name);
	return sqlite3_str_finish(text);
}

/*
 * Take one name off *text: "quoted", `quoted`, [quoted] or everything up to the next dot. NULL: no
 * name there, or no memory.
 */
static char *take_name(const char **text)
{
	const char	*p = *text;
	char		 quote = *p == '"' || *p == '`' || *p == '\'' ? *p : *p == '[' ? ']' : '\0';
	sqlite3_str *name;

	if (quote == '\0')
	{
		size_t len = strcspn(p, ".");

		*text = p + len;
		return len > 0 ? sqlite3_mprintf("%.*s", (int) len, p) : NULL;
	}
	name = sqlite3_str_new(NULL);
	for (p++; *p != '\0' && (*p != quote || (quote != ']' && p[1] == quote)); p++)
	{
		p += *p == quote;
		sqlite3_str_appendchar(name, 1, *p);
	}
	if (*p == '\0')
	{
		sqlite3_free(sqlite3_str_finish(name));
		return NULL;
	}
	*text = p + 1;
	return sqlite3_str_finish(name);
}

/* schema stays NULL when the text names none. */
static bool split_name(const char *text, char **schema, char **name, sr_err *err)
{
	const char *p = text;

	*schema = NULL;
	*name = take_name(&p);
	if (*name != NULL && *p == '.')
	{
		*schema = *name;
		p++;
		*name = take_name(&p);
	}
	if (*name != NULL && *p == '\0')
		return true;
	sqlite3_free(*schema);
	sqlite3_free(*name);
	*schema = *name = NULL;
	return sr_fail(err, SR_E_OPTION,
				   "Write it as in SQL: 't', '\"a table\"', 'aux.t', 'aux.\"a table\"'.",
				   "cannot read the table name \"%.100s\"", text);
}

/* ---- finding ---- */

/* Only tables whose every change fires triggers can be followed. */
static bool trackable(const char *type, const char *name, const char *sql, sr_err *err)
{
	if (strcmp(type, "view") == 0)
		return sr_fail(err, SR_E_OPTION, "Call it for the tables that the view reads.",
					   "\"%.100s\" is a view: it changes without a trigger", name);
	if (sqlite3_strnicmp(sql, "CREATE VIRTUAL", 14) == 0)
		return sr_fail(err, SR_E_OPTION, "Call redis_invalidate where you write to it.",
					   "\"%.100s\" is a virtual table: SQLite has no triggers on those", name);
	return true;
}

/* 1 found and read, 0 not in this schema, -1 err */
static int find_in(sqlite3 *db, const char *schema, const char *name, sq_relation *out, sr_err *err)
{
	sqlite3_stmt *stmt =
		sq_prepare(db, err,
				   "SELECT type, name, coalesce(sql, '') FROM \"%w\".sqlite_master "
				   "WHERE name = %Q COLLATE NOCASE AND type IN ('table', 'view')",
				   schema, name);
	int found = 0;

	if (stmt == NULL)
		return -1;
	if (sqlite3_step(stmt) == SQLITE_ROW)
	{
		const char *type = (const char *) sqlite3_column_text(stmt, 0);
		const char *real = (const char *) sqlite3_column_text(stmt, 1);
		const char *sql = (const char *) sqlite3_column_text(stmt, 2);

		found = -1;
		if (type == NULL || real == NULL || sql == NULL)
			sr_fail_memory(err);
		else if (trackable(type, real, sql, err) && sq_relation_read(db, schema, real, out, err))
			found = 1;
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK && found == 0)
	{
		sq_fail_sqlite(err, db, "SQLite");
		return -1;
	}
	return found;
}

/* Every schema in the order in which SQLite looks a name up: temp, main, then as attached. */
static int find_anywhere(sqlite3 *db, const char *name, sq_relation *out, sr_err *err)
{
	sqlite3_stmt *stmt;
	int			  found = find_in(db, "temp", name, out, err);

	if (found != 0)
		return found;
	stmt = sq_prepare(db, err, "PRAGMA database_list");
	if (stmt == NULL)
		return -1;
	while (found == 0 && sqlite3_step(stmt) == SQLITE_ROW)
	{
		const char *schema = (const char *) sqlite3_column_text(stmt, 1);

		if (schema != NULL && strcmp(schema, "temp") != 0)
			found = find_in(db, schema, name, out, err);
	}
	sqlite3_finalize(stmt);
	return found;
}

static bool known_schema(sqlite3 *db, const char *schema, sr_err *err)
{
	if (sqlite3_txn_state(db, schema) >= 0)
		return true;
	return sr_fail(err, SR_E_OPTION, "PRAGMA database_list shows those there are.",
				   "there is no database \"%.100s\"", schema);
}

bool sq_relation_find(sqlite3 *db, const char *text, sq_relation *out, sr_err *err)
{
	char *schema, *name;
	int	  found = -1;

	memset(out, 0, sizeof *out);
	if (!split_name(text, &schema, &name, err))
		return false;
	if (sqlite3_strnicmp(name, "sqlite_", 7) == 0)
		sr_fail(err, SR_E_OPTION, "", "\"%.100s\" is a table of SQLite's own", name);
	else if (sqlite3_stricmp(name, SQ_OUTBOX) == 0 || sqlite3_stricmp(name, SQ_EPOCH) == 0)
		sr_fail(err, SR_E_OPTION, "", "\"%.100s\" is a table of sqlredis's own", name);
	else if (schema == NULL)
		found = find_anywhere(db, name, out, err);
	else if (known_schema(db, schema, err))
		found = find_in(db, schema, name, out, err);
	if (found == 0)
		sr_fail(err, SR_E_OPTION, "", "there is no table \"%.100s\"", text);
	sqlite3_free(schema);
	sqlite3_free(name);
	return found == 1;
}
