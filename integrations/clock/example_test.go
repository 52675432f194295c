package clock_test

import (
	"fmt"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/clock"
)

// A program takes its clock as an argument, and a test drives it.
func ExampleOn() {
	w, err := timerwheel.New(timerwheel.Options{Manual: true})
	if err != nil {
		panic(err)
	}
	defer w.Close()

	remind := func(c clockwork.Clock) { c.AfterFunc(time.Hour, func() { fmt.Println("an hour has passed") }) }
	remind(clock.On(w))
	fired, err := w.Advance(w.Now().Add(time.Hour))
	fmt.Println(fired, err)
	// Output:
	// an hour has passed
	// 1 <nil>
}
