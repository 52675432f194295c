package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// An engine is what JetStream does for this program: it keeps the deadlines, holds each back until
// shortly before it is due, gives it to one worker, and to another if that does not acknowledge it.
//
// Deadlines are messages of a stream with a work queue: name.at.ID while they are held back, name.due.ID
// then. What fires is a message of another stream, name.fired.ID.
type engine struct {
	conn *nats.Conn
	js   jetstream.JetStream
	name string
}

// A plan is how long things take.
type plan struct {
	lead    time.Duration // how long before its deadline a worker gets a message
	ackWait time.Duration // how long a claim lasts that is not kept
}

// remembered is how long the engine knows the IDs of messages. A message that comes again later is
// taken in twice.
const remembered = time.Hour

// deadlineHeader has the deadline to the nanosecond. The engine's schedules are of whole seconds.
const deadlineHeader = "Deadline"

// beginWithin is how long connecting and setting up may take, of many processes that begin at once.
const beginWithin = time.Minute

func connect(url, name string) (*engine, error) {
	conn, err := nats.Connect(url, nats.Timeout(beginWithin), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &engine{conn, js, name}, nil
}

func (e *engine) close() { e.conn.Close() }

// create makes the streams, and the consumer that all workers share.
func (e *engine) create(ctx context.Context, p plan) error {
	for _, config := range []jetstream.StreamConfig{
		{
			Name:              e.name + "-deadlines",
			Subjects:          []string{e.name + ".at.*", e.name + ".due.*"},
			Retention:         jetstream.WorkQueuePolicy, // what is acknowledged is gone
			AllowMsgSchedules: true,
			Duplicates:        remembered,
		},
		{
			Name:       e.name + "-fired",
			Subjects:   []string{e.name + ".fired.*"},
			Duplicates: remembered,
		},
	} {
		s, err := e.js.CreateStream(ctx, config)
		if err != nil {
			return err
		}
		if config.AllowMsgSchedules && !s.CachedInfo().Config.AllowMsgSchedules {
			return errors.New("the server is too old: it knows no schedules")
		}
	}
	_, err := e.js.CreateConsumer(ctx, e.name+"-deadlines", jetstream.ConsumerConfig{
		Durable:       "workers",
		FilterSubject: e.name + ".due.*",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       p.ackWait,
		MaxDeliver:    -1,
		MaxAckPending: 10_000, // claims of all workers: what is due beyond that waits
	})
	return err
}

// remove removes the streams.
func (e *engine) remove(ctx context.Context) error {
	return errors.Join(e.js.DeleteStream(ctx, e.name+"-deadlines"), e.js.DeleteStream(ctx, e.name+"-fired"))
}

// schedule hands over a deadline. When it has returned, the engine keeps it. After an error it may be
// called again with the same ID: the engine takes it in once.
func (e *engine) schedule(ctx context.Context, id string, when time.Time, p plan) error {
	m := nats.NewMsg(e.name + ".at." + id)
	m.Header.Set(deadlineHeader, when.Format(time.RFC3339Nano))
	_, err := e.js.PublishMsg(ctx, m,
		jetstream.WithMsgID(id),
		jetstream.WithScheduleAt(when.Add(-p.lead)), // cuts the second off: earlier, never later
		jetstream.WithScheduleTarget(e.name+".due."+id))
	return err
}

// An effect is what a deadline does in this program: a message of the stream of what has fired.
type effect struct {
	ID     string
	Worker string
	At     time.Time
}

// fire publishes an effect, and reports whether the engine had it before.
func (e *engine) fire(ctx context.Context, f effect) (duplicate bool, err error) {
	text, err := json.Marshal(f)
	if err != nil {
		return false, err
	}
	ack, err := e.js.Publish(ctx, e.name+".fired."+f.ID, text, jetstream.WithMsgID(f.ID))
	if err != nil {
		return false, err
	}
	return ack.Duplicate, nil
}

// done reports whether the workers have acknowledged all deadlines. Do not schedule a deadline during the call.
//
// An empty stream is enough, but not necessary: a server that stops while it handles an acknowledgement may
// record it and still keep the message, and does not deliver that message again. The consumer's AckFloor alone
// is not enough either: after a kill of the server it may be older than the stream.
func (e *engine) done(ctx context.Context) (done bool, err error) {
	err = e.ask(ctx, func(ctx context.Context) error {
		s, err := e.js.Stream(ctx, e.name+"-deadlines")
		if err != nil {
			return err
		}
		heldBack, err := s.Info(ctx, jetstream.WithSubjectFilter(e.name+".at.*"))
		if err != nil || len(heldBack.State.Subjects) > 0 {
			return err
		}
		due, err := s.Info(ctx) // the last of them is the stream's last message, now that none is held back
		if err != nil {
			return err
		}
		workers, err := s.Consumer(ctx, "workers")
		if err != nil {
			return err
		}
		done = due.State.Msgs == 0 || workers.CachedInfo().AckFloor.Stream >= due.State.LastSeq
		return nil
	})
	return done, err
}

// answerWithin is how long questions wait for their answers. One that is sent while the server stops has none,
// and is asked again.
const answerWithin = 5 * time.Second

// ask asks until there is an answer.
func (e *engine) ask(ctx context.Context, question func(context.Context) error) error {
	for {
		asked, cancel := context.WithTimeout(ctx, answerWithin)
		err := question(asked)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// fired returns how many effects there are.
func (e *engine) fired(ctx context.Context) (n uint64, err error) {
	err = e.ask(ctx, func(ctx context.Context) error {
		s, err := e.js.Stream(ctx, e.name+"-fired")
		if err == nil {
			n = s.CachedInfo().State.Msgs
		}
		return err
	})
	return n, err
}

// effects returns all effects.
func (e *engine) effects(ctx context.Context) (all []effect, err error) {
	n, err := e.fired(ctx)
	if err != nil || n == 0 {
		return nil, err
	}
	reader, err := e.js.OrderedConsumer(ctx, e.name+"-fired", jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	messages, err := reader.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	for range n {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, err
		}
		var f effect
		if err := json.Unmarshal(m.Data(), &f); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Subject(), err)
		}
		all = append(all, f)
	}
	return all, nil
}

// idOf returns the ID in a subject.
func idOf(subject string) string { return path.Ext(subject)[1:] }
