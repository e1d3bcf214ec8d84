/*
 * cached.h - what the tests of the coherent cache share: an epoch, lookups and fills in words.
 */
#ifndef SQLREDIS_TEST_CACHED_H
#define SQLREDIS_TEST_CACHED_H

#include "client.h"

extern const unsigned char epoch[SR_EPOCH_SIZE];
extern sr_err			   cache_err;	   /* of the last lookup or fill */
extern char				   last_lease[80]; /* of the last lookup that took one */

/*
 * What a lookup finds: "hit VALUE", "hit NULL", "leased", "missed", "missed REASON", or "CLASS: message"
 * when it fails. In a static buffer.
 */
const char *look_flags(sr_client *c, const char *key, unsigned flags);
const char *look(sr_client *c, const char *key); /* for a lease, or to wait */
/* Fill under last_lease for a minute; tags: words, or NULL. "filled", "unfilled", or as look. */
const char *fill(sr_client *c, const char *key, const char *value, const char *tags);
/* The entry's key; a static buffer. */
const char *entry_of(const char *key);
uint64_t	unfilled(const sr_client *c, sr_unfilled reason);
sr_client  *usual_client(const char *url);
/* Let the cache's clock go on, so that it looks again whom it speaks to. */
void time_passes(void);

#endif
