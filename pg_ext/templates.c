/*
 * templates.c - a trigger's templates, compiled for its relation and kept for the backend's life.
 *
 * A row costs no parsing and no catalogue look-up: the compiled form hangs off the call site and is
 * made again only after a relcache invalidation of the relation. Keys are built in one buffer.
 */
#include "pg_sqlredis.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* A column that a template names. */
typedef struct column
{
	AttrNumber attnum;
	bool	   byval;
	pg_text	   text;
} column;

typedef struct compiled
{
	pg_lookup *lookup; /* a query; or, unless nobody answers for that any more */
	sr_template *template;
	column	*columns;
	sr_text *texts; /* one a column, filled for each row */
} compiled;

/* A partitioned table's TRUNCATE trigger reads the rows of several relations. */
typedef struct templates_key
{
	Oid trigger;
	Oid relation;
} templates_key;

struct pg_templates
{
	templates_key key;
	bool		  valid;
	int			  users;			 /* that run a query right now, which may come back here */
	bool		  session_dependent; /* some column's text depends on settings */
	int			  count;
	compiled	 *compiled;
	MemoryContext context;
};

/* Entries above which those that are no longer valid are looked for: a dropped table's stays one. */
#define SWEEP_MIN 64

static HTAB	 *by_trigger;
static long	  sweep_at = SWEEP_MIN;
static sr_buf key_buffer;

static bool looks_up_at(const pg_templates *t, Oid home)
{
	for (int i = 0; i < t->count; i++)
		if (t->compiled[i].lookup != NULL && pg_lookup_home(t->compiled[i].lookup) == home)
			return true;
	return false;
}

static void on_relcache_change(Datum arg, Oid relation)
{
	HASH_SEQ_STATUS seq;
	pg_templates   *t;

	(void) arg;
	if (by_trigger == NULL)
		return;
	hash_seq_init(&seq, by_trigger);
	while ((t = hash_seq_search(&seq)) != NULL)
		if (relation == InvalidOid || t->key.relation == relation || looks_up_at(t, relation))
			t->valid = false;
}

void pg_templates_init(void)
{
	HASHCTL ctl = {.keysize = sizeof(templates_key), .entrysize = sizeof(pg_templates)};

	by_trigger = hash_create("sqlredis templates", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(on_relcache_change, (Datum) 0);
}

static sr_template *compile(const char *source)
{
	sr_err err = {0};
	sr_template *template = sr_template_compile(source, strlen(source), &err);

	if (template == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: \"%s\"", err.msg, source), errhint("%s", err.hint)));
	return template;
}

AttrNumber pg_templates_column(Relation rel, const char *name)
{
	TupleDesc desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		if (is_virtual_column(att))
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("column \"%s\" of relation \"%s\" is a virtual generated column",
								   name, RelationGetRelationName(rel)),
							errhint("A trigger does not see its value; name the columns it is "
									"computed from, or make it STORED.")));
		return att->attnum;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\", named in a key template, does not exist",
					name, RelationGetRelationName(rel)),
			 errhint("Call redis_invalidate_on again with templates that fit the table.")));
	return InvalidAttrNumber;
}

static void compile_one(pg_templates *t, compiled *c, Relation rel, const Trigger *trigger,
						const char *source)
{
	int n;

	if (sr_is_query(source, strlen(source)))
	{
		Oid home = pg_tracking_home(trigger, source);

		if (OidIsValid(home))
			c->lookup = pg_lookup_new(rel, home, source);
		return;
	}
	c->template = compile(source);
	n = sr_template_columns(c->template);
	c->columns = palloc0((size_t) (n + 1) * sizeof *c->columns);
	c->texts = palloc0((size_t) (n + 1) * sizeof *c->texts);
	for (int i = 0; i < n; i++)
	{
		AttrNumber		  attnum = pg_templates_column(rel, sr_template_column(c->template, i));
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

		c->columns[i].attnum = attnum;
		c->columns[i].byval = att->attbyval;
		pg_text_init(&c->columns[i].text, att->atttypid, t->context);
		t->session_dependent |= !pg_text_is_fixed(att->atttypid);
	}
}

static void drop_compiled(void *arg)
{
	pg_templates *t = arg;

	for (int i = 0; i < t->count; i++)
	{
		if (t->compiled[i].lookup != NULL)
			pg_lookup_free(t->compiled[i].lookup);
		if (t->compiled[i].template != NULL)
			sr_template_free(t->compiled[i].template);
	}
	t->count = 0;
}

/* t->count grows with each template, so that a failure half-way frees what there is. */
static void compile_all(pg_templates *t, Relation rel, const Trigger *trigger)
{
	MemoryContext		   before;
	MemoryContextCallback *drop;

	if (t->context == NULL)
		t->context =
			AllocSetContextCreate(TopMemoryContext, "sqlredis template", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(t->context);
	before = MemoryContextSwitchTo(t->context);
	drop = palloc0(sizeof *drop);
	drop->func = drop_compiled;
	drop->arg = t;
	MemoryContextRegisterResetCallback(t->context, drop);
	t->session_dependent = false;
	t->compiled = palloc0((size_t) trigger->tgnargs * sizeof *t->compiled);
	for (int i = 0; i < trigger->tgnargs; i++)
	{
		t->count = i + 1;
		compile_one(t, &t->compiled[i], rel, trigger, trigger->tgargs[i]);
	}
	t->valid = true;
	MemoryContextSwitchTo(before);
}

/* Of entries in use only those whose query is running: keys are queued without a look-up in between. */
static void sweep(void)
{
	HASH_SEQ_STATUS seq;
	pg_templates   *t;

	hash_seq_init(&seq, by_trigger);
	while ((t = hash_seq_search(&seq)) != NULL)
	{
		if (t->valid || t->users > 0)
			continue;
		if (t->context != NULL)
			MemoryContextDelete(t->context);
		hash_search(by_trigger, &t->key, HASH_REMOVE, NULL);
		/* A call site's hint may still point here: it must not take it for its own. */
		t->key = (templates_key){0};
	}
	sweep_at = Max(SWEEP_MIN, 2 * hash_get_num_entries(by_trigger));
}

pg_templates *pg_templates_get(Relation rel, const Trigger *trigger, void **hint)
{
	pg_templates *t = *hint;
	templates_key wanted = {.trigger = trigger->tgoid, .relation = RelationGetRelid(rel)};
	bool		  found = true;

	if (t == NULL || memcmp(&t->key, &wanted, sizeof wanted) != 0)
	{
		if (hash_get_num_entries(by_trigger) >= sweep_at)
			sweep();
		t = hash_search(by_trigger, &wanted, HASH_ENTER, &found);
	}
	if (!found)
		*t = (pg_templates){.key = wanted};
	/* While it is in use the relation cannot have changed so that it matters. */
	if (!t->valid && t->users == 0)
		compile_all(t, rel, trigger);
	*hint = t;
	return t;
}

/* Copied: what is wrong with a name is raised, and the template is not PostgreSQL's memory. */
static List *column_names(const sr_template *template)
{
	List *names = NIL;

	for (int i = 0; i < sr_template_columns(template); i++)
		names = lappend(names, pstrdup(sr_template_column(template, i)));
	return names;
}

void pg_templates_check(Relation rel, Oid home, const char *source)
{
	sr_template *template;
	List	 *names;
	ListCell *cell;

	if (sr_is_query(source, strlen(source)))
	{
		pg_lookup_check(rel, home, source);
		return;
	}
	template = compile(source);
	names = column_names(template);
	sr_template_free(template);
	foreach (cell, names)
		pg_templates_column(rel, lfirst(cell));
}

bool pg_templates_name(const char *source, const char *name)
{
	size_t len = strlen(source);
	bool   named = false;

	if (sr_is_query(source, len))
	{
		sr_query *query = sr_query_compile(source, len, NULL);

		for (int i = 0; query != NULL && i < sr_query_columns(query); i++)
			named |= strcmp(sr_query_column(query, i), name) == 0;
		sr_query_free(query);
	}
	else
	{
		sr_template *template = sr_template_compile(source, len, NULL);

		for (int i = 0; template != NULL && i < sr_template_columns(template); i++)
			named |= strcmp(sr_template_column(template, i), name) == 0;
		sr_template_free(template);
	}
	return named;
}

int pg_templates_begin(const pg_templates *t)
{
	return t->session_dependent ? pg_text_begin("") : 0;
}

void pg_templates_end(int nest_level)
{
	pg_text_end(nest_level);
}

/* Fill c->texts; false when a column is NULL. */
static bool row_texts(compiled *c, TupleTableSlot *slot, char (*scratch)[PG_INTEGER_TEXT])
{
	int n = sr_template_columns(c->template);

	for (int i = 0; i < n; i++)
	{
		bool  isnull;
		Datum datum = slot_getattr(slot, c->columns[i].attnum, &isnull);

		if (isnull)
			return false;
		c->texts[i] = pg_text_of(&c->columns[i].text, datum, scratch[i]);
	}
	return true;
}

/* What the query calls may change the same table, and this be called again. */
static void queue_looked_up(pg_templates *t, pg_lookup *lookup, TupleTableSlot *slot, bool past)
{
	t->users++;
	PG_TRY();
	{
		pg_lookup_queue(lookup, slot, past);
	}
	PG_FINALLY();
	{
		t->users--;
	}
	PG_END_TRY();
}

static void queue_one(compiled *c, TupleTableSlot *slot)
{
	char  scratch[8][PG_INTEGER_TEXT];
	int	  n = sr_template_columns(c->template);
	void *space = n <= (int) lengthof(scratch) ? scratch : palloc((size_t) n * sizeof *scratch);

	if (!row_texts(c, slot, space))
		return;
	key_buffer.len = 0;
	if (sr_template_expand(c->template, c->texts, &key_buffer) != SR_EXPANDED)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	pg_queue_key(key_buffer.data, key_buffer.len);
	if (key_buffer.cap > PG_KEEP_BYTES)
		sr_buf_free(&key_buffer);
}

/* Certainly the same key: the common UPDATE leaves an integer id alone. */
static bool is_unchanged(const compiled *c, TupleTableSlot *before, TupleTableSlot *after)
{
	int n = sr_template_columns(c->template);

	for (int i = 0; i < n; i++)
	{
		AttrNumber attnum = c->columns[i].attnum;
		bool	   null_before, null_after;
		Datum	   old = slot_getattr(before, attnum, &null_before);
		Datum new = slot_getattr(after, attnum, &null_after);

		if (!c->columns[i].byval || null_before || null_after || old != new)
			return false;
	}
	return true;
}

void pg_templates_queue(pg_templates *t, TupleTableSlot *slot, bool past)
{
	for (int i = 0; i < t->count; i++)
	{
		compiled *c = &t->compiled[i];

		if (c->lookup != NULL)
			queue_looked_up(t, c->lookup, slot, past);
		else if (c->template != NULL)
			queue_one(c, slot);
	}
}

void pg_templates_queue_update(pg_templates *t, TupleTableSlot *before, TupleTableSlot *after)
{
	for (int i = 0; i < t->count; i++)
	{
		compiled *c = &t->compiled[i];

		if (c->lookup != NULL)
		{
			queue_looked_up(t, c->lookup, before, true);
			if (!pg_lookup_is_unchanged(c->lookup, before, after))
				queue_looked_up(t, c->lookup, after, false);
			continue;
		}
		if (c->template == NULL)
			continue;
		queue_one(c, before);
		if (!is_unchanged(c, before, after))
			queue_one(c, after);
	}
}
