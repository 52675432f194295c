package timerwheel

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

// This file is what Options.Debug remembers: where timers come from.

// An origin says where a timer was allocated, and where it was registered last.
type origin struct{ allocated, registered callers }

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
func (w *Wheel) signed(f, arg any) any {
	if !w.debug {
		return f
	}
	b, ok := f.(*body)
	if !ok {
		b = &body{f: f, arg: arg}
	}
	b.origin = &origin{allocated: here()}
	return b
}

// sign remembers, with Debug, where a timer was registered.
func (sh *shard) sign(i uint32, s *slot) { sh.bodyOf(i, s).registered = here() }

// origin says where a timer was allocated and registered, as far as is known.
func (sh *shard) origin(i uint32, s *slot) origin {
	if b := sh.bodyOf(i, s); b != nil && b.origin != nil {
		return *b.origin
	}
	return origin{}
}

// explain adds to an error, with Debug, where the timer came from that it is
// about.
func (sh *shard) explain(err error, i uint32, s *slot) error {
	if !sh.w.debug || s == nil {
		return err
	}
	from := sh.origin(i, s)
	if from.registered == (callers{}) {
		return fmt.Errorf("%w (allocated at %v)", err, from.allocated)
	}
	return fmt.Errorf("%w (allocated at %v, registered at %v)", err, from.allocated, from.registered)
}

// functionName returns a function's name.
func functionName(f any) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return strings.TrimSuffix(name, "-fm") // which is what a method bound to its receiver is called
}

// functionSite returns where a function is written, as file:line. A method that
// was bound to its receiver does not tell: then it is where the stack, in which it
// runs, says that it is now.
func functionSite(f any, stack string) string {
	fn := runtime.FuncForPC(reflect.ValueOf(f).Pointer())
	if strings.HasSuffix(fn.Name(), "-fm") {
		return inStack(stack, functionName(f))
	}
	file, line := fn.FileLine(fn.Entry())
	return fmt.Sprintf("%s:%d", file, line)
}
