// Package figure holds what a comparison measured, and makes medians, verdicts,
// tables and plots from it. All of them are made from one file,
// results/figures.json, so they cannot disagree.
package figure

import (
	"encoding/json"
	"os"
	"slices"
)

// Results holds the figures of one comparison.
type Results struct {
	Machine   string    `json:"machine"`
	Processor Processor `json:"processor,omitempty"`
	Procs     int       `json:"procs"` // GOMAXPROCS of works that do not set their own
	Go        string    `json:"go"`
	Date      string    `json:"date"`
	Command   string    `json:"command"`
	Works     []Work    `json:"works"` // in the order of the table
	Curves    []Curve   `json:"curves"`
}

// A Work is what one line of the table measures.
type Work struct {
	Name    string             `json:"name"`
	Unit    Unit               `json:"unit"`
	Samples map[string]Samples `json:"samples"` // by rival; a rival that cannot do the work has no entry
}

// Samples are one rival's figures for a work, one for each round.
type Samples []float64

// A Curve is the distribution of a rival's figures for a plot, in nanoseconds.
type Curve struct {
	Work      string    `json:"work"`
	Rival     string    `json:"rival"`
	Quantiles []float64 `json:"quantiles"`
	Values    []Samples `json:"values"` // at each quantile, one for each round
}

// A Unit says what a figure counts. Durations are in nanoseconds.
type Unit string

const (
	Nanoseconds Unit = "ns"
	Bytes       Unit = "B"
	Count       Unit = ""
)

// Add appends the figure of one round. The caller adds all rivals' figures of a
// round before those of the next round, and a rival that cannot do a work never has
// a figure, so the figures of one round have the same index.
func (r *Results) Add(work string, unit Unit, rival string, value float64) {
	k := slices.IndexFunc(r.Works, func(w Work) bool { return w.Name == work })
	if k < 0 {
		k = len(r.Works)
		r.Works = append(r.Works, Work{Name: work, Unit: unit, Samples: map[string]Samples{}})
	}
	w := r.Works[k]
	w.Samples[rival] = append(w.Samples[rival], value)
}

// AddCurve appends the values of one round to the curve of the same work and rival.
func (r *Results) AddCurve(c Curve) {
	k := slices.IndexFunc(r.Curves, func(have Curve) bool { return have.Work == c.Work && have.Rival == c.Rival })
	if k < 0 {
		r.Curves = append(r.Curves, c)
		return
	}
	for q, value := range c.Values {
		r.Curves[k].Values[q] = append(r.Curves[k].Values[q], value...)
	}
}

// Samples returns a rival's figures for a work, or nil if there are none.
func (r *Results) Samples(work, rival string) Samples {
	for _, w := range r.Works {
		if w.Name == work {
			return w.Samples[rival]
		}
	}
	return nil
}

// Read reads Results from a file in the format of JSON.
func Read(file string) (r Results, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

// JSON returns the results as indented JSON.
func (r *Results) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "\t")
	return append(text, '\n'), err
}
