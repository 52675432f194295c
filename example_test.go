package timerwheel_test

import (
	"context"
	"errors"
	"fmt"
	"log"
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
