package rival

import (
	"math"
	"sync/atomic"
	"time"
)

// std is package time. It has no tick.
type std struct {
	started []*time.Timer
	timers  []*time.Timer
	handles [][3]*time.Timer

	closed atomic.Bool
}

func newStd(time.Duration) (Rival, error) { return new(std), nil }

// AfterFunc drops the timer, as does a program that never stops it.
func (r *std) AfterFunc(d time.Duration, f func()) { time.AfterFunc(d, f) }

func (r *std) StartStop(n int, d time.Duration, f func()) (stopped int) {
	for range n {
		if time.AfterFunc(d, f).Stop() {
			stopped++
		}
	}
	return stopped
}

func (r *std) StartAll(n int, d time.Duration) {
	r.started = make([]*time.Timer, n)
	for k := range r.started {
		r.started[k] = time.AfterFunc(d, nothing)
	}
}

func (r *std) StopAll() (stopped int) {
	for _, t := range r.started {
		if t.Stop() {
			stopped++
		}
	}
	r.started = nil
	return stopped
}

func (r *std) Make(n int, f func()) {
	r.timers = make([]*time.Timer, n)
	for k := range r.timers {
		r.timers[k] = time.AfterFunc(math.MaxInt64, f)
		r.timers[k].Stop()
	}
}

func (r *std) Rearm(order []uint32, d, step time.Duration) time.Duration {
	for _, k := range order {
		r.timers[k].Reset(d)
		d += step
	}
	return d
}

func (r *std) ArmStop(n int, d time.Duration) {
	t := r.timers[0]
	for range n {
		t.Reset(d)
		t.Stop()
	}
}

func (r *std) Stop(order []uint32) (stopped int) {
	for _, k := range order {
		if r.timers[k].Stop() {
			stopped++
		}
	}
	return stopped
}

// Connect keeps the handles: package time has no groups.
func (r *std) Connect(n int, d time.Duration, _ bool) {
	r.handles = make([][3]*time.Timer, n)
	for k := range r.handles {
		for t := range r.handles[k] {
			r.handles[k][t] = time.AfterFunc(d, closure(k))
		}
	}
}

func (r *std) Disconnect() (stopped int) {
	stopped = disconnect(r.handles)
	r.handles = nil
	return stopped
}

// Every uses a timer that its handler resets. That is how package time calls periodic
// functions without a goroutine for each.
func (r *std) Every(period time.Duration, f func()) {
	var t *time.Timer
	t = time.AfterFunc(math.MaxInt64, func() {
		if !r.closed.Load() {
			f()
			t.Reset(period)
		}
	})
	t.Reset(period)
}

func (r *std) Another() (Rival, error) { return newStd(0) }

// Close stops the timers of Make. It cannot stop the others.
func (r *std) Close() {
	r.closed.Store(true)
	for _, t := range r.timers {
		t.Stop()
	}
}
