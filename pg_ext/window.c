/*
 * window.c - redis_get_batch(key) OVER (...): each row's own value, the partition's keys fetched many
 * at once.
 *
 * The first row whose value is not there yet evaluates the keys of the rows that follow, as many as the
 * core has room for, and fetches them; those rows then find theirs. A row's key is evaluated once, so
 * it may be volatile, and before any row that follows it is given out. What was fetched lives in the
 * core, one chunk at a time, as long as the call site.
 */
#include "pg_sqlredis.h"

#include "utils/memutils.h"
#include "windowapi.h"

/* Bytes of keys that end a chunk early. */
#define CHUNK_BYTES ((size_t) 4 * 1024 * 1024)

/* Of the call site: it outlives partitions. */
typedef struct site
{
	sr_fetch			 *fetch;
	Oid					  result;
	pg_input			  input;
	MemoryContext		  scratch; /* of one key's evaluation */
	MemoryContextCallback forget;
} site;

/* Of the partition, zeroed when it begins: rows start to start + count have their values. */
typedef struct chunk
{
	int64 start;
	int64 count;
	bool  missed; /* Redis is away and sqlredis.on_error says NULL */
} chunk;

static void free_fetch(void *arg)
{
	site *s = arg;

	sr_fetch_free(s->fetch);
	s->fetch = NULL;
}

static site *get_site(FunctionCallInfo fcinfo, sr_client *client)
{
	FmgrInfo *flinfo = fcinfo->flinfo;
	site	 *s = flinfo->fn_extra;

	if (s != NULL)
		return s;
	s = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof *s);
	s->result = get_fn_expr_rettype(flinfo);
	pg_input_init(&s->input, get_fn_expr_argtype(flinfo, 0), flinfo->fn_mcxt);
	s->scratch =
		AllocSetContextCreate(flinfo->fn_mcxt, "sqlredis window key", ALLOCSET_SMALL_SIZES);
	s->forget.func = free_fetch;
	s->forget.arg = s;
	MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &s->forget);
	s->fetch = sr_fetch_new(client);
	if (s->fetch == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	flinfo->fn_extra = s;
	return s;
}

/* Add the key of the row that is offset rows ahead; its length, or -1: the partition has no such row. */
static int64 add_key(site *s, WindowObject window, int offset)
{
	MemoryContext before = MemoryContextSwitchTo(s->scratch);
	sr_value	  key = {.type = SR_TYPE_NULL};
	bool		  isnull, outside;
	sr_err		  err = {0};
	Datum		  datum =
		WinGetFuncArgInPartition(window, 0, offset, WINDOW_SEEK_CURRENT, false, &isnull, &outside);

	/* Evaluating the key may have changed the settings for a while. */
	(void) pg_client();
	if (!outside)
	{
		if (!isnull)
			pg_value_from_datum(&key, &s->input, datum);
		if (!sr_fetch_add(s->fetch, isnull ? NULL : key.data, key.len, &err))
			pg_raise(&err);
	}
	MemoryContextSwitchTo(before);
	MemoryContextReset(s->scratch);
	return outside ? -1 : (int64) key.len;
}

/* Fetch for the current row, which is row start of the partition, and those that follow. */
static void fetch(site *s, chunk *c, WindowObject window, int64 start, const sr_command *cmd)
{
	size_t room = sr_fetch_room(s->fetch);
	size_t bytes = 0;
	int	   n = 0;
	sr_err err = {0};

	c->count = 0;
	sr_fetch_begin(s->fetch);
	for (; n < (int) Min(room, INT_MAX) && bytes < CHUNK_BYTES; n++)
	{
		int64 len = add_key(s, window, n);

		if (len < 0)
			break;
		bytes += len;
	}
	c->missed = !sr_fetch_run(s->fetch, &err);
	if (c->missed)
		pg_raise_or_null(cmd, &err);
	else
		pg_call_succeeded();
	c->start = start;
	c->count = n;
	/* Nothing before the next chunk is looked at again: the executor need not keep it. */
	WinSetMarkPosition(window, start + n - 1);
}

Datum pg_call_window(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	WindowObject	window = PG_WINDOW_OBJECT();
	sr_client	   *client = pg_client();
	const sr_value *value;
	site		   *s;
	chunk		   *c;
	int64			row;
	sr_err			err = {0};

	if (!WindowObjectIsValid(window))
		elog(ERROR, "%s: called outside of a window", cmd->name);
	s = get_site(fcinfo, client);
	c = WinGetPartitionLocalMemory(window, sizeof *c);
	row = WinGetCurrentPosition(window);
	if (row < c->start || row >= c->start + c->count)
		fetch(s, c, window, row, cmd);
	if (c->missed)
		PG_RETURN_NULL();
	value = sr_fetch_value(s->fetch, (size_t) (row - c->start), &err);
	if (value == NULL)
	{
		pg_raise_or_null(cmd, &err);
		c->missed = true;
		PG_RETURN_NULL();
	}
	if (value->type == SR_TYPE_NULL)
		PG_RETURN_NULL();
	return pg_datum_from_value(value, s->result, cmd->name);
}
