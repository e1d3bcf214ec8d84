/*
 * core.h - the internal API of sqlredis's core; one section per .c file.
 *
 * The core knows neither PostgreSQL nor SQLite. It allocates with malloc, returns errors in sr_err,
 * never raises and is never longjmped through. It holds no mutable global state: everything hangs
 * off an sr_client, of which a PostgreSQL backend has one and every sqlite3* has one. A client is
 * used by one thread at a time.
 *
 * Times are int64_t milliseconds, sizes are size_t bytes.
 */
#ifndef SQLREDIS_CORE_H
#define SQLREDIS_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "host.h"

#define SR_VERSION "0.1.0"

/* ---- error.c: what went wrong, in words a person can act on ------------------------------- */

/* class, word (SQLite prefixes messages with it), SQLSTATE */
#define SR_CLASS_MAP(X)                                                                            \
	X(SR_E_CONNECT, "connection", "08001") /* no connection: refused, unresolved, breaker open */  \
	X(SR_E_LOST, "connection lost", "08006") /* broken after bytes went out: effect unknown */     \
	X(SR_E_TIMEOUT, "timeout", "08000")                                                            \
	X(SR_E_PROTOCOL, "protocol", "08P01") /* the peer does not speak RESP2, or hides a trap */     \
	X(SR_E_TLS, "tls", "08001")                                                                    \
	X(SR_E_AUTH, "authentication", "28P01")                                                        \
	X(SR_E_PERMISSION, "permission", "42501")                                                      \
	X(SR_E_WRONGTYPE, "wrong type", "42804")                                                       \
	X(SR_E_MEMORY, "out of memory", "53200") /* Redis's OOM */                                     \
	X(SR_E_QUOTA, "quota", "53400")                                                                \
	X(SR_E_CLIENTS, "too many clients", "53300")                                                   \
	X(SR_E_SIZE, "too large", "54000")                                                             \
	X(SR_E_READONLY, "read only", "25006")                                                         \
	X(SR_E_BUSY, "busy", "57P03")		  /* LOADING, BUSY, TRYAGAIN, MASTERDOWN, CLUSTERDOWN */   \
	X(SR_E_REPLY, "redis", "38000")		  /* any other error reply */                              \
	X(SR_E_OPTION, "invalid", "22023")	  /* a bad URL, option or argument */                      \
	X(SR_E_ENCODING, "encoding", "22021") /* bytes that the asked type cannot hold */              \
	X(SR_E_INTERRUPTED, "interrupted", "57014")                                                    \
	X(SR_E_LOCAL_MEMORY, "out of memory", "53200")                                                 \
	X(SR_E_HOLD, "no longer held", "40001") /* what a transaction took has run out: do it again */

typedef enum sr_class
{
	SR_OK = 0,
#define X(id, word, state) id,
	SR_CLASS_MAP(X)
#undef X
		SR_CLASSES
} sr_class;

typedef struct sr_err
{
	sr_class cls;
	char	 msg[512];	/* what happened; Redis's own words where there are any */
	char	 hint[320]; /* what to do about it; "" when there is nothing to say */
} sr_err;

const char *sr_class_word(sr_class cls);	 /* static */
const char *sr_class_sqlstate(sr_class cls); /* static, five characters */
/* Redis is away, as opposed to refusing what it was asked (command.c). */
bool sr_class_is_outage(sr_class cls);

/* Fill err (which may be NULL) and return false, so that callers can `return sr_fail(...)`. */
bool sr_fail(sr_err *err, sr_class cls, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool sr_fail_memory(sr_err *err);

/* Classify Redis's error reply text ("WRONGTYPE Operation against ...") and copy it; returns false. */
bool sr_fail_reply(sr_err *err, const char *text, size_t len);

/* Strictly valid UTF-8 (NUL included). */
bool sr_is_utf8(const char *s, size_t len);
/* Equal but for the case of ASCII letters. Not strncasecmp: in Turkish its I and i differ. */
bool sr_same_word(const char *a, const char *b, size_t len);

/* ---- buf.c: a byte buffer with a ceiling --------------------------------------------------- */

typedef struct sr_buf
{
	char  *data; /* NUL-terminated whenever not NULL */
	size_t len;
	size_t cap;
	size_t max; /* appending beyond it fails; 0: SR_BUF_MAX */
} sr_buf;

#define SR_BUF_MAX ((size_t) 1 << 30)

bool sr_buf_reserve(sr_buf *b, size_t more); /* false: no memory, or over max */
bool sr_buf_add(sr_buf *b, const void *data, size_t len);
bool sr_buf_str(sr_buf *b, const char *s);
bool sr_buf_fmt(sr_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sr_buf_free(sr_buf *b);

/* ---- url.c: where Redis is, and how to talk to it ------------------------------------------ */

typedef enum sr_verify
{
	SR_VERIFY_FULL, /* chain and host name */
	SR_VERIFY_CA,	/* chain only */
	SR_VERIFY_NONE
} sr_verify;

typedef struct sr_url
{
	char	 *host; /* name or address, brackets removed; NULL for a unix socket */
	char	 *path; /* unix socket, else NULL */
	char	 *user;
	char	 *password;
	char	 *tls_ca, *tls_cert, *tls_key; /* files */
	int		  port;
	int		  db;
	int		  family; /* 0, 4 or 6 */
	bool	  tls;
	sr_verify verify;
	int64_t	  connect_timeout; /* ms; 0: not given */
	int64_t	  command_timeout; /* ms; 0: not given */
} sr_url;

/*
 * redis://[user[:password]@]host[:port][/db], rediss:// (TLS), redis+unix:///path?db=N and
 * unix:///path; percent-decoded; options as in docs/url.md. On failure *out is empty and the
 * message never repeats the password. The caller frees *out with sr_url_free.
 */
bool sr_url_parse(const char *text, sr_url *out, sr_err *err);
void sr_url_free(sr_url *url);
/* "redis://user:***@host:6379/0": malloc'ed, NULL without memory. The text may be malformed. */
char *sr_url_redact(const char *text);
/* "host:port" or the socket's path, for messages. */
void sr_url_where(const sr_url *url, char *out, size_t size);

/* ---- net.c: a non-blocking socket that obeys deadlines -------------------------------------- */

typedef enum sr_io
{
	SR_IO_OK,
	SR_IO_WANT_READ,
	SR_IO_WANT_WRITE,
	SR_IO_EOF,
	SR_IO_ERROR /* err says why */
} sr_io;

/*
 * A connected byte stream, plain or TLS. read/write never block and never raise SIGPIPE.
 * *n is the number of bytes moved when SR_IO_OK (at least 1).
 */
typedef struct sr_stream	sr_stream;
typedef struct sr_tls_cache sr_tls_cache;
struct sr_stream
{
	int fd;
	sr_io (*read)(sr_stream *s, void *buf, size_t size, size_t *n, sr_err *err);
	sr_io (*write)(sr_stream *s, const void *buf, size_t size, size_t *n, sr_err *err);
	/* Frees the stream. orderly: say goodbye (TLS); never after a fork. */
	void (*close)(sr_stream *s, bool orderly);
	const char *peer_hint; /* a hint for errors that the first reply explains, or NULL */
};

/* Resolve and connect within deadline, every address in turn; wraps in TLS when the URL says so. */
sr_stream *sr_net_connect(const sr_host *host, const sr_url *url, sr_tls_cache *tls,
						  int64_t deadline, sr_err *err);
/* Would a read find anything but "nothing yet"? true: idle and healthy. */
bool	sr_net_idle(sr_stream *s);
int64_t sr_now(const sr_host *host);
/* Sleep; false when interrupted (err filled). */
bool sr_sleep(const sr_host *host, int64_t until, sr_err *err);

/* ---- tls.c: OpenSSL over a plain stream ------------------------------------------------------ */

/* Keeps the SSL_CTX of one client: loading the CA store costs more than a handshake. */
sr_tls_cache *sr_tls_cache_new(void);
void		  sr_tls_cache_free(sr_tls_cache *cache); /* NULL is fine */
/* Takes ownership of plain (closed on failure). */
sr_stream *sr_tls_wrap(const sr_host *host, const sr_url *url, sr_tls_cache *cache,
					   sr_stream *plain, int64_t deadline, sr_err *err);

/* ---- reply.c: one RESP2 reply ---------------------------------------------------------------- */

typedef enum sr_reply_kind
{
	SR_NIL,
	SR_STATUS,
	SR_ERROR,
	SR_INTEGER,
	SR_BULK,
	SR_ARRAY
} sr_reply_kind;

typedef struct sr_reply
{
	sr_reply_kind	  kind;
	long long		  integer;
	char			 *str; /* NUL-terminated; status, error, bulk */
	size_t			  len;
	struct sr_reply **items; /* array */
	size_t			  count;
	size_t			  capacity;
} sr_reply;

void sr_reply_free(sr_reply *reply); /* NULL is fine */

/* hiredis's reader with our own object functions: memory is counted against max_reply. */
typedef struct sr_reader sr_reader;
sr_reader				*sr_reader_new(size_t max_reply);
void					 sr_reader_free(sr_reader *r);
bool					 sr_reader_feed(sr_reader *r, const char *data, size_t len, sr_err *err);
/* true: *out is a whole reply (the caller frees it) or NULL when more bytes are needed. */
bool sr_reader_next(sr_reader *r, sr_reply **out, sr_err *err);

/* The reply as JSON text (UTF-8): malloc'ed; *len excludes the NUL. Fails on bytes that are not UTF-8. */
char *sr_reply_json(const sr_reply *reply, size_t *len, sr_err *err);

/* ---- conn.c: a client: dial, AUTH, exchanges, retry, backoff, breaker -------------------------- */

typedef struct sr_argv
{
	int			 argc;
	const char **argv;
	size_t		*argvlen;
} sr_argv;

/* Breakers, settings, counters. */
#include "settings.h"

typedef struct sr_client sr_client;
struct sr_inval;

sr_client *sr_client_new(const sr_host *host); /* *host is copied; NULL without memory */
/* Closes the connection (orderly unless forked), frees the backlog: flush it before. */
void sr_client_free(sr_client *c);

/*
 * Copies every setting. A changed address, user or password drops the connection, after sending over it
 * the rows that aggregates had gathered; changed timeouts apply from the next call. Fails on a malformed
 * URL and then every call fails with that error.
 */
bool			  sr_client_configure(sr_client *c, const sr_settings *s, sr_err *err);
const sr_stats	 *sr_client_stats(const sr_client *c);
const sr_noted	 *sr_client_noted(const sr_client *c);
const sr_day	 *sr_client_day(const sr_client *c);
const sr_url	 *sr_client_url(const sr_client *c);				 /* NULL: not configured */
const char		 *sr_client_prefix(const sr_client *c, size_t *len); /* "" when there is none */
const sr_recipes *sr_client_recipes(const sr_client *c);			 /* without a NULL */
const char		 *sr_client_breaker_state(const sr_client *c); /* "closed", "open", "half-open" */
/* The breaker is open: whatever is asked fails at once. Costs nothing, unlike the failure's words. */
bool sr_client_is_away(const sr_client *c);
bool sr_client_connected(const sr_client *c);
/* True when a wait inside the client would re-enter it (a host callback called back into SQL). */
bool sr_client_busy(const sr_client *c);
/*
 * The process ends within a call, which will never return: the client can be asked once more, over another
 * connection. Harmless when no call is running.
 */
void sr_client_abandon(sr_client *c);

/* For functions built on the client (command.c and its kin): */
const sr_host *sr_client_host(const sr_client *c);
int64_t		   sr_client_command_timeout(const sr_client *c); /* ms */
const char	  *sr_client_url_text(const sr_client *c); /* as configured; NULL: not configured */
double		   sr_latency_edge(int bucket);			   /* its upper edge in microseconds */
uint64_t	   sr_client_random(sr_client *c);		   /* for jitter, not for secrets */
void		   sr_client_count_read(sr_client *c, bool hit);
void		   sr_client_count_queued(sr_client *c);  /* one more key to invalidate */
void		   sr_client_count_command(sr_client *c); /* one more command to send after a commit */
void		   sr_client_note_outbox(sr_client *c, uint64_t rows, double age);
void		   sr_client_note_other(sr_client *c, uint64_t kept, uint64_t sent);
/*
 * Of the server, database, user and password that the settings name: two clients with the same may do each
 * other's work. 0: not configured.
 */
uint64_t sr_client_address(const sr_client *c);

#define SR_SAFE_TO_RESEND 0x01 /* a read, or what changes nothing of others if it comes late */
#define SR_NO_DIAL		  0x02 /* only over the connection there is (in COMMIT) */
#define SR_PROBE		  0x04 /* try even when the breaker is open */

/* Make sure there is a live connection; dials under connect_timeout. */
bool sr_client_connect(sr_client *c, unsigned flags, sr_err *err);

/*
 * One command, one reply. Error replies fail (classified). The caller frees the reply. extra_wait
 * is added to command_timeout (blocking commands). The backlog, if any, goes first.
 */
sr_reply *sr_client_call(sr_client *c, const sr_argv *cmd, unsigned flags, int64_t extra_wait,
						 sr_err *err);

/* EVALSHA, then EVAL on NOSCRIPT. sha1 is the script's, 40 hex digits. */
sr_reply *sr_client_eval(sr_client *c, const char *script, const char *sha1, int nkeys,
						 const sr_argv *keys_and_args, unsigned flags, sr_err *err);

/*
 * Many commands over one connection, written and read concurrently with bounded buffers.
 * next: 1 and *out (valid until the next call), or 0 at the end.
 * reply: called once a command, in order, error replies included; the reply is freed afterwards.
 * Returns false when the connection failed or no progress was made for command_timeout; the
 * replies seen until then stand. Never resent: the caller knows which commands were answered.
 */
typedef struct sr_pipeline
{
	void *ctx;
	int (*next)(void *ctx, sr_argv *out);
	void (*reply)(void *ctx, const sr_reply *reply);
	int64_t idle_timeout;  /* ms without progress; 0: command_timeout */
	int64_t total_timeout; /* ms in all; 0: none */
	/* results */
	size_t sent;	 /* bytes that went out */
	bool   all_sent; /* of every command that next gave */
} sr_pipeline;

bool sr_client_pipeline(sr_client *c, sr_pipeline *p, unsigned flags, sr_err *err);

/* ---- stats.c: what clients did, added up, and as numbers that have names ---- */

/* from may be counting at this moment. */
void sr_stats_add(sr_stats *to, const sr_stats *from);
/* Take off what had been counted before. */
void sr_stats_since(sr_stats *now, const sr_stats *before);

typedef struct sr_stat
{
	char		name[48];
	double		value;
	bool		fraction; /* else it counts something */
	const char *text;	  /* NULL: value */
} sr_stat;

#define SR_STATS_MAX (48 + SR_CLASSES + SR_UNFILLED_REASONS)

typedef struct sr_stat_list
{
	int		count;
	sr_stat stat[SR_STATS_MAX];
} sr_stat_list;

void sr_stat_add(sr_stat_list *out, const char *name, double value, bool fraction);
/* The counts, the hit rate and the latencies; zeros: also classes of errors that did not happen. */
void sr_stats_list(sr_stat_list *out, const sr_stats *from, bool zeros);
/* commands_today and, with a quota, how much of it that is. */
void	 sr_stats_list_day(sr_stat_list *out, const sr_day *day, int64_t quota);
uint64_t sr_day_commands(const sr_day *day); /* of this day */

/* ---- fork.c: which process made this? A child has its parent's memory, but neither its connections nor
 * its threads ---- */

typedef struct sr_owner
{
	volatile char *page; /* NULL: not to be had; then pid */
	pid_t		   pid;
} sr_owner;

void sr_owner_set(sr_owner *o);
bool sr_owner_is_this_process(const sr_owner *o);
void sr_owner_free(sr_owner *o);

/* ---- template.c: 'user:{id}' -> keys ----------------------------------------------------------- */

typedef struct sr_template sr_template;

/* {column} is a column's text, {{ and }} are braces. The text is copied. */
sr_template *sr_template_compile(const char *text, size_t len, sr_err *err);
void		 sr_template_free(sr_template *t);
int			 sr_template_columns(const sr_template *t);
const char	*sr_template_column(const sr_template *t, int i); /* NUL-terminated */

typedef struct sr_text
{
	const char *data; /* NULL: SQL NULL */
	size_t		len;
} sr_text;

typedef enum sr_expand
{
	SR_EXPANDED,
	SR_NULL_COLUMN, /* no key for this row */
	SR_EXPAND_NO_MEMORY
} sr_expand;

/* Append the key to out; columns[i] belongs to sr_template_column(t, i). */
sr_expand sr_template_expand(const sr_template *t, const sr_text *columns, sr_buf *out);

/* ---- table.c, command.c, commands.def: one row a command; fetch.c, batch.c: many of them ---- */

#include "commands.h"

/* ---- inval.c, effects.c, flush.c, deliver.c, cache.c, lookup.c: what is bound to transactions ------ */

#include "coherence.h"

/* ---- recipes: locks, limits, queues and the like ---------------------------------------------------- */

#include "recipes.h"

#endif
