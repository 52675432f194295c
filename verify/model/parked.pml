/* parked.pml is parked.go: timers that are stopped in their places, and started there again, without the
   shard's lock (rule 12).

   Of a word there is what these calls compare: its kind and its generation, and the deadline where there
   are moves (moves.pml). Where a timer that is registered stays in its bucket, whether a deletion parks it,
   and whether the lanes get ballast, a scenario leaves open: it makes a choice before each section in which
   that matters. */

inline choose() {
#if MOVERS > 0
	if
	:: late = true
	:: late = false
	fi;
#endif
	if
	:: may = true
	:: may = false
	fi;
	if
#if MOVERS == 0
	:: heavy = true
#endif
	:: heavy = false
	fi
}

/* checkDrained drops the anchor, if nothing is pending any more. */
inline checkDrained() {
#if LANES > 0
	/* = parked.go: (*shard).checkDrained "if sh.counters.linked > sh.counters.inLanes {" "sh.dropBallast()" "if sh.pending() == 0 {" "sh.anchor().Wheel = nil" */
	if
	:: anyRecord(isElsewhere) -> skip
	:: else ->
		/* = parked.go: (*shard).dropBallast "sh.ballast = false" "sh.lanes[k].Add(^uint64(0))" */
		if
		:: ballast -> ballast = false; addToLanes(255); reached(ballast_dropped)
		:: else -> skip
		fi;
		/* = parked.go: (*shard).pending "return sh.counters.linked - sh.counters.inLanes + open" */
		/* = parked.go: (*shard).countLanes "open += int(n & openMask)" "open -= len(sh.lanes)" "open = min(open, sh.counters.inLanes)" */
		anchored = (counted == 0 || !anyRecord(isInLane) -> false : anchored)
	fi
#else
	skip
#endif
}

#if LANES > 0
inline addToLanes(x) {
	lane[0] = lane[0] + x;
#if LANES > 1
	lane[1] = lane[1] + x
#endif
}

inline setBallast() {
	/* = parked.go: (*shard).setBallast "if sh.ballast || sh.counters.linked-sh.counters.inLanes < batch {" "sh.ballast = true" "sh.lanes[k].Add(1)" */
	if
	:: !ballast && heavy && anyRecord(isElsewhere) -> ballast = true; addToLanes(1); reached(ballast_set)
	:: else -> skip
	fi
}

/* openWord opens the word of a timer that stays in its bucket. */
inline openWord(i) {
	/* = word.go: (*shard).open "if s.Owners > 0 && s.Flags&running == 0 {" "sh.enterLane(i)" "sh.openAs(kind, i, s)" */
	if
	:: record[i].owners > 0 && !record[i].running ->
		/* = word.go: (*shard).openAs "x.Store(wordOf(s.Gen, kind, sh.w.ticksUp(s.When)))" */
		record[i].kind = ownedWord;
		record[i].kindGen = record[i].gen;
		/* = parked.go: (*shard).enterLane "sh.counters.inLanes++" "sh.counters.entered++" "sh.words(i / chunkLen).lanes.of(i).Add(1)" "sh.checkDrained()" */
		ledger--;
		laneOf(i)++;
		if
		:: MUTANT == ballast_kept -> skip
		:: else -> checkDrained()
		fi
	:: else -> openToMoves(i)
	fi;
	say(i)
}

/* mayPark says whether a deletion may leave a timer in its bucket. */
/* = parked.go: (*shard).mayPark "const all = pending | levels.InBucket | reused" */
#define mayPark(i) (may && inBucket(i) && !kindOf(i) && !record[i].idle && record[i].owners > 0 && !record[i].running && !shardClosed)

inline park(i) {
	/* = parked.go: (*shard).park "sh.openAs(parkedKind, i, s)" "sh.counters.removed++" "sh.counters.inLanes++" "sh.checkDrained()" */
	record[i].kind = parkedWord;
	record[i].kindGen = record[i].gen;
	say(i);
	ledger--;
	checkDrained();
	reached(parked_with_lock)
}
#endif

/* shutWord closes a timer's word, and takes the timer off the wheel if it was parked. */
inline shutWord(i) {
	/* = word.go: (*shard).shut "sh.closeWord(i, s)" "sh.takeOff(i, s)" */
	/* = word.go: (*shard).takeOff "sh.levels.Remove(i, s)" */
	endIdle(i);
	learn(i);
#if LANES > 0
	/* = word.go: (*shard).closeWord "word := x.Swap(closedWord)" */
	if
	/* = word.go: (*shard).closeWord "sh.leaveLane(i)" */
	/* = parked.go: (*shard).leaveLane "sh.counters.inLanes--" "sh.counters.entered--" "sh.lanes.of(i).Add(^uint64(0))" */
	:: kindOf(i) == ownedWord -> record[i].kind = 0; record[i].kindGen = closedWord; ledger++; laneOf(i)--
	/* = word.go: (*shard).closeWord "sh.unpark(i, s)" */
	/* = parked.go: (*shard).unpark "s.Flags &^= pending" "sh.counters.linked--" "sh.counters.inLanes--" "sh.levels.Remove(i, s)" */
	:: kindOf(i) == parkedWord -> record[i].kind = 0; record[i].kindGen = closedWord; record[i].pending = false; record[i].list = 0; reached(unparked)
	:: else -> record[i].kind = 0; record[i].kindGen = closedWord
	fi
#endif
}

#if LANES > 0
/* disown ends that a timer's word can be parked. */
inline disown(i) {
	/* = parked.go: (*shard).disown "if x.CompareAndSwap(word, word&^kindMask|openKind) {" "sh.leaveLane(i)" */
	if
	:: kindOf(i) == ownedWord -> record[i].kind = 0; record[i].kindGen = closedWord; ledger++; laneOf(i)--; openToMoves(i); sayBefore(i)
	/* = parked.go: (*shard).disown "if x.CompareAndSwap(word, closedWord) {" "sh.unpark(i, s)" "sh.takeOff(i, s)" */
	:: kindOf(i) == parkedWord -> record[i].kind = 0; record[i].kindGen = closedWord; record[i].pending = false; record[i].list = 0; reached(unparked)
	:: else -> skip
	fi
}

#define wordIs(t, k) (kindOf(indexOf(t)) == k && (record[indexOf(t)].kindGen == genOf(t)))

/* stop parks the timer without the lock, and sets did if it was parked. last is scratch. */
inline stop(t, did, last) {
	if
	/* = parked.go: Timer.stop "if uint32(word>>genShift) != uint32(t.id>>genShift) || word&kindMask != ownedKind {" "if x.CompareAndSwap(word, word&^kindMask|parkedKind) {" "t.leave(c, 1)" */
	:: section {
		wordIs(t, ownedWord) || MUTANT == stop_any_generation && t != 0 && kindOf(indexOf(t)) == ownedWord ->
		mayStop(t);
		record[indexOf(t)].kind = parkedWord;
		inCall++;
		did = true;
		check();
		observe();
		skip
	}
		leaveLane(t, last)
	:: section { !(wordIs(t, ownedWord) || MUTANT == stop_any_generation && t != 0 && kindOf(indexOf(t)) == ownedWord) -> did = false }
	fi
}

/* leaveLane takes a word that is not open, or was not opened after all, from its lane's count. */
inline leaveLane(t, last) {
	section {
		/* = parked.go: Timer.leave "if n := l.Add(-count); n&openMask != 0 && n < laneIsFull {" */
		laneOf(indexOf(t))--;
		last = (laneOf(indexOf(t)) == 0 && MUTANT != stop_to_zero);
		inCall = (last -> inCall : inCall - 1);
		check();
		skip
	}
	if
	:: atomic {
		last ->
		choose();
		section {
			/* = parked.go: Timer.leave "sh.lock()" "sh.checkDrained()" "sh.setBallast()" */
			last = false;
			inCall--;
			checkDrained();
			setBallast();
			unlock();
			reached(drained_by_stop)
		}
	}
	:: !last
	fi
}

#if MOVERS > 0
#define startsInTime(t)  (record[indexOf(t)].says <= startTo || MUTANT == start_to_earlier)
#define saysAsAtStart(t) (record[indexOf(t)].says == saidAtStart || MUTANT == start_uncompared)
#else
#define startsInTime(t)  true
#define saysAsAtStart(t) true
#endif
#define isParkedFor(t) (wordIs(t, parkedWord) || MUTANT == start_any_generation && t != 0 && kindOf(indexOf(t)) == parkedWord)

/* start arms the timer, which must be parked, without the lock; err is ok if it did, and otherwise again. */
inline start(t, err, last) {
	err = again;
#if MOVERS > 0
	if
	:: startTo = true
	:: startTo = false
	fi;
#endif
	if
	/* = parked.go: Timer.start "word := x.Load()" "if uint32(word>>genShift) != uint32(t.id>>genShift) || word&kindMask != parkedKind ||" */
	:: section { isParkedFor(t) && startsInTime(t) -> readAtStart(t) };
		if
		/* = parked.go: Timer.start "to > last || deadlineIn(word, last) > to || !c.lanes.of(t.index()).enter() {" */
		/* = parked.go: (*lane).enter "if n&openMask == 0 {" "if l.CompareAndSwap(n, n+oneStart) {" */
		:: section { laneOf(indexOf(t)) > 0 || MUTANT == start_from_zero -> inCall++; laneOf(indexOf(t)) = (MUTANT == counted_late -> laneOf(indexOf(t)) : laneOf(indexOf(t)) + 1) };
			if
			/* = parked.go: Timer.start "if x.CompareAndSwap(word, wordOf(uint32(t.id>>genShift), ownedKind, to)) {" "return true" */
			:: section {
				isParkedFor(t) && saysAsAtStart(t) ->
				mayStart(t);
				mayRegister(t);
				record[indexOf(t)].kind = ownedWord;
				sayStarted(t);
				inCall = (MUTANT == counted_late -> inCall : inCall - 1);
				err = ok;
				check();
				reached(started_in_place)
			}
				if
				:: section { MUTANT == counted_late -> laneOf(indexOf(t))++; inCall-- }
				:: MUTANT != counted_late
				fi
			/* = parked.go: Timer.start "t.leave(c, oneStart)" "return false" */
			:: section { !(isParkedFor(t) && saysAsAtStart(t)) -> forgetStart(); reached(start_taken_back) };
				leaveLane(t, last)
			fi
		:: section { laneOf(indexOf(t)) == 0 && MUTANT != start_from_zero -> forgetStart(); reached(lane_empty) }
		fi
	:: section { !(isParkedFor(t) && startsInTime(t)) -> forgetStart() }
	fi
}

/* stopper stops timers by handles of any age, as Del does. newest is a variable with the newest one. */
#define stopper(newest) \
end_stops: do \
	:: newest != 0 -> t = newest \
	:: t != 0 -> \
		stop(t, did, last); \
		if \
		:: atomic { !did -> choose(); del(t, false) } \
		:: did -> did = false \
		fi \
	od

/* starter registers them. */
#define starter(newest) \
end_starts: do \
	:: newest != 0 -> t = newest \
	:: t != 0 -> \
		start(t, err, last); \
		if \
		:: atomic { err == again -> choose(); register(t, err) } \
		:: err == ok \
		fi; \
		err = 0 \
	od
#endif

/* Left out: the counts of starts, which are in the schedules; that a lane may be full; sweeps, which are
   looks at other times. */
/* - parked.go: starts (*shard).empty (*worker).sweep (*shard).sweepSome (*shard).parked */
