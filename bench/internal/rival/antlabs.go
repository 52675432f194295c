package rival

import (
	"fmt"
	"sync"
	"time"

	"github.com/antlabs/timer"
)

// antlabs is the wheel of github.com/antlabs/timer: five levels of lists, each under a mutex, and a
// goroutine that ticks. AfterFunc and Stop are its calls of these names, Every is ScheduleFunc, and
// each timer that is due gets a goroutine. Its WithMinHeap is another implementation, and is not
// compared.
//
// It is no Reuser. It has a Reset, whose comment says that it is not stable: it hangs if the timer
// stays in its bucket, because it locks that twice, and a timer that was stopped never fires again.
// It has no keys and no stop that waits.
type antlabs struct {
	w       timer.Timer
	run     sync.WaitGroup
	started []timer.TimeNoder
	timers  []timer.TimeNoder // nil unless they were armed, and not stopped since
	f       func()
	handles [][3]timer.TimeNoder
}

// antlabsTick is its only tick. It has no option for the tick or the buckets.
const antlabsTick = 10 * time.Millisecond

func newAntlabs(tick time.Duration) (Rival, error) {
	if tick != 0 && tick != antlabsTick {
		return nil, fmt.Errorf("antlabs/timer cannot have a tick of %v", tick)
	}
	r := &antlabs{w: timer.NewTimer()}
	r.run.Go(r.w.Run)
	return r, nil
}

func (r *antlabs) AfterFunc(d time.Duration, f func()) { r.w.AfterFunc(d, f) }

func (r *antlabs) StartStop(n int, d time.Duration, f func()) (stopped int) {
	for range n {
		if r.w.AfterFunc(d, f).Stop() {
			stopped++
		}
	}
	return stopped
}

func (r *antlabs) StartAll(n int, d time.Duration) {
	r.started = make([]timer.TimeNoder, n)
	for k := range r.started {
		r.started[k] = r.w.AfterFunc(d, nothing)
	}
}

func (r *antlabs) StopAll() (stopped int) {
	for _, t := range r.started {
		if t.Stop() {
			stopped++
		}
	}
	r.started = nil
	return stopped
}

func (r *antlabs) Make(n int, f func()) {
	r.timers, r.f = make([]timer.TimeNoder, n), f
}

func (r *antlabs) Rearm(order []uint32, d, step time.Duration) time.Duration {
	for _, k := range order {
		r.timers[k] = r.w.AfterFunc(d, r.f)
		d += step
	}
	return d
}

// Stop stops no timer twice. A second Stop of the library says true, and takes what is no longer
// in its list out of it: other timers are lost.
func (r *antlabs) Stop(order []uint32) (stopped int) {
	for _, k := range order {
		if t := r.timers[k]; t != nil && t.Stop() {
			stopped++
		}
		r.timers[k] = nil
	}
	return stopped
}

// Connect keeps the handles: it has no groups.
func (r *antlabs) Connect(n int, d time.Duration, _ bool) {
	r.handles = make([][3]timer.TimeNoder, n)
	for k := range r.handles {
		for t := range r.handles[k] {
			r.handles[k][t] = r.w.AfterFunc(d, closure(k))
		}
	}
}

func (r *antlabs) Disconnect() (stopped int) {
	stopped = disconnect(r.handles)
	r.handles = nil
	return stopped
}

func (r *antlabs) Every(period time.Duration, f func()) { r.w.ScheduleFunc(period, f) }

func (r *antlabs) Another() (Rival, error) { return newAntlabs(0) }

// Close waits for the goroutine that ticks, which the Stop of the library does not.
func (r *antlabs) Close() {
	r.w.Stop()
	r.run.Wait()
}

// ClosesAll marks antlabs as a FullCloser.
func (r *antlabs) ClosesAll() {}
