package timerwheel

import (
	"iter"
	"reflect"
	"runtime"
	"strings"
)

// This file reads the stacks that the runtime prints.

// stacks returns the stacks of all goroutines, by their numbers.
func stacks() map[uint64]string {
	buf := make([]byte, 1<<16)
	n := runtime.Stack(buf, true)
	for n == len(buf) && n < 1<<26 {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	all := make(map[uint64]string)
	for stack := range strings.SplitSeq(string(buf[:n]), "\n\n") {
		all[goidOf(stack)] = stack
	}
	return all
}

// calls yields the calls in a stack, the innermost first: function, and
// file:line. Where the goroutine was created is none of them.
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

// innermost returns the innermost call in a stack that is neither ours nor the
// standard library's, which is where its reader knows his way: its function,
// and file:line. "" if there is none.
func innermost(stack string) string {
	for function, site := range calls(stack) {
		if !ours(function, site) && !ofGo(function, site) {
			return function + " " + site
		}
	}
	return ""
}

// inStack returns file:line of where a function is in a stack; "" if it is not.
func inStack(stack, name string) string {
	for function, site := range calls(stack) {
		if function == name {
			return site
		}
	}
	return ""
}

// pkg is the import path of this package, as function names begin with it.
var pkg = reflect.TypeFor[Wheel]().PkgPath() + "."

// ours reports whether a function is of this package, its tests aside.
func ours(function, site string) bool {
	return strings.HasPrefix(function, pkg) && !strings.Contains(site, "_test.go:")
}

// goTree is where the standard library was when the program was built; "" in a
// program that does not tell (-trimpath).
var goTree = func() string {
	pc := reflect.ValueOf(runtime.GC).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	tree, _, _ := strings.Cut(file, "runtime/mgc.go")
	return tree
}()

// ofGo reports whether a function is of the standard library. In a program that
// does not tell where that was, files are named by import paths, and of these the
// library's have no dot in their first element.
func ofGo(function, site string) bool {
	if goTree != "" {
		return strings.HasPrefix(site, goTree)
	}
	first, _, _ := strings.Cut(site, "/")
	return !strings.Contains(first, ".") && !strings.HasPrefix(function, "main.")
}
