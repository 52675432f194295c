package rival

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// handRolled is the wrapper that projects write around time.AfterFunc when they need a
// deletion that waits. wireguard-go's timers are the best known of this kind.
type handRolled struct {
	started []*guarded
	timers  []*guarded
	byKey   *timerMap
	closed  atomic.Bool
}

// A guarded timer has a flag that says whether its firing is still wanted, and a mutex
// that is held while its handler runs. A stop clears the flag. A stop that waits also
// locks that mutex.
type guarded struct {
	timer *time.Timer
	f     func()

	run sync.Mutex // held while the handler runs; locked before mu

	mu      sync.Mutex
	pending bool
}

func guard(f func()) *guarded {
	g := &guarded{f: f}
	g.timer = time.AfterFunc(math.MaxInt64, g.fire)
	g.timer.Stop()
	return g
}

func (g *guarded) fire() {
	g.run.Lock()
	defer g.run.Unlock()
	if g.clear() {
		g.f()
	}
}

// clear clears the flag and reports whether it was set.
func (g *guarded) clear() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.pending
	g.pending = false
	return was
}

func (g *guarded) isPending() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pending
}

func (g *guarded) arm(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending = true
	g.timer.Reset(d)
}

func (g *guarded) stop() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.pending
	g.pending = false
	g.timer.Stop()
	return was
}

// stopSync stops the timer twice: before the wait, so that the handler does not run
// again, and after it, because the handler may have armed its timer.
func (g *guarded) stopSync() bool {
	was := g.stop()
	g.run.Lock()
	defer g.run.Unlock()
	return g.stop() || was
}

func newHandRolled(time.Duration) (Rival, error) { return new(handRolled), nil }

func (r *handRolled) start(d time.Duration, f func()) *guarded {
	g := guard(f)
	g.arm(d)
	return g
}

func (r *handRolled) AfterFunc(d time.Duration, f func()) { r.start(d, f) }

func (r *handRolled) StartStop(n int, d time.Duration, f func()) (stopped int) {
	for range n {
		if r.start(d, f).stop() {
			stopped++
		}
	}
	return stopped
}

func (r *handRolled) StartAll(n int, d time.Duration) {
	r.started = make([]*guarded, n)
	for k := range r.started {
		r.started[k] = r.start(d, nothing)
	}
}

func (r *handRolled) StopAll() (stopped int) {
	for _, g := range r.started {
		if g.stop() {
			stopped++
		}
	}
	r.started = nil
	return stopped
}

func (r *handRolled) Make(n int, f func()) {
	r.timers = make([]*guarded, n)
	for k := range r.timers {
		r.timers[k] = guard(f)
	}
}

func (r *handRolled) Rearm(order []uint32, d, step time.Duration) time.Duration {
	for _, k := range order {
		r.timers[k].arm(d)
		d += step
	}
	return d
}

func (r *handRolled) ArmStop(n int, d time.Duration) {
	g := r.timers[0]
	for range n {
		g.arm(d)
		g.stop()
	}
}

func (r *handRolled) Stop(order []uint32) (stopped int) {
	for _, k := range order {
		if r.timers[k].stop() {
			stopped++
		}
	}
	return stopped
}

func (r *handRolled) StopSync(order []uint32) (stopped int) {
	for _, k := range order {
		if r.timers[k].stopSync() {
			stopped++
		}
	}
	return stopped
}

func (r *handRolled) Every(period time.Duration, f func()) {
	var g *guarded
	g = guard(func() {
		if !r.closed.Load() {
			f()
			g.arm(period)
		}
	})
	g.arm(period)
}

// A timerMap is what projects write to find timers by key: a map under a mutex. Its entries
// leave it when they have fired, or were deleted.
type timerMap struct {
	f     func()
	mu    sync.Mutex // locked before those of the entries
	byKey map[uint32]*guarded
}

func (m *timerMap) set(k uint32, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.byKey[k]
	if g == nil {
		g = m.entry(k)
		m.byKey[k] = g
	}
	g.arm(d)
}

// entry makes an entry. It is not in set, where each call would allocate what the closure
// captures.
func (m *timerMap) entry(k uint32) (g *guarded) {
	g = guard(func() { m.fired(k, g) })
	return g
}

// fired removes the entry, unless it was set again, or another was set for its key.
func (m *timerMap) fired(k uint32, g *guarded) {
	m.mu.Lock()
	if m.byKey[k] == g && !g.isPending() {
		delete(m.byKey, k)
	}
	m.mu.Unlock()
	m.f()
}

func (m *timerMap) move(k uint32, d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g := m.byKey[k]; g != nil && g.isPending() {
		g.arm(d)
	}
}

func (m *timerMap) delete(k uint32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.byKey[k]
	delete(m.byKey, k)
	return g != nil && g.stop()
}

func (r *handRolled) MakeKeyed(f func()) {
	r.byKey = &timerMap{f: f, byKey: map[uint32]*guarded{}}
}

func (r *handRolled) SetKeys(keys []uint32, d time.Duration) {
	for _, k := range keys {
		r.byKey.set(k, d)
	}
}

func (r *handRolled) MoveKeys(keys []uint32, d time.Duration) {
	for _, k := range keys {
		r.byKey.move(k, d)
	}
}

func (r *handRolled) DeleteKeys(keys []uint32) (deleted int) {
	for _, k := range keys {
		if r.byKey.delete(k) {
			deleted++
		}
	}
	return deleted
}

func (r *handRolled) Another() (Rival, error) { return newHandRolled(0) }

// Close stops the timers of Make, as std's Close does.
func (r *handRolled) Close() {
	r.closed.Store(true)
	for _, g := range r.timers {
		g.stop()
	}
}
