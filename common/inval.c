/*
 * inval.c - the keys one transaction will delete: an ordered set with nesting depths. No I/O.
 *
 * Three arrays: the keys' bytes end to end, an entry for each key, and a stack of marks. Depths never
 * decrease along the entries, because a key is added at the current depth and closing a level
 * lowers (release) or removes (rollback) all deeper ones first. So a level is a tail of the list,
 * a mark says where it begins, and closing it costs no more than what it removes. A duplicate keeps
 * its first place, which is its smallest depth.
 *
 * The hash table is open addressing with linear probing. Entries are removed only from the tail, in
 * the reverse of their insertion, so that a removal just empties its slot.
 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry
{
	size_t	 at; /* offset of the key in bytes */
	uint32_t len;
	uint32_t hash;
} entry;

typedef struct mark
{
	int	   depth;
	size_t first; /* the first entry of this depth */
} mark;

struct sr_inval
{
	char	 *bytes;
	size_t	  bytes_len, bytes_cap;
	entry	 *entries;
	size_t	  count, cap;
	uint32_t *slots; /* entry number + 1, 0: empty; a power of two, at least twice cap */
	size_t	  slot_count;
	mark	 *marks;
	size_t	  mark_count, mark_cap;
};

/* What an emptied queue keeps for the next transaction. */
#define KEEP_ENTRIES 1024
#define KEEP_BYTES	 65536

sr_inval *sr_inval_new(void)
{
	return calloc(1, sizeof(sr_inval));
}

static void drop_arrays(sr_inval *q)
{
	free(q->bytes);
	free(q->entries);
	free(q->slots);
	free(q->marks);
	memset(q, 0, sizeof *q);
}

void sr_inval_free(sr_inval *q)
{
	if (q == NULL)
		return;
	drop_arrays(q);
	free(q);
}

/* FNV-1a, folded; eight bytes at a time would matter only for keys longer than any sane one. */
static uint32_t hash_key(const char *key, size_t len)
{
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char) key[i]) * 1099511628211u;
	return (uint32_t) (h ^ (h >> 32));
}

static size_t find_slot(const sr_inval *q, const char *key, size_t len, uint32_t hash)
{
	size_t mask = q->slot_count - 1;
	size_t slot = hash & mask;

	for (; q->slots[slot] != 0; slot = (slot + 1) & mask)
	{
		const entry *e = &q->entries[q->slots[slot] - 1];

		if (e->hash == hash && e->len == len && memcmp(q->bytes + e->at, key, len) == 0)
			break;
	}
	return slot;
}

/* Make room for twice the entries; the table is refilled in order, which keeps tail removal valid. */
static bool grow_entries(sr_inval *q)
{
	size_t	  cap = q->cap ? q->cap * 2 : 64;
	entry	 *entries;
	uint32_t *slots;

	if (cap > UINT32_MAX / 4)
		return false;
	entries = realloc(q->entries, cap * sizeof *entries);
	if (entries == NULL)
		return false;
	q->entries = entries;
	slots = calloc(cap * 2, sizeof *slots);
	if (slots == NULL)
		return false;
	free(q->slots);
	q->slots = slots;
	q->slot_count = cap * 2;
	q->cap = cap;
	for (size_t i = 0; i < q->count; i++)
	{
		size_t slot = q->entries[i].hash & (q->slot_count - 1);

		while (slots[slot] != 0)
			slot = (slot + 1) & (q->slot_count - 1);
		slots[slot] = (uint32_t) i + 1;
	}
	return true;
}

static bool grow_bytes(sr_inval *q, size_t need)
{
	size_t cap = q->bytes_cap ? q->bytes_cap : 4096;
	char  *bytes;

	if (need > SR_INVAL_MAX_BYTES)
		return false;
	while (cap < need)
		cap *= 2;
	bytes = realloc(q->bytes, cap);
	if (bytes == NULL)
		return false;
	q->bytes = bytes;
	q->bytes_cap = cap;
	return true;
}

/* The mark of depth is on top of the stack, added when this is the depth's first entry. */
static bool ensure_mark(sr_inval *q, int depth)
{
	if (q->mark_count > 0 && q->marks[q->mark_count - 1].depth == depth)
		return true;
	if (q->mark_count == q->mark_cap)
	{
		size_t cap = q->mark_cap ? q->mark_cap * 2 : 8;
		mark  *marks = realloc(q->marks, cap * sizeof *marks);

		if (marks == NULL)
			return false;
		q->marks = marks;
		q->mark_cap = cap;
	}
	q->marks[q->mark_count++] = (mark){.depth = depth, .first = q->count};
	return true;
}

sr_push sr_inval_push(sr_inval *q, const char *key, size_t len, int depth)
{
	uint32_t hash = hash_key(key, len);
	size_t	 slot;

	if (len > SR_INVAL_MAX_BYTES)
		return SR_PUSH_NO_MEMORY;
	/* A level that was closed without our being told: its entries belong to the one around it. */
	sr_inval_release(q, depth);
	if (q->count == q->cap && !grow_entries(q))
		return SR_PUSH_NO_MEMORY;
	slot = find_slot(q, key, len, hash);
	if (q->slots[slot] != 0)
		return SR_PUSH_DUPLICATE;
	if (q->bytes_len + len > q->bytes_cap && !grow_bytes(q, q->bytes_len + len))
		return SR_PUSH_NO_MEMORY;
	if (!ensure_mark(q, depth))
		return SR_PUSH_NO_MEMORY;
	if (len > 0)
		memcpy(q->bytes + q->bytes_len, key, len);
	q->entries[q->count] = (entry){.at = q->bytes_len, .len = (uint32_t) len, .hash = hash};
	q->bytes_len += len;
	q->slots[slot] = (uint32_t) ++q->count;
	return SR_PUSH_NEW;
}

void sr_inval_release(sr_inval *q, int n)
{
	while (q->mark_count > 0 && q->marks[q->mark_count - 1].depth > n)
	{
		mark *top = &q->marks[q->mark_count - 1];

		/* Either it joins the level below it, or it becomes level n itself. */
		if (q->mark_count > 1 && top[-1].depth >= n)
			q->mark_count--;
		else
		{
			top->depth = n;
			break;
		}
	}
}

static void remove_last(sr_inval *q)
{
	const entry *e = &q->entries[q->count - 1];
	size_t		 slot = e->hash & (q->slot_count - 1);

	while (q->slots[slot] != q->count)
		slot = (slot + 1) & (q->slot_count - 1);
	q->slots[slot] = 0;
	q->bytes_len = e->at;
	q->count--;
}

void sr_inval_rollback_to(sr_inval *q, int n)
{
	while (q->mark_count > 0 && q->marks[q->mark_count - 1].depth > n)
	{
		size_t first = q->marks[--q->mark_count].first;

		if (first == 0)
			sr_inval_clear(q);
		while (q->count > first)
			remove_last(q);
	}
}

void sr_inval_clear(sr_inval *q)
{
	if (q->cap > KEEP_ENTRIES || q->bytes_cap > KEEP_BYTES)
	{
		drop_arrays(q);
		return;
	}
	if (q->count > 0)
		memset(q->slots, 0, q->slot_count * sizeof *q->slots);
	q->count = q->bytes_len = q->mark_count = 0;
}

bool sr_inval_contains(const sr_inval *q, const char *key, size_t len)
{
	return q->count > 0 && q->slots[find_slot(q, key, len, hash_key(key, len))] != 0;
}

void sr_inval_swap(sr_inval *a, sr_inval *b)
{
	sr_inval was_a = *a;

	*a = *b;
	*b = was_a;
}

size_t sr_inval_count(const sr_inval *q)
{
	return q->count;
}

static int depth_of(const sr_inval *q, size_t i)
{
	size_t m = q->mark_count;

	while (m > 1 && q->marks[m - 1].first > i)
		m--;
	return q->marks[m - 1].depth;
}

const char *sr_inval_effect(const sr_inval *q, size_t i, sr_effect *kind, size_t *len, int *depth)
{
	const entry *e = &q->entries[i];

	*kind = SR_EFFECT_KEY;
	*len = e->len;
	if (depth != NULL)
		*depth = depth_of(q, i);
	return q->bytes + e->at;
}
