/*
 * catalog.c - the extension's own tables in this database: which they are.
 *
 * Found by the catalogue's record that they are members of the extension, not by name alone: nobody can
 * put a table of their own in their place, whatever the search_path is.
 */
#include "pg_sqlredis.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

static const char *const names[] = {
	[PG_OUTBOX] = "sqlredis_outbox",
	[PG_EPOCH] = "sqlredis_epoch",
};

static Oid	  found[lengthof(names)];
static bool	  known;   /* found is what the catalogue says */
static bool	  reading; /* it is being read: any change counts */
static uint64 generation = 1;

/*
 * While something is missing, any new relation may be it. Called at any time, also while the catalogue
 * is being read.
 */
static void on_relcache_change(Datum arg, Oid relation)
{
	(void) arg;
	reading = false;
	for (size_t i = 0; known && i < lengthof(names); i++)
		if (relation == InvalidOid || !OidIsValid(found[i]) || found[i] == relation)
		{
			known = false;
			generation++;
		}
}

void pg_catalog_init(void)
{
	CacheRegisterRelcacheCallback(on_relcache_change, (Datum) 0);
}

static void note_member(Oid relation, Oid *members)
{
	char *name = get_rel_name(relation);

	for (size_t i = 0; name != NULL && i < lengthof(names); i++)
		if (strcmp(name, names[i]) == 0)
			members[i] = relation;
}

/* The relations among the extension's members. */
static void read_members(Oid extension, Oid *members)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ExtensionRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, lengthof(key), key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend member = (Form_pg_depend) GETSTRUCT(tuple);

		if (member->classid == RelationRelationId && member->deptype == DEPENDENCY_EXTENSION)
			note_member(member->objid, members);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

uint64 pg_catalog_generation(void)
{
	return generation;
}

Oid pg_own_relation(pg_own which)
{
	Oid members[lengthof(names)] = {InvalidOid};
	Oid extension;

	if (known)
		return found[which];
	reading = true;
	extension = get_extension_oid("sqlredis", true);
	if (OidIsValid(extension))
		read_members(extension, members);
	memcpy(found, members, sizeof found);
	/* An error leaves it unknown, and so does what changed meanwhile. */
	known = reading;
	return members[which];
}
