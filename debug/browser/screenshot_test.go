package browser

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// screenshots is where the screenshots go. `make screenshots` renews those of docs/debug.
var screenshots = flag.String("screenshots", "", "directory for the screenshots; otherwise that of -artifacts")

// shoot writes a screenshot of what the browser shows, without scrolling.
func shoot(t *testing.T, tab context.Context, name string) {
	t.Helper()
	taken, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	small := shrink(t, taken)
	require.Less(t, len(small), 95_000, "the repository has small pictures only")
	dir := cmp.Or(*screenshots, t.ArtifactDir())
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".png"), small, 0o644))
}

// shrink makes a picture of the 256 commonest colours that differ: of letters and boxes nothing is lost
// that one could see.
func shrink(t *testing.T, taken []byte) []byte {
	t.Helper()
	from, err := png.Decode(bytes.NewReader(taken))
	require.NoError(t, err)
	bounds, counts := from.Bounds(), map[color.RGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[colorAt(from, x, y)]++
		}
	}
	common := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int { return cmp.Compare(counts[b], counts[a]) })
	var palette color.Palette
	for _, c := range common {
		if len(palette) < 256 && !isNear(palette, c) {
			palette = append(palette, c)
		}
	}
	to, nearest := image.NewPaletted(bounds, palette), map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := colorAt(from, x, y)
			if _, known := nearest[c]; !known {
				nearest[c] = uint8(palette.Index(c))
			}
			to.SetColorIndex(x, y, nearest[c])
		}
	}
	var b bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, to))
	return b.Bytes()
}

// colorAt returns a colour without its last bits, which make no visible difference.
func colorAt(from image.Image, x, y int) color.RGBA {
	c := color.RGBAModel.Convert(from.At(x, y)).(color.RGBA)
	return color.RGBA{c.R&^3 | c.R>>6, c.G&^3 | c.G>>6, c.B&^3 | c.B>>6, 255}
}

func isNear(palette color.Palette, c color.RGBA) bool {
	if len(palette) == 0 {
		return false
	}
	near := palette.Convert(c).(color.RGBA)
	square := func(a, b uint8) int { return (int(a) - int(b)) * (int(a) - int(b)) }
	return square(near.R, c.R)+square(near.G, c.G)+square(near.B, c.B) < 60
}
