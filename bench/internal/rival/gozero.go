package rival

import (
	"sync/atomic"
	"time"

	"github.com/zeromicro/go-zero/core/collection"
)

// goZero is the timing wheel of go-zero: one goroutine that receives every call
// through a channel, and timers with keys instead of handles. It does not report
// whether a removal found a task, and it has no deletion that waits.
type goZero struct {
	w       *collection.TimingWheel
	tick    time.Duration
	keys    atomic.Uint64 // the last key of a one-shot; the keys of reused timers are lower
	started uint64        // the first key of StartAll
	f       func()
	closed  atomic.Bool
}

// buckets is the size of its one level, numSlots of go-zero. It visits a timer that is
// further away once in each revolution.
const buckets = 4096

func newGoZero(tick time.Duration) (Rival, error) {
	if tick == 0 {
		tick = time.Millisecond
	}
	r := &goZero{tick: tick}
	r.keys.Store(1 << 32)
	var err error
	r.w, err = collection.NewTimingWheel(tick, buckets, func(_, f any) { f.(func())() })
	return r, err
}

func (r *goZero) AfterFunc(d time.Duration, f func()) { _ = r.w.SetTimer(r.keys.Add(1), f, d) }

// StartStop assumes that each removal succeeds, because go-zero does not report it.
func (r *goZero) StartStop(n int, d time.Duration, f func()) int {
	for range n {
		key := r.keys.Add(1)
		_ = r.w.SetTimer(key, f, d)
		_ = r.w.RemoveTimer(key)
	}
	return n
}

func (r *goZero) StartAll(n int, d time.Duration) {
	r.started = r.keys.Add(uint64(n)) + 1 - uint64(n)
	for k := range uint64(n) {
		_ = r.w.SetTimer(r.started+k, nothing, d)
	}
}

func (r *goZero) StopAll() int {
	last := r.keys.Load()
	for key := r.started; key <= last; key++ {
		_ = r.w.RemoveTimer(key)
	}
	return int(last + 1 - r.started)
}

func (r *goZero) Make(_ int, f func()) { r.f = f }

func (r *goZero) Rearm(order []uint32, d, step time.Duration) time.Duration {
	for _, k := range order {
		_ = r.w.SetTimer(uint64(k), r.f, d)
		d += step
	}
	return d
}

func (r *goZero) ArmStop(n int, d time.Duration) {
	for range n {
		_ = r.w.SetTimer(uint64(0), r.f, d)
		_ = r.w.RemoveTimer(uint64(0))
	}
}

func (r *goZero) Stop(order []uint32) int {
	for _, k := range order {
		_ = r.w.RemoveTimer(uint64(k))
	}
	return len(order)
}

func (r *goZero) MakeKeyed(f func()) { r.f = f }

func (r *goZero) SetKeys(keys []uint32, d time.Duration) {
	for _, k := range keys {
		_ = r.w.SetTimer(k, r.f, d)
	}
}

func (r *goZero) MoveKeys(keys []uint32, d time.Duration) {
	for _, k := range keys {
		_ = r.w.MoveTimer(k, d)
	}
}

func (r *goZero) DeleteKeys(keys []uint32) int {
	for _, k := range keys {
		_ = r.w.RemoveTimer(k)
	}
	return len(keys)
}

func (r *goZero) Every(period time.Duration, f func()) {
	key := r.keys.Add(1)
	var again func()
	again = func() {
		if !r.closed.Load() {
			f()
			_ = r.w.SetTimer(key, again, period)
		}
	}
	_ = r.w.SetTimer(key, again, period)
}

func (r *goZero) Another() (Rival, error) { return newGoZero(r.tick) }

func (r *goZero) Close() {
	r.closed.Store(true)
	r.w.Stop()
}

// ClosesAll marks goZero as a FullCloser.
func (r *goZero) ClosesAll() {}
