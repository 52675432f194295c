package timerwheel

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

// This file is what Options.Debug remembers: where timers come from, and where
// they go.

// An origin says what a timer is for and where it was used. The shard's lock guards
// it until the timer is recycled; then nobody writes it any more.
type origin struct {
	handler    uintptr // its code
	allocated  callers
	registered callers // the last Register
	freed      callers // the last Free
	removed    callers // the deletion that removed its last firing, if one did
}

// callers are the innermost return addresses of a call of ours. What they mean
// is looked up when somebody asks.
type callers [8]uintptr

func here() (c callers) {
	runtime.Callers(2, c[:])
	return c
}

// String returns file:line of the innermost caller outside this package, or ""
// if there was no call.
func (c callers) String() string {
	if c[0] == 0 {
		return ""
	}
	frames := runtime.CallersFrames(c[:])
	for {
		f, more := frames.Next()
		site := fmt.Sprintf("%s:%d", f.File, f.Line)
		if !ours(f.Function, site) || !more {
			return site
		}
	}
}

// signed adds to the body of a new timer, with Debug, where that was allocated.
func (w *Wheel) withOrigin(f, arg any) any {
	if !w.debug {
		return f
	}
	b, ok := f.(*body)
	if !ok {
		b = &body{f: f, arg: arg}
	}
	b.origin = &origin{handler: code(b.f), allocated: here()}
	return b
}

// sign remembers, with Debug, where a timer was registered.
func (sh *shard) recordRegister(i uint32, s *record) {
	b := sh.bodyOf(i, s)
	b.registered, b.removed = here(), callers{}
}

// signFree remembers, with Debug, where a timer was freed.
func (sh *shard) recordFree(i uint32, s *record) { sh.bodyOf(i, s).freed = here() }

// signRemoval remembers, with Debug, where a timer's firing was removed.
func (sh *shard) recordRemoval(i uint32, s *record) { sh.bodyOf(i, s).removed = here() }

// origin says where a timer was allocated and registered, as far as is known.
func (sh *shard) origin(i uint32, s *record) origin {
	if b := sh.bodyOf(i, s); b != nil && b.origin != nil {
		return *b.origin
	}
	return origin{}
}

// code returns the code of a function, by which one is told from another.
func code(f any) uintptr { return reflect.ValueOf(f).Pointer() }

// codeName returns the name of the function whose code that is.
func codeName(pc uintptr) string {
	return strings.TrimSuffix(runtime.FuncForPC(pc).Name(), "-fm") // which a method bound to its receiver has
}

// functionName returns a function's name, and where it is written, as far as that
// is known.
func functionName(f any, stack string) string {
	return strings.TrimSpace(codeName(code(f)) + " " + functionSite(f, stack))
}

// functionSite returns where a function is written, as file:line. A method that
// was bound to its receiver does not tell: then it is where the stack, in which it
// runs, says that it is now.
func functionSite(f any, stack string) string {
	fn := runtime.FuncForPC(code(f))
	if strings.HasSuffix(fn.Name(), "-fm") {
		return inStack(stack, codeName(code(f)))
	}
	file, line := fn.FileLine(fn.Entry())
	return fmt.Sprintf("%s:%d", file, line)
}
