package check

//lint:file-ignore SA1019 Every Grafana imports a Dashboard; the type that replaces it needs a new one.

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	grafana "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// readDashboard parses the dashboard with Grafana's types, which refuse fields that Grafana
// does not know.
func readDashboard(t *testing.T) dashboard.Dashboard {
	t.Helper()
	plugins.RegisterDefaultPlugins()
	text, err := os.ReadFile("../dashboards/timerwheel.json")
	require.NoError(t, err)
	// It returns an empty list that is not nil when there is no error, and then leaves out the panels.
	require.Empty(t, new(dashboard.Dashboard).UnmarshalJSONStrict(text))
	var d dashboard.Dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	require.NoError(t, d.Validate())
	return d
}

func panels(t *testing.T) []*dashboard.Panel {
	t.Helper()
	var all []*dashboard.Panel
	for _, p := range readDashboard(t).Panels {
		require.NotNil(t, p.Panel)
		all = append(all, p.Panel)
	}
	return all
}

// expressions returns what the panel asks Prometheus for.
func expressions(t *testing.T, p *dashboard.Panel) []string {
	t.Helper()
	var all []string
	for _, target := range p.Targets {
		query, ok := target.(*grafana.Dataquery)
		require.True(t, ok, "%s: %T", *p.Title, target)
		require.NotNil(t, query.LegendFormat)
		all = append(all, query.Expr)
	}
	require.NotEmpty(t, all, *p.Title)
	return all
}

// chosen is an expression as Grafana sends it, when job and wheel are chosen.
func chosen(expression string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$job", "app|web", "$wheel", ".*").Replace(expression)
}

// The dashboard shows every metric that the collector exports, for the jobs and wheels that
// are chosen, and nothing else.
func TestDashboardShowsWhatIsExported(t *testing.T) {
	shown := make(map[string]bool)
	for _, p := range panels(t) {
		for _, e := range expressions(t, p) {
			require.NotContains(t, chosen(e), "$")
			for _, s := range selectors(t, chosen(e)) {
				shown[s.Name] = true
				matchers := make([]string, 0, 2)
				for _, m := range s.LabelMatchers {
					if m.Name != model.MetricNameLabel {
						matchers = append(matchers, m.String())
					}
				}
				require.ElementsMatch(t, []string{`job=~"app|web"`, `wheel=~".*"`}, matchers, e)
			}
		}
	}
	require.Equal(t, exported(t), slices.Sorted(maps.Keys(shown)))
}

// Each query gives something, from a wheel on which everything happens.
func TestDashboardQueriesGiveResults(t *testing.T) {
	s := store(t, record(t, timerwheel.Options{MaxWorkers: 2}, 20*time.Minute, inTrouble))
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	for _, p := range panels(t) {
		for _, e := range expressions(t, p) {
			query, err := engine.NewInstantQuery(t.Context(), s, nil, chosen(e), time.UnixMilli((12 * time.Minute).Milliseconds()))
			require.NoError(t, err)
			result := query.Exec(t.Context())
			require.NoError(t, result.Err)
			vector, err := result.Vector()
			require.NoError(t, err)
			require.Len(t, vector, 1, "%s: %s", *p.Title, e)
			query.Close()
		}
	}
}

func TestDashboardVariables(t *testing.T) {
	var names []string
	for _, v := range readDashboard(t).Templating.List {
		names = append(names, v.Name)
		if v.Type != "query" {
			continue
		}
		inside, ok := strings.CutPrefix(*v.Definition, "label_values(")
		require.True(t, ok)
		selector, label, ok := strings.Cut(strings.TrimSuffix(inside, ")"), ", ")
		require.True(t, ok)
		require.Equal(t, v.Name, label)
		for _, s := range selectors(t, chosen(selector)) {
			require.Contains(t, exported(t), s.Name)
		}
	}
	require.Equal(t, []string{"datasource", "job", "wheel"}, names)
}

// Panels have a title, a description, a unit and the data source that is chosen, and do not
// overlap.
func TestDashboardPanels(t *testing.T) {
	taken, ids := make(map[[2]uint32]string), make(map[uint32]bool)
	for _, p := range panels(t) {
		require.NotEmpty(t, *p.Title)
		require.NotEmpty(t, *p.Description, *p.Title)
		require.NotEmpty(t, *p.FieldConfig.Defaults.Unit, *p.Title)
		source, err := json.Marshal(p.Datasource)
		require.NoError(t, err)
		require.JSONEq(t, `{"type": "prometheus", "uid": "${datasource}"}`, string(source))
		require.False(t, ids[*p.Id])
		ids[*p.Id] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, uint32(24), *p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]uint32{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, taken[cell], "%s overlaps", *p.Title)
				taken[cell] = *p.Title
			}
		}
	}
}
