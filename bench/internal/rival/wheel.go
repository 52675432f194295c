package rival

import (
	"time"

	"github.com/seed76848005/timerwheel"
)

// wheel is this library. It makes one-shots with AfterFunc, and reused timers with
// Alloc.
type wheel struct {
	w       *timerwheel.Wheel
	started []timerwheel.Timer
	timers  []timerwheel.Timer
}

func newWheel(tick time.Duration) (Rival, error) {
	w, err := timerwheel.New(timerwheel.Options{Tick: tick})
	return &wheel{w: w}, err
}

func (r *wheel) AfterFunc(d time.Duration, f func()) { r.w.AfterFunc(d, f) }

func (r *wheel) StartStop(n int, d time.Duration, f func()) (stopped int) {
	for range n {
		if r.w.AfterFunc(d, f).Stop() {
			stopped++
		}
	}
	return stopped
}

func (r *wheel) StartAll(n int, d time.Duration) {
	r.started = make([]timerwheel.Timer, n)
	for k := range r.started {
		r.started[k] = r.w.AfterFunc(d, nothing)
	}
}

func (r *wheel) StopAll() (stopped int) {
	for _, t := range r.started {
		if t.Stop() {
			stopped++
		}
	}
	r.started = nil
	return stopped
}

func (r *wheel) Make(n int, f func()) {
	r.timers = make([]timerwheel.Timer, n)
	for k := range r.timers {
		r.timers[k] = r.w.Alloc(func(timerwheel.Timer) { f() })
	}
}

func (r *wheel) Rearm(order []uint32, d, step time.Duration) time.Duration {
	for _, k := range order {
		_ = r.timers[k].Register(d)
		d += step
	}
	return d
}

func (r *wheel) RearmAt(order []uint32, when time.Time, step time.Duration) time.Time {
	for _, k := range order {
		_ = r.timers[k].RegisterAt(when)
		when = when.Add(step)
	}
	return when
}

func (r *wheel) ArmStop(n int, d time.Duration) {
	t := r.timers[0]
	for range n {
		_ = t.Register(d)
		t.Del()
	}
}

func (r *wheel) Stop(order []uint32) (stopped int) {
	for _, k := range order {
		if found := r.timers[k].Del(); found.Pending {
			stopped++
		}
	}
	return stopped
}

func (r *wheel) StopSync(order []uint32) (stopped int) {
	for _, k := range order {
		if found, _ := r.timers[k].DelSync(); found.Pending {
			stopped++
		}
	}
	return stopped
}

func (r *wheel) Every(period time.Duration, f func()) {
	r.w.Every(period, func(timerwheel.Timer) { f() })
}

func (r *wheel) Close() { _ = r.w.Close() }

// ClosesAll marks wheel as a FullCloser.
func (r *wheel) ClosesAll() {}
