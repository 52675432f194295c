package timerwheel

import (
	"time"
	"unsafe" // Sizeof

	"github.com/seed76848005/timerwheel/internal/hook"
	"github.com/seed76848005/timerwheel/internal/levels"
)

// This file is idle timeouts: timers that fire when they have not been touched for a while.
//
// A Touch leaves a mark in the timer's word (word.go), and nothing else. The wheel looks at an idle
// timer each eighth of its period. If it finds the mark it removes it, and the deadline is that look
// plus the period: so a busy connection costs eight looks a period, however often it is touched. Between
// two looks the timer stands in a bucket that is emptied in time for the next one.
//
// On a Manual wheel the mark also says before which Advance the timer was touched, as time passes
// there between two looks at once.

const (
	looksAPeriod = 8

	touched    = 1 << 29     // in the word
	advanceMax = touched - 1 // of the number of the Advance, which wraps around
)

// idleWord returns the word of an idle timer that was not touched.
func idleWord(gen uint32) uint64 { return uint64(gen)<<genShift | idleKind }

// RegisterIdle arms the timer as an idle timeout, or moves it: its handler starts when d has passed
// since the last [Timer.Touch], or since RegisterIdle. It never starts earlier. While a worker is free
// it starts at most d/8 and two ticks plus the scheduler's delay later; where d is less than eight
// ticks, as late as with Register. d <= 0 means now, touched or not.
//
// Register, RegisterAt, RegisterWithin, Reset, a Move and a Reduce that moves it make it an
// ordinary timer again. Everything else is as with Register: the errors, deletions, locks, what
// happens before the handler's start. A handler may call RegisterIdle of its own timer again. On
// a periodic timer it moves the next firing. [Timer.When] is the earliest time at which the
// timer can fire as things stand.
//
// The errors are ErrStale, ErrShutdown, ErrDeleting and ErrClosed. RegisterIdle costs what Register
// costs under its lock. The wheel then looks at the timer each d/8, whether it is touched or not: for idle timeouts of a minute, 133 looks a second for a thousand timers.
//
// (No kernel has it. Protocol stacks that set a flag or the time of the last activity, and look at
// it when the timer fires, are half of it.)
func (t Timer) RegisterIdle(d time.Duration) error {
	_, err := t.register(d, 0, idling)
	return err
}

// Touch says that the timer's user was active. If it returns true, the handler does not start
// before d, of RegisterIdle, has passed since the call began. A timer that is due, and waits for a
// worker or a lock, can still be touched: when its turn comes, the handler starts d later. (d counts
// from that turn: the wheel does not look at timers in line, and a Touch reads no clock.)
//
// If it returns false the timer is not pending as an idle timeout, and nothing was changed: its
// handler has begun, or it was deleted, or moved by another Register, or recycled. So a reader that
// gets a byte at the last moment knows whether the timeout has won.
//
// Touch takes no lock, reads no clock and allocates nothing. It takes a few nanoseconds, and only
// the first Touch after a look writes: so several goroutines may touch one timer at once. A Touch does
// not synchronize: what happens before it need not happen before the handler's start.
func (t Timer) Touch() bool {
	if t.w == nil {
		return false
	}
	x := t.word()
	if x == nil {
		return false
	}
	hook.At("before the load of a Touch")
	idle := idleWord(uint32(t.id >> genShift))
	mark := idle | touched | t.wheel().advances.Load()
	for {
		word := x.Load()
		if word&^(touched|advanceMax) != idle {
			return false
		}
		if word == mark {
			return true
		}
		hook.At("between the load and the swap of a Touch")
		if x.CompareAndSwap(word, mark) {
			return true
		}
	}
}

// armIdle makes a timer an idle one, pending, or moves it if it is one. The word of an idle timer
// stays open: it is one all the time, and a mark that is found later was made before this call had
// its effect, or after. As now was read before the lock was taken, a look may have removed the mark of a
// later Touch since: d counts from that.
func (sh *shard) armIdle(i uint32, s *record, d time.Duration, now int64) (was bool) {
	c := sh.words(i / chunkLen)
	if c.periods == nil {
		c.periods = new([chunkLen]int64)
		sh.wordBytes += int64(unsafe.Sizeof(*c.periods))
	}
	word, period, from := &c.words[i%chunkLen], &c.periods[i%chunkLen], now
	if word.Load()&kindMask != idleKind {
		sh.shut(i, s)
	} else if d > 0 {
		from = max(now, s.When-*period)
	}
	was = s.Flags&pending != 0
	*period = int64(max(d, 0))
	s.Flags |= levels.Open
	sh.move(i, s, after(from, d), now)
	if word.Load() == closedWord {
		word.Store(idleWord(s.Gen))
	}
	return was
}

// touchedBy returns a time that is not before the Touch that left its mark in a word, and not
// much later. So the clock is read after the mark has been removed. On a Manual wheel, a Touch
// before this Advance was made at the time of the one before, or earlier: not much, unless a panic
// has ended that one before it could look.
func (sh *shard) touchedBy(word uint64) int64 {
	w := sh.w
	if w.manual && word&advanceMax != w.advances.Load() {
		return w.beforeAdvance
	}
	return w.elapsed()
}
