package timerwheel_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Real goroutines and real time, for the race detector. First the scenarios of the mail that the
// project starts from, by name; then storms.
//
// Much is checked with plain variables: a handler and the goroutine that deleted its timer touch the
// same memory without a lock, as a driver does, and the deletion alone puts them in order. -race
// reports where it did not.

// "Timer handlers can readd timers." Promises 3 and 4: runs do not overlap, each happens before the
// next, and the deletion of such a timer ends it, wherever it strikes.
func TestMailHandlerReAdds(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for i := range raceRounds(40) {
		var f faults
		var in atomic.Int32
		runs, enough := 0, make(chan struct{})
		tm := armed(w.Alloc(func(tm timerwheel.Timer) {
			f.expect(in.Add(1) == 1, "two runs at once")
			defer in.Add(-1)
			if runs++; runs == 20 {
				close(enough)
			}
			err := tm.Register(time.Duration(rand.IntN(2)) * 50 * time.Microsecond)
			f.expect(err == nil || errors.Is(err, timerwheel.ErrDeleting), "Register in its own handler")
		}), 0)
		if i%2 == 0 {
			require.NoError(t, tm.Register(0)) // moved, or again, while it runs
		}
		receive(t, enough)
		_, err := tm.DelSync()
		require.NoError(t, err)
		last := runs
		require.False(t, tm.Pending())
		passTicks(t, w)
		require.Equal(t, last, runs, "it ran after DelSync had returned")
		f.requireNone(t)
		require.NoError(t, tm.Free())
	}
}

// passTicks lets enough time pass for what is due to run: what was due before passTicks began has
// begun when it returns.
func passTicks(t *testing.T, w *timerwheel.Wheel) {
	t.Helper()
	fire(t, w, 3*time.Millisecond, func() {})
}

// beginRun makes a timer whose handler, a puppet, is in flight. At its end the handler calls f.
func beginRun(t *testing.T, w *timerwheel.Wheel, f func(timerwheel.Timer)) (timerwheel.Timer, *puppet) {
	t.Helper()
	p := newPuppet(t)
	tm := armed(w.Alloc(func(tm timerwheel.Timer) {
		p.handle(tm)
		f(tm)
	}), 0)
	eventually(t, "it runs", tm.Running)
	return tm, p
}

// "timer handlers can delete timers". Promise 4: its own, too, by every verb, without a hang.
func TestMailHandlerDeletesItself(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	const timers = 16
	syncs := timerVerbs.named("DelSync", "DelSyncContext", "DelSyncContext, ended") // a Shutdown would be for good
	var f faults
	var wg sync.WaitGroup
	var runs atomic.Int32
	for range timers {
		ran := make(chan struct{}, 1)
		round := 0
		tm := w.Alloc(func(tm timerwheel.Timer) {
			runs.Add(1)
			f.expect(tm.Register(0) == nil, "Register in its own handler")
			f.expect(tm.Del() == foundBoth, "Del in its own handler")
			f.expect(tm.Register(0) == nil, "Register in its own handler")
			found, err := syncs[round%len(syncs)].call(tm)
			f.expect(found == foundBoth && errors.Is(err, timerwheel.ErrDeadlock), "DelSync in its own handler")
			round++
			ran <- struct{}{}
		})
		wg.Go(func() {
			for range raceRounds(50) {
				f.expect(tm.Register(0) == nil, "Register")
				<-ran
				found, err := tm.DelSync() // so that the next Register is of a new run
				f.expect(!found.Pending && err == nil, "a firing that its own handler deleted is there")
			}
		})
	}
	within(t, wg.Wait)
	f.requireNone(t)
	require.EqualValues(t, timers*raceRounds(50), runs.Load(), "a firing that its own handler deleted came")
}

// "timer handlers can kfree() the memory which contained the darn [timer]". Promise 5: the handle is
// valid in its handler, and stale after it; the next tenants of its record are unaffected.
func TestMailHandlerFreesItsOwnTimer(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	var f faults
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range raceRounds(400) {
				ended := make(chan struct{})
				var own timerwheel.Timer
				own = w.Alloc(func(tm timerwheel.Timer) {
					defer close(ended)
					f.expect(tm == own, "another handle")
					f.expect(tm.Free() == nil, "Free in its own handler")
					f.expect(errors.Is(tm.Free(), timerwheel.ErrFreed), "an extra Free in its own handler")
					f.expect(tm.Valid() && tm.Running(), "a handler's own handle")
					_, err := tm.DelSync()
					f.expect(errors.Is(err, timerwheel.ErrDeadlock), "DelSync in its own handler")
				})
				f.expect(own.Register(0) == nil, "Register")
				<-ended
				_, err := own.DelSync()
				f.expect(err == nil, "DelSync")
				f.expect(!own.Valid() && errors.Is(own.Register(0), timerwheel.ErrStale), "a handle that must be stale")
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range raceRounds(2000) {
				f.tenancy(w)
			}
		})
	}
	within(t, wg.Wait)
	f.requireNone(t)
	require.Zero(t, w.Stats().Live)
}

// "the handler-keeps-running-after-del_timer bug". Promise 4: Del does not wait, and says so:
// Running.
func TestMailDelReturnsWhileTheHandlerRuns(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	tm, p := beginRun(t, w, delIgnore)
	require.Equal(t, foundRunning, tm.Del())
	require.True(t, tm.Running())
	require.Zero(t, p.ended.Load())
}

// And its cure. Promise 4, promises 1 to 3.
func TestMailDelSyncDoesNot(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range raceRounds(100) {
		wrote := false
		tm, p := beginRun(t, w, func(timerwheel.Timer) { wrote = true })
		c := deleting(func() (timerwheel.Found, error) {
			found, err := tm.DelSync()
			if !wrote {
				err = errors.New("the handler was not over")
			}
			return found, err
		})
		eventually(t, "the deletion waits", func() bool { return waitersOf(w, tm)[0] == 1 })
		require.False(t, isClosed(c.done), "it returned while the handler ran")
		p.let()
		receive(t, c.done)
		finds(t, foundRunning)(c.result())
		require.NoError(t, tm.Free())
	}
}

// "there may be problems with three: CPU0 is running the handler, CPU1 is spinning in del_timer, CPU2
// re-adds the timer". Promise 4: while it waits no Register succeeds, so one run bounds the wait.
func TestMailThreeCPUs(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for _, persistent := range []bool{false, true} { // CPU2 gives up before the handler has returned, or never
		t.Run(fmt.Sprintf("persistent=%t", persistent), func(t *testing.T) {
			for range raceRounds(60) {
				var f faults
				var waiting atomic.Bool
				var refused atomic.Int32
				tm, cpu0 := beginRun(t, w, delIgnore)
				stop := make(chan struct{})
				cpu2 := inBackground(func() {
					for ; !isClosed(stop); runtime.Gosched() {
						before := waiting.Load()
						err := tm.Register(0)
						f.expect(err == nil || errors.Is(err, timerwheel.ErrDeleting), "Register")
						if before && waiting.Load() {
							refused.Add(1)
							f.expect(err != nil, "Register while the deletion waits")
						}
					}
				})
				cpu1 := deleting(tm.DelSync)
				eventually(t, "the deletion waits", func() bool { return waitersOf(w, tm)[0] == 1 })
				waiting.Store(true)
				eventually(t, "some are refused", func() bool { return refused.Load() > 3 })
				require.EqualValues(t, 1, cpu0.begun.Load())
				waiting.Store(false)
				giveUp := sync.OnceFunc(func() {
					close(stop)
					receive(t, cpu2)
				})
				if !persistent {
					giveUp()
				}
				cpu0.let()
				receive(t, cpu1.done)
				require.NoError(t, cpu1.err)
				require.True(t, cpu1.found.Running)
				giveUp()
				if !persistent {
					require.False(t, tm.Pending())
					require.False(t, tm.Running())
					require.EqualValues(t, 1, cpu0.begun.Load())
				}
				f.requireNone(t)
				_, err := tm.ShutdownSync()
				require.NoError(t, err)
				require.NoError(t, tm.Free())
			}
		})
	}
}

// "after timer_synchronise() returns, the timer_struct may have been kfree'ed by the handler, and
// del_timer_sync then reads and writes it". Promise 4: the wait never touches the timer's storage.
func TestMailStorageReusedWhileDelSyncWaits(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	var f faults
	stop := openedAtTheEnd(t)
	var tenants sync.WaitGroup
	for range 2 {
		tenants.Go(func() { // they want every record that gets free, at once
			for !isClosed(stop) {
				f.tenancy(w)
			}
		})
	}
	for range raceRounds(60) {
		tm, p := beginRun(t, w, func(tm timerwheel.Timer) { f.expect(tm.Free() == nil, "Free in its own handler") })
		stay := newPuppet(t)
		var calls []*deletion
		for range 4 {
			calls = append(calls, deleting(tm.DelSync))
		}
		eventually(t, "they wait", func() bool { return waitersOf(w, tm)[0] == len(calls) })
		p.let()
		var long []timerwheel.Timer
		for range 4 { // tenants that run for longer than a deletion may wait
			long = append(long, armed(w.Alloc(stay.handle), 0))
		}
		for _, c := range calls {
			receive(t, c.done)
			finds(t, foundRunning)(c.result())
		}
		require.False(t, tm.Valid())
		for _, tenant := range long {
			require.True(t, tenant.Pending() || tenant.Running(), "a new tenant was deleted")
		}
		stay.let()
		for _, tenant := range long {
			_, err := tenant.DelSync()
			require.NoError(t, err)
			require.NoError(t, tenant.Free())
		}
	}
	close(stop)
	within(t, tenants.Wait)
	f.requireNone(t)
	require.Zero(t, w.Stats().Live)
}

// tenancy takes a record, and leaves it.
func (f *faults) tenancy(w *timerwheel.Wheel) {
	tm := w.Alloc(func(timerwheel.Timer) { f.expect(false, "a deleted tenant ran") })
	f.expect(tm.Register(time.Hour) == nil, "Register of a new tenant")
	runtime.Gosched()
	f.expect(tm.Del() == foundPending, "a tenant's firing is gone")
	f.expect(tm.Free() == nil, "Free of a tenant")
}

// poison is what memory holds once it is no longer its handler's.
const poison = -1

// A conn is a connection: its state is touched by its one timer, and by the goroutine that tears it down.
type conn struct {
	*faults
	lock  sync.Mutex // of the lock-bound way only
	tm    timerwheel.Timer
	del   func() (timerwheel.Found, error) // of the timer
	state int
}

func (c *conn) handle(tm timerwheel.Timer) {
	for range 3 {
		c.expect(c.state != poison, "a handler ran after the end of its connection")
		c.state++
		runtime.Gosched()
	}
	_ = tm.Register(time.Duration(rand.IntN(2)) * 20 * time.Microsecond) // a periodic one gets a new origin; refused or not
}

// "drivers might be exiting while their timer routine is still running". Promises 4, 6, 7 and 8: each
// way to tear a connection down after which its memory may be poisoned, by a plain write.
func TestMailTearDownThenPoison(t *testing.T) {
	const period = 50 * time.Microsecond
	ways := []struct {
		name  string
		owned bool // it is armed, and freed after its deletion
		make  func(*timerwheel.Wheel, *conn)
	}{
		{"DelSync", true, func(w *timerwheel.Wheel, c *conn) {
			c.tm = w.Alloc(c.handle)
			c.del = c.tm.DelSync
		}},
		{"Shutdown, freed before", false, func(w *timerwheel.Wheel, c *conn) {
			tm := armed(w.Alloc(c.handle), 0)
			_ = tm.Free() // it lives while it re-adds itself
			c.del = tm.ShutdownSync
		}},
		{"DelAsync", true, func(w *timerwheel.Wheel, c *conn) {
			c.tm = w.Alloc(c.handle)
			c.del = func() (timerwheel.Found, error) {
				done := make(chan struct{})
				found := c.tm.DelAsync(func() { close(done) })
				<-done
				return found, nil
			}
		}},
		{"Every", false, func(w *timerwheel.Wheel, c *conn) { c.del = w.Every(period, c.handle).DelSync }},
		{"AllocLocked, Del under the lock", true, func(w *timerwheel.Wheel, c *conn) {
			c.tm = w.AllocLocked(&c.lock, c.handle)
			c.del = func() (timerwheel.Found, error) {
				c.lock.Lock()
				defer c.lock.Unlock()
				return c.tm.Del(), nil
			}
		}},
		{"Group.DelSync", true, func(w *timerwheel.Wheel, c *conn) {
			g := w.NewGroup()
			c.tm, c.del = g.Alloc(c.handle), g.DelSync
		}},
		{"Group.Shutdown", false, func(w *timerwheel.Wheel, c *conn) {
			g := w.NewGroup()
			g.Every(period, c.handle)
			c.del = g.ShutdownSync
		}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			for range raceRounds(25) {
				var f faults
				var conns [8]conn
				for i := range conns {
					conns[i].faults = &f
					way.make(w, &conns[i])
					if way.owned {
						_ = conns[i].tm.Register(0)
					}
				}
				time.Sleep(shortDelay())
				within(t, func() {
					for i := range conns {
						_, err := conns[i].del()
						assert.NoError(t, err)
						if way.owned {
							assert.NoError(t, conns[i].tm.Free())
						}
						conns[i].state = poison
					}
				})
				passTicks(t, w)
				f.requireNone(t)
				for i := range conns {
					require.Equal(t, poison, conns[i].state)
				}
			}
			eventually(t, "none lives", func() bool { return w.Stats().Live == 0 })
		})
	}
}

// "It does introduce the potential for deadlocks which Alexey [pointed out]: mainline() del_timer()
// [spins forever], handler() [wants the lock that mainline holds]". Promise 4 has three cures.
func TestMailMainlineAndHandlerWantTheSameLock(t *testing.T) {
	for name, c := range map[string]struct {
		locked bool
		del    func(l *lockProbe, tm timerwheel.Timer) (timerwheel.Found, error)
		found  timerwheel.Found
		err    error
		runs   int
	}{
		"release the lock before DelSync": {false, func(l *lockProbe, tm timerwheel.Timer) (timerwheel.Found, error) {
			l.drop()
			defer l.take()
			return tm.DelSync()
		}, foundRunning, nil, 1},
		"AllocLocked": {true, func(_ *lockProbe, tm timerwheel.Timer) (timerwheel.Found, error) { return tm.DelSync() }, foundPending, nil, 0},
		"DelSyncContext with a deadline": {false, func(_ *lockProbe, tm timerwheel.Timer) (timerwheel.Found, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
			defer cancel()
			return tm.DelSyncContext(ctx)
		}, foundRunning, context.DeadlineExceeded, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, l, runs := openWheel(t, timerwheel.Options{}), newLockProbe(t), 0
			wanted := make(chan struct{}) // by the handler, or by the worker
			l.onLock = sync.OnceFunc(func() { close(wanted) })
			tm := w.Alloc(func(timerwheel.Timer) {
				l.Lock()
				defer l.Unlock()
				runs++
			})
			if c.locked {
				tm = w.AllocLocked(l, func(timerwheel.Timer) { runs++ })
			}
			l.take()
			require.NoError(t, tm.Register(0))
			receive(t, wanted)
			found, err := c.del(l, tm)
			if c.err == nil {
				assert.NoError(t, err)
				assert.Equal(t, c.found.Pending, found.Pending) // the handler may have been over
				assert.Equal(t, c.runs, runs, "the plain variable of a handler that is over")
			} else {
				assert.ErrorIs(t, err, c.err)
				assert.Equal(t, c.found, found)
				assert.Zero(t, runs)
			}
			l.drop()
			passTicks(t, w)
			_, err = tm.DelSync()
			require.NoError(t, err)
			l.take()
			require.Equal(t, c.runs, runs)
		})
	}
}

// shortDelay is often none.
func shortDelay() time.Duration {
	return time.Duration(max(0, rand.IntN(1000)-300)) * time.Microsecond
}

// All verbs, by all kinds of callers, on a small set of timers. The storm's watchers look at the law of
// the Stats while everything that changes the counters goes on at once, also a Close.
func TestStressAllVerbs(t *testing.T) {
	o := timerwheel.Options{Tick: 50 * time.Microsecond, MaxWorkers: 4, OnPanic: func(timerwheel.HandlerPanic) {}}
	for name, o := range map[string]timerwheel.Options{
		"MaxWorkers=0": {OnPanic: o.OnPanic}, "MaxWorkers=2": {MaxWorkers: 2, OnPanic: o.OnPanic}, "MaxWorkers=4, Tick=50µs": o,
	} {
		t.Run(name, func(t *testing.T) {
			w := openWheel(t, o)
			s := newVerbStorm(w)
			s.rage(t, stormTime(), func() bool {
				stats := w.Stats()
				return stats.Fired > 0 && stats.Removed > 0 && stats.SyncWaits > 0
			})
			require.NoError(t, w.Close())
			stats := w.Stats()
			require.Equal(t, stats.Registered, stats.Fired+stats.Removed)
			require.NotZero(t, stats.Fired)
			require.NotZero(t, stats.Removed)
			require.NotZero(t, stats.SyncWaits)
			t.Logf("%+v, %d deadlocks", stats, s.deadlocks.Load())
		})
	}
	t.Run("closing", func(t *testing.T) {
		const rounds = 8
		for range rounds {
			w := openWheel(t, o)
			s := newVerbStorm(w)
			s.closing = true
			closed := inBackground(func() {
				time.Sleep(stormTime() / (2 * rounds)) // somewhere in the middle; where exactly does not matter
				s.expect(w.Close() == nil, "Close")
				stats := w.Stats()
				s.expect(stats.Pending+stats.Running == 0, "Close drops what pends, and waits for what runs")
			})
			s.rage(t, stormTime()/rounds, func() bool { return true })
			receive(t, closed)
			s.requireNone(t)
		}
	})
}

// A verbStorm is a set of targets, each with a timer that is replaced now and then. The promise of
// DelSync is checked under an owner protocol: a goroutine that registers a timer reads the target's reg;
// so one that writes reg knows that no other registers. Then after DelSync the handler is over and stays
// so, and the plain data belongs to the writer. Handlers only try for reg: to wait for it would be the
// circle through the user's lock that no library can see.
type verbStorm struct {
	faults
	w         *timerwheel.Wheel
	closing   bool // the wheel is closed while the storm rages
	groups    [2]*timerwheel.Group
	targets   []*target
	dones     atomic.Int64 // DelAsyncs whose done has not run
	deadlocks atomic.Int64
	before    [2]timerwheel.Stats // what each watcher saw last
}

type target struct {
	s     *verbStorm
	kind  int
	group *timerwheel.Group // nil for most
	lock  sync.Mutex        // of the lock-bound

	reg  sync.RWMutex // read to register; written to know that no goroutine registers
	tm   atomic.Pointer[timerwheel.Timer]
	in   atomic.Int32 // runs in flight
	data int          // the handler's, or the writer's that has deleted the timer and holds reg
}

const (
	plainTarget = iota
	lockedTarget
	periodicTarget
	targetKinds
)

func newVerbStorm(w *timerwheel.Wheel) *verbStorm {
	s := &verbStorm{w: w}
	s.groups[0], s.groups[1] = w.NewGroup(), w.NewGroup()
	for i := range 4 * targetKinds {
		p := &target{s: s, kind: i % targetKinds}
		if k := i / targetKinds; k < len(s.groups) {
			p.group = s.groups[k]
		}
		p.tm.Store(new(timerwheel.Timer))
		s.targets = append(s.targets, p)
	}
	for _, p := range s.targets {
		p.renew()
	}
	return s
}

// rage lets the storm rage, and ends it: nothing is left, and nothing went wrong.
func (s *verbStorm) rage(t *testing.T, d time.Duration, happened func() bool) {
	t.Helper()
	stormUntil(t, d, 4+len(s.before), happened, func(i int) {
		if i < 4 {
			s.outside()
		} else {
			s.watch(&s.before[i-4])
			time.Sleep(100 * time.Microsecond)
		}
	})
	within(t, s.tearDown)
	eventually(t, "nothing is left", func() bool {
		stats := s.w.Stats()
		return stats.Live == 0 && stats.Running == 0 && stats.Pending == 0 && s.dones.Load() == 0
	})
	require.Zero(t, s.groups[0].Len()+s.groups[1].Len())
	s.requireNone(t)
}

func (s *verbStorm) any() *target { return s.targets[rand.IntN(len(s.targets))] }

// registered expects that a Register was not refused, but by a Close.
func (s *verbStorm) registered(err error, what string) {
	s.expect(err == nil || s.closing && errors.Is(err, timerwheel.ErrClosed), what)
}

// renew gives the target a new timer. Its last one must be deleted, and the caller hold reg.
func (p *target) renew() {
	var tm timerwheel.Timer
	alloc, locked, every := p.s.w.Alloc, p.s.w.AllocLocked, p.s.w.Every
	if g := p.group; g != nil {
		alloc, locked, every = g.Alloc, g.AllocLocked, g.Every
	}
	switch p.kind {
	case plainTarget:
		tm = alloc(p.handle)
	case lockedTarget:
		tm = locked(&p.lock, p.handle)
	case periodicTarget:
		tm = every(shortDelay()+50*time.Microsecond, p.handle) // not Valid while its group is being deleted
	}
	p.tm.Store(&tm)
}

// register registers the target's timer. The caller reads reg.
func (p *target) register() {
	defer p.reg.RUnlock()
	tm, d := *p.tm.Load(), shortDelay()
	var err error
	switch rand.IntN(4) {
	case 0:
		err = tm.RegisterAt(p.s.w.Now().Add(d))
	case 1:
		err = tm.Reduce(d)
	case 2:
		tm.Reset(d)
	default:
		err = tm.Register(d)
	}
	if !errors.Is(err, timerwheel.ErrDeleting) && !errors.Is(err, timerwheel.ErrStale) {
		p.s.registered(err, "Register")
	}
}

// handle is the handler of all.
func (p *target) handle(own timerwheel.Timer) {
	s := p.s
	s.expect(p.in.Add(1) == 1, "two runs at once")
	defer p.in.Add(-1)
	p.data++
	s.expect(own.Running() && own.Valid(), "a handler's own handle")
	if p.kind == lockedTarget {
		s.expect(!p.lock.TryLock(), "a lock-bound handler without its lock")
	}
	switch rand.IntN(16) {
	case 0:
		found, err := own.DelSync()
		s.expect(found.Running && errors.Is(err, timerwheel.ErrDeadlock), "DelSync in its own handler")
	case 1:
		s.expect(own.Retain() == nil && own.Free() == nil, "Retain and Free in its own handler")
	case 2:
		runtime.Goexit()
	case 3:
		panic("the handler's")
	case 4, 5, 6:
		s.delete(true)
	case 7, 8, 9, 10:
		if other := s.any(); other.reg.TryRLock() {
			other.register()
		}
	default:
		if p.reg.TryRLock() {
			p.register()
		}
	}
	if rand.IntN(3) == 0 {
		time.Sleep(shortDelay() / 4) // so that deletions meet a run
	}
	p.data++
}

// passingVerbs are those after which a timer may be armed again.
var passingVerbs = memberVerbs.those(func(v deletionVerb[member]) bool { return !v.shuts })

// delete deletes anything, by any verb.
func (s *verbStorm) delete(inHandler bool) {
	tm, g := *s.any().tm.Load(), s.groups[rand.IntN(len(s.groups))]
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
	defer cancel()
	var err, bound error
	switch rand.IntN(9) {
	case 0:
		s.dones.Add(1)
		tm.DelAsync(func() { s.dones.Add(-1) })
	case 1:
		bound = context.DeadlineExceeded
		_, err = tm.DelSyncContext(ctx)
	case 2:
		bound = context.DeadlineExceeded
		_, err = g.DelSyncContext(ctx)
	default:
		bound = context.Canceled
		_, err = passingVerbs[rand.IntN(len(passingVerbs))].call(member{tm, g})
	}
	if errors.Is(err, timerwheel.ErrDeadlock) {
		s.deadlocks.Add(1)
		s.expect(inHandler, "ErrDeadlock outside handlers")
		return
	}
	s.expect(err == nil || errors.Is(err, bound), "a deletion")
}

// outside does one thing that a goroutine that is no handler does.
func (s *verbStorm) outside() {
	p := s.any()
	switch rand.IntN(16) {
	case 0, 1, 2, 3, 4, 5:
		p.reg.RLock()
		p.register()
	case 6, 7:
		s.delete(false)
	case 8, 9, 10:
		p.verify()
	case 11:
		s.verifyGroup(s.groups[rand.IntN(len(s.groups))])
	case 12:
		if tm := *p.tm.Load(); tm.Retain() == nil {
			runtime.Gosched()
			s.expect(tm.Valid(), "a retained timer is valid")
			s.expect(tm.Free() == nil, "Free of one's own reference")
		}
	case 13:
		tm := s.w.AfterFunc(shortDelay(), func() {})
		if rand.IntN(2) == 0 {
			tm.Stop()
		}
	case 14:
		s.connection()
	case 15:
		s.owners()
	}
}

// owners has three owners of one timer use and free it at once.
func (s *verbStorm) owners() {
	tm := s.w.Alloc(func(tm timerwheel.Timer) {
		s.expect(tm.Valid() && tm.Retain() == nil && tm.Free() == nil, "a handler's own handle, with three owners")
	})
	var others sync.WaitGroup
	for range 2 {
		s.expect(tm.Retain() == nil, "Retain by an owner")
		others.Go(func() {
			if err := tm.Register(shortDelay()); !errors.Is(err, timerwheel.ErrDeleting) { // refused only while the DelSync below waits
				s.registered(err, "Register by an owner")
			}
			s.expect(tm.Free() == nil, "Free by an owner")
		})
	}
	switch rand.IntN(3) {
	case 0:
		_, err := tm.DelSync()
		s.expect(err == nil, "DelSync by an owner")
	case 1:
		tm.Stop()
	}
	s.expect(tm.Valid() && tm.Free() == nil, "an owner's timer is valid")
	others.Wait()
}

var waitingVerbs = timerVerbs.waiting()

// verify deletes the target's timer so that it stays deleted, and looks whether it is.
func (p *target) verify() {
	p.reg.Lock()
	defer p.reg.Unlock()
	tm := *p.tm.Load()
	verbs, locked := waitingVerbs, p.kind == lockedTarget && rand.IntN(2) == 0
	if locked {
		p.lock.Lock()
		if rand.IntN(2) == 0 {
			verbs = timerVerbs.named("Del")
		}
	}
	verb := verbs[rand.IntN(len(verbs))]
	found, err := verb.call(tm)
	p.s.expect(err == nil, "a deletion that nothing can keep from ending")
	p.s.expect(!locked || !found.Running, "the holder of the lock never sees the handler in flight")
	p.quiet(tm)
	if locked {
		p.lock.Unlock()
	}
	if p.kind != periodicTarget && p.group == nil && !verb.shuts { // a member's Register may be refused for the sake of another
		p.s.registered(tm.Register(time.Hour), "a refusal that outlived its run")
	}
	if verb.shuts && p.kind != periodicTarget {
		p.s.expect(tm.Free() == nil, "Free of the owner's reference")
	}
	if verb.shuts || p.kind == periodicTarget {
		p.renew()
	}
}

// quiet looks whether the target's timer, which no goroutine registers, is still.
func (p *target) quiet(tm timerwheel.Timer) {
	p.s.expect(p.in.Load() == 0, "the handler was in flight")
	p.s.expect(!tm.Pending() && !tm.Running(), "the timer was not deleted")
	p.data++
	runtime.Gosched()
	p.s.expect(p.in.Load() == 0, "the handler began")
}

func (s *verbStorm) verifyGroup(g *timerwheel.Group) {
	var members []*target
	for _, p := range s.targets {
		if p.group == g {
			p.reg.Lock()
			defer p.reg.Unlock()
			members = append(members, p)
		}
	}
	_, err := g.DelSync()
	s.expect(err == nil, "Group.DelSync")
	for _, p := range members {
		p.quiet(*p.tm.Load())
		if p.kind == periodicTarget {
			p.renew()
		}
	}
}

// connection makes a group of its own, with timers of all kinds, tears it down, and poisons what
// its handlers used.
func (s *verbStorm) connection() {
	var conns [3]conn
	for i := range conns {
		conns[i].faults = &s.faults
	}
	g := s.w.NewGroup()
	tm := g.Alloc(conns[0].handle)
	s.registered(tm.Register(0), "Register of a new timer")
	g.AfterFunc(shortDelay(), func() { conns[1].handle(timerwheel.Timer{}) })
	g.Every(100*time.Microsecond, conns[2].handle)
	time.Sleep(shortDelay() / 2)
	_, err := g.ShutdownSync()
	s.expect(err == nil, "Group.ShutdownSync")
	for i := range conns {
		conns[i].state = poison
	}
	s.expect(tm.Free() == nil && g.Len() == 0, "a group after its end")
}

// watch looks at what must hold at all times.
func (s *verbStorm) watch(before *timerwheel.Stats) {
	now := s.w.Stats()
	if broken := lawBroken(now); broken != "" {
		s.expect(false, fmt.Sprintf("%s: %+v", broken, now))
	}
	s.expect(now.Registered >= before.Registered && now.Fired >= before.Fired && now.Removed >= before.Removed &&
		now.Refused >= before.Refused && now.SyncWaits >= before.SyncWaits && now.MaxLate >= before.MaxLate, "a counter went back")
	*before = now
	seen := make(map[timerwheel.Timer]bool)
	for _, r := range s.w.Running() {
		s.expect(!seen[r.Timer], "a timer that runs twice at once")
		seen[r.Timer] = true
	}
}

// tearDown deletes everything for good.
func (s *verbStorm) tearDown() {
	for _, p := range s.targets {
		p.reg.Lock() // for good: the handlers must not register each other any more
	}
	for _, p := range s.targets {
		tm := *p.tm.Load()
		_, err := tm.ShutdownSync()
		s.expect(err == nil, "the last ShutdownSync")
		p.quiet(tm)
		s.expect(p.kind == periodicTarget || tm.Free() == nil, "the last Free")
	}
}

// Handlers that delete each other all the time: circles of all sizes close, and each is opened by
// an ErrDeadlock, so that no handler ever hangs.
func TestStressCircles(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	const n = 6
	var f faults
	var tms [n]timerwheel.Timer
	var deadlocks, runs atomic.Int64
	group, dels := w.NewGroup(), timerVerbs.named("DelSync", "DelSyncContext")
	handler := func(timerwheel.Timer) {
		runs.Add(1)
		for range 3 {
			var err error
			if k := rand.IntN(n + 1); k == n {
				_, err = group.DelSync()
			} else {
				_, err = dels[rand.IntN(len(dels))].call(tms[k])
			}
			if errors.Is(err, timerwheel.ErrDeadlock) {
				deadlocks.Add(1)
			} else {
				f.expect(err == nil, "a deletion in a handler")
			}
		}
	}
	for i := range n {
		alloc := w.Alloc
		if i < n/2 {
			alloc = group.Alloc
		}
		tms[i] = alloc(handler)
	}
	stormUntil(t, stormTime(), 2, func() bool { return deadlocks.Load() > 0 }, func(int) { _ = tms[rand.IntN(n)].Register(0) })
	within(t, func() {
		for _, tm := range tms {
			_, err := tm.ShutdownSync()
			f.expect(err == nil, "the last ShutdownSync")
		}
	})
	f.requireNone(t)
	require.NotZero(t, deadlocks.Load(), "no handler deleted so much as itself")
	require.Zero(t, w.Stats().Running)
	t.Logf("%d runs, %d deadlocks", runs.Load(), deadlocks.Load())
}

// Promise 8: a group is shut down while its members come and go, fire, are deleted and freed; in
// whatever order they were visited, none is pending or running afterwards, or ever will be.
func TestStressGroupShutdown(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for end := time.Now().Add(stormTime()); time.Now().Before(end); {
		g := w.NewGroup()
		var f faults
		var down, stop atomic.Bool
		run := func() { f.expect(!down.Load(), "a member ran after Group.ShutdownSync") }
		handler := func(timerwheel.Timer) { run() }
		var wg sync.WaitGroup
		for range 3 {
			var mine []timerwheel.Timer
			for range 100 {
				mine = append(mine, armed(g.Alloc(handler), shortDelay()))
				g.AfterFunc(shortDelay(), run)
			}
			wg.Go(func() {
				for ; !stop.Load(); runtime.Gosched() {
					k := rand.IntN(len(mine))
					_ = mine[k].Free()
					mine[k] = g.Alloc(handler)
					_ = mine[k].Register(shortDelay())
					g.AfterFunc(shortDelay(), run).Stop()
					mine[rand.IntN(len(mine))].Stop()
				}
				for _, tm := range mine {
					f.expect(tm.Free() == nil, "the last Free")
				}
			})
		}
		for i, c := range []*deletion{deleting(g.DelSync), deleting(g.ShutdownSync), deleting(g.ShutdownSync)} {
			receive(t, c.done)
			require.NoError(t, c.err)
			if i > 0 {
				down.Store(true)
			}
		}
		stats := w.Stats()
		require.Zero(t, stats.Pending+stats.Running)
		stop.Store(true)
		within(t, wg.Wait)
		require.Zero(t, g.Len())
		f.requireNone(t)
	}
}

// Promises 9.4 and 9.5: Close in the midst of everything, by several at once, handlers included. What
// the handlers did *happens before* its return: they count in plain variables.
func TestStressClose(t *testing.T) {
	for end := time.Now().Add(stormTime()); time.Now().Before(end) && !t.Failed(); {
		stressCloseOnce(t)
	}
}

func stressCloseOnce(t *testing.T) {
	ignored := goleak.IgnoreCurrent()
	w, err := timerwheel.New(timerwheel.Options{MaxWorkers: rand.IntN(4), OnPanic: func(timerwheel.HandlerPanic) {}})
	require.NoError(t, err)
	const n, armers = 12, 3
	var f faults
	var in atomic.Int32
	var closed atomic.Bool
	var tms []timerwheel.Timer
	group := w.NewGroup()
	var mu sync.Mutex
	handler := func(runs *int) func(timerwheel.Timer) {
		return func(tm timerwheel.Timer) {
			in.Add(1)
			defer in.Add(-1)
			f.expect(!closed.Load(), "a handler begins after Close")
			*runs++
			switch rand.IntN(100) {
			case 0:
				f.expect(errors.Is(w.Close(), timerwheel.ErrDeadlock), "Close in a handler")
			case 1:
				f.expect(errors.Is(w.CloseContext(endedContext), timerwheel.ErrDeadlock), "CloseContext in a handler")
			case 2, 3, 4, 5:
				runtime.Goexit()
			case 6, 7, 8, 9:
				panic("the handler's")
			case 10, 11, 12, 13, 14, 15, 16, 17:
				_, _ = tms[rand.IntN(n)].DelSync()
			case 18, 19, 20, 21, 22, 23, 24, 25:
				_, _ = group.DelSync()
			default:
				_ = tm.Register(time.Duration(*runs%2) * 100 * time.Microsecond)
			}
			f.expect(!closed.Load(), "a handler is in flight after Close")
		}
	}
	var runs [n + 2]int
	makers := []func(func(timerwheel.Timer)) timerwheel.Timer{
		w.Alloc, group.Alloc,
		func(f func(timerwheel.Timer)) timerwheel.Timer { return w.AllocLocked(&mu, f) },
		func(f func(timerwheel.Timer)) timerwheel.Timer { return group.AllocLocked(&mu, f) },
	}
	for i := range n { // all are made before any is armed: handlers read the slice
		tms = append(tms, makers[i%len(makers)](handler(&runs[i])))
	}
	for _, tm := range tms {
		_ = tm.Register(time.Duration(rand.IntN(300)) * time.Microsecond) // a handler may have closed the wheel by now
	}
	w.Every(100*time.Microsecond, handler(&runs[n]))
	group.Every(100*time.Microsecond, handler(&runs[n+1]))

	stop := make(chan struct{})
	var verbs, closers sync.WaitGroup
	var more [armers][]*int // the counters of the timers that each goroutine makes, also after Close
	for i := range armers {
		verbs.Go(func() {
			for ; !isClosed(stop); runtime.Gosched() {
				tm, d := tms[rand.IntN(n)], time.Duration(rand.IntN(200))*time.Microsecond
				runs := new(int)
				h := handler(runs)
				switch rand.IntN(16) {
				case 0, 1:
					_, err := tm.DelSync()
					f.expect(err == nil, "DelSync")
				case 2:
					tm.DelAsync(func() {})
				case 3, 4:
					w.AfterFunc(d, func() { h(timerwheel.Timer{}) })
				case 5, 6:
					group.AfterFunc(d, func() { h(timerwheel.Timer{}) })
				case 7:
					time.Sleep(d) // Close shall have a chance, on one processor too
				case 8, 9:
					own := w.Alloc(h)
					_ = own.Register(d)
					own.DelAsync(func() {})
					_ = own.Register(d)
					f.expect(own.Free() == nil, "Free of a new timer")
				default:
					_ = tm.Register(d)
					continue
				}
				more[i] = append(more[i], runs)
			}
		})
	}
	time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
	for i := range 3 {
		closers.Go(func() {
			f.expect(enders[i%len(enders)].end(w) == nil, "Close")
			f.expect(in.Load() == 0, "Close has returned, and a handler is in flight")
			closed.Store(true)
		})
	}
	within(t, closers.Wait)
	sum := 0
	for _, n := range runs { // no handler is in flight and none will begin: this is no race
		sum += n
	}
	runtime.Gosched()
	close(stop)
	within(t, verbs.Wait)
	for _, m := range more {
		for _, n := range m {
			sum += *n
		}
	}
	require.NoError(t, w.Close())
	f.requireNone(t)
	for _, tm := range tms {
		require.ErrorIs(t, tm.Register(0), timerwheel.ErrClosed)
		require.NoError(t, tm.Free())
	}
	stats := w.Stats()
	require.EqualValues(t, stats.Fired, sum)
	require.Zero(t, stats.Live)
	require.Zero(t, stats.Pending+stats.Running)
	require.Equal(t, stats.Registered, stats.Fired+stats.Removed)
	require.Zero(t, group.Len())
	goleak.VerifyNone(t, ignored)
}

// Promise 1.8: tenants come and go as fast as they can; the handles that they leave behind
// are tried, by every verb, on those that came after them.
func TestStressGenerations(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	groups := []*timerwheel.Group{w.NewGroup(), w.NewGroup()}
	var f faults
	var left [64]atomic.Pointer[timerwheel.Timer] // handles that are stale
	var tenancies, tries atomic.Int64
	leave := func(tm timerwheel.Timer) {
		f.expect(!tm.Valid(), "a freed timer is stale")
		left[rand.IntN(len(left))].Store(&tm)
		tenancies.Add(1)
	}
	tenant := func(alloc func(func(timerwheel.Timer)) timerwheel.Timer) {
		ran := make(chan timerwheel.Timer, 2)
		tm := alloc(func(tm timerwheel.Timer) { ran <- tm })
		f.expect(tm.Register(time.Hour) == nil, "Register of a new tenant")
		runtime.Gosched()
		f.expect(tm.Pending(), "a tenant's firing is gone")
		if rand.IntN(4) == 0 {
			f.expect(tm.Reset(0), "a tenant was not pending")
			f.expect(<-ran == tm, "another handle")
			_, err := tm.DelSync()
			f.expect(err == nil, "DelSync of a tenant")
		} else {
			f.expect(tm.Del() == foundPending, "a stale handle removed a tenant's firing")
		}
		f.expect(tm.Valid(), "a tenant was freed")
		f.expect(tm.Free() == nil, "Free of a tenant")
		f.expect(len(ran) == 0, "a deleted tenant ran")
		leave(tm)
	}
	try := func(tm timerwheel.Timer) {
		f.expect(errors.Is(tm.Register(0), timerwheel.ErrStale), "Register of a stale handle")
		f.expect(errors.Is(tm.Retain(), timerwheel.ErrStale), "Retain of a stale handle")
		f.expect(errors.Is(tm.Free(), timerwheel.ErrStale), "Free of a stale handle")
		f.expect(!tm.Reset(0) && !tm.Pending() && !tm.Running() && !tm.Valid(), "a stale handle names a timer")
		found, err := timerVerbs[rand.IntN(len(timerVerbs))].call(tm)
		f.expect(found == foundNone && err == nil, "a deletion of a stale handle")
		tries.Add(1)
	}
	stormUntil(t, stormTime(), 6, func() bool { return tries.Load() > 0 }, func(i int) {
		switch i {
		case 0:
			tenant(w.Alloc)
		case 1:
			tenant(groups[0].Alloc)
		case 2:
			tenant(func(f func(timerwheel.Timer)) timerwheel.Timer { return groups[1].AllocLocked(new(sync.Mutex), f) })
		case 3: // one that only its own Stop may remove
			tm := w.AfterFunc(time.Hour, func() { f.expect(false, "a timer that was stopped fired") })
			runtime.Gosched()
			f.expect(tm.Stop(), "a stale handle removed another timer's firing")
			leave(tm)
		default:
			if p := left[rand.IntN(len(left))].Load(); p != nil {
				try(*p)
			}
		}
	})
	f.requireNone(t)
	stats := w.Stats()
	require.Zero(t, stats.Live)
	require.Equal(t, stats.Registered, stats.Fired+stats.Removed)
	require.NotZero(t, tries.Load())
	t.Logf("%d tenancies, %d tries", tenancies.Load(), tries.Load())
}
