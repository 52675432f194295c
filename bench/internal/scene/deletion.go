package scene

import (
	"runtime"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// deletions: what it costs that a stop waits. Package time's does not.
func deletions() []Scene {
	return []Scene{
		{Name: "stops", Works: []string{figure.DelSyncIdle, figure.DelSyncPending}, Run: stops},
		{Name: "stop of a running timer", Run: stopRunning},
	}
}

// stops compares stops that need not wait with stops that could not. Only the
// stops are timed, in turns: 10k timers are armed, then stopped.
func stops(s *Stage, r rival.Rival) {
	const n = 10_000
	r.Make(n, nothing)
	order := shuffled(n)
	kinds := map[bool]func([]uint32) int{false: r.Stop}
	if sync, can := r.(rival.SyncStopper); can {
		kinds[true] = sync.StopSync
	}
	idle := map[bool]string{false: figure.DelIdle, true: figure.DelSyncIdle}
	pending := map[bool]string{false: figure.DelPending, true: figure.DelSyncPending}
	took := map[string]time.Duration{}
	rounds := int(s.span() / time.Millisecond)
	for round := range rounds {
		for k := range 2 {
			sync := k != round%2 // that neither is always the first
			stop := kinds[sync]
			if stop == nil {
				continue
			}
			r.Rearm(order, time.Hour, 0)
			began := time.Now()
			stopped := stop(order)
			took[pending[sync]] += time.Since(began)
			if stopped != n {
				s.failf("of %d timers that were armed %d were stopped", n, stopped)
			}
			began = time.Now()
			stop(order)
			took[idle[sync]] += time.Since(began)
		}
	}
	for _, work := range []string{figure.DelIdle, figure.DelSyncIdle, figure.DelPending, figure.DelSyncPending} {
		if took[work] > 0 {
			s.report(work, figure.Nanoseconds, float64(took[work])/float64(n*rounds))
		}
	}
}

// stopRunning measures from the end of the handler to the return of the stop
// that waited for it.
func stopRunning(s *Stage, r rival.Rival) {
	sync, can := r.(rival.SyncStopper)
	if !can {
		return
	}
	begun := make(chan struct{})
	var end time.Time
	r.Make(1, func() {
		begun <- struct{}{}
		for began := time.Now(); time.Since(began) < 100*time.Microsecond; {
			runtime.Gosched() // the one who stops must come to wait
		}
		end = time.Now()
	})
	var waits figure.Samples
	for range 300 {
		r.Rearm([]uint32{0}, 0, 0)
		<-begun
		sync.StopSync([]uint32{0})
		waits = append(waits, float64(time.Since(end)))
	}
	s.report("from the end of a handler to the return of the stop that waits, median", figure.Nanoseconds, waits.Median())
}
