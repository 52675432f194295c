// Package gostack reads what the runtime prints of goroutines: their numbers and their
// stacks.
package gostack

import (
	"bytes"
	"iter"
	"reflect"
	"runtime"
	"slices"
	"strings"
)

// ID returns the number of the calling goroutine, as stack traces give it. Go has no
// interface for that except the first line of a stack trace, which costs about a
// microsecond.
func ID() uint64 {
	var buf [64]byte
	return IDOf(buf[:runtime.Stack(buf[:], false)])
}

// Bubble returns the number of the calling goroutine's bubble of testing/synctest, as stack
// traces give it; 0, if it runs in none. A new goroutine, which runs in its creator's bubble, is
// asked in the caller's place: a stack trace costs as much as the stack is deep, and the new
// one's is not.
func Bubble() uint64 {
	number := make(chan uint64, 1)
	go func() {
		var buf [128]byte
		number <- bubbleOf(string(buf[:runtime.Stack(buf[:], false)]))
	}()
	return <-number
}

// bubbleOf returns the number of the bubble that the first line of a stack names.
func bubbleOf(stack string) uint64 {
	header, _, _ := strings.Cut(stack, "]")
	_, number, _ := strings.Cut(header, "synctest bubble ")
	return leadingNumber(number)
}

// IDOf returns the number of the goroutine that has this stack.
func IDOf[T string | []byte](stack T) (id uint64) {
	return leadingNumber(stack[min(len("goroutine "), len(stack)):])
}

// leadingNumber returns the number with which a text begins; 0, if it begins with none.
func leadingNumber[T string | []byte](text T) (n uint64) {
	for k := 0; k < len(text) && '0' <= text[k] && text[k] <= '9'; k++ {
		n = n*10 + uint64(text[k]-'0')
	}
	return n
}

// A Dumper takes the stacks of all goroutines. Each try stops the program while the runtime
// writes them, so a Dumper makes its buffer large enough at once: it knows how many goroutines
// there are, and remembers how long a stack was in its last dump. The zero Dumper is ready.
type Dumper struct {
	each int // bytes that a stack took in the last dump
}

const (
	usualStack = 1 << 10 // bytes, before there was a dump
	maxDump    = 1 << 26
)

// Dump returns the stacks of all goroutines. Stacks beyond 64 MB are missing.
func (d *Dumper) Dump() Dump {
	goroutines := runtime.NumGoroutine()
	each := max(d.each, usualStack)
	buf := make([]byte, min(maxDump, 1<<16+goroutines*each*5/4))
	n := runtime.Stack(buf, true)
	for n == len(buf) && n < maxDump { // the stacks have become longer
		buf = make([]byte, min(maxDump, 2*len(buf)))
		n = runtime.Stack(buf, true)
	}
	d.each = n / goroutines
	return Dump(buf[:n])
}

// A Dump is the stacks of all goroutines at one moment.
type Dump []byte

// All yields the stacks in a dump, with the numbers of their goroutines. A stack is a part of the
// dump, and keeps all of it in memory: copy what you keep.
func (d Dump) All() iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		for stack := range bytes.SplitSeq(d, []byte("\n\n")) {
			if !yield(IDOf(stack), stack) {
				return
			}
		}
	}
}

// Waits reports whether the goroutine that has this stack waits for something: it neither runs nor
// could run, nor waits for the collector.
func Waits(stack []byte) bool {
	_, state, _ := bytes.Cut(stack, []byte(" ["))
	for _, active := range []string{"runn", "preempted", "copystack", "GC "} {
		if bytes.HasPrefix(state, []byte(active)) {
			return false
		}
	}
	return true
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

// Path is the import path of package timerwheel.
var Path = strings.TrimSuffix(reflect.TypeFor[marker]().PkgPath(), "/internal/gostack")

type marker struct{}

// Library reports whether a function is part of the library: of package timerwheel or of
// a package internal to it, except for their tests.
func Library(function, site string) bool {
	rest, ok := strings.CutPrefix(function, Path)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "/internal/")) && !strings.Contains(site, "_test.go:")
}

// Ours reports whether a function is part of the library, or of one of the packages beside it that
// make timers for their callers, except for their tests.
func Ours(function, site string) bool {
	if Library(function, site) {
		return true
	}
	rest, ok := strings.CutPrefix(function, Path)
	beside := func(name string) bool { return strings.HasPrefix(rest, "/"+name+".") }
	return ok && slices.ContainsFunc([]string{"stdtime", "timerctx", "keyed"}, beside) && !strings.Contains(site, "_test.go:")
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
