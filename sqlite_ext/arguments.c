/*
 * arguments.c - the arguments of a function that gives rows: hidden columns of its table, and what
 * SQLite's planner is told of them (xBestIndex).
 *
 * `FROM redis_mget('a', 'b')` is a constraint on the first two hidden columns. A variadic argument has
 * as many columns as SQLite allows a function arguments. Where a visible column shows what the variadic
 * argument named, as redis_mget's key does, a constraint on that column names it too: `key = ?`, and
 * `key IN (SELECT ...)`, which comes as one set where SQLite can do that (3.38 and later).
 *
 * Nothing here looks at values, and nothing is sent.
 */
#include "sqlredis.h"

#include <string.h>

/*
 * SQLite's units: about a step from one row to the next. A round trip costs a hundred of them; a lookup
 * more here, or SQLite, which takes any IN (SELECT ...) for 25 values, looks them up one by one.
 */
#define COST_OF_CALL   10000.0
#define COST_OF_LOOKUP 2000.0
#define ROWS_OF_CALL   1000
/* What takes rows away must not be run once a row of another table when that can be avoided. */
#define COST_OF_WRITE 1e6
/* Not at all, when there is another way. */
#define COST_OF_NONSENSE 1e99

/* SQLite can leave its own check of a constraint out for this many: of them, and of values. */
#define OMITTABLE 16

static const char *type_name(sr_type type)
{
	switch (type)
	{
		case SR_TYPE_BOOLEAN:
		case SR_TYPE_INTEGER: return "INTEGER";
		case SR_TYPE_DOUBLE: return "REAL";
		case SR_TYPE_TEXT:
		case SR_TYPE_JSON: return "TEXT";
		case SR_TYPE_NULL:
		case SR_TYPE_LIST:
		case SR_TYPE_BYTES: break;
	}
	return "";
}

static int column_named(const sr_command *cmd, const char *name)
{
	for (int i = 0; cmd->columns[i].name != NULL; i++)
		if (strcmp(cmd->columns[i].name, name) == 0)
			return i;
	return -1;
}

/* An application may have lowered SQLite's limit; one more than the fixed ones is always tried. */
static int room_for_arguments(const sq_table *t)
{
	int room = sqlite3_limit(t->f->st->db, SQLITE_LIMIT_COLUMN, -1) - t->columns;

	if (room > SQ_MAX_ARGUMENTS)
		return SQ_MAX_ARGUMENTS;
	return room > t->fixed ? room : t->fixed + 1;
}

void sq_table_init(sq_table *t, const sq_function *f)
{
	const sr_command *cmd = f->cmd;

	t->f = f;
	t->key_column = -1;
	while (cmd->columns[t->columns].name != NULL)
		t->columns++;
	while (cmd->args[t->arguments].name != NULL)
		t->arguments++;
	t->fixed = t->arguments;
	if (t->arguments > 0 && (cmd->args[t->arguments - 1].flags & SR_VARIADIC))
	{
		t->fixed--;
		t->arguments = room_for_arguments(t);
		t->key_column = column_named(cmd, cmd->args[t->fixed].name);
	}
}

const sr_arg *sq_argument(const sq_table *t, int i)
{
	return &t->f->cmd->args[i < t->fixed ? i : t->fixed];
}

/* ", " and the hidden column of the i-th argument: key, key2 ...; arg_key where a column is called key. */
static void append_name(sqlite3_str *out, const sq_table *t, int i)
{
	const char *name = sq_argument(t, i)->name;

	sqlite3_str_appendf(out, "%s%s", column_named(t->f->cmd, name) >= 0 ? "arg_" : "", name);
	if (i > t->fixed)
		sqlite3_str_appendf(out, "%d", i - t->fixed + 1);
}

/* "CREATE TABLE x(key TEXT, pattern HIDDEN)" */
char *sq_table_declaration(const sq_table *t)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);

	sqlite3_str_appendall(sql, "CREATE TABLE x(");
	for (int i = 0; i < t->columns; i++)
		sqlite3_str_appendf(sql, "%s\"%w\" %s", i == 0 ? "" : ", ", t->f->cmd->columns[i].name,
							type_name(t->f->cmd->columns[i].type));
	for (int i = 0; i < t->arguments; i++)
	{
		sqlite3_str_appendall(sql, ", \"");
		append_name(sql, t, i);
		sqlite3_str_appendall(sql, "\" HIDDEN");
	}
	sqlite3_str_appendall(sql, ")");
	return sqlite3_str_finish(sql);
}

/* ---- xBestIndex ---- */

typedef struct plan
{
	int	 constraint_of[SQ_MAX_ARGUMENTS]; /* -1: the argument is not given */
	int	 by_column;						  /* the constraint on the key column, or -1 */
	bool by_set;						  /* ... is an IN whose values come as one set */
	bool column_is_late;				  /* there is one, whose value is not known yet */
} plan;

static bool is_equality(unsigned char op)
{
	return op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_IS;
}

/* Does SQLite give the values of this IN as a set? Before 3.38 it gives them one by one. */
static bool is_set(sqlite3_index_info *info, int i, int handle)
{
	return sqlite3_libversion_number() >= 3038000 && sqlite3_vtab_in(info, i, handle);
}

/* false: an argument depends on a table that comes later in the order SQLite asks about. */
static bool read_constraints(const sq_table *t, sqlite3_index_info *info, plan *p)
{
	for (int i = 0; i < info->nConstraint; i++)
	{
		const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
		int									   argument = constraint->iColumn - t->columns;

		if (!is_equality(constraint->op))
			continue;
		if (argument >= 0)
		{
			if (!constraint->usable)
				return false;
			if (p->constraint_of[argument] < 0)
				p->constraint_of[argument] = i;
		}
		else if (t->key_column >= 0 && constraint->iColumn == t->key_column)
		{
			if (!constraint->usable)
				p->column_is_late = true;
			/* One key is better than a set. */
			else if (p->by_column < 0 || is_set(info, p->by_column, -1))
				p->by_column = i;
		}
	}
	return true;
}

/*
 * Arguments named by their place win: then SQLite compares the rows with what is said of the column.
 * false: the column will name them, in another order of the tables.
 */
static bool choose(const sq_table *t, sqlite3_index_info *info, plan *p)
{
	if (t->fixed == t->arguments || p->constraint_of[t->fixed] >= 0)
		p->by_column = -1;
	else if (p->by_column < 0 && p->column_is_late)
		return false;
	p->by_set = p->by_column >= 0 && is_set(info, p->by_column, -1);
	return true;
}

/* Everything that is required, and no second key without a first. */
static bool complete(const sq_table *t, const plan *p, char **error)
{
	sqlite3_str *text;
	int			 missing = -1, given;

	for (int i = 0; missing < 0 && i <= t->fixed && i < t->arguments; i++)
		if (p->constraint_of[i] < 0 && !(sq_argument(t, i)->flags & SR_OPTIONAL) &&
			(i < t->fixed || p->by_column < 0))
			missing = i;
	if (missing >= 0)
	{
		*error = sqlite3_mprintf("invalid: %s needs its argument %s", t->f->cmd->name,
								 sq_argument(t, missing)->name);
		return false;
	}
	given = t->arguments - 1;
	while (given > t->fixed && p->constraint_of[given] < 0)
		given--;
	for (int i = t->fixed; missing < 0 && i < given; i++)
		if (p->constraint_of[i] < 0)
			missing = i;
	if (missing < 0)
		return true;
	text = sqlite3_str_new(NULL);
	sqlite3_str_appendf(text, "invalid: %s is given ", t->f->cmd->name);
	append_name(text, t, given);
	sqlite3_str_appendall(text, " without ");
	append_name(text, t, missing);
	*error = sqlite3_str_finish(text);
	return false;
}

/* The value of a constraint comes as xFilter's next one; false: SQLite also compares it with the row. */
static bool use(sqlite3_index_info *info, int constraint, int *position)
{
	info->aConstraintUsage[constraint].argvIndex = ++*position;
	info->aConstraintUsage[constraint].omit = 1;
	return constraint < OMITTABLE && *position <= OMITTABLE;
}

static void use_all(const sq_table *t, sqlite3_index_info *info, const plan *p)
{
	int position = 0, compared = t->arguments;

	for (int i = 0; i < t->arguments; i++)
	{
		if (p->constraint_of[i] < 0)
			continue;
		if (!use(info, p->constraint_of[i], &position) && compared > i)
			compared = i;
		if (i < t->fixed)
			info->idxNum |= 1 << i;
		else
			info->idxNum += 1 << SQ_PLAN_COUNT;
	}
	if (p->by_column >= 0)
	{
		use(info, p->by_column, &position);
		info->idxNum |= p->by_set ? SQ_PLAN_SET : SQ_PLAN_KEY;
		if (p->by_set)
			is_set(info, p->by_column, 1);
	}
	if (compared < t->arguments)
		info->idxNum |= (compared + 1) << SQ_PLAN_COMPARED;
}

static void estimate(const sq_table *t, sqlite3_index_info *info)
{
	int count = SQ_PLAN_VARIADIC(info->idxNum);

	info->estimatedCost = COST_OF_CALL;
	info->estimatedRows = ROWS_OF_CALL;
	/* Less than two lookups: SQLite forgets an argument that is a subquery when it looks up an OR. */
	if (t->key_column >= 0 && count > 0)
	{
		info->estimatedCost = COST_OF_LOOKUP + count;
		info->estimatedRows = count;
	}
	if (info->idxNum & SQ_PLAN_KEY)
	{
		info->estimatedCost = COST_OF_LOOKUP;
		info->estimatedRows = 1;
	}
	/* Fewer rows with every argument; and `pattern = 'a' OR pattern = 'b'` must not read all, once. */
	for (int i = 0; i < t->fixed; i++)
		if (!(info->idxNum & 1 << i))
			info->estimatedCost *= 10;
	if (!(t->f->cmd->flags & SR_READ))
		info->estimatedCost *= COST_OF_WRITE;
}

/*
 * Arguments are missing, and xFilter says so: SQLite asks about the branches of an OR without what
 * stands beside it, and an error here would end a statement that it can run in another way.
 */
static int refuse(sqlite3_index_info *info, char *error)
{
	if (error == NULL)
		return SQLITE_NOMEM;
	info->idxNum = SQ_PLAN_REFUSED;
	info->idxStr = error;
	info->needToFreeIdxStr = 1;
	info->estimatedCost = COST_OF_NONSENSE;
	return SQLITE_OK;
}

int sq_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	const sq_table *t = (const sq_table *) vtab;
	plan			p = {.by_column = -1};
	char		   *error = NULL;

	for (int i = 0; i < SQ_MAX_ARGUMENTS; i++)
		p.constraint_of[i] = -1;
	if (!read_constraints(t, info, &p) || !choose(t, info, &p))
		return SQLITE_CONSTRAINT;
	if (!complete(t, &p, &error))
		return refuse(info, error);
	info->idxNum = 0;
	use_all(t, info, &p);
	/* What EXPLAIN QUERY PLAN shows. */
	if (p.by_column >= 0)
		info->idxStr = (char *) (p.by_set ? "keys at once" : "key");
	estimate(t, info);
	return SQLITE_OK;
}
