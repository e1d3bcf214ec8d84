/*
 * scalar.c - see scalar.h.
 */
#include "scalar.h"

#include <inttypes.h>
#include <stdlib.h>

static void add_result(sr_buf *out, const sr_value *v)
{
	switch (v->type)
	{
		case SR_TYPE_NULL: sr_buf_str(out, "~"); break;
		case SR_TYPE_BOOLEAN:
		case SR_TYPE_INTEGER: sr_buf_fmt(out, "%" PRId64, v->i); break;
		case SR_TYPE_DOUBLE: sr_buf_fmt(out, "%.15g", v->d); break;
		default: sr_buf_add(out, v->data, v->len);
	}
}

static sr_buf last; /* reachable to the end: no leak */

const char *last_scalar(void)
{
	return last.data;
}

const char *scalar_text(sr_client *c, const char *name, int n, const sr_value *args)
{
	const sr_command *cmd = sr_command_find(name);
	sr_value		 *copy = calloc((size_t) n + 1, sizeof(*copy));
	sr_result		  result;
	sr_err			  err = {0};
	bool			  ok;

	if (cmd == NULL || copy == NULL)
		abort();
	for (int i = 0; i < n; i++)
	{
		copy[i] = args[i];
		if (args[i].data != NULL)
			copy[i].data = memcpy(malloc(args[i].len + 1), args[i].data, args[i].len);
	}
	ok = sr_invoke(c, cmd, n, copy, &result, &err);
	for (int i = 0; i < n; i++)
		free((char *) copy[i].data);
	free(copy);
	last.len = 0;
	sr_buf_str(&last, "");
	if (ok)
		add_result(&last, &result.value);
	else
		sr_buf_fmt(&last, "%s: %s | %s", sr_class_word(err.cls), err.msg, err.hint);
	sr_result_free(&result);
	return last.data;
}
