/*
 * net.c - a non-blocking socket that obeys deadlines.
 *
 * Owns descriptors: opens, connects, reads, writes and closes them. It knows no TLS but hands its
 * streams to tls.c, and knows nothing of what the bytes mean.
 */
#include "core.h"
#include "conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* such systems have SO_NOSIGPIPE */
#endif

typedef struct plain
{
	sr_stream	   stream; /* first */
	const sr_host *host;
} plain;

int64_t sr_now(const sr_host *host)
{
	return host->now_ms(host->ctx);
}

bool sr_fail_interrupted(sr_err *err)
{
	return sr_fail(err, SR_E_INTERRUPTED, NULL, "interrupted while waiting for Redis");
}

bool sr_sleep(const sr_host *host, int64_t until, sr_err *err)
{
	while (sr_now(host) < until)
		if (host->wait(host->ctx, NULL, 0, until) == SR_WAIT_INTERRUPTED)
			return sr_fail_interrupted(err);
	return true;
}

sr_wait sr_net_wait(const sr_host *host, int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};

	return host->wait(host->ctx, &p, 1, deadline);
}

/* ---- the plain stream ---- */

static sr_io plain_read(sr_stream *s, void *buf, size_t size, size_t *n, sr_err *err)
{
	ssize_t got;

	do
		got = recv(s->fd, buf, size, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0)
	{
		*n = (size_t) got;
		return SR_IO_OK;
	}
	if (got == 0 || errno == ECONNRESET || errno == EPIPE)
		return SR_IO_EOF;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return SR_IO_WANT_READ;
	sr_fail(err, SR_E_LOST, NULL, "reading failed: %s", strerror(errno));
	return SR_IO_ERROR;
}

static sr_io plain_write(sr_stream *s, const void *buf, size_t size, size_t *n, sr_err *err)
{
	ssize_t put;

	do
		put = send(s->fd, buf, size, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	if (put >= 0)
	{
		*n = (size_t) put;
		return SR_IO_OK;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return SR_IO_WANT_WRITE;
	if (errno == EPIPE || errno == ECONNRESET)
		return SR_IO_EOF;
	sr_fail(err, SR_E_LOST, NULL, "writing failed: %s", strerror(errno));
	return SR_IO_ERROR;
}

static void close_socket(const sr_host *host, int fd)
{
	if (host->fd_closing != NULL)
		host->fd_closing(host->ctx, fd);
	close(fd);
}

static void plain_close(sr_stream *s, bool orderly)
{
	plain *p = (plain *) s;

	(void) orderly;
	close_socket(p->host, s->fd);
	free(p);
}

static bool is_upstash(const char *name)
{
	static const char domain[] = ".upstash.io";
	size_t			  len = strlen(name);

	return len >= sizeof(domain) &&
		   sr_same_word(name + len - (sizeof(domain) - 1), domain, sizeof(domain) - 1);
}

static const char *peer_hint(const sr_url *url)
{
	if (url->path != NULL || url->tls)
		return NULL;
	if (is_upstash(url->host))
		return "Upstash accepts TLS only: write rediss:// instead of redis://.";
	return "If this port expects TLS, write rediss:// instead of redis://.";
}

static sr_stream *new_plain(const sr_host *host, int fd, const sr_url *url)
{
	plain *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->host = host;
	p->stream.fd = fd;
	p->stream.read = plain_read;
	p->stream.write = plain_write;
	p->stream.close = plain_close;
	p->stream.peer_hint = peer_hint(url);
	return &p->stream;
}

bool sr_net_idle(sr_stream *s)
{
	char   byte;
	size_t n;

	/* A byte nobody asked for is as bad as an end; TLS may have tickets to digest. */
	return s->read(s, &byte, 1, &n, NULL) == SR_IO_WANT_READ;
}

/* ---- connecting ---- */

static void set_option(int fd, int level, int name)
{
	int on = 1;

	/* niceties: a kernel that refuses them still connects */
	(void) setsockopt(fd, level, name, &on, sizeof(on));
}

static int open_socket(const sr_host *host, int family, sr_err *err)
{
	int fd = socket(family, SOCK_STREAM, 0);
	int flags;

	if (fd < 0)
	{
		sr_fail(err, SR_E_CONNECT,
				errno == EMFILE || errno == ENFILE ? "Too many open files: raise ulimit -n." : NULL,
				"no socket: %s", strerror(errno));
		return -1;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
	{
		sr_fail(err, SR_E_CONNECT, NULL, "no socket: %s", strerror(errno));
		close(fd);
		return -1;
	}
	if (host->fd_opened != NULL && !host->fd_opened(host->ctx, fd))
	{
		sr_fail(err, SR_E_CONNECT, "Raise the limit of open files, or let fewer sessions connect.",
				"no socket: the limit of open files is reached");
		close(fd);
		return -1;
	}
#ifdef SO_NOSIGPIPE
	set_option(fd, SOL_SOCKET, SO_NOSIGPIPE);
#endif
	if (family != AF_UNIX)
	{
		set_option(fd, IPPROTO_TCP, TCP_NODELAY);
		set_option(fd, SOL_SOCKET, SO_KEEPALIVE);
	}
	return fd;
}

static bool fail_connect(const char *where, int code, sr_err *err)
{
	const char *hint = NULL;

	if (code == ECONNREFUSED || code == ENOENT)
		hint = "Is Redis running there? Check host, port and socket path in the URL.";
	else if (code == EACCES || code == EPERM)
		hint = "The database's user may not use that socket or port.";
	else if (code == ETIMEDOUT || code == EHOSTUNREACH || code == ENETUNREACH)
		hint = "Check the address in the URL, firewalls and routes; connect_timeout sets the wait.";
	return sr_fail(err, SR_E_CONNECT, hint, "cannot connect to Redis at %s: %s", where,
				   strerror(code));
}

/* The outcome of a connect that was begun, as errno; -1: interrupted. */
static int await_connect(const sr_host *host, int fd, int64_t deadline)
{
	int		  code = 0;
	socklen_t len = sizeof(code);

	for (;;)
	{
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		switch (host->wait(host->ctx, &p, 1, deadline))
		{
			case SR_WAIT_INTERRUPTED: return -1;
			case SR_WAIT_TIMEOUT: return ETIMEDOUT;
			case SR_WAIT_READY: break;
		}
		if (p.revents != 0)
			break;
		if (sr_now(host) >= deadline)
			return ETIMEDOUT;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0)
		return errno;
	return code;
}

/* One address; the descriptor, or -1. */
static int connect_one(const sr_host *host, const struct sockaddr *address, socklen_t len,
					   const char *where, int64_t deadline, sr_err *err)
{
	int fd = open_socket(host, address->sa_family, err);
	int code = 0;

	if (fd < 0)
		return -1;
	while (connect(fd, address, len) != 0)
	{
		code = errno;
		if (code == EINTR || code == EINPROGRESS)
		{
			code = await_connect(host, fd, deadline);
			break;
		}
		/* a unix socket whose queue is full: it cannot be waited for */
		if (code != EAGAIN || sr_now(host) >= deadline)
			break;
		code = 0;
		if (!sr_sleep(host, sr_now(host) + 2, NULL))
		{
			code = -1;
			break;
		}
	}
	if (code == 0)
		return fd;
	close_socket(host, fd);
	if (code < 0)
		sr_fail_interrupted(err);
	else
		fail_connect(where, code == EAGAIN ? ETIMEDOUT : code, err);
	return -1;
}

static int connect_unix(const sr_host *host, const sr_url *url, int64_t deadline, sr_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(url->path) >= sizeof(address.sun_path))
	{
		sr_fail(err, SR_E_OPTION, "Put the socket where its path is shorter.",
				"the socket's path is longer than the %zu bytes a system allows",
				sizeof(address.sun_path) - 1);
		return -1;
	}
	memcpy(address.sun_path, url->path, strlen(url->path) + 1);
	return connect_one(host, (const struct sockaddr *) &address, sizeof(address), url->path,
					   deadline, err);
}

/* Each address in turn gets an equal share of the time that is left. */
static int connect_tcp(const sr_host *host, const sr_url *url, const char *where, int64_t deadline,
					   sr_err *err)
{
	sr_addresses found;

	if (!sr_resolve(host, url->host, url->port, url->family, deadline, &found, err))
		return -1;
	for (size_t i = 0; i < found.count; i++)
	{
		int64_t now = sr_now(host);
		int64_t share = (deadline - now) / (int64_t) (found.count - i);
		int		fd = connect_one(host, (const struct sockaddr *) &found.list[i].sockaddr,
								 found.list[i].len, where, now + (share > 0 ? share : 0), err);

		if (fd >= 0)
			return fd;
		if (err->cls == SR_E_INTERRUPTED)
			break;
	}
	return -1;
}

sr_stream *sr_net_connect(const sr_host *host, const sr_url *url, sr_tls_cache *tls,
						  int64_t deadline, sr_err *err)
{
	char	   where[320];
	sr_err	   own;
	sr_stream *s;
	int		   fd;

	if (err == NULL)
		err = &own;
	sr_url_where(url, where, sizeof(where));
	fd = url->path != NULL ? connect_unix(host, url, deadline, err)
						   : connect_tcp(host, url, where, deadline, err);
	if (fd < 0)
		return NULL;
	s = new_plain(host, fd, url);
	if (s == NULL)
	{
		close_socket(host, fd);
		sr_fail_memory(err);
		return NULL;
	}
	return url->tls ? sr_tls_wrap(host, url, tls, s, deadline, err) : s;
}
