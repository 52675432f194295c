package scene

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// idles returns the scenes that measure what a rival does while no timer is due.
func idles() []Scene {
	return []Scene{
		{Name: "idle", Cost: Once, Works: []string{figure.IdleWakeUps}, Run: idle},
		{Name: "idle after a drain", Cost: Once, Works: []string{figure.DrainedWakeUps}, Run: afterDrain},
		{Name: "drained", Works: []string{figure.Drained}, Run: drained},
	}
}

// idle measures a process with one pending timer, an hour away.
func idle(m *Measurement, r rival.Rival) {
	r.AfterFunc(time.Hour, nothing)
	used, ok := m.idle()
	if !ok {
		return
	}
	inTenSeconds := float64(10*time.Second) / float64(m.idleSpan())
	m.report(figure.IdleWakeUps, figure.Count, inTenSeconds*used.WakeUps)
	m.report("CPU in 10 s, one timer an hour away", figure.Nanoseconds, inTenSeconds*used.CPU)
}

// idleSpan returns how long a process is watched that does nothing.
func (m *Measurement) idleSpan() time.Duration {
	if m.Short {
		return 2 * time.Second
	}
	return 10 * time.Second
}

// idle returns what this process uses while it is watched.
func (m *Measurement) idle() (used Usage, ok bool) {
	used, err := m.Idle(m.idleSpan())
	if err != nil {
		m.failf("the idle process: %w", err)
	}
	return used, err == nil
}

// drained fires and stops all its timers. Every goroutine besides its own then belongs to
// the rival. Those that end have time to do so: many workers may have begun.
func drained(m *Measurement, r rival.Rival) {
	fireThousand(r)
	r.StartStop(1000, time.Minute, nothing)
	others := func() int { return runtime.NumGoroutine() - 1 }
	m.report(figure.Drained, figure.Count, float64(awaitNone(others)))
}

// awaitNone looks every millisecond until count returns 0, and returns the last count. It looks 50 times at
// most: goroutines that linger for longer are seen. On a busy machine, where they need longer, that takes longer.
func awaitNone(count func() int) (n int) {
	for range 50 {
		if n = count(); n == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return n
}

func fireThousand(r rival.Rival) {
	fired := make(chan struct{})
	for range 1000 {
		r.AfterFunc(time.Millisecond, func() { fired <- struct{}{} })
	}
	for range 1000 {
		<-fired
	}
}

// afterDrain watches a process whose timers have all fired or been stopped. Those that it has
// stopped were due in the time in which it is watched, one after the other, so each wake-up
// that was left behind is seen.
func afterDrain(m *Measurement, r rival.Rival) {
	fireThousand(r)
	for d := 1200 * time.Millisecond; d < 2800*time.Millisecond; d += 200 * time.Millisecond {
		r.StartStop(1, d, nothing)
	}
	if used, ok := m.idle(); ok {
		m.report(figure.DrainedWakeUps, figure.Count, used.Bursts)
	}
}
