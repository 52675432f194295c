package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The command works as a tool of go vet, which analyses each package in a process
// of its own and carries the facts in files, and by itself.
func TestCommand(t *testing.T) {
	tool := build(t)
	vet := []string{"go", "vet", "-vettool=" + tool}

	for name, c := range map[string]struct {
		command []string
		want    []string // nil if nothing is reported
	}{
		"across packages": {append(vet, "./across"), []string{
			"across.go:13:16: DelSync of Conn.Idle waits for the handler at conns/conns.go:20, which locks Conn.Mu (conns/conns.go:20), while Conn.Mu is held (across.go:12)",
			"across.go:14:9: DelSync of Conn.Idle (conns/conns.go:25, by Close) waits",
		}},
		"by itself":                     {[]string{tool, "./across"}, []string{"across.go:13:16: DelSync of Conn.Idle waits"}},
		"no mistake":                    {append(vet, "./across/conns"), nil},
		"tests":                         {append(vet, "./intests"), []string{"in_test.go:15:12: DelSync waits"}},
		"without tests":                 {append(vet, "-timerwheel.tests=false", "./intests"), nil},
		"related positions with go vet": {append(vet, "./across"), []string{"across.go:12:11: \tConn.Mu is locked here, and still held"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(c.command[0], c.command[1:]...)
			cmd.Dir = filepath.Join("..", "..", "testdata")
			out, err := cmd.CombinedOutput()
			if c.want == nil {
				require.NoError(t, err, "%s", out)
				require.Empty(t, string(out))
				return
			}
			require.Error(t, err)
			for _, want := range c.want {
				require.Contains(t, string(out), want)
			}
			require.NotContains(t, string(out), "dropped") // not reported in tests
		})
	}
}

type diagnostic struct {
	Category, Posn, Message string
	Related                 []struct{ Posn, Message string }
}

// The analyser finds the three deadlocks of examples/deadlocks, and nothing else.
// The README of this module shows what it reports, line by line; after a change of
// that example, update the README.
func TestExampleDeadlocks(t *testing.T) {
	tool := build(t)
	cmd := exec.Command(tool, "-json", "-test=false", "./examples/deadlocks")
	cmd.Dir = filepath.Join("..", "..", "..")
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var found map[string]map[string][]diagnostic
	require.NoError(t, json.Unmarshal(out, &found))
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)

	var categories []string
	for _, d := range found["github.com/seed76848005/timerwheel/examples/deadlocks"]["timerwheel"] {
		categories = append(categories, d.Category)
		lines := filepath.Base(d.Posn) + ": " + d.Message + "\n"
		for _, r := range d.Related {
			lines += filepath.Base(r.Posn) + ": \t" + r.Message + "\n"
		}
		require.Contains(t, string(readme), "\n"+lines)
	}
	require.ElementsMatch(t, []string{"circle", "lock", "self"}, categories)
}

// build builds the command and returns its path.
func build(t *testing.T) string {
	tool := filepath.Join(t.TempDir(), "timerwheel-vet")
	out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return tool
}
