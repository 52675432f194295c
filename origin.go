package timerwheel

import (
	"fmt"
	"path"
	"reflect"
	"runtime"
	"strings"

	"github.com/seed76848005/timerwheel/internal/gostack"
	"github.com/seed76848005/timerwheel/internal/own"
)

// This file is what Options.Debug remembers of a timer, or of one of many (Options.DebugEvery):
// where it was allocated and used.

// An origin says what a timer is for and where it was used. The shard's lock guards it
// until the timer is recycled; after that it is never written.
type origin struct {
	handler    uintptr // its code
	allocated  callers
	registered callers // the last Register
	freed      callers // the last Free
	removed    callers // the deletion that removed its last firing, if one did
}

// callers are the innermost return addresses of a call of ours. They are translated to a
// file and line only when that is asked for.
type callers [8]uintptr

func here() (c callers) {
	runtime.Callers(2, c[:])
	return c
}

// String returns file:line of the innermost caller that is the user's, neither of this package nor of
// stdtime, timerctx or keyed; "" if there was no call.
func (c callers) String() string {
	_, site := c.user()
	return site
}

// place returns its function, file:line.
func (c callers) place() string {
	function, site := c.user()
	return strings.TrimSpace(function + " " + site)
}

// user returns the function and file:line of the innermost caller that is the user's.
func (c callers) user() (function, site string) {
	if c[0] == 0 {
		return "", ""
	}
	frames := runtime.CallersFrames(c[:])
	for {
		f, more := frames.Next()
		site := fmt.Sprintf("%s:%d", f.File, f.Line)
		if !gostack.Ours(f.Function, site) || !more {
			return f.Function, site
		}
	}
}

// withOrigin adds to the body of a new timer, with Debug, where the timer was allocated,
// and makes its handler show in profiles.
func (w *Wheel) withOrigin(f, arg any) any {
	if !w.debug || !w.remembersNext() {
		return f
	}
	b, ok := f.(*body)
	if !ok {
		b = &body{f: f, arg: arg}
	}
	b.origin = &origin{handler: handlerCode(b.f, b.arg), allocated: here()}
	b.f = w.instrumented(b.origin.handler, b.f, b.arg) // b.arg stays: an own firing is handed over
	return b
}

// remembersNext reports whether, with Debug, the timer that is about to be made is one of which an
// origin is kept: one of each Options.DebugEvery, not always the same of them.
func (w *Wheel) remembersNext() bool {
	every := w.debugEvery
	if every == 1 {
		return true
	}
	const spread = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio: its multiples are scattered
	n := w.debugMade.Add(1) - 1
	return n%every == n/every*spread>>32%every
}

// originOf returns where the origin of a timer is kept; nil, if it is not. Of an own firing (own.go)
// none is.
func (sh *shard) originOf(i uint32, s *record) *origin {
	if b := sh.bodyOf(i, s); b != nil {
		return b.origin
	}
	return nil
}

// recordRegister remembers, with Debug, where a timer was registered.
func (sh *shard) recordRegister(i uint32, s *record) {
	if o := sh.originOf(i, s); o != nil {
		o.registered, o.removed = here(), callers{}
	}
}

// recordFree remembers, with Debug, where a timer was freed.
func (sh *shard) recordFree(i uint32, s *record) {
	if o := sh.originOf(i, s); o != nil {
		o.freed = here()
	}
}

// recordRemoval remembers, with Debug, where a timer's firing was removed.
func (sh *shard) recordRemoval(i uint32, s *record) {
	if o := sh.originOf(i, s); o != nil {
		o.removed = here()
	}
}

// origin returns where a timer was allocated and used, as far as is known: its handler is.
func (sh *shard) origin(i uint32, s *record) origin {
	if o := sh.originOf(i, s); o != nil {
		return *o
	}
	return origin{handler: sh.handlerOf(i, s)}
}

// handlerOf returns the code of a timer's handler.
func (sh *shard) handlerOf(i uint32, s *record) uintptr {
	if o := sh.originOf(i, s); o != nil {
		return o.handler
	}
	if b := sh.bodyOf(i, s); b != nil {
		return handlerCode(b.f, b.arg)
	}
	return handlerCode(sh.function(i, s), sh.argOf(i, s))
}

// handlerCode returns the code of a handler: of the user's function, where one of the library's
// own packages calls it.
func handlerCode(f, arg any) uintptr {
	if x, ok := arg.(*own.Firing); ok && x.User != nil {
		return code(x.User)
	}
	return code(f)
}

// code returns the code of a function, which tells it from others.
func code(f any) uintptr { return reflect.ValueOf(f).Pointer() }

// codeName returns the name of the function that has this code.
func codeName(pc uintptr) string {
	return strings.TrimSuffix(runtime.FuncForPC(pc).Name(), "-fm") // which a method bound to its receiver has
}

// functionName returns the name of the function that has this code, and where it is
// written, as far as that is known.
func functionName(pc uintptr, stack string) string {
	return strings.TrimSpace(codeName(pc) + " " + functionSite(pc, stack))
}

// functionSite returns where a function is written, as file:line. Of a method that was
// bound to its receiver that is not known: then it is where the stack, in which the method
// runs, says that it is now.
func functionSite(pc uintptr, stack string) string {
	fn := runtime.FuncForPC(pc)
	if strings.HasSuffix(fn.Name(), "-fm") {
		return gostack.Site(stack, codeName(pc))
	}
	file, line := fn.FileLine(fn.Entry())
	return fmt.Sprintf("%s:%d", file, line)
}

// A logLine is written clause by clause. A clause about which nothing is known is left out.
type logLine struct{ strings.Builder }

func (l *logLine) clause(before, what string) {
	if what != "" {
		l.WriteString(before + brief(what))
	}
}

// brief shortens a site for a log line: of the path at its end, the last two elements
// remain.
func brief(site string) string {
	function, file := "", site
	if k := strings.LastIndexByte(site, ' '); k >= 0 {
		function, file = site[:k+1], site[k+1:]
	}
	dir, base := path.Split(file)
	return function + path.Join(path.Base(dir), base)
}
