package timerwheel_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// A bubbleFixture is a wheel with what the verbs need: an idle timer, one that is pending, one whose
// handler runs, and a group with members like these.
type bubbleFixture struct {
	w                      *timerwheel.Wheel
	idle, pending, running timerwheel.Timer
	group                  *timerwheel.Group
	soon                   time.Time // before anything is due
	fired                  chan string
	open                   func()
}

// newBubbleFixture makes a wheel and all of it in the caller's bubble, or in none.
func newBubbleFixture(t *testing.T, o timerwheel.Options) *bubbleFixture {
	w := openWheel(t, o)
	x := &bubbleFixture{w: w, fired: make(chan string, 1), group: w.NewGroup(), soon: w.Now().Add(time.Minute)}
	begun, gate := make(chan struct{}), openedAtTheEnd(t)
	x.open = sync.OnceFunc(func() { close(gate) })
	x.idle = w.Alloc(func(timerwheel.Timer) { x.fired <- "idle" })
	x.pending = armed(w.Alloc(func(timerwheel.Timer) {}), time.Hour)
	armed(x.group.Alloc(func(timerwheel.Timer) {}), time.Hour)
	x.running = armed(x.group.Alloc(func(timerwheel.Timer) { close(begun); <-gate }), 0)
	if o.Manual {
		go w.Advance(w.Now())
	}
	<-begun
	return x
}

// A bubbleVerb is a call of a wheel's method.
type bubbleVerb struct {
	name string
	call func(*bubbleFixture)
}

// They arm, wait, advance, close, or make a timer.
var placedVerbs = []bubbleVerb{
	{"Alloc", func(x *bubbleFixture) { x.w.Alloc(func(timerwheel.Timer) {}) }},
	{"AllocArg", func(x *bubbleFixture) { x.w.AllocArg(func(timerwheel.Timer, any) {}, x) }},
	{"AllocLocked", func(x *bubbleFixture) { x.w.AllocLocked(new(sync.Mutex), func(timerwheel.Timer) {}) }},
	{"AfterFunc", func(x *bubbleFixture) { x.w.AfterFunc(time.Hour, func() {}) }},
	{"AfterFuncArg", func(x *bubbleFixture) { x.w.AfterFuncArg(0, func(any) {}, x) }},
	{"AfterFuncLocked", func(x *bubbleFixture) { x.w.AfterFuncLocked(new(sync.Mutex), 0, func() {}) }},
	{"Every", func(x *bubbleFixture) { x.w.Every(time.Hour, func(timerwheel.Timer) {}) }},
	{"Group.Alloc", func(x *bubbleFixture) { x.group.Alloc(func(timerwheel.Timer) {}) }},
	{"Group.AfterFunc", func(x *bubbleFixture) { x.group.AfterFunc(0, func() {}) }},
	{"Group.Every", func(x *bubbleFixture) { x.group.Every(time.Hour, func(timerwheel.Timer) {}) }},
	{"Register", func(x *bubbleFixture) { _ = x.idle.Register(0) }},
	{"Register of what is pending, later", func(x *bubbleFixture) { _ = x.pending.Register(2 * time.Hour) }},
	{"Register, never", func(x *bubbleFixture) { _ = x.idle.Register(1<<63 - 1) }},
	{"RegisterAt", func(x *bubbleFixture) { _ = x.idle.RegisterAt(time.Now()) }},
	{"RegisterAt of what is pending, later", func(x *bubbleFixture) { _ = x.pending.RegisterAt(x.w.Now().Add(3 * time.Hour)) }},
	{"RegisterAt a time that was read where the wheel was made", func(x *bubbleFixture) { _ = x.idle.RegisterAt(x.soon) }},
	{"RegisterAt, far", func(x *bubbleFixture) { _ = x.idle.RegisterAt(time.Now().AddDate(200, 0, 0)) }},
	{"RegisterWithin", func(x *bubbleFixture) { _ = x.idle.RegisterWithin(time.Hour, time.Minute) }},
	{"RegisterIdle", func(x *bubbleFixture) { _ = x.idle.RegisterIdle(time.Hour) }},
	{"Move", func(x *bubbleFixture) { x.pending.Move(time.Minute) }},
	{"Reduce", func(x *bubbleFixture) { _ = x.pending.Reduce(time.Minute) }},
	{"Reset", func(x *bubbleFixture) { x.pending.Reset(time.Minute) }},
	{"DelSync of what runs", func(x *bubbleFixture) { _, _ = x.running.DelSync() }},
	{"DelSyncContext, ended, of what runs", func(x *bubbleFixture) { _, _ = x.running.DelSyncContext(endedContext) }},
	{"ShutdownSync of what runs", func(x *bubbleFixture) { _, _ = x.running.ShutdownSync() }},
	{"DelAsync", func(x *bubbleFixture) { x.idle.DelAsync(func() {}) }},
	{"DelAsync of what runs", func(x *bubbleFixture) { x.running.DelAsync(func() {}) }},
	{"Group.DelSync", func(x *bubbleFixture) { _, _ = x.group.DelSync() }},
	{"Group.ShutdownSync", func(x *bubbleFixture) { _, _ = x.group.ShutdownSync() }},
	{"Close", func(x *bubbleFixture) { _ = x.w.Close() }},
	{"CloseContext, ended", func(x *bubbleFixture) { _ = x.w.CloseContext(endedContext) }},
}

// They remove firings, and may stop the wheel's runtime timer: which only its bubble may touch.
var removingVerbs = []bubbleVerb{
	{"Del", func(x *bubbleFixture) { x.pending.Del() }},
	{"Stop", func(x *bubbleFixture) { x.pending.Stop() }},
	{"Shutdown", func(x *bubbleFixture) { x.pending.Shutdown() }},
	{"DelSync of what is pending", func(x *bubbleFixture) { _, _ = x.pending.DelSync() }},
	{"Group.Del", func(x *bubbleFixture) { x.group.Del() }},
	{"Group.Shutdown", func(x *bubbleFixture) { x.group.Shutdown() }},
}

// They only look.
var lookingVerbs = []bubbleVerb{
	{"Pending", func(x *bubbleFixture) { x.pending.Pending() }},
	{"Running", func(x *bubbleFixture) { x.running.Running() }},
	{"Valid", func(x *bubbleFixture) { x.idle.Valid() }},
	{"When", func(x *bubbleFixture) { x.pending.When() }},
	{"String", func(x *bubbleFixture) { _ = x.idle.String() }},
	{"Stats", func(x *bubbleFixture) { x.w.Stats() }},
	{"Inspect", func(x *bubbleFixture) { x.w.Inspect() }},
	{"Wheel.Running", func(x *bubbleFixture) { x.w.Running() }},
	{"Next", func(x *bubbleFixture) { x.w.Next() }},
	{"Now", func(x *bubbleFixture) { x.w.Now() }},
	{"ReleaseLock", func(x *bubbleFixture) { _ = x.running.ReleaseLock() }},
	{"Retain, Free", func(x *bubbleFixture) { _, _ = x.idle.Retain(), x.idle.Free() }},
	{"Timers", func(x *bubbleFixture) {
		for range x.w.Timers() {
			return
		}
	}},
	{"Group.Free", func(x *bubbleFixture) { x.w.NewGroup().Free() }},
	{"NewGroup, Len", func(x *bubbleFixture) { x.w.NewGroup().Len() }},
}

// panicOf returns what f panics with.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// misplace makes the calls away from the wheel's bubble, and returns what was wrong with them. It
// leaves the checks that fail to the caller: this goroutine may be in another bubble than its t.
func (x *bubbleFixture) misplace(o timerwheel.Options, inBubble bool) (wrong []string) {
	note := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	before := x.w.Stats()
	verbs := placedVerbs
	if o.Manual {
		verbs = append(verbs[:len(verbs):len(verbs)], bubbleVerb{"Advance", func(x *bubbleFixture) {
			_, _ = x.w.Advance(x.w.Now().Add(time.Hour))
		}})
	}
	if inBubble {
		verbs = append(verbs[:len(verbs):len(verbs)], removingVerbs...)
	}
	for _, v := range verbs {
		text, _ := panicOf(func() { v.call(x) }).(string)
		note(containsAll(text, "testing/synctest bubble", "make the wheel in the bubble"),
			"%s: it panics with %q", v.name, text)
	}
	for _, v := range lookingVerbs {
		p := panicOf(func() { v.call(x) })
		note(p == nil, "%s panics: %v", v.name, p)
	}
	note(before == x.w.Stats(), "the counters have changed: %+v, %+v", before, x.w.Stats())
	return wrong
}

// requireAlive checks, where the wheel was made, that it works.
func (x *bubbleFixture) requireAlive(t *testing.T, o timerwheel.Options) {
	t.Helper()
	x.open()
	_, err := x.running.DelSync()
	require.NoError(t, err)
	require.NoError(t, x.idle.Register(0))
	if o.Manual {
		_, err := x.w.Advance(x.w.Now().Add(time.Millisecond))
		require.NoError(t, err)
	}
	require.Equal(t, "idle", receive(t, x.fired))
	require.NoError(t, x.w.Close())
}

var bubbleOptions = []struct {
	name string
	o    timerwheel.Options
}{
	{"a wheel", timerwheel.Options{}},
	{"with Debug", timerwheel.Options{Debug: true}},
	{"Manual", timerwheel.Options{Manual: true}},
	{"Manual, long ago", timerwheel.Options{Manual: true, Start: manualStart}},
}

// Promise 11: a wheel that was made outside of all bubbles refuses to be used in one, changes nothing,
// and works on.
func TestAWheelRefusesABubbleThatItWasNotMadeIn(t *testing.T) {
	for _, c := range bubbleOptions {
		t.Run(c.name, func(t *testing.T) {
			x := newBubbleFixture(t, c.o)
			synctest.Test(t, func(t *testing.T) {
				require.Empty(t, x.misplace(c.o, false))
				time.Sleep(200 * 366 * 24 * time.Hour) // to a time after the wheel was made
				require.Empty(t, x.misplace(c.o, false))
			})
			x.requireAlive(t, c.o)
		})
	}
}

// Promise 11: a wheel that was made in a bubble refuses to be used outside of it and in another one,
// however alike their clocks are, changes nothing, and works on.
func TestAWheelOfABubbleRefusesOthers(t *testing.T) {
	for _, c := range bubbleOptions {
		for _, away := range []struct {
			name string
			do   func(t *testing.T, f func())
		}{
			{"outside", func(_ *testing.T, f func()) { f() }},
			{"in another bubble", func(t *testing.T, f func()) { synctest.Test(t, func(*testing.T) { f() }) }},
		} {
			t.Run(c.name+"/"+away.name, func(t *testing.T) {
				calls, done := make(chan func()), make(chan struct{}) // of no bubble: so their waits hold its clock
				go func() {
					defer close(done)
					for f := range calls {
						away.do(t, f)
						done <- struct{}{}
					}
				}()
				synctest.Test(t, func(t *testing.T) {
					x := newBubbleFixture(t, c.o)
					var wrong []string
					calls <- func() { wrong = x.misplace(c.o, true) }
					<-done
					require.Empty(t, wrong)
					x.requireAlive(t, c.o)
				})
				close(calls)
				<-done
			})
		}
	}
}

// Promise 11: in a bubble, firings of a wheel that was made outside can be removed. The alarm for what
// remains is not lost: it does not go by the bubble's clock.
func TestFiringsCanBeRemovedInABubble(t *testing.T) {
	for _, v := range removingVerbs {
		t.Run(v.name, func(t *testing.T) {
			stalled := make(chan struct{})
			w := openWheel(t, timerwheel.Options{
				OnStall:    func(timerwheel.Stall) { close(stalled) },
				StallAfter: 200 * time.Millisecond,
			})
			x := &bubbleFixture{w: w, group: w.NewGroup()}
			x.pending = armed(x.group.Alloc(func(timerwheel.Timer) {}), time.Hour)
			begun, gate := make(chan struct{}), openedAtTheEnd(t)
			w.AfterFunc(0, func() { close(begun); <-gate })
			receive(t, begun)
			synctest.Test(t, func(*testing.T) { v.call(x) })
			require.False(t, x.pending.Pending())
			receive(t, stalled)
		})
	}
}

// Promise 11: what a misuse that only looks reports from another bubble does not make that bubble's
// goroutines the wheel's.
func TestAMisuseInAnotherBubbleIsReportedThere(t *testing.T) {
	reported := make(chan error, 1)
	w := openWheel(t, timerwheel.Options{Debug: true, OnMisuse: func(err error) { reported <- err }})
	tm := w.Alloc(func(timerwheel.Timer) {})
	require.NoError(t, tm.Free())
	synctest.Test(t, func(*testing.T) { _ = tm.Free() })
	require.ErrorIs(t, receive(t, reported), timerwheel.ErrStale)
	require.NoError(t, w.CloseContext(context.Background()))
}

// Promise 11: what is due at once begins at once in a bubble, also while the bubble's clock cannot move,
// because a goroutine waits for a mutex. The alarm has been set before, and is set for later.
func TestWhatIsDueAtOnceDoesNotWaitForABubblesClock(t *testing.T) {
	alloc := func(w *timerwheel.Wheel, f func()) timerwheel.Timer { return w.Alloc(func(timerwheel.Timer) { f() }) }
	for _, c := range []struct {
		name string
		arm  func(w *timerwheel.Wheel, f func())
	}{
		{"AfterFunc", func(w *timerwheel.Wheel, f func()) { w.AfterFunc(0, f) }},
		{"Register", func(w *timerwheel.Wheel, f func()) { _ = alloc(w, f).Register(-1) }},
		{"RegisterAt", func(w *timerwheel.Wheel, f func()) { _ = alloc(w, f).RegisterAt(time.Now().Add(-time.Second)) }},
		{"Reset", func(w *timerwheel.Wheel, f func()) { w.AfterFunc(time.Minute, f).Reset(0) }},
		{"a member", func(w *timerwheel.Wheel, f func()) { w.NewGroup().AfterFunc(0, f) }},
		{"done of a DelAsync", func(w *timerwheel.Wheel, f func()) { alloc(w, func() {}).DelAsync(f) }},
		{"due again at the end of a run", func(w *timerwheel.Wheel, f func()) {
			runs := 0
			_ = w.Alloc(func(tm timerwheel.Timer) {
				if runs++; runs == 1 {
					_ = tm.Register(0)
					return
				}
				f()
			}).Register(0)
		}},
		{"Every, moved to now", func(w *timerwheel.Wheel, f func()) {
			_ = w.Every(time.Hour, func(tm timerwheel.Timer) { tm.Del(); f() }).Register(0)
		}},
	} {
		bubble(t, c.name, timerwheel.Options{}, func(_ *testing.T, w *timerwheel.Wheel) {
			w.AfterFunc(0, func() {})
			w.AfterFunc(time.Hour, func() {})
			time.Sleep(time.Second)
			var mu sync.Mutex
			mu.Lock()
			c.arm(w, mu.Unlock)
			mu.Lock()
		})
	}
}

// Promise 11: nor do others that are due with it, whatever these wait for: a channel, a lock, a mutex that
// only the last of them unlocks.
func TestWhatBlocksAtOnceHoldsUpNothingInABubble(t *testing.T) {
	for name, wait := range map[string]func(end <-chan struct{}, mu *sync.Mutex){
		"channel": func(end <-chan struct{}, _ *sync.Mutex) { <-end },
		"mutex":   func(_ <-chan struct{}, mu *sync.Mutex) { mu.Lock(); defer mu.Unlock() },
	} {
		for _, n := range []int{1, 2, 3, 7, 40, 255} {
			for _, first := range []bool{false, true} {
				bubble(t, fmt.Sprintf("%d wait for a %s/the last comes with them %v", n, name, !first), timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
					time.Sleep(time.Second)
					end := make(chan struct{})
					var mu sync.Mutex
					mu.Lock()
					for range n {
						w.AfterFunc(0, func() { wait(end, &mu) })
					}
					if first && name == "channel" {
						synctest.Wait()
					}
					w.AfterFunc(0, mu.Unlock)
					mu.Lock()
					close(end)
					mu.Unlock()
				})
			}
		}
	}
}

// Promise 11.25: of handlers that are due at the same time and do not wait, one runs after the other in a
// bubble, whatever else competes for the processors: a test of the user's goes the same way each time.
func TestHandlersThatComputeInABubbleRunOneByOne(t *testing.T) {
	bubble(t, "", timerwheel.Options{}, func(t *testing.T, w *timerwheel.Wheel) {
		running := 0 // without a lock: the race detector would see two at once
		most := 0
		for range 200 {
			w.AfterFunc(time.Second, func() {
				running++
				most = max(most, running)
				for range 2000 { // the watcher yields less often
					runtime.Gosched()
				}
				running--
			})
		}
		elapse(time.Minute)
		require.Equal(t, 1, most)
	})
}

// Promise 11.24: a deletion from a bubble, of the timer that shows that a wheel is saturated, leaves the
// alarm of what is pending where it was.
func TestADeletionInABubbleOfASaturatedWheelsTimer(t *testing.T) {
	saturated := make(chan bool, 8)
	w := openWheel(t, timerwheel.Options{MaxWorkers: 1, StallAfter: 20 * time.Millisecond, OnStall: func(s timerwheel.Stall) {
		if s.Kind == timerwheel.Saturated {
			saturated <- true
		}
	}})
	begun, release := make(chan bool), openedAtTheEnd(t)
	w.AfterFunc(0, func() { begun <- true; <-release })
	receive(t, begun)
	inLine := w.AfterFunc(0, func() {})
	receive(t, saturated)
	f := newOwnFiring(nil)
	f.arm(w, time.Second/2) // later than the deletion, also on a busy machine
	synctest.Test(t, func(t *testing.T) { require.Equal(t, foundPending, inLine.Del()) })
	eventually(t, "the own firing comes", func() bool { return f.fired.Load() == 1 })
}
