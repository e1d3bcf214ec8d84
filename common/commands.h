/*
 * commands.h - part of core.h: the table of SQL functions, commands.def, one row a command, how its
 * functions are called, and what takes many keys or rows at once (fetch.c, batch.c). core.h includes
 * it; nobody else needs to.
 */
#ifndef SQLREDIS_COMMANDS_H
#define SQLREDIS_COMMANDS_H

#include "core.h"

typedef enum sr_argkind
{
	SR_ARG_KEY,		/* gets the key prefix */
	SR_ARG_PATTERN, /* a glob over keys: likewise */
	SR_ARG_VALUE,	/* text or bytes */
	SR_ARG_TEXT,
	SR_ARG_INTEGER,
	SR_ARG_DOUBLE,
	SR_ARG_TTL,		 /* seconds -> ms, at least 1 ms */
	SR_ARG_AT,		 /* seconds since the epoch -> ms */
	SR_ARG_WORD,	 /* one of words, sent as it is */
	SR_ARG_FLAG,	 /* a boolean: words is sent when it is true */
	SR_ARG_BOUND,	 /* of a range of scores: a number, or text: "(1.5", "-inf" */
	SR_ARG_JSON,	 /* a JSON document; never sent as it is */
	SR_ARG_KEY_LIST, /* an array (PostgreSQL: text[], SQLite: a JSON array) of keys */
	SR_ARG_LIST,	 /* the same of values */
	SR_ARG_RELATION	 /* a table: the adapter resolves it */
} sr_argkind;

#define SR_OPTIONAL 0x01
#define SR_VARIADIC 0x02 /* the last argument, at least one */
#define SR_PAIRS	0x04 /* variadic: field, value, field, value ...: at least two */
#define SR_EARLY	0x08 /* sent right after the first argument, wherever SQL has it */

typedef struct sr_arg
{
	const char *name;
	sr_argkind	kind;
	unsigned	flags;
	const char *before; /* a literal sent before it when it is given ("PX"), or NULL */
	const char *dflt;	/* what is sent when it is left out, or NULL: nothing */
	const char *words;	/* SR_ARG_WORD: "NX|XX" */
} sr_arg;

typedef enum sr_shape
{
	SR_SHAPE_TEXT,	  /* bulk or status -> text; nil -> NULL */
	SR_SHAPE_OK,	  /* status -> true; nil -> false */
	SR_SHAPE_BOOLEAN, /* 1 / 0 */
	SR_SHAPE_INTEGER,
	SR_SHAPE_DOUBLE,
	SR_SHAPE_SECONDS, /* PTTL: -2 -> NULL, -1 -> -1, else ms -> seconds */
	SR_SHAPE_TYPE,	  /* "none" -> NULL */
	SR_SHAPE_JSON,
	SR_SHAPE_ROWS
} sr_shape;

typedef enum sr_type
{
	SR_TYPE_NULL,
	SR_TYPE_BOOLEAN, /* i */
	SR_TYPE_INTEGER, /* i */
	SR_TYPE_DOUBLE,	 /* d */
	SR_TYPE_TEXT,	 /* data, len: UTF-8 expected, bytes possible */
	SR_TYPE_BYTES,	 /* data, len */
	SR_TYPE_JSON,	 /* data, len: UTF-8 */
	SR_TYPE_LIST	 /* items, len of them: an argument only */
} sr_type;

typedef struct sr_value
{
	sr_type		type;
	int64_t		i;
	double		d;
	const char *data;
	size_t		len;
	/* SR_TYPE_LIST: texts, bytes or NULLs */
	const struct sr_value *items;
} sr_value;

typedef struct sr_column
{
	const char *name;
	sr_type		type;
	unsigned	flags;
} sr_column;

#define SR_COLUMN_DATA 0x01 /* of SR_TYPE_TEXT, may be bytes: bytea in a _bytea twin */

typedef enum sr_group
{
	SR_GROUP_PUBLIC, /* reaches nothing */
	SR_GROUP_READ,
	SR_GROUP_WRITE,
	SR_GROUP_ADMIN
} sr_group;

#define SR_READ		   0x01 /* changes nothing: resent after a broken connection */
#define SR_IDEMPOTENT  0x02 /* a repeat changes nothing, but for what others did since: not resent */
#define SR_BINARY	   0x04 /* PostgreSQL has a _bytea twin */
#define SR_ENGINE	   0x08 /* the adapter implements it (it knows transactions, tables, settings) */
#define SR_PG_ONLY	   0x10
#define SR_SQLITE_ONLY 0x20
#define SR_AGGREGATE   0x40	 /* over rows: batch.c sends the plain command for each, and sums up */
#define SR_WINDOW	   0x80	 /* PostgreSQL: a window function, the adapter's own */
#define SR_NULLS	   0x100 /* rows: a NULL in the variadic argument gives a row of NULLs */
#define SR_BOUND	   0x400 /* takes part in the transaction: sr_client_bind */
#define SR_ABOUT	   0x200 /* about the client itself: works with settings that cannot be used, too */

#define SR_MAX_ARGS	   8
#define SR_MAX_COLUMNS 8

typedef struct sr_command sr_command;
typedef struct sr_result  sr_result;
typedef struct sr_rows	  sr_rows;

/* A function that is more than one plain command. */
typedef bool (*sr_scalar_fn)(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
							 sr_result *out, sr_err *err);
typedef sr_rows *(*sr_rows_fn)(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
							   sr_err *err);

struct sr_command
{
	const char *name; /* SQL name */
	/*
	 * The command, or NULL: "GET", "OBJECT ENCODING"; what follows "..." is sent after the arguments:
	 * "ZRANGE ... WITHSCORES".
	 */
	const char	*redis;
	sr_arg		 args[SR_MAX_ARGS + 1]; /* ended by a NULL name */
	sr_shape	 shape;
	sr_column	 columns[SR_MAX_COLUMNS + 1];
	unsigned	 flags;
	sr_group	 group;
	sr_scalar_fn scalar; /* NULL: the plain command */
	sr_rows_fn	 rows;
};

/* Of every row; what only the documentation says of it is in sql/generate.c. (table.c) */
extern const sr_command sr_commands[];
extern const size_t		sr_command_count;

const sr_command *sr_command_find(const char *name);					  /* NULL: unknown */
int				  sr_command_arity(const sr_command *cmd, int *required); /* -1: variadic */
bool			  sr_arg_is_number(const sr_arg *arg); /* BOUND not: it may be text */

/* A scalar's value; data may point into what the result owns. */
struct sr_result
{
	sr_value  value;
	sr_reply *reply; /* owned */
	char	 *text;	 /* owned, malloc'ed */
};

void sr_result_free(sr_result *r);

/*
 * Call a function of the table that is not SR_ENGINE. KEY, PATTERN, VALUE, TEXT and WORD arguments
 * come as TEXT or BYTES, numbers as INTEGER, DOUBLE or TEXT. args has one value per argument given, a
 * variadic one's following each other; left-out optional ones are SR_TYPE_NULL or missing. A NULL
 * required argument gives NULL and sends nothing. The caller frees *out, also after a failure.
 */
bool sr_invoke(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
			   sr_err *err);

/*
 * Rows: open, then next until 0. Every exchange is complete when a call returns, and a collection is
 * never held whole where Redis can give it in pages.
 */
sr_rows *sr_rows_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					  sr_err *err);
int	 sr_rows_next(sr_rows *rows, const sr_value **cells, sr_err *err); /* 1 row, 0 end, -1 err */
void sr_rows_close(sr_rows *rows);									   /* NULL is fine */

/* Refuse what would corrupt a connection shared by statements (SELECT, MULTI, SUBSCRIBE ...). */
bool sr_command_allowed(const sr_argv *cmd, sr_err *err);

/* ---- fetch.c: the values of many keys, as many at once as memory allows -------------------------- */

typedef struct sr_fetch sr_fetch;

sr_fetch *sr_fetch_new(sr_client *c); /* NULL without memory */
void	  sr_fetch_free(sr_fetch *f); /* NULL is fine */
/* How many keys one round should have: grows while values prove small, at least 1. */
size_t sr_fetch_room(const sr_fetch *f);
/* Forget the last round, then add a round's keys (copied; key NULL: the value will be NULL) ... */
void sr_fetch_begin(sr_fetch *f);
bool sr_fetch_add(sr_fetch *f, const char *key, size_t len, sr_err *err);
/* ... and get them, in one pipeline. A key that holds no string has no value, as MGET says. */
bool sr_fetch_run(sr_fetch *f, sr_err *err);
/*
 * The i-th key's value, NULL or TEXT, and the key as it was added, which lives until the next round. A
 * value lives until the next one is asked for: when the values turn out too large to be held
 * together, those that follow are fetched then, and NULL is returned if that fails. Ask in order.
 */
const sr_value *sr_fetch_value(sr_fetch *f, size_t i, sr_err *err);
const sr_value *sr_fetch_key(const sr_fetch *f, size_t i);

/* ---- batch.c: an aggregate's rows: one command each, sent in batches ------------------------------ */

/*
 * The buffer that collects the commands belongs to the client and is shared by all its batches, so
 * that a million groups of one row need no million buffers. Zeroed is not initialised.
 */
typedef struct sr_batch
{
	sr_client		  *client;
	const sr_command  *cmd;
	int64_t			   total;	 /* the sum of the replies: statuses count 1, integers themselves */
	uint64_t		   answered; /* commands that succeeded */
	uint64_t		   waiting;	 /* commands in the buffer */
	struct sr_failure *failure;	 /* the first one; malloc'ed */
} sr_batch;

void sr_batch_init(sr_batch *b, sr_client *c, const sr_command *cmd);
/*
 * One row. A NULL key or value is skipped, as aggregates do. Sends when the buffer is full; then, and
 * in sr_batch_finish, false is the first failure: which key, what Redis said, and how many succeeded.
 */
bool sr_batch_add(sr_batch *b, int n, const sr_value *args, sr_err *err);
bool sr_batch_finish(sr_batch *b, int64_t *total, sr_err *err);
/* Forget what was not sent, and the batch: always the last call, also after finish. Never does I/O. */
void sr_batch_drop(sr_batch *b);

#endif
