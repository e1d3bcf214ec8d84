/*
 * outbox.c - the table of what committed transactions owe Redis, written by themselves; and which rows of
 * it this backend wrote.
 *
 * At heap level, without the executor: SQL in PRE_COMMIT would run with the rights of whoever commits. The
 * rows are kept out of logical decoding, for a subscriber may not have the extension. The table has no
 * index and no row is ever updated, so that writing is one heap_insert.
 *
 * A row cannot be deleted by the transaction that delivers it: that one is over. This backend remembers its
 * rows and deletes them with its next transaction. Who deletes a row compares its id: its place may have
 * been given to another one.
 */
#include "pg_sqlredis.h"

#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "commands/extension.h"
#include "mutation.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "outbox.h"
#include "shared.h"

#define ROW_BYTES ((size_t) 8 * 1024 * 1024)
/* Chunks that one transaction may write: ids have room for so many. */
#define CHUNK_BITS 10
/* Rows remembered; what is forgotten is found by those who drain. */
#define ROWS_MAX 4096

typedef enum fate
{
	WRITTEN,	/* by the running transaction */
	IN_RING,	/* delivered when the ring says so */
	IN_BACKLOG, /* delivered when the backlog is empty */
	DELIVERED,	/* to be deleted */
	DELETED,	/* by the running transaction */
	FORGOTTEN	/* no longer ours */
} fate;

typedef struct row
{
	Oid				relation;
	ItemPointerData tid;
	int64			id;
	uint64			position; /* IN_RING */
	fate			fate;
} row;

static row	 *rows;
static size_t row_count, row_capacity;

Relation pg_outbox_open(void)
{
	Oid relation = pg_own_relation(PG_OUTBOX);

	return OidIsValid(relation) ? try_table_open(relation, RowExclusiveLock) : NULL;
}

/* ---- this backend's rows ---- */

static void remove_rows(fate of)
{
	size_t kept = 0;

	for (size_t i = 0; i < row_count; i++)
		if (rows[i].fate != of)
			rows[kept++] = rows[i];
	row_count = kept;
}

static void change_fate(fate from, fate to)
{
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].fate == from)
			rows[i].fate = to;
}

/* Room for one more; raises without memory, for this is before the commit. */
static void remember(Oid relation, const ItemPointerData *tid, int64 id)
{
	if (row_count == ROWS_MAX)
		memmove(rows, rows + 1, --row_count * sizeof *rows);
	if (row_count == row_capacity)
	{
		size_t capacity = row_capacity > 0 ? row_capacity * 2 : 16;

		rows = rows == NULL ? MemoryContextAlloc(TopMemoryContext, capacity * sizeof *rows)
							: repalloc(rows, capacity * sizeof *rows);
		row_capacity = capacity;
	}
	rows[row_count++] = (row){.relation = relation, .tid = *tid, .id = id, .fate = WRITTEN};
}

/* ---- writing ---- */

/*
 * An id of its own for every row that this cluster will ever see: a sequence would begin again when the
 * extension is created again, and cannot be advanced in a transaction that was made read-only.
 */
static int64 row_id(int chunk)
{
	return (int64) (U64FromFullTransactionId(GetTopFullTransactionId()) << CHUNK_BITS) + chunk;
}

/* data begins with room for a varlena's header. */
static void write_row(Relation rel, int64 id, sr_buf *data)
{
	Datum	  values[OUTBOX_COLUMNS];
	bool	  nulls[OUTBOX_COLUMNS] = {false};
	HeapTuple tuple;
	bool	  large = data->len > TOAST_TUPLE_THRESHOLD;

	SET_VARSIZE(data->data, data->len);
	values[OUTBOX_ID - 1] = Int64GetDatum(id);
	values[OUTBOX_CREATED_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[OUTBOX_EFFECTS - 1] = PointerGetDatum(data->data);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	if (large)
		PushActiveSnapshot(GetTransactionSnapshot());
	heap_insert(rel, tuple, GetCurrentCommandId(true), HEAP_INSERT_NO_LOGICAL, NULL);
	if (large)
		PopActiveSnapshot();
	remember(RelationGetRelid(rel), &tuple->t_self, id);
	heap_freetuple(tuple);
}

/* A read-only transaction that has written before it became one still owes what it changed. */
bool pg_outbox_may_write(void)
{
	if (RecoveryInProgress() || sr_without(OUTBOX))
		return false;
	return !XactReadOnly || TransactionIdIsValid(GetTopTransactionIdIfAny());
}

bool pg_outbox_write(const sr_inval *queue)
{
	static sr_buf packed;
	static char	  header[VARHDRSZ];

	size_t	 count = sr_inval_count(queue);
	size_t	 at = 0;
	Relation rel;

	rel = pg_outbox_may_write() ? pg_outbox_open() : NULL;
	if (rel == NULL)
		return false;
	for (int chunk = 0; at < count; chunk++)
	{
		packed.len = 0;
		if (chunk >= 1 << CHUNK_BITS || !sr_buf_add(&packed, header, sizeof header) ||
			!sr_effects_pack(queue, &at, ROW_BYTES, &packed))
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY),
							errmsg("no memory to write what this transaction does to Redis"),
							errhint("Commit in smaller pieces.")));
		write_row(rel, row_id(chunk), &packed);
	}
	if (packed.cap > PG_KEEP_BYTES)
		sr_buf_free(&packed);
	table_close(rel, NoLock);
	return true;
}

bool pg_outbox_written(Oid *relation, int64 *id)
{
	const row *last = row_count > 0 ? &rows[row_count - 1] : NULL;

	if (last == NULL || last->fate != WRITTEN || (row_count > 1 && last[-1].fate == WRITTEN))
		return false;
	*relation = last->relation;
	*id = last->id;
	return true;
}

/* ---- deleting ---- */

int64 outbox_row_id(Relation rel, HeapTuple tuple)
{
	bool isnull;

	return DatumGetInt64(heap_getattr(tuple, OUTBOX_ID, RelationGetDescr(rel), &isnull));
}

bool outbox_delete(Relation rel, HeapTuple tuple)
{
	/* Its parts that lie elsewhere are read by a snapshot. */
	bool		   push = HeapTupleHasExternal(tuple) && !ActiveSnapshotSet();
	TM_FailureData failure;
	TM_Result	   result;

	if (push)
		PushActiveSnapshot(GetTransactionSnapshot());
	result = heap_delete(rel, &tuple->t_self, GetCurrentCommandId(true), InvalidSnapshot, false,
						 &failure, false);
	if (push)
		PopActiveSnapshot();
	return result == TM_Ok;
}

/* Whatever it was that is at its place now: somebody has taken it if it is not this row. */
static void delete_row(Relation rel, const row *r, BlockNumber blocks)
{
	HeapTupleData tuple = {.t_self = r->tid};
	Buffer		  buffer;

	/* VACUUM may have cut the table off, and does not do so now. */
	if (ItemPointerGetBlockNumber(&r->tid) >= blocks ||
		!heap_fetch(rel, SnapshotSelf, &tuple, &buffer, false))
		return;
	if (outbox_row_id(rel, &tuple) == r->id)
		outbox_delete(rel, &tuple);
	ReleaseBuffer(buffer);
}

static fate fate_in_ring(uint64 position)
{
	switch (pg_ring_ask(position))
	{
		case PG_RING_PENDING: return IN_RING;
		case PG_RING_DELIVERED: return DELIVERED;
		case PG_RING_FAILED: break;
	}
	return FORGOTTEN;
}

/* What has been delivered since it was written? */
static bool settle(void)
{
	sr_client *client = pg_client_if_any();
	bool	   empty = client == NULL || sr_client_backlog(client) == 0;
	bool	   any = false;

	for (size_t i = 0; i < row_count; i++)
	{
		row *r = &rows[i];

		if (r->fate == IN_BACKLOG && empty)
			r->fate = DELIVERED;
		else if (r->fate == IN_RING)
			r->fate = fate_in_ring(r->position);
		any = any || r->fate == DELIVERED;
	}
	remove_rows(FORGOTTEN);
	return any;
}

void pg_outbox_tidy(void)
{
	Relation	rel;
	BlockNumber blocks;

	/* VACUUM and its like have promised to touch nothing else. */
	if (row_count == 0 || !pg_outbox_may_write() ||
		(MyProc->statusFlags & (PROC_IN_VACUUM | PROC_IN_SAFE_IC)) != 0 || !settle())
		return;
	rel = pg_outbox_open();
	if (rel == NULL)
	{
		remove_rows(DELIVERED);
		return;
	}
	blocks = RelationGetNumberOfBlocks(rel);
	for (size_t i = 0; i < row_count; i++)
	{
		if (rows[i].fate != DELIVERED)
			continue;
		if (rows[i].relation == RelationGetRelid(rel))
			delete_row(rel, &rows[i], blocks);
		rows[i].fate = DELETED;
	}
	table_close(rel, NoLock);
}

void pg_outbox_tidy_at_exit(void)
{
	Oid relation;

	if (row_count == 0)
		return;
	AbortOutOfAnyTransaction();
	if (!settle())
		return;
	/* Nobody shall wait for it: neither for a lock nor for a standby. Others will find the rows. */
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
	StartTransactionCommand();
	relation = pg_own_relation(PG_OUTBOX);
	if (OidIsValid(relation) && ConditionalLockRelationOid(relation, RowExclusiveLock))
		pg_outbox_tidy();
	CommitTransactionCommand();
}

bool pg_outbox_is_delivered(Oid relation, int64 id)
{
	settle();
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].fate >= DELIVERED && rows[i].id == id && rows[i].relation == relation)
			return true;
	return pg_recent_contains(MyDatabaseId, relation, id);
}

/* ---- the end of the transaction ---- */

void pg_outbox_committed(pg_outcome outcome, uint64 position)
{
	static const fate fates[] = {[PG_OUTCOME_DELIVERED] = DELIVERED,
								 [PG_OUTCOME_IN_RING] = IN_RING,
								 [PG_OUTCOME_IN_BACKLOG] = IN_BACKLOG};

	remove_rows(DELETED);
	if (outcome == PG_OUTCOME_LEFT)
	{
		remove_rows(WRITTEN);
		return;
	}
	for (size_t i = 0; i < row_count; i++)
	{
		if (rows[i].fate != WRITTEN)
			continue;
		rows[i].position = position;
		rows[i].fate = fates[outcome];
		if (outcome == PG_OUTCOME_DELIVERED)
			pg_recent_note(MyDatabaseId, rows[i].relation, rows[i].id);
		pg_database_touch();
	}
}

void pg_outbox_prepared(void)
{
	size_t before = row_count;

	remove_rows(WRITTEN);
	if (row_count < before)
		pg_database_touch();
}

void pg_outbox_aborted(void)
{
	remove_rows(WRITTEN);
	change_fate(DELETED, DELIVERED);
}
