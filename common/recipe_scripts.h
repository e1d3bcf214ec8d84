/*
 * recipe_scripts.h - the frame of the scripts that run at commit, for those who write one: recipe_scripts.c
 * has the table of them.
 *
 * SR_COMMIT_SCRIPT(body): body defines "local function item(words)", which is called for each item with its
 * words; KEYS[2] and so on are the keys it was queued with, KEYS[1] is the frame's. What it returns counts as
 * failed when it is a table with err, as redis.pcall's is, or when it raises; the items behind it are run
 * none the less.
 *
 * ARGV[1] holds the items as effects.c writes them. The answer: how many ran, how many of them failed, the
 * number of the first that did, and its error. An error instead: nothing was done. A group that ran
 * before, within a day, does nothing.
 */
#ifndef SQLREDIS_RECIPE_SCRIPTS_H
#define SQLREDIS_RECIPE_SCRIPTS_H

/* Redis before 7 puts its own words before an error. */
#define SR_ERROR_TEXT                                                                              \
	"local function text(e) "                                                                      \
	"e = type(e) == 'table' and e.err or tostring(e) "                                             \
	"return (e:gsub('^@user_script: ?%d+: ?', ''):gsub('^-', '')) end "

#define SR_COMMIT_SCRIPT(body)                                                                     \
	SR_ERROR_TEXT body "local new = redis.pcall('SET', KEYS[1], '1', 'NX', 'PX', 86400000) "       \
					   "if new == false then return {0, 0, 0, ''} end "                            \
					   "if new.err then return redis.error_reply(text(new)) end "                  \
					   "local at, ran, failed, which, why = 1, 0, 0, 0, '' "                       \
					   "while at <= #ARGV[1] do "                                                  \
					   "local n, words = 0, {} "                                                   \
					   "n, at = struct.unpack('>I4', ARGV[1], at) "                                \
					   "for i = 1, n do words[i], at = struct.unpack('>I4c0', ARGV[1], at) end "   \
					   "local ok, reply = pcall(item, words) "                                     \
					   "ran = ran + 1 "                                                            \
					   "if not ok or type(reply) == 'table' and reply.err then "                   \
					   "failed = failed + 1 "                                                      \
					   "if failed == 1 then which, why = ran, text(reply) end "                    \
					   "end end "                                                                  \
					   "return {ran, failed, which, why}"

/* A script that is called at once: what body returns, or the error that it raises in Redis's own words. */
#define SR_CALL_SCRIPT(body)                                                                       \
	SR_ERROR_TEXT "local function run() " body " end "                                             \
				  "local ok, reply = pcall(run) "                                                  \
				  "if ok then return reply end "                                                   \
				  "return redis.error_reply(text(reply))"

/* redis_on_commit's; it is no recipe's. (recipe_scripts.c) */
extern const char sr_commands_script[];

#endif
