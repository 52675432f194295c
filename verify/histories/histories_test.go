package histories

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var (
	number   = flag.Int("histories.n", 40_000, "how many histories to make and check")
	duration = flag.Duration("histories.for", 0, "make and check histories for so long, instead of a number of them")
	seed     = flag.Uint64("histories.seed", 0, "what the clients draw from, not when they run; 0: another each time")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every history is linearizable, timer by timer.
func TestHistoriesAreLinearizable(t *testing.T) {
	s := &series{left: *number, seed: *seed, seen: map[string]int{}}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	if *duration > 0 {
		s.left, s.until = 1<<62, time.Now().Add(*duration)
	}
	var makers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		makers.Go(func() { s.make(t) })
	}
	makers.Wait()
	s.report(t)
}

// A series is many histories. Each of its makers has a wheel, on which one
// history follows the other: so timers of the one get the places of the other's.
type series struct {
	mu         sync.Mutex
	left       int
	until      time.Time
	seed       uint64
	histories  int
	operations int
	violations int
	seen       map[string]int // in how many histories
}

func (s *series) make(t *testing.T) {
	w, err := timerwheel.New(options)
	if err != nil {
		t.Error(err)
		return
	}
	for {
		seed, ok := s.next()
		if !ok {
			break
		}
		guard := guard(seed)
		history := play(w, seed)
		guard.Stop()
		if result := check(history); result != porcupine.Ok {
			s.violated(t, seed, result, history)
		}
		s.count(history)
	}
	if err := w.Close(); err != nil || w.Stats().Live > 0 {
		t.Errorf("Close: %v; %+v", err, w.Stats())
	}
}

// options are those of the wheels. Their handlers panic, and go on.
var options = timerwheel.Options{Tick: 50 * time.Microsecond, OnPanic: func(timerwheel.HandlerPanic) {}}

// guard ends the program, and shows all stacks, if a history does not end: some
// call hangs.
func guard(seed uint64) *time.Timer {
	return time.AfterFunc(time.Minute, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("a history does not end (seed %d)", seed))
	})
}

// next returns the seed of the next history, if there is to be one more.
func (s *series) next() (seed uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 || s.violations > 0 || !s.until.IsZero() && time.Now().After(s.until) {
		return 0, false
	}
	s.left--
	s.seed++
	return s.seed, true
}

// check asks porcupine. That it cannot tell in so long a time is not to happen
// with histories so short, and fails the test.
func check(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(model.ToModel(), history, time.Minute)
}

// violated shows a history that is not linearizable.
func (s *series) violated(t *testing.T, seed uint64, result porcupine.CheckResult, history []porcupine.Operation) {
	s.mu.Lock()
	s.violations++
	s.mu.Unlock()
	t.Errorf("%s: a history that no order of its operations explains (seed %d)\n%s", result, seed, show(history))
	dir, err := os.MkdirTemp("", "histories") // not t.TempDir, as it is to stay
	if err == nil {
		path := filepath.Join(dir, "history.html")
		err = visualize(history, path)
		t.Logf("drawn by porcupine: %s", path)
	}
	if err != nil {
		t.Errorf("not drawn: %v", err)
	}
}

// visualize has porcupine draw a history.
func visualize(history []porcupine.Operation, path string) error {
	m := model.ToModel()
	_, info := porcupine.CheckOperationsVerbose(m, history, time.Minute)
	return porcupine.VisualizePath(m, info, path)
}

// count notes what a history has in it.
func (s *series) count(history []porcupine.Operation) {
	kinds := map[string]bool{}
	for _, op := range history {
		in, out := op.Input.(input), op.Output.(output)
		kinds[in.op] = true
		if out.err != "" {
			kinds[out.err] = true
		}
		if waits(in.op) && out.running && out.err == "" {
			kinds["waits"] = true
		}
		if in.inHandler {
			kinds["calls by handlers"] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.histories++
	s.operations += len(history)
	for kind := range kinds {
		s.seen[kind]++
	}
}

// report says what was done, and fails if something was never seen.
func (s *series) report(t *testing.T) {
	t.Logf("histories: %d histories, %d operations, %d with waits, %d violations", s.histories, s.operations, s.seen["waits"], s.violations)
	t.Logf("seen, in how many of them: %s", fmt.Sprint(s.seen))
	if s.violations > 0 {
		return
	}
	for _, kind := range []string{"begin", "end", "waits", "quiescence", "calls by handlers",
		"ErrDeleting", "ErrStale", "ErrFreed", "ErrShutdown", "ErrDeadlock", "DeadlineExceeded",
		"DelSync", "DelSyncContext", "DelAsync", "ShutdownSync", "Del", "Stop", "Retain", "Free", "Pending", "Running", "Reduce", "Reset", "RegisterAt"} {
		require.NotZero(t, s.seen[kind], "no history has any of these: %s", kind)
	}
}
