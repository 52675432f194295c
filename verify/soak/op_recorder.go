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
	vRegisterIdle
	vTouch
	vReset
	vStop
	vDel
	vDelSync
	vDelSyncContext
	vDelAsync
	vShutdown
	vShutdownSync
	vShutdownSyncContext
	vReleaseLock
	vRetain
	vFree
	vAsk
	vGroupDel
	vGroupDelSync
	vGroupDelSyncContext
	vGroupShutdown
	vGroupShutdownSync
	vGroupShutdownSyncContext
	vClock
	vAdvance
	vObserve
	vClose
	vCloseContext
	vAwait
	numVerbs
)

var verbNames = [numVerbs]string{
	"Alloc", "AllocLocked", "AfterFunc", "Every", "NewGroup", "Register", "RegisterAt", "Reduce", "RegisterIdle", "Touch (100)", "Reset", "Stop",
	"Del", "DelSync", "DelSyncContext", "DelAsync", "Shutdown", "ShutdownSync", "ShutdownSyncContext",
	"ReleaseLock", "Retain", "Free", "Pending, Running, When, Valid, String",
	"Group.Del", "Group.DelSync", "Group.DelSyncContext", "Group.Shutdown", "Group.ShutdownSync", "Group.ShutdownSyncContext",
	"(stdtime, timerctx)", "Advance", "Stats, Running, Next, Now", "Close", "CloseContext", "(await a firing)",
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

// An opRecorder says which operation one goroutine is in. Handlers have none: one that
// hangs keeps a goroutine waiting that has one. A nil opRecorder only counts.
type opRecorder struct {
	name  string
	verb  atomic.Int32
	since atomic.Int64 // ns since the start; 0: in none
}

var opRecorders struct {
	sync.Mutex
	all map[*opRecorder]bool
}

func newOpRecorder(name string) *opRecorder {
	rec := &opRecorder{name: name}
	opRecorders.Lock()
	defer opRecorders.Unlock()
	if opRecorders.all == nil {
		opRecorders.all = map[*opRecorder]bool{}
	}
	opRecorders.all[rec] = true
	return rec
}

// remove ends the recorder with its goroutine.
func (rec *opRecorder) remove() {
	opRecorders.Lock()
	defer opRecorders.Unlock()
	delete(opRecorders.all, rec)
}

// do runs an operation.
func (rec *opRecorder) do(v verb, f func()) {
	done[v].Add(1)
	if rec != nil {
		rec.verb.Store(int32(v))
		rec.since.Store(int64(time.Since(started)))
		defer rec.since.Store(0)
	}
	f()
}

// watch ends the program if an operation takes longer than the limit.
func watch(limit time.Duration, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
		}
		opRecorders.Lock()
		for rec := range opRecorders.all {
			since := time.Duration(rec.since.Load())
			if took := time.Since(started) - since; since != 0 && took > limit {
				fmt.Printf("\nSTUCK: %s has been in %s for %v\n\n", rec.name, verbNames[rec.verb.Load()], took.Round(time.Second))
				buf := make([]byte, 64<<20)
				os.Stdout.Write(buf[:runtime.Stack(buf, true)])
				os.Exit(2)
			}
		}
		opRecorders.Unlock()
	}
}
