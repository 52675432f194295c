package scene

import (
	"testing"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/stretchr/testify/require"
)

// Each target is measured by one scene, in short as well.
func TestEveryTargetHasItsScene(t *testing.T) {
	for _, target := range figure.Targets() {
		n := 0
		for _, s := range All() {
			if s.Measures(target.Work) {
				n++
				require.True(t, s.Due(0, true), "%s", s.Name)
			}
		}
		require.Equal(t, 1, n, "%s", target.Work)
	}
}

func TestScenesHaveNamesOfTheirOwn(t *testing.T) {
	for _, s := range All() {
		found, err := Find(s.Name)
		require.NoError(t, err)
		require.Equal(t, s.Works, found.Works)
	}
	_, err := Find("no such scene")
	require.Error(t, err)
}

func TestDue(t *testing.T) {
	for _, c := range []struct {
		cost                        Cost
		first, second, third, short bool
	}{
		{Cheap, true, true, true, true},
		{Dear, true, false, true, true},
		{Once, true, false, false, true},
		{Long, true, false, false, false},
	} {
		s := Scene{Cost: c.cost, Works: []string{"with a target"}}
		require.Equal(t, c.first, s.Due(0, false))
		require.Equal(t, c.second, s.Due(1, false))
		require.Equal(t, c.third, s.Due(2, false))
		require.Equal(t, c.short, s.Due(0, true))
		require.False(t, Scene{Cost: c.cost}.Due(0, true), "it has no target")
	}
}

// What a scene says that it measures, it measures. This is the one that is over at
// once; the others are checked by every run of compare that checks.
func TestStopsMeasuresWhatItSays(t *testing.T) {
	s, err := Find("stops")
	require.NoError(t, err)
	r, err := rival.Kinds()[0].New(0)
	require.NoError(t, err)
	defer r.Close()
	stage := &Stage{Short: true}
	s.Run(stage, r)
	require.NoError(t, stage.Err())
	var works []string
	for _, f := range stage.Figures {
		works = append(works, f.Work)
		require.Positive(t, f.Value)
	}
	require.Subset(t, works, s.Works)
	require.Subset(t, works, []string{figure.DelIdle, figure.DelPending})
}
