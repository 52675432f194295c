/* shard.pml is shard.go: what is pending, and where. */

inline link(i) {
	/* = shard.go: (*shard).link "s.Flags |= pending" "sh.counters.registered++" */
	record[i].pending = true;
#if LANES > 0
	/* = shard.go: (*shard).link "if sh.anchor().Wheel == nil {" "return sh.occupy()" */
	/* = shard.go: (*shard).occupy "sh.anchor().Wheel = sh.w" */
	anchored = true;
#endif
	ledger++
}

inline unlink(i) {
	/* = shard.go: (*shard).unlink "sh.levelsOf(s).Remove(i, s)" "s.Flags &^= pending | levels.InBucket | levels.Prompt | onGrid" */
	must(take_off_what_pends, record[i].pending);
	/* = shard.go: (*shard).unlink "sh.leaveLine(i, s)" */
	leaveLine(i);
	record[i].pending = false;
	record[i].list = 0;
	/* = shard.go: (*shard).unlink "sh.checkDrained()" */
	checkDrained()
}

/* arm makes a timer pending, or moves it. Without time, the bucket where it stays and
   the one where it is put are the same. */
inline arm(i) {
	/* = shard.go: (*shard).armClosed "sh.takeOff(i, s)" "sh.move(i, s, when, now)" */
#if LANES > 0
	may = may && record[i].list == bucket && isLater(i);
#endif
	if
	:: MUTANT == register_leaves_word -> record[i].idle = false
#if MOVERS > 0
	:: MUTANT == register_leaves_open && !may -> leaveOpen(i)
#endif
	:: else -> shutWord(i)
	fi;
	setDeadline(i);
#if LANES > 0
	/* = shard.go: (*shard).arm "sh.closeWord(i, s)" */
	/* = shard.go: (*shard).armClosed "if when > now && s.CanStay(when) && !sh.w.manual {" */
	if
	:: may ->
		record[i].list = bucket;
		/* = shard.go: (*shard).armClosed "if !was {" "sh.w.wakeBy(sh.link(s))" "sh.setBallast()" "sh.open(i, s)" */
		if
		:: !record[i].pending -> link(i); setBallast()
		:: else -> skip
		fi;
		openWord(i)
	:: else -> put(i)
	fi
#else
	put(i)
#endif
}

inline put(i) {
	/* = shard.go: (*shard).move "if s.Flags&pending != 0 {" "wake = sh.link(s)" "wake = min(wake, sh.insert(i, s, now))" "sh.w.wakeBy(wake)" */
	if
	/* = shard.go: (*shard).move "sh.leaveLine(i, s)" */
	:: record[i].pending -> leaveLine(i); reached(moved)
	:: else -> link(i)
	fi;
	insert(i)
}

inline insert(i) {
	/* = shard.go: (*shard).insert "return sh.place(i, s, now)" */
	/* = shard.go: (*shard).place "return sh.nanos(sh.insertOpen(i, s, now))" "return sh.nanos(l.Insert(i, s))" */
	record[i].list = bucket;
	setPlace(i)
}

/* In mutants only. */
#define outOfReach(i) (record[i].list == due && MUTANT == due_is_out_of_reach || \
	record[i].list == held && MUTANT == held_is_out_of_reach || \
	record[i].running && MUTANT == firing_left)

inline disarm(i) {
	/* = shard.go: (*shard).disarm "sh.shut(i, s)" "if s.Flags&pending == 0 {" "sh.unlink(i, s)" "sh.counters.removed++" */
	if
	:: MUTANT == deletion_leaves_word -> record[i].idle = false
	:: leavesOpen(i) -> leaveOpen(i)
	:: else -> shutWord(i)
	fi;
	if
	:: !record[i].pending -> skip
	:: record[i].pending && outOfReach(i) -> skip
	:: else ->
		if
		:: record[i].list == due -> reached(removed_in_line)
		:: record[i].list == held -> reached(removed_held)
		:: else -> reached(removed)
		fi;
		unlink(i);
		ledger = (MUTANT == removed_uncounted -> ledger : ledger - 1)
	fi
}

/* = group.go: (*Group).shutDown "func (g *Group) shutDown() bool { return g != nil && g.down }" */
#define isShutDown(i) (record[i].shutdown || member(i) && group.isDown)
/* = group.go: (*Group).beingDeleted "func (g *Group) beingDeleted() bool { return g != nil && g.deleting > 0 }" */
#define beingDeleted(i) (record[i].deleting && MUTANT != mark_ignored || member(i) && group.deleting > 0 && MUTANT != group_open)

/* refusal sets err to the error of a Register of t that must be refused; to ok, if it
   may go on. */
inline refusal(t, err) {
	/* = shard.go: (*shard).refusal "return ErrStale" "case s.Flags&shutdown != 0 || g.shutDown():" "case s.Flags&deleting != 0 || g.beingDeleted():" "case sh.closed:" */
	if
	:: !lookup(t) -> err = ErrStale; reached(stale)
	:: else ->
		mayUse(t);
		if
		:: isShutDown(indexOf(t)) -> err = ErrShutdown; reached(refused_shutdown)
		:: !isShutDown(indexOf(t)) && beingDeleted(indexOf(t)) -> err = ErrDeleting; reached(refused)
		:: !isShutDown(indexOf(t)) && !beingDeleted(indexOf(t)) && shardClosed -> err = ErrClosed; reached(refused_closed)
		:: else -> err = ok
		fi
	fi
}

/* = shard.go: (*shard).nextWake "func (sh *shard) nextWake() int64 { return sh.nextIn(&sh.levels) }" */
/* = shard.go: (*shard).nextIn "if sh.anchor().Wheel == nil {" */
/* = shard.go: (*shard).nextBucket "if !l.Empty(levels.Due) {" "tick, ok := l.Next()" */
#define somethingIsDue (isAnchored && (anyRecord(inLine) || anyRecord(inBucket)))

/* pop chooses a timer that is due; RECORDS, if none is. Any of the timers in buckets may
   have become due since the last pop. */
inline pop(i) {
	/* = shard.go: (*shard).pop "if sh.closed {" "more = sh.levels.Expire(now/sh.levels.Tick(), batch)" */
	if
	:: anyRecord(inLine) || shardClosed
	:: else ->
		i = 0;
		do
		:: i < RECORDS && inBucket(i) -> record[i].list = due; i++
		:: i < RECORDS && !(TIME_PASSES && inBucket(i)) -> i++
		:: i == RECORDS -> break
		od
	fi;
	/* = shard.go: (*shard).pop "i = sh.levels.Last(levels.Due)" "if sh.isUp(i, sh.records.At(i), now) {" "return i, true, true" */
	if
	:: !shardClosed && inLine(0) -> i = 0
#if RECORDS > 1
	:: !shardClosed && inLine(1) -> i = 1
#endif
#if RECORDS > 2
	:: !shardClosed && inLine(2) -> i = 2
#endif
	:: shardClosed || !anyRecord(inLine) -> i = RECORDS
	fi
}

/* orphanOwn drops an own firing, and remembers it for handOver. */
inline orphanOwn(x) {
	section {
		/* = shard.go: (*shard).close "if x := sh.firingOf(i, s); x != nil {" "orphans = append(orphans, orphan{x, sh.deadline(i, s)})" */
		own[x].pending ->
		own[x].pending = false;
		own[x].orphan = true;
		ledger--;
		unlock()
	}
}

/* closeShard drops everything that is pending. i is scratch. */
inline closeShard(i) {
	/* = shard.go: (*shard).close "sh.closed = true" "sh.levels, sh.own = levels.New(sh.levels.Tick(), &sh.records), nil" */
	section {
		shardClosed = true;
		for (i : 0 .. RECORDS - 1) { /* in no list; here, in none from which a worker takes timers */
			record[i].list = (record[i].pending -> bucket : 0)
		}
		i = 0;
		unlock()
	}
	do
	:: section {
		/* = shard.go: (*shard).close "for i := uint32(0); sh.counters.linked > 0; i++ {" */
		anyRecord(isPending) ->
		i = 0;
		do
		:: i < RECORDS && !record[i].pending -> i++
		:: else -> break
		od;
		/* = shard.go: (*shard).close "} else if s := sh.records.At(i); s.Flags&pending != 0 {" "sh.disarm(i, s)" "sh.release(i, s)" */
		disarm(i);
		release(i);
		i = 0;
		reached(dropped);
		unlock()
	}
	:: orphanOwn(0)
#if OWNS > 1
	:: orphanOwn(1)
#endif
	:: !anyRecord(isPending) && !anyOwn(isOwnPending) -> break
	od
}

inline unlock() {
	/* = shard.go: (*shard).unlock "sh.check()" "sh.mu.Unlock()" */
	check();
	observe();
#if LANES > 0
	may = false;
	heavy = false;
#endif
	forgetDeadlines();
	skip /* spin wants no section to end with a loop */
}
