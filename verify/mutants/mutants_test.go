package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// These tests check the table without a build: it fits the source as it is, and breaks
// every rule.

func TestEveryMutantFitsTheSource(t *testing.T) {
	dir := libraryDirOf(t)
	for _, m := range mutants {
		texts, err := edited(dir, m.Edits)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		for file, text := range texts {
			if text == read(t, file) {
				t.Errorf("%s: %s is not changed", m.Name, file)
			}
		}
	}
}

func TestEveryRuleHasAMutant(t *testing.T) {
	of := make(map[string]int)
	for _, m := range mutants {
		of[m.Rule]++
	}
	for rule := 1; rule <= 9; rule++ {
		if of[fmt.Sprint("sync_del ", rule)] == 0 {
			t.Errorf("no mutant breaks rule %d", rule)
		}
	}
	for _, file := range []string{"handle.go", "worker.go"} {
		if of[file] == 0 {
			t.Errorf("no mutant breaks what %s promises", file)
		}
	}
	if len(mutants) < 15 {
		t.Errorf("%d mutants are too few", len(mutants))
	}
}

func TestNamesOfMutantsAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range mutants {
		if m.Name == "" || seen[m.Name] {
			t.Errorf("the name %q is empty, or there twice", m.Name)
		}
		seen[m.Name] = true
	}
}

// The tests and scenarios that a mutant names are there.
func TestEveryCheckExists(t *testing.T) {
	dir := libraryDirOf(t)
	there := make(map[suite]string)
	for _, s := range suites(mutants) {
		there[s] = sources(t, filepath.Join(dir, s.dir, "*_test.go"))
	}
	for _, m := range mutants {
		for _, name := range m.Red.names {
			if !regexp.MustCompile(fmt.Sprintf(m.Red.name, name)).MatchString(there[m.Red.suite]) {
				t.Errorf("%s: there is no %s in %s", m.Name, name, m.Red.dir)
			}
		}
	}
}

// An edit that finds nothing, or finds it twice, is an error.
func TestAnEditMustFitOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f.go"), []byte("one two two"), 0o600); err != nil {
		t.Fatal(err)
	}
	for old, fits := range map[string]bool{"one": true, "two": false, "three": false} {
		if _, err := edited(dir, []edit{{"f.go", old, ""}}); (err == nil) != fits {
			t.Errorf("%q: %v", old, err)
		}
	}
}

// These logs are red, and these are runs that say nothing.
func TestVerdicts(t *testing.T) {
	exit := new(exec.ExitError)
	for log, want := range map[string]string{
		"=== RUN   TestA\n--- FAIL: TestA (0.00s)\nFAIL\n":                                                "TestA",
		"=== RUN   TestA\n=== RUN   TestA/b\n--- FAIL: TestA (0.00s)\npanic: on purpose [recovered]\n":    "TestA/b: panic: on purpose [recovered]",
		"=== RUN   TestA\npanic: test timed out after 20s\nrunning tests:\n":                              "TestA: TIMEOUT",
		"=== RUN   TestA\nfatal error: all goroutines are asleep - deadlock!\n":                           "TestA: fatal error: all goroutines are asleep - deadlock!",
		"=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\ngoleak: Errors on successful test run: a leak\n": "TestA: goleak: Errors on successful test run: a leak",
	} {
		v, err := judge(log, exit)
		if err != nil || v.red != want {
			t.Errorf("%q is red by %q, %v", log, v.red, err)
		}
	}
	for _, err := range []error{exit, errors.New("no such file")} {
		if v, err := judge("=== RUN   TestA\n", err); err == nil {
			t.Errorf("an end without a reason is red by %q", v.red)
		}
	}
	if v, err := judge("=== RUN   TestA\nPASS\n", nil); err != nil || v.red != "" {
		t.Errorf("green is red by %q, %v", v.red, err)
	}
}

// With the name of a scenario that does not exist nothing runs, and the test around it is
// green.
func TestRan(t *testing.T) {
	v := verdict{log: "=== RUN   TestSchedules\n--- PASS: TestSchedules\n"}
	if !v.ran("^TestSchedules$") || v.ran("^TestSchedules$/^(a)$") || (verdict{}).ran("^TestA$") {
		t.Error("a test that has not run is taken for one that has")
	}
}

func libraryDirOf(t *testing.T) string {
	dir, err := libraryDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func sources(t *testing.T, pattern string) (all string) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		all += read(t, file)
	}
	return all
}

func read(t *testing.T, file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
