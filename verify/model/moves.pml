/* moves.pml is the part of word.go that moves a timer to a later time without the shard's lock (rule 11).

   Of time there is only what that needs: a deadline is early or late (false or true). A timer stands where
   it is looked at early, or late, and a look finds it due if its deadline is not later than that; otherwise
   it puts the timer off. What was put off may be due at the next look, as time may have passed. Only
   scenarios with moves have deadlines.

   The word is all that a move sees of a timer, and a section changes that in one step, a swap; or it closes
   the word first and opens it last. A move that finds it closed in between takes the lock, as it may do in
   the model whatever the word says. So the steps of moves come between sections only, except in mutants. */

#if MOVERS > 0

/* Mover is a move in flight. It uses the steps of a Touch, and one more: that with the lock. */
mtype = { needs_lock };
typedef Mover {
	byte timer;
	bool to;    /* the new deadline */
	mtype at;   /* its next step; 0: none is in flight */
	mtype kind; /* of the word that it has loaded */
	bool said   /* the deadline in that */
}
Mover move[MOVERS];

hidden byte itsTimer; /* scratch, for the length of a section */
byte saidBefore;      /* in mutants only: a deadline that was read too early, plus one */

/* = word.go: Timer.moveLater "moved := wordOf(uint32(t.id>>genShift), openKind, to)" */
#define hasMovableKind(i) (kindOf(i) == movableWord || kindOf(i) == ownedWord || MUTANT == move_any_kind && kindOf(i) == parkedWord)
#define isMovable(t) (t != 0 && hasMovableKind(indexOf(t)) && (record[indexOf(t)].kindGen == genOf(t) || MUTANT == move_any_generation))

inline moveLoad(x) {
	if
	:: section {
		move[x].at == loads ->
		if
		/* = word.go: Timer.moveLater "word := x.Load()" "if (word^moved)&^(ownedKind|ticksMask) != 0 || to > last || deadlineIn(word, last) > to {" "return false" */
		:: !isMovable(move[x].timer) || record[indexOf(move[x].timer)].says > move[x].to && MUTANT != move_to_earlier -> move[x].at = needs_lock
		:: else ->
			move[x].kind = kindOf(indexOf(move[x].timer));
			move[x].said = record[indexOf(move[x].timer)].says;
			move[x].at = swaps
		fi
	}
	:: section { move[x].at == loads -> move[x].at = needs_lock } /* in the middle of a section, or beyond the reach of words */
	fi
}

inline moveSwap(x) {
	section {
		move[x].at == swaps ->
		if
		/* = word.go: Timer.moveLater "if x.CompareAndSwap(word, moved|word&ownedKind) {" "return true" */
		/* = word.go: Timer.armInPlace "if t.moveLater(c.word(t), when) {" "return true, true" */
		:: isMovable(move[x].timer) && kindOf(indexOf(move[x].timer)) == move[x].kind && (record[indexOf(move[x].timer)].says == move[x].said || MUTANT == deadline_uncompared) || MUTANT == move_without_compare ->
			itsTimer = move[x].timer;
			mayMove(itsTimer);
			if
			:: record[indexOf(move[x].timer)].list == due -> reached(moved_while_due)
			:: record[indexOf(move[x].timer)].running -> reached(moved_while_running)
			:: else -> reached(moved_without_lock)
			fi;
			record[indexOf(move[x].timer)].says = move[x].to;
			record[indexOf(move[x].timer)].promised = move[x].to;
			check();
			move[x].at = 0
		:: else -> move[x].at = loads; reached(move_again)
		fi;
		move[x].kind = 0;
		move[x].said = false;
		move[x].to = (move[x].at == 0 -> false : move[x].to)
	}
}

/* moveLocked ends a move that needs the lock: that of a Register, or that of a Move, which arms no timer
   that is not pending. Before it takes the lock a Register tries to start the timer: here, others do
   (parked.pml). */
inline moveLocked(x, t) {
	if
	/* = timer.go: Timer.register "return t.registerLocked(now, d, slack, how)" */
	:: atomic { move[x].at == needs_lock -> choose(); late = move[x].to; move[x].at = 0; move[x].to = false; register(t, ignored) }
	:: atomic {
		move[x].at == needs_lock ->
		choose();
		section {
			late = move[x].to;
			move[x].at = 0;
			move[x].to = false;
			/* = timer.go: Timer.Move "i, s := sh.lookup(t)" "if s == nil || sh.refusal(i, s) != nil || !sh.closePending(i, s) {" */
			/* = word.go: (*shard).closePending "sh.shut(i, s)" "return s.Flags&pending != 0" */
			refusal(t, ignored);
			if
			:: ignored != ok -> skip
			:: ignored == ok && !pends(indexOf(t)) -> shutWord(indexOf(t)); reached(not_moved)
			/* = timer.go: Timer.Move "sh.armClosed(i, s, when, now)" */
			:: else -> arm(indexOf(t)); mayRegister(t)
			fi;
			unlock()
		}
	}
	fi
}

/* moves lets moves in flight make any steps: in mutants only. */
inline moves() {
	do
	:: moveLoad(0)
	:: moveSwap(0)
#if MOVERS > 1
	:: moveLoad(1)
	:: moveSwap(1)
#endif
	:: break
	od
}

/* mover moves timers by handles t of any age. newest is a variable with the newest one. */
#define mover(x, newest) \
end_moves: do \
	:: section { move[x].at == 0 && newest != 0 -> t = newest; move[x].timer = t } \
	:: section { move[x].at == 0 && t != 0 -> move[x].at = loads } \
	:: section { move[x].at == 0 && t != 0 -> move[x].at = loads; move[x].to = true } \
	:: moveLoad(x) \
	:: moveSwap(x) \
	:: moveLocked(x, t) \
	od

/* arms arms a timer, which stays in its bucket the second time: so its word is open. */
inline arms(t) {
	register(t, ignored);
	may = true;
	register(t, ignored)
}

/* moveOnce moves a timer once. */
inline moveOnce(x, t) {
	if
	:: section { move[x].timer = t; move[x].at = loads }
	:: section { move[x].timer = t; move[x].at = loads; move[x].to = true }
	fi;
	do
	:: moveLoad(x)
	:: moveSwap(x)
	:: moveLocked(x, t)
	:: section { move[x].at == 0 -> move[x].timer = 0 }; break
	od
}

/* readBefore reads what a word says before a section changes it, and lets moves come in between: in mutants only. */
inline readBefore(is, i) {
	if
	:: section { (is) && kindOf(i) && kindOf(i) != parkedWord -> saidBefore = 1 + record[i].says }; moves(); skip
	:: !((is) && kindOf(i) && kindOf(i) != parkedWord)
	fi
}

inline sayBefore(i) {
	record[i].says = (saidBefore -> saidBefore - 1 : record[i].says);
	saidBefore = 0
}

/* leaveOpen leaves a word as one that can be moved, where it should be closed: in mutants only. */
inline leaveOpen(i) {
	disown(i);
	record[i].when = (kindOf(i) -> record[i].says : record[i].when)
}

/* openEarly opens the word of a timer that is about to be registered: in mutants only. */
inline openEarly(t) {
	if
	:: section {
		MUTANT == opened_early && lookup(t) && !record[indexOf(t)].pending && !record[indexOf(t)].running ->
		openToMoves(indexOf(t));
		record[indexOf(t)].says = late
	}
		moves();
		skip
	:: MUTANT != opened_early || !lookup(t) || record[indexOf(t)].pending || record[indexOf(t)].running
	fi
}

/* openToMoves opens a word that can only be moved: of a timer that has no owner, or runs. */
inline openToMoves(i) {
	/* = word.go: (*shard).open "kind := uint64(openKind)" */
	record[i].kind = movableWord;
	record[i].kindGen = record[i].gen
}

/* say writes the deadline into a word that has just been opened. */
inline say(i) {
	/* = word.go: (*shard).openAs "x.Store(wordOf(s.Gen, kind, sh.w.ticksUp(s.When)))" */
	record[i].says = record[i].when
}

/* learn reads the deadline from a word that is about to be closed. */
inline learn(i) {
	/* = word.go: (*shard).closeWord "if word&kindMask != idleKind {" "s.When = sh.w.says(x, word)" */
	if
	:: kindOf(i) ->
		sayBefore(i);
		record[i].when = record[i].says;
		record[i].says = false
	:: else -> skip
	fi
}

/* putOff puts a timer off whose word has been looked at, if its deadline is later than the look. */
inline putOff(i) {
	if
	/* = word.go: (*shard).isUp "if sh.levels.DueNow(s) {" "sh.levels.Remove(i, s)" "sh.w.wakeBy(sh.place(i, s, now))" */
	:: record[i].pending && record[i].when > record[i].place && MUTANT != moved_begins -> insert(i); reached(put_off_moved)
	:: else -> skip
	fi
}

inline setDeadline(i) {
	/* = shard.go: (*shard).armClosed "s.When, s.Flags = when, s.Flags&^(levels.Prompt|onGrid)" */
	/* = shard.go: (*shard).move "s.When = when" */
	record[i].when = late;
	record[i].promised = late
}

inline setPlace(i) { record[i].place = record[i].when }

/* A start without the lock, of which one at a time is in flight, is for the deadline that the parked word
   says, or for a later one. */
bool startTo;
bool saidAtStart;
inline readAtStart(t) { saidAtStart = record[indexOf(t)].says }
inline sayStarted(t)  { record[indexOf(t)].says = startTo; record[indexOf(t)].promised = startTo; forgetStart() }
inline forgetStart()  { startTo = false; saidAtStart = false }

/* forgetDeadlines spares spin states that differ in what does not matter. */
inline forgetDeadlines() {
	late = false;
	for (k : 0 .. RECORDS - 1) {
		record[k].when = record[k].when && record[k].pending;
		record[k].place = record[k].place && record[k].pending;
		record[k].promised = record[k].promised && record[k].pending;
		record[k].says = record[k].says && kindOf(k)
	}
	skip /* spin wants no section to end with a loop */
}

#else

/* Without moves, a word that can only be moved is as one that is closed. */
inline leaveOpen(i) { skip }
inline openToMoves(i) { skip }
inline sayBefore(i) { skip }
inline say(i) { skip }
inline learn(i) { skip }
inline putOff(i) { skip }
inline setDeadline(i) { skip }
inline setPlace(i) { skip }
inline readAtStart(t) { skip }
inline sayStarted(t) { skip }
inline forgetStart() { skip }
inline forgetDeadlines() { skip }
#endif

/* Left out: the ticks in words, and how far they reach; the exact deadline beside a word, which counts only
   in the word's tick; moves of idle timeouts, whose words a move takes for closed, of timers in line for a lock,
   whose words are closed, and of a group's members. They are in the schedules. */
/* - word.go: (*Wheel).ticksUp wordOf deadlineIn (*Wheel).says (*Wheel).note (*shard).mayOpen */
