/*
 * recipe_scripts.c - the scripts that run at commit, by the names that effects know them by. A name that
 * outbox rows hold must go on meaning the same: a script that takes other items gets a new one.
 */
#include "recipe_scripts.h"
#include "bullmq.h"
#include "hold.h"
#include "queue.h"

#include <string.h>

const char sr_commands_script[] =
	SR_COMMIT_SCRIPT("local function item(words) return redis.pcall(unpack(words)) end ");

static const struct
{
	const char *name, *text;
} scripts[] = {
	{"enqueue", sr_enqueue_script}, {"ack", sr_ack_script},			{"bullmq", sr_bullmq_script},
	{"confirm", sr_confirm_script}, {"settle", sr_settle_script},	{"unlock", sr_unlock_script},
	{"unclaim", sr_unclaim_script}, {"restock", sr_restock_script}, {NULL, NULL},
};

const char *sr_recipe_script(const char *name, size_t len)
{
	for (size_t i = 0; scripts[i].name != NULL; i++)
		if (strlen(scripts[i].name) == len && memcmp(scripts[i].name, name, len) == 0)
			return scripts[i].text;
	return NULL;
}
