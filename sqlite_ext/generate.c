/*
 * generate.c - from a table and its templates to the triggers that hand over the keys of its rows.
 *
 * Three AFTER triggers do so for the rows that a statement wrote. INSERT OR REPLACE and UPDATE OR REPLACE
 * also delete the rows that stand in their way, and fire no delete trigger for those unless
 * recursive_triggers is on; so two BEFORE triggers look them up, by every unique index, as the index
 * compares: with its collations. They cannot know whether the statement says OR REPLACE, so an upsert or a
 * refused insert invalidates the row it met: a key too many, never one too few.
 *
 * A template that is a query is run with the old row before the change and with the new one after it: what
 * a row that goes was joined to may go with it (ON DELETE CASCADE).
 */
#include "sqlredis.h"

#include <string.h>

typedef struct trigger
{
	const char *suffix;
	const char *event;
	const char *keys;  /* the rows whose keys templates name: N(EW), O(LD), V(ictim) */
	char		query; /* the row that queries are run for, or 0 */
} trigger;

static const trigger triggers[] = {
	{"ai", "AFTER INSERT", "N", 'N'},  {"au", "AFTER UPDATE", "ON", 'N'},
	{"ad", "AFTER DELETE", "O", 0},	   {"bi", "BEFORE INSERT", "V", 'V'},
	{"bu", "BEFORE UPDATE", "V", 'V'}, {"bo", "BEFORE UPDATE", "", 'O'},
	{"bd", "BEFORE DELETE", "", 'O'},
};
#define TRIGGERS ((int) (sizeof triggers / sizeof triggers[0]))

static bool has_victims(const sq_relation *r)
{
	if (r->rowid != NULL)
		return true;
	for (int i = 0; i < r->unique_count; i++)
		if (!r->uniques[i].opaque)
			return true;
	return false;
}

static bool is_needed(const sq_plan *plan, const trigger *t)
{
	bool keys = false, queries = false;

	for (int i = 0; i < plan->template_count; i++)
	{
		keys |= plan->templates[i].key != NULL;
		queries |= plan->templates[i].query != NULL;
	}
	if (*t->keys == 'V')
		return has_victims(plan->relation);
	return (keys && *t->keys != '\0') || (queries && t->query != 0);
}

int sq_generate_count(const sq_plan *plan)
{
	int count = 0;

	for (int i = 0; i < TRIGGERS; i++)
		count += is_needed(plan, &triggers[i]);
	return count;
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

static void add_tag(sqlite3_str *sql, const sq_plan *plan)
{
	if (plan->mode != SQ_MODE_TEMP)
	{
		sqlite3_str_appendall(sql, plan->mode == SQ_MODE_OUTBOX ? SQ_TAG_OUTBOX : SQ_TAG_MAIN);
		return;
	}
	for (const char *p = plan->relation->schema; *p != '\0'; p++)
		sqlite3_str_appendf(sql, "%02x", (unsigned char) *p);
}

static void add_head(sqlite3_str *sql, const sq_plan *plan, const trigger *t)
{
	const sq_relation *r = plan->relation;

	sqlite3_str_appendf(sql, "CREATE TRIGGER \"%w\".\"%w_%s\" %s",
						plan->mode == SQ_MODE_TEMP ? "temp" : r->schema, plan->stem, t->suffix,
						t->event);
	if (strcmp(t->suffix, "bu") == 0)
		add_of(sql, r);
	sqlite3_str_appendall(sql, " ON ");
	if (plan->mode == SQ_MODE_TEMP)
		sqlite3_str_appendf(sql, "\"%w\".", r->schema);
	sqlite3_str_appendf(sql, "\"%w\" FOR EACH ROW " SQ_MARKER "%d %016llx ", r->name,
						sq_generate_count(plan), (unsigned long long) sq_relation_fingerprint(r));
	add_tag(sql, plan);
	sqlite3_str_appendf(sql, " %s */ ", plan->json);
}

static const trigger *needed(const sq_plan *plan, int n)
{
	for (int i = 0; i < TRIGGERS; i++)
		if (is_needed(plan, &triggers[i]) && n-- == 0)
			return &triggers[i];
	return NULL;
}

char *sq_generate(const sq_plan *plan, int n, sr_err *err)
{
	const trigger *t = needed(plan, n);
	sqlite3_str	  *sql;
	char		  *text;
	bool		   ok;

	if (t == NULL)
		return NULL;
	sql = sqlite3_str_new(NULL);
	add_head(sql, plan, t);
	if (*t->keys == 'V')
		ok = sq_body_victims(sql, plan, strcmp(t->suffix, "bu") == 0);
	else
		ok = sq_body_keys(sql, plan, t->keys) &&
			 (t->query == 0 || sq_body_queries(sql, plan, t->query));
	sqlite3_str_appendall(sql, "END");
	ok = ok && sqlite3_str_errcode(sql) == SQLITE_OK;
	text = sqlite3_str_finish(sql);
	if (ok && text != NULL)
		return text;
	sqlite3_free(text);
	sr_fail_memory(err);
	return NULL;
}
