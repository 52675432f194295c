// Seedrace runs a driver's tear-down race over time and over timerwheel, side by side: go
// run ./examples/seedrace
//
// In May 2000 a kernel developer described what goes wrong when a driver
// deletes its timer and frees the memory that the handler works with:
//
//   - CPU0 is running the handler, which adds the timer again
//   - CPU1 deletes the timer, and frees the memory
//   - CPU2 adds the timer again
//
// This program is such a driver, many times over, and counts what happens to
// it: handlers that run on freed memory, and re-adds that outlive the delete.
// The left column is time.AfterFunc with Stop and Reset, the way such code is
// usually written; the right column is the same driver over timerwheel, which
// deletes by DelSync or Shutdown. Every number is counted, none is scripted.
//
// It exits with status 1 if any harm is counted in the right column.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/seed76848005/timerwheel"
)

func main() {
	duration := flag.Duration("for", time.Second, "how long each of the two is raced")
	devices := flag.Int("devices", 64, "devices that come and go at the same time")
	flag.Parse()

	if err := run(*devices, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "seedrace:", err)
		os.Exit(1)
	}
}

func run(devices int, duration time.Duration) error {
	if devices < 1 || duration <= 0 {
		return errors.New("-devices and -for must be positive")
	}
	fmt.Printf("seedrace: %d devices at a time, torn down while their timers fire and are added again; %v each\n\n", devices, duration)

	std := race(devices, duration, newStdTimer)

	wheel, err := timerwheel.New(timerwheel.Options{Tick: 100 * time.Microsecond})
	if err != nil {
		return err
	}
	ours := race(devices, duration, func(d *device) timer { return newWheelTimer(wheel, d) })
	stats := wheel.Stats()
	if err := wheel.Close(); err != nil {
		return err
	}

	printTable(std, ours, stats)
	switch {
	case ours.harm() > 0:
		return fmt.Errorf("timerwheel broke its promise: %d times", ours.harm())
	case stats.Live != 0 || stats.Registered != stats.Fired+stats.Removed:
		return fmt.Errorf("timerwheel lost count: %+v", stats)
	}
	return nil
}

func printTable(std, ours *score, stats timerwheel.Stats) {
	row := func(label string, left, right any) { fmt.Printf("  %-46s %10v %18v\n", label, left, right) }
	row("", "time", "timerwheel")
	row("", "Stop", "DelSync/Shutdown")
	row("devices torn down", std.devices.Load(), ours.devices.Load())
	row("handlers begun", std.begun.Load(), ours.begun.Load())
	row("deletes that had to wait for the handler", "cannot", stats.SyncWaits)
	row("re-adds refused", "cannot", stats.Refused)
	fmt.Println()
	row("(a) handlers still running after the delete", std.running.Load(), ours.running.Load())
	row("(a) handlers that began after the delete", std.late.Load(), ours.late.Load())
	row("(b) re-adds that survived the delete", std.survived.Load(), ours.survived.Load())
	row("    handlers that overlapped another run", std.overlapped.Load(), ours.overlapped.Load())
	fmt.Println()
	explain(std, ours)
}

func explain(std, ours *score) {
	if std.harm() == 0 {
		fmt.Println("time came through unharmed this time. That was luck: its documentation promises none of")
		fmt.Println("this (\"Stop does not wait for f to complete before returning\"). Try -for 10s.")
	} else {
		fmt.Println("Stop removes what is pending and no more. It does not wait for a handler that has begun, as its")
		fmt.Println("documentation says, and keeps nobody from adding the timer again. Each (a) and (b) in its column")
		fmt.Println("is memory that was freed while a handler used it, or was going to.")
	}
	if ours.harm() == 0 {
		fmt.Println("DelSync and Shutdown return when the timer is not pending and its handler has returned, and have")
		fmt.Println("refused to add it again meanwhile (Shutdown: ever after). Their column is all zero.")
	}
}
