/*
 * trigger.c - redis_invalidate as a trigger function: AFTER … FOR EACH ROW; AFTER … FOR EACH
 * STATEMENT with transition tables; BEFORE TRUNCATE.
 */
#include "pg_sqlredis.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

EXPORTED_FUNCTION(pg_redis_invalidate_trigger);

#define HINT_TRIGGER                                                                               \
	"Use AFTER ... FOR EACH ROW, AFTER ... FOR EACH STATEMENT with transition tables, or BEFORE "  \
	"TRUNCATE; or let redis_invalidate_on create the triggers."

static void refuse(const TriggerData *td, const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("trigger \"%s\" cannot invalidate: %s", td->tg_trigger->tgname, why),
					errhint(HINT_TRIGGER)));
}

static void queue_row(const TriggerData *td, pg_templates *t)
{
	if (!TRIGGER_FIRED_AFTER(td->tg_event))
		refuse(td, "a BEFORE trigger does not know what becomes of the row");
	/* The slot of an UPDATE's or DELETE's old row, an INSERT's new one. */
	if (TRIGGER_FIRED_BY_UPDATE(td->tg_event))
		pg_templates_queue_update(t, td->tg_trigslot, td->tg_newslot);
	else
		pg_templates_queue(t, td->tg_trigslot);
}

/*
 * One row out of many; what that took is given back. Only that: a tuple read back from disk belongs
 * to the slot.
 */
static void queue_and_forget(pg_templates *t, TupleTableSlot *slot, MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);

	CHECK_FOR_INTERRUPTS();
	pg_templates_queue(t, slot);
	MemoryContextSwitchTo(before);
	MemoryContextReset(context);
}

static void queue_store(const TriggerData *td, pg_templates *t, Tuplestorestate *store)
{
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(RelationGetDescr(td->tg_relation), &TTSOpsMinimalTuple);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sqlredis transition row",
												  ALLOCSET_DEFAULT_SIZES);
	int			  pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);

	tuplestore_select_read_pointer(store, pointer);
	tuplestore_rescan(store);
	while (tuplestore_gettupleslot(store, true, false, slot))
		queue_and_forget(t, slot, context);
	MemoryContextDelete(context);
	ExecDropSingleTupleTableSlot(slot);
}

static void queue_statement(const TriggerData *td, pg_templates *t)
{
	bool needs_old = !TRIGGER_FIRED_BY_INSERT(td->tg_event);
	bool needs_new = !TRIGGER_FIRED_BY_DELETE(td->tg_event);

	/* Without the old rows, the keys of a row that moved would stay. */
	if (!TRIGGER_FIRED_AFTER(td->tg_event) || (needs_old && td->tg_oldtable == NULL) ||
		(needs_new && td->tg_newtable == NULL))
		refuse(td, needs_old && needs_new
					   ? "FOR EACH STATEMENT needs REFERENCING OLD TABLE AS ... NEW TABLE AS ..."
				   : needs_old ? "FOR EACH STATEMENT needs REFERENCING OLD TABLE AS ..."
							   : "FOR EACH STATEMENT needs REFERENCING NEW TABLE AS ...");
	if (needs_old)
		queue_store(td, t, td->tg_oldtable);
	if (needs_new)
		queue_store(td, t, td->tg_newtable);
}

/*
 * Every row that TRUNCATE is about to drop. Read by this code, not by a query: the caller needs no
 * SELECT and row security hides nothing. A fresh snapshot, or REPEATABLE READ would miss rows.
 */
static void queue_all_rows(Relation rel, pg_templates *t)
{
	Snapshot		snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc	scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	MemoryContext	context = AllocSetContextCreate(CurrentMemoryContext, "sqlredis truncated row",
													ALLOCSET_DEFAULT_SIZES);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		queue_and_forget(t, slot, context);
	MemoryContextDelete(context);
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
}

static bool truncates_itself(Relation rel, Oid function)
{
	const TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (triggers->triggers[i].tgfoid == function &&
			TRIGGER_FOR_TRUNCATE(triggers->triggers[i].tgtype) &&
			triggers->triggers[i].tgenabled != TRIGGER_DISABLED)
			return true;
	return false;
}

/* A partitioned table has no rows of its own: those of partitions that came after its trigger. */
static void queue_partitions(const TriggerData *td)
{
	List	 *oids = find_all_inheritors(RelationGetRelid(td->tg_relation), NoLock, NULL);
	ListCell *cell;

	foreach (cell, oids)
	{
		Relation rel = table_open(lfirst_oid(cell), AccessShareLock);

		if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			ereport(WARNING,
					(errmsg("the keys of the rows of foreign table \"%s\" are not invalidated",
							RelationGetRelationName(rel)),
					 errhint("DELETE instead of TRUNCATE invalidates them.")));
		if (rel->rd_rel->relkind == RELKIND_RELATION &&
			!truncates_itself(rel, td->tg_trigger->tgfoid))
		{
			void *hint = NULL;
			/* Compiled for this partition: its columns may have other numbers. */
			pg_templates *t = pg_templates_get(rel, td->tg_trigger, &hint);
			int			  nest_level = pg_templates_begin(t);

			queue_all_rows(rel, t);
			pg_templates_end(nest_level);
		}
		table_close(rel, NoLock);
	}
}

static void queue_truncate(const TriggerData *td, pg_templates *t)
{
	if (!TRIGGER_FIRED_BEFORE(td->tg_event))
		refuse(td, "after TRUNCATE the rows are gone; use BEFORE");
	if (td->tg_relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		queue_partitions(td);
	else
		queue_all_rows(td->tg_relation, t);
}

Datum pg_redis_invalidate_trigger(PG_FUNCTION_ARGS)
{
	TriggerData	 *td = (TriggerData *) fcinfo->context;
	pg_templates *t;
	int			  nest_level;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("redis_invalidate() is a trigger function"),
						errhint("To queue keys: SELECT redis_invalidate('key', ...).")));
	if (td->tg_trigger->tgnargs == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("trigger \"%s\" names no key", td->tg_trigger->tgname),
						errhint("EXECUTE FUNCTION redis_invalidate('user:{id}', ...)")));
	t = pg_templates_get(td->tg_relation, td->tg_trigger, &fcinfo->flinfo->fn_extra);
	nest_level = pg_templates_begin(t);
	if (TRIGGER_FIRED_BY_TRUNCATE(td->tg_event))
		queue_truncate(td, t);
	else if (TRIGGER_FIRED_FOR_ROW(td->tg_event))
		queue_row(td, t);
	else
		queue_statement(td, t);
	pg_templates_end(nest_level);
	/* The return value of an AFTER trigger is ignored, BEFORE TRUNCATE's too. */
	PG_RETURN_POINTER(NULL);
}
