/*
 * courier.h - what courier.c and dispatch.c share: the thread's side and the connection's side of the
 * same thing. Nobody else includes it.
 */
#ifndef SQLREDIS_COURIER_H
#define SQLREDIS_COURIER_H

#include "sqlredis.h"

#include <pthread.h>
#include <stdatomic.h>

struct sq_courier
{
	sr_client		*client;   /* the thread's while busy, else of who holds the lock */
	sr_inval		*incoming; /* given and not yet taken up */
	sr_inval		*work;	   /* the thread's while busy */
	int				 wake;	   /* an eventfd */
	atomic_bool		 stop;
	sr_owner		 owner;
	pthread_t		 thread;
	bool			 running;
	pthread_mutex_t	 lock; /* of all that follows */
	pthread_cond_t	 done; /* a delivery ended */
	_Atomic uint64_t given, settled;
	uint64_t		 unsafe; /* the last number given that is in no outbox */
	bool			 busy;
	size_t			 held; /* effects; at most */
	int64_t			 busy_since, last_try, retry_at, pause;
	uint64_t		 attempts; /* that failed, since one succeeded */
	sr_err			 failure;  /* of the last one */
	_Atomic uint64_t sent;	   /* effects, since it began */
	_Atomic size_t	 refused;  /* effects, not yet told of */
	sr_err			 refusal;
};

#define SQ_COURIER_PAUSE 100 /* ms before it tries again; grows */

int64_t sq_courier_now(void);
/* NULL: there is none, or it is the parent's of a forked child, which leaves it alone. */
sq_courier *sq_courier_ours(const sq_db *st);
/* There is one, and its thread runs. NULL: threads are off, or nothing is known of a Redis. */
sq_courier *sq_courier_start(sq_db *st);
void		sq_courier_wake(sq_courier *c);
/* With the lock. Move everything behind what is there; false: no memory, and all stays where it is. */
bool sq_courier_merge(sr_inval *to, sr_inval *from);
/* With the lock: until no delivery is under way or due, or the deadline, which is false. */
bool sq_courier_wait(sq_courier *c, int64_t deadline);

void sq_courier_tell(const sq_db *st); /* log what Redis refused */

#endif
