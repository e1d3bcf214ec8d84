/*
 * breaker.c - a server that is away costs one timeout, not one for every call.
 *
 * Closed: calls go out. Open: calls fail at once, for 100 ms, doubling to 10 s with every probe that
 * fails, with jitter. Half-open (that time is over): exactly one caller may try; while it does, the
 * others see an open breaker. What it finds closes or reopens it.
 *
 * A breaker may lie in memory that processes share: every access is atomic, and a prober that dies
 * holds the probe no longer than connect_timeout. Only availability counts: a server that answers,
 * if only with an error, is there.
 */
#include "core.h"
#include "conn.h"

#include <string.h>

#define OPEN_MIN 100   /* ms */
#define OPEN_MAX 10000 /* ms */

/* FNV-1a; http://www.isthe.com/chongo/tech/comp/fnv/. Never 0, which is an unused slot. */
static uint64_t hash_address(const char *where)
{
	uint64_t h = 14695981039346656037u;

	for (const char *p = where; *p != '\0'; p++)
		h = (h ^ (unsigned char) *p) * 1099511628211u;
	return h == 0 ? 1 : h;
}

void sr_breaker_choose(sr_client *c, sr_breaker *slots, size_t count)
{
	uint64_t address = hash_address(c->where);

	c->probing = false;
	c->last_error.cls = SR_OK;
	for (size_t i = 0; slots != NULL && i < count; i++)
	{
		sr_breaker *slot = &slots[(address + i) % count];
		uint64_t	found = 0;

		/* an unused slot becomes ours; else found is its owner */
		if (__atomic_compare_exchange_n(&slot->address, &found, address, false, __ATOMIC_ACQ_REL,
										__ATOMIC_ACQUIRE) ||
			found == address)
		{
			c->breaker = slot;
			return;
		}
	}
	c->breaker = &c->own_breaker;
	memset(c->breaker, 0, sizeof(*c->breaker));
	c->breaker->address = address;
}

const char *sr_client_breaker_state(const sr_client *c)
{
	int64_t open_until = __atomic_load_n(&c->breaker->open_until, __ATOMIC_ACQUIRE);

	if (open_until == 0)
		return "closed";
	return sr_now(&c->host) < open_until ? "open" : "half-open";
}

bool sr_client_is_away(const sr_client *c)
{
	int64_t open_until = __atomic_load_n(&c->breaker->open_until, __ATOMIC_ACQUIRE);

	return open_until != 0 && !c->probing && sr_now(&c->host) < open_until;
}

static bool fail_open(sr_client *c, int64_t wait, sr_err *err)
{
	const sr_err last = c->last_error;

	if (last.cls == SR_OK) /* another process opened it */
		return sr_fail(err, SR_E_CONNECT, NULL, "Redis at %s is away; next try in %lld ms",
					   c->where, (long long) wait);
	return sr_fail(err, SR_E_CONNECT, last.hint, "Redis at %s is away (%s); next try in %lld ms",
				   c->where, last.msg, (long long) wait);
}

bool sr_breaker_allow(sr_client *c, unsigned flags, sr_err *err)
{
	int64_t open_until = __atomic_load_n(&c->breaker->open_until, __ATOMIC_ACQUIRE);
	int64_t now;

	if (open_until == 0 || c->probing || (flags & SR_PROBE))
		return true;
	now = sr_now(&c->host);
	if (now >= open_until)
	{
		c->probing = __atomic_compare_exchange_n(&c->breaker->open_until, &open_until,
												 now + c->connect_timeout, false, __ATOMIC_ACQ_REL,
												 __ATOMIC_ACQUIRE);
		if (c->probing || open_until == 0)
			return true;
	}
	return fail_open(c, open_until > now ? open_until - now : 0, err);
}

/* 50 to 100 % of what the number of failures asks for. */
static int64_t open_duration(sr_client *c, uint32_t failures)
{
	int64_t ms = failures > 7 ? OPEN_MAX : (int64_t) OPEN_MIN << (failures - 1);

	if (ms > OPEN_MAX)
		ms = OPEN_MAX;
	return ms / 2 + (int64_t) (sr_client_random(c) % (uint64_t) (ms / 2 + 1));
}

static void open_breaker(sr_client *c, bool probed)
{
	sr_breaker *b = c->breaker;
	int64_t		now = sr_now(&c->host);
	int64_t		closed = 0;

	if (probed)
	{
		uint32_t failures = __atomic_add_fetch(&b->failures, 1, __ATOMIC_ACQ_REL);

		__atomic_store_n(&b->open_until, now + open_duration(c, failures), __ATOMIC_RELEASE);
	}
	/* of many who fail at the same time one opens it */
	else if (__atomic_compare_exchange_n(&b->open_until, &closed, now + open_duration(c, 1), false,
										 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		__atomic_store_n(&b->failures, 1, __ATOMIC_RELEASE);
}

static void close_breaker(sr_client *c)
{
	if (__atomic_load_n(&c->breaker->open_until, __ATOMIC_ACQUIRE) == 0)
		return;
	__atomic_store_n(&c->breaker->failures, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&c->breaker->open_until, 0, __ATOMIC_RELEASE);
}

void sr_breaker_report(sr_client *c, const sr_err *err)
{
	bool probed = c->probing;

	c->probing = false;
	switch (err == NULL ? SR_OK : err->cls)
	{
		case SR_OK: close_breaker(c); break;
		case SR_E_CONNECT:
		case SR_E_TIMEOUT:
		case SR_E_CLIENTS:
			c->last_error = *err;
			open_breaker(c, probed);
			break;
		case SR_E_LOST:
		case SR_E_TLS:
		case SR_E_OPTION:
		case SR_E_PROTOCOL:
		case SR_E_SIZE:
		case SR_E_INTERRUPTED:
		case SR_E_LOCAL_MEMORY:
			/* nothing was learnt: half-open again, the next caller may try */
			if (probed)
				__atomic_store_n(&c->breaker->open_until, sr_now(&c->host), __ATOMIC_RELEASE);
			break;
		default: close_breaker(c); break; /* it answered */
	}
}
