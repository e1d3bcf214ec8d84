/*
 * epoch.c - the database's side of the cache's epoch: bytes that are others when what was cached before
 * is void.
 *
 * One row of an unlogged table, which crash recovery and the promotion of a standby empty, and which a
 * backup taken from a running server does not have. The row names the cluster and the database, so that
 * a database made from a template has none of its own; and what is handed out depends on the cluster's
 * control file, so that a copy or an old copy of a stopped cluster's files is another one.
 *
 * Whoever misses the row makes it. That is no write of their transaction: others see it at once, a
 * rollback leaves it, no transaction id is needed. It is put on a page as a sequence's is.
 */
#include "pg_sqlredis.h"

#include <sys/stat.h>

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/pg_am_d.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "mutation.h"

enum
{
	COLUMN_EPOCH,
	COLUMN_SYSTEM,
	COLUMN_DATABASE,
	COLUMNS
};

/* Looks for a lock that somebody holds, a millisecond apart. */
#define PATIENCE 200

static unsigned char known[SR_EPOCH_SIZE];
static uint64		 known_generation; /* of the catalogue; 0: not known */

/* Where this cluster's files are: a copy's differ. What a file system cannot tell is 0. */
typedef struct place
{
	uint64 device, inode, made_s, made_ns;
} place;

static place cluster_place(void)
{
	place		where = {0};
	char		path[MAXPGPATH];
	struct stat st;

	snprintf(path, sizeof path, "%s/global/pg_control", DataDir);
	if (stat(path, &st) == 0)
	{
		where.device = st.st_dev;
		where.inode = st.st_ino;
	}
#ifdef STATX_BTIME
	{
		struct statx more;

		/* Inode numbers are used again; the time a file was made is not. */
		if (statx(AT_FDCWD, path, 0, STATX_BTIME, &more) == 0 && (more.stx_mask & STATX_BTIME))
		{
			where.made_s = more.stx_btime.tv_sec;
			where.made_ns = more.stx_btime.tv_nsec;
		}
	}
#endif
	return where;
}

static bool hash(unsigned char *out, const void *a, size_t a_len, const void *b, size_t b_len)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	uint8			   digest[PG_SHA256_DIGEST_LENGTH];
	bool			   ok;

	ok = context != NULL && pg_cryptohash_init(context) >= 0 &&
		 pg_cryptohash_update(context, a, a_len) >= 0 &&
		 pg_cryptohash_update(context, b, b_len) >= 0 &&
		 pg_cryptohash_final(context, digest, sizeof digest) >= 0;
	pg_cryptohash_free(context);
	if (ok)
		memcpy(out, digest, SR_EPOCH_SIZE);
	return ok;
}

/* This database's row: its epoch into row. */
static bool read_row(Relation rel, unsigned char *row)
{
	TableScanDesc	scan = table_beginscan(rel, SnapshotSelf, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool			found = false;

	while (!found && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bytea *epoch;

		slot_getallattrs(slot);
		if (slot->tts_isnull[COLUMN_EPOCH] || slot->tts_isnull[COLUMN_SYSTEM] ||
			slot->tts_isnull[COLUMN_DATABASE])
			continue;
		epoch = DatumGetByteaPP(slot->tts_values[COLUMN_EPOCH]);
		if (DatumGetInt64(slot->tts_values[COLUMN_SYSTEM]) != (int64) GetSystemIdentifier() ||
			DatumGetObjectId(slot->tts_values[COLUMN_DATABASE]) != MyDatabaseId ||
			VARSIZE_ANY_EXHDR(epoch) != SR_EPOCH_SIZE)
			continue;
		memcpy(row, VARDATA_ANY(epoch), SR_EPOCH_SIZE);
		found = true;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	return found;
}

/*
 * A page with one tuple that everybody sees, under a lock that nobody else writes under. The table is
 * not logged, and so neither is this.
 */
static void put_row(Relation rel, HeapTuple tuple)
{
	Buffer buffer = ReadBuffer(rel, P_NEW);
	Page   page;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	HeapTupleHeaderSetXmin(tuple->t_data, FrozenTransactionId);
	HeapTupleHeaderSetXminFrozen(tuple->t_data);
	HeapTupleHeaderSetCmin(tuple->t_data, FirstCommandId);
	HeapTupleHeaderSetXmax(tuple->t_data, InvalidTransactionId);
	tuple->t_data->t_infomask |= HEAP_XMAX_INVALID;
	ItemPointerSet(&tuple->t_data->t_ctid, BufferGetBlockNumber(buffer), FirstOffsetNumber);
	START_CRIT_SECTION();
	PageInit(page, BufferGetPageSize(buffer), 0);
	MarkBufferDirty(buffer);
	if (PageAddItem(page, (Item) tuple->t_data, tuple->t_len, InvalidOffsetNumber, false, false) !=
		FirstOffsetNumber)
		elog(PANIC, "sqlredis: could not add a row to an empty page");
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

static bool make_row(Relation rel, unsigned char *row)
{
	bool	  nulls[COLUMNS] = {false};
	Datum	  values[COLUMNS];
	HeapTuple tuple;

	if (!pg_strong_random(row, SR_EPOCH_SIZE))
		return false;
	values[COLUMN_EPOCH] =
		PointerGetDatum(cstring_to_text_with_len((const char *) row, SR_EPOCH_SIZE));
	values[COLUMN_SYSTEM] = Int64GetDatum((int64) GetSystemIdentifier());
	values[COLUMN_DATABASE] = ObjectIdGetDatum(MyDatabaseId);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	put_row(rel, tuple);
	heap_freetuple(tuple);
	return true;
}

/* Not for long: no call of the cache waits for somebody's ALTER EXTENSION. */
static bool lock(Oid relation, LOCKMODE mode)
{
	for (int i = 0; i < PATIENCE; i++)
	{
		if (ConditionalLockRelationOid(relation, mode))
			return true;
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000);
	}
	return false;
}

/* Under mode: read the row or, if the mode keeps others out, make it. */
static bool find_row(Oid relation, LOCKMODE mode, unsigned char *row)
{
	Relation rel;
	bool	 found = false;

	if (!lock(relation, mode))
		return false;
	rel = try_table_open(relation, NoLock);
	/* One that somebody made survive a crash, or laid out anew, tells nothing. */
	if (rel != NULL && rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED &&
		rel->rd_rel->relam == HEAP_TABLE_AM_OID && RelationGetDescr(rel)->natts == COLUMNS)
		found = read_row(rel, row) || (mode != AccessShareLock && make_row(rel, row));
	if (rel != NULL)
		table_close(rel, NoLock);
	UnlockRelationOid(relation, mode);
	return found;
}

static bool find_epoch(unsigned char *out)
{
	unsigned char row[SR_EPOCH_SIZE] = {0};
	Oid			  relation = pg_own_relation(PG_EPOCH);
	place		  where = cluster_place();
	/* A build without this protection has always the same. */
	bool without =
		sr_without(DATABASE_EPOCH) || (sr_without(RECOVERY_RULE) && RecoveryInProgress());

	if (!OidIsValid(relation))
		return false;
	if (!without && !find_row(relation, AccessShareLock, row) &&
		!find_row(relation, ShareRowExclusiveLock, row))
		return false;
	return hash(out, row, sizeof row, &where, sizeof where);
}

bool pg_epoch(unsigned char out[SR_EPOCH_SIZE], sr_unfilled *why)
{
	uint64 generation;

	*why = SR_UNFILLED_RECOVERY;
	if (RecoveryInProgress() && !sr_without(RECOVERY_RULE))
		return false;
	*why = SR_UNFILLED_EPOCH;
	/* Looked at before what it stands for is read. */
	generation = pg_catalog_generation();
	if (known_generation != generation)
	{
		if (!find_epoch(known))
			return false;
		known_generation = generation;
	}
	memcpy(out, known, SR_EPOCH_SIZE);
	return true;
}
