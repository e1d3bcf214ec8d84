/*
 * invalidate.c - redis_invalidate(key, ...) and redis_pending().
 */
#include "pg_sqlredis.h"

#include "funcapi.h"
#include "utils/tuplestore.h"

Datum pg_call_invalidate(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	pg_arguments arguments;
	int64		 queued = 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	pg_arguments_get(&arguments, fcinfo, cmd, 0);
	for (int i = 0; i < arguments.count; i++)
		if (arguments.values[i].type == SR_TYPE_NULL)
			PG_RETURN_NULL();
	for (int i = 0; i < arguments.count; i++)
		queued += pg_queue_key(arguments.values[i].data, arguments.values[i].len);
	PG_RETURN_INT64(queued);
}

Datum pg_call_pending(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	TupleDesc		 desc;
	Tuplestorestate *store = pg_materialize(fcinfo, &desc);
	const sr_inval	*queue = pg_queue();
	size_t			 count = queue != NULL ? sr_inval_count(queue) : 0;
	size_t			 prefix = 0;

	(void) cmd;
	if (count > 0)
		sr_client_prefix(pg_client_for_queue(), &prefix);
	for (size_t i = 0; i < count; i++)
	{
		bool		nulls[2] = {false, false};
		Datum		values[2];
		size_t		len;
		int			depth;
		sr_effect	kind;
		const char *key = sr_inval_effect(queue, i, &kind, &len, &depth);
		size_t		cut = Min(prefix, len);
		sr_value	cell = {.type = SR_TYPE_TEXT, .data = key + cut, .len = len - cut};

		values[0] = pg_datum_from_value(&cell, TupleDescAttr(desc, 0)->atttypid, NULL);
		/* The transaction itself is level 1 of PostgreSQL's and depth 0 here. */
		values[1] = Int64GetDatum((int64) depth - 1);
		tuplestore_putvalues(store, desc, values, nulls);
	}
	return (Datum) 0;
}
