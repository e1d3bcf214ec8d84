/*
 * many.h - what redis_pipeline (many.c) and redis_multi (multi.c) share: many commands, read from JSON
 * and checked, and how it is told which one failed.
 */
#ifndef SQLREDIS_MANY_H
#define SQLREDIS_MANY_H

#include "command.h"

typedef struct sr_many
{
	sr_client *c;
	sr_pack	   commands;
	size_t	   count;
	int64_t	   wait;			/* ms: the longest that one of them may block */
	size_t	   pos;				/* in commands: the next one to send */
	size_t	   asked, answered; /* replies that are due, and that came */
	size_t	   succeeded;
	size_t	   failed; /* the first that failed, counted from 1; 0: none */
	sr_err	   err;	   /* and why */

	/* many.c */
	sr_buf json;  /* the replies so far */
	bool   raise; /* errors are not part of them */
} sr_many;

/* cmd's first argument: every command read and admitted, or an error that says which is not. */
bool sr_many_read(sr_many *m, const sr_command *cmd, const sr_value *args, sr_err *err);
/* sr_pipeline's next: the commands, one after the other. */
int sr_many_next(void *ctx, sr_argv *out);
/* Run p (its ctx is m); a connection that broke before a byte went out is replaced, once. */
bool sr_many_send(sr_many *m, sr_pipeline *p, sr_err *err);
/* The which-th command (1 first) was answered by an error; the first one counts. */
void sr_many_note(sr_many *m, size_t which, const sr_reply *reply);
/* "command 2 of 3 (INCR) failed: WRONGTYPE ...; and what of the others" */
bool sr_many_fail(sr_many *m, const char *how, const char *hint, const char *rest, sr_err *err);
bool sr_many_fail_count(sr_many *m, const char *hint, sr_err *err);
/* The result of no commands at all. */
bool sr_many_nothing(sr_result *out, sr_err *err);
void sr_many_free(sr_many *m);

#endif
