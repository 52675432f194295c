package figure

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strings"
)

// A chart is a plot of dots along one axis. Each dot has a line of its own, with the rival's
// name before it and its value behind it, so no two labels can meet and no legend is needed.
// It is narrow, so that it can be read on a phone.
type chart struct {
	title, note, origin string
	unit                Unit
	groups              []group
}

// A group is what the rivals are compared at.
type group struct {
	name string
	dots []dot
}

type dot struct {
	name  string
	kind  int // which shape and colour
	value float64
}

// Measures, in the SVG's units. Fonts are in style.
const (
	width     = 460.0
	margin    = 12.0
	axisLeft  = 98.0  // before it are the rivals' names
	axisRight = 380.0 // behind it is room for the value of the last dot
	lineStep  = 15.0
)

// style has a light and a dark scheme. The colours of the dots are those of Okabe and Ito,
// which can be told apart by the colour-blind; the shapes differ, too. Contrast with the background
// is at least 3 to 1. So orange is darker in the light scheme.
const style = `<style>
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; font-size: 12px; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.group { font-weight: 600 }
.note, .name, .tick { fill: #59636e }
.note { font-size: 11px }
.value, .group { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
.page { fill: #ffffff }
.grid, .stem { stroke: #d1d9e0 }
.kind0 { fill: #0072b2 } .kind1 { fill: #d55e00 } .kind2 { fill: #009e73 } .kind3 { fill: #cc79a7 }
.kind4 { fill: #000000 } .kind5 { fill: #946c00 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.note, .name, .tick { fill: #9198a1 }
.value, .group { stroke: #0d1117 }
.page { fill: #0d1117 }
.grid, .stem { stroke: #3d444d }
.kind0 { fill: #56b4e9 } .kind4 { fill: #f0e442 } .kind5 { fill: #e69f00 }
}
</style>
`

// shapes are around the origin, one for each kind of rival.
var shapes = []string{
	"M-5,0A5,5 0 1 0 5,0A5,5 0 1 0 -5,0Z",
	"M-4.5,-4.5H4.5V4.5H-4.5Z",
	"M0,-5.5L5.5,4.5H-5.5Z",
	"M0,-6L6,0L0,6L-6,0Z",
	"M0,5.5L5.5,-4.5H-5.5Z",
	"M-2,-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
}

// svg draws the chart.
func (c chart) svg() []byte {
	var b bytes.Buffer
	y := margin + 12
	text := func(class, anchor string, x, y float64, s string) {
		fmt.Fprintf(&b, "<text class=%q text-anchor=%q x=\"%g\" y=\"%g\">%s</text>\n", class, anchor, round(x), round(y), html.EscapeString(s))
	}
	text("title", "start", margin, y, c.title)
	note := c.note + " Less is better."
	if least, most := c.extent(); logarithmic(least, most) {
		note += " The axis is logarithmic."
	}
	for _, line := range append(wrap(note), wrap(c.origin)...) {
		y += lineStep
		text("note", "start", margin, y, line)
	}
	at, ticks := c.axis()
	top, bottom := y+10, y+16
	for _, g := range c.groups {
		bottom += 24 + lineStep*float64(len(g.dots))
	}
	for _, tick := range ticks {
		fmt.Fprintf(&b, "<path class=\"grid\" d=\"M%g,%gV%g\"/>\n", round(at(tick)), top, bottom)
		text("tick", "middle", at(tick), bottom+lineStep, c.unit.tick(tick))
	}
	y = top
	for _, g := range c.groups {
		y += 18
		text("group", "start", margin, y, g.name)
		for _, d := range g.dots {
			y += lineStep
			x := round(at(d.value))
			text("name", "end", axisLeft-12, y+4, d.name)
			fmt.Fprintf(&b, "<path class=\"stem\" d=\"M%g,%gH%g\"/>\n", axisLeft, y, x)
			fmt.Fprintf(&b, "<path class=\"kind%d\" transform=\"translate(%g,%g)\" d=%q/>\n", d.kind, x, y, shapes[d.kind])
			text("value", "start", x+11, y+4, c.unit.Format(d.value))
		}
		y += 6
	}
	height := bottom + lineStep + margin
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" role="img">
<title>%s</title>
%s<rect class="page" width="%g" height="%g"/>
%s</svg>
`, width, height, width, height, html.EscapeString(c.title), style, width, height, &b)
}

// extent returns the least value above 0 and the greatest.
func (c chart) extent() (least, most float64) {
	least = math.Inf(1)
	for _, g := range c.groups {
		for _, d := range g.dots {
			most = max(most, d.value)
			if d.value > 0 {
				least = min(least, d.value)
			}
		}
	}
	return least, most
}

// logarithmic reports whether values spread over a decade.
func logarithmic(least, most float64) bool { return most >= 10*least }

// axis returns where a value is, and the values that are marked. A linear axis begins at 0, a
// logarithmic one at a decade. Both end at the greatest value.
func (c chart) axis() (at func(float64) float64, ticks []float64) {
	least, most := c.extent()
	if most == 0 {
		most = 1 // nothing is to be seen, but the axis needs an end
	}
	if !logarithmic(least, most) {
		step := math.Pow(10, math.Floor(math.Log10(most)))
		if most < 3*step {
			step /= 2
		}
		for v := 0.0; v <= most; v += step {
			ticks = append(ticks, v)
		}
		return func(v float64) float64 { return axisLeft + (axisRight-axisLeft)*v/most }, ticks
	}
	first, last := math.Floor(math.Log10(least)), math.Log10(most)
	every := math.Ceil((last - first) / 5) // labels need room
	for e := first; e <= last; e += every {
		ticks = append(ticks, math.Pow(10, e))
	}
	return func(v float64) float64 {
		return axisLeft + (axisRight-axisLeft)*max(0, (math.Log10(v)-first)/(last-first))
	}, ticks
}

// tick returns the label of a value on an axis: in the largest unit of which it is one or more.
func (u Unit) tick(v float64) string {
	for _, s := range scales[u] {
		if v >= 0.999*sizes[s.name] {
			return digits(math.Round(v/sizes[s.name])) + s.name
		}
	}
	return u.Format(v)
}

// wrap breaks a note into lines that are not wider than the chart.
func wrap(note string) (lines []string) {
	line := ""
	for _, word := range strings.Fields(note) {
		if line != "" && textWidth(11, line+" "+word) > width-2*margin {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// textWidth estimates, from above, how wide a text is in a font of a size.
func textWidth(size float64, s string) float64 { return 0.58 * size * float64(len([]rune(s))) }

func round(x float64) float64 { return math.Round(10*x) / 10 }
