/*
 * generate.c - prints what follows from commands.def: `generate sql` the install SQL of the
 * PostgreSQL extension, `generate reference` the reference page. Both are committed; `make check`
 * compares.
 */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The table with its section titles, in order. */
static const struct
{
	const char *section; /* or NULL */
	const char *name;
} entries[] = {
#define SECTION(title) {title, NULL},
#define FUNCTION(name, redis, shape, columns, args, flags, group, scalar, rows, since, doc)        \
	{NULL, #name},
#include "commands.def"
};
#define ENTRIES (sizeof entries / sizeof entries[0])

/* Which of a function's PostgreSQL signatures. */
typedef enum overload
{
	TEXT_VALUES, /* the only one for most */
	ANY_VALUES,	 /* values of any type that is no array */
	NO_VARIADIC	 /* an optional VARIADIC "any" left out: PostgreSQL wants at least one */
} overload;

static const char *argument_type(const sr_arg *arg, overload which)
{
	switch (arg->kind)
	{
		case SR_ARG_INTEGER: return "bigint";
		case SR_ARG_DOUBLE:
		case SR_ARG_TTL:
		case SR_ARG_AT: return "double precision";
		case SR_ARG_RELATION: return "regclass";
		case SR_ARG_VALUE:
			if (arg->flags & SR_VARIADIC)
				return "\"any\"";
			return which == ANY_VALUES ? "anynonarray" : "text";
		default: return arg->flags & SR_VARIADIC ? "text[]" : "text";
	}
}

static const char *column_type(sr_type type)
{
	switch (type)
	{
		case SR_TYPE_BOOLEAN: return "boolean";
		case SR_TYPE_INTEGER: return "bigint";
		case SR_TYPE_DOUBLE: return "double precision";
		case SR_TYPE_BYTES: return "bytea";
		case SR_TYPE_JSON: return "json";
		default: return "text";
	}
}

static const char *scalar_type(const sr_command *cmd)
{
	switch (cmd->shape)
	{
		case SR_SHAPE_OK:
		case SR_SHAPE_BOOLEAN: return "boolean";
		case SR_SHAPE_INTEGER: return "bigint";
		case SR_SHAPE_DOUBLE:
		case SR_SHAPE_SECONDS: return "double precision";
		case SR_SHAPE_JSON: return "json";
		default: return "text";
	}
}

/* The argument list; types only for what names an existing function (GRANT, COMMENT). */
static void print_arguments(const sr_command *cmd, overload which, bool types_only)
{
	const char *comma = "";

	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
	{
		if (which == NO_VARIADIC && (arg->flags & SR_VARIADIC))
			continue;
		printf("%s%s", comma, arg->flags & SR_VARIADIC ? "VARIADIC " : "");
		if (!types_only)
			printf("%s ", arg->name);
		printf("%s", argument_type(arg, which));
		if (!types_only && (arg->flags & SR_OPTIONAL) && !(arg->flags & SR_VARIADIC))
			printf(" DEFAULT %s", arg->dflt != NULL ? arg->dflt : "NULL");
		comma = ", ";
	}
}

static void print_result(const sr_command *cmd, bool twin)
{
	const char *comma = "";

	if (cmd->shape != SR_SHAPE_ROWS)
	{
		printf("%s", twin ? "bytea" : scalar_type(cmd));
		return;
	}
	printf("TABLE (");
	for (const sr_column *column = cmd->columns; column->name != NULL; column++)
	{
		printf("%s%s %s", comma, column->name, column_type(column->type));
		comma = ", ";
	}
	printf(")");
}

/* Reads may run in the leader of a parallel query; what writes or queues may not run in one at all. */
static const char *properties(const sr_command *cmd)
{
	if (cmd->group == SR_GROUP_PUBLIC)
		return "STABLE PARALLEL SAFE";
	return cmd->flags & SR_READ ? "VOLATILE PARALLEL RESTRICTED COST 1000"
								: "VOLATILE PARALLEL UNSAFE COST 1000";
}

/* Call print for each PostgreSQL function that the row stands for. */
static void each_function(const sr_command *cmd,
						  void (*print)(const sr_command *cmd, overload which, bool twin))
{
	bool values = false, optional_variadic = false;

	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
	{
		values |= arg->kind == SR_ARG_VALUE && !(arg->flags & SR_VARIADIC);
		optional_variadic |= arg->flags == (SR_OPTIONAL | SR_VARIADIC);
	}
	if (optional_variadic)
		print(cmd, NO_VARIADIC, false);
	print(cmd, TEXT_VALUES, false);
	if (values)
		print(cmd, ANY_VALUES, false);
	if (cmd->flags & SR_BINARY)
		print(cmd, TEXT_VALUES, true);
}

static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++)
		printf(*text == '\'' ? "''" : "%c", *text);
	putchar('\'');
}

static void print_sql(const sr_command *cmd, overload which, bool twin)
{
	const char *suffix = twin ? "_bytea" : "";

	printf("CREATE FUNCTION %s%s(", cmd->name, suffix);
	print_arguments(cmd, which, false);
	printf(")\n\tRETURNS ");
	print_result(cmd, twin);
	printf("\n\tLANGUAGE C %s\n\tAS 'MODULE_PATHNAME', 'pg_%s';\n", properties(cmd), cmd->name);
	if (cmd->group != SR_GROUP_PUBLIC)
	{
		printf("REVOKE ALL ON FUNCTION %s%s(", cmd->name, suffix);
		print_arguments(cmd, which, true);
		printf(") FROM PUBLIC;\n");
	}
	printf("COMMENT ON FUNCTION %s%s(", cmd->name, suffix);
	print_arguments(cmd, which, true);
	printf(") IS\n\t");
	print_quoted(cmd->doc);
	printf(";\n\n");
}

static void generate_sql(void)
{
	printf("-- sqlredis %s: generated from common/commands.def by `make docs`. Do not edit.\n\n"
		   "\\echo Use \"CREATE EXTENSION sqlredis\" to load this file. \\quit\n\n",
		   SR_VERSION);
	for (size_t i = 0; i < ENTRIES; i++)
	{
		const sr_command *cmd = entries[i].name != NULL ? sr_command_find(entries[i].name) : NULL;

		if (cmd == NULL)
			printf("-- %s\n\n", entries[i].section);
		else if (!(cmd->flags & SR_SQLITE_ONLY))
			each_function(cmd, print_sql);
	}
	printf(
		"-- The trigger function. Writing to a table that has the trigger needs no right on it;\n"
		"-- creating the trigger does.\n\n"
		"CREATE FUNCTION redis_invalidate()\n\tRETURNS trigger\n\tLANGUAGE C\n"
		"\tAS 'MODULE_PATHNAME', 'pg_redis_invalidate_trigger';\n"
		"REVOKE ALL ON FUNCTION redis_invalidate() FROM PUBLIC;\n"
		"COMMENT ON FUNCTION redis_invalidate() IS\n"
		"\t'Trigger: queues the keys that its arguments, templates such as user:{id}, name.';\n");
}

/* ---- reference ---- */

static void print_usage(const sr_command *cmd)
{
	const char *comma = "";

	printf("### %s(", cmd->name);
	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
	{
		printf(arg->flags & SR_OPTIONAL ? "%s[%s%s]" : "%s%s%s", comma, arg->name,
			   arg->flags & SR_VARIADIC ? "..." : "");
		comma = ", ";
	}
	printf(") → ");
	if (cmd->shape != SR_SHAPE_ROWS)
	{
		printf("%s\n\n", scalar_type(cmd));
		return;
	}
	comma = "rows(";
	for (const sr_column *column = cmd->columns; column->name != NULL; column++)
	{
		printf("%s%s", comma, column->name);
		comma = ", ";
	}
	printf(")\n\n");
}

static void print_signature(const sr_command *cmd, overload which, bool twin)
{
	printf("    %s%s(", cmd->name, twin ? "_bytea" : "");
	print_arguments(cmd, which, false);
	printf(") returns ");
	print_result(cmd, twin);
	printf("\n");
}

static void print_function(const sr_command *cmd)
{
	static const char *const groups[] = {"everybody", "read", "write", "admin"};

	print_usage(cmd);
	printf("%s\n\n", cmd->doc);
	if (cmd->redis != NULL)
		printf("Redis: `%s`. ", cmd->redis);
	printf("Access: %s. Since %s.\n\n", groups[cmd->group], cmd->since);
	if (cmd->flags & SR_SQLITE_ONLY)
		printf("SQLite only.\n\n");
	else
	{
		each_function(cmd, print_signature);
		printf("\n");
	}
}

static const char *grant_comma;

static void print_grantee(const sr_command *cmd, overload which, bool twin)
{
	printf("%s%s%s(", grant_comma, cmd->name, twin ? "_bytea" : "");
	print_arguments(cmd, which, true);
	printf(")");
	grant_comma = ",\n      ";
}

static void print_grant(sr_group group, const char *title)
{
	printf("%s:\n\n    GRANT EXECUTE ON FUNCTION\n", title);
	grant_comma = "      ";
	for (size_t i = 0; i < sr_command_count; i++)
		if (sr_commands[i].group == group && !(sr_commands[i].flags & SR_SQLITE_ONLY))
			each_function(&sr_commands[i], print_grantee);
	if (group == SR_GROUP_WRITE)
		printf("%sredis_invalidate()", grant_comma);
	printf("\n    TO some_role;\n\n");
}

static void generate_reference(void)
{
	printf(
		"# Reference\n\n"
		"Generated from `common/commands.def` by `make docs`; do not edit.\n\n"
		"Every function has the same name, arguments and meaning in PostgreSQL and in SQLite. A\n"
		"NULL key or value makes the result NULL and sends nothing; a NULL optional argument "
		"counts\n"
		"as left out. A missing key is NULL. Times to live are in seconds, fractions allowed. "
		"What\n"
		"gives rows is used as `SELECT * FROM f(...)`. Where Redis has the command, its meaning "
		"is\n"
		"Redis's own. SQLite's boolean is 0 or 1, its json is text; it returns TEXT for UTF-8\n"
		"without NUL bytes and else BLOB. PostgreSQL's signatures are listed with each "
		"function.\n\n"
		"An error carries Redis's own words, a SQLSTATE in PostgreSQL or a leading class word in\n"
		"SQLite, and a hint.\n\n");
	for (size_t i = 0; i < ENTRIES; i++)
	{
		if (entries[i].section != NULL)
			printf("## %s\n\n", entries[i].section);
		else
			print_function(sr_command_find(entries[i].name));
	}
	printf(
		"### trigger redis_invalidate('template', ...)\n\n"
		"PostgreSQL: as a trigger function, AFTER INSERT, UPDATE or DELETE FOR EACH ROW, FOR EACH\n"
		"STATEMENT with transition tables, or BEFORE TRUNCATE. Queues the keys that its templates\n"
		"name for the old and the new row.\n\n");
	printf(
		"## Granting a group in PostgreSQL\n\n"
		"CREATE EXTENSION gives nobody but superusers what reaches Redis. One statement grants a\n"
		"group; the redis_call of `admin` can do whatever the Redis user may.\n\n");
	print_grant(SR_GROUP_READ, "read");
	print_grant(SR_GROUP_WRITE, "write");
	print_grant(SR_GROUP_ADMIN, "admin");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "sql") == 0)
		generate_sql();
	else if (argc == 2 && strcmp(argv[1], "reference") == 0)
		generate_reference();
	else
	{
		fprintf(stderr, "usage: generate sql|reference\n");
		return 2;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
