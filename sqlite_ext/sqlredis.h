/*
 * sqlredis.h - the SQLite adapter's internal header; one section per .c file.
 *
 * The adapter knows SQLite and the core's API, and nothing of sockets, RESP or TLS. All state hangs
 * off one sq_db for each sqlite3*, which the registered functions and modules share and the last of
 * them frees when SQLite closes the connection. SQLite's own mutex keeps it to one thread at a time.
 */
#ifndef SQLREDIS_SQLITE_H
#define SQLREDIS_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3ext.h>
#ifndef SQ_MAIN
SQLITE_EXTENSION_INIT3
#endif

#include "core.h"

/* ---- config.c: redis_config ---- */

typedef struct sq_settings
{
	char   *url; /* malloc'ed texts; NULL: not set */
	char   *password;
	char   *key_prefix;
	char   *invalidate_keys;		 /* glob patterns, comma separated */
	char   *on_error;				 /* "error" (also NULL) or "null" */
	char   *trigger_mode;			 /* "main" (also NULL), "temp" or "outbox" */
	char   *durability;				 /* "outbox" (also NULL) or "memory" */
	char   *commit_mode;			 /* "sync" (also NULL) or "async" */
	int64_t trigger_commands;		 /* 1: triggers of a file may call redis_on_commit */
	int64_t cache_lease, cache_wait; /* ms */
	int64_t connect_timeout, command_timeout, commit_timeout; /* ms */
	int64_t retries, max_reply, pending_max;
	/* of the recipes; texts may be empty, NULL: not set */
	char   *rate_limit_prefix, *idempotent_prefix, *queue_prefix, *session_prefix, *bullmq_prefix;
	char   *rate_limit_tiers, *rate_limit_buckets;
	char   *rate_limit_on_error; /* "open" (also NULL), "closed" or "error" */
	char   *queue_mode;			 /* "job" (also NULL) or "list" */
	int64_t hold;				 /* ms */
	int64_t queue_attempts, daily_quota, quota_warning;
} sq_settings;

typedef struct sq_db sq_db;

void sq_settings_init(sq_settings *s);
void sq_settings_free(sq_settings *s);
bool sq_fails_open(const sq_settings *s);		   /* on_error = null */
bool sq_wants_temp_triggers(const sq_settings *s); /* trigger_mode = temp */
bool sq_wants_outbox_triggers(const sq_settings *s);
bool sq_is_durable(const sq_settings *s);
bool sq_is_async(
	const sq_db *st); /* and holds nothing, which it must know to be kept or given back */
/* May redis_invalidate name this key? err says why not. scratch is overwritten. */
bool sq_key_allowed(const sq_settings *s, const char *key, size_t len, sr_buf *scratch,
					sr_err *err);
void sq_config(sqlite3_context *ctx, int argc, sqlite3_value **argv);
/* Hand changed settings to the client. A malformed URL fails every later call, not this one. */
void sq_configure(sq_db *st);
/* patient: it comes back by itself, and need not dial more than once. */
void sq_configure_client(const sq_db *st, sr_client *client, bool patient);

/* ---- main.c: the connection's state ---- */

struct sq_db
{
	sqlite3	   *db;
	int			refs;
	sr_client  *client;
	sq_settings settings;
	bool		configured; /* the client has the settings */
	bool		warned;		/* of this outage, when reads fail open */

	/* txn.c */
	sr_inval *queue;	/* keys of the running transaction, prefixed */
	bool	  enlisted; /* SQLite will tell us how the transaction ends */
	bool	  begun;	/* SQLite took the table into the transaction */
	bool	  dialled;	/* in this transaction */
	bool	  outboxed; /* the running transaction's queue is in an outbox */
	int		  depth;	/* of savepoints */
	int		  instances;
	sr_buf	  scratch; /* a prefixed key */
	sr_inval *spare;   /* empty, for effects on their way from here to there */

	/* bound.c */
	sr_holds *holds;  /* of the running transaction; NULL: it never had any */
	sr_owner  holder; /* the process whose they are */

	/* outbox.c, courier.c */
	struct sq_outbox  *outbox;
	struct sq_courier *courier; /* NULL: nothing has needed one */

	/* epoch.c */
	unsigned char epoch[SR_EPOCH_SIZE];
	unsigned char own_epoch[SR_EPOCH_SIZE]; /* random: of a database that is in no file */
	int64_t		  epoch_at;					/* ms, when it was looked up; 0: never */

	/* cached.c, leases.c */
	struct sq_lease *leases;	   /* whose statement still runs */
	int				 cached_depth; /* queries of redis_cached inside each other */

	/* host.c */
	bool	no_sql;		/* inside a commit or close: nothing may be asked of SQLite */
	int64_t give_up_at; /* every wait ends then; 0: no such limit */
};

/* What a function or module registered with SQLite points to; each holds a reference. */
typedef struct sq_function
{
	sq_db			 *st;
	const sr_command *cmd;
	void (*scalar)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
	bool direct_only;
} sq_function;

sq_function *sq_function_new(sq_db *st, const sr_command *cmd); /* NULL without memory */
void		 sq_function_free(void *function);					/* an xDestroy */

/* The client, configured and free to be used; NULL and err when a call is under way. */
sr_client *sq_client(sq_db *st, sr_err *err);
/* The same to queue something: nothing is sent, and what waits goes on waiting. */
sr_client *sq_client_to_queue(sq_db *st, sr_err *err);

/* ---- host.c ---- */

sr_host sq_host(sq_db *st);
bool	sq_interrupted(const sq_db *st); /* by sqlite3_interrupt */
void	sq_log(const sr_err *err);

/* ---- values.c: SQLite's values and the core's ---- */

/* Borrows v's memory. false: no memory. */
bool sq_value_in(sqlite3_value *v, const sr_arg *arg, sr_value *out);
/* Text or bytes of a value, whatever its type; NULL without memory. */
const char *sq_bytes(sqlite3_value *v, size_t *len);
void		sq_result_value(sqlite3_context *ctx, const sr_value *v);
/* "class word: message (hint)" */
void  sq_result_error(sqlite3_context *ctx, const sr_err *err);
char *sq_error_text(const sr_err *err); /* sqlite3_malloc'ed */
/* Is it one number, 'text' or x'bytes' of SQL, and so the same wherever it stands? */
bool sq_is_literal(const char *sql);
/* SQLite's own failure as ours; false. */
bool sq_fail_sqlite(sr_err *err, sqlite3 *db, const char *doing);

/* ---- functions.c, aggregates.c, tables.c ---- */

int sq_register_functions(sq_db *st);
int sq_register_aggregates(sq_db *st);
int sq_register_tables(sq_db *st);
/* A read failed: does it give NULL (or no rows) instead? Logs once an outage. */
bool sq_forgive(sq_db *st, const sr_command *cmd, const sr_err *err);

/* Is it SQL of the application that calls, and not the schema of a file? err says why not. (guard.c) */
bool sq_call_is_direct(sqlite3_context *ctx, const sr_command *cmd, sr_err *err);
bool sq_call_is_of_no_file(sqlite3_context *ctx, const sr_command *cmd, sr_err *err);
/* The same, unless trigger_commands is set: may it command Redis? */
bool sq_call_is_trusted(sqlite3_context *ctx, sr_err *err);

/* A source of rows; next is 1 row, 0 end, -1 err. */
typedef struct sq_rows sq_rows;
struct sq_rows
{
	int (*next)(sq_rows *rows, const sr_value **cells, sr_err *err);
	void (*close)(sq_rows *rows);
};

/* ---- arguments.c: the arguments of a function that gives rows ---- */

#define SQ_MAX_ARGUMENTS 127 /* as many as SQLite allows a function, but for its latest versions */

typedef struct sq_table
{
	sqlite3_vtab	   base;
	const sq_function *f;
	int				   columns;	  /* visible; the arguments follow, hidden */
	int				   arguments; /* as many as there can be */
	int				   fixed;	  /* those before the variadic one */
	int key_column;				  /* the visible column that names a variadic argument too, or -1 */
} sq_table;

/*
 * idxNum: the fixed arguments given, a bit each; how many variadic ones; whether a last value is that
 * of the key column, or a set of such; 1 + the first argument that SQLite compares with the row as
 * well, so that it must not be NULL, or 0. Or SQ_PLAN_REFUSED, and idxStr is the error to give.
 */
#define SQ_PLAN_REFUSED		   (-1)
#define SQ_PLAN_COUNT		   8
#define SQ_PLAN_KEY			   (1 << 16)
#define SQ_PLAN_SET			   (1 << 17)
#define SQ_PLAN_COMPARED	   18
#define SQ_PLAN_VARIADIC(plan) ((plan) >> SQ_PLAN_COUNT & 0xff)

void		  sq_table_init(sq_table *t, const sq_function *f);
char		 *sq_table_declaration(const sq_table *t);
const sr_arg *sq_argument(const sq_table *t, int i);
int			  sq_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info);

/* ---- keys.c ---- */

/* Rows for one value of the key column, or for a set of them (sqlite3_vtab_in). args outlive the rows. */
sq_rows *sq_keys_open(const sq_function *f, int fixed, const sr_value *args, sqlite3_value *value,
					  bool set, sr_err *err);

/* ---- txn.c: the virtual table that is told how transactions end ---- */

#define SQ_TXN_TABLE "sqlredis_transaction" /* of the module and of the table in temp */

int sq_register_txn(sq_db *st);
/* Does what is queued now belong to a transaction that can still roll back? */
bool sq_txn_running(const sq_db *st);
/* Make sure that SQLite tells us how the running transaction ends. */
bool sq_txn_enlist(sq_db *st, sr_err *err);

/* ---- bound.c: functions that take part in the transaction, and what it holds in Redis ---- */

typedef struct sq_binding
{
	sr_bound		bound;
	const sr_bound *before;
	bool			send_now; /* there is no transaction */
} sq_binding;

/*
 * Around a call of the core that is bound: *b stays where it is until sq_unbind, which sends what was queued
 * when there is no transaction; not done: the call failed. After a false there is nothing to unbind.
 */
bool sq_bind(sq_db *st, sq_binding *b, sr_err *err);
void sq_unbind(sq_db *st, const sq_binding *b, bool done);
bool sq_is_holding(const sq_db *st);
void sq_holds_after_fork(sq_db *st);
/* In xSync, over the connection there is: false: the transaction must not commit. */
bool sq_holds_keep(sq_db *st, sr_err *err);
void sq_holds_committed(sq_db *st);
void sq_holds_rolled_back(sq_db *st, int n); /* to the savepoint n; -1: all */
void sq_holds_released(sq_db *st, int n);
void sq_holds_free(sq_db *st);

/* ---- outbox.c: the tables sqlredis_outbox and sqlredis_epoch of a database file ---- */

#define SQ_OUTBOX "sqlredis_outbox" /* (id, txn, created_at, kind, data) */
#define SQ_EPOCH  "sqlredis_epoch"	/* (id, epoch): one row, 16 random bytes */

/*
 * Create both in the schema where they are missing: an ordinary change of the running transaction. Rows of
 * the outbox are written only where there is a file; a plain SQL trigger's are delivered from anywhere.
 */
bool sq_outbox_create(sqlite3 *db, const char *schema, sr_err *err);

typedef struct sq_outbox sq_outbox;

sq_outbox *sq_outbox_new(void); /* NULL without memory */
void	   sq_outbox_free(sq_outbox *o);
/*
 * In xSync: write the queue into every file that this transaction changes and that has an outbox, in
 * place of what an earlier xSync of the same transaction wrote; delete delivered rows. Not SQLITE_OK: the
 * transaction must not commit, err says why. *written: there is a row.
 */
int sq_outbox_write(sq_db *st, bool *written, sr_err *err);
/*
 * How the transaction ended. number: of what was given to the courier; 0: delivered; SQ_UNTAKEN: nobody
 * will deliver the rows but who finds them in the outbox.
 */
#define SQ_UNTAKEN UINT64_MAX
void sq_outbox_committed(sq_db *st, uint64_t number);
void sq_outbox_rolled_back(sq_db *st);
/* Nobody delivers what was given to a courier: this process is a child of the one that did. */
void sq_outbox_forget(sq_db *st);

/* ---- leftovers.c: what others left in an outbox; drain.c: redis_outbox and redis_outbox_drain ---- */

/*
 * Look for rows that nobody delivers, of crashed processes and of plain SQL, where that takes no lock that
 * is not there already. in_sync: inside xSync. Once a second at most.
 */
void sq_outbox_look(sq_db *st, bool in_sync);
/* The settings changed: rows that could not be delivered under the old ones may be now. */
void	 sq_outbox_look_again(sq_db *st);
void	 sq_outbox_note(sq_db *st); /* depth and age, for redis_stats */
sq_rows *sq_outbox_open(sq_db *st, sr_err *err);
void	 sq_outbox_drain(sqlite3_context *ctx, int argc, sqlite3_value **argv);

/* ---- courier.c: a thread that delivers what could not be sent, and never opens SQLite ---- */

typedef struct sq_courier sq_courier;

void sq_courier_configure(sq_db *st);
void sq_courier_close(sq_db *st);
/* In a forked child there is none: nobody delivers what this connection gave to it. */
void sq_courier_after_fork(sq_db *st);

/* ---- dispatch.c: how effects leave a connection ---- */

/*
 * Give all effects to the courier, and get the number by which to ask for them; 0: there is no thread or
 * no room, and they stay. safe: an outbox has them, too.
 */
uint64_t sq_courier_give(sq_db *st, sr_inval *effects, bool safe);
bool   sq_courier_settled(const sq_db *st, uint64_t number); /* everything up to it is delivered */
bool   sq_courier_behind(const sq_db *st);					 /* something given is not settled */
size_t sq_courier_held(const sq_db *st);					 /* effects that it has not delivered */
uint64_t sq_courier_sent(const sq_db *st);
/* How often delivery failed since it succeeded, and why. */
uint64_t sq_courier_attempts(const sq_db *st, sr_err *failure);

/*
 * What earlier commits could not deliver, or left to the courier, goes before a call of this connection:
 * it reads what it has written. A Redis that is away fails nothing here.
 */
void sq_catch_up(sq_db *st);
/* Deliver the queue, in no transaction; logs what could not be. */
void sq_send(sq_db *st);
/*
 * The client's backlog goes to the courier. safe: it need not be kept at any price. The number by which to
 * ask for it; 0: without a thread it stays, and goes with the next call.
 */
uint64_t sq_hand_over(sq_db *st, bool safe);
/* A commit is near: it does not dial. Waits for commit_timeout at most. */
void sq_prepare_delivery(sq_db *st);
/*
 * Deliver the queue of a transaction that is committed. outboxed: a file has it, too; then what finds no
 * room is left to whoever looks there. The number by which to ask for it, 0: all is done; or SQ_UNTAKEN.
 */
uint64_t sq_deliver(sq_db *st, bool outboxed);

/* ---- epoch.c: the database's side of the cache's epoch ---- */

/* Of the table with a file's part of it, one row, as sq_outbox_create makes it. */
#define SQ_EPOCH_COLUMNS "(id INTEGER PRIMARY KEY CHECK (id = 1), epoch BLOB NOT NULL)"

/* Another one for another file, also one that is put in its place. */
uint64_t sq_file_identity(const char *path);
bool	 sq_epoch(sq_db *st, unsigned char out[SR_EPOCH_SIZE], sr_unfilled *why);

/* ---- query.c: the query that redis_cached was given ---- */

typedef struct sq_answer
{
	sr_value value; /* NULL or TEXT, which may be any bytes */
	sr_buf	 text;
	bool	 writes; /* it may have changed the database */
	int		 code;	 /* after a failure: SQLite's code, when err has SQLite's own words; else 0 */
} sq_answer;

/* One statement, one column, at most one row; as many args as it has parameters. Free also after false. */
bool sq_answer_query(sqlite3 *db, const char *sql, size_t len, int n, sqlite3_value **args,
					 sq_answer *out, sr_err *err);
void sq_answer_free(sq_answer *answer);

/* ---- cached.c: redis_cached; leases.c: redis_cache_get, redis_cache_fill ---- */

void sq_cached(sqlite3_context *ctx, int argc, sqlite3_value **argv);
/* Will this transaction invalidate the key? Then what is cached is not what it would read. */
bool sq_will_invalidate(sq_db *st, const char *key, size_t len);
/* Why Redis does not say, SR_OK: it does. Into the log, once an outage. */
void sq_note_cache(sq_db *st, const sr_err *err);
/* Give a lease back, although the statement is interrupted. */
void	 sq_lease_release(sq_db *st, const char *key, size_t len, const char *lease);
void	 sq_cache_fill(sqlite3_context *ctx, int argc, sqlite3_value **argv);
sq_rows *sq_cache_get_open(sq_db *st, const sr_value *key, sr_err *err);

/* ---- invalidate.c ---- */

void	 sq_invalidate(sqlite3_context *ctx, int argc, sqlite3_value **argv);
void	 sq_invalidate_tag(sqlite3_context *ctx, int argc, sqlite3_value **argv);
void	 sq_invalidate_pattern(sqlite3_context *ctx, int argc, sqlite3_value **argv);
void	 sq_on_commit(sqlite3_context *ctx, int argc, sqlite3_value **argv);
sq_rows *sq_pending_open(sq_db *st, sr_err *err);
/*
 * Make sure of it that what is queued now is sent at commit; *send_now: there is no transaction, and the caller
 * sends it. false: err, and nothing may be queued.
 */
bool sq_prepare_queue(sq_db *st, bool *send_now, sr_err *err);
/* How long the key prefix is with which an effect begins; 0: it has none, or another one. */
size_t sq_prefix_of(const sq_db *st, sr_effect kind, const char *data, size_t len);

/* ---- relation.c: a table, its columns and what makes its rows unique ---- */

typedef struct sq_column
{
	char *name;
	char *type; /* as declared, "" when it has none */
	/* NOT NULL with a default, which is what OR REPLACE puts in the place of a NULL; else NULL */
	char *fallback;
	int	  hidden;
} sq_column;

typedef struct sq_unique
{
	int	   count;
	char **columns;
	char **collations;
	bool   opaque; /* a trigger cannot tell what it will hold: its victims cannot be looked up */
} sq_unique;

typedef struct sq_relation
{
	char	  *schema;
	char	  *name;
	sq_column *columns;
	int		   column_count;
	sq_unique *uniques;
	int		   unique_count;
	/* "rowid", "_rowid_" or "oid": whichever is no column; NULL: WITHOUT ROWID or all three are */
	const char *rowid;
} sq_relation;

/* Resolve 't', '"t"', 'aux.t' ... as SQLite would, and read it. */
bool sq_relation_find(sqlite3 *db, const char *text, sq_relation *out, sr_err *err);
/* By exact names. */
bool sq_relation_read(sqlite3 *db, const char *schema, const char *name, sq_relation *out,
					  sr_err *err);
void sq_relation_free(sq_relation *r);
/* The name as redis_invalidate_on takes it: sqlite3_malloc'ed. */
char *sq_relation_text(const char *schema, const char *name);
/* -1: no such column */
int sq_relation_column(const sq_relation *r, const char *name);
/* Changes with what triggers are generated from. */
uint64_t sq_relation_fingerprint(const sq_relation *r);

/* ---- statement.c ---- */

/* sqlite3_mprintf's format; NULL and err on failure. */
sqlite3_stmt *sq_prepare(sqlite3 *db, sr_err *err, const char *fmt, ...);
bool		  sq_exec(sqlite3 *db, sr_err *err, const char *fmt, ...);
bool		  sq_pragma_is_on(sqlite3 *db, const char *name);
/* A copy of a column's text, "" for NULL: sqlite3_malloc'ed. */
char *sq_column_copy(sqlite3_stmt *stmt, int i);

/* ---- triggers.c, templates.c, generate.c, bodies.c, tracked.c: redis_invalidate_on and its kin ---- */

#define SQ_MARKER "BEGIN /* sqlredis 1 "

/* How a trigger hands a key over. */
typedef enum sq_mode
{
	SQ_MODE_MAIN,  /* it calls redis_invalidate */
	SQ_MODE_TEMP,  /* the same, as a TEMP trigger */
	SQ_MODE_OUTBOX /* it writes a row of sqlredis_outbox, for whoever has the extension */
} sq_mode;

typedef struct sq_template
{
	sr_template *key;	/* 'user:{id}', or */
	sr_query	*query; /* 'SELECT ...', and */
	int			 width; /* how many columns it gives; the first is the key */
} sq_template;

typedef struct sq_plan
{
	const sq_relation *relation;
	sq_template		  *templates;
	int				   template_count;
	char			  *json; /* the templates as a JSON array that may stand in a comment */
	sq_mode			   mode;
	char			  *stem; /* of the triggers' names */
} sq_plan;

/* What a marker says of where its trigger is: its schema in hex in a TEMP trigger, or one of these. */
#define SQ_TAG_MAIN	  "-"
#define SQ_TAG_OUTBOX "outbox"

/* The n-th CREATE TRIGGER statement: sqlite3_malloc'ed; NULL when there are no more. */
char *sq_generate(const sq_plan *plan, int n, sr_err *err);
int	  sq_generate_count(const sq_plan *plan);

/* bodies.c: statements for a trigger's body; false: no memory. */
bool sq_body_keys(sqlite3_str *sql, const sq_plan *plan, const char *rows); /* "N", "ON", "O" */
bool sq_body_queries(sqlite3_str *sql, const sq_plan *plan, char row);
bool sq_body_victims(sqlite3_str *sql, const sq_plan *plan, bool update);

/* templates.c: false: err says what is wrong with them. sq_templates_free also after false. */
bool sq_templates_compile(sq_plan *plan, sqlite3_value **argv, sr_err *err);
/* Find out what each query gives, within the savepoint of a change. */
bool sq_templates_measure(sqlite3 *db, sq_plan *plan, sr_err *err);
void sq_templates_free(sq_plan *plan);

void	 sq_invalidate_on(sqlite3_context *ctx, int argc, sqlite3_value **argv);
void	 sq_invalidate_off(sqlite3_context *ctx, int argc, sqlite3_value **argv);
sq_rows *sq_tracked_open(sq_db *st, sr_err *err);

#endif
