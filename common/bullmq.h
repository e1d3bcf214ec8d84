/*
 * bullmq.h - what bullmq.c and its parts share: the options of a job, and the script that adds it.
 */
#ifndef SQLREDIS_BULLMQ_H
#define SQLREDIS_BULLMQ_H

#include "command.h"

/* bullmq_options.c: what redis_bullmq_add's opts say; zeroed is none. */
typedef struct sr_bullmq_options
{
	sr_buf	json;		/* as BullMQ stores them in the job */
	char   *id;			/* jobId, malloc'ed; NULL: none */
	int64_t delay;		/* ms */
	int64_t priority;	/* 0: none */
	int64_t timestamp;	/* ms since 1970; 0: none */
	int64_t size_limit; /* bytes of data; 0: none */
	bool	lifo;
} sr_bullmq_options;

/* Read and check; opts NULL: none are given. Freed by the caller, also after a failure. */
bool sr_bullmq_options_read(sr_bullmq_options *o, const sr_value *opts, sr_err *err);
void sr_bullmq_options_free(sr_bullmq_options *o);

/* bullmq_script.c: its keys are in the order of sr_bullmq_keys, the job's and the spare job's before them. */
#define SR_BULLMQ_KEYS                                                                             \
	{                                                                                              \
		"wait", "paused", "meta", "events", "marker", "delayed", "prioritized", "active", "pc",    \
			"id"                                                                                   \
	}
extern const char sr_bullmq_script[];

#endif
