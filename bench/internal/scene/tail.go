package scene

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// tails: how long a single start and stop can take while the rival is busy with a
// million others. The median of a fast path says nothing about that.
func tails() []Scene {
	return []Scene{
		{Name: "start+stop in a storm", Cost: Dear, Works: []string{figure.StormSlowest, figure.StormTail}, Run: tailInStorm},
		{Name: "start+stop in a cascade", Cost: Dear, Run: tailInCascade},
	}
}

// tailInStorm starts and stops while a million timers fall due within 300 ms,
// until the last of them has fired.
func tailInStorm(s *Stage, r rival.Rival) {
	const width = 300 * time.Millisecond
	lead := lead(r)
	var fired atomic.Int64
	began := time.Now()
	for range million {
		r.AfterFunc(time.Until(began.Add(lead))+rand.N(width), func() { fired.Add(1) })
	}
	if took := time.Since(began); took > lead {
		s.failf("it took %v to arm them: the first were due before that", took)
	}
	time.Sleep(time.Until(began.Add(lead - 10*time.Millisecond)))
	p := newProbe(r)
	p.until(func() bool { return fired.Load() == million })
	s.tail("storm", p)
	s.report("a storm of 1M due within 300 ms, until the last has fired", figure.Nanoseconds, float64(time.Since(began.Add(lead))))
}

// tailInCascade starts and stops while a wheel moves a million timers from one
// slot of a higher level to a lower one: with ticks of 1 ms that is due at 4,096
// ms. None of them fires meanwhile. Rivals without levels have the same million
// pending.
func tailInCascade(s *Stage, r rival.Rival) {
	const lead, width = 4096 * time.Millisecond, 100 * time.Millisecond
	began := time.Now() // the wheel was made just before
	for range million {
		r.AfterFunc(time.Until(began.Add(lead+2*time.Second))+rand.N(time.Second), nothing)
	}
	if time.Since(began) > lead-width {
		return // it has no levels, and cannot even arm them by then
	}
	time.Sleep(time.Until(began.Add(lead - width)))
	p := newProbe(r)
	p.until(func() bool { return time.Since(began) > lead+3*width })
	s.tail("cascade", p)
}

func (s *Stage) tail(where string, p *probe) {
	s.report("start+stop in a "+where+", slowest", figure.Nanoseconds, p.took.Quantile(1))
	s.report("start+stop in a "+where+", p99.9", figure.Nanoseconds, p.took.Quantile(0.999))
	s.report("start+stop in a "+where+", median", figure.Nanoseconds, p.took.Median())
	s.curve("start+stop in a "+where, p.took, 0.5, 0.9, 0.99, 0.999, 0.9999, 1)
}

// A probe times single starts and stops. It has the clock's cost in each, as
// every rival's probe has, and the scheduler's delays, as every caller has.
type probe struct {
	r    rival.Rival
	took figure.Samples
}

// newProbe makes a probe that has room for what it finds: it must not have to
// grow meanwhile.
func newProbe(r rival.Rival) *probe { return &probe{r, make(figure.Samples, 0, 8*million)} }

func (p *probe) until(over func() bool) {
	for !over() && len(p.took) < cap(p.took) {
		began := time.Now()
		p.r.StartStop(1, time.Minute, nothing)
		p.took = append(p.took, float64(time.Since(began)))
	}
}
