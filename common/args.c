/*
 * args.c - SQL arguments -> a Redis command line, as the function's row of commands.def says.
 *
 * The pieces point into the caller's values; only numbers and prefixed keys are written anew.
 */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sr_line_init(sr_line *line, sr_client *c)
{
	/* not the arrays: they are written before they are read, and this is done for every row */
	line->argv = (sr_argv){0, line->pointers, line->lengths};
	line->capacity = SR_LINE_INLINE;
	line->owned = NULL;
	line->owned_count = 0;
	line->prefix = sr_client_prefix(c, &line->prefix_len);
}

void sr_line_free(sr_line *line)
{
	for (size_t i = 0; i < line->owned_count; i++)
		free(line->owned[i]);
	free(line->owned);
	if (line->argv.argv != line->pointers)
	{
		free(line->argv.argv);
		free(line->argv.argvlen);
	}
}

static bool grow(sr_line *line)
{
	int			 capacity = line->capacity * 2;
	const char **argv = malloc((size_t) capacity * sizeof *argv);
	size_t		*lengths = malloc((size_t) capacity * sizeof *lengths);

	if (argv == NULL || lengths == NULL)
	{
		free(argv);
		free(lengths);
		return false;
	}
	memcpy(argv, line->argv.argv, (size_t) line->argv.argc * sizeof *argv);
	memcpy(lengths, line->argv.argvlen, (size_t) line->argv.argc * sizeof *lengths);
	if (line->argv.argv != line->pointers)
	{
		free(line->argv.argv);
		free(line->argv.argvlen);
	}
	line->argv.argv = argv;
	line->argv.argvlen = lengths;
	line->capacity = capacity;
	return true;
}

bool sr_line_add(sr_line *line, const char *data, size_t len, sr_err *err)
{
	if (line->argv.argc == line->capacity && !grow(line))
		return sr_fail_memory(err);
	/* hiredis copies len bytes from the pointer, which may be NULL for nothing. */
	line->argv.argv[line->argv.argc] = data != NULL ? data : "";
	line->argv.argvlen[line->argv.argc++] = len;
	return true;
}

bool sr_line_word(sr_line *line, const char *word, sr_err *err)
{
	return sr_line_add(line, word, strlen(word), err);
}

bool sr_line_keep(sr_line *line, char *text, sr_err *err)
{
	char **owned;

	if (text == NULL)
		return true;
	if ((line->owned_count & (line->owned_count - 1)) == 0)
	{
		size_t cap = line->owned_count ? line->owned_count * 2 : 1;

		owned = realloc(line->owned, cap * sizeof *owned);
		if (owned == NULL)
		{
			free(text);
			sr_fail_memory(err);
			return false;
		}
		line->owned = owned;
	}
	line->owned[line->owned_count++] = text;
	return true;
}

/* Memory that lives as long as the line; NULL without memory. */
static char *own(sr_line *line, size_t size)
{
	char *p = malloc(size);

	return p != NULL && sr_line_keep(line, p, NULL) ? p : NULL;
}

bool sr_line_key(sr_line *line, const char *key, size_t len, sr_err *err)
{
	char *whole;

	if (line->prefix_len == 0)
		return sr_line_add(line, key, len, err);
	whole = own(line, line->prefix_len + len);
	if (whole == NULL)
		return sr_fail_memory(err);
	memcpy(whole, line->prefix, line->prefix_len);
	if (len > 0)
		memcpy(whole + line->prefix_len, key, len);
	return sr_line_add(line, whole, line->prefix_len + len, err);
}

bool sr_line_recipe_key(sr_line *line, const char *prefix, const sr_value *name, sr_err *err)
{
	sr_buf whole = {0};

	if (!sr_buf_add(&whole, line->prefix, line->prefix_len) || !sr_buf_str(&whole, prefix) ||
		!sr_buf_add(&whole, name->data, name->len))
	{
		sr_buf_free(&whole);
		return sr_fail_memory(err);
	}
	return sr_line_keep(line, whole.data, err) && sr_line_add(line, whole.data, whole.len, err);
}

/* prefix (escaped: it is no pattern) followed by the caller's pattern. */
bool sr_line_pattern(sr_line *line, const char *pattern, size_t len, sr_err *err)
{
	char  *whole = own(line, line->prefix_len * 2 + len);
	size_t n = 0;

	if (whole == NULL)
		return sr_fail_memory(err);
	for (size_t i = 0; i < line->prefix_len; i++)
	{
		if (strchr("*?[]\\^-", line->prefix[i]) != NULL)
			whole[n++] = '\\';
		whole[n++] = line->prefix[i];
	}
	if (len > 0)
		memcpy(whole + n, pattern, len);
	return sr_line_add(line, whole, n + len, err);
}

bool sr_line_integer(sr_line *line, int64_t i, sr_err *err)
{
	char *text = own(line, 24);

	if (text == NULL)
		return sr_fail_memory(err);
	return sr_line_add(line, text, (size_t) snprintf(text, 24, "%" PRId64, i), err);
}

/* Makes the "C" locale this thread's. It is a constant of the C library: nothing is to be freed. */
static locale_t use_c_locale(void)
{
	return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t) 0));
}

double sr_number_parse(const char *text, char **end)
{
	locale_t was = use_c_locale();
	double	 d = strtod(text, end);

	uselocale(was);
	return d;
}

int sr_number_print(char *out, size_t size, const char *fmt, double d)
{
	locale_t was = use_c_locale();
	int		 n = snprintf(out, size, fmt, d);

	uselocale(was);
	return n;
}

/* The shortest text that reads as the same number: 0.1, not 0.10000000000000001. */
static bool add_double(sr_line *line, double d, sr_err *err)
{
	static const char *const formats[] = {"%.15g", "%.16g", "%.17g"};
	char					*text = own(line, 32);
	int						 len = 0;

	if (text == NULL)
		return sr_fail_memory(err);
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
	{
		len = sr_number_print(text, 32, formats[i], d);
		if (sr_number_parse(text, NULL) == d)
			break;
	}
	return sr_line_add(line, text, (size_t) len, err);
}

bool sr_line_replace_number(sr_line *line, int at, double d, sr_err *err)
{
	int argc = line->argv.argc;

	if (!add_double(line, d, err))
		return false;
	line->argv.argv[at] = line->argv.argv[argc];
	line->argv.argvlen[at] = line->argv.argvlen[argc];
	line->argv.argc = argc;
	return true;
}

static bool bad_number(const sr_arg *arg, const char *what, sr_err *err)
{
	return sr_fail(err, SR_E_OPTION, "", "%s must be %s", arg->name, what);
}

/* A number written as text: an integer that fits, or else a double. */
static bool text_number(const sr_value *v, double *d, int64_t *i, bool *is_integer)
{
	char  text[64];
	char *end;

	if (v->len == 0 || v->len >= sizeof text)
		return false;
	memcpy(text, v->data, v->len);
	text[v->len] = '\0';
	/* strtod would take 0x10 */
	if (strpbrk(text, "xX") != NULL)
		return false;
	errno = 0;
	*i = strtoll(text, &end, 10);
	*is_integer = end == text + v->len && errno == 0;
	if (!*is_integer)
	{
		errno = 0;
		*d = sr_number_parse(text, &end);
		/* a number too large is not infinity, says Redis, too */
		if (errno == ERANGE && isinf(*d))
			return false;
	}
	return end == text + v->len;
}

bool sr_value_double(const sr_arg *arg, const sr_value *v, double *out, sr_err *err)
{
	int64_t i = 0;
	bool	integer = false;

	if (v->type == SR_TYPE_DOUBLE)
		*out = v->d;
	else if (v->type == SR_TYPE_INTEGER || v->type == SR_TYPE_BOOLEAN)
		*out = (double) v->i;
	else if (!text_number(v, out, &i, &integer))
		return bad_number(arg, "a number", err);
	else if (integer)
		*out = (double) i;
	if (isnan(*out))
		return bad_number(arg, "a number, not NaN", err);
	return true;
}

bool sr_value_integer(const sr_arg *arg, const sr_value *v, int64_t *out, sr_err *err)
{
	double d = 0;
	bool   integer = false;

	if (v->type == SR_TYPE_INTEGER || v->type == SR_TYPE_BOOLEAN)
	{
		*out = v->i;
		return true;
	}
	if (v->type == SR_TYPE_DOUBLE)
		d = v->d;
	else if (!text_number(v, &d, out, &integer))
		return bad_number(arg, "an integer", err);
	if (integer)
		return true;
	if (d != floor(d) || d < -9.2e18 || d > 9.2e18)
		return bad_number(arg, "an integer", err);
	*out = (int64_t) d;
	return true;
}

bool sr_value_ms(const sr_arg *arg, const sr_value *v, int64_t *out, sr_err *err)
{
	double seconds = 0;

	if (!sr_value_double(arg, v, &seconds, err))
		return false;
	if (seconds < -9e15 || seconds > 9e15)
		return bad_number(arg, "a number of seconds that Redis can count in milliseconds", err);
	*out = llround(seconds * 1000);
	if (*out == 0 && seconds > 0)
		*out = 1;
	return true;
}

bool sr_line_choice(sr_line *line, const sr_arg *arg, const sr_value *v, sr_err *err)
{
	for (const char *word = arg->words; word != NULL; word = strchr(word, '|'))
	{
		size_t len;

		word += *word == '|';
		len = strcspn(word, "|");
		if (v->len == len && sr_same_word(v->data, word, len))
			return sr_line_add(line, word, len, err);
	}
	return sr_fail(err, SR_E_OPTION, "", "%s must be one of %s", arg->name, arg->words);
}

static bool add_value(sr_line *line, const sr_arg *arg, const sr_value *v, sr_err *err)
{
	int64_t i = 0;
	double	d = 0;

	switch (arg->kind)
	{
		case SR_ARG_KEY: return sr_line_key(line, v->data, v->len, err);
		case SR_ARG_PATTERN: return sr_line_pattern(line, v->data, v->len, err);
		case SR_ARG_INTEGER:
			return sr_value_integer(arg, v, &i, err) && sr_line_integer(line, i, err);
		case SR_ARG_DOUBLE: return sr_value_double(arg, v, &d, err) && add_double(line, d, err);
		case SR_ARG_TTL:
		case SR_ARG_AT: return sr_value_ms(arg, v, &i, err) && sr_line_integer(line, i, err);
		case SR_ARG_WORD: return sr_line_choice(line, arg, v, err);
		case SR_ARG_FLAG:
			return sr_value_integer(arg, v, &i, err) &&
				   (i == 0 || sr_line_word(line, arg->words, err));
		case SR_ARG_BOUND:
			if (v->type == SR_TYPE_INTEGER || v->type == SR_TYPE_DOUBLE)
				return sr_value_double(arg, v, &d, err) && add_double(line, d, err);
			break;
		case SR_ARG_VALUE:
		case SR_ARG_TEXT:
		case SR_ARG_JSON:
		case SR_ARG_KEY_LIST:
		case SR_ARG_LIST:
		case SR_ARG_RELATION: break;
	}
	return sr_line_add(line, v->data, v->len, err);
}

bool sr_line_words(sr_line *line, const char *words, size_t len, sr_err *err)
{
	const char *end = words + len;

	while (words < end)
	{
		const char *space = memchr(words, ' ', (size_t) (end - words));
		const char *stop = space != NULL ? space : end;

		if (stop > words && !sr_line_add(line, words, (size_t) (stop - words), err))
			return false;
		words = stop + 1;
	}
	return true;
}

/* One argument, NULL when it is left out, with what its row sends around it. */
static bool add_argument(sr_line *line, const sr_arg *arg, const sr_value *v, sr_err *err)
{
	bool given = v != NULL && v->type != SR_TYPE_NULL;

	if (!given && arg->dflt == NULL)
		return true;
	if (arg->before != NULL && !sr_line_word(line, arg->before, err))
		return false;
	return given ? add_value(line, arg, v, err) : sr_line_word(line, arg->dflt, err);
}

static bool add_early(sr_line *line, const sr_command *cmd, int n, const sr_value *args,
					  sr_err *err)
{
	for (int i = 0; cmd->args[i].name != NULL; i++)
		if ((cmd->args[i].flags & SR_EARLY) &&
			!add_argument(line, &cmd->args[i], i < n ? &args[i] : NULL, err))
			return false;
	return true;
}

bool sr_line_args(sr_line *line, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	const sr_arg *arg = cmd->args;

	for (int i = 0; arg->name != NULL; i++, arg++)
	{
		if (!(arg->flags & SR_EARLY) && !add_argument(line, arg, i < n ? &args[i] : NULL, err))
			return false;
		if (i == 0 && !add_early(line, cmd, n, args, err))
			return false;
		if (!(arg->flags & SR_VARIADIC))
			continue;
		while (++i < n)
			if (!add_value(line, arg, &args[i], err))
				return false;
	}
	return true;
}

bool sr_line_command(sr_line *line, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	const char *rest = strstr(cmd->redis, "...");
	size_t		len = rest != NULL ? (size_t) (rest - cmd->redis) : strlen(cmd->redis);

	return sr_line_words(line, cmd->redis, len, err) && sr_line_args(line, cmd, n, args, err) &&
		   (rest == NULL || sr_line_words(line, rest + 3, strlen(rest + 3), err));
}
