/*
 * recipes.c - the settings of the recipes: their defaults, and a client's own copy of them. The bucket, queue
 * or name behind a prefix is the business of each recipe.
 */
#include "conn.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define HOLD_MS		  30000
#define QUOTA_WARNING 80

static const struct
{
	size_t		offset; /* of the text in sr_recipes */
	const char *otherwise;
} texts[] = {
	{offsetof(sr_recipes, rate_limit_prefix), "rl:"},
	{offsetof(sr_recipes, idempotent_prefix), "idem:"},
	{offsetof(sr_recipes, queue_prefix), "queue:"},
	{offsetof(sr_recipes, session_prefix), "session:"},
	{offsetof(sr_recipes, bullmq_prefix), "bull"},
	{offsetof(sr_recipes, rate_limit_tiers), "strict=10/60 moderate=60/60 generous=120/60"},
	{offsetof(sr_recipes, rate_limit_buckets), ""},
};

#define TEXTS (sizeof texts / sizeof texts[0])

static const char **text_of(sr_recipes *r, size_t i)
{
	return (const char **) ((char *) r + texts[i].offset);
}

void sr_recipes_free(sr_recipes *r)
{
	for (size_t i = 0; i < TEXTS; i++)
	{
		free((char *) *text_of(r, i));
		*text_of(r, i) = NULL;
	}
}

bool sr_recipes_copy(const sr_recipes *from, sr_recipes *to)
{
	sr_recipes given = *from;
	bool	   ok = true;

	*to = *from;
	for (size_t i = 0; i < TEXTS; i++)
	{
		const char *text = *text_of(&given, i);

		*text_of(to, i) = strdup(text != NULL ? text : texts[i].otherwise);
		ok = ok && *text_of(to, i) != NULL;
	}
	if (to->hold <= 0)
		to->hold = HOLD_MS;
	if (to->quota_warning <= 0)
		to->quota_warning = QUOTA_WARNING;
	if (!ok)
		sr_recipes_free(to);
	return ok;
}
