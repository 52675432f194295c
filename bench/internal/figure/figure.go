// Package figure is what a comparison has measured, and everything that is
// made of it: medians, verdicts, tables, plots. All of it is made from one
// file, results/figures.json, so that they cannot disagree.
package figure

import (
	"encoding/json"
	"os"
	"slices"
)

// Results are the figures of one comparison.
type Results struct {
	Machine string  `json:"machine"`
	Procs   int     `json:"procs"` // GOMAXPROCS where a work does not say otherwise
	Go      string  `json:"go"`
	Date    string  `json:"date"`
	Command string  `json:"command"`
	Works   []Work  `json:"works"` // in the order of the table
	Curves  []Curve `json:"curves"`
}

// A Work is one line of the table.
type Work struct {
	Name    string             `json:"name"`
	Unit    Unit               `json:"unit"`
	Samples map[string]Samples `json:"samples"` // by rival; one that cannot do the work is missing
}

// Samples are one rival's figures for a work, one a round.
type Samples []float64

// A Curve is a distribution of a rival's, for a plot, in nanoseconds.
type Curve struct {
	Work      string    `json:"work"`
	Rival     string    `json:"rival"`
	Quantiles []float64 `json:"quantiles"`
	Values    []Samples `json:"values"` // at each quantile, one a round
}

// A Unit says what a figure counts. Durations are in nanoseconds.
type Unit string

const (
	Nanoseconds Unit = "ns"
	Bytes       Unit = "B"
	Count       Unit = ""
)

// Add adds the figure of one round. All rivals' figures of a round must be added
// before those of the next, and a rival that cannot do a work never has one: so
// figures of one round have one index.
func (r *Results) Add(work string, unit Unit, rival string, value float64) {
	k := slices.IndexFunc(r.Works, func(w Work) bool { return w.Name == work })
	if k < 0 {
		k = len(r.Works)
		r.Works = append(r.Works, Work{Name: work, Unit: unit, Samples: map[string]Samples{}})
	}
	w := r.Works[k]
	w.Samples[rival] = append(w.Samples[rival], value)
}

// AddCurve adds a curve of one round.
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

// Of returns a rival's figures for a work, if there are any.
func (r *Results) Of(work, rival string) Samples {
	for _, w := range r.Works {
		if w.Name == work {
			return w.Samples[rival]
		}
	}
	return nil
}

// Read reads what Write has written.
func Read(file string) (r Results, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

// JSON returns the results as JSON, one work a paragraph.
func (r *Results) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "\t")
	return append(text, '\n'), err
}
