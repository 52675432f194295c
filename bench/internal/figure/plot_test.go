package figure

import (
	"encoding/hex"
	"encoding/xml"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/stretchr/testify/require"
)

// Each plot names the origin of its figures, and shows the rivals that have one, with values.
func TestPlots(t *testing.T) {
	r := resultsOf(StartStop, Samples{30}, Samples{100})
	r.Machine, r.Go, r.Date = "a machine", "go1.99", "2001-02-03"
	r.Add("start+stop, 1M pending, 2 procs", Nanoseconds, "go-zero", 5000)
	r.Add("start+stop, 1M pending, 2 procs", Nanoseconds, rival.Ours, 50)
	r.AddCurve(Curve{"start+stop in a storm", rival.Time, []float64{0.25, 0.5, 1}, []Samples{{50}, {100}, {1e9}}})
	plots := plotsOf(t, r)
	require.Equal(t, []string{
		"What calls cost", "A call, or a pair of calls. Less is better. The axis is logarithmic.",
		"a machine, go1.99, GOMAXPROCS 0, 2001-02-03.", "10 ns", "100 ns", "1 µs",
		StartStop, "timerwheel", "30 ns", "time", "100 ns",
		StartStopParallel, "timerwheel", "50 ns", "go-zero", "5000 ns",
	}, words(plots["calls.svg"]))
	require.Subset(t, words(plots["procs.svg"]), []string{"GOMAXPROCS 2", "50 ns", "5000 ns"})
	tail := words(plots["tail.svg"])
	require.Equal(t, []string{"median", "time", "100 ns", "worst", "time", "1 s"}, tail[len(tail)-6:])
	require.NotContains(t, tail, "25%", "the plot is about the tail")
	require.Len(t, plots, 3, "of the others no work was measured")
}

// A linear axis begins at 0.
func TestLinearAxis(t *testing.T) {
	r := &Results{}
	r.Add(Held, Bytes, rival.Ours, 50)
	r.Add(Held, Bytes, rival.Time, 130)
	texts := words(plotsOf(t, r)["memory.svg"])
	require.Subset(t, texts, []string{"0 B", "50 B", "100 B"})
	require.NotContains(t, strings.Join(texts, " "), "logarithmic")
}

// No label of a plot is cut off or on another one, whatever the figures are: those that are
// committed, and those that are chosen to be awkward.
func TestLabelsFit(t *testing.T) {
	committed, err := Read("../../results/figures.json")
	require.NoError(t, err)
	awkward := &Results{Machine: strings.Repeat("a processor with a long name, ", 8)}
	for _, work := range []string{StartStop, StartStopParallel, Held, Firing} {
		for k, kind := range rival.Kinds() {
			awkward.Add(work, Nanoseconds, kind.Name, []float64{0, 0.001, 9999, 1e13, 0, 1e13}[k])
		}
	}
	same := &Results{}
	for _, kind := range rival.Kinds() {
		same.Add(Held, Bytes, kind.Name, 100)
		same.Add(Firing, Nanoseconds, kind.Name, 0)
	}
	for _, r := range []*Results{&committed, awkward, same} {
		for file, p := range plotsOf(t, r) {
			boxes := p.labels()
			require.NotEmpty(t, boxes)
			for k, a := range boxes {
				require.True(t, a.x0 >= 0 && a.x1 <= p.Width && a.y0 >= 0 && a.y1 <= p.Height, "%s: %q is cut off", file, a.text)
				for _, b := range boxes[:k] {
					apart := a.x1 <= b.x0 || b.x1 <= a.x0 || a.y1 <= b.y0 || b.y1 <= a.y0
					require.True(t, apart, "%s: %q is on %q", file, a.text, b.text)
				}
			}
			for _, d := range p.Paths {
				require.NotContains(t, d.D+d.Transform, "NaN", file)
				require.NotContains(t, d.D+d.Transform, "Inf", file)
			}
		}
	}
}

// A plot has a light and a dark scheme, and the rivals' colours and shapes, which are the same
// in all plots. A rival is added with a colour and a shape.
func TestPlotStyle(t *testing.T) {
	r, err := Read("../../results/figures.json")
	require.NoError(t, err)
	for file, p := range plotsOf(t, &r) {
		light, dark, found := strings.Cut(p.Style, "@media (prefers-color-scheme: dark)")
		require.True(t, found)
		for _, scheme := range []string{light, dark} {
			for _, class := range []string{"text ", ".page ", ".grid", ".kind0 "} {
				require.Contains(t, scheme, class, file)
			}
		}
		require.Contains(t, light, "sans-serif")
		require.Contains(t, light, ".kind0 { fill: #0072b2 } .kind1 { fill: #d55e00 } .kind2 { fill: #009e73 } .kind3 { fill: #cc79a7 }")
		require.Contains(t, light, ".kind4 { fill: #000000 } .kind5 { fill: #946c00 }")
		require.Contains(t, dark, ".kind0 { fill: #56b4e9 } .kind4 { fill: #f0e442 } .kind5 { fill: #e69f00 }")
		for _, d := range p.Paths {
			if k, is := strings.CutPrefix(d.Class, "kind"); is {
				require.Equal(t, shapes[k[0]-'0'], d.D)
			}
		}
	}
	require.Len(t, shapes, len(rival.Kinds()))
}

// The contrast of each rival's colour with the page is at least 3 to 1, in both schemes.
func TestContrast(t *testing.T) {
	light, dark, _ := strings.Cut(style, "@media (prefers-color-scheme: dark)")
	page, dots := "", map[string]string{}
	for _, scheme := range []string{light, dark} { // the dark one keeps what it does not name
		for _, m := range regexp.MustCompile(`\.(page|kind\d) \{ fill: (#[0-9a-f]{6})`).FindAllStringSubmatch(scheme, -1) {
			if m[1] == "page" {
				page = m[2]
			} else {
				dots[m[1]] = m[2]
			}
		}
		require.Len(t, dots, len(rival.Kinds()))
		for kind, colour := range dots {
			a, b := luminance(t, page), luminance(t, colour)
			require.GreaterOrEqual(t, (max(a, b)+0.05)/(min(a, b)+0.05), 3.0, "%s, %s", kind, colour)
		}
	}
}

// luminance returns how bright a colour is, by the definition of WCAG.
func luminance(t *testing.T, colour string) (sum float64) {
	rgb, err := hex.DecodeString(colour[1:])
	require.NoError(t, err)
	for k, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[k]) / 255
		if c <= 0.03928 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}

// A drawn plot, as far as the tests look at it.
type drawn struct {
	Width  float64 `xml:"width,attr"`
	Height float64 `xml:"height,attr"`
	Style  string  `xml:"style"`
	Texts  []struct {
		Class  string  `xml:"class,attr"`
		Anchor string  `xml:"text-anchor,attr"`
		X      float64 `xml:"x,attr"`
		Y      float64 `xml:"y,attr"`
		Text   string  `xml:",chardata"`
	} `xml:"text"`
	Paths []struct {
		Class     string `xml:"class,attr"`
		Transform string `xml:"transform,attr"`
		D         string `xml:"d,attr"`
	} `xml:"path"`
}

// plotsOf draws all plots of results and parses them.
func plotsOf(t *testing.T, r *Results) map[string]drawn {
	dir := t.TempDir()
	require.NoError(t, r.Plot(dir))
	files, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	require.NoError(t, err)
	plots := map[string]drawn{}
	for _, file := range files {
		svg, err := os.ReadFile(file)
		require.NoError(t, err)
		var p drawn
		require.NoError(t, xml.Unmarshal(svg, &p))
		plots[filepath.Base(file)] = p
	}
	return plots
}

func words(p drawn) (texts []string) {
	for _, x := range p.Texts {
		texts = append(texts, x.Text)
	}
	return texts
}

type box struct {
	text           string
	x0, x1, y0, y1 float64
}

// labels returns where the texts are, roughly.
func (p drawn) labels() (boxes []box) {
	for _, x := range p.Texts {
		size := map[string]float64{"title": 16, "note": 11}[x.Class]
		if size == 0 {
			size = 12
		}
		width := textWidth(size, x.Text)
		left := x.X - width*map[string]float64{"start": 0, "middle": 0.5, "end": 1}[x.Anchor]
		boxes = append(boxes, box{x.Text, left, left + width, math.Floor(x.Y - 0.8*size), x.Y + 0.2*size})
	}
	return boxes
}
