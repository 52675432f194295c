package netstack_test

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/integrations/netstack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// TestTransfer sends some megabytes in real time over a cable that loses one frame in 25
// until near the end, with every timer of both stacks on one wheel. In between it cuts the
// cable until a retransmission timer has fired, so that one certainly fires.
func TestTransfer(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			w := openWheel(t, timerwheel.Options{})
			forgotten := transfer(t, w, v)

			eventually(t, "the stacks leave no timer on the wheel", func() bool { return w.Stats().Live == 0 })
			s := w.Stats()
			assert.Equal(t, s.Registered, s.Fired+s.Removed)
			assert.Positive(t, s.Fired, "firings")
			assert.Positive(t, s.Removed, "removed firings")
			assert.Zero(t, s.Refused)
			for _, host := range forgotten {
				eventually(t, "the stack is collected", func() bool { runtime.GC(); return host.Value() == nil })
			}
			runtime.KeepAlive(w) // the stacks became garbage while the wheel was open
			require.NoError(t, w.Close())
			t.Logf("wheel: %+v", s)
		})
	}
}

// transfer does the transfer, destroys the stacks and returns weak pointers to them.
func transfer(t *testing.T, w *timerwheel.Wheel, v ipVersion) (forgotten [2]weak.Pointer[stack.Stack]) {
	const size = 4 << 20
	n := newNetwork(t, netstack.NewClock(w), &cable{seed: 21, loss: 0.04, lossy: 2500})
	defer n.destroy()
	n.retryWithin(t, time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // in case no timer fires
	defer cancel()
	listener, err := gonet.ListenTCP(n.server, v.service(), v.number)
	require.NoError(t, err)
	defer listener.Shutdown()
	received := make(chan []byte, 1)
	go func() { received <- receive(t, listener) }()
	conn, err := gonet.DialContextTCP(ctx, n.client, v.service(), v.number)
	require.NoError(t, err)
	defer conn.Close()

	require.NoError(t, conn.SetWriteDeadline(time.Now().Add(time.Minute)))
	out := newStream(conn, 5)
	out.send(t, size/2)
	timeouts := n.client.Stats().TCP.Timeouts
	before := timeouts.Value()
	n.cable.cut.Store(true)
	out.send(t, mtu)
	eventually(t, "a retransmission timer fires", func() bool { return timeouts.Value() > before })
	n.cable.cut.Store(false)
	out.send(t, size/2-mtu)
	require.NoError(t, conn.CloseWrite())

	assert.Equal(t, out.sum(), <-received, "the received data differs from the sent data")
	assert.Positive(t, n.client.Stats().TCP.Retransmits.Value())
	n.report(t)
	return [2]weak.Pointer[stack.Stack]{weak.Make(n.client), weak.Make(n.server)}
}

// A stream writes random data to a connection and hashes it.
type stream struct {
	conn io.Writer
	data io.Reader
	hash hash.Hash
}

func newStream(conn io.Writer, seed byte) *stream {
	h := sha256.New()
	return &stream{conn, io.TeeReader(rand.NewChaCha8([32]byte{seed}), h), h}
}

func (s *stream) send(t *testing.T, n int64) {
	_, err := io.CopyN(s.conn, s.data, n)
	assert.NoError(t, err)
}

func (s *stream) sum() []byte { return s.hash.Sum(nil) }

// receive accepts a connection and returns the hash of the received data.
func receive(t *testing.T, listener net.Listener) []byte {
	conn, err := listener.Accept()
	if !assert.NoError(t, err) {
		return nil
	}
	defer conn.Close()
	assert.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	data := sha256.New()
	_, err = io.Copy(data, conn)
	assert.NoError(t, err)
	return data.Sum(nil)
}
