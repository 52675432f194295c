package timerwheel_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
	"go.uber.org/goleak"
)

// TestMain fails the package if any test leaves a goroutine behind. Promise 9: neither a closed wheel
// nor a forgotten one may show here.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// What these do is beside the helpers of the white-box tests.
const patience = timerwheel.Patience

var (
	guarded    = timerwheel.Guarded
	within     = timerwheel.Within
	eventually = timerwheel.Eventually
	stacks     = timerwheel.Stacks

	aheadOfTime = timerwheel.AheadOfTime
)

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	return timerwheel.Receive(t, c)
}

// openWheel makes a wheel that ends with the test. A handler that hangs must not keep the test
// from saying why, so the end has a bound. In a bubble, t must be the bubble's own, so that the
// end is part of the bubble.
func openWheel(t testing.TB, o timerwheel.Options) *timerwheel.Wheel {
	t.Helper()
	if o.OnStall != nil && o.StallStacks == 0 {
		// While a collection frees the stacks of dead goroutines, runtime.NumGoroutine counts those
		// too: after a test with many, the default could be too low.
		o.StallStacks = math.MaxInt
	}
	w, err := timerwheel.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.CloseContext(ctx); err != nil {
			if !t.Failed() {
				t.Errorf("the wheel does not end: %v\n%s", err, stacks())
			}
			return
		}
		s := w.Stats()
		assert.Zero(t, s.Running)
		requireLaw(t, s)
	})
	return w
}

// bubble runs f, as a subtest if it has a name, in a guarded bubble with a wheel of its own.
func bubble(t *testing.T, name string, o timerwheel.Options, f func(*testing.T, *timerwheel.Wheel)) {
	t.Helper()
	inBubble := func(t *testing.T) {
		guarded(t, func(t *testing.T) { f(t, openWheel(t, o)) })
	}
	if name == "" {
		inBubble(t)
	} else {
		t.Run(name, inBubble)
	}
}

// elapse lets a bubble's time pass, and then everything that can go on go on.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// settle lets everything that is due begin and everything that can go on go on.
func settle() { elapse(10 * time.Millisecond) }

// durableLock is a sync.Locker whose Lock blocks durably in a bubble, which a sync.Mutex
// does not. Make it in the bubble.
type durableLock chan struct{}

func newDurableLock() durableLock  { return make(durableLock, 1) }
func (l durableLock) Lock()        { l <- struct{}{} }
func (l durableLock) Unlock()      { <-l }
func (l durableLock) isFree() bool { return len(l) == 0 }

// openedAtTheEnd makes a channel for handlers to wait on. A test that fails before it
// closes the channel must still be able to end.
func openedAtTheEnd(t *testing.T) chan struct{} {
	c := make(chan struct{})
	t.Cleanup(func() {
		if !isClosed(c) {
			close(c)
		}
	})
	return c
}

// isClosed reports whether a channel that only close ends has been closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// inBackground runs f on a goroutine of its own and returns a channel that is closed when f
// has returned.
func inBackground(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// noMoreGoroutinesThan checks that the program has at most n goroutines. A goroutine that has just
// ended may still be counted for a moment, hence the loop; on a busy machine its thread may wait for
// a processor all the while. No time passes in it in a bubble.
func noMoreGoroutinesThan(t *testing.T, n int) {
	t.Helper()
	for range 5_000_000 {
		if runtime.NumGoroutine() <= n {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines, %d expected", runtime.NumGoroutine(), n)
}

// goroutineName names the calling goroutine as the runtime does: two calls are equal if,
// and only if, one goroutine made both.
func goroutineName() string {
	b := make([]byte, 64)
	name, _, _ := strings.Cut(string(b[:runtime.Stack(b, false)]), " [")
	return name
}

// siteHere is the place of its call as file:line, without the directory.
func siteHere() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// wakeUps counts the goroutines that appear while the calling bubble rests for d: every expiry of
// a runtime timer made by time.AfterFunc creates one. The collector is kept still, because its helpers
// are goroutines too. The metric is younger than the oldest Go that this module supports: ok is false there.
func wakeUps(d time.Duration) (n uint64, ok bool) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	created := func() uint64 {
		s := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
		metrics.Read(s)
		if ok = s[0].Value.Kind() == metrics.KindUint64; !ok {
			return 0
		}
		return s[0].Value.Uint64()
	}
	before := created()
	time.Sleep(d)
	return created() - before, ok
}

// timerKinds are the ways to come by a timer that is armed for d: what holds of a handler,
// holds of each. Only the lock-bound ones use l. AfterFunc's function does not know its
// timer: f is given the zero one.
var timerKinds = []struct {
	name string
	arm  func(w *timerwheel.Wheel, l sync.Locker, d time.Duration, f func(timerwheel.Timer)) timerwheel.Timer
}{
	{"Alloc", func(w *timerwheel.Wheel, _ sync.Locker, d time.Duration, f func(timerwheel.Timer)) timerwheel.Timer {
		return armed(w.Alloc(f), d)
	}},
	{"AllocLocked", func(w *timerwheel.Wheel, l sync.Locker, d time.Duration, f func(timerwheel.Timer)) timerwheel.Timer {
		return armed(w.AllocLocked(l, f), d)
	}},
	{"AfterFunc", func(w *timerwheel.Wheel, _ sync.Locker, d time.Duration, f func(timerwheel.Timer)) timerwheel.Timer {
		return w.AfterFunc(d, func() { f(timerwheel.Timer{}) })
	}},
	{"Every", func(w *timerwheel.Wheel, _ sync.Locker, d time.Duration, f func(timerwheel.Timer)) timerwheel.Timer {
		return w.Every(d, f)
	}},
	{"Group.Alloc", func(w *timerwheel.Wheel, _ sync.Locker, d time.Duration, f func(timerwheel.Timer)) timerwheel.Timer {
		return armed(w.NewGroup().Alloc(f), d)
	}},
	{"Group.AllocLocked", func(w *timerwheel.Wheel, l sync.Locker, d time.Duration, f func(timerwheel.Timer)) timerwheel.Timer {
		return armed(w.NewGroup().AllocLocked(l, f), d)
	}},
}

func armed(tm timerwheel.Timer, d time.Duration) timerwheel.Timer {
	if err := tm.Register(d); err != nil {
		panic(err)
	}
	return tm
}

// delNoError is Timer.Del in the shape of the deletions that can fail.
func delNoError(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.Del(), nil }

// ---- timers, wheels, periods ----

// requireFirings says that the firings at got were right for the deadlines start+want.
func requireFirings(t testing.TB, start time.Time, tick time.Duration, got []time.Time, want ...time.Duration) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, d := range want {
		requireFiring(t, start.Add(d), got[i], tick)
	}
}

// An advanceStep is an Advance of a Manual wheel to a time since manualStart: it runs so many
// handlers, and leaves a timer pending for next.
type advanceStep struct {
	to    time.Duration
	fires int
	next  time.Duration
}

func advanceSteps(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer, steps ...advanceStep) {
	t.Helper()
	for _, s := range steps {
		advanceTo(t, w, manualStart.Add(s.to), s.fires)
		when, ok := tm.When()
		require.True(t, ok, "at %v", s.to)
		require.Equal(t, s.next, when.Sub(manualStart), "the next instant at %v", s.to)
	}
}

// ---- the functions that the wheel calls ----

// callbackHooks are what a wheel of options() calls; a callback replaces the one that it is about.
type callbackHooks struct {
	panicked func(timerwheel.HandlerPanic)
	stalled  func(timerwheel.Stall)
}

func (h *callbackHooks) options() timerwheel.Options {
	return timerwheel.Options{
		OnPanic: func(p timerwheel.HandlerPanic) { h.panicked(p) },
		OnStall: func(s timerwheel.Stall) { h.stalled(s) },
	}
}

// callbacks are the functions that a wheel calls: arrange sees to it that call is called once, in
// such a function. They are for bubbles.
var callbacks = []struct {
	name    string
	arrange func(t *testing.T, w *timerwheel.Wheel, h *callbackHooks, call func())
}{
	{"a handler", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		armed(w.Alloc(func(timerwheel.Timer) { call() }), 0)
	}},
	{"AfterFunc's function", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) { w.AfterFunc(0, call) }},
	{"Every's handler", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		w.Every(time.Millisecond, func(timerwheel.Timer) { call() })
	}},
	{"a member's handler", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		w.NewGroup().AfterFunc(0, call)
	}},
	{"a lock-bound handler", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		armed(w.AllocLocked(newDurableLock(), func(timerwheel.Timer) { call() }), 0)
	}},
	{"a deferred function of a handler that panics", func(_ *testing.T, w *timerwheel.Wheel, h *callbackHooks, call func()) {
		h.panicked = func(timerwheel.HandlerPanic) {}
		w.AfterFunc(0, func() {
			defer call()
			panic("on purpose")
		})
	}},
	{"OnPanic", func(_ *testing.T, w *timerwheel.Wheel, h *callbackHooks, call func()) {
		h.panicked = func(timerwheel.HandlerPanic) { call() }
		w.AfterFunc(0, func() { panic("on purpose") })
	}},
	{"OnStall", func(_ *testing.T, w *timerwheel.Wheel, h *callbackHooks, call func()) {
		h.stalled = func(timerwheel.Stall) { call() }
		w.AfterFunc(0, func() { time.Sleep(5 * time.Second) })
	}},
	{"done of a deletion that waited", func(t *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		tm := w.AfterFunc(0, func() { time.Sleep(500 * time.Millisecond) })
		settle()
		require.Equal(t, timerwheel.Found{Running: true}, tm.DelAsync(call))
	}},
	{"done of an idle timer", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		w.Alloc(func(timerwheel.Timer) {}).DelAsync(call)
	}},
	// A call that closes the wheel drops the firing that the worker takes the lock for.
	{"the user's Lock", func(t *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		armed(w.AllocLocked(&hookedLock{durableLock: newDurableLock(), onLock: call}, func(timerwheel.Timer) {
			t.Error("ran although dropped")
		}), 0)
	}},
	{"the user's Unlock", func(_ *testing.T, w *timerwheel.Wheel, _ *callbackHooks, call func()) {
		armed(w.AllocLocked(&hookedLock{durableLock: newDurableLock(), onUnlock: call}, func(timerwheel.Timer) {}), 0)
	}},
}

// ---- storms: many goroutines, for a while ----

// storms is how long a storm lasts: go test -race -run 'Mail|Stress' . -storm 30s
var storms = flag.Duration("storm", 500*time.Millisecond, "how long each of the stress tests lasts")

func stormTime() time.Duration {
	if testing.Short() {
		return *storms / 8
	}
	return *storms
}

// storm has n goroutines call f again and again until d is over. It yields after each call: on one
// processor a goroutine that does not would keep it for a whole time slice.
func storm(t testing.TB, d time.Duration, n int, f func(i int)) {
	t.Helper()
	stormUntil(t, d, n, func() bool { return true }, f)
}

// stormUntil is a storm that goes on until what it is for has happened: on a busy machine d may be too
// short for that.
func stormUntil(t testing.TB, d time.Duration, n int, happened func() bool, f func(i int)) {
	t.Helper()
	end, patient := time.Now().Add(d), time.Now().Add(d+patience/2)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for ; time.Now().Before(end) || !happened() && time.Now().Before(patient); runtime.Gosched() {
				f(i)
			}
		})
	}
	within(t, wg.Wait)
}

// faults counts what goes wrong on goroutines that must not end the test.
type faults struct {
	mu   sync.Mutex
	seen map[string]int
}

func (f *faults) expect(ok bool, what string) {
	if ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = make(map[string]int)
	}
	f.seen[what]++
}

func (f *faults) requireNone(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Empty(t, f.seen)
}

// ---- deletions, circles, groups ----

// A deletionVerb is one way to delete: T is a Timer, a *Group, or a member.
type deletionVerb[T any] struct {
	name  string
	call  func(T) (timerwheel.Found, error)
	syncs bool // it waits for handlers in flight
	ended bool // but its ctx has ended: it gives up at once
	shuts bool // it refuses every later Register
}

// on is the deletion of one timer or group, as puppet.call and deleting want it.
func (v deletionVerb[T]) on(x T) func() (timerwheel.Found, error) {
	return func() (timerwheel.Found, error) { return v.call(x) }
}

type deletionVerbs[T any] []deletionVerb[T]

// syncs are the verbs that ask for the end of a run: in a circle they return ErrDeadlock.
func (vs deletionVerbs[T]) syncs() deletionVerbs[T] {
	return vs.those(func(v deletionVerb[T]) bool { return v.syncs })
}

// waiting are the verbs that wait for a run, without a bound.
func (vs deletionVerbs[T]) waiting() deletionVerbs[T] {
	return vs.those(func(v deletionVerb[T]) bool { return v.syncs && !v.ended })
}

func (vs deletionVerbs[T]) shutting() deletionVerbs[T] {
	return vs.those(func(v deletionVerb[T]) bool { return v.shuts })
}

func (vs deletionVerbs[T]) named(names ...string) deletionVerbs[T] {
	return vs.those(func(v deletionVerb[T]) bool { return slices.Contains(names, v.name) })
}

func (vs deletionVerbs[T]) those(are func(deletionVerb[T]) bool) deletionVerbs[T] {
	return slices.DeleteFunc(slices.Clone(vs), func(v deletionVerb[T]) bool { return !are(v) })
}

// timerVerbs are all deletions of a timer.
var timerVerbs = deletionVerbs[timerwheel.Timer]{
	{name: "Del", call: delNoError},
	{name: "Stop", call: func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return timerwheel.Found{Pending: tm.Stop()}, nil // Stop does not report a run
	}},
	{name: "Shutdown", call: func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.Shutdown(), nil }, shuts: true},
	{name: "DelAsync", call: func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelAsync(func() {}), nil }},
	{name: "DelSync", call: timerwheel.Timer.DelSync, syncs: true},
	{name: "DelSyncContext", call: func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.DelSyncContext(context.Background())
	}, syncs: true},
	{name: "DelSyncContext, ended", call: func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.DelSyncContext(endedContext)
	}, syncs: true, ended: true},
	{name: "ShutdownSync", call: timerwheel.Timer.ShutdownSync, syncs: true, shuts: true},
	{name: "ShutdownSyncContext", call: func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.ShutdownSyncContext(context.Background())
	}, syncs: true, shuts: true},
	{name: "ShutdownSyncContext, ended", call: func(tm timerwheel.Timer) (timerwheel.Found, error) {
		return tm.ShutdownSyncContext(endedContext)
	}, syncs: true, ended: true, shuts: true},
}

// groupVerbs are all deletions of a group.
var groupVerbs = deletionVerbs[*timerwheel.Group]{
	{name: "Del", call: func(g *timerwheel.Group) (timerwheel.Found, error) { return g.Del(), nil }},
	{name: "Shutdown", call: func(g *timerwheel.Group) (timerwheel.Found, error) { return g.Shutdown(), nil }, shuts: true},
	{name: "DelSync", call: (*timerwheel.Group).DelSync, syncs: true},
	{name: "DelSyncContext", call: func(g *timerwheel.Group) (timerwheel.Found, error) {
		return g.DelSyncContext(context.Background())
	}, syncs: true},
	{name: "DelSyncContext, ended", call: func(g *timerwheel.Group) (timerwheel.Found, error) {
		return g.DelSyncContext(endedContext)
	}, syncs: true, ended: true},
	{name: "ShutdownSync", call: (*timerwheel.Group).ShutdownSync, syncs: true, shuts: true},
	{name: "ShutdownSyncContext", call: func(g *timerwheel.Group) (timerwheel.Found, error) {
		return g.ShutdownSyncContext(context.Background())
	}, syncs: true, shuts: true},
	{name: "ShutdownSyncContext, ended", call: func(g *timerwheel.Group) (timerwheel.Found, error) {
		return g.ShutdownSyncContext(endedContext)
	}, syncs: true, ended: true, shuts: true},
}

// A member is a timer and the group that it is in.
type member struct {
	timerwheel.Timer
	group *timerwheel.Group
}

// memberVerbs are all deletions that reach a member: its own, and its group's.
var memberVerbs = func() (all deletionVerbs[member]) {
	for _, v := range timerVerbs {
		all = append(all, deletionVerb[member]{v.name, func(m member) (timerwheel.Found, error) { return v.call(m.Timer) }, v.syncs, v.ended, v.shuts})
	}
	for _, v := range groupVerbs {
		all = append(all, deletionVerb[member]{"Group." + v.name, func(m member) (timerwheel.Found, error) { return v.call(m.group) }, v.syncs, v.ended, v.shuts})
	}
	return all
}()

// A contextVerb is a deletion whose wait has a bound.
type contextVerb[T any] struct {
	name string
	call func(T, context.Context) (timerwheel.Found, error)
	err  error // of a Register while it waits
}

func (v contextVerb[T]) on(x T, ctx context.Context) func() (timerwheel.Found, error) {
	return func() (timerwheel.Found, error) { return v.call(x, ctx) }
}

var (
	timerContextVerbs = []contextVerb[timerwheel.Timer]{
		{"DelSyncContext", timerwheel.Timer.DelSyncContext, timerwheel.ErrDeleting},
		{"ShutdownSyncContext", timerwheel.Timer.ShutdownSyncContext, timerwheel.ErrShutdown},
	}
	groupContextVerbs = []contextVerb[*timerwheel.Group]{
		{"DelSyncContext", (*timerwheel.Group).DelSyncContext, timerwheel.ErrDeleting},
		{"ShutdownSyncContext", (*timerwheel.Group).ShutdownSyncContext, timerwheel.ErrShutdown},
	}
	memberContextVerbs = func() (all []contextVerb[member]) {
		for _, v := range timerContextVerbs {
			all = append(all, contextVerb[member]{v.name, func(m member, ctx context.Context) (timerwheel.Found, error) { return v.call(m.Timer, ctx) }, v.err})
		}
		for _, v := range groupContextVerbs {
			all = append(all, contextVerb[member]{"Group." + v.name, func(m member, ctx context.Context) (timerwheel.Found, error) { return v.call(m.group, ctx) }, v.err})
		}
		return all
	}()
)

// finds checks what a deletion returned: finds(t, foundPending)(tm.DelSync()).
func finds(t testing.TB, want timerwheel.Found) func(timerwheel.Found, error) {
	return func(found timerwheel.Found, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
}

// newRun makes a timer of a wheel or a group, and makes it run.
func newRun(t *testing.T, of interface {
	Alloc(func(timerwheel.Timer)) timerwheel.Timer
}) (timerwheel.Timer, *puppet) {
	t.Helper()
	p := newPuppet(t)
	tm := of.Alloc(p.handle)
	startRun(t, tm)
	return tm, p
}

// requireRefusedInHandler checks that the puppet's handler can register none of the timers.
func requireRefusedInHandler(t *testing.T, w *timerwheel.Wheel, p *puppet, want error, timers ...timerwheel.Timer) {
	t.Helper()
	var errs []error
	p.tell(func() {
		for _, tm := range timers {
			errs = append(errs, delRegisterAll(w, tm)...)
		}
	})
	for i, err := range errs {
		require.ErrorIs(t, err, want, "verb %d", i)
	}
}

// waitersOf returns the Waiters of the runs of the timers, in their order.
func waitersOf(w *timerwheel.Wheel, timers ...timerwheel.Timer) []int {
	waiters := make([]int, len(timers))
	for _, running := range w.Running() {
		for i, tm := range timers {
			if running.Timer == tm {
				waiters[i] = running.Waiters
			}
		}
	}
	return waiters
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

var (
	foundNone    = timerwheel.Found{}
	foundPending = timerwheel.Found{Pending: true}
	foundRunning = timerwheel.Found{Running: true}
	foundBoth    = timerwheel.Found{Pending: true, Running: true}
)

// endedContext is a context that ended before every test. It is made ready here, because a channel made
// in one bubble cannot be used in another.
var endedContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

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

// refusals is how many verbs delRegisterAll and requireStale try.
const refusals = 5

// delRegisterAll tries each verb that registers. Reset has no error to give: what it did is the
// last entry, nil if it armed the timer.
func delRegisterAll(w *timerwheel.Wheel, tm timerwheel.Timer) []error {
	errs := []error{tm.Register(time.Hour), tm.RegisterAt(w.Now().Add(time.Hour)), tm.Reduce(time.Hour), tm.RegisterIdle(time.Hour)}
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
	require.ErrorIs(t, stale.RegisterIdle(0), timerwheel.ErrStale)
	require.False(t, stale.Touch())
	require.False(t, stale.Reset(0))
	require.False(t, stale.Stop())
	require.ErrorIs(t, stale.Free(), timerwheel.ErrStale)
	require.ErrorIs(t, stale.Retain(), timerwheel.ErrStale)
	require.ErrorIs(t, stale.ReleaseLock(), timerwheel.ErrNotLocked)
	for i, del := range []func() (timerwheel.Found, error){func() (timerwheel.Found, error) { return stale.Del(), nil }, stale.DelSync, stale.ShutdownSync} {
		found, err := del()
		require.NoError(t, err)
		require.Zero(t, found, fmt.Sprint("deletion ", i))
	}
	return refusals
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

// armVerbs are the ways to arm a timer that report a refusal. On an idle timer they do the same, if
// it is not touched.
var armVerbs = []struct {
	name string
	arm  func(timerwheel.Timer, time.Duration) error
}{
	{"Register", timerwheel.Timer.Register},
	{"RegisterAt", func(tm timerwheel.Timer, d time.Duration) error { return tm.RegisterAt(time.Now().Add(d)) }},
	{"Reduce", timerwheel.Timer.Reduce},
	{"RegisterIdle", timerwheel.Timer.RegisterIdle},
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

// requireFiring says that a firing at got was right for a deadline of due: never early, at
// most two ticks late.
func requireFiring(t testing.TB, due, got time.Time, tick time.Duration) {
	t.Helper()
	late := got.Sub(due)
	require.GreaterOrEqual(t, late, time.Duration(0), "early")
	require.LessOrEqual(t, late, 2*tick, "late")
}

// requireDeadline says that tm is pending for due; a wheel may round up to its tick. In a bubble: what
// is due by now may have begun.
func requireDeadline(t testing.TB, tm timerwheel.Timer, due time.Time, tick time.Duration) {
	t.Helper()
	when, ok := tm.When()
	if !ok && !due.After(time.Now()) {
		return
	}
	require.True(t, ok, "not pending")
	if due.Year() > 2200 {
		require.Greater(t, when.Year(), 2200) // too far for the clock
		return
	}
	off := when.Sub(due)
	require.GreaterOrEqual(t, off, time.Duration(0), "deadline too early")
	require.LessOrEqual(t, off, 2*tick, "deadline too late")
}

// containsAll reports whether s contains all of the parts.
func containsAll(s string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s, part) })
}
