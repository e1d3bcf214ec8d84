/*
 * invalidate.c - the functions that queue effects for the commit: redis_invalidate and its kin,
 * redis_on_commit; and redis_pending, which shows them.
 */
#include "pg_sqlredis.h"

#include "funcapi.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "command.h"

/*
 * The arguments of a call, none of which is NULL; false: one is. Some functions are not called at all with
 * less.
 */
static bool arguments_of(pg_arguments *out, FunctionCallInfo fcinfo, const sr_command *cmd)
{
	if (PG_ARGISNULL(0))
		return false;
	pg_arguments_get(out, fcinfo, cmd, 0);
	for (int i = 0; i < out->count; i++)
		if (out->values[i].type == SR_TYPE_NULL)
			return false;
	return true;
}

Datum pg_call_invalidate(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	pg_arguments arguments;
	int64		 queued = 0;

	if (!arguments_of(&arguments, fcinfo, cmd))
		PG_RETURN_NULL();
	for (int i = 0; i < arguments.count; i++)
		queued += pg_queue_key_value(&arguments.values[i]);
	PG_RETURN_INT64(queued);
}

Datum pg_call_invalidate_tag(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	pg_arguments arguments;
	size_t		 prefix_len;
	const char	*prefix;
	int64		 queued = 0;

	if (!arguments_of(&arguments, fcinfo, cmd))
		PG_RETURN_NULL();
	prefix = sr_client_prefix(pg_client_for_queue(), &prefix_len);
	for (int i = 0; i < arguments.count; i++)
	{
		const sr_value *tag = &arguments.values[i];
		sr_buf			key = {0};
		size_t			len;
		bool			ok = sr_tag_key(prefix, prefix_len, tag->data, tag->len, &key);
		char		   *whole = pg_take_buf(&key, ok, &len);

		queued += pg_queue_effect(SR_EFFECT_TAG, whole, len);
	}
	PG_RETURN_INT64(queued);
}

/* pattern behind the key prefix, in which nothing is special. */
static char *whole_pattern(const char *pattern, size_t len, size_t *whole_len)
{
	sr_line line;
	sr_buf	whole = {0};
	sr_err	err = {0};
	bool	ok;

	sr_line_init(&line, pg_client_for_queue());
	ok = sr_line_pattern(&line, pattern, len, &err) &&
		 sr_buf_add(&whole, line.argv.argv[0], line.argv.argvlen[0]);
	sr_line_free(&line);
	return pg_take_buf(&whole, ok, whole_len);
}

Datum pg_call_invalidate_pattern(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	pg_arguments arguments;
	size_t		 len;
	char		*pattern;

	if (!arguments_of(&arguments, fcinfo, cmd))
		PG_RETURN_NULL();
	pattern = whole_pattern(arguments.values[0].data, arguments.values[0].len, &len);
	PG_RETURN_INT64(pg_queue_effect(SR_EFFECT_PATTERN, pattern, len));
}

Datum pg_call_on_commit(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	sr_client	*client = pg_client_for_queue();
	pg_arguments arguments;
	sr_line		 line;
	sr_err		 err = {0};
	int64_t		 wait = 0;

	if (!arguments_of(&arguments, fcinfo, cmd))
		PG_RETURN_NULL();
	sr_line_init(&line, client);
	PG_TRY();
	{
		if (!sr_line_args(&line, cmd, arguments.count, arguments.values, &err) ||
			!sr_line_admit(client, &line, &wait, &err))
			pg_raise(&err);
		pg_queue_command(&line.argv);
	}
	PG_FINALLY();
	{
		sr_line_free(&line);
	}
	PG_END_TRY();
	PG_RETURN_INT64(1);
}

/* ---- redis_pending ---- */

/* How much of an effect is the key prefix, which its author did not write. */
typedef struct prefixes
{
	size_t key, pattern;
} prefixes;

static prefixes get_prefixes(void)
{
	prefixes p = {0, 0};

	sr_client_prefix(pg_client_for_queue(), &p.key);
	pfree(whole_pattern("", 0, &p.pattern));
	return p;
}

/* One effect, or one command of those sent together: *pos moves behind it. false: there are no more. */
static bool effect_text(const prefixes *p, sr_effect kind, const char *data, size_t len,
						size_t *pos, Oid type, Datum *out)
{
	size_t	 cut = kind == SR_EFFECT_KEY ? p->key : kind == SR_EFFECT_PATTERN ? p->pattern : 0;
	sr_buf	 words = {0};
	sr_value cell = {.type = SR_TYPE_TEXT};
	int		 more;

	if (sr_effect_is_group(kind))
		more = sr_effects_line(kind, data, len, pos, &words);
	else if (*pos > 0)
		more = 0;
	else
	{
		cut = Min(cut, len);
		*pos = 1;
		more = sr_effect_describe(kind, data + cut, len - cut, &words) ? 1 : -1;
	}
	if (more == 0)
		return false;
	cell.data = pg_take_buf(&words, more > 0, &cell.len);
	*out = pg_datum_from_value(&cell, type, NULL);
	return true;
}

typedef struct pending
{
	Tuplestorestate *store;
	TupleDesc		 desc;
	prefixes		 prefixes;
	MemoryContext	 context; /* of a row */
} pending;

/* A row for each command, whatever is sent together. */
static void put_effect(const pending *p, const sr_inval *queue, size_t i)
{
	size_t		len, pos = 0;
	int			depth;
	sr_effect	kind;
	const char *data = sr_inval_effect(queue, i, &kind, &len, &depth);
	sr_value	name = {
		   .type = SR_TYPE_TEXT, .data = sr_effect_name(kind), .len = strlen(sr_effect_name(kind))};
	bool  nulls[3] = {false, false, false};
	Datum values[3];

	/* The transaction itself is level 1 of PostgreSQL's and depth 0 here. */
	values[1] = Int64GetDatum((int64) depth - 1);
	while (effect_text(&p->prefixes, kind, data, len, &pos, TupleDescAttr(p->desc, 0)->atttypid,
					   &values[0]))
	{
		values[2] = pg_datum_from_value(&name, TupleDescAttr(p->desc, 2)->atttypid, NULL);
		tuplestore_putvalues(p->store, p->desc, values, nulls);
		MemoryContextReset(p->context);
	}
}

Datum pg_call_pending(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	pending			p = {.store = NULL};
	const sr_inval *queue = pg_queue();
	size_t			count = queue != NULL ? sr_inval_count(queue) : 0;
	MemoryContext	before;

	(void) cmd;
	p.store = pg_materialize(fcinfo, &p.desc);
	if (count > 0)
		p.prefixes = get_prefixes();
	p.context =
		AllocSetContextCreate(CurrentMemoryContext, "sqlredis pending", ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(p.context);
	for (size_t i = 0; i < count; i++)
		put_effect(&p, queue, i);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(p.context);
	return (Datum) 0;
}
