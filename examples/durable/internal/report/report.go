// Package report prints the checks of an example.
package report

import "fmt"

// A Report counts the checks that failed. The zero Report is ready to use.
type Report struct{ failed int }

// Expect prints whether a check holds.
func (r *Report) Expect(ok bool, what string) {
	result := "ok    "
	if !ok {
		result = "FAILED"
		r.failed++
	}
	fmt.Printf("  %s  %s\n", result, what)
}

// Err returns an error if a check failed.
func (r *Report) Err() error {
	if r.failed > 0 {
		return fmt.Errorf("%d checks failed", r.failed)
	}
	return nil
}
