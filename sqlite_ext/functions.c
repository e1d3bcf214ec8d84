/*
 * functions.c - the scalar functions: one loop over sr_commands registers them, one C function runs
 * all that are not the adapter's own.
 *
 * All but redis_invalidate and its kin are SQLITE_DIRECTONLY: a view or trigger of a database file that somebody
 * else wrote must not reach Redis (guard.c sees to CHECK constraints). None is SQLITE_INNOCUOUS or
 * deterministic.
 */
#include "sqlredis.h"

#include <string.h>

#define INLINE_ARGS 16

bool sq_forgive(sq_db *st, const sr_command *cmd, const sr_err *err)
{
	if (!sq_fails_open(&st->settings) || !(cmd->flags & SR_READ) || !sr_class_is_outage(err->cls))
		return false;
	if (!st->warned)
		sqlite3_log(SQLITE_WARNING, "sqlredis: reads give NULL while Redis is away: %s: %s",
					sr_class_word(err->cls), err->msg);
	st->warned = true;
	return true;
}

static void too_few(sqlite3_context *ctx, const sr_command *cmd, int required)
{
	sr_err		 err = {0};
	sqlite3_str *names = sqlite3_str_new(NULL);
	char		*text;

	for (const sr_arg *arg = cmd->args; arg->name != NULL; arg++)
		sqlite3_str_appendf(names, "%s%s%s", arg == cmd->args ? "" : ", ", arg->name,
							arg->flags & SR_VARIADIC ? "..." : "");
	text = sqlite3_str_finish(names);
	sr_fail(&err, SR_E_OPTION, "", "%s(%s) needs at least %d argument%s", cmd->name,
			text != NULL ? text : "...", required, required == 1 ? "" : "s");
	sqlite3_free(text);
	sq_result_error(ctx, &err);
}

/* *result is to be freed in any case. */
static bool run(const sq_function *f, sr_client *client, int n, const sr_value *args,
				sr_result *result, sr_err *err)
{
	sq_binding binding;
	bool	   done;

	if (!(f->cmd->flags & SR_BOUND))
		return sr_invoke(client, f->cmd, n, args, result, err);
	*result = (sr_result){.reply = NULL};
	if (!sq_bind(f->st, &binding, err))
		return false;
	done = sr_invoke(client, f->cmd, n, args, result, err);
	sq_unbind(f->st, &binding, done);
	return done;
}

static void invoke(sqlite3_context *ctx, const sq_function *f, int n, const sr_value *args)
{
	sr_err	  err = {0};
	sr_result result;
	/* a trigger only queues, and must not be held up by what else waits */
	sr_client *client = f->direct_only ? sq_client(f->st, &err) : sq_client_to_queue(f->st, &err);

	if (client == NULL)
	{
		sq_result_error(ctx, &err);
		return;
	}
	if (run(f, client, n, args, &result, &err))
	{
		if (f->cmd->redis != NULL)
			f->st->warned = false;
		sq_result_value(ctx, &result.value);
	}
	else if (!sq_forgive(f->st, f->cmd, &err))
		sq_result_error(ctx, &err);
	sr_result_free(&result);
}

static void plain(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const sq_function *f = sqlite3_user_data(ctx);
	const sr_arg	  *arg = f->cmd->args;
	sr_value		   inline_args[INLINE_ARGS];
	sr_value		  *args = inline_args;
	bool			   ok = true;

	if (argc > INLINE_ARGS)
		args = sqlite3_malloc64((sqlite3_uint64) argc * sizeof *args);
	if (args == NULL)
	{
		sqlite3_result_error_nomem(ctx);
		return;
	}
	for (int i = 0; ok && i < argc; i++)
	{
		ok = sq_value_in(argv[i], arg, &args[i]);
		if (!(arg->flags & SR_VARIADIC))
			arg++;
	}
	if (ok)
		invoke(ctx, f, argc, args);
	else
		sqlite3_result_error_nomem(ctx);
	if (args != inline_args)
		sqlite3_free(args);
}

/* Of the core, and for triggers that command Redis. */
static void plain_if_trusted(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	sr_err err = {0};

	if (sq_call_is_trusted(ctx, &err))
		plain(ctx, argc, argv);
	else
		sq_result_error(ctx, &err);
}

/* SQLite checks the number of arguments of all but the variadic ones. */
static void call(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const sq_function *f = sqlite3_user_data(ctx);
	sr_err			   err = {0};
	int				   required;

	sr_command_arity(f->cmd, &required);
	if (argc < required)
		too_few(ctx, f->cmd, required);
	else if (f->direct_only && !sq_call_is_direct(ctx, f->cmd, &err))
		sq_result_error(ctx, &err);
	else
		f->scalar(ctx, argc, argv);
}

typedef void (*scalar_fn)(sqlite3_context *ctx, int argc, sqlite3_value **argv);

static scalar_fn implementation(const sr_command *cmd)
{
	static const struct
	{
		const char *name;
		scalar_fn	scalar;
	} own[] = {{"redis_invalidate", sq_invalidate},
			   {"redis_invalidate_tag", sq_invalidate_tag},
			   {"redis_invalidate_pattern", sq_invalidate_pattern},
			   {"redis_on_commit", sq_on_commit},
			   {"redis_enqueue", plain_if_trusted},
			   {"redis_bullmq_add", plain_if_trusted},
			   {"redis_outbox_drain", sq_outbox_drain},
			   {"redis_cached", sq_cached},
			   {"redis_cache_fill", sq_cache_fill},
			   {"redis_invalidate_on", sq_invalidate_on},
			   {"redis_invalidate_off", sq_invalidate_off},
			   {"redis_config", sq_config}};

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strcmp(cmd->name, own[i].name) == 0)
			return own[i].scalar;
	return cmd->flags & SR_ENGINE ? NULL : plain;
}

/* The last three look for themselves who calls. */
static bool is_for_triggers(scalar_fn scalar)
{
	return scalar == sq_invalidate || scalar == sq_invalidate_tag ||
		   scalar == sq_invalidate_pattern || scalar == sq_on_commit || scalar == plain_if_trusted;
}

/* SQLITE_RESULT_SUBTYPE, which 3.45 asks for and older headers do not have. */
#define RESULT_SUBTYPE 0x001000000

static int register_one(sq_db *st, const sr_command *cmd, scalar_fn scalar, int arity)
{
	sq_function *f = sq_function_new(st, cmd);
	int			 flags = SQLITE_UTF8;

	if (f == NULL)
		return SQLITE_NOMEM;
	f->scalar = scalar;
	f->direct_only = !is_for_triggers(scalar);
	if (f->direct_only)
		flags |= SQLITE_DIRECTONLY;
	if (cmd->shape == SR_SHAPE_JSON && sqlite3_libversion_number() >= 3045000)
		flags |= RESULT_SUBTYPE;
	return sqlite3_create_function_v2(st->db, cmd->name, arity, flags, f, call, NULL, NULL,
									  sq_function_free);
}

int sq_register_functions(sq_db *st)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < sr_command_count; i++)
	{
		const sr_command *cmd = &sr_commands[i];
		scalar_fn		  scalar;
		int				  required, most;

		if (cmd->shape == SR_SHAPE_ROWS || (cmd->flags & (SR_AGGREGATE | SR_PG_ONLY)))
			continue;
		scalar = implementation(cmd);
		if (scalar == NULL)
			return SQLITE_INTERNAL;
		most = sr_command_arity(cmd, &required);
		if (most < 0)
			rc = register_one(st, cmd, scalar, -1);
		for (int n = required; rc == SQLITE_OK && n <= most; n++)
			rc = register_one(st, cmd, scalar, n);
	}
	return rc;
}
