/*
 * queue_scripts.c - what a queue does inside Redis, where nothing comes in between. queue.h says which keys
 * it has; only this file knows what is in them.
 *
 * A job's record is its attempts, its place and its sequence, each followed by a space, and its payload. The
 * place is "-": in the list, as SR_QUEUE_WORD "job:" and the id; a number: its priority; "p": a plain
 * payload, which is in the list as it is and has an id only while it is in hand, or delayed.
 *
 * Nothing may be lost in between: a job is written where it goes before it is taken from where it is. What
 * would be refused, because memory is short or a key is something else, is so at the first write.
 *
 * Times have fractions of a ms: jobs of one ms keep their order, and those of one script, which has one time,
 * are told apart by their number.
 *
 * A marker in a list that is otherwise empty wakes those who wait for an element, as a job with a priority
 * and a delayed one put none there. The script that takes a job throws it away, and puts another one for
 * the next consumer as long as there are jobs that are not in the list.
 */
#include "queue.h"
#include "recipe_scripts.h"

#define SOME "100" /* jobs that are moved in one go: Redis does nothing else meanwhile */

/* push's how: LPUSH puts it behind all others, RPUSH before them. */
#define LIBRARY                                                                                    \
	"local queue, jobs, priority, delayed, reserved, dead, returned = unpack(KEYS, #KEYS - 6) "    \
	"local JOB, WAKE = '" SR_QUEUE_WORD "job:', '" SR_QUEUE_WORD "wake' "                          \
	"local call = redis.call "                                                                     \
	"local time = call('TIME') "                                                                   \
	"local now = time[1] * 1000 + time[2] / 1000 "                                                 \
	"local function whole(n) return string.format('%.0f', n) end "                                 \
	"local function ms(n) return string.format('%.3f', n) end "                                    \
	"local function read(id) "                                                                     \
	"local record = call('HGET', jobs, id) "                                                       \
	"if not record then return nil end "                                                           \
	"local attempts, place, sequence, at = string.match(record, '^(%d+) (%S+) (%S+) ()') "         \
	"return {id = id, attempts = tonumber(attempts), place = place, sequence = sequence, "         \
	"payload = string.sub(record, at)} "                                                           \
	"end "                                                                                         \
	"local function write(job) "                                                                   \
	"call('HSET', jobs, job.id, whole(job.attempts) .. ' ' .. job.place .. ' ' .. job.sequence "   \
	".. ' ' .. job.payload) "                                                                      \
	"end "                                                                                         \
	"local function wake() "                                                                       \
	"if call('LLEN', queue) == 0 then call('LPUSH', queue, WAKE) end "                             \
	"end "                                                                                         \
	"local function drop_marker() "                                                                \
	"if call('LINDEX', queue, -1) == WAKE then call('RPOP', queue) end "                           \
	"end "                                                                                         \
	"local function push(how, job) "                                                               \
	"if tonumber(job.place) then "                                                                 \
	"call('ZADD', priority, job.place, job.sequence .. job.id) "                                   \
	"return wake() "                                                                               \
	"end "                                                                                         \
	"call('LLEN', queue) "                                                                         \
	"drop_marker() "                                                                               \
	"if job.place ~= 'p' then return call(how, queue, JOB .. job.id) end "                         \
	"call(how, queue, job.payload) "                                                               \
	"call('HSET', returned, redis.sha1hex(job.payload), whole(job.attempts)) "                     \
	"call('PEXPIRE', returned, 86400000) "                                                         \
	"call('HDEL', jobs, job.id) "                                                                  \
	"end "                                                                                         \
	"local function forget(job) "                                                                  \
	"if job.place == 'p' then call('HDEL', returned, redis.sha1hex(job.payload)) end "             \
	"call('HDEL', jobs, job.id) "                                                                  \
	"end "

/* A job that was in hand, if it is there, and not dead. */
#define GIVE_BACK                                                                                  \
	"local function give_back(id, delay, limit) "                                                  \
	"local job = read(id) "                                                                        \
	"if job and limit > 0 and job.attempts >= limit then "                                         \
	"call('LPUSH', dead, job.payload) "                                                            \
	"forget(job) "                                                                                 \
	"elseif job and delay > 0 then "                                                               \
	"call('ZADD', delayed, ms(now + delay), id) "                                                  \
	"wake() "                                                                                      \
	"elseif job then push('RPUSH', job) end "                                                      \
	"call('ZREM', reserved, id) "                                                                  \
	"end "

/*
 * What is late comes back in the order it was taken. A consumer that leaves others with work, or with a time
 * they may not know of, wakes them.
 */
const char sr_queue_take_script[] = SR_CALL_SCRIPT(
	LIBRARY GIVE_BACK
	"local visibility, limit = tonumber(ARGV[1]), tonumber(ARGV[2]) "
	"for _, id in ipairs(call('ZRANGEBYSCORE', delayed, '-inf', ms(now), 'LIMIT', 0, " SOME ")) do "
	"local job = read(id) "
	"if job then push('LPUSH', job) end "
	"call('ZREM', delayed, id) "
	"end "
	"local late = call('ZRANGEBYSCORE', reserved, '-inf', ms(now), 'LIMIT', 0, " SOME ") "
	"for i = #late, 1, -1 do give_back(late[i], 0, limit) end "
	"local function take(job) "
	"job.attempts = job.attempts + 1 "
	"write(job) "
	"call('ZADD', reserved, ms(now + visibility), job.id) "
	"return {job.id, job.payload, job.attempts} "
	"end "
	"local function leave(taken) "
	"if call('EXISTS', priority, delayed) > 0 then wake() end "
	"return taken "
	"end "
	"while true do "
	"local element, taken = call('LINDEX', queue, -1), nil "
	"if not element then break end "
	"if string.sub(element, 1, #JOB) == JOB then "
	"local job = read(string.sub(element, #JOB + 1)) "
	"if job then taken = take(job) "
	"else call('LPUSH', dead, element) end "
	"elseif element ~= WAKE then "
	"local attempts = tonumber(call('HGET', returned, redis.sha1hex(element)) or 0) "
	"taken = take({id = ARGV[3], attempts = attempts, place = 'p', sequence = '-', "
	"payload = element}) "
	"end "
	"call('RPOP', queue) "
	"if taken then return leave(taken) end "
	"end "
	"while true do "
	"local member = call('ZRANGE', priority, 0, 0)[1] "
	"if not member then break end "
	"local job = read(string.sub(member, 20)) "
	"local taken = job and take(job) "
	"call('ZREM', priority, member) "
	"if taken then return leave(taken) end "
	"end "
	"local due "
	"for _, key in ipairs({delayed, reserved}) do "
	"local at = tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]) "
	"if at and (not due or at < due) then due = at end "
	"end "
	"if not due then return -1 end "
	"if ARGV[4] == '1' then wake() end "
	"return math.max(1, math.ceil(due - now)) ");

const char sr_queue_nack_script[] =
	SR_CALL_SCRIPT(LIBRARY GIVE_BACK "if not call('ZSCORE', reserved, ARGV[1]) then return 0 end "
									 "give_back(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])) "
									 "return 1 ");

const char sr_queue_return_script[] = SR_CALL_SCRIPT(
	LIBRARY GIVE_BACK "local job = call('ZSCORE', reserved, ARGV[1]) and read(ARGV[1]) "
					  "if not job or job.attempts ~= tonumber(ARGV[2]) then return 0 end "
					  "give_back(ARGV[1], 0, tonumber(ARGV[3])) "
					  "return 1 ");

/* One whose time has come waits, though nobody has looked since. */
const char sr_queue_len_script[] =
	SR_CALL_SCRIPT(LIBRARY "if ARGV[1] == 'delayed' then "
						   "return call('ZCOUNT', delayed, '(' .. ms(now), '+inf') end "
						   "if ARGV[1] == 'reserved' then return call('ZCARD', reserved) end "
						   "if ARGV[1] == 'dead' then return call('LLEN', dead) end "
						   "local listed = call('LLEN', queue) "
						   "if call('LINDEX', queue, -1) == WAKE then listed = listed - 1 end "
						   "return listed + call('ZCARD', priority) + "
						   "call('ZCOUNT', delayed, '-inf', ms(now)) ");

/* A job that is there already came by another way: the id is its own. */
const char sr_enqueue_script[] = SR_COMMIT_SCRIPT(
	LIBRARY "local count = 0 "
			"local function item(words) "
			"local payload, id, place, delay = unpack(words) "
			"call('LLEN', queue) "
			"if not id then drop_marker() return call('LPUSH', queue, payload) end "
			"if call('HEXISTS', jobs, id) == 1 then return 0 end "
			"local job = {id = id, attempts = 0, place = place, payload = payload, "
			"sequence = string.format('%016.0f%03d', time[1] * 1000000 + time[2], count)} "
			"count = count + 1 "
			"write(job) "
			"if tonumber(delay) == 0 then return push('LPUSH', job) end "
			"call('ZADD', delayed, ms(now + tonumber(delay) + count / 1000), id) "
			"wake() "
			"end ");

/* The work is done: wherever the job went since it was found to be in hand, it is not done again. */
const char sr_ack_script[] = SR_COMMIT_SCRIPT(
	LIBRARY "local function item(words) "
			"local id = words[1] "
			"local job = read(id) "
			"if not job then return call('ZREM', reserved, id) end "
			"if call('ZREM', reserved, id) == 0 and call('ZREM', delayed, id) == 0 then "
			"if tonumber(job.place) then call('ZREM', priority, job.sequence .. id) "
			"else call('LREM', queue, -1, JOB .. id) end "
			"end "
			"forget(job) "
			"end ");
