package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed76848005/timerwheel"
)

// An instance is a wheel and the goroutines that use it, the actors. They start, use the
// wheel, and stop; then it must be empty. Most instances are closed in one of several
// ways while the actors are at work, and another is made; one, the long-lived one, stands
// from the beginning to the end.
type instance struct {
	name       string
	kind       kind
	w          *timerwheel.Wheel
	maxWorkers int
	stale      staleHandles
	shared     [24]atomic.Pointer[tracked] // the timers that all actors share

	actors   sync.WaitGroup
	stopping chan struct{} // closed to stop the actors
	closing  chan struct{} // closed before the wheel is closed
	once     sync.Once     // for that
	closed   atomic.Bool   // Close has returned nil

	began    atomic.Uint64 // handlers
	inFlight atomic.Int64
	panics   atomic.Int64 // made by handlers, less those that OnPanic was called for
	ownArmed atomic.Int64 // firings of stdtime and timerctx, which may fire
	asyncs   atomic.Int64 // DelAsyncs, less the dones that have run
}

type kind string

const (
	busy      kind = "busy wheel"
	quiet     kind = "quiet wheel"
	manual    kind = "manual wheel"
	longLived kind = "long-lived wheel"
)

func (inst *instance) String() string { return inst.name }

var wheels atomic.Int64

// newInstance makes an instance with a wheel of some kind.
func newInstance(k kind) *instance {
	inst := &instance{name: fmt.Sprintf("%s %d", k, wheels.Add(1)), kind: k, closing: make(chan struct{})}
	o := timerwheel.Options{
		Tick:       []time.Duration{100 * time.Microsecond, time.Millisecond, 3 * time.Millisecond}[rand.IntN(3)],
		Manual:     k == manual,
		OnPanic:    inst.onPanic,
		Debug:      rand.IntN(4) == 0,
		DebugEvery: 1 + 3*rand.IntN(2),
	}
	inst.maxWorkers = 1
	if k != manual {
		inst.maxWorkers = []int{8, 32, 256}[rand.IntN(3)]
		o.MaxWorkers = inst.maxWorkers
	}
	if k == busy || k == longLived { // not the others: to look for stalls also makes up for a lost wake-up
		o.OnStall, o.StallAfter = onStall, 50*time.Millisecond
	}
	w, err := timerwheel.New(o)
	if err != nil {
		panic(err)
	}
	inst.w = w
	return inst
}

// runInstance runs an instance that is closed while its actors are at work.
func runInstance(k kind, until time.Time, rec *opRecorder) {
	inst := newInstance(k)
	inst.startActors()
	life := time.Until(until)
	if k != quiet { // which must live long enough to find a firing lost
		life = min(life, rand.N(3*time.Second))
	}
	time.Sleep(life)
	inst.close(rec)
	inst.stopActors(rec)
	inst.awaitDrained(rec)
	inst.inspect()
}

// now is the time by which deadlines are judged.
func (inst *instance) now() time.Time {
	if inst.kind == manual {
		return inst.w.Now()
	}
	return time.Now()
}

// begin and end are called around every handler of the instance.
func (inst *instance) begin() {
	handlers.Add(1)
	inst.began.Add(1)
	if n := inst.inFlight.Add(1); !notTooMany.holds(n <= int64(inst.maxWorkers)) {
		notTooMany.fail("%s: %d handlers at once, of %d", inst, n, inst.maxWorkers)
	}
	if inst.closed.Load() {
		closedQuiet.fail("%s: a handler begins after Close has returned", inst)
	}
}

func (inst *instance) end() { inst.inFlight.Add(-1) }

func (inst *instance) onPanic(p timerwheel.HandlerPanic) {
	if p.Value != onPurpose {
		panicsReported.fail("%s: %v panics with %v\n%s", inst, p.Timer, p.Value, p.Stack)
	}
	panicsReported.holds(true)
	inst.panics.Add(-1)
}

var stalls atomic.Int64

func onStall(timerwheel.Stall) { stalls.Add(1) }

func (inst *instance) startActors() {
	inst.stopping = make(chan struct{})
	for _, a := range inst.actorList() {
		inst.actors.Go(func() {
			rec := newOpRecorder(a.name + " on " + inst.name)
			defer rec.remove()
			for isOpen(inst.stopping) {
				for range a.pace {
					a.act(inst, rec)
				}
				time.Sleep(rand.N(100 * time.Microsecond)) // leaves processor time for the handlers
			}
		})
	}
}

// isClosed reports whether a channel has been closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// isOpen reports whether a channel has not been closed.
func isOpen(c chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}

// stopActors stops the actors, and frees the timers that they shared.
func (inst *instance) stopActors(rec *opRecorder) {
	close(inst.stopping)
	rec.do(vAwait, inst.actors.Wait)
	for i := range inst.shared {
		if s := inst.shared[i].Swap(nil); s != nil {
			s.shutDown(rec)
			s.free(rec)
		}
	}
}

// awaitDrained waits until the wheel has nothing any more: a timer that was freed while it
// was pending fires first. Stats is no snapshot, so it must say so twice: a timer that it
// misses because it is made on a shard that was looked at already is registered between
// two looks.
func (inst *instance) awaitDrained(rec *opRecorder) (s timerwheel.Stats) {
	rec.do(vAwait, func() {
		for drained := false; ; time.Sleep(time.Millisecond) {
			last, wasDrained := s.Registered, drained
			s = inst.w.Stats()
			drained = s.Live == 0 && s.Workers == 0 && inst.asyncs.Load() == 0
			if drained && wasDrained && s.Registered == last {
				allRecycled.holds(true)
				return
			}
		}
	})
	return s
}
