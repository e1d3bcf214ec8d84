/*
 * worker.c - the launcher: one background worker of the whole cluster. It sends what commits put into the
 * ring, and starts a drainer for each database whose outbox has to be looked at.
 *
 * It is connected to no database, so that none has to wait for it; it reads only the shared catalogue of
 * databases. What it knows is in shared memory: it may end at any time, and begins again.
 */
#include "shared.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define DRAINERS	4	  /* at the same time */
#define RESTART		1	  /* s, after the launcher ended unexpectedly */
#define PROBE_EVERY 1000  /* ms, while outboxes wait for Redis */
#define SWEEP_EVERY 10000 /* ms */
#define TOUR_EVERY	5000  /* ms, at most */
#define NO_WORKER	5000  /* ms until the next attempt to start one */
#define NOT_NOW		30000 /* ms until a database that allows no connections is looked at again */
/*
 * When commits come one after the other, time for more of them to come along (us): a round for each would
 * cost them more than it hurries.
 */
#define NAP 1000
/* Bytes of the ring that are merged into one delivery. */
#define ROUND_BYTES ((uint64) 4 * 1024 * 1024)

PGDLLEXPORT void pg_launcher_main(Datum argument);

typedef struct drainer
{
	Oid						database; /* InvalidOid: none */
	BackgroundWorkerHandle *handle;
} drainer;

static drainer	   drainers[DRAINERS];
static bool		   said_no_worker;
static bool		   away; /* outboxes wait for the launcher's own Redis */
static bool		   busy; /* more than one commit came at a time */
static TimestampTz probe_at, sweep_at, tour_at;

/* ---- databases ---- */

/* May it be connected to? *exists: is it there? The catalogue is read, by a transaction of ours. */
static bool database_allows(Oid database, bool *exists)
{
	Relation	  catalog;
	TableScanDesc scan;
	HeapTuple	  tuple;
	bool		  allows = false;

	*exists = false;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->oid != database)
			continue;
		*exists = true;
		/* -2: a DROP DATABASE that did not finish */
		allows = form->datallowconn && form->datconnlimit != -2;
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	CommitTransactionCommand();
	return allows;
}

/* Every database that can be connected to, and of which nothing is known, is to be looked at. */
static void discover_all(void)
{
	Relation	  catalog;
	TableScanDesc scan;
	HeapTuple	  tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->datallowconn)
			pg_database_discover(form->oid);
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	CommitTransactionCommand();
}

/* ---- drainers ---- */

static bool register_drainer(drainer *d, Oid database)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_main_arg = ObjectIdGetDatum(database),
		.bgw_notify_pid = MyProcPid,
	};

	strlcpy(worker.bgw_name, "sqlredis drainer", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "sqlredis drainer", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "sqlredis", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "pg_drainer_main", BGW_MAXLEN);
	if (!RegisterDynamicBackgroundWorker(&worker, &d->handle))
		return false;
	d->database = database;
	return true;
}

static void start_drainer(drainer *d, Oid database)
{
	bool exists;

	if (!database_allows(database, &exists))
	{
		if (exists)
			pg_database_postpone(database, NOT_NOW);
		else
			pg_database_forget(database);
		return;
	}
	if (register_drainer(d, database))
	{
		pg_databases_set_startable(true);
		said_no_worker = false;
		return;
	}
	/* Sessions see to their outboxes themselves meanwhile. */
	pg_databases_set_startable(false);
	pg_database_postpone(database, NO_WORKER);
	if (!said_no_worker)
		ereport(LOG, (errmsg("sqlredis: there is no background worker left to drain an outbox"),
					  errhint("Raise max_worker_processes.")));
	said_no_worker = true;
}

static void reap_drainers(uint64 address)
{
	for (int i = 0; i < DRAINERS; i++)
	{
		drainer *d = &drainers[i];
		pid_t	 pid;

		if (!OidIsValid(d->database) || GetBackgroundWorkerPid(d->handle, &pid) != BGWH_STOPPED)
			continue;
		if (pg_database_reap(d->database, address))
			away = true;
		pfree(d->handle);
		d->database = InvalidOid;
	}
}

/* When to look again; 0: when woken. */
static TimestampTz start_drainers(TimestampTz now)
{
	TimestampTz next = 0;
	Oid			database;

	for (int i = 0; i < DRAINERS; i++)
		if (!OidIsValid(drainers[i].database))
		{
			if (!pg_databases_due(now, &database, &next))
				return next;
			start_drainer(&drainers[i], database);
		}
	return next;
}

/* ---- the ring ---- */

/* Add entries from begin on to the queues, of those with a row and those without; where it stopped. */
static uint64 gather(uint64 begin, uint64 end, sr_inval *durable, sr_inval *others)
{
	pg_ring_entry entry;
	uint64		  at = begin;

	while (at - begin < ROUND_BYTES && pg_ring_next(&at, end, &entry))
	{
		sr_err err = {0};

		if (!sr_effects_unpack(OidIsValid(entry.relation) ? durable : others, entry.data, entry.len,
							   &err))
			pg_raise(&err);
	}
	return at;
}

/* Tell those who wrote the rows, and those who drain. How many entries there were. */
static int settle(uint64 begin, uint64 end, bool failed)
{
	pg_ring_entry entry;
	uint64		  at = begin;
	int			  n = 0;

	for (; pg_ring_next(&at, end, &entry); n++)
	{
		if (!OidIsValid(entry.relation))
			continue;
		if (failed)
			pg_database_mark(entry.database, (int64) pg_setting_commit_timeout * 2);
		else
			pg_recent_note(entry.database, entry.relation, entry.id);
	}
	pg_ring_done(end, failed);
	return n;
}

static void note_failure(const sr_flush_result *flushed)
{
	static bool said;

	sr_err err = flushed->err;

	if (flushed->kept + flushed->lost > 0 && !said)
		pg_log(LOG, &err);
	said = flushed->kept + flushed->lost > 0;
}

/* Deliver what is in the ring, all commits' effects merged. How many commits there were. */
static int deliver(sr_client *client, uint64 begin, uint64 end)
{
	static sr_inval *durable, *others;

	sr_flush_result flushed, also;

	if (durable == NULL)
		durable = sr_inval_new();
	if (others == NULL)
		others = sr_inval_new();
	if (durable == NULL || others == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	sr_inval_clear(durable);
	sr_inval_clear(others);
	end = gather(begin, end, durable, others);
	pgstat_report_activity(STATE_RUNNING, "delivering what was committed");
	sr_flush(client, others, 0, &also);
	note_failure(&also);
	sr_flush(client, durable, SR_FLUSH_LEAVE | SR_FLUSH_ONLY | SR_FLUSH_NO_PATTERNS, &flushed);
	return settle(begin, end, flushed.kept > 0);
}

static void send_ring(sr_client *client)
{
	uint64 begin, end;

	busy = false;
	pg_ring_look(&begin, &end);
	if (begin == end)
		return;
	busy = deliver(client, begin, end) > 1;
	pg_host_rethrow();
}

/* ---- Redis that was away ---- */

/* While somebody waits for it, ask now and then whether it is back. */
static void probe(sr_client *client, TimestampTz now)
{
	const char	   *argv[] = {"PING"};
	size_t			lengths[] = {4};
	sr_argv			ping = {.argc = 1, .argv = argv, .argvlen = lengths};
	sr_flush_result flushed;
	sr_err			err = {0};
	sr_reply	   *reply;

	if (now < probe_at)
		return;
	probe_at = TimestampTzPlusMilliseconds(now, PROBE_EVERY);
	pgstat_report_activity(STATE_RUNNING, "asking whether Redis is back");
	reply = sr_client_call(client, &ping, SR_SAFE_TO_RESEND | SR_PROBE, 0, &err);
	pg_host_rethrow();
	if (reply == NULL)
		return;
	sr_reply_free(reply);
	away = false;
	pg_databases_hurry(sr_client_address(client));
	sr_flush(client, NULL, 0, &flushed);
	pg_host_rethrow();
}

/* ---- the loop ---- */

/*
 * What is in the ring when the server is stopped is nowhere else in memory mode. No longer than a COMMIT would
 * wait; what is not delivered stays for the next launcher, if there will be one.
 */
static void send_last(void)
{
	uint64 begin, end;

	pg_ring_look(&begin, &end);
	if (begin == end)
		return;
	pg_host_set_uninterruptible(true);
	pg_host_give_up_after(pg_setting_commit_timeout);
	deliver(pg_client_for_queue(), begin, end);
}

static void leave(int code, Datum argument)
{
	(void) code;
	(void) argument;
	pg_ring_close();
	pg_databases_close();
	send_last();
}

void pg_worker_reload(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

/* The client, and everybody knows where it sends to. */
static sr_client *ready_client(void)
{
	static uint64 known;
	static bool	  open;

	sr_client *client = pg_client_for_queue();
	uint64	   address = pg_client_refusal() == NULL ? sr_client_address(client) : 0;

	if (!open || address != known)
		pg_ring_open(address);
	open = true;
	known = address;
	return client;
}

/* What is done now and then. */
static void look_around(TimestampTz now)
{
	if (now >= tour_at && pg_databases_want_tour())
	{
		discover_all();
		tour_at = TimestampTzPlusMilliseconds(now, TOUR_EVERY);
	}
	if (now < sweep_at)
		return;
	if (sweep_at != 0)
		pg_databases_sweep();
	sweep_at = TimestampTzPlusMilliseconds(now, SWEEP_EVERY);
}

/*
 * What there is to do; when there will be something without being woken. Waiting for Redis comes first: it
 * may use up what woke us.
 */
static TimestampTz work(void)
{
	sr_client  *client = ready_client();
	TimestampTz now, next;
	bool		waiting;

	send_ring(client);
	now = GetCurrentTimestamp();
	/* Settings that cannot be used are no reason to ask: other ones wake us. */
	waiting = pg_client_refusal() == NULL &&
			  ((away && pg_databases_are_waiting()) || sr_client_backlog(client) > 0);
	if (waiting)
		probe(client, now);
	reap_drainers(sr_client_address(client));
	look_around(now);
	next = start_drainers(GetCurrentTimestamp());
	if (next == 0 || next > sweep_at)
		next = sweep_at;
	return waiting && next > probe_at ? probe_at : next;
}

void pg_launcher_main(Datum argument)
{
	(void) argument;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname("sqlredis launcher");
	before_shmem_exit(leave, (Datum) 0);
	MemoryContextSwitchTo(TopMemoryContext);
	/* Who sees that there is a launcher can see where it sends to, too. */
	(void) ready_client();
	pg_databases_open();
	for (;;)
	{
		TimestampTz next;
		long		ms;

		ResetLatch(MyLatch);
		/* A shutdown is nothing to complain about. */
		if (ProcDiePending)
			proc_exit(1);
		CHECK_FOR_INTERRUPTS();
		pg_worker_reload();
		next = work();
		pgstat_report_activity(STATE_IDLE, "waiting for commits");
		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);
		if (busy)
			pg_usleep(NAP);
		/* The signal for other settings may have come in a wait for Redis, which used up the latch. */
		else if (pg_ring_sleep() && ms > 0 && !ConfigReloadPending)
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
							 pg_host_wait_event());
	}
}

void pg_worker_init(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = RESTART,
	};

	strlcpy(worker.bgw_name, "sqlredis launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "sqlredis launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "sqlredis", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "pg_launcher_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
