package main

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// press disturbs everybody: it makes garbage, collects it, and changes the
// number of processors, for which wheels are made with fewer or more shards.
func press(stop <-chan struct{}) {
	procs := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(procs)
	for {
		select {
		case <-stop:
			return
		case <-time.After(rand.N(100 * time.Millisecond)):
		}
		disturb(procs)
	}
}

var pressing sync.Mutex // held meanwhile: who measures the heap wants calm

func disturb(procs int) {
	pressing.Lock()
	defer pressing.Unlock()
	switch rand.IntN(8) {
	case 0:
		runtime.GC()
	case 1:
		runtime.GOMAXPROCS(1 + rand.IntN(2*procs))
	default:
		litter()
	}
}

// litter makes a few megabytes of garbage.
func litter() {
	var pile [64][]byte
	for i := range pile {
		pile[i] = make([]byte, rand.IntN(1<<17))
	}
	runtime.KeepAlive(pile)
}
