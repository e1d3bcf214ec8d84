/*
 * family.c - what becomes of the triggers of a table that gets a parent or loses one.
 *
 * PostgreSQL clones no TRUNCATE trigger to a new partition, and no trigger at all to a new inheritance
 * child. It runs after the command, with whoever ran it: nobody needs a right on the extension for that.
 */
#include "pg_sqlredis.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "commands/trigger.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* Templates, each once. */
typedef struct templates
{
	int	   count;
	char **texts;
} templates;

static void add_templates(templates *all, const Trigger *trigger, bool inherited)
{
	for (int i = 0; trigger != NULL && i < trigger->tgnargs; i++)
	{
		char *source =
			inherited ? pg_tracking_inherited(trigger->tgargs[i]) : pstrdup(trigger->tgargs[i]);
		bool there = false;

		for (int j = 0; j < all->count; j++)
			there |= strcmp(all->texts[j], source) == 0;
		if (there)
			continue;
		all->texts = all->texts == NULL
						 ? palloc(sizeof *all->texts)
						 : repalloc(all->texts, (all->count + 1) * sizeof *all->texts);
		all->texts[all->count++] = source;
	}
}

/* relation's own ones that are called name, added to all; how many there are. */
static int add_own(templates *all, Oid relation, const char *name, Oid function, bool inherited)
{
	Relation	   rel = table_open(relation, NoLock);
	const Trigger *trigger = pg_tracking_find(rel, name, function);
	int			   count = trigger != NULL ? trigger->tgnargs : 0;

	add_templates(all, trigger, inherited);
	table_close(rel, NoLock);
	return count;
}

static void replace_trigger(const char *name, Oid relation, Oid function, const templates *all)
{
	templates own = {0};

	if (add_own(&own, relation, name, function, false) > 0)
	{
		bool same = own.count == all->count;

		for (int i = 0; same && i < own.count; i++)
			same = strcmp(own.texts[i], all->texts[i]) == 0;
		if (same)
			return;
		pg_tracking_take(name, relation);
	}
	pg_tracking_give(name, relation, function, all->count, all->texts);
}

/* Everything that tracks its parents tracks relation, besides what tracked it before. */
static void adopt(Oid relation, Oid function)
{
	bool		partition = get_rel_relispartition(relation);
	const char *name = partition ? PG_TRUNCATE_TRIGGER : PG_ROW_TRIGGER;
	templates	all = {0};
	int			of_parents = 0;
	ListCell   *parent;

	if (get_rel_relkind(relation) == RELKIND_FOREIGN_TABLE)
		return;
	/* A partition's row trigger is its parent's clone: with others it is not tracked. */
	if (!partition)
		add_own(&all, relation, name, function, false);
	foreach (parent, pg_tracking_parents(relation))
		of_parents += add_own(&all, lfirst_oid(parent), name, function, true);
	if (of_parents == 0)
		return;
	if (!partition)
		replace_trigger(PG_ROW_TRIGGER, relation, function, &all);
	replace_trigger(PG_TRUNCATE_TRIGGER, relation, function, &all);
}

/*
 * Call change for relation and its family as the extension's owner: the parent's owner had the right to
 * track the table and everything that inherits from it, whoever adds to it.
 */
static void change_family(void (*change)(Oid relation, Oid function), Oid relation, Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid		  owner, user;
	int		  security;
	ListCell *member;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(owner, security | SECURITY_LOCAL_USERID_CHANGE);
	foreach (member, find_all_inheritors(relation, ShareRowExclusiveLock, NULL))
		change(lfirst_oid(member), function);
	SetUserIdAndSecContext(user, security);
}

/* PostgreSQL has dropped the row trigger, its parent's clone; the other half goes, too. */
static void abandon(Oid relation, Oid function)
{
	templates own = {0};
	bool	  tracked;
	Relation  rel;

	if (get_rel_relkind(relation) == RELKIND_FOREIGN_TABLE)
		return;
	rel = table_open(relation, NoLock);
	tracked = pg_tracking_has_rows(rel, function);
	table_close(rel, NoLock);
	if (!tracked && add_own(&own, relation, PG_TRUNCATE_TRIGGER, function, false) > 0)
		pg_tracking_take(PG_TRUNCATE_TRIGGER, relation);
}

void pg_family_adopt(Oid relation, Oid function)
{
	change_family(adopt, relation, function);
}

void pg_family_abandon(Oid relation, Oid function)
{
	change_family(abandon, relation, function);
}
