/*
 * table.c - commands.def as data, and what a row says about itself. Nothing here sends anything.
 */
#include "command.h"

#include <string.h>

/* clang-format off */

/* name, kind, flags, sent before it, sent when left out, words */
#define ARG(n, kind, flags, before, dflt, words) {#n, SR_ARG_##kind, flags, before, dflt, words}

#define KEY(n)				ARG(n, KEY, 0, NULL, NULL, NULL)
#define KEYS(n)				ARG(n, KEY, SR_VARIADIC, NULL, NULL, NULL)
#define VALUE(n)			ARG(n, VALUE, 0, NULL, NULL, NULL)
#define VALUES(n)			ARG(n, VALUE, SR_VARIADIC, NULL, NULL, NULL)
#define PAIRS(n)			ARG(n, VALUE, SR_VARIADIC | SR_PAIRS, NULL, NULL, NULL)
#define PAIRS_AFTER(n, b)	ARG(n, VALUE, SR_VARIADIC | SR_PAIRS, b, NULL, NULL)
#define TEXT(n)				ARG(n, TEXT, 0, NULL, NULL, NULL)
#define TEXTS(n)			ARG(n, TEXT, SR_VARIADIC, NULL, NULL, NULL)
#define INT(n)				ARG(n, INTEGER, 0, NULL, NULL, NULL)
#define INT_AFTER(n, b)		ARG(n, INTEGER, 0, b, NULL, NULL)
#define DOUBLE(n)			ARG(n, DOUBLE, 0, NULL, NULL, NULL)
#define DOUBLE_AFTER(n, b)	ARG(n, DOUBLE, 0, b, NULL, NULL)
#define TTL(n)				ARG(n, TTL, 0, NULL, NULL, NULL)
#define TTL_PX(n)			ARG(n, TTL, 0, "PX", NULL, NULL)
#define AT(n)				ARG(n, AT, 0, NULL, NULL, NULL)
#define BOUND(n)			ARG(n, BOUND, 0, NULL, NULL, NULL)
#define WORD(n, words)		ARG(n, WORD, 0, NULL, NULL, words)
#define JSON(n)				ARG(n, JSON, 0, NULL, NULL, NULL)
#define OPT_JSON(n)			ARG(n, JSON, SR_OPTIONAL, NULL, NULL, NULL)
#define JSON_AFTER(n, b)	ARG(n, JSON, 0, b, NULL, NULL)
#define RELATION(n)			ARG(n, RELATION, 0, NULL, NULL, NULL)
#define OPT_PATTERN(n, b)	ARG(n, PATTERN, SR_OPTIONAL, b, NULL, NULL)
#define OPT_TEXT(n, b)		ARG(n, TEXT, SR_OPTIONAL, b, NULL, NULL)
#define OPT_ANY_TEXT(n, d)	ARG(n, TEXT, SR_OPTIONAL, NULL, d, NULL)
#define OPT_INT(n, b, d)	ARG(n, INTEGER, SR_OPTIONAL, b, d, NULL)
#define OPT_DOUBLE(n)		ARG(n, DOUBLE, SR_OPTIONAL, NULL, NULL, NULL)
#define OPT_TTL(n, b)		ARG(n, TTL, SR_OPTIONAL, b, NULL, NULL)
#define OPT_WORD(n, words)	ARG(n, WORD, SR_OPTIONAL, NULL, NULL, words)
#define EARLY_WORD(n, words) ARG(n, WORD, SR_OPTIONAL | SR_EARLY, NULL, NULL, words)
#define FLAG(n, word)		ARG(n, FLAG, SR_OPTIONAL, NULL, NULL, word)
#define OPT_VALUES(n)		ARG(n, VALUE, SR_OPTIONAL | SR_VARIADIC, NULL, NULL, NULL)
#define OPT_TEXTS(n)		ARG(n, TEXT, SR_OPTIONAL | SR_VARIADIC, NULL, NULL, NULL)
#define PATTERN(n)			ARG(n, PATTERN, 0, NULL, NULL, NULL)
#define OPT_KEY_LIST(n)		ARG(n, KEY_LIST, SR_OPTIONAL, NULL, NULL, NULL)
#define OPT_LIST(n)			ARG(n, LIST, SR_OPTIONAL, NULL, NULL, NULL)

#define TEXT_COLUMN(n)		{#n, SR_TYPE_TEXT, 0}
#define DATA_COLUMN(n)		{#n, SR_TYPE_TEXT, SR_COLUMN_DATA}
#define INT_COLUMN(n)		{#n, SR_TYPE_INTEGER, 0}
#define DOUBLE_COLUMN(n)	{#n, SR_TYPE_DOUBLE, 0}
#define BOOL_COLUMN(n)		{#n, SR_TYPE_BOOLEAN, 0}
#define JSON_COLUMN(n)		{#n, SR_TYPE_JSON, 0}

#define END_ARG				{NULL, SR_ARG_KEY, 0, NULL, NULL, NULL}
#define END_COLUMN			{NULL, SR_TYPE_NULL, 0}
#define ARGS(...)			{__VA_ARGS__, END_ARG}
#define NO_ARGS				{END_ARG}
#define COLUMNS(...)		{__VA_ARGS__, END_COLUMN}
#define NO_COLUMNS			{END_COLUMN}

#define FUNCTION(name, redis, shape, columns, args, flags, group, scalar, rows, since, doc, example) \
	{#name, redis, args, SR_SHAPE_##shape, columns, flags, SR_GROUP_##group, scalar, rows},

/* clang-format on */

const sr_command sr_commands[] = {
#include "commands.def"
};
const size_t sr_command_count = sizeof sr_commands / sizeof sr_commands[0];

const sr_command *sr_command_find(const char *name)
{
	for (size_t i = 0; i < sr_command_count; i++)
		if (strcmp(sr_commands[i].name, name) == 0)
			return &sr_commands[i];
	return NULL;
}

int sr_command_arity(const sr_command *cmd, int *required)
{
	int	 n = 0;
	bool variadic = false;

	*required = 0;
	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
	{
		n++;
		if (!(arg->flags & SR_OPTIONAL))
			*required += arg->flags & SR_PAIRS ? 2 : 1;
		variadic |= (arg->flags & SR_VARIADIC) != 0;
	}
	return variadic ? -1 : n;
}

bool sr_arg_is_number(const sr_arg *arg)
{
	switch (arg->kind)
	{
		case SR_ARG_INTEGER:
		case SR_ARG_DOUBLE:
		case SR_ARG_TTL:
		case SR_ARG_AT:
		case SR_ARG_FLAG: return true;
		default: return false;
	}
}
