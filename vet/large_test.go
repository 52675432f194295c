package vet_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"

	"github.com/seed76848005/timerwheel/vet"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis/analysistest"
)

// In a package of which every function may reach every other, the locks, signals and waits
// that are far from a handler count like those that are near.
func TestLargePackage(t *testing.T) {
	dir := t.TempDir()
	writeModule(t, dir)
	writeLargePackage(t, dir, 60)
	mistake := `package large // want package:"0 functions, 120 handlers"

func wrong(s *session0, far *session59, between *session24) {
	far.table.Lock()
	s.idle.DelSync() // want "DelSync of session0.idle waits for the handler session0.onIdle .* which locks session59.table"
	far.table.Unlock()
	between.mu.Lock()
	s.work.Wait() // want "WaitGroup.Wait of session0.work waits for .* which locks session24.mu .* before it signals"
	between.mu.Unlock()
	far.flush.Lock()
	s.idle.DelSync()
	s.work.Wait()
	far.flush.Unlock()
	far.table.Lock()
	s.close() // all but that of session59, which may be far // want "ShutdownSync of session[0-9]+.idle .* and 55 more"
	far.table.Unlock()
}
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mistake.go"), []byte(mistake), 0o666))
	analysistest.Run(t, dir, vet.Analyzer, ".")
}

var largeTypes = flag.Int("types", 720, "how many types of 139 lines the large package has")

// BenchmarkLargePackage runs go vet, and go vet with this analyser in place of the standard
// checks, on one generated package of 100,000 lines. It reports the processor time of each
// in seconds and the memory of its largest process in megabytes:
//
//	go test -C vet -run '^$' -bench LargePackage -benchtime 1x
func BenchmarkLargePackage(b *testing.B) {
	tool := filepath.Join(b.TempDir(), "timerwheel-vet")
	runIn(b, ".", "go", "build", "-o", tool, "./cmd/timerwheel-vet")
	dir := b.TempDir()
	writeModule(b, dir)
	for name, command := range map[string][]string{
		"go-vet":         {"go", "vet", "."},
		"timerwheel-vet": {"go", "vet", "-vettool=" + tool, "."},
	} {
		b.Run(name, func(b *testing.B) {
			writeLargePackage(b, dir, 10)
			runIn(b, dir, command...) // what the package imports is in the cache afterwards
			var seconds, megabytes float64
			for i := range b.N {
				lines := writeLargePackage(b, dir, *largeTypes+i) // not in the cache
				s, m := runIn(b, dir, command...)
				seconds, megabytes = seconds+s, max(megabytes, m)
				b.ReportMetric(float64(lines), "lines")
			}
			b.ReportMetric(seconds/float64(b.N), "cpu-s/op")
			b.ReportMetric(megabytes, "MB")
		})
	}
}

// runIn runs a command that must succeed. It returns the seconds of processor time that it
// took, and the memory of its largest process.
func runIn(b *testing.B, dir string, command ...string) (seconds, megabytes float64) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	used := cmd.ProcessState
	kilobytes := used.SysUsage().(*syscall.Rusage).Maxrss
	return (used.UserTime() + used.SystemTime()).Seconds(), float64(kilobytes) / 1024
}

// writeModule writes a module that uses this repository's library.
func writeModule(t testing.TB, dir string) {
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		root, err := filepath.Abs("..")
		require.NoError(t, err)
		text = bytes.ReplaceAll(text, []byte("../.."), []byte(root))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o666))
	}
}

// writeLargePackage writes a package of n types and returns the number of its lines.
func writeLargePackage(t testing.TB, dir string, n int) (lines int) {
	old, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, f := range old {
		require.NoError(t, os.Remove(f))
	}
	for i := range n {
		var text strings.Builder
		require.NoError(t, largeType.Execute(&text, map[string]int{
			"I": i, "Next": (i + 1) % n, "Far": (i*7 + 3) % n, "Other": (i*31 + 11) % n,
		}))
		lines += strings.Count(text.String(), "\n")
		name := filepath.Join(dir, fmt.Sprintf("session%d.go", i))
		require.NoError(t, os.WriteFile(name, []byte(text.String()), 0o666))
	}
	return lines
}

// largeType is one type of the large package: a session with timers, locks and signals. Its
// methods call each other, and those of three other types: any function may reach any other.
var largeType = template.Must(template.New("").Parse(`package large

import (
	"errors"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

type session{{.I}} struct {
	mu    sync.Mutex
	table sync.RWMutex
	flush sync.Mutex
	wheel *timerwheel.Wheel
	idle  timerwheel.Timer
	probe timerwheel.Timer
	done  chan struct{}
	work  sync.WaitGroup
	next  *session{{.Next}}
	far   *session{{.Far}}
	other *session{{.Other}}
	count int
	names map[string]int
}

func newSession{{.I}}(w *timerwheel.Wheel) *session{{.I}} {
	s := &session{{.I}}{wheel: w, done: make(chan struct{}, 1), names: map[string]int{}}
	s.idle = w.Alloc(s.onIdle)
	s.probe = w.AllocLocked(&s.mu, func(timerwheel.Timer) { s.count++ })
	return s
}

func (s *session{{.I}}) onIdle(timerwheel.Timer) {
	s.mu.Lock()
	s.count++
	far := s.far
	s.mu.Unlock()
	far.note("idle", 1)
	s.notify(s.count)
}

func (s *session{{.I}}) note(name string, depth int) {
	s.table.Lock()
	s.names[name]++
	s.table.Unlock()
	if depth > 3 {
		return
	}
	if len(name) > 4 {
		s.next.note(name, depth+1)
	} else if s.other != nil {
		s.other.note(name, depth+1)
	}
}

func (s *session{{.I}}) notify(n int) {
	if n > 3 {
		select {
		case s.done <- struct{}{}:
		default:
		}
	}
	s.with(func() {
		s.work.Done()
	})
	if n > 0 {
		s.far.notify(n - 1)
	}
}

func (s *session{{.I}}) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *session{{.I}}) read(name string) (int, error) {
	if err := s.arm(time.Second); err != nil {
		return 0, err
	}
	s.table.RLock()
	n, ok := s.names[name]
	s.table.RUnlock()
	if !ok {
		n, err := s.other.read(name)
		if err != nil {
			s.note(name, 0)
			return 0, err
		}
		s.notify(n)
		return n, nil
	}
	for i := range n {
		switch i % 3 {
		case 0:
			s.note(name, i)
		case 1:
			s.next.notify(i)
		default:
			s.far.with(func() { s.far.count++ })
		}
	}
	return n, nil
}

func (s *session{{.I}}) arm(d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count < 0 {
		return errors.New("closed")
	}
	if err := s.idle.Register(d); err != nil {
		return err
	}
	return s.probe.Register(d / 2)
}

func (s *session{{.I}}) drain() {
	s.flush.Lock()
	defer s.flush.Unlock()
	s.work.Wait()
	s.idle.DelSync()
}

func (s *session{{.I}}) close() error {
	s.mu.Lock()
	s.count = -1
	s.mu.Unlock()
	_, err := s.idle.ShutdownSync()
	if err != nil {
		return err
	}
	err = errors.Join(s.idle.Free(), s.next.close())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probe.Shutdown()
	return errors.Join(err, s.probe.Free())
}
`))
