// Package wait waits for the functions of timers with waits of its own. // want package:"functions"
package wait

import (
	"sync"
	"time"

	"github.com/seed76848005/timerwheel"
)

type flusher struct {
	mu      sync.Mutex
	timer   *time.Timer
	running sync.WaitGroup
}

func (f *flusher) start() {
	f.running.Add(1)
	f.timer = time.AfterFunc(time.Second, func() {
		defer f.running.Done()
		f.mu.Lock()
		defer f.mu.Unlock()
	})
}

func (f *flusher) wrong() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.timer.Stop() {
		f.running.Wait() // want `WaitGroup.Wait of flusher.running waits for the handler at wait.go:19, which locks flusher.mu \(wait.go:21\) before it signals \(wait.go:20\), while flusher.mu is held \(wait.go:27\): both wait for ever. Unlock flusher.mu first`
	}
}

func (f *flusher) right() {
	f.mu.Lock()
	stopped := f.timer.Stop()
	f.mu.Unlock()
	if !stopped {
		f.running.Wait()
	}
}

// The function signals before it locks.
type early struct {
	mu   sync.Mutex
	done chan struct{}
}

func (e *early) start(w *timerwheel.Wheel) {
	w.AfterFunc(time.Second, func() {
		close(e.done)
		e.mu.Lock()
		defer e.mu.Unlock()
	})
}

func (e *early) right() {
	e.mu.Lock()
	defer e.mu.Unlock()
	<-e.done
}

type late struct {
	mu   sync.Mutex
	done chan struct{}
	any  chan struct{}
}

func (l *late) start(w *timerwheel.Wheel) {
	w.AfterFunc(time.Second, l.finish)
}

func (l *late) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.done)
	l.any <- struct{}{}
}

func (l *late) wrong() {
	l.mu.Lock()
	defer l.mu.Unlock()
	<-l.done // want `a receive from late.done waits for the handler late.finish \(wait.go:73\), which locks late.mu`
}

// Others signal as well.
func (l *late) other() { l.any <- struct{}{} }

func (l *late) right() {
	l.mu.Lock()
	defer l.mu.Unlock()
	<-l.any
	select {
	case <-l.done:
	default:
	}
}

func (l *late) alsoRight() {
	l.mu.Lock()
	l.mu.Unlock()
	<-l.done
}

// The Wait of a Cond unlocks its own lock, and no other.
type conds struct {
	mu, other sync.Mutex
	cond      *sync.Cond
}

func (c *conds) start() {
	c.cond = sync.NewCond(&c.mu)
	time.AfterFunc(time.Second, func() {
		c.mu.Lock()
		c.other.Lock()
		c.cond.Broadcast()
		c.other.Unlock()
		c.mu.Unlock()
	})
}

func (c *conds) right() {
	c.mu.Lock()
	c.cond.Wait()
	c.mu.Unlock()
}

func (c *conds) wrong() {
	c.other.Lock()
	c.mu.Lock()
	c.cond.Wait() // want `Cond.Wait of conds.cond waits for the handler at wait.go:\d+, which locks conds.other`
	c.mu.Unlock()
	c.other.Unlock()
}

// A function that signals, for the timer and for others, does not wait.
type flight struct{ wg sync.WaitGroup }

func (f *flight) do(work func()) {
	f.wg.Add(1)
	work()
	f.wg.Done()
}

type client struct {
	mu     sync.Mutex
	flight flight
}

func (c *client) start() {
	time.AfterFunc(time.Second, func() { c.mu.Lock(); c.mu.Unlock(); c.flight.do(func() {}) })
}

func (c *client) right() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight.do(func() {})
}

// The lock and the signal are in functions that the function of the timer calls.
type deep struct {
	mu, other sync.Mutex
	work      sync.WaitGroup
}

func (d *deep) start() {
	time.AfterFunc(time.Second, func() { d.run() })
}

func (d *deep) run() {
	d.count()
	d.signal()
}

func (d *deep) count() { d.mu.Lock(); d.mu.Unlock() }

func (d *deep) signal() {
	d.work.Done()
	d.other.Lock()
	d.other.Unlock()
}

func (d *deep) wrong() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.work.Wait() // want `WaitGroup.Wait of deep.work waits for the handler at wait.go:\d+, which locks deep.mu \(wait.go:\d+\) before it signals`
}

func (d *deep) right() {
	d.other.Lock()
	defer d.other.Unlock()
	d.work.Wait()
}

// A maker of timers: what it is passed locks, or signals.
type made struct {
	mu   sync.Mutex
	work sync.WaitGroup
	idle sync.WaitGroup
}

func (m *made) after(f func()) {
	time.AfterFunc(time.Second, func() { f() })
}

func (m *made) start() {
	m.after(func() { m.mu.Lock(); m.mu.Unlock(); m.work.Done() })
	m.after(func() { m.idle.Done() })
}

func (m *made) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.work.Wait() // want `WaitGroup.Wait of made.work waits`
	m.idle.Wait()
}
