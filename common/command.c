/*
 * command.c - the call of a function: arguments in, a command sent, its reply turned into the shape
 * that its row of commands.def names.
 */
#include "command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool sr_class_is_outage(sr_class cls)
{
	return cls == SR_E_CONNECT || cls == SR_E_LOST || cls == SR_E_TIMEOUT || cls == SR_E_TLS ||
		   cls == SR_E_PROTOCOL || cls == SR_E_QUOTA || cls == SR_E_CLIENTS || cls == SR_E_BUSY;
}

/* A NULL key or value makes the result NULL; a NULL optional argument counts as left out. */
static bool any_null(const sr_command *cmd, int n, const sr_value *args)
{
	const sr_arg *arg = cmd->args;

	for (int i = 0; i < n && arg->name != NULL; i++)
	{
		if (args[i].type == SR_TYPE_NULL &&
			(!(arg->flags & SR_OPTIONAL) || (arg->flags & SR_VARIADIC)))
			return true;
		if (!(arg->flags & SR_VARIADIC))
			arg++;
	}
	return false;
}

/* A variadic argument that got an empty array: there is nothing to do, and nothing is sent. */
static bool no_elements(const sr_command *cmd, int n, sr_value *result)
{
	int before = 0;

	while (cmd->args[before].name != NULL && !(cmd->args[before].flags & SR_VARIADIC))
		before++;
	if (cmd->args[before].name == NULL || (cmd->args[before].flags & SR_OPTIONAL) || n > before)
		return false;
	if (cmd->shape == SR_SHAPE_INTEGER)
		result->type = SR_TYPE_INTEGER;
	else if (cmd->shape == SR_SHAPE_BOOLEAN)
		result->type = SR_TYPE_BOOLEAN;
	return true;
}

void sr_result_free(sr_result *r)
{
	sr_reply_free(r->reply);
	free(r->text);
	memset(r, 0, sizeof *r);
}

static bool shape_text(const sr_command *cmd, const sr_reply *reply, sr_value *v, sr_err *err)
{
	if (reply->kind == SR_NIL)
		return true;
	if (reply->kind != SR_BULK && reply->kind != SR_STATUS)
		return sr_fail_unexpected(cmd, err);
	if (cmd->shape == SR_SHAPE_TYPE && strcmp(reply->str, "none") == 0)
		return true;
	v->type = SR_TYPE_TEXT;
	v->data = reply->str;
	v->len = reply->len;
	return true;
}

static bool shape_double(const sr_command *cmd, const sr_reply *reply, sr_value *v, sr_err *err)
{
	char *end;

	if (reply->kind == SR_NIL)
		return true;
	if (reply->kind != SR_BULK)
		return sr_fail_unexpected(cmd, err);
	v->type = SR_TYPE_DOUBLE;
	v->d = sr_number_parse(reply->str, &end);
	return *end == '\0' && reply->len > 0 ? true : sr_fail_unexpected(cmd, err);
}

static bool shape_integer(const sr_command *cmd, const sr_reply *reply, sr_value *v, sr_err *err)
{
	if (reply->kind == SR_NIL)
		return true;
	if (reply->kind != SR_INTEGER)
		return sr_fail_unexpected(cmd, err);
	v->type = cmd->shape == SR_SHAPE_BOOLEAN ? SR_TYPE_BOOLEAN : SR_TYPE_INTEGER;
	v->i = reply->integer;
	if (cmd->shape != SR_SHAPE_SECONDS)
		return true;
	/* PTTL: -2 no key, -1 no expiry */
	v->type = reply->integer == -2 ? SR_TYPE_NULL : SR_TYPE_DOUBLE;
	v->d = reply->integer < 0 ? (double) reply->integer : (double) reply->integer / 1000;
	return true;
}

static bool shape_ok(const sr_command *cmd, const sr_reply *reply, sr_value *v, sr_err *err)
{
	if (reply->kind != SR_STATUS && reply->kind != SR_NIL)
		return sr_fail_unexpected(cmd, err);
	v->type = SR_TYPE_BOOLEAN;
	v->i = reply->kind == SR_STATUS;
	return true;
}

bool sr_result_shape(const sr_command *cmd, sr_result *out, sr_err *err)
{
	const sr_reply *reply = out->reply;
	sr_value	   *v = &out->value;

	switch (cmd->shape)
	{
		case SR_SHAPE_TEXT:
		case SR_SHAPE_TYPE: return shape_text(cmd, reply, v, err);
		case SR_SHAPE_OK: return shape_ok(cmd, reply, v, err);
		case SR_SHAPE_BOOLEAN:
		case SR_SHAPE_INTEGER:
		case SR_SHAPE_SECONDS: return shape_integer(cmd, reply, v, err);
		case SR_SHAPE_DOUBLE: return shape_double(cmd, reply, v, err);
		case SR_SHAPE_JSON: return sr_result_json(out, err);
		case SR_SHAPE_ROWS: break;
	}
	return sr_fail_unexpected(cmd, err);
}

bool sr_result_json(sr_result *out, sr_err *err)
{
	if (out->reply->kind == SR_NIL)
		return true;
	out->text = sr_reply_json(out->reply, &out->value.len, err);
	if (out->text == NULL)
		return false;
	out->value.type = SR_TYPE_JSON;
	out->value.data = out->text;
	return true;
}

bool sr_invoke(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
			   sr_err *err)
{
	sr_line	 line;
	unsigned flags = cmd->flags & SR_READ ? SR_SAFE_TO_RESEND : 0;
	bool	 ok;

	memset(out, 0, sizeof *out);
	if (any_null(cmd, n, args))
		return true;
	if (no_elements(cmd, n, &out->value))
		return true;
	if (cmd->scalar != NULL)
		return cmd->scalar(c, cmd, n, args, out, err);

	sr_line_init(&line, c);
	ok = sr_line_command(&line, cmd, n, args, err);
	if (ok)
		out->reply = sr_client_call(c, &line.argv, flags, 0, err);
	sr_line_free(&line);
	if (!ok || out->reply == NULL || !sr_result_shape(cmd, out, err))
		return false;
	/* A read of a value, as redis_get is: those have bytea twins. */
	if ((cmd->flags & SR_BINARY) && (cmd->flags & SR_READ))
		sr_client_count_read(c, out->value.type != SR_TYPE_NULL);
	return true;
}
