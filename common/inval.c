/*
 * inval.c - what one transaction will do to Redis: an ordered set with nesting depths. No I/O.
 *
 * Three arrays: the effects' bytes end to end, an entry for each effect, and a stack of marks. Depths
 * never decrease along the entries, because an effect is added at the current depth and closing a
 * level lowers (release) or removes (rollback) all deeper ones first. So a level is a tail of the list,
 * a mark says where it begins, and closing it costs no more than what it removes. A duplicate keeps
 * its first place, which is its smallest depth. COMMANDS and SCRIPT effects are groups: what is queued
 * right behind one may join it, as long as it stays small.
 *
 * The hash table is open addressing with linear probing. Entries are removed only from the tail, in
 * the reverse of their insertion, so that a removal just empties its slot. A key that is there twice,
 * before commands and after them, has one slot: of the later entry, which remembers the earlier one.
 */
#include "core.h"
#include "mutation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct entry
{
	uint32_t at; /* offset in bytes */
	uint32_t len : 29;
	uint32_t kind : 3;
	uint32_t hash;	 /* of a group: how many commands or items */
	uint32_t before; /* the same once more, as in slots; of a group: barrier until it came */
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
	size_t	  barrier; /* the first entry behind the last group */
	size_t	  counts[SR_EFFECT_SCRIPT + 1];
	mark	 *marks;
	size_t	  mark_count, mark_cap;
};

/* What an emptied queue keeps for the next transaction. */
#define KEEP_ENTRIES 1024
#define KEEP_BYTES	 65536

/* A group is one script, which Redis runs alone; and its bytes are copied once more on the way. */
#define GROUP_ITEMS 64
#define GROUP_BYTES ((size_t) 32 * 1024)

_Static_assert(SR_COMMANDS_ID + SR_INVAL_MAX_COMMAND < (size_t) 1 << 29,
			   "len holds every effect's");

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
static uint32_t hash_bytes(sr_effect kind, const char *key, size_t len)
{
	uint64_t h = 1469598103934665603u + (uint64_t) kind;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char) key[i]) * 1099511628211u;
	return (uint32_t) (h ^ (h >> 32));
}

/* The slot of an effect that is no group, or the empty one where it belongs. */
static size_t find_slot(const sr_inval *q, sr_effect kind, const char *key, size_t len,
						uint32_t hash)
{
	size_t mask = q->slot_count - 1;
	size_t slot = hash & mask;

	for (; q->slots[slot] != 0; slot = (slot + 1) & mask)
	{
		const entry *e = &q->entries[q->slots[slot] - 1];

		if (e->hash == hash && e->len == len && e->kind == kind &&
			memcmp(q->bytes + e->at, key, len) == 0)
			break;
	}
	return slot;
}

/* The slot that holds entry number i + 1. */
static size_t slot_of(const sr_inval *q, const entry *e, size_t number)
{
	size_t mask = q->slot_count - 1;
	size_t slot = e->hash & mask;

	while (q->slots[slot] != number)
		slot = (slot + 1) & mask;
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
		const entry *e = &q->entries[i];

		/* an empty slot, or the one that its earlier entry has just taken */
		if (!sr_effect_is_group((sr_effect) e->kind))
			slots[slot_of(q, e, e->before)] = (uint32_t) i + 1;
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

/* Room for one more entry at depth, and what is deeper closed. */
static bool make_entry(sr_inval *q, int depth)
{
	/* A level that was closed without our being told: its entries belong to the one around it. */
	sr_inval_release(q, depth);
	return q->count < q->cap || grow_entries(q);
}

static bool make_bytes(sr_inval *q, size_t len)
{
	if (len >= SR_INVAL_MAX_BYTES)
		return false;
	/* even an empty key is somewhere */
	return (q->bytes != NULL && q->bytes_len + len <= q->bytes_cap) ||
		   grow_bytes(q, q->bytes_len + len);
}

/* Room is there. before and hash as in entry. */
static entry *append(sr_inval *q, sr_effect kind, const char *data, size_t len)
{
	entry *e = &q->entries[q->count++];

	*e = (entry){.at = (uint32_t) q->bytes_len, .len = (uint32_t) len, .kind = kind};
	if (len > 0)
		memcpy(q->bytes + q->bytes_len, data, len);
	q->bytes_len += len;
	q->counts[kind]++;
	return e;
}

/* items: how many, for later ones to know whether they may join. */
static sr_push push_group(sr_inval *q, sr_effect kind, const char *data, size_t len, uint32_t items,
						  int depth)
{
	entry *e;

	if (!make_entry(q, depth) || !make_bytes(q, len) || !ensure_mark(q, depth))
		return SR_PUSH_NO_MEMORY;
	e = append(q, kind, data, len);
	e->hash = items;
	e->before = (uint32_t) q->barrier;
	q->barrier = q->count;
	return SR_PUSH_NEW;
}

sr_push sr_inval_push_effect(sr_inval *q, sr_effect kind, const char *data, size_t len, int depth)
{
	uint32_t hash;
	size_t	 slot;
	size_t	 barrier = sr_without(COMMAND_ORDER) ? 0 : q->barrier;
	entry	*e;

	/* A group that was made elsewhere may have been delivered: nothing may join it. */
	if (sr_effect_is_group(kind))
		return push_group(q, kind, data, len, GROUP_ITEMS, depth);
	if (len > SR_INVAL_MAX_KEY)
		return SR_PUSH_NO_MEMORY;
	hash = hash_bytes(kind, data, len);
	if (!make_entry(q, depth))
		return SR_PUSH_NO_MEMORY;
	slot = find_slot(q, kind, data, len, hash);
	if (q->slots[slot] > barrier)
		return SR_PUSH_DUPLICATE;
	if (!make_bytes(q, len) || !ensure_mark(q, depth))
		return SR_PUSH_NO_MEMORY;
	e = append(q, kind, data, len);
	e->hash = hash;
	e->before = q->slots[slot];
	q->slots[slot] = (uint32_t) q->count;
	return SR_PUSH_NEW;
}

sr_push sr_inval_push(sr_inval *q, const char *key, size_t len, int depth)
{
	return sr_inval_push_effect(q, SR_EFFECT_KEY, key, len, depth);
}

/* ---- commands and items ---- */

/* The last entry, if one more item of size bytes may join it. head: as in push_item. */
static entry *open_group(const sr_inval *q, sr_effect kind, const sr_argv *head, size_t size,
						 int depth)
{
	entry *last;

	if (q->count == 0 || q->marks[q->mark_count - 1].depth != depth)
		return NULL;
	last = &q->entries[q->count - 1];
	if (last->kind != kind || last->hash >= GROUP_ITEMS || last->len + size > GROUP_BYTES)
		return NULL;
	return head == NULL || sr_effects_begin_with(q->bytes + last->at, last->len, head) ? last
																					   : NULL;
}

/* Room is there. */
static void put(sr_inval *q, entry *group, const sr_argv *words, size_t size)
{
	sr_effects_put_command(words, q->bytes + q->bytes_len);
	q->bytes_len += size;
	group->len = (uint32_t) (group->len + size) & 0x1FFFFFFF;
}

/* head: what stands before a group's first item, and must be the same for all of it, or NULL: nothing. */
static sr_push push_item(sr_inval *q, sr_effect kind, const sr_argv *head, const sr_argv *item,
						 int depth)
{
	size_t head_size = head != NULL ? sr_effects_command_size(head) : 0;
	size_t size = sr_effects_command_size(item);
	char   id[SR_COMMANDS_ID];
	entry *group;

	if (size == 0 || (head != NULL && head_size == 0) || head_size + size > SR_INVAL_MAX_COMMAND)
		return SR_PUSH_NO_MEMORY;
	if (!make_entry(q, depth) || !make_bytes(q, SR_COMMANDS_ID + head_size + size))
		return SR_PUSH_NO_MEMORY;
	group = open_group(q, kind, head, size, depth);
	if (group == NULL)
	{
		/* room for the item is there, so that no group stays without one */
		if (getentropy(id, sizeof id) != 0 ||
			push_group(q, kind, id, sizeof id, 0, depth) != SR_PUSH_NEW)
			return SR_PUSH_NO_MEMORY;
		group = &q->entries[q->count - 1];
		if (head != NULL)
			put(q, group, head, head_size);
	}
	put(q, group, item, size);
	group->hash++;
	return SR_PUSH_NEW;
}

sr_push sr_inval_push_command(sr_inval *q, const sr_argv *cmd, int depth)
{
	return push_item(q, SR_EFFECT_COMMANDS, NULL, cmd, depth);
}

sr_push sr_inval_push_script(sr_inval *q, const char *script, const sr_argv *keys,
							 const sr_argv *item, int depth)
{
	const char *words[1 + SR_SCRIPT_KEYS];
	size_t		lengths[1 + SR_SCRIPT_KEYS];
	sr_argv		head = {.argc = 1 + keys->argc, .argv = words, .argvlen = lengths};

	if (keys->argc < 1 || keys->argc > SR_SCRIPT_KEYS)
		return SR_PUSH_NO_MEMORY;
	words[0] = script;
	lengths[0] = strlen(script);
	for (int i = 0; i < keys->argc; i++)
	{
		words[1 + i] = keys->argv[i];
		lengths[1 + i] = keys->argvlen[i];
	}
	return push_item(q, SR_EFFECT_SCRIPT, &head, item, depth);
}

/* ---- levels ---- */

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

	if (sr_effect_is_group((sr_effect) e->kind))
		q->barrier = e->before;
	else
		q->slots[slot_of(q, e, q->count)] = e->before;
	q->counts[e->kind]--;
	q->bytes_len = e->at;
	q->count--;
}

void sr_inval_rollback_to(sr_inval *q, int n)
{
	if (sr_without(DEPTH_TAGS))
		n = -1;
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
	q->count = q->bytes_len = q->mark_count = q->barrier = 0;
	memset(q->counts, 0, sizeof q->counts);
}

bool sr_inval_contains(const sr_inval *q, const char *key, size_t len)
{
	uint32_t hash = hash_bytes(SR_EFFECT_KEY, key, len);

	return q->count > 0 && q->slots[find_slot(q, SR_EFFECT_KEY, key, len, hash)] != 0;
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

size_t sr_inval_count_of(const sr_inval *q, sr_effect kind)
{
	return q->counts[kind];
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

	*kind = (sr_effect) e->kind;
	*len = e->len;
	if (depth != NULL)
		*depth = depth_of(q, i);
	return q->bytes + e->at;
}
