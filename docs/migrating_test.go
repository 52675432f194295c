package docs

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/stretchr/testify/require"
)

// This file holds the larger pieces of code that migrating.md shows as "after",
// word for word, and a test for each.

// A cache forgets an entry when its time is over.
type cache struct {
	wheel   *timerwheel.Wheel
	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	value  string
	expiry timerwheel.Timer
}

func (c *cache) set(key, value string, ttl time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		e = &entry{}
		e.expiry = c.wheel.AllocLocked(&c.mu, func(timerwheel.Timer) { c.forget(key) })
		c.entries[key] = e
	}
	e.value = value
	return e.expiry.Register(ttl) // a firing that is in line is moved, not missed
}

func (c *cache) remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(key)
}

// forget needs mu, which the timer's handler holds too.
func (c *cache) forget(key string) {
	if e := c.entries[key]; e != nil {
		e.expiry.Del() // under mu: from here on the handler does not run
		_ = e.expiry.Free()
		delete(c.entries, key)
	}
}

func TestCache(t *testing.T) {
	w, advance := manualWheel(t)
	c := &cache{wheel: w, entries: map[string]*entry{}}
	require.NoError(t, c.set("a", "1", time.Minute))
	require.NoError(t, c.set("b", "1", time.Minute))
	advance(59 * time.Second)
	require.NoError(t, c.set("a", "2", time.Minute)) // lives till 1:59
	c.remove("b")
	c.remove("b")
	require.NoError(t, c.set("b", "2", time.Hour))
	advance(1*time.Minute + 58*time.Second)
	require.Equal(t, "2", c.entries["a"].value)
	advance(2 * time.Minute)
	require.NotContains(t, c.entries, "a")
	require.Contains(t, c.entries, "b")
	advance(2 * time.Hour)
	require.Empty(t, c.entries)
	require.Zero(t, w.Stats().Live, "every timer was freed")
}

// A peer sends a probe when nothing has been sent for a while.
type peer struct{ idle timerwheel.Timer }

func newPeer(w *timerwheel.Wheel, probe func()) *peer {
	return &peer{idle: w.Alloc(func(timerwheel.Timer) { probe() })}
}

func (p *peer) arm(d time.Duration) error { return p.idle.Register(d) }

func (p *peer) disarm() { p.idle.Del() }

func TestPeer(t *testing.T) {
	w, advance := manualWheel(t)
	probes := 0
	p := newPeer(w, func() { probes++ })
	require.NoError(t, p.arm(time.Second))
	require.NoError(t, p.arm(time.Minute))
	advance(59 * time.Second)
	require.Zero(t, probes, "the first second was moved")
	advance(61 * time.Second)
	require.Equal(t, 1, probes)
	require.NoError(t, p.arm(time.Minute))
	p.disarm()
	advance(time.Hour)
	require.Equal(t, 1, probes, "disarmed")
}

// A flusher calls write once a period, until it is closed.
type flusher struct{ timer timerwheel.Timer }

func newFlusher(w *timerwheel.Wheel, write func(), period time.Duration) *flusher {
	f := &flusher{}
	f.timer = w.Alloc(func(t timerwheel.Timer) {
		write()
		_ = t.Register(period) // refused as soon as close has begun
	})
	_ = f.timer.Register(period)
	return f
}

// close returns when write does not run, and will not.
func (f *flusher) close() error {
	_, err := f.timer.ShutdownSync()
	_ = f.timer.Free()
	return err // ErrDeadlock, if write itself has called close
}

func TestFlusher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := timerwheel.New(timerwheel.Options{})
		require.NoError(t, err)
		defer w.Close()
		begun, writes := make(chan struct{}, 100), 0
		f := newFlusher(w, func() {
			begun <- struct{}{}
			time.Sleep(10 * time.Second)
			writes++
		}, time.Minute)

		for range 5 {
			<-begun
		}
		require.NoError(t, f.close())
		require.Equal(t, 5, writes, "close waited for the write in flight")
		time.Sleep(time.Hour)
		require.Equal(t, 5, writes)

		self, closed := make(chan *flusher, 1), make(chan error, 1)
		self <- newFlusher(w, func() { closed <- (<-self).close() }, time.Minute)
		require.ErrorIs(t, <-closed, timerwheel.ErrDeadlock, "not a hang")
		synctest.Wait()
		require.Zero(t, w.Stats().Live, "every timer was freed")
	})
}

// Keyed is a set of tasks, each under a key.
type Keyed struct {
	wheel   *timerwheel.Wheel
	execute func(key string, value any)
	mu      sync.Mutex
	tasks   map[string]*task
}

type task struct {
	value any
	timer timerwheel.Timer
}

func (k *Keyed) SetTimer(key string, value any, d time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.tasks[key]
	if t == nil {
		t = &task{}
		t.timer = k.wheel.AllocLocked(&k.mu, func(timerwheel.Timer) {
			value := k.take(key)
			k.wheel.AfterFunc(0, func() { k.execute(key, value) }) // without mu
		})
		k.tasks[key] = t
	}
	t.value = value
	return t.timer.Register(d)
}

func (k *Keyed) MoveTimer(key string, d time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.tasks[key]; t != nil {
		return t.timer.Register(d)
	}
	return nil
}

func (k *Keyed) RemoveTimer(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.take(key)
}

func (k *Keyed) Drain(f func(key string, value any)) {
	values := map[string]any{}
	k.mu.Lock()
	for key := range k.tasks {
		values[key] = k.take(key)
	}
	k.mu.Unlock()
	for key, value := range values {
		f(key, value)
	}
}

// take ends a task. It needs mu, which the timer's handler holds too.
func (k *Keyed) take(key string) (value any) {
	if t := k.tasks[key]; t != nil {
		t.timer.Del()
		_ = t.timer.Free()
		delete(k.tasks, key)
		value = t.value
	}
	return value
}

func TestKeyed(t *testing.T) {
	w, advance := manualWheel(t)
	executed := map[string]any{}
	k := &Keyed{wheel: w, tasks: map[string]*task{}}
	k.execute = func(key string, value any) {
		require.NoError(t, k.SetTimer("again", value, time.Hour), "execute may call everything")
		executed[key] = value
	}
	require.NoError(t, k.SetTimer("a", 1, time.Minute))
	require.NoError(t, k.SetTimer("b", 1, time.Minute))
	require.NoError(t, k.SetTimer("c", 1, time.Minute))
	require.NoError(t, k.SetTimer("a", 2, time.Minute), "a new value")
	require.NoError(t, k.MoveTimer("b", 10*time.Minute))
	require.NoError(t, k.MoveTimer("nobody", time.Minute))
	k.RemoveTimer("c")
	k.RemoveTimer("c")
	advance(2 * time.Minute)
	advance(2 * time.Minute) // what the handlers have handed over
	require.Equal(t, map[string]any{"a": 2}, executed)

	drained := map[string]any{}
	k.Drain(func(key string, value any) { drained[key] = value })
	require.Equal(t, map[string]any{"b": 1, "again": 2}, drained)
	advance(2 * time.Hour)
	require.Equal(t, map[string]any{"a": 2}, executed)
	require.Zero(t, w.Stats().Live, "every timer was freed")
}

// manualWheel makes a wheel, and what sets its clock.
func manualWheel(t *testing.T) (w *timerwheel.Wheel, advance func(time.Duration)) {
	w, err := timerwheel.New(timerwheel.Options{Manual: true})
	require.NoError(t, err)
	start := w.Now()
	return w, func(d time.Duration) {
		_, err := w.Advance(start.Add(d))
		require.NoError(t, err)
	}
}
