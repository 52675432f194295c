package timerwheel_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"runtime"
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

// misuseLog is an OnMisuse that keeps the errors.
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

func ignoreTimer(timerwheel.Timer) {}

// A sited is a timer, and the lines of its Alloc, Register and end. A function that makes one
// has w's time for itself.
type sited struct {
	timerwheel.Timer
	allocated, registered, ended string
}

// freed frees the timer.
func (s sited) freed(t *testing.T) sited {
	s.ended = siteAfter()
	require.NoError(t, s.Free())
	return s
}

// freedEarly makes a timer and frees it.
func freedEarly(t *testing.T, w *timerwheel.Wheel) sited {
	s := registeredForAnHour(t, w.Alloc(ignoreTimer), siteHere())
	require.True(t, s.Stop())
	return s.freed(t)
}

func registeredForAnHour(t *testing.T, tm timerwheel.Timer, allocated string) sited {
	err, registered := tm.Register(time.Hour), siteHere()
	require.NoError(t, err)
	return sited{Timer: tm, allocated: allocated, registered: registered}
}

// pass lets time pass on a wheel, Manual or in a bubble.
func pass(t *testing.T, w *timerwheel.Wheel, d time.Duration) {
	if _, err := w.Advance(w.Now().Add(d)); !errors.Is(err, timerwheel.ErrNotManual) {
		require.NoError(t, err)
		return
	}
	elapse(d)
}

// misuses are the states in which the use of a timer is a misuse. %a, %r, %e stand for the lines.
// If the error is ErrStale, every use is a misuse, otherwise only Free is.
var misuses = []struct {
	name string
	make func(t *testing.T, w *timerwheel.Wheel) sited
	is   error
	text string
}{
	{"the last Free", freedEarly, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e"},
	{"the last Free of several", func(t *testing.T, w *timerwheel.Wheel) (s sited) {
		s.Timer, s.allocated = w.Alloc(ignoreTimer), siteHere()
		require.NoError(t, s.Retain())
		require.NoError(t, s.Free())
		return s.freed(t)
	}, timerwheel.ErrStale, "allocated at %a, freed at %e"},
	{"its Free and its firing", func(t *testing.T, w *timerwheel.Wheel) sited {
		s := registeredForAnHour(t, w.Alloc(ignoreTimer), siteHere()).freed(t)
		pass(t, w, 2*time.Hour)
		return s
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e"},
	{"its Free, while it is pending", func(t *testing.T, w *timerwheel.Wheel) sited {
		return registeredForAnHour(t, w.Alloc(ignoreTimer), siteHere()).freed(t)
	}, timerwheel.ErrFreed, "allocated at %a, registered at %r, freed at %e"},
	{"its Free and the deletion of its group", func(t *testing.T, w *timerwheel.Wheel) sited {
		g := w.NewGroup()
		s := registeredForAnHour(t, g.AllocLocked(newDurableLock(), ignoreTimer), siteHere()).freed(t)
		require.Equal(t, foundPending, g.Del())
		return s
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, freed at %e"},
	{"AfterFunc", func(_ *testing.T, w *timerwheel.Wheel) sited {
		tm, a := w.AfterFunc(time.Hour, func() {}), siteHere()
		return sited{tm, a, a, ""}
	}, timerwheel.ErrFreed, "allocated at %a, registered at %r, never owned"},
	{"the firing of an AfterFunc", func(t *testing.T, w *timerwheel.Wheel) (s sited) {
		s.Timer, s.allocated = w.AfterFunc(time.Second, func() {}), siteHere()
		was, registered := s.Reset(2*time.Second), siteHere()
		require.True(t, was)
		s.registered = registered
		pass(t, w, time.Minute)
		return s
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled after it had fired"},
	{"the deletion of an AfterFuncArg", func(t *testing.T, w *timerwheel.Wheel) sited {
		tm, a := w.AfterFuncArg(time.Second, func(any) {}, w), siteHere()
		was, e := tm.Stop(), siteHere()
		require.True(t, was)
		return sited{tm, a, a, e}
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled when it was deleted at %e"},
	{"the deletion of a series by its group", func(t *testing.T, w *timerwheel.Wheel) sited {
		g := w.NewGroup()
		tm, a := g.Every(time.Hour, ignoreTimer), siteHere()
		e := siteAfter()
		_, err := g.ShutdownSync()
		require.NoError(t, err)
		return sited{tm, a, a, e}
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled when it was deleted at %e"},
	{"the second firing of an AfterFunc that armed itself again", func(t *testing.T, w *timerwheel.Wheel) (s sited) {
		made, line := make(chan timerwheel.Timer, 1), make(chan string, 1)
		s.allocated = siteAfter()
		s.Timer = w.AfterFunc(time.Second, func() {
			if w.Stats().Fired == 1 {
				tm := <-made
				assert.NoError(t, tm.Register(time.Hour))
				assert.True(t, tm.Stop()) // this is not its end
				err, r := tm.Register(time.Second), siteHere()
				assert.NoError(t, err)
				line <- r
			}
		})
		made <- s.Timer
		pass(t, w, time.Minute)
		pass(t, w, time.Minute)
		s.registered = <-line
		return s
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled after it had fired"},
	{"Close", func(t *testing.T, w *timerwheel.Wheel) sited {
		tm, a := w.AfterFunc(time.Hour, func() {}), siteHere()
		err, e := w.Close(), siteHere()
		require.NoError(t, err)
		return sited{tm, a, a, e}
	}, timerwheel.ErrStale, "allocated at %a, registered at %r, never owned, and recycled when it was deleted at %e"},
}

// uses are the calls that can be misuses, each with its line. Free is the first. Reset has no error.
var uses = []struct {
	name string
	use  func(timerwheel.Timer) (string, error)
}{
	{"Free", func(tm timerwheel.Timer) (string, error) { return siteHere(), tm.Free() }},
	{"Register", func(tm timerwheel.Timer) (string, error) { return siteHere(), tm.Register(0) }},
	{"RegisterAt", func(tm timerwheel.Timer) (string, error) { return siteHere(), tm.RegisterAt(time.Now()) }},
	{"Reduce", func(tm timerwheel.Timer) (string, error) { return siteHere(), tm.Reduce(0) }},
	{"RegisterIdle", func(tm timerwheel.Timer) (string, error) { return siteHere(), tm.RegisterIdle(0) }},
	{"Reset", func(tm timerwheel.Timer) (string, error) { tm.Reset(0); return siteHere(), nil }},
	{"Retain", func(tm timerwheel.Timer) (string, error) { return siteHere(), tm.Retain() }},
}

// siteAfter is the place of the line after its call.
func siteAfter() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line+1)
}

// siteAbove is the place of the line above its call, as siteHere is.
func siteAbove() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line-1)
}

// With Debug a misuse is an error that wraps its sentinel and says where the timer was allocated,
// how it ended, and where it was used. Without Debug the call returns the sentinel.
func TestAMisuseIsReportedWithAllItsPlaces(t *testing.T) {
	for _, c := range misuses {
		for k, u := range uses {
			if k > 0 && c.is != timerwheel.ErrStale {
				break
			}
			for _, o := range []timerwheel.Options{{Debug: true}, {Debug: true, Manual: true}, {}, {Manual: true}} {
				var log misuseLog
				if o.Debug {
					o.OnMisuse = log.onMisuse
				}
				bubble(t, fmt.Sprintf("%s after %s/Manual %v/Debug %v", u.name, c.name, o.Manual, o.Debug), o, func(t *testing.T, w *timerwheel.Wheel) {
					s := c.make(t, w)
					used, err := u.use(s.Timer)
					synctest.Wait()
					require.EqualValues(t, 1, w.Stats().Misuses)
					seen := log.take()
					if !o.Debug {
						require.Empty(t, seen)
						if u.name != "Reset" {
							require.Equal(t, c.is, err)
						}
						return
					}
					require.Len(t, seen, 1)
					if u.name != "Reset" {
						require.Same(t, seen[0], err, "the call returns what OnMisuse gets")
					}
					require.ErrorIs(t, seen[0], c.is)
					want := c.is.Error() + ": " + regexp.QuoteMeta(s.String()) + " of [^ ,]+, " + regexp.QuoteMeta(c.text+"; used at %u")
					for place, line := range map[string]string{"%a": s.allocated, "%r": s.registered, "%e": s.ended, "%u": used} {
						want = strings.ReplaceAll(want, place, "[^/ ]+/"+regexp.QuoteMeta(line))
					}
					require.Regexp(t, "^"+want+"$", seen[0].Error())
				})
			}
		}
	}
}

// To delete what is gone, or to ask for it, is no misuse. Nor is the use of the zero Timer, which has
// no wheel.
func TestWhatIsNoMisuse(t *testing.T) {
	var log misuseLog
	bubble(t, "gone", timerwheel.Options{Debug: true, OnMisuse: log.onMisuse}, func(t *testing.T, w *timerwheel.Wheel) {
		gone, fired := freedEarly(t, w), w.AfterFunc(0, func() {})
		elapse(time.Second)
		for _, tm := range []timerwheel.Timer{gone.Timer, fired, {}} {
			for _, verb := range timerVerbs {
				finds(t, foundNone)(verb.call(tm))
			}
			require.False(t, tm.Valid() || tm.Pending() || tm.Running())
			_, _ = tm.When()
			require.NotEmpty(t, tm.String())
		}
		for _, u := range uses {
			_, err := u.use(timerwheel.Timer{})
			require.True(t, u.name == "Reset" || errors.Is(err, timerwheel.ErrStale), u.name)
		}
		require.NoError(t, w.Close())
		require.Empty(t, log.take())
		require.Zero(t, w.Stats().Misuses)
	})

	// Nor is a Register, or a ReleaseLock, that is refused while its timer lives. With Debug the error says where the
	// timer comes from, and it matches the sentinel however much it says.
	for _, c := range []struct {
		is     error
		refuse func(w *timerwheel.Wheel, tm timerwheel.Timer) error
	}{
		{timerwheel.ErrShutdown, func(_ *timerwheel.Wheel, tm timerwheel.Timer) error { tm.Shutdown(); return tm.Register(0) }},
		{timerwheel.ErrClosed, func(w *timerwheel.Wheel, tm timerwheel.Timer) error { _ = w.Close(); return tm.Reduce(0) }},
		{timerwheel.ErrNotLocked, func(_ *timerwheel.Wheel, tm timerwheel.Timer) error { return tm.ReleaseLock() }},
		{timerwheel.ErrDeleting, func(_ *timerwheel.Wheel, tm timerwheel.Timer) error {
			elapse(2 * time.Hour) // it runs
			tm.DelAsync(func() {})
			return tm.RegisterAt(time.Now())
		}},
	} {
		for _, debug := range []bool{false, true} {
			bubble(t, fmt.Sprintf("%v/Debug %v", c.is, debug), timerwheel.Options{Debug: debug}, func(t *testing.T, w *timerwheel.Wheel) {
				s := registeredForAnHour(t, w.Alloc(newPuppet(t).handle), siteHere())
				err := c.refuse(w, s.Timer)
				require.ErrorIs(t, err, c.is)
				if debug {
					require.ErrorContains(t, err, s.allocated)
					require.ErrorContains(t, err, s.registered)
				} else {
					require.Equal(t, c.is, err)
				}
				if !debug || c.is != timerwheel.ErrClosed { // with Debug, Close counts the timer, as it has an owner
					require.Zero(t, w.Stats().Misuses)
				}
				require.NoError(t, s.Free())
			})
		}
	}
}

// OnMisuse is called in the goroutine of Close, once for each place, the place with the most timers
// first. Timers without owners are not reported, nor those that a handler frees while Close waits.
func TestTimersThatWereNeverFreedAreReportedByClose(t *testing.T) {
	for _, manual := range []bool{false, true} {
		for _, e := range enders {
			var log misuseLog
			on := map[string]bool{}
			o := timerwheel.Options{Manual: manual, Debug: true, OnMisuse: func(err error) {
				on[goroutineName()] = true
				log.onMisuse(err)
			}}
			bubble(t, fmt.Sprintf("%s/Manual %v", e.name, manual), o, func(t *testing.T, w *timerwheel.Wheel) {
				var often string
				for range 600 { // more than a chunk
					_, often = w.NewGroup().Alloc(ignoreTimer), siteHere()
					require.NoError(t, w.Alloc(ignoreTimer).Free())
				}
				pending := registeredForAnHour(t, w.AllocLocked(newDurableLock(), namedHandler), siteHere())
				kept, keptAt := w.AfterFunc(time.Hour, func() {}), siteHere()
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
				rest := seen[1].Error() + "\n" + seen[2].Error()
				require.Contains(t, rest, "timer was never freed: "+pending.String()+" of github.com/seed76848005/timerwheel_test.namedHandler, allocated at ")
				require.Contains(t, rest, pending.allocated+", registered at ")
				require.Contains(t, rest, pending.registered)
				require.Contains(t, rest, keptAt)
				require.Equal(t, map[string]bool{goroutineName(): true}, on)
				require.EqualValues(t, 602, w.Stats().Misuses)

				require.NoError(t, e.end(w))
				require.NoError(t, pending.Free(), "owners still free theirs")
				require.Empty(t, log.take(), "once")
			})
		}
	}
}

// A Close that does not wait, or that gives up, is not the end: handlers may still free what they
// own. Without Debug, Close does not look for leaks: it is quick with a million timers.
func TestOnlyTheEndOfAWheelShowsWhatWasNeverFreed(t *testing.T) {
	for _, o := range []timerwheel.Options{{Debug: true}, {}} {
		var log misuseLog
		if o.Debug {
			o.OnMisuse = log.onMisuse
		}
		bubble(t, fmt.Sprintf("Debug %v", o.Debug), o, func(t *testing.T, w *timerwheel.Wheel) {
			release := openedAtTheEnd(t)
			freed, kept := w.Alloc(ignoreTimer), w.NewGroup().Alloc(ignoreTimer)
			w.AfterFunc(0, func() {
				assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock)
				<-release
				assert.NoError(t, freed.Free())
			})
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, w.CloseContext(ctx), context.DeadlineExceeded)
			require.Zero(t, w.Stats().Misuses)
			close(release)
			require.NoError(t, w.Close())
			seen := log.take()
			require.EqualValues(t, len(seen), w.Stats().Misuses)
			if o.Debug {
				require.Len(t, seen, 1)
				require.ErrorContains(t, seen[0], kept.String())
			} else {
				require.Empty(t, seen)
			}
			require.NoError(t, kept.Free())
		})
	}
}

// OnMisuse is called on a goroutine of its own, which is one of the wheel's, for one error after the
// other. It may block, and calls go on then; 64 errors wait for it, and the rest is only counted.
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
		tm := freedEarly(t, w)
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
		require.Equal(t, append(early, late[:63]...), log.take(), "in their order")
		require.Equal(t, 1, most)
		require.EqualValues(t, 102, w.Stats().Misuses)
	})
}

// OnMisuse may call anything: Close, for which it is one of the functions that the wheel calls, the
// misused timer, new timers; and it may end its goroutine.
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
			fresh := armed(w.Alloc(ignoreTimer), time.Minute)
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
			var onMisuse func(error)
			o := timerwheel.Options{Debug: true, Manual: manual, OnMisuse: func(err error) { onMisuse(err) }}
			bubble(t, fmt.Sprintf("%s/Manual %v", name, manual), o, func(t *testing.T, w *timerwheel.Wheel) {
				tm, calls := freedEarly(t, w), 0
				onMisuse = func(error) {
					if calls++; calls <= 2 {
						call(t, w, tm.Timer)
					}
				}
				for range 2 {
					<-inBackground(func() { assert.ErrorIs(t, tm.Free(), timerwheel.ErrStale) })
					synctest.Wait()
				}
				require.Equal(t, map[bool]int{false: 2, true: 4}[name == "misuse"], calls)
				require.NoError(t, w.Close())
			})
		}
	}
}

// On a Manual wheel OnMisuse is called before the call returns, in a handler as well. On another wheel
// that is closed, OnMisuse is called all the same.
func TestOnMisuseIsCalledInTheCallerOnAManualWheel(t *testing.T) {
	var on []string
	w := openWheel(t, timerwheel.Options{Debug: true, Manual: true, OnMisuse: func(error) { on = append(on, goroutineName()) }})
	tm := freedEarly(t, w)
	require.ErrorIs(t, tm.Free(), timerwheel.ErrStale)
	require.Equal(t, []string{goroutineName()}, on)
	w.AfterFunc(0, func() {
		assert.ErrorIs(t, tm.Register(0), timerwheel.ErrStale)
		assert.Len(t, on, 2)
	})
	advanceTo(t, w, w.Now(), 1)
	require.NoError(t, w.Close())
	require.ErrorIs(t, tm.Retain(), timerwheel.ErrStale)
	require.Len(t, on, 3)

	var log misuseLog
	bubble(t, "not Manual, closed", timerwheel.Options{Debug: true, OnMisuse: log.onMisuse}, func(t *testing.T, w *timerwheel.Wheel) {
		tm := freedEarly(t, w)
		require.NoError(t, w.Close())
		err := tm.Free()
		synctest.Wait()
		require.Equal(t, []error{err}, log.take())
	})
}

// The wheel remembers a bounded number of timers that are gone: the last 4096. The error of an older
// timer says so.
func TestTheMemoryOfTimersThatAreGoneIsBounded(t *testing.T) {
	w := openWheel(t, timerwheel.Options{Debug: true, Manual: true})
	const n, kept = 20_000, 4096
	gone := make([]timerwheel.Timer, n)
	var heap int64
	for i := range gone {
		gone[i] = w.Alloc(ignoreTimer)
		require.NoError(t, gone[i].Free())
		if i == 2*kept {
			heap = heapInUse()
		}
	}
	require.Less(t, heapInUse(), heap+1<<20)
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

// Promise 2.71: OnMisuse gets each ErrDeadlock of a deletion, the very error, which
// names the lines; nothing is counted. Without Debug it is the sentinel.
func TestOnMisuseHearsOfEachErrDeadlock(t *testing.T) {
	calls := map[string]func(w *timerwheel.Wheel, g *timerwheel.Group, tm timerwheel.Timer) (string, error){
		"DelSync": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) (string, error) {
			_, err := tm.DelSync()
			return siteAbove(), err
		},
		"ShutdownSyncContext": func(_ *timerwheel.Wheel, _ *timerwheel.Group, tm timerwheel.Timer) (string, error) {
			_, err := tm.ShutdownSyncContext(context.Background())
			return siteAbove(), err
		},
		"Group.DelSync": func(_ *timerwheel.Wheel, g *timerwheel.Group, _ timerwheel.Timer) (string, error) {
			_, err := g.DelSync()
			return siteAbove(), err
		},
	}
	for name, call := range calls {
		for _, o := range []timerwheel.Options{{}, {Debug: true}, {Debug: true, DebugEvery: math.MaxInt32}, {Debug: true, Manual: true}} {
			var log misuseLog
			if o.Debug {
				o.OnMisuse = log.onMisuse
			}
			bubble(t, fmt.Sprintf("%s/Debug %v, every %v/Manual %v", name, o.Debug, o.DebugEvery, o.Manual), o, func(t *testing.T, w *timerwheel.Wheel) {
				var err error
				var line string
				_ = w.Alloc(ignoreTimer).Free() // the first is remembered
				g := w.NewGroup()
				handler := func(tm timerwheel.Timer) { line, err = call(w, g, tm) }
				tm := armed(g.Alloc(handler), 0)
				if o.Manual {
					advanceTo(t, w, w.Now(), 1)
				}
				settle()
				seen := log.take()
				require.ErrorIs(t, err, timerwheel.ErrDeadlock)
				require.Zero(t, w.Stats().Misuses)
				_ = tm.Free()
				if !o.Debug {
					require.Equal(t, timerwheel.ErrDeadlock, err)
					require.Empty(t, seen)
					return
				}
				require.Len(t, seen, 1)
				require.Same(t, err, seen[0])
				require.Regexp(t, `^timerwheel: would wait for itself: handler [^ ]+TestOnMisuseHearsOfEachErrDeadlock\.[^ ]+, at [^/ ]+/`+line+`$`, err)
			})
		}
	}
}

// Promise 2.71: a deletion that waits, or has nothing to wait for, is none, and that of Close is no
// deletion's.
func TestOnMisuseHearsOfNoWait(t *testing.T) {
	var log misuseLog
	bubble(t, "", timerwheel.Options{Debug: true, OnMisuse: log.onMisuse}, func(t *testing.T, w *timerwheel.Wheel) {
		tm, p := newRun(t, w)
		other, q := newRun(t, w)
		waits := p.call(other.DelSync)
		require.True(t, waits.waits())
		q.let()
		waits.requires(t, foundRunning, nil)
		p.let()
		settle()
		finds(t, foundNone)(tm.DelSync())
		w.AfterFunc(0, func() { _, _ = tm.DelSync() })
		settle()
		require.NoError(t, tm.Free())
		require.NoError(t, other.Free())
		w.AfterFunc(0, func() { assert.ErrorIs(t, w.Close(), timerwheel.ErrDeadlock) })
		settle()
		require.NoError(t, w.Close())
		require.Empty(t, log.take())
	})
}

// Promise 2.74: Inspect has the last 16 misuses, with their times, the latest first, also without an
// OnMisuse.
func TestInspectHasTheLastMisuses(t *testing.T) {
	bubble(t, "", timerwheel.Options{Debug: true}, func(t *testing.T, w *timerwheel.Wheel) {
		require.Empty(t, w.Inspect().Misuses)
		var errs []error
		start := w.Now()
		for k := range 20 {
			tm := w.Alloc(ignoreTimer)
			require.NoError(t, tm.Free())
			errs = append(errs, tm.Register(0))
			got := w.Inspect().Misuses
			require.Len(t, got, min(k+1, 16))
			for n, m := range got {
				require.Same(t, errs[k-n], m.Err)
				require.Equal(t, start.Add(time.Duration(k-n)*time.Second), m.At)
			}
			elapse(time.Second)
		}
		_ = w.Alloc(namedHandler)
		require.NoError(t, w.Close())
		require.ErrorIs(t, w.Inspect().Misuses[0].Err, timerwheel.ErrLeaked)
	})
	w := openWheel(t, timerwheel.Options{})
	tm := w.Alloc(ignoreTimer)
	require.NoError(t, tm.Free())
	require.ErrorIs(t, tm.Register(0), timerwheel.ErrStale)
	require.Empty(t, w.Inspect().Misuses, "without Debug")
}

// Two kinds of timers go through the same records, and each goroutine uses what the others have freed.
// A report says where a timer of that kind is allocated and freed, or nothing.
func TestReportsOfMisuseAreRightUnderRaces(t *testing.T) {
	var kinds sync.Map // Timer: where its kind is allocated and freed
	var told, forgotten, reports atomic.Uint64
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
		_, freed, _ := strings.Cut(text, ", freed at ")
		freed, _, _ = strings.Cut(freed, ";")
		assert.Equal(t, places[1], filepath.Base(freed))
	}
	w := openWheel(t, timerwheel.Options{Debug: true, OnMisuse: func(error) { reports.Add(1) }})
	var shared [64]atomic.Pointer[timerwheel.Timer]
	var loops sync.WaitGroup
	for i := range 8 {
		loops.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for range raceRounds(600) {
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
					arm := armVerbs[rng.IntN(len(armVerbs))].arm
					right(*other, arm(*other, time.Hour))
					other.Stop()
				}
				runtime.Gosched()
			}
		})
	}
	within(t, loops.Wait)
	require.NoError(t, w.Close())
	require.NotZero(t, told.Load())
	require.NotZero(t, reports.Load())
	require.LessOrEqual(t, reports.Load(), w.Stats().Misuses)
	require.Equal(t, told.Load()+forgotten.Load(), w.Stats().Misuses)
}
