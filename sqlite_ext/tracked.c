/*
 * tracked.c - redis_invalidations: which tables are followed, read back from the markers that
 * generate.c writes into its triggers. A file may hold anything that looks like a marker: what is
 * read is only shown.
 */
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry
{
	char	*schema, *name; /* of the table */
	char	*templates;		/* JSON */
	int		 expected, found;
	uint64_t fingerprint;
	sq_mode	 mode;
	char	*relation; /* the three cells */
	char	*shown;
} entry;

typedef struct tracked
{
	sq_rows	 base;
	entry	*entries;
	int		 count, at;
	sr_value cells[3];
} tracked;

static void entry_free(entry *e)
{
	sqlite3_free(e->schema);
	sqlite3_free(e->name);
	sqlite3_free(e->templates);
	sqlite3_free(e->relation);
	sqlite3_free(e->shown);
}

/* ---- a marker: "<triggers> <fingerprint> <tag> <JSON> " up to the comment's end ---- */

static bool is_tag(const char *tag, size_t len, const char *which)
{
	return strlen(which) == len && memcmp(tag, which, len) == 0;
}

static char *unhex(const char *hex, size_t len)
{
	sqlite3_str *text = sqlite3_str_new(NULL);

	for (size_t i = 0; i + 1 < len; i += 2)
	{
		char digits[3] = {hex[i], hex[i + 1], '\0'};
		long byte = strtol(digits, NULL, 16);

		if (byte > 0)
			sqlite3_str_appendchar(text, 1, (char) byte);
	}
	return sqlite3_str_finish(text);
}

/* The escaped slashes were for the comment's sake. */
static char *readable_json(const char *json, size_t len)
{
	sqlite3_str *text = sqlite3_str_new(NULL);

	for (size_t i = 0; i < len; i++)
	{
		bool escape = json[i] == '\\' && i + 1 < len;

		if (escape && json[i + 1] != '/')
			sqlite3_str_appendchar(text, 1, json[i++]);
		else if (escape)
			i++;
		sqlite3_str_appendchar(text, 1, json[i]);
	}
	return sqlite3_str_finish(text);
}

/* schema is where the trigger is. false: not a marker, or no memory (the entry is then incomplete). */
static bool parse_marker(entry *e, const char *sql, const char *schema)
{
	const char *marker = strstr(sql, SQ_MARKER);
	const char *tag, *json, *end;
	char	   *rest;
	size_t		tag_len;

	if (marker == NULL)
		return false;
	e->expected = (int) strtol(marker + strlen(SQ_MARKER), &rest, 10);
	e->fingerprint = strtoull(rest, &rest, 16);
	if (*rest != ' ')
		return false;
	tag = rest + 1;
	json = strchr(tag, '[');
	end = json != NULL ? strstr(json, " */") : NULL;
	if (end == NULL || json < tag + 2)
		return false;
	tag_len = (size_t) (json - 1 - tag);
	e->mode = is_tag(tag, tag_len, SQ_TAG_MAIN)		? SQ_MODE_MAIN
			  : is_tag(tag, tag_len, SQ_TAG_OUTBOX) ? SQ_MODE_OUTBOX
													: SQ_MODE_TEMP;
	e->schema = e->mode == SQ_MODE_TEMP ? unhex(tag, tag_len) : sqlite3_mprintf("%s", schema);
	e->templates = readable_json(json, (size_t) (end - json));
	e->found = 1;
	return e->schema != NULL && e->templates != NULL;
}

/* ---- collecting ---- */

static bool same_table(const entry *a, const entry *b)
{
	return a->mode == b->mode && sqlite3_stricmp(a->schema, b->schema) == 0 &&
		   sqlite3_stricmp(a->name, b->name) == 0;
}

/* Takes e over. A table's triggers follow each other. */
static bool add_entry(tracked *t, entry *e)
{
	entry *entries;

	if (t->count > 0 && same_table(&t->entries[t->count - 1], e))
	{
		t->entries[t->count - 1].found++;
		entry_free(e);
		return true;
	}
	entries = sqlite3_realloc64(t->entries, (sqlite3_uint64) (t->count + 1) * sizeof *entries);
	if (entries == NULL)
	{
		entry_free(e);
		return false;
	}
	t->entries = entries;
	entries[t->count++] = *e;
	return true;
}

static bool collect_schema(tracked *t, sqlite3 *db, const char *schema, sr_err *err)
{
	sqlite3_stmt *stmt = sq_prepare(db, err,
									"SELECT tbl_name, sql FROM \"%w\".sqlite_master "
									"WHERE type = 'trigger' AND instr(sql, %Q) > 0 "
									"ORDER BY tbl_name COLLATE NOCASE, sql LIKE '%% - [%%', "
									"sql LIKE '%% outbox [%%', name",
									schema, SQ_MARKER);
	bool		  ok = true;

	if (stmt == NULL)
		return false;
	while (ok && sqlite3_step(stmt) == SQLITE_ROW)
	{
		const char *sql = (const char *) sqlite3_column_text(stmt, 1);
		entry		e = {.name = sq_column_copy(stmt, 0)};

		ok = sql != NULL && e.name != NULL;
		if (ok && parse_marker(&e, sql, schema))
			ok = add_entry(t, &e);
		else
			entry_free(&e);
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK)
		return sq_fail_sqlite(err, db, "SQLite");
	return ok ? true : sr_fail_memory(err);
}

static bool collect(tracked *t, sqlite3 *db, sr_err *err)
{
	sqlite3_stmt *stmt = sq_prepare(db, err, "PRAGMA database_list");
	bool		  ok = stmt != NULL;

	while (ok && sqlite3_step(stmt) == SQLITE_ROW)
	{
		const char *schema = (const char *) sqlite3_column_text(stmt, 1);

		ok = schema != NULL ? collect_schema(t, db, schema, err) : sr_fail_memory(err);
	}
	sqlite3_finalize(stmt);
	return ok;
}

/* ---- what is to be said about one ---- */

static const char *trouble(sqlite3 *db, const entry *e)
{
	sq_relation r;
	bool		stale, evicts = false;

	if (!sq_relation_read(db, e->schema, e->name, &r, NULL))
		return ", stale: its table is gone";
	stale = e->found != e->expected || e->fingerprint != sq_relation_fingerprint(&r);
	for (int i = 0; i < r.unique_count; i++)
		evicts |= r.uniques[i].opaque;
	sq_relation_free(&r);
	if (stale)
		return ", stale: run redis_invalidate_on again";
	return evicts ? ", needs recursive_triggers" : "";
}

static bool describe(tracked *t, sqlite3 *db, sr_err *err)
{
	static const char *const modes[] = {
		[SQ_MODE_MAIN] = "", [SQ_MODE_TEMP] = ", temp", [SQ_MODE_OUTBOX] = ", outbox"};

	for (int i = 0; i < t->count; i++)
	{
		entry *e = &t->entries[i];

		e->relation = sq_relation_text(e->schema, e->name);
		e->shown = sqlite3_mprintf("row%s%s", modes[e->mode], trouble(db, e));
		if (e->relation == NULL || e->shown == NULL)
			return sr_fail_memory(err);
	}
	return true;
}

/* ---- rows ---- */

static void set_cell(sr_value *cell, const char *text)
{
	*cell = (sr_value){.type = SR_TYPE_TEXT, .data = text, .len = strlen(text)};
}

static int tracked_next(sq_rows *rows, const sr_value **cells, sr_err *err)
{
	tracked		*t = (tracked *) rows;
	const entry *e;

	(void) err;
	if (t->at == t->count)
		return 0;
	e = &t->entries[t->at++];
	set_cell(&t->cells[0], e->relation);
	set_cell(&t->cells[1], e->templates);
	set_cell(&t->cells[2], e->shown);
	*cells = t->cells;
	return 1;
}

static void tracked_close(sq_rows *rows)
{
	tracked *t = (tracked *) rows;

	for (int i = 0; i < t->count; i++)
		entry_free(&t->entries[i]);
	sqlite3_free(t->entries);
	free(t);
}

sq_rows *sq_tracked_open(sq_db *st, sr_err *err)
{
	tracked *t = calloc(1, sizeof *t);

	if (t == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	t->base.next = tracked_next;
	t->base.close = tracked_close;
	if (collect(t, st->db, err) && describe(t, st->db, err))
		return &t->base;
	tracked_close(&t->base);
	return NULL;
}
