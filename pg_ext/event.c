/*
 * event.c - the event trigger that keeps triggers and their templates true when tables change.
 *
 * PostgreSQL never looks into a trigger's arguments, clones no TRUNCATE trigger to a new partition, and
 * no trigger at all to a new inheritance child. What is refused here would otherwise fail at the next
 * write; what is added here would otherwise be missed. It runs after the command, with whoever ran it:
 * nobody needs a right on the extension for that.
 *
 * It does nothing in a pg_upgrade, and checks nothing while a dump is restored (check_function_bodies is
 * off): what the dump has not come to yet is no error, and it creates all triggers itself.
 */
#include "pg_sqlredis.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/event_trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "nodes/execnodes.h"
#include "nodes/parsenodes.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

EXPORTED_FUNCTION(pg_redis_check_ddl);

static bool working; /* what it does itself is not looked at again */

/* ---- what the command was about ---- */

/* Of pg_event_trigger_ddl_commands(), called without a query: the objects of a catalogue. */
static List *objects_of(Oid catalog)
{
	EState		   *estate = CreateExecutorState();
	ReturnSetInfo	rows = {.type = T_ReturnSetInfo};
	FmgrInfo		flinfo;
	TupleTableSlot *slot;
	List		   *found = NIL;
	LOCAL_FCINFO(fcinfo, 0);

	rows.econtext = CreateExprContext(estate);
	rows.allowedModes = SFRM_Materialize;
	fmgr_info(F_PG_EVENT_TRIGGER_DDL_COMMANDS, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, 0, InvalidOid, NULL, (fmNodePtr) &rows);
	FunctionCallInvoke(fcinfo);
	if (rows.setResult != NULL)
	{
		slot = MakeSingleTupleTableSlot(rows.setDesc, &TTSOpsMinimalTuple);
		while (tuplestore_gettupleslot(rows.setResult, true, false, slot))
		{
			bool isnull;
			Oid class = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
			Oid object = isnull ? InvalidOid : DatumGetObjectId(slot_getattr(slot, 2, &isnull));

			if (!isnull && class == catalog)
				found = list_append_unique_oid(found, object);
		}
		ExecDropSingleTupleTableSlot(slot);
		tuplestore_end(rows.setResult);
	}
	FreeExecutorState(estate);
	return found;
}

/* Those that can have triggers of ours: a CREATE TABLE makes indexes and sequences, too. */
static List *tables(void)
{
	List	 *found = NIL;
	ListCell *cell;

	foreach (cell, objects_of(RelationRelationId))
	{
		char kind = get_rel_relkind(lfirst_oid(cell));

		if (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE)
			found = lappend_oid(found, lfirst_oid(cell));
	}
	return found;
}

/* relation and what inherits from it: no lock, for the command has locked what it changed. */
static List *family_of(Oid relation)
{
	return has_subclass(relation) ? find_all_inheritors(relation, AccessShareLock, NULL)
								  : list_make1_oid(relation);
}

/* ---- a column that goes ---- */

static void refuse_column(const Trigger *trigger, Relation rel, const char *column, bool renamed)
{
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("column \"%s\" of relation \"%s\" is named in a key template, and cannot be %s",
					column, RelationGetRelationName(rel), renamed ? "renamed" : "dropped"),
			 errdetail("Trigger \"%s\" would fail at the next write.", trigger->tgname),
			 strcmp(trigger->tgname, PG_ROW_TRIGGER) == 0 ||
					 strcmp(trigger->tgname, PG_TRUNCATE_TRIGGER) == 0
				 ? errhint("In one transaction: redis_invalidate_off, ALTER TABLE, and "
						   "redis_invalidate_on with templates that fit the table.")
				 : errhint("Drop the trigger, and create it anew with templates that fit the "
						   "table.")));
}

static void check_template(Relation rel, const Trigger *trigger, const char *source)
{
	Oid home = pg_tracking_home(trigger, source);

	if (OidIsValid(home))
		pg_templates_check(rel, home, source);
}

/*
 * Do this relation's templates name a column that is no more? It is there again, or still, if another one
 * was added by that name, or if only a parent's was dropped. column NULL: only queries are checked.
 */
static void check_templates(Oid relation, Oid function, const char *column, bool renamed)
{
	Relation		   rel = table_open(relation, AccessShareLock);
	const TriggerDesc *triggers = rel->trigdesc;
	bool			   gone = column != NULL && get_attnum(relation, column) == InvalidAttrNumber;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *t = &triggers->triggers[i];

		if (t->tgfoid != function || t->tgisclone)
			continue;
		for (int j = 0; j < t->tgnargs; j++)
		{
			if (gone && pg_templates_name(t->tgargs[j], column))
				refuse_column(t, rel, column, renamed);
			if (sr_is_query(t->tgargs[j], strlen(t->tgargs[j])))
				check_template(rel, t, t->tgargs[j]);
		}
	}
	table_close(rel, AccessShareLock);
}

static void check_families(Oid function, const char *column, bool renamed)
{
	ListCell *relation, *member;

	foreach (relation, tables())
		foreach (member, family_of(lfirst_oid(relation)))
			check_templates(lfirst_oid(member), function, column, renamed);
}

/* ---- a trigger written by hand ---- */

/* A query runs with the owner's rights, and is not for somebody else to write. */
static void check_author(Relation rel, const char *source)
{
	if (sr_is_query(source, strlen(source)) && !is_owner(RelationGetRelid(rel)))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of table \"%s\" for a key template that is a query",
							   RelationGetRelationName(rel)),
						errdetail("It runs with the rights of the table's owner.")));
}

/* Who may make it is looked at always, the rest not while a dump is restored. */
static void check_trigger(Oid trigger, Oid function)
{
	Relation		   rel;
	const TriggerDesc *triggers;
	Oid				   relation = pg_tracking_relation(trigger);

	if (!OidIsValid(relation))
		return;
	rel = table_open(relation, AccessShareLock);
	triggers = rel->trigdesc;
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *t = &triggers->triggers[i];
		const char	  *why;

		if (t->tgoid != trigger || t->tgfoid != function)
			continue;
		for (int j = 0; j < t->tgnargs; j++)
			check_author(rel, t->tgargs[j]);
		why = check_function_bodies ? pg_trigger_refusal(t) : NULL;
		if (why != NULL)
			pg_trigger_refuse(t, why);
		for (int j = 0; j < t->tgnargs && check_function_bodies; j++)
			check_template(rel, t, t->tgargs[j]);
	}
	table_close(rel, AccessShareLock);
}

static void check_triggers(Oid function)
{
	ListCell *trigger;

	foreach (trigger, objects_of(TriggerRelationId))
		check_trigger(lfirst_oid(trigger), function);
}

/* ---- a new partition, a new child ---- */

static void adopt_all(Oid function)
{
	ListCell *relation;

	foreach (relation, tables())
		pg_family_adopt(lfirst_oid(relation), function);
}

/* ---- ENABLE TRIGGER ALL ---- */

/* Enabled, but no longer ALWAYS: as it was made. */
static void enable_again(Oid relation, Oid function)
{
	Relation		   rel = table_open(relation, AccessShareLock);
	const TriggerDesc *triggers = rel->trigdesc;
	List			  *names = NIL;
	ListCell		  *name;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *t = &triggers->triggers[i];

		if (t->tgfoid == function && t->tgenabled == TRIGGER_FIRES_ON_ORIGIN &&
			(strcmp(t->tgname, PG_ROW_TRIGGER) == 0 || strcmp(t->tgname, PG_TRUNCATE_TRIGGER) == 0))
			names = lappend(names, pstrdup(t->tgname));
	}
	table_close(rel, NoLock);
	if (names == NIL)
		return;
	SPI_connect();
	foreach (name, names)
		pg_tracking_enable(lfirst(name), relation);
	SPI_finish();
}

static void enable_families(Oid function)
{
	ListCell *relation, *member;

	foreach (relation, tables())
		foreach (member, family_of(lfirst_oid(relation)))
			enable_again(lfirst_oid(member), function);
}

/* ---- commands ---- */

static Oid partition_of(const AlterTableCmd *cmd)
{
	return RangeVarGetRelid(castNode(PartitionCmd, cmd->def)->name, NoLock, false);
}

static void after_subcommand(const AlterTableCmd *cmd, Oid function)
{
	switch (cmd->subtype)
	{
		case AT_DropColumn:
			if (check_function_bodies)
				check_families(function, cmd->name, false);
			break;
		case AT_ChangeOwner:
			if (check_function_bodies)
				check_families(function, NULL, false);
			break;
		case AT_AttachPartition: pg_family_adopt(partition_of(cmd), function); break;
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize: pg_family_abandon(partition_of(cmd), function); break;
		case AT_AddInherit: adopt_all(function); break;
		case AT_EnableTrig:
		case AT_EnableTrigAll:
		case AT_EnableTrigUser: enable_families(function); break;
		default: break;
	}
}

static void after_alter_table(const AlterTableStmt *stmt, Oid function)
{
	ListCell *cell;

	foreach (cell, stmt->cmds)
		after_subcommand(lfirst_node(AlterTableCmd, cell), function);
}

/* Only what can matter costs more than this look. */
static void after_command(const Node *command, Oid function)
{
	switch (nodeTag(command))
	{
		case T_AlterTableStmt:
			after_alter_table(castNode(AlterTableStmt, command), function);
			break;
		case T_RenameStmt:
			if (castNode(RenameStmt, command)->renameType == OBJECT_COLUMN && check_function_bodies)
				check_families(function, castNode(RenameStmt, command)->subname, true);
			break;
		case T_AlterObjectSchemaStmt:
			if (check_function_bodies)
				check_families(function, NULL, false);
			break;
		case T_CreateStmt:
			if (castNode(CreateStmt, command)->inhRelations != NIL)
				adopt_all(function);
			break;
		case T_CreateTrigStmt: check_triggers(function); break;
		case T_CreateSchemaStmt:
			adopt_all(function);
			check_triggers(function);
			break;
		default: break;
	}
}

Datum pg_redis_check_ddl(PG_FUNCTION_ARGS)
{
	const EventTriggerData *event = (EventTriggerData *) fcinfo->context;
	bool					was_working = working;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("redis_check_ddl() is an event trigger function")));
	if (IsBinaryUpgrade || event->parsetree == NULL)
		PG_RETURN_NULL();
	/* But a query may be given to a table by what is called meanwhile. */
	if (working && !IsA(event->parsetree, CreateTrigStmt))
		PG_RETURN_NULL();
	working = true;
	PG_TRY();
	{
		after_command(event->parsetree, pg_tracking_function(fcinfo->flinfo->fn_oid));
	}
	PG_FINALLY();
	{
		working = was_working;
	}
	PG_END_TRY();
	PG_RETURN_NULL();
}
