/*
 * json.c - JSON arguments: the members of an object, the elements of an array, and the functions
 * that set them (redis_hset_json, redis_xadd_json).
 *
 * jansson says what is JSON, and unescapes. The walk over a document that it has checked only finds
 * where each value begins and ends, because numbers and nested values go to Redis as they are
 * written: 12345678901234567890 and 1.10 would not survive a parser's number types.
 */
#include "command.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

bool sr_json_open(sr_json *j, const char *what, const sr_value *value, bool object, sr_err *err)
{
	const char	*name = object ? "object" : "array";
	json_error_t why;
	json_t		*root;
	bool		 good;

	*j = (sr_json){.what = what, .object = object};
	if (value->type != SR_TYPE_TEXT && value->type != SR_TYPE_BYTES && value->type != SR_TYPE_JSON)
		return sr_fail(err, SR_E_OPTION, "", "%s must be a JSON %s", what, name);
	/* as reals: an integer may be too large for 64 bits, though not for a double */
	root = json_loadb(value->len > 0 ? value->data : "", value->len,
					  JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &why);
	if (root == NULL)
		return sr_fail(err, SR_E_OPTION, "", "%s must be a JSON %s: %s", what, name, why.text);
	good = object ? json_is_object(root) : json_is_array(root);
	json_decref(root);
	if (!good)
		return sr_fail(err, SR_E_OPTION, "", "%s must be a JSON %s", what, name);
	j->end = value->data + value->len;
	j->at = (const char *) memchr(value->data, object ? '{' : '[', value->len) + 1;
	return true;
}

void sr_json_enter(sr_json *j, const sr_json_item *item)
{
	*j = (sr_json){.at = item->text + 1, .end = item->text + item->len, .what = ""};
	j->object = *item->text == '{';
}

/* ---- where things end, in a document known to be good ---- */

static const char *skip(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n,:", *p) != NULL)
		p++;
	return p;
}

/* p is at the opening quote; past the closing one. */
static const char *string_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p + 1;
}

/* p is at the opening bracket; past the closing one. */
static const char *nested_end(const char *p, const char *end)
{
	int depth = 0;

	do
	{
		if (*p == '"')
		{
			p = string_end(p, end);
			continue;
		}
		depth += *p == '[' || *p == '{';
		depth -= *p == ']' || *p == '}';
		p++;
	} while (depth > 0 && p < end);
	return p;
}

static const char *word_end(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n,]}", *p) == NULL)
		p++;
	return p;
}

/* ---- the walk ---- */

/* A quoted string's characters: where they stand, or in *owned when there is something to unescape. */
static bool unquote(const char *quoted, size_t size, const char **text, size_t *len, char **owned,
					sr_err *err)
{
	json_t *string;

	*text = quoted + 1;
	*len = size - 2;
	if (memchr(*text, '\\', *len) == NULL)
		return true;
	string = json_loadb(quoted, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	*len = json_string_length(string);
	*owned = string != NULL ? malloc(*len + 1) : NULL;
	if (*owned != NULL)
		memcpy(*owned, json_string_value(string), *len + 1);
	*text = *owned;
	json_decref(string);
	return *owned != NULL ? true : sr_fail_memory(err);
}

static bool take_name(sr_json *j, sr_json_item *item, sr_err *err)
{
	const char *stop = string_end(j->at, j->end);
	const char *text;

	if (!unquote(j->at, (size_t) (stop - j->at), &text, &item->name_len, &item->name, err))
		return false;
	j->at = skip(stop, j->end);
	if (item->name != NULL)
		return true;
	item->name = malloc(item->name_len + 1);
	if (item->name == NULL)
		return sr_fail_memory(err);
	memcpy(item->name, text, item->name_len);
	item->name[item->name_len] = '\0';
	return true;
}

static bool take_value(sr_json *j, sr_json_item *item, sr_err *err)
{
	const char *stop;

	item->text = item->raw = j->at;
	switch (*j->at)
	{
		case '"':
			item->kind = SR_JSON_STRING;
			stop = string_end(j->at, j->end);
			item->raw_len = (size_t) (stop - j->at);
			if (!unquote(j->at, (size_t) (stop - j->at), &item->text, &item->len, &item->owned,
						 err))
				return false;
			j->at = stop;
			return true;
		case '[':
		case '{':
			item->kind = SR_JSON_NESTED;
			stop = nested_end(j->at, j->end);
			break;
		default:
			item->kind = *j->at == 'n'					  ? SR_JSON_NULL
						 : *j->at == 't' || *j->at == 'f' ? SR_JSON_WORD
														  : SR_JSON_NUMBER;
			stop = word_end(j->at, j->end);
			break;
	}
	item->len = item->raw_len = (size_t) (stop - j->at);
	j->at = stop;
	return true;
}

int sr_json_next(sr_json *j, sr_json_item *item, sr_err *err)
{
	memset(item, 0, sizeof *item);
	j->at = skip(j->at, j->end);
	if (j->at >= j->end || *j->at == ']' || *j->at == '}')
		return 0;
	if ((!j->object || take_name(j, item, err)) && take_value(j, item, err))
		return 1;
	sr_json_item_free(item);
	return -1;
}

void sr_json_item_free(sr_json_item *item)
{
	free(item->name);
	free(item->owned);
	item->name = item->owned = NULL;
}

bool sr_json_item_keep(sr_json_item *item, sr_line *line, sr_err *err)
{
	char *name = item->name;
	char *owned = item->owned;
	bool  ok = sr_line_keep(line, name, err);

	/* the texts are still where name and text point to, unless this failed */
	return sr_line_keep(line, owned, err) && ok;
}

/* ---- redis_hset_json, redis_xadd_json ---- */

/* Every member that is not null: its name and its value. */
static bool add_members(sr_line *line, sr_json *j, size_t *count, sr_err *err)
{
	sr_json_item item;
	int			 more;

	*count = 0;
	while ((more = sr_json_next(j, &item, err)) > 0)
	{
		if (item.kind == SR_JSON_NULL)
		{
			sr_json_item_free(&item);
			continue;
		}
		++*count;
		if (!sr_json_item_keep(&item, line, err) ||
			!sr_line_add(line, item.name, item.name_len, err) ||
			!sr_line_add(line, item.text, item.len, err))
			return false;
	}
	return more == 0;
}

bool sr_set_json(sr_client *c, const sr_command *cmd, int n, const sr_value *args, sr_result *out,
				 sr_err *err)
{
	const sr_arg *json = &cmd->args[1];
	size_t		  members;
	sr_json		  j;
	sr_line		  line;
	bool		  ok;

	(void) n;
	if (!sr_json_open(&j, json->name, &args[1], true, err))
		return false;
	sr_line_init(&line, c);
	ok = sr_line_words(&line, cmd->redis, strlen(cmd->redis), err) &&
		 sr_line_key(&line, args[0].data, args[0].len, err) &&
		 (json->before == NULL || sr_line_word(&line, json->before, err)) &&
		 add_members(&line, &j, &members, err);
	if (ok && members == 0)
		out->value.type = cmd->shape == SR_SHAPE_INTEGER ? SR_TYPE_INTEGER : SR_TYPE_NULL;
	else if (ok)
	{
		out->reply = sr_client_call(c, &line.argv, 0, 0, err);
		ok = out->reply != NULL && sr_result_shape(cmd, out, err);
	}
	sr_line_free(&line);
	return ok;
}
