/*
 * buf.c - a byte buffer with a ceiling.
 *
 * Owns growth and the ceiling; knows nothing of what the bytes mean. A failed append leaves the
 * contents as they were.
 */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE ((size_t) 64)

bool sr_buf_reserve(sr_buf *b, size_t more)
{
	size_t max = b->max != 0 ? b->max : SR_BUF_MAX;
	size_t need;
	size_t cap;
	char  *data;

	if (b->len > max || more > max - b->len)
		return false;
	need = b->len + more + 1; /* the NUL */
	if (need <= b->cap)
		return true;
	cap = b->cap < FIRST_SIZE ? FIRST_SIZE : b->cap;
	while (cap < need)
		cap *= 2; /* need is at most max + 1: no overflow as long as max is below SIZE_MAX / 2 */
	if (cap > max + 1)
		cap = max + 1;
	data = realloc(b->data, cap);
	if (data == NULL)
		return false;
	data[b->len] = '\0';
	b->data = data;
	b->cap = cap;
	return true;
}

bool sr_buf_add(sr_buf *b, const void *data, size_t len)
{
	if (!sr_buf_reserve(b, len))
		return false;
	if (len != 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return true;
}

bool sr_buf_str(sr_buf *b, const char *s)
{
	return sr_buf_add(b, s, strlen(s));
}

bool sr_buf_fmt(sr_buf *b, const char *fmt, ...)
{
	va_list args;
	int		n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || !sr_buf_reserve(b, (size_t) n))
		return false;
	va_start(args, fmt);
	vsnprintf(b->data + b->len, (size_t) n + 1, fmt, args);
	va_end(args);
	b->len += (size_t) n;
	return true;
}

void sr_buf_free(sr_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
}
