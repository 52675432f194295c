package timerwheel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// phoneCall is what users write: it holds its lock over a deletion that waits, and the handler needs
// the lock.
type phoneCall struct {
	mu   durableLock
	idle timerwheel.Timer
}

func (s *phoneCall) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

func (s *phoneCall) close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	time.Sleep(20 * time.Millisecond) // the handler begins
	_, err := s.idle.DelSyncContext(ctx)
	return err
}

// stalledCall has a phone call close itself for a minute. It returns the reports of OnStall on either
// side, and where the timer was made.
func stalledCall(t *testing.T, debug bool) (run, wait timerwheel.Stall, made string) {
	t.Helper()
	var log stallLog
	w := openWheel(t, timerwheel.Options{OnStall: log.onStall, Debug: debug})
	s := &phoneCall{mu: newDurableLock()}
	s.idle, made = w.AfterFunc(10*time.Millisecond, s.expire), siteHere()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.ErrorIs(t, s.close(ctx), context.DeadlineExceeded)
	runs, waits := log.requires(t, 1, 1)
	return runs[0], waits[0], made
}

// Promise 2.50: one line, which names the handler, and says where it and the waiter hang in the
// user's code, and where the timer comes from.
func TestAStallIsOneLineForALog(t *testing.T) {
	const (
		at     = `github\.com/seed76848005/timerwheel_test\.\(\*phoneCall\)\.`
		file   = `[^/ ]+/log_test\.go:\d+`
		timer  = `Timer\(\d+\.\d+#\d+\)`
		closes = at + `close ` + file
	)
	for _, debug := range []bool{false, true} {
		t.Run(map[bool]string{false: "", true: "Debug"}[debug], func(t *testing.T) {
			guarded(t, func(t *testing.T) {
				run, wait, made := stalledCall(t, debug)
				from := ``
				if debug {
					from = `; allocated at [^/ ]+/` + made + `; registered at [^/ ]+/` + made
				}
				// The lock is the tests' own, and not of package sync: so the innermost
				// call is the Lock.
				hangs := `github\.com/seed76848005/timerwheel_test\.durableLock\.Lock [^/ ]+/helpers_test\.go:\d+`
				require.Regexp(t, `^timerwheel: the handler of `+timer+` has run for \d[\d.]*m?s: `+at+`expire `+file+`, which is at `+hangs+
					`; deletions that wait for it: 1, at `+closes+from+`$`, run.String())
				require.Regexp(t, `^timerwheel: a deletion of `+timer+` has waited for \d[\d.]*m?s at `+closes+`, for `+at+`expire `+file+
					`, which is at `+hangs+from+`$`, wait.String())
				require.Equal(t, run.String(), run.String())
			})
		})
	}
}

// Promise 2.50: the text says what is known, and no more.
func TestAStallWithLittleInformationIsOneLine(t *testing.T) {
	require.Equal(t, "timerwheel: the handler of Timer(none) has run for 0s", timerwheel.Stall{}.String())
	require.Equal(t, "timerwheel: a deletion of Timer(none) has waited for 1.5s; deletions that wait for it: 2",
		timerwheel.Stall{Kind: timerwheel.StalledDeletion, For: 1500 * time.Millisecond, Waiters: 2, HandlerStack: "goroutine 1 [running]:", WaiterStack: "\n\t\n:("}.String())
	require.Equal(t, "timerwheel: a worker has waited for the lock of Timer(none) for 2s at main.f a/b.go:3, to run main.g c/d.go:1; allocated at b.go:2",
		timerwheel.Stall{Kind: timerwheel.StalledLock, For: 2 * time.Second, Handler: "main.g /x/c/d.go:1", AllocatedAt: "b.go:2",
			HandlerStack: "goroutine 1 [select]:\nmain.f(0x1)\n\t/x/a/b.go:3 +0x1d\n"}.String())
	require.Equal(t, "timerwheel: all workers are busy, and 4744 timers are due; Timer(none) has waited for 1s: main.g c/d.go:1",
		timerwheel.Stall{Kind: timerwheel.Saturated, For: time.Second, Due: 4744, Handler: "main.g /x/c/d.go:1"}.String())
	require.Equal(t, "stalled lock", timerwheel.StalledLock.String())
	require.Equal(t, "saturated", timerwheel.Saturated.String())
	require.Equal(t, "timerwheel: the handler of Timer(none) panicked: <nil>", timerwheel.HandlerPanic{}.String())
	require.Equal(t, "timerwheel: the handler of Timer(none) panicked: 7; allocated at a.go:1; registered at b/c.go:2",
		timerwheel.HandlerPanic{Value: 7, AllocatedAt: "a.go:1", RegisteredAt: "/x/y/b/c.go:2"}.String())
}

// Promise 2.50: it says where the handler panicked, and a value of several lines is quoted.
func TestAHandlerPanicIsOneLineForALog(t *testing.T) {
	for value, text := range map[any]string{
		"no such session": `no such session`,
		errors.Join(errors.New("a"), errors.New("b")): `"a\nb"`,
	} {
		guarded(t, func(t *testing.T) {
			panics := make(chan timerwheel.HandlerPanic, 1)
			w := openWheel(t, timerwheel.Options{Debug: true, OnPanic: func(p timerwheel.HandlerPanic) { panics <- p }})
			_, made := w.AfterFunc(0, func() { crashHere(value) }), siteHere()
			p := <-panics
			require.Regexp(t, `^timerwheel: the handler of Timer\(\d+\.\d+#\d+\) panicked at `+
				`github\.com/seed76848005/timerwheel_test\.crashHere [^/ ]+/log_test\.go:\d+: `+regexp.QuoteMeta(text)+
				`; allocated at [^/ ]+/`+made+`; registered at [^/ ]+/`+made+`$`, p.String())
		})
	}
}

//go:noinline
func crashHere(value any) { panic(value) }

// Promise 2.50: package slog logs what is known of either, without stacks.
func TestStallsAndPanicsAreLoggedWithoutTheirStacks(t *testing.T) {
	logged := func(value slog.LogValuer) map[string]any {
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, nil)).Warn("it", "what", value)
		require.NotContains(t, out.String(), "goroutine ")
		var record struct{ What map[string]any }
		require.NoError(t, json.Unmarshal(out.Bytes(), &record))
		return record.What
	}
	guarded(t, func(t *testing.T) {
		_, wait, made := stalledCall(t, true)
		got := logged(wait)
		require.Equal(t, wait.Timer.String(), got["timer"])
		require.Equal(t, "stalled deletion", got["kind"])
		require.EqualValues(t, 1, got["waiters"])
		require.EqualValues(t, wait.For, got["for"])
		require.EqualValues(t, wait.Due, got["due"])
		require.Equal(t, wait.Handler, got["handler"])
		require.Contains(t, got["handlerAt"], "durableLock.Lock ")
		require.Contains(t, got["waiterAt"], ".(*phoneCall).close ")
		requireSite(t, made, got["allocatedAt"].(string))
		requireSite(t, made, got["registeredAt"].(string))
	})
	guarded(t, func(t *testing.T) {
		run, _, _ := stalledCall(t, false)
		got := logged(run)
		assert.NotContains(t, got, "allocatedAt", "what is not known is left out")
		assert.NotContains(t, got, "registeredAt")
	})
	got := logged(timerwheel.HandlerPanic{Value: errCrash, Stack: []byte("goroutine 1 [running]:\nmain.f(0x1)\n\t/x/y.go:3 +0x1d\n")})
	require.Equal(t, map[string]any{"timer": "Timer(none)", "value": errCrash.Error(), "panickedAt": "main.f /x/y.go:3"}, got)
}
