/*
 * recipes.h - part of core.h: what applications build on Redis, each as one call, and how the calls that
 * are bound to a transaction learn of it. core.h includes it; nobody else needs to. docs/recipes.md tells
 * what each promises.
 */
#ifndef SQLREDIS_RECIPES_H
#define SQLREDIS_RECIPES_H

#include "coherence.h"

/* ---- hold.c: what a transaction holds in Redis, given back when it rolls back ---------------------- */

/*
 * Things that a transaction took in Redis at once, each with the nesting depth it was taken at and with a
 * time after which Redis gives it to others, should this process be killed. What becomes of them for good
 * at commit is an effect in the queue beside it (SR_EFFECT_SCRIPT).
 */
typedef struct sr_holds sr_holds;

typedef enum sr_hold
{
	SR_HOLD_LOCK,  /* redis_xact_lock: released when the transaction ends, either way */
	SR_HOLD_CLAIM, /* redis_idempotent: a key that is nobody else's until then */
	SR_HOLD_STOCK, /* redis_reserve: a quantity that was taken off */
	SR_HOLD_JOB /* redis_dequeue: a job that is handed out again when the transaction rolls back */
} sr_hold;

/* As long as effects of a committed transaction may be under way: what is kept for it is kept so long (ms). */
#define SR_HOLD_COMMITTED 600000

sr_holds *sr_holds_new(void); /* NULL without memory */
void	  sr_holds_free(sr_holds *h);
size_t	  sr_holds_count(const sr_holds *h);
/*
 * keys: whole ones, as the hold's scripts want them; the first names it. args: what giving it back needs.
 * Both are copied. false: no memory.
 */
bool sr_holds_add(sr_holds *h, sr_hold kind, const sr_argv *keys, const sr_argv *args, int depth);
/* Is there one of that kind whose first key that is (NULL: any)? *args, if not NULL: what it was added with. */
bool sr_holds_find(const sr_holds *h, sr_hold kind, const char *key, size_t len, sr_argv *args);
void sr_holds_release(sr_holds *h, int n); /* depth = min(depth, n), as sr_inval_release */
/*
 * Those deeper than n are given back in Redis, and forgotten; what Redis cannot be told runs out by itself.
 * For the callbacks of a rollback: never dials, waits for commit_timeout at most, reports nothing.
 */
void sr_holds_rollback_to(sr_holds *h, sr_client *c, int n);
/*
 * Before the commit, while it can still be refused: claims and stock are ours still, and stay so for
 * SR_HOLD_COMMITTED. False: one is not, or Redis cannot be asked; the transaction must not commit. Nothing
 * is asked when there are none.
 */
bool sr_holds_keep(sr_holds *h, sr_client *c, sr_err *err);
/* After the commit, and after its effects: locks are released, the rest is forgotten. As rollback_to. */
void sr_holds_commit(sr_holds *h, sr_client *c);

/*
 * queue.c: the script that hands a job out again at once. Its KEYS and ARGV are the keys and args that the
 * JOB was added with.
 */
const char *sr_job_return_script(void);

/* ---- bound.c: the transaction in which a function runs --------------------------------------------- */

typedef struct sr_bound
{
	sr_inval *queue; /* what it does when it commits */
	sr_holds *holds; /* NULL: no transaction is running, and queue is sent after the call */
	int		  depth;
} sr_bound;

/*
 * For the calls that follow, until it is called with NULL; the adapter does so around each call of a row
 * with SR_BOUND. *bound is the caller's and stays where it is.
 */
void			sr_client_bind(sr_client *c, const sr_bound *bound);
const sr_bound *sr_client_bound(const sr_client *c); /* never NULL within such a call */

/*
 * Queue an item for a script of recipe_scripts.c, to run at commit. Items that follow each other with the
 * same script, keys (whole ones, all in one hash slot) and depth are sent together. Redis remembers the
 * group's id, so that a repeat is harmless. false: no memory, or too large: err.
 */
bool sr_bound_queue(sr_client *c, const char *script, const sr_argv *keys, const sr_argv *item,
					sr_err *err);

/* ---- recipe_scripts.c: the scripts that run at commit ------------------------------------------------ */

/* The text of the script called name of len bytes; NULL: a later version's, perhaps. Static. */
const char *sr_recipe_script(const char *name, size_t len);

/* ---- tier.c: named rate limits --------------------------------------------------------------------- */

/*
 * Are the settings rate_limit_tiers and rate_limit_buckets well-formed? For where they are set; NULL: one
 * that is not being set. That each bucket's tier exists is not asked: either may be set first.
 */
bool sr_tiers_check(const char *tiers, const char *buckets, sr_err *err);

/* ---- script.c ------------------------------------------------------------------------------------- */

/* EVALSHA of script, whose first nkeys words are keys, EVAL where Redis does not know it yet. */
sr_reply *sr_script_call(sr_client *c, const char *script, int nkeys, const sr_argv *keys_and_args,
						 unsigned flags, sr_err *err);
/* The lowercase hexadecimal SHA-1 by which Redis knows a script. */
bool sr_script_digest(const char *script, size_t len, char out[41], sr_err *err);
/* What of the key Redis Cluster hashes: between its first '{' and the next '}', or all of it. */
const char *sr_hash_tag(const char *key, size_t *len);
/*
 * A key that belongs to key, in the same hash slot: key + ":" + word, and "{key}" unless key has a hash tag
 * of its own. Appended to out. false: no memory.
 */
bool sr_side_key(const char *key, size_t len, const char *word, sr_buf *out);
/* 16 random bytes of the operating system as 32 hex digits and a NUL. */
#define SR_TOKEN_TEXT 33
bool sr_token(char out[SR_TOKEN_TEXT], sr_err *err);

#endif
