package timerwheel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/seed76848005/timerwheel/internal/gostack"
)

// This file makes a panic of the library's own the end of the program. Such a panic means that an
// invariant is broken, and it may have left a lock held: what ran on would hang.
//
// Deferred functions of the library run while a panic is on its way. Those that would lock first
// ask whose panic it is. Panics of the user's functions pass as they always did.

// crash ends the program with the value of a panic and the trace of the caller's goroutine. It
// panics on a goroutine of its own, where no caller recovers. It does not return.
func crash(v any) {
	text := fmt.Sprintf("%v [in timerwheel itself]\n\n%s", v, debug.Stack())
	go func() { panic(text) }()
	select {}
}

// crashOnPanic is deferred in code that calls no function of the user's.
func crashOnPanic() {
	if v := recover(); v != nil {
		crash(v)
	}
}

// guard is deferred in the user's verbs, whose critical sections end in more than one place, or
// after which a function of the user's may be called (OnNext, OnMisuse): its panic, and a
// reject, pass.
func guard() {
	if v := recover(); v != nil {
		if panickedInLibrary() {
			crash(v)
		}
		panic(v)
	}
}

// end is unlock, to be deferred.
func (sh *shard) end() {
	if v := recover(); v != nil {
		crash(v)
	}
	sh.unlock()
}

// reject panics because of a mistake of the caller's, which breaks nothing. The caller holds no lock.
func reject(text string) { panic(text) }

// panickedInLibrary reports, in a deferred function, whether the panic that is on its way began in
// the library, though a handler may have called it, and is no reject.
func panickedInLibrary() bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for panicked := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && f.Function == gostack.Path+".guard": // it lets a panic of the user's pass
			panicked = false
		case panicked && (f.Function == gostack.Path+".call" || f.Function == gostack.Path+".(*worker).callUser"):
			return false // a helper's function that the user gave us, wg.Done for instance
		case panicked && !isHelper(f.Function):
			return gostack.Library(f.Function, f.File+":") && !strings.HasSuffix(f.Function, ".reject")
		}
		if !more {
			return false
		}
	}
}

// isHelper reports whether a function belongs to the packages in which the library's panics may begin.
func isHelper(function string) bool {
	for _, pkg := range []string{"runtime.", "sync.", "internal/sync.", "container/list.", "slices."} {
		if strings.HasPrefix(function, pkg) {
			return true
		}
	}
	return false
}
