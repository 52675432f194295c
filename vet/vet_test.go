package vet_test

import (
	"testing"

	"github.com/seed76848005/timerwheel/vet"
	"golang.org/x/tools/go/analysis/analysistest"
)

// Each package under testdata has, for each thing that is wrong, one that looks
// like it and is right. Both are tests: what is not reported, and what is
// reported without need, fails.
func TestPlanted(t *testing.T) {
	for _, pkg := range []string{"lock", "wait", "self", "circle", "free", "dropped", "habit", "across"} {
		t.Run(pkg, func(t *testing.T) {
			analysistest.Run(t, analysistest.TestData(), vet.Analyzer, "./"+pkg)
		})
	}
}
