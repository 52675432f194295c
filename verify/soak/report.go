package main

import (
	"fmt"
	"strconv"
	"time"
)

// progress prints a line every few seconds.
func progress(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Second):
		}
		fmt.Printf("%4.0fs  %13s operations  %12s handlers  %5s wheels  %6s stalls\n",
			time.Since(started).Seconds(), grouped(operations()), grouped(handlers.Load()), grouped(wheels.Load()), grouped(stalls.Load()))
	}
}

// printTable prints how often each check was exercised, and each verb called.
func printTable() {
	fmt.Printf("\n%-83s %14s\n", "check", "exercised")
	for _, c := range checks {
		fmt.Printf("%-83s %14s\n", c.name, grouped(c.exercised.Load()))
	}
	fmt.Printf("\n%-83s %14s\n", "operation", "called")
	for v := range numVerbs {
		fmt.Printf("%-83s %14s\n", verbNames[v], grouped(done[v].Load()))
	}
	fmt.Println()
}

// neverExercised returns the name of a check that was never exercised, or of a verb that
// was never called; "" if there is none.
func neverExercised() string {
	for _, c := range checks {
		if c.exercised.Load() == 0 {
			return c.name
		}
	}
	for v := range numVerbs {
		if done[v].Load() == 0 {
			return verbNames[v]
		}
	}
	return ""
}

func summary(violations int) string {
	return fmt.Sprintf("soak: %.0fs, %s operations, %s handlers, %d violations",
		time.Since(started).Seconds(), grouped(operations()), grouped(handlers.Load()), violations)
}

// grouped writes a number in groups of three digits.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
