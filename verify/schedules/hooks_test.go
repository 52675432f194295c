package schedules

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The hooks at which the wheel stops for a director are not in ordinary builds: a program
// that uses the wheel has no symbol of them. With the tag it has, which shows that the test
// can fail.
func TestHooksAreNotInOrdinaryBuilds(t *testing.T) {
	hooks := regexp.MustCompile(`timerwheel(\.await\.func\d+|/internal/hook\.\S+)\n`)
	for tags, want := range map[string]bool{"": false, "schedules": true} {
		program := filepath.Join(t.TempDir(), "program")
		build := exec.Command("go", "build", "-tags", tags, "-o", program, "github.com/seed76848005/timerwheel/examples/seedrace")
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		symbols, err := exec.Command("go", "tool", "nm", program).Output()
		require.NoError(t, err)
		require.True(t, bytes.Contains(symbols, []byte("timerwheel.(*shard).enlist")), "the wheel is not in the program")
		require.Equal(t, want, hooks.Match(symbols), "tags %q: %s", tags, hooks.FindAll(symbols, -1))
	}
}
