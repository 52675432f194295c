package main

// wordMutants break what can be done to a timer without its shard's lock: word.go and rule 11 of
// sync_del.go.
var wordMutants = []mutant{
	{
		Name: "a move without the lock goes by the number of the record, not by the generation",
		Rule: "sync_del 11",
		Edits: []edit{{"word.go",
			`if (word^moved)&^(ownedKind|ticksMask) != 0 || to > last || deadlineIn(word, last) > to {`,
			`if word == closedWord || word&parkedKind != 0 || to > last || deadlineIn(word, last) > to {`}},
		Red: explored("a move against the next tenant"),
	},
	{
		Name: "a deletion leaves the word of a timer that was moved open",
		Rule: "sync_del 11",
		Edits: []edit{{"shard.go", `
	sh.shut(i, s)
	if s.Flags&pending == 0 {`, `
	s.Flags &^= levels.Open
	if s.Flags&pending == 0 {`}},
		Red: tests("TestAMovedTimerIsDeletedAndRefused"),
	},
	{
		Name: "a look at a timer that was moved does not read the word",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`if word&kindMask != idleKind {
		s.When =`,
			`if word&kindMask != idleKind && false {
		s.When =`}},
		Red: tests("TestTheLastOfManyMovesCounts"),
	},
	{
		Name: "a timer in the list Due runs, whatever its word says",
		Rule: "sync_del 11",
		Edits: []edit{{"word.go", `
	if s.Flags&levels.Open == 0 {
		return true
	}
	sh.look(i, s)`, `
	if s.Flags&levels.Open == 0 {
		return true
	}
	if word := sh.openedWord(i).Load(); word&kindMask != idleKind && word&kindMask != parkedKind {
		when := s.When
		sh.closeWord(i, s)
		s.When = when
		return true
	}
	sh.look(i, s)`}},
		Red: tests("TestTheLastOfManyMovesCounts"),
	},
	{
		Name: "a move to an earlier time needs no lock",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`|| to > last || deadlineIn(word, last) > to {`,
			`|| to > last {`}},
		Red: tests("TestTheLastOfManyMovesCounts"),
	},
	{
		Name: "the deadline in a word is rounded down",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`return int64(n) + 1`,
			`return int64(n)`}},
		Red: tests("TestTicksUpRoundsAsADivision"),
	},
	{
		Name: "the reciprocal of the tick is taken for exact",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`if x-n*uint64(w.tick) >= uint64(w.tick) {`,
			`if false {`}},
		Red: tests("TestTicksUpRoundsAsADivision"),
	},
	{
		Name: "words are opened for deadlines that they cannot hold",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`if s.Flags&isOwn != 0 || sh.w.ticksUp(s.When) > sh.w.reach.Load() {`,
			`if s.Flags&isOwn != 0 {`}},
		Red: tests("TestWhatHasNoOpenWord"),
	},
	{
		Name: "words reach from the wheel's birth only",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`if now < w.noteAt.Load() {`,
			`if w.reach.Load() > 0 {`}},
		Red: tests("TestWordsReachFromNow"),
	},
	{
		Name: "a word that can mean two deadlines means the earlier one",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`return last - (last-int64(word))&ticksMask }`,
			`return last - ticksMask - 1 + (int64(word)-last)&ticksMask }`}},
		Red: tests("TestWordsTellDeadlinesApart"),
	},
	{
		Name: "the words of periodic timers are opened",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`b.origin == nil && b.period == 0`,
			`b.origin == nil`}},
		Red: tests("TestWhatHasNoOpenWord"),
	},
	{
		Name: "no word is ever opened",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`if s.Flags&isOwn != 0 || sh`,
			`if true || sh`}},
		Red: tests("TestMovesToLaterTakeNoLock"),
	},
	{
		Name: "what was moved without the lock is counted as due at its old time",
		Rule: "due.go",
		Edits: []edit{{"word.go",
			`(deadline == s.When || sh.w.ticksUp(deadline) <= tick)`,
			`deadline >= 0`}},
		Red: tests("TestWhatWasMovedIsNotDue"),
	},
	{
		Name: "a start with the lock puts the timer into another bucket",
		Rule: "sync_del 12",
		Edits: []edit{{"shard.go",
			`if when > now && s.CanStay(when) && !sh.w.manual {`,
			`if when > now && s.CanStay(when) && !sh.w.manual && was {`}},
		Red: tests("TestAStartWithTheLockLeavesTheTimerInItsPlace"),
	},
	{
		Name: "a word's deadline is that of the record, if that lies in the same tick",
		Rule: "word.go",
		Edits: []edit{
			{"word.go", `
		s.When = sh.w.says(x, word)
`, `
		if uint64(sh.w.ticksUp(s.When))&ticksMask != word&ticksMask {
			s.When = sh.w.says(x, word)
		}
`},
		},
		Red: tests("TestReduceAfterAStartIsNotEarly"),
	},
	{
		Name: "Reduce takes the time beside a word that it has closed, though that is over",
		Rule: "sync_del 11",
		Edits: []edit{{"shard.go",
			`when = min(when, max(s.When, now+1))`,
			`when = min(when, s.When)`}},
		Red: tests("TestReduceTakesNoTimeThatIsOver"),
	},
	{
		Name: "Close leaves the words of idle timers open",
		Rule: "sync_del 11",
		Edits: []edit{{"shard.go", `
			sh.disarm(i, s)
			sh.release(i, s)
`, `
			s.Flags &^= levels.Open
			sh.disarm(i, s)
			sh.release(i, s)
`}},
		Red: tests("TestTouchIsFalseWithoutAnIdleTimeout"),
	},
	{
		Name: "Close leaves the words of moved timers open",
		Rule: "sync_del 11",
		Edits: []edit{{"shard.go", `
			sh.disarm(i, s)
			sh.release(i, s)
`, `
			if s.Flags&levels.Open != 0 && sh.openedWord(i).Load()&kindMask != idleKind {
				s.Flags &^= levels.Open
			}
			sh.disarm(i, s)
			sh.release(i, s)
`}},
		Red: tests("TestAMovedTimerIsDeletedAndRefused"),
	},
	{
		Name: "the deadline beside a word counts, whatever the word says",
		Rule: "word.go",
		Edits: []edit{{"word.go",
			`(uint64(w.ticksUp(exact))^word)&ticksMask == 0 {`,
			`exact >= 0 {`}},
		Red: tests("TestTheDeadlineBesideAWordIsCheckedAgainstIt"),
	},
	{
		Name: "a call that asks for a deadline closes the word",
		Rule: "sync_del 11",
		Edits: []edit{{"word.go", `
	default:
		return sh.w.says(x, word), true
`, `
	default:
		sh.shut(i, s)
		return s.When, true
`}},
		Red: tests("TestToLookAtAMovedTimerMakesItNotDue"),
	},
	{
		Name: "a Register for now of a timer whose word is open waits for the end of the tick",
		Rule: "word.go",
		Edits: []edit{{"timer.go",
			`if how == plain && d > 0 && slack <= 0 {`,
			`if how == plain && slack <= 0 {`}},
		Red: tests("TestAtOnceIsAtOnceForAMovedTimer"),
	},
	{
		Name: "a Move to now of a timer whose word is open waits for the end of the tick",
		Rule: "word.go",
		Edits: []edit{{"timer.go",
			`if x := t.word(); d > 0 && x != nil`,
			`if x := t.word(); x != nil`}},
		Red: tests("TestAtOnceIsAtOnceForAMovedTimer"),
	},
	{
		Name: "a RegisterAt for the past of a timer whose word is open waits for the end of the tick",
		Rule: "word.go",
		Edits: []edit{{"timer.go",
			`if at >= t.wheel().alarm.at.Load() {`,
			`if true {`}},
		Red: tests("TestAtOnceIsAtOnceForAMovedTimer"),
	},
}

func init() { mutants = append(mutants, wordMutants...) }
