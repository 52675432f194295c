package timerwheel_test

import (
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
	"github.com/seed76848005/timerwheel/internal/reference"
	"github.com/stretchr/testify/require"
)

// This file drives all of the API of a Manual wheel by programs of bytes, in handlers and in all
// other functions that the wheel calls, too. It compares what the wheel says with the reference of
// internal/reference. After each call it asks every question that the API has.
//
// # Programs
//
// A program can be read and written by hand: "4 a0 r003 v13 v71 .". The first byte makes the
// wheel. Then come verbs, each a letter, and their operands. Any other byte is a verb, too.
// Spaces mean nothing. A function that the wheel calls takes the next verbs of the program, up to
// a '.' (return), a '!' (panic) or a '~' (Goexit), and at most four. The operands:
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
		'r': (*walk).register,     // timer, duration
		'R': (*walk).registerAt,   // timer, instant
		'E': (*walk).registerIdle, // timer, duration
		'T': (*walk).touch,        // timer
		'W': (*walk).when,         // timer
		'm': (*walk).reduce,       // timer, duration
		'M': (*walk).move,         // timer, duration
		'z': (*walk).reset,        // timer, duration
		's': deletes("Stop"),      // timer, and so are those that follow
		'd': deletes("Del"),
		'X': deletes("Shutdown"),
		'y': deletes("DelSync"),
		'c': deletes("DelSyncContext, ended"),
		'x': deletes("ShutdownSync"),
		'k': deletes("ShutdownSyncContext, ended"),
		'q': (*walk).delAsync,
		'L': (*walk).releaseLock,
		't': func(k *walk) { k.count(timerwheel.Timer.Retain, (*reference.Wheel).Retain) },
		'u': func(k *walk) { k.count(timerwheel.Timer.Free, (*reference.Wheel).Free) },
		'D': deletesGroup("Del"), // host, and so are those that follow
		'I': deletesGroup("Shutdown"),
		'g': deletesGroup("DelSync"),
		'h': deletesGroup("DelSyncContext, ended"),
		'i': deletesGroup("ShutdownSync"),
		'j': deletesGroup("ShutdownSyncContext, ended"),
		'v': func(k *walk) { k.advance(k.instant()) }, // instant
		'w': (*walk).advanceToNext,
		'C': func(k *walk) { k.close((*timerwheel.Wheel).Close) },
		'Z': func(k *walk) { k.close(func(w *timerwheel.Wheel) error { return w.CloseContext(endedContext) }) },
	}
}

var walkVerbs map[byte]func(*walk)

// verbWeights is what other bytes mean: each verb as often as it is worth it.
const verbWeights = "aaallfffeeGNNNrrrrrrRRRmmmMMzzssddyycxqqttuuuughivvvvvvvvvvwwww...!~XkDIjEEETTTWLL"

// The whole API against the reference, for any program. The names of the files of the corpus say
// what each program is about.
func FuzzAPI(f *testing.F) {
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 4096 {
			t.Skip("the reference is slow")
		}
		newWalk(t, program).run()
	})
}

// The corpus has every verb, in functions that the wheel calls too, and every error.
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
		timerwheel.ErrNotLocked,
	} {
		require.True(t, met[err], "%v: never met", err)
	}
}

// A walk is a program on its way through the wheel and the reference.
type walk struct {
	t       *testing.T
	program []byte
	w       *timerwheel.Wheel
	m       *reference.Wheel
	now     time.Time // the reference has only durations since manualStart, as far as they reach
	tick    time.Duration
	timers  []*walkTimer // by their ID
	stale   []*walkTimer // some that were recycled: the latest
	groups  []walkGroup
	given   map[timerwheel.Timer]bool // every handle that there was

	calls     int        // functions of the program that the wheel is calling
	self      *walkTimer // the timer of the last of them, if that is a handler
	scripts   int        // all such calls
	dones     int        // DelAsyncs whose done has not been called
	debug     bool       // with Debug
	debugged  int        // DebugEvery
	advancing bool       // an Advance is under way; for the reference it has ended when OnPanic is called for the last handler
	loop      walkLoop   // as OnNext sees it
	how       string     // the handler in flight ends
	panicked  *walkTimer // the timer whose handler has panicked, until OnPanic has been called

	outside, inside map[byte]bool  // verbs that were used
	met             map[error]bool // errors that were expected, and returned
}

// A walkTimer is a timer in both worlds.
type walkTimer struct {
	*reference.Timer
	handle timerwheel.Timer
	lock   *walkLock
}

// A walkLoop is what a host knows that asks Next after each call.
type walkLoop struct {
	heard time.Time   // Next
	any   bool        // something pends
	awake bool        // it is in Advance, or has been since it asked
	told  []time.Time // by OnNext since it asked
}

type walkGroup struct {
	*reference.Group
	group *timerwheel.Group
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

// do makes one call, and compares everything after it.
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

// script is what every function does that the wheel calls, except handlers.
func (k *walk) script(mayEndBadly bool) { k.scriptOf(nil, mayEndBadly) }

// scriptOf is that for the handler of a timer.
func (k *walk) scriptOf(x *walkTimer, mayEndBadly bool) {
	k.scripts++
	k.calls++
	defer func(before *walkTimer) {
		k.calls--
		k.self = before
	}(k.self)
	k.self = x
	k.compare()
	for range 4 {
		verb, ok := k.verb()
		switch {
		case !ok || verb == '.':
			return
		case verb == '!' && mayEndBadly:
			k.how = reference.Panic
			panic(onPurpose)
		case verb == '~' && mayEndBadly:
			k.how = reference.Goexit
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
	if walkVerbs[b] == nil && !strings.ContainsRune(verbWeights, rune(b)) {
		b = verbWeights[int(b)%len(verbWeights)]
	}
	return b, ok
}

// digit is an operand: 0 for '0', and at the end of the program.
func (k *walk) digit() int {
	b, ok := k.next()
	if !ok {
		return 0
	}
	return int(b - '0')
}

// timer chooses a living timer, if there is one, unless the program wants a stale one.
func (k *walk) timer() *walkTimer {
	b, _ := k.next()
	living := k.m.Living()
	switch {
	case (b < 'A' || b > 'Z') && len(living) > 0:
		return k.timers[living[int(b-'0')%len(living)].ID]
	case len(k.stale) > 0:
		return k.stale[int(b-'A')%len(k.stale)]
	}
	return k.timers[0] // the zero Timer
}

func (k *walk) duration() time.Duration {
	tick, kind, n := k.tick, k.digit(), k.digit()
	switch kind % 8 {
	case 0:
		return power(tick, n)
	case 1:
		return power(tick, n) - 1
	case 2:
		return min(power(tick, n), reference.Never-1) + 1
	case 3:
		return -power(tick, n)
	case 4:
		return tick * time.Duration(n%256) / 4
	case 5:
		return time.Duration(n%256) << (k.digit() % 56)
	case 6:
		extremes := []time.Duration{0, 1, -1, math.MinInt64, math.MaxInt64, math.MaxInt64 - 1, manualYear, 100 * manualYear, reference.Never - k.m.Now, reference.Never - k.m.Now - 1}
		return extremes[n%len(extremes)]
	default:
		return tick * time.Duration(n%256)
	}
}

// power is 64^n ticks, or as many as a Duration can hold.
func power(tick time.Duration, n int) time.Duration {
	for range n % 10 {
		if tick > reference.Never/64 {
			return reference.Never
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
		return k.now.Add(d)
	}
}

// group chooses a group; the zero one is the wheel.
func (k *walk) group() (g walkGroup) {
	if n := k.digit() % (len(k.groups) + 1); n > 0 {
		g = k.groups[n-1]
	}
	return g
}

// ---- The wheel ----

func (k *walk) open() {
	b := k.digit()
	o := timerwheel.Options{Manual: true, Start: manualStart, Debug: b&8 != 0, DebugEvery: b >> 4 & 3}
	o.Tick = []time.Duration{time.Millisecond, time.Microsecond, 7 * time.Millisecond, time.Hour}[b%4]
	if b&4 != 0 {
		o.OnPanic = k.onPanic
	}
	k.loop = walkLoop{}
	o.OnNext = func(when time.Time) { k.loop.told = append(k.loop.told, when) }
	k.w, k.m = openWheel(k.t, o), reference.New(o)
	k.now, k.tick, k.debug, k.debugged = manualStart, o.Tick, o.Debug, o.DebugEvery
	k.timers, k.stale, k.groups, k.given = []*walkTimer{{Timer: k.m.Timers[0]}}, nil, nil, map[timerwheel.Timer]bool{}
	k.m.Recycled = func(t *reference.Timer) {
		if t.ID < len(k.timers) { // otherwise it has not been made at all: see isNew
			k.remember(k.timers[t.ID])
		}
	}
}

// remember keeps a few handles that are stale: the latest.
func (k *walk) remember(x *walkTimer) {
	k.stale = append(k.stale, x)
	if len(k.stale) > 8 {
		k.stale = k.stale[1:]
	}
}

func (k *walk) reopen() {
	if k.m.Closed && k.calls == 0 && !k.m.Advancing() {
		k.open()
	}
}

// caller is the handler in flight. In another function that the wheel calls it is a run for which
// nothing can wait. Outside of both it is nil.
func (k *walk) caller() *reference.Run {
	for _, r := range k.m.Runs() {
		return r
	}
	if k.calls > 0 {
		return new(reference.Run)
	}
	return nil
}

func (k *walk) close(f func(*timerwheel.Wheel) error) {
	want := k.m.Close(reference.Never, k.caller())
	k.same(f(k.w), want.Outcome.Err)
}

// advance is called on a goroutine of its own, because a handler may end that.
func (k *walk) advance(to time.Time) {
	d := reference.Ended
	if !to.Before(k.now) {
		d = min(to.Sub(manualStart), reference.Never-1) - k.m.Now
	}
	want := k.m.Advance(d, k.caller())
	k.loop.awake = true
	if want.Ready { // refused, or an Advance into the past
		fired, err := k.w.Advance(to)
		k.returns(reference.Outcome{Fired: fired, Err: err}, want)
		return
	}
	k.now = to
	got := reference.Outcome{Err: reference.ErrUnwound}
	k.advancing = true
	<-inBackground(func() {
		defer func() {
			if v := recover(); v != nil && v != onPurpose {
				panic(v)
			}
		}()
		fired, err := k.w.Advance(to)
		got = reference.Outcome{Fired: fired, Err: err}
	})
	k.advancing = false
	if k.t.Failed() {
		k.t.FailNow()
	}
	if got.Err == reference.ErrUnwound && k.m.Advancing() {
		k.m.Unwind() // by a lock
	}
	if late := k.m.Rest(k.m.Now, 0); late != nil {
		k.check(false, "%v is late: due at %v, now %v", k.timers[late.ID].handle, late.Deadline, k.m.Now)
	}
	k.returns(got, want)
	k.check(k.dones == 0, "%d dones are missing", k.dones)
}

// advanceToNext fires something, or makes Next later. Where functions were called, they may have
// made it earlier.
func (k *walk) advanceToNext() {
	next, ok := k.w.Next()
	if !ok {
		return
	}
	scripts := k.scripts
	k.advance(next)
	if after, ok := k.w.Next(); ok && k.calls == 0 && scripts == k.scripts && k.m.Now < reference.Never-1 {
		k.check(after.After(next), "Advance(Next()) fires nothing, and Next stays %v", next)
	}
}

// ---- The functions that the wheel calls ----

// handle is every handler.
func (k *walk) handle(x *walkTimer) {
	wrong := k.m.MayBegin(x.Timer)
	k.check(wrong == "", "%v fires, but %s", x.handle, wrong)
	k.m.Begin(x.Timer)
	defer func() { k.m.End(x.Timer, k.how) }()
	k.how, k.panicked = reference.Return, x // if it does
	k.scriptOf(x, true)
	k.panicked = nil
}

// handler is handle for the functions that are given their Timer.
func (k *walk) handler(x *walkTimer) func(timerwheel.Timer) {
	return func(tm timerwheel.Timer) {
		k.check(tm == x.handle, "the handler of %v is given %v", x.handle, tm)
		k.handle(x)
	}
}

func (k *walk) onPanic(p timerwheel.HandlerPanic) {
	k.check(k.panicked != nil && p.Timer == k.panicked.handle, "OnPanic for %v", p.Timer)
	k.check(p.Value == onPurpose && len(p.Stack) > 0, "OnPanic with %v and a stack of %d bytes", p.Value, len(p.Stack))
	k.check(p.AllocatedAt == "" || k.debug, "OnPanic says allocated at %q without Debug", p.AllocatedAt)
	k.check(p.AllocatedAt != "" || !k.debug || k.debugged > 1, "OnPanic says allocated at %q", p.AllocatedAt)
	k.script(false)
}

// walkLock is the lock of a lock-bound timer. The program goes on while the worker waits for it.
type walkLock struct {
	k        *walk
	x        *walkTimer
	held     bool
	released bool // by the last handler that had it
}

func (l *walkLock) Lock() {
	wrong := l.k.m.MayBegin(l.x.Timer)
	l.k.check(wrong == "" || l.x.MayBeInLine(), "%v takes its lock, but %s", l.x.handle, wrong)
	l.k.script(true)
	l.held, l.released = true, false
}

func (l *walkLock) Unlock() {
	l.k.check(l.held && (l.x.Run != nil) == l.released, "unlocked while held: %v, running: %v", l.held, l.x.Run != nil)
	l.held = false
}

func (k *walk) releaseLock() {
	x, want := k.timer(), timerwheel.ErrNotLocked
	if l := x.lock; l != nil && x == k.self && l.held {
		l.released, want = true, nil
	}
	k.same(x.handle.ReleaseLock(), want)
	k.check(want != nil || !x.lock.held, "%v keeps its lock", x.handle)
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

// host chooses the host of a new timer.
func (k *walk) host() (host, *reference.Group) {
	if g := k.group(); g.group != nil {
		return g.group, g.Group
	}
	return k.w, nil
}

func (k *walk) newGroup() {
	if len(k.groups) < 3 {
		k.groups = append(k.groups, walkGroup{k.m.NewGroup(), k.w.NewGroup()})
	}
}

func (k *walk) alloc() {
	h, g := k.host()
	x := new(walkTimer)
	x.handle = h.Alloc(k.handler(x))
	k.isNew(x, k.m.Alloc(g, reference.NoLock))
}

func (k *walk) allocLocked() {
	h, g := k.host()
	x := new(walkTimer)
	x.lock = &walkLock{k: k, x: x}
	x.handle = h.AllocLocked(x.lock, k.handler(x))
	k.isNew(x, k.m.Alloc(g, reference.NoLock)) // no other timer has its lock
}

func (k *walk) afterFunc() {
	h, g := k.host()
	d, x := k.duration(), new(walkTimer)
	if len(k.given)%2 == 0 {
		x.handle = h.AfterFunc(d, func() { k.handle(x) })
	} else {
		x.handle = h.AfterFuncArg(d, func(arg any) { k.handle(arg.(*walkTimer)) }, x)
	}
	k.isNew(x, k.m.Start(g, d, 0))
}

func (k *walk) every() {
	h, g := k.host()
	period, x := max(k.duration(), 1), new(walkTimer)
	x.handle = h.Every(period, k.handler(x))
	k.isNew(x, k.m.Start(g, period, period))
}

// isNew checks a timer that has been made, or refused.
func (k *walk) isNew(x *walkTimer, t *reference.Timer) {
	x.Timer = t
	k.timers = append(k.timers, x)
	if t.Gone {
		k.check(x.handle == timerwheel.Timer{}, "%v was to be refused", x.handle)
		k.remember(x)
		return
	}
	k.check(!k.given[x.handle], "%v comes twice", x.handle)
	k.given[x.handle] = true
}

// ---- Using timers ----

func (k *walk) register() {
	x, d := k.timer(), k.duration()
	_, err := k.m.Register(x.Timer, d)
	k.same(x.handle.Register(d), err)
}

func (k *walk) registerAt() {
	x, at := k.timer(), k.instant()
	k.same(x.handle.RegisterAt(at), k.m.RegisterAt(x.Timer, at.Sub(manualStart)))
}

func (k *walk) registerIdle() {
	x, d := k.timer(), k.duration()
	k.same(x.handle.RegisterIdle(d), k.m.RegisterIdle(x.Timer, d))
}

// touch leaves the deadline in doubt until a program asks for it, or registers the timer anew. Of a
// series it asks itself: the instants of its period follow from the deadline.
func (k *walk) touch() {
	x := k.timer()
	touches := k.m.Touch(x.Timer)
	k.check(x.handle.Touch() == touches, "Touch does not say %v", touches)
	if x.Period > 0 {
		k.sees(x)
	}
}

func (k *walk) when() { k.sees(k.timer()) }

// sees asks for the deadline of a timer, which is in doubt.
func (k *walk) sees(x *walkTimer) {
	if x.Unseen {
		when, _ := x.handle.When()
		k.check(k.m.Saw(x.Timer, when.Sub(manualStart)), "When is %v, and must be from %v on", when.Sub(manualStart), x.Deadline)
	}
}

func (k *walk) reduce() {
	x, d := k.timer(), k.duration()
	k.sees(x)
	k.same(x.handle.Reduce(d), k.m.Reduce(x.Timer, d))
}

func (k *walk) move() {
	x, d := k.timer(), k.duration()
	moves := k.m.Move(x.Timer, d)
	k.check(x.handle.Move(d) == moves, "Move does not say %v", moves)
}

func (k *walk) reset() {
	x, d := k.timer(), k.duration()
	was, err := k.m.Register(x.Timer, d)
	k.check(x.handle.Reset(d) == was, "Reset does not say %v, with the error %v", was, err)
}

// expected is what a deletion finds. With one goroutine a handler in flight is its caller, so the
// limit of a wait does not matter.
func expected[T, R any](k *walk, verb deletionVerb[T], x R, del, shutdown func(R) timerwheel.Found, delSync, shutdownSync func(R, time.Duration, *reference.Run) *reference.Answer) *reference.Answer {
	if verb.shuts {
		del, delSync = shutdown, shutdownSync
	}
	if verb.syncs {
		return delSync(x, reference.Never, k.caller())
	}
	return reference.Returns(reference.Outcome{Found: del(x)})
}

func deletes(name string) func(*walk) {
	verb := timerVerbs.named(name)[0]
	return func(k *walk) {
		x := k.timer()
		want := expected(k, verb, x.Timer, k.m.Delete, k.m.Shutdown, k.m.DelSync, k.m.ShutdownSync)
		if verb.name == "Stop" {
			want.Outcome.Found.Running = false // Stop does not report a run
		}
		k.finds(want)(verb.call(x.handle))
	}
}

func deletesGroup(name string) func(*walk) {
	verb := groupVerbs.named(name)[0]
	return func(k *walk) {
		if g := k.group(); g.group != nil {
			want := expected(k, verb, g.Group, k.m.DeleteGroup, k.m.ShutdownGroup, k.m.DelSyncGroup, k.m.ShutdownSyncGroup)
			k.finds(want)(verb.call(g.group))
		}
	}
}

// finds checks what a deletion returns.
func (k *walk) finds(want *reference.Answer) func(timerwheel.Found, error) {
	return func(found timerwheel.Found, err error) { k.returns(reference.Outcome{Found: found, Err: err}, want) }
}

// delAsync has a done that works, too: at once, or when the handler that calls it has returned.
func (k *walk) delAsync() {
	x := k.timer()
	counts := k.calls > 0 || !k.m.Closed // as one of the wheel's calls
	want := k.m.DelAsync(x.Timer)
	k.dones++
	if x.handle == (timerwheel.Timer{}) {
		k.delAsyncOfNone()
		return
	}
	ran := false
	done := func() {
		k.check(!ran && x.Run == nil, "done before: %v; the timer runs: %v", ran, x.Run != nil)
		ran = true
		k.dones--
		if !counts {
			k.calls--
			defer func() { k.calls++ }()
		}
		k.script(false)
	}
	got := x.handle.DelAsync(done)
	k.check(got == want, "found %+v, want %+v", got, want)
	k.check(ran != want.Running, "done has run: %v; the timer runs: %v", ran, want.Running)
}

// delAsyncOfNone deletes the zero Timer: it has no wheel to run its done, so that has a
// goroutine of its own.
func (k *walk) delAsyncOfNone() {
	done := make(chan struct{})
	got := timerwheel.Timer{}.DelAsync(func() { close(done) })
	k.check(got == foundNone, "found %+v of the zero Timer", got)
	<-done
	k.dones--
}

// count adds or drops an owner.
func (k *walk) count(f func(timerwheel.Timer) error, expect func(*reference.Wheel, *reference.Timer) error) {
	x := k.timer()
	k.same(f(x.handle), expect(k.m, x.Timer))
}

// ---- Comparing ----

// compare asks the wheel everything that the reference knows.
func (k *walk) compare() {
	k.check(k.w.Now().Equal(k.now), "Now is %v, want %v", k.w.Now(), k.now)
	for _, t := range k.m.Living() {
		k.compareTimer(k.timers[t.ID])
	}
	for _, x := range k.stale {
		tm := x.handle
		k.check(!tm.Valid() && !tm.Pending() && !tm.Running(), "%v was recycled, and is not stale", tm)
	}
	for _, g := range k.groups {
		want := len(k.m.Members(g.Group))
		k.check(g.group.Len() == want, "Len is %d, want %d", g.group.Len(), want)
	}
	s := k.w.Stats()
	k.check(lawBroken(s) == "", "%s: %+v", lawBroken(s), s)
	s.Bytes = 0
	want := k.m.StatsLike(s)
	k.check(s == want, "Stats are %+v, want %+v", s, want)

	soonest, ok := k.m.Soonest()
	latest := manualStart.Add(soonest)
	if latest.Before(k.now) {
		latest = k.now
	}
	next, got := k.w.Next()
	k.compareTold(next, got)
	k.check(got == ok && (!ok || !next.Before(k.now) && !next.After(latest)), "Next is %v, %v, at %v; want %v at the latest, %v", next, got, k.now, latest, ok)
}

// compareTold checks what the host has been told since it last asked, now that Next is next. At
// the ends of time it may be told of what is no earlier, and need not be told of what never fires.
func (k *walk) compareTold(next time.Time, ok bool) {
	h := k.loop
	earlier := ok && (!h.any || next.Before(h.heard)) && !h.awake
	far := next.Sub(manualStart) > 100*manualYear
	k.check(len(h.told) == 1 || !earlier && len(h.told) == 0 || far, "Next was %v, %v, and is %v, %v; the host has been told %v", h.heard, h.any, next, ok, h.told)
	k.check(len(h.told) == 0 || (earlier || far) && !h.awake && h.told[0].Equal(next), "Next was %v, %v, and is %v; the host has been told %v, and is awake: %v", h.heard, h.any, next, h.told, h.awake)
	k.loop = walkLoop{heard: next, any: ok, awake: k.advancing}
}

func (k *walk) compareTimer(x *walkTimer) {
	tm, running := x.handle, x.Run != nil
	k.check(tm.Valid() && tm.Pending() == x.Pending && tm.Running() == running, "%v is pending %v, running %v; want %v, %v",
		tm, tm.Pending(), tm.Running(), x.Pending, running)
	if !x.Unseen { // else that would be a look
		when, ok := tm.When()
		k.check(ok == x.Pending && (!ok || when.Equal(manualStart.Add(x.Deadline))), "%v: When is %v, %v; due at %v", tm, when.Sub(manualStart), ok, x.Deadline)
	}
	k.check(x.lock == nil || x.lock.held == (running && !x.lock.released), "%v: its lock is held: %v; it runs: %v", tm, x.lock != nil && x.lock.held, running)
	isRunning := func(r timerwheel.RunningHandler) bool { return r.Timer == tm }
	k.check(!running || slices.ContainsFunc(k.w.Running(), isRunning), "%v is not among those that run", tm)
}

// returns checks what a call has returned.
func (k *walk) returns(got reference.Outcome, want *reference.Answer) {
	k.check(want.Ready && got.Is(want.Outcome), "a call has returned %v; want %v, and that it returns: %v", got, want.Outcome, want.Ready)
	k.met[want.Outcome.Err] = true
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

// drain runs the wheel dry by Next, as an event loop does, and then frees every timer.
func (k *walk) drain() {
	for _, t := range slices.Clone(k.m.Living()) {
		if t.Period > 0 || t.Deadline == reference.Never {
			want := k.m.DelSync(t, reference.Never, nil)
			k.finds(want)(k.timers[t.ID].handle.DelSync())
		}
	}
	for range 1000 {
		if k.m.Stats().Pending == 0 || k.m.Now == reference.Never-1 {
			break
		}
		k.advanceToNext()
		k.compare()
	}
	k.close((*timerwheel.Wheel).Close)
	for _, t := range slices.Clone(k.m.Living()) {
		for !t.Gone {
			k.same(k.timers[t.ID].handle.Free(), k.m.Free(t))
		}
	}
	k.compare()
	k.check(k.m.Stats().Live == 0, "%d are left", k.m.Stats().Live)
}

// Random programs of several thousand operations, as FuzzAPI runs them, on wheels of every tick. The
// seed of a failure is in the test's name, and the clock's own seed is printed.
func TestAManualWheelAgainstAnObviousModel(t *testing.T) {
	seeds := []uint64{1, 2, 3, uint64(time.Now().UnixNano())}
	for _, seed := range seeds {
		for options := range byte(16) {
			t.Run(fmt.Sprintf("seed %d/options %d", seed, options), func(t *testing.T) {
				t.Logf("seed %d", seed)
				rng := rand.New(rand.NewPCG(seed, uint64(options)))
				program := make([]byte, 3000)
				if testing.Short() || costlyBuild() {
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
