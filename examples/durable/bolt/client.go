package main

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed76848005/timerwheel/examples/durable/internal/process"
)

// errKilled is the outcome of a command whose process ended before it answered: it may have been
// executed, or not.
var errKilled = errors.New("the process ended")

// A client sends commands to one process.
type client struct {
	child *process.Child
	armed chan int      // what the process armed at its start; closed without, if it was killed before
	ended chan struct{} // there are no more answers

	mu      sync.Mutex
	last    int
	waiting map[string]chan string // by number; nil: ended
	answers atomic.Int64
}

// startClient starts a process that serves the file.
func startClient(file string, env ...string) (*client, error) {
	child, err := process.Start(env, "-serve", "-db", file)
	if err != nil {
		return nil, err
	}
	c := &client{child: child, armed: make(chan int, 1), ended: make(chan struct{}), waiting: map[string]chan string{}}
	go c.read()
	return c, nil
}

func (c *client) read() {
	defer close(c.ended)
	for lines := bufio.NewScanner(c.child.Out); lines.Scan(); {
		number, text, _ := strings.Cut(lines.Text(), " ")
		if number == "armed" {
			n, _ := strconv.Atoi(text)
			c.armed <- n
			continue
		}
		c.mu.Lock()
		answer := c.waiting[number]
		delete(c.waiting, number)
		c.mu.Unlock()
		if answer != nil {
			c.answers.Add(1)
			answer <- text
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, answer := range c.waiting {
		close(answer)
	}
	c.waiting = nil
	close(c.armed)
}

// do sends a command, and returns the answer.
func (c *client) do(format string, args ...any) (string, error) {
	c.mu.Lock()
	if c.waiting == nil {
		c.mu.Unlock()
		return "", errKilled
	}
	c.last++
	number, answer := strconv.Itoa(c.last), make(chan string, 1)
	c.waiting[number] = answer
	_, _ = fmt.Fprintln(c.child.In, number, fmt.Sprintf(format, args...)) // if that fails, no answer comes
	c.mu.Unlock()
	text, ok := <-answer
	if !ok {
		return "", errKilled
	}
	if because, failed := strings.CutPrefix(text, "error "); failed {
		return "", errors.New(because)
	}
	return text, nil
}

// kill kills the process.
func (c *client) kill() {
	c.child.Kill()
	<-c.ended
}

// stop lets the process shut down.
func (c *client) stop() error {
	err := c.child.Stop()
	<-c.ended
	return err
}
