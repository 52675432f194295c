/* timer.pml is the calls of timer.go and wheel.go that are no deletions. */

/* alloc makes a timer with one owner, in record i, which must be free. */
inline alloc(i, t) {
	section {
		/* = wheel.go: (*Wheel).newOwned "i, s := sh.newTimer(f, arg)" "s.Owners = 1" */
		hasRoom(i) -> newTimer(i, t);
		record[i].owners = 1;
		unlock()
	}
}

/* afterFunc makes a timer without owners, pending, in record i. */
inline afterFunc(i, t) {
	section {
		/* = wheel.go: (*Wheel).newPending "if sh.closed || g.beingDeleted() || g.shutDown() {" */
		hasRoom(i) ->
		if
		:: shardClosed || member(i) && (group.deleting > 0 || group.isDown) -> t = 0
		:: else ->
			/* = wheel.go: (*Wheel).newPending "i, s := sh.newTimer(f, arg)" "sh.arm(i, s, after(now, d), now)" */
			newTimer(i, t);
			arm(i)
		fi;
		unlock()
	}
}

inline register(t, err) {
#if MOVERS > 0
	openEarly(t);
#endif
	section {
		/* = timer.go: Timer.registerLocked "i, s := sh.lookup(t)" "if err := sh.refuse(i, s); err != nil {" */
		/* = shard.go: (*shard).refuse "return sh.refuseSlow(i, s)" */
		/* = shard.go: (*shard).refuseSlow "err := sh.refusal(i, s)" */
		refusal(t, err);
		if
		:: err == ok ->
			/* = timer.go: Timer.registerLocked "was = sh.arm(i, s, when, now)" */
			arm(indexOf(t));
			mayRegister(t)
		:: else -> mayRefuse(t, err)
		fi;
		unlock()
	}
}

inline retain(t, err) {
	section {
		/* = timer.go: Timer.Retain "_, s := sh.lookup(t)" "if s.Owners == math.MaxUint32 {" "s.Owners++" */
		if
		:: !lookup(t) -> err = ErrStale
		:: lookup(t) && record[indexOf(t)].owners == MAX_OWNERS -> mayUse(t)
		:: else -> mayUse(t); record[indexOf(t)].owners++; err = ok
		fi;
		unlock()
	}
}

inline free(t, err) {
#if MOVERS > 0
	readBefore(MUTANT == disown_uncompared && lookup(t) && record[indexOf(t)].owners == 1 && kindOf(indexOf(t)) == ownedWord, indexOf(t));
#endif
	section {
		/* = timer.go: Timer.Free "i, s := sh.lookup(t)" "case s == nil:" "case s.Owners == 0:" */
		if
		:: !lookup(t) -> err = ErrStale
		:: lookup(t) && record[indexOf(t)].owners == 0 -> mayUse(t); err = ErrFreed; reached(freed_too_often)
		:: else ->
			/* = timer.go: Timer.Free "sh.free(i, s)" */
			/* = handle.go: (*shard).free "if s.Owners--; s.Owners == 0 {" "sh.disown(i, s)" "sh.release(i, s)" */
			mayUse(t);
			record[indexOf(t)].owners--;
#if LANES > 0
			if
			:: record[indexOf(t)].owners == 0 && MUTANT != free_leaves_word -> disown(indexOf(t))
			:: else -> skip
			fi;
#endif
			release(indexOf(t));
			err = ok
		fi;
		unlock()
	}
}
