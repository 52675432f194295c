package scene

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// tails returns the scenes that measure how long a single start and stop can take while
// the rival is busy with a million other timers. The median of a fast path says nothing
// about that.
func tails() []Scene {
	return []Scene{
		{Name: "start+stop in a storm", Cost: Expensive, Works: []string{figure.StormSlowest, figure.StormTail}, Run: tailInStorm},
		// The levels of RussellLuo and antlabs have other sizes, so they would move nothing at this time.
		{Name: "start+stop in a cascade", Cost: Expensive, Skip: []string{"RussellLuo", "antlabs"}, Run: tailInCascade},
	}
}

// tailInStorm starts and stops timers while a million others become due within 300 ms,
// until the last of those has fired.
func tailInStorm(m *Measurement, r rival.Rival) {
	const width = 300 * time.Millisecond
	lead := lead(r)
	var fired atomic.Int64
	began := time.Now()
	for range million {
		r.AfterFunc(time.Until(began.Add(lead))+rand.N(width), func() { fired.Add(1) })
	}
	if took := time.Since(began); took > lead {
		m.failf("arming took %v: the first timers were due before it ended", took)
	}
	time.Sleep(time.Until(began.Add(lead - 10*time.Millisecond)))
	p := newProbe(r)
	probed := time.Now()
	p.until(func() bool { return fired.Load() == million })
	over := time.Now()
	m.tail("storm", p)
	m.report("a storm of 1M due within 300 ms, until the last has fired", figure.Nanoseconds, float64(over.Sub(began.Add(lead))))
	m.besideBusyLoop(r, over.Sub(probed))
}

// besideBusyLoop is the control of a storm: it starts and stops timers for as long, while a
// busy loop has the processor that the storm had. So what is slow in it is the system's and
// the runtime's. It has one loop less than processors, because the probe needs one as well.
func (m *Measurement) besideBusyLoop(r rival.Rival, span time.Duration) {
	var over atomic.Bool
	var loops sync.WaitGroup
	for range runtime.GOMAXPROCS(0) - 1 {
		loops.Go(func() {
			for !over.Load() {
			}
		})
	}
	r.AfterFunc(30*time.Second, nothing) // so that no start of a minute is the next to fire
	p := newProbe(r)
	began := time.Now()
	p.until(func() bool { return time.Since(began) > span })
	over.Store(true)
	loops.Wait()
	m.report(figure.BusySlowest, figure.Nanoseconds, p.took.Quantile(1))
}

// tailInCascade starts and stops timers while a wheel moves a million others from one
// bucket of a higher level to a lower level. With ticks of 1 ms that happens at 4,096 ms.
// None of the million fires during the measurement. Rivals without levels have the same
// million pending.
func tailInCascade(m *Measurement, r rival.Rival) {
	const lead, width = 4096 * time.Millisecond, 100 * time.Millisecond
	began := time.Now() // the wheel was made just before
	for range million {
		r.AfterFunc(time.Until(began.Add(lead+2*time.Second))+rand.N(time.Second), nothing)
	}
	if time.Since(began) > lead-width {
		return // a rival without levels that cannot arm them in time
	}
	time.Sleep(time.Until(began.Add(lead - width)))
	p := newProbe(r)
	p.until(func() bool { return time.Since(began) > lead+3*width })
	m.tail("cascade", p)
}

func (m *Measurement) tail(where string, p *probe) {
	m.report("start+stop in a "+where+", slowest", figure.Nanoseconds, p.took.Quantile(1))
	m.report("start+stop in a "+where+", p99.9", figure.Nanoseconds, p.took.Quantile(0.999))
	m.report("start+stop in a "+where+", median", figure.Nanoseconds, p.took.Median())
	m.curve("start+stop in a "+where, p.took, 0.5, 0.9, 0.99, 0.999, 0.9999, 1)
}

// A probe times single starts and stops. Each figure contains the cost of reading the
// clock, as it does for every rival, and the delays of the scheduler, as for every caller.
type probe struct {
	r    rival.Rival
	took figure.Samples
}

// newProbe makes a probe with room for all its figures, so that it does not grow while it
// measures.
func newProbe(r rival.Rival) *probe { return &probe{r, make(figure.Samples, 0, 8*million)} }

// until times starts and stops until over returns true.
func (p *probe) until(over func() bool) {
	for !over() && len(p.took) < cap(p.took) {
		began := time.Now()
		p.r.StartStop(1, time.Minute, nothing)
		p.took = append(p.took, float64(time.Since(began)))
	}
}
