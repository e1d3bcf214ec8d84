/*
 * conn.h - what the files of the connection share: net.c, resolve.c, conn.c, exchange.c, dial.c,
 * breaker.c, identity.c, cache.c, flush.c, batch.c, many.c, multi.c, rate.c, health.c, stats.c. Nobody else
 * includes it, except reply.c for its one extra function.
 */
#ifndef SQLREDIS_CONN_H
#define SQLREDIS_CONN_H

#include "core.h"

#include <sys/socket.h>
#include <sys/types.h>

/* ---- reply.c ---- */

/* Bytes fed that no reply given out so far has used. */
size_t sr_reader_buffered(const sr_reader *r);

/* ---- net.c, resolve.c ---- */

typedef struct sr_address
{
	int						family;
	socklen_t				len;
	struct sockaddr_storage sockaddr;
} sr_address;

#define SR_MAX_ADDRESSES 16

typedef struct sr_addresses
{
	size_t	   count;
	sr_address list[SR_MAX_ADDRESSES];
} sr_addresses;

/* Numeric addresses at once, names through c-ares within deadline. */
bool sr_resolve(const sr_host *host, const char *name, int port, int family, int64_t deadline,
				sr_addresses *out, sr_err *err);
/* One wait for one descriptor. */
sr_wait sr_net_wait(const sr_host *host, int fd, short events, int64_t deadline);
bool	sr_fail_interrupted(sr_err *err);

/* ---- batch.c: the rows that aggregates gather ---- */

typedef struct sr_queue sr_queue;

void sr_queue_free(sr_queue *q); /* NULL is fine; nothing is sent */
/* Send what was gathered; each batch learns how it went. */
void sr_queue_send(sr_client *c);

/* ---- identity.c: which server the connection leads to ---- */

#define SR_STAMP_SIZE	 16
#define SR_IDENTITY_SIZE 64 /* Redis's are 40 hex digits */

typedef struct sr_identity
{
	enum
	{
		SR_IDENTITY_UNKNOWN,
		SR_IDENTITY_KNOWN,
		SR_IDENTITY_REFUSED /* INFO does not tell; why says what it answered */
	} state;
	int64_t		  looked; /* ms: when INFO was asked last */
	char		  run_id[SR_IDENTITY_SIZE], replid[SR_IDENTITY_SIZE];
	sr_err		  why;
	bool		  no_getex; /* a server before 6.2 */
	bool		  stamped;	/* stamp is that of epoch and this server */
	unsigned char epoch[SR_EPOCH_SIZE];
	unsigned char stamp[SR_STAMP_SIZE];
} sr_identity;

void sr_identity_forget(sr_client *c);
bool sr_identity_is_fresh(const sr_client *c);	 /* known, and looked at a moment ago */
bool sr_identity_is_refused(const sr_client *c); /* and it is too early to ask again */
/*
 * Send cmd, which may be sent again, or NULL; pipelined with INFO when the connection is new or the last
 * look is 100 ms old. False: no answer. After true the identity is known, and was the server's when it
 * carried out cmd, or it is refused, or unknown because the server is busy. The caller frees *reply; an
 * error reply is a reply.
 */
bool sr_identity_call(sr_client *c, const sr_argv *cmd, sr_reply **reply, sr_err *err);
/* The known identity's stamp under a database's epoch; lives until the next call. NULL: no memory. */
const unsigned char *sr_identity_stamp(sr_client *c, const unsigned char epoch[SR_EPOCH_SIZE],
									   sr_err *err);

/*
 * Is the server over this connection the one that stamp is of, and was it when it gave the last answer?
 * look: it is asked, unless it was a moment ago.
 */
bool sr_identity_holds(sr_client *c, const unsigned char epoch[SR_EPOCH_SIZE],
					   const unsigned char stamp[SR_STAMP_SIZE], bool look, sr_err *err);

/* ---- cache.c ---- */

#define SR_CACHE_SCRIPTS 4

/* What lookups and fills keep between calls, for no call to pay for it. */
typedef struct sr_cache
{
	sr_buf key;	  /* with its prefix */
	sr_buf entry; /* sr_entry_key of it */
	char   sha1[SR_CACHE_SCRIPTS][41];
} sr_cache;

void sr_cache_free(sr_cache *cache);

/* ---- the client ---- */

#define SR_READ_SIZE ((size_t) 64 * 1024)

struct sr_client
{
	sr_host host;

	sr_settings settings;	/* its strings are owned */
	bool		configured; /* url is what settings.url says */
	sr_err		refused;	/* why not configured */
	sr_url		url;
	char		where[320];		 /* host:port or path, for messages */
	int64_t		connect_timeout; /* ms; the URL's or the settings' */
	int64_t		command_timeout;
	int64_t		commit_timeout;
	int64_t		cache_lease;
	int64_t		cache_wait;

	/* breaker.c */
	sr_breaker	own_breaker;
	sr_breaker *breaker;	/* own_breaker or a shared slot */
	bool		probing;	/* this client is the one that may try while it is half-open */
	sr_err		last_error; /* of the dial or exchange that opened it; for the message */

	/* the connection */
	sr_stream	 *stream; /* NULL: none */
	sr_reader	 *reader;
	sr_tls_cache *tls;
	sr_owner	  owner; /* a forked child must not touch it */
	bool		  busy;	 /* poison: an exchange began and has not ended */
	bool		  fresh; /* no reply has come over it yet */
	int64_t		  last_used;
	sr_identity	  identity; /* of the server at its other end */
	sr_cache	  cache;

	bool active; /* a public call is in progress */

	sr_buf			out; /* commands on their way */
	sr_inval	   *backlog;
	bool			flushing;			/* the backlog is being read: nothing may be added to it */
	int64_t			backlog_not_before; /* an unasked flush is not tried again before it */
	int64_t			sweep_not_before;	/* nor a pattern of the backlog within a COMMIT */
	uint64_t		entry_refused;		/* the stats.connects that were warned that entries stay */
	sr_buf			scratch;	   /* names of keys under construction; empty between flushes */
	sr_queue	   *queue;		   /* batch.c: the rows of aggregates; NULL until there is one */
	uint64_t		multi_allowed; /* multi.c: the stats.connects that may do transactions */
	uint64_t		random;
	sr_stats		own_stats;
	sr_stats	   *stats; /* own_stats, or what settings.stats says */
	sr_noted		noted;
	sr_day			own_day;
	sr_day		   *day;		 /* likewise */
	const sr_bound *bound;		 /* what sr_client_bind said */
	sr_class		rate_warned; /* rate.c: why limits were not counted, as was warned; SR_OK */
	bool			resent;		 /* the last call was sent, lost, and made again, or tried to */
	char			in[SR_READ_SIZE];
};

/* recipes.c: every text of *to is its own afterwards, none is NULL. false: no memory. */
bool sr_recipes_copy(const sr_recipes *from, sr_recipes *to);
void sr_recipes_free(sr_recipes *r);

/* conn.c */
bool sr_client_enter(sr_client *c, sr_err *err); /* false: not configured, or re-entered */
void sr_client_leave(sr_client *c);
/* A usable connection, old or new; false: err says why there is none. */
bool sr_client_ready(sr_client *c, unsigned flags, sr_err *err);
/* The same, and what the backlog owes is sent over it before; false also: interrupted meanwhile. */
bool sr_client_ready_and_flushed(sr_client *c, unsigned flags, sr_err *err);
void sr_client_drop(sr_client *c, bool orderly);
void sr_client_count_error(sr_client *c, const sr_err *err);

/* stats.c: n commands went to the wire in a round trip; warns of the quota. */
void sr_client_count_sent(sr_client *c, uint64_t n);

/* breaker.c */
void sr_breaker_choose(sr_client *c, sr_breaker *slots, size_t count);
/* May the server be tried? Takes the probe when it is half-open and nobody else has. */
bool sr_breaker_allow(sr_client *c, unsigned flags, sr_err *err);
/* How it went; to be called after every dial and exchange. err NULL: well. */
void sr_breaker_report(sr_client *c, const sr_err *err);

/* dial.c: connect, AUTH, SELECT, CLIENT SETNAME, with retries within connect_timeout. */
bool sr_dial(sr_client *c, sr_err *err);

/* ---- exchange.c: commands out and replies in, over the connection there is ---- */

typedef struct sr_exchange
{
	void *ctx;
	int (*next)(void *ctx, sr_argv *out);	   /* 1 and a command, or 0 */
	void (*reply)(void *ctx, sr_reply *reply); /* owns the reply */
	int64_t idle;							   /* ms without progress */
	int64_t until;							   /* absolute ms; 0: no end */
	bool	waits;							   /* Redis may take its time: no latency to count */
	/* results */
	size_t sent;	 /* bytes the kernel took */
	size_t written;	 /* bytes given to the wire: all went out when they are as many as sent */
	size_t asked;	 /* commands given to the wire, at least in part */
	size_t answered; /* replies handed out */
} sr_exchange;

/* On failure the connection is gone. */
bool sr_exchange_run(sr_client *c, sr_exchange *x, sr_err *err);

/* flush.c: the backlog, before a call and over its connection; false: interrupted. */
bool sr_flush_backlog(sr_client *c, sr_err *err);

#endif
