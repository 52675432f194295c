package timerwheel_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// newWheel makes a wheel for an example.
func newWheel() *timerwheel.Wheel {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return w
}

// newManual makes a wheel whose time stands still at midnight.
func newManual() (*timerwheel.Wheel, time.Time) {
	midnight := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight})
	if err != nil {
		log.Fatal(err)
	}
	return w, midnight
}

// A connection's idle timeout: each read moves it, and the deletion at the end makes sure that the
// handler does not run on a connection that is gone.
func Example() {
	w := newWheel()
	defer w.Close()

	idle := w.Alloc(func(timerwheel.Timer) { fmt.Println("idle: hang up") })
	defer idle.Free()

	for range 3 { // on each read
		_ = idle.Register(time.Minute)
	}
	found, err := idle.DelSync()
	fmt.Printf("%+v %v\n", found, err)
	// From here on the handler does not run: free what it uses.

	// Output: {Pending:true Running:false} <nil>
}

func ExampleNew() {
	_, err := timerwheel.New(timerwheel.Options{Tick: time.Nanosecond})
	fmt.Println(err)
	// Output: timerwheel: Options.Tick is 1ns, not between 1µs and 1h0m0s
}

func ExampleWheel_AfterFunc() {
	w := newWheel()
	defer w.Close()

	fired := make(chan struct{})
	t := w.AfterFunc(time.Millisecond, func() { close(fired) })
	<-fired

	// The timer is gone, or about to be: it cannot be armed again.
	_, _ = t.DelSync()
	fmt.Println(t.Valid(), t.Reset(time.Second))
	// Output: false false
}

func ExampleWheel_Alloc() {
	w := newWheel()
	defer w.Close()

	runs := make(chan int)
	n := 0
	t := w.Alloc(func(t timerwheel.Timer) {
		if n++; n < 3 {
			_ = t.Register(time.Millisecond) // a handler may arm its own timer
		}
		runs <- n
	})
	defer t.Free()

	_ = t.Register(0)
	fmt.Println(<-runs, <-runs, <-runs)
	// Output: 1 2 3
}

func ExampleWheel_AllocLocked() {
	w := newWheel()
	defer w.Close()

	var mu sync.Mutex
	cache := map[string]string{"key": "value"}
	expiry := w.AllocLocked(&mu, func(timerwheel.Timer) {
		delete(cache, "key") // mu is held
	})
	_ = expiry.Register(time.Hour)

	mu.Lock()
	defer mu.Unlock()
	expiry.Del() // does not wait, and need not: the handler cannot run without mu
	fmt.Println(cache["key"])
	// Output: value
}

func ExampleWheel_Every() {
	w, midnight := newManual()
	w.Every(time.Hour, func(timerwheel.Timer) { fmt.Println(w.Now().Format(time.Kitchen)) })
	for hours := range 3 {
		_, _ = w.Advance(midnight.Add(time.Duration(hours+1) * time.Hour))
	}
	// Output:
	// 1:00AM
	// 2:00AM
	// 3:00AM
}

func ExampleWheel_Advance() {
	w, midnight := newManual()
	w.AfterFunc(2*time.Second, func() { fmt.Println("second") })
	w.AfterFunc(1*time.Second, func() { fmt.Println("first") })
	fired, err := w.Advance(midnight.Add(time.Minute))
	fmt.Println(fired, err)
	// Output:
	// first
	// second
	// 2 <nil>
}

// The host of a Manual wheel sleeps until Next. OnNext wakes it when another goroutine has
// registered something earlier.
func ExampleOptions_onNext() {
	wake := make(chan struct{}, 1)
	w, err := timerwheel.New(timerwheel.Options{Manual: true, OnNext: func(time.Time) {
		select {
		case wake <- struct{}{}:
		default: // it will wake up anyway
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	done := false
	w.AfterFunc(time.Hour, func() {})
	go w.AfterFunc(time.Millisecond, func() { done = true })

	for !done { // the host's loop
		var sleep <-chan time.Time
		if when, ok := w.Next(); ok {
			sleep = time.After(time.Until(when))
		}
		select {
		case <-sleep:
		case <-wake:
		}
		_, _ = w.Advance(time.Now())
	}
	fmt.Println("done")
	// Output: done
}

func ExampleWheel_Close() {
	w := newWheel()
	t := w.Alloc(func(timerwheel.Timer) {})
	_ = t.Register(time.Hour)

	fmt.Println(w.Close(), t.Pending())
	fmt.Println(t.Register(time.Hour))
	// Output:
	// <nil> false
	// timerwheel: wheel is closed
}

func ExampleWheel_CloseContext() {
	w := newWheel()
	started, finish := make(chan struct{}), make(chan struct{})
	w.AfterFunc(0, func() { close(started); <-finish })
	<-started

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(w.CloseContext(ctx)) // the handler takes longer than we have
	close(finish)
	fmt.Println(w.Close())
	// Output:
	// context deadline exceeded
	// <nil>
}

func ExampleWheel_Running() {
	w := newWheel()
	defer w.Close()
	started, finish := make(chan struct{}), make(chan struct{})
	t := w.AfterFunc(0, func() { close(started); <-finish })
	<-started
	for _, r := range w.Running() {
		fmt.Println(r.Timer == t, r.Waiters)
	}
	close(finish)
	// Output: true 0
}

func ExampleWheel_Stats() {
	w, midnight := newManual()
	w.AfterFunc(time.Second, func() {})
	w.AfterFunc(time.Hour, func() {})
	w.AfterFunc(time.Hour, func() {}).Stop()
	_, _ = w.Advance(midnight.Add(time.Minute))
	s := w.Stats()
	fmt.Println(s.Registered, "=", s.Fired, "+", s.Removed, "+", s.Pending)
	// Output: 3 = 1 + 1 + 1
}

func ExampleTimer_Register() {
	w, midnight := newManual()
	t := w.Alloc(func(timerwheel.Timer) {})
	_ = t.Register(time.Minute)
	_ = t.Register(time.Hour) // moves it: the minute never fires
	when, ok := t.When()
	fmt.Println(when.Sub(midnight), ok)
	// Output: 1h0m0s true
}

// A library whose user hands it no wheel uses the one that the program shares.
func ExampleDefault() {
	newCache := func(w *timerwheel.Wheel) *timerwheel.Wheel {
		if w == nil {
			w = timerwheel.Default()
		}
		return w
	}
	w := newCache(nil)
	t := w.AfterFunc(time.Hour, func() {})
	fmt.Println(t.Stop())
	fmt.Println(w.Close())
	// Output:
	// true
	// timerwheel: wheel is shared by the program
}

func ExampleWheel_AllocArg() {
	type session struct{ name string }
	expire := func(t timerwheel.Timer, arg any) {
		fmt.Println(arg.(*session).name, "expires")
		_ = t.Free()
	}
	w, midnight := newManual()
	for _, name := range []string{"alice", "bob"} {
		_ = w.AllocArg(expire, &session{name}).Register(time.Minute) // no closure
	}
	_, _ = w.Advance(midnight.Add(time.Hour))
	fmt.Println(w.Stats().Live, "live")
	// Unordered output:
	// alice expires
	// bob expires
	// 0 live
}

func ExampleWheel_AfterFuncLocked() {
	w, midnight := newManual()
	var mu sync.Mutex
	closed := false // mu guards it
	t := w.AfterFuncLocked(&mu, time.Minute, func() { closed = true })

	mu.Lock()
	t.Del() // the function is not running, and will not
	fmt.Println(closed)
	mu.Unlock()
	_, _ = w.Advance(midnight.Add(time.Hour))
	fmt.Println(closed)
	// Output:
	// false
	// false
}

// A handler may call what locks the same lock, once it has released it.
func ExampleTimer_ReleaseLock() {
	w := newWheel()
	defer w.Close()

	type peer struct {
		mu      sync.Mutex
		retries int
	}
	var p peer
	sent := make(chan int)
	send := func(n int) { // slow, and it may want p.mu
		p.mu.Lock()
		defer p.mu.Unlock()
		sent <- n
	}
	t := w.AllocLocked(&p.mu, func(t timerwheel.Timer) {
		p.retries++
		n := p.retries
		_ = t.ReleaseLock() // p.mu is free from here on, and stays so
		send(n)
	})
	defer t.Free()

	_ = t.Register(0)
	fmt.Println(<-sent)
	// Output: 1
}

// A program saves the deadlines when it shuts down, and arms them again when it starts.
func ExampleWheel_Timers() {
	before, midnight := newManual()
	names := map[timerwheel.Timer]string{ // the program's own meaning of its timers
		before.AfterFunc(time.Minute, func() {}): "alice",
		before.AfterFunc(time.Hour, func() {}):   "bob",
	}
	saved := map[string]time.Time{}
	for t, when := range before.Timers() {
		saved[names[t]] = when
	}
	_ = before.Close()

	after, _ := newManual()
	for _, name := range slices.Sorted(maps.Keys(saved)) {
		t := after.Alloc(func(timerwheel.Timer) { fmt.Println(name, "expires") })
		_ = t.RegisterAt(saved[name])
	}
	_, _ = after.AdvanceThrough(midnight.Add(24 * time.Hour))
	// Output:
	// alice expires
	// bob expires
}

func ExampleWheel_AdvanceThrough() {
	w, midnight := newManual()
	left := 3
	var beat timerwheel.Timer
	beat = w.Alloc(func(timerwheel.Timer) {
		fmt.Println(w.Now().Sub(midnight))
		if left--; left > 0 {
			_ = beat.Register(20 * time.Minute)
		}
	})
	_ = beat.Register(0)
	fired, err := w.AdvanceThrough(midnight.Add(time.Hour))
	fmt.Println(fired, err)
	// Output:
	// 0s
	// 20m0s
	// 40m0s
	// 3 <nil>
}

// A peer goes down: nothing of it fires any more until it is armed again.
func ExampleGroup_DelSync() {
	w := newWheel()
	defer w.Close()
	peer := w.NewGroup()
	keepalive := peer.Alloc(func(timerwheel.Timer) {})
	_ = keepalive.Register(time.Minute)
	fmt.Println(peer.DelSync()) // waits for handlers in flight; Del does not
	fmt.Println(keepalive.Register(time.Minute))
	fmt.Println(peer.Del())
	// Output:
	// {true false} <nil>
	// <nil>
	// {true false}
}

// A peer is removed: no timer of it can be armed after that, nor made.
func ExampleGroup_ShutdownSync() {
	w := newWheel()
	defer w.Close()
	peer := w.NewGroup()
	keepalive := peer.Alloc(func(timerwheel.Timer) {})
	_ = keepalive.Register(time.Minute)
	fmt.Println(peer.ShutdownSync()) // Shutdown does not wait
	fmt.Println(keepalive.Register(time.Minute))
	fmt.Println(peer.AfterFunc(time.Minute, func() {}).Valid())
	peer.Free()
	// Output:
	// {true false} <nil>
	// timerwheel: timer is shut down
	// false
}

func ExampleGroup_Free() {
	w := newWheel()
	defer w.Close()
	peer := w.NewGroup()
	for range 3 {
		_ = peer.Alloc(func(timerwheel.Timer) {}).Register(time.Minute)
	}
	if _, err := peer.ShutdownSync(); err != nil {
		fmt.Println(err)
	}
	peer.Free()
	fmt.Println(peer.Len(), w.Stats().Live)
	// Output: 0 0
}

func ExampleTimer_RegisterAt() {
	w, midnight := newManual()
	t := w.Alloc(func(timerwheel.Timer) {})
	_ = t.RegisterAt(midnight.Add(time.Hour))
	fmt.Println(t.When())
	// Output: 2000-05-21 01:00:00 +0000 UTC true
}

func ExampleTimer_Reduce() {
	w, midnight := newManual()
	t := w.Alloc(func(timerwheel.Timer) {})
	_ = t.Reduce(time.Minute)
	_ = t.Reduce(time.Hour) // later: stays
	when, _ := t.When()
	fmt.Println(when.Sub(midnight))
	// Output: 1m0s
}

func ExampleTimer_Move() {
	w, midnight := newManual()
	t := w.Alloc(func(timerwheel.Timer) {})
	fmt.Println(t.Move(time.Hour)) // not pending: stays so
	_ = t.Register(time.Minute)
	fmt.Println(t.Move(time.Hour))
	when, _ := t.When()
	fmt.Println(when.Sub(midnight))
	// Output:
	// false
	// true
	// 1h0m0s
}

func ExampleTimer_RegisterWithin() {
	w, midnight := newManual()
	for i := range time.Duration(3) {
		t := w.Alloc(func(timerwheel.Timer) {})
		_ = t.RegisterWithin(time.Minute+i*time.Second, 10*time.Second)
		when, _ := t.When()
		fmt.Println(when.Sub(midnight)) // all three wake the wheel once
	}
	// Output:
	// 1m5.536s
	// 1m5.536s
	// 1m5.536s
}

// A connection is closed when nothing was read from it for a minute. What each read does costs a few
// nanoseconds.
func ExampleTimer_RegisterIdle() {
	w, midnight := newManual()
	idle := w.Alloc(func(timerwheel.Timer) {
		fmt.Println("closed at", w.Now().Sub(midnight))
	})
	_ = idle.RegisterIdle(time.Minute)

	read := func() {
		if !idle.Touch() {
			fmt.Println("the timeout has won")
		}
	}
	for _, at := range []time.Duration{30 * time.Second, 80 * time.Second, time.Hour} {
		_, _ = w.AdvanceThrough(midnight.Add(at))
		read()
	}
	// Output:
	// closed at 2m20s
	// the timeout has won
}

// A Touch says whether the byte or the timeout has won.
func ExampleTimer_Touch() {
	w, midnight := newManual()
	idle := w.Alloc(func(timerwheel.Timer) {})
	fmt.Println(idle.Touch()) // not armed
	_ = idle.RegisterIdle(time.Minute)
	fmt.Println(idle.Touch())
	_, _ = w.Advance(midnight.Add(time.Hour))
	fmt.Println(idle.Touch()) // its handler has begun
	// Output:
	// false
	// true
	// false
}

func ExampleTimer_Del() {
	w := newWheel()
	defer w.Close()
	t := w.Alloc(func(timerwheel.Timer) {})
	_ = t.Register(time.Hour)
	fmt.Println(t.Del())
	fmt.Println(t.Del()) // what is gone is gone
	// Output:
	// {true false}
	// {false false}
}

func ExampleTimer_DelSync() {
	w := newWheel()
	defer w.Close()
	started := make(chan struct{})
	done := false
	t := w.Alloc(func(t timerwheel.Timer) {
		close(started)
		_, err := t.DelSync() // in its own handler
		fmt.Println(errors.Is(err, timerwheel.ErrDeadlock))
		done = true
	})
	_ = t.Register(0)
	<-started
	_, _ = t.DelSync()
	fmt.Println(done) // no race: the handler has returned
	// Output:
	// true
	// true
}

func ExampleTimer_DelSyncContext() {
	w := newWheel()
	defer w.Close()
	started, finish := make(chan struct{}), make(chan struct{})
	t := w.Alloc(func(timerwheel.Timer) { close(started); <-finish })
	_ = t.Register(0)
	<-started

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	found, err := t.DelSyncContext(ctx)
	fmt.Printf("%+v %v\n", found, err)
	close(finish)
	// Output: {Pending:false Running:true} context deadline exceeded
}

func ExampleTimer_DelAsync() {
	w := newWheel()
	defer w.Close()
	t := w.Alloc(func(timerwheel.Timer) {})
	_ = t.Register(time.Hour)

	released := make(chan struct{})
	t.DelAsync(func() { close(released) }) // when the handler does not run
	<-released
	fmt.Println(t.Pending())
	// Output: false
}

func ExampleTimer_ShutdownSync() {
	w := newWheel()
	defer w.Close()
	begun := make(chan struct{})
	ended := false
	t := w.Alloc(func(timerwheel.Timer) {
		close(begun)
		ended = true
	})
	_ = t.Register(0)
	<-begun
	_, _ = t.ShutdownSync()
	fmt.Println(ended, t.Register(0)) // no race: the handler has returned
	_ = t.Free()
	// Output: true timerwheel: timer is shut down
}

func ExampleTimer_Shutdown() {
	w := newWheel()
	defer w.Close()
	t := w.Alloc(func(timerwheel.Timer) {})
	_ = t.Register(time.Hour)
	fmt.Println(t.Shutdown()) // does not wait for a handler in flight; ShutdownSync does
	fmt.Println(t.Register(time.Second))
	// Output:
	// {true false}
	// timerwheel: timer is shut down
}

func ExampleTimer_Free() {
	w := newWheel()
	defer w.Close()
	t := w.Alloc(func(timerwheel.Timer) {})
	fmt.Println(t.Free(), t.Valid())
	fmt.Println(t.Free()) // one too many
	// Output:
	// <nil> false
	// timerwheel: stale timer
}

// A Timer from Alloc stands where code wants a time.Timer's Stop and Reset.
func ExampleTimer_Reset() {
	w := newWheel()
	defer w.Close()
	var t interface {
		Stop() bool
		Reset(time.Duration) bool
	} = w.Alloc(func(timerwheel.Timer) {})
	fmt.Println(t.Reset(time.Hour), t.Reset(time.Hour), t.Stop(), t.Stop())
	// Output: false true true false
}

func ExampleGroup() {
	w := newWheel()
	defer w.Close()

	peer := w.NewGroup()
	peer.AfterFunc(time.Minute, func() {})
	peer.Every(time.Second, func(timerwheel.Timer) {})
	keepalive := peer.Alloc(func(timerwheel.Timer) {})
	_ = keepalive.Register(time.Second)
	fmt.Println(peer.Len())

	_, _ = peer.ShutdownSync() // the peer is gone: none of its handlers runs, now or later
	fmt.Println(peer.Len(), keepalive.Register(time.Second))
	// Output:
	// 3
	// 1 timerwheel: timer is shut down
}

func ExampleOptions_onPanic() {
	recovered := make(chan any)
	w, err := timerwheel.New(timerwheel.Options{
		OnPanic: func(p timerwheel.HandlerPanic) { recovered <- p.Value },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	w.AfterFunc(0, func() { panic("oops") })
	fmt.Println(<-recovered)
	// Output: oops
}

func ExampleWheel_AfterFuncArg() {
	w := newWheel()
	defer w.Close()

	type session struct {
		name string
		over chan struct{}
	}
	expire := func(arg any) { // one function for all: no closure, no allocation
		s := arg.(*session)
		fmt.Println(s.name, "expires")
		close(s.over)
	}
	s := &session{name: "alice", over: make(chan struct{})}
	w.AfterFuncArg(time.Millisecond, expire, s)
	<-s.over
	// Output: alice expires
}

func ExampleTimer_Retain() {
	w := newWheel()
	defer w.Close()

	t := w.Alloc(func(timerwheel.Timer) {})
	fmt.Println(t.Retain()) // a second owner, which also calls Free
	fmt.Println(t.Free(), t.Valid())
	fmt.Println(t.Free(), t.Valid())
	fmt.Println(errors.Is(t.Retain(), timerwheel.ErrStale)) // it never comes back
	// Output:
	// <nil>
	// <nil> true
	// <nil> false
	// true
}

func ExampleTimer_Stop() {
	w := newWheel()
	defer w.Close()

	t := w.AfterFunc(time.Hour, func() {})
	fmt.Println(t.Pending(), t.Stop(), t.Stop(), t.Valid())
	// Output: true true false false
}

func ExampleTimer_When() {
	w, midnight := newManual()
	t := w.AfterFunc(time.Hour, func() {})
	when, ok := t.When()
	fmt.Println(when.Sub(midnight), ok)
	next, ok := w.Next() // not later than that
	fmt.Println(!next.After(when), ok)
	// Output:
	// 1h0m0s true
	// true true
}

func ExampleOptions_onStall() {
	stalled := make(chan timerwheel.Stall, 1)
	w, err := timerwheel.New(timerwheel.Options{
		StallAfter: 10 * time.Millisecond,
		OnStall:    func(s timerwheel.Stall) { stalled <- s },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()

	release := make(chan struct{})
	w.AfterFunc(0, func() { <-release })
	s := <-stalled
	fmt.Println(s.Kind, s.Waiters, s.For >= 10*time.Millisecond)
	close(release)
	// Output: stalled handler 0 true
}

// At a leak, or before one: where the timers that live were made.
func ExampleWheel_Sites() {
	w, _ := timerwheel.New(timerwheel.Options{Debug: true})
	defer w.Close()
	for range 3 {
		_ = w.Alloc(func(timerwheel.Timer) {}) // never freed
	}
	for _, s := range w.Sites() {
		fmt.Println(s.Live, "at", filepath.Base(s.AllocatedAt))
	}
	// Output: 3 at example_test.go:712
}
