package main

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

// A session hangs up when it has been idle for too long, or when it is closed.
//
// Its deadlock is the commonest: close holds the lock that the handler wants, and
// waits for the handler. Nobody but this file knows of the lock, so the wait lasts,
// and Options.OnStall tells of both sides. (Cures: unlock before DelSync; or make
// the timer by AllocLocked, and delete it by Del.)
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

// flush sends what is left. It takes so long that the session expires meanwhile.
func (s *session) flush() {
	for !s.idle.Running() {
		time.Sleep(time.Millisecond)
	}
}
