/* shard.pml is shard.go: what is pending, and where. */

inline link(i) {
	/* = shard.go: (*shard).link "s.flags |= pending" "sh.counters.registered++" */
	slot[i].pending = true;
	ledger++
}

inline unlink(i) {
	/* = shard.go: (*shard).unlink "sh.levels.remove(i, s)" "s.flags &^= pending | slotted | prompt | onGrid" */
	must(take_off_what_pends, slot[i].pending);
	slot[i].pending = false;
	slot[i].list = 0
}

/* arm makes a timer pending, or moves it. Without time, where it stays and where
   it is put are one place: on the wheel. */
inline arm(i) {
	/* = shard.go: (*shard).arm "sh.move(i, s, when, now)" */
	/* = shard.go: (*shard).move "if s.flags&pending != 0 {" "sh.link(s)" "sh.w.wakeBy(sh.place(i, s, now))" */
	if
	:: slot[i].pending -> reached(moved)
	:: else -> link(i)
	fi;
	place(i)
}

inline place(i) {
	/* = shard.go: (*shard).place "return sh.nanos(sh.levels.insert(i, s))" */
	slot[i].list = wheel
}

/* In mutants only. */
#define outOfReach(i) (slot[i].list == due && MUTANT == due_is_out_of_reach || \
	slot[i].list == held && MUTANT == held_is_out_of_reach || \
	slot[i].running && MUTANT == firing_left)

inline disarm(i) {
	/* = shard.go: (*shard).disarm "if s.flags&pending == 0 {" "sh.unlink(i, s)" "sh.counters.removed++" */
	if
	:: !slot[i].pending -> skip
	:: slot[i].pending && outOfReach(i) -> skip
	:: else ->
		if
		:: slot[i].list == due -> reached(removed_in_line)
		:: slot[i].list == held -> reached(removed_held)
		:: else -> reached(removed)
		fi;
		unlink(i);
		ledger = (MUTANT == removed_uncounted -> ledger : ledger - 1)
	fi
}

/* = group.go: (*Group).beingDeleted "func (g *Group) beingDeleted() bool { return g != nil && g.deleting > 0 }" */
#define beingDeleted(i) (slot[i].deleting && MUTANT != mark_ignored || member(i) && group.deleting > 0 && MUTANT != group_open)

/* refusal says why a Register of t must be refused, or ok. */
inline refusal(t, err) {
	/* = shard.go: (*shard).refusal "return ErrStale" "case s.flags&shutdown != 0 || g.shutDown():" "case s.flags&deleting != 0 || g.beingDeleted():" "case sh.closed:" */
	if
	:: !lookup(t) -> err = ErrStale; reached(stale)
	:: else ->
		touch(t);
		if
		:: slot[indexOf(t)].shutdown -> err = ErrShutdown; reached(refused_shutdown)
		:: !slot[indexOf(t)].shutdown && beingDeleted(indexOf(t)) -> err = ErrDeleting; reached(refused)
		:: !slot[indexOf(t)].shutdown && !beingDeleted(indexOf(t)) && shardClosed -> err = ErrClosed; reached(refused_closed)
		:: else -> err = ok
		fi
	fi
}

/* = shard.go: (*shard).soonest "if sh.levels.tails[listDue] != 0 {" "start, _, ok := sh.levels.next()" */
#define soonest (anySlot(inLine) || anySlot(onWheel))

/* pop chooses a timer that is due; SLOTS, if none is. What has become due since
   somebody last looked is any part of what is on the wheel. */
inline pop(i) {
	/* = shard.go: (*shard).pop "if sh.closed {" "more = sh.levels.expire(now/sh.levels.tick, batch)" */
	if
	:: anySlot(inLine) || shardClosed
	:: else ->
		i = 0;
		do
		:: i < SLOTS && onWheel(i) -> slot[i].list = due; i++
		:: i < SLOTS -> i++
		:: i == SLOTS -> break
		od
	fi;
	/* = shard.go: (*shard).pop "return sh.levels.last(listDue), true, true" */
	if
	:: !shardClosed && inLine(0) -> i = 0
#if SLOTS > 1
	:: !shardClosed && inLine(1) -> i = 1
#endif
#if SLOTS > 2
	:: !shardClosed && inLine(2) -> i = 2
#endif
	:: shardClosed || !anySlot(inLine) -> i = SLOTS
	fi
}

inline unlock() {
	/* = shard.go: (*shard).unlock "sh.check()" "sh.mu.Unlock()" */
	check();
	observe();
	skip /* spin wants no section to end with a loop */
}
