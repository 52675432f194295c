package main

import (
	"fmt"
	"strconv"
	"time"
)

// progress says every few seconds that all is well.
func progress(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Second):
		}
		fmt.Printf("%4.0fs  %13s operations  %12s handlers  %5s wheels  %6s stalls\n",
			time.Since(begin).Seconds(), grouped(operations()), grouped(handlers.Load()), grouped(wheels.Load()), grouped(stalls.Load()))
	}
}

// printTable says what was checked and called, and how often.
func printTable() {
	fmt.Printf("\n%-72s %14s\n", "check", "exercised")
	for _, c := range checks {
		fmt.Printf("%-72s %14s\n", c.name, grouped(c.exercised.Load()))
	}
	fmt.Printf("\n%-72s %14s\n", "operation", "called")
	for v := range numVerbs {
		fmt.Printf("%-72s %14s\n", verbNames[v], grouped(done[v].Load()))
	}
	fmt.Println()
}

// unproven names a check that was never exercised, or a verb that was never
// called.
func unproven() string {
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
		time.Since(begin).Seconds(), grouped(operations()), grouped(handlers.Load()), violations)
}

// grouped writes a number in groups of three digits.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
