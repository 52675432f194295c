package figure

import (
	"fmt"
	"strings"
)

// The lines that enclose the generated part of a page.
const (
	pageBegins = "<!-- bench: what follows is made by the command in it -->\n"
	pageEnds   = "<!-- bench: end -->\n"
)

// origin returns machine, Go release, GOMAXPROCS and date of the figures.
func (r *Results) origin() string {
	return fmt.Sprintf("%s, %s, GOMAXPROCS %d, %s.", r.Machine, r.Go, r.Procs, r.Date)
}

// Page returns the text of results/table.md.
func (r *Results) Page() string {
	return fmt.Sprintf(`# What was measured

%s

%s

Medians of the rounds; ± is half the distance between the quartiles. Ratios are
medians of each round's. The [README](../README.md) says how it is measured, and what
a dash means.

## Targets

%s
## Everything

%s`, "`"+r.Command+"`", r.origin(), r.Targets(), r.Table())
}

// Section returns the generated part of the repository's README.
func (r *Results) Section() string {
	return fmt.Sprintf(`
`+"```sh\n%s\n```"+`

%s

![start and stop, re-arm](bench/results/calls.svg)

![start and stop while a million timers fire](bench/results/tail.svg)

%s
Everything that was measured, with go-zero's wheel and a hand-rolled wrapper
beside it: [bench/results/table.md](bench/results/table.md); how, and how far to
trust it: [bench](bench); what stands in the way of the targets that are not met:
[there](bench/README.md#what-is-not-met-and-why).

`, r.Command, r.origin(), r.Targets())
}

// Renew returns a page with its generated part replaced.
func (r *Results) Renew(page string) (string, error) {
	before, rest, begins := strings.Cut(page, pageBegins)
	_, after, ends := strings.Cut(rest, pageEnds)
	if !begins || !ends {
		return "", fmt.Errorf("the page has no lines %q and %q", pageBegins, pageEnds)
	}
	return before + pageBegins + r.Section() + pageEnds + after, nil
}
