// Package scene is the work that rivals are measured at. A scene is what one
// process does, from the first timer to the last; it may take several figures.
//
// Each scene of each rival runs in a process of its own, in each round: so no
// heap, no timer and no goroutine of one is there in the next.
package scene

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// A Scene is some works that are measured in one process.
type Scene struct {
	Name  string
	Procs int           // GOMAXPROCS; 0: as the command says
	Tick  time.Duration // of rivals that have one; 0: 1 ms
	Cost  Cost
	Works []string // those with a target
	Skip  string   // a rival that would take minutes
	Run   func(*Stage, rival.Rival)
}

// Measures reports whether a work is one of the scene's.
func (s Scene) Measures(work string) bool { return slices.Contains(s.Works, work) }

// A Cost says how dear a scene is, and so how often it is run.
type Cost int

const (
	Cheap Cost = iota // under a second: in every round
	Dear              // some seconds: in every other round
	Once              // as a figure that does not vary, or very dear: in the first round
	Long              // likewise, and not in a short run
)

func (c Cost) due(round int, short bool) bool {
	switch c {
	case Cheap:
		return true
	case Dear:
		return round%2 == 0
	case Once:
		return round == 0
	}
	return round == 0 && !short
}

// Due reports whether the scene belongs to a round. A short run is about what has
// targets.
func (s Scene) Due(round int, short bool) bool {
	return s.Cost.due(round, short) && (len(s.Works) > 0 || !short)
}

// All are the scenes, in the order of the table.
func All() []Scene {
	var all []Scene
	for _, scenes := range [][]Scene{startStops(), rearms(), firings(), deletions(), memory(), tails(), latenesses(), rests(), ends()} {
		all = append(all, scenes...)
	}
	return all
}

// Find returns the scene of a name.
func Find(name string) (Scene, error) {
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
	}
	return Scene{}, fmt.Errorf("there is no scene %q", name)
}

// A Figure is what a scene has measured.
type Figure struct {
	Work  string
	Unit  figure.Unit
	Value float64
}

// A Stage is where a scene runs: it takes the figures.
type Stage struct {
	Short   bool
	Figures []Figure

	// Hold waits while the parent process looks how much this one does. A
	// process cannot see its own rest.
	Hold func() (Rest, error) `json:"-"`

	// Curves are distributions, for plots: by work, the figure at each of the
	// quantiles that are asked for.
	Curves []figure.Curve

	err error
}

// A Rest is what a process did in ten seconds in which it had nothing to do.
type Rest struct{ WakeUps, CPU float64 } // CPU in ns

// Err returns the first thing that went wrong.
func (s *Stage) Err() error { return s.err }

func (s *Stage) failf(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

func (s *Stage) report(work string, unit figure.Unit, value float64) {
	s.Figures = append(s.Figures, Figure{work, unit, value})
}

func (s *Stage) curve(work string, of figure.Samples, quantiles ...float64) {
	c := figure.Curve{Work: work, Quantiles: quantiles}
	for _, q := range of.Quantiles(quantiles...) {
		c.Values = append(c.Values, figure.Samples{q})
	}
	s.Curves = append(s.Curves, c)
}

const (
	million = 1_000_000
	unit    = 1024 // calls between two looks at the clock
)

// span is for how long a loop is measured.
func (s *Stage) span() time.Duration {
	if s.Short {
		return 100 * time.Millisecond
	}
	return 250 * time.Millisecond
}

// loop measures work that f does n times, in ns each.
func (s *Stage) loop(work string, f func(n int)) {
	runtime.GC() // what others have left
	repeat(f, s.span()/5)
	n, took := repeat(f, s.span())
	s.report(work, figure.Nanoseconds, float64(took)/float64(n))
}

func repeat(f func(n int), span time.Duration) (n int, took time.Duration) {
	began := time.Now()
	for took < span {
		f(unit)
		n += unit
		took = time.Since(began)
	}
	return n, took
}

// parallel measures work that f does n times, done by as many goroutines as
// there are processors: in ns of all their time, so twice as fast is half.
func (s *Stage) parallel(work string, f func(n int)) {
	runtime.GC()
	everywhere(f, s.span()/5)
	n, took := everywhere(f, s.span())
	s.report(work, figure.Nanoseconds, float64(took)/float64(n))
}

func everywhere(f func(n int), span time.Duration) (n int64, took time.Duration) {
	var all sync.WaitGroup
	var total atomic.Int64
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			n, _ := repeat(f, span)
			total.Add(int64(n))
		})
	}
	all.Wait()
	return total.Load(), time.Since(began)
}

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func nothing() {}
