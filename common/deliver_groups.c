/*
 * deliver_groups.c - what is sent together and runs once: the commands of redis_on_commit, and the items of
 * the recipes' scripts. Each group is one script, whose first key is the group's id.
 */
#include "deliver.h"
#include "mutation.h"
#include "recipe_scripts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A SCRIPT effect: its script, and where its keys begin. */
typedef struct script
{
	const char *text; /* NULL: there is none */
	const char *name;
	size_t		name_len;
	size_t		keys; /* how many */
	size_t		pos;  /* of the first */
} script;

static void read_script(const char *data, size_t len, script *out)
{
	size_t argc;

	*out = (script){.name = ""};
	if (sr_effects_command(data, len, &out->pos, &argc) && argc >= 2 &&
		argc <= 1 + SR_SCRIPT_KEYS &&
		sr_effects_argument(data, len, &out->pos, &out->name, &out->name_len))
	{
		out->keys = argc - 1;
		out->text = sr_recipe_script(out->name, out->name_len);
	}
}

static const char *effect(const sr_delivery *d, size_t i, sr_effect *kind, size_t *len)
{
	return sr_inval_effect(d->list, i, kind, len, NULL);
}

/* ---- out ---- */

/*
 * The key by which Redis knows that the group ran: of the slot of key, if that is not NULL. It is written into
 * the client's scratch.
 */
static bool write_id(sr_buf *names, const char *id, const char *key, size_t len)
{
	char other[SR_COMMANDS_ID];

	if (sr_without(DEDUPE) && getentropy(other, sizeof other) == 0)
		id = other;
	if (!sr_buf_str(names, SR_DONE_WORD))
		return false;
	for (size_t i = 0; i < SR_COMMANDS_ID; i++)
		if (!sr_buf_fmt(names, "%02x", (unsigned char) id[i]))
			return false;
	if (key == NULL)
		return true;
	key = sr_hash_tag(key, &len);
	return sr_buf_str(names, "{") && sr_buf_add(names, key, len) && sr_buf_str(names, "}");
}

static bool write_commands(sr_delivery *d, const char *data, size_t len, sr_argv *cmd)
{
	sr_buf *names = &d->c->scratch;

	if (!write_id(names, data, NULL, 0))
		return false;
	sr_delivery_word(d, cmd, "EVAL");
	sr_delivery_word(d, cmd, sr_commands_script);
	sr_delivery_word(d, cmd, "1");
	sr_delivery_add(d, cmd, names->data, names->len);
	sr_delivery_add(d, cmd, data + SR_COMMANDS_ID, len - SR_COMMANDS_ID);
	return true;
}

/* EVALSHA, or EVAL where Redis does not know the script, or nobody here can compute its name. */
static bool write_script(sr_delivery *d, size_t i, const char *data, size_t len, sr_argv *cmd)
{
	sr_buf	   *names = &d->c->scratch;
	script		s;
	char		sha1[41];
	const char *key;
	size_t		key_len, count, id, pos;

	read_script(data, len, &s);
	pos = s.pos;
	if (!sr_effects_argument(data, len, &pos, &key, &key_len) ||
		!sr_buf_reserve(names, sizeof sha1 + 32 + sizeof SR_DONE_WORD +
								   2 * (size_t) SR_COMMANDS_ID + key_len))
		return false;
	if (d->unknown == i + 1 || !sr_script_digest(s.text, strlen(s.text), sha1, NULL))
	{
		sr_delivery_word(d, cmd, "EVAL");
		sr_delivery_word(d, cmd, s.text);
	}
	else
	{
		if (!sr_buf_add(names, sha1, sizeof sha1 - 1))
			return false;
		sr_delivery_word(d, cmd, "EVALSHA");
		sr_delivery_add(d, cmd, names->data, names->len);
	}
	count = names->len;
	if (!sr_buf_fmt(names, "%zu", s.keys + 1))
		return false;
	sr_delivery_add(d, cmd, names->data + count, names->len - count);
	id = names->len;
	if (!write_id(names, data, key, key_len))
		return false;
	sr_delivery_add(d, cmd, names->data + id, names->len - id);
	for (size_t n = 0; n < s.keys && sr_effects_argument(data, len, &s.pos, &key, &key_len); n++)
		sr_delivery_add(d, cmd, key, key_len);
	sr_delivery_add(d, cmd, data + s.pos, len - s.pos);
	return true;
}

bool sr_delivery_write_group(sr_delivery *d, size_t i, sr_argv *cmd)
{
	sr_effect	kind;
	size_t		len;
	const char *data = effect(d, i, &kind, &len);

	d->c->scratch.len = 0;
	return kind == SR_EFFECT_SCRIPT ? write_script(d, i, data, len, cmd)
									: write_commands(d, data, len, cmd);
}

/* ---- in ---- */

/* The name of the command number which (1 first), or of the script, for messages. */
static void group_name(sr_effect kind, const char *data, size_t len, long long which, char *out,
					   size_t size)
{
	size_t		pos = 0, argc, arg_len;
	const char *arg;

	snprintf(out, size, "a command");
	if (kind == SR_EFFECT_SCRIPT)
		which = 1;
	for (long long n = 1; n <= which && sr_effects_command(data, len, &pos, &argc); n++)
		for (size_t i = 0; i < argc && sr_effects_argument(data, len, &pos, &arg, &arg_len); i++)
			if (n == which && i == 0)
				snprintf(out, size, "%.*s", arg_len > 32 ? 32 : (int) arg_len, arg);
}

static long long number(const sr_reply *reply, size_t i)
{
	return reply->kind == SR_ARRAY && i < reply->count && reply->items[i]->kind == SR_INTEGER
			   ? reply->items[i]->integer
			   : 0;
}

void sr_delivery_ran(sr_delivery *d, size_t i, const sr_reply *reply)
{
	sr_effect	kind;
	size_t		len;
	const char *data = effect(d, i, &kind, &len);
	long long	ran = number(reply, 0), failed = number(reply, 1);
	sr_err		why, err;
	char		name[40], more[40] = "";

	d->c->stats->commands_sent += (uint64_t) (ran - failed);
	d->c->stats->commands_failed += (uint64_t) failed;
	if (failed == 0 || reply->count < 4 || reply->items[3]->kind != SR_BULK)
	{
		sr_delivery_sent(d, kind, 1);
		return;
	}
	/* single ones failed, and would fail again */
	sr_fail_reply(&why, reply->items[3]->str, reply->items[3]->len);
	group_name(kind, data, len, number(reply, 2), name, sizeof name);
	if (failed > 1)
		snprintf(more, sizeof more, ", and %lld more failed", failed - 1);
	sr_fail(&err, why.cls, why.hint, "%s, queued for the commit, failed: %.380s%s", name, why.msg,
			more);
	sr_delivery_note(d, &err);
	d->done_any = true;
	d->out->lost++;
}

void sr_delivery_ran_ahead(sr_delivery *d, size_t i, const sr_reply *reply)
{
	size_t sent = d->out->sent;

	sr_delivery_ran(d, i, reply);
	d->out->sent = sent; /* once, later */
}

/* ---- what nobody here knows ---- */

bool sr_delivery_is_known(const sr_delivery *d, sr_effect kind, size_t i)
{
	script		s;
	size_t		len;
	const char *data = effect(d, i, &kind, &len);

	if (kind != SR_EFFECT_SCRIPT)
		return true;
	read_script(data, len, &s);
	return s.text != NULL;
}

void sr_delivery_lose_unknown(sr_delivery *d)
{
	for (size_t i = d->start; i < d->groups; i++)
	{
		sr_effect	kind;
		size_t		len;
		const char *data = effect(d, i, &kind, &len);
		char		name[40];
		sr_err		err;

		if (sr_delivery_is_known(d, kind, i))
			continue;
		group_name(kind, data, len, 1, name, sizeof name);
		sr_fail(&err, SR_E_OPTION, "It was queued by a later version of sqlredis.",
				"no script is called \"%s\" here: what was queued for it at commit is lost", name);
		sr_delivery_lost(d, i, &err);
	}
}
