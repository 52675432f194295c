package timerwheel

import (
	"context"
	"fmt"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A Wheel owns timers: their storage, their time, and the goroutines that run their
// handlers. Make one with [New]; the zero Wheel is of no use. All its methods may be called
// by several goroutines at once, and by handlers.
//
// While nothing is to be done a wheel has no goroutine, and while nothing pends
// no wake-up: a wheel that is not needed any more can be forgotten. [Wheel.Close]
// ends one that may have something pending.
type Wheel struct {
	tick       time.Duration
	hireDelay  int64 // how long due timers wait for a worker before another one comes, ns
	maxWorkers int
	manual     bool
	debug      bool
	onPanic    func(HandlerPanic)
	onStall    func(Stall)
	stallAfter time.Duration

	base        time.Time // the wheel's time 0
	shards      []*shard  // their number is a power of two
	localShards *sync.Pool
	nextLocal   atomic.Uint32 // draws shards for processors, in turns: no two have the same if that can be
	nextShard   atomic.Uint32 // draws shards for workers to begin with, in turns
	outside     atomic.Int32  // workers in a function of the user's that is no handler

	mu       mutex              // comes after the locks of the shards: see sync_del.go
	alarm    *alarm             // alarm.go
	members  map[uint64]*worker // crew.go
	starting int                // goroutines that were sent and have not joined the crew yet
	gone     chan struct{}      // closed when the crew is empty; nil if nobody waits for that
	workers  int                // members of the crew that count as one of maxWorkers
	progress progress           // when wanted last asked
	closed   bool

	onMisuse        func(error)
	misuseReports   []error // for onMisuse
	reportingMisuse bool    // somebody tells it of them
	leaksReported   bool    // with Debug, when the wheel had come to its end

	labels sync.Map // with Debug, of handlers: code to *badge

	// Of a Manual wheel.
	turn      chan struct{} // whose holder may Advance
	manualNow atomic.Int64  // its time, ns since base
	advanced  time.Time     // its time, as Advance was given it; shards[0].mu guards it
}

// Options are the choices that New takes. The zero Options make a good wheel.
type Options struct {
	// Tick is the granularity of the wheel: a handler starts at the end of the
	// tick in which its deadline lies. 0 means 1ms; below 1µs or above 1h is an
	// error.
	Tick time.Duration

	// MaxWorkers is the most handlers that run at once, or wait for the lock that
	// they are bound to; further due timers wait, and can still be deleted. 0
	// means 256; negative is an error. Workers come when they are needed: where
	// handlers take a few microseconds, one for each processor is enough; where
	// they block or take longer, there are as many as there are due timers.
	MaxWorkers int

	// Manual makes a wheel without a goroutine and without a clock: the host
	// drives its time with [Wheel.Advance].
	Manual bool

	// Start is a Manual wheel's first Now; the zero Time means time.Now(). On a
	// wheel that is not Manual it is an error.
	Start time.Time

	// OnPanic is called with what a handler panicked with, on the worker, which
	// goes on afterwards; by then the timer is not running any more, and
	// deletions that waited for it have returned. If it is nil, a handler's panic
	// crashes the program, with the handler's own trace. It does not cover the
	// other functions that the wheel calls: OnPanic itself, OnStall, the done of
	// a DelAsync, a timer's lock.
	OnPanic func(HandlerPanic)

	// StallAfter says, with OnStall, after what time a handler or a waiting
	// deletion has stalled. 0 means 1s; negative is an error.
	StallAfter time.Duration

	// OnStall is called, once a run and once a wait, for a handler that runs, or
	// a deletion that waits, for longer than StallAfter. It has a goroutine of
	// its own and may block or call anything. On a Manual wheel it is an error.
	OnStall func(Stall)

	// Debug makes the wheel remember where each timer was allocated, registered,
	// deleted and freed, for Stall, HandlerPanic and the errors of misuse; of
	// timers that are gone it remembers the last 4096, in about a megabyte. The
	// ErrDeadlock of a deletion names the handlers that would wait for each other. And
	// profiles show which timer spends the time: while a goroutine of the wheel runs
	// a handler it has the pprof label "timer" and no other, the name of the
	// handler's function (on a Manual wheel it is the host's, and keeps its labels),
	// and an execution trace (runtime/trace) has a region of that name, with the
	// Timer logged in it.
	//
	// It costs two allocations of together 370 bytes a timer, half a microsecond
	// for each call that makes, registers, deletes or frees one, and a tenth of a
	// microsecond a run (go test -run '^$' -bench Debug .). Without it none of that
	// costs anything.
	Debug bool

	// OnMisuse is called, with Debug, for each misuse, whether its caller looks at
	// the error or not: with ErrStale, wrapped, for a Register (RegisterAt, Reduce,
	// Reset), Retain or Free of a timer that is gone; with ErrFreed for a Free too
	// many of one that is not; and with ErrLeaked for timers that still have an
	// owner when the first Close or Shutdown returns nil, once for each place at
	// which such were allocated. The error says where the timer was allocated,
	// where it was freed or how else it ended, and where it was used after that;
	// it is the one that the call returns. To delete a timer that is gone is no
	// misuse, nor is any use of the zero Timer.
	//
	// OnMisuse is called for one error after the other, on a goroutine of its own;
	// on a Manual wheel in that of the caller, or of another whose call was a misuse
	// at the same time, before the call returns. For ErrLeaked it is called in the
	// goroutine of Close or Shutdown, on any wheel, which returns after it, whatever
	// its context. It may block or call anything. While it blocks 64 errors wait for
	// it, further ones are only counted (Stats.Misuses), and so are the places of
	// leaks after the 64 worst. Without Debug it is an error.
	OnMisuse func(error)
}

const (
	defaultTick       = time.Millisecond
	minTick           = time.Microsecond
	maxTick           = time.Hour
	defaultMaxWorkers = 256
	defaultStallAfter = time.Second
	maxHireDelay      = time.Millisecond
	maxShards         = 1 << shardBits
)

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
		onMisuse:   o.OnMisuse,
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
		w.turn = make(chan struct{}, 1)
		w.advanced = w.base
	}
	for no := range n {
		w.shards = append(w.shards, newShard(w, uint32(no)))
	}
	w.localShards = new(sync.Pool)
	return w, nil
}

func (o *Options) check() error {
	switch {
	case o.Tick != 0 && (o.Tick < minTick || o.Tick > maxTick):
		return fmt.Errorf("timerwheel: Options.Tick is %v, not between %v and %v", o.Tick, minTick, maxTick)
	case o.MaxWorkers < 0:
		return fmt.Errorf("timerwheel: Options.MaxWorkers is %d, which is negative", o.MaxWorkers)
	case o.StallAfter < 0:
		return fmt.Errorf("timerwheel: Options.StallAfter is %v, which is negative", o.StallAfter)
	case o.Manual && o.OnStall != nil:
		return fmt.Errorf("timerwheel: Options.OnStall is set (%T) on a Manual wheel, which has no goroutine to call it", o.OnStall)
	case o.OnMisuse != nil && !o.Debug:
		return fmt.Errorf("timerwheel: Options.OnMisuse is set (%T) without Options.Debug, which knows what to tell it", o.OnMisuse)
	case !o.Manual && !o.Start.IsZero():
		return fmt.Errorf("timerwheel: Options.Start is %v on a wheel that is not Manual", o.Start)
	}
	return nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// shardCount is as many shards as there are processors, rounded up.
func shardCount() int {
	return min(1<<bits.Len(uint(runtime.GOMAXPROCS(0)-1)), maxShards)
}

// A nearness is what the pool of a wheel remembers for a processor: the shard
// that it takes its timers from. It does not know the wheel, because the
// runtime may remember a pool for longer than the wheel lives.
type localShard struct{ shard atomic.Uint32 }

// home returns what is remembered for this processor. The pool knows processors,
// and costs 8 ns.
func (w *Wheel) local() *localShard {
	n, _ := w.localShards.Get().(*localShard)
	if n == nil {
		n = new(localShard)
		n.shard.Store(w.nextLocal.Add(1) & uint32(len(w.shards)-1))
	}
	w.localShards.Put(n)
	return n
}

// pick chooses the shard for a new timer: the same for the same processor, as
// far as that can be had, so that processors do not get into each other's way.
func (w *Wheel) pickShard() *shard { return w.shards[w.local().shard.Load()] }

// lockNear locks the shard that pick would choose.
func (w *Wheel) lockLocal() *shard {
	if len(w.shards) == 1 {
		w.shards[0].lock()
		return w.shards[0]
	}
	n := w.local()
	sh := w.shards[n.shard.Load()]
	sh.lock()
	if sh.lastUser != n {
		sh.noteUser(n)
	}
	return sh
}

// mostGuests is how often two processors may take turns with one shard.
const maxUserChanges = 16

// receive notes that another processor than before takes timers from this shard.
// As the pool forgets what it was given, and then each draws anew, two may have
// come to have the same. When they have taken turns for a while, one of them moves
// on to the next ("start+stop, 1M pending, 2 procs" of bench/ takes twice as long
// in every fourth round without that).
func (sh *shard) noteUser(n *localShard) {
	sh.lastUser = n
	if sh.userChanges++; sh.userChanges%maxUserChanges == 0 {
		n.shard.Store((sh.no + 1) & uint32(len(sh.w.shards)-1))
	}
}

// lockFor locks the shard for a new timer of the group, or of none.
func (w *Wheel) lockFor(g *Group) *shard {
	if g != nil {
		g.sh.lock()
		if !g.sh.reserve() {
			g.sh.unlock()
			panic(fmt.Sprintf("timerwheel: more than %d timers in the shard of a group", maxSlots))
		}
		return g.sh
	}
	sh := w.lockLocal()
	for range w.shards {
		if sh.reserve() {
			return sh
		}
		sh.unlock()
		sh = w.shards[(int(sh.no)+1)&(len(w.shards)-1)]
		sh.lock()
	}
	sh.unlock()
	panic(fmt.Sprintf("timerwheel: more than %d timers", len(w.shards)*maxSlots))
}

// Alloc makes a timer that calls f(t), where t is the Timer that Alloc returns,
// each time it fires. It is not pending: [Timer.Register] arms it. The caller
// owns it, and gives up the reference with [Timer.Free] when the timer is not
// needed any more; to be sure that the handler does not run any more either, delete it
// first ([Timer.DelSync], [Timer.Shutdown]).
//
// Alloc panics if f is nil. On a closed wheel the timer is valid, and its
// Register says ErrClosed.
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

// AllocLocked makes a lock-bound timer: it is what Alloc makes, but its handler
// runs with l locked. The worker locks l before the handler and unlocks it
// after it, however the handler ends. While it waits for l the timer is pending,
// not running; if it is deleted or moved meanwhile, the handler does not run.
//
// So to whoever holds l the handler is either not begun or over: [Timer.Del] while
// holding l is as good as [Timer.DelSync] is without, and DelSync while holding
// l never waits for a handler that waits for l. (It is FreeBSD's
// callout_init_mtx.) At most one worker waits for one timer's lock; it counts as
// one of Options.MaxWorkers. Do not call [Wheel.Close] or [Wheel.Advance] while
// holding l.
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

// own makes a timer with one owner.
func (w *Wheel) newOwned(g *Group, f any) Timer {
	f = w.withOrigin(f, nil)
	sh := w.lockFor(g)
	defer sh.unlock()
	i, s := sh.newTimer(f, nil)
	s.owners = 1
	return sh.timer(i, s)
}

// AfterFunc calls f once, in a goroutine of the wheel, when d has passed. It is
// Alloc, Register and Free in one: nobody owns the timer, and it is recycled
// when its handler has returned or when it is deleted.
//
// The Timer that it returns is for deleting it, moving it while it is pending,
// or asking after it. It is not a time.Timer: once it has fired or was stopped
// it is gone for good, and [Timer.Reset] or [Timer.Register] arms nothing. (While
// f runs it is not gone, and they do.) What is to be used again is made by
// [Wheel.Alloc].
//
// d <= 0 means now; too large a d means never. On a closed wheel AfterFunc
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

// AfterFuncArg is [Wheel.AfterFunc] for a function that takes an argument: it
// calls f(arg). Where AfterFunc would need a closure for that, which is an
// allocation, this needs none, if f is no closure made for the call, and arg is a
// pointer or fits into an interface without an allocation otherwise. Else it is
// as AfterFunc.
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

// start makes a timer without owners, pending; the zero Timer, if it must not
// be pending.
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

// Now returns the wheel's time: the time at which it was made plus what has
// passed by the monotonic clock; or, of a Manual wheel, the time that it was
// advanced to.
func (w *Wheel) Now() time.Time {
	if !w.manual {
		return w.timeAt(w.elapsed())
	}
	w.shards[0].lock()
	defer w.shards[0].unlock()
	return w.advanced
}

// elapsed returns the wheel's time in ns since its base. It never comes to
// never.
func (w *Wheel) elapsed() int64 {
	if w.manual {
		return w.manualNow.Load()
	}
	return min(int64(time.Since(w.base)), never-1)
}

// since returns a time in ns since the wheel's base; never, if it is too far
// away.
func (w *Wheel) since(t time.Time) int64 { return int64(t.Sub(w.base)) }

// timeAt is the reverse of since.
func (w *Wheel) timeAt(at int64) time.Time { return w.base.Add(time.Duration(at)) }

// Next returns a time that is not later than the next firing, and not earlier
// than Now; ok is false when nothing pends. To [Wheel.Advance] a Manual wheel to
// it fires something, or makes Next later. A timer that is too far away for the
// clock counts, and makes it centuries away.
func (w *Wheel) Next() (when time.Time, ok bool) {
	next := int64(never)
	for _, sh := range w.shards {
		sh.lock()
		ok = ok || sh.counters.pending > 0
		next = min(next, sh.nextWake())
		if sh.levels.tails[listHeld] != 0 || sh.levels.tails[listDeferred] != 0 {
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

// Close closes the wheel: no Register succeeds any more (ErrClosed), what was
// pending is dropped, and Close waits until the handlers in flight have ended,
// and with them every function of a DelAsync that waited for one, and all
// goroutines of the wheel.
// Owners still Free their timers, or forget them with the wheel. Closing twice
// is fine; the second waits as well.
//
// Called by a handler, or by any other function that the wheel calls, Close
// cannot wait for its caller: it closes the wheel, and returns ErrDeadlock. Do
// not call Close while holding a lock that a handler wants, nor the lock of a
// lock-bound timer.
func (w *Wheel) Close() error { return w.CloseContext(context.Background()) }

// Shutdown is Close with an end to its patience: if ctx ends before the last
// goroutine of the wheel has, it returns the context's error. The wheel is
// closed nevertheless.
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
	if wk, _ := w.member(); wk != nil {
		return ErrDeadlock
	}
	err := w.awaitMembers(ctx)
	if err == nil && w.debug {
		w.reportLeaks()
	}
	return err
}

// close drops all that is pending. First it drops the lists, all at once, and
// then the timers, chunk after chunk, as they lie in the memory: to take each out
// of its list, in the lists' order, costs several times as much (BenchmarkClose).
// While it lets go of the lock no timer becomes pending.
func (sh *shard) close() {
	sh.lock()
	defer sh.unlock()
	sh.closed = true
	sh.levels = newLevels(sh.levels.tick, &sh.records)
	for i := uint32(0); sh.counters.pending > 0; i++ {
		if sh.records.chunk(i>>chunkBits) == nil {
			i |= 1<<chunkBits - 1 // the last one of it
		} else if s := sh.records.at(i); sh.disarm(i, s) {
			sh.release(i, s)
		}
		if (i+1)%batch == 0 {
			sh.unlock()
			sh.lock()
		}
	}
}
