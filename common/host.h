/*
 * host.h - what a host (PostgreSQL backend, SQLite connection, test program) lends the core.
 *
 * The core opens sockets and moves bytes; it never sleeps or logs by itself, and every deadline of its is
 * on the host's clock (only latencies are measured by a finer one, and days by the calendar's). Every
 * callback returns: none may raise, longjmp or exit through the core.
 */
#ifndef SQLREDIS_HOST_H
#define SQLREDIS_HOST_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum sr_wait
{
	SR_WAIT_READY,		/* at least one descriptor is ready; revents says which */
	SR_WAIT_TIMEOUT,	/* the deadline passed */
	SR_WAIT_INTERRUPTED /* the host wants the statement to end; it keeps the reason */
} sr_wait;

typedef enum sr_level
{
	SR_LOG_DEBUG,
	SR_LOG_WARNING
} sr_level;

typedef struct sr_host
{
	void *ctx;

	/*
	 * Wait until one of nfds descriptors has one of its events or deadline_ms (on now_ms's clock)
	 * passes. nfds may be 0: a sleep. Spurious READY is allowed.
	 */
	sr_wait (*wait)(void *ctx, struct pollfd *fds, unsigned nfds, int64_t deadline_ms);

	/* A monotonic clock in ms, the same for every process of the machine. */
	int64_t (*now_ms)(void *ctx);

	/* msg is one line without a newline; it never holds a password. */
	void (*log)(void *ctx, sr_level level, const char *msg);

	/*
	 * A connection's socket was opened (false refuses it: the host's limit of descriptors; it is
	 * then closed without fd_closing), or is about to be closed: whatever waits on it must be freed
	 * before. May be NULL.
	 */
	bool (*fd_opened)(void *ctx, int fd);
	void (*fd_closing)(void *ctx, int fd);
} sr_host;

#endif
