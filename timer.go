package timerwheel

import (
	"context"
	"fmt"
	"math"
	"time"

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
type Timer struct {
	w  *Wheel
	id uint64 // generation, number of the record, number of the shard
}

// Found says what a deletion found.
type Found struct {
	Pending bool // there was a firing, which the deletion removed
	Running bool // there is a handler in flight
}

// shard returns the shard of a timer that has a wheel.
func (t Timer) shard() *shard { return t.w.shards[t.id&(maxShards-1)] }

// Register arms the timer: its handler starts when d has passed, never earlier, and while a
// worker is free at most two ticks plus the scheduler's delay later. If the timer is pending
// it is moved instead, atomically: the old firing does not happen. Of several concurrent
// Registers the last one wins. If the timer runs, it runs once more after that run.
//
// d <= 0 means now; a d too large for the clock means never. The handler starts on a worker,
// never in the caller. What happened before Register happens before the handler's start, and
// each run of a timer happens before its next.
//
// Register is refused, and changes nothing, with the first of these errors that applies:
// ErrStale; ErrShutdown; ErrDeleting, while a deletion waits for the timer's handler;
// ErrClosed. A handler may register its own timer, and any other.
//
// (It is the kernel's mod_timer, on a timer that the wheel keeps.)
func (t Timer) Register(d time.Duration) error {
	_, err := t.register(d, false)
	return err
}

// register is Register, and Reduce if reduce is true. It reports whether the timer had been
// pending.
func (t Timer) register(d time.Duration, reduce bool) (was bool, err error) {
	if t.w == nil {
		return false, ErrStale
	}
	sh := t.shard()
	now := t.w.elapsed()
	sh.lock()
	i, s := sh.lookup(t)
	if err := sh.refuse(i, s); err != nil {
		sh.unlock()
		return false, t.misused(err)
	}
	was = s.Flags&pending != 0
	when := after(now, d)
	if reduce && was && when >= s.When {
		sh.unlock()
		return true, nil
	}
	sh.arm(i, s, when, now)
	if sh.w.debug {
		sh.recordRegister(i, s)
	}
	sh.unlock()
	return was, nil
}

// RegisterAt arms the timer, as Register does, for the time when, for a caller that knows the
// time: it reads no clock, unless the wheel must be woken earlier than it would be. A time
// that has passed means now. Only if the wheel is itself late for an earlier wake-up may it not
// find out that the time has passed; then the deadline stays when, or is the time at which the
// wheel was made if that was later.
//
// A time without a monotonic reading is compared with the wall clock as it was when the wheel
// was made.
func (t Timer) RegisterAt(when time.Time) error {
	if t.w == nil {
		return ErrStale
	}
	sh := t.shard()
	at := t.w.since(when)
	sh.lock()
	i, s := sh.lookup(t)
	if err := sh.refuse(i, s); err != nil {
		sh.unlock()
		return t.misused(err)
	}
	now := int64(0) // not known, and not before this
	if t.w.manual || sh.needsClock(s, at) {
		now = t.w.elapsed()
	}
	sh.arm(i, s, max(at, now), now)
	if sh.w.debug {
		sh.recordRegister(i, s)
	}
	sh.unlock()
	return nil
}

// Reduce arms the timer as Register does, but never moves a pending timer to a later time. (It
// is the kernel's timer_reduce.)
func (t Timer) Reduce(d time.Duration) error {
	_, err := t.register(d, true)
	return err
}

// Del deletes the timer's firing, if there is one, whether the timer is far from due or in
// line to run. It does not wait for a handler in flight: Found says whether there was one. If
// the timer is stale, or not pending, there is nothing to delete.
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
		panic("timerwheel: DelAsync with a nil done")
	}
	if t.w == nil {
		go done()
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

// Retain adds an owner to a timer that lives, even to one that had none. It never brings a
// timer back: of a stale timer it returns ErrStale.
func (t Timer) Retain() error {
	if t.w == nil {
		return ErrStale
	}
	sh := t.shard()
	sh.lock()
	_, s := sh.lookup(t)
	if s == nil {
		sh.unlock()
		return t.misused(ErrStale)
	}
	defer sh.unlock()
	if s.Owners == math.MaxUint32 {
		panic(fmt.Sprintf("timerwheel: %v has %d owners already", t, s.Owners))
	}
	s.Owners++
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
	sh.lock()
	i, s := sh.lookup(t)
	switch {
	case s == nil:
		sh.unlock()
		return t.misused(ErrStale)
	case s.Owners == 0:
		err := sh.overfreed(i, s)
		sh.unlock()
		return t.w.reportMisuse(err)
	}
	if s.Flags&hasBody != 0 && sh.w.debug {
		sh.recordFree(i, s)
	}
	s.Owners--
	sh.release(i, s)
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
	was, _ := t.register(d, false)
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
	defer sh.unlock()
	_, s := sh.lookup(t)
	return s != nil && s.Flags&f != 0
}

// When returns the deadline of a pending timer. A deadline beyond the clock's range is reported
// as centuries away.
func (t Timer) When() (time.Time, bool) {
	if t.w == nil {
		return time.Time{}, false
	}
	sh := t.shard()
	sh.lock()
	defer sh.unlock()
	_, s := sh.lookup(t)
	if s == nil || s.Flags&pending == 0 {
		return time.Time{}, false
	}
	return t.w.timeAt(s.When), true
}

// Valid reports whether the handle's timer lives: whether it has not been recycled.
func (t Timer) Valid() bool {
	if t.w == nil {
		return false
	}
	sh := t.shard()
	sh.lock()
	defer sh.unlock()
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
