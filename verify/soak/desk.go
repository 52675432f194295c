package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// This file counts what is called, and notices when a call does not return.

// A verb is an operation of the API.
type verb int32

const (
	vAlloc verb = iota
	vAllocLocked
	vAfterFunc
	vEvery
	vNewGroup
	vRegister
	vRegisterAt
	vReduce
	vReset
	vStop
	vDel
	vDelSync
	vDelSyncContext
	vDelAsync
	vShutdown
	vRetain
	vFree
	vAsk
	vGroupDelSync
	vGroupDelSyncContext
	vGroupShutdown
	vAdvance
	vObserve
	vClose
	vWheelShutdown
	vAwait
	numVerbs
)

var verbNames = [numVerbs]string{
	"Alloc", "AllocLocked", "AfterFunc", "Every", "NewGroup", "Register", "RegisterAt", "Reduce", "Reset", "Stop", "Del", "DelSync",
	"DelSyncContext", "DelAsync", "ShutdownSync", "Retain", "Free", "Pending, Running, When, Valid, String", "Group.DelSync",
	"Group.DelSyncContext", "Group.ShutdownSync", "Advance", "Stats, Running, Next, Now", "Close", "CloseContext", "(await a firing)",
}

var (
	done     [numVerbs]atomic.Int64 // operations, by verb
	handlers atomic.Int64           // handlers begun
)

func operations() (n int64) {
	for v := range done {
		n += done[v].Load()
	}
	return n
}

// A desk is where one goroutine says what it is at. Handlers have none: one that
// hangs keeps somebody waiting who has.
type desk struct {
	name  string
	verb  atomic.Int32
	since atomic.Int64 // ns since the beginning of the run; 0: at nothing
}

var desks struct {
	sync.Mutex
	all map[*desk]bool
}

func newDesk(name string) *desk {
	d := &desk{name: name}
	desks.Lock()
	defer desks.Unlock()
	if desks.all == nil {
		desks.all = map[*desk]bool{}
	}
	desks.all[d] = true
	return d
}

func (d *desk) leave() {
	desks.Lock()
	defer desks.Unlock()
	delete(desks.all, d)
}

// count counts an operation of who has no desk.
func count(v verb) { done[v].Add(1) }

// on says that an operation begins.
func (d *desk) on(v verb) {
	count(v)
	if d != nil {
		d.verb.Store(int32(v))
		d.since.Store(int64(time.Since(begin)))
	}
}

// off says that it has ended.
func (d *desk) off() {
	if d != nil {
		d.since.Store(0)
	}
}

// watch ends the program if an operation takes longer than patience.
func watch(patience time.Duration, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
		}
		desks.Lock()
		for d := range desks.all {
			since := time.Duration(d.since.Load())
			if took := time.Since(begin) - since; since != 0 && took > patience {
				fmt.Printf("\nSTUCK: %s has been at %s for %v\n\n", d.name, verbNames[d.verb.Load()], took.Round(time.Second))
				buf := make([]byte, 64<<20)
				os.Stdout.Write(buf[:runtime.Stack(buf, true)])
				os.Exit(2)
			}
		}
		desks.Unlock()
	}
}
