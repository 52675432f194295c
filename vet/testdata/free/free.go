// Package free uses handles whose timers have ended. // want package:"functions"
package free

import (
	"context"
	"errors"
	"time"

	"github.com/seed76848005/timerwheel"
)

func straight(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	t.Register(time.Second)
	t.Free()
	t.Register(time.Second) // want `Register of the timer after its Free \(free.go:15\): the timer has no owner, so it may be recycled already. Free it last`
	t.Reset(time.Second)    // want `Reset of the timer after its Free`
	t.Retain()              // want `Retain of the timer after its Free`
	t.Free()                // want `the timer is freed twice \(first at free.go:15\): the second Free drops the reference of another owner, or returns ErrStale`
	t.Del()
	t.DelSync()
}

func paths(w *timerwheel.Wheel, f func(timerwheel.Timer), early bool) {
	t := w.Alloc(f)
	if early {
		t.Free()
		return
	}
	t.Register(time.Second)
	t.Free()
}

func onOnePath(w *timerwheel.Wheel, f func(timerwheel.Timer), early bool) {
	t := w.Alloc(f)
	if early {
		t.Free()
	}
	t.Register(time.Second) // want `Register of the timer after its Free`
}

func deferred(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	defer t.Free()
	t.Register(time.Second)
}

func deferredTwice(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	defer t.Free() // want `the timer is freed twice`
	t.Register(time.Second)
	t.Free()
}

func twoOwners(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	t.Retain()
	t.Free()
	t.Register(time.Second)
	t.Free()
	t.Free() // want `freed twice`
}

type conn struct {
	idle   timerwheel.Timer
	shared timerwheel.Timer
	wheel  *timerwheel.Wheel
}

func (c *conn) field() {
	c.idle.Free()
	c.idle.Register(time.Second) // want `Register of conn.idle after its Free`
}

func (c *conn) replaced() {
	c.idle.Free()
	c.idle = c.wheel.Alloc(func(timerwheel.Timer) {})
	c.idle.Register(time.Second)
	c.renew()
	c.idle.Register(time.Second)
	c.idle.Free()
	c.renew()
	c.idle.Register(time.Second)
}

func (c *conn) renew() { c.idle = c.wheel.Alloc(func(timerwheel.Timer) {}) }

func (c *conn) swapped() {
	old := c.idle
	c.idle = c.wheel.Alloc(func(timerwheel.Timer) {})
	old.Free()
	c.idle.Free()
}

func (c *conn) copied() {
	t := c.wheel.Alloc(func(timerwheel.Timer) {})
	c.idle = t
	t.Free()
	c.idle.Free() // want `conn.idle is freed twice`
}

func (c *conn) own() { c.shared.Retain() }

func (c *conn) drop() {
	c.shared.Free()
	c.shared.Register(time.Second) // it may have another owner
}

func loop(ts []timerwheel.Timer, m map[int]timerwheel.Timer, cs []*conn) {
	for _, t := range ts {
		t.Free()
	}
	for i := range ts {
		ts[i].Free()
	}
	for _, t := range m {
		t.Free()
	}
	for _, c := range cs {
		c.idle.Free()
	}
}

func loopWrong(t timerwheel.Timer) {
	for range 2 {
		t.Free() // want `t is freed twice`
	}
}

func loopRight(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	for range 2 {
		t := w.Alloc(f)
		t.Register(time.Second)
		t.Free()
	}
}

type list struct {
	next  *list
	timer timerwheel.Timer
}

func (l *list) free() {
	for e := l; e != nil; e = e.next {
		e.timer.Free()
	}
}

// In the timer's own handler the handle is valid, even after a Free.
func handler(w *timerwheel.Wheel) timerwheel.Timer {
	return w.Alloc(func(t timerwheel.Timer) {
		t.Free()
		t.Register(time.Second)
		t.Free() // want `t is freed twice`
	})
}

// The code checks the result.
func asked(t timerwheel.Timer) {
	t.Free()
	if err := t.Free(); errors.Is(err, timerwheel.ErrStale) {
		return
	}
}

func afterFunc(w *timerwheel.Wheel, f func()) {
	t := w.AfterFunc(time.Second, f)
	t.Reset(time.Minute) // postponed while pending
	t.Stop()
	t.Reset(time.Second)    // want `Reset of the timer, a Timer from AfterFunc that was deleted by Stop \(free.go:\d+\): it has ended for good, and nothing is armed. Make a timer that is used again with Alloc`
	t.Register(time.Second) // want `Register of the timer, a Timer from AfterFunc`
	if !t.Reset(time.Second) {
		t = w.AfterFunc(time.Second, f)
	}
	t.Reset(time.Second)
}

// A Shutdown waits for no handler, but the timer refuses to be armed from then on.
func shutDown(w *timerwheel.Wheel, f func()) {
	t := w.AfterFunc(time.Second, f)
	t.Shutdown()
	t.Register(time.Second) // want `Register of the timer, a Timer from AfterFunc that was shut down by Shutdown \(free.go:\d+\): it has ended for good, and nothing is armed`
	t.Reset(time.Second)    // want `Reset of the timer, a Timer from AfterFunc that was shut down by Shutdown`
	t.Shutdown()
	t.DelSync()
}

func shutDownSync(w *timerwheel.Wheel, f func()) {
	t := w.AfterFunc(time.Second, f)
	t.ShutdownSync()
	t.Register(time.Second) // want `Register of the timer, a Timer from AfterFunc that was shut down by ShutdownSync`
	u := w.AfterFunc(time.Second, f)
	u.ShutdownSyncContext(context.Background())
	u.Register(time.Second) // want `Register of the timer, a Timer from AfterFunc that was shut down by ShutdownSyncContext`
}

func allocated(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	t.Stop()
	t.Reset(time.Second)
	t.DelSync()
	t.Register(time.Second)
}

func afterFuncAgain(w *timerwheel.Wheel, f func(), again bool) {
	t := w.AfterFunc(time.Second, f)
	if again {
		t.Stop()
		t = w.AfterFunc(time.Second, f)
	}
	t.Reset(time.Second)
}

func fired(w *timerwheel.Wheel) {
	c := make(chan struct{})
	t := w.AfterFunc(time.Second, func() { c <- struct{}{} })
	for {
		<-c
		t.Reset(time.Second) // want `Reset of the timer, a Timer from AfterFunc that has fired \(free.go:\d+\)`
	}
}

func firedAllocated(w *timerwheel.Wheel) {
	c := make(chan struct{})
	t := w.Alloc(func(timerwheel.Timer) { c <- struct{}{} })
	for {
		t.Reset(time.Second)
		<-c
	}
}

type ticker struct{ t timerwheel.Timer }

func (k *ticker) start(w *timerwheel.Wheel) {
	k.t = w.Every(time.Second, func(t timerwheel.Timer) {
		t.Stop()
		t.Reset(time.Minute) // it exists while its handler runs
	})
}

func (k *ticker) restart() {
	k.t.DelSync()
	k.t.Register(time.Second) // want `Register of ticker.t, a Timer from AfterFunc that was deleted by DelSync`
}

// Each is freed when the next one exists.
func relay(w *timerwheel.Wheel, n int) {
	last := w.Alloc(func(timerwheel.Timer) {})
	defer func() { last.Free() }()
	for range n {
		next := w.Alloc(func(timerwheel.Timer) {})
		last.Free()
		next.Register(time.Second)
		last = next
	}
}

// Retained under another name.
func renamed(w *timerwheel.Wheel) {
	t := w.Alloc(func(timerwheel.Timer) {})
	t.Free()
	for _, other := range []timerwheel.Timer{t, w.AfterFunc(time.Second, func() {})} {
		other.Retain()
	}
	t.Register(time.Second)
}

func idle(w *timerwheel.Wheel, f func(timerwheel.Timer)) {
	t := w.Alloc(f)
	t.RegisterIdle(time.Minute)
	t.Touch()
	t.Free()
	t.RegisterIdle(time.Minute)             // want `RegisterIdle of the timer after its Free`
	t.Touch()                               // want `Touch of the timer after its Free`
	t.Move(time.Minute)                     // want `Move of the timer after its Free`
	if !t.Touch() || !t.Move(time.Minute) { // a stale handle says so
		return
	}
}

// The result is returned, and says nothing that the code did not know.
func returned(w *timerwheel.Wheel, f func()) bool {
	t := w.AfterFunc(time.Second, f)
	t.Stop()
	return t.Reset(time.Second) // want `Reset of the timer, a Timer from AfterFunc that was deleted by Stop`
}

func (k *postponed) returned() (bool, error) {
	k.t.Stop()
	return k.t.Move(time.Second), nil // want `Move of postponed.t, a Timer from AfterFunc that was deleted by Stop`
}

func (k *postponed) tested() string {
	k.t.Stop()
	ok := k.t.Reset(time.Second)
	if ok {
		return "armed"
	}
	return "gone"
}

// From AfterFunc, kept in a field, and armed in another function: it may have fired.
type postponed struct {
	wheel       *timerwheel.Wheel
	t, every, o timerwheel.Timer
	both        timerwheel.Timer
}

var watchdog timerwheel.Timer

func (k *postponed) start() {
	k.t = k.wheel.AfterFunc(time.Second, k.fire)
	k.every = k.wheel.Every(time.Second, func(timerwheel.Timer) {})
	k.o = k.wheel.Alloc(func(timerwheel.Timer) {})
	k.both = k.wheel.AfterFunc(time.Second, func() {})
	k.both = k.wheel.Alloc(func(timerwheel.Timer) {})
	watchdog = k.wheel.AfterFunc(time.Second, func() {})
	k.t.Reset(time.Minute) // the function has just made it
}

func (k *postponed) fire() {
	k.t.Reset(time.Second) // in its handler it exists
	k.again()
}

func (k *postponed) again() { k.t.Reset(time.Second) }

func (k *postponed) wrong() {
	k.t.Reset(time.Second)      // want `Reset of postponed.t, a Timer from AfterFunc \(free.go:\d+\): it arms nothing once the timer has fired or was stopped, and the result is not looked at. Use Move to postpone only what is pending, or make the timer with Alloc`
	k.t.Register(time.Second)   // want `Register of postponed.t, a Timer from AfterFunc`
	watchdog.Reset(time.Minute) // want `Reset of watchdog, a Timer from AfterFunc`
	defer k.t.Reduce(0)         // want `Reduce of postponed.t, a Timer from AfterFunc`
}

func (k *postponed) right() error {
	k.t.Move(time.Second)
	k.every.Reset(time.Second)
	k.o.Reset(time.Second)
	k.both.Reset(time.Second)
	if !k.t.Reset(time.Second) {
		return errors.New("too late")
	}
	return k.t.Register(time.Second)
}

func (k *postponed) renewed() {
	if !k.t.Move(time.Second) {
		k.t = k.wheel.AfterFunc(time.Second, k.fire)
	}
	k.t.Reset(time.Second)
}

// A Free in a called function.
type held struct {
	wheel     *timerwheel.Wheel
	t, u      timerwheel.Timer
	retained  timerwheel.Timer
	sometimes bool
}

func (c *held) close() { c.t.Free() }

func (c *held) closeAll() {
	c.close()
	release(c.u)
}

func release(t timerwheel.Timer) { t.Free() }

func (c *held) renew() {
	c.t.Free()
	c.t = c.wheel.Alloc(func(timerwheel.Timer) {})
}

func (c *held) clear() {
	c.t.Free()
	c.t = timerwheel.Timer{}
}

func (c *held) mayClose() {
	if c.sometimes {
		c.t.Free()
	}
}

func (c *held) mayKeep() {
	if c.sometimes {
		return
	}
	c.t.Free()
}

func (c *held) eitherCloses() {
	if c.sometimes {
		c.t.Free()
		return
	}
	c.close()
}

func (c *held) wrongByCallee() {
	c.close()
	c.t.Register(time.Second) // want `Register of held.t after its Free \(free.go:\d+\)`
}

func (c *held) wrongTwice() {
	c.t.Free()
	c.close() // want `held.t is freed twice \(first at free.go:\d+, by close\)`
}

func (c *held) wrongByTwoCallees() {
	c.closeAll()
	c.u.Register(time.Second) // want `Register of held.u after its Free`
	c.t.Free()                // want `held.t is freed twice`
}

func (c *held) wrongByEither() {
	c.eitherCloses()
	c.t.Register(time.Second) // want `Register of held.t after its Free`
}

func wrongPassed(w *timerwheel.Wheel) {
	t := w.Alloc(func(timerwheel.Timer) {})
	release(t)
	t.Register(time.Second) // want `Register of the timer after its Free`
	t.Free()                // want `the timer is freed twice`
}

// As a deferred Close that a second one follows.
func (c *held) rightTwice() {
	defer c.close()
	c.close()
}

func wrongDeferred(w *timerwheel.Wheel) {
	t := w.Alloc(func(timerwheel.Timer) {})
	defer release(t) // want `the timer is freed twice`
	t.Free()
}

func (c *held) rightByCallee(other *held) {
	c.renew()
	c.t.Register(time.Second)
	c.clear()
	c.t.Free()
	other.close()
	c.u.Register(time.Second)
	go release(c.u)
	c.u.Register(time.Second)
}

func (c *held) rightSometimes() {
	c.mayClose()
	c.t.Register(time.Second)
	c.mayKeep()
	c.t.Register(time.Second)
}

func rightOrder(w *timerwheel.Wheel) {
	t := w.Alloc(func(timerwheel.Timer) {})
	defer release(t)
	t.Register(time.Second)
}

func rightOwners(w *timerwheel.Wheel) {
	t := w.Alloc(func(timerwheel.Timer) {})
	t.Retain()
	release(t)
	t.Register(time.Second)
	t.Free()
}

func (c *held) own() { c.retained.Retain() }

func (c *held) rightRetained() {
	release(c.retained)
	c.retained.Register(time.Second)
}

func rightEach(cs []*held) {
	for _, c := range cs {
		c.close()
	}
}
