package timerwheel_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// When OnStall is called, and with which stacks.

// timedStalls gathers the reports of OnStall and their times.
type timedStalls struct {
	mu   sync.Mutex
	seen []timedStall
}

// all returns the reports so far.
func (l *timedStalls) all() []timedStall {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seen)
}

type timedStall struct {
	timerwheel.Stall
	at time.Time
}

func (l *timedStalls) onStall(s timerwheel.Stall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, timedStall{s, time.Now()})
}

// blockStaggered has n handlers begin, 10 ms after each other, which last until the test ends.
func blockStaggered(t *testing.T, w *timerwheel.Wheel, n int) {
	release := openedAtTheEnd(t)
	for k := range n {
		w.AfterFunc(time.Duration(k)*10*time.Millisecond, func() { stallingHandler(release) })
	}
}

// Promise 11.19: the stacks are taken at most once each StallAfter, and what stalls in between is
// reported with those of the next time, at most 2 StallAfter after it began.
func TestOneDumpServesAllThatHasStalled(t *testing.T) {
	const n, limit = 250, time.Second
	var log timedStalls
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		blockStaggered(t, w, n)
		elapse(time.Minute)
		require.Len(t, log.all(), n)
		at := map[time.Time]int{}
		var dumps []time.Time
		for _, s := range log.all() {
			if at[s.at]++; at[s.at] == 1 {
				dumps = append(dumps, s.at)
			}
			require.GreaterOrEqual(t, s.For, limit)
			require.LessOrEqual(t, s.For, 2*limit)
			require.Equal(t, s.at.Sub(s.Since), s.For, "how long it has lasted when the stacks are taken")
			require.Contains(t, s.HandlerStack, "stallingHandler(")
		}
		require.Len(t, dumps, 4, "after 1, 2, 3 and 4 s")
		for k := range dumps[1:] {
			require.GreaterOrEqual(t, dumps[k+1].Sub(dumps[k]), limit)
		}
	})
}

// Promise 11.20: no stacks of more goroutines than StallStacks, nor with -1; then each report comes at
// once, and names the handler and, with Debug, the lines.
func TestAStallOfAProgramWithManyGoroutinesHasNoStacks(t *testing.T) {
	for name, o := range map[string]timerwheel.Options{
		"none":             {StallStacks: -1},
		"fewer than there": {StallStacks: 5},
		"as many as there": {StallStacks: 1000},
	} {
		var log timedStalls
		o.OnStall, o.Debug = log.onStall, true
		bubble(t, name, o, func(t *testing.T, w *timerwheel.Wheel) {
			if o.StallStacks == 1000 {
				release := openedAtTheEnd(t)
				for range 1000 { // and the others
					go func() { <-release }()
				}
			}
			blockStaggered(t, w, 10)
			elapse(time.Minute)
			require.Len(t, log.all(), 10)
			for _, s := range log.all() {
				require.Equal(t, time.Second, s.For)
				require.Equal(t, s.at, s.Since.Add(time.Second))
				require.Empty(t, s.HandlerStack)
				require.Empty(t, s.WaiterStack)
				require.Contains(t, s.Handler, ".blockStaggered.")
				require.Contains(t, s.AllocatedAt, "reporter_test.go:")
				require.Contains(t, s.RegisteredAt, "reporter_test.go:")
			}
		})
	}
}

// Promise 11.20: up to StallStacks goroutines there are stacks.
func TestAStallHasStacksUpToTheLimit(t *testing.T) {
	var log timedStalls
	bubble(t, "", timerwheel.Options{OnStall: log.onStall, StallStacks: 100_000}, func(t *testing.T, w *timerwheel.Wheel) {
		release := openedAtTheEnd(t)
		for range 1500 {
			go func() { <-release }()
		}
		blockStaggered(t, w, 2)
		elapse(time.Minute)
		require.Len(t, log.all(), 2)
		for _, s := range log.all() {
			require.Contains(t, s.HandlerStack, "stallingHandler(")
		}
	})
}

// Promise 11.19: a run and a wait that are over when the next dump comes are reported all
// the same. The stacks of their goroutines, which do something else by then, are not in the report.
func TestAStallThatIsOverHasNoStacks(t *testing.T) {
	var log timedStalls
	bubble(t, "", timerwheel.Options{MaxWorkers: 3, OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		blockStaggered(t, w, 2) // of the first there are stacks after 1 s, of the second after 2 s
		time.Sleep(200 * time.Millisecond)
		tm := w.AfterFunc(0, func() { time.Sleep(1400 * time.Millisecond) }) // from 0.2 to 1.6 s
		time.Sleep(50 * time.Millisecond)
		goes := make(chan struct{})
		go func() {
			defer close(goes)
			_, err := tm.DelSync() // from 0.25 to 1.6 s
			assert.NoError(t, err)
			time.Sleep(10 * time.Second)
		}()
		w.AfterFunc(1300*time.Millisecond, func() { // on the same worker, from 1.6 s on
			time.Sleep(1200 * time.Millisecond)
		})
		elapse(10 * time.Second)
		<-goes
		kinds := map[timerwheel.StallKind]int{}
		for _, s := range log.all() {
			if s.Timer != tm {
				continue
			}
			kinds[s.Kind]++
			require.Empty(t, s.HandlerStack)
			require.Empty(t, s.WaiterStack)
			require.Empty(t, s.WaiterStacks)
			require.Equal(t, time.Second, s.For, "what is known of it")
			require.Contains(t, s.Handler, "TestAStallThatIsOverHasNoStacks")
		}
		require.Equal(t, map[timerwheel.StallKind]int{timerwheel.StalledHandler: 1, timerwheel.StalledDeletion: 1}, kinds)
	})
}

// Promise 11.19: a deletion that has given up before the dump has no stack, its run has one.
func TestAStalledWaitThatGaveUpHasNoStack(t *testing.T) {
	var log timedStalls
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		p := newPuppet(t)
		tm := w.Alloc(p.handle)
		startRun(t, tm)
		time.Sleep(500 * time.Millisecond)
		ctx, cancel := contextFor(t, 1200*time.Millisecond) // the wait stalls at 1.5 s, and ends at 1.7 s
		defer cancel()
		_, err := tm.DelSyncContext(ctx)
		require.Error(t, err)
		elapse(10 * time.Second)
		require.Len(t, log.all(), 2)
		wait := log.all()[1]
		require.Equal(t, timerwheel.StalledDeletion, wait.Kind)
		require.Empty(t, wait.WaiterStack)
		require.Contains(t, wait.HandlerStack, "(*puppet).handle")
	})
}

// Promise 11.19: Close does not wait until the stacks may be taken again. What has stalled is reported.
func TestCloseDoesNotWaitForTheNextDump(t *testing.T) {
	var log timedStalls
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		start := time.Now()
		w.AfterFunc(0, func() { time.Sleep(1500 * time.Millisecond) })
		w.AfterFunc(200*time.Millisecond, func() { time.Sleep(1200 * time.Millisecond) })
		elapse(1300 * time.Millisecond)
		require.Len(t, log.all(), 1)
		require.NoError(t, w.Close())
		require.Equal(t, 1500*time.Millisecond, time.Since(start))
		require.Len(t, log.all(), 2)
	})
}

// Promise 11.19: with nothing else pending, or running, the wheel comes for what waits for the stacks.
func TestAStallWaitsForTheNextDumpOnAWheelWithoutTimers(t *testing.T) {
	var log timedStalls
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		w.AfterFunc(0, func() { time.Sleep(1500 * time.Millisecond) })
		w.AfterFunc(200*time.Millisecond, func() { time.Sleep(1200 * time.Millisecond) })
		elapse(1600 * time.Millisecond)
		require.Len(t, log.all(), 1)
		require.True(t, w.AfterFunc(time.Hour, func() {}).Stop()) // which stops the alarm of a wheel that needs none
		elapse(time.Second)
		require.Len(t, log.all(), 2)
	})
}

// Promise 2.63: a worker that waits for the lock of a timer.
func TestOnStallReportsAWaitForALock(t *testing.T) {
	for _, deleted := range []string{"", "Stop", "Stop and Free"} {
		var log timedStalls
		bubble(t, deleted, timerwheel.Options{OnStall: log.onStall, Debug: deleted == ""}, func(t *testing.T, w *timerwheel.Wheel) {
			l := newLockProbe(t)
			tm := w.AllocLocked(l, delIgnore)
			l.take()
			since := time.Now()
			armed(tm, 0)
			elapse(100 * time.Millisecond)
			if deleted != "" {
				require.True(t, tm.Stop())
			}
			if deleted == "Stop and Free" {
				require.NoError(t, tm.Free())
			}
			elapse(time.Second)
			require.Len(t, log.all(), 1)
			s := log.all()[0]
			require.Equal(t, timerwheel.StalledLock, s.Kind)
			require.Equal(t, tm, s.Timer)
			require.True(t, s.Since.Equal(since))
			require.Equal(t, time.Second, s.For)
			require.Contains(t, s.Handler, "timerwheel_test.delIgnore")
			require.Contains(t, s.HandlerStack, "(*lockProbe).Lock(")
			require.Zero(t, s.Waiters)
			require.Equal(t, deleted == "", s.AllocatedAt != "", "with Debug")
			elapse(time.Hour)
			require.Len(t, log.all(), 1, "once a wait")
			l.drop()
			elapse(time.Hour)
			require.Len(t, log.all(), 1)
			if deleted == "" { // the next wait
				l.take()
				armed(tm, 0)
				elapse(time.Minute)
				require.Len(t, log.all(), 2)
				l.drop()
			}
		})
	}
}

// Promise 2.63: not a shorter wait, nor one whose Lock does not return.
func TestOnStallDoesNotReportAShortWaitForALock(t *testing.T) {
	var log timedStalls
	bubble(t, "", timerwheel.Options{OnStall: log.onStall}, func(t *testing.T, w *timerwheel.Wheel) {
		l := newLockProbe(t)
		tm := w.AllocLocked(l, delIgnore)
		for range 10 {
			l.take()
			armed(tm, 0)
			elapse(990 * time.Millisecond)
			l.drop()
			synctest.Wait()
		}
		elapse(time.Minute)
		require.Empty(t, log.all())
	})
}

// Promise 2.8: each stall is reported when it has lasted for StallAfter, also one that began after a
// look at another, and though the alarm is set anew in between.
func TestWhatBeganAfterALookIsReportedInTime(t *testing.T) {
	const limit = time.Second
	var mu sync.Mutex
	var lasted []time.Duration
	o := timerwheel.Options{StallAfter: limit, StallStacks: -1, OnStall: func(s timerwheel.Stall) {
		mu.Lock()
		defer mu.Unlock()
		lasted = append(lasted, s.For)
	}}
	bubble(t, "", o, func(t *testing.T, w *timerwheel.Wheel) {
		release := make(chan struct{})
		for _, pause := range []time.Duration{0, 800, 50, 100, 700, 10, 300} { // ms
			time.Sleep(pause * time.Millisecond)
			w.AfterFunc(0, func() { <-release })
			time.Sleep(20 * time.Millisecond)
			w.AfterFunc(0, func() {}) // its worker sets the alarm when it leaves
		}
		time.Sleep(2 * limit)
		close(release)
		settle()
		require.Len(t, lasted, 7)
		for _, d := range lasted {
			require.Equal(t, limit, d)
		}
	})
}
