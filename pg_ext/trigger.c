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

void pg_trigger_refuse(const Trigger *trigger, const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("trigger \"%s\" cannot invalidate: %s", trigger->tgname, why),
					errhint(HINT_TRIGGER)));
	pg_unreachable();
}

/* Without the old rows, the keys of a row that moved would stay. */
static const char *statement_refusal(const Trigger *trigger)
{
	bool needs_old = TRIGGER_FOR_UPDATE(trigger->tgtype) || TRIGGER_FOR_DELETE(trigger->tgtype);
	bool needs_new = TRIGGER_FOR_UPDATE(trigger->tgtype) || TRIGGER_FOR_INSERT(trigger->tgtype);

	if (TRIGGER_FOR_AFTER(trigger->tgtype) && (!needs_old || trigger->tgoldtable != NULL) &&
		(!needs_new || trigger->tgnewtable != NULL))
		return NULL;
	if (needs_old && needs_new)
		return "FOR EACH STATEMENT needs REFERENCING OLD TABLE AS ... NEW TABLE AS ...";
	if (needs_old)
		return "FOR EACH STATEMENT needs REFERENCING OLD TABLE AS ...";
	return "FOR EACH STATEMENT needs REFERENCING NEW TABLE AS ...";
}

const char *pg_trigger_refusal(const Trigger *trigger)
{
	if (trigger->tgnargs == 0)
		return "it names no key, as in redis_invalidate('user:{id}')";
	if (TRIGGER_FOR_ROW(trigger->tgtype))
		return TRIGGER_FOR_AFTER(trigger->tgtype)
				   ? NULL
				   : "a BEFORE trigger does not know what becomes of the row";
	if (TRIGGER_FOR_TRUNCATE(trigger->tgtype))
		return TRIGGER_FOR_BEFORE(trigger->tgtype) ? NULL
												   : "after TRUNCATE the rows are gone; use BEFORE";
	return statement_refusal(trigger);
}

static void queue_row(const TriggerData *td, pg_templates *t)
{
	/* The slot of an UPDATE's or DELETE's old row, an INSERT's new one. */
	if (TRIGGER_FIRED_BY_UPDATE(td->tg_event))
		pg_templates_queue_update(t, td->tg_trigslot, td->tg_newslot);
	else
		pg_templates_queue(t, td->tg_trigslot, TRIGGER_FIRED_BY_DELETE(td->tg_event));
}

/*
 * One row out of many; what that took is given back. Only that: a tuple read back from disk belongs
 * to the slot.
 */
static void queue_and_forget(pg_templates *t, TupleTableSlot *slot, bool past,
							 MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);

	CHECK_FOR_INTERRUPTS();
	pg_templates_queue(t, slot, past);
	MemoryContextSwitchTo(before);
	MemoryContextReset(context);
}

static void queue_store(const TriggerData *td, pg_templates *t, Tuplestorestate *store, bool past)
{
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(RelationGetDescr(td->tg_relation), &TTSOpsMinimalTuple);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "sqlredis transition row",
												  ALLOCSET_DEFAULT_SIZES);
	int			  pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);

	tuplestore_select_read_pointer(store, pointer);
	tuplestore_rescan(store);
	while (tuplestore_gettupleslot(store, true, false, slot))
		queue_and_forget(t, slot, past, context);
	MemoryContextDelete(context);
	ExecDropSingleTupleTableSlot(slot);
}

static void queue_statement(const TriggerData *td, pg_templates *t)
{
	if (!TRIGGER_FIRED_BY_INSERT(td->tg_event))
		queue_store(td, t, td->tg_oldtable, true);
	if (!TRIGGER_FIRED_BY_DELETE(td->tg_event))
		queue_store(td, t, td->tg_newtable, false);
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
		queue_and_forget(t, slot, true, context);
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
	if (td->tg_relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		queue_partitions(td);
	else
		queue_all_rows(td->tg_relation, t);
}

Datum pg_redis_invalidate_trigger(PG_FUNCTION_ARGS)
{
	TriggerData	 *td = (TriggerData *) fcinfo->context;
	pg_templates *t;
	const char	 *why;
	int			  nest_level;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("redis_invalidate() is a trigger function"),
						errhint("To queue keys: SELECT redis_invalidate('key', ...).")));
	why = pg_trigger_refusal(td->tg_trigger);
	if (why != NULL)
		pg_trigger_refuse(td->tg_trigger, why);
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
