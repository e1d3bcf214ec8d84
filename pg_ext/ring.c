/*
 * ring.c - a ring of bytes in shared memory: sessions that commit put their effects in, the launcher takes
 * them out. Positions count bytes since the server started and never go back.
 *
 *      tail: seen to, free room before it     head: the end of what was put in
 *      failed: the end of the last round in which not everything was delivered
 *
 * An entry stays where it is until the launcher has seen to it, so that nothing is lost when the launcher
 * ends; entries between tail and head do not change, and are read without the lock.
 */
#include "shared.h"

#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/proc.h"

/* An entry may not take more than this part of the ring. */
#define SHARE 8

typedef struct entry_head
{
	uint32 size; /* with this head, a multiple of 8 */
	uint32 len;	 /* SKIP: nothing; the next one is at the ring's beginning */
	Oid	   database;
	Oid	   relation;
	int64  id;
} entry_head;

#define SKIP UINT32_MAX

struct pg_ring
{
	Latch			*reader; /* NULL: no launcher */
	bool			 asleep; /* the reader has to be woken */
	uint64			 size;
	pg_atomic_uint64 address;
	pg_atomic_uint64 head, tail, failed;
	char			 bytes[FLEXIBLE_ARRAY_MEMBER];
};

static pg_ring *ring;

static uint64 bytes_of_ring(void)
{
	return (uint64) pg_setting_ring_size * 1024;
}

Size pg_ring_size(void)
{
	return add_size(offsetof(pg_ring, bytes), bytes_of_ring());
}

void pg_ring_attach(void *memory, bool found)
{
	ring = memory;
	if (found)
		return;
	memset(ring, 0, offsetof(pg_ring, bytes));
	ring->size = bytes_of_ring();
	pg_atomic_init_u64(&ring->address, 0);
	pg_atomic_init_u64(&ring->head, 0);
	pg_atomic_init_u64(&ring->tail, 0);
	pg_atomic_init_u64(&ring->failed, 0);
}

/* ---- putting in ---- */

bool pg_ring_accepts(uint64 address)
{
	return ring != NULL && address != 0 && pg_atomic_read_u64(&ring->address) == address;
}

static uint64 size_of_entry(size_t len)
{
	return TYPEALIGN64(8, sizeof(entry_head) + len);
}

bool pg_ring_has_room(size_t len)
{
	uint64 share = ring->size / SHARE;
	/* The tail first: it does not get past a head that is read later. */
	uint64 tail = pg_atomic_read_u64(&ring->tail);

	pg_read_barrier();
	return size_of_entry(len) <= share &&
		   pg_atomic_read_u64(&ring->head) - tail + 3 * share <= ring->size;
}

/* Where an entry of that size goes; the rest of the ring is skipped when it does not fit there. */
static bool make_room(uint64 size, uint64 *head)
{
	uint64 at = *head % ring->size;
	uint64 skipped = at + size > ring->size ? ring->size - at : 0;

	if (*head + skipped + size - pg_atomic_read_u64(&ring->tail) > ring->size)
		return false;
	if (skipped > 0)
	{
		/* At least 8 bytes, for all sizes are multiples of that. */
		memcpy(ring->bytes + at, &(uint32){(uint32) skipped}, sizeof(uint32));
		memcpy(ring->bytes + at + sizeof(uint32), &(uint32){SKIP}, sizeof(uint32));
	}
	*head += skipped;
	return true;
}

bool pg_ring_put(const pg_ring_entry *entry, uint64 *position)
{
	uint64 size = size_of_entry(entry->len);
	uint64 head;
	Latch *wake = NULL;
	bool   ok;

	if (ring == NULL || size > ring->size / SHARE)
		return false;
	LWLockAcquire(pg_shared_lock(PG_LOCK_RING), LW_EXCLUSIVE);
	head = pg_atomic_read_u64(&ring->head);
	ok = ring->reader != NULL && make_room(size, &head);
	if (ok)
	{
		char	  *to = ring->bytes + head % ring->size;
		entry_head h = {.size = (uint32) size,
						.len = (uint32) entry->len,
						.database = entry->database,
						.relation = entry->relation,
						.id = entry->id};

		memcpy(to, &h, sizeof h);
		memcpy(to + sizeof h, entry->data, entry->len);
		*position = head + size;
		pg_atomic_write_u64(&ring->head, *position);
	}
	if (ring->asleep)
	{
		wake = ring->reader;
		ring->asleep = false;
	}
	LWLockRelease(pg_shared_lock(PG_LOCK_RING));
	if (wake != NULL)
		SetLatch(wake);
	return ok;
}

pg_ring_fate pg_ring_ask(uint64 position)
{
	if (ring == NULL || pg_atomic_read_u64(&ring->tail) < position)
		return PG_RING_PENDING;
	/* A round writes failed before tail. */
	pg_read_barrier();
	return pg_atomic_read_u64(&ring->failed) < position ? PG_RING_DELIVERED : PG_RING_FAILED;
}

/* ---- taking out ---- */

void pg_ring_open(uint64 address)
{
	LWLockAcquire(pg_shared_lock(PG_LOCK_RING), LW_EXCLUSIVE);
	ring->reader = &MyProc->procLatch;
	ring->asleep = false;
	pg_atomic_write_u64(&ring->address, address);
	LWLockRelease(pg_shared_lock(PG_LOCK_RING));
}

void pg_ring_close(void)
{
	LWLockAcquire(pg_shared_lock(PG_LOCK_RING), LW_EXCLUSIVE);
	ring->reader = NULL;
	ring->asleep = false;
	pg_atomic_write_u64(&ring->address, 0);
	LWLockRelease(pg_shared_lock(PG_LOCK_RING));
}

void pg_ring_look(uint64 *begin, uint64 *end)
{
	LWLockAcquire(pg_shared_lock(PG_LOCK_RING), LW_SHARED);
	*begin = pg_atomic_read_u64(&ring->tail);
	*end = pg_atomic_read_u64(&ring->head);
	LWLockRelease(pg_shared_lock(PG_LOCK_RING));
}

bool pg_ring_next(uint64 *at, uint64 end, pg_ring_entry *entry)
{
	while (*at < end)
	{
		const char *from = ring->bytes + *at % ring->size;
		entry_head	h = {0};

		memcpy(&h, from, offsetof(entry_head, database));
		*at += h.size;
		if (h.len == SKIP)
			continue;
		memcpy(&h, from, sizeof h);
		*entry = (pg_ring_entry){.database = h.database,
								 .relation = h.relation,
								 .id = h.id,
								 .data = from + sizeof h,
								 .len = h.len};
		return true;
	}
	return false;
}

void pg_ring_done(uint64 end, bool failed)
{
	if (failed)
		pg_atomic_write_u64(&ring->failed, end);
	/* Entries were read before their room is given away. */
	pg_memory_barrier();
	pg_atomic_write_u64(&ring->tail, end);
}

bool pg_ring_sleep(void)
{
	LWLockAcquire(pg_shared_lock(PG_LOCK_RING), LW_EXCLUSIVE);
	ring->asleep = pg_atomic_read_u64(&ring->head) == pg_atomic_read_u64(&ring->tail);
	LWLockRelease(pg_shared_lock(PG_LOCK_RING));
	return ring->asleep;
}
