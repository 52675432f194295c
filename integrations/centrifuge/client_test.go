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

// A client uses Centrifuge's JSON protocol over a real WebSocket. Commands and replies are
// lines. The server's ping and the pong are empty objects.
type client struct {
	t       testing.TB
	conn    *websocket.Conn
	writes  sync.Mutex
	answers atomic.Bool // whether it answers pings, at once
	last    int         // id of the last command

	pings   chan struct{} // the received pings
	replies chan reply
	closed  chan int // the code with which the server closed the connection, or 0
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
		c.t.Errorf("the server sent %s: %v", line, err)
	}
	if r.ID != 0 {
		c.replies <- r
	}
}

// write sends a line. It ignores errors, because the server may have closed the connection.
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

// connect sends the connect command, and returns the id that the node gives the client.
func (c *client) connect() string {
	c.t.Helper()
	r := c.command("connect", `{}`)
	require.NotNil(c.t, r.Connect)
	return r.Connect.Client
}

// pong answers a ping. When it returns the node has handled the answer, because the node
// handles the commands of a connection one after the other.
func (c *client) pong() {
	c.t.Helper()
	c.write("{}")
	c.lives()
}

// lives checks that the connection still works in both directions.
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

// ended waits for the end of the connection, and checks its code.
func (c *client) ended(code uint32) {
	c.t.Helper()
	require.Equal(c.t, int(code), receive(c.t, c.closed, "the end of the connection"))
}

// receive receives a value, or fails the test.
func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.FailNow(t, "not received", what)
		panic("not reached")
	}
}
