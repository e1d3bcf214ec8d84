/*
 * aggregates.c - redis_mset and its kin: aggregates whose rows go to Redis in batches.
 *
 * What is sent stays done; the functions say so. What a failed statement had not sent yet is not sent,
 * as far as that can be told: SQLite calls xFinal alike to end a group and to clean up after a failure.
 */
#include "sqlredis.h"

/* Of one group; SQLite gives it zeroed. */
typedef struct group
{
	sr_batch batch;
	bool	 begun;
	bool	 failed; /* the statement ends: nothing more is sent */
} group;

static bool begin(sqlite3_context *ctx, const sq_function *f, group *g, sr_err *err)
{
	sr_client *client;

	if (g->begun)
		return true;
	if (!sq_call_is_direct(ctx, f->cmd, err))
		return false;
	client = sq_client(f->st, err);
	if (client == NULL)
		return false;
	sr_batch_init(&g->batch, client, f->cmd);
	g->begun = true;
	return true;
}

static bool add(const sq_function *f, group *g, int argc, sqlite3_value **argv, sr_err *err)
{
	sr_value args[SR_MAX_ARGS];

	for (int i = 0; i < argc; i++)
		if (!sq_value_in(argv[i], &f->cmd->args[i], &args[i]))
			return sr_fail_memory(err);
	/* An argument may have called a function that changed the settings. */
	return sq_client(f->st, err) != NULL && sr_batch_add(&g->batch, argc, args, err);
}

static void step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const sq_function *f = sqlite3_user_data(ctx);
	group			  *g = sqlite3_aggregate_context(ctx, sizeof *g);
	sr_err			   err = {0};

	if (g == NULL)
		sqlite3_result_error_nomem(ctx);
	else if (!g->failed && (!begin(ctx, f, g, &err) || !add(f, g, argc, argv, &err)))
	{
		g->failed = true;
		sq_result_error(ctx, &err);
	}
}

/*
 * Does SQLite clean up after a statement that fails? It does not say: what failed in our own hands is
 * known and an interrupt can be seen, but an error of another function in the same statement cannot be
 * told from the end of the rows.
 */
static bool statement_fails(const sq_db *st, sr_err *err)
{
	return sq_interrupted(st) && !sr_fail(err, SR_E_INTERRUPTED, "", "interrupted");
}

static void final(sqlite3_context *ctx)
{
	const sq_function *f = sqlite3_user_data(ctx);
	group			  *g = sqlite3_aggregate_context(ctx, 0);
	sr_err			   err = {0};
	int64_t			   total = 0;

	if (g != NULL && !g->failed &&
		(statement_fails(f->st, &err) || sq_client(f->st, &err) == NULL ||
		 !sr_batch_finish(&g->batch, &total, &err)))
		sq_result_error(ctx, &err);
	else
		sqlite3_result_int64(ctx, total);
	if (g != NULL && g->begun)
		sr_batch_drop(&g->batch);
}

int sq_register_aggregates(sq_db *st)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < sr_command_count; i++)
	{
		const sr_command *cmd = &sr_commands[i];
		int				  required, most;

		if (!(cmd->flags & SR_AGGREGATE) || (cmd->flags & SR_PG_ONLY))
			continue;
		most = sr_command_arity(cmd, &required);
		for (int n = required; rc == SQLITE_OK && n <= most; n++)
		{
			sq_function *f = sq_function_new(st, cmd);

			if (f == NULL)
				return SQLITE_NOMEM;
			rc = sqlite3_create_function_v2(st->db, cmd->name, n, SQLITE_UTF8 | SQLITE_DIRECTONLY,
											f, NULL, step, final, sq_function_free);
		}
	}
	return rc;
}
