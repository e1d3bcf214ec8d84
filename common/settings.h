/*
 * settings.h - part of core.h: what a client is told, and what it counts. core.h includes it; nobody else
 * needs to.
 */
#ifndef SQLREDIS_SETTINGS_H
#define SQLREDIS_SETTINGS_H

#include "core.h"

/*
 * A circuit breaker, possibly in memory shared by processes: only atomic access. Zeroed is closed.
 * address identifies the server it guards (a hash, never 0 once in use).
 */
typedef struct sr_breaker
{
	uint64_t address;
	int64_t	 open_until; /* ms; calls fail at once before it; 0: closed */
	uint32_t failures;	 /* in a row */
} sr_breaker;

/* What a rate limit says when Redis cannot be asked. */
typedef enum sr_unasked
{
	SR_UNASKED_OPEN,   /* allowed */
	SR_UNASKED_CLOSED, /* not allowed */
	SR_UNASKED_ERROR
} sr_unasked;

/* Settings of the recipes. Texts that are NULL have their default: sr_client_recipes. */
typedef struct sr_recipes
{
	/* What stands behind the key prefix, before the names that their functions are given: */
	const char *rate_limit_prefix;	/* "rl:" */
	const char *idempotent_prefix;	/* "idem:" */
	const char *queue_prefix;		/* "queue:" */
	const char *session_prefix;		/* "session:" */
	const char *bullmq_prefix;		/* "bull", BullMQ's own option: a colon follows */
	const char *rate_limit_tiers;	/* "strict=10/60 ...": requests in so many seconds */
	const char *rate_limit_buckets; /* "login=strict ..." */
	sr_unasked	rate_limit_on_error;
	int64_t		hold;			/* ms that what a transaction took stays its own; 0: the default */
	int64_t		queue_attempts; /* a job handed out so often is dead; 0: none is */
	bool		queue_lists;	/* redis_enqueue writes plain lists */
	int64_t		daily_quota;	/* commands a day (UTC) that the server allows; 0: any number */
	int			quota_warning;	/* per cent of it */
} sr_recipes;

/*
 * Commands of a day (UTC), possibly in memory shared by processes: only atomic access, by stats.c. Zeroed: none
 * yet. Both begin with the day's number, so that a new day begins both of them anew.
 */
typedef struct sr_day
{
	uint64_t commands;
	uint64_t warned; /* how far, of the quota */
} sr_day;

struct sr_stats;

typedef struct sr_settings
{
	const char	 *url;		   /* NULL or "": not configured */
	const sr_err *refused;	   /* then: why not, if somebody meant it to be; NULL: nobody did */
	const char	 *password;	   /* overrides the URL's; may be NULL */
	const char	 *client_name; /* CLIENT SETNAME; may be NULL */
	const char	 *key_prefix;  /* may be NULL */
	int64_t		  connect_timeout;
	int64_t		  command_timeout;
	int64_t		  commit_timeout;
	int			  retries;	   /* dials after the first, within connect_timeout */
	size_t		  max_reply;   /* bytes */
	size_t		  pending_max; /* effects kept for a Redis that is away */
	int64_t		  cache_lease; /* ms a lease lasts; 0: the default */
	int64_t		  cache_wait;  /* ms to wait for another's fill; < 0: the default */
	sr_breaker	 *breakers;	   /* shared slots, or NULL: a private one */
	size_t		  breaker_slots;
	sr_recipes	  recipes;
	/* Where it counts, the only one to write there, though others may read; NULL: in memory of its own. */
	struct sr_stats *stats;
	sr_day			*day; /* shared, or NULL: a private one */
} sr_settings;

/* Why the coherent cache answered without filling; the names stand in redis_stats (cache_unfilled_...). */
#define SR_UNFILLED_MAP(X)                                                                         \
	X(SR_UNFILLED_ISOLATION, "isolation")	/* the snapshot may be older than the lease */         \
	X(SR_UNFILLED_OWN_WRITES, "own_writes") /* this transaction has written */                     \
	X(SR_UNFILLED_RECOVERY, "recovery")		/* hot standby */                                      \
	X(SR_UNFILLED_SECURITY, "row_security") /* the plan depends on row security */                 \
	X(SR_UNFILLED_QUEUED, "queued")			/* this transaction will invalidate the key */         \
	X(SR_UNFILLED_WAITED, "waited")			/* another held the lease for longer than the wait */  \
	X(SR_UNFILLED_LOST, "lease_lost")		/* invalidated or expired before the fill */           \
	X(SR_UNFILLED_TAG, "tag")				/* a tag was invalidated after the lease was taken */  \
	X(SR_UNFILLED_IDENTITY, "no_identity")	/* INFO does not say which server this is */           \
	X(SR_UNFILLED_EPOCH, "no_epoch")		/* the database has none yet, or cannot be asked */    \
	X(SR_UNFILLED_REPLICA, "replica")		/* Redis here is read-only */                          \
	X(SR_UNFILLED_AWAY, "away")				/* Redis could not be asked */                         \
	X(SR_UNFILLED_FAILED, "failed")			/* the query or the fill failed */

typedef enum sr_unfilled
{
#define X(id, name) id,
	SR_UNFILLED_MAP(X)
#undef X
		SR_UNFILLED_REASONS
} sr_unfilled;

#define SR_LATENCY_BUCKETS 64 /* powers of the square root of two microseconds */

/* What a client did. Nothing but counts: the sum of several is that of all of their clients (stats.c). */
typedef struct sr_stats
{
	uint64_t commands, round_trips, reads_hit, reads_missed;
	uint64_t errors[SR_CLASSES];
	uint64_t connects, reconnects, connect_failures;
	uint64_t invalidations_queued, invalidations_sent, invalidations_failed;
	uint64_t commands_queued, commands_sent, commands_failed; /* redis_on_commit's */
	uint64_t cache_hits, cache_misses, cache_fills, cache_waits;
	uint64_t cache_unfilled[SR_UNFILLED_REASONS];
	uint64_t latency[SR_LATENCY_BUCKETS]; /* of round trips */
} sr_stats;

/* What its adapter told it, for redis_stats. */
typedef struct sr_noted
{
	uint64_t kept_elsewhere; /* effects that wait with another client: sr_client_note_other */
	uint64_t sent_elsewhere; /* and those that went by it */
	uint64_t outbox_rows;	 /* as last seen: sr_client_note_outbox */
	double	 outbox_age;	 /* seconds, of the oldest */
} sr_noted;

#endif
