package timerwheel

import (
	"runtime"
	"time"
	"unsafe" // Sizeof

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/seed76848005/timerwheel/internal/own"
)

// This file fires what stdtime and timerctx have pending: sends on channels, the ends of
// sleeps and of contexts. What has a function of the user's (Firing.User), a worker fires, like a
// timer with a handler.
//
// Handlers may wait for these firings. So they must not need a worker: where all MaxWorkers
// wait for a timeout of their own wheel, there is none. They stand in levels of their own,
// beside those of the timers with handlers, and the goroutine that the alarm calls fires them
// itself, hired or not. The alarm is set for them even if no worker may be hired.
//
// They do not block, with one exception: the end of a context may call a method of a context
// of the user's. So they are taken off the wheel one at a time, and a goroutine that makes no
// progress with them is joined by another (fireOwn).
//
// Such a firing has no run: its record is recycled in the critical section that takes it off
// the wheel, and no deletion waits for it. Its owner must find out under a lock of its own
// whether it has been stopped, or armed again for a later time, since.
//
// On a Manual wheel they are ordinary timers, because everything happens in Advance.

func init() {
	own.Base = func(w any) time.Time { return w.(*Wheel).base }
	own.TellHost = func(w any) { w.(*Wheel).tellHost() }
}

// afterOwn arms a firing of the library's own packages. f is own.Fire.
func (w *Wheel) afterOwn(d time.Duration, f func(any), x *own.Firing) Timer {
	now := w.elapsed()
	if w.misplaced(now) {
		w.checkBubble()
	}
	var body, arg any = x, nil
	if x.User != nil || w.manual {
		body, arg = w.withOrigin(f, x), x
	} else if !w.hasOwn.Load() { // a store each time would take the cache line from other processors
		w.hasOwn.Store(true)
	}
	defer guard()
	sh := w.lockFor(nil, body)
	if sh.closed {
		sh.counters.refused++
		sh.unlock()
		return Timer{}
	}
	i, s := sh.newTimer(body, arg)
	if x.Kept {
		s.Owners = 1
	}
	sh.arm(i, s, after(now, d), now)
	if w.debug && s.Flags&hasBody != 0 {
		sh.recordRegister(i, s)
	}
	t := sh.timer(i, s)
	sh.unlockArmed(i, s)
	return t
}

// levelsOf returns the levels that a timer stands in.
func (sh *shard) levelsOf(s *record) *levels.Levels {
	if s.Flags&isOwn == 0 {
		return &sh.levels
	}
	if sh.own == nil { // it is large, and most wheels need none
		l := levels.New(sh.levels.Tick(), &sh.records)
		sh.own = &l
	}
	return sh.own
}

// allLevels returns the levels that there are.
func (sh *shard) allLevels() []*levels.Levels {
	if sh.own == nil {
		return []*levels.Levels{&sh.levels}
	}
	return []*levels.Levels{&sh.levels, sh.own}
}

// ownBytes returns the storage of the own firings' levels.
func (sh *shard) ownBytes() int64 {
	if sh.own == nil {
		return 0
	}
	return sh.own.Bytes() + int64(unsafe.Sizeof(*sh.own))
}

// nextOwn returns a time that is not after the next own firing; never, if there is none.
func (sh *shard) nextOwn() int64 {
	if sh.own == nil {
		return never
	}
	return sh.nextIn(sh.own)
}

// fireOwn fires the own firings that are due in this tick, one after the other, unless another
// goroutine does that and makes progress: so a storm has one goroutine. An owner that blocks
// delays the others by hireDelay: before the first is fired, the alarm is set so that another
// goroutine comes by then, and each that is taken puts that off (ownBusy, in nextWake).
// Registering one may call a goroutine earlier; it leaves.
func (w *Wheel) fireOwn(wk *worker) {
	now := w.elapsed()
	if !w.hasOwn.Load() || now < w.ownBusy.Load() {
		return
	}
	r := ownRound{w: w, wk: wk, now: now, limit: now, yieldAfter: now + int64(timeSlice)}
	for no, quiet := uint32(0), uint64(0); !r.replaced; {
		left := w.occupied.Load() &^ quiet
		if left == 0 {
			break
		}
		no = w.nextIn(left, no+1)
		quiet |= 1 << no
		if r.fireSome(w.shards[no]) {
			quiet = 0
		}
	}
	if r.fired && !r.replaced {
		w.ownBusy.Store(0)
	}
}

// An ownRound is one goroutine's firing of own firings.
type ownRound struct {
	w          *Wheel
	wk         *worker
	now        int64
	limit      int64 // what is due later is not fired
	yieldAfter int64 // when it next yields its processor
	fired      bool  // some were
	replaced   bool  // another goroutine has taken over, because an owner blocked
}

// fireSome fires what is due on one shard, a batch at most: those that are armed for "at once"
// all the time keep no other shard waiting. It reports whether a further call may find more.
func (r *ownRound) fireSome(sh *shard) (more bool) {
	for range batch {
		x, more := sh.takeOwn(r.limit, r.now)
		if x == nil {
			return more
		}
		r.fire(x)
		if r.replaced {
			return false
		}
	}
	return true
}

// fire fires one.
func (r *ownRound) fire(x *own.Firing) {
	w, busy := r.w, r.now+r.w.hireDelay
	w.ownBusy.Store(busy)
	if !r.fired {
		r.fired = true
		w.rearm(busy)
	}
	r.wk.inUser = true // it may call a method of a context of the user's
	x.Owner.Fire()
	r.wk.inUser = false
	if r.now = w.elapsed(); r.now >= r.yieldAfter {
		runtime.Gosched()
		r.now = w.elapsed()
		r.yieldAfter = r.now + int64(timeSlice)
	}
	r.replaced = r.now >= busy && r.now < w.ownBusy.Load()
}

// takeOwn takes an own firing that is due at limit off the wheel; nil, if it found none. It
// holds the lock for at most one batch; more reports that a further call may find one.
func (sh *shard) takeOwn(limit, now int64) (x *own.Firing, more bool) {
	sh.lock()
	defer sh.end()
	if sh.own == nil || sh.closed {
		return nil, false
	}
	if sh.own.Empty(levels.Due) {
		more = sh.own.Expire(limit/sh.own.Tick(), batch)
		if sh.own.Empty(levels.Due) {
			return nil, more
		}
	}
	i := sh.own.Last(levels.Due)
	s := sh.records.At(i)
	x = sh.firingOf(i, s)
	sh.unlink(i, s)
	sh.counters.fired++
	sh.counters.ownFired++
	sh.counters.late(max(0, now-s.When))
	sh.counters.took(0)
	sh.release(i, s)
	return x, true
}

// An orphan is a firing that was pending when its wheel was closed.
type orphan struct {
	firing *own.Firing
	when   int64
}

// firingOf returns the firing that a timer of the library's own packages has, on a Manual wheel
// and with a function of the user's, too; nil, if the timer is another's, or free.
func (sh *shard) firingOf(i uint32, s *record) *own.Firing {
	if s.Flags&isOwn != 0 {
		return sh.annex(i).firings[i%chunkLen]
	}
	arg := sh.argOf(i, s)
	if b := sh.bodyOf(i, s); b != nil {
		arg = b.arg
	}
	x, _ := arg.(*own.Firing)
	return x
}

// handOver gives what was pending on a closed wheel to package time. Holds no lock. Of a
// million it takes long: so each is given the time that is left then. If one panics, because a
// method of a context of the user's does, the others are handed over all the same.
func (w *Wheel) handOver(orphans []orphan) {
	n := 0
	defer func() {
		if n < len(orphans) {
			w.handOver(orphans[n+1:])
		}
	}()
	for ; n < len(orphans); n++ {
		o := orphans[n]
		o.firing.Owner.HandOver(time.Duration(max(0, o.when-w.elapsed())), !w.manual)
	}
}
