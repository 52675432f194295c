//go:build pauses

package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A work is what do does after prepare; clean releases what prepare made. The rounds of a
// work that one goroutine does are alike: the first critical section does the same in each
// of them, and so does the second.
type work struct {
	name    string
	alike   bool
	prepare func(n int) (do, clean func())
}

var works = []work{
	{"for comparison: next to nothing", true, control},
	{"growth: Alloc", true, growth},
	{"shrinking: Free", true, shrinking},
	{"arming into one bucket", true, arming},
	{"re-arming out of one bucket", true, rearming},
	{"deletion out of one bucket", true, deletion},
	{"cascade of one bucket", true, cascade},
	{"expiry of one bucket", false, expiry},
	{"expiry, two shards", false, expiryOfShards},
	{"Advance: cascade and expiry", true, advance},
	{"Close", true, closing},
	{"a group grows", true, groupGrowth},
	{"a group is torn down", true, groupTeardown},
	{"a group's members leave", true, groupLeave},
	{"10k blocked handlers", false, blocked},
	{"16k DelSyncs of one handler", false, syncWaits},
	{"16k DelAsyncs of one handler", false, asyncWaits},
	{"16k stalled waits", false, stalls},
	{"looking: Inspect", true, looking},
}

func nothing()                          {}
func idle(timerwheel.Timer)             {}
func closer(w *timerwheel.Wheel) func() { return func() { _ = w.Close() } }

// oneShard makes a wheel with one shard, so that all timers are in the buckets of that
// shard.
func oneShard(o timerwheel.Options) *timerwheel.Wheel {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	return wheel(o)
}

func wheel(o timerwheel.Options) *timerwheel.Wheel {
	w, err := timerwheel.New(o)
	if err != nil {
		panic(err)
	}
	return w
}

// timers makes timers that are not pending.
func timers(w *timerwheel.Wheel, n int) []timerwheel.Timer {
	all := make([]timerwheel.Timer, n)
	for k := range all {
		all[k] = w.Alloc(idle)
	}
	return all
}

// control calls Valid again and again. The library is not the cause of a long section here,
// nor of one as long in another work.
func control(n int) (do, clean func()) {
	w := oneShard(timerwheel.Options{})
	t := w.Alloc(idle)
	return func() {
		for range 5 * n {
			t.Valid()
		}
	}, closer(w)
}

// The bucket of level 3 that fillBucket fills, with ticks of 1 ms.
const (
	bucketStart = 262_144 * time.Millisecond
	bucketWidth = 262_144 * time.Millisecond
)

// fillBucket arms n timers, all in one bucket.
func fillBucket(w *timerwheel.Wheel, n int) []timerwheel.Timer {
	all := timers(w, n)
	began := w.Now()
	random := rand.New(rand.NewPCG(0, 0)) // the same in each round
	for _, t := range all {
		_ = t.RegisterAt(began.Add(bucketStart + bucketWidth/4 + time.Duration(random.Int64N(int64(bucketWidth/2)))))
	}
	random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// looking calls Inspect, as package debug does, while a bucket is full.
func looking(n int) (do, clean func()) {
	w := oneShard(timerwheel.Options{})
	fillBucket(w, n)
	return func() {
		for range 1000 {
			w.Inspect()
		}
	}, closer(w)
}

func growth(n int) (do, clean func()) {
	w := oneShard(timerwheel.Options{})
	return func() {
		for range 5 * n {
			w.Alloc(idle)
		}
	}, closer(w)
}

func shrinking(n int) (do, clean func()) {
	w := oneShard(timerwheel.Options{})
	all := timers(w, 5*n)
	return func() {
		for _, t := range all {
			_ = t.Free()
		}
	}, closer(w)
}

func arming(n int) (do, clean func()) {
	w := oneShard(timerwheel.Options{})
	return func() { fillBucket(w, n) }, closer(w)
}

func rearming(n int) (do, clean func()) {
	w := oneShard(timerwheel.Options{})
	all := fillBucket(w, n)
	return func() {
		for _, t := range all {
			_ = t.Register(bucketStart / 2) // earlier
		}
	}, closer(w)
}

func deletion(n int) (do, clean func()) {
	w := oneShard(timerwheel.Options{})
	all := fillBucket(w, n)
	return func() {
		for _, t := range all {
			t.Del()
		}
	}, closer(w)
}

// cascade empties a bucket of level 3 into buckets of level 2. No timer is due yet.
func cascade(n int) (do, clean func()) {
	start := time.Unix(1e9, 0)
	w := wheel(timerwheel.Options{Manual: true, Start: start})
	fillBucket(w, n)
	return func() {
		if fired, err := w.Advance(start.Add(bucketStart)); fired != 0 || err != nil {
			panic(fmt.Sprint(fired, err))
		}
	}, closer(w)
}

// expiry fires n timers that are due in one tick.
func expiry(n int) (do, clean func()) { return expire(oneShard(timerwheel.Options{}), n) }

func expiryOfShards(n int) (do, clean func()) { return expire(wheel(timerwheel.Options{}), n) }

func expire(w *timerwheel.Wheel, n int) (do, clean func()) {
	var left atomic.Int64
	done := make(chan struct{})
	at := w.Now().Add(4 * time.Second)
	var all sync.WaitGroup
	procs := runtime.GOMAXPROCS(0)
	left.Store(int64(n / procs * procs))
	for range procs {
		all.Go(func() {
			for range n / procs {
				_ = w.Alloc(func(timerwheel.Timer) {
					if left.Add(-1) == 0 {
						close(done)
					}
				}).RegisterAt(at)
			}
		})
	}
	all.Wait()
	return func() { <-done }, closer(w)
}

func advance(n int) (do, clean func()) {
	start := time.Unix(1e9, 0)
	w := wheel(timerwheel.Options{Manual: true, Start: start})
	fillBucket(w, n)
	return func() { _, _ = w.Advance(start.Add(time.Hour)) }, closer(w)
}

func closing(n int) (do, clean func()) {
	w := oneShard(timerwheel.Options{})
	for range n {
		w.AfterFunc(bucketStart+bucketWidth/2, nothing)
	}
	return closer(w), nothing
}

const groupSize = 100_000

func group(w *timerwheel.Wheel) (*timerwheel.Group, []timerwheel.Timer) {
	g := w.NewGroup()
	all := make([]timerwheel.Timer, groupSize)
	for k := range all {
		all[k] = g.AfterFunc(time.Hour, nothing)
	}
	return g, all
}

func groupGrowth(int) (do, clean func()) {
	w := wheel(timerwheel.Options{})
	return func() { group(w) }, closer(w)
}

func groupTeardown(int) (do, clean func()) {
	w := wheel(timerwheel.Options{})
	g, _ := group(w)
	return func() { _, _ = g.DelSync() }, closer(w)
}

func groupLeave(int) (do, clean func()) {
	w := wheel(timerwheel.Options{})
	_, all := group(w)
	return func() {
		for _, t := range all {
			t.Stop()
		}
	}, closer(w)
}

// blocked runs 10,000 handlers that block, and a DelSync of each.
func blocked(int) (do, clean func()) {
	const handlers = 10_000
	w := oneShard(timerwheel.Options{MaxWorkers: 2 * handlers})
	gate := make(chan struct{})
	return func() {
		var begun, all sync.WaitGroup
		begun.Add(handlers)
		for range handlers {
			t := w.AfterFunc(0, func() { begun.Done(); <-gate })
			all.Go(func() {
				begun.Wait()
				_, _ = t.DelSync()
			})
		}
		begun.Wait()
		for range 100 {
			w.Running()
			w.Stats()
		}
		for w.Stats().SyncWaits < handlers {
			time.Sleep(time.Millisecond)
		}
		close(gate)
		all.Wait()
	}, closer(w)
}

const waiters = 16_000

// runningTimer returns a timer whose handler runs until end is called.
func runningTimer(w *timerwheel.Wheel) (t timerwheel.Timer, end func()) {
	begun, gate := make(chan struct{}), make(chan struct{})
	t = w.Alloc(func(timerwheel.Timer) { close(begun); <-gate })
	_ = t.Register(0)
	<-begun
	return t, func() { close(gate) }
}

func syncWaits(int) (do, clean func()) {
	w := wheel(timerwheel.Options{})
	t, end := runningTimer(w)
	return func() { wait(w, t, end) }, closer(w)
}

func wait(w *timerwheel.Wheel, t timerwheel.Timer, end func()) {
	var all sync.WaitGroup
	for range waiters {
		all.Go(func() { _, _ = t.DelSync() })
	}
	for w.Stats().SyncWaits < waiters {
		time.Sleep(time.Millisecond)
	}
	end()
	all.Wait()
}

func asyncWaits(int) (do, clean func()) {
	w := wheel(timerwheel.Options{})
	t, end := runningTimer(w)
	return func() {
		var all sync.WaitGroup
		all.Add(waiters)
		for range waiters {
			t.DelAsync(all.Done)
		}
		end()
		all.Wait()
	}, closer(w)
}

// stalls has OnStall report each of the waits.
func stalls(int) (do, clean func()) {
	var reported sync.WaitGroup
	reported.Add(waiters + 1)
	w := wheel(timerwheel.Options{StallAfter: time.Second, OnStall: func(timerwheel.Stall) { reported.Done() }})
	t, end := runningTimer(w)
	return func() {
		wait(w, t, func() { reported.Wait(); end() })
	}, closer(w)
}
