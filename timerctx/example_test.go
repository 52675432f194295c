package timerctx_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/timerctx"
)

// newWheel makes a wheel for an example.
func newWheel() *timerwheel.Wheel {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return w
}

// A request has a minute in all, and each of its calls has less.
func Example() {
	w := newWheel() // one for the program
	defer w.Close()

	request, cancel := timerctx.WithTimeout(context.Background(), w, time.Minute)
	defer cancel()

	call := func(ctx context.Context) error {
		ctx, cancel := timerctx.WithTimeout(ctx, w, 10*time.Millisecond)
		defer cancel()
		<-ctx.Done() // no answer comes
		return ctx.Err()
	}
	fmt.Println(call(request))
	fmt.Println(request.Err())
	// Output:
	// context deadline exceeded
	// <nil>
}

func ExampleWithTimeout() {
	w := newWheel()
	defer w.Close()

	ctx, cancel := timerctx.WithTimeout(context.Background(), w, time.Millisecond)
	defer cancel()
	child, cancelChild := context.WithCancel(ctx) // package context's own
	defer cancelChild()

	<-child.Done()
	fmt.Println(child.Err())
	// Output: context deadline exceeded
}

func ExampleWithTimeoutCause() {
	w := newWheel()
	defer w.Close()

	slow := errors.New("the index did not answer")
	ctx, cancel := timerctx.WithTimeoutCause(context.Background(), w, time.Millisecond, slow)
	defer cancel()
	<-ctx.Done()
	fmt.Println(ctx.Err())
	fmt.Println(context.Cause(ctx))
	// Output:
	// context deadline exceeded
	// the index did not answer
}

func ExampleWithDeadline() {
	w := newWheel()
	defer w.Close()

	noon := time.Date(2000, 5, 21, 12, 0, 0, 0, time.UTC)
	ctx, cancel := timerctx.WithDeadline(context.Background(), w, noon)
	defer cancel()
	fmt.Println(ctx.Err()) // that was long ago
	fmt.Println(ctx.Deadline())
	// Output:
	// context deadline exceeded
	// 2000-05-21 12:00:00 +0000 UTC true
}

func ExampleWithDeadlineCause() {
	w := newWheel()
	defer w.Close()

	closing := errors.New("the shop closes")
	ctx, cancel := timerctx.WithDeadlineCause(context.Background(), w, w.Now().Add(time.Hour), closing)
	cancel() // before the deadline
	fmt.Println(context.Cause(ctx))
	// Output: context canceled
}

// With a Manual wheel a test decides what time it is.
func ExampleWithTimeout_manual() {
	midnight := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := timerctx.WithTimeout(context.Background(), w, time.Hour)
	defer cancel()

	_, _ = w.Advance(midnight.Add(59 * time.Minute))
	fmt.Println(ctx.Err())
	_, _ = w.Advance(midnight.Add(60 * time.Minute))
	fmt.Println(ctx.Err())
	// Output:
	// <nil>
	// context deadline exceeded
}

// A reminder is needed only until its request is over.
func ExampleAfterFunc() {
	w := newWheel()
	defer w.Close()
	request, done := context.WithCancel(context.Background())

	reminded := make(chan struct{})
	_, stop := timerctx.AfterFunc(request, w, time.Millisecond, func() { close(reminded) })
	defer stop()
	<-reminded

	t, stop := timerctx.AfterFunc(request, w, time.Hour, func() { fmt.Println("still at it") })
	defer stop()
	fmt.Println(t.Pending())
	done() // also deletes the timer
	// Output: true
}

// An idle timeout is deleted when its connection's context ends, at the latest.
func ExampleAfterFunc_idle() {
	w := newWheel()
	defer w.Close()
	conn, hangUp := context.WithCancelCause(context.Background())

	idle, stop := timerctx.AfterFunc(conn, w, 50*time.Millisecond, func() { hangUp(errors.New("idle")) })
	defer stop()
	for range 3 { // on each read
		idle.Reset(50 * time.Millisecond)
	}
	<-conn.Done()
	fmt.Println(context.Cause(conn))
	// Output: idle
}
