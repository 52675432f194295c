package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nothing measures mutexes in ordinary builds: a program that uses the wheel has
// none of the symbols. With the tag it has, which shows that this would be seen.
func TestOrdinaryBuildsMeasureNothing(t *testing.T) {
	timed := regexp.MustCompile(`timerwheel\.(held|clocks|threadTime|TakePauses|\(\*holds\)\.add|\(\*mutex\)\.Unlock)\n`)
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
