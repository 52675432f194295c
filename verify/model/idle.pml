/* idle.pml is idle.go: the word of an idle timeout, which a Touch changes without the shard's lock.

   Of time there is only what the promises need: the ghost fresh says that the timer was touched, and
   that no look has read its clock since. A handler must not begin then. After a look's clock the new
   deadline may pass at any moment.

   The steps of a Touch may come between those of a look and of a claim, which are made under one lock.
   So a look is made in an atomic sequence, in which only touches() lets others make steps: any
   number of steps of any Touch in flight. The word is all that a Touch sees of a timer, so a section
   that changes it once is one step, as ever.

   A look that only puts off what is not due yet is a step that changes nothing here; the looks of a
   claim stand for those of pop, too. */

/* What a scenario with touches defines before it includes model.pml: how many may be in flight. */
#ifndef TOUCHERS
#define TOUCHERS 0
#endif

/* Touch is a call of Touch in flight. */
mtype = { loads, swaps, touches_over };
typedef Touch {
	byte timer;
	mtype at /* its next step, or touches_over; 0: none is in flight */
}
#if TOUCHERS > 0
Touch touch[TOUCHERS];
#endif

#define wordOf(i) (record[i].word)
/* = idle.go: Timer.Touch "if word&^(touched|advanceMax) != idle {" */
#define isOpenFor(t) (wordOf(indexOf(t)) == genOf(t) || MUTANT == touch_any_generation && wordOf(indexOf(t)) != closedWord)

inline touchLoad(x) {
	section {
		touch[x].at == loads ->
		/* = idle.go: Timer.Touch "word := x.Load()" "return false" */
		if
		:: !isOpenFor(touch[x].timer) -> touchReturns(x, false)
		/* = idle.go: Timer.Touch "mark := idle | touched | t.wheel().advances.Load()" "if word == mark {" */
		:: isOpenFor(touch[x].timer) && record[indexOf(touch[x].timer)].marked -> touchReturns(x, true)
		:: else -> touch[x].at = swaps
		fi
	}
}

inline touchSwap(x) {
	section {
		touch[x].at == swaps ->
		/* = idle.go: Timer.Touch "if x.CompareAndSwap(word, mark) {" "return true" */
		if
		:: isOpenFor(touch[x].timer) && !record[indexOf(touch[x].timer)].marked || MUTANT == touch_without_compare ->
			record[indexOf(touch[x].timer)].marked = true;
			touchReturns(x, true)
		:: else -> touch[x].at = loads; reached(touch_again)
		fi
	}
}

inline touchReturns(x, isTrue) {
	touch[x].at = touches_over;
	mayTouch(x, isTrue)
}

/* touches lets any touches in flight make any steps. */
inline touches() {
#if TOUCHERS > 0
	do
	:: touchLoad(0)
	:: touchSwap(0)
#if TOUCHERS > 1
	:: touchLoad(1)
	:: touchSwap(1)
#endif
	:: break
	od
#else
	skip
#endif
}

/* toucher touches handles of any age. newest is a variable with the newest one. */
#define toucher(x, newest) \
end_touches: do \
	:: section { touch[x].at == 0 && newest != 0 -> touch[x].timer = newest; touch[x].at = loads } \
	:: section { touch[x].timer != 0 && touch[x].at == 0 -> touch[x].at = loads } \
	:: touchLoad(x) \
	:: touchSwap(x) \
	:: section { touch[x].at == touches_over -> touch[x].at = 0 } \
	od

/* registerIdle is RegisterIdle. It reads its clock before it takes the lock. */
inline registerIdle(t, err) {
	section {
		/* = timer.go: Timer.register "now := t.wheel().elapsed()" */
		record[indexOf(t)].lookedSince = false
	}
	if
	:: section { MUTANT == rearm_closes && lookup(t) && record[indexOf(t)].idle -> record[indexOf(t)].word = closedWord }
	:: MUTANT != rearm_closes || !lookup(t) || !record[indexOf(t)].idle
	fi;
	section {
		/* = timer.go: Timer.registerLocked "i, s := sh.lookup(t)" "if err := sh.refuse(i, s); err != nil {" */
		refusal(t, err);
		if
		/* = timer.go: Timer.registerLocked "was = sh.armIdle(i, s, d, now)" */
		:: err == ok -> armIdle(indexOf(t)); mayRegister(t)
		:: else -> mayRefuse(t, err)
		fi;
		unlock()
	}
}

inline armIdle(i) {
	/* = idle.go: (*shard).armIdle "from = max(now, s.When-*period)" "sh.move(i, s, after(from, d), now)" */
	if
	:: record[i].idle && record[i].lookedSince -> forgetsLook(i); reached(looked_since_clock)
	:: else -> skip
	fi;
	record[i].idle = true;
	put(i);
	/* = idle.go: (*shard).armIdle "if word.Load() == closedWord {" "word.Store(idleWord(s.Gen))" */
	if
	:: record[i].word == closedWord || MUTANT == rearm_removes_mark -> record[i].word = record[i].gen; record[i].marked = false
	:: else -> reached(rearmed)
	fi
}

inline endIdle(i) {
	/* = word.go: (*shard).closeWord "s.Flags &^= levels.Open" "if word&kindMask != idleKind {" */
	if
	:: record[i].idle ->
		record[i].idle = false;
		record[i].word = closedWord;
		record[i].marked = false;
		record[i].fresh = false
	:: else -> skip
	fi
}

/* claim makes the timer in record i, which is due, an ordinary one that is to begin, and sets up; or
   puts it off. It is in an atomic sequence. */
inline claim(i, up) {
	up = false;
	do
	:: lookAt(i);
		if
		/* = word.go: (*shard).isUp "sh.look(i, s)" "sh.w.wakeBy(sh.place(i, s, now))" */
		:: section { seen -> seen = false; leaveLine(i); insert(i); reached(put_off) }; break
		:: !seen
		fi;
		touches();
		/* = word.go: (*shard).claim "if !sh.isUp(i, s, now) {" "if s.Flags&levels.Open != 0 && sh.openedWord(i).CompareAndSwap(idleWord(s.Gen), closedWord) {" "s.Flags &^= levels.Open" */
		if
		:: section { !record[i].marked || MUTANT == begins_uncompared -> record[i].idle = false; record[i].word = closedWord; record[i].marked = false; up = true }; break
		:: section { record[i].marked && MUTANT != begins_uncompared -> reached(touched_after_look) }
			if
			:: MUTANT == claims_once -> break
			:: else -> skip
			fi
		fi
	od
}

/* lookAt removes the mark, and reads the clock if there was one. seen says that. */
inline lookAt(i) {
	if
	:: section { MUTANT == clock_before_mark && record[i].marked -> readClock(i) }; touches(); skip
	:: section { MUTANT == look_closes -> record[i].word = closedWord }; touches(); skip
	:: MUTANT != look_closes && (MUTANT != clock_before_mark || !record[i].marked)
	fi;
	section {
		/* = word.go: (*shard).look "word := x.Swap(idleWord(s.Gen))" "if word&touched == 0 || period == 0 {" */
		seen = record[i].marked;
		record[i].word = record[i].gen;
		record[i].marked = false
	}
	touches();
	skip;
	section {
		/* = word.go: (*shard).look "s.When = max(s.When, after(sh.touchedBy(word), time.Duration(period)))" */
		/* = idle.go: (*shard).touchedBy "return w.elapsed()" */
		if
		:: seen && MUTANT != clock_before_mark -> readClock(i)
		:: else -> skip
		fi
	}
}

/* Left out: where the words lie; when the wheel looks, and calls that look; Manual wheels. */
/* - idle.go: idleWord Timer.RegisterIdle */
/* - word.go: Timer.index (*Wheel).findWords Timer.word Timer.wordChunk (*wordChunk).word (*shard).words (*shard).makeWords (*wordChunk).bytes (*shard).dropWords (*shard).openedWord */
/* - word.go: (*shard).insertOpen (*shard).deadline (*shard).dueAt */
