package timerwheel_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/corpus"
	"github.com/stretchr/testify/require"
)

// This file drives all of the API of a Manual wheel by programs of bytes, in handlers and
// in all other functions that the wheel calls too, and compares what it says with the model
// of model_test.go. After each call everything that can be asked is asked.
//
// # Programs
//
// A program can be read and written by hand: "4 a0 r003 v13 v71 .". The first byte makes
// the wheel. Then come verbs, each a letter, and their operands; any other byte is some
// verb, too. Spaces mean nothing. When the wheel calls a function, that takes the next
// verbs of the program, up to a '.' (return), a '!' (panic) or a '~' (Goexit), or four of
// them. The operands:
//
//	wheel     tick: 0 1ms, 1 1µs, 2 7ms, 3 1h; +4: with OnPanic; +8 (8, 9, :, ;): with Debug
//	host      0: the wheel; otherwise a group
//	timer     0, 1, 2...: one that lives; A, B, C...: one that was recycled
//	duration  two bytes, and a third after a 5:
//	          0n 64^n ticks    1n a nanosecond less   2n a nanosecond more   3n minus 64^n ticks
//	          4n n/4 ticks     5nm n << m ns          6n an extreme          7n n ticks
//	instant   a duration from now; the extremes are the year 1 and the year 9999
func init() {
	walkVerbs = map[byte]func(*walk){
		'N': (*walk).reopen,      // wheel: a new one, if it is closed
		'a': (*walk).alloc,       // host
		'l': (*walk).allocLocked, // host
		'f': (*walk).afterFunc,   // host, duration
		'e': (*walk).every,       // host, duration
		'G': (*walk).newGroup,
		'r': (*walk).register,   // timer, duration
		'R': (*walk).registerAt, // timer, instant
		'm': (*walk).reduce,     // timer, duration
		'z': (*walk).reset,      // timer, duration
		's': (*walk).stop,       // timer, and so are those that follow
		'd': func(k *walk) { k.delete(delNoError, false, false) },
		'y': func(k *walk) { k.delete((timerwheel.Timer).DelSync, true, false) },
		'c': func(k *walk) { k.delete(delSyncEnded, true, false) },
		'x': func(k *walk) { k.delete((timerwheel.Timer).ShutdownSync, true, true) },
		'q': (*walk).delAsync,
		't': (*walk).retain,
		'u': (*walk).free,
		'g': func(k *walk) { k.deleteGroup((*timerwheel.Group).DelSync, false) },     // host
		'h': func(k *walk) { k.deleteGroup(groupDelSyncEnded, false) },               // host
		'i': func(k *walk) { k.deleteGroup((*timerwheel.Group).ShutdownSync, true) }, // host
		'v': func(k *walk) { k.advance(k.instant()) },                                // instant
		'w': (*walk).advanceToNext,
		'C': func(k *walk) { k.close((*timerwheel.Wheel).Close) },
		'Z': func(k *walk) { k.close(shutdownEnded) },
	}
}

var walkVerbs map[byte]func(*walk)

// walkDice is what other bytes mean: the verbs, as often as they are worth it.
const walkDice = "aaallfffeeGNNNrrrrrrRRRmmmzzssddyycxqqttuuuughivvvvvvvvvvwwww...!~"

// ended is a context that has.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func delSyncEnded(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelSyncContext(ended) }
func shutdownEnded(w *timerwheel.Wheel) error                    { return w.CloseContext(ended) }

func groupDelSyncEnded(g *timerwheel.Group) (timerwheel.Found, error) {
	return g.DelSyncContext(ended)
}

// The whole API against an obvious model, for any program. What its corpus is about stands
// in the names of its files.
func FuzzAPI(f *testing.F) {
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 4096 {
			t.Skip("the model is slow")
		}
		newWalk(t, program).run()
	})
}

// The fuzzer begins with every verb, in functions that the wheel calls too, and with every error.
func TestCorpusOfFuzzAPI(t *testing.T) {
	outside, inside, met := map[byte]bool{}, map[byte]bool{}, map[error]bool{}
	for _, program := range corpus.Seeds(t, "FuzzAPI") {
		k := newWalk(t, program)
		k.outside, k.inside, k.met = outside, inside, met
		k.run()
	}
	for verb := range walkVerbs {
		require.True(t, outside[verb], "%c is nowhere", verb)
		require.True(t, inside[verb] || verb == 'N', "%c is in no function that the wheel calls", verb)
	}
	for _, err := range []error{
		timerwheel.ErrStale, timerwheel.ErrFreed, timerwheel.ErrDeleting, timerwheel.ErrShutdown, timerwheel.ErrClosed, timerwheel.ErrDeadlock,
	} {
		require.True(t, met[err], "%v: never met", err)
	}
}

// A walk is a program on its way through the wheel and the model.
type walk struct {
	t       *testing.T
	program []byte
	w       *timerwheel.Wheel
	m       *model
	groups  []*modelGroup
	given   map[timerwheel.Timer]bool // every handle that there was

	calls    int         // functions of ours that the wheel is in
	scripts  int         // such calls, all of them
	dones    int         // DelAsyncs whose done is to come
	debug    bool        // with Debug
	panicked *modelTimer // whose handler has panicked, and OnPanic is to come

	outside, inside map[byte]bool  // verbs that were used
	met             map[error]bool // errors that were expected, and came
}

func newWalk(t *testing.T, program []byte) *walk {
	k := &walk{t: t, program: program, outside: map[byte]bool{}, inside: map[byte]bool{}, met: map[error]bool{}}
	k.open()
	return k
}

func (k *walk) run() {
	for {
		verb, ok := k.verb()
		if !ok {
			break
		}
		k.do(verb)
	}
	k.drain()
}

// do does one thing, and looks at all that it has left.
func (k *walk) do(verb byte) {
	if f := walkVerbs[verb]; f != nil {
		used := k.outside
		if k.calls > 0 {
			used = k.inside
		}
		used[verb] = true
		f(k)
		k.compare()
	}
}

// script is what every function does that the wheel calls.
func (k *walk) script(mayEndBadly bool) {
	k.scripts++
	k.calls++
	defer func() { k.calls-- }()
	k.compare()
	for range 4 {
		verb, ok := k.verb()
		switch {
		case !ok || verb == '.':
			return
		case verb == '!' && mayEndBadly:
			panic(onPurpose)
		case verb == '~' && mayEndBadly:
			runtime.Goexit()
		}
		k.do(verb)
	}
}

const onPurpose = "on purpose"

// ---- The program ----

func (k *walk) next() (b byte, ok bool) {
	for len(k.program) > 0 && !ok {
		b, ok = k.program[0], k.program[0] != ' '
		k.program = k.program[1:]
	}
	return b, ok
}

func (k *walk) verb() (byte, bool) {
	b, ok := k.next()
	if walkVerbs[b] == nil && !strings.ContainsRune(walkDice, rune(b)) {
		b = walkDice[int(b)%len(walkDice)]
	}
	return b, ok
}

// digit is an operand: 0 for '0', and for nothing.
func (k *walk) digit() int {
	b, ok := k.next()
	if !ok {
		return 0
	}
	return int(b - '0')
}

// timer chooses one: a living one, if there is one, unless the program wants a stale one.
func (k *walk) timer() *modelTimer {
	b, _ := k.next()
	from, n := k.m.timers, int(b-'0')
	if 'A' <= b && b <= 'Z' || len(from) == 0 {
		from, n = k.m.stale, int(b-'A')
	}
	if len(from) == 0 {
		return &modelTimer{recycled: true} // the zero Timer
	}
	return from[n%len(from)]
}

func (k *walk) duration() time.Duration {
	tick, kind, n := k.m.tick, k.digit(), k.digit()
	switch kind % 8 {
	case 0:
		return power(tick, n)
	case 1:
		return power(tick, n) - 1
	case 2:
		return min(power(tick, n), never-1) + 1
	case 3:
		return -power(tick, n)
	case 4:
		return tick * time.Duration(n%256) / 4
	case 5:
		return time.Duration(n%256) << (k.digit() % 56)
	case 6:
		extremes := []time.Duration{0, 1, -1, math.MinInt64, math.MaxInt64, math.MaxInt64 - 1, manualYear, 100 * manualYear, never - k.m.elapsed, never - k.m.elapsed - 1}
		return extremes[n%len(extremes)]
	default:
		return tick * time.Duration(n%256)
	}
}

// power is 64^n ticks, or as many as a Duration can hold.
func power(tick time.Duration, n int) time.Duration {
	for range n % 10 {
		if tick > never/64 {
			return never
		}
		tick *= 64
	}
	return tick
}

func (k *walk) instant() time.Time {
	switch d := k.duration(); d {
	case math.MinInt64:
		return time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	case math.MaxInt64:
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	default:
		return k.m.now.Add(d)
	}
}

// group chooses a group; nil is the wheel.
func (k *walk) group() *modelGroup {
	if n := k.digit() % (len(k.groups) + 1); n > 0 {
		return k.groups[n-1]
	}
	return nil
}

// ---- The wheel ----

func (k *walk) open() {
	b := k.digit()
	o := timerwheel.Options{Manual: true, Start: manualStart, Debug: b&8 != 0}
	o.Tick = []time.Duration{time.Millisecond, time.Microsecond, 7 * time.Millisecond, time.Hour}[b%4]
	if b&4 != 0 {
		o.OnPanic = k.onPanic
	}
	k.w = openWheel(k.t, o)
	k.m = &model{tick: o.Tick, now: manualStart}
	k.groups, k.given, k.debug = nil, map[timerwheel.Timer]bool{}, o.Debug
}

func (k *walk) reopen() {
	if k.m.closed && k.calls == 0 && !k.m.advancing {
		k.open()
	}
}

func (k *walk) close(f func(*timerwheel.Wheel) error) {
	var want error
	if k.calls > 0 {
		want = timerwheel.ErrDeadlock
	}
	k.m.close()
	if want == nil && k.debug {
		k.m.countLeaks()
	}
	k.same(f(k.w), want)
}

// advance is called on a goroutine of its own, because a handler may end that.
func (k *walk) advance(to time.Time) {
	if k.calls > 0 || k.m.closed {
		fired, err := k.w.Advance(to)
		k.check(fired == 0, "Advance fires %d where it must not", fired)
		k.same(err, map[bool]error{true: timerwheel.ErrDeadlock, false: timerwheel.ErrClosed}[k.calls > 0])
		return
	}
	noop := k.m.setTime(to)
	fired, returned := 0, false
	<-inBackground(func() {
		defer func() {
			if v := recover(); v != nil && v != onPurpose {
				panic(v)
			}
		}()
		var err error
		fired, err = k.w.Advance(to)
		k.same(err, nil)
		returned = true
	})
	if k.t.Failed() {
		k.t.FailNow()
	}
	if noop {
		k.check(fired == 0, "an Advance into the past fired %d", fired)
		return
	}
	k.check(!returned || fired == k.m.fired, "Advance says %d, handlers %d", fired, k.m.fired)
	if x := k.m.endAdvance(returned); x != nil {
		k.check(false, "%v is late: due at %v, now %v", x.handle, x.deadline, k.m.elapsed)
	}
	k.check(k.dones == 0, "%d dones are missing", k.dones)
}

// advanceToNext fires something, or makes Next later; where functions were called, they may
// have made it earlier.
func (k *walk) advanceToNext() {
	next, ok := k.w.Next()
	if !ok {
		return
	}
	scripts := k.scripts
	k.advance(next)
	if after, ok := k.w.Next(); ok && k.calls == 0 && scripts == k.scripts && k.m.elapsed < never-1 {
		k.check(after.After(next), "Advance(Next()) fires nothing, and Next stays %v", next)
	}
}

// ---- The functions that the wheel calls ----

// handle is every handler.
func (k *walk) handle(x *modelTimer) {
	if err := k.m.mustNotBegin(x); err != nil {
		k.check(false, "%v fires %v", x.handle, err)
	}
	k.m.begin(x)
	defer k.m.end(x)
	k.panicked = x // if it does
	k.script(true)
	k.panicked = nil
}

// handler is handle for the functions that are given their Timer.
func (k *walk) handler(x *modelTimer) func(timerwheel.Timer) {
	return func(tm timerwheel.Timer) {
		k.check(tm == x.handle, "the handler of %v is given %v", x.handle, tm)
		k.handle(x)
	}
}

func (k *walk) onPanic(p timerwheel.HandlerPanic) {
	k.check(k.panicked != nil && p.Timer == k.panicked.handle, "OnPanic for %v", p.Timer)
	k.check(p.Value == onPurpose && len(p.Stack) > 0, "OnPanic with %v and a stack of %d bytes", p.Value, len(p.Stack))
	k.check((p.AllocatedAt != "") == k.debug, "OnPanic says allocated at %q", p.AllocatedAt)
	k.script(false)
}

// walkLock is the lock of a lock-bound timer. It lets the program work while the worker
// waits for it.
type walkLock struct {
	k    *walk
	x    *modelTimer
	held bool
}

func (l *walkLock) Lock() {
	if err := l.k.m.mustNotBegin(l.x); err != nil {
		l.k.check(false, "%v takes its lock %v", l.x.handle, err)
	}
	l.k.script(true)
	l.held = true
}

func (l *walkLock) Unlock() {
	l.k.check(l.held && !l.x.running, "unlocked while held: %v, running: %v", l.held, l.x.running)
	l.held = false
}

// ---- Making timers ----

// host is what timers are made by.
type host interface {
	Alloc(f func(timerwheel.Timer)) timerwheel.Timer
	AllocLocked(l sync.Locker, f func(timerwheel.Timer)) timerwheel.Timer
	AfterFunc(d time.Duration, f func()) timerwheel.Timer
	AfterFuncArg(d time.Duration, f func(any), arg any) timerwheel.Timer
	Every(period time.Duration, f func(timerwheel.Timer)) timerwheel.Timer
}

// host chooses one, for a new timer.
func (k *walk) host() (host, *modelTimer) {
	if g := k.group(); g != nil {
		return g.group, &modelTimer{group: g}
	}
	return k.w, new(modelTimer)
}

func (k *walk) newGroup() {
	if len(k.groups) < 3 {
		k.groups = append(k.groups, &modelGroup{group: k.w.NewGroup()})
	}
}

func (k *walk) alloc() {
	h, x := k.host()
	x.handle = h.Alloc(k.handler(x))
	k.m.add(x)
	k.isNew(x)
}

func (k *walk) allocLocked() {
	h, x := k.host()
	x.lock = &walkLock{k: k, x: x}
	x.handle = h.AllocLocked(x.lock, k.handler(x))
	k.m.add(x)
	k.isNew(x)
}

func (k *walk) afterFunc() {
	h, x := k.host()
	d := k.duration()
	if len(k.given)%2 == 0 {
		x.handle = h.AfterFunc(d, func() { k.handle(x) })
	} else {
		x.handle = h.AfterFuncArg(d, func(arg any) { k.handle(arg.(*modelTimer)) }, x)
	}
	if k.m.start(x, d) {
		k.isNew(x)
	}
}

func (k *walk) every() {
	h, x := k.host()
	x.period = max(k.duration(), 1)
	x.handle = h.Every(x.period, k.handler(x))
	if k.m.start(x, x.period) {
		k.isNew(x)
	}
}

func (k *walk) isNew(x *modelTimer) {
	k.check(!k.given[x.handle], "%v comes twice", x.handle)
	k.given[x.handle] = true
}

// ---- Using timers ----

func (k *walk) register() {
	x, d := k.timer(), k.duration()
	k.same(x.handle.Register(d), k.m.register(x, k.m.in(d)))
}

func (k *walk) registerAt() {
	x, at := k.timer(), k.instant()
	k.same(x.handle.RegisterAt(at), k.m.register(x, at.Sub(manualStart)))
}

func (k *walk) reduce() {
	x, d := k.timer(), k.duration()
	k.same(x.handle.Reduce(d), k.m.reduce(x, k.m.in(d)))
}

func (k *walk) reset() {
	x, d := k.timer(), k.duration()
	was := x.pending
	ok := k.m.register(x, k.m.in(d)) == nil
	got := x.handle.Reset(d)
	k.check(got == (ok && was), "Reset says %v; pending was %v, registered %v", got, was, ok)
}

func (k *walk) stop() {
	x := k.timer()
	want := k.m.delete(x).Pending
	k.check(x.handle.Stop() == want, "Stop does not say %v", want)
}

// delete is a deletion of one timer: one that waits, perhaps, and one that is for ever, perhaps.
func (k *walk) delete(f func(timerwheel.Timer) (timerwheel.Found, error), waits, down bool) {
	x := k.timer()
	x.shutdown = x.shutdown || down
	k.found(f, x.handle, k.m.delete(x), waits)
}

func (k *walk) deleteGroup(f func(*timerwheel.Group) (timerwheel.Found, error), down bool) {
	if g := k.group(); g != nil {
		g.down = g.down || down
		found, err := f(g.group)
		k.sameFound(found, err, k.m.deleteGroup(g), true)
	}
}

func (k *walk) found(f func(timerwheel.Timer) (timerwheel.Found, error), tm timerwheel.Timer, want timerwheel.Found, waits bool) {
	found, err := f(tm)
	k.sameFound(found, err, want, waits)
}

func (k *walk) sameFound(found timerwheel.Found, err error, want timerwheel.Found, waits bool) {
	k.check(found == want, "found %+v, want %+v", found, want)
	if waits && want.Running {
		k.same(err, timerwheel.ErrDeadlock)
	} else {
		k.same(err, nil)
	}
}

// delAsync has a done that works, too: at once, or when the handler that calls it has returned.
func (k *walk) delAsync() {
	x := k.timer()
	want := k.m.delete(x)
	if want.Running {
		x.deleting = true
		k.m.stats.SyncWaits++
	}
	counts := k.calls > 0 || !k.m.closed // as one of the wheel's calls
	k.dones++
	ran := false
	done := func() {
		k.check(!ran && !x.running, "done before: %v; the timer runs: %v", ran, x.running)
		ran = true
		k.dones--
		if !counts {
			k.calls--
			defer func() { k.calls++ }()
		}
		k.script(false)
	}
	if x.handle == (timerwheel.Timer{}) {
		k.delAsyncOfNone()
		return
	}
	k.found(func(tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelAsync(done), nil }, x.handle, want, false)
	k.check(ran != want.Running, "done has run: %v; the timer runs: %v", ran, want.Running)
}

// delAsyncOfNone deletes the zero Timer: it has no wheel to run its done, so that has a
// goroutine of its own.
func (k *walk) delAsyncOfNone() {
	done := make(chan struct{})
	found := timerwheel.Timer{}.DelAsync(func() { close(done) })
	k.sameFound(found, nil, timerwheel.Found{}, false)
	<-done
	k.dones--
}

func (k *walk) retain() {
	x := k.timer()
	k.same(x.handle.Retain(), k.m.retain(x))
}

func (k *walk) free() {
	x := k.timer()
	k.same(x.handle.Free(), k.m.free(x))
}

// ---- Comparing ----

// compare asks the wheel everything that the model knows.
func (k *walk) compare() {
	k.check(k.w.Now().Equal(k.m.now), "Now is %v, want %v", k.w.Now(), k.m.now)
	for _, x := range k.m.timers {
		k.compareTimer(x)
	}
	for _, x := range k.m.stale {
		tm := x.handle
		k.check(!tm.Valid() && !tm.Pending() && !tm.Running(), "%v was recycled, and is not stale", tm)
	}
	for _, g := range k.groups {
		k.check(g.group.Len() == len(k.m.members(g)), "Len is %d, want %d", g.group.Len(), len(k.m.members(g)))
	}
	s := k.w.Stats()
	k.check(s.Registered == s.Fired+s.Removed+uint64(s.Pending), "Registered == Fired + Removed + Pending: %+v", s)
	s.Bytes = 0
	k.check(s == k.m.stats, "Stats are %+v, want %+v", s, k.m.stats)
	latest, ok := k.m.latestNext()
	next, got := k.w.Next()
	k.check(got == ok && (!ok || !next.Before(k.m.now) && !next.After(latest)), "Next is %v, %v, at %v; want %v at the latest, %v", next, got, k.m.now, latest, ok)
}

func (k *walk) compareTimer(x *modelTimer) {
	tm := x.handle
	k.check(tm.Valid() && tm.Pending() == x.pending && tm.Running() == x.running, "%v is pending %v, running %v; want %v, %v",
		tm, tm.Pending(), tm.Running(), x.pending, x.running)
	when, ok := tm.When()
	k.check(ok == x.pending && (!ok || when.Equal(manualStart.Add(x.deadline))), "%v: When is %v, %v; due at %v", tm, when.Sub(manualStart), ok, x.deadline)
	k.check(x.lock == nil || x.lock.held == x.running, "%v: its lock is held: %v; it runs: %v", tm, x.lock != nil && x.lock.held, x.running)
	isRunning := func(r timerwheel.RunningHandler) bool { return r.Timer == tm }
	k.check(!x.running || slices.ContainsFunc(k.w.Running(), isRunning), "%v is not among those that run", tm)
}

func (k *walk) same(err, want error) {
	k.check(errors.Is(err, want), "error %v, want %v", err, want)
	k.met[want] = true
}

// check is require.True without its cost, which a walk pays a million times.
func (k *walk) check(ok bool, format string, args ...any) {
	if !ok {
		k.t.Helper()
		k.t.Fatalf(format, args...)
	}
}

// drain runs the wheel dry by Next, as an event loop would, and then lets go of all.
func (k *walk) drain() {
	for _, x := range k.m.members(nil) {
		if x.period > 0 || x.deadline == never {
			k.found(timerwheel.Timer.DelSync, x.handle, k.m.delete(x), true)
		}
	}
	for range 1000 {
		if k.m.stats.Pending == 0 || k.m.elapsed == never-1 {
			break
		}
		k.advanceToNext()
		k.compare()
	}
	k.close((*timerwheel.Wheel).Close)
	for _, x := range k.m.members(nil) {
		for !x.recycled {
			k.same(x.handle.Free(), k.m.free(x))
		}
	}
	k.compare()
	k.check(k.m.stats.Live == 0, "%d are left", k.m.stats.Live)
}

// Contract 10 against a dumb model: random programs of several thousand operations, as
// FuzzAPI runs them, on wheels of every tick. The seed of a failure is in the test's name,
// and the clock's own seed is printed.
func TestAManualWheelAgainstAnObviousModel(t *testing.T) {
	seeds := []uint64{1, 2, 3, uint64(time.Now().UnixNano())}
	for _, seed := range seeds {
		for options := range byte(16) {
			t.Run(fmt.Sprintf("seed %d/options %d", seed, options), func(t *testing.T) {
				t.Logf("seed %d", seed)
				rng := rand.New(rand.NewPCG(seed, uint64(options)))
				program := make([]byte, 5000)
				if testing.Short() {
					program = program[:1000]
				}
				for i := range program {
					program[i] = byte(rng.Uint32())
				}
				program[0] = '0' + options
				newWalk(t, program).run()
			})
		}
	}
}
