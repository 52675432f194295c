package figure

import (
	"fmt"
	"strings"
)

// The lines that enclose the generated part of a page.
const (
	pageBegins = "<!-- bench: begin -->\n"
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

// Section returns the generated part of the repository's README: the command, the origin of
// the figures, and the works that a user asks about first. The targets are in Page.
func (r *Results) Section() string {
	return fmt.Sprintf("\n```sh\n%s\n```\n\n%s\n\n%s\n", r.Command, r.origin(), r.Front())
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
