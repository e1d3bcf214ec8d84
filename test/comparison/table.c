/*
 * table.c - prints the table of functions as JSON, an object a line, for tests that walk it: a new row
 * of commands.def is then tested without a list that somebody would have to remember.
 */
#include "core.h"

#include <stdio.h>

/* No string of the table has a character that JSON would want escaped. */
static void print_string(const char *name, const char *text)
{
	if (text == NULL)
		printf("\"%s\": null, ", name);
	else
		printf("\"%s\": \"%s\", ", name, text);
}

static void print_command(const sr_command *cmd)
{
	printf("{");
	print_string("name", cmd->name);
	print_string("redis", cmd->redis);
	printf("\"shape\": %d, \"flags\": %u, \"group\": %d, \"plain\": %s, \"args\": [",
		   (int) cmd->shape, cmd->flags, (int) cmd->group,
		   cmd->scalar == NULL && cmd->rows == NULL ? "true" : "false");
	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
	{
		printf("%s{", arg == cmd->args ? "" : ", ");
		print_string("name", arg->name);
		print_string("before", arg->before);
		print_string("dflt", arg->dflt);
		print_string("words", arg->words);
		printf("\"kind\": %d, \"flags\": %u}", (int) arg->kind, arg->flags);
	}
	printf("], \"columns\": [");
	for (const sr_column *column = cmd->columns; column->name != NULL; column++)
	{
		printf("%s{", column == cmd->columns ? "" : ", ");
		print_string("name", column->name);
		printf("\"type\": %d, \"data\": %s}", (int) column->type,
			   column->flags & SR_COLUMN_DATA ? "true" : "false");
	}
	printf("]}\n");
}

int main(void)
{
	for (size_t i = 0; i < sr_command_count; i++)
		print_command(&sr_commands[i]);
	return 0;
}
