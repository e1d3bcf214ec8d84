/*
 * shared.h - what lies in shared memory: shared.c (breakers, ids delivered lately), ring.c (commits that the
 * launcher sends), databases.c (which outboxes hold something), stats.c (what was counted). Only with sqlredis in
 * shared_preload_libraries; without it every question is answered "no" and every message is dropped.
 *
 * What a COMMIT callback calls here takes one of our locks and raises nothing.
 */
#ifndef SQLREDIS_PG_SHARED_H
#define SQLREDIS_PG_SHARED_H

#include "pg_sqlredis.h"

#include "storage/lwlock.h"

typedef enum pg_lock
{
	PG_LOCK_RING,
	PG_LOCK_RECENT,
	PG_LOCK_DATABASES,
	PG_LOCK_STATS,
	PG_LOCKS
} pg_lock;

/* ---- shared.c ---- */

LWLock *pg_shared_lock(pg_lock which);

/* A row's effects were delivered, and the row is only not deleted yet. Remembered for a while. */
void pg_recent_note(Oid database, Oid relation, int64 id);
bool pg_recent_contains(Oid database, Oid relation, int64 id);

/* ---- stats.c ---- */

Size pg_stats_size(void);
void pg_stats_attach(void *memory, bool found);

/* ---- ring.c: what commits hand to the launcher ---- */

typedef struct pg_ring pg_ring;

Size pg_ring_size(void);
void pg_ring_attach(void *memory, bool found);

typedef struct pg_ring_entry
{
	Oid			database;
	Oid			relation; /* of the outbox that holds the same; InvalidOid: nothing does */
	int64		id;
	const char *data; /* packed effects, in the ring */
	size_t		len;
} pg_ring_entry;

typedef enum pg_ring_fate
{
	PG_RING_PENDING,
	PG_RING_DELIVERED,
	PG_RING_FAILED /* or perhaps: somebody else sees to the row */
} pg_ring_fate;

/* Would the launcher send to the server with that address (sr_client_address) now? */
bool pg_ring_accepts(uint64 address);
/* Room for that many bytes of effects, with some to spare for those who come in between? */
bool pg_ring_has_room(size_t len);
/* False: no room, or no launcher. position: to ask for its fate. */
bool		 pg_ring_put(const pg_ring_entry *entry, uint64 *position);
pg_ring_fate pg_ring_ask(uint64 position);

/* The launcher's side. It is woken by its latch. */
void pg_ring_open(uint64 address); /* 0: it has no server */
void pg_ring_close(void);
/* What there is: entries from *begin to *end, read one after the other. */
void pg_ring_look(uint64 *begin, uint64 *end);
bool pg_ring_next(uint64 *at, uint64 end, pg_ring_entry *entry);
/* Everything up to end was seen to; room for others. */
void pg_ring_done(uint64 end, bool failed);
/* Is there nothing? Then the next one who puts something in wakes the launcher. */
bool pg_ring_sleep(void);

/* ---- databases.c: whose outbox has to be looked at ---- */

Size pg_databases_size(void);
void pg_databases_attach(void *memory, bool found);

/* Its outbox holds something that nobody else sees to, to be looked at in ms. */
void pg_database_mark(Oid database, int64 ms);
/* Rows of it were delivered and not deleted: to be looked at some time. */
void pg_database_touch(void);
/* How often delivery failed since it last succeeded, and why. */
int64 pg_database_attempts(Oid database, char *error, size_t size);
/* Nobody is to connect to it for a while: it is about to be dropped or copied. */
void pg_database_pause(Oid database);

/* The launcher's side. */
void pg_databases_open(void);
void pg_databases_close(void);
/* There are some of which nothing is known; true once. */
bool pg_databases_want_tour(void);
void pg_database_discover(Oid database);
/* One that is due; it then has a drainer until pg_database_reap. *next: when to ask again (0: never). */
bool pg_databases_due(TimestampTz now, Oid *database, TimestampTz *next);
void pg_database_forget(Oid database);			   /* there is no such database */
void pg_database_postpone(Oid database, int64 ms); /* it had no drainer after all */
bool pg_database_reap(Oid	 database,
					  uint64 address); /* its drainer ended; true: that server was away */
/* Those that wait for that server wait no longer. False: none does. */
bool pg_databases_are_waiting(void);
void pg_databases_hurry(uint64 address);
void pg_databases_sweep(void);					 /* touched ones are to be looked at */
void pg_databases_set_startable(bool startable); /* can drainers be started? */

/* The drainer's side. */
typedef struct pg_errand
{
	uint64		ticket;
	TimestampTz marked_at; /* rows written later are no reason to come again */
} pg_errand;

/* False: it is not to be done now. */
bool pg_database_begin(Oid database, pg_errand *errand);
void pg_database_leave(Oid database); /* whether it was done or not */
/* The outbox is empty but for rows that are old enough at ripe (0: none). */
void pg_database_drained(Oid database, const pg_errand *errand, TimestampTz ripe);
void pg_database_failed(Oid database, const sr_err *err, uint64 address);

#endif
