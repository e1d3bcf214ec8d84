/*
 * commands.pml - redis_on_commit("INCR n") of one transaction: a row in the outbox, delivered at least once,
 * and a marker in Redis under the id that travels with it.
 *
 *   DEDUPE    the script sets the marker first and does nothing when it is there
 *   OUTBOX    the row is written by the transaction; deleted after delivery
 *   KEPT      the marker outlives every repeat (a day); without it, it may expire before one
 * Checks: ONCE when nothing is left to do, a committed transaction's command ran exactly once, a
 *         rolled-back one's never
 */
byte n;
bool row, marker, committed, over;

inline deliver()
{
#ifdef DEDUPE
	if :: !marker -> marker = 1; n++ :: else fi
#else
	n++
#endif
}

active proctype Session()
{
	if
	:: atomic { over = 1; goto done }                        /* rollback */
	:: atomic { committed = 1;
#ifdef OUTBOX
			row = 1
#endif
		}
	fi;
	if
	:: skip                                                  /* dies, or Redis is away */
	:: atomic { deliver() };
		if :: skip                                           /* dies, or the reply is lost */
		:: atomic { row = 0 } fi
	fi;
	over = 1;
done:
	skip
}

active proctype Drainer()
{
end:
	do
	:: atomic { row && over -> deliver() };
		if :: skip :: atomic { row = 0 } fi                  /* the reply may be lost again */
	od
}
#ifndef KEPT
active proctype Expire() { end: do :: atomic { marker -> marker = 0 } od }
#endif

init
{
	timeout -> assert(n == (committed -> 1 : 0))
}
