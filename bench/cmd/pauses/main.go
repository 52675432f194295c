//go:build pauses

package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel/internal/hook"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each work is done")
	only := flag.String("only", "", "do only the works whose names match this `regexp`")
	n := flag.Int("n", 1_000_000, "number of timers")
	limit := flag.Duration("check", 0, "exit with 1 if a critical section takes longer than this in every round, in a work whose rounds are alike")
	onlyLongest := flag.Bool("longest", false, "print nothing but the longest time, in nanoseconds, that a critical section took in every round")
	flag.Parse()
	var out io.Writer = os.Stdout
	if *onlyLongest {
		out = io.Discard
	}
	longestOfAll := time.Duration(0)
	fmt.Fprint(out, "| work | sections | p99.99 | longest: in every round | best round | worst | by the clock |\n|---|---|---|---|---|---|---|\n")
	var where []string
	for _, work := range works {
		if !regexp.MustCompile(*only).MatchString(work.name) {
			continue
		}
		r := measure(work, *n, *rounds)
		fmt.Fprintln(out, r.row(work.name))
		where = append(where, r.where(work.name)...)
		longest, _ := r.longest()
		longestOfAll = max(longestOfAll, longest)
	}
	fmt.Fprintf(out, "\nSections of more than 20 µs in every round, by where the mutex was released:\n\n%s\n", strings.Join(where, "\n"))
	if *onlyLongest {
		fmt.Println(longestOfAll.Nanoseconds())
	}
	if *limit > 0 && longestOfAll > *limit {
		os.Exit(1)
	}
}

// A result sums up the rounds of one work.
type result struct {
	rounds      int
	sections    uint64        // of the last round
	p9999       time.Duration // the median of the rounds
	each        []uint32      // of each section, its shortest time in the rounds; nil if they are not alike
	best, worst time.Duration // of the longest section in each round
	wall        time.Duration
	long        map[string]longSections // by where they ended
}

// longSections counts the long sections that released their mutex at the same line.
type longSections struct {
	rounds, count int
	best, worst   time.Duration // of the longest in each round that had one
}

// measure does a work several times, each time on a wheel of its own.
func measure(work work, n, rounds int) result {
	r := result{rounds: rounds, long: map[string]longSections{}}
	var p9999 []time.Duration
	for round := range rounds {
		do, clean := work.prepare(n)
		hook.TakePauses() // drops the sections of the preparation
		do()
		p := hook.TakePauses()
		clean()
		p9999 = append(p9999, p.P9999)
		if work.alike {
			r.each = shortest(r.each, p.Each)
		}
		if round == 0 || p.Max < r.best {
			r.best = p.Max
		}
		r.sections = p.Count
		r.worst, r.wall = max(r.worst, p.Max), max(r.wall, p.WallMax)
		for _, long := range p.Long {
			r.long[long.Where] = r.long[long.Where].plus(long)
		}
	}
	slices.Sort(p9999)
	r.p9999 = p9999[len(p9999)/2]
	return r
}

// shortest returns the shortest time of each section, of those of earlier rounds and of a
// further round. It reuses the slice of the earlier rounds.
func shortest(earlier, round []uint32) []uint32 {
	if earlier == nil {
		return round
	}
	if len(earlier) != len(round) {
		panic(fmt.Sprintf("%d sections in one round, %d in another", len(earlier), len(round)))
	}
	for k, took := range round {
		earlier[k] = min(earlier[k], took)
	}
	return earlier
}

// longest returns the time that the longest section took in every round, and whether the
// rounds are alike; otherwise there is no such time.
func (r result) longest() (_ time.Duration, alike bool) {
	if r.each == nil {
		return 0, false
	}
	return time.Duration(slices.Max(r.each)), true
}

func (l longSections) plus(p hook.LongPause) longSections {
	if l.rounds == 0 {
		l.best = p.Max
	}
	return longSections{l.rounds + 1, l.count + p.Count, min(l.best, p.Max), max(l.worst, p.Max)}
}

// row returns the row of the table for the work.
func (r result) row(name string) string {
	every := "–"
	if longest, alike := r.longest(); alike {
		every = longest.String()
	}
	return fmt.Sprintf("| %s | %d | %v | %s | %v | %v | %v |", name, r.sections, r.p9999, every, r.best, r.worst, r.wall)
}

// where returns a line for each place where long sections of the work ended. It omits
// places without a long section in every round, because those were long by chance.
func (r result) where(name string) (lines []string) {
	for where, l := range r.long {
		if l.rounds < r.rounds {
			continue
		}
		lines = append(lines, fmt.Sprintf("%-28s %6d, the longest %v to %v: %s", name, l.count, l.best, l.worst, where))
	}
	slices.Sort(lines)
	return lines
}
