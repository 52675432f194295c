package centrifugewheel_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// A client speaks Centrifuge's JSON protocol over a real WebSocket: commands and
// replies are lines, the server's ping is an empty object, and so is the pong.
type client struct {
	t       testing.TB
	conn    *websocket.Conn
	writes  sync.Mutex
	answers atomic.Bool // answer pings at once
	last    int         // id of the last command

	pings   chan struct{} // those that came
	replies chan reply
	closed  chan int // the code that the server closed the connection with; 0 for none
}

type reply struct {
	ID      int
	Connect *struct{ Client string }
	RPC     *struct{ Data json.RawMessage }
	Error   *struct{ Message string }
	Push    json.RawMessage
}

// read reads until the connection ends.
func (c *client) read() {
	for {
		_, frame, err := c.conn.ReadMessage()
		if err != nil {
			var end *websocket.CloseError
			if errors.As(err, &end) {
				c.closed <- end.Code
			} else {
				c.closed <- 0
			}
			return
		}
		for line := range bytes.Lines(frame) {
			c.receive(bytes.TrimSpace(line))
		}
	}
}

func (c *client) receive(line []byte) {
	if string(line) == "{}" {
		c.pings <- struct{}{}
		if c.answers.Load() {
			c.write("{}")
		}
		return
	}
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		c.t.Errorf("the server said %s: %v", line, err)
	}
	if r.ID != 0 {
		c.replies <- r
	}
}

// write sends a line. That the server may have gone is no error.
func (c *client) write(line string) {
	c.writes.Lock()
	defer c.writes.Unlock()
	_ = c.conn.WriteMessage(websocket.TextMessage, []byte(line))
}

// command sends a command with the next id, and waits for its reply.
func (c *client) command(name, body string) reply {
	c.t.Helper()
	c.last++
	line, err := json.Marshal(map[string]any{"id": c.last, name: json.RawMessage(body)})
	require.NoError(c.t, err)
	c.write(string(line))
	r := receive(c.t, c.replies, "the reply to "+string(line))
	require.Equal(c.t, c.last, r.ID)
	require.Nil(c.t, r.Error)
	return r
}

// connect says connect, and returns the id that the node gives the client.
func (c *client) connect() string {
	c.t.Helper()
	r := c.command("connect", `{}`)
	require.NotNil(c.t, r.Connect)
	return r.Connect.Client
}

// pong answers a ping. When it returns the node has seen the answer: a
// connection's commands are handled one after the other.
func (c *client) pong() {
	c.t.Helper()
	c.write("{}")
	c.lives()
}

// lives checks that the connection still works, both ways.
func (c *client) lives() {
	c.t.Helper()
	r := c.command("rpc", `{"method":"echo","data":"here"}`)
	require.NotNil(c.t, r.RPC)
	require.JSONEq(c.t, `"here"`, string(r.RPC.Data))
}

// pinged waits for a ping.
func (c *client) pinged() {
	c.t.Helper()
	receive(c.t, c.pings, "a ping")
}

// ended waits for the connection's end, and checks its code.
func (c *client) ended(code uint32) {
	c.t.Helper()
	require.Equal(c.t, int(code), receive(c.t, c.closed, "the end of the connection"))
}

func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.FailNow(t, "did not come", what)
		panic("not reached")
	}
}
