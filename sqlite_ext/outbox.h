/*
 * outbox.h - what the files of the outbox share: outbox.c, boxes.c, leftovers.c, drain.c. Nobody else
 * includes it.
 */
#ifndef SQLREDIS_OUTBOX_H
#define SQLREDIS_OUTBOX_H

#include "sqlredis.h"

/* ---- boxes.c: which rows of an outbox this connection delivers, or has delivered ---- */

typedef struct sq_taken
{
	sqlite3_int64 first, last; /* ids; no other rows are between them */
	sqlite3_int64 cut;		   /* the running transaction deletes up to here; 0: nothing */
	uint64_t	  number;	   /* of the courier; 0: delivered */
} sq_taken;

typedef struct sq_box
{
	char		 *schema, *file;
	uint64_t	  identity; /* of the file */
	int64_t		  version;	/* of its schema; 0: unknown */
	sq_taken	 *rows;		/* in order */
	int			  count, capacity;
	sqlite3_int64 fresh_first, fresh_last; /* of the running transaction; 0: none */
	sqlite3_int64 horizon;	 /* up to here every row was looked at: new ones have greater ids */
	sqlite3_int64 committed; /* the last id that a commit of this connection wrote */
} sq_box;

#define SQ_TXN_BYTES 16

struct sq_outbox
{
	sq_box		**boxes;
	int			  count;
	unsigned char txn[SQ_TXN_BYTES]; /* the running transaction's id */
	bool		  has_txn;
	sr_buf		  packed;
	int64_t		  next_look; /* ms; 0: there was none yet */
	bool		  looking;
};

/* The database of that number, 0 is main and 1 temp; NULL: no more. */
const char *sq_schema(sqlite3 *db, int i);
bool		sq_has_outbox(sqlite3 *db, const char *schema);
const char *sq_file(sqlite3 *db, const char *schema); /* "": it is in none */
/* What is known of a schema's outbox, which is read or written now; NULL without memory. */
sq_box *sq_box_find(sq_db *st, const char *schema);
/* Rows first to last, and none of others between them, are this connection's to deliver, or were. */
bool sq_box_take(sq_box *box, sqlite3_int64 first, sqlite3_int64 last, uint64_t number);
bool sq_box_has(const sq_box *box, sqlite3_int64 id);
/* Have the rows been delivered, so that only their deletion is due? */
bool sq_taken_delivered(sq_db *st, const sq_taken *rows);
bool sq_box_delivered(sq_db *st, const sq_box *box, sqlite3_int64 id);
/* Forget what an xSync did. */
void sq_outbox_begin(sq_outbox *o);

/* ---- leftovers.c: the rows that nobody delivers ---- */

#define SQ_RANGES 64

typedef struct sq_leftovers
{
	sq_db	 *st;
	sq_box	 *box;
	sr_inval *found, *one;
	/* the rows found, in order; each range of ids has nothing else in it */
	struct
	{
		sqlite3_int64 first, last;
	} ranges[SQ_RANGES];
	int			  range_count;
	sqlite3_int64 first, last; /* of the range under way; 0: none */
	size_t		  rows, bytes;
	int			  refused;
	sr_err		  refusal; /* the first */
} sq_leftovers;

/* A row: id, created_at, kind, data. After an id, at most so many. */
#define SQ_ROWS_OF                                                                                 \
	"SELECT id, created_at, kind, data FROM \"%w\"." SQ_OUTBOX                                     \
	" WHERE id > %lld ORDER BY id LIMIT %d"

bool sq_leftovers_begin(sq_leftovers *l, sq_db *st, const char *schema, sr_err *err);
void sq_leftovers_end(sq_leftovers *l);
/* Add a row's effects to those found, unless this connection may not deliver them. */
bool sq_leftovers_add(sq_leftovers *l, sqlite3_stmt *row, sr_err *err);
void sq_leftovers_include(sq_leftovers *l, sqlite3_int64 id); /* the row is in the range */
void sq_leftovers_pass(sq_leftovers *l); /* the row is none: the range before it ends */
bool sq_leftovers_full(const sq_leftovers *l, size_t rows);
/* What a row says; err: nobody understands it. */
bool sq_read_row(sq_db *st, sqlite3_stmt *row, sr_inval *into, sr_err *err);
bool sq_may_deliver(sq_db *st, const sr_inval *effects, sr_err *err);

#endif
