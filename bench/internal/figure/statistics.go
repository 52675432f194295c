package figure

import (
	"math"
	"slices"
)

// Median returns the median; NaN if there are none.
func (s Samples) Median() float64 { return s.Quantile(0.5) }

// Quantile returns the value that a part q of the samples does not exceed,
// interpolated between its neighbours.
func (s Samples) Quantile(q float64) float64 { return s.Quantiles(q)[0] }

// Quantiles returns several.
func (s Samples) Quantiles(parts ...float64) Samples {
	sorted := Samples(slices.Sorted(slices.Values(s)))
	quantiles := make(Samples, len(parts))
	for k, q := range parts {
		quantiles[k] = sorted.quantile(q)
	}
	return quantiles
}

// quantile is Quantile of sorted samples.
func (s Samples) quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	at := q * float64(len(s)-1)
	low := int(at)
	high := min(low+1, len(s)-1)
	if s[low] == s[high] {
		return s[low] // which may be infinite
	}
	return s[low] + (at-float64(low))*(s[high]-s[low])
}

// Spread returns half the distance between the quartiles, as a part of the
// median: half of the rounds were within that of it, more or less.
func (s Samples) Spread() float64 {
	m := s.Median()
	if m == 0 {
		return 0
	}
	return (s.Quantile(0.75) - s.Quantile(0.25)) / 2 / m
}

// Ratios divides the figures of each round. Those of one round were measured one
// right after the other, so that what a machine does meanwhile cancels out: the
// median of these ratios says more than the ratio of the medians.
func Ratios(of, to Samples) (ratios Samples) {
	for k := range min(len(of), len(to)) {
		ratios = append(ratios, of[k]/to[k])
	}
	return ratios
}
