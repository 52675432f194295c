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

// pkg is the import path of this package, as function names begin with it.
var pkg = reflect.TypeFor[Wheel]().PkgPath() + "."

// String returns file:line of the innermost caller outside this package, or ""
// if there was no call.
func (c callers) String() string {
	if c[0] == 0 {
		return ""
	}
	frames := runtime.CallersFrames(c[:])
	for {
		f, more := frames.Next()
		ours := strings.HasPrefix(f.Function, pkg) && !strings.HasSuffix(f.File, "_test.go")
		if !ours || !more {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
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

// functionName returns a function's name, and where it is written.
func functionName(f any) string {
	fn := runtime.FuncForPC(reflect.ValueOf(f).Pointer())
	file, line := fn.FileLine(fn.Entry())
	return fmt.Sprintf("%s %s:%d", fn.Name(), file, line)
}
