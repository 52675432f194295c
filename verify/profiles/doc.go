// Package profiles takes real execution traces and CPU profiles of wheels with
// Options.Debug, and reads them as the tools do: go tool trace is built on
// golang.org/x/exp/trace, go tool pprof on github.com/google/pprof. It consists of tests.
//
//	go test ./profiles
package profiles
