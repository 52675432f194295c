/* handle.pml is handle.go: the life of a slot, its generations, its references. */

/* = sync_del.go: Timer.delSync "if t.w == nil {" */
/* = handle.go: (*shard).lookup "if s := &c.items[i%(1<<chunkBits)]; s.gen == uint32(t.id>>32) {" */
#define lookup(t) (t != 0 && slot[indexOf(t)].gen == genOf(t))

/* Whoever has looked a handle up touches this. */
inline touch(t) {
	must(reach_own_timer_only, lives(t))
}

/* = handle.go: (*shard).room "return sh.slots.free > 0 || len(sh.slots.holes) > 0 || len(sh.slots.chunks.rows) < maxSlots>>chunkBits" */
#define room(i) (!slot[i].live && slot[i].gen != 0)

/* newTimer takes slot i, which must be free. */
inline newTimer(i, t) {
	/* = handle.go: (*shard).newTimer "*sh.body(i) = f" "s.owners = 0" */
	if
	:: slot[i].tenant > 1 -> reached(slot_reused)
	:: else -> skip
	fi;
	slot[i].live = true;
	slot[i].owners = 0;
	/* = handle.go: (*shard).timer "func (sh *shard) timer(i uint32, s *slot) Timer { return Timer{sh.w, sh.id(i, s)} }" */
	t = handle(i)
}

/* release recycles slot i, if nobody holds a reference to it any more. */
inline release(i) {
	/* = handle.go: (*shard).release "if s.owners > 0 || s.flags&(pending|running) != 0 {" */
	if
	:: slot[i].owners > 0 || slot[i].pending -> skip
	:: slot[i].owners == 0 && !slot[i].pending && slot[i].running && MUTANT != run_without_reference -> reached(run_keeps_timer)
	:: else -> recycle(i)
	fi
}

inline recycle(i) {
	must(recycle_what_nobody_holds, slot[i].live && slot[i].owners == 0 && !slot[i].pending && !inFlight(handle(i)));

	/* = handle.go: (*shard).recycle "*sh.body(i) = nil" "s.flags = 0" */
	slot[i].live = false;
	slot[i].running = false;
	slot[i].locking = false;
	slot[i].deleting = false;
	slot[i].shutdown = false;
	slot[i].tenant++;
	/* = handle.go: (*shard).recycle "if s.gen < lastGen {" "s.gen++" "s.gen = 0 // in no handle" */
	if
	:: MUTANT == generation_stays -> skip
	:: MUTANT != generation_stays && slot[i].gen < LAST_GEN -> slot[i].gen++
	:: MUTANT == generation_wraps && slot[i].gen == LAST_GEN -> slot[i].gen = 1
	:: else -> slot[i].gen = 0; reached(slot_retired)
	fi
}
