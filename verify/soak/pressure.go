package main

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// disturb disturbs the run: it makes garbage, collects it, and changes the number of
// processors, for which wheels are made with fewer or more shards.
func disturb(stop <-chan struct{}) {
	procs := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(procs)
	for {
		select {
		case <-stop:
			return
		case <-time.After(rand.N(100 * time.Millisecond)):
		}
		disturbOnce(procs)
	}
}

var disturbing sync.Mutex // held during a disturbance, and by heap, which must not be disturbed

func disturbOnce(procs int) {
	disturbing.Lock()
	defer disturbing.Unlock()
	switch rand.IntN(8) {
	case 0:
		runtime.GC()
	case 1:
		runtime.GOMAXPROCS(1 + rand.IntN(2*procs))
	default:
		makeGarbage()
	}
}

// makeGarbage makes a few megabytes of garbage.
func makeGarbage() {
	var garbage [64][]byte
	for i := range garbage {
		garbage[i] = make([]byte, rand.IntN(1<<17))
	}
	runtime.KeepAlive(garbage)
}
