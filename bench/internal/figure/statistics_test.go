package figure

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedianAndQuantiles(t *testing.T) {
	s := Samples{5, 1, 4, 2, 3}
	require.Equal(t, 3.0, s.Median())
	require.Equal(t, Samples{1, 2, 3.5, 5}, s.Quantiles(0, 0.25, 0.625, 1))
	require.Equal(t, Samples{5, 1, 4, 2, 3}, s, "Quantiles must not sort its receiver")
	require.Equal(t, 2.5, Samples{2, 3}.Median())
	require.Equal(t, 7.0, Samples{7}.Quantile(0.999))
	require.True(t, math.IsNaN(Samples(nil).Median()))
}

func TestSpread(t *testing.T) {
	require.InDelta(t, 0.1, Samples{80, 90, 100, 110, 120}.Spread(), 1e-9)
	require.Zero(t, Samples{0, 0, 1}.Spread())
	require.Zero(t, Samples{3}.Spread())
}

// A machine that is slow in one round is slow for both, and the ratio does not change.
func TestRatiosAreTakenRoundByRound(t *testing.T) {
	ours, time := Samples{10, 100, 11}, Samples{20, 200, 44}
	require.Equal(t, Samples{0.5, 0.5, 0.25}, Ratios(ours, time))
	require.Equal(t, 0.5, Ratios(ours, time).Median())
	require.Len(t, Ratios(ours, time[:2]), 2)
	require.Empty(t, Ratios(ours, nil))
}

func TestFormat(t *testing.T) {
	for want, f := range map[string]struct {
		unit Unit
		x    float64
	}{
		"0 ns":     {Nanoseconds, 0},
		"0.12 ns":  {Nanoseconds, 0.123},
		"43.1 ns":  {Nanoseconds, 43.06},
		"9999 ns":  {Nanoseconds, 9999},
		"12.3 µs":  {Nanoseconds, 12345},
		"50 ms":    {Nanoseconds, 50e6},
		"2.54 s":   {Nanoseconds, 2.538e9},
		"56 B":     {Bytes, 56},
		"131 B":    {Bytes, 131.2},
		"816 KiB":  {Bytes, 816 << 10},
		"1.50 MiB": {Bytes, 1.5 * (1 << 20)},
		"22002":    {Count, 22002},
		"–":        {Count, math.NaN()},
	} {
		require.Equal(t, want, f.unit.Format(f.x))
	}
}
