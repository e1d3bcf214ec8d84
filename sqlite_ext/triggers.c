/*
 * triggers.c - redis_invalidate_on and redis_invalidate_off: checks what is asked, and replaces the
 * triggers of a table inside one savepoint, so that there are the old ones or the new ones.
 *
 * A trigger is ours when its body begins with the marker; its name does not matter.
 */
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is asked ---- */

/* Is it a file, and not in memory or temporary? Only that can be another process's, or outlive this one. */
static bool is_file(sqlite3 *db, const char *schema)
{
	const char *path = sqlite3_db_filename(db, schema);

	return path != NULL && *path != '\0';
}

static sq_mode choose_mode(const sq_db *st, const sq_relation *r)
{
	if (sq_wants_outbox_triggers(&st->settings) && is_file(st->db, r->schema))
		return SQ_MODE_OUTBOX;
	if (sq_wants_temp_triggers(&st->settings) && sqlite3_stricmp(r->schema, "temp") != 0)
		return SQ_MODE_TEMP;
	return SQ_MODE_MAIN;
}

/* What SQLite would do later: refuse the triggers, or evict rows that they cannot see. */
static bool check_limits(sqlite3 *db, const sq_relation *r, sq_mode mode, sr_err *err)
{
	if (mode == SQ_MODE_MAIN && !sq_pragma_is_on(db, "trusted_schema"))
		return sr_fail(
			err, SR_E_OPTION,
			"Use redis_config('trigger_mode', 'outbox'), or 'temp' for triggers that every "
			"connection creates for itself, or PRAGMA trusted_schema = ON.",
			"trusted_schema is off: SQLite would refuse the triggers of \"%.100s\"", r->name);
	for (int i = 0; i < r->unique_count; i++)
		if (r->uniques[i].opaque && !sq_pragma_is_on(db, "recursive_triggers"))
			return sr_fail(err, SR_E_OPTION,
						   "PRAGMA recursive_triggers = ON, in every connection that writes, makes "
						   "SQLite report the rows that OR REPLACE deletes through it.",
						   "table \"%.100s\" has a unique index that is partial, over an "
						   "expression, or of a column with a computed default",
						   r->name);
	return true;
}

/* ---- the triggers there are ---- */

static const char *trigger_schema(const sq_relation *r, bool temp)
{
	return temp ? "temp" : r->schema;
}

/* The name of one of our triggers on the table: *name is NULL when there are no more. */
static bool next_trigger(sqlite3 *db, const sq_relation *r, bool temp, char **name, sr_err *err)
{
	sqlite3_stmt *stmt =
		sq_prepare(db, err,
				   "SELECT name FROM \"%w\".sqlite_master WHERE type = 'trigger' AND "
				   "tbl_name = %Q COLLATE NOCASE AND instr(sql, %Q) > 0 AND "
				   "(instr(sql, ' ' || iif(%d, lower(hex(%Q)), %Q) || ' [') > 0 OR "
				   "(NOT %d AND instr(sql, ' ' || %Q || ' [') > 0))",
				   trigger_schema(r, temp), r->name, SQ_MARKER, (int) temp, r->schema, SQ_TAG_MAIN,
				   (int) temp, SQ_TAG_OUTBOX);
	bool ok = true;

	*name = NULL;
	if (stmt == NULL)
		return false;
	if (sqlite3_step(stmt) == SQLITE_ROW)
	{
		*name = sq_column_copy(stmt, 0);
		ok = *name != NULL;
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK)
		return sq_fail_sqlite(err, db, "SQLite");
	return ok ? true : sr_fail_memory(err);
}

/* How many there were; -1: err */
static int drop_triggers(sqlite3 *db, const sq_relation *r, bool temp, sr_err *err)
{
	for (int dropped = 0;; dropped++)
	{
		char *name;
		bool  ok = next_trigger(db, r, temp, &name, err);

		if (!ok || name == NULL)
			return ok ? dropped : -1;
		ok = sq_exec(db, err, "DROP TRIGGER \"%w\".\"%w\"", trigger_schema(r, temp), name);
		sqlite3_free(name);
		if (!ok)
			return -1;
	}
}

/* Is a trigger's name taken? By hand, or ours on a table that was renamed. */
static bool is_taken(sqlite3 *db, const char *schema, const char *stem)
{
	sqlite3_stmt *stmt = sq_prepare(
		db, NULL,
		"SELECT 1 FROM \"%w\".sqlite_master WHERE type = 'trigger' AND name COLLATE NOCASE "
		"IN ('%q_ai', '%q_au', '%q_ad', '%q_bi', '%q_bu', '%q_bo', '%q_bd')",
		schema, stem, stem, stem, stem, stem, stem, stem);
	bool taken = stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW;

	sqlite3_finalize(stmt);
	return taken;
}

static char *free_stem(sqlite3 *db, const sq_relation *r, bool temp)
{
	char *stem = sqlite3_mprintf("sqlredis_%s", r->name);

	for (int n = 2; stem != NULL && is_taken(db, trigger_schema(r, temp), stem); n++)
	{
		sqlite3_free(stem);
		stem = sqlite3_mprintf("sqlredis_%s_%d", r->name, n);
	}
	return stem;
}

/* ---- on ---- */

static bool create_triggers(sqlite3 *db, sq_plan *plan, sr_err *err)
{
	bool ok;

	plan->stem = free_stem(db, plan->relation, plan->mode == SQ_MODE_TEMP);
	ok = plan->stem != NULL ? true : sr_fail_memory(err);
	for (int i = 0; ok && i < sq_generate_count(plan); i++)
	{
		char *sql = sq_generate(plan, i, err);

		ok = sql != NULL && sq_exec(db, err, "%s", sql);
		sqlite3_free(sql);
	}
	sqlite3_free(plan->stem);
	return ok;
}

static bool begin_change(sqlite3 *db, sr_err *err)
{
	return sq_exec(db, err, "SAVEPOINT sqlredis_triggers");
}

/* Keeps the change, or takes it back when it failed or cannot be kept. */
static bool end_change(sqlite3 *db, bool ok, sr_err *err)
{
	if (ok && sq_exec(db, err, "RELEASE sqlredis_triggers"))
		return true;
	sq_exec(db, NULL, "ROLLBACK TO sqlredis_triggers");
	sq_exec(db, NULL, "RELEASE sqlredis_triggers");
	return false;
}

/* What transactions owe Redis is kept in the file whose rows they change, whoever makes the triggers. */
static bool create_outbox(sq_db *st, const sq_plan *plan, sr_err *err)
{
	if (!is_file(st->db, plan->relation->schema) ||
		(!sq_is_durable(&st->settings) && plan->mode != SQ_MODE_OUTBOX))
		return true;
	return sq_outbox_create(st->db, plan->relation->schema, err);
}

static bool replace_triggers(sq_db *st, sq_plan *plan, sr_err *err)
{
	bool ok;

	if (!begin_change(st->db, err))
		return false;
	ok = sq_templates_measure(st->db, plan, err) && create_outbox(st, plan, err) &&
		 drop_triggers(st->db, plan->relation, false, err) >= 0 &&
		 drop_triggers(st->db, plan->relation, true, err) >= 0 &&
		 create_triggers(st->db, plan, err);
	return end_change(st->db, ok, err);
}

static bool check_file(sqlite3 *db, const sq_relation *r, sr_err *err)
{
	if (sqlite3_db_readonly(db, r->schema) != 1)
		return true;
	return sr_fail(err, SR_E_READONLY, "Call it on a connection that may write.",
				   "database \"%.100s\" is read-only: nothing of \"%.100s\" changes here",
				   r->schema, r->name);
}

static bool follow(sq_db *st, const sq_relation *r, int n, sqlite3_value **argv, sr_err *err)
{
	sq_plan plan = {.relation = r, .template_count = n, .mode = choose_mode(st, r)};
	bool	ok;

	ok = sq_templates_compile(&plan, argv, err) && check_file(st->db, r, err) &&
		 check_limits(st->db, r, plan.mode, err) && replace_triggers(st, &plan, err);
	sq_templates_free(&plan);
	return ok;
}

static bool any_null(int argc, sqlite3_value **argv)
{
	for (int i = 0; i < argc; i++)
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			return true;
	return false;
}

static bool find_relation(sqlite3 *db, sqlite3_value *v, sq_relation *r, sr_err *err)
{
	const char *text = (const char *) sqlite3_value_text(v);

	if (text == NULL)
		return sr_fail_memory(err);
	return sq_relation_find(db, text, r, err);
}

void sq_invalidate_on(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	sq_db	   *st = ((const sq_function *) sqlite3_user_data(ctx))->st;
	sq_relation r = {0};
	sr_err		err = {0};
	bool		ok;

	if (any_null(argc, argv))
		return;
	ok = find_relation(st->db, argv[0], &r, &err);
	if (ok)
	{
		ok = follow(st, &r, argc - 1, argv + 1, &err);
		sq_relation_free(&r);
	}
	if (ok)
		sqlite3_result_int(ctx, argc - 1);
	else
		sq_result_error(ctx, &err);
}

/* ---- off ---- */

void sq_invalidate_off(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	sqlite3	   *db = sqlite3_context_db_handle(ctx);
	sq_relation r = {0};
	sr_err		err = {0};
	int			dropped = 0, dropped_temp = 0;
	bool		ok;

	if (any_null(argc, argv))
		return;
	ok = find_relation(db, argv[0], &r, &err);
	if (ok)
	{
		ok = begin_change(db, &err);
		if (ok)
		{
			dropped = drop_triggers(db, &r, false, &err);
			dropped_temp = dropped < 0 ? -1 : drop_triggers(db, &r, true, &err);
			ok = end_change(db, dropped_temp >= 0, &err);
		}
		sq_relation_free(&r);
	}
	if (ok)
		sqlite3_result_int(ctx, dropped + dropped_temp > 0);
	else
		sq_result_error(ctx, &err);
}
