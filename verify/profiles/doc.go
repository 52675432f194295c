// Package profiles takes real execution traces and CPU profiles of wheels with
// Options.Debug, and reads them as the tools do: golang.org/x/exp/trace is what go
// tool trace is made of, github.com/google/pprof what go tool pprof is.
//
//	go test ./profiles
package profiles
