/*
 * transaction.h - a transaction as the adapters run it: what is bound to it is queued and held, and its end
 * is told to both.
 */
#ifndef SQLREDIS_TEST_TRANSACTION_H
#define SQLREDIS_TEST_TRANSACTION_H

#include "scalar.h"

typedef struct transaction
{
	sr_client *c;
	sr_inval  *queue;
	sr_holds  *holds;
	int		   depth; /* 1, and one more for each savepoint */
} transaction;

transaction tx_begin(sr_client *c);
/* As CALL, in the transaction. */
const char *tx_call(transaction *t, const char *name, int n, const sr_value *args);
#define IN(t, name, ...)                                                                           \
	tx_call((t), (name), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),             \
			(sr_value[]){__VA_ARGS__})
/* The same without one: what it queues is sent after the call. */
const char *alone_call(sr_client *c, const char *name, int n, const sr_value *args);
#define ALONE(c, name, ...)                                                                        \
	alone_call((c), (name), (int) (sizeof((sr_value[]){__VA_ARGS__}) / sizeof(sr_value)),          \
			   (sr_value[]){__VA_ARGS__})

void tx_savepoint(transaction *t);
void tx_release(transaction *t);
void tx_rollback_to(transaction *t);
/* "", or what refused the commit and rolled the transaction back. The transaction is gone. */
const char *tx_commit(transaction *t);
void		tx_rollback(transaction *t);
/* The process dies: Redis hears of nothing. The client is freed, too. */
void tx_die(transaction *t);

#endif
