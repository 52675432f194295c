// Package vet finds misuse of package timerwheel before the program runs: what
// would deadlock, what uses a timer that was freed, and habits that were right
// with time.Timer.
//
// # How it works
//
// The analysis works on the SSA form of one package at a time. First it finds the
// calls that make timers: which handler each has, and in which fields and
// variables the program stores its handle. Then it summarises each function: what it
// waits for on each path through it, and the set of locks and signals, itself and
// through the functions that it calls. The checks follow the paths once more,
// and compare what is held with what the handlers want.
//
// What the exported functions of a package do, and which handlers its fields hold, is kept
// as a fact for the packages that import it.
//
// Under internal, each package uses at most those before it: location names where a
// mutex or a handle is stored, api knows what the calls mean, paths follows the
// paths through a function, model describes a package, and checks reports.
package vet

import (
	"github.com/seed76848005/timerwheel/vet/internal/api"
	"github.com/seed76848005/timerwheel/vet/internal/checks"
	"github.com/seed76848005/timerwheel/vet/internal/model"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
)

// Analyzer reports misuse of package timerwheel. The Category of a diagnostic is
// lock, wait, self, circle, free, dropped, cancel or habit.
var Analyzer = newAnalyzer()

func newAnalyzer() *analysis.Analyzer {
	a := &analysis.Analyzer{
		Name: "timerwheel",
		Doc: `find deadlocks and misuse of timers

It reports
  lock     a deletion that waits for a handler, while a lock is held that the handler wants;
           a handler that locks again the lock with which the wheel calls it
  wait     the same for a WaitGroup, a channel or a Cond that the function of a timer signals
  self     DelSync or Close in the timer's own handler
  circle   handlers that wait for each other
  free     a handle that is used after its Free; one from AfterFunc, after its timer has ended
  dropped  a timer from Alloc whose handle is not kept, or that is shut down and never freed
  cancel   a cancel function of package timerctx that is not used
  habit    loops and drains that time.Timer once needed

A comment //timerwheelvet:ignore REASON, on the line or above it, silences it.`,
		URL:       "https://" + api.WheelPath + "/tree/main/vet",
		Requires:  []*analysis.Analyzer{buildssa.Analyzer},
		FactTypes: []analysis.Fact{new(model.Fact)},
	}
	tests := a.Flags.Bool("tests", true, "report what is found in test files, too")
	a.Run = func(pass *analysis.Pass) (any, error) {
		checks.Run(pass, *tests)
		return nil, nil
	}
	return a
}
