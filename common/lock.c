/*
 * lock.c - a lock with a token and a time to live: SET name token NX PX ttl, released and extended
 * by scripts that compare the token, as https://redis.io/docs/latest/develop/use/patterns/distributed-locks
 * describes for one instance. redis-py's Lock uses the same key and the same comparison, so that
 * either side can release what the other took.
 */
#include "command.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TTL_MS	 30000
#define TOKEN_BYTES		 16
#define RETRY_FIRST_MS	 10
#define RETRY_LONGEST_MS 250

static const char unlock_script[] = "if redis.call('get', KEYS[1]) == ARGV[1] then "
									"return redis.call('del', KEYS[1]) else return 0 end";
static const char extend_script[] =
	"if redis.call('get', KEYS[1]) == ARGV[1] then "
	"return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end";

/* 128 bits from the operating system as 32 hex digits, malloc'ed. */
static char *new_token(sr_err *err)
{
	unsigned char bytes[TOKEN_BYTES];
	char		 *token = malloc(2 * TOKEN_BYTES + 1);

	if (token == NULL)
	{
		sr_fail_memory(err);
		return NULL;
	}
	if (getentropy(bytes, sizeof bytes) != 0)
	{
		free(token);
		sr_fail(err, SR_E_LOCAL_MEMORY, "", "the operating system gave no random bytes");
		return NULL;
	}
	for (size_t i = 0; i < TOKEN_BYTES; i++)
		snprintf(token + 2 * i, 3, "%02x", bytes[i]);
	return token;
}

/* 1 acquired, 0 held by somebody else, -1 err */
static int try_lock(sr_client *c, const sr_value *name, const char *token, int64_t ttl, sr_err *err)
{
	sr_line	  line;
	sr_reply *reply = NULL;
	int		  got = -1;

	sr_line_init(&line, c);
	if (sr_line_word(&line, "SET", err) && sr_line_key(&line, name->data, name->len, err) &&
		sr_line_word(&line, token, err) && sr_line_word(&line, "NX", err) &&
		sr_line_word(&line, "PX", err) && sr_line_integer(&line, ttl, err))
		reply = sr_client_call(c, &line.argv, 0, 0, err);
	sr_line_free(&line);
	if (reply != NULL)
		got = reply->kind == SR_STATUS;
	sr_reply_free(reply);
	return got;
}

/* The answer to SET was lost: whose token is in the key? As try_lock. */
static int settle_lock(sr_client *c, const sr_value *name, const char *token, sr_err *err)
{
	sr_line	  line;
	sr_reply *reply = NULL;
	int		  mine = -1;

	sr_line_init(&line, c);
	if (sr_line_word(&line, "GET", err) && sr_line_key(&line, name->data, name->len, err))
		reply = sr_client_call(c, &line.argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(&line);
	if (reply != NULL)
		mine = reply->kind == SR_BULK && strcmp(reply->str, token) == 0;
	sr_reply_free(reply);
	return mine;
}

static bool positive(const sr_arg *arg, int64_t ms, bool zero_too, sr_err *err)
{
	if (ms > 0 || (zero_too && ms == 0))
		return true;
	return sr_fail(err, SR_E_OPTION, "Times are in seconds; fractions are allowed.",
				   "%s must be %s", arg->name, zero_too ? "0 or more" : "more than 0");
}

/* Ask, and ask again with growing, jittered pauses until deadline. As try_lock. */
static int acquire(sr_client *c, const sr_value *name, const char *token, int64_t ttl, int64_t wait,
				   sr_err *err)
{
	const sr_host *host = sr_client_host(c);
	int64_t		   deadline = sr_now(host) + wait;
	int64_t		   pause = RETRY_FIRST_MS;

	for (;;)
	{
		int		got = try_lock(c, name, token, ttl, err);
		int64_t now = sr_now(host);
		int64_t until;

		if (got < 0 && err->cls == SR_E_LOST)
			got = settle_lock(c, name, token, err);
		if (got != 0 || now >= deadline)
			return got;
		until = now + pause / 2 + (int64_t) (sr_client_random(c) % (uint64_t) (pause / 2 + 1));
		if (!sr_sleep(host, until < deadline ? until : deadline, err))
			return -1;
		pause = pause * 2 < RETRY_LONGEST_MS ? pause * 2 : RETRY_LONGEST_MS;
	}
}

bool sr_lock(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
			 sr_err *err)
{
	int64_t ttl = DEFAULT_TTL_MS, wait = 0;
	int		got;

	if ((n > 1 && args[1].type != SR_TYPE_NULL &&
		 !sr_value_ms(&cmd->args[1], &args[1], &ttl, err)) ||
		(n > 2 && args[2].type != SR_TYPE_NULL &&
		 !sr_value_ms(&cmd->args[2], &args[2], &wait, err)) ||
		!positive(&cmd->args[1], ttl, false, err) || !positive(&cmd->args[2], wait, true, err))
		return false;
	out->text = new_token(err);
	if (out->text == NULL)
		return false;
	got = acquire(c, &args[0], out->text, ttl, wait, err);
	if (got == 1)
		sr_cell_text(&out->value, out->text, strlen(out->text));
	return got >= 0;
}

/* Run a script over KEYS[1] = name, ARGV[1] = token [, ARGV[2] = ms]; the result is boolean. */
static bool with_token(sr_client *c, const char *script, const sr_value *args, const int64_t *ms,
					   unsigned flags, sr_result *out, sr_err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int  size = 0;
	char		  sha1[41];
	sr_line		  line;
	bool		  ok;

	if (!EVP_Digest(script, strlen(script), digest, &size, EVP_sha1(), NULL) || size != 20)
		return sr_fail_memory(err);
	for (size_t i = 0; i < 20; i++)
		snprintf(sha1 + 2 * i, 3, "%02x", digest[i]);
	sr_line_init(&line, c);
	ok = sr_line_key(&line, args[0].data, args[0].len, err) &&
		 sr_line_add(&line, args[1].data, args[1].len, err) &&
		 (ms == NULL || sr_line_integer(&line, *ms, err));
	if (ok)
		out->reply = sr_client_eval(c, script, sha1, 1, &line.argv, flags, err);
	sr_line_free(&line);
	if (!ok || out->reply == NULL)
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
	return with_token(c, unlock_script, args, NULL, 0, out, err);
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
