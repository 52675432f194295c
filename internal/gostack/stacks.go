// Package gostack reads what the runtime prints of goroutines: their numbers and their
// stacks.
package gostack

import (
	"iter"
	"reflect"
	"runtime"
	"strings"
)

// ID returns the number of the calling goroutine, as stack traces give it. Go has no
// interface for that except the first line of a stack trace, which costs about a
// microsecond.
func ID() uint64 {
	var buf [64]byte
	return IDOf(buf[:runtime.Stack(buf[:], false)])
}

// IDOf returns the number of the goroutine that has this stack.
func IDOf[T string | []byte](stack T) (id uint64) {
	for k := len("goroutine "); k < len(stack) && '0' <= stack[k] && stack[k] <= '9'; k++ {
		id = id*10 + uint64(stack[k]-'0')
	}
	return id
}

// All returns the stacks of all goroutines, by their numbers. It stops the program
// while the runtime writes them.
func All() map[uint64]string {
	buf := make([]byte, 1<<16)
	n := runtime.Stack(buf, true)
	for n == len(buf) && n < 1<<26 {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	all := make(map[uint64]string)
	for stack := range strings.SplitSeq(string(buf[:n]), "\n\n") {
		all[IDOf(stack)] = stack
	}
	return all
}

// calls yields the calls in a stack, the innermost first: function, and file:line. It
// leaves out where the goroutine was created.
func calls(stack string) iter.Seq2[string, string] {
	return func(yield func(function, site string) bool) {
		function := ""
		for line := range strings.Lines(stack) {
			line = strings.TrimSuffix(line, "\n")
			site, indented := strings.CutPrefix(line, "\t")
			switch {
			case strings.HasPrefix(line, "created by "):
				return
			case !indented:
				function = line[:max(0, strings.LastIndexByte(line, '('))] // without its arguments
				continue
			}
			site, _, _ = strings.Cut(site, " +0x")
			if function != "" && !yield(function, site) {
				return
			}
		}
	}
}

// Innermost returns the innermost call in a stack that is in neither the library nor the
// standard library, which is the code that the reader of the stack knows: its function,
// and file:line. "" if there is none.
func Innermost(stack string) string {
	for function, site := range calls(stack) {
		if !Library(function, site) && !standard(function, site) {
			return function + " " + site
		}
	}
	return ""
}

// Site returns file:line of where a function is in a stack; "" if it is not.
func Site(stack, name string) string {
	for function, site := range calls(stack) {
		if function == name {
			return site
		}
	}
	return ""
}

// library is the import path of package timerwheel.
var library = strings.TrimSuffix(reflect.TypeFor[marker]().PkgPath(), "/internal/gostack")

type marker struct{}

// Library reports whether a function is part of the library: of package timerwheel or of
// a package internal to it, except for their tests.
func Library(function, site string) bool {
	rest, ok := strings.CutPrefix(function, library)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "/internal/")) && !strings.Contains(site, "_test.go:")
}

// goTree is the directory of the standard library when the program was built; "" in a
// program that does not say (-trimpath).
var goTree = func() string {
	pc := reflect.ValueOf(runtime.GC).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	tree, _, _ := strings.Cut(file, "runtime/mgc.go")
	return tree
}()

// standard reports whether a function is of the standard library. In a program that does
// not say where that was, files are named by import paths, and those of the standard
// library have no dot in their first element.
func standard(function, site string) bool {
	if goTree != "" {
		return strings.HasPrefix(site, goTree)
	}
	first, _, _ := strings.Cut(site, "/")
	return !strings.Contains(first, ".") && !strings.HasPrefix(function, "main.")
}
