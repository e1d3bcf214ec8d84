/*
 * effects.c - effects as bytes, in outbox rows and in shared memory, and as words for people.
 *
 * Owns the format, which rows on disk keep for years: a version; then for each effect a byte of kind, its
 * length in four bytes, the highest first, and its bytes. Those of commands are the group's id and for
 * each command the number of its arguments and each one's length and bytes, all numbers alike: what Redis's
 * Lua reads with struct.unpack('>I4c0'). Bytes that come back may be anybody's: nothing here trusts them.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define VERSION		1
#define EFFECT_HEAD ((size_t) 5)

/* In the order of sr_effect; a letter that rows hold must never change its meaning. */
static const struct
{
	char		letter;
	const char *name;
} kinds[] = {{'K', "key"}, {'T', "tag"}, {'P', "pattern"}, {'C', "command"}, {'S', "script"}};

#define SHOWN_BYTES ((size_t) 1000) /* of an effect among many, about */

#define KINDS (sizeof kinds / sizeof kinds[0])

static const char tag_word[] = SR_TAG_WORD;
static const char done_word[] = SR_DONE_WORD;

const char *sr_effect_name(sr_effect kind)
{
	return kinds[kind].name;
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

size_t sr_effects_commands(const char *data, size_t len)
{
	size_t		pos = 0, argc, arg_len, count = 0;
	const char *arg;

	for (; sr_effects_command(data, len, &pos, &argc); count++)
		while (argc > 0 && sr_effects_argument(data, len, &pos, &arg, &arg_len))
			argc--;
	return count;
}

/* Is it an id and at least one command, each whole? */
static bool are_commands(const char *data, size_t len)
{
	size_t		pos = 0, argc, arg_len;
	const char *arg;

	while (sr_effects_command(data, len, &pos, &argc))
		for (size_t i = 0; i < argc; i++)
			if (!sr_effects_argument(data, len, &pos, &arg, &arg_len))
				return false;
	return pos > SR_COMMANDS_ID && pos == len;
}

typedef struct packed
{
	const char *data;
	size_t		len, pos;
} packed;

static bool fail_format(sr_err *err, const char *what)
{
	return sr_fail(err, SR_E_OPTION,
				   "The row was written by a later version of sqlredis, or by something else.",
				   "not effects as sqlredis writes them: %s", what);
}

static bool open_packed(packed *p, const void *data, size_t len, sr_err *err)
{
	*p = (packed){.data = data, .len = len, .pos = 1};
	if (len == 0)
		return fail_format(err, "nothing at all");
	return p->data[0] == VERSION || fail_format(err, "an unknown version");
}

/* 1 and the next effect, 0 at the end, -1 and err. */
static int next_packed(packed *p, sr_effect *kind, const char **data, size_t *len, sr_err *err)
{
	size_t k = 0;

	if (p->pos == p->len)
		return 0;
	while (k < KINDS && kinds[k].letter != p->data[p->pos])
		k++;
	if (k == KINDS)
	{
		fail_format(err, "an unknown kind");
		return -1;
	}
	*kind = (sr_effect) k;
	p->pos++;
	if (!sr_effects_argument(p->data, p->len, &p->pos, data, len))
	{
		fail_format(err, "cut short");
		return -1;
	}
	if (*len >
		(*kind == SR_EFFECT_COMMANDS ? SR_COMMANDS_ID + SR_INVAL_MAX_COMMAND : SR_INVAL_MAX_KEY))
	{
		fail_format(err, "one is too large for Redis");
		return -1;
	}
	if (*kind == SR_EFFECT_COMMANDS && !are_commands(*data, *len))
	{
		fail_format(err, "malformed commands");
		return -1;
	}
	return 1;
}

bool sr_effects_unpack(sr_inval *q, const void *bytes, size_t size, sr_err *err)
{
	packed		p;
	sr_effect	kind;
	const char *data;
	size_t		len;
	int			more;

	/* all or nothing, but for want of memory */
	if (!open_packed(&p, bytes, size, err))
		return false;
	while ((more = next_packed(&p, &kind, &data, &len, err)) > 0)
		;
	if (more < 0)
		return false;
	p.pos = 1;
	while (next_packed(&p, &kind, &data, &len, err) > 0)
		if (sr_inval_push_effect(q, kind, data, len, 0) == SR_PUSH_NO_MEMORY)
			return sr_fail_memory(err);
	return true;
}

/* ---- writing ---- */

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
		unsigned char head[EFFECT_HEAD] = {(unsigned char) kinds[kind].letter,
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

/* ---- words ---- */

/* The length of the character at s, if it is one that may be shown as it is; else 0. */
static size_t shown(const char *s, size_t len)
{
	for (size_t n = 1; n <= 4 && n <= len; n++)
		if (sr_is_utf8(s, n))
			return (unsigned char) s[0] < 0x20 || s[0] == 0x7F ? 0 : n;
	return 0;
}

static bool add_hex(sr_buf *out, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char		  text[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};

	return sr_buf_add(out, text, sizeof text);
}

/* data with everything that is no text, and what stands in quoted, as \xNN. */
static bool add_text(sr_buf *out, const char *data, size_t len, const char *quoted)
{
	for (size_t i = 0; i < len;)
	{
		size_t n = shown(data + i, len - i);

		if (n == 0)
		{
			if (!add_hex(out, (unsigned char) data[i++]))
				return false;
			continue;
		}
		if (n == 1 && strchr(quoted, data[i]) != NULL && !sr_buf_str(out, "\\"))
			return false;
		if (!sr_buf_add(out, data + i, n))
			return false;
		i += n;
	}
	return true;
}

/* As redis-cli takes it: in quotes unless it is a plain word. */
static bool add_word(sr_buf *out, const char *word, size_t len)
{
	bool plain = len > 0 && sr_is_utf8(word, len);

	for (size_t i = 0; plain && i < len; i++)
		plain = (unsigned char) word[i] > ' ' && strchr("\"'\\\x7F", word[i]) == NULL;
	if (plain)
		return add_text(out, word, len, "");
	return sr_buf_str(out, "\"") && add_text(out, word, len, "\"\\") && sr_buf_str(out, "\"");
}

/* How much of something is shown, and of what is longer that there is more. */
static bool add_cut(sr_buf *out, const char *data, size_t len, size_t most, bool word)
{
	size_t fits = len < most ? len : most;

	return (word ? add_word(out, data, fits) : add_text(out, data, fits, "")) &&
		   (fits == len || sr_buf_str(out, "..."));
}

/* The command at *pos, some most bytes of it. */
static int add_command(const char *data, size_t len, size_t *pos, size_t most, sr_buf *out)
{
	size_t		argc, arg_len, left = most;
	const char *arg;

	if (!sr_effects_command(data, len, pos, &argc))
		return 0;
	for (size_t i = 0; i < argc && sr_effects_argument(data, len, pos, &arg, &arg_len); i++)
	{
		if (left > 0 &&
			((i > 0 && !sr_buf_str(out, " ")) || !add_cut(out, arg, arg_len, left, true)))
			return -1;
		if (left > 0 && left <= arg_len + 1 && i + 1 < argc && !sr_buf_str(out, " ..."))
			return -1;
		left -= left > arg_len + 1 ? arg_len + 1 : left;
	}
	return 1;
}

int sr_effects_line(const char *data, size_t len, size_t *pos, sr_buf *out)
{
	return add_command(data, len, pos, SIZE_MAX, out);
}

/* What people call it: a tag's record is called by its tag. */
static void name_tag(const char **data, size_t *len)
{
	const char *found = memmem(*data, *len, tag_word, sizeof tag_word - 1);

	if (found == NULL)
		return;
	found += sizeof tag_word - 1;
	*len -= (size_t) (found - *data);
	*data = found;
}

static bool describe(sr_effect kind, const char *data, size_t len, size_t most, sr_buf *out)
{
	size_t pos = 0, start = out->len;
	int	   more;

	if (kind == SR_EFFECT_TAG)
		name_tag(&data, &len);
	if (kind != SR_EFFECT_COMMANDS)
		return add_cut(out, data, len, most, false);
	while ((more = add_command(data, len, &pos, most, out)) > 0)
	{
		if (pos < len && !sr_buf_str(out, "\n"))
			return false;
		if (pos < len && out->len - start >= most)
			return sr_buf_str(out, "...");
	}
	return more == 0;
}

bool sr_effect_describe(sr_effect kind, const char *data, size_t len, sr_buf *out)
{
	return describe(kind, data, len, SIZE_MAX, out);
}

static bool add_json_string(sr_buf *out, const char *text, size_t len)
{
	if (!sr_buf_str(out, "\""))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		bool ok = text[i] == '"' || text[i] == '\\' ? sr_buf_fmt(out, "\\%c", text[i])
				  : text[i] == '\n'					? sr_buf_str(out, "\\n")
													: sr_buf_add(out, text + i, 1);

		if (!ok)
			return false;
	}
	return sr_buf_str(out, "\"");
}

bool sr_effects_json(const void *bytes, size_t size, size_t limit, sr_buf *out, sr_err *err)
{
	packed		p;
	sr_effect	kind;
	const char *data;
	size_t		len, n = 0, was = out->len;
	sr_buf		words = {0};
	int			more;
	bool		ok = open_packed(&p, bytes, size, err);

	if (!ok)
		return false;
	ok = sr_buf_str(out, "[");
	while (ok && (more = next_packed(&p, &kind, &data, &len, err)) > 0)
	{
		if (n++ >= limit)
			continue;
		words.len = 0;
		ok = (n == 1 || sr_buf_str(out, ",")) && describe(kind, data, len, SHOWN_BYTES, &words) &&
			 add_json_string(out, words.data, words.len);
	}
	if (ok && more == 0 && n > limit)
		ok = (limit == 0 || sr_buf_str(out, ",")) && sr_buf_fmt(out, "\"... %zu more\"", n - limit);
	ok = ok && sr_buf_str(out, "]");
	sr_buf_free(&words);
	if (ok && more == 0)
		return true;
	out->len = was;
	return ok ? false : sr_fail_memory(err);
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
