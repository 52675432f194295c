package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README shows lines that seedrace prints. What is counted differs from run to run, but for
// the zeros of the last column: seedrace fails if it counts anything else there.
func TestREADMEShowsSeedrace(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, block, found := strings.Cut(string(readme), "`go run ./examples/seedrace`")
	require.True(t, found)
	_, block, _ = strings.Cut(block, "\n```text\n")
	block, _, found = strings.Cut(block, "\n```\n")
	require.True(t, found)

	out, err := exec.Command(filepath.Join(programs, "seedrace"), "-for", "1s").CombinedOutput()
	require.NoError(t, err, "%s", out)
	printed := shapes(string(out))
	for _, line := range shapes(block) {
		require.Contains(t, printed, line)
	}
}

var counts = regexp.MustCompile(`(?m) +\d+ +\d+$`)

// shapes returns the lines of a text, without what was counted, except zeros of the last column.
func shapes(text string) []string {
	text = counts.ReplaceAllStringFunc(text, func(s string) string {
		if strings.HasSuffix(s, " 0") {
			return " ~ 0"
		}
		return " ~ ~"
	})
	return strings.Split(text, "\n")
}
