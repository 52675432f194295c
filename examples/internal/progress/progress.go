// Package progress lets an example say what it does while it runs.
package progress

import (
	"fmt"
	"os"
	"time"
)

// Start prints a line each second until stop is called. It prints nothing if standard output is
// a file or a pipe: there only the results count.
func Start(line func() string) (stop func()) { return start(os.Stdout, time.Second, line) }

func start(out *os.File, every time.Duration, line func() string) (stop func()) {
	if !isTerminal(out) {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for began := time.Now(); ; {
			select {
			case <-ticker.C:
				fmt.Fprintf(out, "  %3.0fs  %s\n", time.Since(began).Seconds(), line())
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
