package timerwheel_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// arms are the ways to call a function with an argument once.
var arms = map[string]struct {
	options timerwheel.Options
	arm     func(w *timerwheel.Wheel, d time.Duration, f func(any), arg any) timerwheel.Timer
}{
	"wheel": {timerwheel.Options{}, (*timerwheel.Wheel).AfterFuncArg},
	"Debug": {timerwheel.Options{Debug: true}, (*timerwheel.Wheel).AfterFuncArg},
	"group": {timerwheel.Options{}, func(w *timerwheel.Wheel, d time.Duration, f func(any), arg any) timerwheel.Timer {
		return w.NewGroup().AfterFuncArg(d, f, arg)
	}},
}

// enders are the two calls that end a wheel. What is promised of Close is promised of a
// Shutdown whose context lives.
var enders = []struct {
	name string
	end  func(*timerwheel.Wheel) error
}{
	{"Close", (*timerwheel.Wheel).Close},
	{"Shutdown", func(w *timerwheel.Wheel) error { return w.CloseContext(context.Background()) }},
}

// hookedLock is a user's Locker that does more than lock.
type hookedLock struct {
	durableLock
	onLock, onUnlock func()
}

func (l *hookedLock) Lock() {
	if l.onLock != nil {
		l.onLock()
	}
	l.durableLock.Lock()
}

func (l *hookedLock) Unlock() {
	l.durableLock.Unlock()
	if l.onUnlock != nil {
		l.onUnlock()
	}
}

// closeStorm is how long the storm blows.
func closeStorm() time.Duration {
	if testing.Short() {
		return 200 * time.Millisecond
	}
	return time.Second
}

var (
	foundNone    = timerwheel.Found{}
	foundPending = timerwheel.Found{Pending: true}
	foundRunning = timerwheel.Found{Running: true}
	foundBoth    = timerwheel.Found{Pending: true, Running: true}
)

// endedContext is a context that ended before every test. It is made ready here, because a channel made
// in one bubble is of no use in another.
var endedContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

type delVerb struct {
	name string
	call func(timerwheel.Timer) (timerwheel.Found, error)
}

var (
	delByDel     = delVerb{"Del", delNoError}
	delBySync    = delVerb{"DelSync", timerwheel.Timer.DelSync}
	delByContext = delVerb{"DelSyncContext", func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.DelSyncContext(context.Background())
	}}
	delByDead = delVerb{"DelSyncContext, ended", func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.DelSyncContext(endedContext)
	}}
	delByShutdown = delVerb{"ShutdownSync", timerwheel.Timer.ShutdownSync}
	delByAsync    = delVerb{"DelAsync", func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.DelAsync(func() {}), nil
	}}
	delByStop = delVerb{"Stop", func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return timerwheel.Found{Pending: tm.Stop()}, nil // all that Stop has to say
	}}
	delVerbs        = []delVerb{delByDel, delBySync, delByContext, delByDead, delByShutdown, delByAsync, delByStop}
	delWaitingVerbs = []delVerb{delBySync, delByContext, delByShutdown} // those that wait for a run, without a bound
)

// startRun makes a timer run; its handler must be a puppet's.
func startRun(t *testing.T, tm timerwheel.Timer) {
	t.Helper()
	require.NoError(t, tm.Register(0))
	settle()
	require.True(t, tm.Running())
}

func delIgnore(timerwheel.Timer) {}

// A puppet is a handler whose run does what it is sent, on the worker's goroutine, until the
// test ends it.
type puppet struct {
	begun, ended atomic.Int32
	do           chan func()
	let          func() // ends this run and lets all later ones return at once
}

func newPuppet(t *testing.T) *puppet {
	p := &puppet{do: make(chan func())}
	p.let = sync.OnceFunc(func() { close(p.do) })
	t.Cleanup(p.let)
	return p
}

func (p *puppet) handle(timerwheel.Timer) {
	p.begun.Add(1)
	defer p.ended.Add(1)
	for f := range p.do {
		if f == nil {
			return
		}
		f()
	}
}

// end ends one run.
func (p *puppet) end() { p.do <- nil }

// tell has the handler do something that does not wait.
func (p *puppet) tell(f func()) {
	done := make(chan struct{})
	p.do <- func() {
		defer close(done)
		f()
	}
	<-done
}

// call has the handler make a deletion, which may wait.
func (p *puppet) call(del func() (timerwheel.Found, error)) *deletion {
	c := &deletion{done: make(chan struct{})}
	p.do <- func() { c.run(del) }
	return c
}

// A deletion is a deletion under way.
type deletion struct {
	done  chan struct{}
	found timerwheel.Found
	err   error
}

// deleting makes a deletion on a goroutine of its own.
func deleting(del func() (timerwheel.Found, error)) *deletion {
	c := &deletion{done: make(chan struct{})}
	go c.run(del)
	return c
}

func (c *deletion) run(del func() (timerwheel.Found, error)) {
	defer close(c.done)
	c.found, c.err = del()
}

func (c *deletion) result() (timerwheel.Found, error) {
	<-c.done
	return c.found, c.err
}

// waits reports, once the bubble has settled, whether the deletion has not returned.
func (c *deletion) waits() bool {
	synctest.Wait()
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// requires checks that the deletion has returned, or returns without any further passing of time,
// and what.
func (c *deletion) requires(t *testing.T, want timerwheel.Found, err error) {
	t.Helper()
	require.False(t, c.waits(), "the deletion has not returned")
	if err == nil {
		require.NoError(t, c.err)
	} else {
		require.ErrorIs(t, c.err, err)
	}
	require.Equal(t, want, c.found)
}

// delRegisterAll tries each verb that registers. Reset has no error to give: what it did is the
// last entry, nil if it armed the timer.
func delRegisterAll(w *timerwheel.Wheel, tm timerwheel.Timer) []error {
	errs := []error{tm.Register(time.Hour), tm.RegisterAt(w.Now().Add(time.Hour)), tm.Reduce(time.Hour)}
	if !tm.Reset(time.Hour) && !tm.Pending() {
		return append(errs, errs[0])
	}
	return append(errs, nil)
}

func requireRefused(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer, want error) {
	t.Helper()
	for i, err := range delRegisterAll(w, tm) {
		require.ErrorIs(t, err, want, "verb %d", i)
	}
	require.False(t, tm.Pending())
}

// delGoroutine names the calling goroutine.
func delGoroutine() string {
	buf := make([]byte, 64)
	return string(bytes.Fields(buf[:runtime.Stack(buf, false)])[1])
}

// A lockProbe is a sync.Locker for which a bubble can wait durably, and that watches the workers
// who come for it. The tests themselves use take and drop, which are not watched.
type lockProbe struct {
	sem                       chan struct{} // full: taken
	mine                      atomic.Bool   // by a test
	locks, queued, mostQueued atomic.Int32
	onLock, onUnlock          func() // called on arrival, and before the release; may be nil
}

func newLockProbe(t *testing.T) *lockProbe {
	l := &lockProbe{sem: make(chan struct{}, 1)}
	t.Cleanup(func() { // a test that failed while it held the lock must not keep the wheel from closing
		if l.mine.Load() {
			l.drop()
		}
	})
	return l
}

func (l *lockProbe) Lock() {
	if l.onLock != nil {
		l.onLock()
	}
	queued := l.queued.Add(1)
	for most := l.mostQueued.Load(); queued > most && !l.mostQueued.CompareAndSwap(most, queued); {
		most = l.mostQueued.Load()
	}
	l.sem <- struct{}{}
	l.queued.Add(-1)
	l.locks.Add(1)
}

func (l *lockProbe) Unlock() {
	if l.onUnlock != nil {
		l.onUnlock()
	}
	<-l.sem
}

func (l *lockProbe) take() {
	l.sem <- struct{}{}
	l.mine.Store(true)
}

func (l *lockProbe) drop() {
	l.mine.Store(false)
	<-l.sem
}

func (l *lockProbe) taken() bool { return len(l.sem) == 1 }

// manualStart is where the manual wheels of these tests begin, unless a test says otherwise.
var manualStart = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

const manualYear = 365 * 24 * time.Hour

// openManual makes a manual wheel that begins at manualStart and ends with the test.
func openManual(t *testing.T, tick time.Duration) *timerwheel.Wheel {
	t.Helper()
	return openWheel(t, timerwheel.Options{Tick: tick, Manual: true, Start: manualStart})
}

// advanceTo advances, and checks how many handlers that ran. It is for any goroutine.
func advanceTo(t *testing.T, w *timerwheel.Wheel, now time.Time, want int) {
	t.Helper()
	fired, err := w.Advance(now)
	assert.NoError(t, err)
	assert.Equal(t, want, fired, "handlers run by the Advance to %v", now)
}

func raceRounds(n int) int {
	if testing.Short() {
		return n/8 + 1
	}
	return n
}

// requireStale tries every verb on a stale handle and returns how many of them were refused
// Registers.
func requireStale(t *testing.T, stale timerwheel.Timer) (refused uint64) {
	t.Helper()
	require.False(t, stale.Valid() || stale.Pending() || stale.Running())
	_, ok := stale.When()
	require.False(t, ok)
	require.ErrorIs(t, stale.Register(0), timerwheel.ErrStale)
	require.ErrorIs(t, stale.RegisterAt(time.Time{}), timerwheel.ErrStale)
	require.ErrorIs(t, stale.Reduce(0), timerwheel.ErrStale)
	require.False(t, stale.Reset(0))
	require.False(t, stale.Stop())
	require.ErrorIs(t, stale.Free(), timerwheel.ErrStale)
	require.ErrorIs(t, stale.Retain(), timerwheel.ErrStale)
	for i, del := range []func() (timerwheel.Found, error){func() (timerwheel.Found, error) { return stale.Del(), nil }, stale.DelSync, stale.ShutdownSync} {
		found, err := del()
		require.NoError(t, err)
		require.Zero(t, found, fmt.Sprint("deletion ", i))
	}
	return 4
}

// heapInUse is what is reachable now.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func namedHandler(tm timerwheel.Timer) {
	tm.Del()
	time.Sleep(3 * time.Second)
}

// requireLaw checks one snapshot.
func requireLaw(t testing.TB, s timerwheel.Stats) {
	t.Helper()
	require.Empty(t, lawBroken(s), "%+v", s)
}

// lawBroken says what cannot be in the sum of consistent snapshots of the shards.
func lawBroken(s timerwheel.Stats) string {
	switch {
	case s.Pending < 0 || s.Running < 0 || s.Live < 0 || s.Workers < 0 || s.Bytes < 0:
		return "less than nothing"
	case s.Registered != s.Fired+s.Removed+uint64(s.Pending):
		return fmt.Sprintf("Registered != Fired + Removed + Pending: %d", int64(s.Registered)-int64(s.Fired+s.Removed)-int64(s.Pending))
	case s.Live < s.Pending || s.Live < s.Running:
		return "a timer that pends or runs does not live"
	case uint64(s.Running) > s.Fired:
		return "more handlers run than have begun"
	}
	return ""
}

// armVerbs are the three ways to arm a timer that report a refusal. On an idle timer they
// do the same.
var armVerbs = []struct {
	name string
	arm  func(timerwheel.Timer, time.Duration) error
}{
	{"Register", timerwheel.Timer.Register},
	{"RegisterAt", func(tm timerwheel.Timer, d time.Duration) error { return tm.RegisterAt(time.Now().Add(d)) }},
	{"Reduce", timerwheel.Timer.Reduce},
}

// raceTime is how long one test looks for races by force.
func raceTime() time.Duration {
	if testing.Short() {
		return 100 * time.Millisecond
	}
	return 700 * time.Millisecond
}

// scaled scales a large number of timers down to what a build can bear: under the race
// detector, and with the library's own checks (tag invariants), each operation costs ten
// times as much or more.
func scaled(n int) int {
	if testing.Short() || costlyBuild() {
		return n / 10
	}
	return n
}

var costlyBuild = sync.OnceValue(func() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool {
		return s.Key == "-race" && s.Value == "true" || s.Key == "-tags" && strings.Contains(s.Value, "invariants")
	})
})

// A firingLog is a handler that remembers when it ran.
type firingLog struct {
	mu sync.Mutex
	at []time.Time
}

func (l *firingLog) run(timerwheel.Timer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = append(l.at, time.Now())
}

func (l *firingLog) times() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Time(nil), l.at...)
}

func (l *firingLog) len() int { return len(l.times()) }

// A parkedHandler is a handler that is in flight until it is released, at the latest when
// the test ends (before the wheel is closed, if the wheel was made first: a failed test
// must not hang in Close).
type parkedHandler struct {
	started atomic.Int32
	gate    chan struct{}
	release func()
}

func parkHandler(t testing.TB) *parkedHandler {
	h := &parkedHandler{gate: make(chan struct{})}
	h.release = sync.OnceFunc(func() { close(h.gate) })
	t.Cleanup(h.release)
	return h
}

func (h *parkedHandler) run() {
	h.started.Add(1)
	<-h.gate
}

// requireFiring says that a firing at got was right for a deadline of due: never early, at
// most two ticks late.
func requireFiring(t testing.TB, due, got time.Time, tick time.Duration) {
	t.Helper()
	late := got.Sub(due)
	require.GreaterOrEqual(t, late, time.Duration(0), "early")
	require.LessOrEqual(t, late, 2*tick, "late")
}

// requireDeadline says that tm is pending for due; a wheel may round up to its tick.
func requireDeadline(t testing.TB, tm timerwheel.Timer, due time.Time, tick time.Duration) {
	t.Helper()
	when, ok := tm.When()
	require.True(t, ok, "not pending")
	if due.Year() > 2200 {
		require.Greater(t, when.Year(), 2200) // too far for the clock
		return
	}
	off := when.Sub(due)
	require.GreaterOrEqual(t, off, time.Duration(0), "deadline too early")
	require.LessOrEqual(t, off, 2*tick, "deadline too late")
}
