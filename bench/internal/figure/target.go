package figure

import (
	"fmt"
	"math"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// A Target is an upper bound for this library's figure for a work: Times the
// reference's figure of the same round, plus Plus. Without a reference the bound is
// Plus.
type Target struct {
	Work      string
	Reference Reference
	Times     float64
	Plus      float64

	// WorstKnown is for a target that is not met.
	WorstKnown worst
}

// A Reference is a rival's figure for a work.
type Reference struct{ Rival, Work string }

// ofTime returns a target that refers to time's figure for the same work, as most do.
func ofTime(work string, times float64) Target {
	return Target{Work: work, Reference: Reference{rival.Time, work}, Times: times}
}

// atMost returns a target without a reference.
func atMost(work string, limit float64) Target { return Target{Work: work, Plus: limit} }

func (t Target) worstKnown(w worst) Target {
	t.WorstKnown = w
	return t
}

// A Verdict compares this library's figures with a target.
type Verdict struct {
	Target    Target
	Unit      Unit
	Ours      Samples
	Reference Samples // the reference's figures; nil if the target has no reference
	Used      float64 // the figure as a fraction of what the target allows
	Worst     float64 // the worst fraction known on this kind of processor, or 0
}

// Pass reports whether the target is met.
func (v Verdict) Pass() bool { return v.Within(1) }

// NoWorse reports whether the figure is at most f times what the target allows or,
// where that is more, f times the worst figure known on this kind of processor.
func (v Verdict) NoWorse(f float64) bool { return v.Within(f * max(1, v.Worst)) }

// Within reports whether the figure is at most f times what the target allows.
func (v Verdict) Within(f float64) bool { return v.Used <= f }

// Verdicts returns the verdicts on the targets whose work was measured.
func (r *Results) Verdicts() (verdicts []Verdict) {
	for _, t := range Targets() {
		v := Verdict{
			Target:    t,
			Ours:      r.Samples(t.Work, rival.Ours),
			Reference: r.Samples(t.Reference.Work, t.Reference.Rival),
		}
		if len(v.Ours) == 0 || t.Times != 0 && len(v.Reference) == 0 {
			continue
		}
		v.Used = t.used(v.Ours, v.Reference).Median()
		v.Worst = t.WorstKnown.on(r.Processor)
		v.Unit = r.unit(t.Work)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// used returns, round by round, the figure as a fraction of what the target allows.
func (t Target) used(ours, reference Samples) (used Samples) {
	for k, figure := range ours {
		limit := t.Plus
		if t.Times != 0 {
			if k == len(reference) {
				break
			}
			limit += t.Times * reference[k]
		}
		used = append(used, fraction(figure, limit))
	}
	return used
}

// fraction returns figure / limit. With a limit of 0 a figure of 0 is within the limit,
// and any other figure exceeds it, whatever factor the limit is multiplied with.
func fraction(figure, limit float64) float64 {
	switch {
	case limit != 0:
		return figure / limit
	case figure == 0:
		return 0
	}
	return math.Inf(1)
}

func (r *Results) unit(work string) Unit {
	for _, w := range r.Works {
		if w.Name == work {
			return w.Unit
		}
	}
	return Count
}

// bound returns the bound as the table shows it. Where that refers to another work of this
// library, its figure stands in no other column.
func (v Verdict) bound() string {
	t := v.Target
	switch {
	case t.Times == 0 && t.Plus == 0:
		return "0"
	case t.Times == 0:
		return "≤ " + v.Unit.Format(t.Plus)
	}
	reference := t.Reference.Rival + "'s"
	if t.Reference.Rival == rival.Ours {
		reference = fmt.Sprintf("%s (%s)", ownReferences[t.Reference.Work], v.Unit.cell(v.Reference))
	}
	text := fmt.Sprintf("≤ %.2f of %s", t.Times, reference)
	if t.Times == 1 {
		text = "≤ " + reference
	}
	if t.Plus != 0 {
		text += " + " + v.Unit.Format(t.Plus)
	}
	return text
}
