package scene

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel/bench/internal/figure"
	"github.com/seed76848005/timerwheel/bench/internal/rival"
	"github.com/stretchr/testify/require"
)

// This file runs scenes, or their works with fewer timers, and shows that they measure what
// they name.

// measured runs a work of a rival and returns its figures. It fails if one of them is not
// above zero.
func measured(t *testing.T, kind rival.Kind, work func(*Measurement, rival.Rival)) map[string]float64 {
	t.Helper()
	r, err := kind.New(0)
	require.NoError(t, err)
	defer r.Close()
	m := &Measurement{Short: true}
	work(m, r)
	require.NoError(t, m.Err())
	figures := map[string]float64{}
	for _, f := range m.Figures {
		require.Positive(t, f.Value, "%s", f.Work)
		figures[f.Work] = f.Value
	}
	return figures
}

// oursAndTime are the rivals that targets compare.
func oursAndTime() []rival.Kind { return rival.Kinds()[:2] }

func run(t *testing.T, name string) func(*Measurement, rival.Rival) {
	t.Helper()
	s, err := Find(name)
	require.NoError(t, err)
	return s.Run
}

func TestStartStopWithNothingPending(t *testing.T) {
	for _, kind := range oursAndTime() {
		figures := measured(t, kind, run(t, "start+stop, none pending"))
		require.Len(t, figures, 2, "%v", figures)
		require.Contains(t, figures, figure.StartStopNone)
		require.Contains(t, figures, figure.StartStopNoneParallel)
	}
}

// A move is measured, and above the clock. That figure is a difference, so it may be anything
// on a busy machine.
func TestMovesAboveTheClock(t *testing.T) {
	for _, kind := range oursAndTime() {
		r, err := kind.New(0)
		require.NoError(t, err)
		m := &Measurement{Short: true}
		run(t, "re-arm, one timer")(m, r)
		r.Close()
		require.NoError(t, m.Err())
		var works []string
		for _, f := range m.Figures {
			works = append(works, f.Work)
		}
		require.Subset(t, works, []string{figure.LaterHot, figure.LaterAboveClock, "one reading of the clock"})
	}
}

// What takes a known time above the clock is measured so.
func TestAboveClock(t *testing.T) {
	m := &Measurement{Short: true}
	m.aboveClock("a work", func(n int) {
		for began := time.Now(); time.Since(began) < time.Duration(n)*time.Microsecond; {
		}
	})
	require.Len(t, m.Figures, 2)
	clock, above := m.Figures[0].Value, m.Figures[1].Value
	require.Positive(t, clock)
	require.Greater(t, clock+above, 1000.0)
}

// All timers fire, in the order of their deadlines or not, and their processor time counts.
func TestStormFiresAll(t *testing.T) {
	for _, kind := range oursAndTime() {
		var due []time.Duration
		figures := measured(t, kind, func(m *Measurement, r rival.Rival) {
			m.storm(figure.FiringInOrder, r, 1000, func(k int) time.Duration {
				due = append(due, time.Duration(k)*100*time.Microsecond)
				return due[k]
			})
		})
		require.Contains(t, figures, figure.FiringInOrder)
		require.Len(t, due, 1000)
	}
}

// Each firing is a wake-up of its own, in a bubble and outside.
func TestFiringsAlone(t *testing.T) {
	for _, kind := range oursAndTime() {
		work := func(m *Measurement, r rival.Rival) { m.lone("a firing alone", r, 50) }
		require.Contains(t, measured(t, kind, work), "a firing alone")
		synctest.Test(t, func(t *testing.T) {
			r, err := kind.New(0)
			require.NoError(t, err)
			defer synctest.Wait()
			defer r.Close()
			m, began := &Measurement{Short: true}, time.Now()
			m.lone("a firing alone", r, 500)
			require.NoError(t, m.Err())
			require.Positive(t, m.Figures[0].Value)
			require.GreaterOrEqual(t, time.Since(began), 500*3*time.Millisecond)
		})
	}
}

// A rival whose timers do not wait is an error, and not a small figure.
func TestFiringsThatAreNotAloneAreAnError(t *testing.T) {
	m := &Measurement{Short: true}
	m.lone("a firing alone", &hasty{}, 50)
	require.ErrorContains(t, m.Err(), "apart took")
}

// hasty is a Rival that calls its function as soon as it is armed.
type hasty struct {
	rival.Rival
	f func()
}

func (h *hasty) Make(_ int, f func()) { h.f = f }

func (h *hasty) Rearm(_ []uint32, d, _ time.Duration) time.Duration {
	h.f()
	return d
}

// An empty wheel takes more than its handle. Package time has none.
func TestEmptyWheels(t *testing.T) {
	work := func(m *Measurement, r rival.Rival) { m.empty("held", "made", r, 10) }
	figures := measured(t, rival.Kinds()[0], work)
	require.Greater(t, figures["held"], 100.0)
	require.Contains(t, figures, "made")
	require.Empty(t, measured(t, rival.Kinds()[1], work))
	for _, procs := range []int{2, 64} {
		_, err := Find(figure.At("an empty wheel", procs))
		require.NoError(t, err)
	}
}

// A batch that others disturb is not in the figure: here every batch but one is.
func TestLeastOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, calls := &Measurement{Short: true}, 0
		m.least("a work", func(n int) {
			calls++
			time.Sleep(time.Duration(n) * time.Microsecond)
			if calls != 50 {
				time.Sleep(10 * time.Millisecond)
			}
		})
		require.Equal(t, []Figure{{"a work", figure.Nanoseconds, 1000}}, m.Figures)
		require.GreaterOrEqual(t, calls, 100)
	})
}

// The host's calls are counted, and what a hundred frames cost is not lost.
func TestAdvance(t *testing.T) {
	figures := measured(t, rival.Kinds()[0], run(t, "Advance"))
	require.Contains(t, figures, figure.Advance)
	require.Contains(t, figures, figure.AdvanceDeep)
	require.Empty(t, measured(t, rival.Kinds()[1], run(t, "Advance")))
}

func TestBelowIsThatDeep(t *testing.T) {
	depth := func() int {
		return runtime.Callers(0, make([]uintptr, 1000))
	}
	flat, deep := 0, 0
	below(0, func() { flat = depth() })
	below(100, func() { deep = depth() })
	require.Equal(t, 100, deep-flat)
}

// The control of a storm lasts as long as the storm, and times starts and stops.
func TestBesideBusyLoop(t *testing.T) {
	for _, kind := range oursAndTime() {
		began := time.Now()
		figures := measured(t, kind, func(m *Measurement, r rival.Rival) { m.besideBusyLoop(r, 50*time.Millisecond) })
		require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
		require.Contains(t, figures, figure.BusySlowest)
	}
}

// Rivals whose timers cannot be used again have no figure of what moves them or uses them again.
func TestRivalsWithoutReuse(t *testing.T) {
	for _, kind := range rival.Kinds()[4:] {
		for _, s := range slices.Concat(rearms(), shareds(), slacks()) {
			require.Empty(t, measured(t, kind, s.Run), "%s, %s", kind.Name, s.Name)
		}
		require.Empty(t, measured(t, kind, (*Measurement).armStop), kind.Name)
		work := func(m *Measurement, r rival.Rival) { m.lone("a firing alone", r, 50) }
		require.Contains(t, measured(t, kind, work), "a firing alone")
	}
}

// What ends within 50 ms is not counted, and what stays for longer is.
func TestAwaitNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		endAfter := func(d time.Duration) func() int {
			return func() int {
				if time.Since(began) < d {
					return 3
				}
				return 0
			}
		}
		require.Zero(t, awaitNone(endAfter(0)))
		require.Zero(t, time.Since(began), "it waited, though there was none")
		require.Zero(t, awaitNone(endAfter(45*time.Millisecond)))
		require.Equal(t, 3, awaitNone(endAfter(100*time.Millisecond)))
	})
}

// What was watched is what is reported: switches of threads in ten seconds, and bursts.
func TestIdleReportsWhatTheParentSaw(t *testing.T) {
	for name, want := range map[string]Figure{
		"idle":               {figure.IdleWakeUps, figure.Count, 15},
		"idle after a drain": {figure.DrainedWakeUps, figure.Count, 2},
	} {
		r, err := rival.Kinds()[0].New(0)
		require.NoError(t, err)
		m := &Measurement{Short: true, Idle: func(span time.Duration) (Usage, error) {
			require.Equal(t, 2*time.Second, span)
			return Usage{WakeUps: 3, Bursts: 2, CPU: 4}, nil
		}}
		run(t, name)(m, r)
		require.NoError(t, m.Err())
		require.Contains(t, m.Figures, want)
		m.Idle = func(time.Duration) (Usage, error) { return Usage{}, fmt.Errorf("not seen") }
		run(t, name)(m, r)
		require.Error(t, m.Err())
		r.Close()
	}
}

// The longest critical section comes from cmd/pauses. A work that does not exist has none.
func TestLongestSection(t *testing.T) {
	m := &Measurement{Short: true}
	m.longestSection(1000, "^Close$")
	require.NoError(t, m.Err())
	require.Len(t, m.Figures, 1)
	require.Positive(t, m.Figures[0].Value)
	m.longestSection(1000, "no such work")
	require.Error(t, m.Err())
}
