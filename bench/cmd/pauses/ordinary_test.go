package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// An ordinary build of a program that uses the wheel contains no symbol of the code that
// measures mutexes. A build with the tag contains them, which shows that the test can fail.
func TestOrdinaryBuildsMeasureNothing(t *testing.T) {
	timed := regexp.MustCompile(`timerwheel/internal/hook\.\S+\n`)
	for tags, want := range map[string]bool{"": false, "pauses": true} {
		program := filepath.Join(t.TempDir(), "program")
		build := exec.Command("go", "build", "-tags", tags, "-o", program, "./examples/seedrace")
		build.Dir = "../../.."
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		symbols, err := exec.Command("go", "tool", "nm", program).Output()
		require.NoError(t, err)
		require.True(t, bytes.Contains(symbols, []byte("timerwheel.(*shard).enlist")), "the wheel is not in the program")
		require.Equal(t, want, timed.Match(symbols), "tags %q: %s", tags, timed.FindAll(symbols, -1))
	}
}
