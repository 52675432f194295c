package timerwheel_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
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
// Much is checked with plain variables: a handler and the one who deleted its timer touch the same
// memory without a lock, as a driver does, and the deletion alone puts them in order. -race reports
// where it did not.

// ---- the mail's scenarios ----

// "Timer handlers can readd timers." Contract 3: a handler may register its own timer; runs do not
// overlap, and each happens before the next. Contract 4: the deletion of such a timer ends it,
// wherever it strikes.
func TestMailHandlerReAdds(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for i := range raceRounds(40) {
		var in, wrong atomic.Int32
		runs, enough := 0, make(chan struct{})
		tm := w.Alloc(func(tm timerwheel.Timer) {
			if in.Add(1) != 1 {
				wrong.Add(1)
			}
			defer in.Add(-1)
			if runs++; runs == 20 {
				close(enough)
			}
			err := tm.Register(time.Duration(rand.IntN(2)) * 50 * time.Microsecond)
			if err != nil && !errors.Is(err, timerwheel.ErrDeleting) {
				wrong.Add(1)
			}
		})
		require.NoError(t, tm.Register(0))
		if i%2 == 0 {
			require.NoError(t, tm.Register(0)) // moved, or again, while it runs
		}
		receive(t, enough)
		_, err := tm.DelSync()
		require.NoError(t, err)
		last := runs
		require.False(t, tm.Pending())
		raceTicks(t, w)
		require.Equal(t, last, runs, "it ran after DelSync had returned")
		require.Zero(t, wrong.Load())
		require.NoError(t, tm.Free())
	}
}

// raceTicks lets enough time pass for what is due to run: a firing that was due before raceTicks
// began has had its turn when it returns.
func raceTicks(t *testing.T, w *timerwheel.Wheel) {
	t.Helper()
	done := make(chan struct{})
	w.AfterFunc(3*time.Millisecond, func() { close(done) })
	receive(t, done)
}

// "timer handlers can delete timers". Contract 4: its own, too, by every verb, without a hang.
func TestMailHandlerDeletesItself(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	const timers = 16
	var wg sync.WaitGroup
	var wrong, runs atomic.Int32
	for range timers {
		ran := make(chan struct{}, 1)
		round := 0
		tm := w.Alloc(func(tm timerwheel.Timer) {
			runs.Add(1)
			first := tm.Register(0)
			found := tm.Del()
			if first != nil || found != foundBoth {
				wrong.Add(1)
			}
			first = tm.Register(0)
			found, err := []delVerb{delBySync, delByContext, delByDead}[round%3].call(tm)
			if first != nil || found != foundBoth || !errors.Is(err, timerwheel.ErrDeadlock) {
				wrong.Add(1)
			}
			round++
			ran <- struct{}{}
		})
		wg.Go(func() {
			for range raceRounds(50) {
				if tm.Register(0) != nil {
					wrong.Add(1)
					return
				}
				<-ran
				if found, err := tm.DelSync(); found.Pending || err != nil { // so that the next Register is of a new run
					wrong.Add(1)
				}
			}
		})
	}
	within(t, wg.Wait)
	require.Zero(t, wrong.Load())
	require.EqualValues(t, timers*raceRounds(50), runs.Load(), "a firing that its own handler deleted came")
}

// "timer handlers can kfree() the memory which contained the darn [timer]". Contract 5: "In the
// handler, its own handle is always valid, whoever freed it"; after it the handle is stale, and the
// tenants who moved in meanwhile notice nothing.
func TestMailHandlerFreesItsOwnTimer(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	var wrong atomic.Int32
	expect := func(ok bool) {
		if !ok {
			wrong.Add(1)
		}
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range raceRounds(400) {
				ended := make(chan struct{})
				var own timerwheel.Timer
				own = w.Alloc(func(tm timerwheel.Timer) {
					defer close(ended)
					expect(tm == own)
					expect(tm.Free() == nil)
					expect(errors.Is(tm.Free(), timerwheel.ErrFreed))
					expect(tm.Valid() && tm.Running())
					_, err := tm.DelSync()
					expect(errors.Is(err, timerwheel.ErrDeadlock))
				})
				expect(own.Register(0) == nil)
				<-ended
				_, err := own.DelSync()
				expect(err == nil)
				expect(!own.Valid() && errors.Is(own.Register(0), timerwheel.ErrStale))
			}
		})
	}
	for range 2 {
		wg.Go(func() { // the tenants
			for range raceRounds(4000) {
				tm := w.Alloc(func(timerwheel.Timer) { wrong.Add(1) })
				expect(tm.Register(time.Hour) == nil)
				runtime.Gosched()
				found := tm.Del()
				expect(found == foundPending)
				expect(tm.Free() == nil)
			}
		})
	}
	wg.Wait()
	require.Zero(t, wrong.Load())
	require.Zero(t, w.Stats().Live)
}

// "the handler-keeps-running-after-del_timer bug". Contract 4: Del does not wait, and says so:
// Running.
func TestMailDelReturnsWhileTheHandlerRuns(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	begun, leave := make(chan struct{}), make(chan struct{})
	tm := w.Alloc(func(timerwheel.Timer) {
		close(begun)
		<-leave
	})
	require.NoError(t, tm.Register(0))
	receive(t, begun)
	found := tm.Del()
	require.Equal(t, foundRunning, found)
	require.True(t, tm.Running())
	close(leave)
}

// And its cure. Contract 4, promises 1 to 3.
func TestMailDelSyncDoesNot(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for range raceRounds(200) {
		begun, leave := make(chan struct{}), make(chan struct{})
		wrote := false
		tm := w.Alloc(func(timerwheel.Timer) {
			close(begun)
			<-leave
			wrote = true
		})
		require.NoError(t, tm.Register(0))
		receive(t, begun)
		c := deleting(func() (timerwheel.Found, error) {
			found, err := tm.DelSync()
			if !wrote {
				err = errors.New("the handler was not over")
			}
			return found, err
		})
		raceUntil(t, func() bool { return raceWaiters(w, tm) == 1 })
		select {
		case <-c.done:
			t.Fatal("it returned while the handler ran")
		default:
		}
		close(leave)
		receive(t, c.done)
		require.NoError(t, c.err)
		require.Equal(t, foundRunning, c.found)
		require.NoError(t, tm.Free())
	}
}

func raceUntil(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Microsecond) {
		require.True(t, time.Now().Before(end), "it does not come about")
	}
}

// raceWaiters is how many deletions wait for the timer's run.
func raceWaiters(w *timerwheel.Wheel, tm timerwheel.Timer) int {
	running := w.Running()
	i := slices.IndexFunc(running, func(r timerwheel.RunningHandler) bool { return r.Timer == tm })
	if i < 0 {
		return 0
	}
	return running[i].Waiters
}

// "there may be problems with three: CPU0 is running the handler, CPU1 is spinning in del_timer,
// CPU2 re-adds the timer". Contract 4: "While it waits, no Register of that timer succeeds, whoever
// calls: the three-CPU race has a defined loser, and the wait is bounded by the one handler run in
// flight."
func TestMailThreeCPUs(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for _, persistent := range []bool{false, true} { // CPU2 gives up before the handler has returned, or never
		t.Run(fmt.Sprintf("persistent=%t", persistent), func(t *testing.T) {
			for range raceRounds(100) {
				var runs, phase, wrong, refused atomic.Int32
				leave := make(chan struct{})
				tm := w.Alloc(func(timerwheel.Timer) { // CPU0
					runs.Add(1)
					<-leave
				})
				require.NoError(t, tm.Register(0))
				raceUntil(t, func() bool { return runs.Load() == 1 })

				stop := make(chan struct{})
				var cpu2 sync.WaitGroup
				cpu2.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						before := phase.Load()
						err := tm.Register(0)
						if before == 1 && phase.Load() == 1 {
							refused.Add(1)
							if !errors.Is(err, timerwheel.ErrDeleting) {
								wrong.Add(1)
							}
						} else if err != nil && !errors.Is(err, timerwheel.ErrDeleting) {
							wrong.Add(1)
						}
						runtime.Gosched()
					}
				})
				cpu1 := deleting(tm.DelSync)
				raceUntil(t, func() bool { return raceWaiters(w, tm) == 1 })
				phase.Store(1) // from here to 2 the deletion waits
				raceUntil(t, func() bool { return refused.Load() > 3 })
				require.EqualValues(t, 1, runs.Load())
				phase.Store(2)
				if !persistent {
					close(stop)
					cpu2.Wait()
				}
				close(leave)
				receive(t, cpu1.done)
				require.NoError(t, cpu1.err)
				require.True(t, cpu1.found.Running)
				if persistent {
					close(stop)
					cpu2.Wait()
				} else {
					require.False(t, tm.Pending())
					require.False(t, tm.Running())
					require.EqualValues(t, 1, runs.Load())
				}
				require.Zero(t, wrong.Load())
				_, err := tm.ShutdownSync()
				require.NoError(t, err)
				require.NoError(t, tm.Free())
			}
		})
	}
}

// "after timer_synchronise() returns, the timer_struct may have been kfree'ed by the handler, and
// del_timer_sync then reads and writes it, potentially corrupting something it doesn't own".
// Contract 4: "The wait never reads or writes the timer's storage".
func TestMailStorageReusedWhileDelSyncWaits(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	var wrong atomic.Int32
	stop := make(chan struct{})
	var tenants sync.WaitGroup
	for range 2 {
		tenants.Go(func() { // they want every slot that gets free, at once
			for {
				select {
				case <-stop:
					return
				default:
				}
				tm := w.Alloc(func(timerwheel.Timer) { wrong.Add(1) })
				if tm.Register(time.Hour) != nil {
					wrong.Add(1)
				}
				runtime.Gosched()
				if found := tm.Del(); found != foundPending {
					wrong.Add(1)
				}
				if tm.Free() != nil {
					wrong.Add(1)
				}
			}
		})
	}
	for range raceRounds(100) {
		leave, stay := make(chan struct{}), make(chan struct{})
		var long []timerwheel.Timer
		tm := w.Alloc(func(tm timerwheel.Timer) {
			<-leave
			if tm.Free() != nil {
				wrong.Add(1)
			}
		})
		require.NoError(t, tm.Register(0))
		raceUntil(t, tm.Running)
		var calls []*deletion
		for range 4 {
			calls = append(calls, deleting(tm.DelSync))
		}
		raceUntil(t, func() bool { return raceWaiters(w, tm) == len(calls) })
		close(leave)
		for range 4 { // tenants who run for longer than anybody would like to wait
			tenant := w.Alloc(func(timerwheel.Timer) { <-stay })
			require.NoError(t, tenant.Register(0))
			long = append(long, tenant)
		}
		for _, c := range calls {
			receive(t, c.done)
			require.NoError(t, c.err)
			require.Equal(t, foundRunning, c.found)
		}
		require.False(t, tm.Valid())
		for _, tenant := range long {
			require.True(t, tenant.Pending() || tenant.Running(), "a new tenant was deleted")
		}
		close(stay)
		for _, tenant := range long {
			_, err := tenant.DelSync()
			require.NoError(t, err)
			require.NoError(t, tenant.Free())
		}
	}
	close(stop)
	tenants.Wait()
	require.Zero(t, wrong.Load())
	require.Zero(t, w.Stats().Live)
}

// "drivers might be exiting while their timer routine is still running". A connection is torn down
// by each way that promises that this is safe, and then its memory is poisoned, by a plain write.
// Contract 4, 6, 7 and 8.
func TestMailTearDownThenPoison(t *testing.T) {
	const poison = -1
	// A connection's state is touched by its one timer, and by the one who tears it down.
	type conn struct {
		mu    sync.Mutex // of the lock-bound way only
		state int
		bad   bool // the handler saw poison
	}
	handler := func(c *conn) func(timerwheel.Timer) {
		return func(tm timerwheel.Timer) {
			for range 3 {
				if c.state == poison {
					c.bad = true
				}
				c.state++
				runtime.Gosched()
			}
			_ = tm.Register(time.Duration(rand.IntN(2)) * 20 * time.Microsecond) // a periodic one gets a new origin; refused or not
		}
	}
	ways := []struct {
		name string
		make func(*timerwheel.Wheel, *conn) (down func() error)
	}{
		{"DelSync", func(w *timerwheel.Wheel, c *conn) func() error {
			tm := w.Alloc(handler(c))
			_ = tm.Register(0)
			return func() error {
				_, err := tm.DelSync()
				return errors.Join(err, tm.Free())
			}
		}},
		{"Shutdown, freed before", func(w *timerwheel.Wheel, c *conn) func() error {
			tm := w.Alloc(handler(c))
			_ = tm.Register(0)
			_ = tm.Free() // it lives while it re-adds itself
			return func() error {
				_, err := tm.ShutdownSync()
				return err
			}
		}},
		{"DelAsync", func(w *timerwheel.Wheel, c *conn) func() error {
			tm := w.Alloc(handler(c))
			_ = tm.Register(0)
			return func() error {
				done := make(chan struct{})
				tm.DelAsync(func() { close(done) })
				<-done
				return tm.Free()
			}
		}},
		{"Every", func(w *timerwheel.Wheel, c *conn) func() error {
			tm := w.Every(50*time.Microsecond, handler(c))
			return func() error {
				_, err := tm.DelSync()
				return err
			}
		}},
		{"AllocLocked, Del under the lock", func(w *timerwheel.Wheel, c *conn) func() error {
			tm := w.AllocLocked(&c.mu, handler(c))
			_ = tm.Register(0)
			return func() error {
				c.mu.Lock()
				defer c.mu.Unlock()
				tm.Del()
				return tm.Free()
			}
		}},
		{"Group.DelSync", func(w *timerwheel.Wheel, c *conn) func() error {
			g := w.NewGroup()
			tm := g.Alloc(handler(c))
			_ = tm.Register(0)
			return func() error {
				_, err := g.DelSync()
				return errors.Join(err, tm.Free())
			}
		}},
		{"Group.Shutdown", func(w *timerwheel.Wheel, c *conn) func() error {
			g := w.NewGroup()
			g.Every(50*time.Microsecond, handler(c))
			return func() error {
				_, err := g.ShutdownSync()
				return err
			}
		}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{})
			for range raceRounds(25) {
				conns := make([]*conn, 8)
				downs := make([]func() error, len(conns))
				for i := range conns {
					conns[i] = new(conn)
					downs[i] = way.make(w, conns[i])
				}
				if rand.IntN(2) == 0 {
					time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
				}
				for i, c := range conns {
					require.NoError(t, downs[i]())
					c.state = poison
				}
				raceTicks(t, w)
				for _, c := range conns {
					require.False(t, c.bad)
					require.Equal(t, poison, c.state)
				}
			}
			raceUntil(t, func() bool { return w.Stats().Live == 0 })
		})
	}
}

// "It does introduce the potential for deadlocks which Alexey [pointed out]: mainline() del_timer()
// [spins forever], handler() [wants the lock that mainline holds]". Contract 4 has three cures.
func TestMailMainlineAndHandlerWantTheSameLock(t *testing.T) {
	// The handler says that it wants the lock, just before it does.
	setup := func(t *testing.T) (w *timerwheel.Wheel, mu *raceMutex, tm timerwheel.Timer, runs *int) {
		w, mu, runs = openWheel(t, timerwheel.Options{}), newRaceMutex(), new(int)
		return w, mu, w.Alloc(func(timerwheel.Timer) {
			mu.Lock()
			defer mu.Unlock()
			*runs++
		}), runs
	}
	t.Run("release the lock before DelSync", func(t *testing.T) {
		_, mu, tm, runs := setup(t)
		mu.Mutex.Lock()
		require.NoError(t, tm.Register(0))
		receive(t, mu.wanted)
		mu.Mutex.Unlock()
		found, err := tm.DelSync()
		require.NoError(t, err)
		require.False(t, found.Pending)
		require.Equal(t, 1, *runs)
	})
	t.Run("AllocLocked", func(t *testing.T) {
		w, mu, runs := openWheel(t, timerwheel.Options{}), newRaceMutex(), 0
		tm := w.AllocLocked(mu, func(timerwheel.Timer) { runs++ })
		mu.Mutex.Lock()
		require.NoError(t, tm.Register(0))
		receive(t, mu.wanted)
		found, err := tm.DelSync()
		require.NoError(t, err)
		require.Equal(t, foundPending, found)
		mu.Mutex.Unlock()
		raceTicks(t, w)
		mu.Mutex.Lock()
		defer mu.Mutex.Unlock()
		require.Zero(t, runs)
	})
	t.Run("DelSyncContext with a deadline", func(t *testing.T) {
		_, mu, tm, runs := setup(t)
		mu.Mutex.Lock()
		require.NoError(t, tm.Register(0))
		receive(t, mu.wanted)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		found, err := tm.DelSyncContext(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, foundRunning, found)
		require.Zero(t, *runs)
		mu.Mutex.Unlock()
		_, err = tm.DelSync()
		require.NoError(t, err)
		require.Equal(t, 1, *runs)
	})
}

// A raceMutex says that somebody wants it.
type raceMutex struct {
	sync.Mutex
	wanted chan struct{}
}

func newRaceMutex() *raceMutex { return &raceMutex{wanted: make(chan struct{}, 1)} }

func (m *raceMutex) Lock() {
	select {
	case m.wanted <- struct{}{}:
	default:
	}
	m.Mutex.Lock()
}

// raceStress is how long a storm lasts: go test -race -run 'Mail|Stress' . -storm 30s
var raceStress = flag.Duration("storm", time.Second, "how long each of the stress tests lasts")

// ---- storms ----

// All verbs, by all kinds of callers, on a small set of timers. The promise of DelSync is checked
// under an owner protocol: who registers a timer reads its reg, so who writes it knows that nobody
// registers; then after DelSync the handler is over and stays so, and the plain data is his.
// Handlers only try for reg: to wait for it would be the circle through the user's lock that no
// library can see.
func TestStressAllVerbs(t *testing.T) {
	var panics atomic.Int64
	for _, workers := range []int{0, 2} {
		t.Run(fmt.Sprintf("MaxWorkers=%d", workers), func(t *testing.T) {
			w := openWheel(t, timerwheel.Options{MaxWorkers: workers, OnPanic: func(timerwheel.HandlerPanic) { panics.Add(1) }})
			s := newRaceStorm(w)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for !raceStopped(stop) {
						s.outside()
					}
				})
			}
			wg.Go(func() {
				for !raceStopped(stop) {
					s.watch()
					time.Sleep(100 * time.Microsecond)
				}
			})
			time.Sleep(raceFor() / 2)
			close(stop)
			within(t, wg.Wait)
			within(t, s.tearDown)
			raceUntil(t, func() bool {
				stats := w.Stats()
				return stats.Live == 0 && stats.Running == 0 && stats.Pending == 0 && s.dones.Load() == 0
			})
			require.Zero(t, s.groups[0].Len()+s.groups[1].Len())
			require.NoError(t, w.Close())
			require.Empty(t, s.wrongs())
			stats := w.Stats()
			require.Equal(t, stats.Registered, stats.Fired+stats.Removed)
			require.NotZero(t, stats.Fired)
			require.NotZero(t, stats.SyncWaits)
			t.Logf("%+v, %d panics, %d deadlocks", stats, panics.Load(), s.deadlocks.Load())
		})
	}
}

// ---- the storm of TestStressAllVerbs ----

// A raceStorm is a set of places, each with a timer that is replaced now and then.
type raceStorm struct {
	w         *timerwheel.Wheel
	groups    [2]*timerwheel.Group
	places    []*racePlace
	dones     atomic.Int64 // DelAsyncs whose done has not run
	deadlocks atomic.Int64

	mu    sync.Mutex
	wrong map[string]int
}

type racePlace struct {
	s     *raceStorm
	kind  int
	group *timerwheel.Group // nil for most
	lock  sync.Mutex        // of the lock-bound

	reg  sync.RWMutex // read by who registers, written by who must know that nobody does
	tm   atomic.Pointer[timerwheel.Timer]
	in   atomic.Int32 // runs in flight
	data int          // the handler's, and his who has deleted the timer and holds reg
}

const (
	racePlain = iota
	raceLocked
	racePeriodic
	raceKinds
)

func newRaceStorm(w *timerwheel.Wheel) *raceStorm {
	s := &raceStorm{w: w, wrong: make(map[string]int)}
	s.groups[0], s.groups[1] = w.NewGroup(), w.NewGroup()
	for i := range 4 * raceKinds {
		p := &racePlace{s: s, kind: i % raceKinds}
		if k := i / raceKinds; k < len(s.groups) {
			p.group = s.groups[k]
		}
		p.tm.Store(new(timerwheel.Timer))
		s.places = append(s.places, p)
	}
	for _, p := range s.places {
		p.renew()
	}
	return s
}

func (s *raceStorm) expect(ok bool, what string) {
	if !ok {
		s.mu.Lock()
		s.wrong[what]++
		s.mu.Unlock()
	}
}

func (s *raceStorm) wrongs() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrong
}

func (s *raceStorm) any() *racePlace { return s.places[rand.IntN(len(s.places))] }

// renew gives the place a new timer. Its last one must be deleted, and the caller hold reg.
func (p *racePlace) renew() {
	var tm timerwheel.Timer
	type maker interface {
		Alloc(func(timerwheel.Timer)) timerwheel.Timer
		AllocLocked(sync.Locker, func(timerwheel.Timer)) timerwheel.Timer
		Every(time.Duration, func(timerwheel.Timer)) timerwheel.Timer
	}
	m := maker(p.s.w)
	if p.group != nil {
		m = p.group
	}
	switch p.kind {
	case racePlain:
		tm = m.Alloc(p.handle)
	case raceLocked:
		tm = m.AllocLocked(&p.lock, p.handle)
	case racePeriodic:
		tm = m.Every(raceDelay()+50*time.Microsecond, p.handle) // not Valid while its group is being deleted
	}
	p.tm.Store(&tm)
}

// register registers the place's timer, unless somebody must be sure that nobody does.
func (p *racePlace) register(lock func() bool) {
	if !lock() {
		return
	}
	defer p.reg.RUnlock()
	tm, d := *p.tm.Load(), raceDelay()
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
	p.s.expect(err == nil || errors.Is(err, timerwheel.ErrDeleting) || errors.Is(err, timerwheel.ErrStale), "Register")
}

func (p *racePlace) lockReg() bool {
	p.reg.RLock()
	return true
}

// handle is the handler of all.
func (p *racePlace) handle(own timerwheel.Timer) {
	s := p.s
	s.expect(p.in.Add(1) == 1, "two runs at once")
	defer p.in.Add(-1)
	p.data++
	s.expect(own.Running() && own.Valid(), "a handler's own handle")
	if p.kind == raceLocked {
		s.expect(!p.lock.TryLock(), "a lock-bound handler without its lock")
	}
	switch rand.IntN(16) {
	case 0:
		found, err := own.DelSync()
		s.expect(found.Running && errors.Is(err, timerwheel.ErrDeadlock), "DelSync in its own handler")
	case 1:
		s.expect(own.Retain() == nil, "Retain in its own handler")
		s.expect(own.Free() == nil, "Free in its own handler")
	case 2:
		runtime.Goexit()
	case 3:
		panic("the handler's")
	case 4, 5, 6:
		s.delete(true)
	case 7, 8, 9, 10:
		other := s.any()
		other.register(other.reg.TryRLock)
	default:
		p.register(p.reg.TryRLock)
	}
	if rand.IntN(3) == 0 {
		time.Sleep(raceDelay() / 4) // so that deletions meet a run
	}
	p.data++
}

// delete deletes anything, by any verb.
func (s *raceStorm) delete(inHandler bool) {
	p := s.any()
	tm := *p.tm.Load()
	check := func(err error, bounded bool) {
		if errors.Is(err, timerwheel.ErrDeadlock) {
			s.deadlocks.Add(1)
			s.expect(inHandler, "ErrDeadlock outside handlers")
			return
		}
		s.expect(err == nil || bounded && errors.Is(err, context.DeadlineExceeded), "a deletion")
	}
	switch rand.IntN(8) {
	case 0:
		tm.Del()
	case 1:
		tm.Stop()
	case 2, 3:
		_, err := tm.DelSync()
		check(err, false)
	case 4:
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
		defer cancel()
		_, err := tm.DelSyncContext(ctx)
		check(err, true)
	case 5:
		s.dones.Add(1)
		tm.DelAsync(func() { s.dones.Add(-1) })
	case 6:
		_, err := s.groups[rand.IntN(len(s.groups))].DelSync()
		check(err, false)
	case 7:
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
		defer cancel()
		_, err := s.groups[rand.IntN(len(s.groups))].DelSyncContext(ctx)
		check(err, true)
	}
}

// outside does one thing that somebody who is no handler does.
func (s *raceStorm) outside() {
	p := s.any()
	switch rand.IntN(16) {
	case 0, 1, 2, 3, 4, 5:
		p.register(p.lockReg)
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
		tm := s.w.AfterFunc(raceDelay(), func() {})
		if rand.IntN(2) == 0 {
			tm.Stop()
		}
	case 14:
		s.connection()
	case 15:
		time.Sleep(raceDelay())
	}
}

// verify deletes the place's timer so that it stays deleted, and looks whether it is.
func (p *racePlace) verify() {
	p.reg.Lock()
	defer p.reg.Unlock()
	tm := *p.tm.Load()
	verb, locked := delWaitingVerbs[rand.IntN(len(delWaitingVerbs))], p.kind == raceLocked && rand.IntN(2) == 0
	if locked {
		p.lock.Lock()
		if rand.IntN(2) == 0 {
			verb = delByDel
		}
	}
	found, err := verb.call(tm)
	p.s.expect(err == nil, "a deletion that nothing can keep from ending")
	p.s.expect(!locked || !found.Running, "who holds l never sees the handler in flight")
	p.quiet(tm)
	if locked {
		p.lock.Unlock()
	}
	shut := verb.name == delByShutdown.name
	if p.kind != racePeriodic && p.group == nil && !shut { // a member's Register may be refused for the sake of another
		p.s.expect(tm.Register(time.Hour) == nil, "a refusal that outlived its run")
	}
	switch {
	case p.kind == racePeriodic:
		p.renew()
	case shut:
		p.s.expect(tm.Free() == nil, "Free of the owner's reference")
		p.renew()
	}
}

// quiet looks whether the place's timer, which nobody registers, is still.
func (p *racePlace) quiet(tm timerwheel.Timer) {
	p.s.expect(p.in.Load() == 0, "the handler was in flight")
	p.s.expect(!tm.Pending() && !tm.Running(), "the timer was not deleted")
	p.data++
	runtime.Gosched()
	p.s.expect(p.in.Load() == 0, "the handler began")
}

func (s *raceStorm) verifyGroup(g *timerwheel.Group) {
	var members []*racePlace
	for _, p := range s.places {
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
		if p.kind == racePeriodic {
			p.renew()
		}
	}
}

// connection makes a group of its own, with timers of all kinds, tears it down, and poisons what
// its handlers used.
func (s *raceStorm) connection() {
	const poison = -1
	var state [3]int
	use := func(i int) {
		s.expect(state[i] != poison, "a handler ran after Group.Shutdown")
		state[i]++
	}
	g := s.w.NewGroup()
	tm := g.Alloc(func(tm timerwheel.Timer) {
		use(0)
		_ = tm.Register(raceDelay())
	})
	s.expect(tm.Register(0) == nil, "Register of a new timer")
	g.AfterFunc(raceDelay(), func() { use(1) })
	g.Every(100*time.Microsecond, func(timerwheel.Timer) { use(2) })
	if rand.IntN(2) == 0 {
		time.Sleep(raceDelay())
	}
	_, err := g.ShutdownSync()
	s.expect(err == nil, "Group.Shutdown")
	for i := range state {
		state[i] = poison
	}
	s.expect(tm.Free() == nil && g.Len() == 0, "a group after its end")
}

// watch looks at what must hold at all times.
func (s *raceStorm) watch() {
	stats := s.w.Stats()
	s.expect(stats.Registered == stats.Fired+stats.Removed+uint64(stats.Pending), "Registered == Fired + Removed + Pending")
	s.expect(stats.Live >= stats.Pending && stats.Live >= stats.Running, "Live")
	running := s.w.Running()
	seen := make(map[timerwheel.Timer]bool)
	for _, r := range running {
		s.expect(!seen[r.Timer], "a timer that runs twice at once")
		seen[r.Timer] = true
	}
}

// tearDown deletes everything for good.
func (s *raceStorm) tearDown() {
	for _, p := range s.places {
		p.reg.Lock() // for good: the handlers must not register each other any more
	}
	for _, p := range s.places {
		tm := *p.tm.Load()
		_, err := tm.ShutdownSync()
		s.expect(err == nil, "the last Shutdown")
		p.quiet(tm)
		s.expect(p.kind == racePeriodic || tm.Free() == nil, "the last Free")
	}
}

func raceFor() time.Duration {
	if testing.Short() {
		return *raceStress / 8
	}
	return *raceStress
}

// raceDelay is a short delay, often none.
func raceDelay() time.Duration {
	return time.Duration(max(0, rand.IntN(1000)-300)) * time.Microsecond
}

func raceStopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// Handlers that delete each other all the time: circles of all sizes close, and each is opened by
// an ErrDeadlock, so that no handler ever hangs.
func TestStressCircles(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	const n = 6
	var tms [n]timerwheel.Timer
	var wrong, deadlocks, runs atomic.Int64
	group := w.NewGroup()
	stop := make(chan struct{})
	for i := range n {
		f := func(timerwheel.Timer) {
			runs.Add(1)
			for range 3 {
				var err error
				if k := rand.IntN(n + 1); k == n {
					_, err = group.DelSync()
				} else {
					_, err = delWaitingVerbs[rand.IntN(2)].call(tms[k])
				}
				if errors.Is(err, timerwheel.ErrDeadlock) {
					deadlocks.Add(1)
				} else if err != nil {
					wrong.Add(1)
				}
			}
		}
		if i < n/2 {
			tms[i] = group.Alloc(f)
		} else {
			tms[i] = w.Alloc(f)
		}
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !raceStopped(stop) {
				_ = tms[rand.IntN(n)].Register(0)
				runtime.Gosched()
			}
		})
	}
	time.Sleep(raceFor() / 2)
	close(stop)
	within(t, func() {
		wg.Wait()
		for _, tm := range tms {
			if _, err := tm.ShutdownSync(); err != nil {
				wrong.Add(1)
			}
		}
	})
	require.Zero(t, wrong.Load())
	require.NotZero(t, deadlocks.Load(), "no handler deleted so much as itself")
	require.Zero(t, w.Stats().Running)
	t.Logf("%d runs, %d deadlocks", runs.Load(), deadlocks.Load())
}

// Contract 8: a group is shut down while its members come and go, fire, are deleted and freed: when
// that has returned none of them is pending or running, or ever will be, in whatever order they
// were visited.
func TestStressGroupShutdown(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	for end := time.Now().Add(raceFor() / 2); time.Now().Before(end); {
		g := w.NewGroup()
		var down, stop atomic.Bool
		var wrong atomic.Int32
		f := func() {
			if down.Load() {
				wrong.Add(1)
			}
		}
		handler := func(timerwheel.Timer) { f() }
		var wg sync.WaitGroup
		for range 3 {
			var mine []timerwheel.Timer
			for range 100 {
				tm := g.Alloc(handler)
				require.NoError(t, tm.Register(raceDelay()))
				mine = append(mine, tm)
				g.AfterFunc(raceDelay(), f)
			}
			wg.Go(func() {
				for !stop.Load() {
					k := rand.IntN(len(mine))
					_ = mine[k].Free()
					mine[k] = g.Alloc(handler)
					_ = mine[k].Register(raceDelay())
					g.AfterFunc(raceDelay(), f).Stop()
					mine[rand.IntN(len(mine))].Stop()
					runtime.Gosched()
				}
				for _, tm := range mine {
					if tm.Free() != nil {
						wrong.Add(1)
					}
				}
			})
		}
		calls := []*deletion{deleting(g.DelSync), deleting(g.ShutdownSync), deleting(g.ShutdownSync)}
		for i, c := range calls {
			receive(t, c.done)
			require.NoError(t, c.err)
			if i > 0 {
				down.Store(true)
			}
		}
		stats := w.Stats()
		require.Zero(t, stats.Pending)
		require.Zero(t, stats.Running)
		stop.Store(true)
		within(t, wg.Wait)
		require.Zero(t, g.Len())
		require.Zero(t, wrong.Load())
	}
}

// Contract 9: Close in the midst of everything, by several at once, handlers included: when it has
// returned no handler is in flight and none begins, no Register succeeds, the counters agree, and
// no goroutine is left.
func TestStressClose(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	for end := time.Now().Add(raceFor()); time.Now().Before(end); {
		raceCloseOnce(t)
	}
	goleak.VerifyNone(t, ignore)
}

func raceCloseOnce(t *testing.T) {
	w, err := timerwheel.New(timerwheel.Options{MaxWorkers: rand.IntN(4), OnPanic: func(timerwheel.HandlerPanic) {}})
	require.NoError(t, err)
	const n = 12
	var in, wrong atomic.Int32
	var closed atomic.Bool
	var tms, owned []timerwheel.Timer
	group := w.NewGroup()
	var mu sync.Mutex
	handler := func(tm timerwheel.Timer) {
		in.Add(1)
		defer in.Add(-1)
		if closed.Load() {
			wrong.Add(1)
		}
		switch rand.IntN(100) {
		case 0:
			if !errors.Is(w.Close(), timerwheel.ErrDeadlock) {
				wrong.Add(1)
			}
		case 1:
			if !errors.Is(w.CloseContext(endedContext), timerwheel.ErrDeadlock) {
				wrong.Add(1)
			}
		case 2, 3, 4, 5:
			runtime.Goexit()
		case 6, 7, 8, 9:
			panic("the handler's")
		case 10, 11, 12, 13, 14, 15, 16, 17:
			_, _ = tms[rand.IntN(n)].DelSync()
		case 18, 19, 20, 21, 22, 23, 24, 25:
			_, _ = group.DelSync()
		default:
			_ = tm.Register(0)
		}
		if closed.Load() {
			wrong.Add(1)
		}
	}
	for i := range n { // all are made before any is armed: handlers read the slice
		switch i % 4 {
		case 0:
			tms = append(tms, w.Alloc(handler))
		case 1:
			tms = append(tms, group.Alloc(handler))
		case 2:
			tms = append(tms, w.AllocLocked(&mu, handler))
		case 3:
			tms = append(tms, group.AllocLocked(&mu, handler))
		}
		owned = append(owned, tms[i])
	}
	for _, tm := range tms {
		_ = tm.Register(time.Duration(rand.IntN(300)) * time.Microsecond) // a handler may have closed the wheel by now
	}
	w.Every(100*time.Microsecond, handler)
	group.Every(100*time.Microsecond, handler)

	stop := make(chan struct{})
	var verbs, closers sync.WaitGroup
	for range 2 {
		verbs.Go(func() {
			for !raceStopped(stop) {
				tm, d := tms[rand.IntN(n)], time.Duration(rand.IntN(200))*time.Microsecond
				switch rand.IntN(16) {
				case 0, 1:
					if _, err := tm.DelSync(); err != nil {
						wrong.Add(1)
					}
				case 2:
					tm.DelAsync(func() {})
				case 3, 4:
					w.AfterFunc(d, func() { handler(timerwheel.Timer{}) })
				case 5, 6:
					group.AfterFunc(d, func() { handler(timerwheel.Timer{}) })
				case 7:
					time.Sleep(d) // Close shall have a chance, on one processor too
				default:
					_ = tm.Register(d)
				}
			}
		})
	}
	time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
	for i := range 3 {
		closers.Go(func() {
			var err error
			if i == 0 {
				err = w.CloseContext(context.Background())
			} else {
				err = w.Close()
			}
			if err != nil || in.Load() != 0 {
				wrong.Add(1)
			}
			closed.Store(true)
		})
	}
	within(t, closers.Wait)
	runtime.Gosched()
	close(stop)
	within(t, verbs.Wait)
	require.NoError(t, w.Close())
	require.Zero(t, wrong.Load())
	for _, tm := range owned {
		require.ErrorIs(t, tm.Register(0), timerwheel.ErrClosed)
		require.NoError(t, tm.Free())
	}
	stats := w.Stats()
	require.Zero(t, stats.Live)
	require.Zero(t, stats.Pending)
	require.Zero(t, stats.Running)
	require.Equal(t, stats.Registered, stats.Fired+stats.Removed)
	require.Zero(t, group.Len())
}

// Contract 1: "A stale handle never reaches the slot's next tenant, for ever". Tenants come and go
// as fast as they can; the handles that they leave behind are tried, by every verb, on those who
// came after them.
func TestStressGenerations(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	groups := []*timerwheel.Group{w.NewGroup(), w.NewGroup()}
	var left [64]atomic.Pointer[timerwheel.Timer] // handles that are stale
	var wrong, tenancies, tries atomic.Int64
	expect := func(ok bool) {
		if !ok {
			wrong.Add(1)
		}
	}
	leave := func(tm timerwheel.Timer) {
		expect(!tm.Valid())
		left[rand.IntN(len(left))].Store(&tm)
		tenancies.Add(1)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	tenant := func(alloc func(func(timerwheel.Timer)) timerwheel.Timer) {
		wg.Go(func() {
			for !raceStopped(stop) {
				ran := make(chan timerwheel.Timer, 2)
				tm := alloc(func(tm timerwheel.Timer) { ran <- tm })
				expect(tm.Register(time.Hour) == nil)
				runtime.Gosched()
				expect(tm.Pending())
				if rand.IntN(4) == 0 {
					expect(tm.Reset(0)) // it had been pending
					expect(<-ran == tm)
					_, err := tm.DelSync()
					expect(err == nil)
				} else {
					found := tm.Del()
					expect(found == foundPending)
				}
				expect(tm.Valid())
				expect(tm.Free() == nil)
				expect(len(ran) == 0)
				leave(tm)
			}
		})
	}
	tenant(w.Alloc)
	tenant(groups[0].Alloc)
	tenant(func(f func(timerwheel.Timer)) timerwheel.Timer { return groups[1].AllocLocked(new(sync.Mutex), f) })
	for range 2 {
		wg.Go(func() {
			for !raceStopped(stop) {
				p := left[rand.IntN(len(left))].Load()
				if p == nil {
					runtime.Gosched()
					continue
				}
				tm := *p
				expect(errors.Is(tm.Register(0), timerwheel.ErrStale))
				expect(errors.Is(tm.Retain(), timerwheel.ErrStale))
				expect(errors.Is(tm.Free(), timerwheel.ErrStale))
				expect(!tm.Reset(0) && !tm.Pending() && !tm.Running() && !tm.Valid())
				found, err := delVerbs[rand.IntN(len(delVerbs))].call(tm)
				expect(found == foundNone && err == nil)
				tries.Add(1)
				runtime.Gosched()
			}
		})
	}
	time.Sleep(raceFor() / 2)
	close(stop)
	within(t, wg.Wait)
	require.Zero(t, wrong.Load())
	require.Zero(t, w.Stats().Live)
	require.NotZero(t, tries.Load())
	t.Logf("%d tenancies, %d tries", tenancies.Load(), tries.Load())
}

// The same under fire: strangers with stale handles try everything while the tenants come
// and go. Each tenant is an hour away, so nothing but its own Stop could have removed it.
func TestStaleHandlesHarmNoTenantUnderRaces(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	var stale [8]atomic.Value
	for i := range stale {
		stale[i].Store(timerwheel.Timer{})
	}
	until := time.Now().Add(raceTime())
	var group sync.WaitGroup
	for g := range 2 {
		group.Go(func() {
			for i := 0; time.Now().Before(until); i++ {
				tm := w.AfterFunc(time.Hour, func() { t.Error("a timer that was stopped fired") })
				runtime.Gosched()
				if !assert.True(t, tm.Stop(), "a stale handle removed somebody else's firing") {
					return
				}
				stale[(2*i+g)%len(stale)].Store(tm)
			}
		})
		group.Go(func() {
			for i := g; time.Now().Before(until); i++ {
				tm := stale[i%len(stale)].Load().(timerwheel.Timer)
				tm.Del()
				_, _ = tm.DelSync()
				_, _ = tm.ShutdownSync()
				assert.ErrorIs(t, tm.Register(0), timerwheel.ErrStale)
				assert.ErrorIs(t, tm.Free(), timerwheel.ErrStale)
				assert.ErrorIs(t, tm.Retain(), timerwheel.ErrStale)
				assert.False(t, tm.Reset(0))
				assert.False(t, tm.Valid() || tm.Pending() || tm.Running())
			}
		})
	}
	group.Wait()
	stats := w.Stats()
	require.Zero(t, stats.Live)
	require.Zero(t, stats.Fired)
	require.Equal(t, stats.Registered, stats.Removed)
}

// References under races: owners, firings, deletions and recycling on the same timers.
// Nothing is lost and nothing is left.
func TestReferencesUnderRaces(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Tick: 50 * time.Microsecond})
	until := time.Now().Add(raceTime())
	var group sync.WaitGroup
	for g := range uint64(4) {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(g, 5))
			short := func() time.Duration { return time.Duration(rng.Int64N(int64(300 * time.Microsecond))) }
			for time.Now().Before(until) {
				tm := w.Alloc(func(tm timerwheel.Timer) {
					assert.True(t, tm.Valid())
					if assert.NoError(t, tm.Retain()) {
						assert.NoError(t, tm.Free())
					}
				})
				var others sync.WaitGroup
				for range 2 {
					assert.NoError(t, tm.Retain())
					d := short()
					others.Go(func() {
						if err := tm.Register(d); err != nil { // refused only while the DelSync below waits
							assert.ErrorIs(t, err, timerwheel.ErrDeleting)
						}
						assert.NoError(t, tm.Free())
					})
				}
				switch rng.IntN(3) {
				case 0:
					_, err := tm.DelSync()
					assert.NoError(t, err)
				case 1:
					tm.Stop()
				}
				assert.True(t, tm.Valid())
				assert.NoError(t, tm.Free())
				others.Wait()
			}
		})
	}
	group.Wait()
	eventually(t, "all that still pends has fired and is recycled", func() bool { return w.Stats().Live == 0 })
	require.Zero(t, w.Stats().Pending)
}

// Contract 9, on real goroutines: whatever races with Close, no handler begins after it,
// none is in flight, and "everything that the handler did" is seen by who closed (the race
// detector watches hits, which nothing else guards).
func TestNothingRunsOnceCloseHasReturned(t *testing.T) {
	for end := time.Now().Add(closeStorm()); ; {
		closeStormRound(t)
		if t.Failed() || time.Now().After(end) {
			return
		}
	}
}

func closeStormRound(t *testing.T) {
	ignored := goleak.IgnoreCurrent()
	w, err := timerwheel.New(timerwheel.Options{MaxWorkers: 1 + rand.IntN(4)})
	require.NoError(t, err)
	const armers, timers = 3, 16
	var hits [armers * timers]int
	var closed atomic.Bool
	var late atomic.Int32
	var armed sync.WaitGroup
	for a := range armers {
		armed.Go(func() {
			for i := range timers {
				hit := &hits[a*timers+i]
				tm := w.Alloc(func(tm timerwheel.Timer) {
					if closed.Load() {
						late.Add(1)
					}
					*hit++
					_ = tm.Register(time.Duration(*hit%3) * time.Millisecond)
				})
				_ = tm.Register(time.Duration(rand.IntN(3)) * time.Millisecond)
				if i%4 == 0 {
					_ = tm.Free()
				}
				if i%5 == 0 {
					tm.DelAsync(func() {})
				}
			}
		})
	}
	var closes sync.WaitGroup
	stop := time.Duration(rand.IntN(4000)) * time.Microsecond
	for range 2 {
		closes.Go(func() {
			<-time.After(stop)
			assert.NoError(t, w.Close())
			closed.Store(true)
		})
	}
	closes.Wait()
	sum := uint64(0)
	for i := range hits {
		sum += uint64(hits[i]) // no handler is in flight and none will begin: this is no race
	}
	armed.Wait()
	s := w.Stats()
	assert.Equal(t, s.Fired, sum)
	assert.Zero(t, late.Load())
	assert.Zero(t, s.Pending)
	assert.Zero(t, s.Running)
	assert.Equal(t, s.Registered, s.Fired+s.Removed)
	goleak.VerifyNone(t, ignored)
}

// Contract 2, Stats: "always, under any races: Registered == Fired + Removed + Pending",
// and "one consistent snapshot". Everything that changes the counters goes on at once, a
// Close in the middle of it included, while others take snapshots.
func TestStatsLawHoldsUnderRaces(t *testing.T) {
	for name, closeEarly := range map[string]bool{"open": false, "closing": true} {
		t.Run(name, func(t *testing.T) {
			rounds := 1
			if closeEarly {
				rounds = 8
			}
			for round := range rounds {
				lawUnderRaces(t, uint64(round), raceTime()/time.Duration(rounds), closeEarly)
			}
		})
	}
}

func lawUnderRaces(t *testing.T, seed uint64, duration time.Duration, closeEarly bool) {
	w := openWheel(t, timerwheel.Options{Tick: 50 * time.Microsecond, MaxWorkers: 4, OnPanic: func(timerwheel.HandlerPanic) {}})
	until := time.Now().Add(duration)
	var locks [2]sync.Mutex
	shared := []timerwheel.Timer{ // what all fight for
		w.Alloc(func(timerwheel.Timer) {}),
		w.Alloc(func(tm timerwheel.Timer) { _ = tm.Register(0) }),
		w.Alloc(func(tm timerwheel.Timer) { _, _ = tm.DelSync() }),
		w.Alloc(func(tm timerwheel.Timer) { time.Sleep(20 * time.Microsecond) }),
		w.Alloc(func(tm timerwheel.Timer) { panic("as handlers do") }),
		w.AllocLocked(&locks[0], func(timerwheel.Timer) {}),
		w.AllocLocked(&locks[1], func(tm timerwheel.Timer) { _ = tm.Register(30 * time.Microsecond) }),
	}
	group := w.NewGroup()
	var fighters, watchers sync.WaitGroup
	for g := range uint64(4) {
		fighters.Go(func() {
			rng := rand.New(rand.NewPCG(seed, g))
			for time.Now().Before(until) {
				tm, d := shared[rng.IntN(len(shared))], time.Duration(rng.Int64N(int64(200*time.Microsecond)))
				switch rng.IntN(13) {
				case 0, 1, 2:
					_ = tm.Register(d)
				case 3:
					_ = tm.Reduce(d)
				case 4:
					tm.Del()
				case 5:
					_, _ = tm.DelSync()
				case 6:
					tm.DelAsync(func() {})
				case 7:
					_ = w.AfterFunc(d, func() {})
				case 8:
					defer w.Every(d+1, func(timerwheel.Timer) {}).Stop()
				case 9:
					series := group.Every(d+1, func(timerwheel.Timer) {})
					_ = group.AfterFunc(d, func() {})
					if _, err := group.DelSync(); err == nil && series.Valid() {
						series.Del() // another's group deletion came in between
					}
				case 10:
					lock := &locks[rng.IntN(len(locks))]
					lock.Lock()
					tm.Del()
					lock.Unlock()
				case 11:
					own := w.Alloc(func(timerwheel.Timer) {})
					_ = own.Register(d)
					if d%2 == 0 {
						_, _ = own.ShutdownSync()
					}
					_ = own.Free()
				case 12:
					_ = w.Alloc(func(timerwheel.Timer) {}).Free()
				}
			}
		})
	}
	var stop atomic.Bool
	for range 2 {
		watchers.Go(func() {
			var before timerwheel.Stats
			for !stop.Load() {
				now := w.Stats()
				if msg := lawBroken(now) + wentBack(before, now); msg != "" {
					t.Errorf("%s\nbefore: %+v\nnow:    %+v", msg, before, now)
					return
				}
				before = now
			}
		})
	}
	if closeEarly {
		time.Sleep(duration / 2) // somewhere in the middle; where exactly does not matter
		require.NoError(t, w.Close())
		closed := w.Stats()
		requireLaw(t, closed)
		require.Zero(t, closed.Pending, "Close drops what pends")
		require.Zero(t, closed.Running)
	}
	fighters.Wait()
	for _, tm := range shared {
		_, err := tm.ShutdownSync()
		require.NoError(t, err)
		require.NoError(t, tm.Free())
	}
	eventually(t, "all that pends has fired", func() bool { return w.Stats().Live == 0 })
	stop.Store(true)
	watchers.Wait()
	stats := w.Stats()
	requireLaw(t, stats)
	require.Zero(t, stats.Pending+stats.Running)
	if !closeEarly { // which may come before anything is due
		require.Positive(t, stats.Fired)
		require.Positive(t, stats.Removed)
	}
}

// wentBack says which of the counters that only grow has not, from one snapshot to a later one.
func wentBack(before, now timerwheel.Stats) string {
	if now.Registered < before.Registered || now.Fired < before.Fired || now.Removed < before.Removed ||
		now.Refused < before.Refused || now.SyncWaits < before.SyncWaits || now.MaxLate < before.MaxLate {
		return "a counter went back"
	}
	return ""
}
