package timerwheel

import (
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// This file tests promises about costs, as far as a cost can be told from
// the noise of a machine.

// Contract 2: RegisterAt "reads no clock, unless the wheel must be woken
// earlier". Who reads it sees that a deadline has passed, and makes it the time
// of the call: so the deadline shows whether somebody did.
func TestRegisterAtReadsNoClock(t *testing.T) {
	w, err := New(Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	past := w.base
	time.Sleep(time.Millisecond) // so that it has passed, by any clock
	tm := w.Alloc(func(Timer) {})

	w.alarm.at.Store(math.MinInt64) // as if the wheel were about to be woken for something earlier still
	require.NoError(t, tm.RegisterAt(past))
	when, ok := tm.When()
	require.True(t, ok)
	require.True(t, when.Equal(past), "the clock was read, though the wheel is awake in time")
	require.True(t, tm.Stop())

	w.alarm.at.Store(never)
	before := w.Now()
	require.NoError(t, tm.RegisterAt(past))
	if when, ok := tm.When(); ok { // it may have fired by now
		require.False(t, when.Before(before), "the clock was not read, though the wheel had to be woken")
	}
}

// The calls that are made all the time allocate nothing, however many timers there
// are.
func TestFastPathsAllocateNothing(t *testing.T) {
	for _, others := range []int{1, 10_000} {
		w, err := New(Options{})
		require.NoError(t, err)
		defer w.Close()
		for range others {
			w.AfterFunc(time.Hour, func() {}) // and so no chunk is given back
		}
		f, g, arg := func() {}, func(Timer) {}, new(int)
		idle, pends, when := w.Alloc(g), w.Alloc(g), time.Now().Add(time.Hour)
		d := 2 * time.Hour
		for name, call := range map[string]func(){
			"AfterFunc, Stop":    func() { w.AfterFunc(time.Minute, f).Stop() },
			"AfterFuncArg, Stop": func() { w.AfterFuncArg(time.Minute, func(any) {}, arg).Stop() },
			"Alloc, Free":        func() { _ = w.Alloc(g).Free() },
			"Register, later":    func() { _ = pends.Register(time.Hour) },
			"Register, earlier":  func() { d -= time.Second; _ = pends.Register(d) },
			"Register, Del":      func() { _ = idle.Register(time.Minute); idle.Del() },
			"Register, DelSync":  func() { _ = idle.Register(time.Minute); _, _ = idle.DelSync() },
			"RegisterAt":         func() { when = when.Add(1); _ = pends.RegisterAt(when) },
			"Reduce":             func() { d -= time.Second; _ = pends.Reduce(d) },
			"Reset, Stop":        func() { idle.Reset(time.Minute); idle.Stop() },
			"Del, idle":          func() { idle.Del() },
			"DelSync, idle":      func() { _, _ = idle.DelSync() },
			"Retain, Free":       func() { _ = idle.Retain(); _ = idle.Free() },
			"Pending, Running":   func() { _, _ = pends.Pending(), pends.Running() },
			"When, Valid, Now":   func() { pends.When(); pends.Valid(); w.Now() },
		} {
			if n := testing.AllocsPerRun(1000, call); n != 0 {
				t.Errorf("%s, beside %d others: %v allocations", name, others, n)
			}
		}
	}
}

// Contract 5: "Storage that a peak needed goes back to the runtime". What the
// heap has in use after half a million timers is what it had before, but for a
// tenth and for what stays: the tables of the chunks, less than a quarter of a byte a
// timer, and some free chunks.
func TestHeapOfAPeakComesBack(t *testing.T) {
	if checkInvariants {
		t.Skip("to check every critical section costs more than any of them")
	}
	const n = 500_000
	const stays = n/4 + 256<<10
	w, err := New(Options{})
	require.NoError(t, err)
	defer w.Close()
	before := heapInUse()
	timers := make([]Timer, n)
	for k := range timers {
		timers[k] = w.AfterFunc(time.Hour, func() {})
	}
	require.Greater(t, heapInUse(), before+n*32)
	for _, tm := range timers {
		require.True(t, tm.Stop())
	}
	timers = nil
	require.LessOrEqual(t, heapInUse(), before+before/10+stays)
}

// heapInUse returns the bytes in spans of the heap that are in use, when nothing
// is left to be collected.
func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools have let go of
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// Contract 8: a group is torn down "in O(members)": a member costs the same in a
// group eight times as large, torn down in one call or leaving one by one; and a
// small group costs the same beside eight times as many strangers.
func TestGroupDeletionCostsItsMembers(t *testing.T) {
	if checkInvariants {
		t.Skip("to check every critical section costs more than any of them")
	}
	group := func(w *Wheel, n int) (g *Group, members []Timer) {
		g = w.NewGroup()
		for range n {
			members = append(members, g.AfterFunc(time.Hour, func() {}))
		}
		return g, members
	}
	torn := func(g *Group) {
		if found, err := g.DelSync(); found != (Found{Pending: true}) || err != nil || g.Len() != 0 {
			t.Errorf("%v, %v, %d members", found, err, g.Len())
		}
	}
	for name, work := range map[string]func(w *Wheel, n int) time.Duration{
		"in one call": func(w *Wheel, n int) time.Duration {
			g, _ := group(w, n)
			began := time.Now()
			torn(g)
			return time.Since(began) / time.Duration(n)
		},
		"one by one": func(w *Wheel, n int) time.Duration {
			_, members := group(w, n)
			began := time.Now()
			for _, tm := range members {
				if !tm.Stop() {
					t.Error("was not pending")
				}
			}
			return time.Since(began) / time.Duration(n)
		},
		"beside strangers": func(w *Wheel, n int) time.Duration {
			const groups = 1000
			strangers, _ := group(w, n)
			began := time.Now()
			for range groups {
				g, _ := group(w, 1)
				torn(g)
			}
			took := time.Since(began) / groups
			torn(strangers)
			return took
		},
	} {
		t.Run(name, func(t *testing.T) {
			const few, many, attempts = 4_000, 32_000, 20
			w, err := New(Options{Manual: true}) // of one shard
			require.NoError(t, err)
			small, large := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for range attempts { // the best of them all is what the work itself takes
				small, large = min(small, work(w, few)), min(large, work(w, many))
				if large < 3*small {
					return
				}
			}
			t.Errorf("a deletion costs %v among %d, %v among %d", small, few, large, many)
		})
	}
}

// RegisterAt must know the time where the wheel would have to be woken earlier:
// what counts is when the timer's slot is looked at, not its deadline.
func TestNeedsClock(t *testing.T) {
	w := newTestWheel(t, Options{Tick: time.Millisecond})
	tm := w.Alloc(func(Timer) {})
	sh := tm.shard()
	_, s := sh.lookup(tm)
	ms := int64(time.Millisecond)
	defer w.alarm.at.Store(never)
	w.alarm.at.Store(5000 * ms)
	require.True(t, sh.needsClock(s, 4999*ms))
	require.True(t, sh.needsClock(s, 8191*ms), "its slot is looked at at 4096 ms")
	require.False(t, sh.needsClock(s, 8192*ms))
	w.alarm.at.Store(4000 * ms)
	require.True(t, sh.needsClock(s, 3999*ms))
	require.False(t, sh.needsClock(s, 4001*ms), "its slot is looked at at its tick")
}

// To push a timeout back is one store: the timer stays where it is.
func TestATimeoutThatIsPushedBackStaysWhereItIs(t *testing.T) {
	w := newTestWheel(t, Options{Manual: true})
	tm := w.Alloc(func(Timer) {})
	require.NoError(t, tm.Register(time.Minute))
	sh := tm.shard()
	_, s := sh.lookup(tm)
	list := sh.levels.ListOf(s)
	require.NoError(t, tm.Register(10*time.Hour))
	require.Equal(t, list, sh.levels.ListOf(s))
	when, _ := tm.When()
	require.Equal(t, w.Now().Add(10*time.Hour), when)
}

// Rule 8: to look for a circle costs the handlers that wait, not the ways
// through them. Here each of 40 pairs waits for both of the next: 2^40 ways.
func TestALookForACircleCostsTheWaitingHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWheel(t, Options{})
		defer w.Close()
		const pairs = 40
		var groups [pairs]*Group
		var gates [pairs]chan struct{}
		for k := range pairs {
			groups[k], gates[k] = w.NewGroup(), make(chan struct{})
			for range 2 {
				groups[k].AfterFunc(0, func() {
					<-gates[k]
					if k+1 < pairs {
						_, _ = groups[k+1].DelSync()
					}
				})
			}
		}
		time.Sleep(50 * time.Millisecond)
		require.Equal(t, 2*pairs, w.Stats().Running)
		for _, gate := range gates[:pairs-1] {
			close(gate)
			synctest.Wait()
		}
		var err error
		w.AfterFunc(0, func() { _, err = groups[0].DelSync() })
		time.Sleep(5 * time.Millisecond)
		require.Equal(t, 2*pairs+1, w.Stats().Running)
		close(gates[pairs-1])
		synctest.Wait()
		require.NoError(t, err)
		require.Zero(t, w.Stats().Running)
	})
}
