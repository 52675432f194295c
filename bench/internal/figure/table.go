package figure

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// A table is rows of cells. The first row is the head.
type table [][]string

// String returns the table as Markdown.
func (t table) String() string {
	var b strings.Builder
	for k, row := range t {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if k == 0 {
			b.WriteString("|" + strings.Repeat("---|", len(row)) + "\n")
		}
	}
	return b.String()
}

// noFigure stands in a cell without a figure.
const noFigure = "–"

// Targets returns the table of targets: the figures of this library beside its targets.
func (r *Results) Targets() string {
	t := table{{"work", rival.Ours, rival.Time, "ours / time's", "target", ""}}
	for _, v := range r.Verdicts() {
		time := r.Samples(v.Target.Work, rival.Time)
		verdict := "pass"
		if !v.Pass() {
			verdict = "**FAIL**"
		}
		t = append(t, []string{v.Target.Work, v.Unit.cell(v.Ours), v.Unit.cell(time), v.ratio(time), v.bound(), verdict})
	}
	return t.String()
}

// frontWorks are the works that the repository's README shows.
var frontWorks = []string{StartStop, MoveShared, Held, GC, Firing}

// Front returns the table of the README. It leaves out what was not measured.
func (r *Results) Front() string {
	t := table{{"work", rival.Ours, rival.Time}}
	for _, work := range frontWorks {
		if ours := r.Samples(work, rival.Ours); len(ours) > 0 {
			t = append(t, []string{work, r.unit(work).cell(ours), r.unit(work).cell(r.Samples(work, rival.Time))})
		}
	}
	return t.String()
}

// Table returns the table of all figures, with their spread. A rival that was not measured has no
// column: its dashes would say that it cannot do the work.
func (r *Results) Table() string {
	kinds := r.measured()
	t := table{slices.Concat([]string{"work"}, kinds, []string{"ours / time's"})}
	for _, w := range r.Works {
		row := []string{w.Name}
		for _, k := range kinds {
			row = append(row, w.Unit.spread(w.Samples[k]))
		}
		t = append(t, append(row, ratio(w.Samples[rival.Ours], w.Samples[rival.Time])))
	}
	return t.String()
}

// measured returns the names of the rivals that have a figure, in the order of the kinds.
func (r *Results) measured() (names []string) {
	for _, k := range rival.Kinds() {
		if slices.ContainsFunc(r.Works, func(w Work) bool { return len(w.Samples[k.Name]) > 0 }) {
			names = append(names, k.Name)
		}
	}
	return names
}

// cell returns the median, for a table.
func (u Unit) cell(s Samples) string {
	if len(s) == 0 {
		return noFigure
	}
	return u.Format(s.Median())
}

// spread returns the median with its spread, for a table.
func (u Unit) spread(s Samples) string {
	if len(s) < 2 || s.Spread() < 0.005 {
		return u.cell(s)
	}
	return fmt.Sprintf("%s ±%.0f%%", u.cell(s), 100*s.Spread())
}

// ratio returns the ratio of the verdict's figure to time's. It has more digits where
// two would make a missed target look met.
func (v Verdict) ratio(time Samples) string {
	text := ratio(v.Ours, time)
	if !v.Pass() && text == digits(v.Target.Times) {
		text = fmt.Sprintf("%.4f", Ratios(v.Ours, time).Median())
	}
	return text
}

// ratio returns the median of the ratios of each round.
func ratio(ours, time Samples) string {
	m := Ratios(ours, time).Median()
	if math.IsNaN(m) || math.IsInf(m, 0) {
		return noFigure
	}
	return digits(m)
}
