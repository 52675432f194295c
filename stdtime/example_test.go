package stdtime_test

import (
	"fmt"
	"log"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/stdtime"
)

func newWheel() *timerwheel.Wheel {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return w
}

// A loop is written as with package time, and runs on a wheel.
func Example() {
	w := newWheel()
	defer w.Close()
	clock := stdtime.On(w)

	requests := make(chan time.Duration, 2) // each says how long to wait for the next
	requests <- time.Minute
	requests <- time.Millisecond

	idle := clock.NewTimer(time.Minute)
	for {
		select {
		case wait := <-requests:
			fmt.Println("a request, then wait", wait)
			idle.Reset(wait) // nothing to drain
		case <-idle.C:
			fmt.Println("idle: hang up")
			return
		}
	}
	// Output:
	// a request, then wait 1m0s
	// a request, then wait 1ms
	// idle: hang up
}

// A Timer from AfterFunc can be armed again after its function was called.
func ExampleClock_AfterFunc() {
	w := newWheel()
	defer w.Close()
	clock := stdtime.On(w)

	calls := make(chan string)
	t := clock.AfterFunc(time.Millisecond, func() { calls <- "called" })
	fmt.Println(<-calls)
	fmt.Println(t.Reset(time.Millisecond))
	fmt.Println(<-calls)
	// Output:
	// called
	// false
	// called
}

func ExampleClock_After() {
	w := newWheel()
	defer w.Close()
	clock := stdtime.On(w)

	answer := make(chan string) // no answer comes
	select {
	case a := <-answer:
		fmt.Println(a)
	case <-clock.After(time.Millisecond):
		fmt.Println("timeout")
	}
	// Output: timeout
}

func ExampleClock_NewTicker() {
	w := newWheel()
	defer w.Close()
	clock := stdtime.On(w)

	ticker := clock.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for n := range 3 {
		<-ticker.C
		fmt.Println("tick", n)
	}
	// Output:
	// tick 0
	// tick 1
	// tick 2
}

func ExampleClock_Tick() {
	w := newWheel()
	defer w.Close()

	n := 0
	for range stdtime.On(w).Tick(time.Millisecond) {
		if n++; n == 3 {
			break // the ticker is now garbage
		}
	}
	fmt.Println(n, "ticks")
	// Output: 3 ticks
}

func ExampleClock_Sleep() {
	w := newWheel()
	defer w.Close()
	clock := stdtime.On(w)

	start := clock.Now()
	clock.Sleep(5 * time.Millisecond)
	fmt.Println(clock.Since(start) >= 5*time.Millisecond)
	// Output: true
}

// Stop takes back a value that was sent and not received.
func ExampleTimer_Stop() {
	midnight := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight})
	if err != nil {
		log.Fatal(err)
	}
	t := stdtime.On(w).NewTimer(time.Second)
	_, _ = w.Advance(midnight.Add(time.Minute)) // fires

	fmt.Println(t.Stop(), t.Stop())
	select {
	case <-t.C:
		fmt.Println("stale")
	default:
		fmt.Println("nothing to receive")
	}
	// Output:
	// true false
	// nothing to receive
}

// The Clock of a Manual wheel is a clock for simulations: the channels carry its time.
func ExampleOn_manual() {
	midnight := time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)
	w, err := timerwheel.New(timerwheel.Options{Manual: true, Start: midnight})
	if err != nil {
		log.Fatal(err)
	}
	clock := stdtime.On(w)
	noon := clock.After(12 * time.Hour)
	_, _ = w.Advance(midnight.Add(12 * time.Hour))
	fmt.Println((<-noon).Format(time.Kitchen), clock.Since(midnight))
	// Output: 12:00PM 12h0m0s
}
