package docs

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
	"github.com/stretchr/testify/require"
)

// The file testdata/errcheck/calls.go drops each error that the library returns. errcheck reports all of
// them, and with errcheck_excludes.txt all that are not on that list. It is built from the module in
// tools, which may need the network: without it the test is skipped, unless CI is set (make errcheck).
func TestErrcheck(t *testing.T) {
	errcheck := buildErrcheck(t)
	all := callsWithAnError()
	require.Equal(t, slices.Sorted(maps.Keys(all)), reported(t, errcheck))
	for _, name := range excluded(t) {
		require.True(t, all[name], "%s is excluded, and returns no error", name)
		delete(all, name)
	}
	require.Equal(t, slices.Sorted(maps.Keys(all)), reported(t, errcheck, "-exclude", "errcheck_excludes.txt"))
}

// errcheck reports nothing of the code with which the README begins, without any exclusion.
func TestErrcheckOfTheREADME(t *testing.T) {
	out, err := exec.Command(buildErrcheck(t), ".").CombinedOutput()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit, "%s", out)
		require.Equal(t, 1, exit.ExitCode(), "%s", out) // it has reports
	}
	require.Contains(t, string(out), "library_test.go", "errcheck looks at tests")
	require.NotContains(t, string(out), "readme_test.go")
}

func buildErrcheck(t *testing.T) (program string) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	program = filepath.Join(t.TempDir(), "errcheck")
	out, err := exec.Command("go", "build", "-C", filepath.Join(root, "tools"), "-o", program, "github.com/kisielk/errcheck").CombinedOutput()
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("errcheck cannot be built here: %s", out)
	}
	require.NoError(t, err, "%s", out)
	return program
}

// errcheck.md shows the list, the same list for golangci-lint, and names every call that returns an error.
func TestErrcheckPage(t *testing.T) {
	text, err := os.ReadFile("errcheck.md")
	require.NoError(t, err)
	page := string(text)
	list, err := os.ReadFile("errcheck_excludes.txt")
	require.NoError(t, err)
	require.Contains(t, page, "```text\n"+string(list)+"```")

	var golangci []string
	for _, m := range regexp.MustCompile(`(?m)^ +- (.*)$`).FindAllStringSubmatch(page, -1) {
		golangci = append(golangci, m[1])
	}
	require.Equal(t, excluded(t), golangci)

	exclude := map[string]bool{} // by what the last column of the table says
	for _, line := range strings.Split(page, "\n") {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				exclude[m[1]] = strings.Contains(cells[3], "exclude")
			}
		}
	}
	for name := range callsWithAnError() {
		method := name[strings.LastIndex(name, ".")+1:]
		is, found := exclude[method]
		require.True(t, found, "the table says nothing of %s", method)
		if !strings.Contains(name, "/keyed.") { // which names the key's type, and so is not on the list
			require.Equal(t, slices.Contains(excluded(t), name), is, "the table differs from the list: %s", name)
		}
	}
}

// excluded returns what errcheck_excludes.txt names.
func excluded(t *testing.T) (names []string) {
	list, err := os.ReadFile("errcheck_excludes.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			names = append(names, line)
		}
	}
	return names
}

// callsWithAnError returns the calls of the library that return an error, as errcheck names them.
func callsWithAnError() map[string]bool {
	all := map[string]bool{"github.com/seed76848005/timerwheel.New": true}
	for _, of := range []reflect.Type{
		reflect.TypeFor[timerwheel.Timer](), reflect.TypeFor[*timerwheel.Wheel](), reflect.TypeFor[*timerwheel.Group](),
		reflect.TypeFor[*keyed.Timers[string]](),
	} {
		star, named := "", of
		if of.Kind() == reflect.Pointer {
			star, named = "*", of.Elem()
		}
		for i := range of.NumMethod() {
			m := of.Method(i)
			if n := m.Type.NumOut(); n > 0 && m.Type.Out(n-1) == reflect.TypeFor[error]() {
				all["("+star+named.PkgPath()+"."+named.Name()+")."+m.Name] = true
			}
		}
	}
	return all
}

// reported runs errcheck over calls.go, and returns the names of the calls that it reports.
func reported(t *testing.T, errcheck string, flags ...string) []string {
	cmd := exec.Command(errcheck, append(flags, "-verbose", "./testdata/errcheck")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", &stderr)
	require.Equal(t, 1, exit.ExitCode(), "%s", &stderr) // it has reports
	names := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(line, "\t")
		require.Len(t, fields, 3, line)
		names[fields[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}
