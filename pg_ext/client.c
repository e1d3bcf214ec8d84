/*
 * client.c - the backend's one client: made at its first use, configured anew when a setting
 * changed, flushed and closed when the backend exits. And how its errors become PostgreSQL's.
 */
#include "pg_sqlredis.h"

#include "mb/pg_wchar.h"
#include "storage/ipc.h"
#include "utils/elog.h"

static sr_client *client;
static sr_err	  refusal; /* why the settings cannot be used; SR_OK: they can */
static bool		  warned;  /* of this outage, when reads fail open */

/*
 * What a session could not deliver gets one more chance, no longer than a COMMIT would wait. A transaction may
 * be running, which is aborted only after this; and the core, should the wait in it have been ended for good.
 */
static void close_client(int code, Datum arg)
{
	sr_flush_result flushed;

	(void) arg;
	pg_host_set_uninterruptible(true);
	pg_host_give_up_after(pg_setting_commit_timeout);
	sr_client_abandon(client);
	pg_holds_at_exit();
	sr_flush(client, NULL, 0, &flushed);
	if (flushed.kept + flushed.lost > 0)
	{
		size_t failed = flushed.kept + flushed.lost;

		pg_err_to_ascii(&flushed.err);
		ereport(LOG, (errmsg("sqlredis: %zu %s when the session ended", failed,
							 sr_flush_words(&flushed, failed)),
					  errdetail("%s", flushed.err.msg)));
	}
	if (code == 0)
		pg_outbox_tidy_at_exit();
	sr_client_free(client);
	client = NULL;
	pg_stats_leave();
	/* Should somebody still need one, it is told the settings. */
	pg_config_forget();
}

/* Also settings that cannot be used are the client's: its queue needs the prefix and the limits. */
static void configure(void)
{
	sr_settings settings;
	sr_err		err = {0};

	refusal.cls = SR_OK;
	if (!pg_config_read(&settings, &refusal))
		settings.refused = &refusal;
	settings.breakers = pg_shared_breakers(&settings.breaker_slots);
	settings.stats = pg_stats_mine();
	settings.day = pg_stats_day();
	if (!sr_client_configure(client, &settings, &err) && refusal.cls == SR_OK)
		refusal = err;
	if (refusal.cls != SR_OK)
		pg_config_forget();
}

static void prepare(void)
{
	if (client == NULL)
	{
		client = sr_client_new(&pg_host);
		if (client == NULL)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
		before_shmem_exit(close_client, (Datum) 0);
	}
	if (pg_config_changed())
		configure();
	/* Rows that aggregates had gathered may have been sent, and that interrupted. */
	pg_host_rethrow();
}

/*
 * The way that every call and every row takes. Every page, too: what the statement calls in between
 * may have settings of its own.
 */
static bool is_ready(void)
{
	return client != NULL && !pg_config_changed();
}

sr_client *pg_client(void)
{
	if (is_ready())
		return client;
	prepare();
	if (refusal.cls != SR_OK)
		pg_raise(&refusal);
	return client;
}

sr_client *pg_client_for(const sr_command *cmd)
{
	return cmd->flags & (SR_ABOUT | SR_BOUND) ? pg_client_for_queue() : pg_client();
}

sr_client *pg_client_for_queue(void)
{
	if (!is_ready())
		prepare();
	return client;
}

const sr_err *pg_client_refusal(void)
{
	return refusal.cls != SR_OK ? &refusal : NULL;
}

sr_client *pg_client_if_any(void)
{
	return client;
}

static int sqlstate_of(sr_class cls)
{
	const char *s = sr_class_sqlstate(cls);

	return MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4]);
}

static void to_ascii(char *s)
{
	for (; *s != '\0'; s++)
		if (IS_HIGHBIT_SET(*s))
			*s = '?';
}

void pg_err_to_ascii(sr_err *err)
{
	to_ascii(err->msg);
	to_ascii(err->hint);
}

void pg_log(int level, sr_err *err)
{
	if (!message_level_is_interesting(level))
		return;
	pg_err_to_ascii(err);
	ereport(level, (errmsg("sqlredis: %s", err->msg)));
}

/* err, whose texts are UTF-8, as an ERROR or WARNING. */
static void report(int level, const sr_err *err, const char *introduction)
{
	sr_err said = *err;

	if (GetDatabaseEncoding() != PG_UTF8)
		pg_err_to_ascii(&said);
	ereport(level, (errcode(sqlstate_of(said.cls)), errmsg("%s%s", introduction, said.msg),
					said.hint[0] != '\0' ? errhint("%s", said.hint) : 0));
}

void pg_raise(const sr_err *err)
{
	pg_holds_connect();
	pg_host_rethrow();
	if (err->cls == SR_E_AUTH)
		pg_config_forget();
	report(ERROR, err, "");
	pg_unreachable();
}

void pg_raise_or_null(const sr_command *cmd, const sr_err *err)
{
	if (pg_setting_on_error != PG_ON_ERROR_NULL || !(cmd->flags & SR_READ) ||
		!sr_class_is_outage(err->cls))
		pg_raise(err);
	pg_host_rethrow();
	if (!warned)
		report(WARNING, err, "Redis is away, reads give NULL: ");
	warned = true;
}

void pg_call_succeeded(void)
{
	warned = false;
	/* An interrupt may have come while an optional step failed quietly. */
	pg_host_rethrow();
}
