package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A loop is the state of the goroutine that calls run. It needs no lock, because only that
// goroutine uses it: the handlers run on it, too, also those that lint registers on another.
type loop struct {
	wheel *timerwheel.Wheel
	start time.Time
	quiet time.Duration
	files map[string]*file

	beat    timerwheel.Timer
	period  time.Duration
	beatDue time.Time

	advancing bool
	saves     int // received
	built     int // saves that a build included
	builds    int
	lints     int
	beats     int
	fired     int // firings, as Advance reported them
	wakeups   int
	early     int // handlers before their deadline
	outside   int // handlers outside Advance
}

// A file is a file that the handler of its timer builds.
type file struct {
	name  string
	saves int // since the last build
	last  time.Time
	timer timerwheel.Timer
}

func newLoop(wheel *timerwheel.Wheel, quiet, period time.Duration) *loop {
	l := &loop{wheel: wheel, start: wheel.Now(), quiet: quiet, period: period, files: make(map[string]*file)}
	l.beat = wheel.Every(period, l.onBeat)
	l.beatDue = l.start.Add(period)
	return l
}

// run handles input and time until the input is closed and no timer is pending. It hears from
// earlier when it must wake up earlier than it knows.
func (l *loop) run(saves <-chan string, earlier <-chan struct{}) error {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for l.setAlarm(alarm) || saves != nil {
		var err error
		select {
		case <-alarm.C:
			err = l.advance()
		case <-earlier: // setAlarm asks the wheel
		case name, ok := <-saves:
			// First the time, then the input, because Register counts from the wheel's
			// Now, which is the time of the last Advance.
			err = l.advance()
			switch {
			case err != nil:
			case ok:
				err = l.onSave(name)
			default:
				saves = nil  // a nil channel is never ready
				l.beat.Del() // Del is enough here, because the handler runs on this goroutine
			}
		}
		if err != nil {
			return err
		}
		l.wakeups++
	}
	for _, f := range l.files {
		f.timer.Free()
	}
	return nil
}

// setAlarm sets the alarm to the time at which the loop must advance the wheel next. It
// reports whether there is such a time.
func (l *loop) setAlarm(alarm *time.Timer) bool {
	when, ok := l.wheel.Next()
	if ok {
		alarm.Reset(time.Until(when))
	} else {
		alarm.Stop()
	}
	return ok
}

// advance runs the handlers that are due.
func (l *loop) advance() error {
	l.advancing = true
	fired, err := l.wheel.Advance(time.Now())
	l.advancing = false
	l.fired += fired
	return err
}

// onSave handles the input: it schedules a build for when the file has been quiet, counted
// from now.
func (l *loop) onSave(name string) error {
	f := l.files[name]
	if f == nil {
		f = &file{name: name}
		f.timer = l.wheel.Alloc(func(timerwheel.Timer) { l.build(f) })
		l.files[name] = f
	}
	l.saves++
	f.saves++
	f.last = l.wheel.Now()
	return f.timer.Register(l.quiet)
}

// build is the handler of a file's timer.
func (l *loop) build(f *file) {
	l.check(f.last.Add(l.quiet))
	l.builds++
	l.built += f.saves
	l.logf("build %s, saved %d times", f.name, f.saves)
	f.saves = 0
}

// lint runs beside the loop, and registers a timer now and then. It returns how many.
func (l *loop) lint(duration time.Duration) (asked int) {
	for end := time.Now().Add(duration); time.Now().Before(end); asked++ {
		// RegisterAt, because Register would count from the time of the last Advance, and the loop
		// may have slept since.
		due := time.Now().Add(2 * time.Millisecond)
		t := l.wheel.Alloc(func(timerwheel.Timer) { l.onLint(due) })
		if err := t.RegisterAt(due); err != nil {
			panic(err) // the wheel is open until lint has returned
		}
		t.Free() // the wheel has a reference while the timer is pending
		time.Sleep(rand.N(duration / 8))
	}
	return asked
}

// onLint is the handler of lint's timers.
func (l *loop) onLint(due time.Time) {
	l.check(due)
	l.lints++
	l.logf("lint")
}

// onBeat is the handler of the periodic timer. The wheel skips beats for which the loop was
// too busy, and does not repeat them.
func (l *loop) onBeat(timerwheel.Timer) {
	l.check(l.beatDue)
	l.beats++
	l.logf("beat %d", l.beats)
	for !l.beatDue.After(l.wheel.Now()) {
		l.beatDue = l.beatDue.Add(l.period)
	}
}

// check counts a handler that begins early or outside Advance. Each handler calls it first.
func (l *loop) check(due time.Time) {
	if l.wheel.Now().Before(due) {
		l.early++
	}
	if !l.advancing {
		l.outside++
	}
}

// logf prints an event with the time since the start.
func (l *loop) logf(format string, args ...any) {
	at := l.wheel.Now().Sub(l.start).Round(time.Millisecond)
	fmt.Printf("%8v  %s\n", at, fmt.Sprintf(format, args...))
}
