/*
 * cache.c - the coherent cache's reading side: is there an entry, and if not, whose is the lease?
 *
 * Owns the protocol of a lookup: a hit is one round trip; what is not decided by it is decided by a
 * script; who finds another's lease waits. What entries look like is in cache_scripts.c, which
 * server answers is identity.c's, fills are cache_fill.c's. It must never take an entry for a hit
 * that another server, another epoch or a server that refuses invalidations gave, and never let a
 * lease be taken twice under one token: see note_lost.
 */
#include "cache.h"
#include "conn.h"
#include "mutation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_FIRST	  5					   /* ms between two looks at another's lease */
#define PAUSE_LONGEST 50				   /* ms */
#define MAX_AGAIN	  3					   /* looks begun anew in a row */
#define KEEP		  ((size_t) 64 * 1024) /* bytes of a buffer that are kept for the next call */

/* ---- keys ---- */

static bool build_keys(sr_cache *keys, const char *prefix, size_t prefix_len, const char *key,
					   size_t len)
{
	keys->key.len = keys->entry.len = 0;
	if (prefix_len == 0)
		return sr_entry_key(key, len, &keys->entry);
	return sr_buf_add(&keys->key, prefix, prefix_len) && sr_buf_add(&keys->key, key, len) &&
		   sr_entry_key(keys->key.data, keys->key.len, &keys->entry);
}

bool sr_cache_keys(sr_client *c, const char *key, size_t len, sr_cache *keys, sr_err *err)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(c, &prefix_len);

	keys->key = c->cache.key;
	keys->entry = c->cache.entry;
	c->cache.key = c->cache.entry = (sr_buf){0};
	if (build_keys(keys, prefix, prefix_len, key, len))
		return true;
	sr_cache_give_back(c, keys);
	return sr_fail_memory(err);
}

static void give_back(sr_buf *kept, sr_buf *buf)
{
	if (kept->data != NULL || buf->cap > KEEP)
		sr_buf_free(buf);
	else
		*kept = *buf;
}

void sr_cache_give_back(sr_client *c, sr_cache *keys)
{
	give_back(&c->cache.key, &keys->key);
	give_back(&c->cache.entry, &keys->entry);
}

void sr_cache_free(sr_cache *cache)
{
	sr_buf_free(&cache->key);
	sr_buf_free(&cache->entry);
}

/* ---- outcomes ---- */

bool sr_cache_reason(const sr_err *err, sr_unfilled *reason)
{
	switch (err->cls)
	{
		case SR_E_INTERRUPTED:
		case SR_E_OPTION:
		case SR_E_LOCAL_MEMORY: return false;
		case SR_E_READONLY: *reason = SR_UNFILLED_REPLICA; break;
		case SR_E_AUTH: *reason = SR_UNFILLED_AWAY; break;
		default:
			*reason = sr_class_is_outage(err->cls) ? SR_UNFILLED_AWAY : SR_UNFILLED_FAILED;
			break;
	}
	return true;
}

typedef struct lookup
{
	sr_client			*c;
	const unsigned char *epoch;
	sr_cache			 keys;
	unsigned			 flags;
	char				 token[SR_TOKEN_SIZE]; /* no script that is under way carries it */
	char				 lost[SR_TOKEN_SIZE];  /* of a script whose reply was lost */
	bool				 has_token, has_lost;
	sr_cached			*out;
	sr_err				*err;
} lookup;

typedef enum verdict
{
	DECIDED, /* out says how */
	HELD,	 /* somebody else's lease */
	AGAIN,	 /* what was seen does not count */
	RAISE
} verdict;

static verdict missed(lookup *l, sr_unfilled reason)
{
	if (reason == SR_UNFILLED_WAITED || reason == SR_UNFILLED_REASONS)
		l->err->cls = SR_OK; /* nothing failed, but for a connection that was replaced */
	l->out->found = SR_CACHE_MISSED;
	l->out->reason = reason;
	return DECIDED;
}

static verdict failed(lookup *l)
{
	sr_unfilled reason;

	if (!sr_cache_reason(l->err, &reason))
		return RAISE;
	if (l->err->cls == SR_E_READONLY)
		sr_identity_forget(l->c); /* the next look may be at its successor */
	if (l->err->cls == SR_E_WRONGTYPE)
		sr_fail(l->err, SR_E_WRONGTYPE,
				"Nothing but sqlredis should write this key, where it keeps its entry: delete it.",
				"\"%.*s\" holds another kind of value, so that nothing is cached",
				(int) (l->keys.entry.len < 200 ? l->keys.entry.len : 200), l->keys.entry.data);
	return missed(l, reason);
}

static verdict fail_reply(lookup *l, sr_reply *reply)
{
	sr_fail_reply(l->err, reply->str, reply->len);
	sr_client_count_error(l->c, l->err);
	sr_reply_free(reply);
	return failed(l);
}

static verdict unexpected(lookup *l, sr_reply *reply)
{
	sr_reply_free(reply);
	sr_fail(l->err, SR_E_PROTOCOL, NULL, "unexpected type of reply from Redis at %s", l->c->where);
	return failed(l);
}

static verdict leased(lookup *l, const unsigned char *stamp, const char *token)
{
	char *out = l->out->lease;

	for (size_t i = 0; i < SR_STAMP_SIZE; i++, out += 2)
		snprintf(out, 3, "%02x", stamp[i]);
	for (size_t i = 0; i < SR_TOKEN_SIZE; i++, out += 2)
		snprintf(out, 3, "%02x", (unsigned char) token[i]);
	l->out->found = SR_CACHE_LEASED;
	return DECIDED;
}

/* An entry that holds. */
static verdict hit(lookup *l, sr_reply *reply)
{
	const char *at = reply->str + SR_HEAD_SIZE;
	size_t		left = reply->len - SR_HEAD_SIZE;

	if (reply->str[0] == 'T' || reply->str[0] == 'U')
	{
		const unsigned char *n = (const unsigned char *) at;
		size_t				 records;

		if (left < 4)
			return unexpected(l, reply);
		records = (size_t) n[0] << 24 | (size_t) n[1] << 16 | (size_t) n[2] << 8 | n[3];
		if (left - 4 < records)
			return unexpected(l, reply);
		at += 4 + records;
		left -= 4 + records;
	}
	l->out->found = SR_CACHE_HIT;
	l->out->reply = reply;
	if (reply->str[0] == 'V' || reply->str[0] == 'T')
	{
		l->out->value.type = SR_TYPE_TEXT;
		l->out->value.data = at;
		l->out->value.len = left;
	}
	return DECIDED;
}

/* ---- the script ---- */

/*
 * No reply came, so the script may have taken the lease, or may still do so, at any time: its token goes
 * out no second time. If it did both, a fill could find the lease that the late script took after an
 * invalidation and take it for the one its value was read under. Once the token is seen in the entry,
 * the script has run, and the lease is ours.
 */
static void note_lost(lookup *l)
{
	memcpy(l->lost, l->token, SR_TOKEN_SIZE);
	l->has_lost = true;
	l->has_token = sr_without(FRESH_TOKEN);
}

static verdict lost_lease(lookup *l)
{
	if (l->err->cls != SR_E_LOST || l->has_lost)
		return failed(l);
	note_lost(l);
	return AGAIN;
}

static sr_reply *run_look(lookup *l, const unsigned char *stamp)
{
	char		ms[24];
	const char *argv[] = {l->keys.entry.data, (const char *) stamp, l->token,
						  l->has_lost ? l->lost : "", ms};
	size_t		lengths[] = {l->keys.entry.len, SR_STAMP_SIZE, SR_TOKEN_SIZE,
						 l->has_lost ? SR_TOKEN_SIZE : 0, 0};
	sr_argv		args = {5, argv, lengths};

	lengths[4] = (size_t) snprintf(ms, sizeof(ms), "%lld",
								   l->flags & SR_CACHE_LEASE ? (long long) l->c->cache_lease : 0LL);
	return sr_cache_run(l->c, SR_CACHE_LOOK, 1, &args, 0, l->err);
}

static verdict by_script(lookup *l)
{
	unsigned char		 stamp[SR_STAMP_SIZE];
	const unsigned char *current = sr_identity_stamp(l->c, l->epoch, l->err);
	sr_reply			*reply;
	long long			 answer;

	if (current == NULL)
		return RAISE;
	memcpy(stamp, current, sizeof(stamp));
	if (!l->has_token && getentropy(l->token, sizeof(l->token)) != 0)
	{
		sr_fail(l->err, SR_E_LOCAL_MEMORY, "", "the operating system gave no random bytes");
		return RAISE;
	}
	l->has_token = true;
	reply = run_look(l, stamp);
	if (reply == NULL)
		return lost_lease(l);
	/* by another server than the stamp's, perhaps: over a new connection, or so late that it may be one */
	if (!sr_identity_holds(l->c, l->epoch, stamp, reply->kind == SR_BULK, l->err))
	{
		sr_reply_free(reply);
		note_lost(l); /* the lease, if it was taken, is not somebody else's */
		return AGAIN;
	}
	if (reply->kind == SR_BULK && reply->len >= SR_HEAD_SIZE)
		return hit(l, reply);
	if (reply->kind != SR_NIL && reply->kind != SR_INTEGER)
		return unexpected(l, reply);
	answer = reply->kind == SR_INTEGER ? reply->integer : -1;
	sr_reply_free(reply);
	if (answer == 1)
		return leased(l, stamp, l->token);
	if (answer == 2 && l->has_lost)
		return leased(l, stamp, l->lost);
	return answer == 0 ? HELD : missed(l, SR_UNFILLED_REASONS);
}

/* ---- one look ---- */

/* GETEX without options reads, but is a write command: whoever refuses those gives no hit. */
static verdict read_entry(lookup *l, sr_reply **entry)
{
	const char *word = sr_without(WRITE_GUARD) ? "GET" : "GETEX";
	const char *argv[] = {word, l->keys.entry.data};
	size_t		lengths[] = {strlen(word), l->keys.entry.len};
	sr_argv		cmd = {2, argv, lengths};
	sr_reply   *reply;

	*entry = NULL;
	if (!sr_identity_call(l->c, l->c->identity.no_getex ? NULL : &cmd, &reply, l->err))
		return failed(l);
	if (sr_client_backlog(l->c) > 0)
	{
		/* among what Redis could not be told yet may be this very key */
		sr_reply_free(reply);
		sr_fail(l->err, SR_E_BUSY, NULL, "invalidations wait for Redis at %s", l->c->where);
		return missed(l, SR_UNFILLED_AWAY);
	}
	if (reply != NULL && reply->kind == SR_ERROR)
	{
		if (strncmp(reply->str, "ERR unknown command", 19) != 0)
			return fail_reply(l, reply);
		l->c->identity.no_getex = true;
		sr_reply_free(reply);
		reply = NULL;
	}
	if (l->c->identity.state != SR_IDENTITY_KNOWN)
	{
		sr_reply_free(reply);
		*l->err = l->c->identity.why;
		return missed(l, SR_UNFILLED_IDENTITY);
	}
	*entry = reply;
	return AGAIN;
}

/* What the entry says by itself; AGAIN: the script must see. */
static verdict judge(lookup *l, sr_reply *reply)
{
	const unsigned char *stamp = sr_identity_stamp(l->c, l->epoch, l->err);
	char				 kind;
	bool				 ours;

	if (stamp == NULL)
	{
		sr_reply_free(reply);
		return RAISE;
	}
	if (reply->kind != SR_BULK && reply->kind != SR_NIL)
		return unexpected(l, reply);
	kind = '\0';
	if (reply->kind == SR_BULK && reply->len >= SR_HEAD_SIZE &&
		memcmp(reply->str + 1, stamp, SR_STAMP_SIZE) == 0)
		kind = reply->str[0];
	if (kind == 'V' || kind == 'N')
		return hit(l, reply);
	ours = kind == 'L' && l->has_lost && reply->len >= SR_LEASE_SIZE &&
		   memcmp(reply->str + SR_HEAD_SIZE, l->lost, SR_TOKEN_SIZE) == 0;
	sr_reply_free(reply);
	if (ours)
		return leased(l, stamp, l->lost);
	if (kind == 'L')
		return HELD;
	if (kind == 'T' || kind == 'U' || (l->flags & SR_CACHE_LEASE))
		return AGAIN;
	return missed(l, SR_UNFILLED_REASONS);
}

static verdict look(lookup *l)
{
	sr_reply *entry = NULL;
	verdict	  v = AGAIN;

	if (sr_identity_is_refused(l->c))
	{
		*l->err = l->c->identity.why;
		return missed(l, SR_UNFILLED_IDENTITY);
	}
	if (!l->c->identity.no_getex || !sr_identity_is_fresh(l->c) || sr_client_backlog(l->c) > 0)
		v = read_entry(l, &entry);
	if (entry != NULL)
		v = judge(l, entry);
	return v == AGAIN ? by_script(l) : v;
}

/* ---- looks, until one decides ---- */

/* Sleep a little before the next look at another's lease; jittered, for many wait for one. */
static bool pause_between(lookup *l, int64_t *pause, int64_t deadline)
{
	int64_t now = sr_now(&l->c->host);
	int64_t until = now + *pause / 2 + (int64_t) (sr_client_random(l->c) % (uint64_t) *pause);

	*pause = *pause * 2 < PAUSE_LONGEST ? *pause * 2 : PAUSE_LONGEST;
	return sr_sleep(&l->c->host, until < deadline ? until : deadline, l->err);
}

static verdict look_and_wait(lookup *l)
{
	int64_t deadline = 0;
	int64_t pause = PAUSE_FIRST;
	int		again = 0;

	for (;;)
	{
		verdict v = look(l);

		if (v == AGAIN && again++ < MAX_AGAIN)
			continue;
		if (v == AGAIN)
		{
			sr_fail(l->err, SR_E_LOST, NULL, "the connection to Redis at %s does not last",
					l->c->where);
			return failed(l);
		}
		if (v != HELD)
			return v;
		again = 0;
		if (!(l->flags & SR_CACHE_WAIT))
			return missed(l, l->flags & SR_CACHE_LEASE ? SR_UNFILLED_WAITED : SR_UNFILLED_REASONS);
		if (deadline == 0)
		{
			deadline = sr_now(&l->c->host) + l->c->cache_wait;
			l->c->stats->cache_waits += l->c->cache_wait > 0;
		}
		if (sr_now(&l->c->host) >= deadline)
			return missed(l, SR_UNFILLED_WAITED);
		if (!pause_between(l, &pause, deadline))
			return RAISE;
	}
}

bool sr_cache_lookup(sr_client *c, const unsigned char epoch[SR_EPOCH_SIZE], const char *key,
					 size_t len, unsigned flags, sr_cached *out, sr_err *err)
{
	lookup	l = {.c = c, .epoch = epoch, .flags = flags, .out = out};
	sr_err	own;
	verdict v;

	if (err == NULL)
		err = &own;
	l.err = err;
	memset(out, 0, sizeof(*out));
	out->found = SR_CACHE_MISSED;
	out->reason = SR_UNFILLED_REASONS;
	if (!c->configured)
	{
		*l.err = c->refused;
		sr_client_count_error(c, l.err);
		return false;
	}
	if (!sr_cache_keys(c, key, len, &l.keys, l.err))
		return false;
	l.err->cls = SR_OK;
	v = look_and_wait(&l);
	sr_cache_give_back(c, &l.keys);
	if (v == RAISE)
		return false;
	if (out->found != SR_CACHE_MISSED)
		l.err->cls = SR_OK; /* whatever failed on the way */
	if (out->found == SR_CACHE_HIT)
		c->stats->cache_hits++;
	else
		c->stats->cache_misses++;
	if (out->found == SR_CACHE_MISSED)
		sr_client_count_unfilled(c, out->reason);
	return true;
}

void sr_cached_free(sr_cached *cached)
{
	sr_reply_free(cached->reply);
	cached->reply = NULL;
	cached->value = (sr_value){.type = SR_TYPE_NULL};
}
