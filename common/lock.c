/*
 * lock.c - locks: a key whose value is its holder's token, with a time to live. Released and extended by
 * scripts that compare the token, as https://redis.io/docs/latest/develop/use/patterns/distributed-locks
 * describes for one instance; redis-py's Lock and @upstash/lock do the same, and either side can release
 * what the other took.
 *
 * Beside the lock is its fence: the last number and the token it was given to. The number grows although
 * the fence has a time to live and anybody may delete it, because it is never less than the server's time.
 */
#include "hold.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_TTL_MS	 30000
#define RETRY_FIRST_MS	 10
#define RETRY_LONGEST_MS 250

/* number(ms): the fence's for ARGV[1], which holds the lock for so long; text, because of its 16 digits. */
#define FENCE                                                                                      \
	"local function number(ms) "                                                                   \
	"local fence = redis.pcall('GET', KEYS[2]) "                                                   \
	"local last, token = 0, nil "                                                                  \
	"if type(fence) == 'string' then last, token = string.match(fence, '^(%d+):(.*)$') end "       \
	"if token ~= ARGV[1] then "                                                                    \
	"local time = redis.call('TIME') "                                                             \
	"last = math.max((tonumber(last) or 0) + 1, time[1] * 1000000 + time[2]) "                     \
	"last = string.format('%.0f', last) "                                                          \
	"end "                                                                                         \
	"local made = redis.pcall('SET', KEYS[2], last .. ':' .. ARGV[1], 'PX', "                      \
	"string.format('%.0f', ms + 86400000)) "                                                       \
	"return made.err and made or last "                                                            \
	"end "

/*
 * KEYS: the lock, its fence. ARGV: token, ms. 1: it is ours, also when it was already, because an answer
 * may have been lost; it is never made to end earlier.
 */
static const char acquire_script[] = SR_LUA_FAIL FENCE
	"local set = redis.pcall('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) "
	"if set and set.err then return fail(set) end "
	"if not set then "
	"if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
	"local left = redis.call('PTTL', KEYS[1]) "
	"if left >= 0 and left < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
	"end "
	"local fence = number(tonumber(ARGV[2])) "
	"if type(fence) == 'table' then redis.call('DEL', KEYS[1]) return fail(fence) end "
	"return 1";

/* KEYS, ARGV[1] as above. The number; nil: the token does not hold the lock. */
static const char fence_script[] =
	SR_LUA_FAIL	  FENCE "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end "
						"local fence = number(math.max(redis.call('PTTL', KEYS[1]), 0)) "
						"return type(fence) == 'table' and fail(fence) or fence";

/* words: token */
#define UNLOCK                                                                                     \
	"local function item(words) "                                                                  \
	"if redis.call('GET', KEYS[#KEYS]) ~= words[1] then return 0 end "                             \
	"return redis.call('DEL', KEYS[#KEYS]) "                                                       \
	"end "

static const char	  unlock_now[] = SR_ITEM_NOW(UNLOCK);
const char			  sr_unlock_script[] = SR_COMMIT_SCRIPT(UNLOCK);
const sr_hold_scripts sr_lock_hold = {.give_back = unlock_now, .late = "unlock"};

static const char extend_script[] =
	"if redis.call('GET', KEYS[1]) == ARGV[1] then "
	"return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end";

/* A lock that is being taken: KEYS and ARGV of its script, which have it as a hold, too. */
typedef struct taking
{
	sr_line line;
	sr_argv keys, args; /* the hold's: the lock, its token */
	int64_t ttl, wait;	/* ms */
	bool	known;		/* the transaction has it already, and gives it back when it ends */
} taking;

static bool positive(const sr_arg *arg, int64_t ms, bool zero_too, sr_err *err)
{
	if (ms > 0 || (zero_too && ms == 0))
		return true;
	return sr_fail(err, SR_E_OPTION, "Times are in seconds; fractions are allowed.",
				   "%s must be %s", arg->name, zero_too ? "0 or more" : "more than 0");
}

/* The arguments name, ttl, wait of redis_lock and redis_xact_lock. */
static bool read_times(taking *t, const sr_command *cmd, int n, const sr_value *args, sr_err *err)
{
	t->ttl = DEFAULT_TTL_MS;
	t->wait = 0;
	t->known = false;
	return (!sr_given(n, args, 1) || sr_value_ms(&cmd->args[1], &args[1], &t->ttl, err)) &&
		   (!sr_given(n, args, 2) || sr_value_ms(&cmd->args[2], &args[2], &t->wait, err)) &&
		   positive(&cmd->args[1], t->ttl, false, err) &&
		   positive(&cmd->args[2], t->wait, true, err);
}

/* After sr_line_init. token outlives t. */
static bool prepare(taking *t, const sr_value *name, const char *token, size_t len, sr_err *err)
{
	sr_line *line = &t->line;

	if (!sr_line_key(line, name->data, name->len, err) ||
		!sr_line_side_key(line, 0, "fence", err) || !sr_line_add(line, token, len, err) ||
		!sr_line_integer(line, t->ttl, err))
		return false;
	t->keys = (sr_argv){1, line->argv.argv, line->argv.argvlen};
	t->args = (sr_argv){1, line->argv.argv + 2, line->argv.argvlen + 2};
	return true;
}

/* 1 acquired, 0 held by somebody else, -1 err. Asking again with the same token is harmless. */
static int try_lock(sr_client *c, const taking *t, sr_err *err)
{
	sr_reply *reply = sr_script_call(c, acquire_script, 2, &t->line.argv, SR_SAFE_TO_RESEND, err);
	int		  got = -1;

	if (reply != NULL)
		got = reply->kind == SR_INTEGER && reply->integer == 1;
	sr_reply_free(reply);
	return got;
}

/*
 * Ask, and ask again with growing, jittered pauses until the deadline, one round trip each. An ask whose
 * outcome is unknown is repeated until then, too; if it stays unknown, the lock is given back when Redis can
 * be asked. As try_lock.
 */
static int acquire(sr_client *c, const taking *t, sr_err *err)
{
	const sr_host *host = sr_client_host(c);
	int64_t		   deadline = sr_now(host) + t->wait;
	int64_t		   pause = RETRY_FIRST_MS;
	bool		   unknown = false;

	for (;;)
	{
		int		got = try_lock(c, t, err);
		int64_t now = sr_now(host);
		int64_t until =
			now + pause / 2 + (int64_t) (sr_client_random(c) % (uint64_t) (pause / 2 + 1));

		unknown = got < 0 && (unknown || sr_hold_unknown(c, err->cls));
		if (got > 0 || (got == 0 && now >= deadline))
			return got;
		if ((got < 0 && (!unknown || err->cls == SR_E_INTERRUPTED)) || now >= deadline ||
			!sr_sleep(host, until < deadline ? until : deadline, err))
			break;
		pause = pause * 2 < RETRY_LONGEST_MS ? pause * 2 : RETRY_LONGEST_MS;
	}
	if (unknown && !t->known)
		sr_hold_owe(c, SR_HOLD_LOCK, &t->keys, &t->args);
	return -1;
}

bool sr_lock(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
			 sr_err *err)
{
	taking t;
	int	   got = -1;

	if (!read_times(&t, cmd, n, args, err))
		return false;
	out->text = malloc(SR_TOKEN_TEXT);
	if (out->text == NULL)
		return sr_fail_memory(err);
	if (!sr_token(out->text, err))
		return false;
	sr_line_init(&t.line, c);
	if (prepare(&t, &args[0], out->text, strlen(out->text), err))
		got = acquire(c, &t, err);
	sr_line_free(&t.line);
	if (got == 1)
		sr_cell_text(&out->value, out->text, strlen(out->text));
	return got >= 0;
}

/* ---- redis_xact_lock ---- */

/* As try_lock. Outside a transaction nothing holds it: it was to be had, and is given back. */
static int take_and_release(sr_client *c, const taking *t, sr_err *err)
{
	const char *words[] = {t->keys.argv[0], t->args.argv[0]};
	size_t		lengths[] = {t->keys.argvlen[0], t->args.argvlen[0]};
	sr_argv		line = {2, words, lengths};
	sr_reply   *reply;
	int			got = acquire(c, t, err);

	if (got != 1)
		return got;
	reply = sr_script_call(c, unlock_now, 1, &line, SR_SAFE_TO_RESEND, NULL);
	if (reply == NULL)
		sr_hold_owe(c, SR_HOLD_LOCK, &t->keys, &t->args);
	sr_reply_free(reply);
	return got;
}

/*
 * As try_lock. One that this transaction took already is asked for all the same, because its time may be
 * over; it stays the hold that it was.
 */
static int take_and_hold(sr_client *c, taking *t, const sr_bound *bound, sr_err *err)
{
	sr_argv held;
	int		got;

	t->known =
		sr_holds_find(bound->holds, SR_HOLD_LOCK, t->keys.argv[0], t->keys.argvlen[0], &held);
	if (t->known)
	{
		t->args.argv[0] = held.argv[0];
		t->args.argvlen[0] = held.argvlen[0];
	}
	else if (!sr_holds_add(bound->holds, SR_HOLD_LOCK, &t->keys, &t->args, bound->depth))
	{
		sr_fail_memory(err);
		return -1;
	}
	got = acquire(c, t, err);
	if (got != 1 && !t->known)
		sr_holds_forget_last(bound->holds);
	return got;
}

bool sr_xact_lock(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				  sr_err *err)
{
	const sr_bound *bound = sr_client_bound(c);
	char			token[SR_TOKEN_TEXT];
	taking			t;
	int				got = -1;

	if (!read_times(&t, cmd, n, args, err) || !sr_token(token, err))
		return false;
	sr_line_init(&t.line, c);
	if (prepare(&t, &args[0], token, strlen(token), err))
		got =
			bound->holds == NULL ? take_and_release(c, &t, err) : take_and_hold(c, &t, bound, err);
	sr_line_free(&t.line);
	out->value.type = SR_TYPE_BOOLEAN;
	out->value.i = got == 1;
	return got >= 0;
}

/* ---- with a token ---- */

/* Run a script over KEYS[1] = name, ARGV[1] = token [, ARGV[2] = ms]; the result is boolean. */
static bool with_token(sr_client *c, const char *script, const sr_value *args, const int64_t *ms,
					   unsigned flags, sr_result *out, sr_err *err)
{
	sr_line line;

	sr_line_init(&line, c);
	if (sr_line_key(&line, args[0].data, args[0].len, err) &&
		sr_line_add(&line, args[1].data, args[1].len, err) &&
		(ms == NULL || sr_line_integer(&line, *ms, err)))
		out->reply = sr_script_call(c, script, 1, &line.argv, flags, err);
	sr_line_free(&line);
	if (out->reply == NULL)
		return false;
	out->value.type = SR_TYPE_BOOLEAN;
	out->value.i = out->reply->kind == SR_INTEGER && out->reply->integer == 1;
	return true;
}

bool sr_unlock(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
			   sr_err *err)
{
	(void) cmd;
	(void) n;
	return with_token(c, unlock_now, args, NULL, 0, out, err);
}

bool sr_lock_extend(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					sr_result *out, sr_err *err)
{
	int64_t ttl;

	(void) n;
	if (!sr_value_ms(&cmd->args[2], &args[2], &ttl, err) ||
		!positive(&cmd->args[2], ttl, false, err))
		return false;
	return with_token(c, extend_script, args, &ttl, SR_SAFE_TO_RESEND, out, err);
}

bool sr_lock_fence(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				   sr_err *err)
{
	sr_line line;

	(void) n;
	sr_line_init(&line, c);
	if (sr_line_key(&line, args[0].data, args[0].len, err) &&
		sr_line_side_key(&line, 0, "fence", err) &&
		sr_line_add(&line, args[1].data, args[1].len, err))
		out->reply = sr_script_call(c, fence_script, 2, &line.argv, SR_SAFE_TO_RESEND, err);
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
