/*
 * effects.c - effects as bytes: in queues, in outbox rows and in shared memory.
 *
 * Owns the format, which rows on disk keep for years: a version; then for each effect a byte of kind, its
 * length in four bytes, the highest first, and its bytes. Those of commands are the group's id and for
 * each command the number of its arguments and each one's length and bytes, all numbers alike: what Redis's
 * Lua reads with struct.unpack('>I4c0'). Those of a script have as their first
 * command the script's name and its keys, as the others the items. Bytes that come back may be anybody's: nothing here trusts them.
 */
#include "core.h"

#include <string.h>

#define VERSION		1
#define EFFECT_HEAD ((size_t) 5)

/* In the order of sr_effect; one that rows hold must never change its meaning. */
static const char letters[] = {'K', 'T', 'P', 'C', 'S'};

static const char tag_word[] = SR_TAG_WORD;
static const char done_word[] = SR_DONE_WORD;

bool sr_effect_is_group(sr_effect kind)
{
	return kind == SR_EFFECT_COMMANDS || kind == SR_EFFECT_SCRIPT;
}

/* ---- reading ---- */

static bool read_length(const char *data, size_t len, size_t *pos, size_t *out)
{
	const unsigned char *at = (const unsigned char *) data + *pos;

	if (*pos > len || len - *pos < 4)
		return false;
	*out = (size_t) at[0] << 24 | (size_t) at[1] << 16 | (size_t) at[2] << 8 | at[3];
	*pos += 4;
	return true;
}

bool sr_effects_argument(const char *data, size_t len, size_t *pos, const char **arg,
						 size_t *arg_len)
{
	size_t at = *pos;

	if (!read_length(data, len, &at, arg_len) || *arg_len > len - at)
		return false;
	*arg = data + at;
	*pos = at + *arg_len;
	return true;
}

bool sr_effects_command(const char *data, size_t len, size_t *pos, size_t *argc)
{
	size_t at = *pos < SR_COMMANDS_ID ? SR_COMMANDS_ID : *pos;

	if (!read_length(data, len, &at, argc) || *argc < 1 || *argc > SR_COMMAND_ARGS)
		return false;
	*pos = at;
	return true;
}

size_t sr_effects_commands(sr_effect kind, const char *data, size_t len)
{
	size_t		pos = 0, argc, arg_len, count = 0;
	const char *arg;

	for (; sr_effects_command(data, len, &pos, &argc); count++)
		while (argc > 0 && sr_effects_argument(data, len, &pos, &arg, &arg_len))
			argc--;
	return kind == SR_EFFECT_SCRIPT && count > 0 ? count - 1 : count;
}

/* Is it an id and at least one command or item, each whole? */
static bool is_group(sr_effect kind, const char *data, size_t len)
{
	size_t		pos = 0, argc, arg_len, count = 0;
	const char *arg;

	for (; sr_effects_command(data, len, &pos, &argc); count++)
	{
		if (kind == SR_EFFECT_SCRIPT && count == 0 && (argc < 2 || argc > 1 + SR_SCRIPT_KEYS))
			return false;
		for (size_t i = 0; i < argc; i++)
			if (!sr_effects_argument(data, len, &pos, &arg, &arg_len))
				return false;
	}
	return count > (kind == SR_EFFECT_SCRIPT) && pos == len;
}

bool sr_effects_begin_with(const char *data, size_t len, const sr_argv *cmd)
{
	size_t		pos = 0, argc, arg_len;
	const char *arg;

	if (!sr_effects_command(data, len, &pos, &argc) || argc != (size_t) cmd->argc)
		return false;
	for (size_t i = 0; i < argc; i++)
		if (!sr_effects_argument(data, len, &pos, &arg, &arg_len) || arg_len != cmd->argvlen[i] ||
			(arg_len > 0 && memcmp(arg, cmd->argv[i], arg_len) != 0))
			return false;
	return true;
}

static bool fail_format(sr_err *err, const char *what)
{
	return sr_fail(err, SR_E_OPTION,
				   "The row was written by a later version of sqlredis, or by something else.",
				   "not effects as sqlredis writes them: %s", what);
}

bool sr_packed_open(sr_packed *p, const void *data, size_t len, sr_err *err)
{
	*p = (sr_packed){.data = data, .len = len, .pos = 1};
	if (len == 0)
		return fail_format(err, "nothing at all");
	return p->data[0] == VERSION || fail_format(err, "an unknown version");
}

int sr_packed_next(sr_packed *p, sr_effect *kind, const char **data, size_t *len, sr_err *err)
{
	const char *letter;

	if (p->pos == p->len)
		return 0;
	letter = memchr(letters, p->data[p->pos], sizeof letters);
	if (letter == NULL)
	{
		fail_format(err, "an unknown kind");
		return -1;
	}
	*kind = (sr_effect) (letter - letters);
	p->pos++;
	if (!sr_effects_argument(p->data, p->len, &p->pos, data, len))
	{
		fail_format(err, "cut short");
		return -1;
	}
	if (*len >
		(sr_effect_is_group(*kind) ? SR_COMMANDS_ID + SR_INVAL_MAX_COMMAND : SR_INVAL_MAX_KEY))
	{
		fail_format(err, "one is too large for Redis");
		return -1;
	}
	if (sr_effect_is_group(*kind) && !is_group(*kind, *data, *len))
	{
		fail_format(err, "malformed commands");
		return -1;
	}
	return 1;
}

bool sr_effects_unpack(sr_inval *q, const void *bytes, size_t size, sr_err *err)
{
	sr_packed	p;
	sr_effect	kind;
	const char *data;
	size_t		len;
	int			more;

	/* all or nothing, but for want of memory */
	if (!sr_packed_open(&p, bytes, size, err))
		return false;
	while ((more = sr_packed_next(&p, &kind, &data, &len, err)) > 0)
		;
	if (more < 0)
		return false;
	p.pos = 1;
	while (sr_packed_next(&p, &kind, &data, &len, err) > 0)
		if (sr_inval_push_effect(q, kind, data, len, 0) == SR_PUSH_NO_MEMORY)
			return sr_fail_memory(err);
	return true;
}

/* ---- writing ---- */

size_t sr_effects_command_size(const sr_argv *cmd)
{
	size_t size = 4;

	if (cmd->argc < 1 || cmd->argc > SR_COMMAND_ARGS)
		return 0;
	for (int i = 0; i < cmd->argc; i++)
	{
		if (cmd->argvlen[i] > SR_INVAL_MAX_COMMAND)
			return 0;
		size += 4 + cmd->argvlen[i];
		if (size > SR_INVAL_MAX_COMMAND)
			return 0;
	}
	return size;
}

static char *put_length(char *to, size_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*to++ = (char) (unsigned char) (n >> shift);
	return to;
}

void sr_effects_put_command(const sr_argv *cmd, char *to)
{
	to = put_length(to, (size_t) cmd->argc);
	for (int i = 0; i < cmd->argc; i++)
	{
		to = put_length(to, cmd->argvlen[i]);
		if (cmd->argvlen[i] > 0)
			memcpy(to, cmd->argv[i], cmd->argvlen[i]);
		to += cmd->argvlen[i];
	}
}

bool sr_effects_pack(const sr_inval *q, size_t *at, size_t max, sr_buf *out)
{
	size_t was = out->len, start = *at, i = start, size = 1;
	char   version = VERSION;

	/* how many fit, so that there is one allocation at most */
	for (; i < sr_inval_count(q); i++)
	{
		sr_effect kind;
		size_t	  len;

		(void) sr_inval_effect(q, i, &kind, &len, NULL);
		if (i > start && (size + EFFECT_HEAD > max || len > max - size - EFFECT_HEAD))
			break;
		size += EFFECT_HEAD + len;
	}
	if (!sr_buf_reserve(out, size) || !sr_buf_add(out, &version, 1))
		return false;
	for (; start < i; start++)
	{
		sr_effect	  kind;
		size_t		  len;
		const char	 *data = sr_inval_effect(q, start, &kind, &len, NULL);
		unsigned char head[EFFECT_HEAD] = {(unsigned char) letters[kind],
										   (unsigned char) (len >> 24), (unsigned char) (len >> 16),
										   (unsigned char) (len >> 8), (unsigned char) len};

		if (!sr_buf_add(out, head, sizeof head) || !sr_buf_add(out, data, len))
		{
			out->len = was;
			return false;
		}
	}
	*at = i;
	return true;
}

/* ---- names ---- */

bool sr_tag_key(const char *prefix, size_t prefix_len, const char *tag, size_t len, sr_buf *out)
{
	return sr_buf_reserve(out, prefix_len + sizeof tag_word + len) &&
		   sr_buf_add(out, prefix, prefix_len) && sr_buf_str(out, tag_word) &&
		   sr_buf_add(out, tag, len);
}

bool sr_is_record(const char *key, size_t len)
{
	size_t done = sizeof done_word - 1;

	/* of whatever prefix */
	return (len >= done && memcmp(key, done_word, done) == 0) ||
		   memmem(key, len, tag_word, sizeof tag_word - 1) != NULL;
}

bool sr_entry_key(const char *key, size_t len, sr_buf *out)
{
	return sr_side_key(key, len, "sqlredis", out);
}
