package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/seed76848005/timerwheel/bench/internal/scene"
	"github.com/stretchr/testify/require"
)

// TestMain lets this program run as a child, as compare does, and as a process that wakes five
// times a second.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "blink" {
		for {
			time.Sleep(200 * time.Millisecond)
		}
	}
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		childMain()
		return
	}
	os.Exit(m.Run())
}

// quick returns the options of a short run of the scenes that a regexp matches.
func quick(only string) options {
	return options{rounds: 2, procs: 2, short: true, only: regexp.MustCompile("^(" + only + ")$"), check: 1.3}
}

// A round has a figure of each rival that runs in it, from a process of its own.
func TestMeasure(t *testing.T) {
	var r figure.Results
	o := quick("drained|stops")
	require.NoError(t, measure(o, &r))
	require.Len(t, r.Samples(figure.Drained, rival.Ours), 2)
	require.Len(t, r.Samples(figure.Drained, rival.Time), 2)
	require.Empty(t, r.Samples(figure.Drained, "go-zero"), "a short run measures only the rivals that targets compare")
	require.Len(t, r.Samples(figure.DelIdle, rival.Time), 2)
	require.Empty(t, r.Samples(figure.DelSyncIdle, rival.Time), "time has no StopSync")
	require.Zero(t, r.Samples(figure.Drained, rival.Ours).Median())
}

// The first round of a scene has all rivals that it does not skip. Later rounds of an expensive one,
// and short runs, have those that targets compare.
func TestRivalsOfScenes(t *testing.T) {
	names := func(o options, s scene.Scene, round int) (names []string) {
		for _, k := range rivals(o, s, round) {
			names = append(names, k.Name)
		}
		return names
	}
	targets := []string{rival.Ours, rival.Time}
	s := scene.Scene{Skip: []string{"go-zero", "antlabs"}}
	require.Equal(t, []string{rival.Ours, rival.Time, "hand-rolled", "RussellLuo"}, names(options{}, s, 2))
	require.Equal(t, targets, names(options{short: true}, s, 0))
	s = scene.Scene{Cost: scene.Expensive}
	require.Len(t, names(options{}, s, 0), len(rival.Kinds()))
	require.Equal(t, targets, names(options{}, s, 2))
}

// The parent measures what an idle child uses.
func TestIdleUsage(t *testing.T) {
	s, err := scene.Find("idle")
	require.NoError(t, err)
	wakeUps := map[string]float64{}
	for _, kind := range []string{rival.Ours, "go-zero"} {
		m, err := runInChild(job{Scene: s.Name, Rival: kind, Short: true}, 2)
		require.NoError(t, err)
		for _, f := range m.Figures {
			if f.Work == figure.IdleWakeUps {
				wakeUps[kind] = f.Value
			}
		}
	}
	require.Less(t, wakeUps[rival.Ours], 100.0)
	require.Greater(t, wakeUps["go-zero"], 1000.0, "go-zero ticks, and the parent does not see it")
}

// The parent counts a wake-up once, however many threads it wakes.
func TestBursts(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	blink := exec.Command(self, "blink")
	require.NoError(t, blink.Start())
	defer func() { _ = blink.Process.Kill(); _ = blink.Wait() }()
	time.Sleep(300 * time.Millisecond) // until it has started
	used, err := usageDuring(blink.Process.Pid, 2*time.Second)
	require.NoError(t, err)
	require.InDelta(t, 10, used.Bursts, 3)
	require.GreaterOrEqual(t, used.WakeUps, used.Bursts)
	_, err = usageDuring(0, time.Second)
	require.Error(t, err)
}

// A scene in a bubble is measured like others.
func TestSceneInBubble(t *testing.T) {
	work := figure.At(figure.LoneInBubble, 2)
	for _, kind := range []string{rival.Ours, rival.Time} {
		m, err := runInChild(job{Scene: work, Rival: kind, Short: true}, 2)
		require.NoError(t, err)
		require.Len(t, m.Figures, 1)
		require.Equal(t, work, m.Figures[0].Work)
		require.Positive(t, m.Figures[0].Value)
	}
}

// A wheel whose timers have all fired or been stopped is woken at most once.
func TestAfterDrain(t *testing.T) {
	m, err := runInChild(job{Scene: "idle after a drain", Rival: rival.Ours, Short: true}, 2)
	require.NoError(t, err)
	require.Len(t, m.Figures, 1)
	require.LessOrEqual(t, m.Figures[0].Value, 1.0)
}

func TestFailedChildIsAnError(t *testing.T) {
	_, err := runInChild(job{Scene: "no such scene", Rival: rival.Ours}, 1)
	require.Error(t, err)
	_, err = runInChild(job{Scene: "drained", Rival: "no such rival"}, 1)
	require.Error(t, err)
}

// A scene that fails has a second chance, and no third.
func TestAttempt(t *testing.T) {
	for failures, want := range []bool{true, true, false} {
		n := 0
		m, err := attempt(func() (*scene.Measurement, error) {
			if n++; n <= failures {
				return nil, errors.New("too late")
			}
			return &scene.Measurement{}, nil
		})
		require.Equal(t, want, err == nil)
		require.Equal(t, want, m != nil)
		require.Equal(t, min(failures+1, 2), n)
	}
}

// A figure that is bad by chance passes after it is measured again. One that is really bad
// does not.
func TestCheckMeasuresAgain(t *testing.T) {
	var r figure.Results
	r.Add(figure.DelIdle, figure.Nanoseconds, rival.Ours, 1)
	r.Add(figure.DelSyncIdle, figure.Nanoseconds, rival.Ours, 100)
	ok, err := check(quick("stops"), &r)
	require.NoError(t, err)
	require.True(t, ok, "the new figures outweigh the bad one")
	require.Greater(t, len(r.Samples(figure.DelSyncIdle, rival.Ours)), 2)

	r = figure.Results{}
	for range 100 {
		r.Add(figure.DelIdle, figure.Nanoseconds, rival.Ours, 1)
		r.Add(figure.DelSyncIdle, figure.Nanoseconds, rival.Ours, 100)
	}
	ok, err = check(quick("stops"), &r)
	require.NoError(t, err)
	require.False(t, ok)
}

// A check fails if a target was not measured.
func TestCheckNeedsAllTargets(t *testing.T) {
	o := quick("")
	o.only = regexp.MustCompile("")
	var r figure.Results
	r.Add(figure.Early, figure.Count, rival.Ours, 0)
	_, err := check(o, &r)
	require.ErrorContains(t, err, "not measured")
}

func TestUsage(t *testing.T) {
	before, err := usage(os.Getpid())
	require.NoError(t, err)
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
	}
	time.Sleep(time.Millisecond)
	after, err := usage(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, after.CPU-before.CPU, 10e6)
	require.Greater(t, after.WakeUps, before.WakeUps)
	_, err = usage(0)
	require.Error(t, err)
}
