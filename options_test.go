package timerwheel_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// Promises 2.2, 2.3, 2.4, 2.9, 12.9.
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
		{timerwheel.Options{StallStacks: -2, OnStall: noStall}, []string{"StallStacks", "-2"}},
		{timerwheel.Options{StallStacks: math.MinInt32, OnStall: noStall}, []string{"StallStacks", "-2147483648"}},
		{timerwheel.Options{DebugEvery: -1}, []string{"DebugEvery", "-1"}},
		{timerwheel.Options{DebugEvery: -7, Debug: true}, []string{"DebugEvery", "-7"}},
		{timerwheel.Options{Manual: true, OnStall: noStall}, []string{"OnStall", "Manual"}},
		{timerwheel.Options{OnNext: func(time.Time) {}}, []string{"OnNext", "Manual", "func(time.Time)"}},
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

// Promises 2.1 and 2.3: the zero Options is a good wheel, and so is every value up to the edges. What
// is due within one tick is not spread over many instants.
func TestGoodOptionsMakeAWheelThatFires(t *testing.T) {
	for name, o := range map[string]timerwheel.Options{
		"zero":                {},
		"least tick":          {Tick: time.Microsecond},
		"greatest tick":       {Tick: time.Hour},
		"odd tick":            {Tick: 1_234_567},
		"long tick":           {Tick: 50 * time.Millisecond},
		"one worker":          {MaxWorkers: 1},
		"many workers":        {MaxWorkers: 10_000},
		"OnStall, default":    {OnStall: func(timerwheel.Stall) {}},
		"OnStall, least":      {OnStall: func(timerwheel.Stall) {}, StallAfter: 1},
		"OnStall, an hour":    {OnStall: func(timerwheel.Stall) {}, StallAfter: time.Hour},
		"OnStall, for ever":   {OnStall: func(timerwheel.Stall) {}, StallAfter: math.MaxInt64},
		"StallStacks, none":   {OnStall: func(timerwheel.Stall) {}, StallStacks: -1},
		"StallStacks, all":    {OnStall: func(timerwheel.Stall) {}, StallStacks: math.MaxInt},
		"StallStacks alone":   {StallStacks: -2},
		"OnPanic":             {OnPanic: func(timerwheel.HandlerPanic) {}},
		"Debug":               {Debug: true},
		"DebugEvery":          {Debug: true, DebugEvery: 2},
		"DebugEvery, alone":   {DebugEvery: math.MaxInt},
		"OnMisuse":            {Debug: true, OnMisuse: func(error) {}},
		"no Start, no Manual": {Start: time.Time{}},
	} {
		bubble(t, name, o, func(t *testing.T, w *timerwheel.Wheel) {
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

			const n = 100
			var log firingLog
			for i := range time.Duration(n) {
				require.NoError(t, w.Alloc(log.run).Register(10*tick+i*tick/n))
			}
			elapse(13 * tick)
			require.Len(t, log.times(), n)
			instants := map[time.Time]bool{}
			for _, at := range log.times() {
				instants[at] = true
			}
			require.LessOrEqual(t, len(instants), 3, "a tick's work is done in its batch")
		})
	}
}
