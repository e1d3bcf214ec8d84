/*
 * rows.c - functions that return sets. Value per call: a LIMIT in the select list stops the reading,
 * and in FROM the executor keeps the rows within work_mem.
 */
#include "pg_sqlredis.h"

#include "funcapi.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

/* One scan. The core's rows are malloc'ed: they go when the context of the scan goes, also after an error. */
typedef struct scan
{
	const sr_command	 *cmd;
	sr_rows				 *rows;
	TupleDesc			  desc; /* NULL: one column, returned as it is */
	Oid					  type; /* of that column */
	MemoryContextCallback forget;
} scan;

static void close_rows(void *arg)
{
	scan *s = arg;

	sr_rows_close(s->rows);
	s->rows = NULL;
}

static scan *open_scan(FunctionCallInfo fcinfo, const sr_command *cmd, MemoryContext context)
{
	scan		*s = MemoryContextAllocZero(context, sizeof *s);
	sr_client	*client = pg_client();
	pg_arguments arguments;
	sr_err		 err = {0};

	s->cmd = cmd;
	if (get_call_result_type(fcinfo, &s->type, &s->desc) == TYPEFUNC_COMPOSITE)
		s->desc = BlessTupleDesc(CreateTupleDescCopy(s->desc));
	else
		s->desc = NULL;
	pg_arguments_get(&arguments, fcinfo, cmd);
	s->forget.func = close_rows;
	s->forget.arg = s;
	MemoryContextRegisterResetCallback(context, &s->forget);
	s->rows = sr_rows_open(client, cmd, arguments.count, arguments.values, &err);
	if (s->rows == NULL)
		pg_raise_or_null(cmd, &err);
	/* An interrupt may have come while an optional step failed quietly. */
	pg_host_rethrow();
	return s;
}

/* The current row's cells as a Datum. */
static Datum row_datum(const scan *s, const sr_value *cells, bool *isnull)
{
	Datum values[SR_MAX_COLUMNS];
	bool  nulls[SR_MAX_COLUMNS];

	if (s->desc == NULL)
	{
		*isnull = cells[0].type == SR_TYPE_NULL;
		return pg_datum_from_value(&cells[0], s->type, NULL);
	}
	for (int i = 0; i < s->desc->natts; i++)
	{
		nulls[i] = cells[i].type == SR_TYPE_NULL;
		values[i] = pg_datum_from_value(&cells[i], TupleDescAttr(s->desc, i)->atttypid, NULL);
	}
	*isnull = false;
	return HeapTupleGetDatum(heap_form_tuple(s->desc, values, nulls));
}

Datum pg_call_rows(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	FuncCallContext *context;
	const sr_value	*cells;
	sr_err			 err = {0};
	scan			*s;
	int				 more = 0;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext before;

		context = SRF_FIRSTCALL_INIT();
		before = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		context->user_fctx = open_scan(fcinfo, cmd, context->multi_call_memory_ctx);
		MemoryContextSwitchTo(before);
	}
	context = SRF_PERCALL_SETUP();
	s = context->user_fctx;
	if (s->rows != NULL)
	{
		more = sr_rows_next(s->rows, &cells, &err);
		if (more < 0)
			pg_raise_or_null(cmd, &err);
		else
			pg_call_succeeded();
	}
	if (more == 1)
	{
		bool  isnull;
		Datum row = row_datum(s, cells, &isnull);

		if (isnull)
			SRF_RETURN_NEXT_NULL(context);
		SRF_RETURN_NEXT(context, row);
	}
	close_rows(s);
	SRF_RETURN_DONE(context);
}

Tuplestorestate *pg_materialize(FunctionCallInfo fcinfo, TupleDesc *desc)
{
	ReturnSetInfo	*rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext	 before;
	Tuplestorestate *store;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) || !(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("this function returns a set: call it in FROM")));
	before = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	*desc = CreateTupleDescCopy(*desc);
	store = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0, false,
								  work_mem);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = store;
	rsinfo->setDesc = *desc;
	MemoryContextSwitchTo(before);
	return store;
}
