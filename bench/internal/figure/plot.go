package figure

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
)

// Plot writes all plots as SVG files to a directory. It omits a plot if none of its
// works was measured.
func (r *Results) Plot(dir string) error {
	for file, c := range map[string]chart{
		"calls.svg": r.works("What calls cost", "A call, or a pair of calls.",
			StartStop, StartStopParallel, ArmStop, LaterHot, LaterScattered, "re-arm earlier, one timer", "re-arm earlier, 1M timers, scattered"),
		"procs.svg": r.procs(),
		"firings.svg": r.works("What firings cost", "Processor time of a firing.",
			Firing, "CPU a firing, 10k periodic timers of 10 ms"),
		"memory.svg": r.works("What timers hold", "Memory of a pending timer.",
			Held, "memory a pending timer, 10M pending"),
		"tail.svg": r.curves("AfterFunc and Stop in a storm", "A pair of calls, while 1M timers fall due within 300 ms. 99% of the calls take at most what 99% shows.",
			"start+stop in a storm"),
		"cascade.svg": r.curves("AfterFunc and Stop in a cascade", "A pair of calls, while 1M timers move down a level. 99% of the calls take at most what 99% shows.",
			"start+stop in a cascade"),
		"lateness.svg": r.curves("How late handlers start", "1M timers due over 2 s, tick 1 ms. 99% of the handlers are at most as late as 99% shows.",
			"lateness, tick 1 ms"),
	} {
		if len(c.groups) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, file), c.svg(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// works returns a chart with a group for each work that was measured.
func (r *Results) works(title, note string, names ...string) chart {
	c := r.chart(title, note)
	for _, w := range names {
		k := slices.IndexFunc(r.Works, func(have Work) bool { return have.Name == w })
		if k < 0 {
			continue
		}
		c.unit = r.Works[k].Unit
		c.groups = append(c.groups, newGroup(w, func(kind string) float64 { return r.Works[k].Samples[kind].Median() }))
	}
	return c
}

// procs returns a chart of start and stop with more and more processors.
func (r *Results) procs() chart {
	c := r.chart("AfterFunc and Stop by more goroutines", "A pair of calls, 1M pending, by as many goroutines as GOMAXPROCS. bench/README.md says what a GOMAXPROCS above the number of processors means.")
	c.unit = Nanoseconds
	for _, n := range []int{1, 2, 4, 8} {
		for _, g := range r.works("", "", fmt.Sprintf("start+stop, 1M pending, %d procs", n)).groups {
			g.name = fmt.Sprintf("GOMAXPROCS %d", n)
			c.groups = append(c.groups, g)
		}
	}
	return c
}

// curves returns a chart of a work's distribution, with a group for each quantile.
func (r *Results) curves(title, note, work string) chart {
	c := r.chart(title, note)
	k := slices.IndexFunc(r.Curves, func(have Curve) bool { return have.Work == work })
	if k < 0 {
		return c
	}
	c.unit = Nanoseconds
	for q, quantile := range r.Curves[k].Quantiles {
		if quantile != 0.5 && quantile < 0.9 {
			continue // the plot is about the tail
		}
		c.groups = append(c.groups, newGroup(quantileName(quantile), func(kind string) float64 {
			for _, have := range r.Curves {
				if have.Work == work && have.Rival == kind {
					return have.Values[q].Median()
				}
			}
			return math.NaN()
		}))
	}
	return c
}

func (r *Results) chart(title, note string) chart {
	return chart{title: title, note: note, origin: r.origin()}
}

// newGroup returns a group of all rivals that have a value.
func newGroup(name string, value func(kind string) float64) group {
	g := group{name: name}
	for k, kind := range rival.Kinds() {
		if v := value(kind.Name); !math.IsNaN(v) {
			g.dots = append(g.dots, dot{kind.Name, k, v})
		}
	}
	return g
}

func quantileName(q float64) string {
	switch q {
	case 0.5:
		return "median"
	case 1:
		return "worst"
	}
	return fmt.Sprintf("%v%%", 100*q)
}
