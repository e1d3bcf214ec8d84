/*
 * template.c - 'user:{id}' and a row -> 'user:42'.
 *
 * A template is parsed once into pieces, each a literal followed by at most one column. It knows
 * columns by name only; the adapter says what their text is.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

typedef struct piece
{
	size_t literal_at, literal_len; /* in text */
	int	   column;					/* -1: none follows */
} piece;

struct sr_template
{
	char  *text; /* literals with braces resolved, and NUL-terminated column names */
	piece *pieces;
	int	   piece_count;
	char **columns; /* into text; a column used twice is listed once */
	int	   column_count;
};

#define HINT                                                                                       \
	"Write a column as {column}, a literal brace twice: '{{' or '}}'. Example: 'user:{id}'."

void sr_template_free(sr_template *t)
{
	if (t == NULL)
		return;
	free(t->text);
	free(t->pieces);
	free(t->columns);
	free(t);
}

/* Number of the column called name, which is added when it is new. */
static int column_number(sr_template *t, char *name)
{
	for (int i = 0; i < t->column_count; i++)
		if (strcmp(t->columns[i], name) == 0)
			return i;
	t->columns[t->column_count] = name;
	return t->column_count++;
}

/* Copy what is between braces to *to; NULL (and err) when it is no column. */
static const char *parse_column(const char *from, const char *end, char **to, sr_err *err)
{
	const char *close = from;

	while (close < end && *close != '}' && *close != '{' && *close != '\0')
		close++;
	if (close == end || *close != '}')
	{
		sr_fail(err, SR_E_OPTION, HINT, "unclosed '{' in the key template");
		return NULL;
	}
	if (close == from)
	{
		sr_fail(err, SR_E_OPTION, HINT, "empty '{}' in the key template");
		return NULL;
	}
	memcpy(*to, from, (size_t) (close - from));
	*to += close - from;
	*(*to)++ = '\0';
	return close + 1;
}

static bool parse(sr_template *t, const char *p, const char *end, sr_err *err)
{
	char  *to = t->text;
	piece *current = &t->pieces[0];

	*current = (piece){.column = -1};
	while (p < end)
	{
		bool brace = *p == '{' || *p == '}';
		bool doubled = brace && p + 1 < end && p[1] == *p;

		if (!brace || doubled)
		{
			*to++ = *p;
			current->literal_len++;
			p += doubled ? 2 : 1;
		}
		else if (*p == '}')
			return sr_fail(err, SR_E_OPTION, HINT, "unmatched '}' in the key template");
		else
		{
			char *name = to;

			p = parse_column(p + 1, end, &to, err);
			if (p == NULL)
				return false;
			current->column = column_number(t, name);
			current = &t->pieces[++t->piece_count];
			*current = (piece){.literal_at = (size_t) (to - t->text), .column = -1};
		}
	}
	t->piece_count++;
	return true;
}

sr_template *sr_template_compile(const char *text, size_t len, sr_err *err)
{
	sr_template *t = calloc(1, sizeof *t);
	size_t		 columns = 0;

	if (len == 0)
	{
		free(t);
		sr_fail(err, SR_E_OPTION, HINT, "the key template is empty");
		return NULL;
	}
	for (size_t i = 0; i < len; i++)
		columns += text[i] == '{';
	if (t != NULL)
	{
		/* A column's name loses two braces and gains a NUL: the text never grows. */
		t->text = malloc(len + 1);
		t->pieces = calloc(columns + 1, sizeof *t->pieces);
		t->columns = calloc(columns + 1, sizeof *t->columns);
	}
	if (t == NULL || t->text == NULL || t->pieces == NULL || t->columns == NULL)
	{
		sr_template_free(t);
		sr_fail_memory(err);
		return NULL;
	}
	if (!parse(t, text, text + len, err))
	{
		sr_template_free(t);
		return NULL;
	}
	return t;
}

int sr_template_columns(const sr_template *t)
{
	return t->column_count;
}

const char *sr_template_column(const sr_template *t, int i)
{
	return t->columns[i];
}

sr_expand sr_template_expand(const sr_template *t, const sr_text *columns, sr_buf *out)
{
	for (int i = 0; i < t->column_count; i++)
		if (columns[i].data == NULL)
			return SR_NULL_COLUMN;
	for (int i = 0; i < t->piece_count; i++)
	{
		const piece *p = &t->pieces[i];

		if (p->literal_len > 0 && !sr_buf_add(out, t->text + p->literal_at, p->literal_len))
			return SR_EXPAND_NO_MEMORY;
		if (p->column >= 0 && !sr_buf_add(out, columns[p->column].data, columns[p->column].len))
			return SR_EXPAND_NO_MEMORY;
	}
	return SR_EXPANDED;
}
