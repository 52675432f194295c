package main

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/seed76848005/timerwheel/bench/internal/scene"
	"github.com/stretchr/testify/require"
)

// TestMain lets this program be the process that runs a scene, as compare is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == actArgument {
		act()
		return
	}
	os.Exit(m.Run())
}

func quick(only string) options {
	return options{rounds: 2, procs: 2, short: true, only: regexp.MustCompile("^(" + only + ")$"), check: 1.3}
}

// A round has a figure of each rival that takes part, from a process of its own.
func TestMeasure(t *testing.T) {
	var r figure.Results
	o := quick("drained|stops")
	require.NoError(t, measure(o, &r))
	require.Len(t, r.Of(figure.Drained, rival.Ours), 2)
	require.Len(t, r.Of(figure.Drained, rival.Time), 2)
	require.Empty(t, r.Of(figure.Drained, "go-zero"), "in short only those with targets")
	require.Len(t, r.Of(figure.DelIdle, rival.Time), 2)
	require.Empty(t, r.Of(figure.DelSyncIdle, rival.Time), "it cannot do that")
	require.Zero(t, r.Of(figure.Drained, rival.Ours).Median())
}

// An idle process is looked at by this one.
func TestIdleIsSeen(t *testing.T) {
	s, err := scene.Find("idle")
	require.NoError(t, err)
	wakeUps := map[string]float64{}
	for _, kind := range []string{rival.Ours, "go-zero"} {
		stage, err := enact(part{Scene: s.Name, Rival: kind, Short: true}, 2)
		require.NoError(t, err)
		for _, f := range stage.Figures {
			if f.Work == figure.IdleWakeUps {
				wakeUps[kind] = f.Value
			}
		}
	}
	require.Less(t, wakeUps[rival.Ours], 100.0)
	require.Greater(t, wakeUps["go-zero"], 1000.0, "it ticks, and nobody has seen it")
}

func TestWhatFailsIsAnError(t *testing.T) {
	_, err := enact(part{Scene: "no such scene", Rival: rival.Ours}, 1)
	require.Error(t, err)
	_, err = enact(part{Scene: "drained", Rival: "no such rival"}, 1)
	require.Error(t, err)
}

// A figure that is bad by chance is measured again; one that is bad is bad.
func TestCheckMeasuresAgain(t *testing.T) {
	var r figure.Results
	r.Add(figure.DelIdle, figure.Nanoseconds, rival.Ours, 1)
	r.Add(figure.DelSyncIdle, figure.Nanoseconds, rival.Ours, 100)
	ok, err := check(quick("stops"), &r)
	require.NoError(t, err)
	require.True(t, ok, "one bad figure among those that were measured anew")
	require.Greater(t, len(r.Of(figure.DelSyncIdle, rival.Ours)), 2)

	r = figure.Results{}
	for range 100 {
		r.Add(figure.DelIdle, figure.Nanoseconds, rival.Ours, 1)
		r.Add(figure.DelSyncIdle, figure.Nanoseconds, rival.Ours, 100)
	}
	ok, err = check(quick("stops"), &r)
	require.NoError(t, err)
	require.False(t, ok)
}

// A target that nobody has measured has not been met.
func TestCheckMissesNoTarget(t *testing.T) {
	o := quick("")
	o.only = regexp.MustCompile("")
	var r figure.Results
	r.Add(figure.Early, figure.Count, rival.Ours, 0)
	_, err := check(o, &r)
	require.ErrorContains(t, err, "not measured")
}

func TestSoFar(t *testing.T) {
	before, err := soFar(os.Getpid())
	require.NoError(t, err)
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
	}
	time.Sleep(time.Millisecond)
	after, err := soFar(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, after.CPU-before.CPU, 10e6)
	require.Greater(t, after.WakeUps, before.WakeUps)
	_, err = soFar(0)
	require.Error(t, err)
}
