package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/examples/durable/internal/process"
	"github.com/seed76848005/timerwheel/keyed"
	"github.com/stretchr/testify/require"
)

// In the environment of a worker, these make it fail at its first deadline.
const (
	dieAfterEffect    = "DURABLE_DIE_AFTER_EFFECT"    // it kills itself between the effect and the acknowledgement
	stallBeforeEffect = "DURABLE_STALL_BEFORE_EFFECT" // it goes on when another worker has fired the deadline
)

func TestMain(m *testing.M) {
	if os.Getenv(process.Env) == "" {
		os.Exit(m.Run())
	}
	hook = func(w *worker) {
		if os.Getenv(dieAfterEffect) != "" {
			w.after = die
		}
		if os.Getenv(stallBeforeEffect) != "" {
			var once sync.Once
			w.before = func(w *worker, id string) { once.Do(func() { stall(w, id) }) }
		}
	}
	os.Exit(command(os.Args[1:]))
}

func die(*worker, string) {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	fmt.Fprintln(os.Stderr, err)
	select {} // until the kill
}

// stall is a worker that stands still after it has looked whether its claim holds: the claim is not kept,
// and the handler goes on when the engine has given it to another, and that has fired it.
func stall(w *worker, id string) {
	for {
		w.mu.Lock()
		delete(w.claims, id) // also if the engine gives it to this worker again
		w.mu.Unlock()
		_, err := lastOf(w.engine, id)
		if err == nil {
			return
		}
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			fmt.Fprintln(os.Stderr, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// lastOf returns the effect of a deadline.
func lastOf(e *engine, id string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := e.js.Stream(ctx, e.name+"-fired")
	if err != nil {
		return nil, err
	}
	return s.GetLastMsgForSubject(ctx, e.name+".fired."+id)
}

// testServer starts a server.
func testServer(t *testing.T) *server.Server {
	s, err := startServer(t.TempDir(), server.RANDOM_PORT)
	require.NoError(t, err)
	t.Cleanup(func() { stopServer(s) })
	return s
}

func testCrowd(t *testing.T, url string) *crowd { return testCrowdWith(t, url, defaults) }

func testCrowdWith(t *testing.T, url string, p plan) *crowd {
	c, err := newCrowd(url, t.TempDir(), p)
	require.NoError(t, err)
	t.Cleanup(c.end)
	return c
}

func (c *crowd) mustAdd(t *testing.T, env ...string) *member {
	m, err := c.add(env...)
	require.NoError(t, err)
	return m
}

func (c *crowd) mustSchedule(t *testing.T, n int, ahead time.Duration) {
	for range n {
		require.NoError(t, c.schedule(ahead))
	}
}

// shareWork schedules deadlines until each worker has fired some.
func (c *crowd) shareWork(t *testing.T) {
	await(t, func() bool {
		c.mustSchedule(t, 10, time.Second)
		for _, m := range c.members {
			if len(ids(t, m, "ack")) == 0 {
				return false
			}
		}
		return true
	})
}

// await waits until a condition holds, however slow the machine is.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "in vain")
	}
}

// ids returns the deadlines of a journal's entries of one kind.
func ids(t *testing.T, m *member, what string) (all []string) {
	entries, err := readJournal(m.journal)
	require.NoError(t, err)
	for _, e := range entries {
		if e.what == what {
			all = append(all, e.id)
		}
	}
	return all
}

// The program, with a server that runs already: workers are killed while they hold claims, and nothing is
// lost or early, and twice only what had not been acknowledged.
func TestWorkersAreKilled(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(testServer(t).ClientURL(), 3, 300, 2, defaults))
}

// The program removes its streams.
func TestNothingIsLeftOnTheServer(t *testing.T) {
	t.Parallel()
	s := testServer(t)
	require.NoError(t, run(s.ClientURL(), 1, 1, 0, plan{lead: time.Second, ackWait: time.Minute}))
	e, err := connect(s.ClientURL(), "look")
	require.NoError(t, err)
	defer e.close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for name := range e.js.StreamNames(ctx).Name() {
		t.Error(name)
	}
}

// A worker dies between the effect and the acknowledgement. Another fires the deadline as well, and the
// engine knows the effect by its ID.
func TestKilledBetweenTheEffectAndTheAcknowledgement(t *testing.T) {
	t.Parallel()
	c := testCrowd(t, testServer(t).ClientURL())
	dies := c.mustAdd(t, dieAfterEffect+"=1")
	c.mustSchedule(t, 1, time.Second)
	require.Error(t, dies.Wait())
	dies.killed = true
	survives := c.mustAdd(t)

	v, err := c.judge()
	require.NoError(t, err)
	require.Equal(t, []string{"d0"}, ids(t, dies, "fire"))
	require.Contains(t, ids(t, survives, "ack"), "d0")
	require.Equal(t, map[string]int{"worker1": 1}, v.workers)
	require.Positive(t, v.doubled)
	require.NoError(t, v.report(1))
}

// A worker stands still between its look at the claim and the effect, for so long that the engine gives the
// claim to another. When it goes on, it fires the deadline as well, and the engine knows the effect.
func TestStalledBeforeTheEffect(t *testing.T) {
	t.Parallel()
	c := testCrowd(t, testServer(t).ClientURL())
	stalls := c.mustAdd(t, stallBeforeEffect+"=1")
	c.mustSchedule(t, 1, time.Second)
	await(t, func() bool { return len(ids(t, stalls, "fire")) == 1 })
	other := c.mustAdd(t)
	await(t, func() bool { return len(ids(t, other, "ack")) == 1 })
	await(t, func() bool { return len(ids(t, stalls, "ack")) == 1 })

	v, err := c.judge()
	require.NoError(t, err)
	require.Equal(t, map[string]int{"worker2": 1}, v.workers)
	require.Positive(t, v.doubled)
	require.LessOrEqual(t, v.doubled, v.lapsed) // more than one of each if the machine holds the other up as well
	require.Zero(t, v.lost+v.twice+v.early+v.strange+v.sameClaim)
}

// A program that has had no answer hands a deadline over again, after it has fired: the engine knows it.
func TestHandedOverAgain(t *testing.T) {
	t.Parallel()
	c := testCrowdWith(t, testServer(t).ClientURL(), plan{lead: defaults.lead, ackWait: time.Minute})
	m := c.mustAdd(t)
	c.mustSchedule(t, 1, 0)
	await(t, func() bool { return len(ids(t, m, "ack")) == 1 })
	require.NoError(t, c.engine.schedule(t.Context(), "d0", c.scheduled["d0"], c.plan))
	v, err := c.judge() // when the engine has nothing left
	require.NoError(t, err)
	require.Equal(t, 1, v.attempts)
	require.NoError(t, v.report(0))
}

// A worker that ends gives its claims back. Otherwise another would get them when they have lapsed, which
// is in an hour here.
func TestAWorkerThatEndsGivesItsClaimsBack(t *testing.T) {
	t.Parallel()
	c := testCrowdWith(t, testServer(t).ClientURL(), plan{lead: time.Hour, ackWait: time.Hour})
	ends := c.mustAdd(t)
	c.mustSchedule(t, 10, time.Hour)
	await(t, func() bool { return len(ids(t, ends, "claim")) == 10 })
	require.NoError(t, ends.Stop())
	next := c.mustAdd(t)
	await(t, func() bool { return len(ids(t, next, "claim")) == 10 })
}

// The server stops, and starts again: it has kept the deadlines, and the workers come back to it.
func TestTheServerRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := startServer(dir, server.RANDOM_PORT)
	require.NoError(t, err)
	t.Cleanup(func() { stopServer(s) }) // the last of them
	c := testCrowd(t, s.ClientURL())
	for range 2 {
		c.mustAdd(t)
	}
	c.shareWork(t)
	c.mustSchedule(t, 50, 2*defaults.lead) // held back by the engine
	c.mustSchedule(t, 50, defaults.lead/2) // claimed, or about to be
	port := s.Addr().(*net.TCPAddr).Port
	stopServer(s)
	s, err = startServer(dir, port)
	require.NoError(t, err)

	v, err := c.judge()
	require.NoError(t, err)
	require.Equal(t, len(c.scheduled), v.fired)
	require.Zero(t, v.lost+v.twice+v.early+v.strange+v.sameClaim)
}

// A server that stops while it handles an acknowledgement may record it and still keep the message. The deadline
// has fired, so the program does not wait for that message.
func TestAMessageThatTheServerKeepsIsNotADeadline(t *testing.T) { setBack(t, "msgs", 1) }

// After a kill of the server the consumer's state may be older than the stream, which is empty.
func TestAnEmptyStreamHasNoDeadline(t *testing.T) { setBack(t, "obs", 0) }

// setBack sets a part of the deadlines' stream back to what it was before the only deadline was acknowledged, and
// requires that the program ends although the stream's two parts differ.
func setBack(t *testing.T, part string, messages uint64) {
	t.Parallel()
	dir := t.TempDir()
	s, err := startServer(dir, server.RANDOM_PORT)
	require.NoError(t, err)
	port := s.Addr().(*net.TCPAddr).Port
	t.Cleanup(func() { stopServer(s) }) // the last of them
	c := testCrowd(t, s.ClientURL())
	restart := func(whileItStands func()) {
		stopServer(s)
		whileItStands()
		s, err = startServer(dir, port)
		require.NoError(t, err)
	}
	stored := filepath.Join(dir, "jetstream", "$G", "streams", c.engine.name+"-deadlines", part)
	before := filepath.Join(t.TempDir(), part)

	c.mustSchedule(t, 1, time.Second)
	await(t, func() bool { // it is due
		s, err := c.engine.js.Stream(t.Context(), c.engine.name+"-deadlines")
		if err != nil {
			return false
		}
		_, err = s.GetLastMsgForSubject(t.Context(), c.engine.name+".due.d0")
		return err == nil
	})
	restart(func() { require.NoError(t, os.CopyFS(before, os.DirFS(stored))) })
	done, err := c.engine.done(t.Context())
	require.NoError(t, err)
	require.False(t, done)
	worker := c.mustAdd(t)
	await(t, func() bool { return len(ids(t, worker, "ack")) == 1 })
	restart(func() {
		require.NoError(t, os.RemoveAll(stored))
		require.NoError(t, os.CopyFS(stored, os.DirFS(before)))
	})
	await(t, func() bool { // the server has come back
		s, err := c.engine.js.Stream(t.Context(), c.engine.name+"-deadlines")
		return err == nil && s.CachedInfo().State.Msgs == messages
	})

	v, err := c.judge()
	require.NoError(t, err)
	require.Equal(t, 1, v.fired)
	require.Zero(t, v.lost+v.twice+v.early+v.strange+v.sameClaim)
}

// A question whose answer is lost, as the server stops, is asked again: without that it would be waited for
// until all is given up.
func TestAQuestionWithoutAnAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { stopServer(s) })
	require.True(t, s.ReadyForConnections(time.Minute))
	e, err := connect(s.ClientURL(), "x")
	require.NoError(t, err)
	t.Cleanup(e.close)
	asked := 0
	_, err = e.conn.Subscribe("$JS.API.STREAM.INFO.x-fired", func(m *nats.Msg) {
		if asked++; asked > 1 {
			_ = m.Respond([]byte(`{"config":{"name":"x-fired"},"state":{"messages":7}}`))
		}
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fired, err := e.fired(ctx)
	require.NoError(t, err)
	require.Equal(t, uint64(7), fired)
}

// The workers share the work.
func TestWorkersShare(t *testing.T) {
	t.Parallel()
	c := testCrowd(t, testServer(t).ClientURL())
	for range 3 {
		c.mustAdd(t)
	}
	c.shareWork(t)
	v, err := c.judge()
	require.NoError(t, err)
	require.Len(t, v.workers, 3)
	require.NoError(t, v.report(0))
}

// The wall clock is set back: the timer fires an hour before the deadline. The deadline does not fire, and
// its claim is armed again.
func TestTheClockIsSetBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	j, err := openJournal(name)
	require.NoError(t, err)
	defer j.file.Close()
	wheel, err := timerwheel.New(timerwheel.Options{})
	require.NoError(t, err)
	now := time.Now()
	w := &worker{plan: plan{ackWait: time.Hour}, journal: j, wheel: wheel,
		claims: map[string]*claim{"d0": {when: now.Add(time.Hour).Round(0), kept: now}}}
	w.timers = keyed.New(wheel, w.fire)
	require.NoError(t, w.timers.Set("d0", 0))
	await(t, func() bool {
		for _, when := range w.timers.All() {
			return when.After(now.Add(time.Minute))
		}
		return false
	})
	require.NoError(t, wheel.Close())
	entries, err := readJournal(name)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Judge finds each fault.
func TestJudge(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	scheduled := map[string]time.Time{"a": noon}
	a := effect{"a", "w", noon}
	claim, fire, ack := entry{"claim", "a", 1}, entry{"fire", "a", 1}, entry{"ack", "a", 1}
	claim2, fire2, ack2 := entry{"claim", "a", 2}, entry{"fire", "a", 2}, entry{"ack", "a", 2}
	right := history{false, []entry{claim, fire, ack}}
	second := history{false, []entry{claim2, fire2, ack2}}
	for name, c := range map[string]struct {
		effects []effect
		workers []history
		want    verdict
	}{
		"right":   {[]effect{a}, []history{right}, verdict{fired: 1, attempts: 1}},
		"lost":    {nil, nil, verdict{lost: 1}},
		"twice":   {[]effect{a, a}, []history{right}, verdict{fired: 1, attempts: 1, twice: 1}},
		"early":   {[]effect{{"a", "w", noon.Add(-1)}}, []history{right}, verdict{fired: 1, attempts: 1, early: 1}},
		"strange": {[]effect{a, {"b", "w", noon}}, []history{right}, verdict{fired: 2, attempts: 1, strange: 1}},
		"killed, fired and not acknowledged": {[]effect{a}, []history{{true, []entry{claim, fire}}, second},
			verdict{fired: 1, attempts: 2, doubled: 1, claimed: 1, unacked: 1}},
		"killed, not fired": {[]effect{a}, []history{{true, []entry{claim}}, second},
			verdict{fired: 1, attempts: 1, claimed: 1}},
		"killed, acknowledged, and fired again": {[]effect{a}, []history{{true, []entry{claim, fire, ack}}, second},
			verdict{fired: 1, attempts: 2, doubled: 1}},
		"lapsed, and dropped": {[]effect{a}, []history{{false, []entry{claim, {"lapse", "a", 1}}}, second},
			verdict{fired: 1, attempts: 1, lapsed: 1}},
		"two workers": {[]effect{a}, []history{right, second},
			verdict{fired: 1, attempts: 2, doubled: 1, lapsed: 1}},
		"twice by one claim": {[]effect{a}, []history{{false, []entry{claim, fire, fire, ack}}},
			verdict{fired: 1, attempts: 2, doubled: 1, sameClaim: 1}},
		"late": {[]effect{a}, []history{right, {false, []entry{{"late", "-", 0}}}},
			verdict{fired: 1, attempts: 1, late: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got := *judge(scheduled, c.effects, c.workers)
			got.workers, got.examples = nil, nil
			require.Equal(t, c.want, got)
		})
	}
}

// A journal is read as it was written, and a line that is not one is an error.
func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	entries, err := readJournal(name)
	require.NoError(t, err)
	require.Empty(t, entries)
	j, err := openJournal(name)
	require.NoError(t, err)
	require.NoError(t, j.write("claim", "d1", 2))
	require.NoError(t, j.write("late", "-", 0))
	entries, err = readJournal(name)
	require.NoError(t, err)
	require.Equal(t, []entry{{"claim", "d1", 2}, {"late", "-", 0}}, entries)
	require.NoError(t, j.file.Close())
	require.NoError(t, os.WriteFile(name, []byte("claim d1"), 0o600))
	_, err = readJournal(name)
	require.Error(t, err)
}

// The help begins with a sentence that says what the program is.
func TestHelp(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	help := exec.Command(self, "-h")
	help.Env = append(os.Environ(), process.Env+"=1")
	text, err := help.CombinedOutput()
	require.NoError(t, err)
	require.Regexp(t, `(?s)^Jetstream shares .*\.\n\n  -[a-z]+ `, string(text))
}
