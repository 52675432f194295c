package main

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// A verdict is the result of a run of tests.
type verdict struct {
	red string // the first test that is red, and how; empty if all are green
	log string
}

var (
	begun   = regexp.MustCompile(`(?m)^=== RUN +(\S+)`)
	failed  = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
	crashed = regexp.MustCompile(`(?m)^(?:panic|fatal error|goleak): .*`)
)

const hung = "panic: test timed out"

// ran reports whether a test has run that the -run expression names, not only a test
// around it.
func (v verdict) ran(run string) bool {
	depth := strings.Count(run, "/")
	return slices.ContainsFunc(begun.FindAllStringSubmatch(v.log, -1), func(name []string) bool {
		return strings.Count(name[1], "/") >= depth
	})
}

// judge reads the log of tests that have ended with err. Tests that failed, crashed or
// hung are red. Tests that could not be run, or whose end the log does not explain, are an
// error.
func judge(log string, err error) (verdict, error) {
	v := verdict{log: log}
	if err == nil {
		return v, nil
	}
	switch {
	case !errors.As(err, new(*exec.ExitError)):
		return v, err
	case strings.Contains(log, hung):
		v.red = last(log, begun) + ": TIMEOUT"
	case crashed.MatchString(log):
		v.red = last(log, begun) + ": " + strings.TrimSuffix(crashed.FindString(log), " [recovered, repanicked]")
	case failed.MatchString(log):
		v.red = last(log, failed)
	default:
		return v, fmt.Errorf("no test is red, but %w:\n%s", err, log)
	}
	return v, nil
}

// last returns the name in the last line of a kind: of the last test that has begun, or
// of the innermost that has failed, as subtests stand below their tests.
func last(log string, kind *regexp.Regexp) string {
	all := kind.FindAllStringSubmatch(log, -1)
	if len(all) == 0 {
		return "before any test"
	}
	return all[len(all)-1][1]
}
