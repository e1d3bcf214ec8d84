/*
 * arguments.c - the arguments of a call as the core's values. What an argument's SQL type is, is found
 * once for a call site; its kind is the function's row's.
 */
#include "pg_sqlredis.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Elements of an array that are passed on at a time where each gives a row. */
#define PIECE 32768

/* What a call site found out at its first call. */
typedef struct site
{
	bool	 variadic_array; /* the variadic argument comes as an array */
	Oid		 result;
	pg_input inputs[FLEXIBLE_ARRAY_MEMBER];
} site;

static bool is_spread(const site *s, const sr_arg *arg)
{
	return (arg->flags & SR_VARIADIC) && s->variadic_array;
}

static bool is_list(const sr_arg *arg)
{
	return arg->kind == SR_ARG_KEY_LIST || arg->kind == SR_ARG_LIST;
}

static site *make_site(FunctionCallInfo fcinfo, const sr_command *cmd, int first,
					   MemoryContext context)
{
	FmgrInfo	 *flinfo = fcinfo->flinfo;
	const sr_arg *arg = cmd->args;
	int			  n = PG_NARGS();
	site		 *s =
		MemoryContextAllocZero(context, offsetof(site, inputs) + (size_t) n * sizeof(pg_input));

	/*
	 * A parameter VARIADIC text[] is an array however it was called, by an operator too; one that is
	 * VARIADIC "any" only when called with the word VARIADIC.
	 */
	s->variadic_array =
		get_fn_expr_variadic(flinfo) || get_func_variadictype(flinfo->fn_oid) != ANYOID;
	s->result = get_fn_expr_rettype(flinfo);
	if (!OidIsValid(s->result))
		s->result = get_func_rettype(flinfo->fn_oid);
	for (int i = first; i < n; i++)
	{
		Oid type = get_fn_expr_argtype(flinfo, i);

		if (OidIsValid(type) && (is_spread(s, arg) || is_list(arg)))
			type = get_base_element_type(type);
		if (!OidIsValid(type))
			ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
							errmsg("could not determine the type of argument %d", i + 1)));
		pg_input_init(&s->inputs[i], type, context);
		if (!(arg->flags & SR_VARIADIC))
			arg++;
	}
	return s;
}

/* Of a set-returning call it lives as long as the scan, for fn_extra holds the scan. */
static site *get_site(FunctionCallInfo fcinfo, const sr_command *cmd, int first)
{
	FmgrInfo *flinfo = fcinfo->flinfo;

	if (flinfo->fn_retset)
		return make_site(fcinfo, cmd, first, CurrentMemoryContext);
	if (flinfo->fn_extra == NULL)
		flinfo->fn_extra = make_site(fcinfo, cmd, first, flinfo->fn_mcxt);
	return flinfo->fn_extra;
}

/* Up to max elements, of whatever dimensions, into values; how many there were. */
static int take(ArrayIterator elements, pg_input *input, sr_value *values, int max)
{
	Datum datum;
	bool  isnull;
	int	  n = 0;

	while (n < max && array_iterate(elements, &datum, &isnull))
	{
		/* a hundred million NULLs fit into a small array */
		CHECK_FOR_INTERRUPTS();
		if (isnull)
			values[n++] = (sr_value){.type = SR_TYPE_NULL};
		else
			pg_value_from_datum(&values[n++], input, datum);
	}
	return n;
}

static int cardinality(ArrayType *array)
{
	return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

/* An array's elements, as one argument each. */
static int from_array(sr_value **values, int at, pg_input *input, Datum datum)
{
	ArrayType *array = DatumGetArrayTypeP(datum);
	int		   n = cardinality(array);

	*values = repalloc_huge(*values, ((size_t) at + n + 1) * sizeof **values);
	return at + take(array_create_iterator(array, 0, NULL), input, *values + at, n);
}

static void list_value(sr_value *value, pg_input *input, Datum datum)
{
	ArrayType *array = DatumGetArrayTypeP(datum);
	int		   n = cardinality(array);
	sr_value  *items = MemoryContextAllocHuge(CurrentMemoryContext, (n + 1) * sizeof *items);

	take(array_create_iterator(array, 0, NULL), input, items, n);
	*value = (sr_value){.type = SR_TYPE_LIST, .items = items, .len = n};
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
		case SR_ARG_FLAG:
			*value = (sr_value){.type = SR_TYPE_BOOLEAN, .i = DatumGetBool(datum)};
			break;
		case SR_ARG_BOUND:
			if (input->type == FLOAT8OID)
				*value = (sr_value){.type = SR_TYPE_DOUBLE, .d = DatumGetFloat8(datum)};
			else
				pg_value_from_datum(value, input, datum);
			break;
		case SR_ARG_KEY_LIST:
		case SR_ARG_LIST: list_value(value, input, datum); break;
		default: pg_value_from_datum(value, input, datum); break;
	}
}

void pg_arguments_get(pg_arguments *out, FunctionCallInfo fcinfo, const sr_command *cmd, int first)
{
	const sr_arg *arg = cmd->args;
	site		 *s = get_site(fcinfo, cmd, first);

	*out = (pg_arguments){.result = s->result};
	out->values = palloc((size_t) (PG_NARGS() + 1) * sizeof *out->values);
	for (int i = first; i < PG_NARGS(); i++)
	{
		if (is_spread(s, arg) && (cmd->flags & SR_NULLS))
		{
			/* No array has no elements; it is not one element that is NULL. */
			if (!PG_ARGISNULL(i))
				out->rest = array_create_iterator(DatumGetArrayTypeP(PG_GETARG_DATUM(i)), 0, NULL);
			out->rest_input = &s->inputs[i];
		}
		else if (PG_ARGISNULL(i))
			out->values[out->count++] = (sr_value){.type = SR_TYPE_NULL};
		else if (is_spread(s, arg))
			out->count = from_array(&out->values, out->count, &s->inputs[i], PG_GETARG_DATUM(i));
		else
			from_scalar(&out->values[out->count++], arg, &s->inputs[i], PG_GETARG_DATUM(i));
		if (!(arg->flags & SR_VARIADIC))
			arg++;
	}
}

bool pg_arguments_more(const pg_arguments *arguments, pg_arguments *out)
{
	int n;

	*out = (pg_arguments){.result = arguments->result};
	out->values = palloc((size_t) (arguments->count + PIECE) * sizeof *out->values);
	memcpy(out->values, arguments->values, (size_t) arguments->count * sizeof *out->values);
	n = take(arguments->rest, arguments->rest_input, out->values + arguments->count, PIECE);
	out->count = arguments->count + n;
	return n > 0;
}
