/*
 * tags.pml - one entry filled under one tag, whose record in Redis holds a version: the server's time of
 * the last invalidation. A tag is not known before the fill, so an invalidation cannot delete the lease.
 *
 *   ORDER     a fill is refused when the record's version is not older than its lease
 *   VERSION   an entry counts only while the record is there and has the version it was filled with
 *   STRICT    "not older" rather than "newer": an invalidation in the lease's own microsecond counts
 *   EXPIRE    a record may vanish once no lease is older than it (it lives longer than any lease)
 *   EVICT     a record may vanish at any time
 * Checks: P1 and P2 as in relaxed.pml
 */
#ifndef NW
#define NW 1
#endif
#ifndef NR
#define NR 2
#endif
#ifndef LOOPS
#define LOOPS 2
#endif
#define LONGEST 1 /* a record that a fill makes is dated this much before the lease */

byte dbv = 1, invack = 1, clock = 5, rows, val, entryversion, record, tok, token, leasetime;
byte version[NW];
bool rowlock;
#define ME (1 << id)
inline raise(a, b) { if :: a < b -> a = b :: else fi }
#define VOID_TAG if :: record >= clock -> record++ :: else -> record = clock fi

proctype Writer(byte id)
{
	byte v;
	atomic { !rowlock -> rowlock = 1; v = dbv + 1 };
	atomic { dbv = v; version[id] = v; rowlock = 0; rows = rows | ME };
	if :: skip :: atomic { VOID_TAG; raise(invack, v) }; atomic { rows = rows & (255 - ME) } fi;
	v = 0
}

active proctype Drainer()
{
	byte id;
end:
	do
	:: atomic { rows != 0 -> id = 0; do :: (rows & ME) == 0 -> id++ :: else -> break od };
		atomic { VOID_TAG; raise(invack, version[id]) };
		atomic { rows = rows & (255 - ME); id = 0 }
	od
}

#ifdef VERSION
#define VALID (val != 0 && record != 0 && record == entryversion)
#else
#define VALID (val != 0)
#endif

proctype Reader()
{
	byte i, snap, mine;
	do
	:: i < LOOPS ->
		atomic {
			i++; mine = 0;
			if
			:: VALID ->
#ifdef P2
				assert(val >= invack);
#endif
				mine = 255
			:: else -> if :: token == 0 -> val = 0; tok++; token = tok; leasetime = clock; mine = tok :: else fi
			fi
		};
		if
		:: mine == 0 || mine == 255
		:: else ->
			snap = dbv;
			atomic {
				if
				:: token == mine ->
					if :: record == 0 -> record = leasetime - LONGEST :: else fi;
					if
#ifdef ORDER
#ifdef STRICT
					:: record >= leasetime -> skip
#else
					:: record > leasetime -> skip
#endif
#endif
					:: else -> val = snap; entryversion = record
					fi;
					token = 0
				:: else
				fi;
				snap = 0; mine = 0
			}
		fi
	:: else -> break
	od;
	i = 0; snap = 0; mine = 0
}

active proctype Time() { byte n; do :: n < 2 -> atomic { n++; clock = clock + 2 } :: break od }
active proctype Lease() { end: do :: atomic { token != 0 -> token = 0 } od }
#ifdef EXPIRE
active proctype Expire()
{
	byte n;
	do
	:: n < 2 -> if :: atomic { record != 0 && (token == 0 || record < leasetime) -> record = 0; n++ } :: goto done fi
	:: else -> break
	od;
done:
	n = 0
}
#endif
#ifdef EVICT
active proctype Evict() { if :: atomic { record != 0 -> record = 0 } :: skip fi }
#endif

init
{
	byte i;
	atomic {
		i = 0; do :: i < NW -> run Writer(i); i++ :: else -> break od;
		i = 0; do :: i < NR -> run Reader(); i++ :: else -> break od
	}
#ifdef P1
	timeout -> assert(!VALID || val == dbv)
#endif
}
