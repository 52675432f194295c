package timerwheel

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
)

// A Wheel owns timers: their storage, their time, and the goroutines that run their
// handlers. Make one with [New]; the zero Wheel is not usable. All its methods may be
// called by several goroutines at once, and by handlers.
//
// A wheel with nothing due and nothing running has no goroutine. A wheel with nothing pending
// is not woken and need not be closed: it is garbage collected. Close ([Wheel.Close]) a wheel
// that may have something pending.
type Wheel struct {
	tick       time.Duration
	hireDelay  int64 // how long due timers wait for a worker before another one comes, ns
	maxWorkers int
	manual     bool
	debug      bool
	onPanic    func(HandlerPanic)
	stallAfter time.Duration
	onStall    func(Stall)

	lookForStalls func() // called when the alarm rings; nil without an OnStall

	base        time.Time // the wheel's time 0
	shards      []*shard  // their number is a power of two
	localShards *sync.Pool
	nextLocal   atomic.Uint32 // hands shards to processors, in turns: no two have the same if that can be
	nextShard   atomic.Uint32 // hands shards to workers to begin with, in turns
	userCalls   atomic.Int32  // workers in a function of the user's that is not a handler

	mu       hook.Mutex         // locked after the locks of the shards: see sync_del.go
	alarm    *alarm             // alarm.go
	members  map[uint64]*worker // by the goroutine's number: members.go
	starting int                // goroutines that were started and are not members yet
	gone     chan struct{}      // closed when the wheel has no goroutine (deserted); nil if nothing waits for that
	workers  int                // members that count towards maxWorkers
	progress progress           // when wanted last asked
	closed   bool

	misuse misuseQueue // misuse.go
	labels sync.Map    // with Debug, of handlers: code to *label, profile.go

	// Of a Manual wheel.
	advanceLock chan struct{} // whose holder may Advance
	manualNow   atomic.Int64  // its time, ns since base
	advanced    time.Time     // its time, as Advance was given it; shards[0].mu guards it
}

// New makes a wheel. An error names the option that is wrong, and its value.
func New(o Options) (*Wheel, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	w := &Wheel{
		tick:       orDefault(o.Tick, defaultTick),
		maxWorkers: orDefault(o.MaxWorkers, defaultMaxWorkers),
		stallAfter: orDefault(o.StallAfter, defaultStallAfter),
		manual:     o.Manual,
		debug:      o.Debug,
		onPanic:    o.OnPanic,
		onStall:    o.OnStall,
		misuse:     misuseQueue{onMisuse: o.OnMisuse},
		base:       o.Start,
		alarm:      newAlarm(o.Manual),
		members:    make(map[uint64]*worker),
	}
	w.hireDelay = int64(min(w.tick/2, maxHireDelay))
	if w.base.IsZero() {
		w.base = time.Now()
	}
	n := shardCount()
	if w.manual {
		n = 1 // its handlers run in one order, in one goroutine
		w.advanceLock = make(chan struct{}, 1)
		w.advanced = w.base
	}
	for no := range n {
		w.shards = append(w.shards, newShard(w, uint32(no)))
	}
	w.localShards = new(sync.Pool)
	if w.onStall != nil {
		w.lookForStalls = w.reportStalls
	}
	return w, nil
}

// Alloc makes a timer that calls f(t) each time it fires, where t is the Timer that Alloc
// returns. It is not pending: [Timer.Register] arms it. The caller owns it, and drops the
// reference with [Timer.Free] when the timer is not needed any more. To be sure that the
// handler does not run any more either, delete it first ([Timer.DelSync],
// [Timer.ShutdownSync]).
//
// Alloc panics if f is nil. On a closed wheel the timer is valid, and its Register returns
// ErrClosed.
func (w *Wheel) Alloc(f func(Timer)) Timer { return w.alloc(nil, f) }

func (w *Wheel) alloc(g *Group, f func(Timer)) Timer {
	if f == nil {
		panic("timerwheel: Alloc with a nil handler")
	}
	if g != nil {
		return w.newOwned(g, &body{f: f, group: g})
	}
	return w.newOwned(g, f)
}

// AllocLocked makes a lock-bound timer: as Alloc, but the handler runs with l locked. The
// worker locks l before the handler and unlocks it after it, however the handler ends.
// While it waits for l the timer is pending, not running; if it is deleted or moved
// in that time, the handler does not run.
//
// So a caller that holds l finds the handler either not begun or over: [Timer.Del] while
// holding l is as good as [Timer.DelSync] is without, and DelSync while holding l never
// waits for a handler that waits for l. (It is FreeBSD's callout_init_mtx.) At most one
// worker waits for one timer's lock; it counts towards Options.MaxWorkers. Do not call
// [Wheel.Close] or [Wheel.Advance] while holding l.
//
// AllocLocked panics if l or f is nil.
func (w *Wheel) AllocLocked(l sync.Locker, f func(Timer)) Timer { return w.allocLocked(nil, l, f) }

func (w *Wheel) allocLocked(g *Group, l sync.Locker, f func(Timer)) Timer {
	if l == nil {
		panic("timerwheel: AllocLocked with a nil lock")
	}
	if f == nil {
		panic("timerwheel: AllocLocked with a nil handler")
	}
	return w.newOwned(g, &body{f: f, lock: l, group: g})
}

// newOwned makes a timer with one owner.
func (w *Wheel) newOwned(g *Group, f any) Timer {
	f = w.withOrigin(f, nil)
	sh := w.lockFor(g)
	defer sh.unlock()
	i, s := sh.newTimer(f, nil)
	s.Owners = 1
	return sh.timer(i, s)
}

// AfterFunc calls f once, in a goroutine of the wheel, when d has passed. It is Alloc,
// Register and Free in one: the timer has no owner, and it is recycled when its handler
// has returned or when it is deleted.
//
// The Timer that it returns is for deleting the timer, moving it while it is pending, or
// asking about it. It is not a time.Timer: once it has fired or was stopped it is gone for
// good, and [Timer.Reset] or [Timer.Register] arms nothing. (While f runs it is not gone,
// and they do.) To use a timer again, make it with [Wheel.Alloc].
//
// d <= 0 means now; a d too large for the clock means never. On a closed wheel AfterFunc
// returns a Timer that is not Valid. It panics if f is nil.
func (w *Wheel) AfterFunc(d time.Duration, f func()) Timer { return w.afterFunc(nil, d, f) }

func (w *Wheel) afterFunc(g *Group, d time.Duration, f func()) Timer {
	if f == nil {
		panic("timerwheel: AfterFunc with a nil handler")
	}
	if g != nil {
		return w.newPending(g, d, &body{f: f, group: g}, nil)
	}
	return w.newPending(g, d, f, nil)
}

// AfterFuncArg calls f(arg) once, in a goroutine of the wheel, when d has passed. It is
// [Wheel.AfterFunc] for a function with an argument, without the closure, and so the
// allocation, that AfterFunc would need for it. It does not allocate if f is not a fresh
// closure and arg is a pointer, or another value that converts to an interface without an
// allocation. Otherwise it allocates, as AfterFunc with a closure does.
func (w *Wheel) AfterFuncArg(d time.Duration, f func(arg any), arg any) Timer {
	return w.afterFuncArg(nil, d, f, arg)
}

func (w *Wheel) afterFuncArg(g *Group, d time.Duration, f func(any), arg any) Timer {
	if f == nil {
		panic("timerwheel: AfterFuncArg with a nil handler")
	}
	if g != nil {
		return w.newPending(g, d, &body{f: f, arg: arg, group: g}, nil)
	}
	return w.newPending(g, d, f, arg)
}

// newPending makes a timer without owners, pending; the zero Timer, if it must not be
// pending.
func (w *Wheel) newPending(g *Group, d time.Duration, f, arg any) Timer {
	f = w.withOrigin(f, arg)
	now := w.elapsed()
	sh := w.lockFor(g)
	if sh.closed || g.beingDeleted() || g.shutDown() {
		sh.counters.refused++
		sh.unlock()
		return Timer{}
	}
	i, s := sh.newTimer(f, arg)
	sh.arm(i, s, after(now, d), now)
	if sh.w.debug {
		sh.recordRegister(i, s)
	}
	t := sh.timer(i, s)
	sh.unlock()
	return t
}

// Next returns a time that is not later than the next firing, and not earlier than Now; ok
// is false when nothing pends. Advancing a Manual wheel to it ([Wheel.Advance]) fires
// something, or makes Next later. A timer with a deadline beyond the clock's range counts:
// if there is no other, Next is centuries away.
func (w *Wheel) Next() (when time.Time, ok bool) {
	next := int64(never)
	for _, sh := range w.shards {
		sh.lock()
		ok = ok || sh.counters.pending > 0
		next = min(next, sh.nextWake())
		if !sh.levels.Empty(levels.Held) || !sh.levels.Empty(levels.Deferred) {
			next = 0 // due, and in line
		}
		sh.unlock()
	}
	if !ok {
		return time.Time{}, false
	}
	if when = w.timeAt(max(next, w.elapsed())); when.Before(w.Now()) {
		when = w.Now() // centuries after Start, where a Duration does not reach
	}
	return when, true
}

// Close closes the wheel: no Register succeeds any more (ErrClosed), and what was pending
// is dropped. Close waits until the handlers in flight have ended, and with them every
// function of a DelAsync that waited for one, and all goroutines of the wheel. Owners must
// still Free their timers, or drop them together with the wheel. Closing twice is fine; the
// second call waits as well.
//
// Called by a handler, or by any other function that the wheel calls, Close cannot wait
// for its caller: it closes the wheel, and returns ErrDeadlock. Do not call Close while
// holding a lock that a handler wants, nor the lock of a lock-bound timer.
func (w *Wheel) Close() error { return w.CloseContext(context.Background()) }

// CloseContext closes the wheel as Close does, and bounds the wait: if ctx ends before the
// last goroutine of the wheel has ended, CloseContext returns the context's error. The wheel
// is closed all the same.
func (w *Wheel) CloseContext(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	for _, sh := range w.shards {
		sh.close()
	}
	if !w.manual {
		w.rearm(0)
	}
	if w.calledByMember() {
		return ErrDeadlock
	}
	err := w.awaitMembers(ctx)
	if err == nil && w.debug {
		w.reportLeaks()
	}
	return err
}
