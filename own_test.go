package timerwheel_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/own"
	"github.com/stretchr/testify/require"
)

// An ownFiring counts what the wheel does with it.
type ownFiring struct {
	own.Firing
	fired, handed atomic.Int32
	left          time.Duration
	hasTime       bool
	user          func()
	onHandOver    func()
}

func newOwnFiring(user func()) *ownFiring {
	f := &ownFiring{user: user}
	f.Owner = f
	if user != nil {
		f.User = user
	}
	return f
}

func (f *ownFiring) Fire() {
	f.fired.Add(1)
	if f.user != nil {
		f.user()
	}
}

func (f *ownFiring) HandOver(left time.Duration, hasTime bool) {
	f.handed.Add(1)
	f.left, f.hasTime = left, hasTime
	if f.onHandOver != nil {
		f.onHandOver()
	}
}

func (f *ownFiring) arm(w *timerwheel.Wheel, d time.Duration) timerwheel.Timer {
	return w.AfterFuncArg(d, own.Fire, &f.Firing)
}

// Promise 11.18: the library's own firings need none of MaxWorkers: they happen in time while
// all workers are blocked, and others are in line; near ones, far ones, and those that were
// moved.
func TestOwnFiringsNeedNoWorker(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{MaxWorkers: 2})
		end := make(chan struct{})
		defer close(end)
		for range 5 {
			w.AfterFunc(0, func() { <-end })
		}
		synctest.Wait()
		for _, d := range []time.Duration{time.Nanosecond, time.Millisecond, 50 * time.Millisecond, 5 * time.Second, 7 * time.Hour} {
			firings := []*ownFiring{newOwnFiring(nil), newOwnFiring(nil), newOwnFiring(nil)}
			firings[0].arm(w, d)
			require.True(t, firings[1].arm(w, 2*d).Reset(d), "moved to earlier")
			require.True(t, firings[2].arm(w, time.Hour).Reset(d), "moved to earlier, or later")
			time.Sleep(d - 1)
			for _, f := range firings {
				require.Zero(t, f.fired.Load(), "%v: early", d)
			}
			time.Sleep(2*time.Millisecond + 1)
			synctest.Wait()
			for _, f := range firings {
				require.EqualValues(t, 1, f.fired.Load(), "%v: late", d)
			}
		}
		require.Len(t, w.Running(), 2)
	})
}

// Promises 11.18 and 9.16: own firings count in Registered, Fired, Pending and Due, not in Running, and
// need none of MaxWorkers; those that are handed over at Close count in Removed.
func TestOwnFiringsAreCounted(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		firings := make([]*ownFiring, 10)
		for k := range firings {
			firings[k] = newOwnFiring(nil)
			firings[k].arm(w, time.Duration(k/5)*time.Hour+time.Second)
		}
		s := w.Stats()
		require.Equal(t, []int{10, 10, 0}, []int{s.Live, s.Pending, s.Running})
		pending := 0
		in := w.Inspect()
		for _, level := range in.Levels {
			for _, n := range level.Timers {
				pending += n
			}
		}
		require.Equal(t, 10, pending+in.Due)
		next, ok := w.Next()
		require.True(t, ok)
		require.LessOrEqual(t, time.Until(next), time.Second)

		time.Sleep(time.Minute)
		synctest.Wait()
		require.NoError(t, w.Close())
		s = w.Stats()
		require.Equal(t, []uint64{10, 5, 5}, []uint64{s.Registered, s.Fired, s.Removed})
		require.Equal(t, []int{0, 0, 0}, []int{s.Live, s.Pending, s.Running})
		for k, f := range firings {
			require.Equal(t, k < 5, f.fired.Load() == 1)
			require.Equal(t, k >= 5, f.handed.Load() == 1)
			if k >= 5 {
				require.True(t, f.hasTime)
				require.Equal(t, time.Hour+time.Second-time.Minute, f.left)
			}
		}
		require.Equal(t, timerwheel.Timer{}, newOwnFiring(nil).arm(w, 0))
		require.EqualValues(t, 1, w.Stats().Refused)
	})
}

// Promise 11.18: the functions of stdtime.AfterFunc are the user's: they need a worker. The
// wheel reports them by the user's function, and hands them over as the others, with Debug,
// too.
func TestOwnFiringsOfUsersFunctionsNeedAWorker(t *testing.T) {
	for _, debug := range []bool{false, true} {
		guarded(t, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{MaxWorkers: 1, Debug: debug})
			end := make(chan struct{})
			first, second := newOwnFiring(func() { <-end }), newOwnFiring(func() {})
			first.arm(w, 0)
			synctest.Wait()
			second.arm(w, 0)
			time.Sleep(time.Second)
			require.Zero(t, second.fired.Load())
			runs := w.Inspect().Runs
			require.Len(t, runs, 1)
			require.Contains(t, runs[0].Handler, "TestOwnFiringsOfUsersFunctionsNeedAWorker")
			go close(end)
			require.NoError(t, w.Close())
			require.EqualValues(t, 1, second.handed.Load()+second.fired.Load())
		})
	}
}

// On a Manual wheel own firings are ordinary timers: they fire in Advance, in their order among
// the others; and Close tells them that there is no time any more.
func TestOwnFiringsOfAManualWheel(t *testing.T) {
	w := openManual(t, time.Millisecond)
	var order []int
	for k := range 5 {
		w.AfterFunc(time.Duration(2*k)*time.Millisecond, func() { order = append(order, 2*k) })
		newOwnFiring(func() { order = append(order, 2*k+1) }).arm(w, time.Duration(2*k+1)*time.Millisecond)
	}
	left := newOwnFiring(nil)
	left.arm(w, time.Hour)
	fired, err := w.Advance(w.Now().Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, 10, fired)
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, order)
	require.NoError(t, w.Close())
	require.EqualValues(t, 1, left.handed.Load())
	require.False(t, left.hasTime)
}

// The wheel's memory goes with own firings as with others: nothing is left of them on a wheel on
// which nothing is pending, and a firing that was deleted does not happen.
func TestDeletedOwnFiringsDoNotHappen(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var fired atomic.Int32
		for k := range 300 {
			f := newOwnFiring(nil)
			tm := f.arm(w, time.Duration(k)*time.Millisecond)
			if k%3 > 0 {
				require.True(t, tm.Stop())
			} else {
				fired.Add(1)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		s := w.Stats()
		require.EqualValues(t, fired.Load(), s.Fired)
		require.Zero(t, s.Live)
	})
}

// The time that is left is that of the moment at which the firing is handed over, however long
// the others before it take.
func TestEachOwnFiringIsHandedTheTimeThatIsLeft(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		start := time.Now()
		var ends []time.Duration
		for range 10 {
			f := newOwnFiring(nil)
			f.onHandOver = func() { ends = append(ends, time.Since(start)+f.left); time.Sleep(time.Second) }
			f.arm(w, time.Hour)
		}
		require.NoError(t, w.Close())
		require.Len(t, ends, 10)
		for _, end := range ends {
			require.Equal(t, time.Hour, end)
		}
	})
}

// An owner may block, though it should not: it may call a method of a context of the user's. That
// delays the others by half a tick and holds one goroutine, not more.
func TestABlockedOwnFiringDelaysTheOthersByHalfATick(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		end := make(chan struct{})
		blocked := newOwnFiring(func() { <-end })
		blocked.Firing.User = nil
		var late time.Duration
		var fired int
		var handlers atomic.Int32
		start := time.Now()
		const n = 100
		for k := range n {
			f := newOwnFiring(func() { fired++; late = max(late, time.Since(start)-time.Second) })
			f.Firing.User = nil
			f.arm(w, time.Second)
			w.AfterFunc(time.Second, func() { handlers.Add(1) })
			if k == n/2 {
				blocked.arm(w, time.Second)
			}
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		require.Equal(t, n, fired)
		require.EqualValues(t, n, handlers.Load())
		require.LessOrEqual(t, late, time.Millisecond/2)
		require.Equal(t, 1, w.Stats().Workers)
		close(end)
		time.Sleep(time.Second)
	})
}

// One own firing after the other that is due at once is fired at once: no time passes.
func TestOwnFiringsThatAreDueAtOnceFireAtOnce(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		for range 10 {
			f := newOwnFiring(nil)
			f.arm(w, 0)
			synctest.Wait()
			require.EqualValues(t, 1, f.fired.Load())
		}
	})
}

// As long as one goroutine fires own firings and makes progress, no other does, however many are
// due. One that was blocked leaves them to the goroutine that has taken over. Handlers do not wait
// for it.
func TestOneGoroutineFiresOwnFirings(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		var firing, most, fired atomic.Int32
		const n = 1000
		for k := range n {
			f := newOwnFiring(func() {
				defer fired.Add(1)
				if k == n/2 {
					time.Sleep(5 * time.Millisecond)
					return
				}
				most.Store(max(most.Load(), firing.Add(1)))
				time.Sleep(time.Millisecond / 8)
				firing.Add(-1)
			})
			f.Firing.User = nil
			f.arm(w, time.Second)
		}
		var late time.Duration
		start := time.Now()
		for k := range 10 {
			d := time.Second + time.Duration(k)*10*time.Millisecond
			w.AfterFunc(d, func() { late = max(late, time.Since(start)-d) })
		}
		time.Sleep(time.Second + n*time.Millisecond/8 + time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, n, fired.Load())
		require.EqualValues(t, 1, most.Load())
		require.LessOrEqual(t, late, time.Millisecond)
	})
}

// A method of a context of the user's may end the goroutine (runtime.Goexit). Another goroutine
// fires the others, at most half a tick later, and Close does not wait for the one that has ended.
func TestAGoexitInAnOwnFiringDelaysTheOthersByHalfATick(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := openWheel(t, timerwheel.Options{})
		start, late, fired := time.Now(), time.Duration(0), 0
		const n = 5
		for range n {
			ends := newOwnFiring(runtime.Goexit)
			lives := newOwnFiring(func() { fired++; late = max(late, time.Since(start)-time.Second) })
			ends.Firing.User, lives.Firing.User = nil, nil
			ends.arm(w, time.Second)
			lives.arm(w, time.Second)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, n, fired)
		require.LessOrEqual(t, late, n*time.Millisecond/2, "half a tick each")
		require.Zero(t, w.Stats().Workers)
		require.NoError(t, w.Close())
	})
}

// Promise 2.61: Timers does not yield own firings, nor functions of package stdtime: a body that
// deletes what it is given would leave their users waiting.
func TestTimersDoesNotYieldOwnFirings(t *testing.T) {
	for _, o := range []timerwheel.Options{{}, {Debug: true}, {Manual: true}} {
		bubble(t, fmt.Sprintf("Debug %t, Manual %t", o.Debug, o.Manual), o, func(t *testing.T, w *timerwheel.Wheel) {
			for _, user := range []func(){nil, func() {}} {
				newOwnFiring(user).arm(w, time.Hour)
			}
			program := w.AfterFunc(time.Hour, func() {})
			for tm := range w.Timers() {
				require.Equal(t, program, tm)
			}
			require.Equal(t, 3, w.Stats().Pending)
		})
	}
}

// Promise 9.16: where the HandOver of one own firing panics, the others are handed over all the same.
func TestAPanicInAHandOverKeepsNoOtherFromIt(t *testing.T) {
	bubble(t, "", timerwheel.Options{Manual: true}, func(t *testing.T, w *timerwheel.Wheel) {
		firings := make([]*ownFiring, 5)
		for i := range firings {
			firings[i] = newOwnFiring(nil)
			if i == 2 {
				firings[i].onHandOver = func() { panic("on purpose") }
			}
			firings[i].arm(w, time.Hour)
		}
		require.PanicsWithValue(t, "on purpose", func() { _ = w.Close() })
		for _, f := range firings {
			require.EqualValues(t, 1, f.handed.Load())
		}
	})
}
