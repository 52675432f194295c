package conns

import (
	"sync"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
)

type Sessions struct {
	Mu    sync.Mutex
	ByKey *keyed.Timers[string]
}

func NewSessions(w *timerwheel.Wheel) *Sessions {
	s := &Sessions{}
	s.ByKey = keyed.New(w, func(string) { s.Mu.Lock(); s.Mu.Unlock() })
	return s
}

func (s *Sessions) Remove(key string) { s.ByKey.DeleteSync(key) }
