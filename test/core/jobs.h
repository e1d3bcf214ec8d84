/*
 * jobs.h - what the tests of queues share: calls that take jobs from the queue q, and what is there of it.
 */
#ifndef SQLREDIS_TEST_JOBS_H
#define SQLREDIS_TEST_JOBS_H

#include "transaction.h"

#define KEY(name) "queue:q:" name "{queue:q}"

extern char	  last_id[64]; /* of the job that was taken last */
extern sr_buf taken;	   /* what take() gave */

/* The next job as "payload|attempts", "" when there is none, or "CLASS: message". Times are seconds. */
const char *take(sr_client *c, const sr_bound *bound, double timeout, double visibility);
/* Without a transaction: nothing is held. */
const char *next(sr_client *c, double visibility);
const char *wait_for(sr_client *c, double timeout);
const char *next_in(transaction *t);

/* Acknowledges the job that was taken last, at once. */
bool ack(sr_client *c);
void put(sr_client *c, const char *payload);
/* waiting, delayed, reserved, dead; says what it got instead. */
bool lengths(sr_client *c, const char *expected);
/* Nothing but what Redis remembers of groups that ran. */
bool nothing_left(sr_client *c);

/* A client with these settings, the database empty. */
sr_client *limited(int64_t attempts, bool lists);

#endif
