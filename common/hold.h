/*
 * hold.h - what lock.c, idempotent.c and reserve.c share with hold.c: how a thing is given back that was
 * taken, or may have been. Nobody else includes it.
 */
#ifndef SQLREDIS_HOLD_H
#define SQLREDIS_HOLD_H

#include "command.h"
#include "recipe_scripts.h"

/* At the beginning of a script: Redis before 7 puts the script's name and line before an error's words. */
#define SR_LUA_FAIL                                                                                \
	"local function fail(e) "                                                                      \
	"return {err = (string.gsub(e.err, '^@user_script: ?%d+: ?%-?', ''))} end "
/* time_in(ms): the server's time in so many ms, as an integer's text. */
#define SR_LUA_TIME                                                                                \
	"local time = redis.call('TIME') "                                                             \
	"local function time_in(ms) "                                                                  \
	"return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ms) "              \
	"end "

/* script.c's sr_side_key of the line's word number at, added to the line. */
bool sr_line_side_key(sr_line *line, int at, const char *word, sr_err *err);
/* hold.c: forget the one that was added last; nothing is done in Redis. */
void sr_holds_forget_last(sr_holds *h);
/*
 * What the hold's keys and args name may have been taken, but nobody will have it: it is given back before
 * the next call over this client, or by whoever takes over its backlog.
 */
void sr_hold_owe(sr_client *c, sr_hold kind, const sr_argv *keys, const sr_argv *args);
/* Redis may have done what the last call asked, which failed with cls. */
bool sr_hold_unknown(const sr_client *c, sr_class cls);

/*
 * The scripts of a kind (NULL: none) and where they are. give_back, by hold.c, with the keys and args that it
 * was added with; late, the name of the same in recipe_scripts.c, for what is owed; keep, before the commit:
 * 1: ours still, and for ARGV[#ARGV] ms from now; 0: not.
 */
typedef struct sr_hold_scripts
{
	const char *give_back, *late, *keep;
} sr_hold_scripts;

extern const sr_hold_scripts sr_lock_hold;	/* lock.c: the lock; its token */
extern const sr_hold_scripts sr_claim_hold; /* idempotent.c: the key; token, ms */
extern const sr_hold_scripts sr_stock_hold; /* reserve.c: the hash, its holds; the hold's name */

/*
 * A script's item, which finds its keys from the last one: at commit there is one before them. It makes a
 * script of recipe_scripts.c (SR_COMMIT_SCRIPT), and one that hold.c runs by itself.
 */
#define SR_ITEM_NOW(item) item "return item(ARGV)"

extern const char sr_unlock_script[], sr_unclaim_script[], sr_restock_script[]; /* owed */
extern const char sr_confirm_script[], sr_settle_script[]; /* at commit: idempotent.c, reserve.c */

#endif
