/* timer.pml is the part of timer.go and wheel.go that users call and that does not wait. */

/* alloc makes a timer with one owner, in slot i, which must be free. */
inline alloc(i, t) {
	section {
		/* = wheel.go: (*Wheel).own "i, s := sh.newTimer(f, nil)" "s.owners = 1" */
		room(i) -> newTimer(i, t);
		slot[i].owners = 1;
		unlock()
	}
}

/* afterFunc makes a timer without owners, pending, in slot i. */
inline afterFunc(i, t) {
	section {
		/* = wheel.go: (*Wheel).start "if sh.closed || g.beingDeleted() || g.shutDown() {" */
		room(i) ->
		if
		:: shardClosed || member(i) && group.deleting > 0 -> t = 0
		:: else ->
			/* = wheel.go: (*Wheel).start "i, s := sh.newTimer(f, arg)" "sh.arm(i, s, after(now, d), now)" */
			newTimer(i, t);
			arm(i)
		fi;
		unlock()
	}
}

inline register(t, err) {
	section {
		/* = timer.go: Timer.register "i, s := sh.lookup(t)" "if err := sh.refuse(i, s); err != nil {" */
		/* = shard.go: (*shard).refuse "return sh.examine(i, s)" */
		/* = shard.go: (*shard).examine "err := sh.refusal(i, s)" */
		refusal(t, err);
		if
		:: err == ok ->
			/* = timer.go: Timer.register "sh.arm(i, s, when, now)" */
			arm(indexOf(t));
			mayRegister(t)
		:: else -> mayRefuse(t, err)
		fi;
		unlock()
	}
}

inline del(t) {
	section {
		/* = timer.go: Timer.Del "_, _, found := sh.delete(t, 0)" */
		delete(t, false);
		/* = sync_del.go: (*shard).unlockDeleted "sh.unlock()" */
		unlock()
	}
}

inline retain(t, err) {
	section {
		/* = timer.go: Timer.Retain "_, s := sh.lookup(t)" "if s.owners == math.MaxUint32 {" "s.owners++" */
		if
		:: !lookup(t) -> err = ErrStale
		:: lookup(t) && slot[indexOf(t)].owners == MAX_OWNERS -> touch(t)
		:: else -> touch(t); slot[indexOf(t)].owners++; err = ok
		fi;
		unlock()
	}
}

inline free(t, err) {
	section {
		/* = timer.go: Timer.Free "i, s := sh.lookup(t)" "case s == nil:" "case s.owners == 0:" */
		if
		:: !lookup(t) -> err = ErrStale
		:: lookup(t) && slot[indexOf(t)].owners == 0 -> touch(t); err = ErrFreed; reached(freed_too_often)
		:: else ->
			/* = timer.go: Timer.Free "s.owners--" "sh.release(i, s)" */
			touch(t);
			slot[indexOf(t)].owners--;
			release(indexOf(t));
			err = ok
		fi;
		unlock()
	}
}
