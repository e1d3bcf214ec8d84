/*
 * error.c - what went wrong, in words a person can act on.
 *
 * Owns the error classes and the table that reads Redis's error texts. It must not know where an
 * error came from: whoever fails says so in the message. Messages are shown to people and written
 * to logs, so that nothing a server sends may put a control character or broken UTF-8 into them.
 */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One error text of Redis or of a service that speaks its protocol. */
typedef struct rule
{
	const char *text;
	bool		anywhere; /* else the text begins the reply, as whole words */
	sr_class	cls;
	const char *hint;
} rule;

#define HINT_PASSWORD                                                                              \
	"Check the user name and the password: redis://user:password@host, special characters "        \
	"percent-encoded. A lone word before the @ is a user name; a password alone is written "       \
	":password@."
#define HINT_NO_PASSWORD                                                                           \
	"This Redis has no password set for that user: take the password out of the URL, or set one "  \
	"in Redis (requirepass, ACL SETUSER)."
#define HINT_GIVE_PASSWORD                                                                         \
	"Redis wants a password: give it in the URL (redis://user:password@host) or, in PostgreSQL, "  \
	"in the file that sqlredis.passfile names."
#define HINT_GRANT                                                                                 \
	"The Redis user may not do this: an administrator grants it with ACL SETUSER (commands with "  \
	"+name, keys with ~pattern)."
#define HINT_QUOTA                                                                                 \
	"The service's plan is used up: wait for the next period or choose a larger plan."
#define HINT_SHRINK "Store less under one key, split the value, or choose a larger plan."
#define HINT_CLIENTS                                                                               \
	"Redis takes no more connections: raise maxclients, or let fewer sessions connect."
#define HINT_DATABASE                                                                              \
	"The number after the last / of the URL is a database of Redis, usually 0 to 15; many "        \
	"services have 0 only."
#define HINT_WAIT "Redis is busy for a moment; the same call works again later."

/* The first match counts: the special comes before the general. */
static const rule rules[] = {
	{"max daily request limit exceeded", true, SR_E_QUOTA, HINT_QUOTA},
	{"max requests limit exceeded", true, SR_E_QUOTA, HINT_QUOTA},
	{"max monthly request limit exceeded", true, SR_E_QUOTA, HINT_QUOTA},
	{"DB capacity quota exceeded", true, SR_E_QUOTA,
	 "The database is full: delete keys, let them expire (ttl), or choose a larger plan."},
	{"max request size exceeded", true, SR_E_SIZE, HINT_SHRINK},
	{"max key size exceeded", true, SR_E_SIZE, "Use shorter key names."},
	{"max single record size exceeded", true, SR_E_SIZE, HINT_SHRINK},
	{"max concurrent connections exceeded", true, SR_E_CLIENTS,
	 "The service takes no more connections: let fewer sessions connect or choose a larger plan."},
	{"ERR max number of clients", false, SR_E_CLIENTS, HINT_CLIENTS},
	{"NOAUTH", false, SR_E_AUTH, HINT_GIVE_PASSWORD},
	{"ERR operation not permitted", false, SR_E_AUTH, HINT_GIVE_PASSWORD},
	{"ERR Protocol error: unauthenticated", false, SR_E_AUTH, HINT_GIVE_PASSWORD},
	{"WRONGPASS", false, SR_E_AUTH, HINT_PASSWORD},
	{"ERR invalid password", false, SR_E_AUTH, HINT_PASSWORD},
	{"ERR invalid username-password pair", false, SR_E_AUTH, HINT_PASSWORD},
	{"ERR AUTH <password> called without any password", false, SR_E_AUTH, HINT_NO_PASSWORD},
	{"ERR Client sent AUTH, but no password is set", false, SR_E_AUTH, HINT_NO_PASSWORD},
	{"NOPERM", false, SR_E_PERMISSION, HINT_GRANT},
	{"ERR The user executing the script can", false, SR_E_PERMISSION, HINT_GRANT},
	{"DENIED", false, SR_E_CONNECT,
	 "Redis is in protected mode: give it a password or set protected-mode no, or connect from "
	 "its own machine."},
	{"WRONGTYPE", false, SR_E_WRONGTYPE,
	 "The key holds another kind of value: redis_type(key) tells which."},
	{"OOM", false, SR_E_MEMORY,
	 "Redis is at its maxmemory and may evict nothing: raise maxmemory, set maxmemory-policy, or "
	 "delete keys."},
	{"READONLY", false, SR_E_READONLY,
	 "This Redis is a replica: point the URL at the primary (INFO replication names it)."},
	{"MISCONF", false, SR_E_READONLY,
	 "Redis refuses writes because it cannot save to disk: see its log and INFO persistence."},
	{"LOADING", false, SR_E_BUSY,
	 "Redis is still reading its data from disk after a start; the same call works again later."},
	{"BUSY", false, SR_E_BUSY,
	 "A script is blocking Redis: wait for it, or end it with SCRIPT KILL or FUNCTION KILL."},
	{"TRYAGAIN", false, SR_E_BUSY, HINT_WAIT},
	{"CLUSTERDOWN", false, SR_E_BUSY, "The cluster is not whole: see CLUSTER INFO."},
	{"MASTERDOWN", false, SR_E_BUSY,
	 "This replica has lost its primary: wait for it, or point the URL at the primary."},
	{"NOREPLICAS", false, SR_E_BUSY,
	 "Too few replicas are in touch for Redis to take writes: see min-replicas-to-write."},
	{"MOVED", false, SR_E_REPLY,
	 "This is one node of a Redis Cluster, and the key lives on another. This version speaks to "
	 "one server: use a server that is not in cluster mode."},
	{"ASK", false, SR_E_REPLY,
	 "This is one node of a Redis Cluster, and the key is moving to another. This version speaks "
	 "to one server: use a server that is not in cluster mode."},
	{"CROSSSLOT", false, SR_E_REPLY,
	 "The keys of one command must lie in one slot of the cluster: give them the same {hash tag}, "
	 "or send them one by one."},
	{"ERR DB index is out of range", false, SR_E_OPTION, HINT_DATABASE},
	{"ERR invalid DB index", false, SR_E_OPTION, HINT_DATABASE},
	{"ERR SELECT is not allowed in cluster mode", false, SR_E_OPTION, HINT_DATABASE},
	{"ERR Only 0th database is supported", false, SR_E_OPTION, HINT_DATABASE},
	{"ERR unknown command", false, SR_E_REPLY,
	 "The server does not know this command: it is too old, another product, or the command is "
	 "disabled there."},
	{"ERR unknown subcommand", false, SR_E_REPLY,
	 "The server does not know this subcommand: it is too old or another product."},
	{"ERR string exceeds maximum allowed size", false, SR_E_SIZE,
	 "A value may be proto-max-bulk-len bytes long, 512 MB unless it is configured."},
	{"ERR Protocol error: invalid bulk length", false, SR_E_SIZE,
	 "A value may be proto-max-bulk-len bytes long, 512 MB unless it is configured."},
	{"ERR Protocol error: invalid multibulk length", false, SR_E_SIZE,
	 "Send fewer arguments in one command."},
	{"ERR Protocol error", false, SR_E_PROTOCOL, ""},
	{"ERR value is not an integer or out of range", false, SR_E_REPLY,
	 "The key's value or an argument is not a whole number of 64 bits."},
	{"ERR value is not a valid float", false, SR_E_REPLY,
	 "The key's value or an argument is not a number."},
	{"ERR increment or decrement would overflow", false, SR_E_REPLY,
	 "Redis counts in 64 bits: set the key to a smaller number."},
};

static const char *const words[SR_CLASSES] = {[SR_OK] = "ok",
#define X(id, word, state) [id] = (word),
											  SR_CLASS_MAP(X)
#undef X
};

static const char *const states[SR_CLASSES] = {[SR_OK] = "00000",
#define X(id, word, state) [id] = (state),
											   SR_CLASS_MAP(X)
#undef X
};

const char *sr_class_word(sr_class cls)
{
	return (unsigned) cls < SR_CLASSES ? words[cls] : "error";
}

const char *sr_class_sqlstate(sr_class cls)
{
	return (unsigned) cls < SR_CLASSES ? states[cls] : "XX000";
}

/* Bytes of the valid UTF-8 sequence at s, 0 when there is none (RFC 3629's table). */
static size_t utf8_length(const unsigned char *s, const unsigned char *end)
{
	size_t		  n;
	unsigned char low = 0x80, high = 0xBF;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		n = 2;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		n = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xE0)
		low = 0xA0; /* overlong */
	else if (s[0] == 0xED)
		high = 0x9F; /* surrogates */
	else if (s[0] == 0xF0)
		low = 0x90; /* overlong */
	else if (s[0] == 0xF4)
		high = 0x8F; /* beyond Unicode */
	if ((size_t) (end - s) < n || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xBF)
			return 0;
	return n;
}

static char lower(char ch)
{
	return ch >= 'A' && ch <= 'Z' ? (char) (ch - 'A' + 'a') : ch;
}

bool sr_same_word(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool sr_is_utf8(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *) s;
	const unsigned char *end = p + len;

	while (p < end)
	{
		size_t n = utf8_length(p, end);

		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

/* Control characters become spaces, bytes that are not UTF-8 question marks. */
static void clean(char *text)
{
	unsigned char *s = (unsigned char *) text;
	unsigned char *end = s + strlen(text);

	while (s < end)
	{
		size_t n;

		if (*s >= 0x20 && *s < 0x7F)
		{
			s++;
			continue;
		}
		n = utf8_length(s, end);
		if (n == 0)
			*s++ = '?';
		else if (n == 1)
			*s++ = ' ';
		else
		{
			if (s[0] == 0xC2 && s[1] < 0xA0) /* C1 controls */
				s[0] = s[1] = ' ';
			s += n;
		}
	}
}

/* A message cut short must not end within a character. */
static void cut(char *text, size_t size)
{
	size_t len = strlen(text);

	if (len + 1 < size)
		return;
	while (len > 0 && ((unsigned char) text[len - 1] & 0xC0) == 0x80)
		len--;
	if (len > 0 && (unsigned char) text[len - 1] >= 0xC0)
		len--;
	text[len] = '\0';
}

static void set_hint(sr_err *err, const char *hint)
{
	snprintf(err->hint, sizeof(err->hint), "%s", hint == NULL ? "" : hint);
	cut(err->hint, sizeof(err->hint));
	clean(err->hint);
}

bool sr_fail(sr_err *err, sr_class cls, const char *hint, const char *fmt, ...)
{
	char	text[sizeof(err->msg)]; /* arguments may point into err */
	char	copy[sizeof(err->hint)];
	va_list args;

	if (err == NULL)
		return false;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	cut(text, sizeof(text));
	clean(text);
	snprintf(copy, sizeof(copy), "%s", hint == NULL ? "" : hint);
	err->cls = cls;
	memcpy(err->msg, text, sizeof(text));
	set_hint(err, copy);
	return false;
}

bool sr_fail_memory(sr_err *err)
{
	return sr_fail(err, SR_E_LOCAL_MEMORY, NULL, "out of memory");
}

static bool matches(const rule *r, const char *text)
{
	size_t n = strlen(r->text);

	if (!r->anywhere)
		return strncmp(text, r->text, n) == 0 &&
			   (text[n] == '\0' || strchr(" .,:!'", text[n]) != NULL);
	for (const char *p = text; *p != '\0'; p++)
		if (sr_same_word(p, r->text, n))
			return true;
	return false;
}

bool sr_fail_reply(sr_err *err, const char *text, size_t len)
{
	char   copy[sizeof(err->msg)] = {0};
	size_t n = len < sizeof(copy) ? len : sizeof(copy) - 1;

	if (err == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		copy[i] = text[i] == '\0' ? ' ' : text[i];
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (matches(&rules[i], copy))
			return sr_fail(err, rules[i].cls, rules[i].hint, "%s", copy);
	return sr_fail(err, SR_E_REPLY, NULL, "%s", copy);
}
