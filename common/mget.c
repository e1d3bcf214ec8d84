/*
 * mget.c - redis_mget and redis_mget_json: a row for each key of a list, fetched round by round.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

#define NO_KEY SIZE_MAX

typedef struct mget
{
	sr_rows	  base;
	sr_fetch *fetch;
	sr_buf	  keys;		 /* of each key its length, NO_KEY for a NULL, and its bytes */
	size_t	  pos;		 /* in keys: the next round's first */
	size_t	  at, count; /* of the round's rows */
} mget;

static void mget_close(sr_rows *rows)
{
	mget *m = (mget *) rows;

	sr_fetch_free(m->fetch);
	sr_buf_free(&m->keys);
	free(m);
}

static bool next_round(mget *m, sr_err *err)
{
	size_t room = sr_fetch_room(m->fetch);

	sr_fetch_begin(m->fetch);
	m->at = m->count = 0;
	for (; m->count < room && m->pos < m->keys.len; m->count++)
	{
		const char *key = NULL;
		size_t		len;

		memcpy(&len, m->keys.data + m->pos, sizeof len);
		m->pos += sizeof len;
		if (len != NO_KEY)
		{
			key = m->keys.data + m->pos;
			m->pos += len;
		}
		if (!sr_fetch_add(m->fetch, key, len, err))
			return false;
	}
	return sr_fetch_run(m->fetch, err);
}

static int mget_next(sr_rows *rows, sr_err *err)
{
	mget		   *m = (mget *) rows;
	const sr_value *value;

	if (m->at == m->count && m->pos == m->keys.len)
		return 0;
	if (m->at == m->count && !next_round(m, err))
		return -1;
	value = sr_fetch_value(m->fetch, m->at, err);
	if (value == NULL)
		return -1;
	rows->cells[0] = *sr_fetch_key(m->fetch, m->at++);
	rows->cells[1] = *value;
	return 1;
}

static mget *mget_new(sr_client *c, sr_err *err)
{
	mget *m = calloc(1, sizeof *m);

	if (m != NULL)
		m->fetch = sr_fetch_new(c);
	if (m == NULL || m->fetch == NULL)
	{
		free(m);
		sr_fail_memory(err);
		return NULL;
	}
	m->base.next = mget_next;
	m->base.close = mget_close;
	return m;
}

static bool mget_add(mget *m, const char *key, size_t len, sr_err *err)
{
	if (!sr_buf_add(&m->keys, &len, sizeof len) ||
		(len != NO_KEY && !sr_buf_add(&m->keys, key, len)))
		return sr_fail_memory(err);
	return true;
}

/* The arguments live no longer than this call: their keys are copied. */
sr_rows *sr_mget_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	mget *m = mget_new(c, err);

	(void) cmd;
	for (int i = 0; m != NULL && i < n; i++)
	{
		bool given = args[i].type != SR_TYPE_NULL;

		if (!mget_add(m, args[i].data, given ? args[i].len : NO_KEY, err))
		{
			mget_close(&m->base);
			return NULL;
		}
	}
	return m != NULL ? &m->base : NULL;
}

static bool add_json_keys(mget *m, const char *what, const sr_value *list, sr_err *err)
{
	sr_json		 j;
	sr_json_item item;
	size_t		 n = 0;
	int			 more;

	if (!sr_json_open(&j, what, list, false, err))
		return false;
	while ((more = sr_json_next(&j, &item, err)) > 0)
	{
		bool ok;

		n++;
		if (item.kind == SR_JSON_WORD || item.kind == SR_JSON_NESTED)
			ok = sr_fail(err, SR_E_OPTION, "", "%s: element %zu is neither a string nor a number",
						 what, n);
		else
			ok = mget_add(m, item.text, item.kind == SR_JSON_NULL ? NO_KEY : item.len, err);
		sr_json_item_free(&item);
		if (!ok)
			return false;
	}
	return more == 0;
}

sr_rows *sr_mget_json_open(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						   sr_err *err)
{
	mget *m = mget_new(c, err);

	(void) n;
	if (m == NULL || add_json_keys(m, cmd->args[0].name, &args[0], err))
		return m != NULL ? &m->base : NULL;
	mget_close(&m->base);
	return NULL;
}
