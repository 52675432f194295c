package centrifugewheel_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed76848005/timerwheel"
	centrifugewheel "github.com/seed76848005/timerwheel/integrations/centrifuge"
)

// patience is how long a test waits for the network and the machine. It never waits for a
// timer of a Manual wheel.
const patience = time.Minute

// A server is a real Node behind a real WebsocketHandler, on loopback. Its client timers
// are on a wheel, or are the node's own if there is no wheel.
type server struct {
	t    testing.TB
	w    *timerwheel.Wheel
	node *centrifuge.Node
	http *httptest.Server

	credentials centrifuge.Credentials          // of every connection
	refresh     chan centrifuge.RefreshCallback // the arguments of the RefreshHandler
	alive       chan string                     // the clients whose AliveHandler was called
}

// periods are the periods of a server on a Manual wheel. They are hours, so that the
// microseconds that the node adds from its own clock do not matter.
var periods = struct{ stale, ping, pong, presence time.Duration }{
	stale: time.Minute, ping: time.Hour, pong: 30 * time.Minute, presence: 1000 * time.Hour,
}

// newServer starts a server. At the end of every test it checks that no timer is pending
// once the node is shut down and the sockets are closed, and that no goroutine is left
// after the wheel's Close.
func newServer(t testing.TB, w *timerwheel.Wheel, c centrifuge.Config, pp centrifuge.PingPongConfig) *server {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	s := &server{
		t: t, w: w,
		refresh: make(chan centrifuge.RefreshCallback, 1000),
		alive:   make(chan string, 1000),
	}
	if w != nil {
		c.ClientTimerScheduler = centrifugewheel.On(w)
	}
	node, err := centrifuge.New(c)
	require.NoError(t, err)
	s.node = node
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &s.credentials}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnRPC(func(e centrifuge.RPCEvent, done centrifuge.RPCCallback) {
			done(centrifuge.RPCReply{Data: e.Data}, nil)
		})
		client.OnRefresh(func(_ centrifuge.RefreshEvent, done centrifuge.RefreshCallback) { s.refresh <- done })
		client.OnAlive(func() { s.alive <- client.ID() })
	})
	require.NoError(t, node.Run())
	s.http = httptest.NewServer(centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{PingPongConfig: pp}))
	t.Cleanup(s.end)
	return s
}

// newManualServer starts a server on a wheel that the test advances.
func newManualServer(t *testing.T) *server {
	return newServer(t, newWheel(t, timerwheel.Options{Manual: true}),
		centrifuge.Config{
			ClientStaleCloseDelay:        periods.stale,
			ClientPresenceUpdateInterval: periods.presence,
		},
		centrifuge.PingPongConfig{PingInterval: periods.ping, PongTimeout: periods.pong},
	)
}

// end shuts the node down and checks that nothing is left. The test may have shut the
// node down before.
func (s *server) end() {
	require.NoError(s.t, s.node.Shutdown(context.Background()))
	s.http.Close()
	if s.w == nil {
		return
	}
	s.eventually("no timer is pending", func() bool { return s.w.Stats().Pending == 0 })
	require.NoError(s.t, s.w.Close())
	stats := s.w.Stats()
	require.Equal(s.t, stats.Registered, stats.Fired+stats.Removed)
	require.Zero(s.t, stats.Live, "timers that neither fired nor were cancelled")
	require.Zero(s.t, stats.Workers)
}

func (s *server) eventually(what string, cond func() bool) {
	s.t.Helper()
	require.Eventually(s.t, cond, patience, time.Millisecond, what)
}

// advance advances a Manual wheel by d, and returns the number of callbacks that it
// called.
func (s *server) advance(d time.Duration) int {
	s.t.Helper()
	fired, err := s.w.Advance(s.w.Now().Add(d))
	require.NoError(s.t, err)
	return fired
}

// dial opens a connection and sends nothing on it.
func (s *server) dial() *client {
	s.t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.http.URL, "http"), nil)
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
	c := &client{
		t: s.t, conn: conn,
		pings: make(chan struct{}, 1000), replies: make(chan reply, 10), closed: make(chan int, 1),
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read()
	}()
	s.t.Cleanup(func() {
		_ = conn.Close()
		<-read
	})
	return c
}

// dialMany opens connections, sends the connect command on them, and waits until the node
// has armed their timers: for each the one that would have closed it, which is cancelled
// by then, and the one of its first ping.
func (s *server) dialMany(n int) []*client {
	s.t.Helper()
	before := s.w.Stats()
	all := make([]*client, n)
	for k := range all {
		all[k] = s.dial()
		all[k].connect()
	}
	s.eventually("the first pings are pending", func() bool { return s.w.Stats().Registered == before.Registered+uint64(2*n) })
	stats := s.w.Stats()
	require.Equal(s.t, before.Pending+n, stats.Pending)
	require.Equal(s.t, before.Removed+uint64(n), stats.Removed)
	return all
}
