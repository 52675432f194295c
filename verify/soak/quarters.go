package main

import (
	"fmt"
	"runtime"
	"time"
)

// This file compares the quarters of the run. At the end of each all houses but
// the veteran are gone, and that one is empty: what is left by then must not be
// more after the last quarter than after the first.

// A quarter is what is left after it.
type quarter struct {
	heap  int64
	bytes int64 // of the veteran's wheel
}

var quarters []quarter

func endQuarter(n int, bytes int64) {
	q := quarter{heap: heap(), bytes: bytes}
	quarters = append(quarters, q)
	fmt.Printf("quarter %d: the heap is %s KiB, the veteran's timers hold %s bytes\n", n+1, grouped(q.heap>>10), grouped(q.bytes))
	if n == 0 {
		return
	}
	first := quarters[0]
	if !heapFlat.holds(q.heap <= first.heap+first.heap/4+2<<20) {
		heapFlat.fail("%d bytes after the first quarter, %d after number %d", first.heap, q.heap, n+1)
	}
	if !bytesFlat.holds(q.bytes <= 2*first.bytes) {
		bytesFlat.fail("%d bytes after the first quarter, %d after number %d", first.bytes, q.bytes, n+1)
	}
}

// heap returns what is reachable.
func heap() int64 {
	pressing.Lock()
	defer pressing.Unlock()
	runtime.GC()
	runtime.GC() // what finalizers and pools have let go of
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
		goroutines.fail("%d, and %d at the beginning", now, n)
	}
}
