package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A tally holds the program's own counts, beside the wheel's Stats.
type tally struct {
	opened, closed atomic.Uint64
	ends           [causes]atomic.Uint64 // closed, by cause
	reads          atomic.Uint64
	armed, refused atomic.Uint64 // RegisterIdles that were accepted, and refused
	touched, lost  atomic.Uint64 // Touches that put the timeout off, and that came too late
	goodbyes       atomic.Uint64 // heard by clients

	handlers   atomic.Uint64 // begun
	tooLate    atomic.Uint64 // of these: another cause had ended the connection
	lateness   lateness
	violations atomic.Uint64 // handlers that ran after their deletion

	inFlight [causes]atomic.Uint64 // deletions that found the handler in flight, by their caller
	failed   atomic.Uint64         // deletions that returned an error
}

// collisions returns the number of deletions that found the handler in flight.
func (t *tally) collisions() uint64 {
	return t.inFlight[byClient].Load() + t.inFlight[byServer].Load()
}

// String says in a line how the run is getting on.
func (t *tally) String() string {
	closed := t.closed.Load()
	return fmt.Sprintf("%s connections open, %s closed, %s of them by the idle timer; %s deletions found their handler running",
		commas(t.opened.Load()-closed), commas(closed), commas(t.ends[byIdle].Load()), commas(t.collisions()))
}

// A lateness collects how long after its deadline each handler began.
type lateness struct {
	mu      sync.Mutex
	samples []time.Duration
}

// add adds a handler that was due and began at these times. A due of 0 means unknown.
func (l *lateness) add(due, began time.Duration) {
	if due == 0 {
		return
	}
	l.mu.Lock()
	l.samples = append(l.samples, began-due)
	l.mu.Unlock()
}

// print prints how late the handlers were.
func (l *lateness) print(out io.Writer, label, remark string) {
	all := l.sorted()
	percentile := func(p int) time.Duration { return all[(len(all)-1)*p/100].Round(time.Microsecond) }
	fmt.Fprintf(out, "  %-20s %10v %10v %10v  %s\n", label, percentile(50), percentile(99), percentile(100), remark)
}

// sorted returns the samples in order. Without samples it returns one sample of 0.
func (l *lateness) sorted() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.samples) == 0 {
		return []time.Duration{0}
	}
	return slices.Sorted(slices.Values(l.samples))
}

// A peak holds the maxima of samples of the wheel's Stats. It needs no lock: only the
// handler of one timer uses it, which never runs twice at once, and the goroutine that has
// deleted that timer with DelSync.
type peak struct {
	live, workers, running int
	bytes                  int64 // when live was reached
	samples                uint64
}

func (p *peak) sample(s timerwheel.Stats) {
	p.samples++
	p.workers = max(p.workers, s.Workers)
	p.running = max(p.running, s.Running)
	if s.Live > p.live {
		p.live, p.bytes = s.Live, s.Bytes
	}
}

// A report holds the results of the run.
type report struct {
	*tally
	costs      []cost
	probe      *probe
	peak       peak
	saturated  uint64           // how often all workers were busy, as OnStall reported it
	drained    timerwheel.Stats // after all connections were gone, before Close
	workers    int              // the wheel's goroutines after Close
	goroutines int              // goroutines beyond those of the start
}

func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "\nCONNECTIONS\n")
	row(out, "opened", r.opened.Load(), "")
	row(out, "closed by the idle timer", r.ends[byIdle].Load(), fmt.Sprintf("%s clients heard the goodbye", commas(r.goodbyes.Load())))
	row(out, "closed by the client", r.ends[byClient].Load(), "")
	row(out, "closed by the server", r.ends[byServer].Load(), "")
	row(out, "reads", r.reads.Load(), "")

	fmt.Fprintf(out, "\nIDLE TIMERS\n")
	row(out, "armed", r.armed.Load(), "once a connection")
	row(out, "refused", r.refused.Load(), "the server was deleting the timer")
	row(out, "touched", r.touched.Load(), "before each read")
	row(out, "  too late", r.lost.Load(), "the timer had fired, or the server had deleted it")
	row(out, "handlers begun", r.handlers.Load(), "")
	row(out, "  came too late", r.tooLate.Load(), "another cause had ended the connection")
	row(out, "deletions that found the handler running", r.collisions(), "and waited for it")
	row(out, "  made by the reader", r.inFlight[byClient].Load(), "by DelSync")
	row(out, "  made by the server", r.inFlight[byServer].Load(), "by ShutdownSync")
	row(out, "handlers running after their deletion", r.violations.Load(), "")

	fmt.Fprintf(out, "\nTHE WHEEL\n")
	row(out, "timers at the peak", uint64(r.peak.live), "")
	row(out, "bytes a timer", r.peak.bytes/int64(max(1, r.peak.live)), "at the peak")
	row(out, "goroutines at the peak", r.peak.workers, "of the wheel")
	row(out, "handlers at once, at the peak", r.peak.running, fmt.Sprintf("of MaxWorkers, %d", r.drained.MaxWorkers))
	row(out, "times that all workers were busy", r.saturated, fmt.Sprintf("for %v, with timers due (OnStall: Saturated)", stallAfter))

	fmt.Fprintf(out, "\nLATENESS %24s %10s %10s\n", "p50", "p99", "max")
	r.lateness.print(out, "idle timers", "an eighth of the idle limit, and two ticks, are promised")
	r.probe.wheel.print(out, "wheel.AfterFunc", commas(r.probe.count)+" beside them; two ticks, and the scheduler's delay, are promised")
	r.probe.std.print(out, "time.AfterFunc", "for the same times")

	fmt.Fprintf(out, "\nWHAT THE TIMEOUT COSTS A READ\n")
	for _, c := range r.costs {
		row(out, c.call, c.each.String(), c.remark)
	}
}

// check verifies the run against the promises and prints each verdict.
func (r *report) check(out io.Writer) error {
	s := r.drained
	ends := r.ends[byIdle].Load() + r.ends[byClient].Load() + r.ends[byServer].Load()
	outcomes := r.ends[byIdle].Load() + r.tooLate.Load()

	fmt.Fprintf(out, "\nCHECKS\n")
	v := verdict{out: out}
	v.expect(r.violations.Load() == 0, "no handler ran after its deletion had returned; %s deletions found it running", commas(r.collisions()))
	v.expect(r.failed.Load() == 0, "no deletion failed")
	v.expect(r.opened.Load() > 0 && r.handlers.Load() > 0, "there were connections and handlers to check")
	v.expect(early(r.lateness.sorted())+early(r.probe.wheel.sorted()) == 0, "no handler began before its deadline")
	v.expect(r.opened.Load() == r.closed.Load(), "opened = closed")
	v.expect(r.closed.Load() == ends, "closed = by idle timer + by client + by server")
	v.expect(r.opened.Load() == r.armed.Load()+r.refused.Load(), "opened = armed + refused")
	v.expect(r.armed.Load()+r.reads.Load() == r.touched.Load()+r.lost.Load(), "armed + reads = touched + too late")
	v.expect(r.refused.Load() == s.Refused, "refused, as counted here = as counted by the wheel")
	v.expect(r.handlers.Load() == outcomes, "handlers = closed by idle timer + came too late")
	v.expect(r.handlers.Load()+r.probe.count+r.peak.samples == s.Fired, "handlers, as counted here = as counted by the wheel")
	v.expect(s.Registered == s.Fired+s.Removed+uint64(s.Pending), "Registered = Fired + Removed + Pending: %s = %s + %s + %d",
		commas(s.Registered), commas(s.Fired), commas(s.Removed), s.Pending)
	v.expect(s.Live == 0 && s.Pending == 0 && s.Running == 0, "no timer is left: %d live, %d pending, %d running", s.Live, s.Pending, s.Running)
	v.expect(r.workers == 0 && r.goroutines == 0, "no goroutine is left: %d of the wheel, %d in all", r.workers, r.goroutines)
	return v.err()
}

// A verdict prints checks and counts those that failed.
type verdict struct {
	out    io.Writer
	failed int
}

func (v *verdict) expect(ok bool, format string, args ...any) {
	result := "ok    "
	if !ok {
		result = "FAILED"
		v.failed++
	}
	fmt.Fprintf(v.out, "  %s  %s\n", result, fmt.Sprintf(format, args...))
}

func (v *verdict) err() error {
	if v.failed > 0 {
		return fmt.Errorf("%d checks failed", v.failed)
	}
	return nil
}

// early returns the number of negative values among sorted latenesses.
func early(sorted []time.Duration) int {
	n, _ := slices.BinarySearch(sorted, 0)
	return n
}

func row(out io.Writer, label string, value any, remark string) {
	if n, ok := value.(uint64); ok {
		value = commas(n)
	}
	line := fmt.Sprintf("  %-42s %10v", label, value)
	if remark != "" {
		line += "  " + remark
	}
	fmt.Fprintln(out, line)
}

// commas formats n with a comma before every three digits.
func commas(n uint64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", commas(n/1000), n%1000)
}
