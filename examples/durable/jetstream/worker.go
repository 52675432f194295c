package main

import (
	"context"
	"io"
	"log"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed76848005/timerwheel"
	"github.com/seed76848005/timerwheel/keyed"
)

// A worker fires deadlines, beside others in other processes. The engine says who fires a deadline, the
// worker's wheel says when: it holds the claim until the deadline, and one timer keeps all claims.
type worker struct {
	name    string
	engine  *engine
	plan    plan
	journal journal
	wheel   *timerwheel.Wheel
	timers  *keyed.Timers[string] // by the deadline's ID: a claim that comes again moves the timer

	mu     sync.Mutex
	claims map[string]*claim // by the deadline's ID
	looked time.Time         // when keep last looked at them

	before, after func(w *worker, id string) // for tests; before and after the effect
}

// A claim is a deadline that the engine has given to this worker.
type claim struct {
	msg      jetstream.Msg
	delivery uint64
	when     time.Time

	// kept is when the claim was last kept, or came. The engine may give it to another when ackWait
	// has passed since; and earlier if the message has waited for this process. That it cannot know.
	kept time.Time
}

// work claims and fires deadlines until in ends.
func (w *worker) work(in io.Reader) error {
	var err error
	if w.wheel, err = timerwheel.New(timerwheel.Options{}); err != nil {
		return err
	}
	w.timers = keyed.New(w.wheel, w.fire)
	w.claims = map[string]*claim{}
	w.wheel.Every(w.plan.ackWait/4, func(timerwheel.Timer) { w.keep() })

	ctx, cancel := context.WithTimeout(context.Background(), beginWithin)
	defer cancel()
	consumer, err := w.engine.js.Consumer(ctx, w.engine.name+"-deadlines", "workers")
	if err != nil {
		return err
	}
	// A worker that stands still asks for no more: what it has asked for expires, and goes to others.
	consuming, err := consumer.Consume(w.claim, jetstream.PullMaxMessages(64), jetstream.PullExpiry(max(w.plan.ackWait, time.Second)))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	consuming.Drain()
	<-consuming.Closed()
	if err := w.wheel.Close(); err != nil { // waits for the handlers
		return err
	}
	w.giveBack()
	return err
}

// claim arms a deadline that the engine gives to this worker.
func (w *worker) claim(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		log.Print("jetstream: ", err)
		return
	}
	id := idOf(msg.Subject())
	when, err := time.Parse(time.RFC3339Nano, msg.Headers().Get(deadlineHeader))
	if err != nil {
		log.Printf("jetstream: %s: %v", id, err)
		_ = msg.Term() // it will not be better the next time
		return
	}
	if meta.NumDelivered == 1 && time.Since(meta.Timestamp) > w.plan.ackWait/2 {
		w.late() // the message has waited, perhaps for this process
	}
	c := &claim{msg: msg, delivery: meta.NumDelivered, when: when, kept: time.Now()}
	w.note("claim", id, c)
	w.mu.Lock()
	w.claims[id] = c
	w.mu.Unlock()
	_ = w.timers.Set(id, time.Until(when)) // refused by a closed wheel: the claim lapses
}

// fire is the handler of a deadline.
func (w *worker) fire(id string) {
	w.mu.Lock()
	c := w.claims[id]
	if c != nil && w.lapsed(id, c) {
		c = nil
	}
	w.mu.Unlock()
	if c == nil {
		return
	}
	now := time.Now()
	if wait := c.when.Sub(now); wait > 0 { // by the wall clock, which was set back
		_ = w.timers.Set(id, wait)
		return
	}
	w.note("fire", id, c)
	if w.before != nil {
		w.before(w, id)
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.plan.ackWait)
	defer cancel()
	// The ID makes the effect idempotent: if this worker dies here, or has lost its claim without
	// knowing, another fires the deadline as well.
	_, err := w.engine.fire(ctx, effect{id, w.name, now})
	if err == nil {
		if w.after != nil {
			w.after(w, id)
		}
		err = c.msg.DoubleAck(ctx) // waits for the engine's answer
	}
	if err != nil {
		log.Printf("jetstream: %s: %v", id, err) // the claim is not kept any more, and so comes again
		w.late()
	} else {
		w.note("ack", id, c)
	}
	w.drop(id, c)
}

// keep keeps all claims, by one message each. A claim that has not been kept for too long may be
// another's: the worker drops it.
func (w *worker) keep() {
	begin := time.Now()
	kept := map[string]*claim{}
	w.mu.Lock()
	oldest := begin
	for id, c := range w.claims {
		if w.lapsed(id, c) {
			w.timers.Delete(id)
			continue
		}
		if c.kept.Before(oldest) {
			oldest = c.kept
		}
		kept[id] = c
	}
	w.looked = begin
	w.mu.Unlock()
	for _, c := range kept {
		_ = c.msg.InProgress() // an error says that it has been acknowledged
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.plan.ackWait)
	defer cancel()
	err := w.engine.conn.FlushWithContext(ctx)
	if time.Since(oldest) > w.plan.ackWait/2 {
		w.late()
	}
	if err != nil {
		return // whether the engine has received it is unknown
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range kept {
		c.kept = begin
	}
}

// lapsed drops a claim that may be another's by now, and reports whether it is one. Holds mu.
func (w *worker) lapsed(id string, c *claim) bool {
	if time.Since(c.kept) < w.plan.ackWait {
		return false
	}
	w.note("lapse", id, c)
	if time.Since(w.looked) > w.plan.ackWait/2 {
		w.late()
	}
	delete(w.claims, id)
	return true
}

// drop forgets a claim, unless the deadline has come again since.
func (w *worker) drop(id string, c *claim) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.claims[id] == c {
		delete(w.claims, id)
	}
}

// giveBack lets the engine give the claims to others at once.
func (w *worker) giveBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.claims {
		_ = c.msg.Nak()
	}
	_ = w.engine.conn.FlushTimeout(w.plan.ackWait)
}

// late notes that this worker was held up, or has waited in vain for the engine.
func (w *worker) late() { w.note("late", "-", &claim{}) }

func (w *worker) note(what, id string, c *claim) {
	if err := w.journal.write(what, id, c.delivery); err != nil {
		log.Fatal("jetstream: ", err) // the checks would be wrong
	}
}
