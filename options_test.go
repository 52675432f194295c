package timerwheel_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Contract 2: "a bad value is an error that names field and value".
func TestBadOptionIsAnErrorThatNamesFieldAndValue(t *testing.T) {
	noStall := func(timerwheel.Stall) {}
	for _, c := range []struct {
		options timerwheel.Options
		names   []string
	}{
		{timerwheel.Options{Tick: 1}, []string{"Tick", "1ns"}},
		{timerwheel.Options{Tick: time.Microsecond - 1}, []string{"Tick", "999ns"}},
		{timerwheel.Options{Tick: time.Hour + 1}, []string{"Tick", "1h0m0.000000001s"}},
		{timerwheel.Options{Tick: math.MaxInt64}, []string{"Tick", "2562047h47m16.854775807s"}},
		{timerwheel.Options{Tick: -1}, []string{"Tick", "-1ns"}},
		{timerwheel.Options{Tick: -time.Millisecond}, []string{"Tick", "-1ms"}},
		{timerwheel.Options{Tick: math.MinInt64}, []string{"Tick", "-2562047h47m16.854775808s"}},
		{timerwheel.Options{MaxWorkers: -1}, []string{"MaxWorkers", "-1"}},
		{timerwheel.Options{MaxWorkers: math.MinInt32}, []string{"MaxWorkers", "-2147483648"}},
		{timerwheel.Options{StallAfter: -1}, []string{"StallAfter", "-1ns"}},
		{timerwheel.Options{StallAfter: -time.Second, OnStall: noStall}, []string{"StallAfter", "-1s"}},
		{timerwheel.Options{StallAfter: math.MinInt64, OnStall: noStall}, []string{"StallAfter", "-2562047h47m16.854775808s"}},
		{timerwheel.Options{Manual: true, OnStall: noStall}, []string{"OnStall", "Manual"}},
		{timerwheel.Options{OnMisuse: func(error) {}}, []string{"OnMisuse", "Debug", "func(error)"}},
		{timerwheel.Options{Start: time.Date(2031, 7, 9, 1, 2, 3, 0, time.UTC)}, []string{"Start", "2031"}},
		{timerwheel.Options{Manual: true, Tick: -1}, []string{"Tick", "-1ns"}},
		{timerwheel.Options{Manual: true, MaxWorkers: -7}, []string{"MaxWorkers", "-7"}},
		{timerwheel.Options{Manual: true, StallAfter: -1}, []string{"StallAfter", "-1ns"}},
	} {
		t.Run(fmt.Sprint(c.names), func(t *testing.T) {
			w, err := timerwheel.New(c.options)
			require.Nil(t, w)
			require.Error(t, err)
			for _, name := range c.names {
				require.ErrorContains(t, err, name)
			}
		})
	}
}

// Contract 2: "the zero Options is a good wheel", and so is every value up to the edges.
func TestGoodOptionsMakeAWheelThatFires(t *testing.T) {
	for name, o := range map[string]timerwheel.Options{
		"zero":                {},
		"least tick":          {Tick: time.Microsecond},
		"greatest tick":       {Tick: time.Hour},
		"odd tick":            {Tick: 1_234_567},
		"one worker":          {MaxWorkers: 1},
		"many workers":        {MaxWorkers: 10_000},
		"OnStall, default":    {OnStall: func(timerwheel.Stall) {}},
		"OnStall, least":      {OnStall: func(timerwheel.Stall) {}, StallAfter: 1},
		"OnStall, an hour":    {OnStall: func(timerwheel.Stall) {}, StallAfter: time.Hour},
		"OnStall, for ever":   {OnStall: func(timerwheel.Stall) {}, StallAfter: math.MaxInt64},
		"OnPanic":             {OnPanic: func(timerwheel.HandlerPanic) {}},
		"Debug":               {Debug: true},
		"OnMisuse":            {Debug: true, OnMisuse: func(error) {}},
		"no Start, no Manual": {Start: time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wheelFor(t, o)
				tick := o.Tick
				if tick == 0 {
					tick = time.Millisecond // "0 means 1ms"
				}
				for _, d := range []time.Duration{1, tick, 1000 * tick} {
					var log firingLog
					tm := w.Alloc(log.run)
					due := time.Now().Add(d)
					require.NoError(t, tm.Register(d))
					elapse(d + 2*tick)
					require.Len(t, log.times(), 1)
					requireFiring(t, due, log.times()[0], tick)
				}
			})
		})
	}
}

// Contract 2, Options: "Tick: granularity". With the default, what is due within one
// millisecond is not spread over many.
func TestTickIsTheGranularity(t *testing.T) {
	for _, o := range []timerwheel.Options{{}, {Tick: 50 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			tick := o.Tick
			if tick == 0 {
				tick = time.Millisecond
			}
			w := wheelFor(t, o)
			var log firingLog
			const n = 100
			for i := range time.Duration(n) {
				require.NoError(t, w.Alloc(log.run).Register(10*tick+i*tick/n))
			}
			elapse(time.Minute)
			require.Len(t, log.times(), n)
			instants := map[time.Time]bool{}
			for _, at := range log.times() {
				instants[at] = true
			}
			require.LessOrEqual(t, len(instants), 3, "a tick's work is done in its batch")
		})
	}
}

// Contract 2, Options: "Manual ... Start: the wheel's first Now; zero means time.Now()".
func TestStartIsAManualWheelsFirstNow(t *testing.T) {
	for _, start := range []time.Time{
		time.Date(2031, 7, 9, 1, 2, 3, 4, time.UTC),
		time.Date(1999, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("west", -5*3600)),
		time.Unix(0, 0),
		time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		w := wheelFor(t, timerwheel.Options{Manual: true, Start: start})
		require.True(t, w.Now().Equal(start), "%v, want %v", w.Now(), start)
	}
	synctest.Test(t, func(t *testing.T) {
		elapse(1_234_567_890)
		w := wheelFor(t, timerwheel.Options{Manual: true})
		require.True(t, w.Now().Equal(time.Now()))
		start := w.Now()
		elapse(time.Hour)
		require.True(t, w.Now().Equal(start), "only Advance moves it")
	})
}

// Contract 2, Options: "MaxWorkers: most handlers running at once; 0 means a documented
// default", which is 256.
func TestMaxWorkersIsTheMostHandlersRunningAtOnce(t *testing.T) {
	for _, c := range []struct{ option, most int }{{1, 1}, {2, 2}, {7, 7}, {300, 300}, {0, 256}} {
		t.Run(fmt.Sprint(c.option), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wheelFor(t, timerwheel.Options{MaxWorkers: c.option})
				h := parkHandler(t)
				for range c.most + 5 {
					w.AfterFunc(time.Millisecond, h.run)
				}
				elapse(time.Minute)
				require.EqualValues(t, c.most, h.started.Load())
				stats := w.Stats()
				require.Equal(t, c.most, stats.Running)
				require.Equal(t, 5, stats.Pending, "the others wait")
				require.Len(t, w.Running(), c.most)
				h.release()
				elapse(time.Second)
				require.EqualValues(t, c.most+5, h.started.Load())
				require.Zero(t, w.Stats().Live)
			})
		})
	}
}

// Contract 2: "A nil f panics here"; "A nil l panics here"; 7: "period <= 0 panics, as
// time.NewTicker does". A panic leaves nothing behind.
func TestNilAndNonsenseArgumentsPanicAtTheCall(t *testing.T) {
	f := func(timerwheel.Timer) {}
	w := wheelFor(t, timerwheel.Options{})
	g := w.NewGroup()
	for name, call := range map[string]func(){
		"Alloc, nil f":             func() { w.Alloc(nil) },
		"AllocLocked, nil f":       func() { w.AllocLocked(new(sync.Mutex), nil) },
		"AllocLocked, nil l":       func() { w.AllocLocked(nil, f) },
		"AllocLocked, nil both":    func() { w.AllocLocked(nil, nil) },
		"AfterFunc, nil f":         func() { w.AfterFunc(time.Hour, nil) },
		"Every, nil f":             func() { w.Every(time.Hour, nil) },
		"Group.Alloc, nil f":       func() { g.Alloc(nil) },
		"Group.AllocLocked, nil f": func() { g.AllocLocked(new(sync.Mutex), nil) },
		"Group.AllocLocked, nil l": func() { g.AllocLocked(nil, f) },
		"Group.AfterFunc, nil f":   func() { g.AfterFunc(time.Hour, nil) },
		"Group.Every, nil f":       func() { g.Every(time.Hour, nil) },
	} {
		require.Panics(t, call, name)
	}
	for _, period := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		for name, call := range map[string]func(){
			"Every":       func() { w.Every(period, f) },
			"Group.Every": func() { g.Every(period, f) },
		} {
			text := panicText(call)
			require.Contains(t, text, period.String(), "%s(%v) names the value", name, period)
		}
	}
	stats := w.Stats()
	stats.Bytes = 0
	require.Zero(t, stats, "nothing was allocated, armed or refused")
	require.Zero(t, g.Len())
	require.NotPanics(t, func() { require.True(t, w.AfterFunc(time.Hour, func() {}).Stop()) }, "no lock was left behind")
}

// ---- Helpers ----

// panicText is what call panics with, as the crash would print it; empty if it does not panic.
func panicText(call func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	call()
	return ""
}
