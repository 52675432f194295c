package scene

import (
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// wakeUps returns the scenes in which each wake-up has one firing, with as many processors
// as a wheel may have to look at. They do not need that many processors: one thread works.
//
// In a bubble the clock moves as soon as all goroutines wait. That leaves out what the
// kernel does to wake the process.
func wakeUps() (scenes []Scene) {
	for _, procs := range []int{2, 16, 64} {
		for _, inBubble := range []bool{true, false} {
			work := figure.At(wakeUpWorks[inBubble], procs)
			s := Scene{Name: work, Procs: procs, InBubble: inBubble, Run: func(m *Measurement, r rival.Rival) {
				apart := m.span() / (30 * time.Microsecond)
				if !inBubble {
					apart = m.span() / time.Millisecond
				}
				m.lone(work, r, int(apart))
			}}
			if procs != 16 { // which has no target
				s.Works = []string{work}
			}
			scenes = append(scenes, s)
		}
	}
	return scenes
}

// wakeUpWorks holds how the names of the works begin, by whether they are measured in a
// bubble.
var wakeUpWorks = map[bool]string{true: figure.LoneInBubble, false: figure.Lone}

// lone measures the processor time of n firings that are three ticks apart: a goroutine arms
// a timer and waits until it has fired, again and again.
func (m *Measurement) lone(work string, r rival.Rival, n int) {
	const apart = 3 * time.Millisecond
	timer, fired := []uint32{0}, make(chan struct{}, 1)
	r.Make(1, func() { fired <- struct{}{} })
	began, before := time.Now(), cpu()
	for range n {
		r.Rearm(timer, apart, 0)
		<-fired
	}
	m.report(work, figure.Nanoseconds, float64(cpu()-before)/float64(n))
	if took := time.Since(began); took < time.Duration(n)*apart*9/10 {
		m.failf("%d firings that are %v apart took %v", n, apart, took)
	}
}
