package figure

import (
	"math"
	"testing"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/stretchr/testify/require"
)

// resultsOf returns results with figures for one work, of this library and of time.
func resultsOf(work string, ours, time Samples) *Results {
	r := new(Results)
	for k := range max(len(ours), len(time)) {
		if k < len(ours) {
			r.Add(work, Nanoseconds, rival.Ours, ours[k])
		}
		if k < len(time) {
			r.Add(work, Nanoseconds, rival.Time, time[k])
		}
	}
	return r
}

func verdict(t *testing.T, r *Results) Verdict {
	t.Helper()
	verdicts := r.Verdicts()
	require.Len(t, verdicts, 1)
	return verdicts[0]
}

func TestVerdicts(t *testing.T) {
	for name, v := range map[string]struct {
		results *Results
		used    float64
	}{
		"a fraction of time's, met":        {resultsOf(StartStop, Samples{42}, Samples{100}), 1},
		"a fraction of time's, not met":    {resultsOf(StartStop, Samples{63}, Samples{100}), 1.5},
		"the median of the rounds counts":  {resultsOf(StartStop, Samples{42, 420, 42}, Samples{100, 100, 100}), 1},
		"each round has its own time":      {resultsOf(StartStop, Samples{20, 84, 8.4}, Samples{100, 200, 20}), 1},
		"time's plus a constant, met":      {resultsOf(Late, Samples{4e6}, Samples{2e6}), 1},
		"time's plus a constant, not met":  {resultsOf(Late, Samples{6e6}, Samples{2e6}), 1.5},
		"a constant, met":                  {resultsOf(Close, Samples{25e6}, nil), 0.5},
		"a constant, not met":              {resultsOf(Close, Samples{100e6}, Samples{1}), 2},
		"zero, where only zero is allowed": {resultsOf(Early, Samples{0}, Samples{5}), 0},
		"one, where only zero is allowed":  {resultsOf(Early, Samples{1}, Samples{5}), math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			got := verdict(t, v.results)
			if math.IsInf(v.used, 1) {
				require.Equal(t, v.used, got.Used)
			} else {
				require.InDelta(t, v.used, got.Used, 1e-9)
			}
			require.Equal(t, got.Used <= 1+1e-9, v.used <= 1)
		})
	}
}

// A figure is within f times what its target allows, and not beyond it. Where only
// zero is allowed, any other figure is beyond every factor.
func TestWithin(t *testing.T) {
	v := Verdict{Used: 1.2}
	require.False(t, v.Pass())
	require.True(t, v.Within(1.3))
	require.False(t, v.Within(1.1))
	require.False(t, Verdict{Used: math.Inf(1)}.Within(1e9))
	require.True(t, Verdict{Used: 1}.Pass())

	v.Worst = 2
	require.False(t, v.Pass(), "Worst does not make a missed target pass")
	require.True(t, v.NoWorse(1))
	v.Used = 2.7
	require.False(t, v.NoWorse(1.3))
	require.True(t, v.NoWorse(1.4))
}

// What is known of a processor counts on it; what is known of none of its kind is the widest.
func TestWorstKnownOfProcessors(t *testing.T) {
	w := worst{zen4: 2, "another": 1, unknown: 3}
	require.EqualValues(t, 2, w.on(zen4))
	require.EqualValues(t, 1, w.on("another"))
	require.EqualValues(t, 3, w.on("never seen"))
	require.EqualValues(t, 3, w.on(unknown))
	require.Zero(t, worst(nil).on(zen4), "the target is met")
	for _, target := range Targets() {
		for kind, times := range target.WorstKnown {
			require.LessOrEqual(t, times, target.WorstKnown[unknown], "%s on %s", target.Work, kind)
		}
	}

	r := resultsOf(StartStop, Samples{42 * 1.5}, Samples{100})
	require.True(t, verdict(t, r).NoWorse(1))
	worst := verdict(t, r).Target.WorstKnown
	r.Processor = zen4
	require.InDelta(t, worst[zen4], verdict(t, r).Worst, 1e-9)
}

// The reference of a target may be another figure of this library: DelSync is compared
// with Del, round by round.
func TestVerdictOnOwnReference(t *testing.T) {
	r := resultsOf(DelSyncIdle, Samples{24}, Samples{1})
	require.Empty(t, r.Verdicts(), "the reference was not measured")
	r.Add(DelIdle, Nanoseconds, rival.Ours, 20)
	require.InDelta(t, 1, verdict(t, r).Used, 1e-9)
}

func TestNoVerdictWithoutFigures(t *testing.T) {
	require.Empty(t, resultsOf(StartStop, nil, Samples{100}).Verdicts())
	require.Empty(t, resultsOf(StartStop, Samples{100}, nil).Verdicts())
	require.Empty(t, new(Results).Verdicts())
}
