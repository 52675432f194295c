package figure

import (
	"math"
	"slices"
)

// Median returns the median, or NaN if there are no samples.
func (s Samples) Median() float64 { return s.Quantile(0.5) }

// Quantile returns the value that a fraction q of the samples does not exceed,
// interpolated between the neighbouring samples.
func (s Samples) Quantile(q float64) float64 { return s.Quantiles(q)[0] }

// Quantiles returns the quantiles for several fractions.
func (s Samples) Quantiles(fractions ...float64) Samples {
	sorted := Samples(slices.Sorted(slices.Values(s)))
	quantiles := make(Samples, len(fractions))
	for k, q := range fractions {
		quantiles[k] = sorted.sortedQuantile(q)
	}
	return quantiles
}

// sortedQuantile returns a quantile of samples that are sorted.
func (s Samples) sortedQuantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	at := q * float64(len(s)-1)
	low := int(at)
	high := min(low+1, len(s)-1)
	if s[low] == s[high] {
		return s[low] // may be infinite
	}
	return s[low] + (at-float64(low))*(s[high]-s[low])
}

// Spread returns half the distance between the quartiles, as a fraction of the
// median. About half of the rounds differ from the median by no more than that.
func (s Samples) Spread() float64 {
	m := s.Median()
	if m == 0 {
		return 0
	}
	return (s.Quantile(0.75) - s.Quantile(0.25)) / 2 / m
}

// Ratios divides a by b, round by round. The figures of one round are measured right
// after each other, so the other load of the machine cancels out: the median of these
// ratios is more reliable than the ratio of the medians.
func Ratios(a, b Samples) (ratios Samples) {
	for k := range min(len(a), len(b)) {
		ratios = append(ratios, a[k]/b[k])
	}
	return ratios
}
