package scene

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// deletions returns the scenes that show what the wait of a stop costs. Stop of package
// time does not wait.
func deletions() []Scene {
	return []Scene{
		// A second stop of a timer damages the lists of antlabs.
		{Name: "stops", Works: []string{figure.DelSyncIdle, figure.DelSyncPending}, Skip: []string{"antlabs"}, Run: stops},
		{Name: "stop of a running timer", Run: stopRunning},
	}
}

// stops compares StopSync where it need not wait with Stop, which cannot wait. It arms
// and stops 10k timers, in turns with the one and the other, and times only the stops.
func stops(m *Measurement, r rival.Rival) {
	const n = 10_000
	r.Make(n, nothing)
	order := shuffled(n)
	stops := map[bool]func([]uint32) int{false: r.Stop} // by whether it can wait
	if sync, can := r.(rival.SyncStopper); can {
		stops[true] = sync.StopSync
	}
	idle := map[bool]string{false: figure.DelIdle, true: figure.DelSyncIdle}
	pending := map[bool]string{false: figure.DelPending, true: figure.DelSyncPending}
	took := map[string]time.Duration{}
	rounds := int(m.span() / time.Millisecond)
	for round := range rounds {
		for k := range 2 {
			sync := k != round%2 // so that neither is always the first
			stop := stops[sync]
			if stop == nil {
				continue
			}
			r.Rearm(order, time.Hour, 0)
			began := time.Now()
			stopped := stop(order)
			took[pending[sync]] += time.Since(began)
			if stopped != n {
				m.failf("%d of %d armed timers were stopped", stopped, n)
			}
			began = time.Now()
			stop(order)
			took[idle[sync]] += time.Since(began)
		}
	}
	for _, work := range []string{figure.DelIdle, figure.DelSyncIdle, figure.DelPending, figure.DelSyncPending} {
		if took[work] > 0 {
			m.report(work, figure.Nanoseconds, float64(took[work])/float64(n*rounds))
		}
	}
}

// stopRunning measures the time from the end of a handler to the return of the StopSync
// that waited for it.
func stopRunning(m *Measurement, r rival.Rival) {
	sync, can := r.(rival.SyncStopper)
	if !can {
		return
	}
	begun := make(chan struct{})
	var end time.Time
	r.Make(1, func() {
		begun <- struct{}{}
		for began := time.Now(); time.Since(began) < 100*time.Microsecond; {
			runtime.Gosched() // StopSync must begin to wait before the handler ends
		}
		end = time.Now()
	})
	var delays figure.Samples
	for range 300 {
		r.Rearm([]uint32{0}, 0, 0)
		<-begun
		sync.StopSync([]uint32{0})
		delays = append(delays, float64(time.Since(end)))
	}
	m.report("from the end of a handler to the return of the stop that waits, median", figure.Nanoseconds, delays.Median())
}
