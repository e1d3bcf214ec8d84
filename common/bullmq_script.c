/*
 * bullmq_script.c - what Queue.add of BullMQ 5 and 6 does in Redis, as one script for the commit. The source
 * is theirs: the scripts addStandardJob, addDelayedJob and addPrioritizedJob of the packages 5.81 and 6.7.
 *
 * KEYS, behind the frame's: the job's, a spare job's, and SR_BULLMQ_KEYS. An item's words:
 *   1 id   2 a spare id, which belongs to the spare key; '' when the first one is the caller's own
 *   3 name   4 data   5 options   6 timestamp in ms, '' for now   7 delay in ms   8 priority   9 '1': lifo
 *
 * A job that is there already is a repeat when the id is the caller's: it is announced and nothing is
 * changed. An id that was counted is somebody else's then: Redis has forgotten how far the counter was (a
 * failover, a restore), and the job takes its spare one. For the same reason the counter is moved past the
 * id, or BullMQ would overwrite the job when it gets there.
 *
 * BullMQ 5 keeps what waits while the queue is paused in a list of its own, 6 does not, but takes over that
 * list when the queue is resumed. So it is used unless meta says that a BullMQ 6 or later is at work: for
 * 5, a job in the other list would be lost at that moment.
 */
#include "bullmq.h"
#include "recipe_scripts.h"

/* A score, or a number of ms: Lua would write a large one with an exponent. */
#define WHOLE "local function whole(n) return string.format('%.0f', n) end "

#define DELAYED                                                                                         \
	"local function later(id, due, delayed) " /* jobs of one ms keep their order: up to 4096 of them */ \
	"local low, high = due * 4096, due * 4096 + 4095 "                                                  \
	"local last = redis.call('ZREVRANGEBYSCORE', delayed, whole(high), whole(low), 'WITHSCORES', "      \
	"'LIMIT', 0, 1) "                                                                                   \
	"local score = last[2] and math.min(tonumber(last[2]) + 1, high) or low "                           \
	"redis.call('ZADD', delayed, whole(score), id) "                                                    \
	"local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES') "                                  \
	"return string.format('%.17g', tonumber(first[2]) / 4096) end "

#define WAITING                                                                                    \
	"local function now(id, priority, lifo, wait, paused, meta, prioritized, active, pc) "         \
	"local is = redis.call('HMGET', meta, 'paused', 'concurrency', 'version') "                    \
	"if priority > 0 then "                                                                        \
	"local n = redis.call('INCR', pc) % 4294967296 "                                               \
	"redis.call('ZADD', prioritized, whole(priority * 4294967296 + n), id) "                       \
	"else "                                                                                        \
	"local major = tonumber(string.match(is[3] or '', '^bullmq:(%d+)%.')) "                        \
	"local list = is[1] and not (major and major >= 6) and paused or wait "                        \
	"redis.call(lifo and 'RPUSH' or 'LPUSH', list, id) end "                                       \
	"local most = tonumber(is[2] or nil) "                                                         \
	"return not (is[1] or most and redis.call('LLEN', active) >= most) end "

#define ITEM                                                                                       \
	"local function item(w) "                                                                      \
	"local job, spare, wait, paused, meta, events, marker, delayed, prioritized, active, pc, "     \
	"counter = unpack(KEYS, 2) "                                                                   \
	"local id, delay, priority = w[1], tonumber(w[7]), tonumber(w[8]) "                            \
	"local most = redis.call('HGET', meta, 'opts.maxLenEvents') "                                  \
	"if not most then most = '10000' redis.call('HSET', meta, 'opts.maxLenEvents', most) end "     \
	"local function event(...) "                                                                   \
	"redis.call('XADD', events, 'MAXLEN', '~', most, '*', 'event', ...) end "                      \
	"if w[2] ~= '' then "                                                                          \
	"local last = tonumber(redis.call('GET', counter) or 0) "                                      \
	"if last and last < tonumber(id) then redis.call('SET', counter, id) end end "                 \
	"if redis.call('EXISTS', job) == 1 then "                                                      \
	"if w[2] == '' then return event('duplicated', 'jobId', id) end "                              \
	"id, job = w[2], spare end "                                                                   \
	"local time = redis.call('TIME') "                                                             \
	"local stamp = w[6] ~= '' and tonumber(w[6]) "                                                 \
	"or time[1] * 1000 + math.floor(time[2] / 1000) "                                              \
	"redis.call('HSET', job, 'name', w[3], 'data', w[4], 'opts', w[5], "                           \
	"'timestamp', whole(stamp), 'delay', w[7], 'priority', w[8]) "                                 \
	"redis.call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', w[3]) "                \
	"if delay > 0 then "                                                                           \
	"local mark = later(id, stamp + delay, delayed) "                                              \
	"event('delayed', 'jobId', id, 'delay', whole(stamp + delay)) "                                \
	"redis.call('ZADD', marker, mark, '1') "                                                       \
	"else "                                                                                        \
	"local wake = now(id, priority, w[9] == '1', wait, paused, meta, prioritized, active, pc) "    \
	"if wake then redis.call('ZADD', marker, 0, '0') end "                                         \
	"event('waiting', 'jobId', id) end "                                                           \
	"end "

const char sr_bullmq_script[] = SR_COMMIT_SCRIPT(WHOLE DELAYED WAITING ITEM);
