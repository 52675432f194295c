package figure

import (
	"fmt"
	"math"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// A Target is what this library is to reach at a work. Times and Plus say of
// which reference figure, of the same round: the figure must not be more than
// Times that and Plus. Without a reference it must not be more than Plus.
type Target struct {
	Work  string
	To    Reference
	Times float64
	Plus  float64

	// Unmet is how many times what it allows a target that is not met takes, at
	// worst, as far as is known; 0 for one that is met, or missed by little. It does
	// not make it pass: it is from where a check sees that a figure has become worse.
	Unmet float64
}

// A Reference is a rival's figure for a work.
type Reference struct{ Rival, Work string }

// ToTime is what most targets refer to.
func toTime(work string, times float64) Target {
	return Target{Work: work, To: Reference{rival.Time, work}, Times: times}
}

// atMost is a target without a reference.
func atMost(work string, limit float64) Target { return Target{Work: work, Plus: limit} }

func (t Target) unmet(times float64) Target {
	t.Unmet = times
	return t
}

// The works that have a target. Package scene measures them.
const (
	StartStop         = "start+stop, 1M pending, serial"
	StartStopParallel = "start+stop, 1M pending, 2 procs"
	StartStopAllocs   = "start+stop, allocations"
	ArmStop           = "arm+stop of a timer that is used again, 1M pending"
	LaterHot          = "re-arm later, one timer"
	LaterScattered    = "re-arm later, 1M timers, scattered"
	LaterAtHot        = "re-arm later by RegisterAt, one timer"
	LaterAtScattered  = "re-arm later by RegisterAt, 1M timers, scattered"
	Held              = "memory a pending timer, 1M pending"
	GC                = "forced GC, 1M pending"
	Firing            = "CPU a firing, 1M due over 2 s"
	StormSlowest      = "start+stop in a storm, slowest"
	StormTail         = "start+stop in a storm, p99.9"
	Late              = "lateness p99, tick 1 ms, 1M due over 2 s"
	Early             = "early firings, tick 1 ms, of 1M"
	EarlyFine         = "early firings, tick 100 µs, of 1M"
	DelIdle           = "stop of an idle timer"
	DelSyncIdle       = "stop that waits, of an idle timer"
	DelPending        = "stop of a pending timer, 10k pending"
	DelSyncPending    = "stop that waits, of a pending timer, 10k pending"
	IdleWakeUps       = "wake-ups in 10 s, one timer an hour away"
	IdleCPU           = "CPU in 10 s, one timer an hour away"
	Drained           = "goroutines when drained"
	Close             = "Close, 1M pending"
	HeapStart         = "heap before 5M timers"
	HeapEnd           = "heap after 5M timers were deleted"
)

const (
	microsecond = 1e3
	millisecond = 1e6
)

// cache is what a wheel may keep of 5M timers, all deleted, besides a tenth of
// the heap before: the tables of its chunks, and the chunks that are not given
// back so that one timer that comes and goes does not make and drop them.
const cache = 1 << 20

// Targets are all there are, in the order of the table.
func Targets() []Target {
	return []Target{
		toTime(StartStop, 0.35),
		toTime(StartStopParallel, 0.33),
		atMost(StartStopAllocs, 0),
		toTime(ArmStop, 0.85),
		toTime(LaterHot, 0.80),
		toTime(LaterScattered, 0.60),
		toTime(LaterAtHot, 0.45),
		atMost(Held, 56),
		toTime(GC, 0.25),
		toTime(Firing, 0.20).unmet(2.2),
		atMost(StormSlowest, 5*millisecond).unmet(2.2),
		toTime(StormTail, 1),
		{Work: Late, To: Reference{rival.Time, Late}, Times: 1, Plus: 2 * millisecond},
		atMost(Early, 0),
		atMost(EarlyFine, 0),
		{Work: DelSyncIdle, To: Reference{rival.Ours, DelIdle}, Times: 1.3},
		{Work: DelSyncPending, To: Reference{rival.Ours, DelPending}, Times: 1.3},
		atMost(IdleWakeUps, 0),
		atMost(Drained, 0),
		atMost(Close, 50*millisecond),
		{Work: HeapEnd, To: Reference{rival.Ours, HeapStart}, Times: 1.1, Plus: cache},
	}
}

// A Verdict says how this library did at a target.
type Verdict struct {
	Target Target
	Unit   Unit
	Ours   Samples
	To     Samples // the reference's figures; none if it has no reference
	Use    float64 // how much of what the target allows was used: 1 is all of it
}

// Pass reports whether the target is met.
func (v Verdict) Pass() bool { return v.Within(1) }

// NoWorse reports whether the figure is at most f times what the target allows, or
// what is known to be taken.
func (v Verdict) NoWorse(f float64) bool { return v.Within(f * max(1, v.Target.Unmet)) }

// Within reports whether the figure is at most f times what the target allows.
func (v Verdict) Within(f float64) bool { return v.Use <= f }

// Verdicts judges the targets whose work has been measured.
func (r *Results) Verdicts() (verdicts []Verdict) {
	for _, t := range Targets() {
		v := Verdict{Target: t, Ours: r.Of(t.Work, rival.Ours), To: r.Of(t.To.Work, t.To.Rival)}
		if len(v.Ours) == 0 || t.Times != 0 && len(v.To) == 0 {
			continue
		}
		v.Use = t.use(v.Ours, v.To).Median()
		v.Unit = r.unit(t.Work)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// use returns, round for round, how much of what the target allows was used.
func (t Target) use(ours, to Samples) (use Samples) {
	for k, figure := range ours {
		limit := t.Plus
		if t.Times != 0 {
			if k == len(to) {
				break
			}
			limit += t.Times * to[k]
		}
		use = append(use, part(figure, limit))
	}
	return use
}

// part divides. Nothing of nothing is all that is allowed, and anything of
// nothing too much, whatever it is multiplied with.
func part(figure, limit float64) float64 {
	switch {
	case limit != 0:
		return figure / limit
	case figure == 0:
		return 0
	}
	return math.Inf(1)
}

func (r *Results) unit(work string) Unit {
	for _, w := range r.Works {
		if w.Name == work {
			return w.Unit
		}
	}
	return Count
}

// String says what the target is.
func (t Target) text(u Unit) string {
	switch {
	case t.Times == 0 && t.Plus == 0:
		return "0"
	case t.Times == 0:
		return "≤ " + u.Format(t.Plus)
	}
	to := t.To.Rival + "'s"
	if t.To.Rival == rival.Ours {
		to = map[string]string{DelIdle: "Del's", DelPending: "Del's", HeapStart: "the heap before"}[t.To.Work]
	}
	text := fmt.Sprintf("≤ %.2f of %s", t.Times, to)
	if t.Times == 1 {
		text = "≤ " + to
	}
	if t.Plus != 0 {
		text += " + " + u.Format(t.Plus)
	}
	return text
}
