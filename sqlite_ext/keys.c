/*
 * keys.c - rows for the keys that `key IN (SELECT ...)` names.
 *
 * SQLite lends the set only while xFilter runs, so it is copied, packed; the core gets it in slices, each
 * fetched page by page: a million keys cost their own bytes and little more.
 */
#include "sqlredis.h"

#include <stdlib.h>
#include <string.h>

#define SLICE 16384 /* keys */

typedef struct keys
{
	sq_rows			  base;
	sq_db			 *st;
	const sr_command *cmd;
	sr_buf			  packed; /* of each key: what PACK makes of its length and type, its bytes */
	size_t			  at, count, taken;
	sr_rows			 *slice;
	int				  fixed; /* arguments before the keys */
	sr_value		 *args;	 /* they, and a slice's keys */
} keys;

/* SQLite's lengths fit in 31 bits. */
#define PACK(len, blob)	 ((uint32_t) (len) << 1 | (blob))
#define PACKED_LEN(head) ((size_t) (head) >> 1)

static bool pack(keys *k, sqlite3_value *v, sr_err *err)
{
	size_t		len;
	const char *data;
	uint32_t	head;

	if (sqlite3_value_type(v) == SQLITE_NULL)
		return true;
	data = sq_bytes(v, &len);
	if (data == NULL)
		return sr_fail_memory(err);
	head = PACK(len, sqlite3_value_type(v) == SQLITE_BLOB);
	if (k->packed.len + sizeof head + len > SR_BUF_MAX)
		return sr_fail(err, SR_E_SIZE, "Ask for fewer keys at once.", "too many keys in one set");
	if (!sr_buf_add(&k->packed, &head, sizeof head) || !sr_buf_add(&k->packed, data, len))
		return sr_fail_memory(err);
	k->count++;
	return true;
}

static bool pack_set(keys *k, sqlite3_value *set, sr_err *err)
{
	sqlite3_value *v = NULL;
	int			   rc = sqlite3_vtab_in_first(set, &v);

	while (rc == SQLITE_OK && v != NULL)
	{
		if (!pack(k, v, err))
			return false;
		rc = sqlite3_vtab_in_next(set, &v);
	}
	if (rc == SQLITE_OK || rc == SQLITE_DONE)
		return true;
	if (rc == SQLITE_NOMEM)
		return sr_fail_memory(err);
	return sr_fail(err, rc == SQLITE_INTERRUPT ? SR_E_INTERRUPTED : SR_E_OPTION, "",
				   "reading the set of keys: %s", sqlite3_errstr(rc));
}

static bool next_slice(keys *k, sr_err *err)
{
	sr_client *client = sq_client(k->st, err);
	int		   n = k->fixed;

	if (client == NULL)
		return false;
	for (; k->taken < k->count && n < k->fixed + SLICE; k->taken++, n++)
	{
		uint32_t head;

		memcpy(&head, k->packed.data + k->at, sizeof head);
		k->at += sizeof head;
		k->args[n] = (sr_value){.type = head & 1 ? SR_TYPE_BYTES : SR_TYPE_TEXT,
								.data = k->packed.data + k->at,
								.len = PACKED_LEN(head)};
		k->at += PACKED_LEN(head);
	}
	k->slice = sr_rows_open(client, k->cmd, n, k->args, err);
	return k->slice != NULL;
}

static int keys_next(sq_rows *rows, const sr_value **cells, sr_err *err)
{
	keys *k = (keys *) rows;

	for (;;)
	{
		int got = k->slice != NULL ? sr_rows_next(k->slice, cells, err) : 0;

		if (got != 0)
			return got;
		sr_rows_close(k->slice);
		k->slice = NULL;
		if (k->taken == k->count)
			return 0;
		if (!next_slice(k, err))
			return -1;
	}
}

static void keys_close(sq_rows *rows)
{
	keys *k = (keys *) rows;

	sr_rows_close(k->slice);
	sr_buf_free(&k->packed);
	free(k->args);
	free(k);
}

/* The fixed arguments and room for a slice's keys. */
static bool make_room(keys *k, const sr_value *args, sr_err *err)
{
	size_t most = (size_t) k->fixed + (k->count < SLICE ? k->count : SLICE);

	/* One more: none at all would be no failure. */
	k->args = calloc(most + 1, sizeof *k->args);
	if (k->args == NULL)
		return sr_fail_memory(err);
	for (int i = 0; i < k->fixed; i++)
		k->args[i] = args[i];
	return true;
}

sq_rows *sq_keys_open(const sq_function *f, int fixed, const sr_value *args, sqlite3_value *value,
					  bool set, sr_err *err)
{
	keys *k = calloc(1, sizeof *k);

	if (k == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	k->base.next = keys_next;
	k->base.close = keys_close;
	k->st = f->st;
	k->cmd = f->cmd;
	k->fixed = fixed;
	if ((set ? pack_set(k, value, err) : pack(k, value, err)) && make_room(k, args, err))
		return &k->base;
	keys_close(&k->base);
	return NULL;
}
