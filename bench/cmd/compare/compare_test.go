package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/seed76848005/timerwheel/bench/internal/scene"
	"github.com/stretchr/testify/require"
)

// TestMain lets this program run as a child, as compare does, and as a process that wakes five
// times a second and writes a byte each time.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "blink" {
		for {
			time.Sleep(200 * time.Millisecond)
			_, _ = os.Stdout.Write([]byte{'.'})
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

// A rival whose goroutines stay is seen.
func TestGoroutinesThatStay(t *testing.T) {
	m, err := runInChild(job{Scene: "drained", Rival: "go-zero", Short: true}, 2)
	require.NoError(t, err)
	require.Len(t, m.Figures, 1)
	require.Positive(t, m.Figures[0].Value)
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

// The parent counts a wake-up once, however many threads it wakes, and where they run in two glimpses
// as well. Here the clock is a bubble's, so no load of the machine makes a glimpse longer.
func TestBursts(t *testing.T) {
	const ms, period = time.Millisecond, 200 * time.Millisecond
	for name, c := range map[string]struct {
		threads []time.Duration // when each of them runs, in every period
		want    float64
	}{
		"no thread":                         {nil, 0},
		"one thread":                        {[]time.Duration{60 * ms}, 10},
		"three threads, in one glimpse":     {[]time.Duration{60 * ms, 61 * ms, 70 * ms}, 10},
		"three threads, in two glimpses":    {[]time.Duration{95 * ms, 99 * ms, 105 * ms}, 10},
		"two wake-ups":                      {[]time.Duration{20 * ms, 120 * ms}, 20},
		"in each glimpse, until the end":    {[]time.Duration{20 * ms, 70 * ms, 120 * ms, 170 * ms}, 20},
		"in three of four, as two wake-ups": {[]time.Duration{20 * ms, 70 * ms, 120 * ms}, 20},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			used, err := usageDuring(2*time.Second, func() (used scene.Usage, err error) {
				for _, at := range c.threads {
					used.WakeUps += float64((time.Since(began) + period - at) / period)
				}
				return used, nil
			})
			require.NoError(t, err)
			require.Equal(t, c.want, used.Bursts, name)
			require.Equal(t, float64(10*len(c.threads)), used.WakeUps, name)
		})
	}
}

// The wake-ups of another process are bursts. The test counts the glimpses in which the process wrote, so
// a stall of either one makes both numbers less. Where two such glimpses follow each other, because the
// parent stalled, they are one burst. What is at the first and at the last look may be outside.
func TestBurstsOfAProcess(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	blink := exec.Command(self, "blink")
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	defer output.Close()
	blink.Stdout = output
	require.NoError(t, blink.Start())
	defer func() { _ = blink.Process.Kill(); _ = blink.Wait() }()
	written := func() int64 {
		info, _ := output.Stat() // it is open
		return info.Size()
	}
	started := func() bool { return written() > 0 }
	require.Eventually(t, started, 30*time.Second, 10*time.Millisecond)
	seen, before := 0.0, written()
	used, err := usageDuring(2*time.Second, func() (scene.Usage, error) {
		if now := written(); now > before {
			seen, before = seen+1, now
		}
		return usage(blink.Process.Pid)
	})
	require.NoError(t, err)
	require.GreaterOrEqual(t, 2*used.Bursts, seen-2, "of %v glimpses", seen)
	require.GreaterOrEqual(t, used.WakeUps, used.Bursts)
}

// A process that does not exist has no usage.
func TestUsageOfNoProcess(t *testing.T) {
	_, err := usageDuring(time.Second, func() (scene.Usage, error) { return usage(0) })
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

// A figure that is bad by chance passes after it is measured again: all figures count. One that is
// really bad does not. DelSyncIdle may be 1.2 times DelIdle, and the check allows 1.3 times that.
func TestCheckMeasuresAgain(t *testing.T) {
	const good, bad = 1.5, 100
	for name, c := range map[string]struct {
		first  []float64 // DelSyncIdle, where DelIdle is 1
		again  float64
		ok     bool
		rounds []int // those that are measured again
	}{
		"good":                     {[]float64{good, good}, bad, true, nil},
		"bad once":                 {[]float64{bad}, good, true, []int{0, 1}},
		"bad in the first rounds":  {[]float64{bad, bad}, good, true, []int{0, 1, 0, 1}},
		"good after many bad ones": {[]float64{bad, bad, bad, bad, bad}, good, false, []int{0, 1, 0, 1}},
		"bad each time":            {[]float64{bad}, bad, false, []int{0, 1, 0, 1}},
		"a bit too much each time": {[]float64{1.6}, 1.6, false, []int{0, 1, 0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var r figure.Results
			add := func(r *figure.Results, sync float64) {
				r.Add(figure.DelIdle, figure.Nanoseconds, rival.Ours, 1)
				r.Add(figure.DelSyncIdle, figure.Nanoseconds, rival.Ours, sync)
			}
			for _, sync := range c.first {
				add(&r, sync)
			}
			var rounds []int
			ok, err := check(quick("stops"), &r, func(_ options, r *figure.Results, s scene.Scene, round int) error {
				require.Equal(t, "stops", s.Name)
				rounds = append(rounds, round)
				add(r, c.again)
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, c.ok, ok)
			require.Equal(t, c.rounds, rounds)
		})
	}
}

// A scene that cannot be measured again is an error, and not a figure that is bad.
func TestCheckThatCannotMeasureAgain(t *testing.T) {
	var r figure.Results
	r.Add(figure.Early, figure.Count, rival.Ours, 1)
	broken := errors.New("broken")
	_, err := check(quick("stops"), &r, func(options, *figure.Results, scene.Scene, int) error { return broken })
	require.ErrorIs(t, err, broken)
}

// A check fails if a target was not measured.
func TestCheckNeedsAllTargets(t *testing.T) {
	o := quick("")
	o.only = regexp.MustCompile("")
	var r figure.Results
	r.Add(figure.Early, figure.Count, rival.Ours, 0)
	_, err := check(o, &r, nil)
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
