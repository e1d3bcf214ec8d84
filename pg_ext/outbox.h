/*
 * outbox.h - what outbox.c and drain.c share: the outbox's columns, and how one of its rows is deleted.
 */
#ifndef SQLREDIS_PG_OUTBOX_H
#define SQLREDIS_PG_OUTBOX_H

#include "access/htup.h"
#include "utils/relcache.h"

enum
{
	OUTBOX_ID = 1,
	OUTBOX_CREATED_AT,
	OUTBOX_EFFECTS,
	OUTBOX_COLUMNS = OUTBOX_EFFECTS
};

int64 outbox_row_id(Relation rel, HeapTuple tuple);
/* False: somebody else is deleting it, or has; nobody waits. tuple: with its place and its header. */
bool outbox_delete(Relation rel, HeapTuple tuple);

#endif
