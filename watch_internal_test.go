package timerwheel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A freezer lets the process seem to stand still: the goroutine that the alarm calls comes late.
type freezer struct {
	thaw atomic.Pointer[time.Time] // the end of the freeze
}

func (f *freezer) until(thaw time.Time) { f.thaw.Store(&thaw) }

// freeze puts the freezer into a wheel.
func (f *freezer) freeze(w *Wheel) {
	look := w.lookForStalls
	w.lookForStalls = func() {
		if thaw := f.thaw.Load(); thaw != nil {
			time.Sleep(time.Until(*thaw))
		}
		look()
	}
}

// Promise 11.22: what looks stalled because the process stood still has a quarter of StallAfter to end.
// What goes on is reported then, and once.
func TestAfterAFreezeWhatLooksStalledIsLookedAtOnceMore(t *testing.T) {
	const limit, began = time.Second, 10 * time.Millisecond
	kinds := map[StallKind]func(w *Wheel, until func()){ // each goes on until the call returns
		StalledHandler: func(w *Wheel, until func()) { w.AfterFunc(0, until) },
		StalledDeletion: func(w *Wheel, until func()) {
			tm := w.AfterFunc(0, until)
			time.Sleep(began)
			tm.DelAsync(func() {})
		},
		StalledLock: func(w *Wheel, until func()) {
			_ = w.AllocLocked(&lockFunc{until}, func(Timer) {}).Register(0)
		},
		Saturated: func(w *Wheel, until func()) {
			w.AfterFunc(0, until)
			time.Sleep(began)
			w.AfterFunc(0, func() {})
		},
	}
	for kind, begin := range kinds {
		for _, thaw := range []time.Duration{700, 900, 990, 1100, 1240, 1300, 1800, 5000, 3_600_000} { // ms after began
			for _, rest := range []time.Duration{100 * time.Millisecond, time.Hour} {
				name := fmt.Sprintf("%v, thaw after %d ms, then %v", kind, thaw, rest)
				guarded(t, func(t *testing.T) {
					var mu sync.Mutex
					var reported []time.Time
					o := Options{StallAfter: limit, StallStacks: -1, OnStall: func(s Stall) {
						mu.Lock()
						defer mu.Unlock()
						if s.Kind == kind {
							reported = append(reported, time.Now())
						}
					}}
					if kind == Saturated {
						o.MaxWorkers = 1
					}
					w := newTestWheel(t, o)
					var f freezer
					f.freeze(w)
					start := time.Now()
					thawed := start.Add(thaw * time.Millisecond)
					begin(w, func() { time.Sleep(time.Until(thawed.Add(rest))) })
					synctest.Wait()
					f.until(thawed)
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					if rest < limit/4 {
						require.Empty(t, reported, name)
						return
					}
					require.Len(t, reported, 1, name)
					after := reported[0].Sub(start)
					require.GreaterOrEqual(t, after, max(limit, thaw*time.Millisecond), name)
					require.LessOrEqual(t, after, began+limit+max(0, thaw*time.Millisecond-limit*3/4), name)
				})
			}
		}
	}
}

// Promise 11.22: a freeze after the first look, too.
func TestAFreezeBetweenTheLooks(t *testing.T) {
	guarded(t, func(t *testing.T) {
		w := newTestWheel(t, Options{OnStall: func(s Stall) { t.Errorf("reported: %v", s) }, StallStacks: -1})
		var f freezer
		f.freeze(w)
		w.AfterFunc(0, func() { time.Sleep(4 * time.Second) })
		time.Sleep(800 * time.Millisecond) // there was a look after 750 ms
		f.until(time.Now().Add(3 * time.Second))
		time.Sleep(time.Hour)
	})
}

// A lockFunc is a lock whose Lock is a function.
type lockFunc struct{ f func() }

func (l *lockFunc) Lock()   { l.f() }
func (l *lockFunc) Unlock() {}

// Promise 11.22: on a machine on which each look comes late every second one reports.
func TestLooksThatAreAlwaysLateReport(t *testing.T) {
	s := newStalls()
	quarter := int64(time.Second / 4)
	s.planned = s.next(0, quarter, time.Second)
	require.EqualValues(t, 3*quarter, s.planned, "the first look")
	now := int64(0)
	for range 2 {
		now = s.planned + 2*quarter
		if s.look(now, quarter, time.Second) >= 0 {
			return
		}
		s.planned = s.next(0, quarter, time.Second)
		require.LessOrEqual(t, s.planned, now+quarter)
	}
	t.Error("two looks in a row have reported nothing")
}

// Promise 11.10: whatever begins and ends, a look finds what has lasted, the longest first, and once.
func TestALookFindsWhatHasLastedInItsOrder(t *testing.T) {
	guarded(t, func(t *testing.T) { // the time stands still, so that the alarm does not ring
		w := newTestWheel(t, Options{OnStall: func(Stall) { t.Error("reported") }})
		sh := w.shards[0]
		const n = 1000
		var timers [n]Timer
		for k := range timers {
			timers[k] = (&Group{sh: sh}).Alloc(func(Timer) {})
		}
		sh.lock()
		defer sh.unlock()
		begins := func(since int) *worker {
			wk := &worker{w: w}
			i, s := sh.lookup(timers[since])
			s.Flags |= running
			wk.publish(sh, i, int64(since))
			return wk
		}
		ends := func(wk *worker) {
			sh.records.At(wk.slot(sh).i).Flags &^= running
			wk.unpublish(sh)
		}
		random := rand.New(rand.NewPCG(1, 2))
		var workers []*worker
		for since := range n {
			workers = append(workers, begins(since))
			if random.IntN(3) == 0 {
				k := random.IntN(len(workers))
				ends(workers[k])
				workers = slices.Delete(workers, k, k+1)
			}
		}
		require.Len(t, sh.watches, len(workers))
		for _, want := range workers { // they are in the order of their begins
			require.Same(t, want, sh.watches[0])
			require.Equal(t, want.slot(sh).since, sh.watches.began())
			require.NotNil(t, sh.takeStall(want, n))
		}
		require.Equal(t, int64(never), sh.watches.began())
		for _, wk := range workers {
			ends(wk)
		}
		require.Empty(t, sh.watches)
		require.LessOrEqual(t, cap(sh.watches), 128, "the storage of a peak goes back")
	})
}
