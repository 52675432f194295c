package timerwheel

import (
	"context"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/seed76848005/timerwheel/internal/levels"
)

// A Timer is a handle to a timer of a [Wheel]: a small comparable value, which can be copied,
// used as a map key, and used by any goroutine. A copy is the same handle; it holds no
// reference of its own.
//
// A handle goes stale when its timer is recycled: when no reference to it is held any more,
// neither by an owner ([Wheel.Alloc], [Timer.Retain], [Timer.Free]), nor by the wheel, which
// holds one while the timer is pending, nor by a worker, which holds one while the handler
// runs. A stale handle never reaches the timer that uses the storage next. The zero Timer is
// stale.
//
// A timer is pending from its Register until its handler begins or a deletion removes the
// firing. It is running from then until the handler has returned. A timer that was registered
// again while it runs is both. Its handler never runs twice at once.
//
// A Timer from Alloc has the Stop and Reset of a time.Timer. A Timer from AfterFunc has them
// too, but once it has fired or was stopped it is gone: its Reset arms nothing.
//
// A Timer shows as its numbers: reflection, and packages that print or compare with it, find
// no way from a Timer to its wheel. Two Timers are deeply equal if they are equal (==).
type Timer struct {
	w  unsafe.Pointer // the *Wheel: reflection does not follow it, the garbage collector does
	id uint64         // generation, number of the record, number of the shard
}

// wheel returns the timer's wheel; nil of the zero Timer.
func (t Timer) wheel() *Wheel { return (*Wheel)(t.w) }

// Found says what a deletion found.
type Found struct {
	Pending bool // there was a firing, which the deletion removed
	Running bool // there is a handler in flight
}

// shard returns the shard of a timer that has a wheel.
func (t Timer) shard() *shard { return t.wheel().shards[t.id&(maxShards-1)] }

// Register arms the timer: its handler starts when d has passed, never earlier, and while a
// worker is free at most two ticks plus the scheduler's delay later. If the timer is pending
// it is moved instead, atomically: the old firing does not happen. Of several concurrent
// Registers the last one wins. If the timer runs, it runs once more after that run.
//
// d <= 0 means now; a d too large for the clock means never. The handler starts on a worker,
// never in the caller. What happened before Register happens before the handler's start, and
// each run of a timer happens before its next. Timers of one tick begin in any order, except
// on a Manual wheel ([Wheel.Advance]); but a timer that registers itself for now, again and
// again, does not keep others that are due from running.
//
// A timer that is moved to a later time, and again, is moved without a lock: so goroutines that push
// back different timers do not wait for each other.
//
// Register is refused, and changes nothing, with the first of these errors that applies:
// ErrStale; ErrShutdown; ErrDeleting, while a deletion waits for the timer's handler;
// ErrClosed. A handler may register its own timer, and any other.
//
// (It is the kernel's mod_timer, on a timer that the wheel keeps.)
func (t Timer) Register(d time.Duration) error {
	_, err := t.register(d, 0, plain)
	return err
}

// RegisterWithin arms the timer, as Register does, for a time of the wheel's choice: not before
// d has passed, and not later than d+slack plus two ticks and the scheduler's delay. The wheel
// chooses a time that it also chooses for others with slack, so that it wakes less often.
// When says which. slack <= 0 is Register(d); with d <= 0 the wheel may still choose a time up to
// d+slack. An idle timer ([Timer.RegisterIdle]) becomes an ordinary one. The errors, and what
// concurrent callers may assume, are those of Register.
//
// (The semantics are those of the kernel's timer slack. It costs what Register costs.)
func (t Timer) RegisterWithin(d, slack time.Duration) error {
	_, err := t.register(d, slack, plain)
	return err
}

// An arming is a way to arm a timer.
type arming uint8

const (
	plain    arming = iota // Register, RegisterWithin, Reset
	reducing               // Reduce
	idling                 // RegisterIdle
)

// register arms the timer, and reports whether it had been pending.
func (t Timer) register(d, slack time.Duration, how arming) (was bool, err error) {
	if t.w == nil {
		return false, ErrStale
	}
	now := t.wheel().elapsed()
	if t.wheel().misplaced(now) {
		t.wheel().checkBubble()
	}
	if how == plain && d > 0 && slack <= 0 {
		if was, ok := t.armInPlace(after(now, d)); ok {
			return was, nil
		}
	}
	return t.registerLocked(now, d, slack, how)
}

// registerLocked is register with the lock. It is a function of its own as the way without the lock
// would pay for what is deferred here (BenchmarkRearmLater).
func (t Timer) registerLocked(now int64, d, slack time.Duration, how arming) (was bool, err error) {
	defer guard()
	sh := t.shard()
	sh.lock()
	i, s := sh.lookup(t)
	if err := sh.refuse(i, s); err != nil {
		sh.unlock()
		return false, t.misused(err)
	}
	when := after(now, d)
	if slack > 0 {
		when = sh.levels.Coarsest(when, after(when, slack))
	}
	switch {
	case how == idling:
		was = sh.armIdle(i, s, d, now)
	case how == reducing:
		was = sh.reduce(i, s, when, now)
	default:
		was = sh.arm(i, s, when, now)
	}
	if sh.w.debug {
		sh.recordRegister(i, s)
	}
	sh.unlockArmed(i, s)
	return was, nil
}

// RegisterAt arms the timer, as Register does, for the time when, for a caller that knows the
// time: it reads no clock, unless the wheel must be woken earlier than it would be. A time
// that has passed means now. Only if the wheel is itself late for an earlier wake-up may it not
// find out that the time has passed; then the deadline stays when, or is the time at which the
// wheel was made if that was later.
//
// A time without a monotonic reading (one that was parsed, or made by time.Date) is compared
// with the wall clock as it is at the call; that reads the clock. A time with one (from
// time.Now, [Wheel.Now], [Timer.When]) goes by that, as time.Until does. Once it is armed, the
// timer goes by the monotonic clock: setting the wall clock later does not move it. That clock
// stands still while a machine is suspended, on Linux for example, and then the timer is late
// by the sleep. After a resume, call RegisterAt again for what must follow the wall clock;
// [Wheel.Timers] lists what pends. A Manual wheel reads no clock: there the time is compared with
// Options.Start.
func (t Timer) RegisterAt(when time.Time) error {
	if t.w == nil {
		return ErrStale
	}
	at, now := t.wheel().since(when)
	if t.wheel().misplaced(at) {
		t.wheel().checkBubble()
	}
	if at >= t.wheel().alarm.at.Load() { // so it has not passed: see needsClock
		if _, ok := t.armInPlace(at); ok {
			return nil
		}
	}
	return t.registerAtLocked(at, now)
}

// registerAtLocked is RegisterAt with the lock, as registerLocked is. now is 0 if the clock was not read.
func (t Timer) registerAtLocked(at, now int64) error {
	defer guard()
	sh := t.shard()
	sh.lock()
	i, s := sh.lookup(t)
	if err := sh.refuse(i, s); err != nil {
		sh.unlock()
		return t.misused(err)
	}
	if t.wheel().manual || now == 0 && sh.needsClock(s, at) {
		if now = t.wheel().elapsed(); t.wheel().isForeign(now) {
			sh.unlock()
			t.wheel().refuseBubble()
		}
	}
	sh.arm(i, s, max(at, now), now)
	if sh.w.debug {
		sh.recordRegister(i, s)
	}
	sh.unlockArmed(i, s)
	return nil
}

// Reduce arms the timer as Register does, but never moves a pending timer to a later time. (It
// is the kernel's timer_reduce.)
func (t Timer) Reduce(d time.Duration) error {
	_, err := t.register(d, 0, reducing)
	return err
}

// Move moves a pending timer, as Register does, and reports whether it did. A timer that is not
// pending stays so: a Move that races with a deletion, or with the start of the handler, arms
// nothing. Where Register would be refused, Move returns false, and nothing is counted or
// reported. It costs what Register costs.
//
// (It is the kernel's mod_timer_pending.)
func (t Timer) Move(d time.Duration) bool {
	if t.w == nil {
		return false
	}
	sh := t.shard()
	now := t.wheel().elapsed()
	if t.wheel().misplaced(now) {
		t.wheel().checkBubble()
	}
	when := after(now, d)
	if x := t.word(); d > 0 && x != nil && t.moveLater(x, when) {
		return true
	}
	defer guard()
	sh.lock()
	i, s := sh.lookup(t)
	if s == nil || sh.refusal(i, s) != nil || !sh.closePending(i, s) {
		sh.unlock()
		return false
	}
	sh.armClosed(i, s, when, now)
	if sh.w.debug {
		sh.recordRegister(i, s)
	}
	sh.unlockArmed(i, s)
	return true
}

// Del deletes the timer's firing, if there is one, whether the timer is far from due or in
// line to run. It does not wait for a handler in flight: Found says whether there was one. If
// the timer is stale, or not pending, there is nothing to delete.
//
// From the second time on, Del of a timer with an owner leaves it in its place, and a Register for the same
// time or a later one starts it there. From then on neither takes a lock, while enough others are pending in
// the same shard of the wheel: 64, or some that are used in the same way.
//
// (It is the kernel's del_timer, and time.Timer's Stop.)
func (t Timer) Del() Found { return t.del(0) }

// DelSync deletes the timer's firing, as Del does, and waits for a handler in flight. When it
// returns a nil error there was an instant during the call at which the timer was not pending
// and its handler ran on no worker, and everything that the handler did happens before the
// return.
//
// While it waits no Register of the timer succeeds, whichever goroutine calls it (ErrDeleting),
// so it waits for at most the one run in flight. The refusal ends with that run: afterwards
// the timer may be registered anew, even before DelSync returns. To prevent later
// registrations, use ShutdownSync. During the wait any goroutine may free the timer; the wait
// touches neither the timer nor its storage's next tenant.
//
// A handler that calls DelSync of its own timer would wait for itself: the firing is removed,
// and DelSync returns ErrDeadlock at once. The same holds where handlers of this wheel would
// wait for each other in a circle, however long: the call that would close the circle gets the
// error, the others go on.
//
// Three circles it cannot see. Do not call DelSync
//
//	while holding a lock that the handler wants:
//
//	    caller                      handler
//	    mu.Lock()
//	    t.DelSync()  ── waits for ─▶ (runs)
//	                 ◀─ waits for ── mu.Lock()
//
//	in a goroutine that the handler waits for:
//
//	    goroutine                   handler
//	    t.DelSync()  ── waits for ─▶ (runs)
//	                 ◀─ waits for ── wg.Wait()
//
//	across two wheels:
//
//	    a's handler, on one wheel   b's handler, on another
//	    b.DelSync()  ── waits for ─▶ (runs)
//	    (runs)       ◀─ waits for ── a.DelSync()
//
// A coroutine of the handler (iter.Pull) counts as such a goroutine. The first circle has three
// cures: release the lock before DelSync, make the timer with [Wheel.AllocLocked], or bound the
// wait with DelSyncContext. Options.OnStall reports all of them.
//
// (It is the kernel's timer_delete_sync; refusing Registers during the wait is from Zephyr's
// k_work_cancel_sync.)
func (t Timer) DelSync() (Found, error) { return t.delSync(context.Background(), 0) }

// DelSyncContext is DelSync with a bound on the wait: when ctx ends before the handler has
// returned, it returns the context's error. If both have happened, it returns nil. The firing
// stays removed, and Registers of the timer are refused until the run in flight has ended. If
// there is nothing to wait for, or where DelSync would return ErrDeadlock, ctx does not matter.
func (t Timer) DelSyncContext(ctx context.Context) (Found, error) { return t.delSync(ctx, 0) }

// DelAsync deletes the timer's firing, as Del does, and calls done, once, when the timer is not
// running: on a goroutine of the wheel, never in the caller. It returns at once. If the timer
// is running, its Registers are refused until its handler has returned, as with DelSync. A
// handler may call it for its own timer. Each done runs on a goroutine of its own, which does
// not count towards MaxWorkers. It is also called for a timer that is idle or stale.
//
// On a Manual wheel, which has no goroutines, done is called before DelAsync returns, or in the
// Advance that runs the handler.
//
// DelAsync panics if done is nil.
func (t Timer) DelAsync(done func()) Found {
	if done == nil {
		reject("timerwheel: DelAsync with a nil done")
	}
	if t.w == nil {
		goUnlabelled(done)
		return Found{}
	}
	return t.delAsync(done)
}

// Shutdown deletes the timer's firing, as Del does, and refuses every later Register of the
// timer (ErrShutdown). It does not wait for a handler in flight: Found says whether there was
// one. Owners must still call Free.
//
// (It is the kernel's timer_shutdown, which was made because timers were registered again
// after their deletion and before their memory was freed.)
func (t Timer) Shutdown() Found { return t.del(shutdown) }

// ShutdownSync deletes the timer's firing and waits for a handler in flight, as DelSync does,
// and refuses every later Register of the timer (ErrShutdown), even if it returns an error. In
// the timer's own handler it returns ErrDeadlock, and the timer is shut down all the same.
// Owners must still call Free.
//
// (It is the kernel's timer_shutdown_sync.)
func (t Timer) ShutdownSync() (Found, error) { return t.delSync(context.Background(), shutdown) }

// ShutdownSyncContext is ShutdownSync with a bound on the wait: it treats ctx as DelSyncContext
// does. The timer is shut down, whatever it returns.
func (t Timer) ShutdownSyncContext(ctx context.Context) (Found, error) {
	return t.delSync(ctx, shutdown)
}

// ReleaseLock unlocks the lock that the timer is bound to ([Wheel.AllocLocked]), in the timer's
// handler, for the rest of the handler: for one that must call out without the lock. The wheel
// does not unlock it again, however the handler ends. The handler may lock it again by itself, and
// then unlocks it by itself.
//
// From then on the run is as that of a timer without a lock. The holder of the lock may find the handler
// in flight: Del while holding it reports Found.Running, and does not wait; DelSync while holding it
// waits for the rest of the handler, and hangs if that wants the lock again. The handler is no
// longer excluded from those of the other timers of the lock: another worker goes on with these,
// beside the rest of this one. (On a Manual wheel, which has one worker, they run after it.)
//
// ReleaseLock returns ErrNotLocked, and changes nothing, anywhere else: for the zero Timer, a stale
// one, one that is not lock-bound, and any other than the one whose handler calls; in a goroutine or
// a coroutine (iter.Pull) that the handler has started; in other functions that the wheel calls
// (OnPanic, done); and the second time in one run.
//
// It finds out by the number of the calling goroutine. That costs some microseconds, the more the
// deeper the handler's stack is, and an allocation of 64 bytes (BenchmarkReleaseLock). Unlock is called
// in the handler's goroutine: if it panics, so does ReleaseLock, and the lock counts as released.
//
// (It is FreeBSD's CALLOUT_RETURNUNLOCKED, chosen by the handler, and in the middle of it.)
func (t Timer) ReleaseLock() error {
	if t.w == nil {
		return ErrNotLocked
	}
	return t.releaseLock()
}

// Retain adds an owner to a timer that lives, even to one that had none. It never brings a
// timer back: of a stale timer it returns ErrStale.
func (t Timer) Retain() error {
	if t.w == nil {
		return ErrStale
	}
	sh := t.shard()
	defer guard()
	sh.lock()
	_, s := sh.lookup(t)
	if s == nil {
		sh.unlock()
		return t.misused(ErrStale)
	}
	if s.Owners == math.MaxUint32 {
		sh.unlock()
		reject(fmt.Sprintf("timerwheel: %v has %d owners already", t, uint32(math.MaxUint32)))
	}
	s.Owners++
	sh.unlock()
	return nil
}

// Free drops an owner's reference. It neither stops nor waits: a pending timer still fires, and
// is recycled after its handler.
//
// An extra Free returns ErrStale, or ErrFreed while the wheel or a worker still holds a
// reference, and has no other effect.
func (t Timer) Free() error {
	if t.w == nil {
		return ErrStale
	}
	sh := t.shard()
	defer guard()
	sh.lock()
	i, s := sh.lookup(t)
	switch {
	case s == nil:
		sh.unlock()
		return t.misused(ErrStale)
	case s.Owners == 0:
		err := sh.overfreed(i, s)
		sh.unlock()
		return t.wheel().reportMisuse(err)
	}
	sh.free(i, s)
	sh.unlock()
	return nil
}

// Stop deletes the timer's firing, as Del does, in the shape of time.Timer's Stop: it reports
// whether it removed a firing. Like that, it does not wait for a handler in flight.
func (t Timer) Stop() bool {
	return t.Del().Pending
}

// Reset arms the timer, as Register does, in the shape of time.Timer's Reset: it reports whether
// the timer had been pending. If the Register is refused Reset returns false, and the timer is
// not armed; with a Timer from AfterFunc that is so as soon as it has fired or was stopped. To
// tell a refusal from a timer that was idle, use Register.
func (t Timer) Reset(d time.Duration) bool {
	was, _ := t.register(d, 0, plain)
	return was
}

// Pending reports whether the timer is pending: registered, and its firing not begun. A timer
// that is due, and waits for a worker or for its lock, is pending.
func (t Timer) Pending() bool { return t.has(pending) }

// Running reports whether the timer's handler has begun and not returned.
func (t Timer) Running() bool { return t.has(running) }

func (t Timer) has(f levels.Flags) bool {
	if t.w == nil {
		return false
	}
	sh := t.shard()
	sh.lock()
	defer sh.end()
	i, s := sh.lookup(t)
	return s != nil && s.Flags&f != 0 && (f != pending || sh.isPending(i, s))
}

// When returns the deadline of a pending timer, by the wall clock as it is set now. If two goroutines
// have moved the timer at once, one of them perhaps by a stale handle, it may be off by less than a tick.
// A deadline beyond the clock's range is reported as centuries away.
func (t Timer) When() (time.Time, bool) {
	if t.w == nil {
		return time.Time{}, false
	}
	sh := t.shard()
	sh.lock()
	i, s := sh.lookup(t)
	if s == nil {
		sh.unlock()
		return time.Time{}, false
	}
	at, ok := sh.pendingDeadline(i, s)
	sh.unlock()
	if !ok {
		return time.Time{}, false
	}
	return t.wheel().timeAt(at), true
}

// Valid reports whether the handle's timer lives: whether it has not been recycled.
func (t Timer) Valid() bool {
	if t.w == nil {
		return false
	}
	sh := t.shard()
	sh.lock()
	defer sh.end()
	_, s := sh.lookup(t)
	return s != nil
}

// String returns the numbers that make the handle: shard, record and generation.
func (t Timer) String() string {
	if t.w == nil {
		return "Timer(none)"
	}
	return fmt.Sprintf("Timer(%d.%d#%d)", t.id&(maxShards-1), uint32(t.id)>>shardBits, t.id>>32)
}
