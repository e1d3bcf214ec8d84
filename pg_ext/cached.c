/*
 * cached.c - redis_cached: the cached answer of a query, or the query's.
 *
 * A hit plans and parses nothing. On a miss the query runs by SPI with the caller's rights and a snapshot
 * of its own, taken after the lease; lease.c says when the answer may be filled.
 */
#include "pg_sqlredis.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "mutation.h"

/* What the query is called with. */
typedef struct parameters
{
	int	   count;
	Oid	  *types; /* UNKNOWNOID: the query says; the value is a C string then */
	Datum *values;
	char  *nulls; /* ' ' or 'n', as SPI has it */
} parameters;

typedef struct call
{
	sr_client  *client;
	sr_value	key;
	int64_t		ttl; /* ms */
	const char *query;
	parameters	arguments;
	bool		leased;
	char		lease[sizeof(((sr_cached *) NULL)->lease)];
} call;

/* ---- arguments ---- */

static void add_parameter(parameters *p, Oid type, Datum value, bool isnull)
{
	p->types[p->count] = type;
	p->values[p->count] = value;
	p->nulls[p->count] = isnull ? 'n' : ' ';
	p->count++;
}

static void make_room(parameters *p, int n)
{
	if (n > 65535)
		ereport(ERROR, (errcode(ERRCODE_TOO_MANY_ARGUMENTS), errmsg("too many arguments")));
	*p = (parameters){.types = palloc(n * sizeof *p->types),
					  .values = palloc(n * sizeof *p->values),
					  .nulls = palloc(n)};
}

/* The elements of a variadic array. What comes as text may be meant as anything. */
static void array_parameters(parameters *p, ArrayType *array, bool untyped)
{
	Oid	   type = ARR_ELEMTYPE(array);
	int16  len;
	bool   byval;
	char   align;
	Datum *values;
	bool  *nulls;
	int	   n;

	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(array, type, len, byval, align, &values, &nulls, &n);
	make_room(p, n + 1);
	for (int i = 0; i < n; i++)
		if (untyped)
			add_parameter(p, UNKNOWNOID,
						  nulls[i] ? (Datum) 0 : CStringGetDatum(TextDatumGetCString(values[i])),
						  nulls[i]);
		else
			add_parameter(p, type, values[i], nulls[i]);
}

static void get_parameters(parameters *p, FunctionCallInfo fcinfo, int first)
{
	bool untyped = get_func_variadictype(fcinfo->flinfo->fn_oid) == TEXTOID;

	if (PG_NARGS() > first && (untyped || get_fn_expr_variadic(fcinfo->flinfo)))
	{
		/* No array has no elements. */
		if (!PG_ARGISNULL(first))
			array_parameters(p, PG_GETARG_ARRAYTYPE_P(first), untyped);
		return;
	}
	make_room(p, PG_NARGS());
	for (int i = first; i < PG_NARGS(); i++)
	{
		Oid type = get_fn_expr_argtype(fcinfo->flinfo, i);

		if (!OidIsValid(type))
			ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
							errmsg("could not determine the type of argument %d", i + 1)));
		add_parameter(p, type, PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i), PG_ARGISNULL(i));
	}
}

/* What is wrong with the query is told of the query, not of the statement that has it as a string. */
static void point_into_query(void *arg)
{
	int position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(arg);
	}
}

static void refuse_number_of_statements(int n)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR), errmsg("the query must be one statement, not %d", n)));
}

/* The types that the query expects for those that have none, and their values as such. */
static void infer_types(parameters *p, const char *query)
{
	ErrorContextCallback callback = {.previous = error_context_stack,
									 .callback = point_into_query,
									 .arg = unconstify(char *, query)};
	int					 n = p->count;
	Oid					*types = palloc((n + 1) * sizeof *types);
	List				*statements;

	memcpy(types, p->types, n * sizeof *types);
	error_context_stack = &callback;
	statements = pg_parse_query(query);
	if (list_length(statements) != 1)
		refuse_number_of_statements(list_length(statements));
	parse_analyze_varparams(linitial(statements), query, &types, &n, NULL);
	error_context_stack = callback.previous;
	if (n > p->count)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_PARAMETER),
						errmsg("there is no argument for parameter $%d", p->count + 1)));
	for (int i = 0; i < p->count; i++)
	{
		Oid input, element;

		if (p->types[i] != UNKNOWNOID)
			continue;
		if (!OidIsValid(types[i]) || types[i] == UNKNOWNOID)
			ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
							errmsg("could not determine data type of parameter $%d", i + 1)));
		p->types[i] = types[i];
		getTypeInputInfo(types[i], &input, &element);
		/* NULL, too: a domain may refuse it. */
		p->values[i] = OidInputFunctionCall(
			input, p->nulls[i] == 'n' ? NULL : DatumGetCString(p->values[i]), element, -1);
	}
}

/* ---- the query ---- */

static void check_query(CachedPlanSource *source)
{
	ListCell *cell;

	foreach (cell, source->query_list)
		if (lfirst_node(Query, cell)->commandType == CMD_UTILITY)
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("%s cannot be cached",
								   CreateCommandName(lfirst_node(Query, cell)->utilityStmt)),
							errhint("The query must be a SELECT, or have a RETURNING clause.")));
	if (source->resultDesc == NULL || source->resultDesc->natts != 1)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("the query must give one column, not %d",
							   source->resultDesc == NULL ? 0 : source->resultDesc->natts),
						errhint("Make one value of several, for example with json_build_object.")));
}

/* How many rows to read: the second one is an error. What changes rows is never stopped half-way. */
static long row_limit(CachedPlanSource *source)
{
	ListCell *cell;

	foreach (cell, source->query_list)
		if (lfirst_node(Query, cell)->commandType != CMD_SELECT)
			return 0;
	return 2;
}

static SPIPlanPtr prepare(call *c, CachedPlanSource **source)
{
	parameters *p = &c->arguments;
	SPIPlanPtr	plan;
	List	   *sources;

	for (int i = 0; i < p->count; i++)
		if (p->types[i] == UNKNOWNOID)
		{
			infer_types(p, c->query);
			break;
		}
	plan = SPI_prepare(c->query, p->count, p->types);
	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("the query cannot be cached"),
				 errdetail("%s", SPI_result_code_string(SPI_result))));
	sources = SPI_plan_get_plan_sources(plan);
	if (list_length(sources) != 1)
		refuse_number_of_statements(list_length(sources));
	*source = linitial(sources);
	check_query(*source);
	return plan;
}

/* The one value of SPI's result as text, in context; NULL: it is NULL, or there is no row. */
static text *answer(MemoryContext context)
{
	char		  scratch[PG_INTEGER_TEXT];
	MemoryContext before;
	pg_text		  column;
	sr_text		  found;
	text		 *copy;
	int			  nest_level = 0;
	Oid			  type = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
	bool		  isnull;
	Datum		  datum;

	if (SPI_processed > 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION), errmsg("the query gave more than one row"),
				 errhint("Make one value of several rows, for example with json_agg.")));
	if (SPI_processed == 0)
		return NULL;
	datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		return NULL;
	pg_text_init(&column, type, CurrentMemoryContext);
	if (!pg_text_is_fixed(type))
		nest_level = pg_text_begin("");
	found = pg_text_of(&column, datum, scratch);
	pg_text_end(nest_level);
	before = MemoryContextSwitchTo(context);
	copy = cstring_to_text_with_len(found.data, (int) found.len);
	MemoryContextSwitchTo(before);
	return copy;
}

static bool reads_a_function(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
		return ((RangeTblEntry *) node)->rtekind == RTE_FUNCTION;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, reads_a_function, context,
								 QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, reads_a_function, context);
}

/*
 * Does the answer depend on who asks? Rewriting the query tells; of an SQL function in FROM, into which
 * the planner looks, only planning does.
 */
static bool depends_on_role(SPIPlanPtr plan, CachedPlanSource *source)
{
	CachedPlan *planned;
	bool		depends;

	if (source->dependsOnRLS)
		return true;
	if (!reads_a_function((Node *) source->query_list, NULL))
		return false;
	/* What planning evaluates may be part of the answer. */
	PushActiveSnapshot(GetTransactionSnapshot());
	planned = SPI_plan_get_cached_plan(plan);
	depends = planned == NULL || planned->dependsOnRole;
	if (planned != NULL)
		ReleaseCachedPlan(planned, NULL);
	PopActiveSnapshot();
	return depends;
}

static void give_up_lease(call *c, sr_unfilled why)
{
	c->leased = false;
	sr_client_count_unfilled(c->client, why);
	sr_cache_release(c->client, c->key.data, c->key.len, c->lease);
}

/* Run the query. May leave the lease; the answer is in the caller's context. */
static text *run(call *c)
{
	MemoryContext	  context = CurrentMemoryContext;
	CachedPlanSource *source;
	SPIPlanPtr		  plan;
	text			 *found;
	int				  result;
	bool			  outer = pg_cache_forget_hits(); /* of a query that this is part of */

	SPI_connect();
	plan = prepare(c, &source);
	if (c->leased && depends_on_role(plan, source))
		give_up_lease(c, SR_UNFILLED_SECURITY);
	/* Not read-only: that would be the calling statement's snapshot, which is older than the lease. */
	result = SPI_execute_plan(plan, c->arguments.values, c->arguments.nulls,
							  sr_without(SNAPSHOT_ORDER), row_limit(source));
	if (result < 0)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), c->query);
	found = answer(context);
	SPI_finish();
	if (pg_cache_forget_hits())
	{
		if (c->leased)
			give_up_lease(c, SR_UNFILLED_ISOLATION);
		outer = true;
	}
	if (outer)
		pg_cache_note_hit();
	return found;
}

static void fill(call *c, text *found)
{
	sr_unfilled refusal = pg_cache_refusal();
	sr_value	value = {.type = SR_TYPE_NULL};

	if (refusal == SR_UNFILLED_REASONS && pg_cache_is_queued(c->client, &c->key))
		refusal = SR_UNFILLED_QUEUED;
	if (refusal != SR_UNFILLED_REASONS)
	{
		give_up_lease(c, refusal);
		return;
	}
	if (found != NULL)
		pg_value_from_text(&value, VARDATA_ANY(found), VARSIZE_ANY_EXHDR(found));
	c->leased = false;
	pg_cache_fill(c->client, &c->key, c->lease, &value, c->ttl, 0, NULL);
}

/* The query failed or was cancelled: those who wait for it need not. Not for longer than a COMMIT would. */
static void after_failure(call *c)
{
	if (!c->leased)
		return;
	pg_host_set_uninterruptible(true);
	pg_host_give_up_after(pg_setting_commit_timeout);
	give_up_lease(c, SR_UNFILLED_FAILED);
	pg_host_give_up_after(0);
	pg_host_set_uninterruptible(false);
}

static text *compute(call *volatile c, FunctionCallInfo fcinfo)
{
	text *volatile found = NULL;

	PG_TRY();
	{
		get_parameters(&c->arguments, fcinfo, 3);
		found = run(c);
		if (c->leased)
			fill(c, found);
		pg_host_rethrow();
	}
	PG_CATCH();
	{
		after_failure(c);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return found;
}

/* A hit's value, and the end of it. */
static text *cached_text(sr_cached *cached)
{
	text *volatile found = NULL;

	PG_TRY();
	{
		if (cached->value.type != SR_TYPE_NULL)
			found = DatumGetTextPP(pg_datum_from_value(&cached->value, TEXTOID, "redis_cache_get"));
	}
	PG_CATCH();
	{
		sr_cached_free(cached);
		PG_RE_THROW();
	}
	PG_END_TRY();
	sr_cached_free(cached);
	return found;
}

Datum pg_call_cached(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	call	  c = {.client = pg_client()};
	text	 *key, *found = NULL;
	sr_cached cached;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	key = PG_GETARG_TEXT_PP(0);
	pg_value_from_text(&c.key, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	c.ttl = pg_cache_ttl(cmd, 1, &(sr_value){.type = SR_TYPE_DOUBLE, .d = PG_GETARG_FLOAT8(1)});
	pg_cache_lookup(c.client, &c.key, &cached);
	if (cached.found == SR_CACHE_HIT)
	{
		found = cached_text(&cached);
		if (found == NULL)
			PG_RETURN_NULL();
		PG_RETURN_TEXT_P(found);
	}
	c.leased = cached.found == SR_CACHE_LEASED;
	strlcpy(c.lease, cached.lease, sizeof c.lease);
	sr_cached_free(&cached);
	c.query = text_to_cstring(PG_GETARG_TEXT_PP(2));
	found = compute(&c, fcinfo);
	if (found == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(found);
}
