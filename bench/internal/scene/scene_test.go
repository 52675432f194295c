package scene

import (
	"slices"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/stretchr/testify/require"
)

// Exactly one scene measures each target, and a short run includes it.
func TestOneSceneMeasuresEachTarget(t *testing.T) {
	for _, target := range figure.Targets() {
		n := 0
		for _, s := range All() {
			if s.Measures(target.Work) {
				n++
				require.True(t, s.RunsIn(0, true), "%s", s.Name)
			}
		}
		require.Equal(t, 1, n, "%s", target.Work)
	}
}

func TestSceneNamesAreUnique(t *testing.T) {
	for _, s := range All() {
		found, err := Find(s.Name)
		require.NoError(t, err)
		require.Equal(t, s.Works, found.Works)
	}
	_, err := Find("no such scene")
	require.Error(t, err)
}

// A rival runs all scenes but those that skip it, and it can have their ticks.
func TestScenesSkipRivals(t *testing.T) {
	kinds := rival.Kinds()
	for _, s := range All() {
		for _, name := range s.Skip {
			k := slices.IndexFunc(kinds, func(k rival.Kind) bool { return k.Name == name })
			require.Greater(t, k, 1, "%s skips %q; targets compare the first two", s.Name, name)
		}
		for _, kind := range kinds {
			if !slices.Contains(s.Skip, kind.Name) {
				r, err := kind.New(s.Tick)
				require.NoError(t, err, s.Name)
				r.Close()
			}
		}
	}
}

func TestRoundsOfScenes(t *testing.T) {
	for _, c := range []struct {
		cost                        Cost
		first, second, third, short bool
	}{
		{Cheap, true, true, true, true},
		{Expensive, true, false, true, true},
		{Once, true, false, false, true},
		{Long, true, false, false, false},
	} {
		s := Scene{Cost: c.cost, Works: []string{"with a target"}}
		require.Equal(t, c.first, s.RunsIn(0, false))
		require.Equal(t, c.second, s.RunsIn(1, false))
		require.Equal(t, c.third, s.RunsIn(2, false))
		require.Equal(t, c.short, s.RunsIn(0, true))
		require.False(t, Scene{Cost: c.cost}.RunsIn(0, true), "a scene without a target")
	}
}

// A scene measures the works that it lists. This test runs the quickest scene; each run
// of compare with -check checks the others.
func TestStopsMeasuresItsWorks(t *testing.T) {
	s, err := Find("stops")
	require.NoError(t, err)
	r, err := rival.Kinds()[0].New(0)
	require.NoError(t, err)
	defer r.Close()
	m := &Measurement{Short: true}
	s.Run(m, r)
	require.NoError(t, m.Err())
	var works []string
	for _, f := range m.Figures {
		works = append(works, f.Work)
		require.Positive(t, f.Value)
	}
	require.Subset(t, works, s.Works)
	require.Subset(t, works, []string{figure.DelIdle, figure.DelPending})
}

// slackOfThousand measures slack with a thousand timers. On a busy machine they may be due before all
// are armed, or before the process runs again after that, so that no wake-up is left. That happens less
// often with a million, of which compare measures a failure once more. Here there are ten tries.
func slackOfThousand(t *testing.T, kind rival.Kind) (m *Measurement) {
	t.Helper()
	without := func(f Figure) bool { return f.Value <= 0 }
	for range 10 {
		r, err := kind.New(0)
		require.NoError(t, err)
		m = &Measurement{Short: true}
		m.slack(r, 1000, 100*time.Millisecond)
		r.Close()
		if m.Err() == nil && !slices.ContainsFunc(m.Figures, without) {
			return m
		}
	}
	require.Fail(t, "slack was not measured", "%v: %+v", m.Err(), m.Figures)
	return nil
}

// A rival with slack fires the timers twice, and one without fires them once.
func TestSlackIsMeasuredBesideNoSlack(t *testing.T) {
	for _, kind := range oursAndTime() {
		var works []string
		for _, f := range slackOfThousand(t, kind).Figures {
			works = append(works, f.Work)
		}
		want := []string{figure.NoSlackWakeUps, figure.NoSlackCPU}
		if kind.Name == rival.Ours {
			want = append(want, figure.SlackWakeUps, figure.SlackCPU)
		}
		require.Equal(t, want, works)
	}
}
