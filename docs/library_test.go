package docs

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/stretchr/testify/require"
)

// This file holds those recipes of migrating.md that are about the life of timers and of wheels, a
// test for each, and beside it the recipe that looks as good and is wrong, with what it does wrong.

// A node goes up and down, again and again, until it is removed.
type node struct {
	timers    *timerwheel.Group
	keepalive timerwheel.Timer
	handshake timerwheel.Timer
}

func newNode(w *timerwheel.Wheel, keepAlive, retry func()) *node {
	n := &node{timers: w.NewGroup()}
	n.keepalive = n.timers.Alloc(func(t timerwheel.Timer) {
		keepAlive()
		_ = t.Register(10 * time.Second)
	})
	n.handshake = n.timers.Alloc(func(timerwheel.Timer) { retry() })
	return n
}

func (n *node) up() error { return n.keepalive.Register(10 * time.Second) }

// down stops the timers and waits for handlers in flight. An up may follow.
func (n *node) down() error {
	_, err := n.timers.DelSync()
	return err
}

// remove is a down for good, and gives the timers back.
func (n *node) remove() error {
	_, err := n.timers.ShutdownSync()
	n.timers.Free()
	return err
}

func TestNodeDownAndUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t)
		var sent atomic.Int32
		n := newNode(w, func() {
			time.Sleep(time.Second) // down finds one of these in flight
			sent.Add(1)
		}, func() {})
		for range 3 {
			require.NoError(t, n.up())
			time.Sleep(54*time.Second + 500*time.Millisecond) // sends begin at 10, 21, 32, 43 and 54 s
			require.NoError(t, n.down())
			require.EqualValues(t, 5, sent.Swap(0), "down waits for the fifth")
			time.Sleep(time.Hour)
			require.Zero(t, sent.Load(), "down")
		}
		require.NoError(t, n.remove())
		require.ErrorIs(t, n.up(), timerwheel.ErrStale)
		require.Zero(t, w.Stats().Live, "the timers were freed")
	})
}

// Wrong: a ShutdownSync where the peer goes down. It never comes up again.
func TestWrongANodeThatIsShutDown(t *testing.T) {
	w, advance := manualWheel(t)
	n := newNode(w, func() { t.Error("a keepalive") }, func() {})
	_, err := n.timers.ShutdownSync()
	require.NoError(t, err)
	require.ErrorIs(t, n.up(), timerwheel.ErrShutdown)
	advance(time.Hour)
}

// Wrong: no Free where the peer is removed. Its timers stay.
func TestWrongNodesThatAreNotFreed(t *testing.T) {
	w, _ := manualWheel(t)
	for range 100 {
		n := newNode(w, func() {}, func() {})
		_, err := n.timers.ShutdownSync()
		require.NoError(t, err)
	}
	require.Equal(t, 200, w.Stats().Live)
}

// A Config is what the users of a library hand to it.
type Config struct {
	Wheel *timerwheel.Wheel // for the timers; nil means the wheel that the program shares
}

func (c Config) wheel() *timerwheel.Wheel {
	if c.Wheel == nil {
		return timerwheel.Default()
	}
	return c.Wheel
}

// A Server has a wheel of its own, if its user has given it none.
type Server struct {
	wheel *timerwheel.Wheel
	own   *timerwheel.Wheel // nil, if the wheel is the user's
}

func NewServer(c Config) (*Server, error) {
	if c.Wheel != nil {
		return &Server{wheel: c.Wheel}, nil
	}
	w, err := timerwheel.New(timerwheel.Options{})
	return &Server{wheel: w, own: w}, err
}

// Close ends the server, and last its wheel.
func (s *Server) Close() error {
	if s.own == nil {
		return nil
	}
	return s.own.Close()
}

func TestConfigAndServer(t *testing.T) {
	fires := func(t *testing.T, w *timerwheel.Wheel) {
		fired := make(chan struct{})
		w.AfterFunc(time.Millisecond, func() { close(fired) })
		<-fired
	}
	fires(t, Config{}.wheel())
	require.Same(t, timerwheel.Default(), Config{}.wheel())
	require.ErrorIs(t, Config{}.wheel().Close(), timerwheel.ErrShared)

	synctest.Test(t, func(t *testing.T) {
		w := newWheel(t)
		fires(t, Config{Wheel: w}.wheel())
		theirs, err := NewServer(Config{Wheel: w})
		require.NoError(t, err)
		require.NoError(t, theirs.Close())
		fires(t, w)

		own, err := NewServer(Config{})
		require.NoError(t, err)
		fires(t, own.wheel)
		require.NoError(t, own.Close())
		require.False(t, own.wheel.AfterFunc(0, func() {}).Valid(), "closed")
	})
}

// Wrong: a wheel that the package has made, or Default. A test of the library's user that runs in a
// bubble panics.
var packageWheel, _ = timerwheel.New(timerwheel.Options{})

func TestWrongAWheelOfThePackage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.Panics(t, func() { packageWheel.AfterFunc(time.Second, func() {}) })
		require.Panics(t, func() { Config{}.wheel() })
	})
}

// Attempts forgets failures a minute after the last one. It has no Close.
type attempts struct {
	wheel  *timerwheel.Wheel
	mu     sync.Mutex
	timer  timerwheel.Timer // the zero Timer to begin with
	failed int
}

func (a *attempts) fail() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed++
	if !a.timer.Move(time.Minute) { // it is not pending
		a.timer = a.wheel.AfterFuncLocked(&a.mu, time.Minute, a.forget)
	}
}

func (a *attempts) succeed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timer.Del()
	a.forget()
}

// forget needs mu, which the timer's handler holds too.
func (a *attempts) forget() { a.failed = 0 }

func TestAttempts(t *testing.T) {
	w, advance := manualWheel(t)
	a := &attempts{wheel: w}
	a.succeed() // with the zero Timer
	a.fail()
	advance(59 * time.Second)
	a.fail()
	advance(60 * time.Second)
	require.Equal(t, 2, a.failed)
	advance(119 * time.Second)
	require.Zero(t, a.failed, "a minute after the last")
	a.fail()
	require.Equal(t, 1, w.Stats().Live)
	advance(3 * time.Minute)
	require.Zero(t, a.failed, "the timer that had fired was replaced")
	a.fail()
	a.succeed()
	require.Zero(t, w.Stats().Live, "nothing has to be freed")
}

// A failure comes while the firing waits for the lock: it is not forgotten.
func TestAFailureInTime(t *testing.T) {
	w := newWheel(t)
	a := &attempts{wheel: w}
	a.fail()
	a.mu.Lock()
	require.True(t, a.timer.Move(0))
	awaitHeld(t, w, &a.mu)
	a.failed++ // what fail does
	require.True(t, a.timer.Move(time.Minute))
	a.mu.Unlock()
	awaitIdle(t, w)
	require.Equal(t, 2, a.failed)
	a.succeed()
}

// Wrong: Alloc in a type without a Close. The wheel keeps the timer, and the timer the object.
func TestWrongAnAllocWithoutAFree(t *testing.T) {
	w, _ := manualWheel(t)
	for range 100 {
		a := &attempts{wheel: w}
		a.timer = w.AllocLocked(&a.mu, func(timerwheel.Timer) { a.forget() })
		a.timer.Register(time.Minute)
		a.succeed()
	}
	runtime.GC()
	require.Equal(t, 100, w.Stats().Live, "for ever")
}

// Wrong: Register in place of Move, on a timer that has fired and had no owner.
func TestWrongARegisterOfATimerThatHasFired(t *testing.T) {
	w, advance := manualWheel(t)
	timer := w.AfterFunc(time.Minute, func() {})
	advance(time.Minute)
	require.ErrorIs(t, timer.Register(time.Minute), timerwheel.ErrStale)
	require.False(t, timer.Pending(), "nothing is armed")
}

// A Stopper is what callers of Schedule do with the *time.Timer that it returned.
type Stopper interface {
	Stop() bool
	Reset(d time.Duration) bool
}

var (
	_ Stopper = (*time.Timer)(nil)
	_ Stopper = (*stdtime.Timer)(nil)
	_ Stopper = timerwheel.Timer{}
)

// Schedule returns a timer that can be reset after it has fired, as a *time.Timer can.
func Schedule(clock stdtime.Clock, d time.Duration, f func()) Stopper {
	return clock.AfterFunc(d, f)
}

func TestSchedule(t *testing.T) {
	w, advance := manualWheel(t)
	fired := 0
	s := Schedule(stdtime.On(w), time.Minute, func() { fired++ })
	advance(time.Minute)
	require.False(t, s.Reset(time.Minute))
	advance(2 * time.Minute)
	require.Equal(t, 2, fired)
	require.False(t, s.Reset(time.Minute))
	require.True(t, s.Stop())
	advance(4 * time.Minute)
	require.Equal(t, 2, fired)
}

// Wrong: a *time.Timer around a channel of the wheel. Only package time can make one that works.
func TestWrongATimeTimerAroundAChannel(t *testing.T) {
	w, _ := manualWheel(t)
	fake := &time.Timer{C: stdtime.On(w).After(time.Minute)}
	require.Panics(t, func() { fake.Stop() })
	require.Panics(t, func() { fake.Reset(time.Minute) })
}

// The table of what replaces nil: a zero Timer, and one that is gone, take every call.
func TestTheZeroTimer(t *testing.T) {
	w, advance := manualWheel(t)
	gone := w.AfterFunc(time.Minute, func() {})
	advance(time.Minute)
	require.NotEqual(t, timerwheel.Timer{}, gone)
	for _, timer := range []timerwheel.Timer{{}, gone} {
		require.False(t, timer.Valid())
		require.False(t, timer.Pending())
		require.False(t, timer.Stop())
		require.False(t, timer.Reset(time.Minute))
		require.False(t, timer.Move(time.Minute))
		require.Zero(t, timer.Del())
		_, err := timer.ShutdownSync()
		require.NoError(t, err)
		require.ErrorIs(t, timer.Register(time.Minute), timerwheel.ErrStale)
		require.ErrorIs(t, timer.Free(), timerwheel.ErrStale)
	}
	require.Zero(t, w.Stats().Pending)
}

// schedule calls f at each of the times that next returns, until that is the zero time.
func schedule(w *timerwheel.Wheel, next func(time.Time) time.Time, f func()) timerwheel.Timer {
	at := next(w.Now())
	t := w.Alloc(func(t timerwheel.Timer) {
		if at = next(at); !at.IsZero() {
			_ = t.RegisterAt(at) // refused as soon as the schedule has been shut down
		}
		f()
	})
	if !at.IsZero() {
		_ = t.RegisterAt(at)
	}
	return t
}

func TestScheduler(t *testing.T) {
	for _, end := range []struct {
		name    string
		end     func(timerwheel.Timer)
		pending bool
	}{
		{"Shutdown", func(t timerwheel.Timer) { t.Shutdown() }, false},
		{"wrong: Del, which the handler overtakes", func(t timerwheel.Timer) { t.Del() }, true},
	} {
		t.Run(end.name, func(t *testing.T) {
			w, advance := manualWheel(t)
			var timer timerwheel.Timer
			start, fired := w.Now(), 0
			next := func(last time.Time) time.Time {
				if last.Sub(start) == 3*time.Minute {
					end.end(timer) // another goroutine, while the handler runs
				}
				return last.Add(time.Minute)
			}
			timer = schedule(w, next, func() { fired++ })
			for m := 1; m <= 3; m++ {
				advance(time.Duration(m) * time.Minute)
			}
			require.Equal(t, 3, fired)
			require.Equal(t, end.pending, timer.Pending())
			_, err := timer.ShutdownSync()
			require.NoError(t, err)
			require.NoError(t, timer.Free())
			require.Zero(t, w.Stats().Live)
		})
	}

	w, advance := manualWheel(t)
	fired, left := 0, 2
	timer := schedule(w, func(last time.Time) time.Time {
		if left--; left < 0 {
			return time.Time{}
		}
		return last.Add(time.Hour)
	}, func() { fired++ })
	for h := 1; h < 5; h++ {
		advance(time.Duration(h) * time.Hour)
	}
	require.Equal(t, 2, fired, "until next returns the zero time")
	require.NoError(t, timer.Free())
}
