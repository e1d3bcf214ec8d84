/*
 * generate.c - prints what follows from commands.def: `generate sql` the install SQL of the
 * PostgreSQL extension, `generate reference` the reference page. Both are committed; `make check`
 * compares.
 */
#include "generate.h"

#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EXAMPLE 16

/* The table in its order, with what only the documentation says of a row. */
typedef struct entry
{
	const char *section; /* a title, or NULL: a function */
	const char *name;
	const char *since;
	const char *doc;				  /* of a section: what holds for all of it */
	const char *example[MAX_EXAMPLE]; /* statement, what it prints, ... */
} entry;

#define EXAMPLE(...)                                                                               \
	{                                                                                              \
		__VA_ARGS__                                                                                \
	}

static const entry entries[] = {
#define SECTION(title, text) {title, NULL, NULL, text, {NULL}},
#define FUNCTION(name, redis, shape, columns, args, flags, group, scalar, rows, since, doc,        \
				 example)                                                                          \
	{NULL, #name, since, doc, example},
#include "commands.def"
};
#define ENTRIES (sizeof entries / sizeof entries[0])

/* One of a row's PostgreSQL signatures. */
typedef struct signature
{
	const entry		 *entry;
	const sr_command *cmd;
	/* Which of its values are of any type that is no array, and bounds numbers; the others are text. */
	unsigned any;
	bool	 variadic; /* with the variadic argument, if there is one */
	bool	 all;	   /* of an aggregate: with the optional arguments, which have no defaults */
	bool	 twin;	   /* gives bytea */
} signature;

/* Values, bounds and JSON may be text or something else: how many are before end (NULL: in all)? */
static int count_free(const sr_command *cmd, const sr_arg *end)
{
	int n = 0;

	for (const sr_arg *arg = cmd->args; arg->name != NULL && arg != end; arg++)
		n += arg->kind == SR_ARG_VALUE || arg->kind == SR_ARG_BOUND || arg->kind == SR_ARG_JSON;
	return n;
}

static bool is_any(const signature *s, const sr_arg *arg)
{
	return s->any >> count_free(s->cmd, arg) & 1;
}

static const char *value_type(const signature *s, const sr_arg *arg)
{
	if (arg->flags & SR_VARIADIC)
		return is_any(s, arg) ? "\"any\"" : "text[]";
	if (!is_any(s, arg))
		return "text";
	/* two values need not be of one type, but of types that have a common one */
	return (s->any & (s->any - 1)) != 0 ? "anycompatiblenonarray" : "anynonarray";
}

static const char *argument_type(const signature *s, const sr_arg *arg)
{
	switch (arg->kind)
	{
		case SR_ARG_INTEGER: return "bigint";
		case SR_ARG_DOUBLE:
		case SR_ARG_TTL:
		case SR_ARG_AT: return "double precision";
		case SR_ARG_BOUND: return is_any(s, arg) ? "double precision" : "text";
		case SR_ARG_FLAG: return "boolean";
		case SR_ARG_KEY_LIST:
		case SR_ARG_LIST: return "text[]";
		case SR_ARG_RELATION: return "regclass";
		case SR_ARG_JSON:
		case SR_ARG_VALUE: return value_type(s, arg);
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

static void print_default(const sr_arg *arg)
{
	if (arg->dflt == NULL)
		printf(" DEFAULT %s", arg->kind == SR_ARG_FLAG ? "false" : "NULL");
	else
		printf(arg->kind == SR_ARG_TEXT ? " DEFAULT '%s'" : " DEFAULT %s", arg->dflt);
}

/*
 * May it be left out? Not in the variant where it, or one behind it, is of any type: a call without it would
 * fit both that one and the one where it is text.
 */
static bool has_default(const signature *s, const sr_arg *arg)
{
	if (!(arg->flags & SR_OPTIONAL) || (arg->flags & SR_VARIADIC) || (s->cmd->flags & SR_AGGREGATE))
		return false;
	for (; arg->name != NULL; arg++)
		if (arg->kind == SR_ARG_JSON && is_any(s, arg))
			return false;
	return true;
}

/* The argument list; types only for what names an existing function (GRANT, COMMENT). */
static void print_arguments(const signature *s, const char *first, bool types_only)
{
	const char *comma = "";

	if (first[0] != '\0')
	{
		printf("%s", first);
		comma = ", ";
	}
	for (const sr_arg *arg = s->cmd->args; arg->name != NULL; arg++)
	{
		bool aggregate = (s->cmd->flags & SR_AGGREGATE) != 0;

		if ((!s->variadic && (arg->flags & SR_VARIADIC)) ||
			(aggregate && !s->all && (arg->flags & SR_OPTIONAL)))
			continue;
		printf("%s%s", comma, arg->flags & SR_VARIADIC ? "VARIADIC " : "");
		if (!types_only)
			printf("%s ", arg->name);
		printf("%s", argument_type(s, arg));
		if (!types_only && has_default(s, arg))
			print_default(arg);
		comma = ", ";
	}
}

static void print_result(const signature *s)
{
	const char *comma = "";

	if (s->cmd->shape != SR_SHAPE_ROWS)
	{
		printf("%s", s->twin ? "bytea" : scalar_type(s->cmd));
		return;
	}
	printf("TABLE (");
	for (const sr_column *column = s->cmd->columns; column->name != NULL; column++)
	{
		bool bytes = s->twin && (column->flags & SR_COLUMN_DATA);

		printf("%s%s %s", comma, column->name, bytes ? "bytea" : column_type(column->type));
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

typedef void (*print_fn)(const signature *s);

static void with_twin(signature s, print_fn print)
{
	print(&s);
	s.twin = true;
	if (s.cmd->flags & SR_BINARY)
		print(&s);
}

/* Call print for each PostgreSQL function that the row stands for. */
static void each_function(const entry *e, print_fn print)
{
	signature s = {.entry = e, .cmd = sr_command_find(e->name)};
	unsigned  last = (1U << count_free(s.cmd, NULL)) - 1;
	bool	  optional = false;

	for (const sr_arg *arg = s.cmd->args; arg->name != NULL; arg++)
	{
		optional |= (arg->flags & SR_OPTIONAL) != 0;
		if (arg->flags != (SR_OPTIONAL | SR_VARIADIC))
			continue;
		for (s.any = 0; s.any < 1U << count_free(s.cmd, arg); s.any++)
			with_twin(s, print);
	}
	s.variadic = true;
	for (s.any = 0; s.any <= last; s.any++)
	{
		s.all = false;
		with_twin(s, print);
		s.all = true;
		if ((s.cmd->flags & SR_AGGREGATE) && optional)
			with_twin(s, print);
	}
}

static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++)
		printf(*text == '\'' ? "''" : "%c", *text);
	putchar('\'');
}

/* What follows the creation of a function or aggregate. */
static void print_rights(const signature *s)
{
	const char *suffix = s->twin ? "_bytea" : "";

	if (s->cmd->group != SR_GROUP_PUBLIC)
	{
		printf("REVOKE ALL ON FUNCTION %s%s(", s->cmd->name, suffix);
		print_arguments(s, "", true);
		printf(") FROM PUBLIC;\n");
	}
	printf("COMMENT ON %s %s%s(", s->cmd->flags & SR_AGGREGATE ? "AGGREGATE" : "FUNCTION",
		   s->cmd->name, suffix);
	print_arguments(s, "", true);
	printf(") IS\n\t");
	print_quoted(s->entry->doc);
	printf(";\n\n");
}

static void print_aggregate(const signature *s)
{
	printf("CREATE FUNCTION %s_step(", s->cmd->name);
	print_arguments(s, "internal", false);
	printf(")\n\tRETURNS internal\n\tLANGUAGE C %s\n\tAS 'MODULE_PATHNAME', 'pg_%s';\n",
		   properties(s->cmd), s->cmd->name);
	printf("REVOKE ALL ON FUNCTION %s_step(", s->cmd->name);
	print_arguments(s, "internal", true);
	printf(") FROM PUBLIC;\nCREATE AGGREGATE %s(", s->cmd->name);
	print_arguments(s, "", false);
	printf(") (\n\tSFUNC = %s_step, STYPE = internal, SSPACE = 128,\n\tFINALFUNC = "
		   "redis_aggregate_final, "
		   "FINALFUNC_MODIFY = READ_WRITE, PARALLEL = UNSAFE);\n",
		   s->cmd->name);
	print_rights(s);
}

static void print_sql(const signature *s)
{
	if (s->cmd->flags & SR_AGGREGATE)
	{
		print_aggregate(s);
		return;
	}
	printf("CREATE FUNCTION %s%s(", s->cmd->name, s->twin ? "_bytea" : "");
	print_arguments(s, "", false);
	printf(")\n\tRETURNS ");
	print_result(s);
	printf("\n\tLANGUAGE C %s%s\n\tAS 'MODULE_PATHNAME', 'pg_%s';\n", properties(s->cmd),
		   s->cmd->flags & SR_WINDOW ? " WINDOW" : "", s->cmd->name);
	print_rights(s);
}

static void generate_sql(void)
{
	printf("-- sqlredis %s: generated from common/commands.def by `make docs`. Do not edit.\n\n"
		   "\\echo Use \"CREATE EXTENSION sqlredis\" to load this file. \\quit\n\n",
		   SR_VERSION);
	printf("-- Of every aggregate.\n\n"
		   "CREATE FUNCTION redis_aggregate_final(internal)\n\tRETURNS bigint\n\tLANGUAGE C "
		   "VOLATILE PARALLEL UNSAFE\n\tAS 'MODULE_PATHNAME', 'pg_aggregate_final';\n"
		   "REVOKE ALL ON FUNCTION redis_aggregate_final(internal) FROM PUBLIC;\n\n");
	for (size_t i = 0; i < ENTRIES; i++)
	{
		if (entries[i].section != NULL)
			printf("-- %s\n\n", entries[i].section);
		else if (!(sr_command_find(entries[i].name)->flags & SR_SQLITE_ONLY))
			each_function(&entries[i], print_sql);
	}
	print_own_objects();
}

/* ---- reference ---- */

static void print_usage(const sr_command *cmd)
{
	const char *comma = "";

	printf("### %s(", cmd->name);
	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
	{
		const char *name = arg->flags & SR_PAIRS ? "field, value" : arg->name;
		const char *more = arg->flags & SR_PAIRS ? ", ..." : arg->flags & SR_VARIADIC ? "..." : "";

		printf(arg->flags & SR_OPTIONAL ? "%s[%s%s]" : "%s%s%s", comma, name, more);
		comma = ", ";
	}
	printf(")%s → ", cmd->flags & SR_WINDOW ? " OVER ()" : "");
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

static void print_signature(const signature *s)
{
	printf("    %s%s(", s->cmd->name, s->twin ? "_bytea" : "");
	print_arguments(s, "", false);
	printf(") returns ");
	print_result(s);
	printf("\n");
}

/* A statement, and two columns further in what it prints. */
static void print_example(const entry *e)
{
	printf("Example:\n\n");
	for (int i = 0; i + 1 < MAX_EXAMPLE && e->example[i] != NULL; i += 2)
	{
		const char *line = e->example[i + 1];

		printf("    %s;\n", e->example[i]);
		while (*line != '\0')
		{
			size_t len = strcspn(line, "\n");

			printf("      %.*s\n", (int) len, line);
			line += len + (line[len] == '\n');
		}
	}
	printf("\n");
}

/* What a NULL does, for an aggregate skips it and an optional one counts as left out. */
static void print_nulls(const sr_command *cmd)
{
	const char *comma = "A NULL in ";

	if (cmd->flags & (SR_AGGREGATE | SR_ENGINE))
		return;
	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
	{
		if ((arg->flags & SR_OPTIONAL) && !(arg->flags & SR_VARIADIC))
			continue;
		printf("%s%s", comma, arg->name);
		comma = " or ";
	}
	if (strcmp(comma, " or ") != 0)
		return;
	if (cmd->flags & SR_NULLS)
		printf(": a row of NULLs for an element, no rows for another argument. ");
	else
		printf(cmd->shape == SR_SHAPE_ROWS ? ": no rows. " : ": NULL. ");
}

static void print_function(const entry *e)
{
	static const char *const groups[] = {"everybody", "read", "write", "admin"};
	const sr_command		*cmd = sr_command_find(e->name);

	print_usage(cmd);
	printf("%s\n\n", e->doc);
	if (cmd->redis != NULL)
		printf("Redis: `%s`. ", cmd->redis);
	print_nulls(cmd);
	printf("Access: %s. Since %s.\n\n", groups[cmd->group], e->since);
	if (cmd->flags & SR_SQLITE_ONLY)
		printf("SQLite only.\n\n");
	else
	{
		if (cmd->flags & SR_PG_ONLY)
			printf("PostgreSQL only.\n\n");
		each_function(e, print_signature);
		printf("\n");
	}
	print_example(e);
}

/* clang-format off */
static void print_introduction(void)
{
	printf(
		"# Reference\n\n"
		"Generated from `common/commands.def` by `make docs`; do not edit.\n\n"
		"Every function has the same name, arguments and meaning in PostgreSQL and in SQLite. A NULL key or value\n"
		"makes the result NULL (rows: none) and sends nothing; a NULL optional argument counts as left out. A\n"
		"missing key is NULL. Times to live are in seconds, fractions allowed. What gives rows is used as\n"
		"`SELECT * FROM f(...)`. Where Redis has the command, its meaning is Redis's own. An error carries Redis's\n"
		"own words, a SQLSTATE in PostgreSQL or a leading class word in SQLite, and a hint.\n\n"
		"**PostgreSQL.** The signatures are listed with each function. One that ends in `_bytea` gives bytes; the\n"
		"one that gives text raises 22021 for what is not text, and has taken a value away by then if that is what\n"
		"it does (redis_lpop, redis_getdel): use the twin where values may be bytes. JSON may come as text, json or\n"
		"jsonb. An array literal needs its type: `VARIADIC '{a,b}'::text[]`.\n\n"
		"**SQLite.** Booleans are 0 and 1, json is text that SQLite's JSON functions take as JSON; values are TEXT for\n"
		"UTF-8 without NUL bytes and else BLOB. Optional arguments cannot be named: give NULL for those before.\n\n"
		"**Ranges and streams** longer than a page also use LLEN, ZCARD, ZCOUNT or XREVRANGE, to end where they ended\n"
		"when they were asked for: a Redis user with few rights needs those.\n\n"
		"Examples begin with an empty database and print what `psql -At` prints; sqlite3 has 1 and 0 for t and f,\n"
		"and may write 42.0 for 42.\n\n");
}
/* clang-format on */

static void generate_reference(void)
{
	print_introduction();
	for (size_t i = 0; i < ENTRIES; i++)
	{
		if (entries[i].section != NULL)
			printf("## %s\n\n%s%s", entries[i].section, entries[i].doc,
				   entries[i].doc[0] != '\0' ? "\n\n" : "");
		else
			print_function(&entries[i]);
	}
	printf(
		"### trigger redis_invalidate('template', ...)\n\n"
		"PostgreSQL: as a trigger function, AFTER INSERT, UPDATE or DELETE FOR EACH ROW, FOR EACH\n"
		"STATEMENT with transition tables, or BEFORE TRUNCATE. Queues the keys that its templates\n"
		"name for the old and the new row.\n\n"
		"### view redis_stat(name, value)\n\n"
		"PostgreSQL: what redis_stats_total() gives. Members of pg_monitor can read it.\n\n");
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
