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

#include "datatype/timestamp.h"

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
/* What a wait for Redis, or of a worker for something to do, is called in pg_stat_activity. */
uint32 pg_host_wait_event(void);

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
extern int pg_setting_daily_quota;

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
/*
 * The same, but what tells about the client (SR_ABOUT), and what may only queue (SR_BOUND), gets it with wrong
 * settings, too.
 */
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

/* ---- report.c: what is said while nothing may be raised ---- */

/*
 * Run report(arg), which says something below ERROR in texts that are ASCII; whatever it raises is caught, and
 * what it adds of the context is left out. For COMMIT, and for what the core may not be longjmped out of.
 */
void pg_report_safely(void (*report)(void *), void *arg);
/* How sending after the commit went. durable: rows were written. */
void pg_report_commit(sr_flush_result *flushed, bool durable);

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
/*
 * What the core wrote into a buffer, palloc'ed; the buffer is freed. ok: it worked; else, and without memory
 * of our own, raises.
 */
char *pg_take_buf(sr_buf *from, bool ok, size_t *len);
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

/* ---- stats.c: what all sessions did, summed; its part in shared memory is in shared.h ---- */

/* Where this process counts, and all of them the day's commands; NULL: each client for itself. */
sr_stats *pg_stats_mine(void);
sr_day	 *pg_stats_day(void);
/* The process's client is no more. */
void  pg_stats_leave(void);
Datum pg_call_stats_total(FunctionCallInfo fcinfo, const sr_command *cmd);
Datum pg_call_stats_reset(FunctionCallInfo fcinfo, const sr_command *cmd);

/* ---- grant.c: redis_grant, redis_revoke ---- */

Datum pg_call_grant(FunctionCallInfo fcinfo, const sr_command *cmd);

/* ---- catalog.c: the extension's own tables in this database ---- */

typedef enum pg_own
{
	PG_OUTBOX, /* sqlredis_outbox(id bigint, created_at timestamptz, effects bytea) */
	PG_EPOCH /* unlogged table sqlredis_epoch(epoch bytea, system_identifier bigint, database oid) */
} pg_own;

/*
 * Found by the extension, kept until the catalogue changes; InvalidOid: the extension is not in this
 * database, or its update has not been run. Needs a transaction; reads the catalogue with any snapshot.
 */
Oid pg_own_relation(pg_own which);
/* Grows, never 0, when one of them may be another one, or have been emptied. */
uint64 pg_catalog_generation(void);
void   pg_catalog_init(void);

/* ---- xact.c: the queue of this transaction ---- */

void pg_xact_init(void);
/* Queue a key, without prefix, in the server's encoding. True: it is new. Raises without memory. */
bool pg_queue_key(const char *key, size_t len);
/* The same for a key that is an argument: UTF-8 or bytes. */
bool pg_queue_key_value(const sr_value *value);
/* The same for another effect, whole as the core wants it: a tag's record, a pattern. */
bool pg_queue_effect(sr_effect kind, const char *data, size_t len);
/* A command line that sr_line_admit let through. */
void			pg_queue_command(const sr_argv *cmd);
const sr_inval *pg_queue(void); /* NULL: nothing was ever queued */
/* For a function that queues by itself. Raises without memory. */
sr_inval *pg_queue_for_call(void);

/* ---- holds.c: what this transaction took in Redis, and the functions that do so ---- */

/* sr_invoke, sr_rows_open and sr_rows_next of a row that may be SR_BOUND; then they may raise. */
bool	 pg_invoke(sr_client *client, const sr_command *cmd, const pg_arguments *arguments,
				   sr_result *out, sr_err *err);
sr_rows *pg_rows_open(sr_client *client, const sr_command *cmd, const pg_arguments *arguments,
					  sr_err *err);
int	 pg_rows_next(sr_client *client, const sr_command *cmd, sr_rows *rows, const sr_value **cells,
				  sr_err *err);
bool pg_holds_any(void);
bool pg_holds_lock(void); /* what is to be released in Redis only after the effects */
/* PRE_COMMIT, PRE_PREPARE: raise when the transaction must not commit. */
void pg_holds_before_commit(void);
void pg_holds_before_prepare(void);
/* The end of the transaction, or of its levels deeper than level. Neither raise nor allocate. */
void pg_holds_committed(void);
void pg_holds_released(int level);
void pg_holds_rolled_back(int level);
/* Before an error is raised: the rollback that follows needs a connection. */
void pg_holds_connect(void);
/* The session ends: all is given back, over a new connection if need be. Waits as the caller limited it. */
void pg_holds_at_exit(void);

/* ---- outbox.c: the table of what is owed, at heap level, for PRE_COMMIT; and this backend's rows in it ---- */

struct RelationData;

/*
 * The table, locked as for a write; NULL: the extension is not in this database. Its rows are written and
 * deleted without the executor: whoever commits needs no right on it, and a replica's subscriber knows
 * nothing of it.
 */
struct RelationData *pg_outbox_open(void);
/* Not in recovery, nor in a transaction that is read-only and has not written before it was. */
bool pg_outbox_may_write(void);
/*
 * Write the effects of the running transaction's queue as rows (in chunks): in PRE_COMMIT, PRE_PREPARE.
 * false: this transaction cannot (read-only, recovery, no such table): memory mode for it.
 */
bool pg_outbox_write(const sr_inval *queue);

/* The one row that was; false: there are more, or none. */
bool pg_outbox_written(Oid *relation, int64 *id);

typedef enum pg_outcome
{
	PG_OUTCOME_DELIVERED,  /* the rows can go */
	PG_OUTCOME_IN_RING,	   /* they can when the ring says that it is delivered up to there */
	PG_OUTCOME_IN_BACKLOG, /* they can when the client's backlog is empty */
	PG_OUTCOME_LEFT		   /* they are somebody else's from now on */
} pg_outcome;

/* The end of the transaction; position: IN_RING's. Neither raises nor allocates. */
void pg_outbox_committed(pg_outcome outcome, uint64 position);
void pg_outbox_prepared(void);
void pg_outbox_aborted(void);
/* Delete this backend's rows that were delivered meanwhile, with the running transaction: in PRE_COMMIT. */
void pg_outbox_tidy(void);
/* The same in a transaction of its own, when the session ends. */
void pg_outbox_tidy_at_exit(void);
/* Is it delivered, as far as this backend or shared memory knows? Its row is only not deleted yet. */
bool pg_outbox_is_delivered(Oid relation, int64 id);

/* ---- drain.c: what is owed by others; redis_outbox, redis_outbox_drain ---- */

/* What to take out of the outbox, and what was. */
typedef struct pg_take
{
	sr_inval   *effects; /* they are added to it */
	int64		min_age; /* ms; a younger row's own session may be delivering it at this moment */
	TimestampTz before;	 /* rows written later do not count as young; 0: all do */
	size_t		max_effects; /* then stop */
	/* results */
	size_t		rows;	 /* deleted, to be delivered */
	size_t		settled; /* deleted: they had been delivered */
	size_t		others;	 /* left to others, who may give them back */
	bool		more;	 /* stopped */
	TimestampTz ripe;	 /* when the first of the young ones is old enough; 0: there is none */
} pg_take;

/*
 * Delete rows with the running transaction and add what they hold to effects. Rows that somebody else is
 * taking are left to them. False: there is no outbox.
 */
bool pg_outbox_take(pg_take *take);
/* Has somebody written to it who has not committed yet, perhaps a prepared transaction? */
bool pg_outbox_is_in_use(void);
/* How many rows wait, and since when (seconds). */
void pg_outbox_measure(uint64 *rows, double *age);
/* The same for redis_stats. */
void pg_outbox_note(sr_client *client);
/* How it went: for redis_outbox in sessions without shared memory. */
void pg_outbox_note_attempt(const sr_err *err);

/* ---- shared.c, databases.c: what sessions share; the rest of it is in shared.h ---- */

void pg_shared_init(void); /* while shared_preload_libraries is processed */
bool pg_shared_available(void);
/* NULL: every session has its own. */
sr_breaker *pg_shared_breakers(size_t *count);
/* Does the launcher run, and can it start drainers? Else sessions see to the outbox. */
bool pg_drainers_available(void);

/* ---- worker.c, drainer.c: the launcher and the drainers; utility.c: statements they have to know of ---- */

void pg_worker_init(void);	/* while shared_preload_libraries is processed */
void pg_utility_init(void); /* likewise */
/* A worker's settings, read again after SIGHUP. */
void pg_worker_reload(void);

/* ---- epoch.c: the database's side of the cache's epoch ---- */

/*
 * The epoch, made when crash recovery or a promotion emptied the table. False: none is to be had now
 * (recovery, no extension), why says it. Assigns no transaction id.
 */
bool pg_epoch(unsigned char out[SR_EPOCH_SIZE], sr_unfilled *why);

/* ---- lease.c: who may fill the cache ---- */

/* Why this transaction may not fill anything now; SR_UNFILLED_REASONS: it may. */
sr_unfilled pg_cache_refusal(void);
/*
 * Was there a hit since this was last asked? What is computed from one is as old as the entry, whose
 * invalidation may come after that of what is computed: that must not be filled.
 */
bool pg_cache_forget_hits(void);
void pg_cache_note_hit(void);
/* Will this transaction invalidate key (UTF-8, without prefix), or perhaps? */
bool pg_cache_is_queued(sr_client *client, const sr_value *key);
/*
 * Look key up; a lease is taken only if this transaction may fill. Raises for settings and interrupts; a
 * Redis that is away is a miss and one warning. The caller frees *out.
 */
void pg_cache_lookup(sr_client *client, const sr_value *key, sr_cached *out);
/* Fill under lease; likewise. */
bool pg_cache_fill(sr_client *client, const sr_value *key, const char *lease, const sr_value *value,
				   int64_t ttl, int count, const sr_value *tags);
/* How it went: warn once for an outage. */
void pg_cache_note(const sr_err *err);
/* The ttl argument of cmd in ms; raises unless it is more than 0. */
int64_t pg_cache_ttl(const sr_command *cmd, int argument, const sr_value *value);

/* ---- text.c: a value's text, the same in every session ---- */

/* Room for an integer as text. */
#define PG_INTEGER_TEXT 24

typedef struct pg_text
{
	Oid		 type; /* a domain's base type */
	bool	 cast; /* function gives text, else it is the output function */
	FmgrInfo function;
} pg_text;

bool pg_text_is_fixed(Oid type);
void pg_text_init(pg_text *t, Oid type, MemoryContext context);
/*
 * What ::text gives: in place where it can be, in scratch (PG_INTEGER_TEXT bytes), or palloc'ed. Between
 * begin and end for a type that is not fixed.
 */
sr_text pg_text_of(pg_text *t, Datum datum, char *scratch);
/* Output settings, and a search_path, that are the same in every session; end(0) does nothing. */
int	 pg_text_begin(const char *search_path);
void pg_text_end(int nest_level);

/* ---- lookup.c: templates that are queries ---- */

struct RelationData;
struct Trigger;
struct TupleTableSlot;
struct List;

typedef struct pg_lookup pg_lookup;

/*
 * For rows of rel; home: the table whose owner runs the query and whose schema names are looked up in.
 * Lives in the current context; pg_lookup_free before that goes. Prepared at its first use.
 */
pg_lookup *pg_lookup_new(struct RelationData *rel, Oid home, const char *source);
void	   pg_lookup_free(pg_lookup *l);
Oid		   pg_lookup_home(const pg_lookup *l);
/* Queue the keys that the query gives for a row. past: as the database was before this statement. */
void pg_lookup_queue(pg_lookup *l, struct TupleTableSlot *slot, bool past);
/* Certainly the same answer for both, of which the first was queued. */
bool pg_lookup_is_unchanged(const pg_lookup *l, struct TupleTableSlot *before,
							struct TupleTableSlot *after);
/* Raise unless it can be run for rows of rel. */
void pg_lookup_check(struct RelationData *rel, Oid home, const char *source);

/* ---- templates.c: a trigger's templates, compiled for its relation ---- */

typedef struct pg_templates pg_templates;

void pg_templates_init(void);
/* Compiled once for a trigger and a version of its relation. hint: the caller's fn_extra. */
pg_templates *pg_templates_get(struct RelationData *rel, const struct Trigger *trigger,
							   void **hint);
/* Queue the keys of the row in slot, which is no more (past) or is new. It has the relation's descriptor. */
void pg_templates_queue(pg_templates *templates, struct TupleTableSlot *slot, bool past);
/* The same for both versions of an updated row. */
void pg_templates_queue_update(pg_templates *templates, struct TupleTableSlot *before,
							   struct TupleTableSlot *after);
/* Output settings that make a column's text the same in every session, while rows are expanded. */
int	 pg_templates_begin(const pg_templates *templates);
void pg_templates_end(int nest_level);
/* Raise unless the template compiles and names columns of rel. home: as for pg_lookup_new. */
void pg_templates_check(struct RelationData *rel, Oid home, const char *source);
/* Does the template name the column called name? Not if it does not compile. */
bool pg_templates_name(const char *source, const char *name);
/* The column called name, which a trigger on rel can read; raises when there is none. */
AttrNumber pg_templates_column(struct RelationData *rel, const char *name);

/* ---- tracking.c: the triggers that redis_invalidate_on makes ---- */

#define PG_ROW_TRIGGER		"sqlredis_invalidate"
#define PG_TRUNCATE_TRIGGER "sqlredis_truncate"

/* The trigger function of the extension that function (its Oid) belongs to. */
Oid pg_tracking_function(Oid function);
/* The trigger called name on rel that executes function, no clone; NULL: none. */
const struct Trigger *pg_tracking_find(struct RelationData *rel, const char *name, Oid function);
/* Has rel the row trigger, its own or a clone? */
bool pg_tracking_has_rows(struct RelationData *rel, Oid function);
/* The relation that has the trigger. */
Oid pg_tracking_relation(Oid trigger);
/* What relation inherits from, or is a partition of. */
struct List *pg_tracking_parents(Oid relation);
/* The template as a child or a partition has it. */
char *pg_tracking_inherited(const char *source);
/*
 * The table that redis_invalidate_on was called for when trigger was given the template. InvalidOid: it
 * has it from a table that has it no more.
 */
Oid pg_tracking_home(const struct Trigger *trigger, const char *source);
/* In SPI, with the current user's rights: */
void pg_tracking_create(const char *name, Oid relation, Oid function, int count, char **texts);
void pg_tracking_drop(const char *name, Oid relation);
void pg_tracking_enable(const char *name, Oid relation);
/*
 * The same with a right that the session's user has not: nothing of others' is run, as event triggers
 * would be by a command.
 */
void pg_tracking_give(const char *name, Oid relation, Oid function, int count, char **texts);
void pg_tracking_take(const char *name, Oid relation);

/* ---- family.c: tables that get a parent, or lose one ---- */

/* Everything that tracks its parents tracks relation and what inherits from it, too. */
void pg_family_adopt(Oid relation, Oid function);
/* What it has from a partitioned table that it is no part of any more goes. */
void pg_family_abandon(Oid relation, Oid function);

/* ---- trigger.c: the trigger function ---- */

/* Why such a trigger cannot invalidate; NULL: it can. */
const char *pg_trigger_refusal(const struct Trigger *trigger);
/* Raise that. */
void pg_trigger_refuse(const struct Trigger *trigger, const char *why) __attribute__((noreturn));

#endif
