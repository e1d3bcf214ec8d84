/*
 * queue.h - what queue.c and queue_scripts.c share: a queue's keys, and the scripts that work on them. Nobody
 * else includes it, except recipe_scripts.c for those that run at commit.
 */
#ifndef SQLREDIS_QUEUE_H
#define SQLREDIS_QUEUE_H

/*
 * The list has the queue's name, and is what plain LPUSH and BRPOP share. The others are its side keys:
 * jobs       hash: a job's record by its id
 * priority   zset: those with a priority, by it; a member is the sequence and the id
 * delayed    zset: ids by the time they are due, ms
 * reserved   zset: ids that are in hand, by the time they are taken back, ms
 * dead       list: payloads that were handed out too often
 * returned   hash: how often a plain payload that came back was handed out, by its SHA-1
 */
#define SR_QUEUE_SIDE_KEYS                                                                         \
	{                                                                                              \
		"jobs", "priority", "delayed", "reserved", "dead", "returned"                              \
	}
#define SR_QUEUE_KEYS	  7
#define SR_QUEUE_RESERVED 4 /* the place of one of them among all */

/* An element of the list that is neither a job nor a payload begins with the same word. */
#define SR_QUEUE_WORD "sqlredis:"

/* KEYS are the queue's. Times are ms; limit: attempts after which a job is dead, 0: none. */

/*
 * ARGV: visibility, limit, an id for a payload that has none, 1: the last question of a consumer that has
 * waited. Id, payload and attempts; or in how many ms to ask again, at the latest, -1: whenever.
 */
extern const char sr_queue_take_script[];
/* ARGV: id, delay, limit. 1: it was in hand. */
extern const char sr_queue_nack_script[];
/* ARGV: id, attempts, limit. The same for one that was taken that time, and nobody has had it since. */
extern const char sr_queue_return_script[];
/* ARGV: waiting, delayed, reserved or dead. */
extern const char sr_queue_len_script[];

/* At commit. Items: payload [, id, priority or "-", delay]; and id. */
extern const char sr_enqueue_script[];
extern const char sr_ack_script[];

#endif
