/*
 * tables.c - redis_invalidate_on, redis_invalidate_off, redis_invalidations: which tables are tracked,
 * with the caller's own rights (CREATE TRIGGER and ALTER TABLE check them).
 */
#include "pg_sqlredis.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

static void check_kind(Relation rel)
{
	const char *hint = NULL;

	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE: return;
		case RELKIND_VIEW: hint = "Name the tables that the view reads."; break;
		case RELKIND_MATVIEW:
			hint = "Call redis_invalidate after REFRESH MATERIALIZED VIEW in the same transaction.";
			break;
		case RELKIND_FOREIGN_TABLE:
			hint = "Its rows change on the other server, where triggers here do not fire.";
			break;
		default: hint = "Name a table."; break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)), errhint("%s", hint)));
}

/* Drop what an earlier redis_invalidate_on made on relation; whether there was anything. */
static bool drop_triggers(Oid relation, Oid function)
{
	static const char *const names[] = {PG_ROW_TRIGGER, PG_TRUNCATE_TRIGGER};
	bool					 any = false;

	for (size_t i = 0; i < lengthof(names); i++)
	{
		Relation rel = table_open(relation, NoLock);
		bool	 found = pg_tracking_find(rel, names[i], function) != NULL;

		table_close(rel, NoLock);
		if (found)
			pg_tracking_drop(names[i], relation);
		any |= found;
	}
	return any;
}

static char **inherited_texts(int count, char **texts)
{
	char **inherited = palloc((size_t) count * sizeof *inherited);

	for (int i = 0; i < count; i++)
		inherited[i] = pg_tracking_inherited(texts[i]);
	return inherited;
}

/* The triggers of one relation out of those that inherit from the named one. */
static void create_triggers(Oid relation, Oid root, Oid function, int count, char **texts)
{
	Relation rel = table_open(relation, NoLock);
	char	 kind = rel->rd_rel->relkind;
	bool	 cloned = rel->rd_rel->relispartition && relation != root;

	for (int i = 0; i < count && kind != RELKIND_FOREIGN_TABLE; i++)
		pg_templates_check(rel, root, texts[i]);
	table_close(rel, NoLock);
	if (relation != root)
		texts = inherited_texts(count, texts);
	/* A foreign partition's rows have the row trigger's clone; TRUNCATE triggers it cannot have. */
	if (kind == RELKIND_FOREIGN_TABLE)
		return;
	if (!cloned)
		pg_tracking_create(PG_ROW_TRIGGER, relation, function, count, texts);
	pg_tracking_create(PG_TRUNCATE_TRIGGER, relation, function, count, texts);
}

/* The templates; the array has no NULL. */
static char **template_texts(ArrayType *array, int *count)
{
	Datum *elements;
	bool  *nulls;
	char **texts;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, count);
	texts = palloc((size_t) (*count + 1) * sizeof *texts);
	for (int i = 0; i < *count; i++)
		texts[i] = nulls[i] ? NULL : TextDatumGetCString(elements[i]);
	return texts;
}

/*
 * relation and everything that inherits from it, locked as CREATE TRIGGER would. Only an owner gets
 * that far: the lock stops writers.
 */
static List *open_family(Oid relation)
{
	Relation rel;

	if (!is_owner(relation))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)),
					   get_rel_name(relation));
	rel = table_open(relation, ShareRowExclusiveLock);

	check_kind(rel);
	table_close(rel, NoLock);
	return find_all_inheritors(relation, ShareRowExclusiveLock, NULL);
}

/*
 * A partition that its parent's call tracks has a clone of the row trigger, which goes with the
 * parent's only: half of what was made must not be dropped or replaced.
 */
static void check_not_cloned(Oid relation, Oid function)
{
	Relation		   rel = table_open(relation, NoLock);
	const TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *t = &triggers->triggers[i];

		if (t->tgfoid == function && t->tgisclone && strcmp(t->tgname, PG_ROW_TRIGGER) == 0)
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("partition \"%s\" is tracked through the table it is part of",
								   RelationGetRelationName(rel)),
							errhint("Name the partitioned table.")));
	}
	table_close(rel, NoLock);
}

/*
 * PostgreSQL clones the trigger for a new partition with the rights of whoever adds it, and its
 * "permission denied" does not say for what.
 */
static void warn_of_partitions_to_come(Oid relation, Oid function)
{
	Relation rel = table_open(relation, NoLock);
	Oid		 owner = rel->rd_rel->relowner;

	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && !may_execute(function, owner))
		ereport(WARNING,
				(errmsg("role \"%s\", which owns \"%s\", can no longer add partitions to it",
						GetUserNameFromId(owner, false), RelationGetRelationName(rel)),
				 errhint("Grant EXECUTE ON FUNCTION redis_invalidate() to those who add them.")));
	table_close(rel, NoLock);
}

Datum pg_call_invalidate_on(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	Oid		  relation, function;
	char	**texts;
	int		  count;
	List	 *family;
	ListCell *cell;

	(void) cmd;
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	relation = PG_GETARG_OID(0);
	texts = template_texts(PG_GETARG_ARRAYTYPE_P(1), &count);
	for (int i = 0; i < count; i++)
		if (texts[i] == NULL)
			PG_RETURN_NULL();
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no key template is given"),
				 errhint("redis_invalidate_off stops the invalidation.")));
	function = pg_tracking_function(fcinfo->flinfo->fn_oid);
	family = open_family(relation);
	check_not_cloned(relation, function);
	SPI_connect();
	foreach (cell, family)
		drop_triggers(lfirst_oid(cell), function);
	foreach (cell, family)
		create_triggers(lfirst_oid(cell), relation, function, count, texts);
	SPI_finish();
	warn_of_partitions_to_come(relation, function);
	PG_RETURN_INT64(count);
}

Datum pg_call_invalidate_off(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	bool	  any = false;
	Oid		  function;
	List	 *family;
	ListCell *cell;

	(void) cmd;
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	function = pg_tracking_function(fcinfo->flinfo->fn_oid);
	family = open_family(PG_GETARG_OID(0));
	check_not_cloned(PG_GETARG_OID(0), function);
	SPI_connect();
	foreach (cell, family)
		any |= drop_triggers(lfirst_oid(cell), function);
	SPI_finish();
	PG_RETURN_BOOL(any);
}

/* ---- redis_invalidations ---- */

/* The trigger's arguments, NUL-separated in the catalogue, as a JSON array. */
static Datum arguments_json(HeapTuple tuple, TupleDesc desc, int count)
{
	StringInfoData json;
	bool		   isnull;
	Datum		   datum = fastgetattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull);
	const char	  *p = isnull ? "" : VARDATA_ANY(DatumGetByteaPP(datum));

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < count; i++, p += strlen(p) + 1)
	{
		if (i > 0)
			appendStringInfoString(&json, ", ");
		escape_json(&json, p);
	}
	appendStringInfoChar(&json, ']');
	return CStringGetTextDatum(json.data);
}

static Datum mode_text(Form_pg_trigger trigger)
{
	const char *level = TRIGGER_FOR_ROW(trigger->tgtype)		? "row"
						: TRIGGER_FOR_TRUNCATE(trigger->tgtype) ? "truncate"
																: "statement";

	if (trigger->tgenabled == TRIGGER_DISABLED)
		return CStringGetTextDatum(psprintf("%s, disabled", level));
	return CStringGetTextDatum(level);
}

/* What speaks for itself: not a partition's clone, and not the TRUNCATE half of a pair. */
static bool is_listed(Form_pg_trigger trigger, Oid function)
{
	return trigger->tgfoid == function && !OidIsValid(trigger->tgparentid) &&
		   strcmp(NameStr(trigger->tgname), PG_TRUNCATE_TRIGGER) != 0;
}

Datum pg_call_invalidations(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	TupleDesc		 desc;
	Tuplestorestate *store = pg_materialize(fcinfo, &desc);
	Oid				 function = pg_tracking_function(fcinfo->flinfo->fn_oid);
	Relation		 catalog = table_open(TriggerRelationId, AccessShareLock);
	SysScanDesc		 scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple		 tuple;

	(void) cmd;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
		bool			nulls[3] = {false, false, false};
		Datum			values[3];

		if (!is_listed(trigger, function))
			continue;
		values[0] = CStringGetTextDatum(
			DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(trigger->tgrelid))));
		values[1] = arguments_json(tuple, RelationGetDescr(catalog), trigger->tgnargs);
		values[2] = mode_text(trigger);
		tuplestore_putvalues(store, desc, values, nulls);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return (Datum) 0;
}
