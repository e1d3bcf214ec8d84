/*
 * cache_fill.c - the coherent cache's writing side: a value into an entry, under a lease.
 *
 * A fill asks Redis for one thing: is the lease still there, as it was taken? Every invalidation and
 * every fill ends it, and no lease is taken twice under one token, so that a fill that arrives late,
 * twice or at another server does no harm, and it is sent again when the connection breaks. (If the
 * first one was carried out, the second says that the lease is gone.) It need not know the epoch: the
 * stamp under which the lease was taken goes into the entry, and voids it where it is not the reader's.
 */
#include "cache.h"
#include "command.h"
#include "mutation.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_EXTRA ((size_t) 1024) /* bytes of an entry that are not its value, but for tags */

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* How the lease begins in Redis; false: the text is no lease's. */
static bool parse_lease(const char *text, size_t len, char out[SR_LEASE_SIZE])
{
	if (text == NULL || len != (size_t) 2 * (SR_LEASE_SIZE - 1))
		return false;
	out[0] = 'L';
	for (size_t i = 0; i < SR_LEASE_SIZE - 1; i++)
	{
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[1 + i] = (char) (high << 4 | low);
	}
	return true;
}

/* Is the server, or the epoch, known to be another one than the lease's? */
static bool is_void(const sr_client *c, const char lease[SR_LEASE_SIZE])
{
	const sr_identity *id = &c->identity;

	return id->state == SR_IDENTITY_KNOWN && id->stamped &&
		   memcmp(id->stamp, lease + 1, SR_STAMP_SIZE) != 0;
}

/* The keys of the tags' records; how many, or -1: no memory. */
static int add_tags(sr_client *c, sr_line *line, int count, const sr_value *tags, sr_err *err)
{
	size_t		prefix_len;
	const char *prefix = sr_client_prefix(c, &prefix_len);
	int			added = 0;

	for (int i = 0; i < count; i++)
	{
		sr_buf key = {0};

		if (tags[i].type == SR_TYPE_NULL)
			continue;
		if (!sr_tag_key(prefix, prefix_len, tags[i].data, tags[i].len, &key))
		{
			sr_buf_free(&key);
			sr_fail_memory(err);
			return -1;
		}
		if (!sr_line_keep(line, key.data, err) || !sr_line_add(line, key.data, key.len, err))
			return -1;
		added++;
	}
	return added;
}

static sr_reply *send_fill(sr_client *c, const sr_buf *entry, const char lease[SR_LEASE_SIZE],
						   const sr_value *value, int64_t ttl, int count, const sr_value *tags,
						   sr_err *err)
{
	bool	  null = value->type == SR_TYPE_NULL;
	char	  head[SR_HEAD_SIZE];
	sr_line	  line;
	sr_reply *reply = NULL;
	int		  tagged;

	sr_line_init(&line, c);
	if (sr_line_add(&line, entry->data, entry->len, err) &&
		(tagged = add_tags(c, &line, count, tags, err)) >= 0)
	{
		head[0] = tagged > 0 ? (null ? 'U' : 'T') : (null ? 'N' : 'V');
		memcpy(head + 1, lease + 1, SR_STAMP_SIZE);
		if (sr_line_add(&line, lease, sr_without(LEASE) ? 0 : SR_LEASE_SIZE, err) &&
			sr_line_integer(&line, ttl, err) && sr_line_add(&line, head, sizeof(head), err) &&
			sr_line_add(&line, null ? "" : value->data, null ? 0 : value->len, err))
			reply = sr_cache_run(c, tagged > 0 ? SR_CACHE_FILL_TAGGED : SR_CACHE_FILL, 1 + tagged,
								 &line.argv, SR_SAFE_TO_RESEND, err);
	}
	sr_line_free(&line);
	return reply;
}

static void send_release(sr_client *c, const sr_buf *entry, const char lease[SR_LEASE_SIZE])
{
	const char *argv[] = {entry->data, lease};
	size_t		lengths[] = {entry->len, SR_LEASE_SIZE};
	sr_argv		args = {2, argv, lengths};
	sr_err		ignored;

	sr_reply_free(sr_cache_run(c, SR_CACHE_RELEASE, 1, &args, SR_NO_DIAL, &ignored));
}

static bool unfilled(sr_client *c, sr_unfilled reason)
{
	sr_client_count_unfilled(c, reason);
	return true;
}

/* An entry that no reply may hold is never made: its readers' connections would break. */
static bool fits(const sr_client *c, const sr_value *value, int count, const sr_value *tags,
				 sr_err *err)
{
	size_t room = c->settings.max_reply;
	size_t need = ENTRY_EXTRA;

	if (value->type != SR_TYPE_NULL)
		need += value->len;
	for (int i = 0; i < count; i++)
		need += tags[i].type == SR_TYPE_NULL ? 0 : tags[i].len + ENTRY_EXTRA;
	if (need <= room)
		return true;
	return sr_fail(err, SR_E_SIZE, NULL,
				   "an entry of %zu bytes is not cached: replies may have %zu", need, room);
}

static bool fill(sr_client *c, const sr_buf *entry, const char lease[SR_LEASE_SIZE],
				 const sr_value *value, int64_t ttl, int count, const sr_value *tags, bool *filled,
				 sr_err *err)
{
	sr_reply   *reply;
	sr_unfilled reason = SR_UNFILLED_LOST;

	if (!fits(c, value, count, tags, err))
	{
		sr_client_count_error(c, err);
		send_release(c, entry, lease);
		return unfilled(c, SR_UNFILLED_FAILED);
	}
	reply = send_fill(c, entry, lease, value, ttl, count, tags, err);
	if (reply == NULL)
		return sr_cache_reason(err, &reason) && unfilled(c, reason);
	if (reply->kind == SR_INTEGER && reply->integer == 2)
		reason = SR_UNFILLED_TAG;
	*filled = reply->kind == SR_INTEGER && reply->integer == 1;
	sr_reply_free(reply);
	if (!*filled)
		return unfilled(c, reason);
	c->stats->cache_fills++;
	return true;
}

bool sr_cache_fill(sr_client *c, const char *key, size_t len, const char *lease, size_t lease_len,
				   const sr_value *value, int64_t ttl, int count, const sr_value *tags,
				   bool *filled, sr_err *err)
{
	char	 head[SR_LEASE_SIZE];
	sr_cache keys;
	sr_err	 own;
	bool	 ok;

	if (err == NULL)
		err = &own;
	*filled = false;
	if (ttl <= 0)
		return sr_fail(err, SR_E_OPTION, "Times are in seconds; fractions are allowed.",
					   "ttl must be more than 0");
	if (!c->configured)
	{
		*err = c->refused;
		sr_client_count_error(c, err);
		return false;
	}
	err->cls = SR_OK;
	if (!parse_lease(lease, lease_len, head) || (is_void(c, head) && !sr_without(LEASE)))
		return unfilled(c, SR_UNFILLED_LOST);
	/* among what Redis could not be told yet may be this very key, and its lease is still there */
	if (sr_client_backlog(c) > 0)
		return unfilled(c, SR_UNFILLED_AWAY);
	if (!sr_cache_keys(c, key, len, &keys, err))
		return false;
	ok = fill(c, &keys.entry, head, value, ttl, count, tags, filled, err);
	sr_cache_give_back(c, &keys);
	return ok;
}

void sr_cache_release(sr_client *c, const char *key, size_t len, const char *lease)
{
	char	 head[SR_LEASE_SIZE];
	sr_cache keys;
	sr_err	 ignored;

	if (!c->configured || !parse_lease(lease, lease == NULL ? 0 : strlen(lease), head) ||
		!sr_cache_keys(c, key, len, &keys, &ignored))
		return;
	send_release(c, &keys.entry, head);
	sr_cache_give_back(c, &keys);
}
