package timerwheel

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A Timer is a handle to a timer of a [Wheel]: a small comparable value, which
// can be copied, used as a map key, and used by any goroutine. A copy is the
// same handle; it holds no reference of its own.
//
// A handle goes stale when its timer is recycled, which is when nobody holds a
// reference to it any more: no owner ([Wheel.Alloc], [Timer.Retain],
// [Timer.Free]), not the wheel, which holds one while the timer is pending, and
// no worker, which holds one while its handler runs. A stale handle never
// reaches the timer that uses the storage next. The zero Timer is stale.
//
// A timer is pending from its Register until its handler begins or a deletion
// removes the firing; it is running from then until the handler has returned.
// A timer that was registered again while it runs is both. Its handler never
// runs twice at once.
//
// A Timer from Alloc has the Stop and Reset of a time.Timer. One from AfterFunc
// has them too, but once it has fired or was stopped it is gone: its Reset arms
// nothing.
type Timer struct {
	w  *Wheel
	id uint64 // generation, number of the slot, number of the shard
}

// Found says what a deletion found.
type Found struct {
	Pending bool // a firing, which it removed
	Running bool // a handler in flight
}

// shard returns the shard of a timer that has a wheel.
func (t Timer) shard() *shard { return t.w.shards[t.id&(maxShards-1)] }

// Register arms the timer: its handler starts when d has passed, never earlier,
// and if a worker is free not later than two ticks plus the scheduler's delay.
// If the timer is pending it is moved there instead, atomically: the old firing
// does not happen. Of several Registers at once the last one wins. If the timer
// runs, it runs once more after that run.
//
// d <= 0 means now; too large a d means never. The handler starts on a worker,
// never in the caller. What happened before Register happens before the
// handler's start, and each run of a timer happens before its next.
//
// Register is refused, and changes nothing, with the first of these errors that
// applies: ErrStale; ErrShutdown; ErrDeleting, while a deletion waits for the
// timer's handler; ErrClosed. A handler may register its own timer, and any
// other.
//
// (It is the kernel's mod_timer, on a timer that the wheel keeps.)
func (t Timer) Register(d time.Duration) error {
	_, err := t.register(d, false)
	return err
}

// register is Register and its sisters. It reports whether the timer had been
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
	was = s.flags&pending != 0
	when := after(now, d)
	if reduce && was && when >= s.when {
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

// RegisterAt is Register with the time at which the handler starts, for a
// caller that knows it: it reads no clock, unless the wheel must be woken
// earlier than it would be. A time that has passed means now; that it has passed
// goes unnoticed only while the wheel is itself late for an earlier wake-up, and
// then its deadline stays what it was, or is the time at which the wheel was made
// if that was later.
//
// A time without a monotonic reading is compared with the wall clock as it was
// when the wheel was made.
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

// Reduce is Register, except that it never moves a pending timer to a later
// time. (It is the kernel's timer_reduce.)
func (t Timer) Reduce(d time.Duration) error {
	_, err := t.register(d, true)
	return err
}

// Del deletes the timer's firing, if there is one, whether the timer is far
// from due or in line to run. It does not wait for a handler in flight: Found
// says whether there was one. Of a stale timer, or one that is not pending,
// there is nothing to delete.
//
// (It is the kernel's del_timer, and time.Timer's Stop.)
func (t Timer) Del() Found { return t.del(0) }

// del is Del, and with the mark shutdown Shutdown.
func (t Timer) del(mark flags) Found {
	if t.w == nil {
		return Found{}
	}
	sh := t.shard()
	sh.lock()
	_, _, found := sh.delete(t, mark)
	sh.unlockDeleted(found)
	return found
}

// DelSync deletes the timer's firing, as Del does, and waits for a handler in
// flight. When it returns a nil error there was an instant during the call at
// which the timer was not pending, its handler ran on no worker, and everything
// that the handler did happens before the return.
//
// While it waits no Register of the timer succeeds, whoever calls it
// (ErrDeleting), so it waits for no more than the one run in flight. That ends
// with the run: afterwards the timer may be registered anew, even before
// DelSync returns. Who must rule that out calls Shutdown instead. Meanwhile
// anybody may free the timer; the wait does not touch it, nor its storage's next
// tenant.
//
// A handler that calls DelSync of its own timer would wait for itself: the
// firing is removed, and DelSync returns ErrDeadlock at once. So it does where
// handlers of this wheel would wait for each other in a circle, however long:
// the call that would close the circle gets the error, the others go on.
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
// The first has three cures: release the lock before DelSync, make the timer
// with [Wheel.AllocLocked], or bound the wait with DelSyncContext.
// Options.OnStall reports all of them.
//
// (It is the kernel's timer_delete_sync; refusing the Registers meanwhile is
// from Zephyr's k_work_cancel_sync.)
func (t Timer) DelSync() (Found, error) { return t.delSync(context.Background(), 0) }

// DelSyncContext is DelSync with an end: when ctx ends before the handler has
// returned, it returns the context's error. If both have happened, it returns
// nil. The firing stays removed, and the Registers of the timer are refused until the run
// in flight has ended. If there is nothing to wait for, ctx does not matter; nor
// where DelSync would return ErrDeadlock.
func (t Timer) DelSyncContext(ctx context.Context) (Found, error) { return t.delSync(ctx, 0) }

// DelAsync deletes the timer's firing, as Del does, and calls done, once, when
// the timer is not running: on a goroutine of the wheel, never in the caller. It
// returns at once. If the timer is running, its Registers are refused until its
// handler has returned, as with DelSync; a handler may call it for its own
// timer. Each done has a goroutine, which MaxWorkers does not bound, and is also
// called for a timer that is idle or stale.
//
// On a Manual wheel, which has no goroutines, done is called before DelAsync
// returns, or in the Advance that runs the handler.
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

// Shutdown deletes the timer's firing, as Del does, and refuses every later
// Register of the timer (ErrShutdown). It does not wait for a handler in flight:
// Found says whether there was one. Owners must still call Free.
//
// (It is the kernel's timer_shutdown, which came of timers that were registered
// again between their deletion and the end of their memory.)
func (t Timer) Shutdown() Found { return t.del(shutdown) }

// ShutdownSync deletes the timer's firing and waits for a handler in flight, as
// DelSync does, and refuses every later Register of the timer (ErrShutdown), even
// if it returns an error. So in the timer's own handler it returns ErrDeadlock,
// and the timer is shut down all the same. Owners must still call Free.
//
// (It is the kernel's timer_shutdown_sync.)
func (t Timer) ShutdownSync() (Found, error) { return t.delSync(context.Background(), shutdown) }

// ShutdownSyncContext is ShutdownSync with a bound on the wait: it treats ctx as
// DelSyncContext does. The timer is shut down, whatever it returns.
func (t Timer) ShutdownSyncContext(ctx context.Context) (Found, error) {
	return t.delSync(ctx, shutdown)
}

// Retain adds an owner to a timer that lives, even to one that had none. It
// never brings a timer back: of a stale one it returns ErrStale.
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
	if s.owners == math.MaxUint32 {
		panic(fmt.Sprintf("timerwheel: %v has %d owners already", t, s.owners))
	}
	s.owners++
	return nil
}

// Free drops an owner's reference. It neither stops nor waits: a pending timer
// still fires, and is recycled after its handler.
//
// A Free too many returns ErrStale, or ErrFreed while the wheel or a worker
// still holds the timer, and harms nobody.
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
	case s.owners == 0:
		err := sh.overfreed(i, s)
		sh.unlock()
		return t.w.reportMisuse(err)
	}
	if s.flags&hasBody != 0 && sh.w.debug {
		sh.recordFree(i, s)
	}
	s.owners--
	sh.release(i, s)
	sh.unlock()
	return nil
}

// Stop is Del in the shape of time.Timer's: it reports whether it removed a
// firing. Like that, it does not wait for a handler in flight.
func (t Timer) Stop() bool {
	return t.Del().Pending
}

// Reset is Register in the shape of time.Timer's: it reports whether the timer
// had been pending. If the Register is refused it is false, and the timer is
// not armed; of a Timer from AfterFunc that is so as soon as it has fired or was
// stopped. Where a refusal must be told from a timer that was idle, use Register.
func (t Timer) Reset(d time.Duration) bool {
	was, _ := t.register(d, false)
	return was
}

// Pending reports whether the timer is pending: registered, and its firing not
// begun. A timer that is due, and waits for a worker or for its lock, is
// pending.
func (t Timer) Pending() bool { return t.has(pending) }

// Running reports whether the timer's handler has begun and not returned.
func (t Timer) Running() bool { return t.has(running) }

func (t Timer) has(f flags) bool {
	if t.w == nil {
		return false
	}
	sh := t.shard()
	sh.lock()
	defer sh.unlock()
	_, s := sh.lookup(t)
	return s != nil && s.flags&f != 0
}

// When returns the deadline of a pending timer. That of a timer that is too far
// away for the clock is centuries away.
func (t Timer) When() (time.Time, bool) {
	if t.w == nil {
		return time.Time{}, false
	}
	sh := t.shard()
	sh.lock()
	defer sh.unlock()
	_, s := sh.lookup(t)
	if s == nil || s.flags&pending == 0 {
		return time.Time{}, false
	}
	return t.w.timeAt(s.when), true
}

// Valid reports whether the handle's timer lives: whether it has not been
// recycled.
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

// String returns the numbers that make the handle: shard, slot and generation.
func (t Timer) String() string {
	if t.w == nil {
		return "Timer(none)"
	}
	return fmt.Sprintf("Timer(%d.%d#%d)", t.id&(maxShards-1), uint32(t.id)>>shardBits, t.id>>32)
}
