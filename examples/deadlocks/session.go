package main

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A session ends when it has been idle for too long, or when it is closed.
//
// Its deadlock is the commonest: close holds the lock that the handler wants, and
// waits for the handler. The wheel cannot see the lock, so the wait lasts, and
// Options.OnStall reports both sides. (Cures: unlock before DelSync, or make the
// timer with AllocLocked and delete it with Del.)
type session struct {
	mu     sync.Mutex
	idle   timerwheel.Timer
	closed bool
}

func newSession(w *timerwheel.Wheel, timeout time.Duration) *session {
	s := new(session)
	s.idle = w.Alloc(s.expire)
	_ = s.idle.Register(timeout)
	return s
}

// expire is the handler.
func (s *session) expire(timerwheel.Timer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.flush()
	_, _ = s.idle.DelSync()
}

// flush sends what is left. The session expires before it has finished.
func (s *session) flush() {
	for !s.idle.Running() {
		time.Sleep(time.Millisecond)
	}
}
