//go:build pauses

package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each work is done")
	only := flag.String("only", "", "the works whose names this `regexp` matches")
	n := flag.Int("n", 1_000_000, "how many timers")
	limit := flag.Duration("check", 0, "exit with 1 if a critical section is longer than this in every round, of a work whose rounds are alike")
	flag.Parse()
	bad := false
	fmt.Print("| work | sections | p99.99 | longest: in every round | best round | worst | by the clock |\n|---|---|---|---|---|---|---|\n")
	var where []string
	for _, work := range works {
		if !regexp.MustCompile(*only).MatchString(work.name) {
			continue
		}
		took := measure(work, *n, *rounds)
		fmt.Println(took.row(work.name))
		where = append(where, took.where(work.name)...)
		longest, _ := took.longest()
		bad = bad || *limit > 0 && longest > *limit
	}
	fmt.Printf("\nSections of more than 20 µs in every round, by where the mutex was released:\n\n%s\n", strings.Join(where, "\n"))
	if bad {
		os.Exit(1)
	}
}

// A result is what the rounds of one work have come to.
type result struct {
	rounds      int
	sections    uint64        // of the last round
	p9999       time.Duration // the median of the rounds'
	each        []uint32      // of each section, the least of the rounds; nil where they are not alike
	best, worst time.Duration // of the longest section in each round
	wall        time.Duration
	long        map[string]longs
}

// longs are the long sections that ended in one place.
type longs struct {
	rounds, count int
	best, worst   time.Duration // of the longest in each round that had one
}

// measure does a work some times, each time on a wheel of its own.
func measure(work work, n, rounds int) result {
	r := result{rounds: rounds, long: map[string]longs{}}
	var p9999 []time.Duration
	for round := range rounds {
		do, clean := work.set(n)
		timerwheel.TakePauses() // what setting it up has left, but where that is the work
		do()
		p := timerwheel.TakePauses()
		clean()
		p9999 = append(p9999, p.P9999)
		if work.alike {
			r.each = least(r.each, p.Each)
		}
		if round == 0 || p.Max < r.best {
			r.best = p.Max
		}
		r.sections = p.Count
		r.worst, r.wall = max(r.worst, p.Max), max(r.wall, p.WallMax)
		for _, long := range p.Long {
			r.long[long.Where] = r.long[long.Where].and(long)
		}
	}
	slices.Sort(p9999)
	r.p9999 = p9999[len(p9999)/2]
	return r
}

// least returns the least of each section, so far and in a further round.
func least(sofar, round []uint32) []uint32 {
	if sofar == nil {
		return round
	}
	if len(sofar) != len(round) {
		panic(fmt.Sprintf("%d sections in one round, %d in another", len(sofar), len(round)))
	}
	for k, took := range round {
		sofar[k] = min(sofar[k], took)
	}
	return sofar
}

// longest returns how long the longest section was in every round, and whether that
// can be said: rounds are alike.
func (r result) longest() (_ time.Duration, alike bool) {
	if r.each == nil {
		return 0, false
	}
	return time.Duration(slices.Max(r.each)), true
}

func (l longs) and(p timerwheel.LongPause) longs {
	if l.rounds == 0 {
		l.best = p.Max
	}
	return longs{l.rounds + 1, l.count + p.Count, min(l.best, p.Max), max(l.worst, p.Max)}
}

func (r result) row(name string) string {
	every := "–"
	if longest, alike := r.longest(); alike {
		every = longest.String()
	}
	return fmt.Sprintf("| %s | %d | %v | %s | %v | %v | %v |", name, r.sections, r.p9999, every, r.best, r.worst, r.wall)
}

// where tells where the long sections of the work are. One that was not long in
// each round was so by chance.
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
