/*
 * boxes.c - which rows of each outbox this connection delivers, or has delivered and still has to delete.
 * In memory only: outbox.c and leftovers.c read and write the rows.
 *
 * Who may write to a file writes one transaction after the other, and AUTOINCREMENT gives no id twice: so
 * the ids are in the order of the commits, and below an id that was seen no new one comes.
 */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

/* Before SQLite 3.39 nothing but a statement names the attached ones: those have no outbox then. */
const char *sq_schema(sqlite3 *db, int i)
{
#if SQLITE_VERSION_NUMBER >= 3039000
	if (sqlite3_libversion_number() >= 3039000)
		return sqlite3_db_name(db, i);
#endif
	(void) db;
	return i == 0 ? "main" : i == 1 ? "temp" : NULL;
}

/*
 * Not a view, and not a table of another kind by that name. Asking for a column of a virtual table that is
 * not connected yet crashes SQLite 3.53 (sqlite3ColumnIndex), so that is left to a statement, which connects it.
 */
bool sq_has_outbox(sqlite3 *db, const char *schema)
{
	sqlite3_stmt *stmt;
	bool		  has;

	if (sqlite3_table_column_metadata(db, schema, SQ_OUTBOX, NULL, NULL, NULL, NULL, NULL, NULL) !=
		SQLITE_OK)
		return false;
	stmt = sq_prepare(db, NULL, "SELECT txn FROM \"%w\"." SQ_OUTBOX, schema);
	has = stmt != NULL && sqlite3_table_column_metadata(db, schema, SQ_OUTBOX, "txn", NULL, NULL,
														NULL, NULL, NULL) == SQLITE_OK;
	sqlite3_finalize(stmt);
	return has;
}

const char *sq_file(sqlite3 *db, const char *schema)
{
	const char *file = sqlite3_db_filename(db, schema);

	return file != NULL ? file : "";
}

/* ---- what is known of an outbox ---- */

sq_outbox *sq_outbox_new(void)
{
	return calloc(1, sizeof(sq_outbox));
}

static void free_box(sq_box *box)
{
	sqlite3_free(box->schema);
	sqlite3_free(box->file);
	free(box->rows);
	free(box);
}

void sq_outbox_free(sq_outbox *o)
{
	for (int i = 0; i < o->count; i++)
		free_box(o->boxes[i]);
	free(o->boxes);
	sr_buf_free(&o->packed);
	free(o);
}

static sq_box *new_box(sq_outbox *o, const char *schema)
{
	sq_box **boxes = realloc(o->boxes, (size_t) (o->count + 1) * sizeof *boxes);
	sq_box	*box = calloc(1, sizeof *box);

	if (boxes != NULL)
		o->boxes = boxes;
	if (box != NULL)
		box->schema = sqlite3_mprintf("%s", schema);
	if (boxes == NULL || box == NULL || box->schema == NULL)
	{
		if (box != NULL)
			sqlite3_free(box->schema);
		free(box);
		return NULL;
	}
	o->boxes[o->count++] = box;
	return box;
}

static int64_t schema_version(sqlite3 *db, const char *schema)
{
	sqlite3_stmt *stmt = sq_prepare(db, NULL, "PRAGMA \"%w\".schema_version", schema);
	int64_t		  version = 0;

	if (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW)
		version = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return version;
}

/*
 * Is it still the outbox whose ids are known: of the file that was attached, and not dropped and made anew,
 * which cannot be without a change of the schema? If not, nothing is known. That rows are delivered twice
 * does no harm; that rows are deleted because others had their ids does.
 */
static bool know(sq_box *box, sqlite3 *db)
{
	const char *file = sq_file(db, box->schema);
	uint64_t	identity = sq_file_identity(file);
	int64_t		version = schema_version(db, box->schema);
	char	   *copy;

	if (box->file != NULL && strcmp(box->file, file) == 0 && box->identity == identity &&
		box->version == version)
		return true;
	copy = sqlite3_mprintf("%s", file);
	sqlite3_free(box->file);
	box->file = copy;
	box->identity = identity;
	box->version = version;
	box->count = 0;
	box->fresh_first = box->fresh_last = box->horizon = box->committed = 0;
	return copy != NULL;
}

/* A cursor may keep the box: it is never replaced. */
sq_box *sq_box_find(sq_db *st, const char *schema)
{
	sq_outbox *o = st->outbox;
	sq_box	  *box = NULL;

	for (int i = 0; box == NULL && i < o->count; i++)
		if (strcmp(o->boxes[i]->schema, schema) == 0)
			box = o->boxes[i];
	if (box == NULL)
		box = new_box(o, schema);
	return box != NULL && know(box, st->db) ? box : NULL;
}

/* The first entry that ends at id or behind it. */
static int find_taken(const sq_box *box, sqlite3_int64 id)
{
	int low = 0, high = box->count;

	while (low < high)
	{
		int middle = low + (high - low) / 2;

		if (box->rows[middle].last < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const sq_taken *taken_at(const sq_box *box, sqlite3_int64 id)
{
	int i = find_taken(box, id);

	return i < box->count && box->rows[i].first <= id ? &box->rows[i] : NULL;
}

bool sq_box_take(sq_box *box, sqlite3_int64 first, sqlite3_int64 last, uint64_t number)
{
	int		  at = find_taken(box, first);
	sq_taken *before = at > 0 ? &box->rows[at - 1] : NULL;

	if (before != NULL && before->last + 1 == first && (before->number == 0) == (number == 0))
	{
		before->last = last;
		before->number = number;
		return true;
	}
	if (box->count == box->capacity)
	{
		int		  capacity = box->capacity > 0 ? box->capacity * 2 : 16;
		sq_taken *rows = realloc(box->rows, (size_t) capacity * sizeof *rows);

		if (rows == NULL)
			return false;
		box->rows = rows;
		box->capacity = capacity;
	}
	memmove(box->rows + at + 1, box->rows + at, (size_t) (box->count - at) * sizeof *box->rows);
	box->rows[at] = (sq_taken){.first = first, .last = last, .number = number};
	box->count++;
	return true;
}

bool sq_box_has(const sq_box *box, sqlite3_int64 id)
{
	return taken_at(box, id) != NULL;
}

bool sq_taken_delivered(sq_db *st, const sq_taken *rows)
{
	return rows->number == 0 || sq_courier_settled(st, rows->number);
}

bool sq_box_delivered(sq_db *st, const sq_box *box, sqlite3_int64 id)
{
	const sq_taken *rows = taken_at(box, id);

	return rows != NULL && sq_taken_delivered(st, rows);
}

/* What an earlier xSync of this transaction did may have been rolled back to a savepoint since. */
void sq_outbox_begin(sq_outbox *o)
{
	for (int i = 0; i < o->count; i++)
	{
		o->boxes[i]->fresh_first = o->boxes[i]->fresh_last = 0;
		for (int j = 0; j < o->boxes[i]->count; j++)
			o->boxes[i]->rows[j].cut = 0;
	}
}

/* ---- the outcome ---- */

static void keep_uncut(sq_box *box)
{
	int kept = 0;

	for (int i = 0; i < box->count; i++)
	{
		sq_taken rows = box->rows[i];

		if (rows.cut != 0)
			rows.first = rows.cut + 1;
		rows.cut = 0;
		if (rows.first <= rows.last)
			box->rows[kept++] = rows;
	}
	box->count = kept;
}

void sq_outbox_committed(sq_db *st, uint64_t number)
{
	sq_outbox *o = st->outbox;

	for (int i = 0; i < o->count; i++)
	{
		sq_box *box = o->boxes[i];

		keep_uncut(box);
		if (box->fresh_last != 0)
			box->committed = box->fresh_last;
		/* without memory the row is found by a look */
		if (box->fresh_first != 0 && number != SQ_UNTAKEN)
			sq_box_take(box, box->fresh_first, box->fresh_last, number);
		box->fresh_first = box->fresh_last = 0;
	}
	o->has_txn = false;
}

void sq_outbox_rolled_back(sq_db *st)
{
	sq_outbox_begin(st->outbox);
	st->outbox->has_txn = false;
}

void sq_outbox_forget(sq_db *st)
{
	sq_outbox *o = st->outbox;

	for (int i = 0; i < o->count; i++)
	{
		o->boxes[i]->count = 0;
		o->boxes[i]->horizon = 0;
	}
}
