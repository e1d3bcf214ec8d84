/*
 * grant.c - redis_grant and redis_revoke: one of the groups of commands.def, for a role.
 *
 * A GRANT or REVOKE statement of the functions that the catalogue has for the rows of the group, run
 * with the rights of the caller. Those decide: nothing here raises or lowers them.
 */
#include "pg_sqlredis.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/acl.h"
#include "utils/builtins.h"

static sr_group group_of(const char *word)
{
	if (pg_strcasecmp(word, "read") == 0)
		return SR_GROUP_READ;
	if (pg_strcasecmp(word, "write") == 0)
		return SR_GROUP_WRITE;
	if (pg_strcasecmp(word, "admin") == 0)
		return SR_GROUP_ADMIN;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("access must be one of read|write|admin")));
}

/*
 * The signatures of the group's functions, separated by commas. Found by name among the extension's
 * members: an overload and a _bytea twin belong to their row.
 */
static uint64 list_functions(StringInfo out, sr_group group, Oid function)
{
	StringInfoData sql;
	uint64		   count;

	initStringInfo(&sql);
	appendStringInfoString(
		&sql,
		"SELECT pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::pg_catalog.text, ', '), "
		"pg_catalog.count(*) FROM pg_catalog.pg_proc p "
		"JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass "
		"AND d.objid = p.oid AND d.deptype = 'e' "
		"JOIN pg_catalog.pg_depend me ON me.classid = d.classid AND me.deptype = 'e' "
		"AND me.refclassid = d.refclassid AND me.refobjid = d.refobjid ");
	appendStringInfo(&sql, "WHERE me.objid = %u AND p.proname IN (''", function);
	for (size_t i = 0; i < sr_command_count; i++)
	{
		if (sr_commands[i].group != group || (sr_commands[i].flags & SR_SQLITE_ONLY))
			continue;
		appendStringInfo(&sql, ", '%s', '%s_bytea'", sr_commands[i].name, sr_commands[i].name);
	}
	appendStringInfoChar(&sql, ')');
	if (SPI_execute(sql.data, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the functions of the extension");
	count = (uint64) pg_strtoint64(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2));
	if (count == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("the extension sqlredis has no functions of this group")));
	appendStringInfoString(out, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	return count;
}

Datum pg_call_grant(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	bool		   grant = strcmp(cmd->name, "redis_grant") == 0;
	StringInfoData sql;
	char		  *role;
	uint64		   count;
	sr_group	   group;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	group = group_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	role = text_to_cstring(PG_GETARG_TEXT_PP(1));
	/* The statement would say so too, and quote itself, which is long. */
	if (strcmp(role, "public") != 0)
		(void) get_role_oid(role, false);
	SPI_connect();
	initStringInfo(&sql);
	appendStringInfo(&sql, "%s EXECUTE ON FUNCTION ", grant ? "GRANT" : "REVOKE");
	count = list_functions(&sql, group, fcinfo->flinfo->fn_oid);
	appendStringInfo(&sql, " %s %s", grant ? "TO" : "FROM", quote_identifier(role));
	if (SPI_execute(sql.data, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not change the rights of the extension's functions");
	SPI_finish();
	PG_RETURN_INT64((int64) count);
}
