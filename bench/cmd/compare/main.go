// Compare measures this library, package time and other implementations at the same work,
// and reports whether the targets are met.
//
//	go run -C bench ./cmd/compare          # in the repository's root
//	go run ./cmd/compare                   # in bench
//
// It prints tables. A full run also writes them to the directory results, with the
// figures and the plots. With -short or -only it runs less, and writes files only if
// -results names a directory.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
)

type options struct {
	rounds  int
	procs   int
	short   bool
	only    *regexp.Regexp
	check   float64
	json    bool
	results string
	readme  string
	from    string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		childMain()
		return
	}
	o := parse()
	ok, err := compare(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func parse() (o options) {
	flag.IntVar(&o.rounds, "rounds", 5, "number of rounds; expensive scenes run in every other round")
	flag.IntVar(&o.procs, "procs", runtime.NumCPU(), "GOMAXPROCS of scenes that do not set their own")
	flag.BoolVar(&o.short, "short", false, "two to three minutes: two rounds, shorter loops, this library and time only, scenes with targets only")
	only := flag.String("only", "", "run only the scenes whose names match this `regexp`")
	flag.Float64Var(&o.check, "check", 0, "exit with 1 if a figure is worse than `F` times what its target allows or, of a target that is not met, F times the worst figure known on this kind of processor")
	flag.BoolVar(&o.json, "json", false, "print the figures as JSON instead of tables")
	flag.StringVar(&o.results, "results", "", "`directory` for tables, figures and plots; a full run writes to results by default")
	flag.StringVar(&o.readme, "readme", "", "renew the generated section of this `file`, such as ../README.md")
	flag.StringVar(&o.from, "from", "", "measure nothing; read the figures from this `file`")
	flag.Parse()
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if o.short && !set["rounds"] {
		o.rounds = 2
	}
	o.only = regexp.MustCompile(*only)
	if o.results == "" && *only == "" && !o.short && o.from == "" {
		o.results = "results"
	}
	return o
}

// compare measures, checks and publishes. It reports whether the check passed.
func compare(o options) (ok bool, err error) {
	var r figure.Results
	if o.from != "" {
		r, err = figure.Read(o.from)
	} else {
		r = emptyResults()
		err = measure(o, &r)
	}
	if err != nil {
		return false, err
	}
	if ok, err = check(o, &r, run); err != nil {
		return false, err
	}
	return ok, publish(o, &r)
}

// emptyResults returns Results that name their origin and have no figures yet.
func emptyResults() figure.Results {
	processor, machine := describe()
	return figure.Results{
		Machine:   machine,
		Processor: processor,
		Go:        runtime.Version(),
		Date:      time.Now().UTC().Format(time.DateOnly),
		Command:   strings.Join(append([]string{"go run -C bench ./cmd/compare"}, os.Args[1:]...), " "),
	}
}

// publish prints the tables, and writes the files that the options name.
func publish(o options, r *figure.Results) error {
	text, err := r.JSON()
	if err != nil {
		return err
	}
	if o.json {
		fmt.Printf("%s", text)
	} else {
		fmt.Print(r.Page())
	}
	if o.results != "" {
		if err := write(o.results, r, text); err != nil {
			return err
		}
	}
	if o.readme == "" {
		return nil
	}
	page, err := os.ReadFile(o.readme)
	if err != nil {
		return err
	}
	renewed, err := r.Renew(string(page))
	if err != nil {
		return err
	}
	return os.WriteFile(o.readme, []byte(renewed), 0o644)
}

func write(dir string, r *figure.Results, figures []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "figures.json"), figures, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "table.md"), []byte(r.Page()), 0o644); err != nil {
		return err
	}
	return r.Plot(dir)
}
