package timerwheel_test

import (
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
	"github.com/seed76848005/timerwheel/stdtime"
	"github.com/seed76848005/timerwheel/timerctx"
	"github.com/stretchr/testify/require"
)

// site is a Site whose file and handler are shortened.
type site struct {
	at, handler   string
	live, pending int
}

func sitesOf(w *timerwheel.Wheel) (sites []site) {
	for _, s := range w.Sites() {
		handler, _, _ := strings.Cut(s.Handler, " ")
		sites = append(sites, site{filepath.Base(s.AllocatedAt), filepath.Base(handler), s.Live, s.Pending})
	}
	return sites
}

// Promise 2.73: each place with each handler, the one with the most timers first; what lives counts, and
// what is pending of it. Places count as lines, from wherever they were called.
func TestSitesAreWhereTheTimersThatLiveWereAllocated(t *testing.T) {
	for _, manual := range []bool{false, true} {
		w := openWheel(t, timerwheel.Options{Debug: true, Manual: manual})
		require.Empty(t, w.Sites())
		var timers []timerwheel.Timer
		var often, seldom string
		make300 := func() {
			for range 300 { // more than a chunk
				tm, at := w.Alloc(ignoreTimer), siteHere()
				timers, often = append(timers, tm), at
			}
		}
		make300()
		func() { make300() }()
		for k, f := range []func(timerwheel.Timer){namedHandler, ignoreTimer, ignoreTimer} {
			timers, seldom = append(timers, w.NewGroup().AllocLocked(new(sync.Mutex), f)), siteHere()
			if k > 0 {
				require.NoError(t, timers[len(timers)-1].Register(time.Hour))
			}
		}
		clock := stdtime.On(w)
		defer clock.NewTimer(time.Hour).Stop()
		require.NoError(t, timers[0].Free())
		got := sitesOf(w)
		require.Len(t, got, 3)
		require.Equal(t, site{often, "timerwheel_test.ignoreTimer", 599, 0}, got[0])
		require.Equal(t, site{seldom, "timerwheel_test.ignoreTimer", 2, 2}, got[1])
		require.Equal(t, site{seldom, "timerwheel_test.namedHandler", 1, 0}, got[2])
		for _, tm := range timers[1:] {
			tm.Del()
			require.NoError(t, tm.Free())
		}
		require.Empty(t, w.Sites())
	}
}

// Promise 2.73: what stdtime, timerctx and keyed make for a function of the user's was made by the user,
// and registered by him.
func TestSitesOfThePackagesBeside(t *testing.T) {
	for _, manual := range []bool{false, true} {
		w := openWheel(t, timerwheel.Options{Debug: true, Manual: manual})
		clock, table := stdtime.On(w), keyed.New(w, func(string) {})
		var made []string
		at := func(line string) { made = append(made, line) }
		_ = clock.AfterFunc(time.Hour, func() {})
		at(siteAbove())
		reset := clock.AfterFunc(time.Hour, func() {})
		reset.Reset(time.Hour) // makes another
		at(siteAbove())
		timerctx.AfterFunc(t.Context(), w, time.Hour, func() {})
		at(siteAbove())
		table.Set("a", time.Hour)
		at(siteAbove())
		var got []string
		for _, s := range sitesOf(w) {
			got = append(got, s.at)
			require.Equal(t, 1, s.pending)
		}
		require.ElementsMatch(t, made, got)
	}
}

// Promise 2.73: without Debug nothing is known.
func TestSitesAreNoneWithoutDebug(t *testing.T) {
	w := openWheel(t, timerwheel.Options{DebugEvery: 2})
	defer armed(w.Alloc(ignoreTimer), time.Hour).Free()
	require.Nil(t, w.Sites())
}

// Promise 2.73: a walk is under way while timers come and go.
func TestSitesRaceWithTheirTimers(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, DebugEvery: 3})
	stay := make([]timerwheel.Timer, 3*500)
	for k := range stay {
		stay[k] = w.Alloc(namedHandler)
	}
	done := make(chan struct{})
	var loops sync.WaitGroup
	for range 3 {
		loops.Go(func() {
			for ; !isClosed(done); runtime.Gosched() {
				tm := armed(w.Alloc(ignoreTimer), time.Hour)
				tm.Del()
				_ = tm.Free()
			}
		})
	}
	for range raceRounds(300) {
		for _, s := range sitesOf(w) {
			if s.handler == "timerwheel_test.namedHandler" {
				require.Equal(t, len(stay), s.live)
			}
		}
	}
	close(done)
	loops.Wait()
	for _, tm := range stay {
		require.NoError(t, tm.Free())
	}
}

// Promise 2.72: of each DebugEvery timers one is remembered, and Sites multiplies; a pattern of the
// program's as long as DebugEvery does not hide a place, nor make it seem larger than it is.
func TestDebugEveryRemembersOneOfSoMany(t *testing.T) {
	const every, rounds = 10, 400
	w := openWheel(t, timerwheel.Options{Debug: true, DebugEvery: every, Manual: true})
	var first, others string
	for range rounds {
		_, first = w.Alloc(ignoreTimer), siteHere()
		for range every - 1 {
			_, others = w.Alloc(ignoreTimer), siteHere()
		}
	}
	live := map[string]int{}
	for _, s := range sitesOf(w) {
		live[s.at] = s.live
		require.Zero(t, s.live%every)
	}
	require.Equal(t, every*rounds, live[first]+live[others], "one of each ten")
	require.InDelta(t, rounds, live[first], rounds/2)
}

// Promise 2.72: verbs on a timer that is not remembered do what they do on others, and its reports name
// the handler.
func TestWhatDebugEveryDoesNotRemember(t *testing.T) {
	for _, manual := range []bool{false, true} {
		var log misuseLog
		o := timerwheel.Options{Debug: true, DebugEvery: math.MaxInt32, Manual: manual, OnMisuse: log.onMisuse}
		bubble(t, map[bool]string{false: "", true: "Manual"}[manual], o, func(t *testing.T, w *timerwheel.Wheel) {
			_ = w.Alloc(ignoreTimer).Free() // the first is remembered
			lock := newDurableLock()
			g := w.NewGroup()
			var kept timerwheel.Timer
			for _, tm := range []timerwheel.Timer{
				w.Alloc(namedHandler), w.AllocLocked(lock, namedHandler), w.AllocArg(func(timerwheel.Timer, any) {}, 1),
				g.Alloc(namedHandler), g.AllocLocked(lock, namedHandler),
			} {
				require.NoError(t, tm.Register(time.Hour))
				require.NoError(t, tm.RegisterIdle(time.Hour))
				require.True(t, tm.Touch())
				require.True(t, tm.Stop())
				require.NoError(t, tm.Free())
				err := tm.Register(time.Hour)
				require.ErrorIs(t, err, timerwheel.ErrStale)
				require.ErrorContains(t, err, "recycled too long ago to say more, or not the one of 2147483647 that is remembered; used at ")
				kept = tm
			}
			require.False(t, kept.Valid())
			for _, tm := range []timerwheel.Timer{w.AfterFunc(time.Hour, func() {}), w.AfterFuncLocked(lock, time.Hour, func() {}), w.Every(time.Hour, ignoreTimer)} {
				err := tm.Free()
				require.ErrorIs(t, err, timerwheel.ErrFreed)
				require.NotContains(t, err.Error(), "allocated at")
				require.NotContains(t, err.Error(), "never owned", "of that nothing is known")
				require.Regexp(t, ` of [^ ]+timerwheel_test\.[^ ]+; used at `, err.Error())
				tm.Del()
			}
			synctest.Wait()
			require.Len(t, log.take(), 8)
			for range 3 {
				w.Alloc(namedHandler)
			}
			w.Alloc(ignoreTimer)
			require.NoError(t, w.Close())
			leaks := log.take()
			require.Len(t, leaks, 2, "one a handler")
			require.Regexp(t, `^timerwheel: timer was never freed: .* of .*\.namedHandler; and 2 more of that handler whose place is not remembered$`, leaks[0])
			require.Regexp(t, `^timerwheel: timer was never freed: .* of .*\.ignoreTimer$`, leaks[1])
		})
	}
}

// Promise 2.72: what is not remembered costs no allocation.
func TestWhatIsNotRememberedAllocatesNothing(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, DebugEvery: math.MaxInt32, Manual: true})
	cycle := func() {
		tm := armed(w.Alloc(ignoreTimer), time.Hour)
		tm.Del()
		_ = tm.Free()
	}
	cycle()
	require.Zero(t, testing.AllocsPerRun(1000, cycle))
}
