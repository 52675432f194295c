// Package examples tests what the examples have in common. What each is about it checks itself.
package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var programs string // the directory that TestMain builds them into

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	output, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./...").CombinedOutput()
	if err != nil {
		fmt.Printf("%v\n%s", err, output)
		return 1
	}
	return m.Run()
}

// The help begins with a sentence that says what the program is. The smallest programs have no flags.
func TestHelp(t *testing.T) {
	entries, err := os.ReadDir(programs)
	require.NoError(t, err)
	require.Len(t, entries, 9)
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".exe")
		if name == "oneshot" || name == "idleconn" {
			continue
		}
		help, err := exec.Command(filepath.Join(programs, e.Name()), "-h").CombinedOutput()
		require.NoError(t, err)
		about, flags, found := strings.Cut(string(help), "\n\n")
		require.True(t, found, "%s", help)
		require.Regexp(t, "^"+strings.ToUpper(name[:1])+name[1:]+` [a-z]`, about)
		require.Regexp(t, `\.$`, about)
		require.Regexp(t, `^  -[a-z]+ `, flags)
	}
}
