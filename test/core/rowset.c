/*
 * rowset.c - see rowset.h.
 */
#include "rowset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
/* of libasan; its header comes with clang only */
size_t __sanitizer_get_current_allocated_bytes(void);
#else
#include <malloc.h>
#endif

sr_client *fresh(sr_settings *options)
{
	sr_client *c;

	*options = settings(server);
	c = client(options);
	ask(c, "FLUSHDB");
	return c;
}

sr_value *copy_values(int n, const sr_value *args)
{
	sr_value *copy = calloc((size_t) n + 1, sizeof(*copy));

	if (copy == NULL)
		abort();
	for (int i = 0; i < n; i++)
	{
		copy[i] = args[i];
		if (args[i].data != NULL)
			copy[i].data = memcpy(malloc(args[i].len + 1), args[i].data, args[i].len);
	}
	return copy;
}

void free_values(int n, sr_value *copy)
{
	for (int i = 0; i < n; i++)
		free((char *) copy[i].data);
	free(copy);
}

sr_rows *open_rows(sr_client *c, const char *name, int n, const sr_value *args, sr_err *err)
{
	const sr_command *cmd = sr_command_find(name);
	sr_value		 *copy = copy_values(n, args);
	sr_rows			 *rows;

	if (cmd == NULL)
		abort();
	rows = sr_rows_open(c, cmd, n, copy, err);
	free_values(n, copy);
	return rows;
}

void add_value(sr_buf *out, const sr_value *v)
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

const char *row_text(sr_client *c, const char *name, int n, const sr_value *args)
{
	static sr_buf	out; /* reachable to the end: no leak */
	sr_err			err = {0};
	const sr_value *cells;
	sr_rows		   *rows = open_rows(c, name, n, args, &err);
	int				columns = 0, got = -1;

	out.len = 0;
	sr_buf_str(&out, "");
	while (sr_command_find(name)->columns[columns].name != NULL)
		columns++;
	while (rows != NULL && (got = sr_rows_next(rows, &cells, &err)) > 0)
		for (int i = 0; i < columns; i++)
		{
			if (out.len > 0)
				sr_buf_str(&out, i > 0 ? "|" : ",");
			add_value(&out, &cells[i]);
		}
	if (got < 0)
		sr_buf_fmt(&out, " %s: %s", sr_class_word(err.cls), err.msg);
	sr_rows_close(rows);
	return out.data;
}

long read_rows(sr_rows **rows, long limit, sr_err *err)
{
	const sr_value *cells;
	long			n = 0;
	int				got = 1;

	while (n != limit && (got = sr_rows_next(*rows, &cells, err)) > 0)
		n++;
	if (got <= 0)
	{
		sr_rows_close(*rows);
		*rows = NULL;
	}
	return got < 0 ? -1 : n;
}

long count_rows(sr_client *c, const char *name, sr_class *cls, int n, const sr_value *args)
{
	sr_err	 err = {0};
	sr_rows *rows = open_rows(c, name, n, args, &err);
	long	 got = rows != NULL ? read_rows(&rows, -1, &err) : -1;

	if (got < 0)
		printf("# %s: %s\n", sr_class_word(err.cls), err.msg);
	if (cls != NULL)
		*cls = err.cls;
	return got;
}

long disturbed(sr_client *c, const char *name, const char *script, int n, const sr_value *args)
{
	sr_err	 err = {0};
	sr_rows *rows = open_rows(c, name, n, args, &err);
	long	 got = rows != NULL ? read_rows(&rows, 500, &err) : -1;
	long	 rest;

	lua(c, script);
	if (got < 0 || rows == NULL)
		return got;
	rest = read_rows(&rows, -1, &err);
	if (rest < 0)
		printf("# %s\n", err.msg);
	return rest < 0 ? -1 : got + rest;
}

long growing(sr_client *c, const char *name, const char *script, int n, const sr_value *args)
{
	sr_err			err = {0};
	sr_rows		   *rows = open_rows(c, name, n, args, &err);
	const sr_value *cells;
	long			got = 0;

	while (rows != NULL && got < 20000 && sr_rows_next(rows, &cells, &err) > 0)
		if (got++ % 10 == 0)
			lua(c, script);
	sr_rows_close(rows);
	printf("# %s: %ld rows\n", name, got);
	return got;
}

bool same_count(long got, long expected)
{
	if (got != expected)
		printf("# expected %ld, got %ld\n", expected, got);
	return got == expected;
}

const char *lua(sr_client *c, const char *script)
{
	static char text[1024];
	const char *argv[] = {"EVAL", script, "0"};
	size_t		lengths[] = {4, strlen(script), 1};
	sr_argv		cmd = {3, argv, lengths};
	sr_err		err = {0};
	sr_reply   *reply = sr_client_call(c, &cmd, 0, 0, &err);
	char	   *json = NULL;
	size_t		len;

	if (reply != NULL)
		json = sr_reply_json(reply, &len, &err);
	snprintf(text, sizeof(text), "%s", json != NULL ? json : err.msg);
	free(json);
	sr_reply_free(reply);
	return text;
}

uint64_t sent(const sr_client *c)
{
	return sr_client_stats(c)->commands;
}

size_t allocated(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __sanitizer_get_current_allocated_bytes();
#else
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#endif
}
