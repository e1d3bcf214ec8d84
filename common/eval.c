/*
 * eval.c - redis_eval: a Lua script by its digest, its keys and arguments from SQL arrays.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

static bool add_item(sr_line *line, const sr_arg *arg, const char *data, size_t len, sr_err *err)
{
	return arg->kind == SR_ARG_KEY_LIST ? sr_line_key(line, data, len, err)
										: sr_line_add(line, data, len, err);
}

static bool refuse(const sr_arg *arg, size_t i, const char *what, sr_err *err)
{
	return sr_fail(err, SR_E_OPTION, "", "%s must not hold %s: element %zu does", arg->name, what,
				   i + 1);
}

static bool add_list(sr_line *line, const sr_arg *arg, const sr_value *list, sr_err *err)
{
	for (size_t i = 0; i < list->len; i++)
	{
		const sr_value *v = &list->items[i];

		if (v->type == SR_TYPE_NULL)
			return refuse(arg, i, "NULL", err);
		if (!add_item(line, arg, v->data, v->len, err))
			return false;
	}
	return true;
}

static bool add_json(sr_line *line, const sr_arg *arg, const sr_value *list, sr_err *err)
{
	sr_json		 j;
	sr_json_item item;
	int			 more;

	if (!sr_json_open(&j, arg->name, list, false, err))
		return false;
	for (size_t i = 0; (more = sr_json_next(&j, &item, err)) > 0; i++)
	{
		if (!sr_json_item_keep(&item, line, err))
			return false;
		if (item.kind == SR_JSON_NULL)
			return refuse(arg, i, "NULL", err);
		if (item.kind == SR_JSON_WORD || item.kind == SR_JSON_NESTED)
			return refuse(arg, i, "anything but strings and numbers", err);
		if (!add_item(line, arg, item.text, item.len, err))
			return false;
	}
	return more == 0;
}

bool sr_eval(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
			 sr_err *err)
{
	sr_line line;
	char   *script = strndup(args[0].len > 0 ? args[0].data : "", args[0].len);
	char	sha1[41];
	int		nkeys = 0;
	bool	ok;

	if (script == NULL)
		return sr_fail_memory(err);
	if (strlen(script) != args[0].len)
		ok = sr_fail(err, SR_E_OPTION, "", "%s must not hold a zero byte", cmd->args[0].name);
	else
		ok = sr_script_digest(script, args[0].len, sha1, err);
	sr_line_init(&line, c);
	for (int i = 1; ok && i < n && cmd->args[i].name != NULL; i++)
	{
		const sr_arg *arg = &cmd->args[i];

		if (args[i].type == SR_TYPE_LIST)
			ok = add_list(&line, arg, &args[i], err);
		else if (args[i].type != SR_TYPE_NULL)
			ok = add_json(&line, arg, &args[i], err);
		if (arg->kind == SR_ARG_KEY_LIST)
			nkeys = line.argv.argc;
	}
	if (ok)
		out->reply = sr_client_eval(c, script, sha1, nkeys, &line.argv, 0, err);
	sr_line_free(&line);
	free(script);
	return out->reply != NULL && sr_result_json(out, err);
}
