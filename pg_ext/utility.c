/*
 * utility.c - the statements that the launcher has to know of: COMMIT PREPARED, after which an outbox may
 * hold what no session will send; and what finds a database in use as long as a drainer is in it.
 */
#include "shared.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/syscache.h"

static ProcessUtility_hook_type earlier_hook;

/* CREATE DATABASE copies this one. */
static const char *template_of(const CreatedbStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->options)
	{
		DefElem *option = lfirst(cell);

		if (strcmp(option->defname, "template") == 0)
			return option->arg != NULL ? defGetString(option) : "template1";
	}
	return "template1";
}

/* The database that must be empty of sessions, or NULL. */
static const char *database_needed(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_DropdbStmt: return castNode(DropdbStmt, statement)->dbname;
		case T_CreatedbStmt: return template_of(castNode(CreatedbStmt, statement));
		/* SET TABLESPACE */
		case T_AlterDatabaseStmt: return castNode(AlterDatabaseStmt, statement)->dbname;
		case T_RenameStmt:
			return castNode(RenameStmt, statement)->renameType == OBJECT_DATABASE
					   ? castNode(RenameStmt, statement)->subname
					   : NULL;
		default: return NULL;
	}
}

static bool is_commit_prepared(const Node *statement)
{
	return IsA(statement, TransactionStmt) &&
		   castNode(TransactionStmt, statement)->kind == TRANS_STMT_COMMIT_PREPARED;
}

/* Not because of somebody who will be refused: that would keep the drainers away for nothing. */
static bool may_need(const Node *statement, Oid database)
{
	HeapTuple role;
	bool	  may = owns_database(database);

	if (may || !IsA(statement, CreatedbStmt))
		return may;
	role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (!HeapTupleIsValid(role))
		return false;
	may = ((Form_pg_authid) GETSTRUCT(role))->rolcreatedb;
	ReleaseSysCache(role);
	return may;
}

static void on_utility(PlannedStmt *planned, const char *source, bool read_only,
					   ProcessUtilityContext context, ParamListInfo params,
					   QueryEnvironment *environment, DestReceiver *destination,
					   QueryCompletion *completion)
{
	const char *needed = database_needed(planned->utilityStmt);
	/* The statement may be gone afterwards. */
	bool prepared = is_commit_prepared(planned->utilityStmt);

	if (needed != NULL && IsTransactionState())
	{
		Oid database = get_database_oid(needed, true);

		if (OidIsValid(database) && may_need(planned->utilityStmt, database))
			pg_database_pause(database);
	}
	if (earlier_hook != NULL)
		earlier_hook(planned, source, read_only, context, params, environment, destination,
					 completion);
	else
		standard_ProcessUtility(planned, source, read_only, context, params, environment,
								destination, completion);
	if (prepared)
		pg_database_mark(MyDatabaseId, (int64) pg_setting_commit_timeout * 2);
}

void pg_utility_init(void)
{
	earlier_hook = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
}
