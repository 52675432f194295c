package across

import (
	"planted/across/conns"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
)

func wrongKeyed(s *conns.Sessions) {
	s.Mu.Lock()
	s.ByKey.DeleteSync("a") // want `DeleteSync of Sessions.ByKey waits for the handler at conns/sessions.go:17, which locks Sessions.Mu`
	s.Remove("a")           // want `DeleteSync of Sessions.ByKey \(conns/sessions.go:21, by Remove\) waits`
	s.ByKey.Delete("a")
	s.Mu.Unlock()
	s.Remove("a")
}

// Timers of this package in a field of another package's type.
func replacesKeyed(w *timerwheel.Wheel, s *conns.Sessions) {
	s.ByKey = keyed.New(w, func(key string) {
		s.Remove(key) // want `DeleteSync of Sessions.ByKey \(conns/sessions.go:21, by Remove\) in the handler of that key`
		s.Remove("other")
	})
}
