package k8sclock_test

import (
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/k8sclock"
)

// A program takes its clock as an argument, and a test drives it.
func ExampleNew() {
	w, err := timerwheel.New(timerwheel.Options{Manual: true})
	if err != nil {
		panic(err)
	}
	defer w.Close()

	remind := func(c clock.WithDelayedExecution) {
		c.AfterFunc(time.Hour, func() { fmt.Println("an hour has passed") })
	}
	remind(k8sclock.New(w))
	fired, err := w.Advance(w.Now().Add(time.Hour))
	fmt.Println(fired, err)
	// Output:
	// an hour has passed
	// 1 <nil>
}
