/*
 * hold.c - what a transaction holds in Redis: a list with nesting depths, as inval.c keeps one, and the
 * exchanges at the transaction's end. What a hold is, and the scripts that give it back or keep it, are its
 * own file's.
 *
 * Depths never decrease along the list, because a hold is added at the current depth and closing a level
 * lowers or removes all deeper ones first.
 */
#include "hold.h"
#include "conn.h"
#include "deliver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry
{
	size_t	 at; /* in the pack: its keys, then its args */
	uint32_t hash;
	int		 depth;
	int		 nkeys;
	sr_hold	 kind;
} entry;

struct sr_holds
{
	sr_pack *pack;
	entry	*entries;
	size_t	 count, cap;
};

#define MESSAGE_KEY 120	  /* bytes of a key in a message */
#define KEEP_BYTES	65536 /* for the next transaction */

bool sr_line_side_key(sr_line *line, int at, const char *word, sr_err *err)
{
	sr_buf key = {0};

	if (!sr_side_key(line->argv.argv[at], line->argv.argvlen[at], word, &key))
	{
		sr_buf_free(&key);
		return sr_fail_memory(err);
	}
	return sr_line_keep(line, key.data, err) && sr_line_add(line, key.data, key.len, err);
}

/* ---- the list ---- */

sr_holds *sr_holds_new(void)
{
	sr_holds *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	h->pack = calloc(1, sizeof *h->pack);
	if (h->pack != NULL)
		return h;
	free(h);
	return NULL;
}

void sr_holds_free(sr_holds *h)
{
	if (h == NULL)
		return;
	sr_pack_free(h->pack);
	free(h->pack);
	free(h->entries);
	free(h);
}

size_t sr_holds_count(const sr_holds *h)
{
	return h->count;
}

/* FNV-1a */
static uint32_t hash_key(sr_hold kind, const char *key, size_t len)
{
	uint32_t hash = 2166136261u + (uint32_t) kind;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) key[i]) * 16777619u;
	return hash;
}

static bool make_room(sr_holds *h)
{
	size_t cap = h->cap > 0 ? 2 * h->cap : 8;
	entry *entries;

	if (h->count < h->cap)
		return true;
	entries = realloc(h->entries, cap * sizeof *entries);
	if (entries == NULL)
		return false;
	h->entries = entries;
	h->cap = cap;
	return true;
}

bool sr_holds_add(sr_holds *h, sr_hold kind, const sr_argv *keys, const sr_argv *args, int depth)
{
	int			 n = keys->argc + args->argc;
	const char **argv = malloc((size_t) n * sizeof *argv);
	size_t		*lengths = malloc((size_t) n * sizeof *lengths);
	sr_argv		 words = {n, argv, lengths};
	size_t		 at = h->pack->buf.len;
	bool		 ok = argv != NULL && lengths != NULL && make_room(h);

	for (int i = 0; ok && i < n; i++)
	{
		const sr_argv *from = i < keys->argc ? keys : args;
		int			   j = i < keys->argc ? i : i - keys->argc;

		argv[i] = from->argv[j];
		lengths[i] = from->argvlen[j];
	}
	ok = ok && sr_pack_add(h->pack, &words, NULL);
	if (ok)
		h->entries[h->count++] = (entry){.at = at,
										 .hash = hash_key(kind, argv[0], lengths[0]),
										 .depth = depth,
										 .nkeys = keys->argc,
										 .kind = kind};
	free(argv);
	free(lengths);
	return ok;
}

/* The i-th one's keys and args, until the next one is read. */
static void read_hold(const sr_holds *h, size_t i, sr_argv *keys, sr_argv *args)
{
	const entry *e = &h->entries[i];
	size_t		 pos = e->at;
	sr_argv		 words = {0};

	sr_pack_read(h->pack, &pos, &words);
	*keys = (sr_argv){e->nkeys, words.argv, words.argvlen};
	*args = (sr_argv){words.argc - e->nkeys, words.argv + e->nkeys, words.argvlen + e->nkeys};
}

bool sr_holds_find(const sr_holds *h, sr_hold kind, const char *key, size_t len, sr_argv *args)
{
	uint32_t hash = hash_key(kind, key, len);
	sr_argv	 keys, own;

	for (size_t i = h->count; i-- > 0;)
	{
		if (h->entries[i].kind != kind || (key != NULL && h->entries[i].hash != hash))
			continue;
		read_hold(h, i, &keys, args != NULL ? args : &own);
		if (key == NULL || (keys.argvlen[0] == len && memcmp(keys.argv[0], key, len) == 0))
			return true;
	}
	return false;
}

static void cut(sr_holds *h, size_t count)
{
	if (count < h->count)
		h->pack->buf.len = h->entries[count].at;
	h->count = count;
	if (count == 0 && h->pack->buf.cap > KEEP_BYTES)
		sr_pack_free(h->pack);
}

void sr_holds_forget_last(sr_holds *h)
{
	if (h->count > 0)
		cut(h, h->count - 1);
}

/* The first one that is deeper than n. */
static size_t first_deeper(const sr_holds *h, int n)
{
	size_t i = h->count;

	while (i > 0 && h->entries[i - 1].depth > n)
		i--;
	return i;
}

void sr_holds_release(sr_holds *h, int n)
{
	for (size_t i = first_deeper(h, n); i < h->count; i++)
		h->entries[i].depth = n;
}

/* ---- scripts ---- */

typedef enum purpose
{
	GIVE_BACK, /* all of them */
	UNLOCK,	   /* only locks */
	KEEP
} purpose;

static const sr_hold_scripts none = {0};

static const sr_hold_scripts *scripts_of(sr_hold kind)
{
	switch (kind)
	{
		case SR_HOLD_LOCK: return &sr_lock_hold;
		case SR_HOLD_CLAIM: return &sr_claim_hold;
		case SR_HOLD_STOCK: return &sr_stock_hold;
		case SR_HOLD_JOB: break;
	}
	return &none;
}

/* NULL: nothing is to be done for the kind. */
static const char *script_for(purpose p, sr_hold kind)
{
	if (p == KEEP)
		return scripts_of(kind)->keep;
	if (p == UNLOCK && kind != SR_HOLD_LOCK)
		return NULL;
	return kind == SR_HOLD_JOB ? sr_job_return_script() : scripts_of(kind)->give_back;
}

void sr_hold_owe(sr_client *c, sr_hold kind, const sr_argv *keys, const sr_argv *args)
{
	const char *script = scripts_of(kind)->late;

	/* a job needs nothing: it is handed out again when its time is over */
	if (script == NULL || c->flushing || sr_inval_count(c->backlog) >= c->settings.pending_max)
		return;
	sr_inval_release(c->backlog, -1); /* what may have been sent is nothing to join */
	if (sr_inval_push_script(c->backlog, script, keys, args, 0) != SR_PUSH_NO_MEMORY)
		sr_client_count_command(c);
}

bool sr_hold_unknown(const sr_client *c, sr_class cls)
{
	return c->resent || cls == SR_E_LOST || cls == SR_E_TIMEOUT || cls == SR_E_INTERRUPTED ||
		   cls == SR_E_PROTOCOL;
}

/* ---- an exchange: from the last one to the first, which is how jobs come back in their order ---- */

typedef struct asking
{
	const sr_holds *h;
	purpose			purpose;
	size_t			first;	  /* of those asked for */
	size_t			next;	  /* the one before it is asked for next */
	size_t			awaiting; /* the one before it is answered next */
	sr_line			line;
	sr_client	   *c;
	int64_t			until; /* nothing is asked afterwards; 0: no such time */
	char			nkeys[12], keep[24];
	bool			failed; /* one of them; err says why */
	sr_err		   *err;
} asking;

static void owe(const asking *a, size_t i)
{
	sr_argv keys, args;

	read_hold(a->h, i, &keys, &args);
	sr_hold_owe(a->c, a->h->entries[i].kind, &keys, &args);
}

/* *at moves before the next one that has a script; false: there is none. */
static bool step(const asking *a, size_t *at)
{
	while (*at > a->first)
		if (script_for(a->purpose, a->h->entries[--*at].kind) != NULL)
			return true;
	return false;
}

/* The text, not its digest: a Redis that does not know it yet would have to be asked again. */
static int next_ask(void *ctx, sr_argv *out)
{
	asking	*a = ctx;
	sr_argv	 keys, args;
	sr_line *line = &a->line;
	bool	 ok;

	if ((a->until != 0 && sr_now(&a->c->host) >= a->until) || !step(a, &a->next))
		return 0;
	read_hold(a->h, a->next, &keys, &args);
	line->argv.argc = 0;
	snprintf(a->nkeys, sizeof a->nkeys, "%d", keys.argc);
	ok = sr_line_word(line, "EVAL", a->err) &&
		 sr_line_word(line, script_for(a->purpose, a->h->entries[a->next].kind), a->err) &&
		 sr_line_word(line, a->nkeys, a->err);
	for (int i = 0; ok && i < keys.argc; i++)
		ok = sr_line_add(line, keys.argv[i], keys.argvlen[i], a->err);
	for (int i = 0; ok && i < args.argc; i++)
		ok = sr_line_add(line, args.argv[i], args.argvlen[i], a->err);
	if (ok && a->purpose == KEEP)
		ok = sr_line_word(line, a->keep, a->err);
	*out = line->argv;
	if (!ok && !a->failed)
		a->failed = !sr_fail_memory(a->err);
	return ok;
}

static void lost(asking *a, size_t i)
{
	bool	claim = a->h->entries[i].kind == SR_HOLD_CLAIM;
	sr_argv keys, args;
	int		len;

	read_hold(a->h, i, &keys, &args);
	len = keys.argvlen[0] > MESSAGE_KEY ? MESSAGE_KEY : (int) keys.argvlen[0];
	sr_fail(a->err, SR_E_HOLD,
			"The transaction took longer than the setting hold allows, or the key was changed. "
			"Do it again.",
			claim ? "the claim to \"%.*s\" is no longer this transaction's"
				  : "what was reserved of \"%.*s\" has been given back",
			len, keys.argv[0]);
}

/* The first that is not kept is told. */
static void on_kept(asking *a, const sr_reply *reply)
{
	if (a->failed)
		return;
	a->failed = true;
	if (reply->kind == SR_ERROR)
		sr_fail_reply(a->err, reply->str, reply->len);
	else if (reply->kind != SR_INTEGER || reply->integer != 1)
		lost(a, a->awaiting);
	else
		a->failed = false;
}

/* What Redis cannot do now (LOADING, READONLY) is owed; what it refuses runs out by itself. */
static void on_given_back(const asking *a, const sr_reply *reply)
{
	sr_err why;

	if (reply->kind != SR_ERROR)
		return;
	sr_fail_reply(&why, reply->str, reply->len);
	if (sr_is_transient(why.cls))
		owe(a, a->awaiting);
}

static void on_answer(void *ctx, sr_reply *reply)
{
	asking *a = ctx;

	if (step(a, &a->awaiting))
	{
		if (a->purpose == KEEP)
			on_kept(a, reply);
		else
			on_given_back(a, reply);
	}
	sr_reply_free(reply);
}

/*
 * Those before a->awaiting are not answered. false: an exchange that failed, or one that should have been
 * kept is not. NO_DIAL is for the callbacks: then commit_timeout without progress is enough, and so much is
 * not begun that it takes longer.
 */
static bool ask(asking *a, unsigned flags)
{
	sr_client  *c = a->c;
	bool		in_callback = (flags & SR_NO_DIAL) != 0;
	sr_exchange x = {.ctx = a,
					 .next = next_ask,
					 .reply = on_answer,
					 .idle = in_callback ? c->commit_timeout : c->command_timeout};
	bool		ok;

	sr_line_init(&a->line, c);
	snprintf(a->keep, sizeof a->keep, "%d", SR_HOLD_COMMITTED);
	ok = sr_client_enter(c, a->err);
	if (ok)
	{
		ok = sr_client_ready(c, flags, a->err);
		if (ok)
		{
			if (in_callback)
			{
				a->until = sr_now(&c->host) + c->commit_timeout;
				x.until = a->until + c->commit_timeout; /* what was asked in time is waited for */
			}
			ok = sr_exchange_run(c, &x, a->err);
			sr_breaker_report(c, ok ? NULL : a->err);
		}
		sr_client_leave(c);
	}
	if (!ok || a->failed)
		sr_client_count_error(c, a->err);
	sr_line_free(&a->line);
	return ok && !a->failed;
}

/* ---- the ends of a transaction ---- */

/* Those from first on, over the connection there is; what was not answered is owed. */
static void give_back(sr_holds *h, sr_client *c, purpose p, size_t first)
{
	sr_err err;
	asking a = {.h = h,
				.c = c,
				.purpose = p,
				.first = first,
				.next = h->count,
				.awaiting = h->count,
				.err = &err};
	size_t some = h->count;

	if (step(&a, &some) && c != NULL)
	{
		(void) ask(&a, SR_NO_DIAL);
		while (step(&a, &a.awaiting))
			owe(&a, a.awaiting);
	}
	cut(h, first);
}

void sr_holds_rollback_to(sr_holds *h, sr_client *c, int n)
{
	give_back(h, c, GIVE_BACK, first_deeper(h, n));
}

void sr_holds_commit(sr_holds *h, sr_client *c)
{
	give_back(h, c, UNLOCK, 0);
}

bool sr_holds_keep(sr_holds *h, sr_client *c, sr_err *err)
{
	for (int attempt = 0;; attempt++)
	{
		asking a = {
			.h = h, .c = c, .purpose = KEEP, .next = h->count, .awaiting = h->count, .err = err};
		size_t some = h->count;

		if (!step(&a, &some) || ask(&a, 0))
			return true;
		/* keeping twice is harmless: a connection that was closed while nobody used it is replaced */
		if (a.failed || err->cls != SR_E_LOST || attempt > 0)
			return false;
	}
}
