package histories

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var (
	number   = flag.Int("histories.n", 40_000, "how many histories to make and check")
	duration = flag.Duration("histories.for", 0, "make and check histories for so long, instead of a number of them")
	seed     = flag.Uint64("histories.seed", 0, "seed of what the clients draw, not of when they run; 0: another each time")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every history is linearizable, timer by timer.
func TestHistoriesAreLinearizable(t *testing.T) {
	b := &batch{left: *number, seed: *seed, seen: map[string]int{}}
	if b.seed == 0 {
		b.seed = rand.Uint64()
	}
	if *duration > 0 {
		b.left, b.until = 1<<62, time.Now().Add(*duration)
	}
	var makers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		makers.Go(func() { b.make(t) })
	}
	makers.Wait()
	b.report(t)
}

// A batch is many histories. Each of its makers has a wheel, on which it plays most of
// its programs one after the other: so timers of one history get the records of the
// last one's.
type batch struct {
	mu         sync.Mutex
	left       int
	until      time.Time
	seed       uint64
	histories  int
	operations int
	violations int
	seen       map[string]int // in how many histories
}

func (b *batch) make(t *testing.T) {
	w := newWheel()
	for {
		seed, ok := b.next()
		if !ok {
			break
		}
		guard := guard(seed)
		history := play(w, seed)
		guard.Stop()
		if result := check(history); result != porcupine.Ok {
			b.violated(t, seed, result, history)
		}
		b.count(history)
	}
	if err := w.Close(); err != nil || w.Stats().Live > 0 {
		t.Errorf("Close: %v; %+v", err, w.Stats())
	}
}

// guard ends the program, and shows all stacks, if a history does not end: some call
// hangs.
func guard(seed uint64) *time.Timer {
	return time.AfterFunc(time.Minute, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("a history does not end (seed %d)", seed))
	})
}

// next returns the seed of the next history, if there is to be one more.
func (b *batch) next() (seed uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 || b.violations > 0 || !b.until.IsZero() && time.Now().After(b.until) {
		return 0, false
	}
	b.left--
	b.seed++
	return b.seed, true
}

// check asks porcupine. For histories as short as these a minute is enough; if it is
// not, the test fails.
func check(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(model.ToModel(), history, time.Minute)
}

// violated shows a history that is not linearizable.
func (b *batch) violated(t *testing.T, seed uint64, result porcupine.CheckResult, history []porcupine.Operation) {
	b.mu.Lock()
	b.violations++
	b.mu.Unlock()
	t.Errorf("%s: a history that no order of its operations explains (seed %d)\n%s", result, seed, show(history))
	dir, err := os.MkdirTemp("", "histories") // not t.TempDir, because the drawing must outlive the test
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

// count counts the kinds of operations and errors that a history has.
func (b *batch) count(history []porcupine.Operation) {
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
		if deletions[in.op].ofGroup && out.err != "" {
			kinds["group: "+out.err] = true
		}
		if closes(in.op) && out.err != "" {
			kinds["close: "+out.err] = true
		}
		if in.inHandler {
			kinds["calls by handlers"] = true
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.histories++
	b.operations += len(history)
	for kind := range kinds {
		b.seen[kind]++
	}
}

// report says what was done, and fails if something was never seen.
func (b *batch) report(t *testing.T) {
	t.Logf("histories: %d histories, %d operations, %d with waits, %d violations", b.histories, b.operations, b.seen["waits"], b.violations)
	t.Logf("seen, in how many of them: %s", fmt.Sprint(b.seen))
	if b.violations > 0 {
		return
	}
	kinds := []string{"begin", "end", "waits", endOfWait, "calls by handlers",
		"ErrDeleting", "ErrStale", "ErrFreed", "ErrShutdown", "ErrClosed", "ErrDeadlock", "DeadlineExceeded",
		"group: ErrDeadlock", "group: DeadlineExceeded", "close: ErrDeadlock", "close: DeadlineExceeded", "Close", "CloseContext",
		"Retain", "Free", "Pending", "Running", "Valid", "Register", "Reduce", "Reset", "RegisterAt", "RegisterIdle", "Touch"}
	for _, kind := range slices.AppendSeq(kinds, maps.Keys(deletions)) {
		require.NotZero(t, b.seen[kind], "no history has any of these: %s", kind)
	}
}
