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

// BenchmarkLateCallbacks counts the connections that are closed by mistake because a
// cancel does not wait. A client re-arms its timer under its lock. A callback that has
// begun by then, and waits for that lock, finds the next operation in place of its own,
// and does it early. After a ping the next operation is the check of its pong. So the node
// can close a connection that answers every ping, if its expiry is moved at the instant of
// a ping: it had no time to send the pong.
//
// An iteration runs a hundred connections for fifteen seconds. They answer at once, within
// the 900 ms that they have. Their expiry is moved about a hundred times a second, more
// often than in a program, to hit that instant. For comparison something is sent to them
// as often, which does not touch the timer.
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

// disturbed opens a connection that answers, and disturbs it repeatedly. It reports
// whether the node closed the connection before d had passed.
func (s *server) disturbed(disturb func(*centrifuge.Client), d time.Duration) bool {
	c := s.dial()
	c.answers.Store(true)
	id := c.connect()
	s.eventually("the node has registered the connection", func() bool { return s.node.Hub().Connections()[id] != nil })
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
