package promises

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/RussellLuo/timingwheel"
	antlabs "github.com/antlabs/timer"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/stretchr/testify/require"
	"github.com/zeromicro/go-zero/core/collection"
)

// A library is one column of the table: how to use it, and what it promises. Each field
// from early on is what the test of a row expects.
type library struct {
	name string
	open func(*testing.T) wheel
	hold func(t *testing.T, n int) (stop func()) // n pending one-shots and their handles

	early      time.Duration // how much too soon a handler may start, at most
	pending    string        // what a stop says of a timer that is pending,
	running    string        // whose handler is running,
	returned   string        // whose handler has returned,
	stopped    string        // and that was stopped before
	waits      string        // what a stop that waits does while the handler runs; none: there is no such stop
	ownHandler string        // what it does in the timer's own handler
	ticks      int           // the least number of wake-ups a second, with one timer an hour away
	bytes      int           // memory of a pending timer and its handle, roughly
	releases   string        // when the memory of a stopped timer can be collected
}

// The words of the table.
const (
	none    = "–"
	nothing = "says nothing"
	waits   = "waits"
	hangs   = "hangs"
	atOnce  = "at once"
	later   = "when its bucket is due"
)

// A wheel starts one-shots of a library. It is closed when its test ends.
type wheel func(d time.Duration, f func()) timer

// A timer is a one-shot of some library.
type timer interface {
	stop() string     // the stop that does not wait, and what it says
	stopSync() string // the stop that waits, and what it says; none if there is no such stop
}

// libraries returns the columns. Each library ticks once a millisecond, if it ticks and can do
// so.
func libraries() []library {
	return []library{
		{
			name: "timerwheel", open: openOurs, hold: holdOurs,
			pending: "pending", running: "running", returned: "neither", stopped: "neither",
			waits: waits, ownHandler: "ErrDeadlock",
			bytes: 66, releases: atOnce,
		},
		{
			name: "time", open: openTime, hold: holdTime,
			pending: "true", running: "false", returned: "false", stopped: "false",
			waits: none, ownHandler: none,
			bytes: 130, releases: atOnce,
		},
		{
			name: "hand-rolled", open: openHandRolled, hold: holdHandRolled,
			pending: "true", running: "false", returned: "false", stopped: "false",
			waits: waits, ownHandler: hangs,
			bytes: 190, releases: atOnce,
		},
		{
			name: "go-zero", open: openGoZero, hold: holdGoZero, early: 2 * tick,
			pending: nothing, running: nothing, returned: nothing, stopped: nothing,
			waits: none, ownHandler: none,
			ticks: 1000, bytes: 199, releases: later,
		},
		{
			name: "RussellLuo/timingwheel", open: openRussellLuo, hold: holdRussellLuo, early: tick,
			pending: "true", running: "false", returned: "false", stopped: "false",
			waits: none, ownHandler: none,
			bytes: 88, releases: atOnce,
		},
		{
			name: "antlabs/timer", open: openAntlabs, hold: holdAntlabs, early: 10 * tick,
			pending: "true", running: "false", returned: "false", stopped: "true",
			waits: none, ownHandler: none,
			ticks: 100, bytes: 113, releases: atOnce,
		},
	}
}

const tick = time.Millisecond

// hold keeps n one-shots in a slice. Its result stops them and drops the slice.
func hold[H any](n int, start func() H, stop func(H)) func() {
	handles := make([]H, n)
	for k := range handles {
		handles[k] = start()
	}
	return func() {
		for _, h := range handles {
			stop(h)
		}
		handles = nil
	}
}

// idle is the handler of timers that do not fire.
func idle() {}

type ours struct{ t timerwheel.Timer }

func openOurs(t *testing.T) wheel {
	w := newOurs(t)
	return func(d time.Duration, f func()) timer { return ours{w.AfterFunc(d, f)} }
}

func holdOurs(t *testing.T, n int) func() {
	w := newOurs(t)
	return hold(n, func() timerwheel.Timer { return w.AfterFunc(time.Hour, idle) }, func(h timerwheel.Timer) { h.Stop() })
}

func newOurs(t *testing.T) *timerwheel.Wheel {
	w, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

func (o ours) stop() string { return found(o.t.Del()) }

func (o ours) stopSync() string {
	f, err := o.t.DelSync()
	if errors.Is(err, timerwheel.ErrDeadlock) {
		return "ErrDeadlock"
	}
	return found(f)
}

func found(f timerwheel.Found) string {
	switch {
	case f.Pending:
		return "pending"
	case f.Running:
		return "running"
	}
	return "neither"
}

// A stopper is a timer with package time's Stop.
type stopper struct{ t interface{ Stop() bool } }

func (s stopper) stop() string   { return fmt.Sprint(s.t.Stop()) }
func (stopper) stopSync() string { return none }

func openTime(*testing.T) wheel {
	return func(d time.Duration, f func()) timer { return stopper{time.AfterFunc(d, f)} }
}

func holdTime(_ *testing.T, n int) func() {
	return hold(n, func() *time.Timer { return time.AfterFunc(time.Hour, idle) }, func(h *time.Timer) { h.Stop() })
}

// handRolled is a timer of the wrapper of package rival.
type handRolled struct{ r rival.Rival }

func openHandRolled(t *testing.T) wheel {
	return func(d time.Duration, f func()) timer {
		r := newHandRolled(t)
		r.Make(1, f)
		r.Rearm(first, d, 0)
		return handRolled{r}
	}
}

func holdHandRolled(t *testing.T, n int) func() {
	r := newHandRolled(t)
	r.StartAll(n, time.Hour)
	return func() { r.StopAll() }
}

func newHandRolled(t *testing.T) rival.Rival {
	kinds := rival.Kinds()
	k := slices.IndexFunc(kinds, func(k rival.Kind) bool { return k.Name == "hand-rolled" })
	r, err := kinds[k].New(tick)
	require.NoError(t, err)
	return r
}

var first = []uint32{0}

func (h handRolled) stop() string { return fmt.Sprint(h.r.Stop(first) == 1) }
func (h handRolled) stopSync() string {
	return fmt.Sprint(h.r.(rival.SyncStopper).StopSync(first) == 1)
}

// goZero is a key of go-zero's wheel.
type goZero struct {
	w   *collection.TimingWheel
	key uint64
}

func openGoZero(t *testing.T) wheel {
	w := newGoZero(t)
	var keys atomic.Uint64
	return func(d time.Duration, f func()) timer {
		g := goZero{w, keys.Add(1)}
		require.NoError(t, w.SetTimer(g.key, f, d))
		return g
	}
}

func holdGoZero(t *testing.T, n int) func() {
	w := newGoZero(t)
	var last uint64
	return hold(n, func() uint64 {
		last++
		require.NoError(t, w.SetTimer(last, idle, time.Hour))
		return last
	}, func(key uint64) { _ = w.RemoveTimer(key) })
}

func newGoZero(t *testing.T) *collection.TimingWheel {
	w, err := collection.NewTimingWheel(tick, 4096, func(_, f any) { f.(func())() })
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	return w
}

func (g goZero) stop() string {
	if err := g.w.RemoveTimer(g.key); err != nil {
		return err.Error()
	}
	return nothing
}

func (goZero) stopSync() string { return none }

func openRussellLuo(t *testing.T) wheel {
	w := newRussellLuo(t)
	return func(d time.Duration, f func()) timer { return stopper{w.AfterFunc(d, f)} }
}

func holdRussellLuo(t *testing.T, n int) func() {
	w := newRussellLuo(t)
	return hold(n, func() *timingwheel.Timer { return w.AfterFunc(time.Hour, idle) }, func(h *timingwheel.Timer) { h.Stop() })
}

// newRussellLuo makes a wheel as the examples of its documentation do.
func newRussellLuo(t *testing.T) *timingwheel.TimingWheel {
	w := timingwheel.NewTimingWheel(tick, 20)
	w.Start()
	t.Cleanup(w.Stop)
	return w
}

func openAntlabs(t *testing.T) wheel {
	w := newAntlabs(t)
	return func(d time.Duration, f func()) timer { return stopper{w.AfterFunc(d, f)} }
}

func holdAntlabs(t *testing.T, n int) func() {
	w := newAntlabs(t)
	return hold(n, func() antlabs.TimeNoder { return w.AfterFunc(time.Hour, idle) }, func(h antlabs.TimeNoder) { h.Stop() })
}

func newAntlabs(t *testing.T) antlabs.Timer {
	w := antlabs.NewTimer()
	go w.Run()
	t.Cleanup(w.Stop)
	return w
}
