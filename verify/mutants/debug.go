package main

// debugMutants break what Options.Debug remembers: origin.go, sites.go, misuse.go and circle.go.
var debugMutants = []mutant{
	{
		Name: "of each DebugEvery timers the first is remembered",
		Rule: "origin.go",
		Edits: []edit{{"origin.go",
			`return n%every == n/every*spread>>32%every`,
			`return n%every == 0*spread>>32`}},
		Red: tests("TestDebugEveryRemembersOneOfSoMany"),
	},
	{
		Name:  "what DebugEvery leaves out is instrumented all the same",
		Rule:  "origin.go",
		Edits: []edit{{"origin.go", `if !w.debug || !w.remembersNext() {`, `if w.remembersNext(); !w.debug {`}},
		Red:   tests("TestWhatIsNotRememberedAllocatesNothing"),
	},
	{
		Name:  "a timer that is remembered is moved without a trace",
		Rule:  "word.go",
		Edits: []edit{{"word.go", `b.origin == nil && b.period == 0`, `b.period == 0`}},
		Red:   tests("TestWhatHasNoOpenWord"),
	},
	{
		Name:  "a timer that is not remembered is the one that ran before it",
		Rule:  "circle.go",
		Edits: []edit{{"worker.go", `wk.code = sh.handlerOf(i, s)`, `if sh.originOf(i, s) != nil { wk.code = sh.handlerOf(i, s) }`}},
		Red:   tests("TestOnMisuseHearsOfEachErrDeadlock"),
	},
	{
		Name:  "an ErrDeadlock is not told",
		Rule:  "circle.go",
		Edits: []edit{{"circle.go", `return w.reportMisuse(x.circle)`, `return x.circle`}},
		Red:   tests("TestOnMisuseHearsOfEachErrDeadlock"),
	},
	{
		Name:  "each handler of a circle has the line of the call that would have closed it",
		Rule:  "circle.go",
		Edits: []edit{{"circle.go", `hop{r.code, r.waiting.at}`, `hop{r.code, x.at}`}},
		Red:   tests("TestErrDeadlockNamesTheLines"),
	},
	{
		Name:  "the sixteen misuses that Inspect has are the first",
		Rule:  "misuse.go",
		Edits: []edit{{"misuse.go", "\tfor _, err := range errs {\n\t\tq.last", "\tfor _, err := range errs[:min(len(errs), maxMisuseInfos-min(q.told, maxMisuseInfos))] {\n\t\tq.last"}},
		Red:   tests("TestInspectHasTheLastMisuses"),
	},
	{
		Name:  "the leaks of timers whose place is not remembered are one",
		Rule:  "misuse.go",
		Edits: []edit{{"misuse.go", `born.handler = from.handler`, `born.handler = 0`}},
		Red:   tests("TestWhatDebugEveryDoesNotRemember"),
	},
	{
		Name:  "Sites counts what it has found",
		Rule:  "sites.go",
		Edits: []edit{{"sites.go", `c.live * int(w.debugEvery)`, `c.live`}},
		Red:   tests("TestDebugEveryRemembersOneOfSoMany"),
	},
	{
		Name:  "Sites counts what the library has pending by itself",
		Rule:  "sites.go",
		Edits: []edit{{"sites.go", `o == nil || x != nil && x.User == nil`, `x == nil && o == nil || o == nil`}},
		Red:   tests("TestSitesAreWhereTheTimersThatLiveWereAllocated"),
	},
	{
		Name:  "a place in stdtime, timerctx or keyed is the user's",
		Rule:  "origin.go",
		Edits: []edit{{"origin.go", `gostack.Ours(f.Function, site)`, `gostack.Library(f.Function, site)`}},
		Red:   tests("TestSitesOfThePackagesBeside"),
	},
}

func init() { mutants = append(mutants, debugMutants...) }
