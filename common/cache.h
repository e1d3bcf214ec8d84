/*
 * cache.h - what cache.c, cache_fill.c and cache_scripts.c share. Nobody else includes it.
 */
#ifndef SQLREDIS_CACHE_H
#define SQLREDIS_CACHE_H

#include "conn.h"
#include "core.h"

#define SR_TOKEN_SIZE 16
#define SR_HEAD_SIZE  (1 + SR_STAMP_SIZE)			 /* of an entry: what it is, and the stamp */
#define SR_LEASE_SIZE (SR_HEAD_SIZE + SR_TOKEN_SIZE) /* what is its holder's own of a lease */

/* ---- cache_scripts.c ---- */

typedef enum sr_cache_script
{
	SR_CACHE_LOOK,
	SR_CACHE_FILL,
	SR_CACHE_FILL_TAGGED,
	SR_CACHE_RELEASE /* SR_CACHE_SCRIPTS of them */
} sr_cache_script;

sr_reply *sr_cache_run(sr_client *c, sr_cache_script script, int nkeys, const sr_argv *args,
					   unsigned flags, sr_err *err);

/* ---- cache.c ---- */

/*
 * The keys of a call: they are the call's own, because a host may call back while it waits. Taken from
 * what the client keeps; to be given back.
 */
bool sr_cache_keys(sr_client *c, const char *key, size_t len, sr_cache *keys, sr_err *err);
void sr_cache_give_back(sr_client *c, sr_cache *keys);
/* Why there is no answer; false: it is one of those that a caller must hear of. */
bool sr_cache_reason(const sr_err *err, sr_unfilled *reason);

#endif
