//go:build schedules

package schedules

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// A director decides which goroutine makes the next step. It is the Scheduler of the wheels
// of one run. It runs in the bubble of that run, in a goroutine that is not directed.
type director struct {
	clock    *actor // its step moves the time by a tick
	ticks    int    // how often the clock may still be chosen
	last     *actor // made the last step
	moving   *actor // makes a step now; nil while the director itself runs
	choose   func(options []*actor, preempts bool) int
	released bool   // no goroutine is directed any more
	endless  bool   // a run did not end
	traced   bool   // remember in which function a step ends
	watch    func() // is called after each step; may be nil

	mu     sync.Mutex     // new actors come while another makes a step
	actors []*actor       // all actors so far, in the order of their first step
	owners map[any]*actor // by the mutex that an actor has locked
}

// An actor is a goroutine that is directed.
type actor struct {
	name   string
	resume chan struct{}
	stands bool        // it waits for the director
	place  string      // where it waits
	mutex  any         // the mutex that it locks next, if it does
	ready  func() bool // whether it can go on, if it waits for an event
}

const tick = time.Millisecond

func newDirector(choose func(options []*actor, preempts bool) int) *director {
	return &director{
		clock:  &actor{name: "the clock", place: "a tick"},
		choose: choose,
		owners: make(map[any]*actor),
	}
}

// The wheel stops in Begins, Lock, Unlocked, At and Until. The caller of Begins is a new
// goroutine. The caller of the others is the actor that moves, as no other does.

func (d *director) Begins(place string) {
	d.mu.Lock()
	a := &actor{resume: make(chan struct{})}
	a.name = fmt.Sprintf("goroutine %d of the wheel", len(d.actors)+1)
	d.actors = append(d.actors, a)
	d.mu.Unlock()
	d.pause(a, actor{place: place})
}

func (d *director) Lock(mutex any) { d.pause(d.moving, actor{place: "a lock", mutex: mutex}) }

func (d *director) Unlocked(mutex any) {
	delete(d.owners, mutex)
	d.pause(d.moving, actor{place: "after an unlock"})
}

func (d *director) At(place string) { d.pause(d.moving, actor{place: place}) }

func (d *director) Until(event string, ready func() bool) {
	d.pause(d.moving, actor{place: event, ready: ready})
}

// pause makes the calling goroutine, which is a's, wait until it is chosen.
func (d *director) pause(a *actor, at actor) {
	if d.released && at.ready != nil && !at.ready() {
		runtime.Goexit() // it may never be ready
	}
	if a == nil || d.released {
		return
	}
	if d.traced {
		at.place += where()
	}
	a.place, a.mutex, a.ready = at.place, at.mutex, at.ready
	a.stands = true
	<-a.resume
	if d.released {
		d.pause(nil, at)
	}
}

// where names the functions in which the wheel has stopped, innermost first, without those
// of this package and of the hooks.
func where() (s string) {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for more, n := true, 0; more && n < 3; {
		var f runtime.Frame
		f, more = frames.Next()
		name := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
		_, name, _ = strings.Cut(name, ".")
		switch {
		case strings.Contains(f.Function, "/internal/hook."), strings.HasSuffix(f.File, "director.go"),
			name == "(*shard).lock", name == "(*shard).unlock":
		default:
			s += fmt.Sprintf(" < %s:%d", name, f.Line)
			n++
		}
	}
	return s
}

// start starts a goroutine of the scenario, and returns when that waits for its first step. What the
// director itself has called before may have started a goroutine of the wheel: that becomes an actor
// first, so that the order of the actors is the same in each run.
func (d *director) start(name string, f func()) *actor {
	synctest.Wait()
	a := &actor{name: name, resume: make(chan struct{})}
	d.actors = append(d.actors, a)
	go func() {
		d.pause(a, actor{place: "its begin"})
		f()
	}()
	synctest.Wait()
	return a
}

// options returns the actors that can make the next step, the one that made the last step
// first; preempts reports whether that is among them.
func (d *director) options() (options []*actor, preempts bool) {
	for _, a := range d.actors {
		if !a.stands || a.mutex != nil && d.owners[a.mutex] != nil || a.ready != nil && !a.ready() {
			continue
		}
		if a == d.last {
			options, preempts = slices.Insert(options, 0, a), true
		} else {
			options = append(options, a)
		}
	}
	if d.ticks > 0 && len(options) > 0 {
		options = append(options, d.clock)
	}
	return options, preempts
}

// step lets an actor make a step, and reports whether any could.
func (d *director) step() bool {
	options, preempts := d.options()
	if len(options) == 0 {
		return false
	}
	a := options[d.choose(options, preempts)]
	if a == d.clock {
		d.ticks--
		d.sleep()
		return true
	}
	d.last, d.moving = a, a
	a.stands = false
	if a.mutex != nil {
		d.owners[a.mutex] = a
	}
	a.resume <- struct{}{}
	synctest.Wait()
	d.moving = nil
	if d.watch != nil {
		d.watch()
	}
	return true
}

// aside lets the actor that moves look at something without a step, unless a mutex is
// locked, which it might have to lock.
func (d *director) aside(look func()) {
	if len(d.owners) == 0 {
		moving := d.moving
		d.moving = nil
		look()
		d.moving = moving
	}
}

// sleep moves the time by a tick, and lets the goroutines that it wakes begin.
func (d *director) sleep() {
	time.Sleep(tick)
	synctest.Wait()
}

// run makes steps until over, and lets the time pass when no actor can go on. It reports
// false if that does not help, or if it does not end.
func (d *director) run(over func() bool) bool {
	const (
		enough = 5    // ticks; no deadline of a scenario is further away
		many   = 5000 // steps
	)
	idle := 0
	for n := 0; !over(); n++ {
		switch {
		case n == many:
			d.endless = true
			return false
		case d.step():
			idle = 0
		case idle == enough:
			return false
		default:
			d.sleep()
			idle++
		}
	}
	return true
}

// locksAreStuck reports whether an actor waits for a mutex whose owner waits for another
// mutex.
func (d *director) locksAreStuck() bool {
	return slices.ContainsFunc(d.actors, func(a *actor) bool {
		if !a.stands || a.mutex == nil {
			return false
		}
		owner := d.owners[a.mutex]
		return owner != nil && owner.stands && owner.mutex != nil && d.owners[owner.mutex] != nil
	})
}

// release ends the direction of a run that went wrong. The goroutines go on by themselves,
// except for those that wait for an event that may never come: these end. Goroutines that
// wait for each other's mutexes cannot be released.
func (d *director) release() {
	if d.locksAreStuck() {
		panic("goroutines wait for each other's mutexes")
	}
	d.released = true
	for _, a := range d.actors {
		if a.stands {
			a.stands = false
			close(a.resume)
		}
	}
}

// A mutex is a lock of the user, with the director's steps.
type mutex struct {
	director *director
	sync.Mutex
}

func (m *mutex) Lock() {
	m.director.Lock(m)
	m.Mutex.Lock()
}

func (m *mutex) Unlock() {
	m.Mutex.Unlock()
	m.director.Unlocked(m)
}
