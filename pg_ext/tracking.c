/*
 * tracking.c - the triggers that track a table: finding, making and dropping them by name.
 *
 * One row trigger, which PostgreSQL clones to present and future partitions; inheritance children
 * get one each. ENABLE ALWAYS, so that logical apply and session_replication_role = replica do not
 * pass it by. And a TRUNCATE trigger on everything that holds rows. Whoever is the current user needs the
 * rights that CREATE TRIGGER and ALTER TABLE ask for.
 */
#include "pg_sqlredis.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/*
 * At the end of a query that a relation has from another one: it runs with that one's rights, and not at
 * all when that one has it no more. (Other templates need no rights.)
 */
#define INHERITED "\n-- inherited"

static char *qualified_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
}

Oid pg_tracking_function(Oid function)
{
	Oid namespace = get_func_namespace(function);
	List *name = list_make2(makeString(get_namespace_name(namespace)),
							makeString(pstrdup("redis_invalidate")));

	return LookupFuncName(name, 0, NULL, false);
}

static void run(const char *sql)
{
	int result = SPI_execute(sql, false, 0);

	if (result < 0)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), sql);
}

/* The one that is a clone, or is not. */
static const Trigger *find(Relation rel, const char *name, Oid function, bool clone)
{
	const TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *t = &triggers->triggers[i];

		if (t->tgfoid == function && t->tgisclone == clone && strcmp(t->tgname, name) == 0)
			return t;
	}
	return NULL;
}

const Trigger *pg_tracking_find(Relation rel, const char *name, Oid function)
{
	return find(rel, name, function, false);
}

bool pg_tracking_has_rows(Relation rel, Oid function)
{
	return find(rel, PG_ROW_TRIGGER, function, false) != NULL ||
		   find(rel, PG_ROW_TRIGGER, function, true) != NULL;
}

/* The trigger that it is a clone of, and the relation that has it. */
static Oid parent_of(Oid trigger, Oid *relation)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	Oid			parent = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger));
	scan = systable_beginscan(catalog, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		parent = form->tgparentid;
		*relation = form->tgrelid;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return parent;
}

Oid pg_tracking_relation(Oid trigger)
{
	Oid relation = InvalidOid;

	parent_of(trigger, &relation);
	return relation;
}

List *pg_tracking_parents(Oid relation)
{
	Relation	catalog = table_open(InheritsRelationId, AccessShareLock);
	List	   *parents = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(catalog, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		parents = lappend_oid(parents, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return parents;
}

static bool has_argument(HeapTuple trigger, TupleDesc desc, const char *source)
{
	bool		isnull;
	Datum		datum = fastgetattr(trigger, Anum_pg_trigger_tgargs, desc, &isnull);
	const char *p = isnull ? NULL : VARDATA_ANY(DatumGetByteaPP(datum));
	int			n = isnull ? 0 : ((Form_pg_trigger) GETSTRUCT(trigger))->tgnargs;

	for (int i = 0; i < n; i++, p += strlen(p) + 1)
		if (strcmp(p, source) == 0)
			return true;
	return false;
}

/*
 * Has the trigger called name on relation that template? Asked of the catalogue, without a lock: who
 * writes to a child must not wait for its parent, which is locked first elsewhere.
 */
static bool has_template(Oid relation, const char *name, Oid function, const char *source)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	bool		found = false;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	ScanKeyInit(&key[1], Anum_pg_trigger_tgname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(name));
	scan = systable_beginscan(catalog, TriggerRelidNameIndexId, true, NULL, lengthof(key), key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		found |= ((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid == function &&
				 has_argument(tuple, RelationGetDescr(catalog), source);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* The one of relation's parents that has the template. */
static Oid parent_with(Oid relation, const char *name, Oid function, const char *source)
{
	ListCell *parent;

	foreach (parent, pg_tracking_parents(relation))
		if (has_template(lfirst_oid(parent), name, function, source))
			return lfirst_oid(parent);
	return InvalidOid;
}

/* The same query without the mark; NULL: it has none. */
static char *own_text(const char *source)
{
	size_t len = strlen(source), mark = strlen(INHERITED);

	if (len < mark || strcmp(source + len - mark, INHERITED) != 0)
		return NULL;
	return pnstrdup(source, len - mark);
}

char *pg_tracking_inherited(const char *source)
{
	if (!sr_is_query(source, strlen(source)) || own_text(source) != NULL)
		return pstrdup(source);
	return psprintf("%s" INHERITED, source);
}

/*
 * The owner of a relation that has a template may have written it; one with the mark only whoever owns
 * the relation above that has it without. They can put the mark where they like.
 */
Oid pg_tracking_home(const Trigger *trigger, const char *source)
{
	char *bare = own_text(source);
	Oid	  home = InvalidOid;

	for (Oid oid = trigger->tgoid; OidIsValid(oid);)
		oid = parent_of(oid, &home);
	if (bare == NULL)
		return home;
	while (OidIsValid(home))
	{
		Oid parent = parent_with(home, trigger->tgname, trigger->tgfoid, bare);

		if (OidIsValid(parent))
			return parent;
		home = parent_with(home, trigger->tgname, trigger->tgfoid, source);
	}
	return InvalidOid;
}

static char *quote_arguments(int count, char **texts)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < count; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "", quote_literal_cstr(texts[i]));
	return sql.data;
}

void pg_tracking_create(const char *name, Oid relation, Oid function, int count, char **texts)
{
	bool  row = strcmp(name, PG_ROW_TRIGGER) == 0;
	char *call = quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
											get_func_name(function));

	run(psprintf("CREATE TRIGGER %s %s ON %s FOR EACH %s EXECUTE FUNCTION %s(%s)", name,
				 row ? "AFTER INSERT OR UPDATE OR DELETE" : "BEFORE TRUNCATE",
				 qualified_name(relation), row ? "ROW" : "STATEMENT", call,
				 quote_arguments(count, texts)));
	pg_tracking_enable(name, relation);
}

void pg_tracking_drop(const char *name, Oid relation)
{
	run(psprintf("DROP TRIGGER %s ON %s", name, qualified_name(relation)));
}

void pg_tracking_enable(const char *name, Oid relation)
{
	run(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", qualified_name(relation), name));
}

/* ---- without the commands ---- */

void pg_tracking_give(const char *name, Oid relation, Oid function, int count, char **texts)
{
	CreateTrigStmt *stmt = makeNode(CreateTrigStmt);

	stmt->trigname = pstrdup(name);
	stmt->funcname = list_make1(makeString(get_func_name(function)));
	stmt->row = strcmp(name, PG_ROW_TRIGGER) == 0;
	stmt->timing = stmt->row ? TRIGGER_TYPE_AFTER : TRIGGER_TYPE_BEFORE;
	stmt->events = stmt->row ? TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE
							 : TRIGGER_TYPE_TRUNCATE;
	for (int i = 0; i < count; i++)
		stmt->args = lappend(stmt->args, makeString(texts[i]));
	CreateTriggerFiringOn(stmt, NULL, relation, InvalidOid, InvalidOid, InvalidOid, function,
						  InvalidOid, NULL, false, false, TRIGGER_FIRES_ALWAYS);
	CommandCounterIncrement();
}

void pg_tracking_take(const char *name, Oid relation)
{
	ObjectAddress trigger;

	ObjectAddressSet(trigger, TriggerRelationId, get_trigger_oid(relation, name, false));
	performDeletion(&trigger, DROP_RESTRICT, 0);
	CommandCounterIncrement();
}
