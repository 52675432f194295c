package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

// The three deadlocks that are planted in examples/deadlocks are found, and
// nothing else; and the README shows what is said of them.
func TestTheExampleOfDeadlocks(t *testing.T) {
	tool := build(t)
	cmd := exec.Command(tool, "-json", "-test=false", "./examples/deadlocks")
	cmd.Dir = filepath.Join("..", "..", "..")
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var found map[string]map[string][]struct{ Category, Message string }
	require.NoError(t, json.Unmarshal(out, &found))
	readme, err := os.ReadFile(filepath.Join(cmd.Dir, "README.md"))
	require.NoError(t, err)
	var categories []string
	for _, d := range found["github.com/seed76848005/timerwheel/examples/deadlocks"]["timerwheel"] {
		categories = append(categories, d.Category)
		require.Contains(t, string(readme), ": "+d.Message+"\n")
	}
	sort.Strings(categories)
	require.Equal(t, []string{"circle", "lock", "self"}, categories)
}
