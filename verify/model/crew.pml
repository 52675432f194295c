/* crew.pml is crew.go, and what Close needs of alarm.go and wheel.go: the goroutines
   of the wheel, and the wait for them. */

/* = crew.go: (*Wheel).deserted "return len(w.crew) == 0 && w.coming == 0 && w.alarm.rings == 0" */
#define deserted (crew == 0 && (coming == 0 || MUTANT == dones_uncounted) && (rings == 0 || MUTANT == rings_uncounted))

/* setAlarm calls worker w, when something is due. */
inline setAlarm(w) {
	/* = alarm.go: (*Wheel).wakeEarlier "if w.mayHire() {" */
	/* = worker.go: (*Wheel).mayHire "func (w *Wheel) mayHire() bool { return !w.closed && w.workers < w.maxWorkers }" */
	/* = alarm.go: (*Wheel).setAlarm "w.alarm.rings++ // one more callback to wait for, as none was replaced" */
	section { !wheelClosed && soonest -> wk[w].rung = true; rings++ }
}

/* stopAlarm stops what has not rung yet, which may be any. */
inline stopAlarm() {
	/* = alarm.go: (*Wheel).stopAlarm "if w.alarm.timer.Stop() {" "w.alarm.rings--" */
	atomic {
		for (i : 0 .. WORKERS - 1) {
			if
			:: wk[i].rung -> wk[i].rung = false; rings--
			:: skip
			fi
		}
		i = 0;
		/* = alarm.go: (*Wheel).rearm "w.tellDeserted()" */
		section { tellDeserted() }
	}
}

inline onAlarm(w) {
	section {
		/* = worker.go: (*Wheel).onAlarm "w.alarm.rings--" "w.crew[wk.goid] = wk" */
		wk[w].rung -> wk[w].rung = false;
		rings--;
		crew++;
		mayComeIn()
	}
}

/* send starts a goroutine that calls the done of x. */
inline send(x) {
	/* = crew.go: (*Wheel).send "w.coming++" */
	coming = coming | 1 << x
}

/* sent is what that goroutine does, if one is sent for x. */
inline sent(x) {
	section {
		coming >> x & 1 ->
		/* = crew.go: (*Wheel).launch "w.coming--" "w.crew[wk.goid] = wk" */
		coming = coming & ~(1 << x);
		crew++
	}
	/* = crew.go: (*Wheel).launch "f(wk)" */
	section { done(x) }
	goOut()
}

inline goOut() {
	section {
		/* = crew.go: (*Wheel).goOut "delete(w.crew, wk.goid)" "w.tellDeserted()" */
		crew--;
		tellDeserted()
	}
}

inline tellDeserted() {
	if
	/* = crew.go: (*Wheel).tellDeserted "if w.gone != nil && w.deserted() {" "close(w.gone)" */
	:: gone == awaited && deserted -> gone = joined
	:: else -> skip
	fi
}

/* close is Wheel.Close. me is the worker in whose handler it is called, or NOBODY;
   i is to spare. One wheel is closed once. */
inline close(me, i, err) {
	/* = wheel.go: (*Wheel).Shutdown "w.closed = true" */
	wheelClosed = true;
	/* = wheel.go: (*shard).close "sh.closed = true" "sh.levels = newLevels(sh.levels.tick, &sh.slots)" */
	section {
		shardClosed = true;
		for (i : 0 .. SLOTS - 1) { /* in no list, or at least in none in which a worker looks */
			slot[i].list = (slot[i].pending -> wheel : 0)
		}
		i = 0;
		unlock()
	}
	do
	:: section {
		/* = wheel.go: (*shard).close "for i := uint32(0); sh.counters.pending > 0; i++ {" */
		anySlot(isPending) ->
		i = 0;
		do
		:: i < SLOTS && !slot[i].pending -> i++
		:: else -> break
		od;
		/* = wheel.go: (*shard).close "} else if s := sh.slots.at(i); sh.disarm(i, s) {" "sh.release(i, s)" */
		disarm(i);
		release(i);
		i = 0;
		reached(dropped);
		unlock()
	}
	:: !anySlot(isPending) -> break
	od;
	/* = wheel.go: (*Wheel).Shutdown "w.rearm(0)" */
	stopAlarm();
	if
	/* = wheel.go: (*Wheel).Shutdown "return ErrDeadlock" */
	:: me != NOBODY -> err = ErrDeadlock
	/* = wheel.go: (*Wheel).Shutdown "err := w.join(ctx)" */
	:: else -> join(); err = ok
	fi
}

/* join waits until no goroutine is the wheel's. */
inline join() {
	section {
		if
		/* = crew.go: (*Wheel).join "if w.deserted() {" */
		:: deserted || MUTANT == close_does_not_wait -> gone = joined
		/* = crew.go: (*Wheel).join "w.gone = make(chan struct{})" "return await(ctx, gone)" */
		:: else -> gone = awaited; reached(close_waits)
		fi
	}
	section { gone == joined -> hasReturned() }
}
