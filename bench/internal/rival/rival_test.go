package rival

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tick is the tick of all rivals. antlabs has no other.
const tick = 10 * time.Millisecond

// Each rival really does the work that it is measured at; otherwise the comparison would
// be void. The test runs in a bubble, where no firing is late.
func TestRivalsDoTheWork(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			for name, test := range map[string]func(*testing.T, Rival){
				"a one-shot fires once":          firesOnce,
				"a one-shot is stopped":          isStopped,
				"many one-shots are stopped":     areStopped,
				"a timer is armed again":         isArmedAgain,
				"a timer is moved, and not lost": isMoved,
				"a timer is moved to a time":     isMovedTo,
				"a timer is moved with slack":    isMovedWithin,
				"an idle timeout is touched":     isTouched,
				"a timer is stopped":             doesNotFire,
				"a timer is armed and stopped":   isArmedAndStopped,
				"timers are found by key":        areFoundByKey,
				"connections are ended":          areDisconnected,
				"a series continues":             continues,
				"a stall is reported":            reportsStalls,
				"another rival is separate":      isAnother,
				"a host drives its time":         isDriven,
			} {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r, err := kind.New(tick)
						require.NoError(t, err)
						defer synctest.Wait() // for the goroutines that Close ended
						defer r.Close()
						test(t, r)
					})
				})
			}
		})
	}
}

// counter returns a handler, and a function that returns how often it was called.
func counter() (f func(), calls func() int) {
	var n atomic.Int64
	return func() { n.Add(1) }, func() int { synctest.Wait(); return int(n.Load()) }
}

var order = []uint32{3, 0, 4, 1, 2}

func firesOnce(t *testing.T, r Rival) {
	f, calls := counter()
	for range 100 {
		r.AfterFunc(50*tick, f)
	}
	time.Sleep(48 * tick) // some fire up to a tick early
	require.Zero(t, calls())
	time.Sleep(4 * tick)
	require.Equal(t, 100, calls())
	time.Sleep(time.Second)
	require.Equal(t, 100, calls())
}

func isStopped(t *testing.T, r Rival) {
	f, calls := counter()
	require.Equal(t, 100, r.StartStop(100, 20*tick, f))
	time.Sleep(time.Second)
	require.Zero(t, calls())
}

// These timers do nothing, so the test cannot see that none fires. It checks instead how
// many were stopped before they fired.
func areStopped(t *testing.T, r Rival) {
	r.StartAll(100, 20*tick)
	require.Equal(t, 100, r.StopAll())
	r.StartAll(10, 20*tick)
	require.Equal(t, 10, r.StopAll())
}

// They do nothing, either. After that nothing is left that a further call could stop.
func areDisconnected(t *testing.T, r Rival) {
	c, can := r.(Connector)
	if !can {
		t.Skip("it is not compared at that")
	}
	for _, grouped := range []bool{false, true} {
		c.Connect(100, 20*tick, grouped)
		require.Equal(t, 100, c.Disconnect())
		require.Zero(t, c.Disconnect())
		c.Connect(10, 20*tick, grouped)
		time.Sleep(time.Second)
		require.Zero(t, c.Disconnect(), "they have fired")
	}
}

// A timer that has fired, or was stopped, is armed again.
func isArmedAgain(t *testing.T, r Rival) {
	f, calls := counter()
	r.Make(5, f)
	require.Equal(t, 25*tick, r.Rearm(order, 20*tick, tick))
	time.Sleep(time.Second)
	require.Equal(t, 5, calls())
	r.Rearm(order, 20*tick, 0)
	require.Equal(t, 2, r.Stop(order[:2]))
	r.Rearm(order[:2], 50*tick, 0)
	time.Sleep(48 * tick)
	require.Equal(t, 8, calls())
	time.Sleep(4 * tick)
	require.Equal(t, 10, calls())
}

func isMoved(t *testing.T, r Rival) {
	if _, can := r.(Reuser); !can {
		t.Skip("its timers cannot be moved")
	}
	f, calls := counter()
	r.Make(5, f)
	require.Equal(t, 105*tick, r.Rearm(order, 100*tick, tick))
	r.Rearm(order, 20*tick, 0) // earlier
	time.Sleep(10 * tick)
	r.Rearm(order, 50*tick, 0) // later
	time.Sleep(48 * tick)
	require.Zero(t, calls())
	time.Sleep(4 * tick)
	require.Equal(t, 5, calls())
	r.Rearm(order, 20*tick, 10*tick)
	time.Sleep(35 * tick)
	require.Equal(t, 7, calls(), "at 20 and 30 ticks")
	time.Sleep(time.Second)
	require.Equal(t, 10, calls())
}

func isMovedTo(t *testing.T, r Rival) {
	at, can := r.(AtRearmer)
	if !can {
		t.Skip("it accepts durations only")
	}
	f, calls := counter()
	r.Make(5, f)
	first := time.Now().Add(20 * tick)
	require.Equal(t, first.Add(50*tick), at.RearmAt(order, first, 10*tick))
	time.Sleep(35 * tick)
	require.Equal(t, 2, calls(), "at 20 and 30 ticks")
	time.Sleep(time.Second)
	require.Equal(t, 5, calls())
}

// A Touch puts off what is pending as an idle timeout, and only that.
func isTouched(t *testing.T, r Rival) {
	idle, can := r.(Toucher)
	if !can {
		t.Skip("it has no idle timeouts")
	}
	f, calls := counter()
	r.Make(5, f)
	require.Zero(t, idle.Touch(order))
	idle.RearmIdle(order, 40*tick)
	time.Sleep(20 * tick)
	require.Equal(t, 2, idle.Touch(order[:2]))
	time.Sleep(25 * tick)
	require.Equal(t, 3, calls(), "the others")
	time.Sleep(time.Second)
	require.Equal(t, 5, calls())
	require.Zero(t, idle.Touch(order))
}

// With slack, timers that are due one after the other fire together, each within its slack.
func isMovedWithin(t *testing.T, r Rival) {
	s, can := r.(SlackRearmer)
	if !can {
		t.Skip("its timers have no slack")
	}
	f, calls := counter()
	r.Make(5, f)
	require.Equal(t, 125*tick, s.RearmWithin(order, 100*tick, 5*tick, 40*tick))
	wakeUps := 0
	for now, fired := 0, 0; now < 170; now++ {
		time.Sleep(tick)
		n := calls()
		if n > fired {
			wakeUps, fired = wakeUps+1, n
		}
		first, last := (now-100)/5+1, (now-140-2)/5+1 // of those that may have fired, and must have
		require.LessOrEqual(t, n, min(max(first, 0), 5), "early, at %d ticks", now)
		require.GreaterOrEqual(t, n, min(max(last, 0), 5), "late, at %d ticks", now)
	}
	require.Equal(t, 5, calls())
	require.Less(t, wakeUps, 5)
}

func doesNotFire(t *testing.T, r Rival) {
	f, calls := counter()
	r.Make(5, f)
	r.Rearm(order, 20*tick, 0)
	require.Equal(t, 4, r.Stop(order[:4]))
	time.Sleep(time.Second)
	require.Equal(t, 1, calls())
}

func isArmedAndStopped(t *testing.T, r Rival) {
	timers, can := r.(Reuser)
	if !can {
		t.Skip("its timers cannot be used again")
	}
	f, calls := counter()
	r.Make(1, f)
	timers.ArmStop(10, 20*tick)
	time.Sleep(time.Second)
	require.Zero(t, calls())
}

func areFoundByKey(t *testing.T, r Rival) {
	k, can := r.(KeyedTimers)
	if !can {
		t.Skip("it has no keys")
	}
	f, calls := counter()
	k.MakeKeyed(f)
	k.SetKeys(order, 50*tick)
	k.SetKeys([]uint32{0}, 100*tick) // set again, and not a second one
	k.MoveKeys([]uint32{1}, 100*tick)
	k.MoveKeys([]uint32{5}, 100*tick) // nothing is pending for it
	require.Equal(t, 1, k.DeleteKeys([]uint32{2}))
	time.Sleep(48 * tick)
	require.Zero(t, calls())
	time.Sleep(4 * tick)
	require.Equal(t, 2, calls(), "keys 3 and 4")
	time.Sleep(46 * tick)
	require.Equal(t, 2, calls())
	time.Sleep(4 * tick)
	require.Equal(t, 4, calls(), "keys 0 and 1")
	k.SetKeys([]uint32{0}, 50*tick) // after it has fired
	k.MoveKeys([]uint32{3}, 50*tick)
	time.Sleep(time.Second)
	require.Equal(t, 5, calls())
}

func continues(t *testing.T, r Rival) {
	f, calls := counter()
	r.Every(10*tick, f)
	time.Sleep(105 * tick)
	require.InDelta(t, 10, calls(), 2) // a series that re-arms itself drifts
}

func reportsStalls(t *testing.T, r Rival) {
	s, can := r.(StallReporter)
	if !can {
		t.Skip("it does not look for stalls")
	}
	report, reports := counter()
	for _, f := range []func(){report, nil} {
		before := reports()
		watched, err := s.Reporting(10*tick, f)
		require.NoError(t, err)
		watched.AfterFunc(0, func() { time.Sleep(time.Second) })
		time.Sleep(2 * time.Second)
		require.Equal(t, f != nil, reports() > before)
		watched.Close()
	}
}

// What one has ended the other still fires.
func isAnother(t *testing.T, r Rival) {
	another, err := r.Another()
	require.NoError(t, err)
	require.IsType(t, r, another)
	f, calls := counter()
	r.Make(1, f)
	another.Make(1, f)
	r.Rearm([]uint32{0}, 20*tick, 0)
	another.Rearm([]uint32{0}, 20*tick, 0)
	another.Every(20*tick, f)
	another.Close()
	time.Sleep(time.Second)
	require.Equal(t, 1, calls())
}

func isDriven(t *testing.T, r Rival) {
	d, can := r.(Driver)
	if !can {
		t.Skip("it has a clock of its own")
	}
	driven, advance, err := d.Driven()
	require.NoError(t, err)
	defer driven.Close()
	f, calls := counter()
	driven.AfterFunc(50*tick, f)
	time.Sleep(time.Second)
	require.Zero(t, advance(100, tick/4))
	require.Zero(t, advance(24, tick))
	require.Equal(t, 1, advance(3, tick))
	require.Equal(t, 1, calls())
}

// Where timers cannot be moved, no work that moves them is compared.
func TestReusers(t *testing.T) {
	var names []string
	for _, kind := range Kinds() {
		r, err := kind.New(tick)
		require.NoError(t, err)
		defer r.Close()
		if _, can := r.(Reuser); can {
			names = append(names, kind.Name)
		}
	}
	require.Equal(t, []string{Ours, Time, "hand-rolled", "go-zero"}, names)
}

// A rival without such a tick says so, and does not tick otherwise.
func TestTicks(t *testing.T) {
	for _, kind := range Kinds() {
		for _, tick := range []time.Duration{0, 100 * time.Microsecond, time.Millisecond, tick} {
			r, err := kind.New(tick)
			cannot := kind.Name == "RussellLuo" && tick == 100*time.Microsecond ||
				kind.Name == "antlabs" && tick != 0 && tick != antlabsTick
			require.Equal(t, cannot, err != nil, "%s, %v", kind.Name, tick)
			if err == nil {
				r.Close()
			}
		}
	}
}

// StopSync returns after the handler. This test does not run in a bubble, because the
// time of a bubble stands still while a goroutine waits for a mutex, as the hand-rolled
// wrapper does.
func TestStopSyncWaits(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			r, err := kind.New(tick)
			require.NoError(t, err)
			defer r.Close()
			s, can := r.(SyncStopper)
			if !can {
				t.Skip("its stop does not wait")
			}
			begun := make(chan struct{})
			var ended atomic.Bool
			r.Make(2, func() {
				close(begun)
				time.Sleep(10 * tick)
				ended.Store(true)
			})
			r.Rearm([]uint32{0}, tick, 0)
			r.Rearm([]uint32{1}, time.Hour, 0)
			<-begun
			require.Equal(t, 1, s.StopSync([]uint32{1}), "the timer is pending")
			require.Zero(t, s.StopSync([]uint32{0}), "the timer runs and is not pending")
			require.True(t, ended.Load(), "StopSync returned before the handler")
			require.Zero(t, s.StopSync([]uint32{0, 1}), "both timers are idle")
		})
	}
}
