package machine

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/internal/reference"
)

// A script is what a handler does in its first runs. Later runs return at once, so that every
// program comes to an end.
type script struct {
	beats []beat
	end   string // reference.Return, Panic or Goexit
}

// A beat sleeps, and then makes a call. Without a sleep it calls the handler's own timer.
type beat struct {
	sleep time.Duration
	to    int // the timer that is called, counted from the handler's own
	call  call
}

const scriptedRuns = 3

func (s script) String() string {
	if len(s.beats) == 0 {
		return s.end
	}
	var b strings.Builder
	for _, beat := range s.beats {
		fmt.Fprintf(&b, "%v; ", beat)
	}
	return "{" + b.String() + s.end + "}"
}

func (b beat) String() string {
	if b.call.verb == "" {
		return fmt.Sprintf("sleep %v", b.sleep)
	}
	call := b.call.String()
	if !makes[b.call.verb] {
		call = strings.Replace(call, "timer 0", fmt.Sprintf("timer own%+d", b.to), 1)
	}
	if b.sleep == 0 {
		return call
	}
	return fmt.Sprintf("sleep %v; %s", b.sleep, call)
}

// handler makes the handler of the timer that c makes.
func (w *world) handler(c call) func(timerwheel.Timer) {
	runs := 0
	return func(t timerwheel.Timer) {
		w.note(event{kind: "begin", timer: c.timer, handle: t})
		runs++
		if runs > scriptedRuns {
			w.note(event{kind: "end", timer: c.timer, how: reference.Return})
			return
		}
		for _, b := range c.script.beats {
			w.play(c.timer, b)
		}
		w.note(event{kind: "end", timer: c.timer, how: c.script.end})
		switch c.script.end {
		case reference.Panic:
			panic(panicValue(c.timer))
		case reference.Goexit:
			runtime.Goexit()
		}
	}
}

// A panicValue is the number of a timer whose handler panics.
type panicValue int

// play does one beat of the script of a timer.
func (w *world) play(timer int, b beat) {
	if b.sleep > 0 {
		time.Sleep(w.untilOwnInstant(b.sleep))
	}
	if b.call.verb == "" {
		return
	}
	c := b.call
	c.timer = timer + b.to
	w.call(c, timer)
}
