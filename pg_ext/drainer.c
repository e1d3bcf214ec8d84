/*
 * drainer.c - a background worker that empties the outbox of one database and ends; also when Redis is
 * away. The launcher starts it, and again later. It never stays in a database, which could not be dropped
 * or copied then.
 *
 * A batch is a transaction: rows are deleted, sent, and the deletion is committed. Whatever happens in
 * between leaves them where they were.
 */
#include "shared.h"

#include "access/xact.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Effects of a batch: a few megabytes, and few scans of a large table. */
#define BATCH_EFFECTS 200000
/* Of the first one, with which Redis may turn out to be away: what it deleted was written for nothing. */
#define FIRST_EFFECTS 1

PGDLLEXPORT void pg_drainer_main(Datum argument);

static void leave(int code, Datum database)
{
	(void) code;
	pg_database_leave(DatumGetObjectId(database));
}

/* As a session of that database would do it, but that nobody waits for it. */
static void connect_to(Oid database)
{
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	pgstat_report_appname("sqlredis drainer");
	/* Rows that come back after a crash are delivered again. A standby that is away must not matter. */
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "2s", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	/* What it waits for, it waits for inside a transaction. */
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
}

/* Take rows, deliver them, commit. False: Redis could not be told, err says why, and nothing happened. */
static bool drain_batch(pg_take *take, sr_err *err)
{
	sr_flush_result flushed;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "taking rows of sqlredis_outbox");
	if (!pg_outbox_take(take))
		take->more = false;
	pgstat_report_activity(STATE_RUNNING, "delivering rows of sqlredis_outbox");
	sr_flush(pg_client_for_queue(), take->effects, SR_FLUSH_LEAVE | SR_FLUSH_ONLY, &flushed);
	pg_host_rethrow();
	if (flushed.kept > 0)
	{
		*err = pg_client_refusal() != NULL ? *pg_client_refusal() : flushed.err;
		AbortCurrentTransaction();
		return false;
	}
	if (flushed.lost > 0)
		pg_log(WARNING, &flushed.err);
	/*
	 * Rows that somebody else is taking may come back, and those of a prepared transaction may be committed
	 * by somebody who tells nobody: to be looked at again.
	 */
	if (!take->more && (take->others > 0 || pg_outbox_is_in_use()))
		pg_database_touch();
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	return true;
}

static void drain(Oid database, const pg_errand *errand)
{
	pg_take take = {.effects = sr_inval_new(),
					.min_age = (int64) pg_setting_commit_timeout * 2,
					.before = errand->marked_at,
					.max_effects = FIRST_EFFECTS};
	sr_err	err = {0};

	if (take.effects == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	do
	{
		CHECK_FOR_INTERRUPTS();
		pg_worker_reload();
		if (!drain_batch(&take, &err))
		{
			pg_database_failed(database, &err, sr_client_address(pg_client_for_queue()));
			return;
		}
		take.max_effects = BATCH_EFFECTS;
	} while (take.more);
	pg_database_drained(database, errand, take.ripe);
}

void pg_drainer_main(Datum argument)
{
	Oid		  database = DatumGetObjectId(argument);
	pg_errand errand;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!pg_database_begin(database, &errand))
		proc_exit(0);
	before_shmem_exit(leave, argument);
	connect_to(database);
	drain(database, &errand);
	pgstat_report_activity(STATE_IDLE, NULL);
	proc_exit(0);
}
