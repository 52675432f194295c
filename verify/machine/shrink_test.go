package machine

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/reference"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The machine fails if the wheel does not do what the reference says, and rapid shrinks the
// failing program: the failure finds its way out of the bubble. Here the tick of the reference is
// not that of the wheel. To see this, a program makes one timer, arms it, and lets time pass.
func TestMachineShrinksWhatItFinds(t *testing.T) {
	defer setFlag("rapid.nofailfile", "true")()
	defer setFlag("rapid.shrinktime", "10s")()
	tb := &listener{TB: t}
	over := make(chan struct{})
	go func() { // FailNow ends it
		defer close(over)
		rapid.Check(tb, func(rt *rapid.T) {
			bubble(t, rt, func() {
				o := timerwheel.Options{
					Tick:       time.Millisecond,
					MaxWorkers: 256,
					OnPanic:    func(timerwheel.HandlerPanic) {},
				}
				x := newMachineWith(rt, o, tally{})
				o.Tick = 3 * time.Millisecond
				x.model = reference.New(o)
				x.pause = x.passOn
				defer x.abandon()
				rt.Repeat(rapid.StateMachineActions(x))
			})
		})
	}()
	<-over
	require.True(t, tb.failed)
	said := tb.said.String()
	require.Contains(t, said, "begins, but it is early")
	require.LessOrEqual(t, strings.Count(said, "draw action"), 20, said) // mostly 3, of 60
}

// setFlag sets one of rapid's flags until undo is called.
func setFlag(name, value string) (undo func()) {
	f := flag.Lookup(name).Value
	was := f.String()
	_ = f.Set(value)
	return func() { _ = f.Set(was) }
}

// A listener is a test that may fail.
type listener struct {
	rapid.TB
	failed bool
	said   strings.Builder
}

func (l *listener) Errorf(format string, args ...any) { l.Logf(format, args...); l.failed = true }
func (l *listener) Logf(format string, args ...any)   { fmt.Fprintf(&l.said, format+"\n", args...) }
func (l *listener) Log(args ...any)                   { fmt.Fprintln(&l.said, args...) }
func (l *listener) Failed() bool                      { return l.failed }
func (l *listener) FailNow()                          { runtime.Goexit() }
