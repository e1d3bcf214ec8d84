/*
 * cached.c - see cached.h.
 */
#include "cached.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON(id, name) [id] = (name),

const unsigned char epoch[SR_EPOCH_SIZE] = "an epoch of 16 ";
sr_err				cache_err;
char				last_lease[80];

static const char *const reasons[] = {SR_UNFILLED_MAP(REASON)[SR_UNFILLED_REASONS] = ""};

static char text[1024];

static const char *failure(void)
{
	snprintf(text, sizeof(text), "%s: %s", sr_class_word(cache_err.cls), cache_err.msg);
	return text;
}

const char *look_flags(sr_client *c, const char *key, unsigned flags)
{
	sr_cached cached;
	bool	  ok;

	memset(&cache_err, 0, sizeof(cache_err));
	ok = sr_cache_lookup(c, epoch, key, strlen(key), flags, &cached, &cache_err);
	if (!ok)
		failure();
	else if (cached.found == SR_CACHE_HIT && cached.value.type == SR_TYPE_NULL)
		snprintf(text, sizeof(text), "hit NULL");
	else if (cached.found == SR_CACHE_HIT)
		snprintf(text, sizeof(text), "hit %.*s", (int) cached.value.len, cached.value.data);
	else if (cached.found == SR_CACHE_LEASED)
	{
		snprintf(text, sizeof(text), "leased");
		memcpy(last_lease, cached.lease, sizeof(last_lease));
	}
	else
		snprintf(text, sizeof(text), "missed%s%s", cached.reason == SR_UNFILLED_REASONS ? "" : " ",
				 reasons[cached.reason]);
	sr_cached_free(&cached);
	return text;
}

const char *look(sr_client *c, const char *key)
{
	return look_flags(c, key, SR_CACHE_LEASE | SR_CACHE_WAIT);
}

const char *fill(sr_client *c, const char *key, const char *value, const char *tags)
{
	sr_value v = {.type = SR_TYPE_NULL};
	sr_value list[8];
	char	 copy[256];
	int		 count = 0;
	bool	 filled;

	if (value != NULL)
		v = (sr_value){.type = SR_TYPE_TEXT, .data = value, .len = strlen(value)};
	snprintf(copy, sizeof(copy), "%s", tags != NULL ? tags : "");
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
		list[count++] = (sr_value){.type = SR_TYPE_TEXT, .data = w, .len = strlen(w)};
	memset(&cache_err, 0, sizeof(cache_err));
	if (!sr_cache_fill(c, key, strlen(key), last_lease, strlen(last_lease), &v, 60000, count, list,
					   &filled, &cache_err))
		return failure();
	return filled ? "filled" : "unfilled";
}

const char *entry_of(const char *key)
{
	static char out[256];
	sr_buf		buf = {0};

	sr_entry_key(key, strlen(key), &buf);
	snprintf(out, sizeof(out), "%s", buf.data);
	sr_buf_free(&buf);
	return out;
}

uint64_t unfilled(const sr_client *c, sr_unfilled reason)
{
	return sr_client_stats(c)->cache_unfilled[reason];
}

sr_client *usual_client(const char *url)
{
	sr_settings s = settings(url);

	return client(&s);
}

void time_passes(void)
{
	state.skew += 150;
}
