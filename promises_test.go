package timerwheel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page of promises and the tests stay together: each test that the page names exists,
// each of its clauses names one, and each test stands on the page.
func TestPromisesNameTheirTests(t *testing.T) {
	page, err := os.ReadFile("docs/promises.md")
	require.NoError(t, err)
	clauses := clausesOf(t, string(page))
	exists := testsOf(t, ".", "internal/gostack", "internal/hook", "internal/levels", "internal/slab")
	require.NotEmpty(t, clauses)

	named := map[string]bool{}
	for _, c := range clauses {
		if len(c.tests) == 0 {
			t.Errorf("clause %s names no test", c.number)
		}
		for _, name := range c.tests {
			named[name] = true
			if exists[name] == "" {
				t.Errorf("clause %s names %s, which does not exist", c.number, name)
			}
		}
	}
	for name, file := range exists {
		if strings.HasPrefix(name, "Test") && !named[name] {
			t.Errorf("%s of %s stands nowhere on the page", name, file)
		}
	}
}

// A promise is a clause of the page: its number, and the tests that it names.
type promise struct {
	number string
	tests  []string
}

var (
	promiseBegins   = regexp.MustCompile(`^(?:\*\*(\d+\.\d+)\*\*|\| (\d+\.\d+) \|) `) // of a paragraph, or of a row of a table
	promiseSections = regexp.MustCompile(`^## (\d+)\. `)
	promiseNumber   = regexp.MustCompile(`\d+\.\d+`)
	promiseTests    = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	testFunctions   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`)
)

// clausesOf reads the page. A clause reaches to the next line that is empty or begins
// another. Numbers must follow each other, and what looks like a clause, or like a test,
// must be one: what cannot be read would not be missed.
func clausesOf(t *testing.T, page string) (clauses []promise) {
	section, clause, within := 0, 0, false
	for n, line := range strings.Split(page, "\n") {
		at := fmt.Sprintf("line %d: %q", n+1, line)
		if m := promiseSections.FindStringSubmatch(line); m != nil {
			section, clause, within = section+1, 0, false
			require.Equal(t, fmt.Sprint(section), m[1], at)
			continue
		}
		tests := promiseTests.FindAllStringSubmatch(line, -1)
		switch m := promiseBegins.FindStringSubmatch(line); {
		case m != nil:
			clause++
			within = true
			number := m[1] + m[2]
			require.Equal(t, fmt.Sprintf("%d.%d", section, clause), number, at)
			clauses = append(clauses, promise{number: number})
		case line == "":
			within = false
		case !within:
			require.Empty(t, tests, "a test outside a clause, %s", at)
			require.NotRegexp(t, `^\W*`+promiseNumber.String(), line, "is this a clause? %s", at)
		}
		for _, m := range tests {
			last := &clauses[len(clauses)-1]
			last.tests = append(last.tests, m[1])
		}
	}
	return clauses
}

// testsOf finds the test functions of some directories, and the file that each is in. No two have
// one name, as the page does not say where a test is.
func testsOf(t *testing.T, dirs ...string) map[string]string {
	tests := map[string]string{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files, dir)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range testFunctions.FindAllStringSubmatch(string(source), -1) {
				if first := tests[m[1]]; first != "" {
					t.Errorf("%s is in %s and in %s", m[1], first, file)
				}
				tests[m[1]] = file
			}
		}
	}
	delete(tests, "TestMain")
	return tests
}
