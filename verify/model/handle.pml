/* handle.pml is handle.go: the life of a record, its generations, its references. */

/* = sync_del.go: Timer.delSync "if t.w == nil {" */
/* = handle.go: (*shard).lookup "if s := &c.Items[i%chunkLen]; s.Gen == uint32(t.id>>32) {" */
#define lookup(t) (t != 0 && record[indexOf(t)].gen == genOf(t))

/* Every step that has looked a handle up checks that it has reached its own timer. */
inline mayUse(t) {
	must(reach_own_timer_only, lives(t))
}

/* = handle.go: (*shard).hasRoom "return sh.records.Free() > 0 || sh.records.Holes() > 0 || sh.records.Chunks() < maxRecords/chunkLen" */
#define hasRoom(i) (!record[i].live && record[i].gen != 0)

/* newTimer takes record i, which must be free. */
inline newTimer(i, t) {
	/* = handle.go: (*shard).newTimer "s.Owners = 0" "s.Flags = sh.setFunction(i, f, arg)" */
	if
	:: record[i].tenant > 1 -> reached(record_reused)
	:: else -> skip
	fi;
	record[i].live = true;
	record[i].owners = 0;
	/* = handle.go: (*shard).timer "func (sh *shard) timer(i uint32, s *record) Timer { return Timer{unsafe.Pointer(sh.w), sh.id(i, s)} }" */
	t = handle(i)
}

/* release recycles record i, if no reference to it is held any more. */
inline release(i) {
	/* = handle.go: (*shard).release "if s.Owners > 0 || s.Flags&(pending|running) != 0 {" */
	if
	:: record[i].owners > 0 || record[i].pending -> skip
	:: record[i].owners == 0 && !record[i].pending && record[i].running && MUTANT != run_without_reference -> reached(run_keeps_timer)
	:: else -> recycle(i)
	fi
}

inline recycle(i) {
	must(recycle_only_without_references, record[i].live && record[i].owners == 0 && !record[i].pending && !inFlight(handle(i)));

	/* = handle.go: (*shard).recycle "sh.dropFunction(i, s)" "s.Flags = 0" */
	record[i].live = false;
	record[i].running = false;
	record[i].locking = false;
	record[i].deleting = false;
	record[i].shutdown = false;
	record[i].tenant++;
	/* = handle.go: (*shard).recycle "if s.Gen < lastGen {" "s.Gen++" "s.Gen = 0 // in no handle" */
	if
	:: MUTANT == generation_stays -> skip
	:: MUTANT != generation_stays && record[i].gen < LAST_GEN -> record[i].gen++
	:: MUTANT == generation_wraps && record[i].gen == LAST_GEN -> record[i].gen = 1
	:: else -> record[i].gen = 0; reached(record_retired)
	fi
}
