package vet_test

import (
	"testing"

	"github.com/seed76848005/timerwheel/vet"
	"golang.org/x/tools/go/analysis/analysistest"
)

// Each package under testdata has, beside what is wrong, what looks like it and is
// right. Both are tests: a report that a line does not want fails, and so does one
// that does not come.
func TestPlanted(t *testing.T) {
	for _, pkg := range []string{"lock", "wait", "self", "circle", "free", "dropped", "habit", "across"} {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel()
			analysistest.Run(t, analysistest.TestData(), vet.Analyzer, "./"+pkg)
		})
	}
}
