/*
 * rate.h - what rate.c, rate_scripts.c and tier.c share: a limit, and asking Redis about it. Nobody else
 * includes it.
 */
#ifndef SQLREDIS_RATE_H
#define SQLREDIS_RATE_H

#include "command.h"

/* In the order of the words in recipes.def. */
typedef enum sr_rate_algorithm
{
	SR_RATE_FIXED,
	SR_RATE_SLIDING,
	SR_RATE_TOKEN_BUCKET,
	SR_RATE_GCRA
} sr_rate_algorithm;

/* What a double counts exactly: Lua has no other numbers. */
#define SR_RATE_MAX ((int64_t) 1 << 53)
/* A hundred years in ms: two of them after now are exact in microseconds, too. */
#define SR_RATE_LONGEST ((int64_t) 36500 * 86400 * 1000)

typedef struct sr_rate
{
	sr_rate_algorithm algorithm;
	int64_t			  max;	  /* 0 to SR_RATE_MAX */
	int64_t			  period; /* ms, 1 to SR_RATE_LONGEST */
	int64_t			  cost;	  /* < 0: gives back */
	bool			  peek;	  /* would cost be allowed? Changes nothing */
} sr_rate;

/* ---- rate_scripts.c ---- */

/*
 * KEYS: the key's state, its limit of its own. ARGV: max, period in microseconds, cost, 1 to peek.
 * Gives 1 or 0, allowed or not; how many more are; in how many microseconds the same will be, or nil;
 * microseconds since 1970 when all is there again. All as text but the first. Static.
 */
const char *sr_rate_script(sr_rate_algorithm algorithm);

/* ---- rate.c ---- */

/* The one row of a request for the key of len bytes, without its prefixes; NULL: err. */
sr_rows *sr_rate_ask(sr_client *c, const char *key, size_t len, const sr_rate *rate, sr_err *err);

/* out->cost is the i-th argument, 1 when it is left out. */
bool sr_rate_cost(const sr_command *cmd, int n, const sr_value *args, int i, sr_rate *out,
				  sr_err *err);

/* ---- tier.c ---- */

/* max and period of the bucket's tier, as the settings name it. false: they do not, err says what. */
bool sr_tier_find(const sr_recipes *settings, const char *bucket, size_t len, sr_rate *out,
				  sr_err *err);

#endif
