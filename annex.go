package timerwheel

import (
	"unsafe" // Sizeof

	"github.com/seed76848005/timerwheel/internal/levels"
	"github.com/seed76848005/timerwheel/internal/own"
	"github.com/seed76848005/timerwheel/internal/slab"
)

// This file is what timers have beside their records: a function, and some of them an argument, or
// a place in a group. It lies in an annex to each chunk of records.
//
// A function takes eight bytes, in an array of functions of its type, which is made when the first
// of that type comes. Most chunks have one such array. Interfaces, for functions of any type, would
// take twice as much, and the allocator rounds up, too ("bytes a pending timer" of bench/).

// An annex is beside a chunk of records. The kinds among a record's flags say which array has the
// timer's function.
type annex struct {
	funcs         *[chunkLen]func()
	timerFuncs    *[chunkLen]func(Timer)
	argFuncs      *[chunkLen]func(any)
	timerArgFuncs *[chunkLen]func(Timer, any)
	bodies        *[chunkLen]*body
	firings       *[chunkLen]*own.Firing
	args          *arguments
	memberships   *memberships // membership.go
}

// kinds are the flags that say what a timer's function is.
const kinds = takesTimer | hasArg | hasBody | isOwn

// A body is what is called when a timer with any of the rarer features fires.
type body struct {
	f       any      // func(), func(Timer), func(any) or func(Timer, any)
	arg     any      // of the last two
	bound   *binding // of a lock-bound timer, else nil
	period  int64    // of a periodic timer, ns
	*origin          // with Debug, else nil
}

// arguments are those of a chunk's functions. The runtime puts a word before an object of that size
// that has pointers. With one more word none of the arguments lies across the end of a cache line, as
// every fourth would.
type arguments struct {
	_     [8]byte
	items [chunkLen]any
}

// What giveBack gives back, for the next peak. The items are all nil, or zero.
var (
	spareFuncs         = newSpares[[chunkLen]func()]()
	spareTimerFuncs    = newSpares[[chunkLen]func(Timer)]()
	spareArgFuncs      = newSpares[[chunkLen]func(any)]()
	spareTimerArgFuncs = newSpares[[chunkLen]func(Timer, any)]()
	spareBodies        = newSpares[[chunkLen]*body]()
	spareFirings       = newSpares[[chunkLen]*own.Firing]()
	spareArguments     = newSpares[arguments]()
	spareMemberships   = newSpares[memberships]()
)

func newSpares[T any]() *slab.Spares[T] { return slab.NewSpares(func() *T { return new(T) }) }

// newAnnex makes an annex with room for functions like f. It writes all of that, as newSpareChunk says.
func newAnnex(f any) *annex {
	x := new(annex)
	switch f.(type) {
	case func():
		x.funcs = fresh(spareFuncs)
	case func(Timer):
		x.timerFuncs = fresh(spareTimerFuncs)
	case func(any):
		x.argFuncs, x.args = fresh(spareArgFuncs), freshArguments()
	case func(Timer, any):
		x.timerArgFuncs, x.args = fresh(spareTimerArgFuncs), freshArguments()
	case *body:
		x.bodies = fresh(spareBodies)
	case *own.Firing:
		x.firings = fresh(spareFirings)
	}
	return x
}

// fresh takes an array from the spares, and writes all of it.
func fresh[T any](spares *slab.Spares[[chunkLen]T]) *[chunkLen]T {
	items := spares.Take()
	clear(items[:])
	return items
}

// freshArguments is fresh for arguments.
func freshArguments() *arguments {
	args := spareArguments.Take()
	clear(args.items[:])
	return args
}

// giveBack gives back the storage of an annex in which nothing is.
func (x *annex) giveBack() {
	giveBack(x.funcs, spareFuncs)
	giveBack(x.timerFuncs, spareTimerFuncs)
	giveBack(x.argFuncs, spareArgFuncs)
	giveBack(x.timerArgFuncs, spareTimerArgFuncs)
	giveBack(x.bodies, spareBodies)
	giveBack(x.firings, spareFirings)
	giveBack(x.args, spareArguments)
	giveBack(x.memberships, spareMemberships)
}

func giveBack[T any](items *T, to *slab.Spares[T]) {
	if items != nil {
		to.Give(items)
	}
}

// bytes returns the storage that the annex holds.
func (x *annex) bytes() int64 {
	return int64(unsafe.Sizeof(*x)) + size(x.funcs) + size(x.timerFuncs) + size(x.argFuncs) + size(x.timerArgFuncs) +
		size(x.bodies) + size(x.firings) + size(x.args) + size(x.memberships)
}

// size returns the storage that an array of an annex takes.
func size[T any](items *T) int64 {
	if items == nil {
		return 0
	}
	return int64(unsafe.Sizeof(*items))
}

// made returns an array of an annex of the shard, and makes it if there is none.
func made[T any](sh *shard, items **T, spares *slab.Spares[T]) *T {
	if *items == nil {
		*items = spares.Take()
		sh.annexBytes += size(*items)
	}
	return *items
}

// annex returns the annex that a timer has a part of. It checks that the chunk exists for the reason
// that slab.Slab.At gives.
func (sh *shard) annex(i uint32) *annex {
	x := sh.annexes.Row(i / chunkLen)
	if x == nil {
		panic("timerwheel: a timer in no chunk")
	}
	return x
}

// setFunction gives a new timer its function, and the argument of that, if it has one. It returns the
// flags of its kind.
func (sh *shard) setFunction(i uint32, f, arg any) levels.Flags {
	x, k := sh.annex(i), i%chunkLen
	switch f := f.(type) {
	case func():
		made(sh, &x.funcs, spareFuncs)[k] = f
		return 0
	case func(Timer):
		made(sh, &x.timerFuncs, spareTimerFuncs)[k] = f
		return takesTimer
	case func(any):
		made(sh, &x.argFuncs, spareArgFuncs)[k] = f
		made(sh, &x.args, spareArguments).items[k] = arg
		return hasArg
	case func(Timer, any):
		made(sh, &x.timerArgFuncs, spareTimerArgFuncs)[k] = f
		made(sh, &x.args, spareArguments).items[k] = arg
		return hasArg | takesTimer
	case *own.Firing:
		made(sh, &x.firings, spareFirings)[k] = f
		return isOwn
	default:
		made(sh, &x.bodies, spareBodies)[k] = f.(*body)
		return hasBody
	}
}

// function returns a timer's function, or the *body or the *own.Firing that has it; nil, if there is
// none: the record is free.
func (sh *shard) function(i uint32, s *record) any {
	x, k := sh.annex(i), i%chunkLen
	switch s.Flags & kinds {
	case 0:
		if x.funcs != nil && x.funcs[k] != nil {
			return x.funcs[k]
		}
	case takesTimer:
		if f := x.timerFuncs[k]; f != nil {
			return f
		}
	case hasArg:
		if f := x.argFuncs[k]; f != nil {
			return f
		}
	case hasArg | takesTimer:
		if f := x.timerArgFuncs[k]; f != nil {
			return f
		}
	case hasBody:
		if b := x.bodies[k]; b != nil {
			return b
		}
	case isOwn:
		if x := x.firings[k]; x != nil {
			return x
		}
	}
	return nil
}

// argOf returns the argument of a timer's function; nil, if it has none.
func (sh *shard) argOf(i uint32, s *record) any {
	if s.Flags&hasArg == 0 {
		return nil
	}
	return sh.annex(i).args.items[i%chunkLen]
}

// bodyOf returns a timer's *body; nil if it needs none.
func (sh *shard) bodyOf(i uint32, s *record) *body {
	if s.Flags&hasBody == 0 {
		return nil
	}
	return sh.annex(i).bodies[i%chunkLen]
}

// dropFunction drops the function of a timer that is recycled, and its argument.
func (sh *shard) dropFunction(i uint32, s *record) {
	x, k := sh.annex(i), i%chunkLen
	switch s.Flags & kinds {
	case 0:
		x.funcs[k] = nil
	case takesTimer:
		x.timerFuncs[k] = nil
	case hasArg:
		x.argFuncs[k], x.args.items[k] = nil, nil
	case hasArg | takesTimer:
		x.timerArgFuncs[k], x.args.items[k] = nil, nil
	case hasBody:
		x.bodies[k] = nil
	case isOwn:
		x.firings[k] = nil
	}
}
