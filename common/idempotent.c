/*
 * idempotent.c - a key that is somebody's once: the claim of a transaction while it runs, "done" and what
 * its transaction left for the others afterwards. Any other value is somebody's own SET NX, and the key is
 * taken.
 */
#include "hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TTL_MS (INT64_C(86400) * 1000)
#define DONE		   "done"

/* ARGV: token, ms. 1: ours, also when it was already: an answer may have been lost. */
static const char claim_script[] =
	SR_LUA_FAIL "local mine = 'pending:' .. ARGV[1] "
				"local set = redis.pcall('SET', KEYS[1], mine, 'NX', 'PX', ARGV[2]) "
				"if set and set.err then return fail(set) end "
				"return (set or redis.pcall('GET', KEYS[1]) == mine) and 1 or 0";

/* words: token */
#define UNCLAIM                                                                                    \
	"local function item(words) "                                                                  \
	"if redis.call('GET', KEYS[#KEYS]) ~= 'pending:' .. words[1] then return 0 end "               \
	"return redis.call('DEL', KEYS[#KEYS]) "                                                       \
	"end "
/* ARGV: token, the claim's ms, ms from now */
static const char keep_script[] = SR_LUA_FAIL "local held = redis.pcall('GET', KEYS[1]) "
											  "if type(held) == 'table' then return fail(held) end "
											  "if held ~= 'pending:' .. ARGV[1] then return 0 end "
											  "return redis.call('PEXPIRE', KEYS[1], ARGV[3])";
static const char unclaim_now[] = SR_ITEM_NOW(UNCLAIM);

const char			  sr_unclaim_script[] = SR_COMMIT_SCRIPT(UNCLAIM);
const sr_hold_scripts sr_claim_hold = {
	.give_back = unclaim_now, .late = "unclaim", .keep = keep_script};

/* words: ms, what is left there. The transaction has committed: whatever the key holds, it is done. */
const char sr_confirm_script[] =
	SR_COMMIT_SCRIPT("local function item(words) "
					 "return redis.pcall('SET', KEYS[2], words[2], 'PX', words[1]) "
					 "end ");

/* The whole key, as the line's first word. */
static bool add_key(sr_client *c, sr_line *line, const sr_value *key, sr_err *err)
{
	const char *prefix = sr_client_recipes(c)->idempotent_prefix;
	sr_buf		name = {0};

	if (!sr_buf_str(&name, prefix) || !sr_buf_add(&name, key->data, key->len))
	{
		sr_buf_free(&name);
		return sr_fail_memory(err);
	}
	return sr_line_keep(line, name.data, err) && sr_line_key(line, name.data, name.len, err);
}

static sr_argv words_of(const sr_line *line, int at, int n)
{
	return (sr_argv){n, line->argv.argv + at, line->argv.argvlen + at};
}

/* Outside a transaction: at once, for good. 1: first, 0: not, -1: err. */
static int set_done(sr_client *c, sr_line *key, int64_t ttl, sr_err *err)
{
	sr_line	  line;
	sr_reply *reply = NULL;
	int		  first = -1;

	sr_line_init(&line, c);
	if (sr_line_word(&line, "SET", err) &&
		sr_line_add(&line, key->argv.argv[0], key->argv.argvlen[0], err) &&
		sr_line_word(&line, DONE, err) && sr_line_word(&line, "NX", err) &&
		sr_line_word(&line, "PX", err) && sr_line_integer(&line, ttl, err))
		reply = sr_client_call(c, &line.argv, 0, 0, err);
	sr_line_free(&line);
	if (reply != NULL)
		first = reply->kind == SR_STATUS;
	sr_reply_free(reply);
	return first;
}

/* What becomes of the claim at commit: left, for so many ms. */
static bool queue_confirm(sr_client *c, const sr_argv *key, const char *ms, size_t ms_len,
						  const char *left, size_t left_len, sr_err *err)
{
	const char *argv[] = {ms, left};
	size_t		lengths[] = {ms_len, left_len};
	sr_argv		item = {2, argv, lengths};

	return sr_bound_queue(c, "confirm", key, &item, err);
}

/*
 * In a transaction, as set_done: line is the key, the token and ms that the claim lasts. The hold is there
 * before Redis is asked, and has in its args what a result needs later.
 */
static int claim(sr_client *c, const sr_bound *bound, const sr_line *line, int64_t ttl, sr_err *err)
{
	sr_argv	  key = words_of(line, 0, 1), token = words_of(line, 1, 1);
	char	  ms[24];
	sr_argv	  args = {2, (const char *[]){token.argv[0], ms}, (size_t[]){token.argvlen[0], 0}};
	sr_reply *reply;
	int		  first = -1;

	args.argvlen[1] = (size_t) snprintf(ms, sizeof ms, "%" PRId64, ttl);
	if (!sr_holds_add(bound->holds, SR_HOLD_CLAIM, &key, &args, bound->depth))
	{
		sr_fail_memory(err);
		return -1;
	}
	reply = sr_script_call(c, claim_script, 1, &line->argv, SR_SAFE_TO_RESEND, err);
	if (reply != NULL)
		first = reply->kind == SR_INTEGER && reply->integer == 1;
	sr_reply_free(reply);
	if (first == 1 && !queue_confirm(c, &key, ms, args.argvlen[1], DONE, strlen(DONE), err))
	{
		sr_hold_owe(c, SR_HOLD_CLAIM, &key, &args);
		first = -1;
	}
	else if (first < 0 && sr_hold_unknown(c, err->cls))
		sr_hold_owe(c, SR_HOLD_CLAIM, &key, &args);
	if (first != 1)
		sr_holds_forget_last(bound->holds);
	return first;
}

bool sr_idempotent(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				   sr_err *err)
{
	const sr_bound *bound = sr_client_bound(c);
	int64_t			ttl = DEFAULT_TTL_MS;
	char			token[SR_TOKEN_TEXT];
	sr_line			line;
	int				first = -1;

	if ((sr_given(n, args, 1) && !sr_value_ms(&cmd->args[1], &args[1], &ttl, err)) ||
		!sr_token(token, err))
		return false;
	if (ttl <= 0)
		return sr_fail(err, SR_E_OPTION, "Times are in seconds; fractions are allowed.",
					   "%s must be more than 0", cmd->args[1].name);
	sr_line_init(&line, c);
	if (add_key(c, &line, &args[0], err) && sr_line_word(&line, token, err) &&
		sr_line_integer(&line, sr_client_recipes(c)->hold, err))
		first =
			bound->holds == NULL ? set_done(c, &line, ttl, err) : claim(c, bound, &line, ttl, err);
	sr_line_free(&line);
	out->value.type = SR_TYPE_BOOLEAN;
	out->value.i = first == 1;
	return first >= 0;
}

/* ---- results ---- */

#define RESULT DONE ":"

static bool read_result(sr_client *c, const sr_line *key, const sr_command *cmd, sr_result *out,
						sr_err *err)
{
	size_t	skip = strlen(RESULT);
	sr_line line;

	sr_line_init(&line, c);
	if (sr_line_word(&line, "GET", err) &&
		sr_line_add(&line, key->argv.argv[0], key->argv.argvlen[0], err))
		out->reply = sr_client_call(c, &line.argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(&line);
	if (out->reply == NULL)
		return false;
	if (out->reply->kind != SR_BULK && out->reply->kind != SR_NIL)
		return sr_fail_unexpected(cmd, err);
	if (out->reply->kind == SR_BULK && out->reply->len >= skip &&
		memcmp(out->reply->str, RESULT, skip) == 0)
		sr_cell_text(&out->value, out->reply->str + skip, out->reply->len - skip);
	return true;
}

/* Queued behind the confirmation of the claim, whose time to live it has, too. */
static bool leave_result(sr_client *c, const sr_line *key, const sr_value *result, sr_result *out,
						 sr_err *err)
{
	const sr_bound *bound = sr_client_bound(c);
	sr_argv			keys = words_of(key, 0, 1), claimed;
	sr_buf			left = {0};
	bool			ok;

	if (bound->holds == NULL ||
		!sr_holds_find(bound->holds, SR_HOLD_CLAIM, keys.argv[0], keys.argvlen[0], &claimed))
		return sr_fail(err, SR_E_OPTION, "Only the transaction that was first leaves a result.",
					   "redis_idempotent was not true for this key in this transaction");
	ok = (sr_buf_str(&left, RESULT) && sr_buf_add(&left, result->data, result->len)) ||
		 sr_fail_memory(err);
	if (ok &&
		queue_confirm(c, &keys, claimed.argv[1], claimed.argvlen[1], left.data, left.len, err))
	{
		out->text = left.data;
		sr_cell_text(&out->value, left.data + strlen(RESULT), result->len);
		return true;
	}
	sr_buf_free(&left);
	return false;
}

bool sr_idempotent_result(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						  sr_result *out, sr_err *err)
{
	sr_line line;
	bool	ok;

	sr_line_init(&line, c);
	ok = add_key(c, &line, &args[0], err) &&
		 (sr_given(n, args, 1) ? leave_result(c, &line, &args[1], out, err)
							   : read_result(c, &line, cmd, out, err));
	sr_line_free(&line);
	return ok;
}
