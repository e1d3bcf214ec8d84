/*
 * cache_scripts.c - what the coherent cache does inside Redis, where nothing comes in between: the
 * scripts, and the form of an entry, which only they and cache.c know.
 *
 * One string is lease and entry. Its first byte says what it is: L a lease, V a value, N a cached
 * NULL, T and U the same with tags. A stamp of 16 bytes follows. Then
 *   L: a token of 16 bytes and the server's time in microseconds, decimal;
 *   V: the value;
 *   T, U: the length of the tags' records, 4 bytes, big end first; the records, each the record's key
 *   and the version it had, framed the same way; and, of a T, the value.
 */
#include "cache.h"
#include "conn.h"
#include "mutation.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* Before Redis 7 an error that a script hands on begins with the script's name and line. */
#define FAIL                                                                                       \
	"local function fail(e) "                                                                      \
	"return {err = string.gsub(e.err, '^@user_script: ?%d+: ?%-?', '')} end "

/*
 * KEYS: the entry. ARGV: stamp, token, the token of a lease whose answer was lost, ms the lease lasts
 * or 0. Gives the entry when it holds, 1: leased, 2: leased before, with the other token, 0: somebody
 * else's lease, nil: nothing.
 *
 * Before it gives an entry it tries to write: a server that would refuse an invalidation must give no
 * hit. GETEX and, before 6.2, SETRANGE of nothing are write commands that change nothing. But when it
 * takes a lease that is its first write, or Redis would make it in memory it does not have.
 */
static const char look[] = FAIL
	"local function holds(entry) "
	"local at, stop = 22, 22 + struct.unpack('>I4', entry, 18) "
	"while at < stop do "
	"local tag, version "
	"tag, version, at = struct.unpack('>I4c0I4c0', entry, at) "
	"if redis.pcall('GET', tag) ~= version then return false end "
	"end "
	"return true "
	"end "
	"local entry = redis.pcall('GET', KEYS[1]) "
	"if type(entry) == 'table' then return fail(entry) end "
	"if entry and string.sub(entry, 2, 17) == ARGV[1] then "
	"local kind = string.sub(entry, 1, 1) "
	"if kind == 'L' then return string.sub(entry, 18, 33) == ARGV[3] and 2 or 0 end "
	"if kind == 'V' or kind == 'N' or holds(entry) then "
	"local guard = redis.pcall('GETEX', KEYS[1]) "
	"if type(guard) == 'table' and string.find(guard.err, 'Unknown Redis command', 1, true) then "
	"guard = redis.pcall('SETRANGE', KEYS[1], 0, '') "
	"end "
	"return type(guard) == 'table' and fail(guard) or entry "
	"end "
	"end "
	"if ARGV[4] == '0' then return false end "
	"local time = redis.call('TIME') "
	"local lease = 'L' .. ARGV[1] .. ARGV[2] .. time[1] .. string.format('%06d', time[2]) "
	"local made = redis.pcall('SET', KEYS[1], lease, 'PX', ARGV[4]) "
	"if made.err then return fail(made) end "
	"return 1";

/* KEYS: the entry. ARGV: how the lease begins, ttl in ms, how the entry begins, value. 1: filled. */
static const char fill[] =
	FAIL "local lease = redis.pcall('GETRANGE', KEYS[1], 0, 32) "
		 "if type(lease) == 'table' then return fail(lease) end "
		 "if string.sub(lease, 1, #ARGV[1]) ~= ARGV[1] then return 0 end "
		 "local made = redis.pcall('SET', KEYS[1], ARGV[3] .. ARGV[4], 'PX', ARGV[2]) "
		 "if made.err then redis.pcall('UNLINK', KEYS[1]) return fail(made) end "
		 "return 1";

/*
 * KEYS: the entry and the tags' records. ARGV: as fill. 2: a tag was, or may have been, invalidated after
 * the lease was taken; the lease is given up, for the next reader to take one that is young enough.
 *
 * A missing record is made with the lease's time: nobody has invalidated the tag since, because a record
 * outlives the leases that were there when it was made. Unless it was evicted: where that may happen it
 * is made anew with the present time, and those who hold leases now do not fill. Records live at least as
 * long as the entries that name them, and the versions of two of them never are the same: a record that
 * went voids entries, and none that comes revives them.
 */
#define FILL_TAGGED(invalidated, evicted)                                                          \
	FAIL "local function now() "                                                                   \
		 "local time = redis.call('TIME') "                                                        \
		 "return time[1] .. string.format('%06d', time[2]) "                                       \
		 "end "                                                                                    \
		 "local function evicts() "                                                                \
		 "local memory = redis.pcall('INFO', 'memory') "                                           \
		 "return type(memory) == 'table' or not (string.find(memory, 'maxmemory:0\\r', 1, true) "  \
		 "or string.find(memory, 'maxmemory_policy:noeviction', 1, true)) "                        \
		 "end "                                                                                    \
		 "local lease = redis.pcall('GET', KEYS[1]) "                                              \
		 "if type(lease) == 'table' then return fail(lease) end "                                  \
		 "if not lease or string.sub(lease, 1, #ARGV[1]) ~= ARGV[1] then return 0 end "            \
		 "local taken = string.sub(lease, 34) "                                                    \
		 "local keep = math.max(tonumber(ARGV[2]) + 1000, 60000) "                                 \
		 "local records, seen, late = {}, {}, false "                                              \
		 "for i = 2, #KEYS do "                                                                    \
		 "local tag, failed = KEYS[i], nil "                                                       \
		 "local version = redis.pcall('GET', tag) "                                                \
		 "if type(version) == 'table' then failed = version "                                      \
		 "elseif seen[tag] then version = seen[tag] "                                              \
		 "elseif version then "                                                                    \
		 "late = late or " invalidated " "                                                         \
		 "local left = redis.call('PTTL', tag) "                                                   \
		 "if left >= 0 and left < keep then redis.pcall('PEXPIRE', tag, keep) end "                \
		 "else "                                                                                   \
		 "version = taken "                                                                        \
		 "if " evicted " then version, late = now(), true end "                                    \
		 "local made = redis.pcall('SET', tag, version, 'PX', keep) "                              \
		 "failed = made.err and made "                                                             \
		 "end "                                                                                    \
		 "if failed then redis.pcall('UNLINK', KEYS[1]) return fail(failed) end "                  \
		 "seen[tag] = version "                                                                    \
		 "records[i - 1] = struct.pack('>I4c0I4c0', #tag, tag, #version, version) "                \
		 "end "                                                                                    \
		 "if late then redis.pcall('UNLINK', KEYS[1]) return 2 end "                               \
		 "records = table.concat(records) "                                                        \
		 "local entry = ARGV[3] .. struct.pack('>I4', #records) .. records .. ARGV[4] "            \
		 "local made = redis.pcall('SET', KEYS[1], entry, 'PX', ARGV[2]) "                         \
		 "if made.err then redis.pcall('UNLINK', KEYS[1]) return fail(made) end "                  \
		 "return 1"

#define INVALIDATED "(tonumber(version) or 1/0) >= tonumber(taken)"
#define EVICTED		"evicts()"

static const char fill_tagged[] = FILL_TAGGED(INVALIDATED, EVICTED);
static const char fill_tagged_any_order[] = FILL_TAGGED("false", EVICTED);
static const char fill_tagged_evicted[] = FILL_TAGGED(INVALIDATED, "false");

/* KEYS: the entry. ARGV: how the lease begins. */
static const char release[] = "if redis.pcall('GETRANGE', KEYS[1], 0, 32) == ARGV[1] then "
							  "return redis.pcall('UNLINK', KEYS[1]) end "
							  "return 0";

static const char *text_of(sr_cache_script script)
{
	switch (script)
	{
		case SR_CACHE_LOOK: return look;
		case SR_CACHE_FILL: return fill;
		case SR_CACHE_FILL_TAGGED:
			if (sr_without(TAG_ORDER))
				return fill_tagged_any_order;
			return sr_without(EVICTED_TAG) ? fill_tagged_evicted : fill_tagged;
		case SR_CACHE_RELEASE: break;
	}
	return release;
}

/* Where OpenSSL computes no SHA-1 the digest is no script's, and each is sent as text. */
static const char *digest_of(sr_client *c, sr_cache_script script, const char *text)
{
	char		 *out = c->cache.sha1[script];
	unsigned char sum[EVP_MAX_MD_SIZE] = {0};
	unsigned int  size = 0;

	if (out[0] != '\0')
		return out;
	(void) EVP_Digest(text, strlen(text), sum, &size, EVP_sha1(), NULL);
	for (size_t i = 0; i < 20; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	return out;
}

sr_reply *sr_cache_run(sr_client *c, sr_cache_script script, int nkeys, const sr_argv *args,
					   unsigned flags, sr_err *err)
{
	const char *text = text_of(script);

	return sr_client_eval(c, text, digest_of(c, script, text), nkeys, args, flags, err);
}
