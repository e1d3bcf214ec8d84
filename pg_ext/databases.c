/*
 * databases.c - the databases whose outboxes have to be looked at: marked by sessions, given to drainers by
 * the launcher.
 *
 * A mark is a number that grows; a drainer that finds the outbox empty says for which number. So no mark is
 * lost that comes while it looks. What the launcher does not know after a start, and what found no place
 * here, makes it look into every database once.
 */
#include "shared.h"

#include <signal.h>

#include "common/pg_prng.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#define SLOTS		512
#define BACKOFF_MIN 250	  /* ms */
#define BACKOFF_MAX 30000 /* ms */
#define PAUSE		10000 /* ms; PostgreSQL itself waits 5 s for others to leave a database */

typedef enum result
{
	NO_RESULT, /* of the drainer that runs, or that ended without a word */
	DRAINED,
	FAILED
} result;

typedef struct slot
{
	Oid			database; /* InvalidOid: unused */
	uint64		marked, drained;
	TimestampTz marked_at;
	TimestampTz due;	   /* when it is marked: not before */
	TimestampTz paused_to; /* nor before this */
	bool		touched;
	bool		running; /* the launcher has started a drainer */
	pid_t		drainer; /* 0: it is not there yet, or no longer */
	result		result;
	bool		outage; /* it failed because that server was away: */
	uint64		address;
	int64		attempts; /* that failed, since the last success */
	char		error[lengthof(((sr_err *) NULL)->msg)];
} slot;

typedef struct databases
{
	Latch *launcher; /* NULL: none */
	bool   startable;
	bool   tour; /* every database is to be looked at */
	int	   used; /* slots from here on were never used */
	slot   slots[SLOTS];
} databases;

static databases *all;

static void lock(LWLockMode mode)
{
	LWLockAcquire(pg_shared_lock(PG_LOCK_DATABASES), mode);
}

static void unlock(void)
{
	LWLockRelease(pg_shared_lock(PG_LOCK_DATABASES));
}

Size pg_databases_size(void)
{
	return sizeof(databases);
}

void pg_databases_attach(void *memory, bool found)
{
	all = memory;
	if (found)
		return;
	memset(all, 0, sizeof *all);
	all->startable = true;
	all->tour = true;
}

static bool is_idle(const slot *s)
{
	return s->marked == s->drained && !s->running && s->attempts == 0 && !s->touched;
}

static slot *find(Oid database)
{
	for (int i = 0; i < all->used; i++)
		if (all->slots[i].database == database)
			return &all->slots[i];
	return NULL;
}

/* Its slot or NULL, locked. */
static slot *lock_slot(Oid database)
{
	lock(LW_EXCLUSIVE);
	return find(database);
}

/* Its slot, a new one or one that says nothing; NULL: there is none. */
static slot *find_or_make(Oid database)
{
	slot *s = find(database);

	for (int i = 0; s == NULL && i < SLOTS; i++)
		if (!OidIsValid(all->slots[i].database) || is_idle(&all->slots[i]))
		{
			s = &all->slots[i];
			memset(s, 0, sizeof *s);
			s->database = database;
			all->used = Max(all->used, i + 1);
		}
	return s;
}

static TimestampTz from_now(int64 ms)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

/* ---- sessions ---- */

bool pg_drainers_available(void)
{
	return all != NULL && all->launcher != NULL && all->startable;
}

void pg_database_mark(Oid database, int64 ms)
{
	slot  *s;
	Latch *launcher;
	bool   news = true;

	if (all == NULL)
		return;
	lock(LW_EXCLUSIVE);
	s = find_or_make(database);
	if (s == NULL)
		all->tour = true;
	else
	{
		news = s->marked == s->drained;
		if (news)
			s->due = from_now(ms);
		s->marked++;
		s->marked_at = GetCurrentTimestamp();
	}
	launcher = all->launcher;
	unlock();
	if (news && launcher != NULL)
		SetLatch(launcher);
}

void pg_database_touch(void)
{
	static int mine = -1;

	if (all == NULL)
		return;
	/* Without the lock: a touch that gets lost is one of many. */
	if (mine < 0 || all->slots[mine].database != MyDatabaseId)
	{
		slot *s;

		lock(LW_EXCLUSIVE);
		s = find_or_make(MyDatabaseId);
		mine = s != NULL ? (int) (s - all->slots) : -1;
		all->tour |= s == NULL;
		unlock();
	}
	if (mine >= 0)
		all->slots[mine].touched = true;
}

int64 pg_database_attempts(Oid database, char *error, size_t size)
{
	int64 attempts = 0;
	slot *s;

	*error = '\0';
	lock(LW_SHARED);
	s = find(database);
	if (s != NULL)
	{
		attempts = s->attempts;
		strlcpy(error, s->error, size);
	}
	unlock();
	return attempts;
}

void pg_database_pause(Oid database)
{
	slot *s;

	if (all == NULL)
		return;
	lock(LW_EXCLUSIVE);
	s = find_or_make(database);
	if (s != NULL)
	{
		s->paused_to = from_now(PAUSE);
		if (s->drainer != 0)
			kill(s->drainer, SIGTERM);
	}
	unlock();
}

/* ---- the launcher ---- */

void pg_databases_open(void)
{
	lock(LW_EXCLUSIVE);
	all->launcher = &MyProc->procLatch;
	all->startable = true;
	all->tour = true;
	for (int i = 0; i < all->used; i++)
	{
		/* The drainers of a launcher that is gone end by themselves, and nobody is told. */
		all->slots[i].running = false;
		if (is_idle(&all->slots[i]))
			memset(&all->slots[i], 0, sizeof(slot));
	}
	unlock();
}

void pg_databases_close(void)
{
	lock(LW_EXCLUSIVE);
	all->launcher = NULL;
	unlock();
}

void pg_databases_set_startable(bool startable)
{
	all->startable = startable;
}

bool pg_databases_want_tour(void)
{
	bool tour;

	lock(LW_EXCLUSIVE);
	tour = all->tour;
	all->tour = false;
	unlock();
	return tour;
}

void pg_database_discover(Oid database)
{
	bool known;

	lock(LW_SHARED);
	known = find(database) != NULL;
	unlock();
	if (!known)
		pg_database_mark(database, 0);
}

static bool is_wanted(const slot *s)
{
	return OidIsValid(s->database) && s->marked != s->drained && !s->running;
}

bool pg_databases_due(TimestampTz now, Oid *database, TimestampTz *next)
{
	bool found = false;

	*next = 0;
	lock(LW_EXCLUSIVE);
	for (int i = 0; i < all->used && !found; i++)
	{
		slot	   *s = &all->slots[i];
		TimestampTz due = Max(s->due, s->paused_to);

		if (!is_wanted(s))
			continue;
		found = due <= now && s->drainer == 0;
		if (found)
		{
			s->running = true;
			s->result = NO_RESULT;
			*database = s->database;
		}
		else if (*next == 0 || due < *next)
			*next = Max(due, TimestampTzPlusMilliseconds(now, 100));
	}
	unlock();
	return found;
}

void pg_database_forget(Oid database)
{
	slot *s = lock_slot(database);

	if (s != NULL)
		memset(s, 0, sizeof *s);
	unlock();
}

void pg_database_postpone(Oid database, int64 ms)
{
	slot *s = lock_slot(database);

	if (s != NULL)
	{
		s->running = false;
		s->due = from_now(ms);
	}
	unlock();
}

/* 50 to 100 % of what the number of failures asks for. */
static int64 backoff(int64 attempts)
{
	int64 ms = attempts > 7 ? BACKOFF_MAX : Min(BACKOFF_MAX, (int64) BACKOFF_MIN << (attempts - 1));

	return ms / 2 + (int64) (pg_prng_double(&pg_global_prng_state) * (double) ms / 2);
}

bool pg_database_reap(Oid database, uint64 address)
{
	bool  away = false;
	slot *s = lock_slot(database);

	if (s != NULL && s->running)
	{
		s->running = false;
		if (s->result == NO_RESULT && s->paused_to <= GetCurrentTimestamp())
		{
			s->result = FAILED;
			s->outage = false;
			s->attempts++;
			strlcpy(s->error, "the drainer ended before its time; the server's log tells why",
					sizeof s->error);
		}
		if (s->result == FAILED)
			s->due = from_now(backoff(s->attempts));
		away = s->result == FAILED && s->outage && s->address == address;
	}
	unlock();
	return away;
}

bool pg_databases_are_waiting(void)
{
	bool any = false;

	lock(LW_SHARED);
	for (int i = 0; i < all->used; i++)
		any |= is_wanted(&all->slots[i]) && all->slots[i].attempts > 0;
	unlock();
	return any;
}

void pg_databases_hurry(uint64 address)
{
	TimestampTz now = GetCurrentTimestamp();

	lock(LW_EXCLUSIVE);
	for (int i = 0; i < all->used; i++)
	{
		slot *s = &all->slots[i];

		if (is_wanted(s) && s->attempts > 0 && s->outage && s->address == address)
			s->due = Min(s->due, now);
	}
	unlock();
}

void pg_databases_sweep(void)
{
	TimestampTz now = GetCurrentTimestamp();

	lock(LW_EXCLUSIVE);
	for (int i = 0; i < all->used; i++)
	{
		slot *s = &all->slots[i];

		if (!s->touched)
			continue;
		s->touched = false;
		if (s->marked++ == s->drained)
			s->due = now;
		s->marked_at = now;
	}
	unlock();
}

/* ---- the drainer ---- */

bool pg_database_begin(Oid database, pg_errand *errand)
{
	slot *s = lock_slot(database);
	bool  now = s != NULL && s->paused_to <= GetCurrentTimestamp();

	if (now)
	{
		s->drainer = MyProcPid;
		errand->ticket = s->marked;
		errand->marked_at = s->marked_at;
	}
	unlock();
	return now;
}

void pg_database_leave(Oid database)
{
	slot *s = lock_slot(database);

	if (s != NULL && s->drainer == MyProcPid)
		s->drainer = 0;
	unlock();
}

void pg_database_drained(Oid database, const pg_errand *errand, TimestampTz ripe)
{
	slot *s = lock_slot(database);

	if (s != NULL)
	{
		s->result = DRAINED;
		s->attempts = 0;
		s->error[0] = '\0';
		s->due = ripe;
		if (ripe == 0)
			s->drained = errand->ticket;
	}
	unlock();
}

void pg_database_failed(Oid database, const sr_err *err, uint64 address)
{
	slot *s = lock_slot(database);

	if (s != NULL)
	{
		s->result = FAILED;
		s->attempts++;
		s->outage = sr_class_is_outage(err->cls);
		s->address = address;
		strlcpy(s->error, err->msg, sizeof s->error);
	}
	unlock();
}
