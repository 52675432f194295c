package figure

import (
	"fmt"
	"math"
	"strconv"
)

// scales lists, for each unit, the names it is written with, and from which figure
// on each of them is used.
var scales = map[Unit][]struct {
	from float64
	name string
}{
	Nanoseconds: {{1e9, " s"}, {1e6, " ms"}, {10e3, " µs"}, {0, " ns"}},
	Bytes:       {{1 << 30, " GiB"}, {1 << 20, " MiB"}, {10 << 10, " KiB"}, {0, " B"}},
	Count:       {{0, ""}},
}

// sizes holds how many of its unit one of each name is.
var sizes = map[string]float64{" s": 1e9, " ms": 1e6, " µs": 1e3, " ns": 1, " GiB": 1 << 30, " MiB": 1 << 20, " KiB": 1 << 10, " B": 1, "": 1}

// Format returns a figure to three digits, with its unit.
func (u Unit) Format(x float64) string {
	for _, s := range scales[u] {
		if math.Abs(x) >= s.from {
			return digits(x/sizes[s.name]) + s.name
		}
	}
	return digits(x)
}

func digits(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x), math.IsInf(x, 0):
		return "–"
	case a >= 100 || a == math.Trunc(a):
		return strconv.FormatFloat(math.Round(x), 'f', -1, 64)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
