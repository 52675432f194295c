package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs/deadlocks.md shows the output of the program, except for times, handles, the order of the
// lines, and which stage of the pipeline would close the circle, at which line.
func TestThePageShowsTheOutput(t *testing.T) {
	page, err := os.ReadFile("../../docs/deadlocks.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Deadlocks are named\n")
	require.True(t, found)
	_, block, found := strings.Cut(section, "\n```text\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "\n```\n")

	// With the default of 200 ms a busy machine could add a report, or get one before the deletion waits.
	program := exec.Command("go", "run", ".", "-after", "1s")
	program.Stderr = os.Stderr
	printed, err := program.Output()
	require.NoError(t, err)
	reports, checks, _ := strings.Cut(string(printed), "\n\n")
	require.NotContains(t, checks, "FAILED")
	require.Equal(t, normalize(block), normalize(reports))
}

// varying matches what differs from run to run.
var varying = regexp.MustCompile(`Timer\(\d+\.\d+#\d+\)|\d[\d.]*m?s\b|read|parse|write|pipeline\.go:\d+`)

// normalize sorts the lines of the output, and replaces what differs from run to run.
func normalize(text string) []string {
	return slices.Sorted(slices.Values(strings.Split(varying.ReplaceAllString(text, "~"), "\n")))
}
