/*
 * call.c - redis_call and what the generic doors let through: any command, but not those that would
 * corrupt a connection which later statements share, and no wait without an end. redis_blpop and
 * redis_brpop wait by the same rules.
 */
#include "command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Commands that change what the connection is, or answer more or less than one reply. */
typedef struct refusal
{
	const char *command;
	const char *subcommand; /* NULL: every one */
	const char *hint;
} refusal;

#define HINT_DB	   "The database is part of the URL: redis://host:port/N."
#define HINT_LOGIN "User and password are part of the configuration."
#define HINT_MULTI "A transaction must not stay open on a connection that statements share."
#define HINT_PUSH  "Replies that nobody asked for would be taken for other statements' answers."

static const refusal refusals[] = {
	{"SELECT", NULL, HINT_DB},
	{"SWAPDB", NULL, HINT_DB},
	{"AUTH", NULL, HINT_LOGIN},
	{"HELLO", NULL, HINT_LOGIN},
	{"RESET", NULL, HINT_LOGIN},
	{"QUIT", NULL, "The connection is closed with the session."},
	{"MULTI", NULL, HINT_MULTI},
	{"EXEC", NULL, HINT_MULTI},
	{"DISCARD", NULL, HINT_MULTI},
	{"WATCH", NULL, HINT_MULTI},
	{"UNWATCH", NULL, HINT_MULTI},
	{"SUBSCRIBE", NULL, HINT_PUSH},
	{"PSUBSCRIBE", NULL, HINT_PUSH},
	{"SSUBSCRIBE", NULL, HINT_PUSH},
	{"UNSUBSCRIBE", NULL, HINT_PUSH},
	{"PUNSUBSCRIBE", NULL, HINT_PUSH},
	{"SUNSUBSCRIBE", NULL, HINT_PUSH},
	{"MONITOR", NULL, HINT_PUSH},
	{"SYNC", NULL, HINT_PUSH},
	{"PSYNC", NULL, HINT_PUSH},
	{"REPLCONF", NULL, HINT_PUSH},
	{"CLIENT", "REPLY", HINT_PUSH},
	{"CLIENT", "TRACKING", HINT_PUSH},
	{"CLIENT", "CACHING", HINT_PUSH},
	{"SCRIPT", "DEBUG", HINT_PUSH},
	{"ASKING", NULL, "The next statement's command would use it."},
};

static bool is_text(const sr_argv *cmd, int i, const char *word, size_t len)
{
	return i < cmd->argc && len == cmd->argvlen[i] && sr_same_word(cmd->argv[i], word, len);
}

static bool is_word(const sr_argv *cmd, int i, const char *word)
{
	return is_text(cmd, i, word, strlen(word));
}

bool sr_command_allowed(const sr_argv *cmd, sr_err *err)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
	{
		const refusal *r = &refusals[i];

		if (is_word(cmd, 0, r->command) &&
			(r->subcommand == NULL || is_word(cmd, 1, r->subcommand)))
			return sr_fail(err, SR_E_OPTION, r->hint, "%s%s%s is refused here", r->command,
						   r->subcommand ? " " : "", r->subcommand ? r->subcommand : "");
	}
	return true;
}

/* Where a blocking command has its timeout: an argument's number, or after the word BLOCK. */
typedef struct blocking
{
	const char *command;
	int			at;	  /* counted from the end when negative; 0: after BLOCK */
	double		unit; /* ms */
} blocking;

static const blocking blockings[] = {
	{"BLPOP", -1, 1000},	{"BRPOP", -1, 1000},	{"BRPOPLPUSH", -1, 1000}, {"BLMOVE", -1, 1000},
	{"BZPOPMIN", -1, 1000}, {"BZPOPMAX", -1, 1000}, {"BLMPOP", 1, 1000},	  {"BZMPOP", 1, 1000},
	{"WAIT", 2, 1},			{"WAITAOF", 3, 1},		{"XREAD", 0, 1},		  {"XREADGROUP", 0, 1},
};

/*
 * The number after XREAD's or XREADGROUP's BLOCK, the last one, which counts; a stream, group or consumer
 * may have that name.
 */
static int timeout_option(const sr_argv *cmd)
{
	int last = 0;

	for (int at = 1; at + 1 < cmd->argc && !is_word(cmd, at, "STREAMS"); at++)
	{
		if (is_word(cmd, at, "BLOCK"))
			last = ++at;
		else if (is_word(cmd, at, "COUNT"))
			at++;
		else if (is_word(cmd, at, "GROUP"))
			at += 2;
	}
	return last;
}

/* The number of the argument that holds cmd's timeout; 0: it does not block. */
static int timeout_argument(const sr_argv *cmd, double *unit)
{
	for (size_t i = 0; i < sizeof blockings / sizeof blockings[0]; i++)
	{
		const blocking *b = &blockings[i];

		if (!is_word(cmd, 0, b->command))
			continue;
		*unit = b->unit;
		if (b->at < 0)
			return cmd->argc + b->at;
		if (b->at > 0)
			return b->at < cmd->argc ? b->at : 0;
		return timeout_option(cmd);
	}
	return 0;
}

/*
 * How long cmd may block, in ms. "For ever" becomes command_timeout, also in the command itself:
 * giving up while Redis still waits could take an element off a list for nobody.
 */
static bool bound_blocking(sr_client *c, sr_line *line, int64_t *wait, sr_err *err)
{
	double	 unit = 1, amount;
	int		 at = timeout_argument(&line->argv, &unit);
	char	 text[32], *end;
	int64_t	 limit = sr_client_command_timeout(c);
	sr_argv *cmd = &line->argv;

	*wait = 0;
	if (at <= 0 || cmd->argvlen[at] == 0 || cmd->argvlen[at] >= sizeof text)
		return true;
	memcpy(text, cmd->argv[at], cmd->argvlen[at]);
	text[cmd->argvlen[at]] = '\0';
	amount = sr_number_parse(text, &end);
	/* What is no number is Redis's to refuse. */
	if (*end != '\0' || !(amount >= 0) || amount * unit > 9e15)
		return true;
	if (amount > 0)
	{
		*wait = (int64_t) ceil(amount * unit);
		return true;
	}
	*wait = limit;
	return sr_line_replace_number(line, at, (double) limit / unit, err);
}

bool sr_line_admit(sr_client *c, sr_line *line, int64_t *wait, sr_err *err)
{
	return sr_command_allowed(&line->argv, err) && bound_blocking(c, line, wait, err);
}

/* Does cmd begin with the words of a row: all of "OBJECT ENCODING", "GEOSEARCH" of "GEOSEARCH ... m"? */
static bool is_command(const sr_argv *cmd, const char *words)
{
	for (int i = 0;; i++)
	{
		size_t len = strcspn(words, " ");

		if (len == 0 || strncmp(words, "...", len) == 0)
			return i > 0;
		if (!is_text(cmd, i, words, len))
			return false;
		words += len + (words[len] == ' ');
	}
}

/* Known to change nothing, by the table itself: every row with that command says so. */
static bool only_reads(const sr_argv *cmd)
{
	bool reads = false;

	for (size_t i = 0; i < sr_command_count; i++)
	{
		const sr_command *row = &sr_commands[i];

		if (row->redis == NULL || !is_command(cmd, row->redis))
			continue;
		if (!(row->flags & SR_READ))
			return false;
		reads = true;
	}
	return reads;
}

bool sr_call(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
			 sr_err *err)
{
	sr_line line;
	int64_t wait = 0;
	bool	ok;

	sr_line_init(&line, c);
	ok = sr_line_args(&line, cmd, n, args, err) && sr_line_admit(c, &line, &wait, err);
	if (ok)
		out->reply = sr_client_call(c, &line.argv, only_reads(&line.argv) ? SR_SAFE_TO_RESEND : 0,
									wait, err);
	sr_line_free(&line);
	return ok && out->reply != NULL && sr_result_json(out, err);
}

bool sr_blocking_pop(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					 sr_result *out, sr_err *err)
{
	sr_line			line;
	int64_t			wait = 0;
	const sr_reply *reply;

	sr_line_init(&line, c);
	if (sr_line_command(&line, cmd, n, args, err) && sr_line_admit(c, &line, &wait, err))
		out->reply = sr_client_call(c, &line.argv, 0, wait, err);
	sr_line_free(&line);
	reply = out->reply;
	if (reply == NULL)
		return false;
	if (reply->kind == SR_NIL)
		return true;
	/* the key, which may be one of many, and the element */
	if (reply->kind != SR_ARRAY || reply->count != 2 || reply->items[1]->kind != SR_BULK)
		return sr_fail(err, SR_E_PROTOCOL, "Is this a Redis server?",
					   "unexpected type of reply to %s", cmd->redis);
	sr_cell_text(&out->value, reply->items[1]->str, reply->items[1]->len);
	return true;
}
