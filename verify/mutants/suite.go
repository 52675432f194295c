package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// This file builds the tests of a mutant and runs them.

// A suite is a test package.
type suite struct {
	dir     string // of the package, from the root of the library
	tags    string // build tags
	within  string // the test whose subtests the checks are; with a slash
	timeout string // of a check, as go test has it: many times what it takes
	name    string // the form in which the source has a test's name
}

// testsIn is the tests of a package of the library.
func testsIn(dir string) suite { return suite{dir: dir, timeout: "20s", name: `(?m)^func %s\(`} }

// scheduleTests is the scenarios of the schedule explorer.
var scheduleTests = suite{
	dir: "verify/schedules", tags: "schedules,invariants",
	within: "^TestSchedules$/", timeout: "600s", name: `(?m)\{name: "%s",`,
}

// suites returns the suites that some mutants need, each once.
func suites(chosen []mutant) (all []suite) {
	for _, m := range chosen {
		if !slices.Contains(all, m.Red.suite) {
			all = append(all, m.Red.suite)
		}
	}
	return all
}

// A library is the source, and a directory for what is made of it.
type library struct{ dir, scratch string }

// open finds the library that this module proves.
func open() (*library, error) {
	dir, err := libraryDir()
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "mutants")
	return &library{dir, scratch}, err
}

func (l *library) close() { _ = os.RemoveAll(l.scratch) }

func libraryDir() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/seed76848005/timerwheel").Output()
	return strings.TrimSpace(string(out)), err
}

// A binary is the built tests of a suite.
type binary struct {
	suite
	wd      string // where its tests run
	scratch string
}

func (b binary) file() string { return filepath.Join(b.scratch, "tests") }
func (b binary) remove()      { _ = os.RemoveAll(b.scratch) }

// build builds the tests of a suite, with edits to the library. If they do not compile,
// that is an error.
func (l *library) build(ctx context.Context, s suite, edits []edit) (b binary, err error) {
	scratch, err := os.MkdirTemp(l.scratch, "")
	if err != nil {
		return b, err
	}
	overlay, err := l.overlay(scratch, edits)
	if err != nil {
		return b, err
	}
	b = binary{s, filepath.Join(l.dir, s.dir), scratch}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off",
		"-tags", s.tags, "-overlay", overlay, "-o", b.file(),
		"-ldflags=-s -w", "-gcflags=-l") // without symbols and inlining it builds faster
	build.Dir = b.wd
	build.Env = append(os.Environ(), "GOGC=400") // the compiler's, for the same reason
	if out, err := build.CombinedOutput(); err != nil {
		return b, fmt.Errorf("%s does not build: %w\n%s", s.dir, err, out)
	}
	return b, nil
}

// overlay writes the edited files, and the list of the files that they replace.
func (l *library) overlay(scratch string, edits []edit) (file string, err error) {
	texts, err := edited(l.dir, edits)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for original, text := range texts {
		replace[original] = filepath.Join(scratch, strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(replace[original], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file = filepath.Join(scratch, "overlay.json")
	return file, os.WriteFile(file, list, 0o600)
}

// run runs some of the tests, and stops at the first that is red.
func (b binary) run(ctx context.Context, run string) (verdict, error) {
	var log bytes.Buffer
	tests := exec.CommandContext(ctx, b.file(),
		"-test.run", run, "-test.v", "-test.short", "-test.failfast", "-test.timeout", b.timeout)
	tests.Dir = b.wd
	tests.Stdout, tests.Stderr = &log, &log
	err := tests.Run()
	if ctx.Err() != nil {
		return verdict{}, ctx.Err()
	}
	return judge(log.String(), err)
}
