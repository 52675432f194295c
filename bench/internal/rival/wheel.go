package rival

import (
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
)

// wheel is this library. It makes one-shots with AfterFunc, reused timers with Alloc, and
// those that are found by key with package keyed.
type wheel struct {
	w       *timerwheel.Wheel
	tick    time.Duration
	started []timerwheel.Timer
	timers  []timerwheel.Timer
	byKey   *keyed.Timers[uint32]

	groups  []*timerwheel.Group
	handles [][3]timerwheel.Timer
}

func newWheel(tick time.Duration) (Rival, error) {
	w, err := timerwheel.New(timerwheel.Options{Tick: tick})
	return &wheel{w: w, tick: tick}, err
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

func (r *wheel) RearmIdle(order []uint32, d time.Duration) {
	for _, k := range order {
		_ = r.timers[k].RegisterIdle(d)
	}
}

func (r *wheel) Touch(order []uint32) (pending int) {
	for _, k := range order {
		if r.timers[k].Touch() {
			pending++
		}
	}
	return pending
}

func (r *wheel) RearmWithin(order []uint32, d, step, slack time.Duration) time.Duration {
	for _, k := range order {
		_ = r.timers[k].RegisterWithin(d, slack)
		d += step
	}
	return d
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

func (r *wheel) MakeKeyed(f func()) { r.byKey = keyed.New(r.w, func(uint32) { f() }) }

func (r *wheel) SetKeys(keys []uint32, d time.Duration) {
	for _, k := range keys {
		_ = r.byKey.Set(k, d)
	}
}

func (r *wheel) MoveKeys(keys []uint32, d time.Duration) {
	for _, k := range keys {
		r.byKey.Move(k, d)
	}
}

func (r *wheel) DeleteKeys(keys []uint32) (deleted int) {
	for _, k := range keys {
		if r.byKey.Delete(k).Pending {
			deleted++
		}
	}
	return deleted
}

func (r *wheel) Connect(n int, d time.Duration, grouped bool) {
	if !grouped {
		r.handles = make([][3]timerwheel.Timer, n)
		for k := range r.handles {
			for t := range r.handles[k] {
				r.handles[k][t] = r.w.AfterFunc(d, closure(k))
			}
		}
		return
	}
	r.groups = make([]*timerwheel.Group, n)
	for k := range r.groups {
		r.groups[k] = r.w.NewGroup()
		for range 3 {
			r.groups[k].AfterFunc(d, closure(k))
		}
	}
}

func (r *wheel) Disconnect() (stopped int) {
	for _, g := range r.groups {
		if g.Del().Pending {
			stopped++
		}
	}
	stopped += disconnect(r.handles)
	r.groups, r.handles = nil, nil
	return stopped
}

func (r *wheel) Every(period time.Duration, f func()) {
	r.w.Every(period, func(timerwheel.Timer) { f() })
}

func (r *wheel) Reporting(after time.Duration, f func()) (Rival, error) {
	o := timerwheel.Options{StallAfter: after}
	if f != nil {
		o.OnStall = func(timerwheel.Stall) { f() }
	}
	w, err := timerwheel.New(o)
	return &wheel{w: w}, err
}

func (r *wheel) Driven() (Rival, func(int, time.Duration) int, error) {
	w, err := timerwheel.New(timerwheel.Options{Tick: r.tick, Manual: true})
	if err != nil {
		return nil, nil, err
	}
	now := w.Now()
	return &wheel{w: w, tick: r.tick}, func(n int, step time.Duration) (fired int) {
		for range n {
			now = now.Add(step)
			k, _ := w.Advance(now)
			fired += k
		}
		return fired
	}, nil
}

func (r *wheel) Another() (Rival, error) { return newWheel(r.tick) }

func (r *wheel) Close() { _ = r.w.Close() }

// ClosesAll marks wheel as a FullCloser.
func (r *wheel) ClosesAll() {}
