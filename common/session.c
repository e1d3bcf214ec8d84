/*
 * session.c - sessions of web applications: a JSON document under a key that expires. Any other application
 * reads and writes the same string with GET and SET.
 */
#include "command.h"

#include <jansson.h>
#include <string.h>

#define DAY_MS 86400000

/* Any JSON, not only an object: what is stored is what others get, so it is looked at, and stays as it is. */
static bool is_json(const char *data, size_t len, json_error_t *why)
{
	json_t *root = json_loadb(len > 0 ? data : "", len,
							  JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, why);

	json_decref(root);
	return root != NULL;
}

static bool add_key(sr_line *line, sr_client *c, const sr_value *id, sr_err *err)
{
	return sr_line_recipe_key(line, sr_client_recipes(c)->session_prefix, id, err);
}

/* *ms stays as it is when no ttl was given. */
static bool read_ttl(const sr_command *cmd, int n, const sr_value *args, int i, int64_t *ms,
					 sr_err *err)
{
	if (!sr_given(n, args, i))
		return true;
	return sr_value_ms(&cmd->args[i], &args[i], ms, err) &&
		   (*ms > 0 || sr_fail(err, SR_E_OPTION, "Times are in seconds; fractions are allowed.",
							   "%s must be more than 0", cmd->args[i].name));
}

static bool add_ttl(sr_line *line, int64_t ms, sr_err *err)
{
	return sr_line_word(line, "PX", err) && sr_line_integer(line, ms, err);
}

bool sr_session_set(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					sr_result *out, sr_err *err)
{
	const sr_value *data = &args[1];
	int64_t			ttl = DAY_MS;
	json_error_t	why;
	sr_line			line;

	if (data->type != SR_TYPE_TEXT && data->type != SR_TYPE_BYTES && data->type != SR_TYPE_JSON)
		return sr_fail(err, SR_E_OPTION, "", "%s must be JSON", cmd->args[1].name);
	if (!is_json(data->data, data->len, &why))
		return sr_fail(err, SR_E_OPTION, "", "%s must be JSON: %s", cmd->args[1].name, why.text);
	if (!read_ttl(cmd, n, args, 2, &ttl, err))
		return false;
	sr_line_init(&line, c);
	if (sr_line_word(&line, "SET", err) && add_key(&line, c, &args[0], err) &&
		sr_line_add(&line, data->data, data->len, err) && add_ttl(&line, ttl, err))
		out->reply = sr_client_call(c, &line.argv, 0, 0, err);
	sr_line_free(&line);
	return out->reply != NULL && sr_result_shape(cmd, out, err);
}

bool sr_session_get(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
					sr_result *out, sr_err *err)
{
	int64_t		 ttl = 0;
	json_error_t why;
	sr_line		 line;

	if (!read_ttl(cmd, n, args, 1, &ttl, err))
		return false;
	sr_line_init(&line, c);
	if (sr_line_word(&line, ttl > 0 ? "GETEX" : "GET", err) && add_key(&line, c, &args[0], err) &&
		(ttl == 0 || add_ttl(&line, ttl, err)))
		out->reply = sr_client_call(c, &line.argv, SR_SAFE_TO_RESEND, 0, err);
	sr_line_free(&line);
	if (out->reply == NULL)
		return false;
	sr_client_count_read(c, out->reply->kind == SR_BULK);
	if (out->reply->kind == SR_NIL)
		return true;
	if (out->reply->kind != SR_BULK)
		return sr_fail_unexpected(cmd, err);
	if (!is_json(out->reply->str, out->reply->len, &why))
		return sr_fail(err, SR_E_ENCODING, "redis_get gives it as it is.",
					   "what is stored as the session is not JSON: %s", why.text);
	out->value.type = SR_TYPE_JSON;
	out->value.data = out->reply->str;
	out->value.len = out->reply->len;
	return true;
}

bool sr_session_destroy(sr_client *c, const sr_command *cmd, int n, const sr_value *args,
						sr_result *out, sr_err *err)
{
	sr_line line;

	(void) n;
	sr_line_init(&line, c);
	if (sr_line_word(&line, "DEL", err) && add_key(&line, c, &args[0], err))
		out->reply = sr_client_call(c, &line.argv, 0, 0, err);
	sr_line_free(&line);
	return out->reply != NULL && sr_result_shape(cmd, out, err);
}
