package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel/examples/durable/internal/process"
)

// A crowd is the workers, and what they are to do.
type crowd struct {
	engine    *engine
	url, dir  string
	plan      plan
	members   []*member
	scheduled map[string]time.Time // by ID
	count     atomic.Int64         // of scheduled
}

// A member is a worker's process.
type member struct {
	*process.Child
	journal string
	killed  bool
}

// add starts a worker.
func (c *crowd) add(env ...string) (*member, error) {
	name := fmt.Sprint("worker", len(c.members)+1)
	m := &member{journal: filepath.Join(c.dir, name)}
	var err error
	m.Child, err = process.Start(env, "-work", name, "-nats", c.url, "-stream", c.engine.name, "-journal", m.journal,
		"-lead", c.plan.lead.String(), "-ackwait", c.plan.ackWait.String())
	if err != nil {
		return nil, err
	}
	c.members = append(c.members, m)
	return m, nil
}

// end ends what still runs, and removes the streams.
func (c *crowd) end() {
	for _, m := range c.members {
		m.Kill()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = c.engine.remove(ctx) // an error says that the server has gone
	c.engine.close()
}

// schedule schedules a deadline. Every tenth is scheduled again, as by a program that has had no answer.
func (c *crowd) schedule(ahead time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n := len(c.scheduled)
	id, when := fmt.Sprint("d", n), time.Now().Add(ahead).Round(0)
	c.scheduled[id] = when
	c.count.Add(1)
	err := c.engine.schedule(ctx, id, when, c.plan)
	if err == nil && n%10 == 0 {
		err = c.engine.schedule(ctx, id, when, c.plan)
	}
	return err
}

// killWhileScheduling schedules deadlines, and kills workers while they hold some, until as many are
// scheduled and killed as it was asked for, and a worker that was killed held some. It returns how many
// it has killed.
func (c *crowd) killWhileScheduling(number, kills int) (killed int, err error) {
	var enough atomic.Bool
	scheduled := make(chan error, 1)
	go func() {
		for n := 0; n < number || !enough.Load(); n++ {
			if err := c.schedule(c.plan.lead + rand.N(2*time.Second) - time.Second); err != nil {
				scheduled <- err
				return
			}
			time.Sleep(4 * time.Millisecond)
		}
		scheduled <- nil
	}()
	for claimed := 0; err == nil && (killed < kills || kills > 0 && claimed == 0); killed++ {
		m := c.members[killed] // the oldest that lives
		if err = m.await(scheduled); err == nil {
			m.Kill()
			m.killed = true
			var entries []entry
			entries, err = readJournal(m.journal)
			n, _ := held(entries)
			claimed += n
		}
		if err == nil {
			_, err = c.add()
		}
	}
	enough.Store(true)
	return killed, errors.Join(err, <-scheduled)
}

// await waits until a worker has fired some deadlines and holds more. It fails if something is in failed.
func (m *member) await(failed chan error) error {
	for ; ; time.Sleep(time.Millisecond) {
		entries, err := readJournal(m.journal)
		if err != nil {
			return err
		}
		acks := 0
		for _, e := range entries {
			if e.what == "ack" {
				acks++
			}
		}
		if claims, _ := held(entries); acks > 10 && claims > 0 {
			return nil
		}
		if len(failed) > 0 || m.HasEnded() {
			return errors.New("a worker has no work, or has ended by itself")
		}
	}
}

// drain waits until all deadlines are acknowledged, and lets the workers end.
func (c *crowd) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for done := false; !done; time.Sleep(20 * time.Millisecond) {
		var err error
		if done, err = c.engine.done(ctx); err != nil {
			return fmt.Errorf("deadlines are left: %w", err)
		}
	}
	for _, m := range c.members {
		if m.killed {
			continue
		}
		if err := m.Stop(); err != nil {
			return err
		}
	}
	return nil
}

// judge waits for the end of all deadlines, and compares what was scheduled with what has fired.
func (c *crowd) judge() (*verdict, error) {
	if err := c.drain(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	effects, err := c.engine.effects(ctx)
	if err != nil {
		return nil, err
	}
	var workers []history
	for _, m := range c.members {
		entries, err := readJournal(m.journal)
		if err != nil {
			return nil, err
		}
		workers = append(workers, history{m.killed, entries})
	}
	return judge(c.scheduled, effects, workers), nil
}
