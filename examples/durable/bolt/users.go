package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// users set, move and cancel deadlines, and remember what they were told.
type users struct {
	ahead time.Duration // how far away deadlines are at most
	quit  atomic.Bool
	ops   atomic.Int64
	wg    sync.WaitGroup

	mu        sync.Mutex
	changed   sync.Cond
	client    *client // the process that serves now
	histories map[string][]op
	failed    error // an answer that was an error
}

func newUsers(ahead time.Duration) *users {
	u := &users{ahead: ahead, histories: map[string][]op{}}
	u.changed.L = &u.mu
	return u
}

// serve lets the users go on with a process.
func (u *users) serve(c *client) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.client = c
	u.changed.Broadcast()
}

// next returns a process that serves, after the one that was killed.
func (u *users) next(killed *client) *client {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.client == killed && !u.quit.Load() {
		u.changed.Wait()
	}
	return u.client
}

func (u *users) start(n int) {
	for i := range n {
		u.wg.Go(func() { u.use(i) })
	}
}

// stop lets each user finish its command, and waits.
func (u *users) stop() error {
	u.quit.Store(true)
	u.mu.Lock()
	u.changed.Broadcast()
	u.mu.Unlock()
	u.wg.Wait()
	return u.failed
}

// use is one user. It has keys of its own, and gives each a few commands, one after the other.
func (u *users) use(number int) {
	c := u.next(nil)
	for n := 0; !u.quit.Load(); n++ {
		key := fmt.Sprintf("%d/%d", number, n)
		var history []op
		for i := range 1 + rand.N(3) {
			o := op{set: i == 0 || rand.N(3) > 0}
			var err error
			if o.had, err = u.send(c, key, i, &o); errors.Is(err, errKilled) {
				o.lost = true
			} else if err != nil {
				u.mu.Lock()
				u.failed = err
				u.mu.Unlock()
				o.lost = true
			}
			history = append(history, o)
			if o.lost {
				c = u.next(c)
				break
			}
			u.ops.Add(1)
			if !o.set {
				break
			}
		}
		u.mu.Lock()
		u.histories[key] = history
		u.mu.Unlock()
	}
}

func (u *users) send(c *client, key string, i int, o *op) (had bool, err error) {
	if !o.set {
		answer, err := c.do("cancel %s", key)
		return answer == "found", err
	}
	ahead := rand.N(u.ahead)
	if rand.N(2) == 0 {
		ahead = min(ahead, rand.N(20*time.Millisecond)) // the key's next command finds it firing
	}
	o.d = deadline{time.Now().Add(ahead).Round(0), fmt.Sprint(key, "#", i)}
	answer, err := c.do("set %s %s %s", key, o.d.When.Format(time.RFC3339Nano), o.d.ID)
	return answer == "replaced", err
}
