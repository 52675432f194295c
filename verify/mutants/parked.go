package main

// parkedMutants break the stops and starts without the lock: parked.go and rule 12 of sync_del.go; and what
// goes with them in alarm.go: the anchors, and the set of shards at which a wake-up looks.
var parkedMutants = []mutant{
	{
		Name: "a stop goes by the number of the record, not by the generation",
		Rule: "sync_del 12",
		Edits: []edit{{"parked.go",
			`if uint32(word>>genShift) != uint32(t.id>>genShift) || word&kindMask != ownedKind {`,
			`if word&kindMask != ownedKind {`}},
		Red: explored("a stop against the next tenant"),
	},
	{
		Name: "a start goes by the number of the record, not by the generation",
		Rule: "sync_del 12",
		Edits: []edit{{"parked.go",
			`if uint32(word>>genShift) != uint32(t.id>>genShift) || word&kindMask != parkedKind ||`,
			`if word&kindMask != parkedKind ||`}},
		Red: explored("a start against the next tenant"),
	},
	{
		Name: "a stop parks timers of every kind",
		Rule: "sync_del 12",
		Edits: []edit{{"parked.go",
			`|| word&kindMask != ownedKind {`,
			`{`}},
		Red: tests("TestATimerThatRunsIsNotParked", "TestWhatIsNotParked"),
	},
	{
		Name: "the Free of the last owner leaves the word open",
		Rule: "sync_del 12",
		Edits: []edit{{"handle.go", `
	if s.Owners--; s.Owners == 0 {
		sh.disown(i, s)
	}`, `
	s.Owners--`}},
		Red: tests("TestTheLastFreeOfAParkedTimerRecyclesIt"),
	},
	{
		Name: "a parked timer whose word is closed stays in its bucket",
		Rule: "sync_del 12",
		Edits: []edit{{"word.go",
			`if s.Flags&(pending|levels.InBucket) == levels.InBucket {`,
			`if s.Flags&(pending|levels.InBucket) == levels.InBucket && false {`}},
		Red: explored("a start against the next tenant"),
	},
	{
		Name: "a timer that was parked is pending for who asks",
		Rule: "sync_del 12",
		Edits: []edit{{"word.go",
			`return s.Flags&pending != 0 && (s.Flags&levels.Open == 0 || sh.openedWord(i).Load()&kindMask != parkedKind)`,
			`return s.Flags&pending != 0`}},
		Red: tests("TestATimerStoppedInItsPlaceIsNotPending"),
	},
	{
		Name: "Stats counts parked timers as pending",
		Rule: "stats.go",
		Edits: []edit{{"stats.go",
			`s.Pending += c.linked - c.inLanes + open`,
			`s.Pending += c.linked + 0*open`}},
		Red: tests("TestATimerStoppedInItsPlaceIsNotPending"),
	},
	{
		Name: "parked timers whose time has come count as due",
		Rule: "due.go",
		Edits: []edit{{"word.go", `
	deadline := sh.deadline(i, s)
`, `
	deadline := s.When
`}},
		Red: tests("TestParkedTimersAreNotDue"),
	},
	{
		Name: "a timer that is parked while When looks has no deadline",
		Rule: "word.go",
		Edits: []edit{{"timer.go",
			`at, ok := sh.pendingDeadline(i, s)`,
			`at, ok := sh.deadline(i, s), sh.isPending(i, s)`}, {"word.go", `
	case parkedKind:
		return never, false
`, `
	case parkedKind:
		return never, true
`}},
		Red: explored("a stop against calls that look"),
	},
	{
		Name: "a start counts after it has opened the word",
		Rule: "sync_del 12",
		Edits: []edit{
			{"parked.go",
				`!c.lanes.of(t.index()).enter() {`,
				`c.lanes.of(t.index()).Load()&openMask == 0 {`},
			{"parked.go", `
		return true
	}
	t.leave(c, oneStart)
	return false`, `
		hook.At("between the swap of a start and its count")
		c.lanes.of(t.index()).Add(oneStart)
		return true
	}
	return false`},
		},
		Red: explored("a start while two stops drain a shard"),
	},
	{
		Name: "a start that fails stays counted",
		Rule: "sync_del 12",
		Edits: []edit{{"parked.go", `
	t.leave(c, oneStart)
`, `
`}},
		Red: explored("two starts at once"),
	},
	{
		Name: "a start from an empty lane takes no lock",
		Rule: "sync_del 12",
		Edits: []edit{{"parked.go",
			`if n&openMask == 0 {`,
			`if false {`}},
		Red: explored("a start on a drained shard, with the alarm off"),
	},
	{
		Name: "the stop of the last timer in a lane does not look whether any pends",
		Rule: "sync_del 12",
		Edits: []edit{{"parked.go", `
	sh.empty(l)
	sh.checkDrained()`, `
	sh.empty(l)`}},
		Red: explored("two stops drain a shard"),
	},
	{
		Name: "a timer without an owner is parked",
		Rule: "sync_del 12",
		Edits: []edit{{"parked.go",
			`== all && s.Owners > 0 &&`,
			`== all &&`}},
		Red: tests("TestTheDeletionOfATimerWithoutAnOwnerRecyclesIt"),
	},
	{
		Name: "the word of a timer without an owner can be parked",
		Rule: "sync_del 12",
		Edits: []edit{{"word.go",
			`if s.Owners > 0 && s.Flags&running == 0 {`,
			`if s.Flags&running == 0 {`}},
		Red: tests("TestWhatIsNotParked"),
	},
	{
		Name: "the word of a timer that runs can be parked",
		Rule: "sync_del 12",
		Edits: []edit{{"word.go",
			`if s.Owners > 0 && s.Flags&running == 0 {`,
			`if s.Owners > 0 {`}},
		Red: tests("TestATimerThatRunsIsNotParked"),
	},
	{
		Name: "a Register on a drained shard does not wake the wheel for the buckets of parked timers",
		Rule: "sync_del 12",
		Edits: []edit{{"shard.go",
			`return sh.occupy()`,
			`sh.occupy()`}},
		Red: explored("a start on a drained shard, with the alarm off"),
	},
	{
		Name: "a wheel on which nothing pends is woken for what is parked",
		Rule: "alarm.go",
		Edits: []edit{{"shard.go", `
	if sh.anchor().Wheel == nil {
		return never
	}
	return sh.nextBucket(l)`, `
	return sh.nextBucket(l)`}},
		Red: tests("TestParkedTimersDoNotKeepTheWheel"),
	},
	{
		Name: "a wake-up passes a shard over in which only handlers run",
		Rule: "alarm.go",
		Edits: []edit{{"shard.go",
			`if sh.anchor().Wheel == nil && len(sh.watches) == 0 {`,
			`if sh.anchor().Wheel == nil {`}},
		Red: tests("TestAfterAFreezeWhatLooksStalledIsLookedAtOnceMore"),
	},
	{
		Name: "a wake-up looks at shards in which there was something once",
		Rule: "alarm.go",
		Edits: []edit{{"shard.go",
			`sh.w.occupied.And(^(uint64(1) << sh.no))`,
			`_ = sh`}},
		Red: tests("TestAShardThatWasEmptiedIsPassedOver"),
	},
	{
		Name: "a drained wheel is kept",
		Rule: "alarm.go",
		Edits: []edit{{"parked.go",
			`sh.anchor().Wheel = nil`,
			`_ = sh`}},
		Red: tests("TestADrainedWheelIsCollected"),
	},
	{
		Name: "a wheel on which something pends is not kept",
		Rule: "alarm.go",
		Edits: []edit{{"shard.go",
			`sh.anchor().Wheel = sh.w`,
			`_ = sh`}},
		Red: tests("TestAForgottenWheelFiresWhatPends"),
	},
	{
		Name: "no parked timer is taken off before its own bucket is emptied",
		Rule: "parked.go",
		Edits: []edit{{"worker.go",
			`if sh.sweeps && now < wk.leaveAfter {`,
			`if false {`}},
		Red: tests("TestParkedTimersAreSwept"),
	},
	{
		Name: "a sweep ends after one batch",
		Rule: "parked.go",
		Edits: []edit{{"parked.go",
			`for sh.parked() > sh.pending() && sh.sweepSome() {`,
			`if sh.parked() > sh.pending() && sh.sweepSome() {`}},
		Red: tests("TestParkedTimersAreSwept"),
	},
	{
		Name: "a lane that is full is left so",
		Rule: "parked.go",
		Edits: []edit{{"parked.go",
			`n&openMask != 0 && n < laneIsFull {`,
			`n&openMask != 0 {`}},
		Red: tests("TestAFullLaneIsEmptied"),
	},
	{
		Name: "starts that are taken back after their lane was emptied are taken for very many",
		Rule: "parked.go",
		Edits: []edit{{"parked.go",
			`return uint64(int64(n) >> openBits)`,
			`return n >> openBits`}},
		Red: explored("a start that is taken back"),
	},
	{
		Name: "calls in flight count words that Close has closed",
		Rule: "parked.go",
		Edits: []edit{{"parked.go", `
	open = min(open, sh.counters.inLanes)
`, `
`}},
		Red: explored("a stop against Close"),
	},
	{
		Name: "the lanes get no ballast",
		Rule: "parked.go",
		Edits: []edit{{"parked.go",
			`if sh.ballast || sh.counters`,
			`if true || sh.counters`}},
		Red: tests("TestOneTimerBesideManyTakesNoLock"),
	},
	{
		Name: "the lanes keep their ballast when nothing else pends",
		Rule: "parked.go",
		Edits: []edit{{"parked.go", `
	if sh.ballast {
		sh.dropBallast()
	}`, `
`}},
		Red: explored("a stop while the ballast is dropped"),
	},
	{
		Name: "the lanes keep their ballast when the last timer in no lane is moved into one",
		Rule: "parked.go",
		Edits: []edit{{"parked.go", `
	sh.words(i / chunkLen).lanes.of(i).Add(1)
	sh.checkDrained()`, `
	sh.words(i / chunkLen).lanes.of(i).Add(1)`}},
		Red: tests("TestADrainedWheelIsCollected"),
	},
	{
		Name: "the Free of the last owner closes the word",
		Rule: "sync_del 12",
		Edits: []edit{{"handle.go",
			`sh.disown(i, s)`,
			`sh.shut(i, s)`}},
		Red: tests("TestWhatIsLookedAtIsNotDue", "TestTouchAfterTheLastFree"),
	},
	{
		Name: "a Move of a timer that was parked since arms it",
		Rule: "sync_del 12",
		Edits: []edit{{"word.go", `
	sh.shut(i, s)
	return s.Flags&pending != 0
`, `
	sh.shut(i, s)
	return true
`}},
		Red: tests("TestATimerStoppedInItsPlaceIsNotPending"),
	},
	{
		Name: "Inspect shows what is parked where nothing pends",
		Rule: "inspect.go",
		Edits: []edit{{"inspect.go", `
	if sh.anchor().Wheel == nil {
		return nil
	}
`, `
`}},
		Red: tests("TestInspectPassesOverWhatIsParked"),
	},
	{
		Name: "a RegisterAt that must wake the wheel for parked timers reads no clock",
		Rule: "shard.go",
		Edits: []edit{{"shard.go",
			`look = min(look, sh.nextBucket(&sh.levels))`,
			`look = min(look, never)`}},
		Red: tests("TestNeedsClock"),
	},
}

func init() { mutants = append(mutants, parkedMutants...) }
