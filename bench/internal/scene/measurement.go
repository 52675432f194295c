package scene

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
)

// A Measurement collects the figures of one run of a scene.
type Measurement struct {
	Short   bool
	Figures []Figure

	// Idle returns what this process uses in a time in which it does nothing, after a second
	// in which it may become idle. The parent process measures that, because a process cannot
	// observe itself while it does nothing.
	Idle func(time.Duration) (Usage, error) `json:"-"`

	// Curves are distributions, for plots: for each work, the figure at each of the
	// quantiles that the scene asks for.
	Curves []figure.Curve

	err error
}

// A Figure is one result of a scene.
type Figure struct {
	Work  string
	Unit  figure.Unit
	Value float64
}

// A Usage is what a process has used: how often its threads were woken, in how many bursts,
// and their processor time in nanoseconds. One wake-up of a process may wake several threads
// one after the other, which are one burst.
type Usage struct{ WakeUps, Bursts, CPU float64 }

// Err returns the first error of the scene.
func (m *Measurement) Err() error { return m.err }

func (m *Measurement) failf(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

func (m *Measurement) report(work string, unit figure.Unit, value float64) {
	m.Figures = append(m.Figures, Figure{work, unit, value})
}

func (m *Measurement) curve(work string, of figure.Samples, quantiles ...float64) {
	c := figure.Curve{Work: work, Quantiles: quantiles}
	for _, q := range of.Quantiles(quantiles...) {
		c.Values = append(c.Values, figure.Samples{q})
	}
	m.Curves = append(m.Curves, c)
}

const (
	million = 1_000_000
	unit    = 1024 // calls between two readings of the clock
)

// span returns how long a loop is measured.
func (m *Measurement) span() time.Duration {
	if m.Short {
		return 100 * time.Millisecond
	}
	return 250 * time.Millisecond
}

// loop measures f, which does a work n times, and reports the nanoseconds for each time.
func (m *Measurement) loop(work string, f func(n int)) {
	runtime.GC() // the garbage of earlier works
	repeat(f, m.span()/5)
	n, took := repeat(f, m.span())
	m.report(work, figure.Nanoseconds, float64(took)/float64(n))
}

// batch is how long the batches of least are. Where processes take turns, each has its turn for longer
// than that, so some batches are undisturbed even if this process has only a part of a processor.
const batch = time.Millisecond

// least is loop, but reports the nanoseconds in the batch that took the least for each time.
func (m *Measurement) least(work string, f func(n int)) {
	runtime.GC()
	repeat(f, m.span()/5)
	var took figure.Samples
	for range m.span() / batch {
		n, t := repeat(f, batch)
		took = append(took, float64(t)/float64(n))
	}
	m.report(work, figure.Nanoseconds, took.Quantile(0))
}

// repeat calls f until span has passed.
func repeat(f func(n int), span time.Duration) (n int, took time.Duration) {
	began := time.Now()
	for took < span {
		f(unit)
		n += unit
		took = time.Since(began)
	}
	return n, took
}

// parallel is loop with as many goroutines as there are processors. It divides the wall
// time by the calls of all goroutines, so twice the throughput is half the figure.
func (m *Measurement) parallel(work string, f func(n int)) {
	m.parallelWith(work, func(int) func(int) { return f })
}

// parallelWith is parallel where each goroutine has its own work: f gives the kth its own.
func (m *Measurement) parallelWith(work string, f func(k int) func(n int)) {
	runtime.GC()
	fs := make([]func(int), runtime.GOMAXPROCS(0))
	for k := range fs {
		fs[k] = f(k)
	}
	everywhere(fs, m.span()/5)
	n, took := everywhere(fs, m.span())
	m.report(work, figure.Nanoseconds, float64(took)/float64(n))
}

// everywhere runs repeat with each function at once.
func everywhere(fs []func(n int), span time.Duration) (n int64, took time.Duration) {
	var all sync.WaitGroup
	var total atomic.Int64
	began := time.Now()
	for _, f := range fs {
		all.Go(func() {
			n, _ := repeat(f, span)
			total.Add(int64(n))
		})
	}
	all.Wait()
	return total.Load(), time.Since(began)
}

// cpu returns the processor time that this process has used.
func cpu() time.Duration { return time.Duration(used().CPU) }

// used returns what this process has used. It counts only the context switches of threads that
// had nothing to do: a process that is busy is also interrupted, as often as others want the
// processor.
func used() Usage {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return Usage{WakeUps: float64(u.Nvcsw), CPU: float64(u.Utime.Nano() + u.Stime.Nano())}
}

func nothing() {}
