/*
 * lease.c - redis_cache_get and redis_cache_fill; and which transactions may fill the cache at all.
 *
 * What is filled must have been read with a snapshot that is younger than the lease. A transaction that
 * has written sees what others do not yet, one whose snapshot is older than the statement sees what
 * others no longer do, a standby lags behind: they look, and do not fill.
 */
#include "pg_sqlredis.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "funcapi.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "command.h"
#include "mutation.h"

/* A snapshot taken just after this transaction's last lease. */
typedef struct seen
{
	LocalTransactionId transaction;
	TransactionId	   xmax;
	uint32			   count;
	TransactionId	  *running; /* malloc'ed: the transactions before xmax that were */
} seen;

static seen last_lease;
static bool had_hit; /* since pg_cache_forget_hits */
static bool warned;	 /* of this outage */

sr_unfilled pg_cache_refusal(void)
{
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()) && !sr_without(OWN_WRITES_RULE))
		return SR_UNFILLED_OWN_WRITES;
	if (IsolationUsesXactSnapshot() && !sr_without(ISOLATION_RULE))
		return SR_UNFILLED_ISOLATION;
	if (RecoveryInProgress() && !sr_without(RECOVERY_RULE))
		return SR_UNFILLED_RECOVERY;
	return SR_UNFILLED_REASONS;
}

bool pg_cache_forget_hits(void)
{
	bool had = had_hit;

	had_hit = false;
	return had;
}

void pg_cache_note_hit(void)
{
	had_hit = true;
}

/* A tag or a pattern may mean any key. */
bool pg_cache_is_queued(sr_client *client, const sr_value *key)
{
	const sr_inval *queue = pg_queue();
	size_t			prefix_len;
	const char	   *prefix = sr_client_prefix(client, &prefix_len);
	char		   *whole;
	bool			queued;

	if (queue == NULL || sr_inval_count(queue) == 0 || sr_without(QUEUED_RULE))
		return false;
	if (sr_inval_count_of(queue, SR_EFFECT_TAG) + sr_inval_count_of(queue, SR_EFFECT_PATTERN) > 0)
		return true;
	whole = MemoryContextAllocHuge(CurrentMemoryContext, prefix_len + key->len + 1);
	memcpy(whole, prefix, prefix_len);
	memcpy(whole + prefix_len, key->data, key->len);
	queued = sr_inval_contains(queue, whole, prefix_len + key->len);
	pfree(whole);
	return queued;
}

void pg_cache_note(const sr_err *err)
{
	sr_err said = *err;

	pg_host_rethrow();
	if (said.cls == SR_OK)
	{
		warned = false;
		return;
	}
	if (!warned)
	{
		warned = true;
		pg_err_to_ascii(&said);
		ereport(WARNING, (errcode(ERRCODE_WARNING),
						  errmsg("the cache cannot be used, the database answers: %s", said.msg),
						  said.hint[0] != '\0' ? errhint("%s", said.hint) : 0));
	}
}

void pg_cache_lookup(sr_client *client, const sr_value *key, sr_cached *out)
{
	unsigned char epoch[SR_EPOCH_SIZE];
	sr_unfilled	  refusal = pg_cache_refusal();
	bool		  may_fill = refusal == SR_UNFILLED_REASONS;
	sr_unfilled	  why;
	sr_err		  err = {0};

	*out = (sr_cached){.found = SR_CACHE_MISSED};
	if (pg_cache_is_queued(client, key))
	{
		sr_client_count_unfilled(client, SR_UNFILLED_QUEUED);
		return;
	}
	if (!pg_epoch(epoch, &why))
	{
		sr_client_count_unfilled(client, may_fill ? why : refusal);
		return;
	}
	if (!sr_cache_lookup(client, epoch, key->data, key->len,
						 may_fill ? SR_CACHE_LEASE | SR_CACHE_WAIT : 0, out, &err))
	{
		sr_cached_free(out);
		pg_raise(&err);
	}
	if (out->found == SR_CACHE_HIT)
		pg_cache_note_hit();
	/* It only looked, and what it looked for was not there. */
	if (out->found == SR_CACHE_MISSED && out->reason == SR_UNFILLED_REASONS)
		sr_client_count_unfilled(client, refusal);
	PG_TRY();
	{
		pg_cache_note(&err);
	}
	PG_CATCH();
	{
		sr_cached_free(out);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* ---- the rule for a value that a statement computes while it holds a lease ---- */

/* After a lease: what has ended by now was perhaps invalidated before the lease, too. */
static void remember_snapshot(void)
{
	Snapshot	   snapshot = GetLatestSnapshot();
	TransactionId *running = malloc((snapshot->xcnt + 1) * sizeof *running);

	free(last_lease.running);
	last_lease = (seen){.transaction = my_lxid, .running = running};
	if (running == NULL)
		return;
	last_lease.xmax = snapshot->xmax;
	last_lease.count = snapshot->xcnt;
	memcpy(running, snapshot->xip, snapshot->xcnt * sizeof *running);
}

static bool was_running(TransactionId xid)
{
	for (uint32 i = 0; i < last_lease.count; i++)
		if (last_lease.running[i] == xid)
			return true;
	return false;
}

/*
 * Has something ended between the snapshot of the statement that fills and this transaction's last
 * lease? Then the value may be from before it. xmax is one more than the youngest that had ended.
 */
static bool is_too_old(Snapshot snapshot)
{
	if (last_lease.transaction != my_lxid || sr_without(STATEMENT_RULE))
		return false;
	if (last_lease.running == NULL || TransactionIdPrecedes(snapshot->xmax, last_lease.xmax))
		return true;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		if (TransactionIdPrecedes(snapshot->xip[i], last_lease.xmax) &&
			!was_running(snapshot->xip[i]))
			return true;
	return false;
}

/* ---- redis_cache_get, redis_cache_fill ---- */

static sr_value key_of(Datum datum)
{
	text	*key = DatumGetTextPP(datum);
	sr_value value;

	pg_value_from_text(&value, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	return value;
}

Datum pg_call_cache_get(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	TupleDesc		 desc;
	Tuplestorestate *store = pg_materialize(fcinfo, &desc);
	sr_client		*client = pg_client();
	bool			 nulls[2] = {true, true};
	Datum			 values[2] = {0};
	sr_cached		 cached;
	sr_value		 key;

	if (PG_ARGISNULL(0))
		return (Datum) 0;
	key = key_of(PG_GETARG_DATUM(0));
	pg_cache_lookup(client, &key, &cached);
	PG_TRY();
	{
		if (cached.found == SR_CACHE_HIT && cached.value.type != SR_TYPE_NULL)
		{
			values[0] =
				pg_datum_from_value(&cached.value, TupleDescAttr(desc, 0)->atttypid, cmd->name);
			nulls[0] = false;
		}
		if (cached.found == SR_CACHE_LEASED)
		{
			remember_snapshot();
			values[1] = CStringGetTextDatum(cached.lease);
			nulls[1] = false;
		}
	}
	PG_FINALLY();
	{
		sr_cached_free(&cached);
	}
	PG_END_TRY();
	tuplestore_putvalues(store, desc, values, nulls);
	return (Datum) 0;
}

static sr_unfilled fill_refusal(sr_client *client, const sr_value *key)
{
	sr_unfilled refusal = pg_cache_refusal();

	if (refusal == SR_UNFILLED_REASONS && pg_cache_is_queued(client, key))
		refusal = SR_UNFILLED_QUEUED;
	if (refusal == SR_UNFILLED_REASONS && is_too_old(GetActiveSnapshot()))
		refusal = SR_UNFILLED_ISOLATION;
	return refusal;
}

bool pg_cache_fill(sr_client *client, const sr_value *key, const char *lease, const sr_value *value,
				   int64_t ttl, int count, const sr_value *tags)
{
	bool   filled = false;
	sr_err err = {0};

	if (!sr_cache_fill(client, key->data, key->len, lease, strlen(lease), value, ttl, count, tags,
					   &filled, &err) &&
		!sr_class_is_outage(err.cls))
		pg_raise(&err);
	pg_cache_note(&err);
	return filled;
}

Datum pg_call_cache_fill(FunctionCallInfo fcinfo, const sr_command *cmd)
{
	sr_client	*client = pg_client();
	pg_arguments arguments;
	sr_value	*values;
	char		*lease;
	int64_t		 ttl;
	sr_unfilled	 refusal;

	pg_arguments_get(&arguments, fcinfo, cmd, 0);
	values = arguments.values;
	for (int i = 0; i < arguments.count; i++)
		if (values[i].type == SR_TYPE_NULL && i != 1 && i != 2)
			PG_RETURN_NULL();
	ttl = pg_cache_ttl(cmd, 3, &values[3]);
	if (values[1].type == SR_TYPE_NULL)
		PG_RETURN_BOOL(false);
	lease = pnstrdup(values[1].data, values[1].len);
	refusal = fill_refusal(client, &values[0]);
	if (refusal != SR_UNFILLED_REASONS)
	{
		sr_client_count_unfilled(client, refusal);
		sr_cache_release(client, values[0].data, values[0].len, lease);
		pg_host_rethrow();
		PG_RETURN_BOOL(false);
	}
	PG_RETURN_BOOL(
		pg_cache_fill(client, &values[0], lease, &values[2], ttl, arguments.count - 4, values + 4));
}

int64_t pg_cache_ttl(const sr_command *cmd, int argument, const sr_value *value)
{
	int64_t ms = 0;
	sr_err	err = {0};

	if (!sr_value_ms(&cmd->args[argument], value, &ms, &err))
		pg_raise(&err);
	if (ms <= 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must be more than 0 seconds", cmd->args[argument].name)));
	return ms;
}
