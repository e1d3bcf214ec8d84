/*
 * url.c - where Redis is, and how to talk to it.
 *
 * Owns the text form of an address and its redaction; opens nothing. No message made here repeats
 * a part of the URL that may hold a password, however malformed the URL is.
 *
 * Syntax: RFC 3986 and the "redis" and "rediss" schemes of the IANA registry; docs/url.md.
 */
#include "core.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 6379
#define MAX_TIMEOUT	 ((long long) 24 * 60 * 60 * 1000)
#define MAX_HOST	 255

#define EXAMPLE "A URL looks like redis://user:password@host:6379/0, or rediss:// for TLS."
#define ESCAPE                                                                                     \
	"Write special characters of the user name, the password and option values as %XX: @ is %40, " \
	": is %3A, / is %2F, ? is %3F, # is %23, % is %25."

typedef struct span
{
	const char *s;
	size_t		len;
} span;

typedef enum scheme
{
	SCHEME_REDIS,
	SCHEME_REDISS,
	SCHEME_UNIX
} scheme;

static bool bad(sr_err *err, const char *hint, const char *what)
{
	return sr_fail(err, SR_E_OPTION, hint, "malformed Redis URL: %s", what);
}

static int hex(char c)
{
	static const char digits[] = "0123456789ABCDEF0123456789abcdef";
	const char		 *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int) ((found - digits) % 16);
}

/* A malloc'ed copy with %XX resolved; a NUL is refused, everything behind this is a C string. */
static bool decode(span in, char **out, sr_err *err)
{
	char  *text = malloc(in.len + 1);
	size_t n = 0;

	if (text == NULL)
		return sr_fail_memory(err);
	for (size_t i = 0; i < in.len; i++)
	{
		char c = in.s[i];

		if (c == '%')
		{
			int high = i + 2 < in.len ? hex(in.s[i + 1]) : -1;
			int low = i + 2 < in.len ? hex(in.s[i + 2]) : -1;

			if (high < 0 || low < 0 || (high == 0 && low == 0))
			{
				free(text);
				return bad(err, ESCAPE, "a % is not followed by two hexadecimal digits");
			}
			c = (char) (high * 16 + low);
			i += 2;
		}
		text[n++] = c;
	}
	text[n] = '\0';
	free(*out);
	*out = text;
	return true;
}

static bool number(span in, long long min, long long max, long long *out)
{
	long long n = 0;

	if (in.len == 0 || in.len > 18)
		return false;
	for (size_t i = 0; i < in.len; i++)
	{
		if (in.s[i] < '0' || in.s[i] > '9')
			return false;
		n = n * 10 + (in.s[i] - '0');
	}
	*out = n;
	return n >= min && n <= max;
}

static bool equals(span a, const char *b)
{
	return a.len == strlen(b) && memcmp(a.s, b, a.len) == 0;
}

static span until(const char **p, const char *end, const char *stops)
{
	span part = {*p, 0};

	while (*p < end && strchr(stops, **p) == NULL)
		(*p)++;
	part.len = (size_t) (*p - part.s);
	return part;
}

/* user:password; what stands there is never shown. */
static bool parse_user(span part, sr_url *out, sr_err *err)
{
	const char *colon = memchr(part.s, ':', part.len);
	span		user = part;

	if (colon != NULL)
	{
		span password = {colon + 1, part.len - (size_t) (colon + 1 - part.s)};

		user.len = (size_t) (colon - part.s);
		if (password.len != 0 && !decode(password, &out->password, err))
			return false;
	}
	return user.len == 0 || decode(user, &out->user, err);
}

static bool host_characters(const char *host, bool bracketed)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

	for (const char *p = host; *p != '\0'; p++)
		if (strchr(plain, *p) == NULL && !(bracketed && (*p == ':' || *p == '%')))
			return false;
	return strlen(host) <= MAX_HOST;
}

static bool parse_host(span part, sr_url *out, sr_err *err)
{
	span		host = part;
	span		port = {NULL, 0};
	bool		bracketed = part.len > 0 && part.s[0] == '[';
	const char *colon;
	long long	n;

	if (bracketed)
	{
		const char *close = memchr(part.s, ']', part.len);

		if (close == NULL)
			return bad(err, EXAMPLE, "the [ of the host has no ]");
		host = (span){part.s + 1, (size_t) (close - part.s) - 1};
		colon = close + 1;
		if (colon != part.s + part.len && *colon != ':')
			return bad(err, EXAMPLE, "after the ] of the host only :port may follow");
	}
	else
	{
		colon = memchr(part.s, ':', part.len);
		if (colon != NULL && memchr(colon + 1, ':', part.len - (size_t) (colon + 1 - part.s)))
			return bad(err, "Write an IPv6 address in brackets: redis://[::1]:6379.",
					   "more than one : in the host");
		if (colon == NULL)
			colon = part.s + part.len;
		host.len = (size_t) (colon - part.s);
	}
	if (colon != part.s + part.len)
		port = (span){colon + 1, (size_t) (part.s + part.len - colon) - 1};
	if (host.len == 0)
		return bad(err, EXAMPLE, "no host name");
	if (!decode(host, &out->host, err))
		return false;
	if (!host_characters(out->host, bracketed))
		return bad(err, EXAMPLE, "the host is neither a name nor an address");
	if (port.s == NULL)
		return true;
	if (!number(port, 1, 65535, &n))
		return bad(err, EXAMPLE, "the port is not a number from 1 to 65535");
	out->port = (int) n;
	return true;
}

static bool parse_milliseconds(span value, int64_t *out, sr_err *err, const char *what)
{
	long long n;

	if (!number(value, 1, MAX_TIMEOUT, &n))
		return bad(err, "Timeouts are whole milliseconds, 1 to 86400000.", what);
	*out = n;
	return true;
}

static bool parse_file(span value, char **out, sr_err *err, const char *what)
{
	if (value.len == 0)
		return bad(err, "Name a file.", what);
	return decode(value, out, err);
}

static bool parse_verify(span value, sr_url *out, sr_err *err)
{
	if (equals(value, "full"))
		out->verify = SR_VERIFY_FULL;
	else if (equals(value, "ca"))
		out->verify = SR_VERIFY_CA;
	else if (equals(value, "none"))
		out->verify = SR_VERIFY_NONE;
	else
		return bad(err,
				   "full checks the certificate and the host name in it, ca the certificate only, "
				   "none nothing.",
				   "tls_verify is not full, ca or none");
	return true;
}

/* db may come as the path and as an option; *db is -1 until one of them gave it. */
static bool parse_db(span value, long long *db, sr_err *err)
{
	long long n;

	if (!number(value, 0, INT_MAX, &n))
		return bad(err, EXAMPLE, "the database is not a number");
	if (*db >= 0 && *db != n)
		return bad(err, EXAMPLE, "two different databases");
	*db = n;
	return true;
}

typedef enum option
{
	OPTION_CONNECT_TIMEOUT,
	OPTION_COMMAND_TIMEOUT,
	OPTION_FAMILY,
	OPTION_TLS_CA,
	OPTION_TLS_CERT,
	OPTION_TLS_KEY,
	OPTION_TLS_VERIFY,
	OPTION_DB,
	OPTIONS
} option;

static const char *const option_names[OPTIONS] = {
	"connect_timeout", "command_timeout", "family",		"tls_ca",
	"tls_cert",		   "tls_key",		  "tls_verify", "db",
};

static bool parse_option(option which, span value, sr_url *out, long long *db, sr_err *err)
{
	switch (which)
	{
		case OPTION_CONNECT_TIMEOUT:
			return parse_milliseconds(value, &out->connect_timeout, err,
									  "connect_timeout is not a number of milliseconds");
		case OPTION_COMMAND_TIMEOUT:
			return parse_milliseconds(value, &out->command_timeout, err,
									  "command_timeout is not a number of milliseconds");
		case OPTION_FAMILY:
			if (!equals(value, "0") && !equals(value, "4") && !equals(value, "6"))
				return bad(err, "family=4 uses IPv4 only, 6 IPv6 only, 0 both.",
						   "family is not 0, 4 or 6");
			out->family = value.s[0] - '0';
			return true;
		case OPTION_TLS_CA: return parse_file(value, &out->tls_ca, err, "tls_ca is empty");
		case OPTION_TLS_CERT: return parse_file(value, &out->tls_cert, err, "tls_cert is empty");
		case OPTION_TLS_KEY: return parse_file(value, &out->tls_key, err, "tls_key is empty");
		case OPTION_TLS_VERIFY: return parse_verify(value, out, err);
		case OPTION_DB: return parse_db(value, db, err);
		case OPTIONS: break;
	}
	return false;
}

static bool unknown_option(span name, sr_err *err)
{
	return sr_fail(err, SR_E_OPTION,
				   "The options are connect_timeout, command_timeout, family, db, tls_ca, "
				   "tls_cert, tls_key and tls_verify; user name and password stand before the @.",
				   "malformed Redis URL: there is no option \"%.*s\"",
				   name.len > 40 ? 40 : (int) name.len, name.s);
}

static bool parse_options(const char *p, const char *end, sr_url *out, long long *db, sr_err *err)
{
	unsigned seen = 0;

	while (p < end)
	{
		span pair = until(&p, end, "&");
		span name = pair;
		span value = {"", 0};
		int	 which;

		if (p < end)
			p++;
		if (memchr(pair.s, '=', pair.len) != NULL)
		{
			const char *q = pair.s;

			name = until(&q, pair.s + pair.len, "=");
			value = (span){q + 1, pair.len - name.len - 1};
		}
		for (which = 0; which < OPTIONS; which++)
			if (equals(name, option_names[which]))
				break;
		if (which == OPTIONS)
			return unknown_option(name, err);
		if (seen & (1U << which))
			return bad(err, EXAMPLE, "an option is given twice");
		seen |= 1U << which;
		if (!parse_option((option) which, value, out, db, err))
			return false;
	}
	return true;
}

static bool parse_scheme(span name, scheme *out, sr_err *err)
{
	static const char *const known[] = {"redis", "rediss", "redis+unix", "unix"};

	for (int i = 0; i < 4; i++)
		if (name.len == strlen(known[i]) && sr_same_word(name.s, known[i], name.len))
		{
			*out = i < SCHEME_UNIX ? (scheme) i : SCHEME_UNIX;
			return true;
		}
	if (name.len >= 4 && name.len <= 5 && sr_same_word(name.s, "https", name.len))
		return bad(err,
				   "Use the Redis URL of the same database, rediss://default:password@host:6379; "
				   "Upstash's console shows it beside the REST URL.",
				   "the REST interface (https://) is not supported by this version");
	return bad(err, EXAMPLE, "the scheme is not redis, rediss, redis+unix or unix");
}

/* What one part of a URL allows and another forbids. */
static bool check(const sr_url *url, sr_err *err)
{
	if (!url->tls && (url->tls_ca != NULL || url->tls_cert != NULL || url->tls_key != NULL ||
					  url->verify != SR_VERIFY_FULL))
		return bad(err, "TLS is what the scheme says: rediss:// instead of redis://.",
				   "TLS options, but no TLS");
	if (url->tls_key != NULL && url->tls_cert == NULL)
		return bad(err, "tls_key is the private key of the certificate in tls_cert.",
				   "tls_key without tls_cert");
	if (url->path != NULL && url->family != 0)
		return bad(err, NULL, "family does not apply to a unix socket");
	return true;
}

static bool parse_unix(const char *p, const char *end, sr_url *out, sr_err *err)
{
	span path = {p, (size_t) (end - p)};

	if (path.len < 2 || path.s[0] != '/')
		return bad(err, "A socket's URL looks like redis+unix:///run/redis/redis.sock?db=0.",
				   "no absolute path of a socket");
	return decode(path, &out->path, err);
}

static bool parse_network(span authority, const char *p, const char *end, sr_url *out,
						  long long *db, sr_err *err)
{
	span path = {p, (size_t) (end - p)};

	if (!parse_host(authority, out, err))
		return false;
	if (path.len <= 1) /* "" or "/" */
		return true;
	path.s++;
	path.len--;
	return parse_db(path, db, err);
}

static bool parse(const char *text, sr_url *out, sr_err *err)
{
	const char *p = strstr(text, "://");
	const char *end = text + strlen(text);
	const char *query;
	const char *at;
	scheme		which = SCHEME_REDIS;
	span		authority;
	long long	db = -1;

	for (const char *q = text; q < end; q++)
		if ((unsigned char) *q <= ' ' || *q == 0x7F)
			return bad(err, ESCAPE, "it holds a space or a control character");
	if (p == NULL)
		return bad(err, EXAMPLE, "it has no ://");
	if (!parse_scheme((span){text, (size_t) (p - text)}, &which, err))
		return false;
	out->tls = which == SCHEME_REDISS;
	p += 3;
	authority = until(&p, end, "/?#");
	if (memchr(p, '@', (size_t) (end - p)) != NULL)
		return bad(err, ESCAPE, "an @ stands after the first /, ? or #");
	if (memchr(p, '#', (size_t) (end - p)) != NULL)
		return bad(err, ESCAPE, "it holds a #");
	for (at = authority.s + authority.len; at > authority.s && at[-1] != '@'; at--)
		;
	if (at > authority.s)
	{
		if (!parse_user((span){authority.s, (size_t) (at - authority.s) - 1}, out, err))
			return false;
		authority.len -= (size_t) (at - authority.s);
		authority.s = at;
	}
	query = memchr(p, '?', (size_t) (end - p));
	if (query == NULL)
		query = end;
	if (which == SCHEME_UNIX && authority.len != 0)
		return bad(err, "Three slashes: redis+unix:///run/redis/redis.sock.",
				   "a unix socket has no host");
	if (which == SCHEME_UNIX ? !parse_unix(p, query, out, err)
							 : !parse_network(authority, p, query, out, &db, err))
		return false;
	if (query < end && !parse_options(query + 1, end, out, &db, err))
		return false;
	out->db = db < 0 ? 0 : (int) db;
	return check(out, err);
}

bool sr_url_parse(const char *text, sr_url *out, sr_err *err)
{
	memset(out, 0, sizeof(*out));
	out->port = DEFAULT_PORT;
	if (parse(text, out, err))
		return true;
	sr_url_free(out);
	return false;
}

void sr_url_free(sr_url *url)
{
	free(url->host);
	free(url->path);
	free(url->user);
	free(url->password);
	free(url->tls_ca);
	free(url->tls_cert);
	free(url->tls_key);
	memset(url, 0, sizeof(*url));
}
