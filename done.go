package timerwheel

import (
	"reflect"
	"runtime"
	"slices"

	"github.com/seed76848005/timerwheel/internal/hook"
)

// This file calls the done of a DelAsync that need not wait, on a goroutine of its own.
//
// Close waits for that goroutine, so it must find out whether that is its caller. To make the
// goroutine a member costs several times what the goroutine costs, as its number is hard to find
// out (members.go; BenchmarkDelAsyncIdle shows what this saves). So it is only counted
// (Wheel.dones), and the frames of its stack spell the number of its wheel, one bit each. Only a
// call that must know reads them (inDone).

// callDone calls the done of a DelAsync that need not wait: on a goroutine of the wheel,
// or, as a Manual wheel has none, in this one. Close does not wait for a done that comes
// after it.
func (w *Wheel) callDone(done func()) {
	counted := w.addDone()
	switch {
	case w.manual && counted:
		runDone(w, done)
	case w.manual:
		w.runAsMember(done)
	case counted:
		go func() {
			hook.Begins("a call by the wheel")
			resetLabels()
			runDone(w, done)
		}()
	default:
		goUnlabelled(done)
	}
}

// goUnlabelled calls f on a goroutine that is not the wheel's.
func goUnlabelled(f func()) {
	go func() {
		resetLabels()
		f()
	}()
}

// addDone counts a done that is to be called, unless the wheel is closed.
func (w *Wheel) addDone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.dones++
	}
	return !w.closed
}

// runDone calls a done that addDone has counted.
//
//go:noinline
func runDone(w *Wheel, done func()) {
	defer w.doneEnded() // deferred: a Goexit ends it, too
	spell(w.number, done)
}

// doneEnded counts the end of a done.
func (w *Wheel) doneEnded() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dones--
	w.noteDeserted()
}

// spell calls done below frames of spellZero and spellOne: the bits of a number, the highest
// innermost.
func spell(number uint64, done func()) {
	switch {
	case number == 0:
		done()
	case number&1 == 0:
		spellZero(number>>1, done)
	default:
		spellOne(number>>1, done)
	}
}

//go:noinline
func spellZero(rest uint64, done func()) { spell(rest, done) }

//go:noinline
func spellOne(rest uint64, done func()) { spell(rest, done) }

// inDone reports whether the caller is in a done that the wheel calls. There may be dones of
// several wheels on one stack: those of Manual wheels.
func (w *Wheel) inDone() bool {
	number := uint64(0)
	frames := runtime.CallersFrames(callerPCs())
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		switch f.Entry {
		case entries.zero:
			number <<= 1
		case entries.one:
			number = number<<1 | 1
		case entries.runDone:
			if number == w.number {
				return true
			}
			number = 0
		}
	}
	return false
}

// callerPCs returns the whole stack.
func callerPCs() []uintptr {
	pcs := make([]uintptr, 64)
	for {
		if n := runtime.Callers(0, pcs); n < len(pcs) {
			return pcs[:n]
		}
		pcs = slices.Grow(pcs, len(pcs))[:2*len(pcs)]
	}
}

// entries are the functions that inDone knows, as runtime.Frame gives them.
var entries = struct{ runDone, zero, one uintptr }{entryOf(runDone), entryOf(spellZero), entryOf(spellOne)}

func entryOf(f any) uintptr { return reflect.ValueOf(f).Pointer() }
