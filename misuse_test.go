package timerwheel_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// misuseLog gathers what OnMisuse is told.
type misuseLog struct {
	mu   sync.Mutex
	seen []error
}

func (l *misuseLog) onMisuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, err)
}

// take returns the reports so far, and forgets them.
func (l *misuseLog) take() (seen []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, l.seen = l.seen, nil
	return seen
}

// A misuse misuses a timer of w once. It returns the timer, the lines of its Alloc,
// Register and end, and of the use after that, and what this has returned, if that was an
// error. Nobody else may use w's time.
type misuse func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, allocated, registered, ended, used string, err error)

func ignoreTimer(timerwheel.Timer) {}

// freedEarly makes a timer and frees it.
func freedEarly(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, allocated, registered, freed string) {
	tm, allocated = w.Alloc(ignoreTimer), siteHere()
	err, registered := tm.Register(time.Hour), siteHere()
	require.NoError(t, err)
	require.True(t, tm.Stop())
	err, freed = tm.Free(), siteHere()
	require.NoError(t, err)
	return tm, allocated, registered, freed
}

// pass lets time pass on a wheel, Manual or in a bubble.
func pass(t *testing.T, w *timerwheel.Wheel, d time.Duration) {
	if _, err := w.Advance(w.Now().Add(d)); !errors.Is(err, timerwheel.ErrNotManual) {
		require.NoError(t, err)
		return
	}
	time.Sleep(d)
	synctest.Wait()
}

// misuses are all ways to misuse a timer. %a, %r, %e, %u stand for the lines.
var misuses = []struct {
	name string
	do   misuse
	is   error
	text string
}{
	{"Free after the last Free", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a, r, e = freedEarly(t, w)
		err, u = tm.Free(), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"Register after the last Free", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a, r, e = freedEarly(t, w)
		err, u = tm.Register(0), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"RegisterAt after the last Free", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a, r, e = freedEarly(t, w)
		err, u = tm.RegisterAt(w.Now()), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"Reduce after the last Free", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a, r, e = freedEarly(t, w)
		err, u = tm.Reduce(0), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"Reset after the last Free", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a, r, e = freedEarly(t, w)
		was, u := tm.Reset(0), siteHere()
		require.False(t, was)
		return tm, a, r, e, u, nil
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"Retain after the last Free", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a, r, e = freedEarly(t, w)
		err, u = tm.Retain(), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"a last Free of several", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a = w.Alloc(ignoreTimer), siteHere()
		require.NoError(t, tm.Retain())
		require.NoError(t, tm.Free())
		err, e = tm.Free(), siteHere()
		require.NoError(t, err)
		err, u = tm.Register(0), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, freed at %e; used at %u"},
	{"Register of what was freed and has fired", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a = w.Alloc(ignoreTimer), siteHere()
		err, r = tm.Register(time.Second), siteHere()
		require.NoError(t, err)
		err, e = tm.Free(), siteHere()
		require.NoError(t, err)
		pass(t, w, time.Minute)
		err, u = tm.Register(0), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"Free too many while it is pending", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a = w.Alloc(ignoreTimer), siteHere()
		err, r = tm.Register(time.Hour), siteHere()
		require.NoError(t, err)
		err, e = tm.Free(), siteHere()
		require.NoError(t, err)
		err, u = tm.Free(), siteHere()
		return
	}, timerwheel.ErrFreed, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"Free of a member too many", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		g := w.NewGroup()
		tm, a = g.AllocLocked(newDurableLock(), ignoreTimer), siteHere()
		err, r = tm.Register(time.Hour), siteHere()
		require.NoError(t, err)
		err, e = tm.Free(), siteHere()
		require.NoError(t, err)
		found, err := g.DelSync()
		require.NoError(t, err)
		require.True(t, found.Pending)
		err, u = tm.Free(), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e; used at %u"},
	{"Free of AfterFunc's", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a = w.AfterFunc(time.Hour, func() {}), siteHere()
		err, u = tm.Free(), siteHere()
		return tm, a, a, "", u, err
	}, timerwheel.ErrFreed, "allocated at %a, registered at %r, never owned; used at %u"},
	{"Reset of an AfterFunc that has fired", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a = w.AfterFunc(time.Second, func() {}), siteHere()
		was, r := tm.Reset(2*time.Second), siteHere()
		require.True(t, was)
		pass(t, w, time.Minute)
		was, u = tm.Reset(0), siteHere()
		require.False(t, was)
		return tm, a, r, "", u, nil
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled after it had fired; used at %u"},
	{"Register of an AfterFunc that was stopped", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a = w.AfterFuncArg(time.Second, func(any) {}, w), siteHere()
		was, e := tm.Stop(), siteHere()
		require.True(t, was)
		err, u = tm.Register(0), siteHere()
		return tm, a, a, e, u, err
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled when it was deleted at %e; used at %u"},
	{"Register of a series that its group has deleted", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		g := w.NewGroup()
		tm, a = g.Every(time.Hour, ignoreTimer), siteHere()
		e = siteAfter()
		_, err = g.ShutdownSync()
		require.NoError(t, err)
		err, u = tm.Register(0), siteHere()
		return tm, a, a, e, u, err
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled when it was deleted at %e; used at %u"},
	{"Register of an AfterFunc that was armed again, by itself, and has fired again", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		made, line := make(chan timerwheel.Timer, 1), make(chan string, 1)
		a = siteAfter()
		tm = w.AfterFunc(time.Second, func() {
			if w.Stats().Fired == 1 {
				tm := <-made
				assert.NoError(t, tm.Register(time.Hour))
				assert.True(t, tm.Stop()) // this is not its end
				err, r := tm.Register(time.Second), siteHere()
				assert.NoError(t, err)
				line <- r
			}
		})
		made <- tm
		pass(t, w, time.Minute)
		pass(t, w, time.Minute)
		r = <-line
		err, u = tm.Register(0), siteHere()
		return
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled after it had fired; used at %u"},
	{"Register of what Close has dropped", func(t *testing.T, w *timerwheel.Wheel) (tm timerwheel.Timer, a, r, e, u string, err error) {
		tm, a = w.AfterFunc(time.Hour, func() {}), siteHere()
		err, e = w.Close(), siteHere()
		require.NoError(t, err)
		err, u = tm.Register(0), siteHere()
		return tm, a, a, e, u, err
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled when it was deleted at %e; used at %u"},
}

// siteAfter is the place of the line after its call.
func siteAfter() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line+1)
}

// Contract 2 and 5: with Debug a misuse, a Free too many or a use after the timer's end, is
// an error that wraps its sentinel and says where the timer was allocated, where it was
// freed, or how else it ended, and where it was used; OnMisuse gets it; Stats counts it. By
// then the slot has a new tenant, which it says nothing of. Without Debug the call returns
// the sentinel.
func TestAMisuseIsReportedWithAllItsPlaces(t *testing.T) {
	for _, c := range misuses {
		for _, o := range []timerwheel.Options{{Debug: true}, {Debug: true, Manual: true}, {}, {Manual: true}} {
			t.Run(fmt.Sprintf("%s/Manual %v/Debug %v", c.name, o.Manual, o.Debug), func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					var log misuseLog
					if o.Debug {
						o.OnMisuse = log.onMisuse
					}
					w := openWheel(t, o)
					tm, allocated, registered, ended, used, err := c.do(t, w)
					synctest.Wait()
					require.EqualValues(t, 1, w.Stats().Misuses)
					if err != nil {
						require.ErrorIs(t, err, c.is)
					}
					seen := log.take()
					if !o.Debug {
						require.Contains(t, []error{nil, c.is}, err)
						require.Empty(t, seen)
						return
					}
					require.Len(t, seen, 1)
					if err != nil {
						require.Same(t, err, seen[0], "the call returns what OnMisuse gets")
					}
					require.ErrorIs(t, seen[0], c.is)
					want := c.is.Error() + ": " + regexp.QuoteMeta(tm.String()) + " of [^ ,]+, " + regexp.QuoteMeta(c.text)
					for place, line := range map[string]string{"%a": allocated, "%r": registered, "%e": ended, "%u": used} {
						want = strings.ReplaceAll(want, place, "[^/ ]+/"+regexp.QuoteMeta(line))
					}
					require.Regexp(t, "^"+want+"$", seen[0].Error())
				})
			})
		}
	}
}

// Contract 2: "Debug: remember where each timer was allocated and registered, for ...
// misuse errors", and the errors "match with errors.Is", however much they say.
func TestMisuseErrorsSayWhereTheTimerCameFrom(t *testing.T) {
	for name, c := range map[string]struct {
		misuse func(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer) error
		want   error
	}{
		"ErrFreed": {func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer) error {
			require.NoError(t, tm.Free())
			return tm.Free()
		}, timerwheel.ErrFreed},
		"ErrShutdown": {func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer) error {
			_, err := tm.ShutdownSync()
			require.NoError(t, err)
			return tm.Register(0)
		}, timerwheel.ErrShutdown},
		"ErrDeleting": {func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer) error {
			time.Sleep(2 * time.Hour)
			tm.DelAsync(func() {})
			return tm.RegisterAt(time.Now())
		}, timerwheel.ErrDeleting},
		"ErrClosed": {func(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer) error {
			require.NoError(t, w.Close())
			return tm.Reduce(0)
		}, timerwheel.ErrClosed},
		"ErrStale": {func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer) error {
			require.True(t, tm.Stop())
			require.NoError(t, tm.Free())
			return tm.Register(0)
		}, timerwheel.ErrStale},
	} {
		for _, debug := range []bool{true, false} {
			bubble(t, name+map[bool]string{true: "/Debug"}[debug], timerwheel.Options{Debug: debug}, func(t *testing.T, w *timerwheel.Wheel) {
				p := newPuppet(t)
				tm, allocated := w.Alloc(p.handle), siteHere()
				err, registered := tm.Register(time.Hour), siteHere()
				require.NoError(t, err)
				err = c.misuse(t, w, tm)
				require.ErrorIs(t, err, c.want)
				if debug {
					require.ErrorContains(t, err, allocated)
					require.ErrorContains(t, err, registered)
				} else {
					require.Equal(t, c.want, err)
				}
			})
		}
	}
}

// Contract 4 and 5: what is gone is gone: to delete it, or to ask for it, is no misuse; nor
// is the use of the zero Timer, which is no wheel's; nor a refusal of a timer that lives.
func TestWhatIsNoMisuse(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log misuseLog
		w := openWheel(t, timerwheel.Options{Debug: true, OnMisuse: log.onMisuse})
		gone, _, _, _ := freedEarly(t, w)
		fired := w.AfterFunc(0, func() {})
		shut := w.Alloc(ignoreTimer)
		_, err := shut.ShutdownSync()
		require.NoError(t, err)
		time.Sleep(time.Second)
		for _, tm := range []timerwheel.Timer{gone, fired, {}} {
			for _, verb := range delVerbs {
				_, err := verb.call(tm)
				require.NoError(t, err)
			}
			require.False(t, tm.Valid() || tm.Pending() || tm.Running())
			_, _ = tm.When()
			require.NotEmpty(t, tm.String())
		}
		require.ErrorIs(t, timerwheel.Timer{}.Register(0), timerwheel.ErrStale)
		require.ErrorIs(t, timerwheel.Timer{}.Free(), timerwheel.ErrStale)
		require.ErrorIs(t, timerwheel.Timer{}.Retain(), timerwheel.ErrStale)
		require.ErrorIs(t, shut.Register(0), timerwheel.ErrShutdown)
		require.NoError(t, shut.Free())
		require.NoError(t, w.Close())
		require.Empty(t, log.take())
		require.Zero(t, w.Stats().Misuses)
	})
}

// Contract 2: "an Alloc never freed when the wheel closes": OnMisuse has heard of it when
// Close returns, in the goroutine of that, once for each place, the worst first. Those
// without owners, and those that were freed, are none, though their handler frees them
// while Close waits.
func TestTimersThatWereNeverFreedAreReportedByClose(t *testing.T) {
	for _, manual := range []bool{false, true} {
		for _, e := range enders {
			t.Run(fmt.Sprintf("%s/Manual %v", e.name, manual), func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					var log misuseLog
					on := map[string]bool{}
					w := openWheel(t, timerwheel.Options{Manual: manual, Debug: true, OnMisuse: func(err error) {
						on[goroutineName()] = true
						log.onMisuse(err)
					}})
					var once, often string
					for range 600 { // more than a chunk
						_, often = w.NewGroup().Alloc(ignoreTimer), siteHere()
						require.NoError(t, w.Alloc(ignoreTimer).Free())
					}
					pending, once := w.AllocLocked(newDurableLock(), namedHandler), siteHere()
					err, registered := pending.Register(time.Hour), siteHere()
					require.NoError(t, err)
					kept, kept2 := w.AfterFunc(time.Hour, func() {}), siteHere()
					require.NoError(t, kept.Retain())
					w.AfterFunc(time.Hour, func() {}) // the wheel's
					if !manual {
						armed(w.Alloc(func(tm timerwheel.Timer) {
							time.Sleep(time.Minute)
							assert.NoError(t, tm.Free())
						}), 0)
						time.Sleep(time.Second)
					}
					require.NoError(t, e.end(w))
					seen := log.take()
					require.Len(t, seen, 3)
					for _, err := range seen {
						require.ErrorIs(t, err, timerwheel.ErrLeaked)
					}
					require.Regexp(t, `^timerwheel: timer was never freed: Timer\(\d+\.\d+#\d+\) of [^ ]+\.ignoreTimer, allocated at [^/ ]+/`+often+`; and 599 more from there$`, seen[0])
					rest := []string{seen[1].Error(), seen[2].Error()}
					slices.SortFunc(rest, func(x, y string) int { return cmp.Compare(len(x), len(y)) })
					require.Contains(t, strings.Join(rest, "\n"), "timer was never freed: "+pending.String()+" of github.com/seed76848005/timerwheel_test.namedHandler, allocated at ")
					require.Contains(t, strings.Join(rest, "\n"), once+", registered at ")
					require.Contains(t, strings.Join(rest, "\n"), registered)
					require.Contains(t, strings.Join(rest, "\n"), kept2)
					require.Equal(t, map[string]bool{goroutineName(): true}, on)
					require.EqualValues(t, 602, w.Stats().Misuses)

					require.NoError(t, e.end(w))
					require.NoError(t, pending.Free(), "owners still free theirs")
					require.Empty(t, log.take(), "once")
				})
			})
		}
	}
}

// Contract 9: a Close that does not wait, or that gives up, is not the end: handlers may
// still free what they own.
func TestOnlyTheEndOfAWheelShowsWhatWasNeverFreed(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log misuseLog
		w := openWheel(t, timerwheel.Options{Debug: true, OnMisuse: log.onMisuse})
		release := openedAtTheEnd(t)
		freed, kept := w.Alloc(ignoreTimer), w.Alloc(ignoreTimer)
		w.AfterFunc(0, func() {
			assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
			<-release
			assert.NoError(t, freed.Free())
		})
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, w.CloseContext(ctx), context.DeadlineExceeded)
		require.Empty(t, log.take())
		close(release)
		require.NoError(t, w.Close())
		seen := log.take()
		require.Len(t, seen, 1)
		require.ErrorContains(t, seen[0], kept.String())
		require.NoError(t, kept.Free())
	})
}

// Without Debug nobody looks for them: Close with a million timers is quick.
func TestLeaksAreLookedForWithDebugOnly(t *testing.T) {
	w := openWheel(t, timerwheel.Options{})
	w.Alloc(ignoreTimer)
	require.NoError(t, w.Close())
	require.Zero(t, w.Stats().Misuses)
}

// OnMisuse is called "on a goroutine of its own", which is one of the wheel's, for one
// error after the other. It may block, and while it does calls go on; 64 errors wait for
// it, the rest is counted only.
func TestOnMisuseMayBlock(t *testing.T) {
	guarded(t, func(t *testing.T) {
		release := openedAtTheEnd(t)
		var log misuseLog
		var inside, most int
		w := openWheel(t, timerwheel.Options{Debug: true, OnMisuse: func(err error) {
			inside++
			most = max(most, inside)
			<-release
			inside--
			log.onMisuse(err)
		}})
		tm, _, _, _ := freedEarly(t, w)
		early := []error{tm.Free(), tm.Free()}
		synctest.Wait()
		require.Equal(t, 1, inside)
		require.Equal(t, 1, w.Stats().Workers)
		var late []error
		for range 100 {
			late = append(late, tm.Free())
		}
		closed := inBackground(func() { assert.NoError(t, w.Close()) })
		synctest.Wait()
		require.False(t, isClosed(closed), "Close waits for it")
		close(release)
		<-closed
		seen := log.take()
		require.Equal(t, append(early, late[:63]...), seen, "in their order")
		require.Equal(t, 1, most)
		require.EqualValues(t, 102, w.Stats().Misuses)
	})
}

// OnMisuse "may call anything": Close, for which it is one of the functions that the wheel
// calls, the misused timer, new ones; and it may end its goroutine.
func TestOnMisuseMayCallAnything(t *testing.T) {
	for name, call := range map[string]func(t *testing.T, w *timerwheel.Wheel, tm timerwheel.Timer){
		"Close": func(t *testing.T, w *timerwheel.Wheel, _ timerwheel.Timer) {
			if w.AfterFunc(time.Hour, func() {}).Valid() {
				assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
			} else {
				assert.NoError(t, w.Close(), "the wheel is at its end: there is nothing to wait for")
			}
		},
		"misuse": func(t *testing.T, _ *timerwheel.Wheel, tm timerwheel.Timer) {
			assert.ErrorIs(t, tm.Retain(), timerwheel.ErrStale)
		},
		"new timers": func(t *testing.T, w *timerwheel.Wheel, _ timerwheel.Timer) {
			fresh := w.Alloc(ignoreTimer)
			assert.NoError(t, fresh.Register(time.Minute))
			_, err := fresh.DelSync()
			assert.NoError(t, err)
			assert.NoError(t, fresh.Free())
		},
		"questions": func(t *testing.T, w *timerwheel.Wheel, _ timerwheel.Timer) {
			assert.NotZero(t, w.Stats().Misuses)
			assert.Empty(t, w.Running())
		},
		"Goexit": func(*testing.T, *timerwheel.Wheel, timerwheel.Timer) { runtime.Goexit() },
	} {
		for _, manual := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/Manual %v", name, manual), func(t *testing.T) {
				guarded(t, func(t *testing.T) {
					var w *timerwheel.Wheel
					var tm timerwheel.Timer
					var calls atomic.Int32
					w = openWheel(t, timerwheel.Options{Debug: true, Manual: manual, OnMisuse: func(error) {
						if calls.Add(1) <= 2 {
							call(t, w, tm)
						}
					}})
					tm, _, _, _ = freedEarly(t, w)
					for range 2 {
						<-inBackground(func() { assert.ErrorIs(t, tm.Free(), timerwheel.ErrStale) })
						synctest.Wait()
					}
					require.EqualValues(t, map[bool]int{false: 2, true: 4}[name == "misuse"], calls.Load())
					require.NoError(t, w.Close())
				})
			})
		}
	}
}

// On a Manual wheel, which has no goroutine, OnMisuse is called in the caller's, before the
// call returns; in a handler as well. A closed wheel of the other kind has none any more;
// there it is called nevertheless.
func TestOnMisuseIsCalledInTheCallerOnAManualWheel(t *testing.T) {
	var on []string
	w := openWheel(t, timerwheel.Options{Debug: true, Manual: true, OnMisuse: func(error) { on = append(on, goroutineName()) }})
	tm, _, _, _ := freedEarly(t, w)
	require.ErrorIs(t, tm.Free(), timerwheel.ErrStale)
	require.Equal(t, []string{goroutineName()}, on)
	w.AfterFunc(0, func() {
		assert.ErrorIs(t, tm.Register(0), timerwheel.ErrStale)
		assert.Len(t, on, 2)
	})
	_, err := w.Advance(w.Now())
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.ErrorIs(t, tm.Retain(), timerwheel.ErrStale)
	require.Len(t, on, 3)
}

func TestOnMisuseAfterClose(t *testing.T) {
	guarded(t, func(t *testing.T) {
		var log misuseLog
		w := openWheel(t, timerwheel.Options{Debug: true, OnMisuse: log.onMisuse})
		tm, _, _, _ := freedEarly(t, w)
		require.NoError(t, w.Close())
		err := tm.Free()
		synctest.Wait()
		require.Equal(t, []error{err}, log.take())
	})
}

// What is remembered of timers that are gone is bounded: of the last 4096, however many
// there were, and of older ones the error says so.
func TestTheMemoryOfTimersThatAreGoneIsBounded(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, Manual: true})
	const n, kept = 50_000, 4096
	gone := make([]timerwheel.Timer, n)
	for i := range gone {
		gone[i] = w.Alloc(ignoreTimer)
		require.NoError(t, gone[i].Free())
		if i == 2*kept {
			heap := heapInUse()
			t.Cleanup(func() {
				require.Less(t, heapInUse(), heap+1<<20)
				runtime.KeepAlive(w)
			})
		}
	}
	for i, tm := range gone {
		err := tm.Free()
		require.ErrorIs(t, err, timerwheel.ErrStale)
		if i < n-kept {
			require.Contains(t, err.Error(), tm.String()+", recycled too long ago to say more; used at ")
		} else {
			require.Contains(t, err.Error(), ", freed at ")
		}
	}
}

// Under races a report is right, and never of the next tenant: two kinds of timers go
// through the same slots, with each goroutine using what the others have freed. A report
// says where a timer of that kind is allocated and freed, or nothing.
func TestReportsOfMisuseAreRightUnderRaces(t *testing.T) {
	var kinds sync.Map // Timer: which kind it is
	var told, forgotten atomic.Uint64
	right := func(tm timerwheel.Timer, err error) {
		if err == nil {
			return // it was not freed yet
		}
		assert.ErrorIs(t, err, timerwheel.ErrStale)
		text := err.Error()
		assert.Contains(t, text, ": "+tm.String())
		if strings.Contains(text, "too long ago") {
			forgotten.Add(1)
			return
		}
		told.Add(1)
		kind, _ := kinds.Load(tm)
		places := kind.([2]string)
		assert.Contains(t, text, "/"+places[0])
		assert.Regexp(t, `, freed at [^/ ]+/`+regexp.QuoteMeta(places[1])+`;`, text)
	}
	reports := make(chan error, 1<<20)
	w := openWheel(t, timerwheel.Options{Debug: true, OnMisuse: func(err error) { reports <- err }})
	var shared [64]atomic.Pointer[timerwheel.Timer]
	end := time.Now().Add(closeStorm() / 2)
	var loops sync.WaitGroup
	for i := range 8 {
		loops.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for time.Now().Before(end) {
				var tm timerwheel.Timer
				var a, f string
				var free func() error
				if rng.IntN(2) == 0 {
					tm, a = w.Alloc(ignoreTimer), siteHere()
					free, f = func() error { return tm.Free() }, siteHere()
				} else {
					tm, a = w.Alloc(namedHandler), siteHere()
					free, f = func() error { return tm.Free() }, siteHere()
				}
				kinds.Store(tm, [2]string{a, f})
				shared[rng.IntN(len(shared))].Store(&tm)
				if rng.IntN(2) == 0 {
					_ = tm.Register(time.Duration(rng.IntN(1000)) * time.Second)
					tm.Stop()
				}
				assert.NoError(t, free())
				if other := shared[rng.IntN(len(shared))].Load(); other != nil {
					switch rng.IntN(3) {
					case 0:
						right(*other, other.Register(time.Hour))
						other.Stop()
					case 1:
						right(*other, other.Reduce(time.Hour))
						other.Stop()
					default:
						right(*other, other.RegisterAt(time.Now()))
						other.Stop()
					}
				}
			}
		})
	}
	loops.Wait()
	require.NoError(t, w.Close())
	require.NotZero(t, told.Load())
	require.LessOrEqual(t, uint64(len(reports)), w.Stats().Misuses)
	require.NotZero(t, len(reports))
	require.Equal(t, told.Load()+forgotten.Load(), w.Stats().Misuses)
	countsAddUp(t, w)
}
