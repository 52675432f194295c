package histories

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/seed76848005/timerwheel"
)

// This file makes histories: a few clients call a few timers at random, and so
// do the timers' handlers.

// A scene is one history while it is made.
type scene struct {
	wheel *timerwheel.Wheel
	start time.Time
	seed  uint64
	dones sync.WaitGroup // the functions of DelAsyncs

	mu     sync.Mutex
	timers []*timer
}

// A timer is one of the scene.
type timer struct {
	id      int
	handle  timerwheel.Timer
	made    chan struct{} // closed when there is a handle
	born    time.Duration
	runs    int
	handler recorder // what its handler does; the wheel guards it, and runs
}

const (
	firstTimers = 2 // made before the clients begin
	maxTimers   = 6
	maxClients  = 5
	maxRuns     = 8 // after so many a handler does nothing more
)

// play makes one history.
func play(w *timerwheel.Wheel, seed uint64) []porcupine.Operation {
	s := &scene{wheel: w, start: time.Now(), seed: seed}
	main, rng := s.recorder(0)
	for range firstTimers {
		s.make(main, rng)
	}
	recorders := []*recorder{main}
	var clients sync.WaitGroup
	for n := range 3 + rng.IntN(maxClients-2) {
		r, rng := s.recorder(n + 1)
		recorders = append(recorders, r)
		clients.Go(func() { s.client(r, rng) })
	}
	clients.Wait()
	return s.end(recorders)
}

// recorder makes what a client, or a handler, records in, and its chance.
func (s *scene) recorder(client int) (*recorder, *rand.Rand) {
	return &recorder{client: client, start: s.start}, rand.New(rand.NewPCG(s.seed, uint64(client)))
}

// client makes some calls. Where it finds a timer recycled it may make another,
// which is likely to get its place: whatever reaches that by the old handle
// shows in its history.
func (s *scene) client(r *recorder, rng *rand.Rand) {
	for range 4 + rng.IntN(5) {
		pause(rng)
		t := s.pick(rng)
		s.call(r, t, clientCalls[rng.IntN(len(clientCalls))], rng)
		if valid := s.call(r, t, "Valid", rng); !valid.yes && rng.IntN(2) == 0 {
			s.make(r, rng)
		}
	}
}

// pause brings the clients out of step, by about as long as it takes a handler
// to begin.
func pause(rng *rand.Rand) {
	switch rng.IntN(4) {
	case 0:
		runtime.Gosched()
	case 1:
		for range rng.IntN(20) {
			runtime.Gosched()
		}
	case 2:
		time.Sleep(time.Duration(rng.IntN(50)) * time.Microsecond)
	}
}

func delay(rng *rand.Rand) time.Duration {
	return []time.Duration{0, 0, 0, 60 * time.Microsecond, time.Hour}[rng.IntN(5)]
}

func (s *scene) pick(rng *rand.Rand) *timer {
	s.mu.Lock()
	t := s.timers[rng.IntN(len(s.timers))]
	s.mu.Unlock()
	<-t.made
	return t
}

// make makes a timer, unless there are enough.
func (s *scene) make(r *recorder, rng *rand.Rand) {
	t := s.newTimer()
	if t == nil {
		return
	}
	defer close(t.made)
	op := []string{"Alloc", "Alloc", "AfterFunc"}[rng.IntN(3)]
	r.record(input{timer: t.id, op: op, d: delay(rng)}, func(in input) output {
		if op == "Alloc" {
			t.handle = s.wheel.Alloc(func(timerwheel.Timer) { s.run(t) })
		} else {
			t.handle = s.wheel.AfterFunc(in.d, func() { s.run(t) })
		}
		return output{}
	})
}

func (s *scene) newTimer() *timer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.timers) == maxTimers {
		return nil
	}
	t := &timer{id: len(s.timers), made: make(chan struct{}), born: time.Since(s.start)}
	t.handler = recorder{client: maxClients + 1 + t.id, start: s.start}
	s.timers = append(s.timers, t)
	return t
}

// ---- Calls ----

var clientCalls = []string{
	"Register", "Register", "Register", "RegisterAt", "Reset", "Reduce",
	"Del", "Stop", "DelSync", "DelSync", "DelSync", "DelSyncContext", "DelAsync", "ShutdownSync",
	"Retain", "Free", "Pending", "Running",
}

// call makes one call of a timer, and records it.
func (s *scene) call(r *recorder, t *timer, op string, rng *rand.Rand) output {
	in := input{timer: t.id, op: op, d: delay(rng), inHandler: r.client > maxClients}
	return r.record(in, func(in input) output { return s.do(r, t.handle, in) })
}

func (s *scene) do(r *recorder, t timerwheel.Timer, in input) output {
	switch in.op {
	case "Register":
		return failed(t.Register(in.d))
	case "RegisterAt":
		return failed(t.RegisterAt(time.Now().Add(in.d)))
	case "Reset":
		return answered(t.Reset(in.d))
	case "Reduce":
		return failed(t.Reduce(in.d))
	case "Del":
		return deleted(t.Del(), nil)
	case "Stop":
		return answered(t.Stop())
	case "DelSync":
		return deleted(t.DelSync())
	case "DelSyncContext":
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Microsecond)
		defer cancel()
		return deleted(t.DelSyncContext(ctx))
	case "DelAsync":
		return s.delAsync(r, t, in)
	case "ShutdownSync":
		return deleted(t.ShutdownSync())
	case "Retain":
		return failed(t.Retain())
	case "Free":
		return failed(t.Free())
	case "Pending":
		return answered(t.Pending())
	case "Running":
		return answered(t.Running())
	}
	return answered(t.Valid())
}

// delAsync notes when the function of a DelAsync runs.
func (s *scene) delAsync(r *recorder, t timerwheel.Timer, in input) output {
	d := &done{in: in}
	r.dones = append(r.dones, d)
	s.dones.Add(1)
	d.out = deleted(t.DelAsync(func() {
		d.ran = time.Since(s.start)
		s.dones.Done()
	}), nil)
	return d.out
}

// ---- Handlers ----

// run is a timer's handler. The wheel begins the run before its first statement,
// and ends it after its last.
func (s *scene) run(t *timer) {
	began := time.Since(s.start)
	t.runs++
	r := &t.handler
	r.add(input{timer: t.id, op: "begin"}, t.born, output{at: began}, began)
	<-t.made
	rng := rand.New(rand.NewPCG(s.seed, uint64(t.id*maxRuns+t.runs)<<8))
	act := "nothing"
	if t.runs <= maxRuns {
		act = handlerActs[rng.IntN(len(handlerActs))]
	}
	s.act(t, act, rng)
	r.add(input{timer: t.id, op: "end"}, r.now(), output{}, 0)
	switch act {
	case "panic":
		panic("a handler of a history")
	case "Goexit":
		runtime.Goexit()
	}
}

var handlerActs = []string{
	"nothing", "nothing", "pause", "pause", "pause", "panic", "Goexit",
	"Register", "Register", "Reduce", "Del", "DelSync", "DelAsync", "Free", "Retain", "another", "another",
}

// act does what a handler does: a call of its own timer, or a DelSync of another.
func (s *scene) act(t *timer, act string, rng *rand.Rand) {
	pause(rng)
	switch act {
	case "nothing", "pause", "panic", "Goexit":
	case "another":
		s.call(&t.handler, s.pick(rng), "DelSync", rng)
	default:
		s.call(&t.handler, t, act, rng)
	}
	pause(rng)
}

// end ends a history: no timer is left, and nothing that goes on. What the
// handlers have recorded may be read because their timers were shut down.
func (s *scene) end(recorders []*recorder) (history []porcupine.Operation) {
	main, rng := recorders[0], rand.New(rand.NewPCG(s.seed, 0))
	for _, t := range s.timers {
		s.call(main, t, "ShutdownSync", rng)
		for s.call(main, t, "Free", rng).err == "" {
		}
		recorders = append(recorders, &t.handler)
	}
	s.dones.Wait()
	over := main.now()
	for _, r := range recorders {
		history = append(history, r.history(over)...)
	}
	return history
}
