package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/seed76848005/timerwheel/bench/internal/scene"
)

// measure runs the scenes, round by round. In a round the rivals run a scene right after
// each other, this library and time next to each other, so the other load of the machine
// affects both alike.
func measure(o options, r *figure.Results) error {
	r.Procs = o.procs
	for round := range o.rounds {
		for _, s := range scene.All() {
			if !o.only.MatchString(s.Name) || !s.RunsIn(round, o.short) {
				continue
			}
			if err := run(o, r, s, round); err != nil {
				return err
			}
		}
	}
	fmt.Fprint(os.Stderr, clearLine)
	return nil
}

// clearLine clears the line that shows the progress.
const clearLine = "\r\033[K"

// run runs a scene for each rival, in the order of the kinds and, in every other round, in
// reverse order.
func run(o options, r *figure.Results, s scene.Scene, round int) error {
	kinds := rivals(o, s, round)
	for k := range kinds {
		if round%2 != 0 {
			k = len(kinds) - 1 - k
		}
		kind := kinds[k].Name
		fmt.Fprintf(os.Stderr, clearLine+"round %d of %d: %s: %s", round+1, o.rounds, s.Name, kind)
		result, err := attempt(func() (*scene.Measurement, error) {
			return runInChild(job{Scene: s.Name, Rival: kind, Short: o.short}, procs(o, s))
		})
		if err != nil && (kind == rival.Ours || kind == rival.Time) {
			return fmt.Errorf("%s: %s: %w", kind, s.Name, err)
		}
		if err != nil { // the table shows a dash
			fmt.Fprintf(os.Stderr, "%s%s: %s: %v\n", clearLine, kind, s.Name, err)
			continue
		}
		for _, f := range result.Figures {
			r.Add(f.Work, f.Unit, kind, f.Value)
		}
		for _, c := range result.Curves {
			c.Rival = kind
			r.AddCurve(c)
		}
	}
	return nil
}

// attempt runs a scene, and once more if it fails: on a busy machine a storm may begin before
// it is armed.
func attempt(run func() (*scene.Measurement, error)) (m *scene.Measurement, err error) {
	for range 2 {
		if m, err = run(); err == nil {
			break
		}
	}
	return m, err
}

// rivals returns the rivals that run a scene: all that it does not skip, but only those that targets
// compare in a short run and in the later rounds of expensive scenes.
func rivals(o options, s scene.Scene, round int) []rival.Kind {
	kinds := rival.Kinds()
	if o.short || s.Cost == scene.Expensive && round > 0 {
		kinds = kinds[:2]
	}
	return slices.DeleteFunc(kinds, func(k rival.Kind) bool { return slices.Contains(s.Skip, k.Name) })
}

func procs(o options, s scene.Scene) int {
	if s.Procs != 0 {
		return s.Procs
	}
	return o.procs
}

// check reports whether no figure is worse than o.check times what its target allows, and
// prints those that are. On a shared machine a figure may be bad by chance. So check
// measures a scene with a bad figure again, up to twice, in two more rounds each time, and
// all its figures count. A figure that is really bad stays bad. Again is run, or a test's.
func check(o options, r *figure.Results, again runner) (ok bool, err error) {
	if o.check == 0 {
		return true, nil
	}
	if n := len(figure.Targets()) - len(r.Verdicts()); n > 0 && o.only.String() == "" {
		return false, fmt.Errorf("%d works with a target were not measured", n)
	}
	for range 2 {
		scenes := scenesOf(failed(o, r))
		if o.from != "" || len(scenes) == 0 {
			break
		}
		for _, s := range scenes {
			fmt.Fprintf(os.Stderr, "measuring again: %s\n", s.Name)
			for round := range 2 {
				if err := again(o, r, s, round); err != nil {
					return false, err
				}
			}
		}
	}
	verdicts := failed(o, r)
	for _, v := range verdicts {
		fmt.Fprintf(os.Stderr, "%s: %.2f times what its target allows\n", v.Target.Work, v.Used)
	}
	return len(verdicts) == 0, nil
}

// A runner measures a scene, as run does.
type runner func(o options, r *figure.Results, s scene.Scene, round int) error

// failed returns the verdicts that do not pass the check.
func failed(o options, r *figure.Results) (verdicts []figure.Verdict) {
	for _, v := range r.Verdicts() {
		if !v.NoWorse(o.check) {
			verdicts = append(verdicts, v)
		}
	}
	return verdicts
}

// scenesOf returns the scenes that measure the works of verdicts.
func scenesOf(verdicts []figure.Verdict) (scenes []scene.Scene) {
	for _, s := range scene.All() {
		for _, v := range verdicts {
			if s.Measures(v.Target.Work) {
				scenes = append(scenes, s)
				break
			}
		}
	}
	return scenes
}
