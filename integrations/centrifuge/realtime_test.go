package centrifugewheel_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/stretchr/testify/require"

	"github.com/seed76848005/timerwheel"
)

// Hundreds of connections on a wheel in real time: the node closes exactly those that do
// not answer, and no ping is early. The times are long, because a busy machine may need
// seconds for an answer.
func TestManyInRealTime(t *testing.T) {
	const n, interval, timeout = 300, 6 * time.Second, 5500 * time.Millisecond
	s := newServer(t, newWheel(t, timerwheel.Options{}), centrifuge.Config{},
		centrifuge.PingPongConfig{PingInterval: interval, PongTimeout: timeout})

	type times struct{ ping, end time.Duration } // since connect
	seen := make([]times, n)
	live := make([]*client, n/2)
	var all sync.WaitGroup
	for k := range n {
		c := s.dial()
		c.answers.Store(k < n/2)
		start := time.Now()
		c.connect()
		all.Go(func() {
			c.pinged()
			seen[k].ping = time.Since(start)
			if k < n/2 {
				live[k] = c
				c.pinged() // again
			} else {
				c.ended(centrifuge.DisconnectNoPong.Code)
			}
			seen[k].end = time.Since(start)
		})
	}
	all.Wait()

	for k, at := range seen {
		require.GreaterOrEqual(t, at.ping, interval/2, "the first ping")
		if k < n/2 {
			require.GreaterOrEqual(t, at.end, interval/2+interval, "the second ping")
		} else {
			require.GreaterOrEqual(t, at.end, interval/2+timeout, "the disconnect")
		}
	}
	for _, c := range live {
		c.lives()
	}
	s.eventually("the silent connections are gone", func() bool { return s.node.Hub().NumClients() == n/2 })
	stats := s.w.Stats()
	require.GreaterOrEqual(t, stats.Fired, uint64(n+n+n/2), "a ping and a check for each connection, and the second pings")
	require.GreaterOrEqual(t, stats.Removed, uint64(n), "the timers that close connections without a connect command")
}

// Connections open and close while their timers fire every few milliseconds, so that the
// client's own locks and flags, callbacks in flight and cancels collide as often as
// possible. At the end server.end checks that nothing is left.
func TestChurn(t *testing.T) {
	const n, rounds, ping = 100, 3, 10 * time.Millisecond
	s := newServer(t, newWheel(t, timerwheel.Options{}),
		centrifuge.Config{ClientPresenceUpdateInterval: 2 * ping, ClientStaleCloseDelay: ping},
		centrifuge.PingPongConfig{PingInterval: ping, PongTimeout: ping / 2})
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() {
			for range rounds {
				c := s.dial()
				c.answers.Store(k%4 != 0)
				if k%3 != 0 {
					c.write(`{"id":1,"connect":{}}`)
				}
				select { // the node may close it first
				case <-c.closed:
				case <-time.After(rand.N(20 * ping)):
				}
				_ = c.conn.Close()
			}
		})
	}
	all.Wait()
	require.NotZero(t, s.w.Stats().Fired)
	require.NotZero(t, s.w.Stats().Removed)
}
