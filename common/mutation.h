/*
 * mutation.h - builds that lack one protection, for test/coherence to prove that it notices: `make
 * mutation`, or `CPPFLAGS=-DSR_WITHOUT=SR_WITHOUT_LEASE COPT=$CPPFLAGS make`. In any other build
 * sr_without() is a constant false and leaves no code behind. docs/mutations.md says what catches which.
 */
#ifndef SQLREDIS_MUTATION_H
#define SQLREDIS_MUTATION_H

enum
{
	SR_WITHOUT_NOTHING,
	SR_WITHOUT_LEASE,			/* a fill asks for no lease */
	SR_WITHOUT_AFTER_COMMIT,	/* effects are sent before the commit */
	SR_WITHOUT_OUTBOX,			/* no row is written */
	SR_WITHOUT_SERVER_EPOCH,	/* entries of another server count */
	SR_WITHOUT_DATABASE_EPOCH,	/* entries from before a crash count */
	SR_WITHOUT_ISOLATION_RULE,	/* REPEATABLE READ fills */
	SR_WITHOUT_OWN_WRITES_RULE, /* a transaction that has written fills */
	SR_WITHOUT_STATEMENT_RULE, /* a value that the statement which took the lease computed is filled */
	SR_WITHOUT_SNAPSHOT_ORDER,	/* the query's snapshot is older than its lease */
	SR_WITHOUT_RECOVERY_RULE,	/* a standby fills */
	SR_WITHOUT_QUEUED_RULE,		/* a key that this transaction will invalidate is a hit */
	SR_WITHOUT_IDEMPOTENT_SYNC, /* a second xSync changes nothing */
	SR_WITHOUT_DEPTH_TAGS,		/* a rollback to a savepoint drops everything */
	SR_WITHOUT_ROLLBACK,		/* a rollback drops nothing */
	SR_WITHOUT_DEDUPE,			/* a command is run as often as it is delivered */
	SR_WITHOUT_TAG_ORDER,		/* a tag invalidated after the lease does not matter */
	SR_WITHOUT_EVICTED_TAG,		/* a tag's record evicted after the lease does not matter */
	SR_WITHOUT_FRESH_TOKEN,		/* a lease asked for again carries the token of the first time */
	SR_WITHOUT_WRITE_GUARD,		/* a server that refuses invalidations gives hits */
	SR_WITHOUT_ENTRY_KEY,		/* only the plain key is deleted */
	SR_WITHOUT_PREPARED,		/* PREPARE TRANSACTION writes no row */
	SR_WITHOUT_RING_FALLBACK,	/* what finds no room in shared memory is dropped */
	SR_WITHOUT_COMMAND_ORDER	/* a key queued after a command keeps its place before it */
};

#ifndef SR_WITHOUT
#define SR_WITHOUT SR_WITHOUT_NOTHING
#endif
#define sr_without(protection) (SR_WITHOUT == SR_WITHOUT_##protection)

#endif
