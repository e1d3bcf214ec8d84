/*
 * stats.c - what all sessions and workers did with Redis: the counters of their clients in shared memory, and
 * the view redis_stat over their sum.
 *
 * Each process counts in a slot of its own, without a lock and without knowing who reads; whoever reads may
 * see a moment between two counts. What a session counted stays in the sum when it ends. A crash of the
 * cluster begins anew, as all of shared memory does.
 */
#include "shared.h"

#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

typedef struct counter
{
	sr_stats counts;
	uint32	 used; /* by a process that is there */
} counter;

/* No two processes write to one line of the cache. */
typedef union slot
{
	counter c;
	char	line[TYPEALIGN(PG_CACHE_LINE_SIZE, sizeof(counter))];
} slot;

typedef struct shared_stats
{
	union
	{
		sr_day day;
		char   line[PG_CACHE_LINE_SIZE];
	} today;
	/* Guarded by PG_LOCK_STATS, as is that a slot's counts move to ended: */
	sr_stats	ended;	/* what those counted that are gone */
	sr_stats	before; /* the sum at the last reset */
	TimestampTz reset_at;
	int			slots;
	slot		slot[FLEXIBLE_ARRAY_MEMBER];
} shared_stats;

static shared_stats *state;

/* Without shared memory: of this session. */
static sr_stats	   before;
static TimestampTz reset_at;

/* ---- shared memory ---- */

/* Every process that can run SQL has a number below. */
Size pg_stats_size(void)
{
	return add_size(offsetof(shared_stats, slot), mul_size((Size) MaxBackends, sizeof(slot)));
}

void pg_stats_attach(void *memory, bool found)
{
	state = memory;
	if (found)
		return;
	memset(state, 0, pg_stats_size());
	state->slots = MaxBackends;
	state->reset_at = GetCurrentTimestamp();
}

static counter *my_counter(void)
{
	if (state == NULL || MyProc == NULL || my_proc_number >= state->slots)
		return NULL;
	return &state->slot[my_proc_number].c;
}

sr_stats *pg_stats_mine(void)
{
	counter *mine = my_counter();

	if (mine == NULL)
		return NULL;
	__atomic_store_n(&mine->used, 1, __ATOMIC_RELAXED);
	return &mine->counts;
}

void pg_stats_leave(void)
{
	counter *mine = my_counter();

	if (mine == NULL)
		return;
	LWLockAcquire(pg_shared_lock(PG_LOCK_STATS), LW_EXCLUSIVE);
	sr_stats_add(&state->ended, &mine->counts);
	memset(mine, 0, sizeof *mine);
	LWLockRelease(pg_shared_lock(PG_LOCK_STATS));
}

sr_day *pg_stats_day(void)
{
	return state != NULL ? &state->today.day : NULL;
}

/* ---- the sum ---- */

/* Since the server was started, with the lock held. */
static int sum_all(sr_stats *out)
{
	int sessions = 0;

	*out = state->ended;
	for (int i = 0; i < state->slots; i++)
	{
		const counter *c = &state->slot[i].c;

		if (__atomic_load_n(&c->used, __ATOMIC_RELAXED) == 0)
			continue;
		sessions++;
		sr_stats_add(out, &c->counts);
	}
	return sessions;
}

static int sum_mine(sr_stats *out)
{
	sr_client *client = pg_client_if_any();

	memset(out, 0, sizeof *out);
	if (client != NULL)
		sr_stats_add(out, sr_client_stats(client));
	return client != NULL;
}

/* Since the last reset; how many processes. */
static int sum(sr_stats *out, TimestampTz *since)
{
	int sessions;

	if (state == NULL)
	{
		sessions = sum_mine(out);
		sr_stats_since(out, &before);
		*since = reset_at != 0 ? reset_at : MyStartTimestamp;
		return sessions;
	}
	LWLockAcquire(pg_shared_lock(PG_LOCK_STATS), LW_SHARED);
	sessions = sum_all(out);
	sr_stats_since(out, &state->before);
	*since = state->reset_at;
	LWLockRelease(pg_shared_lock(PG_LOCK_STATS));
	return sessions;
}

Datum pg_call_stats_reset(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	(void) fcinfo;
	(void) cmd;
	if (state == NULL)
	{
		(void) sum_mine(&before);
		reset_at = GetCurrentTimestamp();
		PG_RETURN_BOOL(true);
	}
	LWLockAcquire(pg_shared_lock(PG_LOCK_STATS), LW_EXCLUSIVE);
	(void) sum_all(&state->before);
	state->reset_at = GetCurrentTimestamp();
	LWLockRelease(pg_shared_lock(PG_LOCK_STATS));
	PG_RETURN_BOOL(true);
}

/* ---- redis_stat ---- */

static double unix_time(TimestampTz t)
{
	return (double) t / USECS_PER_SEC +
		   (double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
}

/* Servers that are taken to be away. */
static int open_breakers(void)
{
	size_t			  count;
	const sr_breaker *breakers = pg_shared_breakers(&count);
	sr_client		 *client = pg_client_if_any();
	int				  open = 0;

	if (breakers == NULL)
		return client != NULL && strcmp(sr_client_breaker_state(client), "closed") != 0;
	for (size_t i = 0; i < count; i++)
		open += __atomic_load_n(&breakers[i].open_until, __ATOMIC_RELAXED) != 0;
	return open;
}

static void list_day(sr_stat_list *list)
{
	static const sr_day none;
	sr_client		   *client = pg_client_if_any();
	const sr_day	   *day = pg_stats_day();

	if (day == NULL)
		day = client != NULL ? sr_client_day(client) : &none;
	sr_stats_list_day(list, day, pg_setting_daily_quota);
}

static void collect(sr_stat_list *list)
{
	sr_stats	counts;
	TimestampTz since;
	int			sessions = sum(&counts, &since);
	uint64		rows;
	double		age;

	sr_stat_add(list, "preloaded", state != NULL, false);
	sr_stat_add(list, "sessions", sessions, false);
	sr_stat_add(list, "stats_reset", unix_time(since), true);
	sr_stats_list(list, &counts, true);
	list_day(list);
	sr_stat_add(list, "breakers_open", open_breakers(), false);
	pg_outbox_measure(&rows, &age);
	sr_stat_add(list, "outbox_rows", (double) rows, false);
	sr_stat_add(list, "outbox_age", age, true);
}

Datum pg_call_stats_total(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	TupleDesc		 desc;
	Tuplestorestate *store = pg_materialize(fcinfo, &desc);
	sr_stat_list	 list = {0};

	(void) cmd;
	collect(&list);
	for (int i = 0; i < list.count; i++)
	{
		Datum values[2] = {CStringGetTextDatum(list.stat[i].name),
						   Float8GetDatum(list.stat[i].value)};
		bool  nulls[2] = {false, false};

		tuplestore_putvalues(store, desc, values, nulls);
	}
	return (Datum) 0;
}
