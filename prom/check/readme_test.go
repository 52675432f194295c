package check

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/require"
)

// The queries of the READMEs can be parsed. Those of package otel name its own metrics.
func TestREADMEQueries(t *testing.T) {
	for file, n := range map[string]int{"../README.md": 2, "../../otel/README.md": 1} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		queries := blocks(string(text), "promql")
		require.Len(t, queries, n, file)
		scrape, err := os.ReadFile(strings.TrimSuffix(file, "README.md") + "testdata/scrape.txt")
		require.NoError(t, err)
		for _, q := range queries {
			for _, s := range selectors(t, q) {
				require.Contains(t, string(scrape), "\n"+s.Name+"{", file)
			}
		}
	}
}

// The buckets of package otel are counters, and give quantiles all the same.
func TestQuantilesOfPackageOtel(t *testing.T) {
	readme, err := os.ReadFile("../../otel/README.md")
	require.NoError(t, err)
	s := promqltest.LoadedStorage(t, `load 15s
		timerwheel_timer_lateness_bucket_total{timerwheel_name="a", le="0.1"}  0+90x40
		timerwheel_timer_lateness_bucket_total{timerwheel_name="a", le="0.2"}  0+100x40
		timerwheel_timer_lateness_bucket_total{timerwheel_name="a", le="+Inf"} 0+100x40`)
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	query, err := engine.NewInstantQuery(t.Context(), s, nil, blocks(string(readme), "promql")[0], time.UnixMilli((10 * time.Minute).Milliseconds()))
	require.NoError(t, err)
	defer query.Close()
	vector, err := query.Exec(t.Context()).Vector()
	require.NoError(t, err)
	require.Len(t, vector, 1)
	require.InDelta(t, 0.19, vector[0].F, 1e-9)
}
