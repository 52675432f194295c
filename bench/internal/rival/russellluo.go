package rival

import (
	"fmt"
	"time"

	"github.com/RussellLuo/timingwheel"
)

// russellLuo is github.com/RussellLuo/timingwheel: wheels in levels, each bucket a list under a
// mutex, and a heap of the buckets that have timers. AfterFunc and Stop are its calls of these
// names, Every is ScheduleFunc, and each task that is due gets a goroutine.
//
// Its timers are one-shots that cannot be moved or used again, so it is no Reuser. It has no keys
// and no stop that waits.
type russellLuo struct {
	w       *timingwheel.TimingWheel
	tick    time.Duration
	started []*timingwheel.Timer
	timers  []*timingwheel.Timer // nil until they are armed
	f       func()
	handles [][3]*timingwheel.Timer
}

// wheelSize is how many buckets each of its levels has. The examples of its documentation have 20,
// with which a timer moves down more levels, and a firing takes longer. With many more an empty wheel
// grows, and a firing gains nothing.
const wheelSize = 512

// newRussellLuo returns an error for a tick of less than a millisecond, for which the library
// panics.
func newRussellLuo(tick time.Duration) (Rival, error) {
	if tick == 0 {
		tick = time.Millisecond
	}
	if tick < time.Millisecond {
		return nil, fmt.Errorf("RussellLuo/timingwheel cannot have a tick of %v", tick)
	}
	r := &russellLuo{w: timingwheel.NewTimingWheel(tick, wheelSize), tick: tick}
	r.w.Start()
	return r, nil
}

func (r *russellLuo) AfterFunc(d time.Duration, f func()) { r.w.AfterFunc(d, f) }

func (r *russellLuo) StartStop(n int, d time.Duration, f func()) (stopped int) {
	for range n {
		if r.w.AfterFunc(d, f).Stop() {
			stopped++
		}
	}
	return stopped
}

func (r *russellLuo) StartAll(n int, d time.Duration) {
	r.started = make([]*timingwheel.Timer, n)
	for k := range r.started {
		r.started[k] = r.w.AfterFunc(d, nothing)
	}
}

func (r *russellLuo) StopAll() (stopped int) {
	for _, t := range r.started {
		if t.Stop() {
			stopped++
		}
	}
	r.started = nil
	return stopped
}

func (r *russellLuo) Make(n int, f func()) {
	r.timers, r.f = make([]*timingwheel.Timer, n), f
}

func (r *russellLuo) Rearm(order []uint32, d, step time.Duration) time.Duration {
	for _, k := range order {
		r.timers[k] = r.w.AfterFunc(d, r.f)
		d += step
	}
	return d
}

func (r *russellLuo) Stop(order []uint32) (stopped int) {
	for _, k := range order {
		if t := r.timers[k]; t != nil && t.Stop() {
			stopped++
		}
	}
	return stopped
}

// Connect keeps the handles: it has no groups.
func (r *russellLuo) Connect(n int, d time.Duration, _ bool) {
	r.handles = make([][3]*timingwheel.Timer, n)
	for k := range r.handles {
		for t := range r.handles[k] {
			r.handles[k][t] = r.w.AfterFunc(d, closure(k))
		}
	}
}

func (r *russellLuo) Disconnect() (stopped int) {
	stopped = disconnect(r.handles)
	r.handles = nil
	return stopped
}

func (r *russellLuo) Every(period time.Duration, f func()) { r.w.ScheduleFunc(every(period), f) }

// every is a schedule with a constant period.
type every time.Duration

func (e every) Next(last time.Time) time.Time { return last.Add(time.Duration(e)) }

func (r *russellLuo) Another() (Rival, error) { return newRussellLuo(r.tick) }

func (r *russellLuo) Close() { r.w.Stop() }

// ClosesAll marks russellLuo as a FullCloser.
func (r *russellLuo) ClosesAll() {}
