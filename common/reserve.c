/*
 * reserve.c - a quantity taken off a field of a hash, if there is so much. Beside the hash are the holds of
 * transactions that have not ended: a sorted set, of each the server's time (ms) when it runs out, and in
 * its name what it took: token:quantity:field. Whoever reserves next gives back what has run out.
 *
 * The sorted set has no time to live unless the hash has: it would take with it what nobody gave back yet.
 * It goes with its last hold.
 */
#include "hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Adds to the field what the hold's name says, or takes it off again. What is gone from the hash is not for
 * sale any more, and nobody puts it there.
 */
#define MOVE                                                                                       \
	"local function move(stock, hold, sign) "                                                      \
	"local quantity, field = string.match(hold, '^%x+:(%d+):(.*)$') "                              \
	"if field and redis.call('HEXISTS', stock, field) == 1 then "                                  \
	"return redis.pcall('HINCRBY', stock, field, sign .. quantity) "                               \
	"end "                                                                                         \
	"end "
#define RESTOCK                                                                                    \
	MOVE "local function restock(stock, holds, hold) "                                             \
		 "if redis.call('ZREM', holds, hold) == 0 then return 0 end "                              \
		 "move(stock, hold, '') "                                                                  \
		 "return 1 "                                                                               \
		 "end "

/* words: the hold's name. Keys: the hash, its holds. */
#define RESTOCK_ITEM                                                                               \
	RESTOCK "local function item(words) "                                                          \
			"return restock(KEYS[#KEYS - 1], KEYS[#KEYS], words[1]) "                              \
			"end "
static const char restock_now[] = SR_ITEM_NOW(RESTOCK_ITEM);
const char		  sr_restock_script[] = SR_COMMIT_SCRIPT(RESTOCK_ITEM);
/* Given back meanwhile, it is taken off once more: it is sold. */
const char sr_settle_script[] =
	SR_COMMIT_SCRIPT(MOVE "local function item(words) "
						  "if redis.call('ZREM', KEYS[3], words[1]) == 1 then return 1 end "
						  "return move(KEYS[2], words[1], '-') "
						  "end ");
/* ARGV: the hold's name, ms */
static const char keep_script[] =
	SR_LUA_FAIL	  SR_LUA_TIME "local held = redis.pcall('ZSCORE', KEYS[2], ARGV[1]) "
							  "if type(held) == 'table' then return fail(held) end "
							  "if not held then return 0 end "
							  "local kept = redis.pcall('ZADD', KEYS[2], time_in(ARGV[2]), ARGV[1]) "
							  "return type(kept) == 'table' and fail(kept) or 1";

const sr_hold_scripts sr_stock_hold = {
	.give_back = restock_now, .late = "restock", .keep = keep_script};

/*
 * KEYS: the hash, its holds. ARGV: field, quantity, the hold's name, ms it lasts; "": for good, without one.
 * What is left, as Redis writes it, or nil: too little. A hold that is there already was this call's, whose
 * answer was lost. Numbers too large for Lua are compared by Redis, which takes them off, and puts them back.
 */
static const char reserve_script[] = SR_LUA_FAIL RESTOCK SR_LUA_TIME
	"for _, hold in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', time_in(0))) do "
	"if hold ~= ARGV[3] then restock(KEYS[1], KEYS[2], hold) end "
	"end "
	"local left = redis.pcall('HGET', KEYS[1], ARGV[1]) "
	"if type(left) == 'table' then return fail(left) end "
	"if not left then return false end "
	"if ARGV[3] ~= '' and redis.call('ZSCORE', KEYS[2], ARGV[3]) then return left end "
	"if string.find(left, '^%-?%d+$') and tonumber(left) < tonumber(ARGV[2]) then return false end "
	"local rest = redis.pcall('HINCRBY', KEYS[1], ARGV[1], '-' .. ARGV[2]) "
	"if type(rest) == 'table' then return fail(rest) end "
	"if rest < 0 then redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2]) return false end "
	"if ARGV[3] ~= '' then "
	"local held = redis.pcall('ZADD', KEYS[2], time_in(ARGV[4]), ARGV[3]) "
	"if type(held) == 'table' then redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2]) return "
	"fail(held) end "
	"local ttl = redis.call('PTTL', KEYS[1]) "
	"if ttl > 0 then redis.call('PEXPIRE', KEYS[2], ttl) else redis.call('PERSIST', KEYS[2]) end "
	"end "
	"return redis.call('HGET', KEYS[1], ARGV[1])";

/* "token:quantity:field", kept by the line; NULL: err. */
static bool add_hold(sr_line *line, const sr_value *field, int64_t quantity, sr_err *err)
{
	char   token[SR_TOKEN_TEXT];
	sr_buf name = {0};

	if (!sr_token(token, err))
		return false;
	if (!sr_buf_fmt(&name, "%s:%" PRId64 ":", token, quantity) ||
		!sr_buf_add(&name, field->data, field->len))
	{
		sr_buf_free(&name);
		return sr_fail_memory(err);
	}
	return sr_line_keep(line, name.data, err) && sr_line_add(line, name.data, name.len, err);
}

/* In a transaction: the hold is there before Redis is asked. NULL: err, and nothing is taken. */
static sr_reply *take(sr_client *c, const sr_bound *bound, const sr_line *line, sr_err *err)
{
	sr_argv	  keys = {2, line->argv.argv, line->argv.argvlen};
	sr_argv	  hold = {1, line->argv.argv + 4, line->argv.argvlen + 4};
	sr_reply *reply;
	bool	  owed;

	if (!sr_holds_add(bound->holds, SR_HOLD_STOCK, &keys, &hold, bound->depth))
	{
		sr_fail_memory(err);
		return NULL;
	}
	reply = sr_script_call(c, reserve_script, 2, &line->argv, SR_SAFE_TO_RESEND, err);
	owed = reply == NULL && sr_hold_unknown(c, err->cls);
	if (reply != NULL && reply->kind == SR_BULK && !sr_bound_queue(c, "settle", &keys, &hold, err))
	{
		sr_reply_free(reply);
		reply = NULL;
		owed = true;
	}
	if (owed)
		sr_hold_owe(c, SR_HOLD_STOCK, &keys, &hold);
	if (reply == NULL || reply->kind != SR_BULK)
		sr_holds_forget_last(bound->holds);
	return reply;
}

bool sr_reserve(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				sr_err *err)
{
	const sr_bound *bound = sr_client_bound(c);
	int64_t			quantity;
	sr_line			line;
	bool			ok;

	(void) n;
	if (!sr_value_integer(&cmd->args[2], &args[2], &quantity, err))
		return false;
	if (quantity < 1)
		return sr_fail(err, SR_E_OPTION, "redis_hincrby gives something back.",
					   "%s must be 1 or more", cmd->args[2].name);
	sr_line_init(&line, c);
	ok = sr_line_key(&line, args[0].data, args[0].len, err) &&
		 sr_line_side_key(&line, 0, "holds", err) &&
		 sr_line_add(&line, args[1].data, args[1].len, err) &&
		 sr_line_integer(&line, quantity, err) &&
		 (bound->holds == NULL ? sr_line_word(&line, "", err)
							   : add_hold(&line, &args[1], quantity, err)) &&
		 sr_line_integer(&line, sr_client_recipes(c)->hold, err);
	if (ok)
		out->reply = bound->holds == NULL ? sr_script_call(c, reserve_script, 2, &line.argv, 0, err)
										  : take(c, bound, &line, err);
	sr_line_free(&line);
	if (out->reply == NULL)
		return false;
	if (out->reply->kind == SR_NIL)
		return true;
	if (out->reply->kind != SR_BULK)
		return sr_fail_unexpected(cmd, err);
	out->value.type = SR_TYPE_INTEGER;
	out->value.i = strtoll(out->reply->str, NULL, 10);
	return true;
}
