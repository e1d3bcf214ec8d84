/*
 * outbox.c - the tables sqlredis_outbox and sqlredis_epoch of a database file: they are created here,
 * and a transaction's rows are written and deleted.
 *
 * A row of the outbox says what a transaction of the file owes Redis; it commits with the transaction.
 * Plain SQL may write rows, too: INSERT INTO sqlredis_outbox(kind, data) VALUES ('key', 'user:1').
 *
 * A row is deleted by the next transaction of this connection that writes a row: deleting it at once would
 * need a write transaction of our own, and whoever writes meanwhile would be told SQLITE_BUSY. Who may
 * write to a file writes one transaction after the other, and AUTOINCREMENT gives no id twice: so the ids
 * are in the order of the commits, and below an id that was seen no new one comes.
 */
#include "outbox.h"

#include <string.h>

#include "mutation.h"

#define ROW_BYTES	((size_t) 8 << 20) /* of effects in a row */
#define DELETE_ROWS 4096			   /* in one transaction */

/* ---- the tables ---- */

/* An id is never used again. txn is a transaction's own id, by which it replaces its rows. */
#define CREATE_OUTBOX                                                                              \
	"CREATE TABLE IF NOT EXISTS \"%w\"." SQ_OUTBOX                                                 \
	" (id INTEGER PRIMARY KEY AUTOINCREMENT, txn BLOB UNIQUE, created_at REAL NOT NULL DEFAULT "   \
	"((julianday('now') - 2440587.5) * 86400.0), kind TEXT, data BLOB)"
#define CREATE_EPOCH "CREATE TABLE IF NOT EXISTS \"%w\"." SQ_EPOCH " " SQ_EPOCH_COLUMNS

static bool is_empty(sqlite3 *db, const char *schema, const char *table, bool *empty, sr_err *err)
{
	sqlite3_stmt *stmt = sq_prepare(db, err, "SELECT 1 FROM \"%w\".%s LIMIT 1", schema, table);

	if (stmt == NULL)
		return false;
	*empty = sqlite3_step(stmt) == SQLITE_DONE;
	return sqlite3_finalize(stmt) == SQLITE_OK ? true : sq_fail_sqlite(err, db, "SQLite");
}

bool sq_outbox_create(sqlite3 *db, const char *schema, sr_err *err)
{
	bool empty = false;

	if (sqlite3_db_readonly(db, schema) == 1)
		return sr_fail(err, SR_E_READONLY, "Open it for writing.",
					   "database \"%.100s\" is read-only: it cannot keep what its transactions owe "
					   "Redis",
					   schema);
	return sq_exec(db, err, CREATE_OUTBOX, schema) && sq_exec(db, err, CREATE_EPOCH, schema) &&
		   is_empty(db, schema, SQ_EPOCH, &empty, err) &&
		   (!empty ||
			sq_exec(db, err, "INSERT INTO \"%w\"." SQ_EPOCH " VALUES (1, randomblob(16))", schema));
}

/* ---- in xSync ---- */

static int code(sqlite3 *db)
{
	int rc = sqlite3_errcode(db);

	return rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_ERROR : rc;
}

/* An authorizer may deny it, or have it ignored: then nothing is written. */
static int refuse(sqlite3 *db, const sq_box *box, sr_err *err)
{
	int	   rc = code(db);
	sr_err why = *err;

	/* a table lock of a shared cache: like any other lock, COMMIT may be tried again */
	if (rc == SQLITE_LOCKED)
		return SQLITE_BUSY;
	/* what SQLite itself says of a full disk is clear, and it has rolled back already */
	if (rc != SQLITE_AUTH && rc != SQLITE_READONLY && rc != SQLITE_ERROR)
		return rc;
	sr_fail(err, SR_E_OPTION,
			"Allow the connection to write there, or redis_config('durability', 'memory').",
			"the outbox %.100s." SQ_OUTBOX " cannot be written: %.200s", box->schema, why.msg);
	return rc;
}

static int insert_row(sq_db *st, sq_box *box, uint32_t chunk, sr_err *err)
{
	sq_outbox	 *o = st->outbox;
	unsigned char txn[SQ_TXN_BYTES + 4];
	sqlite3_stmt *stmt = sq_prepare(st->db, err,
									"INSERT OR REPLACE INTO \"%w\"." SQ_OUTBOX
									"(txn, kind, data) VALUES (?1, 'effects', ?2)",
									box->schema);
	int			  rc;

	if (stmt == NULL)
		return refuse(st->db, box, err);
	memcpy(txn, o->txn, SQ_TXN_BYTES);
	for (int i = 0; i < 4; i++)
		txn[SQ_TXN_BYTES + i] = (unsigned char) (chunk >> (24 - 8 * i));
	sqlite3_bind_blob(stmt, 1, txn, sizeof txn, SQLITE_TRANSIENT);
	sqlite3_bind_blob64(stmt, 2, o->packed.data, o->packed.len, SQLITE_STATIC);
	sqlite3_set_last_insert_rowid(st->db, 0);
	sqlite3_step(stmt);
	rc = sqlite3_finalize(stmt);
	if (rc != SQLITE_OK)
	{
		sq_fail_sqlite(err, st->db, "SQLite");
		return refuse(st->db, box, err);
	}
	box->fresh_last = sqlite3_last_insert_rowid(st->db);
	if (box->fresh_last == 0)
	{
		sr_fail(err, SR_E_OPTION, "", "the authorizer has it ignored");
		return refuse(st->db, box, err);
	}
	if (box->fresh_first == 0)
		box->fresh_first = box->fresh_last;
	return SQLITE_OK;
}

/* Not all at once after a long outage: the application waits for its COMMIT. */
static int delete_delivered(sq_db *st, sq_box *box, sr_err *err)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3_int64 left = DELETE_ROWS;
	int			  rc = SQLITE_OK;

	for (int i = 0; rc == SQLITE_OK && i < box->count && left > 0; i++)
	{
		sq_taken *rows = &box->rows[i];

		if (!sq_taken_delivered(st, rows))
			continue;
		if (stmt == NULL)
			stmt = sq_prepare(st->db, err,
							  "DELETE FROM \"%w\"." SQ_OUTBOX " WHERE id BETWEEN ?1 AND ?2",
							  box->schema);
		if (stmt == NULL)
			return refuse(st->db, box, err);
		rows->cut = rows->last - rows->first < left ? rows->last : rows->first + left - 1;
		left -= rows->cut - rows->first + 1;
		sqlite3_bind_int64(stmt, 1, rows->first);
		sqlite3_bind_int64(stmt, 2, rows->cut);
		sqlite3_step(stmt);
		rc = sqlite3_reset(stmt);
	}
	if (rc != SQLITE_OK)
		sq_fail_sqlite(err, st->db, "SQLite");
	sqlite3_finalize(stmt);
	return rc == SQLITE_OK ? SQLITE_OK : refuse(st->db, box, err);
}

/* Is the schema's file changed by this transaction, and has it an outbox? What is in no file has no need. */
static bool takes_part(sq_db *st, const char *schema)
{
	return sqlite3_txn_state(st->db, schema) == SQLITE_TXN_WRITE &&
		   *sq_file(st->db, schema) != '\0' && sq_has_outbox(st->db, schema);
}

/* chunk 0 first: old rows go, and last comes an INSERT, so that changes() is 1 afterwards */
static int write_chunk(sq_db *st, uint32_t chunk, bool *written, sr_err *err)
{
	int			rc = SQLITE_OK;
	const char *schema;

	for (int i = 0; rc == SQLITE_OK && (schema = sq_schema(st->db, i)) != NULL; i++)
	{
		sq_box *box;

		if (i == 1 || !takes_part(st, schema))
			continue;
		box = sq_box_find(st, schema);
		if (box == NULL)
			return SQLITE_NOMEM;
		if (chunk == 0)
			rc = delete_delivered(st, box, err);
		if (rc == SQLITE_OK)
			rc = insert_row(st, box, chunk, err);
		*written = true;
	}
	return rc;
}

/* Nobody shall take a statement that changed nothing for one that did: changes() was 0. */
static void count_nothing(sq_db *st)
{
	const sq_outbox *o = st->outbox;

	for (int i = 0; i < o->count; i++)
		if (o->boxes[i]->fresh_last != 0)
		{
			sq_exec(st->db, NULL, "DELETE FROM \"%w\"." SQ_OUTBOX " WHERE 0", o->boxes[i]->schema);
			return;
		}
}

int sq_outbox_write(sq_db *st, bool *written, sr_err *err)
{
	sq_outbox	 *o = st->outbox;
	size_t		  at = 0, count = sr_inval_count(st->queue);
	sqlite3_int64 rowid = sqlite3_last_insert_rowid(st->db);
	bool		  zero = sqlite3_changes(st->db) == 0;
	int			  rc = SQLITE_OK;

	if (sr_without(IDEMPOTENT_SYNC) && o->has_txn)
		return SQLITE_OK;
	sq_outbox_begin(o);
	*written = false;
	if (sr_without(OUTBOX) || !sq_is_durable(&st->settings))
		return SQLITE_OK;
	if (!o->has_txn)
		sqlite3_randomness(SQ_TXN_BYTES, o->txn);
	o->has_txn = true;
	for (uint32_t chunk = 0; rc == SQLITE_OK && at < count && (chunk == 0 || *written); chunk++)
	{
		o->packed.len = 0;
		if (!sr_effects_pack(st->queue, &at, ROW_BYTES, &o->packed))
		{
			sr_fail_memory(err);
			rc = SQLITE_NOMEM;
		}
		else
			rc = write_chunk(st, chunk, written, err);
	}
	if (o->packed.cap > 65536)
		sr_buf_free(&o->packed);
	if (rc == SQLITE_OK && *written && zero)
		count_nothing(st);
	sqlite3_set_last_insert_rowid(st->db, rowid);
	return rc;
}
