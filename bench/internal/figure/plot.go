package figure

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Plot writes all plots as SVG files to a directory. It omits a plot if none of its
// works was measured.
func (r *Results) Plot(dir string) error {
	for _, p := range []struct {
		file string
		draw func() (*plot.Plot, error)
	}{
		{"calls.svg", r.calls},
		{"procs.svg", r.procs},
		{"firings.svg", r.firings},
		{"memory.svg", r.memory},
		{"tail.svg", func() (*plot.Plot, error) {
			return r.distributions("start+stop in a storm", "AfterFunc and Stop, while 1M timers fall due within 300 ms", "ns", true)
		}},
		{"cascade.svg", func() (*plot.Plot, error) {
			return r.distributions("start+stop in a cascade", "AfterFunc and Stop, while 1M timers move down a level", "ns", true)
		}},
		{"lateness.svg", func() (*plot.Plot, error) {
			return r.distributions("lateness, tick 1 ms", "How late handlers start, 1M due over 2 s, tick 1 ms", "ms", false)
		}},
	} {
		drawn, err := p.draw()
		if err != nil {
			return err
		}
		if drawn == nil {
			continue
		}
		if err := drawn.Save(22*vg.Centimeter, 13*vg.Centimeter, filepath.Join(dir, p.file)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Results) calls() (*plot.Plot, error) {
	return r.dotPlot("What calls cost (less is better)", "ns a call, or a pair of calls",
		StartStop, StartStopParallel, ArmStop, LaterHot, LaterScattered, "re-arm earlier, one timer", "re-arm earlier, 1M timers, scattered")
}

func (r *Results) firings() (*plot.Plot, error) {
	return r.dotPlot("What firings cost (less is better)", "ns of processor time a firing",
		Firing, "CPU a firing, 10k periodic timers of 10 ms")
}

func (r *Results) memory() (*plot.Plot, error) {
	return r.dotPlot("What timers hold (less is better)", "bytes a pending timer",
		Held, "memory a pending timer, 10M pending")
}

// blank returns a plot with a title and the origin of its figures.
func (r *Results) blank(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title + "\n" + r.origin()
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.Title.Padding = vg.Millimeter * 3
	p.Legend.Top = true
	p.Legend.XOffs = -vg.Millimeter
	p.BackgroundColor = color.White
	p.Add(plotter.NewGrid())
	return p
}

// dotPlot plots a row for each work, with a dot for each rival, on a logarithmic scale.
// It returns nil if none of the works was measured.
func (r *Results) dotPlot(title, axis string, works ...string) (*plot.Plot, error) {
	works = slices.DeleteFunc(works, func(w string) bool { return len(r.Samples(w, rival.Ours)) == 0 })
	if len(works) == 0 {
		return nil, nil
	}
	slices.Reverse(works) // the first one on top
	p := r.blank(title)
	p.X.Label.Text = axis
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.NominalY(works...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(works))-0.3
	for k, kind := range rival.Kinds() {
		var at plotter.XYs
		for row, work := range works {
			if s := r.Samples(work, kind.Name); len(s) > 0 && s.Median() > 0 {
				at = append(at, plotter.XY{X: s.Median(), Y: float64(row)})
			}
		}
		if len(at) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(at)
		if err != nil {
			return nil, err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: plotutil.Color(k), Radius: vg.Points(4), Shape: plotutil.Shape(k)}
		p.Add(scatter)
		p.Legend.Add(kind.Name, scatter)
	}
	widen(&p.X)
	return p, nil
}

// widen extends a logarithmic axis to whole decades.
func widen(a *plot.Axis) {
	low, high := 1.0, 1.0
	for low > a.Min {
		low /= 10
	}
	for low*10 <= a.Min {
		low *= 10
	}
	for high < a.Max {
		high *= 10
	}
	a.Min, a.Max = low, high
}

// procs plots start and stop by the number of processors.
func (r *Results) procs() (*plot.Plot, error) {
	var names []string
	var works []string
	for _, n := range []int{1, 2, 4, 8} {
		work := fmt.Sprintf("start+stop, 1M pending, %d procs", n)
		if len(r.Samples(work, rival.Ours)) > 0 {
			names, works = append(names, fmt.Sprint(n)), append(works, work)
		}
	}
	if len(works) == 0 {
		return nil, nil
	}
	p := r.blank("AfterFunc and Stop by as many goroutines as GOMAXPROCS, 1M pending")
	p.X.Label.Text = "GOMAXPROCS"
	return p, addLines(p, names, "ns a pair of calls", 1, func(kind string) (values Samples) {
		for _, work := range works {
			values = append(values, r.Samples(work, kind).Median())
		}
		return values
	}, true)
}

// distributions plots a work's distribution for each rival.
func (r *Results) distributions(work, title, unit string, logarithmic bool) (*plot.Plot, error) {
	var names []string
	for _, c := range r.Curves {
		if c.Work == work {
			names = nil
			for _, q := range c.Quantiles {
				names = append(names, quantileName(q))
			}
		}
	}
	if names == nil {
		return nil, nil
	}
	p := r.blank(title)
	scale := map[string]float64{"ns": 1, "ms": 1e6}[unit]
	return p, addLines(p, names, unit, scale, func(kind string) (values Samples) {
		for _, c := range r.Curves {
			if c.Work == work && c.Rival == kind {
				for _, v := range c.Values {
					values = append(values, v.Median())
				}
			}
		}
		return values
	}, logarithmic)
}

func quantileName(q float64) string {
	switch q {
	case 0:
		return "least"
	case 0.5:
		return "median"
	case 1:
		return "most"
	}
	return fmt.Sprintf("%v%%", 100*q)
}

// addLines adds a line for each rival that has values, with names along the X axis.
func addLines(p *plot.Plot, names []string, unit string, scale float64, values func(kind string) Samples, logarithmic bool) error {
	p.NominalX(names...)
	p.Y.Label.Text = unit
	if logarithmic {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	p.Legend.Left = true
	for k, kind := range rival.Kinds() {
		var at plotter.XYs
		for x, y := range values(kind.Name) {
			if !math.IsNaN(y) {
				at = append(at, plotter.XY{X: float64(x), Y: y / scale})
			}
		}
		if len(at) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(at)
		if err != nil {
			return err
		}
		line.Color, points.Color, points.Shape = plotutil.Color(k), plotutil.Color(k), plotutil.Shape(k)
		points.Radius = vg.Points(3)
		p.Add(line, points)
		p.Legend.Add(kind.Name, line, points)
	}
	if logarithmic {
		widen(&p.Y)
	}
	return nil
}
