/* own.pml is own.go: the firings of the library's own packages, for which handlers wait. */

/* armOwn makes own firing x pending; on a closed wheel package time gets it at once. */
inline armOwn(x) {
	section {
		/* = own.go: (*Wheel).afterOwn "if sh.closed {" "sh.arm(i, s, after(now, d), now)" */
		if
		:: shardClosed -> own[x].handed = true; reached(own_on_closed)
		:: else ->
			/* = shard.go: (*shard).move "if s.Flags&isOwn != 0 {" "sh.w.wakeAnyway(wake)" */
			own[x].pending = true;
			ledger++
		fi;
		unlock()
	}
}

inline takeOwn(x) {
	section {
		/* = own.go: (*ownRound).fireSome "x, more := sh.takeOwn(r.limit, r.now)" */
		/* = own.go: (*shard).takeOwn "if sh.own == nil || sh.closed {" "sh.unlink(i, s)" "sh.counters.fired++" "sh.release(i, s)" */
		own[x].pending && !shardClosed ->
		own[x].pending = (MUTANT == own_taken_late);
		ledger = (MUTANT == own_taken_late -> ledger : ledger - 1);
		unlock()
	}
}

/* fireOwn is outside of all sections: an owner decides under its own lock. */
inline fireOwn(x) {
	if
	:: section { MUTANT == own_taken_late && own[x].pending -> own[x].pending = false; ledger--; unlock() }
	:: MUTANT != own_taken_late || !own[x].pending
	fi;
	section {
		/* = own.go: (*ownRound).fire "x.Owner.Fire()" */
		mayFire(x);
		own[x].fired = true;
		reached(own_fired)
	}
}

/* setAlarmForOwn calls caller c for an own firing, whether or not a worker may be hired. */
inline setAlarmForOwn(c) {
	/* = alarm.go: (*Wheel).wakeAnyway "w.setAlarm(at)" */
	/* = alarm.go: (*Wheel).nextWake "anyway = min(anyway, max(sh.nextOwn(), w.ownBusy.Load()))" */
	/* = alarm.go: (*Wheel).rearm "w.setAlarm(anyway)" */
	section {
		anyOwn(isOwnPending) && !shardClosed && !called[c] && (MUTANT != own_needs_worker || members < WORKERS) ->
		called[c] = true;
		rings++
	}
}

/* caller is a goroutine that the alarm calls, and that leaves when it has fired what it found.
   One that works after that is a caller and then a worker. */
proctype caller(byte c) {
end_asleep:
	setAlarmForOwn(c);
	if
	/* = worker.go: (*Wheel).onAlarm "w.alarm.rings--" "w.members[wk.goid] = wk" */
	:: section { called[c] -> called[c] = false; rings--; members++; mayJoin() }
	:: !called[c] -> goto end_asleep /* the alarm was stopped */
	fi;
	/* = worker.go: (*Wheel).onAlarm "w.fireOwn(wk)" */
	/* = own.go: (*Wheel).fireOwn "if r.fireSome(w.shards[no]) {" */
	skip; /* spin wants no loop right after a section */
	do
	:: takeOwn(0) -> fireOwn(0); skip
#if OWNS > 1
	:: takeOwn(1) -> fireOwn(1); skip
#endif
	:: !anyOwn(isOwnPending) || shardClosed -> break
	od;
	leave();
	goto end_asleep
}

inline handedFires(x) {
	section {
		own[x].handed ->
		own[x].handed = false;
		mayFire(x);
		own[x].fired = true
	}
}

/* packageTime fires what it was given. */
proctype packageTime() {
end_idle:
	do
	:: handedFires(0); skip
#if OWNS > 1
	:: handedFires(1); skip
#endif
	od
}

/* awaitOwn is what a handler does that waits for an own firing. */
inline awaitOwn(x) {
	section { own[x].fired -> reached(own_awaited) }
}
