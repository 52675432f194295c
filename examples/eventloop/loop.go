package main

import (
	"fmt"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A loop is the goroutine that calls run, and what belongs to it. Nothing in it
// is guarded, because nobody else touches it: the handlers run on it, too.
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
	built     int // saves that a build has taken up
	builds    int
	beats     int
	fired     int // by Advance's account
	wakeups   int
	hasty     int // handlers before their time
	strayed   int // handlers outside Advance
}

// A file is built by its timer's handler.
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

// run handles input and time until the input is closed and no timer pends.
func (l *loop) run(saves <-chan string) error {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for l.setAlarm(alarm) || saves != nil {
		var err error
		select {
		case <-alarm.C:
			err = l.advance()
		case name, ok := <-saves:
			// First the time, then the input: Register counts from the wheel's
			// Now, which is the time of the last Advance.
			err = l.advance()
			switch {
			case err != nil:
			case ok:
				err = l.onSave(name)
			default:
				saves = nil  // a nil channel is never ready
				l.beat.Del() // here Del is as good as DelSync: the handler runs on this goroutine
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

// setAlarm sets the alarm to the time at which the wheel wants to be advanced
// next, and reports whether there is such a time.
func (l *loop) setAlarm(alarm *time.Timer) bool {
	when, ok := l.wheel.Next()
	if ok {
		alarm.Reset(time.Until(when))
	} else {
		alarm.Stop()
	}
	return ok
}

// advance runs what is due by now.
func (l *loop) advance() error {
	l.advancing = true
	fired, err := l.wheel.Advance(time.Now())
	l.advancing = false
	l.fired += fired
	return err
}

// onSave is the input's handler: build the file when it has been quiet, counted
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

// build is a file's timer's handler.
func (l *loop) build(f *file) {
	l.inspect(f.last.Add(l.quiet))
	l.builds++
	l.built += f.saves
	l.say("build %s, saved %d times", f.name, f.saves)
	f.saves = 0
}

// onBeat is the periodic timer's handler. Beats that the loop was too busy for
// are skipped, not made up for.
func (l *loop) onBeat(timerwheel.Timer) {
	l.inspect(l.beatDue)
	l.beats++
	l.say("beat %d", l.beats)
	for !l.beatDue.After(l.wheel.Now()) {
		l.beatDue = l.beatDue.Add(l.period)
	}
}

// inspect is what every handler checks first.
func (l *loop) inspect(due time.Time) {
	if l.wheel.Now().Before(due) {
		l.hasty++
	}
	if !l.advancing {
		l.strayed++
	}
}

func (l *loop) say(format string, args ...any) {
	at := l.wheel.Now().Sub(l.start).Round(time.Millisecond)
	fmt.Printf("%8v  %s\n", at, fmt.Sprintf(format, args...))
}
