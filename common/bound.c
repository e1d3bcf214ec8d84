/*
 * bound.c - what a function queues for the commit of the transaction it runs in. Which transaction that is,
 * the adapter says with sr_client_bind.
 */
#include "core.h"

bool sr_bound_queue(sr_client *c, const char *script, const sr_argv *keys, const sr_argv *item,
					sr_err *err)
{
	const sr_bound *bound = sr_client_bound(c);

	if (sr_inval_push_script(bound->queue, script, keys, item, bound->depth) == SR_PUSH_NO_MEMORY)
		return sr_fail(
			err, SR_E_SIZE, "Commit in smaller pieces.",
			"no memory for one more effect at commit, %llu are queued in this transaction",
			(unsigned long long) sr_inval_count(bound->queue));
	sr_client_count_command(c);
	return true;
}
