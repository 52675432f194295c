package figure

import (
	"fmt"
	"math"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// A Target is an upper bound for this library's figure for a work: Times the
// reference's figure of the same round, plus Plus. Without a reference the bound is
// Plus.
type Target struct {
	Work      string
	Reference Reference
	Times     float64
	Plus      float64

	// WorstKnown is, for a target that is not met, the worst figure known, as a
	// multiple of the bound. It is 0 for a target that is met, or missed by little. It
	// does not make the target pass: a check uses it to see whether a figure has become
	// worse.
	WorstKnown float64
}

// A Reference is a rival's figure for a work.
type Reference struct{ Rival, Work string }

// ofTime returns a target that refers to time's figure for the same work, as most do.
func ofTime(work string, times float64) Target {
	return Target{Work: work, Reference: Reference{rival.Time, work}, Times: times}
}

// atMost returns a target without a reference.
func atMost(work string, limit float64) Target { return Target{Work: work, Plus: limit} }

func (t Target) worstKnown(times float64) Target {
	t.WorstKnown = times
	return t
}

// The works that have a target, and those that targets refer to. Package scene
// measures them.
const (
	StartStop         = "start+stop, 1M pending, serial"
	StartStopParallel = "start+stop, 1M pending, 2 procs"
	StartStopAllocs   = "start+stop, allocations"
	ArmStop           = "arm+stop of a timer that is used again, 1M pending"
	LaterHot          = "re-arm later, one timer"
	LaterScattered    = "re-arm later, 1M timers, scattered"
	LaterAtHot        = "re-arm later by RegisterAt, one timer"
	LaterAtScattered  = "re-arm later by RegisterAt, 1M timers, scattered"
	TouchHot          = "put an idle timeout off, one timer"
	MoveShared        = "re-arm later, 100k timers that one goroutine made, 2 procs"
	MoveSharedSerial  = "re-arm later, 100k timers that one goroutine made, serial"
	StopShared        = "stop+arm, 100k timers that one goroutine made, 2 procs"
	StopSharedSerial  = "stop+arm, 100k timers that one goroutine made, serial"
	KeyedAllocs       = "keyed: Set of a pending key, allocations"
	Held              = "memory a pending timer, 1M pending"
	GC                = "forced GC, 1M pending"
	HeldGroup         = "memory of a connection's three timers, in a group"
	Firing            = "CPU a firing, 1M due over 2 s"
	NoSlackWakeUps    = "wake-ups, 1M due over 2 s"
	NoSlackCPU        = "CPU a firing, 1M timers that are used again, due over 2 s"
	SlackWakeUps      = "wake-ups, 1M due over 2 s, with a slack of 100 ms"
	SlackCPU          = "CPU a firing, 1M timers that are used again, due over 2 s, with a slack of 100 ms"
	StormSlowest      = "start+stop in a storm, slowest"
	StormTail         = "start+stop in a storm, p99.9"
	Late              = "lateness p99, tick 1 ms, 1M due over 2 s"
	Early             = "early firings, tick 1 ms, of 1M"
	EarlyFine         = "early firings, tick 100 µs, of 1M"
	DelIdle           = "stop of an idle timer"
	DelSyncIdle       = "stop that waits, of an idle timer"
	DelPending        = "stop of a pending timer, 10k pending"
	DelSyncPending    = "stop that waits, of a pending timer, 10k pending"
	NoStallGap        = "longest gap of a series of 2 ms, one stall, 100k goroutines"
	StallGap          = NoStallGap + OnStallSet
	IdleWakeUps       = "wake-ups in 10 s, one timer an hour away"
	Drained           = "goroutines when drained"
	Close             = "Close, 1M pending"
	HeapStart         = "heap before 5M timers"
	HeapEnd           = "heap after 5M timers were deleted"
)

// OnStallSet follows the name of a work that is measured with OnStall as well.
const OnStallSet = ", OnStall set"

const millisecond = 1e6 // in nanoseconds

// keptStorage is what a wheel may keep after 5M timers were deleted, besides a tenth of
// the heap before: the tables of its chunks, and the chunks that it does not give back,
// so that one timer that is made and deleted does not allocate and free a chunk.
const keptStorage = 1 << 20

// Targets returns all targets, in the order of the table.
func Targets() []Target {
	return []Target{
		ofTime(StartStop, 0.35).worstKnown(1.5),
		ofTime(StartStopParallel, 0.33).worstKnown(1.3),
		atMost(StartStopAllocs, 0),
		ofTime(ArmStop, 0.85).worstKnown(2.9),
		ofTime(LaterHot, 0.80).worstKnown(1.5),
		ofTime(LaterScattered, 0.60).worstKnown(1.5),
		ofTime(LaterAtHot, 0.45).worstKnown(1.3),
		ofTime(TouchHot, 0.12).worstKnown(1.3),
		ofTime(MoveShared, 0.60).worstKnown(1.5),
		ofTime(StopShared, 0.80).worstKnown(5),
		Target{Work: MoveShared, Reference: Reference{rival.Ours, MoveSharedSerial}, Times: 1 / 1.8}.worstKnown(2.5),
		Target{Work: StopShared, Reference: Reference{rival.Ours, StopSharedSerial}, Times: 1 / 1.5}.worstKnown(4),
		atMost(KeyedAllocs, 0),
		atMost(Held, 56),
		atMost(HeldGroup, 300),
		ofTime(GC, 0.25),
		ofTime(Firing, 0.20).worstKnown(2.2),
		{Work: SlackWakeUps, Reference: Reference{rival.Ours, NoSlackWakeUps}, Times: 0.25},
		{Work: SlackCPU, Reference: Reference{rival.Ours, NoSlackCPU}, Times: 1},
		atMost(StormSlowest, 5*millisecond).worstKnown(2.2),
		ofTime(StormTail, 1),
		{Work: Late, Reference: Reference{rival.Time, Late}, Times: 1, Plus: 2 * millisecond},
		atMost(Early, 0),
		atMost(EarlyFine, 0),
		{Work: DelSyncIdle, Reference: Reference{rival.Ours, DelIdle}, Times: 1.3},
		{Work: DelSyncPending, Reference: Reference{rival.Ours, DelPending}, Times: 1.3},
		{Work: StallGap, Reference: Reference{rival.Ours, NoStallGap}, Times: 2},
		atMost(IdleWakeUps, 0),
		atMost(Drained, 0),
		atMost(Close, 50*millisecond),
		{Work: HeapEnd, Reference: Reference{rival.Ours, HeapStart}, Times: 1.1, Plus: keptStorage},
	}
}

// A Verdict compares this library's figures with a target.
type Verdict struct {
	Target    Target
	Unit      Unit
	Ours      Samples
	Reference Samples // the reference's figures; nil if the target has no reference
	Used      float64 // the figure as a fraction of what the target allows
}

// Pass reports whether the target is met.
func (v Verdict) Pass() bool { return v.Within(1) }

// NoWorse reports whether the figure is at most f times what the target allows or,
// where that is more, f times the worst figure known.
func (v Verdict) NoWorse(f float64) bool { return v.Within(f * max(1, v.Target.WorstKnown)) }

// Within reports whether the figure is at most f times what the target allows.
func (v Verdict) Within(f float64) bool { return v.Used <= f }

// Verdicts returns the verdicts on the targets whose work was measured.
func (r *Results) Verdicts() (verdicts []Verdict) {
	for _, t := range Targets() {
		v := Verdict{
			Target:    t,
			Ours:      r.Samples(t.Work, rival.Ours),
			Reference: r.Samples(t.Reference.Work, t.Reference.Rival),
		}
		if len(v.Ours) == 0 || t.Times != 0 && len(v.Reference) == 0 {
			continue
		}
		v.Used = t.used(v.Ours, v.Reference).Median()
		v.Unit = r.unit(t.Work)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// used returns, round by round, the figure as a fraction of what the target allows.
func (t Target) used(ours, reference Samples) (used Samples) {
	for k, figure := range ours {
		limit := t.Plus
		if t.Times != 0 {
			if k == len(reference) {
				break
			}
			limit += t.Times * reference[k]
		}
		used = append(used, fraction(figure, limit))
	}
	return used
}

// fraction returns figure / limit. With a limit of 0 a figure of 0 is within the limit,
// and any other figure exceeds it, whatever factor the limit is multiplied with.
func fraction(figure, limit float64) float64 {
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

// ownReferences holds what the table calls the works of this library that targets refer to.
var ownReferences = map[string]string{
	NoSlackWakeUps: "those without slack",
	NoSlackCPU:     "that without slack",
	NoStallGap:     "that with OnStall unset",
	DelIdle:        "Del's",
	DelPending:     "Del's",
	HeapStart:      "the heap before",

	MoveSharedSerial: "that of one goroutine",
	StopSharedSerial: "that of one goroutine",
}

// text returns the bound as the table shows it.
func (t Target) text(u Unit) string {
	switch {
	case t.Times == 0 && t.Plus == 0:
		return "0"
	case t.Times == 0:
		return "≤ " + u.Format(t.Plus)
	}
	reference := t.Reference.Rival + "'s"
	if t.Reference.Rival == rival.Ours {
		reference = ownReferences[t.Reference.Work]
	}
	text := fmt.Sprintf("≤ %.2f of %s", t.Times, reference)
	if t.Times == 1 {
		text = "≤ " + reference
	}
	if t.Plus != 0 {
		text += " + " + u.Format(t.Plus)
	}
	return text
}
