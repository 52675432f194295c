// Oneshot lets one timer fire, and tears another down: go run ./examples/oneshot
package main

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/seed76848005/timerwheel"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()

	fired := make(chan string)
	w.AfterFunc(10*time.Millisecond, func() { fired <- "once" }) // fire and forget
	fmt.Println(<-fired)

	session := map[string]int{} // what the handler uses, without a lock
	t := w.Alloc(func(timerwheel.Timer) { session["expired"]++ })
	if err := t.Register(10 * time.Millisecond); err != nil {
		return err
	}
	found, err := t.ShutdownSync() // waits for the handler, if it runs
	session["closed"]++            // from here on it does not run, and cannot be armed
	fmt.Println("still to come:", found.Pending, "- refused:", t.Register(0))
	return errors.Join(err, t.Free())
}
