/*
 * host.c - how a backend waits for a socket.
 *
 * In a statement: a WaitEventSet that lives as long as its connection, so that a round trip adds no
 * descriptor work to the wait; the latch and postmaster death are in it, and interrupts are
 * processed. Whatever they raise is caught here and kept: the core must unwind first.
 *
 * In COMMIT, ABORT and at exit: plain poll with the caller's deadline. There, an ERROR would be a
 * PANIC of the whole cluster and an interrupt could not be served anyway.
 */
#include "pg_sqlredis.h"

#include <time.h>

#include "storage/fd.h"
#include "utils/memutils.h"

/* The set for the connection's socket; latch and postmaster death, where there is one, come first. */
#define SOCKET_POSITION (IsUnderPostmaster ? 2 : 1)
#define SET_SIZE		3

typedef struct waiter
{
	WaitEventSet *set;		 /* the connection's */
	WaitEventSet *transient; /* for this wait only: a sleep, name resolution; or in the making */
	int			  fd;		 /* the connection's socket, -1: none */
	bool		  uninterruptible;
	int64_t		  give_up_at; /* every wait ends then; 0: no such limit */
	ErrorData	 *interrupt;  /* raised during a wait, not yet raised again */
} waiter;

static waiter state = {.fd = -1};

static int64_t now_ms(void *ctx)
{
	struct timespec t;

	(void) ctx;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ms until deadline, or until all waits are to end. */
static long remaining(int64_t deadline)
{
	int64_t end = state.give_up_at != 0 ? Min(deadline, state.give_up_at) : deadline;
	int64_t ms = end - now_ms(NULL);

	return ms < 0 ? 0 : (long) Min(ms, INT_MAX);
}

static sr_wait wait_by_poll(struct pollfd *fds, unsigned nfds, int64_t deadline)
{
	for (;;)
	{
		long ms = remaining(deadline);
		int	 n = poll(fds, nfds, (int) ms);

		if (n > 0)
			return SR_WAIT_READY;
		if (n == 0 && ms == 0)
			return SR_WAIT_TIMEOUT;
		if (n < 0 && errno != EINTR)
			return SR_WAIT_TIMEOUT;
	}
}

uint32 pg_host_wait_event(void)
{
#if PG_VERSION_NUM >= 170000
	static uint32 event;

	if (event == 0)
		event = WaitEventExtensionNew("Redis");
	return event;
#else
	return PG_WAIT_EXTENSION;
#endif
}

static uint32 events_of(const struct pollfd *fd)
{
	return ((fd->events & POLLIN) ? WL_SOCKET_READABLE : 0) |
		   ((fd->events & POLLOUT) ? WL_SOCKET_WRITEABLE : 0);
}

/* Left in state.transient: what raises here must not leave it behind. */
static WaitEventSet *new_set(const struct pollfd *fds, unsigned nfds)
{
	WaitEventSet *set = create_wait_event_set((int) nfds + SOCKET_POSITION);

	state.transient = set;
	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	if (IsUnderPostmaster)
		AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	for (unsigned i = 0; i < nfds; i++)
		AddWaitEventToSet(set, events_of(&fds[i]), fds[i].fd, NULL, NULL);
	return set;
}

/* The connection's own set, made at its first wait. */
static WaitEventSet *connection_set(const struct pollfd *fd)
{
	if (state.set == NULL)
	{
		state.set = new_set(fd, 1);
		state.transient = NULL;
	}
	else
		ModifyWaitEvent(state.set, SOCKET_POSITION, events_of(fd), NULL);
	return state.set;
}

/* Wait once. READY also when only the latch was set and nothing was raised: the caller looks again. */
static sr_wait wait_once(WaitEventSet *set, struct pollfd *fds, unsigned nfds, int64_t deadline)
{
	WaitEvent events[SET_SIZE + 16];
	sr_wait	  result = SR_WAIT_TIMEOUT;
	long	  ms = remaining(deadline);
	int		  n = WaitEventSetWait(set, ms, events, lengthof(events), pg_host_wait_event());

	for (unsigned i = 0; i < nfds; i++)
		fds[i].revents = 0;
	for (int i = 0; i < n; i++)
	{
		struct pollfd *fd;

		if (events[i].events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			continue;
		}
		if (events[i].pos < SOCKET_POSITION)
			continue;
		fd = &fds[events[i].pos - SOCKET_POSITION];
		if (events[i].events & WL_SOCKET_READABLE)
			fd->revents |= POLLIN;
		if (events[i].events & WL_SOCKET_WRITEABLE)
			fd->revents |= POLLOUT;
		result = SR_WAIT_READY;
	}
	return result;
}

/* May raise. */
static sr_wait wait_interruptibly(struct pollfd *fds, unsigned nfds, int64_t deadline)
{
	WaitEventSet *set;
	sr_wait		  result;

	if (nfds == 1 && fds[0].fd == state.fd)
		set = connection_set(&fds[0]);
	else
		set = new_set(fds, nfds);
	do
	{
		CHECK_FOR_INTERRUPTS();
		result = wait_once(set, fds, nfds, deadline);
	} while (result == SR_WAIT_TIMEOUT && remaining(deadline) > 0);
	CHECK_FOR_INTERRUPTS();
	return result;
}

static sr_wait host_wait(void *ctx, struct pollfd *fds, unsigned nfds, int64_t deadline)
{
	MemoryContext	 context = CurrentMemoryContext;
	volatile sr_wait result = SR_WAIT_INTERRUPTED;

	(void) ctx;
	if (state.uninterruptible)
		return wait_by_poll(fds, nfds, deadline);
	if (state.interrupt != NULL)
		return SR_WAIT_INTERRUPTED;
	PG_TRY();
	{
		result = wait_interruptibly(fds, nfds, deadline);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		state.interrupt = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (state.transient != NULL)
		FreeWaitEventSet(state.transient);
	state.transient = NULL;
	return result;
}

typedef struct message
{
	int			level;
	const char *text;
} message;

static void say(void *arg)
{
	const message *m = arg;
	sr_err		   err = {0};

	strlcpy(err.msg, m->text, sizeof err.msg);
	pg_log(m->level, &err);
}

/* Called from within the core, also in COMMIT: it must not raise. */
static void host_log(void *ctx, sr_level level, const char *msg)
{
	message m = {level == SR_LOG_WARNING ? WARNING : DEBUG1, msg};

	(void) ctx;
	pg_report_safely(say, &m);
}

static bool host_fd_opened(void *ctx, int fd)
{
	(void) ctx;
	if (!AcquireExternalFD())
		return false;
	state.fd = fd;
	return true;
}

static void host_fd_closing(void *ctx, int fd)
{
	(void) ctx;
	(void) fd;
	/* A set over a closed descriptor raises at its next use. */
	if (state.set != NULL)
		FreeWaitEventSet(state.set);
	state.set = NULL;
	state.fd = -1;
	ReleaseExternalFD();
}

const sr_host pg_host = {
	.wait = host_wait,
	.now_ms = now_ms,
	.log = host_log,
	.fd_opened = host_fd_opened,
	.fd_closing = host_fd_closing,
};

void pg_host_set_uninterruptible(bool on)
{
	state.uninterruptible = on;
}

void pg_host_give_up_after(int64_t ms)
{
	state.give_up_at = ms > 0 ? now_ms(NULL) + ms : 0;
}

void pg_host_rethrow(void)
{
	ErrorData *interrupt = state.interrupt;

	if (interrupt == NULL)
		return;
	state.interrupt = NULL;
	ReThrowError(interrupt);
}
