/*
 * describe.c - effects in words, for people: redis_pending, redis_outbox, messages. Bytes may be anybody's:
 * what is shown is UTF-8 in one line whatever they were.
 */
#include "core.h"

#include <string.h>

#define SHOWN_BYTES ((size_t) 1000) /* of an effect among many, about */

static const char *const names[] = {"key", "tag", "pattern", "command", "script"};

static const char tag_word[] = SR_TAG_WORD;

const char *sr_effect_name(sr_effect kind)
{
	return names[kind];
}

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

/* The script's name and its first key: the others follow from it. */
static bool add_script(const char *data, size_t len, sr_buf *out)
{
	size_t		pos = 0, argc, arg_len;
	const char *arg;

	if (!sr_effects_command(data, len, &pos, &argc))
		return true;
	for (size_t i = 0; i < 2 && sr_effects_argument(data, len, &pos, &arg, &arg_len); i++)
		if (!add_cut(out, arg, arg_len, SHOWN_BYTES, true) || !sr_buf_str(out, " "))
			return false;
	return true;
}

/* As sr_effects_line, some most bytes of it. */
static int add_line(sr_effect kind, const char *data, size_t len, size_t *pos, size_t most,
					sr_buf *out)
{
	size_t		argc, arg_len, at;
	const char *arg;

	if (kind != SR_EFFECT_SCRIPT)
		return add_command(data, len, pos, most, out);
	if (*pos == 0 && sr_effects_command(data, len, pos, &argc))
		while (argc > 0 && sr_effects_argument(data, len, pos, &arg, &arg_len))
			argc--;
	at = *pos;
	if (!sr_effects_command(data, len, &at, &argc))
		return 0;
	return add_script(data, len, out) ? add_command(data, len, pos, most, out) : -1;
}

int sr_effects_line(sr_effect kind, const char *data, size_t len, size_t *pos, sr_buf *out)
{
	return add_line(kind, data, len, pos, SIZE_MAX, out);
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
	if (!sr_effect_is_group(kind))
		return add_cut(out, data, len, most, false);
	while ((more = add_line(kind, data, len, &pos, most, out)) > 0)
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
	sr_packed	p;
	sr_effect	kind;
	const char *data;
	size_t		len, n = 0, was = out->len;
	sr_buf		words = {0};
	int			more;
	bool		ok = sr_packed_open(&p, bytes, size, err);

	if (!ok)
		return false;
	ok = sr_buf_str(out, "[");
	while (ok && (more = sr_packed_next(&p, &kind, &data, &len, err)) > 0)
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
