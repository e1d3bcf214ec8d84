/*
 * rate_scripts.c - how rate limits count, inside Redis, where nothing comes in between. One script an
 * algorithm: a common beginning and end, and what is the algorithm's own.
 *
 * The state is a hash that always has a time to live: algorithm and period, which it is void without, and
 *   fixed: at, the window's begin, used;
 *   sliding: the same, and rest, what was used in the window before;
 *   token_bucket: at, the refill that was last, used;
 *   gcra: at, the time by which all that was used is there again ("theoretical arrival time").
 * Times are microseconds since 1970. An interval of period/max need not be a whole number of them: of
 * token_bucket and gcra, rest is so many max-ths of a microsecond more. Lua counts in doubles, so nothing
 * here may exceed 2^53, where they stop being exact, and nothing is rounded: a limit of three in ten seconds
 * is three.
 *
 * A server's clock may go back. By a period or less, what was counted stays so; by more, it is forgotten,
 * because nobody shall be locked out until the clock is there again.
 */
#include "rate.h"

/*
 * Before Redis 7 an error that a script hands on begins with the script's name and line; and of what
 * redis.call raises, the class could not be told.
 *
 * A hash in place of the limit is the state of a key that was given this name: names may be anybody's, and
 * shall not lock others out.
 */
#define BEGIN(algorithm)                                                                           \
	"local max, period, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) "           \
	"local peek = ARGV[4] == '1' "                                                                 \
	"local function fail(e) "                                                                      \
	"return {err = string.gsub(e.err, '^@user_script: ?%d+: ?%-?', '')} end "                      \
	"local function text(n) return string.format('%.0f', n) end "                                  \
	"local own = redis.pcall('GET', KEYS[2]) "                                                     \
	"if type(own) == 'table' then "                                                                \
	"if redis.call('TYPE', KEYS[2]).ok ~= 'hash' then return fail(own) end "                       \
	"own = false "                                                                                 \
	"end "                                                                                         \
	"if own then max = string.find(own, '^%d+$') and tonumber(own) end "                           \
	"if not max or max > 9007199254740992 then "                                                   \
	"return {err = 'ERR the key\\'s limit of its own is no number of requests'} end "              \
	"local state = redis.pcall('HMGET', KEYS[1], 'algorithm', 'period', 'at', 'used', 'rest') "    \
	"if state.err then return fail(state) end "                                                    \
	"local new = state[1] ~= '" algorithm "' or state[2] ~= ARGV[2] "                              \
	"local at, used = tonumber(state[3] or 0), tonumber(state[4] or 0) "                           \
	"local rest = tonumber(state[5] or 0) "                                                        \
	"local time = redis.call('TIME') "                                                             \
	"local now = tonumber(time[1]) * 1000000 + tonumber(time[2]) "                                 \
	"local allowed, left, wait, full, ends "

/* ends: when the state is void, microseconds; 0: now; nil: when it already is. */
#define END(algorithm)                                                                             \
	"if allowed and not peek and not (new and cost <= 0) then "                                    \
	"if ends == 0 then redis.call('DEL', KEYS[1]) else "                                           \
	"local made = redis.pcall('HSET', KEYS[1], 'algorithm', '" algorithm "', 'period', ARGV[2], "  \
	"'at', text(at), 'used', text(used), 'rest', text(rest)) "                                     \
	"if type(made) == 'table' then return fail(made) end "                                         \
	"if ends then redis.call('PEXPIREAT', KEYS[1], text(math.ceil(ends / 1000))) end "             \
	"end "                                                                                         \
	"end "                                                                                         \
	"if allowed or cost > max then wait = nil end "                                                \
	"return {allowed and 1 or 0, text(left), wait and text(wait) or false, text(full)}"

/* Windows begin at multiples of the period. A window to come: the clock went back. */
#define WINDOWS                                                                                    \
	"local window = now - math.fmod(now, period) "                                                 \
	"if new or at > window + period then at, used, rest = window, 0, 0 end "

/* used counts in its window only. */
static const char fixed[] =
	BEGIN("fixed") WINDOWS "if at < window then at, used = window, 0 end "
						   "allowed = cost <= 0 or cost <= max - used "
						   "if allowed and not peek then used = math.max(0, used + cost) end "
						   "left = math.max(0, max - used) "
						   "ends = at + period "
						   "wait = ends - now "
						   "full = used > 0 and ends or now " END("fixed");

/*
 * What was used in the window before counts by the share of it that is within the last period, rounded
 * down. The product is computed as @upstash/ratelimit does, rounding errors and all. What counts only
 * falls as time goes by, so that a search finds when there is room.
 */
static const char sliding[] = BEGIN("sliding") WINDOWS
	"if at < window - period then used, rest = 0, 0 "
	"elseif at < window then used, rest = 0, used end "
	"at = math.max(at, window) "
	"local function counts(t) "
	"local share = 1 - math.fmod(t, period) / period "
	"if t < at + period then return used + math.floor(share * rest) end "
	"return t < at + 2 * period and math.floor(share * used) or 0 "
	"end "
	"local function falls_to(n) "
	"local from, to = math.max(now, at), at + 2 * period "
	"for _ = 1, 64 do "
	"if from >= to then break end "
	"local middle = from + math.floor((to - from) / 2) "
	"if counts(middle) <= n then to = middle else from = middle + 1 end "
	"end "
	"return from "
	"end "
	"local current = counts(math.max(now, at)) "
	"allowed = cost <= 0 or cost <= max - current "
	"if allowed and not peek then used = math.max(0, used + cost) "
	"current = counts(math.max(now, at)) end "
	"left = math.max(0, max - current) "
	"ends = at + 2 * period "
	"if not allowed and cost <= max then wait = falls_to(max - cost) - now end "
	"full = current > 0 and falls_to(0) or now " END("sliding");

/*
 * over: a * b divided by c, rounded down, and what is left over: exact although a * b may not be, bit by
 * bit. The parts are below 2^53 and c at most that; so is what comes out.
 * later: at and rest, n intervals later. up: a / b, rounded up.
 */
#define INTERVALS                                                                                  \
	"local function up(a, b) "                                                                     \
	"local over = math.fmod(a, b) "                                                                \
	"return (a - over) / b + (over > 0 and 1 or 0) "                                               \
	"end "                                                                                         \
	"local function over(a, b, c) "                                                                \
	"local q, r = 0, 0 "                                                                           \
	"if a * b < 9007199254740992 then "                                                            \
	"r = math.fmod(a * b, c) "                                                                     \
	"return (a * b - r) / c, r "                                                                   \
	"end "                                                                                         \
	"local rb = math.fmod(b, c) "                                                                  \
	"local qb = (b - rb) / c "                                                                     \
	"for bit = 53, 0, -1 do "                                                                      \
	"q, r = q * 2, r * 2 "                                                                         \
	"if r >= c then q, r = q + 1, r - c end "                                                      \
	"if a >= 2 ^ bit then "                                                                        \
	"a, q = a - 2 ^ bit, q + qb "                                                                  \
	"if r >= c - rb then q, r = q + 1, r - (c - rb) else r = r + rb end "                          \
	"end "                                                                                         \
	"end "                                                                                         \
	"return q, r "                                                                                 \
	"end "                                                                                         \
	"local function later(n) "                                                                     \
	"local q, r = over(n, period, max) "                                                           \
	"if r >= max - rest then return at + q + 1, r - (max - rest) end "                             \
	"return at + q, r + rest "                                                                     \
	"end "                                                                                         \
	"local function later_up(n) "                                                                  \
	"local t, r = later(n) "                                                                       \
	"return r > 0 and t + 1 or t "                                                                 \
	"end "                                                                                         \
	"if new or max == 0 then at, used, rest = now, 0, 0 end "                                      \
	"rest = math.max(0, math.min(rest, max - 1)) "

/*
 * One comes back every period/max, on a grid that begins with the first request, and anew when the state
 * ended: as long as it would take for all of it to come back, counted from the last request that changed
 * it. A request that gives everything back leaves that as it was.
 */
static const char token_bucket[] = BEGIN("token_bucket") INTERVALS
	"used = math.min(used, max) "
	"if at > now + period then at, used, rest, new = now, 0, 0, true "
	"elseif at > now then at, rest = now, 0 end "
	"if now - at > period then "
	"at, used = now - math.fmod(now - at, period) - period, 0 "
	"end "
	"if now > at then "
	"local n, r = over(now - at, max, period) "
	"if rest > r then "
	"local missing = up(rest - r, period) "
	"n, r = n - missing, missing * period - (rest - r) "
	"else r = r - rest end "
	"if n > 0 then "
	"local ago = up(r, max) "
	"at, used, rest = now - ago, math.max(0, used - n), ago * max - r "
	"end "
	"end "
	"allowed = cost <= 0 or cost <= max - used "
	"if allowed and not peek then used = math.max(0, used + cost) end "
	"left = max - used "
	"full = used > 0 and later_up(used) or now "
	"if not allowed and cost <= max then wait = later_up(used - (max - cost)) - now end "
	"if used > 0 then "
	"local q, r = over(used, period, max) "
	"ends = now + q + (r > 0 and 1 or 0) "
	"end " END("token_bucket");

/* As https://brandur.org/rate-limiting and redis-cell have it, with max_burst = max - 1. */
static const char gcra[] = BEGIN("gcra") INTERVALS
	"if at < now or at > now + 2 * period then at, rest = now, 0 end "
	"if at >= now + period then at, rest = now + period, 0 end "
	"local t, r = at, rest "
	"if cost > 0 and cost <= max then t, r = later(cost) end "
	"allowed = cost <= max and (t < now + period or t == now + period and r == 0) "
	"wait = t + (r > 0 and 1 or 0) - period - now "
	"if allowed and not peek then "
	"if cost < 0 then "
	"local q, less = over(math.min(-cost, max), period, math.max(max, 1)) "
	"t = at - q "
	"if rest >= less then r = rest - less else t, r = t - 1, rest + (max - less) end "
	"if t < now then t, r = now, 0 end "
	"end "
	"at, rest = t, r "
	"end "
	"local spare, over_spare = over(now + period - at, max, period) "
	"left = spare - (rest > over_spare and up(rest - over_spare, period) or 0) "
	"full = at + (rest > 0 and 1 or 0) "
	"ends = full > now and full or 0 " END("gcra");

const char *sr_rate_script(sr_rate_algorithm algorithm)
{
	switch (algorithm)
	{
		case SR_RATE_FIXED: return fixed;
		case SR_RATE_TOKEN_BUCKET: return token_bucket;
		case SR_RATE_GCRA: return gcra;
		case SR_RATE_SLIDING: break;
	}
	return sliding;
}
