package figure

import (
	"math"
	"testing"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/stretchr/testify/require"
)

// given returns results with figures of one work each for this library and for
// time.
func given(work string, ours, time Samples) *Results {
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
		use     float64
	}{
		"a part of time's, met":           {given(StartStop, Samples{35}, Samples{100}), 1},
		"a part of time's, not met":       {given(StartStop, Samples{42}, Samples{100}), 1.2},
		"the median of the rounds counts": {given(StartStop, Samples{35, 350, 35}, Samples{100, 100, 100}), 1},
		"each round has its own time":     {given(StartStop, Samples{20, 70, 7}, Samples{100, 200, 10}), 1},
		"time's and something":            {given(Late, Samples{4e6}, Samples{2e6}), 1},
		"more than time's and something":  {given(Late, Samples{6e6}, Samples{2e6}), 1.5},
		"at most":                         {given(Close, Samples{25e6}, nil), 0.5},
		"more than that":                  {given(Close, Samples{100e6}, Samples{1}), 2},
		"nothing, where nothing may be":   {given(Early, Samples{0}, Samples{5}), 0},
		"one, where nothing may be":       {given(Early, Samples{1}, Samples{5}), math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			got := verdict(t, v.results)
			if math.IsInf(v.use, 1) {
				require.Equal(t, v.use, got.Use)
			} else {
				require.InDelta(t, v.use, got.Use, 1e-9)
			}
			require.Equal(t, got.Use <= 1+1e-9, v.use <= 1)
		})
	}
}

// A target may be exceeded so much and no more; none at all is exceeded by
// anything.
func TestWithin(t *testing.T) {
	v := Verdict{Use: 1.2}
	require.False(t, v.Pass())
	require.True(t, v.Within(1.3))
	require.False(t, v.Within(1.1))
	require.False(t, Verdict{Use: math.Inf(1)}.Within(1e9))
	require.True(t, Verdict{Use: 1}.Pass())

	v.Target.Unmet = 2
	require.False(t, v.Pass(), "what is known to be unmet is unmet")
	require.True(t, v.NoWorse(1))
	v.Use = 2.7
	require.False(t, v.NoWorse(1.3))
	require.True(t, v.NoWorse(1.4))
}

// To be better than its own stop in every round is what DelSync must do.
func TestVerdictToItsOwnFigure(t *testing.T) {
	r := given(DelSyncIdle, Samples{26}, Samples{1})
	require.Empty(t, r.Verdicts(), "there is nothing to compare it with")
	r.Add(DelIdle, Nanoseconds, rival.Ours, 20)
	require.InDelta(t, 1, verdict(t, r).Use, 1e-9)
}

func TestWithoutFiguresThereIsNoVerdict(t *testing.T) {
	require.Empty(t, given(StartStop, nil, Samples{100}).Verdicts())
	require.Empty(t, given(StartStop, Samples{100}, nil).Verdicts())
	require.Empty(t, new(Results).Verdicts())
}
