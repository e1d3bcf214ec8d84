/*
 * drain.c - what the outbox holds: taken out of it to be delivered, shown by redis_outbox, counted for
 * redis_stats.
 *
 * Rows are claimed by deleting them without waiting: who comes second leaves them to the first. They are
 * seen as of this instant (SnapshotSelf), which adds nothing to what a serializable transaction has read.
 */
#include "pg_sqlredis.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "storage/lock.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "outbox.h"
#include "shared.h"

/* Effects that redis_outbox_drain delivers at a time. */
#define BATCH_EFFECTS 100000
/* Effects of a row that redis_outbox shows. */
#define SHOWN_EFFECTS 100

static int64 failures; /* of this session, since the last success */
static char	 last_error[lengthof(((sr_err *) NULL)->msg)];

void pg_outbox_note_attempt(const sr_err *err)
{
	if (err->cls == SR_OK)
		failures = 0;
	else
		failures++;
	strlcpy(last_error, err->msg, sizeof last_error);
}

/* ---- taking ---- */

static TimestampTz created_at(Relation rel, HeapTuple tuple)
{
	bool isnull;

	return DatumGetTimestampTz(
		heap_getattr(tuple, OUTBOX_CREATED_AT, RelationGetDescr(rel), &isnull));
}

/* Whole, in memory of the current context. */
static bytea *effects_of(Relation rel, HeapTuple tuple)
{
	bool isnull;

	return DatumGetByteaPP(heap_getattr(tuple, OUTBOX_EFFECTS, RelationGetDescr(rel), &isnull));
}

/*
 * Too young to be taken? A clock that was set back makes rows of the future, which nobody is busy with
 * either.
 */
static bool is_young(pg_take *take, TimestampTz created, TimestampTz now)
{
	TimestampTz ripe = TimestampTzPlusMilliseconds(created, take->min_age);

	if (now >= ripe || created > TimestampTzPlusMilliseconds(now, 1000))
		return false;
	if ((take->before == 0 || created <= take->before) && (take->ripe == 0 || ripe < take->ripe))
		take->ripe = ripe;
	return true;
}

/* Is somebody deleting it at this moment? Only to spare us reading it: the deletion itself decides. */
static bool is_being_taken(HeapTuple tuple)
{
	return !(tuple->t_data->t_infomask & HEAP_XMAX_INVALID) &&
		   TransactionIdIsInProgress(HeapTupleHeaderGetRawXmax(tuple->t_data));
}

/* Its effects first: a row that cannot be read stays where it is. */
static void take_row(pg_take *take, Relation rel, HeapTuple tuple)
{
	int64  id = outbox_row_id(rel, tuple);
	bytea *effects;
	sr_err err = {0};
	bool   deleted;

	if (pg_outbox_is_delivered(RelationGetRelid(rel), id))
	{
		deleted = outbox_delete(rel, tuple);
		take->settled += deleted;
		take->others += !deleted;
		return;
	}
	effects = effects_of(rel, tuple);
	if (sr_effects_unpack(take->effects, VARDATA_ANY(effects), VARSIZE_ANY_EXHDR(effects), &err))
	{
		deleted = outbox_delete(rel, tuple);
		take->rows += deleted;
		take->others += !deleted;
	}
	else if (err.cls == SR_E_LOCAL_MEMORY)
		pg_raise(&err);
	else
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("row %lld of the outbox cannot be read: %s", (long long) id, err.msg)));
}

bool pg_outbox_take(pg_take *take)
{
	TimestampTz	  now = GetCurrentTimestamp();
	Relation	  rel = pg_outbox_open();
	bool		  push = !ActiveSnapshotSet();
	MemoryContext context, before;
	TableScanDesc scan;
	HeapTuple	  tuple;

	take->rows = take->settled = take->others = 0;
	take->more = false;
	take->ripe = 0;
	if (rel == NULL)
		return false;
	if (push)
		PushActiveSnapshot(GetTransactionSnapshot());
	context =
		AllocSetContextCreate(CurrentMemoryContext, "sqlredis outbox", ALLOCSET_DEFAULT_SIZES);
	scan = table_beginscan(rel, SnapshotSelf, 0, NULL);
	before = MemoryContextSwitchTo(context);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_young(take, created_at(rel, tuple), now))
			continue;
		if (is_being_taken(tuple))
		{
			take->others++;
			continue;
		}
		take->more = sr_inval_count(take->effects) >= take->max_effects;
		if (take->more)
			break;
		take_row(take, rel, tuple);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(before);
	table_endscan(scan);
	MemoryContextDelete(context);
	if (push)
		PopActiveSnapshot();
	table_close(rel, NoLock);
	return true;
}

bool pg_outbox_is_in_use(void)
{
	Oid		relation = pg_own_relation(PG_OUTBOX);
	LOCKTAG tag;
	int		holders = 0;

	if (!OidIsValid(relation))
		return false;
	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
	(void) GetLockConflicts(&tag, ShareLock, &holders);
	return holders > 0;
}

/* ---- redis_outbox_drain ---- */

/* False: nothing was left. The rows taken go when the transaction commits. */
static bool drain_batch(sr_client *client, sr_inval *effects, int64 *rows)
{
	pg_take			take = {.effects = effects, .max_effects = BATCH_EFFECTS};
	sr_flush_result flushed;

	if (!pg_outbox_take(&take))
		return false;
	sr_flush(client, effects, SR_FLUSH_LEAVE | SR_FLUSH_ONLY, &flushed);
	pg_outbox_note_attempt(&flushed.err);
	if (flushed.kept > 0)
		pg_raise(&flushed.err);
	pg_host_rethrow();
	if (flushed.lost > 0)
		pg_log(WARNING, &flushed.err);
	*rows += (int64) take.rows;
	return take.more;
}

/* An error takes the deletions back, with the statement. */
Datum pg_call_outbox_drain(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	sr_client *client = pg_client();
	sr_inval  *effects;
	int64	   rows = 0;

	sr_err err = {0};

	(void) fcinfo;
	(void) cmd;
	PreventCommandIfReadOnly("redis_outbox_drain()");
	PreventCommandIfParallelMode("redis_outbox_drain()");
	PreventCommandDuringRecovery("redis_outbox_drain()");
	/* Who asks for it knows that Redis is back; the breaker may not. */
	if (!sr_client_connect(client, SR_PROBE, &err))
		pg_raise(&err);
	pg_host_rethrow();
	effects = sr_inval_new();
	if (effects == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	PG_TRY();
	{
		while (drain_batch(client, effects, &rows))
			CHECK_FOR_INTERRUPTS();
	}
	PG_FINALLY();
	{
		sr_inval_free(effects);
	}
	PG_END_TRY();
	PG_RETURN_INT64(rows);
}

/* ---- redis_outbox ---- */

static Datum effects_text(bytea *effects)
{
	sr_buf	 json = {0};
	sr_err	 err = {0};
	sr_value cell = {.type = SR_TYPE_TEXT};
	bool	 ok = sr_effects_json(VARDATA_ANY(effects), VARSIZE_ANY_EXHDR(effects), SHOWN_EFFECTS,
								  &json, &err);

	if (!ok && err.cls != SR_E_LOCAL_MEMORY)
	{
		sr_buf_free(&json);
		return CStringGetTextDatum(err.msg);
	}
	cell.data = pg_take_buf(&json, ok, &cell.len);
	return pg_datum_from_value(&cell, TEXTOID, NULL);
}

static double seconds_since_1970(TimestampTz t)
{
	return (double) t / USECS_PER_SEC +
		   (double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
}

/* How delivery went: what the drainers say, where there are some. */
static void get_attempts(int64 *attempts, char *error, size_t size)
{
	if (pg_shared_available())
		*attempts = pg_database_attempts(MyDatabaseId, error, size);
	else
	{
		*attempts = failures;
		strlcpy(error, last_error, size);
	}
}

static void show_row(Relation rel, HeapTuple tuple, Tuplestorestate *store, TupleDesc desc)
{
	char  error[lengthof(last_error)];
	int64 attempts;
	Datum values[5];
	bool  nulls[5] = {false};

	values[0] = Int64GetDatum(outbox_row_id(rel, tuple));
	values[1] = effects_text(effects_of(rel, tuple));
	values[2] = Float8GetDatum(seconds_since_1970(created_at(rel, tuple)));
	get_attempts(&attempts, error, sizeof error);
	values[3] = Int64GetDatum(attempts);
	values[4] = CStringGetTextDatum(error);
	nulls[4] = *error == '\0';
	tuplestore_putvalues(store, desc, values, nulls);
}

/* For reading only; whatever the transaction's isolation, what waits now. NULL: no outbox. */
static TableScanDesc begin_look(void)
{
	Oid		 relation = pg_own_relation(PG_OUTBOX);
	Relation rel = OidIsValid(relation) ? try_table_open(relation, AccessShareLock) : NULL;

	return rel != NULL ? table_beginscan(rel, SnapshotSelf, 0, NULL) : NULL;
}

/* The next row that is not delivered. */
static HeapTuple look(TableScanDesc scan)
{
	HeapTuple tuple;

	do
	{
		CHECK_FOR_INTERRUPTS();
		tuple = heap_getnext(scan, ForwardScanDirection);
	} while (tuple != NULL && pg_outbox_is_delivered(RelationGetRelid(scan->rs_rd),
													 outbox_row_id(scan->rs_rd, tuple)));
	return tuple;
}

static void end_look(TableScanDesc scan)
{
	Relation rel = scan->rs_rd;

	table_endscan(scan);
	table_close(rel, AccessShareLock);
}

Datum pg_call_outbox(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	TupleDesc		 desc;
	Tuplestorestate *store = pg_materialize(fcinfo, &desc);
	MemoryContext	 context, before;
	TableScanDesc	 scan;
	HeapTuple		 tuple;

	(void) cmd;
	scan = begin_look();
	if (scan == NULL)
		return (Datum) 0;
	context =
		AllocSetContextCreate(CurrentMemoryContext, "sqlredis outbox", ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(context);
	while ((tuple = look(scan)) != NULL)
	{
		show_row(scan->rs_rd, tuple, store, desc);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(before);
	end_look(scan);
	MemoryContextDelete(context);
	return (Datum) 0;
}

/* What a REFRESH of the outbox finds in it: the rows that are there. */
EXPORTED_FUNCTION(pg_redis_outbox_rows);

Datum pg_redis_outbox_rows(PG_FUNCTION_ARGS)
{
	TupleDesc		 desc;
	Tuplestorestate *store = pg_materialize(fcinfo, &desc);
	TableScanDesc	 scan = begin_look();
	HeapTuple		 tuple;

	if (scan == NULL)
		return (Datum) 0;
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Datum values[OUTBOX_COLUMNS];
		bool  nulls[OUTBOX_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int64GetDatum(outbox_row_id(scan->rs_rd, tuple));
		values[1] = TimestampTzGetDatum(created_at(scan->rs_rd, tuple));
		values[2] = PointerGetDatum(effects_of(scan->rs_rd, tuple));
		tuplestore_putvalues(store, desc, values, nulls);
	}
	end_look(scan);
	return (Datum) 0;
}

void pg_outbox_measure(uint64 *rows, double *age)
{
	TimestampTz	  now = GetCurrentTimestamp();
	TimestampTz	  oldest = now;
	TableScanDesc scan = begin_look();
	HeapTuple	  tuple;

	*rows = 0;
	if (scan != NULL)
	{
		for (; (tuple = look(scan)) != NULL; (*rows)++)
			oldest = Min(oldest, created_at(scan->rs_rd, tuple));
		end_look(scan);
	}
	*age = (double) (now - oldest) / USECS_PER_SEC;
}

void pg_outbox_note(sr_client *client)
{
	uint64 rows;
	double age;

	pg_outbox_measure(&rows, &age);
	sr_client_note_outbox(client, rows, age);
}
