/*
 * tier.c - named rate limits: what the settings rate_limit_tiers ("strict=10/60 ...") and
 * rate_limit_buckets ("login=strict ...") say, and redis_rate_limit_tier. How requests are counted is the
 * business of rate.c.
 *
 * The settings are read anew with every call: a few words, next to a round trip. Each is checked where it is
 * set, by itself, because either may be set first; that a bucket's tier exists shows when it is used.
 */
#include "rate.h"

#include <stdlib.h>
#include <string.h>

#define SEPARATORS " ,\t\r\n"

/* A word "name=value" of a setting; it points into the setting's text. */
typedef struct word
{
	const char *name, *value;
	size_t		name_len, value_len;
} word;

/* The word at *at, and *at moves behind it. 1; 0: there are no more; -1: it has no name or no value. */
static int next_word(const char **at, word *w)
{
	const char *from = *at + strspn(*at, SEPARATORS);
	size_t		len = strcspn(from, SEPARATORS);
	const char *equals = len > 0 ? memchr(from, '=', len) : NULL;

	*at = from + len;
	*w = (word){.name = from, .name_len = len};
	if (len == 0)
		return 0;
	if (equals == NULL || equals == from || equals + 1 == from + len)
		return -1;
	w->name_len = (size_t) (equals - from);
	w->value = equals + 1;
	w->value_len = len - w->name_len - 1;
	/* The bucket a:b and the id c would share their key with the bucket a and the id b:c. */
	return memchr(w->name, ':', w->name_len) == NULL ? 1 : -1;
}

static bool same_name(const word *w, const char *name, size_t len)
{
	return w->name_len == len && memcmp(w->name, name, len) == 0;
}

/* The first word with that name; the text was checked. */
static bool find(const char *text, const char *name, size_t len, word *w)
{
	while (next_word(&text, w) > 0)
		if (same_name(w, name, len))
			return true;
	return false;
}

/* "10/60": requests in seconds. */
static bool read_tier(const word *w, sr_rate *out)
{
	static const sr_arg number = {.name = "a tier"};
	const char		   *slash = memchr(w->value, '/', w->value_len);
	sr_value			max = {.type = SR_TYPE_TEXT, .data = w->value};
	sr_value			period = {.type = SR_TYPE_TEXT};

	if (slash == NULL)
		return false;
	max.len = (size_t) (slash - w->value);
	period.data = slash + 1;
	period.len = w->value_len - max.len - 1;
	return sr_value_integer(&number, &max, &out->max, NULL) &&
		   sr_value_ms(&number, &period, &out->period, NULL) && out->max >= 0 &&
		   out->max <= SR_RATE_MAX && out->period > 0 && out->period <= SR_RATE_LONGEST;
}

/* A bucket's value is the name of a tier. */
static bool read_bucket(const word *w, sr_rate *out)
{
	(void) out;
	return memchr(w->value, ':', w->value_len) == NULL &&
		   memchr(w->value, '=', w->value_len) == NULL;
}

static bool check(const char *setting, const char *form, const char *text,
				  bool (*read)(const word *, sr_rate *), sr_err *err)
{
	const char *at = text;
	word		w, first;
	sr_rate		rate;
	int			more;

	while ((more = next_word(&at, &w)) != 0)
	{
		if (more < 0 || !read(&w, &rate))
			return sr_fail(err, SR_E_OPTION, form, "%s: \"%.*s\" is malformed", setting,
						   (int) (at - w.name), w.name);
		if (find(text, w.name, w.name_len, &first) && first.name != w.name)
			return sr_fail(err, SR_E_OPTION, form, "%s names \"%.*s\" twice", setting,
						   (int) w.name_len, w.name);
	}
	return true;
}

bool sr_tiers_check(const char *tiers, const char *buckets, sr_err *err)
{
	return (tiers == NULL || check("rate_limit_tiers",
								   "Tiers are written as name=requests/seconds, with spaces "
								   "between them: strict=10/60 moderate=60/60.",
								   tiers, read_tier, err)) &&
		   (buckets == NULL || check("rate_limit_buckets",
									 "Buckets are written as name=tier, with spaces between them: "
									 "login=strict search=generous.",
									 buckets, read_bucket, err));
}

bool sr_tier_find(const sr_recipes *settings, const char *bucket, size_t len, sr_rate *out,
				  sr_err *err)
{
	word named, tier;
	bool is_bucket;

	if (!sr_tiers_check(settings->rate_limit_tiers, settings->rate_limit_buckets, err))
		return false;
	is_bucket = find(settings->rate_limit_buckets, bucket, len, &named);
	if (find(settings->rate_limit_tiers, is_bucket ? named.value : bucket,
			 is_bucket ? named.value_len : len, &tier))
		return read_tier(&tier, out);
	if (is_bucket)
		return sr_fail(err, SR_E_OPTION, "The setting rate_limit_tiers names the tiers.",
					   "the bucket \"%.*s\" has the tier \"%.*s\", which does not exist", (int) len,
					   bucket, (int) named.value_len, named.value);
	return sr_fail(err, SR_E_OPTION,
				   "The settings rate_limit_buckets and rate_limit_tiers name them.",
				   "there is no bucket or tier \"%.*s\"", (int) (len < 100 ? len : 100), bucket);
}

sr_rows *sr_rate_limit_tier_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
								 sr_err *err)
{
	sr_rate	 rate = {.algorithm = SR_RATE_SLIDING};
	sr_buf	 key = {0};
	sr_rows *rows = NULL;

	if (!sr_tier_find(sr_client_recipes(c), args[0].data, args[0].len, &rate, err) ||
		!sr_rate_cost(cmd, n, args, 2, &rate, err))
		return NULL;
	if (sr_buf_add(&key, args[0].data, args[0].len) && sr_buf_str(&key, ":") &&
		sr_buf_add(&key, args[1].data, args[1].len))
		rows = sr_rate_ask(c, key.data, key.len, &rate, err);
	else
		sr_fail_memory(err);
	sr_buf_free(&key);
	return rows;
}
