/*
 * many.c - redis_pipeline: many commands, written as JSON, in one pipeline.
 *
 * Everything is read and checked before anything is sent. What was sent is never sent again; when
 * the connection breaks, the error says what is known.
 */
#include "many.h"
#include "conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HINT_FORM "Each command is an array of strings and numbers: [\"SET\", \"key\", 1]."

/* ---- reading ---- */

static const char *kind_name(const sr_json_item *item)
{
	switch (item->kind)
	{
		case SR_JSON_NULL: return "null";
		case SR_JSON_WORD: return "true or false";
		case SR_JSON_NESTED: return *item->text == '[' ? "an array" : "an object";
		case SR_JSON_STRING: return "a string";
		case SR_JSON_NUMBER: break;
	}
	return "a number";
}

static bool read_words(const sr_json_item *command, size_t at, sr_line *line, sr_err *err)
{
	sr_json		 j;
	sr_json_item item;
	int			 more;

	if (command->kind != SR_JSON_NESTED || *command->text != '[')
		return sr_fail(err, SR_E_OPTION, HINT_FORM, "command %zu is %s", at, kind_name(command));
	sr_json_enter(&j, command);
	while ((more = sr_json_next(&j, &item, err)) > 0)
	{
		if (!sr_json_item_keep(&item, line, err))
			return false;
		if (item.kind != SR_JSON_STRING && item.kind != SR_JSON_NUMBER)
			return sr_fail(err, SR_E_OPTION, HINT_FORM, "command %zu: element %d is %s", at,
						   line->argv.argc + 1, kind_name(&item));
		if (!sr_line_add(line, item.text, item.len, err))
			return false;
	}
	if (more == 0 && line->argv.argc == 0)
		return sr_fail(err, SR_E_OPTION, HINT_FORM, "command %zu is empty", at);
	return more == 0;
}

static bool read_command(sr_many *m, const sr_json_item *command, sr_err *err)
{
	int64_t wait = 0;
	sr_line line;
	bool	ok;

	sr_line_init(&line, m->c);
	ok = read_words(command, m->count + 1, &line, err);
	if (ok && !sr_line_admit(m->c, &line, &wait, err))
	{
		sr_err was = *err;

		ok = sr_fail(err, was.cls, was.hint, "command %zu: %.400s", m->count + 1, was.msg);
	}
	ok = ok && sr_pack_add(&m->commands, &line.argv, err);
	sr_line_free(&line);
	m->count++;
	if (wait > m->wait)
		m->wait = wait;
	return ok;
}

bool sr_many_read(sr_many *m, const sr_command *cmd, const sr_value *args, sr_err *err)
{
	sr_json		 j;
	sr_json_item item;
	int			 more;

	if (!sr_json_open(&j, cmd->args[0].name, &args[0], false, err))
		return false;
	while ((more = sr_json_next(&j, &item, err)) > 0)
	{
		bool ok = read_command(m, &item, err);

		sr_json_item_free(&item);
		if (!ok)
			return false;
	}
	return more == 0;
}

/* ---- what both say of a command that failed ---- */

void sr_many_note(sr_many *m, size_t which, const sr_reply *reply)
{
	if (m->failed != 0)
		return;
	m->failed = which;
	sr_fail_reply(&m->err, reply->str, reply->len);
}

bool sr_many_fail(sr_many *m, const char *how, const char *hint, const char *rest, sr_err *err)
{
	size_t	pos = 0;
	sr_argv line = {0};
	int		len;

	for (size_t i = 0; i < m->failed; i++)
		sr_pack_read(&m->commands, &pos, &line);
	len = line.argvlen[0] > 32 ? 32 : (int) line.argvlen[0];
	return sr_fail(err, m->err.cls, hint, "command %zu of %zu (%.*s) %s: %.300s; %s", m->failed,
				   m->count, len, line.argv[0], how, m->err.msg, rest);
}

bool sr_many_fail_count(sr_many *m, const char *hint, sr_err *err)
{
	char rest[48];

	snprintf(rest, sizeof rest, "%zu succeeded", m->succeeded);
	return sr_many_fail(m, "failed", hint, rest, err);
}

bool sr_many_send(sr_many *m, sr_pipeline *p, sr_err *err)
{
	p->ctx = m;
	p->idle_timeout = m->wait + m->c->command_timeout;
	if (sr_client_pipeline(m->c, p, 0, err))
		return true;
	if (err->cls != SR_E_LOST || p->sent > 0 || m->asked == 0)
		return false;
	m->pos = m->asked = m->answered = m->succeeded = m->failed = 0;
	m->json.len = 0;
	return sr_client_pipeline(m->c, p, 0, err);
}

static bool give_json(sr_many *m, sr_result *out)
{
	out->value = (sr_value){.type = SR_TYPE_JSON, .data = m->json.data, .len = m->json.len};
	out->text = m->json.data;
	m->json = (sr_buf){0};
	return true;
}

bool sr_many_nothing(sr_result *out, sr_err *err)
{
	out->text = strdup("[]");
	out->value = (sr_value){.type = SR_TYPE_JSON, .data = out->text, .len = 2};
	return out->text != NULL ? true : sr_fail_memory(err);
}

void sr_many_free(sr_many *m)
{
	sr_pack_free(&m->commands);
	sr_buf_free(&m->json);
}

/* ---- redis_pipeline ---- */

int sr_many_next(void *ctx, sr_argv *out)
{
	sr_many *m = ctx;

	if (!sr_pack_read(&m->commands, &m->pos, out))
		return 0;
	m->asked++;
	return 1;
}

static bool add_reply(sr_many *m, const sr_reply *reply, sr_err *err)
{
	size_t len;
	char  *text = sr_reply_json(reply, &len, err);
	bool   ok = text != NULL;

	if (ok && !(sr_buf_str(&m->json, m->answered == 1 ? "[" : ",") &&
				sr_buf_add(&m->json, text, len) && sr_buf_reserve(&m->json, 1)))
		ok = sr_fail(err, SR_E_SIZE, "Send fewer commands at once, or raise max_reply.",
					 "the replies of Redis are larger than max_reply (%zu bytes)", m->json.max);
	free(text);
	return ok;
}

static void on_reply(void *ctx, const sr_reply *reply)
{
	sr_many *m = ctx;
	sr_err	 err;

	m->answered++;
	m->succeeded += reply->kind != SR_ERROR;
	if (reply->kind == SR_ERROR && m->raise)
		sr_many_note(m, m->answered, reply);
	/* a reply that cannot be given is a failure too, but its command has taken effect */
	if (m->failed == 0 && !add_reply(m, reply, &err))
	{
		m->failed = m->answered;
		m->err = err;
	}
}

static bool wants_errors(const sr_command *cmd, int n, const sr_value *args, bool *raise,
						 sr_err *err)
{
	const sr_value *v = &args[1];

	*raise = true;
	if (!sr_given(n, args, 1))
		return true;
	*raise = v->len == 5 && sr_same_word(v->data, "raise", 5);
	if (*raise || (v->len == 6 && sr_same_word(v->data, "return", 6)))
		return true;
	return sr_fail(err, SR_E_OPTION, "", "%s must be one of %s", cmd->args[1].name,
				   cmd->args[1].words);
}

static bool run_pipeline(sr_many *m, sr_err *err)
{
	sr_pipeline p = {.next = sr_many_next, .reply = on_reply};

	m->json.max = m->c->settings.max_reply;
	if (!sr_many_send(m, &p, err))
	{
		sr_err was = *err;

		if (p.sent == 0)
			return false;
		return sr_fail(err, was.cls, was.hint,
					   "%.300s; %zu of %zu commands were answered, whether the others took effect "
					   "is unknown",
					   was.msg, m->answered, m->count);
	}
	if (m->failed != 0)
		return sr_many_fail_count(m, m->err.hint, err);
	return sr_buf_str(&m->json, "]") ? true : sr_fail_memory(err);
}

bool sr_run_pipeline(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					 sr_result *out, sr_err *err)
{
	sr_many m = {.c = c};
	bool	ok = wants_errors(cmd, n, args, &m.raise, err) && sr_many_read(&m, cmd, args, err);

	if (ok && m.count == 0)
		ok = sr_many_nothing(out, err);
	else if (ok)
		ok = run_pipeline(&m, err) && give_json(&m, out);
	sr_many_free(&m);
	return ok;
}
