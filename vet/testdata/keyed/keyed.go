// Package keyed deletes timers that are found by key. // want package:"functions"
package keyed

import (
	"errors"
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
)

type server struct {
	mu       sync.Mutex
	wheel    *timerwheel.Wheel
	sessions *keyed.Timers[string]
	retry    timerwheel.Timer
}

func newServer(w *timerwheel.Wheel) *server {
	s := &server{wheel: w}
	s.sessions = keyed.New(w, s.expire)
	return s
}

func (s *server) expire(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count()
}

func (s *server) count() {}

func (s *server) wrong(name string) {
	s.mu.Lock()
	s.sessions.DeleteSync(name) // want `DeleteSync of server.sessions waits for the handler server.expire \(keyed.go:26\), which locks server.mu \(keyed.go:27\), while server.mu is held \(keyed.go:35\): both wait for ever. Unlock server.mu first$`
	s.mu.Unlock()
}

func (s *server) right(name string) {
	s.mu.Lock()
	s.sessions.Set(name, time.Second)
	s.sessions.Move(name, time.Second)
	s.sessions.Delete(name)
	s.sessions.Clear()
	s.mu.Unlock()
	s.sessions.DeleteSync(name)
}

func (s *server) wrongByCall(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(name) // want `DeleteSync of server.sessions \(keyed.go:56, by remove\) waits for the handler server.expire`
}

func (s *server) remove(name string) { s.sessions.DeleteSync(name) }

func (s *server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wheel.Close() // want `Wheel.Close waits for the handler server.expire`
}

// In the handler a DeleteSync of its own key does not wait. One of another key does.
type table struct {
	mu    sync.Mutex
	lines *keyed.Timers[int]
}

func (t *table) start(w *timerwheel.Wheel) {
	t.lines = keyed.New(w, func(n int) {
		t.lines.DeleteSync(n) // want `DeleteSync of table.lines in the handler of that key cannot wait for that handler: it returns ErrDeadlock. Use Delete, which does not wait`
		t.remove(n)           // want `DeleteSync of table.lines \(keyed.go:81, by remove\) in the handler of that key`
		t.lines.Delete(n)
		t.lines.DeleteSync(n + 1)
		t.remove(n + 1)
		go t.lines.DeleteSync(n)
	})
}

func (t *table) remove(n int) { t.lines.DeleteSync(n) }

func (t *table) startLocked(w *timerwheel.Wheel) {
	t.lines = keyed.New(w, func(n int) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.lines.DeleteSync(n)     // want `^DeleteSync of table.lines in the handler of that key`
		t.lines.DeleteSync(n + 1) // want `^DeleteSync of table.lines waits for the handler at keyed.go:84, which locks table.mu`
	})
}

// The code expects the error.
func (t *table) expected(w *timerwheel.Wheel) {
	t.lines = keyed.New(w, func(n int) {
		if _, err := t.lines.DeleteSync(n); errors.Is(err, timerwheel.ErrDeadlock) {
			return
		}
	})
}

// Handlers of keys and of other timers wait for each other.
func (s *server) circle(w *timerwheel.Wheel) {
	jobs := keyed.New(w, func(int) {
		s.retry.DelSync() // want `handlers wait for each other in a circle: DelSync \(keyed.go:104\) for the handler at keyed.go:106; DeleteSync \(keyed.go:107\) for the handler at keyed.go:103`
	})
	s.retry = w.Alloc(func(timerwheel.Timer) {
		jobs.DeleteSync(7)
	})
}

func (s *server) closes(w *timerwheel.Wheel) {
	keyed.New(w, func(int) {
		w.Close() // want `Wheel.Close in a handler of the wheel cannot wait for that handler`
	})
}

// Timers of several types, and of a type parameter.
type registry[K comparable] struct {
	mu     sync.Mutex
	leases *keyed.Timers[K]
}

func (r *registry[K]) start(w *timerwheel.Wheel) {
	r.leases = keyed.New(w, func(K) { r.mu.Lock(); r.mu.Unlock() })
}

func (r *registry[K]) wrong(k K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leases.DeleteSync(k) // want `DeleteSync of registry.leases waits for the handler at keyed.go:124, which locks registry.mu`
}
