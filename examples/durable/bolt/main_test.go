package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel/examples/durable/internal/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dieBeforeCommit is set in the environment of a process that kills itself when its first deadline has
// done its work outside of the store, and not in the store.
const dieBeforeCommit = "DURABLE_DIE_BEFORE_COMMIT"

func TestMain(m *testing.M) {
	if os.Getenv(process.Env) == "" {
		os.Exit(m.Run())
	}
	hook = func(s *service) {
		if os.Getenv(dieBeforeCommit) == "" {
			return
		}
		s.beforeCommit = func(string) {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			fmt.Fprintln(os.Stderr, err)
			select {} // until the kill
		}
	}
	os.Exit(command(os.Args[1:]))
}

// The program: processes are killed at any moment, and nothing is lost, doubled, revoked or early.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(filepath.Join(t.TempDir(), "db"), 10, 8, time.Second))
}

// Without a kill, nothing is done twice outside of the store either, and nothing that was replaced or
// cancelled is done there.
func TestNotKilled(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(filepath.Join(t.TempDir(), "db"), 0, 8, time.Second))
}

// A process that is killed between what a deadline does outside of the store and its transaction does
// it again after the restart, with the same ID; and in the store once.
func TestKilledBeforeTheCommit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "db")
	outside := func() string {
		lines, err := os.ReadFile(file + ".outbox")
		require.NoError(t, err)
		return string(lines)
	}
	c, err := startClient(file, dieBeforeCommit+"=1")
	require.NoError(t, err)
	when := time.Now().Round(0)
	for i := range 2 {
		answer, err := c.do("set later%d %s id", i, when.Add(time.Hour).Format(time.RFC3339Nano))
		require.NoError(t, err)
		require.Equal(t, "new", answer)
	}
	if answer, err := c.do("set key0 %s id0", when.Format(time.RFC3339Nano)); err != nil {
		require.ErrorIs(t, err, errKilled, answer) // it fires at once
	}
	<-c.ended
	require.Error(t, c.child.Wait())
	require.Equal(t, "key0 id0\n", outside(), "done")
	s, err := openStore(file)
	require.NoError(t, err)
	_, found, err := s.get("key0")
	require.NoError(t, err)
	require.True(t, found, "and not removed")
	require.NoError(t, s.close())

	c, err = startClient(file)
	require.NoError(t, err)
	require.Equal(t, 3, <-c.armed)
	await(t, func() bool { left, err := c.do("left"); return err == nil && left == "2" })
	require.NoError(t, c.stop())

	s, err = openStore(file)
	require.NoError(t, err)
	fired, err := s.firings()
	require.NoError(t, err)
	require.NoError(t, s.close())
	require.Len(t, fired, 1)
	require.Equal(t, "id0", fired[0].ID)
	require.True(t, fired[0].When.Equal(when))
	require.False(t, fired[0].At.Before(when))
	require.Equal(t, "key0 id0\nkey0 id0\n", outside())
}

// testService starts a service in this process.
func testService(t *testing.T, sweepEvery time.Duration) *service {
	s, _, err := start(filepath.Join(t.TempDir(), "db"), sweepEvery)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.stop()) })
	return s
}

// await waits until a condition holds, however slow the machine is.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "in vain")
	}
}

// A start fires what was missed, and does not leave that to the first sweep. What is still to come, it arms.
func TestAStartArmsWhatIsStored(t *testing.T) {
	file := filepath.Join(t.TempDir(), "db")
	s, err := openStore(file)
	require.NoError(t, err)
	now := time.Now().Round(0)
	for key, when := range map[string]time.Time{"missed": now.Add(-time.Hour), "soon": now.Add(100 * time.Millisecond), "later": now.Add(time.Hour)} {
		_, err := s.put(key, deadline{when, key})
		require.NoError(t, err)
	}
	require.NoError(t, s.close())

	restarted, armed, err := start(file, 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, 3, armed)
	await(t, func() bool { left, err := restarted.store.deadlines(); return err == nil && len(left) == 1 })
	fired, err := restarted.store.firings()
	require.NoError(t, err)
	require.Len(t, fired, 2)
	require.False(t, fired[1].At.Before(fired[1].When))
	require.Equal(t, 1, restarted.timers.Len())
	require.NoError(t, restarted.stop())
}

// The wall clock is set back: to the store, the deadline is an hour later than the timer knows. The timer
// fires, the deadline does not, and is armed again.
func TestTheClockIsSetBack(t *testing.T) {
	s := testService(t, time.Hour)
	later := deadline{time.Now().Add(time.Hour).Round(0), "id"}
	_, err := s.store.put("key", later)
	require.NoError(t, err)
	require.NoError(t, s.timers.Set("key", 0))
	await(t, func() bool {
		for _, when := range s.timers.All() {
			return when.After(time.Now().Add(time.Minute))
		}
		return false
	})
	fired, err := s.store.firings()
	require.NoError(t, err)
	require.Empty(t, fired)
	_, found, err := s.store.get("key")
	require.NoError(t, err)
	require.True(t, found)
}

// The wall clock is set forward: to the store, the deadline has passed, and its timer is an hour away. The
// sweep fires it. It also drops a timer that the store knows nothing of.
func TestTheSweepFollowsTheStore(t *testing.T) {
	s := testService(t, 10*time.Millisecond)
	_, err := s.store.put("key", deadline{time.Now().Add(-time.Hour).Round(0), "id"})
	require.NoError(t, err)
	require.NoError(t, s.timers.Set("key", time.Hour))
	require.NoError(t, s.timers.Set("stray", time.Hour))
	await(t, func() bool {
		fired, err := s.store.firings()
		return err == nil && len(fired) == 1
	})
	await(t, func() bool { return s.timers.Len() == 0 })
}

// Set and cancel wait for a firing in flight. So they never say that a deadline has not fired, when it
// has begun to.
func TestACancelWaitsForTheFiring(t *testing.T) {
	s := testService(t, time.Hour)
	begun, wait := make(chan struct{}), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(wait) })
	defer goOn() // also if the test fails
	s.beforeCommit = func(string) { close(begun); <-wait }
	_, err := s.set("key", deadline{time.Now().Round(0), "id"})
	require.NoError(t, err)
	<-begun
	var returned atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		found, err := s.cancel("key")
		returned.Store(true)
		assert.NoError(t, err)
		assert.False(t, found)
	}()
	await(t, func() bool { // the cancel waits, for the handler
		for _, r := range s.wheel.Running() {
			if r.Waiters > 0 {
				return true
			}
		}
		return returned.Load()
	})
	require.False(t, returned.Load())
	goOn()
	<-done
}

// Judge finds each fault.
func TestJudge(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	a, b := deadline{noon, "a"}, deadline{noon.Add(time.Hour), "b"}
	at := func(d deadline, after time.Duration) firing { return firing{"key", d, d.When.Add(after)} }
	setA, setB := op{set: true, d: a}, op{set: true, d: b}
	moved, cancelled := op{set: true, d: b, had: true}, op{had: true}
	lostB, lostCancel := op{set: true, d: b, lost: true}, op{lost: true}
	for name, c := range map[string]struct {
		ops     []op
		fired   []firing
		outside string
		want    verdict
	}{
		"right: fired":                       {[]op{setA}, []firing{at(a, 0)}, "a", verdict{}},
		"right: fired, and again":            {[]op{setA, setB}, []firing{at(a, 0), at(b, 0)}, "a b", verdict{}},
		"right: moved":                       {[]op{setA, moved}, []firing{at(b, 0)}, "b", verdict{}},
		"right: cancelled":                   {[]op{setA, cancelled}, nil, "", verdict{}},
		"right: fired, then cancelled":       {[]op{setA, {}}, []firing{at(a, 0)}, "a", verdict{}},
		"right: an unanswered set, not done": {[]op{setA, lostB}, []firing{at(a, 0)}, "a", verdict{}},
		"right: an unanswered set, done":     {[]op{setA, lostB}, []firing{at(b, 0)}, "b", verdict{}},
		"right: an unanswered cancel":        {[]op{setA, lostCancel}, nil, "", verdict{}},
		"lost":                               {[]op{setA}, nil, "", verdict{lost: 1}},
		"lost, though said to have fired":    {[]op{setA, {}}, nil, "", verdict{lost: 1}},
		"lost, before a set":                 {[]op{setA, setB}, []firing{at(b, 0)}, "b", verdict{lost: 1}},
		"lost, both":                         {[]op{setA, lostB}, nil, "", verdict{lost: 1}},
		"found what had not been there":      {[]op{setA, cancelled, cancelled}, nil, "", verdict{lost: 1}},
		"doubled":                            {[]op{setA}, []firing{at(a, 0), at(a, 1)}, "a", verdict{doubled: 1}},
		"revoked by a set":                   {[]op{setA, moved}, []firing{at(a, 0), at(b, 0)}, "a b", verdict{revoked: 1}},
		"revoked by a cancel":                {[]op{setA, cancelled}, []firing{at(a, 0)}, "a", verdict{revoked: 1}},
		"early":                              {[]op{setA}, []firing{at(a, -1)}, "a", verdict{early: 1}},
		"strange":                            {[]op{setA}, []firing{at(a, 0), at(b, 0)}, "a b", verdict{strange: 1}},
		"strange: another time":              {[]op{setA}, []firing{at(deadline{noon.Add(1), "a"}, 0)}, "a", verdict{strange: 1}},
		"unheard":                            {[]op{setA}, []firing{at(a, 0)}, "", verdict{unheard: 1, again: -1}},
		"again":                              {[]op{setA}, []firing{at(a, 0)}, "a a a", verdict{again: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			outside := map[string]int{}
			for _, id := range strings.Fields(c.outside) {
				outside[id]++
			}
			got := judge(map[string][]op{"key": c.ops}, c.fired, outside)
			require.Equal(t, c.want, verdict{lost: got.lost, doubled: got.doubled, revoked: got.revoked, early: got.early,
				strange: got.strange, unheard: got.unheard, again: got.again})
		})
	}
}

// The help begins with a sentence that says what the program is.
func TestHelp(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	help := exec.Command(self, "-h")
	help.Env = append(os.Environ(), process.Env+"=1")
	text, err := help.CombinedOutput()
	require.NoError(t, err)
	require.Regexp(t, `(?s)^Bolt keeps .*\.\n\n  -[a-z]+ `, string(text))
}
