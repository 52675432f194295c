package vet_test

import (
	"testing"

	"github.com/seed76848005/timerwheel/vet"
	"golang.org/x/tools/go/analysis/analysistest"
)

// Each package under testdata contains mistakes, and correct code that resembles
// them. Both are tests: a report on a line that wants none fails, and so does a
// report that is missing.
func TestAnalyzer(t *testing.T) {
	for _, pkg := range []string{"lock", "wait", "self", "circle", "free", "dropped", "habit", "across", "keyed", "calls", "cancel", "unfreed", "relock", "instances"} {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			analysistest.Run(t, analysistest.TestData(), vet.Analyzer, "./"+pkg)
		})
	}
}
