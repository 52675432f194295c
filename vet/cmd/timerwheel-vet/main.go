// Timerwheel-vet finds misuse of package timerwheel before the program runs. It
// is a tool for go vet, and also works by itself:
//
//	go vet -vettool=$(which timerwheel-vet) ./...
//	timerwheel-vet ./...
package main

import (
	"os"
	"runtime/debug"

	"github.com/seed76848005/timerwheel/vet"
	"golang.org/x/tools/go/analysis/multichecker"
)

// Multichecker, not singlechecker: only multichecker also works as a tool of go
// vet.
func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200) // a tenth less time for a tenth more memory on a large package
	}
	multichecker.Main(vet.Analyzer)
}
