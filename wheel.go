package timerwheel

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/seed76848005/timerwheel/internal/own"
)

// A Wheel owns timers: their storage, their time, and the goroutines that run their
// handlers. Make one with [New]; the methods of the zero Wheel, and of a nil *Wheel, panic. All
// its methods may be called by several goroutines at once, and by handlers.
//
// Like any structure that has a lock, a Wheel, and a [Group], must not be compared or printed by
// reflection (reflect.DeepEqual, testify's Equal) while it is in use: compare the pointers. A
// struct that holds Timers only may be.
//
// A wheel with nothing due and nothing running has no goroutine. A wheel with nothing pending
// is woken once more, at most, and need not be closed: it is garbage collected. Close ([Wheel.Close]) a wheel
// that may have something pending.
type Wheel struct {
	tick       time.Duration
	hireDelay  int64 // how long due timers wait for a worker before another one comes, ns
	maxWorkers int
	manual     bool
	debug      bool
	debugEvery uint64        // with debug, of so many timers one is remembered: origin.go
	debugMade  atomic.Uint64 // with debugEvery above 1, the timers that were made
	onPanic    func(HandlerPanic)
	stallAfter time.Duration
	onStall    func(Stall)

	stallStacks   int    // most goroutines of which a Stall has stacks
	lookForStalls func() // called when the alarm rings; nil without an OnStall

	shared        bool          // it is the one that Default returns
	number        uint64        // no two wheels of the program have the same
	base          time.Time     // the wheel's time 0
	settable      bool          // the wall clock may be set: clock.go
	madeAt        time.Time     // when New was called, by the caller's clock: bubble.go
	bubble        uint64        // in which bubble of testing/synctest; 0: in none
	plausible     int64         // a call at this time or later, or before 0, may come from another bubble, ns since base
	shards        []*shard      // their number is a power of two
	occupied      atomic.Uint64 // the shards that may have something for a wake-up, a bit for each
	localShards   *sync.Pool
	nextLocal     atomic.Uint32 // hands shards to processors, in turns: no two have the same if that can be
	nextShard     atomic.Uint32 // hands shards to workers to begin with, in turns
	nextGroup     atomic.Uint32 // hands shards to groups, in turns
	userCalls     atomic.Int32  // workers in a function of the user's that is not a handler
	returned      atomic.Int32  // workers that wait for a shard's lock to end a run
	hasOwn        atomic.Bool   // there have been firings of the library's own packages: own.go
	bubbleWatched atomic.Bool   // a goroutine is in hireWhenStill: hiring.go
	ownBusy       atomic.Int64  // until then the goroutine that fires these needs no other beside it, ns since base; 0: none fires

	words   [maxShards]atomic.Pointer[wordDirectory] // by shard: word.go
	perTick uint64                                   // 2^64 divided by the tick
	reach   atomic.Int64                             // the last deadline that words can have, in ticks
	noteAt  atomic.Int64                             // when words must reach further

	mu       hook.Mutex         // locked after the locks of the shards: see sync_del.go
	alarm    *alarm             // alarm.go
	members  map[uint64]*worker // by the goroutine's number: members.go
	starting int                // goroutines that were started and are not members yet
	dones    int                // functions of a DelAsync that need not wait, to be called or not over yet: done.go
	gone     chan struct{}      // closed when the wheel has no goroutine (deserted); nil if nothing waits for that
	workers  int                // members that count towards maxWorkers
	progress progress           // when wanted last asked
	closed   bool
	lines    lines          // lines.go
	stalls   stalls         // watch.go
	dumper   gostack.Dumper // of the goroutine that looks for stalls

	misuse misuseQueue // misuse.go
	labels sync.Map    // with Debug, of handlers: code to *label, profile.go

	// Of a Manual wheel.
	turn          turn          // to Advance
	manualNow     atomic.Int64  // its time, ns since base
	advanced      time.Time     // its time, as Advance was given it; shards[0].mu guards it
	advances      atomic.Uint64 // counts the Advances, up to advanceMax and again from 0: idle.go
	beforeAdvance int64         // its time before the last of them; shards[0].mu guards it
	onNext        func(when time.Time)
	untold        bool // the timer that is being armed is earlier than the host knows; shards[0].mu guards it
}

// wheelNumbers is the number of the wheel that was made last.
var wheelNumbers atomic.Uint64

// New makes a wheel. An error names the option that is wrong, and its value.
func New(o Options) (*Wheel, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	w := &Wheel{
		tick:        orDefault(o.Tick, defaultTick),
		maxWorkers:  orDefault(o.MaxWorkers, defaultMaxWorkers),
		stallAfter:  orDefault(o.StallAfter, defaultStallAfter),
		manual:      o.Manual,
		debug:       o.Debug,
		debugEvery:  uint64(orDefault(o.DebugEvery, 1)),
		onPanic:     o.OnPanic,
		onStall:     o.OnStall,
		stallStacks: orDefault(o.StallStacks, defaultStallStacks),
		stalls:      newStalls(),
		misuse:      misuseQueue{onMisuse: o.OnMisuse},
		number:      wheelNumbers.Add(1),
		base:        o.Start,
		onNext:      o.OnNext,
		members:     make(map[uint64]*worker),
	}
	w.locate()
	w.hireDelay = int64(min(w.tick/2, maxHireDelay))
	w.perTick, _ = bits.Div64(1, 0, uint64(w.tick))
	if w.base.IsZero() {
		w.base = w.madeAt
	}
	w.settable = !w.manual && hasMonotonic(w.base)
	n := shardCount()
	if w.manual {
		n = 1 // its handlers run in one order, in one goroutine
		w.turn = newTurn()
		w.advanced = w.base
	}
	w.shards = newShards(w, n)
	w.alarm = newAlarm(w)
	w.localShards = new(sync.Pool)
	if w.onStall != nil {
		w.lookForStalls = w.startLook
	}
	if w.onNext != nil {
		w.shards[0].hostAsked() // it knows that nothing pends
	}
	return w, nil
}

// made returns w, if New has made it. Each method of a Wheel calls it first.
func (w *Wheel) made() *Wheel {
	if w == nil || w.shards == nil {
		reject("timerwheel: the zero Wheel is not usable: call New")
	}
	return w
}

// Default returns the wheel that the program shares, with the zero Options. It is made at the
// first call. It is for libraries whose users hand them no wheel. It cannot be closed: Close
// returns ErrShared. With nothing pending it has no goroutine, and is woken once more, at most.
//
// In a bubble of testing/synctest Default panics: the shared wheel belongs to no bubble, and a
// test must make a wheel of its own there ([New]). So a library should take a *Wheel as an
// option, and call Default only where it is nil.
func Default() *Wheel {
	if n := bubbleOf(time.Now()); n != 0 {
		reject("timerwheel: Default " + bubbleName(n) + ": the shared wheel belongs to none; make a wheel in the bubble with New")
	}
	return sharedWheel()
}

var sharedWheel = sync.OnceValue(func() *Wheel {
	w, err := New(Options{})
	if err != nil {
		panic(err) // the zero Options are good
	}
	w.shared = true
	return w
})

// Alloc makes a timer that calls f(t) each time it fires, where t is the Timer that Alloc
// returns. It is not pending: [Timer.Register] arms it. The caller owns it, and drops the
// reference with [Timer.Free] when the timer is not needed any more. To be sure that the
// handler does not run any more either, delete it first ([Timer.DelSync],
// [Timer.ShutdownSync]).
//
// What a handler does to its goroutine does not reach the next handler: pprof labels are
// reset when it has returned. A handler that locks its goroutine to a thread for good
// (runtime.LockOSThread, to change the thread's state) ends with runtime.Goexit, which ends the
// thread as well; the wheel replaces the worker. On a Manual wheel the goroutine is Advance's
// caller, and neither holds.
//
// Alloc panics if f is nil. On a closed wheel the timer is valid, and its Register returns
// ErrClosed.
func (w *Wheel) Alloc(f func(Timer)) Timer { return w.made().alloc(nil, f) }

func (w *Wheel) alloc(g *Group, f func(Timer)) Timer {
	if f == nil {
		reject("timerwheel: Alloc with a nil handler")
	}
	return w.newOwned(g, f, nil)
}

// AllocArg makes a timer that calls f(t, arg) each time it fires. It is Alloc for a function
// with an argument, without the closure, and so the allocation, that Alloc would need for it.
// It does not allocate if f is not a fresh closure and arg is a pointer, or another value that
// converts to an interface without an allocation. AllocArg panics if f is nil.
func (w *Wheel) AllocArg(f func(t Timer, arg any), arg any) Timer {
	return w.made().allocArg(nil, f, arg)
}

func (w *Wheel) allocArg(g *Group, f func(Timer, any), arg any) Timer {
	if f == nil {
		reject("timerwheel: AllocArg with a nil handler")
	}
	return w.newOwned(g, f, arg)
}

// AllocLocked makes a lock-bound timer: as Alloc, but the handler runs with l locked. The
// worker locks l before the handler and unlocks it after it, however the handler ends.
// While it waits for l the timer is pending, not running; if it is deleted or moved
// in that time, the handler does not run.
//
// So a caller that holds l finds the handler either not begun or over: [Timer.Del] while
// holding l is as good as [Timer.DelSync] is without, and DelSync while holding l never
// waits for a handler that waits for l. (It is FreeBSD's callout_init_mtx.) Do not call
// [Wheel.Close] or [Wheel.Advance] while holding l. A handler that must call out without l
// calls [Timer.ReleaseLock] first; from then on none of this holds of it.
//
// At most one worker of the wheel waits for one lock, however many timers are bound to it;
// it counts towards Options.MaxWorkers. The others that are due stay pending, in the order in
// which their turn came, and hold up no worker. When the worker has the lock they run one
// after the other, and between two of them l is released. Two timers have the same lock if
// their l are equal (==); the RLockers of one sync.RWMutex are.
//
// AllocLocked panics if l or f is nil, or if l cannot be compared, or is not equal to itself.
func (w *Wheel) AllocLocked(l sync.Locker, f func(Timer)) Timer {
	return w.made().allocLocked(nil, l, f)
}

func (w *Wheel) allocLocked(g *Group, l sync.Locker, f func(Timer)) Timer {
	checkLock("AllocLocked", l)
	if f == nil {
		reject("timerwheel: AllocLocked with a nil handler")
	}
	return w.newOwned(g, newBoundBody(l, f), nil)
}

// newOwned makes a timer with one owner.
func (w *Wheel) newOwned(g *Group, f, arg any) Timer {
	w.checkBubble()
	f = w.withOrigin(f, arg)
	sh := w.lockFor(g, f)
	defer sh.end()
	i, s := sh.newTimer(f, arg)
	if g != nil {
		g.admit(i, s)
	}
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
func (w *Wheel) AfterFunc(d time.Duration, f func()) Timer { return w.made().afterFunc(nil, d, f) }

func (w *Wheel) afterFunc(g *Group, d time.Duration, f func()) Timer {
	if f == nil {
		reject("timerwheel: AfterFunc with a nil handler")
	}
	return w.newPending(g, d, f, nil)
}

// AfterFuncArg calls f(arg) once, in a goroutine of the wheel, when d has passed. It is
// [Wheel.AfterFunc] for a function with an argument, without the closure, and so the
// allocation, that AfterFunc would need for it. It does not allocate if f is not a fresh
// closure and arg is a pointer, or another value that converts to an interface without an
// allocation. Otherwise it allocates, as AfterFunc with a closure does.
func (w *Wheel) AfterFuncArg(d time.Duration, f func(arg any), arg any) Timer {
	return w.made().afterFuncArg(nil, d, f, arg)
}

func (w *Wheel) afterFuncArg(g *Group, d time.Duration, f func(any), arg any) Timer {
	if f == nil {
		reject("timerwheel: AfterFuncArg with a nil handler")
	}
	if x, ok := arg.(*own.Firing); ok {
		return w.afterOwn(d, f, x)
	}
	return w.newPending(g, d, f, arg)
}

// AfterFuncLocked calls f once, in a goroutine of the wheel and with l locked, when d has
// passed. It is [Wheel.AllocLocked], Register and Free in one: the worker locks l before f and
// unlocks it after it, and the Timer is as one from [Wheel.AfterFunc]. So Del while holding l
// is as good as DelSync is without: afterwards f is not running, and will not begin. (An f that
// calls [Timer.ReleaseLock] needs that Timer: store it while holding l.)
// AfterFuncLocked panics where AllocLocked does.
func (w *Wheel) AfterFuncLocked(l sync.Locker, d time.Duration, f func()) Timer {
	return w.made().afterFuncLocked(nil, l, d, f)
}

func (w *Wheel) afterFuncLocked(g *Group, l sync.Locker, d time.Duration, f func()) Timer {
	checkLock("AfterFuncLocked", l)
	if f == nil {
		reject("timerwheel: AfterFuncLocked with a nil handler")
	}
	return w.newPending(g, d, newBoundBody(l, f), nil)
}

// newPending makes a timer without owners, pending; the zero Timer, if it must not be
// pending.
func (w *Wheel) newPending(g *Group, d time.Duration, f, arg any) Timer {
	now := w.elapsed()
	if w.misplaced(now) {
		w.checkBubble()
	}
	f = w.withOrigin(f, arg)
	defer guard()
	sh := w.lockFor(g, f)
	if sh.closed || g.beingDeleted() || g.shutDown() {
		sh.counters.refused++
		sh.unlock()
		return Timer{}
	}
	i, s := sh.newTimer(f, arg)
	if g != nil {
		g.admit(i, s)
	}
	sh.arm(i, s, after(now, d), now)
	if sh.w.debug {
		sh.recordRegister(i, s)
	}
	t := sh.timer(i, s)
	sh.unlockArmed(i, s)
	return t
}

// Next returns a time that is not later than the next firing, and not earlier than Now; ok
// is false when nothing pends. Advancing a Manual wheel to it ([Wheel.Advance]) fires
// something, or makes Next later. A timer with a deadline beyond the clock's range counts:
// if there is no other, Next is centuries away. A host that sleeps until then sets
// Options.OnNext, if other goroutines register timers.
func (w *Wheel) Next() (when time.Time, ok bool) {
	w.made()
	defer guard()
	next := int64(never)
	for _, sh := range w.shards {
		sh.lock()
		ok = ok || sh.anchor().Wheel != nil
		next = min(next, sh.nextFiring())
		sh.hostAsked()
		sh.unlock()
	}
	if !ok {
		return time.Time{}, false
	}
	return w.notBeforeNow(next), true
}

// nextFiring returns a time that is not after the next firing of any kind; never, if nothing
// pends.
func (sh *shard) nextFiring() int64 {
	if !sh.levels.Empty(levels.Held) || !sh.levels.Empty(levels.Deferred) {
		return 0 // due, and in line
	}
	return min(sh.nextWake(), sh.nextOwn())
}

// Close closes the wheel: no Register succeeds any more (ErrClosed), and what was pending
// is dropped. Close waits until the handlers in flight have ended, and with them every
// function of a DelAsync that waited for one, and all goroutines of the wheel. Owners must
// still Free their timers, or drop them together with the wheel. Closing twice is fine; the
// second call waits as well. The wheel of [Default] is not closed: Close returns ErrShared.
//
// What packages stdtime and timerctx had pending goes on with package time: so a handler that
// waits for a timeout of its own wheel ends. A closed Manual wheel has no time: a Sleep returns,
// contexts end with ErrClosed as their cause, channels stay silent. The more of that pends, the
// longer Close takes.
//
// Called by a handler, or by any other function that the wheel calls, Close cannot wait
// for its caller: it closes the wheel, and returns ErrDeadlock. Do not call Close while
// holding a lock that a handler wants, nor the lock of a lock-bound timer.
func (w *Wheel) Close() error { return w.CloseContext(context.Background()) }

// CloseContext closes the wheel as Close does, and bounds the wait: if ctx ends before the
// last goroutine of the wheel has ended, CloseContext returns the context's error. The wheel
// is closed all the same.
func (w *Wheel) CloseContext(ctx context.Context) error {
	if w.made().shared {
		return ErrShared
	}
	w.checkBubble()
	checkContext(ctx)
	if panickedInLibrary() {
		crash("timerwheel: a deferred Close would wait for a lock that a panic has left held")
	}
	defer guard()
	w.handOver(w.closeShards())
	if w.calledByMember() {
		return ErrDeadlock
	}
	err := w.awaitMembers(ctx)
	if err == nil && w.debug {
		w.reportLeaks()
	}
	return err
}

// closeShards refuses all Registers from now on, drops what is pending, and returns what must be
// handed over.
func (w *Wheel) closeShards() (orphans []orphan) {
	defer crashOnPanic()
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	for _, sh := range w.shards {
		orphans = append(orphans, sh.close()...)
	}
	if !w.manual {
		w.rearm(0)
	}
	return orphans
}
