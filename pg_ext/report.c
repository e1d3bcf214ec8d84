/*
 * report.c - what is said while nothing may be raised: in COMMIT, and while the core runs.
 */
#include "pg_sqlredis.h"

#include "utils/elog.h"

static bool warned; /* of this outage: what the outbox holds is not lost */

/*
 * A client's encoding that lacks a character, or want of memory, makes the report itself an ERROR.
 * It is caught here; nothing was begun that an abort would have to clean up.
 */
void pg_report_safely(void (*report)(void *), void *arg)
{
	MemoryContext		  context = CurrentMemoryContext;
	ErrorContextCallback *callbacks = error_context_stack;
	uint32				  held = InterruptHoldoffCount;

	/* Names and texts of the functions that led here are not ours to translate now. */
	error_context_stack = NULL;
	HOLD_INTERRUPTS();
	PG_TRY();
	{
		report(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	InterruptHoldoffCount = held;
	error_context_stack = callbacks;
}

/* ---- of a commit ---- */

/* What may be said in COMMIT: only ASCII, and nothing of it can fail but for want of memory. */
static void say_at_commit(int level, const sr_flush_result *flushed, bool durable)
{
	size_t failed = flushed->kept + flushed->lost;

	if (flushed->err.cls == SR_OK)
	{
		ereport(NOTICE, (errmsg_plural("%zu %s is left to the drainer, which sees to it soon",
									   "%zu %ss are left to the drainer, which sees to them soon",
									   failed, failed, flushed->jobs ? "effect" : "key")));
		return;
	}
	ereport(
		level,
		(errcode(ERRCODE_WARNING),
		 errmsg("%zu %s: %s", failed, sr_flush_words(flushed, failed), flushed->err.msg),
		 durable && flushed->kept > 0
			 ? errdetail("What is not sent is in the outbox, and sent when Redis is back.")
		 : flushed->lost > 0
			 ? errdetail("%zu kept, to be sent when Redis is back; %zu lost.", flushed->kept,
						 flushed->lost)
			 : errdetail("What is not sent is kept by this session, and sent when Redis is back."),
		 flushed->err.hint[0] != '\0' ? errhint("%s", flushed->err.hint) : 0));
}

typedef struct warning
{
	int					   level;
	const sr_flush_result *flushed;
	bool				   durable;
} warning;

static void say_warning(void *arg)
{
	const warning *w = arg;

	say_at_commit(w->level, w->flushed, w->durable);
}

static void warn_at_commit(int level, sr_flush_result *flushed, bool durable)
{
	warning w = {level, flushed, durable};

	/* With Redis away this is every commit: what nobody will read is not put into words. */
	if (!message_level_is_interesting(level))
		return;
	pg_err_to_ascii(&flushed->err);
	pg_report_safely(say_warning, &w);
}

/*
 * The client hears of each commit that was not answered for; the server's log has it once for an outage of a
 * session, if nothing is lost: thousands a second would fill its disk.
 */
void pg_report_commit(sr_flush_result *flushed, bool durable)
{
	if (flushed->kept + flushed->lost == 0)
	{
		warned = false;
		return;
	}
	if (pg_client_refusal() != NULL)
		flushed->err = *pg_client_refusal();
	warn_at_commit(warned && flushed->lost == 0 ? WARNING_CLIENT_ONLY : WARNING, flushed, durable);
	warned = flushed->err.cls != SR_OK;
}
