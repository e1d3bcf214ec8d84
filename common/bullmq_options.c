/*
 * bullmq_options.c - the options of a BullMQ job: what Queue.add would refuse is refused, and the rest is
 * written as Job.optsAsJSON writes it. What they mean in Redis is the business of bullmq_script.c, and most
 * of them of BullMQ's Worker alone.
 *
 * Values are passed on as they are written. An option that is null is left out, as it is there.
 */
#include "bullmq.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITY_LIMIT 2097151			/* PRIORITY_LIMIT of BullMQ's job.js */
#define LONGEST_MS	   3155760000000.0	/* a hundred years; scores are exact until then */
#define LARGEST		   9007199254740991 /* Number.MAX_SAFE_INTEGER */

/* The walk over one object; the first thing that is wrong ends it. */
typedef struct reading
{
	sr_bullmq_options *o;
	sr_err			  *err;
	bool			   attempts; /* are named */
} reading;

static bool refuse(reading *r, const char *option, const char *must)
{
	return sr_fail(r->err, SR_E_OPTION, "", "the option %s of a BullMQ job must be %s", option,
				   must);
}

static bool is_named(const sr_json_item *item, const char *name)
{
	return item->name_len == strlen(name) && memcmp(item->name, name, item->name_len) == 0;
}

static bool add_member(reading *r, const char *name, const char *raw, size_t len)
{
	sr_buf *json = &r->o->json;

	return (sr_buf_str(json, json->len > 1 ? ",\"" : "\"") && sr_buf_str(json, name) &&
			sr_buf_str(json, "\":") && sr_buf_add(json, raw, len)) ||
		   sr_fail_memory(r->err);
}

/* A number from 0 to most; whole: without a fraction. */
static bool number_of(const sr_json_item *item, double most, bool whole, double *out)
{
	char text[64];

	if (item->kind != SR_JSON_NUMBER || item->len >= sizeof text)
		return false;
	memcpy(text, item->text, item->len);
	text[item->len] = '\0';
	*out = sr_number_parse(text, NULL);
	return *out >= 0 && *out <= most && (!whole || floor(*out) == *out);
}

static bool whole_number(reading *r, const sr_json_item *item, double most, const char *must,
						 int64_t *out)
{
	double d;

	if (!number_of(item, most, true, &d))
		return refuse(r, item->name, must);
	*out = (int64_t) d;
	return add_member(r, item->name, item->raw, item->raw_len);
}

/* ---- options that adding a job depends on ---- */

/* A part of a millisecond makes one more: a job is not early. */
static bool read_delay(reading *r, const sr_json_item *item)
{
	double d;

	if (!number_of(item, LONGEST_MS, false, &d))
		return refuse(r, item->name, "a number of milliseconds, 0 or more, up to 100 years");
	r->o->delay = (int64_t) ceil(d);
	return add_member(r, item->name, item->raw, item->raw_len);
}

static bool read_priority(reading *r, const sr_json_item *item)
{
	return whole_number(r, item, PRIORITY_LIMIT, "a whole number from 0 to 2097151",
						&r->o->priority);
}

static bool read_attempts(reading *r, const sr_json_item *item)
{
	int64_t attempts;

	return whole_number(r, item, LARGEST, "a whole number, 0 or more", &attempts);
}

static bool read_timestamp(reading *r, const sr_json_item *item)
{
	return whole_number(r, item, LONGEST_MS, "milliseconds since 1970", &r->o->timestamp);
}

static bool read_size_limit(reading *r, const sr_json_item *item)
{
	return whole_number(r, item, LARGEST, "a number of bytes, 0 or more", &r->o->size_limit);
}

static bool read_lifo(reading *r, const sr_json_item *item)
{
	if (item->kind != SR_JSON_WORD)
		return refuse(r, item->name, "true or false");
	r->o->lifo = *item->text == 't';
	return add_member(r, item->name, item->raw, item->raw_len);
}

/* BullMQ counts its own ids, and keeps the queue's other keys beside the jobs'. */
static bool is_taken(const char *id)
{
	static const char *const words[] = {"active",
										"wait",
										"waiting-children",
										"paused",
										"id",
										"delayed",
										"prioritized",
										"failed",
										"stalled",
										"stalled-check",
										"repeat",
										"limiter",
										"meta",
										"events",
										"marker",
										"pc",
										"de",
										"metrics",
										"NaN",
										"completed"};
	const char				*digits = id + (*id == '-');

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(id, words[i]) == 0)
			return true;
	return *digits != '\0' && strspn(digits, "0123456789") == strlen(digits);
}

static bool read_id(reading *r, const sr_json_item *item)
{
	char *id;

	if (item->kind != SR_JSON_STRING || memchr(item->text, '\0', item->len) != NULL ||
		memchr(item->text, ':', item->len) != NULL)
		return refuse(r, item->name, "a text without ':'");
	id = strndup(item->text, item->len);
	if (id == NULL)
		return sr_fail_memory(r->err);
	free(r->o->id);
	r->o->id = id;
	if (is_taken(id))
		return refuse(r, item->name, "other than a number and than BullMQ's own keys");
	if (*id == '\0') /* none, to BullMQ */
	{
		free(r->o->id);
		r->o->id = NULL;
	}
	return add_member(r, item->name, item->raw, item->raw_len);
}

/* Of {"type": ..., "delay": ..., "jitter": ...} what BullMQ, or its Worker later, would stumble over. */
static bool check_backoff(reading *r, const sr_json_item *backoff)
{
	sr_json		 j;
	sr_json_item item;
	int			 more;
	bool		 typed = false, good = true;
	double		 d;

	sr_json_enter(&j, backoff);
	if (!j.object)
		return refuse(r, "backoff", "a number of milliseconds or an object");
	while (good && (more = sr_json_next(&j, &item, r->err)) != 0)
	{
		if (more < 0)
			return false;
		if (is_named(&item, "type"))
			good = typed = item.kind == SR_JSON_STRING;
		else if (is_named(&item, "delay"))
			good = item.kind == SR_JSON_NULL || number_of(&item, LARGEST, false, &d);
		else if (is_named(&item, "jitter"))
			good = item.kind == SR_JSON_NULL || number_of(&item, 1, false, &d);
		sr_json_item_free(&item);
	}
	return (good && typed) ||
		   refuse(r, "backoff",
				  "a number of milliseconds, or an object with a type, perhaps a delay of 0 or "
				  "more and a jitter from 0 to 1");
}

/* Job's constructor makes an object of a number. */
static bool read_backoff(reading *r, const sr_json_item *item)
{
	sr_buf plain = {0};
	double d;
	bool   ok;

	if (item->kind == SR_JSON_NESTED)
		return check_backoff(r, item) && add_member(r, "backoff", item->raw, item->raw_len);
	if (!number_of(item, LARGEST, false, &d))
		return refuse(r, "backoff", "a number of milliseconds or an object");
	ok = sr_buf_str(&plain, "{\"type\":\"fixed\",\"delay\":") &&
		 sr_buf_add(&plain, item->raw, item->raw_len) && sr_buf_str(&plain, "}");
	ok = ok ? add_member(r, "backoff", plain.data, plain.len) : sr_fail_memory(r->err);
	sr_buf_free(&plain);
	return ok;
}

/* Two members of it are options of their own in the job. */
static bool read_telemetry(reading *r, const sr_json_item *telemetry)
{
	sr_json		 j;
	sr_json_item item;
	int			 more;
	bool		 ok = true;

	if (telemetry->kind != SR_JSON_NESTED)
		return refuse(r, telemetry->name, "an object");
	sr_json_enter(&j, telemetry);
	if (!j.object)
		return refuse(r, telemetry->name, "an object");
	while (ok && (more = sr_json_next(&j, &item, r->err)) != 0)
	{
		if (more < 0)
			return false;
		if (item.kind != SR_JSON_NULL && is_named(&item, "metadata"))
			ok = add_member(r, "tm", item.raw, item.raw_len);
		else if (item.kind != SR_JSON_NULL && is_named(&item, "omitContext"))
			ok = add_member(r, "omc", item.raw, item.raw_len);
		sr_json_item_free(&item);
	}
	return ok;
}

/* What needs other keys than the commit can name, or an answer to the caller that it cannot give. */
static bool read_unsupported(reading *r, const sr_json_item *item)
{
	return sr_fail(r->err, SR_E_OPTION,
				   "Add such jobs with BullMQ itself. A jobId makes a repeat harmless.",
				   "the option %s of a BullMQ job is not supported", item->name);
}

static const struct
{
	const char *name;
	const char *stored; /* the option is passed on under this name */
	bool (*read)(reading *r, const sr_json_item *item);
} options[] = {
	{"delay", NULL, read_delay},
	{"priority", NULL, read_priority},
	{"attempts", NULL, read_attempts},
	{"timestamp", NULL, read_timestamp},
	{"sizeLimit", NULL, read_size_limit},
	{"lifo", NULL, read_lifo},
	{"jobId", NULL, read_id},
	{"backoff", NULL, read_backoff},
	{"telemetry", NULL, read_telemetry},
	{"deduplication", NULL, read_unsupported},
	{"debounce", NULL, read_unsupported},
	{"de", NULL, read_unsupported},
	{"parent", NULL, read_unsupported},
	{"repeat", NULL, read_unsupported},
	{"repeatJobKey", NULL, read_unsupported},
	/* optsEncodeMap of BullMQ's utils */
	{"keepLogs", "kl", NULL},
	{"failParentOnFailure", "fpof", NULL},
	{"continueParentOnFailure", "cpof", NULL},
	{"ignoreDependencyOnFailure", "idof", NULL},
	{"removeDependencyOnFailure", "rdof", NULL},
};

/* member: as it is written. One that nothing is known of is the Worker's, or the application's. */
static bool read_option(reading *r, const sr_json_item *item, const char *member, size_t len)
{
	r->attempts |= is_named(item, "attempts");
	if (item->kind == SR_JSON_NULL)
		return true;
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (is_named(item, options[i].name))
			return options[i].read != NULL
					   ? options[i].read(r, item)
					   : add_member(r, options[i].stored, item->raw, item->raw_len);
	return ((r->o->json.len == 1 || sr_buf_str(&r->o->json, ",")) &&
			sr_buf_add(&r->o->json, member, len)) ||
		   sr_fail_memory(r->err);
}

static bool read_options(reading *r, const sr_value *opts)
{
	sr_json		 j;
	sr_json_item item;
	bool		 ok = true;

	if (!sr_json_open(&j, "opts", opts, true, r->err))
		return false;
	while (ok)
	{
		const char *before = j.at;
		int			more = sr_json_next(&j, &item, r->err);
		const char *member;

		if (more <= 0)
			return more == 0;
		member = memchr(before, '"', (size_t) (item.raw - before));
		ok = read_option(r, &item, member, (size_t) (item.raw - member) + item.raw_len);
		sr_json_item_free(&item);
	}
	return false;
}

bool sr_bullmq_options_read(sr_bullmq_options *o, const sr_value *opts, sr_err *err)
{
	reading r = {.o = o, .err = err};

	if (!sr_buf_str(&o->json, "{"))
		return sr_fail_memory(err);
	if (opts != NULL && !read_options(&r, opts))
		return false;
	return (r.attempts || add_member(&r, "attempts", "0", 1)) &&
		   (sr_buf_str(&o->json, "}") || sr_fail_memory(err));
}

void sr_bullmq_options_free(sr_bullmq_options *o)
{
	sr_buf_free(&o->json);
	free(o->id);
	o->id = NULL;
}
