/*
 * host.c - what a SQLite connection lends the core: waiting, a clock and a log.
 *
 * A wait is cut into slices, because sqlite3_interrupt sets a flag and wakes nobody.
 */
#include "sqlredis.h"

#include <errno.h>
#include <time.h>

#define SLICE_MS 50

/*
 * Before SQLite 3.41 the flag cannot be read, but a statement that is stepped while another one runs
 * ends with SQLITE_INTERRUPT when it is set.
 */
bool sq_interrupted(const sq_db *st)
{
	sqlite3_stmt *stmt = NULL;
	int			  rc;

#if SQLITE_VERSION_NUMBER >= 3041000
	if (sqlite3_libversion_number() >= 3041000)
		return sqlite3_is_interrupted(st->db) != 0;
#endif
	rc = sqlite3_prepare_v2(st->db, "SELECT 1", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return rc == SQLITE_INTERRUPT;
}

static int64_t now_ms(void *ctx)
{
	struct timespec t;

	(void) ctx;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static sr_wait wait_for(void *ctx, struct pollfd *fds, unsigned nfds, int64_t deadline_ms)
{
	const sq_db *st = ctx;

	for (;;)
	{
		int64_t left = deadline_ms - now_ms(ctx);
		int		n;

		if (st->give_up_at != 0 && st->give_up_at <= now_ms(ctx))
			return SR_WAIT_INTERRUPTED;
		n = poll(fds, nfds, left <= 0 ? 0 : left < SLICE_MS ? (int) left : SLICE_MS);
		if (n > 0)
			return SR_WAIT_READY;
		if (n < 0 && errno != EINTR)
			return SR_WAIT_TIMEOUT;
		if (!st->no_sql && sq_interrupted(st))
			return SR_WAIT_INTERRUPTED;
		if (left <= 0)
			return SR_WAIT_TIMEOUT;
	}
}

static void log_line(void *ctx, sr_level level, const char *msg)
{
	(void) ctx;
	if (level == SR_LOG_WARNING)
		sqlite3_log(SQLITE_WARNING, "sqlredis: %s", msg);
}

void sq_log(const sr_err *err)
{
	sqlite3_log(SQLITE_WARNING, "sqlredis: %s: %s", sr_class_word(err->cls), err->msg);
}

sr_host sq_host(sq_db *st)
{
	return (sr_host){.ctx = st, .wait = wait_for, .now_ms = now_ms, .log = log_line};
}
