/*
 * lookup.c - a template that is a query: 'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}'.
 *
 * Owns where a {column} is one: not inside strings, quoted names and comments, whose bytes stay what they
 * are, braces included. It reads as much of SQL as PostgreSQL and SQLite have in common, and refuses what
 * they read differently; it knows no columns and no values. What stands for a column is the adapter's: a
 * parameter or a name of its own, never a value spliced in.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

typedef struct piece
{
	size_t at, len; /* of what stands before the column, in text */
	int	   column;	/* -1: none follows */
} piece;

struct sr_query
{
	char  *text; /* the query without its columns' names, and those, NUL-terminated */
	piece *pieces;
	int	   piece_count;
	char **columns; /* into text */
	int	   column_count;
};

#define HINT                                                                                       \
	"Write a column as {column}, a brace outside of strings twice: '{{' or '}}'. Example: "        \
	"'SELECT ''team:'' || team_id FROM members WHERE user_id = {id}'."

static bool is_space(char ch)
{
	return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

/* Can it be a part of a name, a number or a parameter? Then nothing may be written right beside it. */
static bool is_name(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
		   (unsigned char) ch >= 0x80 || (ch != '\0' && strchr("_$@:?#", ch) != NULL);
}

bool sr_is_query(const char *text, size_t len)
{
	static const char *const words[] = {"SELECT", "WITH"};

	for (; len > 0 && is_space(*text); len--)
		text++;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
	{
		size_t n = strlen(words[i]);

		/* 'select:{id}' is a key */
		if (len > n && sr_same_word(text, words[i], n) &&
			(is_space(text[n]) || strchr("('\"", text[n]) != NULL ||
			 (len > n + 1 && (memcmp(text + n, "--", 2) == 0 || memcmp(text + n, "/*", 2) == 0))))
			return true;
	}
	return false;
}

/* ---- what is not looked into ---- */

/* Behind the quote that ends what began at p; doubled ones do not. NULL: none does. */
static const char *skip_quoted(const char *p, const char *end, bool backslashes)
{
	char quote = *p++;

	for (; p < end; p++)
	{
		if (backslashes && *p == '\\')
			p++;
		else if (*p == quote && p + 1 < end && p[1] == quote)
			p++;
		else if (*p == quote)
			return p + 1;
	}
	return NULL;
}

/* $$ or $tag$, and everything to its like; p + 1 when it is a parameter or only a sign. */
static const char *skip_dollar(const char *p, const char *end)
{
	const char *open = p + 1;
	size_t		len;

	while (open < end && is_name(*open) && *open != '$')
		open++;
	if (open == end || *open != '$' || (p[1] >= '0' && p[1] <= '9'))
		return p + 1;
	len = (size_t) (open + 1 - p);
	for (const char *close = open + 1; (size_t) (end - close) >= len; close++)
		if (memcmp(close, p, len) == 0)
			return close + len;
	return p + 1;
}

static const char *fail(sr_err *err, const char *what)
{
	sr_fail(err, SR_E_OPTION, HINT, "%s in the query of a key template", what);
	return NULL;
}

static const char *skip_comment(const char *p, const char *end, sr_err *err)
{
	for (p += 2; p + 1 < end; p++)
	{
		if (p[0] == '*' && p[1] == '/')
			return p + 2;
		if (p[0] == '/' && p[1] == '*') /* PostgreSQL counts them, SQLite does not */
			return fail(err, "a comment inside a comment");
	}
	return fail(err, "a comment without an end");
}

static bool begins(const char *p, const char *end, const char *two)
{
	return end - p >= 2 && memcmp(p, two, 2) == 0;
}

/*
 * Behind the string, name, comment or single character at p; NULL: err. start is where the text begins.
 */
static const char *skip(const char *start, const char *p, const char *end, sr_err *err)
{
	const char *after = p + 1;
	bool		in_name = p > start && is_name(p[-1]);

	if (begins(p, end, "/*"))
		return skip_comment(p, end, err);
	if (begins(p, end, "--"))
	{
		after = memchr(p, '\n', (size_t) (end - p));
		return after != NULL ? after : end;
	}
	if (*p == '$' && !in_name)
		return skip_dollar(p, end);
	if (*p == '\'' || *p == '"' || *p == '`')
	{
		bool escapes = *p == '\'' && in_name && (p[-1] == 'E' || p[-1] == 'e') &&
					   (p - 1 == start || !is_name(p[-2]));

		after = skip_quoted(p, end, escapes);
		if (after == NULL)
			return fail(err, "a quote without an end");
	}
	return after;
}

/* ---- compiling ---- */

void sr_query_free(sr_query *q)
{
	if (q == NULL)
		return;
	free(q->text);
	free(q->pieces);
	free(q->columns);
	free(q);
}

static int column_number(sr_query *q, char *name)
{
	for (int i = 0; i < q->column_count; i++)
		if (strcmp(q->columns[i], name) == 0)
			return i;
	q->columns[q->column_count] = name;
	return q->column_count++;
}

/* The column whose { stands at p: its name to *to. Behind its }; NULL: err. */
static const char *parse_column(sr_query *q, const char *p, const char *end, char **to, sr_err *err)
{
	const char *close = p + 1;
	char	   *name = *to;

	while (close < end && *close != '}' && *close != '{' && *close != '\0')
		close++;
	if (close == end || *close != '}')
		return fail(err, "an unclosed '{'");
	if (close == p + 1)
		return fail(err, "an empty '{}'");
	memcpy(*to, p + 1, (size_t) (close - p - 1));
	*to += close - p - 1;
	*(*to)++ = '\0';
	q->pieces[q->piece_count].column = column_number(q, name);
	q->pieces[++q->piece_count] = (piece){.at = (size_t) (*to - q->text), .column = -1};
	return close + 1;
}

/* A ; may stand at the end, and is left out; behind it nothing may. */
static bool is_end(const char *p, const char *end)
{
	for (; p < end && (is_space(*p) || *p == ';'); p++)
		;
	return p == end;
}

static bool parse(sr_query *q, const char *start, const char *end, sr_err *err)
{
	char	   *to = q->text;
	const char *p = start;

	q->pieces[0] = (piece){.column = -1};
	while (p < end)
	{
		bool		brace = *p == '{' || *p == '}';
		bool		doubled = brace && p + 1 < end && p[1] == *p;
		const char *next = doubled ? p + 1 : skip(start, p, end, err);

		if (next == NULL)
			return false;
		if (*p == ';' && is_end(p, end))
			break;
		if (*p == ';')
			return fail(err, "more than one statement") != NULL;
		if (*p == '\0')
			return fail(err, "a zero byte") != NULL;
		if (brace && !doubled)
		{
			p = *p == '{' ? parse_column(q, p, end, &to, err) : fail(err, "an unmatched '}'");
			if (p == NULL)
				return false;
			continue;
		}
		memcpy(to, p, (size_t) (next - p));
		to += next - p;
		q->pieces[q->piece_count].len += (size_t) (next - p);
		p = next + doubled;
	}
	q->piece_count++;
	return true;
}

sr_query *sr_query_compile(const char *text, size_t len, sr_err *err)
{
	sr_query *q = calloc(1, sizeof *q);
	size_t	  columns = 0;

	for (size_t i = 0; i < len; i++)
		columns += text[i] == '{';
	if (q != NULL)
	{
		/* A column's name loses two braces and gains a NUL: the text never grows. */
		q->text = malloc(len + 1);
		q->pieces = calloc(columns + 1, sizeof *q->pieces);
		q->columns = calloc(columns + 1, sizeof *q->columns);
	}
	if (q == NULL || q->text == NULL || q->pieces == NULL || q->columns == NULL)
	{
		sr_query_free(q);
		sr_fail_memory(err);
		return NULL;
	}
	if (!parse(q, text, text + len, err))
	{
		sr_query_free(q);
		return NULL;
	}
	return q;
}

int sr_query_columns(const sr_query *q)
{
	return q->column_count;
}

const char *sr_query_column(const sr_query *q, int i)
{
	return q->columns[i];
}

/* {a}1 must not become $11. */
static bool separate(sr_buf *out, bool needed)
{
	return !needed || sr_buf_str(out, " ");
}

bool sr_query_text(const sr_query *q, bool (*write)(void *ctx, int i, sr_buf *out), void *ctx,
				   sr_buf *out)
{
	for (int i = 0; i < q->piece_count; i++)
	{
		const piece *p = &q->pieces[i];
		const char	*text = q->text + p->at;
		bool		 first = i == 0;

		if (!separate(out, !first && (p->len > 0 ? is_name(*text) : p->column >= 0)) ||
			!sr_buf_add(out, text, p->len))
			return false;
		if (p->column >= 0 && (!separate(out, p->len > 0 && is_name(text[p->len - 1])) ||
							   !write(ctx, p->column, out)))
			return false;
	}
	return true;
}
