package main

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// A verdict is what a run of tests says.
type verdict struct {
	red string // the first test that is red, and how; empty: all are green
	log string
}

var (
	begun   = regexp.MustCompile(`(?m)^=== RUN +(\S+)`)
	failed  = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
	crashed = regexp.MustCompile(`(?m)^(?:panic|fatal error|goleak): .*`)
)

const hung = "panic: test timed out"

// ran reports whether any test has run that a -run expression means, and not
// only those around it.
func (v verdict) ran(run string) bool {
	depth := strings.Count(run, "/")
	return slices.ContainsFunc(begun.FindAllStringSubmatch(v.log, -1), func(name []string) bool {
		return strings.Count(name[1], "/") >= depth
	})
}

// judge reads the log of tests that have ended with err. Tests that failed,
// crashed or hung are red; tests that could not be run, or that ended in a way
// that the log does not explain, are an error.
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

// last returns the name in the last line of a kind: of the test that has begun
// last, or, as subtests stand below what they belong to, of the innermost that
// has failed.
func last(log string, kind *regexp.Regexp) string {
	all := kind.FindAllStringSubmatch(log, -1)
	if len(all) == 0 {
		return "before any test"
	}
	return all[len(all)-1][1]
}
