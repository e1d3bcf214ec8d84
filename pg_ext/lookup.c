/*
 * lookup.c - templates that are queries: 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}'.
 *
 * The query runs for a changed row with the rights of the table's owner, as a foreign key's checks do:
 * whoever writes needs no right on what it reads, and what it calls cannot misuse theirs. Names are
 * looked up in the schema of the table that redis_invalidate_on was called for. The plan is kept with
 * the trigger's templates.
 *
 * A row that is no more is looked up in what the database was before the statement, or a cascade would
 * have deleted already what led to the keys; but with everything that others have committed since.
 */
#include "pg_sqlredis.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* The table's owner and the schema's name as a search_path, and what was before. */
typedef struct surroundings
{
	Oid user;
	int security;
	int nest_level;
} surroundings;

struct pg_lookup
{
	MemoryContext context;	/* where it lives */
	Oid			  relation; /* whose rows it is run for */
	Oid			  home;		/* the table that redis_invalidate_on named */
	char		 *name;		/* its own, when this was made */
	int			  count;
	AttrNumber	 *columns;
	Oid			 *types;
	char		 *text; /* the query, $1 ... for the columns */
	SPIPlanPtr	  plan; /* kept; NULL: not prepared yet */
	pg_text		  key;
	Oid			  key_type; /* that key was made for */
};

/* What the query calls gets neither the caller's rights nor a way to what outlasts it. */
static void enter(surroundings *s, Oid home)
{
	HeapTuple	  tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(home));
	Form_pg_class form;
	Oid			  owner;
	char		 *schema;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", home);
	form = (Form_pg_class) GETSTRUCT(tuple);
	owner = form->relowner;
	schema = get_namespace_name(form->relnamespace);
	ReleaseSysCache(tuple);
	if (schema == NULL)
		elog(ERROR, "cache lookup failed for the schema of relation %u", home);
	/* A temporary table's is known to its own session only by the other name. */
	if (isTempOrTempToastNamespace(get_rel_namespace(home)))
		schema = "pg_temp";
	s->nest_level = pg_text_begin(psprintf("%s, pg_temp", quote_identifier(schema)));
	set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
					  false);
	GetUserIdAndSecContext(&s->user, &s->security);
	SetUserIdAndSecContext(owner, s->security | SECURITY_LOCAL_USERID_CHANGE |
									  SECURITY_RESTRICTED_OPERATION | SECURITY_NOFORCE_RLS);
}

static void leave(const surroundings *s)
{
	SetUserIdAndSecContext(s->user, s->security);
	pg_text_end(s->nest_level);
}

/* ---- making one ---- */

static bool write_parameter(void *ctx, int i, sr_buf *out)
{
	(void) ctx;
	return sr_buf_fmt(out, "$%d", i + 1);
}

/* source's query and columns in PostgreSQL's memory: what is wrong with them is raised. */
static char *read_source(const char *source, List **names)
{
	sr_err	  err = {0};
	sr_query *query = sr_query_compile(source, strlen(source), &err);
	sr_buf	  buf = {0};
	char	 *copy = NULL;

	*names = NIL;
	if (query == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s: \"%s\"", err.msg, source),
				 err.hint[0] != '\0' ? errhint("%s", err.hint) : 0));
	PG_TRY();
	{
		if (!sr_query_text(query, write_parameter, NULL, &buf))
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
		copy = pnstrdup(buf.data, buf.len);
		for (int i = 0; i < sr_query_columns(query); i++)
			*names = lappend(*names, pstrdup(sr_query_column(query, i)));
	}
	PG_FINALLY();
	{
		sr_buf_free(&buf);
		sr_query_free(query);
	}
	PG_END_TRY();
	return copy;
}

pg_lookup *pg_lookup_new(Relation rel, Oid home, const char *source)
{
	pg_lookup *l = palloc0(sizeof *l);
	List	  *names;
	ListCell  *cell;

	l->context = CurrentMemoryContext;
	l->relation = RelationGetRelid(rel);
	l->home = home;
	l->name = get_rel_name(home);
	l->text = read_source(source, &names);
	l->columns = palloc((list_length(names) + 1) * sizeof *l->columns);
	l->types = palloc((list_length(names) + 1) * sizeof *l->types);
	foreach (cell, names)
	{
		AttrNumber attnum = pg_templates_column(rel, lfirst(cell));

		l->columns[l->count] = attnum;
		l->types[l->count++] = TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid;
	}
	return l;
}

Oid pg_lookup_home(const pg_lookup *l)
{
	return l->home;
}

void pg_lookup_free(pg_lookup *l)
{
	if (l->plan != NULL)
		SPI_freeplan(l->plan);
	l->plan = NULL;
}

/*
 * May the answer for a row change although the columns in the query do not? Where it reads the row's own
 * table, or another of its family; and what a function reads is not known.
 */
static bool reads_the_row(const pg_lookup *l)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(l->plan));
	ListCell		 *cell;

	if (source->invalItems != NIL)
		return true;
	foreach (cell, source->relationOids)
		if (lfirst_oid(cell) == l->relation || has_subclass(lfirst_oid(cell)) ||
			has_subclass(l->relation))
			return true;
	return false;
}

bool pg_lookup_is_unchanged(const pg_lookup *l, TupleTableSlot *before, TupleTableSlot *after)
{
	if (l->plan == NULL || reads_the_row(l))
		return false;
	for (int i = 0; i < l->count; i++)
	{
		Form_pg_attribute att = TupleDescAttr(before->tts_tupleDescriptor, l->columns[i] - 1);
		bool			  null_before, null_after;
		Datum			  old = slot_getattr(before, l->columns[i], &null_before);
		Datum new = slot_getattr(after, l->columns[i], &null_after);

		if (null_before != null_after ||
			(!null_before && !datum_image_eq(old, new, att->attbyval, att->attlen)))
			return false;
	}
	return true;
}

/* ---- its plan ---- */

static void refuse(const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("a key template that is a query must be one SELECT%s", why)));
}

/* Reads only: it is run for rows of the past, too. */
static void check_plan(SPIPlanPtr plan)
{
	List			 *sources = SPI_plan_get_plan_sources(plan);
	CachedPlanSource *source;
	Query			 *query;

	if (list_length(sources) != 1)
		refuse("");
	source = linitial(sources);
	if (list_length(source->query_list) != 1)
		refuse("");
	query = linitial(source->query_list);
	if (query->commandType != CMD_SELECT || query->hasModifyingCTE || query->rowMarks != NIL)
		refuse(" that changes and locks nothing");
	if (source->resultDesc == NULL || source->resultDesc->natts != 1)
		refuse(" of one column, the key");
}

/* May the owner read what the query reads? Or the next write would fail. Of a plan that is not kept. */
static void check_rights(SPIPlanPtr plan)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	ListCell   *cell;

	foreach (cell, cached->stmt_list)
		check_permissions(lfirst_node(PlannedStmt, cell));
	ReleaseCachedPlan(cached, NULL);
}

/* In SPI, and in the surroundings. */
static SPIPlanPtr prepare(const pg_lookup *l)
{
	SPIPlanPtr plan = SPI_prepare(l->text, l->count, l->types);

	if (plan == NULL)
		refuse("");
	check_plan(plan);
	return plan;
}

/*
 * The errors of a query that nobody wrote there and then need to say where it comes from. Looks nothing
 * up: the error may be the catalogue's.
 */
static void say_where(void *arg)
{
	const pg_lookup *l = arg;

	errcontext("query in a key template of table \"%s\": see redis_invalidations()",
			   l->name != NULL ? l->name : "?");
}

void pg_lookup_check(Relation rel, Oid home, const char *source)
{
	surroundings		 around;
	pg_lookup			*l = pg_lookup_new(rel, home, source);
	ErrorContextCallback callback = {
		.previous = error_context_stack, .callback = say_where, .arg = l};

	error_context_stack = &callback;
	SPI_connect();
	enter(&around, home);
	check_rights(prepare(l));
	leave(&around);
	SPI_finish();
	error_context_stack = callback.previous;
}

/* ---- running it ---- */

static void keep_plan(pg_lookup *l)
{
	SPIPlanPtr plan;

	if (l->plan != NULL)
		return;
	plan = prepare(l);
	SPI_keepplan(plan);
	l->plan = plan;
}

static void queue_answer(pg_lookup *l, TupleDesc desc, HeapTuple tuple)
{
	char	scratch[PG_INTEGER_TEXT];
	bool	isnull;
	Datum	datum = SPI_getbinval(tuple, desc, 1, &isnull);
	sr_text key;

	if (isnull)
		return;
	key = pg_text_of(&l->key, datum, scratch);
	pg_queue_key(key.data, key.len);
}

static void queue_answers(pg_lookup *l)
{
	SPITupleTable *table = SPI_tuptable;
	uint64		   count = SPI_processed;
	Oid			   type = SPI_gettypeid(table->tupdesc, 1);
	MemoryContext  row = AllocSetContextCreate(CurrentMemoryContext, "sqlredis looked up key",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext  before = MemoryContextSwitchTo(row);

	if (l->key_type != type)
		pg_text_init(&l->key, type, l->context);
	l->key_type = type;
	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		queue_answer(l, table->tupdesc, table->vals[i]);
		MemoryContextReset(row);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(row);
}

/*
 * Everything that is committed by now: REPEATABLE READ would not see what others have added to a row's
 * keys. Of this transaction, what it did before the statement (past) or everything.
 */
static void execute(pg_lookup *l, Datum *values, const char *nulls, bool past)
{
	CommandId command = GetActiveSnapshot()->curcid;
	Snapshot  snapshot;
	int		  result;

	snapshot = GetLatestSnapshot();
	if (past)
		snapshot->curcid = command;
	result =
		SPI_execute_snapshot(l->plan, values, nulls, snapshot, InvalidSnapshot, past, false, 0);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), l->text);
}

void pg_lookup_queue(pg_lookup *l, TupleTableSlot *slot, bool past)
{
	ErrorContextCallback callback = {
		.previous = error_context_stack, .callback = say_where, .arg = l};
	Datum		*values = palloc((l->count + 1) * sizeof *values);
	char		*nulls = palloc(l->count + 1);
	surroundings around;

	for (int i = 0; i < l->count; i++)
	{
		bool isnull;

		values[i] = slot_getattr(slot, l->columns[i], &isnull);
		nulls[i] = isnull ? 'n' : ' ';
	}
	error_context_stack = &callback;
	SPI_connect();
	enter(&around, l->home);
	keep_plan(l);
	execute(l, values, nulls, past);
	queue_answers(l);
	leave(&around);
	SPI_finish();
	error_context_stack = callback.previous;
	pfree(values);
	pfree(nulls);
}
