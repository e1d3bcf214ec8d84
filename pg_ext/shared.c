/*
 * shared.c - the shared memory of all sessions: asked for at start, divided among its users; the breakers,
 * and the ids of outbox rows that were delivered lately.
 */
#include "shared.h"

#include "common/hashfn.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

/* Servers that one cluster talks to, at the most; further ones get breakers of their own. */
#define BREAKERS 64
/* A power of two. Who is forgotten is delivered a second time, which is harmless. */
#define RECENT 4096

typedef struct recent
{
	Oid	  database;
	Oid	  relation;
	int64 id;
} recent;

typedef struct shared
{
	sr_breaker breakers[BREAKERS];
	recent	   recents[RECENT];
} shared;

static shared				  *state;
static LWLockPadded			  *locks;
static shmem_startup_hook_type earlier_startup_hook;
static shmem_request_hook_type earlier_request_hook;

static void request(void)
{
	if (earlier_request_hook != NULL)
		earlier_request_hook();
	RequestAddinShmemSpace(
		add_size(add_size(CACHELINEALIGN(sizeof(shared)), CACHELINEALIGN(pg_ring_size())),
				 add_size(CACHELINEALIGN(pg_databases_size()), CACHELINEALIGN(pg_stats_size()))));
	RequestNamedLWLockTranche("sqlredis", PG_LOCKS);
}

static void startup(void)
{
	bool  found;
	void *memory;

	if (earlier_startup_hook != NULL)
		earlier_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	locks = GetNamedLWLockTranche("sqlredis");
	state = ShmemInitStruct("sqlredis", sizeof *state, &found);
	if (!found)
		memset(state, 0, sizeof *state);
	memory = ShmemInitStruct("sqlredis ring", pg_ring_size(), &found);
	pg_ring_attach(memory, found);
	memory = ShmemInitStruct("sqlredis databases", pg_databases_size(), &found);
	pg_databases_attach(memory, found);
	memory = ShmemInitStruct("sqlredis stats", pg_stats_size(), &found);
	pg_stats_attach(memory, found);
	LWLockRelease(AddinShmemInitLock);
}

void pg_shared_init(void)
{
	earlier_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	earlier_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
}

bool pg_shared_available(void)
{
	return state != NULL;
}

LWLock *pg_shared_lock(pg_lock which)
{
	return &locks[which].lock;
}

/* One breaker for all backends: the first that finds Redis away spares the others the timeout. */
sr_breaker *pg_shared_breakers(size_t *count)
{
	*count = state != NULL ? BREAKERS : 0;
	return state != NULL ? state->breakers : NULL;
}

/* ---- delivered lately: each id has one place, and the last comer keeps it ---- */

static recent *place_of(Oid database, int64 id)
{
	return &state->recents[hash_combine64((uint64) id, database) % RECENT];
}

void pg_recent_note(Oid database, Oid relation, int64 id)
{
	if (state == NULL)
		return;
	LWLockAcquire(pg_shared_lock(PG_LOCK_RECENT), LW_EXCLUSIVE);
	*place_of(database, id) = (recent){.database = database, .relation = relation, .id = id};
	LWLockRelease(pg_shared_lock(PG_LOCK_RECENT));
}

bool pg_recent_contains(Oid database, Oid relation, int64 id)
{
	const recent *r;
	bool		  found;

	if (state == NULL)
		return false;
	LWLockAcquire(pg_shared_lock(PG_LOCK_RECENT), LW_SHARED);
	r = place_of(database, id);
	found = r->id == id && r->relation == relation && r->database == database;
	LWLockRelease(pg_shared_lock(PG_LOCK_RECENT));
	return found;
}
