// Seedrace runs a driver's tear-down race with package time and with timerwheel, side by
// side: go run ./examples/seedrace
//
// In May 2000 a kernel developer described what goes wrong when a driver deletes its
// timer and frees the memory that the handler uses:
//
//   - CPU0 is running the handler, which adds the timer again
//   - CPU1 deletes the timer, and frees the memory
//   - CPU2 adds the timer again
//
// This program runs such a driver many times, and counts handlers that run on freed
// memory and re-adds that outlive the delete. The left column uses time.AfterFunc with
// Stop and Reset, the way such code is usually written. The right column is the same
// driver with timerwheel, which deletes with DelSync or ShutdownSync. Every number is
// counted, none is scripted.
//
// It exits with status 1 if it counts a violation in the right column.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/seed76848005/timerwheel"
)

const about = `Seedrace runs a driver's tear-down race with package time and with timerwheel, and counts handlers
that run on freed memory. It fails if it counts one with timerwheel.`

func main() {
	duration := flag.Duration("for", time.Second, "duration of each of the two races")
	devices := flag.Int("devices", 64, "devices at the same time")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), about, "\n\n")
		flag.PrintDefaults()
	}
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

	std := race("time", devices, duration, newStdTimer)

	wheel, err := timerwheel.New(timerwheel.Options{Tick: 100 * time.Microsecond})
	if err != nil {
		return err
	}
	ours := race("timerwheel", devices, duration, func(d *device) timer { return newWheelTimer(wheel, d) })
	stats := wheel.Stats()
	if err := wheel.Close(); err != nil {
		return err
	}

	printTable(std, ours, stats)
	switch {
	case ours.violations() > 0:
		return fmt.Errorf("timerwheel broke its promise: %d times", ours.violations())
	case stats.Live != 0 || stats.Registered != stats.Fired+stats.Removed:
		return fmt.Errorf("timerwheel lost count: %+v", stats)
	}
	return nil
}

func printTable(std, ours *score, stats timerwheel.Stats) {
	row := func(label string, left, right any) { fmt.Printf("  %-46s %10v %20v\n", label, left, right) }
	row("", "time", "timerwheel")
	row("", "Stop", "DelSync/ShutdownSync")
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
	if std.violations() == 0 {
		fmt.Println("time has no violation in this run. That is luck: its documentation promises none of this")
		fmt.Println("(\"Stop does not wait for f to complete before returning\"). Try -for 10s.")
	} else {
		fmt.Println("Stop only removes a pending firing. As its documentation says, it does not wait for a handler that")
		fmt.Println("has begun, and it does not prevent a later Reset. Each (a) and (b) in its column is memory that was")
		fmt.Println("freed while a handler used it, or was going to.")
	}
	if ours.violations() == 0 {
		fmt.Println("DelSync and ShutdownSync return when the timer is not pending and its handler has returned. Until then")
		fmt.Println("they refuse to add it again (ShutdownSync: for ever). Their column is all zero.")
	}
}
