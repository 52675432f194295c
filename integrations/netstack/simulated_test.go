package netstack_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// The tests in this file run through minutes and hours of TCP's timers in milliseconds. The
// times are exact on every machine.

// TCP gives up a peer that is gone after a quarter of an hour. The time between
// retransmissions doubles each time, up to two minutes.
func TestSimulatedRetransmission(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			payload := []byte("is anybody there?")
			var sent log
			w := manualWheel(t)
			s := simulate(t, w, &cable{
				delay: latency(w, 20*time.Millisecond),
				tap: func(direction int, frame []byte) {
					if seg, ok := segment(frame); ok && direction == 0 && bytes.Equal(seg.Payload(), payload) {
						sent.add(w.Now())
					}
				},
			})
			conn, _ := s.connect(v)
			s.addNeighbors(v)
			s.cable.cut.Store(true)
			began := w.Now()
			s.do(func() {
				_, err := conn.Write(payload)
				assert.NoError(t, err)
			})
			var failed error
			s.do(func() { _, failed = conn.Read(make([]byte, 1)) })
			assert.ErrorContains(t, failed, "timed out")

			gaps := sent.gaps(began)
			require.Len(t, gaps, tcp.MaxRetries)
			rto := gaps[1] // the first gap is that of the tail loss probe, which is sent before the retransmission timer is set
			assert.GreaterOrEqual(t, rto, tcp.MinRTO)
			var want []time.Duration
			for range gaps[1:] {
				want = append(want, min(rto, tcp.MaxRTO))
				rto *= 2
			}
			assertGaps(t, want, gaps[1:])
			assert.InDelta(t, tcp.MaxRTO, w.Now().Sub(sent.last()), float64(late))
		})
	}
}

// TCP probes a silent peer after two hours, and gives it up after nine probes, 75 seconds
// apart.
func TestSimulatedKeepalive(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			var probes log
			w := manualWheel(t)
			s := simulate(t, w, &cable{tap: func(direction int, frame []byte) {
				if _, ok := segment(frame); ok && direction == 0 {
					probes.add(w.Now())
				}
			}})
			conn, _ := s.connect(v)
			s.addNeighbors(v)
			conn.ep.SocketOptions().SetKeepAlive(true)
			began := w.Now()
			s.pass(5 * time.Hour)
			assertGaps(t, []time.Duration{2 * time.Hour, 2 * time.Hour}, probes.gaps(began))
			require.Equal(t, tcp.StateEstablished, conn.state())

			s.cable.cut.Store(true)
			began = w.Now()
			var failed error
			s.do(func() { _, failed = conn.Read(make([]byte, 1)) })
			assert.ErrorContains(t, failed, "timed out")
			want := append([]time.Duration{time.Hour}, slices.Repeat([]time.Duration{75 * time.Second}, 8)...)
			assertGaps(t, want, probes.gaps(began))
			assert.InDelta(t, 75*time.Second, w.Now().Sub(probes.last()), float64(late))
		})
	}
}

// The end that closes first keeps the connection for a minute after its peer has closed,
// exact to the millisecond.
func TestSimulatedTimeWait(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			w := manualWheel(t)
			s := simulate(t, w, &cable{})
			conn, peer := s.connect(v)
			s.do(func() { conn.Close() })
			s.pass(time.Second)
			require.Equal(t, tcp.StateFinWait2, conn.state())
			s.do(func() { peer.Close() })
			require.Equal(t, tcp.StateTimeWait, conn.state())
			s.pass(tcp.DefaultTCPTimeWaitTimeout - 1)
			require.Equal(t, tcp.StateTimeWait, conn.state())
			s.pass(late)
			require.Equal(t, tcp.StateClose, conn.state())
		})
	}
}

// TCP waits a minute for a peer that does not close.
func TestSimulatedFinWait2(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			s := simulate(t, manualWheel(t), &cable{})
			conn, _ := s.connect(v)
			s.do(func() { conn.Close() })
			require.Equal(t, tcp.StateFinWait2, conn.state())
			s.pass(tcp.DefaultTCPLingerTimeout - 1)
			require.Equal(t, tcp.StateFinWait2, conn.state())
			s.pass(late)
			require.Equal(t, tcp.StateClose, conn.state())
		})
	}
}

// TestSimulatedTransfer sends data over a slow cable that loses one frame in 20 at first.
// What takes minutes of simulated time takes as long as the machine needs.
func TestSimulatedTransfer(t *testing.T) {
	const size = 512 << 10
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			w := manualWheel(t)
			s := simulate(t, w, &cable{seed: 7, loss: 0.05, lossy: 300, delay: latency(w, 100*time.Millisecond)})
			began := time.Now()
			conn, peer := s.connect(v)
			hash := sha256.New()
			out := newStream(conn, 9)
			s.do(func() {
				go func() {
					out.send(t, size)
					assert.NoError(t, conn.Conn.(*gonet.TCPConn).CloseWrite())
				}()
				_, err := io.Copy(hash, peer)
				assert.NoError(t, err)
			})
			assert.Equal(t, out.sum(), hash.Sum(nil), "the received data differs from the sent data")
			assert.Positive(t, s.client.Stats().TCP.Retransmits.Value())
			assert.Greater(t, s.elapsed(), 2*time.Second, "the transfer takes ten round trips")
			s.report(t)
			t.Logf("%v of simulated time in %v; wheel: %+v", s.elapsed(), time.Since(began), w.Stats())
			s.unplug()
			s.pass(time.Second) // frames under way arrive: they are on the wheel, too
		})
	}
}

// assertGaps compares times between frames. The wheel rounds each up to its tick, and each
// may begin within a tick.
func assertGaps(t *testing.T, want, got []time.Duration) {
	t.Helper()
	if assert.Len(t, got, len(want), "%v", got) {
		for i := range want {
			assert.InDelta(t, want[i], got[i], float64(late), "%d: %v", i, got)
		}
	}
}
