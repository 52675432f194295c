package scene

import (
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// drives returns the scene in which a host drives the time of a wheel, as an event loop does
// after each event, and nothing is due.
func drives() []Scene {
	return []Scene{
		{Name: "Advance", Works: []string{figure.Advance, figure.AdvanceDeep}, Run: drive},
	}
}

// drive advances a wheel by 10 µs at a time, so that a tick ends at each hundredth call. What
// is pending is a year away. It does so directly, and below a hundred more frames: a stack is
// deeper in a program than in a benchmark.
//
// The targets are nanoseconds, not ratios, so the load of the machine would count. Each figure is the least
// of many short batches: that of one that nothing disturbed.
func drive(m *Measurement, r rival.Rival) {
	d, can := r.(rival.Driver)
	if !can {
		return
	}
	driven, advance, err := d.Driven()
	if err != nil {
		m.failf("a wheel that is driven: %w", err)
		return
	}
	defer driven.Close()
	driven.AfterFunc(365*24*time.Hour, nothing)
	idle := func(n int) {
		if fired := advance(n, 10*time.Microsecond); fired != 0 {
			m.failf("%d timers were due", fired)
		}
	}
	m.least(figure.Advance, idle)
	below(100, func() { m.least(figure.AdvanceDeep, idle) })
}

// below calls f below that many frames.
//
//go:noinline
func below(frames int, f func()) {
	if frames == 0 {
		f()
		return
	}
	below(frames-1, f)
}
