/*
 * pack.c - command lines kept for later, one behind the other in one buffer: what a batch gathers,
 * and what a pipeline has checked before anything is sent.
 *
 * A command is a header, the lengths of its arguments, and their bytes, padded so that the next one's
 * lengths can be read where they are.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

typedef struct header
{
	size_t size; /* of all that belongs to the command */
	size_t argc;
} header;

#define PAD(n) (((n) + sizeof(size_t) - 1) / sizeof(size_t) * sizeof(size_t))

static bool fits(const sr_pack *p, size_t size)
{
	return size <= SR_BUF_MAX && p->buf.len <= SR_BUF_MAX - size;
}

/* Room for the pointers of the longest command, so that reading cannot fail. */
static bool make_pointers(sr_pack *p, size_t argc)
{
	const char **argv;

	if (argc <= p->capacity)
		return true;
	argv = realloc(p->argv, argc * sizeof *argv);
	if (argv == NULL)
		return false;
	p->argv = argv;
	p->capacity = argc;
	return true;
}

bool sr_pack_add(sr_pack *p, const sr_argv *cmd, sr_err *err)
{
	size_t argc = (size_t) cmd->argc;
	size_t lengths = argc * sizeof(size_t);
	header h = {.argc = argc};
	size_t bytes = 0;
	char  *to;

	for (size_t i = 0; i < argc; i++)
	{
		bytes += cmd->argvlen[i];
		if (!fits(p, bytes))
			return sr_fail(err, SR_E_SIZE, "Redis itself takes values of up to 512 MB.",
						   "commands of more than %zu bytes at once", SR_BUF_MAX);
	}
	h.size = sizeof h + lengths + PAD(bytes);
	if (!make_pointers(p, argc) || !sr_buf_reserve(&p->buf, h.size))
		return sr_fail_memory(err);
	to = p->buf.data + p->buf.len;
	p->buf.len += h.size;
	memcpy(to, &h, sizeof h);
	to += sizeof h;
	memcpy(to, cmd->argvlen, lengths);
	to += lengths;
	for (size_t i = 0; i < argc; i++)
	{
		if (cmd->argvlen[i] > 0)
			memcpy(to, cmd->argv[i], cmd->argvlen[i]);
		to += cmd->argvlen[i];
	}
	return true;
}

bool sr_pack_read(sr_pack *p, size_t *pos, sr_argv *out)
{
	char  *at = p->buf.data + *pos;
	header h;

	if (*pos >= p->buf.len)
		return false;
	memcpy(&h, at, sizeof h);
	out->argc = (int) h.argc;
	out->argv = p->argv;
	out->argvlen = (size_t *) (void *) (at + sizeof h);
	at += sizeof h + h.argc * sizeof(size_t);
	for (size_t i = 0; i < h.argc; i++)
	{
		p->argv[i] = at;
		at += out->argvlen[i];
	}
	*pos += h.size;
	return true;
}

void sr_pack_free(sr_pack *p)
{
	sr_buf_free(&p->buf);
	free(p->argv);
	memset(p, 0, sizeof *p);
}
