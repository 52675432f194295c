package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A mutant is the library with one promise broken.
type mutant struct {
	Name  string // what it does wrong
	Rule  string // what that breaks: a ground rule of sync_del.go by its number, a file, or a package under internal
	Edits []edit
	Red   check // what must go red
}

// An edit replaces a text in a file of the library. The file is named by its path from the
// root. The text must occur exactly once, so that a mutant that no longer fits the source
// is an error.
type edit struct{ File, Old, New string }

// A check is some of the tests of a suite.
type check struct {
	suite
	names []string // none: all
}

// tests checks with tests of the root package.
func tests(names ...string) check { return in(".", names...) }

// in checks with tests of the package in a directory of the library.
func in(dir string, names ...string) check { return check{testsIn(dir), names} }

// explored checks with scenarios of which every schedule is tried. It is for what goes
// wrong only if another goroutine comes at one exact moment.
func explored(scenarios ...string) check { return check{scheduleTests, scenarios} }

// run returns the expression for go test -run.
func (c check) run() string {
	if c.names == nil {
		return c.within + "."
	}
	return c.within + "^(" + strings.Join(c.names, "|") + ")$"
}

func (m mutant) String() string {
	return fmt.Sprintf("%-12s %-*s %s: %s", m.Rule, nameWidth, m.Name, m.Red.dir, m.Red.run())
}

const nameWidth = 85

// edited returns the files that the edits change, with their new texts. Edits of one file
// are made one after the other.
func edited(dir string, edits []edit) (map[string]string, error) {
	texts := make(map[string]string)
	for _, e := range edits {
		file := filepath.Join(dir, e.File)
		if _, ok := texts[file]; !ok {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			texts[file] = string(text)
		}
		if n := strings.Count(texts[file], e.Old); n != 1 {
			return nil, fmt.Errorf("%s: this is there %d times, not once:\n%s", e.File, n, e.Old)
		}
		texts[file] = strings.Replace(texts[file], e.Old, e.New, 1)
	}
	return texts, nil
}
