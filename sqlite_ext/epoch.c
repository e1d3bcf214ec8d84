/*
 * epoch.c - the database's side of the cache's epoch: 16 bytes that are another database's, or the same
 * one's after it was put back to an older state, differ in.
 *
 * Of a file: the random row of its table sqlredis_epoch, and which file it is (device, inode, when it was
 * made), so that neither a copy nor a file put in its place finds what was cached for the other. Of a
 * database in memory: random, it ends with its connection. Not seen: a backup written over the same file;
 * docs/coherence.md says what to do then.
 *
 * The table may be anything in a file that somebody else made: only one that is defined as ours is read.
 */
#include "sqlredis.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mutation.h"

/* How long what was found holds: a hit shall neither wait for a file nor keep a writer from it. ms */
#define LOOK_AGAIN 1000

/* Two lanes of FNV-1a with the finalizer of MurmurHash3. It scatters; it keeps no secret. */
typedef struct hash
{
	uint64_t lanes[SR_EPOCH_SIZE / sizeof(uint64_t)];
} hash;

static void mix(hash *h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
	{
		h->lanes[0] = (h->lanes[0] ^ p[i]) * UINT64_C(0x100000001b3);
		h->lanes[1] = (h->lanes[1] ^ h->lanes[0] >> 32 ^ p[i]) * UINT64_C(0x100000001b3);
	}
	for (int i = 0; i < 2; i++)
	{
		h->lanes[i] = (h->lanes[i] ^ h->lanes[i] >> 33) * UINT64_C(0xff51afd7ed558ccd);
		h->lanes[i] = (h->lanes[i] ^ h->lanes[i] >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	}
}

static void mix_number(hash *h, uint64_t n)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char) (n >> 8 * i);
	mix(h, bytes, sizeof bytes);
}

/* An inode's number is given to a new file as soon as it is free; when it was made is not. */
static void mix_birth(hash *h, const char *path)
{
#ifdef STATX_BTIME
	struct statx found;

	if (statx(AT_FDCWD, path, 0, STATX_BTIME, &found) == 0 && (found.stx_mask & STATX_BTIME))
	{
		mix_number(h, (uint64_t) found.stx_btime.tv_sec);
		mix_number(h, found.stx_btime.tv_nsec);
	}
#else
	(void) h;
	(void) path;
#endif
}

static void mix_file(hash *h, const char *path)
{
	struct stat found;

	if (stat(path, &found) == 0)
	{
		mix_number(h, (uint64_t) found.st_dev);
		mix_number(h, (uint64_t) found.st_ino);
		mix_birth(h, path);
	}
	else /* of a VFS that knows no files */
		mix(h, path, strlen(path));
}

uint64_t sq_file_identity(const char *path)
{
	hash h = {{0}};

	mix_file(&h, path);
	return h.lanes[0];
}

/* Is there a row to be read? *there; false: SQLite cannot tell. */
static bool has_row(sqlite3 *db, bool *there)
{
	sqlite3_stmt *stmt = sq_prepare(db, NULL,
									"SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND "
									"name = %Q AND sql = %Q",
									SQ_EPOCH, "CREATE TABLE " SQ_EPOCH " " SQ_EPOCH_COLUMNS);

	if (stmt == NULL)
		return false;
	*there = sqlite3_step(stmt) == SQLITE_ROW;
	return sqlite3_finalize(stmt) == SQLITE_OK;
}

/* The file's row, if there is one. */
static bool mix_row(hash *h, sqlite3 *db)
{
	sqlite3_stmt *stmt;
	bool		  there;

	if (!has_row(db, &there))
		return false;
	if (!there)
		return true;
	stmt = sq_prepare(db, NULL,
					  "SELECT epoch FROM main." SQ_EPOCH
					  " WHERE id = 1 AND typeof(epoch) = 'blob' AND length(epoch) = %d",
					  SR_EPOCH_SIZE);
	if (stmt == NULL)
		return false;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		mix(h, sqlite3_column_blob(stmt, 0), SR_EPOCH_SIZE);
	return sqlite3_finalize(stmt) == SQLITE_OK;
}

/* A process that was forked writes its own copy of a database in memory. */
static void mix_memory(hash *h, sq_db *st)
{
	if (st->epoch_at == 0)
		sqlite3_randomness(SR_EPOCH_SIZE, st->own_epoch);
	mix(h, st->own_epoch, SR_EPOCH_SIZE);
	mix_number(h, (uint64_t) getpid());
}

/* Another file has been put in the place of the one that this connection has open. */
static bool was_replaced(sqlite3 *db)
{
	int moved = 0;

	return sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
		   moved != 0;
}

static bool find_out(sq_db *st)
{
	const char *path = sqlite3_db_filename(st->db, "main");
	hash		h = {{0}};

	if (path == NULL || *path == '\0')
		mix_memory(&h, st);
	else if (!mix_row(&h, st->db))
		return false;
	else
		mix_file(&h, path);
	if (sr_without(DATABASE_EPOCH))
		h = (hash){{0}};
	memcpy(st->epoch, h.lanes, SR_EPOCH_SIZE);
	return true;
}

/*
 * A file that is locked just now is the one it was a moment ago. One that was never read has no epoch yet,
 * and one that is at its place no more has none that others share: *why, and the cache is left alone.
 */
bool sq_epoch(sq_db *st, unsigned char out[SR_EPOCH_SIZE], sr_unfilled *why)
{
	const sr_host host = sq_host(st);
	int64_t		  now = host.now_ms(st);

	*why = SR_UNFILLED_EPOCH;
	if (st->epoch_at == 0 || now - st->epoch_at >= LOOK_AGAIN)
	{
		if (was_replaced(st->db) && !sr_without(DATABASE_EPOCH))
			return false;
		if (find_out(st))
			st->epoch_at = now > 0 ? now : 1;
		else if (st->epoch_at == 0)
			return false;
	}
	memcpy(out, st->epoch, SR_EPOCH_SIZE);
	return true;
}
