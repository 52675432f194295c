package timerwheel

import (
	"fmt"
	"time"
)

// Every calls f(t) at start + period, start + 2*period and so on, until the timer is
// deleted or the wheel closed. start is the time of the call, and t the Timer that Every
// returns.
//
// It is one timer, and its handler never overlaps itself. Instants that were missed, while
// the handler ran or all of the wheel's workers were busy, are skipped, not made up for. An
// instant is not missed before the tick in which it lies has ended, as it is not due before
// that. While the handler runs the next instant is pending already, so a deletion in the
// handler reports both. A Register moves the next firing, and with it all that follow: it
// is the new origin. A deletion ends the series; a Register after it, of a timer that
// still lives, begins a new one. The series survives a panic (with Options.OnPanic) and a
// runtime.Goexit in the handler. A period shorter than the wheel's tick fires once a tick.
//
// The timer has no owner, as with [Wheel.AfterFunc]: once deleted it is recycled. On a
// closed wheel Every returns a Timer that is not Valid.
//
// Every panics if f is nil or period is not positive, as time.NewTicker does.
func (w *Wheel) Every(period time.Duration, f func(Timer)) Timer {
	return w.made().every(nil, period, f)
}

func (w *Wheel) every(g *Group, period time.Duration, f func(Timer)) Timer {
	if f == nil {
		reject("timerwheel: Every with a nil handler")
	}
	if period <= 0 {
		reject(fmt.Sprintf("timerwheel: Every with the period %v, which is not positive", period))
	}
	return w.newPending(g, period, &body{f: f, period: int64(period)}, nil)
}

// scheduleNext makes a periodic timer that begins to run pending for its next instant.
func (sh *shard) scheduleNext(i uint32, s *record, period, now int64) {
	s.When = nextInstant(s.When, period, max(s.When, sh.levels.BeginOfTick(now)))
	s.Flags |= onGrid
	sh.link(s)
	sh.insert(i, s, now) // the worker sets the alarm for all of the shard when it lets go of it
}

// skipMissed moves a periodic timer, whose next instant was due while it ran, to the first
// instant that was not. A deadline that a Register has set is not an instant of the period,
// and is not skipped. It returns the time by which the wheel must be awake for it.
func (sh *shard) skipMissed(i uint32, s *record, now int64) (wake int64) {
	sh.levels.Remove(i, s)
	s.When = nextInstant(s.When, sh.bodyOf(i, s).period, sh.levels.BeginOfTick(now))
	return sh.insert(i, s, now)
}

// nextInstant returns the first instant later than after of a period that passes through
// when, which is not later than after; never, if there is none.
func nextInstant(when, period, after int64) int64 {
	periods := (after-when)/period + 1
	if periods > (never-when)/period {
		return never
	}
	return when + periods*period
}
