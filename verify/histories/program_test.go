package histories

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/seed76848005/timerwheel"
)

// This file makes histories: a few clients call a few timers at random, and so do the
// timers' handlers.

// A program is the clients and the timers that make one history.
type program struct {
	wheel  *timerwheel.Wheel
	start  time.Time
	seed   uint64
	dones  sync.WaitGroup // the functions of DelAsyncs
	closes bool           // the wheel is the program's own, and its clients close it

	// Set before ready is closed.
	ready       chan struct{}
	group       *timerwheel.Group // nil: none
	members     []int
	clientCalls []string
	handlerActs []string

	mu     sync.Mutex
	timers []*timer
}

// A timer is one of the program's.
type timer struct {
	id      int
	handle  timerwheel.Timer
	made    chan struct{} // closed when there is a handle
	born    time.Duration
	runs    int
	handler recorder // of what its handler does; it needs no lock, and nor does runs, because runs do not overlap
}

const (
	firstTimers = 2 // made before the clients begin; a group's members are among them
	maxTimers   = 6
	maxClients  = 5
	maxRuns     = 8 // a handler that has run more often does nothing
)

// play runs one program, on the wheel or on one of its own, and returns its history.
func play(w *timerwheel.Wheel, seed uint64) []porcupine.Operation {
	p := &program{wheel: w, start: time.Now(), seed: seed, ready: make(chan struct{})}
	main, rng := p.recorder(0)
	p.setUp(main, rng)
	recorders := []*recorder{main}
	var clients sync.WaitGroup
	for n := range 3 + rng.IntN(maxClients-2) {
		r, rng := p.recorder(n + 1)
		recorders = append(recorders, r)
		clients.Go(func() { p.client(r, rng) })
	}
	clients.Wait()
	return p.end(recorders)
}

// recorder makes the recorder of a client or of a handler, and its random numbers.
func (p *program) recorder(client int) (*recorder, *rand.Rand) {
	return &recorder{client: client, start: p.start}, rand.New(rand.NewPCG(p.seed, uint64(client)))
}

// setUp decides which calls the program draws from, and makes the first timers. Their
// handlers wait until that is done.
func (p *program) setUp(main *recorder, rng *rand.Rand) {
	defer close(p.ready)
	p.clientCalls, p.handlerActs = clientCalls, handlerActs
	if p.closes = rng.IntN(16) == 0; p.closes {
		p.wheel = newWheel()
		p.clientCalls, p.handlerActs = slices.Concat(p.clientCalls, closeCalls), slices.Concat(p.handlerActs, closeActs)
	}
	if rng.IntN(2) == 0 {
		p.group = p.wheel.NewGroup()
		p.clientCalls, p.handlerActs = slices.Concat(p.clientCalls, groupCalls), slices.Concat(p.handlerActs, groupActs)
	}
	for n := range firstTimers {
		member := p.group != nil && (n == 0 || rng.IntN(2) == 0)
		if member {
			p.members = append(p.members, n)
		}
		p.make(main, rng, member)
	}
}

// newWheel makes a wheel whose handlers may panic.
func newWheel() *timerwheel.Wheel {
	w, err := timerwheel.New(timerwheel.Options{Tick: 50 * time.Microsecond, OnPanic: func(timerwheel.HandlerPanic) {}})
	if err != nil {
		panic(err)
	}
	return w
}

// client makes some calls. When it finds a timer recycled it may make another, which is
// likely to get its record: whatever reaches that by the old handle shows in its
// history.
func (p *program) client(r *recorder, rng *rand.Rand) {
	for range 4 + rng.IntN(5) {
		pause(rng)
		t := p.pick(rng)
		p.call(r, t, p.clientCalls[rng.IntN(len(p.clientCalls))], rng)
		if valid := p.call(r, t, "Valid", rng); !valid.yes && rng.IntN(2) == 0 {
			p.make(r, rng, false)
		}
	}
}

// pause brings the clients out of step, by about as long as it takes a handler to
// begin.
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

func (p *program) pick(rng *rand.Rand) *timer {
	p.mu.Lock()
	t := p.timers[rng.IntN(len(p.timers))]
	p.mu.Unlock()
	<-t.made
	return t
}

// make makes a timer, unless there are enough.
func (p *program) make(r *recorder, rng *rand.Rand, member bool) {
	t := p.newTimer()
	if t == nil {
		return
	}
	defer close(t.made)
	alloc, afterFunc := p.wheel.Alloc, p.wheel.AfterFunc
	if member {
		alloc, afterFunc = p.group.Alloc, p.group.AfterFunc
	}
	op := []string{"Alloc", "Alloc", "AfterFunc"}[rng.IntN(3)]
	r.record([]int{t.id}, input{op: op, d: delay(rng)}, func(in input) output {
		if op == "Alloc" {
			t.handle = alloc(func(timerwheel.Timer) { p.run(t) })
		} else {
			t.handle = afterFunc(in.d, func() { p.run(t) })
		}
		return output{}
	})
}

func (p *program) newTimer() *timer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.timers) == maxTimers {
		return nil
	}
	t := &timer{id: len(p.timers), made: make(chan struct{}), born: time.Since(p.start)}
	t.handler = recorder{client: maxClients + 1 + t.id, start: p.start}
	p.timers = append(p.timers, t)
	return t
}

// ---- Handlers ----

// run is a timer's handler. The wheel begins the run before its first statement, and
// ends it after its last.
func (p *program) run(t *timer) {
	began := time.Since(p.start)
	t.runs++
	r := &t.handler
	r.add(input{timer: t.id, op: "begin"}, t.born, output{at: began}, began)
	<-p.ready
	<-t.made
	rng := rand.New(rand.NewPCG(p.seed, uint64(t.id*maxRuns+t.runs)<<8))
	act := "nothing"
	if t.runs <= maxRuns {
		act = p.handlerActs[rng.IntN(len(p.handlerActs))]
	}
	p.act(t, act, rng)
	r.add(input{timer: t.id, op: "end"}, r.now(), output{}, 0)
	switch act {
	case "panic":
		panic("a handler of a history")
	case "Goexit":
		runtime.Goexit()
	}
}

// act makes a handler's one call: of its own timer, of its group or its wheel, or a
// deletion of another timer.
func (p *program) act(t *timer, act string, rng *rand.Rand) {
	pause(rng)
	switch act {
	case "nothing", "pause", "panic", "Goexit":
	case "DelSync of any", "Shutdown of any":
		op, _, _ := strings.Cut(act, " ")
		p.call(&t.handler, p.pick(rng), op, rng)
	default:
		p.call(&t.handler, t, act, rng)
	}
	pause(rng)
}

// ---- The end ----

// end ends a history: no timer is left, and nothing goes on. What the handlers have
// recorded may be read because a ShutdownSync of their timers has returned.
func (p *program) end(recorders []*recorder) (history []porcupine.Operation) {
	main, rng := recorders[0], rand.New(rand.NewPCG(p.seed, 0))
	for _, t := range p.timers {
		p.call(main, t, "ShutdownSync", rng)
		for p.call(main, t, "Free", rng).err == "" {
		}
		recorders = append(recorders, &t.handler)
	}
	p.dones.Wait()
	if p.closes {
		p.call(main, p.timers[0], "Close", rng)
		if s := p.wheel.Stats(); s.Live > 0 {
			panic(fmt.Sprintf("a closed wheel, of which all timers were freed: %+v", s))
		}
	}
	over := main.now()
	for _, r := range recorders {
		history = append(history, r.history(over)...)
	}
	p.delayGroupWaits(history)
	return slices.DeleteFunc(history, func(op porcupine.Operation) bool { return op.Input.(input).timer >= len(p.timers) })
}

// delayGroupWaits gives the end of each wait of a group's deletion its earliest time, on
// all members: when the last of the runs ends that were in flight as the call began. In
// a member's own history nothing else says that the wait is for the other members too.
func (p *program) delayGroupWaits(history []porcupine.Operation) {
	runs := p.memberRuns()
	for k := range history {
		op := &history[k]
		if in := op.Input.(input); in.op != endOfWait || in.members == 0 || op.Output.(output).err != "" {
			continue
		}
		called := op.Call
		for _, r := range runs {
			if r.begin < called && called < r.end {
				op.Call = max(op.Call, min(r.end, op.Return))
			}
		}
	}
}

// A span is a run from its handler's first statement to its last.
type span struct{ begin, end int64 }

// memberRuns returns the runs of the group's members.
func (p *program) memberRuns() (runs []span) {
	for _, m := range p.members {
		for _, op := range p.timers[m].handler.ops {
			switch op.Input.(input).op {
			case "begin":
				runs = append(runs, span{begin: op.Return})
			case "end":
				runs[len(runs)-1].end = op.Call
			}
		}
	}
	return runs
}
