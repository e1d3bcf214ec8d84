/*
 * deliver.c - the commands that carry effects out, and what their replies mean.
 *
 * Owns the batches; what runs once is deliver_groups.c's. All of it may be sent twice: deletions do not
 * mind, a tag's version only grows, and a group has an id that Redis remembers. A reply belongs to the batch
 * that asked for it because both are counted off in the same order; nothing is allocated for that.
 */
#include "deliver.h"
#include "mutation.h"

#include <stdio.h>
#include <string.h>

#define BATCH_BYTES ((size_t) 48 * 1024) /* a few writes */
#define KEY_EXTRA	((size_t) 16)		 /* "$123\r\n" and "\r\n" round a key */
#define ENTRY_EXTRA ((size_t) 11)		 /* ":sqlredis{}" */

/*
 * The record of a tag gets a version above all that leases have seen. It must outlive every lease (60 s at
 * most) and every entry that names it. Where it cannot be written it is deleted, which voids the entries
 * that are there, and tried again because of leases. Redis before 7 puts its own words before an error.
 */
static const char tag_script[] =
	"local t = redis.call('TIME') "
	"local now = t[1] * 1000000 + t[2] "
	"for _, key in ipairs(KEYS) do "
	"local old = redis.pcall('GET', key) "
	"old = type(old) == 'string' and tonumber(old) or 0 "
	"local left = redis.call('PTTL', key) "
	"local version = string.format('%.0f', math.max(now, old + 1)) "
	"local done "
	"if left == -1 then done = redis.pcall('SET', key, version) "
	"else done = redis.pcall('SET', key, version, 'PX', math.max(left, 60000)) end "
	"if done.err then "
	"redis.pcall('DEL', key) "
	"return redis.error_reply((done.err:gsub('^@user_script: ?%d+: ?', ''):gsub('^-', ''))) "
	"end end "
	"return #KEYS";

/* Effects of one kind, from from to to, others among them left out: one command. */
typedef struct batch
{
	sr_effect kind;
	size_t	  from, to, count;
	bool	  entry; /* only the entry of the key from */
} batch;

static const sr_effect passes[] = {SR_EFFECT_COMMANDS, SR_EFFECT_SCRIPT, SR_EFFECT_KEY,
								   SR_EFFECT_TAG};

#define PASSES ((int) (sizeof passes / sizeof passes[0]))

static sr_effect kind_of(const sr_delivery *d, size_t i, size_t *len)
{
	sr_effect kind;

	(void) sr_inval_effect(d->list, i, &kind, len, NULL);
	return kind;
}

static size_t wire_size(sr_effect kind, size_t len)
{
	return kind == SR_EFFECT_KEY ? 3 * len + 2 * KEY_EXTRA + ENTRY_EXTRA : len + KEY_EXTRA;
}

/* The batch that begins at effect p->at, which is of kind; p moves behind it. */
static void take(const sr_delivery *d, sr_progress *p, sr_effect kind, batch *b)
{
	bool   one = d->alone || sr_effect_is_group(kind);
	size_t bytes = 0;

	*b = (batch){.kind = kind, .from = p->at, .entry = p->entry};
	p->entry = d->alone && kind == SR_EFFECT_KEY && !p->entry && !sr_without(ENTRY_KEY);
	for (; p->at < d->end && b->count < (one ? 1 : SR_BATCH); p->at++)
	{
		size_t len;

		if (kind_of(d, p->at, &len) != kind)
			continue;
		bytes += wire_size(kind, len);
		if (bytes > BATCH_BYTES && b->count > 0)
			break;
		b->count++;
	}
	b->to = p->at;
	if (p->entry)
		p->at = b->from;
}

/* The next batch after p, which moves; the same whenever it is asked. */
static bool next_batch(const sr_delivery *d, sr_progress *p, batch *b)
{
	for (; p->pass < PASSES; p->pass++, p->at = 0)
	{
		sr_effect kind = passes[p->pass];
		size_t	  end = sr_effect_is_group(kind) ? d->groups : d->end;
		size_t	  len;

		if (sr_inval_count_of(d->list, kind) == 0)
			continue;
		if (p->at < d->start)
			p->at = d->start;
		while (p->at < end &&
			   (kind_of(d, p->at, &len) != kind || !sr_delivery_is_known(d, kind, p->at)))
			p->at++;
		if (p->at < end)
		{
			take(d, p, kind, b);
			return true;
		}
	}
	return false;
}

/* ---- out ---- */

void sr_delivery_add(sr_delivery *d, sr_argv *cmd, const char *data, size_t len)
{
	d->line->argv[cmd->argc] = data;
	d->line->lengths[cmd->argc++] = len;
}

void sr_delivery_word(sr_delivery *d, sr_argv *cmd, const char *word)
{
	sr_delivery_add(d, cmd, word, strlen(word));
}

/* UNLINK with the batch's keys and their entries, whose names are written into the client's scratch. */
static bool write_keys(sr_delivery *d, const batch *b, sr_argv *cmd)
{
	sr_buf *names = &d->c->scratch;
	size_t	need = 0, len;

	for (size_t i = b->from; i < b->to; i++)
		if (kind_of(d, i, &len) == SR_EFFECT_KEY)
			need += 2 * len + ENTRY_EXTRA;
	names->len = 0;
	if (!sr_buf_reserve(names, need)) /* so that what is written stays where it is */
		return false;
	sr_delivery_word(d, cmd, "UNLINK");
	for (size_t i = b->from; i < b->to; i++)
	{
		sr_effect	kind;
		const char *key = sr_inval_effect(d->list, i, &kind, &len, NULL);
		size_t		at = names->len;

		if (kind != SR_EFFECT_KEY)
			continue;
		if (!b->entry)
			sr_delivery_add(d, cmd, key, len);
		if ((d->alone && !b->entry) || sr_without(ENTRY_KEY))
			continue;
		if (!sr_entry_key(key, len, names))
			return false;
		sr_delivery_add(d, cmd, names->data + at, names->len - at);
	}
	return true;
}

static bool write_tags(sr_delivery *d, const batch *b, sr_argv *cmd)
{
	sr_buf *names = &d->c->scratch;

	names->len = 0;
	if (!sr_buf_fmt(names, "%zu", b->count))
		return false;
	sr_delivery_word(d, cmd, "EVAL");
	sr_delivery_word(d, cmd, tag_script);
	sr_delivery_add(d, cmd, names->data, names->len);
	for (size_t i = b->from; i < b->to; i++)
	{
		sr_effect	kind;
		size_t		len;
		const char *key = sr_inval_effect(d->list, i, &kind, &len, NULL);

		if (kind == SR_EFFECT_TAG)
			sr_delivery_add(d, cmd, key, len);
	}
	return true;
}

static int next_command(void *ctx, sr_argv *out)
{
	sr_delivery *d = ctx;
	batch		 b;
	bool		 ok;

	if (d->stop || d->again || !next_batch(d, &d->asked, &b) || !sr_delivery_in_time(d))
		return 0;
	*out = (sr_argv){.argv = d->line->argv, .argvlen = d->line->lengths};
	switch (b.kind)
	{
		case SR_EFFECT_TAG: ok = write_tags(d, &b, out); break;
		case SR_EFFECT_COMMANDS:
		case SR_EFFECT_SCRIPT: ok = sr_delivery_write_group(d, b.from, out); break;
		default: ok = write_keys(d, &b, out); break;
	}
	if (!ok)
	{
		sr_err err;

		sr_fail_memory(&err);
		sr_delivery_note(d, &err);
		d->stop = true;
	}
	return ok;
}

/* ---- in ---- */

static void set_aside(sr_delivery *d, sr_inval **to, const batch *b)
{
	size_t len;

	for (size_t i = b->from; i < b->to; i++)
		if (kind_of(d, i, &len) == b->kind)
			sr_delivery_set_aside(d, to, i);
}

/* Once a connection: entries that this user may not delete. */
static void warn_entry(sr_delivery *d, const sr_err *err)
{
	sr_client *c = d->c;
	char	   text[sizeof(err->msg) + 128];

	if (c->entry_refused == c->stats->connects)
		return;
	c->entry_refused = c->stats->connects;
	snprintf(text, sizeof(text),
			 "keys were invalidated, but not what redis_cached keeps beside them: %s", err->msg);
	c->host.log(c->host.ctx, SR_LOG_WARNING, text);
}

static void on_error(sr_delivery *d, const batch *b, const sr_err *err)
{
	if (sr_is_transient(err->cls))
	{
		sr_delivery_note(d, err);
		d->stop = true;
		/* what was asked behind a group that was not done is owed as well */
		d->redo = d->redo || sr_effect_is_group(b->kind);
		if (!b->entry || d->accepted)
			set_aside(d, &d->kept, b);
		d->accepted = false;
	}
	else if (b->count > 1 || (b->kind == SR_EFFECT_KEY && !d->alone))
		set_aside(d, &d->singles, b); /* a key and its entry are two */
	else if (b->entry && d->accepted)
	{
		sr_delivery_sent(d, b->kind, 1);
		warn_entry(d, err);
	}
	else if (!b->entry)
	{
		d->accepted = false;
		sr_delivery_lost(d, b->from, err);
	}
}

static bool is_noscript(const sr_reply *reply)
{
	return reply->kind == SR_ERROR && reply->len >= 8 && memcmp(reply->str, "NOSCRIPT", 8) == 0;
}

/* Redis may have known the script of one that was asked behind an unknown one. */
static void on_ahead(sr_delivery *d, const sr_reply *reply)
{
	batch b;

	if (next_batch(d, &d->ahead, &b) && b.kind == SR_EFFECT_SCRIPT && reply->kind == SR_ARRAY)
		sr_delivery_ran_ahead(d, b.from, reply);
}

static void on_reply(void *ctx, sr_reply *reply)
{
	sr_delivery *d = ctx;
	sr_progress	 before = d->answered;
	batch		 b;
	sr_err		 err;

	if (d->again)
		on_ahead(d, reply);
	else if (!next_batch(d, &d->answered, &b))
		b.count = 0; /* cannot be: exchange.c counts replies */
	else if (b.kind == SR_EFFECT_SCRIPT && d->unknown != b.from + 1 && is_noscript(reply))
	{
		d->again = true; /* with its text, which those behind it find there */
		d->unknown = b.from + 1;
		d->ahead = d->answered;
		d->answered = before;
	}
	else if (d->redo)
		set_aside(d, &d->kept, &b);
	else if (reply->kind == SR_ERROR)
	{
		sr_fail_reply(&err, reply->str, reply->len);
		on_error(d, &b, &err);
	}
	else if (sr_effect_is_group(b.kind))
		sr_delivery_ran(d, b.from, reply);
	else if (d->answered.entry)
		d->accepted = true; /* half of it */
	else if (!b.entry || d->accepted)
		sr_delivery_sent(d, b.kind, b.count);
	sr_reply_free(reply);
}

/* ---- the phase ---- */

/* A key whose entry was not answered begins again with itself, unless Redis has refused it. */
static void go_back(sr_delivery *d)
{
	if (d->answered.entry && !d->accepted)
		d->answered.at++;
	d->answered.entry = false;
}

/* One exchange of what is still to be asked: it went well, or is worth another. */
static bool ask_rest(sr_delivery *d, int *failures, bool *more)
{
	sr_exchange x = {.ctx = d, .next = next_command, .reply = on_reply};
	sr_err		err;
	bool		ok = sr_delivery_exchange(d, &x, &err);

	*more = d->again;
	d->again = false;
	if (ok)
		return true;
	go_back(d);
	*failures = x.answered > 0 ? 1 : *failures + 1;
	*more = err.cls == SR_E_LOST && *failures == 1 && (d->flags & SR_NO_DIAL) == 0;
	if (!*more)
		sr_delivery_note(d, &err);
	return *more;
}

/* Send everything; what broke the connection, and was not answered, is sent again once. */
static void send_phase(sr_delivery *d)
{
	batch b;
	int	  failures = 0;
	bool  more = true;

	d->asked = d->answered = (sr_progress){0};
	d->redo = d->accepted = d->again = false;
	d->unknown = 0;
	while (more && sr_delivery_ready(d))
	{
		if (!ask_rest(d, &failures, &more))
			d->stop = true;
		d->asked = d->answered;
	}
	go_back(d);
	while (next_batch(d, &d->answered, &b))
		set_aside(d, &d->kept, &b);
}

static bool has_any(const sr_delivery *d)
{
	sr_progress p = {0};
	batch		b;

	return next_batch(d, &p, &b);
}

void sr_deliver(sr_delivery *d)
{
	sr_inval	   *singles;
	const sr_inval *list = d->list;
	size_t			start = d->start, groups = d->groups, end = d->end;

	sr_delivery_lose_unknown(d);
	if (!has_any(d))
		return;
	send_phase(d);
	singles = d->singles;
	if (singles == NULL)
		return;
	d->singles = NULL;
	d->list = singles;
	d->start = d->groups = 0;
	d->end = sr_inval_count(singles);
	d->alone = true;
	if (d->stop)
		for (size_t i = 0; i < d->end; i++)
			sr_delivery_set_aside(d, &d->kept, i);
	else
		send_phase(d);
	d->alone = false;
	d->list = list;
	d->start = start;
	d->groups = groups;
	d->end = end;
	sr_inval_free(singles);
}
