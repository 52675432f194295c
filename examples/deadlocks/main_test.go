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

// What the README shows is what the program prints, but for times, handles, the order of
// the lines, and which stage of the pipeline it is that would close the circle.
func TestTheREADMEShowsWhatTheProgramPrints(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Deadlocks are named\n")
	require.True(t, found)
	_, block, found := strings.Cut(section, "\n```text\n")
	require.True(t, found)
	block, _, _ = strings.Cut(block, "\n```\n")

	program := exec.Command("go", "run", ".")
	program.Stderr = os.Stderr
	printed, err := program.Output()
	require.NoError(t, err)
	told, checked, _ := strings.Cut(string(printed), "\n\n")
	require.NotContains(t, checked, "FAILED")
	require.Equal(t, withoutChance(block), withoutChance(told))
}

var chance = regexp.MustCompile(`Timer\(\d+\.\d+#\d+\)|\d[\d.]*m?s\b|read|parse|write`)

// withoutChance takes from what the program prints what is different each time.
func withoutChance(text string) []string {
	return slices.Sorted(slices.Values(strings.Split(chance.ReplaceAllString(text, "~"), "\n")))
}
