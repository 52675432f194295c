package netstack_test

import (
	"net"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/netstack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// This file runs two real stacks in simulated time, on a Manual wheel.
//
// A bubble of testing/synctest does not work here. TCP's processors wait in gVisor's
// pkg/sleep, which parks a goroutine in its own way. A bubble does not recognise that as a
// durable wait, so its time would stand still. Therefore the simulation itself finds out
// when nothing more can happen before a timer fires.

// A simulation is a network whose time stands still while a goroutine works in it.
type simulation struct {
	*network
	t      *testing.T
	wheel  *timerwheel.Wheel
	start  time.Time
	stacks []byte // for settle
}

// simulate starts a simulation, which ends with the test.
func simulate(t *testing.T, w *timerwheel.Wheel, c *cable) *simulation {
	s := &simulation{t: t, wheel: w, start: w.Now(), stacks: make([]byte, 1<<18)}
	s.network = newNetwork(t, netstack.NewClock(w), c)
	t.Cleanup(func() {
		s.destroy()
		assert.Zero(t, w.Stats().Live, "destroyed stacks leave no timers on the wheel")
	})
	return s
}

// manualWheel makes a wheel for a simulation.
func manualWheel(t *testing.T) *timerwheel.Wheel {
	return openWheel(t, timerwheel.Options{Manual: true, Start: time.Date(2000, 5, 21, 0, 0, 0, 0, time.UTC)})
}

// elapsed returns the simulated time since the start.
func (s *simulation) elapsed() time.Duration { return s.wheel.Now().Sub(s.start) }

// until advances the time from firing to firing until done is closed.
func (s *simulation) until(done <-chan struct{}) {
	s.t.Helper()
	for {
		s.settle()
		select {
		case <-done:
			return
		default:
		}
		next, ok := s.wheel.Next()
		require.Less(s.t, s.elapsed(), 24*time.Hour, "done is not closed within a day")
		require.True(s.t, ok, "no timer is pending, and done is not closed, after %v", s.elapsed())
		_, err := s.wheel.Advance(next)
		require.NoError(s.t, err)
	}
}

// pass advances the time by d.
func (s *simulation) pass(d time.Duration) {
	s.t.Helper()
	for end := s.wheel.Now().Add(d); s.wheel.Now().Before(end); {
		s.settle()
		next, ok := s.wheel.Next()
		if !ok || next.After(end) {
			next = end
		}
		_, err := s.wheel.Advance(next)
		require.NoError(s.t, err)
	}
	s.settle()
}

// do runs f, which may wait for the network, and advances the time until f has returned.
func (s *simulation) do(f func()) {
	s.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	s.until(done)
}

// settle returns when every other goroutine waits for something that only the wheel can
// cause. runtime.Stack stops the world, so if no goroutine runs in it, none will run
// afterwards.
func (s *simulation) settle() {
	for ; ; runtime.Gosched() {
		n := runtime.Stack(s.stacks, true)
		require.Less(s.t, n, len(s.stacks))
		states := goroutineState.FindAllSubmatch(s.stacks[:n], -1)
		waiting := 0
		for _, state := range states {
			if waits.Match(state[1]) {
				waiting++
			}
		}
		if waiting == len(states)-1 { // all but this one
			return
		}
	}
}

// waits matches the states of goroutines that wait for another, or for the network. Not all
// that end with "wait" are such: after a "GC assist wait" a goroutine goes on by itself.
var (
	goroutineState = regexp.MustCompile(`(?m)^goroutine \d+ \[([^\],]+)`)
	waits          = regexp.MustCompile(`^(select|chan receive|chan send|sync\..*|IO wait)$`)
)

// connect opens a connection from the client to the server and returns both ends.
func (s *simulation) connect(v ipVersion) (client, server *socket) {
	s.t.Helper()
	listener, err := gonet.ListenTCP(s.server, v.service(), v.number)
	require.NoError(s.t, err)
	client = newSocket(s.t, s.network, v)
	s.do(func() { client.connect(s.t, v) })
	s.do(func() {
		conn, err := listener.Accept()
		if assert.NoError(s.t, err) {
			server = &socket{Conn: conn}
		}
	})
	return client, server
}

// A socket is one end of a connection. The client's socket also has its endpoint.
type socket struct {
	net.Conn
	ep tcpip.Endpoint
	wq *waiter.Queue
}

func newSocket(t *testing.T, n *network, v ipVersion) *socket {
	wq := new(waiter.Queue)
	ep, err := n.client.NewEndpoint(tcp.ProtocolNumber, v.number, wq)
	require.Nil(t, err)
	return &socket{Conn: gonet.NewTCPConn(wq, ep), ep: ep, wq: wq}
}

func (s *socket) connect(t *testing.T, v ipVersion) {
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	s.wq.EventRegister(&entry)
	defer s.wq.EventUnregister(&entry)
	if err := s.ep.Connect(v.service()); assert.IsType(t, &tcpip.ErrConnectStarted{}, err) {
		<-ready
		assert.Nil(t, s.ep.LastError())
	}
}

func (s *socket) state() tcp.EndpointState { return tcp.EndpointState(s.ep.State()) }

// latency returns a delay of d for a cable, by the wheel's time. Timers that are due in the
// same tick have no order, so a timer is not bound to a frame: each delivers the next one.
func latency(w *timerwheel.Wheel, d time.Duration) func(direction int, deliver func()) {
	var queues [2]chan func()
	for i := range queues {
		queues[i] = make(chan func(), 1<<16)
	}
	return func(direction int, deliver func()) {
		queues[direction] <- deliver
		w.AfterFunc(d, func() { (<-queues[direction])() })
	}
}

// addNeighbors adds static neighbour entries, so that TCP detects a cut cable, not the
// discovery of neighbours.
func (s *simulation) addNeighbors(v ipVersion) {
	require.Nil(s.t, s.client.AddStaticNeighbor(nic, v.number, v.addr(2), card(2)))
	require.Nil(s.t, s.server.AddStaticNeighbor(nic, v.number, v.addr(1), card(1)))
}

// A log is a list of simulated times that the cable's goroutine writes.
type log struct {
	mu    sync.Mutex
	times []time.Time
}

func (l *log) add(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = append(l.times, at)
}

// gaps returns the times between entries, of those after the given time.
func (l *log) gaps(since time.Time) (gaps []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.times {
		if at.After(since) {
			gaps = append(gaps, at.Sub(since))
			since = at
		}
	}
	return gaps
}

// last returns the last entry.
func (l *log) last() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.times[len(l.times)-1]
}
