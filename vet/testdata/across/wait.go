package across

import (
	"planted/across/conns"
	"sync"
	"time"
)

// It is not known what a hand-written wait in another package waits for.
type client struct {
	mu     sync.Mutex
	flight conns.Flight
}

func (c *client) start() {
	time.AfterFunc(time.Second, func() {
		c.mu.Lock()
		c.mu.Unlock()
		c.flight.Do(func() {})
	})
}

func (c *client) right() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight.Do(func() {})
}
