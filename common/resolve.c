/*
 * resolve.c - a host name's addresses, within a deadline.
 *
 * Owns the use of c-ares; connects to nothing. getaddrinfo is used for numeric addresses only,
 * which it parses without asking anybody: for names it blocks for as long as the system's
 * resolver likes.
 */
#include "core.h"
#include "conn.h"

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#define HINT_NAME "Check the host name in the URL and that this machine can look it up."

/* What c-ares opens at once: a socket or two for each name server. */
#define MAX_SOCKETS 16

typedef struct lookup
{
	bool		  done;
	int			  status;
	sr_addresses *out;
	struct pollfd fds[MAX_SOCKETS]; /* c-ares's, to be watched */
	unsigned	  watched;
} lookup;

static void add(sr_addresses *out, int family, const struct sockaddr *sockaddr, socklen_t len)
{
	sr_address *a;

	if (out->count == SR_MAX_ADDRESSES || len > (socklen_t) sizeof(a->sockaddr))
		return;
	a = &out->list[out->count++];
	memset(a, 0, sizeof(*a));
	a->family = family;
	a->len = len;
	memcpy(&a->sockaddr, sockaddr, len);
}

static void set_port(sr_addresses *out, int port)
{
	for (size_t i = 0; i < out->count; i++)
	{
		if (out->list[i].family == AF_INET6)
			((struct sockaddr_in6 *) &out->list[i].sockaddr)->sin6_port = htons((uint16_t) port);
		else
			((struct sockaddr_in *) &out->list[i].sockaddr)->sin_port = htons((uint16_t) port);
	}
}

/* 127.0.0.1, ::1, fe80::1%eth0; false: a name. */
static bool numeric(const char *name, sr_addresses *out)
{
	struct addrinfo	 hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
		add(out, a->ai_family, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(found);
	return out->count > 0;
}

static void on_result(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	lookup *l = arg;

	(void) timeouts;
	l->done = true;
	l->status = status;
	if (found == NULL)
		return;
	for (const struct ares_addrinfo_node *n = found->nodes; n != NULL; n = n->ai_next)
		if (n->ai_family == AF_INET || n->ai_family == AF_INET6)
			add(l->out, n->ai_family, n->ai_addr, (socklen_t) n->ai_addrlen);
	ares_freeaddrinfo(found);
}

/* c-ares tells which of its sockets it wants watched; neither event: it is about to be closed. */
static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	lookup	*l = arg;
	short	 events = (short) ((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
	unsigned i = 0;

	while (i < l->watched && l->fds[i].fd != fd)
		i++;
	if (events != 0 && i < MAX_SOCKETS)
	{
		l->fds[i] = (struct pollfd){.fd = fd, .events = events};
		if (i == l->watched)
			l->watched++;
	}
	else if (events == 0 && i < l->watched)
		l->fds[i] = l->fds[--l->watched];
}

/* c-ares's own timer (it asks the next server), but never past the deadline. */
static int64_t next_timer(ares_channel channel, int64_t now, int64_t deadline)
{
	struct timeval	most = {.tv_sec = (time_t) ((deadline - now) / 1000),
							.tv_usec = (suseconds_t) ((deadline - now) % 1000 * 1000)};
	struct timeval	buffer;
	struct timeval *t = ares_timeout(channel, &most, &buffer);

	return now + (int64_t) t->tv_sec * 1000 + t->tv_usec / 1000 + 1;
}

static bool run(const sr_host *host, ares_channel channel, const lookup *l, const char *name,
				int64_t deadline, sr_err *err)
{
	while (!l->done)
	{
		struct pollfd fds[MAX_SOCKETS]; /* a copy: what is processed changes the list */
		unsigned	  n = l->watched;
		int64_t		  now = sr_now(host);
		int64_t		  timer;

		if (now >= deadline)
			return sr_fail(err, SR_E_CONNECT, "No name server answered in time: " HINT_NAME,
						   "the host name \"%s\" could not be looked up in time", name);
		memcpy(fds, l->fds, sizeof(fds));
		timer = next_timer(channel, now, deadline);
		if (host->wait(host->ctx, fds, n, timer < deadline ? timer : deadline) ==
			SR_WAIT_INTERRUPTED)
			return sr_fail_interrupted(err);
		for (unsigned i = 0; i < n; i++)
		{
			/* an error on the socket is found by reading it */
			bool in = (fds[i].revents & ~POLLOUT) != 0;
			bool out = (fds[i].revents & POLLOUT) != 0;

			if (in || out)
				ares_process_fd(channel, in ? fds[i].fd : ARES_SOCKET_BAD,
								out ? fds[i].fd : ARES_SOCKET_BAD);
		}
		ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its timers */
	}
	return true;
}

static bool fail_lookup(const lookup *l, const char *name, int family, sr_err *err)
{
	if (l->status == ARES_ENOMEM)
		return sr_fail_memory(err);
	if (l->status == ARES_SUCCESS || l->status == ARES_ENODATA)
		return sr_fail(err, SR_E_CONNECT, HINT_NAME, "the host name \"%s\" has no%s address", name,
					   family == 4	 ? " IPv4"
					   : family == 6 ? " IPv6"
									 : "");
	if (l->status == ARES_ENOTFOUND)
		return sr_fail(err, SR_E_CONNECT, HINT_NAME, "the host name \"%s\" is unknown", name);
	return sr_fail(err, SR_E_CONNECT, HINT_NAME, "the host name \"%s\" could not be looked up: %s",
				   name, ares_strerror(l->status));
}

static bool lookup_name(const sr_host *host, const char *name, int family, int64_t deadline,
						sr_addresses *out, sr_err *err)
{
	lookup					   l = {.out = out};
	struct ares_addrinfo_hints hints = {.ai_socktype = SOCK_STREAM};
	struct ares_options		   options = {
			   .tries = 3, .sock_state_cb = on_socket, .sock_state_cb_data = &l};
	ares_channel channel;
	int64_t		 share = (deadline - sr_now(host)) / 4;
	bool		 ok;

	/* several tries fit into the deadline: one lost datagram must not cost all of it */
	options.timeout = share < 100 ? 100 : share > 2000 ? 2000 : (int) share;
	if (ares_init_options(&channel, &options,
						  ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
		ARES_SUCCESS)
		return sr_fail(err, SR_E_CONNECT, "See /etc/resolv.conf.",
					   "the host name \"%s\" could not be looked up: no resolver", name);
	hints.ai_family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;
	ares_getaddrinfo(channel, name, NULL, &hints, on_result, &l);
	ok = run(host, channel, &l, name, deadline, err);
	ares_destroy(channel); /* calls on_result when it is still owed */
	if (ok && (l.status != ARES_SUCCESS || out->count == 0))
		return fail_lookup(&l, name, family, err);
	return ok;
}

static void keep_family(sr_addresses *out, int family)
{
	size_t n = 0;

	for (size_t i = 0; i < out->count; i++)
		if (family == 0 || out->list[i].family == (family == 6 ? AF_INET6 : AF_INET))
			out->list[n++] = out->list[i];
	out->count = n;
}

bool sr_resolve(const sr_host *host, const char *name, int port, int family, int64_t deadline,
				sr_addresses *out, sr_err *err)
{
	out->count = 0;
	if (!numeric(name, out) && !lookup_name(host, name, family, deadline, out, err))
		return false;
	keep_family(out, family);
	if (out->count == 0)
		return sr_fail(err, SR_E_OPTION, "Leave family out, or name another address.",
					   "\"%s\" is not an IPv%d address, which family=%d asks for", name, family,
					   family);
	set_port(out, port);
	return true;
}
