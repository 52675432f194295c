//go:build schedules

package schedules

import (
	"errors"

	"github.com/seed76848005/timerwheel"
)

// Close, against everything else. When it returns what was in flight has ended, and nothing
// begins any more.
var ends = []scenario{
	{name: "Close against Register", sees: []string{"registered", "closed"}, setUp: closeAgainstRegister},
	{name: "Close against DelSync", sees: []string{"waited"}, setUp: closeAgainstDelSync},
	{name: "Close against DelAsync", sees: []string{"done"}, setUp: closeAgainstDelAsync},
	{name: "Close against a group", sees: []string{"waited"}, setUp: closeAgainstGroup},
	{name: "Close against a series", ticks: 1, setUp: closeAgainstSeries},
	{name: "Close against a lock-bound timer", sees: []string{"ran", "dropped"}, setUp: closeAgainstLockBound},
	{name: "Close against a due timer", ticks: 1, sees: []string{"ran", "dropped"}, setUp: closeAgainstDue},
	{name: "Close twice, once in a handler", sees: []string{"closed"}, setUp: closeInHandler},
	{name: "Close against AfterFunc and Free", ticks: 1, sees: []string{"ran", "dropped"}, setUp: closeAgainstAfterFunc},
}

// closes adds an actor that closes the wheel, and then checks that some timers do not run
// any more.
func (x *world) closes(probes ...*probe) (closed *bool) {
	closed = new(bool)
	x.actor("the closer", func() {
		x.check(x.w.Close() == nil, "Close")
		*closed = true
		for _, p := range probes {
			begun := p.begun
			x.check(!p.runs(), "%s runs after Close", p.name)
			x.atEnd(func() { x.check(p.begun == begun, "%s began after Close", p.name) })
		}
		s := x.w.Stats()
		x.check(s.Pending+s.Running+s.Workers == 0, "left after Close: %+v", s)
	})
	return closed
}

// An actor and the handler register the timer.
func closeAgainstRegister(x *world) {
	p := x.timer("the timer", func(p *probe) {
		if p.begun == 1 {
			p.register(0)
		}
	})
	p.register(0)
	x.until("the handler's begin", p.runs)
	closed := x.closes(p)
	x.actor("the registerer", func() {
		late := *closed
		err := p.register(0)
		if err == nil {
			x.saw("registered")
		} else {
			x.saw("closed")
			x.check(errors.Is(err, timerwheel.ErrClosed), "Register: %v", err)
		}
		x.check(err != nil || !late, "registered after Close")
	})
}

func closeAgainstDelSync(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.closes(p)
	x.actor("the deleter", func() { p.delSync() })
}

func closeAgainstGroup(x *world) {
	g := x.w.NewGroup()
	p, handler := x.probe("the member", nil)
	p.t = g.Alloc(handler)
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.closes(p)
	x.actor("the deleter", func() {
		_, err := p.deletion(g.DelSync)
		x.check(err == nil, "Group.DelSync: %v", err)
	})
}

func closeAgainstSeries(x *world) {
	p, handler := x.probe("the series", nil)
	p.t = x.w.Every(tick, handler)
	x.until("the handler's begin", p.runs)
	x.closes(p)
}

// When the wheel is closed the worker waits for the lock, or holds it.
func closeAgainstLockBound(x *world) {
	l := &mutex{director: x.director}
	p, handler := x.probe("the timer", nil)
	p.t = x.w.AllocLocked(l, handler)
	p.register(0)
	x.sleep()
	x.closes(p)
	x.actor("the owner of the lock", func() {
		l.Lock()
		x.check(!p.runs(), "it runs while its lock is held")
		l.Unlock()
	})
	x.atEnd(func() { x.ranOrDropped(p) })
}

// When Close returns, the done of a DelAsync that waited has returned.
func closeAgainstDelAsync(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.until("the handler's begin", p.runs)
	closed := x.closes(p)
	x.actor("the deleter", func() {
		waits := false
		p.t.DelAsync(func() {
			x.saw("done")
			x.check(!waits || !*closed, "done is called after Close")
		})
		waits = p.runs()
	})
}

func closeAgainstDue(x *world) {
	p := x.timer("the timer", nil)
	p.register(0)
	x.closes(p)
	x.actor("the observer", func() { p.t.Running() })
	x.atEnd(func() { x.ranOrDropped(p) })
}

// ranOrDropped counts whether a timer ran or was dropped.
func (x *world) ranOrDropped(p *probe) {
	x.saw([]string{"dropped", "ran"}[p.begun])
}

// In the handler Close closes the wheel, and returns ErrDeadlock. The other Close waits for
// that handler.
func closeInHandler(x *world) {
	p := x.timer("the timer", func(p *probe) {
		x.check(errors.Is(x.w.Close(), timerwheel.ErrDeadlock), "Close in a handler")
		err := p.register(0)
		x.check(errors.Is(err, timerwheel.ErrClosed) || errors.Is(err, timerwheel.ErrDeleting), "Register after Close: %v", err)
		x.saw("closed")
	})
	p.register(0)
	x.until("the handler's begin", p.runs)
	x.closes(p)
	x.actor("the deleter", func() { p.delSync() })
}

// A timer that Close drops is recycled: one without owners at once, one with an owner with
// its Free.
func closeAgainstAfterFunc(x *world) {
	owned, ran := x.timer("the owned timer", nil), 0
	x.closes(owned)
	x.actor("the user", func() {
		t := x.w.AfterFunc(0, func() { ran++ })
		owned.register(0)
		x.check(owned.t.Free() == nil, "Free")
		x.atEnd(func() {
			x.check(!t.Valid() && !owned.t.Valid() && x.w.Stats().Live == 0, "something still lives")
			x.saw([]string{"dropped", "ran"}[ran])
		})
	})
}
