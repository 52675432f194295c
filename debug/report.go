package debug

import (
	"errors"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A Report is the data of the page, and the answer to ?format=json: a verdict, a
// [timerwheel.Inspection] and the samples of the last minutes. Durations are in
// seconds. A field without a comment means the same as the field with its name in
// Inspection or in [timerwheel.Stats].
type Report struct {
	Verdict []Finding `json:"verdict"` // what is wrong, the worst first; never empty
	Process Process   `json:"process"` // the program

	Now     time.Time `json:"now"`   // the wheel's time
	Start   time.Time `json:"start"` // when the wheel was made
	Closed  bool      `json:"closed"`
	Options Options   `json:"options"`
	Next    *float64  `json:"next"` // the next firing is at least this far away; null if no timer is pending

	Levels   []Level `json:"levels"`
	Due      int     `json:"due"`
	Held     int     `json:"held"`
	Deferred int     `json:"deferred"`
	Overdue  float64 `json:"overdue"` // how long the first timer in line has waited for a worker; 0 if none does

	Runs    []Run    `json:"runs"` // the oldest first; at most 256 of the stats.running
	Stats   Stats    `json:"stats"`
	Misuses []Misuse `json:"misuses"`        // with Options.Debug, the last 16, the latest first
	Samples []Sample `json:"samples"`        // at most one for each second; the last 300
	Sites   []Site   `json:"sites,omitzero"` // with Options.Debug, if the request has sites=1
}

// Options are the options of the wheel.
type Options struct {
	Tick       float64 `json:"tick"`
	MaxWorkers int     `json:"max_workers"`
	Manual     bool    `json:"manual"`
	Debug      bool    `json:"debug"`
	DebugEvery int     `json:"debug_every"`
	OnPanic    bool    `json:"on_panic"` // whether it is set
	OnStall    bool    `json:"on_stall"` // likewise
	StallAfter float64 `json:"stall_after"`
	OnMisuse   bool    `json:"on_misuse"` // likewise
	OnNext     bool    `json:"on_next"`   // likewise
}

// A Level is a level of the wheel. Bucket k begins From + k*Span after now.
type Level struct {
	From   float64 `json:"from"` // at most 0: buckets of the past have been emptied
	Span   float64 `json:"span"` // of a bucket
	Timers []int   `json:"timers"`
}

// A Run is a handler in flight.
type Run struct {
	Timer        string    `json:"timer"`
	Goroutine    uint64    `json:"goroutine"`
	Handler      string    `json:"handler"` // its function, file:line; for a method value the name only
	Since        time.Time `json:"since"`
	Age          float64   `json:"age"`
	AllocatedAt  string    `json:"allocated_at,omitempty"`  // with Options.Debug
	RegisteredAt string    `json:"registered_at,omitempty"` // likewise
	Waiters      int       `json:"waiters"`                 // number of deletions that wait for its end
	Waits        []Wait    `json:"waits"`                   // at most 16 of these deletions
	Waiting      *Wait     `json:"waiting"`                 // the deletion that waits in this handler; null if there is none
	WaitsFor     []uint64  `json:"waits_for"`               // the goroutines of the handlers that it waits for, at most 16
}

// A Wait is a deletion that waits for handlers.
type Wait struct {
	Caller    string    `json:"caller"`    // the function, file:line that called the deletion
	Kind      string    `json:"kind"`      // "DelSync" (ShutdownSync, too), "DelAsync" or "Group"
	Goroutine uint64    `json:"goroutine"` // 0 for a DelAsync
	Since     time.Time `json:"since"`
	Age       float64   `json:"age"`
}

// A Misuse is an error for which Options.OnMisuse is called.
type Misuse struct {
	At          time.Time `json:"at"`
	Age         float64   `json:"age"`
	Kind        string    `json:"kind"`                   // "leaked", "deadlock" or "misused", as of a Finding
	Text        string    `json:"text"`                   // of the error, with the places that it names
	Timers      int       `json:"timers"`                 // that it is about; 0 of "deadlock"
	AllocatedAt string    `json:"allocated_at,omitempty"` // these timers, file:line
}

// A Site is a place at which timers were allocated: see [timerwheel.Wheel.Sites]. If
// Options.DebugEvery is more than 1, its numbers are estimates.
type Site struct {
	AllocatedAt string `json:"allocated_at"`
	Handler     string `json:"handler"`
	Live        int    `json:"live"`
	Pending     int    `json:"pending"`
}

// Stats are the Stats of the wheel.
type Stats struct {
	Live       int      `json:"live"`
	Pending    int      `json:"pending"`
	Due        int      `json:"due"`
	Running    int      `json:"running"`
	Workers    int      `json:"workers"`
	Registered uint64   `json:"registered"`
	Fired      uint64   `json:"fired"`
	Removed    uint64   `json:"removed"`
	Refused    uint64   `json:"refused"`
	SyncWaits  uint64   `json:"sync_waits"`
	Misuses    uint64   `json:"misuses"`
	MaxLate    float64  `json:"max_late"`
	SumLate    float64  `json:"sum_late"`
	MaxRun     float64  `json:"max_run"`
	SumRun     float64  `json:"sum_run"`
	Lateness   []uint64 `json:"lateness"`
	RunTime    []uint64 `json:"run_time"`
	Bytes      int64    `json:"bytes"`
}

func newReport(in *timerwheel.Inspection) *Report {
	r := &Report{
		Now:    in.Now,
		Start:  in.Start,
		Closed: in.Closed,
		Options: Options{
			Tick:       in.Options.Tick.Seconds(),
			MaxWorkers: in.Options.MaxWorkers,
			Manual:     in.Options.Manual,
			Debug:      in.Options.Debug,
			DebugEvery: in.Options.DebugEvery,
			OnPanic:    in.Options.OnPanic != nil,
			OnStall:    in.Options.OnStall != nil,
			StallAfter: in.Options.StallAfter.Seconds(),
			OnMisuse:   in.Options.OnMisuse != nil,
			OnNext:     in.Options.OnNext != nil,
		},
		Due:      in.Due,
		Held:     in.Held,
		Deferred: in.Deferred,
		Runs:     make([]Run, 0, len(in.Runs)),
		Stats:    newStats(&in.Stats),
		Misuses:  make([]Misuse, 0, len(in.Misuses)),
		Process:  thisProcess(),
	}
	if !in.DueSince.IsZero() {
		r.Overdue = age(in, in.DueSince)
	}
	if !in.Next.IsZero() {
		next := max(0, in.Next.Sub(in.Now).Seconds())
		r.Next = &next
	}
	for k := range in.Levels {
		r.Levels = append(r.Levels, newLevel(in, &in.Levels[k]))
	}
	for k := range in.Runs {
		r.Runs = append(r.Runs, newRun(in, &in.Runs[k]))
	}
	for k := range in.Misuses {
		r.Misuses = append(r.Misuses, newMisuse(in, &in.Misuses[k]))
	}
	return r
}

// newLevel computes the span in floating point, because it may exceed the range of a
// Duration. From fits into one, because it is between the wheel's start and now.
func newLevel(in *timerwheel.Inspection, l *timerwheel.LevelInfo) Level {
	return Level{
		From:   (time.Duration(l.Start)*in.Options.Tick - in.Now.Sub(in.Start)).Seconds(),
		Span:   float64(l.Span) * in.Options.Tick.Seconds(),
		Timers: l.Timers[:],
	}
}

func newRun(in *timerwheel.Inspection, r *timerwheel.RunInfo) Run {
	run := Run{
		Timer:        r.Timer.String(),
		Goroutine:    r.Goroutine,
		Handler:      r.Handler,
		Since:        r.Since,
		Age:          age(in, r.Since),
		AllocatedAt:  r.AllocatedAt,
		RegisteredAt: r.RegisteredAt,
		Waiters:      r.Waiters,
		Waits:        make([]Wait, 0, len(r.Waits)),
		WaitsFor:     append([]uint64{}, r.WaitsFor...),
	}
	for k := range r.Waits {
		run.Waits = append(run.Waits, newWait(in, &r.Waits[k]))
	}
	if r.Waiting != nil {
		waiting := newWait(in, r.Waiting)
		run.Waiting = &waiting
	}
	return run
}

func newWait(in *timerwheel.Inspection, x *timerwheel.WaitInfo) Wait {
	kind := "DelSync"
	switch {
	case x.Async:
		kind = "DelAsync"
	case x.Group:
		kind = "Group"
	}
	return Wait{Caller: x.At, Kind: kind, Goroutine: x.Goroutine, Since: x.Since, Age: age(in, x.Since)}
}

func newMisuse(in *timerwheel.Inspection, m *timerwheel.MisuseInfo) Misuse {
	kind := misused
	switch {
	case errors.Is(m.Err, timerwheel.ErrLeaked):
		kind = leaked
	case errors.Is(m.Err, timerwheel.ErrDeadlock):
		kind = deadlock
	}
	return Misuse{At: m.At, Age: age(in, m.At), Kind: kind, Text: cause(m.Err), Timers: m.Timers, AllocatedAt: m.AllocatedAt}
}

func newSites(all []timerwheel.Site) []Site {
	sites := make([]Site, len(all))
	for k, s := range all {
		sites[k] = Site(s)
	}
	return sites
}

// age returns how long ago something began. It may have begun after Inspect read the time.
func age(in *timerwheel.Inspection, since time.Time) float64 {
	return max(0, in.Now.Sub(since).Seconds())
}

func newStats(s *timerwheel.Stats) Stats {
	return Stats{
		Live:       s.Live,
		Pending:    s.Pending,
		Due:        s.Due,
		Running:    s.Running,
		Workers:    s.Workers,
		Registered: s.Registered,
		Fired:      s.Fired,
		Removed:    s.Removed,
		Refused:    s.Refused,
		SyncWaits:  s.SyncWaits,
		Misuses:    s.Misuses,
		MaxLate:    s.MaxLate.Seconds(),
		SumLate:    s.SumLate.Seconds(),
		MaxRun:     s.MaxRun.Seconds(),
		SumRun:     s.SumRun.Seconds(),
		Lateness:   s.Lateness[:],
		RunTime:    s.RunTime[:],
		Bytes:      s.Bytes,
	}
}
