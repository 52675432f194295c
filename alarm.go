package timerwheel

import (
	"math"
	"sync/atomic"
	"time"

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
// A goroutine from a bubble that the wheel was not made in never sets the alarm (restoreAlarm).
//
// The same holds of the lines that no worker serves (lines.go), with Wheel.mu in place of the
// shard's lock. A timer in a line that a worker serves needs no wake-up.
//
// It holds because the alarm is only ever set earlier, with one exception: clear it first,
// then look at each shard, then set it. Register, and the end of a run that puts its timer back
// (finish), change the shard first and then read the alarm; rearm clears the alarm first and
// then reads the shards. So at least one of the two sees what the other did. And no wake-up is
// left over: the alarm is set to an earlier time only under the lock of the shard that needs
// it, so a deletion that empties the shard comes after, and stops it.
//
// Wheel.mu guards the alarm; at is read without it.
type alarm struct {
	timer  *time.Timer
	at     atomic.Int64          // when it rings, ns since base; never: not before it is set
	target atomic.Pointer[Wheel] // the wheel that it calls; nil while it is not set
	epoch  uint64                // counts the clearings
	rings  int                   // callbacks that will come, or have begun and are no members yet
}

// newAlarm makes the runtime timer at once, not when it is first needed, so that it belongs
// to the synctest bubble in which the wheel was made. The timer knows the wheel only while
// it is set: the runtime may remember a stopped timer for long, and must not remember the
// wheel with it.
//
// A Manual wheel has no alarm. Its host asks Next, and at is the time until which it may
// sleep, as far as it knows, if it wants to hear of an earlier one (OnNext: on_next.go).
// Otherwise, and while it is awake, nothing is earlier than the time that at gives.
func newAlarm(manual bool) *alarm {
	a := new(alarm)
	if manual {
		a.at.Store(math.MinInt64)
		return a
	}
	a.at.Store(never)
	a.timer = time.AfterFunc(math.MaxInt64, a.call)
	a.timer.Stop()
	return a
}

// call is what the runtime timer calls, on a goroutine of its own.
func (a *alarm) call() {
	hook.Begins("the alarm's call")
	a.target.Load().onAlarm()
}

// wakeBy makes sure that the wheel is awake at a time. Holds the lock of the shard that
// needs it: so a call that empties the shard, and stops the alarm, comes after.
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
	w.alarm.target.Store(w)
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
	if w.alarm.rings == 0 {
		w.alarm.target.Store(nil)
	}
}

// clearAlarm makes every call that registers a timer set the alarm, until the goroutine
// that clears it has looked at the shards. Holds mu.
func (w *Wheel) clearAlarm() (epoch uint64) {
	w.alarm.at.Store(never)
	w.alarm.epoch++
	return w.alarm.epoch
}

// restoreAlarm undoes clearAlarm, in the same critical section, for a goroutine that must not set
// the alarm, as its clock is that of another bubble: so the alarm rings too early, and sets itself.
// Holds mu.
func (w *Wheel) restoreAlarm(before int64) {
	w.alarm.at.Store(before)
	w.alarm.epoch--
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
	for _, sh := range w.shards {
		sh.lock()
		next = min(next, sh.nextWake())
		anyway = min(anyway, max(sh.nextOwn(), w.ownBusy.Load()))
		if w.lookForStalls != nil {
			began, due = min(began, sh.watches.began()), min(due, sh.firstDue())
		}
		sh.unlock()
	}
	return next, anyway, began, due
}

// quiesce stops the alarm after a deletion that has drained a shard, if nothing pends any
// more on any: such a wheel is not woken. Of two calls that drain the last two shards at
// once, the later one sees both drained.
//
// Where the wheel has no goroutine, so that none may have stalled, the shards need not be
// locked: on a wheel on which one timer comes and goes that saves a lock for each shard
// (BenchmarkAfterFuncStop, others=0).
func (w *Wheel) quiesce() {
	if w.manual || w.busy() {
		return
	}
	w.mu.Lock()
	before := w.alarm.at.Load()
	w.clearAlarm()
	if len(w.members)+w.starting > 0 || w.busy() || len(w.stalls.queue) > 0 {
		if w.isForeign(w.elapsed()) {
			w.restoreAlarm(before)
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		w.rearm(0)
		return
	}
	w.stopAlarm()
	w.noteDeserted()
	w.mu.Unlock()
}

// busy reports whether something pends on some shard.
func (w *Wheel) busy() bool {
	for _, sh := range w.shards {
		if sh.busy.Load() {
			return true
		}
	}
	return false
}
