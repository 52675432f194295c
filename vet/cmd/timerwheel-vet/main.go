// Timerwheel-vet finds misuse of package timerwheel before the program runs. It
// is a tool for go vet, and works by itself too:
//
//	go vet -vettool=$(which timerwheel-vet) ./...
//	timerwheel-vet ./...
package main

import (
	"github.com/seed76848005/timerwheel/vet"
	"golang.org/x/tools/go/analysis/multichecker"
)

// Multichecker, not singlechecker: it is the one that go vet can drive as well.
func main() { multichecker.Main(vet.Analyzer) }
