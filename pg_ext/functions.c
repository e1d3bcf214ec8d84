/*
 * functions.c - the C symbol of every row of commands.def, and whose business its call is. The scalar
 * ones are this file's: arguments in, sr_invoke, result out.
 */
#include "pg_sqlredis.h"

/* Number of each row of commands.def. */
enum
{
#define FUNCTION(name, redis, shape, columns, args, flags, group, scalar, rows, since, doc,        \
				 example)                                                                          \
	FN_##name,
#include "commands.def"
	FN_COUNT
};

static Datum call_scalar(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	sr_client	*client = pg_client_for(cmd);
	pg_arguments arguments;
	sr_result	 result;
	sr_err		 err = {0};
	Datum		 datum = (Datum) 0;

	pg_arguments_get(&arguments, fcinfo, cmd, 0);
	if (!pg_invoke(client, cmd, &arguments, &result, &err))
	{
		sr_result_free(&result);
		pg_raise_or_null(cmd, &err);
		PG_RETURN_NULL();
	}
	PG_TRY();
	{
		pg_call_succeeded();
		datum = pg_datum_from_value(&result.value, arguments.result,
									cmd->flags & SR_BINARY ? cmd->name : NULL);
		fcinfo->isnull = result.value.type == SR_TYPE_NULL;
	}
	PG_FINALLY();
	{
		sr_result_free(&result);
	}
	PG_END_TRY();
	return datum;
}

/* The rows that know transactions and tables. */
static Datum (*const engine[FN_COUNT])(FunctionCallInfo fcinfo, const sr_command *cmd) = {
	[FN_redis_invalidate] = pg_call_invalidate,
	[FN_redis_invalidate_on] = pg_call_invalidate_on,
	[FN_redis_invalidate_off] = pg_call_invalidate_off,
	[FN_redis_invalidations] = pg_call_invalidations,
	[FN_redis_invalidate_tag] = pg_call_invalidate_tag,
	[FN_redis_invalidate_pattern] = pg_call_invalidate_pattern,
	[FN_redis_on_commit] = pg_call_on_commit,
	[FN_redis_pending] = pg_call_pending,
	[FN_redis_outbox] = pg_call_outbox,
	[FN_redis_outbox_drain] = pg_call_outbox_drain,
	[FN_redis_cached] = pg_call_cached,
	[FN_redis_cache_get] = pg_call_cache_get,
	[FN_redis_cache_fill] = pg_call_cache_fill,
	[FN_redis_stats_total] = pg_call_stats_total,
	[FN_redis_stats_reset] = pg_call_stats_reset,
	[FN_redis_grant] = pg_call_grant,
	[FN_redis_revoke] = pg_call_grant,
};

static Datum call(FunctionCallInfo fcinfo, int number)
{
	const sr_command *cmd = &sr_commands[number];

	if (engine[number] != NULL)
		return engine[number](fcinfo, cmd);
	if (cmd->flags & SR_AGGREGATE)
		return pg_call_aggregate(fcinfo, cmd);
	if (cmd->flags & SR_WINDOW)
		return pg_call_window(fcinfo, cmd);
	return cmd->shape == SR_SHAPE_ROWS ? pg_call_rows(fcinfo, cmd) : call_scalar(fcinfo, cmd);
}

#define FUNCTION(name, redis, shape, columns, args, flags, group, scalar, rows, since, doc,        \
				 example)                                                                          \
	EXPORTED_FUNCTION(pg_##name);                                                                  \
	Datum pg_##name(PG_FUNCTION_ARGS)                                                              \
	{                                                                                              \
		return call(fcinfo, FN_##name);                                                            \
	}
#include "commands.def"
