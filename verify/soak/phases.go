package main

import (
	"fmt"
	"runtime"
	"time"
)

// This file compares the phases of the run, which are quarters of it. At the end of
// each, all wheels but the long-lived one are gone, and that one is empty: what remains
// then must not be more after the last phase than after the first.

const phases = 4

// A remainder is what remains after a phase.
type remainder struct {
	heap  int64
	bytes int64 // of the long-lived wheel
}

var remainders []remainder

func endPhase(n int, bytes int64) {
	r := remainder{heap: heap(), bytes: bytes}
	remainders = append(remainders, r)
	fmt.Printf("phase %d: the heap is %s KiB, the timers of the long-lived wheel hold %s bytes\n", n+1, grouped(r.heap>>10), grouped(r.bytes))
	if n == 0 {
		return
	}
	first := remainders[0]
	if !heapFlat.holds(r.heap <= first.heap+first.heap/4+2<<20) {
		heapFlat.fail("%d bytes after the first phase, %d after number %d", first.heap, r.heap, n+1)
	}
	if !bytesFlat.holds(r.bytes <= 2*first.bytes) {
		bytesFlat.fail("%d bytes after the first phase, %d after number %d", first.bytes, r.bytes, n+1)
	}
}

// heap returns what is reachable.
func heap() int64 {
	disturbing.Lock()
	defer disturbing.Unlock()
	runtime.GC()
	runtime.GC() // frees what finalizers and pools held until the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// awaitGoroutines gives the last goroutines a moment to end.
func awaitGoroutines(n int) {
	for until := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > n && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	if now := runtime.NumGoroutine(); !goroutines.holds(now <= n) {
		goroutines.fail("%d, and %d at the start", now, n)
	}
}
