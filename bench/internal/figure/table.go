package figure

import (
	"fmt"
	"math"
	"strings"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// A table is rows of cells; the first row is the head.
type table [][]string

// String writes a table as Markdown.
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

const none = "–"

// Targets is the table of targets: what this library has reached, against what
// it was to reach.
func (r *Results) Targets() string {
	t := table{{"work", rival.Ours, rival.Time, "ours / time's", "target", ""}}
	for _, v := range r.Verdicts() {
		time := r.Of(v.Target.Work, rival.Time)
		verdict := "pass"
		if !v.Pass() {
			verdict = "**FAIL**"
		}
		t = append(t, []string{v.Target.Work, v.Unit.cell(v.Ours), v.Unit.cell(time), v.ratio(time), v.Target.text(v.Unit), verdict})
	}
	return t.String()
}

// Table is the table of everything that was measured, with the spread.
func (r *Results) Table() string {
	head := []string{"work"}
	for _, k := range rival.Kinds() {
		head = append(head, k.Name)
	}
	t := table{append(head, "ours / time's")}
	for _, w := range r.Works {
		row := []string{w.Name}
		for _, k := range rival.Kinds() {
			row = append(row, w.Unit.spread(w.Samples[k.Name]))
		}
		t = append(t, append(row, ratio(w.Samples[rival.Ours], w.Samples[rival.Time])))
	}
	return t.String()
}

func (u Unit) cell(s Samples) string {
	if len(s) == 0 {
		return none
	}
	return u.Format(s.Median())
}

func (u Unit) spread(s Samples) string {
	if len(s) < 2 || s.Spread() < 0.005 {
		return u.cell(s)
	}
	return fmt.Sprintf("%s ±%.0f%%", u.cell(s), 100*s.Spread())
}

// ratio is like that of two figures, with more digits where two would make a miss look
// like a hit.
func (v Verdict) ratio(time Samples) string {
	text := ratio(v.Ours, time)
	if !v.Pass() && text == digits(v.Target.Times) {
		text = fmt.Sprintf("%.4f", Ratios(v.Ours, time).Median())
	}
	return text
}

func ratio(ours, time Samples) string {
	m := Ratios(ours, time).Median()
	if math.IsNaN(m) || math.IsInf(m, 0) {
		return none
	}
	return digits(m)
}
