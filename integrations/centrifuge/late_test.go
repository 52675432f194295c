package centrifugewheel_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/seed76848005/timerwheel"
)

// BenchmarkLateCallbacks counts what a cancel that does not wait leaves to
// chance. A client re-arms its timer under its lock. A callback that had begun by
// then, and waits for that lock, finds the next operation afterwards in place of
// its own, and does that one, early. After a ping the next operation is the check
// of its pong: so a connection that answers every ping, but whose expiry is moved
// at the instant of one, can be closed for want of a pong that it had no time to
// send.
//
// An iteration is fifteen seconds of a hundred connections that answer at once,
// within the 900 ms that they have. Their expiry is moved about a hundred times a
// second, which is more often than a program would, to meet the instant. For
// comparison something is sent to them as often, which leaves the timer alone.
func BenchmarkLateCallbacks(b *testing.B) {
	move := func(c *centrifuge.Client) {
		_ = c.Refresh(centrifuge.WithRefreshExpireAt(time.Now().Add(time.Hour).Unix()))
	}
	send := func(c *centrifuge.Client) { _ = c.Send([]byte("{}")) }
	for _, kind := range []struct {
		name    string
		wheel   bool
		disturb func(*centrifuge.Client)
	}{
		{"default/send", false, send},
		{"default/move", false, move},
		{"wheel/send", true, send},
		{"wheel/move", true, move},
	} {
		b.Run(kind.name, func(b *testing.B) {
			var closed atomic.Int64
			for b.Loop() {
				var w *timerwheel.Wheel
				if kind.wheel {
					w = newWheel(b, timerwheel.Options{})
				}
				s := newServer(b, w, centrifuge.Config{}, centrifuge.PingPongConfig{
					PingInterval: time.Second, PongTimeout: 900 * time.Millisecond,
				})
				s.credentials.ExpireAt = time.Now().Add(time.Hour).Unix()
				var all sync.WaitGroup
				for range 100 {
					all.Go(func() {
						if s.disturbed(kind.disturb, 15*time.Second) {
							closed.Add(1)
						}
					})
				}
				all.Wait()
				s.end()
			}
			b.ReportMetric(float64(closed.Load())/float64(b.N), "closed/100-connections")
		})
	}
}

// disturbed opens a connection that answers, and disturbs it again and again. It
// reports whether the node closed the connection before d had passed.
func (s *server) disturbed(disturb func(*centrifuge.Client), d time.Duration) bool {
	c := s.dial()
	c.answers.Store(true)
	id := c.connect()
	s.eventually("the node knows it", func() bool { return s.node.Hub().Connections()[id] != nil })
	served := s.node.Hub().Connections()[id]
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-c.closed:
			return true
		case <-time.After(rand.N(20 * time.Millisecond)):
			disturb(served)
		}
	}
	return false
}
