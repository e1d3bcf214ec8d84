/*
 * functions.c - every function of commands.def that is no business of transactions: arguments in,
 * sr_invoke, result out. One C symbol a row, all the same code.
 */
#include "pg_sqlredis.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Number of each row of commands.def. */
enum
{
#define FUNCTION(name, redis, shape, columns, args, flags, group, scalar, rows, since, doc,        \
				 example)                                                                          \
	FN_##name,
#include "commands.def"
	FN_COUNT
};

/* What a call site found out at its first call. */
typedef struct site
{
	bool	 variadic_array; /* the variadic argument came as VARIADIC array */
	Oid		 result;
	int		 input_count;
	pg_input inputs[FLEXIBLE_ARRAY_MEMBER];
} site;

/* text[] parameters are taken apart always, "any" ones only when called with VARIADIC. */
static bool is_spread(const site *s, const sr_arg *arg)
{
	return (arg->flags & SR_VARIADIC) &&
		   (s->variadic_array || arg->kind == SR_ARG_KEY || arg->kind == SR_ARG_TEXT);
}

static site *make_site(FunctionCallInfo fcinfo, const sr_command *cmd, MemoryContext context)
{
	FmgrInfo	 *flinfo = fcinfo->flinfo;
	const sr_arg *arg = cmd->args;
	int			  n = PG_NARGS();
	site		 *s =
		MemoryContextAllocZero(context, offsetof(site, inputs) + (size_t) n * sizeof(pg_input));

	s->variadic_array = get_fn_expr_variadic(flinfo);
	s->result = get_fn_expr_rettype(flinfo);
	if (!OidIsValid(s->result))
		s->result = get_func_rettype(flinfo->fn_oid);
	s->input_count = n;
	for (int i = 0; i < n; i++)
	{
		Oid type = get_fn_expr_argtype(flinfo, i);

		if (!OidIsValid(type))
			ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
							errmsg("could not determine the type of argument %d", i + 1)));
		if (is_spread(s, arg))
			type = get_base_element_type(type);
		pg_input_init(&s->inputs[i], type, context);
		if (!(arg->flags & SR_VARIADIC))
			arg++;
	}
	return s;
}

/* An array's elements, as one argument each. */
static int from_array(sr_value **values, int at, pg_input *input, Datum datum)
{
	ArrayType *array = DatumGetArrayTypeP(datum);
	int16	   len;
	bool	   byval, *nulls;
	char	   align;
	Datum	  *elements;
	int		   n;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, &elements, &nulls, &n);
	*values = repalloc_huge(*values, ((size_t) at + n + 1) * sizeof **values);
	for (int i = 0; i < n; i++)
		if (nulls[i])
			(*values)[at + i] = (sr_value){.type = SR_TYPE_NULL};
		else
			pg_value_from_datum(&(*values)[at + i], input, elements[i]);
	return at + n;
}

static void from_scalar(sr_value *value, const sr_arg *arg, pg_input *input, Datum datum)
{
	switch (arg->kind)
	{
		case SR_ARG_INTEGER:
			*value = (sr_value){.type = SR_TYPE_INTEGER, .i = DatumGetInt64(datum)};
			break;
		case SR_ARG_DOUBLE:
		case SR_ARG_TTL:
		case SR_ARG_AT:
			*value = (sr_value){.type = SR_TYPE_DOUBLE, .d = DatumGetFloat8(datum)};
			break;
		default: pg_value_from_datum(value, input, datum); break;
	}
}

/* Of a set-returning call it lives as long as the scan, for fn_extra holds the scan. */
static site *get_site(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	FmgrInfo *flinfo = fcinfo->flinfo;

	if (flinfo->fn_retset)
		return make_site(fcinfo, cmd, CurrentMemoryContext);
	if (flinfo->fn_extra == NULL)
		flinfo->fn_extra = make_site(fcinfo, cmd, flinfo->fn_mcxt);
	return flinfo->fn_extra;
}

void pg_arguments_get(pg_arguments *out, FunctionCallInfo fcinfo, const sr_command *cmd)
{
	const sr_arg *arg = cmd->args;
	site		 *s = get_site(fcinfo, cmd);
	int			  count = 0;

	out->values = palloc((size_t) (PG_NARGS() + 1) * sizeof *out->values);
	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i))
			out->values[count++] = (sr_value){.type = SR_TYPE_NULL};
		else if (is_spread(s, arg))
			count = from_array(&out->values, count, &s->inputs[i], PG_GETARG_DATUM(i));
		else
			from_scalar(&out->values[count++], arg, &s->inputs[i], PG_GETARG_DATUM(i));
		if (!(arg->flags & SR_VARIADIC))
			arg++;
	}
	out->count = count;
}

static Datum call_scalar(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	sr_client	*client = pg_client();
	pg_arguments arguments;
	sr_result	 result;
	sr_err		 err = {0};
	Datum		 datum = (Datum) 0;
	Oid			 type;

	pg_arguments_get(&arguments, fcinfo, cmd);
	type = ((site *) fcinfo->flinfo->fn_extra)->result;
	if (!sr_invoke(client, cmd, arguments.count, arguments.values, &result, &err))
	{
		sr_result_free(&result);
		pg_raise_or_null(cmd, &err);
		PG_RETURN_NULL();
	}
	PG_TRY();
	{
		pg_call_succeeded();
		datum = pg_datum_from_value(&result.value, type, cmd->flags & SR_BINARY ? cmd->name : NULL);
		fcinfo->isnull = result.value.type == SR_TYPE_NULL;
	}
	PG_FINALLY();
	{
		sr_result_free(&result);
	}
	PG_END_TRY();
	return datum;
}

/* The rows that know transactions and tables. */
static Datum (*const engine[FN_COUNT])(FunctionCallInfo fcinfo, const sr_command *cmd) = {
	[FN_redis_invalidate] = pg_call_invalidate,
	[FN_redis_invalidate_on] = pg_call_invalidate_on,
	[FN_redis_invalidate_off] = pg_call_invalidate_off,
	[FN_redis_invalidations] = pg_call_invalidations,
	[FN_redis_pending] = pg_call_pending,
	[FN_redis_grant] = pg_call_grant,
	[FN_redis_revoke] = pg_call_grant,
};

static Datum call(FunctionCallInfo fcinfo, int number)
{
	const sr_command *cmd = &sr_commands[number];

	if (engine[number] != NULL)
		return engine[number](fcinfo, cmd);
	return cmd->shape == SR_SHAPE_ROWS ? pg_call_rows(fcinfo, cmd) : call_scalar(fcinfo, cmd);
}

#define FUNCTION(name, redis, shape, columns, args, flags, group, scalar, rows, since, doc,        \
				 example)                                                                          \
	EXPORTED_FUNCTION(pg_##name);                                                                  \
	Datum pg_##name(PG_FUNCTION_ARGS)                                                              \
	{                                                                                              \
		return call(fcinfo, FN_##name);                                                            \
	}
#include "commands.def"
