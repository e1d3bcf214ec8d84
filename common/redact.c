/*
 * redact.c - a URL as it may be shown to people.
 *
 * Owns what is hidden. The text may be malformed in every way, so it guesses on the safe side:
 * what might be a password is shown as ***.
 */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_simple_user(const char *s, size_t len)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

	for (size_t i = 0; i < len; i++)
		if (strchr(safe, s[i]) == NULL)
			return false;
	return true;
}

static bool is_port(const char *s, size_t len)
{
	return len <= 5 && strspn(s, "0123456789") >= len;
}

/* scheme://: what comes before it is not trusted to be a scheme. */
static bool show_scheme(sr_buf *out, const char *text, size_t len)
{
	static const char *const known[] = {"redis", "rediss", "redis+unix", "unix", "http", "https"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]) == len && memcmp(known[i], text, len) == 0)
			return sr_buf_fmt(out, "%s://", known[i]);
	return sr_buf_str(out, "***://");
}

static bool show_user(sr_buf *out, const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len);

	if (colon == NULL || !is_simple_user(s, (size_t) (colon - s)))
		return sr_buf_str(out, "***@");
	return sr_buf_fmt(out, "%.*s:***@", (int) (colon - s), s);
}

/* host[:port]; what follows the last colon is shown only when it can be a port. */
static bool show_host(sr_buf *out, const char *s, size_t len)
{
	size_t colon = len;

	while (colon > 0 && s[colon - 1] != ':' && s[colon - 1] != ']')
		colon--;
	if (colon == 0 || s[colon - 1] == ']' || is_port(s + colon, len - colon))
		return sr_buf_add(out, s, len);
	return sr_buf_add(out, s, colon) && sr_buf_str(out, "***");
}

static bool show_option(sr_buf *out, const char *s, size_t len)
{
	static const char *const known[] = {
		"connect_timeout", "command_timeout", "family",	 "db",
		"tls_ca",		   "tls_cert",		  "tls_key", "tls_verify"};
	const char *equals = memchr(s, '=', len);
	size_t		name = equals == NULL ? len : (size_t) (equals - s);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]) == name && memcmp(known[i], s, name) == 0)
			return sr_buf_add(out, s, len);
	if (equals == NULL || !is_simple_user(s, name))
		return sr_buf_str(out, "***");
	return sr_buf_add(out, s, name) && sr_buf_str(out, "=***");
}

static bool show_query(sr_buf *out, const char *s)
{
	bool first = true;

	for (;;)
	{
		size_t n = strcspn(s, "&#");

		if (!sr_buf_str(out, first ? "?" : "&") || !show_option(out, s, n))
			return false;
		first = false;
		if (s[n] == '\0')
			return true;
		if (s[n] == '#')
			return sr_buf_str(out, "#***");
		s += n + 1;
	}
}

static bool show(sr_buf *out, const char *text)
{
	const char *p = strstr(text, "://");
	const char *at;
	size_t		n;

	if (p == NULL)
		return sr_buf_str(out, "***");
	if (!show_scheme(out, text, (size_t) (p - text)))
		return false;
	p += 3;
	at = strrchr(p, '@');
	if (at != NULL)
	{
		if (!show_user(out, p, (size_t) (at - p)))
			return false;
		p = at + 1;
	}
	n = strcspn(p, "/?#");
	if (!show_host(out, p, n))
		return false;
	p += n;
	n = strcspn(p, "?#");
	if (!sr_buf_add(out, p, n))
		return false;
	p += n;
	if (*p == '#')
		return sr_buf_str(out, "#***");
	return *p == '\0' || show_query(out, p + 1);
}

char *sr_url_redact(const char *text)
{
	sr_buf out = {0};

	if (!show(&out, text))
	{
		sr_buf_free(&out);
		return NULL;
	}
	for (size_t i = 0; i < out.len; i++)
		if ((unsigned char) out.data[i] < ' ' || out.data[i] == 0x7F)
			out.data[i] = '?';
	return out.data;
}

void sr_url_where(const sr_url *url, char *out, size_t size)
{
	if (url->path != NULL)
		snprintf(out, size, "%s", url->path);
	else if (url->host == NULL)
		snprintf(out, size, "(nowhere)");
	else if (strchr(url->host, ':') != NULL)
		snprintf(out, size, "[%s]:%d", url->host, url->port);
	else
		snprintf(out, size, "%s:%d", url->host, url->port);
}
