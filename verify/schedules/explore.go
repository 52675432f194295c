//go:build schedules

package schedules

import (
	"fmt"
	"strings"
)

// A plan is a path through the tree of schedules, depth first. It begins with the choices
// of the run before, of which the last one is changed, and then always takes the first
// option. Each run completes the plan; next changes it for the next run.
type plan struct {
	bound   int // the most pre-emptions
	choices []choice
	at      int // choices taken in this run
	spent   int // pre-emptions so far
	steady  bool
}

// A choice is one step: the number of options there were, and the one that was taken.
type choice struct {
	options, taken int
	preempts       bool
	name, place    string // the actor that made the step, and where the step began
	where          string // the same, with the functions if the run is traced
}

// take is a director's choose. A steady plan always takes the first option, and remembers
// no choice.
func (p *plan) take(options []*actor, preempts bool) int {
	if p.steady {
		return 0
	}
	n := len(options)
	if preempts && p.spent == p.bound {
		n = 1
	}
	if p.at == len(p.choices) {
		p.choices = append(p.choices, choice{options: n, preempts: preempts})
	}
	c := &p.choices[p.at]
	if c.options != n {
		panic(fmt.Sprintf("the run cannot be repeated: %d options instead of %d at step %d:\n%v",
			n, c.options, p.at, p))
	}
	a := options[c.taken]
	place, _, _ := strings.Cut(a.place, " <") // a traced run adds the functions
	if c.place != "" && (c.name != a.name || c.place != place) {
		panic(fmt.Sprintf("the run cannot be repeated: %s: %s instead of %s: %s at step %d",
			a.name, place, c.name, c.place, p.at))
	}
	p.at++
	c.name, c.place, c.where = a.name, place, a.place
	if preempts && c.taken > 0 {
		p.spent++
	}
	return c.taken
}

// next changes the plan for the next run; false if there is none.
func (p *plan) next() bool {
	for k := p.at - 1; k >= 0; k-- {
		if c := &p.choices[k]; c.taken+1 < c.options {
			c.taken++
			c.name, c.place = "", "" // another actor makes the step
			p.choices = p.choices[:k+1]
			p.again()
			return true
		}
	}
	return false
}

// again prepares the plan for the same run once more.
func (p *plan) again() {
	p.at, p.spent, p.steady = 0, 0, false
}

// String lists the steps that were taken.
func (p *plan) String() string {
	var s strings.Builder
	for k, c := range p.choices[:p.at] {
		mark := ' '
		if c.preempts && c.taken > 0 {
			mark = '!' // a pre-emption
		}
		fmt.Fprintf(&s, "%4d %c %s: %s\n", k, mark, c.name, c.where)
	}
	return s.String()
}
