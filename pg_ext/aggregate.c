/*
 * aggregate.c - aggregates: each row is a command, which the core sends in batches with those of the
 * other groups.
 *
 * A group's state lives in the aggregate's context, which is reset when the group, or a hash table
 * full of them, is done with. Whatever the core still holds for it goes then, sent or not: so does an
 * aggregate that failed, or was cancelled, or whose cursor was closed.
 */
#include "pg_sqlredis.h"

#include "utils/memutils.h"

typedef struct state
{
	sr_batch			  batch;
	MemoryContextCallback forget;
} state;

/* A session that ends has freed its client, and the batch's rows with it. */
static void drop(void *arg)
{
	state *s = arg;

	if (pg_client_if_any() != NULL)
		sr_batch_drop(&s->batch);
}

static state *new_state(MemoryContext context, sr_client *client, const sr_command *cmd)
{
	state *s = MemoryContextAlloc(context, sizeof *s);

	sr_batch_init(&s->batch, client, cmd);
	s->forget.func = drop;
	s->forget.arg = s;
	MemoryContextRegisterResetCallback(context, &s->forget);
	return s;
}

/* The transition function of each aggregate: (internal, arguments of the row) -> internal. */
Datum pg_call_aggregate(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	sr_client	 *client = pg_client();
	MemoryContext context;
	pg_arguments  arguments;
	state		 *s;
	sr_err		  err = {0};

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "%s: the transition function was called outside of an aggregate", cmd->name);
	s = PG_ARGISNULL(0) ? new_state(context, client, cmd) : (state *) PG_GETARG_POINTER(0);
	pg_arguments_get(&arguments, fcinfo, cmd, 1);
	if (!sr_batch_add(&s->batch, arguments.count, arguments.values, &err))
		pg_raise(&err);
	/* An interrupt may have come after this group's rows were answered, and before others' were. */
	pg_host_rethrow();
	PG_RETURN_POINTER(s);
}

/*
 * The final function of all aggregates: (internal) -> bigint. It may come again for the same group,
 * when a hash table is read a second time; the result is the same then.
 */
EXPORTED_FUNCTION(pg_aggregate_final);
Datum pg_aggregate_final(PG_FUNCTION_ARGS)
{
	int64  total = 0;
	state *s;
	sr_err err = {0};

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "the final function was called outside of an aggregate");
	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	s = (state *) PG_GETARG_POINTER(0);
	(void) pg_client();
	if (!sr_batch_finish(&s->batch, &total, &err))
		pg_raise(&err);
	pg_call_succeeded();
	PG_RETURN_INT64(total);
}
