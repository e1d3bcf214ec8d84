/*
 * coherence.h - part of core.h: what is bound to transactions, and the coherent cache. core.h includes
 * it; nobody else needs to. The protocol is described in docs/coherence.md.
 */
#ifndef SQLREDIS_COHERENCE_H
#define SQLREDIS_COHERENCE_H

#include "commands.h"

/* ---- inval.c: what one transaction will do to Redis when it commits. No I/O --------------------- */

/*
 * An ordered set of effects, each with the nesting depth it was added at. Depths never decrease along
 * the list: rollback_to cuts a tail, release relabels one, both in time proportional to what they
 * cut, so that a loop of a hundred thousand savepoints stays linear.
 *
 * Keys, tags and patterns are there once, at their first place, unless commands came in between: what
 * was queued after a command is sent after it.
 */
typedef struct sr_inval sr_inval;

typedef enum sr_effect
{
	SR_EFFECT_KEY, /* a whole key: it, its coherent entry and lease are deleted */
	SR_EFFECT_TAG, /* the whole key of a tag's record (sr_tag_key): what was filled under it is void */
	SR_EFFECT_PATTERN,	/* a glob over whole keys: those that match and their entries are deleted */
	SR_EFFECT_COMMANDS, /* commands sent together, once: sr_effects_command reads them */
	/*
	 * Items for a script (sr_recipe_script), sent together, once. As COMMANDS, but the first command is
	 * the script's name and its keys, and each that follows is an item.
	 */
	SR_EFFECT_SCRIPT
} sr_effect;

typedef enum sr_push
{
	SR_PUSH_NEW,
	SR_PUSH_DUPLICATE,
	SR_PUSH_NO_MEMORY /* or too large: one of the limits */
} sr_push;

/* What Redis would never take would be owed for ever: its strings have 512 MB. */
#define SR_INVAL_MAX_BYTES	 ((size_t) 1 << 30) /* of all effects */
#define SR_INVAL_MAX_KEY	 ((size_t) 128 << 20) /* of a key, tag or pattern: an entry has it twice */
#define SR_INVAL_MAX_COMMAND ((size_t) 511 << 20)
#define SR_COMMAND_ARGS		 7000 /* words of one command: what Redis's Lua can unpack */
#define SR_SCRIPT_KEYS		 64	  /* of one script */

sr_inval *sr_inval_new(void);
void	  sr_inval_free(sr_inval *q);
sr_push	  sr_inval_push(sr_inval *q, const char *key, size_t len, int depth); /* SR_EFFECT_KEY */
/* data of a COMMANDS or SCRIPT effect is as sr_inval_effect gave it, of this process or of another one. */
sr_push sr_inval_push_effect(sr_inval *q, sr_effect kind, const char *data, size_t len, int depth);
/*
 * One command, which has passed sr_line_admit; it joins the group before it if that has the same depth. One
 * of more than SR_COMMAND_ARGS words is too large, too.
 */
sr_push sr_inval_push_command(sr_inval *q, const sr_argv *cmd, int depth);
void	sr_inval_release(sr_inval *q, int n);	  /* depth = min(depth, n) */
void	sr_inval_rollback_to(sr_inval *q, int n); /* entries with depth > n are dropped */
void	sr_inval_clear(sr_inval *q);			  /* keeps a little memory, gives the rest back */
void	sr_inval_swap(sr_inval *a, sr_inval *b);  /* exchange their contents */
/*
 * An item for a script with its keys, 1 to SR_SCRIPT_KEYS; it joins the group before it if that has the same
 * script, keys and depth.
 */
sr_push sr_inval_push_script(sr_inval *q, const char *script, const sr_argv *keys,
							 const sr_argv *item, int depth);
size_t	sr_inval_count(const sr_inval *q);
size_t	sr_inval_count_of(const sr_inval *q, sr_effect kind);
bool	sr_inval_contains(const sr_inval *q, const char *key, size_t len); /* a key */
/* The i-th effect (0 first); the pointer lives until the next push or cut. depth may be NULL. */
const char *sr_inval_effect(const sr_inval *q, size_t i, sr_effect *kind, size_t *len, int *depth);

/* ---- effects.c: effects as bytes, in outbox rows and in shared memory ----------------------------- */

/* COMMANDS and SCRIPT: has an id, is run once, and keeps its place among all others. */
bool sr_effect_is_group(sr_effect kind);
/*
 * Append effects *at, *at + 1 ... to out, as many as fit into max bytes and at least one; *at moves behind
 * them. The format begins with its version and is the same on every machine and for later versions.
 * false: no memory.
 */
bool sr_effects_pack(const sr_inval *q, size_t *at, size_t max, sr_buf *out);
/* Add what was packed to q, at depth 0. Fails on bytes that are not what sr_effects_pack makes. */
bool sr_effects_unpack(sr_inval *q, const void *data, size_t len, sr_err *err);
/*
 * The command at *pos of a COMMANDS effect (SR_COMMANDS_ID first), argument by argument: *argc of them,
 * which sr_effects_argument reads. false: no more, or not what sr_inval_push_command makes (*pos < len).
 */
#define SR_COMMANDS_ID 16 /* bytes of the id before the first command */
bool sr_effects_command(const char *data, size_t len, size_t *pos, size_t *argc);
bool sr_effects_argument(const char *data, size_t len, size_t *pos, const char **arg,
						 size_t *arg_len);
/* How many commands or items the group has. */
size_t sr_effects_commands(sr_effect kind, const char *data, size_t len);
/* Bytes of a command in its group; 0: too large for any. And writing it there. */
size_t sr_effects_command_size(const sr_argv *cmd);
void   sr_effects_put_command(const sr_argv *cmd, char *to);
/* Is cmd, which is not too large, the first command of the group? */
bool sr_effects_begin_with(const char *data, size_t len, const sr_argv *cmd);
/* Reading what was packed, effect by effect: 1 and the next one, 0 at the end, -1 and err. */
typedef struct sr_packed
{
	const char *data;
	size_t		len, pos;
} sr_packed;

bool sr_packed_open(sr_packed *p, const void *data, size_t len, sr_err *err);
int	 sr_packed_next(sr_packed *p, sr_effect *kind, const char **data, size_t *len, sr_err *err);
/* The whole key of a tag's record, and of a key's coherent entry. false: no memory. */
bool sr_tag_key(const char *prefix, size_t prefix_len, const char *tag, size_t len, sr_buf *out);
bool sr_entry_key(const char *key, size_t len, sr_buf *out);
/*
 * Is the key a tag's record, or the id of commands that were run? No pattern deletes those: fills that are
 * under way would be let pass, and commands run a second time.
 */
#define SR_TAG_WORD	 "sqlredis:tag:"  /* behind the key prefix */
#define SR_DONE_WORD "sqlredis:done:" /* before the id in hexadecimal digits */
bool sr_is_record(const char *key, size_t len);

/* ---- describe.c: effects in words, for people ------------------------------------------------------- */

/* "key", "tag", "pattern", "command", "script" */
const char *sr_effect_name(sr_effect kind);
/*
 * An effect in words: a key, a tag's name or command lines, one a line. Appended to out, UTF-8 without
 * zero bytes whatever it was. An item's line is its script's name, the first key and the item.
 */
bool sr_effect_describe(sr_effect kind, const char *data, size_t len, sr_buf *out);
/*
 * The line of a group's command or item at *pos (0 first), which moves behind it. 1; 0: there are no more;
 * -1: no memory.
 */
int sr_effects_line(sr_effect kind, const char *data, size_t len, size_t *pos, sr_buf *out);
/*
 * The first limit effects of what was packed as a JSON array, "... 5 more" at its end. Of a long one the
 * beginning.
 */
bool sr_effects_json(const void *data, size_t len, size_t limit, sr_buf *out, sr_err *err);

/* ---- flush.c, deliver.c: deliver effects, keep what could not be delivered ------------------------- */

typedef struct sr_flush_result
{
	size_t sent; /* effects that Redis answered for */
	size_t kept; /* not sent: now in the backlog or, with SR_FLUSH_LEAVE, the caller's to keep */
	size_t lost; /* refused one by one, or the backlog was full */
	bool   jobs; /* some of those kept or lost are commands or items for scripts, and not keys */
	sr_err err;	 /* the first failure; cls SR_OK when there was none */
} sr_flush_result;

/*
 * The caller is in a COMMIT: no dialling, at most commit_timeout without progress, and nothing is asked when
 * command_timeout has passed.
 */
#define SR_FLUSH_COMMIT 0x01
/* What cannot be sent is safe elsewhere (in an outbox): it does not join the backlog. */
#define SR_FLUSH_LEAVE 0x02
/* Patterns take long, and somebody else will see to them: they count as kept. Only with LEAVE. */
#define SR_FLUSH_NO_PATTERNS 0x04
/* Not the backlog, only q. */
#define SR_FLUSH_ONLY 0x08

/* Of n effects that are kept or lost: "keys were not invalidated" and the like. Static. */
const char *sr_flush_words(const sr_flush_result *result, size_t n);
/*
 * Carry out the backlog and then q (may be NULL), in order, and empty q. What Redis could not be told
 * stays in the client's backlog, unless flags say otherwise. A backlog is never duplicated: a key that
 * waits already needs no second place.
 */
void   sr_flush(sr_client *c, sr_inval *q, unsigned flags, sr_flush_result *out);
size_t sr_client_backlog(const sr_client *c); /* effects waiting */
/* Exchange the backlog for q's contents: another client will see to what waits. Not during a flush. */
void sr_client_swap_backlog(sr_client *c, sr_inval *q);

/* ---- cache.c: the coherent cache: ../docs/coherence.md ------------------------------------------- */

/* What the database's side of an epoch is: any bytes that change when what it promised is void. */
#define SR_EPOCH_SIZE 16

typedef enum sr_found
{
	SR_CACHE_HIT,
	SR_CACHE_LEASED, /* nothing there; the lease to fill it is ours */
	SR_CACHE_MISSED	 /* answer, but do not fill: reason says why */
} sr_found;

typedef struct sr_cached
{
	sr_found	found;
	sr_value	value; /* HIT: TEXT, or NULL for a cached NULL */
	sr_unfilled reason;
	char		lease[80]; /* LEASED: text to fill with */
	sr_reply   *reply;	   /* owned: what value points into */
} sr_cached;

/* Take a lease when there is nothing; wait for another's fill. Without both: only look. */
#define SR_CACHE_LEASE 0x01
#define SR_CACHE_WAIT  0x02

/*
 * Look up key (without prefix). A hit is one round trip. The epoch is the database's; entries of
 * another epoch or of another server are no hits. False with SR_E_INTERRUPTED, SR_E_OPTION and local
 * errors only: a Redis that is away, read-only or refuses is SR_CACHE_MISSED, and *err says what it
 * said. Counts hits, misses and the reason; without SR_CACHE_LEASE that is the caller's to name and
 * count, and reason is SR_UNFILLED_REASONS. The caller frees with sr_cached_free, also after false.
 */
bool sr_cache_lookup(sr_client *c, const unsigned char epoch[SR_EPOCH_SIZE], const char *key,
					 size_t len, unsigned flags, sr_cached *out, sr_err *err);
void sr_cached_free(sr_cached *cached);
/*
 * Put value (NULL, TEXT or BYTES) into the entry for ttl ms, if the lease is still there; *filled says
 * whether. tags: count texts. Counts the fill, or why not, which *err says if Redis did. False as
 * sr_cache_lookup.
 */
bool sr_cache_fill(sr_client *c, const char *key, size_t len, const char *lease, size_t lease_len,
				   const sr_value *value, int64_t ttl, int count, const sr_value *tags,
				   bool *filled, sr_err *err);
/* Nobody will fill under this lease: those who wait need not. Failure is ignored: leases expire. */
void sr_cache_release(sr_client *c, const char *key, size_t len, const char *lease);
void sr_client_count_unfilled(sr_client *c, sr_unfilled reason);

/* ---- lookup.c: 'SELECT ... WHERE id = {id}' ------------------------------------------------------- */

/*
 * A template that is a query: it begins with SELECT or WITH. {column} outside of string constants, quoted
 * names and comments stands for the changed row's column; {{ and }} are braces.
 */
typedef struct sr_query sr_query;

bool	  sr_is_query(const char *text, size_t len);
sr_query *sr_query_compile(const char *text, size_t len, sr_err *err);
void	  sr_query_free(sr_query *q);
int		  sr_query_columns(const sr_query *q); /* different ones, in the order of their first use */
const char *sr_query_column(const sr_query *q, int i);
/* The query with each column replaced by what write appends for column i ("$1", NEW."id"). */
bool sr_query_text(const sr_query *q, bool (*write)(void *ctx, int i, sr_buf *out), void *ctx,
				   sr_buf *out);

#endif
