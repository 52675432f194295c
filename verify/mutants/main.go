// Command mutants breaks the library on purpose, in one way after the other. A check must
// go red each time.
//
// A green suite says little until it is known what would make it red. Here each ground
// rule of sync_del.go, and each promise of the files around it, is taken out of the real
// code by a small edit with a name (mutants.go). The mutant must compile (suite.go), and
// the check that is named beside it must fail, panic or hang (verdict.go). A mutant that
// survives is an error.
//
// No file of the tree is changed or copied: the compiler gets the edited files as an
// overlay.
//
//	./run                       all of them
//	./run -only 'sync_del 7'    those whose line in the list matches
//	./run -list                 the list
//	./run -part 1/2             every other of them, from the first on; -part 2/2: the rest
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// atOnce is the number of mutants that are built and checked at the same time.
const atOnce = 2

func main() {
	only := flag.String("only", "", "take only the mutants whose line in the list matches this `regexp`")
	list := flag.Bool("list", false, "list the mutants, and run nothing")
	part := flag.String("part", "1/1", "take the `k/n`th part of them: every nth, from the kth on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *only, *part, *list)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, part string, list bool) error {
	chosen, err := choose(only, part)
	if err != nil {
		return err
	}
	if list {
		for _, m := range chosen {
			fmt.Println(m)
		}
		return nil
	}
	start := time.Now()
	lib, err := open()
	if err != nil {
		return err
	}
	defer lib.close()
	if err := lib.greenAsItIs(ctx, chosen); err != nil {
		return fmt.Errorf("the library as it is: %w", err)
	}
	err = report(chosen, lib.breakAll(ctx, chosen))
	fmt.Printf("%d mutants in %.0f s\n", len(chosen), time.Since(start).Seconds())
	return err
}

// choose returns the mutants whose line in the list matches a regular expression, or, of these, every
// nth from the kth on, if part is k/n.
func choose(only, part string) (chosen []mutant, err error) {
	var k, n int
	if _, err := fmt.Sscanf(part, "%d/%d", &k, &n); err != nil || k < 1 || k > n {
		return nil, fmt.Errorf("-part %s is not k/n", part)
	}
	match, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	for at, m := range mutants {
		if match.MatchString(m.String()) && at%n == k-1 {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no mutant matches %q", only)
	}
	return chosen, nil
}

// greenAsItIs runs the checks of the mutants on the library as it is. A check that is red
// there, or runs no test, says nothing about a mutant.
func (l *library) greenAsItIs(ctx context.Context, chosen []mutant) error {
	for _, s := range suites(chosen) {
		runs := s.runs(chosen)
		start := time.Now()
		b, err := l.build(ctx, s, nil)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if v, err := b.run(ctx, run); err != nil {
				return err
			} else if v.red != "" || !v.ran(run) {
				return fmt.Errorf("%s of %s is not green: %q\n%s", run, s.dir, v.red, v.log)
			}
		}
		fmt.Printf("as it is: %d checks of %s are green, %.1f s\n", len(runs), s.dir, time.Since(start).Seconds())
	}
	return nil
}

// runs returns the -run expressions with which mutants use the suite, each once.
func (s suite) runs(chosen []mutant) (runs []string) {
	for _, m := range chosen {
		if m.Red.suite == s && !slices.Contains(runs, m.Red.run()) {
			runs = append(runs, m.Red.run())
		}
	}
	return runs
}

// An outcome is the result of a mutant's check.
type outcome struct {
	verdict
	err  error // the mutant could not be made, or does not compile
	took time.Duration
}

func (o outcome) String() string {
	switch {
	case o.err != nil:
		return "UNFIT: " + o.err.Error()
	case o.red == "":
		return "SURVIVED"
	}
	return o.red
}

// breakAll checks the mutants, a few at once. It returns a channel for the
// outcome of each.
func (l *library) breakAll(ctx context.Context, chosen []mutant) []chan outcome {
	all := make([]chan outcome, len(chosen))
	turns := make(chan struct{}, atOnce)
	for k := range all {
		all[k] = make(chan outcome, 1)
	}
	go func() {
		for k, m := range chosen {
			turns <- struct{}{}
			go func() {
				defer func() { <-turns }()
				all[k] <- l.breakOnce(ctx, m)
			}()
		}
	}()
	return all
}

// breakOnce makes one mutant and runs its check.
func (l *library) breakOnce(ctx context.Context, m mutant) (o outcome) {
	start := time.Now()
	defer func() { o.took = time.Since(start) }()
	b, err := l.build(ctx, m.Red.suite, m.Edits)
	if err != nil {
		return outcome{err: err}
	}
	defer b.remove()
	v, err := b.run(ctx, m.Red.run())
	return outcome{verdict: v, err: err}
}

// report prints the outcome of each mutant, in the order of the table.
func report(chosen []mutant, outcomes []chan outcome) error {
	var bad []string
	for k, m := range chosen {
		o := <-outcomes[k]
		fmt.Printf("%-12s %-*s %5.1f s  %v\n", m.Rule, nameWidth, m.Name, o.took.Seconds(), o)
		if o.err != nil || o.red == "" {
			bad = append(bad, m.Name)
		}
	}
	if bad != nil {
		return fmt.Errorf("%d mutants were not killed: %q", len(bad), bad)
	}
	return nil
}
