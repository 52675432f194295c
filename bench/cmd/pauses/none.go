//go:build !pauses

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "pauses: critical sections are measured in builds with -tags pauses only")
	os.Exit(2)
}
