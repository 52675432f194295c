package across

import (
	"planted/across/conns"
	"sync"
	"time"
)

// What a hand-written wait in another package is for is not known.
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
