/*
 * relaxed.pml - what the code does with one coherent entry: writers, readers, the sender of asynchronous
 * commits, a drainer, and a Redis of two servers with asynchronous replication. docs/coherence.md
 * describes the protocol in words; run.py knows the variants and what each must show.
 *
 * Protections, each of which a variant may leave out:
 *   LEASE     a fill needs the lease that was taken before the snapshot, still there
 *   STAMP     lease and entry carry the identity of the server and the epoch of the database under which
 *             the lease was taken; others do not count
 *   OUTBOX    a row in the writer's own transaction, deleted only after delivery
 * Faults:
 *   CRASH     a writer (or its whole database: shared memory is lost) dies at any step after commit
 *   DOWN      what the database sends to Redis is lost
 *   FAILOVERS how often the replica, which may lag, is promoted; the old master follows it then
 *   DBLOSS    a crash of the database loses a commit that others saw (synchronous_commit = off)
 * Ways to do it:
 *   ASYNC     a committed writer hands over to the sender instead of sending
 *   RUNID     the identity is the run_id alone, which a server keeps when it becomes master again
 *   REMEMBER  a reader asks for the identity once and never again
 *   SNAPFIRST the reader's snapshot is older than its lease; STANDBY it reads a lagging standby
 *   DIRTY     a writer fills with its own uncommitted row
 *   PREDEL    the entry is deleted before the commit; ROWFIRST the row is deleted before delivery
 *   RESTAMP   a fill is stamped with the identity of the server it is sent to
 * Checks: P1 when nothing is left to do, a valid entry is the database's version
 *         P2 a hit is never older than the last acknowledged invalidation
 */
#ifndef NW
#define NW 2
#endif
#ifndef NR
#define NR 2
#endif
#ifndef LOOPS
#define LOOPS 2
#endif
#ifndef FAILOVERS
#define FAILOVERS 0
#endif

byte dbv = 1, durable = 1, standby = 1, invack = 1, epoch;
byte rows, ring;                     /* a bit a writer */
byte version[NW];                    /* that the writer committed */
bool rowlock;
byte val[2], vstamp[2], token[2], tstamp[2]; /* of each server: one key, value or lease */
byte cur, identity[2], promotions, tok;

#define ME (1 << id)
#ifdef STAMP
#define STAMPOF(i) ((i) + 8 * epoch)
#else
#define STAMPOF(i) 0
#endif
#define NOW STAMPOF(identity[cur])
#define UNLINK_ENTRY val[cur] = 0; token[cur] = 0
inline raise(a, b) { if :: a < b -> a = b :: else fi }

proctype Writer(byte id)
{
	byte v;
	atomic { !rowlock -> rowlock = 1; v = dbv + 1 };
#ifdef DIRTY
	if :: atomic { val[cur] == 0 -> val[cur] = v; vstamp[cur] = NOW } :: skip fi;
#endif
#ifdef PREDEL
	if :: atomic { UNLINK_ENTRY } :: skip fi;
#endif
	if
	:: atomic { rowlock = 0; goto done }               /* rollback */
	:: atomic { dbv = v; version[id] = v; rowlock = 0;
#ifdef OUTBOX
			rows = rows | ME
#endif
		}
	fi;
#ifdef PREDEL
	goto done;
#endif
#ifdef CRASH
	if :: goto done :: skip fi;
#endif
#ifdef ROWFIRST
	atomic { rows = rows & (255 - ME) };
#ifdef CRASH
	if :: goto done :: skip fi;
#endif
#endif
#ifdef ASYNC
	atomic { ring = ring | ME; goto done };
#endif
	if
	:: atomic { UNLINK_ENTRY; raise(invack, v) };
		atomic { rows = rows & (255 - ME) }            /* its next transaction, or a drainer */
#ifdef DOWN
	:: skip
#endif
	fi;
done:
	v = 0
}

#ifdef ASYNC
active proctype Sender()
{
	byte id;
end:
	do
	:: atomic { ring != 0 -> id = 0; do :: (ring & ME) == 0 -> id++ :: else -> break od };
		if
		:: atomic { UNLINK_ENTRY; raise(invack, version[id]); ring = ring & (255 - ME) };
			atomic { rows = rows & (255 - ME); id = 0 }
#ifdef DOWN
		:: atomic { ring = ring & (255 - ME); id = 0 } /* its row is left to the drainer */
#endif
#ifdef CRASH
		:: atomic { ring = 0; id = 0 }                 /* and shared memory with it */
#endif
		fi
	od
}
#endif

#ifdef OUTBOX
active proctype Drainer()
{
	byte id;
end:
	do
	:: atomic { rows != 0 -> id = 0; do :: (rows & ME) == 0 -> id++ :: else -> break od };
		if
		:: atomic { UNLINK_ENTRY; raise(invack, version[id]) };
			atomic { rows = rows & (255 - ME); id = 0 }
#ifdef DOWN
		:: id = 0
#endif
		fi
	od
}
#endif

proctype Reader()
{
	byte i, snap, mine, stamp, known = 255;
	do
	:: i < LOOPS ->
#ifdef SNAPFIRST
		snap = dbv;
#endif
		atomic {                                       /* one script: hit, lease, or somebody else's */
			i++; mine = 0;
#ifdef REMEMBER
			if :: known == 255 -> known = identity[cur] :: else fi;
			stamp = STAMPOF(known);
#else
			stamp = NOW;
#endif
			if
			:: val[cur] != 0 && vstamp[cur] == stamp ->
#ifdef P2
				assert(val[cur] >= invack);
#endif
				mine = 255
			:: else ->
				if
				:: token[cur] == 0 || tstamp[cur] != stamp ->
					val[cur] = 0; tok++; token[cur] = tok; tstamp[cur] = stamp; mine = tok
				:: else
				fi
			fi
		};
		if
		:: mine == 0 || mine == 255
		:: else ->
#ifndef SNAPFIRST
#ifdef STANDBY
			snap = standby;
#else
			snap = dbv;
#endif
#endif
			atomic {                                   /* one script: fill, if the lease is still there */
				if
#ifdef LEASE
				:: token[cur] == mine && tstamp[cur] == stamp ->
#else
				:: true ->
#endif
					val[cur] = snap; token[cur] = 0;
#ifdef RESTAMP
					vstamp[cur] = NOW
#else
					vstamp[cur] = stamp
#endif
				:: else
				fi;
				snap = 0; mine = 0; stamp = 0
			}
		fi
	:: else -> break
	od;
	i = 0; snap = 0; mine = 0; stamp = 0; known = 0
}

active proctype Expire() { end: do :: atomic { token[cur] != 0 -> token[cur] = 0 } od }
active proctype Evict() { if :: atomic { val[cur] != 0 -> val[cur] = 0 } :: skip fi }

#if FAILOVERS > 0
#define OTHER (1 - cur)
active proctype Replicate()
{
end:
	do
	:: atomic { (val[OTHER] != val[cur] || vstamp[OTHER] != vstamp[cur] || token[OTHER] != token[cur] ||
			tstamp[OTHER] != tstamp[cur]) ->
			val[OTHER] = val[cur]; vstamp[OTHER] = vstamp[cur];
			token[OTHER] = token[cur]; tstamp[OTHER] = tstamp[cur] }
	od
}
active proctype Promote()
{
	do
	:: promotions < FAILOVERS ->
		atomic { cur = OTHER; promotions++;
#ifdef RUNID
			identity[cur] = cur
#else
			identity[cur] = promotions + 1
#endif
		}
	:: break
	od
}
#endif

#ifdef STANDBY
active proctype Apply() { end: do :: atomic { standby < dbv -> standby++ } od }
#endif

#ifdef DBLOSS
active proctype Flush() { end: do :: atomic { durable < dbv -> durable = dbv } od }
active proctype CrashOfDatabase()
{
	if
	:: skip
	:: atomic { !rowlock -> dbv = durable; rows = 0; ring = 0;
#ifdef NEWEPOCH
			epoch = 1
#endif
		}
	fi
}
#endif

init
{
	byte i;
	atomic {
		val[0] = 1; val[1] = 1; identity[1] = 1;
		vstamp[0] = STAMPOF(0); vstamp[1] = STAMPOF(0);
		i = 0; do :: i < NW -> run Writer(i); i++ :: else -> break od;
		i = 0; do :: i < NR -> run Reader(); i++ :: else -> break od
	}
#ifdef REACHED
	timeout -> assert(0)
#endif
#ifdef P1
	timeout -> assert(val[cur] == 0 || vstamp[cur] != NOW || val[cur] == dbv)
#endif
}
