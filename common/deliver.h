/*
 * deliver.h - what flush.c, deliver.c and sweep.c share: effects on their way to Redis. Nobody else
 * includes it.
 */
#ifndef SQLREDIS_DELIVER_H
#define SQLREDIS_DELIVER_H

#include "conn.h"

#define SR_BATCH ((size_t) 512) /* keys or tags of one command */

/* A command line under construction, on the stack of the flush. */
typedef struct sr_batch_line
{
	const char *argv[2 * SR_BATCH + 4];
	size_t		lengths[2 * SR_BATCH + 4];
} sr_batch_line;

/* How far the commands of a phase went. */
typedef struct sr_progress
{
	int	   pass;  /* commands, scripts, keys, tags */
	size_t at;	  /* the next effect; 0: from the phase's start */
	bool   entry; /* asked alone: next is the key's entry */
} sr_progress;

/*
 * Effects start to end of list: a phase. Up to groups they are one COMMANDS or some SCRIPTs; everything behind
 * them may go in any order, because deletions commute.
 */
typedef struct sr_delivery
{
	sr_client		*c;
	sr_flush_result *out;
	sr_batch_line	*line;
	const sr_inval	*list;
	size_t			 start, groups, end;
	int64_t			 idle;	/* ms without progress */
	int64_t			 until; /* absolute ms: nothing is asked after it; 0: no end */
	unsigned		 flags; /* of sr_client_ready */
	bool			 alone; /* one effect a command, and a key apart from its entry */
	sr_progress		 asked, answered;
	sr_progress		 ahead;	   /* answered, though it is asked again because of one before it */
	bool			 accepted; /* alone: the key whose entry is next was */
	size_t	  unknown; /* 1 + the SCRIPT that goes as its text, as Redis did not know it; 0: none */
	bool	  again;   /* one was unknown: it and what was asked behind it is to be asked again */
	bool	  redo;	   /* what stood before was not done: nothing behind it counts */
	bool	  stop;	   /* Redis is not able to now: ask no more */
	bool	  done_any; /* something is no longer owed */
	bool	  forgot;	/* no memory for kept or singles: everything is owed still */
	sr_inval *kept;		/* not done, in order; NULL until needed */
	sr_inval *singles;	/* refused with others: each to be asked alone; likewise */
} sr_delivery;

/* flush.c: how an effect ended. */
void sr_delivery_sent(sr_delivery *d, sr_effect kind, size_t n);
void sr_delivery_lost(sr_delivery *d, size_t i, const sr_err *why); /* NULL: noted already */
void sr_delivery_note(sr_delivery *d, const sr_err *err);
/* Add effect i to *to, made when it is NULL. */
void sr_delivery_set_aside(sr_delivery *d, sr_inval **to, size_t i);
/*
 * There is time to ask for more. Else stop is set; what is under way is waited for, because to break it off
 * would cost the connection, and Redis would be taken for one that is away.
 */
bool sr_delivery_in_time(sr_delivery *d);
/* Redis can be asked now: there is time, and a connection. Else stop is set. */
bool sr_delivery_ready(sr_delivery *d);
/* One exchange, and how it went. LOST is the only failure that may be tried again. */
bool sr_delivery_exchange(sr_delivery *d, sr_exchange *x, sr_err *err);
/* Would the same command succeed later, without anybody changing the key? */
bool sr_is_transient(sr_class cls);

/* deliver.c: the phase's groups, keys and tags. What could not be done is in kept, and stop is set. */
void sr_deliver(sr_delivery *d);

/* deliver.c: one more word of cmd, which is under construction in d->line. */
void sr_delivery_add(sr_delivery *d, sr_argv *cmd, const char *data, size_t len);
void sr_delivery_word(sr_delivery *d, sr_argv *cmd, const char *word);

/* deliver_groups.c: effect i, COMMANDS or SCRIPT, as a command line; false: no memory. */
bool sr_delivery_write_group(sr_delivery *d, size_t i, sr_argv *cmd);
/* It ran, now or before: what the reply says. */
void sr_delivery_ran(sr_delivery *d, size_t i, const sr_reply *reply);
/* It ran, and will be asked again, when nobody says any more how it went. */
void sr_delivery_ran_ahead(sr_delivery *d, size_t i, const sr_reply *reply);
/* Is there a script for effect i? Those for which there is none are lost before the phase is sent. */
bool sr_delivery_is_known(const sr_delivery *d, sr_effect kind, size_t i);
void sr_delivery_lose_unknown(sr_delivery *d);

/* sweep.c: a pattern, effect i. false: it is to be kept. */
bool sr_sweep(sr_delivery *d, size_t i);

#endif
