/*
 * scalar.c - see scalar.h.
 */
#include "scalar.h"

#include <stdlib.h>

static sr_buf last; /* reachable to the end: no leak */

const char *last_scalar(void)
{
	return last.data;
}

const char *scalar_text(sr_client *c, const char *name, int n, const sr_value *args)
{
	const sr_command *cmd = sr_command_find(name);
	sr_value		 *copy = copy_values(n, args);
	sr_result		  result;
	sr_err			  err = {0};
	bool			  ok;

	if (cmd == NULL)
		abort();
	ok = sr_invoke(c, cmd, n, copy, &result, &err);
	free_values(n, copy);
	last.len = 0;
	sr_buf_str(&last, "");
	if (ok)
		add_value(&last, &result.value);
	else
		sr_buf_fmt(&last, "%s: %s | %s", sr_class_word(err.cls), err.msg, err.hint);
	sr_result_free(&result);
	return last.data;
}
