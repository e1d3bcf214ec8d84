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
	TupleDesc			  desc;		 /* NULL: one column, returned as it is */
	Oid					  type;		 /* of that column */
	pg_arguments		  arguments; /* with elements that rows has not had yet, or none */
	MemoryContext		  piece;	 /* of those that it has */
	MemoryContextCallback forget;
} scan;

/* A session that ends has freed its client. */
static void close_rows(void *arg)
{
	scan *s = arg;

	if (pg_client_if_any() != NULL)
		sr_rows_close(s->rows);
	s->rows = NULL;
}

/* s->rows stays NULL when reads fail open. */
static void open_rows(scan *s, const pg_arguments *arguments)
{
	sr_client *client = pg_client_for(s->cmd);
	sr_err	   err = {0};

	if (strcmp(s->cmd->name, "redis_stats") == 0)
		pg_outbox_note(client);
	s->rows = pg_rows_open(client, s->cmd, arguments, &err);
	if (s->rows == NULL)
		pg_raise_or_null(s->cmd, &err);
	/* An interrupt may have come while an optional step failed quietly. */
	pg_host_rethrow();
}

/* Rows for the next elements of the variadic array; false: it has no more. */
static bool open_more(scan *s)
{
	MemoryContext before;
	pg_arguments  piece;
	bool		  more;

	close_rows(s);
	if (s->arguments.rest == NULL)
		return false;
	MemoryContextReset(s->piece);
	before = MemoryContextSwitchTo(s->piece);
	more = pg_arguments_more(&s->arguments, &piece);
	if (more)
		open_rows(s, &piece);
	MemoryContextSwitchTo(before);
	return more && s->rows != NULL;
}

static scan *open_scan(FunctionCallInfo fcinfo, const sr_command *cmd, MemoryContext context)
{
	scan *s = MemoryContextAllocZero(context, sizeof *s);

	s->cmd = cmd;
	if (get_call_result_type(fcinfo, &s->type, &s->desc) == TYPEFUNC_COMPOSITE)
		s->desc = BlessTupleDesc(CreateTupleDescCopy(s->desc));
	else
		s->desc = NULL;
	pg_arguments_get(&s->arguments, fcinfo, cmd, 0);
	s->forget.func = close_rows;
	s->forget.arg = s;
	MemoryContextRegisterResetCallback(context, &s->forget);
	if (s->arguments.rest == NULL)
		open_rows(s, &s->arguments);
	else
	{
		s->piece = AllocSetContextCreate(context, "sqlredis arguments", ALLOCSET_DEFAULT_SIZES);
		open_more(s);
	}
	return s;
}

static Datum cell_datum(const scan *s, int i, const sr_value *cell, Oid type)
{
	bool twin = (s->cmd->flags & SR_BINARY) && (s->cmd->columns[i].flags & SR_COLUMN_DATA);

	return pg_datum_from_value(cell, type, twin ? s->cmd->name : NULL);
}

/* The current row's cells as a Datum. */
static Datum row_datum(const scan *s, const sr_value *cells, bool *isnull)
{
	Datum values[SR_MAX_COLUMNS];
	bool  nulls[SR_MAX_COLUMNS];

	if (s->desc == NULL)
	{
		*isnull = cells[0].type == SR_TYPE_NULL;
		return cell_datum(s, 0, &cells[0], s->type);
	}
	for (int i = 0; i < s->desc->natts; i++)
	{
		nulls[i] = cells[i].type == SR_TYPE_NULL;
		values[i] = cell_datum(s, i, &cells[i], TupleDescAttr(s->desc, i)->atttypid);
	}
	*isnull = false;
	return HeapTupleGetDatum(heap_form_tuple(s->desc, values, nulls));
}

/* The next row's cells; false at the end, and when reads fail open. */
static bool next_row(scan *s, const sr_value **cells)
{
	sr_err err = {0};

	while (s->rows != NULL)
	{
		int more = pg_rows_next(pg_client_for(s->cmd), s->cmd, s->rows, cells, &err);

		if (more < 0)
		{
			pg_raise_or_null(s->cmd, &err);
			return false;
		}
		pg_call_succeeded();
		if (more == 1)
			return true;
		open_more(s);
	}
	return false;
}

Datum pg_call_rows(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	FuncCallContext *context;
	const sr_value	*cells;
	scan			*s;

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
	if (next_row(s, &cells))
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
