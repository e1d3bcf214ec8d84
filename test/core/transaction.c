/*
 * transaction.c - see transaction.h.
 */
#include "transaction.h"

#include <stdio.h>

transaction tx_begin(sr_client *c)
{
	return (transaction){.c = c, .queue = sr_inval_new(), .holds = sr_holds_new(), .depth = 1};
}

const char *tx_call(transaction *t, const char *name, int n, const sr_value *args)
{
	sr_bound	bound = {.queue = t->queue, .holds = t->holds, .depth = t->depth};
	const char *text;

	sr_client_bind(t->c, &bound);
	text = scalar_text(t->c, name, n, args);
	sr_client_bind(t->c, NULL);
	return text;
}

const char *alone_call(sr_client *c, const char *name, int n, const sr_value *args)
{
	sr_inval	   *queue = sr_inval_new();
	sr_bound		bound = {.queue = queue};
	const char	   *text;
	sr_flush_result r;

	sr_client_bind(c, &bound);
	text = scalar_text(c, name, n, args);
	sr_client_bind(c, NULL);
	sr_flush(c, queue, 0, &r);
	sr_inval_free(queue);
	return text;
}

void tx_savepoint(transaction *t)
{
	t->depth++;
}

void tx_release(transaction *t)
{
	t->depth--;
	sr_inval_release(t->queue, t->depth);
	sr_holds_release(t->holds, t->depth);
}

void tx_rollback_to(transaction *t)
{
	t->depth--;
	sr_inval_rollback_to(t->queue, t->depth);
	sr_holds_rollback_to(t->holds, t->c, t->depth);
}

static void end(transaction *t)
{
	sr_inval_free(t->queue);
	sr_holds_free(t->holds);
	*t = (transaction){0};
}

const char *tx_commit(transaction *t)
{
	static char		text[1024];
	sr_err			err = {0};
	sr_flush_result r;

	text[0] = '\0';
	if (!sr_holds_keep(t->holds, t->c, &err))
	{
		snprintf(text, sizeof(text), "%s: %s | %s", sr_class_word(err.cls), err.msg, err.hint);
		tx_rollback(t);
		return text;
	}
	sr_flush(t->c, t->queue, SR_FLUSH_COMMIT, &r);
	if (r.lost > 0)
		printf("# lost %zu: %s\n", r.lost, r.err.msg);
	sr_holds_commit(t->holds, t->c);
	end(t);
	return text;
}

void tx_rollback(transaction *t)
{
	sr_inval_clear(t->queue);
	sr_holds_rollback_to(t->holds, t->c, 0);
	end(t);
}

void tx_die(transaction *t)
{
	sr_client *c = t->c;

	end(t);
	sr_client_free(c);
}
