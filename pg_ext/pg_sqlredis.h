/*
 * pg_sqlredis.h - what the files of the PostgreSQL adapter share; one section per .c file.
 *
 * A backend has one client and one queue of keys. The core is never longjmped through: an error
 * raised while it waits is kept by host.c and raised again by client.c when the core has returned.
 */
#ifndef SQLREDIS_PG_SQLREDIS_H
#define SQLREDIS_PG_SQLREDIS_H

#include "pg_compat.h"

#include <limits.h>

#include "core.h"

/* A buffer that grew beyond it for one key is not kept for the next. */
#define PG_KEEP_BYTES ((size_t) 1024 * 1024)

/* ---- host.c: how a backend waits ---- */

extern const sr_host pg_host;

/*
 * From now on waits are plain polls that nothing interrupts: in COMMIT, ABORT and at exit, where
 * raising would be a PANIC and no memory may be allocated.
 */
void pg_host_set_uninterruptible(bool on);
/* From now on all waits together end within ms; 0: no such limit. */
void pg_host_give_up_after(int64_t ms);
/* Raise what interrupted the core's last wait, if anything did. */
void pg_host_rethrow(void);

/* ---- config.c: the settings ---- */

typedef enum pg_on_error
{
	PG_ON_ERROR_RAISE,
	PG_ON_ERROR_NULL
} pg_on_error;

typedef enum pg_durability
{
	PG_DURABILITY_OUTBOX,
	PG_DURABILITY_MEMORY
} pg_durability;

typedef enum pg_commit_mode
{
	PG_COMMIT_SYNC,
	PG_COMMIT_ASYNC
} pg_commit_mode;

extern int pg_setting_on_error; /* pg_on_error */
extern int pg_setting_commit_timeout;
extern int pg_setting_durability;  /* pg_durability */
extern int pg_setting_commit_mode; /* pg_commit_mode */
extern int pg_setting_ring_size;   /* kB, of shared memory */

void pg_config_init(bool preloaded);
/* True when a setting changed since the last call of pg_config_read. */
bool pg_config_changed(void);
/* Read them again at the next use: a password may have been rotated. */
void pg_config_forget(void);
/*
 * The settings now, in memory that lives until the next call. False for a bad password file: then
 * they have no URL.
 */
bool pg_config_read(sr_settings *settings, sr_err *err);

/* ---- client.c: the backend's client, and errors ---- */

/* The client, configured; raises when the settings are wrong. Not for COMMIT. */
sr_client *pg_client(void);
/* The same, but what tells about the client (SR_ABOUT) gets it with wrong settings, too. */
sr_client *pg_client_for(const sr_command *cmd);
/*
 * The same for those who queue keys: wrong settings are no reason to fail a row's change, and what
 * is queued waits until they are right.
 */
sr_client *pg_client_for_queue(void);
/* The client if there is one, never raises. */
sr_client *pg_client_if_any(void);
/* Why the settings cannot be used; NULL: they can. */
const sr_err *pg_client_refusal(void);
/* What is not ASCII becomes '?': no conversion to a client's encoding can fail. */
void pg_err_to_ascii(sr_err *err);
/* Say err at a level below ERROR. */
void pg_log(int level, sr_err *err);
/* Raise err (or what interrupted the wait), as ERROR. */
void pg_raise(const sr_err *err) __attribute__((noreturn));
/*
 * A call of cmd failed: raise, or, when sqlredis.on_error lets a read fail open, warn once for this
 * outage and return.
 */
void pg_raise_or_null(const sr_command *cmd, const sr_err *err);
void pg_call_succeeded(void);
void pg_client_init(bool preloaded);

/* ---- values.c: Datums to the core's values and back ---- */

/* What one argument looks like, found once for a call site. */
typedef struct pg_input
{
	Oid		 type;
	bool	 bytes; /* bytea */
	bool	 text;	/* a varlena that holds text */
	FmgrInfo output;
} pg_input;

void pg_input_init(pg_input *input, Oid type, MemoryContext context);
/* Text or bytes for Redis; UTF-8 whatever the server's encoding. palloc'ed where it is not value's. */
void pg_value_from_datum(sr_value *value, pg_input *input, Datum datum);
void pg_value_from_text(sr_value *value, const char *data, size_t len);
/* value as a Datum of type; raises 22021 for text that is none, naming twin as the way out. */
Datum pg_datum_from_value(const sr_value *value, Oid type, const char *twin);

/* ---- arguments.c: what a function was called with ---- */

typedef struct pg_arguments
{
	int		  count;
	sr_value *values;
	Oid		  result; /* the type that the call site expects */
	/* The elements of a variadic array that are not among values yet: pg_arguments_more. */
	struct ArrayIteratorData *rest;
	pg_input				 *rest_input;
} pg_arguments;

/*
 * The arguments of a call of cmd, whose row's begin with argument first; raises for what PostgreSQL
 * finds wrong with them. Elements that give a row each (SR_NULLS) are left for pg_arguments_more.
 */
void pg_arguments_get(pg_arguments *out, FunctionCallInfo fcinfo, const sr_command *cmd, int first);
/* The same arguments with some of rest's elements, palloc'ed; false: there are none any more. */
bool pg_arguments_more(const pg_arguments *arguments, pg_arguments *out);

/* ---- rows.c: set-returning functions; aggregate.c, window.c ---- */

Datum pg_call_rows(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_aggregate(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_window(FunctionCallInfo fcinfo, const sr_command *cmd);
/* Prepare to return rows by tuplestore; then add rows with tuplestore_putvalues. */
struct Tuplestorestate *pg_materialize(FunctionCallInfo fcinfo, struct TupleDescData **desc);

/* ---- invalidate.c, tables.c, outbox.c, cached.c: the functions that know transactions and tables ---- */

Datum pg_call_invalidate(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_invalidate_tag(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_invalidate_pattern(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_on_commit(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_pending(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_outbox(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_outbox_drain(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_invalidate_on(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_invalidate_off(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_invalidations(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_cached(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_cache_get(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_cache_fill(FunctionCallInfo fcinfo, const sr_command *cmd);

/* ---- grant.c: redis_grant, redis_revoke ---- */

Datum pg_call_grant(FunctionCallInfo fcinfo, const sr_command *cmd);

/* ---- catalog.c: the extension's own tables in this database ---- */

typedef enum pg_own
{
	PG_OUTBOX, /* table sqlredis_outbox(id bigint, created_at timestamptz, effects bytea) */
	PG_OUTBOX_SEQUENCE, /* sqlredis_outbox_id */
	PG_EPOCH /* unlogged table sqlredis_epoch(epoch bytea, system_identifier bigint, database oid) */
} pg_own;

/*
 * Found by the extension, kept until the catalogue changes; InvalidOid: the extension is not in this
 * database, or its update has not been run. Needs a transaction; reads the catalogue with any snapshot.
 */
Oid	 pg_own_relation(pg_own which);
void pg_catalog_init(void);

/* ---- xact.c: the queue of this transaction ---- */

void pg_xact_init(void);
/* Queue a key, without prefix, in the server's encoding. True: it is new. Raises without memory. */
bool pg_queue_key(const char *key, size_t len);
/* The same for another effect, whole as the core wants it: a tag's record, a pattern. */
bool pg_queue_effect(sr_effect kind, const char *data, size_t len);
/* A command line that sr_line_admit let through. */
void			pg_queue_command(const sr_argv *cmd);
const sr_inval *pg_queue(void); /* NULL: nothing was ever queued */

/* ---- outbox.c: the table of what is owed; at heap level, for PRE_COMMIT and the worker ---- */

/*
 * Write effects of the running transaction's queue as rows (in chunks): in PRE_COMMIT, PRE_PREPARE.
 * false: this transaction cannot (read-only, recovery, no such table): memory mode for it.
 */
bool pg_outbox_write(const sr_inval *queue);
/* The outcome of that transaction: what was written is visible now, and delivered or not; or it is gone. */
void pg_outbox_committed(bool delivered);
void pg_outbox_aborted(void);

/* ---- shared.c: shared memory: breakers, the ring of async commits, databases that have to be drained ---- */

void pg_shared_init(void); /* while shared_preload_libraries is processed */
bool pg_shared_available(void);

/* ---- worker.c: the launcher and the drainers ---- */

void pg_worker_init(void); /* while shared_preload_libraries is processed */

/* ---- epoch.c: the database's side of the cache's epoch ---- */

/*
 * The epoch, made when crash recovery or a promotion emptied the table. False: none is to be had now
 * (recovery, no extension), why says it. May assign a transaction id when it makes one.
 */
bool pg_epoch(unsigned char out[SR_EPOCH_SIZE], sr_unfilled *why);

/* ---- lookup.c: templates that are queries ---- */

typedef struct pg_lookup pg_lookup;

/* ---- templates.c: a trigger's templates, compiled for its relation ---- */

typedef struct pg_templates pg_templates;

struct RelationData;
struct Trigger;
struct TupleTableSlot;

void pg_templates_init(void);
/* Compiled once for a trigger and a version of its relation. hint: the caller's fn_extra. */
pg_templates *pg_templates_get(struct RelationData *rel, const struct Trigger *trigger,
							   void **hint);
/* Queue the keys of the row in slot. The row has the relation's descriptor. */
void pg_templates_queue(pg_templates *templates, struct TupleTableSlot *slot);
/* The same for both versions of an updated row. */
void pg_templates_queue_update(pg_templates *templates, struct TupleTableSlot *before,
							   struct TupleTableSlot *after);
/* Output settings that make a column's text the same in every session, while rows are expanded. */
int	 pg_templates_begin(const pg_templates *templates);
void pg_templates_end(int nest_level);
/* Raise unless every template compiles and names columns of rel. */
void pg_templates_check(struct RelationData *rel, int count, char **texts);

#endif
