package centrifugewheel_test

import (
	"context"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/stretchr/testify/require"

	"github.com/seed76848005/timerwheel"
)

// The node sends pings at their time and not before. It keeps connections that answer, and
// disconnects those that do not, at their time. The wheel is Manual, so Stats is exact.
func TestPingPong(t *testing.T) {
	const n, rounds = 40, 3
	s := newManualServer(t)
	clients := s.dialMany(n)
	live, silent := clients[:n/2], clients[n/2:]

	require.Zero(t, s.advance(periods.ping/2-time.Second), "no first ping is due before half the interval")
	for _, c := range clients {
		require.Empty(t, c.pings)
	}
	require.Equal(t, n, s.advance(periods.ping/2+2*time.Second), "the first pings")
	for _, c := range clients {
		c.pinged()
	}
	for _, c := range live {
		c.pong()
	}
	require.Zero(t, s.advance(periods.pong-time.Second), "the checks of the pongs are not due")
	for _, c := range silent {
		c.lives()
	}
	require.Equal(t, n, s.advance(2*time.Second), "the checks of the pongs")
	for _, c := range silent {
		c.ended(centrifuge.DisconnectNoPong.Code)
	}
	s.eventually("the silent connections are gone", func() bool { return s.node.Hub().NumClients() == n/2 })

	for range rounds {
		require.Equal(t, n/2, s.advance(periods.ping))
		for _, c := range live {
			c.pinged()
			c.pong()
		}
		require.Equal(t, n/2, s.advance(periods.pong))
	}
	for _, c := range live {
		c.lives()
	}

	stats := s.w.Stats()
	pings, checks := n+rounds*n/2, n+rounds*n/2
	require.Equal(t, uint64(n), stats.Removed, "the timers that close connections without a connect command")
	require.Equal(t, uint64(pings+checks), stats.Fired)
	require.Equal(t, n/2, stats.Pending, "the next pings of the live connections")
}

// The node closes connections that never send connect, at their time, and no others.
func TestStaleConnections(t *testing.T) {
	const n = 20
	s := newManualServer(t)
	clients := s.dialMany(n)
	var mute []*client
	for range n {
		mute = append(mute, s.dial())
	}
	s.eventually("all timers are pending", func() bool { return s.w.Stats().Pending == 2*n })

	require.Zero(t, s.advance(periods.stale-time.Second))
	for _, c := range mute {
		require.Empty(t, c.closed)
	}
	require.Equal(t, n, s.advance(2*time.Second))
	for _, c := range mute {
		c.ended(centrifuge.DisconnectStale.Code)
	}
	for _, c := range clients {
		c.lives()
	}
	require.Equal(t, n, s.w.Stats().Pending)
}

// A connection that sends connect at the last moment, when its timer is due but has not
// fired, stays open.
func TestConnectAtTheLastMoment(t *testing.T) {
	s := newManualServer(t)
	c := s.dial()
	s.eventually("its timer is pending", func() bool { return s.w.Stats().Pending == 1 })
	require.Zero(t, s.advance(periods.stale-time.Second))
	c.connect()
	s.eventually("the timer was cancelled", func() bool { return s.w.Stats().Removed == 1 && s.w.Stats().Pending == 1 })
	require.Zero(t, s.advance(2*time.Second))
	c.lives()
}

// The node cancels the timers of connections that their clients close.
func TestClientsClose(t *testing.T) {
	const n = 40
	s := newManualServer(t)
	clients := s.dialMany(n)
	for _, c := range clients[:n/2] {
		require.NoError(t, c.conn.Close())
	}
	s.eventually("their timers are gone", func() bool { return s.w.Stats().Pending == n/2 })
	require.Equal(t, uint64(n+n/2), s.w.Stats().Removed)
	require.Equal(t, n/2, s.w.Stats().Live)
	require.Equal(t, n/2, s.advance(periods.ping), "the cancelled timers do not fire")
}

// Presence updates are periodic: the node calls the AliveHandler with each.
func TestPresence(t *testing.T) {
	s := newServer(t, newWheel(t, timerwheel.Options{Manual: true}), centrifuge.Config{ClientPresenceUpdateInterval: time.Hour},
		centrifuge.PingPongConfig{PingInterval: -1})
	id := s.dial().connect()
	s.eventually("the first update is pending", func() bool { return s.w.Stats().Removed == 1 && s.w.Stats().Pending == 1 })
	require.Zero(t, s.advance(30*time.Minute-time.Second))
	for k := range 3 {
		require.Equal(t, 1, s.advance(time.Hour))
		require.Equal(t, id, receive(t, s.alive, "the AliveHandler's call"))
		s.eventually("the next update is pending", func() bool { return s.w.Stats().Pending == 1 })
		require.Equal(t, uint64(k+1), s.w.Stats().Fired)
	}
}

// The node refreshes or closes an expired connection, at its time. That is a time of the real
// clock, so it is nearer by what the machine needs to connect.
func TestExpiry(t *testing.T) {
	const margin = 30 * time.Second
	s := newManualServer(t)
	s.credentials.ExpireAt = time.Now().Add(10 * time.Minute).Unix()
	c := s.dialMany(1)[0]
	require.Zero(t, s.advance(10*time.Minute-margin))
	require.Equal(t, 1, s.advance(margin))
	refresh := receive(t, s.refresh, "the RefreshHandler's call")
	refresh(centrifuge.RefreshReply{ExpireAt: time.Now().Add(10 * time.Minute).Unix()}, nil)
	s.eventually("the next expiry is pending", func() bool { return s.w.Stats().Pending == 1 })
	c.lives()
	require.Equal(t, 1, s.advance(10*time.Minute))
	refresh = receive(t, s.refresh, "the RefreshHandler's call")
	refresh(centrifuge.RefreshReply{Expired: true}, nil)
	c.ended(centrifuge.DisconnectExpired.Code)
}

// A node that shuts down cancels all timers of its connections.
func TestShutdown(t *testing.T) {
	const n = 40
	s := newManualServer(t)
	clients := s.dialMany(n)
	require.NoError(t, s.node.Shutdown(context.Background()))
	for _, c := range clients {
		c.ended(centrifuge.DisconnectShutdown.Code)
	}
	s.eventually("no timer is pending", func() bool { return s.w.Stats().Pending == 0 })
	stats := s.w.Stats()
	require.Equal(t, uint64(2*n), stats.Removed)
	require.Zero(t, stats.Fired)
	require.Zero(t, s.advance(1000*time.Hour))
}
