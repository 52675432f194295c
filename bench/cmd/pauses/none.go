//go:build !pauses

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "pauses: only a build with -tags pauses measures critical sections")
	os.Exit(2)
}
