package figure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/stretchr/testify/require"
)

func TestTables(t *testing.T) {
	r := resultsOf(StartStop, Samples{30, 33, 36}, Samples{100, 100, 100})
	r.Add(Close, Nanoseconds, rival.Ours, 80e6)
	r.Add(Close, Nanoseconds, "go-zero", 20e3)
	require.Equal(t, `| work | timerwheel | time | ours / time's | target |  |
|---|---|---|---|---|---|
| start+stop, 1M pending, serial | 33 ns | 100 ns | 0.33 | ≤ 0.42 of time's | pass |
| Close, 1M pending | 80 ms | – | – | ≤ 50 ms | **FAIL** |
`, r.Targets())
	require.Contains(t, resultsOf(StartStop, Samples{4221}, Samples{10_000}).Targets(), "| 0.4221 | ≤ 0.42 of time's | **FAIL** |")
	require.Contains(t, resultsOf(StartStop, Samples{4199}, Samples{10_000}).Targets(), "| 0.42 | ≤ 0.42 of time's | pass |")
	own := resultsOf(DelIdle, Samples{20}, nil)
	own.Add(DelSyncIdle, Nanoseconds, rival.Ours, 22)
	require.Contains(t, own.Targets(), "| 22 ns | – | – | ≤ 1.20 of Del's (20 ns) | pass |")
	require.Equal(t, `| work | timerwheel | time | go-zero | ours / time's |
|---|---|---|---|---|
| start+stop, 1M pending, serial | 33 ns ±5% | 100 ns | – | 0.33 |
| Close, 1M pending | 80 ms | – | 20 µs | – |
`, r.Table())
}

// The README shows each work of its table, and no target.
func TestFront(t *testing.T) {
	r := resultsOf(StartStop, Samples{30, 33, 36}, Samples{100, 100, 100})
	r.Add(Held, Bytes, rival.Ours, 49.9)
	r.Add(Close, Nanoseconds, rival.Ours, 80e6)
	require.Equal(t, `| work | timerwheel | time |
|---|---|---|
| start+stop, 1M pending, serial | 33 ns | 100 ns |
| memory a pending timer, 1M pending | 49.9 B | – |
`, r.Front())

	all, err := Read("../../results/figures.json")
	require.NoError(t, err)
	require.Equal(t, len(frontWorks), strings.Count(all.Front(), "\n")-2, "a work was not measured")
}

func TestRenew(t *testing.T) {
	r := resultsOf(Close, Samples{1e6}, nil)
	page, err := r.Renew("before\n" + pageBegins + "old\n" + pageEnds + "after\n")
	require.NoError(t, err)
	require.Equal(t, "before\n"+pageBegins+r.Section()+pageEnds+"after\n", page)
	again, err := r.Renew(page)
	require.NoError(t, err)
	require.Equal(t, page, again)
	_, err = r.Renew("a page without a section\n")
	require.ErrorContains(t, err, "no lines")
}

func TestJSON(t *testing.T) {
	r := resultsOf(StartStop, Samples{30, 33}, Samples{100, 101})
	r.Machine, r.Procs = "this one", 2
	r.AddCurve(Curve{"c", rival.Ours, []float64{0.5, 1}, []Samples{{1}, {2}}})
	r.AddCurve(Curve{"c", rival.Ours, []float64{0.5, 1}, []Samples{{3}, {4}}})
	require.Equal(t, []Samples{{1, 3}, {2, 4}}, r.Curves[0].Values)
	text, err := r.JSON()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "figures.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	got, err := Read(file)
	require.NoError(t, err)
	require.Equal(t, *r, got)
}

// The committed table, plots and section of the repository's README are those that the
// committed figures make.
func TestCommittedPagesMatchTheFigures(t *testing.T) {
	r, err := Read("../../results/figures.json")
	require.NoError(t, err)
	table, err := os.ReadFile("../../results/table.md")
	require.NoError(t, err)
	require.Equal(t, r.Page(), string(table), "go run -C bench ./cmd/compare -from results/figures.json -results results renews it")
	page, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	renewed, err := r.Renew(string(page))
	require.NoError(t, err)
	require.Equal(t, renewed, string(page), "go run -C bench ./cmd/compare -from results/figures.json -readme ../README.md renews it")
	requireMeasured(t, r)
	dir := t.TempDir()
	require.NoError(t, r.Plot(dir))
	made, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	require.NoError(t, err)
	require.NotEmpty(t, made)
	for _, file := range made {
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		have, err := os.ReadFile(filepath.Join("../../results", filepath.Base(file)))
		require.NoError(t, err)
		require.Equal(t, string(want), string(have), "%s is not made from these figures", filepath.Base(file))
	}
}

// younger holds the works with a target that were not yet in the last full run of compare.
// Such a run empties it.
var younger []string

// requireMeasured fails if a target was not measured that is older than the figures.
func requireMeasured(t *testing.T, r Results) {
	t.Helper()
	measured := map[string]bool{}
	for _, v := range r.Verdicts() {
		measured[v.Target.Work] = true
	}
	var missing []string
	for _, target := range Targets() {
		if !measured[target.Work] {
			missing = append(missing, target.Work)
		}
	}
	require.ElementsMatch(t, younger, missing, "the works with a target that were not measured")
}

// The README explains each target that is not met.
func TestUnmetTargetsAreExplained(t *testing.T) {
	r, err := Read("../../results/figures.json")
	require.NoError(t, err)
	page, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## What is not met, and why\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	for _, v := range r.Verdicts() {
		if !v.Pass() {
			require.Contains(t, section, "**"+v.Target.Work+"**")
		}
	}
}
