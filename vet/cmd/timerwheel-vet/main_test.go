package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The command works as go vet's tool, which analyses each package in a process of
// its own and carries the facts in files, and by itself.
func TestCommand(t *testing.T) {
	tool := build(t)
	vet := []string{"go", "vet", "-vettool=" + tool}

	for name, c := range map[string]struct {
		command []string
		want    []string // nothing: all is well
	}{
		"across packages": {append(vet, "./across"), []string{
			"across.go:13:16: DelSync of Conn.Idle waits for the handler at conns/conns.go:20, which locks Conn.Mu (conns/conns.go:20), while Conn.Mu is held (across.go:12)",
			"across.go:14:9: DelSync of Conn.Idle (conns/conns.go:25, by Close) waits",
		}},
		"by itself":            {[]string{tool, "./across"}, []string{"across.go:13:16: DelSync of Conn.Idle waits"}},
		"nothing is wrong":     {append(vet, "./across/conns"), nil},
		"tests":                {append(vet, "./intests"), []string{"in_test.go:15:12: DelSync waits"}},
		"tests, left out":      {append(vet, "-timerwheel.tests=false", "./intests"), nil},
		"related, as go vet's": {append(vet, "./across"), []string{"across.go:12:11: \tConn.Mu is taken here, and held"}},
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
			require.NotContains(t, string(out), "is dropped")
		})
	}
}

// build builds the command, and returns where it is.
func build(t *testing.T) string {
	tool := filepath.Join(t.TempDir(), "timerwheel-vet")
	out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return tool
}
