package timerwheel

import (
	"math"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel/internal/hook"
)

// The alarm is the wheel's one runtime timer. The goroutine in which the runtime calls it
// back is a worker: while there is nothing to do, the wheel has no goroutine.
//
// The rule that no wake-up is lost. Whenever a shard's lock is free, and the shard has
// something pending, one of these holds:
//
//   - the alarm is set for the shard's next wake-up or an earlier time; for work that is
//     due already, hireDelay from now at most;
//   - a goroutine is between clearing the alarm and setting it, and has yet to look at
//     this shard (rearm, or a worker that the alarm called);
//   - all MaxWorkers are at work, and each will rearm when it leaves; or the wheel is
//     closed. Own firings (own.go) need no worker, nor do the looks for stalls (watch.go):
//     this does not hold for them.
//
// A goroutine from a bubble that the wheel was not made in never sets the alarm.
//
// The same holds of the lines that no worker serves (lines.go), with Wheel.mu in place of the
// shard's lock. A timer in a line that a worker serves needs no wake-up.
//
// It holds because the alarm is only ever set earlier, with one exception: clear it first,
// then look at each shard that may have something, then set it. Register, and the end of a run
// that puts its timer back (finish), change the shard first and then read the alarm; rearm clears
// the alarm first and then reads the shards. So at least one of the two sees what the other did.
// The same holds of the set of these shards (occupied): Register adds the shard before it reads
// the alarm.
//
// A deletion leaves the alarm alone. So on a wheel on which one timer comes and goes the alarm is
// hardly ever set (BenchmarkAfterFuncStop, others=0). If nothing is left, the alarm rings once more,
// finds that, and is off.
//
// The runtime keeps the alarm alive, and the alarm must keep the wheel, but only while something pends. So
// each shard that has something pending has an anchor here (anchors), and otherwise the alarm knows the
// wheel by a weak pointer.
//
// Wheel.mu guards the alarm; at is read without it.
type alarm struct {
	timer   *time.Timer
	at      atomic.Int64 // when it rings, ns since base; never: not before it is set
	wheel   weak.Pointer[Wheel]
	anchors []anchor // by shard
	epoch   uint64   // counts the clearings
	rings   int      // callbacks that will come, or have begun and are no members yet
}

// An anchor keeps a wheel while a shard has something pending. The shard's lock guards it. It has a
// cache line to itself: processors that use different shards share none.
type anchor struct {
	*Wheel
	_ [56]byte
}

// newAlarm makes the runtime timer at once, not when it is first needed, so that it belongs
// to the synctest bubble in which the wheel was made.
//
// A Manual wheel has no alarm. Its host asks Next, and at is the time until which it may
// sleep, as far as it knows, if it wants to hear of an earlier one (OnNext: on_next.go).
// Otherwise, and while it is awake, nothing is earlier than the time that at gives.
func newAlarm(w *Wheel) *alarm {
	a := &alarm{wheel: weak.Make(w), anchors: make([]anchor, len(w.shards))}
	if w.manual {
		a.at.Store(math.MinInt64)
		return a
	}
	a.at.Store(never)
	a.timer = time.AfterFunc(math.MaxInt64, a.call)
	a.timer.Stop()
	if w.bubble == 0 { // a bubble's timers are out of a cleanup's reach, and end with the bubble
		runtime.AddCleanup(w, func(t *time.Timer) { t.Stop() }, a.timer)
	}
	return a
}

// call is what the runtime timer calls, on a goroutine of its own. A wheel that was collected has
// nothing pending.
func (a *alarm) call() {
	hook.Begins("the alarm's call")
	if w := a.wheel.Value(); w != nil {
		w.onAlarm()
	}
}

// wakeBy makes sure that the wheel is awake at a time. Holds the lock of the shard that
// needs it: so a worker that finds the shard empty, and stops the alarm, comes after.
func (w *Wheel) wakeBy(at int64) {
	if at < w.alarm.at.Load() {
		w.wakeEarlier(at)
	}
}

// wakeEarlier sets the alarm, unless its worker could not run anything. Then, with OnStall, it
// sets it for the look at what waits in line for a worker.
func (w *Wheel) wakeEarlier(at int64) {
	if w.manual {
		w.untold = true // unlockArmed tells the host
		return
	}
	w.mu.Lock()
	if w.mayHire() {
		w.setAlarm(at)
	} else {
		w.watchSaturation(at)
	}
	w.mu.Unlock()
}

// wakeAnyway makes sure that the wheel is awake at a time even if no further worker may be
// hired.
func (w *Wheel) wakeAnyway(at int64) {
	if at < w.alarm.at.Load() {
		w.mu.Lock()
		w.setAlarm(at)
		w.mu.Unlock()
	}
}

// setAlarm sets the alarm, unless it rings before that. Holds mu.
//
// What is due already does not wait for the runtime timer: the alarm's call begins at once, on
// a goroutine of its own. A timer that is still in the runtime's heap expires late in a
// synctest bubble: only when each goroutine of the bubble is durably blocked, which one that
// waits for a mutex is not.
func (w *Wheel) setAlarm(at int64) {
	if at >= w.alarm.at.Load() {
		return
	}
	now := w.elapsed()
	if at = max(at, now); at >= w.alarm.at.Load() {
		return // it rings now: the call that clears it has not begun yet
	}
	w.alarm.at.Store(at)
	replaced := false
	if at > now {
		replaced = w.alarm.timer.Reset(time.Duration(at - now))
	} else {
		replaced = w.alarm.timer.Stop()
		go w.alarm.call()
	}
	if !replaced {
		w.alarm.rings++ // one more callback to wait for, as none was replaced
	}
}

// stopAlarm stops the alarm. Holds mu.
func (w *Wheel) stopAlarm() {
	w.alarm.at.Store(never)
	if w.alarm.timer.Stop() {
		w.alarm.rings--
	}
}

// clearAlarm makes every call that registers a timer set the alarm, until the goroutine
// that clears it has looked at the shards. Holds mu.
func (w *Wheel) clearAlarm() (epoch uint64) {
	w.alarm.at.Store(never)
	w.alarm.epoch++
	return w.alarm.epoch
}

// rearm sets the alarm to exactly what the wheel needs, which may be later than it was, or
// never, but calls no worker before notBefore. It returns a time that is not after the next
// firing.
func (w *Wheel) rearm(notBefore int64) (next int64) {
	w.mu.Lock()
	epoch := w.clearAlarm()
	w.mu.Unlock()

	next, anyway, began, due := w.nextWake()

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.alarm.epoch != epoch {
		return next // the alarm was cleared again: that goroutine looks at the shards after this one
	}
	if w.mayHire() {
		anyway = min(anyway, max(next, notBefore))
	}
	if w.lookForStalls != nil {
		anyway = min(anyway, w.plan(began, due))
	}
	w.setAlarm(anyway)
	if w.alarm.at.Load() == never {
		w.stopAlarm()
		w.noteDeserted()
	}
	return next
}

// nextWake returns a time that is not after the next handler's firing, and the time at which
// the alarm must ring for an own firing even if no worker may be hired, unless a goroutine is
// firing these and makes progress. With OnStall it also returns what plan must know.
func (w *Wheel) nextWake() (next, anyway, began, due int64) {
	next, anyway, began, due = never, never, never, never
	if w.lines.unserved.Load() > 0 {
		next = 0
	}
	for set := w.occupied.Load(); set != 0; set &= set - 1 {
		sh := w.shards[bits.TrailingZeros64(set)]
		sh.lock()
		next = min(next, sh.nextWake())
		anyway = min(anyway, max(sh.nextOwn(), w.ownBusy.Load()))
		if w.lookForStalls != nil {
			began, due = min(began, sh.watches.began()), min(due, sh.firstDue())
		}
		sh.vacate()
		sh.unlock()
	}
	return next, anyway, began, due
}
